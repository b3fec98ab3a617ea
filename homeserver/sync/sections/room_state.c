/* A room's state beside its timeline: at the timeline's start ("state"), or with use_state_after at its end
 * ("state_after"); with lazy loading only those members that the answer needs. And stripped state. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/sync/lazy.h"
#include "homeserver/sync/sections/room_parts.h"
#include "homeserver/sync/sync_service.h"

/* Putting one list of state together. */
struct listing {
    struct sync_gather *g;
    struct room_data *room;
    stream_pos at; /* the state as of here */
};

static bool is_lazy(const struct sync_gather *g)
{
    return g->request->filter->state.lazy_load_members;
}

static void add_row(struct listing *l, const struct event_row *row)
{
    if (room_event_wanted(l->g, l->room, &l->g->request->filter->state, row))
        event_rows_add(&l->room->state, event_hold(row));
}

/* The row as it was at `at`: goes back along what it replaces. NULL: there was none. Heap. */
static struct event_row *row_at(struct db *db, const struct event_row *row, stream_pos at)
{
    stream_pos pos = row->replaces;
    struct event_row *held = NULL;
    while (pos != 0) {
        free(held);
        held = event_at(db, pos);
        if (held == NULL || held->pos <= at)
            return held;
        pos = held->replaces;
    }
    free(held);
    return NULL;
}

static bool is_listed(const struct listing *l, const char *type, const char *state_key)
{
    return state_keys_have(&l->room->listed, type, state_key);
}

/* The whole state at a position, from the current one backwards: hardly any of it has changed since. */
static void add_whole(struct listing *l)
{
    struct event_row row;
    struct db *db = l->g->db;
    room_no room = l->room->membership.room;
    struct stmt *q = is_lazy(l->g) ? events_shown_state_plain(db, room) : events_shown_state_now(db, room);
    while (events_next_shown(q, &row)) {
        if (is_listed(l, row.type, row.state_key))
            continue;
        struct event_row *before = row.pos > l->at ? row_at(db, &row, l->at) : NULL;
        if (row.pos <= l->at)
            add_row(l, &row);
        else if (before != NULL)
            add_row(l, before);
        free(before);
    }
    stmt_end(q);
}

/* State behind the start that the timeline does not tell (its filter, an ignored or unseen one): the newest of each. */
static void add_left_out(struct listing *l)
{
    struct event_row row;
    const struct room_timeline *timeline = &l->room->timeline;
    if (!timeline->state_left_out)
        return;
    struct stmt *q = events_state_between(l->g->db, l->room->membership.room, timeline->start, l->room->upto);
    while (events_next(q, &row)) {
        if (event_rows_have(&timeline->events, row.pos))
            continue;
        add_row(l, &row);
        state_keys_add(&l->room->listed, &row);
    }
    stmt_end(q);
}

/* State that changed in (since, at]. */
static void add_changes(struct listing *l)
{
    struct event_row row;
    struct stmt *q = events_state_between(l->g->db, l->room->membership.room, l->room->since, l->at);
    while (events_next(q, &row)) {
        if (!is_listed(l, row.type, row.state_key))
            add_row(l, &row);
    }
    stmt_end(q);
}

/* How old the member events may be that a client holds of the room, from earlier answers: as of the last one, or as of
 * when they had left it then. INT64_MAX: it has none. */
static stream_pos members_known_at(const struct listing *l)
{
    stream_pos since = l->g->request->since;
    if (since == 0)
        return INT64_MAX;
    if (!l->room->fresh || l->room->since != 0)
        return since;
    stream_pos left = visibility_left_pos(room_visibility(l->g, l->room), since + 1);
    return left != 0 ? left : INT64_MAX;
}

/* With lazy loading the whole state has not all members in it: those that the client has and that are no longer so. */
static void add_changed_members(struct listing *l)
{
    struct event_row row;
    stream_pos since = members_known_at(l);
    if (since >= l->at)
        return;
    struct stmt *q = events_state_between(l->g->db, l->room->membership.room, since, l->at);
    while (events_next(q, &row)) {
        if (strcmp(row.type, "m.room.member") != 0 || is_listed(l, row.type, row.state_key))
            continue;
        add_row(l, &row);
        state_keys_add(&l->room->listed, &row);
    }
    stmt_end(q);
}

/* Whether the client has this member event already: it is told elsewhere in this answer, or came in an earlier one. */
static bool is_redundant(const struct listing *l, const struct event_row *row, user_no user)
{
    const struct room_data *room = l->room;
    const struct sync_request *request = l->g->request;
    if (room->whole)
        return false;
    if (row->pos > room->since)
        return true;
    return !request->filter->state.include_redundant_members &&
           lazy_knows(l->g->sync->lazy, request->device, room->membership.room, user, row->pos,
                      room->membership.joined_pos, request->since);
}

static void add_member_row(struct listing *l, const struct event_row *row, user_no user)
{
    const struct sync_gather *g = l->g;
    if (is_listed(l, "m.room.member", row->state_key) || is_redundant(l, row, user))
        return;
    add_row(l, row);
    lazy_note(g->sync->lazy, g->request->device, l->room->membership.room, user, row->pos, g->upto);
}

static void add_member(struct listing *l, user_no user)
{
    struct event_row row;
    struct sync_gather *g = l->g;
    const char *id = user_names_get(g->sync->names, g->db, user);
    if (id == NULL)
        return;
    struct stmt *q = events_shown_state_get_at(g->db, l->room->membership.room, "m.room.member", id, l->at);
    if (events_next_shown(q, &row))
        add_member_row(l, &row, user);
    stmt_end(q);
}

