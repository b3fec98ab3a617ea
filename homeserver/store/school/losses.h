/* What loss in bulk is judged by (school.md G5; policy/records/loss.h): whom and what a school has, and what imports
 * and days took from it lately without a question. Rows and writing as schools.h says. */
#ifndef PARTA_STORE_SCHOOL_LOSSES_H
#define PARTA_STORE_SCHOOL_LOSSES_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/days.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"
#include "policy/rules/words.h"

/* --- What a school has: people whose record lets them in; what ended before the day is not asked --- */

struct fact_row {
    user_no user;          /* of a guardianship: the child */
    int64_t other;         /* class of an enrollment, guardian of a guardianship; 0 */
    enum school_role role; /* 0: a guardianship */
    school_day begin, end;
    bool more; /* role: a birth date is known; enrollment: in a homeroom */
};
/* Keeps day. Of guardianships: of those who are pupils there that day or later; begin and end are EVER and NEVER. */
struct stmt *facts_roles(struct db *db, school_no school, school_day from, char day[DAY_TEXT_BYTES]);
struct stmt *facts_enrollments(struct db *db, school_no school, school_day from, char day[DAY_TEXT_BYTES]);
struct stmt *facts_guardianships(struct db *db, school_no school, school_day from, char day[DAY_TEXT_BYTES]);
bool facts_next(struct stmt *q, struct fact_row *row);

/* --- What was lost lately --- */

struct tx;

struct loss_row {
    school_no school;
    const char *kind;  /* a word of records/loss.h */
    int64_t a;         /* a person, or a class */
    bool gone;         /* not only changed */
    school_day end;    /* somebody has confirmed it, and it ends that day; DAY_EVER: nobody was asked */
    bool class_number; /* only written: whether a is a class */
};
/* Of a school, since then. */
struct stmt *losses_of(struct db *db, school_no school, int64_t since_ms);
bool losses_next(struct stmt *q, struct loss_row *row);

/* Inside a job. put: since when stays; what was changed and is gone now is gone. */
bool losses_put(struct db *db, const struct loss_row *row, int64_t now_ms);
bool losses_delete(struct db *db, const struct loss_row *row);
bool losses_delete_school(struct db *db, school_no school);
bool losses_forget(struct tx *tx, user_no user); /* G4 */
bool losses_prune(struct db *db, int64_t before_ms);

#endif
