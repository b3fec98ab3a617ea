/* The roster at rest: schools, classes, people, their roles, enrollments, guardianships, and the rooms made from them.
 *
 * The roster is the truth; rooms are its picture (school.md). roster_members is the roster's set for every room it
 * keeps, worked out once a change and kept in the same transaction: E2 says that the joined members of these rooms are
 * exactly its rows. room_schools says to which schools a room belongs, roster rooms and people's own alike (A2).
 *
 * Dates are days, "2026-09-01", and compared as UTC days; a role counts from begin_date to end_date, both included.
 * Nothing here but names and birth dates: no phone, e-mail or upstream login is kept (A5).
 *
 * What the rules look at is read by school_facts.h. Functions that write belong into a write job. None of them decides
 * anything: policy/rules does. */
#ifndef PARTA_STORE_SCHOOL_SCHOOLS_H
#define PARTA_STORE_SCHOOL_SCHOOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"
#include "policy/rules/rules.h"

typedef int64_t school_no;  /* > 0; 0: none */
typedef int64_t class_no;   /* > 0; 0: none */
typedef int32_t school_day; /* 20260901 is 1 September 2026 */

#define DAY_EVER 0         /* begin: since ever; birth date: not known */
#define DAY_NEVER 99991231 /* end: no end is known */
#define DAY_TEXT_BYTES 11  /* "2026-09-01" and a NUL */

#define SERVICE_LOCALPART "parta" /* the server's own service user, who makes the roster's rooms (E3) */

/* --- For the roster's import (policy/oneroster/import.c) ---
 *
 * Rows of the tables, in a fixed order; strings are borrowed from the statement until the next row. stmt_end after. */

/* source, everywhere: who keeps the record: a roster's name, SOURCE_SCHOOL, of roles SOURCE_DERIVED. An import touches
 * its own alone. NULL when written: SOURCE_ROSTER. version: counts changes (schools, classes, people); only read. */
#define SOURCE_ROSTER "roster" /* the usual name of a roster */
#define SOURCE_SCHOOL "school" /* the school's own people entered it */
#define SOURCE_DERIVED                                                                                                 \
    "derived" /* a role that follows from enrollments or guardianships (policy/records/reconcile.h) */

struct school_row {
    school_no no;
    const char *sourced_id, *name;
    bool ended; /* no longer in the roster */
    const char *source;
    int64_t version;
};
struct class_row {
    class_no no;
    const char *sourced_id, *grade, *title;
    school_no school;
    bool homeroom; /* false: a subject group */
    bool ended;
    const char *source;
    int64_t version;
};
struct person_row {
    user_no no;
    const char *sourced_id, *given, *family, *middle; /* names: "" when not given */
    school_day birth;                                 /* DAY_EVER: not known */
    bool enabled;                                     /* false: the roster does not let the person sign in */
    bool ended;
    const char *source;
    int64_t version;
};
struct role_row {
    user_no user;
    school_no school;
    enum school_role role;
    school_day begin, end; /* both included */
    const char *source;    /* part of the key: two sources may say the same */
};
struct enrollment_row {
    class_no class;
    user_no user;
    enum school_role role; /* ROLE_PUPIL, ROLE_TEACHER, ROLE_CLASS_TEACHER */
    school_day begin, end;
    const char *source; /* what the school entered becomes the roster's once the roster says it too; so guardianships */
};
struct guardianship_row {
    user_no child, guardian;
    const char *source;
    int64_t since_ms; /* 0: not known */
};
struct roster_room_row {
    room_no room;
    enum room_kind kind;
    school_no school;
    class_no class; /* 0: of the whole school */
};
struct roster_member_row {
    room_no room;
    user_no user;
    int power; /* by post; 0: an ordinary member */
};

struct stmt *schools_all(struct db *db);       /* by school_no */
struct stmt *classes_all(struct db *db);       /* by class_no */
struct stmt *people_all(struct db *db);        /* by user_no */
struct stmt *roles_all(struct db *db);         /* in no order */
struct stmt *enrollments_all(struct db *db);   /* in no order */
struct stmt *guardianships_all(struct db *db); /* in no order */
bool schools_next(struct stmt *q, struct school_row *row);
bool classes_next(struct stmt *q, struct class_row *row);
bool people_next(struct stmt *q, struct person_row *row);
bool roles_next(struct stmt *q, struct role_row *row);
bool enrollments_next(struct stmt *q, struct enrollment_row *row);
bool guardianships_next(struct stmt *q, struct guardianship_row *row);

/* What roster_members should hold on that day, worked out from roles, enrollments and guardianships (E1): in no order,
 * who is in a room for several reasons comes several times, the greatest power counts. And what it holds, by room_no
 * and user_no. */
struct stmt *roster_members_wanted(struct db *db, school_day day, char buffer[DAY_TEXT_BYTES]); /* keeps buffer */
struct stmt *roster_members_all(struct db *db);
bool roster_members_next(struct stmt *q, struct roster_member_row *row);

struct stmt *roster_members_wanted_of(struct db *db, school_day day, user_no user, char buffer[DAY_TEXT_BYTES]);
struct stmt *roster_members_in(struct db *db, room_no room); /* of one room */
struct stmt *roster_members_of(struct db *db, user_no user); /* the same of one person: costs what the person has */

/* Where E2 does not hold yet: whom the roster holds but the room does not have, and the other way round. By room_no. */
struct stmt *roster_members_to_join(struct db *db);
struct stmt *roster_members_to_leave(struct db *db);
struct stmt *roster_members_to_join_of(struct db *db, user_no user);
struct stmt *roster_members_to_leave_of(struct db *db, user_no user);

/* Who has power by post in the room: localpart, power. */
struct stmt *roster_powers(struct db *db, room_no room);

room_no roster_room_find(struct db *db, school_no school, class_no class, enum room_kind kind); /* 0: there is none */

/* Inside a job. Rows with no = 0 are inserted; they answer their number, 0 when the database failed. */
school_no schools_put(struct db *db, const struct school_row *row);
class_no classes_put(struct db *db, const struct class_row *row);
bool schools_end(struct db *db, school_no no); /* no longer in the roster; the row stays */
bool classes_end(struct db *db, class_no no);
bool people_end(struct db *db, user_no no);
bool people_put(struct db *db, const struct person_row *row); /* row->no exists in users; inserted or changed */
bool people_set_source(struct db *db, user_no no, const char *source);
bool roles_put(struct db *db, const struct role_row *row); /* inserted, or its end changed */
bool roles_delete(struct db *db, const struct role_row *row);
bool enrollments_put(struct db *db, const struct enrollment_row *row);
bool enrollments_delete(struct db *db, const struct enrollment_row *row);
bool guardianships_put(struct db *db, const struct guardianship_row *row);
bool guardianships_delete(struct db *db, const struct guardianship_row *row);
bool roster_rooms_put(struct db *db, const struct roster_room_row *row); /* with its row in room_schools */
bool roster_members_put(struct db *db, const struct roster_member_row *row);
bool roster_members_delete(struct db *db, const struct roster_member_row *row);

/* Days. */
school_day day_of_ms(int64_t wall_ms); /* the UTC day */
school_day day_from(const char *text); /* -1: not a day of the calendar, or not written so */
const char *day_text(school_day day, char out[DAY_TEXT_BYTES]);

#endif
