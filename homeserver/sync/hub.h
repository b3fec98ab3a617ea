/* The hub: who must be woken, and since when there is nothing new for whom.
 *
 * The writer's observer (hub_observe) turns the changes of a group into one struct wake: the highest position and the
 * people concerned, as each kind of change was declared to concern them (hub_concern, by the sections of /sync). It
 * raises each concerned user's last change, an atomic number in memory; then it hands the wake to every loop. A loop
 * parks a /sync when hub_last_change(user) <= since. Because the number rises before the wake is posted and the loop
 * looks at the number before it parks, no change falls between the two.
 *
 * After a start the stream begins beyond every position handed out before (see writer.h), so a user of whom nothing is
 * known yet has changed "at the start". The same numbers are kept per room: what has not changed since a token needs no
 * look-up in the database. Rooms' are found out from it by whoever asks first (hub_learn_room), so that a school that
 * comes back after a start looks at the rooms that have news, and not at all of everybody's. They are true for
 * everything up to hub_pos, which trails the commit by an instant. */
#ifndef PARTA_SYNC_HUB_H
#define PARTA_SYNC_HUB_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/sync/changed_rooms.h"
#include "homeserver/sync/wake.h"

struct member_set;
struct sync_hub;

/* start: the stream's position now (writer_pos). */
struct sync_hub *hub_create(stream_pos start);
void hub_destroy(struct sync_hub *hub); /* after the writer has stopped; NULL is accepted */

/* A loop's ear. Called on the writer's thread (or whoever changes what is only in memory): must only pass the wake on
 * to the loop, with a reference of its own, and return. */
typedef void hub_listener(void *self, struct wake *wake);
void hub_listen(struct sync_hub *hub, hub_listener *fn, void *self); /* before the first change */

/* Called for each wake for which somebody waits (hub_waits), before anybody sees it, to fill in its fragments and their
 * bytes. Writer's thread. Set before the first change. */
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

/* The same of device lists alone, of which a start need not be the last change. Whoever is first to ask is asked by
 * hub_ask_lists (true, once) to look up when the last one up to *start was, whomever it concerned, and to say it. */
stream_pos hub_last_lists(const struct sync_hub *hub, user_no user);
bool hub_ask_lists(struct sync_hub *hub, stream_pos *start);
void hub_learn_lists(struct sync_hub *hub, stream_pos pos);

/* A room of which nothing is known since the start: whoever looks up its last change (an event or a receipt) says it,
 * once for all. It counts if nothing has changed meanwhile, and of a number that the room has alone. Any thread. */
bool hub_knows_room(const struct sync_hub *hub, room_no room);
void hub_learn_room(struct sync_hub *hub, room_no room, stream_pos pos);

/* The same of a room: its events, receipts, typing; and of its events alone. */
stream_pos hub_room_last_change(const struct sync_hub *hub, room_no room);
stream_pos hub_room_last_event(const struct sync_hub *hub, room_no room);

/* The rooms in which something changed after since, whomever it concerned, as changed_rooms_since has them. */
bool hub_rooms_since(const struct sync_hub *hub, stream_pos since, room_no out[CHANGED_ROOMS_MAX], size_t *n);

/* The user waits for news, or is expected to, until then (clock_mono_ms): what many get in the same words is made ready
 * for them. Any thread, never blocks. */
void hub_waits(struct sync_hub *hub, user_no user, int64_t until_ms);

/* The wakes that the user missed after since, up to now, in order, RECENT_WAKES_MAX at most (sync/recent_wakes.h): each
 * a reference of the caller's. 0: a worker must look. Any thread, never blocks. */
size_t hub_missed(struct sync_hub *hub, user_no user, stream_pos since, struct wake **out);

/* Everything up to here is in the numbers above. */
stream_pos hub_pos(const struct sync_hub *hub);

/* The writer's observer. */
void hub_observe(void *self, const struct change *changes, size_t n);

#endif
