/* What the records took from people because a roster, or a day, said so: kept for TAKEN_DAYS, so that what a wrong
 * roster took comes back whole with the right one (school.md G5; policy/records/returning.h). Of each thing there is
 * one row at most, the first: what lies here is how it was before. Rows and writing as schools.h
 * says; taken_ms is now. */
#ifndef PARTA_STORE_SCHOOL_TAKEN_H
#define PARTA_STORE_SCHOOL_TAKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/account_state.h"
#include "homeserver/base/days.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/school/enrollments.h"
#include "policy/rules/words.h"

#define TAKEN_DAYS 60

/* Who was in a room that people made. */
struct taken_member_row {
    room_no room;
    user_no user;
    enum membership membership; /* JOIN or INVITE */
};
bool taken_members_put(struct tx *tx, const struct taken_member_row *row);
bool taken_members_delete(struct db *db, room_no room, user_no user);
/* Of everybody (user 0) or one whose account is open: by room, staff first. */
struct stmt *taken_members(struct db *db, user_no user);
bool taken_members_next(struct stmt *q, struct taken_member_row *row);
bool taken_members_has(struct db *db, room_no room, user_no user); /* whether they were taken out of that room */

/* Who answered for a club, one after the other. The first of them who is there again; 0: nobody is. delete: that one
 * and those after them. */
bool taken_owner_put(struct tx *tx, room_no room, user_no owner);
user_no taken_owner(struct db *db, room_no room);
bool taken_owner_delete(struct db *db, room_no room, user_no owner);
bool taken_owners_forget(struct db *db, room_no room); /* somebody has decided who answers for it */

/* A room was replaced (upgraded): who was taken out of the old one, or answered for it, belongs in both. */
bool taken_replace(struct db *db, room_no old, room_no new);

/* The state of an account that was closed, or that a roster switched off: suspended, or locked by the office. */
bool taken_state_put(struct tx *tx, user_no user, enum account_state state);
bool taken_state(struct db *db, user_no user, enum account_state *state); /* false: nothing is kept */
bool taken_state_delete(struct db *db, user_no user);

/* C3: the addresses of a closed account, which are free meanwhile. */
struct taken_contact_row {
    const char *medium, *address;
    int64_t verified_ms, added_ms;
};
bool taken_contacts_put(struct tx *tx, user_no user); /* copies those that there are */
struct stmt *taken_contacts(struct db *db, user_no user);
bool taken_contacts_next(struct stmt *q, struct taken_contact_row *row);
bool taken_contacts_delete(struct db *db, user_no user);

/* A record that an import ended or took over, as it was. */
enum taken_kind { TAKEN_PERSON, TAKEN_CLASS, TAKEN_SCHOOL, TAKEN_ENROLLMENT, TAKEN_GUARDIANSHIP };
struct taken_record_row {
    enum taken_kind kind;
    int64_t a, b;          /* person; class; school; class and person; child and guardian. b: 0: none */
    enum school_role role; /* of an enrollment */
    school_day begin, end; /* of an enrollment */
    const char *source;    /* whose it was */
    int64_t since_ms;      /* of a guardianship */
    const char *names[3];  /* person: given, family, middle; class: title, grade; school: name; "": none */
    school_day birth;      /* of a person */
    bool enabled;          /* of a person */
};
/* As it is now, before it is changed or ended; one that is not there is not kept. */
bool taken_person(struct tx *tx, user_no user);
bool taken_class(struct tx *tx, class_no class);
bool taken_school(struct tx *tx, school_no school);
bool taken_enrollment(struct tx *tx, const struct enrollment_row *row); /* class, user, role, begin */
bool taken_guardianship(struct tx *tx, user_no child, user_no guardian);
bool taken_records_any(struct db *db); /* whether anything is kept */
bool taken_records_delete(struct db *db, const struct taken_record_row *row);
struct stmt *taken_records(struct db *db); /* by kind in the order above */
bool taken_records_next(struct stmt *q, struct taken_record_row *row);
int64_t taken_guardianship_since(struct db *db, user_no child, user_no guardian); /* 0: none is kept */

/* Forgets what is kept of a person: they have left (G1), or are erased (G4). */
bool taken_forget(struct tx *tx, user_no user);

bool taken_prune(struct db *db, int64_t before_ms); /* what was taken before then */

#endif
