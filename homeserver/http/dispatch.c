#include "homeserver/http/dispatch.h"

#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/http/credentials.h"
#include "homeserver/http/form.h"
#include "homeserver/http/limits.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/router.h"
#include "homeserver/http/server.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/sync/hub.h"

#define PREPARED_BYTES_MAX 16384 /* of a body that the loop parses itself (ROUTE_PREPARES) */
#define OVERFLOW_WAIT_MS 2000
#define UNREAD_WAIT_MS 5000 /* until somebody is asked to come back who has not read what they were told */

/* RFC 9110, 15.5.6 */
static void allow(struct request_context *context)
{
    struct text list = TEXT_INIT;
    for (int i = 0; i < HTTP_METHOD__COUNT; ++i)
        if ((context->allowed & 1u << i) != 0)
            text_addf(&list, "%s, ", method_name((enum http_method)i));
    text_adds(&list, "OPTIONS");
    reply_header(&context->r, "allow", list.data);
    text_finish(&list);
}

static enum dispatch refused(struct request_context *context)
{
    reply_error(&context->r);
    if (context->r.reply.status == 405)
        allow(context);
    return DISPATCH_ANSWER;
}

/* An account that may not act may still use ROUTE_LOCKED_TOO routes. */
static bool check_account(struct request *r)
{
    switch (r->identity.state) {
    case ACCOUNT_LOCKED:
        refuse(r, ERROR_USER_LOCKED, NULL);
        r->error.soft_logout = true; /* the device is kept until the account is unlocked */
        return false;
    case ACCOUNT_PENDING: return refuse(r, ERROR_FORBIDDEN, "This account waits to be confirmed by the school.");
    case ACCOUNT_LEFT: return refuse(r, ERROR_USER_DEACTIVATED, NULL);
    default: return true;
    }
}

/* Everything that depends on who asks, once that is known. */
static bool admit(struct request *r)
{
    if (r->identity.user != 0 && (r->route->flags & ROUTE_LOCKED_TOO) == 0 && !check_account(r))
        return false;
    if (r->identity.kind != NULL && r->identity.user == 0 && (r->route->flags & ROUTE_PEOPLE) != 0)
        return refuse(r, ERROR_FORBIDDEN, "Only a person, signed in, can do this.");
    credential_used(r);
    int64_t wait_ms = credential_rate(r, clock_mono_ms());
    return wait_ms == 0 || error_set_limited(&r->error, wait_ms);
}

static bool check_size(struct request_context *context, const struct dispatch_limits *limits)
{
    struct request *r = &context->r;
    size_t max = r->route->body_max != NULL ? r->route->body_max(r->server) : limits->body_max;
    return r->raw_body_len + context->body_to_come <= max || refuse(r, ERROR_TOO_LARGE, NULL);
}

static bool asks_before_body(const struct request_context *context)
{
    return context->body_to_come > 0 && context->r.route->body_may != NULL;
}

enum dispatch dispatch_begin(struct request_context *context, const struct dispatch_limits *limits)
{
    struct request *r = &context->r;
    if (r->error.code != ERROR_NONE)
        return refused(context);
    if ((r->route->flags & ROUTE_ON_LOOP) != 0)
        return r->route->handle(r) ? DISPATCH_ANSWER : refused(context);
    bool found;
    if (!check_size(context, limits) || !credential_find(r, &found))
        return refused(context);
    if (!found)
        return DISPATCH_IDENTIFY;
    if (!admit(r))
        return refused(context);
    if (asks_before_body(context)) {
        context->admitted = true;
        return DISPATCH_IDENTIFY;
    }
    return context->body_to_come > 0 ? DISPATCH_BODY : dispatch_body(context);
}

enum dispatch dispatch_identified(struct request_context *context)
{
    if (context->r.reply.status != 0)
        return DISPATCH_ANSWER;
    return context->body_to_come > 0 ? DISPATCH_BODY : dispatch_body(context);
}

enum dispatch dispatch_body(struct request_context *context)
{
    struct request *r = &context->r;
    const struct long_poll_hooks *poll = r->route->poll;
    if (poll != NULL && poll->wait(r))
        return DISPATCH_PARK;
    if (poll != NULL && poll->missed != NULL && poll->missed(r))
        return DISPATCH_NEWS;
    if ((r->route->flags & ROUTE_PREPARES) != 0 && r->raw_body_len <= PREPARED_BYTES_MAX)
        return dispatch_work(context, NULL) ? DISPATCH_ANSWER : DISPATCH_WRITE;
    return DISPATCH_WORK;
}

enum dispatch dispatch_no_body(struct request_context *context, enum error_code code)
{
    if (code == ERROR_LIMIT_EXCEEDED)
        error_set_limited(&context->r.error, OVERFLOW_WAIT_MS);
    else
        refuse(&context->r, code, NULL);
    return refused(context);
}

enum dispatch dispatch_again(struct request_context *context)
{
    struct request *r = &context->r;
    if (!r->poll.again)
        return DISPATCH_ANSWER;
    r->poll.again = false;
    return hub_last_change(r->server->hub, r->poll.user) > r->poll.since ? DISPATCH_WORK : DISPATCH_PARK;
}

