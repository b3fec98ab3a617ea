#include "homeserver/store/matrix/search_removals.h"

#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

enum { FIRST, PUT, DONE, COUNT };
static const struct statement TEXTS[COUNT] = {
    [FIRST] = "SELECT pos FROM search_removals ORDER BY pos LIMIT $1",
    [PUT] = "INSERT INTO search_removals (pos) VALUES ($1) ON CONFLICT DO NOTHING",
    [DONE] = "DELETE FROM search_removals WHERE pos = $1",
};
STATEMENTS(SEARCH_REMOVALS, "search_removals", TEXTS);

size_t search_removals_first(struct db *db, stream_pos *out, size_t max)
{
    size_t n = 0;
    struct stmt *q = db_query(db, &SEARCH_REMOVALS, FIRST, "i", (int64_t)max);
    while (n < max && stmt_next(q))
        out[n++] = col_int(q, 0);
    stmt_end(q);
    return n;
}

bool search_removals_any(struct db *db)
{
    return db_int(db, &SEARCH_REMOVALS, FIRST, 0, "i", (int64_t)1) != 0;
}

bool search_removals_put(struct tx *tx, stream_pos pos)
{
    return db_run(tx->db, &SEARCH_REMOVALS, PUT, "i", pos);
}

bool search_removals_done(struct tx *tx, stream_pos pos)
{
    return db_run(tx->db, &SEARCH_REMOVALS, DONE, "i", pos);
}
