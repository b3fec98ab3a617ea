/* Erasures (school.md G4): whose, and how far. What they take away is each aggregate's own (…_forget). */
#ifndef PARTA_STORE_SCHOOL_ERASURES_H
#define PARTA_STORE_SCHOOL_ERASURES_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

struct erasure_row {
    user_no user;
    room_no room;   /* how far it is: rooms before this one are done, */
    stream_pos pos; /* and events of this one up to here */
    bool left;      /* the second time: the person is in no room and no record any more */
};

bool erasures_open(struct db *db, struct erasure_row *out); /* the oldest that is not done; false: none */
/* Whether the person was erased, to the end. false: not yet, or nobody asked for it. */
bool erasures_is_done(struct db *db, user_no user);

/* When the last of those was done whose traces may still be in the files; 0: there is none. */
int64_t erasures_unscrubbed_ms(struct db *db);

/* The next room that the person ever had to do with, from `from` on; 0: none. */
room_no erasures_room(struct db *db, user_no user, room_no from);

/* Inside a job. */
bool erasures_begin(struct tx *tx, user_no user, const char *author); /* false: it was begun already */
bool erasures_advance(struct tx *tx, const struct erasure_row *row);
bool erasures_leave(struct tx *tx, user_no user); /* left, and from the first room on again */
bool erasures_finish(struct tx *tx, user_no user);
bool erasures_scrubbed(struct tx *tx, int64_t done_ms); /* those that were done by then */

#endif
