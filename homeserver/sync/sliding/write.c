/* One room of an answer in JSON, in either form (MSC4186, "RoomResult"). */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/sync/sliding/room.h"
#include "homeserver/sync/sync_service.h"
#include "homeserver/sync/v2_event.h"

/* Each member begins with a comma, but for the first of a room: bump_stamp. */

static void add_text(struct text *out, const char *key, const char *value)
{
    text_addc(out, ',');
    text_add_json(out, key);
    text_addc(out, ':');
    if (value != NULL)
        text_add_json(out, value);
    else
        text_adds(out, "null");
}

static void add_number(struct text *out, const char *key, int64_t value)
{
    text_addc(out, ',');
    text_add_json(out, key);
    text_addc(out, ':');
    text_add_int(out, value);
}

static void add_hero(struct sliding_answer *a, const struct sliding_room *room, user_no user)
{
    struct text *out = &a->rooms;
    struct sync_gather *g = &a->gather;
    const char *id = user_names_get(g->sync->names, g->db, user);
    char *text = events_state_content(g->db, room->data.membership.room, "m.room.member", id != NULL ? id : "");
    json_t *content = text != NULL ? json_loads(text, 0, NULL) : NULL;
    const char *name = json_get_string(content, "displayname"), *picture = json_get_string(content, "avatar_url");
    text_adds(out, "{\"user_id\":");
    text_add_json(out, id != NULL ? id : "");
    if (name != NULL)
        add_text(out, "displayname", name);
    if (picture != NULL)
        add_text(out, "avatar_url", picture);
    text_addc(out, '}');
    json_decref(content);
    free(text);
}

static void add_summary(struct sliding_answer *a, const struct sliding_room *room)
{
    const struct room_summary *summary = &room->data.summary;
    if (!room->data.has_summary)
        return;
    for (size_t i = 0; i < summary->n_heroes; ++i) {
        text_adds(&a->rooms, i == 0 ? ",\"heroes\":[" : ",");
        add_hero(a, room, summary->heroes[i]);
    }
    if (summary->n_heroes != 0)
        text_addc(&a->rooms, ']');
    add_number(&a->rooms, "joined_count", summary->joined);
    add_number(&a->rooms, "invited_count", summary->invited);
}

static void add_state(struct sliding_answer *a, const struct sliding_room *room)
{
    const struct event_rows *state = &room->data.state;
    for (size_t i = 0; i < state->n; ++i) {
        text_adds(&a->rooms, i == 0 ? ",\"required_state\":[" : ",");
        v2_add_event(&a->rooms, &a->gather, state->rows[i], NULL, false);
    }
    if (state->n != 0)
        text_addc(&a->rooms, ']');
}

static void add_timeline(struct sliding_answer *a, const struct sliding_room *room)
{
    struct text *out = &a->rooms;
    const struct room_timeline *timeline = &room->data.timeline;
    for (size_t i = 0; i < timeline->events.n; ++i) {
        text_adds(out, i == 0 ? ",\"timeline\":[" : ",");
        v2_add_event(out, &a->gather, timeline->events.rows[i], room->data.visibility, timeline->relations);
    }
    if (timeline->events.n != 0)
        text_addc(out, ']');
    if (timeline->limited)
        text_adds(out, ",\"limited\":true");
    if (timeline->start > 0 && (timeline->events.n != 0 || timeline->limited)) {
        text_adds(out, ",\"prev_batch\":\"");
        token_add(out, writer_incarnations(a->gather.sync->writer), a->request.user, timeline->start);
        text_addc(out, '"');
    }
    add_number(out, "num_live", (int64_t)room->n_live);
}

/* Before one enters it there is nothing but what helps to know it. */
static void add_stripped(struct sliding_answer *a, const struct sliding_room *room)
{
    const struct render how = {.db = a->gather.db, .names = a->gather.sync->names};
    const struct event_rows *state = &room->data.state;
    text_adds(&a->rooms, a->ask->form == SLIDING_STABLE ? ",\"stripped_state\":[" : ",\"invite_state\":[");
    for (size_t i = 0; i < state->n; ++i) {
        text_adds(&a->rooms, i != 0 ? "," : "");
        render_stripped(&a->rooms, &how, state->rows[i]);
    }
    text_addc(&a->rooms, ']');
}

static void add_inside(struct sliding_answer *a, const struct sliding_room *room)
{
    struct text *out = &a->rooms;
    bool stable = a->ask->form == SLIDING_STABLE;
    const struct unread_tally *unread = &room->data.unread;
    if (room->says_name)
        add_text(out, "name", room->name);
    if (room->says_avatar)
        add_text(out, "avatar", room->avatar);
    if (room->says_direct)
        text_adds(out, room->direct ? ",\"is_dm\":true" : ",\"is_dm\":false");
    if (room->expanded)
        text_adds(out, stable ? ",\"expanded_timeline\":true" : ",\"unstable_expanded_timeline\":true");
    add_summary(a, room);
    add_state(a, room);
    add_timeline(a, room);
    if (!room->data.has_unread)
        return;
    struct unread_counts sum = unread->main;
    for (size_t i = 0; i < unread->n; ++i) {
        sum.notify += unread->threads[i].counts.notify;
        sum.highlight += unread->threads[i].counts.highlight;
    }
    add_number(out, "notification_count", sum.notify);
    add_number(out, "highlight_count", sum.highlight);
}

static void add_lists(struct sliding_answer *a, const struct sliding_plan *plan)
{
    bool any = false;
    for (size_t i = 0; i < a->ask->n_lists; ++i)
        if ((plan->lists[i / 64] & UINT64_C(1) << i % 64) != 0) {
            text_adds(&a->rooms, any ? "," : ",\"lists\":[");
            text_add_json(&a->rooms, a->ask->lists[i].name);
            any = true;
        }
    if (any)
        text_addc(&a->rooms, ']');
}

void sliding_room_write(struct sliding_answer *a, struct sliding_room *room)
{
    struct text *out = &a->rooms;
    if (out->len != 0)
        text_addc(out, ',');
    text_add_json(out, room->data.room_id);
    text_adds(out, ":{\"bump_stamp\":");
    text_add_int(out, room->bump_ms);
    if (room->initial)
        text_adds(out, ",\"initial\":true");
    if (a->ask->form == SLIDING_STABLE) {
        add_text(out, "membership", membership_name(room->data.membership.membership));
        add_lists(a, room->plan);
    }
    if (room->outside)
        add_stripped(a, room);
    else
        add_inside(a, room);
    text_addc(out, '}');
}
