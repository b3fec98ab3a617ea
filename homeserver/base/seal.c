#include "homeserver/base/seal.h"

#include <sodium.h>
#include <string.h>

#include "homeserver/base/crypto.h"

#define NONCE_BYTES 6
#define PLAIN_BYTES (sizeof(int64_t) + NONCE_BYTES)
_Static_assert(SEAL_KEY_BYTES == 2 * crypto_shorthash_KEYBYTES, "one key for the vector, one for the stream");
_Static_assert((crypto_shorthash_BYTES + PLAIN_BYTES) * 8 <= SEALED_CHARS * 6, "it is as long as the header says");

struct sealed {
    unsigned char vector[crypto_shorthash_BYTES], body[PLAIN_BYTES];
};
_Static_assert(sizeof(struct sealed) == crypto_shorthash_BYTES + PLAIN_BYTES, "no holes");

static void make_vector(unsigned char vector[crypto_shorthash_BYTES], const unsigned char *key, struct seal_owner owner,
                        const unsigned char plain[PLAIN_BYTES])
{
    unsigned char of[sizeof owner.whose + PLAIN_BYTES + 1];
    memcpy(of, &owner.whose, sizeof owner.whose);
    memcpy(of + sizeof owner.whose, plain, PLAIN_BYTES);
    of[sizeof of - 1] = (unsigned char)owner.kind;
    crypto_shorthash(vector, of, sizeof of, key);
}

/* Both ways. */
static void apply_stream(struct sealed *s, const unsigned char *key)
{
    unsigned char stream[2 * crypto_shorthash_BYTES], of[crypto_shorthash_BYTES + 1];
    memcpy(of, s->vector, sizeof s->vector);
    for (unsigned char half = 0; half < 2; ++half) {
        of[sizeof of - 1] = half;
        crypto_shorthash(stream + half * (size_t)crypto_shorthash_BYTES, of, sizeof of,
                         key + crypto_shorthash_KEYBYTES);
    }
    for (size_t i = 0; i < PLAIN_BYTES; ++i)
        s->body[i] ^= stream[i];
}

void seal_add(struct text *out, const unsigned char key[SEAL_KEY_BYTES], struct seal_owner owner, int64_t number,
              uint64_t nonce)
{
    struct sealed s;
    memcpy(s.body, &number, sizeof number);
    for (size_t i = 0; i < NONCE_BYTES; ++i)
        s.body[sizeof number + i] = (unsigned char)(nonce >> 8 * i);
    make_vector(s.vector, key, owner, s.body);
    apply_stream(&s, key);
    text_add_base64url(out, (unsigned char *)&s, sizeof s);
}

bool seal_open(const char *sealed, const unsigned char key[SEAL_KEY_BYTES], struct seal_owner owner, int64_t *number)
{
    struct sealed s;
    unsigned char vector[crypto_shorthash_BYTES];
    if (memchr(sealed, '+', SEALED_CHARS) != NULL || memchr(sealed, '/', SEALED_CHARS) != NULL ||
        base64_decode(sealed, SEALED_CHARS, (unsigned char *)&s, sizeof s) != (int)sizeof s)
        return false;
    apply_stream(&s, key);
    make_vector(vector, key, owner, s.body);
    memcpy(number, s.body, sizeof *number);
    return bytes_equal(vector, s.vector, sizeof vector);
}
