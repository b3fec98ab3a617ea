#include "homeserver/push/delivery/held.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/push/delivery/batch.h"
#include "homeserver/push/delivery/gateways.h"
#include "homeserver/push/delivery/notify.h"
#include "homeserver/push/delivery/service.h"
#include "homeserver/push/delivery/told.h"
#include "homeserver/push/room_facts.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/pushers.h"
#include "homeserver/store/matrix/rooms.h"

#define DUE_AT_ONCE 200
#define WAITING_MAX 400  /* transfers under way: what is due waits for them */
#define LOOK_BACK 100    /* events behind the one that waits, for one that still stands */
#define BADGES_MAX 20000 /* people who are remembered */
#define BADGES_AT_ONCE 100

bool held_job_put(struct tx *tx, void *arg, struct error *e)
{
    const struct held_rows *rows = arg;
    bool good = true;
    for (size_t i = 0; good && i < rows->n; ++i)
        good = held_pushes_put(tx, &rows->rows[i]);
    return good;
}

/* --- What is due --- */

/* A row at hand, on its way to the gateway and back: heap. */
struct due {
    struct push_service *service;
    struct held_push row;
    char gateway[GATEWAY_BYTES_MAX + 1];
    bool opened;
    struct told told;
    struct text body;     /* of the request; empty: there is none */
    int64_t postponed_ms; /* 0: the row goes */
    struct error e;
};

static void due_free(void *arg, bool ok)
{
    struct due *due = arg;
    if (due->opened)
        told_close(&due->told);
    text_finish(&due->body);
    free(due);
}

static bool job_after(struct tx *tx, void *arg, struct error *e)
{
    const struct due *due = arg;
    return due->postponed_ms == 0 ? held_pushes_remove(tx, &due->row)
                                  : held_pushes_postpone(tx, &due->row, due->postponed_ms);
}

static void on_done(void *arg, bool delivered, struct outgoing_reply *reply)
{
    struct due *due = arg;
    enum outgoing_verdict verdict = push_verdict(reply);
    if (verdict == OUTGOING_DONE)
        push_take_answer(due->service, &due->told, reply);
    else if (verdict == OUTGOING_GIVE_UP)
        ++due->service->counts[PUSH_DROPPED];
    due->postponed_ms = 0;
    if (verdict == OUTGOING_AGAIN) /* its time was set when it was handed over */
        due_free(due, true);
    else
        writer_submit(due->service->writer, job_after, due, &due->e, due_free, due);
}

/* The newest event, not after the one that waits, of which they would be told now; its text into ids. */
static bool find_standing(const struct due *due, struct db *db, const char *room_id, stream_pos joined_pos,
                          struct text *ids, struct push_result *result)
{
    struct push_room facts;
    struct event_row row;
    bool found = false;
    room_facts_load(&facts, db, due->service->names, due->row.room);
    struct stmt *q = events_backwards(db, due->row.room, joined_pos, due->row.pos, LOOK_BACK);
    while (!found && events_next(q, &row)) {
        found = told_wants(&due->told, db, &facts, room_id, &row, result);
        if (found)
            notify_event(ids, row.event_id, room_id);
    }
    stmt_end(q);
    room_facts_finish(&facts);
    return found;
}

/* What still stands of a row; *due_ms: 0, or when it is to be looked at again. */
static bool stands(struct due *due, struct db *db, int64_t now_ms, struct text *ids, struct push_result *result)
{
    struct membership_row membership;
    struct told *told = &due->told;
    if (due->row.first_ms < now_ms - HELD_DROP_MS ||
        gateway_leave(due->service->config, due->gateway) == GATEWAY_REFUSED)
        return false;
    told_open(told, due->service, db, due->row.user);
    due->opened = true;
    told->ring.content = false; /* one form for all their devices: ids */
    told_add_all(told, pushers_at(db, due->gateway, due->row.user));
    if (told->n_keys == 0 || !memberships_get(db, due->row.room, due->row.user, &membership))
        return false;
    if (!told->ring.rings) {
        due->postponed_ms = told->ring.due_ms;
        return false;
    }
    bool joined = membership.membership == MEMBERSHIP_JOIN;
    bool invited = membership.membership == MEMBERSHIP_INVITE && membership.pos == due->row.pos;
    char *room_id = rooms_id_of(db, due->row.room);
    bool good =
        room_id != NULL &&
        (invited || (joined && told_behind(told, due->service, db, due->row.room, room_id, membership.joined_pos)));
    good = good && find_standing(due, db, room_id, invited ? due->row.pos - 1 : membership.joined_pos, ids, result);
    free(room_id);
    return good;
}

