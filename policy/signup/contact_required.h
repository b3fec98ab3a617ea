/* Which phone number or e-mail address somebody must have proven to come by a link (school.md C3, D4).
 *
 * A pupil has a phone number; one of grades 1 to 4 may have an e-mail address instead, with a class link only.
 * Everybody else has either. Only what the server can verify at all is asked for: where it sends neither mail nor SMS,
 * nothing is. A personal link needs no proof: the school has given it to the person. */
#ifndef PARTA_POLICY_SIGNUP_CONTACT_REQUIRED_H
#define PARTA_POLICY_SIGNUP_CONTACT_REQUIRED_H

#include <stdbool.h>

#include "homeserver/accounts/contacts.h"
#include "homeserver/store/school/links.h"

/* Bits 1u << enum contact_medium: what suits the link's holder, whether or not the server offers it. */
unsigned contact_required_kinds(struct db *db, const struct link_row *link);

/* The same, of what the server offers; 0: nothing is needed. contacts may be NULL. */
unsigned contact_required(struct db *db, const struct contacts *contacts, const struct link_row *link);

/* Whether address (NULL: none) will do for the link. false: *e says what is wanted. */
bool contact_required_met(struct db *db, const struct contacts *contacts, const struct link_row *link,
                          const struct contact_address *address, struct error *e);

/* The same for an account that is there, by the addresses it has. Somebody in the records needs none. */
bool contact_required_met_by(struct db *db, const struct contacts *contacts, const struct link_row *link, user_no user,
                             struct error *e);

#endif
