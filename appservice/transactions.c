#include "appservice/transactions.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "appservice/interest.h"
#include "appservice/recent_ephemeral.h"
#include "appservice/registry.h"
#include "appservice/transaction_body.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/jobs/consumer.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/appservices.h"
#include "homeserver/store/matrix/consumers.h"
#include "homeserver/store/matrix/events.h"

#define BATCH_EVENTS 100
#define BODY_BYTES 1048576 /* a transaction ends behind the event that goes beyond */
#define MESSAGES_MAX 200   /* to devices, in a transaction */
#define ATTEMPT_MS 30000
#define SOON_MS 1 /* more of the same batch is to come */
#define WAKES                                                                                                          \
    (1u << CHANGE_EVENT | 1u << CHANGE_TYPING | 1u << CHANGE_RECEIPT | 1u << CHANGE_TO_DEVICE | 1u << CHANGE_KEYS |    \
     1u << CHANGE_KEYS_LOW | 1u << CHANGE_PRESENCE)

/* What is remembered of a service; beyond a restart its row tells. */
struct told {
    UT_hash_handle hh;
    char *id;
    char taken[APPSERVICE_TXN_CHARS + 1]; /* the transaction that it took last; "": none in this run */
    stream_pos taken_upto;                /* and how far it went; messages to devices up to here are to be deleted */
    stream_pos recent_upto; /* how far it has taken what is told as it is now; −1: not known in this run */
    bool older_paths;       /* it does not know /_matrix/app/v1 ("Legacy routes") */
    int64_t sent, failed;   /* transactions; attempts in vain */
};

struct transactions {
    struct transactions_settings settings;
    struct consumer *consumer;
    struct recent_ephemeral *recent;
    pthread_mutex_t lock; /* of all below */
    struct told *told;
};

/* A transaction on its way. */
struct flight {
    struct transactions *transactions;
    struct consumer_ticket ticket;
    char *id; /* of the service */
    char txn[APPSERVICE_TXN_CHARS + 1];
    stream_pos upto;
    bool more;   /* something is to be told behind it, of the same batch */
    bool recent; /* it has what is told as it is now: a repetition has not, and so the next one tells it */
};

static struct told *told_of(struct transactions *t, const char *id)
{
    struct told *told;
    HASH_FIND_STR(t->told, id, told);
    if (told == NULL) {
        told = xcalloc(1, sizeof *told);
        told->id = xstrdup(id);
        told->recent_upto = -1;
        HASH_ADD_KEYPTR(hh, t->told, told->id, strlen(told->id), told);
    }
    return told;
}

/* --- A transaction's end --- */

bool transaction_taken(long status, const char *body, size_t len)
{
    json_t *said = status == 200 ? json_loadb(body, len, 0, NULL) : NULL;
    bool taken = json_is_object(said);
    json_decref(said);
    return taken;
}

/* One attempt: the consumer does the rest. */
static enum outgoing_verdict judge(void *arg, const struct outgoing_reply *reply)
{
    return transaction_taken(reply->status, reply->body.data, reply->body.len) ? OUTGOING_DONE : OUTGOING_GIVE_UP;
}

static void done(void *arg, bool delivered, struct outgoing_reply *reply)
{
    struct flight *flight = arg;
    struct transactions *t = flight->transactions;
    pthread_mutex_lock(&t->lock);
    struct told *told = told_of(t, flight->id);
    if (delivered) {
        memcpy(told->taken, flight->txn, sizeof told->taken);
        told->taken_upto = flight->upto;
        told->recent_upto = flight->recent ? flight->upto : told->recent_upto;
        ++told->sent;
    } else {
        ++told->failed;
        if (reply->status == 404 || reply->status == 405 || reply->status == 501)
            told->older_paths = !told->older_paths;
    }
    pthread_mutex_unlock(&t->lock);
    if (!delivered)
        log_info(TRANSACTIONS_CONSUMER, "%s did not take transaction %s: %s, status %ld", flight->id, flight->txn,
                 reply->fault == OUTGOING_ANSWERED ? "answered" : reply->why, reply->status);
    if (delivered && !flight->more)
        consumer_finish(&flight->ticket, CONSUMER_DONE, 0);
    else
        consumer_finish(&flight->ticket, CONSUMER_AGAIN,
                        delivered                   ? SOON_MS
                        : reply->retry_after_ms > 0 ? reply->retry_after_ms
                                                    : 0);
    free(flight->id);
    free(flight);
}

