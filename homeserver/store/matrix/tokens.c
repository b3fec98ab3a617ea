#include "homeserver/store/matrix/tokens.h"

#include <stdio.h>
#include <stdlib.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

/* Access and refresh tokens lie in two tables of the same columns: a statement X for both is X + enum token_kind. */
enum {
    FIND = 0,
    INSERT = 2,
    END_REPLACED = 4,
    SETTLE = 6,
    DROP_UNUSED = 8,
    OF_DEVICE = 10,
    REMEMBER_SPENT = 12,
    DROP_EXPIRED = 14,
    DROP_OTHERS,
    SPENT,
    SPENT_OF_DEVICE,
    DROP_OLD_SPENT,
    REGISTRATION_VALID,
    REGISTRATION_INSERT,
    REGISTRATION_USE,
    COUNT
};

#define FIND_IN(table)                                                                                                 \
    "SELECT d.user_no, d.device_no, u.localpart, d.device_id, u.state, u.admin, t.expires_ms, t.ends_hash,"            \
    " d.client_no"                                                                                                     \
    " FROM " table " t JOIN devices d ON d.device_no = t.device_no JOIN users u ON u.user_no = d.user_no"              \
    " WHERE t.token_hash = $1"
#define INSERT_INTO(table)                                                                                             \
    "INSERT INTO " table " (token_hash, device_no, ends_hash, expires_ms) VALUES ($1, $2, $3, nullif($4, 0))"
#define END_REPLACED_BY(table)                                                                                         \
    "DELETE FROM refresh_tokens WHERE token_hash = (SELECT t.ends_hash FROM " table " t WHERE t.token_hash = $1)"
#define REMEMBER_REPLACED_BY(table)                                                                                    \
    "INSERT INTO spent_refresh_tokens (token_hash, device_no, spent_ms) SELECT r.token_hash, r.device_no, $2"          \
    " FROM refresh_tokens r JOIN devices d ON d.device_no = r.device_no WHERE d.client_no IS NOT NULL"                 \
    " AND r.token_hash = (SELECT t.ends_hash FROM " table " t WHERE t.token_hash = $1) ON CONFLICT DO NOTHING"
/* Any one's first use settles all that were got with the same refresh token. */
#define SETTLE_IN(table) "UPDATE " table " SET ends_hash = NULL WHERE device_no = $1"
#define DROP_UNUSED_IN(table)                                                                                          \
    "DELETE FROM " table " WHERE ends_hash = $1"                                                                       \
    " AND device_no = (SELECT r.device_no FROM refresh_tokens r WHERE r.token_hash = $1)"                              \
    " AND (SELECT count(*) FROM " table " u WHERE u.ends_hash = $1) >= $2"
#define DELETE_IN(table) "DELETE FROM " table " WHERE device_no = $1"

#define USABLE                                                                                                         \
    " WHERE token_hash = $1 AND (uses_allowed IS NULL OR uses < uses_allowed)"                                         \
    " AND (expires_ms IS NULL OR expires_ms > $2)"

static const struct statement TEXTS[COUNT] = {
    [FIND + TOKEN_ACCESS] = FIND_IN("access_tokens"),
    [FIND + TOKEN_REFRESH] = FIND_IN("refresh_tokens"),
    [INSERT + TOKEN_ACCESS] = INSERT_INTO("access_tokens"),
    [INSERT + TOKEN_REFRESH] = INSERT_INTO("refresh_tokens"),
    [END_REPLACED + TOKEN_ACCESS] = END_REPLACED_BY("access_tokens"),
    [END_REPLACED + TOKEN_REFRESH] = END_REPLACED_BY("refresh_tokens"),
    [REMEMBER_SPENT + TOKEN_ACCESS] = REMEMBER_REPLACED_BY("access_tokens"),
    [REMEMBER_SPENT + TOKEN_REFRESH] = REMEMBER_REPLACED_BY("refresh_tokens"),
    [SETTLE + TOKEN_ACCESS] = SETTLE_IN("access_tokens"),
    [SETTLE + TOKEN_REFRESH] = SETTLE_IN("refresh_tokens"),
    [DROP_UNUSED + TOKEN_ACCESS] = DROP_UNUSED_IN("access_tokens"),
    [DROP_UNUSED + TOKEN_REFRESH] = DROP_UNUSED_IN("refresh_tokens"),
    [OF_DEVICE + TOKEN_ACCESS] = DELETE_IN("access_tokens"),
    [OF_DEVICE + TOKEN_REFRESH] = DELETE_IN("refresh_tokens"),
    [DROP_EXPIRED] = "DELETE FROM access_tokens WHERE device_no = $1 AND expires_ms <= $2",
    [DROP_OTHERS] = "DELETE FROM refresh_tokens WHERE token_hash <> $1 AND ends_hash IS NULL"
                    " AND device_no = (SELECT r.device_no FROM refresh_tokens r WHERE r.token_hash = $1)"
                    " AND (SELECT count(*) FROM refresh_tokens n JOIN refresh_tokens r ON n.device_no = r.device_no"
                    " WHERE r.token_hash = $1) >= $2",
    [SPENT] = "SELECT d.user_no, d.device_no FROM spent_refresh_tokens s JOIN devices d ON d.device_no = s.device_no"
              " WHERE s.token_hash = $1",
    [SPENT_OF_DEVICE] = DELETE_IN("spent_refresh_tokens"),
    [DROP_OLD_SPENT] = "DELETE FROM spent_refresh_tokens WHERE token_hash IN (SELECT s.token_hash"
                       " FROM spent_refresh_tokens s WHERE s.device_no = $1"
                       " ORDER BY s.spent_ms DESC, s.token_hash LIMIT 1000 OFFSET $2)",
    [REGISTRATION_VALID] = "SELECT 1 FROM registration_tokens" USABLE,
    [REGISTRATION_INSERT] = {"INSERT INTO registration_tokens (token_hash, uses_allowed, expires_ms, created_ms)"
                             " VALUES ($1, nullif($2, 0), nullif($3, 0), $4) ON CONFLICT DO NOTHING",
                             0, GUARDED},
    [REGISTRATION_USE] = "UPDATE registration_tokens SET uses = uses + 1" USABLE,
};
STATEMENTS(TOKENS, "tokens", TEXTS);

