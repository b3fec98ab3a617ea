/* The program's own HTTP listener, on libmicrohttpd: a table of routes, and what bounds whoever asks.
 *
 * One thread serves all connections. Bounded are their number, in all and of one address; the head and the body of a
 * request before they are allocated (a body needs a Content-Length; chunks are refused), the bodies of all together,
 * and the time that a request may take from its first byte to its last, however it trickles. A proxy stands in front
 * where the network is not trusted: there is no TLS here.
 *
 * A handler runs on the listener's thread and must not block: it answers, or hands the exchange to another thread,
 * which answers. Each exchange is answered exactly once, by exchange_reply. */
#ifndef PARTA_DIARY_LISTENER_H
#define PARTA_DIARY_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/text.h"

#define LISTENER_CONNECTIONS_MAX 64
#define LISTENER_CONNECTIONS_EACH_MAX 24 /* of one address */
#define LISTENER_HEAD_BYTES_MAX 16384
#define LISTENER_BODY_BYTES_MAX (8u << 20)
#define LISTENER_BODIES_BYTES_MAX (32u << 20) /* of all requests together */
#define LISTENER_REQUEST_MS 15000             /* for a whole request, and for taking an answer */

struct exchange;
struct listener;

typedef void listener_handler(void *self, struct exchange *exchange);

/* path: whole, or, if it ends in a slash, with something behind it (exchange_rest). */
struct listener_route {
    const char *method, *path;
    size_t body_max; /* bytes; 0: it has no body */
    listener_handler *handler;
};

struct listener_options {
    const char *address; /* IPv4 or IPv6 */
    int port;            /* 0: any */
    int request_ms;      /* LISTENER_REQUEST_MS, but for tests */
    const struct listener_route *routes;
    size_t n_routes;
    void *self; /* of the handlers */
};

/* routes and self outlive it. NULL: *problem says why. Blocks shortly. */
struct listener *listener_start(const struct listener_options *options, struct text *problem);
int listener_port(const struct listener *listener);
/* Ends; what was not answered is dropped: nobody may answer any more. NULL is accepted. */
void listener_stop(struct listener *listener);

/* --- In a handler only --- */

const char *exchange_header(const struct exchange *exchange, const char *name); /* "": it did not come */
const char *exchange_rest(const struct exchange *exchange); /* of the path, decoded, behind the route's slash */
const char *exchange_query(const struct exchange *exchange, const char *name); /* a parameter; NULL: none */
/* Whether "Authorization: Bearer" has the token: compared in constant time. */
bool exchange_bears(const struct exchange *exchange, const char *token);
const char *exchange_body(const struct exchange *exchange, size_t *len); /* valid until it is answered; "": none */

/* --- Any thread --- */

/* type: of the content. body is copied. 401 and 503 come with the headers that they need. */
void exchange_reply(struct exchange *exchange, int status, const char *type, const char *body, size_t len);
void exchange_reply_json(struct exchange *exchange, int status, const char *json);

#endif
