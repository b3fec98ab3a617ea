/* Receipts: how far each person has read, one row per (room, user, type, thread), the newest only (Client-Server API,
 * "Receipts"). thread: "" for an unthreaded receipt, "main", or the event id of a thread's root.
 *
 * m.read.private is its owner's alone: whoever reads receipts for a user says for whom, and gets no one else's. */
#ifndef PARTA_STORE_MATRIX_RECEIPTS_H
#define PARTA_STORE_MATRIX_RECEIPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct tx;

#define RECEIPT_READ "m.read"
#define RECEIPT_READ_PRIVATE "m.read.private"

struct receipt_row {
    room_no room;
    user_no user;
    const char *type, *thread, *event_id; /* borrowed until receipts_next or stmt_end */
    stream_pos event_pos;                 /* where the event is */
    int64_t ts;                           /* ms */
    stream_pos pos;                       /* of the receipt in the stream */
};

/* The next row of any of the statements below but receipts_rooms_changed. false: no more, or the database failed. */
bool receipts_next(struct stmt *q, struct receipt_row *row);

/* What viewer may see of the room's receipts that changed in (after, upto], in order of thread, event, type and user,
 * as /sync groups them. stmt_end after. */
struct stmt *receipts_changed(struct db *db, room_no room, user_no viewer, stream_pos after, stream_pos upto);

/* The same of all people, private ones too, for who decides by itself which are told
 * (appservice/recent_ephemeral.h). */
struct stmt *receipts_changed_all(struct db *db, room_no room, stream_pos after, stream_pos upto);
/* Rooms with a receipt that changed in (after, upto]: column 0, ascending, at most so many; reads all receipts. */
struct stmt *receipts_rooms_changed(struct db *db, stream_pos after, stream_pos upto, int64_t limit);

/* All of one user's receipts in a room, private ones too. stmt_end after. */
struct stmt *receipts_of_user(struct db *db, room_no room, user_no user);

/* The position of the newest receipt in a room, public or private; 0: none. */
stream_pos receipts_last(struct db *db, room_no room);

/* The position of the newest of the user's receipts in a room (not of the event it names); 0: none. */
stream_pos receipts_last_of_user(struct db *db, room_no room, user_no user);

/* Where the receipt's event is; 0: there is no such receipt. */
stream_pos receipts_event_pos(struct db *db, room_no room, user_no user, const char *type, const char *thread);

#define RECEIPT_THREADS_MAX                                                                                            \
    500 /* of one person in one room and type: the oldest go, a thread of long ago is read anew */

/* Inside a job: sets row, whose pos the caller has taken; queues CHANGE_RECEIPT. */
bool receipts_put(struct tx *tx, const struct receipt_row *row);
bool receipts_forget(struct tx *tx, room_no room, user_no user); /* an erasure (G4): nobody is told */

#endif
