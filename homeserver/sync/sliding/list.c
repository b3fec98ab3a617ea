#include "homeserver/sync/sliding/list.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/json_scan.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/sync/room_data.h"
#include "homeserver/sync/sections/room_parts.h"

#define DIRECT_MAX 5000 /* rooms of m.direct that count */

/* Sets of rooms. */

static int by_number(const void *a, const void *b)
{
    const room_no *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool is_in(const room_no *rooms, size_t n, room_no room)
{
    return n != 0 && bsearch(&room, rooms, n, sizeof room, by_number) != NULL;
}

static void load_direct(struct sliding_answer *a)
{
    struct db *db = a->gather.db;
    char *content = account_data_get(db, a->request.user, 0, "m.direct");
    json_t *direct = content != NULL ? json_loads(content, 0, NULL) : NULL, *rooms, *id;
    const char *user;
    size_t i;
    a->direct_known = true;
    json_object_foreach(direct, user, rooms)
        json_array_foreach(rooms, i, id) {
            room_no room = json_is_string(id) && a->n_direct < DIRECT_MAX ? rooms_by_id(db, json_string_value(id)) : 0;
            if (room == 0)
                continue;
            if (a->n_direct % 32 == 0)
                a->direct = xrealloc(a->direct, (a->n_direct + 32) * sizeof *a->direct);
            a->direct[a->n_direct++] = room;
        }
    if (a->n_direct > 1)
        qsort(a->direct, a->n_direct, sizeof *a->direct, by_number);
    json_decref(direct);
    free(content);
}

bool sliding_is_direct(struct sliding_answer *a, room_no room)
{
    if (!a->direct_known)
        load_direct(a);
    return is_in(a->direct, a->n_direct, room);
}

/* The children that joined spaces name, whichever of them ("spaces" of a filter). Heap, ascending. */
static room_no *children_of(struct sliding_answer *a, const json_t *spaces, size_t *n)
{
    struct db *db = a->gather.db;
    struct event_row row;
    room_no *rooms = NULL;
    const json_t *id;
    size_t i;
    *n = 0;
    json_array_foreach(spaces, i, id) {
        room_no space = rooms_by_id(db, json_string_value(id));
        if (space == 0 || memberships_of(db, space, a->request.user) != MEMBERSHIP_JOIN)
            continue;
        struct text children = TEXT_INIT;
        struct stmt *q = events_state_of_type(db, space, "m.space.child");
        while (events_next(q, &row))
            if (strstr(row.content, "\"via\"") != NULL)
                text_add(&children, row.state_key, strlen(row.state_key) + 1);
        stmt_end(q);
        for (size_t at = 0; at < children.len; at += strlen(children.data + at) + 1) {
            rooms = xrealloc(rooms, (*n + 1) * sizeof *rooms);
            rooms[(*n)++] = rooms_by_id(db, children.data + at);
        }
        text_finish(&children);
    }
    if (*n > 1)
        qsort(rooms, *n, sizeof *rooms, by_number);
    return rooms;
}

/* Filters. */

/* The type of a room, heap; NULL: it has none. Remembers which it is. */
static char *type_of(struct sliding_answer *a, struct connection_room *room)
{
    char *content = events_state_content(a->gather.db, room->room, "m.room.create", ""), *type = NULL;
    json_t *create = content != NULL ? json_loads(content, 0, NULL) : NULL;
    const char *value = json_get_string(create, "type");
    room->type = value == NULL ? TYPE_NONE : strcmp(value, "m.space") == 0 ? TYPE_SPACE : TYPE_OTHER;
    if (value != NULL)
        type = xstrdup(value);
    json_decref(create);
    free(content);
    return type;
}

/* type NULL: rooms without one, which null stands for. */
static bool has_name(const json_t *names, const char *type)
{
    size_t i;
    const json_t *name;
    json_array_foreach(names, i, name)
        if (type == NULL ? json_is_null(name) : json_is_string(name) && strcmp(json_string_value(name), type) == 0)
            return true;
    return false;
}

static bool type_fits(struct sliding_answer *a, const struct sliding_filter *f, struct connection_room *room)
{
    char *read = NULL;
    if (f->room_types == NULL && f->not_room_types == NULL)
        return true;
    if (room->type == TYPE_NOT_YET || room->type == TYPE_OTHER)
        read = type_of(a, room);
    const char *type = room->type == TYPE_NONE ? NULL : room->type == TYPE_SPACE ? "m.space" : read;
    bool fits = (f->room_types == NULL || has_name(f->room_types, type)) && !has_name(f->not_room_types, type);
    free(read);
    return fits;
}

static bool is_encrypted(struct sliding_answer *a, struct connection_room *room)
{
    if (room->encrypted == KNOWN_NOT_YET) {
        char *content = events_state_content(a->gather.db, room->room, "m.room.encryption", "");
        room->encrypted = content != NULL ? KNOWN_YES : KNOWN_NO;
        free(content);
    }
    return room->encrypted == KNOWN_YES;
}

static bool tags_fit(struct sliding_answer *a, const struct sliding_filter *f, const struct connection_room *room)
{
    if (f->tags == NULL && f->not_tags == NULL)
        return true;
    char *content = account_data_get(a->gather.db, a->request.user, room->room, "m.tag");
    json_t *whole = content != NULL ? json_loads(content, 0, NULL) : NULL, *tag;
    const char *name;
    bool any = f->tags == NULL, none = true;
    json_object_foreach(json_get_object(whole, "tags"), name, tag) {
        any |= has_name(f->tags, name);
        none &= !has_name(f->not_tags, name);
    }
    json_decref(whole);
    free(content);
    return any && none;
}

static bool choice_fits(enum sliding_choice choice, bool is)
{
    return choice == SLIDING_EITHER || (choice == SLIDING_YES) == is;
}

static bool fits(struct sliding_answer *a, const struct sliding_filter *f, struct connection_room *room)
{
    return choice_fits(f->is_invited, room->membership == MEMBERSHIP_INVITE) &&
           (f->is_dm == SLIDING_EITHER || choice_fits(f->is_dm, sliding_is_direct(a, room->room))) &&
           type_fits(a, f, room) &&
           (f->is_encrypted == SLIDING_EITHER || choice_fits(f->is_encrypted, is_encrypted(a, room))) &&
           tags_fit(a, f, room);
}

/* The person's rooms. */

static struct room_data data_of(const struct sliding_answer *a, const struct membership_row *m)
{
    return (struct room_data){.membership = *m, .room_id = "", .since = 0, .upto = a->gather.upto};
}

/* Whether a room that one is not in any more is told to a client that has never heard of it: where others ended it. */
static bool was_put_out(struct sliding_answer *a, const struct membership_row *m)
{
    if (m->joined_pos == 0 || m->forgotten)
        return false;
    struct event_row *own = event_at(a->gather.db, m->pos);
    bool put_out = own != NULL && (m->membership == MEMBERSHIP_BAN || own->sender != a->request.user);
    free(own);
    struct room_data data = data_of(a, m);
    put_out = put_out && !visibility_is_closed(room_visibility(&a->gather, &data));
    room_data_finish(&data);
    return put_out;
}

/* Where it stands, and whether it counts: whatever /sync hides is hidden. */
static void describe(struct sliding_answer *a, struct connection_room *room, const struct membership_row *m)
{
    user_no inviter;
    struct room_data data = data_of(a, m);
    room->membership = (uint8_t)m->membership;
    room->activity = m->pos;
    room->hidden = false;
    if (room->encrypted == KNOWN_NO)
        room->encrypted = KNOWN_NOT_YET;
    if (m->membership == MEMBERSHIP_JOIN)
        room->activity = events_last_pos(a->gather.db, m->room, a->gather.upto);
    else if (m->membership == MEMBERSHIP_INVITE || m->membership == MEMBERSHIP_KNOCK)
        room->hidden = !room_outside_shown(&a->gather, &data, &inviter);
    else
        room->hidden = room->sent == 0 && !was_put_out(a, m);
    room_data_finish(&data);
}

/* The bits of the base's parts as the request's. */
static uint64_t same_parts(const struct sliding_answer *a, uint64_t bits)
{
    uint64_t same = 0;
    for (size_t i = 0; i < a->base->n_parts; ++i)
        for (size_t k = 0; (bits & UINT64_C(1) << i) != 0 && k < a->ask->n_parts; ++k)
            if (a->base->parts[i] == a->ask->parts[k].digest)
                same |= UINT64_C(1) << k;
    return same;
}

static bool parts_stay(const struct sliding_answer *a)
{
    bool same = a->base->n_parts == a->ask->n_parts;
    for (size_t i = 0; same && i < a->ask->n_parts; ++i)
        same = a->base->parts[i] == a->ask->parts[i].digest;
    return same;
}

/* Both are by number. */
static void merge(struct sliding_answer *a)
{
    size_t i = 0, k = 0, n_had = a->base != NULL ? a->base->n_rooms : 0, n_new = a->gather.n_rooms;
    const struct connection_room *had = a->base != NULL ? a->base->rooms : NULL;
    struct connection_state *next = a->next;
    bool stay = a->base == NULL || parts_stay(a);
    next->rooms = xcalloc(n_had + n_new + a->ask->n_subscriptions + 1, sizeof *next->rooms);
    a->plans = xcalloc(n_had + n_new + a->ask->n_subscriptions + 1, sizeof *a->plans);
    while (i < n_had || k < n_new) {
        room_no old = i < n_had ? had[i].room : INT64_MAX,
                new = k < n_new ? a->gather.rooms[k].membership.room : INT64_MAX;
        struct connection_room *room = &next->rooms[next->n_rooms];
        struct sliding_plan *plan = &a->plans[next->n_rooms++];
        *room = (struct connection_room){.room = new};
        if (i < n_had && old <= new)
            *room = had[i++];
        if (!stay)
            room->parts = same_parts(a, room->parts);
        if (new > old)
            continue;
        plan->gathered = &a->gather.rooms[k++];
        if (room->sent == CONNECTION_UPTO)
            room->sent = a->since;
        describe(a, room, &plan->gathered->membership);
    }
}

/* A room that one left before the connection began: it may be subscribed to. NULL: it is not to be known. */
static struct connection_room *add_left(struct sliding_answer *a, room_no no)
{
    struct membership_row m;
    struct connection_state *next = a->next;
    size_t at = next->n_rooms;
    bool left = memberships_get(a->gather.db, no, a->request.user, &m) && !m.forgotten && m.joined_pos != 0 &&
                (m.membership == MEMBERSHIP_LEAVE || m.membership == MEMBERSHIP_BAN);
    struct room_data data = data_of(a, &m);
    left = left && !visibility_is_closed(room_visibility(&a->gather, &data));
    room_data_finish(&data);
    if (!left)
        return NULL;
    for (; at > 0 && next->rooms[at - 1].room > no; --at) {
        next->rooms[at] = next->rooms[at - 1];
        a->plans[at] = a->plans[at - 1];
    }
    next->rooms[at] =
        (struct connection_room){.room = no, .membership = (uint8_t)m.membership, .activity = m.pos, .hidden = true};
    a->plans[at] = (struct sliding_plan){0};
    ++next->n_rooms;
    return &next->rooms[at];
}

/* Planning. */

static void want(struct sliding_plan *plan, const struct sliding_config *config)
{
    plan->wanted = true;
    plan->parts |= UINT64_C(1) << config->part;
    if (config->timeline_limit > plan->limit)
        plan->limit = config->timeline_limit;
}

struct place {
    stream_pos activity;
    size_t index;
};

/* The newest first. */
static int by_activity(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return x->activity != y->activity ? (x->activity < y->activity ? 1 : -1)
                                      : (x->index > y->index) - (x->index < y->index);
}

static void plan_list(struct sliding_answer *a, size_t at, struct place *places)
{
    const struct sliding_list *list = &a->ask->lists[at];
    size_t n_children, n = 0;
    room_no *children = children_of(a, list->filter.spaces, &n_children);
    for (size_t i = 0; i < a->next->n_rooms; ++i) {
        struct connection_room *room = &a->next->rooms[i];
        if (!room->hidden && (list->filter.spaces == NULL || is_in(children, n_children, room->room)) &&
            fits(a, &list->filter, room))
            places[n++] = (struct place){room->activity, i};
    }
    free(children);
    a->counts[at] = (int64_t)n;
    bool all = n == 0 || (list->n_ranges == 1 && list->ranges[0].first == 0 && list->ranges[0].last >= (int64_t)n - 1);
    a->complete &= all && list->filter.spaces == NULL;
    if (!all)
        qsort(places, n, sizeof *places, by_activity);
    for (size_t r = 0; r < list->n_ranges; ++r)
        for (int64_t k = list->ranges[r].first; k <= list->ranges[r].last && k < (int64_t)n; ++k) {
            struct sliding_plan *plan = &a->plans[places[k].index];
            plan->lists[at / 64] |= UINT64_C(1) << at % 64;
            want(plan, &list->config);
        }
}

static void plan_subscription(struct sliding_answer *a, const struct sliding_subscription *subscription)
{
    room_no no = rooms_by_id(a->gather.db, subscription->room_id);
    struct connection_room *room = no != 0 ? connection_state_room(a->next, no) : NULL;
    if (no != 0 && room == NULL)
        room = add_left(a, no);
    if (room == NULL)
        return;
    bool left = room->membership == MEMBERSHIP_LEAVE || room->membership == MEMBERSHIP_BAN;
    if (room->hidden && !left)
        return;
    struct sliding_plan *plan = &a->plans[room - a->next->rooms];
    plan->subscribed = true;
    plan->room_id = subscription->room_id;
    want(plan, &subscription->config);
}

void sliding_lists_plan(struct sliding_answer *a)
{
    merge(a);
    for (size_t i = 0; i < a->ask->n_subscriptions; ++i)
        plan_subscription(a, &a->ask->subscriptions[i]);
    struct place *places = xcalloc(a->next->n_rooms + 1, sizeof *places);
    a->complete = true;
    for (size_t i = 0; i < a->ask->n_lists; ++i)
        plan_list(a, i, places);
    free(places);
    for (size_t i = 0; i < a->next->n_rooms; ++i)
        a->complete &= !a->plans[i].subscribed || (a->plans[i].lists[0] | a->plans[i].lists[1]) != 0;
}

/* Restoring. */

/* Whether what a filter asks of account data may have been otherwise. */
static bool data_stayed(const struct sliding_answer *a)
{
    bool stayed = true;
    for (size_t i = 0; i < a->ask->n_lists; ++i) {
        const struct sliding_filter *f = &a->ask->lists[i].filter;
        for (size_t k = 0; k < a->gather.account_data.n; ++k) {
            const char *type = a->gather.account_data.items[k].type;
            stayed &= !(f->is_dm != SLIDING_EITHER && strcmp(type, "m.direct") == 0) &&
                      !((f->tags != NULL || f->not_tags != NULL) && strcmp(type, "m.tag") == 0);
        }
        stayed &= f->spaces == NULL;
    }
    return stayed;
}

static bool encrypted_since(struct sliding_answer *a, room_no room)
{
    struct event_row row;
    struct stmt *q = events_state_get(a->gather.db, room, "m.room.encryption", "");
    bool since = events_next(q, &row) && row.pos > a->since;
    stmt_end(q);
    return since;
}

/* Whether the client knew of a room that one has left since. */
static bool was_known(struct sliding_answer *a, const struct membership_row *m)
{
    struct room_data data = data_of(a, m);
    const struct visibility *visibility = room_visibility(&a->gather, &data);
    enum membership then = visibility_membership_at(visibility, a->since);
    bool known = then == MEMBERSHIP_JOIN || then == MEMBERSHIP_INVITE || then == MEMBERSHIP_KNOCK ||
                 (m->joined_pos != 0 && visibility_is_closed(visibility));
    room_data_finish(&data);
    return known;
}

/* What of the lists it was in then, if it was in one: else it is as one that was never sent, and is sent whole. */
static bool restore_room(struct sliding_answer *a, const struct membership_row *m, struct connection_room *room)
{
    bool left = m->membership == MEMBERSHIP_LEAVE || m->membership == MEMBERSHIP_BAN;
    bool was_in = left && m->pos > a->since && was_known(a, m);
    *room = (struct connection_room){.room = m->room};
    if (m->pos > a->since && !was_in)
        return false;
    describe(a, room, m);
    for (size_t i = 0; i < a->ask->n_lists && (was_in || !room->hidden); ++i) {
        const struct sliding_list *list = &a->ask->lists[i];
        if (!fits(a, &list->filter, room) ||
            (list->filter.is_encrypted != SLIDING_EITHER && encrypted_since(a, m->room)))
            continue;
        room->sent = CONNECTION_UPTO;
        room->parts |= UINT64_C(1) << list->config.part;
        if (list->config.timeline_limit > room->have)
            room->have = list->config.timeline_limit;
    }
    room->hidden = false;
    room->direct = room->sent != 0 && sliding_is_direct(a, m->room);
    return room->sent != 0;
}

bool sliding_lists_restore(struct sliding_answer *a, struct connection_state *base)
{
    size_t n = 0, n_all = 0;
    struct membership_room row;
    struct membership_row *all = NULL;
    if (!data_stayed(a))
        return false;
    struct stmt *q = memberships_rooms_of_user(a->gather.db, a->request.user);
    while (memberships_next_room(q, &row)) {
        if (n_all % 64 == 0)
            all = xrealloc(all, (n_all + 64) * sizeof *all);
        all[n_all++] = row.membership;
    }
    stmt_end(q);
    base->rooms = xcalloc(n_all + 1, sizeof *base->rooms);
    for (size_t i = 0; i < n_all; ++i)
        n += restore_room(a, &all[i], &base->rooms[n]);
    base->n_rooms = n;
    free(all);
    return true;
}
