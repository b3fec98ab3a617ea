/* Custody (school.md D9): who says it, what 'no_contact' ends and keeps ended, what 'separate' hides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/matrix/users.h"
#include "policy/audit/audit.h"
#include "policy/privacy/erasure.h"
#include "policy/records/reconcile.h"
#include "homeserver/store/driver/guarded.h"
#include "homeserver/base/clock.h"
#include "homeserver/store/school/audit.h"
#include "policy/school_rooms/associations.h"
#include "policy/signup/guardian_told.h"
#include "tests/unit/signup_world.h"

static struct world w;
static user_no father, mother, alone;

static bool end_act(struct changing_records *c, void *arg)
{
    const user_no *pair = arg;
    return change_guardianship_end(c, pair[0], pair[1]);
}

struct setting {
    user_no child, guardian;
    enum custody custody;
    const char *reason;
};
#define BECAUSE "decision 2-114 of 3 March"

static bool set_act(struct changing_records *c, void *arg)
{
    const struct setting *s = arg;
    return change_custody(c, s->child, s->guardian, s->custody, s->reason);
}

static bool sets(user_no who, struct setting setting, struct error *e)
{
    return world_run(&w, who, set_act, &setting, e);
}

static void bars(user_no child, user_no guardian)
{
    struct error e;
    if (!sets(w.admin, (struct setting){child, guardian, CUSTODY_NO_CONTACT, BECAUSE}, &e))
        fail_msg("%s", error_sentence(&e));
}

/* The father teaches at the school, the mother works there, and somebody is nothing but a guardian. */
static int setup(void **state)
{
    world_start(&w);
    father = world_person(&w, (struct world_person){"Fedor", "Father", NULL, w.school, ROLE_TEACHER});
    mother = world_person(&w, (struct world_person){"Maria", "Mother", NULL, w.school, ROLE_STAFF});
    alone = world_person(&w, (struct world_person){"Alla", "Alone", NULL, 0, 0});
    world_guardian(&w, w.young, father);
    world_guardian(&w, w.young, mother);
    world_guardian(&w, w.old, alone);
    return 0;
}

static int teardown(void **state)
{
    world_stop(&w);
    return 0;
}

static bool in_guardians_room(user_no user)
{
    room_no room = roster_rooms_find(w.f.db, w.school, w.fifth, ROOM_GUARDIANS);
    return memberships_of(w.f.db, room, user) == MEMBERSHIP_JOIN;
}

/* Only the office, with a reason, of a guardianship that is there; never of their own family. */
static void d9_the_office_says_it_with_a_reason(void **state)
{
    struct error e;
    const user_no others[] = {father, mother, w.young, w.class_teacher, w.other_admin};
    for (size_t i = 0; i < sizeof others / sizeof *others; ++i) {
        assert_false(sets(others[i], (struct setting){w.young, father, CUSTODY_NO_CONTACT, BECAUSE}, &e));
        assert_string_equal(world_rule(&e), "A4");
    }
    static const char *const NO_REASONS[] = {"", "court", "          "};
    for (size_t i = 0; i < 3; ++i) {
        assert_false(sets(w.admin, (struct setting){w.young, father, CUSTODY_SEPARATE, NO_REASONS[i]}, &e));
        assert_int_equal(e.code, ERROR_INVALID_PARAM);
    }
    assert_false(sets(w.admin, (struct setting){w.small, father, CUSTODY_SEPARATE, BECAUSE}, &e));
    assert_int_equal(e.code, ERROR_NOT_FOUND);
    world_guardian(&w, w.small, w.admin);
    world_guardian(&w, w.small, father);
    assert_false(sets(w.admin, (struct setting){w.small, father, CUSTODY_NO_CONTACT, BECAUSE}, &e));
    assert_string_equal(world_rule(&e), "J4");
    assert_int_equal(custodies_of(w.f.db, w.young, father), CUSTODY_SHARED);
}

static void d9_no_contact_ends_all_that_the_guardianship_gave(void **state)
{
    struct error e;
    assert_true(in_guardians_room(father));
    bars(w.young, father);
    assert_false(school_is_guardian(w.f.db, father, w.young));
    assert_int_equal(guardianships_guardians(w.f.db, w.young, NULL, 0), 1);
    assert_int_equal(guardianships_children(w.f.db, father, NULL, 0), 0);
    assert_int_equal(school_roles(w.f.db, w.school, father), ROLE_TEACHER);
    assert_false(in_guardians_room(father));
    assert_string_equal(world_account_state(&w, father), "active");  /* a teacher still */
    assert_string_equal(world_account_state(&w, w.young), "active"); /* the mother is there */
    bars(w.young, mother);
    assert_string_equal(world_account_state(&w, w.young), "restricted"); /* D7: nobody is */
    bars(w.old, alone);
    assert_string_equal(world_account_state(&w, alone), "left"); /* G2: no school is left */
    assert_false(sets(w.admin, (struct setting){w.old, alone, CUSTODY_SHARED, "too short"}, &e));
    assert_true(sets(w.admin, (struct setting){w.old, alone, CUSTODY_SHARED, BECAUSE}, &e));
    assert_string_equal(world_account_state(&w, alone), "active");
    assert_true(school_is_guardian(w.f.db, alone, w.old));
    assert_true(in_guardians_room(alone));
}

struct talk {
    user_no a, b;
};

/* Neither the child nor the other guardian, from either side, whatever else joins them: he teaches at the school. */
static void d9_no_contact_offers_and_lets_nothing(void **state)
{
    struct error e;
    const struct talk talks[] = {{father, w.young}, {w.young, father}, {father, mother}, {mother, father}};
    for (size_t i = 0; i < 4; ++i) {
        const struct talk *t = &talks[i];
        assert_true(gate_profile(true, w.f.db, t->a, t->b, &e));
    }
    bars(w.young, father);
    for (size_t i = 0; i < 4; ++i) {
        const struct talk *t = &talks[i];
        struct gate_question invite = {.act = ACT_INVITE, .actor = t->a, .target = t->b, .kind = ROOM_DIRECT};
        struct school_policy policy;
        struct rule_facts facts;
        gate_facts(NULL, w.f.db, &invite, &policy, &facts);
        struct verdict verdict = rules_decide(&facts);
        assert_false(verdict.allowed);
        assert_string_equal(verdict.rule, "A2"); /* as of somebody who is not at the school */
        assert_int_equal(facts.pair.relations, 0);
        assert_false(gate_may_find(true, w.f.db, t->a, t->b));
        assert_false(gate_profile(true, w.f.db, t->a, t->b, &e));
        assert_string_equal(world_rule(&e), "A6");
    }
    assert_true(gate_profile(true, w.f.db, father, w.class_teacher, &e));
}

