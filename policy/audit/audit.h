/* The audit log: what administrators and rosters did, so that nobody can change it afterwards unseen (J2).
 *
 * What changed is not for the acts to say: it is derived from the rows that the job added, removed or changed
 * (store/driver/guarded.h), before and after, and the act says who, why and under which name. A job that wrote such a
 * row for which there is no entry is not committed (audit_log_start).
 *
 * An entry is canonical JSON: {"seq", "ts", "actor", "act", "school", "subject", "details", "changes", "reason",
 * "part_of", "prev"}. "changes" are objects, one a row, at most AUDIT_LIST_MAX an entry: {"+": record, …} a new row,
 * {"-": …} one that went, {"=": …} one that is another now; the other members name the row and say what it is, of "="
 * as [before, after] what changed; "set", "changed", "removed" of what a log must not hold (names, birth dates,
 * password hashes). "part_of": more of the entry of that number. Each school that an act concerns has an
 * entry of its own: which these are follows from the rows that changed, and of a person from the schools where they are
 * and were before the act. It names what that school may know (A1): a person by sourcedId where the record is known,
 * and whoever acted, unless they are an operator or of it, as AUDIT_ELSEWHERE. What is no school's is in an entry that
 * operators read. A report's rows are in an entry of their own, which is about that report (F5). "prev"
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
#include "policy/audit/reader.h"
#include "policy/audit/row_text.h"

struct actor;
struct audit_log;
struct db;
struct tx;
struct writer;

/* What is to be remembered. subject, details: new references that audit_append takes; NULL:
 * none. Borrowed otherwise. */
struct audit_note {
    const struct actor *actor;
    const char *act;  /* "link.create", "person.update", "roster.import": a noun, a dot, a verb */
    school_no school; /* whose act it is; 0: the one school that it concerns, if it is one, else none's */
    /* Whom the subject names: that person's schools know of it, too. An operator's act about somebody is no school's,
     * whatever school is. 0: nobody. */
    user_no about;
    const school_no *schools;        /* school 0: these know of it, too, */
    size_t n_schools;                /* whatever rows changed */
    int64_t report;                  /* F5: the report that it is about; 0: none */
    json_t *subject;                 /* {"user": "@…", "class": "sourcedId", …} */
    json_t *details;                 /* what the rows do not say; of an import: counts */
    const char *reason;              /* an override's, a decision's; NULL: none */
    const struct audit_names *names; /* of a bulk job; NULL: asked of the database */
};
#define AUDIT_LIST_MAX 500
#define AUDIT_WAITING_BYTES (8 << 20)

/* Appends an entry, with what the job did to guarded rows since its last one; in as many entries as that takes. Inside
 * the job of the act itself: log and act are one transaction. false: the database failed. */
bool audit_append(struct tx *tx, const struct signing_key *key, const struct audit_note *note);

/* The same, once AUDIT_WAITING_BYTES of rows wait: for jobs that may change very many rows, every now and then. As many
 * as may be wait together, because each school has entries of its own of them. note: as
 * audit_append has it, without subject and details; NULL: as at the job's end (audit_log_start), if it is known by now
 * under which name that will be. */
bool audit_append_full(struct tx *tx, const struct audit_note *note);

/* Wires the writer, before its first job: from now on rows are watched. What a job did after its last entry is appended
 * to that one's act; what it did without one, under the name that tx_acts gave; else the job fails, which is logged.
 * NULL: logged. stop: after the writer. key is borrowed. */
struct audit_log *audit_log_start(struct writer *writer, const struct signing_key *key, const char *server_name);
void audit_log_stop(struct audit_log *log); /* NULL is accepted */

/* Appends the whole log as lines, or that of a school (0: all), or what of it that reader sees (NULL: all): then there
 * are gaps in the chain, and the entries that are there are verified each by itself. false: the
 * database failed. Blocks. */
bool audit_export(struct db *db, const struct signing_key *key, const char *server_name, school_no school,
                  const struct audit_reader *reader, struct text *out);

/* "<number> <hash>" of the newest entry, of a school's part if one is given, that the reader (NULL: any) sees: to be
 * kept elsewhere, against a log that is cut off at its end. */
void audit_head_text(struct db *db, school_no school, const struct audit_reader *reader, struct text *out);

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
