/* Whom the roster holds in the rooms that it keeps: worked out from roles, enrollments and guardianships once a change
 * and kept in the same transaction. E2 says that the joined members of these rooms are exactly these rows. Rows and
 * writing as schools.h says. */
#ifndef PARTA_STORE_SCHOOL_ROSTER_MEMBERS_H
#define PARTA_STORE_SCHOOL_ROSTER_MEMBERS_H

#include <stdbool.h>

#include "homeserver/base/days.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct roster_member_row {
    room_no room;
    user_no user;
    int power; /* by post (E3); 0: an ordinary member */
};

/* Of everybody, by room and user; of one room, of one person: that costs what the person has. */
struct stmt *roster_members_all(struct db *db);
struct stmt *roster_members_in(struct db *db, room_no room);
struct stmt *roster_members_of(struct db *db, user_no user);

/* What there should be on that day (E1), of everybody (user 0) or of one: in no order; who is in a room for several
 * reasons comes several times, and the greatest power counts. Keeps buffer. */
struct stmt *roster_members_wanted(struct db *db, school_day day, user_no user, char buffer[DAY_TEXT_BYTES]);

/* Where E2 does not hold yet: whom the roster holds but the room does not have, and the other way round. By room; of
 * everybody (user 0) or of one. */
struct stmt *roster_members_to_join(struct db *db, user_no user);
struct stmt *roster_members_to_leave(struct db *db, user_no user);
bool roster_members_next(struct stmt *q, struct roster_member_row *row);

struct stmt *roster_members_powers(struct db *db, room_no room); /* who has power by post: localpart, power */

/* Inside a job. */
bool roster_members_put(struct db *db, const struct roster_member_row *row); /* inserted, or its power changed */
bool roster_members_delete(struct db *db, room_no room, user_no user);

/* E7: external staff are in the rooms that they are named for. Inside a job. */
bool named_members_put(struct db *db, room_no room, user_no user);
bool named_members_delete(struct db *db, room_no room, user_no user);

#endif
