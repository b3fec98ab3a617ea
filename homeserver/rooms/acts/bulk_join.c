#include "homeserver/rooms/acts/bulk_join.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/rooms/events/complete.h"
#include "homeserver/rooms/events/plan.h"
#include "homeserver/rooms/events/record.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/pdu/redact.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"

#define TYPE "m.room.member"

/* Who joins, as every room wants to know it. */
struct person {
    user_no no;
    const char *id; /* borrowed from the names */
    char *profile;  /* the content's canonical beginning: {"avatar_url":…,"displayname":…, */
    UT_hash_handle hh;
};

/* The room that people enter now, planned once for all who enter it for the first time. The events on their way borrow
 * from it, so it stays until the end. */
struct bulk_room {
    struct bulk_room *before;
    struct room *room;
    bool quick;      /* first joins can go the short way */
    int64_t entered; /* how many did */
    struct plan plan;
    struct text rest;     /* of the content: "join_authorised_via_users_server":…,"membership":"join"} */
    struct text redacted; /* the content when redacted: the same for all, since a redaction takes the profile */
};

struct bulk_join {
    struct rooms *rooms;
    struct tx *tx;
    user_no actor;
    const char *actor_id;
    struct person *people;
    struct bulk_room *open;       /* NULL: none is */
    struct bulk_room *rooms_seen; /* all, the last one first */
    struct event_batch *events;
};

