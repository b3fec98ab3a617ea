/* Where a person is signed in, and by what, as the office ends it (H1). */
#ifndef PARTA_POLICY_ADMIN_SESSIONS_H
#define PARTA_POLICY_ADMIN_SESSIONS_H

#include <stdbool.h>

#include "policy/records/change.h"

/* Inside a job: signs the device out, or all (device_id NULL). false: *c->e. */
bool admin_sessions_end(struct changing_records *c, user_no user, const char *device_id);

/* Inside a job: the person does without a second factor from now on; who has none stays so. reason: reason_valid.
 * Nobody does it to themself (J4): who has a session, and no code, is not who set it up. false: *c->e. */
bool admin_second_factor_reset(struct changing_records *c, user_no user, const char *reason);

#endif
