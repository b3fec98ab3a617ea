#include "homeserver/rooms/gate.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/names.h"
#include "homeserver/rooms/gate_cache.h"
#include "homeserver/rooms/gate_names.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/second_factor_duty.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/school/taken.h"
#include "homeserver/store/school/urgent_messages.h"
#include "policy/rules/event_types.h"

#define BIT(act) (UINT64_C(1) << (act))
#define ENTERING (BIT(ACT_INVITE) | BIT(ACT_JOIN) | BIT(ACT_KNOCK))
#define ASKING (BIT(ACT_INVITE) | BIT(ACT_KNOCK)) /* F1: the actor is the one who asks */
#define URGENT_REASON_MAX 500                     /* bytes */
#define INSIDE (1u << MEMBERSHIP_JOIN | 1u << MEMBERSHIP_INVITE | 1u << MEMBERSHIP_KNOCK)

/* A question on its way to its facts. */
struct asking {
    struct gate_cache *memory;
    struct db *db;
    const char *server_name; /* NULL: explain asks */
    const struct gate_question *q;
    struct rule_facts *f;
    struct room_school of;
    struct room_life life;
    enum membership target_was; /* in the room, before the act */
};

static bool is(const struct asking *a, uint64_t acts)
{
    return (acts & BIT(a->q->act)) != 0;
}

/* --- In a room --- */

static const struct person_facts STRANGER = {.account = ACCOUNT_ACTIVE, .stranger = true};

/* D9: who is in other rooms the school says; alone in a direct chat are the two whom the relation joins. An archived
 * one the roster holds nobody in any more. */
static bool enters_by_choice(const struct asking *a)
{
    return a->of.kind == ROOM_CLUB || a->of.kind == ROOM_ASSOCIATION || a->of.kind == ROOM_ARCHIVE;
}

/* A1: of no school of the room, and never in it; D9: kept from the actor, and not there now. */
static bool is_stranger(const struct asking *a)
{
    struct gate_pair pair;
    if (a->f->self || a->f->actor.service)
        return false;
    if (!a->f->target.member && a->target_was == MEMBERSHIP_NONE)
        return true;
    if (!is(a, BIT(ACT_INVITE) | BIT(ACT_BAN)) || (INSIDE & 1u << a->target_was) != 0)
        return false;
    gate_cache_pair(a->memory, a->db, a->q->actor, a->q->target, &pair);
    return pair.facts.apart;
}

/* Of the actor's own membership, and of the service user's doings, nothing is hidden. */
static void read_target(struct asking *a)
{
    struct person_facts *target = &a->f->target;
    if (a->q->target == 0)
        return;
    a->target_was = memberships_of(a->db, a->q->room, a->q->target);
    if (a->q->target == a->q->actor)
        *target = a->f->actor;
    else
        gate_cache_person(a->memory, a->db, a->q->room, &a->of, a->q->target, target);
    target->there = a->target_was != MEMBERSHIP_NONE;
    if (is_stranger(a))
        *target = STRANGER;
    target->joined = a->target_was == MEMBERSHIP_JOIN;
    bool of_people = a->of.kind == ROOM_CLUB || a->of.kind == ROOM_DIRECT || a->of.kind == ROOM_ARCHIVE;
    target->returns =
        of_people && a->f->actor.service && is(a, ENTERING) && taken_members_has(a->db, a->q->room, a->q->target);
    /* Of whom is kept from whom nobody hears who is not there themselves. */
    bool told = a->f->self || a->f->actor.service || memberships_of(a->db, a->q->room, a->q->actor) == MEMBERSHIP_JOIN;
    if (enters_by_choice(a) && is(a, ENTERING) && !target->joined && !target->service && told)
        target->kept_out = school_kept_out(a->db, a->q->room, a->q->target);
}

/* Of such a room, and of the chat that the two once had, who is kept from somebody there is neither to learn of it nor
 * to look in. */
static void read_onlooker(struct asking *a)
{
    enum membership membership = memberships_of(a->db, a->q->room, a->q->actor);
    a->f->actor.joined = membership != MEMBERSHIP_NONE;
    if ((enters_by_choice(a) || a->of.kind == ROOM_DIRECT) && membership != MEMBERSHIP_JOIN)
        a->f->actor.kept_out = school_kept_out(a->db, a->q->room, a->q->actor);
}

static bool target_enters(const struct asking *a)
{
    return a->q->target != 0 && is(a, ENTERING) && (INSIDE & 1u << a->target_was) == 0;
}

/* Who is there counts in rooms that people made, encryption where something is written. The roster's joins, of which
 * there are many at once, need neither. */
