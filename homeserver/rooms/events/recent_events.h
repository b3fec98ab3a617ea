/* The messages recorded last, as rows, for observers that pass them on without asking the database (the fast path of
 * /sync). State is not here: whoever passes it on needs more than its row. Filled by the event recorder when anybody
 * observes; see base/recent.h for what a miss means. */
#ifndef PARTA_ROOMS_EVENTS_RECENT_EVENTS_H
#define PARTA_ROOMS_EVENTS_RECENT_EVENTS_H

#include "homeserver/base/recent.h"
#include "homeserver/store/matrix/events.h"

/* Immutable; let go with recent_item_unref. */
struct recent_event {
    struct recent_item item;
    struct event_row row; /* strings and bytes live as long as the item; reference_hash is NULL */
    device_no device;     /* whose transaction it was */
    const char *txn_id;   /* NULL: none */
};

/* Copies the row of a message; txn_id: the sending device's transaction, or NULL. */
void recent_events_add(struct recent *recent, const struct event_row *row, device_no device, const char *txn_id);

/* A reference of the caller's; NULL: it is not here. Any thread. */
struct recent_event *recent_events_get(struct recent *recent, stream_pos pos);

#endif
