/* Publishing a device's keys, and asking for other people's (Client-Server API, "Uploading keys", "Tracking the device
 * list for a user").
 *
 * An upload is read and its signatures are checked before the job (an upload has dozens); inside it is asked again that
 * the key they were checked with is still the device's. */
#ifndef PARTA_KEYS_DEVICE_KEYS_H
#define PARTA_KEYS_DEVICE_KEYS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/text.h"
#include "homeserver/keys/keys.h"

struct db;
struct tx;

#define ONE_TIME_KEY_BYTES_MAX 1024
#define ONE_TIME_KEY_ID_BYTES_MAX 100

/* What a device publishes, each part checked: read with keys_offer_read, the caller's to finish in either case. */
struct keys_offer {
    struct text keys; /* its device keys as signed; empty: none were given */
    char *ed25519, *signature;
    char *self_signing_key, *self_signature; /* by the owner, of those keys, not checked yet; NULL: none */
    struct offered_key {
        char *key_id, *key;
    } * one_time;
    size_t n_one_time;
    struct offered_key fallback;
};
void keys_offer_finish(struct keys_offer *offer); /* frees its strings and empties it */

/* Reads device_keys, one_time_keys and fallback_keys of the body, as of this person's device; db: for the signing key
 * of a device that gives none now. false: *e: ERROR_BAD_JSON, _INVALID_PARAM,
 * _INVALID_SIGNATURE, _TOO_LARGE, _BOUND. */
bool keys_offer_read(struct keys_offer *out, struct db *db, const json_t *body, user_no user, const char *user_id,
                     const char *device_id, struct error *e);

/* Inside a job: keeps what was read. false: *e. */
bool keys_offer_keep(struct tx *tx, user_no user, device_no device, const char *device_id,
                     const struct keys_offer *offer, struct error *e);

/* POST /keys/upload in one. *left: what there is now (store/matrix/one_time_keys.h). Blocks. */
bool keys_upload(const struct keys_caller *caller, struct db *db, const json_t *body, int64_t *left, struct error *e);

/* The answer to POST /keys/query, whole; devices: a map from user id to a list of device ids, empty for all. Who may
 * not be known is not in it. false: *e. Blocks (reads). */
bool keys_query(const struct keys_caller *caller, struct db *db, const json_t *devices, struct text *out,
                struct error *e);

#endif
