/* Erasure of a person (G4): begun in one transaction, after which nobody can sign in to the account; then, a bounded
 * job at a time, what they wrote is taken back, their names go from rooms and records, and they leave both; in the end
 * the database's files are written anew. A crash only delays it: each job says in table erasures how far it is.
 *
 * What goes is not a list of kinds of events. By sender: every event of theirs, of whatever type, becomes its redacted
 * form (what other servers, ids and signatures need), and so do redactions, whose reason they wrote, and state. By
 * mention: every member event about them, whoever sent it, because it holds their name. Of what is no event, the schema
 * says what there is: tests/unit/erasure.c wants of every column of text whether it goes or why it stays.
 *
 * What stays: that somebody was there (an opaque id in rooms and in the audit log, types and state keys of events,
 * state that says nothing, such as power levels), what others wrote, be it about the person, and of reports that are
 * open their evidence, until they are closed (F5). Started by the person, by a guardian for a child, or by the office;
 * a record that a roster still keeps must leave the roster first, or the next import would bring it back. */
#ifndef PARTA_POLICY_PRIVACY_ERASURE_H
#define PARTA_POLICY_PRIVACY_ERASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "policy/records/change.h"

struct rooms;
struct search;
struct writer;

/* Whether the actor may erase the person: asked beforehand, and again by erasure_begin. Reads. */
bool erasure_may(struct db *db, bool school_mode, const struct actor *actor, user_no user, struct error *e);

/* Inside a job. false: *c->e. */
bool erasure_begin(struct changing_records *c, user_no user);

/* The same, begun by the person, whose account is being deactivated with `erase` in the same job (Client-Server API,
 * "Account deactivation"): for accounts_hooks. rooms: struct rooms. */
bool erasure_of_deactivated(void *rooms, struct tx *tx, user_no user, struct error *e);

/* Does one bounded job of an erasure under way. false: there is none, or it failed (logged). Blocks. */
bool erasure_step(struct writer *writer, struct rooms *rooms);

/* Rids the files of what finished erasures left in free space and in the write-ahead log: at once from a database of at
 * most 256 MiB, from a larger one at night (between 1 and 5, local time), because writers wait meanwhile. search: the
 * index of words, which is rid of them alike; NULL: there is none. false: it is not done yet. Blocks long. */
bool erasure_scrub(struct writer *writer, struct search *search, int64_t now_ms);

#endif
