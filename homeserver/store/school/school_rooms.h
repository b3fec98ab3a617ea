/* Rooms as the schools' records have them: to which schools a room belongs (room_schools: roster rooms and people's own
 * alike, A2), what kind it is and who answers for it (rooms.kind, rooms.owner), and between whom a direct chat is
 * (direct_rooms). Rows and writing as schools.h says. */
#ifndef PARTA_STORE_SCHOOL_SCHOOL_ROOMS_H
#define PARTA_STORE_SCHOOL_SCHOOL_ROOMS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/days.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"
#include "policy/rules/words.h"

struct viewer;

struct school_room_row {
    room_no no;
    const char *room_id;
    enum room_kind kind;
    int joined;           /* people and service users */
    const char *name;     /* content of m.room.name, JSON; NULL: none */
    const char *owner;    /* localpart; NULL: the service user's */
    const char *class_id; /* NULL: none */
};

struct stmt *school_rooms_one(struct db *db, room_no room); /* one row or none */
/* A1, by number. school 0: of all that the viewer is in; kind: "" for any. People's direct chats and documents are
 * theirs, and not in it. */
struct stmt *school_rooms_page(struct db *db, const struct viewer *viewer, school_no school, const char *kind,
                               room_no after, int limit);
struct stmt *school_rooms_of_person(struct db *db, user_no user, room_no after,
                                    int limit); /* D8: where they are joined */
bool school_rooms_next(struct stmt *q, struct school_room_row *row);

/* Who is in a room, by number: joined, invited, knocking, or named for it. */
struct school_room_member_row {
    user_no user;
    const char *localpart, *membership;
    bool held;  /* by the roster (E2) */
    int power;  /* by post */
    bool named; /* E7 */
};
struct stmt *school_room_members(struct db *db, room_no room, user_no after, int limit);
bool school_room_members_next(struct stmt *q, struct school_room_member_row *row);

/* The people who are joined, by number: at most max into out; returns how many were put there. */
int school_room_people(struct db *db, room_no room, user_no *out, int max);

/* E5: who answers for a club when its owner goes: who is there longest, staff before others. 0: nobody is left. */
user_no school_room_next_owner(struct db *db, room_no room, user_no without, school_day day);

room_no library_find(struct db *db, school_no school); /* E6: the school's; 0: there is none */

/* --- Inside a job --- */

bool room_schools_put(struct db *db, room_no room, school_no school); /* nothing new is no failure */
/* The room is no longer the school's; nothing there is no failure. */
bool room_schools_delete(struct db *db, room_no room, school_no school);
bool library_put(struct db *db, room_no room, school_no school); /* a room becomes the school's library */

/* A room that a person makes belongs to all schools the person is in (call right after the row in rooms exists, before
 * its invites are judged), and is of that kind with the creator as its owner; ROOM_DIRECT: between the creator and who
 * is let in first. A person of no school makes a room of no school, which stays ROOM_FREE. */
bool school_room_record(struct db *db, room_no room, user_no creator, enum room_kind kind);

/* A room that is not the roster's becomes of this kind, owned by that person (E5, E6, E8). owner 0: by the creator. */
bool school_room_set(struct db *db, room_no room, enum room_kind kind, user_no owner);

/* When somebody was invited, joined or knocked (and was allowed to), the room keeps only the schools that person is in
 * too, so that all who are in a room share a school, also where a guardian of two schools made it (A1). Roster rooms
 * stay as they are. */
bool school_room_narrow(struct db *db, room_no room, user_no user);

/* F2: the second of a direct chat is whoever is invited or joins first; for ever. */
bool school_room_pair(struct db *db, room_no room, user_no user);

/* An upgraded room takes over the schools, kind, owner, pair and named people of the old one; a roster room hands its
 * kind and members over as well (E1). */
bool school_room_replace(struct db *db, room_no old, room_no new);

#endif
