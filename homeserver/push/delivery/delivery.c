#include "homeserver/push/delivery/delivery.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/jobs/consumer.h"
#include "homeserver/push/delivery/batch.h"
#include "homeserver/push/delivery/gateways.h"
#include "homeserver/push/delivery/held.h"
#include "homeserver/push/delivery/notify.h"
#include "homeserver/push/delivery/service.h"
#include "homeserver/push/delivery/told.h"
#include "homeserver/push/room_facts.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/matrix/consumers.h"
#include "homeserver/store/matrix/contacts.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/held_pushes.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/pushers.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/sync/rules_cache.h"
#include "policy/rules/refusals.h"

#define FRESH_MS 10000            /* what is older may have been read meanwhile */
#define HELD_AT_ONCE 500          /* rows a job */
#define FAILED_AGAIN_MS MINUTE_MS /* what a gateway failed at, while it took others */

/* The last batch of a gateway: what is handed over again leaves out what was taken. The consumer's thread's own. */
struct last {
    UT_hash_handle hh;
    char *gateway;
    struct batch *batch;
};

struct push_delivery {
    struct push_service service;
    struct consumer *consumer; /* NULL: no gateway is allowed */
    struct last *last;
    pthread_mutex_t following; /* held while destinations are compared with pushers */
    struct badges *badges;
    struct db *db;         /* the job's */
    struct digest *digest; /* NULL: no mail is sent */
    int64_t minute_ms;
};

/* --- Who is told of a batch's events --- */

/* A room of the batch. */
struct place {
    UT_hash_handle hh;
    room_no room;
    char *room_id;
    struct push_room facts;
    bool loaded; /* facts */
    size_t n;
    struct reached {
        size_t person; /* of the batch */
        stream_pos joined_pos;
    } * people;
};

struct person {
    UT_hash_handle hh;
    user_no user;
    size_t no; /* of the batch */
};

struct collecting {
    struct push_service *service;
    const struct consumer_batch *of;
    struct batch *batch, *before; /* before: the same, when it was handed over the last time; NULL: it is new */
    struct place *places;
    struct person *people;
    struct held_push *held;
    size_t n_held, held_cap;
    int64_t now_ms;
    bool concerns; /* some event is one that somebody here is to be told of */
};

static size_t person_of(struct collecting *c, user_no user, bool *fresh)
{
    struct person *person;
    HASH_FIND(hh, c->people, &user, sizeof user, person);
    *fresh = person == NULL;
    if (person == NULL) {
        struct told told;
        told_open(&told, c->service, c->of->db, user);
        person = xcalloc(1, sizeof *person);
        person->user = user;
        person->no = batch_add_person(c->batch, &told);
        HASH_ADD(hh, c->people, user, sizeof person->user, person);
    }
    return person->no;
}

static void load_people(struct collecting *c, struct place *place)
{
    struct pusher_in_room row;
    size_t cap = 0;
    user_no adding = 0; /* a person's devices follow each other */
    struct stmt *q = pushers_in_room(c->of->db, c->of->destination, place->room);
    while (pushers_next_in_room(q, &row)) {
        bool fresh;
        size_t no = person_of(c, row.pusher.user, &fresh);
        if (place->n == 0 || place->people[place->n - 1].person != no) {
            if (place->n == cap)
                place->people = xrealloc(place->people, (cap = cap * 2 + 8) * sizeof *place->people);
            place->people[place->n++] = (struct reached){no, row.joined_pos};
            adding = fresh ? row.pusher.user : 0;
        }
        if (adding == row.pusher.user)
            told_add(batch_person(c->batch, no), &row.pusher);
    }
    stmt_end(q);
}

static struct place *place_of(struct collecting *c, room_no room)
{
    struct place *place;
    HASH_FIND(hh, c->places, &room, sizeof room, place);
    if (place != NULL)
        return place;
    place = xcalloc(1, sizeof *place);
    place->room = room;
    place->room_id = rooms_id_of(c->of->db, room);
    load_people(c, place);
    HASH_ADD(hh, c->places, room, sizeof place->room, place);
    return place;
}

static void put_aside(struct collecting *c, user_no user, const struct event_row *row, int64_t due_ms)
{
    if (c->n_held == c->held_cap)
        c->held = xrealloc(c->held, (c->held_cap = c->held_cap * 2 + 16) * sizeof *c->held);
    c->held[c->n_held++] = (struct held_push){.gateway = c->of->destination,
                                              .user = user,
                                              .room = row->room,
                                              .pos = row->pos,
                                              .due_ms = due_ms,
                                              .first_ms = c->now_ms};
}

