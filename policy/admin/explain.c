#include "policy/admin/explain.h"

#include "homeserver/rooms/gate.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/rule_facts.h"

#define VERDICTS_MAX 64

static bool is_office(enum act act)
{
    return act >= ACT_APPROVE;
}

/* Those without a room: between people, of oneself, and the making of one. */
static bool needs_room(enum act act)
{
    return !is_office(act) && act != ACT_CREATE_ROOM && act != ACT_NAME && act != ACT_PROFILE && act != ACT_FIND &&
           act != ACT_SIGNAL && act != ACT_REPORT;
}

static bool needs_target(enum act act)
{
    return act == ACT_INVITE || act == ACT_KICK || act == ACT_BAN || act == ACT_UNBAN || act == ACT_PROFILE ||
           act == ACT_FIND || act == ACT_BECOME_GUARDIAN || act == ACT_END_GUARDIAN || act == ACT_CHILD;
}

/* Whoever does these does them to themselves, unless somebody else was said. */
static bool is_of_oneself(enum act act)
{
    return act == ACT_JOIN || act == ACT_KNOCK || act == ACT_LEAVE || act == ACT_GUARDIAN_LINK ||
           act == ACT_LEAVE_SCHOOL || act == ACT_EXPORT || act == ACT_ERASE;
}

bool explain_check(const struct explain_question *q, struct error *e)
{
    if (!is_office(q->act) && q->actor->user == 0)
        return error_set(e, ERROR_MISSING_PARAM, "Say whose act it would be: actor.");
    if (needs_room(q->act) && q->room == 0)
        return error_set(e, ERROR_MISSING_PARAM, "Say in which room it would be: room_id.");
    if (needs_target(q->act) && q->subject.target == 0)
        return error_set(e, ERROR_MISSING_PARAM, "Say whom it would concern: target.");
    if (q->act == ACT_STATE && q->event_type == NULL)
        return error_set(e, ERROR_MISSING_PARAM, "Say of which type the state would be: event_type.");
    return true;
}

/* --- Facts as JSON --- */

static json_t *roles_json(unsigned roles)
{
    json_t *words = json_array();
    for (unsigned bit = ROLE_PUPIL; bit <= ROLE_EXTERNAL; bit <<= 1)
        if ((roles & bit) != 0)
            json_array_append_new(words, json_string(school_role_name((enum school_role)bit)));
    return words;
}

static json_t *relations_json(uint32_t relations)
{
    json_t *words = json_array();
    for (int i = 0; i < RELATION__COUNT; ++i)
        if ((relations & RELATION_BIT(i)) != 0)
            json_array_append_new(words, json_string(relationship_name((enum relationship)i)));
    return words;
}

static json_t *person_json(const struct person_facts *p)
{
    return json_pack("{s:s, s:o, s:b, s:b, s:b, s:b, s:b}", "standing", account_state_name(p->account), "roles",
                     roles_json(p->roles), "member", p->member, "held", p->held, "post", p->post, "named", p->named,
                     "owner", p->owner);
}

static void add_room(json_t *out, const struct room_facts *room)
{
    json_object_set_new(out, "room",
                        json_pack("{s:s, s:b, s:b, s:i}", "kind", room_kind_name(room->kind), "has_school",
                                  room->has_school, "encrypted", room->encrypted, "people", room->n_people));
}

static json_t *room_act_facts(struct db *db, const struct explain_question *q, const struct gate_question *question)
{
    struct school_policy policy;
    struct rule_facts facts;
    gate_facts(NULL, db, question, &policy, &facts);
    json_t *out = json_pack("{s:o, s:b}", "actor", person_json(&facts.actor), "quiet_hours", facts.quiet);
    if (q->room != 0)
        add_room(out, &facts.room);
    if (!q->with_target)
        return out;
    if (q->subject.target != 0)
        json_object_set_new(out, "target", person_json(&facts.target));
    json_object_set_new(out, "pair",
                        json_pack("{s:b, s:o, s:o}", "two", facts.pair.two, "relations",
                                  relations_json(facts.pair.relations), "allowed", relations_json(facts.pair.allowed)));
    return out;
}

