#include "homeserver/rooms/acts/bulk_join.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/rooms/pdu/pdu.h"
#include "homeserver/rooms/pdu/redact.h"
#include "homeserver/rooms/pdu/pdu_batch.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"

#define BATCH 256
#define TYPE "m.room.member"

/* Who joins, as every room wants to know it. */
struct person {
    user_no no;
    const char *id; /* borrowed from the names */
    char *profile;  /* the content's canonical beginning: {"avatar_url":…,"displayname":…, */
    UT_hash_handle hh;
};

/* An event on its way to the store. */
struct joining {
    struct room *room;
    struct pdu pdu;
    struct event_row row;
    struct text content;
    const char *prev; /* the id that pdu.prev_events names, where it is known */
};

struct batch {
    struct joining joining[BATCH];
    struct pdu_batch_item items[BATCH];
    struct pdu_batch signing;
};

/* The room that people enter now. What it borrows and holds stays until the end, for the events on their way. */
struct bulk_room {
    struct bulk_room *before;
    struct room *room;
    bool quick;      /* first joins can go the short way */
    int64_t entered; /* how many did */
    const char *ids[AUTH_KEYS_MAX];
    size_t n_auth;
    struct text auth;     /* their positions */
    struct text rest;     /* of the content: "join_authorised_via_users_server":…,"membership":"join"} */
    struct text redacted; /* the content when redacted */
};

struct bulk_join {
    struct rooms *rooms;
    struct tx *tx;
    user_no actor;
    const char *actor_id;
    struct person *people;
    struct bulk_room *room_open;   /* NULL: none is open */
    struct bulk_room *doors;       /* all, the last one first */
    struct batch *filling, *given; /* given: with the signer, if its n is not 0 */
    struct pdu_signer *signer;
    struct room *chained; /* whose event was the last to go into a batch; NULL: that has been written */
};

struct bulk_join *bulk_join_begin(struct rooms *rooms, struct tx *tx, user_no actor)
{
    struct bulk_join *j = xcalloc(1, sizeof *j);
    j->rooms = rooms;
    j->tx = tx;
    j->actor = actor;
    j->actor_id = user_names_get(rooms_settings(rooms)->names, tx->db, actor);
    return j;
}

/* --- People --- */

/* A stored JSON string without escapes is canonical as it lies. */
static void add_field(void *arg, const char *field, const char *value)
{
    struct text *out = arg;
    struct error ignored;
    if (strcmp(field, "avatar_url") != 0 && strcmp(field, "displayname") != 0)
        return;
    json_auto_t *parsed =
        *value == '"' && strchr(value, '\\') == NULL ? NULL : json_parse(value, strlen(value), &ignored);
    if (*value != '"' && !json_is_string(parsed))
        return;
    text_add_json(out, field);
    text_addc(out, ':');
    if (parsed != NULL)
        text_add_json(out, json_string_value(parsed));
    else
        text_adds(out, value);
    text_addc(out, ',');
}

/* NULL: there is no such user. */
static const struct person *person_of(struct bulk_join *j, user_no no)
{
    struct person *p;
    HASH_FIND(hh, j->people, &no, sizeof no, p);
    if (p != NULL)
        return p;
    const char *id = user_names_get(rooms_settings(j->rooms)->names, j->tx->db, no);
    if (id == NULL)
        return NULL;
    struct text profile = TEXT_INIT;
    text_addc(&profile, '{');
    profiles_each(j->tx->db, no, add_field, &profile);
    p = xcalloc(1, sizeof *p);
    *p = (struct person){.no = no, .id = id, .profile = text_take(&profile)};
    HASH_ADD(hh, j->people, no, sizeof p->no, p);
    return p;
}

/* --- Events --- */

static void tell(struct bulk_join *j, const struct event_row *row)
{
    tx_change(j->tx, (struct change){.kind = CHANGE_EVENT, .pos = row->pos, .room = row->room, .user = row->sender});
    tx_change(j->tx,
              (struct change){.kind = CHANGE_MEMBERSHIP, .pos = row->pos, .room = row->room, .user = row->sender});
}

