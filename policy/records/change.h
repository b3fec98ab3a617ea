/* Changes to the school's records one at a time: what the office, the API and approvals do.
 *
 * Each function runs inside a writer's job, asks school_gate, changes the record (source 'school' for what is new; a
 * record that a roster keeps is changed only by an override, J2, and as the next import says otherwise it is so again),
 * reconciles the consequences and writes the audit entry. false: *e, and the job must answer false.
 *
 * if_version: of decisions (change_decides_on) the version that was shown, and needed. Elsewhere: optimistic version of
 * the record, 0: whatever it is; another one than the stored is ERROR_PRECONDITION (412). */
#ifndef PARTA_POLICY_RECORDS_CHANGE_H
#define PARTA_POLICY_RECORDS_CHANGE_H

#include <stdbool.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/error.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/schools.h"
#include "policy/gate/school_gate.h"

struct rooms;
struct tx;

/* What every change needs. */
struct changing_records {
    struct tx *tx;
    struct rooms *rooms; /* school_mode, server name and signing key from its settings */
    const struct actor *actor;
    struct error *e;
};

/* Whether somebody who decides on shown saw what is there now. seen 0: they do not say (428); another: 412. */
bool change_decides_on(const struct changing_records *c, int64_t seen, int64_t now);

/* People. user 0: a new one, with a new account: no password, state 'active' (or 'restricted', D7). sourced_id NULL:
 * one is drawn ("school:…"). Returns the person's number; 0: *e. */
user_no change_person(struct changing_records *c, const struct person_row *person, school_no school,
                      int64_t if_version);

/* Makes an account that exists (a pending one) this person: at approval. */
user_no change_person_of_account(struct changing_records *c, user_no account, const struct person_row *person,
                                 school_no school);

/* Roles. A role of pupil, class teacher or guardian follows from enrollments and guardianships
 * and is not given here. */
bool change_role(struct changing_records *c, const struct role_row *role);
bool change_role_end(struct changing_records *c, const struct role_row *role);

/* Enrollments: pupil, teacher, class_teacher (who replaces the one before). The role in the school follows. */
bool change_enrollment(struct changing_records *c, const struct enrollment_row *enrollment);
bool change_enrollment_end(struct changing_records *c, const struct enrollment_row *enrollment);

/* D5: a third guardian is refused. The guardian's roles in the child's schools follow. end: also lifts them. */
bool change_guardianship(struct changing_records *c, user_no child, user_no guardian);
bool change_guardianship_end(struct changing_records *c, user_no child, user_no guardian);

/* D9: says how the guardian stands to the child, why (policy/gate/reason.h), whoever keeps the guardianship.
 * CUSTODY_NO_CONTACT: the guardian has no guardian's role by this child any more, leaves the rooms that were theirs by
 * it and those that people made and the child is in; a roster that says otherwise changes nothing. D5 is asked
 * when it is taken back. */
bool change_custody(struct changing_records *c, user_no child, user_no guardian, enum custody custody,
                    const char *reason);

/* D9: the same of what is left of a guardian who has been erased (custodies_left), or never was here: it says that
 * nobody becomes the child's guardian unasked. CUSTODY_SHARED: nothing any more. */
bool change_custody_left(struct changing_records *c, user_no child, enum custody custody, const char *reason);

/* Classes. no 0: a new one with its rooms; else title and grade. Returns its number; 0: *e. */
class_no change_class(struct changing_records *c, const struct class_row *class_, int64_t if_version);
bool change_class_end(struct changing_records *c, class_no class_);

/* no 0: a new one, with the sourcedId that the row says or a drawn one; else its name. Returns its number; 0: *e. */
school_no change_school(struct changing_records *c, const struct school_row *school, int64_t if_version);

/* G1, G2: all roles, enrollments and guardianships of the person in that school end; its rooms are left; where no
 * school is left, the account is closed and signed out. */
bool change_leave_school(struct changing_records *c, user_no user, school_no school);

/* A3: ACCOUNT_ACTIVE, _SUSPENDED, _LOCKED: by the office. Active becomes restricted where D7 says so. Sessions of a
 * locked account stay but can't be used (Client-Server API, "Account locking"). */
bool change_account_state(struct changing_records *c, user_no user, enum account_state state);

/* E7: names an external person for a room, or no more. */
bool change_named_member(struct changing_records *c, room_no room, user_no user, bool named);

#endif
