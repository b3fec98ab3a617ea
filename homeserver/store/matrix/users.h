/* The people: rows of `users`.
 *
 * A user is a number inside and "@localpart:server" at the edge. The pair never changes and rows are never deleted (a
 * deactivated account keeps its localpart, in state "left"), so that a translation, once read from committed data, is
 * true for ever: store/matrix/user_names.h keeps it in memory and is what hot paths ask. */
#ifndef PARTA_STORE_MATRIX_USERS_H
#define PARTA_STORE_MATRIX_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/account_state.h"
#include "homeserver/base/ids.h"

struct db;
struct writer;
struct stmt;
struct tx;

struct user_row {
    user_no no;
    char *localpart;
    char *password_hash;      /* libsodium's argon2id string; NULL: no sign-in by password */
    enum account_state state; /* of a row that was not found: ACCOUNT_LEFT */
    bool service;             /* the server's or an application service's own user, not a person */
    bool admin;               /* server administrator */
    int64_t created_ms;
    int64_t session_epoch; /* what was handed out to become a session in an earlier one is void */
};

void user_row_finish(struct user_row *row); /* frees what it owns and empties it */

/* Look-ups. true: found, the caller finishes *row. Block (a read); also inside a job. */
bool users_get(struct db *db, user_no no, struct user_row *row);
bool users_find(struct db *db, const char *localpart, struct user_row *row);

/* Everybody, by localpart: the caller finishes each row; stmt_end after. */
struct stmt *users_all(struct db *db);
bool users_next(struct stmt *q, struct user_row *row);

user_no users_no(struct db *db, const char *localpart); /* 0: there is none */

/* The number of "@localpart:server" if it is of this server and exists (in any state), else 0. */
user_no users_by_id(struct db *db, const char *server, const char *user_id);

/* Whether the ids that lie here are of that server: server_name is part of each, and one that is changed afterwards
 * would make others of all. false: it is logged, and nothing may be written. A database without rooms fits any. The
 * second as a job of the writer's: blocks. */
bool users_are_of(struct db *db, const char *server);
bool users_check_server(struct writer *writer, const char *server);

/* The other way: a fresh string, NULL: there is no such user. Hot paths use store/matrix/user_names.h. */
char *users_id(struct db *db, const char *server, user_no no);

/* All rows, service users and accounts that have left among them. Reads the table whole. */
int64_t users_count(struct db *db);

/* Inside a job: a new person. The localpart was checked with
 * localpart_valid_for_new. password_hash: NULL for none. 0: the localpart is taken (or the database failed). */
user_no users_insert(struct tx *tx, const char *localpart, const char *password_hash, enum account_state state,
                     bool admin);

/* The same for a service user (kind 'service'): no password, always active. */
user_no users_insert_service(struct tx *tx, const char *localpart);

bool users_set_password(struct tx *tx, user_no no, const char *password_hash); /* NULL: none any more */
/* Both queue CHANGE_SESSION. */
bool users_set_state(struct tx *tx, user_no no, enum account_state state); /* false: there is no such user */
bool users_set_admin(struct tx *tx, user_no no, bool admin);

/* For devices_delete_all, when it ends every session. */
bool users_end_epoch(struct tx *tx, user_no no);

/* In which language the server speaks to them: "ru", "en"; NULL: they have not chosen. Heap. */
char *users_language(struct db *db, user_no no);
bool users_set_language(struct tx *tx, user_no no, const char *language); /* inside a job; NULL: none any more */

#endif
