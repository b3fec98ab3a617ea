#include "homeserver/keys/backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/json.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/key_backup.h"

#define ALGORITHM_BYTES_MAX 100

/* --- Versions --- */

/* 0: it is no version of ours. */
static int64_t number_of(const char *version)
{
    size_t len = strlen(version);
    return len != 0 && len <= 15 && strspn(version, "0123456789") == len ? strtoll(version, NULL, 10) : 0;
}

bool backup_find(struct db *db, user_no user, const char *version, int64_t *out, struct error *e)
{
    struct key_backup backup = {0};
    bool newest = version == NULL || *version == '\0';
    *out = newest ? 0 : number_of(version);
    bool found = (newest || *out != 0) && key_backups_get(db, user, *out, &backup) && !backup.deleted;
    *out = backup.version;
    key_backup_finish(&backup);
    return found || error_set(e, ERROR_NOT_FOUND, "There is no such backup.");
}

struct versioning {
    const struct keys_caller *caller;
    const char *version; /* as the client says it */
    const char *algorithm;
    char *auth_data; /* JSON text */
    int64_t made;
};

static bool job_make(struct tx *tx, void *arg, struct error *e)
{
    struct versioning *v = arg;
    v->made = key_backups_make(tx, v->caller->user, v->algorithm, v->auth_data);
    return v->made != 0 && bound_kept(tx->db, BOUND_KEY_BACKUPS, v->caller->user, 0, e);
}

static bool job_set(struct tx *tx, void *arg, struct error *e)
{
    const struct versioning *v = arg;
    struct key_backup backup;
    int64_t version;
    if (!backup_find(tx->db, v->caller->user, v->version, &version, e))
        return false;
    key_backups_get(tx->db, v->caller->user, version, &backup);
    bool same = backup.algorithm != NULL && strcmp(backup.algorithm, v->algorithm) == 0;
    key_backup_finish(&backup);
    return same ? key_backups_set_auth_data(tx, v->caller->user, version, v->auth_data)
                : error_set(e, ERROR_INVALID_PARAM, "The algorithm of a backup stays what it is.");
}

static bool job_delete(struct tx *tx, void *arg, struct error *e)
{
    const struct versioning *v = arg;
    struct key_backup backup = {0};
    int64_t version = number_of(v->version);
    bool found = version != 0 && key_backups_get(tx->db, v->caller->user, version, &backup);
    bool gone = backup.deleted;
    key_backup_finish(&backup);
    if (!found)
        return error_set(e, ERROR_NOT_FOUND, "There is no such backup.");
    return gone || key_backups_delete(tx, v->caller->user, version);
}

/* algorithm and auth_data of the body; the caller frees out->auth_data in either case. */
static bool read_backup(struct versioning *out, const json_t *body, struct error *e)
{
    const json_t *auth_data = json_get_object(body, "auth_data");
    out->algorithm = json_get_string(body, "algorithm");
    if (out->algorithm == NULL || auth_data == NULL)
        return error_set(e,
                         json_object_get(body, "algorithm") == NULL || json_object_get(body, "auth_data") == NULL
                             ? ERROR_MISSING_PARAM
                             : ERROR_BAD_JSON,
                         "A backup has an algorithm and auth_data.");
    if (!id_is_token(out->algorithm, strlen(out->algorithm), ALGORITHM_BYTES_MAX))
        return error_set(e, ERROR_INVALID_PARAM, "This is no algorithm.");
    out->auth_data = json_canonical(auth_data);
    return strlen(out->auth_data) <= BACKUP_AUTH_BYTES_MAX ||
           error_set(e, ERROR_TOO_LARGE, "auth_data is at most 16 KiB.");
}

bool backup_make(const struct keys_caller *caller, const json_t *body, int64_t *version, struct error *e)
{
    struct versioning v = {.caller = caller};
    bool done = read_backup(&v, body, e) && writer_run(caller->writer, job_make, &v, e);
    free(v.auth_data);
    *version = v.made;
    return done;
}

