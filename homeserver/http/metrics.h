/* What the server counts, in Prometheus' text format.
 *
 * Counters are atomics without order: cheap to raise on any thread, exact once things are quiet. Labels hold route
 * templates, never what a client sent. */
#ifndef PARTA_HTTP_METRICS_H
#define PARTA_HTTP_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/text.h"
#include "homeserver/http/pool.h"
#include "homeserver/http/request.h"

struct metrics;

/* Rows for every route of the tables, and one for requests that matched none. The tables must outlive it. */
struct metrics *metrics_create(const struct routes *const *tables, size_t n);
void metrics_destroy(struct metrics *metrics); /* NULL is accepted */

/* One request was answered. route NULL: none. waited: it was parked, so that its duration is the client's choice. */
void metrics_request(struct metrics *metrics, const struct route *route, int status, int64_t us, size_t bytes,
                     bool waited);

/* What is true at the moment, for the page. */
struct metrics_now {
    size_t connections, parked, uia_sessions;
    struct pool_state workers, hashers;
    int64_t writer_groups, writer_jobs;
    int64_t roster_pulls, roster_failures, roster_success_ms; /* policy/oneroster/puller.h */
    int64_t uptime_ms;
};
void metrics_render(const struct metrics *metrics, const struct metrics_now *now, struct text *out);

int64_t metrics_rss_bytes(void); /* resident memory of this process; −1: unknown. Reads /proc. */

#endif
