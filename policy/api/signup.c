/* Signing up by a link, for pages (C1–C5). Matrix clients do the same by /register with the link
 * as registration token. */
#include <string.h>

#include "client-api/login_common.h"
#include "homeserver/accounts/contacts.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "policy/api/api.h"
#include "policy/api/routes.h"
#include "policy/api/signup_json.h"
#include "policy/signup/applications.h"
#include "policy/signup/contact_required.h"
#include "policy/signup/signup.h"

/* --- What a link is for --- */

static json_t *media(unsigned needed)
{
    json_t *names = json_array();
    for (int medium = CONTACT_EMAIL; medium <= CONTACT_PHONE; ++medium)
        if ((needed & 1u << medium) != 0)
            json_array_append_new(names, json_string(contact_medium_name((enum contact_medium)medium)));
    return names;
}

/* School, class and role, and nothing of people. signed_in_as: so that a page can ask "is that you?" (C5). */
static bool post_look(struct request *r)
{
    const struct signing_up signing_up = request_signing_up(r);
    const char *token;
    struct link_row link;
    if (!body_string(r, "token", &token) || !signup_open(&signing_up, r->db, token, &link, &r->error))
        return false;
    json_t *out =
        json_pack("{s:s, s:I, s:o}", "kind", link_kind_name(link.kind), "expires_ts", (json_int_t)link.expires_ms,
                  "contact", media(contact_required(r->db, signing_up.contacts, &link)));
    if (link.role != 0)
        api_set(out, "role", school_role_name(link.role));
    if (link.school != 0)
        signup_json_place(out, r->db, link.school, link.class);
    if (r->identity.user != 0)
        api_set(out, "signed_in_as", r->identity.user_id);
    return reply_json(r, out);
}

/* --- Signing up --- */

/* C5: never from a session. */
static bool nobody_signed_in(struct request *r)
{
    if (r->identity.user == 0)
        return true;
    rule_refuse(&r->error, RULE_C5_SIGNED_IN);
    r->error.status = 409;
    return false;
}

/* {"contact": {"sid", "client_secret"}} */
static bool read_contact(struct request *r, const char **sid)
{
    json_t *contact;
    struct contact_address address;
    *sid = NULL;
    if (!body_object_or_null(r, "contact", &contact))
        return false;
    if (contact == NULL)
        return true;
    const char *secret = json_get_string(contact, "client_secret");
    *sid = json_get_string(contact, "sid");
    if (*sid == NULL || secret == NULL)
        return refuse_parameter(r, ERROR_MISSING_PARAM, "contact", "contact needs sid and client_secret.");
    return contacts_proven(r->db, *sid, secret, CODE_REGISTER, clock_wall_ms(), &address, &r->error);
}

static bool read_registration(struct request *r, struct registration *out, struct applicant *person,
                              struct device_wish *device)
{
    const struct signing_up signing_up = request_signing_up(r);
    struct link_row link;
    bool inhibit_login;
    *out = (struct registration){0};
    if (!body_string(r, "token", &out->token) || !body_string(r, "password", &out->password) ||
        !read_applicant(r, r->body, person) || !body_device_wish(r, device) ||
        !body_bool_or(r, "inhibit_login", false, &inhibit_login) ||
        !signup_open(&signing_up, r->db, out->token, &link, &r->error) || !read_contact(r, &out->sid))
        return false;
    out->device = inhibit_login ? NULL : device;
    if (link.kind != LINK_PERSONAL && (person->given[0] == '\0' || person->family[0] == '\0'))
        return refuse_parameter(r, ERROR_MISSING_PARAM, "given_name", "given_name and family_name are missing.");
    return true;
}

static bool post_signup(struct request *r)
{
    const struct signing_up signing_up = request_signing_up(r);
    struct registration registration;
    struct applicant person;
    struct device_wish device;
    struct signup_result result;
    if (!nobody_signed_in(r) || !read_registration(r, &registration, &person, &device) || !request_strict(r) ||
        !signup_by_link(&signing_up, r->db, &registration, &person, &result, &r->error))
        return false;
    return registration.device != NULL ? reply_signed_in(r, &result.login) : reply_made(r, &result.login);
}

/* Counted as sign-ins are: a whole class may come at once from behind one address, and no token can be guessed. */
#define ROUTE_ANYBODY (ROUTE_AUTH_OPTIONAL | ROUTE_STRICT | ROUTE_LOCKED_TOO | ROUTE_BODY)

static const struct route TABLE[] = {
    {HTTP_POST, "/_parta/v1/signup/look", post_look, ROUTE_ANYBODY, RATE_LOGIN, NULL},
    {HTTP_POST, "/_parta/v1/signup", post_signup, ROUTE_ANYBODY | ROUTE_HASH, RATE_LOGIN, NULL},
};
const struct routes API_SIGNUP_ROUTES = ROUTES(TABLE);
