/* Having just signed in, in place of a password, in interactive authentication (Client-Server API, "Single Sign-On" and
 * "Fallback"): who came by a provider and has no password opens this page from the client, signs in where they do, and
 * says that it was them. The session of interactive authentication must be theirs. */
#include "client-api/login_common.h"
#include "client-api/pages/escape.h"
#include "client-api/pages/page.h"
#include "client-api/pages/proof.h"
#include "client-api/pages/routes.h"
#include "homeserver/http/server.h"

#define FALLBACK "/_matrix/client/v3/auth/m.login.sso/fallback/web"

/* The window that opened it is told when it is done: it is to reach that window. */
static bool show(struct request *r, const char *session, bool fresh, bool finished)
{
    struct text here = TEXT_INIT;
    text_adds(&here, FALLBACK "?session=");
    put_url_piece(&here, session);
    bool shown = html_sign_in_fallback(r, &(struct sign_in_fallback_view){.session = session,
                                                                          .user_id = r->identity.user_id,
                                                                          .here = here.data,
                                                                          .fresh = fresh,
                                                                          .finished = finished});
    reply_header(r, "cross-origin-opener-policy", "unsafe-none");
    text_finish(&here);
    return shown;
}

/* false: r->error. */
static bool is_theirs(struct request *r, const char *session)
{
    user_no user = session != NULL ? uia_session_user(r->server->uia, session) : 0;
    if (user == 0)
        return page_refuse(r, ERROR_NOT_FOUND, WORD_FACTOR_FALLBACK_OVER);
    return user == r->identity.user || page_refuse(r, ERROR_FORBIDDEN, WORD_PROOF_OTHER);
}

static bool get_fallback(struct request *r)
{
    const char *session = query_get(r, "session");
    if (!is_theirs(r, session))
        return false;
    bool fresh = page_freshly_signed_in(r);
    r->error = (struct error){0}; /* the page says so itself */
    return show(r, session, fresh, false);
}

static bool post_fallback(struct request *r)
{
    const char *session;
    if (!body_string(r, "session", &session) || !is_theirs(r, session))
        return false;
    if (!page_freshly_signed_in(r))
        return show(r, session, false, false);
    return uia_complete(r->server->uia, session, STAGE_SIGNED_IN.type)
               ? show(r, "", true, true)
               : page_refuse(r, ERROR_NOT_FOUND, WORD_FACTOR_FALLBACK_OVER);
}

#define ROUTE_PROVES_ONESELF (ROUTE_PERSONS_PAGE | ROUTE_LOCKED_TOO)
static const struct route TABLE[] = {
    {HTTP_GET, FALLBACK, get_fallback, ROUTE_PROVES_ONESELF, RATE_LOGIN, NULL},
    {HTTP_POST, FALLBACK, post_fallback, ROUTE_PROVES_ONESELF | ROUTE_POSTS, RATE_LOGIN, NULL, NULL, page_body_max},
};
const struct routes PAGE_SIGN_IN_FALLBACK_ROUTES = ROUTES(TABLE);
