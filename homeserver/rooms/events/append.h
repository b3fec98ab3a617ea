/* Appending: the way an event comes into a room.
 *
 * append_event runs inside a writer's job, in three steps. Plan (plan.h): what must be asked before it may be. Complete
 * (complete.h): hashes, id. Record (record.h): its place, its row, and what follows from it. What it refuses
 * has changed nothing. A job that makes many events uses the same three steps by itself (rooms/acts/bulk_join.h).
 *
 * A room is a line: an event's prev_events is the one before. The time of receipt
 * (event_received_ms), which is origin_server_ts where no application service says another, never falls within a room,
 * but from what a clock that was ahead had stamped back to what it is. */
#ifndef PARTA_ROOMS_EVENTS_APPEND_H
#define PARTA_ROOMS_EVENTS_APPEND_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/rooms/events/plan.h"
#include "homeserver/rooms/rooms.h"
#include "policy/rules/rules.h"

struct tx;

struct appended {
    stream_pos
        pos; /* 0: held until quiet hours are over (school.md F3), under a placeholder of an id; or a held one was
                     * taken back, and event_id is its placeholder */
    char event_id[ID_BYTES_MAX + 1];
    struct verdict notice; /* of append_event; with a rule (not ""): VERDICT_HOLD or VERDICT_WARN, to be told (F3) */
};

/* false: *e is the refusal (ERROR_FORBIDDEN, ERROR_TOO_LARGE, ERROR_BAD_JSON, …). */
bool append_event(struct room *room, struct tx *tx, const struct draft *draft, struct appended *out, struct error *e);

/* A state event whose content equals the current one is not repeated: *out names the current one. */
bool append_state(struct room *room, struct tx *tx, const struct draft *draft, struct appended *out, struct error *e);

#endif
