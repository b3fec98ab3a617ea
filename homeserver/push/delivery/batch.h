/* The pushes of one batch of events on their way to one gateway: a few at a time, each rendered when it goes. What is
 * kept of each is 16 bytes; what several have in common, an event, a person, lies there once. */
#ifndef PARTA_PUSH_DELIVERY_BATCH_H
#define PARTA_PUSH_DELIVERY_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/text.h"
#include "homeserver/jobs/consumer.h"
#include "homeserver/outgoing/transfer.h"
#include "homeserver/push/delivery/told.h"

struct batch;
struct push_service;

/* What is to be told to the gateway of (after, upto]; the caller's reference. gateway is copied. */
struct batch *batch_create(struct push_service *service, const char *gateway, enum outgoing_network network,
                           stream_pos after, stream_pos upto);
void batch_unref(struct batch *batch); /* what is on its way ends unheard. NULL is accepted */
/* Whether it is of exactly that stretch. */
bool batch_is(const struct batch *batch, stream_pos after, stream_pos upto);

/* Before batch_begin. */
size_t batch_add_person(struct batch *batch, struct told *told); /* takes what is in it */
struct told *batch_person(struct batch *batch, size_t person);
/* ids: the event's members (notify.h) for who gets ids alone, taken over. */
size_t batch_add_event(struct batch *batch, stream_pos pos, struct text *ids);
/* Where those for who gets more belong, heap; NULL until they are needed. */
char **batch_whole(struct batch *batch, size_t event);
/* In order of the events. done: it was sent already. */
void batch_add_push(struct batch *batch, size_t event, size_t person, bool full, bool done,
                    const struct push_result *result);
bool batch_is_empty(const struct batch *batch); /* nothing is to be sent */

/* Sends; consumer_finish is called once, perhaps before it returns. */
void batch_begin(struct batch *batch, const struct consumer_ticket *ticket);

/* Of a batch that has ended with CONSUMER_AGAIN: what became of a push. */
enum batch_fate {
    BATCH_OPEN,   /* it was not tried, or nobody answered */
    BATCH_DONE,   /* not again */
    BATCH_FAILED, /* the gateway took others, and failed at this one */
};
enum batch_fate batch_fate(const struct batch *batch, stream_pos event, user_no user, bool full);

/* The request for one notification (held.c, too). Blocks nothing. false: there is no place for it. */
bool push_send(struct push_service *service, const char *gateway, enum outgoing_network network,
               const struct text *body, int64_t lifetime_ms, int attempts_max, outgoing_done *done, void *arg);

bool push_is_high(const struct push_result *result); /* "prio" */

/* Removes those pushers of the person that the gateway's answer rejects; counts what is odd. Any thread. */
void push_take_answer(struct push_service *service, const struct told *told, const struct outgoing_reply *reply);

/* Whether it makes sense to send the same once more. */
enum outgoing_verdict push_verdict(const struct outgoing_reply *reply);

#endif
