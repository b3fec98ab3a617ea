#include "homeserver/http/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/base/thread.h"

/* Handlers recurse little (jansson: JSON_DEPTH_MAX) and keep large things on the heap. Sanitizers need more. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_BYTES (2u << 20)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STACK_BYTES (2u << 20)
#endif
#endif
#ifndef STACK_BYTES
#define STACK_BYTES (256u << 10)
#endif

#define PLAIN_FIRST 4  /* every so many turns a plain job goes before the light ones … */
#define HEAVY_FIRST 16 /* … and a heavy one before all */
#define WAIT_MAX_MS 60000
#define FIRST_US 20000 /* how long a job takes, before one was seen */

enum seat_state { SEAT_FREE, SEAT_TAKEN, SEAT_LEFT /* its thread has ended and waits to be joined */ };

struct seat {
    struct pool *pool;
    enum seat_state state;
    pthread_t thread;
};

struct pool {
    struct pool_settings settings;
    char *db_path;
    pthread_mutex_t lock;
    pthread_cond_t work;                        /* on the monotonic clock */
    struct pool_share *ready[POOL_KIND__COUNT]; /* who has a job that may run now; whose turn it is stands first */
    struct pool_share nobody;                   /* whose jobs are nobody's in particular */
    size_t queued;
    unsigned turn;
    int heavy;       /* jobs that run */
    int64_t mean_us; /* how long a job takes */
    int64_t told_ms; /* the last moment that somebody was told to come back at */
    int threads, idle;
    int leaving; /* of threads: those that were idle for too long and are about to end */
    bool stopping;
    struct seat *seats;
};

struct pool *pool_create(const struct pool_settings *settings)
{
    struct pool *pool = xcalloc(1, sizeof *pool);
    pthread_condattr_t monotonic;
    pool->settings = *settings;
    pool->db_path = settings->db_path != NULL ? xstrdup(settings->db_path) : NULL;
    pool->mean_us = FIRST_US;
    pool->seats = xcalloc((size_t)settings->max, sizeof *pool->seats);
    for (int i = 0; i < settings->max; ++i)
        pool->seats[i].pool = pool;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return pool;
}

static struct timespec idle_deadline(const struct pool *pool)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += pool->settings.idle_ms / 1000;
    until.tv_nsec += pool->settings.idle_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        ++until.tv_sec;
    }
    return until;
}

static bool is_spare(const struct pool *pool)
{
    return pool->threads - pool->leaving > pool->settings.keep;
}

/* Whether one more of share's jobs of a kind may run now. */
static bool may_run(const struct pool_share *share, enum pool_kind kind)
{
    return (share->most_running == 0 || share->running < share->most_running) &&
           (kind != POOL_HEAVY || share->most_heavy == 0 || share->heavy < share->most_heavy);
}

/* Puts share where it belongs after something of it has changed: behind the others, when it was in no list. */
static void list(struct pool *pool, struct pool_share *share)
{
    for (int kind = 0; kind < POOL_KIND__COUNT; ++kind) {
        bool ready = share->last[kind] != NULL && may_run(share, (enum pool_kind)kind);
        if (ready && !share->listed[kind])
            DL_APPEND2(pool->ready[kind], share, prev[kind], next[kind]);
        else if (!ready && share->listed[kind])
            DL_DELETE2(pool->ready[kind], share, prev[kind], next[kind]);
        share->listed[kind] = ready;
    }
}

static bool is_ready(const struct pool *pool, enum pool_kind kind)
{
    bool full = kind == POOL_HEAVY && pool->settings.heavy > 0 && pool->heavy >= pool->settings.heavy;
    return pool->ready[kind] != NULL && !full;
}

static bool has_work(const struct pool *pool)
{
    return is_ready(pool, POOL_LIGHT) || is_ready(pool, POOL_PLAIN) || is_ready(pool, POOL_HEAVY);
}

