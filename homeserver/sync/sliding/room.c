#include "homeserver/sync/sliding/room.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/sync/sections/room_parts.h"
#include "policy/rules/event_types.h"

#define BUMP_LOOKED_AT 2000 /* events, for the last one that is more than somebody's coming or going */

/* The room's name or picture, if it may be another than the client has. */
static bool look(struct sliding_answer *a, const struct sliding_room *room, const char *type, const char *member,
                 char **value)
{
    struct event_row row;
    bool says = room->initial || room->data.timeline.name; /* a redaction may have taken it */
    struct stmt *q = events_shown_state_get_at(a->gather.db, room->data.membership.room, type, "", room->data.upto);
    if (events_next_shown(q, &row)) {
        says |= row.pos > room->had;
        json_t *content = says ? json_loads(row.content, 0, NULL) : NULL;
        const char *said = json_get_string(content, member);
        *value = said != NULL && *said != '\0' ? xstrdup(said) : NULL;
        json_decref(content);
    }
    stmt_end(q);
    return says && (!room->initial || *value != NULL);
}

static void look_at_looks(struct sliding_answer *a, struct sliding_room *room)
{
    const struct room_timeline *timeline = &room->data.timeline;
    if (!room->initial && !timeline->has_state && !timeline->limited && !timeline->name)
        return;
    room->says_name = look(a, room, "m.room.name", "name", &room->name);
    room->says_avatar = look(a, room, "m.room.avatar", "url", &room->avatar);
}

bool sliding_bumps(const char *type)
{
    static const char INVITE[] = ".invite";
    size_t n = strlen(type);
    switch (event_kind_of(type)) {
    case EVENT_CREATE:
    case EVENT_MESSAGE:
    case EVENT_ENCRYPTED:
    case EVENT_POLL_START:
    case EVENT_BEACON_INFO: return true;
    case EVENT_CALL: return n > strlen(INVITE) && strcmp(type + n - strlen(INVITE), INVITE) == 0;
    default: return false;
    }
}

/* When something was last said there. A time and no position, which would count what all schools do (A1); and none of
 * before one came. */
static int64_t bumped_at(struct sliding_answer *a, const struct room_data *room)
{
    const struct membership_row *m = &room->membership;
    struct event_row row;
    int64_t ms = 0;
    if (m->membership == MEMBERSHIP_JOIN) {
        struct stmt *q = events_shown_backwards(a->gather.db, m->room, m->joined_pos, room->upto, BUMP_LOOKED_AT);
        while (ms == 0 && events_next_shown(q, &row))
            ms = sliding_bumps(row.type) ? event_received_ms(&row) : 0;
        stmt_end(q);
    }
    if (ms != 0)
        return ms;
    struct event_row *own = event_at(a->gather.db, m->membership == MEMBERSHIP_JOIN ? m->joined_pos : m->pos);
    ms = own != NULL ? event_received_ms(own) : 0;
    free(own);
    return ms;
}

/* With no room for events in the answer there are none; that there would be is said. */
static void gather_timeline(struct sliding_answer *a, struct sliding_room *room)
{
    struct room_data *data = &room->data;
    stream_pos since = data->since;
    a->filter.timeline.limit = room->plan->limit != 0 ? room->plan->limit : 1;
    if (room->expanded)
        data->since = 0;
    room_timeline_gather(&a->gather, data);
    data->since = since;
    if (room->plan->limit == 0 && data->timeline.events.n != 0) {
        event_rows_finish(&data->timeline.events);
        data->timeline.limited = true;
        data->timeline.start = data->upto;
    }
    for (size_t i = 0; a->base != NULL && i < data->timeline.events.n; ++i)
        room->n_live += data->timeline.events.rows[i]->pos > a->since;
}

