/* Randomness, hashes, base64 and the server's signing key (libsodium beneath, OpenSSL for SHA-256; call crypto_start
 * once, first). */
#ifndef PARTA_BASE_CRYPTO_H
#define PARTA_BASE_CRYPTO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/text.h"

#define SHA256_BYTES 32
#define SIGNATURE_BYTES 64
#define SEED_BYTES 32
#define BLAKE2B_BYTES 32
#define TOKEN_HASH_BYTES BLAKE2B_BYTES

bool crypto_start(void); /* false: no randomness to be had */

/* A random name of n characters from a-zA-Z0-9 (5.95 bits each) and a NUL: out has n + 1 bytes. */
void random_name(char *out, size_t n);
uint32_t random_uniform(uint32_t n); /* 0 … n − 1 */

/* n characters of the alphabet, each as likely as another; writes no NUL. */
void random_letters(char *out, size_t n, const char *alphabet);
#define LEGIBLE_LETTERS "abcdefghjkmnpqrstuvwxyz23456789" /* 31, none looks like another: ten of them make 49 bits */

/* len 0 with bytes NULL is the hash of nothing. Any thread; cannot fail. */
void sha256(const void *bytes, size_t len, unsigned char out[SHA256_BYTES]);

/* BLAKE2b-256: of what this server alone compares, in memory or at rest. It needs no OpenSSL, whose beginning is a
 * millisecond, and is quicker for short texts. */
void blake2b(const void *bytes, size_t len, unsigned char out[BLAKE2B_BYTES]);

/* RFC 2104, for protocols that ask for it. key of any length. */
#define SHA1_BYTES 20
void hmac_sha1(const char *key, const char *text, unsigned char out[SHA1_BYTES]);

/* How tokens and links are kept at rest (BLAKE2b-256): a token is long and random, so that no
 * salt or cost is needed. */
void token_hash(const char *token, unsigned char out[TOKEN_HASH_BYTES]);

/* Compares in constant time. */
bool bytes_equal(const void *a, const void *b, size_t len);

/* Unpadded base64, as Matrix writes it; text_add_base64url uses the URL-safe alphabet (event ids from room version 4),
 * text_add_base64_padded the form of mail (RFC 2045). json_base64: as text_add_base64, a new reference. */
void text_add_base64(struct text *out, const unsigned char *bytes, size_t len);
void text_add_base64url(struct text *out, const unsigned char *bytes, size_t len);
void text_add_base64_padded(struct text *out, const unsigned char *bytes, size_t len);
json_t *json_base64(const unsigned char *bytes, size_t len);

/* Decodes base64 with or without padding, in the standard or the URL-safe alphabet; bits left over at the end are
 * ignored, as the specification's own test vectors need. Returns the bytes written, −1 if ill-formed or longer than
 * cap. */
int base64_decode(const char *s, size_t len, unsigned char *out, size_t cap);

/* An ed25519 key that signs for this server, e.g. "ed25519:a1". */
struct signing_key {
    char id[32]; /* "ed25519:" and a version of [a-zA-Z0-9_] */
    unsigned char public[32];
    unsigned char secret[64]; /* libsodium's form: seed and public key */
};
/* version: at most 23 characters of [a-zA-Z0-9_], not checked; it is copied. The same seed gives the same key. */
void signing_key_from_seed(struct signing_key *key, const char *version, const unsigned char seed[SEED_BYTES]);
/* Ed25519 over the bytes as they are: of JSON, canonical and without "signatures" and "unsigned" (Appendices, "Signing
 * JSON"). */
void signing_key_sign(const struct signing_key *key, const void *bytes, size_t len, unsigned char out[SIGNATURE_BYTES]);
/* public: the raw key. false: the signature is not of these bytes by it; nothing tells why. */
bool signature_verify(const unsigned char public[32], const void *bytes, size_t len,
                      const unsigned char sig[SIGNATURE_BYTES]);

/* Keys of the server's own, one a purpose: what is sealed or signed for one opens for no other, and no key tells of
 * another or of the signing key (BLAKE2b of the purpose's text, keyed with the seed). They change with the signing key
 * and with nothing else, so a purpose's text (crypto.c) stays as it is. */
#define SERVER_KEY_BYTES 32
enum server_key {
    KEY_FORM_TOKENS,
    KEY_FORM_SUBJECTS, /* whom a form is shown to */
    KEY_FORM_DRAFTS,
    KEY_KNOWN_BROWSERS,
    KEY_SECOND_FACTORS,
    KEY_OIDC_ATTEMPTS,
    SERVER_KEYS
};

/* Whoever asks clears it after use (sodium_memzero). */
void server_key(const struct signing_key *key, enum server_key purpose, unsigned char out[SERVER_KEY_BYTES]);

/* Keyed BLAKE2b of the bytes under that key: 16 to 64 bytes of mac. */
void server_mac(const struct signing_key *key, enum server_key purpose, const void *bytes, size_t len,
                unsigned char *mac, size_t mac_len);

#endif
