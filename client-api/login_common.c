#include "client-api/login_common.h"

#include <stdio.h>
#include <string.h>

#include "client-api/uia_threepid.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/accounts/register.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/http/limits.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/tokens.h"
#include "policy/signup/signup.h"

struct signing_up request_signing_up(struct request *r)
{
    return (struct signing_up){
        .accounts = r->server->accounts, .rooms = r->server->rooms, .contacts = r->server->contacts};
}

/* A phone number or e-mail address: whose it is. What is nobody's becomes a name that nobody can have, so that it is
 * answered and counted as a wrong name is. */
static const char *address_user(struct request *r, const struct contact_address *address, char out[IDENTIFIER_BYTES])
{
    user_no owner = contacts_owner(r->db, address);
    const char *user_id = owner != 0 ? user_names_get(r->server->names, r->db, owner) : NULL;
    if (user_id != NULL)
        snprintf(out, IDENTIFIER_BYTES, "%s", user_id);
    else
        snprintf(out, IDENTIFIER_BYTES, "%s %s", contact_medium_name(address->medium), address->address);
    return out;
}

static const char *identified_by_address(struct request *r, const json_t *identifier, bool phone,
                                         char out[IDENTIFIER_BYTES])
{
    struct contact_address address;
    const char *where = json_get_string(identifier, phone ? "country" : "medium");
    const char *typed = json_get_string(identifier, phone ? "phone" : "address");
    if (where == NULL || typed == NULL) {
        refuse(r, ERROR_MISSING_PARAM, "The identifier is not whole.");
        return NULL;
    }
    bool good =
        phone ? contact_phone(where, typed, &address, &r->error) : contact_from(where, typed, &address, &r->error);
    return good ? address_user(r, &address, out) : NULL;
}

const char *identifier_user(struct request *r, const json_t *object, char out[IDENTIFIER_BYTES])
{
    const json_t *identifier = json_get_object(object, "identifier");
    const char *type = json_get_string(identifier, "type");
    const char *user = json_get_string(identifier != NULL ? identifier : object, "user");
    bool phone = type != NULL && strcmp(type, "m.id.phone") == 0;
    if (uia_threepid_offered_any(r) && (phone || (type != NULL && strcmp(type, "m.id.thirdparty") == 0)))
        return identified_by_address(r, identifier, phone, out);
    if (type != NULL && strcmp(type, "m.id.user") != 0) {
        refuse(r, ERROR_FORBIDDEN, "Only user names identify people here, not phone numbers or e-mail addresses.");
        return NULL;
    }
    if (user == NULL)
        refuse(r, ERROR_MISSING_PARAM, "The identifier of the user is missing.");
    return user;
}

bool body_device_wish(struct request *r, struct device_wish *out)
{
    *out = (struct device_wish){.ip = r->ip};
    return body_string_or(r, "device_id", NULL, &out->device_id) &&
           body_string_or(r, "initial_device_display_name", NULL, &out->display_name) &&
           body_bool_or(r, "refresh_token", false, &out->refresh) && device_wish_valid(out, &r->error);
}

static json_t *well_known(const struct config *config)
{
    const char *url = config->well_known.base_url != NULL ? config->well_known.base_url : config->public_baseurl;
    return url != NULL ? json_pack("{s:{s:s}}", "m.homeserver", "base_url", url) : NULL;
}

bool reply_signed_in(struct request *r, struct login_result *result)
{
    json_t *reply = json_pack("{s:s, s:s, s:s, s:s}", "user_id", result->user_id, "device_id", result->device_id,
                              "access_token", result->access_token, "home_server", r->server->config->server_name);
    if (result->refresh_token[0] != '\0')
        json_object_set_new(reply, "refresh_token", json_string(result->refresh_token));
    if (result->expires_in_ms != 0)
        json_object_set_new(reply, "expires_in_ms", json_integer(result->expires_in_ms));
    json_t *discovery = well_known(r->server->config);
    if (discovery != NULL)
        json_object_set_new(reply, "well_known", discovery);
    login_result_finish(result);
    return reply_json(r, reply);
}

bool reply_made(struct request *r, struct login_result *result)
{
    json_t *reply = json_pack("{s:s, s:s}", "user_id", result->user_id, "home_server", r->server->config->server_name);
    login_result_finish(result);
    return reply_json(r, reply);
}

bool account_attempt(struct request *r, const char *user)
{
    char key[ID_BYTES_MAX + 32];
    user_no no = login_user_of(r->server->accounts, r->db, user);
    if (no != 0)
        snprintf(key, sizeof key, "account %lld", (long long)no);
    else
        snprintf(key, sizeof key, "name %.255s", user);
    int64_t wait_ms = limits_take_key(r->server->limits, RATE_ACCOUNT, key, clock_mono_ms());
    return wait_ms == 0 || error_set_limited(&r->error, wait_ms);
}

static bool check_password(struct request *r, const json_t *auth, struct uia_attempt *attempt)
{
    const struct accounts *accounts = r->server->accounts;
    char identified[IDENTIFIER_BYTES];
    const char *user = identifier_user(r, auth, identified), *password = json_get_string(auth, "password");
    if (user == NULL)
        return false;
    if (password == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "The password is missing.");
    if (login_user_of(accounts, r->db, user) != r->identity.user)
        return refuse(r, ERROR_FORBIDDEN, "This is not the account that is signed in.");
    if (!account_attempt(r, user))
        return false;
    return login_check_password(accounts, r->db, r->identity.user, password) ||
           refuse(r, ERROR_FORBIDDEN, "Wrong password.");
}

/* A link of a school is a token too (school.md C2); one that is not good any more says why. */
static bool check_registration_token(struct request *r, const json_t *auth, struct uia_attempt *attempt)
{
    const struct signing_up signing_up = request_signing_up(r);
    struct link_row link;
    const char *token = json_get_string(auth, "token");
    if (token == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "The registration token is missing.");
    if (!registration_token_well_formed(token) ||
        !(signup_is_link(r->db, token) ? signup_open(&signing_up, r->db, token, &link, &r->error)
                                       : registration_tokens_valid(r->db, token, clock_wall_ms())))
        return r->error.code == ERROR_NONE && refuse(r, ERROR_UNAUTHORIZED, "The registration token is not valid.");
    snprintf(attempt->value, sizeof attempt->value, "%s", token);
    return true;
}

const struct uia_stage STAGE_PASSWORD = {.type = "m.login.password", .check = check_password};
const struct uia_stage STAGE_REGISTRATION_TOKEN = {.type = "m.login.registration_token",
                                                   .check = check_registration_token};

static const struct uia_stage *const PASSWORD_ALONE[] = {&STAGE_PASSWORD};
const struct uia_flow PASSWORD_FLOW = {PASSWORD_ALONE, 1};
