/* A room's state and members (Client-Server API, "Getting events for a room"). Who has left reads those of then. */
#include <stdlib.h>
#include <string.h>

#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/http/request.h"
#include "homeserver/rooms/read/members.h"
#include "homeserver/rooms/read/timeline.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"

static bool state_pos(struct request *r, const struct room_access *reading, stream_pos *pos)
{
    *pos = visibility_state_pos(reading->visibility);
    return *pos != 0 || refuse(r, ERROR_FORBIDDEN, "You are not in this room.");
}

static bool state(struct request *r, struct room_access *reading)
{
    struct text out = TEXT_INIT;
    stream_pos pos;
    if (!state_pos(r, reading, &pos))
        return false;
    timeline_render_state(&out, &reading->render, reading->room, pos, NULL, NULL, 0);
    return reply_text(r, &out);
}

static bool get_state(struct request *r)
{
    return room_access_room(r, ERROR_FORBIDDEN, state);
}

static bool wants_event(struct request *r, bool *whole)
{
    const char *format = query_get(r, "format");
    *whole = format != NULL && strcmp(format, "event") == 0;
    return format == NULL || *whole || strcmp(format, "content") == 0 ||
           refuse(r, ERROR_INVALID_PARAM, "format must be \"content\" or \"event\".");
}

static bool state_of_key(struct request *r, struct room_access *reading)
{
    struct render bare = reading->render;
    struct event_row row;
    struct text out = TEXT_INIT;
    stream_pos pos;
    bool whole;
    const char *type = r->params[1], *state_key = r->n_params > 2 ? r->params[2] : "";
    if (!state_pos(r, reading, &pos) || !wants_event(r, &whole))
        return false;
    struct stmt *q = pos == INT64_MAX ? events_state_get(r->db, reading->room, type, state_key)
                                      : events_state_get_at(r->db, reading->room, type, state_key, pos);
    bool found = events_next(q, &row);
    bare.bare = true;
    if (found && whole)
        render_event(&out, &bare, &row);
    else if (found)
        text_adds(&out, row.content);
    stmt_end(q);
    return found ? reply_text(r, &out) : refuse(r, ERROR_NOT_FOUND, "The room has no such state.");
}

static bool get_state_of_key(struct request *r)
{
    return room_access_room(r, ERROR_FORBIDDEN, state_of_key);
}

static bool query_membership(struct request *r, const char *name, enum membership *out)
{
    const char *value = query_get(r, name);
    *out = membership_from(value);
    return value == NULL || *out != MEMBERSHIP_NONE || refuse(r, ERROR_INVALID_PARAM, "There is no such membership.");
}

static bool members(struct request *r, struct room_access *reading)
{
    struct members_wanted wanted = {.room = reading->room};
    struct text out = TEXT_INIT;
    stream_pos at;
    if (!state_pos(r, reading, &wanted.pos) || !query_membership(r, "membership", &wanted.only) ||
        !query_membership(r, "not_membership", &wanted.without) || !room_access_token(r, "at", INT64_MAX, &at))
        return false;
    if (at < reading->now && at < wanted.pos)
        wanted.pos = at;
    text_adds(&out, "{\"chunk\":");
    members_render(&out, &reading->render, &wanted);
    text_addc(&out, '}');
    return reply_text(r, &out);
}

static bool get_members(struct request *r)
{
    return room_access_room(r, ERROR_FORBIDDEN, members);
}

static bool joined_members(struct request *r, struct room_access *reading)
{
    struct text out = TEXT_INIT;
    if (visibility_membership(reading->visibility) != MEMBERSHIP_JOIN)
        return refuse(r, ERROR_FORBIDDEN, "You are not in this room.");
    text_adds(&out, "{\"joined\":");
    members_render_joined(&out, r->db, reading->room);
    text_addc(&out, '}');
    return reply_text(r, &out);
}

static bool get_joined_members(struct request *r)
{
    return room_access_room(r, ERROR_FORBIDDEN, joined_members);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/rooms/{roomId}/state", get_state, ROUTE_AUTH, RATE_READ, "getRoomState"},
    {HTTP_GET, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", get_state_of_key, ROUTE_AUTH,
     RATE_NONE, "getRoomStateWithKey"},
    {HTTP_GET, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}", get_state_of_key, ROUTE_AUTH, RATE_NONE, NULL},
    {HTTP_GET, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/", get_state_of_key, ROUTE_AUTH, RATE_NONE, NULL},
    {HTTP_GET, "/_matrix/client/v3/rooms/{roomId}/members", get_members, ROUTE_AUTH, RATE_READ, "getMembersByRoom"},
    {HTTP_GET, "/_matrix/client/v3/rooms/{roomId}/joined_members", get_joined_members, ROUTE_AUTH, RATE_READ,
     "getJoinedMembersByRoom"},
};
const struct routes ROOM_STATE_READ_ROUTES = ROUTES(TABLE);
