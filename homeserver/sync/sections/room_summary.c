/* A room's summary: how many people, and whom it is called after (Client-Server API, "Syncing": Room Summary). */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json_scan.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/sync/sections/room_parts.h"

static bool says(struct sync_gather *g, const struct room_data *room, const char *type, const char *key)
{
    char *content = events_state_content(g->db, room->membership.room, type, "");
    struct json_scan_value object = {0}, value = {0};
    if (content != NULL) {
        object = json_scan_text(content, strlen(content));
        value = json_scan_find(&object, key, 1);
    }
    bool said = value.kind == '"' && value.len != 0;
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
