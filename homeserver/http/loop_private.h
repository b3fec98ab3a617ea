/* The inside of a loop, for loop.c, connection.c and h2o_*.c only. Everything here belongs to the loop's thread,
 * unless it is atomic or under receiver_lock. */
#ifndef PARTA_HTTP_LOOP_PRIVATE_H
#define PARTA_HTTP_LOOP_PRIVATE_H

#include <h2o.h>
#include <pthread.h>
#include <sys/time.h>

#include "homeserver/http/loop.h"
#include "homeserver/http/long_poll.h"
#include "homeserver/http/principals.h"

/* What a connection is busy with, as its request's time stamps tell. */
enum phase { PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_HANDLER, PHASE_REPLY };

/* Ours beside libh2o's own: hangs on the socket's on_close, so it goes last. */
struct connection {
    struct loop *loop;
    h2o_socket_t *sock;
    SSL_CTX *tls; /* libh2o makes the SSL on the first byte: until then this keeps the certificate's context */
    struct request_context *context; /* the request that is being answered, or NULL */
    struct principal *peer;          /* a reference: the address it came from; NULL: a trusted proxy's, or: */
    bool metrics;                    /* it is at the metrics listener */
    struct principal *principal;     /* a reference: who asked last on it; NULL: nobody yet */
    const struct session *session;   /* a reference: whose token was shown last on it; NULL: nobody's */
    const struct route *route;       /* what was asked for last, if it has no parameters; else NULL */
    struct last_told told;           /* by the last answer that noted it */
    size_t arriving;                 /* bytes of a body that is not whole yet, as the peer knows of */
    bool brief;                      /* closed after an answer, holds no poll: nearly all are taken */
    bool http;                       /* past the TLS handshake */
    bool cut;                        /* the sweeper has shut it down, and the loop has not come to its end yet */
    h2o_iovec_t head;                /* of a request that is held, or was: the bytes that libh2o has of it */
    struct lingering *lingering;     /* a refused body is thrown away; NULL: no */
    enum phase phase;
    struct timeval mark; /* the phase's time stamp: tells two requests in the same phase apart */
    uint32_t requests;   /* that came on it: between two looks of the sweeper one may have come and gone */
    uint32_t seen;       /* of them, when the sweeper looked last */
    int64_t parked_ms;   /* monotonic: when a request of it was parked last; 0: never */
    int64_t since_ms;    /* monotonic: when the sweeper first saw the phase, or the last progress */
    uint64_t moved;      /* bytes at since_ms: acknowledged (PHASE_REPLY), or sent of a large body (PHASE_BODY) */
    struct connection *prev, *next;
};

struct lingering;

struct loop {
    struct loop_env *env;
    int index;
    pthread_t thread;
    pthread_barrier_t ready;
    h2o_context_t ctx;
    h2o_accept_ctx_t accept[3]; /* by enum listener_kind */
    struct loop_listener wanted[LOOP_LISTENERS_MAX];
    h2o_socket_t *listeners[LOOP_LISTENERS_MAX];
    size_t n_listeners;
    bool paused;  /* not accepting for the moment: too many connections */
    bool starved; /* paused, and the metrics listener too: there are no descriptors */
    h2o_multithread_receiver_t receiver;
    pthread_mutex_t receiver_lock; /* around posting: */
    bool open;                     /* whether the receiver is there */
    struct long_polls polls;
    struct request_spares spares;
    _Atomic size_t parked; /* polls.n, for others */
    int timer;             /* monotonic: libh2o's own timers stand still when the wall clock is set back */
    h2o_socket_t *timer_sock;
    int timer_ms; /* its interval; 0: off */
    int64_t swept_ms;
    struct connection *connections;
    size_t busy; /* requests that workers have */
    struct lingering *lingering;
    uint32_t requests;
    bool stopping;
    int64_t stop_by_ms;
};

/* connection.c */
void connection_listen(struct loop *loop);
void connection_unlisten(struct loop *loop);
struct connection *connection_of(h2o_req_t *req);
void connection_asked(struct connection *connection, const struct principal_name *who); /* fills in principal */
void connection_shown(struct connection *connection, const struct request *request);    /* session and route */
void connection_sweep(struct loop *loop, int64_t now_ms); /* once a second: deadlines of connections */
void connection_close_idle(struct loop *loop);            /* while stopping */
void connection_cut(struct loop *loop);                   /* all of them, whatever they do */
void connection_linger(struct connection *connection); /* its request is refused before the body was read: see there */

/* h2o_exchange.c */
int h2o_exchange_request(h2o_handler_t *self, h2o_req_t *req);
int h2o_exchange_metrics(h2o_handler_t *self, h2o_req_t *req);
bool h2o_exchange_is_ours(h2o_req_t *req);
bool h2o_exchange_is_head(const h2o_req_t *req);
struct request_context *h2o_exchange_context(h2o_req_t *req); /* made of the head and what there is of the body */
void h2o_exchange_answer(struct request_context *context);    /* sends context->r.reply; it may be gone afterwards */

/* h2o_input.c: the request is held. Notices when its client hangs up (loop_gone) or has more to say (loop_expire).
 * slim: gives back what its head does not need of the memory it was read into, if it has no body. It is released before
 * a worker gets it; whoever is answered need not be. */
void h2o_input_hold(struct request_context *context, bool slim);
void h2o_input_release(struct request_context *context);

/* Whether the client has said more behind a request without a body, which waits in libh2o's buffer: it is not held, as
 * its time were up. Behind a body it is not known. */
bool h2o_input_is_ahead(const struct request_context *context);

/* h2o_file_reply.c */
void h2o_file_reply_send(struct request_context *context);  /* sends context->r.reply with its file */
void h2o_file_reply_piece(struct request_context *context); /* a worker has read the next piece */

/* h2o_upload.c */
bool h2o_upload_take_over(h2o_ostream_t *stream, h2o_req_t *req); /* h2o_setup.h, on_large */
void h2o_upload_begin(struct request_context *context);           /* DISPATCH_BODY */
void h2o_upload_keep(struct request_context *context);            /* WORK_KEEP_BODY, on a worker */
void h2o_upload_kept(struct request_context *context);            /* and back on the loop */

/* loop.c */
void loop_take(struct loop *loop, struct request_context *context,
               enum dispatch what);                                      /* answers, parks or hands to a worker */
bool loop_work(struct request_context *context, enum request_work work); /* false: no worker can be had */
void loop_timer(struct loop *loop);                                      /* as fast as what waits needs it */
void loop_gone(struct request_context *context);                         /* its client has hung up */
void loop_expire(struct request_context *context);                       /* of one that is held: its time is up */
void loop_forget(struct request_context *context);                       /* libh2o has dropped its request */

#endif
