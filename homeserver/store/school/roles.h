/* Roles: what somebody is in a school (B1), from a day to a day. Several sources may say the same: the source is part
 * of the key. Rows and writing as schools.h says. */
#ifndef PARTA_STORE_SCHOOL_ROLES_H
#define PARTA_STORE_SCHOOL_ROLES_H

#include <stdbool.h>

#include "homeserver/base/days.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/school/source.h"
#include "policy/rules/words.h"

struct viewer;

struct role_row {
    user_no user;
    school_no school;
    enum school_role role;
    school_day begin, end;               /* both included */
    const char *source;                  /* source.h */
    const char *school_id, *school_name; /* only read; NULL: not asked */
};

struct stmt *roles_all(struct db *db);                                         /* in no order */
struct stmt *roles_of_person(struct db *db, user_no user);                     /* the same of one */
struct stmt *roles_now(struct db *db, user_no user, char day[DAY_TEXT_BYTES]); /* today's, by school; keeps day */
/* A1: with their schools, by school, role and begin. */
struct stmt *roles_page(struct db *db, const struct viewer *viewer, user_no user);
bool roles_next(struct stmt *q, struct role_row *row);

unsigned roles_now_or_later(struct db *db, user_no user);  /* enum school_role, today's and to come, in any school */
school_no roles_first_school(struct db *db, user_no user); /* where the person has a role, whenever; 0: nowhere */

/* Who keeps it; the school itself before rosters, derived ones not at all. false: there is none. */
bool roles_source(struct db *db, const struct role_row *row, char source[SOURCE_BYTES]);

/* --- Roles that follow from enrollments and guardianships (policy/records/reconcile.h) --- */

/* What should be there with SOURCE_DERIVED: what follows and no other source already says for the whole period.
 * guardians: guardians' roles, from their children's as pupils; else those from enrollments (E7: never a teacher's for
 * external staff). Keys may repeat: the longest counts. user 0: of everybody. roles_next. */
struct stmt *roles_implied(struct db *db, bool guardians, user_no user);
struct stmt *roles_derived(struct db *db, bool guardians, user_no user); /* what is there */

/* --- People by what they are, for an administrator at a shell --- */

/* One row a person, role and class: a pupil's own homeroom, a class teacher's, the child's of a guardian. */
struct role_holder_row {
    const char *localpart, *school_name, *class_title; /* class_title: "" if the role has none */
    enum school_role role;
    const char *given, *middle, *family;
};
/* Those of the day (kept until stmt_end), by school, class, role, name. role 0: all. */
struct stmt *roles_holders(struct db *db, enum school_role role, const char *day);
bool roles_holders_next(struct stmt *q, struct role_holder_row *row);

/* --- Inside a job --- */

bool roles_put(struct db *db, const struct role_row *row); /* inserted, or its end changed */
/* That of row's user, school, role, begin and source; none is no failure. */
bool roles_delete(struct db *db, const struct role_row *row);

/* Takes this role (pupil, class_teacher, guardian) from the person in every school where no enrollment or guardianship
 * stands for it, whoever keeps it: after the office ended one by hand. */
bool roles_delete_unsupported(struct db *db, user_no user, enum school_role role);

#endif
