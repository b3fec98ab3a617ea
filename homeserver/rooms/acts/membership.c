#include "homeserver/rooms/acts/membership.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/base/json.h"
#include "homeserver/base/names.h"
#include "homeserver/rooms/acts/upgrade_carry.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"

static const char *name_of(struct room *room, struct tx *tx, user_no user)
{
    return user_names_get(rooms_settings(room->rooms)->names, tx->db, user);
}

static void set_profile(json_t *content, struct tx *tx, user_no user)
{
    static const char *const FIELDS[] = {"displayname", "avatar_url"};
    for (int i = 0; i < 2; ++i) {
        char *value = profiles_get_string(tx->db, user, FIELDS[i]);
        if (value != NULL)
            json_object_set_new(content, FIELDS[i], json_string(value));
        else
            json_object_del(content, FIELDS[i]);
        free(value);
    }
}

/* --- Restricted joins (Client-Server API, "Restricted rooms") --- */

static bool condition_holds(const json_t *condition, struct tx *tx, user_no user)
{
    const char *type = json_get_string(condition, "type"), *room_id = json_get_string(condition, "room_id");
    if (type == NULL || room_id == NULL || strcmp(type, "m.room_membership") != 0)
        return false;
    room_no room = rooms_by_id(tx->db, room_id);
    return room != 0 && memberships_of(tx->db, room, user) == MEMBERSHIP_JOIN;
}

static bool may_join_restricted(struct room *room, struct tx *tx, user_no user)
{
    json_t *allow = json_get_array(room_state_content(room, tx, "m.room.join_rules", ""), "allow"), *condition;
    size_t i;
    json_array_foreach(allow, i, condition)
        if (condition_holds(condition, tx, user))
            return true;
    return false;
}

/* Somebody joined who may invite. */
static const char *authoriser(struct room *room, struct tx *tx)
{
    struct power power;
    room_power(room, tx, &power);
    int64_t needed = power_level(&power, POWER_INVITE);
    const struct member_set *joined = room_joined(room, tx);
    for (size_t i = 0; i < joined->n; ++i) {
        const char *id = name_of(room, tx, joined->users[i]);
        if (id != NULL && power_of_user(&power, id) >= needed)
            return id;
    }
    return NULL;
}

static bool join_rule_is(struct room *room, struct tx *tx, const char *rule)
{
    const char *now = room_state_string(room, tx, "m.room.join_rules", "join_rule");
    return now != NULL && strcmp(now, rule) == 0;
}

static bool authorise_restricted(struct room *room, struct tx *tx, const struct membership_act *act, json_t *content,
                                 struct error *e)
{
    enum membership before = memberships_of(tx->db, room->no, act->target);
    if (before == MEMBERSHIP_JOIN || before == MEMBERSHIP_INVITE ||
        (!join_rule_is(room, tx, "restricted") && !join_rule_is(room, tx, "knock_restricted")))
        return true;
    bool forced = act->actor != act->target;
    if (!forced &&
        !may_join_restricted(room, tx, act->target)) /* the school's own reason tells more, where it has one */
        return gate_room(room->rooms, tx->db, ACT_JOIN, room->no, act->actor, act->target, NULL, NULL, e) &&
               error_set(e, ERROR_FORBIDDEN, "You are in none of the rooms that let people into this one.");
    const char *by = forced ? name_of(room, tx, act->actor) : authoriser(room, tx);
    if (by == NULL)
        return error_set(e, ERROR_UNABLE_TO_GRANT_JOIN, NULL);
    json_object_set_new(content, "join_authorised_via_users_server", json_string(by));
    return true;
}

/* --- The acts --- */

/* What each act makes of the target, and which memberships it starts from ("not in the room" otherwise). */
static const struct {
    enum membership to;
    unsigned from; /* bits 1 << enum membership; 0: event authorization says it all */
    bool own;      /* the event is the target's own */
    enum power_key needs;
    const char *refusal;
} ACTS[ACT__COUNT] = {
    [ACT_INVITE] = {.to = MEMBERSHIP_INVITE, .needs = POWER_INVITE},
    [ACT_JOIN] = {.to = MEMBERSHIP_JOIN, .own = true},
    [ACT_KNOCK] = {.to = MEMBERSHIP_KNOCK, .own = true},
    [ACT_LEAVE] = {.to = MEMBERSHIP_LEAVE, .own = true},
    [ACT_KICK] = {.to = MEMBERSHIP_LEAVE,
                  .from = 1 << MEMBERSHIP_JOIN | 1 << MEMBERSHIP_INVITE | 1 << MEMBERSHIP_KNOCK,
                  .needs = POWER_KICK,
                  .refusal = "That person is not in the room."},
    [ACT_BAN] = {.to = MEMBERSHIP_BAN, .needs = POWER_BAN},
    [ACT_UNBAN] = {.to = MEMBERSHIP_LEAVE,
                   .from = 1 << MEMBERSHIP_BAN,
                   .needs = POWER_BAN,
                   .refusal = "That person is not banned."},
};

