#include "homeserver/store/matrix/delayed_messages.h"

#include <inttypes.h>
#include <stdio.h>

#include "homeserver/store/driver/writer.h"

enum { FIND, LAST, DUE, INSERT, DELETE, FORGET, COUNT };
static const struct statement TEXTS[COUNT] = {
    [FIND] = "SELECT MAX(held_no) FROM held_messages WHERE device_no = $1 AND room_no = $2 AND about = $3"
             " AND txn_id = $4",
    [LAST] = "SELECT MAX(held_no) FROM held_messages",
    [DUE] = "SELECT h.held_no, h.room_no, h.sender, d.device_no, h.txn_id, h.about, h.type, h.content, h.due_ms,"
            " h.created_ms FROM held_messages h LEFT JOIN devices d ON d.device_no = h.device_no"
            " AND d.user_no = h.sender WHERE h.due_ms <= $1 AND h.held_no <= $2 ORDER BY h.due_ms, h.held_no LIMIT 1",
    [INSERT] = "INSERT INTO held_messages (held_no, room_no, sender, device_no, txn_id, about, type, content, due_ms, "
               "created_ms)"
               " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING held_no",
    [DELETE] = "DELETE FROM held_messages WHERE held_no = $1",
    [FORGET] = "DELETE FROM held_messages WHERE sender = $1",
};
STATEMENTS(HELD, "delayed_messages", TEXTS);

void delayed_message_placeholder(int64_t no, char out[ID_BYTES_MAX + 1])
{
    snprintf(out, ID_BYTES_MAX + 1, "$held%" PRId64, no);
}

int64_t delayed_messages_find(struct db *db, device_no device, room_no room, const char *about, const char *txn_id)
{
    return db_int(db, &HELD, FIND, 0, "iitt", device, room, about, txn_id);
}

int64_t delayed_messages_last(struct db *db)
{
    return db_int(db, &HELD, LAST, 0, "");
}

struct stmt *delayed_messages_due(struct db *db, int64_t now_ms, int64_t last)
{
    return db_query(db, &HELD, DUE, "ii", now_ms, last);
}

bool delayed_messages_next(struct stmt *q, struct delayed_message *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct delayed_message){.no = col_int(q, 0),
                                    .room = col_int(q, 1),
                                    .sender = col_int(q, 2),
                                    .device = col_int(q, 3),
                                    .txn_id = col_text(q, 4),
                                    .about = col_text(q, 5),
                                    .type = col_text(q, 6),
                                    .content = col_text(q, 7),
                                    .due_ms = col_int(q, 8),
                                    .created_ms = col_int(q, 9)};
    return true;
}

int64_t delayed_messages_insert(struct tx *tx, const struct delayed_message *row)
{
    int64_t no = tx_number_after(tx, delayed_messages_last(tx->db));
    return db_insert(tx->db, &HELD, INSERT, "iiiittttii", no, row->room, row->sender, row->device, row->txn_id,
                     row->about, row->type, row->content, row->due_ms, row->created_ms);
}

bool delayed_messages_delete(struct tx *tx, int64_t no)
{
    return db_run(tx->db, &HELD, DELETE, "i", no);
}

bool delayed_messages_forget(struct tx *tx, user_no sender)
{
    return db_run(tx->db, &HELD, FORGET, "i", sender);
}
