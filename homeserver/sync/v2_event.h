/* Events in today's JSON, as the filter wants them: its fields, its format ("Filtering":
 * event_fields, event_format). */
#ifndef PARTA_SYNC_V2_EVENT_H
#define PARTA_SYNC_V2_EVENT_H

#include "homeserver/sync/gather.h"
#include "homeserver/base/text.h"

struct event_row;
struct visibility;

/* Appends an event of the timeline, with what belongs to it (aggregations, the reader's membership), or one of the
 * state: visibility NULL. related: something may relate to it; else nothing is looked for. Blocks (reads). */
void v2_add_event(struct text *out, struct sync_gather *gather, const struct event_row *row,
                  const struct visibility *visibility, bool related);

#endif
