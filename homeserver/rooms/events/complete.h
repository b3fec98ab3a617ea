/* Completing a planned event: content hash, reference hash, id (rooms/pdu/pdu.h).
 *
 * One event is completed where it is planned. A job that makes many (a class enters its rooms) completes them beside
 * itself, in batches on another core (rooms/pdu/pdu_batch.h): an event's row and its room's state need its position at
 * once, but its hashes and its id only when the row is written. So such an event is placed first
 * (record_place), then pushed here, and written (record_write) when it comes back complete, in the order of pushing.
 * Nothing without an id is ever on disk. */
#ifndef PARTA_ROOMS_EVENTS_COMPLETE_H
#define PARTA_ROOMS_EVENTS_COMPLETE_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/rooms/events/new_event.h"

struct tx;

/* Completes one event. false: *e is ERROR_TOO_LARGE. */
bool complete_event(struct tx *tx, struct new_event *event, struct error *e);

/* Many events of one job. Room versions 1 and 2 can't: their events carry ids of their own. */
struct event_batch;
struct event_batch *event_batch_create(struct rooms *rooms, struct tx *tx);
void event_batch_destroy(struct event_batch *batch); /* what was not flushed is lost; NULL is accepted */

/* The next event to fill in, place and push: zeroed, but for the memory of its content. */
struct new_event *event_batch_next(struct event_batch *batch);

/* What event_batch_next gave is placed; earlier events may be written now. What it borrows stays until they are. false:
 * an event is too large or the database failed, and the job must answer false. */
bool event_batch_push(struct event_batch *batch);

/* Writes all that were pushed. false: as event_batch_push. */
bool event_batch_flush(struct event_batch *batch);

/* Whether the room's last event is not written yet, so that nobody knows its id. */
bool event_batch_holds(const struct event_batch *batch, const struct room *room);

#endif
