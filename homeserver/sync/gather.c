#include "homeserver/sync/gather.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/text.h"
#include "homeserver/push/rules/document.h"
#include "homeserver/push/rules/evaluate.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/receipts.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/sync_service.h"

void account_data_items_finish(struct account_data_items *items)
{
    for (size_t i = 0; i < items->n; ++i) {
        free(items->items[i].type);
        free(items->items[i].content);
    }
    free(items->items);
    *items = (struct account_data_items){0};
}

static void add_item(void *arg, const struct account_data_row *row)
{
    struct account_data_items *to = arg;
    if (to->n == to->cap) {
        to->cap = to->cap * 2 + 4;
        to->items = xrealloc(to->items, to->cap * sizeof *to->items);
    }
    to->items[to->n++] = (struct account_data_item){row->room, xstrdup(row->type), xstrdup(row->content)};
}

void sync_gather_room_account_data(struct sync_gather *gather, room_no room, bool all, struct account_data_items *out)
{
    const struct event_filter *filter = &gather->request->filter->room_account_data;
    struct account_data_items whole = {0};
    const struct account_data_items *from = all ? &whole : &gather->account_data;
    *out = (struct account_data_items){0};
    if (all)
        account_data_each_room(gather->db, gather->request->user, room, add_item, &whole);
    for (size_t i = 0; i < from->n; ++i) {
        const struct account_data_item *item = &from->items[i];
        if (item->room == room && filter_wants_type(filter, item->type))
            add_item(out, &(struct account_data_row){.room = room, .type = item->type, .content = item->content});
    }
    account_data_items_finish(&whole);
}

void sync_gather_whole_account_data(struct sync_gather *gather)
{
    account_data_items_finish(&gather->account_data);
    account_data_each(gather->db, gather->request->user, 0, gather->upto, add_item, &gather->account_data);
}

static bool has_account_data(const struct sync_gather *gather, room_no room)
{
    for (size_t i = 0; i < gather->account_data.n; ++i)
        if (gather->account_data.items[i].room == room)
            return true;
    return false;
}

/* After a start the first who asks finds out for all. */
static bool room_changed(const struct sync_gather *gather, room_no room)
{
    struct sync_hub *hub = gather->sync->hub;
    if (!hub_knows_room(hub, room)) {
        stream_pos event = events_last_pos(gather->db, room, INT64_MAX), receipt = receipts_last(gather->db, room);
        if (event != 0 && !db_failed(gather->db))
            hub_learn_room(hub, room, event > receipt ? event : receipt);
    }
    return hub_room_last_change(hub, room) > gather->request->since;
}

/* Whether anything of the room can be new. What the hub knows of no change in needs no look-up: of a person's hundred
 * rooms hardly one has changed since their last poll. */
static bool may_have_news(const struct sync_gather *gather, const struct membership_row *m)
{
    const struct sync_request *request = gather->request;
    switch (m->membership) {
    case MEMBERSHIP_JOIN:
        return m->joined_pos > request->since || request->full_state || gather->hub_is_behind || gather->counts_anew ||
               has_account_data(gather, m->room) || room_changed(gather, m->room);
    case MEMBERSHIP_INVITE:
    case MEMBERSHIP_KNOCK: return m->pos > request->since || request->full_state;
    case MEMBERSHIP_LEAVE:
    case MEMBERSHIP_BAN:
        return request->since != 0
                   ? m->pos > request->since
                   : (request->filter->include_leave || request->lost) && !m->forgotten && m->joined_pos != 0;
    default: return false;
    }
}

/* Takes over the id; NULL: the database failed. */
static void take_room(struct sync_gather *gather, const struct membership_row *membership, char *room_id)
{
    if (room_id == NULL || !filter_wants_room(gather->request->filter, room_id)) {
        free(room_id);
        return;
    }
    if (gather->n_rooms == gather->cap_rooms) {
        gather->cap_rooms = gather->cap_rooms * 2 + 8;
        gather->rooms = xrealloc(gather->rooms, gather->cap_rooms * sizeof *gather->rooms);
    }
    gather->rooms[gather->n_rooms++] = (struct gathered_room){*membership, room_id};
}

