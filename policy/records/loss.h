/* Loss in bulk asks first (school.md G5): how much of each school a change takes away or changes.
 *
 * A person is gone from a school when they had a role there today, and an account that their record lets in, and have
 * not any more. A person has changed when they are there before and after, and something of theirs was taken away or
 * says something else: a name or birth date, a role, an enrollment, a guardianship; what only is added is no loss. Of
 * classes and groups the same: ended, or of another title or grade.
 *
 * A school's loss is beyond the limits when
 *  - more than gone_percent of its people are gone, and at least at_least of them;
 *  - nobody is left of three or more;
 *  - more than changed_percent of its people are gone or changed, and at least at_least of them;
 *  - more than gone_percent of its classes have ended, or more than changed_percent ended or changed, and at least
 *    LOSS_CLASSES_AT_LEAST of them.
 *
 * What was is asked of a reader, whose snapshot does not have the job's own changes. Of schools in which nobody may
 * have lost anything nothing is read. */
#ifndef PARTA_POLICY_RECORDS_LOSS_H
#define PARTA_POLICY_RECORDS_LOSS_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/days.h"
#include "homeserver/base/ids.h"
#include "policy/records/set_diff.h"

struct config;
struct db;

#define LOSS_CLASSES_AT_LEAST 3

struct loss_limits {
    int gone_percent, changed_percent, at_least;
};
struct loss_limits loss_limits(const struct config *config); /* roster.hold_…; NULL: the defaults */

#define CONFIRMED_ANY (-1) /* instead of a version: of what nobody holds up, tests and dry runs */

struct loss_school {
    school_no school;
    int64_t people, gone, changed; /* people: before */
    int64_t classes, classes_ended, classes_changed;
    bool beyond;
};

struct loss {
    struct diff_set people;      /* a: who may have lost something */
    struct diff_set classes;     /* a: which; value: 1: it has ended */
    struct loss_school *schools; /* heap; filled in by loss_judge */
    size_t n_schools;
};

void loss_person(struct loss *loss, user_no user);
void loss_class(struct loss *loss, class_no class, bool ended);

/* Counts. after: the job's own connection. true: of a school more is lost than the limits say. */
bool loss_judge(struct loss *loss, struct db *before, struct db *after, school_day today, struct loss_limits limits);

/* How many people are in a school, and whether so many gone of them are too many: for who can't have a reader. */
int64_t loss_people(struct db *db, school_no school, school_day today);
bool loss_people_beyond(int64_t gone, int64_t people, struct loss_limits limits);

/* Of the schools beyond: [{"school": sourcedId, "people", "gone", "changed", "classes", "classes_ended",
 * "classes_changed"}]: a new reference. */
json_t *loss_json(const struct loss *loss, struct db *db);

void loss_finish(struct loss *loss);

/* The version of a list that is shown and confirmed: a number from 1 to 2^53 − 1 that another text has not. */
int64_t loss_version(const char *text, size_t len);

#endif
