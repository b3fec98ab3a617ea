/* Imports that wait until somebody has confirmed what they take away (school.md G5): one of a source, the newest. Rows
 * and writing as schools.h says. */
#ifndef PARTA_STORE_SCHOOL_HELD_IMPORTS_H
#define PARTA_STORE_SCHOOL_HELD_IMPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/store/driver/db.h"
#include "homeserver/store/school/roster_snapshots.h"

struct held_import_row {
    int64_t no;             /* only read */
    int64_t version;        /* of the list: another list has another one (policy/records/loss.h) */
    const char *source;     /* a roster's name */
    const char *mode;       /* bulk, delta, pull */
    const char *author;     /* who brought it in, as the audit log knows them */
    const char *schools;    /* JSON: policy/records/loss.h */
    const char *changes;    /* JSON: counts by name */
    const char *difference; /* a line a change */
    int64_t left_out;       /* lines beyond the bound */
    const char *older;      /* why a roster that is older than the last is taken nevertheless; "": it is not older */
    int64_t base_ms;     /* updated_ms of the snapshot that it was merged into; −1: it replaces whatever there is */
    int64_t created_ms;  /* of the first with this list: a pull brings the same again */
    const void *archive; /* the whole roster, as snapshots are kept; NULL: not asked (held_imports_next) */
    size_t len;
    char modified[MIRROR_MODIFIED_BYTES]; /* as in struct roster_snapshot_row */
    void *memory;                         /* of the strings and the archive, when held_imports_get gave them */
};

bool held_imports_get(struct db *db, int64_t no, struct held_import_row *out); /* false: there is none, *out is empty */
void held_import_row_finish(struct held_import_row *row); /* frees what held_imports_get gave and empties it */

struct stmt *held_imports_all(struct db *db); /* by number; without difference and archive */
/* len is that of the archive that it does not bring. */
bool held_imports_next(struct stmt *q, struct held_import_row *row);

/* What is held of a source: its number and version; 0: nothing. */
int64_t held_imports_of(struct db *db, const char *source, int64_t *version);

/* How many there are; *since_ms: when the first of them came; 0: none. */
int64_t held_imports_count(struct db *db, int64_t *since_ms);

/* Inside a job. put replaces what is held of the source. */
bool held_imports_put(struct db *db, const struct held_import_row *row);
bool held_imports_drop(struct db *db, const char *source);
bool held_imports_prune(struct db *db, int64_t before_ms); /* those that came before then */

#endif
