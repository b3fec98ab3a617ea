/* The consequences of changed records, in the same transaction: who is in which roster room (E2), with which power
 * (E3), who is restricted (D7), who has left (G1, G2).
 *
 * In this order: roles that follow from enrollments and guardianships (SOURCE_DERIVED, so that a role stands while
 * anything supports it); rooms that are missing or renamed (E1, E6); accounts that were closed and have a school
 * again; names; roster_members, powers, leaves and joins; rooms that people made and an earlier roster took
 * (returning.h); rooms and accounts of those who lost a school; restricted pupils (D7).
 *
 * Whatever changes schools, classes, people, roles, enrollments, guardianships or account states calls reconcile_touch
 * for each person concerned (reconcile_all when it can't be said, as in a bulk import) and reconcile_finish before its
 * job ends. Work is proportional to the people touched. Guardians of a touched child, and children of a touched
 * guardian, are found by reconcile itself. */
#ifndef PARTA_POLICY_RECORDS_RECONCILE_H
#define PARTA_POLICY_RECORDS_RECONCILE_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "policy/records/roster_changes.h"

struct changelog;
struct rooms;
struct reconciling;
struct tx;

/* Valid inside the job. changes: counts what happened; may be NULL. */
struct reconciling *reconcile_begin(struct tx *tx, struct rooms *rooms, struct roster_changes *changes);
struct reconciling *reconcile_begin_changelog(struct tx *tx, struct rooms *rooms,
                                              struct changelog *changelog); /* changelog.h; borrowed */

/* That person's rooms, roles and account are looked at by reconcile_finish; any number of times. user 0 must not be. */
void reconcile_touch(struct reconciling *s, user_no user);
void reconcile_lost(struct reconciling *s,
                    user_no user); /* touched, and may have lost a school: a record of theirs ended */
/* As if everybody had been touched. */
void reconcile_all(struct reconciling *s);

/* Who may start polls, or whether encryption may be turned on, has changed in the school, or (0) anywhere: its rooms'
 * power levels follow (F4, E9). With reconcile_all that is looked at anyway. */
void reconcile_levels(struct reconciling *s, school_no school);

/* The language of a school, or of all, has changed: everybody and every room is called anew. It looks at everything, as
 * reconcile_all does. */
void reconcile_language(struct reconciling *s);

void reconcile_class(struct reconciling *s,
                     class_no class); /* its rooms: made, renamed; everybody enrolled is touched */
void reconcile_school(struct reconciling *s, school_no school); /* its rooms: made, renamed */

/* The rooms of an earlier year (G3). false: *e, and the job must answer false. */
bool reconcile_archive(struct reconciling *s, room_no room, struct error *e);

/* Works out the roles that follow, before the rest: what reconcile_finish begins with. For who must know them to decide
 * whether to go on. false: *e, and the job must answer false; s is there still. */
bool reconcile_roles(struct reconciling *s, struct error *e);

/* What is taken now is kept, to come back (returning.h): it was a roster's or a day's word, not somebody's decision
 * about these people. */
void reconcile_keep(struct reconciling *s);

void reconcile_abandon(struct reconciling *s); /* frees s; the job answers false. NULL is accepted */

/* Frees s, also when it answers false: *e, and the job must answer false. */
bool reconcile_finish(struct reconciling *s, struct error *e);

#endif
