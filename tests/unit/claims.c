/* Nobody holds a secret that makes them somebody else (school.md J4): who may make a credential for whom, and what a
 * personal link is good for until somebody else than its issuer has said that the right person came by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/school_rooms.h"
#include "policy/admin/operators.h"
#include "policy/audit/audit.h"
#include "policy/privacy/erasure.h"
#include "policy/school_rooms/documents.h"
#include "policy/signup/claims.h"
#include "tests/unit/signup_world.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct world w;
static user_no second_admin, parent, fellow; /* both guardians of w.young, without password */

/* Whoever has signed in has a documents room, in which they are told. */
static bool signed_in_act(struct changing_records *c, void *arg)
{
    fixture_acts(c->tx);
    return documents_ensure(c->rooms, c->tx, *(user_no *)arg, c->e);
}

static int setup(void **state)
{
    world_start(&w);
    second_admin = world_person(&w, (struct world_person){"Alex", "Admin", NULL, w.school, ROLE_ADMINISTRATOR});
    parent = world_person(&w, (struct world_person){"Pavel", "Parent", NULL, w.school});
    fellow = world_person(&w, (struct world_person){"Faina", "Fellow", NULL, w.school});
    assert_true(world_run(&w, 0, world_guardian_act, (user_no[]){w.young, parent}, NULL));
    assert_true(world_run(&w, 0, world_guardian_act, (user_no[]){w.young, fellow}, NULL));
    assert_true(world_run(&w, 0, signed_in_act, &w.class_teacher, NULL));
    return 0;
}

static int teardown(void **state)
{
    world_stop(&w);
    return 0;
}

static const struct actor TOKEN = {.name = "operator:bridge", .scopes = SCOPE_RECORDS | SCOPE_ACCOUNTS};

static struct actor actor_of(user_no user)
{
    if (user == 0)
        return ACTOR_COMMAND_LINE;
    return (struct actor){.user = user, .name = user_names_get(w.f.names, w.f.db, user)};
}

static bool run_as(struct actor actor, world_act *act, void *arg, struct error *e)
{
    *e = (struct error){0};
    return writer_run(w.f.writer, world_job, &(struct world_job){&w, &actor, act, arg}, e);
}

/* --- Credentials: which, by whom, of whom --- */

struct wish {
    user_no of; /* 0: not of one person */
    bool made;
};

static bool makes_link(struct changing_records *c, struct wish *wish, struct link_wish of)
{
    struct link_made made;
    wish->made = link_make(c, &of, &made);
    return false; /* thrown away */
}

static bool personal_link(struct changing_records *c, void *arg)
{
    struct wish *wish = arg;
    return makes_link(c, wish, (struct link_wish){.kind = LINK_PERSONAL, .person = wish->of});
}

static bool class_link(struct changing_records *c, void *arg)
{
    return makes_link(c, arg, (struct link_wish){.kind = LINK_CLASS, .class = w.fifth, .role = ROLE_GUARDIAN});
}

static bool school_link(struct changing_records *c, void *arg)
{
    return makes_link(c, arg, (struct link_wish){.kind = LINK_SCHOOL, .school = w.school, .role = ROLE_TEACHER});
}

static bool guardian_link(struct changing_records *c, void *arg)
{
    return makes_link(c, arg, (struct link_wish){.kind = LINK_GUARDIAN});
}

static bool operator_token(struct changing_records *c, void *arg)
{
    char token[OPERATOR_TOKEN_BYTES];
    struct wish *wish = arg;
    wish->made = operator_create(c, &(struct operator_plan){"more", SCOPE_ALL, 0}, token) != 0;
    return false;
}

/* Every credential that the office, or a person, can make; a password itself only its owner sets, by the old one or a
 * code to an address of theirs, or whoever owns the machine (`parta user password`, `roster import --passwords`;
 * tests/doors, effect "password"). */
