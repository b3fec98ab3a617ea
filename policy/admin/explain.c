#include "policy/admin/explain.h"

#include "homeserver/rooms/gate.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/second_factor_duty.h"

#define VERDICTS_MAX 64

static bool is_office(enum act act)
{
    return act >= ACT_APPROVE;
}

/* What has to be said of an act that is not the office's, or goes without saying of any. */
enum { IN_A_ROOM = 1, TO_SOMEBODY = 2, BY_ONESELF = 4 };
static const unsigned char ASKED[ACT__COUNT] = {
    [ACT_UPGRADE_ROOM] = IN_A_ROOM,
    [ACT_INVITE] = IN_A_ROOM | TO_SOMEBODY,
    [ACT_JOIN] = IN_A_ROOM | BY_ONESELF,
    [ACT_KNOCK] = IN_A_ROOM | BY_ONESELF,
    [ACT_LEAVE] = IN_A_ROOM | BY_ONESELF,
    [ACT_KICK] = IN_A_ROOM | TO_SOMEBODY,
    [ACT_BAN] = IN_A_ROOM | TO_SOMEBODY,
    [ACT_UNBAN] = IN_A_ROOM | TO_SOMEBODY,
    [ACT_SEND] = IN_A_ROOM,
    [ACT_STATE] = IN_A_ROOM,
    [ACT_REDACT] = IN_A_ROOM,
    [ACT_ALIAS] = IN_A_ROOM,
    [ACT_PUBLISH] = IN_A_ROOM,
    [ACT_SEE] = IN_A_ROOM,
    [ACT_PROFILE] = TO_SOMEBODY,
    [ACT_FIND] = TO_SOMEBODY,
    [ACT_GUARDIAN_LINK] = BY_ONESELF,
    [ACT_BECOME_GUARDIAN] = TO_SOMEBODY,
    [ACT_END_GUARDIAN] = TO_SOMEBODY,
    [ACT_CHILD] = TO_SOMEBODY,
    [ACT_EXPORT] = BY_ONESELF,
    [ACT_ERASE] = BY_ONESELF,
    [ACT_LEAVE_SCHOOL] = BY_ONESELF,
};

