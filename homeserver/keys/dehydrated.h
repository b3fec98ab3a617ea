/* Dehydrated devices (MSC3814, as of 2026-07): one of a person, which takes messages while no other device is there. */
#ifndef PARTA_KEYS_DEHYDRATED_H
#define PARTA_KEYS_DEHYDRATED_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/keys/keys.h"

struct db;

#define DEHYDRATED_DATA_BYTES_MAX 65536

/* Puts the device of this body in place of the one before. It is named by its identity key, signed by its owner, and
 * has a fallback key. false: *e. Blocks. */
bool dehydrated_put(const struct keys_caller *caller, struct db *db, const json_t *body, struct error *e);

/* Ends it; *device_id: heap, the caller's. false: *e is ERROR_NOT_FOUND. Blocks. */
bool dehydrated_delete(const struct keys_caller *caller, char **device_id, struct error *e);

#endif
