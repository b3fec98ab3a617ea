/* A room's summary: how many people, and whom it is called after (Client-Server API, "Syncing": Room Summary). */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json_scan.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/sync/sections/room_parts.h"

static bool content_says(const char *content, const char *key)
{
    struct json_scan_value object = json_scan_text(content, strlen(content));
    struct json_scan_value value = json_scan_find(&object, key, 1);
    return value.kind == '"' && value.len != 0;
}

static const struct event_row *newest_in(const struct event_rows *rows, const char *type, const struct event_row *than)
{
    for (size_t i = 0; i < rows->n; ++i) {
        const struct event_row *row = rows->rows[i];
        if (row->state_key != NULL && row->state_key[0] == '\0' && strcmp(row->type, type) == 0 &&
            (than == NULL || row->pos > than->pos))
            than = row;
    }
    return than;
}

/* Where the whole state is told the event is mostly at hand; a filter may have left it out. */
static bool says(struct sync_gather *g, const struct room_data *room, const char *type, const char *key)
{
    const struct event_row *row = room->whole && g->request->filter->state.all && g->request->filter->timeline.all
                                      ? newest_in(&room->timeline.events, type, newest_in(&room->state, type, NULL))
                                      : NULL;
    if (row != NULL)
        return content_says(row->content, key);
    char *content = events_state_content(g->db, room->membership.room, type, "");
    bool said = content != NULL && content_says(content, key);
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
    memberships_counts(g->db, no, &summary->joined, &summary->invited);
}
