#include "appservice/diary/bridge.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/compare.h"
#include "appservice/diary/diaries.h"
#include "appservice/diary/fetch.h"
#include "appservice/diary/incoming.h"
#include "appservice/diary/listener.h"
#include "appservice/diary/match.h"
#include "appservice/diary/sink_matrix.h"
#include "appservice/diary/state.h"
#include "appservice/diary/webhook.h"
#include "homeserver/base/backoff.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/keyfile.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/base/secret.h"
#include "homeserver/base/timed_thread.h"
#include "homeserver/outgoing/outgoing.h"

#define FIRST_FAILURE_MS 5000
#define KEEP_DAYS 120            /* what is older is of no window */
#define READING_MS (2 * HOUR_MS) /* so long one reading of a diary may take */
#define PING_BYTES_MAX 4096
#define PUSHED_MAX 16 /* that wait */

/* How a source fares; the numbers are for /metrics. */
struct reader {
    struct source source;
    int64_t due_ms;                            /* clock_mono_ms */
    int failures;                              /* in a row */
    _Atomic int64_t readings, failed, read_ms; /* read_ms: clock_wall_ms of the last good one */
};

/* What a diary has sent, until it is compared. */
struct pushed {
    struct exchange *exchange;
    struct reading reading;
    unsigned char signature[RECORD_HASH_BYTES];
};

struct bridge {
    struct diary_settings *settings;
    const struct sink *sink;
    struct state *state;
    struct outgoing *outgoing;
    struct metrics *metrics;
    struct timed_thread *thread;
    struct roster *roster;
    int64_t roster_due_ms;
    int roster_failures;
    int64_t forget_due_ms;       /* clock_mono_ms */
    char *token, *metrics_token; /* metrics_token NULL: there is none */
    unsigned char key[RECORD_KEY_BYTES];
    struct reader readers[ADAPTERS_MAX];
    size_t n_readers;
    const _Atomic bool *stop; /* of the thread, while it runs */
    _Atomic bool read_now;    /* all diaries, whatever their interval */
    _Atomic int64_t told[3], later, refused, unmatched, held, problems, pupils;
    _Atomic bool state_failing;
    struct incoming *incoming;    /* NULL: there is no application service */
    const struct source *webhook; /* NULL: there is none */
    char *webhook_secret;
    pthread_mutex_t lock; /* of what is pushed */
    struct pushed *pushed[PUSHED_MAX];
    size_t n_pushed;
};

/* --- The roster --- */

static bool load_roster(struct bridge *b)
{
    struct text problem = TEXT_INIT;
    const struct roster_api api = {.outgoing = b->outgoing,
                                   .url = b->settings->school_url,
                                   .token = b->token,
                                   .schools = b->settings->schools,
                                   .n_schools = b->settings->n_schools,
                                   .ca_file = b->settings->school_ca_file,
                                   .stop = b->stop};
    struct roster *roster = roster_load(&api, &problem);
    if (roster != NULL) {
        state_begin(b->state);
        state_unmatched_read_whole(b->state);
        state_commit(b->state);
        roster_destroy(b->roster);
        b->roster = roster;
        b->roster_failures = 0;
        b->pupils = (int64_t)roster_pupils(roster);
        b->roster_due_ms = clock_mono_ms() + b->settings->roster_s * 1000;
    } else {
        b->roster_due_ms = clock_mono_ms() + backoff_ms(++b->roster_failures, FIRST_FAILURE_MS);
        log_warn("diary", "the roster can't be read: %s", problem.data);
    }
    text_finish(&problem);
    return roster != NULL;
}

/* --- A source --- */

