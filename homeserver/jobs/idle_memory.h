/* Gives memory that is free back to the system. malloc keeps what a busy hour needed (a thousand polls, answers of
 * megabytes) for the next one, and gives nothing back that lies between things in use. */
#ifndef PARTA_JOBS_IDLE_MEMORY_H
#define PARTA_JOBS_IDLE_MEMORY_H

#include <stdint.h>

#include "homeserver/jobs/jobs.h"

#define IDLE_MEMORY_PERIOD_MS 15000
#define IDLE_MEMORY_MIN (4 << 20) /* bytes: less is not worth a look */

/* Kept from one run to the next; zeroed at first. */
struct idle_memory {
    int64_t looked_ms, cpu_ms; /* clock_mono_ms, CPU of the process so far: whether it was busy since */
    int64_t resident;          /* bytes, after memory was given back last */
};

/* A job_fn; arg: struct idle_memory *. Does nothing while the server is busy (more than a fifth of a core since the
 * last run), because nobody can allocate meanwhile. Blocks for some milliseconds at most. */
enum job_outcome idle_memory_run(void *arg, const _Atomic bool *stop);

#endif
