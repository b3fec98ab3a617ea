#include "homeserver/store/matrix/delayed_messages.h"

#include <stdio.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/store/driver/writer.h"

enum { FIND, BY_PLACEHOLDER, LAST, DUE, INSERT, POSTPONE, FINISH, FORGET, PRUNE, COUNT };
static const struct statement TEXTS[COUNT] = {
    [FIND] = "SELECT placeholder FROM held_messages WHERE device_no = $1 AND room_no = $2 AND about = $3"
             " AND txn_id = $4 ORDER BY held_no DESC LIMIT 1",
    [BY_PLACEHOLDER] = "SELECT held_no, state, due_ms, event_id FROM held_messages WHERE placeholder = $1"
                       " AND room_no = $2 AND sender = $3",
    [LAST] = "SELECT MAX(held_no) FROM held_messages WHERE state = 'waiting'",
    [DUE] = "SELECT h.held_no, h.placeholder, h.room_no, h.sender, d.device_no, h.txn_id, h.about, h.type, h.content,"
            " h.due_ms, h.created_ms FROM held_messages h LEFT JOIN devices d ON d.device_no = h.device_no"
            " AND d.user_no = h.sender WHERE h.state = 'waiting' AND h.due_ms <= $1 AND h.held_no > $2"
            " AND h.held_no <= $3 ORDER BY h.held_no LIMIT 1",
    [INSERT] = "INSERT INTO held_messages (placeholder, room_no, sender, device_no, txn_id, about, type, content,"
               " due_ms, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING held_no",
    [POSTPONE] = "UPDATE held_messages SET due_ms = $2 WHERE held_no = $1",
    [FINISH] = "UPDATE held_messages SET state = $2, event_id = $3, content = '{}' WHERE held_no = $1",
    [FORGET] = "DELETE FROM held_messages WHERE sender = $1",
    [PRUNE] = "DELETE FROM held_messages WHERE held_no IN (SELECT held_no FROM held_messages"
              " WHERE state <> 'waiting' AND due_ms < $1 LIMIT $2)",
};
STATEMENTS(HELD, "delayed_messages", TEXTS);

static const char *const STATES[] = {
    [HELD_WAITS] = "waiting",
    [HELD_DELIVERED] = "delivered",
    [HELD_TAKEN_BACK] = "taken_back",
    [HELD_DROPPED] = "dropped",
};

#define PREFIX "$held"
#define DRAWN 24
_Static_assert(sizeof PREFIX - 1 + DRAWN != 44, "an event id by hash has 44 bytes");

bool delayed_message_is_placeholder(const char *event_id)
{
    return strncmp(event_id, PREFIX, sizeof PREFIX - 1) == 0 && strlen(event_id) < 44 && strchr(event_id, ':') == NULL;
}

bool delayed_messages_find(struct db *db, device_no device, room_no room, const char *about, const char *txn_id,
                           char placeholder[ID_BYTES_MAX + 1])
{
    struct stmt *q = db_query(db, &HELD, FIND, "iitt", device, room, about, txn_id);
    bool found = stmt_next(q);
    if (found)
        snprintf(placeholder, ID_BYTES_MAX + 1, "%s", col_text(q, 0));
    stmt_end(q);
    return found;
}

bool delayed_messages_by_placeholder(struct db *db, const char *placeholder, room_no room, user_no sender,
                                     struct held_fate *out)
{
    *out = (struct held_fate){.state = HELD_NONE};
    struct stmt *q = db_query(db, &HELD, BY_PLACEHOLDER, "tii", placeholder, room, sender);
    bool found = stmt_next(q);
    if (found) {
        *out = (struct held_fate){.no = col_int(q, 0), .due_ms = col_int(q, 2)};
        for (int i = HELD_WAITS; i <= HELD_DROPPED; ++i)
            out->state = strcmp(STATES[i], col_text(q, 1)) == 0 ? (enum held_state)i : out->state;
        snprintf(out->event_id, sizeof out->event_id, "%s", col_null(q, 3) ? "" : col_text(q, 3));
    }
    stmt_end(q);
    return found;
}

int64_t delayed_messages_last(struct db *db)
{
    return db_int(db, &HELD, LAST, 0, "");
}

struct stmt *delayed_messages_due(struct db *db, int64_t now_ms, int64_t after, int64_t last)
{
    return db_query(db, &HELD, DUE, "iii", now_ms, after, last);
}

bool delayed_messages_next(struct stmt *q, struct delayed_message *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct delayed_message){.no = col_int(q, 0),
                                    .placeholder = col_text(q, 1),
                                    .room = col_int(q, 2),
                                    .sender = col_int(q, 3),
                                    .device = col_int(q, 4),
                                    .txn_id = col_text(q, 5),
                                    .about = col_text(q, 6),
                                    .type = col_text(q, 7),
                                    .content = col_text(q, 8),
                                    .due_ms = col_int(q, 9),
                                    .created_ms = col_int(q, 10)};
    return true;
}

bool delayed_messages_insert(struct tx *tx, const struct delayed_message *row, char placeholder[ID_BYTES_MAX + 1])
{
    char drawn[DRAWN + 1];
    random_name(drawn, DRAWN);
    snprintf(placeholder, ID_BYTES_MAX + 1, PREFIX "%s", drawn);
    return db_insert(tx->db, &HELD, INSERT, "tiiittttii", placeholder, row->room, row->sender, row->device, row->txn_id,
                     row->about, row->type, row->content, row->due_ms, row->created_ms) != 0;
}

bool delayed_messages_postpone(struct tx *tx, int64_t no, int64_t due_ms)
{
    return db_run(tx->db, &HELD, POSTPONE, "ii", no, due_ms);
}

bool delayed_messages_finish(struct tx *tx, int64_t no, enum held_state state, const char *event_id)
{
    return db_run(tx->db, &HELD, FINISH, "itt", no, STATES[state], event_id);
}

bool delayed_messages_forget(struct tx *tx, user_no sender)
{
    return db_run(tx->db, &HELD, FORGET, "i", sender);
}

int delayed_messages_prune(struct tx *tx, int64_t before_ms, int64_t limit)
{
    return db_rows(tx->db, &HELD, PRUNE, "ii", before_ms, limit);
}