static void read_room(struct asking *a)
{
    gate_cache_room(a->memory, a->db, a->q->room, &a->of, NULL);
    a->life.n = -1;
    if (a->of.kind == ROOM_DIRECT || a->of.kind == ROOM_CLUB || is(a, BIT(ACT_SEND) | BIT(ACT_STATE)))
        gate_cache_room(a->memory, a->db, a->q->room, &a->of, &a->life);
    a->f->room = (struct room_facts){
        .kind = a->of.kind,
        .has_school = a->of.n_schools > 0,
        .encrypted = a->life.encrypted,
        .has_pupil = a->life.has_pupil,
        .staff_present = a->life.staff_present,
        .has_staff = a->life.has_staff,
        .has_family = a->life.has_family,
        .direct_pair_full = a->of.b != 0,
    };
}

/* F2: who the second is, or becomes. */
static user_no other_of_direct(const struct asking *a, user_no one)
{
    user_no b = a->of.b;
    if (b == 0 && is(a, ENTERING) && a->q->target != a->of.a)
        b = a->q->target;
    return one == a->of.a ? b : one == b ? a->of.a : 0;
}

/* The other one, where there are two, or will be. Who is only invited counts for entering, so that people can be
 * invited one after the other; what is said, only those who are there hear. */
static user_no other_of_few(const struct asking *a, user_no one)
{
    bool entering = is(a, ENTERING);
    const user_no *there_are = entering ? a->life.people : a->life.joined;
    user_no people[3] = {there_are[0], there_are[1]}, other = 0;
    int n = entering ? a->life.n : a->life.n_joined;
    bool there = false;
    if (n < 0 || n > 2)
        return 0;
    if (target_enters(a))
        people[n++] = a->q->target;
    for (int i = 0; i < n; ++i) {
        there |= people[i] == one;
        other = people[i] != one ? people[i] : other;
    }
    return n == 2 && there ? other : 0;
}

/* From whose side: the actor's, or, where the service user brings somebody in, theirs. */
static void read_pair(struct asking *a)
{
    struct gate_pair pair;
    user_no one = a->f->actor.service && is(a, ENTERING) ? a->q->target : a->q->actor;
    user_no other = a->of.kind == ROOM_DIRECT ? other_of_direct(a, one) : other_of_few(a, one);
    if (a->of.n_schools == 0 || one == 0 || other <= 0)
        return;
    gate_cache_pair(a->memory, a->db, one, other, &pair);
    a->f->pair = pair.facts;
    a->f->pair.two = true;
    if (!is(a, ASKING))
        a->f->pair.allowed = pair.either;
}

#define OF_MEMBERS (ENTERING | BIT(ACT_LEAVE) | BIT(ACT_KICK) | BIT(ACT_BAN) | BIT(ACT_UNBAN))

static struct gate_eyes eyes_of(struct gate_cache *memory, user_no actor);

/* F3: what ids name, and what else only quiet hours ask for: by day nothing of it is read. */
static void read_words(struct asking *a)
{
    const char *usual = is(a, OF_MEMBERS) ? "m.room.member" : is(a, BIT(ACT_REDACT)) ? "m.room.redaction" : NULL;
    const char *type = a->q->type != NULL ? a->q->type : usual;
    struct gate_names names = {.db = a->db,
                               .eyes = eyes_of(a->memory, a->f->actor.service ? 0 : a->q->actor),
                               .server_name = a->server_name,
                               .room = a->q->room};
    const struct event_names there = {gate_names_there, &names};
    a->f->wordless = event_is_wordless(type, a->q->state_key, a->q->content, a->f->quiet ? &there : NULL);
    if (a->f->quiet && (a->of.kind == ROOM_DIRECT || a->of.kind == ROOM_CLUB)) {
        a->f->room.worded = a->q->act == ACT_INVITE && gate_names_worded(&names);
        a->f->room.open = a->of.kind == ROOM_CLUB &&
                          (gate_names_open(&names) || (is(a, BIT(ACT_STATE)) && gate_names_opens(type, a->q->content)));
    }
    gate_names_finish(&names);
}

/* F6: hardly ever asked. */
static void read_urgency(struct asking *a)
{
    size_t different;
    const char *reason = urgent_reason(a->q->content);
    a->f->urgent.marked = is(a, BIT(ACT_SEND)) && event_is_urgent(a->q->type, a->q->content);
    if (!a->f->urgent.marked)
        return;
    a->f->urgent.reason = reason != NULL && strlen(reason) <= URGENT_REASON_MAX &&
                          text_letters(reason, &different) >= 10 && different >= 4;
    a->f->urgent.today = (int)urgent_messages_since(a->db, a->q->actor, clock_wall_ms() - DAY_MS);
}