/* What others may know of the event, where its content may go out at all. */
static void whole_event(struct collecting *c, const struct place *place, const struct event_row *row, struct text *out)
{
    const char *sender = user_names_get(c->service->names, c->of->db, row->sender);
    char *name = sender != NULL ? room_facts_display_name(c->of->db, row->room, sender) : NULL;
    notify_event(out, row->event_id, place->room_id);
    text_adds(out, "\"type\":");
    text_add_json(out, row->type);
    text_adds(out, ",\"sender\":");
    text_add_json(out, sender != NULL ? sender : "");
    if (name != NULL) {
        text_adds(out, ",\"sender_display_name\":");
        text_add_json(out, name);
    }
    text_adds(out, ",\"content\":");
    text_adds(out, row->content);
    text_addc(out, ',');
    free(name);
}

/* An event on its way to people. */
struct telling {
    struct collecting *c;
    struct place *place;
    const struct event_row *row;
    size_t event; /* of the batch; SIZE_MAX: nobody is told yet */
};

static void tell_devices(struct telling *t, size_t no, bool full, const struct push_result *result)
{
    struct collecting *c = t->c;
    const struct told *told = batch_person(c->batch, no);
    const struct text *devices = full ? &told->full : &told->plain;
    if (devices->len == 0)
        return;
    enum batch_fate fate = c->before != NULL ? batch_fate(c->before, t->row->pos, told->user, full) : BATCH_OPEN;
    if (fate == BATCH_FAILED) {
        put_aside(c, told->user, t->row, c->now_ms + FAILED_AGAIN_MS);
        return;
    }
    if (t->event == SIZE_MAX) {
        struct text ids = TEXT_INIT;
        notify_event(&ids, t->row->event_id, t->place->room_id);
        t->event = batch_add_event(c->batch, t->row->pos, &ids);
    }
    if (full && *batch_whole(c->batch, t->event) == NULL) {
        struct text whole = TEXT_INIT;
        whole_event(c, t->place, t->row, &whole);
        *batch_whole(c->batch, t->event) = text_take(&whole);
    }
    batch_add_push(c->batch, t->event, no, full, fate == BATCH_DONE, result);
}

/* invited: by this event; otherwise joined since joined_pos. */
static void tell(struct telling *t, size_t no, stream_pos joined_pos, bool invited)
{
    struct collecting *c = t->c;
    struct push_result result;
    struct told *told = batch_person(c->batch, no);
    if (!t->place->loaded)
        room_facts_load(&t->place->facts, c->of->db, c->service->names, t->place->room);
    t->place->loaded = true;
    if (!told_wants(told, c->of->db, &t->place->facts, t->place->room_id, t->row, &result))
        return;
    c->concerns = true;
    struct gate_ring ring = told_ring(told, c->service, c->of->db, t->row);
    if (!ring.rings) {
        if (ring.due_ms != 0)
            put_aside(c, told->user, t->row, ring.due_ms);
        return;
    }
    int64_t came_ms = event_received_ms(t->row);
    if (came_ms < c->now_ms - c->service->late_ms) {
        put_aside(c, told->user, t->row, c->now_ms);
        return;
    }
    bool old = c->of->failures != 0 || came_ms < c->now_ms - FRESH_MS;
    if (old && !invited && !told_behind(told, c->service, c->of->db, t->row->room, t->place->room_id, joined_pos))
        return;
    if (told->unread < 0)
        told->unread = told_count(told, c->service, c->of->db).messages;
    tell_devices(t, no, false, &result);
    tell_devices(t, no, true, &result);
}

/* Who is invited is not in the room yet. */
static void tell_invited(struct telling *t)
{
    struct collecting *c = t->c;
    bool fresh;
    user_no user = t->row->state_key != NULL && strcmp(t->row->type, "m.room.member") == 0
                       ? users_by_id(c->of->db, c->service->config->server_name, t->row->state_key)
                       : 0;
    struct membership_row membership;
    if (user == 0 || !memberships_get(c->of->db, t->row->room, user, &membership) ||
        membership.membership != MEMBERSHIP_INVITE || membership.pos != t->row->pos ||
        ignored_every_invite(c->of->db, user))
        return;
    size_t no = person_of(c, user, &fresh);
    struct told *told = batch_person(c->batch, no);
    if (fresh)
        told_add_all(told, pushers_at(c->of->db, c->of->destination, user));
    tell(t, no, 0, true);
}

