#include "homeserver/store/school/roster_snapshots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/writer.h"

enum { GET, UPDATED, ALL, PUT, COUNT };
static const struct statement TEXTS[] = {
    [GET] = "SELECT archive, modified, updated_ms FROM roster_mirrors WHERE source = $1",
    [UPDATED] = "SELECT updated_ms FROM roster_mirrors WHERE source = $1",
    [ALL] = "SELECT source, length(archive), updated_ms FROM roster_mirrors ORDER BY source",
    [PUT] = "INSERT INTO roster_mirrors (source, archive, modified, updated_ms) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (source) DO UPDATE SET archive = excluded.archive, modified = excluded.modified,"
            " updated_ms = excluded.updated_ms",
};
STATEMENTS(MIRRORS, "mirrors", TEXTS);

bool roster_snapshots_get(struct db *db, const char *source, struct roster_snapshot_row *out)
{
    *out = (struct roster_snapshot_row){0};
    struct stmt *q = db_query(db, &MIRRORS, GET, "t", source);
    bool there = stmt_next(q);
    if (there) {
        const void *bytes = col_bytes(q, 0, &out->len);
        out->archive = xcalloc(out->len + 1, 1);
        if (out->len > 0)
            memcpy(out->archive, bytes, out->len);
        snprintf(out->modified, sizeof out->modified, "%s", col_text(q, 1));
        out->updated_ms = col_int(q, 2);
    }
    stmt_end(q);
    return there;
}

void roster_snapshots_finish(struct roster_snapshot_row *row)
{
    free(row->archive);
    *row = (struct roster_snapshot_row){0};
}

int64_t roster_snapshots_updated(struct db *db, const char *source)
{
    return db_int(db, &MIRRORS, UPDATED, 0, "t", source);
}

struct stmt *roster_snapshots_all(struct db *db)
{
    return db_query(db, &MIRRORS, ALL, "");
}

bool roster_snapshots_next(struct stmt *q, const char **name, int64_t *bytes, int64_t *updated_ms)
{
    if (!stmt_next(q))
        return false;
    *name = col_text(q, 0);
    *bytes = col_int(q, 1);
    *updated_ms = col_int(q, 2);
    return true;
}

bool roster_snapshots_put(struct tx *tx, const char *source, const struct roster_snapshot_row *row)
{
    int64_t before = roster_snapshots_updated(tx->db, source), now = tx->now_ms > before ? tx->now_ms : before + 1;
    return db_run(tx->db, &MIRRORS, PUT, "tbti", source, row->archive, row->len, row->modified, now);
}