static void note_tally(struct bridge *b, const char *source, const struct comparison *c)
{
    const struct tally *t = &c->tally;
    b->later += t->later;
    b->refused += t->refused;
    b->unmatched = t->unmatched;
    b->held = t->held;
    b->problems = state_problem_count(b->state);
    log_info("diary", "%s: %lld new, %lld changed, %lld withdrawn, %lld known, %lld wait, %lld unmatched, %lld held",
             source, (long long)t->told[CHANGE_NEW], (long long)t->told[CHANGE_CHANGED],
             (long long)t->told[CHANGE_WITHDRAWN], (long long)t->known, (long long)t->later, (long long)t->unmatched,
             (long long)t->held);
}

/* reading NULL: of a diary that comes by itself. false: what is due wants a whole reading. */
static bool has_read(struct bridge *b, const struct source *source, const struct reading *reading)
{
    const struct matcher matcher = {b->state, b->roster, reading, source->adapter->name, adapter_sourced(source)};
    const struct has_read read = {source->adapter->name, reading, reading != NULL ? &matcher : NULL, clock_wall_ms()};
    return b->sink->has_read == NULL || b->sink->has_read(b->sink->self, &read);
}

/* *tally: what became of it. waiting: as in struct comparison. */
static bool compare_reading(struct bridge *b, const struct source *source, const struct reading *reading, bool *waiting,
                            struct tally *tally)
{
    struct comparison c = {.state = b->state,
                           .sink = b->sink,
                           .roster = b->roster,
                           .source = source->adapter->name,
                           .sourced = adapter_sourced(source),
                           .tell_all = b->settings->tell_all,
                           .key = b->key,
                           .now_ms = clock_wall_ms(),
                           .stop = b->stop,
                           .told = b->told,
                           .asked = source->asked,
                           .waiting = waiting,
                           .cursor = *source->next_cursor != '\0' ? source->next_cursor : NULL};
    for (size_t i = 0; i < reading->n_faults && i < READING_FAULTS_MAX; ++i)
        log_warn("diary", "%s: record \"%s\" is %s", source->adapter->name, reading->faults[i].id,
                 reading->faults[i].why);
    bool done = compare(&c, reading);
    b->state_failing = !done && (b->stop == NULL || !*b->stop);
    *tally = c.tally;
    note_tally(b, source->adapter->name, &c);
    return done;
}

static void note_failure(struct bridge *b, struct reader *r, const char *why)
{
    const char *name = r->source.adapter->name;
    ++r->failures;
    log_warn("diary", "%s can't be read: %s", name, why);
    state_begin(b->state);
    state_problem(b->state, name, "source", "reading", why, clock_wall_ms());
    state_source_read_whole(b->state, name);
    b->state_failing = !state_commit(b->state);
    ++r->failed; /* who sees it finds the problem */
}

static void note_success(struct bridge *b, struct reader *r)
{
    r->failures = 0;
    r->read_ms = clock_wall_ms();
    state_begin(b->state);
    state_solved(b->state, r->source.adapter->name, "source", "reading");
    if (clock_mono_ms() >= b->forget_due_ms) {
        state_forget_old(b->state, clock_wall_ms(), KEEP_DAYS);
        b->forget_due_ms = clock_mono_ms() + DAY_MS;
    }
    state_commit(b->state);
    ++r->readings;
}

static struct window window_of(const struct bridge *b, int64_t now_ms)
{
    return (struct window){day_of_ms(now_ms - b->settings->back_days * DAY_MS),
                           day_of_ms(now_ms + b->settings->forward_days * DAY_MS)};
}

/* Changes will do: the last whole reading is not too old, of the same days, and both clocks have gone on since. */
static void take_cursor(struct bridge *b, struct source *source, struct window window)
{
    const struct source_state last = state_source(b->state, source->adapter->name);
    bool same_days = last.whole.from == window.from && last.whole.to == window.to;
    bool fresh = source->now_ms >= last.read_ms && source->now_ms >= last.whole_ms &&
                 source->now_ms < last.whole_ms + b->settings->whole_s * 1000;
    source->asked = last.asked;
    *source->cursor = *source->next_cursor = '\0';
    if (same_days && fresh)
        memcpy(source->cursor, last.cursor, sizeof source->cursor);
}

