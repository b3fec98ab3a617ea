/* The event recorder: the one place where events come to lie, whoever made them.
 *
 * It has two halves, because an event's place in its room must be known to the next event at once, while its id can
 * come a little later (complete.h). record_place gives it its position and moves the room on: what it replaces, current
 * state, memberships. record_write puts down the row and what follows from it: the transaction, the
 * relation, an applied redaction, every hook, the changes for observers. Both in one job; events of a job are written
 * in the order of their places. Between the halves the event can't be read back.
 *
 * Whatever later needs to hear of every event (inside the job; after the commit one observes changes instead) adds a
 * hook (rooms/rooms.h, rooms_hook) and nothing else. */
#ifndef PARTA_ROOMS_EVENTS_RECORD_H
#define PARTA_ROOMS_EVENTS_RECORD_H

#include <stdbool.h>

#include "homeserver/rooms/events/new_event.h"

struct tx;

/* Both: false: the database failed, and the job must answer false. event->pdu has its id before record_place only if
 * the room is called after it (version 12's m.room.create). A first join (event->first) does not count itself in
 * rooms.joined: the caller counts them together (memberships_count_more). */
bool record_place(struct tx *tx, struct new_event *event);
bool record_write(struct tx *tx, struct new_event *event);

#endif
