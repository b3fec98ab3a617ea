#include "homeserver/rooms/events/plan.h"

#include <stdio.h>
#include <string.h>

#include "homeserver/store/matrix/media.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/names.h"
#include "homeserver/rooms/events/canonical_alias.h"
#include "homeserver/rooms/gate_names.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/threads.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/matrix/delayed_messages.h"
#include "homeserver/store/matrix/relations.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "policy/rules/event_types.h"
#include "homeserver/store/school/roster_rooms.h"

#define MEMBER "m.room.member"
#define SERVICE_ID_START "@" SERVICE_LOCALPART ":"
#define TOPIC_BYTES_MAX 8192
#define MEMBER_BYTES_MAX 8192 /* of a membership, with name, picture and reason: there is one of everybody */

void plan_init(struct plan *plan, struct room *room, struct tx *tx)
{
    plan->room = room;
    plan->tx = tx;
    plan->answer = (struct gate_answer){0};
    plan->stranger = NULL;
    plan->n_auth = 0;
    plan->auth = (struct text)TEXT_INIT;
}

void plan_finish(struct plan *plan)
{
    text_finish(&plan->auth);
}

/* --- The school's gate --- */

enum act plan_member_act(enum membership from, enum membership to, bool own)
{
    switch (to) {
    case MEMBERSHIP_JOIN: return ACT_JOIN;
    case MEMBERSHIP_INVITE: return ACT_INVITE;
    case MEMBERSHIP_KNOCK: return ACT_KNOCK;
    case MEMBERSHIP_BAN: return ACT_BAN;
    default: return own ? ACT_LEAVE : from == MEMBERSHIP_BAN ? ACT_UNBAN : ACT_KICK;
    }
}

static enum act act_of(const struct plan *plan, const struct draft *d, const struct new_event *event)
{
    if (event->target != 0)
        return plan_member_act(memberships_of(plan->tx->db, plan->room->no, event->target), event->membership,
                               event->target == d->sender);
    if (d->state_key != NULL)
        return ACT_STATE;
    return strcmp(d->type, "m.room.redaction") == 0 ? ACT_REDACT : ACT_SEND;
}

/* Whose event a redaction is about, for the rules. */
static user_no redacted_person(const struct plan *plan, const char *redacts)
{
    struct event_row row;
    if (redacts == NULL)
        return 0;
    struct stmt *q = events_by_id(plan->tx->db, redacts);
    user_no author = events_next(q, &row) && row.room == plan->room->no ? row.sender : 0;
    stmt_end(q);
    return author;
}

static bool pass_gate(struct plan *plan, const struct draft *d, const struct new_event *event, struct error *e)
{
    struct room *room = plan->room;
    struct gate_question question = {.act = act_of(plan, d, event),
                                     .room = room->no,
                                     .actor = d->actor != 0 ? d->actor : d->sender,
                                     .target = event->target,
                                     .type = d->type,
                                     .state_key = d->state_key,
                                     .content = d->content,
                                     .now_ms = plan->tx->now_ms};
    if (question.act != ACT_REDACT || !rooms_settings(room->rooms)->school_mode)
        return gate_event(room->rooms, plan->tx->db, &question, &plan->answer, e);
    question.target = redacted_person(plan, d->redacts);
    bool speaks = json_object_size(d->content) > (json_object_get(d->content, "redacts") != NULL);
    return gate_event(room->rooms, plan->tx->db, &question, &plan->answer, e) &&
           (!speaks || /* a redaction with a reason is a message, too (F1) */
            gate_room(room->rooms, plan->tx->db, ACT_SEND, room->no, question.actor, 0, "m.room.message", NULL, e));
}

/* --- Event authorization --- */

/* The state that the event is checked against; pos 0: none. */
static const struct room_state *state_of(const struct plan *plan, const char *type, const char *state_key)
{
    static const struct room_state NONE;
    if (plan->stranger != NULL && strcmp(type, MEMBER) == 0 && strcmp(state_key, plan->stranger) == 0)
        return &NONE;
    return room_state_get(plan->room, plan->tx, type, state_key);
}

