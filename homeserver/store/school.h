/* The roster at rest: schools, classes, people, their roles, enrollments, guardianships, and the rooms made from them.
 *
 * The roster is the truth; rooms are its picture (school.md). roster_members is the roster's set for every room it
 * keeps, worked out once a change and kept in the same transaction: E2 says that the joined members of these rooms are
 * exactly its rows. room_schools says to which schools a room belongs, roster rooms and people's own alike (A2).
 *
 * Dates are days, "2026-09-01", and compared as UTC days; a role counts from begin_date to end_date, both included.
 * Nothing here but names and birth dates: no phone, e-mail or upstream login is kept (A5).
 *
 * Look-ups for the gate (homeserver/rooms/gate.c) come first; they read through any connection, in a write job through
 * tx->db. Functions that write belong into a write job. None of them decides anything: policy/rules does. */
#ifndef PARTA_STORE_SCHOOL_H
#define PARTA_STORE_SCHOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/db.h"
#include "policy/rules/rules.h"

typedef int64_t school_no;  /* > 0; 0: none */
typedef int64_t class_no;   /* > 0; 0: none */
typedef int32_t school_day; /* 20260901 is 1 September 2026 */

#define DAY_EVER 0         /* begin: since ever; birth date: not known */
#define DAY_NEVER 99991231 /* end: no end is known */
#define DAY_TEXT_BYTES 11  /* "2026-09-01" and a NUL */

#define SERVICE_LOCALPART "parta" /* the server's own service user, who makes the roster's rooms (E3) */

/* --- For the gate --- */

struct room_school {
    enum room_kind kind; /* ROOM_FREE: people made it */
    school_no school;    /* of a roster room; 0 for ROOM_FREE */
    class_no class;      /* of a class or subject room; 0 otherwise */
    int n_schools;       /* how many schools it belongs to; 0: none */
};

/* What school and kind a room has. false: it belongs to no school (out is ROOM_FREE with zeros). */
bool school_of_room(struct db *db, room_no room, struct room_school *out);

unsigned school_roles(struct db *db, school_no school, user_no user); /* enum school_role, current */
bool roster_holds(struct db *db, room_no room, user_no user);         /* E2 */

bool school_has_any(struct db *db, user_no user); /* any current role in any school */

/* Whether the two share a school (both of none: also true): before a room exists. */
bool school_shared(struct db *db, user_no a, user_no b);

/* The parts of struct rule_facts, filled from the store. person: as seen from that room (member, roles, held, post).
 * For the server's service user (users.kind 'service') service is true, and member too. */
void school_room_facts(struct db *db, room_no room, struct room_facts *out);
void school_person_facts(struct db *db, room_no room, user_no user, struct person_facts *out);

/* A room that a person makes belongs to all schools the person is in (call right after the row in rooms exists, before
 * its invites are judged). A person of no school makes a room of no school. The service user's rooms: school_room_keep.
 */
bool school_room_record(struct db *db, room_no room, user_no creator);

/* When somebody was invited, joined or knocked (and was allowed to), the room keeps only the schools that person is in
 * too, so that all who are in a room share a school, also where a guardian of two schools made it (A1). Roster rooms
 * stay as they are. */
bool school_room_narrow(struct db *db, room_no room, user_no user);

/* An upgraded room takes over the schools of the old one; a roster room hands its kind over as well (E1). */
bool school_room_replace(struct db *db, room_no old, room_no new);

/* --- For the roster's import (policy/roster/import.c) ---
 *
 * Rows of the tables, in a fixed order; strings are borrowed from the statement until the next row. stmt_end after. */

struct school_row {
    school_no no;
    const char *sourced_id, *name;
    bool ended; /* no longer in the roster */
};
struct class_row {
    class_no no;
    const char *sourced_id, *grade, *title;
    school_no school;
    bool homeroom; /* false: a subject group */
    bool ended;
};
struct person_row {
    user_no no;
    const char *sourced_id, *given, *family, *middle; /* names: "" when not given */
    school_day birth;                                 /* DAY_EVER: not known */
    bool enabled;                                     /* false: the roster does not let the person sign in */
    bool ended;
};
struct role_row {
    user_no user;
    school_no school;
    enum school_role role;
    school_day begin, end; /* both included */
};
struct enrollment_row {
    class_no class;
    user_no user;
    enum school_role role; /* ROLE_PUPIL, ROLE_TEACHER, ROLE_CLASS_TEACHER */
    school_day begin, end;
};
struct guardianship_row {
    user_no child, guardian;
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

/* Both by room_no and user_no: what roster_members should hold on that day, worked out from roles, enrollments and
 * guardianships (E1), and what it holds. */
struct stmt *roster_members_wanted(struct db *db, school_day day, char buffer[DAY_TEXT_BYTES]); /* keeps buffer */
struct stmt *roster_members_all(struct db *db);
bool roster_members_next(struct stmt *q, struct roster_member_row *row);

/* Where E2 does not hold yet: whom the roster holds but the room does not have, and the other way round. By room_no. */
struct stmt *roster_members_to_join(struct db *db);
struct stmt *roster_members_to_leave(struct db *db);

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
bool roles_put(struct db *db, const struct role_row *row);    /* inserted, or its end changed */
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
