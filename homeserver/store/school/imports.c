#include "homeserver/store/school/imports.h"

#define IMPORT "SELECT import_no, source, mode, author, changes, started_ms, ended_ms FROM imports "

enum { PAGE, LAST, PUT, N };
static const struct statement TEXTS[N] = {
    [PAGE] = IMPORT "WHERE import_no > $1 ORDER BY import_no LIMIT $2",
    [LAST] = "SELECT MAX(started_ms) FROM imports WHERE source = $1 AND mode = $2",
    [PUT] = "INSERT INTO imports (source, mode, author, changes, started_ms, ended_ms)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
};
STATEMENTS(IMPORTS, "imports", TEXTS);

struct stmt *imports_page(struct db *db, int64_t after, int limit)
{
    return db_query(db, &IMPORTS, PAGE, "ii", after, (int64_t)limit);
}

bool imports_next(struct stmt *q, struct import_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct import_row){.no = col_int(q, 0),
                               .source = col_text(q, 1),
                               .mode = col_text(q, 2),
                               .author = col_text(q, 3),
                               .changes = col_text(q, 4),
                               .started_ms = col_int(q, 5),
                               .ended_ms = col_int(q, 6)};
    return true;
}

int64_t imports_last_ms(struct db *db, const char *source, const char *mode)
{
    return db_int(db, &IMPORTS, LAST, 0, "tt", source, mode);
}

bool imports_put(struct db *db, const struct import_row *row)
{
    return db_run(db, &IMPORTS, PUT, "ttttii", row->source, row->mode, row->author, row->changes, row->started_ms,
                  row->ended_ms);
}
