/* Pages of a room's history (Client-Server API, "Syncing": /messages; "Event Context": /context). */
#include <stdlib.h>

#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/http/request.h"
#include "homeserver/rooms/read/timeline.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/rooms/read/filter.h"

#define MESSAGES_MAX 1000
#define CONTEXT_MAX 200

static void add_token(struct request *r, struct text *out, const char *before, stream_pos pos)
{
    text_adds(out, before);
    room_access_add_token(r, out, pos);
    text_addc(out, '"');
}

/* from: the token the page begins at. */
static bool read_wanted(struct request *r, const struct room_access *reading, const struct event_filter *filter,
                        struct timeline_wanted *wanted, stream_pos *from)
{
    stream_pos to;
    int64_t limit;
    *wanted = (struct timeline_wanted){.room = reading->room, .filter = filter};
    if (!room_access_direction(r, NULL, &wanted->backwards) ||
        !room_access_token(r, "from", wanted->backwards ? reading->now : 0, from) ||
        !room_access_token(r, "to", wanted->backwards ? 0 : INT64_MAX, &to) ||
        !query_int(r, "limit", filter->limit != 0 ? filter->limit : 10, 1, MESSAGES_MAX, &limit))
        return false;
    wanted->limit = (size_t)limit;
    wanted->after = wanted->backwards ? to : *from;
    wanted->upto = wanted->backwards ? *from : to;
    return true;
}

static bool messages_page(struct request *r, struct room_access *reading, const struct event_filter *filter)
{
    struct timeline_wanted wanted;
    struct timeline timeline;
    struct text out = TEXT_INIT;
    stream_pos from;
    if (!read_wanted(r, reading, filter, &wanted, &from))
        return false;
    timeline_read(&timeline, &reading->render, &wanted);
    text_adds(&out, "{\"chunk\":");
    timeline_render(&out, &reading->render, &timeline);
    text_adds(&out, ",\"start\":\"");
    room_access_add_token_said(r, &out, "from", from);
    text_addc(&out, '"');
    /* The live end is none: the last page has a token to go on from once there is more. An empty one has its start. */
    bool live = timeline.n != 0 && visibility_state_pos(reading->visibility) == INT64_MAX;
    if (timeline.more || (!wanted.backwards && live))
        add_token(r, &out, ",\"end\":\"", timeline.end);
    if (filter->lazy_load_members && timeline.n != 0) {
        text_adds(&out, ",\"state\":");
        timeline_render_senders(&out, &reading->render, reading->room, timeline.rows, timeline.n,
                                timeline.rows[wanted.backwards ? 0 : timeline.n - 1]->pos);
    }
    text_addc(&out, '}');
    timeline_finish(&timeline);
    return reply_text(r, &out);
}

static bool messages(struct request *r, struct room_access *reading)
{
    struct filter *filter;
    bool done = room_access_filter(r, &filter) && messages_page(r, reading, &filter->timeline);
    filter_unref(filter);
    return done;
}

static bool get_messages(struct request *r)
{
    return room_access_room(r, ERROR_FORBIDDEN, messages);
}

/* All rows whose senders a lazy-loading client needs: borrowed rows, heap array. */
static struct event_row **all_rows(const struct timeline *before, struct event_row *event, const struct timeline *after,
                                   size_t *n)
{
    struct event_row **rows = xcalloc(before->n + after->n + 1, sizeof *rows);
    *n = 0;
    for (size_t i = 0; i < before->n; ++i)
        rows[(*n)++] = before->rows[i];
    rows[(*n)++] = event;
    for (size_t i = 0; i < after->n; ++i)
        rows[(*n)++] = after->rows[i];
    return rows;
}

static void render_context(struct request *r, struct text *out, const struct room_access *reading,
                           const struct timeline *before, struct event_row *event, const struct timeline *after,
                           const struct event_filter *filter)
{
    size_t n;
    struct event_row **rows = all_rows(before, event, after, &n);
    text_adds(out, "{\"event\":");
    render_event(out, &reading->render, event);
    text_adds(out, ",\"events_before\":");
    timeline_render(out, &reading->render, before);
    text_adds(out, ",\"events_after\":");
    timeline_render(out, &reading->render, after);
    text_adds(out, ",\"state\":");
    timeline_render_state(out, &reading->render, reading->room, rows[n - 1]->pos, filter, rows, n);
    add_token(r, out, ",\"start\":\"", before->end);
    add_token(r, out, ",\"end\":\"", after->end);
    text_addc(out, '}');
    free(rows);
}

