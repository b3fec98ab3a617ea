#include "homeserver/store/school/operators.h"

#include "homeserver/store/driver/writer.h"

#define SELECT_OPERATORS "SELECT token_no, name, scopes, created_ms, expires_ms, revoked_ms FROM operator_tokens WHERE "

enum { FIND, BY_NAME, LIST, INSERT, REVOKE, N };
static const struct statement TEXTS[N] = {
    [FIND] = SELECT_OPERATORS "token_hash = $1",
    [BY_NAME] = SELECT_OPERATORS "name = $1",
    [LIST] = SELECT_OPERATORS "token_no > $1 ORDER BY token_no LIMIT $2",
    [INSERT] = {"INSERT INTO operator_tokens (token_hash, name, scopes, created_ms, expires_ms)"
                " VALUES ($1, $2, $3, $4, nullif($5, 0)) ON CONFLICT DO NOTHING RETURNING token_no",
                0, GUARDED},
    [REVOKE] = {"UPDATE operator_tokens SET revoked_ms = $2 WHERE token_no = $1 AND revoked_ms IS NULL", 0, GUARDED},
};
STATEMENTS(OPERATORS, "operator_tokens", TEXTS);

struct stmt *operators_find(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES])
{
    return db_query(db, &OPERATORS, FIND, "b", hash, (size_t)TOKEN_HASH_BYTES);
}

struct stmt *operators_by_name(struct db *db, const char *name)
{
    return db_query(db, &OPERATORS, BY_NAME, "t", name);
}

struct stmt *operators_list(struct db *db, int64_t after, int limit)
{
    return db_query(db, &OPERATORS, LIST, "ii", after, (int64_t)limit);
}

bool operators_next(struct stmt *q, struct operator_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct operator_row){.no = col_int(q, 0),
                                 .name = col_text(q, 1),
                                 .scopes = col_text(q, 2),
                                 .created_ms = col_int(q, 3),
                                 .expires_ms = col_int(q, 4),
                                 .revoked_ms = col_int(q, 5)};
    return true;
}

bool operator_valid(const struct operator_row *row, int64_t now_ms)
{
    return row->revoked_ms == 0 && (row->expires_ms == 0 || row->expires_ms > now_ms);
}

int64_t operators_insert(struct tx *tx, const char *name, const unsigned char hash[TOKEN_HASH_BYTES],
                         const char *scopes, int64_t expires_ms)
{
    return db_insert(tx->db, &OPERATORS, INSERT, "bttii", hash, (size_t)TOKEN_HASH_BYTES, name, scopes, tx->now_ms,
                     expires_ms);
}

bool operators_revoke(struct tx *tx, int64_t no)
{
    return db_rows(tx->db, &OPERATORS, REVOKE, "ii", no, tx->now_ms) == 1;
}
