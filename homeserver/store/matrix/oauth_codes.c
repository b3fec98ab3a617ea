#include "homeserver/store/matrix/oauth_codes.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/base/words.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

#define DEVICE_ROW                                                                                                     \
    "SELECT w.client_no, w.user_no, c.client_id, w.device_id, w.scope, w.state, w.origin, w.expires_ms,"               \
    " w.interval_ms, w.polled_ms, w.address FROM oauth_device_codes w JOIN oauth_clients c ON c.client_no = "          \
    "w.client_no "

enum {
    GET,
    INSERT,
    DROP_OLDEST,
    SPEND,
    FORGET,
    PRUNE,
    DEVICE_GET,
    DEVICE_BY_USER_CODE,
    DEVICE_INSERT,
    DEVICES_OF_PLACE,
    DEVICES_OF_ALL,
    DEVICE_POLLED,
    DEVICE_DECIDE,
    DEVICE_REMOVE,
    DEVICE_FORGET,
    DEVICE_PRUNE,
    COUNT
};
static const struct statement TEXTS[COUNT] = {
    [GET] = "SELECT client_no, user_no, redirect_uri, challenge, device_id, scope, origin, expires_ms, spent_ms"
            " FROM oauth_codes WHERE code_hash = $1",
    [INSERT] = "INSERT INTO oauth_codes (code_hash, client_no, user_no, redirect_uri, challenge, device_id, scope,"
               " origin, expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    [DROP_OLDEST] = "DELETE FROM oauth_codes WHERE code_hash IN (SELECT o.code_hash FROM oauth_codes o"
                    " WHERE o.user_no = $1 ORDER BY o.expires_ms DESC, o.code_hash LIMIT 1000 OFFSET $2)",
    [SPEND] = "UPDATE oauth_codes SET spent_ms = $2 WHERE code_hash = $1",
    [FORGET] = "DELETE FROM oauth_codes WHERE user_no = $1",
    [PRUNE] = "DELETE FROM oauth_codes WHERE code_hash IN (SELECT o.code_hash FROM oauth_codes o"
              " WHERE o.expires_ms < $1 ORDER BY o.expires_ms LIMIT $2)",
    [DEVICE_GET] = DEVICE_ROW "WHERE w.code_hash = $1",
    [DEVICE_BY_USER_CODE] = DEVICE_ROW "WHERE w.user_code_hash = $1",
    [DEVICE_INSERT] =
        "INSERT INTO oauth_device_codes (code_hash, user_code_hash, place_hash, client_no, device_id, scope,"
        " expires_ms, interval_ms, polled_ms, state, address) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 'waiting', $9)"
        " ON CONFLICT DO NOTHING",
    [DEVICES_OF_PLACE] = "SELECT count(*) FROM oauth_device_codes WHERE place_hash = $1",
    [DEVICES_OF_ALL] = "SELECT count(*) FROM oauth_device_codes",
    [DEVICE_POLLED] = "UPDATE oauth_device_codes SET polled_ms = $2, interval_ms = $3 WHERE code_hash = $1",
    [DEVICE_DECIDE] = "UPDATE oauth_device_codes SET state = $2, user_no = nullif($3, 0), origin = $4"
                      " WHERE user_code_hash = $1 AND state = 'waiting' AND expires_ms > $5",
    [DEVICE_REMOVE] = "DELETE FROM oauth_device_codes WHERE code_hash = $1",
    [DEVICE_FORGET] = "DELETE FROM oauth_device_codes WHERE user_no = $1",
    [DEVICE_PRUNE] = "DELETE FROM oauth_device_codes WHERE code_hash IN (SELECT w.code_hash FROM oauth_device_codes w"
                     " WHERE w.expires_ms < $1 ORDER BY w.expires_ms LIMIT $2)",
};
STATEMENTS(OAUTH_CODES, "oauth_codes", TEXTS);

static const char *const STATES[OAUTH_DEVICE_STATE__COUNT] = {"waiting", "allowed", "denied"};
static const size_t LEN = TOKEN_HASH_BYTES;

static void hash_from(struct stmt *q, int column, unsigned char out[TOKEN_HASH_BYTES])
{
    size_t len;
    const void *bytes = col_bytes(q, column, &len);
    memset(out, 0, LEN);
    if (bytes != NULL && len == LEN)
        memcpy(out, bytes, LEN);
}

void oauth_code_row_finish(struct oauth_code_row *row)
{
    free(row->redirect_uri);
    free(row->challenge);
    free(row->device_id);
    free(row->scope);
    *row = (struct oauth_code_row){0};
}

bool oauth_codes_get(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES], struct oauth_code_row *row)
{
    struct stmt *q = db_query(db, &OAUTH_CODES, GET, "b", hash, LEN);
    bool found = stmt_next(q);
    *row = (struct oauth_code_row){0};
    if (found) {
        *row = (struct oauth_code_row){.client = col_int(q, 0),
                                       .user = col_int(q, 1),
                                       .redirect_uri = xstrdup(col_text(q, 2)),
                                       .challenge = xstrdup(col_text(q, 3)),
                                       .device_id = xstrdup(col_text(q, 4)),
                                       .scope = xstrdup(col_text(q, 5)),
                                       .expires_ms = col_int(q, 7),
                                       .spent = !col_null(q, 8)};
        hash_from(q, 6, row->origin);
    }
    stmt_end(q);
    return found;
}

