/* One's own data, for the API and for pages (school.md G4). */
#ifndef PARTA_POLICY_API_PRIVACY_H
#define PARTA_POLICY_API_PRIVACY_H

#include <stdbool.h>

struct request;

/* Answers with the archive of whoever is signed in; the log says so before. false: r->error. Blocks. */
bool reply_own_export(struct request *r);

/* Begins the erasure of that person (NULL: of whoever is signed in), and does what fits into the request; whoever calls
 * has had them prove once more who they are. false: r->error. Blocks. */
bool begin_erasure(struct request *r, const char *user_id);

#endif