/* Waits for work. false: none came for too long, or the pool stops. Called with the lock. */
static bool wait_for_work(struct pool *pool)
{
    struct timespec until = idle_deadline(pool);
    int rc = 0;
    ++pool->idle;
    while (!has_work(pool) && !pool->stopping && !(rc == ETIMEDOUT && is_spare(pool)))
        rc = is_spare(pool) ? pthread_cond_timedwait(&pool->work, &pool->lock, &until)
                            : pthread_cond_wait(&pool->work, &pool->lock);
    --pool->idle;
    return has_work(pool);
}

/* The kind whose turn it is; there is work. */
static enum pool_kind next_kind(struct pool *pool)
{
    static const enum pool_kind ORDERS[][POOL_KIND__COUNT] = {{POOL_LIGHT, POOL_PLAIN, POOL_HEAVY},
                                                              {POOL_PLAIN, POOL_LIGHT, POOL_HEAVY},
                                                              {POOL_HEAVY, POOL_PLAIN, POOL_LIGHT}};
    unsigned turn = ++pool->turn;
    const enum pool_kind *kind = ORDERS[turn % HEAVY_FIRST == 0 ? 2 : turn % PLAIN_FIRST == 0 ? 1 : 0];
    for (int i = 1; i < POOL_KIND__COUNT && !is_ready(pool, *kind); ++i)
        ++kind;
    return *kind;
}

/* The next job, or NULL when this thread should end. Called with the lock. */
static struct pool_job *next_job(struct pool *pool)
{
    if (!has_work(pool) && !wait_for_work(pool))
        return NULL;
    enum pool_kind kind = next_kind(pool);
    struct pool_share *share = pool->ready[kind];
    struct pool_job *last = share->last[kind], *job = last->next;
    last->next = job->next;
    share->last[kind] = job == last ? NULL : last;
    --share->waiting;
    --pool->queued;
    ++share->running;
    share->heavy += kind == POOL_HEAVY;
    pool->heavy += kind == POOL_HEAVY;
    DL_DELETE2(pool->ready[kind], share, prev[kind], next[kind]);
    share->listed[kind] = false;
    list(pool, share);
    if (pool->idle > 0 && has_work(pool)) /* the end of one job may have let more than one begin */
        pthread_cond_signal(&pool->work);
    return job;
}

static void finish_job(struct pool *pool, struct pool_share *share, enum pool_kind kind, int64_t us)
{
    pool->mean_us += (us - pool->mean_us) / 16;
    --share->running;
    share->heavy -= kind == POOL_HEAVY;
    pool->heavy -= kind == POOL_HEAVY;
    list(pool, share);
    if (pool->settings.done != NULL && share != &pool->nobody)
        pool->settings.done(pool->settings.self, share);
}

/* Works until there is nothing to do any more. Called with the lock, which is released meanwhile. */
static void work(struct pool *pool)
{
    struct db *db = NULL;
    struct pool_job *job;
    while ((job = next_job(pool)) != NULL) {
        struct pool_share *share = job->share; /* the job is gone when it has run */
        enum pool_kind kind = job->kind;
        pthread_mutex_unlock(&pool->lock);
        if (db == NULL && pool->db_path != NULL)
            db = db_open(pool->db_path, DB_READ, &pool->settings.db_options);
        int64_t begun_us = clock_mono_us();
        pool->settings.run(pool->settings.self, job, db);
        int64_t us = clock_mono_us() - begun_us;
        pthread_mutex_lock(&pool->lock);
        finish_job(pool, share, kind, us);
    }
    ++pool->leaving;
    pthread_mutex_unlock(&pool->lock);
    db_close(db);
    pthread_mutex_lock(&pool->lock);
    --pool->leaving;
}

