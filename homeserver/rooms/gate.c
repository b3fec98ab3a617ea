#include "homeserver/rooms/gate.h"

#include "homeserver/rooms/rooms.h"
#include "homeserver/store/school.h"

static bool refuse_by(const struct verdict *verdict, struct error *e)
{
    error_set_field(e, ERROR_FORBIDDEN, verdict->sentence_ru, "org.parta.rule", verdict->rule);
    e->translation = verdict->sentence_en;
    return false;
}

bool gate_room(const struct rooms *rooms, struct db *db, enum act act, room_no room, user_no actor, user_no target,
               const char *type, const char *state_key, struct error *e)
{
    if (!rooms_settings(rooms)->school_mode)
        return true;
    struct rule_facts facts = {.act = act, .school_mode = true, .event_type = type, .state_key = state_key};
    school_room_facts(db, room, &facts.room);
    school_person_facts(db, room, actor, &facts.actor);
    if (target == actor)
        facts.target = facts.actor;
    else if (target != 0)
        school_person_facts(db, room, target, &facts.target);
    struct verdict verdict = rules_decide(&facts);
    return verdict.allowed || refuse_by(&verdict, e);
}

bool gate_create(const struct rooms *rooms, struct db *db, user_no actor, struct error *e)
{
    if (!rooms_settings(rooms)->school_mode)
        return true;
    struct rule_facts facts = {.act = ACT_CREATE_ROOM, .school_mode = true};
    school_person_facts(db, 0, actor, &facts.actor);
    struct verdict verdict = rules_decide(&facts);
    return verdict.allowed || refuse_by(&verdict, e);
}

bool gate_may_see(bool school_mode, struct db *db, room_no room, user_no user)
{
    if (!school_mode)
        return true;
    struct rule_facts facts = {.act = ACT_SEE, .school_mode = true};
    school_room_facts(db, room, &facts.room);
    school_person_facts(db, room, user, &facts.actor);
    return rules_decide(&facts).allowed;
}

bool gate_name(bool school_mode, struct db *db, user_no user, struct error *e)
{
    if (!school_mode)
        return true;
    struct rule_facts facts = {.act = ACT_NAME, .school_mode = true};
    school_person_facts(db, 0, user, &facts.actor);
    facts.actor.held = school_has_any(db, user);
    struct verdict verdict = rules_decide(&facts);
    return verdict.allowed || refuse_by(&verdict, e);
}
