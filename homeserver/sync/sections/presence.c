/* "presence": who of the people that one shares a room with, and is not kept from (D9), is online (Client-Server API,
 * "Presence"). */
#include "homeserver/sync/presence.h"

#include <stdlib.h>

#include "homeserver/base/text.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/sync/gather.h"
#include "homeserver/sync/sections/sections.h"
#include "homeserver/sync/sync_service.h"
#include "homeserver/sync/v2_ephemeral.h"

#define GAP_MAX 1000 /* positions in which a member event is looked for, before all members are looked at */

static struct member_set *near(struct sync_service *sync, const struct change *change)
{
    return presence_take_near(sync->presence, change->user);
}

static bool concerns(struct sync_gather *g, user_no user)
{
    const char *id = user_names_get(g->sync->names, g->db, user);
    return id != NULL && filter_wants(&g->request->filter->presence, "m.presence", id, NULL, false) &&
           (user == g->request->user ||
            (memberships_share_room(g->db, g->request->user, user) && !member_set_has(sync_gather_unseen(g), user)));
}

/* Those of a room whom the user may not have shared one with at since: everybody, if they came themselves. heap. */
static user_no *newcomers(struct sync_gather *g, const struct membership_row *m, size_t *n)
{
    stream_pos since = g->request->since;
    *n = 0;
    if (m->membership != MEMBERSHIP_JOIN)
        return NULL;
    if (m->joined_pos > since)
        return memberships_users(g->db, m->room, MEMBERSHIP_JOIN, n);
    if (g->upto - since <= GAP_MAX && !events_member_news(g->db, m->room, since, g->upto))
        return NULL;
    return memberships_joined_after(g->db, m->room, since, n);
}

static int by_user(const void *a, const void *b)
{
    const struct presence_status *x = a, *y = b;
    return (x->user > y->user) - (x->user < y->user);
}

/* Of whom nothing has changed, and who is news all the same: they share a room with the user now, and did not at since.
 * Each once, whatever number of rooms it is. An initial sync tells of everybody. */
static void add_met(struct sync_gather *g, struct presence_list *list)
{
    struct presence_list met = {0};
    stream_pos since = g->request->since;
    for (size_t i = 0; since != 0 && i < g->n_rooms; ++i) {
        size_t n;
        user_no *users = newcomers(g, &g->rooms[i].membership, &n);
        presence_add_known(g->sync->presence, users, n, since, &met);
        free(users);
    }
    if (met.n != 0)
        qsort(met.of, met.n, sizeof *met.of, by_user);
    list->of = xrealloc(list->of, (list->n + met.n + 1) * sizeof *list->of);
    for (size_t i = 0; i < met.n; ++i) {
        user_no user = met.of[i].user;
        if ((i != 0 && user == met.of[i - 1].user) || user == g->request->user ||
            memberships_shared_room_at(g->db, g->request->user, user, since))
            free(met.of[i].status_msg);
        else
            list->of[list->n++] = met.of[i];
    }
    free(met.of);
}

static bool gather(struct sync_gather *g, void *data)
{
    struct presence_list *list = data;
    size_t kept = 0;
    if (g->sync->presence == NULL)
        return false;
    presence_changed(g->sync->presence, g->request->since, g->upto, list);
    add_met(g, list);
    for (size_t i = 0; i < list->n; ++i) {
        if (concerns(g, list->of[i].user))
            list->of[kept++] = list->of[i];
        else
            free(list->of[i].status_msg);
    }
    list->n = kept;
    return kept != 0;
}

static void write(struct text *out, struct sync_gather *g, const void *data)
{
    const struct presence_list *list = data;
    text_adds(out, "\"events\":[");
    for (size_t i = 0; i < list->n; ++i) {
        text_adds(out, i != 0 ? ",{\"content\":" : "{\"content\":");
        presence_add_content(out, &list->of[i]);
        text_adds(out, ",\"sender\":");
        v2_add_user_id(out, g->sync->names, g->db, list->of[i].user);
        text_adds(out, ",\"type\":\"m.presence\"}");
    }
    text_addc(out, ']');
}

static void finish(void *data)
{
    presence_list_finish(data);
}

const struct sync_section PRESENCE_SECTION = {
    .changes = {{CHANGE_PRESENCE, HUB_USER | HUB_OTHERS, near}},
    .key = "presence",
    .data_bytes = sizeof(struct presence_list),
    .gather = gather,
    .write = write,
    .finish = finish,
};
