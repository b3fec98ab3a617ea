#include "homeserver/base/crypto.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static EVP_MD *sha256_method; /* set once, before there are threads; NULL: libsodium's will do */

bool crypto_start(void)
{
    if (sha256_method == NULL)
        sha256_method = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    return sodium_init() >= 0;
}

/* Drawn in one go: libsodium asks the kernel for each draw. Of the 256 bytes the last 8 would favour some letters. */
void random_name(char *out, size_t n)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    enum { COUNT = sizeof LETTERS - 1, FAIR = 256 / COUNT * COUNT };
    for (size_t at = 0; at < n;) {
        unsigned char bytes[32];
        randombytes_buf(bytes, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes && at < n; ++i)
            if (bytes[i] < FAIR)
                out[at++] = LETTERS[bytes[i] % COUNT];
    }
    out[n] = '\0';
}

/* OpenSSL's is four times as fast where the processor has instructions for it. */
void sha256(const void *bytes, size_t len, unsigned char out[SHA256_BYTES])
{
    if (sha256_method == NULL || EVP_Digest(bytes, len, out, NULL, sha256_method, NULL) != 1)
        crypto_hash_sha256(out, bytes, len);
}

void token_hash(const char *token, unsigned char out[TOKEN_HASH_BYTES])
{
    crypto_generichash(out, TOKEN_HASH_BYTES, (const unsigned char *)token, strlen(token), NULL, 0);
}

bool bytes_equal(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

static void add_base64(struct text *out, const unsigned char *bytes, size_t len, int variant)
{
    size_t room = sodium_base64_encoded_len(len, variant); /* counts the NUL */
    text_reserve(out, room);
    sodium_bin2base64(out->data + out->len, room, bytes, len, variant);
    out->len += room - 1;
}

void text_add_base64(struct text *out, const unsigned char *bytes, size_t len)
{
    add_base64(out, bytes, len, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

void text_add_base64url(struct text *out, const unsigned char *bytes, size_t len)
{
    add_base64(out, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void text_add_base64_padded(struct text *out, const unsigned char *bytes, size_t len)
{
    add_base64(out, bytes, len, sodium_base64_VARIANT_ORIGINAL);
}

json_t *json_base64(const unsigned char *bytes, size_t len)
{
    struct text text = TEXT_INIT;
    text_add_base64(&text, bytes, len);
    json_t *string = json_stringn(text.data, text.len);
    text_finish(&text);
    return string;
}

/* The value of a base64 digit of either alphabet, −1 if it is none. */
static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int base64_decode(const char *s, size_t len, unsigned char *out, size_t cap)
{
    size_t n = 0;
    unsigned bits = 0, n_bits = 0;
    if (len % 4 == 0 && len != 0 && s[len - 1] == '=')
        len -= s[len - 2] == '=' ? 2 : 1;
    if (len % 4 == 1)
        return -1;
    for (size_t i = 0; i < len; ++i) {
        int value = digit_value(s[i]);
        if (value < 0)
            return -1;
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        if ((n_bits += 6) < 8)
            continue;
        if (n == cap)
            return -1;
        out[n++] = (unsigned char)(bits >> (n_bits -= 8));
    }
    return (int)n;
}

void signing_key_from_seed(struct signing_key *key, const char *version, const unsigned char seed[SEED_BYTES])
{
    snprintf(key->id, sizeof key->id, "ed25519:%s", version);
    crypto_sign_seed_keypair(key->public, key->secret, seed);
}

void signing_key_sign(const struct signing_key *key, const void *bytes, size_t len, unsigned char out[SIGNATURE_BYTES])
{
    crypto_sign_detached(out, NULL, bytes, len, key->secret);
}

bool signature_verify(const unsigned char public[32], const void *bytes, size_t len,
                      const unsigned char sig[SIGNATURE_BYTES])
{
    return crypto_sign_verify_detached(sig, bytes, len, public) == 0;
}

uint32_t random_uniform(uint32_t n)
{
    return randombytes_uniform(n);
}
