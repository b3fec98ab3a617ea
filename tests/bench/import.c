#include "tests/bench/import.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/client.h"
#include "tests/bench/subject.h"

#define SECONDS_MAX 600

struct site {
    char dir[64], config[96], roster[96], said[96], database[96], parta[512];
};

struct cost {
    int64_t wall_us, cpu_us;
    double rss_mib;
};

static void site_make(struct site *s, const char *partad)
{
    strcpy(s->dir, "/tmp/parta-bench-XXXXXX");
    if (mkdtemp(s->dir) == NULL)
        exit(1);
    snprintf(s->config, sizeof s->config, "%s/parta.yaml", s->dir);
    snprintf(s->roster, sizeof s->roster, "%s/school.zip", s->dir);
    snprintf(s->said, sizeof s->said, "%s/said", s->dir);
    snprintf(s->database, sizeof s->database, "%s/data/parta.db", s->dir);
    snprintf(s->parta, sizeof s->parta, "%.*s", (int)strlen(partad) - 1, partad); /* partad's neighbour */
    FILE *f = fopen(s->config, "w");
    fprintf(f, "server_name: bench.example\ndata_dir: %s/data\nlog:\n  level: warn\n", s->dir);
    fclose(f);
}

static void site_remove(const struct site *s)
{
    static const char *const FILES[] = {
        "data/parta.db",
        "data/parta.db-wal",
        "data/parta.db-shm",
        "data/signing.key",
        "data/parta.lock",
        "data",
        "parta.yaml",
        "school.zip",
        "said",
        "",
    };
    char path[160];
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; ++i) {
        snprintf(path, sizeof path, "%s/%s", s->dir, FILES[i]);
        remove(path);
    }
}

static void all_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i <= last_core(); ++i)
        CPU_SET(i, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static int64_t micro(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

/* parta --config CONFIG with those words; what it says goes to s->said. */
static struct cost run(const struct site *s, const char *const words[6])
{
    struct rusage used;
    int status;
    int64_t started = now_us();
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {(char *)s->parta, "--config",       (char *)s->config,
                        (char *)words[0], (char *)words[1], (char *)words[2],
                        (char *)words[3], (char *)words[4], NULL};
        all_cores();
        alarm(SECONDS_MAX);
        if (freopen(s->said, "w", stdout) != NULL && dup2(STDOUT_FILENO, STDERR_FILENO) >= 0)
            execv(s->parta, argv);
        _exit(127);
    }
    if (wait4(pid, &status, 0, &used) != pid || status != 0) {
        fprintf(stderr, "bench: %s %s failed; see %s\n", words[0], words[1], s->said);
        exit(1);
    }
    return (struct cost){now_us() - started, micro(used.ru_utime) + micro(used.ru_stime),
                         (double)used.ru_maxrss / 1024};
}

/* "2 schools, 6 classes, 134 people: …" */
static int people_said(const struct site *s)
{
    int people = 0;
    FILE *f = fopen(s->said, "r");
    if (f == NULL || fscanf(f, "%*d schools, %*d classes, %d people", &people) != 1)
        exit(1);
    fclose(f);
    return people;
}

static json_t *figures(const struct site *s, int people, struct cost cost)
{
    return json_pack("{s:i, s:f, s:f, s:f, s:f, s:f}", "people", people, "seconds", (double)cost.wall_us / 1000000,
                     "cpu_seconds", (double)cost.cpu_us / 1000000, "people_per_second",
                     (double)people * 1000000 / (double)cost.wall_us, "rss_mib", cost.rss_mib, "database_mib",
                     (double)subject_file_bytes(s->database) / (1 << 20));
}

void bench_import(const char *partad, const char *size, json_t **first, json_t **again)
{
    struct site s;
    site_make(&s, partad);
    const char *const sample[6] = {"school", "sample", "--size", size, s.roster};
    const char *const import[6] = {"roster", "import", s.roster};
    run(&s, sample);
    int people = people_said(&s);
    *first = figures(&s, people, run(&s, import));
    *again = figures(&s, people, run(&s, import));
    site_remove(&s);
}
