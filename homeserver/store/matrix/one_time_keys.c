#include "homeserver/store/matrix/one_time_keys.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/appservices.h"

enum {
    FIND,
    PUT,
    LEFT,
    OLDEST,
    GIVE,
    PRUNE,
    FALLBACK,
    FALLBACK_FRESH,
    FALLBACK_PUT,
    FALLBACK_USE,
    FORGET,
    FALLBACK_FORGET,
    N
};
static const struct statement TEXTS[N] = {
    [FIND] = "SELECT key FROM one_time_keys WHERE device_no = $1 AND key_id = $2",
    [PUT] = "INSERT INTO one_time_keys (device_no, key_id, key) VALUES ($1, $2, $3)",
    [LEFT] = "SELECT count(*) FROM one_time_keys WHERE device_no = $1 AND key IS NOT NULL",
    [OLDEST] = "SELECT key_no, key_id, key FROM one_time_keys WHERE device_no = $1 AND key IS NOT NULL"
               " ORDER BY key_no LIMIT 1",
    [GIVE] = "UPDATE one_time_keys SET key = NULL WHERE key_no = $1",
    [PRUNE] = "DELETE FROM one_time_keys WHERE device_no = $1 AND key IS NULL AND key_no <= (SELECT key_no FROM"
              " one_time_keys WHERE device_no = $1 AND key IS NULL ORDER BY key_no DESC LIMIT 1 OFFSET $2)",
    [FALLBACK] = "SELECT key_id, key, used FROM fallback_keys WHERE device_no = $1",
    [FALLBACK_FRESH] = "SELECT 1 FROM fallback_keys WHERE device_no = $1 AND used = 0",
    [FALLBACK_PUT] = "INSERT INTO fallback_keys (device_no, key_id, key, used) VALUES ($1, $2, $3, 0)"
                     " ON CONFLICT (device_no) DO UPDATE SET used = CASE WHEN fallback_keys.key = excluded.key"
                     " THEN fallback_keys.used ELSE 0 END,"
                     " key_id = excluded.key_id, key = excluded.key",
    [FALLBACK_USE] = "UPDATE fallback_keys SET used = 1 WHERE device_no = $1",
    [FORGET] = "DELETE FROM one_time_keys WHERE device_no = $1",
    [FALLBACK_FORGET] = "DELETE FROM fallback_keys WHERE device_no = $1",
};
STATEMENTS(ONE_TIME_KEYS, "one_time_keys", TEXTS);

void claimed_key_finish(struct claimed_key *key)
{
    free(key->key_id);
    free(key->key);
    *key = (struct claimed_key){0};
}

int64_t one_time_keys_left(struct db *db, device_no device)
{
    int64_t n = db_int(db, &ONE_TIME_KEYS, LEFT, 0, "i", device);
    bool fallback = db_int(db, &ONE_TIME_KEYS, FALLBACK_FRESH, 0, "i", device) != 0;
    return n << KEY_COUNTS_SHIFT | KEY_COUNTS_KNOWN | (fallback ? KEY_COUNTS_FALLBACK : 0);
}

enum one_time_put one_time_keys_put(struct tx *tx, device_no device, const char *key_id, const char *key)
{
    enum one_time_put put = ONE_TIME_KEPT;
    struct stmt *q = db_query(tx->db, &ONE_TIME_KEYS, FIND, "it", device, key_id);
    bool there = stmt_next(q);
    if (there && !col_null(q, 0) && strcmp(col_text(q, 0), key) != 0)
        put = ONE_TIME_OTHER;
    stmt_end(q);
    if (there)
        return put;
    return db_run(tx->db, &ONE_TIME_KEYS, PUT, "itt", device, key_id, key) ? ONE_TIME_KEPT : ONE_TIME_FAILED;
}

bool fallback_keys_put(struct tx *tx, device_no device, const char *key_id, const char *key)
{
    return db_run(tx->db, &ONE_TIME_KEYS, FALLBACK_PUT, "itt", device, key_id, key);
}

bool one_time_keys_forget(struct tx *tx, device_no device)
{
    return db_run(tx->db, &ONE_TIME_KEYS, FORGET, "i", device) &&
           db_run(tx->db, &ONE_TIME_KEYS, FALLBACK_FORGET, "i", device);
}

bool one_time_keys_settle(struct tx *tx, user_no user, device_no device)
{
    tx_change(tx, (struct change){.kind = CHANGE_KEY_COUNTS,
                                  .user = user,
                                  .device = device,
                                  .event = one_time_keys_left(tx->db, device)});
    return !db_failed(tx->db);
}

/* Says so to the device at once when it comes near its end: each claim would wake all the person's devices. An
 * application service, which asks for no answers that would have the number, is told of each. */
static bool claimed(struct tx *tx, user_no user, device_no device, bool low)
{
    if (low || appservice_users_any(tx->db, user))
        tx_change(tx, (struct change){.kind = CHANGE_KEYS_LOW, .pos = tx_next_pos(tx), .user = user, .device = device});
    return one_time_keys_settle(tx, user, device);
}

static bool claim_fallback(struct tx *tx, user_no user, device_no device, struct claimed_key *out)
{
    bool used = false;
    struct stmt *q = db_query(tx->db, &ONE_TIME_KEYS, FALLBACK, "i", device);
    if (stmt_next(q)) {
        *out = (struct claimed_key){xstrdup(col_text(q, 0)), xstrdup(col_text(q, 1))};
        used = col_int(q, 2) != 0;
    }
    stmt_end(q);
    return out->key != NULL &&
           (used || (db_run(tx->db, &ONE_TIME_KEYS, FALLBACK_USE, "i", device) && claimed(tx, user, device, true)));
}

bool one_time_keys_claim(struct tx *tx, user_no user, device_no device, struct claimed_key *out)
{
    int64_t no = 0;
    *out = (struct claimed_key){0};
    struct stmt *q = db_query(tx->db, &ONE_TIME_KEYS, OLDEST, "i", device);
    if (stmt_next(q)) {
        no = col_int(q, 0);
        *out = (struct claimed_key){xstrdup(col_text(q, 1)), xstrdup(col_text(q, 2))};
    }
    stmt_end(q);
    if (no == 0)
        return claim_fallback(tx, user, device, out);
    return db_run(tx->db, &ONE_TIME_KEYS, GIVE, "i", no) &&
           db_run(tx->db, &ONE_TIME_KEYS, PRUNE, "ii", device, (int64_t)ONE_TIME_CLAIMED_MAX) &&
           claimed(tx, user, device, one_time_keys_left(tx->db, device) >> KEY_COUNTS_SHIFT == ONE_TIME_LOW);
}