/* Every act of the office about the child or the other guardian, by one who is the office and kept from them. */
static void d9_j4_the_office_is_somebody_elses_then(void **state)
{
    user_no boss = world_person(&w, (struct world_person){"Boris", "Boss", NULL, w.school, ROLE_ADMINISTRATOR});
    struct error e;
    world_guardian(&w, w.small, boss);
    world_guardian(&w, w.small, mother);
    const struct actor actor = {.user = boss, .name = "@boss:school.example", .override_ = "because I say so"};
    const user_no targets[] = {w.small, mother};
    int n = 0, refused = 0;
    for (int before = 1; before >= 0; --before) {
        for (size_t t = 0; t < 2; ++t)
            for (int act = ACT_APPROVE; act < ACT__COUNT; ++act) {
                const struct subject subject = {.target = targets[t]};
                bool may = school_gate(w.f.db, true, &actor, (enum act)act, &subject, NULL, NULL, &e);
                n += before && may;
                refused += !before && !may;
                if (!before && may)
                    fail_msg("%s", act_name((enum act)act));
            }
        if (before)
            assert_true(sets(0, (struct setting){w.small, boss, CUSTODY_NO_CONTACT, BECAUSE}, &e));
    }
    assert_true(n > 15 && refused == 2 * (ACT__COUNT - ACT_APPROVE));
}

/* Nothing that a guardian could do brings it back. */
static void d9_only_the_office_takes_it_back(void **state)
{
    struct error e;
    struct link_made link;
    bars(w.young, father);
    assert_false(world_run(&w, w.admin, world_guardian_act, (user_no[]){w.young, father}, &e));
    assert_int_equal(e.code, ERROR_CONFLICT);
    assert_true(world_run(&w, w.admin, end_act, (user_no[]){w.young, father}, &e)); /* the row goes, the word stays */
    assert_false(world_run(&w, w.admin, world_guardian_act, (user_no[]){w.young, father}, &e));
    assert_string_equal(world_rule(&e), "D9");
    assert_true(world_link(&w, w.young, (struct link_wish){.kind = LINK_GUARDIAN}, &link, &e));
    struct guardian_view view;
    const struct actor him = {.user = father, .name = "@father:school.example"};
    assert_false(guardian_look(w.f.db, true, &him, NULL, link.token, INT64_C(1) << 40, &view, &e));
    assert_string_equal(world_rule(&e), "D2");
    static const char *const TELLING[] = {"court", "custody", "contact", "order", "суд", "опек", "общени", "запрет"};
    for (size_t i = 0; i < sizeof TELLING / sizeof *TELLING; ++i)
        assert_null(strstr(error_sentence(&e), TELLING[i]));
    assert_true(sets(w.admin, (struct setting){w.young, father, CUSTODY_SHARED, BECAUSE}, &e));
    assert_true(world_run(&w, w.admin, world_guardian_act, (user_no[]){w.young, father}, &e));
}

static int64_t since_of(user_no child, user_no guardian)
{
    struct guardianship_row row;
    int64_t since_ms = -1;
    struct stmt *q = guardianships_of_person(w.f.db, child);
    while (guardianships_next(q, &row))
        if (row.guardian == guardian)
            since_ms = row.since_ms;
    stmt_end(q);
    return since_ms;
}

/* Whoever tells families (docs/diary.md) sees by it that a leave from before was the server's. */
static void d9_it_counts_since_it_was_taken_back(void **state)
{
    struct error e;
    int64_t before = since_of(w.young, father);
    assert_true(sets(w.admin, (struct setting){w.young, father, CUSTODY_SEPARATE, BECAUSE}, &e));
    assert_true(sets(w.admin, (struct setting){w.young, father, CUSTODY_NO_CONTACT, BECAUSE}, &e));
    assert_int_equal(since_of(w.young, father), before);
    assert_true(sets(w.admin, (struct setting){w.young, father, CUSTODY_SEPARATE, BECAUSE}, &e));
    int64_t again = since_of(w.young, father);
    assert_true(again > before);
    assert_true(sets(w.admin, (struct setting){w.young, father, CUSTODY_SHARED, BECAUSE}, &e));
    assert_int_equal(since_of(w.young, father), again);
}

static void d9_d5_two_are_those_who_count(void **state)
{
    struct error e;
    user_no third = world_person(&w, (struct world_person){"Trofim", "Third", NULL, w.school, ROLE_STAFF});
    assert_false(world_run(&w, w.admin, world_guardian_act, (user_no[]){w.young, third}, &e));
    assert_string_equal(world_rule(&e), "D5");
    bars(w.young, father);
    assert_true(world_run(&w, w.admin, world_guardian_act, (user_no[]){w.young, third}, &e));
    assert_false(sets(w.admin, (struct setting){w.young, father, CUSTODY_SHARED, BECAUSE}, &e));
    assert_string_equal(world_rule(&e), "D5");
    assert_int_equal(custodies_of(w.f.db, w.young, father), CUSTODY_NO_CONTACT);
}

static void d9_separate_guardians_do_not_meet_through_the_child(void **state)
{
    struct error e;
    struct pair_schools pair;
    uint32_t through = RELATION_BIT(RELATION_GUARDIAN_CLASS_GUARDIAN), seen = 0;
    school_pair(w.f.db, father, mother, &pair);
    assert_true((pair.at[0].relations & through) != 0);
    assert_true(sets(w.admin, (struct setting){w.young, father, CUSTODY_SEPARATE, BECAUSE}, &e));
    assert_true(custodies_part(w.f.db, w.young, father, mother) && custodies_part(w.f.db, w.young, mother, father));
    school_pair(w.f.db, mother, father, &pair);
    for (int i = 0; i < pair.n; ++i)
        seen |= pair.at[i].relations;
    assert_true(seen != 0 && (seen & through) == 0); /* colleagues they are still */
    assert_true(school_is_guardian(w.f.db, father, w.young) && school_is_guardian(w.f.db, mother, w.young));
    assert_true(in_guardians_room(father) && in_guardians_room(mother));
    world_guardian(&w, w.old, father); /* another child in the class is another way to meet */
    school_pair(w.f.db, mother, father, &pair);
    seen = 0;
    for (int i = 0; i < pair.n; ++i)
        seen |= pair.at[i].relations;
    assert_true((seen & through) != 0);
}

static void d9_j2_it_is_in_the_log(void **state)
{
    struct text log = TEXT_INIT;
    bars(w.young, father);
    assert_true(audit_export(w.f.db, &w.f.key, "school.example", w.school, NULL, &log));
    assert_non_null(strstr(log.data, "guardianship.custody"));
    assert_non_null(strstr(log.data, BECAUSE));
    text_finish(&log);
}

/* Whom nothing but the child joins: neither may know of the other, whatever rooms the roster puts them in. Who works
 * together meets at work. What was settled of one guardian parts nobody from a third. */
