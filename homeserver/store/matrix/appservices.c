#include "homeserver/store/matrix/appservices.h"

#include <stdio.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

enum {
    HAS,
    SERVICE,
    ANY,
    IN_ROOM,
    ROOMS_WITH,
    USERS_OF,
    USERS_WITH_KEYS,
    COUNT_OF,
    MESSAGES,
    DELIVERED,
    LISTS,
    NEWCOMERS,
    PARTED,
    PUT_USER,
    GET,
    PUT,
    FORGET,
    ROOMS_OF,
    ROOMS_ALL,
    PUT_ROOM,
    DELETE_ROOM,
    SIGNED_IN,
    COUNT
};

/* Of the room $2: it is encrypted; a user of the service $1 has a membership there. */
#define ENCRYPTED                                                                                                      \
    "EXISTS (SELECT 1 FROM room_state WHERE room_no = $2 AND type = 'm.room.encryption' AND state_key = ''"
#define OWN                                                                                                            \
    "EXISTS (SELECT 1 FROM memberships o JOIN appservice_users u ON u.user_no = o.user_no AND u.service = $1"          \
    " WHERE o.room_no = $2 AND "
/* memberships m of somebody, in rooms where messages are encrypted and users of the service are joined, too. */
#define SHARED                                                                                                         \
    "SELECT 1 FROM memberships m JOIN room_state s ON s.room_no = m.room_no AND s.type = 'm.room.encryption'"          \
    " AND s.state_key = '' JOIN memberships o ON o.room_no = m.room_no AND o.membership = 'join'"                      \
    " JOIN appservice_users a ON a.user_no = o.user_no AND a.service = $1 WHERE m.membership = 'join' AND m.user_no "  \
    "= "

