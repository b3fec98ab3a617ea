/* A client of somebody's REST service: GET with a bearer token, got by OAuth 2 client credentials (RFC 6749, 4.4) or
 * given, renewed once when it is refused; what may pass (5xx, 429, a connection that broke) is tried again a few times,
 * as long as the service asks for (Retry-After). TLS is verified, no proxy used, no redirect followed, replies are
 * bounded. Secrets and what replies say are never logged, nor do they stand in a problem. */
#ifndef PARTA_OUTGOING_REST_CLIENT_H
#define PARTA_OUTGOING_REST_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/outgoing/outgoing.h"

struct rest_client {
    /* The caller's; all outlive it. */
    struct outgoing *outgoing;
    const char *what; /* for the log; static storage */
    const char *who;  /* for problems: "The roster source" */
    const char *ca_file;
    int64_t timeout_ms; /* for a reply */
    int tries;          /* of one request */
    size_t reply_max;
    const _Atomic bool *stop; /* NULL: never */
    const char *token_url;    /* NULL: the token was given, or there is none */
    const char *client_id, *secret;
    const char *form; /* what the token endpoint is asked for */

    /* Its own. */
    char *token; /* heap; set it where there is no token_url */
    int64_t token_until_ms;
    struct outgoing_reply reply; /* of the last exchange */
};

void rest_client_finish(struct rest_client *client); /* wipes the token */

/* GET of url; true: there is a reply of whatever status, client->reply. what: for the problem, "a page of users".
 * headers: more than Accept. Blocks. */
bool rest_client_get(struct rest_client *client, const char *what, const char *url, const char *const *headers,
                     size_t n_headers, struct text *problem);

/* --- What replies say --- */

/* The token that a token endpoint gives, and for how long: heap. NULL: it gives none; appends to problem why. */
char *rest_token(const char *who, const struct outgoing_reply *reply, int64_t *lifetime_s, struct text *problem);

/* X-Total-Count: how many records a reply says its collection has, at most max. −1: it does not say; −2: no number that
 * could be. */
int64_t rest_total(const struct outgoing_reply *reply, int64_t max);

#endif
