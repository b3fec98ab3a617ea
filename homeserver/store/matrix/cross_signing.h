/* Cross-signing keys and the signatures of master keys (Client-Server API, "Cross-signing"). As in device_keys.h what
 * is signed lies as the bytes that were signed; a device's one signature by its owner lies with the device.
 *
 * Of a master key there are two kinds of signatures: by the owner's own devices, which everybody sees, and by other
 * people's user-signing keys, which only the signer sees. */
#ifndef PARTA_STORE_MATRIX_CROSS_SIGNING_H
#define PARTA_STORE_MATRIX_CROSS_SIGNING_H

#include <stdbool.h>

#include "homeserver/base/ids.h"

struct db;
struct tx;

enum key_usage { USAGE_MASTER, USAGE_SELF_SIGNING, USAGE_USER_SIGNING, USAGE__COUNT };
const char *key_usage_name(enum key_usage usage); /* "master" … */

/* As an output it is the caller's: cross_signing_key_finish. */
struct cross_signing_key {
    char *key;         /* base64; NULL: there is none */
    char *signed_json; /* canonical JSON without signatures */
    char *signature;   /* the master key's; NULL of the master key itself */
};
void cross_signing_key_finish(struct cross_signing_key *key);

/* false: the user has none. */
bool cross_signing_get(struct db *db, user_no user, enum key_usage usage, struct cross_signing_key *out);
/* Whether one of the user's keys, as base64, is this string, which then cannot name a device. */
bool cross_signing_is_key(struct db *db, user_no user, const char *name);

/* Inside a job. A new master key voids the signatures of the one before; a new user-signing key those that it made. The
 * caller moves the list (device_keys.h). */
bool cross_signing_put(struct tx *tx, user_no user, enum key_usage usage, const struct cross_signing_key *key);

/* Signatures of the user's master key that viewer may see: by the user's devices, and the viewer's own. */
void key_signatures_each(struct db *db, user_no user, user_no viewer,
                         void (*fn)(void *arg, user_no signer, const char *signer_key, const char *signature),
                         void *arg);
/* Inside a job. true also if it is there. One's own device's: those of devices that are no more go.
 * *fresh: it was not there. */
bool key_signatures_put(struct tx *tx, user_no user, user_no signer, const char *signer_key, const char *signature,
                        bool *fresh);

bool cross_signing_forget(struct tx *tx, user_no user); /* erasure: keys, and signatures of and by them */

#endif
