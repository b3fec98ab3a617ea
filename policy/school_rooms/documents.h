/* E6: everyone's private room for their own documents. It is made when the person first signs in and has a role in a
 * school: a hundred thousand rooms that nobody opens would help nobody. */
#ifndef PARTA_POLICY_SCHOOL_ROOMS_DOCUMENTS_H
#define PARTA_POLICY_SCHOOL_ROOMS_DOCUMENTS_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"

struct rooms;
struct tx;

/* Inside a job: makes the room unless it is there, or the person has none to get. rooms: struct rooms; void, because it
 * is wired as the accounts' hook signed_in. false: *e. */
bool documents_ensure(void *rooms, struct tx *tx, user_no user, struct error *e);

#endif
