/* The wakes of the last moments, for polls that come back a moment late.
 *
 * Whoever was just answered is on the way back while the next group is committed: in a lively room most are. What they
 * missed was rendered for those who waited, and is kept here for as long as coming back takes. A few wakes, of some
 * bytes together, and not for long. Who leaves has news of their own, which ends what can be told from here; what is
 * taken from an event (a redaction, an erasure, of which there is no news) ends the wake that told it: also for those
 * to whom it is still under way, a worker answers.
 *
 * Added and ended by the writer's thread, asked by any. */
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

struct recent_wakes *recent_wakes_create(void);         /* empty, never NULL */
void recent_wakes_destroy(struct recent_wakes *recent); /* NULL is accepted */

/* With a reference of its own. One that is larger than all may be is not kept. */
void recent_wakes_add(struct recent_wakes *recent, struct wake *wake, int64_t now_ms);

/* What the event at that position says was taken from it: the wake that told it is kept no more, and nobody is answered
 * from it (wake.h, ended). */
void recent_wakes_end(struct recent_wakes *recent, stream_pos event);

/* All that concerns the user after since, up to their last change, in order: references of the caller's,
 * RECENT_WAKES_MAX at most. 0: not all of it is here (any more, or yet). */
size_t recent_wakes_since(struct recent_wakes *recent, user_no user, stream_pos since, stream_pos last_change,
                          int64_t now_ms, struct wake **out);

#endif
