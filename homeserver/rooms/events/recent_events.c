#include "homeserver/rooms/events/recent_events.h"

#include <string.h>

#include "homeserver/base/crypto.h"

static const char *kept(char **at, const char *s)
{
    if (s == NULL)
        return NULL;
    char *copy = *at;
    *at = stpcpy(copy, s) + 1;
    return copy;
}

static size_t bytes_for(const char *s)
{
    return s != NULL ? strlen(s) + 1 : 0;
}

/* One block: the struct, then its bytes, then its strings. */
void recent_events_add(struct recent *recent, const struct event_row *r, device_no device, const char *txn_id)
{
    size_t size = sizeof(struct recent_event) + SHA256_BYTES + bytes_for(r->event_id) + bytes_for(r->type) +
                  bytes_for(r->content) + bytes_for(r->auth) + bytes_for(r->redacts) + bytes_for(txn_id);
    struct recent_event *event = recent_item_create(r->pos, size);
    char *at = (char *)(event + 1);
    event->row = *r;
    event->row.hash = memcpy(at, r->hash, SHA256_BYTES);
    at += SHA256_BYTES;
    event->row.event_id = kept(&at, r->event_id);
    event->row.type = kept(&at, r->type);
    event->row.content = kept(&at, r->content);
    event->row.auth = kept(&at, r->auth);
    event->row.redacts = kept(&at, r->redacts);
    event->row.reference_hash = NULL;
    event->device = device;
    event->txn_id = kept(&at, txn_id);
    recent_add(recent, event);
}

struct recent_event *recent_events_get(struct recent *recent, stream_pos pos)
{
    return recent_get(recent, pos);
}
