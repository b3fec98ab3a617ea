/* The school's records as its office pages through them: by number, filtered in SQL, with who keeps them.
 *
 * A viewer is whose eyes, and which day: rows of schools that the person is in then; an operator's (user 0) see all.
 * Whether they may look at all is policy's (policy/gate/school_gate.h). A viewer lives as long as the statement. Rows
 * borrow their strings until the next one; stmt_end after. Texts of days are as the tables have them: "" since ever,
 * "9999-12-31" without end. */
#ifndef PARTA_STORE_SCHOOL_PAGES_H
#define PARTA_STORE_SCHOOL_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/store/school/schools.h"

struct viewer {
    user_no user; /* 0: an operator */
    char day[DAY_TEXT_BYTES];
};
struct viewer pages_viewer(user_no user); /* today */

/* --- What somebody knows of (A1) --- */

bool pages_is_in(struct db *db, user_no user, school_no school); /* has a role there today */

/* Whether who is in a school, today, where the user has, or will have, a role. */
bool pages_knows(struct db *db, user_no who, user_no user);

/* The first school where both have a role today; who 0, or the same: the user's first. 0: none. */
school_no pages_shared_school(struct db *db, user_no who, user_no user);
bool pages_room_known(struct db *db, user_no who, room_no room); /* joined, or of a school they are in */

/* --- Schools, classes --- */

struct school_page_row {
    struct school_row school;
    const char *source;
    int64_t version;
};
struct stmt *pages_schools(struct db *db, const struct viewer *viewer, int64_t after, int limit);
struct stmt *pages_school(struct db *db, school_no school);
bool pages_schools_next(struct stmt *q, struct school_page_row *row);

struct class_page_row {
    struct class_row class;
    const char *school_id, *source;
    int64_t version;
};
struct stmt *pages_classes(struct db *db, const struct viewer *viewer, school_no school, int64_t after, int limit);
struct stmt *pages_class(struct db *db, class_no class);
bool pages_classes_next(struct stmt *q, struct class_page_row *row);

/* --- People --- */

struct person_page_row {
    struct person_row person; /* but birth */
    const char *birth_date;   /* "": not known */
    const char *localpart, *standing, *source;
    int64_t version;
};

/* 0, "" and NULL: any. role: of that school, when one is given. name: with what the given or family name begins,
 * whatever the case. */
struct people_filter {
    const struct viewer *viewer;
    school_no school;
    class_no class; /* enrolled there */
    const char *role, *standing, *name;
    int64_t after;
};
struct people_page;
struct people_page *pages_people(struct db *db, const struct people_filter *filter); /* keeps what it points to */
bool pages_people_next(struct people_page *people, struct person_page_row *row);
void pages_people_end(struct people_page *people);
bool pages_person(struct db *db, user_no user, struct stmt **q, struct person_page_row *row); /* stmt_end(*q) */

/* --- What binds them: rows of one person (by school), of one class (by person) --- */

struct role_page_row {
    school_no school;
    const char *school_id, *role, *begin, *end, *source;
};
struct stmt *pages_roles(struct db *db, const struct viewer *viewer, user_no user);
bool pages_roles_next(struct stmt *q, struct role_page_row *row);

struct enrollment_page_row {
    user_no user;
    school_no school;
    const char *localpart, *class_id, *role, *begin, *end, *source;
};
struct stmt *pages_enrollments_of(struct db *db, const struct viewer *viewer, user_no user);
/* The rows of `limit` people beyond after. */
struct stmt *pages_enrollments_in(struct db *db, class_no class, user_no after, int limit);
bool pages_enrollments_next(struct stmt *q, struct enrollment_page_row *row);

struct guardianship_page_row {
    user_no child;
    const char *child_localpart, *guardian_localpart, *source;
    int64_t since_ms; /* 0: not known */
};
/* user: as child or guardian, 0: any; school: the child's, 0: any. The rows of `limit` children beyond after. */
struct stmt *pages_guardianships(struct db *db, const struct viewer *viewer, user_no user, school_no school,
                                 user_no after, int limit);
bool pages_guardianships_next(struct stmt *q, struct guardianship_page_row *row);

/* --- Rooms of schools --- */

struct room_page_row {
    room_no no;
    const char *room_id, *kind;
    const char *name;     /* content of m.room.name, JSON; NULL: none */
    const char *owner;    /* localpart; NULL: the service user's */
    const char *class_id; /* NULL: none */
    int joined;
};
struct stmt *pages_rooms(struct db *db, const struct viewer *viewer, school_no school, const char *kind, room_no after,
                         int limit);
struct stmt *pages_room(struct db *db, room_no room);
bool pages_rooms_next(struct stmt *q, struct room_page_row *row);

struct stmt *pages_room_schools(struct db *db, const struct viewer *viewer, room_no room); /* school_no, sourcedId */

struct member_page_row {
    user_no user;
    const char *localpart, *membership;
    bool held;  /* E2 */
    int power;  /* by post */
    bool named; /* E7 */
};
/* Joined, invited, knocking, or named for the room. */
struct stmt *pages_members(struct db *db, room_no room, user_no after, int limit);
bool pages_members_next(struct stmt *q, struct member_page_row *row);

/* --- Imports --- */

struct import_page_row {
    int64_t no;
    const char *source, *mode, *author, *changes; /* changes: JSON */
    int64_t started_ms, ended_ms;
};
struct stmt *pages_imports(struct db *db, int64_t after, int limit);
bool pages_imports_next(struct stmt *q, struct import_page_row *row);

#endif
