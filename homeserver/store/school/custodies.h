/* Custody (school.md D9): what a court or the parents have settled of a child and one of its guardians, as the school's
 * office was told.
 *
 * A row stands by itself, not in guardianships: it outlives what a roster, a link or the person makes of the
 * guardianship, and only the office takes it away. 'separate': the child's guardians do not see each other through the
 * child. 'no_contact': the guardianship is there and counts nowhere; whatever reads guardianships for what somebody may
 * or is shown, reads those in force (sql_private.h, IN_FORCE).
 *
 * The erasure of a guardian (G4) leaves of it what names nobody: that there is something of the child (custodies_left).
 * Whoever would become a guardian of a child of whom anything stands waits for the office (policy/signup/guardians.h):
 * whom it is about may come again, by another account. */
#ifndef PARTA_STORE_SCHOOL_CUSTODIES_H
#define PARTA_STORE_SCHOOL_CUSTODIES_H

#include <stdbool.h>

#include "homeserver/base/ids.h"

struct db;
struct stmt;
struct tx;

enum custody {
    CUSTODY_SHARED, /* nothing was said: no row */
    CUSTODY_SEPARATE,
    CUSTODY_NO_CONTACT,
    CUSTODY__COUNT
};
const char *custody_name(enum custody custody); /* "shared", "separate", "no_contact" */
/* The other way round. false: no such word, *out is CUSTODY_SHARED. */
bool custody_from(const char *name, enum custody *out);

/* What was settled between the two (D9); CUSTODY_SHARED where the database failed, too (db_failed). */
enum custody custodies_of(struct db *db, user_no child, user_no guardian);

/* What was settled with a guardian who has been erased since; of several the stronger. CUSTODY_SHARED: nothing. */
enum custody custodies_left(struct db *db, user_no child);

bool custodies_stand(struct db *db, user_no child); /* anything, with anybody, or left */

/* Whether one and other, two guardians of the child, do not see each other through it. */
bool custodies_part(struct db *db, user_no child, user_no one, user_no other);

/* Whether the guardian is, or the office has said something of them that stands, in force or not. */
bool custodies_family(struct db *db, user_no child, user_no guardian);

/* The guardians whom no_contact keeps from the child (0: from whatever child). Column 0: the
 * guardian. stmt_end after. */
struct stmt *custodies_barred(struct db *db, user_no child);

/* J4: a family: children and guardians, and the guardians of one child, whatever has been settled or is only asked for.
 * Nobody is of their own. kin: *out of at most max, how many. */
bool custodies_related(struct db *db, user_no one, user_no other);
int custodies_kin(struct db *db, user_no user, user_no *out, int max);

bool custodies_bar_anywhere(struct db *db, user_no guardian); /* no_contact, with whatever child */

/* Inside a job. */
bool custodies_set(struct tx *tx, user_no child, user_no guardian, enum custody custody);
bool custodies_set_left(struct tx *tx, user_no child, enum custody custody);
bool custodies_forget(struct db *db, user_no user); /* G4: as child and as guardian; of other children it is left */

#endif
