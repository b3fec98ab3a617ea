#include "homeserver/store/matrix/receipts.h"

#include <string.h>

#include "homeserver/store/driver/writer.h"

#define ROW "SELECT room_no, user_no, type, thread, event_id, event_pos, ts, pos FROM receipts "

enum { CHANGED, CHANGED_ALL, ROOMS_CHANGED, LAST, OF_USER, LAST_OF_USER, EVENT_POS, PUT, PRUNE, FORGET, COUNT };
static const struct statement TEXTS[COUNT] = {
    [CHANGED] = ROW "WHERE room_no = $1 AND pos > $2 AND pos <= $3 AND (type <> 'm.read.private' OR user_no = $4)"
                    " ORDER BY thread, event_id, type, user_no",
    [CHANGED_ALL] = ROW "WHERE room_no = $1 AND pos > $2 AND pos <= $3 ORDER BY thread, event_id, type, user_no",
    [ROOMS_CHANGED] = "SELECT DISTINCT room_no FROM receipts WHERE pos > $1 AND pos <= $2 ORDER BY room_no LIMIT $3",
    [LAST] = "SELECT max(pos) FROM receipts WHERE room_no = $1",
    [OF_USER] = ROW "WHERE room_no = $1 AND user_no = $2",
    [LAST_OF_USER] = "SELECT max(pos) FROM receipts WHERE room_no = $1 AND user_no = $2",
    [EVENT_POS] = "SELECT event_pos FROM receipts WHERE room_no = $1 AND user_no = $2 AND type = $3 AND thread = $4",
    [PUT] = "INSERT INTO receipts (room_no, user_no, type, thread, event_id, event_pos, ts, pos)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (room_no, user_no, type, thread) DO UPDATE SET"
            " event_id = excluded.event_id, event_pos = excluded.event_pos, ts = excluded.ts, pos = excluded.pos",
    [PRUNE] = "DELETE FROM receipts WHERE room_no = $1 AND user_no = $2 AND type = $3 AND thread NOT IN ('', 'main')"
              " AND pos <= (SELECT pos FROM receipts WHERE room_no = $1 AND user_no = $2 AND type = $3"
              " AND thread NOT IN ('', 'main') ORDER BY pos DESC LIMIT 1 OFFSET $4)",
    [FORGET] = "DELETE FROM receipts WHERE room_no = $1 AND user_no = $2",
};
STATEMENTS(RECEIPTS, "receipts", TEXTS);

bool receipts_next(struct stmt *q, struct receipt_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct receipt_row){
        .room = col_int(q, 0),
        .user = col_int(q, 1),
        .type = col_text(q, 2),
        .thread = col_text(q, 3),
        .event_id = col_text(q, 4),
        .event_pos = col_int(q, 5),
        .ts = col_int(q, 6),
        .pos = col_int(q, 7),
    };
    return true;
}

struct stmt *receipts_changed(struct db *db, room_no room, user_no viewer, stream_pos after, stream_pos upto)
{
    return db_query(db, &RECEIPTS, CHANGED, "iiii", room, after, upto, viewer);
}

struct stmt *receipts_changed_all(struct db *db, room_no room, stream_pos after, stream_pos upto)
{
    return db_query(db, &RECEIPTS, CHANGED_ALL, "iii", room, after, upto);
}

struct stmt *receipts_rooms_changed(struct db *db, stream_pos after, stream_pos upto, int64_t limit)
{
    return db_query(db, &RECEIPTS, ROOMS_CHANGED, "iii", after, upto, limit);
}

struct stmt *receipts_of_user(struct db *db, room_no room, user_no user)
{
    return db_query(db, &RECEIPTS, OF_USER, "ii", room, user);
}

stream_pos receipts_last(struct db *db, room_no room)
{
    return db_int(db, &RECEIPTS, LAST, 0, "i", room);
}

stream_pos receipts_last_of_user(struct db *db, room_no room, user_no user)
{
    return db_int(db, &RECEIPTS, LAST_OF_USER, 0, "ii", room, user);
}

stream_pos receipts_event_pos(struct db *db, room_no room, user_no user, const char *type, const char *thread)
{
    return db_int(db, &RECEIPTS, EVENT_POS, 0, "iitt", room, user, type, thread);
}

bool receipts_put(struct tx *tx, const struct receipt_row *row)
{
    tx_change(tx, (struct change){.kind = CHANGE_RECEIPT,
                                  .private_ = strcmp(row->type, RECEIPT_READ_PRIVATE) == 0,
                                  .pos = row->pos,
                                  .room = row->room,
                                  .user = row->user,
                                  .event = row->event_pos});
    bool threaded = row->thread[0] != '\0' && strcmp(row->thread, "main") != 0;
    return db_run(tx->db, &RECEIPTS, PUT, "iitttiii", row->room, row->user, row->type, row->thread, row->event_id,
                  row->event_pos, row->ts, row->pos) &&
           (!threaded ||
            db_run(tx->db, &RECEIPTS, PRUNE, "iiti", row->room, row->user, row->type, (int64_t)RECEIPT_THREADS_MAX));
}

bool receipts_forget(struct tx *tx, room_no room, user_no user)
{
    return db_run(tx->db, &RECEIPTS, FORGET, "ii", room, user);
}
