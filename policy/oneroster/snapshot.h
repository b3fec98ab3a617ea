/* The snapshot: the roster of a source as it came last, kept so that changes can be merged into it (school.md I4).
 *
 * It is CSV, the files of OneRoster 1.2 with only those columns that the reader takes (columns.h: kept): no phone,
 * e-mail, user name or password (A5). As an archive it lies in the table roster_mirrors, written in the same
 * transaction as the import (source.h), so that it can't run apart from the records. A bulk export makes a new one; a
 * delta export or a REST pull is a struct roster_delta, merged row by row, and the whole result is read and imported as
 * if it had come whole.
 *
 * Who is dropped takes along what is theirs alone: a person their roles, enrollments, demographics and the mentions as
 * somebody's agent, a class its enrollments. Whatever else still refers to a dropped row is found by the reader. */
#ifndef PARTA_POLICY_ONEROSTER_SNAPSHOT_H
#define PARTA_POLICY_ONEROSTER_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/text.h"
#include "policy/oneroster/csv.h"
#include "policy/oneroster/columns.h"

struct snapshot {
    struct text csv[TABLE__COUNT]; /* each with its header */
};

struct snapshot *snapshot_create(void);           /* of no rows: each file has its header; never NULL */
void snapshot_destroy(struct snapshot *snapshot); /* NULL is accepted */

/* Appends a row. values: COLUMNS_MAX of them by column number; NULL is empty; those that are not kept are not looked
 * at. */
void snapshot_add(struct snapshot *snapshot, enum roster_table table, const char *const *values);

/* From an archive that snapshot_pack made. NULL: *problem. */
struct snapshot *snapshot_open(const void *archive, size_t len, struct roster_problem *problem);

/* The same rows make the same bytes. Appends to out. false: no memory or no zip; logged. */
bool snapshot_pack(const struct snapshot *snapshot, struct text *out);

/* --- What is to change --- */

struct roster_delta;

struct roster_delta *roster_delta_create(void);        /* changes nothing; never NULL */
void roster_delta_destroy(struct roster_delta *delta); /* NULL is accepted */

/* A row is added or takes the place of the one with its sourcedId; a row is dropped. The last word about a sourcedId
 * counts. false: there was a word about it already. */
bool roster_delta_put(struct roster_delta *delta, enum roster_table table, const char *const *values);
bool roster_delta_drop(struct roster_delta *delta, enum roster_table table, const char *id);

bool roster_delta_has(const struct roster_delta *delta, enum roster_table table, const char *id); /* a word about it */

/* A person's whole roles, as OneRoster 1.1 and REST tell them with the person: the old ones go. */
struct told_role {
    const char *type, *role, *begin, *end, *org; /* words and ids as in roles.csv; "" or NULL: none */
};
void roster_delta_put_roles(struct roster_delta *delta, const char *user, const struct told_role *roles, size_t n);

/* One such role as a row of roles.csv. id: for its sourcedId, must outlive values. */
#define TOLD_ID_BYTES 240
void told_role_row(const char *user, const struct told_role *role, const char **values, char id[TOLD_ID_BYTES]);

/* Nothing of the table's old rows stays but what is put. */
void roster_delta_replace(struct roster_delta *delta, enum roster_table table);

/* base with the changes. NULL: *problem (a damaged base). delta may not be used for another merge. */
struct snapshot *snapshot_merge(const struct snapshot *base, struct roster_delta *delta,
                                struct roster_problem *problem);

#endif