static const struct auth_event *auth_lookup(void *plan, const char *type, const char *state_key)
{
    const struct room_state *state = state_of(plan, type, state_key);
    return state->pos != 0 ? &state->auth : NULL;
}

static void choose_auth_events(struct plan *plan, const char *type, const char *state_key, const char *sender,
                               const json_t *content)
{
    struct auth_key keys[AUTH_KEYS_MAX];
    size_t n = auth_types_for(plan->room->version, type, state_key, sender, content, keys);
    for (size_t i = 0; i < n; ++i) {
        const struct room_state *state = state_of(plan, keys[i].type, keys[i].state_key);
        if (state->pos == 0)
            continue;
        memcpy(plan->auth_hashes[plan->n_auth], state->reference_hash, SHA256_BYTES);
        plan->auth_ids[plan->n_auth++] = state->event_id;
        if (plan->auth.len != 0)
            text_addc(&plan->auth, ',');
        text_add_int(&plan->auth, state->pos);
    }
    text_adds(&plan->auth, ""); /* "" if there is none */
}

static bool authorize(struct plan *plan, const struct auth_input *event, const char **why)
{
    struct room *room = plan->room;
    const struct room_state *create = room_state_get(room, plan->tx, "m.room.create", "");
    const char *server = rooms_settings(room->rooms)->server_name;
    struct auth_input in = *event;
    in.version = room->version;
    in.prev_is_create = create->pos != 0 && create->pos == room->last_pos;
    in.signers = &server;
    in.n_signers = 1;
    in.get = auth_lookup;
    in.ctx = plan;
    return auth_check(&in, why);
}

bool plan_first_joins(struct plan *plan, const char *stranger, const json_t *content)
{
    const char *why;
    plan->stranger = stranger;
    choose_auth_events(plan, MEMBER, stranger, stranger, content);
    return authorize(plan,
                     &(struct auth_input){.room_id = plan->room->room_id,
                                          .type = MEMBER,
                                          .sender = stranger,
                                          .state_key = stranger,
                                          .content = content,
                                          .n_prev = 1},
                     &why);
}

/* --- The frame --- */

/* A clock that is set back a little does not let time fall within a room; what a clock that was ahead has stamped does
 * not hold it either. */
static int64_t time_of(const struct plan *plan)
{
    int64_t now = plan->tx->now_ms, last = plan->room->last_ts;
    return now < last && last <= now + CLOCK_SLACK_MS ? last : now;
}

void plan_frame(const struct plan *plan, const struct draft *d, const char *sender_id, struct new_event *event)
{
    struct room *room = plan->room;
    struct pdu *pdu = &event->pdu;
    bool nameless = room->last_pos == 0 && room_version_has(room->version, ROOM_ID_IS_HASH);
    event->room = room;
    event->prev = room->last_event_id;
    *pdu = (struct pdu){
        .version = room->version,
        .room_id = nameless ? NULL : room->room_id,
        .sender = sender_id,
        .type = d->type,
        .state_key = d->state_key,
        .content = event->content.data,
        .content_len = event->content.len,
        .origin_server_ts = d->ts != 0 ? d->ts : time_of(plan),
        .depth = room->depth < JSON_INT_MAX ? room->depth + 1 : room->depth,
        .prev_events = &event->prev,
        .n_prev = room->last_pos != 0,
        .auth_events = plan->auth_ids,
        .n_auth = plan->n_auth,
        .redacts = room_version_has(room->version, ROOM_TOP_LEVEL_REDACTS) ? d->redacts : NULL,
    };
    if (room->version->id_format == EVENT_ID_OPAQUE) {
        char opaque[25];
        random_name(opaque, 24);
        snprintf(pdu->event_id, sizeof pdu->event_id, "$%s:%s", opaque, rooms_settings(room->rooms)->server_name);
        pdu->prev_hashes = (const unsigned char(*)[SHA256_BYTES])room->last_reference;
        pdu->auth_hashes = plan->auth_hashes;
    }
    event->row = (struct event_row){
        .room = room->no,
        .event_id = pdu->event_id,
        .type = d->type,
        .state_key = d->state_key,
        .sender = d->sender,
        .ts = pdu->origin_server_ts,
        .received_ms = d->ts != 0 ? time_of(plan) : 0,
        .depth = pdu->depth,
        .content = event->content.data,
        .auth = plan->auth.data,
        .hash = pdu->hash,
        .redacts = pdu->redacts,
    };
}

