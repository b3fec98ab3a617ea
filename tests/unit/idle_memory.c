/* Memory that is free goes back, also from between what is in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <malloc.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/jobs/idle_memory.h"

enum { BLOCKS = 16384, BYTES = 2000, EVERY = 512 };

static int64_t resident_kib(void)
{
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_int_equal(fscanf(file, "%*s %lld", &pages), 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE) / 1024;
}

/* A busy hour: 32 MiB in small pieces, of which a few stay. */
static void fill(char *blocks[BLOCKS])
{
    for (int i = 0; i < BLOCKS; ++i)
        memset(blocks[i] = xcalloc(1, BYTES), 1, BYTES);
    for (int i = 0; i < BLOCKS; ++i)
        if (i % EVERY != EVERY - 1) {
            free(blocks[i]);
            blocks[i] = NULL;
        }
}

static void finish(char *blocks[BLOCKS])
{
    for (int i = 0; i < BLOCKS; ++i)
        free(blocks[i]);
}

static void what_is_free_is_given_back_when_it_is_quiet(void **state)
{
    static char *blocks[BLOCKS];
    static const _Atomic bool stop;
    struct idle_memory idle = {.looked_ms = clock_mono_ms() - 3600000};
    fill(blocks);
    int64_t before = resident_kib();
    assert_int_equal(idle_memory_run(&idle, &stop), JOB_DONE);
    if (mallinfo2().arena != 0) /* the sanitizers' own malloc says nothing of itself, and keeps what is free */
        assert_true(before - resident_kib() > 20 * 1024);
    finish(blocks);
}

static void a_busy_server_keeps_it(void **state)
{
    static char *blocks[BLOCKS];
    static const _Atomic bool stop;
    struct idle_memory idle = {.looked_ms = clock_mono_ms(), .cpu_ms = -1000000};
    fill(blocks);
    int64_t before = resident_kib();
    assert_int_equal(idle_memory_run(&idle, &stop), JOB_DONE);
    assert_true(before - resident_kib() < 1024);
    finish(blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_busy_server_keeps_it),
        cmocka_unit_test(what_is_free_is_given_back_when_it_is_quiet),
    };
    return cmocka_run_group_tests_name("idle_memory", tests, NULL, NULL);
}