/* Tells what was read. false: there is more that a whole reading would tell, at once. */
static bool tell_reading(struct bridge *b, struct reader *r, const struct reading *reading)
{
    bool known;
    struct tally tally;
    const char *name = r->source.adapter->name;
    if (!compare_reading(b, &r->source, reading, NULL, &tally))
        return true;
    known = has_read(b, &r->source, reading);
    if (!known) {
        state_begin(b->state);
        state_source_read_whole(b->state, name);
        state_commit(b->state);
    }
    note_success(b, r);
    return reading->extent == READING_WHOLE || (known && tally.later == 0 && tally.held == 0);
}

static void read_source(struct bridge *b, struct reader *r)
{
    struct text problem = TEXT_INIT;
    struct reading reading;
    struct source *source = &r->source;
    int64_t wait_ms = b->settings->interval_s * 1000;
    source->now_ms = clock_wall_ms();
    source->until_ms = clock_mono_ms() + READING_MS;
    source->stop = b->stop;
    reading_init(&reading, window_of(b, source->now_ms));
    take_cursor(b, source, reading.window);
    bool done = source->adapter->fetch(source, &reading, &problem);
    if (done && reading.too_many)
        done = text_fail(&problem, "There are more than %d records, or more than %u MiB of them.", READING_RECORDS_MAX,
                         READING_BYTES_MAX >> 20);
    if (reading.extent != READING_CHANGES)
        reading.extent = READING_WHOLE;
    reading_end(&reading);
    if (!done && !*b->stop)
        note_failure(b, r, problem.len != 0 ? problem.data : "no reason given");
    else if (done && !tell_reading(b, r, &reading))
        wait_ms = 0;
    reading_finish(&reading);
    text_finish(&problem);
    if (r->failures != 0 && backoff_ms(r->failures, FIRST_FAILURE_MS) < wait_ms)
        wait_ms = backoff_ms(r->failures, FIRST_FAILURE_MS);
    r->due_ms = clock_mono_ms() + wait_ms;
    if (r->due_ms < source->not_before_ms)
        r->due_ms = source->not_before_ms;
}

/* --- What comes by itself --- */

static void add_refused(struct text *body, const char *id, const char *why, bool again)
{
    text_adds(body, body->data[body->len - 1] != '[' ? ",{\"id\":" : "{\"id\":");
    text_add_json(body, id);
    text_adds(body, ",\"why\":");
    text_add_json(body, why);
    text_adds(body, again ? ",\"again\":true}" : ",\"again\":false}");
}

/* waiting: of each record, whether somebody of it is not found. */
static void answer_taken(struct pushed *p, const bool *waiting)
{
    struct text body = TEXT_INIT;
    const struct reading *reading = &p->reading;
    size_t taken = reading->n;
    for (size_t i = 0; i < reading->n; ++i)
        taken -= waiting[i];
    text_addf(&body, "{\"taken\":%zu,\"refused\":[", taken);
    for (size_t i = 0; i < reading->n_faults; ++i)
        add_refused(&body, reading->faults[i].id, reading->faults[i].why, false);
    for (size_t i = 0; i < reading->n; ++i)
        if (waiting[i])
            add_refused(&body, reading->records[i].id, "a pupil or group of it is not found", true);
    text_adds(&body, "]}");
    exchange_reply_json(p->exchange, 200, body.data);
    text_finish(&body);
}

/* NULL: it is told, as far as it can be. Otherwise why the diary has to send it again: nobody else keeps it. */
static const char *take_all(struct bridge *b, struct pushed *p, bool *waiting)
{
    int64_t now_ms = clock_wall_ms();
    struct tally tally;
    if (!compare_reading(b, b->webhook, &p->reading, waiting, &tally))
        return "{\"error\":\"It could not be kept; send it again.\"}";
    if (tally.later != 0)
        return "{\"error\":\"Not all of it can be told now; send it again.\"}";
    if (tally.unmatched != 0)
        return NULL; /* and when it comes again as it was signed, it is looked at again */
    state_begin(b->state);
    state_signature_note(b->state, p->signature, now_ms, now_ms - 4 * WEBHOOK_WINDOW_MS);
    return state_commit(b->state) ? NULL : "{\"error\":\"It could not be kept; send it again.\"}";
}

