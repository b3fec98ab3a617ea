#include "homeserver/store/matrix/second_factors.h"

#include <string.h>

#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

enum { GET, CODES, SET, STEP, ADD_CODE, SPEND_CODE, FORGET, FORGET_CODES, N };
static const struct statement TEXTS[N] = {
    [GET] = "SELECT secret, set_ms, last_step FROM second_factors WHERE user_no = $1",
    [CODES] = "SELECT count(*) FROM recovery_codes WHERE user_no = $1",
    [SET] = ("INSERT INTO second_factors (user_no, secret, set_ms, last_step) VALUES ($1, $2, $3, $4)"
             " ON CONFLICT (user_no) DO UPDATE SET secret = excluded.secret, set_ms = excluded.set_ms,"
             " last_step = excluded.last_step"),
    [STEP] = "UPDATE second_factors SET last_step = $2 WHERE user_no = $1",
    [ADD_CODE] = "INSERT INTO recovery_codes (code_hash, user_no) VALUES ($1, $2)",
    [SPEND_CODE] = "DELETE FROM recovery_codes WHERE code_hash = $1 AND user_no = $2",
    [FORGET] = {"DELETE FROM second_factors WHERE user_no = $1", 0, GUARDED},
    [FORGET_CODES] = "DELETE FROM recovery_codes WHERE user_no = $1",
};
STATEMENTS(SECOND_FACTORS, "second_factors", TEXTS);

bool second_factors_get(struct db *db, user_no user, struct second_factor_row *out)
{
    size_t len = 0;
    struct stmt *q = db_query(db, &SECOND_FACTORS, GET, "i", user);
    *out = (struct second_factor_row){0};
    bool found = stmt_next(q);
    if (found) {
        const void *sealed = col_bytes(q, 0, &len);
        if (len == sizeof out->sealed)
            memcpy(out->sealed, sealed, len);
        out->set_ms = col_int(q, 1);
        out->last_step = col_int(q, 2);
    }
    stmt_end(q);
    return found;
}

bool second_factors_has(struct db *db, user_no user)
{
    struct second_factor_row row;
    return second_factors_get(db, user, &row);
}

int64_t second_factors_codes(struct db *db, user_no user)
{
    return db_int(db, &SECOND_FACTORS, CODES, 0, "i", user);
}

bool second_factors_set(struct tx *tx, user_no user, const struct second_factor_row *row)
{
    return db_run(tx->db, &SECOND_FACTORS, FORGET_CODES, "i", user) &&
           db_run(tx->db, &SECOND_FACTORS, SET, "ibii", user, row->sealed, sizeof row->sealed, row->set_ms,
                  row->last_step);
}

bool second_factors_step(struct tx *tx, user_no user, int64_t step)
{
    return db_run(tx->db, &SECOND_FACTORS, STEP, "ii", user, step);
}

bool second_factors_add_code(struct tx *tx, user_no user, const unsigned char hash[TOKEN_HASH_BYTES])
{
    return db_run(tx->db, &SECOND_FACTORS, ADD_CODE, "bi", hash, (size_t)TOKEN_HASH_BYTES, user);
}

bool second_factors_spend_code(struct tx *tx, user_no user, const unsigned char hash[TOKEN_HASH_BYTES], bool *found)
{
    *found = db_rows(tx->db, &SECOND_FACTORS, SPEND_CODE, "bi", hash, (size_t)TOKEN_HASH_BYTES, user) > 0;
    return !db_failed(tx->db);
}

bool second_factors_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &SECOND_FACTORS, FORGET_CODES, "i", user) &&
           db_run(tx->db, &SECOND_FACTORS, FORGET, "i", user);
}
