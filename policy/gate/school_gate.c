#include "policy/gate/school_gate.h"

#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/days.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/store/school/applications.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/policies.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/second_factor_duty.h"

#define ADULT_YEARS 18
#define KIN_MAX 64

const struct actor ACTOR_COMMAND_LINE = {.name = "operator:parta", .scopes = SCOPE_ALL};

/* What an operator needs for each act; 0: no operator does it. */
static const unsigned NEEDED[ACT__COUNT] = {
    [ACT_PROFILE] = SCOPE_READ,
    [ACT_FIND] = SCOPE_READ,
    [ACT_REPORT] = SCOPE_REPORTS,
    [ACT_APPROVE] = SCOPE_RECORDS,
    [ACT_LINK] = SCOPE_RECORDS,
    [ACT_GUARDIAN_LINK] = SCOPE_RECORDS,
    [ACT_BECOME_GUARDIAN] = SCOPE_RECORDS,
    [ACT_END_GUARDIAN] = SCOPE_RECORDS,
    [ACT_CLAIM] = SCOPE_ACCOUNTS,
    [ACT_CHILD] = SCOPE_READ,
    [ACT_RECORDS_READ] = SCOPE_READ,
    [ACT_RECORDS_WRITE] = SCOPE_RECORDS,
    [ACT_IDENTITY] = SCOPE_RECORDS,
    [ACT_ROLES] = SCOPE_RECORDS,
    [ACT_GUARDIANSHIP] = SCOPE_RECORDS,
    [ACT_CUSTODY] = SCOPE_RECORDS,
    [ACT_IMPORT] = SCOPE_IMPORT,
    [ACT_POLICY] = SCOPE_POLICY,
    [ACT_REPORTS] = SCOPE_REPORTS,
    [ACT_AUDIT] = SCOPE_AUDIT,
    [ACT_STANDING] = SCOPE_ACCOUNTS,
    [ACT_SESSIONS] = SCOPE_ACCOUNTS,
    [ACT_NOTICE] = SCOPE_ACCOUNTS,
    [ACT_EXPORT] = SCOPE_ACCOUNTS,
    [ACT_ERASE] = SCOPE_ACCOUNTS,
    [ACT_LEAVE_SCHOOL] = SCOPE_ACCOUNTS,
    [ACT_ROOMS_WRITE] = SCOPE_RECORDS,
};

static bool lacks_scope(const struct actor *actor, enum act act)
{
    return actor->user == 0 && (actor->scopes & NEEDED[act]) == 0;
}

static bool minor(school_day birth)
{
    return birth != DAY_EVER && birth + ADULT_YEARS * 10000 > day_of_ms(clock_wall_ms());
}

/* C4, D2: the records and what the person has asked for, together. */
static struct standing_facts standing(struct db *db, user_no user)
{
    struct application_row row;
    struct person_row person;
    unsigned roles = roles_now_or_later(db, user), asked = 0;
    bool young = false;
    struct stmt *q = applications_open_of(db, user);
    while (applications_next(q, &row)) {
        asked |= (unsigned)row.role;
        young = young || minor(row.person.birth);
    }
    stmt_end(q);
    bool born = people_get(db, user, &person) && person.birth != DAY_EVER;
    enum age_known age = (born && minor(person.birth)) || young ? AGE_MINOR : born ? AGE_ADULT : AGE_UNKNOWN;
    person_row_finish(&person);
    return (struct standing_facts){.pupil = ((roles | asked) & ROLE_PUPIL) != 0,
                                   .guardian = ((roles | asked) & ROLE_GUARDIAN) != 0 ||
                                               guardianships_children(db, user, NULL, 0) > 0,
                                   .age = age};
}

/* The class must be of the school concerned, or its teacher would have a say in another. */
static bool is_class_teacher(struct db *db, const struct actor *actor, school_no school, const struct subject *subject)
{
    if (actor->user == 0)
        return false;
    if (subject->class != 0)
        return school_of_class(db, subject->class) == school && school_teaches_class(db, actor->user, subject->class);
    return subject->target != 0 && school_teaches_person(db, school, actor->user, subject->target);
}

/* F5: of a report of a room, its accused are those who answer for it. */
static bool family_answers_for(struct db *db, room_no room, user_no user)
{
    user_no kin[KIN_MAX];
    int n = custodies_kin(db, user, kin, KIN_MAX);
    bool answers = false;
    for (int i = 0; i < n && !answers; ++i)
        answers = school_answers_for(db, room, kin[i]);
    return answers;
}

