#include "homeserver/push/delivery/batch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/push/delivery/gateways.h"
#include "homeserver/push/delivery/notify.h"
#include "homeserver/push/delivery/service.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/pushers.h"

#define WINDOW 32 /* pushes that are handed over at a time */
#define WAITING_MS 30000
#define REPLY_MAX 65536

struct push {
    const char *tweaks; /* of the person's rules */
    uint32_t person;
    uint16_t event;
    bool full : 1, high : 1, done : 1, failed : 1;
};
_Static_assert(sizeof(struct push) == 16, "a push is 16 bytes");

struct part {
    stream_pos pos;
    char *ids, *whole;
};

struct batch {
    struct push_service *service;
    char *gateway;
    enum outgoing_network network;
    stream_pos after, upto;
    struct part *events;
    struct told *people;
    struct push *pushes;
    size_t n_events, n_people, n, n_done, people_cap, cap;

    pthread_mutex_t lock; /* of all below, and of what becomes of pushes */
    struct consumer_ticket ticket;
    size_t next, under_way;
    bool stopped, unwilling, ended; /* unwilling: it answered, and failed (5xx) */
    int64_t wait_ms;
    size_t delivered;
    int refs;
    struct flight {
        struct batch *batch; /* NULL: free */
        size_t push;
    } flights[WINDOW];
};

/* --- Making --- */

struct batch *batch_create(struct push_service *service, const char *gateway, enum outgoing_network network,
                           stream_pos after, stream_pos upto)
{
    struct batch *b = xcalloc(1, sizeof *b);
    b->service = service;
    b->gateway = xstrdup(gateway);
    b->network = network;
    b->after = after;
    b->upto = upto;
    b->refs = 1;
    pthread_mutex_init(&b->lock, NULL);
    return b;
}

