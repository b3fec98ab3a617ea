#include "homeserver/store/matrix/to_device.h"

#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

#define DROPPED_AT_ONCE 50 /* so that a full queue is not counted through for each message */

enum {
    PUT,
    WAITING,
    BUSIEST,
    DROP,
    NOTE_LOST,
    BETWEEN,
    LOST,
    OLDEST,
    OLDEST_LOST,
    DELIVERED,
    DELIVERED_LOST,
    TRANSACTION,
    KEEP_TRANSACTION,
    COUNT_TRANSACTIONS,
    DROP_TRANSACTIONS,
    PRUNE,
    FORGET,
    N
};
static const struct statement TEXTS[N] = {
    [PUT] = "INSERT INTO to_device (pos, device_no, sender, bytes, type, content) VALUES ($1, $2, $3, $4, $5, $6)",
    [WAITING] = "SELECT count(*), COALESCE(SUM(bytes), 0) FROM to_device WHERE device_no = $1",
    [BUSIEST] = "SELECT sender FROM to_device WHERE device_no = $1 GROUP BY sender"
                " ORDER BY count(*) DESC, SUM(bytes) DESC LIMIT 1",
    [DROP] = "DELETE FROM to_device WHERE pos IN (SELECT pos FROM to_device WHERE device_no = $1 AND sender = $2"
             " ORDER BY pos LIMIT $3)",
    [NOTE_LOST] = "INSERT INTO to_device_lost (device_no, pos, lost) VALUES ($1, $2, $3) ON CONFLICT (device_no)"
                  " DO UPDATE SET pos = excluded.pos, lost = to_device_lost.lost + excluded.lost",
    [BETWEEN] = "SELECT pos, sender, type, content FROM to_device WHERE device_no = $1 AND pos > $2 AND pos <= $3"
                " ORDER BY pos LIMIT $4",
    [LOST] = "SELECT lost FROM to_device_lost WHERE device_no = $1 AND pos > $2 AND pos <= $3",
    [OLDEST] = "SELECT min(pos) FROM to_device WHERE device_no = $1",
    [OLDEST_LOST] = "SELECT pos FROM to_device_lost WHERE device_no = $1",
    [DELIVERED] = "DELETE FROM to_device WHERE device_no = $1 AND pos <= $2",
    [DELIVERED_LOST] = "DELETE FROM to_device_lost WHERE device_no = $1 AND pos <= $2",
    [TRANSACTION] = "SELECT 1 FROM to_device_transactions WHERE device_no = $1 AND about = $2 AND txn_id = $3",
    [KEEP_TRANSACTION] = "INSERT INTO to_device_transactions (device_no, about, txn_id, done_ms)"
                         " VALUES ($1, $2, $3, $4)",
    [COUNT_TRANSACTIONS] = "SELECT count(*) FROM to_device_transactions WHERE device_no = $1",
    [DROP_TRANSACTIONS] = "DELETE FROM to_device_transactions WHERE device_no = $1 AND done_ms <= (SELECT done_ms FROM"
                          " to_device_transactions WHERE device_no = $1 ORDER BY done_ms LIMIT 1 OFFSET $2)",
    [PRUNE] = "DELETE FROM to_device_transactions WHERE (device_no, about, txn_id) IN (SELECT device_no, about, txn_id"
              " FROM to_device_transactions WHERE done_ms < $1 OR done_ms > $3 ORDER BY done_ms LIMIT $2)",
    [FORGET] = "DELETE FROM to_device WHERE sender = $1",
};
STATEMENTS(TO_DEVICE, "to_device", TEXTS);

static bool fits(struct tx *tx, device_no device)
{
    struct stmt *q = db_query(tx->db, &TO_DEVICE, WAITING, "i", device);
    bool good = !stmt_next(q) || (col_int(q, 0) <= TO_DEVICE_WAITING_MAX && col_int(q, 1) <= TO_DEVICE_WAITING_BYTES);
    stmt_end(q);
    return good;
}

/* The loss is told with the message that caused it. */
static bool make_room(struct tx *tx, device_no device, stream_pos pos)
{
    int lost = 0, dropped = 1;
    while (dropped != 0 && !db_failed(tx->db) && !fits(tx, device)) {
        user_no busiest = db_int(tx->db, &TO_DEVICE, BUSIEST, 0, "i", device);
        dropped = db_rows(tx->db, &TO_DEVICE, DROP, "iii", device, busiest, (int64_t)DROPPED_AT_ONCE);
        lost += dropped;
    }
    return lost == 0 || db_run(tx->db, &TO_DEVICE, NOTE_LOST, "iii", device, pos, (int64_t)lost);
}

bool to_device_put(struct tx *tx, user_no user, device_no device, user_no sender, const char *type, const char *content)
{
    stream_pos pos = tx_next_pos(tx);
    tx_change(tx,
              (struct change){.kind = CHANGE_TO_DEVICE, .private_ = true, .pos = pos, .user = user, .device = device});
    return db_run(tx->db, &TO_DEVICE, PUT, "iiiitt", pos, device, sender, (int64_t)(strlen(type) + strlen(content)),
                  type, content) &&
           make_room(tx, device, pos);
}

void to_device_each(struct db *db, device_no device, stream_pos since, stream_pos upto, int64_t most,
                    void (*fn)(void *arg, const struct to_device_row *row), void *arg)
{
    struct stmt *q = db_query(db, &TO_DEVICE, BETWEEN, "iiii", device, since, upto, most);
    while (stmt_next(q))
        fn(arg, &(struct to_device_row){col_int(q, 0), col_int(q, 1), col_text(q, 2), col_text(q, 3)});
    stmt_end(q);
}

int64_t to_device_lost(struct db *db, device_no device, stream_pos since, stream_pos upto)
{
    return db_int(db, &TO_DEVICE, LOST, 0, "iii", device, since, upto);
}

stream_pos to_device_oldest(struct db *db, device_no device)
{
    stream_pos waits = db_int(db, &TO_DEVICE, OLDEST, 0, "i", device);
    stream_pos lost = db_int(db, &TO_DEVICE, OLDEST_LOST, 0, "i", device);
    return waits == 0 || (lost != 0 && lost < waits) ? lost : waits;
}

bool to_device_delivered(struct tx *tx, device_no device, stream_pos pos)
{
    return db_run(tx->db, &TO_DEVICE, DELIVERED, "ii", device, pos) &&
           db_run(tx->db, &TO_DEVICE, DELIVERED_LOST, "ii", device, pos);
}

bool to_device_sent_before(struct tx *tx, device_no device, const char *about, const char *txn_id)
{
    if (db_int(tx->db, &TO_DEVICE, TRANSACTION, 0, "itt", device, about, txn_id) != 0)
        return true;
    db_run(tx->db, &TO_DEVICE, KEEP_TRANSACTION, "itti", device, about, txn_id, tx->now_ms);
    if (db_int(tx->db, &TO_DEVICE, COUNT_TRANSACTIONS, 0, "i", device) > TO_DEVICE_TRANSACTIONS_MAX)
        db_run(tx->db, &TO_DEVICE, DROP_TRANSACTIONS, "ii", device, (int64_t)DROPPED_AT_ONCE);
    return false;
}

int to_device_prune(struct tx *tx, int64_t before_ms, int64_t limit)
{
    return db_rows(tx->db, &TO_DEVICE, PRUNE, "iii", before_ms, limit, tx->now_ms + DAY_MS);
}

bool to_device_forget(struct tx *tx, user_no sender)
{
    return db_run(tx->db, &TO_DEVICE, FORGET, "i", sender);
}