static void compare_pushed(struct bridge *b, struct pushed *p)
{
    const char *why = NULL;
    reading_end(&p->reading);
    bool *waiting = xcalloc(p->reading.n + 1, sizeof *waiting);
    if (b->roster == NULL)
        why = "{\"error\":\"The roster is not there yet.\"}";
    else if (!state_signature_seen(b->state, p->signature))
        why = take_all(b, p, waiting);
    if (why != NULL)
        exchange_reply_json(p->exchange, 503, why);
    else
        answer_taken(p, waiting);
    free(waiting);
}

static struct pushed *next_pushed(struct bridge *b)
{
    struct pushed *first = NULL;
    pthread_mutex_lock(&b->lock);
    if (b->n_pushed != 0) {
        first = b->pushed[0];
        memmove(b->pushed, b->pushed + 1, --b->n_pushed * sizeof *b->pushed);
    }
    pthread_mutex_unlock(&b->lock);
    return first;
}

static void free_pushed(struct pushed *p)
{
    reading_finish(&p->reading);
    free(p);
}

static bool queue_pushed(struct bridge *b, struct pushed *p)
{
    pthread_mutex_lock(&b->lock);
    bool room = b->n_pushed < PUSHED_MAX;
    if (room)
        b->pushed[b->n_pushed++] = p;
    pthread_mutex_unlock(&b->lock);
    if (room)
        timed_thread_poke(b->thread);
    return room;
}

static void take_pushed(void *self, struct exchange *exchange)
{
    struct bridge *b = self;
    size_t len;
    const char *body = exchange_body(exchange, &len), *fault;
    int64_t now_ms = clock_wall_ms();
    if (b->webhook == NULL) {
        exchange_reply_json(exchange, 404, "{\"error\":\"There is nothing here.\"}");
        return;
    }
    struct pushed *p = xcalloc(1, sizeof *p);
    p->exchange = exchange;
    reading_init(&p->reading, window_of(b, now_ms));
    switch (webhook_check(b->webhook_secret, exchange_header(exchange, "X-Parta-Timestamp"),
                          exchange_header(exchange, "X-Parta-Signature"), body, len, now_ms, p->signature)) {
    case WEBHOOK_FOREIGN:
        exchange_reply_json(exchange, 401, "{\"error\":\"The signature is not of this secret and body.\"}");
        break;
    case WEBHOOK_STALE:
        exchange_reply_json(exchange, 401, "{\"error\":\"The timestamp is more than five minutes away.\"}");
        break;
    case WEBHOOK_GOOD:
        fault = webhook_read_records(&p->reading, body, len);
        if (fault == NULL && p->reading.too_many)
            fault = "it has too many records";
        if (fault == NULL && queue_pushed(b, p))
            return;
        if (fault != NULL)
            exchange_reply_json(exchange, 400,
                                "{\"error\":\"The body is not what docs/diary-webhook.schema.json says.\"}");
        else
            exchange_reply_json(exchange, 503, "{\"error\":\"Too much waits already.\"}");
        break;
    }
    free_pushed(p);
}

/* --- What the homeserver says --- */

/* false: there is no application service, and that is answered. */
static bool has_incoming(const struct bridge *b, struct exchange *exchange)
{
    if (b->incoming == NULL)
        exchange_reply_json(exchange, 404, "{\"error\":\"There is nothing here.\"}");
    return b->incoming != NULL;
}

static void take_events(void *self, struct exchange *exchange)
{
    struct bridge *b = self;
    if (has_incoming(b, exchange) && incoming_take(b->incoming, exchange))
        timed_thread_poke(b->thread);
}