bool oauth_codes_insert(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES], const struct oauth_code_row *row)
{
    return db_run(tx->db, &OAUTH_CODES, INSERT, "biittttbi", hash, LEN, row->client, row->user, row->redirect_uri,
                  row->challenge, row->device_id, row->scope, row->origin, LEN, row->expires_ms) &&
           db_run(tx->db, &OAUTH_CODES, DROP_OLDEST, "ii", row->user, (int64_t)OAUTH_CODES_MAX);
}

bool oauth_codes_spend(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES])
{
    return db_run(tx->db, &OAUTH_CODES, SPEND, "bi", hash, LEN, tx->now_ms);
}

bool oauth_codes_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &OAUTH_CODES, FORGET, "i", user) && db_run(tx->db, &OAUTH_CODES, DEVICE_FORGET, "i", user);
}

void oauth_device_code_row_finish(struct oauth_device_code_row *row)
{
    free(row->client_id);
    free(row->device_id);
    free(row->scope);
    free(row->address);
    *row = (struct oauth_device_code_row){0};
}

/* What is not known is denied. */
static enum oauth_device_state state_from(const char *word)
{
    int state = WORD_FIND(STATES, word);
    return state >= 0 ? (enum oauth_device_state)state : OAUTH_DEVICE_STATE__COUNT - 1;
}

static bool device_row(struct stmt *q, struct oauth_device_code_row *row)
{
    bool found = stmt_next(q);
    *row = (struct oauth_device_code_row){0};
    if (found) {
        *row = (struct oauth_device_code_row){.client = col_int(q, 0),
                                              .user = col_int(q, 1),
                                              .client_id = xstrdup(col_text(q, 2)),
                                              .device_id = xstrdup(col_text(q, 3)),
                                              .scope = xstrdup(col_text(q, 4)),
                                              .state = state_from(col_text(q, 5)),
                                              .expires_ms = col_int(q, 7),
                                              .interval_ms = col_int(q, 8),
                                              .polled_ms = col_int(q, 9),
                                              .address = xstrdup(col_text(q, 10))};
        hash_from(q, 6, row->origin);
    }
    stmt_end(q);
    return found;
}

bool oauth_device_codes_get(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                            struct oauth_device_code_row *row)
{
    return device_row(db_query(db, &OAUTH_CODES, DEVICE_GET, "b", hash, LEN), row);
}

bool oauth_device_codes_by_user_code(struct db *db, const unsigned char user_code[TOKEN_HASH_BYTES],
                                     struct oauth_device_code_row *row)
{
    return device_row(db_query(db, &OAUTH_CODES, DEVICE_BY_USER_CODE, "b", user_code, LEN), row);
}

bool oauth_device_codes_insert(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES],
                               const unsigned char user_code[TOKEN_HASH_BYTES],
                               const unsigned char place[TOKEN_HASH_BYTES], const struct oauth_device_code_row *row)
{
    return db_rows(tx->db, &OAUTH_CODES, DEVICE_INSERT, "bbbittiit", hash, LEN, user_code, LEN, place, LEN, row->client,
                   row->device_id, row->scope, row->expires_ms, row->interval_ms, row->address) == 1;
}

bool oauth_device_codes_have_room(struct db *db, const unsigned char place[TOKEN_HASH_BYTES])
{
    return db_int(db, &OAUTH_CODES, DEVICES_OF_PLACE, 0, "b", place, LEN) < OAUTH_DEVICE_CODES_OF_PLACE &&
           db_int(db, &OAUTH_CODES, DEVICES_OF_ALL, 0, "") < OAUTH_DEVICE_CODES_MAX;
}

bool oauth_device_codes_polled(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES], int64_t interval_ms)
{
    return db_run(tx->db, &OAUTH_CODES, DEVICE_POLLED, "bii", hash, LEN, tx->now_ms, interval_ms);
}

bool oauth_device_codes_decide(struct tx *tx, const unsigned char user_code[TOKEN_HASH_BYTES],
                               enum oauth_device_state state, user_no user,
                               const unsigned char origin[TOKEN_HASH_BYTES])
{
    return db_rows(tx->db, &OAUTH_CODES, DEVICE_DECIDE, "btibi", user_code, LEN, STATES[state], user, origin, LEN,
                   tx->now_ms) == 1;
}

bool oauth_device_codes_remove(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES])
{
    return db_run(tx->db, &OAUTH_CODES, DEVICE_REMOVE, "b", hash, LEN);
}

int oauth_codes_prune(struct tx *tx, int64_t before_ms, int most)
{
    return db_rows(tx->db, &OAUTH_CODES, PRUNE, "ii", before_ms - OAUTH_CODE_KEPT_MS, (int64_t)most) +
           db_rows(tx->db, &OAUTH_CODES, DEVICE_PRUNE, "ii", before_ms, (int64_t)most);
}
