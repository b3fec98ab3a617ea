/* Pushers: where a person is told that there is something unread (Client-Server API, "Push Notifications"): a device at
 * a push gateway, or a mail address. One row each; it goes with the session that set it. */
#ifndef PARTA_STORE_MATRIX_PUSHERS_H
#define PARTA_STORE_MATRIX_PUSHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

#define PUSHER_HTTP "http"
#define PUSHER_EMAIL "email"
#define PUSHER_EMAIL_APP "m.email"

/* Strings are borrowed until the next row or stmt_end. */
struct pusher_row {
    user_no user;
    device_no device;
    const char *app_id, *pushkey, *kind;
    const char *app_name, *device_name, *lang;
    const char *profile_tag; /* NULL: none */
    const char *data;        /* JSON object as the client gave it, without "url" */
    const char *gateway;     /* "https://push.example", the path is always the same; "" of a mail address */
    const char *device_id;   /* of device; only read */
    bool id_only;            /* data says "format": "event_id_only" */
    bool enabled;
    int64_t set_ms;
};

/* Iteration; stmt_end after. */
bool pushers_next(struct stmt *q, struct pusher_row *row);
struct stmt *pushers_of_user(struct db *db, user_no user);
bool pushers_next_of_user(struct stmt *q, struct pusher_row *row);                              /* with device_id */
struct stmt *pushers_get(struct db *db, user_no user, const char *app_id, const char *pushkey); /* one or none */
/* Enabled ones of accounts that are open. */
struct stmt *pushers_at(struct db *db, const char *gateway, user_no user);
struct stmt *pushers_http_of(struct db *db, user_no user);
struct stmt *pushers_mails(struct db *db, int64_t mailed_before_ms); /* not mailed to since */

/* The same of everybody joined to a room, by person, with when they joined. */
struct pusher_in_room {
    struct pusher_row pusher;
    stream_pos joined_pos;
};
struct stmt *pushers_in_room(struct db *db, const char *gateway, room_no room);
bool pushers_next_in_room(struct stmt *q, struct pusher_in_room *row);

/* Gateways at which somebody has a pusher; one a row. */
struct stmt *pushers_gateways(struct db *db);
const char *pushers_next_gateway(struct stmt *q); /* NULL: the end */

/* How far the person was told by mail. */
stream_pos pushers_mailed_pos(struct db *db, user_no user, const char *app_id, const char *pushkey);

/* Inside a job. */
bool pushers_put(struct tx *tx, const struct pusher_row *row);
bool pushers_remove(struct tx *tx, user_no user, const char *app_id, const char *pushkey);
/* A device has one account at a time, unless its app says so; an address has one owner anyway. */
bool pushers_remove_of_others(struct tx *tx, user_no user, const char *app_id, const char *pushkey);
/* If it was not set again since. */
bool pushers_reject(struct tx *tx, user_no user, const char *app_id, const char *pushkey, int64_t set_ms);
bool pushers_mailed(struct tx *tx, const struct pusher_row *row, int64_t at_ms, stream_pos pos);
bool pushers_forget(struct tx *tx, user_no user); /* an erasure (G4), or an account that is closed */

#endif