static const struct statement TEXTS[COUNT] = {
    [HAS] = "SELECT 1 FROM appservice_users WHERE user_no = $2 AND service = $1",
    [SERVICE] = "SELECT service FROM appservice_users WHERE user_no = $1",
    [ANY] = "SELECT 1 FROM appservice_users WHERE user_no = $1",
    [IN_ROOM] = "SELECT a.user_no FROM memberships m JOIN appservice_users a ON a.user_no = m.user_no"
                " WHERE m.room_no = $2 AND a.service = $1",
    [ROOMS_WITH] = "SELECT m.room_no FROM memberships m WHERE m.user_no = $2 AND EXISTS (SELECT 1 FROM memberships o"
                   " JOIN appservice_users a ON a.user_no = o.user_no AND a.service = $1 WHERE o.room_no = m.room_no)"
                   " ORDER BY m.room_no",
    [USERS_OF] = "SELECT user_no FROM appservice_users WHERE service = $1 ORDER BY user_no LIMIT $2",
    [USERS_WITH_KEYS] = "SELECT a.user_no FROM appservice_users a WHERE a.service = $1 AND EXISTS (SELECT 1 FROM"
                        " device_keys k WHERE k.user_no = a.user_no) ORDER BY a.user_no LIMIT $2",
    [MESSAGES] = "SELECT t.pos, t.sender, d.user_no, t.device_no, d.device_id, t.type, t.content FROM to_device t"
                 " JOIN devices d ON d.device_no = t.device_no JOIN appservice_users a ON a.user_no = d.user_no"
                 " WHERE t.pos > $2 AND t.pos <= $3 AND a.service = $1 ORDER BY t.pos LIMIT $4",
    [DELIVERED] = "DELETE FROM to_device WHERE pos <= $2 AND device_no IN (SELECT d.device_no FROM devices d"
                  " JOIN appservice_users a ON a.user_no = d.user_no WHERE a.service = $1)",
    [LISTS] = "SELECT l.user_no FROM device_lists l WHERE l.pos > $2 AND l.pos <= $3 AND (EXISTS (SELECT 1 FROM"
              " appservice_users a WHERE a.user_no = l.user_no AND a.service = $1) OR EXISTS (" SHARED "l.user_no))"
              " ORDER BY l.user_no",
    [NEWCOMERS] = "SELECT b.user_no FROM memberships b WHERE b.room_no = $2 AND b.membership = 'join' AND " ENCRYPTED
                  ") AND " OWN "o.membership = 'join') AND (b.joined_pos > $3 OR " ENCRYPTED " AND pos > $3) OR " OWN
                  "o.membership = 'join' AND o.joined_pos > $3)) ORDER BY b.user_no",
    [PARTED] = "SELECT b.user_no FROM memberships b WHERE b.room_no = $2 AND b.joined_pos <> 0 AND b.joined_pos <= $3"
               " AND (b.membership = 'join' OR b.pos > $3) AND " ENCRYPTED ") AND " OWN
               "o.joined_pos <> 0 AND o.joined_pos <= $3 AND (o.membership = 'join' OR o.pos > $3))"
               " AND (b.membership <> 'join' OR NOT " OWN "o.membership = 'join'))"
               " AND NOT EXISTS (SELECT 1 FROM appservice_users u WHERE u.user_no = b.user_no AND u.service = $1)"
               " AND NOT EXISTS (" SHARED "b.user_no) ORDER BY b.user_no",
    [COUNT_OF] = "SELECT count(*) FROM appservice_users WHERE service = $1",
    [PUT_USER] = "INSERT INTO appservice_users (user_no, service) VALUES ($2, $1) ON CONFLICT (user_no) DO NOTHING",
    [GET] = "SELECT txn, after_pos, upto_pos, positions FROM appservice_transactions WHERE service = $1",
    [PUT] = "INSERT INTO appservice_transactions (service, txn, after_pos, upto_pos, positions)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (service) DO UPDATE SET txn = $2, after_pos = $3, upto_pos = $4,"
            " positions = $5",
    [ROOMS_OF] = "SELECT room_no FROM network_rooms WHERE network = $1 ORDER BY room_no",
    [ROOMS_ALL] =
        "SELECT room_no FROM rooms WHERE published = 1 UNION SELECT room_no FROM network_rooms ORDER BY room_no",
    [PUT_ROOM] =
        "INSERT INTO network_rooms (network, room_no) VALUES ($1, $2) ON CONFLICT (network, room_no) DO NOTHING",
    [DELETE_ROOM] = "DELETE FROM network_rooms WHERE network = $1 AND room_no = $2",
    [SIGNED_IN] =
        "SELECT a.user_no, a.service, d.device_no FROM appservice_users a JOIN devices d ON d.user_no = a.user_no"
        " WHERE a.user_no > $1 AND (EXISTS (SELECT 1 FROM access_tokens t WHERE t.device_no = d.device_no)"
        " OR EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.device_no = d.device_no)) ORDER BY a.user_no",
    [FORGET] = "DELETE FROM appservice_transactions WHERE service = $1",
};
STATEMENTS(APPSERVICES, "appservices", TEXTS);

bool appservice_users_has(struct db *db, const char *service, user_no user)
{
    return db_int(db, &APPSERVICES, HAS, 0, "ti", service, user) == 1;
}

char *appservice_users_service(struct db *db, user_no user)
{
    return db_text(db, &APPSERVICES, SERVICE, "i", user);
}

bool appservice_users_any(struct db *db, user_no user)
{
    return db_int(db, &APPSERVICES, ANY, 0, "i", user) == 1;
}

/* Column 0, all of it. */
static int64_t *numbers_of(struct stmt *q, size_t *n)
{
    int64_t *numbers = NULL;
    size_t cap = 0;
    for (*n = 0; stmt_next(q); ++*n) {
        if (*n == cap)
            numbers = xrealloc(numbers, (cap = cap * 2 + 8) * sizeof *numbers);
        numbers[*n] = col_int(q, 0);
    }
    stmt_end(q);
    return numbers;
}

user_no *appservice_users_in(struct db *db, const char *service, room_no room, size_t *n)
{
    return numbers_of(db_query(db, &APPSERVICES, IN_ROOM, "ti", service, room), n);
}

user_no *appservice_users_of(struct db *db, const char *service, int64_t limit, size_t *n)
{
    return numbers_of(db_query(db, &APPSERVICES, USERS_OF, "ti", service, limit), n);
}

