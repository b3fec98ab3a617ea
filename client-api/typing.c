/* Client-Server API, "Typing Notifications". */
#include <string.h>

#include "client-api/routes.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/sync/sync_service.h"
#include "homeserver/sync/typing.h"

static bool put_typing(struct request *r)
{
    const json_t *typing = json_object_get(r->body, "typing");
    int64_t timeout_ms;
    if (strcmp(r->params[1], r->identity.user_id) != 0)
        return refuse(r, ERROR_FORBIDDEN, "Nobody can type for another.");
    if (typing == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "typing is missing.");
    if (!json_is_boolean(typing))
        return refuse(r, ERROR_BAD_JSON, "typing must be true or false.");
    if (json_is_false(typing)) /* whatever a client says of the time: it has ended */
        timeout_ms = 0;
    else if (!body_int_or(r, "timeout", TYPING_TIMEOUT_MS, &timeout_ms))
        return false;
    else if (timeout_ms <= 0)
        return refuse(r, ERROR_INVALID_PARAM, "timeout must be positive.");
    return typing_set(r->server->sync->typing, r->params[0], r->identity.user, timeout_ms, &r->error) && reply_empty(r);
}

static const struct route TABLE[] = {
    {HTTP_PUT, "/_matrix/client/v3/rooms/{roomId}/typing/{userId}", put_typing, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE,
     "setTyping"},
};
const struct routes TYPING_ROUTES = ROUTES(TABLE);
