/* A server's lower half on a temporary database, for unit tests: writer, names, rooms, people. */
#ifndef PARTA_TESTS_FIXTURE_H
#define PARTA_TESTS_FIXTURE_H

#include <jansson.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/crypto.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/acts/create.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"

struct fixture {
    bool school_mode; /* policy.mode */
    char dir[64], path[96];
    struct writer *writer;
    struct audit_log *audit_log; /* as in the server: a job that forgets the log fails (J2) */
    struct user_names *names;
    struct signing_key key;
    struct rooms *rooms;
    struct db *db; /* a reader */
};

void fixture_start(struct fixture *f);
void fixture_start_school(struct fixture *f); /* the same in policy.mode school */
void fixture_restart(struct fixture *f);      /* as after a clean stop: memory is gone, the database stays */
void fixture_close(struct fixture *f);        /* restart in two steps: between them the process may fork */
void fixture_open(struct fixture *f);
void fixture_stop(struct fixture *f);

/* First in each job that a test makes up to write records past the acts: else it would fail for want of an entry. */
void fixture_acts(struct tx *tx);

user_no fixture_user(struct fixture *f, const char *localpart); /* a new person */
bool fixture_state(struct fixture *f, user_no user, enum account_state state);

/* One act each, through the writer. 0 or false: refused, *e (may be NULL) says how. */
room_no fixture_room(struct fixture *f, user_no creator, const char *version, enum room_preset preset, struct error *e);
room_no fixture_create(struct fixture *f, const struct room_plan *plan, struct error *e);
room_no fixture_upgrade(struct fixture *f, room_no room, user_no actor, const char *version, const char *creators,
                        struct error *e); /* creators: additional ones, JSON; NULL: none */
json_t *fixture_content(struct fixture *f, room_no room, const char *type,
                        const char *state_key); /* of state now; NULL: none */
/* As if the client had put m.room.member itself; content: JSON text. */
bool fixture_write_member(struct fixture *f, room_no room, user_no sender, const char *target_id, const char *content,
                          struct error *e);
bool fixture_member(struct fixture *f, room_no room, enum act act, user_no actor, user_no target, struct error *e);
/* content: JSON text. state_key, redacts: NULL: none. *out may be NULL. */
bool fixture_send(struct fixture *f, room_no room, user_no sender, const char *type, const char *state_key,
                  const char *content, const char *redacts, struct appended *out, struct error *e);

#endif
