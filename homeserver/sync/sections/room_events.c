#include <jansson.h>
#include <string.h>

#include "homeserver/rooms/read/filter.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/sync/sections/room_parts.h"
#include "homeserver/sync/sync_service.h"

bool room_next(struct sync_gather *g, size_t *at, unsigned memberships, struct room_data *room)
{
    while (*at < g->n_rooms) {
        const struct gathered_room *next = &g->rooms[(*at)++];
        if ((memberships & 1u << next->membership.membership) == 0)
            continue;
        *room = (struct room_data){
            .membership = next->membership, .room_id = next->room_id, .since = g->request->since, .upto = g->upto};
        return true;
    }
    return false;
}

static bool has_url(const char *content)
{
    if (strstr(content, "\"url\"") == NULL)
        return false;
    json_t *object = json_loads(content, 0, NULL);
    bool has = json_object_get(object, "url") != NULL;
    json_decref(object);
    return has;
}

stream_pos room_since(struct sync_gather *g, struct room_data *room)
{
    stream_pos since = g->request->since;
    if (since == 0 || room->membership.joined_pos <= since ||
        visibility_membership_at(room_visibility(g, room), since) == MEMBERSHIP_JOIN)
        return since;
    return 0;
}

bool room_event_wanted(struct sync_gather *g, const struct room_data *room, const struct event_filter *filter,
                       const struct event_row *row)
{
    if (filter->all)
        return true;
    const char *sender = user_names_get(g->sync->names, g->db, row->sender);
    bool url = filter->contains_url != FILTER_URL_ANY && has_url(row->content);
    return filter_wants(filter, row->type, sender, room->room_id, url);
}

const struct visibility *room_visibility(struct sync_gather *g, struct room_data *room)
{
    if (room->visibility == NULL)
        room->visibility = visibility_of_row(g->db, rooms_settings(g->sync->rooms)->school_mode, &room->membership,
                                             g->request->user_id);
    return room->visibility;
}

bool room_event_seen(struct sync_gather *g, struct room_data *room, const struct event_row *row)
{
    return visibility_allows(room_visibility(g, room), row->pos);
}
