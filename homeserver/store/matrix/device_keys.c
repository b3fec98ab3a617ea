#include "homeserver/store/matrix/device_keys.h"

#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/events.h"

#define ROW                                                                                                            \
    "SELECT k.device_no, d.device_id, d.display_name, k.keys, k.ed25519, k.signature, k.self_signing_key,"             \
    " k.self_signature FROM device_keys k JOIN devices d ON d.device_no = k.device_no "

/* Rooms where the user of $1 is joined and messages are encrypted: a; what is joined to it: b. */
#define ENCRYPTED                                                                                                      \
    " FROM memberships a JOIN room_state s ON s.room_no = a.room_no AND s.type = 'm.room.encryption'"                  \
    " AND s.state_key = ''"
#define SHARED                                                                                                         \
    ENCRYPTED " JOIN memberships b ON b.room_no = a.room_no AND b.membership = 'join' AND b.user_no <> a.user_no"      \
              " WHERE a.user_no = $1 AND a.membership = 'join'"

enum { OF_USER, OF_DEVICE, SAME, HAS, PUT, SIGN, UNSIGN, MOVE, LAST_MOVE, NEWS, LEFT, SHARERS, REACHES, FORGET, N };
static const struct statement TEXTS[N] = {
    [OF_USER] = ROW "WHERE k.user_no = $1 ORDER BY k.device_no",
    [OF_DEVICE] = ROW "WHERE d.user_no = $1 AND d.device_id = $2",
    [SAME] = "SELECT 1 FROM device_keys WHERE device_no = $1 AND keys = $2 AND signature = $3",
    [HAS] = "SELECT 1 FROM device_keys WHERE device_no = $1",
    [PUT] = "INSERT INTO device_keys (device_no, user_no, keys, ed25519, signature) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (device_no) DO UPDATE SET keys = excluded.keys, ed25519 = excluded.ed25519,"
            " signature = excluded.signature, self_signing_key = NULL, self_signature = NULL",
    [SIGN] = "UPDATE device_keys SET self_signing_key = $2, self_signature = $3 WHERE device_no = $1",
    [UNSIGN] = "UPDATE device_keys SET self_signing_key = NULL, self_signature = NULL WHERE user_no = $1"
               " AND self_signing_key <> $2",
    [MOVE] = "INSERT INTO device_lists (user_no, pos) VALUES ($1, $2) ON CONFLICT (user_no) DO UPDATE SET"
             " pos = excluded.pos",
    [LAST_MOVE] = "SELECT max(pos) FROM device_lists WHERE pos <= $1",
    [NEWS] = "SELECT user_no FROM device_lists WHERE pos > $2 AND pos <= $3 AND (user_no = $1 OR user_no IN"
             " (SELECT b.user_no" SHARED "))"
             " UNION SELECT b.user_no" SHARED " AND (a.joined_pos > $2 OR b.joined_pos > $2 OR s.pos > $2)"
             " ORDER BY user_no",
    [LEFT] = "SELECT b.user_no AS user_no" ENCRYPTED
             " JOIN memberships b ON b.room_no = a.room_no AND b.user_no <> a.user_no"
             " WHERE a.user_no = $1 AND a.joined_pos <> 0 AND a.joined_pos <= $2 AND b.joined_pos <> 0"
             " AND b.joined_pos <= $2 AND (a.membership = 'join' OR (a.pos > $2 AND a.pos <= $3))"
             " AND (b.membership = 'join' OR (b.pos > $2 AND b.pos <= $3))"
             " AND (a.membership <> 'join' OR b.membership <> 'join')"
             " EXCEPT SELECT b.user_no" SHARED " ORDER BY user_no",
    [SHARERS] = "SELECT DISTINCT b.user_no" SHARED " ORDER BY b.user_no",
    [REACHES] = "SELECT 1" ENCRYPTED " JOIN memberships b ON b.room_no = a.room_no AND b.user_no = $2"
                " AND b.membership IN ('join', 'invite') WHERE a.user_no = $1 AND a.membership = 'join' LIMIT 1",
    [FORGET] = "DELETE FROM device_lists WHERE user_no = $1",
};
STATEMENTS(DEVICE_KEYS, "device_keys", TEXTS);

