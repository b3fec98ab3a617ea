/* Who hears that a child has a new guardian. */
#ifndef PARTA_POLICY_SIGNUP_GUARDIAN_TOLD_H
#define PARTA_POLICY_SIGNUP_GUARDIAN_TOLD_H

#include <stdbool.h>

#include "policy/records/change.h"

/* Inside a job that has let guardian in, by the child's link or an approval: the child's other guardians and the class
 * teacher are told, in the server's name: a link is also in a pupil's own hands, and may be in a stranger's.
 * false: *c->e. */
bool guardian_tell(struct changing_records *c, user_no child, user_no guardian);

#endif
