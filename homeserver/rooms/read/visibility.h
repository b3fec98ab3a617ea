/* Who may see which event (Client-Server API, "Room History Visibility").
 *
 * What decides is the room's m.room.history_visibility and the asker's membership as they were at the event, and
 * whether they joined later. A struct visibility loads both histories once (two look-ups) and turns them into the runs
 * of positions that this person may see; then it answers for each event without the database. It is a picture of one
 * moment: make one per request.
 *
 * Beyond the specification's rules: who never joined sees only what is world readable, and to whom has forgotten the
 * room it is as if they had never been there. In school mode whoever is not joined is asked of the gate (rooms/gate.h,
 * ACT_SEE): to whom a room is not, or no longer, to be known (school.md A1, E7, G1), nothing of it is visible,
 * whatever they once read there. Every reading of a room's history or state goes by here: pages, single events,
 * relations, and /sync. */
#ifndef PARTA_ROOMS_READ_VISIBILITY_H
#define PARTA_ROOMS_READ_VISIBILITY_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/matrix/memberships.h"

struct db;
struct visibility;

/* user: 0: nobody; user_id: theirs, as in the state key of their member events. Blocks (reads). Never NULL. */
struct visibility *visibility_load(struct db *db, bool school_mode, room_no room, user_no user, const char *user_id);

/* The same of somebody whose membership (memberships.h) is at hand, as it is in the snapshot that db has open until
 * visibility_free: who is joined sees what came since, so that the histories are read only when
 * something before that is asked about. Whatever asks may then block (reads). Never NULL. */
struct visibility *visibility_of_row(struct db *db, bool school_mode, const struct membership_row *now,
                                     const char *user_id);
void visibility_free(struct visibility *visibility); /* NULL is accepted */

/* Whether the event at pos may be seen. pos is one of this room's. */
bool visibility_allows(const struct visibility *visibility, stream_pos pos);

/* Whether there is nothing to see, nor to be known. */
bool visibility_is_closed(const struct visibility *visibility);

/* Between which positions there is anything to see. false: nowhere, the room is closed to this person. */
bool visibility_range(const struct visibility *visibility, stream_pos *first, stream_pos *last);

/* The membership at a position (MEMBERSHIP_NONE before the first); after the event, if it is one of their own. */
enum membership visibility_membership_at(const struct visibility *visibility, stream_pos pos);
enum membership visibility_membership(const struct visibility *visibility); /* now; NONE once forgotten */

/* Where the last run of join that ended before that position (INT64_MAX: any) ended: that member event. 0: none did. */
stream_pos visibility_left_pos(const struct visibility *visibility, stream_pos before);

/* Whether somebody who is not in the room now ever was, or was invited, or knocked: else others made their membership
 * for them, by a ban. Blocks (reads, where they never joined). */
bool visibility_was_let_in(struct db *db, const struct membership_row *now, const char *user_id);

/* Which state of the room may be seen: INT64_MAX: the current one (joined, or world readable); a position: the state
 * when they left; 0: none. */
stream_pos visibility_state_pos(const struct visibility *visibility);

#endif