static void d9_separate_guardians_know_nothing_of_each_other(void **state)
{
    struct error e;
    user_no third = world_person(&w, (struct world_person){"Trofim", "Third", NULL, w.school, ROLE_STAFF});
    world_guardian(&w, w.old, third);
    world_guardian(&w, w.small, alone);
    world_guardian(&w, w.small, third);
    const struct talk talks[] = {{alone, third}, {third, alone}, {father, mother}, {mother, father}};
    for (size_t i = 0; i < 4; ++i)
        assert_true(gate_profile(true, w.f.db, talks[i].a, talks[i].b, &e));
    assert_true(sets(w.admin, (struct setting){w.old, alone, CUSTODY_SEPARATE, BECAUSE}, &e));
    assert_true(gate_profile(true, w.f.db, alone, third, &e)); /* there is another child */
    assert_true(sets(w.admin, (struct setting){w.small, third, CUSTODY_SEPARATE, BECAUSE}, &e));
    assert_true(sets(w.admin, (struct setting){w.young, mother, CUSTODY_SEPARATE, BECAUSE}, &e));
    for (size_t i = 0; i < 4; ++i) {
        if (gate_profile(true, w.f.db, talks[i].a, talks[i].b, &e) != (i >= 2)) /* colleagues */
            fail_msg("%zu", i);
        assert_int_equal(gate_may_find(true, w.f.db, talks[i].a, talks[i].b), i >= 2);
    }
    bars(w.old, third);
    assert_false(gate_profile(true, w.f.db, third, alone, &e));
    user_no fourth = world_person(&w, (struct world_person){"Foma", "Fourth", NULL, 0, 0});
    assert_true(sets(w.admin, (struct setting){w.old, alone, CUSTODY_SHARED, BECAUSE}, &e));
    world_guardian(&w, w.old, fourth);
    assert_true(gate_profile(true, w.f.db, alone, fourth, &e) && gate_profile(true, w.f.db, fourth, alone, &e));
    assert_false(custodies_part(w.f.db, w.old, alone, fourth));
}

/* By whichever act of the office: nobody who is kept from somebody brings the two into one class, with whatever reason;
 * others only with one. */
static void d9_who_is_kept_does_not_bring_themselves_together(void **state)
{
    struct error e;
    user_no boss = world_person(&w, (struct world_person){"Boris", "Boss", NULL, w.school, ROLE_ADMINISTRATOR});
    world_guardian(&w, w.small, boss);
    world_guardian(&w, w.small, mother);
    bars(w.small, boss);
    struct actor actors[] = {{.user = boss, .name = "@boss:school.example"},
                             {.user = w.admin, .name = "@admin:school.example"},
                             {.user = 0, .name = "operator:region", .scopes = SCOPE_ALL}};
    const enum school_role roles[] = {ROLE_TEACHER, ROLE_CLASS_TEACHER};
    for (size_t i = 0; i < sizeof actors / sizeof *actors; ++i)
        for (size_t k = 0; k < 2; ++k)
            for (int insists = 0; insists < 2; ++insists) {
                actors[i].override_ = insists ? "there is nobody else to teach them" : NULL;
                const struct subject here = {w.school, .class = w.first, .target = boss, .role = (unsigned)roles[k]};
                const struct subject there = {w.school, .class = w.fifth, .target = boss, .role = (unsigned)roles[k]};
                bool own = actors[i].user == boss;
                bool may = school_gate(w.f.db, true, &actors[i], ACT_ROLES, &here, NULL, NULL, &e);
                assert_int_equal(may, insists && !own);
                if (!may)
                    assert_string_equal(world_rule(&e), own ? "J4" : "D9");
                /* The mother has another child in the fifth. */
                may = school_gate(w.f.db, true, &actors[i], ACT_ROLES, &there, NULL, NULL, &e);
                assert_int_equal(may, insists && !own);
            }
    /* Of somebody else it is none of these rules' business. */
    const struct subject teacher = {w.school, .class = w.first, .target = w.teacher, .role = ROLE_TEACHER};
    assert_true(school_gate(w.f.db, true, &actors[1], ACT_ROLES, &teacher, NULL, NULL, &e));
}

/* What is in the log of somebody who is kept from a child is not there for them, and what is there verifies. */
static void d9_the_log_says_nothing_of_them(void **state)
{
    struct audit_reader reader;
    struct audit_fault fault;
    struct text whole = TEXT_INIT, seen = TEXT_INIT, head = TEXT_INIT;
    int64_t entries, all;
    bars(w.young, father);
    const char *child = user_names_get(w.f.names, w.f.db, w.young);
    audit_reader_init(&reader, w.f.db, "school.example", true, father);
    assert_true(audit_export(w.f.db, &w.f.key, "school.example", w.school, NULL, &whole));
    assert_true(audit_export(w.f.db, &w.f.key, "school.example", w.school, &reader, &seen));
    audit_head_text(w.f.db, w.school, &reader, &head);
    assert_true(audit_verify(whole.data, whole.len, NULL, NULL, &all, &fault));
    if (!audit_verify(seen.data, seen.len, NULL, head.data, &entries, &fault))
        fail_msg("%s", fault.what);
    assert_true(entries > 0 && entries < all);
    assert_non_null(strstr(whole.data, child));
    assert_null(strstr(seen.data, child));
    assert_null(strstr(seen.data, BECAUSE));
    audit_reader_finish(&reader);
    text_finish(&whole);
    text_finish(&seen);
    text_finish(&head);
}

static bool association_act(struct changing_records *c, void *arg)
{
    room_no *room = arg;
    *room = association_create(c, w.school, "Teachers of the town");
    return *room != 0;
}

/* Nor in an association, which staff enter as they like (E8): who is kept leaves it, and does not come back. */
static void d9_they_are_in_no_association_together(void **state)
{
    struct error e;
    room_no room = 0;
    user_no kept = world_person(&w, (struct world_person){"Kira", "Kept", NULL, w.school, ROLE_TEACHER});
    world_guardian(&w, w.small, kept);
    world_guardian(&w, w.small, w.teacher);
    assert_true(world_run(&w, w.admin, association_act, &room, &e));
    const user_no both[] = {kept, w.teacher};
    for (size_t i = 0; i < 2; ++i)
        assert_true(fixture_member(&w.f, room, ACT_JOIN, both[i], both[i], &e));
    bars(w.small, kept);
    assert_int_equal(memberships_of(w.f.db, room, kept), MEMBERSHIP_LEAVE);
    assert_int_equal(memberships_of(w.f.db, room, w.teacher), MEMBERSHIP_JOIN);
    assert_false(fixture_member(&w.f, room, ACT_JOIN, kept, kept, &e));
    assert_string_equal(world_rule(&e), "F1");
    assert_true(fixture_member(&w.f, room, ACT_LEAVE, w.teacher, w.teacher, &e));
    assert_true(fixture_member(&w.f, room, ACT_JOIN, kept, kept, &e));
    assert_false(fixture_member(&w.f, room, ACT_JOIN, w.teacher, w.teacher, &e));
}

struct placing {
    class_no class;
    user_no user;
    enum school_role role;
    const char *override_;
};

static bool place_act(struct changing_records *c, void *arg)
{
    const struct placing *p = arg;
    struct changing_records mine = *c;
    struct actor actor = *c->actor;
    actor.override_ = p->override_;
    mine.actor = &actor;
    return p->role == 0
               ? change_class_end(&mine, p->class)
               : change_enrollment(
                     &mine,
                     &(struct enrollment_row){
                         .class = p->class, .user = p->user, .role = p->role, .begin = DAY_EVER, .end = DAY_NEVER});
}

/* J3, J4: who may not end somebody's place ends it by no other act: not by ending the class, nor by another class
 * teacher. Of the own family, and of whom they are kept from. */
