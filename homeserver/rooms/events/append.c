#include "homeserver/rooms/events/append.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/transactions.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/events/canonical_alias.h"
#include "homeserver/rooms/events/recent_events.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/pdu/pdu.h"
#include "homeserver/rooms/pdu/redact.h"
#include "homeserver/store/matrix/delayed_messages.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/relations.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"

/* An event on its way through the pipeline. */
struct making {
    struct room *room;
    struct tx *tx;
    const struct draft *draft;
    const char *sender_id;
    user_no target;             /* m.room.member: whose membership */
    enum membership membership; /* m.room.member: the new one */
    struct text content;        /* canonical */
    struct text auth;           /* positions, comma separated */
    const char *auth_ids[AUTH_KEYS_MAX];
    unsigned char auth_hashes[AUTH_KEYS_MAX][SHA256_BYTES];
    struct pdu pdu;
    unsigned char reference[SHA256_BYTES];
    struct event_row row;
    stream_pos redacted; /* the event that this redaction strips; 0: none */
    struct gate_answer answer;
};

static bool is_member_event(const struct draft *draft)
{
    return draft->state_key != NULL && strcmp(draft->type, "m.room.member") == 0;
}

enum act append_member_act(enum membership from, enum membership to, bool own)
{
    switch (to) {
    case MEMBERSHIP_JOIN: return ACT_JOIN;
    case MEMBERSHIP_INVITE: return ACT_INVITE;
    case MEMBERSHIP_KNOCK: return ACT_KNOCK;
    case MEMBERSHIP_BAN: return ACT_BAN;
    default: return own ? ACT_LEAVE : from == MEMBERSHIP_BAN ? ACT_UNBAN : ACT_KICK;
    }
}

static enum act act_of(const struct making *m)
{
    if (is_member_event(m->draft))
        return append_member_act(memberships_of(m->tx->db, m->room->no, m->target), m->membership,
                                 m->target == m->draft->sender);
    if (m->draft->state_key != NULL)
        return ACT_STATE;
    return strcmp(m->draft->type, "m.room.redaction") == 0 ? ACT_REDACT : ACT_SEND;
}

static bool read_member(struct making *m, struct error *e)
{
    if (!is_member_event(m->draft))
        return true;
    m->membership = membership_from(json_get_string(m->draft->content, "membership"));
    if (m->membership == MEMBERSHIP_NONE)
        return error_set(e, ERROR_BAD_JSON, "membership is not one of join, invite, knock, leave, ban.");
    m->target = users_by_id(m->tx->db, rooms_settings(m->room->rooms)->server_name, m->draft->state_key);
    if (m->target == 0)
        return error_set(e, ERROR_NOT_FOUND, "There is no such user.");
    return true;
}

/* Whose event a redaction is about, for the rules. */
static user_no redacted_person(const struct making *m)
{
    struct event_row row;
    if (m->draft->redacts == NULL)
        return 0;
    struct stmt *q = events_by_id(m->tx->db, m->draft->redacts);
    user_no author = events_next(q, &row) && row.room == m->room->no ? row.sender : 0;
    stmt_end(q);
    return author;
}

/* A redaction with a reason is a message, too (F1). */
static bool says_something(const struct draft *d)
{
    return json_object_size(d->content) > (json_object_get(d->content, "redacts") != NULL);
}

static bool pass_gate(struct making *m, struct error *e)
{
    const struct draft *d = m->draft;
    struct gate_question question = {.act = act_of(m),
                                     .room = m->room->no,
                                     .actor = d->actor != 0 ? d->actor : d->sender,
                                     .target = m->target,
                                     .type = d->type,
                                     .state_key = d->state_key,
                                     .now_ms = m->tx->now_ms};
    if (question.act != ACT_REDACT || !rooms_settings(m->room->rooms)->school_mode)
        return gate_event(m->room->rooms, m->tx->db, &question, &m->answer, e);
    question.target = redacted_person(m);
    return gate_event(m->room->rooms, m->tx->db, &question, &m->answer, e) &&
           (!says_something(d) ||
            gate_room(m->room->rooms, m->tx->db, ACT_SEND, m->room->no, question.actor, 0, "m.room.message", NULL, e));
}

static const struct auth_event *auth_lookup(void *ctx, const char *type, const char *state_key)
{
    struct making *m = ctx;
    const struct room_state *state = room_state_get(m->room, m->tx, type, state_key);
    return state->pos != 0 ? &state->auth : NULL;
}

