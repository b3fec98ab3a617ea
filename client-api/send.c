/* Sending events: messages, state, redactions (Client-Server API, "Sending events to a room", "Redactions"). */
#include <string.h>

#include "client-api/routes.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/aliases.h"
#include "homeserver/rooms/append.h"
#include "homeserver/rooms/membership.h"
#include "homeserver/store/writer.h"

struct sending {
    struct rooms *rooms;
    const char *room_id;
    struct draft draft;
    struct appended out;
};

/* Whether this transaction id was used here before: then the answer is what it was. */
static bool sent_before(struct sending *s, struct tx *tx, const struct room *room)
{
    struct event_row row;
    const struct draft *d = &s->draft;
    if (d->txn_id == NULL)
        return false;
    stream_pos pos = transactions_find(tx->db, d->device, room->no, d->redacts != NULL, d->txn_id);
    if (pos == 0)
        return false;
    struct stmt *q = events_by_pos(tx->db, pos);
    bool found = events_next(q, &row);
    if (found)
        strcpy(s->out.event_id, row.event_id);
    stmt_end(q);
    return found;
}

static bool send_job(struct tx *tx, void *arg, struct error *e)
{
    struct sending *s = arg;
    struct room *room = room_open_by_id(s->rooms, tx, s->room_id, e);
    if (room == NULL)
        return false;
    if (sent_before(s, tx, room))
        return true;
    if (s->draft.state_key == NULL)
        return append_event(room, tx, &s->draft, &s->out, e);
    if (strcmp(s->draft.type, "m.room.member") == 0)
        return membership_write(room, tx, &s->draft, &s->out, e);
    return aliases_check_state(room, tx, &s->draft, e) && append_state(room, tx, &s->draft, &s->out, e);
}

static bool send(struct request *r, struct sending *s)
{
    s->rooms = r->server->rooms;
    s->room_id = r->params[0];
    s->draft.sender = r->session->user;
    s->draft.device = r->session->device;
    if (s->draft.txn_id != NULL && strlen(s->draft.txn_id) > ID_BYTES_MAX)
        return refuse(r, ERROR_INVALID_PARAM, "The transaction id is too long.");
    if (!writer_run(r->server->writer, send_job, s, &r->error))
        return false;
    return reply_json(r, json_pack("{s:s}", "event_id", s->out.event_id));
}

/* A redaction sent as an event names its target in the content; redact_event (below) names it in the path. */
static bool send_message(struct request *r)
{
    struct sending s = {.draft = {.type = r->params[1], .txn_id = r->params[2], .content = r->body}};
    if (strcmp(s.draft.type, "m.room.redaction") == 0 && !body_string(r, "redacts", &s.draft.redacts))
        return false;
    return send(r, &s);
}

static bool send_state(struct request *r)
{
    struct sending s = {.draft = {.type = r->params[1], .content = r->body}};
    s.draft.state_key = r->n_params > 2 ? r->params[2] : "";
    if (strcmp(s.draft.type, "m.room.create") == 0)
        return refuse(r, ERROR_FORBIDDEN, "A room is created once.");
    return send(r, &s);
}

static bool redact_event(struct request *r)
{
    const char *reason;
    struct sending s = {.draft = {.type = "m.room.redaction", .redacts = r->params[1], .txn_id = r->params[2]}};
    if (!body_string_or(r, "reason", NULL, &reason))
        return false;
    json_t *content = json_pack("{s:s}", "redacts", r->params[1]);
    if (reason != NULL)
        json_object_set_new(content, "reason", json_string(reason));
    s.draft.content = content;
    bool done = send(r, &s);
    json_decref(content);
    return done;
}

#define FLAGS (ROUTE_AUTH | ROUTE_BODY)
static const struct route TABLE[] = {
    {HTTP_PUT, "/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}", send_message, FLAGS, RATE_MESSAGE, "sendMessage"},
    {HTTP_PUT, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", send_state, FLAGS, RATE_MESSAGE,
     "setRoomStateWithKey"},
    {HTTP_PUT, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}", send_state, FLAGS, RATE_MESSAGE, NULL},
    {HTTP_PUT, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/", send_state, FLAGS, RATE_MESSAGE, NULL},
    {HTTP_PUT, "/_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}", redact_event, FLAGS, RATE_MESSAGE, "redactEvent"},
};
const struct routes SEND_ROUTES = ROUTES(TABLE);