static bool next(struct stmt *q, struct device_keys_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct device_keys_row){
        .device = col_int(q, 0),
        .device_id = col_text(q, 1),
        .display_name = col_text(q, 2),
        .keys = col_text(q, 3),
        .ed25519 = col_text(q, 4),
        .signature = col_text(q, 5),
        .self_signing_key = col_text(q, 6),
        .self_signature = col_text(q, 7),
    };
    return true;
}

void device_keys_each(struct db *db, user_no user, void (*fn)(void *arg, const struct device_keys_row *row), void *arg)
{
    struct device_keys_row row;
    struct stmt *q = db_query(db, &DEVICE_KEYS, OF_USER, "i", user);
    while (next(q, &row))
        fn(arg, &row);
    stmt_end(q);
}

bool device_keys_of(struct db *db, user_no user, const char *device_id,
                    void (*fn)(void *arg, const struct device_keys_row *row), void *arg)
{
    struct device_keys_row row;
    struct stmt *q = db_query(db, &DEVICE_KEYS, OF_DEVICE, "it", user, device_id);
    bool found = next(q, &row);
    if (found)
        fn(arg, &row);
    stmt_end(q);
    return found;
}

bool device_lists_changed(struct tx *tx, user_no user)
{
    stream_pos pos = tx_next_pos(tx);
    tx_change(tx, (struct change){.kind = CHANGE_KEYS, .pos = pos, .user = user});
    return db_run(tx->db, &DEVICE_KEYS, MOVE, "ii", user, pos);
}

bool device_keys_put(struct tx *tx, user_no user, const struct device_keys_row *row)
{
    if (db_int(tx->db, &DEVICE_KEYS, SAME, 0, "itt", row->device, row->keys, row->signature) != 0)
        return true;
    return db_run(tx->db, &DEVICE_KEYS, PUT, "iittt", row->device, user, row->keys, row->ed25519, row->signature) &&
           device_lists_changed(tx, user);
}

bool device_keys_sign(struct tx *tx, user_no user, device_no device, const char *key, const char *signature)
{
    return db_run(tx->db, &DEVICE_KEYS, SIGN, "itt", device, key, signature) && device_lists_changed(tx, user);
}

bool device_keys_unsign(struct tx *tx, user_no user, const char *except_key)
{
    return db_run(tx->db, &DEVICE_KEYS, UNSIGN, "it", user, except_key != NULL ? except_key : "");
}

bool device_keys_end(struct tx *tx, user_no user, device_no device)
{
    return db_int(tx->db, &DEVICE_KEYS, HAS, 0, "i", device) == 0 || device_lists_changed(tx, user);
}

static user_no *list(struct stmt *q, size_t *n)
{
    size_t cap = 0;
    user_no *users = NULL;
    *n = 0;
    while (stmt_next(q)) {
        if (*n == cap)
            users = xrealloc(users, (cap = cap * 2 + 16) * sizeof *users);
        users[(*n)++] = col_int(q, 0);
    }
    stmt_end(q);
    return users;
}

stream_pos device_lists_last(struct db *db, stream_pos upto)
{
    stream_pos keys = db_int(db, &DEVICE_KEYS, LAST_MOVE, 0, "i", upto), rooms = events_last_of_lists(db, upto);
    return keys > rooms ? keys : rooms;
}

user_no *device_lists_news(struct db *db, user_no user, stream_pos since, stream_pos upto, size_t *n)
{
    return list(db_query(db, &DEVICE_KEYS, NEWS, "iii", user, since, upto), n);
}

user_no *device_lists_left(struct db *db, user_no user, stream_pos since, stream_pos upto, size_t *n)
{
    return list(db_query(db, &DEVICE_KEYS, LEFT, "iii", user, since, upto), n);
}

user_no *device_lists_sharers(struct db *db, user_no user, size_t *n)
{
    return list(db_query(db, &DEVICE_KEYS, SHARERS, "i", user), n);
}

bool device_lists_reaches(struct db *db, user_no from, user_no to)
{
    return db_int(db, &DEVICE_KEYS, REACHES, 0, "ii", from, to) != 0;
}

bool device_keys_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &DEVICE_KEYS, FORGET, "i", user);
}