static json_t *office_act_facts(struct db *db, const struct explain_question *q)
{
    struct person_facts person;
    const struct subject *s = &q->subject;
    json_t *out = json_pack("{s:b}", "operator", q->actor->user == 0);
    if (q->actor->user != 0) {
        school_person_at(db, s->school, q->actor->user, s->target, &person);
        json_object_set_new(out, "actor", person_json(&person));
    }
    if (s->target != 0 && q->with_target) {
        school_person_at(db, s->school, s->target, q->actor->user != 0 ? q->actor->user : s->target, &person);
        json_object_set_new(out, "target", person_json(&person));
    }
    return out;
}

/* --- Verdicts as JSON --- */

static const char *kind_of(const struct verdict *decides)
{
    if (decides == NULL)
        return "allow";
    if (!decides->allowed)
        return "refuse";
    return decides->kind == VERDICT_HOLD ? "hold" : "warn";
}

/* The first that refuses decides; if none does, the first that holds or warns. */
static const struct verdict *find_deciding(const struct verdict *verdicts, int n)
{
    for (int i = 0; i < n; ++i)
        if (!verdicts[i].allowed)
            return &verdicts[i];
    return n > 0 ? &verdicts[0] : NULL;
}

static json_t *verdict_json(const struct verdict *v, bool decides)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "rule", v->rule, "code", v->code, "ru", v->sentence_ru, "en",
                     v->sentence_en, "overridable", v->overridable, "decides", decides);
}

/* The question with what goes without saying. */
static struct explain_question completed(struct db *db, const struct explain_question *question)
{
    struct explain_question q = *question;
    struct person_row person;
    if (q.subject.target == 0 && is_of_oneself(q.act)) {
        q.subject.target = q.actor->user;
        q.with_target = true;
    }
    if (q.act == ACT_RECORDS_WRITE && q.subject.target != 0) {
        people_get(db, q.subject.target, &person);
        q.subject.roster_kept = source_is_roster(person.source);
        person_row_finish(&person);
    }
    return q;
}

/* Whom a room is made with matters as much as who makes it: after the making, the invite is asked for. */
static int explain_in_rooms(struct db *db, bool school_mode, struct gate_question *question, struct verdict *verdicts)
{
    int n, more;
    gate_explain(db, school_mode, question, verdicts, VERDICTS_MAX, &n);
    if (question->act != ACT_CREATE_ROOM || question->target == 0)
        return n;
    question->act = ACT_INVITE;
    gate_explain(db, school_mode, question, verdicts + n, VERDICTS_MAX - n, &more);
    return n + more;
}

json_t *explain_act(struct db *db, bool school_mode, const struct explain_question *asked)
{
    const struct explain_question whole = completed(db, asked), *q = &whole;
    struct verdict verdicts[VERDICTS_MAX];
    int n = 0;
    struct gate_question question = {.act = q->act,
                                     .room = q->room,
                                     .actor = q->actor->user,
                                     .target = q->subject.target,
                                     .type = q->event_type,
                                     .state_key = q->state_key,
                                     .kind = q->kind};
    if (is_office(q->act))
        school_explain(db, school_mode, q->actor, q->act, &q->subject, verdicts, VERDICTS_MAX, &n);
    else
        n = explain_in_rooms(db, school_mode, &question, verdicts);
    const struct verdict *decides = find_deciding(verdicts, n);
    json_t *rules = json_array();
    for (int i = 0; i < n; ++i)
        json_array_append_new(rules, verdict_json(&verdicts[i], &verdicts[i] == decides));
    return json_pack("{s:b, s:s, s:o, s:o}", "allowed", decides == NULL || decides->allowed, "kind", kind_of(decides),
                     "rules", rules, "facts",
                     is_office(q->act) ? office_act_facts(db, q) : room_act_facts(db, q, &question));
}

/* --- Every refusal --- */

/* As the table of rules makes it; a refusal that an act makes by itself is plain. */
static struct verdict verdict_of(enum rule_refusal refusal)
{
    for (int i = 0; i < rules_count(); ++i)
        if (rules_row(i).refusal == refusal)
            return rules_row(i);
    return verdict_refusing(refusal);
}

json_t *explain_refusal(enum rule_refusal refusal)
{
    const struct refusal *row = refusal_of(refusal);
    const struct verdict verdict = verdict_of(refusal);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "rule", row->rule, "code", row->code, "errcode",
                     error_wire_name(row->error), "kind", kind_of(&verdict), "ru", row->sentence_ru, "en",
                     row->sentence_en, "overridable", verdict.overridable);
}
