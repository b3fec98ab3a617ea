/* Which versions of the specification this server speaks, and what it serves beside them (Client-Server API, "API
 * Versions"). */
#include "client-api/routes.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

/* What is built follows v1.19; endpoints that v1.1 knew and later versions changed are answered as both understand. */
#define NEWEST_MINOR 19

static const char *const FEATURES[] = {
#define X(flag, method, path) flag,
#include "client-api/unstable_features.def"
#undef X
};

static bool get_versions(struct request *r)
{
    json_t *versions = json_array(), *features = json_object();
    for (int minor = 1; minor <= NEWEST_MINOR; ++minor)
        json_array_append_new(versions, json_sprintf("v1.%d", minor));
    for (size_t i = 0; i < sizeof FEATURES / sizeof *FEATURES; ++i)
        json_object_set_new(features, FEATURES[i], json_true());
    /* What clients look for before they offer a QR code (oauth/rendezvous.c). */
    if (config_oauth_obstacle(r->server->config) == NULL)
        json_object_set_new(features, "org.matrix.msc4108", json_true());
    return reply_json(r, json_pack("{s:o, s:o}", "versions", versions, "unstable_features", features));
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/versions", get_versions, 0, RATE_NONE, "getVersions"},
};
const struct routes VERSION_ROUTES = ROUTES(TABLE);
