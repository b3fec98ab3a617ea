/* Outgoing transfers: HTTP requests and mails to other servers, by curl's multi interface on one thread, so that nobody
 * else waits for them. The thread starts with the first transfer.
 *
 * A destination is scheme, host and port. Each has a queue of its own, a few attempts at once, and a circuit: after
 * some failures in a row nothing is sent there but one attempt now and then, until one succeeds. Destinations that have
 * not proved that they answer share half of the places, so that dead ones, however many, leave room for the others.
 * What can't be sent now is tried again after 1 s, 2 s, 4 s … 60 s with some chance in it, or when the other server
 * says (Retry-After), until its deadline or its number of attempts is reached. Order is not kept; who needs it sends
 * one after the other (jobs/consumer.h). Nothing is kept over a restart: whoever must not lose a message keeps a row
 * until it is done.
 *
 * Where an address comes from people (a push gateway, a web page to preview), it may be anything: OUTGOING_PUBLIC
 * refuses addresses of this machine and its networks when the connection is made, whatever the name resolves to then.
 * OUTGOING_ANY is for destinations of the operator's own settings. TLS is verified, 1.2 at least; redirects are not
 * followed; every reply is bounded. */
#ifndef PARTA_OUTGOING_OUTGOING_H
#define PARTA_OUTGOING_OUTGOING_H

#include "homeserver/outgoing/transfer.h"

struct metrics;
struct outgoing;

/* 0 or NULL: the usual. Tests want less. */
struct outgoing_settings {
    int running_max;  /* attempts at once: 64 */
    size_t queue_max; /* transfers of one destination, running or waiting: 1000 */
    size_t bytes_max; /* of all requests that are there: 64 MiB */
};

/* No thread yet, no memory of curl's. settings may be NULL. Never NULL. */
struct outgoing *outgoing_create(const struct outgoing_settings *settings);

/* Takes no more; gives what runs up to grace_ms to end, then drops it and what waits (done with delivered false), and
 * returns when the thread is gone. NULL is accepted. */
void outgoing_stop(struct outgoing *outgoing, int grace_ms);
void outgoing_destroy(struct outgoing *outgoing); /* after outgoing_stop, or stops it. NULL is accepted */

/* Hands over a transfer. false: the destination's queue or the memory for requests is full, the address is none, or it
 * is stopping; done is not called. Any thread; does not block. */
bool outgoing_send(struct outgoing *outgoing, const struct outgoing_request *request,
                   const struct outgoing_handler *handler);

/* The same for a caller who waits: blocks until it is done, and so does not wait for the circuit nor for a place.
 * *reply is of the last attempt, the caller finishes it. judge: as in a handler. Not on the outgoing
 * thread. */
bool outgoing_call(struct outgoing *outgoing, const struct outgoing_request *request, outgoing_judge *judge,
                   void *judge_arg, struct outgoing_reply *reply);

/* Several for a caller who waits: begun at once, as outgoing_call begins one, and waited for together, so that one that
 * hangs keeps nobody from the others. */
struct outgoing_calls;
struct outgoing_calls *outgoing_calls_create(struct outgoing *outgoing);
/* judge: NULL: outgoing_usual_verdict. *reply is written until outgoing_calls_wait has returned, and the caller
 * finishes it. Does not block. */
void outgoing_calls_add(struct outgoing_calls *calls, const struct outgoing_request *request, outgoing_judge *judge,
                        void *judge_arg, struct outgoing_reply *reply);
size_t outgoing_calls_wait(struct outgoing_calls *calls); /* blocks, then frees calls; how many were delivered */

size_t outgoing_waiting(struct outgoing *outgoing); /* transfers that are there, running or waiting */

/* What was counted by destination: the first thirty by name, the others together. */
void outgoing_metrics(struct outgoing *outgoing, struct metrics *metrics);

#endif
