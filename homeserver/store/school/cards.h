/* What one shows of a school, a class, a person, a family: small look-ups for sign-up, guardians and the office's
 * pages.
 *
 * They only read, through any connection; inside a job through tx->db. Who may see it is decided by whoever asks
 * (policy/gate/school_gate.h). Strings of a card are heap: card_finish. */
#ifndef PARTA_STORE_SCHOOL_CARDS_H
#define PARTA_STORE_SCHOOL_CARDS_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/school/schools.h"

struct db;
struct stmt;

struct place_card {
    school_no school;
    char *school_id, *school_name; /* sourcedId, name */
    class_no class;                /* 0: none, with the rest NULL and 0 */
    char *class_id, *class_title;
    int grade; /* of the class; 0: none, or not a number */
};
void place_card_finish(struct place_card *card);

/* The school, or the class and its school when class is not 0. false: there is none, or it has ended. */
bool place_card_get(struct db *db, school_no school, class_no class, struct place_card *out);

/* Where the person is a pupil today: school and homeroom, the first of them if there are several. false: nowhere. */
bool card_pupil_place(struct db *db, user_no user, school_no *school, class_no *class);

struct person_card {
    user_no user;
    char *sourced_id, *given, *family, *middle;
    school_day birth;
    bool enabled;
    bool ended;
    bool roster_kept; /* a roster keeps the record, not the school's own people */
    int64_t version;
};
void person_card_finish(struct person_card *card);
bool person_card_get(struct db *db, user_no user, struct person_card *out); /* false: not in the records */

/* C2: people of the school who are called so: who applies may be in the records already. As card_guardians. */
int card_namesakes(struct db *db, school_no school, const char *given, const char *family, user_no *out, int max);

/* Guardians of a child, children of a guardian: at most max numbers into out; how many there are. */
int card_guardians(struct db *db, user_no child, user_no *out, int max);
int card_children(struct db *db, user_no guardian, user_no *out, int max);

/* A3: whether the class has a class teacher today. */
bool card_has_class_teacher(struct db *db, class_no class);

/* The person's current roles: school, role; by school. */
struct stmt *card_roles(struct db *db, user_no user, char day[DAY_TEXT_BYTES]); /* keeps day */
bool card_roles_next(struct stmt *q, school_no *school, enum school_role *role);

/* D8: the rooms that the person is joined to, by number. Strings borrowed until the next. */
struct room_card {
    room_no room;
    const char *room_id;
    const char *name; /* content of m.room.name, JSON; NULL: it has none */
    enum room_kind kind;
    int joined; /* people and service users */
};
struct stmt *card_rooms(struct db *db, user_no user, room_no after, int limit);
bool card_rooms_next(struct stmt *q, struct room_card *out);

/* Who is joined there: people only, by number; at most max into out; how many were put there. */
int card_members(struct db *db, room_no room, user_no *out, int max);

#endif
