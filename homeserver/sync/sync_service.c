#include "homeserver/sync/sync_service.h"

#include <stdlib.h>

#include "homeserver/base/recent.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/sync/connections.h"
#include "homeserver/sync/device_memory.h"
#include "homeserver/sync/filter_cache.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/lazy.h"
#include "homeserver/sync/presence.h"
#include "homeserver/sync/section.h"
#include "homeserver/sync/typing.h"
#include "homeserver/sync/unread.h"

#define FILTERS_CACHED 16384
#define UNREAD_CACHED 65536
#define UNREAD_BYTES (64 << 20)
#define RECENT_RECEIPTS 4096
#define RECENT_BYTES (1 << 20)
#define CONNECTIONS_BYTES (64 << 20)

/* The hub's question. */
static struct member_set *audience(void *self, const struct change *change)
{
    struct sync_service *sync = self;
    return sync->others[change->kind] != NULL ? sync->others[change->kind](sync, change)
                                              : rooms_joined_now(sync->rooms, change->room);
}

struct sync_service *sync_service_create(const struct sync_service_settings *settings)
{
    struct sync_service *sync = xcalloc(1, sizeof *sync);
    sync->writer = settings->writer;
    sync->rooms = settings->rooms;
    sync->names = settings->names;
    sync->hub = settings->hub;
    sync->key = settings->key;
    sync->server_name = settings->server_name;
    sync->filters = filter_cache_create(FILTERS_CACHED);
    sync->lazy = lazy_create();
    if (settings->presence)
        sync->presence = presence_create(settings->writer);
    sync->typing = typing_create(settings->writer, settings->rooms);
    sync->devices = device_memory_create();
    writer_observe(sync->writer, device_memory_observe, sync->devices); /* before the hub, which wakes who asks */
    sync->unread = unread_create(settings->names, UNREAD_CACHED, UNREAD_BYTES);
    sync->connections = connections_create(CONNECTIONS_BYTES);
    sync->recent_receipts = recent_create(RECENT_RECEIPTS, RECENT_BYTES);
    hub_ask(sync->hub, audience, sync);
    if (sync->typing != NULL && (sync->presence != NULL || !settings->presence))
        return sync;
    sync_service_destroy(sync);
    return NULL;
}

void sync_service_stop(struct sync_service *sync)
{
    if (sync == NULL)
        return;
    typing_stop(sync->typing);
    presence_stop(sync->presence);
}

void sync_service_destroy(struct sync_service *sync)
{
    if (sync == NULL)
        return;
    presence_destroy(sync->presence);
    typing_destroy(sync->typing);
    connections_destroy(sync->connections);
    recent_destroy(sync->recent_receipts);
    unread_destroy(sync->unread);
    device_memory_destroy(sync->devices);
    lazy_destroy(sync->lazy);
    filter_cache_destroy(sync->filters);
    free(sync);
}

void sync_service_add(struct sync_service *sync, const struct sync_section *section)
{
    if (sync->n_sections == SYNC_SECTIONS_MAX)
        abort();
    sync->sections[sync->n_sections++] = section;
    for (const struct sync_change *change = section->changes; change->concerns != 0; ++change) {
        hub_concern(sync->hub, change->kind, change->concerns);
        if (change->others == NULL)
            continue;
        if (sync->others[change->kind] != NULL && sync->others[change->kind] != change->others)
            abort(); /* one kind has one audience */
        sync->others[change->kind] = change->others;
    }
}
