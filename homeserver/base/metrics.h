/* What the process counts, told in Prometheus' text format: a registry that modules add their rows to.
 *
 * A module has a static table of struct metric and a function that adds it with the module's own state:
 *
 *     static const struct metric METRICS[] = {
 *         {"parta_writer_jobs_total", "Jobs in them.", METRIC_COUNTER, jobs_total, NULL},
 *     };
 *     void writer_metrics(struct writer *writer, struct metrics *metrics)
 *     {
 *         metrics_add(metrics, METRICS, sizeof METRICS / sizeof *METRICS, writer);
 *     }
 *
 * main calls it once both exist; nothing else has to know the module. The rows' functions are called for every page, on
 * an event loop: they read atomics or take a short lock, and never wait. Names and labels come from the code (route
 * templates, pools, destinations of the configuration), never from what a client sent. */
#ifndef PARTA_BASE_METRICS_H
#define PARTA_BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/text.h"

struct metrics;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* One family. Either value: a single number without labels; or samples: every line of it, with metric_sample. */
struct metric {
    const char *name; /* "parta_http_requests_total": unique; counters end in _total, units are part of the name */
    const char *help; /* one sentence */
    enum metric_type type;
    int64_t (*value)(void *self);
    void (*samples)(void *self, const struct metric *metric, struct text *out);
};

/* Makes the registry with the rows of the process itself: version, time since now, resident memory. */
struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *metrics); /* NULL is accepted */

/* rows is static storage; self (and what it reads) must live until no page is asked for any more. metrics NULL: nobody
 * asks, nothing is done. Any thread. */
void metrics_add(struct metrics *metrics, const struct metric *rows, size_t n, void *self);

/* The page: the families in the order in which they were added. Any thread. */
void metrics_render(struct metrics *metrics, struct text *out);

/* One line of a family: name, labels in braces, value. labels: `pool="workers",what="idle"`, values escaped; NULL:
 * none. */
void metric_sample(struct text *out, const char *name, const char *labels, int64_t value);

#endif
