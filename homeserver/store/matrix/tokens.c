#include "homeserver/store/matrix/tokens.h"

#include <stdio.h>
#include <stdlib.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

enum {
    FIND,
    FIND_REFRESH,
    INSERT,
    INSERT_REFRESH,
    END_OF_ACCESS,
    END_OF_REFRESH,
    SETTLE_ACCESS,
    SETTLE_REFRESH,
    DROP_EXPIRED,
    DROP_UNUSED,
    DROP_UNUSED_REFRESH,
    OF_DEVICE,
    REFRESH_OF_DEVICE,
    N
};
static const char *const TEXTS[N] = {
    [FIND] = "SELECT d.user_no, d.device_no, u.localpart, d.device_id, u.state, u.admin, t.expires_ms, t.ends_hash"
             " FROM access_tokens t JOIN devices d ON d.device_no = t.device_no JOIN users u ON u.user_no = d.user_no"
             " WHERE t.token_hash = $1",
    [FIND_REFRESH] = "SELECT d.device_no, d.user_no, u.state, t.expires_ms, t.ends_hash"
                     " FROM refresh_tokens t JOIN devices d ON d.device_no = t.device_no"
                     " JOIN users u ON u.user_no = d.user_no WHERE t.token_hash = $1",
    [INSERT] = "INSERT INTO access_tokens (token_hash, device_no, ends_hash, expires_ms) VALUES ($1, $2, $3, $4)",
    [INSERT_REFRESH] =
        "INSERT INTO refresh_tokens (token_hash, device_no, ends_hash, expires_ms) VALUES ($1, $2, $3, $4)",
    [END_OF_ACCESS] = "DELETE FROM refresh_tokens WHERE token_hash ="
                      " (SELECT ends_hash FROM access_tokens WHERE token_hash = $1)",
    [END_OF_REFRESH] = "DELETE FROM refresh_tokens WHERE token_hash ="
                       " (SELECT r.ends_hash FROM refresh_tokens r WHERE r.token_hash = $1)",
    /* Either one's first use settles both of the pair: they carry the same ends_hash. */
    [SETTLE_ACCESS] = "UPDATE access_tokens SET ends_hash = NULL WHERE device_no = $1",
    [SETTLE_REFRESH] = "UPDATE refresh_tokens SET ends_hash = NULL WHERE device_no = $1",
    [DROP_EXPIRED] = "DELETE FROM access_tokens WHERE device_no = $1 AND expires_ms <= $2",
    [DROP_UNUSED] = "DELETE FROM access_tokens WHERE ends_hash = $1"
                    " AND device_no = (SELECT device_no FROM refresh_tokens WHERE token_hash = $1)",
    [DROP_UNUSED_REFRESH] = "DELETE FROM refresh_tokens WHERE ends_hash = $1"
                            " AND device_no = (SELECT r.device_no FROM refresh_tokens r WHERE r.token_hash = $1)",
    [OF_DEVICE] = "DELETE FROM access_tokens WHERE device_no = $1",
    [REFRESH_OF_DEVICE] = "DELETE FROM refresh_tokens WHERE device_no = $1",
};
static const struct statements TOKENS = {"tokens", TEXTS, N};

static void token_from_row(struct stmt *q, struct token_row *row)
{
    *row = (struct token_row){
        .user = col_int(q, 0),
        .device = col_int(q, 1),
        .localpart = xstrdup(col_text(q, 2)),
        .device_id = xstrdup(col_text(q, 3)),
        .admin = col_int(q, 5) != 0,
        .expires_ms = col_int(q, 6),
        .fresh = !col_null(q, 7),
    };
    snprintf(row->state, sizeof row->state, "%s", col_text(q, 4));
}

static void refresh_from_row(struct stmt *q, struct refresh_row *row)
{
    *row = (struct refresh_row){
        .device = col_int(q, 0), .user = col_int(q, 1), .expires_ms = col_int(q, 3), .fresh = !col_null(q, 4)};
    snprintf(row->state, sizeof row->state, "%s", col_text(q, 2));
}

