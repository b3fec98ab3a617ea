#include "homeserver/store/matrix/key_backup.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

#define BACKUP "SELECT version, algorithm, auth_data, etag, keys, bytes, deleted FROM key_backups WHERE user_no = $1 "
#define KEY                                                                                                            \
    "SELECT room_id, session_id, first_message_index, forwarded_count, is_verified, session_data FROM backup_keys"     \
    " WHERE user_no = $1 AND version = $2"
#define SIZE "octet_length(session_data) + octet_length(room_id) + octet_length(session_id)"
#define TAKEN "SELECT count(*), COALESCE(SUM(" SIZE "), 0) FROM backup_keys WHERE user_no = $1 AND version = $2"
#define TAKE "DELETE FROM backup_keys WHERE user_no = $1 AND version = $2"
#define OF_ROOM " AND room_id = $3"
#define OF_SESSION " AND room_id = $3 AND session_id = $4"
#define ORDERED " ORDER BY room_id, session_id"

enum {
    NEWEST,
    ONE,
    LAST,
    MAKE,
    AUTH,
    DELETE,
    PRUNE,
    KEYS,
    KEYS_ROOM,
    KEYS_SESSION,
    PUT,
    COUNT,
    TAKEN_ALL,
    TAKEN_ROOM,
    TAKEN_SESSION,
    TAKE_ALL,
    TAKE_ROOM,
    TAKE_SESSION,
    TOUCH,
    FORGET_KEYS,
    FORGET,
    N
};
static const struct statement TEXTS[N] = {
    [NEWEST] = BACKUP "AND deleted = 0 ORDER BY version DESC LIMIT 1",
    [ONE] = BACKUP "AND version = $2",
    [LAST] = "SELECT max(version) FROM key_backups WHERE user_no = $1",
    [MAKE] = "INSERT INTO key_backups (user_no, version, algorithm, auth_data, etag, keys, bytes, deleted)"
             " VALUES ($1, $2, $3, $4, 0, 0, 0, 0)",
    [AUTH] = "UPDATE key_backups SET auth_data = $3 WHERE user_no = $1 AND version = $2",
    [DELETE] = "UPDATE key_backups SET deleted = 1, auth_data = '{}', keys = 0, bytes = 0 WHERE user_no = $1"
               " AND version = $2",
    [PRUNE] = "DELETE FROM key_backups WHERE user_no = $1 AND deleted = 1 AND version <= (SELECT version FROM"
              " key_backups WHERE user_no = $1 AND deleted = 1 ORDER BY version DESC LIMIT 1 OFFSET $2)",
    [KEYS] = KEY ORDERED,
    [KEYS_ROOM] = KEY OF_ROOM ORDERED,
    [KEYS_SESSION] = KEY OF_SESSION ORDERED,
    [PUT] = "INSERT INTO backup_keys (user_no, version, room_id, session_id, first_message_index, forwarded_count,"
            " is_verified, session_data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (user_no, version,"
            " room_id, session_id) DO UPDATE SET first_message_index = excluded.first_message_index, forwarded_count ="
            " excluded.forwarded_count, is_verified = excluded.is_verified, session_data = excluded.session_data",
    [COUNT] = "UPDATE key_backups SET keys = keys + $3, bytes = bytes + $4 WHERE user_no = $1 AND version = $2",
    [TAKEN_ALL] = TAKEN,
    [TAKEN_ROOM] = TAKEN OF_ROOM,
    [TAKEN_SESSION] = TAKEN OF_SESSION,
    [TAKE_ALL] = TAKE,
    [TAKE_ROOM] = TAKE OF_ROOM,
    [TAKE_SESSION] = TAKE OF_SESSION,
    [TOUCH] = "UPDATE key_backups SET etag = etag + 1 WHERE user_no = $1 AND version = $2",
    [FORGET_KEYS] = "DELETE FROM backup_keys WHERE user_no = $1",
    [FORGET] = "DELETE FROM key_backups WHERE user_no = $1",
};
STATEMENTS(KEY_BACKUP, "key_backup", TEXTS);

void key_backup_finish(struct key_backup *backup)
{
    free(backup->algorithm);
    free(backup->auth_data);
    *backup = (struct key_backup){0};
}

bool key_backups_get(struct db *db, user_no user, int64_t version, struct key_backup *out)
{
    struct stmt *q = version == 0 ? db_query(db, &KEY_BACKUP, NEWEST, "i", user)
                                  : db_query(db, &KEY_BACKUP, ONE, "ii", user, version);
    bool found = stmt_next(q);
    *out = (struct key_backup){0};
    if (found)
        *out = (struct key_backup){
            .version = col_int(q, 0),
            .algorithm = xstrdup(col_text(q, 1)),
            .auth_data = xstrdup(col_text(q, 2)),
            .etag = col_int(q, 3),
            .keys = col_int(q, 4),
            .bytes = col_int(q, 5),
            .deleted = col_int(q, 6) != 0,
        };
    stmt_end(q);
    return found;
}