static void answer_ping(void *self, struct exchange *exchange)
{
    struct bridge *b = self;
    if (has_incoming(b, exchange))
        incoming_ping(b->incoming, exchange);
}

static void answer_unknown(void *self, struct exchange *exchange)
{
    struct bridge *b = self;
    if (has_incoming(b, exchange))
        incoming_unknown(b->incoming, exchange);
}

/* --- The thread --- */

/* What has come by itself, also while a diary is read. */
static void hear_all(void *self)
{
    struct bridge *b = self;
    if (b->incoming != NULL)
        incoming_hear_all(b->incoming, b->state, b->sink);
    for (struct pushed *p; !*b->stop && (p = next_pushed(b)) != NULL; free_pushed(p))
        compare_pushed(b, p);
}

static int64_t run(void *arg, const _Atomic bool *stop)
{
    struct bridge *b = arg;
    int64_t next_ms = TIMED_NEVER;
    b->stop = stop;
    if (clock_mono_ms() >= b->roster_due_ms)
        load_roster(b);
    hear_all(b);
    if (b->roster == NULL)
        return b->roster_due_ms; /* nobody could be found in it */
    bool now = atomic_exchange(&b->read_now, false);
    for (size_t i = 0; i < b->n_readers && !*stop; ++i) {
        struct reader *r = &b->readers[i];
        if (now)
            r->due_ms = r->source.not_before_ms; /* whoever asked to be left alone is */
        if (clock_mono_ms() >= r->due_ms && r->source.adapter->fetch != NULL) {
            read_source(b, r);
        } else if (clock_mono_ms() >= r->due_ms) {
            has_read(b, &r->source, NULL);
            r->due_ms = clock_mono_ms() + b->settings->interval_s * 1000;
        }
        hear_all(b);
        next_ms = r->due_ms < next_ms ? r->due_ms : next_ms;
    }
    return b->roster_due_ms < next_ms ? b->roster_due_ms : next_ms;
}

/* --- Health and metrics --- */

static int64_t get(void *self)
{
    return *(const _Atomic int64_t *)self;
}

static void told_samples(void *self, const struct metric *metric, struct text *out)
{
    struct bridge *b = self;
    char labels[32];
    for (int i = 0; i < 3; ++i) {
        snprintf(labels, sizeof labels, "what=\"%s\"", change_what_name((enum change_what)i));
        metric_sample(out, metric->name, labels, b->told[i]);
    }
}

static void reading_samples(void *self, const struct metric *metric, struct text *out)
{
    struct bridge *b = self;
    char labels[96];
    for (size_t i = 0; i < b->n_readers; ++i) {
        struct reader *r = &b->readers[i];
        snprintf(labels, sizeof labels, "source=\"%s\",how=\"good\"", r->source.adapter->name);
        metric_sample(out, metric->name, labels, r->readings);
        snprintf(labels, sizeof labels, "source=\"%s\",how=\"failed\"", r->source.adapter->name);
        metric_sample(out, metric->name, labels, r->failed);
    }
}

static void read_samples(void *self, const struct metric *metric, struct text *out)
{
    struct bridge *b = self;
    char labels[64];
    for (size_t i = 0; i < b->n_readers; ++i) {
        snprintf(labels, sizeof labels, "source=\"%s\"", b->readers[i].source.adapter->name);
        metric_sample(out, metric->name, labels, b->readers[i].read_ms / 1000);
    }
}

