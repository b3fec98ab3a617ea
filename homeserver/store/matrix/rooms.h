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
bool rooms_next(struct stmt *q, struct room_row *row);
struct stmt *rooms_get(struct db *db, room_no room);
struct stmt *rooms_published(struct db *db); /* by room number */

/* Aliases: whole ("#name:server"). */
room_no aliases_find(struct db *db, const char *alias, user_no *creator); /* 0: unknown; creator may be NULL */
struct stmt *aliases_of_room(struct db *db, room_no room);                /* column 0: alias */

/* Inside a job. */
room_no rooms_insert(struct tx *tx, const char *room_id, const char *version, user_no creator); /* 0: failed */
bool rooms_set_id(struct tx *tx, room_no room, const char *room_id); /* room version 12: known after its create event */
bool rooms_set_published(struct tx *tx, room_no room, bool published);
bool aliases_insert(struct tx *tx, const char *alias, room_no room, user_no creator); /* false: taken */
bool aliases_delete(struct tx *tx, const char *alias);
bool aliases_forget(struct tx *tx, user_no creator);        /* an erasure (G4): those that the person made */
bool aliases_move(struct tx *tx, room_no from, room_no to); /* all of them */

#endif
