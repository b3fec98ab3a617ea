/* Acts of weight ask once more who it is, by the password, as interactive authentication does. */
#ifndef PARTA_CLIENT_API_PAGES_PROOF_H
#define PARTA_CLIENT_API_PAGES_PROOF_H

#include <stdbool.h>

#include "homeserver/base/clock.h"

struct request;

/* Whether the form must ask for a code (H1). Reads the database. */
bool page_wants_factor(const struct request *r);

/* Who has none proves themselves by having signed in within PAGE_FRESH_MS, at their provider, second factor and all.
 * false: r->error. Reads the database. */
#define PAGE_FRESH_MS (10 * MINUTE_MS)
bool page_freshly_signed_in(struct request *r);

/* Whether the form's "password" is that of who is signed in; counted by account, as every guess at it. Who has none
 * must have signed in freshly. Where they have a second factor, "factor" is a code of it, too, which is spent. false:
 * r->error, for the form that is shown again. Hashes: on routes with ROUTE_HASH. */
bool page_password_proven(struct request *r);

#endif