static void add_metrics(struct bridge *b)
{
    static const struct metric ALL[] = {
        {"parta_diary_told_total", "Changes that were told.", METRIC_COUNTER, NULL, told_samples},
        {"parta_diary_readings_total", "Readings of diaries.", METRIC_COUNTER, NULL, reading_samples},
        {"parta_diary_read_timestamp_seconds", "When a diary was last read well.", METRIC_GAUGE, NULL, read_samples},
    };
    static const struct metric LATER[] = {
        {"parta_diary_later_total", "Changes that had to wait for a later reading.", METRIC_COUNTER, get, NULL}};
    static const struct metric UNMATCHED[] = {
        {"parta_diary_unmatched", "Records whose pupil or group is not found.", METRIC_GAUGE, get, NULL}};
    static const struct metric HELD[] = {
        {"parta_diary_held", "Withdrawals that wait to be confirmed.", METRIC_GAUGE, get, NULL}};
    static const struct metric PROBLEMS[] = {
        {"parta_diary_problems", "Problems that wait for somebody.", METRIC_GAUGE, get, NULL}};
    static const struct metric PUPILS[] = {
        {"parta_diary_roster_pupils", "Pupils of the roster.", METRIC_GAUGE, get, NULL}};
    metrics_add(b->metrics, ALL, sizeof ALL / sizeof *ALL, b);
    metrics_add(b->metrics, LATER, 1, &b->later);
    metrics_add(b->metrics, UNMATCHED, 1, &b->unmatched);
    metrics_add(b->metrics, HELD, 1, &b->held);
    metrics_add(b->metrics, PROBLEMS, 1, &b->problems);
    metrics_add(b->metrics, PUPILS, 1, &b->pupils);
    outgoing_metrics(b->outgoing, b->metrics);
}

static void answer_health(void *self, struct exchange *exchange)
{
    const struct bridge *b = self;
    exchange_reply_json(exchange, b->state_failing ? 503 : 200,
                        b->state_failing ? "{\"problem\":\"storage_failing\",\"status\":\"failing\"}"
                                         : "{\"status\":\"ok\"}");
}

