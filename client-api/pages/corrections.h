/* What a guardian says is wrong in a child's record (school.md D2, D10): the fields of html/parts/child_fields.html. */
#ifndef PARTA_CLIENT_API_PAGES_CORRECTIONS_H
#define PARTA_CLIENT_API_PAGES_CORRECTIONS_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/store/school/applications.h"

struct request;

/* What of the form differs from record (signup_json_child), and the note. false: r->error. *out
 * borrows from the body. */
bool page_read_corrections(struct request *r, const json_t *record, struct applicant *out);

#endif
