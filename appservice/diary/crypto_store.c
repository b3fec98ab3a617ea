/* The rows of crypto.h in SQLite, through the statement door. */
#include <stdlib.h>

#include "appservice/diary/crypto.h"
#include "homeserver/store/driver/db.h"

enum { ROW_GET, ROW_PUT, ROW_DROP, ROW_NAMES, CRYPTO__COUNT };

static const struct statement TEXTS[CRYPTO__COUNT] = {
    [ROW_GET] = {"SELECT value FROM crypto WHERE kind = $1 AND name = $2"},
    [ROW_PUT] = {"INSERT INTO crypto (kind, name, value) VALUES ($1, $2, $3)"
                 " ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value"},
    [ROW_DROP] = {"DELETE FROM crypto WHERE kind = $1 AND name = $2"},
    /* A prefix is less than itself with a character behind it that no name has. */
    [ROW_NAMES] = {"SELECT name FROM crypto WHERE kind = $1 AND name >= $2 AND name < $2 || char(1114111)"
                   " ORDER BY name LIMIT $3"},
};
STATEMENTS(CRYPTO, "diary_crypto", TEXTS);

/* Whoever has a transaction open keeps it, and gets a savepoint in it. There is one depth of savepoints. */
struct joined {
    struct db *db;
    bool inside;
};

static bool begin(void *self)
{
    struct joined *joined = self;
    joined->inside = db_in_transaction(joined->db);
    return db_transaction(joined->db, joined->inside ? DB_SAVEPOINT : DB_BEGIN);
}

/* A failure in somebody's transaction stays theirs to see (db_failed). */
static void rollback(void *self)
{
    struct joined *joined = self;
    if (joined->inside && db_in_transaction(joined->db)) {
        db_transaction(joined->db, DB_ROLLBACK_TO);
        db_transaction(joined->db, DB_RELEASE);
    } else if (!joined->inside) {
        if (db_in_transaction(joined->db))
            db_transaction(joined->db, DB_ROLLBACK);
        db_settle(joined->db);
    }
}

/* What could not be committed may be there after a crash all the same: nobody has seen what it made, so then positions
 * of ratchets are skipped, not used twice. */
static bool commit(void *self)
{
    struct joined *joined = self;
    if (!db_failed(joined->db) && db_transaction(joined->db, joined->inside ? DB_RELEASE : DB_COMMIT))
        return true;
    rollback(self);
    return false;
}

static int get(void *self, const char *kind, const char *name, struct text *value)
{
    struct joined *joined = self;
    size_t len = 0;
    struct stmt *q = db_query(joined->db, &CRYPTO, ROW_GET, "tt", kind, name);
    bool found = stmt_next(q);
    if (found) {
        const void *bytes = col_bytes(q, 0, &len);
        text_add(value, bytes, len);
    }
    stmt_end(q);
    return db_failed(joined->db) ? -1 : found;
}

static bool put(void *self, const char *kind, const char *name, const void *value, size_t len)
{
    struct joined *joined = self;
    return db_run(joined->db, &CRYPTO, ROW_PUT, "ttb", kind, name, value, len);
}

static bool drop(void *self, const char *kind, const char *name)
{
    struct joined *joined = self;
    return db_run(joined->db, &CRYPTO, ROW_DROP, "tt", kind, name);
}

static bool names(void *self, const char *kind, const char *prefix, size_t max, void (*each)(void *, const char *),
                  void *argument)
{
    struct joined *joined = self;
    struct stmt *q = db_query(joined->db, &CRYPTO, ROW_NAMES, "tti", kind, prefix,
                              max > INT32_MAX ? (int64_t)INT32_MAX : (int64_t)max);
    while (stmt_next(q))
        each(argument, col_text(q, 0));
    stmt_end(q);
    return !db_failed(joined->db);
}

struct crypto_store *crypto_store_open(struct db *db)
{
    struct joined *joined = xcalloc(1, sizeof *joined);
    struct crypto_store *store = xcalloc(1, sizeof *store);
    joined->db = db;
    *store = (struct crypto_store){joined, begin, commit, rollback, get, put, drop, names};
    return store;
}

void crypto_store_close(struct crypto_store *store)
{
    if (store != NULL)
        free(store->self);
    free(store);
}