static void j3_d9_whatever_ends_a_place_asks_for_it(void **state)
{
    struct error e;
    user_no boss = world_person(&w, (struct world_person){"Boris", "Boss", NULL, w.school, ROLE_ADMINISTRATOR});
    user_no second = world_person(&w, (struct world_person){"Sara", "Second", NULL, w.school, ROLE_TEACHER});
    user_no child =
        world_person(&w, (struct world_person){"Chris", "Child", "2015-01-01", w.school, 0, w.first, ROLE_PUPIL});
    world_guardian(&w, child, boss);
    world_guardian(&w, child, w.class_teacher); /* of the fifth: the other parent */
    for (int kept = 0; kept < 2; ++kept) {
        const struct placing ends[] = {{w.first, 0, 0, "there is no such class any more"},
                                       {w.fifth, second, ROLE_CLASS_TEACHER, "somebody else is wanted here"}};
        if (kept)
            bars(child, boss);
        for (size_t i = 0; i < 2; ++i) {
            assert_false(world_run(&w, boss, place_act, (void *)&ends[i], &e));
            assert_string_equal(world_rule(&e), "J4");
        }
    }
    const struct placing ends[] = {{w.fifth, second, ROLE_CLASS_TEACHER, NULL}, {w.first, 0, 0, NULL}};
    for (size_t i = 0; i < 2; ++i)
        if (!world_run(&w, w.admin, place_act, (void *)&ends[i], &e))
            fail_msg("%s", error_sentence(&e));
}

struct applying {
    const char *token;
    application_no no; /* out */
};

static bool apply_act(struct changing_records *c, void *arg)
{
    struct applying *a = arg;
    a->no = application_apply(c, NULL, a->token, &APPLICANT_NOBODY);
    return a->no != 0;
}

struct confirming {
    const char *token;
    int64_t seen;
    enum guardian_outcome *outcome;
};

static bool confirm_act(struct changing_records *c, void *arg)
{
    const struct confirming *how = arg;
    enum correction_outcome correction;
    return guardian_confirm(
        c,
        &(struct guardian_confirmation){
            .token = how->token, .self = APPLICANT_NOBODY, .child = APPLICANT_NOBODY, .seen = how->seen},
        how->outcome, &correction);
}

struct approving {
    application_no no;
    user_no children[1];
    const char *override_;
};

static bool approve_act(struct changing_records *c, void *arg)
{
    struct approving *a = arg;
    struct application_row row = {0};
    struct actor actor = *c->actor;
    struct changing_records mine = *c;
    actor.override_ = a->override_;
    mine.actor = &actor;
    if (!applications_get(c->tx->db, a->no, &row))
        return false;
    int64_t seen = application_version(c->tx->db, &row);
    application_finish(&row);
    const struct approval approval = {APPLICANT_NOBODY, a->children, a->children[0] != 0, NULL};
    return application_approve(&mine, a->no, &approval, seen);
}

/* Whoever lets somebody into a class where they meet whom they are kept from: whichever way the application came, and
 * whichever of the two, or a parent of theirs, it is. The approver's own word counts, not the approval's. */
static void d9_an_approval_brings_nobody_together_unasked(void **state)
{
    /* The class of the first has the small one; its mother is kept from it, and is to be … */
    const struct {
        const char *what;
        enum school_role role;
        bool kept; /* the applicant is the one who is kept; else a stranger, of whom it is no rule's business */
    } CASES[] = {
        {"a teacher of the class", ROLE_TEACHER, true},
        {"a guardian of another pupil of the class", ROLE_GUARDIAN, true},
        {"somebody else as a teacher", ROLE_TEACHER, false},
        {"somebody else as a guardian", ROLE_GUARDIAN, false},
    };
    world_policy(&w, "{\"class_teacher\": {\"may\": [\"approve\"]}}");
    user_no teacher = world_person(
        &w, (struct world_person){"Rita", "Room", NULL, w.school, ROLE_TEACHER, w.first, ROLE_CLASS_TEACHER});
    user_no second =
        world_person(&w, (struct world_person){"Petya", "Peer", "2019-01-01", w.school, 0, w.first, ROLE_PUPIL});
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct error e;
        struct link_made link;
        user_no kept = world_person(&w, (struct world_person){"Kira", "Kept", NULL, w.school, ROLE_STAFF});
        user_no other = world_person(&w, (struct world_person){"Otto", "Other", NULL, w.school, ROLE_STAFF});
        world_guardian(&w, w.small, kept);
        bars(w.small, kept);
        user_no who = CASES[i].kept ? kept : other;
        assert_true(world_link(&w, 0, (struct link_wish){.kind = LINK_CLASS, .class = w.first, .role = CASES[i].role},
                               &link, &e));
        struct applying applying = {link.token, 0};
        if (!world_run(&w, who, apply_act, &applying, &e))
            fail_msg("%s: %s", CASES[i].what, error_sentence(&e));
        struct approving a = {applying.no, {CASES[i].role == ROLE_GUARDIAN ? second : 0}, NULL};
        const user_no approvers[] = {teacher, w.admin, 0};
        for (size_t k = 0; k < 3 && CASES[i].kept; ++k) {
            if (k == 0 && CASES[i].role == ROLE_TEACHER)
                continue; /* not theirs to let in */
            assert_false(world_run(&w, approvers[k], approve_act, &a, &e));
            assert_string_equal(world_rule(&e), k == 0 ? "J4" : "D9");
        }
        a.override_ = CASES[i].kept ? "there is no other class for them" : NULL;
        if (CASES[i].kept && CASES[i].role == ROLE_GUARDIAN)
            assert_false(world_run(&w, teacher, approve_act, &a, &e)); /* it is the office's to say why */
        if (!world_run(&w, w.admin, approve_act, &a, &e))
            fail_msg("%s: %s", CASES[i].what, error_sentence(&e));
        assert_true(sets(w.admin, (struct setting){w.small, kept, CUSTODY_SHARED, BECAUSE}, &e));
        assert_true(world_run(&w, 0, end_act, (user_no[]){w.small, kept}, &e));
    }
}

struct enrolling {
    class_no class;
    user_no user;
};

static bool enroll_act(struct changing_records *c, void *arg)
{
    const struct enrolling *e = arg;
    return change_enrollment(
        c, &(struct enrollment_row){
               .class = e->class, .user = e->user, .role = ROLE_PUPIL, .begin = DAY_EVER, .end = DAY_NEVER});
}

/* A child takes its guardians along into a class; a guardianship takes the guardian there. */
static void d9_a_childs_place_is_its_guardians(void **state)
{
    struct error e;
    user_no brother =
        world_person(&w, (struct world_person){"Bob", "Brother", "2015-01-01", w.school, 0, w.first, ROLE_PUPIL});
    bars(w.young, father); /* the father of the young one, of the fifth */
    world_guardian(&w, brother, father);
    assert_false(world_run(&w, w.admin, enroll_act, &(struct enrolling){w.fifth, brother}, &e));
    assert_string_equal(world_rule(&e), "D9");
    user_no cousin =
        world_person(&w, (struct world_person){"Carl", "Cousin", "2015-01-01", w.school, 0, w.fifth, ROLE_PUPIL});
    assert_false(world_run(&w, w.admin, world_guardian_act, (user_no[]){cousin, father}, &e));
    assert_string_equal(world_rule(&e), "D9");
    user_no friend =
        world_person(&w, (struct world_person){"Fred", "Friend", "2015-01-01", w.school, 0, w.first, ROLE_PUPIL});
    assert_true(world_run(&w, w.admin, enroll_act, &(struct enrolling){w.fifth, friend}, &e));
    /* By the cousin's own link the father waits for the office. */
    struct link_made link;
    struct guardian_view view;
    enum guardian_outcome outcome = GUARDIAN_CONFIRMED;
    const struct actor actor = {.user = father, .name = user_names_get(w.f.names, w.f.db, father)};
    assert_true(world_link(&w, cousin, (struct link_wish){.kind = LINK_GUARDIAN}, &link, &e));
    if (!guardian_look(w.f.db, true, &actor, NULL, link.token, clock_wall_ms(), &view, &e))
        fail_msg("%s", error_sentence(&e));
    struct confirming confirming = {link.token, guardian_child_version(w.f.db, cousin), &outcome};
    if (!world_run(&w, father, confirm_act, &confirming, &e))
        fail_msg("%s", error_sentence(&e));
    assert_int_equal(outcome, GUARDIAN_WAITS);
    assert_false(school_is_guardian(w.f.db, father, cousin));
}

