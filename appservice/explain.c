#include "appservice/explain.h"

#include <stdlib.h>

#include "appservice/interest.h"
#include "appservice/registry.h"
#include "homeserver/base/config.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/appservices.h"

json_t *appservice_explain(const struct server *server, struct db *db, user_no user, room_no room)
{
    char *id = appservice_users_service(db, user);
    if (id == NULL)
        return NULL;
    struct appservices *set = registry_get(server->appservices);
    const struct registration_file *service = appservices_by_id(set, id);
    json_t *schools = json_array(), *out = json_pack("{s:s, s:o}", "id", id, "schools", schools);
    for (size_t i = 0; service != NULL && i < service->n_schools; ++i)
        json_array_append_new(schools, json_string(service->schools[i]));
    if (room != 0)
        json_object_set_new(
            out, "may_be_told",
            json_boolean(service != NULL &&
                         interest_may_see(service, db, server->config->policy.mode == POLICY_SCHOOL, room)));
    appservices_unref(set);
    free(id);
    return out;
}
