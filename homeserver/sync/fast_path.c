#include "homeserver/sync/fast_path.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/clock.h"
#include "homeserver/push/rules/evaluate.h"
#include "homeserver/rooms/events/recent_events.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/sync/device_memory.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/lazy.h"
#include "homeserver/sync/receipts.h"
#include "homeserver/sync/recent_receipts.h"
#include "homeserver/sync/recent_wakes.h"
#include "homeserver/sync/sync_service.h"
#include "homeserver/rooms/threads.h"
#include "homeserver/sync/typing.h"
#include "homeserver/sync/unread.h"
#include "homeserver/sync/v2.h"
#include "homeserver/sync/v2_ephemeral.h"
#include "homeserver/sync/v2_room.h"

/* Of an answer, about, beside what the room has prepared: numbers, and what stands around the rooms and in each. */
#define AGE_BYTES 24
#define ROOM_BYTES 224
#define ANSWER_BYTES 192

/* A message, rendered but for its age. */
struct fast_event {
    struct recent_event *recent; /* what push borrows from */
    struct text before_age, after_age;
    struct push_event push;
    unread_answer answer;
    char *thread; /* the root's event id; NULL: main timeline */
    char *target; /* the event id that it relates to; NULL: none */
};

/* What one room of the wake has for everybody in it. */
struct fast_room {
    bool plain;          /* false: nobody gets it from here */
    struct text head;    /* "!room:server":{ */
    struct text opening; /* the same, with an empty state and what is before the timeline's first event */
    size_t n_events;
    struct fast_event *events;
    bool typing;                  /* while preparing */
    struct receipt_rows receipts; /* while preparing */
    struct text ephemeral;        /* `,"ephemeral":{…}`, or empty */
    size_t bytes;                 /* that an answer takes for it, about */
};

struct fragments {
    struct member_set *custody; /* who may not see everybody's signs of life; NULL: nobody, or there are none */
    size_t n_rooms;
    struct fast_room rooms[]; /* beside the wake's */
};

static void fragments_free(void *arg)
{
    struct fragments *fragments = arg;
    for (size_t i = 0; fragments != NULL && i < fragments->n_rooms; ++i) {
        struct fast_room *room = &fragments->rooms[i];
        for (size_t k = 0; k < room->n_events; ++k) {
            struct fast_event *event = &room->events[k];
            push_event_finish(&event->push);
            text_finish(&event->before_age);
            text_finish(&event->after_age);
            free(event->thread);
            free(event->target);
            recent_item_unref(event->recent);
        }
        free(room->events);
        receipt_rows_finish(&room->receipts);
        text_finish(&room->head);
        text_finish(&room->opening);
        text_finish(&room->ephemeral);
    }
    if (fragments != NULL)
        member_set_unref(fragments->custody);
    free(fragments);
}

/* Preparing, on the writer's thread: every delivery waits for it, and the writer too, so it asks memory alone. What is
 * not in memory (any more) makes a room go to a worker. */
struct prepare {
    struct sync_service *sync;
    struct wake *wake;
    struct fragments *fragments;
};

static void open_room(struct fast_room *out, const char *room_id)
{
    static const struct sync_request AS_MOST_ASK;
    v2_open_room(&out->head, room_id);
    text_add(&out->opening, out->head.data, out->head.len);
    v2_open_state(&out->opening, &AS_MOST_ASK);
    v2_open_timeline(&out->opening);
}

/* NULL: the room's news go to a worker. */
static struct fast_room *room_of(struct prepare *p, room_no no, const struct room **room)
{
    for (size_t i = 0; i < p->wake->n_rooms; ++i) {
        struct fast_room *out = &p->fragments->rooms[i];
        if (p->wake->rooms[i].room != no)
            continue;
        *room = out->plain ? rooms_peek(p->sync->rooms, no) : NULL;
        out->plain = *room != NULL;
        if (out->plain && out->head.len == 0)
            open_room(out, (*room)->room_id);
        return out->plain ? out : NULL;
    }
    return NULL;
}

/* Whether an event answers to one that is in the same reply: that one then carries it as an aggregation. target NULL:
 * it answers to none. */
static bool relates_within(const struct fast_room *room, const char *target)
{
    for (size_t i = 0; target != NULL && i < room->n_events; ++i)
        if (strcmp(room->events[i].recent->row.event_id, target) == 0)
            return true;
    return false;
}

