/* An answer of sliding sync in the making, and which rooms it is about: the person's rooms in the order of their last
 * event, what of each list lies in its ranges, and the subscriptions (MSC4186, "Lists and subscriptions"). */
#ifndef PARTA_SYNC_SLIDING_LIST_H
#define PARTA_SYNC_SLIDING_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/text.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/sync/connections.h"
#include "homeserver/sync/gather.h"
#include "homeserver/sync/sliding/request.h"

/* What an answer is to do about a room. */
struct sliding_plan {
    bool wanted; /* lies in a range, or is subscribed to */
    bool subscribed;
    uint16_t limit;                       /* of its timeline */
    uint64_t parts;                       /* of the request's: bits */
    uint64_t lists[2];                    /* of the request's: bits */
    const struct gathered_room *gathered; /* something of it may be new; NULL: nothing is */
    const char *room_id;                  /* where it is at hand; NULL: not yet */
};

struct sliding_answer {
    struct sync_gather gather;
    struct sync_request request; /* the gathering's; since is what the room, or extension, at hand has */
    struct filter filter;        /* everything, and the limit of the room at hand */
    const struct sliding_request *ask;
    const struct connection_state *base; /* what the client has; NULL: nothing */
    stream_pos since;                    /* the base's; 0: there is none */
    struct connection_state *next;       /* what it will have */
    struct sliding_plan *plans;          /* beside next->rooms */
    int64_t counts[SLIDING_LISTS_MAX];   /* of each list, whatever its ranges */
    bool complete; /* every room of every list lies in its ranges, and every one that is subscribed to */
    bool direct_changed, direct_known;
    room_no *direct; /* m.direct of their account data: ascending; heap */
    size_t n_direct;
    bool news;
    struct text rooms,
        extensions[SLIDING_EXTENSION__COUNT]; /* what is written of rooms: members, with commas between */
};

/* All block (reads). */

/* Fills next->rooms from the base and what was gathered, plans and counts. */
void sliding_lists_plan(struct sliding_answer *a);

/* The rooms of a base that was lost, whose client had all of its lists at since. false: it cannot be said. */
bool sliding_lists_restore(struct sliding_answer *a, struct connection_state *base);

/* Whether it is a direct chat, as the person's account data has it. */
bool sliding_is_direct(struct sliding_answer *a, room_no room);

#endif
