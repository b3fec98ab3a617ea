/* What the authorization server is and can do (Client-Server API, "Server metadata discovery"; RFC 8414), and where
 * people manage their account ("Account management"; MSC4191). The same at the path of the proposal, which clients of
 * before v1.15 ask. */
#include "client-api/oauth/account_actions.h"
#include "client-api/oauth/common.h"
#include "client-api/routes.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

static const struct {
    const char *member, *path;
} ENDPOINTS[] = {
    {"issuer", "/"},
    {"authorization_endpoint", "/parta/oauth2/authorize"},
    {"token_endpoint", "/parta/oauth2/token"},
    {"revocation_endpoint", "/parta/oauth2/revoke"},
    {"registration_endpoint", "/parta/oauth2/register"},
    {"device_authorization_endpoint", "/parta/oauth2/device"},
    {"account_management_uri", "/parta/manage"},
};

static const struct {
    const char *member;
    const char *const values[4];
} LISTS[] = {
    {"response_types_supported", {"code"}},
    {"response_modes_supported", {"query", "fragment"}},
    {"grant_types_supported", {"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"}},
    {"code_challenge_methods_supported", {"S256"}},
    {"token_endpoint_auth_methods_supported", {"none"}},
    {"revocation_endpoint_auth_methods_supported", {"none"}},
    {"prompt_values_supported", {"create"}},
    {"scopes_supported", {"urn:matrix:client:api:*"}},
};

static bool get_metadata(struct request *r)
{
    if (!oauth_is_on(r))
        return false;
    struct text url = TEXT_INIT;
    json_t *reply = json_object();
    oauth_add_base(&url, r->server->config);
    size_t base = url.len;
    for (size_t i = 0; i < sizeof ENDPOINTS / sizeof *ENDPOINTS; ++i) {
        url.len = base;
        text_adds(&url, ENDPOINTS[i].path);
        json_object_set_new(reply, ENDPOINTS[i].member, json_string(url.data));
    }
    text_finish(&url);
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; ++i) {
        json_t *list = json_array();
        for (size_t k = 0; k < 4 && LISTS[i].values[k] != NULL; ++k)
            json_array_append_new(list, json_string(LISTS[i].values[k]));
        json_object_set_new(reply, LISTS[i].member, list);
    }
    json_object_set_new(reply, "account_management_actions_supported", account_actions_json());
    json_object_set_new(reply, "authorization_response_iss_parameter_supported", json_true()); /* RFC 9207 */
    reply_header(r, "cache-control", "public, max-age=3600");
    return reply_json(r, reply);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v1/auth_metadata", get_metadata, 0, RATE_NONE, "getAuthMetadata"},
    {HTTP_GET, "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata", get_metadata, 0, RATE_NONE, NULL},
    {HTTP_GET, "/.well-known/oauth-authorization-server", get_metadata, 0, RATE_NONE, NULL},
};
const struct routes OAUTH_METADATA_ROUTES = ROUTES(TABLE);
