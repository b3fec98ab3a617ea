#include "homeserver/rooms/acts/leave_all.h"

#include <stdlib.h>

#include "homeserver/rooms/acts/membership.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/driver/writer.h"

bool leave_all(void *rooms, struct tx *tx, user_no user, struct error *e)
{
    size_t n;
    bool done = true;
    room_no *leaving =
        memberships_rooms(tx->db, user, 1u << MEMBERSHIP_JOIN | 1u << MEMBERSHIP_INVITE | 1u << MEMBERSHIP_KNOCK, &n);
    for (size_t i = 0; done && i < n; ++i) {
        struct room *room = room_open(rooms, tx, leaving[i]);
        struct membership_act leave = {.act = ACT_LEAVE, .actor = user, .target = user, .closing = true};
        struct appended out;
        done = room != NULL && membership_act(room, tx, &leave, &out, e);
    }
    free(leaving);
    return done;
}
