/* A thread that runs at a time or when poked: no poke is missed, no run overlaps another, none comes after the stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/timed_thread.h"

struct trial {
    _Atomic int runs, told, heard, inside;
    _Atomic int64_t every_ms; /* TIMED_NEVER: not by itself */
    _Atomic int takes_us;
    _Atomic bool overlapped, saw_stop, until_stop;
};

static int64_t run(void *arg, const _Atomic bool *stop)
{
    struct trial *t = arg;
    if (atomic_fetch_add(&t->inside, 1) != 0)
        t->overlapped = true;
    t->heard = t->told;
    if (t->takes_us != 0)
        usleep((useconds_t)t->takes_us);
    while (t->until_stop && !*stop)
        usleep(1000);
    t->saw_stop = *stop;
    atomic_fetch_sub(&t->inside, 1);
    ++t->runs;
    return t->every_ms == TIMED_NEVER ? TIMED_NEVER : clock_mono_ms() + t->every_ms;
}

static bool within(const _Atomic int *counter, int n, int64_t ms)
{
    for (int64_t end = clock_mono_ms() + ms; *counter < n && clock_mono_ms() < end;)
        usleep(500);
    return *counter >= n;
}

static void it_runs_at_its_time(void **state)
{
    struct trial t = {.every_ms = 20};
    int64_t began = clock_mono_ms();
    struct timed_thread *thread = timed_thread_start("trial", run, &t, began + 30);
    assert_true(within(&t.runs, 1, 60000));
    assert_true(clock_mono_ms() - began >= 30);
    assert_true(within(&t.runs, 4, 60000));
    assert_true(clock_mono_ms() - began >= 90);
    timed_thread_destroy(thread);
}

static void a_poke_runs_it_at_once(void **state)
{
    struct trial t = {.every_ms = TIMED_NEVER};
    struct timed_thread *thread = timed_thread_start("trial", run, &t, TIMED_NEVER);
    usleep(30000);
    assert_int_equal(t.runs, 0);
    timed_thread_poke(thread);
    assert_true(within(&t.runs, 1, 60000));
    usleep(30000);
    assert_int_equal(t.runs, 1); /* once a poke */
    timed_thread_destroy(thread);
}

/* What was told before a poke is heard by a run that begins after it, also when another is under way. */
static void a_poke_while_it_runs_runs_it_once_more(void **state)
{
    struct trial t = {.every_ms = TIMED_NEVER, .takes_us = 50000};
    struct timed_thread *thread = timed_thread_start("trial", run, &t, 0);
    assert_true(within(&t.inside, 1, 60000));
    t.told = 7;
    timed_thread_poke(thread);
    timed_thread_poke(thread);
    assert_true(within(&t.runs, 2, 60000));
    assert_int_equal(t.heard, 7);
    usleep(80000);
    assert_int_equal(t.runs, 2);
    timed_thread_destroy(thread);
}

static void the_stop_waits_for_a_run_and_is_the_end(void **state)
{
    struct trial t = {.every_ms = 0, .until_stop = true};
    struct timed_thread *thread = timed_thread_start("trial", run, &t, 0);
    assert_true(within(&t.inside, 1, 60000));
    timed_thread_stop(thread);
    assert_int_equal(t.inside, 0);
    assert_true(t.saw_stop);
    assert_int_equal(t.runs, 1);
    timed_thread_poke(thread);
    timed_thread_stop(thread);
    usleep(20000);
    assert_int_equal(t.runs, 1);
    timed_thread_destroy(thread);
    timed_thread_poke(NULL);
    timed_thread_stop(NULL);
    timed_thread_destroy(NULL);
}

#define POKERS 4
#define POKES 2000

struct poker {
    struct trial *trial;
    struct timed_thread *thread;
};

static void *poke_often(void *arg)
{
    struct poker *poker = arg;
    for (int i = 0; i < POKES; ++i) {
        atomic_fetch_add(&poker->trial->told, 1);
        timed_thread_poke(poker->thread);
    }
    return NULL;
}

static void many_may_poke(void **state)
{
    struct trial t = {.every_ms = TIMED_NEVER};
    pthread_t threads[POKERS];
    struct poker poker = {&t, timed_thread_start("trial", run, &t, TIMED_NEVER)};
    for (int i = 0; i < POKERS; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, poke_often, &poker), 0);
    for (int i = 0; i < POKERS; ++i)
        pthread_join(threads[i], NULL);
    assert_true(within(&t.heard, POKERS * POKES, 60000));
    timed_thread_destroy(poker.thread);
    assert_false(t.overlapped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_runs_at_its_time),
        cmocka_unit_test(a_poke_runs_it_at_once),
        cmocka_unit_test(a_poke_while_it_runs_runs_it_once_more),
        cmocka_unit_test(the_stop_waits_for_a_run_and_is_the_end),
        cmocka_unit_test(many_may_poke),
    };
    return cmocka_run_group_tests_name("timed_thread", tests, NULL, NULL);
}
