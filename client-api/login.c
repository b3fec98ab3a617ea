/* Signing in and out (Client-Server API, "Login", "Refreshing access tokens"). */
#include <string.h>

#include "client-api/routes.h"
#include "client-api/login_common.h"
#include "homeserver/accounts/devices.h"
#include "homeserver/accounts/nonces.h"
#include "homeserver/accounts/service_accounts.h"
#include "homeserver/base/clock.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

static bool reply_login(struct request *r)
{
    struct login_result result;
    login_end(r->written.state, &result);
    return reply_signed_in(r, &result);
}

/* What is tried is counted against the account; a token is long and random. */
static struct login_job *begin_by_password(struct request *r, const struct device_wish *wish)
{
    const char *user, *password;
    char identified[IDENTIFIER_BYTES];
    if ((user = identifier_user(r, r->body, identified)) == NULL || !body_string(r, "password", &password) ||
        !account_attempt(r, user, NULL))
        return NULL;
    return login_begin(r->server->accounts, r->db, user, password, wish, &r->error);
}

static struct login_job *begin_by_token(struct request *r, const struct device_wish *wish)
{
    const char *token;
    if (!body_string(r, "token", &token))
        return NULL;
    return login_begin_by_token(r->server->accounts, r->db, token, wish, &r->error);
}

static const struct {
    const char *type;
    struct login_job *(*begin)(struct request *r, const struct device_wish *wish);
} LOGIN_TYPES[] = {{"m.login.password", begin_by_password}, {"m.login.token", begin_by_token}};

/* Nothing is hashed, and nobody's password is asked for: the service's token is the proof. */
static bool login_by_service(struct request *r)
{
    char identified[IDENTIFIER_BYTES];
    struct device_wish wish;
    struct login_result result;
    const char *user = service_shown(r) ? identifier_user(r, r->body, identified) : NULL;
    return user != NULL && body_device_wish(r, &wish) &&
           service_account_sign_in(r->server->accounts, r->db, r->identity.service, user, &wish, &result, &r->error) &&
           reply_signed_in(r, &result);
}

static const struct write_kind LOGIN = {login_write, reply_login};

static bool post_login(struct request *r)
{
    const char *type;
    struct device_wish wish;
    size_t i = 0;
    if (!body_string(r, "type", &type))
        return false;
    if (strcmp(type, LOGIN_BY_SERVICE) == 0)
        return login_by_service(r);
    while (i < sizeof LOGIN_TYPES / sizeof *LOGIN_TYPES && strcmp(type, LOGIN_TYPES[i].type) != 0)
        ++i;
    if (i == sizeof LOGIN_TYPES / sizeof *LOGIN_TYPES) {
        refuse(r, ERROR_UNKNOWN, "This login type is not offered.");
        r->error.status = 400;
        return false;
    }
    struct login_job *job = body_device_wish(r, &wish) ? LOGIN_TYPES[i].begin(r, &wish) : NULL;
    return job != NULL && reply_when_written(r, &LOGIN, job);
}

/* For another device of the same person (MSC3882); proven anew each time. */
static bool post_get_token(struct request *r)
{
    char token[NONCE_CHARS + 1];
    if (!password_proven(r))
        return false;
    login_token_issue(r->server->accounts, r->db, r->identity.user, r->identity.device, token);
    return reply_json(r, json_pack("{s:s, s:i}", "login_token", token, "expires_in_ms", LOGIN_TOKEN_LIFETIME_MS));
}

static bool post_refresh(struct request *r)
{
    const char *token;
    struct login_result result;
    if (!body_string(r, "refresh_token", &token) || !login_refresh(r->server->accounts, 0, token, &result, &r->error))
        return false;
    json_t *reply = json_pack("{s:s, s:s}", "access_token", result.access_token, "refresh_token", result.refresh_token);
    if (result.expires_in_ms != 0)
        json_object_set_new(reply, "expires_in_ms", json_integer(result.expires_in_ms));
    login_result_finish(&result);
    return reply_json(r, reply);
}

static bool post_logout(struct request *r)
{
    if (r->identity.device_id == NULL) /* an application service signs nobody out without saying whom */
        return refuse(r, ERROR_INVALID_PARAM, "Which device is meant?");
    return device_delete(r->server->accounts, r->identity.user, r->identity.device_id, &r->error) && reply_empty(r);
}

static bool post_logout_all(struct request *r)
{
    return device_delete_all(r->server->accounts, r->identity.user, &r->error) && reply_empty(r);
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v3/login", post_login, ROUTE_BODY | ROUTE_HASH | ROUTE_SERVICE_TOO, RATE_LOGIN,
     "login"},
    {HTTP_POST, "/_matrix/client/v1/login/get_token", post_get_token, ROUTE_AUTH | ROUTE_PROOF, RATE_WRITE,
     "generateLoginToken"},
    {HTTP_POST, "/_matrix/client/v3/refresh", post_refresh, ROUTE_BODY, RATE_WRITE, "refresh"},
    {HTTP_POST, "/_matrix/client/v3/logout", post_logout, ROUTE_AUTH | ROUTE_LOCKED_TOO, RATE_NONE, "logout"},
    {HTTP_POST, "/_matrix/client/v3/logout/all", post_logout_all, ROUTE_AUTH | ROUTE_LOCKED_TOO, RATE_NONE,
     "logout_all"},
};
const struct routes LOGIN_ROUTES = ROUTES(TABLE);
