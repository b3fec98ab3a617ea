#include "homeserver/http/request_metrics.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "homeserver/base/metrics.h"
#include "homeserver/http/router.h"

#define CLASSES 5 /* 1xx … 5xx */

/* Upper bounds in microseconds; one more bucket holds the rest. */
static const int64_t BOUNDS_US[] = {500,    1000,   2500,   5000,    10000,   25000,   50000,
                                    100000, 250000, 500000, 1000000, 2500000, 10000000};
#define BOUNDS (sizeof BOUNDS_US / sizeof *BOUNDS_US)

struct row {
    const struct route *route; /* NULL: no route matched */
    _Atomic int64_t answers[CLASSES], us, bytes;
};

struct request_metrics {
    struct row *rows; /* sorted by the route's address; the last one is for no route */
    size_t n;
    _Atomic(struct row *) last; /* most requests are polls */
    _Atomic int64_t buckets[BOUNDS + 1], sum_us, waited;
};

static int by_address(const void *a, const void *b)
{
    const struct route *x = ((const struct row *)a)->route, *y = ((const struct row *)b)->route;
    return x < y ? -1 : x > y;
}

struct request_metrics *request_metrics_create(const struct routes *const *tables, size_t n)
{
    struct request_metrics *counters = xcalloc(1, sizeof *counters);
    for (size_t i = 0; i < n; ++i)
        counters->n += tables[i]->n;
    counters->rows = xcalloc(counters->n + 1, sizeof *counters->rows);
    struct row *row = counters->rows;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < tables[i]->n; ++j)
            (row++)->route = &tables[i]->table[j];
    qsort(counters->rows, counters->n, sizeof *counters->rows, by_address);
    counters->last = counters->rows;
    return counters;
}

void request_metrics_destroy(struct request_metrics *counters)
{
    if (counters == NULL)
        return;
    free(counters->rows);
    free(counters);
}

static void add(_Atomic int64_t *counter, int64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static int64_t get(const _Atomic int64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static struct row *find_row(struct request_metrics *counters, const struct route *route)
{
    size_t low = 0, high = counters->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (counters->rows[mid].route == route)
            return &counters->rows[mid];
        if (counters->rows[mid].route < route)
            low = mid + 1;
        else
            high = mid;
    }
    return &counters->rows[counters->n];
}

static struct row *row_of(struct request_metrics *counters, const struct route *route)
{
    struct row *row = atomic_load_explicit(&counters->last, memory_order_relaxed);
    if (row->route == route)
        return row;
    row = find_row(counters, route);
    atomic_store_explicit(&counters->last, row, memory_order_relaxed);
    return row;
}

void request_metrics_count(struct request_metrics *counters, const struct route *route, int status, int64_t us,
                           size_t bytes, bool waited)
{
    struct row *row = row_of(counters, route);
    int class = status / 100 - 1;
    add(&row->answers[class >= 0 && class < CLASSES ? class : CLASSES - 1], 1);
    add(&row->us, us);
    add(&row->bytes, (int64_t)bytes);
    if (waited) {
        add(&counters->waited, 1);
        return;
    }
    size_t bucket = 0;
    while (bucket < BOUNDS && us > BOUNDS_US[bucket])
        ++bucket;
    add(&counters->buckets[bucket], 1);
    add(&counters->sum_us, us);
}

static void by_route(void *self, const struct metric *metric, struct text *out)
{
    const struct request_metrics *counters = self;
    for (size_t i = 0; i <= counters->n; ++i) {
        const struct row *row = &counters->rows[i];
        const char *path = row->route != NULL ? row->route->path : "none";
        const char *method = row->route != NULL ? method_name(row->route->method) : "any";
        for (int class = 0; class < CLASSES; ++class)
            if (get(&row->answers[class]) > 0)
                text_addf(out, "%s{method=\"%s\",route=\"%s\",class=\"%dxx\"} %lld\n", metric->name, method, path,
                          class + 1, (long long)get(&row->answers[class]));
    }
}

static int64_t waited_total(void *self)
{
    const struct request_metrics *counters = self;
    return get(&counters->waited);
}

static int64_t reply_bytes(void *self)
{
    const struct request_metrics *counters = self;
    int64_t bytes = 0;
    for (size_t i = 0; i <= counters->n; ++i)
        bytes += get(&counters->rows[i].bytes);
    return bytes;
}

static void durations(void *self, const struct metric *metric, struct text *out)
{
    const struct request_metrics *counters = self;
    int64_t sum = 0;
    for (size_t i = 0; i < BOUNDS; ++i) {
        sum += get(&counters->buckets[i]);
        text_addf(out, "%s_bucket{le=\"%g\"} %lld\n", metric->name, (double)BOUNDS_US[i] / 1e6, (long long)sum);
    }
    sum += get(&counters->buckets[BOUNDS]);
    text_addf(out, "%s_bucket{le=\"+Inf\"} %lld\n", metric->name, (long long)sum);
    text_addf(out, "%s_sum %.6f\n%s_count %lld\n", metric->name, (double)get(&counters->sum_us) / 1e6, metric->name,
              (long long)sum);
}

static const struct metric METRICS[] = {
    {"parta_http_requests_total", "Requests answered.", METRIC_COUNTER, NULL, by_route},
    {"parta_http_waited_total", "Requests that were parked before they were answered.", METRIC_COUNTER, waited_total,
     NULL},
    {"parta_http_reply_bytes_total", "Bytes of reply bodies.", METRIC_COUNTER, reply_bytes, NULL},
    {"parta_http_request_duration_seconds", "From the end of a request to its reply, parked requests left out.",
     METRIC_HISTOGRAM, NULL, durations},
};

void request_metrics_add(struct request_metrics *counters, struct metrics *metrics)
{
    metrics_add(metrics, METRICS, sizeof METRICS / sizeof *METRICS, counters);
}