bool explain_check(const struct explain_question *q, struct error *e)
{
    if (!is_office(q->act) && q->actor->user == 0)
        return error_set_parameter(e, ERROR_MISSING_PARAM, "actor", "Say whose act it would be: actor.");
    if ((ASKED[q->act] & IN_A_ROOM) != 0 && q->room == 0)
        return error_set_parameter(e, ERROR_MISSING_PARAM, "room_id", "Say in which room it would be: room_id.");
    if ((ASKED[q->act] & TO_SOMEBODY) != 0 && q->subject.target == 0)
        return error_set_parameter(e, ERROR_MISSING_PARAM, "target", "Say whom it would concern: target.");
    if (q->act == ACT_STATE && q->event_type == NULL)
        return error_set_parameter(e, ERROR_MISSING_PARAM, "event_type",
                                   "Say of which type the state would be: event_type.");
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

static json_t *room_act_facts(struct db *db, const struct explain_question *q, const struct gate_question *question)
{
    struct school_policy policy;
    struct rule_facts facts;
    gate_facts(NULL, db, question, &policy, &facts);
    json_t *out = json_pack("{s:o, s:b}", "actor", person_json(&facts.actor), "quiet_hours", facts.quiet);
    if (q->room != 0)
        json_object_set_new(out, "room",
                            json_pack("{s:s, s:b, s:b, s:i}", "kind", room_kind_name(facts.room.kind), "has_school",
                                      facts.room.has_school, "encrypted", facts.room.encrypted, "people",
                                      facts.room.n_people));
    if (q->room != 0 || q->act == ACT_CREATE_ROOM)
        json_object_set_new(out, "encryption",
                            json_pack("{s:s, s:s}", "rule", encryption_rule_name(rules_encryption(&facts)), "new_rooms",
                                      new_rooms_rule_name((enum new_rooms_rule)policy.encryption_new_rooms)));
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
    struct second_factor_duty duty; /* H1 */
    char day[DAY_TEXT_BYTES];
    const struct subject *s = &q->subject;
    json_t *out = json_pack("{s:b}", "operator", q->actor->user == 0);
    if (q->actor->user != 0) {
        school_person_at(db, s->school, q->actor->user, s->target, &person);
        json_object_set_new(out, "actor", person_json(&person));
        second_factor_duty(db, q->actor->user, &duty);
        json_object_set_new(out, "second_factor",
                            json_pack("{s:b, s:b, s:s*}", "set", duty.set, "missing", duty.missing, "needed_from",
                                      duty.from != DAY_NEVER ? day_text(duty.from, day) : NULL));
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

/* The question with what goes without saying. */
static struct explain_question completed(struct db *db, const struct explain_question *question)
{
    struct explain_question q = *question;
    struct person_row person;
    if (q.subject.target == 0 && (ASKED[q.act] & BY_ONESELF) != 0) {
        q.subject.target = q.actor->user;
        q.with_target = true;
    }
    if ((q.act == ACT_RECORDS_WRITE || q.act == ACT_IDENTITY) && q.subject.target != 0) {
        people_get(db, q.subject.target, &person);
        q.subject.roster_kept = source_is_roster(person.source);
        person_row_finish(&person);
    }
    q.subject.unread = q.subject.target != 0 && !q.with_target;
    q.subject.place = q.subject.class;
    q.subject.into = q.room;
    return q;
}

/* D9: the rows behind the one that decides tell what is known of others: that a court has spoken, who is whose
 * guardian, where a child is. The office hears them; nobody of it whom such an order concerns (J4), nor
 * anybody about themselves. */
static bool hears_all(struct db *db, const struct explain_question *q)
{
    struct person_facts caller;
    const struct subject *s = &q->subject;
    if (q->caller == 0)
        return true;
    if (school_is_apart(db, q->caller))
        return false;
    if (q->room != 0 && s->school == 0)
        school_person_facts(db, q->room, q->caller, &caller);
    else
        school_person_at(db, s->school, q->caller, s->target != 0 ? s->target : q->caller, &caller);
    return (caller.roles & ROLE_ADMINISTRATOR) != 0;
}

static json_t *verdict_json(const struct verdict *v, bool decides)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "rule", v->rule, "code", v->code, "ru", v->sentence_ru, "en",
                     v->sentence_en, "overridable", v->overridable, "decides", decides);
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
    /* The first that refuses decides; if none does, the first that holds or warns. */
    const struct verdict *decides = n > 0 ? &verdicts[0] : NULL;
    for (int i = n - 1; i >= 0; --i)
        if (!verdicts[i].allowed)
            decides = &verdicts[i];
    json_t *rules = json_array();
    bool all = hears_all(db, q);
    for (int i = 0; i < n; ++i)
        if (all || &verdicts[i] == decides)
            json_array_append_new(rules, verdict_json(&verdicts[i], &verdicts[i] == decides));
    return json_pack("{s:b, s:s, s:o, s:o}", "allowed", decides == NULL || decides->allowed, "kind", kind_of(decides),
                     "rules", rules, "facts",
                     is_office(q->act) ? office_act_facts(db, q) : room_act_facts(db, q, &question));
}

/* --- Every refusal --- */

json_t *explain_refusal(enum rule_refusal refusal)
{
    const struct refusal *row = refusal_of(refusal);
    struct verdict verdict = verdict_refusing(refusal); /* what an act refuses by itself, no row of the rules softens */
    for (int i = 0; i < rules_count(); ++i)
        if (rules_row(i).refusal == refusal)
            verdict = rules_row(i);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "rule", row->rule, "code", row->code, "errcode",
                     error_wire_name(row->error), "kind", kind_of(&verdict), "ru", row->sentence_ru, "en",
                     row->sentence_en, "overridable", verdict.overridable);
}
