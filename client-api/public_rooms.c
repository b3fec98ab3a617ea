/* The list of published rooms (Client-Server API, "Published room directory"). In school mode only who is signed in
 * gets it, and finds there the rooms of their own schools (school.md A1); external staff find none (E7). */
#include <stdlib.h>
#include <string.h>

#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/accounts/user_directory.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/acts/directory.h"
#include "homeserver/rooms/read/directory.h"
#include "homeserver/store/matrix/rooms.h"

#define ROOMS_DEFAULT 50
#define ROOMS_MAX 500
#define TYPES_MAX 32

static bool asked_here(struct request *r)
{
    const char *server = query_get(r, "server");
    return server == NULL || strcmp(server, r->server->config->server_name) == 0 ||
           refuse(r, ERROR_NOT_FOUND, "This server asks no other servers.");
}

static bool signed_in_enough(struct request *r)
{
    return r->identity.user != 0 || !room_access_school_mode(r) || refuse(r, ERROR_MISSING_TOKEN, NULL);
}

static bool read_since(struct request *r, const char *since, size_t *from)
{
    return since == NULL || *since == '\0' || directory_token(since, from) ||
           refuse(r, ERROR_INVALID_PARAM, "This is not a token of this server.");
}

static bool reply_rooms(struct request *r, struct directory_search *search)
{
    struct text out = TEXT_INIT;
    search->user = r->identity.user;
    search->school_mode = room_access_school_mode(r);
    db_begin_read(r->db);
    if (search->school_mode && user_directory_closed_to(r->db, search->user))
        search->n_types = 0; /* no type matches */
    directory_render(&out, r->db, search);
    db_end_read(r->db);
    return reply_text(r, &out);
}

static bool get_public_rooms(struct request *r)
{
    struct directory_search search = {.n_types = -1};
    int64_t limit;
    if (!signed_in_enough(r) || !asked_here(r) || !query_int(r, "limit", ROOMS_DEFAULT, 1, ROOMS_MAX, &limit) ||
        !read_since(r, query_get(r, "since"), &search.from))
        return false;
    search.limit = (size_t)limit;
    return reply_rooms(r, &search);
}

static bool read_types(struct request *r, json_t *filter, struct directory_search *search, const char *types[TYPES_MAX])
{
    size_t i;
    json_t *type, *list = json_object_get(filter, "room_types");
    search->types = types;
    search->n_types = json_is_array(list) ? (int)json_array_size(list) : -1;
    if (list != NULL && !json_is_array(list) && !json_is_null(list))
        return refuse(r, ERROR_BAD_JSON, "room_types must be a list.");
    if (search->n_types > TYPES_MAX)
        return refuse(r, ERROR_INVALID_PARAM, "There are too many room_types.");
    json_array_foreach(list, i, type) {
        if (!json_is_string(type) && !json_is_null(type))
            return refuse(r, ERROR_BAD_JSON, "room_types must be strings or null.");
        types[i] = json_string_value(type);
    }
    return true;
}

static bool read_term(struct request *r, json_t *filter, const char **term)
{
    const json_t *value = json_object_get(filter, "generic_search_term");
    *term = json_string_value(value);
    return value == NULL || json_is_null(value) || *term != NULL ||
           refuse(r, ERROR_BAD_JSON, "generic_search_term must be a string.");
}

static bool query_public_rooms(struct request *r)
{
    struct directory_search search = {0};
    const char *types[TYPES_MAX], *since;
    json_t *filter;
    int64_t limit;
    if (!asked_here(r) || !body_object_or_null(r, "filter", &filter) || !body_string_or(r, "since", NULL, &since) ||
        !body_int_or(r, "limit", ROOMS_DEFAULT, &limit) || !read_since(r, since, &search.from) ||
        !body_string_or(r, "third_party_instance_id", NULL, &search.network) ||
        !body_bool_or(r, "include_all_networks", false, &search.all_networks) ||
        !read_types(r, filter, &search, types) || !read_term(r, filter, &search.term))
        return false;
    if (search.all_networks && search.network != NULL)
        return refuse(r, ERROR_INVALID_PARAM, "One network and all of them cannot both be asked for.");
    search.limit = limit < 1 ? 1 : limit > ROOMS_MAX ? ROOMS_MAX : (size_t)limit;
    return reply_rooms(r, &search);
}

static bool get_visibility(struct request *r)
{
    struct room_row row;
    if (!signed_in_enough(r))
        return false;
    room_no room = rooms_by_id(r->db, r->params[0]);
    if (room == 0 || !room_access_may_know_room(r, room))
        return refuse(r, ERROR_NOT_FOUND, "There is no such room.");
    struct stmt *q = rooms_get(r->db, room);
    bool published = rooms_next(q, &row) && row.published;
    stmt_end(q);
    return reply_json(r, json_pack("{s:s}", "visibility", published ? "public" : "private"));
}

static bool put_visibility(struct request *r)
{
    const char *visibility;
    if (!body_string_or(r, "visibility", "public", &visibility))
        return false;
    bool published = strcmp(visibility, "public") == 0;
    if (!published && strcmp(visibility, "private") != 0)
        return refuse(r, ERROR_INVALID_PARAM, "visibility must be \"public\" or \"private\".");
    return directory_publish(r->server->rooms, r->server->writer, r->identity.user, r->identity.admin, r->params[0],
                             published, &r->error) &&
           reply_empty(r);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/publicRooms", get_public_rooms, ROUTE_AUTH_OPTIONAL, RATE_READ, "getPublicRooms"},
    {HTTP_POST, "/_matrix/client/v3/publicRooms", query_public_rooms, ROUTE_AUTH | ROUTE_BODY, RATE_READ,
     "queryPublicRooms"},
    {HTTP_GET, "/_matrix/client/v3/directory/list/room/{roomId}", get_visibility, ROUTE_AUTH_OPTIONAL, RATE_READ,
     "getRoomVisibilityOnDirectory"},
    {HTTP_PUT, "/_matrix/client/v3/directory/list/room/{roomId}", put_visibility, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE,
     "setRoomVisibilityOnDirectory"},
};
const struct routes PUBLIC_ROOMS_ROUTES = ROUTES(TABLE);
