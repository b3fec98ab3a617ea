/* A room's ephemeral events: who is typing, and receipts (Client-Server API, "Typing Notifications", "Receipts"). */
#include "homeserver/rooms/read/filter.h"
#include "homeserver/sync/sections/room_parts.h"
#include "homeserver/sync/sync_service.h"

void room_ephemeral_gather(struct sync_gather *g, struct room_data *room)
{
    const struct event_filter *filter = &g->request->filter->ephemeral;
    room_no no = room->membership.room;
    if (filter_wants(filter, "m.typing", NULL, room->room_id, false))
        typing_changed(g->sync->typing, no, room->since, room->upto, &room->typists);
    if (filter_wants(filter, "m.receipt", NULL, room->room_id, false))
        receipts_gather(g->db, no, g->request->user, room->since, room->upto, &room->receipts);
}
