/* What the end-to-end module requires of every answer (Client-Server API, "End-to-End Encryption", "Extensions to
 * /sync"); there are no keys here yet. */
#include "homeserver/base/text.h"
#include "homeserver/sync/sections/sections.h"

static bool gather(struct sync_gather *g, void *data)
{
    return true;
}

static bool has_news(const void *data)
{
    return false;
}

static void write_idle(struct text *out, const struct sync_gather *g)
{
    text_adds(out, "\"device_one_time_keys_count\":{},\"device_unused_fallback_key_types\":[]");
}

static void write(struct text *out, struct sync_gather *g, const void *data)
{
    write_idle(out, g);
}

const struct sync_section DEVICE_KEYS_SECTION = {
    .gather = gather,
    .has_news = has_news,
    .write = write,
    .write_idle = write_idle,
};
