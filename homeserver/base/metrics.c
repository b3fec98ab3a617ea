#include "homeserver/base/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "homeserver/base/clock.h"

struct group {
    const struct metric *rows;
    size_t n;
    void *self;
};

struct metrics {
    pthread_mutex_t lock;
    struct group *groups;
    size_t n;
    int64_t begun_ms;
};

static void version(void *self, const struct metric *metric, struct text *out)
{
    metric_sample(out, metric->name, "version=\"" PARTA_VERSION "\"", 1);
}

static int64_t uptime_ms(void *self)
{
    const struct metrics *metrics = self;
    return clock_mono_ms() - metrics->begun_ms;
}

/* −1: unknown */
static int64_t resident_bytes(void *self)
{
    long long pages = -1, total;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return -1;
    if (fscanf(file, "%lld %lld", &total, &pages) != 2)
        pages = -1;
    fclose(file);
    return pages < 0 ? -1 : pages * sysconf(_SC_PAGESIZE);
}

static const struct metric PROCESS[] = {
    {"parta_info", "The version that runs.", METRIC_GAUGE, NULL, version},
    {"parta_uptime_milliseconds", "Since the server started.", METRIC_GAUGE, uptime_ms, NULL},
    {"process_resident_memory_bytes", "Resident memory.", METRIC_GAUGE, resident_bytes, NULL},
};

struct metrics *metrics_create(void)
{
    struct metrics *metrics = xcalloc(1, sizeof *metrics);
    pthread_mutex_init(&metrics->lock, NULL);
    metrics->begun_ms = clock_mono_ms();
    metrics_add(metrics, PROCESS, sizeof PROCESS / sizeof *PROCESS, metrics);
    return metrics;
}

void metrics_destroy(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    pthread_mutex_destroy(&metrics->lock);
    free(metrics->groups);
    free(metrics);
}

void metrics_add(struct metrics *metrics, const struct metric *rows, size_t n, void *self)
{
    if (metrics == NULL)
        return;
    pthread_mutex_lock(&metrics->lock);
    metrics->groups = xrealloc(metrics->groups, (metrics->n + 1) * sizeof *metrics->groups);
    metrics->groups[metrics->n++] = (struct group){rows, n, self};
    pthread_mutex_unlock(&metrics->lock);
}

void metric_sample(struct text *out, const char *name, const char *labels, int64_t value)
{
    text_addf(out, labels != NULL ? "%s{%s} %lld\n" : "%s%s %lld\n", name, labels != NULL ? labels : "",
              (long long)value);
}

static void render(const struct metric *row, void *self, struct text *out)
{
    static const char *const TYPES[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
    text_addf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name, TYPES[row->type]);
    if (row->value != NULL)
        metric_sample(out, row->name, NULL, row->value(self));
    else
        row->samples(self, row, out);
}

void metrics_render(struct metrics *metrics, struct text *out)
{
    pthread_mutex_lock(&metrics->lock);
    for (size_t i = 0; i < metrics->n; ++i)
        for (size_t j = 0; j < metrics->groups[i].n; ++j)
            render(&metrics->groups[i].rows[j], metrics->groups[i].self, out);
    pthread_mutex_unlock(&metrics->lock);
}
