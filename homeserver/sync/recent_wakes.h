/* The wakes of the last moments, for polls that come back a moment late.
 *
 * Whoever was just answered is on the way back while the next group is committed: in a lively room most are. What they
 * missed was rendered for those who waited, and is kept here for as long as coming back takes. A few wakes, of some
 * bytes together, and not for long: what is taken out of a room is news itself (a redaction, leaving), so that it ends
 * what can be told from here; what no news tells of (an erasure) is gone from here as soon as a wake that was under
 * way.
 *
 * Added by the writer's thread, asked by any. */
#ifndef PARTA_SYNC_RECENT_WAKES_H
#define PARTA_SYNC_RECENT_WAKES_H

#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

#define RECENT_WAKES_MAX 16
#define RECENT_WAKES_MS 2000
#define RECENT_WAKES_BYTES (4u << 20)

struct recent_wakes;
struct wake;

struct recent_wakes *recent_wakes_create(void);
void recent_wakes_destroy(struct recent_wakes *recent); /* NULL is accepted */

/* With a reference of its own. One that is larger than all may be is not kept. */
void recent_wakes_add(struct recent_wakes *recent, struct wake *wake, int64_t now_ms);

/* All that concerns the user after since, up to their last change, in order: references of the caller's,
 * RECENT_WAKES_MAX at most. 0: not all of it is here (any more, or yet). */
size_t recent_wakes_since(struct recent_wakes *recent, user_no user, stream_pos since, stream_pos last_change,
                          int64_t now_ms, struct wake **out);

#endif
