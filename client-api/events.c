/* Single events (Client-Server API, "Getting events for a room", "Jump to date"). */
#include <stdlib.h>

#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/http/request.h"
#include "homeserver/rooms/read/timeline.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"

static bool event(struct request *r, struct room_access *reading)
{
    struct text out = TEXT_INIT;
    struct event_row *row = room_access_event(r, reading, r->params[1]);
    if (row == NULL)
        return false;
    render_event(&out, &reading->render, row);
    free(row);
    return reply_text(r, &out);
}

static bool get_event(struct request *r)
{
    return room_access_room(r, ERROR_NOT_FOUND, event);
}

/* Deprecated: the same by the event's id alone. One that is nowhere, or in a room that is closed to the asker, is
 * answered alike. */
static bool get_event_of_any_room(struct request *r)
{
    struct event_row row;
    struct stmt *q = events_by_id(r->db, r->params[0]);
    char *room_id = events_next(q, &row) ? rooms_id_of(r->db, row.room) : NULL;
    stmt_end(q);
    r->params[1] = r->params[0];
    r->params[0] = room_id != NULL ? room_id : "";
    bool done = room_access_room(r, ERROR_NOT_FOUND, event);
    r->params[0] = r->params[1];
    free(room_id);
    return done;
}

/* The closest event in time may be hidden: then it is the next in that direction that is not. */
static bool event_at_time(struct request *r, struct room_access *reading)
{
    struct timeline found;
    struct timeline_wanted wanted = {.room = reading->room, .limit = 1};
    int64_t ts;
    if (query_get(r, "ts") == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "ts is missing.");
    if (!query_int(r, "ts", 0, 0, INT64_MAX, &ts) || !room_access_direction(r, NULL, &wanted.backwards))
        return false;
    stream_pos pos = events_at_time(r->db, reading->room, ts, !wanted.backwards);
    wanted.after = wanted.backwards ? 0 : pos - 1;
    wanted.upto = wanted.backwards ? pos : INT64_MAX;
    if (pos == 0)
        return refuse(r, ERROR_NOT_FOUND, "There is no event in that direction.");
    timeline_read(&found, &reading->render, &wanted);
    bool any = found.n != 0;
    if (any)
        reply_json(r, json_pack("{s:s, s:I}", "event_id", found.rows[0]->event_id, "origin_server_ts",
                                (json_int_t)found.rows[0]->ts));
    timeline_finish(&found);
    return any || refuse(r, ERROR_NOT_FOUND, "There is no event in that direction.");
}

static bool get_event_at_time(struct request *r)
{
    return room_access_room(r, ERROR_NOT_FOUND, event_at_time);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/rooms/{roomId}/event/{eventId}", get_event, ROUTE_AUTH, RATE_NONE,
     "getOneRoomEvent"},
    {HTTP_GET, "/_matrix/client/v3/events/{eventId}", get_event_of_any_room, ROUTE_AUTH, RATE_READ, "getOneEvent"},
    {HTTP_GET, "/_matrix/client/v1/rooms/{roomId}/timestamp_to_event", get_event_at_time, ROUTE_AUTH, RATE_READ,
     "getEventByTimestamp"},
};
const struct routes EVENTS_ROUTES = ROUTES(TABLE);