/* H1: where it is asked for, which is seldom; not remembered. */
static void read_factor(struct asking *a)
{
    struct second_factor_duty duty;
    if (!is(a, BIT(ACT_SEND)) || a->f->actor.service || (a->of.kind != ROOM_ANNOUNCEMENTS && !a->f->urgent.marked))
        return;
    second_factor_duty(a->db, a->q->actor, &duty);
    a->f->actor.factor_missing = duty.missing;
}

static void facts_in_room(struct asking *a, struct school_policy *policy)
{
    read_urgency(a);
    read_room(a);
    gate_cache_person(a->memory, a->db, a->q->room, &a->of, a->q->actor, &a->f->actor);
    read_factor(a);
    read_target(a);
    if (is(a, BIT(ACT_SEE)))
        read_onlooker(a);
    if (a->life.n >= 0)
        a->f->room.n_people = a->life.n + (target_enters(a) && !a->f->target.service);
    if (a->of.kind == ROOM_DIRECT || a->of.kind == ROOM_CLUB)
        read_pair(a);
    gate_cache_policy(a->memory, a->db, a->q->room, policy);
}

/* --- In no room --- */

static void read_acquaintance(struct asking *a)
{
    struct gate_pair pair;
    a->f->target.member = a->f->target.member && school_shared(a->db, a->q->actor, a->q->target);
    if (a->q->act == ACT_PROFILE && !a->f->target.member)
        a->f->target.shares_room = memberships_share_room(a->db, a->q->actor, a->q->target);
    gate_cache_pair(a->memory, a->db, a->q->actor, a->q->target, &pair);
    a->f->pair = pair.facts;
}

/* The invite into a room that the actor would make with it (J1): nobody else is there, and the room is of both's
 * schools. */
static void facts_of_room_to_be(struct asking *a, struct school_policy *policy)
{
    struct gate_pair pair;
    school_person_anywhere(a->db, a->q->actor, &a->f->actor);
    school_person_anywhere(a->db, a->q->target, &a->f->target);
    a->f->room = (struct room_facts){.kind = a->q->kind, .has_school = a->f->actor.any_roles != 0, .n_people = 2};
    a->f->actor.owner = true;
    a->f->actor.direct_pair = a->q->kind == ROOM_DIRECT;
    gate_cache_pair(a->memory, a->db, a->q->actor, a->q->target, &pair);
    a->f->pair = pair.facts;
    a->f->pair.two = true;
    if (pair.facts.apart || !a->f->target.member || !school_shared(a->db, a->q->actor, a->q->target))
        a->f->target = STRANGER;
    gate_cache_policy_of(a->memory, a->db, a->q->actor, policy);
}

static void facts_anywhere(struct asking *a, struct school_policy *policy)
{
    gate_cache_anywhere(a->memory, a->db, a->q->actor, &a->f->actor);
    a->f->actor.held = a->q->act == ACT_NAME && a->f->actor.any_roles != 0;
    a->f->urgent.marked = a->q->act == ACT_NOTIFY && event_is_urgent(a->q->type, a->q->content);
    if (a->q->act == ACT_CREATE_ROOM)
        a->f->room = (struct room_facts){.kind = a->q->kind, .has_school = a->f->actor.any_roles != 0, .n_people = 1};
    if (a->q->target > 0)
        gate_cache_anywhere(a->memory, a->db, a->q->target, &a->f->target);
    if (a->q->target > 0 && !a->f->self && (a->q->act == ACT_PROFILE || a->q->act == ACT_FIND))
        read_acquaintance(a);
    gate_cache_policy_of(a->memory, a->db, a->q->actor, policy);
}

static bool quiet_now(const struct gate_question *q, const struct school_policy *policy, int64_t *ends_ms)
{
    return policy->quiet.mode != QUIET_OFF &&
           school_policy_quiet(policy, q->now_ms != 0 ? q->now_ms : clock_wall_ms(), ends_ms);
}

static void gather(struct asking a, struct school_policy *policy)
{
    int64_t ends_ms;
    struct rule_facts *facts = a.f;
    const struct gate_question *question = a.q;
    *facts = (struct rule_facts){.act = question->act,
                                 .school_mode = true,
                                 .policy = policy,
                                 .self = question->target != 0 && question->actor == question->target,
                                 .event_type = question->type,
                                 .state_key = question->state_key};
    if (question->room != 0)
        facts_in_room(&a, policy);
    else if (question->act == ACT_INVITE && question->target > 0)
        facts_of_room_to_be(&a, policy);
    else
        facts_anywhere(&a, policy);
    facts->quiet = quiet_now(question, policy, &ends_ms);
    if (question->room != 0)
        read_words(&a);
}

