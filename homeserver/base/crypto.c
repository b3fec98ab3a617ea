#include "homeserver/base/crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static EVP_MD *sha256_method; /* NULL: libsodium's will do */

bool crypto_start(void)
{
    return sodium_init() >= 0;
}

static void fetch_sha256(void)
{
    sha256_method = EVP_MD_fetch(NULL, "SHA2-256", NULL);
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

/* OpenSSL's is four times as fast where the processor has instructions for it. It takes a millisecond to begin: at the
 * first use, not at every start. */
void sha256(const void *bytes, size_t len, unsigned char out[SHA256_BYTES])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch_sha256);
    if (sha256_method == NULL || EVP_Digest(bytes, len, out, NULL, sha256_method, NULL) != 1)
        crypto_hash_sha256(out, bytes, len);
}

void hmac_sha1(const char *key, const char *text, unsigned char out[SHA1_BYTES])
{
    if (HMAC(EVP_sha1(), key, (int)strlen(key), (const unsigned char *)text, strlen(text), out, NULL) == NULL)
        abort(); /* out of memory: OpenSSL's default provider always has it */
}

void blake2b(const void *bytes, size_t len, unsigned char out[BLAKE2B_BYTES])
{
    crypto_generichash(out, BLAKE2B_BYTES, bytes, len, NULL, 0);
}

void token_hash(const char *token, unsigned char out[TOKEN_HASH_BYTES])
{
    blake2b(token, strlen(token), out);
}

/* By eights, where libsodium's goes byte by byte: every poll comes here. What the compiler cannot see through is not
 * made a loop that ends early. */
bool bytes_equal(const void *a, const void *b, size_t len)
{
    const unsigned char *x = a, *y = b;
    uint64_t differ = 0, left, right;
    for (; len >= sizeof left; len -= sizeof left, x += sizeof left, y += sizeof right) {
        memcpy(&left, x, sizeof left);
        memcpy(&right, y, sizeof right);
        differ |= left ^ right;
        __asm__ volatile("" : "+r"(differ));
    }
    return sodium_memcmp(x, y, len) == 0 && differ == 0;
}

/* Not libsodium's, whose time does not depend on the bytes but is tens of instructions each: what is written here is
 * seen by others, but for a key file that is written once. */
#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
static void add_base64(struct text *out, const unsigned char *bytes, size_t len, const char *digits)
{
    text_reserve(out, len / 3 * 4 + 4);
    char *at = out->data + out->len;
    for (; len >= 3; len -= 3, bytes += 3) {
        uint32_t three = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
        *at++ = digits[three >> 18];
        *at++ = digits[three >> 12 & 63];
        *at++ = digits[three >> 6 & 63];
        *at++ = digits[three & 63];
    }
    if (len != 0) {
        uint32_t rest = (uint32_t)bytes[0] << 16 | (len == 2 ? (uint32_t)bytes[1] << 8 : 0);
        *at++ = digits[rest >> 18];
        *at++ = digits[rest >> 12 & 63];
        if (len == 2)
            *at++ = digits[rest >> 6 & 63];
    }
    *at = '\0';
    out->len = (size_t)(at - out->data);
}

void text_add_base64(struct text *out, const unsigned char *bytes, size_t len)
{
    add_base64(out, bytes, len, LETTERS_AND_DIGITS "+/");
}

void text_add_base64url(struct text *out, const unsigned char *bytes, size_t len)
{
    add_base64(out, bytes, len, LETTERS_AND_DIGITS "-_");
}

void text_add_base64_padded(struct text *out, const unsigned char *bytes, size_t len)
{
    text_add_base64(out, bytes, len);
    text_add(out, "==", (3 - len % 3) % 3);
}

json_t *json_base64(const unsigned char *bytes, size_t len)
{
    struct text text = TEXT_INIT;
    text_add_base64(&text, bytes, len);
    json_t *string = json_stringn(text.data, text.len);
    text_finish(&text);
    return string;
}

/* The values of base64 digits of either alphabet, plus 1; 0: it is none. */
static const unsigned char DIGITS[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,  ['I'] = 9,
    ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
    ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27,
    ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45,
    ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
    ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
    ['-'] = 63, ['/'] = 64, ['_'] = 64,
};

int base64_decode(const char *s, size_t len, unsigned char *out, size_t cap)
{
    size_t n = 0, i = 0;
    unsigned bits = 0, n_bits = 0;
    if (len % 4 == 0 && len != 0 && s[len - 1] == '=')
        len -= s[len - 2] == '=' ? 2 : 1;
    if (len % 4 == 1)
        return -1;
    for (; i + 4 <= len && n + 3 <= cap; i += 4, n += 3) { /* by fours: every poll's token comes here */
        const unsigned char *four = (const unsigned char *)s + i;
        unsigned a = DIGITS[four[0]], b = DIGITS[four[1]], c = DIGITS[four[2]], d = DIGITS[four[3]];
        if (a == 0 || b == 0 || c == 0 || d == 0)
            return -1;
        unsigned three = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        out[n] = (unsigned char)(three >> 16);
        out[n + 1] = (unsigned char)(three >> 8);
        out[n + 2] = (unsigned char)three;
    }
    for (; i < len; ++i) {
        unsigned digit = DIGITS[(unsigned char)s[i]];
        if (digit == 0)
            return -1;
        bits = (bits << 6 | (digit - 1)) & 0xffff;
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

/* No text is the beginning of another. Two are hashed without their NUL: so was what lies in browsers. */
#define PURPOSE(literal)                                                                                               \
    {                                                                                                                  \
        literal, sizeof(literal)                                                                                       \
    }
#define PURPOSE_BARE(literal)                                                                                          \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }
static const struct {
    const char *text;
    size_t len;
} PURPOSES[SERVER_KEYS] = {
    [KEY_FORM_TOKENS] = PURPOSE("forms of pages"),
    [KEY_FORM_SUBJECTS] = PURPOSE_BARE("whom a form is shown to"),
    [KEY_FORM_DRAFTS] = PURPOSE_BARE("what was typed into a form"),
    [KEY_KNOWN_BROWSERS] = PURPOSE("known browsers"),
    [KEY_SECOND_FACTORS] = PURPOSE("second factors"),
    [KEY_OIDC_ATTEMPTS] = PURPOSE("attempts to sign in at providers"),
};

void server_key(const struct signing_key *key, enum server_key purpose, unsigned char out[SERVER_KEY_BYTES])
{
    crypto_generichash(out, SERVER_KEY_BYTES, (const unsigned char *)PURPOSES[purpose].text, PURPOSES[purpose].len,
                       key->secret, SEED_BYTES);
}

void server_mac(const struct signing_key *key, enum server_key purpose, const void *bytes, size_t len,
                unsigned char *mac, size_t mac_len)
{
    unsigned char derived[SERVER_KEY_BYTES];
    server_key(key, purpose, derived);
    crypto_generichash(mac, mac_len, bytes, len, derived, sizeof derived);
    sodium_memzero(derived, sizeof derived);
}

uint32_t random_uniform(uint32_t n)
{
    return randombytes_uniform(n);
}

void random_letters(char *out, size_t n, const char *alphabet)
{
    uint32_t letters = (uint32_t)strlen(alphabet);
    for (size_t i = 0; i < n; ++i)
        out[i] = alphabet[random_uniform(letters)];
}