void token_row_finish(struct token_row *row)
{
    free(row->localpart);
    free(row->device_id);
    *row = (struct token_row){0};
}

bool tokens_find(struct db *db, enum token_kind kind, const unsigned char hash[TOKEN_HASH_BYTES], struct token_row *row)
{
    struct stmt *q = db_query(db, &TOKENS, FIND + (int)kind, "b", hash, (size_t)TOKEN_HASH_BYTES);
    bool found = stmt_next(q);
    *row = (struct token_row){0};
    if (found) {
        *row = (struct token_row){
            .user = col_int(q, 0),
            .device = col_int(q, 1),
            .localpart = xstrdup(col_text(q, 2)),
            .device_id = xstrdup(col_text(q, 3)),
            .state = account_state_stored(col_text(q, 4)),
            .admin = col_int(q, 5) != 0,
            .expires_ms = col_int(q, 6),
            .fresh = !col_null(q, 7),
            .client = col_int(q, 8),
        };
    }
    stmt_end(q);
    return found;
}

bool tokens_insert(struct tx *tx, enum token_kind kind, device_no device, const unsigned char hash[TOKEN_HASH_BYTES],
                   const unsigned char *ends, int64_t expires_ms)
{
    const size_t len = TOKEN_HASH_BYTES;
    return db_run(tx->db, &TOKENS, INSERT + (int)kind, "bibi", hash, len, device, ends, len, expires_ms);
}

/* Before it is deleted. */
static bool remember_replaced(struct tx *tx, enum token_kind kind, const unsigned char hash[TOKEN_HASH_BYTES],
                              device_no device)
{
    return db_run(tx->db, &TOKENS, REMEMBER_SPENT + (int)kind, "bi", hash, (size_t)TOKEN_HASH_BYTES, tx->now_ms) &&
           db_run(tx->db, &TOKENS, DROP_OLD_SPENT, "ii", device, (int64_t)TOKENS_SPENT_MAX);
}

bool tokens_spent(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES], struct token_spent *out)
{
    struct stmt *q = db_query(db, &TOKENS, SPENT, "b", hash, (size_t)TOKEN_HASH_BYTES);
    bool found = stmt_next(q);
    *out = (struct token_spent){0};
    if (found)
        *out = (struct token_spent){.user = col_int(q, 0), .device = col_int(q, 1)};
    stmt_end(q);
    return found;
}

bool tokens_used(struct tx *tx, enum token_kind kind, const unsigned char hash[TOKEN_HASH_BYTES])
{
    struct token_row row;
    bool fresh = tokens_find(tx->db, kind, hash, &row) && row.fresh;
    bool remembered = !fresh || row.client == 0 || remember_replaced(tx, kind, hash, row.device);
    device_no device = row.device;
    token_row_finish(&row);
    return !fresh ||
           (remembered && db_run(tx->db, &TOKENS, END_REPLACED + (int)kind, "b", hash, (size_t)TOKEN_HASH_BYTES) &&
            db_run(tx->db, &TOKENS, SETTLE + TOKEN_ACCESS, "i", device) &&
            db_run(tx->db, &TOKENS, SETTLE + TOKEN_REFRESH, "i", device) &&
            db_run(tx->db, &TOKENS, DROP_EXPIRED, "ii", device, tx->now_ms));
}

bool tokens_make_room(struct tx *tx, const unsigned char ends[TOKEN_HASH_BYTES], int64_t pairs)
{
    const size_t len = TOKEN_HASH_BYTES;
    return db_run(tx->db, &TOKENS, DROP_UNUSED + TOKEN_ACCESS, "bi", ends, len, pairs) &&
           db_run(tx->db, &TOKENS, DROP_UNUSED + TOKEN_REFRESH, "bi", ends, len, pairs) &&
           db_run(tx->db, &TOKENS, DROP_OTHERS, "bi", ends, len, 2 * pairs);
}

bool tokens_delete_of_device(struct tx *tx, user_no user, device_no device)
{
    tx_change(tx, (struct change){.kind = CHANGE_SESSION, .user = user, .device = device});
    return db_run(tx->db, &TOKENS, OF_DEVICE + TOKEN_ACCESS, "i", device) &&
           db_run(tx->db, &TOKENS, OF_DEVICE + TOKEN_REFRESH, "i", device) &&
           db_run(tx->db, &TOKENS, SPENT_OF_DEVICE, "i", device);
}

bool registration_tokens_valid(struct db *db, const char *token, int64_t now_ms)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(token, hash);
    return db_int(db, &TOKENS, REGISTRATION_VALID, 0, "bi", hash, sizeof hash, now_ms) == 1;
}

bool registration_tokens_insert(struct tx *tx, const char *token, int64_t uses_allowed, int64_t expires_ms)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(token, hash);
    return db_rows(tx->db, &TOKENS, REGISTRATION_INSERT, "biii", hash, sizeof hash, uses_allowed, expires_ms,
                   tx->now_ms) == 1;
}

bool registration_tokens_use(struct tx *tx, const char *token)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(token, hash);
    return db_rows(tx->db, &TOKENS, REGISTRATION_USE, "bi", hash, sizeof hash, tx->now_ms) == 1;
}
