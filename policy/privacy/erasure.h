/* Erasure of a person (G4): begun in one transaction, after which nobody can sign in to the account; then, a bounded
 * job at a time, everything they wrote is taken back and their names go from the rooms' member events; in the end they
 * leave their schools and rooms, and their names go from the records. A crash only delays it.
 *
 * What stays: that somebody was there (an opaque id in rooms and in the audit log), what others wrote, and reports.
 * Started by the person, by a guardian for a child, or by the office; a record that a roster still keeps must leave the
 * roster first, or the next import would bring it back. */
#ifndef PARTA_POLICY_PRIVACY_ERASURE_H
#define PARTA_POLICY_PRIVACY_ERASURE_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "policy/records/change.h"

struct rooms;
struct writer;

/* Inside a job. false: *c->e. */
bool erasure_begin(struct changing_records *c, user_no user);

/* Does one bounded job of an erasure under way. false: there is none, or it failed (logged). Blocks. */
bool erasure_step(struct writer *writer, struct rooms *rooms);

#endif
