/* What a wrong roster took comes back whole with the right one (school.md G5): who was in which room that people made
 * and who answered for it, the state of accounts, addresses. reconcile.c calls this where it takes and where it has
 * made the records true; what is kept lies in store/school/taken.h, for TAKEN_DAYS. The records themselves come back
 * with the import (policy/oneroster/import_return.c). Not what ends with the account at once: sessions, and the keys
 * and pushers of their devices.
 *
 * Nobody gets back by this into what they could not be in now: the gate is asked, and the room's own rules hold. Who
 * comes back into a room of people's own is invited in the name of somebody there who may invite. Where nobody would be
 * left who may, the service user is let in by the last, and goes when one of them is back: the room would be closed for
 * ever. Who comes back finds a room that was upgraded meanwhile and what replaced it: the upgrade
 * hands on what is kept (taken_replace). A tombstone that somebody wrote by hand leads nowhere. All inside a job. */
#ifndef PARTA_POLICY_RECORDS_RETURNING_H
#define PARTA_POLICY_RECORDS_RETURNING_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/account_state.h"
#include "homeserver/base/ids.h"
#include "policy/records/roster_rooms.h"

/* Before these people leave the room: remembers that they were there, and keeps the room open. false: the database
 * failed. */
bool returning_leave(struct roster_rooms *p, room_no room, const user_no *users, size_t n);

/* The rooms of everybody (0) or one person, as far as they may be in them. false: *p->e. */
bool returning_rooms(struct roster_rooms *p, user_no user, bool (*may)(void *arg, room_no room, user_no user),
                     void *arg);

/* Before an account is closed; after it is open again: its addresses, and in which state it should be (ACCOUNT_ACTIVE,
 * if nothing else was kept). false: the database failed. */
bool returning_close(struct tx *tx, user_no user);
bool returning_open(struct tx *tx, user_no user, enum account_state *state);

/* A roster switches an account off, and on again: what the office had decided about it stands. false: the database
 * failed. */
bool returning_set_enabled(struct tx *tx, user_no user, bool enabled);

#endif
