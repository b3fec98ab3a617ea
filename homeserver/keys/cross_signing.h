/* Cross-signing (Client-Server API, "Cross-signing"): publishing the three keys of a person, and signatures of keys. A
 * key or signature is kept only when the signature is good; whose signatures others see, store/matrix/cross_signing.h
 * says. */
#ifndef PARTA_KEYS_CROSS_SIGNING_H
#define PARTA_KEYS_CROSS_SIGNING_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/keys/keys.h"

struct db;

#define SIGNED_OBJECTS_MAX 1000 /* in one upload of signatures */

/* Whether the keys in the body take the place of others, or come beside them: then the person proves who they are. */
bool cross_signing_needs_proof(struct db *db, user_no user, const json_t *body);

/* POST /keys/device_signing/upload; proven: the person has. false: *e: ERROR_INVALID_SIGNATURE, _MISSING_PARAM (no
 * master key), _FORBIDDEN (a key is called as a device), … Blocks. */
bool cross_signing_upload(const struct keys_caller *caller, const json_t *body, bool proven, struct error *e);

/* POST /keys/signatures/upload; what is not kept comes into failures. false: *e. Blocks. */
bool cross_signing_sign(const struct keys_caller *caller, const json_t *body, json_t *failures, struct error *e);

#endif
