#include "homeserver/outgoing/outgoing.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "homeserver/base/backoff.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/base/thread.h"
#include "homeserver/outgoing/destination_private.h"

#define BACKOFF_FIRST_MS 1000
#define RETRY_AFTER_URGENT_MAX_MS 60000 /* while somebody waits */
#define NAP_MS 60000                    /* with nothing to do; a wake-up ends it */
#define LOOK_MS 50                      /* how often who waits looks whether to stop */

struct outgoing {
    struct outgoing_settings settings;

    pthread_mutex_t lock; /* of all below */
    pthread_t thread;
    bool started, stopping;
    int64_t end_ms; /* stopping: when what runs is dropped */
    struct destinations destinations;
    size_t there, bytes;
    int running, running_unproven; /* without urgent ones; the second as of the last look */

    /* The thread's own. */
    CURLM *multi;
    struct transfer *attempts; /* that run */
};

/* --- The end of a transfer --- */

static void finish(struct outgoing *o, struct transfer *t, bool delivered)
{
    struct destination *d = t->destination;
    t->handler.done(t->handler.arg, delivered, &t->reply);
    pthread_mutex_lock(&o->lock);
    *(delivered ? &d->counts.delivered : &d->counts.failed) += 1;
    --d->there;
    --o->there;
    o->bytes -= t->bytes;
    pthread_mutex_unlock(&o->lock);
    transfer_destroy(t);
}

/* --- Attempts, on the thread --- */

/* The attempt of t is none any more, whether it ended or is dropped. */
static void detach(struct outgoing *o, struct transfer *t, CURLcode code)
{
    curl_multi_remove_handle(o->multi, t->easy);
    transfer_end(t, code);
    DL_DELETE(o->attempts, t);
    if (t->urgent)
        return;
    pthread_mutex_lock(&o->lock);
    --o->running;
    --t->destination->running;
    pthread_mutex_unlock(&o->lock);
}

static int64_t wait_ms(const struct transfer *t)
{
    int64_t asked = t->reply.retry_after_ms;
    int64_t wait = backoff_ms(t->reply.attempts, t->request.backoff_ms != 0 ? t->request.backoff_ms : BACKOFF_FIRST_MS);
    if (t->urgent && asked > RETRY_AFTER_URGENT_MAX_MS)
        asked = RETRY_AFTER_URGENT_MAX_MS;
    return asked > wait ? asked : wait;
}

static void attempted(struct outgoing *o, struct transfer *t, CURLcode code)
{
    const struct outgoing_request *r = &t->request;
    int64_t now_ms = clock_mono_ms();
    detach(o, t, code);
    enum outgoing_verdict verdict = t->handler.judge != NULL ? t->handler.judge(t->handler.judge_arg, &t->reply)
                                                             : outgoing_usual_verdict(&t->reply);
    t->due_ms = now_ms + wait_ms(t);
    bool last = t->reply.attempts == r->attempts_max || t->due_ms > r->deadline_ms;
    pthread_mutex_lock(&o->lock);
    destination_take(t->destination, &t->reply, now_ms);
    bool again = verdict == OUTGOING_AGAIN && !last;
    if (again)
        DL_APPEND(t->destination->waiting, t);
    pthread_mutex_unlock(&o->lock);
    if (verdict != OUTGOING_DONE) /* by curl's words and the server's number alone: their texts repeat addresses */
        log_warn(r->what, "attempt %d failed (%s, status %ld); %s", t->reply.attempts, t->reply.why, t->reply.status,
                 again                       ? "it will be tried again"
                 : verdict == OUTGOING_AGAIN ? "it is given up"
                                             : "it is of no use to try again");
    if (!again)
        finish(o, t, verdict == OUTGOING_DONE);
}

static void collect(struct outgoing *o)
{
    int n;
    CURLMsg *msg;
    curl_multi_perform(o->multi, &n);
    while ((msg = curl_multi_info_read(o->multi, &n)) != NULL) {
        struct transfer *t = NULL;
        CURLcode code = msg->data.result;
        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        attempted(o, t, code);
    }
}

static bool is_stopped(const struct transfer *t)
{
    return t->request.stop != NULL && *t->request.stop;
}

