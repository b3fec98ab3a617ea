/* Cross-signing (Client-Server API, "Cross-signing"). */
#include "client-api/keys_common.h"
#include "client-api/login_common.h"
#include "client-api/oauth_stage.h"
#include "client-api/routes.h"
#include "homeserver/keys/cross_signing.h"

/* New keys in place of others need the password once more, or, in a session by OAuth, that it was approved on the pages
 * of the account; the first ones, and those that are there, do not (MSC3967).
 * What needs none is asked again inside the job. */
static bool post_keys(struct request *r)
{
    const struct keys_caller caller = keys_caller_of(r);
    bool again = json_object_size(r->body) == 1 && json_object_get(r->body, "auth") != NULL; /* the keys came before */
    bool proven = again || cross_signing_needs_proof(r->db, r->identity.user, r->body);
    const struct uia_flow *flow = session_is_oauth(r) ? &OAUTH_FLOW : proof_flow(r);
    if (proven && r->identity.service == NULL && !uia_pass(r, flow, 1, NULL, NULL))
        return false;
    return cross_signing_upload(&caller, r->body, proven, &r->error) && reply_empty(r);
}

static bool post_signatures(struct request *r)
{
    json_t *failures = json_object();
    const struct keys_caller caller = keys_caller_of(r);
    if (cross_signing_sign(&caller, r->body, failures, &r->error))
        return reply_json(r, json_pack("{s:o}", "failures", failures));
    json_decref(failures);
    return false;
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v3/keys/device_signing/upload", post_keys, ROUTE_AUTH | ROUTE_BODY | ROUTE_HASH,
     RATE_WRITE, "uploadCrossSigningKeys"},
    {HTTP_POST, "/_matrix/client/v3/keys/signatures/upload", post_signatures, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE,
     "uploadCrossSigningSignatures"},
};
const struct routes CROSS_SIGNING_ROUTES = ROUTES(TABLE);
