/* A child's link for a parent (school.md D1), and taking one's own data along (G4). */
#include <sodium.h>
#include <string.h>

#include "client-api/login_common.h"
#include "client-api/pages/join.h"
#include "client-api/pages/page.h"
#include "client-api/pages/proof.h"
#include "client-api/pages/qr.h"
#include "client-api/pages/routes.h"
#include "homeserver/http/server.h"
#include "policy/api/api.h"
#include "policy/api/privacy.h"
#include "policy/api/signup_json.h"
#include "policy/signup/links.h"

static bool act_link(struct api_act *act, void *made)
{
    return link_make(&act->records, &(struct link_wish){.kind = LINK_GUARDIAN}, made);
}

/* A token is told once: the page is the answer to the form, and no address leads to it again. */
static bool post_guardian_link(struct request *r)
{
    struct link_made made;
    struct text address = TEXT_INIT, qr = TEXT_INIT;
    if (!caller_is_person(r, false) || !api_write(r, act_link, &made))
        return false;
    reply_status(r, 200);
    join_address(r, made.token, &address);
    qr_svg(&qr, address.data);
    bool done = html_guardian_link(
        r, &(struct guardian_link_view){.address = address.data, .qr = &qr, .expires = made.expires_ms});
    sodium_memzero(&made, sizeof made);
    text_finish(&address);
    text_finish(&qr);
    return done;
}

static bool get_export(struct request *r)
{
    return html_export(r, &(struct export_view){.password = has_password(r),
                                                .factor = page_wants_factor(r),
                                                .user_id = r->identity.user_id});
}

static bool post_export(struct request *r)
{
    if (!page_password_proven(r))
        return get_export(r);
    reply_header(r, "cache-control", "no-store");
    reply_header(r, "cross-origin-resource-policy", "same-origin");
    reply_header(r, "x-content-type-options", "nosniff");
    return reply_own_export(r);
}

static const struct route TABLE[] = {
    {HTTP_POST, "/parta/account/guardian-link", post_guardian_link, ROUTE_DOES, RATE_WRITE, NULL, NULL, page_body_max},
    {HTTP_GET, "/parta/account/export", get_export, ROUTE_PERSONS_PAGE, RATE_NONE, NULL},
    {HTTP_POST, "/parta/account/export", post_export, ROUTE_DOES | ROUTE_HASH, RATE_REGISTER, NULL, NULL,
     page_body_max},
};
const struct routes PAGE_FAMILY_ROUTES = ROUTES(TABLE);