/* Attempts of transfers that are to stop, or all: dropped. */
static void drop_attempts(struct outgoing *o, bool all)
{
    struct transfer *t, *next;
    DL_FOREACH_SAFE(o->attempts, t, next)
    {
        if (!all && !is_stopped(t))
            continue;
        detach(o, t, CURLE_ABORTED_BY_CALLBACK);
        t->reply.fault = OUTGOING_NOT_TRIED;
        t->reply.why = "stopped";
        finish(o, t, false);
    }
}

/* --- What waits: with the lock held --- */

struct turn {
    int64_t now_ms, next_ms; /* next_ms: when to look again */
    struct transfer *begin, *end;
};

static void begin(struct outgoing *o, struct destination *d, struct transfer *t, struct turn *turn)
{
    DL_DELETE(d->waiting, t);
    DL_APPEND(turn->begin, t);
    if (t->urgent)
        return;
    ++d->running;
    ++o->running;
    o->running_unproven += !d->proven;
}

static void look_again(struct turn *turn, int64_t at_ms)
{
    if (at_ms > turn->now_ms && at_ms < turn->next_ms)
        turn->next_ms = at_ms;
}

/* One that is due begins, if there is a place; of urgent ones all. What is too late, or stopped, ends. Whether one
 * began that took a place. */
static bool look_at(struct outgoing *o, struct destination *d, struct turn *turn)
{
    struct transfer *t, *next;
    /* Whoever has not proved to answer may hold a place for as long as an attempt lasts: not more than half of them are
     * lost so, and who answers finds one, however many dead ones wait. */
    int max = o->settings.running_max, half = max > 1 ? max / 2 : 1;
    bool begun = false;
    bool place = destination_places(d, max - o->running, half - o->running_unproven, turn->now_ms) > 0;
    DL_FOREACH_SAFE(d->waiting, t, next)
    {
        if (o->stopping || is_stopped(t) || t->request.deadline_ms < turn->now_ms) {
            DL_DELETE(d->waiting, t);
            DL_APPEND(turn->end, t);
        } else if (t->due_ms <= turn->now_ms && (t->urgent || (place && !begun))) {
            begun |= !t->urgent;
            begin(o, d, t, turn);
        } else { /* or when an attempt ends: then there is another turn in any case */
            look_again(turn, t->due_ms > d->open_ms || t->urgent ? t->due_ms : d->open_ms);
            look_again(turn, t->request.deadline_ms == INT64_MAX ? INT64_MAX : t->request.deadline_ms + 1);
        }
    }
    return begun;
}

/* Whoever began one goes to the back and is met again, so that all get their turn. */
static void take_turn(struct outgoing *o, struct turn *turn)
{
    struct destination *d, *next;
    o->running_unproven = 0;
    for (d = o->destinations.all; d != NULL; d = d->hh.next)
        o->running_unproven += d->proven ? 0 : d->running;
    for (d = o->destinations.all; d != NULL; d = next) {
        bool begun = d->waiting != NULL && look_at(o, d, turn);
        next = d->hh.next;
        if (!begun)
            continue;
        destinations_served(&o->destinations, d);
        if (next == NULL)
            next = d;
    }
}

/* --- The thread --- */

static void begin_all(struct outgoing *o, struct transfer *list)
{
    struct transfer *t, *next;
    DL_FOREACH_SAFE(list, t, next)
    {
        transfer_begin(t);
        DL_APPEND(o->attempts, t);
        curl_multi_add_handle(o->multi, t->easy);
    }
}

/* false: it is stopping, and nothing runs or may run any more. */
static bool go_on(struct outgoing *o, int *nap_ms)
{
    struct turn turn = {.now_ms = clock_mono_ms()};
    struct transfer *t, *next;
    pthread_mutex_lock(&o->lock);
    turn.next_ms = o->stopping ? o->end_ms : turn.now_ms + NAP_MS;
    take_turn(o, &turn);
    bool over = o->stopping && (o->attempts == NULL || turn.now_ms >= o->end_ms);
    pthread_mutex_unlock(&o->lock);
    begin_all(o, turn.begin);
    DL_FOREACH_SAFE(turn.end, t, next)
    {
        finish(o, t, false);
    }
    *nap_ms = turn.begin != NULL ? 0 : (int)(turn.next_ms - turn.now_ms);
    return !over;
}

