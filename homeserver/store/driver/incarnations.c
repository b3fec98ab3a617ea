#include "homeserver/store/driver/incarnations.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/seal.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"

#define KEPT 1000 /* of runs that are over; a token of an older one is answered as one that is not known */

enum { END, ENDED, BEGIN, PRUNE, COUNT };
static const struct statement TEXTS[COUNT] = {
    [END] = "UPDATE incarnations SET end_pos = $1 WHERE end_pos IS NULL",
    [ENDED] = "SELECT incarnation, end_pos, token_key FROM incarnations WHERE end_pos IS NOT NULL ORDER BY run_no DESC",
    [BEGIN] = "INSERT INTO incarnations (incarnation, began_ms, token_key) VALUES ($1, $2, $3)",
    [PRUNE] = "DELETE FROM incarnations WHERE run_no <= (SELECT run_no FROM incarnations ORDER BY run_no DESC LIMIT 1 "
              "OFFSET $1)",
};
STATEMENTS(INCARNATIONS, "incarnations", TEXTS);

struct incarnation {
    incarnation_no no;
    stream_pos end; /* of one that is over */
    bool sealed;    /* it has a key */
    unsigned char key[SEAL_KEY_BYTES];
};

struct incarnations {
    struct incarnation current;
    _Atomic uint64_t nonces; /* that were used with its key */
    size_t n;                /* of those that are over, the newest first */
    struct incarnation ended[KEPT];
};

static struct incarnation read_ended(struct stmt *q)
{
    struct incarnation ended = {.no = col_int(q, 0), .end = col_int(q, 1)};
    size_t len;
    const void *key = col_bytes(q, 2, &len);
    ended.sealed = key != NULL && len == sizeof ended.key;
    if (ended.sealed)
        memcpy(ended.key, key, len);
    return ended;
}

struct incarnations *incarnations_load(struct db *db, stream_pos reserved)
{
    struct incarnations *in = xcalloc(1, sizeof *in);
    db_run(db, &INCARNATIONS, END, "i", reserved);
    struct stmt *q = db_query(db, &INCARNATIONS, ENDED, "");
    while (in->n < KEPT && stmt_next(q))
        in->ended[in->n++] = read_ended(q);
    stmt_end(q);
    in->current.sealed = true;
    randombytes_buf(in->current.key, sizeof in->current.key);
    if (!db_failed(db))
        return in;
    free(in);
    return NULL;
}

bool incarnations_begin(struct incarnations *in, struct db *db, int64_t now_ms)
{
    incarnation_no no = (incarnation_no)randombytes_uniform(UINT32_MAX) + 1;
    if (!db_run(db, &INCARNATIONS, BEGIN, "iib", no, now_ms, in->current.key, sizeof in->current.key) ||
        !db_run(db, &INCARNATIONS, PRUNE, "i", KEPT))
        return false;
    in->current.no = no;
    return true;
}

void incarnations_destroy(struct incarnations *in)
{
    free(in);
}

incarnation_no incarnations_current(const struct incarnations *in)
{
    return in->current.no;
}

static const struct incarnation *find(const struct incarnations *in, incarnation_no no)
{
    if (no == in->current.no)
        return &in->current;
    for (size_t i = 0; i < in->n; ++i)
        if (in->ended[i].no == no)
            return &in->ended[i];
    return NULL;
}

const unsigned char *incarnations_key(const struct incarnations *in, incarnation_no no)
{
    const struct incarnation *of = find(in, no);
    return of != NULL && of->sealed ? of->key : NULL;
}

uint64_t incarnations_nonce(struct incarnations *in)
{
    return atomic_fetch_add_explicit(&in->nonces, 1, memory_order_relaxed);
}

/* A run that is not known began after one of those that are, and was lost before this one began: at the latest the end
 * of the last one is where they parted. */
bool incarnations_know(const struct incarnations *in, incarnation_no no, stream_pos pos, stream_pos *shared)
{
    const struct incarnation *of = find(in, no);
    if (of == &in->current)
        return true; /* beyond what was given: a token that somebody made up, which its reader refuses */
    *shared = of != NULL ? of->end : in->n != 0 ? in->ended[0].end : 0;
    return of != NULL && pos <= of->end;
}
