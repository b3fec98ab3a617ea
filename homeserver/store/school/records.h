/* Single records of the schools, and what reconciling them asks (policy/records/reconcile.h, change.h). Rows and their
 * iteration are store/school/schools.h's: a query for people is read with people_next, and so on; stmt_end after.
 *
 * Where a user may be 0, the question is asked of everybody; asked of one person it costs what that person has, not
 * what the server has. Functions that write belong into a job. */
#ifndef PARTA_STORE_SCHOOL_RECORDS_H
#define PARTA_STORE_SCHOOL_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/school/schools.h"

/* --- One record --- */

struct stmt *schools_one(struct db *db, school_no school);
struct stmt *classes_one(struct db *db, class_no class);
struct stmt *people_one(struct db *db, user_no user);
school_no schools_by_sourced_id(struct db *db, const char *id); /* 0: there is none; ended ones too */
class_no classes_by_sourced_id(struct db *db, const char *id);
user_no people_by_sourced_id(struct db *db, const char *id);
char *schools_sourced_id(struct db *db, school_no school); /* heap; NULL: there is none */
char *classes_sourced_id(struct db *db, class_no class);
char *people_sourced_id(struct db *db, user_no user);

struct stmt *roles_of_person(struct db *db, user_no user);
struct stmt *enrollments_of_person(struct db *db, user_no user);
struct stmt *enrollments_of_class(struct db *db, class_no class);
struct stmt *guardianships_of(struct db *db, user_no user); /* as child and as guardian */

/* By their keys; *source: who keeps it, of at least SOURCE_BYTES. false: there is none. */
#define SOURCE_BYTES 64
bool roles_source(struct db *db, const struct role_row *row,
                  char source[SOURCE_BYTES]); /* not derived; school's first */
bool enrollments_source(struct db *db, const struct enrollment_row *row, char source[SOURCE_BYTES]);
bool guardianships_source(struct db *db, user_no child, user_no guardian, char source[SOURCE_BYTES]);
int guardians_count(struct db *db, user_no child); /* D5 */

/* --- Roles that follow from enrollments and guardianships --- */

/* What should be there with SOURCE_DERIVED: what follows and no other source already says for the whole period.
 * guardians: guardians' roles, from their children's as pupils; else those from enrollments (E7: never a teacher's for
 * external staff). Keys may repeat: the longest counts. roles_next. */
struct stmt *roles_implied(struct db *db, bool guardians, user_no user);
struct stmt *roles_derived(struct db *db, bool guardians, user_no user); /* what is there */

/* Takes this role (pupil, class_teacher, guardian) from the person in every school where no enrollment or guardianship
 * stands for it, whoever keeps it: after the office ended one by hand. */
bool roles_delete_unsupported(struct db *db, user_no user, enum school_role role);

/* Whether the school's own people hold somebody whom a roster has let go: by role, enrollment, or as a guardian. */
bool people_kept_by_school(struct db *db, user_no user);

/* D5: guardianships that the school entered, of children who have more than two guardians; the newest first. */
struct stmt *guardianships_beyond(struct db *db);

/* Enrollments in classes that have ended. */
struct stmt *enrollments_stale(struct db *db);

/* --- Standing --- */

/* D7: current pupils who are 'active' or 'restricted' and have no guardian: user, birth date, school. */
struct ward_row {
    user_no user;
    school_day birth; /* DAY_EVER: not known */
    school_no school;
};
struct stmt *people_unguarded(struct db *db, school_day day, user_no user, char buffer[DAY_TEXT_BYTES]);
bool people_unguarded_next(struct stmt *q, struct ward_row *row);
struct stmt *people_restricted(struct db *db, user_no user); /* column 0: user_no */

/* G2: whose account was closed because no school was left, and who has one again: user_no, whether they may sign in. */
struct stmt *people_to_reopen(struct db *db, school_day day, user_no user, char buffer[DAY_TEXT_BYTES]);
bool people_set_closed(struct db *db, user_no user, bool closed);
bool people_closed(struct db *db, user_no user);
bool people_return(struct db *db, user_no user); /* ended no more, and the school's own */

/* Whether the person has a role now or later. false also for somebody who is no person of a school: *person says. */
bool people_have_role(struct db *db, user_no user, school_day day, bool *person);

/* Whose roles or enrollments began or ended after `from` and up to `to`: column 0: user_no. */
struct stmt *people_due(struct db *db, school_day from, school_day to, char buffers[2][DAY_TEXT_BYTES]);
school_day settled_day(struct db *db); /* DAY_EVER: never */
bool settled_put(struct db *db, school_day day);

/* --- Rooms --- */

/* E5: who answers for a club when its owner goes: who is there longest, staff before others. 0: nobody is left. */
user_no rooms_heir(struct db *db, room_no room, user_no without, school_day day);

room_no library_find(struct db *db, school_no school); /* E6. 0: there is none */
bool library_put(struct db *db, room_no room, school_no school);

/* G3: the roster keeps the room no more; it stays its school's. */
bool roster_rooms_archive(struct db *db, room_no room, int64_t now_ms);

bool named_members_put(struct db *db, room_no room, user_no user); /* E7 */
bool named_members_delete(struct db *db, room_no room, user_no user);

/* --- Imports --- */

struct import_row {
    const char *source, *mode, *author;
    int64_t started_ms, ended_ms;
    const char *changes; /* JSON: counts by name */
};
bool imports_put(struct db *db, const struct import_row *row);
int64_t imports_last_ms(struct db *db, const char *source, const char *mode); /* when the last began; 0: never */

#endif
