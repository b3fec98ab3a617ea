#include "homeserver/rooms/acts/create.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/gate_names.h"
#include "homeserver/rooms/acts/directory.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/school_rooms.h"

/* A room being made. */
struct creation {
    struct rooms *rooms;
    struct tx *tx;
    const struct room_plan *plan;
    struct room *room;
    const char *creator_id;
    struct error *e;
};

static const struct {
    const char *name, *join_rule, *history_visibility, *guest_access;
} PRESETS[] = {
    [PRESET_PRIVATE_CHAT] = {"private_chat", "invite", "shared", "can_join"},
    [PRESET_TRUSTED_PRIVATE_CHAT] = {"trusted_private_chat", "invite", "shared", "can_join"},
    [PRESET_PUBLIC_CHAT] = {"public_chat", "public", "shared", "forbidden"},
};

bool room_preset_from(const char *name, enum room_preset *out)
{
    for (size_t i = 0; i < sizeof PRESETS / sizeof *PRESETS; ++i)
        if (strcmp(name, PRESETS[i].name) == 0) {
            *out = (enum room_preset)i;
            return true;
        }
    return false;
}

/* Appends a state event of the creator's and drops the content. What event authorization refuses is a state that cannot
 * be; the school's own refusals, which name their rule, stand. */
static bool put(struct creation *c, const char *type, const char *state_key, json_t *content)
{
    struct draft draft = {.sender = c->plan->creator,
                          .type = type,
                          .state_key = state_key,
                          .content = content,
                          .invited = c->plan->invite};
    struct appended out;
    bool done = append_event(c->room, c->tx, &draft, &out, c->e);
    json_decref(content);
    if (!done && c->e->code == ERROR_FORBIDDEN && c->e->rule == NULL)
        error_set(c->e, ERROR_INVALID_ROOM_STATE, c->e->sentence);
    return done;
}

/* A name by another way. */
static bool is_named_by_state(const struct room_plan *plan)
{
    static const char *const NAMING[] = {"m.room.name", "m.room.topic", "m.room.canonical_alias", "m.space.parent"};
    size_t i;
    json_t *event;
    json_array_foreach(plan->initial_state, i, event)
        for (size_t n = 0; n < sizeof NAMING / sizeof *NAMING; ++n) {
            const char *type = json_get_string(event, "type");
            if (type != NULL && strcmp(type, NAMING[n]) == 0)
                return true;
        }
    return false;
}

enum room_kind room_plan_kind(const struct room_plan *plan)
{
    bool private = plan->preset == PRESET_PRIVATE_CHAT || plan->preset == PRESET_TRUSTED_PRIVATE_CHAT;
    bool plain = plan->name == NULL && plan->topic == NULL && plan->alias == NULL && !plan->published &&
                 json_object_get(plan->creation_content, "type") == NULL && !is_named_by_state(plan);
    if (plan->record != NULL)
        return plan->kind;
    return plan->is_direct || (private && plain && json_array_size(plan->invite) <= 1) ? ROOM_DIRECT : ROOM_CLUB;
}

static bool begin_room(struct creation *c)
{
    char opaque[19], room_id[ID_BYTES_MAX + 1];
    const char *server = rooms_settings(c->rooms)->server_name;
    random_name(opaque, 18);
    snprintf(room_id, sizeof room_id, "!%s:%s", opaque, server); /* version 12: until its create event names it */
    room_no no = rooms_insert(c->tx, room_id, c->plan->version->name, c->plan->creator);
    if (no == 0)
        return error_set(c->e, ERROR_UNKNOWN, NULL);
    c->room = room_begin(c->rooms, c->tx, no, room_id, c->plan->version, c->plan->creator);
    if (c->plan->record != NULL)
        return c->plan->record(c->tx, no, c->plan->record_arg) || error_set(c->e, ERROR_UNKNOWN, NULL);
    return !rooms_settings(c->rooms)->school_mode ||
           school_room_record(c->tx->db, no, c->plan->creator, room_plan_kind(c->plan)) ||
           error_set(c->e, ERROR_UNKNOWN, NULL);
}

static bool trusts_invitees(const struct creation *c)
{
    return c->plan->preset == PRESET_TRUSTED_PRIVATE_CHAT;
}

/* Version 12: the people invited to a trusted chat become creators too. */
static void add_creators(struct creation *c, json_t *content)
{
    json_t *creators = json_object_get(content, "additional_creators"), *seen = json_object(), *id;
    size_t i;
    if (creators == NULL)
        json_object_set_new(content, "additional_creators", creators = json_array());
    json_array_foreach(creators, i, id)
        if (json_is_string(id))
            json_object_set_new(seen, json_string_value(id), json_true());
    json_array_foreach(c->plan->invite, i, id)
        if (json_object_get(seen, json_string_value(id)) == NULL) {
            json_object_set_new(seen, json_string_value(id), json_true());
            json_array_append(creators, id); /* not a list: nothing happens, and event authorization says so */
        }
    json_decref(seen);
}

