/* Client-Server API, "Presence". While it is off (the default), what people say of themselves is taken and not kept,
 * and everybody is offline, as other servers do it: clients take a refusal for a fault. For the same reason a school's
 * people may send a status message, which is not kept. */
#include <stdlib.h>
#include <string.h>

#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/sync/presence.h"
#include "homeserver/sync/sync_service.h"

static bool put_status(struct request *r)
{
    const char *name, *status_msg;
    enum presence_state state;
    if (strcmp(r->params[0], r->identity.user_id) != 0)
        return refuse(r, ERROR_FORBIDDEN, "Nobody can speak for another.");
    if (!body_string(r, "presence", &name) || !body_string_or(r, "status_msg", NULL, &status_msg))
        return false;
    if (!presence_state_from(name, &state))
        return refuse(r, ERROR_INVALID_PARAM, "presence must be online, offline or unavailable.");
    if (status_msg != NULL && strlen(status_msg) > PRESENCE_STATUS_MAX)
        return refuse(r, ERROR_INVALID_PARAM, "The status message is too long.");
    struct presence *presence = r->server->sync->presence;
    if (room_access_school_mode(r))
        status_msg = NULL; /* F1: everybody in the school's rooms would read it */
    return (presence == NULL ||
            presence_set(presence, r->identity.user, r->identity.device, state, status_msg, &r->error)) &&
           reply_empty(r);
}

/* Only those who share a room learn of each other, unless they are kept from each other (D9); and nobody learns who
 * exists. */
static bool may_see(struct request *r, user_no user)
{
    user_no asker = r->identity.user;
    return user == asker || (user != 0 && memberships_share_room(r->db, asker, user) &&
                             gate_profile(room_access_school_mode(r), r->db, asker, user, NULL));
}

static bool get_status(struct request *r)
{
    struct text body = TEXT_INIT;
    user_no user = users_by_id(r->db, user_names_server(r->server->names), r->params[0]);
    if (!may_see(r, user))
        return refuse(r, ERROR_FORBIDDEN, "You are not allowed to see their presence.");
    struct presence_status status = presence_get(r->server->sync->presence, user);
    presence_add_content(&body, &status);
    free(status.status_msg);
    return reply_text(r, &body);
}

static const struct route TABLE[] = {
    {HTTP_PUT, "/_matrix/client/v3/presence/{userId}/status", put_status, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE,
     "setPresence"},
    {HTTP_GET, "/_matrix/client/v3/presence/{userId}/status", get_status, ROUTE_AUTH, RATE_NONE, "getPresence"},
};
const struct routes PRESENCE_ROUTES = ROUTES(TABLE);