static void j4_who_makes_which_credential_for_whom(void **state)
{
    enum { MACHINE, BRIDGE, ADMIN, SECOND, OTHER_ADMIN, CLASS_TEACHER, TEACHER, PARENT, PUPIL, ISSUERS };
    static const char *const NAMES[ISSUERS] = {"machine",       "token",   "administrator", "second", "other school's",
                                               "class teacher", "teacher", "parent",        "pupil"};
    const struct actor issuers[ISSUERS] = {
        ACTOR_COMMAND_LINE,      TOKEN,
        actor_of(w.admin),       actor_of(second_admin),
        actor_of(w.other_admin), actor_of(w.class_teacher),
        actor_of(w.teacher),     actor_of(parent),
        actor_of(w.old),
    };
#define BY(who) (1u << (who))
#define OFFICE (BY(MACHINE) | BY(ADMIN) | BY(SECOND))
    user_no staff = world_person(&w, (struct world_person){"Stan", "Staff", NULL, w.school, ROLE_STAFF});
    const struct {
        const char *name;
        world_act *act;
        user_no of;
        unsigned by;
    } CREDENTIALS[] = {
        {"personal link of a pupil", personal_link, w.old, OFFICE | BY(BRIDGE)},
        {"personal link of a guardian", personal_link, fellow, OFFICE | BY(BRIDGE)},
        {"personal link of the own child", personal_link, w.young, OFFICE | BY(BRIDGE)},
        {"personal link of staff", personal_link, staff, OFFICE | BY(BRIDGE)},
        {"personal link of a class teacher", personal_link, w.class_teacher,
         OFFICE}, /* who may do more than the token */
        {"personal link of an administrator", personal_link, second_admin, OFFICE},
        {"personal link of another school's", personal_link, w.other_admin, BY(MACHINE) | BY(OTHER_ADMIN)},
        {"class link", class_link, 0, OFFICE | BY(BRIDGE) | BY(CLASS_TEACHER)}, /* approved by somebody else */
        {"school link", school_link, 0, OFFICE | BY(BRIDGE)},
        {"child's link", guardian_link, 0, BY(PUPIL)}, /* of oneself */
        {"operator's token", operator_token, 0, BY(MACHINE)},
    };
    for (size_t i = 0; i < COUNT(CREDENTIALS); ++i)
        for (int by = 0; by < ISSUERS; ++by) {
            struct error e;
            struct wish wish = {CREDENTIALS[i].of, false};
            bool may = (CREDENTIALS[i].by >> by & 1) != 0;
            run_as(issuers[by], CREDENTIALS[i].act, &wish, &e);
            if (wish.made != may)
                fail_msg("%s by %s: %s", CREDENTIALS[i].name, NAMES[by], wish.made ? "made" : error_sentence(&e));
        }
}

/* --- Claims --- */

static struct link_row claimed(user_no issuer, user_no person)
{
    struct error e;
    struct link_made made;
    struct link_row link;
    if (!world_link(&w, issuer, (struct link_wish){.kind = LINK_PERSONAL, .person = person}, &made, &e))
        fail_msg("%s", error_sentence(&e));
    assert_int_equal(world_signs_up(&w, made.token, "Mallory", &e), person);
    assert_true(links_get(w.f.db, made.no, &link));
    return link;
}

static bool confirm_act(struct changing_records *c, void *arg)
{
    return claim_confirm(c, *(link_no *)arg);
}

static bool undo_act(struct changing_records *c, void *arg)
{
    return claim_undo(c, *(link_no *)arg);
}

static bool passes_act(struct changing_records *c, void *arg)
{
    fixture_acts(c->tx);
    return links_claim(c->tx, *(link_no *)arg, c->tx->now_ms - 1);
}

static const char *code_of(const struct actor *actor, enum act act, user_no target)
{
    static struct error e;
    e = (struct error){0};
    return school_gate(w.f.db, true, actor, act, &(struct subject){.target = target}, NULL, NULL, &e) ? ""
                                                                                                      : e.rule_code;
}

/* What cannot be taken back waits, be it of the account itself, of its children, or of its
 * office; the rest does not. */
static void waits(user_no user, user_no child, bool unconfirmed)
{
    const struct actor actor = actor_of(user);
    for (int act = ACT_APPROVE; act < ACT__COUNT; ++act) {
        bool looks = act == ACT_CHILD || act == ACT_RECORDS_READ || act == ACT_AUDIT;
        const user_no about[] = {user, child};
        for (size_t i = 0; i < COUNT(about); ++i) {
            bool said = strcmp(code_of(&actor, (enum act)act, about[i]), "unconfirmed") == 0;
            bool own_sessions = act == ACT_SESSIONS && about[i] == user;
            /* Rows before it say more of the account itself. */
            if (said != (unconfirmed && !looks && !own_sessions))
                fail_msg("%s: %s", act_name((enum act)act), code_of(&actor, (enum act)act, about[i]));
        }
    }
}

static bool erase_act(struct changing_records *c, void *arg)
{
    return erasure_begin(c, *(user_no *)arg);
}

