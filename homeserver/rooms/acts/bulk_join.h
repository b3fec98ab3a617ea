/* Many people into rooms at once, by the service user's force (school.md E1, E2).
 *
 * The result is that of membership_act with ACT_JOIN for one after the other: the same events in the same order, past
 * the same gate. It costs a fraction, because what is the same for all who enter a room for the first time is worked
 * out once a room (which events authorise them, whether event authorization lets the service user bring somebody in,
 * what a redaction would leave of the event) and because another core signs (rooms/events/complete.h). What is each
 * one's own is asked for each: the school's gate, the name, place in the line, hashes. Whoever was in the room before
 * goes the ordinary way; who is banned is unbanned first.
 *
 * Cheapest when those who enter one room come together. The rows of the last few hundred events are written late, so
 * between bulk_join_begin and bulk_join_finish the job does nothing else in rooms. */
#ifndef PARTA_ROOMS_ACTS_BULK_JOIN_H
#define PARTA_ROOMS_ACTS_BULK_JOIN_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"

struct bulk_join;
struct rooms;
struct tx;

/* actor: the service user. Never NULL. */
struct bulk_join *bulk_join_begin(struct rooms *rooms, struct tx *tx, user_no actor);

/* false: *e, and the job must answer false, once it has called bulk_join_finish. Who is joined already stays so. */
bool bulk_join_add(struct bulk_join *joins, room_no room, user_no target, struct error *e);

/* Writes the rest and frees joins. good: whether all went well so far; if not, nothing is written. false: *e (if good
 * was true), and the job must answer false. */
bool bulk_join_finish(struct bulk_join *joins, bool good, struct error *e);

#endif
