#include "homeserver/store/matrix/registration.h"

#include "homeserver/base/crypto.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

#define USABLE                                                                                                         \
    " WHERE token_hash = $1 AND (uses_allowed IS NULL OR uses < uses_allowed)"                                         \
    " AND (expires_ms IS NULL OR expires_ms > $2)"

enum { VALID, INSERT, USE, N };
static const char *const TEXTS[N] = {
    [VALID] = "SELECT 1 FROM registration_tokens" USABLE,
    [INSERT] = "INSERT INTO registration_tokens (token_hash, uses_allowed, expires_ms, created_ms)"
               " VALUES ($1, nullif($2, 0), nullif($3, 0), $4)",
    [USE] = "UPDATE registration_tokens SET uses = uses + 1" USABLE,
};
static const struct statements REGISTRATION = {"registration_tokens", TEXTS, N};

bool registration_tokens_valid(struct db *db, const char *token, int64_t now_ms)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(token, hash);
    return db_int(db, &REGISTRATION, VALID, 0, "bi", hash, sizeof hash, now_ms) == 1;
}

bool registration_tokens_insert(struct tx *tx, const char *token, int64_t uses_allowed, int64_t expires_ms)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(token, hash);
    return db_run(tx->db, &REGISTRATION, INSERT, "biii", hash, sizeof hash, uses_allowed, expires_ms, tx->now_ms);
}

bool registration_tokens_use(struct tx *tx, const char *token)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(token, hash);
    return db_run(tx->db, &REGISTRATION, USE, "bi", hash, sizeof hash, tx->now_ms) && db_changes(tx->db) == 1;
}
