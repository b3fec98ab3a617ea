/* Whether somebody may become what they ask for (school.md C4, D2, D4, D5, J4): asked when they ask, and again, of what
 * is true then, when somebody decides.
 *
 * Between the two an application lies open for days: its owner gets other roles, signs up by other links, takes an
 * address away. So nothing that was found when it was made counts when it is approved, and what lies open counts for
 * what is asked meanwhile (rules/rules.h, standing_facts). All functions run inside a job; false: *c->e. */
#ifndef PARTA_POLICY_SIGNUP_ELIGIBILITY_H
#define PARTA_POLICY_SIGNUP_ELIGIBILITY_H

#include <stdbool.h>

#include "policy/records/change.h"

struct contacts;
struct link_row;

/* user becomes a pupil, guardian … of that school by a link, whoever of the office says so. The open application, where
 * it is there already, counts with what it says. */
bool eligible_for_role(struct changing_records *c, user_no user, enum school_role role, school_no school);

/* user becomes child's guardian: ACT_BECOME_GUARDIAN with them as the actor. contacts (may be NULL): whether the server
 * can verify addresses; then they have one of their own (D4). Reads only. */
bool eligible_as_guardian(struct db *db, bool school_mode, const struct actor *user, const struct contacts *contacts,
                          user_no child, struct error *e);

#endif