static bool authorize(struct making *m, struct error *e)
{
    const char *server = rooms_settings(m->room->rooms)->server_name, *why;
    const struct room_state *create = room_state_get(m->room, m->tx, "m.room.create", "");
    struct auth_input in = {
        .version = m->room->version,
        .room_id = m->pdu.room_id,
        .event_id = m->pdu.event_id,
        .type = m->draft->type,
        .sender = m->sender_id,
        .state_key = m->draft->state_key,
        .content = m->draft->content,
        .redacts = m->draft->redacts,
        .n_prev = m->pdu.n_prev,
        .prev_is_create = create->pos != 0 && create->pos == m->room->last_pos,
        .signers = &server,
        .n_signers = 1,
        .get = auth_lookup,
        .ctx = m,
    };
    return auth_check(&in, &why) || error_set(e, ERROR_FORBIDDEN, why);
}

static void choose_auth_events(struct making *m)
{
    struct auth_key keys[AUTH_KEYS_MAX];
    size_t n =
        auth_types_for(m->room->version, m->draft->type, m->draft->state_key, m->sender_id, m->draft->content, keys);
    for (size_t i = 0; i < n; ++i) {
        const struct room_state *state = room_state_get(m->room, m->tx, keys[i].type, keys[i].state_key);
        if (state->pos == 0)
            continue;
        memcpy(m->auth_hashes[m->pdu.n_auth], state->reference_hash, SHA256_BYTES);
        m->auth_ids[m->pdu.n_auth++] = state->event_id;
        if (m->auth.len != 0)
            text_addc(&m->auth, ',');
        text_add_int(&m->auth, state->pos);
    }
    text_reserve(&m->auth, 0);
    m->auth.data[m->auth.len] = '\0';
}

static int64_t timestamp(const struct making *m)
{
    int64_t ts = m->draft->ts != 0 ? m->draft->ts : m->tx->now_ms;
    return ts > m->room->last_ts ? ts : m->room->last_ts;
}

static void begin_pdu(struct making *m, const char **prev)
{
    struct room *room = m->room;
    const struct draft *d = m->draft;
    bool nameless = room->last_pos == 0 && room_version_has(room->version, ROOM_ID_IS_HASH);
    json_add_canonical(&m->content, d->content);
    m->pdu = (struct pdu){
        .version = room->version,
        .room_id = nameless ? NULL : room->room_id,
        .sender = m->sender_id,
        .type = d->type,
        .state_key = d->state_key,
        .content = m->content.data,
        .content_len = m->content.len,
        .origin_server_ts = timestamp(m),
        .depth = room->depth < JSON_INT_MAX ? room->depth + 1 : room->depth,
        .prev_events = prev,
        .n_prev = room->last_pos != 0,
        .auth_events = m->auth_ids,
        .redacts = room_version_has(room->version, ROOM_TOP_LEVEL_REDACTS) ? d->redacts : NULL,
    };
    if (room->version->id_format == EVENT_ID_OPAQUE) {
        char opaque[25];
        random_name(opaque, 24);
        snprintf(m->pdu.event_id, sizeof m->pdu.event_id, "$%s:%s", opaque, rooms_settings(room->rooms)->server_name);
        m->pdu.prev_hashes = (const unsigned char(*)[SHA256_BYTES])room->last_reference;
        m->pdu.auth_hashes = (const unsigned char(*)[SHA256_BYTES])m->auth_hashes;
    }
}

static bool store_row(struct making *m)
{
    const struct draft *d = m->draft;
    const struct pdu *p = &m->pdu;
    bool opaque = m->room->version->id_format == EVENT_ID_OPAQUE;
    if (opaque)
        pdu_reference_hash(p, m->reference);
    m->row = (struct event_row){
        .pos = tx_next_pos(m->tx),
        .room = m->room->no,
        .event_id = p->event_id,
        .type = d->type,
        .state_key = d->state_key,
        .sender = d->sender,
        .ts = p->origin_server_ts,
        .depth = p->depth,
        .content = m->content.data,
        .auth = m->auth.data,
        .hash = p->hash,
        .signature = p->signature,
        .redacts = p->redacts,
        .replaces = d->state_key != NULL ? room_state_get(m->room, m->tx, d->type, d->state_key)->pos : 0,
        .reference_hash = opaque ? m->reference : NULL,
    };
    return events_insert(m->tx, &m->row) &&
           (d->txn_id == NULL || transactions_insert(m->tx, d->device, m->room->no, d->about, d->txn_id, m->row.pos));
}

static bool store_relation(struct making *m)
{
    const json_t *relates = json_get_object(m->draft->content, "m.relates_to");
    const char *type = json_get_string(relates, "rel_type"), *target = json_get_string(relates, "event_id");
    if (type == NULL || target == NULL || strlen(target) > ID_BYTES_MAX || strlen(type) > ID_BYTES_MAX)
        return true;
    return events_room_of(m->tx->db, target) != m->room->no || relations_insert(m->tx, target, type, m->row.pos);
}