static void take_rooms(struct sync_gather *gather, struct stmt *q)
{
    struct membership_room room;
    while (memberships_next_room(q, &room))
        if (may_have_news(gather, &room.membership))
            take_room(gather, &room.membership, xstrdup(room.room_id));
    stmt_end(q);
}

/* Of many rooms few: only those are looked for by name. */
static void take_rooms_with_news(struct sync_gather *gather)
{
    struct membership_row row;
    struct stmt *q = memberships_of_user(gather->db, gather->request->user);
    while (memberships_next(q, &row))
        if (may_have_news(gather, &row))
            take_room(gather, &row, rooms_id_of(gather->db, row.room));
    stmt_end(q);
}

/* A person may be in a thousand rooms, of which none, or one, has changed since a moment ago. Nothing of theirs did:
 * the hub knows it by the number by which a poll is held. Else the rooms that changed are looked at rather than theirs,
 * as long as they are few. */
static void load_rooms(struct sync_gather *gather)
{
    const struct sync_request *request = gather->request;
    const struct sync_hub *hub = gather->sync->hub;
    room_no changed[CHANGED_ROOMS_MAX];
    size_t n;
    bool whole = request->since == 0 || request->full_state || gather->hub_is_behind || gather->counts_anew;
    if (!whole && hub_last_change(hub, request->user) <= request->since)
        return;
    if (whole || !hub_rooms_since(hub, request->since, changed, &n)) {
        if (whole)
            take_rooms(gather, memberships_rooms_of_user(gather->db, request->user));
        else
            take_rooms_with_news(gather);
        return;
    }
    for (size_t i = 0; i < n; ++i)
        take_rooms(gather, memberships_room_of_user(gather->db, request->user, changed[i]));
}

/* The snapshot's newest position. All that is not later than hub_pos was committed before the snapshot began; events
 * may be newer, and then all of their group is in it. Receipts and account data of that group wait
 * for the next answer. */
static void open_snapshot(struct sync_gather *gather)
{
    stream_pos heard = hub_pos(gather->sync->hub);
    db_begin_read(gather->db);
    stream_pos event = events_newest(gather->db);
    gather->hub_is_behind = event > heard;
    gather->upto = gather->hub_is_behind ? event : heard;
}

bool sync_gather_begin(struct sync_gather *gather, struct sync_service *sync, struct db *db,
                       const struct sync_request *request, struct error *e)
{
    *gather = (struct sync_gather){.sync = sync, .request = request, .db = db, .now_ms = clock_wall_ms()};
    open_snapshot(gather);
    if (request->since > gather->upto)
        return error_set(e, ERROR_INVALID_PARAM, "This since token is not one of this server's.");
    ignored_load(&gather->ignored, db, sync->server_name, request->user);
    account_data_each(db, request->user, request->since, gather->upto, add_item, &gather->account_data);
    for (size_t i = 0; i < gather->account_data.n; ++i) {
        const struct account_data_item *item = &gather->account_data.items[i];
        gather->counts_anew |=
            item->room == 0 && (strcmp(item->type, PUSH_RULES_TYPE) == 0 || strcmp(item->type, IGNORED_TYPE) == 0);
    }
    load_rooms(gather);
    return true;
}

void sync_gather_end(struct sync_gather *gather)
{
    db_end_read(gather->db);
    for (size_t i = 0; i < gather->n_rooms; ++i)
        free(gather->rooms[i].room_id);
    free(gather->rooms);
    account_data_items_finish(&gather->account_data);
    ignored_finish(&gather->ignored);
    member_set_unref(gather->unseen);
    push_rules_unref(gather->rules);
}

const struct member_set *sync_gather_unseen(struct sync_gather *gather)
{
    if (!gather->knows_unseen)
        gather->unseen =
            gate_unseen(rooms_settings(gather->sync->rooms)->school_mode, gather->db, gather->request->user);
    gather->knows_unseen = true;
    return gather->unseen;
}