static enum consumer_verdict send(struct transactions *t, const struct registration_file *service,
                                  const struct consumer_batch *of, const struct appservice_transaction *transaction,
                                  bool recent, const struct text *body)
{
    static const char *const HEADERS[] = {"Content-Type: application/json"};
    struct text url = TEXT_INIT;
    struct flight *flight = xcalloc(1, sizeof *flight);
    *flight = (struct flight){.transactions = t,
                              .ticket = of->ticket,
                              .id = xstrdup(service->id),
                              .upto = transaction->upto,
                              .recent = recent,
                              .more = transaction->upto < of->upto || !recent};
    memcpy(flight->txn, transaction->txn, sizeof flight->txn);
    pthread_mutex_lock(&t->lock);
    bool older = told_of(t, service->id)->older_paths;
    pthread_mutex_unlock(&t->lock);
    text_addf(&url, "%s%s/transactions/%s", service->url, older ? "" : "/_matrix/app/v1", transaction->txn);
    const struct outgoing_request request = {.what = "appservice",
                                             .url = url.data,
                                             .network = OUTGOING_ANY, /* the operator's own registration */
                                             .method = "PUT",
                                             .bearer = service->hs_token,
                                             .headers = HEADERS,
                                             .n_headers = 1,
                                             .body = body->data,
                                             .body_len = body->len,
                                             .deadline_ms = clock_mono_ms() + 2 * ATTEMPT_MS,
                                             .attempts_max = 1,
                                             .attempt_ms = ATTEMPT_MS};
    bool taken = outgoing_send(t->settings.outgoing, &request,
                               &(struct outgoing_handler){.judge = judge, .done = done, .arg = flight});
    text_finish(&url);
    if (taken)
        return CONSUMER_PENDING;
    free(flight->id);
    free(flight);
    return CONSUMER_AGAIN;
}

/* --- A transaction's beginning --- */

struct making {
    struct transactions *t;
    const struct registration_file *service;
    const struct consumer_batch *of;
    struct interest interest;
    struct transaction_body body;
    struct appservice_transaction row;
};

static void add_event(struct making *m, const struct event_row *row)
{
    struct event_row *held = event_hold(row);
    const struct render how = {.db = m->of->db,
                               .names = m->t->settings.names,
                               .room_id = interest_room_id(&m->interest, row->room),
                               .now_ms = clock_wall_ms(),
                               .plain = true};
    transaction_body_add_event(&m->body, &how, held);
    free(held);
}

/* What the row says was in it, which may have been sent already: but for what its registration lets it see no more. */
static void collect_again(struct making *m)
{
    for (const char *at = m->row.positions; *at != '\0'; at += strspn(at, " ")) {
        char *end;
        struct event_row *row = event_at(m->of->db, (stream_pos)strtoll(at, &end, 10));
        if (row != NULL && interest_may_see(m->service, m->of->db, m->interest.school_mode, row->room))
            add_event(m, row);
        free(row);
        at = end;
    }
}

/* How far one transaction can go, as messages to devices are bounded. */
static stream_pos end_of_messages(const struct making *m)
{
    struct appservice_message row;
    stream_pos end = m->of->upto;
    int64_t n = 0;
    struct stmt *q = appservice_messages(m->of->db, m->service->id, m->row.after, end, MESSAGES_MAX);
    while (appservice_messages_next(q, &row))
        if (++n == MESSAGES_MAX)
            end = row.pos;
    stmt_end(q);
    return end;
}

static void collect(struct making *m)
{
    struct text positions = TEXT_INIT;
    struct event_row row;
    m->row.upto = m->service->ephemeral ? end_of_messages(m) : m->of->upto;
    text_adds(&positions, "");
    while (events_next(m->of->events, &row) && row.pos <= m->row.upto) {
        if (row.pos <= m->row.after || !interest_in_event(&m->interest, &row))
            continue;
        text_addf(&positions, "%s%lld", positions.len != 0 ? " " : "", (long long)row.pos);
        add_event(m, &row);
        if (m->body.events.len > BODY_BYTES)
            m->row.upto = row.pos;
    }
    m->row.positions = text_take(&positions);
}

/* From where on it has not taken what is told as it is now: in the first transaction of this run from its beginning. */
static stream_pos recent_from(const struct making *m)
{
    pthread_mutex_lock(&m->t->lock);
    struct told *told = told_of(m->t, m->service->id);
    if (told->recent_upto < 0)
        told->recent_upto = m->row.after;
    stream_pos from = told->recent_upto;
    pthread_mutex_unlock(&m->t->lock);
    return from;
}

