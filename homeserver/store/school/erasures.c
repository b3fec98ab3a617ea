#include "homeserver/store/school/erasures.h"

#include "homeserver/store/driver/writer.h"

enum { OPEN, DONE, UNSCRUBBED, ROOM, BEGIN, ADVANCE, LEAVE, FINISH, SCRUBBED, COUNT };
static const struct statement TEXTS[COUNT] = {
    [OPEN] =
        "SELECT user_no, room_no, pos, CASE WHEN left_ms IS NULL THEN 0 ELSE 1 END FROM erasures WHERE done_ms IS NULL"
        " ORDER BY started_ms, user_no LIMIT 1",
    [DONE] = "SELECT 1 FROM erasures WHERE user_no = $1 AND done_ms IS NOT NULL",
    [UNSCRUBBED] = "SELECT max(done_ms) FROM erasures WHERE done_ms IS NOT NULL AND scrubbed_ms IS NULL",
    [ROOM] = "SELECT MIN(room_no) FROM memberships WHERE user_no = $1 AND room_no >= $2",
    [BEGIN] = {"INSERT INTO erasures (user_no, author, started_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", 0,
               GUARDED},
    [ADVANCE] = "UPDATE erasures SET room_no = $2, pos = $3 WHERE user_no = $1",
    [LEAVE] = "UPDATE erasures SET left_ms = $2, room_no = 0, pos = 0 WHERE user_no = $1",
    [FINISH] = {"UPDATE erasures SET done_ms = $2 WHERE user_no = $1", 0, GUARDED},
    [SCRUBBED] = "UPDATE erasures SET scrubbed_ms = $2 WHERE done_ms <= $1 AND scrubbed_ms IS NULL",
};
STATEMENTS(ERASURES, "erasures", TEXTS);

bool erasures_open(struct db *db, struct erasure_row *out)
{
    struct stmt *q = db_query(db, &ERASURES, OPEN, "");
    bool found = stmt_next(q);
    if (found)
        *out = (struct erasure_row){col_int(q, 0), col_int(q, 1), col_int(q, 2), col_int(q, 3) != 0};
    stmt_end(q);
    return found;
}

bool erasures_is_done(struct db *db, user_no user)
{
    return db_int(db, &ERASURES, DONE, 0, "i", user) != 0;
}

int64_t erasures_unscrubbed_ms(struct db *db)
{
    return db_int(db, &ERASURES, UNSCRUBBED, 0, "");
}

room_no erasures_room(struct db *db, user_no user, room_no from)
{
    return db_int(db, &ERASURES, ROOM, 0, "ii", user, from);
}

bool erasures_begin(struct tx *tx, user_no user, const char *author)
{
    return db_rows(tx->db, &ERASURES, BEGIN, "iti", user, author, tx->now_ms) == 1;
}

bool erasures_advance(struct tx *tx, const struct erasure_row *row)
{
    return db_run(tx->db, &ERASURES, ADVANCE, "iii", row->user, row->room, row->pos);
}

bool erasures_leave(struct tx *tx, user_no user)
{
    return db_run(tx->db, &ERASURES, LEAVE, "ii", user, tx->now_ms);
}

bool erasures_finish(struct tx *tx, user_no user)
{
    return db_run(tx->db, &ERASURES, FINISH, "ii", user, tx->now_ms);
}

bool erasures_scrubbed(struct tx *tx, int64_t done_ms)
{
    return db_run(tx->db, &ERASURES, SCRUBBED, "ii", done_ms, tx->now_ms);
}