/* Whether the father sees an entry that says this. */
static bool sees_entry(const struct audit_reader *reader, const char *format, const char *id)
{
    char entry[1000];
    snprintf(entry, sizeof entry, format, id);
    return audit_reader_sees(reader, &(struct audit_row){.entry = entry, .act = "test.write", .actor = "x"});
}

/* Every member of every record's change: the person's are about the person, all others only have the same letters. */
static void members_concern(const struct audit_reader *reader, const char *id)
{
    for (int t = 0; t < GUARDED_TABLES_N; ++t) {
        const struct guarded_table *table = &GUARDED_TABLES[t];
        for (const struct guarded_column *c = table->columns; table->record != NULL && c->guard != GUARD_NO; ++c) {
            const char *shown = c->shown != NULL ? c->shown : c->name;
            bool of_people = c->value == VALUE_USER || c->value == VALUE_PERSON || c->value == VALUE_LOCALPART;
            char change[200];
            if (*shown == '\0')
                continue;
            static const char *const VALUES[] = {"\"%s\"", "[\"%s\",null]", "[\"x\",\"%s\"]"};
            for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; ++i) {
                snprintf(change, sizeof change, "{\"changes\":[{\"%s\":\"%s\",\"%s\":%s}]}", i == 0 ? "+" : "=",
                         table->record, shown, VALUES[i]);
                if (sees_entry(reader, change, id) == of_people)
                    fail_msg("%s.%s: %s", table->name, c->name, change);
            }
        }
    }
}

/* Whom an entry concerns say its members that are people's, not its letters. */
static void d9_the_log_is_read_by_what_it_says(void **state)
{
    static const struct {
        const char *entry;
        bool of_matrix, of_record; /* whether it concerns who is called so by Matrix ID, by sourcedId */
    } CASES[] = {
        {"{\"actor\":\"%s\"}", true, false},
        {"{\"subject\":{\"user\":\"%s\"}}", true, false},
        {"{\"subject\":{\"child\":\"%s\"}}", true, false},
        {"{\"subject\":{\"guardian\":\"%s\"}}", true, false},
        {"{\"subject\":{\"class\":\"%s\"}}", false, false},
        {"{\"subject\":{\"user\":\"%s0\"}}", false, false},
        {"{\"subject\":{\"user\":\"@0%s\"}}", false, false},
        {"{\"reason\":\"%s\"}", false, false},
        {"{\"reason\":\"about \\\"%s\\\" alone\"}", false, false},
        {"{\"details\":{\"kind\":\"%s\"}}", false, false},
        {"{\"%s\":1}", false, false},
        {"{\"changes\":[{\"+\":\"role\",\"person\":\"%s0\"}]}", false, false},
        {"{\"changes\":[{\"+\":\"role\",\"person\":\"0%s\"}]}", false, false},
        {"{\"changes\":[{\"+\":\"%s\",\"person\":\"other\"}]}", false, false},
        {"{\"changes\":[{\"=\":\"role\",\"person\":\"other\"},{\"-\":\"role\",\"person\":\"%s\"}]}", true, true},
        {"\"%s\" is no entry", true, true}, /* nobody can say whom it concerns */
    };
    struct audit_reader reader;
    bars(w.young, father);
    audit_reader_init(&reader, w.f.db, "school.example", true, father);
    assert_true(reader.kept >= 2);
    for (size_t n = 0; n < reader.kept; ++n) {
        const struct audit_named *named = &reader.names[n];
        for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
            if (sees_entry(&reader, CASES[i].entry, named->name) ==
                (named->matrix ? CASES[i].of_matrix : CASES[i].of_record))
                fail_msg("%s of %s", CASES[i].entry, named->name);
        members_concern(&reader, named->name);
    }
    /* What was settled of the own family is not told either. */
    const char *own = user_names_get(w.f.names, w.f.db, father);
    assert_true(sees_entry(&reader, "{\"changes\":[{\"+\":\"role\",\"person\":\"%s\"}]}", own));
    assert_false(sees_entry(&reader, "{\"changes\":[{\"+\":\"custody\",\"guardian\":\"%s\"}]}", own));
    assert_true(sees_entry(&reader, "{\"reason\":\"custody\",\"subject\":{\"user\":\"%s\"}}", own));
    audit_reader_finish(&reader);
}

static room_no club_of(user_no creator)
{
    struct error e;
    const struct room_plan plan = {
        .creator = creator, .version = room_version_get("12"), .preset = PRESET_PRIVATE_CHAT, .name = "club"};
    room_no room = fixture_create(&w.f, &plan, &e);
    assert_int_not_equal(room, 0);
    return room;
}

/* The child's link, opened and confirmed by who. 0: refused. */
static enum guardian_outcome comes_by_link(user_no child, user_no who)
{
    struct error e;
    struct link_made link;
    struct guardian_view view;
    enum guardian_outcome outcome = GUARDIAN_CONFIRMED;
    const struct actor actor = {.user = who, .name = user_names_get(w.f.names, w.f.db, who)};
    assert_true(world_link(&w, child, (struct link_wish){.kind = LINK_GUARDIAN}, &link, &e));
    if (!guardian_look(w.f.db, true, &actor, NULL, link.token, clock_wall_ms(), &view, &e))
        fail_msg("%s", error_sentence(&e));
    bool waits = guardian_waits(w.f.db, child, who);
    struct confirming confirming = {link.token, guardian_child_version(w.f.db, child), &outcome};
    if (!world_run(&w, who, confirm_act, &confirming, &e))
        fail_msg("%s", error_sentence(&e));
    assert_int_equal(outcome, waits ? GUARDIAN_WAITS : GUARDIAN_CONFIRMED); /* as the page has said */
    assert_int_equal(school_is_guardian(w.f.db, who, child), !waits);
    return outcome;
}

static application_no waiting_of(user_no who)
{
    struct application_row row;
    application_no no = 0;
    struct stmt *q = applications_open_of(w.f.db, who);
    while (applications_next(q, &row))
        no = row.no;
    stmt_end(q);
    assert_int_not_equal(no, 0);
    return no;
}

static user_no stranger(const char *given)
{
    return world_person(&w, (struct world_person){given, "Again", NULL, w.school, ROLE_STAFF});
}

