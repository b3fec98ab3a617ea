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
    struct pool_share shares[8];
    _Atomic int ran_at[JOBS], shares_done[8]; /* which one a job was, from 1 */
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
    b->ran_at[job - b->jobs] = ++b->done;
    assert_null(db);
}

static void count_done(void *self, struct pool_share *share)
{
    struct bench *b = self;
    ++b->shares_done[share - b->shares];
}

static void make(struct bench *b, int max, int keep, size_t queue, int idle_ms)
{
    memset(b, 0, sizeof *b);
    pthread_mutex_init(&b->gate, NULL);
    b->pool = pool_create(&(struct pool_settings){.name = "test",
                                                  .max = max,
                                                  .keep = keep,
                                                  .queue = queue,
                                                  .heavy = 1,
                                                  .idle_ms = idle_ms,
                                                  .run = run,
                                                  .done = count_done,
                                                  .self = b});
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
        assert_int_equal(pool_submit(b.pool, &b.jobs[i], false, NULL), POOL_TAKEN);
    wait_for(&b.done, JOBS);
    for (int i = 0; i < JOBS; ++i)
        assert_int_equal(b.ran[i], 1);
    assert_in_range(b.most_running, 1, 4);
    pool_destroy(b.pool);
}

static void the_queue_is_bounded(void **state)
{
    struct bench b;
    int64_t wait_ms = 0, first_ms;
    make(&b, 2, 0, 3, 1000);
    pthread_mutex_lock(&b.gate);
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(pool_submit(b.pool, &b.jobs[i], false, NULL), POOL_TAKEN);
        wait_for(&b.running, i + 1);
    }
    for (int i = 2; i < 5; ++i)
        assert_int_equal(pool_submit(b.pool, &b.jobs[i], false, NULL), POOL_TAKEN);
    assert_int_equal(pool_submit(b.pool, &b.jobs[5], false, &wait_ms), POOL_FULL);
    assert_in_range(wait_ms, 1, 60000);
    first_ms = wait_ms;
    assert_int_equal(pool_submit(b.pool, &b.jobs[5], false, &wait_ms), POOL_FULL);
    assert_true(wait_ms > first_ms) /* another one, another time */;
    assert_int_equal(pool_submit(b.pool, &b.jobs[5], true, NULL), POOL_TAKEN); /* a woken poll is never turned away */
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
            assert_int_equal(pool_submit(b.pool, &b.jobs[i], false, NULL), POOL_TAKEN);
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
        assert_int_equal(pool_submit(b.pool, &b.jobs[i], false, NULL), POOL_TAKEN);
    pool_stop(b.pool);
    assert_int_equal(b.done, 5);
    assert_int_equal(pool_submit(b.pool, &b.jobs[6], false, NULL), POOL_CLOSED);
    pool_stop(b.pool);
    pool_destroy(b.pool);
    pool_destroy(NULL);
}

/* ---- those who share it */

static void submit(struct bench *b, int job, int share, enum pool_kind kind)
{
    b->jobs[job].share = &b->shares[share];
    b->jobs[job].kind = kind;
    assert_int_equal(pool_submit(b->pool, &b->jobs[job], false, NULL), POOL_TAKEN);
}

/* One thread, which stands at the gate with a job of nobody's until everything waits. */
static void make_one(struct bench *b)
{
    make(b, 1, 1, 0, 1000);
    pthread_mutex_lock(&b->gate);
    assert_int_equal(pool_submit(b->pool, &b->jobs[JOBS - 1], false, NULL), POOL_TAKEN);
    wait_for(&b->running, 1);
}

static void run_all(struct bench *b, int n)
{
    pthread_mutex_unlock(&b->gate);
    wait_for(&b->done, n);
    pool_destroy(b->pool);
}

/* Who has a hundred jobs waits for them; who has one waits for one of each other. */
static void shares_take_turns(void **state)
{
    struct bench b;
    make_one(&b);
    for (int i = 0; i < 100; ++i)
        submit(&b, i, 0, POOL_PLAIN);
    for (int i = 100; i < 110; ++i)
        submit(&b, i, 1 + i % 5, POOL_PLAIN);
    run_all(&b, 111);
    for (int i = 100; i < 110; ++i)
        assert_in_range(b.ran_at[i], 2, 1 + 2 * 6);
    assert_int_equal(b.shares_done[0], 100);
    assert_int_equal(b.shares_done[1], 2);
}