/* Whether the row alone is what everybody gets. A state event needs the one it replaces, a redaction changes counts of
 * the past, and in which thread a reaction or an edit is only the event that it is about can tell. */
static bool is_plain(const struct event_row *row)
{
    return row->state_key == NULL && strcmp(row->type, "m.room.redaction") != 0 && !thread_needs_look(row->content);
}

/* The event as push rules see it: once for all, they ask it about each reader. */
static void prepare_push(struct prepare *p, struct fast_event *event, const struct room *room)
{
    const struct event_row *row = &event->recent->row;
    const char *sender = user_names_get(p->sync->names, NULL, row->sender);
    char root[ID_BYTES_MAX + 1];
    push_event_init(&event->push, &(struct push_facts){
                                      .type = row->type,
                                      .sender = sender != NULL ? sender : "",
                                      .room_id = room->room_id,
                                      .event_id = row->event_id,
                                      .content = row->content,
                                      .members = (int64_t)room->joined->n,
                                  });
    if (thread_root(NULL, row->content, root))
        event->thread = xstrdup(root);
}

static void prepare_event(struct prepare *p, const struct change *change)
{
    const struct room *in;
    struct render how = {.names = p->sync->names, .bare = true};
    struct fast_room *room = room_of(p, change->room, &in);
    if (room == NULL)
        return;
    char target[ID_BYTES_MAX + 1];
    struct recent_event *recent = recent_events_get(rooms_recent_events(p->sync->rooms), change->pos);
    bool relates = recent != NULL && thread_target(recent->row.content, target);
    if (recent == NULL || !is_plain(&recent->row) || (relates && relates_within(room, target))) {
        room->plain = false;
        recent_item_unref(recent);
        return;
    }
    room->events = xrealloc(room->events, (room->n_events + 1) * sizeof *room->events);
    struct fast_event *event = &room->events[room->n_events++];
    *event = (struct fast_event){.recent = recent, .target = relates ? xstrdup(target) : NULL};
    /* Whoever gets it from here is joined. */
    text_adds(&event->after_age, ",\"membership\":\"join\"");
    render_event_shared(&event->before_age, &event->after_age, &how, &recent->row);
    prepare_push(p, event, in);
    if (event->push.slots[PUSH_MENTIONS_ROOM].kind == PUSH_TRUE) /* whether it counts depends on the sender's power */
        room->plain = false;
    room->bytes += event->before_age.len + event->after_age.len + AGE_BYTES;
}

/* A private one is its reader's own news, which a worker tells. */
static void prepare_receipt(struct prepare *p, const struct change *change)
{
    const struct room *in;
    struct fast_room *room = change->private_ ? NULL : room_of(p, change->room, &in);
    if (room == NULL)
        return;
    struct recent_receipt *recent = recent_receipts_get(p->sync->recent_receipts, change->pos);
    room->plain = recent != NULL;
    if (recent != NULL)
        receipt_rows_add(&room->receipts, &recent->row);
    recent_item_unref(recent);
}

static void prepare_typing(struct prepare *p, const struct change *change)
{
    const struct room *in;
    struct fast_room *room = room_of(p, change->room, &in);
    if (room != NULL)
        room->typing = true;
}

/* What of a room is spliced; a room where something else changed goes to a worker. */
static void (*const PREPARE[CHANGE__COUNT])(struct prepare *p, const struct change *change) = {
    [CHANGE_EVENT] = prepare_event,
    [CHANGE_RECEIPT] = prepare_receipt,
    [CHANGE_TYPING] = prepare_typing,
};
#define KINDS (1u << CHANGE_EVENT | 1u << CHANGE_RECEIPT | 1u << CHANGE_TYPING)

/* Ephemeral events are one list a room, however many changes there were. */
static void finish_room(struct prepare *p, struct fast_room *room, room_no no)
{
    struct typists typists = {0};
    if (!room->plain)
        return;
    if (room->typing)
        typing_now(p->sync->typing, no, &typists);
    receipt_rows_settle(&room->receipts);
    v2_add_ephemeral(&room->ephemeral, p->sync->names, NULL, &typists, &room->receipts);
    if (room->ephemeral.len != 0 && p->fragments->custody == NULL)
        p->fragments->custody = gate_under_custody(p->sync->rooms);
    room->bytes += room->head.len + room->ephemeral.len + ROOM_BYTES;
    typists_finish(&typists);
}

