/* Asking an application service and waiting for the answer, on a worker: pings, queries, third-party lookups
 * (Application Service API, "Pinging", "Querying", "Third-party networks").
 *
 * Whoever waits takes a worker of their own share (http/principals.h), for ASK_MS at most, however many services there
 * are to ask: they are asked at once. One that hangs delays who asks and nobody else, and takes nothing away from what
 * the others say. In a school's mode a service is asked for people of the schools that its registration names (A1). */
#ifndef PARTA_APPSERVICE_ASK_H
#define PARTA_APPSERVICE_ASK_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/outgoing/transfer.h"

struct registration_file;
struct request;
struct server;

#define ASK_MS 10000
#define ASK_REPLY_MAX 262144

struct ask {
    const struct registration_file *service; /* has a url */
    const char *method;                      /* "GET" */
    const char *path;                        /* below /_matrix/app/v1: "/users/%40bob" */
    const char *older_prefix;                /* where older services have it; NULL: nowhere ("Legacy routes") */
    int attempts;                            /* at most, of a service that cannot be reached or fails; 0: one */
    const json_t *body;                      /* NULL: none */
    bool good;                               /* set: 200 was the answer */
    struct outgoing_reply reply;             /* set: what came last, to be finished in either case */
};

/* Asks all of them at once. until_ms: of clock_mono_ms, when everybody has had their time (now + ASK_MS). Blocks. */
void ask_all(const struct server *server, struct ask *asks, size_t n, int64_t until_ms);

/* Whether the service may be asked for who makes the request (appservice/interest.h, interest_serves). Reads. */
bool ask_may(struct request *r, const struct registration_file *service);

/* server->ask_services: if the name ("@user", "#alias") lies in a service's namespace and there is no such thing yet,
 * the service is asked to make it, unless it is who asks. Whatever it says: afterwards the name is
 * there or not. Blocks. */
void ask_for_missing(struct request *r, const char *name);

#endif
