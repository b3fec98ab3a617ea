#include "policy/rules/rules.h"

#include <stddef.h>
#include <string.h>

#define IN(act) (UINT64_C(1) << (act))

/* A row refuses when the act is one of its acts and applies answers true. */
struct rule {
    const char *rule, *code;
    uint64_t acts;
    bool (*applies)(const struct rule_facts *f);
    const char *ru, *en;
};

/* Acts that nobody does but a person whose account is in order. */
#define EVERY_ACT (IN(ACT__COUNT) - 1)
#define ENTERING (IN(ACT_INVITE) | IN(ACT_JOIN) | IN(ACT_KNOCK))
#define WRITING (IN(ACT_SEND) | IN(ACT_REDACT))

static bool is_roster_room(const struct rule_facts *f)
{
    return room_kind_is_roster(f->room.kind);
}

static bool stands(const struct person_facts *person)
{
    return person->service || person->standing == STANDING_ACTIVE || person->standing == STANDING_RESTRICTED;
}

/* --- A3 --- */

static bool actor_pending(const struct rule_facts *f)
{
    return !f->actor.service && f->actor.standing == STANDING_PENDING;
}

/* Whoever is suspended may still go (Client-Server API, "Account suspension"). */
static bool actor_stopped(const struct rule_facts *f)
{
    return !stands(&f->actor) && !(f->act == ACT_LEAVE && f->actor.standing == STANDING_SUSPENDED);
}

/* Who is suspended or locked for a while can do nothing, but keeps their place: the roster may even give them a new
 * one. */
static bool target_not_confirmed(const struct rule_facts *f)
{
    bool paused = f->target.standing == STANDING_SUSPENDED || f->target.standing == STANDING_LOCKED;
    return !stands(&f->target) && !(paused && f->actor.service);
}

/* --- A1, A2 --- */

/* Somebody of a school, and a room that people of none made. */
static bool school_meets_none(const struct rule_facts *f)
{
    return !f->room.has_school && !f->target.service && !f->target.member;
}

static bool target_outside(const struct rule_facts *f)
{
    return !f->target.service && !f->target.member;
}

static bool actor_outside(const struct rule_facts *f)
{
    return !f->actor.service && !f->actor.member;
}

/* --- E1, E2, E3, E4, E9 --- */

static bool target_not_held(const struct rule_facts *f)
{
    return is_roster_room(f) && !f->target.service && !f->target.held;
}

static bool target_held(const struct rule_facts *f)
{
    return is_roster_room(f) && f->target.held;
}

static bool ban_by_member(const struct rule_facts *f)
{
    return is_roster_room(f) && !f->actor.service;
}

/* State that makes a roster room what it is: the service user's alone. */
static bool is_founding_state(const char *type)
{
    static const char *const TYPES[] = {
        "m.room.create",       "m.room.power_levels",    "m.room.join_rules", "m.room.history_visibility",
        "m.room.guest_access", "m.room.server_acl",      "m.room.tombstone",  "m.room.third_party_invite",
        "m.room.name",         "m.room.canonical_alias", "m.room.aliases",    "m.space.child",
        "m.space.parent",      "m.room.related_groups",  "m.room.policy",
    };
    for (size_t i = 0; type != NULL && i < sizeof TYPES / sizeof *TYPES; ++i)
        if (strcmp(type, TYPES[i]) == 0)
            return true;
    return false;
}

static bool forges_state(const struct rule_facts *f)
{
    return is_roster_room(f) && !f->actor.service && is_founding_state(f->event_type);
}

/* Topic, avatar, pinned messages and the like: who has power there by post, never whom an event made powerful (A4). */
static bool state_without_post(const struct rule_facts *f)
{
    return is_roster_room(f) && !f->actor.service && !f->actor.post;
}

static bool keeps_by_member(const struct rule_facts *f)
{
    return is_roster_room(f) && !f->actor.service;
}

static bool encrypts(const struct rule_facts *f)
{
    return is_roster_room(f) && f->event_type != NULL && strcmp(f->event_type, "m.room.encryption") == 0;
}

static bool invites_by_third_party(const struct rule_facts *f)
{
    return f->event_type != NULL && strcmp(f->event_type, "m.room.third_party_invite") == 0;
}

static bool writes_in_space(const struct rule_facts *f)
{
    return room_kind_is_space(f->room.kind) && !f->actor.service;
}

/* --- B3: what somebody is called tells who they are in the school --- */

static bool actor_held(const struct rule_facts *f)
{
    return !f->actor.service && f->actor.held;
}

static bool announces_without_post(const struct rule_facts *f)
{
    return f->room.kind == ROOM_ANNOUNCEMENTS && !f->actor.service && (f->actor.roles & ROLES_LEADING) == 0;
}

