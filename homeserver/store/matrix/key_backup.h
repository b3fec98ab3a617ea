/* Server-side key backups (Client-Server API, "Server-side key backups"): what a person's clients keep here of the keys
 * of rooms, encrypted. Versions rise and are never given again; a deleted one is remembered as deleted. Each backup
 * counts its keys and their bytes itself, and its etag rises with every change. */
#ifndef PARTA_STORE_MATRIX_KEY_BACKUP_H
#define PARTA_STORE_MATRIX_KEY_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

struct db;
struct tx;

#define KEY_BACKUPS_DELETED_MAX 100 /* remembered of a person */

/* Strings are the caller's: key_backup_finish. */
struct key_backup {
    int64_t version; /* 0: there is none */
    char *algorithm, *auth_data;
    int64_t etag, keys, bytes;
    bool deleted;
};
void key_backup_finish(struct key_backup *backup);

/* version 0: the newest that is not deleted. false: there is none. */
bool key_backups_get(struct db *db, user_no user, int64_t version, struct key_backup *out);

/* Inside a job. key_backups_make: the new version; 0: the database failed. */
int64_t key_backups_make(struct tx *tx, user_no user, const char *algorithm, const char *auth_data);
bool key_backups_set_auth_data(struct tx *tx, user_no user, int64_t version, const char *auth_data);
bool key_backups_delete(struct tx *tx, user_no user, int64_t version); /* and its keys */

struct backup_key {
    const char *room_id, *session_id;
    int64_t first_message_index, forwarded_count;
    bool is_verified;
    const char *session_data; /* JSON text */
};
/* In order of room and session; room_id, session_id NULL: all. Strings are borrowed for the call. */
void backup_keys_each(struct db *db, user_no user, int64_t version, const char *room_id, const char *session_id,
                      void (*fn)(void *arg, const struct backup_key *key), void *arg);

/* Inside a job: keeps the better of the two (is_verified, then the lower first_message_index, then forwarded_count);
 * changes nothing if that is the one that is there. */
bool backup_keys_put(struct tx *tx, user_no user, int64_t version, const struct backup_key *key, bool *changed);
/* Inside a job; NULL as in backup_keys_each. */
bool backup_keys_delete(struct tx *tx, user_no user, int64_t version, const char *room_id, const char *session_id);
/* Inside a job, after puts that changed something: the etag rises. */
bool key_backups_touch(struct tx *tx, user_no user, int64_t version);

bool key_backups_forget(struct tx *tx, user_no user); /* erasure */

#endif
