/* A room's ephemeral events: who is typing, and receipts (Client-Server API, "Typing Notifications", "Receipts"). Of
 * whom the user is kept from (D9) neither is told, nor that there is anything to tell. */
#include "homeserver/rooms/read/filter.h"
#include "homeserver/sync/sections/room_parts.h"
#include "homeserver/sync/sync_service.h"

void room_ephemeral_gather(struct sync_gather *g, struct room_data *room)
{
    const struct event_filter *filter = &g->request->filter->ephemeral;
    room_no no = room->membership.room;
    if (filter_wants(filter, "m.typing", NULL, room->room_id, false))
        typing_changed(g->sync->typing, no, room->since, room->upto, NULL, &room->typists);
    if (filter_wants(filter, "m.receipt", NULL, room->room_id, false))
        receipts_gather(g->db, no, g->request->user, room->since, room->upto, &room->receipts);
    if (room->typists.changed && sync_gather_unseen(g) != NULL) {
        typists_finish(&room->typists);
        typing_changed(g->sync->typing, no, room->since, room->upto, sync_gather_unseen(g), &room->typists);
    }
    if (room->receipts.n != 0)
        receipt_rows_leave_out(&room->receipts, sync_gather_unseen(g));
}
