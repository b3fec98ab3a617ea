/* Acts of weight ask for the password once more, as interactive authentication does. */
#ifndef PARTA_CLIENT_API_PAGES_PROOF_H
#define PARTA_CLIENT_API_PAGES_PROOF_H

#include <stdbool.h>

#include "homeserver/base/clock.h"

struct request;

/* Whether the form must ask for a code (H1). Reads the database. */
bool page_wants_factor(const struct request *r);

/* Whether they have a password: who came by a provider has none at first. Reads the database. */
bool page_has_password(const struct request *r);

/* Who has none sets their first within PAGE_FRESH_MS of having signed in, which is the proof.
 * false: r->error. Reads. */
#define PAGE_FRESH_MS (10 * MINUTE_MS)
bool page_freshly_signed_in(struct request *r);

/* Whether the form's "password" is that of who is signed in; counted by account, as every guess at it. Where they have
 * a second factor, "factor" is a code of it, too, which is spent. false: r->error, for the form that is shown again.
 * Hashes: on routes with ROUTE_HASH. */
bool page_password_proven(struct request *r);

#endif
