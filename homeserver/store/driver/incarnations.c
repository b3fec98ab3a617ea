#include "homeserver/store/driver/incarnations.h"

#include <sodium.h>
#include <stdlib.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"

#define KEPT 1000 /* of runs that are over; a token of an older one is answered as one that is not known */

enum { END, ENDED, BEGIN, PRUNE, COUNT };
static const struct statement TEXTS[COUNT] = {
    [END] = "UPDATE incarnations SET end_pos = $1 WHERE end_pos IS NULL",
    [ENDED] = "SELECT incarnation, end_pos FROM incarnations WHERE end_pos IS NOT NULL ORDER BY run_no DESC",
    [BEGIN] = "INSERT INTO incarnations (incarnation, began_ms) VALUES ($1, $2)",
    [PRUNE] = "DELETE FROM incarnations WHERE run_no <= (SELECT run_no FROM incarnations ORDER BY run_no DESC LIMIT 1 "
              "OFFSET $1)",
};
STATEMENTS(INCARNATIONS, "incarnations", TEXTS);

struct incarnations {
    incarnation_no current;
    size_t n; /* of those that are over, the newest first */
    struct incarnation {
        incarnation_no no;
        stream_pos end;
    } ended[KEPT];
};

struct incarnations *incarnations_load(struct db *db, stream_pos reserved)
{
    struct incarnations *in = xcalloc(1, sizeof *in);
    db_run(db, &INCARNATIONS, END, "i", reserved);
    struct stmt *q = db_query(db, &INCARNATIONS, ENDED, "");
    while (in->n < KEPT && stmt_next(q))
        in->ended[in->n++] = (struct incarnation){col_int(q, 0), col_int(q, 1)};
    stmt_end(q);
    if (!db_failed(db))
        return in;
    free(in);
    return NULL;
}

bool incarnations_begin(struct incarnations *in, struct db *db, int64_t now_ms)
{
    incarnation_no no = (incarnation_no)randombytes_uniform(UINT32_MAX) + 1;
    if (!db_run(db, &INCARNATIONS, BEGIN, "ii", no, now_ms) || !db_run(db, &INCARNATIONS, PRUNE, "i", KEPT))
        return false;
    in->current = no;
    return true;
}

void incarnations_destroy(struct incarnations *in)
{
    free(in);
}

incarnation_no incarnations_current(const struct incarnations *in)
{
    return in->current;
}

/* A run that is not known began after one of those that are, and was lost before this one began: at the latest the end
 * of the last one is where they parted. */
bool incarnations_know(const struct incarnations *in, incarnation_no no, stream_pos pos, stream_pos *shared)
{
    if (no == in->current)
        return true; /* beyond what was given: a token that somebody made up, which its reader refuses */
    *shared = in->n != 0 ? in->ended[0].end : 0;
    for (size_t i = 0; i < in->n; ++i)
        if (in->ended[i].no == no) {
            *shared = in->ended[i].end;
            return pos <= in->ended[i].end;
        }
    return false;
}
