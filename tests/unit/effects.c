/* The effect is what is gated (school.md A1, J3, J4): for every act that brings one about, every kind of actor and
 * every kind of person concerned, the answers agree. Each attempt is a job that is thrown away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/viewer.h"
#include "policy/audit/audit.h"
#include "tests/unit/account_acts.h"

/* A teacher of one school; one of another; of both as teacher and guardian; a guardian in both; and the administrator
 * of both. */
enum who { HERE, THERE, TEACHER_THERE, FAMILY_BOTH, PEOPLE };
static user_no them[PEOPLE], both_admin, child_there;

static bool role_act(struct changing_records *c, void *arg)
{
    return change_role(c, arg);
}

static void gets_role(user_no user, school_no school, enum school_role role)
{
    struct error e;
    struct role_row row = {.user = user, .school = school, .role = role, .begin = DAY_EVER, .end = DAY_NEVER};
    if (!world_run(&w, 0, role_act, &row, &e))
        fail_msg("%s", error_sentence(&e));
}

static bool class_act(struct changing_records *c, void *arg)
{
    return (*(class_no *)arg = change_class(
                c,
                &(struct class_row){
                    .sourced_id = "x5", .grade = "5", .title = "5X", .school = w.other_school, .homeroom = true},
                0)) != 0;
}

static int setup(void **state)
{
    class_no there = 0;
    world_start(&w);
    assert_true(world_run(&w, 0, class_act, &there, NULL));
    child_there =
        world_person(&w, (struct world_person){"Chad", "There", "2010-01-01", w.other_school, 0, there, ROLE_PUPIL});
    them[HERE] = world_person(&w, (struct world_person){"Hera", "Here", NULL, w.school, ROLE_TEACHER});
    them[THERE] = world_person(&w, (struct world_person){"Tessa", "There", NULL, w.other_school, ROLE_TEACHER});
    them[TEACHER_THERE] = world_person(&w, (struct world_person){"Bo", "Both", NULL, w.other_school, ROLE_TEACHER});
    them[FAMILY_BOTH] = world_person(&w, (struct world_person){"Fay", "Family", NULL, w.school, ROLE_STAFF});
    world_guardian(&w, w.old, them[TEACHER_THERE]);
    world_guardian(&w, w.young, them[FAMILY_BOTH]);
    world_guardian(&w, child_there, them[FAMILY_BOTH]);
    both_admin = world_person(&w, (struct world_person){"Ada", "All", NULL, w.school, ROLE_ADMINISTRATOR});
    gets_role(both_admin, w.other_school, ROLE_ADMINISTRATOR);
    return 0;
}

static int teardown(void **state)
{
    world_stop(&w);
    return 0;
}

/* --- Acts that reach a whole account --- */

static const struct act_route {
    const char *name;
    bool (*act)(struct changing_records *c, user_no user);
    unsigned scopes;
} WHOLE[] = {
    {"standing", locks, SCOPE_ACCOUNTS},     {"enabled", locks_by_record, SCOPE_ACCOUNTS | SCOPE_RECORDS},
    {"name", renames, SCOPE_RECORDS},        {"birth date", corrects_birth, SCOPE_RECORDS},
    {"sessions", signs_out, SCOPE_ACCOUNTS}, {"erasure", erases, SCOPE_ACCOUNTS},
    {"export", exports, SCOPE_ACCOUNTS},     {"personal link", hands_out, SCOPE_RECORDS | SCOPE_ACCOUNTS},
};

struct attempt {
    const struct act_route *route;
    user_no target;
    bool allowed;
};

/* Thrown away: what was allowed must not change what is asked next. */
static bool attempt_act(struct changing_records *c, void *arg)
{
    struct attempt *attempt = arg;
    attempt->allowed = attempt->route->act(c, attempt->target);
    return false;
}

