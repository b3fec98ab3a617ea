/* What can be seen of rooms before joining them: the tree of a space, a room's summary (Client-Server API, "Spaces",
 * "Room previews"). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/read/directory.h"
#include "homeserver/rooms/read/hierarchy.h"
#include "homeserver/rooms/read/summary.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"

#define ROOMS_MAX 50 /* of one answer */
#define DEPTH_MAX 100

static bool read_from(struct request *r, struct hierarchy_wanted *wanted)
{
    const char *from = query_get(r, "from");
    struct hierarchy_token token;
    if (from == NULL)
        return true;
    if (!hierarchy_token_parse(from, &token))
        return refuse(r, ERROR_INVALID_PARAM, "This is not a token of this server.");
    if (token.max_depth != wanted->max_depth || token.suggested_only != wanted->suggested_only)
        return refuse(r, ERROR_INVALID_PARAM, "suggested_only and max_depth cannot change from page to page.");
    wanted->from = token.from;
    return true;
}

static bool read_wanted(struct request *r, struct hierarchy_wanted *wanted)
{
    int64_t limit;
    *wanted = (struct hierarchy_wanted){.user = r->identity.user, .school_mode = room_access_school_mode(r)};
    if (!query_bool(r, "suggested_only", false, &wanted->suggested_only) ||
        !query_int(r, "max_depth", DEPTH_MAX, 0, DEPTH_MAX, &wanted->max_depth) ||
        !query_int(r, "limit", ROOMS_MAX, 1, ROOMS_MAX, &limit) || !read_from(r, wanted))
        return false;
    wanted->limit = (size_t)limit;
    return true;
}

static bool get_hierarchy(struct request *r)
{
    struct hierarchy_wanted wanted;
    struct render how = {.db = r->db, .names = r->server->names};
    struct text out = TEXT_INIT;
    bool more;
    if (!read_wanted(r, &wanted))
        return false;
    db_begin_read(r->db);
    wanted.root = rooms_by_id(r->db, r->params[0]);
    text_adds(&out, "{\"rooms\":");
    bool seen = wanted.root != 0 && hierarchy_render(&out, &how, &wanted, &more);
    db_end_read(r->db);
    if (!seen) {
        text_finish(&out);
        return refuse(r, ERROR_FORBIDDEN, "You are not allowed to view this room.");
    }
    if (more) {
        text_adds(&out, ",\"next_batch\":\"");
        hierarchy_token_add(
            &out, &(struct hierarchy_token){wanted.from + wanted.limit, wanted.max_depth, wanted.suggested_only});
        text_addc(&out, '"');
    }
    text_addc(&out, '}');
    return reply_text(r, &out);
}

/* unstable: beside the names that members have now, those that they had (MSC3266). */
static bool reply_summary(struct request *r, bool unstable)
{
    struct summary summary = {0};
    struct text out = TEXT_INIT;
    if (r->identity.user == 0 && room_access_school_mode(r))
        return refuse(r, ERROR_MISSING_TOKEN, NULL);
    user_no user = r->identity.user;
    bool by_alias = r->params[0][0] == '#';
    room_no room = by_alias ? directory_find(r->db, room_access_school_mode(r), r->params[0], user)
                            : rooms_by_id(r->db, r->params[0]);
    if (!by_alias && room != 0 && !room_access_may_know_room(r, room))
        room = 0;
    bool seen = room != 0 && summary_load(&summary, r->db, room) && summary_open_to(&summary, r->db, user);
    enum membership membership = seen && user != 0 ? memberships_of(r->db, room, user) : MEMBERSHIP_NONE;
    if (seen) {
        text_addc(&out, '{');
        summary_add(&out, &summary, true);
        if (unstable)
            summary_add_unstable(&out, &summary);
        if (user != 0)
            text_addf(&out, ",\"membership\":\"%s\"", membership_name(membership));
        text_addc(&out, '}');
    }
    summary_finish(&summary);
    return seen ? reply_text(r, &out) : refuse(r, ERROR_NOT_FOUND, "There is no such room.");
}

static bool get_summary(struct request *r)
{
    return reply_summary(r, false);
}

static bool get_unstable_summary(struct request *r)
{
    return reply_summary(r, true);
}

#define UNSTABLE "/_matrix/client/unstable/im.nheko.summary"
static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v1/rooms/{roomId}/hierarchy", get_hierarchy, ROUTE_AUTH, RATE_READ,
     "getSpaceHierarchy"},
    {HTTP_GET, "/_matrix/client/v1/room_summary/{roomIdOrAlias}", get_summary, ROUTE_AUTH_OPTIONAL, RATE_READ,
     "getRoomSummary"},
    {HTTP_GET, UNSTABLE "/rooms/{roomIdOrAlias}/summary", get_unstable_summary, ROUTE_AUTH_OPTIONAL, RATE_READ, NULL},
    {HTTP_GET, UNSTABLE "/summary/{roomIdOrAlias}", get_unstable_summary, ROUTE_AUTH_OPTIONAL, RATE_READ, NULL},
};
const struct routes HIERARCHY_ROUTES = ROUTES(TABLE);