static void answer_metrics(void *self, struct exchange *exchange)
{
    struct bridge *b = self;
    struct text page = TEXT_INIT;
    if (b->metrics_token != NULL ? !exchange_bears(exchange, b->metrics_token) : !b->settings->metrics_open) {
        exchange_reply_json(exchange, 401, "{\"error\":\"This needs the token of listen.metrics_token_file.\"}");
        return;
    }
    metrics_render(b->metrics, &page);
    exchange_reply(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", page.data, page.len);
    text_finish(&page);
}

/* Everything that the program answers. Each handler asks for its own credential. */
static const struct listener_route ROUTES[] = {
    {"GET", "/health", 0, answer_health}, /* open */
    {"GET", "/metrics", 0, answer_metrics},
    {"POST", "/webhook", LISTENER_BODY_BYTES_MAX, take_pushed},
    {"PUT", "/_matrix/app/v1/transactions/", LISTENER_BODY_BYTES_MAX, take_events},
    {"POST", "/_matrix/app/v1/ping", PING_BYTES_MAX, answer_ping},
    {"GET", "/_matrix/app/v1/users/", 0, answer_unknown},
    {"GET", "/_matrix/app/v1/rooms/", 0, answer_unknown},
};

struct listener *bridge_listen(struct bridge *b, struct text *problem)
{
    return listener_start(&(struct listener_options){.address = b->settings->listen_address,
                                                     .port = b->settings->listen_port,
                                                     .request_ms = LISTENER_REQUEST_MS,
                                                     .routes = ROUTES,
                                                     .n_routes = sizeof ROUTES / sizeof *ROUTES,
                                                     .self = b},
                          problem);
}

/* --- Start and stop --- */

bool bridge_key(const struct diary_settings *settings, unsigned char key[RECORD_KEY_BYTES], struct text *problem)
{
    struct signing_key file; /* its form and its care for being made, not its signatures */
    if (!keyfile_load(settings->key_path, NULL, &file, problem))
        return false;
    memcpy(key, file.secret, RECORD_KEY_BYTES);
    sodium_memzero(&file, sizeof file);
    return true;
}

static void add_readers(struct bridge *b)
{
    for (size_t i = 0; i < b->settings->n_sources; ++i) {
        struct reader *r = &b->readers[b->n_readers++];
        r->source = b->settings->sources[i];
        r->source.outgoing = b->outgoing;
        r->source.memory = fetch_memory_create();
        r->source.meanwhile = hear_all;
        r->source.self = b;
        if (r->source.adapter == &WEBHOOK_ADAPTER)
            b->webhook = &r->source;
    }
}

static bool open_webhook(struct bridge *b, struct text *problem)
{
    if (b->webhook == NULL)
        return true;
    b->webhook_secret = adapter_secret(b->webhook, "secret_file", problem);
    if (b->webhook_secret != NULL && strlen(b->webhook_secret) < WEBHOOK_SECRET_BYTES_MIN)
        return text_fail(problem, "webhook.secret_file: the secret is shorter than %d characters.",
                         WEBHOOK_SECRET_BYTES_MIN);
    return b->webhook_secret != NULL;
}

static bool open_metrics(struct bridge *b, struct text *problem)
{
    if (b->settings->metrics_token_file == NULL)
        return true;
    b->metrics_token = secret_read("listen.metrics_token_file", b->settings->metrics_token_file, problem);
    return b->metrics_token != NULL;
}

static bool open_incoming(struct bridge *b, struct text *problem)
{
    char hs_token[HS_TOKEN_BYTES];
    if (b->sink->hear == NULL)
        return true;
    char *as_token = secret_read("matrix.as_token_file", b->settings->as_token_file, problem);
    if (as_token == NULL)
        return false;
    sink_hs_token(as_token, hs_token);
    b->incoming = incoming_create(hs_token);
    sodium_memzero(hs_token, sizeof hs_token);
    secret_free(as_token);
    return true;
}

struct bridge *bridge_start(struct diary_settings *settings, const struct sink *sink, struct text *problem)
{
    struct bridge *b = xcalloc(1, sizeof *b);
    b->settings = settings;
    b->sink = sink;
    pthread_mutex_init(&b->lock, NULL);
    b->outgoing = outgoing_create(NULL);
    b->metrics = metrics_create();
    b->token = secret_read("school.token_file", settings->school_token_file, problem);
    if (b->token != NULL && bridge_key(settings, b->key, problem))
        b->state = state_open(settings->state_path, problem);
    if (b->state == NULL) {
        bridge_stop(b);
        return NULL;
    }
    b->problems = state_problem_count(b->state);
    add_readers(b);
    if (!open_metrics(b, problem) || !open_webhook(b, problem) || !open_incoming(b, problem)) {
        bridge_stop(b);
        return NULL;
    }
    add_metrics(b);
    b->thread = timed_thread_start("diary", run, b, 0);
    if (b->thread != NULL)
        return b;
    text_adds(problem, "A thread can't be started.");
    bridge_stop(b);
    return NULL;
}

void bridge_read_now(struct bridge *b)
{
    b->read_now = true;
    timed_thread_poke(b->thread);
}

void bridge_pause(struct bridge *b)
{
    if (b != NULL)
        timed_thread_stop(b->thread);
}

void bridge_stop(struct bridge *b)
{
    if (b == NULL)
        return;
    timed_thread_stop(b->thread);
    outgoing_stop(b->outgoing, DIARY_STOP_MS);
    timed_thread_destroy(b->thread);
    outgoing_destroy(b->outgoing);
    for (size_t i = 0; i < b->n_readers; ++i)
        fetch_memory_destroy(b->readers[i].source.memory);
    for (size_t i = 0; i < b->n_pushed; ++i)
        free_pushed(b->pushed[i]);
    incoming_destroy(b->incoming);
    pthread_mutex_destroy(&b->lock);
    secret_free(b->webhook_secret);
    roster_destroy(b->roster);
    state_close(b->state);
    metrics_destroy(b->metrics);
    secret_free(b->token);
    secret_free(b->metrics_token);
    sodium_memzero(b->key, sizeof b->key);
    free(b);
}
