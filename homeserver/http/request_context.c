#include "homeserver/http/request_context.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "homeserver/accounts/sessions.h"
#include "homeserver/base/clock.h"
#include "homeserver/http/percent.h"
#include "homeserver/http/query.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/router.h"

#define HEADER_MAX 512  /* of a header that is kept; longer ones are cut */
#define TOKEN_MAX 4096  /* a longer one is nobody's */
#define REASON_MAX 2048 /* of Parta-Override-Reason, percent-encoded */

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

/* "Bearer <token>" → the token; its length 0: another scheme, or nothing */
static const char *bearer(const struct request_head *head, size_t *len)
{
    static const char SCHEME[] = "Bearer ";
    const size_t skip = sizeof SCHEME - 1;
    *len = 0;
    if (head->authorization_len <= skip || strncasecmp(head->authorization, SCHEME, skip) != 0)
        return NULL;
    const char *token = head->authorization + skip, *end = head->authorization + head->authorization_len;
    while (token < end && *token == ' ')
        ++token;
    *len = (size_t)(end - token);
    return token;
}

static void put_headers(struct request_context *context, char **to, const struct request_head *head)
{
    size_t token_len;
    const char *token = bearer(head, &token_len);
    if (token_len > 0 && token_len <= TOKEN_MAX && memchr(token, '\0', token_len) == NULL)
        context->r.token = put(to, token, token_len);
    context->r.user_agent =
        head->user_agent_len > 0 ? put(to, head->user_agent, at_most(head->user_agent_len, HEADER_MAX)) : "";
    if (head->content_type_len > 0)
        context->r.content_type = put(to, head->content_type, at_most(head->content_type_len, HEADER_MAX));
}

static const char *put_header(char **to, const char *bytes, size_t len, size_t max)
{
    return bytes != NULL ? put(to, bytes, at_most(len, max)) : NULL;
}

/* What only the school API reads. */
static void put_office(struct request_context *context, char **to, const struct request_head *head)
{
    struct request *r = &context->r;
    if ((r->route->flags & ROUTE_OPERATOR_TOO) == 0)
        return;
    r->office.idempotency_key = put_header(to, head->idempotency_key, head->idempotency_key_len, HEADER_MAX);
    r->office.if_match = put_header(to, head->if_match, head->if_match_len, HEADER_MAX);
    char *reason = *to;
    r->office.override_ = put_header(to, head->override_, head->override_len, REASON_MAX);
    if (r->office.override_ != NULL &&
        (head->override_len > REASON_MAX || percent_decode(reason, reason, strlen(reason), false) < 0))
        *reason = '\0';
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

static bool find_route(struct request_context *context, char **to, const struct router *router)
{
    static const enum error_code ERRORS[] = {
        [ROUTE_UNKNOWN] = ERROR_UNRECOGNIZED,
        [ROUTE_METHOD] = ERROR_METHOD_NOT_ALLOWED,
        [ROUTE_BAD_PATH] = ERROR_INVALID_PARAM,
    };
    struct request *r = &context->r;
    struct path path;
    struct route_hit hit;
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
    size_t room = 2 * (head->path_len + 2) + at_most(head->authorization_len, TOKEN_MAX) +
                  at_most(head->user_agent_len, HEADER_MAX) + at_most(head->content_type_len, HEADER_MAX) +
                  at_most(head->idempotency_key_len, HEADER_MAX) + at_most(head->if_match_len, HEADER_MAX) +
                  at_most(head->override_len, REASON_MAX) + 12;
    char *to = context->strings = xcalloc(1, room);
    put_headers(context, &to, head);
    context->r.path = put(&to, head->path, path_len);
    if (strlen(context->r.path) != path_len)
        refuse(&context->r, ERROR_UNRECOGNIZED, NULL);
    else if (find_route(context, &to, router)) {
        put_office(context, &to, head);
        if (mark != NULL)
            put_query(context, &to, mark + 1, query_len);
    }
}

struct request_context *request_context_create(struct server *server, const struct router *router,
                                               const struct request_head *head)
{
    struct request_context *context = xcalloc(1, sizeof *context);
    context->begun_us = clock_mono_us();
    context->r.server = server;
    context->r.method = head->method;
    context->r.raw_body = head->body != NULL ? head->body : "";
    context->r.raw_body_len = head->body_len;
    if (head->path_len > REQUEST_PATH_MAX) {
        error_set(&context->r.error, ERROR_TOO_LARGE, "The path is too long.");
        context->r.error.status = 414;
        context->r.path = context->strings = xcalloc(1, 1);
        context->r.user_agent = "";
        return context;
    }
    fill(context, router, head);
    return context;
}

void request_context_destroy(struct request_context *context)
{
    if (context == NULL)
        return;
    if (context->r.poll.release != NULL)
        context->r.poll.release(context->r.poll.state);
    json_decref(context->r.body);
    session_unref(context->r.session);
    reply_reset(&context->r.reply);
    free(context->r.written.state);
    free(context->strings);
    free(context);
}
