/* Signed JSON (Matrix, Appendices, "Signing JSON") from clients: the one place where a signature is checked before a
 * key is kept.
 *
 * What is signed is the object's canonical JSON without "signatures" and "unsigned". It is kept as these bytes; nothing
 * that canonical JSON does not know (reals, integers beyond 2^53 − 1) may be in it. */
#ifndef PARTA_KEYS_SIGNATURES_H
#define PARTA_KEYS_SIGNATURES_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/text.h"

#define KEY_BYTES 32
#define KEY_TEXT_BYTES 44         /* of one in base64, with the NUL */
#define KEY_OBJECT_BYTES_MAX 8192 /* of one signed object */
#define KEY_ID_BYTES_MAX 255      /* "ed25519:" and a device id or a key */

/* Unpadded base64 of 32 bytes, and nothing else. out may be NULL. */
bool key_decode(const char *base64, unsigned char out[KEY_BYTES]);

/* Appends the signed bytes of the object. false: *e is ERROR_BAD_JSON or ERROR_TOO_LARGE; what says of what it is. */
bool signed_bytes(struct text *out, const json_t *object, struct error *e);

/* The signature that "signatures" has of this user and key id; NULL: none. Borrowed. */
const char *signature_in(const json_t *object, const char *user_id, const char *key_id);

/* Whether it is the signature of these bytes by the key, all in base64. */
bool signature_good(const char *signature, const char *key, const char *bytes, size_t len);

/* signature_in and signature_good in one: NULL: there is no good one of this id. Borrowed from object. */
const char *signature_by(const json_t *object, const struct text *bytes, const char *user_id, const char *key_id,
                         const char *key);

/* "ed25519:" and the name into out of KEY_ID_BYTES_MAX + 1. false: it is too long. */
bool key_id_make(char *out, const char *algorithm, const char *name);

#endif
