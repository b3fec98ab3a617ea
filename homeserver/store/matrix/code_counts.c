#include "homeserver/store/matrix/code_counts.h"

#include "homeserver/base/crypto.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

enum { SINCE, ADD, PURGE, N };
static const struct statement TEXTS[N] = {
    [SINCE] = "SELECT coalesce(sum(sends), 0) FROM code_counts WHERE scope = $1 AND name = $2 AND hour >= $3",
    [ADD] = "INSERT INTO code_counts (scope, name, hour, sends) VALUES ($1, $2, $3, 1)"
            " ON CONFLICT (scope, name, hour) DO UPDATE SET sends = code_counts.sends + 1",
    [PURGE] = "DELETE FROM code_counts WHERE hour < $1",
};
STATEMENTS(CODE_COUNTS, "code_counts", TEXTS);

int64_t code_counts_since(struct db *db, const char *scope, const char *name, int64_t first_hour)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(name, hash);
    return db_int(db, &CODE_COUNTS, SINCE, 0, "tbi", scope, hash, sizeof hash, first_hour);
}

bool code_counts_add(struct tx *tx, const char *scope, const char *name, int64_t hour)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(name, hash);
    return db_run(tx->db, &CODE_COUNTS, ADD, "tbi", scope, hash, sizeof hash, hour);
}

bool code_counts_purge(struct tx *tx, int64_t before_hour)
{
    return db_run(tx->db, &CODE_COUNTS, PURGE, "i", before_hour);
}
