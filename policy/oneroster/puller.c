#include "policy/oneroster/puller.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/held_imports.h"
#include "policy/gate/school_gate.h"

#define LOOK_MS 50 /* how often who waits looks whether to stop */

struct puller {
    const struct config *config;
    struct writer *writer;
    struct rooms *rooms;
    struct outgoing *outgoing;
    _Atomic bool pulling;
    _Atomic int64_t pulls, failures, last_success_ms;
    _Atomic int64_t held, held_since_ms;
};

struct puller *puller_create(const struct config *config, struct writer *writer, struct rooms *rooms,
                             struct outgoing *outgoing)
{
    struct puller *puller = xcalloc(1, sizeof *puller);
    puller->config = config;
    puller->writer = writer;
    puller->rooms = rooms;
    puller->outgoing = outgoing;
    return puller;
}

void puller_destroy(struct puller *puller)
{
    free(puller);
}

/* false: stopped while another pulled. */
static bool enter(struct puller *puller, const struct roster_pull *pull)
{
    for (bool told = false; atomic_exchange(&puller->pulling, true); told = true) {
        if (pull->stop != NULL && *pull->stop)
            return false;
        if (!told)
            source_note(&pull->import, "waits for a pull that runs");
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
    }
    return true;
}

bool puller_pull(struct puller *puller, struct roster_pull *pull, struct source_outcome *out, struct text *problem)
{
    pull->config = puller->config;
    pull->outgoing = puller->outgoing;
    pull->import.source = puller->config->roster.source;
    pull->import.how.writer = puller->writer;
    pull->import.how.rooms = puller->rooms;
    pull->import.how.config = puller->config;
    if (!enter(puller, pull)) {
        text_adds(problem, "Stopped.");
        return false;
    }
    bool done = roster_pull(pull, out, problem);
    puller->pulling = false;
    return done;
}

static void tell(const struct source_outcome *out, int64_t ms)
{
    struct text said = TEXT_INIT;
    roster_changes_add_text(&said, &out->changes);
    for (size_t i = 0; i < said.len; ++i)
        if (said.data[i] == '\n')
            said.data[i] = i + 1 < said.len ? ',' : '\0';
    log_info("roster", "pulled in %lld ms: %s", (long long)ms, out->same ? "nothing new" : said.data);
    text_clear(&said);
    roster_problems_add_counts(&said, &out->problems);
    if (said.len != 0 && !out->same)
        log_warn("roster", "left out of what was pulled: %s", said.data);
    text_finish(&said);
}

/* Whom the audit log names. */
static const struct actor ACTOR = {.name = "operator:roster-pull", .scopes = SCOPE_IMPORT};

enum job_outcome puller_run(void *arg, const _Atomic bool *stop)
{
    struct puller *puller = arg;
    struct source_outcome out = {0};
    struct text problem = TEXT_INIT;
    int64_t began = clock_mono_ms();
    struct db *db = writer_open_reader(puller->writer);
    struct roster_pull pull = {.import.how = {.actor = &ACTOR, .db = db}, .stop = stop};
    bool done = db != NULL && puller_pull(puller, &pull, &out, &problem);
    if (done) {
        ++puller->pulls;
        puller->last_success_ms = clock_wall_ms();
        tell(&out, clock_mono_ms() - began);
    } else if (out.held == 0 && !*stop) {
        ++puller->failures;
        int len = problem.len != 0 ? (int)strcspn(problem.data, "\n") : 0; /* the first problem */
        log_warn("roster", "the pull failed, nothing has changed: %.*s%s", len, problem.len != 0 ? problem.data : "",
                 problem.len == 0            ? "no database"
                 : (size_t)len < problem.len ? ", and more"
                                             : "");
    }
    bool held = out.held != 0; /* the log says so already, and the next pull goes on from where this one did */
    source_outcome_finish(&out);
    text_finish(&problem);
    db_close(db);
    return done || held ? JOB_DONE : JOB_FAILED;
}

enum job_outcome puller_look(void *arg, const _Atomic bool *stop)
{
    struct puller *puller = arg;
    int64_t since_ms = 0;
    struct db *db = writer_open_reader(puller->writer);
    if (db == NULL)
        return JOB_FAILED;
    puller->held = held_imports_count(db, &since_ms);
    puller->held_since_ms = since_ms;
    bool failed = db_failed(db);
    db_close(db);
    return failed ? JOB_FAILED : JOB_DONE;
}

static int64_t pulls_total(void *puller)
{
    return ((const struct puller *)puller)->pulls;
}

static int64_t failures_total(void *puller)
{
    return ((const struct puller *)puller)->failures;
}

static int64_t last_success_ms(void *puller)
{
    return ((const struct puller *)puller)->last_success_ms;
}

static int64_t held(void *puller)
{
    return ((const struct puller *)puller)->held;
}

static int64_t held_since_ms(void *puller)
{
    return ((const struct puller *)puller)->held_since_ms;
}

void puller_metrics(struct puller *puller, struct metrics *metrics)
{
    static const struct metric METRICS[] = {
        {"parta_roster_pulls_total", "Rosters pulled.", METRIC_COUNTER, pulls_total, NULL},
        {"parta_roster_pull_failures_total", "Pulls that failed or were refused.", METRIC_COUNTER, failures_total,
         NULL},
        {"parta_roster_pull_success_timestamp_milliseconds", "When the last pull went well; 0: none has yet.",
         METRIC_GAUGE, last_success_ms, NULL},
        {"parta_roster_held", "Imports that wait until somebody confirms what they take away.", METRIC_GAUGE, held,
         NULL},
        {"parta_roster_held_since_timestamp_milliseconds", "Since when the first of them waits; 0: none does.",
         METRIC_GAUGE, held_since_ms, NULL},
    };
    metrics_add(metrics, METRICS, sizeof METRICS / sizeof *METRICS, puller);
}