static bool is_own_family(struct db *db, user_no actor, enum act act, const struct subject *subject)
{
    const user_no concerned[] = {subject->room != 0 ? 0 : subject->target, subject->other};
    bool binds = act == ACT_CUSTODY || act == ACT_GUARDIANSHIP, family = false;
    for (size_t i = 0; i < sizeof concerned / sizeof *concerned && !family; ++i)
        family = concerned[i] != 0 && (concerned[i] == actor ? binds : custodies_related(db, actor, concerned[i]));
    return family || (subject->room != 0 && family_answers_for(db, subject->room, actor));
}

/* J4: a link that the actor made. Whoever owns the machine, or has a token with every scope, needs none. */
static bool is_own_link(struct db *db, const struct actor *actor, link_no no)
{
    struct link_row link;
    return no != 0 && (actor->user != 0 || actor->scopes != SCOPE_ALL) && links_get(db, no, &link) &&
           link.issuer == actor->user && (actor->user != 0 || strcmp(link.issuer_name, actor->name) == 0);
}

/* D9: in which class the act gives target a place, or their guardians with it; 0: in none. */
static class_no place_given(enum act act, const struct subject *subject)
{
    if ((act != ACT_ROLES && act != ACT_APPROVE) || subject->role == 0)
        return 0;
    return subject->place != 0 ? subject->place : act == ACT_ROLES ? subject->class : 0;
}

/* D9: whether target, or a pupil's guardian, would be with somebody in that class, or in that room, from whom they are
 * kept; party: it is the actor's own affair. Asked of who gets a place. */
static void meetings(struct db *db, const struct actor *actor, enum act act, const struct subject *subject,
                     struct office_facts *out)
{
    class_no place = place_given(act, subject);
    user_no guardian = 0;
    if (place != 0) {
        out->meets = school_meets_in_class(db, place, subject->target) != 0;
        if (!out->meets && (subject->role & ROLE_PUPIL) != 0)
            out->meets = (guardian = school_family_meets(db, place, subject->target)) != 0;
    } else if (act == ACT_ROOMS_WRITE && subject->into != 0) {
        out->meets = school_apart_joined(db, subject->into, subject->target) != 0;
    }
    if (!out->meets || actor->user == 0)
        return;
    out->party = actor->user == subject->target || actor->user == guardian ||
                 (place != 0 ? school_meets_in_class(db, place, actor->user) != 0
                             : school_apart_joined(db, subject->into, actor->user) != 0);
}

static void office(struct db *db, const struct actor *actor, enum act act, school_no school,
                   const struct subject *subject, struct office_facts *out)
{
    *out = (struct office_facts){
        .operator_ = actor->user == 0,
        .class_teacher = is_class_teacher(db, actor, school, subject),
        .own_contact = subject->own_contact,
        .accused = actor->user != 0 && (subject->room != 0 ? school_answers_for(db, subject->room, actor->user)
                                                           : actor->user == subject->target),
        .hands_out = act == ACT_LINK && subject->target != 0,
        .role = subject->role,
        .roster_kept = subject->roster_kept,
        .eases_own = subject->eases_own,
        .override_ = actor->override_ != NULL && *actor->override_ != '\0',
        .beyond = (operator_scopes_of_roles(subject->role) & ~actor->scopes) != 0,
    };
    /* Of who becomes something by the act. */
    if (act == ACT_BECOME_GUARDIAN)
        out->said = standing(db, actor->user);
    else if (act == ACT_ROLES && subject->target != 0 && subject->role != 0)
        out->said = standing(db, subject->target);
    out->settled = act == ACT_APPROVE && (subject->role & ROLE_GUARDIAN) != 0 && subject->other != 0 &&
                   custodies_stand(db, subject->other);
    out->own_link = is_own_link(db, actor, subject->link);
    out->apart = actor->user != 0 && ((subject->other != 0 && school_apart(db, actor->user, subject->other)) ||
                                      (subject->with != 0 && school_apart(db, actor->user, subject->with)));
    if (subject->target == 0)
        return;
    meetings(db, actor, act, subject, out);
    out->guardians = subject->unread ? 0 : school_guardians(db, subject->target);
    if (actor->user == 0)
        return;
    out->elsewhere = school_roles_elsewhere(db, actor->user, subject->target);
    out->guardian = school_is_guardian(db, actor->user, subject->target);
    out->apart = out->apart || school_apart(db, actor->user, subject->target);
    out->own_family = is_own_family(db, actor->user, act, subject);
}

/* H1: of those whom a school can ask; whoever has one is soon read. */
static bool lacks_factor(struct db *db, const struct person_facts *who, user_no user)
{
    struct second_factor_duty duty = {.missing = false};
    if (((who->roles | who->any_roles) & (ROLES_STAFF | ROLE_EXTERNAL)) != 0)
        second_factor_duty(db, user, &duty);
    return duty.missing;
}

