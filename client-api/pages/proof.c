#include "client-api/pages/proof.h"

#include "client-api/login_common.h"
#include "client-api/pages/cookies.h"
#include "client-api/pages/known_browser.h"
#include "client-api/pages/page.h"
#include "homeserver/http/request.h"
#include "homeserver/store/matrix/page_sessions.h"
#include "homeserver/store/matrix/second_factors.h"
#include "homeserver/store/school/roles.h"

bool page_wants_factor(const struct request *r)
{
    return second_factors_has(r->db, r->identity.user);
}

static bool is_fresh(struct request *r)
{
    char token[COOKIE_BYTES];
    unsigned char hash[TOKEN_HASH_BYTES];
    struct page_session session = {0};
    int64_t now_ms = clock_wall_ms();
    if (page_cookie(r, COOKIE_SESSION, token)) {
        token_hash(token, hash);
        page_sessions_find(r->db, hash, now_ms, &session);
    }
    bool fresh = session.user == r->identity.user && !session.stale && now_ms - session.created_ms < PAGE_FRESH_MS;
    page_session_finish(&session);
    return fresh;
}

bool page_freshly_signed_in(struct request *r)
{
    return is_fresh(r) || page_refuse(r, ERROR_FORBIDDEN, WORD_PROOF_OLD);
}

static bool has_power(const struct request *r)
{
    return r->identity.admin || (roles_now_or_later(r->db, r->identity.user) & (ROLES_STAFF | ROLE_EXTERNAL)) != 0;
}

struct page_handover page_handover_asks(struct request *r, bool everybody)
{
    bool asks = (everybody || has_power(r)) && !is_fresh(r), password = asks && has_password(r);
    return (struct page_handover){
        .password = password, .factor = password && page_wants_factor(r), .anew = asks && !password};
}

bool page_handover_proven(struct request *r, bool everybody)
{
    const struct page_handover asks = page_handover_asks(r, everybody);
    return asks.password ? page_password_proven(r) : !asks.anew || page_refuse(r, ERROR_FORBIDDEN, WORD_CONSENT_ANEW);
}

static bool password_right(struct request *r, struct uia_attempt *attempt)
{
    json_t *auth = json_pack("{s:s, s:s}", "user", r->identity.user_id, "password", form_text(r, "password"));
    bool right = STAGE_PASSWORD.check(r, auth, attempt);
    json_decref(auth);
    return right || (r->error.code == ERROR_FORBIDDEN && page_refuse(r, ERROR_FORBIDDEN, WORD_PASSWORD_WRONG));
}

static bool factor_right(struct request *r, struct uia_attempt *attempt)
{
    json_t *auth = json_pack("{s:s}", "code", form_text(r, "factor"));
    bool right = STAGE_SECOND_FACTOR.check(r, auth, attempt);
    json_decref(auth);
    return right || (r->error.code == ERROR_FORBIDDEN && page_refuse(r, ERROR_FORBIDDEN, WORD_FACTOR_WRONG));
}

bool page_password_proven(struct request *r)
{
    char browser[KNOWN_BROWSER_BYTES];
    struct uia_attempt attempt = {.arg = (void *)known_browser(r, r->identity.user, browser)};
    return (has_password(r) ? password_right(r, &attempt) : page_freshly_signed_in(r)) &&
           (!page_wants_factor(r) || factor_right(r, &attempt));
}