void gate_facts(const struct rooms *rooms, struct db *db, const struct gate_question *question,
                struct school_policy *policy, struct rule_facts *facts)
{
    gather((struct asking){.memory = rooms != NULL ? rooms_gate_cache(rooms) : NULL,
                           .db = db,
                           .server_name = rooms != NULL ? rooms_settings(rooms)->server_name : NULL,
                           .q = question,
                           .f = facts},
           policy);
}

/* --- The questions --- */

static struct verdict ask(const struct rooms *rooms, struct db *db, const struct gate_question *q, int64_t *due_ms)
{
    struct school_policy policy;
    struct rule_facts facts;
    gate_facts(rooms, db, q, &policy, &facts);
    struct verdict verdict = rules_decide(&facts);
    if (due_ms != NULL && verdict.allowed && verdict.kind == VERDICT_HOLD && *verdict.rule != '\0')
        quiet_now(q, &policy, due_ms);
    return verdict;
}

bool gate_event(const struct rooms *rooms, struct db *db, const struct gate_question *question,
                struct gate_answer *answer, struct error *e)
{
    struct verdict verdict = {.allowed = true, .rule = "", .code = "", .sentence_ru = "", .sentence_en = ""};
    int64_t due_ms = 0;
    if (rooms_settings(rooms)->school_mode)
        verdict = ask(rooms, db, question, &due_ms);
    if (answer != NULL)
        *answer = (struct gate_answer){verdict, due_ms};
    return verdict.allowed || rule_refuse(e, verdict.refusal);
}

bool gate_room(const struct rooms *rooms, struct db *db, enum act act, room_no room, user_no actor, user_no target,
               const char *type, const char *state_key, struct error *e)
{
    struct gate_question q = {
        .act = act, .room = room, .actor = actor, .target = target, .type = type, .state_key = state_key};
    return gate_event(rooms, db, &q, NULL, e);
}

bool gate_create(const struct rooms *rooms, struct db *db, user_no actor, enum room_kind kind, struct error *e)
{
    return gate_event(rooms, db, &(struct gate_question){.act = ACT_CREATE_ROOM, .actor = actor, .kind = kind}, NULL,
                      e);
}

bool gate_is_stranger(const struct rooms *rooms, struct db *db, room_no room, user_no actor, user_no target)
{
    struct school_policy policy;
    struct rule_facts facts;
    struct gate_question q = {.act = ACT_INVITE, .room = room, .actor = actor, .target = target};
    if (!rooms_settings(rooms)->school_mode || actor == target)
        return false;
    gate_facts(rooms, db, &q, &policy, &facts);
    return facts.target.stranger;
}

static bool is_hidden_from(struct rooms *rooms, struct tx *tx, room_no room, user_no actor)
{
    struct room_school of;
    struct person_facts who;
    if (!rooms_settings(rooms)->school_mode)
        return false;
    gate_cache_room(rooms_gate_cache(rooms), tx->db, room, &of, NULL);
    gate_cache_person(rooms_gate_cache(rooms), tx->db, room, &of, actor, &who);
    return of.n_schools > 0 && !who.service && !who.member && memberships_of(tx->db, room, actor) == MEMBERSHIP_NONE;
}

struct room *gate_open(struct rooms *rooms, struct tx *tx, const char *room_id, user_no actor, struct error *e)
{
    struct room *room = room_open_by_id(rooms, tx, room_id, e);
    return room == NULL || !is_hidden_from(rooms, tx, room->no, actor) ? room : room_open_by_id(rooms, tx, "", e);
}

bool gate_entered(const struct rooms *rooms, struct tx *tx, room_no room, user_no user, bool knocked)
{
    struct room_school of;
    struct person_facts who;
    if (!rooms_settings(rooms)->school_mode)
        return true;
    gate_cache_room(rooms_gate_cache(rooms), tx->db, room, &of, NULL);
    if ((of.kind != ROOM_DIRECT && of.kind != ROOM_CLUB) || of.n_schools == 0)
        return true; /* the office says to which schools the others belong */
    gate_cache_person(rooms_gate_cache(rooms), tx->db, room, &of, user, &who);
    if (who.service)
        return true;
    return school_room_narrow(tx->db, room, user) &&
           (knocked || of.kind != ROOM_DIRECT || of.b != 0 || school_room_pair(tx->db, room, user));
}

static bool fresh(bool school_mode, struct db *db, const struct gate_question *q, struct error *e)
{
    if (!school_mode)
        return true;
    struct verdict verdict = ask(NULL, db, q, NULL);
    return verdict.allowed || (e != NULL && rule_refuse(e, verdict.refusal));
}