/* What people may say in the event that makes a room: of version 11 on redaction takes nothing from it, so that a word
 * of theirs there could never be taken back (school.md G4), and the server's own rooms are told
 * by what they say (E3). */
static json_t *creation_content(const struct creation *c)
{
    static const char *const KEYS[] = {"type", "m.federate", "predecessor"};
    const json_t *said = c->plan->creation_content;
    struct gate_names names = {.db = c->tx->db,
                               .eyes = gate_eyes(c->rooms, c->plan->creator),
                               .server_name = rooms_settings(c->rooms)->server_name};
    const struct event_names there = {gate_names_there, &names};
    if (c->plan->record != NULL || !rooms_settings(c->rooms)->school_mode)
        return said != NULL ? json_deep_copy(said) : json_object();
    json_t *content = json_object();
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; ++i)
        if (json_object_get(said, KEYS[i]) != NULL)
            json_object_set_new(content, KEYS[i], json_deep_copy(json_object_get(said, KEYS[i])));
    event_lasting_clean("m.room.create", content, &there);
    gate_names_finish(&names);
    json_t *creators = json_object_get(said, "additional_creators"); /* refused where they are wrong */
    if (creators != NULL)
        json_object_set_new(content, "additional_creators", json_deep_copy(creators));
    return content;
}

static bool put_create(struct creation *c)
{
    json_t *content = creation_content(c);
    json_object_set_new(content, "room_version", json_string(c->plan->version->name));
    json_object_del(content, "creator");
    if (room_version_has(c->plan->version, ROOM_CREATOR_IN_CONTENT))
        json_object_set_new(content, "creator", json_string(c->creator_id));
    if (trusts_invitees(c) && room_version_has(c->plan->version, ROOM_CREATORS) &&
        json_array_size(c->plan->invite) != 0)
        add_creators(c, content);
    return put(c, "m.room.create", "", content);
}

static bool put_creator(struct creation *c)
{
    struct membership_act join = {.act = ACT_JOIN, .actor = c->plan->creator, .target = c->plan->creator};
    struct appended out;
    return membership_act(c->room, c->tx, &join, &out, c->e);
}

static json_t *default_users(struct creation *c)
{
    json_t *users = json_object(), *id;
    size_t i;
    if (room_version_has(c->plan->version, ROOM_CREATORS))
        return users;
    json_object_set_new(users, c->creator_id, json_integer(100));
    if (trusts_invitees(c))
        json_array_foreach(c->plan->invite, i, id)
            json_object_set_new(users, json_string_value(id), json_integer(100));
    return users;
}

/* Version 12: to replace the room takes more than state_default, whatever a client has put in place of the events we
 * list. */
static void lift_tombstone(json_t *content)
{
    int64_t state_default = json_get_int(content, "state_default", 50);
    int64_t above = state_default < JSON_INT_MAX ? state_default + 1 : JSON_INT_MAX;
    json_t *events = json_copy(json_get_object(content, "events"));
    if (events == NULL)
        return;
    if (json_object_get(events, "m.room.tombstone") == NULL)
        json_object_set_new(events, "m.room.tombstone", json_integer(above > 150 ? above : 150));
    json_object_set_new(content, "events", events);
}

static bool put_power_levels(struct creation *c)
{
    if (c->plan->preset == PRESET_NONE && c->plan->power_levels == NULL)
        return true; /* initial_state has them */
    json_t *content = json_pack(
        "{s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:{s:i, s:i, s:i, s:i, s:i, s:i, s:i}, s:{s:i}}", "users",
        default_users(c), "users_default", 0, "events_default", 0, "state_default", 50, "ban", 50, "kick", 50, "redact",
        50, "invite", c->plan->preset == PRESET_PUBLIC_CHAT ? 50 : 0, "events", "m.room.name", 50, "m.room.avatar", 50,
        "m.room.canonical_alias", 50, "m.room.power_levels", 100, "m.room.history_visibility", 100, "m.room.encryption",
        100, "m.room.server_acl", 100, "notifications", "room", 50);
    if (!room_version_has(c->plan->version, ROOM_CREATORS))
        json_object_set_new(json_object_get(content, "events"), "m.room.tombstone", json_integer(100));
    if (c->plan->power_levels != NULL)
        json_object_update(content, (json_t *)c->plan->power_levels);
    if (room_version_has(c->plan->version, ROOM_CREATORS))
        lift_tombstone(content);
    return put(c, "m.room.power_levels", "", content);
}

