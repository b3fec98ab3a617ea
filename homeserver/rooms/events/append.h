/* The append pipeline: the one way an event comes into a room.
 *
 * append_event runs inside a writer's job and does, in this order: the school's gate, the choice of auth events, event
 * authorization, the complete PDU (hashes, signature, id), the row, and what follows from it: current state,
 * memberships, relations, an applied redaction, the news for /sync. What it refuses has changed nothing.
 *
 * A room is a line: an event's prev_events is the one before. origin_server_ts never falls within a room. */
#ifndef PARTA_ROOMS_EVENTS_APPEND_H
#define PARTA_ROOMS_EVENTS_APPEND_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "policy/rules/rules.h"

struct tx;

/* An event to be. Everything is borrowed. What a client makes of a membership goes through rooms/acts/membership.h
 * first. */
struct draft {
    user_no sender;
    user_no actor; /* who acts, for the school's rules: 0: the sender. The service user joins people by force */
    const char *type;
    const char *state_key; /* NULL: not a state event */
    const json_t *content; /* an object of canonical values */
    const char *redacts;   /* m.room.redaction: what; NULL otherwise */
    device_no device;      /* with txn_id: remembers what the transaction did */
    const char *txn_id;    /* NULL: none */
    const char *about;     /* with txn_id: the path's segment before it (store/matrix/events.h) */
    int64_t ts;            /* origin_server_ts asked for by an application service; 0: now */
};

struct appended {
    stream_pos pos; /* 0: held until quiet hours are over (school.md F3), under a placeholder of an id */
    char event_id[ID_BYTES_MAX + 1];
    struct verdict notice; /* of append_event; with a rule (not ""): VERDICT_HOLD or VERDICT_WARN, to be told (F3) */
};

/* What an act is that turns one membership into another; own: by the person concerned. */
enum act append_member_act(enum membership from, enum membership to, bool own);

/* false: *e is the refusal (ERROR_FORBIDDEN, ERROR_TOO_LARGE, ERROR_BAD_JSON, …). */
bool append_event(struct room *room, struct tx *tx, const struct draft *draft, struct appended *out, struct error *e);

/* A state event whose content equals the current one is not repeated: *out names the current one. */
bool append_state(struct room *room, struct tx *tx, const struct draft *draft, struct appended *out, struct error *e);

#endif
