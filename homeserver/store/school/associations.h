/* Rooms that teachers of several schools share (school.md E8): which schools have agreed, and the codes by which one
 * school asks another. */
#ifndef PARTA_STORE_SCHOOL_ASSOCIATIONS_H
#define PARTA_STORE_SCHOOL_ASSOCIATIONS_H

#include <stdbool.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/days.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

/* Whether the school is one of those that have agreed to the room (E8). */
bool associations_has(struct db *db, room_no room, school_no school);

/* The staff rooms of the schools that have agreed: room id. */
struct stmt *associations_staff_rooms(struct db *db, room_no room);

/* Who is joined or invited but has no current staff role in a school that has agreed: user_no. */
struct stmt *associations_strangers(struct db *db, room_no room, char day[DAY_TEXT_BYTES]); /* keeps day */

/* A school's association rooms: room_no, room id. */
struct stmt *associations_of_school(struct db *db, school_no school);

/* Inside a job. Agreeing and leaving also say that the room belongs to the school (A2). */
bool associations_put(struct tx *tx, room_no room, school_no school, const char *by);
bool associations_delete(struct tx *tx, room_no room, school_no school);
bool association_codes_put(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES], room_no room, int64_t expires_ms);
room_no association_codes_take(struct tx *tx,
                               const unsigned char hash[TOKEN_HASH_BYTES]); /* 0: unknown, used, expired */

/* Inside a job: none of the room's codes is good any more. */
bool association_codes_end(struct tx *tx, room_no room);

#endif
