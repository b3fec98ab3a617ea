#include "homeserver/store/school/held_imports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/store/school/sql_private.h"

#define HELD(difference, archive)                                                                                      \
    "SELECT held_no, version, source, mode, author, schools, changes, " difference ", left_out, older, base_ms,"       \
    " created_ms, modified, length(archive), " archive " FROM held_imports "

enum { GET, ALL, OF, VERSION, COUNT, FIRST, PUT, DROP, PRUNE, N };
static const struct statement TEXTS[N] = {
    [GET] = HELD("difference", "archive") "WHERE held_no = $1",
    [ALL] = HELD("''", "NULL") "ORDER BY held_no",
    [OF] = "SELECT held_no FROM held_imports WHERE source = $1",
    [VERSION] = "SELECT version FROM held_imports WHERE source = $1",
    [COUNT] = "SELECT count(*) FROM held_imports",
    [FIRST] = "SELECT min(created_ms) FROM held_imports",
    [PUT] = "INSERT INTO held_imports (version, source, mode, author, schools, changes, difference, left_out, older,"
            " base_ms, created_ms, modified, archive) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    [DROP] = "DELETE FROM held_imports WHERE source = $1",
    [PRUNE] = "DELETE FROM held_imports WHERE created_ms < $1",
};
STATEMENTS(HELD_IMPORTS, "held_imports", TEXTS);

bool held_imports_next(struct stmt *q, struct held_import_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct held_import_row){.no = col_int(q, 0),
                                    .version = col_int(q, 1),
                                    .source = col_text(q, 2),
                                    .mode = col_text(q, 3),
                                    .author = col_text(q, 4),
                                    .schools = col_text(q, 5),
                                    .changes = col_text(q, 6),
                                    .difference = col_text(q, 7),
                                    .left_out = col_int(q, 8),
                                    .older = col_text(q, 9),
                                    .base_ms = col_int(q, 10),
                                    .created_ms = col_int(q, 11),
                                    .len = (size_t)col_int(q, 13)};
    snprintf(row->modified, sizeof row->modified, "%s", col_text(q, 12));
    return true;
}

/* The strings and, behind them, the archive. */
struct held_memory {
    void *strings, *archive;
};

bool held_imports_get(struct db *db, int64_t no, struct held_import_row *out)
{
    *out = (struct held_import_row){0};
    struct stmt *q = db_query(db, &HELD_IMPORTS, GET, "i", no);
    bool there = held_imports_next(q, out);
    if (there) {
        struct held_memory *memory = xcalloc(1, sizeof *memory);
        const void *bytes = col_bytes(q, 14, &out->len);
        memory->archive = xcalloc(out->len + 1, 1);
        if (out->len > 0)
            memcpy(memory->archive, bytes, out->len);
        out->archive = memory->archive;
        memory->strings = strings_keep((const char **[]){&out->source, &out->mode, &out->author, &out->schools,
                                                         &out->changes, &out->difference, &out->older},
                                       7);
        out->memory = memory;
    }
    stmt_end(q);
    return there;
}

void held_import_row_finish(struct held_import_row *row)
{
    struct held_memory *memory = row->memory;
    if (memory != NULL) {
        free(memory->strings);
        free(memory->archive);
        free(memory);
    }
    *row = (struct held_import_row){0};
}

struct stmt *held_imports_all(struct db *db)
{
    return db_query(db, &HELD_IMPORTS, ALL, "");
}

int64_t held_imports_of(struct db *db, const char *source, int64_t *version)
{
    *version = db_int(db, &HELD_IMPORTS, VERSION, 0, "t", source);
    return db_int(db, &HELD_IMPORTS, OF, 0, "t", source);
}

int64_t held_imports_count(struct db *db, int64_t *since_ms)
{
    *since_ms = db_int(db, &HELD_IMPORTS, FIRST, 0, "");
    return db_int(db, &HELD_IMPORTS, COUNT, 0, "");
}

bool held_imports_put(struct db *db, const struct held_import_row *row)
{
    return held_imports_drop(db, row->source) &&
           db_run(db, &HELD_IMPORTS, PUT, "ittttttitiitb", row->version, row->source, row->mode, row->author,
                  row->schools, row->changes, row->difference, row->left_out, row->older, row->base_ms, row->created_ms,
                  row->modified, row->archive, row->len);
}

bool held_imports_drop(struct db *db, const char *source)
{
    return db_run(db, &HELD_IMPORTS, DROP, "t", source);
}

bool held_imports_prune(struct db *db, int64_t before_ms)
{
    return db_run(db, &HELD_IMPORTS, PRUNE, "i", before_ms);
}