static bool write_one(struct bulk_join *j, struct joining *joining)
{
    if (joining->row.pos == joining->room->last_pos)
        strcpy(joining->room->last_event_id, joining->pdu.event_id);
    if (!events_insert_only(j->tx, &joining->row))
        return false;
    tell(j, &joining->row);
    return true;
}

/* What the signer has, if anything, comes back and is written. */
static bool take_back(struct bulk_join *j)
{
    struct batch *batch = j->given;
    if (batch == NULL || batch->signing.n == 0)
        return true;
    bool good = pdu_signer_wait(j->signer, &batch->signing);
    for (size_t i = 0; i < batch->signing.n && good; ++i)
        good = write_one(j, &batch->joining[i]);
    batch->signing.n = 0;
    return good;
}

/* The full batch goes to the signer, behind the one that it has. */
static bool turn(struct bulk_join *j)
{
    struct batch *full = j->filling;
    const struct rooms_settings *settings = rooms_settings(j->rooms);
    if (full == NULL || full->signing.n == 0)
        return true;
    if (j->signer == NULL)
        j->signer = pdu_signer_create(settings->key, settings->server_name);
    pdu_signer_give(j->signer, &full->signing);
    bool good = take_back(j);
    j->filling = j->given;
    j->given = full;
    return good;
}

static bool write_all(struct bulk_join *j)
{
    j->chained = NULL;
    return turn(j) && take_back(j);
}

/* Whether the room's last event is not written yet, so that nobody knows its id. */
static bool on_its_way(const struct bulk_join *j, const struct room *room)
{
    const struct batch *oldest = j->given != NULL && j->given->signing.n != 0 ? j->given : j->filling;
    return oldest != NULL && oldest->signing.n != 0 && room->last_pos >= oldest->joining[0].row.pos;
}

static struct joining *next_joining(struct bulk_join *j)
{
    if (j->filling == NULL) {
        j->filling = xcalloc(1, sizeof *j->filling);
        j->filling->signing.items = j->filling->items;
    }
    return &j->filling->joining[j->filling->signing.n];
}

static bool sent(struct bulk_join *j, struct joining *joining)
{
    struct batch *batch = j->filling;
    struct pdu_batch_item *item = &batch->items[batch->signing.n++];
    item->pdu = &joining->pdu;
    item->follows = j->chained == joining->room;
    j->chained = joining->room;
    return batch->signing.n < BATCH || turn(j);
}

/* --- The room_open --- */

struct looking {
    struct bulk_join *joins;
    const char *target;
};

/* Nobody who enters for the first time has a member event. */
static const struct auth_event *auth_lookup(void *ctx, const char *type, const char *state_key)
{
    struct looking *l = ctx;
    if (strcmp(type, TYPE) == 0 && strcmp(state_key, l->target) == 0)
        return NULL;
    const struct room_state *state = room_state_get(l->joins->room_open->room, l->joins->tx, type, state_key);
    return state->pos != 0 ? &state->auth : NULL;
}

static void choose_auth_events(struct bulk_join *j, const char *target, const json_t *content)
{
    struct bulk_room *d = j->room_open;
    struct auth_key keys[AUTH_KEYS_MAX];
    text_adds(&d->auth, ""); /* there may be none */
    size_t n = auth_types_for(d->room->version, TYPE, target, target, content, keys);
    for (size_t i = 0; i < n; ++i) {
        if (strcmp(keys[i].type, TYPE) == 0 && strcmp(keys[i].state_key, target) == 0)
            continue;
        const struct room_state *state = room_state_get(d->room, j->tx, keys[i].type, keys[i].state_key);
        if (state->pos == 0)
            continue;
        d->ids[d->n_auth++] = state->event_id;
        if (d->auth.len != 0)
            text_addc(&d->auth, ',');
        text_add_int(&d->auth, state->pos);
    }
}

static bool authorized(struct bulk_join *j, const char *target, const json_t *content)
{
    struct room *room = j->room_open->room;
    struct looking looking = {j, target};
    const char *server = rooms_settings(j->rooms)->server_name, *why;
    const struct room_state *create = room_state_get(room, j->tx, "m.room.create", "");
    struct auth_input in = {
        .version = room->version,
        .room_id = room->room_id,
        .type = TYPE,
        .sender = target,
        .state_key = target,
        .content = content,
        .n_prev = 1,
        .prev_is_create = create->pos != 0 && create->pos == room->last_pos,
        .signers = &server,
        .n_signers = 1,
        .get = auth_lookup,
        .ctx = &looking,
    };
    return auth_check(&in, &why);
}

