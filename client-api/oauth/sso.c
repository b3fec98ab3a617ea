/* Sign-in by a browser for clients that know no OAuth (Client-Server API, "Client login via SSO"): the client opens the
 * redirect endpoint, the person signs in on these pages, with a password or at a provider, second factor and all, is
 * asked whether the app may have it, and goes back with a token for POST /login: once, within two minutes.
 *
 * Any address may be asked for, since nobody registers one: so the person always sees where they go, and goes there by
 * a form of this server ("Security considerations" there). */
#include "client-api/oauth/sso.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client-api/oauth/common.h"
#include "client-api/pages/escape.h"
#include "client-api/pages/page.h"
#include "client-api/pages/proof.h"
#include "client-api/routes.h"
#include "homeserver/accounts/login.h"
#include "homeserver/base/percent.h"
#include "homeserver/http/server.h"
#include "homeserver/oidc/attempt.h"
#include "homeserver/oidc/providers.h"

#define ASK_PATH "/parta/sso"

static bool scheme_is(const char *url, size_t len, const char *scheme)
{
    return strlen(scheme) == len && strncasecmp(url, scheme, len) == 0;
}

/* What a browser itself opens, runs or reads. */
static bool scheme_is_browsers(const char *url, size_t len)
{
    static const char *const THEIRS[] = {"javascript", "data",       "vbscript", "file", "blob",        "about",
                                         "ftp",        "filesystem", "ws",       "wss",  "view-source", "mailto"};
    bool theirs = false;
    for (size_t i = 0; i < sizeof THEIRS / sizeof *THEIRS; ++i)
        theirs = theirs || scheme_is(url, len, THEIRS[i]);
    return theirs;
}

bool sso_redirect_valid(const char *url)
{
    size_t scheme = 0, len = strlen(url);
    if (len > SSO_REDIRECT_BYTES_MAX || !isalpha((unsigned char)url[0]))
        return false;
    for (size_t i = 0; i < len; ++i)
        if (url[i] <= ' ' || url[i] > '~' || strchr("\\\"<>^`{|}", url[i]) != NULL)
            return false;
    while (isalnum((unsigned char)url[scheme]) || (url[scheme] != '\0' && strchr("+-.", url[scheme]) != NULL))
        ++scheme;
    if (url[scheme] != ':' || url[scheme + 1] == '\0' || scheme_is_browsers(url, scheme))
        return false;
    if (!scheme_is(url, scheme, "http") && !scheme_is(url, scheme, "https"))
        return true;
    size_t host = strncmp(url + scheme, "://", 3) == 0 ? strcspn(url + scheme + 3, "/?#") : 0;
    return host != 0 && memchr(url + scheme + 3, '@', host) == NULL;
}

void sso_add_redirect(struct text *out, const char *url, const char *token)
{
    size_t before = strcspn(url, "#");
    const char *query = memchr(url, '?', before);
    text_add(out, url, before);
    text_add_pair(out, query == NULL ? '?' : '&', "loginToken", token);
    text_adds(out, url + before);
}

/* --- What the client opens --- */

static void add_ask(struct text *out, const char *url)
{
    text_adds(out, ASK_PATH);
    text_add_pair(out, '?', "redirectUrl", url);
}

/* Refused at the first step: a provider's answer carries no longer way on (OIDC_ATTEMPT_NEXT_MAX), and whoever has been
 * there would not come back to the app. */
static bool can_be_asked(const char *url)
{
    struct text ask = TEXT_INIT;
    if (!sso_redirect_valid(url))
        return false;
    add_ask(&ask, url);
    bool can = ask.len <= OIDC_ATTEMPT_NEXT_MAX;
    text_finish(&ask);
    return can;
}

