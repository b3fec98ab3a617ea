/* "join": the rooms one is in. */
#include "homeserver/sync/sections/room_parts.h"
#include "homeserver/sync/sections/sections.h"
#include "homeserver/sync/v2_room.h"

struct joined {
    size_t at; /* of the gathering's rooms: the next to look at */
    struct room_data room;
};

static void gather_room(struct sync_gather *g, struct room_data *room)
{
    room->fresh = room->membership.joined_pos > g->request->since;
    room->whole = room->fresh || g->request->full_state;
    room->since = room_since(g, room);
    room_timeline_gather(g, room);
    room_state_gather(g, room);
    room_summary_gather(g, room);
    room_members_gather(g, room);
    room_ephemeral_gather(g, room);
    room_account_data_gather(g, room);
    room_unread_gather(g, room);
}

static bool gather(struct sync_gather *g, void *data)
{
    struct joined *joined = data;
    struct room_data *room = &joined->room;
    while (room_next(g, &joined->at, 1u << MEMBERSHIP_JOIN, room)) {
        gather_room(g, room);
        /* Counts go with every event and with one's own receipts, so they stand for all of those. */
        if (room->has_unread || room->typists.changed || room->receipts.n != 0 || room->account_data.n != 0)
            return true;
        room_data_finish(room);
    }
    return false;
}

static void write(struct text *out, struct sync_gather *g, const void *data)
{
    v2_add_joined_room(out, g, &((const struct joined *)data)->room);
}

static void finish(void *data)
{
    room_data_finish(&((struct joined *)data)->room);
}

const struct sync_section JOINED_ROOMS_SECTION = {
    /* Whose membership changed gets a new answer: rooms come and go, and who left is in no room's audience any more.
     * With one's own receipt one's own counts change. */
    .changes = {{CHANGE_EVENT, HUB_ROOM},
                {CHANGE_MEMBERSHIP, HUB_USER},
                {CHANGE_RECEIPT, HUB_ROOM | HUB_USER},
                {CHANGE_TYPING, HUB_ROOM}},
    .key = "join",
    .of_rooms = true,
    .in_portions = true,
    .data_bytes = sizeof(struct joined),
    .gather = gather,
    .write = write,
    .finish = finish,
};
