/* Jobs: what the server does by itself, periodically or when it is due, as rows of one table (homeserver/main.c).
 *
 * Rows share one thread, in the order of the table, and so must be short: a second is much. A row that may take long
 * (the network, everything that somebody ever wrote) says so and gets a thread of its own. What is left to do when a
 * run has done its share is done after the others had their turn (JOB_MORE). A job that fails says why in the log,
 * where it arises; here it is counted and tried again when it is due the next time. Nothing is kept over a restart. */
#ifndef PARTA_JOBS_JOBS_H
#define PARTA_JOBS_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jobs;
struct metrics;

enum job_outcome { JOB_DONE, JOB_MORE, JOB_FAILED };

/* Blocks as it must, never on a thread but its own. *stop becomes true when the server stops: what takes long ends. */
typedef enum job_outcome job_fn(void *arg, const _Atomic bool *stop);

struct job_row {
    const char *name;  /* "prune", at most 15 bytes; of metrics, of jobs_poke */
    int64_t first_ms;  /* from the start to the first run */
    int64_t period_ms; /* from the end of a run to the next; 0: runs only when poked */
    bool own_thread;   /* it may take long: a thread of its own, so that it delays no other */
    job_fn *run;
    void *arg;
};

/* Rows are copied, names borrowed. NULL: a thread could not be started (logged). */
struct jobs *jobs_start(const struct job_row *rows, size_t n);

/* The job has something to do: it runs as soon as its thread is free. A poke during a run is heard after it. A name
 * that is not in the table is a bug. Any thread; never blocks. jobs may be NULL: nothing happens. */
void jobs_poke(struct jobs *jobs, const char *name);

/* Tells all to stop, then waits until those that run have returned. NULL is accepted. */
void jobs_stop(struct jobs *jobs);
void jobs_destroy(struct jobs *jobs); /* stops them first; nobody may poke any more. NULL is accepted */

/* Runs, failures, the last run's duration and end, by job. */
void jobs_metrics(struct jobs *jobs, struct metrics *metrics);

#endif