static bool store_membership(struct making *m)
{
    struct membership_row row;
    if (!is_member_event(m->draft))
        return true;
    room_joined(m->room, m->tx); /* the set as it was, before the row says otherwise */
    memberships_get(m->tx->db, m->room->no, m->target, &row);
    bool joins = m->membership == MEMBERSHIP_JOIN;
    if (joins && row.membership != MEMBERSHIP_JOIN)
        row.joined_pos = m->row.pos;
    row.membership = m->membership;
    row.pos = m->row.pos;
    m->room->joined = member_set_with(m->room->joined, m->target, joins);
    bool enters = joins || m->membership == MEMBERSHIP_INVITE || m->membership == MEMBERSHIP_KNOCK;
    return memberships_put(m->tx, &row) &&
           (!enters || gate_entered(m->room->rooms, m->tx, m->room->no, m->target, m->membership == MEMBERSHIP_KNOCK));
}

/* Who redacts what: one's own events, or anybody's with the power to (Client-Server API, "Redactions"). Event
 * authorization is no help: from room version 3 on it trusts a server with all events of its own people. To redact
 * state is to change it: a name that the school gives a room is not taken away so (E3). A redacted member event keeps
 * its membership. */
static bool may_redact(struct making *m, const struct event_row *row, struct error *e)
{
    struct power power;
    room_power(m->room, m->tx, &power);
    if (row->sender != m->draft->sender && power_of_user(&power, m->sender_id) < power_level(&power, POWER_REDACT))
        return error_set(e, ERROR_FORBIDDEN, "You can only take back your own messages.");
    return row->state_key == NULL || strcmp(row->type, "m.room.member") == 0 ||
           gate_room(m->room->rooms, m->tx->db, ACT_STATE, m->room->no, m->draft->sender, 0, row->type, row->state_key,
                     e);
}

static bool find_redacted(struct making *m, struct error *e)
{
    struct event_row row;
    if (m->draft->redacts == NULL)
        return true;
    struct stmt *q = events_by_id(m->tx->db, m->draft->redacts);
    bool found = events_next(q, &row) && row.room == m->room->no;
    bool allowed =
        found ? may_redact(m, &row, e) : error_set(e, ERROR_NOT_FOUND, "There is no such event in this room.");
    if (allowed && row.redacted_by == 0 && strcmp(row.type, "m.room.create") != 0)
        m->redacted = row.pos;
    stmt_end(q);
    return allowed;
}

static bool apply_redaction(struct making *m)
{
    struct event_row row;
    if (m->redacted == 0)
        return true;
    struct text content = TEXT_INIT;
    struct stmt *q = events_by_pos(m->tx->db, m->redacted);
    if (events_next(q, &row)) {
        redact_add_content(&content, m->room->version, row.type, row.content, strlen(row.content));
        if (row.state_key != NULL)
            room_forget_state(m->room, row.type, row.state_key);
    }
    stmt_end(q);
    bool done = content.data != NULL && events_redact(m->tx, m->redacted, m->row.pos, content.data);
    text_finish(&content);
    return done;
}

static void tell(struct making *m)
{
    if (!tx_heard(m->tx))
        return;
    room_joined(m->room, m->tx); /* observers will ask */
    if (m->row.state_key == NULL)
        recent_events_add(rooms_recent_events(m->room->rooms), &m->row);
    tx_change(m->tx,
              (struct change){.kind = CHANGE_EVENT, .pos = m->row.pos, .room = m->room->no, .user = m->draft->sender});
    if (is_member_event(m->draft))
        tx_change(m->tx, (struct change){
                             .kind = CHANGE_MEMBERSHIP, .pos = m->row.pos, .room = m->room->no, .user = m->target});
}

/* The room in memory moves on to the new event. */
static void advance(struct making *m)
{
    struct room *room = m->room;
    room->last_pos = m->row.pos;
    room->last_ts = m->row.ts;
    room->depth = m->row.depth;
    strcpy(room->last_event_id, m->row.event_id);
    memcpy(room->last_reference, m->reference, SHA256_BYTES);
    if (m->draft->state_key != NULL)
        room_forget_state(room, m->draft->type, m->draft->state_key);
}

/* Room version 12: the room is called after its create event. */
static bool name_room(struct making *m)
{
    char room_id[ID_BYTES_MAX + 1];
    pdu_room_id(m->pdu.event_id, room_id);
    free(m->room->room_id);
    m->room->room_id = xstrdup(room_id);
    return rooms_set_id(m->tx, m->room->no, room_id);
}

static bool commit(struct making *m)
{
    room_touch(m->room, m->tx);
    if ((m->pdu.room_id == NULL && !name_room(m)) || !store_row(m))
        return false;
    bool done = store_relation(m) && store_membership(m) && apply_redaction(m);
    if (done)
        tell(m);
    advance(m);
    return done;
}

