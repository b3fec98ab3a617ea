/* "to_device": messages from other devices (Client-Server API, "Send-to-Device messaging"). All that wait up to the
 * answer's position: they are bounded (store/matrix/to_device.h), and a client that comes with that position has them.
 * One that has lost some is told so first, by an event "org.parta.to_device.lost" of the server's own. */
#include "homeserver/store/matrix/to_device.h"

#include <stdlib.h>

#include "homeserver/base/text.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/sync/gather.h"
#include "homeserver/sync/sections/sections.h"
#include "homeserver/sync/sync_service.h"
#include "homeserver/sync/v2_ephemeral.h"

struct message {
    user_no sender;
    char *type, *content;
};
struct messages {
    struct message *of;
    size_t n, cap;
    int64_t lost;
};

static void add(void *arg, const struct to_device_row *row)
{
    struct messages *messages = arg;
    if (messages->n == messages->cap)
        messages->of = xrealloc(messages->of, (messages->cap = messages->cap * 2 + 8) * sizeof *messages->of);
    messages->of[messages->n++] = (struct message){row->sender, xstrdup(row->type), xstrdup(row->content)};
}

static bool gather(struct sync_gather *g, void *data)
{
    struct messages *messages = data;
    const struct sync_request *request = g->request;
    if (request->since != 0 && !g->hub_is_behind && hub_last_keys(g->sync->hub, request->user) <= request->since)
        return false;
    messages->lost = to_device_lost(g->db, request->device, request->since, g->upto);
    to_device_each(g->db, request->device, request->since, g->upto, INT64_MAX, add, messages);
    return messages->n != 0 || messages->lost != 0;
}

static void write(struct text *out, struct sync_gather *g, const void *data)
{
    const struct messages *messages = data;
    text_adds(out, "\"events\":[");
    if (messages->lost != 0)
        text_addf(out,
                  "{\"content\":{\"lost\":%lld},\"sender\":\"@" SERVICE_LOCALPART
                  ":%s\",\"type\":\"org.parta.to_device.lost\"}",
                  (long long)messages->lost, g->sync->server_name);
    for (size_t i = 0; i < messages->n; ++i) {
        text_adds(out, i != 0 || messages->lost != 0 ? ",{\"content\":" : "{\"content\":");
        text_adds(out, messages->of[i].content);
        text_adds(out, ",\"sender\":");
        v2_add_user_id(out, g->sync->names, g->db, messages->of[i].sender);
        text_adds(out, ",\"type\":");
        text_add_json(out, messages->of[i].type);
        text_addc(out, '}');
    }
    text_addc(out, ']');
}

static void finish(void *data)
{
    struct messages *messages = data;
    for (size_t i = 0; i < messages->n; ++i) {
        free(messages->of[i].type);
        free(messages->of[i].content);
    }
    free(messages->of);
    *messages = (struct messages){0};
}

const struct sync_section TO_DEVICE_SECTION = {
    .changes = {{CHANGE_TO_DEVICE, HUB_USER}},
    .key = "to_device",
    .data_bytes = sizeof(struct messages),
    .gather = gather,
    .write = write,
    .finish = finish,
};