int64_t key_backups_make(struct tx *tx, user_no user, const char *algorithm, const char *auth_data)
{
    int64_t version = db_int(tx->db, &KEY_BACKUP, LAST, 0, "i", user) + 1;
    return db_run(tx->db, &KEY_BACKUP, MAKE, "iitt", user, version, algorithm, auth_data) ? version : 0;
}

bool key_backups_set_auth_data(struct tx *tx, user_no user, int64_t version, const char *auth_data)
{
    return db_run(tx->db, &KEY_BACKUP, AUTH, "iit", user, version, auth_data);
}

bool key_backups_delete(struct tx *tx, user_no user, int64_t version)
{
    return db_run(tx->db, &KEY_BACKUP, TAKE_ALL, "ii", user, version) &&
           db_run(tx->db, &KEY_BACKUP, DELETE, "ii", user, version) &&
           db_run(tx->db, &KEY_BACKUP, PRUNE, "ii", user, (int64_t)KEY_BACKUPS_DELETED_MAX);
}

/* One of three statements: of all, of a room, of a session. */
static struct stmt *query(struct db *db, int all, user_no user, int64_t version, const char *room_id,
                          const char *session_id)
{
    if (room_id == NULL)
        return db_query(db, &KEY_BACKUP, all, "ii", user, version);
    if (session_id == NULL)
        return db_query(db, &KEY_BACKUP, all + 1, "iit", user, version, room_id);
    return db_query(db, &KEY_BACKUP, all + 2, "iitt", user, version, room_id, session_id);
}

void backup_keys_each(struct db *db, user_no user, int64_t version, const char *room_id, const char *session_id,
                      void (*fn)(void *arg, const struct backup_key *key), void *arg)
{
    struct stmt *q = query(db, KEYS, user, version, room_id, session_id);
    while (stmt_next(q))
        fn(arg, &(struct backup_key){
                    .room_id = col_text(q, 0),
                    .session_id = col_text(q, 1),
                    .first_message_index = col_int(q, 2),
                    .forwarded_count = col_int(q, 3),
                    .is_verified = col_int(q, 4) != 0,
                    .session_data = col_text(q, 5),
                });
    stmt_end(q);
}

static bool is_better(const struct backup_key *a, const struct backup_key *b)
{
    if (a->is_verified != b->is_verified)
        return a->is_verified;
    if (a->first_message_index != b->first_message_index)
        return a->first_message_index < b->first_message_index;
    return a->forwarded_count < b->forwarded_count;
}

struct compared {
    const struct backup_key *key;
    bool there, better;
    size_t bytes;
};

static void compare(void *arg, const struct backup_key *there)
{
    struct compared *c = arg;
    c->there = true;
    c->better = is_better(c->key, there);
    c->bytes = strlen(there->session_data);
}

bool backup_keys_put(struct tx *tx, user_no user, int64_t version, const struct backup_key *key, bool *changed)
{
    struct compared c = {.key = key};
    backup_keys_each(tx->db, user, version, key->room_id, key->session_id, compare, &c);
    if (c.there && !c.better)
        return true;
    size_t names = strlen(key->room_id) + strlen(key->session_id), data = strlen(key->session_data);
    int64_t more = c.there ? (int64_t)data - (int64_t)c.bytes : (int64_t)(data + names);
    *changed = true;
    return db_run(tx->db, &KEY_BACKUP, PUT, "iittiiit", user, version, key->room_id, key->session_id,
                  key->first_message_index, key->forwarded_count, (int64_t)key->is_verified, key->session_data) &&
           db_run(tx->db, &KEY_BACKUP, COUNT, "iiii", user, version, (int64_t)!c.there, more);
}

bool key_backups_touch(struct tx *tx, user_no user, int64_t version)
{
    return db_run(tx->db, &KEY_BACKUP, TOUCH, "ii", user, version);
}

bool backup_keys_delete(struct tx *tx, user_no user, int64_t version, const char *room_id, const char *session_id)
{
    int64_t keys = 0, bytes = 0;
    struct stmt *q = query(tx->db, TAKEN_ALL, user, version, room_id, session_id);
    if (stmt_next(q)) {
        keys = col_int(q, 0);
        bytes = col_int(q, 1);
    }
    stmt_end(q);
    if (keys == 0)
        return !db_failed(tx->db);
    q = query(tx->db, TAKE_ALL, user, version, room_id, session_id);
    stmt_next(q);
    stmt_end(q);
    return db_run(tx->db, &KEY_BACKUP, COUNT, "iiii", user, version, -keys, -bytes) &&
           key_backups_touch(tx, user, version);
}

bool key_backups_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &KEY_BACKUP, FORGET_KEYS, "i", user) && db_run(tx->db, &KEY_BACKUP, FORGET, "i", user);
}