static void destroy(struct batch *b)
{
    for (size_t i = 0; i < b->n_events; ++i) {
        free(b->events[i].ids);
        free(b->events[i].whole);
    }
    for (size_t i = 0; i < b->n_people; ++i)
        told_close(&b->people[i]);
    free(b->events);
    free(b->people);
    free(b->pushes);
    free(b->gateway);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static void release(struct batch *b)
{
    pthread_mutex_lock(&b->lock);
    bool last = --b->refs == 0;
    pthread_mutex_unlock(&b->lock);
    if (last)
        destroy(b);
}

void batch_unref(struct batch *b)
{
    if (b == NULL)
        return;
    pthread_mutex_lock(&b->lock);
    b->stopped = true;
    pthread_mutex_unlock(&b->lock);
    release(b);
}

bool batch_is(const struct batch *b, stream_pos after, stream_pos upto)
{
    return b->after == after && b->upto == upto;
}

size_t batch_add_person(struct batch *b, struct told *told)
{
    if (b->n_people == b->people_cap) {
        b->people_cap = b->people_cap * 2 + 8;
        b->people = xrealloc(b->people, b->people_cap * sizeof *b->people);
    }
    b->people[b->n_people] = *told;
    return b->n_people++;
}

struct told *batch_person(struct batch *b, size_t person)
{
    return &b->people[person];
}

size_t batch_add_event(struct batch *b, stream_pos pos, struct text *ids)
{
    b->events = xrealloc(b->events, (b->n_events + 1) * sizeof *b->events);
    b->events[b->n_events] = (struct part){pos, text_take(ids), NULL};
    return b->n_events++;
}

char **batch_whole(struct batch *b, size_t event)
{
    return &b->events[event].whole;
}

/* What makes a noise or stands out may wake a phone; the rest waits until it wakes by itself. */
bool push_is_high(const struct push_result *result)
{
    return result->highlight || strstr(result->tweaks, "\"sound\"") != NULL;
}

void batch_add_push(struct batch *b, size_t event, size_t person, bool full, bool done,
                    const struct push_result *result)
{
    if (b->n == b->cap) {
        b->cap = b->cap * 2 + 16;
        b->pushes = xrealloc(b->pushes, b->cap * sizeof *b->pushes);
    }
    b->n_done += done;
    b->pushes[b->n++] = (struct push){.tweaks = result->tweaks,
                                      .person = (uint32_t)person,
                                      .event = (uint16_t)event,
                                      .full = full,
                                      .done = done,
                                      .high = push_is_high(result)};
}

bool batch_is_empty(const struct batch *b)
{
    return b->n == b->n_done;
}

/* --- Rejected keys --- */

struct rejection {
    user_no user;
    size_t n;
    struct told_key *keys; /* those that the answer names */
    struct push_service *service;
    const struct told *told;
    struct error e;
};

static bool job_reject(struct tx *tx, void *arg, struct error *e)
{
    const struct rejection *r = arg;
    bool good = true;
    for (size_t i = 0; good && i < r->n; ++i)
        good = pushers_reject(tx, r->user, r->keys[i].app_id, r->keys[i].pushkey, r->keys[i].set_ms);
    return good;
}

static void rejection_free(void *arg, bool ok)
{
    struct rejection *r = arg;
    for (size_t i = 0; i < r->n; ++i) {
        free(r->keys[i].app_id);
        free(r->keys[i].pushkey);
    }
    free(r->keys);
    free(r);
}

/* Of this request's devices alone: nobody else's go by a gateway's word. */
static void take_rejected(void *arg, const char *pushkey)
{
    struct rejection *r = arg;
    for (size_t i = 0; i < r->told->n_keys && r->n < r->told->n_keys; ++i) {
        const struct told_key *key = &r->told->keys[i];
        if (strcmp(key->pushkey, pushkey) == 0)
            r->keys[r->n++] = (struct told_key){xstrdup(key->app_id), xstrdup(key->pushkey), key->set_ms};
    }
}

void push_take_answer(struct push_service *service, const struct told *told, const struct outgoing_reply *reply)
{
    struct rejection *r = xcalloc(1, sizeof *r);
    r->user = told->user;
    r->told = told;
    r->keys = xcalloc(told->n_keys + 1, sizeof *r->keys);
    bool good = notify_read(reply->body.data != NULL ? reply->body.data : "", reply->body.len, take_rejected, r);
    ++service->counts[good ? PUSH_SENT : PUSH_DROPPED];
    service->counts[PUSH_REJECTED] += (int64_t)r->n;
    if (r->n != 0)
        writer_submit(service->writer, job_reject, r, &r->e, rejection_free, r);
    else
        rejection_free(r, true);
}

/* --- Sending --- */

/* A certificate that is wrong today may be right in an hour: nothing was sent. */
enum outgoing_verdict push_verdict(const struct outgoing_reply *reply)
{
    if (reply->fault == OUTGOING_UNTRUSTED || reply->fault == OUTGOING_NOT_TRIED)
        return OUTGOING_AGAIN;
    return outgoing_usual_verdict(reply);
}

static enum outgoing_verdict judge(void *arg, const struct outgoing_reply *reply)
{
    return push_verdict(reply);
}

bool push_send(struct push_service *service, const char *gateway, enum outgoing_network network,
               const struct text *body, int64_t lifetime_ms, int attempts_max, outgoing_done *done, void *arg)
{
    static const char *const HEADERS[] = {"Content-Type: application/json"};
    struct text url = TEXT_INIT;
    text_adds(&url, gateway);
    text_adds(&url, GATEWAY_PATH);
    struct outgoing_request request = {.what = "push",
                                       .url = url.data,
                                       .network = network,
                                       .method = "POST",
                                       .headers = HEADERS,
                                       .n_headers = 1,
                                       .body = body->data,
                                       .body_len = body->len,
                                       .reply_max = REPLY_MAX,
                                       .deadline_ms = clock_mono_ms() + lifetime_ms,
                                       .attempts_max = attempts_max,
                                       .attempt_ms = PUSH_ATTEMPT_MS};
    bool taken = outgoing_send(service->outgoing, &request,
                               &(struct outgoing_handler){.judge = judge, .done = done, .arg = arg});
    text_finish(&url);
    return taken;
}

static void on_done(void *arg, bool delivered, struct outgoing_reply *reply);

/* With the lock held. */
static bool send_next(struct batch *b)
{
    struct text body = TEXT_INIT;
    struct flight *flight = b->flights;
    while (flight->batch != NULL)
        ++flight;
    const struct push *push = &b->pushes[b->next];
    const struct told *told = &b->people[push->person];
    const struct part *event = &b->events[push->event];
    notify_render(&body, &(struct notify){.event = push->full ? event->whole : event->ids,
                                          .high = push->high,
                                          .unread = told->unread,
                                          .devices = push->full ? &told->full : &told->plain,
                                          .tweaks = push->full ? push->tweaks : NULL});
    *flight = (struct flight){b, b->next};
    bool taken = push_send(b->service, b->gateway, b->network, &body, WAITING_MS, 1, on_done, flight);
    text_finish(&body);
    if (!taken) {
        flight->batch = NULL;
        return false;
    }
    ++b->next;
    ++b->under_way;
    ++b->refs;
    return true;
}

static bool has_one_under_way(const struct batch *b, size_t person)
{
    for (int i = 0; i < WINDOW; ++i)
        if (b->flights[i].batch != NULL && b->pushes[b->flights[i].push].person == person)
            return true;
    return false;
}

/* With the lock held: sends as much as may be on its way; to a person one after the other, so that the order stays.
 * true: all have ended just now. */
static bool advance(struct batch *b)
{
    while (!b->stopped && b->next < b->n && b->under_way < WINDOW) {
        const struct push *push = &b->pushes[b->next];
        if (push->done)
            ++b->next;
        else if (has_one_under_way(b, push->person))
            break;
        else
            b->stopped = !send_next(b);
    }
    bool over = b->under_way == 0 && !b->ended;
    b->ended |= over;
    return over;
}

static void finish(struct batch *b)
{
    bool all = b->next == b->n && !b->stopped;
    consumer_finish(&b->ticket, all ? CONSUMER_DONE : CONSUMER_AGAIN, b->wait_ms);
}

static void settle(struct batch *b, struct push *push, struct outgoing_reply *reply)
{
    switch (push_verdict(reply)) {
    case OUTGOING_DONE:
        push->done = true;
        ++b->delivered;
        push_take_answer(b->service, &b->people[push->person], reply);
        break;
    case OUTGOING_GIVE_UP:
        push->done = true;
        ++b->service->counts[PUSH_DROPPED];
        break;
    case OUTGOING_AGAIN:
        push->failed = reply->fault == OUTGOING_ANSWERED && reply->status != 429;
        b->stopped = true;
        if (reply->retry_after_ms > b->wait_ms)
            b->wait_ms = reply->retry_after_ms;
        break;
    }
}

static void on_done(void *arg, bool delivered, struct outgoing_reply *reply)
{
    struct flight *flight = arg;
    struct batch *b = flight->batch;
    pthread_mutex_lock(&b->lock);
    settle(b, &b->pushes[flight->push], reply);
    flight->batch = NULL;
    --b->under_way;
    bool over = advance(b);
    pthread_mutex_unlock(&b->lock);
    if (over)
        finish(b);
    release(b);
}

void batch_begin(struct batch *b, const struct consumer_ticket *ticket)
{
    pthread_mutex_lock(&b->lock);
    b->ticket = *ticket;
    ++b->refs; /* it may end at once */
    bool over = advance(b);
    pthread_mutex_unlock(&b->lock);
    if (over)
        finish(b);
    release(b);
}

/* Nothing is on its way any more, and so nothing changes. Pushes stand in order of their events. */
enum batch_fate batch_fate(const struct batch *b, stream_pos event, user_no user, bool full)
{
    size_t low = 0, high = b->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->events[b->pushes[middle].event].pos < event)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i < b->n && b->events[b->pushes[i].event].pos == event; ++i) {
        const struct push *push = &b->pushes[i];
        if (b->people[push->person].user == user && push->full == full)
            return push->done ? BATCH_DONE : push->failed && b->delivered != 0 ? BATCH_FAILED : BATCH_OPEN;
    }
    return BATCH_OPEN;
}
