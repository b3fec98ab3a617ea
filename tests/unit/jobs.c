/* The table of jobs: periods, pokes, shares, a long one that delays no short one, and the stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/metrics.h"
#include "homeserver/jobs/jobs.h"

struct trial {
    _Atomic int runs;
    _Atomic int more;  /* so many runs leave something to do */
    _Atomic int fails; /* so many fail */
    _Atomic bool until_stop, inside;
    struct jobs **poke; /* pokes "other" */
};

static enum job_outcome run(void *arg, const _Atomic bool *stop)
{
    struct trial *t = arg;
    t->inside = true;
    while (t->until_stop && !*stop)
        usleep(1000);
    t->inside = false;
    if (t->poke != NULL)
        jobs_poke(*t->poke, "other");
    ++t->runs;
    if (t->fails-- > 0)
        return JOB_FAILED;
    return t->more-- > 0 ? JOB_MORE : JOB_DONE;
}

static bool within(const _Atomic int *counter, int n, int64_t ms)
{
    for (int64_t end = clock_mono_ms() + ms; *counter < n && clock_mono_ms() < end;)
        usleep(500);
    return *counter >= n;
}

static void rows_run_at_their_times(void **state)
{
    struct trial often = {0}, later = {0}, poked = {0};
    const struct job_row rows[] = {{"often", 0, 20, false, run, &often},
                                   {"later", 3600000, 3600000, false, run, &later},
                                   {"poked", 0, 0, false, run, &poked}};
    int64_t began = clock_mono_ms();
    struct jobs *jobs = jobs_start(rows, 3);
    assert_true(within(&often.runs, 5, 60000));
    assert_true(clock_mono_ms() - began >= 80);
    assert_int_equal(later.runs, 0);
    assert_int_equal(poked.runs, 0);
    jobs_poke(jobs, "poked");
    jobs_poke(jobs, "later");
    assert_true(within(&poked.runs, 1, 60000));
    assert_true(within(&later.runs, 1, 60000));
    usleep(50000);
    assert_int_equal(poked.runs, 1);
    assert_int_equal(later.runs, 1);
    jobs_destroy(jobs);
}

/* Its share done, the others' turn, and again: without waiting for its period. */
static void what_is_left_is_done_soon(void **state)
{
    struct trial greedy = {.more = 50}, other = {.more = 50};
    const struct job_row rows[] = {{"greedy", 0, 3600000, false, run, &greedy},
                                   {"other", 0, 3600000, false, run, &other}};
    struct jobs *jobs = jobs_start(rows, 2);
    assert_true(within(&greedy.runs, 51, 60000));
    assert_true(within(&other.runs, 51, 60000));
    usleep(30000);
    assert_int_equal(greedy.runs, 51);
    jobs_destroy(jobs);
}

static void a_long_job_delays_no_short_one(void **state)
{
    struct trial lasting = {.until_stop = true}, brief = {0};
    const struct job_row rows[] = {{"lasting", 0, 1000, true, run, &lasting}, {"brief", 0, 10, false, run, &brief}};
    struct jobs *jobs = jobs_start(rows, 2);
    while (!lasting.inside)
        usleep(500);
    int before = brief.runs;
    assert_true(within(&brief.runs, before + 10, 60000));
    assert_true(lasting.inside);
    int64_t began = clock_mono_ms();
    jobs_stop(jobs);
    assert_true(clock_mono_ms() - began < 60000);
    assert_false(lasting.inside);
    int runs = brief.runs;
    jobs_poke(jobs, "brief");
    usleep(30000);
    assert_int_equal(brief.runs, runs);
    jobs_destroy(jobs);
    jobs_stop(NULL);
    jobs_destroy(NULL);
    jobs_poke(NULL, "brief");
}

/* Two long ones end together: the stop is told to both before it waits for either. */
static void the_stop_is_told_to_all_at_once(void **state)
{
    struct trial a = {.until_stop = true}, b = {.until_stop = true};
    const struct job_row rows[] = {{"a", 0, 1000, true, run, &a}, {"b", 0, 1000, true, run, &b}};
    struct jobs *jobs = jobs_start(rows, 2);
    while (!a.inside || !b.inside)
        usleep(500);
    jobs_stop(jobs);
    assert_int_equal(a.runs, 1);
    assert_int_equal(b.runs, 1);
    jobs_destroy(jobs);
}

static void a_job_may_poke_another(void **state)
{
    struct jobs *jobs = NULL;
    struct trial one = {.poke = &jobs}, other = {0};
    const struct job_row rows[] = {{"one", 0, 0, true, run, &one}, {"other", 0, 0, true, run, &other}};
    jobs = jobs_start(rows, 2);
    jobs_poke(jobs, "one");
    assert_true(within(&other.runs, 1, 60000));
    jobs_destroy(jobs);
}

static bool says(struct jobs *jobs, const char *line)
{
    struct text out = TEXT_INIT;
    struct metrics *metrics = metrics_create();
    jobs_metrics(jobs, metrics);
    metrics_render(metrics, &out);
    metrics_destroy(metrics);
    bool found = strstr(out.data, line) != NULL;
    text_finish(&out);
    return found;
}

static void runs_and_failures_are_counted(void **state)
{
    struct trial t = {.fails = 2, .more = 1};
    const struct job_row rows[] = {{"trial", 0, 10, false, run, &t}};
    struct jobs *jobs = jobs_start(rows, 1);
    assert_true(within(&t.runs, 4, 60000));
    jobs_stop(jobs);
    assert_true(says(jobs, "parta_job_failures_total{job=\"trial\"} 2\n"));
    assert_true(says(jobs, "# TYPE parta_job_runs_total counter\nparta_job_runs_total{job=\"trial\"} "));
    assert_false(says(jobs, "parta_job_last_end_timestamp_milliseconds{job=\"trial\"} 0\n"));
    jobs_destroy(jobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_run_at_their_times),        cmocka_unit_test(what_is_left_is_done_soon),
        cmocka_unit_test(a_long_job_delays_no_short_one), cmocka_unit_test(the_stop_is_told_to_all_at_once),
        cmocka_unit_test(a_job_may_poke_another),         cmocka_unit_test(runs_and_failures_are_counted),
    };
    return cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}
