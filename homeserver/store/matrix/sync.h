/* Questions that only /sync asks, across aggregates, so that an answer costs few look-ups. */
#ifndef PARTA_STORE_MATRIX_SYNC_H
#define PARTA_STORE_MATRIX_SYNC_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/memberships.h"

/* The position of the newest event of all. Events and what follows from them (state, memberships) are in a snapshot
 * exactly up to here. 0: there are no events. */
stream_pos sync_last_event(struct db *db);

/* One of the user's rooms. */
struct sync_room {
    struct membership_row membership;
    const char *room_id; /* borrowed until the next row or stmt_end */
};

/* Every room in which the user has or had a membership, by room. stmt_end after. */
struct stmt *sync_rooms(struct db *db, user_no user);
bool sync_rooms_next(struct stmt *q, struct sync_room *room);

/* The room's first people other than user: joined and invited by the position of their member event; when there are
 * none, those who left or are banned ("m.heroes"). At most n into out; returns how many. */
size_t sync_heroes(struct db *db, room_no room, user_no user, user_no *out, size_t n);

/* Everybody who is joined to a room together with the user, and not the user: heap, ascending, *n of them. */
user_no *sync_neighbours(struct db *db, user_no user, size_t *n);

/* Whether memberships, or what names the room, changed in (after, upto]. */
struct sync_news {
    bool members; /* m.room.member */
    bool name;    /* m.room.name, m.room.canonical_alias */
};
struct sync_news sync_room_news(struct db *db, room_no room, stream_pos after, stream_pos upto);

#endif
