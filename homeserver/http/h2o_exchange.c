#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/http/health.h"
#include "homeserver/http/loop_private.h"
#include "homeserver/http/principals.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/request_metrics.h"
#include "homeserver/http/router.h"
#include "homeserver/http/server.h"

static const size_t HEADER_LENGTHS[REQUEST_HEADER__COUNT] = {
#define HEADER_LENGTH(id, name, max, form) [id] = sizeof name - 1,
    REQUEST_HEADERS(HEADER_LENGTH)
#undef HEADER_LENGTH
};

#define FORWARDED_MAX 1024 /* bytes of X-Forwarded-For that are looked at, from its end */

static h2o_iovec_t begin_reply(h2o_req_t *req, int status, const char *bytes, size_t len)
{
    req->res.status = status;
    req->res.reason = status_reason(status);
    req->res.content_length = len;
    return h2o_iovec_init(bytes, len);
}

/* Bytes that live in the request's pool or forever. */
static int send_bytes(h2o_req_t *req, int status, const char *type, const char *bytes, size_t len)
{
    static h2o_generator_t GENERATOR = {NULL, NULL};
    h2o_iovec_t body = begin_reply(req, status, bytes, len);
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, type, strlen(type));
    h2o_start_response(req, &GENERATOR);
    h2o_send(req, &body, h2o_exchange_is_head(req) || len == 0 ? 0 : 1, H2O_SEND_STATE_FINAL);
    return 0;
}

/* libh2o believes that it has answered already, with an error whose headers stand there: only these are replaced. */
static void send_held(h2o_ostream_t *stream, h2o_req_t *req, const struct reply *reply, const char *type)
{
    h2o_iovec_t body = begin_reply(req, reply->status, reply->body.data, reply->body.len);
    h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, type, strlen(type), 1);
    h2o_ostream_send_next(stream, req, &body, h2o_exchange_is_head(req) || body.len == 0 ? 0 : 1, H2O_SEND_STATE_FINAL);
}

bool h2o_exchange_is_head(const h2o_req_t *req)
{
    return h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
}

/* Decimal, in front of end, with zeros up to so many digits. */
static char *add_digits(char *end, uint64_t n, int least)
{
    for (; n != 0 || least > 0; n /= 10, --least)
        *--end = (char)('0' + n % 10);
    return end;
}

static void count(const struct request_context *context)
{
    const struct request *r = &context->r;
    int64_t us = clock_mono_us() - context->begun_us;
    size_t len = r->reply.file != NULL ? (size_t)r->reply.file->left : r->reply.body.len;
    request_metrics_count(context->loop->env->metrics, r->route, r->reply.status, us, len, context->was_parked);
    if (!log_enabled(LOG_INFO))
        return;
    char numbers[3][24] = {0}, *ends[3];
    for (int i = 0; i < 3; ++i)
        ends[i] = numbers[i] + sizeof numbers[i] - 1;
    const char *status = add_digits(ends[0], (uint64_t)r->reply.status, 1), *bytes = add_digits(ends[1], len, 1);
    char *ms = add_digits(ends[2], us > 0 ? (uint64_t)us % 1000 : 0, 3);
    *--ms = '.';
    ms = add_digits(ms, us > 0 ? (uint64_t)us / 1000 : 0, 1);
    /* OPTIONS stands for methods that nobody knows: it is itself answered before. */
    const char *method = r->method == HTTP_OPTIONS ? "other" : method_name(r->method);
    log_line(LOG_INFO, "http", "request", "id", r->id, "method", method, "route",
             r->route != NULL ? r->route->path : "none", "user", r->identity.name != NULL ? r->identity.name : "-",
             "status", status, "ms", ms, "bytes", bytes, NULL);
}

/* The reply's memory is the context's, which lives until libh2o is done with the request. */
void h2o_exchange_answer(struct request_context *context)
{
    struct reply *reply = &context->r.reply;
    const char *type = reply->type != NULL ? reply->type : "application/json";
    h2o_req_t *req = context->req;
    context->place = REQUEST_ON_LOOP;
    if (reply->file != NULL && context->held != NULL) { /* no route that takes large bodies answers so */
        refuse(&context->r, ERROR_UNKNOWN, NULL);
        reply_error(&context->r);
    }
    if (reply->status == 0)
        reply->status = 200;
    count(context);
    request_context_keep(context, context->connection->tls != NULL ? 2 : 1); /* libh2o encrypts all of it at once */
    if (context->loop->stopping || principal_is_spread(context->connection->principal))
        req->http1_is_persistent = 0;
    for (size_t i = 0; i < reply->n_headers; ++i)
        h2o_add_header_by_str(&req->pool, &req->res.headers, reply->headers[i].name, strlen(reply->headers[i].name), 1,
                              NULL, reply->headers[i].value, strlen(reply->headers[i].value));
    if (context->body_to_come > 0)
        connection_linger(context->connection);
    if (context->held != NULL)
        send_held(context->held, req, reply, type);
    else if (reply->file != NULL)
        h2o_file_reply_send(context);
    else
        send_bytes(req, reply->status, type, reply->body.data, reply->body.len);
}

/* On the metrics listener there are no contexts; of all errors libh2o does not say 503 by itself. */
bool h2o_exchange_is_ours(h2o_req_t *req)
{
    const struct connection *connection = connection_of(req);
    return connection != NULL && (connection->context != NULL || req->res.status == 503);
}