/* No sentence gives away a name, of a person or a room (A1). */
static const struct rule RULES[] = {
    {"A3", "account_pending", EVERY_ACT, actor_pending,
     "Ваша учётная запись ещё не подтверждена. Подтвердить её может администратор школы или классный руководитель.",
     "Your account is not confirmed yet. A school administrator or the class teacher can confirm it."},
    {"A3", "account_stopped", EVERY_ACT, actor_stopped,
     "Ваша учётная запись сейчас не может этого делать. Обратитесь к администратору школы.",
     "Your account cannot do this now. Ask a school administrator."},
    {"A1", "not_your_school", IN(ACT_SEE), actor_outside, "Такой комнаты здесь нет.", "There is no such room here."},
    {"A1", "outside_every_school", ENTERING, school_meets_none,
     "Люди школы не входят в комнаты тех, кто ни в какой школе не состоит.",
     "People of a school do not enter the rooms of those who belong to none."},
    {"A2", "outsider", ENTERING, target_outside, "В эту комнату могут войти только участники её школы.",
     "Only people of its school can enter this room."},
    {"A2", "outsider_acts", EVERY_ACT & ~(IN(ACT_CREATE_ROOM) | IN(ACT_SEE) | IN(ACT_LEAVE) | IN(ACT_NAME)),
     actor_outside, "Это комната школы, участником которой вы не являетесь.",
     "This room is of a school that you do not belong to."},
    {"A3", "target_not_confirmed", IN(ACT_INVITE) | IN(ACT_JOIN), target_not_confirmed,
     "Этот человек ещё не подтверждён или его учётная запись остановлена.",
     "This person is not confirmed yet, or the account is stopped."},
    {"A5", "third_party_invite", IN(ACT_STATE), invites_by_third_party,
     "Пригласить по телефону или почте нельзя: у людей школы есть учётные записи.",
     "Nobody can be invited by phone or e-mail: the school's people have accounts."},
    {"E2", "not_in_roster", ENTERING, target_not_held,
     "Состав этой комнаты ведёт школа: в ней те, кто есть в её списках.",
     "The school keeps who is in this room: those who stand in its roster."},
    {"E3", "room_kept_by_school", IN(ACT_UPGRADE_ROOM) | IN(ACT_ALIAS) | IN(ACT_PUBLISH), keeps_by_member,
     "Эту комнату ведёт школа: её адреса и версию меняет только сервер.",
     "The school keeps this room: only the server changes its addresses and version."},
    {"E9", "encryption_forbidden", IN(ACT_STATE), encrypts, "В комнатах школы шифрование не включается.",
     "Encryption cannot be turned on in the school's rooms."},
    {"E3", "state_kept_by_school", IN(ACT_STATE), forges_state,
     "Эту комнату ведёт школа: её название, права и доступ меняет только сервер.",
     "The school keeps this room: only the server changes its name, powers and access."},
    {"E3", "no_post", IN(ACT_STATE), state_without_post, "Менять это может только тот, кому это положено по должности.",
     "Only those who have the post for it can change this."},
    {"E4", "held_by_roster", IN(ACT_LEAVE), target_held,
     "Из этой комнаты нельзя выйти, пока вы числитесь в классе или школе.",
     "You cannot leave this room while the school's roster holds you in it."},
    {"E4", "held_by_roster", IN(ACT_KICK) | IN(ACT_BAN), target_held,
     "Этого человека нельзя исключить: он числится в классе или школе.",
     "This person cannot be removed: the school's roster holds them here."},
    {"E4", "ban_in_roster_room", IN(ACT_BAN), ban_by_member,
     "В комнатах школы никого нельзя заблокировать: состав ведёт школа.",
     "Nobody can be banned in the school's rooms: the school keeps who is in them."},
    {"E1", "space_is_quiet", WRITING, writes_in_space, "Это пространство, а не чат: откройте одну из его комнат.",
     "This is a space, not a chat: open one of its rooms."},
    {"E1", "announcements", WRITING, announces_without_post,
     "В объявления пишут директор, его заместители и администраторы школы; читают их все.",
     "The head, the deputies and the school's administrators write announcements; everyone reads them."},
    {"B3", "name_from_roster", IN(ACT_NAME), actor_held, "Ваше имя здесь такое, как в списках школы.",
     "Your name here is the one in the school's roster."},
};
#define RULES_COUNT ((int)(sizeof RULES / sizeof *RULES))

static const struct verdict ALLOWED = {.allowed = true, .rule = "", .code = "", .sentence_ru = "", .sentence_en = ""};

int rules_count(void)
{
    return RULES_COUNT;
}

struct verdict rules_row(int i)
{
    return (struct verdict){
        .rule = RULES[i].rule, .code = RULES[i].code, .sentence_ru = RULES[i].ru, .sentence_en = RULES[i].en};
}

struct verdict rules_decide(const struct rule_facts *facts)
{
    if (!facts->school_mode)
        return ALLOWED;
    for (int i = 0; i < RULES_COUNT; ++i)
        if ((RULES[i].acts & IN(facts->act)) != 0 && RULES[i].applies(facts))
            return rules_row(i);
    return ALLOWED;
}
