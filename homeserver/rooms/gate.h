/* The one gate of rooms: collects the facts and asks policy/rules, inside the act's own job.
 *
 * Every event goes through gate_event in append (rooms/append.c), whoever makes it: client, application service,
 * administrator, roster job. Acts that are not events (aliases, the directory) ask gate_room. In policy.mode open the
 * answer is always yes and nothing is read. A refusal is M_FORBIDDEN with the rule's sentence and its number in the
 * field "org.parta.rule" (school.md J1, J3). */
#ifndef PARTA_ROOMS_GATE_H
#define PARTA_ROOMS_GATE_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "policy/rules/rules.h"

struct db;
struct rooms;

/* Whether actor may do act in the room. target: whom it concerns, 0: nobody. type, state_key: ACT_SEND, ACT_STATE.
 * false: *e is the refusal. Reads the database. */
bool gate_room(const struct rooms *rooms, struct db *db, enum act act, room_no room, user_no actor, user_no target,
               const char *type, const char *state_key, struct error *e);

/* Whether actor may create a room, before there is one. */
bool gate_create(const struct rooms *rooms, struct db *db, user_no actor, struct error *e);

/* A1: whether the user may learn that the room exists (alias look-up, directory, summary, world-readable history). A
 * "no" is told as "not found". school_mode as in the configuration. */
bool gate_may_see(bool school_mode, struct db *db, room_no room, user_no user);

/* B3: whether the user may choose a display name: the roster's people are called as it says. false: *e is the refusal.
 */
bool gate_name(bool school_mode, struct db *db, user_no user, struct error *e);

#endif
