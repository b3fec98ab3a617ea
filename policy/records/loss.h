/* Loss in bulk asks first (school.md G5): how much of each school a change takes away or changes, kind by kind.
 *
 * What stands before is compared with what stands after, for each school and each of the kinds below by itself, each
 * against its own number: whatever is lost whole (all teachers' enrollments, one school's guardianships, a class's
 * birth dates) is few among everything, and all of its kind. It is in facts of people whose record lets them in:
 *  - people, and the same by role: gone are those who have none any more;
 *  - who is in a homeroom or group, as pupil or teacher: gone is who is in none any more, changed who has lost one;
 *  - children with guardians: gone is whose last went, changed whose one of them did;
 *  - names and birth dates of those who are there before and after, by what they are;
 *  - classes, homerooms, groups: ended, or of another title or grade;
 *  - single homerooms that stand: most of the pupils sent elsewhere, or of another name or birth date;
 *  - power: pupils and guardians who became staff, and new heads, deputies and administrators of a school that is
 * there. What only is added is no loss, power apart. loss.c's table has the limits of each kind: "more than a tenth
 * gone" and "more than three quarters gone or changed" are settings, and so is from how many on.
 *
 * Time counts as well. What ends by date within LOSS_AHEAD_DAYS, and did not before, is gone (the import says it now);
 * when such a day comes, what nobody has confirmed is judged like an import (day_change.h). And what was lost without a
 * question within LOSS_LATELY_DAYS is counted with what is lost now, as far as it has not come back
 * (store/school/losses.h): a tenth every night is stopped on the second. Who confirms begins anew.
 *
 * What was is asked of a reader, whose snapshot does not have the job's own changes. Of schools in which nobody may
 * have lost anything nothing is read. */
#ifndef PARTA_POLICY_RECORDS_LOSS_H
#define PARTA_POLICY_RECORDS_LOSS_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/days.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "policy/records/set_diff.h"

struct config;
struct db;

#define LOSS_CLASSES_AT_LEAST 3
#define LOSS_AHEAD_DAYS 14
#define LOSS_LATELY_DAYS 30

struct loss_limits {
    int gone_percent, changed_percent, at_least;
};
struct loss_limits loss_limits(const struct config *config); /* roster.hold_…; NULL: the defaults */

#define CONFIRMED_ANY (-1) /* instead of a version: of what nobody holds up, tests and dry runs */

/* In the order in which they are told. */
enum loss_kind {
    LOSS_PEOPLE,
    LOSS_PUPILS, /* by role, in the order of enum school_role */
    LOSS_GUARDIANS,
    LOSS_TEACHERS,
    LOSS_CLASS_TEACHERS,
    LOSS_STAFF,
    LOSS_DEPUTIES,
    LOSS_HEADS,
    LOSS_ADMINISTRATORS,
    LOSS_HOMEROOM_PUPILS,
    LOSS_HOMEROOM_TEACHERS,
    LOSS_GROUP_PUPILS,
    LOSS_GROUP_TEACHERS,
    LOSS_WARDS, /* children by their guardians */
    LOSS_NAMES_OF_PUPILS,
    LOSS_NAMES_OF_GUARDIANS,
    LOSS_NAMES_OF_STAFF,
    LOSS_BIRTHS_OF_PUPILS,
    LOSS_BIRTHS_OF_GUARDIANS,
    LOSS_BIRTHS_OF_STAFF,
    LOSS_PUPILS_MADE_STAFF,
    LOSS_GUARDIANS_MADE_STAFF,
    LOSS_MADE_LEADERS,
    LOSS_CLASSES, /* from here on of classes, not people */
    LOSS_HOMEROOMS,
    LOSS_GROUPS,
    LOSS_HOMEROOMS_MOVED, /* single homerooms: how many of them */
    LOSS_HOMEROOMS_RENAMED,
    LOSS_HOMEROOMS_REBORN,
    LOSS_KIND__COUNT
};
const char *loss_kind_name(enum loss_kind kind); /* "homeroom_pupils" */