/* What a client adds to a membership: in a school only what the specification knows, of the type that it has there: a
 * member event is no letter box (F1). */
static json_t *extra_content(struct room *room, const struct membership_act *act)
{
    if (!rooms_settings(room->rooms)->school_mode)
        return act->extra != NULL ? json_copy((json_t *)act->extra) : json_object();
    json_t *content = json_object(), *reason = json_object_get(act->extra, "reason");
    if (json_is_string(reason))
        json_object_set(content, "reason", reason);
    if (act->act == ACT_INVITE && json_is_true(json_object_get(act->extra, "is_direct")))
        json_object_set_new(content, "is_direct", json_true());
    return content;
}

/* F1: a reason is a message to everybody in the room, and to whom the act is done to. Who may not write there now, is
 * not in it and does not come in, or does it to somebody who is not there, goes without one. */
static bool may_give_reason(struct room *room, struct tx *tx, const struct membership_act *act)
{
    struct gate_answer answer = {0};
    struct error ignored;
    const struct gate_question q = {
        .act = ACT_SEND, .room = room->no, .actor = act->actor, .type = "m.room.message", .now_ms = tx->now_ms};
    bool heard = !rooms_settings(room->rooms)->school_mode || act->act == ACT_JOIN ||
                 (memberships_of(tx->db, room->no, act->actor) == MEMBERSHIP_JOIN &&
                  memberships_of(tx->db, room->no, act->target) == MEMBERSHIP_JOIN);
    return heard && gate_event(room->rooms, tx->db, &q, &answer, &ignored) && answer.due_ms == 0;
}

/* A school's people are called in rooms as in their profile, whatever their client says (school.md B3). */
static json_t *member_content(struct room *room, struct tx *tx, const struct membership_act *act)
{
    json_t *content = extra_content(room, act), *profile = json_object();
    if (act->act == ACT_JOIN || act->act == ACT_KNOCK || act->act == ACT_INVITE)
        set_profile(profile, tx, act->target);
    if (!ACTS[act->act].own) {
        json_object_del(content, "displayname");
        json_object_del(content, "avatar_url");
    }
    json_object_update_missing(content, profile);
    json_decref(profile);
    json_object_del(content, "join_authorised_via_users_server"); /* only the server says so */
    if (act->reason != NULL)
        json_object_set_new(content, "reason", json_string(act->reason));
    if (json_object_get(content, "reason") != NULL && !may_give_reason(room, tx, act))
        json_object_del(content, "reason");
    if (act->is_direct)
        json_object_set_new(content, "is_direct", json_true());
    json_object_set_new(content, "membership", json_string(membership_name(ACTS[act->act].to)));
    return content;
}

/* The act cannot be done to this target: but who may not do it to anybody is told that, and not who there is. */
static bool refuse_target(struct room *room, struct tx *tx, const struct membership_act *act, enum error_code code,
                          const char *sentence, struct error *e)
{
    const char *actor = name_of(room, tx, act->actor);
    struct power power;
    room_power(room, tx, &power);
    if (memberships_of(tx->db, room->no, act->actor) != MEMBERSHIP_JOIN)
        return error_set(e, ERROR_FORBIDDEN, "You are not in this room.");
    if (!ACTS[act->act].own &&
        (actor == NULL || power_of_user(&power, actor) < power_level(&power, ACTS[act->act].needs)))
        return error_set(e, ERROR_FORBIDDEN, "Your power level is too low for this.");
    return error_set(e, code, sentence);
}

/* In a school nobody has another name in a room than the school gives them, so that there is nothing to say by joining
 * again (F1: a member event is no letter box). */
static bool already_joined(struct room *room, struct tx *tx, const struct membership_act *act, struct appended *out)
{
    bool says_more = act->extra != NULL && !rooms_settings(room->rooms)->school_mode;
    if (act->act != ACT_JOIN || says_more || memberships_of(tx->db, room->no, act->target) != MEMBERSHIP_JOIN)
        return false;
    const struct room_state *now = room_state_get(room, tx, "m.room.member", name_of(room, tx, act->target));
    out->pos = now->pos;
    strcpy(out->event_id, now->event_id != NULL ? now->event_id : ""); /* NULL: the database failed */
    return true;
}

/* An invitation to one's server notices is not declined (Client-Server API, "Server Notices"). */
static bool declines_notices(const struct room *room, struct tx *tx, const struct membership_act *act,
                             enum membership before)
{
    return act->act == ACT_LEAVE && before == MEMBERSHIP_INVITE && act->actor == act->target && !act->closing &&
           rooms_owned(tx->db, act->target, room_kind_name(ROOM_NOTICES)) == room->no;
}

