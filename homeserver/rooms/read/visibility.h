/* Who may see which event (Client-Server API, "Room History Visibility").
 *
 * What decides is the room's m.room.history_visibility and the asker's membership as they were at the event, and
 * whether they joined later. A struct visibility loads both histories once (two look-ups) and turns them into the runs
 * of positions that this person may see; then it answers for each event without the database. It is a picture of one
 * moment: make one per request.
 *
 * Beyond the specification's rules: who never joined sees only what is world readable, and to whom has forgotten the
 * room it is as if they had never been there. School mode's rule that nobody outside a school learns of its rooms
 * (school.md A1) is the gate's (rooms/gate.h), asked beside. */
#ifndef PARTA_ROOMS_READ_VISIBILITY_H
#define PARTA_ROOMS_READ_VISIBILITY_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/matrix/memberships.h"

struct db;
struct visibility;

/* user_id: the user's, as in the state key of their member events. Blocks (reads). Never NULL. */
struct visibility *visibility_load(struct db *db, room_no room, user_no user, const char *user_id);
void visibility_free(struct visibility *visibility); /* NULL is accepted */

/* Whether the event at pos may be seen. pos is one of this room's. */
bool visibility_allows(const struct visibility *visibility, stream_pos pos);

/* Between which positions there is anything to see. false: nowhere, the room is closed to this person. */
bool visibility_range(const struct visibility *visibility, stream_pos *first, stream_pos *last);

/* The membership at a position (MEMBERSHIP_NONE before the first); after the event, if it is one of their own. */
enum membership visibility_membership_at(const struct visibility *visibility, stream_pos pos);
enum membership visibility_membership(const struct visibility *visibility); /* now; NONE once forgotten */

/* Which state of the room may be seen: INT64_MAX: the current one (joined, or world readable); a position: the state
 * when they left; 0: none. */
stream_pos visibility_state_pos(const struct visibility *visibility);

#endif
