/* Third-party networks (Client-Server API, "Third-party Lookups"). No application service bridges one: there are no
 * protocols, and nothing is found in them (school.md A5). */
#include "client-api/routes.h"
#include "homeserver/http/request.h"

static bool get_protocols(struct request *r)
{
    return reply_empty(r);
}

static bool find_nothing(struct request *r)
{
    return refuse(r, ERROR_NOT_FOUND, "No third-party network is bridged here.");
}

#define V3 "/_matrix/client/v3/thirdparty"
static const struct route TABLE[] = {
    {HTTP_GET, V3 "/protocols", get_protocols, ROUTE_AUTH, RATE_NONE, "getProtocols"},
    {HTTP_GET, V3 "/protocol/{protocol}", find_nothing, ROUTE_AUTH, RATE_NONE, "getProtocolMetadata"},
    {HTTP_GET, V3 "/location", find_nothing, ROUTE_AUTH, RATE_NONE, "queryLocationByAlias"},
    {HTTP_GET, V3 "/location/{protocol}", find_nothing, ROUTE_AUTH, RATE_NONE, "queryLocationByProtocol"},
    {HTTP_GET, V3 "/user", find_nothing, ROUTE_AUTH, RATE_NONE, "queryUserByID"},
    {HTTP_GET, V3 "/user/{protocol}", find_nothing, ROUTE_AUTH, RATE_NONE, "queryUserByProtocol"},
};
const struct routes THIRD_PARTY_ROUTES = ROUTES(TABLE);
