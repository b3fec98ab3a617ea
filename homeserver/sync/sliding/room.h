/* What an answer of sliding sync tells of one room (MSC4186, "Room results"), gathered by the same functions as the
 * sections of /sync gather theirs (sync/sections/room_parts.h), so that what these hide is hidden here. */
#ifndef PARTA_SYNC_SLIDING_ROOM_H
#define PARTA_SYNC_SLIDING_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/sync/room_data.h"
#include "homeserver/sync/sliding/list.h"

struct sliding_room {
    struct room_data data; /* state: the required state; before one enters it: stripped state */
    const struct sliding_plan *plan;
    struct connection_room *entry; /* as the client has it, until it is told */
    char *room_id;                 /* heap, where data borrows it */
    stream_pos had;                /* what the client has of it; 0: nothing that counts */
    bool initial, expanded, outside;
    size_t n_live; /* of the timeline: newer than what the connection was up to */
    int64_t bump_ms;
    bool says_name, says_avatar, says_direct, direct;
    char *name, *avatar; /* heap; NULL: it has none (any more) */
};

/* The room at next->rooms[at], of which something may be to be told. false: it is not to be known (any more), or there
 * is nothing of it but for the extensions. Finish in either case. Blocks (reads). */
bool sliding_room_gather(struct sliding_answer *a, size_t at, struct sliding_room *room);
void sliding_room_finish(struct sliding_room *room);

/* Whether an event of that type brings its room to the top of a list ("bump_stamp"). */
bool sliding_bumps(const char *type);

/* The room is told: what the client has of it now. */
void sliding_room_sent(struct sliding_room *room);

/* room_state.c: the required state into data.state: all of what the client has not been sent by the same parts, of the
 * rest what has changed, and members who are needed. */
void sliding_room_state_gather(struct sliding_answer *a, struct sliding_room *room);

/* write.c: appends `"!room":{…}`. Blocks (rendering reads). */
void sliding_room_write(struct sliding_answer *a, struct sliding_room *room);

#endif