static bool put_alias(struct creation *c)
{
    const char *alias = c->plan->alias;
    if (alias == NULL)
        return true;
    if (!directory_alias_fits(rooms_settings(c->rooms)->school_mode, alias, c->e) ||
        !directory_alias_free(c->rooms, c->tx->db, alias, c->plan->creator, c->e) ||
        !gate_room(c->rooms, c->tx->db, ACT_ALIAS, c->room->no, c->plan->creator, 0, NULL, NULL, c->e))
        return false;
    if (!aliases_insert(c->tx, alias, c->room->no, c->plan->creator))
        return error_set(c->e, ERROR_ROOM_IN_USE, NULL);
    if (!bound_kept(c->tx->db, BOUND_ALIASES, c->plan->creator, 0, c->e))
        return false;
    return put(c, "m.room.canonical_alias", "", json_pack("{s:s}", "alias", alias));
}

static bool put_preset(struct creation *c)
{
    enum room_preset preset = c->plan->preset;
    if (preset == PRESET_NONE)
        return true;
    return put(c, "m.room.join_rules", "", json_pack("{s:s}", "join_rule", PRESETS[preset].join_rule)) &&
           put(c, "m.room.history_visibility", "",
               json_pack("{s:s}", "history_visibility", PRESETS[preset].history_visibility)) &&
           put(c, "m.room.guest_access", "", json_pack("{s:s}", "guest_access", PRESETS[preset].guest_access));
}

static bool put_initial(struct creation *c, const json_t *event)
{
    const char *type = json_get_string(event, "type"), *state_key = json_get_string(event, "state_key");
    json_t *content = json_get_object(event, "content");
    if (type == NULL || content == NULL || (json_object_get(event, "state_key") != NULL && state_key == NULL))
        return error_set(c->e, ERROR_BAD_JSON, "An entry of initial_state needs a type and a content.");
    if (strcmp(type, "m.room.create") == 0 || strcmp(type, "m.room.member") == 0)
        return error_set(c->e, ERROR_INVALID_ROOM_STATE, "initial_state cannot hold m.room.create or m.room.member.");
    if (c->plan->stripped != NULL && gate_strips(c->rooms, c->tx->db, c->room->no, c->plan->creator, type))
        return *c->plan->stripped = true;
    return put(c, type, state_key != NULL ? state_key : "", json_incref(content));
}

static bool put_initial_state(struct creation *c)
{
    size_t i;
    json_t *event;
    json_array_foreach(c->plan->initial_state, i, event)
        if (!put_initial(c, event))
            return false;
    return true;
}

static bool put_texts(struct creation *c)
{
    const char *name = c->plan->name, *topic = c->plan->topic;
    if (name != NULL && !put(c, "m.room.name", "", json_pack("{s:s}", "name", name)))
        return false;
    return topic == NULL || put(c, "m.room.topic", "",
                                json_pack("{s:s, s:{s:[{s:s}]}}", "topic", topic, "m.topic", "m.text", "body", topic));
}

static bool invite_all(struct creation *c)
{
    size_t i;
    json_t *id;
    json_array_foreach(c->plan->invite, i, id) {
        struct membership_act invite = {.act = ACT_INVITE, .actor = c->plan->creator, .is_direct = c->plan->is_direct};
        struct appended out;
        invite.target = users_by_id(c->tx->db, rooms_settings(c->rooms)->server_name, json_string_value(id));
        if (invite.target == 0)
            return membership_of_nobody(c->room, c->tx, &invite, c->e);
        if (!membership_act(c->room, c->tx, &invite, &out, c->e))
            return false;
    }
    return true;
}

static bool publish(struct creation *c)
{
    if (!c->plan->published)
        return true;
    return gate_room(c->rooms, c->tx->db, ACT_PUBLISH, c->room->no, c->plan->creator, 0, NULL, NULL, c->e) &&
           (rooms_set_published(c->tx, c->room->no, true) || error_set(c->e, ERROR_UNKNOWN, NULL));
}

struct room *room_create(struct rooms *rooms, struct tx *tx, const struct room_plan *plan, struct error *e)
{
    /* In the order of the Client-Server API's "Creation". */
    static bool (*const STEPS[])(struct creation * c) = {
        begin_room, put_create,        put_creator, put_power_levels, put_alias,
        put_preset, put_initial_state, put_texts,   invite_all,       publish,
    };
    struct creation c = {.rooms = rooms, .tx = tx, .plan = plan, .e = e};
    c.creator_id = user_names_get(rooms_settings(rooms)->names, tx->db, plan->creator);
    if (!gate_create(rooms, tx->db, plan->creator, room_plan_kind(plan), e))
        return NULL;
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; ++i)
        if (!STEPS[i](&c))
            return NULL;
    return plan->record != NULL || bound_kept(tx->db, BOUND_ROOMS, plan->creator, 0, e) ? c.room : NULL;
}
