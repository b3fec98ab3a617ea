/* What is kept of application services (appservice/registry.h has their registrations): whom each has made, and the
 * transaction that is on its way to it. */
#ifndef PARTA_STORE_MATRIX_APPSERVICES_H
#define PARTA_STORE_MATRIX_APPSERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

struct db;
struct stmt;
struct tx;

#define APPSERVICE_USERS_MAX 100000 /* of a service */
#define APPSERVICE_TXN_CHARS 20

/* Whether the service has made this user. */
bool appservice_users_has(struct db *db, const char *service, user_no user);
char *appservice_users_service(struct db *db, user_no user); /* which has; heap. NULL: none */
bool appservice_users_any(struct db *db, user_no user);      /* whether one has */
/* Those of the service's that have a membership of any kind in the room: heap, *n of them. */
user_no *appservice_users_in(struct db *db, const char *service, room_no room, size_t *n);

/* What waits for devices of the service's users with a position in (after, upto], in order (to_device.h); stmt_end
 * after. Strings are borrowed until the next row. */
struct appservice_message {
    stream_pos pos;
    user_no sender, user;
    device_no device;
    const char *device_id, *type, *content;
};
/* At most so many rows; what is beyond is there with the next call. */
struct stmt *appservice_messages(struct db *db, const char *service, stream_pos after, stream_pos upto, int64_t most);
bool appservice_messages_next(struct stmt *q, struct appservice_message *row);

/* Whose keys the service's users must look at anew, or need no more (MSC3202, as /sync has it, keys/device_lists.h):
 * each column 0, a user, ascending; stmt_end after. Rooms are those where messages are encrypted. */
/* Whose keys changed in (after, upto], of the service's users and of those who share a room with one of them. */
struct stmt *appservice_device_lists(struct db *db, const char *service, stream_pos after, stream_pos upto);
/* Who is in that room, and shares it with the service's users only since after. */
struct stmt *appservice_newcomers(struct db *db, const char *service, room_no room, stream_pos after);
/* Who shared it with them at after, and shares none with them now. */
struct stmt *appservice_parted(struct db *db, const char *service, room_no room, stream_pos after);

/* Users of the service, at most so many, and those of them that have devices with keys: heap, ascending, *n of them. */
user_no *appservice_users_of(struct db *db, const char *service, int64_t limit, size_t *n);
user_no *appservice_users_with_keys(struct db *db, const char *service, int64_t limit, size_t *n);

/* Rooms where somebody and a user of the service are or were both; *n, heap. */
room_no *appservice_rooms_with(struct db *db, const char *service, user_no user, size_t *n);

/* Devices with tokens of users that services made, by user, of users behind that one; stmt_end after. service is
 * borrowed until the next row. */
struct appservice_session {
    user_no user;
    device_no device;
    const char *service;
};
struct stmt *appservice_sessions(struct db *db, user_no after);
bool appservice_sessions_next(struct stmt *q, struct appservice_session *row);

/* Inside a job. delivered: the service has what waited for devices of its users up to there, and it goes. users_put
 * false: there are APPSERVICE_USERS_MAX already, or the database failed. */
bool appservice_messages_delivered(struct tx *tx, const char *service, stream_pos upto);
bool appservice_users_put(struct tx *tx, const char *service, user_no user);

/* The room directory of a third-party network ("Published room directories"): column 0, a room, ascending; stmt_end
 * after. Put and delete inside a job. */
struct stmt *network_rooms(struct db *db, const char *network);
struct stmt *network_rooms_all(struct db *db); /* of all networks, and the server's own */
bool network_rooms_put(struct tx *tx, const char *network, room_no room);
bool network_rooms_delete(struct tx *tx, const char *network, room_no room);

/* The transaction on its way, or the last one that was: it covers (after, upto] of the stream, and holds the events at
 * positions. What a service was once given under an id is what it is given under that id again. */
struct appservice_transaction {
    char txn[APPSERVICE_TXN_CHARS + 1];
    stream_pos after, upto;
    char *positions; /* "12 15 18": heap */
};

/* false: none yet. The caller frees positions. */
bool appservice_transactions_get(struct db *db, const char *service, struct appservice_transaction *out);
bool appservice_transactions_put(struct tx *tx, const char *service, const struct appservice_transaction *transaction);
bool appservice_transactions_forget(struct tx *tx, const char *service);

#endif
