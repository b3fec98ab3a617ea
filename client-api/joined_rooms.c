/* The asker's rooms, and those shared with another (Client-Server API, "Room membership", "Mutual rooms"). */
#include <stdlib.h>

#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/users.h"

/* The ids of the rooms that user is joined to, and other too unless it is 0. */
static json_t *room_ids(struct db *db, user_no user, user_no other)
{
    struct membership_row row;
    json_t *ids = json_array();
    struct stmt *q = memberships_of_user(db, user);
    while (memberships_next(q, &row)) {
        if (row.membership != MEMBERSHIP_JOIN || (other != 0 && memberships_of(db, row.room, other) != MEMBERSHIP_JOIN))
            continue;
        char *id = rooms_id_of(db, row.room);
        json_array_append_new(ids, json_string(id));
        free(id);
    }
    stmt_end(q);
    return ids;
}

static bool get_joined_rooms(struct request *r)
{
    return reply_json(r, json_pack("{s:o}", "joined_rooms", room_ids(r->db, r->identity.user, 0)));
}

static bool reply_mutual_rooms(struct request *r, const char *user_id)
{
    if (user_id == NULL || !user_id_valid(user_id))
        return refuse(r, ERROR_INVALID_PARAM, "user_id is not a user id.");
    if (query_get(r, "from") != NULL)
        return refuse(r, ERROR_INVALID_PARAM, "This server answers in one batch: there is no such token.");
    user_no other = users_by_id(r->db, r->server->config->server_name, user_id);
    if (other == r->identity.user)
        return refuse(r, ERROR_INVALID_PARAM, "user_id is your own.");
    bool may =
        other != 0 && gate_profile(room_access_school_mode(r), r->db, r->identity.user, other, NULL); /* A6, D9 */
    json_t *ids = may ? room_ids(r->db, r->identity.user, other) : json_array();
    return reply_json(r, json_pack("{s:i, s:o}", "count", (int)json_array_size(ids), "joined", ids));
}

static bool get_mutual_rooms(struct request *r)
{
    return reply_mutual_rooms(r, query_get(r, "user_id"));
}

static bool get_rooms_shared_with(struct request *r)
{
    return reply_mutual_rooms(r, r->params[0]);
}

/* What MSC2666 called it, one name after the other. */
#define UNSTABLE "/_matrix/client/unstable/uk.half-shot.msc2666/user"

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/joined_rooms", get_joined_rooms, ROUTE_AUTH, RATE_NONE, "getJoinedRooms"},
    {HTTP_GET, "/_matrix/client/v1/mutual_rooms", get_mutual_rooms, ROUTE_AUTH, RATE_READ, "getMutualRooms"},
    {HTTP_GET, UNSTABLE "/mutual_rooms", get_mutual_rooms, ROUTE_AUTH, RATE_READ, NULL},
    {HTTP_GET, UNSTABLE "/mutual_rooms/{userId}", get_rooms_shared_with, ROUTE_AUTH, RATE_READ, NULL},
    {HTTP_GET, UNSTABLE "/shared_rooms/{userId}", get_rooms_shared_with, ROUTE_AUTH, RATE_READ, NULL},
};
const struct routes JOINED_ROOMS_ROUTES = ROUTES(TABLE);
