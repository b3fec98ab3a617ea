/* Registration (Client-Server API, "Account registration"). */
#include <stdlib.h>
#include <string.h>

#include "client-api/uia_threepid.h"
#include "client-api/routes.h"
#include "client-api/login_common.h"
#include "homeserver/accounts/password.h"
#include "homeserver/accounts/register.h"
#include "homeserver/accounts/service_accounts.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/tokens.h"
#include "policy/signup/applications.h"

static const struct uia_stage *const DUMMY[] = {&UIA_DUMMY};
static const struct uia_stage *const TOKEN[] = {&STAGE_REGISTRATION_TOKEN};
static const struct uia_stage *const EMAIL_DUMMY[] = {&STAGE_EMAIL_REGISTER, &UIA_DUMMY};
static const struct uia_stage *const PHONE_DUMMY[] = {&STAGE_PHONE_REGISTER, &UIA_DUMMY};
static const struct uia_stage *const EMAIL_TOKEN[] = {&STAGE_EMAIL_REGISTER, &STAGE_REGISTRATION_TOKEN};
static const struct uia_stage *const PHONE_TOKEN[] = {&STAGE_PHONE_REGISTER, &STAGE_REGISTRATION_TOKEN};
/* A token is one of `parta token create`, or a school's link (C2). Who wants to bring an address (C3) proves it first:
 * the other stage completes a flow without one, too. */
static const struct flow {
    struct uia_flow flow;
    bool email, phone; /* only where the server verifies such */
    bool open;         /* not with registration.mode token */
} FLOWS[] = {
    {{DUMMY, 1}, .open = true},
    {{TOKEN, 1}},
    {{EMAIL_DUMMY, 2}, .email = true, .open = true},
    {{EMAIL_TOKEN, 2}, .email = true},
    {{PHONE_DUMMY, 2}, .phone = true, .open = true},
    {{PHONE_TOKEN, 2}, .phone = true},
};
#define N_FLOWS (sizeof FLOWS / sizeof *FLOWS)

static size_t flows_here(struct request *r, struct uia_flow out[N_FLOWS])
{
    bool by_token = r->server->config->registration.mode == REGISTRATION_TOKEN;
    size_t n = 0;
    for (size_t i = 0; i < N_FLOWS; ++i)
        if (!(FLOWS[i].open && by_token) && (!FLOWS[i].email || uia_threepid_offered(r, CONTACT_EMAIL)) &&
            (!FLOWS[i].phone || uia_threepid_offered(r, CONTACT_PHONE)))
            out[n++] = FLOWS[i].flow;
    return n;
}

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
    /* A5: a Matrix ID is opaque, and nobody learns by a name that is taken who else is here (A1). */
    if (r->server->config->policy.mode == POLICY_SCHOOL)
        reg->localpart = NULL;
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

/* Whoever comes by a school's link: account and application in one (policy/signup/signup.h). */
static bool sign_up(struct request *r, const struct wanted *wanted)
{
    const struct signing_up signing_up = request_signing_up(r);
    const struct registration *reg = &wanted->registration;
    struct signup_result result;
    if (!signup_by_link(&signing_up, r->db, reg, &APPLICANT_NOBODY, &result, &r->error))
        return false;
    return reg->device != NULL ? reply_signed_in(r, &result.login) : reply_made(r, &result.login);
}

static bool register_plainly(struct request *r, const struct wanted *wanted)
{
    struct login_result result;
    if (!register_account(r->server->accounts, &wanted->registration, &result, &r->error))
        return false;
    return wanted->registration.device != NULL ? reply_signed_in(r, &result) : reply_made(r, &result);
}

/* Whatever registration.mode says: the operator has let the service in. */
static bool register_by_service(struct request *r)
{
    bool inhibit_login;
    const char *username;
    struct device_wish device;
    struct login_result result;
    if (!service_shown(r) || !body_string(r, "username", &username) ||
        !body_bool_or(r, "inhibit_login", false, &inhibit_login) || !body_device_wish(r, &device) ||
        !service_account_create(r->server->accounts, r->identity.service, username, inhibit_login ? NULL : &device,
                                &result, &r->error))
        return false;
    return inhibit_login ? reply_made(r, &result) : reply_signed_in(r, &result);
}

static bool post_register(struct request *r)
{
    struct wanted wanted;
    struct uia_result proven;
    struct uia_flow flows[N_FLOWS];
    const char *type;
    if (!body_string_or(r, "type", NULL, &type))
        return false;
    if (type != NULL && strcmp(type, LOGIN_BY_SERVICE) == 0)
        return register_by_service(r);
    if (!kind_is_user(r) || !register_allowed(r->server->accounts, &r->error) || !body_wanted(r, &wanted))
        return false;
    if (!uia_pass(r, flows, flows_here(r, flows), NULL, &proven) || !body_wanted(r, &wanted))
        return false;
    if (wanted.registration.password == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "The password is missing.");
    wanted.registration.sid = uia_threepid_sid(&proven);
    wanted.registration.token = uia_value(&proven, STAGE_REGISTRATION_TOKEN.type);
    bool link = wanted.registration.token != NULL && signup_is_link(r->db, wanted.registration.token);
    return link ? sign_up(r, &wanted) : register_plainly(r, &wanted);
}

static bool get_available(struct request *r)
{
    const char *username = query_get(r, "username");
    if (username == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "The username is missing.");
    bool school_mode = r->server->config->policy.mode == POLICY_SCHOOL;
    return register_allowed(r->server->accounts, &r->error) &&
           (school_mode ? registration_name_allowed(r->server->accounts, username, &r->error)
                        : register_name_free(r->server->accounts, r->db, username, &r->error)) &&
           reply_json(r, json_pack("{s:b}", "available", 1));
}

/* A link says no more here than a token: whether it could be used. */
static bool get_validity(struct request *r)
{
    const struct signing_up signing_up = request_signing_up(r);
    struct link_row link;
    struct error why;
    const char *token = query_get(r, "token");
    if (token == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "The token is missing.");
    if (!register_allowed(r->server->accounts, &r->error))
        return false;
    bool valid = registration_token_well_formed(token) && (registration_tokens_valid(r->db, token, clock_wall_ms()) ||
                                                           signup_open(&signing_up, r->db, token, &link, &why));
    return reply_json(r, json_pack("{s:b}", "valid", (int)valid));
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v3/register", post_register, ROUTE_BODY | ROUTE_HASH | ROUTE_SERVICE_TOO,
     RATE_REGISTER, "register"},
    {HTTP_GET, "/_matrix/client/v3/register/available", get_available, 0, RATE_REGISTER, "checkUsernameAvailability"},
    {HTTP_GET, "/_matrix/client/v1/register/m.login.registration_token/validity", get_validity, 0, RATE_REGISTER,
     "registrationTokenValidity"},
};
const struct routes REGISTER_ROUTES = ROUTES(TABLE);