static bool attempts(const struct actor *actor, const struct act_route *route, user_no target, struct error *e)
{
    struct attempt attempt = {route, target, false};
    struct world_job job = {&w, actor, attempt_act, &attempt};
    *e = (struct error){0};
    writer_run(w.f.writer, world_job, &job, e);
    return attempt.allowed;
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void a1_j3_what_reaches_a_whole_account_is_answered_alike_by_every_act(void **state)
{
    const struct {
        const char *name;
        user_no user;
        unsigned may; /* bits of enum who */
    } ACTORS[] = {
        {"administrator here", w.admin, 1u << HERE},
        {"administrator there", w.other_admin, 1u << THERE},
        {"administrator of both", both_admin, (1u << PEOPLE) - 1},
        {"class teacher", w.class_teacher, 0},
        {"colleague", w.teacher, 0},
        {"pupil", w.old, 0},
        {"guardian", them[TEACHER_THERE], 0},
    };
    for (size_t i = 0; i < COUNT(ACTORS); ++i)
        for (int who = 0; who < PEOPLE; ++who)
            for (size_t r = 0; r < COUNT(WHOLE); ++r) {
                struct error e;
                const struct actor actor = {
                    .user = ACTORS[i].user, .name = "@somebody:school.example", .override_ = "because I say so"};
                bool may = (ACTORS[i].may >> who & 1) != 0;
                if (ACTORS[i].user == them[who] && WHOLE[r].scopes == SCOPE_ACCOUNTS)
                    continue; /* one's own sessions and data */
                if (attempts(&actor, &WHOLE[r], them[who], &e) != may)
                    fail_msg("%s, %s of %d: %s", ACTORS[i].name, WHOLE[r].name, who,
                             may ? error_sentence(&e) : "allowed");
                if (!may)
                    assert_null(strstr(error_sentence(&e), "school 2"));
            }
}

static void j3_an_operators_scope_is_of_the_effect(void **state)
{
    static const unsigned SCOPES[] = {SCOPE_READ,     SCOPE_RECORDS,
                                      SCOPE_ACCOUNTS, SCOPE_RECORDS | SCOPE_ACCOUNTS,
                                      SCOPE_IMPORT,   SCOPE_POLICY | SCOPE_REPORTS | SCOPE_AUDIT,
                                      SCOPE_ALL};
    for (size_t i = 0; i < COUNT(SCOPES); ++i)
        for (size_t r = 0; r < COUNT(WHOLE); ++r) {
            struct error e;
            const struct actor actor = {
                .name = "operator:region", .scopes = SCOPES[i], .override_ = "because I say so"};
            bool may = (SCOPES[i] & WHOLE[r].scopes) == WHOLE[r].scopes;
            if (attempts(&actor, &WHOLE[r], them[HERE], &e) != may)
                fail_msg("scopes %u, %s", SCOPES[i], WHOLE[r].name);
        }
}

/* --- What stays in a school --- */

static bool leaves_act(struct changing_records *c, void *arg)
{
    return change_leave_school(c, *(user_no *)arg, w.school);
}

static void a1_what_stays_in_a_school_touches_no_other(void **state)
{
    struct error e;
    user_no user = world_person(&w, (struct world_person){"Lea", "Leaves", NULL, w.other_school, ROLE_TEACHER});
    world_guardian(&w, w.small, user);
    unsigned there = school_roles(w.f.db, w.other_school, user);
    assert_true(world_run(&w, w.admin, leaves_act, &user, &e));
    assert_int_equal(school_roles(w.f.db, w.school, user), 0);
    assert_int_equal(school_roles(w.f.db, w.other_school, user), there);
    assert_string_equal(world_account_state(&w, user), "active");
    assert_false(school_is_guardian(w.f.db, user, w.small));
}

/* The record, too, is what the other school knows; here is told what is here. */
static void a1_another_schools_record_is_not_told(void **state)
{
    const struct viewer here = viewer_of(w.admin), there = viewer_of(w.other_admin), all = viewer_of(0);
    const user_no both = them[TEACHER_THERE];
    assert_false(people_record_known(w.f.db, &here, both));
    assert_true(people_record_known(w.f.db, &all, both));
    assert_true(people_record_known(w.f.db, &here, them[HERE]));
    assert_true(people_record_known(w.f.db, &there, them[THERE]));
    assert_false(people_record_known(w.f.db, &there, them[HERE]));
}

/* --- Families --- */

static bool ends_act(struct changing_records *c, void *arg)
{
    const user_no *pair = arg;
    return change_guardianship_end(c, pair[0], pair[1]);
}

static void c2_d2_nobody_becomes_a_guardian_by_asking_the_office_for_it(void **state)
{
    const user_no others[] = {w.teacher, w.class_teacher, them[TEACHER_THERE], w.old, w.admin};
    for (size_t i = 0; i < COUNT(others); ++i) {
        struct error e;
        assert_false(world_run(&w, others[i], world_guardian_act, (user_no[]){w.small, others[i]}, &e));
        assert_string_equal(world_rule(&e), others[i] == w.admin ? "J4" : others[i] == w.old ? "D2" : "A4");
        assert_false(school_is_guardian(w.f.db, others[i], w.small));
    }
}

static void d7_nobody_ends_anothers_guardianship_but_the_office(void **state)
{
    struct error e;
    user_no second = world_person(&w, (struct world_person){"Sid", "Second", NULL, w.school, ROLE_STAFF});
    world_guardian(&w, w.old, second);
    assert_false(world_run(&w, second, ends_act, (user_no[]){w.old, them[TEACHER_THERE]}, &e));
    assert_string_equal(world_rule(&e), "A4");
    assert_true(school_is_guardian(w.f.db, them[TEACHER_THERE], w.old));
    assert_true(world_run(&w, second, ends_act, (user_no[]){w.old, second}, &e));
    assert_true(world_run(&w, w.admin, ends_act, (user_no[]){w.old, them[TEACHER_THERE]}, &e));
}

/* --- J4: about oneself --- */

static bool takes_post(struct changing_records *c, user_no user)
{
    return change_role(
        c,
        &(struct role_row){.user = user, .school = w.school, .role = ROLE_HEAD, .begin = DAY_EVER, .end = DAY_NEVER});
}

static bool drops_post(struct changing_records *c, user_no user)
{
    return change_role_end(
        c, &(struct role_row){.user = user, .school = w.school, .role = ROLE_ADMINISTRATOR, .begin = DAY_EVER});
}

static bool takes_class(struct changing_records *c, user_no user)
{
    return change_enrollment(
        c, &(struct enrollment_row){
               .class = w.fifth, .user = user, .role = ROLE_CLASS_TEACHER, .begin = DAY_EVER, .end = DAY_NEVER});
}

static void j4_what_one_gives_oneself_needs_a_reason(void **state)
{
    static const struct act_route SELF[] = {
        {"post", takes_post}, {"end", drops_post}, {"class", takes_class}, {"name", renames}, {"age", corrects_birth}};
    for (size_t r = 0; r < COUNT(SELF); ++r) {
        struct error e;
        struct actor actor = {.user = w.admin, .name = "@somebody:school.example"};
        assert_false(attempts(&actor, &SELF[r], w.admin, &e));
        assert_string_equal(world_rule(&e), "J4");
        actor.override_ = "nobody else is here today";
        if (!attempts(&actor, &SELF[r], w.admin, &e))
            fail_msg("%s: %s", SELF[r].name, error_sentence(&e));
        const struct actor other = {.user = both_admin, .name = "@somebody:school.example"};
        if (!attempts(&other, &SELF[r], w.admin, &e))
            fail_msg("%s: %s", SELF[r].name, error_sentence(&e));
    }
}

static void j4_ones_own_account_not_even_with_one(void **state)
{
    static const struct act_route SELF[] = {{"standing", locks}, {"enabled", locks_by_record}};
    for (size_t r = 0; r < COUNT(SELF); ++r) {
        struct error e;
        const struct actor actor = {
            .user = w.admin, .name = "@somebody:school.example", .override_ = "because I say so"};
        assert_false(attempts(&actor, &SELF[r], w.admin, &e));
        assert_string_equal(world_rule(&e), "J4");
    }
}

/* The reason is what the entry says, and none where none was needed. */
static void j2_j4_the_reason_is_in_the_log(void **state)
{
    struct error e;
    struct text before = TEXT_INIT, after = TEXT_INIT;
    const struct actor actor = {
        .user = w.admin, .name = "@somebody:school.example", .override_ = "nobody else is here today"};
    struct role_row row = {
        .user = w.admin, .school = w.school, .role = ROLE_DEPUTY, .begin = DAY_EVER, .end = DAY_NEVER};
    struct world_job job = {&w, &actor, role_act, &row};
    assert_true(audit_export(w.f.db, &w.f.key, "school.example", w.school, NULL, &before));
    assert_true(writer_run(w.f.writer, world_job, &job, &e));
    assert_true(audit_export(w.f.db, &w.f.key, "school.example", w.school, NULL, &after));
    assert_null(before.data != NULL ? strstr(before.data, "nobody else is here") : NULL);
    assert_non_null(strstr(after.data, "nobody else is here"));
    text_finish(&before);
    text_finish(&after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a1_j3_what_reaches_a_whole_account_is_answered_alike_by_every_act),
        cmocka_unit_test(j3_an_operators_scope_is_of_the_effect),
        cmocka_unit_test(a1_another_schools_record_is_not_told),
        cmocka_unit_test(c2_d2_nobody_becomes_a_guardian_by_asking_the_office_for_it),
        cmocka_unit_test(j4_what_one_gives_oneself_needs_a_reason),
        cmocka_unit_test(j4_ones_own_account_not_even_with_one),
        cmocka_unit_test(j2_j4_the_reason_is_in_the_log),
        cmocka_unit_test(d7_nobody_ends_anothers_guardianship_but_the_office),
        cmocka_unit_test(a1_what_stays_in_a_school_touches_no_other),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
