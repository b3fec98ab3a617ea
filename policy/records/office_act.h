/* What the parts of sign-up share: acting on the records for somebody whose own right was decided by another rule. */
#ifndef PARTA_POLICY_RECORDS_OFFICE_ACT_H
#define PARTA_POLICY_RECORDS_OFFICE_ACT_H

#include <jansson.h>
#include <stdbool.h>

#include "policy/records/change.h"

/* The school's office, changing records on the ground of a decision that has passed its own gate (ACT_APPROVE,
 * ACT_BECOME_GUARDIAN, ACT_END_GUARDIAN): the one who decided need not be allowed to change records at large, and is
 * nevertheless the one whom the audit log names. because: a fixed sentence, for records that a roster keeps; NULL:
 * those are refused. Valid while c is. */
struct office_act {
    struct actor actor;
    struct changing_records records;
};
/* Copies *c, but for the actor: nothing is asked or written yet. */
void office_act_for(struct office_act *office, const struct changing_records *c, const char *because);

/* Asks the gate for the actor of c. */
bool office_act_gate(struct changing_records *c, enum act act, const struct subject *subject);

/* A1: whether the actor may know what is in that school's office: its own people, and operators. */
bool office_act_knows(const struct changing_records *c, school_no school);

/* The audit entry of c's actor. Takes subject and details. Sets the error when the database failed. */
bool office_act_note(struct changing_records *c, const char *act, school_no school, json_t *subject, json_t *details,
                     const char *reason);

json_t *office_act_class_id(const struct changing_records *c, class_no class);  /* its sourcedId, a new reference */
const char *office_act_user_id(const struct changing_records *c, user_no user); /* borrowed; "" for 0 */

#endif
