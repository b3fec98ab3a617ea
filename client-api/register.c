/* Registration (Client-Server API, "Account registration"). */
#include <stdlib.h>
#include <string.h>

#include "client-api/routes.h"
#include "client-api/signing_in.h"
#include "homeserver/accounts/password.h"
#include "homeserver/accounts/register.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/registration.h"

static const struct uia_stage *const DUMMY[] = {&UIA_DUMMY};
static const struct uia_stage *const TOKEN[] = {&STAGE_REGISTRATION_TOKEN};
static const struct uia_flow OPEN_FLOW = {DUMMY, 1};
static const struct uia_flow TOKEN_FLOW = {TOKEN, 1};

struct wanted {
    struct registration registration;
    struct device_wish device;
};

/* What the body asks for, as far as it can be judged before authentication: names and passwords that will not do are
 * refused first. */
static bool body_wanted(struct request *r, struct wanted *out)
{
    bool inhibit_login;
    struct registration *reg = &out->registration;
    *out = (struct wanted){0};
    if (!body_string_or(r, "username", NULL, &reg->localpart) || !body_string_or(r, "password", NULL, &reg->password) ||
        !body_bool_or(r, "inhibit_login", false, &inhibit_login) || !body_device_wish(r, &out->device))
        return false;
    reg->device = inhibit_login ? NULL : &out->device;
    if (reg->localpart != NULL && !register_name_free(r->server->accounts, r->db, reg->localpart, &r->error))
        return false;
    return reg->password == NULL || password_acceptable(r->server->config, reg->password, &r->error);
}

static bool kind_is_user(struct request *r)
{
    const char *kind = query_get(r, "kind");
    if (kind == NULL || strcmp(kind, "user") == 0)
        return true;
    if (strcmp(kind, "guest") == 0)
        return refuse(r, ERROR_GUEST_ACCESS_FORBIDDEN, "Guest accounts are not offered on this server.");
    return refuse(r, ERROR_INVALID_PARAM, "There is no such kind of account.");
}

static bool post_register(struct request *r)
{
    struct accounts *accounts = r->server->accounts;
    bool by_token = r->server->config->registration.mode == REGISTRATION_TOKEN;
    struct wanted wanted;
    struct uia_result proven;
    struct login_result result;
    if (!kind_is_user(r) || !register_allowed(accounts, &r->error) || !body_wanted(r, &wanted))
        return false;
    if (!uia_pass(r, by_token ? &TOKEN_FLOW : &OPEN_FLOW, 1, NULL, &proven) || !body_wanted(r, &wanted))
        return false;
    if (wanted.registration.password == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "The password is missing.");
    wanted.registration.token = uia_value(&proven, STAGE_REGISTRATION_TOKEN.type);
    if (!register_account(accounts, &wanted.registration, &result, &r->error))
        return false;
    return wanted.registration.device != NULL ? reply_signed_in(r, &result) : reply_made(r, &result);
}

static bool get_available(struct request *r)
{
    const char *username = query_get(r, "username");
    if (username == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "The username is missing.");
    return register_allowed(r->server->accounts, &r->error) &&
           register_name_free(r->server->accounts, r->db, username, &r->error) &&
           reply_json(r, json_pack("{s:b}", "available", 1));
}

static bool get_validity(struct request *r)
{
    const char *token = query_get(r, "token");
    if (token == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "The token is missing.");
    if (!register_allowed(r->server->accounts, &r->error))
        return false;
    bool valid = registration_token_well_formed(token) && registration_tokens_valid(r->db, token, clock_wall_ms());
    return reply_json(r, json_pack("{s:b}", "valid", (int)valid));
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v3/register", post_register, ROUTE_BODY | ROUTE_HASH, RATE_REGISTER, "register"},
    {HTTP_GET, "/_matrix/client/v3/register/available", get_available, 0, RATE_REGISTER, "checkUsernameAvailability"},
    {HTTP_GET, "/_matrix/client/v1/register/m.login.registration_token/validity", get_validity, 0, RATE_REGISTER,
     "registrationTokenValidity"},
};
const struct routes REGISTER_ROUTES = ROUTES(TABLE);
