/* A page of a room's events, forwards or backwards, as one person may read it.
 *
 * A token (rooms/read/token.h) stands behind the event at its position. A page reads the events in (after, upto], which
 * belong to the tokens around it, and its end is the token from which the next page goes on, so that pages neither
 * repeat nor skip an event. */
#ifndef PARTA_ROOMS_READ_TIMELINE_H
#define PARTA_ROOMS_READ_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct event_filter;
struct event_row;
struct render;

#define TIMELINE_SCAN_MAX 5000 /* events looked at for one page, for a filter that lets few through */

struct timeline_wanted {
    room_no room;
    bool backwards;
    stream_pos after, upto; /* the events in (after, upto] */
    size_t limit;
    const struct event_filter *filter; /* NULL: all */
};

struct timeline {
    struct event_row **rows; /* heap copies, in the order of reading */
    size_t n;
    stream_pos end; /* where the next page goes on: its token */
    bool more;      /* there is, or may be, a next page */
};

/* Reads a page through how->db; what how->visibility hides and how->ignored ignores is left out. Blocks. */
void timeline_read(struct timeline *timeline, const struct render *how, const struct timeline_wanted *wanted);
void timeline_finish(struct timeline *timeline);

/* Appends the events as a JSON array. */
void timeline_render(struct text *out, const struct render *how, const struct timeline *timeline);

/* Appends the member events of the senders of rows, as they were at pos, as a JSON array ("Lazy-loading room
 * members"). */
void timeline_render_senders(struct text *out, const struct render *how, room_no room, struct event_row *const *rows,
                             size_t n, stream_pos pos);

/* Whether a filter lets the event through. NULL lets everything. */
bool timeline_wants(const struct render *how, const struct event_filter *filter, const struct event_row *row);

/* Appends the room's state at pos (INT64_MAX: now) as a JSON array, as far as filter lets it through; with its
 * lazy_load_members only the member events of the senders of rows and of the viewer. filter NULL: all of it. */
void timeline_render_state(struct text *out, const struct render *how, room_no room, stream_pos pos,
                           const struct event_filter *filter, struct event_row *const *rows, size_t n);

#endif
