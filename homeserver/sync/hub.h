/* The hub: who must be woken, and since when there is nothing new for whom.
 *
 * The writer's observer (hub_observe) turns the changes of a group into one struct wake: the highest position and the
 * people concerned, as each kind of change was declared to concern them (hub_concern, by the sections of /sync). Before
 * anything else it raises each concerned user's last change, an atomic number in memory; then it hands the wake to
 * every loop. A loop parks a /sync when hub_last_change(user) <= since. Because the number rises before the wake is
 * posted and the loop looks at the number before it parks, no change falls between the two.
 *
 * After a start the stream begins beyond every position handed out before (see writer.h), so a user of whom nothing is
 * known yet has changed "at the start". The same numbers are kept per room: what has not changed since a token needs no
 * look-up in the database. They are true for everything up to hub_pos, which trails the commit by an instant. */
#ifndef PARTA_SYNC_HUB_H
#define PARTA_SYNC_HUB_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/sync/changed_rooms.h"

struct member_set;
struct sync_hub;
struct wake;

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

/* One group's news. Immutable, counted. */
struct wake {
    _Atomic int refs;
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
    void (*release_fragments)(void *fragments);
};

struct wake *wake_ref(struct wake *wake);
void wake_unref(struct wake *wake); /* NULL is accepted */
bool wake_concerns(const struct wake *wake, user_no user);

/* Where the user stands in wake->users; −1: nowhere. */
ptrdiff_t wake_find(const struct wake *wake, user_no user);

/* start: the stream's position now (writer_pos). */
struct sync_hub *hub_create(stream_pos start);
void hub_destroy(struct sync_hub *hub); /* after the writer has stopped; NULL is accepted */

/* A loop's ear. Called on the writer's thread (or whoever changes what is only in memory): must only pass the wake on
 * to the loop, with a reference of its own, and return. */
typedef void hub_listener(void *self, struct wake *wake);
void hub_listen(struct sync_hub *hub, hub_listener *fn, void *self); /* before the first change */

/* Called for each wake before anybody sees it, to fill in its fragments. Writer's thread. Set
 * before the first change. */
typedef void hub_preparer(void *self, struct wake *wake, const struct change *changes, size_t n);
void hub_prepare(struct sync_hub *hub, hub_preparer *fn, void *self);

/* Whom changes of a kind concern; without it they wake nobody. Several calls for one kind add up. Before the first
 * change. */
enum hub_concerns {
    HUB_USER = 1,   /* the change's user: something of their own, which is never answered from fragments */
    HUB_ROOM = 2,   /* the change's room and, unless it is private, the audience that it has there */
    HUB_OTHERS = 4, /* the audience, as something of each one's own */
};
void hub_concern(struct sync_hub *hub, enum change_kind kind, unsigned concerns);

/* The audience of a change (HUB_ROOM, HUB_OTHERS): who is joined to its room, who shares a room with its user. A
 * reference of the caller's; NULL: it could not be found out, so that everybody may be. Asked on the thread that
 * observes, once a room and group. Set before the first change; without it nobody else is concerned. */
typedef struct member_set *hub_audience(void *self, const struct change *change);
void hub_ask(struct sync_hub *hub, hub_audience *fn, void *self);

/* The position of the user's last change. Any thread, never blocks. */
stream_pos hub_last_change(const struct sync_hub *hub, user_no user);

/* The same of the user's global account data (push rules, whom they ignore) alone. */
stream_pos hub_last_own_data(const struct sync_hub *hub, user_no user);

/* The same of what end-to-end encryption tells them: device lists, messages to devices, keys that run out; at least:
 * what came in one group with such a thing may count as one. */
stream_pos hub_last_keys(const struct sync_hub *hub, user_no user);

/* The same of a room: its events, receipts, typing; and of its events alone. */
stream_pos hub_room_last_change(const struct sync_hub *hub, room_no room);
stream_pos hub_room_last_event(const struct sync_hub *hub, room_no room);

/* The rooms in which something changed after since, whomever it concerned, as changed_rooms_since has them. */
bool hub_rooms_since(const struct sync_hub *hub, stream_pos since, room_no out[CHANGED_ROOMS_MAX], size_t *n);

/* Everything up to here is in the numbers above. */
stream_pos hub_pos(const struct sync_hub *hub);

/* The writer's observer. */
void hub_observe(void *self, const struct change *changes, size_t n);

#endif
