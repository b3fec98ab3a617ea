#include "homeserver/push/delivery/notify.h"

#include <jansson.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/store/matrix/pushers.h"

void notify_event(struct text *out, const char *event_id, const char *room_id)
{
    text_adds(out, "\"event_id\":");
    text_add_json(out, event_id);
    text_adds(out, ",\"room_id\":");
    text_add_json(out, room_id);
    text_addc(out, ',');
}

void notify_device(struct text *out, const struct pusher_row *pusher, bool full)
{
    if (out->len != 0 && !full)
        text_addc(out, ',');
    text_adds(out, "{\"app_id\":");
    text_add_json(out, pusher->app_id);
    text_adds(out, ",\"data\":");
    text_adds(out, pusher->data);
    text_adds(out, ",\"pushkey\":");
    text_add_json(out, pusher->pushkey);
    text_adds(out, ",\"pushkey_ts\":");
    text_add_int(out, pusher->set_ms / 1000);
    text_addc(out, full ? '\0' : '}');
}

static void add_devices(struct text *out, const struct notify *notify)
{
    const struct text *devices = notify->devices;
    if (notify->tweaks == NULL) {
        text_add(out, devices->data, devices->len);
        return;
    }
    for (size_t at = 0; at < devices->len; at += strlen(devices->data + at) + 1) {
        text_adds(out, at != 0 ? "," : "");
        text_adds(out, devices->data + at);
        text_adds(out, ",\"tweaks\":");
        text_adds(out, notify->tweaks);
        text_addc(out, '}');
    }
}

void notify_render(struct text *out, const struct notify *notify)
{
    text_adds(out, "{\"notification\":{");
    text_adds(out, notify->event != NULL ? notify->event : "");
    text_adds(out, notify->high ? "\"prio\":\"high\"," : "\"prio\":\"low\",");
    text_adds(out, "\"counts\":{");
    if (notify->unread != 0) { /* "Counts whose value is zero should be omitted" */
        text_adds(out, "\"unread\":");
        text_add_int(out, notify->unread);
    }
    text_adds(out, "},\"devices\":[");
    add_devices(out, notify);
    text_adds(out, "]}}");
}

bool notify_read(const char *body, size_t len, notify_rejected_fn *fn, void *arg)
{
    size_t i;
    const json_t *key;
    struct error e;
    json_t *answer = json_parse(body, len, &e);
    const json_t *rejected = json_object_get(answer, "rejected");
    bool good = json_is_object(answer) && (rejected == NULL || json_is_array(rejected));
    if (good)
        json_array_foreach(rejected, i, key)
            if (json_is_string(key))
                fn(arg, json_string_value(key));
    json_decref(answer);
    return good;
}
