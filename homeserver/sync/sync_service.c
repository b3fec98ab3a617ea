#include "homeserver/sync/sync_service.h"

#include <stdlib.h>

#include "homeserver/base/recent.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/sync/filter_cache.h"
#include "homeserver/sync/fast_path.h"
#include "homeserver/sync/hub.h"
#include "homeserver/sync/lazy.h"
#include "homeserver/sync/presence.h"
#include "homeserver/sync/typing.h"
#include "homeserver/sync/unread.h"

#define FILTERS_CACHED 4096
#define UNREAD_CACHED 65536
#define RECENT_RECEIPTS 4096
#define RECENT_BYTES (1 << 20)

/* The hub's question. */
static struct member_set *audience(void *self, const struct change *change)
{
    struct sync_service *syncer = self;
    return change->kind == CHANGE_PRESENCE ? presence_take_near(syncer->presence, change->user)
                                           : rooms_joined_now(syncer->rooms, change->room);
}

struct sync_service *sync_service_create(const struct sync_service_settings *settings)
{
    struct sync_service *syncer = xcalloc(1, sizeof *syncer);
    syncer->writer = settings->writer;
    syncer->rooms = settings->rooms;
    syncer->names = settings->names;
    syncer->hub = settings->hub;
    syncer->key = settings->key;
    syncer->server_name = settings->server_name;
    syncer->filters = filter_cache_create(FILTERS_CACHED);
    syncer->lazy = lazy_create();
    if (settings->presence)
        syncer->presence = presence_create(settings->writer, settings->names);
    syncer->typing = typing_create(settings->writer, settings->rooms, settings->names);
    syncer->unread = unread_create(settings->names, UNREAD_CACHED);
    syncer->recent_receipts = recent_create(RECENT_RECEIPTS, RECENT_BYTES);
    hub_ask(syncer->hub, audience, syncer);
    hub_dress(syncer->hub, fast_path_prepare, syncer);
    return syncer;
}

void sync_service_stop(struct sync_service *syncer)
{
    if (syncer == NULL)
        return;
    typing_stop(syncer->typing);
    presence_stop(syncer->presence);
}

void sync_service_destroy(struct sync_service *syncer)
{
    if (syncer == NULL)
        return;
    presence_destroy(syncer->presence);
    typing_destroy(syncer->typing);
    recent_destroy(syncer->recent_receipts);
    unread_destroy(syncer->unread);
    lazy_destroy(syncer->lazy);
    filter_cache_destroy(syncer->filters);
    free(syncer);
}