/* The content without a profile. NULL: the room's join rule wants the ordinary way. */
static json_t *bare_content(struct bulk_join *j)
{
    const char *rule = room_state_string(j->room_open->room, j->tx, "m.room.join_rules", "join_rule");
    if (rule != NULL && strcmp(rule, "public") == 0)
        return json_pack("{s:s}", "membership", "join");
    if (rule == NULL || (strcmp(rule, "restricted") != 0 && strcmp(rule, "knock_restricted") != 0))
        return NULL;
    return json_pack("{s:s, s:s}", "membership", "join", "join_authorised_via_users_server", j->actor_id);
}

static bool prepare_door(struct bulk_join *j, const char *target)
{
    struct bulk_room *d = j->room_open;
    json_auto_t *content = bare_content(j);
    const json_t *create = room_state_content(d->room, j->tx, "m.room.create", "");
    if (content == NULL || create == NULL || d->room->last_pos == 0 || d->room->version->id_format == EVENT_ID_OPAQUE ||
        json_get_object(create, "predecessor") != NULL || !authorized(j, target, content))
        return false;
    choose_auth_events(j, target, content);
    struct text whole = TEXT_INIT;
    json_add_canonical(&whole, content);
    text_adds(&d->rest, whole.data + 1); /* the profile stands before it */
    redact_add_content(&d->redacted, d->room->version, TYPE, whole.data, whole.len);
    text_finish(&whole);
    room_joined(d->room, j->tx); /* the set as it is, before rows say otherwise */
    room_touch(d->room, j->tx);
    return true;
}

static bool close_door(struct bulk_join *j)
{
    struct bulk_room *d = j->room_open;
    j->room_open = NULL;
    return d == NULL || d->entered == 0 || memberships_count_more(j->tx, d->room->no, d->entered);
}

static bool open_door(struct bulk_join *j, room_no no, const char *target)
{
    struct room_school of;
    if (j->room_open != NULL && j->room_open->room->no == no)
        return true;
    struct room *room = room_open(j->rooms, j->tx, no);
    if (!close_door(j) || room == NULL)
        return false;
    bool roster =
        !rooms_settings(j->rooms)->school_mode || (school_of_room(j->tx->db, no, &of) && room_kind_is_roster(of.kind));
    struct bulk_room *d = xcalloc(1, sizeof *d);
    d->room = room;
    d->before = j->doors;
    j->doors = j->room_open = d;
    if (on_its_way(j, room) && !write_all(j))
        return false;
    d->quick = roster && prepare_door(j, target);
    return true;
}

/* --- In they go --- */

static void make_pdu(struct bulk_join *j, struct joining *joining, const struct person *p)
{
    const struct bulk_room *d = j->room_open;
    int64_t now = j->tx->now_ms, last = d->room->last_ts;
    joining->room = d->room;
    joining->prev = d->room->last_event_id; /* unless it follows another on its way */
    joining->pdu = (struct pdu){
        .version = d->room->version,
        .room_id = d->room->room_id,
        .sender = p->id,
        .type = TYPE,
        .state_key = p->id,
        .content = joining->content.data,
        .content_len = joining->content.len,
        .redacted = d->redacted.data,
        .redacted_len = d->redacted.len,
        .origin_server_ts = now > last ? now : last,
        .depth = d->room->depth < JSON_INT_MAX ? d->room->depth + 1 : d->room->depth,
        .prev_events = &joining->prev,
        .n_prev = 1,
        .auth_events = d->ids,
        .n_auth = d->n_auth,
    };
}

