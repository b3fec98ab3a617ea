/* Worker threads: where handlers run and may block.
 *
 * Threads start when a job finds nobody idle, up to a maximum; those beyond a few end themselves after a while of
 * idleness (their read connection's page cache is what costs). Each worker has a read connection of its own, opened on
 * its first job.
 *
 * Whoever shares the pool (struct pool_share: a person, an address) has a queue of their own for each kind of job.
 * Light jobs go before plain ones and plain ones before heavy ones, but for every few turns, so that none waits for
 * ever; within a kind the shares take turns. So whoever has a thousand jobs waits for the thousand, and who has one
 * waits for one of each other. A share has at most so many jobs running and waiting, and heavy jobs are at most so many
 * at a time, so that light ones find a worker. */
#ifndef PARTA_HTTP_POOL_H
#define PARTA_HTTP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/store/driver/db.h"

struct pool;

enum pool_kind {
    POOL_LIGHT, /* small writes, look-ups of who asks, pieces of files */
    POOL_PLAIN,
    POOL_HEAVY, /* reads that cost */
    POOL_KIND__COUNT
};

struct pool_job {
    struct pool_job *next;
    struct pool_share *share; /* NULL: nobody's in particular */
    enum pool_kind kind;
};

/* One of those who share a pool, and one pool only. All but the bounds and the owner is the pool's, under its lock, and
 * 0 at first. It must live while it has jobs. */
struct pool_share {
    int most_running;    /* jobs at once; 0: no bound */
    int most_heavy;      /* … of POOL_HEAVY */
    size_t most_waiting; /* 0: no bound */
    void *owner;
    struct pool_job *last[POOL_KIND__COUNT]; /* what waits, in a ring: last->next is the first */
    size_t waiting;
    int running, heavy;
    bool listed[POOL_KIND__COUNT]; /* has a job that may run now */
    struct pool_share *prev[POOL_KIND__COUNT], *next[POOL_KIND__COUNT];
};

struct pool_settings {
    const char *name;    /* of the threads, at most 15 characters; static storage */
    int max, keep;       /* threads at most; threads that stay when idle */
    int heavy;           /* most heavy jobs at once; 0: no bound */
    size_t queue;        /* jobs that may wait; 0: no bound */
    int idle_ms;         /* after which a thread beyond keep ends */
    const char *db_path; /* NULL: workers get db NULL; copied */
    struct db_options db_options;
    /* Runs a job on a worker; db is that worker's, NULL if it cannot be opened (or there is none). */
    void (*run)(void *self, struct pool_job *job, struct db *db);
    /* One job of share is over, and no longer counted: whoever kept the share for it may let it go. Called with the
     * pool's lock. NULL: nobody wants to know. */
    void (*done)(void *self, struct pool_share *share);
    void *self;
};

/* No thread yet: they begin as jobs come, at most settings->max. Never NULL. */
struct pool *pool_create(const struct pool_settings *settings);

enum pool_outcome {
    POOL_TAKEN,
    POOL_SHARE_FULL, /* as much of this share waits already as may */
    POOL_FULL,       /* as much waits altogether */
    POOL_CLOSED,     /* the pool is stopping, or there are no threads to be had */
};

/* job->share and ->kind are filled in. Any thread; never blocks for long. Unless it is taken, the job stays the
 * caller's, and where the queue is full *wait_ms (NULL: not wanted) is when to come again: each who asks is told the
 * next moment at which a job will be over. waited: it has been let in before and goes on (a parked poll that is woken):
 * the queues' bounds are not for it. An announcement wakes more polls at once than a queue holds. */
enum pool_outcome pool_submit(struct pool *pool, struct pool_job *job, bool waited, int64_t *wait_ms);

/* Runs what waits, then ends every thread. Blocks. */
void pool_stop(struct pool *pool);
void pool_destroy(struct pool *pool); /* stops first; NULL is accepted */

struct pool_state {
    int threads, idle;
    size_t queued;
};
/* At this moment, for metrics and tests. Any thread. */
struct pool_state pool_state(struct pool *pool);

#endif
