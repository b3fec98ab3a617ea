/* One's own account (Client-Server API, "Account management"). */
#include "client-api/account.h"

#include <string.h>

#include "client-api/uia_threepid.h"
#include "client-api/routes.h"
#include "client-api/login_common.h"
#include "homeserver/accounts/password.h"
#include "homeserver/accounts/register.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/jobs/jobs.h"
#include "policy/rules/refusals.h"

/* Also for accounts that wait to be confirmed, who have nothing else to ask (A3), but not for locked ones. */
static bool get_whoami(struct request *r)
{
    if (r->identity.state == ACCOUNT_LOCKED) {
        refuse(r, ERROR_USER_LOCKED, NULL);
        r->error.soft_logout = true;
        return false;
    }
    return reply_json(r, json_pack("{s:s, s:s*, s:b}", "user_id", r->identity.user_id, "device_id",
                                   r->identity.device_id, "is_guest", 0));
}

static bool body_new_password(struct request *r, const char **password, bool *logout_devices)
{
    return body_string(r, "new_password", password) && body_bool_or(r, "logout_devices", true, logout_devices) &&
           password_acceptable(r->server->config, *password, &r->error);
}

static const struct uia_stage *const BY_EMAIL[] = {&STAGE_EMAIL_RESET};
static const struct uia_stage *const BY_PHONE[] = {&STAGE_PHONE_RESET};

/* Who has lost the password proves an address of the account instead. */
static bool reset_password(struct request *r)
{
    struct uia_flow flows[2];
    struct uia_result proven;
    const char *password;
    size_t n = 0;
    bool logout_devices;
    if (uia_threepid_offered(r, CONTACT_EMAIL))
        flows[n++] = (struct uia_flow){BY_EMAIL, 1};
    if (uia_threepid_offered(r, CONTACT_PHONE))
        flows[n++] = (struct uia_flow){BY_PHONE, 1};
    if (n == 0)
        return refuse(r, ERROR_MISSING_TOKEN, NULL);
    return uia_pass(r, flows, n, NULL, &proven) && body_new_password(r, &password, &logout_devices) &&
           account_reset_password(r->server->accounts, uia_threepid_sid(&proven), logout_devices, password,
                                  &r->error) &&
           reply_empty(r);
}

static bool post_password(struct request *r)
{
    const char *password;
    bool logout_devices, asks = json_object_get(r->body, "new_password") != NULL;
    if (asks && !body_new_password(r, &password, &logout_devices))
        return false;
    if (r->identity.user == 0)
        return reset_password(r);
    if (!password_proven(r) || !body_new_password(r, &password, &logout_devices))
        return false;
    return account_change_password(r->server->accounts, r->identity.user, r->identity.device, logout_devices, password,
                                   &r->error) &&
           reply_empty(r);
}

bool account_close(struct request *r, bool erase)
{
    struct error *e = &r->error;
    if (account_deactivate(r->server->accounts, r->identity.user, erase, e)) {
        jobs_poke(r->server->jobs, "erasures");
        return true;
    }
    /* E4: whom the roster holds cannot leave its rooms; the refusal says what they can do. */
    if (e->rule_code != NULL && strcmp(e->rule_code, refusal_of(RULE_E4_HELD_BY_ROSTER)->code) == 0)
        rule_refuse(e, RULE_E4_ACCOUNT_KEPT);
    return false;
}

static bool post_deactivate(struct request *r)
{
    bool erase;
    return password_proven(r) && body_bool_or(r, "erase", false, &erase) && account_close(r, erase) &&
           reply_json(r, json_pack("{s:s}", "id_server_unbind_result", "success")); /* there was none to unbind */
}

#define V3 "/_matrix/client/v3"
static const struct route TABLE[] = {
    {HTTP_GET, V3 "/account/whoami", get_whoami, ROUTE_AUTH | ROUTE_LOCKED_TOO, RATE_NONE, "getTokenOwner"},
    {HTTP_POST, V3 "/account/password", post_password, ROUTE_AUTH_OPTIONAL | ROUTE_PROOF, RATE_WRITE, "changePassword"},
    {HTTP_POST, V3 "/account/deactivate", post_deactivate, ROUTE_AUTH | ROUTE_PROOF, RATE_WRITE, "deactivateAccount"},
};
const struct routes ACCOUNT_ROUTES = ROUTES(TABLE);
