/* Sending events: messages, state, redactions (Client-Server API, "Sending events to a room", "Redactions").
 *
 * In a school's quiet hours (F3) the reply may carry "org.parta.notice": {"rule", "held", "ru", "en"}: a sentence for
 * the sender. Held: event_id is a placeholder ("$held…"), the message is delivered when quiet hours are over, with the
 * same transaction id, so that the sender's client knows it by its echo; the placeholder goes on being good for edits,
 * reactions, replies and redactions (rooms/events/held_ids.h).
 *
 * Scripts and bots send by POST, without a transaction id, as the Client-Server API had it at first. */
#include <string.h>

#include "client-api/routes.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/rooms/acts/redaction.h"
#include "homeserver/store/matrix/delayed_messages.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/transactions.h"
#include "homeserver/store/matrix/user_names.h"

struct sending {
    struct rooms *rooms;
    const char *room_id;
    struct draft draft;
    struct appended out;
    char rel_types[]; /* of a redaction: what relates so goes with it (rooms/acts/redaction.h) */
};

/* Whether this transaction id was used at this path before: then the answer is what it was. */
static bool sent_before(struct sending *s, struct tx *tx, const struct room *room)
{
    struct event_row row;
    const struct draft *d = &s->draft;
    if (d->txn_id == NULL)
        return false;
    stream_pos pos = transactions_find(tx->db, d->device, room->no, d->about, d->txn_id);
    if (pos == 0) /* unless it waits for the end of quiet hours (F3) */
        return delayed_messages_find(tx->db, d->device, room->no, d->about, d->txn_id, s->out.event_id);
    struct stmt *q = events_by_pos(tx->db, pos);
    bool found = events_next(q, &row);
    if (found)
        strcpy(s->out.event_id, row.event_id);
    stmt_end(q);
    return found;
}

/* *room: where it is to be written; NULL: it was sent before, and s->out says as what. false: *e. */
static bool begin_sending(struct sending *s, struct tx *tx, struct room **room, struct error *e)
{
    s->out = (struct appended){0};
    *room = gate_open(s->rooms, tx, s->room_id, s->draft.sender, e);
    if (*room == NULL)
        return false;
    if (sent_before(s, tx, *room))
        *room = NULL;
    return true;
}

static bool job_message(struct tx *tx, void *arg, struct error *e)
{
    struct sending *s = arg;
    struct room *room;
    return begin_sending(s, tx, &room, e) && (room == NULL || append_event(room, tx, &s->draft, &s->out, e));
}

static bool job_state(struct tx *tx, void *arg, struct error *e)
{
    struct sending *s = arg;
    struct room *room;
    bool member = strcmp(s->draft.type, "m.room.member") == 0;
    return begin_sending(s, tx, &room, e) &&
           (room == NULL || (member ? membership_write : append_state)(room, tx, &s->draft, &s->out, e));
}

static bool job_redaction(struct tx *tx, void *arg, struct error *e)
{
    struct sending *s = arg;
    struct room *room;
    return begin_sending(s, tx, &room, e) &&
           (room == NULL || redaction_act(room, tx, &s->draft, s->rel_types, &s->out, e));
}

static bool reply_sent(struct request *r)
{
    const struct sending *s = r->written.state;
    const struct verdict *notice = &s->out.notice;
    struct text plain = TEXT_INIT;
    if (notice->rule != NULL && *notice->rule != '\0')
        return reply_json(r, json_pack("{s:s, s:{s:s, s:b, s:s, s:s}}", "event_id", s->out.event_id, "org.parta.notice",
                                       "rule", notice->rule, "held", notice->kind == VERDICT_HOLD, "ru",
                                       notice->sentence_ru, "en", notice->sentence_en));
    text_adds(&plain, "{\"event_id\":");
    text_add_json(&plain, s->out.event_id);
    text_addc(&plain, '}');
    return reply_text(r, &plain);
}

/* What a message's job does follows from the database and its draft, and of its struct sending it writes only out. The
 * others are few, and run once. */
static const struct write_kind MESSAGE = {job_message, reply_sent, .repeatable = true};
static const struct write_kind STATE = {job_state, reply_sent};
static const struct write_kind REDACTION = {job_redaction, reply_sent};