static void *run(void *arg)
{
    struct outgoing *o = arg;
    int nap_ms;
    sigset_t broken_pipe; /* of a connection that ended: curl hears it from write */
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
    pthread_setname_np(pthread_self(), "outgoing");
    while (go_on(o, &nap_ms)) {
        if (nap_ms > 0)
            curl_multi_poll(o->multi, NULL, 0, nap_ms, NULL);
        drop_attempts(o, false);
        collect(o);
    }
    drop_attempts(o, true);
    return NULL;
}

/* With the lock held. */
static bool start(struct outgoing *o)
{
    if (o->started)
        return true;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == 0)
        o->multi = curl_multi_init();
    if (o->multi != NULL && thread_start(&o->thread, "outgoing", 0, run, o))
        return o->started = true;
    log_error("outgoing", "could not be started");
    if (o->multi != NULL)
        curl_multi_cleanup(o->multi);
    o->multi = NULL;
    return false;
}

struct outgoing *outgoing_create(const struct outgoing_settings *settings)
{
    struct outgoing *o = xcalloc(1, sizeof *o);
    const struct outgoing_settings given = settings != NULL ? *settings : (struct outgoing_settings){0};
    o->settings = (struct outgoing_settings){
        .running_max = given.running_max != 0 ? given.running_max : 64,
        .queue_max = given.queue_max != 0 ? given.queue_max : 1000,
        .bytes_max = given.bytes_max != 0 ? given.bytes_max : (size_t)64 << 20,
    };
    pthread_mutex_init(&o->lock, NULL);
    return o;
}

void outgoing_stop(struct outgoing *o, int grace_ms)
{
    if (o == NULL)
        return;
    pthread_mutex_lock(&o->lock);
    bool ends = o->started && !o->stopping;
    o->stopping = true;
    o->end_ms = clock_mono_ms() + grace_ms;
    pthread_mutex_unlock(&o->lock);
    if (!ends)
        return;
    curl_multi_wakeup(o->multi);
    pthread_join(o->thread, NULL);
}

void outgoing_destroy(struct outgoing *o)
{
    if (o == NULL)
        return;
    outgoing_stop(o, 0);
    if (o->started)
        curl_multi_cleanup(o->multi);
    destinations_finish(&o->destinations);
    pthread_mutex_destroy(&o->lock);
    free(o);
}

/* --- Handing over --- */

/* With the lock held. */
static bool take(struct outgoing *o, struct transfer *t, const struct destination_key *key)
{
    if (o->stopping || o->bytes + t->bytes > o->settings.bytes_max)
        return false;
    struct destination *d = destinations_get(&o->destinations, key);
    if (d == NULL || d->there >= o->settings.queue_max || !start(o))
        return false;
    t->destination = d;
    DL_APPEND(d->waiting, t);
    ++d->there;
    ++o->there;
    o->bytes += t->bytes;
    return true;
}

static bool hand_over(struct outgoing *o, const struct outgoing_request *request,
                      const struct outgoing_handler *handler, bool urgent)
{
    struct destination_key key = {.network = (char)request->network};
    if (!transfer_destination(request, key.name))
        return false;
    struct transfer *t = transfer_create(request, handler);
    t->urgent = urgent;
    pthread_mutex_lock(&o->lock);
    bool taken = take(o, t, &key);
    pthread_mutex_unlock(&o->lock);
    if (taken)
        curl_multi_wakeup(o->multi);
    else
        transfer_destroy(t);
    return taken;
}

bool outgoing_send(struct outgoing *o, const struct outgoing_request *request, const struct outgoing_handler *handler)
{
    return hand_over(o, request, handler, false);
}

/* Of one who waits. */
struct outgoing_calls {
    struct outgoing *outgoing;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    size_t left, delivered;   /* that are not done; that were delivered */
    const _Atomic bool *stop; /* of the last request that has one */
};

struct call {
    struct outgoing_calls *calls;
    struct outgoing_reply *reply;
};

static void call_done(void *arg, bool delivered, struct outgoing_reply *reply)
{
    struct call *call = arg;
    struct outgoing_calls *calls = call->calls;
    pthread_mutex_lock(&calls->lock);
    *call->reply = *reply;
    reply->body = reply->headers = TEXT_INIT;
    calls->delivered += delivered;
    if (--calls->left == 0)
        pthread_cond_signal(&calls->ended);
    pthread_mutex_unlock(&calls->lock);
    free(call);
}

