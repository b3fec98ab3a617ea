/* event_fields of a filter (Client-Server API, "Filtering"): an event with only the properties that some paths name.
 *
 * Cut out of the event's text in one walk over it: whoever asks for a field of long events would else have each parsed
 * whole, which costs ten times what sending it does. The walk compares a key with few of the paths (they are sorted, as
 * keys mostly are), and goes into an object only where a path does. */
#ifndef PARTA_ROOMS_READ_EVENT_FIELDS_H
#define PARTA_ROOMS_READ_EVENT_FIELDS_H

#include <stddef.h>

#include "homeserver/base/text.h"

struct event_fields;

/* Of n dot-separated paths (base/json_path.h). The caller destroys it. */
struct event_fields *event_fields_create(char *const *paths, size_t n);
void event_fields_destroy(struct event_fields *fields); /* NULL is accepted */

/* Appends what is left of the event, "{}" if nothing is; a path that leads through what is no object names nothing.
 * event: valid JSON whose keys are written as canonical JSON writes them. */
void event_fields_pick(const struct event_fields *fields, const char *event, size_t len, struct text *out);

#endif
