/* Phone numbers and e-mail addresses of one's own account (Client-Server API, "Adding Account Administrative Contact
 * Information"; school.md C3). The server verifies them itself, by a code that the person types in; there is no
 * identity server, so that nothing is bound to one (A5). */
#include <string.h>

#include "client-api/contact_codes.h"
#include "client-api/uia_threepid.h"
#include "client-api/routes.h"
#include "client-api/login_common.h"
#include "homeserver/accounts/register.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/http/address.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/rule_facts.h"
#include "policy/signup/links.h"

static bool refuse_denied(struct request *r)
{
    return refuse(r, ERROR_THREEPID_DENIED, "This server keeps no phone numbers or e-mail addresses.");
}

static bool refuse_identity_server(struct request *r)
{
    return refuse(r, ERROR_THREEPID_DENIED, "This server uses no identity server: addresses are added with 3pid/add.");
}

static bool body_address(struct request *r, enum contact_medium medium, struct contact_address *out)
{
    const char *country, *typed;
    if (medium == CONTACT_EMAIL)
        return body_string(r, "email", &typed) && contact_email(typed, out, &r->error);
    return body_string(r, "country", &country) && body_string(r, "phone_number", &typed) &&
           contact_phone(country, typed, out, &r->error);
}

/* Whose messages it counts among: of who is signed in, or of the link that somebody signs up by. */
static void asker(struct request *r, const char *token, struct link_row *link, struct code_request *out)
{
    struct error ignored;
    int n = 0;
    if (r->identity.user != 0) {
        school_schools_of(r->db, r->identity.user, &out->school, 1, &n);
    } else if (out->purpose == CODE_REGISTER && token != NULL &&
               link_find(r->db, token, clock_wall_ms(), link, &ignored)) {
        out->link = link;
        out->school = link->school;
        if (link->school == 0) /* a child's, for a parent */
            school_schools_of(r->db, link->person, &out->school, 1, &n);
    }
}

/* The place that limits know the client by. */
static const char *place_of_asker(struct request *r, char out[ADDRESS_TEXT])
{
    struct address place;
    out[0] = '\0';
    if (address_parse(r->ip, strlen(r->ip), &place)) {
        address_place(&place);
        address_text(&place, out);
    }
    return out;
}

bool contact_code_ask(struct request *r, const struct code_asked *wanted, char sid[SID_CHARS + 1])
{
    char place[ADDRESS_TEXT];
    struct link_row link;
    struct code_request asked = {.purpose = wanted->purpose,
                                 .address = wanted->address,
                                 .client_secret = wanted->client_secret,
                                 .client = place_of_asker(r, place),
                                 .user = r->identity.user,
                                 .known = wanted->known,
                                 .send_attempt = wanted->send_attempt};
    asker(r, wanted->link, &link, &asked);
    if (!uia_threepid_offered(r, wanted->address->medium))
        return refuse_denied(r);
    return contacts_request_code(r->server->contacts, &asked, sid, &r->error);
}

/* Answers alike whether or not the address is known here; the message tells (accounts/contacts.h). A page may name its
 * link as "org.parta.token" (a Matrix client has no place for it). */
static bool request_code(struct request *r, enum contact_medium medium, enum code_purpose purpose)
{
    struct contact_address address;
    struct code_asked asked = {
        .purpose = purpose, .address = &address, .link = json_get_string(r->body, "org.parta.token")};
    const struct config *config = r->server->config;
    const char *base = config->public_baseurl;
    char sid[SID_CHARS + 1];
    if (!uia_threepid_offered(r, medium))
        return refuse_denied(r);
    if (!body_address(r, medium, &address) || !body_string(r, "client_secret", &asked.client_secret) ||
        !body_int_or(r, "send_attempt", -1, &asked.send_attempt))
        return false;
    if (json_object_get(r->body, "send_attempt") == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "send_attempt is missing.");
    return contact_code_ask(r, &asked, sid) &&
           reply_json(r, json_pack("{s:s, s:o}", "sid", sid, "submit_url",
                                   json_sprintf("%s%s/_parta/v1/verifications/%s/code", base != NULL ? "" : "https://",
                                                base != NULL ? base : config->server_name, sid)));
}

static bool post_email_add(struct request *r)
{
    return request_code(r, CONTACT_EMAIL, CODE_ADD);
}

static bool post_phone_add(struct request *r)
{
    return request_code(r, CONTACT_PHONE, CODE_ADD);
}

static bool post_email_reset(struct request *r)
{
    return request_code(r, CONTACT_EMAIL, CODE_RESET);
}