/* In a small room, where most of the members are wanted, they are read in one go. Those that were found are 0 in users
 * afterwards; the rest (changed since, or among many who have left) is left. */
static void add_members_now(struct listing *l, user_no *users, size_t n)
{
    struct event_row row;
    struct sync_gather *g = l->g;
    const char **ids = xcalloc(n, sizeof *ids);
    for (size_t i = 0; i < n; ++i)
        ids[i] = user_names_get(g->sync->names, g->db, users[i]);
    struct stmt *q = events_shown_members(g->db, l->room->membership.room, 2 * (int64_t)n);
    while (events_next_shown(q, &row))
        for (size_t i = 0; row.pos <= l->at && i < n; ++i)
            if (users[i] != 0 && ids[i] != NULL && strcmp(ids[i], row.state_key) == 0) {
                add_member_row(l, &row, users[i]);
                users[i] = 0;
                break;
            }
    stmt_end(q);
    free(ids);
}

static void add_user(user_no *users, size_t *n, user_no user)
{
    for (size_t i = 0; i < *n; ++i)
        if (users[i] == user)
            return;
    users[(*n)++] = user;
}

/* The senders of the timeline, the heroes, and with the whole state the person themselves. */
static void add_members(struct listing *l)
{
    const struct event_rows *events = &l->room->timeline.events;
    const struct room_summary *summary = &l->room->summary;
    user_no *users = xcalloc(events->n + summary->n_heroes + 1, sizeof *users);
    size_t n = 0;
    if (l->room->whole)
        add_user(users, &n, l->g->request->user);
    for (size_t i = 0; i < summary->n_heroes; ++i)
        add_user(users, &n, summary->heroes[i]);
    for (size_t i = 0; i < events->n; ++i)
        add_user(users, &n, events->rows[i]->sender);
    if (n > 1 && l->room->has_summary && summary->joined <= 2 * (int64_t)n)
        add_members_now(l, users, n);
    for (size_t i = 0; i < n; ++i)
        if (users[i] != 0)
            add_member(l, users[i]);
    free(users);
}

/* What the timeline tells of members need not be told again. Only one's own member events name somebody whose number is
 * at hand; they are what comes most. */
static void note_members(const struct sync_gather *g, const struct room_data *room)
{
    for (size_t i = 0; i < room->timeline.events.n; ++i) {
        const struct event_row *row = room->timeline.events.rows[i];
        if (row->state_key == NULL || strcmp(row->type, "m.room.member") != 0)
            continue;
        const char *sender = user_names_get(g->sync->names, g->db, row->sender);
        if (sender != NULL && strcmp(sender, row->state_key) == 0)
            lazy_note(g->sync->lazy, g->request->device, room->membership.room, row->sender, row->pos, g->upto);
    }
}

static struct listing listing_of(struct sync_gather *g, struct room_data *room)
{
    return (struct listing){g, room, g->request->use_state_after ? room->upto : room->timeline.start};
}

void room_state_gather(struct sync_gather *g, struct room_data *room)
{
    bool after = g->request->use_state_after;
    struct listing l = listing_of(g, room);
    if (room->stranger)
        return;
    if (!after)
        add_left_out(&l);
    if (room->whole)
        add_whole(&l);
    if (room->whole && is_lazy(g))
        add_changed_members(&l);
    else if (!room->whole && (room->timeline.limited || (after && room->timeline.has_state)))
        add_changes(&l);
}

void room_members_gather(struct sync_gather *g, struct room_data *room)
{
    struct listing l = listing_of(g, room);
    if (room->stranger || !is_lazy(g))
        return;
    add_members(&l);
    note_members(g, room);
}

/* A picture is one of this server's, or nobody is shown it before they are in the room: an address elsewhere would tell
 * it who is invited (A5). */
static bool is_shown_outside(const struct event_row *row)
{
    if (strcmp(row->type, "m.room.avatar") != 0)
        return true;
    json_t *content = json_loads(row->content, 0, NULL);
    const char *url = json_get_string(content, "url");
    bool shown = url == NULL || mxc_valid(url);
    json_decref(content);
    return shown;
}

static void add_stripped(struct sync_gather *g, struct room_data *room, const char *type, const char *state_key)
{
    struct event_row row;
    struct stmt *q = events_state_get(g->db, room->membership.room, type, state_key);
    if (events_next(q, &row) && is_shown_outside(&row))
        event_rows_add(&room->state, event_hold(&row));
    stmt_end(q);
}

/* What helps to identify a room that one is not in (Client-Server API, "Stripped state"): its looks, who invites, and
 * one's own member event. */
void room_state_gather_stripped(struct sync_gather *g, struct room_data *room, user_no inviter)
{
    static const char *const TYPES[] = {"m.room.create",     "m.room.name",
                                        "m.room.avatar",     "m.room.topic",
                                        "m.room.join_rules", "m.room.canonical_alias",
                                        "m.room.encryption", NULL};
    bool other = inviter != 0 && inviter != g->request->user;
    const char *inviter_id = other ? user_names_get(g->sync->names, g->db, inviter) : NULL;
    for (const char *const *type = TYPES; *type != NULL; ++type)
        add_stripped(g, room, *type, "");
    if (inviter_id != NULL)
        add_stripped(g, room, "m.room.member", inviter_id);
    add_stripped(g, room, "m.room.member", g->request->user_id);
}
