/* Event loops: one thread each, with its own libh2o context, sockets, parked requests and timers.
 *
 * Everything of libh2o is made and touched on the loop's own thread: its sockets keep a pointer to a free list of the
 * thread that made them. From outside one can only post: a request that a worker is done with, a wake, a new
 * certificate, the order to stop. Nothing on a loop blocks. */
#ifndef PARTA_HTTP_LOOP_H
#define PARTA_HTTP_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "homeserver/http/address.h"
#include "homeserver/http/admission.h"
#include "homeserver/http/request_context.h"
#include "homeserver/http/dispatch.h"

struct h2o_setup;
struct loop;
struct principals;
struct request_metrics;
struct router;
struct ssl_ctx_st;
struct uploads;
struct wake;

/* What all loops share; outlives them. */
struct loop_env {
    struct server *server;
    struct router *router;
    struct request_metrics *metrics;
    struct h2o_setup *setup;
    struct pool *workers, *hashers;
    struct principals *principals;
    struct uploads *uploads;
    struct dispatch_limits limits;
    struct network *trusted; /* proxies */
    size_t n_trusted;
    int header_ms, body_ms, idle_ms, stop_ms;
    struct admission_bounds bounds;
    _Atomic size_t connections;      /* of all loops */
    _Atomic size_t at_metrics;       /* of them, at the metrics listener */
    _Atomic int64_t refused;         /* connections that were closed at once */
    _Atomic int64_t refused_told_ms; /* monotonic: when the log heard of it last; 0: never */
};

enum listener_kind { LISTENER_PLAIN, LISTENER_TLS, LISTENER_METRICS };

struct loop_listener {
    int fd; /* the loop's own duplicate; it closes it */
    enum listener_kind kind;
};

#define LOOP_LISTENERS_MAX 8

/* Starts the thread and waits until it runs; it takes no connections before loop_listen. tls: a reference of the loop's
 * own, or NULL. NULL: logged. */
struct loop *loop_start(struct loop_env *env, int index, const struct loop_listener *listeners, size_t n,
                        struct ssl_ctx_st *tls);

/* Any thread. */
void loop_return(struct request_context *context); /* a worker is done with it */
void loop_run(struct request_context *context);    /* on a worker: context->work, unless that is WORK_HANDLE */
void loop_write(
    struct request_context *context); /* r.written goes to the writer, which returns the request when it is durable */
/* Whoever tells it of news does by now: a poll is held from here on, and none may miss a wake. */
void loop_listen(struct loop *loop);
void loop_wake(struct loop *loop, struct wake *wake);         /* takes a reference of its own */
void loop_set_tls(struct loop *loop, struct ssl_ctx_st *tls); /* takes the reference given */
void loop_ask_stop(struct loop *loop);
size_t loop_parked(const struct loop *loop);

void loop_join(struct loop *loop);    /* after loop_ask_stop; blocks until the last handler and connection are gone */
void loop_destroy(struct loop *loop); /* after loop_join; NULL is accepted */

#endif
