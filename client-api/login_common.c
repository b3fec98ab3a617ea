#include "client-api/login_common.h"

#include <stdio.h>
#include <string.h>

#include "client-api/uia_threepid.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/accounts/register.h"
#include "homeserver/accounts/second_factor.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/http/address.h"
#include "homeserver/http/limits.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/tokens.h"
#include "homeserver/store/matrix/users.h"
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

bool service_shown(struct request *r)
{
    return r->identity.service != NULL || refuse(r, r->token != NULL ? ERROR_UNKNOWN_TOKEN : ERROR_MISSING_TOKEN,
                                                 "Only an application service, by its token, can do this.");
}

bool body_device_wish(struct request *r, struct device_wish *out)
{
    *out = (struct device_wish){.ip = r->ip};
    return body_string_or(r, "device_id", NULL, &out->device_id) &&
           body_string_or(r, "initial_device_display_name", NULL, &out->display_name) &&
           body_bool_or(r, "refresh_token", false, &out->refresh) && device_wish_valid(out, &r->error);
}

bool reply_signed_in(struct request *r, struct login_result *result)
{
    json_t *reply = json_pack("{s:s, s:s, s:s, s:s}", "user_id", result->user_id, "device_id", result->device_id,
                              "access_token", result->access_token, "home_server", r->server->config->server_name);
    if (result->refresh_token[0] != '\0')
        json_object_set_new(reply, "refresh_token", json_string(result->refresh_token));
    if (result->expires_in_ms != 0)
        json_object_set_new(reply, "expires_in_ms", json_integer(result->expires_in_ms));
    const struct config *config = r->server->config;
    const char *url = config->well_known.base_url != NULL ? config->well_known.base_url : config->public_baseurl;
    if (url != NULL)
        json_object_set_new(reply, "well_known", json_pack("{s:{s:s}}", "m.homeserver", "base_url", url));
    login_result_finish(result);
    return reply_json(r, reply);
}

bool reply_made(struct request *r, struct login_result *result)
{
    json_t *reply = json_pack("{s:s, s:s}", "user_id", result->user_id, "home_server", r->server->config->server_name);
    login_result_finish(result);
    return reply_json(r, reply);
}

struct seen {
    struct address place;
    bool here;
};

static void look_at_place(void *arg, const struct device_row *row)
{
    struct seen *seen = arg;
    struct address place;
    if (row->last_seen_ip == NULL || !address_parse(row->last_seen_ip, strlen(row->last_seen_ip), &place))
        return;
    address_place(&place);
    seen->here = seen->here || memcmp(place.bytes, seen->place.bytes, sizeof place.bytes) == 0;
}

/* Whether one of the account's sessions was last seen where the request comes from. */
static bool place_is_known(struct request *r, user_no user, char out[ADDRESS_TEXT])
{
    struct seen seen = {.here = false};
    if (!address_parse(r->ip, strlen(r->ip), &seen.place))
        return false;
    address_place(&seen.place);
    address_text(&seen.place, out);
    devices_each(r->db, user, look_at_place, &seen);
    return seen.here;
}

bool account_attempt(struct request *r, const char *user, const char *known)
{
    char key[ID_BYTES_MAX + 32], place[ADDRESS_TEXT];
    user_no no = login_user_of(r->server->accounts, r->db, user);
    if (no != 0 && known != NULL)
        snprintf(key, sizeof key, "account %lld %s", (long long)no, known);
    else if (no != 0 && no == r->identity.user && r->identity.device != 0)
        snprintf(key, sizeof key, "account %lld device %lld", (long long)no, (long long)r->identity.device);
    else if (no != 0 && place_is_known(r, no, place))
        snprintf(key, sizeof key, "account %lld place %s", (long long)no, place);
    else if (no != 0)
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
    if (!account_attempt(r, user, attempt->arg))
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

/* H1: guesses are counted with those at the password. */
static bool check_factor(struct request *r, const json_t *auth, struct uia_attempt *attempt)
{
    const char *code = json_get_string(auth, "code");
    if (code == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "The code is missing.");
    return account_attempt(r, r->identity.user_id, attempt->arg) &&
           second_factor_prove(r->server->accounts, r->identity.user, code, &r->error);
}

const struct uia_stage STAGE_SECOND_FACTOR = {.type = "org.parta.second_factor", .check = check_factor};

bool has_password(const struct request *r)
{
    struct user_row row;
    bool has = users_get(r->db, r->identity.user, &row) && row.password_hash != NULL;
    user_row_finish(&row);
    return has;
}

/* It is completed on its page (pages/sign_in_fallback.c) and nowhere else. */
static bool check_signed_in(struct request *r, const json_t *auth, struct uia_attempt *attempt)
{
    return refuse(r, ERROR_FORBIDDEN, "It was not confirmed on the page of this stage.");
}

const struct uia_stage STAGE_SIGNED_IN = {.type = "m.login.sso", .check = check_signed_in};

const struct uia_flow *proof_flow(const struct request *r)
{
    static const struct uia_stage *const BY_PASSWORD[] = {&STAGE_PASSWORD, &STAGE_SECOND_FACTOR};
    static const struct uia_stage *const BY_PROVIDER[] = {&STAGE_SIGNED_IN, &STAGE_SECOND_FACTOR};
    static const struct uia_flow FLOWS[2][2] = {{{BY_PROVIDER, 1}, {BY_PROVIDER, 2}},
                                                {{BY_PASSWORD, 1}, {BY_PASSWORD, 2}}};
    return &FLOWS[has_password(r)][second_factors_has(r->db, r->identity.user)];
}

bool session_is_oauth(const struct request *r)
{
    return r->identity.session != NULL && r->identity.session->oauth;
}

bool password_proven(struct request *r)
{
    if (session_is_oauth(r))
        return refuse(r, ERROR_UNRECOGNIZED, "This is done on the pages of the account, not by this client.");
    return uia_pass(r, proof_flow(r), 1, NULL, NULL);
}