static bool gather_joined(struct sliding_answer *a, struct sliding_room *room)
{
    struct room_data *data = &room->data;
    data->fresh = data->whole = room->initial;
    data->since = room->had;
    room->expanded = !room->initial && room->plan->limit > room->entry->have;
    gather_timeline(a, room);
    room_summary_gather(&a->gather, data);
    sliding_room_state_gather(a, room);
    if (a->ask->form == SLIDING_UNSTABLE)
        room_unread_gather(&a->gather, data);
    look_at_looks(a, room);
    if (room->initial || a->direct_changed) {
        room->direct = sliding_is_direct(a, data->membership.room);
        room->says_direct = room->initial ? room->direct : room->direct != (room->entry->direct != 0);
    }
    return room->initial || room->expanded || data->timeline.events.n != 0 || data->timeline.limited ||
           data->state.n != 0 || data->has_summary || data->has_unread || room->says_name || room->says_avatar ||
           room->says_direct;
}

/* Of a room that is closed to whoever left it only their own leaving is told, and only to a client that knows it. */
static bool gather_left(struct sliding_answer *a, struct sliding_room *room)
{
    struct room_data *data = &room->data;
    if (room->initial && visibility_is_closed(room_visibility(&a->gather, data)))
        return false;
    room_left_gather(&a->gather, data);
    gather_timeline(a, room);
    sliding_room_state_gather(a, room);
    if (room->initial)
        look_at_looks(a, room);
    return true;
}

static bool gather_outside(struct sliding_answer *a, struct sliding_room *room)
{
    user_no inviter;
    if (!room_outside_shown(&a->gather, &room->data, &inviter))
        return false;
    room->outside = true;
    room_state_gather_stripped(&a->gather, &room->data, inviter);
    return true;
}

static bool is_member(const struct sliding_room *room, enum membership membership)
{
    return room->data.membership.membership == membership;
}

/* The room's id and the person's membership. */
static bool identify(struct sliding_answer *a, struct sliding_room *room)
{
    const struct gathered_room *gathered = room->plan->gathered;
    struct db *db = a->gather.db;
    if (gathered != NULL) {
        room->data.membership = gathered->membership;
        room->data.room_id = gathered->room_id;
        return true;
    }
    room->data.room_id = room->plan->room_id;
    if (room->data.room_id == NULL)
        room->data.room_id = room->room_id = rooms_id_of(db, room->entry->room);
    return memberships_get(db, room->entry->room, a->request.user, &room->data.membership) &&
           room->data.room_id != NULL;
}

bool sliding_room_gather(struct sliding_answer *a, size_t at, struct sliding_room *room)
{
    struct connection_room *entry = &a->next->rooms[at];
    *room = (struct sliding_room){.plan = &a->plans[at], .entry = entry};
    if (!identify(a, room))
        return false;
    room->data.upto = a->gather.upto;
    room->had = entry->sent == CONNECTION_UPTO ? a->since : entry->sent;
    bool joined = is_member(room, MEMBERSHIP_JOIN);
    bool outside = is_member(room, MEMBERSHIP_INVITE) || is_member(room, MEMBERSHIP_KNOCK);
    room->initial = room->had == 0 || outside || (joined && room->data.membership.joined_pos > room->had);
    if (room->initial)
        room->had = 0;
    a->request.since = room->data.since = room->had;
    bool told = joined ? gather_joined(a, room) : outside ? gather_outside(a, room) : gather_left(a, room);
    room->bump_ms = told ? bumped_at(a, &room->data) : 0;
    return told;
}

void sliding_room_sent(struct sliding_room *room)
{
    struct connection_room *entry = room->entry;
    const struct room_timeline *timeline = &room->data.timeline;
    size_t have = timeline->events.n;
    if (!timeline->limited)
        have = room->initial || room->expanded || entry->have == UINT16_MAX ? UINT16_MAX : have + entry->have;
    entry->have = (uint16_t)(have < UINT16_MAX ? have : UINT16_MAX);
    entry->parts = room->plan->parts;
    if (timeline->limited)
        entry->gap = room->data.upto;
    entry->hidden = false; /* what was sent counts from now on */
    if (room->initial || room->says_direct)
        entry->direct = room->direct;
}

void sliding_room_finish(struct sliding_room *room)
{
    room_data_finish(&room->data);
    free(room->room_id);
    free(room->name);
    free(room->avatar);
}
