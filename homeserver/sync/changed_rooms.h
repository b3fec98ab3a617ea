/* Which rooms changed lately: the end of the stream by room, so that whoever asks what is new since a moment ago looks
 * at the rooms that changed, and not at each room of theirs. Bounded: of what is longer ago it says that it does not
 * know. One thread notes, any asks; neither waits for more than some hundred instructions. */
#ifndef PARTA_SYNC_CHANGED_ROOMS_H
#define PARTA_SYNC_CHANGED_ROOMS_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"

#define CHANGED_ROOMS_NOTED 1024 /* changes */
#define CHANGED_ROOMS_MAX 64     /* rooms that an answer names */

struct changed_rooms;

struct changed_rooms *changed_rooms_create(stream_pos start); /* start: nothing is known of what was before */
void changed_rooms_destroy(struct changed_rooms *rooms);      /* NULL is accepted */

/* pos never falls. */
void changed_rooms_note(struct changed_rooms *rooms, room_no room, stream_pos pos);

/* The rooms of which something was noted after since, ascending, each once: *n of them into out. false: since is too
 * long ago, or they are too many. */
bool changed_rooms_since(struct changed_rooms *rooms, stream_pos since, room_no out[CHANGED_ROOMS_MAX], size_t *n);

#endif
