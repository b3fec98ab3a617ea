/* A new password for who has lost theirs: by a code to an address of the account. Whether an address is
 * anybody's does not show. */
#include "client-api/pages/codes.h"
#include "client-api/pages/page.h"
#include "client-api/pages/routes.h"
#include "homeserver/accounts/password.h"
#include "homeserver/accounts/register.h"
#include "homeserver/base/config.h"
#include "homeserver/http/server.h"

static bool show(struct request *r, const char *sid, const char *secret, bool by_link)
{
    return html_recovery(r, &(struct recovery_view){.coded = *sid != '\0',
                                                    .by_link = by_link,
                                                    .contact = form_text(r, "contact"),
                                                    .sid = sid,
                                                    .secret = secret,
                                                    .length_min = r->server->config->passwords.length_min});
}

/* With the link of a message (accounts/contacts.h), which is spent by the form and not by being looked at. */
static bool get_recovery(struct request *r)
{
    const char *sid = query_get(r, "sid"), *secret = query_get(r, "client_secret");
    bool by_link = sid != NULL && secret != NULL && page_code_proven(r, CODE_RESET, sid, secret);
    return show(r, by_link ? sid : "", by_link ? secret : "", by_link);
}

static bool post_recovery(struct request *r)
{
    struct page_code code;
    page_code_send(r, CODE_RESET, NULL, &code);
    return show(r, code.sid, code.secret, false);
}

static bool post_set(struct request *r)
{
    const char *password;
    if (!body_string(r, "new_password", &password))
        return false;
    if (!password_acceptable(r->server->config, password, &r->error) || !page_code_right(r, CODE_RESET) ||
        !account_reset_password(r->server->accounts, form_text(r, "sid"), true, password, &r->error))
        return show(r, form_text(r, "sid"), form_text(r, "client_secret"), *form_text(r, "by_link") != '\0');
    return page_go(r, "/parta/sign-in?done=password");
}

#define ROUTE_LOST (ROUTE_ANYBODYS_PAGE | ROUTE_POSTS)
static const struct route TABLE[] = {
    {HTTP_GET, "/parta/recovery", get_recovery, ROUTE_ANYBODYS_PAGE, RATE_NONE, NULL},
    {HTTP_POST, "/parta/recovery", post_recovery, ROUTE_LOST, RATE_CODES, NULL, NULL, page_body_max},
    {HTTP_POST, "/parta/recovery/password", post_set, ROUTE_LOST | ROUTE_HASH, RATE_CODES, NULL, NULL, page_body_max},
};
const struct routes PAGE_RECOVERY_ROUTES = ROUTES(TABLE);
