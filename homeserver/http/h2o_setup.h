/* libh2o's configuration, and the filter that every response passes: CORS headers on all of them, and libh2o's own
 * text/plain errors (400, 413, 417) turned into Matrix' standard error responses. */
#ifndef PARTA_HTTP_H2O_SETUP_H
#define PARTA_HTTP_H2O_SETUP_H

#include <h2o.h>
#include <stdbool.h>

struct front;

struct front_settings {
    size_t entity_max; /* bytes of a body, at most, on any path */
    int handshake_ms;
    const char *spool_dir; /* NULL: $TMPDIR, else /tmp */
    int (*on_request)(h2o_handler_t *self, h2o_req_t *req);
    int (*on_metrics)(h2o_handler_t *self, h2o_req_t *req);
    bool (*is_ours)(h2o_req_t *req); /* whether the response comes from us and not from libh2o */
};

struct front *front_create(const struct front_settings *settings);
void front_destroy(struct front *front); /* NULL is accepted; no context may be left */

h2o_globalconf_t *front_config(struct front *front);
h2o_hostconf_t **front_hosts(struct front *front);         /* for the ordinary listeners */
h2o_hostconf_t **front_metrics_hosts(struct front *front); /* for the metrics listener */

#endif
