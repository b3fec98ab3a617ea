/* Marking as read (Client-Server API, "Receipts", "Read and unread markers").
 *
 * A mark only moves forwards: one on an earlier event than the mark of the same kind and thread is accepted and changes
 * nothing, so that unread counts never rise because a slow client speaks late. */
#ifndef PARTA_SYNC_RECEIPTS_H
#define PARTA_SYNC_RECEIPTS_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/matrix/receipts.h"

struct db;
struct member_set;
struct recent;
struct rooms;
struct writer;

/* What one request sets; NULL: not this one. */
struct marks {
    const char *room_id;
    user_no user;
    const char *read, *read_private, *fully_read; /* event ids */
    const char *thread;                           /* of read and read_private; NULL: unthreaded */
};

/* All or nothing. recent: where the receipts are kept for the fast path (sync/recent_receipts.h). false: *e is
 * ERROR_FORBIDDEN (not joined), ERROR_NOT_FOUND (no such event in the room) or ERROR_INVALID_PARAM (the event is not of
 * that thread). Blocks (the writer). */
bool receipts_mark(struct writer *writer, struct rooms *rooms, struct recent *recent, const struct marks *marks,
                   struct error *e);

/* Receipts with strings of their own. */
struct receipt_rows {
    struct receipt_row *rows;
    size_t n, cap;
};
void receipt_rows_add(struct receipt_rows *rows, const struct receipt_row *row); /* copies */
void receipt_rows_finish(struct receipt_rows *rows);                             /* frees the rows and empties it */

/* Brings rows from several changes into the order of receipts_gather; of two for one (user, type, thread) only the
 * later one stays. */
void receipt_rows_settle(struct receipt_rows *rows);

/* Takes away whose receipts they are. users NULL: nobody's. The order stays. */
void receipt_rows_leave_out(struct receipt_rows *rows, const struct member_set *users);

/* What viewer may see of the room's receipts that changed in (since, upto], in order of thread, event, type and user.
 * out: empty; the caller finishes it. Blocks (a read). */
void receipts_gather(struct db *db, room_no room, user_no viewer, stream_pos since, stream_pos upto,
                     struct receipt_rows *out);

#endif
