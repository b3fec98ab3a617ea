/* The events that relate to an event, directly or over others (Client-Server API, "Relationships API"). */
#ifndef PARTA_ROOMS_READ_RELATIONS_H
#define PARTA_ROOMS_READ_RELATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"

struct render;

#define RELATING_DEPTH 3   /* levels, when recursing */
#define RELATING_MAX 20000 /* events found at most */

struct relating {
    const char *rel_type;   /* NULL: any */
    const char *event_type; /* NULL: any */
    bool recurse;           /* what does not match leads nowhere further, either */
};

/* Positions of the events that relate to target_id and that the viewer of how may see: heap, ascending, unique.
 * Blocks. */
stream_pos *relating_find(const struct render *how, const char *target_id, const struct relating *wanted, size_t *n);

#endif