static bool post_phone_reset(struct request *r)
{
    return request_code(r, CONTACT_PHONE, CODE_RESET);
}

static bool post_email_register(struct request *r)
{
    return register_allowed(r->server->accounts, &r->error) && request_code(r, CONTACT_EMAIL, CODE_REGISTER);
}

static bool post_phone_register(struct request *r)
{
    return register_allowed(r->server->accounts, &r->error) && request_code(r, CONTACT_PHONE, CODE_REGISTER);
}

static void list_contact(void *arg, const struct contact *contact)
{
    json_array_append_new(arg, json_pack("{s:s, s:s, s:I, s:I}", "medium", contact_medium_name(contact->address.medium),
                                         "address", contact->address.address, "validated_at",
                                         (json_int_t)contact->verified_ms, "added_at", (json_int_t)contact->added_ms));
}

static bool get_threepids(struct request *r)
{
    json_t *list = json_array();
    contacts_each(r->db, r->identity.user, list_contact, list);
    return reply_json(r, json_pack("{s:o}", "threepids", list));
}

static bool post_add(struct request *r)
{
    const char *sid, *secret;
    if (!uia_threepid_offered_any(r))
        return refuse_denied(r);
    return password_proven(r) && body_string(r, "sid", &sid) && body_string(r, "client_secret", &secret) &&
           contacts_add(r->server->contacts, r->identity.user, sid, secret, &r->error) && reply_empty(r);
}

static bool post_delete(struct request *r)
{
    const char *medium, *typed;
    struct contact_address address;
    /* Where no addresses are verified any more, old ones can still be taken back. */
    if (r->server->contacts == NULL ||
        (!uia_threepid_offered_any(r) && contacts_count(r->db, r->identity.user, CONTACT_EMAIL) == 0 &&
         contacts_count(r->db, r->identity.user, CONTACT_PHONE) == 0))
        return refuse_denied(r);
    if (!body_string(r, "medium", &medium) || !body_string(r, "address", &typed) ||
        !contact_from(medium, typed, &address, &r->error))
        return false;
    return contacts_remove(r->server->contacts, r->identity.user, &address, &r->error) &&
           reply_json(r, json_pack("{s:s}", "id_server_unbind_result", "no-support"));
}

#define V3 "/_matrix/client/v3"
static const struct route TABLE[] = {
    {HTTP_GET, V3 "/account/3pid", get_threepids, ROUTE_AUTH, RATE_NONE, "getAccount3PIDs"},
    {HTTP_POST, V3 "/account/3pid", refuse_identity_server, ROUTE_AUTH, RATE_WRITE, "post3PIDs"},
    {HTTP_POST, V3 "/account/3pid/add", post_add, ROUTE_AUTH | ROUTE_PROOF, RATE_WRITE, "add3PID"},
    {HTTP_POST, V3 "/account/3pid/bind", refuse_identity_server, ROUTE_AUTH, RATE_WRITE, "bind3PID"},
    {HTTP_POST, V3 "/account/3pid/delete", post_delete, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE, "delete3pidFromAccount"},
    {HTTP_POST, V3 "/account/3pid/unbind", refuse_identity_server, ROUTE_AUTH, RATE_WRITE, "unbind3pidFromAccount"},
    {HTTP_POST, V3 "/account/3pid/email/requestToken", post_email_add,
     ROUTE_AUTH_OPTIONAL | ROUTE_LOCKED_TOO | ROUTE_BODY, RATE_CODES, "requestTokenTo3PIDEmail"},
    {HTTP_POST, V3 "/account/3pid/msisdn/requestToken", post_phone_add,
     ROUTE_AUTH_OPTIONAL | ROUTE_LOCKED_TOO | ROUTE_BODY, RATE_CODES, "requestTokenTo3PIDMSISDN"},
    {HTTP_POST, V3 "/account/password/email/requestToken", post_email_reset, ROUTE_BODY, RATE_CODES,
     "requestTokenToResetPasswordEmail"},
    {HTTP_POST, V3 "/account/password/msisdn/requestToken", post_phone_reset, ROUTE_BODY, RATE_CODES,
     "requestTokenToResetPasswordMSISDN"},
    {HTTP_POST, V3 "/register/email/requestToken", post_email_register, ROUTE_BODY, RATE_CODES,
     "requestTokenToRegisterEmail"},
    {HTTP_POST, V3 "/register/msisdn/requestToken", post_phone_register, ROUTE_BODY, RATE_CODES,
     "requestTokenToRegisterMSISDN"},
};
const struct routes CONTACT_ROUTES = ROUTES(TABLE);
