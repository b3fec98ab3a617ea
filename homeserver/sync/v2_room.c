#include "homeserver/sync/v2_room.h"

#include <string.h>

#include "homeserver/push/rules/document.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/sync/sync_service.h"
#include "homeserver/sync/v2_event.h"
#include "homeserver/sync/v2_ephemeral.h"

static void add_comma(struct text *out, size_t i)
{
    if (i != 0)
        text_addc(out, ',');
}

void v2_open_room(struct text *out, const char *room_id)
{
    text_add_json(out, room_id);
    text_adds(out, ":{");
}

void v2_open_state(struct text *out, const struct sync_request *request)
{
    text_adds(out, !request->use_state_after       ? "\"state\":{\"events\":["
                   : request->unstable_state_after ? "\"org.matrix.msc4222.state_after\":{\"events\":["
                                                   : "\"state_after\":{\"events\":[");
}

void v2_open_timeline(struct text *out)
{
    text_adds(out, "]},\"timeline\":{\"events\":[");
}

void v2_close_timeline(struct text *out, const struct sync_gather *gather, bool limited, stream_pos start)
{
    text_adds(out, limited ? "],\"limited\":true" : "],\"limited\":false");
    if (start > 0) {
        text_adds(out, ",\"prev_batch\":\"");
        if (start == gather->request->since && gather->request->said != NULL)
            text_adds(out, gather->request->said);
        else
            token_add(out, writer_incarnations(gather->sync->writer), gather->request->user, start);
        text_addc(out, '"');
    }
    text_addc(out, '}');
}

static void add_state_and_timeline(struct text *out, struct sync_gather *gather, const struct room_data *room)
{
    const struct room_timeline *timeline = &room->timeline;
    v2_open_state(out, gather->request);
    for (size_t i = 0; i < room->state.n; ++i) {
        add_comma(out, i);
        v2_add_event(out, gather, room->state.rows[i], NULL, false);
    }
    v2_open_timeline(out);
    for (size_t i = 0; i < timeline->events.n; ++i) {
        add_comma(out, i);
        v2_add_event(out, gather, timeline->events.rows[i], room->visibility, timeline->relations);
    }
    v2_close_timeline(out, gather, timeline->limited, timeline->start);
}

static void add_summary(struct text *out, struct sync_gather *gather, const struct room_summary *summary)
{
    text_adds(out, "\"summary\":{");
    for (size_t i = 0; i < summary->n_heroes; ++i) {
        text_adds(out, i == 0 ? "\"m.heroes\":[" : ",");
        v2_add_user_id(out, gather->sync->names, gather->db, summary->heroes[i]);
    }
    if (summary->n_heroes != 0)
        text_adds(out, "],");
    text_adds(out, "\"m.invited_member_count\":");
    text_add_int(out, summary->invited);
    text_adds(out, ",\"m.joined_member_count\":");
    text_add_int(out, summary->joined);
    text_adds(out, "},");
}

void v2_add_account_data(struct text *out, const struct account_data_item *item, const char *user_id)
{
    text_adds(out, "{\"content\":");
    if (item->room == 0 && strcmp(item->type, PUSH_RULES_TYPE) == 0)
        push_rules_add_content(out, item->content, user_id);
    else
        text_adds(out, item->content);
    text_adds(out, ",\"type\":");
    text_add_json(out, item->type);
    text_addc(out, '}');
}

static void add_account_data(struct text *out, const struct account_data_items *data)
{
    for (size_t i = 0; i < data->n; ++i) {
        text_adds(out, i == 0 ? ",\"account_data\":{\"events\":[" : ",");
        v2_add_account_data(out, &data->items[i], NULL);
    }
    if (data->n != 0)
        text_adds(out, "]}");
}

static void add_counts(struct text *out, const struct unread_counts *counts)
{
    text_adds(out, "{\"highlight_count\":");
    text_add_int(out, counts->highlight);
    text_adds(out, ",\"notification_count\":");
    text_add_int(out, counts->notify);
    text_addc(out, '}');
}

static void add_unread_threads(struct text *out, const struct unread_tally *tally)
{
    bool any = false;
    for (size_t i = 0; i < tally->n; ++i) {
        const struct unread_thread *thread = &tally->threads[i];
        if (thread->counts.notify == 0)
            continue;
        text_adds(out, any ? "," : ",\"unread_thread_notifications\":{");
        text_add_json(out, thread->root);
        text_addc(out, ':');
        add_counts(out, &thread->counts);
        any = true;
    }
    if (any)
        text_addc(out, '}');
}

void v2_add_unread(struct text *out, const struct unread_tally *tally, bool by_thread)
{
    struct unread_counts sum = tally->main;
    for (size_t i = 0; !by_thread && i < tally->n; ++i) {
        sum.notify += tally->threads[i].counts.notify;
        sum.highlight += tally->threads[i].counts.highlight;
    }
    text_adds(out, ",\"unread_notifications\":");
    add_counts(out, &sum);
    if (by_thread)
        add_unread_threads(out, tally);
}

void v2_add_joined_room(struct text *out, struct sync_gather *gather, const struct room_data *room)
{
    v2_open_room(out, room->room_id);
    if (room->has_summary)
        add_summary(out, gather, &room->summary);
    add_state_and_timeline(out, gather, room);
    v2_add_ephemeral(out, gather->sync->names, gather->db, &room->typists, &room->receipts);
    add_account_data(out, &room->account_data);
    if (room->has_unread)
        v2_add_unread(out, &room->unread, gather->request->filter->timeline.unread_thread_notifications);
    text_addc(out, '}');
}

void v2_add_left_room(struct text *out, struct sync_gather *gather, const struct room_data *room)
{
    v2_open_room(out, room->room_id);
    add_state_and_timeline(out, gather, room);
    add_account_data(out, &room->account_data);
    text_addc(out, '}');
}

void v2_add_stripped_room(struct text *out, struct sync_gather *gather, const struct room_data *room, const char *key)
{
    struct render how = {.db = gather->db, .names = gather->sync->names};
    v2_open_room(out, room->room_id);
    text_add_json(out, key);
    text_adds(out, ":{\"events\":[");
    for (size_t i = 0; i < room->state.n; ++i) {
        add_comma(out, i);
        render_stripped(out, &how, room->state.rows[i]);
    }
    text_adds(out, "]}}");
}