/* The instance: whoever made the link comes by it and erases the child. */
static void j4_an_unconfirmed_claim_does_nothing_that_lasts(void **state)
{
    struct error e;
    struct link_row link = claimed(w.admin, parent);
    assert_true(link.claim_until_ms > 0);
    waits(parent, w.young, true);
    assert_false(world_run(&w, parent, erase_act, &w.young, &e));
    assert_string_equal(e.rule_code, "unconfirmed");
    assert_true(world_run(&w, w.class_teacher, confirm_act, &link.no, &e));
    waits(parent, w.young, false);
    /* A child: makes no link by which the same somebody would be its guardian. */
    struct link_made made;
    link = claimed(w.admin, w.old);
    waits(w.old, w.young, true);
    assert_false(world_link(&w, w.old, (struct link_wish){.kind = LINK_GUARDIAN}, &made, &e));
    assert_string_equal(e.rule_code, "unconfirmed");
    assert_true(world_run(&w, w.class_teacher, confirm_act, &link.no, &e));
    assert_true(world_link(&w, w.old, (struct link_wish){.kind = LINK_GUARDIAN}, &made, &e));
    /* An administrator: is not the second person whom the first one needs. */
    link = claimed(w.admin, second_admin);
    waits(second_admin, w.small, true);
    assert_true(world_run(&w, 0, confirm_act, &link.no, &e));
    waits(second_admin, w.small, false);
}

/* For the next case. */
static bool reset_act(struct changing_records *c, void *arg)
{
    struct link_row link;
    fixture_acts(c->tx);
    return users_set_password(c->tx, *(user_no *)arg, NULL) &&
           (!links_claim_of(c->tx->db, *(user_no *)arg, c->tx->now_ms, &link) || links_claim_end(c->tx, link.no));
}

static void j4_who_confirms(void **state)
{
    struct error e;
    user_no grandma = world_person(&w, (struct world_person){"Galya", "Guardian", NULL, w.school});
    assert_true(world_run(&w, 0, world_guardian_act, (user_no[]){w.old, grandma}, &e));
    const struct {
        const char *name;
        user_no person;
        struct actor by;
        const char *code; /* "": confirms; NULL: knows of no claim */
    } CASES[] = {
        {"the issuer", w.old, actor_of(w.admin), "own_link"},
        {"the issuer, for a guardian", parent, actor_of(w.admin), "own_link"},
        {"oneself", w.old, actor_of(w.old), "unconfirmed"},
        {"another administrator", w.old, actor_of(second_admin), ""},
        {"the class teacher", w.old, actor_of(w.class_teacher), ""},
        {"the class teacher, of a guardian", parent, actor_of(w.class_teacher), ""},
        {"the child's guardian", w.old, actor_of(grandma), ""},
        {"the machine", w.old, ACTOR_COMMAND_LINE, ""},
        {"another token", w.old, TOKEN, ""},
        {"a token without the scope", w.old, {.name = "operator:small", .scopes = SCOPE_RECORDS}, NULL},
        {"a fellow guardian", parent, actor_of(fellow), NULL},
        {"a guardian of another child", w.old, actor_of(parent), NULL},
        {"a colleague", w.old, actor_of(w.teacher), NULL},
        {"another school's administrator", w.old, actor_of(w.other_admin), NULL},
        {"a classmate", w.old, actor_of(w.young), NULL},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct link_row link = claimed(w.admin, CASES[i].person);
        const user_no person = link.person;
        bool done = run_as(CASES[i].by, confirm_act, &link.no, &e);
        const char *code = done ? "" : e.rule_code;
        if (CASES[i].code == NULL ? done || e.code != ERROR_NOT_FOUND : strcmp(code, CASES[i].code) != 0)
            fail_msg("%s: %s", CASES[i].name, done ? "confirmed" : error_sentence(&e));
        assert_int_equal(links_claim_of(w.f.db, CASES[i].person, clock_wall_ms(), &link), !done);
        assert_true(world_run(&w, 0, reset_act, (void *)&person, &e));
    }
}

/* Who waits does not confirm others: two links of one issuer would confirm each other. */
static void j4_two_links_of_one_issuer_do_not_confirm_each_other(void **state)
{
    struct error e;
    struct link_row child = claimed(w.admin, w.young), guardian = claimed(w.admin, parent);
    assert_false(world_run(&w, parent, confirm_act, &child.no, &e));
    assert_int_equal(e.code, ERROR_NOT_FOUND);
    assert_true(world_run(&w, w.class_teacher, confirm_act, &guardian.no, &e));
    assert_true(world_run(&w, parent, confirm_act, &child.no, &e));
    assert_false(world_run(&w, parent, confirm_act, &child.no, &e)); /* once */
    assert_int_equal(e.code, ERROR_NOT_FOUND);
}

/* The newest event in somebody's documents room. */
static stream_pos last_told(user_no user)
{
    return events_last_pos(w.f.db, rooms_owned(w.f.db, user, room_kind_name(ROOM_DOCUMENTS)), INT64_MAX);
}

