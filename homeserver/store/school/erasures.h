/* Erasures under way (school.md G4), and what they take away. */
#ifndef PARTA_STORE_SCHOOL_ERASURES_H
#define PARTA_STORE_SCHOOL_ERASURES_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

struct erasure {
    user_no user;
    room_no room;   /* how far it is: rooms before this one are done, */
    stream_pos pos; /* and events of this one up to here */
};

bool erasures_open(struct db *db, struct erasure *out); /* the oldest that is not done; false: none */
bool erasures_is_done(struct db *db, user_no user);

bool erasures_roster_keeps(struct db *db, user_no user); /* the next import would bring the person back */
school_no erasures_school(struct db *db, user_no user);  /* one in which the person still has a role; 0: none */

/* The next room that the person ever had to do with, from `from` on; 0: none. */
room_no erasures_room(struct db *db, user_no user, room_no from);

/* Their events in it that still say something (messages, and names in their member events), beyond pos: pos, event id,
 * type, state key. */
struct stmt *erasures_events(struct db *db, room_no room, user_no user, stream_pos after, int limit);

/* Inside a job. */
bool erasures_begin(struct tx *tx, user_no user, const char *author); /* false: it was begun already */
bool erasures_advance(struct tx *tx, const struct erasure *erasure);

/* Takes away the person's name, birth date, sourcedId, contacts, applications' data and notes of the roster. The rows
 * stay: what others did with this person must stay told. Marks the erasure as done. */
bool erasures_finish(struct tx *tx, user_no user);

#endif
