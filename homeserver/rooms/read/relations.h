/* The events that relate to an event, directly or over others (Client-Server API, "Relationships API"). */
#ifndef PARTA_ROOMS_READ_RELATIONS_H
#define PARTA_ROOMS_READ_RELATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"

struct render;

#define RELATIONS_QUERY_DEPTH 3   /* levels, when recursing */
#define RELATIONS_QUERY_MAX 20000 /* events found at most */

struct relations_query {
    const char *rel_type;   /* NULL: any */
    const char *event_type; /* NULL: any */
    bool recurse;           /* what does not match leads nowhere further, either */
};

/* Positions of the events that relate to target_id and that the viewer of how may see: heap, ascending, unique.
 * Blocks. */
stream_pos *relations_query_run(const struct render *how, const char *target_id, const struct relations_query *wanted,
                                size_t *n);

#endif