/* --- What a client may say --- */

/* Keys and types org.parta.… are the server's own word on a room: who reads them must not ask who wrote them. */
static bool takes_reserved(const json_t *content, bool urgent)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)content, key, value)
        if (id_is_reserved(key) && !(urgent && strcmp(key, URGENT_KEY) == 0))
            return true;
    return false;
}

/* Names and texts that everybody in a room sees, by the state that holds them. */
static const struct seen_text {
    const char *type, *key;
    const char *(*fault)(const char *text, size_t bytes_max);
    size_t bytes_max;
} SEEN_TEXTS[] = {
    {"m.room.name", "name", name_fault, NAME_BYTES_MAX},
    {"m.room.topic", "topic", words_fault, TOPIC_BYTES_MAX},
};

static bool texts_can_be_seen(const struct draft *d, struct error *e)
{
    for (size_t i = 0; i < sizeof SEEN_TEXTS / sizeof *SEEN_TEXTS; ++i) {
        const struct seen_text *text = &SEEN_TEXTS[i];
        const char *value = strcmp(d->type, text->type) == 0 ? json_get_string(d->content, text->key) : NULL;
        if (value != NULL && *value != '\0' && text->fault(value, text->bytes_max) != NULL)
            return error_set(e, ERROR_INVALID_PARAM, NAME_SENTENCE);
    }
    return true;
}

static bool too_many_named(struct error *e)
{
    bound_refuse(e, "named_anew", NAMED_ANEW_MAX);
    e->sentence = "Так много людей или комнат за один раз назвать нельзя: назовите их в несколько приёмов.";
    e->translation = "So many people or rooms cannot be named at once: name them in several steps.";
    return false;
}

/* G4: in a school, what nobody could take back says nothing. */
static bool lasts_wordless(const struct plan *plan, const struct draft *d, struct error *e)
{
    const struct rooms_settings *settings = rooms_settings(plan->room->rooms);
    struct gate_names names = {.db = plan->tx->db,
                               .eyes = gate_eyes(plan->room->rooms, d->actor != 0 ? d->actor : d->sender),
                               .server_name = settings->server_name,
                               .room = plan->room->no,
                               .type = d->type,
                               .invited = d->invited};
    bool too_many;
    if (!settings->school_mode)
        return true;
    bool wordless = gate_names_lasting(&names, d->state_key, d->content, &too_many);
    gate_names_finish(&names);
    return wordless || (too_many ? too_many_named(e) : rule_refuse(e, RULE_G4_LASTING_WORDS));
}

/* Whoever sends it but the server itself. */
static bool may_be_said(const struct plan *plan, const struct draft *d, const char *sender_id, struct error *e)
{
    bool service = strncmp(sender_id, SERVICE_ID_START, sizeof SERVICE_ID_START - 1) == 0;
    if (service)
        return true;
    /* F6: whom the school does not let, the gate refuses. */
    bool urgent = rooms_settings(plan->room->rooms)->school_mode && event_is_urgent(d->type, d->content);
    if (id_is_reserved(d->type) || takes_reserved(d->content, urgent) ||
        takes_reserved(json_get_object(d->content, "m.new_content"), false))
        return error_set(e, ERROR_FORBIDDEN, "Keys and types that begin with org.parta. are the server's own.");
    if (!lasts_wordless(plan, d, e))
        return false;
    if (d->state_key == NULL)
        return true;
    /* F1: the address of a picture that is nowhere is words. */
    const struct rooms_settings *settings = rooms_settings(plan->room->rooms);
    const char *url = strcmp(d->type, "m.room.avatar") == 0 ? json_get_string(d->content, "url") : NULL;
    if (url != NULL && *url != '\0' && settings->school_mode &&
        !media_is_here(plan->tx->db, settings->server_name, url))
        return rule_refuse(e, RULE_F1_NO_SUCH_MEDIA);
    return texts_can_be_seen(d, e);
}

/* --- What single types are asked --- */

