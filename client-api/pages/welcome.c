/* What people see who come to the server by its name alone; and the choice of the language, which
 * stands on each page. */
#include <string.h>

#include "client-api/pages/cookies.h"
#include "client-api/pages/page.h"
#include "client-api/pages/routes.h"
#include "homeserver/base/config.h"
#include "homeserver/http/server.h"

#define LANGUAGE_LIFETIME_S (365 * 24 * 60 * 60)

static bool get_welcome(struct request *r)
{
    return html_welcome(
        r, &(struct welcome_view){.server = r->server->config->server_name, .signed_in = r->identity.user != 0});
}

static bool post_language(struct request *r)
{
    const char *language, *next;
    if (!body_string(r, "language", &language) || !body_string_or(r, "next", "/", &next))
        return false;
    language = strcmp(language, "ru") == 0 ? "ru" : "en";
    page_set_cookie(r, COOKIE_LANGUAGE, language, LANGUAGE_LIFETIME_S);
    return (r->identity.user == 0 || page_language_keep(r, r->identity.user, language)) && page_go(r, next);
}

/* An address that was mistyped or cut, and that of a form's answer, which a phone asks for again: a page says so. */
static bool get_missing(struct request *r)
{
    return refuse(r, ERROR_NOT_FOUND, NULL);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/", get_welcome, ROUTE_ANYBODYS_PAGE, RATE_NONE, NULL},
    {HTTP_GET, "/parta/{page}", get_missing, ROUTE_ANYBODYS_PAGE, RATE_NONE, NULL},
    {HTTP_GET, "/parta/account/{page}", get_missing, ROUTE_ANYBODYS_PAGE, RATE_NONE, NULL},
    {HTTP_POST, "/parta/language", post_language, ROUTE_ANYBODYS_PAGE | ROUTE_POSTS, RATE_NONE, NULL, NULL,
     page_body_max},
};
const struct routes PAGE_WELCOME_ROUTES = ROUTES(TABLE);
