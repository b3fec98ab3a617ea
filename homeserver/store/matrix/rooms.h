/* Rooms, their aliases and the directory. */
#ifndef PARTA_STORE_MATRIX_ROOMS_H
#define PARTA_STORE_MATRIX_ROOMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

struct room_row {
    room_no room;
    const char *room_id; /* borrowed from the statement */
    const char *version;
    user_no creator;
    bool published;
};

room_no rooms_by_id(struct db *db, const char *room_id); /* 0: unknown */
char *rooms_id_of(struct db *db, room_no room);          /* heap, or NULL */
room_no rooms_owned(struct db *db, user_no owner,
                    const char *kind); /* the first of this kind (school.md E5, E6); 0: none */
/* The next row of rooms_get (one or none) and rooms_published; stmt_end after. false: no more, or the database
 * failed. */
bool rooms_next(struct stmt *q, struct room_row *row);
struct stmt *rooms_get(struct db *db, room_no room);
struct stmt *rooms_published(struct db *db); /* by room number */

/* Aliases: whole ("#name:server"). They are names inside a school (A1): rooms of different schools may have the same,
 * so that nobody learns by a name that is taken what others have. Who looks one up gets the first that they may see
 * (rooms/read/directory.h). */
struct stmt *aliases_rooms(struct db *db, const char *alias);            /* column 0: room, ascending */
user_no aliases_creator(struct db *db, const char *alias, room_no room); /* 0: it is not that room's alias */
struct stmt *aliases_of_room(struct db *db, room_no room);               /* column 0: alias */
struct stmt *aliases_of_creator(struct db *db, user_no creator);         /* column 0: alias, 1: room; stmt_end after */

/* Inside a job. */
room_no rooms_insert(struct tx *tx, const char *room_id, const char *version, user_no creator); /* 0: failed */
bool rooms_set_id(struct tx *tx, room_no room, const char *room_id); /* room version 12: known after its create event */
bool rooms_set_published(struct tx *tx, room_no room, bool published);
bool aliases_forget(struct tx *tx, user_no creator); /* an erasure (G4): those that the person made */
bool aliases_insert(struct tx *tx, const char *alias, room_no room,
                    user_no creator); /* false: taken, in a school of the room's */
bool aliases_delete(struct tx *tx, const char *alias, room_no room);
bool aliases_move(struct tx *tx, room_no from, room_no to); /* all of them */

#endif
