#include "homeserver/store/matrix/users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

#define ROW "SELECT user_no, localpart, password_hash, state, kind, admin, created_ms, session_epoch FROM users "

enum {
    BY_NO,
    BY_LOCALPART,
    ALL,
    NUMBER,
    LOCALPART,
    HOW_MANY,
    MEMBER,
    INSERT,
    LANGUAGE,
    SET_PASSWORD,
    SET_STATE,
    SET_ADMIN,
    SET_LANGUAGE,
    NEXT_EPOCH,
    N
};
static const struct statement TEXTS[N] = {
    [BY_NO] = ROW "WHERE user_no = $1",
    [BY_LOCALPART] = ROW "WHERE localpart = $1",
    [ALL] = ROW "ORDER BY localpart",
    [NUMBER] = "SELECT user_no FROM users WHERE localpart = $1",
    [LOCALPART] = "SELECT localpart FROM users WHERE user_no = $1",
    [HOW_MANY] = "SELECT count(*) FROM users",
    [MEMBER] =
        "SELECT state_key FROM room_state WHERE type = 'm.room.member' ORDER BY room_no, type, state_key LIMIT 1",
    [INSERT] = {"INSERT INTO users (localpart, password_hash, state, kind, admin, created_ms)"
                " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING user_no",
                EPOCH_PEOPLE, GUARDED},
    [LANGUAGE] = "SELECT language FROM users WHERE user_no = $1",
    [SET_PASSWORD] = {"UPDATE users SET password_hash = $2 WHERE user_no = $1", 0, GUARDED},
    [SET_STATE] = {"UPDATE users SET state = $2 WHERE user_no = $1", EPOCH_PEOPLE, GUARDED},
    [SET_ADMIN] = {"UPDATE users SET admin = $2 WHERE user_no = $1", 0, GUARDED},
    [NEXT_EPOCH] = "UPDATE users SET session_epoch = session_epoch + 1 WHERE user_no = $1",
    [SET_LANGUAGE] = "UPDATE users SET language = $2 WHERE user_no = $1",
};
STATEMENTS(USERS, "users", TEXTS);

bool users_next(struct stmt *q, struct user_row *row)
{
    if (!stmt_next(q))
        return false;
    const char *password_hash = col_text(q, 2);
    *row = (struct user_row){
        .no = col_int(q, 0),
        .localpart = xstrdup(col_text(q, 1)),
        .password_hash = password_hash != NULL ? xstrdup(password_hash) : NULL,
        .state = account_state_stored(col_text(q, 3)),
        .service = strcmp(col_text(q, 4), "service") == 0,
        .admin = col_int(q, 5) != 0,
        .created_ms = col_int(q, 6),
        .session_epoch = col_int(q, 7),
    };
    return true;
}

void user_row_finish(struct user_row *row)
{
    free(row->localpart);
    free(row->password_hash);
    *row = (struct user_row){.state = ACCOUNT_LEFT};
}

static bool one(struct stmt *q, struct user_row *row)
{
    *row = (struct user_row){.state = ACCOUNT_LEFT};
    bool found = users_next(q, row);
    stmt_end(q);
    return found;
}

bool users_get(struct db *db, user_no no, struct user_row *row)
{
    return one(db_query(db, &USERS, BY_NO, "i", no), row);
}

bool users_find(struct db *db, const char *localpart, struct user_row *row)
{
    return one(db_query(db, &USERS, BY_LOCALPART, "t", localpart), row);
}

struct stmt *users_all(struct db *db)
{
    return db_query(db, &USERS, ALL, "");
}

user_no users_no(struct db *db, const char *localpart)
{
    return db_int(db, &USERS, NUMBER, 0, "t", localpart);
}

user_no users_by_id(struct db *db, const char *server, const char *user_id)
{
    const char *localpart;
    char name[ID_BYTES_MAX + 1];
    size_t len;
    if (!user_id_split(user_id, server, &localpart, &len))
        return 0;
    snprintf(name, sizeof name, "%.*s", (int)len, localpart);
    return users_no(db, name);
}

char *users_id(struct db *db, const char *server, user_no no)
{
    struct text id = TEXT_INIT;
    char *localpart = db_text(db, &USERS, LOCALPART, "i", no);
    if (localpart == NULL)
        return NULL;
    text_addf(&id, "@%s:%s", localpart, server);
    free(localpart);
    return text_take(&id);
}

int64_t users_count(struct db *db)
{
    return db_int(db, &USERS, HOW_MANY, 0, "");
}

char *users_language(struct db *db, user_no no)
{
    return db_text(db, &USERS, LANGUAGE, "i", no);
}

bool users_set_language(struct tx *tx, user_no no, const char *language)
{
    return db_run(tx->db, &USERS, SET_LANGUAGE, "it", no, language);
}

static user_no insert(struct tx *tx, const char *localpart, const char *hash, enum account_state state,
                      const char *kind, bool admin)
{
    return db_insert(tx->db, &USERS, INSERT, "ttttii", localpart, hash, account_state_name(state), kind, (int64_t)admin,
                     tx->now_ms);
}

bool users_are_of(struct db *db, const char *server)
{
    char *member = db_text(db, &USERS, MEMBER, "");
    const char *colon = member != NULL ? strchr(member, ':') : NULL;
    bool fits = colon == NULL || strcmp(colon + 1, server) == 0;
    if (!fits)
        log_error("store",
                  "server_name is %s, but the people and rooms of this database are of %s: it is part of every id and"
                  " cannot change. Put server_name: %s back; for another name begin with another data_dir",
                  server, colon + 1, colon + 1);
    free(member);
    return fits && !db_failed(db);
}

static bool job_are_of(struct tx *tx, void *server, struct error *e)
{
    return users_are_of(tx->db, server) || error_set(e, ERROR_UNKNOWN, NULL);
}

bool users_check_server(struct writer *writer, const char *server)
{
    struct error e;
    return writer_run(writer, job_are_of, (void *)server, &e);
}

user_no users_insert(struct tx *tx, const char *localpart, const char *password_hash, enum account_state state,
                     bool admin)
{
    return insert(tx, localpart, password_hash, state, "person", admin);
}

user_no users_insert_service(struct tx *tx, const char *localpart)
{
    return insert(tx, localpart, NULL, ACCOUNT_ACTIVE, "service", false);
}

bool users_set_password(struct tx *tx, user_no no, const char *password_hash)
{
    return db_run(tx->db, &USERS, SET_PASSWORD, "it", no, password_hash);
}

/* Sessions in memory know both. */
static void account_changed(struct tx *tx, user_no no)
{
    tx_change(tx, (struct change){.kind = CHANGE_SESSION, .user = no});
}

bool users_set_state(struct tx *tx, user_no no, enum account_state state)
{
    account_changed(tx, no);
    return db_rows(tx->db, &USERS, SET_STATE, "it", no, account_state_name(state)) == 1;
}

bool users_set_admin(struct tx *tx, user_no no, bool admin)
{
    account_changed(tx, no);
    return db_run(tx->db, &USERS, SET_ADMIN, "ii", no, (int64_t)admin);
}

bool users_end_epoch(struct tx *tx, user_no no)
{
    return db_run(tx->db, &USERS, NEXT_EPOCH, "i", no);
}