void token_row_finish(struct token_row *row)
{
    free(row->localpart);
    free(row->device_id);
    *row = (struct token_row){0};
}

bool tokens_find(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES], struct token_row *row)
{
    struct stmt *q = db_query(db, &TOKENS, FIND, "b", hash, (size_t)TOKEN_HASH_BYTES);
    bool found = stmt_next(q);
    *row = (struct token_row){0};
    if (found)
        token_from_row(q, row);
    stmt_end(q);
    return found;
}

bool tokens_find_refresh(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES], struct refresh_row *row)
{
    struct stmt *q = db_query(db, &TOKENS, FIND_REFRESH, "b", hash, (size_t)TOKEN_HASH_BYTES);
    bool found = stmt_next(q);
    *row = (struct refresh_row){0};
    if (found)
        refresh_from_row(q, row);
    stmt_end(q);
    return found;
}

static bool insert(struct tx *tx, int which, device_no device, const unsigned char *hash, const unsigned char *ends,
                   int64_t expires_ms)
{
    const size_t len = TOKEN_HASH_BYTES;
    if (expires_ms == 0)
        return db_run(tx->db, &TOKENS, which, "bibn", hash, len, device, ends, len);
    return db_run(tx->db, &TOKENS, which, "bibi", hash, len, device, ends, len, expires_ms);
}

bool tokens_insert(struct tx *tx, device_no device, const unsigned char hash[TOKEN_HASH_BYTES],
                   const unsigned char *ends, int64_t expires_ms)
{
    return insert(tx, INSERT, device, hash, ends, expires_ms);
}

bool tokens_insert_refresh(struct tx *tx, device_no device, const unsigned char hash[TOKEN_HASH_BYTES],
                           const unsigned char *ends, int64_t expires_ms)
{
    return insert(tx, INSERT_REFRESH, device, hash, ends, expires_ms);
}

static bool end_replaced(struct tx *tx, int which, device_no device, const unsigned char *hash)
{
    return db_run(tx->db, &TOKENS, which, "b", hash, (size_t)TOKEN_HASH_BYTES) &&
           db_run(tx->db, &TOKENS, SETTLE_ACCESS, "i", device) &&
           db_run(tx->db, &TOKENS, SETTLE_REFRESH, "i", device) &&
           db_run(tx->db, &TOKENS, DROP_EXPIRED, "ii", device, tx->now_ms);
}

bool tokens_used(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES])
{
    struct token_row row;
    bool ok = true;
    if (tokens_find(tx->db, hash, &row) && row.fresh)
        ok = end_replaced(tx, END_OF_ACCESS, row.device, hash);
    token_row_finish(&row);
    return ok;
}

bool tokens_used_refresh(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES])
{
    struct refresh_row row;
    if (!tokens_find_refresh(tx->db, hash, &row) || !row.fresh)
        return true;
    return end_replaced(tx, END_OF_REFRESH, row.device, hash);
}

bool tokens_drop_unused(struct tx *tx, const unsigned char ends[TOKEN_HASH_BYTES])
{
    return db_run(tx->db, &TOKENS, DROP_UNUSED, "b", ends, (size_t)TOKEN_HASH_BYTES) &&
           db_run(tx->db, &TOKENS, DROP_UNUSED_REFRESH, "b", ends, (size_t)TOKEN_HASH_BYTES);
}

bool tokens_delete_of_device(struct tx *tx, user_no user, device_no device)
{
    tx_change(tx, (struct change){.kind = CHANGE_SESSION, .user = user, .device = device});
    return db_run(tx->db, &TOKENS, OF_DEVICE, "i", device) && db_run(tx->db, &TOKENS, REFRESH_OF_DEVICE, "i", device);
}
