/* The required state of a room (MSC4186, "RequiredStateRequest", "Lazy loaded memberships", "Changes to
 * required_state"). */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/sync/lazy.h"
#include "homeserver/sync/sliding/room.h"
#include "homeserver/sync/sync_service.h"

struct listing {
    struct sliding_answer *a;
    struct sliding_room *room;
    uint64_t parts; /* of which: bits */
    struct state_keys listed;
};

static bool is_member(const struct event_row *row)
{
    return strcmp(row->type, "m.room.member") == 0;
}

static bool wants(const struct listing *l, const struct event_row *row)
{
    const struct sliding_request *ask = l->a->ask;
    for (size_t i = 0; i < ask->n_parts; ++i)
        if ((l->parts & UINT64_C(1) << i) != 0 &&
            sliding_part_wants(&ask->parts[i], row->type, row->state_key, l->a->request.user_id))
            return true;
    return false;
}

static void add(struct listing *l, const struct event_row *row)
{
    if (row->pos > l->room->data.upto || state_keys_have(&l->listed, row->type, row->state_key))
        return;
    event_rows_add(&l->room->data.state, event_hold(row));
    state_keys_add(&l->listed, row);
}

static bool is_now(const struct listing *l)
{
    return l->room->data.upto == l->a->gather.upto;
}

/* All of the state, or of a type, as of where the room is told up to. */
static void add_all(struct listing *l, const char *type)
{
    struct event_row row;
    const struct room_data *data = &l->room->data;
    room_no room = data->membership.room;
    struct db *db = l->a->gather.db;
    struct stmt *q = !is_now(l)     ? events_state_at(db, room, data->upto)
                     : type != NULL ? events_state_of_type(db, room, type)
                                    : events_state_now(db, room);
    while (events_next(q, &row))
        if ((type == NULL || strcmp(row.type, type) == 0) && wants(l, &row))
            add(l, &row);
    stmt_end(q);
}

/* All of the state but members. */
static void add_plain(struct listing *l)
{
    struct event_row row;
    struct stmt *q = events_shown_state_plain(l->a->gather.db, l->room->data.membership.room);
    while (events_next_shown(q, &row))
        if (wants(l, &row))
            add(l, &row);
    stmt_end(q);
}

static void add_one(struct listing *l, const char *type, const char *state_key)
{
    struct event_row row;
    const struct room_data *data = &l->room->data;
    const char *key = strcmp(state_key, SLIDING_ME) == 0 ? l->a->request.user_id : state_key;
    struct stmt *q = events_shown_state_get_at(l->a->gather.db, data->membership.room, type, key, data->upto);
    if (events_next_shown(q, &row) && wants(l, &row))
        add(l, &row);
    stmt_end(q);
}

#define NAMED_MAX 3 /* that are looked up one by one, rather than with all there is but members */

/* Of a room's state members are most: they are not read where a few are wanted. */
static void add_part(struct listing *l, const struct sliding_part *part)
{
    size_t named = 0;
    bool any = false, members = false;
    for (size_t i = 0; i < part->n_include; ++i) {
        const struct sliding_element *element = &part->of[i];
        bool of_member = element->type != NULL && strcmp(element->type, "m.room.member") == 0;
        any |= element->type == NULL;
        members |= element->state_key == NULL && (element->type == NULL || of_member) && !part->lazy;
        named += !of_member;
    }
    bool plain = is_now(l) && (any || named > NAMED_MAX);
    if (plain)
        add_plain(l);
    if (any && !plain)
        add_all(l, NULL);
    if (members)
        add_all(l, "m.room.member");
    for (size_t i = 0; i < part->n_include; ++i) {
        const struct sliding_element *element = &part->of[i];
        const char *type = element->type != NULL ? element->type : "m.room.member";
        bool read = strcmp(type, "m.room.member") == 0 ? members || element->state_key == NULL : plain || any;
        if (!read && element->state_key == NULL)
            add_all(l, type);
        else if (!read)
            add_one(l, type, element->state_key);
    }
}

