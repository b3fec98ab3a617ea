/* What happens to a request between its arrival and its reply, without any network: who asks, may they, how often,
 * where does it run. The loop calls dispatch_begin, _again and _news; a worker calls
 * dispatch_identify and dispatch_work. */
#ifndef PARTA_HTTP_DISPATCH_H
#define PARTA_HTTP_DISPATCH_H

#include "homeserver/http/request_context.h"

struct db;
struct wake;

/* A route of the server itself: its handler runs on the loop at once, without session or body.
 * Beyond enum route_flags. */
#define ROUTE_ON_LOOP (1u << 30)

struct dispatch_limits {
    size_t body_max; /* bytes of a body whose route says nothing else */
};

enum dispatch {
    DISPATCH_ANSWER,   /* the reply is filled in */
    DISPATCH_NEWS,     /* the same, with what is new: for those who read what they are told */
    DISPATCH_IDENTIFY, /* let a worker look up who asks (dispatch_identify), then dispatch_identified */
    DISPATCH_WORK,     /* give it to a worker */
    DISPATCH_PARK,     /* hold it; context->r.poll is filled in */
    DISPATCH_WRITE,    /* give r.written to the writer (loop_write) */
    DISPATCH_BODY,     /* read the body that is to come, then dispatch_body */
};

/* A request that has just come, with its body or (context->body_to_come) without. Never blocks. */
enum dispatch dispatch_begin(struct request_context *context, const struct dispatch_limits *limits);

/* On a worker: looks up who asks, which memory did not know, and whether the body that is to come may come. Fills in
 * the reply if they may not. Blocks. */
void dispatch_identify(struct request_context *context, struct db *db);
enum dispatch dispatch_identified(struct request_context *context);

/* The body that was to come is here (r.raw_body). */
enum dispatch dispatch_body(struct request_context *context);

/* Its body could not be taken: why. Fills in the reply. */
enum dispatch dispatch_no_body(struct request_context *context, enum error_code code);

/* A request that a worker handed back. */
enum dispatch dispatch_again(struct request_context *context);

/* A wake for a parked request's user. DISPATCH_PARK: it stays parked. */
enum dispatch dispatch_news(struct request_context *context, struct wake *wake);

/* Whoever it is has not read what they were told: they are asked to come back later, without a word of what is new. A
 * poll that was held is answered as if its time were up, and who comes back then is told so. */
void dispatch_unread(struct request_context *context);

/* The time of a parked request is up (or the server stops): fills in the reply. */
void dispatch_expire(struct request_context *context);

/* How much there will be to do for DISPATCH_WORK. */
enum pool_kind dispatch_kind(struct request_context *context);

/* No worker could be had: fills in the reply. */
void dispatch_overflow(struct request_context *context, enum pool_outcome outcome, int64_t wait_ms);

/* Runs the handler and fills in the reply (or leaves poll.again set). db: this worker's, or NULL. Blocks. false: the
 * reply waits for the writer (r.written), whose answer goes to dispatch_written. */
bool dispatch_work(struct request_context *context, struct db *db);

/* The write that the handler asked for is durable, or was refused: fills in the reply. Any thread; does not block. */
void dispatch_written(struct request_context *context, bool written);

#endif
