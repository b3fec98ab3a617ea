/* The second factor: setting it up by a QR code, its recovery codes, turning it off, and a password for one sign-in of
 * apps that know nothing else (school.md H1). */
#include "homeserver/accounts/second_factor.h"

#include <sodium.h>

#include "client-api/login_common.h"
#include "client-api/pages/escape.h"
#include "client-api/pages/page.h"
#include "client-api/pages/proof.h"
#include "client-api/pages/qr.h"
#include "client-api/pages/routes.h"
#include "homeserver/accounts/login.h"
#include "homeserver/http/server.h"
#include "homeserver/store/second_factor_duty.h"

#define HERE "/parta/account/second-factor"

/* The secret is in the form and nowhere else until a code has shown that an app has it. */
static bool show_set(struct request *r, const char *secret)
{
    struct text address = TEXT_INIT, qr = TEXT_INIT;
    second_factor_address(&address, r->server->accounts, r->identity.user_id, secret);
    qr_svg(&qr, address.data);
    bool done = html_second_factor_set(
        r, &(struct second_factor_set_view){
               .secret = secret, .qr = &qr, .user_id = r->identity.user_id, .password = has_password(r)});
    text_finish(&address);
    text_finish(&qr);
    return done;
}

static bool get_second_factor(struct request *r)
{
    struct second_factor_row row;
    char secret[FACTOR_SECRET_CHARS + 1];
    if (second_factors_get(r->db, r->identity.user, &row))
        return html_second_factor(r,
                                  &(struct second_factor_view){.set = row.set_ms,
                                                               .codes = second_factors_codes(r->db, r->identity.user),
                                                               .user_id = r->identity.user_id,
                                                               .password = has_password(r)});
    second_factor_draw(secret);
    return show_set(r, secret);
}

/* The codes are told once: the page is the answer to the form, and no address leads to it again. */
static bool post_set(struct request *r)
{
    const char *secret, *code;
    char codes[RECOVERY_CODES_MAX][RECOVERY_CODE_CHARS + 1];
    struct recovery_codes_codes rows[RECOVERY_CODES_MAX];
    if (!body_string(r, "secret", &secret) || !body_string(r, "code", &code))
        return false;
    if (!page_password_proven(r))
        return show_set(r, secret);
    if (!second_factor_set(r->server->accounts, r->identity.user, secret, code, codes, &r->error)) {
        if (r->error.code == ERROR_FORBIDDEN)
            page_refuse(r, ERROR_FORBIDDEN, WORD_FACTOR_WRONG);
        return r->error.code != ERROR_INVALID_PARAM && show_set(r, secret);
    }
    for (int i = 0; i < RECOVERY_CODES_MAX; ++i)
        rows[i] = (struct recovery_codes_codes){.code = codes[i]};
    bool done = html_recovery_codes(r, &(struct recovery_codes_view){.codes = rows, .codes_n = RECOVERY_CODES_MAX});
    sodium_memzero(codes, sizeof codes);
    return done;
}

static bool post_end(struct request *r)
{
    if (!page_password_proven(r) || !second_factor_end(r->server->accounts, r->identity.user, &r->error))
        return get_second_factor(r);
    return page_go(r, "/parta/account?done=factor_off");
}

static bool post_once(struct request *r)
{
    char password[TOKEN_CHARS + 1];
    if (!page_password_proven(r))
        return get_second_factor(r);
    login_once_issue(r->server->accounts, r->db, r->identity.user, password);
    bool done = html_password_once(r, &(struct password_once_view){.password = password});
    sodium_memzero(password, sizeof password);
    return done;
}

/* H1: a school asks it of its staff, which they hear when they sign in; they go on to where they
 * wanted all the same. */
static bool get_needed(struct request *r)
{
    struct second_factor_duty duty;
    const char *next = query_get(r, "next");
    second_factor_duty(r->db, r->identity.user, &duty);
    if (duty.set || duty.from == DAY_NEVER)
        return page_go(r, next != NULL ? next : "");
    return html_factor_needed(r, &(struct factor_needed_view){.from = duty.from,
                                                              .missing = duty.missing,
                                                              .next = path_is_local(next) ? next : "/parta/account"});
}

bool page_go_signed_in(struct request *r, user_no user, const char *next)
{
    struct second_factor_duty duty;
    struct text path = TEXT_INIT;
    second_factor_duty(r->db, user, &duty);
    if (duty.set || duty.from == DAY_NEVER)
        return page_go(r, next);
    text_adds(&path, HERE "/needed?next=");
    put_url_piece(&path, path_is_local(next) ? next : "/parta/account");
    bool done = page_go(r, path.data);
    text_finish(&path);
    return done;
}

#define ROUTE_PROVEN (ROUTE_PERSONS_PAGE | ROUTE_POSTS | ROUTE_HASH)
static const struct route TABLE[] = {
    {HTTP_GET, HERE, get_second_factor, ROUTE_PERSONS_PAGE, RATE_NONE, NULL},
    {HTTP_GET, HERE "/needed", get_needed, ROUTE_PERSONS_PAGE | ROUTE_LOCKED_TOO, RATE_NONE, NULL},
    {HTTP_POST, HERE, post_set, ROUTE_PROVEN, RATE_WRITE, NULL, NULL, page_body_max},
    {HTTP_POST, HERE "/end", post_end, ROUTE_PROVEN, RATE_WRITE, NULL, NULL, page_body_max},
    {HTTP_POST, HERE "/once", post_once, ROUTE_PROVEN, RATE_WRITE, NULL, NULL, page_body_max},
};
const struct routes PAGE_SECOND_FACTOR_ROUTES = ROUTES(TABLE);
