/* A guardian's children, for whoever shows them: /_parta/v1/me/children and the pages. */
#ifndef PARTA_POLICY_API_GUARDIANS_H
#define PARTA_POLICY_API_GUARDIANS_H

#include <jansson.h>

#include "homeserver/base/ids.h"

struct db;
struct error;
struct request;

/* The child of that id, of whom guardian is one in force (D9); others are told as those that do not exist. 0: *e. */
user_no own_child(struct request *r, struct db *db, user_no guardian, const char *user_id, struct error *e);

/* What its record says, where it is, user_id, version (guardian_child_version), standing. New reference. */
json_t *own_child_json(struct request *r, user_no child);

/* D8: the rooms it is in and with whom, as far as the guardian sees them (D9); so many at most. New reference. */
json_t *own_child_rooms(struct request *r, user_no guardian, user_no child);

#endif
