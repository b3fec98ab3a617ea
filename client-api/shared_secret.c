/* Registration by a shared secret: not of the specification, but what Matrix tools expect of a server
 * (accounts/shared_secret.h). */
#include "homeserver/accounts/shared_secret.h"

#include <string.h>

#include "client-api/routes.h"
#include "client-api/login_common.h"
#include "homeserver/accounts/nonces.h"
#include "homeserver/accounts/register.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

static bool is_on(struct request *r)
{
    return r->server->config->registration.shared_secret != NULL || refuse(r, ERROR_UNRECOGNIZED, NULL);
}

static bool get_nonce(struct request *r)
{
    char nonce[NONCE_CHARS + 1];
    if (!is_on(r))
        return false;
    nonces_issue(r->server->accounts->nonces, NULL, clock_mono_ms(), NONCE_LIFETIME_MS, nonce);
    return reply_json(r, json_pack("{s:s}", "nonce", nonce));
}

/* The names and passwords go into the digest as they came: a NUL in them cannot be, JSON with one is refused. */
static bool body_request(struct request *r, struct shared_secret_request *out, const char **mac)
{
    return body_string(r, "nonce", &out->nonce) && body_string(r, "username", &out->username) &&
           body_string(r, "password", &out->password) && body_bool_or(r, "admin", false, &out->admin) &&
           body_string_or(r, "user_type", NULL, &out->user_type) && body_string(r, "mac", mac);
}

static bool post_account(struct request *r)
{
    struct shared_secret_request asked;
    struct device_wish wish;
    struct login_result result;
    const char *mac, *display_name;
    bool inhibit_login;
    if (!is_on(r) || !body_request(r, &asked, &mac) || !body_string_or(r, "displayname", NULL, &display_name) ||
        !body_bool_or(r, "inhibit_login", false, &inhibit_login) || !body_device_wish(r, &wish))
        return false;
    if (!nonces_redeem(r->server->accounts->nonces, asked.nonce, clock_mono_ms(), NULL))
        return refuse(r, ERROR_INVALID_PARAM, "The nonce is not known, was used before or has expired.");
    if (!shared_secret_verify(r->server->config->registration.shared_secret, &asked, mac))
        return refuse(r, ERROR_FORBIDDEN, "The HMAC is not right.");
    if (asked.user_type != NULL)
        return refuse(r, ERROR_INVALID_PARAM, "There are no types of users here.");
    const struct registration account = {.localpart = asked.username,
                                         .password = asked.password,
                                         .display_name = display_name,
                                         .device = inhibit_login ? NULL : &wish,
                                         .admin = asked.admin,
                                         .by = "operator:shared-secret"};
    if (!account_create(r->server->accounts, &account, &result, &r->error))
        return false;
    return inhibit_login ? reply_made(r, &result) : reply_signed_in(r, &result);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_synapse/admin/v1/register", get_nonce, 0, RATE_REGISTER, NULL},
    {HTTP_POST, "/_synapse/admin/v1/register", post_account, ROUTE_BODY | ROUTE_HASH, RATE_REGISTER, NULL},
};
const struct routes SHARED_SECRET_ROUTES = ROUTES(TABLE);
