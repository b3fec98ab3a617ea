/* A wake: what one group of writes has for whom, as the hub (sync/hub.h) tells it to every loop. */
#ifndef PARTA_SYNC_WAKE_H
#define PARTA_SYNC_WAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"

/* One thing that one user of a wake is to hear of. */
struct wake_item {
    user_no user;
    int room; /* index of wake->rooms; −1: something of the user's own, which the shared fragments do not tell */
};

/* A room that changed in the group. */
struct wake_room {
    room_no room;
    unsigned kinds;          /* what changed: bits 1 << enum change_kind */
    stream_pos before_event; /* the room's last event before this group */
};

/* One group's news. Immutable but for its end, counted. */
struct wake {
    _Atomic int refs;
    _Atomic bool ended;   /* something that the fragments tell was taken from its event: nobody is answered from them */
    stream_pos first_pos; /* the group's first */
    stream_pos pos;       /* everything up to here is committed */
    size_t n_users;
    user_no *users;     /* sorted, unique: who has something new */
    stream_pos *before; /* beside users: the user's last change before this group */
    size_t *first; /* beside users, n_users + 1 of them: their items are items[first[i]] … items[first[i + 1] − 1] */
    struct wake_item *items;
    size_t n_rooms;
    struct wake_room *rooms;
    void *fragments; /* what the fast path splices (sync/fast_path.h), or NULL */
    size_t bytes;    /* of them, about */
    void (*release_fragments)(void *fragments);
};

struct wake *wake_ref(struct wake *wake); /* one more; returns it. Any thread */
void wake_unref(struct wake *wake);       /* NULL is accepted */
/* Whether there is anything in it for the user. */
bool wake_concerns(const struct wake *wake, user_no user);

bool wake_has(const struct wake *wake, stream_pos pos); /* it is of this group */

/* Where the user stands in wake->users; −1: nowhere. */
ptrdiff_t wake_find(const struct wake *wake, user_no user);

#endif
