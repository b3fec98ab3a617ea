/* Up to which day the dates of roles and enrollments have taken effect (policy/records/day_change.h), and
 * whose will next. */
#ifndef PARTA_STORE_SCHOOL_SETTLED_H
#define PARTA_STORE_SCHOOL_SETTLED_H

#include <stdbool.h>

#include "homeserver/base/days.h"
#include "homeserver/store/driver/db.h"

school_day settled_day(struct db *db); /* DAY_EVER: never; after today: the clock was ahead then */

/* For whom the two days differ, whichever is the earlier: whose roles or enrollments begin or end between them.
 * Column 0: user_no. Keeps buffers. */
struct stmt *settled_due(struct db *db, school_day a, school_day b, char buffers[2][DAY_TEXT_BYTES]);

bool settled_put(struct db *db, school_day day); /* inside a job */

#endif
