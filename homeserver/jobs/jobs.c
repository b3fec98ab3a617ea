#include "homeserver/jobs/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/base/timed_thread.h"

#define SLOW_MS 1000 /* for a job that shares its thread */

struct job {
    struct job_row row;
    struct lane *lane;
    _Atomic bool poked;
    int64_t due_ms; /* the lane's own; TIMED_NEVER: not before a poke */
    _Atomic int64_t runs, failures, last_ms, last_end_ms;
};

/* A thread and the jobs that name it. */
struct lane {
    const char *name;
    struct jobs *jobs;
    struct timed_thread *thread;
};

struct jobs {
    struct job *all;
    struct lane *lanes; /* the first is shared */
    size_t n, n_lanes;
    _Atomic bool stopping;
};

static void run_job(struct job *job, const _Atomic bool *stop)
{
    int64_t began_ms = clock_mono_ms();
    job->poked = false; /* before it runs: what is told from now on may have come too late for it */
    enum job_outcome outcome = job->row.run(job->row.arg, stop);
    int64_t now_ms = clock_mono_ms();
    job->last_ms = now_ms - began_ms;
    job->last_end_ms = clock_wall_ms();
    ++job->runs;
    job->failures += outcome == JOB_FAILED;
    job->due_ms = outcome == JOB_MORE ? now_ms : job->row.period_ms == 0 ? TIMED_NEVER : now_ms + job->row.period_ms;
    if (log_enabled(LOG_DEBUG)) {
        static const char *const OUTCOMES[] = {[JOB_DONE] = "done", [JOB_MORE] = "more", [JOB_FAILED] = "failed"};
        char ms[24];
        snprintf(ms, sizeof ms, "%lld", (long long)job->last_ms);
        log_line(LOG_DEBUG, "jobs", "ran", "job", job->row.name, "outcome", OUTCOMES[outcome], "ms", ms, NULL);
    }
    if (!job->row.own_thread && job->last_ms >= SLOW_MS)
        log_warn("jobs", "%s took %lld ms, and the others waited", job->row.name, (long long)job->last_ms);
}

static int64_t run_lane(void *arg, const _Atomic bool *stop)
{
    const struct lane *lane = arg;
    struct jobs *jobs = lane->jobs;
    int64_t next_ms = TIMED_NEVER;
    for (size_t i = 0; i < jobs->n; ++i) {
        struct job *job = &jobs->all[i];
        if (job->lane != lane)
            continue;
        if (!jobs->stopping && (job->poked || job->due_ms <= clock_mono_ms()))
            run_job(job, &jobs->stopping);
        if (job->due_ms < next_ms)
            next_ms = job->due_ms;
    }
    return next_ms;
}

struct jobs *jobs_start(const struct job_row *rows, size_t n)
{
    struct jobs *jobs = xcalloc(1, sizeof *jobs);
    int64_t now_ms = clock_mono_ms();
    bool good = true;
    jobs->all = xcalloc(n + 1, sizeof *jobs->all);
    jobs->lanes = xcalloc(n + 1, sizeof *jobs->lanes);
    jobs->n = n;
    jobs->n_lanes = 1;
    for (size_t i = 0; i < n; ++i) {
        struct job *job = &jobs->all[i];
        job->row = rows[i];
        job->lane = rows[i].own_thread ? &jobs->lanes[jobs->n_lanes++] : jobs->lanes;
        job->lane->name = rows[i].name; /* the shared one is named below */
        job->due_ms = rows[i].period_ms != 0 ? now_ms + rows[i].first_ms : TIMED_NEVER;
    }
    jobs->lanes[0].name = "jobs";
    for (size_t i = 0; i < jobs->n_lanes; ++i)
        jobs->lanes[i].jobs = jobs;
    for (size_t i = 0; i < jobs->n_lanes; ++i)
        good &= (jobs->lanes[i].thread =
                     timed_thread_start(jobs->lanes[i].name, run_lane, &jobs->lanes[i], TIMED_NEVER)) != NULL;
    if (!good) {
        jobs_destroy(jobs);
        return NULL;
    }
    for (size_t i = 0; i < jobs->n_lanes; ++i) /* only now: a job may poke another */
        timed_thread_poke(jobs->lanes[i].thread);
    return jobs;
}

void jobs_poke(struct jobs *jobs, const char *name)
{
    if (jobs == NULL)
        return;
    for (size_t i = 0; i < jobs->n; ++i)
        if (strcmp(jobs->all[i].row.name, name) == 0) {
            jobs->all[i].poked = true;
            timed_thread_poke(jobs->all[i].lane->thread);
            return;
        }
    abort();
}

void jobs_stop(struct jobs *jobs)
{
    if (jobs == NULL)
        return;
    jobs->stopping = true;
    for (size_t i = 0; i < jobs->n_lanes; ++i)
        timed_thread_stop(jobs->lanes[i].thread);
}

void jobs_destroy(struct jobs *jobs)
{
    if (jobs == NULL)
        return;
    jobs_stop(jobs);
    for (size_t i = 0; i < jobs->n_lanes; ++i)
        timed_thread_destroy(jobs->lanes[i].thread);
    free(jobs->lanes);
    free(jobs->all);
    free(jobs);
}

static void samples(void *self, const struct metric *metric, struct text *out);

static const struct metric METRICS[] = {
    {"parta_job_runs_total", "Runs of what the server does by itself.", METRIC_COUNTER, NULL, samples},
    {"parta_job_failures_total", "Runs that failed.", METRIC_COUNTER, NULL, samples},
    {"parta_job_last_duration_milliseconds", "How long the last run took.", METRIC_GAUGE, NULL, samples},
    {"parta_job_last_end_timestamp_milliseconds", "When the last run ended; 0: none has yet.", METRIC_GAUGE, NULL,
     samples},
};

static void samples(void *self, const struct metric *metric, struct text *out)
{
    const struct jobs *jobs = self;
    for (size_t i = 0; i < jobs->n; ++i) {
        const struct job *job = &jobs->all[i];
        const int64_t values[] = {job->runs, job->failures, job->last_ms, job->last_end_ms};
        char labels[32];
        snprintf(labels, sizeof labels, "job=\"%s\"", job->row.name);
        metric_sample(out, metric->name, labels, values[metric - METRICS]);
    }
}

void jobs_metrics(struct jobs *jobs, struct metrics *metrics)
{
    metrics_add(metrics, METRICS, sizeof METRICS / sizeof *METRICS, jobs);
}
