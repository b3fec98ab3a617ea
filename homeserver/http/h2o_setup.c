#include "homeserver/http/h2o_setup.h"

#include <h2o/http1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/http/reply.h"

#define NEVER_MS (UINT64_C(24) * 3600 * 1000) /* connection.c has deadlines of its own */

struct h2o_setup {
    h2o_globalconf_t config;
    h2o_hostconf_t *hosts[2], *metrics_hosts[2];
};

/* A filter of ours knows what it was made with: libh2o hands every callback its own struct. */
struct filter {
    h2o_filter_t super;
    bool (*is_ours)(h2o_req_t *req);
    bool (*on_large)(h2o_ostream_t *stream, h2o_req_t *req); /* NULL: large bodies are refused */
};

struct stream {
    h2o_ostream_t super;
    const struct filter *filter;
};

/* Pages and what belongs to them are of no use to other sites. */
static bool is_page(const h2o_req_t *req)
{
    for (size_t i = 0; i < req->res.headers.size; ++i) {
        const h2o_header_t *h = &req->res.headers.entries[i];
        if (h2o_memis(h->name->base, h->name->len, H2O_STRLIT("cross-origin-resource-policy")))
            return h2o_memis(h->value.base, h->value.len, H2O_STRLIT("same-origin"));
    }
    return false;
}

/* One header to libh2o, four to the client: it is written to HTTP/1 as it stands, and this server
 * speaks nothing else. */
static void add_cors(h2o_req_t *req)
{
    static h2o_iovec_t name = {H2O_STRLIT("access-control-allow-origin")};
    static const h2o_header_t CORS = {
        .name = &name,
        .value = {H2O_STRLIT("*\r\n"
                             "access-control-allow-methods: GET, POST, PUT, DELETE, OPTIONS\r\n"
                             "access-control-allow-headers: X-Requested-With, Content-Type, Authorization, "
                             "Idempotency-Key, If-Match, If-None-Match, Parta-Override-Reason\r\n"
                             "access-control-expose-headers: ETag")}};
    h2o_headers_t *headers = &req->res.headers;
    h2o_vector_reserve(&req->pool, headers, headers->size + 1);
    headers->entries[headers->size++] = CORS;
}

/* What libh2o refuses by itself, in Matrix' words. */
static h2o_iovec_t matrix_error(int status)
{
    static const struct {
        int status;
        const char *body;
    } BODIES[] = {
        {400, "{\"errcode\":\"M_UNKNOWN\",\"error\":\"The request is not well-formed HTTP.\"}"},
        {404, "{\"errcode\":\"M_UNRECOGNIZED\",\"error\":\"Unrecognized request.\"}"},
        {413, "{\"errcode\":\"M_TOO_LARGE\",\"error\":\"The request is too large.\"}"},
        {417, "{\"errcode\":\"M_UNKNOWN\",\"error\":\"This expectation cannot be met.\"}"},
    };
    static const char OTHER[] = "{\"errcode\":\"M_UNKNOWN\",\"error\":\"Something went wrong on the server.\"}";
    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; ++i)
        if (BODIES[i].status == status)
            return h2o_iovec_init(BODIES[i].body, strlen(BODIES[i].body));
    return h2o_iovec_init(OTHER, sizeof OTHER - 1);
}

/* libh2o sends its own errors in one piece; ours takes its place, or what on_large makes of the request. */
static void send_matrix_error(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t n, h2o_send_state_t state)
{
    const struct filter *filter = ((struct stream *)self)->filter;
    if (req->res.status == 413 && filter->on_large != NULL && filter->on_large(self, req))
        return;
    h2o_iovec_t body = matrix_error(req->res.status);
    bool head = h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
    h2o_ostream_send_next(self, req, &body, head ? 0 : 1, H2O_SEND_STATE_FINAL);
}

static void on_response(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    struct filter *filter = (struct filter *)self;
    if (req->res.status >= 400 && !filter->is_ours(req)) {
        struct stream *stream = (void *)h2o_add_ostream(req, sizeof *stream, slot);
        stream->super.do_send = send_matrix_error;
        stream->filter = filter;
        slot = &stream->super.next;
        req->res.reason = status_reason(req->res.status);
        req->res.content_length = matrix_error(req->res.status).len;
        h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, H2O_STRLIT("application/json"), 1);
    }
    if (!is_page(req))
        add_cors(req);
    h2o_setup_next_ostream(req, slot);
}

static h2o_hostconf_t *add_host(h2o_globalconf_t *config, const char *name, int (*on_req)(h2o_handler_t *, h2o_req_t *),
                                bool (*is_ours)(h2o_req_t *req),
                                bool (*on_large)(h2o_ostream_t *stream, h2o_req_t *req))
{
    h2o_hostconf_t *host = h2o_config_register_host(config, h2o_iovec_init(name, strlen(name)), 65535);
    host->http2.push_preload = 0;
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = on_req;
    h2o_pathconf_t *const paths[] = {path, &host->fallback_path};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; ++i) {
        struct filter *filter = (void *)h2o_create_filter(paths[i], sizeof *filter);
        filter->super.on_setup_ostream = on_response;
        filter->is_ours = is_ours;
        filter->on_large = on_large;
    }
    return host;
}

struct h2o_setup *h2o_setup_create(const struct h2o_setup_settings *settings)
{
    struct h2o_setup *setup = xcalloc(1, sizeof *setup);
    h2o_config_init(&setup->config);
    setup->config.server_name = h2o_iovec_init("", 0); /* not said */
    setup->config.max_request_entity_size = settings->entity_max;
    setup->config.handshake_timeout = (uint64_t)settings->handshake_ms;
    setup->config.http1.req_timeout = NEVER_MS;
    setup->config.http1.upgrade_to_http2 = 0; /* libh2o 2.2's HTTP/2 lets any client abort the process */
    setup->hosts[0] = add_host(&setup->config, "default", settings->on_request, settings->is_ours, settings->on_large);
    setup->metrics_hosts[0] = add_host(&setup->config, "metrics", settings->on_metrics, settings->is_ours, NULL);
    return setup;
}

void h2o_setup_destroy(struct h2o_setup *setup)
{
    if (setup == NULL)
        return;
    h2o_config_dispose(&setup->config);
    free(setup);
}

h2o_globalconf_t *h2o_setup_config(struct h2o_setup *setup)
{
    return &setup->config;
}

h2o_hostconf_t **h2o_setup_hosts(struct h2o_setup *setup)
{
    return setup->hosts;
}

h2o_hostconf_t **h2o_setup_metrics_hosts(struct h2o_setup *setup)
{
    return setup->metrics_hosts;
}
