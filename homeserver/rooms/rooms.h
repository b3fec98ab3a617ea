/* The rooms service: what all acts in rooms share, and the rooms that the writer has in memory.
 *
 * A struct room is the writer's: only jobs touch it, so it needs no lock, and it is always as the jobs before left it.
 * State is loaded on demand, key by key, and kept; absent keys are remembered too. A job that changes a room says so:
 * should it or the commit fail, what is in memory is stale and the next job reads it again from the database.
 * Memory is bounded: the rooms unused for longest are dropped when there are more than ROOMS_CACHED, or more pieces of
 * their state than STATES_CACHED (what is absent counts too: clients can ask for anything; what is long counts several
 * times, once more for each STATE_BYTES). */
#ifndef PARTA_ROOMS_ROOMS_H
#define PARTA_ROOMS_ROOMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <uthash.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/rooms/pdu/auth.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/rooms/pdu/power.h"
#include "homeserver/rooms/pdu/version.h"

struct db;
struct gate_cache;
struct recent;
struct tx;
struct user_names;
struct rooms;

#define ROOMS_CACHED 2000
#define STATES_CACHED 100000
#define STATE_BYTES 256

struct rooms_settings {
    const char *server_name; /* borrowed for the service's life, like the rest */
    const struct signing_key *key;
    struct user_names *names;
    const char *default_version;
    bool school_mode; /* policy.mode */
    /* Whether an application service has a say on the alias that the user does not get past; inside a job. NULL: none
     * has. of_services is passed. */
    bool (*alias_taken)(void *of_services, struct db *db, const char *alias, user_no user);
    void *of_services;
};

size_t rooms_states_cached(const struct rooms *rooms); /* pieces of state in memory, as they count; for tests */

/* Never NULL; reads nothing yet. settings are copied, what they point to is borrowed. */
struct rooms *rooms_create(const struct rooms_settings *settings);
void rooms_destroy(struct rooms *rooms); /* NULL is accepted; after the writer has stopped */
/* As rooms_create got them; borrowed; any thread. */
const struct rooms_settings *rooms_settings(const struct rooms *rooms);
struct gate_cache *rooms_gate_cache(const struct rooms *rooms); /* for gate.c */
struct db *rooms_db(const struct rooms *rooms); /* the writer's, on its thread; NULL before the first job */
struct recent *rooms_recent_events(const struct rooms *rooms); /* for rooms/events/recent_events.h */

/* One (type, state key) of a room's state. */
struct room_state {
    char *key;      /* "type\0state_key" */
    stream_pos pos; /* 0: there is none */
    char *event_id; /* with the rest NULL when pos is 0 */
    user_no sender;
    const char *sender_id; /* borrowed from names */
    json_t *content;
    size_t weight;                              /* for how many it counts in memory */
    unsigned char reference_hash[SHA256_BYTES]; /* room versions 1 and 2 */
    struct auth_event auth;                     /* the same for auth_check, borrowing the above */
    UT_hash_handle hh;
};

struct room {
    struct rooms *rooms;
    room_no no;
    char *room_id;
    const struct room_version *version;
    user_no creator;
    struct room_state *state;  /* what was asked for so far */
    struct member_set *joined; /* NULL: not loaded; room_joined */
    stream_pos last_pos;       /* of the newest event; 0: none yet */
    char last_event_id[ID_BYTES_MAX + 1];
    unsigned char last_reference[SHA256_BYTES];
    int64_t last_ts, depth;
    int64_t generation; /* stale when the service's is newer */
    int64_t serial;     /* of the last job that used it */
    int64_t touched;    /* of the last job that changed it */
    UT_hash_handle hh;
};

/* The room for this job, valid until the job ends. NULL: there is no such room. */
struct room *room_open(struct rooms *rooms, struct tx *tx, room_no no);
/* The same by id; *e is ERROR_NOT_FOUND… as a stranger may see it: ERROR_FORBIDDEN "not in this room". */
struct room *room_open_by_id(struct rooms *rooms, struct tx *tx, const char *room_id, struct error *e);
/* Remembers a room that this job has just inserted. */
struct room *room_begin(struct rooms *rooms, struct tx *tx, room_no no, const char *room_id,
                        const struct room_version *version, user_no creator);

/* Current state. Never NULL; pos 0: there is none. Valid until the job ends or that state changes. */
const struct room_state *room_state_get(struct room *room, struct tx *tx, const char *type, const char *state_key);
const json_t *room_state_content(struct room *room, struct tx *tx, const char *type,
                                 const char *state_key); /* NULL: none */
const char *room_state_string(struct room *room, struct tx *tx, const char *type,
                              const char *key); /* of content; state key "" */

void room_power(struct room *room, struct tx *tx, struct power *power); /* borrows the room's state */
struct member_set *room_joined(struct room *room, struct tx *tx);       /* borrowed */

/* For observers, on the writer's thread once the group is committed. A job whose change concerns a room without being
 * an event in it (receipts, typing) reads beforehand who is joined, with rooms_prepare_joined, so that they find it. */
void rooms_prepare_joined(struct rooms *rooms, struct tx *tx, room_no room);
/* Who is joined now: a reference of the caller's. Asks the database when memory does not know (a job of the group was
 * rolled back, or the group was about more rooms than memory holds). NULL: the database failed. */
struct member_set *rooms_joined_now(struct rooms *rooms, room_no room);
/* The room with who is joined; NULL: memory does not have it, or it is stale. */
const struct room *rooms_peek(const struct rooms *rooms, room_no room);

/* A hook: hears of every event that is recorded, inside its job, when its row is written (rooms/events/new_event.h).
 * false: the database failed, and with it the job. */
struct new_event;
typedef bool rooms_hook(void *self, struct tx *tx, const struct new_event *event);
void rooms_add_hook(struct rooms *rooms, rooms_hook *fn, void *self); /* before the first job */

/* For rooms/events/record.c: the hooks in order; the room has changed in this job; a new event of state. */
bool rooms_run_hooks(const struct rooms *rooms, struct tx *tx, const struct new_event *event);
void room_touch(struct room *room, struct tx *tx);
void room_forget_state(struct room *room, const char *type, const char *state_key);

#endif
