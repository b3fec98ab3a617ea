/* "device_lists": whose keys to ask for again, and whom to forget (Client-Server API, "End-to-End Encryption",
 * "Extensions to /sync"). An initial sync has none. Who has no news of it costs no look-up: the hub knows. */
#include "homeserver/keys/device_lists.h"

#include "homeserver/base/text.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/device_keys.h"
#include "homeserver/sync/gather.h"
#include "homeserver/sync/sections/sections.h"
#include "homeserver/sync/sync_service.h"
#include "homeserver/sync/v2_ephemeral.h"

/* On the writer's thread, which has its connection at hand. */
static struct member_set *sharers(struct sync_service *sync, const struct change *change)
{
    size_t n;
    struct db *db = rooms_db(sync->rooms);
    if (db == NULL)
        return NULL;
    user_no *users = device_lists_sharers(db, change->user, &n);
    struct member_set *set = member_set_create(users, n);
    if (!db_failed(db))
        return set;
    member_set_unref(set);
    return NULL;
}

/* After a start the first who asks finds out for all when the last change was. */
static bool may_have_news(struct sync_gather *g)
{
    stream_pos start, last;
    struct sync_hub *hub = g->sync->hub;
    if (g->hub_is_behind)
        return true;
    if (hub_ask_lists(hub, &start)) {
        last = device_lists_last(g->db, start);
        if (!db_failed(g->db))
            hub_learn_lists(hub, last);
    }
    return hub_last_lists(hub, g->request->user) > g->request->since;
}

static const struct member_set *unseen_of(void *gather)
{
    return sync_gather_unseen(gather);
}

static bool gather(struct sync_gather *g, void *data)
{
    struct device_lists *lists = data;
    const struct sync_request *request = g->request;
    if (request->since == 0 || !may_have_news(g))
        return false;
    device_lists_since(g->db, request->user, request->since, g->upto, unseen_of, g, lists);
    return lists->n_changed + lists->n_left != 0;
}

static void add_list(struct text *out, struct sync_gather *g, const char *name, const user_no *users, size_t n)
{
    text_add_json(out, name);
    text_adds(out, ":[");
    for (size_t i = 0; i < n; ++i) {
        text_adds(out, i != 0 ? "," : "");
        v2_add_user_id(out, g->sync->names, g->db, users[i]);
    }
    text_addc(out, ']');
}

static void write(struct text *out, struct sync_gather *g, const void *data)
{
    const struct device_lists *lists = data;
    add_list(out, g, "changed", lists->changed, lists->n_changed);
    text_addc(out, ',');
    add_list(out, g, "left", lists->left, lists->n_left);
}

static void finish(void *data)
{
    device_lists_finish(data);
}

const struct sync_section DEVICE_LISTS_SECTION = {
    .changes = {{CHANGE_KEYS, HUB_USER | HUB_OTHERS, sharers}, {CHANGE_ENCRYPTED, HUB_USER | HUB_ROOM}},
    .key = "device_lists",
    .data_bytes = sizeof(struct device_lists),
    .gather = gather,
    .write = write,
    .finish = finish,
};
