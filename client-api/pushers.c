/* Where one is notified while no app is open (Client-Server API, "Push Notifications"). device_id and enabled are
 * MSC3881's, under both of its names. */
#include <stdlib.h>
#include <string.h>

#include "client-api/routes.h"
#include "homeserver/base/text.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/push/delivery/delivery.h"
#include "homeserver/push/delivery/gateways.h"
#include "homeserver/store/matrix/pushers.h"

#define APP_ID_MAX 64   /* bytes, as the specification says … */
#define PUSHKEY_MAX 512 /* … and this, too */
#define PUSHER_NAME_MAX 255
#define PUSHER_DATA_MAX 4096 /* as canonical JSON */
#define UNSTABLE "org.matrix.msc3881."

static json_t *pusher_json(const struct pusher_row *row)
{
    json_t *data = json_loads(row->data, 0, NULL);
    if (strcmp(row->kind, PUSHER_HTTP) == 0)
        json_object_set_new(data, "url", json_sprintf("%s" GATEWAY_PATH, row->gateway));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s*, s:s, s:o, s:b, s:b, s:s, s:s}", "app_id", row->app_id, "pushkey",
                     row->pushkey, "kind", row->kind, "app_display_name", row->app_name, "device_display_name",
                     row->device_name, "profile_tag", row->profile_tag, "lang", row->lang, "data", data, "enabled",
                     row->enabled, UNSTABLE "enabled", row->enabled, "device_id", row->device_id, UNSTABLE "device_id",
                     row->device_id);
}

static bool get_pushers(struct request *r)
{
    struct pusher_row row;
    json_t *list = json_array();
    struct stmt *q = pushers_of_user(r->db, r->identity.user);
    while (pushers_next_of_user(q, &row))
        json_array_append_new(list, pusher_json(&row));
    stmt_end(q);
    return reply_json(r, json_pack("{s:o}", "pushers", list));
}

/* A text of the body within its bound. */
static bool read_text(struct request *r, const char *key, size_t max, const char **out)
{
    return body_string(r, key, out) &&
           (strlen(*out) <= max || refuse_parameter(r, ERROR_INVALID_PARAM, key, "This is too long."));
}

/* data without its address: what the gateway gets. Heap; NULL: refused. */
static char *read_data(struct request *r, const char *kind, const char **url, bool *id_only)
{
    json_t *data;
    if (!body_object_or_null(r, "data", &data))
        return NULL;
    const char *format = json_get_string(data, "format");
    *url = json_get_string(data, "url");
    if (data == NULL || (strcmp(kind, PUSHER_HTTP) == 0 && *url == NULL)) {
        refuse_parameter(r, ERROR_MISSING_PARAM, "data", "data, and for a push gateway data.url, is missing.");
        return NULL;
    }
    *id_only = format != NULL && strcmp(format, "event_id_only") == 0;
    json_t *rest = json_copy(data);
    json_object_del(rest, "url");
    char *text = json_canonical(rest);
    json_decref(rest);
    if (strlen(text) <= PUSHER_DATA_MAX)
        return text;
    free(text);
    refuse_parameter(r, ERROR_INVALID_PARAM, "data", "data is too long.");
    return NULL;
}

static bool set_pusher(struct request *r, struct pusher_row *row)
{
    bool append;
    struct push_wish wish = {.pusher = row};
    if (!read_text(r, "app_display_name", PUSHER_NAME_MAX, &row->app_name) ||
        !read_text(r, "device_display_name", PUSHER_NAME_MAX, &row->device_name) ||
        !read_text(r, "lang", PUSHER_NAME_MAX, &row->lang) ||
        (body_member(r, "profile_tag") != NULL && !read_text(r, "profile_tag", PUSHER_NAME_MAX, &row->profile_tag)) ||
        !body_bool_or(r, "append", false, &append) || !body_bool_or(r, UNSTABLE "enabled", true, &row->enabled) ||
        !body_bool_or(r, "enabled", row->enabled, &row->enabled))
        return false;
    wish.toggles = body_member(r, "enabled") != NULL || body_member(r, UNSTABLE "enabled") != NULL;
    char *data = read_data(r, row->kind, &wish.url, &row->id_only);
    row->data = data;
    wish.other_accounts = append;
    bool set = data != NULL && push_delivery_set(r->server->push, &wish, &r->error);
    free(data);
    return set && reply_empty(r);
}

static bool post_pusher(struct request *r)
{
    struct pusher_row row = {.user = r->identity.user, .device = r->identity.device};
    bool removes = json_is_null(json_object_get(r->body, "kind"));
    if (!read_text(r, "app_id", APP_ID_MAX, &row.app_id) || !read_text(r, "pushkey", PUSHKEY_MAX, &row.pushkey))
        return false;
    if (removes)
        return push_delivery_unset(r->server->push, row.user, row.app_id, row.pushkey, &r->error) && reply_empty(r);
    if (!body_string(r, "kind", &row.kind))
        return false;
    if (strcmp(row.kind, PUSHER_HTTP) != 0 && strcmp(row.kind, PUSHER_EMAIL) != 0)
        return refuse_parameter(r, ERROR_INVALID_PARAM, "kind", "There are no pushers of this kind here.");
    return set_pusher(r, &row);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/pushers", get_pushers, ROUTE_AUTH, RATE_NONE, "getPushers"},
    {HTTP_POST, "/_matrix/client/v3/pushers/set", post_pusher, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE, "postPusher"},
};
const struct routes PUSHER_ROUTES = ROUTES(TABLE);