static bool send_on(struct request *r, const char *provider)
{
    const char *url = query_get(r, "redirectUrl");
    struct text ask = TEXT_INIT, to = TEXT_INIT;
    if (url == NULL)
        return page_refuse(r, ERROR_MISSING_PARAM, WORD_ERROR_SSO_ADDRESS);
    if (!can_be_asked(url))
        return page_refuse(r, ERROR_INVALID_PARAM, WORD_ERROR_SSO_ADDRESS);
    add_ask(&ask, url);
    if (provider != NULL) {
        text_addf(&to, "/parta/sign-in/with/%s", provider);
        text_add_pair(&to, '?', "next", ask.data);
    }
    page_go(r, provider != NULL ? to.data : ask.data);
    reply_status(r, 302);
    text_finish(&ask);
    text_finish(&to);
    return true;
}

static bool get_redirect(struct request *r)
{
    return send_on(r, NULL);
}

static bool get_redirect_provider(struct request *r)
{
    const struct oidc_providers *set = r->server->providers;
    size_t i = oidc_providers_find(set, r->params[0]);
    if (set == NULL || i == set->n)
        return page_refuse(r, ERROR_NOT_FOUND, WORD_ERROR_NOT_FOUND);
    return send_on(r, set->all[i]->id);
}

/* --- What the person is asked --- */

static bool show(struct request *r, const char *url)
{
    struct text other = TEXT_INIT, here = TEXT_INIT, where = TEXT_INIT;
    size_t scheme = strcspn(url, ":");
    bool web = scheme_is(url, scheme, "http") || scheme_is(url, scheme, "https");
    const char *host = web ? url + scheme + 3 : url;
    text_add(&where, host, strcspn(host, web ? "/?#" : ":"));
    add_ask(&here, url);
    text_adds(&other, "/parta/sign-in");
    text_add_pair(&other, '?', "next", here.data);
    const struct page_handover asks = page_handover_asks(r, false);
    char *who = page_who(r);
    bool done = html_sso(r, &(struct sso_view){.where = where.data,
                                               .user_id = r->identity.user_id,
                                               .who = who,
                                               .password = asks.password,
                                               .factor = asks.factor,
                                               .anew = asks.anew,
                                               .redirect_url = url,
                                               .other = other.data});
    page_may_lead_to(r, url);
    free(who);
    text_finish(&other);
    text_finish(&here);
    text_finish(&where);
    return done;
}

static bool get_ask(struct request *r)
{
    const char *url = query_get(r, "redirectUrl");
    if (url == NULL || !can_be_asked(url))
        return page_refuse(r, ERROR_INVALID_PARAM, WORD_ERROR_SSO_ADDRESS);
    return show(r, url);
}

static bool post_ask(struct request *r)
{
    const char *url;
    char token[TOKEN_CHARS + 1];
    struct text address = TEXT_INIT;
    if (!body_string(r, "redirect_url", &url))
        return false;
    if (!can_be_asked(url))
        return page_refuse(r, ERROR_INVALID_PARAM, WORD_ERROR_SSO_ADDRESS);
    if (!page_handover_proven(r, false))
        return show(r, url);
    login_token_issue(r->server->accounts, r->db, r->identity.user, 0, token);
    sso_add_redirect(&address, url, token);
    page_go(r, "/parta/account");
    reply_header(r, "location", address.data);
    reply_header(r, "referrer-policy", "no-referrer");
    text_finish(&address);
    return true;
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/login/sso/redirect", get_redirect, ROUTE_ANYBODYS_PAGE, RATE_NONE, "redirectToSSO"},
    {HTTP_GET, "/_matrix/client/v3/login/sso/redirect/{idpId}", get_redirect_provider, ROUTE_ANYBODYS_PAGE, RATE_NONE,
     "redirectToIdP"},
    {HTTP_GET, ASK_PATH, get_ask, ROUTE_PENDING_TOO, RATE_READ, NULL},
    {HTTP_POST, ASK_PATH, post_ask, ROUTE_PENDING_TOO | ROUTE_POSTS | ROUTE_HASH, RATE_WRITE, NULL, NULL,
     page_body_max},
};
const struct routes OAUTH_SSO_ROUTES = ROUTES(TABLE);