void fast_path_prepare(void *self, struct wake *wake, const struct change *changes, size_t n)
{
    struct prepare p = {self, wake, xcalloc(1, sizeof *p.fragments + wake->n_rooms * sizeof *p.fragments->rooms)};
    p.fragments->n_rooms = wake->n_rooms;
    for (size_t i = 0; i < wake->n_rooms; ++i)
        p.fragments->rooms[i].plain = (wake->rooms[i].kinds & ~KINDS) == 0;
    for (size_t i = 0; i < n; ++i)
        if ((KINDS & 1u << changes[i].kind) != 0)
            PREPARE[changes[i].kind](&p, &changes[i]);
    for (size_t i = 0; i < wake->n_rooms; ++i)
        finish_room(&p, &p.fragments->rooms[i], wake->rooms[i].room);
    for (size_t i = 0; i < wake->n_rooms; ++i)
        wake->bytes += p.fragments->rooms[i].bytes;
    wake->fragments = p.fragments;
    wake->release_fragments = fragments_free;
}

/* Answering, on a loop: an answer of the same data as a worker's, but that there is no database. */
struct answering {
    struct sync_gather gather;
    struct wake *const *wakes; /* that are told in one answer, in order */
    size_t n_wakes;
    struct text *out;
    device_no device;         /* whose transactions are told */
    stream_pos members_since; /* what was told of members before counts for nothing */
};

/* What one wake has of a room. */
struct part {
    const struct fragments *fragments;
    const struct wake_room *in;
    struct fast_room *room;
};

/* A room in the answer: what all wakes have of it, in order. */
struct parts {
    size_t n;
    struct part parts[RECENT_WAKES_MAX];
};

static struct part part_of(const struct wake *wake, int index)
{
    struct fragments *fragments = wake->fragments;
    return (struct part){fragments, &wake->rooms[index], &fragments->rooms[index]};
}

/* Fragments are what somebody gets who filters nothing away. */
static bool filter_is_plain(const struct filter *f)
{
    return f->format == FILTER_FORMAT_CLIENT && !f->fields.present && !f->rooms.present && !f->not_rooms.present &&
           f->timeline.all && f->state.all && f->ephemeral.all && !f->state.include_redundant_members;
}

/* An event that answers to one of an earlier wake, which then carries it as an aggregation. */
static bool relates_back(const struct parts *parts)
{
    for (size_t i = 1; i < parts->n; ++i)
        for (size_t k = 0; k < parts->parts[i].room->n_events; ++k)
            for (size_t before = 0; before < i; ++before)
                if (relates_within(parts->parts[before].room, parts->parts[i].room->events[k].target))
                    return true;
    return false;
}

/* Whether this user may get the room's fragments: nothing of them is kept from them, and together they are what a
 * worker would say. Signs of life are a list each, made at another time. */
static bool suits(const struct answering *a, const struct parts *parts)
{
    const struct sync_request *request = a->gather.request;
    size_t n_events = 0, n_ephemeral = 0;
    for (size_t i = 0; i < parts->n; ++i) {
        const struct part *part = &parts->parts[i];
        bool ephemeral = part->room->ephemeral.len != 0;
        if (!part->room->plain || (ephemeral && member_set_has(part->fragments->custody, request->user)))
            return false;
        n_events += part->room->n_events;
        n_ephemeral += ephemeral;
    }
    return n_events <= (size_t)filter_timeline_limit(request->filter) && n_ephemeral <= 1 && !relates_back(parts);
}

static void add_event(struct answering *a, const struct fast_event *event)
{
    const struct recent_event *recent = event->recent;
    int64_t age_ms = a->gather.now_ms - recent->row.ts;
    text_add(a->out, event->before_age.data, event->before_age.len);
    text_add_int(a->out, age_ms > 0 ? age_ms : 0);
    text_add(a->out, event->after_age.data, event->after_age.len);
    if (recent->txn_id != NULL && recent->row.sender == a->gather.request->user && recent->device == a->device)
        render_transaction(a->out, recent->txn_id);
    text_put(a->out, "}}");
}

static void add_events(struct answering *a, const struct parts *parts)
{
    bool any = false;
    for (size_t i = 0; i < parts->n; ++i)
        for (size_t k = 0; k < parts->parts[i].room->n_events; ++k) {
            if (any)
                text_addc(a->out, ',');
            add_event(a, &parts->parts[i].room->events[k]);
            any = true;
        }
}