static void *worker(void *arg)
{
    struct seat *seat = arg;
    struct pool *pool = seat->pool;
    pthread_mutex_lock(&pool->lock);
    do
        work(pool);
    while (has_work(pool));  /* a job came while the database was being closed, and every seat was taken */
    seat->state = SEAT_LEFT; /* from here on the thread may be joined without waiting for anything */
    --pool->threads;
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* One more thread if there may be one. Called with the lock. */
static void add_thread(struct pool *pool)
{
    for (int i = 0; i < pool->settings.max; ++i) {
        struct seat *seat = &pool->seats[i];
        if (seat->state == SEAT_TAKEN)
            continue;
        if (seat->state == SEAT_LEFT)
            pthread_join(seat->thread, NULL);
        seat->state = SEAT_FREE;
        if (thread_start(&seat->thread, pool->settings.name, STACK_BYTES, worker, seat)) {
            seat->state = SEAT_TAKEN;
            ++pool->threads;
        }
        return;
    }
}

static enum pool_outcome look_for_room(const struct pool *pool, const struct pool_share *share, bool waited)
{
    if (pool->stopping)
        return POOL_CLOSED;
    if (waited)
        return POOL_TAKEN;
    size_t about_to_run = share->most_running > share->running ? (size_t)(share->most_running - share->running) : 0;
    if (share->most_waiting > 0 && share->waiting >= share->most_waiting + about_to_run)
        return POOL_SHARE_FULL;
    bool room = pool->settings.queue == 0 || pool->queued < pool->settings.queue || pool->idle > (int)pool->queued;
    return room ? POOL_TAKEN : POOL_FULL;
}

/* The next moment at which one of the jobs that wait (of the share, or of all) will be over, after the last one that
 * somebody was told. */
static int64_t turn_ms(struct pool *pool, const struct pool_share *share, enum pool_outcome outcome)
{
    int side_by_side = outcome == POOL_SHARE_FULL && share->most_running > 0 ? share->most_running : pool->settings.max;
    int64_t now_ms = clock_mono_ms(), each_ms = pool->mean_us / 1000 / side_by_side + 1;
    int64_t *told_ms = &pool->told_ms, own_ms = now_ms + each_ms * (int64_t)share->waiting / 2;
    if (outcome == POOL_SHARE_FULL)
        told_ms = &own_ms;
    *told_ms = *told_ms < now_ms || *told_ms > now_ms + WAIT_MAX_MS ? now_ms + each_ms : *told_ms + each_ms;
    return *told_ms - now_ms;
}

static void enqueue(struct pool *pool, struct pool_job *job)
{
    struct pool_share *share = job->share;
    struct pool_job **last = &share->last[job->kind];
    job->next = *last != NULL ? (*last)->next : job;
    if (*last != NULL)
        (*last)->next = job;
    *last = job;
    ++share->waiting;
    ++pool->queued;
    list(pool, share);
    if (share->listed[job->kind])
        pthread_cond_signal(&pool->work);
}

enum pool_outcome pool_submit(struct pool *pool, struct pool_job *job, bool waited, int64_t *wait_ms)
{
    pthread_mutex_lock(&pool->lock);
    if (job->share == NULL)
        job->share = &pool->nobody;
    enum pool_outcome outcome = look_for_room(pool, job->share, waited);
    if (outcome == POOL_TAKEN && (int)pool->queued >= pool->idle && may_run(job->share, job->kind))
        add_thread(pool);
    if (pool->threads == 0)
        outcome = POOL_CLOSED;
    if (outcome == POOL_TAKEN)
        enqueue(pool, job);
    else if (outcome != POOL_CLOSED && wait_ms != NULL)
        *wait_ms = turn_ms(pool, job->share, outcome);
    pthread_mutex_unlock(&pool->lock);
    return outcome;
}

/* Waits for the seat's thread, if there is one; nobody takes a seat any more. */
static void vacate(struct pool *pool, struct seat *seat)
{
    pthread_mutex_lock(&pool->lock);
    bool taken = seat->state != SEAT_FREE;
    pthread_mutex_unlock(&pool->lock);
    if (taken)
        pthread_join(seat->thread, NULL);
    seat->state = SEAT_FREE;
}

void pool_stop(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->settings.max; ++i)
        vacate(pool, &pool->seats[i]);
}

void pool_destroy(struct pool *pool)
{
    if (pool == NULL)
        return;
    pool_stop(pool);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool->seats);
    free(pool->db_path);
    free(pool);
}

struct pool_state pool_state(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct pool_state state = {.threads = pool->threads, .idle = pool->idle, .queued = pool->queued};
    pthread_mutex_unlock(&pool->lock);
    return state;
}