bool backup_set(const struct keys_caller *caller, const char *version, const json_t *body, struct error *e)
{
    struct versioning v = {.caller = caller, .version = version};
    const json_t *said = json_object_get(body, "version");
    bool done = said == NULL || json_is_null(said) ||
                (json_is_string(said) && strcmp(json_string_value(said), version) == 0) ||
                error_set(e, ERROR_INVALID_PARAM, "The version in the body is not that of the path.");
    done = done && read_backup(&v, body, e) && writer_run(caller->writer, job_set, &v, e);
    free(v.auth_data);
    return done;
}

bool backup_delete(const struct keys_caller *caller, const char *version, struct error *e)
{
    struct versioning v = {.caller = caller, .version = version};
    return writer_run(caller->writer, job_delete, &v, e);
}

/* --- Keys --- */

struct keeping {
    const struct keys_caller *caller;
    const char *version;
    struct backup_key *keys;
    size_t n, cap;
    const char *room_id, *session_id; /* to delete */
    struct backup_state *out;
};

static bool read_key(struct keeping *k, const char *room_id, const char *session_id, const json_t *object,
                     struct error *e)
{
    const json_t *index = json_object_get(object, "first_message_index");
    const json_t *count = json_object_get(object, "forwarded_count");
    const json_t *verified = json_object_get(object, "is_verified"), *data = json_get_object(object, "session_data");
    if (!json_is_integer(index) || !json_is_integer(count) || !json_is_boolean(verified) || data == NULL ||
        json_integer_value(index) < 0 || json_integer_value(index) > JSON_INT_MAX || json_integer_value(count) < 0 ||
        json_integer_value(count) > JSON_INT_MAX)
        return error_set(e, ERROR_BAD_JSON,
                         "A key has first_message_index, forwarded_count, is_verified and session_data.");
    if (*session_id == '\0' || strlen(session_id) > ID_BYTES_MAX)
        return error_set(e, ERROR_INVALID_PARAM, "A session's id is at most 255 bytes.");
    if (k->n == BACKUP_KEYS_AT_ONCE)
        return error_set(e, ERROR_TOO_LARGE, "These are too many keys at once.");
    if (k->n == k->cap)
        k->keys = xrealloc(k->keys, (k->cap = k->cap * 2 + 16) * sizeof *k->keys);
    char *text = json_canonical(data);
    k->keys[k->n++] = (struct backup_key){
        .room_id = room_id,
        .session_id = session_id,
        .first_message_index = json_integer_value(index),
        .forwarded_count = json_integer_value(count),
        .is_verified = json_is_true(verified),
        .session_data = text,
    };
    return strlen(text) <= BACKUP_SESSION_BYTES_MAX || error_set(e, ERROR_TOO_LARGE, "A key is at most 8 KiB.");
}

static bool read_rooms(struct keeping *k, const json_t *rooms, struct error *e)
{
    const char *room_id, *session_id;
    json_t *room, *key;
    json_object_foreach((json_t *)rooms, room_id, room) {
        json_t *sessions = json_get_object(room, "sessions");
        if (!room_id_valid(room_id))
            return error_set(e, ERROR_INVALID_PARAM, "This is not the id of a room.");
        if (sessions == NULL)
            return error_set(e, ERROR_BAD_JSON, "A room has sessions.");
        json_object_foreach(sessions, session_id, key)
            if (!read_key(k, room_id, session_id, key, e))
                return false;
    }
    return true;
}

static bool tell(const struct keeping *k, struct db *db, int64_t version)
{
    struct key_backup backup;
    bool found = key_backups_get(db, k->caller->user, version, &backup);
    *k->out = (struct backup_state){backup.etag, backup.keys};
    key_backup_finish(&backup);
    return found;
}

