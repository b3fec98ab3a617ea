/* Claims: somebody has come by a personal link and says by it that they are the person of the records (school.md J4).
 *
 * Whoever made the link, or carried it, may have kept it. So a claim waits until somebody else has confirmed it: the
 * office, the class teacher, a child's guardian, never the issuer. Meanwhile they read and write as the person, and do
 * nothing that lasts or concerns others (rules/rules.c, LASTING). It is told at once to those who would know better
 * (links.h, links_claim_told), in their documents rooms; some days later (policy.personal_links.wait_days) it holds
 * unconfirmed. If nobody could be told, it waits until it is confirmed. The office undoes a false one: the account is
 * nobody's then, until the next link.
 *
 * Functions with changing_records run inside a job; false: *c->e. */
#ifndef PARTA_POLICY_SIGNUP_CLAIMS_H
#define PARTA_POLICY_SIGNUP_CLAIMS_H

#include <stdbool.h>

#include "homeserver/store/school/links.h"
#include "policy/records/change.h"

/* For signup.c: link.person's account has just been opened by that link. Told, and waits. The entry is the caller's. */
bool claim_begin(struct changing_records *c, const struct link_row *link);

/* By the number of the link. Of a claim that the actor may not know of, or that does not wait: ERROR_NOT_FOUND.
 * confirm: ACT_CLAIM; undo: ACT_SESSIONS, and password, sessions and addresses go. */
bool claim_confirm(struct changing_records *c, link_no no);
bool claim_undo(struct changing_records *c, link_no no);

/* Whether the actor may know of it: who could confirm it, and the issuer if of the office. Reads the database. */
bool claim_may_see(struct db *db, bool school_mode, const struct actor *actor, const struct link_row *link);

#endif
