#include "homeserver/store/matrix/account_data.h"

#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

#define ROW "SELECT room_no, type, content, pos FROM account_data "

enum { GET, PUT, FORGET, FORGET_ROOM, SINCE, IN_ROOM, N };
static const struct statement TEXTS[N] = {
    [GET] = "SELECT content FROM account_data WHERE user_no = $1 AND room_no = $2 AND type = $3",
    [PUT] = "INSERT INTO account_data (user_no, room_no, type, content, pos) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (user_no, room_no, type) DO UPDATE SET content = excluded.content, pos = excluded.pos",
    [FORGET] = "DELETE FROM account_data WHERE user_no = $1",
    [FORGET_ROOM] = "DELETE FROM account_data WHERE user_no = $1 AND room_no = $2",
    [SINCE] = ROW "WHERE user_no = $1 AND pos > $2 AND pos <= $3 ORDER BY pos",
    [IN_ROOM] = ROW "WHERE user_no = $1 AND room_no = $2 ORDER BY pos",
};
STATEMENTS(ACCOUNT_DATA, "account_data", TEXTS);

char *account_data_get(struct db *db, user_no user, room_no room, const char *type)
{
    return db_text(db, &ACCOUNT_DATA, GET, "iit", user, room, type);
}

static void changed(struct tx *tx, user_no user, room_no room, stream_pos pos)
{
    tx_change(tx,
              (struct change){.kind = CHANGE_ACCOUNT_DATA, .private_ = true, .pos = pos, .room = room, .user = user});
}

bool account_data_put(struct tx *tx, user_no user, room_no room, const char *type, const char *content)
{
    stream_pos pos = tx_next_pos(tx);
    changed(tx, user, room, pos);
    return db_run(tx->db, &ACCOUNT_DATA, PUT, "iitti", user, room, type, content, pos);
}

bool account_data_forget(struct tx *tx, user_no user)
{
    changed(tx, user, 0, tx_next_pos(tx));
    return db_run(tx->db, &ACCOUNT_DATA, FORGET, "i", user);
}

bool account_data_forget_room(struct tx *tx, user_no user, room_no room)
{
    changed(tx, user, room, tx_next_pos(tx));
    return db_run(tx->db, &ACCOUNT_DATA, FORGET_ROOM, "ii", user, room);
}

static void each(struct stmt *q, void (*fn)(void *arg, const struct account_data_row *row), void *arg)
{
    while (stmt_next(q)) {
        struct account_data_row row = {col_int(q, 0), col_text(q, 1), col_text(q, 2), col_int(q, 3)};
        fn(arg, &row);
    }
    stmt_end(q);
}

void account_data_each(struct db *db, user_no user, stream_pos since, stream_pos to,
                       void (*fn)(void *arg, const struct account_data_row *row), void *arg)
{
    each(db_query(db, &ACCOUNT_DATA, SINCE, "iii", user, since, to), fn, arg);
}

void account_data_each_room(struct db *db, user_no user, room_no room,
                            void (*fn)(void *arg, const struct account_data_row *row), void *arg)
{
    each(db_query(db, &ACCOUNT_DATA, IN_ROOM, "ii", user, room), fn, arg);
}