static void add_timeline(struct answering *a, const struct parts *parts)
{
    const struct fast_room *room = parts->parts[0].room;
    if (a->gather.request->use_state_after) {
        text_add(a->out, room->head.data, room->head.len);
        v2_open_state(a->out, a->gather.request);
        v2_open_timeline(a->out);
    } else {
        text_add(a->out, room->opening.data, room->opening.len);
    }
    add_events(a, parts);
    v2_close_timeline(a->out, &a->gather, false, a->gather.request->since);
}

/* With lazy loading: whether the device has met who speaks. Which member event it was does not matter: a newer one
 * would have been state in a group before this one, and told. */
static bool knows(const struct answering *a, room_no room, user_no sender, stream_pos joined_pos)
{
    const struct sync_request *request = a->gather.request;
    return !request->filter->state.lazy_load_members ||
           lazy_knows(a->gather.sync->lazy, request->device, room, sender, 0,
                      joined_pos > a->members_since ? joined_pos : a->members_since, request->since);
}

/* The counts after the last of the events; each is counted on from the one before it, so that a count that has missed
 * one (this room was not answered from here, or its reader was not polling) is noticed. */
static bool count_part(struct answering *a, const struct part *part, struct unread_tally *tally)
{
    const struct sync_request *request = a->gather.request;
    struct sync_service *sync = a->gather.sync;
    stream_pos joined_pos, before = part->in->before_event, own = hub_last_own_data(sync->hub, request->user);
    bool ok = true;
    for (size_t i = 0; ok && i < part->room->n_events; ++i) {
        struct fast_event *event = &part->room->events[i];
        const struct event_row *row = &event->recent->row;
        struct unread_news news = {&event->push, &event->answer, event->thread,
                                   row->pos,     before,         row->sender == request->user};
        unread_tally_finish(tally);
        ok = unread_advance(sync->unread, request->user, request->user_id, part->in->room, own, &news, tally,
                            &joined_pos) &&
             knows(a, part->in->room, row->sender, joined_pos);
        before = row->pos;
    }
    return ok;
}

/* *told: there is something to say. */
static bool count_unread(struct answering *a, const struct parts *parts, struct unread_tally *tally, bool *told)
{
    bool ok = true;
    *told = false;
    for (size_t i = 0; ok && i < parts->n; ++i) {
        ok = count_part(a, &parts->parts[i], tally);
        *told |= parts->parts[i].room->n_events != 0;
    }
    return ok;
}

static bool add_unread(struct answering *a, const struct parts *parts)
{
    bool told;
    struct unread_tally tally = {0};
    bool ok = count_unread(a, parts, &tally, &told);
    if (ok && told)
        v2_add_unread(a->out, &tally, a->gather.request->filter->timeline.unread_thread_notifications);
    unread_tally_finish(&tally);
    return ok;
}

static bool add_room(struct answering *a, const struct parts *parts)
{
    size_t bytes = 0;
    if (!suits(a, parts))
        return false;
    for (size_t i = 0; i < parts->n; ++i)
        bytes += parts->parts[i].room->bytes;
    text_reserve(a->out, bytes); /* else it would be made larger again and again, and copied */
    add_timeline(a, parts);
    for (size_t i = 0; i < parts->n; ++i)
        text_add(a->out, parts->parts[i].room->ephemeral.data, parts->parts[i].room->ephemeral.len);
    if (!add_unread(a, parts))
        return false;
    text_addc(a->out, '}');
    return true;
}

/* The wake's item of that user and room; −1: there is none. */
static ptrdiff_t item_of(const struct wake *wake, user_no user, room_no room)
{
    ptrdiff_t at = wake_find(wake, user);
    for (size_t i = at >= 0 ? wake->first[at] : 0; at >= 0 && i < wake->first[at + 1]; ++i)
        if (wake->items[i].room >= 0 && wake->rooms[wake->items[i].room].room == room)
            return (ptrdiff_t)i;
    return -1;
}

/* false: an earlier wake had that room, with which it was told. */
static bool take_parts(const struct answering *a, size_t from, room_no room, struct parts *parts)
{
    user_no user = a->gather.request->user;
    parts->n = 0;
    for (size_t i = 0; i < from; ++i)
        if (item_of(a->wakes[i], user, room) >= 0)
            return false;
    for (size_t i = from; i < a->n_wakes; ++i) {
        ptrdiff_t item = item_of(a->wakes[i], user, room);
        if (item >= 0)
            parts->parts[parts->n++] = part_of(a->wakes[i], a->wakes[i]->items[item].room);
    }
    return parts->n != 0; /* that of from is one */
}

