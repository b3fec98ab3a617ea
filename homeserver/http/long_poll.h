/* Requests that wait for news: one lot per loop, touched by that loop's thread only.
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

#define PARK_SLOT_MS 100
#define PARK_SLOTS 1024

struct parked_user;
struct wake;

struct park_lot {
    struct parked_user *users;
    struct call *slots[PARK_SLOTS];
    int64_t turned_ms; /* slots before this moment were looked at */
    size_t n;
};

typedef void park_visit(void *self, struct call *call);

void park_lot_init(struct park_lot *lot, int64_t now_ms);
void park_lot_finish(struct park_lot *lot); /* is empty by then */

void park_add(struct park_lot *lot, struct call *call, int64_t now_ms); /* r.park.user and .deadline_ms are filled in */
void park_remove(struct park_lot *lot, struct call *call);

/* Visits the calls of the users a wake concerns. */
void park_wake(struct park_lot *lot, const struct wake *wake, park_visit *visit, void *self);

/* Visits the calls whose deadline is at or before now_ms. */
void park_expire(struct park_lot *lot, int64_t now_ms, park_visit *visit, void *self);

/* Visits every call. */
void park_each(struct park_lot *lot, park_visit *visit, void *self);

#endif
