/* Room aliases (Client-Server API, "Room Aliases"). */
#include <stdlib.h>
#include <string.h>

#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/acts/directory.h"
#include "homeserver/rooms/read/directory.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/rooms.h"

static bool alias_given(struct request *r)
{
    return alias_valid(r->params[0]) || refuse(r, ERROR_INVALID_PARAM, "This is not a room alias.");
}

static bool get_alias(struct request *r)
{
    if (!alias_given(r))
        return false;
    if (r->identity.user == 0 && room_access_school_mode(r))
        return refuse(r, ERROR_MISSING_TOKEN, NULL);
    if (r->identity.user != 0 && r->server->ask_services != NULL)
        r->server->ask_services(r, r->params[0]);
    room_no room = directory_find(r->db, room_access_school_mode(r), r->params[0], r->identity.user);
    char *room_id = room != 0 ? rooms_id_of(r->db, room) : NULL;
    if (room_id == NULL)
        return refuse(r, ERROR_NOT_FOUND, "There is no such alias.");
    reply_json(r, json_pack("{s:s, s:[s]}", "room_id", room_id, "servers", r->server->config->server_name));
    free(room_id);
    return true;
}

static bool put_alias(struct request *r)
{
    const char *room_id;
    if (!alias_given(r) || !body_string(r, "room_id", &room_id))
        return false;
    if (!room_id_valid(room_id))
        return refuse(r, ERROR_INVALID_PARAM, "room_id is not a room id.");
    if (strcmp(id_server(r->params[0]), r->server->config->server_name) != 0)
        return refuse(r, ERROR_INVALID_PARAM, "The alias is of another server.");
    return directory_set_alias(r->server->rooms, r->server->writer, r->identity.user, r->params[0], room_id,
                               &r->error) &&
           reply_empty(r);
}

static bool delete_alias(struct request *r)
{
    return alias_given(r) &&
           directory_delete_alias(r->server->rooms, r->server->writer, r->identity.user, r->identity.admin,
                                  r->params[0], &r->error) &&
           reply_empty(r);
}

static bool aliases(struct request *r, struct room_access *reading)
{
    json_t *list = json_array();
    if (visibility_membership(reading->visibility) != MEMBERSHIP_JOIN &&
        visibility_state_pos(reading->visibility) != INT64_MAX) {
        json_decref(list);
        return refuse(r, ERROR_FORBIDDEN, "You are not in this room.");
    }
    struct stmt *q = aliases_of_room(r->db, reading->room);
    while (stmt_next(q))
        json_array_append_new(list, json_string(col_text(q, 0)));
    stmt_end(q);
    return reply_json(r, json_pack("{s:o}", "aliases", list));
}

static bool get_aliases(struct request *r)
{
    return room_access_room(r, ERROR_FORBIDDEN, aliases);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/directory/room/{roomAlias}", get_alias, ROUTE_AUTH_OPTIONAL, RATE_READ,
     "getRoomIdByAlias"},
    {HTTP_PUT, "/_matrix/client/v3/directory/room/{roomAlias}", put_alias, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE,
     "setRoomAlias"},
    {HTTP_DELETE, "/_matrix/client/v3/directory/room/{roomAlias}", delete_alias, ROUTE_AUTH, RATE_WRITE,
     "deleteRoomAlias"},
    {HTTP_GET, "/_matrix/client/v3/rooms/{roomId}/aliases", get_aliases, ROUTE_AUTH, RATE_READ, "getLocalAliases"},
};
const struct routes DIRECTORY_ROUTES = ROUTES(TABLE);