static void collect(struct collecting *c, const struct event_row *row)
{
    struct place *place = place_of(c, row->room);
    struct telling t = {c, place, row, SIZE_MAX};
    for (size_t i = 0; i < place->n; ++i)
        if (place->people[i].joined_pos < row->pos)
            tell(&t, place->people[i].person, place->people[i].joined_pos, false);
    tell_invited(&t);
}

static void collecting_finish(struct collecting *c)
{
    struct place *place, *next_place;
    struct person *person, *next_person;
    HASH_ITER(hh, c->places, place, next_place) {
        HASH_DEL(c->places, place);
        if (place->loaded)
            room_facts_finish(&place->facts);
        free(place->room_id);
        free(place->people);
        free(place);
    }
    HASH_ITER(hh, c->people, person, next_person) {
        HASH_DEL(c->people, person);
        free(person);
    }
    free(c->held);
}

/* --- The consumer --- */

static bool write_held(struct collecting *c)
{
    struct error e;
    for (size_t at = 0; at < c->n_held; at += HELD_AT_ONCE) {
        size_t n = c->n_held - at < HELD_AT_ONCE ? c->n_held - at : HELD_AT_ONCE;
        if (!writer_run(c->service->writer, held_job_put, &(struct held_rows){c->held + at, n}, &e))
            return false;
    }
    c->service->counts[PUSH_HELD] += (int64_t)c->n_held;
    return true;
}

static struct last *last_of(struct push_delivery *push, const char *gateway)
{
    struct last *last;
    HASH_FIND_STR(push->last, gateway, last);
    if (last == NULL) {
        last = xcalloc(1, sizeof *last);
        last->gateway = xstrdup(gateway);
        HASH_ADD_KEYPTR(hh, push->last, last->gateway, strlen(last->gateway), last);
    }
    return last;
}

static enum consumer_verdict handle(void *self, const struct consumer_batch *of)
{
    struct push_delivery *push = self;
    struct event_row row;
    enum gateway_leave leave = gateway_leave(push->service.config, of->destination);
    if (leave == GATEWAY_REFUSED) /* no longer */
        return CONSUMER_DONE;
    struct last *last = last_of(push, of->destination);
    struct collecting c = {.service = &push->service, .of = of, .now_ms = push->service.wall_ms()};
    c.batch = batch_create(&push->service, of->destination, leave == GATEWAY_NAMED ? OUTGOING_ANY : OUTGOING_PUBLIC,
                           of->after, of->upto);
    c.before = last->batch != NULL && batch_is(last->batch, of->after, of->upto) ? last->batch : NULL;
    while (events_next(of->events, &row))
        collect(&c, &row);
    bool good = !db_failed(of->db) && write_held(&c);
    collecting_finish(&c);
    if (!good) {
        batch_unref(c.batch);
        return CONSUMER_AGAIN;
    }
    batch_unref(last->batch);
    last->batch = NULL;
    if (batch_is_empty(c.batch)) {
        batch_unref(c.batch);
        return c.concerns ? CONSUMER_DONE : CONSUMER_NOTHING;
    }
    last->batch = c.batch;
    batch_begin(c.batch, &of->ticket);
    return CONSUMER_PENDING;
}

/* --- Pushers --- */

static bool job_set(struct tx *tx, void *arg, struct error *e)
{
    const struct push_wish *wish = arg;
    struct pusher_row *row = wish->pusher, old;
    struct stmt *q = pushers_get(tx->db, row->user, row->app_id, row->pushkey);
    if (pushers_next(q, &old) && wish->toggles)
        row->device = old.device;
    stmt_end(q);
    row->set_ms = tx->now_ms;
    return (wish->other_accounts || pushers_remove_of_others(tx, row->user, row->app_id, row->pushkey)) &&
           pushers_put(tx, row) && bound_kept(tx->db, BOUND_PUSHERS, row->user, 0, e);
}

/* The pusher is there first: then whoever compares them with the destinations sees it. */
static bool follow(struct push_delivery *push, const char *gateway, struct error *e)
{
    pthread_mutex_lock(&push->following);
    bool followed = consumer_add(push->consumer, gateway, e);
    pthread_mutex_unlock(&push->following);
    return followed;
}

