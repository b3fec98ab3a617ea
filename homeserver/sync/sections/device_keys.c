/* How many one-time keys a device has left and which fallback keys are unused: in every answer, from memory
 * (Client-Server API, "End-to-End Encryption", "Extensions to /sync"). A reason to answer is only that they run out. */
#include "homeserver/base/text.h"
#include "homeserver/sync/device_memory.h"
#include "homeserver/sync/gather.h"
#include "homeserver/sync/sections/sections.h"
#include "homeserver/sync/sync_service.h"

static bool gather(struct sync_gather *g, void *data)
{
    bool *low = data;
    device_memory_load(g->sync->devices, g->db, g->request->device);
    *low = device_memory_low(g->sync->devices, g->request->device) > g->request->since;
    return true;
}

static bool has_news(const void *data)
{
    return *(const bool *)data;
}

static void write_idle(struct text *out, const struct sync_gather *g)
{
    device_memory_add_counts(g->sync->devices, g->request->device, out);
}

/* The comma before the first is there already. */
static void write(struct text *out, struct sync_gather *g, const void *data)
{
    struct text members = TEXT_INIT;
    write_idle(&members, g);
    if (members.len != 0)
        text_add(out, members.data + 1, members.len - 1);
    else
        text_adds(out, "\"device_unused_fallback_key_types\":[]"); /* a number that memory has no room for */
    text_finish(&members);
}

const struct sync_section DEVICE_KEYS_SECTION = {
    .changes = {{CHANGE_KEYS_LOW, HUB_USER}},
    .data_bytes = sizeof(bool),
    .gather = gather,
    .has_news = has_news,
    .write = write,
    .write_idle = write_idle,
};