/* What the actor is at the school, whoever it is about; without a school it is what they are beside target. */
static void know_actor(struct db *db, const struct actor *actor, school_no school, user_no target,
                       struct school_asker *asker)
{
    struct link_row claim;
    if (asker->known && asker->school == school)
        return;
    *asker = (struct school_asker){.known = school != 0, .school = school, .person = {.account = ACCOUNT_ACTIVE}};
    policies_in_force(db, school, &asker->policy);
    if (actor->user == 0)
        return;
    school_person_at(db, school, actor->user, target, &asker->person);
    asker->person.factor_missing = lacks_factor(db, &asker->person, actor->user);
    asker->unconfirmed = links_claim_of(db, actor->user, clock_wall_ms(), &claim);
}

static void people(struct db *db, const struct actor *actor, school_no school, const struct subject *subject,
                   struct rule_facts *facts)
{
    if (subject->target != 0)
        school_person_at(db, school, subject->target, actor->user != 0 ? actor->user : subject->target, &facts->target);
    facts->self = actor->user != 0 && actor->user == subject->target;
}

/* Asks with and without the override, so that one that was not needed is not used. */
static struct verdict decide(struct rule_facts *facts, bool *overridden)
{
    bool insists = facts->office.override_;
    facts->office.override_ = false;
    struct verdict verdict = rules_decide(facts);
    *overridden = false;
    if (verdict.allowed || !insists || !verdict.overridable)
        return verdict;
    facts->office.override_ = true;
    verdict = rules_decide(facts);
    *overridden = verdict.allowed;
    return verdict;
}

static void collect(struct db *db, bool school_mode, const struct actor *actor, enum act act,
                    const struct subject *subject, struct school_asker *asker, struct rule_facts *facts)
{
    school_no school =
        subject->school != 0 || subject->class == 0 ? subject->school : school_of_class(db, subject->class);
    *facts = (struct rule_facts){.act = act, .school_mode = true, .policy = &asker->policy};
    /* What people may know of each other is the gate's of rooms to collect; the rest is the office's. */
    if (actor->user != 0 && (act == ACT_PROFILE || act == ACT_FIND || act == ACT_REPORT)) {
        struct gate_question question = {.act = act, .actor = actor->user, .target = subject->target};
        asker->known = false; /* it has the policy that these facts want */
        gate_facts(NULL, db, &question, &asker->policy, facts);
        facts->school_mode = school_mode;
        return;
    }
    know_actor(db, actor, school, subject->target, asker);
    facts->actor = asker->person;
    people(db, actor, school, subject, facts);
    office(db, actor, act, school, subject, &facts->office);
    facts->office.unconfirmed = asker->unconfirmed;
}

static bool ask(struct db *db, bool school_mode, const struct actor *actor, enum act act, const struct subject *subject,
                struct school_asker *asker, struct verdict *verdict, bool *overridden, struct error *e)
{
    struct rule_facts facts;
    struct verdict decided = verdict_refusing(RULE_J3_SCOPE);
    bool used = false;
    if (!lacks_scope(actor, act)) {
        collect(db, school_mode, actor, act, subject, asker, &facts);
        decided = decide(&facts, &used);
    }
    if (verdict != NULL)
        *verdict = decided;
    if (overridden != NULL)
        *overridden = used;
    return decided.allowed || rule_refuse(e, decided.refusal);
}

bool school_gate(struct db *db, bool school_mode, const struct actor *actor, enum act act,
                 const struct subject *subject, struct verdict *verdict, bool *overridden, struct error *e)
{
    struct school_asker asker = {.known = false};
    return ask(db, school_mode, actor, act, subject, &asker, verdict, overridden, e);
}

bool school_gate_again(struct db *db, bool school_mode, const struct actor *actor, enum act act,
                       const struct subject *subject, struct school_asker *asker, struct error *e)
{
    return ask(db, school_mode, actor, act, subject, asker, NULL, NULL, e);
}

void school_explain(struct db *db, bool school_mode, const struct actor *actor, enum act act,
                    const struct subject *subject, struct verdict *out, int max, int *n)
{
    struct school_asker asker = {.known = false};
    struct rule_facts facts;
    *n = 0;
    if (lacks_scope(actor, act)) {
        if (max > 0)
            out[(*n)++] = verdict_refusing(RULE_J3_SCOPE);
        return;
    }
    collect(db, school_mode, actor, act, subject, &asker, &facts);
    rules_explain(&facts, out, max, n);
}