bool membership_act(struct room *room, struct tx *tx, const struct membership_act *act, struct appended *out,
                    struct error *e)
{
    const char *target_id = name_of(room, tx, act->target);
    enum membership before = memberships_of(tx->db, room->no, act->target);
    if (target_id == NULL)
        return error_set(e, ERROR_NOT_FOUND, "There is no such user.");
    if (already_joined(room, tx, act, out))
        return true;
    if ((act->act == ACT_INVITE || act->act == ACT_BAN) &&
        gate_is_stranger(room->rooms, tx->db, room->no, act->actor, act->target))
        return membership_of_nobody(room, tx, act, e);
    if (ACTS[act->act].from != 0 && (ACTS[act->act].from & 1u << before) == 0)
        return refuse_target(room, tx, act, ERROR_FORBIDDEN, ACTS[act->act].refusal, e);
    if (declines_notices(room, tx, act, before))
        return error_set(e, ERROR_CANNOT_LEAVE_SERVER_NOTICE_ROOM, NULL);
    json_t *content = member_content(room, tx, act);
    struct draft draft = {
        .sender = ACTS[act->act].own ? act->target
                  : act->sender != 0 ? act->sender
                                     : act->actor,
        .actor = act->actor,
        .type = "m.room.member",
        .state_key = target_id,
        .content = content,
    };
    bool done = (act->act != ACT_JOIN || authorise_restricted(room, tx, act, content, e)) &&
                append_state(room, tx, &draft, out, e);
    json_decref(content);
    if (done && act->act == ACT_INVITE && !bound_kept(tx->db, BOUND_INVITES, act->actor, act->target, e))
        return false;
    if (done && act->act == ACT_JOIN && before != MEMBERSHIP_JOIN)
        upgrade_carry(room, tx, act->target);
    return done;
}

#define NOBODY (-1) /* a number that no user has */

bool membership_of_nobody(struct room *room, struct tx *tx, const struct membership_act *act, struct error *e)
{
    if (ACTS[act->act].from != 0)
        return refuse_target(room, tx, act, ERROR_FORBIDDEN, ACTS[act->act].refusal, e);
    return gate_room(room->rooms, tx->db, act->act, room->no, act->actor, NOBODY, NULL, NULL, e) &&
           refuse_target(room, tx, act, act->act == ACT_BAN ? ERROR_FORBIDDEN : ERROR_NOT_FOUND,
                         "There is no such user.", e);
}

bool membership_write(struct room *room, struct tx *tx, const struct draft *draft, struct appended *out,
                      struct error *e)
{
    struct membership_act act = {.actor = draft->sender, .extra = draft->content};
    enum membership to = membership_from(json_get_string(draft->content, "membership"));
    if (to == MEMBERSHIP_NONE)
        return error_set(e, ERROR_BAD_JSON, "membership is not one of join, invite, knock, leave, ban.");
    const char *name = json_get_string(draft->content, "displayname");
    if (name != NULL && *name != '\0' && !name_valid(name, NAME_BYTES_MAX))
        return error_set(e, ERROR_INVALID_PARAM, NAME_SENTENCE);
    act.target = users_by_id(tx->db, rooms_settings(room->rooms)->server_name, draft->state_key);
    act.act = plan_member_act(memberships_of(tx->db, room->no, act.target), to, act.target == act.actor);
    if (ACTS[act.act].own && act.target != act.actor)
        return error_set(e, ERROR_FORBIDDEN, "This is for themselves to do.");
    if (act.target == 0)
        return membership_of_nobody(room, tx, &act, e);
    return membership_act(room, tx, &act, out, e);
}

bool membership_forget(struct room *room, struct tx *tx, user_no user, struct error *e)
{
    enum membership now = memberships_of(tx->db, room->no, user);
    if (now == MEMBERSHIP_JOIN || now == MEMBERSHIP_INVITE || now == MEMBERSHIP_KNOCK)
        return error_set(e, ERROR_UNKNOWN, "You have to leave the room before you forget it.") ||
               (e->status = 400, false);
    return memberships_forget(tx, room->no, user) && account_data_forget_room(tx, user, room->no);
}

static void refresh_member(struct room *room, struct tx *tx, user_no user, user_no by)
{
    const char *id = name_of(room, tx, user); /* NULL: the database failed */
    const json_t *now = id != NULL ? room_state_content(room, tx, "m.room.member", id) : NULL;
    struct error ignored;
    struct appended out;
    if (now == NULL)
        return;
    json_t *content = json_deep_copy(now);
    set_profile(content, tx, user);
    json_object_del(content, "reason");
    json_object_del(content, "join_authorised_via_users_server");
    struct draft draft = {.sender = user, .actor = by, .type = "m.room.member", .state_key = id, .content = content};
    append_state(room, tx, &draft, &out, &ignored);
    json_decref(content);
}

void membership_profile_changed(struct rooms *rooms, struct tx *tx, user_no user, user_no by)
{
    size_t n;
    room_no *joined = memberships_rooms(tx->db, user, 1u << MEMBERSHIP_JOIN, &n);
    for (size_t i = 0; i < n; ++i) {
        struct room *room = room_open(rooms, tx, joined[i]);
        if (room != NULL)
            refresh_member(room, tx, user, by);
    }
    free(joined);
}
