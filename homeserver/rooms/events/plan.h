/* Planning an event: all that is asked before it may be, from the room as the jobs before left it.
 *
 * In this order: whether the draft is well formed, the school's gate, the choice of auth events, event authorization,
 * and what the Client-Server API asks of single types (canonical aliases, invitations, annotations, redactions).
 * Nothing is changed. */
#ifndef PARTA_ROOMS_EVENTS_PLAN_H
#define PARTA_ROOMS_EVENTS_PLAN_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/rooms/events/new_event.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/pdu/auth.h"

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
    int64_t held_no;       /* F3: it was held as that, and is to be delivered; 0 otherwise */
    const json_t *invited; /* of what makes a room: ids of those who are invited next, or there will be no room */
    int64_t ts;            /* origin_server_ts that an application service asks for; 0: now */
};

struct plan {
    struct room *room;
    struct tx *tx;
    struct gate_answer answer; /* of plan_event: due_ms: the message is to be held (F3) */
    const char *stranger;      /* plan_first_joins: who is taken to have no member event */
    size_t n_auth;             /* the auth events: ids borrowed from the room's state */
    const char *auth_ids[AUTH_KEYS_MAX];
    unsigned char auth_hashes[AUTH_KEYS_MAX][SHA256_BYTES]; /* room versions 1 and 2 */
    struct text auth;                                       /* their positions, "12,15" */
};

/* room and tx are borrowed. plan_finish frees what planning has gathered: always, also after a refusal. */
void plan_init(struct plan *plan, struct room *room, struct tx *tx);
void plan_finish(struct plan *plan);

/* Asks everything about draft and frames the event. event: zeroed. false: *e is the refusal;
 * finish both all the same. */
bool plan_event(struct plan *plan, const struct draft *draft, struct new_event *event, struct error *e);

/* Asks what is the same for all who join the room for the first time with such a content (a profile beside it changes
 * nothing): the auth events, and whether they are enough. stranger: one of them. The gate is the caller's to ask, for
 * each. */
bool plan_first_joins(struct plan *plan, const char *stranger, const json_t *content);

/* Frames the event at the room's end: its PDU and row, around event->content. Room versions 1 and 2: draws its id. */
void plan_frame(const struct plan *plan, const struct draft *draft, const char *sender_id, struct new_event *event);

/* What an act is that turns one membership into another; own: by the person concerned. */
enum act plan_member_act(enum membership from, enum membership to, bool own);

#endif
