/* Dehydrated devices, under their unstable name (MSC3814). Events are asked for by GET with "from", as the proposal has
 * it now, and by POST with "next_batch", as clients still do; those go on until there are none. */
#include <stdlib.h>
#include <string.h>

#include "client-api/keys_common.h"
#include "client-api/routes.h"
#include "homeserver/keys/dehydrated.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/dehydrated_devices.h"
#include "homeserver/store/matrix/to_device.h"
#include "homeserver/store/matrix/user_names.h"

#define BATCH 100

static bool put_device(struct request *r)
{
    const struct keys_caller caller = keys_caller_of(r);
    return dehydrated_put(&caller, r->db, r->body, &r->error) &&
           reply_json(r, json_pack("{s:O}", "device_id", json_object_get(r->body, "device_id")));
}

static bool get_device(struct request *r)
{
    char *device_id = NULL, *data = NULL;
    if (dehydrated_devices_get(r->db, r->identity.user, &device_id, &data) == 0)
        return refuse(r, ERROR_NOT_FOUND, "There is no dehydrated device.");
    json_t *reply = json_pack("{s:s, s:o}", "device_id", device_id, "device_data", json_loads(data, 0, NULL));
    free(device_id);
    free(data);
    return reply_json(r, reply);
}

static bool delete_device(struct request *r)
{
    char *device_id;
    const struct keys_caller caller = keys_caller_of(r);
    if (!dehydrated_delete(&caller, &device_id, &r->error))
        return false;
    json_t *reply = json_pack("{s:s}", "device_id", device_id);
    free(device_id);
    return reply_json(r, reply);
}

struct batch {
    struct request *r;
    json_t *events;
    stream_pos last;
};

static void add_event(void *arg, const struct to_device_row *row)
{
    struct batch *b = arg;
    b->last = row->pos;
    json_array_append_new(b->events,
                          json_pack("{s:o, s:s?, s:s}", "content", json_loads(row->content, 0, NULL), "sender",
                                    user_names_get(b->r->server->names, b->r->db, row->sender), "type", row->type));
}

/* They stay: who takes the device over may fail half-way. from: NULL: all. */
static bool reply_events(struct request *r, const char *from, bool until_none)
{
    struct incarnations *in = writer_incarnations(r->server->writer);
    char *device_id = NULL;
    int64_t since = 0;
    device_no device = dehydrated_devices_get(r->db, r->identity.user, &device_id, NULL);
    bool is = device != 0 && strcmp(device_id, r->params[0]) == 0;
    free(device_id);
    if (!is)
        return refuse(r, ERROR_FORBIDDEN, "This is not the dehydrated device.");
    if (from != NULL && !token_parse_cursor(from, in, r->identity.user, &since))
        return refuse(r, ERROR_INVALID_PARAM, "This is no batch of these events.");
    struct batch b = {.r = r, .events = json_array(), .last = since};
    to_device_each(r->db, device, since, INT64_MAX, BATCH, add_event, &b);
    json_t *reply = json_pack("{s:o}", "events", b.events);
    size_t n = json_array_size(b.events);
    if (n == BATCH || (until_none && n != 0)) {
        struct text next = TEXT_INIT;
        token_add_cursor(&next, in, r->identity.user, b.last);
        json_object_set_new(reply, "next_batch", json_stringn(next.data, next.len));
        text_finish(&next);
    }
    return reply_json(r, reply);
}

static bool get_events(struct request *r)
{
    return reply_events(r, query_get(r, "from"), false);
}

static bool post_events(struct request *r)
{
    const char *from;
    return body_string_or(r, "next_batch", NULL, &from) && reply_events(r, from, true);
}

#define PATH "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"
static const struct route TABLE[] = {
    {HTTP_PUT, PATH, put_device, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_GET, PATH, get_device, ROUTE_AUTH, RATE_READ, NULL},
    {HTTP_DELETE, PATH, delete_device, ROUTE_AUTH, RATE_WRITE, NULL},
    {HTTP_GET, PATH "/{deviceId}/events", get_events, ROUTE_AUTH, RATE_READ, NULL},
    {HTTP_POST, PATH "/{deviceId}/events", post_events, ROUTE_AUTH | ROUTE_BODY, RATE_READ, NULL},
};
const struct routes DEHYDRATED_DEVICE_ROUTES = ROUTES(TABLE);
