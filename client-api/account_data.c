/* Account data (Client-Server API, "Client Config"). */
#include <stdlib.h>
#include <string.h>

#include "client-api/user_path.h"
#include "client-api/routes.h"
#include "homeserver/accounts/account_data.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/push/rules/document.h"
#include "homeserver/store/matrix/account_data.h"

static bool reply_content(struct request *r, room_no room, const char *type)
{
    struct text body = TEXT_INIT;
    char *content = account_data_get(r->db, r->identity.user, room, type);
    if (content == NULL)
        return refuse(r, ERROR_NOT_FOUND, "There is no account data of this type.");
    body = (struct text){content, strlen(content), strlen(content) + 1};
    return reply_text(r, &body);
}

static bool get_global(struct request *r)
{
    struct text body = TEXT_INIT;
    if (!user_path_own(r))
        return false;
    if (strcmp(r->params[1], PUSH_RULES_TYPE) != 0)
        return reply_content(r, 0, r->params[1]);
    /* The store has only what the user made of the push rules. */
    char *stored = account_data_get(r->db, r->identity.user, 0, PUSH_RULES_TYPE);
    push_rules_add_content(&body, stored, r->identity.user_id);
    free(stored);
    return reply_text(r, &body);
}

static bool put_global(struct request *r)
{
    return user_path_own(r) &&
           account_data_set(r->server->accounts, r->identity.user, 0, r->params[1], r->body, &r->error) &&
           reply_empty(r);
}

static bool get_of_room(struct request *r)
{
    room_no room = user_path_own_room(r);
    return room != 0 && reply_content(r, room, r->params[2]);
}

static bool put_of_room(struct request *r)
{
    room_no room = user_path_own_room(r);
    return room != 0 &&
           account_data_set(r->server->accounts, r->identity.user, room, r->params[2], r->body, &r->error) &&
           reply_empty(r);
}

#define USER "/_matrix/client/v3/user/{userId}"
static const struct route TABLE[] = {
    {HTTP_GET, USER "/account_data/{type}", get_global, ROUTE_AUTH, RATE_NONE, "getAccountData"},
    {HTTP_PUT, USER "/account_data/{type}", put_global, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE, "setAccountData"},
    {HTTP_GET, USER "/rooms/{roomId}/account_data/{type}", get_of_room, ROUTE_AUTH, RATE_NONE, "getAccountDataPerRoom"},
    {HTTP_PUT, USER "/rooms/{roomId}/account_data/{type}", put_of_room, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE,
     "setAccountDataPerRoom"},
};
const struct routes ACCOUNT_DATA_ROUTES = ROUTES(TABLE);
