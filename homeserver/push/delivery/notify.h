/* A request to a push gateway as text, and its answer (Push Gateway API, "POST /_matrix/push/v1/notify"). Pure. */
#ifndef PARTA_PUSH_DELIVERY_NOTIFY_H
#define PARTA_PUSH_DELIVERY_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/text.h"

struct pusher_row;

/* The members of a notification that are of the event alone, each with a comma behind. */
void notify_event(struct text *out, const char *event_id, const char *room_id);

/* Appends a device, with a comma before it unless it is the first. full: it is left open for its tweaks, and ends with
 * a NUL. */
void notify_device(struct text *out, const struct pusher_row *pusher, bool full);

struct notify {
    const char *event; /* notify_event; NULL: the count alone */
    bool high;         /* it may wake a phone that sleeps */
    int64_t unread;
    const struct text *devices;
    const char *tweaks; /* JSON object for devices that are open; NULL: none is */
};
/* Appends the whole body. A count of 0 is left out, as the specification asks; "prio" is always said. */
void notify_render(struct text *out, const struct notify *notify);

/* Calls fn with every key that the gateway says is no more. false: the answer is none of a gateway. */
typedef void notify_rejected_fn(void *arg, const char *pushkey);
bool notify_read(const char *body, size_t len, notify_rejected_fn *fn, void *arg);

#endif