static bool check_http(const struct push_delivery *push, const struct push_wish *wish, char *gateway, struct error *e)
{
    if (!gateway_of_url(wish->url, gateway))
        return error_set_parameter(e, ERROR_INVALID_PARAM, "data",
                                   "data.url is the address of a push gateway: https://host" GATEWAY_PATH);
    if (strcmp(wish->pusher->app_id, PUSHER_EMAIL_APP) == 0)
        return error_set_parameter(e, ERROR_INVALID_PARAM, "app_id", PUSHER_EMAIL_APP " is for e-mail pushers alone.");
    return (push->consumer != NULL && gateway_leave(push->service.config, gateway) != GATEWAY_REFUSED) ||
           rule_refuse(e, RULE_A5_PUSH_GATEWAY);
}

/* The address is proven to be theirs, which is asked again at each mail. */
static bool job_set_mail(struct tx *tx, void *arg, struct error *e)
{
    const struct push_wish *wish = arg;
    bool theirs = contact_rows_owner(tx->db, "email", wish->pusher->pushkey) == wish->pusher->user;
    return theirs ? job_set(tx, arg, e)
                  : error_set_parameter(e, ERROR_INVALID_PARAM, "pushkey",
                                        "This is no address that you have confirmed here.");
}

bool push_delivery_set(struct push_delivery *push, const struct push_wish *wish, struct error *e)
{
    char gateway[GATEWAY_BYTES_MAX + 1] = "";
    wish->pusher->gateway = gateway;
    if (strcmp(wish->pusher->kind, PUSHER_HTTP) == 0)
        return check_http(push, wish, gateway, e) && writer_run(push->service.writer, job_set, (void *)wish, e) &&
               follow(push, gateway, e);
    if (push->digest == NULL || strcmp(wish->pusher->app_id, PUSHER_EMAIL_APP) != 0)
        return error_set_parameter(e, ERROR_INVALID_PARAM, push->digest == NULL ? "kind" : "app_id",
                                   push->digest == NULL ? "No mail is sent from here."
                                                        : "The app_id of an e-mail pusher is " PUSHER_EMAIL_APP ".");
    return writer_run(push->service.writer, job_set_mail, (void *)wish, e);
}

struct unsetting {
    user_no user;
    const char *app_id, *pushkey;
};

static bool job_unset(struct tx *tx, void *arg, struct error *e)
{
    const struct unsetting *u = arg;
    return pushers_remove(tx, u->user, u->app_id, u->pushkey);
}

bool push_delivery_unset(struct push_delivery *push, user_no user, const char *app_id, const char *pushkey,
                         struct error *e)
{
    return writer_run(push->service.writer, job_unset, &(struct unsetting){user, app_id, pushkey}, e);
}

/* --- Gateways that are followed --- */

struct names {
    char **all;
    size_t n;
};

static void names_add(struct names *names, const char *name)
{
    names->all = xrealloc(names->all, (names->n + 1) * sizeof *names->all);
    names->all[names->n++] = xstrdup(name);
}

static bool names_has(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->n; ++i)
        if (strcmp(names->all[i], name) == 0)
            return true;
    return false;
}

static void names_finish(struct names *names)
{
    for (size_t i = 0; i < names->n; ++i)
        free(names->all[i]);
    free(names->all);
}

static void compare(struct push_delivery *push, struct db *db)
{
    struct names wanted = {0}, followed = {0};
    struct consumer_row row;
    const char *name;
    struct error e;
    struct stmt *q = pushers_gateways(db);
    while ((name = pushers_next_gateway(q)) != NULL)
        names_add(&wanted, name);
    stmt_end(q);
    q = consumers_of(db, "push");
    while (consumers_next(q, &row))
        names_add(&followed, row.destination);
    stmt_end(q);
    for (size_t i = 0; !db_failed(db) && i < wanted.n; ++i)
        if (!names_has(&followed, wanted.all[i]))
            consumer_add(push->consumer, wanted.all[i], &e);
    for (size_t i = 0; !db_failed(db) && i < followed.n; ++i)
        if (!names_has(&wanted, followed.all[i]))
            consumer_remove(push->consumer, followed.all[i], &e);
    names_finish(&wanted);
    names_finish(&followed);
}

static void follow_pushers(struct push_delivery *push, struct db *db)
{
    pthread_mutex_lock(&push->following);
    compare(push, db);
    pthread_mutex_unlock(&push->following);
}

