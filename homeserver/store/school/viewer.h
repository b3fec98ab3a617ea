/* A1: what somebody knows of: the schools they are in, and what is of these.
 *
 * A viewer is whose eyes, and which day: lists show the rows of schools that the person is in then; an operator's
 * (user 0) all. Whether they may look at all is policy's to say (policy/gate/school_gate.h). */
#ifndef PARTA_STORE_SCHOOL_VIEWER_H
#define PARTA_STORE_SCHOOL_VIEWER_H

#include <stdbool.h>

#include "homeserver/base/days.h"
#include "homeserver/base/ids.h"

struct db;

/* Lives as long as the statement that it is given to. */
struct viewer {
    user_no user; /* 0: an operator */
    char day[DAY_TEXT_BYTES];
};
struct viewer viewer_of(user_no user); /* today */

bool viewer_is_in(struct db *db, user_no who, school_no school); /* has a role there today */

/* Whether who is in a school, today, where the user has, or will have, a role. */
bool viewer_knows(struct db *db, user_no who, user_no user);

bool viewer_knows_room(struct db *db, user_no who, room_no room); /* joined, or of a school they are in */

/* The first school of the room that they are in; who 0: the room's first. 0: none. */
school_no viewer_room_school(struct db *db, user_no who, room_no room);

/* The first school where both have a role today; who 0, or the same: the user's first. 0: none. */
school_no viewer_shared_school(struct db *db, user_no who, user_no user);

#endif
