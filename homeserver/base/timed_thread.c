#include "homeserver/base/timed_thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/base/thread.h"

struct timed_thread {
    timed_fn *fn;
    void *arg;
    pthread_t thread;
    bool joined;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool poked;            /* with the lock */
    _Atomic bool stopping; /* written with the lock */
    int64_t next_ms;       /* the thread's own */
};

/* With the lock held: until the time has come, a poke, or the stop. */
static void wait(struct timed_thread *t)
{
    const struct timespec until = {t->next_ms / 1000, t->next_ms % 1000 * 1000000};
    while (!t->poked && !t->stopping && clock_mono_ms() < t->next_ms)
        if (t->next_ms == TIMED_NEVER)
            pthread_cond_wait(&t->changed, &t->lock);
        else
            pthread_cond_clockwait(&t->changed, &t->lock, CLOCK_MONOTONIC, &until);
}

static void *run(void *arg)
{
    struct timed_thread *t = arg;
    pthread_mutex_lock(&t->lock);
    for (;;) {
        wait(t);
        if (t->stopping)
            break;
        t->poked = false; /* before it runs: what is told from now on may have come too late for it */
        pthread_mutex_unlock(&t->lock);
        t->next_ms = t->fn(t->arg, &t->stopping);
        pthread_mutex_lock(&t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

struct timed_thread *timed_thread_start(const char *name, timed_fn *fn, void *arg, int64_t first_ms)
{
    struct timed_thread *t = xcalloc(1, sizeof *t);
    t->fn = fn;
    t->arg = arg;
    t->next_ms = first_ms;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    if (thread_start(&t->thread, name, 0, run, t))
        return t;
    t->joined = true;
    timed_thread_destroy(t);
    return NULL;
}

void timed_thread_poke(struct timed_thread *t)
{
    if (t == NULL)
        return;
    pthread_mutex_lock(&t->lock);
    t->poked = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

void timed_thread_stop(struct timed_thread *t)
{
    if (t == NULL || t->joined)
        return;
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    t->joined = true;
}

void timed_thread_destroy(struct timed_thread *t)
{
    if (t == NULL)
        return;
    timed_thread_stop(t);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
