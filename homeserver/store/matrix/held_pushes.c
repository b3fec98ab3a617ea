#include "homeserver/store/matrix/held_pushes.h"

#include "homeserver/store/driver/writer.h"

#define ONE "gateway = $1 AND user_no = $2 AND room_no = $3"

enum { DUE, HOW_MANY, PUT, POSTPONE, REMOVE, FORGET, COUNT };
static const struct statement TEXTS[COUNT] = {
    [DUE] = "SELECT gateway, user_no, room_no, pos, due_ms, first_ms FROM held_pushes WHERE due_ms <= $1"
            " ORDER BY due_ms, gateway, user_no, room_no LIMIT $2",
    [HOW_MANY] = "SELECT count(*) FROM held_pushes",
    [PUT] = "INSERT INTO held_pushes (gateway, user_no, room_no, pos, due_ms, first_ms)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (gateway, user_no, room_no) DO UPDATE SET"
            " pos = CASE WHEN held_pushes.pos < $4 THEN $4 ELSE held_pushes.pos END,"
            " due_ms = CASE WHEN held_pushes.due_ms < $5 THEN $5 ELSE held_pushes.due_ms END",
    [POSTPONE] = "UPDATE held_pushes SET due_ms = $5 WHERE " ONE " AND pos = $4",
    [REMOVE] = "DELETE FROM held_pushes WHERE " ONE " AND pos = $4",
    [FORGET] = "DELETE FROM held_pushes WHERE user_no = $1",
};
STATEMENTS(HELD_PUSHES, "held_pushes", TEXTS);

struct stmt *held_pushes_due(struct db *db, int64_t now_ms, int64_t limit)
{
    return db_query(db, &HELD_PUSHES, DUE, "ii", now_ms, limit);
}

bool held_pushes_next(struct stmt *q, struct held_push *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct held_push){.gateway = col_text(q, 0),
                              .user = col_int(q, 1),
                              .room = col_int(q, 2),
                              .pos = col_int(q, 3),
                              .due_ms = col_int(q, 4),
                              .first_ms = col_int(q, 5)};
    return true;
}

int64_t held_pushes_count(struct db *db)
{
    return db_int(db, &HELD_PUSHES, HOW_MANY, 0, "");
}

bool held_pushes_put(struct tx *tx, const struct held_push *row)
{
    return db_run(tx->db, &HELD_PUSHES, PUT, "tiiiii", row->gateway, row->user, row->room, row->pos, row->due_ms,
                  row->first_ms);
}

bool held_pushes_postpone(struct tx *tx, const struct held_push *row, int64_t due_ms)
{
    return db_run(tx->db, &HELD_PUSHES, POSTPONE, "tiiii", row->gateway, row->user, row->room, row->pos, due_ms);
}

bool held_pushes_remove(struct tx *tx, const struct held_push *row)
{
    return db_run(tx->db, &HELD_PUSHES, REMOVE, "tiii", row->gateway, row->user, row->room, row->pos);
}

bool held_pushes_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &HELD_PUSHES, FORGET, "i", user);
}