bool gate_may_see(bool school_mode, struct db *db, room_no room, user_no user)
{
    return fresh(school_mode, db, &(struct gate_question){.act = ACT_SEE, .room = room, .actor = user}, NULL);
}

struct gate_ring gate_ring(bool school_mode, struct db *db, user_no user, const char *type, const json_t *content)
{
    struct school_policy policy;
    struct rule_facts facts;
    struct gate_ring ring = {.rings = true, .content = true};
    struct gate_question q = {.act = ACT_NOTIFY, .actor = user, .type = type, .content = content};
    if (!school_mode)
        return ring;
    gate_facts(NULL, db, &q, &policy, &facts);
    struct verdict verdict = rules_decide(&facts);
    bool held = verdict.allowed && *verdict.rule != '\0';
    ring = (struct gate_ring){.rings = verdict.allowed && !held, .content = policy.push_content};
    if (held)
        quiet_now(&q, &policy, &ring.due_ms);
    return ring;
}

bool gate_name(bool school_mode, struct db *db, user_no user, struct error *e)
{
    return fresh(school_mode, db, &(struct gate_question){.act = ACT_NAME, .actor = user}, e);
}

bool gate_profile(bool school_mode, struct db *db, user_no asker, user_no owner, struct error *e)
{
    struct gate_question q = {.act = ACT_PROFILE, .actor = asker, .target = owner != 0 ? owner : -1};
    return fresh(school_mode, db, &q, e);
}

/* In a job, where one act asks about many: with its memory. */
static bool seen(const struct gate_eyes *eyes, struct db *db, const struct gate_question *q)
{
    struct school_policy policy;
    struct rule_facts facts;
    gather((struct asking){.memory = eyes->memory, .db = db, .q = q, .f = &facts}, &policy);
    return rules_decide(&facts).allowed;
}

static bool sees_user(const struct gate_eyes *eyes, struct db *db, user_no user)
{
    return seen(eyes, db, &(struct gate_question){.act = ACT_PROFILE, .actor = eyes->asker, .target = user});
}

static bool sees_room(const struct gate_eyes *eyes, struct db *db, room_no room)
{
    return (INSIDE & 1u << memberships_of(db, room, eyes->asker)) != 0 ||
           seen(eyes, db, &(struct gate_question){.act = ACT_SEE, .room = room, .actor = eyes->asker});
}

static struct gate_eyes eyes_of(struct gate_cache *memory, user_no actor)
{
    return (struct gate_eyes){memory, actor, sees_user, sees_room};
}

struct gate_eyes gate_eyes(const struct rooms *rooms, user_no actor)
{
    return eyes_of(rooms_gate_cache(rooms), actor);
}

struct member_set *gate_unseen(bool school_mode, struct db *db, user_no viewer)
{
    size_t n = 0, kept = 0;
    user_no *users = school_mode ? school_custody_of(db, viewer, &n) : NULL;
    for (size_t i = 0; i < n; ++i)
        if (!gate_profile(true, db, viewer, users[i], NULL))
            users[kept++] = users[i];
    if (kept != 0)
        return member_set_create(users, kept);
    free(users);
    return NULL;
}

struct member_set *gate_under_custody(const struct rooms *rooms)
{
    struct db *db = rooms_db(rooms);
    return rooms_settings(rooms)->school_mode && db != NULL ? gate_cache_custody(rooms_gate_cache(rooms), db) : NULL;
}

bool gate_may_find(bool school_mode, struct db *db, user_no searcher, user_no found)
{
    return fresh(school_mode, db, &(struct gate_question){.act = ACT_FIND, .actor = searcher, .target = found}, NULL);
}

bool gate_strips(const struct rooms *rooms, struct db *db, room_no room, user_no actor, const char *type)
{
    struct school_policy policy;
    struct rule_facts facts;
    const struct gate_question question = {
        .act = ACT_STATE, .room = room, .actor = actor, .type = type, .state_key = ""};
    if (!rooms_settings(rooms)->school_mode || event_kind_of(type) != EVENT_ENCRYPTION)
        return false;
    gate_facts(rooms, db, &question, &policy, &facts);
    return rules_strip_encryption(&facts);
}

void gate_explain(struct db *db, bool school_mode, const struct gate_question *question, struct verdict *out, int max,
                  int *n)
{
    struct school_policy policy;
    struct rule_facts facts;
    gate_facts(NULL, db, question, &policy, &facts);
    facts.school_mode = school_mode;
    rules_explain(&facts, out, max, n);
}
