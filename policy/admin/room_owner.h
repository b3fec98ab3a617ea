/* What the office does with rooms that people made (E5). */
#ifndef PARTA_POLICY_ADMIN_ROOM_OWNER_H
#define PARTA_POLICY_ADMIN_ROOM_OWNER_H

#include <stdbool.h>

#include "policy/records/change.h"

/* Inside a job: this person, who is in the room, answers for it from now on. false: *c->e. */
bool room_owner_set(struct changing_records *c, room_no room, user_no owner);

#endif
