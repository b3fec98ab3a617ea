/* Requests that wait for news: one polls per loop, touched by that loop's thread only.
 *
 * Two ways lead to a parked call. By user: a hash of users, each with the list of its calls, so that a wake for a few
 * users among ten thousand parked ones, or for ten thousand users among a few parked ones, costs as little as the
 * smaller of both. By time: a wheel of slots of 100 ms each; a call whose deadline is further away than one turn just
 * stays in its slot for another.
 *
 * The callbacks may remove the call they are given (they answer it or hand it to a worker) and no other. */
#ifndef PARTA_HTTP_LONG_POLL_H
#define PARTA_HTTP_LONG_POLL_H

#include <stddef.h>
#include <stdint.h>

#include "homeserver/http/request_context.h"

#define LONG_POLL_SLOT_MS 100
#define LONG_POLL_SLOTS 1024

struct polling_user;
struct wake;

struct long_polls {
    struct polling_user *users;
    struct request_context *slots[LONG_POLL_SLOTS];
    int64_t turned_ms; /* slots before this moment were looked at */
    size_t n;
};

typedef void long_poll_visit(void *self, struct request_context *context);

void long_polls_init(struct long_polls *polls, int64_t now_ms);
void long_polls_finish(struct long_polls *polls); /* is empty by then */

void long_poll_add(struct long_polls *polls, struct request_context *context,
                   int64_t now_ms); /* r.poll.user and .deadline_ms are filled in */
void long_poll_remove(struct long_polls *polls, struct request_context *context);

/* Visits the calls of the users a wake concerns. */
void long_poll_wake(struct long_polls *polls, const struct wake *wake, long_poll_visit *visit, void *self);

/* Visits the calls whose deadline is at or before now_ms. */
void long_poll_expire(struct long_polls *polls, int64_t now_ms, long_poll_visit *visit, void *self);

/* Visits every call. */
void long_poll_each(struct long_polls *polls, long_poll_visit *visit, void *self);

#endif
