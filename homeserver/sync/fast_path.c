#include "homeserver/sync/fast_path.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/clock.h"
#include "homeserver/push/rules/evaluate.h"
#include "homeserver/rooms/events/recent_events.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/lazy.h"
#include "homeserver/sync/receipts.h"
#include "homeserver/sync/recent_receipts.h"
#include "homeserver/sync/sync_service.h"
#include "homeserver/rooms/read/threads.h"
#include "homeserver/sync/typing.h"
#include "homeserver/sync/unread.h"
#include "homeserver/sync/v2.h"
#include "homeserver/sync/v2_ephemeral.h"
#include "homeserver/sync/v2_room.h"

/* A message, rendered but for its age. */
struct fast_event {
    struct recent_event *recent; /* what push borrows from */
    struct text before_age, after_age;
    struct push_event push;
    char *thread; /* the root's event id; NULL: main timeline */
};

/* What one room of the wake has for everybody in it. */
struct fast_room {
    bool plain; /* false: nobody gets it from here */
    char *head; /* "!room:server":{ */
    size_t n_events;
    struct fast_event *events;
    struct receipt_rows receipts; /* while preparing */
    bool typing;
    struct text ephemeral; /* `,"ephemeral":{…}`, or empty */
};

struct fragments {
    size_t n_rooms;
    struct fast_room rooms[]; /* beside the wake's */
};

static void event_finish(struct fast_event *event)
{
    push_event_finish(&event->push);
    text_finish(&event->before_age);
    text_finish(&event->after_age);
    free(event->thread);
    recent_item_unref(event->recent);
}

static void fragments_free(void *arg)
{
    struct fragments *fragments = arg;
    for (size_t i = 0; fragments != NULL && i < fragments->n_rooms; ++i) {
        struct fast_room *room = &fragments->rooms[i];
        for (size_t k = 0; k < room->n_events; ++k)
            event_finish(&room->events[k]);
        free(room->events);
        receipt_rows_finish(&room->receipts);
        free(room->head);
        text_finish(&room->ephemeral);
    }
    free(fragments);
}

/* While preparing, on the writer's thread. */
struct preparing {
    struct sync_service *sync;
    struct wake *wake;
    struct fragments *fragments;
};

/* NULL: the room's news go to a worker. */
static struct fast_room *room_of(struct preparing *d, room_no no, const struct room **room)
{
    for (size_t i = 0; i < d->wake->n_rooms; ++i)
        if (d->wake->rooms[i].room == no) {
            struct fast_room *out = &d->fragments->rooms[i];
            *room = out->plain ? rooms_peek(d->sync->rooms, no) : NULL;
            out->plain = *room != NULL;
            return out->plain ? out : NULL;
        }
    return NULL;
}

static void name_room(struct fast_room *room, const char *room_id)
{
    struct text head = TEXT_INIT;
    if (room->head != NULL)
        return;
    v2_open_room(&head, room_id);
    room->head = text_take(&head);
}

/* Whether the event answers to one that is in the same reply: that one then carries it as an aggregation. */
static bool relates_within(const struct fast_room *room, const char *content)
{
    char target[ID_BYTES_MAX + 1];
    if (!thread_target(content, target))
        return false;
    for (size_t i = 0; i < room->n_events; ++i)
        if (strcmp(room->events[i].recent->row.event_id, target) == 0)
            return true;
    return false;
}

static bool is_plain(const struct fast_room *room, const struct event_row *row)
{
    return row->state_key == NULL && strcmp(row->type, "m.room.redaction") != 0 && !thread_needs_look(row->content) &&
           !relates_within(room, row->content);
}

static void render_halves(struct preparing *d, struct fast_event *event)
{
    struct render how = {.names = d->sync->names, .bare = true};
    render_event_shared(&event->before_age, &event->after_age, &how, &event->recent->row);
}

