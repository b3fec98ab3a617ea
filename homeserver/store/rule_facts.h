/* What the school's rules look at (policy/rules/rules.h), read from the records: rooms, people, and how two people
 * stand to each other.
 *
 * For the gates (rooms/gate.c, policy/gate/school_gate.c). Look-ups read through any connection, in a write job through
 * tx->db, and decide nothing. Whatever they read is in a table that db.h's epochs watch, so that the gate may remember
 * the answers on the writer: a new table read here belongs into the list of tests/unit/statements.c, which then names
 * every statement that must say so. Roles, enrollments and the like count by the UTC day. */
#ifndef PARTA_STORE_RULE_FACTS_H
#define PARTA_STORE_RULE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"
#include "policy/rules/rules.h"

/* --- Rooms --- */

/* What a room is to the school: EPOCH_PEOPLE, EPOCH_RECORDS. */
struct room_school {
    enum room_kind kind; /* ROOM_CLUB also for what people of a school made before kinds were kept */
    school_no school;    /* of a roster room or an archived one; 0 otherwise */
    class_no class;      /* of a class or subject room, archived ones too; 0 otherwise */
    int n_schools;       /* how many schools it belongs to; 0: none */
    user_no owner;       /* who answers for it (E5) */
    user_no a, b;        /* ROOM_DIRECT: the pair (F2); b 0: not known yet */
};

/* false: it belongs to no school. */
bool school_of_room(struct db *db, room_no room, struct room_school *out);

/* Its life: EPOCH_PEOPLE, EPOCH_RECORDS, EPOCH_LIFE. Roster rooms and spaces may be large and no rule counts there: n
 * is then -1. */
struct room_life {
    int n;                                                /* joined, invited or knocking, the service user apart */
    user_no people[2];                                    /* when n is 1 or 2 */
    int n_joined;                                         /* those who can answer */
    user_no joined[2];                                    /* when n_joined is 1 or 2 */
    bool has_pupil, staff_present, has_staff, has_family; /* as room_facts has them; ROOM_CLUB only */
    bool encrypted;
};
void school_room_life(struct db *db, room_no room, const struct room_school *of, struct room_life *out);

/* The schools of a room: *n of at most max; the rest is not told. */
void school_rooms_schools(struct db *db, room_no room, school_no *out, int max, int *n);

/* --- People --- */

/* The person as seen from that room (member, roles, held, post, named, owner, direct_pair). Somebody who does not exist
 * has left. For the server's service user service is true, and member too. */
void school_person_facts(struct db *db, room_no room, user_no user, struct person_facts *out);
void school_person_in(struct db *db, room_no room, const struct room_school *of, user_no user,
                      struct person_facts *out); /* the same, of being known */

/* F5: whether a report of that room concerns them: a direct chat's two, a club's owner, and of the room of a class or
 * group, also of an earlier year, whoever teaches it or has a post there. Nobody answers alone for a whole school's
 * rooms. */
bool school_answers_for(struct db *db, room_no room, user_no user);

/* The person in no room: roles are those of any school, member is true. */
void school_person_anywhere(struct db *db, user_no user, struct person_facts *out);

/* The person as seen from a school's office; member: has a role there. school 0: of the schools that beside is in. */
void school_person_at(struct db *db, school_no school, user_no user, user_no beside, struct person_facts *out);

unsigned school_roles(struct db *db, school_no school, user_no user); /* enum school_role, current */
bool roster_holds(struct db *db, room_no room, user_no user);         /* E2 */
bool school_has_any(struct db *db, user_no user);                     /* any current role in any school */
void school_schools_of(struct db *db, user_no user, school_no *out, int max, int *n); /* as school_rooms_schools */

/* --- Two people --- */

#define PAIR_SCHOOLS_MAX 16

/* How a stands to b: RELATION_BIT by school. EPOCH_PEOPLE. */
struct pair_schools {
    int n;
    struct {
        school_no school;
        uint32_t relations;
    } at[PAIR_SCHOOLS_MAX]; /* schools where they stand in none are left out */
    bool class_teacher;     /* b is class teacher of a class where a is a pupil */
    bool guardian;          /* b is a's guardian */
    bool apart;             /* D9: kept from each other; they stand in no school then */
    bool parted;            /* D9: a child's guardians who do not see each other through it, and nothing else joins
                             * them: neither work, nor another child's class. They stand in no school then */
};
void school_pair(struct db *db, user_no a, user_no b, struct pair_schools *out);

/* The same bits seen from the other: pupil.own_teacher ↔ staff.own_pupil. */
uint32_t school_relations_mirrored(uint32_t relations);

/* Whether the two share a school (both of none: also true): before a room exists. */
bool school_shared(struct db *db, user_no a, user_no b);

/* For the office: whose class it is; whether the teacher is class teacher of that class; of a class of the school (0:
 * of any) where the person is a pupil or the guardian of one; how many guardians a child has; who is whose. */
school_no school_of_class(struct db *db, class_no class); /* 0: there is no such class */
bool school_teaches_class(struct db *db, user_no teacher, class_no class);
bool school_teaches_person(struct db *db, school_no school, user_no teacher, user_no person);
int school_guardians(struct db *db, user_no child);
/* enum school_role of the person in schools where the other is not administrator. */
unsigned school_roles_elsewhere(struct db *db, user_no office, user_no person);
bool school_is_guardian(struct db *db, user_no guardian, user_no child); /* D9: of guardianships in force */

/* D9: whether one of the two is kept from the other: from a child, and from that child's guardians. */
bool school_apart(struct db *db, user_no a, user_no b);
bool school_is_apart(struct db *db, user_no user); /* whether there is anybody from whom the user is kept */
/* Everybody from whom the user is kept, by number; *n: how many. Heap, NULL where there is nobody (which is nearly
 * always so). */
user_no *school_apart_from(struct db *db, user_no user, size_t *n);
int school_apart_joined(struct db *db, room_no room, user_no user); /* how many of them are joined to the room */
/* One of them who is in the class, today or later, or the guardian of a pupil there; 0: nobody. */
user_no school_meets_in_class(struct db *db, class_no class, user_no user);
/* A guardian of the child, who would get a place in the class by the child's, and meet there somebody from whom they
 * are kept, but by this very child; 0: none. */
user_no school_family_meets(struct db *db, class_no class, user_no child);
/* Who has a place in a class, today or later, together with somebody from whom no_contact keeps them: of that guardian,
 * or (0) of everybody; by number. Heap, NULL where there is nobody; *n: how many. */
struct meeting {
    user_no guardian, with;
    class_no class;
};
struct meeting *school_meetings(struct db *db, user_no guardian, size_t *n);
/* Whether there is somebody in the room (joined, invited, knocking) from whom the user is kept, or the other way. */
bool school_kept_out(struct db *db, room_no room, user_no user);
bool school_barred_out(struct db *db, room_no room, user_no user); /* the same of a guardian alone: who has to go */

/* With whom something was settled of the user that may keep the two from seeing each other; of everybody with whom
 * something was settled. Heap, ascending, unique; NULL when there are none. */
user_no *school_custody_of(struct db *db, user_no user, size_t *n);
user_no *school_in_custody(struct db *db, size_t *n);

#endif
