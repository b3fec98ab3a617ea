/* Who is typing in which room (Client-Server API, "Typing Notifications"): in memory only.
 *
 * Each change of a room's list takes a position of the stream in a job of the writer (which writes nothing to disk), so
 * that it stands in order with everything else and wakes who is in the room. A client that goes silent is taken off the
 * list when its timeout ends, by a thread of this module. The list is set inside the job, before anybody can hear of
 * its position; whoever gathers an answer compares that position with the snapshot's, so that nothing is told too early
 * or twice. */
#ifndef PARTA_SYNC_TYPING_H
#define PARTA_SYNC_TYPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"

struct member_set;
struct rooms;
struct typing;
struct writer;

#define TYPING_TIMEOUT_MS 30000      /* when the client does not say */
#define TYPING_TIMEOUT_MAX_MS 120000 /* more is cut */

/* NULL: its thread could not be started; logged. */
struct typing *typing_create(struct writer *writer, struct rooms *rooms);
void typing_stop(struct typing *typing);    /* ends the thread: before the writer stops. NULL is accepted */
void typing_destroy(struct typing *typing); /* after the writer has stopped. NULL is accepted */

/* user types in the room for timeout_ms, or (0) no more. false: *e is ERROR_FORBIDDEN (not joined). Blocks (the
 * writer). */
bool typing_set(struct typing *typing, const char *room_id, user_no user, int64_t timeout_ms, struct error *e);

/* A room's list. */
struct typists {
    bool changed; /* there is news, even if nobody types any more */
    user_no *users;
    size_t n;
};
void typists_finish(struct typists *typists); /* frees the list and empties it */

/* The list, if it changed in (since, upto]; with since 0 if anybody is typing. Who is in unseen (NULL: nobody) is not
 * on it, and begins or ends without a change of it. out: empty; the caller finishes it. Never blocks for more than a
 * few instructions. */
void typing_changed(struct typing *typing, room_no room, stream_pos since, stream_pos upto,
                    const struct member_set *unseen, struct typists *out);

/* The same whatever its position, as the list is now. */
void typing_now(struct typing *typing, room_no room, struct typists *out);

#endif
