#include "homeserver/sync/compose.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/push/rules/document.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/sync.h"
#include "homeserver/sync/composing.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/presence.h"
#include "homeserver/rooms/read/token.h"

/* Global account data, and the rooms' beside it. */
struct gathering {
    struct composing *c;
    struct text global; /* events separated by commas */
    bool push_rules;    /* they are among them */
};

const struct text *composing_data(const struct composing *c, room_no room)
{
    for (size_t i = 0; i < c->n_data; ++i)
        if (c->data[i].room == room)
            return &c->data[i].events;
    return NULL;
}

static struct text *data_of(struct composing *c, room_no room)
{
    struct text *events = (struct text *)composing_data(c, room);
    if (events != NULL)
        return events;
    c->data = xrealloc(c->data, (c->n_data + 1) * sizeof *c->data);
    c->data[c->n_data] = (struct own_data){room, TEXT_INIT};
    return &c->data[c->n_data++].events;
}

static void add_data_event(struct text *out, const char *type, const char *content, const char *user_id)
{
    if (out->len != 0)
        text_addc(out, ',');
    text_adds(out, "{\"content\":");
    if (strcmp(type, PUSH_RULES_TYPE) == 0)
        push_rules_add_content(out, content, user_id);
    else
        text_adds(out, content);
    text_adds(out, ",\"type\":");
    text_add_json(out, type);
    text_addc(out, '}');
}

static void gather_row(void *arg, const struct account_data_row *row)
{
    struct gathering *g = arg;
    const struct filter *filter = g->c->filter;
    if (row->room != 0) {
        if (filter_wants_type(&filter->room_account_data, row->type))
            add_data_event(data_of(g->c, row->room), row->type, row->content, NULL);
        return;
    }
    g->push_rules |= strcmp(row->type, PUSH_RULES_TYPE) == 0;
    if (filter_wants(&filter->account_data, row->type, NULL, NULL, false))
        add_data_event(&g->global, row->type, row->content, g->c->ask->user_id);
}

static void gather_data(struct gathering *g)
{
    struct composing *c = g->c;
    account_data_each(c->db, c->ask->user, c->ask->since, c->upto, gather_row, g);
    if (c->ask->since == 0 && !g->push_rules &&
        filter_wants(&c->filter->account_data, PUSH_RULES_TYPE, NULL, NULL, false))
        add_data_event(&g->global, PUSH_RULES_TYPE, NULL, c->ask->user_id);
}

static void gather_room_row(void *arg, const struct account_data_row *row)
{
    struct composing *c = arg;
    if (filter_wants_type(&c->filter->room_account_data, row->type))
        add_data_event(data_of(c, row->room), row->type, row->content, NULL);
}

/* Of a room that has just come, everything is news. */
static void gather_whole_room(struct composing *c, room_no room)
{
    if (c->ask->since == 0)
        return;
    for (size_t i = 0; i < c->n_data; ++i)
        if (c->data[i].room == room)
            text_clear(&c->data[i].events);
    account_data_each_room(c->db, c->ask->user, room, gather_room_row, c);
}

/* Whether nothing of the room can be new: the hub knows of no change, and neither does its owner's data. */
static bool is_quiet(const struct composing *c, const struct room_view *view)
{
    return !view->whole && !c->hub_is_behind && c->syncer->hub != NULL &&
           hub_room_last_change(c->syncer->hub, view->room) <= c->ask->since && composing_data(c, view->room) == NULL;
}

static void joined(struct room_view *view)
{
    struct composing *c = view->c;
    bool fresh = view->membership.joined_pos > c->ask->since;
    view->whole = fresh || c->ask->full_state;
    if (fresh) {
        view->since = 0;
        gather_whole_room(c, view->room);
    }
    if (!is_quiet(c, view))
        room_out_joined(view, fresh);
}

static void left(struct room_view *view)
{
    struct composing *c = view->c;
    const struct membership_row *m = &view->membership;
    bool joined_since = m->joined_pos > c->ask->since;
    if (c->ask->since == 0 ? !c->filter->include_leave || m->forgotten || m->joined_pos == 0 : m->pos <= c->ask->since)
        return;
    view->upto = m->pos;
    view->since = joined_since ? 0 : c->ask->since;
    view->stranger = !joined_since && visibility_membership_at(view_visibility(view), c->ask->since) != MEMBERSHIP_JOIN;
    view->whole = joined_since || c->ask->full_state;
    room_out_left(view);
}

static void invited(struct room_view *view)
{
    if (view->membership.pos > view->c->ask->since || view->c->ask->full_state)
        room_out_invited(view);
}

static void knocked(struct room_view *view)
{
    if (view->membership.pos > view->c->ask->since || view->c->ask->full_state)
        room_out_knocked(view);
}

static void (*const OUT[])(struct room_view *view) = {
    [MEMBERSHIP_JOIN] = joined, [MEMBERSHIP_INVITE] = invited, [MEMBERSHIP_KNOCK] = knocked,
    [MEMBERSHIP_LEAVE] = left,  [MEMBERSHIP_BAN] = left,
};