/* Whom an order is about comes again by another account: as long as anything stands of the child, whoever would be its
 * guardian waits, and an administrator lets them in, who says why. */
static void d9_whoever_comes_to_a_child_of_whom_something_stands_waits(void **state)
{
    struct error e;
    const enum custody kinds[] = {CUSTODY_NO_CONTACT, CUSTODY_SEPARATE};
    world_policy(&w, "{\"class_teacher\": {\"may\": [\"approve\"]}}");
    assert_true(world_run(&w, w.admin, end_act, (user_no[]){w.young, mother}, &e)); /* there is a place */
    for (size_t i = 0; i < 2; ++i) {
        int64_t before = guardian_child_version(w.f.db, w.young);
        assert_true(sets(w.admin, (struct setting){w.young, father, kinds[i], BECAUSE}, &e));
        if (i == 0)
            assert_int_not_equal(guardian_child_version(w.f.db, w.young), before); /* what the page has said */
        user_no who = stranger(i == 0 ? "First" : "Second");
        assert_int_equal(comes_by_link(w.young, who), GUARDIAN_WAITS);
        struct approving a = {waiting_of(who), {0}, NULL};
        const user_no approvers[] = {w.class_teacher, w.admin, 0};
        for (size_t k = 0; k < 3; ++k) {
            assert_false(world_run(&w, approvers[k], approve_act, &a, &e));
            assert_string_equal(world_rule(&e), k == 0 ? "J4" : "D9"); /* that there is something is the office's */
        }
        a.override_ = "the grandmother, who has shown her papers";
        assert_false(world_run(&w, w.class_teacher, approve_act, &a, &e));
        assert_string_equal(world_rule(&e), "J4");
        if (!world_run(&w, w.admin, approve_act, &a, &e))
            fail_msg("%s", error_sentence(&e));
        assert_true(school_is_guardian(w.f.db, who, w.young));
        assert_true(world_run(&w, w.admin, end_act, (user_no[]){w.young, who}, &e));
    }
    assert_true(sets(w.admin, (struct setting){w.young, father, CUSTODY_SHARED, BECAUSE}, &e));
    assert_int_equal(comes_by_link(w.young, stranger("Third")), GUARDIAN_CONFIRMED);
}

/* The same by a link of the class: of which child it is says whoever approves. */
static void d9_nor_does_a_link_of_the_class_bring_them_unasked(void **state)
{
    struct error e;
    struct link_made link;
    world_policy(&w, "{\"class_teacher\": {\"may\": [\"approve\"]}}");
    bars(w.young, father);
    assert_true(
        world_link(&w, 0, (struct link_wish){.kind = LINK_CLASS, .class = w.fifth, .role = ROLE_GUARDIAN}, &link, &e));
    user_no who = stranger("Klara");
    struct applying applying = {link.token, 0};
    assert_true(world_run(&w, who, apply_act, &applying, &e));
    struct approving a = {applying.no, {w.young}, NULL};
    assert_false(world_run(&w, w.class_teacher, approve_act, &a, &e));
    assert_string_equal(world_rule(&e), "J4"); /* that there is something is the office's to know */
    a.children[0] = w.old;                     /* of whom nothing was settled */
    assert_true(world_run(&w, w.class_teacher, approve_act, &a, &e));
}

struct leaving {
    user_no child;
    enum custody custody;
    const char *reason;
};

static bool left_act(struct changing_records *c, void *arg)
{
    const struct leaving *l = arg;
    return change_custody_left(c, l->child, l->custody, l->reason);
}

static bool erase_act(struct changing_records *c, void *arg)
{
    return erasure_begin(c, *(user_no *)arg);
}

static void erases(user_no user)
{
    struct error e;
    if (!world_run(&w, 0, erase_act, &user, &e))
        fail_msg("%s", error_sentence(&e));
    for (int steps = 0; erasure_step(w.f.writer, w.f.rooms); ++steps)
        assert_true(steps < 1000);
    assert_string_equal(world_account_state(&w, user), "left");
}

/* The father has his account erased, and comes again: that there was an order stays, of nobody by name, until the
 * office takes it back, with a reason. */
static void d9_g4_an_erasure_leaves_that_there_is_an_order(void **state)
{
    struct error e;
    bars(w.young, father);
    assert_true(sets(w.admin, (struct setting){w.young, mother, CUSTODY_SEPARATE, BECAUSE}, &e));
    erases(father);
    assert_int_equal(custodies_left(w.f.db, w.young), CUSTODY_NO_CONTACT);
    erases(mother);
    assert_int_equal(custodies_left(w.f.db, w.young), CUSTODY_NO_CONTACT); /* the stronger */
    assert_int_equal(comes_by_link(w.young, stranger("Fyodor")), GUARDIAN_WAITS);
    struct leaving shared = {w.young, CUSTODY_SHARED, BECAUSE};
    const user_no others[] = {w.class_teacher, w.teacher, w.other_admin};
    for (size_t i = 0; i < sizeof others / sizeof *others; ++i) {
        assert_false(world_run(&w, others[i], left_act, &shared, &e));
        assert_string_equal(world_rule(&e), "A4");
    }
    assert_false(world_run(&w, w.admin, left_act, &(struct leaving){w.young, CUSTODY_SHARED, "short"}, &e));
    assert_int_equal(e.code, ERROR_INVALID_PARAM);
    assert_int_equal(custodies_left(w.f.db, w.young), CUSTODY_NO_CONTACT);
    assert_true(world_run(&w, w.admin, left_act, &shared, &e));
    assert_int_equal(custodies_left(w.f.db, w.young), CUSTODY_SHARED);
    assert_int_equal(comes_by_link(w.young, stranger("Marfa")), GUARDIAN_CONFIRMED);
    assert_true(world_run(&w, w.admin, left_act, &(struct leaving){w.young, CUSTODY_SEPARATE, BECAUSE}, &e));
    erases(w.young);
    assert_int_equal(custodies_left(w.f.db, w.young), CUSTODY_SHARED);
}

static bool was_told(user_no user)
{
    room_no room = rooms_owned(w.f.db, user, room_kind_name(ROOM_NOTICES));
    return room != 0 && memberships_of(w.f.db, room, user) == MEMBERSHIP_INVITE;
}

static bool job_script(struct tx *tx, void *arg, struct error *e)
{
    fixture_acts(tx);
    return db_script(tx->db, arg);
}

/* What the families were made of at the beginning is no news. */
static void begin_telling(void)
{
    struct error e;
    assert_true(writer_run(w.f.writer, job_script, "DELETE FROM untold_guardians", &e));
}

static void tell_of_guardians(void)
{
    static const _Atomic bool stop = false;
    struct guardians_told told = {w.f.writer, w.f.rooms};
    struct guardianship_row left;
    assert_int_equal(guardians_told_run(&told, &stop), JOB_DONE);
    assert_false(guardianships_untold(w.f.db, &left));
}

struct by_roster {
    user_no child, guardians[2];
    int64_t since_ms;
    bool gone;
};

