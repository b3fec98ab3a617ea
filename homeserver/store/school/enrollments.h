/* Enrollments: who is in a class as pupil, teacher or class teacher, from a day to a day. What the school entered
 * becomes the roster's once the roster says it too. Rows and writing as schools.h says. */
#ifndef PARTA_STORE_SCHOOL_ENROLLMENTS_H
#define PARTA_STORE_SCHOOL_ENROLLMENTS_H

#include <stdbool.h>

#include "homeserver/base/days.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/school/source.h"
#include "policy/rules/words.h"

struct viewer;

struct enrollment_row {
    class_no class;
    user_no user;
    enum school_role role; /* ROLE_PUPIL, ROLE_TEACHER, ROLE_CLASS_TEACHER */
    school_day begin, end; /* both included */
    const char *source;    /* source.h */
    /* Only read; 0 and NULL: not asked. */
    school_no school;
    const char *class_id, *class_title, *school_name, *localpart;
};

/* Each in no order, of any day, without school, names and localpart: for enrollments_next. */
struct stmt *enrollments_all(struct db *db);
struct stmt *enrollments_of_person(struct db *db, user_no user);
struct stmt *enrollments_of_class(struct db *db, class_no class);
struct stmt *enrollments_stale(struct db *db); /* in classes that have ended */
/* With their classes and accounts. A1: of a person, by class. Of a class, by person: the rows of `limit` people beyond
 * after. */
struct stmt *enrollments_page_of_person(struct db *db, const struct viewer *viewer, user_no user);
struct stmt *enrollments_page_of_class(struct db *db, class_no class, user_no after, int limit);
bool enrollments_next(struct stmt *q, struct enrollment_row *row);

bool enrollments_source(struct db *db, const struct enrollment_row *row,
                        char source[SOURCE_BYTES]); /* as roles_source */

/* Where the person is a pupil today: school and homeroom, the first of them if there are several; class 0: in none.
 * false: nowhere. */
bool enrollments_place_of_pupil(struct db *db, user_no user, school_no *school, class_no *class);

bool enrollments_has_class_teacher(struct db *db, class_no class); /* A3: today */

/* Inside a job. */
bool enrollments_put(struct db *db, const struct enrollment_row *row); /* inserted, or its end and source changed */
bool enrollments_delete(struct db *db, const struct enrollment_row *row);

#endif
