/* One HTTP request to a server on the loopback, by curl: what tests of the APIs' words ask with (client_world.h,
 * media.c). */
#ifndef PARTA_TESTS_UNIT_CLIENT_REQUEST_H
#define PARTA_TESTS_UNIT_CLIENT_REQUEST_H

#include <curl/curl.h>
#include <stddef.h>

#include "homeserver/base/text.h"

struct client_request {
    const char *method, *path;
    const char *token; /* NULL: none */
    const char *type;  /* NULL: application/json; "": none */
    const char *more;  /* a header besides; NULL: none */
    const char *body;  /* NULL: none; then only a GET and a HEAD say nothing of its length */
    size_t len;        /* of body; 0: up to its NUL */
};

/* Any thread, each with a curl of its own, whose connection is used again. What comes is appended to body and head;
 * NULL: it is not asked for. Returns the status; 0: no answer. */
long client_request_send(CURL *curl, int port, const struct client_request *request, struct text *body,
                         struct text *head);

#endif
