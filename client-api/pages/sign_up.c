/* Where an account begins for whoever has none (OAuth's prompt=create): with the school's link, which is on a sheet, in
 * a letter, or was sent by a child (school.md C2). Whoever has only the app in hand types it here. */
#include <string.h>

#include "client-api/login_common.h"
#include "client-api/pages/escape.h"
#include "client-api/pages/join.h"
#include "client-api/pages/page.h"
#include "client-api/pages/routes.h"

static bool show(struct request *r, const char *link, const char *next)
{
    return html_sign_up(r, &(struct sign_up_view){.link = link, .next = path_is_local(next) ? next : "/parta/account"});
}

static bool get_sign_up(struct request *r)
{
    const char *next = query_get(r, "next");
    return r->identity.user != 0 && next != NULL ? page_go(r, next) : show(r, "", next);
}

/* The token of what was typed: itself, or the end of the address, without the spaces around it. */
static char *token_of(const char *typed)
{
    const char *path = strstr(typed, JOIN_PATH);
    typed += path != NULL ? (size_t)(path - typed) + strlen(JOIN_PATH) : strspn(typed, " \t\r\n");
    return xstrndup(typed, strcspn(typed, " \t\r\n?#/"));
}

/* Nothing is spent by it: the next page asks for the rest, as if the link had been opened. */
static bool post_sign_up(struct request *r)
{
    const struct signing_up signing_up = request_signing_up(r);
    const char *typed, *next;
    struct link_row link;
    struct text path = TEXT_INIT;
    if (!body_string(r, "link", &typed) || !body_string_or(r, "next", "", &next))
        return false;
    char *token = token_of(typed);
    bool open = signup_open(&signing_up, r->db, token, &link, &r->error);
    text_adds(&path, JOIN_PATH);
    put_url_piece(&path, token);
    text_adds(&path, "?next=");
    put_url_piece(&path, next);
    bool done = open ? page_go(r, path.data) : show(r, typed, next);
    text_finish(&path);
    free(token);
    return done;
}

static const struct route TABLE[] = {
    {HTTP_GET, "/parta/sign-up", get_sign_up, ROUTE_ANYBODYS_PAGE, RATE_NONE, NULL},
    {HTTP_POST, "/parta/sign-up", post_sign_up, ROUTE_ANYBODYS_PAGE | ROUTE_POSTS, RATE_LOGIN, NULL, NULL,
     page_body_max},
};
const struct routes PAGE_SIGN_UP_ROUTES = ROUTES(TABLE);
