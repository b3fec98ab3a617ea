/* By what clients may sign in (Client-Server API, "Login"): it names providers, in the language that the client asks
 * for, as the pages do. */
#include "client-api/login_common.h"
#include "client-api/pages/provider_name.h"
#include "client-api/routes.h"
#include "homeserver/base/config.h"
#include "homeserver/http/server.h"
#include "homeserver/oidc/providers.h"

/* In the browser: on the server's pages, or at a provider (oauth/sso.c). Clients that know of OAuth, and cannot use it
 * yet, offer nothing else where people sign in by it ("OAuth 2.0 aware clients"). */
static json_t *flow_by_browser(const struct request *r)
{
    const struct oidc_providers *set = r->server->providers;
    json_t *flow = json_pack("{s:s}", "type", "m.login.sso"), *list = json_array();
    for (size_t i = 0; set != NULL && i < set->n; ++i)
        json_array_append_new(list,
                              json_pack("{s:s, s:s}", "id", set->all[i]->id, "name", provider_name(r, set->all[i])));
    if (json_array_size(list) > 0)
        json_object_set(flow, "identity_providers", list);
    json_decref(list);
    if (r->server->config->oauth.enabled)
        json_object_set_new(flow, "oauth_aware_preferred", json_true());
    return flow;
}

static bool get_login(struct request *r)
{
    json_t *flows =
        json_pack("[{s:s}, {s:s, s:b}]", "type", "m.login.password", "type", "m.login.token", "get_login_token", 1);
    if (r->server->config->oauth.enabled || (r->server->providers != NULL && r->server->providers->n > 0))
        json_array_append_new(flows, flow_by_browser(r));
    if (r->server->config->appservices != NULL)
        json_array_append_new(flows, json_pack("{s:s}", "type", LOGIN_BY_SERVICE));
    reply_header(r, "vary", "Cookie, Accept-Language"); /* names of providers */
    return reply_json(r, json_pack("{s:o}", "flows", flows));
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/login", get_login, 0, RATE_NONE, "getLoginFlows"},
};
const struct routes OAUTH_LOGIN_FLOWS_ROUTES = ROUTES(TABLE);
