/* Worker threads: where handlers run and may block.
 *
 * Threads start when a job finds nobody idle, up to a maximum; those beyond a few end themselves after a while of
 * idleness (their read connection's page cache is what costs). The queue is bounded, so that a flood is refused early
 * and not answered late. Each worker has a read connection of its own, opened on its first job. */
#ifndef PARTA_HTTP_POOL_H
#define PARTA_HTTP_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/store/driver/db.h"

struct pool;

struct pool_job {
    struct pool_job *next;
};

struct pool_settings {
    const char *name;    /* of the threads, at most 15 characters; static storage */
    int max, keep;       /* threads at most; threads that stay when idle */
    size_t queue;        /* jobs that may wait */
    int idle_ms;         /* after which a thread beyond keep ends */
    const char *db_path; /* NULL: workers get db NULL; copied */
    struct db_options db_options;
    /* Runs a job on a worker; db is that worker's, NULL if it cannot be opened (or there is none). */
    void (*run)(void *self, struct pool_job *job, struct db *db);
    void *self;
};

struct pool *pool_create(const struct pool_settings *settings);

/* Any thread; never blocks for long. false: the queue is full, or the pool is stopping; the job stays the caller's.
 * waited: it has been let in before and goes on (a parked poll that is woken): the queue's bound is not for it. An
 * announcement wakes more polls at once than the queue holds. */
bool pool_submit(struct pool *pool, struct pool_job *job, bool waited);

/* Runs what waits, then ends every thread. Blocks. */
void pool_stop(struct pool *pool);
void pool_destroy(struct pool *pool); /* stops first; NULL is accepted */

struct pool_state {
    int threads, idle;
    size_t queued;
};
struct pool_state pool_state(struct pool *pool);

#endif