struct outgoing_calls *outgoing_calls_create(struct outgoing *o)
{
    struct outgoing_calls *calls = xcalloc(1, sizeof *calls);
    calls->outgoing = o;
    pthread_mutex_init(&calls->lock, NULL);
    pthread_cond_init(&calls->ended, NULL);
    return calls;
}

void outgoing_calls_add(struct outgoing_calls *calls, const struct outgoing_request *request, outgoing_judge *judge,
                        void *judge_arg, struct outgoing_reply *reply)
{
    struct call *call = xcalloc(1, sizeof *call);
    *call = (struct call){calls, reply};
    *reply = (struct outgoing_reply){
        .fault = OUTGOING_NOT_TRIED, .why = "there is no place for it", .date_ms = -1, .retry_after_ms = -1};
    calls->stop = request->stop != NULL ? request->stop : calls->stop;
    pthread_mutex_lock(&calls->lock);
    ++calls->left;
    pthread_mutex_unlock(&calls->lock);
    if (hand_over(calls->outgoing, request, &(struct outgoing_handler){judge, judge_arg, call_done, call}, true))
        return;
    pthread_mutex_lock(&calls->lock);
    --calls->left;
    pthread_mutex_unlock(&calls->lock);
    free(call);
}

/* The thread sees the caller's stop when it is woken; until it has let go, the calls stay. */
size_t outgoing_calls_wait(struct outgoing_calls *calls)
{
    pthread_mutex_lock(&calls->lock);
    while (calls->left != 0) {
        int64_t until_ms = clock_mono_ms() + LOOK_MS;
        const struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
        if (calls->stop == NULL)
            pthread_cond_wait(&calls->ended, &calls->lock);
        else if (pthread_cond_clockwait(&calls->ended, &calls->lock, CLOCK_MONOTONIC, &until) != 0 && *calls->stop)
            curl_multi_wakeup(calls->outgoing->multi);
    }
    pthread_mutex_unlock(&calls->lock);
    size_t delivered = calls->delivered;
    pthread_cond_destroy(&calls->ended);
    pthread_mutex_destroy(&calls->lock);
    free(calls);
    return delivered;
}

bool outgoing_call(struct outgoing *o, const struct outgoing_request *request, outgoing_judge *judge, void *judge_arg,
                   struct outgoing_reply *reply)
{
    struct outgoing_calls *calls = outgoing_calls_create(o);
    outgoing_calls_add(calls, request, judge, judge_arg, reply);
    return outgoing_calls_wait(calls) != 0;
}

size_t outgoing_waiting(struct outgoing *o)
{
    pthread_mutex_lock(&o->lock);
    size_t n = o->there;
    pthread_mutex_unlock(&o->lock);
    return n;
}

static void samples(void *self, const struct metric *metric, struct text *out);

static const struct metric METRICS[DESTINATION_METRIC__COUNT] = {
    [DESTINATION_DELIVERED] = {"parta_outgoing_delivered_total", "Transfers to other servers that were done.",
                               METRIC_COUNTER, NULL, samples},
    [DESTINATION_FAILED] = {"parta_outgoing_failed_total", "Transfers that were refused or given up.", METRIC_COUNTER,
                            NULL, samples},
    [DESTINATION_ATTEMPTS_FAILED] = {"parta_outgoing_attempts_failed_total", "Attempts that the destination failed.",
                                     METRIC_COUNTER, NULL, samples},
    [DESTINATION_QUEUED] = {"parta_outgoing_queued", "Transfers that run or wait.", METRIC_GAUGE, NULL, samples},
    [DESTINATION_CIRCUIT_OPEN] = {"parta_outgoing_circuit_open",
                                  "1: it has failed often and is asked now and then only.", METRIC_GAUGE, NULL,
                                  samples},
};

static void samples(void *self, const struct metric *metric, struct text *out)
{
    struct outgoing *o = self;
    pthread_mutex_lock(&o->lock);
    destinations_add_samples(&o->destinations, (enum destination_metric)(metric - METRICS), metric->name, out);
    pthread_mutex_unlock(&o->lock);
}

void outgoing_metrics(struct outgoing *o, struct metrics *metrics)
{
    metrics_add(metrics, METRICS, DESTINATION_METRIC__COUNT, o);
}
