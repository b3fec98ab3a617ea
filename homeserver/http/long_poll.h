/* Requests that wait for news: one polls per loop, touched by that loop's thread only.
 *
 * Two ways lead to a held request. By user: a table of chains that grows with the number of requests, so that a wake
 * for a few users among ten thousand held requests, or for ten thousand users among a few, costs as little as the
 * smaller of both. By time: a wheel of slots of 100 ms each; a request whose deadline is further away than one turn
 * just stays in its slot for another. Both run through the requests themselves: holding one allocates nothing.
 *
 * The callbacks may remove the request they are given (they answer it or hand it to a worker) and no other. */
#ifndef PARTA_HTTP_LONG_POLL_H
#define PARTA_HTTP_LONG_POLL_H

#include <stddef.h>
#include <stdint.h>

#include "homeserver/http/request_context.h"

#define LONG_POLL_SLOT_MS 100
#define LONG_POLL_SLOTS 1024

struct wake;

struct long_polls {
    struct request_context **chains; /* by user; as many as requests were ever held at once, a power of two */
    size_t n_chains;
    struct request_context *slots[LONG_POLL_SLOTS];
    int64_t turned_ms; /* slots before this moment were looked at */
    size_t n;
};

typedef void long_poll_visit(void *self, struct request_context *context);

/* now_ms: clock_mono_ms, here and below: where the wheel begins to turn. */
void long_polls_init(struct long_polls *polls, int64_t now_ms);
void long_polls_finish(struct long_polls *polls); /* is empty by then */

void long_poll_add(struct long_polls *polls, struct request_context *context,
                   int64_t now_ms); /* r.poll.user and .deadline_ms are filled in */
/* It must be in there. */
void long_poll_remove(struct long_polls *polls, struct request_context *context);

/* Visits the requests of the users a wake concerns. soon: is told of most of them a few visits before, so that it can
 * ask for the memory that visit will touch; it changes nothing. */
void long_poll_wake(struct long_polls *polls, const struct wake *wake, long_poll_visit *visit, long_poll_visit *soon,
                    void *self);

/* How many of the user there are, and of the device. */
struct long_poll_counts {
    size_t of_user, of_device;
};
struct long_poll_counts long_poll_count(const struct long_polls *polls, user_no user, device_no device);

/* The one of the user's device (0: of any) that has waited longest, if it came before begun_us; NULL: there is none. */
struct request_context *long_poll_oldest(const struct long_polls *polls, user_no user, device_no device,
                                         int64_t begun_us);

/* Visits the requests whose deadline is at or before now_ms. */
void long_poll_expire(struct long_polls *polls, int64_t now_ms, long_poll_visit *visit, void *self);

/* Visits every request. */
void long_poll_each(struct long_polls *polls, long_poll_visit *visit, void *self);

#endif
