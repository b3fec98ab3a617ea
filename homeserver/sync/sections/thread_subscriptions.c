/* Thread subscriptions (MSC4306): whose change wakes the person, and of which GET /sync tells nothing: an extension of
 * sliding sync does (MSC4308). */
#include "homeserver/sync/sections/sections.h"

static bool gather(struct sync_gather *g, void *data)
{
    return false;
}

const struct sync_section THREAD_SUBSCRIPTIONS_SECTION = {
    .changes = {{CHANGE_THREAD_SUBSCRIPTION, HUB_USER}},
    .gather = gather,
};