static bool read_member(struct plan *plan, const struct draft *d, struct new_event *event, struct error *e)
{
    if (d->state_key == NULL || strcmp(d->type, MEMBER) != 0)
        return true;
    event->membership = membership_from(json_get_string(d->content, "membership"));
    if (event->membership == MEMBERSHIP_NONE)
        return error_set(e, ERROR_BAD_JSON, "membership is not one of join, invite, knock, leave, ban.");
    event->target = users_by_id(plan->tx->db, rooms_settings(plan->room->rooms)->server_name, d->state_key);
    return event->target != 0 || error_set(e, ERROR_NOT_FOUND, "There is no such user.");
}

/* Relations are inside a room (Client-Server API, "Forming relationships between events"), and a thread begins at an
 * event that relates to none ("Threading", "Validation"): what relates to nothing would be counted as unread in a place
 * that no client can open. */
static bool may_relate(const struct plan *plan, const char *type, const char *target, struct error *e)
{
    struct event_row row;
    struct stmt *q = events_by_id(plan->tx->db, target);
    bool here = events_next(q, &row) && row.room == plan->room->no;
    bool no_root = here && strcmp(type, "m.thread") == 0 && thread_target(row.content, (char[ID_BYTES_MAX + 1]){0});
    stmt_end(q);
    if (no_root)
        return error_set(e, ERROR_RELATION, "A thread cannot begin at an event that relates to another.");
    return here || error_set(e, ERROR_RELATION, NULL);
}

/* Also "Avoiding duplicate annotations". */
static bool read_relation(const struct plan *plan, const struct draft *d, struct new_event *event, struct error *e)
{
    const json_t *relates = json_get_object(d->content, "m.relates_to");
    const char *type = json_get_string(relates, "rel_type"), *target = json_get_string(relates, "event_id"),
               *key = json_get_string(relates, "key");
    if (type == NULL || target == NULL)
        return true;
    if (strlen(target) > ID_BYTES_MAX || strlen(type) > ID_BYTES_MAX)
        return error_set(e, ERROR_RELATION, NULL);
    if (delayed_message_is_placeholder(target)) /* of one that waits, as this one will: asked again when it is due */
        return true;
    if (!may_relate(plan, type, target, e))
        return false;
    event->relates_to = target;
    event->rel_type = type;
    return key == NULL || strcmp(type, "m.annotation") != 0 ||
           !relations_annotated(plan->tx->db, target, d->sender, d->type, key) ||
           error_set(e, ERROR_DUPLICATE_ANNOTATION, NULL);
}

/* B3: in a school the name that somebody has in a room stays with their joining: a redaction would take it. */
static bool holds_name(const struct plan *plan, const struct event_row *row)
{
    if (row->state_key == NULL || strcmp(row->type, MEMBER) != 0 || !rooms_settings(plan->room->rooms)->school_mode)
        return false;
    const struct room_state *now = room_state_get(plan->room, plan->tx, MEMBER, row->state_key);
    const char *membership = json_get_string(now->content, "membership");
    return now->pos == row->pos && membership != NULL && strcmp(membership, "join") == 0;
}

/* Who redacts what: one's own events, or anybody's with the power to (Client-Server API, "Redactions"). Event
 * authorization is no help: from room version 3 on it trusts a server with all events of its own people. To redact
 * state is to change it: a name that the school gives a room is not taken away so (E3). A redacted member event keeps
 * its membership. */
static bool may_redact(const struct plan *plan, const struct draft *d, const char *sender_id,
                       const struct event_row *row, struct error *e)
{
    struct power power;
    struct room *room = plan->room;
    room_power(room, plan->tx, &power);
    if (row->sender != d->sender && power_of_user(&power, sender_id) < power_level(&power, POWER_REDACT))
        return error_set(e, ERROR_FORBIDDEN, "You can only take back your own messages.");
    if (holds_name(plan, row))
        return rule_refuse(e, RULE_B3_NAME_REDACTED);
    return row->state_key == NULL || strcmp(row->type, MEMBER) == 0 ||
           gate_room(room->rooms, plan->tx->db, ACT_STATE, room->no, d->sender, 0, row->type, row->state_key, e);
}

