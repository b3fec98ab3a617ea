/* Where a person is signed in, as the office ends it (H1). */
#ifndef PARTA_POLICY_ADMIN_SESSIONS_H
#define PARTA_POLICY_ADMIN_SESSIONS_H

#include <stdbool.h>

#include "policy/records/change.h"

/* Inside a job: signs the device out, or all (device_id NULL). false: *c->e. */
bool admin_sessions_end(struct changing_records *c, user_no user, const char *device_id);

#endif
