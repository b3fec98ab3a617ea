#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/acts/create.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/gate_names.h"
#include "homeserver/rooms/acts/bulk_join.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/school/roster_members.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/school/taken.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"

/* A room being replaced. */
struct upgrade {
    struct room *old;
    struct tx *tx;
    user_no actor;
    const char *actor_id;
    const struct room_version *version;
    const json_t *additional_creators;
    struct error *e;
    json_t *state; /* initial_state of the new room */
    struct room *new;
};

/* State that goes with the room (Client-Server API, "Server behaviour" of room upgrades); the power levels follow
 * later. */
static const char *const CARRIED[] = {
    "m.room.server_acl",   "m.room.encryption",         "m.room.name",       "m.room.avatar", "m.room.topic",
    "m.room.guest_access", "m.room.history_visibility", "m.room.join_rules",
};

/* G4: of what the old room kept that nobody could take back, nothing goes over that says something. Takes content. */
static json_t *without_words(struct upgrade *u, const char *type, json_t *content)
{
    const struct rooms_settings *settings = rooms_settings(u->old->rooms);
    struct gate_names names = {.db = u->tx->db,
                               .eyes = gate_eyes(u->old->rooms, u->actor),
                               .server_name = settings->server_name,
                               .room = u->old->no,
                               .type = type};
    const struct event_names there = {gate_names_there, &names};
    if (settings->school_mode && u->actor != users_no(u->tx->db, SERVICE_LOCALPART))
        event_lasting_clean(type, content, &there);
    gate_names_finish(&names);
    return content;
}

static json_t *create_content(struct upgrade *u)
{
    const json_t *old = room_state_content(u->old, u->tx, "m.room.create", "");
    json_t *content = without_words(u, "m.room.create", json_deep_copy(old));
    json_object_del(content, "additional_creators");
    json_object_set_new(content, "predecessor",
                        json_pack("{s:s, s:s}", "room_id", u->old->room_id, "event_id", u->old->last_event_id));
    if (u->additional_creators != NULL && room_version_has(u->version, ROOM_CREATORS))
        json_object_set(content, "additional_creators", (json_t *)u->additional_creators);
    return content;
}

/* Levels that the old version could read, as numbers; what it could not read counts as absent. */
static void plain_levels(const struct room_version *from, json_t *levels)
{
    const char *key;
    json_t *value;
    void *next;
    int64_t level;
    json_object_foreach_safe(levels, next, key, value)
    {
        if (json_is_object(value))
            plain_levels(from, value);
        else if (power_read(from, value, &level))
            json_object_set_new(levels, key, json_integer(level));
        else
            json_object_del(levels, key);
    }
}

/* Version 12 has its creators above all levels and in no list; older versions want them in it. */
static void fit_power_levels(struct upgrade *u, json_t *content)
{
    json_t *users = json_get_object(content, "users"), *id;
    size_t i;
    if (room_version_has(u->old->version, ROOM_LOOSE_LEVELS) && !room_version_has(u->version, ROOM_LOOSE_LEVELS))
        plain_levels(u->old->version, content);
    if (room_version_has(u->version, ROOM_CREATORS)) {
        json_object_del(users, u->actor_id);
        json_array_foreach(u->additional_creators, i, id)
            json_object_del(users, json_string_value(id));
    } else if (room_version_has(u->old->version, ROOM_CREATORS)) {
        if (users == NULL)
            json_object_set_new(content, "users", users = json_object());
        json_object_set_new(users, u->actor_id, json_integer(100));
        json_t *events = json_object_get(content, "events");
        if (json_object_get(events, "m.room.tombstone") != NULL)
            json_object_set_new(events, "m.room.tombstone", json_integer(100)); /* not 150: nobody has more than 100 */
    }
}

static void carry(struct upgrade *u, const char *type, const char *state_key, const json_t *now)
{
    json_array_append_new(u->state, json_pack("{s:s, s:s, s:o}", "type", type, "state_key", state_key, "content",
                                              without_words(u, type, json_deep_copy(now))));
}