/* The first of each name counts. */
static void take_headers(const h2o_req_t *req, struct request_head *head)
{
    for (size_t i = 0; i < req->headers.size; ++i) {
        const h2o_header_t *h = &req->headers.entries[i];
        struct head_value *to = NULL;
        if (h->name == &H2O_TOKEN_AUTHORIZATION->buf)
            to = &head->authorization;
        for (int which = 0; to == NULL && which < REQUEST_HEADER__COUNT; ++which)
            if (h2o_memis(h->name->base, h->name->len, REQUEST_HEADER_NAMES[which], HEADER_LENGTHS[which]))
                to = &head->headers[which];
        if (to != NULL && to->base == NULL)
            *to = (struct head_value){h->value.base, h->value.len};
    }
}

/* All X-Forwarded-For headers as one list, its last FORWARDED_MAX bytes. */
static size_t forwarded_for(const h2o_req_t *req, char out[FORWARDED_MAX])
{
    size_t at = FORWARDED_MAX;
    for (size_t i = req->headers.size; i-- > 0;) {
        const h2o_header_t *h = &req->headers.entries[i];
        if (h->name != &H2O_TOKEN_X_FORWARDED_FOR->buf)
            continue;
        if (at < FORWARDED_MAX && at > 0)
            out[--at] = ',';
        size_t n = h->value.len < at ? h->value.len : at;
        at -= n;
        memcpy(out + at, h->value.base + h->value.len - n, n);
    }
    memmove(out, out + at, FORWARDED_MAX - at);
    return FORWARDED_MAX - at;
}

static void find_ip(struct request_context *context, h2o_req_t *req)
{
    union {
        struct sockaddr plain;
        struct sockaddr_storage room;
    } peer;
    char forwarded[FORWARDED_MAX];
    const struct loop_env *env = context->loop->env;
    struct address address = {{0}};
    if (req->conn->callbacks->get_peername(req->conn, &peer.plain) != 0)
        address_from(&peer.plain, &address);
    if (env->n_trusted > 0) {
        size_t len = forwarded_for(req, forwarded);
        address = address_client(&address, len > 0 ? forwarded : NULL, len, env->trusted, env->n_trusted);
    }
    address_text(&address, context->r.ip);
}

/* The last thing libh2o does with a request, whatever became of it. */
static void on_dispose(void *handle)
{
    struct request_context *context = *(struct request_context **)handle;
    if (context != NULL)
        loop_forget(context);
}

/* "<loop>-<number in hexadecimal>"; by hand, as each request gets one. */
static void put_id(char out[12], int loop, uint32_t number)
{
    char digits[8];
    size_t n = 0;
    do
        digits[n++] = "0123456789abcdef"[number % 16];
    while ((number /= 16) != 0);
    if (loop % 100 >= 10)
        *out++ = (char)('0' + loop / 10 % 10);
    *out++ = (char)('0' + loop % 10);
    *out++ = '-';
    while (n != 0)
        *out++ = digits[--n];
    *out = '\0';
}

struct request_context *h2o_exchange_context(h2o_req_t *req)
{
    struct connection *connection = connection_of(req);
    struct loop *loop = connection->loop;
    struct request_head head = {.path = req->path.base, .path_len = req->path.len, .body = req->entity.base};
    head.body_len = req->entity.base != NULL ? req->entity.len : 0;
    head.likely = connection->route;
    take_headers(req, &head);
    head.headers[HEADER_HOST] =
        (struct head_value){req->authority.base, req->authority.len}; /* libh2o keeps it apart */
    if (!method_from(req->method.base, req->method.len, &head.method))
        head.method = HTTP_OPTIONS; /* PATCH and the like: no route has it, just as no route has OPTIONS */
    struct request_context *context =
        request_context_create(&loop->spares, loop->env->server, loop->env->router, &head);
    struct request_context **handle = h2o_mem_alloc_shared(&req->pool, sizeof *handle, on_dispose);
    *handle = context;
    context->loop = loop;
    context->req = req;
    context->connection = connection;
    connection->context = context;
    put_id(context->r.id, loop->index, loop->requests++);
    find_ip(context, req);
    return context;
}

int h2o_exchange_request(h2o_handler_t *self, h2o_req_t *req)
{
    struct loop *loop = connection_of(req)->loop;
    ++connection_of(req)->requests;
    if (connection_of(req)->brief)
        req->http1_is_persistent = 0;
    if (h2o_memis(req->method.base, req->method.len, H2O_STRLIT("OPTIONS")))
        return send_bytes(req, 200, "application/json", "{}", 2);
    struct request_context *context = h2o_exchange_context(req);
    context->r.likely = context->connection->session;
    context->r.told = &context->connection->told;
    enum dispatch what = dispatch_begin(context, &loop->env->limits);
    context->r.likely = NULL;
    context->r.told = NULL;
    connection_shown(context->connection, &context->r);
    loop_take(loop, context, what);
    return 0;
}

static bool path_is(const h2o_req_t *req, const char *path)
{
    return h2o_memis(req->path.base, req->path.len, path, strlen(path));
}

int h2o_exchange_metrics(h2o_handler_t *self, h2o_req_t *req)
{
    struct metrics *metrics = connection_of(req)->loop->env->server->metrics;
    ++connection_of(req)->requests;
    if (path_is(req, "/health")) {
        int status;
        const char *text = health_text(connection_of(req)->loop->env->server, &status);
        return send_bytes(req, status, "application/json", text, strlen(text));
    }
    if (!path_is(req, "/metrics"))
        return send_bytes(req, 404, "application/json", H2O_STRLIT("{}"));
    struct text page = TEXT_INIT;
    if (metrics != NULL)
        metrics_render(metrics, &page);
    h2o_iovec_t kept = h2o_strdup(&req->pool, page.data, page.len);
    text_finish(&page);
    return send_bytes(req, 200, "text/plain; version=0.0.4; charset=utf-8", kept.base, kept.len);
}