/* Whether the row is to be handed over, as body. */
static bool prepare(struct due *due, struct db *db, int64_t now_ms)
{
    struct push_result result;
    struct text ids = TEXT_INIT;
    bool good = stands(due, db, now_ms, &ids, &result);
    if (good) {
        due->told.unread = told_count(&due->told, due->service, db).messages;
        notify_render(&due->body, &(struct notify){.event = ids.data,
                                                   .high = push_is_high(&result),
                                                   .unread = due->told.unread,
                                                   .devices = &due->told.plain});
        due->postponed_ms = now_ms + HELD_AGAIN_MS;
    }
    text_finish(&ids);
    return good;
}

struct round {
    struct due *all[DUE_AT_ONCE];
    size_t n;
};

static bool job_round(struct tx *tx, void *arg, struct error *e)
{
    const struct round *round = arg;
    bool good = true;
    for (size_t i = 0; good && i < round->n; ++i)
        good = job_after(tx, round->all[i], e);
    return good;
}

static void hand_over(struct due *due)
{
    enum outgoing_network network =
        gateway_leave(due->service->config, due->gateway) == GATEWAY_NAMED ? OUTGOING_ANY : OUTGOING_PUBLIC;
    if (due->body.len == 0 ||
        !push_send(due->service, due->gateway, network, &due->body, HELD_AGAIN_MS - MINUTE_MS, 0, on_done, due))
        due_free(due, true);
}

static void take_due(struct round *round, struct push_service *service, struct db *db, int64_t now_ms)
{
    struct held_push row;
    struct stmt *q = held_pushes_due(db, now_ms, DUE_AT_ONCE);
    while (round->n < DUE_AT_ONCE && held_pushes_next(q, &row)) {
        struct due *due = round->all[round->n++] = xcalloc(1, sizeof *due);
        due->service = service;
        due->row = row;
        snprintf(due->gateway, sizeof due->gateway, "%s", row.gateway);
        due->row.gateway = due->gateway;
    }
    stmt_end(q);
}

/* On disk first that they are not to be handed over once more for a while: then, handed over. */
bool held_deliver(struct push_service *service, struct db *db, int64_t now_ms)
{
    struct round round = {.n = 0};
    struct error e;
    if (outgoing_waiting(service->outgoing) > WAITING_MAX)
        return false;
    db_begin_read(db);
    take_due(&round, service, db, now_ms);
    for (size_t i = 0; i < round.n; ++i)
        prepare(round.all[i], db, now_ms);
    db_end_read(db);
    bool good = !db_failed(db) && round.n != 0 && writer_run(service->writer, job_round, &round, &e);
    db_settle(db);
    for (size_t i = 0; i < round.n; ++i)
        if (good)
            hand_over(round.all[i]);
        else
            due_free(round.all[i], false);
    return good && round.n == DUE_AT_ONCE;
}

/* --- Counts that fall --- */

struct reader {
    UT_hash_handle hh;
    user_no user;
};

struct badges {
    pthread_mutex_t lock;
    struct reader *readers;
};

struct badges *badges_create(void)
{
    struct badges *badges = xcalloc(1, sizeof *badges);
    pthread_mutex_init(&badges->lock, NULL);
    return badges;
}

