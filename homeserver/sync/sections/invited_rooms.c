/* "invite" and "knock": the rooms that one is not in yet, as stripped state. The gate is asked each time (ACT_SEE):
 * since the invite a school may have been left. */
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/sync/sections/room_parts.h"
#include "homeserver/sync/sections/sections.h"
#include "homeserver/sync/sync_service.h"
#include "homeserver/sync/v2_room.h"

struct outside {
    size_t at; /* of the gathering's rooms: the next to look at */
    struct room_data room;
};

/* Who sent one's own member event: who invites. 0: unknown. */
static user_no sender_of(struct sync_gather *g, const struct room_data *room)
{
    struct event_row row;
    struct stmt *q = events_by_pos(g->db, room->membership.pos);
    user_no sender = events_next(q, &row) ? row.sender : 0;
    stmt_end(q);
    return sender;
}

/* Nobody is bothered by the invites of those whom they ignore. */
bool room_outside_shown(struct sync_gather *g, const struct room_data *room, user_no *inviter)
{
    if (!gate_may_see(rooms_settings(g->sync->rooms)->school_mode, g->db, room->membership.room, g->request->user))
        return false;
    *inviter = sender_of(g, room);
    return room->membership.membership != MEMBERSHIP_INVITE ||
           (!ignored_has(&g->ignored, *inviter) && !ignored_every_invite(g->db, g->request->user));
}

static bool gather_next(struct sync_gather *g, struct outside *outside, enum membership membership)
{
    user_no inviter;
    while (room_next(g, &outside->at, 1u << membership, &outside->room)) {
        if (!room_outside_shown(g, &outside->room, &inviter))
            continue;
        room_state_gather_stripped(g, &outside->room, inviter);
        return true;
    }
    return false;
}

static bool gather_invite(struct sync_gather *g, void *data)
{
    return gather_next(g, data, MEMBERSHIP_INVITE);
}

static bool gather_knock(struct sync_gather *g, void *data)
{
    return gather_next(g, data, MEMBERSHIP_KNOCK);
}

static void write_invite(struct text *out, struct sync_gather *g, const void *data)
{
    v2_add_stripped_room(out, g, &((const struct outside *)data)->room, "invite_state");
}

static void write_knock(struct text *out, struct sync_gather *g, const void *data)
{
    v2_add_stripped_room(out, g, &((const struct outside *)data)->room, "knock_state");
}

static void finish(void *data)
{
    room_data_finish(&((struct outside *)data)->room);
}

const struct sync_section INVITED_ROOMS_SECTION = {
    .key = "invite",
    .of_rooms = true,
    .in_portions = true,
    .data_bytes = sizeof(struct outside),
    .gather = gather_invite,
    .write = write_invite,
    .finish = finish,
};

const struct sync_section KNOCKED_ROOMS_SECTION = {
    .key = "knock",
    .of_rooms = true,
    .in_portions = true,
    .data_bytes = sizeof(struct outside),
    .gather = gather_knock,
    .write = write_knock,
    .finish = finish,
};
