#include "homeserver/http/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
    pthread_cond_t work; /* on the monotonic clock */
    struct pool_job *first, **last;
    size_t queued;
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
    pool->last = &pool->first;
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

/* Waits for work. false: none came for too long, or the pool stops. Called with the lock. */
static bool wait_for_work(struct pool *pool)
{
    struct timespec until = idle_deadline(pool);
    int rc = 0;
    ++pool->idle;
    while (pool->first == NULL && !pool->stopping && !(rc == ETIMEDOUT && is_spare(pool)))
        rc = is_spare(pool) ? pthread_cond_timedwait(&pool->work, &pool->lock, &until)
                            : pthread_cond_wait(&pool->work, &pool->lock);
    --pool->idle;
    return pool->first != NULL;
}

/* The next job, or NULL when this thread should end. Called with the lock. */
static struct pool_job *next_job(struct pool *pool)
{
    if (pool->first == NULL && !wait_for_work(pool))
        return NULL;
    struct pool_job *job = pool->first;
    pool->first = job->next;
    if (pool->first == NULL)
        pool->last = &pool->first;
    --pool->queued;
    return job;
}

/* Works until there is nothing to do any more. Called with the lock, which is released meanwhile. */
static void work(struct pool *pool)
{
    struct db *db = NULL;
    struct pool_job *job;
    while ((job = next_job(pool)) != NULL) {
        pthread_mutex_unlock(&pool->lock);
        if (db == NULL && pool->db_path != NULL)
            db = db_open(pool->db_path, DB_READ, &pool->settings.db_options);
        pool->settings.run(pool->settings.self, job, db);
        pthread_mutex_lock(&pool->lock);
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
    while (pool->first != NULL); /* a job came while the database was being closed, and every seat was taken */
    seat->state = SEAT_LEFT;     /* from here on the thread may be joined without waiting for anything */
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

bool pool_submit(struct pool *pool, struct pool_job *job, bool waited)
{
    pthread_mutex_lock(&pool->lock);
    bool accepted =
        !pool->stopping && (waited || pool->queued < pool->settings.queue || pool->idle > (int)pool->queued);
    if (accepted && (int)pool->queued >= pool->idle)
        add_thread(pool);
    if (pool->threads == 0)
        accepted = false;
    if (accepted) {
        job->next = NULL;
        *pool->last = job;
        pool->last = &job->next;
        ++pool->queued;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return accepted;
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
