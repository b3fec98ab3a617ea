#include "policy/oneroster/puller.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/store/driver/db.h"
#include "policy/gate/school_gate.h"
#include "policy/oneroster/pull.h"

#define FIRST_MS 500 /* after the start */

struct puller {
    const struct config *config;
    struct writer *writer;
    struct rooms *rooms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Atomic bool stop; /* changed under the lock; read by a running pull too */
    _Atomic int64_t pulls, failures, last_success_ms;
};

static void tell(const struct source_outcome *out, int64_t ms)
{
    struct text said = TEXT_INIT;
    roster_changes_add_text(&said, &out->changes);
    for (size_t i = 0; i < said.len; ++i)
        if (said.data[i] == '\n')
            said.data[i] = i + 1 < said.len ? ',' : '\0';
    log_info("roster", "pulled in %lld ms: %s", (long long)ms, out->same ? "nothing new" : said.data);
    text_finish(&said);
}

/* Whom the audit log names. */
static const struct actor ACTOR = {.name = "operator:roster-pull", .scopes = SCOPE_IMPORT};

static bool pull_with(struct puller *puller, struct db *db, struct source_outcome *out, struct text *problem)
{
    struct roster_pull pull = {.config = puller->config,
                               .import = {.source = puller->config->roster.source,
                                          .how = {.writer = puller->writer,
                                                  .rooms = puller->rooms,
                                                  .config = puller->config,
                                                  .actor = &ACTOR,
                                                  .db = db}},
                               .stop = &puller->stop};
    return roster_pull(&pull, out, problem);
}

static void pull_once(struct puller *puller)
{
    struct source_outcome out;
    struct text problem = TEXT_INIT;
    int64_t began = clock_mono_ms();
    struct db *db = db_open(puller->config->database_path, DB_READ, NULL);
    if (db != NULL && pull_with(puller, db, &out, &problem)) {
        ++puller->pulls;
        puller->last_success_ms = clock_wall_ms();
        tell(&out, clock_mono_ms() - began);
    } else if (!puller->stop) {
        ++puller->failures;
        log_warn("roster", "the pull failed, nothing has changed: %s", problem.len != 0 ? problem.data : "no database");
    }
    text_finish(&problem);
    db_close(db);
}

/* false: it is to stop. */
static bool wait_ms(struct puller *puller, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        ++until.tv_sec;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&puller->lock);
    while (!puller->stop && pthread_cond_timedwait(&puller->wake, &puller->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&puller->lock);
    return !puller->stop;
}

static void *run(void *arg)
{
    struct puller *puller = arg;
    for (int64_t ms = FIRST_MS; wait_ms(puller, ms); ms = (int64_t)puller->config->roster.interval_s * 1000)
        pull_once(puller);
    return NULL;
}

struct puller *puller_start(const struct config *config, struct writer *writer, struct rooms *rooms)
{
    pthread_condattr_t attributes;
    if (config->roster.interval_s == 0)
        return NULL;
    struct puller *puller = xcalloc(1, sizeof *puller);
    puller->config = config;
    puller->writer = writer;
    puller->rooms = rooms;
    pthread_mutex_init(&puller->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&puller->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    int failed = pthread_create(&puller->thread, NULL, run, puller);
    if (failed == 0)
        return puller;
    log_error("roster", "the roster won't be pulled: %s", strerror(failed));
    pthread_cond_destroy(&puller->wake);
    pthread_mutex_destroy(&puller->lock);
    free(puller);
    return NULL;
}

void puller_stop(struct puller *puller)
{
    if (puller == NULL)
        return;
    pthread_mutex_lock(&puller->lock);
    puller->stop = true;
    pthread_cond_signal(&puller->wake);
    pthread_mutex_unlock(&puller->lock);
    pthread_join(puller->thread, NULL);
    pthread_cond_destroy(&puller->wake);
    pthread_mutex_destroy(&puller->lock);
    free(puller);
}

static int64_t pulls_total(void *puller)
{
    return puller != NULL ? ((const struct puller *)puller)->pulls : 0;
}

static int64_t failures_total(void *puller)
{
    return puller != NULL ? ((const struct puller *)puller)->failures : 0;
}

static int64_t last_success_ms(void *puller)
{
    return puller != NULL ? ((const struct puller *)puller)->last_success_ms : 0;
}

void puller_metrics(struct puller *puller, struct metrics *metrics)
{
    static const struct metric METRICS[] = {
        {"parta_roster_pulls_total", "Rosters pulled.", METRIC_COUNTER, pulls_total, NULL},
        {"parta_roster_pull_failures_total", "Pulls that failed or were refused.", METRIC_COUNTER, failures_total,
         NULL},
        {"parta_roster_pull_success_timestamp_milliseconds", "When the last pull went well; 0: none has yet.",
         METRIC_GAUGE, last_success_ms, NULL},
    };
    metrics_add(metrics, METRICS, sizeof METRICS / sizeof *METRICS, puller);
}
