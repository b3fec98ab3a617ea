/* libh2o's configuration, and the filter that every response passes: CORS headers on all of them, and libh2o's own
 * text/plain errors (400, 413, 417) turned into Matrix' standard error responses. */
#ifndef PARTA_HTTP_H2O_SETUP_H
#define PARTA_HTTP_H2O_SETUP_H

#include <h2o.h>
#include <stdbool.h>

struct h2o_setup;

struct h2o_setup_settings {
    size_t entity_max; /* bytes of a body that libh2o keeps in memory */
    int handshake_ms;
    int (*on_request)(h2o_handler_t *self, h2o_req_t *req);
    int (*on_metrics)(h2o_handler_t *self, h2o_req_t *req);
    bool (*is_ours)(h2o_req_t *req); /* whether the response comes from us and not from libh2o */
    /* A request with a longer body has come, and libh2o is about to answer 413; its head is there, and nothing reads
     * the connection any more. true: it is taken over: the response goes to stream, in one piece,
     * whenever it is ready. */
    bool (*on_large)(h2o_ostream_t *stream, h2o_req_t *req);
};

/* Never NULL. Callbacks are called on the loops' threads, with requests that are libh2o's. Once in a process: nothing
 * here is a loop's own. */
struct h2o_setup *h2o_setup_create(const struct h2o_setup_settings *settings);
void h2o_setup_destroy(struct h2o_setup *setup); /* NULL is accepted; no context may be left */

/* These three are borrowed from setup, for the contexts and accept contexts of all loops; nobody changes them once a
 * loop runs. */
h2o_globalconf_t *h2o_setup_config(struct h2o_setup *setup);
h2o_hostconf_t **h2o_setup_hosts(struct h2o_setup *setup);         /* for the ordinary listeners */
h2o_hostconf_t **h2o_setup_metrics_hosts(struct h2o_setup *setup); /* for the metrics listener */

#endif
