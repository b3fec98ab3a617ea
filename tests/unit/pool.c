/* Worker threads: on demand, bounded, ended when idle. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/http/pool.h"

#define JOBS 200

struct bench {
    struct pool *pool;
    struct pool_job jobs[JOBS];
    _Atomic int ran[JOBS], done, running, most_running;
    pthread_mutex_t gate; /* held: jobs wait */
};

static void run(void *self, struct pool_job *job, struct db *db)
{
    struct bench *b = self;
    int running = ++b->running;
    for (int most = b->most_running; running > most && !atomic_compare_exchange_weak(&b->most_running, &most, running);)
        ;
    pthread_mutex_lock(&b->gate);
    pthread_mutex_unlock(&b->gate);
    usleep(200);
    --b->running;
    ++b->ran[job - b->jobs];
    ++b->done;
    assert_null(db);
}

static void make(struct bench *b, int max, int keep, size_t queue, int idle_ms)
{
    memset(b, 0, sizeof *b);
    pthread_mutex_init(&b->gate, NULL);
    b->pool = pool_create(&(struct pool_settings){
        .name = "test", .max = max, .keep = keep, .queue = queue, .idle_ms = idle_ms, .run = run, .self = b});
}

static void wait_for(_Atomic int *what, int wanted)
{
    for (int i = 0; i < 5000 && *what != wanted; ++i)
        usleep(1000);
    assert_int_equal(*what, wanted);
}

static void every_job_runs_once(void **state)
{
    struct bench b;
    make(&b, 4, 1, JOBS, 1000);
    for (int i = 0; i < JOBS; ++i)
        assert_true(pool_submit(b.pool, &b.jobs[i], false));
    wait_for(&b.done, JOBS);
    for (int i = 0; i < JOBS; ++i)
        assert_int_equal(b.ran[i], 1);
    assert_in_range(b.most_running, 1, 4);
    pool_destroy(b.pool);
}

static void the_queue_is_bounded(void **state)
{
    struct bench b;
    make(&b, 2, 0, 3, 1000);
    pthread_mutex_lock(&b.gate);
    for (int i = 0; i < 2; ++i) {
        assert_true(pool_submit(b.pool, &b.jobs[i], false));
        wait_for(&b.running, i + 1);
    }
    for (int i = 2; i < 5; ++i)
        assert_true(pool_submit(b.pool, &b.jobs[i], false));
    assert_false(pool_submit(b.pool, &b.jobs[5], false));
    assert_true(pool_submit(b.pool, &b.jobs[5], true)); /* a woken poll is never turned away */
    assert_int_equal(pool_state(b.pool).queued, 4);
    assert_int_equal(pool_state(b.pool).threads, 2);
    pthread_mutex_unlock(&b.gate);
    wait_for(&b.done, 6);
    assert_int_equal(b.ran[5], 1);
    pool_destroy(b.pool);
}

static void idle_threads_end(void **state)
{
    struct bench b;
    make(&b, 4, 1, 10, 50);
    for (int round = 0; round < 3; ++round) {
        b.done = 0;
        pthread_mutex_lock(&b.gate);
        for (int i = 0; i < 4; ++i)
            assert_true(pool_submit(b.pool, &b.jobs[i], false));
        wait_for(&b.running, 4);
        pthread_mutex_unlock(&b.gate);
        wait_for(&b.done, 4);
        for (int i = 0; i < 2000 && pool_state(b.pool).threads > 1; ++i)
            usleep(1000);
        usleep(100000);
        assert_int_equal(pool_state(b.pool).threads, 1); /* the one to keep stays */
    }
    pool_destroy(b.pool);
}

static void a_stop_runs_what_waits(void **state)
{
    struct bench b;
    make(&b, 1, 0, 10, 1000);
    for (int i = 0; i < 5; ++i)
        assert_true(pool_submit(b.pool, &b.jobs[i], false));
    pool_stop(b.pool);
    assert_int_equal(b.done, 5);
    assert_false(pool_submit(b.pool, &b.jobs[6], false));
    pool_stop(b.pool);
    pool_destroy(b.pool);
    pool_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_runs_once),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(idle_threads_end),
        cmocka_unit_test(a_stop_runs_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