/* The children and parents of a space. What clients made up stays: it may depend on who sent it. */
static void carry_keyed(struct upgrade *u)
{
    struct event_row row;
    struct error ignored;
    struct stmt *q = events_state_now(u->tx->db, u->old->no);
    while (events_next(q, &row)) {
        bool space = (strcmp(row.type, "m.space.child") == 0 || strcmp(row.type, "m.space.parent") == 0) &&
                     room_id_valid(row.state_key);
        json_t *content = space ? json_parse(row.content, strlen(row.content), &ignored) : NULL;
        if (content != NULL)
            carry(u, row.type, row.state_key, content);
        json_decref(content);
    }
    stmt_end(q);
}

static void collect_state(struct upgrade *u)
{
    u->state = json_array();
    carry_keyed(u);
    for (size_t i = 0; i < sizeof CARRIED / sizeof *CARRIED; ++i) {
        const json_t *now = room_state_content(u->old, u->tx, CARRIED[i], "");
        if (now != NULL)
            carry(u, CARRIED[i], "", now);
    }
}

static bool record(struct tx *tx, room_no room, void *arg)
{
    struct upgrade *u = arg;
    return !rooms_settings(u->old->rooms)->school_mode ||
           (school_room_replace(tx->db, u->old->no, room) && taken_replace(tx->db, u->old->no, room));
}

/* F2, E5: whoever upgrades it makes no other kind of room. */
static enum room_kind kind_of(struct upgrade *u, room_no room)
{
    struct room_school of;
    school_of_room(u->tx->db, room, &of);
    return of.kind;
}

static bool make_new(struct upgrade *u)
{
    json_t *creation = create_content(u);
    struct room_plan plan = {
        .creator = u->actor,
        .version = u->version,
        .preset = PRESET_NONE,
        .creation_content = creation,
        .initial_state = u->state,
        .kind = kind_of(u, u->old->no),
        .record = record,
        .record_arg = u,
    };
    bool peoples = plan.kind == ROOM_FREE || plan.kind == ROOM_CLUB || plan.kind == ROOM_DIRECT;
    u->new = room_create(u->old->rooms, u->tx, &plan, u->e);
    json_decref(creation);
    return u->new != NULL && (!peoples || bound_kept(u->tx->db, BOUND_ROOMS, u->actor, 0, u->e));
}

static bool send_state(struct upgrade *u, struct room *room, const char *type, const char *state_key, json_t *content)
{
    struct draft draft = {.sender = u->actor, .type = type, .state_key = state_key, .content = content};
    struct appended out;
    bool done = append_event(room, u->tx, &draft, &out, u->e);
    json_decref(content);
    return done;
}

static bool bury(struct upgrade *u)
{
    return send_state(
        u, u->old, "m.room.tombstone", "",
        json_pack("{s:s, s:s}", "body", "This room has been replaced", "replacement_room", u->new->room_id));
}

/* In a school the ban goes over without its reason, which would be said to somebody who is not there (F1); a direct
 * chat, into which nobody else comes, bans none but its two (F2). */
static bool carry_ban(struct upgrade *u, const struct room_school *of, user_no banned)
{
    const struct rooms_settings *settings = rooms_settings(u->old->rooms);
    const char *id = user_names_get(settings->names, u->tx->db, banned);
    const json_t *now = id != NULL ? room_state_content(u->old, u->tx, "m.room.member", id) : NULL;
    if (now == NULL || (settings->school_mode && of->kind == ROOM_DIRECT && banned != of->a && banned != of->b))
        return true;
    json_t *content = json_deep_copy(now);
    if (settings->school_mode)
        json_object_del(content, "reason");
    return send_state(u, u->new, "m.room.member", id, content);
}

static bool carry_bans(struct upgrade *u)
{
    struct room_school of;
    size_t n;
    bool done = true;
    school_of_room(u->tx->db, u->new->no, &of);
    user_no *banned = memberships_users(u->tx->db, u->old->no, MEMBERSHIP_BAN, &n);
    for (size_t i = 0; done && i < n; ++i)
        done = carry_ban(u, &of, banned[i]);
    free(banned);
    return done;
}