user_no *appservice_users_with_keys(struct db *db, const char *service, int64_t limit, size_t *n)
{
    return numbers_of(db_query(db, &APPSERVICES, USERS_WITH_KEYS, "ti", service, limit), n);
}

room_no *appservice_rooms_with(struct db *db, const char *service, user_no user, size_t *n)
{
    return numbers_of(db_query(db, &APPSERVICES, ROOMS_WITH, "ti", service, user), n);
}

struct stmt *appservice_messages(struct db *db, const char *service, stream_pos after, stream_pos upto, int64_t most)
{
    return db_query(db, &APPSERVICES, MESSAGES, "tiii", service, after, upto, most);
}

bool appservice_messages_next(struct stmt *q, struct appservice_message *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct appservice_message){.pos = col_int(q, 0),
                                       .sender = col_int(q, 1),
                                       .user = col_int(q, 2),
                                       .device = col_int(q, 3),
                                       .device_id = col_text(q, 4),
                                       .type = col_text(q, 5),
                                       .content = col_text(q, 6)};
    return true;
}

bool appservice_messages_delivered(struct tx *tx, const char *service, stream_pos upto)
{
    return db_run(tx->db, &APPSERVICES, DELIVERED, "ti", service, upto);
}

struct stmt *appservice_device_lists(struct db *db, const char *service, stream_pos after, stream_pos upto)
{
    return db_query(db, &APPSERVICES, LISTS, "tii", service, after, upto);
}

struct stmt *appservice_newcomers(struct db *db, const char *service, room_no room, stream_pos after)
{
    return db_query(db, &APPSERVICES, NEWCOMERS, "tii", service, room, after);
}

struct stmt *appservice_parted(struct db *db, const char *service, room_no room, stream_pos after)
{
    return db_query(db, &APPSERVICES, PARTED, "tii", service, room, after);
}

bool appservice_users_put(struct tx *tx, const char *service, user_no user)
{
    return db_int(tx->db, &APPSERVICES, COUNT_OF, 0, "t", service) < APPSERVICE_USERS_MAX &&
           db_run(tx->db, &APPSERVICES, PUT_USER, "ti", service, user);
}

bool appservice_transactions_get(struct db *db, const char *service, struct appservice_transaction *out)
{
    struct stmt *q = db_query(db, &APPSERVICES, GET, "t", service);
    bool found = stmt_next(q);
    if (found) {
        *out = (struct appservice_transaction){
            .after = col_int(q, 1), .upto = col_int(q, 2), .positions = xstrdup(col_text(q, 3))};
        snprintf(out->txn, sizeof out->txn, "%s", col_text(q, 0));
    }
    stmt_end(q);
    return found;
}

bool appservice_transactions_put(struct tx *tx, const char *service, const struct appservice_transaction *t)
{
    return db_run(tx->db, &APPSERVICES, PUT, "ttiit", service, t->txn, t->after, t->upto, t->positions);
}

bool appservice_transactions_forget(struct tx *tx, const char *service)
{
    return db_run(tx->db, &APPSERVICES, FORGET, "t", service);
}

struct stmt *appservice_sessions(struct db *db, user_no after)
{
    return db_query(db, &APPSERVICES, SIGNED_IN, "i", after);
}

bool appservice_sessions_next(struct stmt *q, struct appservice_session *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct appservice_session){.user = col_int(q, 0), .service = col_text(q, 1), .device = col_int(q, 2)};
    return true;
}

struct stmt *network_rooms(struct db *db, const char *network)
{
    return db_query(db, &APPSERVICES, ROOMS_OF, "t", network);
}

struct stmt *network_rooms_all(struct db *db)
{
    return db_query(db, &APPSERVICES, ROOMS_ALL, "");
}

bool network_rooms_put(struct tx *tx, const char *network, room_no room)
{
    return db_run(tx->db, &APPSERVICES, PUT_ROOM, "ti", network, room);
}

bool network_rooms_delete(struct tx *tx, const char *network, room_no room)
{
    return db_run(tx->db, &APPSERVICES, DELETE_ROOM, "ti", network, room);
}
