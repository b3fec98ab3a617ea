/* Thread subscriptions (MSC4306), and paging through their changes (MSC4308): under the names of the proposals. */
#include <stdlib.h>

#include "client-api/room_access.h"
#include "client-api/routes.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/acts/subscribe_thread.h"
#include "homeserver/rooms/read/subscribed_threads.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/thread_subscriptions.h"

static bool choose(struct request *r, bool subscribe, const char *cause)
{
    const struct thread_choice choice = {.room_id = r->params[0],
                                         .root = r->params[1],
                                         .user = r->identity.user,
                                         .user_id = r->identity.user_id,
                                         .subscribe = subscribe,
                                         .cause = cause};
    return thread_choose(r->server->writer, r->server->rooms, &choice, &r->error) && reply_empty(r);
}

static bool put_subscription(struct request *r)
{
    const char *cause;
    return body_string_or(r, "automatic", NULL, &cause) && choose(r, true, cause);
}

static bool delete_subscription(struct request *r)
{
    return choose(r, false, NULL);
}

static bool show(struct request *r, struct room_access *reading)
{
    struct thread_subscription_row row;
    struct event_row *root = room_access_event(r, reading, r->params[1]);
    bool found = root != NULL && thread_subscriptions_get(r->db, r->identity.user, root->pos, &row) &&
                 row.state != THREAD_UNSUBSCRIBED;
    free(root);
    if (!found)
        return refuse(r, ERROR_NOT_FOUND, "You are not subscribed to such a thread.");
    return reply_json(r, json_pack("{s:b}", "automatic", row.state == THREAD_AUTOMATIC));
}

static bool get_subscription(struct request *r)
{
    return room_access_room(r, ERROR_NOT_FOUND, show);
}

static bool get_subscriptions(struct request *r)
{
    bool backwards;
    stream_pos rest;
    struct text out = TEXT_INIT;
    struct subscribed_threads_query query = {
        .school_mode = room_access_school_mode(r), .user = r->identity.user, .user_id = r->identity.user_id};
    if (!room_access_direction(r, NULL, &backwards) ||
        !room_access_token(r, "from", writer_pos(r->server->writer), &query.upto) ||
        !room_access_token(r, "to", 0, &query.after) ||
        !query_int(r, "limit", SUBSCRIBED_THREADS_MAX, 1, SUBSCRIBED_THREADS_MAX, &query.limit))
        return false;
    if (!backwards)
        return refuse_parameter(r, ERROR_INVALID_PARAM, "dir", "Only dir=b is known here.");
    db_begin_read(r->db);
    text_addc(&out, '{');
    subscribed_threads_add(&out, r->db, &query, &rest);
    db_end_read(r->db);
    if (rest != 0) {
        text_adds(&out, out.len > 1 ? ",\"end\":\"" : "\"end\":\"");
        room_access_add_token(r, &out, rest);
        text_addc(&out, '"');
    }
    text_addc(&out, '}');
    return reply_text(r, &out);
}

#define SUBSCRIPTION "/_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription"

static const struct route TABLE[] = {
    {HTTP_GET, SUBSCRIPTION, get_subscription, ROUTE_AUTH, RATE_NONE},
    {HTTP_PUT, SUBSCRIPTION, put_subscription, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE},
    {HTTP_DELETE, SUBSCRIPTION, delete_subscription, ROUTE_AUTH, RATE_WRITE},
    {HTTP_GET, "/_matrix/client/unstable/io.element.msc4308/thread_subscriptions", get_subscriptions, ROUTE_AUTH,
     RATE_READ},
};
const struct routes THREAD_SUBSCRIPTION_ROUTES = ROUTES(TABLE);