static void make_row(struct bulk_join *j, struct joining *joining, const struct person *p)
{
    const struct pdu *pdu = &joining->pdu;
    joining->row = (struct event_row){
        .pos = tx_next_pos(j->tx),
        .room = joining->room->no,
        .event_id = pdu->event_id,
        .type = TYPE,
        .state_key = p->id,
        .sender = p->no,
        .ts = pdu->origin_server_ts,
        .depth = pdu->depth,
        .content = joining->content.data,
        .auth = j->room_open->auth.data,
        .hash = pdu->hash,
        .signature = pdu->signature,
    };
}

static bool advance(struct bulk_join *j, const struct joining *joining)
{
    struct room *room = joining->room;
    const struct event_row *row = &joining->row;
    room->last_pos = row->pos;
    room->last_ts = row->ts;
    room->depth = row->depth;
    room_forget_state(room, TYPE, row->state_key);
    room->joined = member_set_with(room->joined, row->sender, true);
    ++j->room_open->entered;
    return events_set_state(j->tx, room->no, TYPE, row->state_key, row->pos) &&
           memberships_put_first(j->tx, room->no, row->sender, row->pos);
}

static bool join_quickly(struct bulk_join *j, const struct person *p, struct error *e)
{
    struct joining *joining = next_joining(j);
    if (!gate_room(j->rooms, j->tx->db, ACT_JOIN, j->room_open->room->no, j->actor, p->no, TYPE, p->id, e))
        return false;
    text_clear(&joining->content);
    text_adds(&joining->content, p->profile);
    text_add(&joining->content, j->room_open->rest.data, j->room_open->rest.len);
    make_pdu(j, joining, p);
    make_row(j, joining, p);
    return (advance(j, joining) && sent(j, joining)) || error_set(e, ERROR_UNKNOWN, NULL);
}

static bool act(struct bulk_join *j, enum act what, room_no no, user_no target, struct error *e)
{
    struct membership_act act = {.act = what, .actor = j->actor, .target = target};
    struct appended out;
    struct room *room = room_open(j->rooms, j->tx, no);
    return room != NULL ? membership_act(room, j->tx, &act, &out, e) : error_set(e, ERROR_UNKNOWN, NULL);
}

static bool join_slowly(struct bulk_join *j, room_no room, user_no target, enum membership before, struct error *e)
{
    if (!write_all(j) || !close_door(j))
        return error_set(e, ERROR_UNKNOWN, NULL);
    return (before != MEMBERSHIP_BAN || act(j, ACT_UNBAN, room, target, e)) && act(j, ACT_JOIN, room, target, e);
}

bool bulk_join_add(struct bulk_join *j, room_no room, user_no target, struct error *e)
{
    struct membership_row before;
    const struct person *p = person_of(j, target);
    if (p == NULL)
        return error_set(e, ERROR_NOT_FOUND, "There is no such user.");
    if (!open_door(j, room, p->id))
        return error_set(e, ERROR_UNKNOWN, NULL);
    bool first = !memberships_get(j->tx->db, room, target, &before);
    if (before.membership == MEMBERSHIP_JOIN)
        return true;
    return first && j->room_open->quick ? join_quickly(j, p, e) : join_slowly(j, room, target, before.membership, e);
}

/* --- The end --- */

static void batch_free(struct batch *batch)
{
    for (int i = 0; batch != NULL && i < BATCH; ++i) {
        text_finish(&batch->joining[i].content);
        text_finish(&batch->items[i].bytes);
    }
    free(batch);
}

static void people_free(struct person *people)
{
    struct person *p, *next;
    HASH_ITER(hh, people, p, next) {
        HASH_DEL(people, p);
        free(p->profile);
        free(p);
    }
}

static void doors_free(struct bulk_room *room_open)
{
    for (struct bulk_room *before; room_open != NULL; room_open = before) {
        before = room_open->before;
        text_finish(&room_open->auth);
        text_finish(&room_open->rest);
        text_finish(&room_open->redacted);
        free(room_open);
    }
}

bool bulk_join_finish(struct bulk_join *j, bool good, struct error *e)
{
    bool done = good && ((write_all(j) && close_door(j)) || error_set(e, ERROR_UNKNOWN, NULL));
    pdu_signer_destroy(j->signer);
    batch_free(j->filling);
    batch_free(j->given);
    people_free(j->people);
    doors_free(j->doors);
    free(j);
    return done;
}
