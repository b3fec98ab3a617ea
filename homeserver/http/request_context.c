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

/* A piece of call->strings, which was made large enough. */
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
static const char *bearer(const struct call_head *head, size_t *len)
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

static void put_headers(struct call *call, char **to, const struct call_head *head)
{
    size_t token_len;
    const char *token = bearer(head, &token_len);
    if (token_len > 0 && token_len <= TOKEN_MAX && memchr(token, '\0', token_len) == NULL)
        call->r.token = put(to, token, token_len);
    call->r.user_agent =
        head->user_agent_len > 0 ? put(to, head->user_agent, at_most(head->user_agent_len, HEADER_MAX)) : "";
    if (head->content_type_len > 0)
        call->r.content_type = put(to, head->content_type, at_most(head->content_type_len, HEADER_MAX));
}

static const char *put_header(char **to, const char *bytes, size_t len, size_t max)
{
    return bytes != NULL ? put(to, bytes, at_most(len, max)) : NULL;
}

/* What only the school API reads. */
static void put_office(struct call *call, char **to, const struct call_head *head)
{
    struct request *r = &call->r;
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

static bool put_query(struct call *call, char **to, const char *query, size_t len)
{
    int n = query_parse(put(to, query, len), len, call->r.query);
    if (n < 0)
        return refuse(&call->r, ERROR_INVALID_PARAM, "The query is not well-formed.");
    call->r.n_query = n;
    if (call->r.token == NULL && query_get(&call->r, "access_token") != NULL &&
        query_get(&call->r, "access_token")[0] != '\0')
        call->r.token = query_get(&call->r, "access_token");
    return true;
}

static bool find_route(struct call *call, char **to, const struct router *router)
{
    static const enum error_code ERRORS[] = {
        [ROUTE_UNKNOWN] = ERROR_UNRECOGNIZED,
        [ROUTE_METHOD] = ERROR_METHOD_NOT_ALLOWED,
        [ROUTE_BAD_PATH] = ERROR_INVALID_PARAM,
    };
    struct request *r = &call->r;
    struct path path;
    struct route_hit hit;
    size_t len = strlen(r->path);
    if (!path_split(&path, r->path, len, *to))
        return refuse(r, ERROR_UNRECOGNIZED, NULL);
    *to += len + 1;
    enum route_match match = router_find(router, &path, r->method, &hit);
    call->allowed = hit.allowed;
    if (match != ROUTE_FOUND)
        return refuse(r, ERRORS[match], match == ROUTE_BAD_PATH ? "The path is not well-formed." : NULL);
    r->route = hit.route;
    r->n_params = hit.n_params;
    memcpy(r->params, hit.params, sizeof r->params);
    return true;
}

static void fill(struct call *call, const struct router *router, const struct call_head *head)
{
    const char *mark = memchr(head->path, '?', head->path_len);
    size_t path_len = mark != NULL ? (size_t)(mark - head->path) : head->path_len;
    size_t query_len = mark != NULL ? head->path_len - path_len - 1 : 0;
    size_t room = 2 * (head->path_len + 2) + at_most(head->authorization_len, TOKEN_MAX) +
                  at_most(head->user_agent_len, HEADER_MAX) + at_most(head->content_type_len, HEADER_MAX) +
                  at_most(head->idempotency_key_len, HEADER_MAX) + at_most(head->if_match_len, HEADER_MAX) +
                  at_most(head->override_len, REASON_MAX) + 12;
    char *to = call->strings = xcalloc(1, room);
    put_headers(call, &to, head);
    call->r.path = put(&to, head->path, path_len);
    if (strlen(call->r.path) != path_len)
        refuse(&call->r, ERROR_UNRECOGNIZED, NULL);
    else if (find_route(call, &to, router)) {
        put_office(call, &to, head);
        if (mark != NULL)
            put_query(call, &to, mark + 1, query_len);
    }
}

struct call *call_create(struct server *server, const struct router *router, const struct call_head *head)
{
    struct call *call = xcalloc(1, sizeof *call);
    call->begun_us = clock_mono_us();
    call->r.server = server;
    call->r.method = head->method;
    call->r.raw_body = head->body != NULL ? head->body : "";
    call->r.raw_body_len = head->body_len;
    if (head->path_len > CALL_PATH_MAX) {
        error_set(&call->r.error, ERROR_TOO_LARGE, "The path is too long.");
        call->r.error.status = 414;
        call->r.path = call->strings = xcalloc(1, 1);
        call->r.user_agent = "";
        return call;
    }
    fill(call, router, head);
    return call;
}

void call_destroy(struct call *call)
{
    if (call == NULL)
        return;
    if (call->r.park.release != NULL)
        call->r.park.release(call->r.park.state);
    json_decref(call->r.body);
    session_unref(call->r.session);
    reply_reset(&call->r.reply);
    free(call->r.written.state);
    free(call->strings);
    free(call);
}
