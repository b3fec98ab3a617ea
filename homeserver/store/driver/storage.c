#include "homeserver/store/driver/storage.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/base/text.h"

struct storage {
    _Atomic int writing; /* STORAGE_WELL, STORAGE_FULL or STORAGE_FAILING */
    _Atomic bool damaged;
    _Atomic int64_t failures, in_spell, since_probe; /* all, since it last was well, since the last probe */
    _Atomic int64_t written_ms;                      /* monotonic: the last probe that could write */
};

struct storage *storage_create(void)
{
    struct storage *s = xcalloc(1, sizeof *s);
    s->written_ms = clock_mono_ms();
    return s;
}

void storage_destroy(struct storage *s)
{
    free(s);
}

static bool begins(struct storage *s, enum storage_problem problem)
{
    int well = STORAGE_WELL;
    if (problem == STORAGE_DAMAGED)
        return !atomic_exchange(&s->damaged, true);
    return atomic_compare_exchange_strong(&s->writing, &well, (int)problem);
}

bool storage_note(struct storage *s, enum storage_problem problem)
{
    if (s == NULL || problem == STORAGE_WELL)
        return true;
    ++s->failures;
    ++s->in_spell;
    ++s->since_probe;
    return begins(s, problem);
}

void storage_probed(struct storage *s, bool written)
{
    if (s == NULL)
        return;
    bool calm = atomic_exchange(&s->since_probe, 0) == 0;
    if (!written && begins(s, STORAGE_FAILING))
        log_error("store", "the database cannot be written");
    if (!written)
        return;
    s->written_ms = clock_mono_ms();
    if (s->writing == STORAGE_WELL || !calm)
        return;
    s->writing = STORAGE_WELL;
    log_warn("store", "the database can be written and read again; %lld calls had failed",
             (long long)atomic_exchange(&s->in_spell, 0));
}

void storage_verified(struct storage *s, bool sound)
{
    if (s == NULL)
        return;
    bool was = atomic_exchange(&s->damaged, !sound);
    if (!sound && !was)
        log_error("store",
                  "the database is damaged: stop the server, put a backup back (parta verify says which is good)");
    else if (sound && was)
        log_warn("store", "the database was read whole, and is sound");
}

enum storage_problem storage_problem(const struct storage *s, int64_t mono_ms)
{
    if (s == NULL)
        return STORAGE_WELL;
    if (s->damaged)
        return STORAGE_DAMAGED;
    if (s->writing != STORAGE_WELL)
        return (enum storage_problem)s->writing;
    return mono_ms - s->written_ms > STORAGE_SILENT_MS ? STORAGE_SILENT : STORAGE_WELL;
}

static const char *const WORDS[] = {
    [STORAGE_FULL] = "full", [STORAGE_FAILING] = "failing", [STORAGE_DAMAGED] = "damaged", [STORAGE_SILENT] = "silent"};

static int64_t failures_total(void *s)
{
    return ((const struct storage *)s)->failures;
}

static void problems(void *s, const struct metric *metric, struct text *out)
{
    enum storage_problem now = storage_problem(s, clock_mono_ms());
    for (enum storage_problem problem = STORAGE_FULL; problem <= STORAGE_SILENT; ++problem) {
        char labels[48];
        snprintf(labels, sizeof labels, "problem=\"%s\"", WORDS[problem]);
        metric_sample(out, metric->name, labels, problem == now);
    }
}

void storage_metrics(struct storage *s, struct metrics *metrics)
{
    static const struct metric METRICS[] = {
        {"parta_storage_problem", "1: what GET /health says is wrong.", METRIC_GAUGE, NULL, problems},
        {"parta_storage_failures_total", "Calls to the database that failed for want of the disk.", METRIC_COUNTER,
         failures_total, NULL},
    };
    metrics_add(metrics, METRICS, sizeof METRICS / sizeof *METRICS, s);
}