/* Last: until then the new room's creator has all the power that the rest needs. */
static bool carry_power(struct upgrade *u)
{
    const json_t *now = room_state_content(u->old, u->tx, "m.room.power_levels", "");
    if (now == NULL)
        return true;
    json_t *content = without_words(u, "m.room.power_levels", json_deep_copy(now));
    fit_power_levels(u, content);
    return send_state(u, u->new, "m.room.power_levels", "", content);
}

/* The aliases follow, and the canonical one is said in the new room and no longer in the old. */
static bool move_aliases(struct upgrade *u)
{
    json_t *canonical = json_incref((json_t *)room_state_content(u->old, u->tx, "m.room.canonical_alias", ""));
    bool done = aliases_move(u->tx, u->old->no, u->new->no);
    if (done && json_object_size(canonical) != 0)
        done = send_state(u, u->new, "m.room.canonical_alias", "", json_deep_copy(canonical)) &&
               send_state(u, u->old, "m.room.canonical_alias", "", json_object());
    json_decref(canonical);
    return done;
}

static bool move_listing(struct upgrade *u)
{
    struct room_row row;
    struct stmt *q = rooms_get(u->tx->db, u->old->no);
    bool published = rooms_next(q, &row) && row.published;
    stmt_end(q);
    return !published ||
           (rooms_set_published(u->tx, u->old->no, false) && rooms_set_published(u->tx, u->new->no, true));
}

/* The old room is to be read, not written in: what anybody may send now takes more. */
static bool quieten(struct upgrade *u)
{
    struct power power;
    struct error ignored;
    room_power(u->old, u->tx, &power);
    if (power.levels == NULL || power_of_user(&power, u->actor_id) < power_needed(&power, "m.room.power_levels", true))
        return true;
    int64_t above = power_level(&power, POWER_USERS_DEFAULT) + 1, level = above > 50 ? above : 50;
    json_t *content = json_deep_copy(power.levels);
    if (power_level(&power, POWER_EVENTS_DEFAULT) < level)
        json_object_set_new(content, "events_default", json_integer(level));
    if (power_level(&power, POWER_INVITE) < level)
        json_object_set_new(content, "invite", json_integer(level));
    struct draft draft = {.sender = u->actor, .type = "m.room.power_levels", .state_key = "", .content = content};
    struct appended out;
    append_event(u->old, u->tx, &draft, &out, &ignored); /* who may not, leaves it */
    json_decref(content);
    return true;
}

static bool bring_all(struct upgrade *u)
{
    user_no *held = NULL;
    size_t n = 0;
    struct roster_member_row row;
    struct stmt *q = roster_members_in(u->tx->db, u->new->no);
    while (roster_members_next(q, &row)) {
        held = xrealloc(held, (n + 1) * sizeof *held);
        held[n++] = row.user;
    }
    stmt_end(q);
    bool good = true;
    struct bulk_join *joins = bulk_join_begin(u->new->rooms, u->tx, u->actor);
    for (size_t i = 0; good && i < n; ++i)
        good = bulk_join_add(joins, u->new->no, held[i], u->e);
    free(held);
    return bulk_join_finish(joins, good, u->e);
}

/* D9: in the new room the roster's word holds; the old one keeps nobody with whom they are kept from. */
static bool part(struct upgrade *u)
{
    size_t n;
    bool good = true;
    user_no *joined = memberships_users(u->tx->db, u->old->no, MEMBERSHIP_JOIN, &n);
    for (size_t i = 0; good && i < n; ++i) {
        struct membership_act kick = {.act = ACT_KICK, .actor = u->actor, .target = joined[i]};
        struct appended out;
        good = !school_barred_out(u->tx->db, u->old->no, joined[i]) || membership_act(u->old, u->tx, &kick, &out, u->e);
    }
    free(joined);
    return good;
}

