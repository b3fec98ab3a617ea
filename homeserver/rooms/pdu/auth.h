/* Event authorization: whether an event may happen, given the state of its room.
 *
 * The rules of all room versions stand in the order of the specification, as rows of a table (auth.c); a row can belong
 * to some versions only. auth_check asks for the state it needs by a callback, so that it can be run inside the
 * writer's job against the state now, and later, in a federation, against any other state. It knows nothing but its
 * input: no store, no clock. (Room versions, "Authorisation rules"; Server-Server API, "Auth events selection".)
 *
 * What is not event authorization and is asked elsewhere: the size limits and hashes (pdu.h), the school's rules
 * (policy/rules), whether a redaction may be applied from version 3 on (auth_may_redact, below). */
#ifndef PARTA_ROOMS_PDU_AUTH_H
#define PARTA_ROOMS_PDU_AUTH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "homeserver/rooms/pdu/power.h"
#include "homeserver/rooms/pdu/version.h"

/* A state event as the rules see it. */
struct auth_event {
    const char *event_id;
    const char *sender;
    const json_t *content; /* an object */
};

/* An entry of the candidate's auth_events, for events that others made. */
struct auth_fact {
    const char *type, *state_key;
    const char *room_id; /* NULL: a create event of version 12 */
    bool rejected;       /* it was itself refused */
};

struct auth_input {
    const struct room_version *version;

    /* The candidate. */
    const char *room_id;  /* NULL: it has none (the create event of version 12) */
    const char *event_id; /* versions 1 and 2, m.room.redaction only; else NULL will do */
    const char *type, *sender;
    const char *state_key;      /* NULL: not a state event */
    const json_t *content;      /* an object */
    const char *redacts;        /* versions 1 and 2, m.room.redaction only: the id of what it redacts */
    size_t n_prev;              /* how many prev_events it has */
    bool prev_is_create;        /* its only prev_event is the m.room.create */
    const char *const *signers; /* servers whose signature of it is known to be good: here this server's name */
    size_t n_signers;
    const struct auth_fact *auth; /* its auth_events; NULL: chosen here with auth_types_for, not to be checked */
    size_t n_auth;

    /* The state that it is checked against: the event of that type and state key, NULL if there is none. What it
     * answers stays until auth_check returns. */
    const struct auth_event *(*get)(void *ctx, const char *type, const char *state_key);
    void *ctx;
};

/* Whether the event is allowed. false: *why is a sentence for the client (static storage), for ERROR_FORBIDDEN. */
bool auth_check(const struct auth_input *in, const char **why);

/* From version 3 on: whether a redaction that was allowed may be applied to an event of target_sender (room versions,
 * "Handling redactions"). In versions 1 and 2 auth_check has decided it: true. */
bool auth_may_redact(const struct power *power, const char *redactor, const char *target_sender);

/* One (type, state key) of the room's state. */
struct auth_key {
    const char *type, *state_key;
};
#define AUTH_KEYS_MAX 6

/* Which state events an event has to name in auth_events, as far as the room has them: fills keys, each once, and
 * returns how many. The strings are borrowed from the arguments and from content. None for m.room.create; never
 * m.room.create in version 12. state_key: NULL: not a state event. */
size_t auth_types_for(const struct room_version *version, const char *type, const char *state_key, const char *sender,
                      const json_t *content, struct auth_key keys[AUTH_KEYS_MAX]);

#endif
