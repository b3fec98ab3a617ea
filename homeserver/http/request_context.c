#include "homeserver/http/request_context.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "homeserver/base/clock.h"
#include "homeserver/http/credentials.h"
#include "homeserver/base/percent.h"
#include "homeserver/http/principals.h"
#include "homeserver/http/query.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/router.h"
#include "homeserver/http/uploads.h"

#define SPARES_MAX 512   /* 1.2 MiB a loop */
#define TOKEN_MAX 4096   /* a longer one is nobody's */
#define SMALL_BYTES 8192 /* of a reply that is not counted */

enum header_form { HEADER_PLAIN, HEADER_ESCAPED };

static const struct {
    size_t max;
    enum header_form form;
} HEADERS[REQUEST_HEADER__COUNT] = {
#define HEADER_ROW(id, name, max, form) [id] = {max, form},
    REQUEST_HEADERS(HEADER_ROW)
#undef HEADER_ROW
};

const char *const REQUEST_HEADER_NAMES[REQUEST_HEADER__COUNT] = {
#define HEADER_NAME(id, name, max, form) [id] = name,
    REQUEST_HEADERS(HEADER_NAME)
#undef HEADER_NAME
};

/* A piece of context->strings, which was made large enough. */
static char *put(char **to, const char *bytes, size_t len)
{
    char *start = *to;
    memcpy(start, bytes, len);
    start[len] = '\0';
    *to += len + 1;
    return start;
}

static size_t at_most(size_t n, size_t max)
{
    return n < max ? n : max;
}

/* "Bearer <token>"; another scheme, or a token that is no text, is none. */
static void put_token(struct request_context *context, char **to, const struct head_value *authorization)
{
    static const char SCHEME[] = "Bearer ";
    const size_t skip = sizeof SCHEME - 1;
    if (authorization->len <= skip || strncasecmp(authorization->base, SCHEME, skip) != 0)
        return;
    const char *token = authorization->base + skip, *end = authorization->base + authorization->len;
    while (token < end && *token == ' ')
        ++token;
    size_t len = (size_t)(end - token);
    if (len > 0 && len <= TOKEN_MAX && memchr(token, '\0', len) == NULL)
        context->r.token = put(to, token, len);
}

static void put_headers(struct request_context *context, char **to, const struct request_head *head)
{
    for (int i = 0; i < REQUEST_HEADER__COUNT; ++i) {
        const struct head_value *from = &head->headers[i];
        if (from->base == NULL)
            continue;
        char *value = put(to, from->base, at_most(from->len, HEADERS[i].max));
        if (HEADERS[i].form == HEADER_ESCAPED &&
            (from->len > HEADERS[i].max || percent_decode(value, value, strlen(value), false) < 0))
            *value = '\0';
        context->r.headers[i] = value;
    }
}

static bool put_query(struct request_context *context, char **to, const char *query, size_t len)
{
    int n = query_parse(put(to, query, len), len, context->r.query);
    if (n < 0)
        return refuse(&context->r, ERROR_INVALID_PARAM, "The query is not well-formed.");
    context->r.n_query = n;
    if (context->r.token == NULL && query_get(&context->r, "access_token") != NULL &&
        query_get(&context->r, "access_token")[0] != '\0')
        context->r.token = query_get(&context->r, "access_token");
    return true;
}

static bool find_route(struct request_context *context, char **to, const struct router *router,
                       const struct route *likely)
{
    static const enum error_code ERRORS[] = {
        [ROUTE_UNKNOWN] = ERROR_UNRECOGNIZED,
        [ROUTE_METHOD] = ERROR_METHOD_NOT_ALLOWED,
        [ROUTE_BAD_PATH] = ERROR_INVALID_PARAM,
    };
    struct request *r = &context->r;
    struct path path;
    struct route_hit hit;
    /* Whoever polls asks for the same again and again: it need not be looked for when the path is its, letter by
     * letter. */
    if (likely != NULL && likely->method == r->method && strcmp(likely->path, r->path) == 0) {
        r->route = likely;
        return true;
    }
    size_t len = strlen(r->path);
    if (!path_split(&path, r->path, len, *to))
        return refuse(r, ERROR_UNRECOGNIZED, NULL);
    *to += len + 1;
    enum route_match match = router_find(router, &path, r->method, &hit);
    context->allowed = hit.allowed;
    if (match != ROUTE_FOUND)
        return refuse(r, ERRORS[match], match == ROUTE_BAD_PATH ? "The path is not well-formed." : NULL);
    r->route = hit.route;
    r->n_params = hit.n_params;
    memcpy(r->params, hit.params, sizeof r->params);
    return true;
}

