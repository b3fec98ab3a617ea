/* What telling people outside of their open apps needs, and what it counts. */
#ifndef PARTA_PUSH_DELIVERY_SERVICE_H
#define PARTA_PUSH_DELIVERY_SERVICE_H

#include <stdint.h>

struct config;
struct outgoing;
struct rules_cache;
struct unread;
struct user_names;
struct writer;

enum push_count {
    PUSH_SENT,     /* taken by the gateway */
    PUSH_DROPPED,  /* it does not want it, or it has become too old */
    PUSH_REJECTED, /* pushers whose key it says is no more */
    PUSH_HELD,     /* put aside: quiet hours, or the gateway is away */
    PUSH_BADGES,   /* counts alone, because something was read; also sent */
    PUSH_MAILS,    /* digests handed over */
    PUSH_COUNT__COUNT
};

struct push_service {
    const struct config *config;
    struct writer *writer;
    struct outgoing *outgoing;
    struct user_names *names;
    struct unread *unread;
    struct rules_cache *rules;
    int64_t (*wall_ms)(void);
    int64_t late_ms; /* an event older than that is put aside: of several in a room, one push tells */
    _Atomic int64_t counts[PUSH_COUNT__COUNT];
};

#define PUSH_ATTEMPT_MS 10000 /* how long a gateway may take for an answer */
#define PUSH_LATE_MS INT64_C(300000)

#endif
