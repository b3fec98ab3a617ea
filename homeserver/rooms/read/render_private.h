/* For render.c and render_aggregate.c alone: bundled aggregations, what the events that relate to an event come to
 * (Client-Server API, "Aggregations of child events"): its newest valid edit (m.replace), its thread (m.thread), the
 * events that refer to it (m.reference). */
#ifndef PARTA_ROOMS_READ_RENDER_PRIVATE_H
#define PARTA_ROOMS_READ_RENDER_PRIVATE_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct event_row;
struct render;

/* Appends `,"m.relations":{…}` if there is something to say, else nothing. Reads through how->db. */
void render_add_aggregations(struct text *out, const struct render *how, const struct event_row *row);

#endif
