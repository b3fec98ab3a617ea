/* Which versions of the specification this server speaks (Client-Server API, "API Versions"). */
#include "client-api/routes.h"
#include "homeserver/http/request.h"

/* What is built follows v1.19; endpoints that v1.1 knew and later versions changed are answered as both understand.
 * Nothing experimental is offered. */
#define NEWEST_MINOR 19

static bool get_versions(struct request *r)
{
    json_t *versions = json_array();
    for (int minor = 1; minor <= NEWEST_MINOR; ++minor)
        json_array_append_new(versions, json_sprintf("v1.%d", minor));
    return reply_json(r, json_pack("{s:o, s:{}}", "versions", versions, "unstable_features"));
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/versions", get_versions, 0, RATE_NONE, "getVersions"},
};
const struct routes VERSION_ROUTES = ROUTES(TABLE);
