/* A new password, by the present one (school.md H1); the first of who came by a provider, by having just done so. */
#include "client-api/login_common.h"
#include "client-api/pages/cookies.h"
#include "client-api/pages/page.h"
#include "client-api/pages/proof.h"
#include "client-api/pages/routes.h"
#include "homeserver/accounts/password.h"
#include "homeserver/accounts/register.h"
#include "homeserver/base/config.h"
#include "homeserver/http/server.h"

static bool get_password(struct request *r)
{
    return html_password(r, &(struct password_view){.has = has_password(r),
                                                    .factor = page_wants_factor(r),
                                                    .length_min = r->server->config->passwords.length_min,
                                                    .user_id = r->identity.user_id});
}

/* Whatever becomes of the apps, the browsers are signed out, this one, too: whoever knew the old password is gone. */
static bool post_password(struct request *r)
{
    const char *password, *keep;
    if (!body_string(r, "new_password", &password) || !body_string_or(r, "keep", "", &keep))
        return false;
    if (!password_acceptable(r->server->config, password, &r->error) ||
        !(has_password(r) ? page_password_proven(r) : page_freshly_signed_in(r)) ||
        !account_change_password(r->server->accounts, r->identity.user, 0, *keep == '\0', password, &r->error))
        return get_password(r);
    page_set_cookie(r, COOKIE_SESSION, "", -1);
    return page_go(r, "/parta/sign-in?done=password");
}

static const struct route TABLE[] = {
    {HTTP_GET, "/parta/account/password", get_password, ROUTE_PERSONS_PAGE, RATE_NONE, NULL},
    {HTTP_POST, "/parta/account/password", post_password, ROUTE_PERSONS_PAGE | ROUTE_POSTS | ROUTE_HASH, RATE_WRITE,
     NULL, NULL, page_body_max},
};
const struct routes PAGE_PASSWORD_ROUTES = ROUTES(TABLE);
