#include <stdio.h>
#include <stdlib.h>

#include "homeserver/base/backoff.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/outgoing/destination_private.h"

#define PROVEN_RUNNING_MAX 8
#define UNPROVEN_RUNNING_MAX 2
#define CIRCUIT_MS 1000

static void forget(struct destinations *all, struct destination *d)
{
    HASH_DEL(all->all, d);
    all->n_named -= d->named;
    all->gone.delivered += d->counts.delivered;
    all->gone.failed += d->counts.failed;
    all->gone.attempts_failed += d->counts.attempts_failed;
    free(d);
}

static bool make_space(struct destinations *all)
{
    struct destination *d, *next;
    if (HASH_COUNT(all->all) < DESTINATIONS_MAX)
        return true;
    HASH_ITER(hh, all->all, d, next) {
        if (d->there != 0)
            continue;
        forget(all, d);
        return true;
    }
    return false;
}

struct destination *destinations_get(struct destinations *all, const struct destination_key *key)
{
    struct destination *d;
    HASH_FIND(hh, all->all, key, sizeof *key, d);
    if (d != NULL || !make_space(all))
        return d;
    d = xcalloc(1, sizeof *d);
    d->key = *key;
    d->named = all->n_named < NAMED_MAX;
    all->n_named += d->named;
    HASH_ADD(hh, all->all, key, sizeof d->key, d);
    return d;
}

void destinations_served(struct destinations *all, struct destination *d)
{
    HASH_DEL(all->all, d);
    HASH_ADD(hh, all->all, key, sizeof d->key, d);
}

void destinations_finish(struct destinations *all)
{
    struct destination *d, *next;
    HASH_ITER(hh, all->all, d, next)
        forget(all, d);
}

/* Whether somebody is there, whatever they think of the request. */
static bool answers(const struct outgoing_reply *reply)
{
    switch (reply->fault) {
    case OUTGOING_ANSWERED: return reply->status != 429 && reply->status < 500;
    case OUTGOING_REFUSED: return reply->status != 421; /* RFC 5321, 4.2.3: the service is not available */
    case OUTGOING_TOO_LARGE: return true;
    default: return false;
    }
}

void destination_take(struct destination *d, const struct outgoing_reply *reply, int64_t now_ms)
{
    d->proven = answers(reply);
    if (d->proven) {
        if (d->failures >= CIRCUIT_FAILURES)
            log_info("outgoing", "%s answers again", d->key.name);
        d->failures = 0;
        d->open_ms = 0;
        return;
    }
    ++d->counts.attempts_failed;
    if (++d->failures == CIRCUIT_FAILURES)
        log_warn("outgoing", "%s has failed %d times in a row: it is asked now and then only", d->key.name,
                 d->failures);
    if (d->failures >= CIRCUIT_FAILURES)
        d->open_ms = now_ms + backoff_ms(d->failures - CIRCUIT_FAILURES + 1, CIRCUIT_MS);
}

int destination_places(const struct destination *d, int free, int free_unproven, int64_t now_ms)
{
    int most = d->failures >= CIRCUIT_FAILURES ? 1 : UNPROVEN_RUNNING_MAX;
    if (now_ms < d->open_ms)
        return 0;
    if (d->proven)
        most = PROVEN_RUNNING_MAX;
    else if (free > free_unproven)
        free = free_unproven;
    most -= d->running;
    return most < free ? most : free;
}

/* --- Metrics --- */

void destinations_add_samples(const struct destinations *all, enum destination_metric which, const char *name,
                              struct text *out)
{
    const struct destination_counts *gone = &all->gone;
    int64_t others = which == DESTINATION_DELIVERED         ? gone->delivered
                     : which == DESTINATION_FAILED          ? gone->failed
                     : which == DESTINATION_ATTEMPTS_FAILED ? gone->attempts_failed
                                                            : 0;
    for (const struct destination *d = all->all; d != NULL; d = d->hh.next) {
        const int64_t values[DESTINATION_METRIC__COUNT] = {
            [DESTINATION_DELIVERED] = d->counts.delivered,
            [DESTINATION_FAILED] = d->counts.failed,
            [DESTINATION_ATTEMPTS_FAILED] = d->counts.attempts_failed,
            [DESTINATION_QUEUED] = (int64_t)d->there,
            [DESTINATION_CIRCUIT_OPEN] = d->failures >= CIRCUIT_FAILURES,
        };
        char labels[DESTINATION_BYTES_MAX + 64];
        snprintf(labels, sizeof labels, "destination=\"%s\",network=\"%s\"", d->key.name,
                 d->key.network == OUTGOING_ANY ? "any" : "public");
        if (d->named)
            metric_sample(out, name, labels, values[which]);
        else
            others += values[which];
    }
    metric_sample(out, name, "destination=\"other\",network=\"\"", others);
}
