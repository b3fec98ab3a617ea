/* Bundled aggregations: what the events that relate to an event come to (Client-Server API, "Aggregations of child
 * events"): its newest valid edit (m.replace), its thread (m.thread), the events that refer to it (m.reference). */
#ifndef PARTA_ROOMS_READ_AGGREGATE_H
#define PARTA_ROOMS_READ_AGGREGATE_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct event_row;
struct relation;
struct render;

/* Appends `,"m.relations":{…}` if there is something to say, else nothing. Reads through how->db. */
void aggregate_add(struct text *out, const struct render *how, const struct event_row *row);

/* Whether the viewer may know of that relation: they see the event and do not ignore its sender. */
bool aggregate_counts(const struct render *how, const struct relation *relation);

#endif
