/* Roster rooms: the rooms that the roster keeps (E1), and those that it kept in earlier years (G3). Rows and writing as
 * schools.h says. */
#ifndef PARTA_STORE_SCHOOL_ROSTER_ROOMS_H
#define PARTA_STORE_SCHOOL_ROSTER_ROOMS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"
#include "policy/rules/words.h"

#define SERVICE_LOCALPART "parta" /* the server's own service user, who makes them (E3) */

struct roster_room_row {
    room_no room;
    enum room_kind kind;
    school_no school;
    class_no class; /* 0: of the whole school */
};

room_no roster_rooms_find(struct db *db, school_no school, class_no class, enum room_kind kind); /* 0: there is none */

/* What a room's power levels say of what the school's policy decides: the power that starting a poll needs (F4; −1:
 * they say nothing), and that turning encryption on needs (E9). */
struct roster_room_levels {
    int polls, encryption;
};

/* Rooms and their levels; school 0: of all. One row at a time; stmt_end after. */
struct stmt *roster_rooms_levels(struct db *db, school_no school);
bool roster_rooms_next_levels(struct stmt *q, struct roster_room_row *row, struct roster_room_levels *levels);

/* Inside a job. */
bool roster_rooms_set_levels(struct db *db, room_no room, const struct roster_room_levels *levels);
bool roster_rooms_put(struct db *db, const struct roster_room_row *row); /* with its row in room_schools */
/* G3: the roster keeps the room no more; it stays its school's. */
bool roster_rooms_archive(struct db *db, room_no room, int64_t now_ms);

#endif
