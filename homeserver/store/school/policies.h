/* Schools' policy documents: every version that ever was in force, with who made it and why.
 *
 * The newest version of a school's document is in force; where it says nothing, the server's own (school 0) does, and
 * where that says nothing the defaults of school.md. What makes a document valid is policy/rules/school_policy.h's to
 * say; whoever inserts one has asked it. */
#ifndef PARTA_STORE_SCHOOL_POLICIES_H
#define PARTA_STORE_SCHOOL_POLICIES_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"
#include "policy/rules/school_policy.h"

struct tx;

struct policy_row {
    school_no school;                       /* 0: of the whole server */
    int64_t version;                        /* from 1 */
    const char *document, *author, *reason; /* borrowed from the statement */
    int64_t created_ms;
};

/* The version in force; 0: there is none. */
int64_t policies_version(struct db *db, school_no school);

/* One row at a time; stmt_end after. */
struct stmt *policies_newest(struct db *db, school_no school);                  /* one row or none */
struct stmt *policies_history(struct db *db, school_no school, int64_t before); /* versions below, newest first */
bool policies_next(struct stmt *q, struct policy_row *row);

/* The policy in force: defaults, the server's document, the school's. */
void policies_in_force(struct db *db, school_no school, struct school_policy *out);

/* Inside a job: row->version is the number after the one in force. false: that is taken, or the database failed. */
bool policies_insert(struct tx *tx, const struct policy_row *row);

#endif