static void j4_a_claim_is_told_to_those_who_would_know_better(void **state)
{
    struct error e;
    const user_no there[] = {w.admin, second_admin, w.class_teacher, w.teacher, w.other_admin, parent, fellow};
    const bool told[] = {false, true, true, false, false, false, true}; /* not the issuer, nor the person */
    stream_pos before[COUNT(there)];
    for (size_t i = 0; i < COUNT(there); ++i)
        assert_true(world_run(&w, 0, signed_in_act, (void *)&there[i], &e));
    for (size_t i = 0; i < COUNT(there); ++i)
        before[i] = last_told(there[i]);
    struct link_row link = claimed(w.admin, parent);
    for (size_t i = 0; i < COUNT(there); ++i)
        if ((last_told(there[i]) > before[i]) != told[i])
            fail_msg("person %zu is%s told", i, told[i] ? " not" : "");
    assert_true(link.claim_until_ms - clock_wall_ms() > 6 * DAY_MS);
    assert_true(link.claim_until_ms - clock_wall_ms() < 8 * DAY_MS);
}

static bool bar_act(struct changing_records *c, void *arg)
{
    const user_no *pair = arg;
    return change_custody(c, pair[0], pair[1], CUSTODY_SEPARATE, "the parents live apart");
}

/* D9: guardians who are told apart hear nothing of each other. */
static void j4_d9_a_separate_guardian_is_not_told(void **state)
{
    struct error e;
    assert_true(world_run(&w, 0, signed_in_act, &fellow, &e));
    assert_true(world_run(&w, 0, bar_act, (user_no[]){w.young, fellow}, &e));
    stream_pos before = last_told(fellow);
    claimed(w.admin, parent);
    assert_int_equal(last_told(fellow), before);
}

/* Some days later it holds; if nobody could be told of it, it does not. */
static void j4_a_claim_holds_unconfirmed_once_it_was_told(void **state)
{
    struct error e;
    struct link_row link = claimed(w.admin, parent); /* the class teacher was */
    waits(parent, w.young, true);
    assert_true(world_run(&w, 0, passes_act, &link.no, &e));
    waits(parent, w.young, false);
    assert_false(world_run(&w, w.class_teacher, undo_act, &link.no, &e)); /* it is theirs */
    assert_int_equal(e.code, ERROR_NOT_FOUND);
    link = claimed(w.admin, w.small); /* of a class without a teacher */
    assert_int_equal(link.claim_until_ms, CLAIM_EVER);
    assert_true(world_run(&w, second_admin, confirm_act, &link.no, &e));
}

static void j4_the_office_takes_a_false_claim_back(void **state)
{
    struct error e;
    struct user_row row;
    struct link_row link = claimed(w.admin, parent);
    assert_false(world_run(&w, w.class_teacher, undo_act, &link.no, &e));
    assert_string_equal(world_rule(&e), "A4");
    assert_true(world_run(&w, w.admin, undo_act, &link.no, &e)); /* of whom the person asks; who gains nothing by it */
    assert_true(users_get(w.f.db, parent, &row));
    assert_null(row.password_hash);
    user_row_finish(&row);
    claimed(w.admin, parent); /* by a new one, and it waits anew */
    waits(parent, w.young, true);
}

static void j2_j4_claims_are_in_the_log(void **state)
{
    struct error e;
    struct text log = TEXT_INIT;
    struct link_row one = claimed(w.admin, parent), other = claimed(w.admin, fellow);
    assert_true(world_run(&w, second_admin, confirm_act, &one.no, &e));
    assert_true(world_run(&w, second_admin, undo_act, &other.no, &e));
    assert_true(audit_export(w.f.db, &w.f.key, "school.example", w.school, NULL, &log));
    for (size_t i = 0; i < 3; ++i)
        assert_non_null(strstr(log.data, (const char *[]){"signup.claim", "claim.confirm", "claim.undo"}[i]));
    text_finish(&log);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(j4_who_makes_which_credential_for_whom),
        TEST(j4_an_unconfirmed_claim_does_nothing_that_lasts),
        TEST(j4_who_confirms),
        TEST(j4_two_links_of_one_issuer_do_not_confirm_each_other),
        TEST(j4_a_claim_is_told_to_those_who_would_know_better),
        TEST(j4_d9_a_separate_guardian_is_not_told),
        TEST(j4_a_claim_holds_unconfirmed_once_it_was_told),
        TEST(j4_the_office_takes_a_false_claim_back),
        TEST(j2_j4_claims_are_in_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
