#include "homeserver/http/metrics.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

struct metrics {
    struct row *rows; /* sorted by the route's address; the last one is for no route */
    size_t n;
    _Atomic int64_t buckets[BOUNDS + 1], sum_us, waited;
};

static int by_address(const void *a, const void *b)
{
    const struct route *x = ((const struct row *)a)->route, *y = ((const struct row *)b)->route;
    return x < y ? -1 : x > y;
}

struct metrics *metrics_create(const struct routes *const *tables, size_t n)
{
    struct metrics *metrics = xcalloc(1, sizeof *metrics);
    for (size_t i = 0; i < n; ++i)
        metrics->n += tables[i]->n;
    metrics->rows = xcalloc(metrics->n + 1, sizeof *metrics->rows);
    struct row *row = metrics->rows;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < tables[i]->n; ++j)
            (row++)->route = &tables[i]->table[j];
    qsort(metrics->rows, metrics->n, sizeof *metrics->rows, by_address);
    return metrics;
}

void metrics_destroy(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    free(metrics->rows);
    free(metrics);
}

static void add(_Atomic int64_t *counter, int64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static int64_t get(const _Atomic int64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static struct row *row_of(struct metrics *metrics, const struct route *route)
{
    size_t low = 0, high = metrics->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (metrics->rows[mid].route == route)
            return &metrics->rows[mid];
        if (metrics->rows[mid].route < route)
            low = mid + 1;
        else
            high = mid;
    }
    return &metrics->rows[metrics->n];
}

void metrics_request(struct metrics *metrics, const struct route *route, int status, int64_t us, size_t bytes,
                     bool waited)
{
    struct row *row = row_of(metrics, route);
    int class = status / 100 - 1;
    add(&row->answers[class >= 0 && class < CLASSES ? class : CLASSES - 1], 1);
    add(&row->us, us);
    add(&row->bytes, (int64_t)bytes);
    if (waited) {
        add(&metrics->waited, 1);
        return;
    }
    size_t bucket = 0;
    while (bucket < BOUNDS && us > BOUNDS_US[bucket])
        ++bucket;
    add(&metrics->buckets[bucket], 1);
    add(&metrics->sum_us, us);
}

static void head(struct text *out, const char *name, const char *type, const char *help)
{
    text_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct text *out, const char *name, const char *help, int64_t value)
{
    head(out, name, "gauge", help);
    text_addf(out, "%s %lld\n", name, (long long)value);
}

static void counter(struct text *out, const char *name, const char *help, int64_t value)
{
    head(out, name, "counter", help);
    text_addf(out, "%s %lld\n", name, (long long)value);
}

static void render_row(const struct row *row, struct text *out)
{
    const char *path = row->route != NULL ? row->route->path : "none";
    const char *method = row->route != NULL ? method_name(row->route->method) : "any";
    for (int class = 0; class < CLASSES; ++class)
        if (get(&row->answers[class]) > 0)
            text_addf(out, "parta_http_requests_total{method=\"%s\",route=\"%s\",class=\"%dxx\"} %lld\n", method, path,
                      class + 1, (long long)get(&row->answers[class]));
}

static void render_requests(const struct metrics *metrics, struct text *out)
{
    int64_t bytes = 0;
    head(out, "parta_http_requests_total", "counter", "Requests answered.");
    for (size_t i = 0; i <= metrics->n; ++i) {
        render_row(&metrics->rows[i], out);
        bytes += get(&metrics->rows[i].bytes);
    }
    counter(out, "parta_http_waited_total", "Requests that were parked before they were answered.",
            get(&metrics->waited));
    counter(out, "parta_http_reply_bytes_total", "Bytes of reply bodies.", bytes);
}

static void render_durations(const struct metrics *metrics, struct text *out)
{
    static const char NAME[] = "parta_http_request_duration_seconds";
    int64_t sum = 0;
    head(out, NAME, "histogram", "From the end of a request to its reply, parked requests left out.");
    for (size_t i = 0; i < BOUNDS; ++i) {
        sum += get(&metrics->buckets[i]);
        text_addf(out, "%s_bucket{le=\"%g\"} %lld\n", NAME, (double)BOUNDS_US[i] / 1e6, (long long)sum);
    }
    sum += get(&metrics->buckets[BOUNDS]);
    text_addf(out, "%s_bucket{le=\"+Inf\"} %lld\n", NAME, (long long)sum);
    text_addf(out, "%s_sum %.6f\n%s_count %lld\n", NAME, (double)get(&metrics->sum_us) / 1e6, NAME, (long long)sum);
}

static void render_pool(struct text *out, const char *name, struct pool_state state)
{
    text_addf(out, "parta_pool{pool=\"%s\",what=\"threads\"} %d\n", name, state.threads);
    text_addf(out, "parta_pool{pool=\"%s\",what=\"idle\"} %d\n", name, state.idle);
    text_addf(out, "parta_pool{pool=\"%s\",what=\"queued\"} %zu\n", name, state.queued);
}

void metrics_render(const struct metrics *metrics, const struct metrics_now *now, struct text *out)
{
    head(out, "parta_info", "gauge", "The version that runs.");
    text_addf(out, "parta_info{version=\"%s\"} 1\n", PARTA_VERSION);
    render_requests(metrics, out);
    render_durations(metrics, out);
    gauge(out, "parta_http_connections", "Open connections.", (int64_t)now->connections);
    gauge(out, "parta_http_parked", "Requests that wait for news.", (int64_t)now->parked);
    gauge(out, "parta_uia_sessions", "Unfinished user-interactive authentications.", (int64_t)now->uia_sessions);
    head(out, "parta_pool", "gauge", "Worker threads and their queues.");
    render_pool(out, "workers", now->workers);
    render_pool(out, "hashers", now->hashers);
    counter(out, "parta_writer_groups_total", "Transactions committed by the writer.", now->writer_groups);
    counter(out, "parta_writer_jobs_total", "Jobs in them.", now->writer_jobs);
    counter(out, "parta_roster_pulls_total", "Rosters pulled.", now->roster_pulls);
    counter(out, "parta_roster_pull_failures_total", "Pulls that failed or were refused.", now->roster_failures);
    gauge(out, "parta_roster_pull_success_timestamp_milliseconds", "When the last pull went well; 0: none has yet.",
          now->roster_success_ms);
    gauge(out, "parta_uptime_milliseconds", "Since the server started.", now->uptime_ms);
    gauge(out, "process_resident_memory_bytes", "Resident memory.", metrics_rss_bytes());
}

int64_t metrics_rss_bytes(void)
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
