/* What of a room is the user's own: their account data there, and how much they have not read. */
#include "homeserver/rooms/read/filter.h"
#include "homeserver/store/matrix/receipts.h"
#include "homeserver/sync/sections/room_parts.h"
#include "homeserver/sync/sync_service.h"

void room_account_data_gather(struct sync_gather *g, struct room_data *room)
{
    bool all = room->fresh && g->request->since != 0; /* an initial sync has gathered it all already */
    if (filter_wants_room_events(&g->request->filter->room_account_data, room->room_id))
        sync_gather_room_account_data(g, room->membership.room, all, &room->account_data);
}

/* Counts go out when they may have changed: with events, when the person has read something, and when what they follow
 * from is another (push rules, whom the person ignores). */
void room_unread_gather(struct sync_gather *g, struct room_data *room)
{
    const struct sync_request *request = g->request;
    const struct membership_row *m = &room->membership;
    bool changed =
        room->whole || room->timeline.counts || receipts_last_of_user(g->db, m->room, request->user) > room->since;
    if (!changed && !g->counts_anew)
        return;
    if (g->rules == NULL)
        g->rules = unread_rules(g->sync->unread, g->db, request->user);
    struct unread_ask ask = {.user = request->user,
                             .user_id = request->user_id,
                             .room = m->room,
                             .room_id = room->room_id,
                             .joined_pos = m->joined_pos,
                             .upto = g->upto,
                             .ignored = &g->ignored,
                             .only_behind = !changed,
                             .rules = g->rules};
    room->has_unread = unread_get(g->sync->unread, g->db, &ask, &room->unread);
}
