/* A new password for who has lost theirs: by a code to an address of the account. Whether an address is
 * anybody's does not show. */
#include "client-api/pages/codes.h"
#include "client-api/pages/page.h"
#include "client-api/pages/routes.h"
#include "homeserver/accounts/password.h"
#include "homeserver/accounts/register.h"
#include "homeserver/base/config.h"
#include "homeserver/http/server.h"

static bool show(struct request *r, const char *sid, const char *secret)
{
    return html_recovery(r, &(struct recovery_view){.coded = *sid != '\0',
                                                    .contact = form_text(r, "contact"),
                                                    .sid = sid,
                                                    .secret = secret,
                                                    .length_min = r->server->config->passwords.length_min});
}

static bool get_recovery(struct request *r)
{
    return show(r, "", "");
}

static bool post_recovery(struct request *r)
{
    struct page_code code;
    page_code_send(r, CODE_RESET, NULL, &code);
    return show(r, code.sid, code.secret);
}

static bool post_set(struct request *r)
{
    const char *password;
    if (!body_string(r, "new_password", &password))
        return false;
    if (!password_acceptable(r->server->config, password, &r->error) || !page_code_right(r, CODE_RESET) ||
        !account_reset_password(r->server->accounts, form_text(r, "sid"), true, password, &r->error))
        return show(r, form_text(r, "sid"), form_text(r, "client_secret"));
    return page_go(r, "/parta/sign-in?done=password");
}

#define ROUTE_LOST (ROUTE_ANYBODYS_PAGE | ROUTE_POSTS)
static const struct route TABLE[] = {
    {HTTP_GET, "/parta/recovery", get_recovery, ROUTE_ANYBODYS_PAGE, RATE_NONE, NULL},
    {HTTP_POST, "/parta/recovery", post_recovery, ROUTE_LOST, RATE_CODES, NULL, NULL, page_body_max},
    {HTTP_POST, "/parta/recovery/password", post_set, ROUTE_LOST | ROUTE_HASH, RATE_CODES, NULL, NULL, page_body_max},
};
const struct routes PAGE_RECOVERY_ROUTES = ROUTES(TABLE);