/* Hashes, signature, id. A room of version 12 is called after its create event: two that one person makes in the same
 * millisecond would be one, so the later event says a later millisecond. */
static bool finish_pdu(struct making *m, struct error *e)
{
    const struct rooms_settings *settings = rooms_settings(m->room->rooms);
    bool done = pdu_finish(&m->pdu, settings->key, settings->server_name, e);
    while (done && m->pdu.room_id == NULL && events_pos_of(m->tx->db, m->pdu.event_id) != 0) {
        m->pdu.origin_server_ts += 1;
        done = pdu_finish(&m->pdu, settings->key, settings->server_name, e);
    }
    return done;
}

static bool check_alias(const struct making *m, struct error *e)
{
    const struct draft *d = m->draft;
    return d->state_key == NULL || d->state_key[0] != '\0' || strcmp(d->type, "m.room.canonical_alias") != 0 ||
           canonical_alias_check(m->room, m->tx, d->content, e);
}

/* Client-Server API, "Invite permission". */
static bool check_invite(const struct making *m, struct error *e)
{
    return m->membership != MEMBERSHIP_INVITE || !ignored_every_invite(m->tx->db, m->target) ||
           error_set(e, ERROR_INVITE_BLOCKED, NULL);
}

/* Client-Server API, "Avoiding duplicate annotations". */
static bool check_annotation(const struct making *m, struct error *e)
{
    const json_t *relates = json_get_object(m->draft->content, "m.relates_to");
    const char *type = json_get_string(relates, "rel_type"), *target = json_get_string(relates, "event_id"),
               *key = json_get_string(relates, "key");
    if (type == NULL || target == NULL || key == NULL || strcmp(type, "m.annotation") != 0)
        return true;
    return !relations_annotated(m->tx->db, target, m->draft->sender, m->draft->type, key) ||
           error_set(e, ERROR_DUPLICATE_ANNOTATION, NULL);
}

/* F3: the message waits in held_messages until quiet hours are over (rooms/events/delayed_messages.h). */
static bool hold(struct making *m, struct appended *out, struct error *e)
{
    const struct draft *d = m->draft;
    struct delayed_message row = {.room = m->room->no,
                                  .sender = d->sender,
                                  .device = d->device,
                                  .txn_id = d->txn_id,
                                  .about = d->about,
                                  .type = d->type,
                                  .content = m->content.data,
                                  .due_ms = m->answer.due_ms,
                                  .created_ms = m->tx->now_ms};
    int64_t no = delayed_messages_insert(m->tx, &row);
    out->pos = 0;
    delayed_message_placeholder(no, out->event_id);
    return no != 0 || error_set(e, ERROR_UNKNOWN, NULL);
}

static bool record(struct making *m, struct appended *out, struct error *e)
{
    if (!commit(m))
        return error_set(e, ERROR_UNKNOWN, NULL);
    out->pos = m->row.pos;
    strcpy(out->event_id, m->pdu.event_id);
    return true;
}

bool append_event(struct room *room, struct tx *tx, const struct draft *draft, struct appended *out, struct error *e)
{
    const struct rooms_settings *settings = rooms_settings(room->rooms);
    struct making m = {.room = room, .tx = tx, .draft = draft};
    const char *prev = room->last_event_id;
    m.sender_id = user_names_get(settings->names, tx->db, draft->sender);
    if (m.sender_id == NULL)
        return error_set(e, ERROR_UNKNOWN, NULL);
    if (!json_is_canonical_value(draft->content))
        return error_set(e, ERROR_BAD_JSON, "Numbers in events are integers within ±(2^53 − 1).");
    if (!read_member(&m, e) || !pass_gate(&m, e) || !check_alias(&m, e))
        return false;
    begin_pdu(&m, &prev);
    choose_auth_events(&m);
    bool done = authorize(&m, e) && check_invite(&m, e) && check_annotation(&m, e) && find_redacted(&m, e) &&
                finish_pdu(&m, e) && (m.answer.due_ms != 0 ? hold(&m, out, e) : record(&m, out, e));
    out->notice = m.answer.verdict;
    text_finish(&m.content);
    text_finish(&m.auth);
    return done;
}

bool append_state(struct room *room, struct tx *tx, const struct draft *draft, struct appended *out, struct error *e)
{
    const struct room_state *now = room_state_get(room, tx, draft->type, draft->state_key);
    if (now->pos == 0 || now->sender != draft->sender || !json_equal(now->content, draft->content))
        return append_event(room, tx, draft, out, e);
    out->pos = now->pos;
    strcpy(out->event_id, now->event_id);
    return true;
}