static bool find_redacted(const struct plan *plan, const struct draft *d, const char *sender_id,
                          struct new_event *event, struct error *e)
{
    struct event_row row;
    if (d->redacts == NULL)
        return true;
    struct stmt *q = events_by_id(plan->tx->db, d->redacts);
    bool found = events_next(q, &row) && row.room == plan->room->no;
    bool allowed = found ? may_redact(plan, d, sender_id, &row, e)
                         : error_set(e, ERROR_NOT_FOUND, "There is no such event in this room.");
    if (allowed && row.redacted_by == 0 && strcmp(row.type, "m.room.create") != 0)
        event->redacted = row.pos;
    stmt_end(q);
    return allowed;
}

/* --- How much there may be (J5) --- */

/* A state that takes the place of another counts by what it adds. */
static bool state_has_room(const struct plan *plan, const struct draft *d, const struct new_event *event,
                           struct error *e)
{
    const struct room_state *was = room_state_get(plan->room, plan->tx, d->type, d->state_key);
    struct db *db = plan->tx->db;
    room_no room = plan->room->no;
    if (was->pos == 0 && !bound_kept(db, BOUND_ROOM_STATE, 0, room, e))
        return false;
    size_t keys = was->pos == 0 ? strlen(d->type) + strlen(d->state_key) : 0;
    size_t before = was->content != NULL ? json_dumpb(was->content, NULL, 0, JSON_COMPACT) : 0;
    int64_t more = (int64_t)(event->content.len + keys) - (int64_t)before;
    return more <= 0 || bound_has_room(db, BOUND_ROOM_STATE_SIZE, 0, room, more, e);
}

/* By whomever but the server, which writes names and powers that are bounded where they come from. */
static bool has_room(const struct plan *plan, const struct draft *d, const struct new_event *event,
                     const char *sender_id, struct error *e)
{
    if (d->state_key == NULL || strncmp(sender_id, SERVICE_ID_START, sizeof SERVICE_ID_START - 1) == 0)
        return true;
    if (event->membership == MEMBERSHIP_NONE)
        return state_has_room(plan, d, event, e);
    return event->content.len <= MEMBER_BYTES_MAX || bound_refuse(e, "member_bytes", MEMBER_BYTES_MAX);
}

bool plan_event(struct plan *plan, const struct draft *d, struct new_event *event, struct error *e)
{
    const char *why, *sender_id = user_names_get(rooms_settings(plan->room->rooms)->names, plan->tx->db, d->sender);
    if (sender_id == NULL)
        return error_set(e, ERROR_UNKNOWN, NULL);
    if (!json_is_canonical_value(d->content))
        return error_set(e, ERROR_BAD_JSON, "Numbers in events are integers within ±(2^53 − 1).");
    if (!may_be_said(plan, d, sender_id, e) || !read_member(plan, d, event, e) || !pass_gate(plan, d, event, e))
        return false;
    if (d->state_key != NULL && d->state_key[0] == '\0' && strcmp(d->type, "m.room.canonical_alias") == 0 &&
        !canonical_alias_check(plan->room, plan->tx, d->content, e))
        return false;
    choose_auth_events(plan, d->type, d->state_key, sender_id, d->content);
    json_add_canonical(&event->content, d->content);
    plan_frame(plan, d, sender_id, event);
    event->device = d->device;
    event->txn_id = d->txn_id;
    event->about = d->about;
    const struct auth_input in = {.room_id = event->pdu.room_id,
                                  .event_id = event->pdu.event_id,
                                  .type = d->type,
                                  .sender = sender_id,
                                  .state_key = d->state_key,
                                  .content = d->content,
                                  .redacts = d->redacts,
                                  .n_prev = event->pdu.n_prev};
    if (!authorize(plan, &in, &why))
        return error_set(e, ERROR_FORBIDDEN, why);
    if (!has_room(plan, d, event, sender_id, e))
        return false;
    if (event->membership == MEMBERSHIP_INVITE && ignored_every_invite(plan->tx->db, event->target))
        return error_set(e, ERROR_INVITE_BLOCKED, NULL); /* Client-Server API, "Invite permission" */
    return read_relation(plan, d, event, e) && find_redacted(plan, d, sender_id, event, e);
}