enum dispatch dispatch_news(struct request_context *context, struct wake *wake)
{
    struct request *r = &context->r;
    if (!credential_holds(r)) { /* signed out, locked or merely forgotten meanwhile: a worker finds out */
        return DISPATCH_IDENTIFY;
    }
    if (wake->pos <= r->poll.since)
        return DISPATCH_PARK; /* an old wake: what it tells was there when the request was parked. The hub may know of
                               * more already, but whose wake is still to come */
    if (!r->route->poll->answer(r, wake))
        return wake->pos <= r->poll.since ? DISPATCH_PARK : DISPATCH_WORK;
    if (r->error.code != ERROR_NONE)
        reply_error(r);
    return DISPATCH_NEWS;
}

void dispatch_expire(struct request_context *context)
{
    struct request *r = &context->r;
    r->route->poll->expire(r);
    if (r->error.code != ERROR_NONE)
        reply_error(r);
}

void dispatch_unread(struct request_context *context)
{
    struct request *r = &context->r;
    if (context->was_parked) {
        dispatch_expire(context);
        return;
    }
    error_set_limited(&r->error, UNREAD_WAIT_MS);
    reply_error(r);
}

enum pool_kind dispatch_kind(struct request_context *context)
{
    static const enum pool_kind KINDS[RATE__COUNT] = {
        [RATE_NONE] = POOL_PLAIN,       [RATE_READ] = POOL_HEAVY,     [RATE_WRITE] = POOL_LIGHT,
        [RATE_MESSAGE] = POOL_LIGHT,    [RATE_ROOM] = POOL_PLAIN,     [RATE_LOGIN] = POOL_PLAIN,
        [RATE_ACCOUNT] = POOL_PLAIN,    [RATE_REGISTER] = POOL_PLAIN, [RATE_CODES] = POOL_PLAIN,
        [RATE_APPSERVICE] = POOL_PLAIN, [RATE_OPERATOR] = POOL_PLAIN,
    };
    struct request *r = &context->r;
    bool costs = r->route->poll != NULL && r->route->poll->costs != NULL && r->route->poll->costs(r);
    return costs ? POOL_HEAVY : KINDS[r->route->rate];
}

void dispatch_overflow(struct request_context *context, enum pool_outcome outcome, int64_t wait_ms)
{
    struct request *r = &context->r;
    if (outcome != POOL_CLOSED && (outcome == POOL_SHARE_FULL || (r->route->flags & ROUTE_HASH) != 0)) {
        error_set_limited(&r->error, wait_ms);
    } else {
        refuse(r, ERROR_UNAVAILABLE, NULL);
        r->error.retry_after_ms = wait_ms > 0 ? wait_ms : OVERFLOW_WAIT_MS;
    }
    reply_error(r);
}

static bool parse_body(struct request *r)
{
    bool form = (r->route->flags & ROUTE_FORM) != 0;
    if ((r->route->flags & ROUTE_BODY) == 0 || r->body != NULL)
        return true;
    if (form)
        r->body = form_parse(r->headers[HEADER_CONTENT_TYPE], r->raw_body, r->raw_body_len, &r->error);
    else
        r->body = r->raw_body_len > 0 ? json_parse(r->raw_body, r->raw_body_len, &r->error) : json_object();
    if (r->body == NULL || (form && (r->route->flags & ROUTE_HTML) != 0 && !r->server->pages->form_taken(r)))
        return false;
    return json_is_object(r->body) || (r->route->flags & ROUTE_BODY_ANY) != 0 ||
           refuse(r, ERROR_BAD_JSON, "The body is not a JSON object.");
}

/* A handler's answer against what is true: a database that failed under it, an error set in spite of "true". */
static void check_outcome(struct request *r, bool handled)
{
    if (r->db != NULL && db_failed(r->db)) {
        db_settle(r->db);
        r->error = (struct error){.code = ERROR_UNKNOWN};
        handled = false;
    }
    if (!handled && r->reply.complete && r->error.code == ERROR_NONE)
        return;
    if (handled && !r->poll.again && r->written.kind == NULL)
        handled = request_strict(r);
    if (!handled && r->error.code == ERROR_NONE) {
        log_error("http", "handler of %s failed without saying why", r->route->path);
        refuse(r, ERROR_UNKNOWN, NULL);
    }
    if (r->error.code == ERROR_NONE)
        return;
    r->poll.again = false;
    reply_error(r);
}

void dispatch_identify(struct request_context *context, struct db *db)
{
    struct request *r = &context->r;
    r->db = db;
    r->error = (struct error){0};
    bool known = (context->admitted || (credential_load(r, db) && admit(r))) &&
                 (!asks_before_body(context) || r->route->body_may(r, context->body_to_come));
    if (!known || db_failed(db))
        check_outcome(r, false);
    r->db = NULL;
}

static void drop_body(struct request *r)
{
    json_decref(r->body);
    r->body = NULL;
}

bool dispatch_work(struct request_context *context, struct db *db)
{
    struct request *r = &context->r;
    r->db = db;
    r->error = (struct error){0};
    bool handled = parse_body(r) && r->route->handle(r);
    if (handled && r->written.kind != NULL && !(db != NULL && db_failed(db))) {
        r->db = NULL;
        return false;
    }
    check_outcome(r, handled);
    drop_body(r); /* no JSON crosses threads */
    r->db = NULL;
    return true;
}

void dispatch_written(struct request_context *context, bool written)
{
    struct request *r = &context->r;
    check_outcome(r, written && r->written.kind->finish(r));
    drop_body(r);
}