/* E2: whom the roster holds is in the new room at once. The old one can be read and left, not written in. */
static bool carry_members(struct upgrade *u)
{
    if (!rooms_settings(u->old->rooms)->school_mode || !room_kind_is_roster(kind_of(u, u->new->no)))
        return true;
    return bring_all(u) &&
           (school_room_set(u->tx->db, u->old->no, ROOM_ARCHIVE, 0) || error_set(u->e, ERROR_UNKNOWN, NULL)) && part(u);
}

/* In the other room, what is said of the old one is said of the new. */
static bool relink_one(struct upgrade *u, struct room *other, const char *type)
{
    const json_t *now = other != NULL ? room_state_content(other, u->tx, type, u->old->room_id) : NULL;
    return json_object_size(now) == 0 || (send_state(u, other, type, u->new->room_id, json_deep_copy(now)) &&
                                          send_state(u, other, type, u->old->room_id, json_object()));
}

/* Who was in the old space may join: of the new one. */
static bool relink_rule(struct upgrade *u, struct room *child)
{
    json_t *rule = json_deep_copy(room_state_content(child, u->tx, "m.room.join_rules", "")), *condition;
    bool changed = false;
    size_t i;
    json_array_foreach(json_get_array(rule, "allow"), i, condition) {
        const char *space = json_get_string(condition, "room_id");
        if (space != NULL && strcmp(space, u->old->room_id) == 0) {
            json_object_set_new(condition, "room_id", json_string(u->new->room_id));
            changed = true;
        }
    }
    if (changed)
        return send_state(u, child, "m.room.join_rules", "", rule);
    json_decref(rule);
    return true;
}

/* E1, E6: rooms that the server keeps stay where they are in the school's space, and who may join stays who. */
static bool relink(struct upgrade *u)
{
    enum room_kind kind = rooms_settings(u->old->rooms)->school_mode ? kind_of(u, u->new->no) : ROOM_FREE;
    json_t *event;
    size_t i;
    if (!room_kind_is_roster(kind) && kind != ROOM_LIBRARY)
        return true;
    json_array_foreach(u->state, i, event) {
        const char *type = json_get_string(event, "type");
        bool parent = strcmp(type, "m.space.parent") == 0, child = strcmp(type, "m.space.child") == 0;
        room_no no = parent || child ? rooms_by_id(u->tx->db, json_get_string(event, "state_key")) : 0;
        struct room *other = no != 0 ? room_open(u->old->rooms, u->tx, no) : NULL;
        if (other != NULL &&
            (!relink_one(u, other, parent ? "m.space.child" : "m.space.parent") || (child && !relink_rule(u, other))))
            return false;
    }
    return true;
}

static bool may_upgrade(struct upgrade *u)
{
    struct power power;
    room_power(u->old, u->tx, &power);
    if (!gate_room(u->old->rooms, u->tx->db, ACT_UPGRADE_ROOM, u->old->no, u->actor, 0, NULL, NULL, u->e))
        return false;
    return (member_set_has(room_joined(u->old, u->tx), u->actor) &&
            power_of_user(&power, u->actor_id) >= power_needed(&power, "m.room.tombstone", true)) ||
           error_set(u->e, ERROR_FORBIDDEN, "Your power level is too low to upgrade this room.");
}

struct room *room_upgrade(struct room *old, struct tx *tx, user_no actor, const struct room_version *version,
                          const json_t *additional_creators, struct error *e)
{
    static bool (*const STEPS[])(struct upgrade * u) = {
        make_new, carry_bans, move_aliases, move_listing, carry_power, bury, quieten, carry_members, relink,
    };
    struct upgrade u = {old, tx, actor, .version = version, .additional_creators = additional_creators, .e = e};
    u.actor_id = user_names_get(rooms_settings(old->rooms)->names, tx->db, actor);
    bool done = may_upgrade(&u);
    if (done)
        collect_state(&u);
    for (size_t i = 0; done && i < sizeof STEPS / sizeof *STEPS; ++i)
        done = STEPS[i](&u);
    json_decref(u.state);
    return done ? u.new : NULL;
}