static bool roster_act(struct changing_records *c, void *arg)
{
    const struct by_roster *r = arg;
    bool done = true;
    fixture_acts(c->tx);
    for (int i = 0; i < 2 && r->guardians[i] != 0; ++i)
        done = done && (r->gone ? guardianships_delete(c->tx->db, r->child, r->guardians[i])
                                : guardianships_put(c->tx->db, &(struct guardianship_row){r->child, r->guardians[i],
                                                                                          SOURCE_ROSTER, r->since_ms}));
    return done;
}

static bool begins_act(struct changing_records *c, void *arg)
{
    const struct application_row row = {.kind = APPLICATION_GUARDIAN,
                                        .state = *(enum application_state *)arg,
                                        .user = alone,
                                        .school = w.school,
                                        .role = ROLE_GUARDIAN,
                                        .child = w.young,
                                        .person = APPLICANT_NOBODY};
    fixture_acts(c->tx);
    return applications_insert(c->tx, &row) != 0;
}

/* Who is nobody's guardian any more, or not yet, is of the family all the same; and whom no order
 * bars, no order bars. */
static void d9_what_binds_somebody_to_a_child(void **state)
{
    struct error e;
    struct db *db = w.f.db;
    enum application_state refused = APPLICATION_REFUSED, begun = APPLICATION_BEGUN;
    assert_true(sets(w.admin, (struct setting){w.young, mother, CUSTODY_SEPARATE, BECAUSE}, &e));
    assert_false(custodies_bar_anywhere(db, mother) || custodies_bar_anywhere(db, father));
    bars(w.young, father);
    assert_true(custodies_bar_anywhere(db, father));
    assert_false(custodies_bar_anywhere(db, mother));
    assert_true(writer_run(w.f.writer, job_script, "DELETE FROM guardianships WHERE guardian <> 0", &e));
    assert_true(custodies_family(db, w.young, father) && custodies_family(db, w.young, mother));
    assert_true(custodies_related(db, w.young, father) && custodies_related(db, father, mother));
    assert_false(custodies_family(db, w.young, alone) || custodies_related(db, w.young, alone));
    assert_true(world_run(&w, w.admin, begins_act, &refused, &e));
    assert_false(custodies_related(db, w.young, alone));
    assert_true(world_run(&w, w.admin, begins_act, &begun, &e));
    assert_true(custodies_related(db, w.young, alone) && custodies_related(db, alone, father));
    assert_false(custodies_family(db, w.young, alone)); /* that is for who is, or was */
}

/* A child may make itself a parent, a link be in a stranger's hands, an office or a roster err: those in force and the
 * class teacher hear of it by whichever door, nobody else. */
enum door { BY_LINK, BY_OFFICE, BY_ROSTER };
static void hears_by(enum door door)
{
    struct error e;
    user_no who = stranger("Newt");
    begin_telling();
    assert_true(world_run(&w, w.admin, end_act, (user_no[]){w.young, mother}, &e));
    if (door == BY_LINK)
        assert_int_equal(comes_by_link(w.young, who), GUARDIAN_CONFIRMED);
    else if (door == BY_OFFICE)
        assert_true(world_run(&w, w.admin, world_guardian_act, (user_no[]){w.young, who}, &e));
    else
        assert_true(
            world_run(&w, w.admin, roster_act, &(struct by_roster){w.young, {who}, clock_wall_ms() + MINUTE_MS}, &e));
    assert_false(was_told(father));
    tell_of_guardians();
    assert_true(was_told(father) && was_told(w.class_teacher));
    assert_false(was_told(who) || was_told(mother) || was_told(w.young) || was_told(w.teacher) || was_told(w.admin));
}

static void d2_who_answers_for_a_child_hears_of_its_new_guardian(void **state)
{
    hears_by(BY_LINK);
}

static void d2_who_answers_for_a_child_hears_of_whom_the_office_adds(void **state)
{
    hears_by(BY_OFFICE);
}

static void d2_who_answers_for_a_child_hears_of_whom_a_roster_adds(void **state)
{
    hears_by(BY_ROSTER);
}

/* A roster of August begins in September: the child has no class yet, and guardians all the same. */
static void d2_who_answers_for_a_child_hears_in_summer(void **state)
{
    struct error e;
    user_no who = stranger("Newt");
    begin_telling();
    assert_true(world_run(&w, w.admin, end_act, (user_no[]){w.young, mother}, &e));
    assert_true(world_run(&w, w.admin, world_guardian_act, (user_no[]){w.young, who}, &e));
    assert_true(writer_run(w.f.writer, job_script, "UPDATE roles SET begin_date = 99990901 WHERE role = 'pupil'", &e));
    tell_of_guardians();
    assert_true(was_told(father));
    assert_false(was_told(who) || was_told(w.class_teacher));
}

/* A roster that brings the families of a school tells nobody of themselves; nor is anybody told of what is over before
 * it was told, or of the same guardianship once more. */
static void d2_what_is_no_news_is_not_told(void **state)
{
    struct error e;
    user_no one = stranger("One"), other = stranger("Other");
    begin_telling();
    for (int i = 0; i < 2; ++i)
        assert_true(world_run(&w, w.admin, end_act, (user_no[]){w.young, i == 0 ? mother : father}, &e));
    struct by_roster both = {w.young, {one, other}, clock_wall_ms()};
    assert_true(world_run(&w, w.admin, roster_act, &both, &e));
    tell_of_guardians();
    assert_false(was_told(one) || was_told(other) || was_told(w.class_teacher));
    assert_true(world_run(&w, w.admin, roster_act, &both, &e)); /* again */
    both.gone = true;
    assert_true(world_run(&w, w.admin, roster_act, &both, &e));
    assert_true(world_run(&w, w.admin, world_guardian_act, (user_no[]){w.young, father}, &e));
    assert_true(world_run(&w, w.admin, end_act, (user_no[]){w.young, father}, &e));
    tell_of_guardians();
    assert_false(was_told(other) || was_told(w.class_teacher));
}

/* Whoever is erased is in nobody's custody any more, and the erasure comes to its end. */
static void d9_g4_an_erasure_takes_it_along(void **state)
{
    struct error e;
    user_no both[] = {father, w.young};
    bars(w.young, father);
    assert_true(sets(w.admin, (struct setting){w.young, mother, CUSTODY_SEPARATE, BECAUSE}, &e));
    for (size_t i = 0; i < 2; ++i) {
        erases(both[i]);
        assert_int_equal(custodies_of(w.f.db, w.young, father), CUSTODY_SHARED);
        assert_int_equal(custodies_of(w.f.db, w.young, mother), i == 0 ? CUSTODY_SEPARATE : CUSTODY_SHARED);
    }
}

/* Rooms that people made: he leaves those where the child is, or the child's other guardian, and neither enters nor
 * learns of any where they are; nor do they where he is. */
