/* A person who is erased (school.md G4) and the rosters that are kept: the snapshots that deltas are merged into, and
 * imports that wait to be confirmed.
 *
 * A snapshot is written anew without the person's rows: what a source says of somebody who is no longer in the records
 * is of no use to anybody. An import that waits and names them (by sourcedId, or by name: it may be a wrong
 * one that numbers people otherwise) is dropped, with an entry in the log that says why: the list that would be
 * confirmed is another by now. A file that still has them makes another person of them; that is the office's or the
 * diary's to mend. */
#ifndef PARTA_POLICY_ONEROSTER_FORGET_H
#define PARTA_POLICY_ONEROSTER_FORGET_H

#include <stdbool.h>

#include "homeserver/base/ids.h"

struct signing_key;
struct tx;

/* Inside the job, while the records still know them. Reads every archive whole, once: a second for a hundred thousand
 * people. An archive that cannot be read is left, with a warning. false: the database failed. */
bool roster_forget(struct tx *tx, const struct signing_key *key, user_no user);

#endif
