/* Placeholders in ordinary operations (school.md F3).
 *
 * Whoever sends in quiet hours that delay is told a placeholder, "$held…", for an event's id. It cannot be the id that
 * the event will have: that is a hash of the event with its place in the room, which it gets when it is delivered (and
 * a place now, hidden until then, would be a place in the stream that clients have passed). The sender's client shows
 * the message under the placeholder all the same, and edits it, reacts to it, answers it and takes it back by it. So
 * before an event is planned, what it says of placeholders is put right, by the sender's own held messages of that
 * room:
 *
 *   waits              a redaction takes it back; everything else waits with it
 *   delivered          the id becomes the event's
 *   anything else      there is no such event: refused (a redaction of what was taken back already is done already)
 *
 * No event is recorded that points to a placeholder. */
#ifndef PARTA_ROOMS_EVENTS_HELD_IDS_H
#define PARTA_ROOMS_EVENTS_HELD_IDS_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/rooms/events/plan.h"
#include "homeserver/store/matrix/delayed_messages.h"

/* A draft put right; draft borrows from the rest. */
struct held_draft {
    struct draft draft;
    json_t *content;       /* the draft's own copy */
    struct held_fate fate; /* of what it redacts */
    int64_t due_ms;        /* until then what it points to waits; 0: nothing of it does */
    bool taken_back;       /* it was a redaction of a held message, and is done */
};

/* Whether the draft points to any placeholder. */
bool held_ids_in(const struct draft *draft);

/* Inside a job. false: *e; finish it all the same. */
bool held_ids_resolve(struct tx *tx, const struct room *room, const struct draft *draft, struct held_draft *out,
                      struct error *e);
void held_ids_finish(struct held_draft *held);

#endif
