/* The audit log: what administrators and rosters did, so that nobody can change it afterwards unseen (J2).
 *
 * An entry is canonical JSON: {"seq", "ts", "actor", "act", "school", "subject", "details", "reason", "prev"}; "prev"
 * is the hash of the entry before, in unpadded base64 (of the first: 32 zero bytes). Its hash is BLAKE2b-256 of these
 * bytes, its signature the server's ed25519 of the hash. Numbers rise with the time, and their gaps say nothing (A1).
 * Whoever alters, drops, swaps or cuts entries breaks a hash, a number or, at the end, what an earlier export or `parta
 * audit head` said; audit_verify finds the first. Entries hold opaque ids and sourcedIds, never names, addresses or
 * what was written: they outlive an erasure.
 *
 * An exported file is one JSON object a line: {"entry": "…", "hash": "…", "signature": "…"}. The first line is a header
 * of the same form, whose entry says what was there when the file was made: {"org.parta.audit": 2, "server", "key_id",
 * "public_key", "entries", "head"}, and "school" for the part of one school. */
#ifndef PARTA_POLICY_AUDIT_AUDIT_H
#define PARTA_POLICY_AUDIT_AUDIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct actor;
struct db;
struct tx;

/* What is to be remembered. subject, details: new references that audit_append takes; NULL:
 * none. Borrowed otherwise. */
struct audit_note {
    const struct actor *actor;
    const char *act;    /* "link.create", "person.update", "roster.import": a noun, a dot, a verb */
    school_no school;   /* 0: none */
    json_t *subject;    /* {"user": "@…", "class": "sourcedId", …} */
    json_t *details;    /* what changed; of an import: counts, and lists of at most AUDIT_LIST_MAX changes an entry */
    const char *reason; /* an override's, a decision's; NULL: none */
};
#define AUDIT_LIST_MAX 500

/* Inside the job of the act itself: log and act are one transaction. false: the database failed. */
bool audit_append(struct tx *tx, const struct signing_key *key, const struct audit_note *note);

/* Appends the whole log as lines, or that of a school (0: all): then there are gaps in the chain, and the entries that
 * are there are verified each by itself. false: the database failed. Blocks. */
bool audit_export(struct db *db, const struct signing_key *key, const char *server_name, school_no school,
                  struct text *out);

/* "<number> <hash>" of the newest entry, of a school's part if one is given: to be kept elsewhere, against a log that
 * is cut off at its end. */
void audit_head_text(struct db *db, school_no school, struct text *out);

struct audit_fault {
    int64_t seq;      /* of the first broken entry; 0: the header */
    int64_t line;     /* in the file, from 1 */
    const char *what; /* "its hash is not that of its bytes"; static storage */
};

/* Offline: verifies an exported file's bytes. public_key: the server's, known from elsewhere; NULL: the header's own,
 * which anybody could have put there who made up the whole file. head: as audit_head_text gave it once, which must be
 * among the entries; NULL: none. true: whole; *entries says how many. false: *fault. Nothing in the file is trusted. */
bool audit_verify(const char *bytes, size_t len, const unsigned char public_key[32], const char *head, int64_t *entries,
                  struct audit_fault *fault);

#endif