/* content: r->body, which lives until the reply is made; rel_types is copied. */
static bool send_with(struct request *r, const struct draft *draft, const struct text *rel_types)
{
    if (draft->txn_id != NULL && strlen(draft->txn_id) > ID_BYTES_MAX)
        return refuse(r, ERROR_INVALID_PARAM, "The transaction id is too long.");
    struct sending *s = xcalloc(1, sizeof *s + rel_types->len + 1);
    const struct write_kind *kind = draft->redacts != NULL ? &REDACTION : draft->state_key != NULL ? &STATE : &MESSAGE;
    user_names_committed(r->server->names, r->identity.user);
    s->rooms = r->server->rooms;
    s->room_id = r->params[0];
    s->draft = *draft;
    s->draft.content = r->body;
    s->draft.sender = r->identity.user;
    s->draft.device = r->identity.device;
    s->draft.about = r->params[1];
    if (rel_types->len != 0)
        memcpy(s->rel_types, rel_types->data, rel_types->len);
    return reply_when_written(r, kind, s);
}

/* An application service may say when it happened ("Timestamp massaging"). */
static bool send(struct request *r, struct draft *draft)
{
    const struct text none = TEXT_INIT;
    if (r->identity.service != NULL && !query_int(r, "ts", 0, 1, INT64_MAX, &draft->ts))
        return false;
    if (draft->ts > JSON_INT_MAX)
        return refuse_parameter(r, ERROR_INVALID_PARAM, "ts", "This is no origin_server_ts.");
    return send_with(r, draft, &none);
}

/* A redaction sent as an event names its target in the content; redact_event (below) names it in the path. Without a
 * transaction id (POST) each request is an event of its own. */
static bool send_message(struct request *r)
{
    struct draft draft = {.type = r->params[1], .txn_id = r->n_params > 2 ? r->params[2] : NULL};
    if (strcmp(draft.type, "m.room.redaction") == 0 && !body_string(r, "redacts", &draft.redacts))
        return false;
    return send(r, &draft);
}

static bool send_state(struct request *r)
{
    struct draft draft = {.type = r->params[1], .state_key = r->n_params > 2 ? r->params[2] : ""};
    if (strcmp(draft.type, "m.room.create") == 0)
        return refuse(r, ERROR_FORBIDDEN, "A room is created once.");
    return send(r, &draft);
}

#define REL_TYPES_MAX 50

/* By MSC3912's names; appended to out. */
static bool read_rel_types(struct request *r, struct text *out)
{
    static const char *const NAMES[] = {"with_rel_types", "org.matrix.msc3912.with_relations"};
    json_t *list = NULL, *one;
    size_t i;
    for (i = 0; list == NULL && i < sizeof NAMES / sizeof *NAMES; ++i)
        if (!body_array_or_null(r, NAMES[i], &list))
            return false;
    if (json_array_size(list) > REL_TYPES_MAX)
        return refuse(r, ERROR_INVALID_PARAM, "So many types of relations are not redacted at once.");
    json_array_foreach(list, i, one) {
        const char *name = json_string_value(one);
        if (name == NULL || *name == '\0' || strlen(name) > ID_BYTES_MAX)
            return refuse(r, ERROR_BAD_JSON, "A type of relation is a string.");
        text_add(out, name, strlen(name) + 1);
    }
    return true;
}

static bool redact_event(struct request *r)
{
    const char *reason;
    struct text rel_types = TEXT_INIT;
    struct draft draft = {.type = "m.room.redaction", .redacts = r->params[1], .txn_id = r->params[2]};
    bool good = body_string_or(r, "reason", NULL, &reason) && read_rel_types(r, &rel_types);
    if (good) {
        json_t *content = json_pack("{s:s}", "redacts", r->params[1]);
        if (reason != NULL)
            json_object_set_new(content, "reason", json_string(reason));
        json_decref(r->body);
        r->body = content;
        good = send_with(r, &draft, &rel_types);
    }
    text_finish(&rel_types);
    return good;
}

#define FLAGS (ROUTE_AUTH | ROUTE_BODY | ROUTE_PREPARES)
static const struct route TABLE[] = {
    {HTTP_PUT, "/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}", send_message, FLAGS, RATE_MESSAGE,
     "sendMessage"},
    {HTTP_POST, "/_matrix/client/v3/rooms/{roomId}/send/{eventType}", send_message, FLAGS, RATE_MESSAGE, NULL},
    {HTTP_PUT, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", send_state, FLAGS, RATE_MESSAGE,
     "setRoomStateWithKey"},
    {HTTP_PUT, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}", send_state, FLAGS, RATE_MESSAGE, NULL},
    {HTTP_PUT, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/", send_state, FLAGS, RATE_MESSAGE, NULL},
    {HTTP_PUT, "/_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}", redact_event, FLAGS, RATE_MESSAGE,
     "redactEvent"},
};
const struct routes SEND_ROUTES = ROUTES(TABLE);
