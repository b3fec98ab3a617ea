#include "client-api/oauth_stage.h"

#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/approvals.h"
#include "homeserver/accounts/login.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

static json_t *page_params(struct request *r)
{
    const struct config *config = r->server->config;
    json_t *url =
        config->public_baseurl != NULL
            ? json_sprintf("%s/parta/manage?action=org.matrix.cross_signing_reset", config->public_baseurl)
            : json_sprintf("https://%s/parta/manage?action=org.matrix.cross_signing_reset", config->server_name);
    return json_pack("{s:o}", "url", url);
}

static bool was_approved(struct request *r)
{
    unsigned char origin[TOKEN_HASH_BYTES];
    login_origin_of(r->db, r->identity.user, origin);
    return approvals_take(r->server->accounts->approvals, r->identity.user, origin, clock_mono_ms());
}

/* Whoever names the stage has proven nothing by that. */
static bool check_nothing(struct request *r, const json_t *auth, struct uia_attempt *attempt)
{
    return was_approved(r) || refuse(r, ERROR_FORBIDDEN, "It was not approved on the pages of the account.");
}

static const struct uia_stage STAGE_OAUTH = {"m.oauth", check_nothing, page_params, was_approved};
static const struct uia_stage *const OAUTH_ALONE[] = {&STAGE_OAUTH};
const struct uia_flow OAUTH_FLOW = {OAUTH_ALONE, 1};