static void fill(struct request_context *context, const struct router *router, const struct request_head *head)
{
    const char *mark = memchr(head->path, '?', head->path_len);
    size_t path_len = mark != NULL ? (size_t)(mark - head->path) : head->path_len;
    size_t query_len = mark != NULL ? head->path_len - path_len - 1 : 0;
    size_t room = 2 * (head->path_len + 2) + at_most(head->authorization.len, TOKEN_MAX) + 1;
    for (int i = 0; i < REQUEST_HEADER__COUNT; ++i)
        room += at_most(head->headers[i].len, HEADERS[i].max) + 1;
    char *to = context->strings = room <= sizeof context->near ? context->near : xcalloc(1, room);
    put_token(context, &to, &head->authorization);
    put_headers(context, &to, head);
    context->r.path = put(&to, head->path, path_len);
    if (strlen(context->r.path) != path_len)
        refuse(&context->r, ERROR_UNRECOGNIZED, NULL);
    else if (find_route(context, &to, router, head->likely) && mark != NULL)
        put_query(context, &to, mark + 1, query_len);
}

static struct request_context *take_spare(struct request_spares *spares)
{
    struct request_context *context = spares->first;
    if (context == NULL)
        return xcalloc(1, sizeof *context);
    spares->first = context->user_next;
    --spares->n;
    memset(context, 0, offsetof(struct request_context, r.query));
    memset(&context->r + 1, 0, offsetof(struct request_context, near) - sizeof context->r);
    return context;
}

void request_spares_finish(struct request_spares *spares)
{
    for (struct request_context *context = spares->first, *next; context != NULL; context = next) {
        next = context->user_next;
        free(context);
    }
    *spares = (struct request_spares){0};
}

struct request_context *request_context_create(struct request_spares *spares, struct server *server,
                                               const struct router *router, const struct request_head *head)
{
    struct request_context *context = take_spare(spares);
    context->spares = spares;
    context->begun_us = clock_mono_us();
    context->r.server = server;
    context->r.method = head->method;
    context->r.raw_body = head->body != NULL ? head->body : "";
    context->r.raw_body_len = head->body_len;
    context->r.body_fd = -1;
    if (head->path_len > REQUEST_PATH_MAX) {
        error_set(&context->r.error, ERROR_TOO_LARGE, "The path is too long.");
        context->r.error.status = 414;
        context->r.path = context->strings = context->near;
        context->near[0] = '\0';
        return context;
    }
    fill(context, router, head);
    return context;
}

static size_t reply_bytes(const struct request_context *context)
{
    const struct reply *reply = &context->r.reply;
    return reply->file != NULL ? REPLY_PIECE_BYTES : reply->body.len;
}

bool request_context_is_small(const struct request_context *context)
{
    return reply_bytes(context) <= SMALL_BYTES;
}

void request_context_keep(struct request_context *context, size_t times)
{
    size_t bytes = times * reply_bytes(context);
    if (context->principal == NULL || bytes <= SMALL_BYTES || bytes <= context->kept_bytes)
        return;
    principal_keep(context->principal, (ptrdiff_t)(bytes - context->kept_bytes));
    context->kept_bytes = bytes;
}

void request_context_destroy(struct request_context *context)
{
    if (context == NULL)
        return;
    if (context->r.poll.release != NULL)
        context->r.poll.release(context->r.poll.state);
    json_decref(context->r.body);
    identity_finish(&context->r.identity);
    reply_reset(&context->r.reply);
    free(context->r.written.state);
    upload_end(context->upload);
    if (context->kept_bytes > 0)
        principal_keep(context->principal, -(ptrdiff_t)context->kept_bytes);
    principal_unref(context->principal);
    if (context->strings != context->near)
        free(context->strings);
    if (context->spares->n == SPARES_MAX) {
        free(context);
        return;
    }
    context->user_next = context->spares->first;
    context->spares->first = context;
    ++context->spares->n;
}
