/* One request on its way through the server: what request.h shows to handlers, and what only http/ may see.
 *
 * A request belongs to exactly one place at a time. The loop that received it makes it, gives it to a worker, which
 * touches it alone until it hands it back by message, parks it or answers it, and releases it when libh2o is done with
 * its request. Other threads never see the libh2o request: `req` is the loop's. A request that is held is not read
 * from, so libh2o keeps it (and the body, which raw_body borrows from its buffer) until the loop answers. */
#ifndef PARTA_HTTP_REQUEST_CONTEXT_H
#define PARTA_HTTP_REQUEST_CONTEXT_H

#include "homeserver/http/pool.h"
#include "homeserver/http/request.h"

struct st_h2o_ostream_t;
struct st_h2o_req_t;
struct connection;
struct loop;
struct principal;
struct upload;

enum request_place { REQUEST_ON_LOOP, REQUEST_AWAY, REQUEST_PARKED }; /* away: with a worker or the writer */

/* What a worker is to do with it. */
enum request_work {
    WORK_HANDLE,    /* dispatch_work; also when the writer has it */
    WORK_IDENTIFY,  /* dispatch_identify */
    WORK_KEEP_BODY, /* keep context->piece of a large body */
    WORK_READ_FILE, /* read on in the file that is being sent */
};

struct request_context {
    struct request r; /* first: a handler's request is its context */
    struct pool_job job;
    struct loop *loop;
    struct st_h2o_req_t *req; /* the loop's; NULL once libh2o has dropped it */
    struct connection *connection;
    struct principal *principal; /* a reference: whose work it is; NULL: not asked yet */
    size_t kept_bytes;           /* of its reply, as the principal knows of */
    enum request_place place;
    enum request_work work;
    struct upload *upload;                         /* its body is large; NULL: it came whole, or nothing has come yet */
    struct st_h2o_ostream_t *held;                 /* the reply goes here (h2o_upload.c); NULL: in the ordinary way */
    size_t body_to_come;                           /* bytes of a body that has not been read: only the head is known */
    bool admitted;                                 /* it is known who asks; only whether the body may come is not */
    bool continues;                                /* the client waits for a 100 before it sends that */
    const char *piece;                             /* WORK_KEEP_BODY: what to keep, borrowed from the socket's buffer */
    size_t piece_len;                              /* 0 afterwards: it could not be kept */
    unsigned allowed;                              /* bits 1 << enum http_method: what a 405 names */
    bool was_parked;                               /* its duration says nothing about the server */
    char *strings;                                 /* what the pointers of r point into: near, or heap if too long */
    int64_t begun_us;                              /* clock_mono_us */
    struct request_context *user_prev, *user_next; /* parked ones of the same users (http/long_poll.h) */
    struct request_context *slot_prev, *slot_next; /* parked ones whose time is up at about the same moment */
    struct request_spares *spares;
    char near[512]; /* last: not cleared for the next request */
};

#define REQUEST_OF_JOB(job_) ((struct request_context *)(void *)((char *)(job_)-offsetof(struct request_context, job)))

extern const char *const REQUEST_HEADER_NAMES[REQUEST_HEADER__COUNT];

/* What came in, as libh2o tells it; borrowed. */
struct request_head {
    enum http_method method;
    const char *path; /* with the query */
    size_t path_len;
    struct head_value {
        const char *base; /* NULL: absent */
        size_t len;
    } authorization, headers[REQUEST_HEADER__COUNT];
    const char *body;
    size_t body_len;
    const struct route *likely; /* what was asked for last, without parameters; NULL: nothing is known */
};

#define REQUEST_PATH_MAX (32u << 10) /* bytes of path and query */

struct router;
struct server;

/* The memory of requests that are over, for those to come: when a thousand held requests are answered at once, as many
 * come right after. Each loop has its own, which nobody else touches. */
struct request_spares {
    struct request_context *first; /* by user_next */
    size_t n;
};
void request_spares_finish(struct request_spares *spares);

/* Makes the context: routes it, copies and decodes what the handler will see. Never NULL; if something about the head
 * is wrong (unknown path, method, escapes, length), r.error says so. spares outlive it. */
struct request_context *request_context_create(struct request_spares *spares, struct server *server,
                                               const struct router *router, const struct request_head *head);
void request_context_destroy(struct request_context *context); /* NULL is accepted */

/* The reply is there: what of it is kept until it is read is the principal's until the request is destroyed, times
 * over. A small one is not counted: as many as connections may be. */
void request_context_keep(struct request_context *context, size_t times);

/* Whether the reply is not worth counting. */
bool request_context_is_small(const struct request_context *context);

/* Asks the processor for the memory of a request that is about to be answered, but for its strings. */
#define CACHE_LINE 64
static inline void prefetch(const void *memory, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += CACHE_LINE)
        __builtin_prefetch((const char *)memory + i);
}
static inline void request_context_prefetch(const struct request_context *context)
{
    prefetch(context, offsetof(struct request_context, r.query));
    prefetch(&context->r + 1, offsetof(struct request_context, near) - sizeof context->r);
}

#endif
