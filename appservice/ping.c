/* Pings: whether the server reaches the application service that asks (Application Service API, "Pinging"). */
#include <string.h>

#include "appservice/ask.h"
#include "appservice/registry.h"
#include "appservice/routes.h"
#include "homeserver/base/clock.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

#define BODY_SHOWN 1024 /* bytes of what a service answered instead */

/* The errcode's own members come beside it: status and body. */
static bool reply_bad_status(struct request *r, const struct outgoing_reply *answer)
{
    size_t len = answer->body.len < BODY_SHOWN ? answer->body.len : BODY_SHOWN;
    while (len > 0 && !utf8_valid(answer->body.data, len))
        --len;
    return reply_status(r, 502) &&
           reply_json(r, json_pack("{s:s, s:s, s:I, s:s%}", "errcode", "M_BAD_STATUS", "error",
                                   "The application service answered something else than 200.", "status",
                                   (json_int_t)answer->status, "body", answer->body.data, len));
}

static bool reply_answer(struct request *r, const struct outgoing_reply *answer, int64_t took_ms)
{
    if (answer->status == 200)
        return reply_json(r, json_pack("{s:I}", "duration_ms", (json_int_t)took_ms));
    if (answer->fault == OUTGOING_ANSWERED)
        return reply_bad_status(r, answer);
    return refuse(r, took_ms > ASK_MS * 9 / 10 ? ERROR_CONNECTION_TIMEOUT : ERROR_CONNECTION_FAILED, NULL);
}

static bool ping(struct request *r, const struct registration_file *service)
{
    const char *txn;
    if (!body_string_or(r, "transaction_id", NULL, &txn))
        return false;
    if (service->url == NULL)
        return refuse(r, ERROR_URL_NOT_SET, NULL);
    json_t *body = json_pack("{s:s*}", "transaction_id", txn);
    int64_t from_ms = clock_mono_ms();
    struct ask ask = {.service = service, .method = "POST", .path = "/ping", .body = body};
    ask_all(r->server, &ask, 1, from_ms + ASK_MS);
    json_decref(body);
    bool done = reply_answer(r, &ask.reply, clock_mono_ms() - from_ms);
    outgoing_reply_finish(&ask.reply);
    return done;
}

static bool post_ping(struct request *r)
{
    if (r->identity.service == NULL || strcmp(r->identity.service, r->params[0]) != 0)
        return refuse(r, ERROR_FORBIDDEN, "Only this application service itself can ask for that.");
    struct appservices *set = registry_get(r->server->appservices);
    const struct registration_file *service = appservices_by_id(set, r->identity.service);
    bool done = service != NULL ? ping(r, service) : refuse(r, ERROR_UNKNOWN_TOKEN, NULL);
    appservices_unref(set);
    return done;
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v1/appservice/{appserviceId}/ping", post_ping, ROUTE_AUTH | ROUTE_BODY, RATE_READ,
     "pingAppservice"},
};
const struct routes PING_ROUTES = ROUTES(TABLE);
