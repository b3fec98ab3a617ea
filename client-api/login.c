/* Signing in and out (Client-Server API, "Login", "Refreshing access tokens"). */
#include <string.h>

#include "client-api/routes.h"
#include "client-api/login_common.h"
#include "homeserver/accounts/devices.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

static bool get_login(struct request *r)
{
    return reply_json(r, json_pack("{s:[{s:s}]}", "flows", "type", "m.login.password"));
}

static bool reply_login(struct request *r)
{
    struct login_result result;
    login_end(r->written.state, &result);
    return reply_signed_in(r, &result);
}

static bool post_login(struct request *r)
{
    const char *type, *user, *password;
    char identified[IDENTIFIER_BYTES];
    struct device_wish wish;
    if (!body_string(r, "type", &type))
        return false;
    if (strcmp(type, "m.login.password") != 0) {
        refuse(r, ERROR_UNKNOWN, "This login type is not offered.");
        r->error.status = 400;
        return false;
    }
    if ((user = identifier_user(r, r->body, identified)) == NULL || !body_string(r, "password", &password) ||
        !body_device_wish(r, &wish) || !account_attempt(r, user))
        return false;
    struct login_job *job = login_begin(r->server->accounts, r->db, user, password, &wish, &r->error);
    return job != NULL && reply_when_written(r, login_write, job, reply_login);
}

static bool post_refresh(struct request *r)
{
    const char *token;
    struct login_result result;
    if (!body_string(r, "refresh_token", &token) || !login_refresh(r->server->accounts, token, &result, &r->error))
        return false;
    json_t *reply = json_pack("{s:s, s:s}", "access_token", result.access_token, "refresh_token", result.refresh_token);
    if (result.expires_in_ms != 0)
        json_object_set_new(reply, "expires_in_ms", json_integer(result.expires_in_ms));
    login_result_finish(&result);
    return reply_json(r, reply);
}

static bool post_logout(struct request *r)
{
    return device_delete(r->server->accounts, r->identity.user, r->identity.device_id, &r->error) && reply_empty(r);
}

static bool post_logout_all(struct request *r)
{
    return device_delete_all(r->server->accounts, r->identity.user, &r->error) && reply_empty(r);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/login", get_login, 0, RATE_NONE, "getLoginFlows"},
    {HTTP_POST, "/_matrix/client/v3/login", post_login, ROUTE_BODY | ROUTE_HASH, RATE_LOGIN, "login"},
    {HTTP_POST, "/_matrix/client/v3/refresh", post_refresh, ROUTE_BODY, RATE_WRITE, "refresh"},
    {HTTP_POST, "/_matrix/client/v3/logout", post_logout, ROUTE_AUTH | ROUTE_LOCKED_TOO, RATE_NONE, "logout"},
    {HTTP_POST, "/_matrix/client/v3/logout/all", post_logout_all, ROUTE_AUTH | ROUTE_LOCKED_TOO, RATE_NONE,
     "logout_all"},
};
const struct routes LOGIN_ROUTES = ROUTES(TABLE);