static void d9_they_are_in_no_club_together(void **state)
{
    struct error e;
    const user_no others[] = {w.young, mother};
    room_no together[2];
    for (size_t i = 0; i < 2; ++i) {
        room_no club = together[i] = club_of(w.class_teacher);
        assert_true(fixture_member(&w.f, club, ACT_INVITE, w.class_teacher, others[i], &e));
        assert_true(fixture_member(&w.f, club, ACT_JOIN, others[i], others[i], &e));
        if (!fixture_member(&w.f, club, ACT_INVITE, w.class_teacher, father, &e))
            fail_msg("%s", error_sentence(&e));
        assert_true(fixture_member(&w.f, club, ACT_JOIN, father, father, &e));
        assert_true(gate_may_see(true, w.f.db, club, w.teacher));
    }
    bars(w.young, father);
    room_no his = club_of(w.class_teacher);
    assert_true(fixture_member(&w.f, his, ACT_INVITE, w.class_teacher, father, &e));
    assert_true(fixture_member(&w.f, his, ACT_JOIN, father, father, &e));
    for (size_t i = 0; i < 2; ++i) {
        room_no club = together[i];
        assert_int_not_equal(memberships_of(w.f.db, club, father), MEMBERSHIP_JOIN);
        assert_int_equal(memberships_of(w.f.db, club, others[i]), MEMBERSHIP_JOIN);
        assert_false(fixture_member(&w.f, club, ACT_INVITE, w.class_teacher, father, &e));
        assert_string_equal(world_rule(&e), "F1");
        assert_false(fixture_member(&w.f, his, ACT_INVITE, w.class_teacher, others[i], &e));
        assert_string_equal(world_rule(&e), "F1");
        assert_false(gate_may_see(true, w.f.db, club, father));
        assert_false(gate_may_see(true, w.f.db, his, others[i]));
        assert_true(gate_may_see(true, w.f.db, club, w.teacher) && gate_may_see(true, w.f.db, his, w.teacher));
    }
}

static bool archive_act(struct changing_records *c, void *arg)
{
    struct reconciling *s = reconcile_begin(c->tx, c->rooms, NULL);
    fixture_acts(c->tx);
    if (reconcile_archive(s, *(room_no *)arg, c->e))
        return reconcile_finish(s, c->e);
    reconcile_abandon(s);
    return false;
}

static room_no guardians_room(void)
{
    return roster_rooms_find(w.f.db, w.school, w.fifth, ROOM_GUARDIANS);
}

/* What the roster's room was last year: he is not in it any more, and cannot read there what he
 * read; the others are. */
static void is_out_of_archive(room_no room)
{
    struct room_school of;
    char *id = xstrdup(user_names_get(w.f.names, w.f.db, father));
    school_of_room(w.f.db, room, &of);
    assert_int_equal(of.kind, ROOM_ARCHIVE);
    assert_int_not_equal(memberships_of(w.f.db, room, father), MEMBERSHIP_JOIN);
    assert_int_equal(memberships_of(w.f.db, room, mother), MEMBERSHIP_JOIN);
    assert_false(gate_may_see(true, w.f.db, room, father));
    struct visibility *seen = visibility_load(w.f.db, true, room, father, id);
    assert_true(visibility_is_closed(seen));
    visibility_free(seen);
    free(id);
}

/* G3: the rooms of earlier years, in which both were; whoever has nothing settled of them stays. */
static void d9_they_are_in_no_archive_together(void **state)
{
    room_no room = guardians_room();
    assert_int_equal(memberships_of(w.f.db, room, alone), MEMBERSHIP_JOIN);
    assert_true(world_run(&w, 0, archive_act, &room, NULL));
    assert_int_equal(memberships_of(w.f.db, room, father), MEMBERSHIP_JOIN);
    bars(w.young, father);
    is_out_of_archive(room);
    assert_int_equal(memberships_of(w.f.db, room, alone), MEMBERSHIP_JOIN);
}

/* A room in which the roster holds both, by another child of his in the class, becomes an archive: with that its word
 * ends. By the turn of the year, and by an upgrade, whose new room the roster's word is for. */
static void d9_an_archive_keeps_nobody_together(void **state)
{
    struct error e;
    world_guardian(&w, w.old, father);
    bars(w.young, father);
    assert_true(in_guardians_room(father) && in_guardians_room(mother));
    room_no room = guardians_room();
    room_no new = fixture_upgrade(&w.f, room, users_no(w.f.db, SERVICE_LOCALPART), "11", NULL, &e);
    assert_int_not_equal(new, 0);
    assert_true(in_guardians_room(father) && in_guardians_room(mother));
    is_out_of_archive(room);
    assert_int_equal(guardians_room(), new);
    assert_true(world_run(&w, 0, archive_act, &new, NULL));
    is_out_of_archive(new);
}

/* A guardian who comes later finds the club of one who is kept from them: that one goes. */
static void d9_who_comes_later_is_not_the_one_to_go(void **state)
{
    struct error e;
    bars(w.young, father);
    assert_true(world_run(&w, w.admin, end_act, (user_no[]){w.young, mother}, &e));
    room_no club = club_of(w.class_teacher);
    const user_no both[] = {mother, father};
    for (size_t i = 0; i < 2; ++i) {
        assert_true(fixture_member(&w.f, club, ACT_INVITE, w.class_teacher, both[i], &e));
        assert_true(fixture_member(&w.f, club, ACT_JOIN, both[i], both[i], &e));
    }
    world_guardian(&w, w.young, mother);
    assert_int_equal(memberships_of(w.f.db, club, mother), MEMBERSHIP_JOIN);
    assert_int_not_equal(memberships_of(w.f.db, club, father), MEMBERSHIP_JOIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(d9_the_office_says_it_with_a_reason),
        TEST(d9_no_contact_ends_all_that_the_guardianship_gave),
        TEST(d9_no_contact_offers_and_lets_nothing),
        TEST(d9_j4_the_office_is_somebody_elses_then),
        TEST(d9_only_the_office_takes_it_back),
        TEST(d9_it_counts_since_it_was_taken_back),
        TEST(d9_d5_two_are_those_who_count),
        TEST(d9_separate_guardians_do_not_meet_through_the_child),
        TEST(d9_j2_it_is_in_the_log),
        TEST(d9_who_is_kept_does_not_bring_themselves_together),
        TEST(d9_the_log_says_nothing_of_them),
        TEST(d9_the_log_is_read_by_what_it_says),
        TEST(d9_an_approval_brings_nobody_together_unasked),
        TEST(d9_a_childs_place_is_its_guardians),
        TEST(j3_d9_whatever_ends_a_place_asks_for_it),
        TEST(d9_they_are_in_no_association_together),
        TEST(d9_they_are_in_no_club_together),
        TEST(d9_they_are_in_no_archive_together),
        TEST(d9_an_archive_keeps_nobody_together),
        TEST(d9_who_comes_later_is_not_the_one_to_go),
        TEST(d9_separate_guardians_know_nothing_of_each_other),
        TEST(d9_g4_an_erasure_takes_it_along),
        TEST(d9_whoever_comes_to_a_child_of_whom_something_stands_waits),
        TEST(d9_nor_does_a_link_of_the_class_bring_them_unasked),
        TEST(d9_g4_an_erasure_leaves_that_there_is_an_order),
        TEST(d2_who_answers_for_a_child_hears_of_its_new_guardian),
        TEST(d2_who_answers_for_a_child_hears_of_whom_the_office_adds),
        TEST(d2_who_answers_for_a_child_hears_of_whom_a_roster_adds),
        TEST(d2_who_answers_for_a_child_hears_in_summer),
        TEST(d2_what_is_no_news_is_not_told),
        TEST(d9_what_binds_somebody_to_a_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
