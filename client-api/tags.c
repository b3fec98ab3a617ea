/* Room tags (Client-Server API, "Room Tagging"). */
#include <stdlib.h>
#include <string.h>

#include "client-api/user_path.h"
#include "client-api/routes.h"
#include "homeserver/accounts/account_data.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/account_data.h"

static bool get_tags(struct request *r)
{
    room_no room = user_path_own_room(r);
    if (room == 0)
        return false;
    struct error ignored = {0};
    char *text = account_data_get(r->db, r->identity.user, room, "m.tag");
    json_auto_t *content = text != NULL ? json_parse(text, strlen(text), &ignored) : NULL;
    json_t *tags = json_get_object(content, "tags");
    free(text);
    return reply_json(r, json_pack("{s:o}", "tags", tags != NULL ? json_incref(tags) : json_object()));
}

static bool put_tag(struct request *r)
{
    room_no room = user_path_own_room(r);
    return room != 0 &&
           account_data_set_tag(r->server->accounts, r->identity.user, room, r->params[2], r->body, &r->error) &&
           reply_empty(r);
}

static bool delete_tag(struct request *r)
{
    room_no room = user_path_own_room(r);
    return room != 0 && account_data_clear_tag(r->server->accounts, r->identity.user, room, r->params[2], &r->error) &&
           reply_empty(r);
}

#define TAGS "/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags"
static const struct route TABLE[] = {
    {HTTP_GET, TAGS, get_tags, ROUTE_AUTH, RATE_NONE, "getRoomTags"},
    {HTTP_PUT, TAGS "/{tag}", put_tag, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE, "setRoomTag"},
    {HTTP_DELETE, TAGS "/{tag}", delete_tag, ROUTE_AUTH, RATE_WRITE, "deleteRoomTag"},
};
const struct routes TAG_ROUTES = ROUTES(TABLE);