/* Of what is no event: by the positions of the row, so that it is the same again where it must be. */
static void collect_rest(struct making *m)
{
    const struct transaction_range range = {m->of->db, m->service, m->row.after, m->row.upto, &m->interest};
    if (m->service->ephemeral)
        transaction_body_add_messages(&m->body, &range);
    if (m->service->device_changes)
        transaction_body_add_keys(&m->body, &range);
}

static void collect_recent(struct making *m)
{
    const struct transaction_range range = {m->of->db, m->service, recent_from(m), m->row.upto, &m->interest};
    if (m->service->device_changes)
        recent_claims_add(m->t->recent, &range, &m->body);
    if (m->service->ephemeral)
        recent_ephemeral_add(m->t->recent, &m->interest, &range, &m->body);
}

static bool job_begin(struct tx *tx, void *arg, struct error *e)
{
    const struct making *m = arg;
    return appservice_transactions_put(tx, m->service->id, &m->row) || error_set(e, ERROR_UNKNOWN, NULL);
}

struct delivered {
    const char *service;
    stream_pos upto;
};

static bool job_delivered(struct tx *tx, void *arg, struct error *e)
{
    const struct delivered *d = arg;
    return appservice_messages_delivered(tx, d->service, d->upto) || error_set(e, ERROR_UNKNOWN, NULL);
}

static bool forget_messages(struct making *m, stream_pos upto)
{
    struct error e;
    struct stmt *q = appservice_messages(m->of->db, m->service->id, 0, upto, 1);
    struct appservice_message row;
    bool any = appservice_messages_next(q, &row);
    stmt_end(q);
    return !any || writer_run(m->t->settings.writer, job_delivered, &(struct delivered){m->service->id, upto}, &e);
}

static enum consumer_verdict send_made(struct making *m, bool recent)
{
    struct text body = TEXT_INIT;
    transaction_body_write(&m->body, &body);
    enum consumer_verdict verdict =
        db_failed(m->of->db) ? CONSUMER_AGAIN : send(m->t, m->service, m->of, &m->row, recent, &body);
    text_finish(&body);
    return verdict;
}

static enum consumer_verdict send_new(struct making *m, stream_pos after)
{
    struct error e;
    free(m->row.positions);
    m->row = (struct appservice_transaction){.after = after};
    random_name(m->row.txn, APPSERVICE_TXN_CHARS);
    m->interest.from = after;
    collect(m);
    collect_rest(m);
    collect_recent(m);
    if (transaction_body_is_empty(&m->body)) {
        pthread_mutex_lock(&m->t->lock); /* what was looked at is not looked at again */
        told_of(m->t, m->service->id)->recent_upto = m->row.upto;
        pthread_mutex_unlock(&m->t->lock);
        return m->row.upto < m->of->upto ? CONSUMER_AGAIN : CONSUMER_NOTHING;
    }
    return writer_run(m->t->settings.writer, job_begin, m, &e) ? send_made(m, true) : CONSUMER_AGAIN;
}

/* Which transaction is next: the one that was begun, until it is taken; then what lies behind it. */
static enum consumer_verdict serve(struct making *m)
{
    bool begun = appservice_transactions_get(m->of->db, m->service->id, &m->row);
    stream_pos upto = m->row.upto;
    pthread_mutex_lock(&m->t->lock);
    const struct told *told = told_of(m->t, m->service->id);
    bool taken = begun && strcmp(told->taken, m->row.txn) == 0;
    pthread_mutex_unlock(&m->t->lock);
    if (begun && !taken && upto > m->of->after) {
        collect_again(m);
        collect_rest(m);
        recent_from(m); /* what it may have had the next one tells */
        return send_made(m, false);
    }
    if (taken && m->service->ephemeral && !forget_messages(m, upto))
        return CONSUMER_AGAIN;
    return send_new(m, begun && upto > m->of->after ? upto : m->of->after);
}

static enum consumer_verdict handle(void *self, const struct consumer_batch *of)
{
    struct transactions *t = self;
    struct appservices *set = registry_get(t->settings.registry);
    struct making m = {.t = t, .of = of, .service = appservices_by_id(set, of->destination)};
    enum consumer_verdict verdict = CONSUMER_NOTHING;
    if (m.service != NULL && m.service->url != NULL) {
        m.interest = (struct interest){.service = m.service,
                                       .db = of->db,
                                       .names = t->settings.names,
                                       .school_mode = t->settings.config->policy.mode == POLICY_SCHOOL};
        transaction_body_init(&m.body, t->settings.names);
        verdict = serve(&m);
        transaction_body_finish(&m.body);
        interest_finish(&m.interest);
        free(m.row.positions);
    }
    appservices_unref(set);
    return verdict;
}

