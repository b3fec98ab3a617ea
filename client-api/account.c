/* One's own account (Client-Server API, "Account management", "Adding Account Administrative Contact Information"). */
#include "client-api/routes.h"
#include "client-api/signing_in.h"
#include "homeserver/accounts/password.h"
#include "homeserver/accounts/register.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

/* Also for accounts that wait to be confirmed, who have nothing else to ask (A3), but not for locked ones. */
static bool get_whoami(struct request *r)
{
    if (r->session->state == ACCOUNT_LOCKED) {
        refuse(r, ERROR_USER_LOCKED, NULL);
        r->error.soft_logout = true;
        return false;
    }
    return reply_json(r, json_pack("{s:s, s:s, s:b}", "user_id", r->session->user_id, "device_id",
                                   r->session->device_id, "is_guest", 0));
}

static bool body_new_password(struct request *r, const char **password, bool *logout_devices)
{
    return body_string(r, "new_password", password) && body_bool_or(r, "logout_devices", true, logout_devices) &&
           password_acceptable(r->server->config, *password, &r->error);
}

static bool post_password(struct request *r)
{
    const char *password;
    bool logout_devices, asks = json_object_get(r->body, "new_password") != NULL;
    if (asks && !body_new_password(r, &password, &logout_devices))
        return false;
    if (!uia_pass(r, &PASSWORD_FLOW, 1, NULL, NULL) || !body_new_password(r, &password, &logout_devices))
        return false;
    return account_change_password(r->server->accounts, r->session->user, r->session->device, logout_devices, password,
                                   &r->error) &&
           reply_empty(r);
}

static bool post_deactivate(struct request *r)
{
    bool erase;
    if (!uia_pass(r, &PASSWORD_FLOW, 1, NULL, NULL) || !body_bool_or(r, "erase", false, &erase))
        return false;
    return account_deactivate(r->server->accounts, r->session->user, erase, &r->error) &&
           reply_json(r, json_pack("{s:s}", "id_server_unbind_result", "success")); /* there was none to unbind */
}

/* A5: phone numbers and e-mail addresses are kept neither here nor at an identity server. */
static bool get_threepids(struct request *r)
{
    return reply_json(r, json_pack("{s:[]}", "threepids"));
}

static bool refuse_threepid(struct request *r)
{
    return refuse(r, ERROR_THREEPID_DENIED, "This server keeps no phone numbers or e-mail addresses.");
}

#define V3 "/_matrix/client/v3"
static const struct route TABLE[] = {
    {HTTP_GET, V3 "/account/whoami", get_whoami, ROUTE_AUTH | ROUTE_LOCKED_TOO, RATE_NONE, "getTokenOwner"},
    {HTTP_POST, V3 "/account/password", post_password, ROUTE_AUTH | ROUTE_BODY | ROUTE_HASH, RATE_WRITE,
     "changePassword"},
    {HTTP_POST, V3 "/account/deactivate", post_deactivate, ROUTE_AUTH | ROUTE_BODY | ROUTE_HASH, RATE_WRITE,
     "deactivateAccount"},
    {HTTP_GET, V3 "/account/3pid", get_threepids, ROUTE_AUTH, RATE_NONE, "getAccount3PIDs"},
    {HTTP_POST, V3 "/account/3pid", refuse_threepid, ROUTE_AUTH, RATE_WRITE, "post3PIDs"},
    {HTTP_POST, V3 "/account/3pid/add", refuse_threepid, ROUTE_AUTH, RATE_WRITE, "add3PID"},
    {HTTP_POST, V3 "/account/3pid/bind", refuse_threepid, ROUTE_AUTH, RATE_WRITE, "bind3PID"},
    {HTTP_POST, V3 "/account/3pid/delete", refuse_threepid, ROUTE_AUTH, RATE_WRITE, "delete3pidFromAccount"},
    {HTTP_POST, V3 "/account/3pid/unbind", refuse_threepid, ROUTE_AUTH, RATE_WRITE, "unbind3pidFromAccount"},
    {HTTP_POST, V3 "/account/3pid/email/requestToken", refuse_threepid, 0, RATE_REGISTER, "requestTokenTo3PIDEmail"},
    {HTTP_POST, V3 "/account/3pid/msisdn/requestToken", refuse_threepid, 0, RATE_REGISTER, "requestTokenTo3PIDMSISDN"},
    {HTTP_POST, V3 "/account/password/email/requestToken", refuse_threepid, 0, RATE_REGISTER,
     "requestTokenToResetPasswordEmail"},
    {HTTP_POST, V3 "/account/password/msisdn/requestToken", refuse_threepid, 0, RATE_REGISTER,
     "requestTokenToResetPasswordMSISDN"},
    {HTTP_POST, V3 "/register/email/requestToken", refuse_threepid, 0, RATE_REGISTER, "requestTokenToRegisterEmail"},
    {HTTP_POST, V3 "/register/msisdn/requestToken", refuse_threepid, 0, RATE_REGISTER, "requestTokenToRegisterMSISDN"},
};
const struct routes ACCOUNT_ROUTES = ROUTES(TABLE);
