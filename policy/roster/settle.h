/* The consequences of changed records, in the same transaction: who is in which roster room (E2), with which power (E3),
 * who is restricted (D7), who has left (G1, G2).
 *
 * Whatever changes schools, classes, people, roles, enrollments, guardianships or standings calls settle_touch for each
 * person concerned (settle_all when it can't be said, as in a bulk import) and settle_finish before its job ends. Work is
 * proportional to the people touched. Guardians of a touched child, and children of a touched guardian, are found by
 * settle itself. */
#ifndef PARTA_POLICY_ROSTER_SETTLE_H
#define PARTA_POLICY_ROSTER_SETTLE_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "policy/roster/import.h"

struct rooms;
struct settling;
struct tx;

/* Valid inside the job. changes: counts what happened; may be NULL. */
struct settling *settle_begin(struct tx *tx, struct rooms *rooms, struct roster_changes *changes);

void settle_touch(struct settling *s, user_no user);
void settle_all(struct settling *s);
void settle_class(struct settling *s, class_no class);    /* its rooms: made, renamed; everybody enrolled is touched */
void settle_school(struct settling *s, school_no school); /* its rooms: made, renamed */

/* Frees s, also when it answers false: *e, and the job must answer false. */
bool settle_finish(struct settling *s, struct error *e);

/* A day has passed: roles and enrollments that begin or end by date (E7), pupils who have come of age (D7). In a job; cheap when
 * nothing is due. */
bool settle_day(struct tx *tx, struct rooms *rooms, struct roster_changes *changes, struct error *e);

#endif
