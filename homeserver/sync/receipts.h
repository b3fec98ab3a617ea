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
#include "homeserver/base/text.h"

struct db;
struct recent;
struct rooms;
struct user_names;
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

/* Appends the m.receipt events, separated by commas, of what viewer may see of the room's receipts that changed in
 * (since, upto]: one event a thread. false: there is nothing. Blocks (a read). */
bool receipts_add(struct db *db, struct user_names *names, room_no room, user_no viewer, stream_pos since,
                  stream_pos upto, struct text *out);

/* The same of rows at hand, which are brought into order here; of two for one (user, type, thread) the later one
 * counts. names have those users in memory. */
struct receipt_row;
void receipts_add_rows(struct text *out, struct user_names *names, struct receipt_row *rows, size_t n);

#endif
