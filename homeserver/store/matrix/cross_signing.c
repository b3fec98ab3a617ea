#include "homeserver/store/matrix/cross_signing.h"

#include <stdlib.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

enum {
    GET,
    IS_KEY,
    PUT,
    UNSIGN_MASTER,
    UNSIGN_OTHERS,
    SIGNATURES,
    SIGNED,
    SIGN,
    SIGN_ENDED,
    FORGET,
    FORGET_SIGNATURES,
    N
};
static const struct statement TEXTS[N] = {
    [GET] = "SELECT key, signed, signature FROM cross_signing_keys WHERE user_no = $1 AND usage = $2",
    [IS_KEY] = "SELECT 1 FROM cross_signing_keys WHERE user_no = $1 AND key = $2",
    [PUT] = "INSERT INTO cross_signing_keys (user_no, usage, key, signed, signature) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (user_no, usage) DO UPDATE SET key = excluded.key, signed = excluded.signed,"
            " signature = excluded.signature",
    [UNSIGN_MASTER] = "DELETE FROM key_signatures WHERE user_no = $1",
    [UNSIGN_OTHERS] = "DELETE FROM key_signatures WHERE signer = $1 AND user_no <> $1",
    [SIGNATURES] = "SELECT signer, signer_key, signature FROM key_signatures WHERE user_no = $1"
                   " AND (signer = $1 OR signer = $2) ORDER BY signer, signer_key",
    [SIGNED] = "SELECT 1 FROM key_signatures WHERE user_no = $1 AND signer = $2 AND signer_key = $3"
               " AND signature = $4",
    [SIGN] = "INSERT INTO key_signatures (user_no, signer, signer_key, signature) VALUES ($1, $2, $3, $4)"
             " ON CONFLICT (user_no, signer, signer_key) DO UPDATE SET signature = excluded.signature",
    [SIGN_ENDED] = "DELETE FROM key_signatures WHERE user_no = $1 AND signer = $1 AND signer_key NOT IN"
                   " (SELECT 'ed25519:' || device_id FROM devices WHERE user_no = $1)",
    [FORGET] = "DELETE FROM cross_signing_keys WHERE user_no = $1",
    [FORGET_SIGNATURES] = "DELETE FROM key_signatures WHERE user_no = $1 OR signer = $1",
};
STATEMENTS(CROSS_SIGNING, "cross_signing", TEXTS);

static const char *const USAGES[] = {
    [USAGE_MASTER] = "master",
    [USAGE_SELF_SIGNING] = "self_signing",
    [USAGE_USER_SIGNING] = "user_signing",
};

const char *key_usage_name(enum key_usage usage)
{
    return USAGES[usage];
}

void cross_signing_key_finish(struct cross_signing_key *key)
{
    free(key->key);
    free(key->signed_json);
    free(key->signature);
    *key = (struct cross_signing_key){0};
}

bool cross_signing_get(struct db *db, user_no user, enum key_usage usage, struct cross_signing_key *out)
{
    struct stmt *q = db_query(db, &CROSS_SIGNING, GET, "it", user, USAGES[usage]);
    bool found = stmt_next(q);
    *out = (struct cross_signing_key){0};
    if (found) {
        out->key = xstrdup(col_text(q, 0));
        out->signed_json = xstrdup(col_text(q, 1));
        out->signature = col_null(q, 2) ? NULL : xstrdup(col_text(q, 2));
    }
    stmt_end(q);
    return found;
}

bool cross_signing_is_key(struct db *db, user_no user, const char *name)
{
    return db_int(db, &CROSS_SIGNING, IS_KEY, 0, "it", user, name) != 0;
}

bool cross_signing_put(struct tx *tx, user_no user, enum key_usage usage, const struct cross_signing_key *key)
{
    struct cross_signing_key before;
    bool same = cross_signing_get(tx->db, user, usage, &before) && strcmp(before.key, key->key) == 0;
    cross_signing_key_finish(&before);
    bool voided = same || usage == USAGE_SELF_SIGNING ||
                  db_run(tx->db, &CROSS_SIGNING, usage == USAGE_MASTER ? UNSIGN_MASTER : UNSIGN_OTHERS, "i", user);
    return voided && db_run(tx->db, &CROSS_SIGNING, PUT, "itttt", user, USAGES[usage], key->key, key->signed_json,
                            key->signature);
}

void key_signatures_each(struct db *db, user_no user, user_no viewer,
                         void (*fn)(void *arg, user_no signer, const char *signer_key, const char *signature),
                         void *arg)
{
    struct stmt *q = db_query(db, &CROSS_SIGNING, SIGNATURES, "ii", user, viewer);
    while (stmt_next(q))
        fn(arg, col_int(q, 0), col_text(q, 1), col_text(q, 2));
    stmt_end(q);
}

bool key_signatures_put(struct tx *tx, user_no user, user_no signer, const char *signer_key, const char *signature,
                        bool *fresh)
{
    *fresh = db_int(tx->db, &CROSS_SIGNING, SIGNED, 0, "iitt", user, signer, signer_key, signature) == 0;
    return !*fresh || (db_run(tx->db, &CROSS_SIGNING, SIGN, "iitt", user, signer, signer_key, signature) &&
                       (user != signer || db_run(tx->db, &CROSS_SIGNING, SIGN_ENDED, "i", user)));
}

bool cross_signing_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &CROSS_SIGNING, FORGET, "i", user) &&
           db_run(tx->db, &CROSS_SIGNING, FORGET_SIGNATURES, "i", user);
}
