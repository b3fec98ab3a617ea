/* Room directories of third-party networks, kept by the services that bridge them (Application Service API, "Published
 * room directories"). Clients read one by third_party_instance_id of publicRooms, which is the protocol's name. */
#include <string.h>

#include "appservice/registry.h"
#include "appservice/routes.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/acts/directory.h"

static bool bridges(struct request *r, const char *network)
{
    struct appservices *set = registry_get(r->server->appservices);
    const struct registration_file *service =
        r->identity.service != NULL ? appservices_by_id(set, r->identity.service) : NULL;
    bool found = false;
    for (size_t i = 0; service != NULL && i < service->n_protocols; ++i)
        found |= strcmp(service->protocols[i], network) == 0;
    appservices_unref(set);
    return found;
}

static bool put_visibility(struct request *r)
{
    const char *visibility;
    if (!bridges(r, r->params[0]))
        return refuse(r, ERROR_FORBIDDEN, "Only the application service that bridges this network can do this.");
    if (!body_string(r, "visibility", &visibility))
        return false;
    bool published = strcmp(visibility, "public") == 0;
    if (!published && strcmp(visibility, "private") != 0)
        return refuse(r, ERROR_INVALID_PARAM, "visibility must be \"public\" or \"private\".");
    return directory_publish_in(r->server->rooms, r->server->writer, r->identity.user, r->params[0], r->params[1],
                                published, &r->error) &&
           reply_empty(r);
}

static const struct route TABLE[] = {
    {HTTP_PUT, "/_matrix/client/v3/directory/list/appservice/{networkId}/{roomId}", put_visibility,
     ROUTE_AUTH | ROUTE_BODY, RATE_WRITE, "updateAppserviceRoomDirectoryVisibility"},
};
const struct routes NETWORK_DIRECTORY_ROUTES = ROUTES(TABLE);
