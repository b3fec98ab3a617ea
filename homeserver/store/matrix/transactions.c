#include "homeserver/store/matrix/transactions.h"

#include "homeserver/store/driver/db.h"
#include "homeserver/base/clock.h"
#include "homeserver/store/driver/writer.h"

enum { FIND, TXN_OF, INSERT, PRUNE, COUNT };
static const struct statement TEXTS[COUNT] = {
    [FIND] = "SELECT pos FROM transactions WHERE device_no = $1 AND txn_id = $2 AND room_no = $3 AND about = $4",
    [TXN_OF] = "SELECT txn_id FROM transactions WHERE pos = $1 AND device_no = $2",
    [INSERT] = "INSERT INTO transactions (device_no, txn_id, room_no, about, pos) VALUES ($1, $2, $3, $4, $5)",
    [PRUNE] = "DELETE FROM transactions WHERE pos IN (SELECT o.pos FROM"
              " (SELECT pos FROM transactions ORDER BY pos LIMIT $2) o JOIN events e ON e.pos = o.pos"
              " WHERE coalesce(e.received_ms, e.ts) < $1 OR coalesce(e.received_ms, e.ts) > $3)",
};
STATEMENTS(TRANSACTIONS, "transactions", TEXTS);

stream_pos transactions_find(struct db *db, device_no device, room_no room, const char *about, const char *txn_id)
{
    return db_int(db, &TRANSACTIONS, FIND, 0, "itit", device, txn_id, room, about);
}

char *transactions_txn_of(struct db *db, device_no device, stream_pos pos)
{
    return db_text(db, &TRANSACTIONS, TXN_OF, "ii", pos, device);
}

bool transactions_insert(struct tx *tx, device_no device, room_no room, const char *about, const char *txn_id,
                         stream_pos pos)
{
    return db_run(tx->db, &TRANSACTIONS, INSERT, "ititi", device, txn_id, room, about, pos);
}

int transactions_prune(struct tx *tx, int64_t before_ms, int64_t limit)
{
    return db_rows(tx->db, &TRANSACTIONS, PRUNE, "iii", before_ms, limit, tx->now_ms + DAY_MS);
}
