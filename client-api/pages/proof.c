#include "client-api/pages/proof.h"

#include "client-api/login_common.h"
#include "client-api/pages/known_browser.h"
#include "client-api/pages/page.h"
#include "homeserver/http/request.h"
#include "homeserver/store/matrix/second_factors.h"

bool page_wants_factor(const struct request *r)
{
    return second_factors_has(r->db, r->identity.user);
}

bool page_password_proven(struct request *r)
{
    char browser[KNOWN_BROWSER_BYTES];
    struct uia_attempt attempt = {.arg = (void *)known_browser(r, r->identity.user, browser)};
    json_t *auth = json_pack("{s:s, s:s}", "user", r->identity.user_id, "password", form_text(r, "password"));
    bool proven = STAGE_PASSWORD.check(r, auth, &attempt);
    json_decref(auth);
    if (proven && page_wants_factor(r)) {
        auth = json_pack("{s:s}", "code", form_text(r, "factor"));
        bool shown = STAGE_SECOND_FACTOR.check(r, auth, &attempt);
        json_decref(auth);
        return shown || (r->error.code == ERROR_FORBIDDEN && page_refuse(r, ERROR_FORBIDDEN, WORD_FACTOR_WRONG));
    }
    return proven || (r->error.code == ERROR_FORBIDDEN && page_refuse(r, ERROR_FORBIDDEN, WORD_PASSWORD_WRONG));
}
