/* The pages of the OAuth 2.0 API: what a person is asked before a program gets their session (the authorization
 * endpoint, RFC 6749 4.1.1; the verification URI, RFC 8628 3.3), and where clients send them to manage their account.
 * Whoever is not signed in signs in first and comes back to the same address; forms are taken from these pages alone
 * (client-api/pages/form_token.h). Nothing is done by opening an address. */
#include <stdlib.h>
#include <string.h>

#include "client-api/login_common.h"
#include "client-api/oauth/account_actions.h"
#include "client-api/oauth/authorization.h"
#include "client-api/oauth/common.h"
#include "client-api/oauth/redirect_uri.h"
#include "client-api/pages/page.h"
#include "client-api/pages/proof.h"
#include "client-api/routes.h"
#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/approvals.h"
#include "homeserver/accounts/login.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/percent.h"
#include "homeserver/http/limits.h"
#include "homeserver/http/server.h"

/* --- The authorization endpoint --- */

/* To an address that the client has registered. */
static bool send_to_client(struct request *r, struct text *address)
{
    page_go(r, "/parta/account");
    reply_header(r, "location", address->data);
    reply_header(r, "referrer-policy", "no-referrer");
    text_finish(address);
    return true;
}

static bool answer_refused(struct request *r, const struct authorization *a)
{
    struct text address = TEXT_INIT;
    if (!a->redirectable)
        return page_refuse(r, ERROR_INVALID_PARAM, WORD_ERROR_CONSENT_CLIENT);
    authorization_add_answer(&address, r, a, NULL);
    return send_to_client(r, &address);
}

