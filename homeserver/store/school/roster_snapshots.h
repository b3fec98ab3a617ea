/* Rosters as they came, one for each source (policy/oneroster/snapshot.h): what deltas and pulls are merged into. */
#ifndef PARTA_STORE_SCHOOL_ROSTER_SNAPSHOTS_H
#define PARTA_STORE_SCHOOL_ROSTER_SNAPSHOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/days.h"
#include "homeserver/store/driver/db.h"

struct tx;

#define MIRROR_MODIFIED_BYTES 40

struct roster_snapshot_row {
    const char *source; /* of roster_snapshots_next, borrowed until the next; otherwise NULL */
    void *archive;      /* heap, len bytes; NULL: the source has none, or not asked (roster_snapshots_next) */
    size_t len;
    char modified[MIRROR_MODIFIED_BYTES]; /* of a source that is pulled: the moment from which changes are asked; "" */
    school_day year_end;                  /* the last day of its school year; DAY_EVER: not known */
    int64_t newest_ms;                    /* its latest dateLastModified; 0: not known */
    int64_t updated_ms;                   /* rises with every change: says whether it is still the same one; 0: none */
};

/* false: there is none (out is empty). roster_snapshots_finish frees what is in it. */
bool roster_snapshots_get(struct db *db, const char *source, struct roster_snapshot_row *out);
void roster_snapshots_finish(struct roster_snapshot_row *row);

int64_t roster_snapshots_updated(struct db *db, const char *source); /* updated_ms; 0: there is none */

/* Those members of the row, without its texts; DAY_EVER and 0: there is none. */
void roster_snapshots_age(struct db *db, const char *source, school_day *year_end, int64_t *newest_ms);

struct stmt *roster_snapshots_all(struct db *db); /* by source */
/* false: no more, or the database failed; stmt_end after. */
bool roster_snapshots_next(struct stmt *q, struct roster_snapshot_row *row);

/* Inside a job. row's updated_ms is not looked at: it becomes now, or one more than it was. */
bool roster_snapshots_put(struct tx *tx, const char *source, const struct roster_snapshot_row *row);

#endif
