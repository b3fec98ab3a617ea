/* The second factor in interactive authentication for clients that know no such stage (Client-Server API, "Fallback"):
 * they open this page in a browser, the person types the code, and the client goes on with its session alone. The
 * session's id, which its client alone knows, says whose code it is; nobody needs to be signed in in the browser. */
#include "client-api/login_common.h"
#include "client-api/pages/known_browser.h"
#include "client-api/pages/page.h"
#include "client-api/pages/routes.h"
#include "homeserver/accounts/second_factor.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/user_names.h"

#define FALLBACK "/_matrix/client/v3/auth/org.parta.second_factor/fallback/web"

/* The window that opened it is told when it is done: it is to reach that window. */
static bool show(struct request *r, const char *session, bool done)
{
    bool shown = html_factor_fallback(r, &(struct factor_fallback_view){.session = session, .finished = done});
    reply_header(r, "cross-origin-opener-policy", "unsafe-none");
    return shown;
}

static bool get_fallback(struct request *r)
{
    const char *session = query_get(r, "session");
    if (session == NULL || uia_session_user(r->server->uia, session) == 0)
        return page_refuse(r, ERROR_NOT_FOUND, WORD_FACTOR_FALLBACK_OVER);
    return show(r, session, false);
}

/* Guesses are counted with all others at this account. */
static bool code_right(struct request *r, user_no user, const char *code)
{
    char browser[KNOWN_BROWSER_BYTES];
    const char *user_id = user_names_get(r->server->names, r->db, user);
    return user_id != NULL && account_attempt(r, user_id, known_browser(r, user, browser)) &&
           second_factor_prove(r->server->accounts, user, code, &r->error);
}

static bool post_fallback(struct request *r)
{
    const char *session, *code;
    if (!body_string(r, "session", &session) || !body_string(r, "code", &code))
        return false;
    user_no user = uia_session_user(r->server->uia, session);
    if (user == 0)
        return page_refuse(r, ERROR_NOT_FOUND, WORD_FACTOR_FALLBACK_OVER);
    if (!code_right(r, user, code)) {
        if (r->error.code == ERROR_FORBIDDEN)
            page_refuse(r, ERROR_FORBIDDEN, WORD_FACTOR_WRONG);
        return show(r, session, false);
    }
    return uia_complete(r->server->uia, session, STAGE_SECOND_FACTOR.type)
               ? show(r, "", true)
               : page_refuse(r, ERROR_NOT_FOUND, WORD_FACTOR_FALLBACK_OVER);
}

static const struct route TABLE[] = {
    {HTTP_GET, FALLBACK, get_fallback, ROUTE_ANYBODYS_PAGE, RATE_LOGIN, NULL},
    {HTTP_POST, FALLBACK, post_fallback, ROUTE_ANYBODYS_PAGE | ROUTE_POSTS, RATE_LOGIN, NULL, NULL, page_body_max},
};
const struct routes PAGE_FACTOR_FALLBACK_ROUTES = ROUTES(TABLE);
