/* "leave": the rooms one has left or was banned from, up to the moment when they were in it last. What came after that
 * is not theirs to see, but for their own newest member event: an invite that was declined, a ban.
 *
 * Of a room that is closed to whoever left it (a room of a school that they left: school.md A1, G1) only their own
 * leaving is told, and only while it is news: their client takes the room away. An initial sync does not name it.
 *
 * Who was banned, or unbanned, without ever having been in the room, asked to it or asking is told nothing: there is no
 * room that their client could take away, and it would be a letter from whoever made one (F1). */
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/sync/sections/room_parts.h"
#include "homeserver/sync/sections/sections.h"
#include "homeserver/sync/v2_room.h"

struct left {
    size_t at; /* of the gathering's rooms: the next to look at */
    struct room_data room;
};

static bool next_to_tell(struct sync_gather *g, size_t *at, struct room_data *room)
{
    while (room_next(g, at, 1u << MEMBERSHIP_LEAVE | 1u << MEMBERSHIP_BAN, room)) {
        if (g->request->since != 0 ? visibility_was_let_in(g->db, &room->membership, g->request->user_id)
                                   : !visibility_is_closed(room_visibility(g, room)))
            return true;
        room_data_finish(room);
    }
    return false;
}

void room_left_gather(struct sync_gather *g, struct room_data *room)
{
    stream_pos since = g->request->since;
    const struct visibility *visibility = room_visibility(g, room);
    stream_pos left_pos = visibility_left_pos(visibility, INT64_MAX);
    room->fresh = room->membership.joined_pos > since;
    room->stranger = left_pos == 0 || (!room->fresh && visibility_membership_at(visibility, since) != MEMBERSHIP_JOIN);
    room->since = room_since(g, room);
    room->upto = room->stranger ? room->since : left_pos;
    room->whole = room->fresh || g->request->full_state;
}

static bool gather(struct sync_gather *g, void *data)
{
    struct left *left = data;
    struct room_data *room = &left->room;
    if (!next_to_tell(g, &left->at, room))
        return false;
    room_left_gather(g, room);
    room_timeline_gather(g, room);
    room_state_gather(g, room);
    room_members_gather(g, room);
    room_account_data_gather(g, room);
    return true;
}

static void write(struct text *out, struct sync_gather *g, const void *data)
{
    v2_add_left_room(out, g, &((const struct left *)data)->room);
}

static void finish(void *data)
{
    room_data_finish(&((struct left *)data)->room);
}

const struct sync_section LEFT_ROOMS_SECTION = {
    .key = "leave",
    .of_rooms = true,
    .in_portions = true,
    .data_bytes = sizeof(struct left),
    .gather = gather,
    .write = write,
    .finish = finish,
};
