/* Server-side key backups (Client-Server API, "Server-side key backups"), bounded per person (store/bounds.def).
 * Nothing of them is news to anybody: a client compares etags. */
#ifndef PARTA_KEYS_BACKUP_H
#define PARTA_KEYS_BACKUP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/text.h"
#include "homeserver/keys/keys.h"

struct db;

#define BACKUP_AUTH_BYTES_MAX 16384
#define BACKUP_SESSION_BYTES_MAX 8192
#define BACKUP_KEYS_AT_ONCE 20000

/* A version as clients know it; NULL or "": the newest. Whether such a backup is there, not deleted: *out is its
 * number; false: *e is ERROR_NOT_FOUND. Blocks (a read). */
bool backup_find(struct db *db, user_no user, const char *version, int64_t *out, struct error *e);

/* Makes a backup of this body ("algorithm", "auth_data"). Blocks, as all below. */
bool backup_make(const struct keys_caller *caller, const json_t *body, int64_t *version, struct error *e);
/* Puts its auth_data; the algorithm, and the version if the body has one, must be those that there are. */
bool backup_set(const struct keys_caller *caller, const char *version, const json_t *body, struct error *e);
/* true also if it was deleted before. */
bool backup_delete(const struct keys_caller *caller, const char *version, struct error *e);

/* What an act on keys leaves. */
struct backup_state {
    int64_t etag, keys;
};

/* Keeps keys in the current backup, which version must name (else ERROR_WRONG_ROOM_KEYS_VERSION with
 * "current_version"). rooms: a map from room id to {"sessions": {id: key}}. All or none. */
bool backup_put_keys(const struct keys_caller *caller, const char *version, const json_t *rooms,
                     struct backup_state *out, struct error *e);
/* room_id, session_id: NULL: all. */
bool backup_delete_keys(const struct keys_caller *caller, const char *version, const char *room_id,
                        const char *session_id, struct backup_state *out, struct error *e);

/* Appends the keys: of all rooms {"rooms": …}, of one {"sessions": …}, or the one key. false: *e is ERROR_NOT_FOUND: of
 * the backup, or of the one key. */
bool backup_add_keys(struct db *db, user_no user, const char *version, const char *room_id, const char *session_id,
                     struct text *out, struct error *e);

#endif