static void light_goes_first_and_nothing_starves(void **state)
{
    struct bench b;
    int light = 0, plain = 0, heavy = 0;
    make_one(&b);
    for (int i = 0; i < 40; ++i) {
        submit(&b, i, 0, POOL_HEAVY);
        submit(&b, 40 + i, 1, POOL_PLAIN);
        submit(&b, 80 + i, 2, POOL_LIGHT);
    }
    run_all(&b, 121);
    for (int i = 0; i < 40; ++i) { /* among the first 41 */
        heavy += b.ran_at[i] <= 41;
        plain += b.ran_at[40 + i] <= 41;
        light += b.ran_at[80 + i] <= 41;
    }
    assert_in_range(heavy, 2, 3);
    assert_in_range(plain, 7, 9);
    assert_in_range(light, 28, 31);
}

static void a_share_is_bounded(void **state)
{
    struct bench b;
    int64_t wait_ms = 0;
    make(&b, 8, 1, 0, 1000);
    b.shares[0] = (struct pool_share){.most_running = 3, .most_waiting = 5};
    pthread_mutex_lock(&b.gate);
    for (int i = 0; i < 3; ++i) {
        submit(&b, i, 0, POOL_LIGHT);
        wait_for(&b.running, i + 1);
    }
    for (int i = 3; i < 8; ++i)
        submit(&b, i, 0, POOL_PLAIN);
    assert_int_equal(pool_state(b.pool).queued, 5);
    b.jobs[8] = (struct pool_job){.share = &b.shares[0]};
    assert_int_equal(pool_submit(b.pool, &b.jobs[8], false, &wait_ms), POOL_SHARE_FULL);
    assert_in_range(wait_ms, 1, 60000);
    assert_int_equal(pool_submit(b.pool, &b.jobs[8], true, NULL), POOL_TAKEN); /* a woken poll is never turned away */
    for (int i = 10; i < 13; ++i) {                                            /* others run meanwhile */
        submit(&b, i, 1, POOL_LIGHT);
        wait_for(&b.running, i - 6);
    }
    run_all(&b, 12);
    assert_int_equal(b.shares_done[0], 9);
}

/* Heavy ones run one at a time here, whoever's they are: the others have the rest of the threads. */
static void heavy_ones_leave_room(void **state)
{
    struct bench b;
    make(&b, 4, 1, 0, 1000);
    pthread_mutex_lock(&b.gate);
    for (int i = 0; i < 6; ++i)
        submit(&b, i, i, POOL_HEAVY);
    wait_for(&b.running, 1);
    for (int i = 10; i < 13; ++i)
        submit(&b, i, 0, POOL_PLAIN);
    wait_for(&b.running, 4);
    assert_int_equal(pool_state(b.pool).queued, 5);
    run_all(&b, 9);
    for (int i = 0; i < 6; ++i)
        assert_int_equal(b.ran[i], 1);
}

/* Jobs of many come from many threads: each runs once, no share runs more than it may. */
static void *push(void *arg)
{
    struct bench *b = arg;
    static _Atomic int next;
    for (int i; (i = next++) < JOBS;) {
        b->jobs[i].share = &b->shares[i % 7];
        b->jobs[i].kind = (enum pool_kind)(i % POOL_KIND__COUNT);
        assert_int_equal(pool_submit(b->pool, &b->jobs[i], false, NULL), POOL_TAKEN);
    }
    return NULL;
}

static void many_share_it_from_many_threads(void **state)
{
    struct bench b;
    pthread_t threads[4];
    make(&b, 6, 1, 0, 20);
    for (int i = 0; i < 7; ++i)
        b.shares[i] = (struct pool_share){.most_running = 1 + i % 3, .most_heavy = 1};
    for (int i = 0; i < 4; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, push, &b), 0);
    for (int i = 0; i < 4; ++i)
        pthread_join(threads[i], NULL);
    wait_for(&b.done, JOBS);
    pool_stop(b.pool);
    for (int i = 0; i < JOBS; ++i)
        assert_int_equal(b.ran[i], 1);
    for (int i = 0; i < 7; ++i) {
        assert_int_equal(b.shares[i].running, 0);
        assert_int_equal(b.shares[i].heavy, 0);
        assert_int_equal(b.shares[i].waiting, 0);
    }
    pool_destroy(b.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_runs_once),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(idle_threads_end),
        cmocka_unit_test(a_stop_runs_what_waits),
        cmocka_unit_test(shares_take_turns),
        cmocka_unit_test(light_goes_first_and_nothing_starves),
        cmocka_unit_test(a_share_is_bounded),
        cmocka_unit_test(heavy_ones_leave_room),
        cmocka_unit_test(many_share_it_from_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