void badges_destroy(struct badges *badges)
{
    struct reader *reader, *next;
    if (badges == NULL)
        return;
    HASH_ITER(hh, badges->readers, reader, next) {
        HASH_DEL(badges->readers, reader);
        free(reader);
    }
    pthread_mutex_destroy(&badges->lock);
    free(badges);
}

void badges_observe(void *self, const struct change *changes, size_t n)
{
    struct badges *badges = self;
    for (size_t i = 0; i < n; ++i) {
        struct reader *reader;
        if (changes[i].kind != CHANGE_RECEIPT)
            continue;
        pthread_mutex_lock(&badges->lock);
        HASH_FIND(hh, badges->readers, &changes[i].user, sizeof changes[i].user, reader);
        if (reader == NULL && HASH_COUNT(badges->readers) < BADGES_MAX) {
            reader = xcalloc(1, sizeof *reader);
            reader->user = changes[i].user;
            HASH_ADD(hh, badges->readers, user, sizeof reader->user, reader);
        }
        pthread_mutex_unlock(&badges->lock);
    }
}

static user_no take_reader(struct badges *badges, bool *more)
{
    pthread_mutex_lock(&badges->lock);
    struct reader *reader = badges->readers;
    user_no user = reader != NULL ? reader->user : 0;
    if (reader != NULL) {
        HASH_DEL(badges->readers, reader);
        free(reader);
    }
    *more = badges->readers != NULL;
    pthread_mutex_unlock(&badges->lock);
    return user;
}

static void on_badge(void *arg, bool delivered, struct outgoing_reply *reply)
{
    struct due *due = arg;
    if (push_verdict(reply) == OUTGOING_DONE) {
        ++due->service->counts[PUSH_BADGES];
        push_take_answer(due->service, &due->told, reply);
    }
    due_free(due, true);
}

/* One push to each gateway where they have devices. */
static void tell_count(struct push_service *service, struct db *db, const char *gateway, user_no user, int64_t unread)
{
    enum gateway_leave leave = gateway_leave(service->config, gateway);
    if (leave == GATEWAY_REFUSED)
        return;
    struct text body = TEXT_INIT;
    struct due *due = xcalloc(1, sizeof *due);
    due->service = service;
    due->opened = true;
    told_open(&due->told, service, db, user);
    due->told.ring.content = false;
    told_add_all(&due->told, pushers_at(db, gateway, user));
    notify_render(&body, &(struct notify){.unread = unread, .devices = &due->told.plain});
    if (due->told.n_keys == 0 || !push_send(service, gateway, leave == GATEWAY_NAMED ? OUTGOING_ANY : OUTGOING_PUBLIC,
                                            &body, MINUTE_MS, 1, on_badge, due))
        due_free(due, false);
    text_finish(&body);
}

static void tell_reader(struct push_service *service, struct db *db, user_no user)
{
    struct pusher_row row;
    char gateways[8][GATEWAY_BYTES_MAX + 1]; /* of at most so many; they come in order */
    size_t n = 0;
    struct stmt *q = pushers_http_of(db, user);
    while (n < 8 && pushers_next(q, &row))
        if (n == 0 || strcmp(gateways[n - 1], row.gateway) != 0)
            snprintf(gateways[n++], sizeof *gateways, "%s", row.gateway);
    stmt_end(q);
    if (n == 0)
        return;
    struct told told;
    told_open(&told, service, db, user);
    int64_t unread = told_count(&told, service, db).messages;
    told_close(&told);
    for (size_t i = 0; i < n; ++i)
        tell_count(service, db, gateways[i], user, unread);
}

bool badges_tell(struct badges *badges, struct push_service *service, struct db *db)
{
    bool more = true;
    for (int i = 0; more && i < BADGES_AT_ONCE; ++i) {
        user_no user = take_reader(badges, &more);
        if (user == 0)
            return false;
        db_begin_read(db);
        tell_reader(service, db, user);
        db_end_read(db);
    }
    return more;
}
