/* Client-Server API, "Receipts" and "Read and unread markers". */
#include <string.h>

#include "client-api/routes.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/sync/receipts.h"
#include "homeserver/sync/sync_service.h"

static bool mark(struct request *r, const struct marks *marks)
{
    return receipts_mark(r->server->writer, r->server->rooms, r->server->sync->recent_receipts, marks, &r->error) &&
           reply_empty(r);
}

static bool check_thread(struct request *r, const struct marks *marks)
{
    const json_t *thread = json_object_get(r->body, "thread_id");
    if (thread == NULL)
        return true;
    if (!json_is_string(thread) || json_string_length(thread) == 0 || json_string_length(thread) > ID_BYTES_MAX)
        return refuse(r, ERROR_INVALID_PARAM, "thread_id must be a non-empty string.");
    return marks->fully_read == NULL || refuse(r, ERROR_INVALID_PARAM, "m.fully_read is not kept by thread.");
}

static bool post_receipt(struct request *r)
{
    struct marks marks = {.room_id = r->params[0], .user = r->identity.user};
    const struct {
        const char *type;
        const char **at;
    } types[] = {{"m.read", &marks.read}, {"m.read.private", &marks.read_private}, {"m.fully_read", &marks.fully_read}};
    bool known = false;
    for (size_t i = 0; i < sizeof types / sizeof *types; ++i)
        if (strcmp(r->params[1], types[i].type) == 0) {
            *types[i].at = r->params[2];
            known = true;
        }
    if (!known)
        return refuse(r, ERROR_INVALID_PARAM, "The receipt type is not one of m.read, m.read.private, m.fully_read.");
    if (!check_thread(r, &marks))
        return false;
    marks.thread = json_get_string(r->body, "thread_id");
    return mark(r, &marks);
}

static bool post_read_markers(struct request *r)
{
    struct marks marks = {.room_id = r->params[0], .user = r->identity.user};
    return body_string_or(r, "m.fully_read", NULL, &marks.fully_read) &&
           body_string_or(r, "m.read", NULL, &marks.read) &&
           body_string_or(r, "m.read.private", NULL, &marks.read_private) && mark(r, &marks);
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}", post_receipt,
     ROUTE_AUTH | ROUTE_BODY, RATE_WRITE, "postReceipt"},
    {HTTP_POST, "/_matrix/client/v3/rooms/{roomId}/read_markers", post_read_markers, ROUTE_AUTH | ROUTE_BODY,
     RATE_WRITE, "setReadMarker"},
};
const struct routes RECEIPT_ROUTES = ROUTES(TABLE);