/* --- Following --- */

void transactions_observe(void *transactions, const struct change *changes, size_t n)
{
    struct transactions *t = transactions;
    if (registry_is_empty(t->settings.registry))
        return;
    recent_ephemeral_note(t->recent, changes, n);
    consumer_observe(t->consumer, changes, n);
}

static bool job_forget(struct tx *tx, void *arg, struct error *e)
{
    return appservice_transactions_forget(tx, arg) || error_set(e, ERROR_UNKNOWN, NULL);
}

static void unfollow_gone(struct transactions *t, const struct appservices *set)
{
    char **names;
    size_t n = consumer_destinations(t->consumer, &names);
    for (size_t i = 0; i < n; ++i) {
        struct error e;
        if (appservices_by_id(set, names[i]) == NULL) {
            log_info(TRANSACTIONS_CONSUMER, "%s has no registration any more", names[i]);
            pthread_mutex_lock(&t->lock);
            told_of(t, names[i])->recent_upto = -1;
            pthread_mutex_unlock(&t->lock);
            if (consumer_remove(t->consumer, names[i], &e))
                writer_run(t->settings.writer, job_forget, names[i], &e);
        }
        free(names[i]);
    }
    free(names);
}

void transactions_follow(struct transactions *t)
{
    struct appservices *set = registry_get(t->settings.registry);
    struct error e = {0};
    unfollow_gone(t, set);
    for (size_t i = 0; i < set->n; ++i)
        if (set->all[i]->url != NULL && !consumer_add(t->consumer, set->all[i]->id, &e))
            log_error(TRANSACTIONS_CONSUMER, "%s is not told of anything: %s", set->all[i]->id, error_sentence(&e));
    appservices_unref(set);
}

struct transactions *transactions_start(const struct transactions_settings *settings)
{
    struct transactions *t = xcalloc(1, sizeof *t);
    t->settings = *settings;
    pthread_mutex_init(&t->lock, NULL);
    t->recent = recent_ephemeral_create(settings->sync, settings->names, writer_pos(settings->writer));
    t->consumer = consumer_start(&(struct consumer_settings){.name = TRANSACTIONS_CONSUMER,
                                                             .wakes = WAKES,
                                                             .batch_max = BATCH_EVENTS,
                                                             .handle = handle,
                                                             .self = t,
                                                             .writer = settings->writer});
    if (t->consumer != NULL)
        return t;
    transactions_destroy(t);
    return NULL;
}

static int64_t failing(void *self)
{
    return consumer_counts(((struct transactions *)self)->consumer).failing;
}

static int64_t behind(void *self)
{
    return consumer_counts(((struct transactions *)self)->consumer).behind;
}

int64_t transactions_taken(struct transactions *t)
{
    int64_t sent = 0;
    pthread_mutex_lock(&t->lock);
    for (const struct told *told = t->told; told != NULL; told = told->hh.next)
        sent += told->sent;
    pthread_mutex_unlock(&t->lock);
    return sent;
}

static void count_samples(void *self, const struct metric *metric, struct text *out)
{
    struct transactions *t = self;
    int64_t failed = 0;
    pthread_mutex_lock(&t->lock);
    for (const struct told *told = t->told; told != NULL; told = told->hh.next)
        failed += told->failed;
    pthread_mutex_unlock(&t->lock);
    metric_sample(out, metric->name, "outcome=\"taken\"", transactions_taken(t));
    metric_sample(out, metric->name, "outcome=\"failed\"", failed);
}

void transactions_metrics(struct transactions *transactions, struct metrics *metrics)
{
    static const struct metric METRICS[] = {
        {"parta_appservice_transactions_total", "Transactions to application services, by what became of them.",
         METRIC_COUNTER, NULL, count_samples},
        {"parta_appservices_failing", "Application services that do not take what is for them.", METRIC_GAUGE, failing,
         NULL},
        {"parta_appservice_behind_positions", "How far the slowest of them is behind the stream.", METRIC_GAUGE, behind,
         NULL},
    };
    metrics_add(metrics, METRICS, sizeof METRICS / sizeof *METRICS, transactions);
}

void transactions_stop(struct transactions *transactions)
{
    if (transactions != NULL)
        consumer_stop(transactions->consumer);
}

void transactions_destroy(struct transactions *t)
{
    struct told *told, *next;
    if (t == NULL)
        return;
    consumer_destroy(t->consumer);
    HASH_ITER(hh, t->told, told, next) {
        HASH_DEL(t->told, told);
        free(told->id);
        free(told);
    }
    recent_ephemeral_destroy(t->recent);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