/* All of the user's rooms of that wake that no earlier one had, with what later ones have of them. */
static bool add_rooms_of(struct answering *a, size_t from, bool *any)
{
    const struct wake *wake = a->wakes[from];
    ptrdiff_t at = wake_find(wake, a->gather.request->user);
    for (size_t i = wake->first[at]; i < wake->first[at + 1]; ++i) {
        struct parts parts;
        if (wake->items[i].room < 0)
            return false;
        if (!take_parts(a, from, wake->rooms[wake->items[i].room].room, &parts))
            continue;
        if (*any)
            text_addc(a->out, ',');
        if (!add_room(a, &parts))
            return false;
        *any = true;
    }
    return true;
}

/* All of the user's rooms, or nothing. */
static bool add_rooms(struct answering *a)
{
    bool any = false;
    text_reserve(a->out, ANSWER_BYTES);
    v2_open_answer(a->out, &a->gather);
    text_adds(a->out, ",\"rooms\":{\"join\":{");
    for (size_t i = 0; i < a->n_wakes; ++i)
        if (!add_rooms_of(a, i, &any))
            return false;
    text_adds(a->out, "}}}");
    return true;
}

/* The poll must have been up to date when each group came (before[at] ≤ since, and then ≤ the wake before), or the
 * answer would leave out what came in between; and before all of it, or it has some already: between the commit and the
 * hub's hearing of it a worker tells the group's events, up to the last of them (gather.c), and what
 * is behind that waits. */
static bool goes_on(const struct sync_request *request, struct wake *const *wakes, size_t n)
{
    stream_pos pos = request->since;
    for (size_t i = 0; i < n; ++i) {
        ptrdiff_t at = wake_find(wakes[i], request->user);
        if (wakes[i]->fragments == NULL || wakes[i]->ended || at < 0 || wakes[i]->before[at] > pos ||
            wakes[i]->first_pos <= pos)
            return false;
        pos = wakes[i]->pos;
    }
    return n != 0 && n <= RECENT_WAKES_MAX && request->since != 0;
}

bool fast_path_answer(struct sync_service *sync, struct wake *const *wakes, size_t n,
                      const struct sync_request *request, struct text *out)
{
    if (!goes_on(request, wakes, n) || request->full_state || !device_memory_knows(sync->devices, request->device) ||
        !filter_is_plain(request->filter))
        return false;
    struct answering a = {
        .gather = {.sync = sync, .request = request, .upto = wakes[n - 1]->pos, .now_ms = clock_wall_ms()},
        .wakes = wakes,
        .n_wakes = n,
        .out = out,
        .device = request->device,
    };
    if (add_rooms(&a))
        return true;
    text_clear(out);
    return false;
}

static void tell(const struct parts *parts, const struct unread_tally *tally, struct fast_told *told)
{
    const struct fast_room *room = parts->parts[0].room;
    const struct event_row *last = &room->events[room->n_events - 1].recent->row;
    *told = (struct fast_told){.head = room->head.data,
                               .head_len = room->head.len,
                               .n_events = room->n_events,
                               .type = last->type,
                               .came_ms = event_received_ms(last),
                               .pos = last->pos,
                               .sum = tally->main};
    for (size_t i = 0; i < tally->n; ++i) {
        told->sum.notify += tally->threads[i].counts.notify;
        told->sum.highlight += tally->threads[i].counts.highlight;
    }
}

bool fast_path_room(struct sync_service *sync, const struct wake *wake, int index, const struct sync_request *request,
                    device_no device, stream_pos members_since, struct text *out, struct fast_told *told)
{
    struct answering a = {.gather = {.sync = sync, .request = request, .now_ms = clock_wall_ms()},
                          .out = out,
                          .device = device,
                          .members_since = members_since};
    struct unread_tally tally = {0};
    if (wake->fragments == NULL || wake->ended || index < 0)
        return false;
    struct parts parts = {.n = 1};
    parts.parts[0] = part_of(wake, index);
    const struct fast_room *room = parts.parts[0].room;
    if (room->n_events == 0 || room->ephemeral.len != 0 || !suits(&a, &parts))
        return false;
    bool ok = count_part(&a, &parts.parts[0], &tally);
    if (ok) {
        tell(&parts, &tally, told);
        add_events(&a, &parts);
    }
    unread_tally_finish(&tally);
    return ok;
}

void fast_path_start(struct sync_service *sync)
{
    hub_prepare(sync->hub, fast_path_prepare, sync);
}
