/* People in replies of the school API. */
#ifndef PARTA_POLICY_API_PEOPLE_H
#define PARTA_POLICY_API_PEOPLE_H

#include <jansson.h>

#include "homeserver/http/request.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/viewer.h"

/* With the roles that the viewer may know of, and the record's sourcedId and source if they are of the viewer's schools
 * (A1): a new reference. */
json_t *person_json(struct request *r, struct db *db, const struct viewer *viewer, const struct person_row *row);

/* The same by number, a new reference, with *version; NULL: not in the records. */
json_t *person_get(struct request *r, struct db *db, user_no user, int64_t *version);

/* Whether the caller may read what the records of that school say of the person: of two schools that both are in, the
 * caller may have the office of one only. */
bool person_shown_in(struct request *r, struct db *db, school_no school, user_no user);

#endif
