/* What the files of the store share that read the schools' tables: fragments of SQL, and how columns are read that
 * several tables have.
 *
 * Each aggregate names its columns in one macro and maps them in one function. Aliases are the same everywhere: schools
 * s, classes c, people p, users u, roles r, enrollments n, guardianships g, custodies k, roster_rooms rr. */
#ifndef PARTA_STORE_SCHOOL_SQL_PRIVATE_H
#define PARTA_STORE_SCHOOL_SQL_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/days.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/school/source.h"
#include "policy/rules/words.h"

/* The day $n lies within the row's period; it is not after it. */
#define CURRENT(alias, n) alias ".begin_date <= $" #n " AND " alias ".end_date >= $" #n
#define NOT_PAST(alias, n) alias ".end_date >= $" #n

/* A1: the school of column is one that viewer $n is in on day $m; 0: an operator, who sees all. */
#define SEES(column, n, m)                                                                                             \
    "($" #n " = 0 OR " column " IN (SELECT v.school_no FROM roles v WHERE v.user_no = $" #n " AND " CURRENT("v", m) "))"

/* D9: the guardianship counts: nobody has said that these two have no contact. */
#define IN_FORCE(alias)                                                                                                \
    "NOT EXISTS (SELECT 1 FROM custodies k WHERE k.child = " alias ".child AND k.guardian = " alias ".guardian"        \
    " AND k.kind = 'no_contact')"

/* Of a text that is asked of everybody or of one person: "of" in its macro, which then comes in both. */
#define EVERYBODY(column) ""
#define ONE_FIRST(column) " AND " column " = $1"
#define ONE_SECOND(column) " AND " column " = $2"

#define STAFF_ROLES                                                                                                    \
    "('teacher', 'class_teacher', 'staff', 'deputy', 'head', 'administrator')" /* words.h, ROLES_STAFF */

/* Days as the tables have them: '' is DAY_EVER and sorts before every day; so is NULL, of birth dates. */
school_day col_day(struct stmt *q, int column);
const char *day_column(school_day day, char out[DAY_TEXT_BYTES]);

enum school_role col_role(struct stmt *q, int column); /* 0: '' */

const char *source_column(const char *source); /* NULL: SOURCE_ROSTER */

/* Copies n strings, whose addresses are given, into one block that the caller frees; NULL stays NULL. */
void *strings_keep(const char **const *strings, size_t n);

/* Ends a query of one source, "" if there is no row (false). */
bool take_source(struct stmt *q, char source[SOURCE_BYTES]);

/* Ends a query of numbers: the first max of them into out; returns how many there are. */
int take_numbers(struct stmt *q, int64_t *out, int max);

#endif