static bool context_around(struct request *r, struct room_access *reading, struct event_row *event,
                           const struct filter *filter)
{
    struct timeline before, after;
    struct text out = TEXT_INIT;
    int64_t limit;
    if (!query_int(r, "limit", filter->timeline.limit != 0 ? filter->timeline.limit : 10, 0, CONTEXT_MAX, &limit))
        return false;
    struct timeline_wanted earlier = {.room = reading->room,
                                      .backwards = true,
                                      .upto = event->pos - 1,
                                      .limit = (size_t)limit / 2,
                                      .filter = &filter->timeline};
    struct timeline_wanted later = {.room = reading->room,
                                    .after = event->pos,
                                    .upto = INT64_MAX,
                                    .limit = (size_t)(limit - limit / 2),
                                    .filter = &filter->timeline};
    timeline_read(&before, &reading->render, &earlier);
    timeline_read(&after, &reading->render, &later);
    render_context(r, &out, reading, &before, event, &after, &filter->timeline);
    timeline_finish(&before);
    timeline_finish(&after);
    return reply_text(r, &out);
}

static bool context(struct request *r, struct room_access *reading)
{
    struct filter *filter;
    if (!room_access_filter(r, &filter))
        return false;
    struct event_row *event = room_access_event(r, reading, r->params[1]);
    bool done = event != NULL && context_around(r, reading, event, filter);
    free(event);
    filter_unref(filter);
    return done;
}

static bool get_context(struct request *r)
{
    return room_access_room(r, ERROR_FORBIDDEN, context);
}

/* The newest events, oldest first, and the state that goes with them: of who has left, of then (deprecated). */
static bool initial(struct request *r, struct room_access *reading)
{
    struct timeline timeline;
    struct text out = TEXT_INIT;
    stream_pos pos = visibility_state_pos(reading->visibility), end = pos < reading->now ? pos : reading->now;
    int64_t limit;
    if (!query_int(r, "limit", 10, 0, MESSAGES_MAX, &limit))
        return false;
    if (pos == 0)
        return refuse(r, ERROR_FORBIDDEN, "You are not in this room.");
    struct timeline_wanted wanted = {.room = reading->room, .backwards = true, .upto = end, .limit = (size_t)limit};
    timeline_read(&timeline, &reading->render, &wanted);
    for (size_t i = 0, n = timeline.n; i < n / 2; ++i) {
        struct event_row *newer = timeline.rows[i];
        timeline.rows[i] = timeline.rows[n - 1 - i];
        timeline.rows[n - 1 - i] = newer;
    }
    text_adds(&out, "{\"room_id\":");
    text_add_json(&out, reading->room_id);
    text_adds(&out, ",\"membership\":");
    text_add_json(&out, membership_name(visibility_membership(reading->visibility)));
    text_adds(&out, ",\"messages\":{\"chunk\":");
    timeline_render(&out, &reading->render, &timeline);
    add_token(r, &out, ",\"start\":\"", timeline.end);
    add_token(r, &out, ",\"end\":\"", end);
    text_adds(&out, "},\"state\":");
    timeline_render_state(&out, &reading->render, reading->room, pos, NULL, NULL, 0);
    text_addc(&out, '}');
    timeline_finish(&timeline);
    return reply_text(r, &out);
}

static bool get_initial(struct request *r)
{
    return room_access_room(r, ERROR_FORBIDDEN, initial);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/rooms/{roomId}/messages", get_messages, ROUTE_AUTH, RATE_READ, "getRoomEvents"},
    {HTTP_GET, "/_matrix/client/v3/rooms/{roomId}/context/{eventId}", get_context, ROUTE_AUTH, RATE_READ,
     "getEventContext"},
    {HTTP_GET, "/_matrix/client/v3/rooms/{roomId}/initialSync", get_initial, ROUTE_AUTH, RATE_READ, "roomInitialSync"},
};
const struct routes MESSAGES_ROUTES = ROUTES(TABLE);
