/* A server on the loopback with the routes of the Client-Server API, and curl as its client: what the tests of that
 * API's words share (account_api.c, oauth_api.c, keys_*.c). */
#ifndef PARTA_TESTS_UNIT_CLIENT_WORLD_H
#define PARTA_TESTS_UNIT_CLIENT_WORLD_H

#include <jansson.h>

#include "homeserver/http/server.h"
#include "tests/unit/client_request.h"
#include "tests/unit/fixture.h"

struct client_world {
    struct fixture f;
    struct config *config;
    struct server server;
    struct http *http;
    CURL *curl;
    json_t *reply;    /* to the last request */
    struct text head; /* its headers */
};

struct client_world_settings {
    const char *yaml;           /* beside the server's name and passwords that cost nothing */
    const struct limit *limits; /* RATE__COUNT of them; NULL: nothing is limited */
    int workers;
    bool syncs; /* serves /sync */
};

void client_world_start(struct client_world *w, const struct client_world_settings *settings);
void client_world_stop(struct client_world *w);

/* One request by a connection of one's own; any thread. *reply: the caller's, a string where it is no JSON. head: its
 * headers; NULL: not asked for. Returns the status, 0: no answer. */
long client_ask_by(const struct client_world *w, CURL *curl, const struct client_request *request, json_t **reply,
                   struct text *head);

/* The same by w->curl; the reply and its headers stand in w until the next. */
long client_ask(struct client_world *w, const struct client_request *request);

/* The same, with what must come. errcode "": none. */
void client_expect(struct client_world *w, const struct client_request *request, long status, const char *errcode);

#endif