struct bulk_join *bulk_join_begin(struct rooms *rooms, struct tx *tx, user_no actor)
{
    struct bulk_join *j = xcalloc(1, sizeof *j);
    j->rooms = rooms;
    j->tx = tx;
    j->actor = actor;
    j->actor_id = user_names_get(rooms_settings(rooms)->names, tx->db, actor);
    j->events = event_batch_create(rooms, tx);
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

/* --- The room --- */

/* The content without a profile. NULL: the room's join rule wants the ordinary way. */
static json_t *bare_content(struct bulk_join *j, struct room *room)
{
    const char *rule = room_state_string(room, j->tx, "m.room.join_rules", "join_rule");
    if (rule != NULL && strcmp(rule, "public") == 0)
        return json_pack("{s:s}", "membership", "join");
    if (rule == NULL || (strcmp(rule, "restricted") != 0 && strcmp(rule, "knock_restricted") != 0))
        return NULL;
    return json_pack("{s:s, s:s}", "membership", "join", "join_authorised_via_users_server", j->actor_id);
}

/* What can go the short way: all that the ordinary way would ask of each (rooms/events/plan.h) is here asked once, for
 * a target who stands for every stranger to the room. Its content is the same for all but for the profile, which event
 * authorization does not look at. A room with a predecessor does not go this way, because whoever enters one carries
 * things over (upgrade_carry.h); nor do room versions 1 and 2, whose ids are not hashes (complete.h). */
static bool plan_room(struct bulk_join *j, struct bulk_room *r, const char *target)
{
    json_auto_t *content = bare_content(j, r->room);
    const json_t *create = room_state_content(r->room, j->tx, "m.room.create", "");
    if (content == NULL || create == NULL || r->room->last_pos == 0 || r->room->version->id_format == EVENT_ID_OPAQUE ||
        json_get_object(create, "predecessor") != NULL || !plan_first_joins(&r->plan, target, content))
        return false;
    struct text whole = TEXT_INIT;
    json_add_canonical(&whole, content);
    text_adds(&r->rest, whole.data + 1); /* the profile stands before it: "avatar_url" and "displayname" sort first */
    redact_add_content(&r->redacted, r->room->version, TYPE, whole.data, whole.len);
    text_finish(&whole);
    return true;
}

/* first joins are not counted one by one (record.h). */
static bool close_room(struct bulk_join *j)
{
    struct bulk_room *r = j->open;
    j->open = NULL;
    return r == NULL || r->entered == 0 || memberships_count_more(j->tx, r->room->no, r->entered);
}

static bool enter_room(struct bulk_join *j, room_no no, const char *target)
{
    struct room_school of;
    if (j->open != NULL && j->open->room->no == no)
        return true;
    struct room *room = room_open(j->rooms, j->tx, no);
    if (!close_room(j) || room == NULL)
        return false;
    bool roster =
        !rooms_settings(j->rooms)->school_mode || (school_of_room(j->tx->db, no, &of) && room_kind_is_roster(of.kind));
    struct bulk_room *r = xcalloc(1, sizeof *r);
    r->room = room;
    plan_init(&r->plan, room, j->tx);
    r->before = j->rooms_seen;
    j->rooms_seen = j->open = r;
    /* The room was entered before and its last events are still with the signer: the next one must name the last by its
     * id, and what is planned may rest on one of them. */
    if (event_batch_holds(j->events, room) && !event_batch_flush(j->events))
        return false;
    r->quick = roster && plan_room(j, r, target);
    return true;
}

/* --- In they go --- */

static bool join_quickly(struct bulk_join *j, const struct person *p, struct error *e)
{
    struct bulk_room *r = j->open;
    struct new_event *event = event_batch_next(j->events);
    if (!gate_room(j->rooms, j->tx->db, ACT_JOIN, r->room->no, j->actor, p->no, TYPE, p->id, e))
        return false;
    text_adds(&event->content, p->profile);
    text_add(&event->content, r->rest.data, r->rest.len);
    plan_frame(&r->plan, &(struct draft){.sender = p->no, .type = TYPE, .state_key = p->id}, p->id, event);
    event->pdu.redacted = r->redacted.data;
    event->pdu.redacted_len = r->redacted.len;
    event->target = p->no;
    event->membership = MEMBERSHIP_JOIN;
    event->first = true;
    ++r->entered;
    return (record_place(j->tx, event) && event_batch_push(j->events)) || error_set(e, ERROR_UNKNOWN, NULL);
}

static bool act(struct bulk_join *j, enum act what, room_no no, user_no target, struct error *e)
{
    struct membership_act act = {.act = what, .actor = j->actor, .target = target};
    struct appended out;
    struct room *room = room_open(j->rooms, j->tx, no);
    return room != NULL ? membership_act(room, j->tx, &act, &out, e) : error_set(e, ERROR_UNKNOWN, NULL);
}

bool bulk_join_add(struct bulk_join *j, room_no room, user_no target, struct error *e)
{
    struct membership_row before;
    const struct person *p = person_of(j, target);
    if (p == NULL)
        return error_set(e, ERROR_NOT_FOUND, "There is no such user.");
    if (!enter_room(j, room, p->id))
        return error_set(e, ERROR_UNKNOWN, NULL);
    bool first = !memberships_get(j->tx->db, room, target, &before);
    if (before.membership == MEMBERSHIP_JOIN)
        return true;
    if (first && j->open->quick)
        return join_quickly(j, p, e);
    /* The ordinary way reads the room as it lies, and counts who is joined by itself. */
    if (!event_batch_flush(j->events) || !close_room(j))
        return error_set(e, ERROR_UNKNOWN, NULL);
    return (before.membership != MEMBERSHIP_BAN || act(j, ACT_UNBAN, room, target, e)) &&
           act(j, ACT_JOIN, room, target, e);
}

/* --- The end --- */

static void people_free(struct person *people)
{
    struct person *p, *next;
    HASH_ITER(hh, people, p, next) {
        HASH_DEL(people, p);
        free(p->profile);
        free(p);
    }
}

static void rooms_free(struct bulk_room *r)
{
    for (struct bulk_room *before; r != NULL; r = before) {
        before = r->before;
        plan_finish(&r->plan);
        text_finish(&r->rest);
        text_finish(&r->redacted);
        free(r);
    }
}

bool bulk_join_finish(struct bulk_join *j, bool good, struct error *e)
{
    bool done = good && ((event_batch_flush(j->events) && close_room(j)) || error_set(e, ERROR_UNKNOWN, NULL));
    event_batch_destroy(j->events);
    people_free(j->people);
    rooms_free(j->rooms_seen);
    free(j);
    return done;
}
