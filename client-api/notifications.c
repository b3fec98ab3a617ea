/* Client-Server API, "Listing Notifications". */
#include <stdlib.h>
#include <string.h>

#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/push/notifications.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"

#define LIMIT_USUAL 20
#define LIMIT_MAX 100

static void render_one(struct text *out, const struct render *how, const struct notifications_event *event)
{
    char *room_id = rooms_id_of(how->db, event->row->room);
    text_adds(out, "{\"actions\":");
    text_adds(out, event->actions);
    text_adds(out, ",\"event\":");
    render_event(out, how, event->row);
    text_adds(out, event->read ? ",\"read\":true,\"room_id\":" : ",\"read\":false,\"room_id\":");
    text_add_json(out, room_id != NULL ? room_id : "");
    text_adds(out, ",\"ts\":");
    text_add_int(out, event_received_ms(event->row));
    text_addc(out, '}');
    free(room_id);
}

static void render_page(struct request *r, struct text *out, const struct notifications *notified)
{
    struct render how = {.db = r->db,
                         .names = r->server->names,
                         .now_ms = clock_wall_ms(),
                         .viewer = r->identity.user,
                         .device = r->identity.device,
                         .plain = true};
    text_adds(out, "{\"notifications\":[");
    for (size_t i = 0; i < notified->n; ++i) {
        text_adds(out, i != 0 ? "," : "");
        render_one(out, &how, &notified->events[i]);
    }
    text_addc(out, ']');
    if (notified->next != 0) {
        text_adds(out, ",\"next_token\":\"");
        room_access_add_token(r, out, notified->next);
        text_addc(out, '"');
    }
    text_addc(out, '}');
}

static bool get_notifications(struct request *r)
{
    struct notifications notified;
    struct text out = TEXT_INIT;
    const char *only = query_get(r, "only");
    struct notifications_wanted wanted = {.user = r->identity.user,
                                          .user_id = r->identity.user_id,
                                          .server_name = r->server->config->server_name,
                                          .highlights_only = only != NULL && strcmp(only, "highlight") == 0};
    int64_t limit;
    if (!query_int(r, "limit", LIMIT_USUAL, 1, LIMIT_MAX, &limit) ||
        !room_access_token(r, "from", INT64_MAX, &wanted.upto))
        return false;
    wanted.limit = (size_t)limit;
    db_begin_read(r->db);
    notifications_read(&notified, r->db, r->server->names, &wanted);
    render_page(r, &out, &notified);
    db_end_read(r->db);
    notifications_finish(&notified);
    return reply_text(r, &out);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/notifications", get_notifications, ROUTE_AUTH, RATE_READ, "getNotifications"},
};
const struct routes NOTIFICATION_ROUTES = ROUTES(TABLE);
