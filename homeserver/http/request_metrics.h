/* The counters of requests, by route, status class and duration: rows of /metrics (homeserver/base/metrics.h).
 *
 * Counters are atomics without order: cheap to raise on any thread, exact once things are quiet. Labels hold route
 * templates, never what a client sent. */
#ifndef PARTA_HTTP_REQUEST_METRICS_H
#define PARTA_HTTP_REQUEST_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/http/request.h"

struct metrics;
struct request_metrics;

/* Counters for every route of the tables, and for requests that matched none. The tables must outlive it. */
struct request_metrics *request_metrics_create(const struct routes *const *tables, size_t n);
void request_metrics_destroy(struct request_metrics *counters); /* NULL is accepted */

/* Adds its rows; counters live as long as metrics are asked for. metrics NULL: nothing is done. */
void request_metrics_add(struct request_metrics *counters, struct metrics *metrics);

/* One request was answered. route NULL: none. waited: it was parked, so that its duration is the client's choice. */
void request_metrics_count(struct request_metrics *counters, const struct route *route, int status, int64_t us,
                           size_t bytes, bool waited);

#endif
