#include "homeserver/jobs/idle_memory.h"

#include <malloc.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "homeserver/base/clock.h"

#define BUSY_PART 5

static int64_t cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t resident(void)
{
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL && fscanf(file, "%*s %lld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static bool is_quiet(struct idle_memory *idle)
{
    int64_t now_ms = clock_mono_ms(), cpu = cpu_ms();
    bool quiet = (cpu - idle->cpu_ms) * BUSY_PART <= now_ms - idle->looked_ms;
    idle->looked_ms = now_ms;
    idle->cpu_ms = cpu;
    return quiet;
}

/* What was given back still counts as free: only more than there was then can be given back again. */
enum job_outcome idle_memory_run(void *arg, const _Atomic bool *stop)
{
    struct idle_memory *idle = arg;
    if (!is_quiet(idle) || resident() < idle->resident + IDLE_MEMORY_MIN || mallinfo2().fordblks < IDLE_MEMORY_MIN)
        return JOB_DONE;
    malloc_trim(0);
    idle->resident = resident();
    return JOB_DONE;
}
