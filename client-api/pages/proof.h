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

/* A press that hands the account to a program or a device, which may be somebody else's, asks again who is there: of
 * people with power over others (whoever works at a school, server administrators), and where everybody is asked; not
 * of who has signed in within PAGE_FRESH_MS. password: by page_password_proven, with a code where factor; anew: who has
 * no password signs in anew, by the provider. Reads. */
struct page_handover {
    bool password, factor, anew;
};
struct page_handover page_handover_asks(struct request *r, bool everybody);

/* Whether the form has what page_handover_asks. false: r->error, for the form that is shown again. Hashes: on routes
 * with ROUTE_HASH. */
bool page_handover_proven(struct request *r, bool everybody);

/* Whether the form's "password" is that of who is signed in; counted by account, as every guess at it. Who has none
 * must have signed in freshly. Where they have a second factor, "factor" is a code of it, too, which is spent. false:
 * r->error, for the form that is shown again. Hashes: on routes with ROUTE_HASH. */
bool page_password_proven(struct request *r);

#endif
