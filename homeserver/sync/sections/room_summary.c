/* A room's summary: how many people, and whom it is called after (Client-Server API, "Syncing": Room Summary). */
#include <jansson.h>
#include <stdlib.h>

#include "homeserver/base/json.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/sync/sections/room_parts.h"

static bool says(struct sync_gather *g, const struct room_data *room, const char *type, const char *key)
{
    char *content = events_state_content(g->db, room->membership.room, type, "");
    json_t *object = content != NULL ? json_loads(content, 0, NULL) : NULL;
    const char *value = json_get_string(object, key);
    bool said = value != NULL && value[0] != '\0';
    json_decref(object);
    free(content);
    return said;
}

void room_summary_gather(struct sync_gather *g, struct room_data *room)
{
    struct room_summary *summary = &room->summary;
    room_no no = room->membership.room;
    room->has_summary = room->whole || room->timeline.members || room->timeline.name;
    if (!room->has_summary)
        return;
    /* Only a room without a name of its own is called after its people. */
    if (!says(g, room, "m.room.name", "name") && !says(g, room, "m.room.canonical_alias", "alias"))
        summary->n_heroes = memberships_heroes(g->db, no, g->request->user, summary->heroes, HEROES_MAX);
    summary->invited = memberships_count(g->db, no, MEMBERSHIP_INVITE);
    summary->joined = memberships_count(g->db, no, MEMBERSHIP_JOIN);
}
