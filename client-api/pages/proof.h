/* Acts of weight ask for the password once more, as interactive authentication does. */
#ifndef PARTA_CLIENT_API_PAGES_PROOF_H
#define PARTA_CLIENT_API_PAGES_PROOF_H

#include <stdbool.h>

struct request;

/* Whether the form must ask for a code (H1). Reads the database. */
bool page_wants_factor(const struct request *r);

/* Whether the form's "password" is that of who is signed in; counted by account, as every guess at it. Where they have
 * a second factor, "factor" is a code of it, too, which is spent. false: r->error, for the form that is shown again.
 * Hashes: on routes with ROUTE_HASH. */
bool page_password_proven(struct request *r);

#endif