static bool job_put(struct tx *tx, void *arg, struct error *e)
{
    struct keeping *k = arg;
    user_no user = k->caller->user;
    int64_t current;
    char told[24];
    bool changed = false;
    if (!backup_find(tx->db, user, NULL, &current, e))
        return false;
    snprintf(told, sizeof told, "%lld", (long long)current);
    if (k->version == NULL || number_of(k->version) != current)
        return error_set_field(e, ERROR_WRONG_ROOM_KEYS_VERSION, NULL, "current_version", told);
    for (size_t i = 0; i < k->n; ++i)
        if (!backup_keys_put(tx, user, current, &k->keys[i], &changed))
            return false;
    return (!changed || key_backups_touch(tx, user, current)) && bound_kept(tx->db, BOUND_BACKUP_KEYS, user, 0, e) &&
           bound_kept(tx->db, BOUND_BACKUP_KEYS_SIZE, user, 0, e) && tell(k, tx->db, current);
}

static bool job_delete_keys(struct tx *tx, void *arg, struct error *e)
{
    struct keeping *k = arg;
    int64_t version;
    return backup_find(tx->db, k->caller->user, k->version, &version, e) &&
           backup_keys_delete(tx, k->caller->user, version, k->room_id, k->session_id) && tell(k, tx->db, version);
}

bool backup_put_keys(const struct keys_caller *caller, const char *version, const json_t *rooms,
                     struct backup_state *out, struct error *e)
{
    struct keeping k = {.caller = caller, .version = version, .out = out};
    bool done = read_rooms(&k, rooms, e) && writer_run(caller->writer, job_put, &k, e);
    for (size_t i = 0; i < k.n; ++i)
        free((char *)k.keys[i].session_data);
    free(k.keys);
    return done;
}

bool backup_delete_keys(const struct keys_caller *caller, const char *version, const char *room_id,
                        const char *session_id, struct backup_state *out, struct error *e)
{
    struct keeping k = {.caller = caller, .version = version, .room_id = room_id, .session_id = session_id, .out = out};
    return writer_run(caller->writer, job_delete_keys, &k, e);
}

/* --- Reading --- */

struct writing {
    struct text *out;
    bool one;   /* the key alone */
    bool rooms; /* rooms around the sessions */
    char *room; /* whose sessions are open; heap; NULL: nobody's */
    size_t n;
};

static void open_session(struct writing *w, const struct backup_key *key)
{
    bool begins = w->rooms && (w->room == NULL || strcmp(w->room, key->room_id) != 0);
    if (begins) {
        text_adds(w->out, w->room != NULL ? "}}," : "");
        text_add_json(w->out, key->room_id);
        text_adds(w->out, ":{\"sessions\":{");
        free(w->room);
        w->room = xstrdup(key->room_id);
    } else if (w->n != 0) {
        text_addc(w->out, ',');
    }
    text_add_json(w->out, key->session_id);
    text_addc(w->out, ':');
}

static void add_key(void *arg, const struct backup_key *key)
{
    struct writing *w = arg;
    if (!w->one)
        open_session(w, key);
    text_addf(w->out, "{\"first_message_index\":%lld,\"forwarded_count\":%lld,\"is_verified\":%s,\"session_data\":",
              (long long)key->first_message_index, (long long)key->forwarded_count,
              key->is_verified ? "true" : "false");
    text_adds(w->out, key->session_data);
    text_addc(w->out, '}');
    ++w->n;
}

bool backup_add_keys(struct db *db, user_no user, const char *version, const char *room_id, const char *session_id,
                     struct text *out, struct error *e)
{
    struct writing w = {.out = out, .one = session_id != NULL, .rooms = room_id == NULL};
    int64_t number;
    db_begin_read(db);
    bool found = backup_find(db, user, version, &number, e);
    if (found && !w.one)
        text_adds(out, w.rooms ? "{\"rooms\":{" : "{\"sessions\":{");
    if (found)
        backup_keys_each(db, user, number, room_id, session_id, add_key, &w);
    db_end_read(db);
    if (found && !w.one)
        text_adds(out, w.room != NULL ? "}}}}" : "}}");
    free(w.room);
    if (found && w.one && w.n == 0)
        return error_set(e, ERROR_NOT_FOUND, "There is no such key.");
    return found;
}
