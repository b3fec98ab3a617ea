/* One's devices (Client-Server API, "Device Management"). */
#include <stdlib.h>

#include "client-api/routes.h"
#include "client-api/login_common.h"
#include "homeserver/accounts/devices.h"
#include "homeserver/accounts/service_accounts.h"
#include "homeserver/base/text.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/devices.h"

#define MANY 1000 /* devices in one delete_devices */

/* What is not known is null: clients ask for the members (matrix-nio for one takes the list for none without them). */
static json_t *device_json(const struct device_row *row)
{
    return json_pack("{s:s, s:s?, s:s?, s:o}", "device_id", row->device_id, "display_name", row->display_name,
                     "last_seen_ip", row->last_seen_ip, "last_seen_ts",
                     row->last_seen_ms != 0 ? json_integer(row->last_seen_ms) : json_null());
}

static void add_device(void *list, const struct device_row *row)
{
    json_array_append_new(list, device_json(row));
}

static bool get_devices(struct request *r)
{
    json_t *list = json_array();
    devices_each(r->db, r->identity.user, add_device, list);
    return reply_json(r, json_pack("{s:o}", "devices", list));
}

static bool get_device(struct request *r)
{
    struct device_row row;
    if (!devices_get(r->db, r->identity.user, r->params[0], &row))
        return refuse(r, ERROR_NOT_FOUND, "There is no such device.");
    json_t *device = device_json(&row);
    device_row_finish(&row);
    return reply_json(r, device);
}

/* A service makes devices for its users without signing them in (MSC4190). */
static bool put_device_of_service(struct request *r, const char *display_name)
{
    bool made;
    const struct device_wish wish = {.device_id = r->params[0], .display_name = display_name, .ip = r->ip};
    return service_device_put(r->server->accounts, r->identity.user, &wish, &made, &r->error) &&
           reply_status(r, made ? 201 : 200) && reply_empty(r);
}

static bool put_device(struct request *r)
{
    const char *display_name;
    if (!body_string_or(r, "display_name", NULL, &display_name))
        return false;
    if (r->identity.service != NULL)
        return put_device_of_service(r, display_name);
    if (display_name != NULL)
        return device_rename(r->server->accounts, r->identity.user, r->params[0], display_name, &r->error) &&
               reply_empty(r);
    if (devices_no(r->db, r->identity.user, r->params[0]) == 0)
        return refuse(r, ERROR_NOT_FOUND, "There is no such device.");
    return reply_empty(r);
}

/* An application service has no password to show. */
static bool ends_devices(struct request *r)
{
    return r->identity.service != NULL || password_proven(r);
}

static bool delete_device(struct request *r)
{
    return ends_devices(r) && device_delete(r->server->accounts, r->identity.user, r->params[0], &r->error) &&
           reply_empty(r);
}

/* The ids in the body's "devices": heap array of borrowed strings, NULL: r->error is set. */
static const char **body_devices(struct request *r, size_t *n)
{
    json_t *list;
    if (!body_array_or_null(r, "devices", &list))
        return NULL;
    if (list == NULL || json_array_size(list) > MANY) {
        refuse(r, list == NULL ? ERROR_MISSING_PARAM : ERROR_INVALID_PARAM,
               "A list of at most 1000 devices is needed.");
        return NULL;
    }
    const char **ids = xcalloc(json_array_size(list) + 1, sizeof *ids);
    for (size_t i = 0; i < json_array_size(list); ++i) {
        if ((ids[i] = json_string_value(json_array_get(list, i))) != NULL)
            continue;
        free(ids);
        refuse(r, ERROR_BAD_JSON, "A device id is a string.");
        return NULL;
    }
    *n = json_array_size(list);
    return ids;
}

static bool post_delete_devices(struct request *r)
{
    size_t n = 0;
    if (!ends_devices(r))
        return false;
    const char **ids = body_devices(r, &n);
    bool ok = ids != NULL && device_delete_many(r->server->accounts, r->identity.user, ids, n, &r->error);
    free(ids);
    return ok && reply_empty(r);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/devices", get_devices, ROUTE_AUTH, RATE_NONE, "getDevices"},
    {HTTP_GET, "/_matrix/client/v3/devices/{deviceId}", get_device, ROUTE_AUTH, RATE_NONE, "getDevice"},
    {HTTP_PUT, "/_matrix/client/v3/devices/{deviceId}", put_device, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE,
     "updateDevice"},
    {HTTP_DELETE, "/_matrix/client/v3/devices/{deviceId}", delete_device, ROUTE_AUTH | ROUTE_PROOF, RATE_WRITE,
     "deleteDevice"},
    {HTTP_POST, "/_matrix/client/v3/delete_devices", post_delete_devices, ROUTE_AUTH | ROUTE_PROOF, RATE_WRITE,
     "deleteDevices"},
};
const struct routes DEVICE_ROUTES = ROUTES(TABLE);
