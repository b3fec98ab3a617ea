/* An event on its way into its room: what planning, completing and recording hand on to each other (append.h).
 *
 * It does not move from plan_frame on: the PDU and the row borrow from each other and from content. They borrow the
 * strings of the draft and the auth events of the plan, too, which therefore stay until the event is written. */
#ifndef PARTA_ROOMS_EVENTS_NEW_EVENT_H
#define PARTA_ROOMS_EVENTS_NEW_EVENT_H

#include <stdbool.h>

#include "homeserver/base/text.h"
#include "homeserver/rooms/pdu/pdu.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"

struct new_event {
    struct room *room;
    struct text content;                   /* canonical; the caller's to finish in the end */
    struct pdu pdu;                        /* whole but for hashes and id: completing adds them */
    struct event_row row;                  /* whole but for its position and what it replaces: recording adds them */
    const char *prev;                      /* what pdu.prev_events points to */
    unsigned char reference[SHA256_BYTES]; /* room versions 1 and 2 */

    /* What follows from it. */
    user_no target;                    /* m.room.member: whose membership; else 0 */
    enum membership membership;        /* the new one */
    bool first;                        /* a first join into a room of the roster: no membership row was there */
    const char *relates_to, *rel_type; /* m.relates_to, an event of this room; NULL: none */
    stream_pos redacted;               /* the event that this redaction strips; 0: none */
    const char *txn_id, *about;        /* the device's transaction (store/matrix/events.h); NULL: none */
    device_no device;
};

#endif