static void add_rooms(struct composing *c)
{
    struct sync_room room;
    struct stmt *q = sync_rooms(c->db, c->ask->user);
    while (sync_rooms_next(q, &room)) {
        struct room_view view = {
            .c = c,
            .room = room.membership.room,
            .room_id = room.room_id,
            .membership = room.membership,
            .since = c->ask->since,
            .upto = c->upto,
        };
        if (OUT[room.membership.membership] != NULL && filter_wants_room(c->filter, room.room_id))
            OUT[room.membership.membership](&view);
        visibility_free(view.visibility);
    }
    stmt_end(q);
}

static void add_section(struct text *out, bool *any, const char *open, const struct text *body)
{
    if (body->len == 0)
        return;
    text_adds(out, *any ? "," : "\"rooms\":{");
    text_adds(out, open);
    text_add(out, body->data, body->len);
    text_addc(out, '}');
    *any = true;
}

/* What the end-to-end module requires of every answer; there are no keys here yet. */
#define KEYS "\"device_one_time_keys_count\":{},\"device_unused_fallback_key_types\":[],"

void sync_open_answer(struct text *out, stream_pos next)
{
    text_adds(out, "{" KEYS "\"next_batch\":\"");
    token_add(out, next);
    text_addc(out, '"');
}

void sync_add_nothing(struct text *out, stream_pos next)
{
    sync_open_answer(out, next);
    text_addc(out, '}');
}

static void add_events(struct text *out, const char *key, const struct text *events)
{
    if (events->len == 0)
        return;
    text_addc(out, ',');
    text_add_json(out, key);
    text_adds(out, ":{\"events\":[");
    text_add(out, events->data, events->len);
    text_adds(out, "]}");
}

static void write_answer(struct composing *c, const struct gathering *g, const struct text *presence, struct text *out)
{
    bool any = false;
    struct text rooms = TEXT_INIT;
    sync_open_answer(out, c->upto);
    add_events(out, "account_data", &g->global);
    add_events(out, "presence", presence);
    add_section(&rooms, &any, "\"join\":{", &c->join);
    add_section(&rooms, &any, "\"invite\":{", &c->invite);
    add_section(&rooms, &any, "\"knock\":{", &c->knock);
    add_section(&rooms, &any, "\"leave\":{", &c->leave);
    if (any) {
        text_addc(out, ',');
        text_add(out, rooms.data, rooms.len);
        text_addc(out, '}');
    }
    text_addc(out, '}');
    text_finish(&rooms);
}

static bool has_news(const struct composing *c, const struct gathering *g, const struct text *presence)
{
    return c->ask->since == 0 || c->ask->full_state ||
           g->global.len + presence->len + c->join.len + c->invite.len + c->knock.len + c->leave.len != 0;
}

static void compose(struct composing *c, struct gathering *g, struct text *presence)
{
    ignored_load(&c->ignored, c->db, c->syncer->server_name, c->ask->user);
    gather_data(g);
    add_rooms(c);
    if (c->syncer->presence != NULL)
        presence_add(c->syncer->presence, c->db, c->filter, c->ask->user, c->ask->since, c->upto, presence);
}

static void finish(struct composing *c)
{
    for (size_t i = 0; i < c->n_data; ++i)
        text_finish(&c->data[i].events);
    free(c->data);
    ignored_finish(&c->ignored);
    text_finish(&c->join);
    text_finish(&c->invite);
    text_finish(&c->knock);
    text_finish(&c->leave);
}

/* The snapshot's newest position. All that is not later than hub_pos was committed before the snapshot began; events
 * may be newer, and then all of their group is in it. Receipts and account data of that group wait for the next answer.
 */
static stream_pos newest(struct composing *c)
{
    stream_pos heard = hub_pos(c->syncer->hub);
    db_begin_read(c->db);
    stream_pos event = sync_last_event(c->db);
    c->hub_is_behind = event > heard;
    return c->hub_is_behind ? event : heard;
}

enum composed sync_compose(struct sync_service *syncer, struct db *db, const struct sync_ask *ask, struct text *out,
                           stream_pos *next, struct error *e)
{
    struct composing c = {.syncer = syncer, .db = db, .ask = ask, .filter = ask->filter, .now_ms = clock_wall_ms()};
    struct gathering g = {.c = &c};
    struct text presence = TEXT_INIT;
    enum composed result = COMPOSED_REFUSED;
    *next = c.upto = newest(&c);
    if (ask->since > c.upto) {
        error_set(e, ERROR_INVALID_PARAM, "This since token is not one of this server's.");
    } else {
        compose(&c, &g, &presence);
        write_answer(&c, &g, &presence, out);
        result = has_news(&c, &g, &presence) ? COMPOSED_NEWS : COMPOSED_NOTHING;
    }
    db_end_read(db);
    text_finish(&g.global);
    text_finish(&presence);
    finish(&c);
    return result;
}
