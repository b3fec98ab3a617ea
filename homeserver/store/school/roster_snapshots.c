#include "homeserver/store/school/roster_snapshots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/sql_private.h"

#define SNAPSHOT(archive)                                                                                              \
    "SELECT source, modified, updated_ms, length(archive), " archive ", year_end, newest_ms FROM roster_mirrors "

enum { GET, UPDATED, AGE, ALL, PUT, COUNT };
static const struct statement TEXTS[COUNT] = {
    [GET] = SNAPSHOT("archive") "WHERE source = $1",
    [UPDATED] = "SELECT updated_ms FROM roster_mirrors WHERE source = $1",
    [AGE] = "SELECT year_end, newest_ms FROM roster_mirrors WHERE source = $1",
    [ALL] = SNAPSHOT("NULL") "ORDER BY source",
    [PUT] = "INSERT INTO roster_mirrors (source, archive, modified, updated_ms, year_end, newest_ms)"
            " VALUES ($1, $2, $3, $4, $5, $6)"
            " ON CONFLICT (source) DO UPDATE SET archive = excluded.archive, modified = excluded.modified,"
            " updated_ms = excluded.updated_ms, year_end = excluded.year_end, newest_ms = excluded.newest_ms",
};
STATEMENTS(MIRRORS, "mirrors", TEXTS);

bool roster_snapshots_next(struct stmt *q, struct roster_snapshot_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct roster_snapshot_row){.source = col_text(q, 0),
                                        .updated_ms = col_int(q, 2),
                                        .len = (size_t)col_int(q, 3),
                                        .year_end = col_day(q, 5),
                                        .newest_ms = col_int(q, 6)};
    snprintf(row->modified, sizeof row->modified, "%s", col_text(q, 1));
    return true;
}

bool roster_snapshots_get(struct db *db, const char *source, struct roster_snapshot_row *out)
{
    *out = (struct roster_snapshot_row){0};
    struct stmt *q = db_query(db, &MIRRORS, GET, "t", source);
    bool there = roster_snapshots_next(q, out);
    if (there) {
        const void *bytes = col_bytes(q, 4, &out->len);
        out->archive = xcalloc(out->len + 1, 1);
        if (out->len > 0)
            memcpy(out->archive, bytes, out->len);
    }
    out->source = NULL;
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

void roster_snapshots_age(struct db *db, const char *source, school_day *year_end, int64_t *newest_ms)
{
    struct stmt *q = db_query(db, &MIRRORS, AGE, "t", source);
    bool there = stmt_next(q);
    *year_end = there ? col_day(q, 0) : DAY_EVER;
    *newest_ms = there ? col_int(q, 1) : 0;
    stmt_end(q);
}

struct stmt *roster_snapshots_all(struct db *db)
{
    return db_query(db, &MIRRORS, ALL, "");
}

bool roster_snapshots_put(struct tx *tx, const char *source, const struct roster_snapshot_row *row)
{
    int64_t before = roster_snapshots_updated(tx->db, source), now = tx->now_ms > before ? tx->now_ms : before + 1;
    char year_end[DAY_TEXT_BYTES];
    return db_run(tx->db, &MIRRORS, PUT, "tbtiti", source, row->archive, row->len, row->modified, now,
                  day_column(row->year_end, year_end), row->newest_ms);
}
