/* A school's policy document: changed as a whole, checked, kept with who and why (docs/policy.md). */
#ifndef PARTA_POLICY_ADMIN_POLICIES_H
#define PARTA_POLICY_ADMIN_POLICIES_H

#include <jansson.h>
#include <stdint.h>

#include "policy/records/change.h"

#define POLICY_BYTES_MAX 65536 /* of a document */

/* Inside a job: a new version of the school's document (school 0: the server's, by an operator), in force at once. The
 * document may be empty: then nothing deviates. if_version 0: whatever is there. Returns the version; 0: *c->e, with
 * what is wrong in a document in the field "org.parta.problem". */
int64_t admin_policy_set(struct changing_records *c, school_no school, const json_t *document, const char *reason,
                         int64_t if_version);

#endif