static void prepare_push(struct preparing *d, struct fast_event *event, const struct room *room)
{
    const struct event_row *row = &event->recent->row;
    const char *sender = user_names_get(d->sync->names, NULL, row->sender);
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

static void prepare_event(struct preparing *d, const struct change *change)
{
    const struct room *in;
    struct fast_room *room = room_of(d, change->room, &in);
    if (room == NULL)
        return;
    struct recent_event *recent = recent_events_get(rooms_recent_events(d->sync->rooms), change->pos);
    if (recent == NULL || !is_plain(room, &recent->row)) {
        room->plain = false;
        recent_item_unref(recent);
        return;
    }
    room->events = xrealloc(room->events, (room->n_events + 1) * sizeof *room->events);
    struct fast_event *event = &room->events[room->n_events++];
    *event = (struct fast_event){.recent = recent};
    name_room(room, in->room_id);
    render_halves(d, event);
    prepare_push(d, event, in);
    if (event->push.slots[PUSH_MENTIONS_ROOM].kind == PUSH_TRUE) /* whether it counts depends on the sender's power */
        room->plain = false;
}

static void prepare_receipt(struct preparing *d, const struct change *change)
{
    const struct room *in;
    struct fast_room *room = change->private_ ? NULL : room_of(d, change->room, &in);
    if (room == NULL)
        return;
    struct recent_receipt *recent = recent_receipts_get(d->sync->recent_receipts, change->pos);
    if (recent == NULL) {
        room->plain = false;
        return;
    }
    receipt_rows_add(&room->receipts, &recent->row);
    recent_item_unref(recent);
    name_room(room, in->room_id);
}

static void prepare_typing(struct preparing *d, const struct change *change)
{
    const struct room *in;
    struct fast_room *room = room_of(d, change->room, &in);
    if (room == NULL)
        return;
    room->typing = true;
    name_room(room, in->room_id);
}

static void prepare_ephemeral(struct preparing *d, struct fast_room *room, room_no no)
{
    struct typists typists = {0};
    if (!room->plain)
        return;
    if (room->typing)
        typing_now(d->sync->typing, no, &typists);
    receipt_rows_settle(&room->receipts);
    v2_add_ephemeral(&room->ephemeral, d->sync->names, NULL, &typists, &room->receipts);
    typists_finish(&typists);
}

/* What of a room is spliced; a room where something else changed goes to a worker. */
static void (*const PREPARE[CHANGE__COUNT])(struct preparing *d, const struct change *change) = {
    [CHANGE_EVENT] = prepare_event,
    [CHANGE_RECEIPT] = prepare_receipt,
    [CHANGE_TYPING] = prepare_typing,
};
#define KINDS (1u << CHANGE_EVENT | 1u << CHANGE_RECEIPT | 1u << CHANGE_TYPING)

void fast_path_prepare(void *self, struct wake *wake, const struct change *changes, size_t n)
{
    struct preparing d = {self, wake, xcalloc(1, sizeof *d.fragments + wake->n_rooms * sizeof *d.fragments->rooms)};
    d.fragments->n_rooms = wake->n_rooms;
    for (size_t i = 0; i < wake->n_rooms; ++i)
        d.fragments->rooms[i].plain = (wake->rooms[i].kinds & ~KINDS) == 0;
    for (size_t i = 0; i < n; ++i)
        if ((KINDS & 1u << changes[i].kind) != 0)
            PREPARE[changes[i].kind](&d, &changes[i]);
    for (size_t i = 0; i < wake->n_rooms; ++i)
        prepare_ephemeral(&d, &d.fragments->rooms[i], wake->rooms[i].room);
    wake->fragments = d.fragments;
    wake->release_fragments = fragments_free;
}

/* While answering, on a loop. */
struct answering {
    struct sync_gather gather; /* without a database */
    const struct wake *wake;
    struct text *out;
};

static bool filter_is_plain(const struct filter *f)
{
    return f->format == FILTER_FORMAT_CLIENT && !f->fields.present && !f->rooms.present && !f->not_rooms.present &&
           f->timeline.all && f->state.all && f->ephemeral.all && !f->state.include_redundant_members;
}

/* Whether this user may get this room's fragments: nothing of it is their own. */
static bool suits(const struct answering *a, const struct fast_room *room)
{
    const struct sync_request *request = a->gather.request;
    if (!room->plain || room->n_events > (size_t)filter_timeline_limit(request->filter))
        return false;
    for (size_t i = 0; i < room->n_events; ++i)
        if (room->events[i].recent->row.sender == request->user)
            return false;
    return true;
}

static void add_event(struct answering *a, const struct fast_event *event)
{
    int64_t ts = event->recent->row.ts;
    text_add(a->out, event->before_age.data, event->before_age.len);
    text_add_int(a->out, a->gather.now_ms > ts ? a->gather.now_ms - ts : 0);
    text_adds(a->out, ",\"membership\":\"join\"");
    text_add(a->out, event->after_age.data, event->after_age.len);
}

static void add_timeline(struct answering *a, const struct fast_room *room)
{
    v2_open_state(a->out, a->gather.request->use_state_after);
    v2_open_timeline(a->out);
    for (size_t i = 0; i < room->n_events; ++i) {
        if (i != 0)
            text_addc(a->out, ',');
        add_event(a, &room->events[i]);
    }
    v2_close_timeline(a->out, false, a->gather.request->since);
}

/* With lazy loading: whether the device has met who speaks. */
static bool knows(const struct answering *a, room_no room, user_no sender, stream_pos joined_pos)
{
    const struct sync_request *request = a->gather.request;
    return !request->filter->state.lazy_load_members ||
           lazy_knows(a->gather.sync->lazy, request->device, room, sender, 0, joined_pos, request->since);
}

static bool add_unread(struct answering *a, const struct fast_room *room, const struct wake_room *in)
{
    struct unread_tally tally = {0};
    const struct sync_request *request = a->gather.request;
    struct sync_service *sync = a->gather.sync;
    stream_pos joined_pos, before = in->before_event, own = hub_last_own_data(sync->hub, request->user);
    for (size_t i = 0; i < room->n_events; ++i) {
        const struct fast_event *event = &room->events[i];
        struct unread_news news = {&event->push, event->thread, event->recent->row.pos, before};
        unread_tally_finish(&tally);
        if (!unread_advance(sync->unread, request->user, request->user_id, in->room, own, &news, &tally, &joined_pos))
            return false;
        if (!knows(a, in->room, event->recent->row.sender, joined_pos)) {
            unread_tally_finish(&tally);
            return false;
        }
        before = event->recent->row.pos;
    }
    v2_add_unread(a->out, &tally, request->filter->timeline.unread_thread_notifications);
    unread_tally_finish(&tally);
    return true;
}

static bool add_room(struct answering *a, int index)
{
    const struct wake_room *in = &a->wake->rooms[index];
    const struct fast_room *room = &((struct fragments *)a->wake->fragments)->rooms[index];
    if (!suits(a, room))
        return false;
    text_adds(a->out, room->head);
    add_timeline(a, room);
    text_add(a->out, room->ephemeral.data, room->ephemeral.len);
    if (room->n_events != 0 && !add_unread(a, room, in))
        return false;
    text_addc(a->out, '}');
    return true;
}

static bool add_rooms(struct answering *a, size_t first, size_t last)
{
    text_adds(a->out, ",\"rooms\":{\"join\":{");
    for (size_t i = first; i < last; ++i) {
        if (i != first)
            text_addc(a->out, ',');
        if (a->wake->items[i].room < 0 || !add_room(a, a->wake->items[i].room))
            return false;
    }
    text_adds(a->out, "}}}");
    return true;
}

bool fast_path_answer(struct sync_service *sync, const struct wake *wake, const struct sync_request *request,
                      struct text *out)
{
    struct answering a = {
        .gather = {.sync = sync, .request = request, .upto = wake->pos, .now_ms = clock_wall_ms()},
        .wake = wake,
        .out = out,
    };
    ptrdiff_t at = wake_find(wake, request->user);
    if (wake->fragments == NULL || at < 0 || wake->before[at] > request->since || wake->pos <= request->since ||
        request->since == 0 || request->full_state || !filter_is_plain(request->filter) ||
        wake->items[wake->first[at]].room < 0)
        return false;
    v2_open_answer(out, &a.gather);
    if (add_rooms(&a, wake->first[at], wake->first[at + 1]))
        return true;
    text_clear(out);
    return false;
}

void fast_path_start(struct sync_service *sync)
{
    hub_prepare(sync->hub, fast_path_prepare, sync);
}