bool push_delivery_run(struct push_delivery *push)
{
    bool more = false;
    if (push->db == NULL)
        return false;
    if (clock_mono_ms() >= push->minute_ms) {
        if (push->consumer != NULL)
            follow_pushers(push, push->db);
        if (push->digest != NULL)
            digest_run(push->digest, push->db, push->service.wall_ms());
        push->minute_ms = clock_mono_ms() + MINUTE_MS;
    }
    if (push->consumer != NULL) {
        more = badges_tell(push->badges, &push->service, push->db);
        more |= held_deliver(&push->service, push->db, push->service.wall_ms());
    }
    db_settle(push->db);
    return more;
}

/* --- Life --- */

static bool consume(struct push_delivery *push, int64_t backoff_ms)
{
    push->consumer = consumer_start(&(struct consumer_settings){.name = "push",
                                                                .batch_max = PUSH_BATCH_EVENTS,
                                                                .backoff_ms = backoff_ms,
                                                                .handle = handle,
                                                                .self = push,
                                                                .writer = push->service.writer});
    if (push->consumer != NULL)
        follow_pushers(push, push->db);
    return push->consumer != NULL;
}

static bool begin(struct push_delivery *push, const struct push_delivery_settings *settings)
{
    bool gateways = gateways_any(settings->config);
    if (settings->send != NULL)
        push->digest = digest_create(&push->service, settings->send, settings->post);
    if (!gateways && push->digest == NULL)
        return true;
    push->db = writer_open_reader(push->service.writer);
    return push->db != NULL && (!gateways || consume(push, settings->backoff_ms));
}

struct push_delivery *push_delivery_start(const struct push_delivery_settings *settings)
{
    struct push_delivery *push = xcalloc(1, sizeof *push);
    push->service.config = settings->config;
    push->service.writer = settings->writer;
    push->service.outgoing = settings->outgoing;
    push->service.names = settings->names;
    push->service.unread = settings->unread;
    push->service.rules = rules_cache_create();
    push->service.late_ms = settings->late_ms != 0 ? settings->late_ms : PUSH_LATE_MS;
    push->service.wall_ms = settings->wall_ms != NULL ? settings->wall_ms : clock_wall_ms;
    push->badges = badges_create();
    pthread_mutex_init(&push->following, NULL);
    if (begin(push, settings))
        return push;
    push_delivery_destroy(push);
    return NULL;
}

void push_delivery_observe(void *self, const struct change *changes, size_t n)
{
    struct push_delivery *push = self;
    if (push->consumer == NULL)
        return;
    consumer_observe(push->consumer, changes, n);
    badges_observe(push->badges, changes, n);
}

void push_delivery_stop(struct push_delivery *push)
{
    if (push != NULL)
        consumer_stop(push->consumer);
}

void push_delivery_destroy(struct push_delivery *push)
{
    struct last *last, *next;
    if (push == NULL)
        return;
    consumer_destroy(push->consumer);
    HASH_ITER(hh, push->last, last, next) {
        HASH_DEL(push->last, last);
        batch_unref(last->batch);
        free(last->gateway);
        free(last);
    }
    badges_destroy(push->badges);
    digest_destroy(push->digest);
    db_close(push->db);
    rules_cache_destroy(push->service.rules);
    pthread_mutex_destroy(&push->following);
    free(push);
}

struct push_service *push_delivery_service(struct push_delivery *push)
{
    return &push->service;
}

/* --- Metrics --- */

static void count_samples(void *self, const struct metric *metric, struct text *out)
{
    static const char *const WHAT[PUSH_COUNT__COUNT] = {
        [PUSH_SENT] = "what=\"sent\"",         [PUSH_DROPPED] = "what=\"dropped\"", [PUSH_HELD] = "what=\"held\"",
        [PUSH_REJECTED] = "what=\"rejected\"", [PUSH_BADGES] = "what=\"badge\"",    [PUSH_MAILS] = "what=\"mail\"",
    };
    struct push_delivery *push = self;
    for (int i = 0; i < PUSH_COUNT__COUNT; ++i)
        metric_sample(out, metric->name, WHAT[i], push->service.counts[i]);
}

static int64_t failing(void *self)
{
    struct push_delivery *push = self;
    return push->consumer != NULL ? consumer_counts(push->consumer).failing : 0;
}

void push_delivery_metrics(struct push_delivery *push, struct metrics *metrics)
{
    static const struct metric METRICS[] = {
        {"parta_pushes_total", "Pushes, by what became of them.", METRIC_COUNTER, NULL, count_samples},
        {"parta_push_gateways_failing", "Push gateways that do not take what is for them.", METRIC_GAUGE, failing,
         NULL},
    };
    metrics_add(metrics, METRICS, sizeof METRICS / sizeof *METRICS, push);
}
