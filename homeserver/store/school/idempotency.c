#include "homeserver/store/school/idempotency.h"

#include "homeserver/store/driver/writer.h"

enum { FIND, HOW_MANY, HOW_LONG, INSERT, FORGET, PRUNE, N };
static const struct statement TEXTS[N] = {
    [FIND] = "SELECT caller, key_hash, request_hash, status, version, reply FROM idempotency"
             " WHERE caller = $1 AND key_hash = $2",
    [HOW_MANY] = "SELECT count(*) FROM idempotency WHERE caller = $1",
    [HOW_LONG] = "SELECT COALESCE(SUM(length(reply)), 0) FROM idempotency WHERE caller = $1",
    [INSERT] = "INSERT INTO idempotency (caller, key_hash, request_hash, status, version, reply, created_ms)"
               " VALUES ($1, $2, $3, $4, $5, $6, $7)",
    [FORGET] = "DELETE FROM idempotency WHERE caller = $1",
    [PRUNE] = "DELETE FROM idempotency WHERE (caller, key_hash) IN"
              " (SELECT caller, key_hash FROM idempotency WHERE created_ms < $1 LIMIT $2)",
};
STATEMENTS(IDEMPOTENCY, "idempotency", TEXTS);

struct stmt *idempotency_find(struct db *db, const char *caller, const unsigned char key_hash[IDEMPOTENCY_HASH_BYTES])
{
    return db_query(db, &IDEMPOTENCY, FIND, "tb", caller, key_hash, (size_t)IDEMPOTENCY_HASH_BYTES);
}

bool idempotency_next(struct stmt *q, struct idempotency_row *row)
{
    size_t len;
    if (!stmt_next(q))
        return false;
    *row = (struct idempotency_row){.caller = col_text(q, 0),
                                    .key_hash = col_bytes(q, 1, &len),
                                    .request_hash = col_bytes(q, 2, &len),
                                    .status = (int)col_int(q, 3),
                                    .version = col_int(q, 4)};
    row->reply = col_bytes(q, 5, &row->reply_len);
    return true;
}

int64_t idempotency_count(struct db *db, const char *caller)
{
    return db_int(db, &IDEMPOTENCY, HOW_MANY, 0, "t", caller);
}

int64_t idempotency_bytes(struct db *db, const char *caller)
{
    return db_int(db, &IDEMPOTENCY, HOW_LONG, 0, "t", caller);
}

bool idempotency_insert(struct tx *tx, const struct idempotency_row *row)
{
    const size_t hash = IDEMPOTENCY_HASH_BYTES;
    return db_run(tx->db, &IDEMPOTENCY, INSERT, "tbbiibi", row->caller, row->key_hash, hash, row->request_hash, hash,
                  (int64_t)row->status, row->version, row->reply, row->reply_len, tx->now_ms);
}

int idempotency_prune(struct tx *tx, int64_t before_ms, int at_most)
{
    return db_rows(tx->db, &IDEMPOTENCY, PRUNE, "ii", before_ms, (int64_t)at_most);
}

bool idempotency_forget(struct tx *tx, const char *caller)
{
    return db_run(tx->db, &IDEMPOTENCY, FORGET, "t", caller);
}
