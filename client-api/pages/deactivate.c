/* The end of one's own account: what it means, said plainly, and the password for it (school.md G1, G4). */
#include "client-api/login_common.h"
#include "client-api/account.h"
#include "client-api/pages/cookies.h"
#include "client-api/pages/page.h"
#include "client-api/pages/proof.h"
#include "client-api/pages/routes.h"

static bool get_deactivate(struct request *r)
{
    return html_deactivate(r, &(struct deactivate_view){.password = has_password(r),
                                                        .factor = page_wants_factor(r),
                                                        .user_id = r->identity.user_id});
}

static bool post_deactivate(struct request *r)
{
    const char *erase;
    if (!body_string_or(r, "erase", "", &erase))
        return false;
    if (!page_password_proven(r) || !account_close(r, *erase != '\0'))
        return get_deactivate(r);
    page_set_cookie(r, COOKIE_SESSION, "", -1);
    return page_go(r, "/parta/sign-in?done=deactivated");
}

#define HERE "/parta/account/deactivate"
static const struct route TABLE[] = {
    {HTTP_GET, HERE, get_deactivate, ROUTE_PERSONS_PAGE, RATE_NONE, NULL},
    {HTTP_POST, HERE, post_deactivate, ROUTE_PERSONS_PAGE | ROUTE_POSTS | ROUTE_HASH, RATE_WRITE, NULL, NULL,
     page_body_max},
};
const struct routes PAGE_DEACTIVATE_ROUTES = ROUTES(TABLE);
