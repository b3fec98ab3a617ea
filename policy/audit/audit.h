/* The audit log: what administrators and rosters did, so that nobody can change it afterwards unseen (J2).
 *
 * An entry is canonical JSON: {"seq", "ts", "actor", "act", "school", "subject", "details", "reason", "prev"}; "prev" is
 * the hash of the entry before, in unpadded base64 (of the first: 32 zero bytes). Its hash is BLAKE2b-256 of these bytes, its
 * signature the server's ed25519 of the hash. Whoever alters, drops, swaps or cuts entries breaks a hash, a number or, at
 * the end, what an earlier export or `parta audit head` said; audit_verify finds the first. Entries hold opaque ids and
 * sourcedIds, never names, addresses or what was written: they outlive an erasure.
 *
 * An exported file is one JSON object a line: {"entry": "…", "hash": "…", "signature": "…"}; the first line is a header
 * {"org.parta.audit": 1, "server": …, "key_id": …, "public_key": …, "entries": n, "head": "…", "signature": …}. */
#ifndef PARTA_POLICY_AUDIT_AUDIT_H
#define PARTA_POLICY_AUDIT_AUDIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"
#include "homeserver/store/school.h"

struct actor;
struct db;
struct tx;

/* What is to be remembered. subject, details: new references that audit_append takes; NULL: none. Borrowed otherwise. */
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

/* Writes the whole log, or that of a school (then the chain has gaps, and is not verified but for each entry's own hash and
 * signature), as lines. Blocks. */
bool audit_export(struct db *db, const struct signing_key *key, const char *server_name, FILE *out);

struct audit_fault {
    int64_t seq;     /* of the first broken entry; 0: the header */
    int64_t line;    /* in the file, from 1 */
    char what[128];  /* "its hash is not that of its bytes" */
};

/* Offline: reads lines from in. public_key: NULL: the header's own (then only a forger without the key is found out).
 * head: the hash that the log had at some time, base64, which must be among the entries; NULL: none. true: whole; *entries
 * says how many. false: *fault. */
bool audit_verify(FILE *in, const unsigned char public_key[32], const char *head, int64_t *entries,
                  struct audit_fault *fault);

#endif