/* Only one's own member events name somebody whose number is at hand; they are what comes most. */
static void note_member(struct listing *l, const struct event_row *row)
{
    struct sliding_answer *a = l->a;
    const char *sender = user_names_get(a->gather.sync->names, a->gather.db, row->sender);
    if (is_member(row) && sender != NULL && strcmp(sender, row->state_key) == 0)
        lazy_note(a->gather.sync->lazy, a->next->members, l->room->data.membership.room, row->sender, row->pos,
                  a->gather.upto);
}

/* Without a gap members who changed are told to whoever loads them lazily, too. */
static void add_changes(struct listing *l, uint64_t parts, bool members)
{
    struct event_row row;
    const struct room_data *data = &l->room->data;
    l->parts = parts;
    struct stmt *q = events_state_between(l->a->gather.db, data->membership.room, l->room->had, data->upto);
    while (events_next(q, &row))
        if (wants(l, &row) || (members && is_member(&row))) {
            add(l, &row);
            note_member(l, &row);
        }
    stmt_end(q);
}

/* A member whom the client has not met on this connection. What an answer told that may be lost is not counted on: the
 * connection is known to sync/lazy.h by another number then. */
static void add_speaker(struct listing *l, user_no user)
{
    struct event_row row;
    const struct room_data *data = &l->room->data;
    struct sliding_answer *a = l->a;
    struct lazy *lazy = a->gather.sync->lazy;
    room_no room = data->membership.room;
    const char *id = user_names_get(a->gather.sync->names, a->gather.db, user);
    if (id == NULL)
        return;
    struct stmt *q = events_shown_state_get_at(a->gather.db, room, "m.room.member", id, data->upto);
    if (events_next_shown(q, &row) && (l->room->initial || !lazy_knows(lazy, a->next->members, room, user, row.pos,
                                                                       data->membership.joined_pos, a->since))) {
        add(l, &row);
        lazy_note(lazy, a->next->members, room, user, row.pos, a->gather.upto);
    }
    stmt_end(q);
}

static void add_target(struct listing *l, const char *user_id)
{
    struct event_row row;
    const struct room_data *data = &l->room->data;
    struct stmt *q =
        events_shown_state_get_at(l->a->gather.db, data->membership.room, "m.room.member", user_id, data->upto);
    if (events_next_shown(q, &row))
        add(l, &row);
    stmt_end(q);
}

/* Who speaks in the timeline, and of whom its member events speak. */
static void add_members(struct listing *l)
{
    const struct event_rows *events = &l->room->data.timeline.events;
    for (size_t i = 0; i < events->n; ++i) {
        const struct event_row *row = events->rows[i];
        bool before = false;
        for (size_t k = 0; !before && k < i; ++k)
            before = events->rows[k]->sender == row->sender;
        if (!before)
            add_speaker(l, row->sender);
        if (row->state_key != NULL && is_member(row))
            add_target(l, row->state_key);
    }
}

void sliding_room_state_gather(struct sliding_answer *a, struct sliding_room *room)
{
    struct listing l = {.a = a, .room = room};
    const struct room_data *data = &room->data;
    uint64_t had = room->initial ? 0 : room->plan->parts & room->entry->parts;
    bool lazy = false;
    if (data->stranger)
        return;
    for (size_t i = 0; i < a->ask->n_parts; ++i)
        lazy |= (room->plan->parts & UINT64_C(1) << i) != 0 && a->ask->parts[i].lazy;
    l.parts = room->plan->parts & ~had;
    for (size_t i = 0; i < a->ask->n_parts; ++i)
        if ((l.parts & UINT64_C(1) << i) != 0)
            add_part(&l, &a->ask->parts[i]);
    if (!room->initial && (data->timeline.limited || data->timeline.has_state || room->expanded))
        add_changes(&l, had, lazy && !data->timeline.limited);
    if (lazy)
        add_members(&l);
    state_keys_finish(&l.listed);
}