struct loss_count {
    int64_t of, gone, changed; /* of: before */
    bool beyond;
};

struct loss_school {
    school_no school;
    struct loss_count n[LOSS_KIND__COUNT];
    struct diff_set lost; /* a: who, or which class; kind; value: LOSS_IS_…; begin: the day on which it ends, EVER: at
                           * once */
    struct diff_set back; /* a, kind: was lost lately, and is there again */
    bool beyond;
};
enum { LOSS_IS_CHANGED = 1, LOSS_IS_GONE };

struct loss {
    struct diff_set people;      /* a: who may have lost something; kind: enum loss_touched */
    struct diff_set classes;     /* a: which; value: 1: it has ended */
    struct diff_set gains;       /* a: school, or b: class, in which somebody became more than they were */
    struct loss_school *schools; /* heap; filled in by loss_judge */
    size_t n_schools;
};

enum loss_touched { LOSS_OF_RECORD, LOSS_OF_NAME, LOSS_OF_BIRTH };
/* May have lost something of that kind; a name or birth date is also a matter of the record. What really is lost only
 * loss_judge says; twice the same counts once. */
void loss_person(struct loss *loss, user_no user, enum loss_touched what);
/* The same of a class; ended: it has gone, else changed. */
void loss_class(struct loss *loss, class_no class, bool ended);
void loss_gain(struct loss *loss, school_no school, class_no class); /* staff of the one or, school 0, of the other */

/* Which days are compared: what stood on the day up to which dates have taken effect, and what stands today. What a
 * clock that was ahead had done is no state to compare with: to go back to today takes nothing from anybody. */
struct loss_days {
    school_day was, today, ahead; /* ahead: today and LOSS_AHEAD_DAYS */
    school_day settled;           /* as was, but after today if the clock was ahead */
    int64_t lately_ms;            /* since when what was lost counts */
};
struct loss_days loss_days(struct db *db, int64_t now_ms);

/* Who has records that begin or end between days.settled and today: they may have lost something. */
void loss_due(struct loss *loss, struct db *db, const struct loss_days *days);

/* Counts. after: the job's own connection. true: of a school more is lost than the limits say. */
bool loss_judge(struct loss *loss, struct db *before, struct db *after, const struct loss_days *days,
                struct loss_limits limits);

/* After what was judged is done, in its job: it counts among what was lost lately, or, confirmed, ends that. false: the
 * database failed. */
bool loss_keep(const struct loss *loss, struct db *db, int64_t now_ms, bool confirmed);

/* Whether the person loses more than being external staff in a school that is beyond the limits. */
bool loss_waits(const struct loss *loss, user_no user);

/* How many people are in a school, and whether so many gone of them are too many: for who can't have a reader. */
int64_t loss_people(struct db *db, school_no school, school_day today);
bool loss_people_beyond(int64_t gone, int64_t people, struct loss_limits limits);

/* Of the schools beyond: [{"school": sourcedId, "people", "gone", "changed", "classes", "classes_ended",
 * "classes_changed", "kinds": [{"kind", "of", "gone", "changed"}] those beyond}]: a new reference. */
json_t *loss_json(const struct loss *loss, struct db *db);
/* The schools of such a list; *out: heap. Returns how many. */
size_t loss_schools(const json_t *list, struct db *db, school_no **out);

/* The same as lines, "loss school-1: names_of_pupils: 0 of 300 gone, 300 changed", and, if wanted, who is gone, as
 * "person - sourcedId". Appends. */
void loss_lines(const struct loss *loss, struct db *db, bool people, struct text *out);

void loss_finish(struct loss *loss); /* frees all and empties it */

/* The version of a list that is shown and confirmed: a number from 1 to 2^53 − 1 that another text has not. */
int64_t loss_version(const char *text, size_t len);

#endif