/* The sign-in page, which leads back to this very question. */
static void add_other(struct text *out, const struct authorization_parameters *asked)
{
    struct text here = TEXT_INIT;
    char sep = '?';
    text_adds(&here, "/parta/oauth2/authorize");
#define X(name)                                                                                                        \
    if (asked->name != NULL) {                                                                                         \
        text_add_pair(&here, sep, #name, asked->name);                                                                 \
        sep = '&';                                                                                                     \
    }
    AUTHORIZATION_PARAMETERS(X)
#undef X
    text_adds(out, "/parta/sign-in");
    text_add_pair(out, '?', "next", here.data);
    text_finish(&here);
}

/* Anybody may register a client: an address that opens it by itself would lead wherever somebody likes (RFC 9700,
 * 4.11.2). Where the request is broken, too, the person sees where they would be sent, and goes there by the form.
 * Shown is what a client says of itself, and what it has proven by being there: the host, or the
 * scheme, of where it is. */
static bool show(struct request *r, const struct authorization *a)
{
    const struct authorization_parameters *asked = &a->asked;
    const char *name = json_get_string(a->client.metadata, "client_name"), *uri = asked->redirect_uri;
    struct text other = TEXT_INIT, where = TEXT_INIT;
    size_t len;
    add_other(&other, asked);
    const char *place = redirect_uri_place(uri, &len);
    text_add(&where, place, len);
    if (name == NULL)
        name = json_get_string(a->client.metadata, "client_uri");
    const struct page_handover asks = page_handover_asks(r, false);
    char *who = page_who(r);
    bool done = html_consent(r, &(struct consent_view){.broken = a->refused != OAUTH_OK,
                                                       .password = asks.password,
                                                       .factor = asks.factor,
                                                       .anew = asks.anew,
                                                       .name = name,
                                                       .where = where.data,
                                                       .user_id = r->identity.user_id,
                                                       .who = who,
                                                       .other = other.data,
                                                       .client_id = asked->client_id,
                                                       .redirect_uri = uri,
                                                       .response_type = asked->response_type,
                                                       .response_mode = asked->response_mode,
                                                       .scope = asked->scope,
                                                       .state = asked->state,
                                                       .code_challenge = asked->code_challenge,
                                                       .code_challenge_method = asked->code_challenge_method});
    if (done && a->refused != OAUTH_OK)
        reply_status(r, 400);
    page_may_lead_to(r, uri);
    free(who);
    text_finish(&other);
    text_finish(&where);
    return done;
}

static bool get_authorize(struct request *r)
{
    struct authorization a;
    if (!oauth_is_on(r))
        return false;
    authorization_read(r, &a);
    bool done = a.redirectable ? show(r, &a) : answer_refused(r, &a);
    authorization_finish(&a);
    return done;
}

static bool allows(const struct request *r)
{
    const char *decision = json_get_string(r->body, "decision");
    return decision != NULL && strcmp(decision, "allow") == 0;
}

static bool post_authorize(struct request *r)
{
    struct authorization a;
    struct text address = TEXT_INIT;
    bool done;
    if (!oauth_is_on(r))
        return false;
    authorization_read(r, &a);
    if (a.refused == OAUTH_OK && !allows(r))
        a.refused = OAUTH_ACCESS_DENIED;
    if (a.refused == OAUTH_OK && !page_handover_proven(r, false))
        done = show(r, &a);
    else if (a.refused == OAUTH_OK)
        done = authorization_allow(r, &a, &address) && send_to_client(r, &address);
    else
        done = answer_refused(r, &a);
    authorization_finish(&a);
    return done;
}

/* --- Another device's code --- */

/* Guesses are counted for who makes them (RFC 8628, 5.1). */
static bool guess_is_counted(struct request *r)
{
    char key[64];
    snprintf(key, sizeof key, "user codes of %lld", (long long)r->identity.user);
    int64_t wait_ms = limits_take_key(r->server->limits, RATE_ACCOUNT, key, clock_mono_ms());
    return wait_ms == 0 || error_set_limited(&r->error, wait_ms);
}

/* Everybody is asked who they are: who begins it, and from where, is not known, and "please confirm here" is a link to
 * the school's own page. */
static bool show_device(struct request *r, const struct oauth_device_code_row *row, const char *user_code)
{
    struct oauth_client client;
    struct text here = TEXT_INIT, other = TEXT_INIT;
    const struct page_handover asks = page_handover_asks(r, true);
    if (!oauth_client_find(r->db, row->client_id, &client))
        return refuse(r, ERROR_NOT_FOUND, NULL);
    text_adds(&here, "/parta/device");
    text_add_pair(&here, '?', "user_code", user_code);
    text_adds(&other, "/parta/sign-in");
    text_add_pair(&other, '?', "next", here.data);
    const char *name = json_get_string(client.metadata, "client_name");
    char *who = page_who(r);
    bool done = html_device_consent(
        r, &(struct device_consent_view){.name = name != NULL ? name : json_get_string(client.metadata, "client_uri"),
                                         .user_id = r->identity.user_id,
                                         .who = who,
                                         .password = asks.password,
                                         .factor = asks.factor,
                                         .anew = asks.anew,
                                         .device_id = row->device_id,
                                         .user_code = user_code,
                                         .address = row->address,
                                         .asked = row->expires_ms - OAUTH_DEVICE_CODE_LIFETIME_MS,
                                         .other = other.data});
    free(who);
    text_finish(&here);
    text_finish(&other);
    oauth_client_finish(&client);
    return done;
}

static bool show_code(struct request *r, const char *typed)
{
    struct oauth_device_code_row row;
    if (!oauth_device_find(r->db, typed, clock_wall_ms(), &row)) {
        page_refuse(r, ERROR_NOT_FOUND, WORD_ERROR_DEVICE_CODE);
        return html_device(r, &(struct device_view){.code = typed});
    }
    bool done = show_device(r, &row, typed);
    oauth_device_code_row_finish(&row);
    return done;
}

static bool get_device(struct request *r)
{
    if (!oauth_is_on(r))
        return false;
    const char *typed = query_get(r, "user_code");
    if (typed == NULL)
        return html_device(r, &(struct device_view){.code = ""});
    return guess_is_counted(r) ? show_code(r, typed) : html_device(r, &(struct device_view){.code = typed});
}

static bool post_device(struct request *r)
{
    const char *typed;
    if (!oauth_is_on(r) || !body_string(r, "user_code", &typed) || !guess_is_counted(r))
        return false;
    if (allows(r) && !page_handover_proven(r, true))
        return show_code(r, typed);
    if (!oauth_device_decide(r->server->accounts, typed, r->identity.user, allows(r), &r->error)) {
        if (r->error.code == ERROR_NOT_FOUND)
            page_refuse(r, ERROR_NOT_FOUND, WORD_ERROR_DEVICE_CODE);
        return html_device(r, &(struct device_view){.code = typed});
    }
    return page_go(r, allows(r) ? "/parta/device?done=device_allowed" : "/parta/device?done=device_denied");
}

/* --- The account's pages, and what a client may do once it was approved there --- */

static bool get_manage(struct request *r)
{
    struct text path = TEXT_INIT;
    const char *device_id = query_get(r, "device_id");
    text_adds(&path, account_action_page(query_get(r, "action")));
    if (device_id != NULL)
        text_add_pair(&path, '?', "device_id", device_id);
    bool done = page_go(r, path.data);
    text_finish(&path);
    return done;
}

static bool get_reset_keys(struct request *r)
{
    return html_reset_keys(r, &(struct reset_keys_view){.password = has_password(r),
                                                        .factor = page_wants_factor(r),
                                                        .user_id = r->identity.user_id});
}

static bool post_reset_keys(struct request *r)
{
    if (!page_password_proven(r))
        return get_reset_keys(r);
    unsigned char origin[TOKEN_HASH_BYTES];
    login_origin_of(r->db, r->identity.user, origin);
    approvals_give(r->server->accounts->approvals, r->identity.user, origin, clock_mono_ms());
    return page_go(r, "/parta/account?done=keys_approved");
}

/* Who waits to be confirmed signs in with an app, too, as with a password (A3). */
#define ROUTE_SIGNS_IN (ROUTE_PERSONS_PAGE | ROUTE_LOCKED_TOO)
static const struct route TABLE[] = {
    {HTTP_GET, "/parta/oauth2/authorize", get_authorize, ROUTE_SIGNS_IN, RATE_READ, NULL},
    {HTTP_POST, "/parta/oauth2/authorize", post_authorize, ROUTE_SIGNS_IN | ROUTE_POSTS | ROUTE_HASH, RATE_WRITE, NULL,
     NULL, page_body_max},
    {HTTP_GET, "/parta/device", get_device, ROUTE_SIGNS_IN, RATE_READ, NULL},
    {HTTP_POST, "/parta/device", post_device, ROUTE_SIGNS_IN | ROUTE_POSTS | ROUTE_HASH, RATE_WRITE, NULL, NULL,
     page_body_max},
    {HTTP_GET, "/parta/manage", get_manage, ROUTE_PERSONS_PAGE, RATE_NONE, NULL},
    {HTTP_GET, "/parta/account/reset-keys", get_reset_keys, ROUTE_PERSONS_PAGE, RATE_NONE, NULL},
    {HTTP_POST, "/parta/account/reset-keys", post_reset_keys, ROUTE_PERSONS_PAGE | ROUTE_POSTS | ROUTE_HASH, RATE_WRITE,
     NULL, NULL, page_body_max},
};
const struct routes OAUTH_CONSENT_ROUTES = ROUTES(TABLE);
