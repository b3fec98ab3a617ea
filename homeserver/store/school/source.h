/* Who keeps a record: the source of each school, class, person, role, enrollment and guardianship.
 *
 * It is a roster's name, or one of the words below. An import touches the records of its own source alone; what a
 * roster keeps is changed by hand with an override only (policy/records/change.h). */
#ifndef PARTA_STORE_SCHOOL_SOURCE_H
#define PARTA_STORE_SCHOOL_SOURCE_H

#include <stdbool.h>

#define SOURCE_ROSTER "roster" /* the usual name of a roster; what NULL means when it is written */
#define SOURCE_SCHOOL "school" /* the school's own people entered it */
#define SOURCE_DERIVED                                                                                                 \
    "derived"           /* of roles: it follows from enrollments or guardianships (policy/records/reconcile.h) */
#define SOURCE_BYTES 65 /* of a name (policy/oneroster/source.h), with its NUL */

bool source_is_roster(const char *source); /* NULL: false */

#endif
