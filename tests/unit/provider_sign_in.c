/* Who somebody is whom a provider has named (school.md C1a): known, of the records, or new; linked and unlinked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/matrix/identities.h"
#include "homeserver/store/matrix/page_sessions.h"
#include "homeserver/store/matrix/second_factors.h"
#include "homeserver/store/school/people.h"
#include "policy/signup/provider_sign_in.h"
#include "tests/unit/signup_world.h"

#define DIARY "https://diary.example"
#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct world w;

static int setup(void **state)
{
    world_start(&w);
    return 0;
}

static int teardown(void **state)
{
    world_stop(&w);
    return 0;
}

/* Of school s1 the provider says that the subject is person; of s2 it speaks, too, if both. */
static bool comes_of(const char *subject, const char *person, bool both, struct arrival *out, struct error *e)
{
    const struct provider_record records[] = {{"s1", person}, {"s2", NULL}};
    const struct provider_arrival who = {
        .identity = {DIARY, subject}, .provider = "diary", .records = records, .n_records = both ? 2 : 1};
    const struct device_wish wish = {.page = true};
    *e = (struct error){0};
    bool done = provider_sign_in(&w.signing_up, w.f.db, &who, &wish, out, e);
    login_result_finish(&out->login);
    return done;
}

static bool comes(const char *subject, struct arrival *out, struct error *e)
{
    return comes_of(subject, NULL, false, out, e);
}

static user_no owner(const char *subject)
{
    return identities_owner(w.f.db, &(struct identity_of){DIARY, subject});
}

static bool job_state(struct changing_records *c, void *arg)
{
    const struct user_row *row = arg;
    fixture_acts(c->tx);
    return users_set_state(c->tx, row->no, row->state);
}

static void set_state(user_no user, enum account_state state)
{
    assert_true(world_run(&w, 0, job_state, &(struct user_row){.no = user, .state = state}, NULL));
}

static bool act_apply(struct changing_records *c, void *token)
{
    const struct applicant person = {"Nina", "Newcomer", "", birth_from("2009-01-01"), ""};
    return application_apply(c, NULL, token, &person) != 0;
}

/* C1, the first order: the account by the provider; the class teacher's link comes afterwards. */
static void c1a_a_new_subject_makes_a_pending_account_and_comes_back_to_it(void **state)
{
    struct arrival first, again, other;
    struct error e;
    assert_true(comes("s-1", &first, &e));
    assert_int_equal(first.kind, ARRIVAL_NEW);
    assert_string_equal(world_account_state(&w, first.user), "pending");
    assert_int_equal(page_sessions_count(w.f.db, first.user, clock_wall_ms()), 1);
    assert_true(comes("s-1", &again, &e));
    assert_int_equal(again.kind, ARRIVAL_KNOWN);
    assert_int_equal(again.user, first.user);
    assert_true(comes("s-2", &other, &e));
    assert_int_not_equal(other.user, first.user);

    struct link_made link;
    assert_true(world_link(&w, w.class_teacher,
                           (struct link_wish){.kind = LINK_CLASS, .class = w.fifth, .role = ROLE_PUPIL}, &link, &e));
    assert_true(world_run(&w, first.user, act_apply, link.token, &e));
    if (!world_approve(&w, w.admin, world_application(&w, first.user), &e))
        fail_msg("%s", error_sentence(&e));
    assert_string_equal(world_account_state(&w, first.user), "active");
    assert_true(comes("s-1", &again, &e));
    assert_int_equal(again.user, first.user);
}

static void c1a_the_record_that_the_subject_names_is_theirs(void **state)
{
    struct arrival arrival;
    struct error e;
    char *id = people_sourced_id(w.f.db, w.old);
    assert_true(comes_of("s-1", id, false, &arrival, &e));
    assert_int_equal(arrival.kind, ARRIVAL_CLAIMED);
    assert_int_equal(arrival.user, w.old);
    assert_int_equal(owner("s-1"), w.old);
    assert_true(comes("s-1", &arrival, &e)); /* whatever it says of records later */
    assert_int_equal(arrival.user, w.old);
    /* Who is there is there: nobody else comes by the record, and no link to it is made any more. */
    struct link_made link;
    assert_false(comes_of("s-2", id, false, &arrival, &e));
    assert_string_equal(world_rule(&e), "C2");
    assert_int_equal(owner("s-2"), 0);
    assert_false(world_link(&w, w.admin, (struct link_wish){.kind = LINK_PERSONAL, .person = w.old}, &link, &e));
    free(id);
}

/* The other way round: a link was made while nobody had the account; the provider was first. */
static void c1a_a_personal_link_opens_nothing_that_a_provider_has_opened(void **state)
{
    struct arrival arrival;
    struct error e;
    struct link_made link;
    char *id = people_sourced_id(w.f.db, w.old);
    assert_true(world_link(&w, w.admin, (struct link_wish){.kind = LINK_PERSONAL, .person = w.old}, &link, &e));
    assert_true(comes_of("s-1", id, false, &arrival, &e));
    assert_int_equal(world_signs_up(&w, link.token, "Olya", &e), 0);
    assert_string_equal(world_rule(&e), "C2");
    free(id);
}

static bool act_role(struct changing_records *c, void *arg)
{
    return change_role(c, arg);
}

static void c1a_no_other_record_is_anybodys(void **state)
{
    struct error e;
    struct arrival arrival;
    char *of_other = people_sourced_id(w.f.db, w.other_admin), *of_old = people_sourced_id(w.f.db, w.old);
    user_no both = world_person(&w, (struct world_person){"Boris", "Both", NULL, w.school, ROLE_TEACHER});
    struct role_row elsewhere = {
        .user = both, .school = w.other_school, .role = ROLE_HEAD, .begin = DAY_EVER, .end = DAY_NEVER};
    assert_true(world_run(&w, 0, act_role, &elsewhere, NULL));
    char *of_both = people_sourced_id(w.f.db, both);
    const struct {
        const char *what, *person;
        bool both;
    } NOBODYS[] = {
        {"of another school, by a school that the provider speaks for", of_other, false},
        {"of the staff of a school that it does not speak for", of_both, false},
        {"nobody's", "no-such-id", false},
        {"nothing", "", false},
    };
    for (size_t i = 0; i < COUNT(NOBODYS); ++i) {
        char subject[16];
        snprintf(subject, sizeof subject, "n-%zu", i);
        if (!comes_of(subject, NOBODYS[i].person, NOBODYS[i].both, &arrival, &e) || arrival.kind != ARRIVAL_NEW)
            fail_msg("%s", NOBODYS[i].what);
    }
    assert_true(comes_of("s-both", of_both, true, &arrival, &e)); /* of both it does */
    assert_int_equal(arrival.user, both);
    set_state(w.old, ACCOUNT_SUSPENDED); /* the office has stopped who never came */
    assert_false(comes_of("s-old", of_old, false, &arrival, &e));
    assert_string_equal(world_rule(&e), "C2");
    free(of_other);
    free(of_old);
    free(of_both);
}

static void a3_whoever_is_stopped_stays_so(void **state)
{
    static const struct {
        enum account_state state;
        bool enters;
    } CASES[] = {{ACCOUNT_PENDING, true}, {ACCOUNT_SUSPENDED, true}, {ACCOUNT_LOCKED, false}, {ACCOUNT_LEFT, false}};
    struct arrival arrival;
    struct error e;
    assert_true(comes("s-1", &arrival, &e));
    user_no user = arrival.user;
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        set_state(user, CASES[i].state);
        int64_t before = page_sessions_count(w.f.db, user, clock_wall_ms());
        assert_int_equal(comes("s-1", &arrival, &e), CASES[i].enters);
        assert_int_equal(page_sessions_count(w.f.db, user, clock_wall_ms()), before + CASES[i].enters);
        assert_string_equal(world_account_state(&w, user), account_state_name(CASES[i].state));
        assert_int_equal(owner("s-1"), user);
    }
}

static void who_may_come_at_all_is_said_by_registration_mode(void **state)
{
    static const struct {
        const char *settings, *makes; /* NULL: nothing */
    } CASES[] = {
        {"registration: {mode: closed}\n", NULL},
        {"registration: {mode: token}\n", "pending"},
        {"registration: {mode: open}\n", "pending"},
        {"registration: {mode: token}\npolicy: {mode: open}\n", NULL},
        {"registration: {mode: open}\npolicy: {mode: open}\n", "active"},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct arrival arrival;
        struct error e;
        char subject[16];
        snprintf(subject, sizeof subject, "m-%zu", i);
        world_accounts(&w, CASES[i].settings);
        if (comes(subject, &arrival, &e) != (CASES[i].makes != NULL))
            fail_msg("%s", CASES[i].settings);
        if (CASES[i].makes != NULL)
            assert_string_equal(world_account_state(&w, arrival.user), CASES[i].makes);
        assert_int_equal(owner(subject), arrival.user);
    }
    /* Closed makes no account, and hinders nobody who has one in the records. */
    struct arrival arrival;
    struct error e;
    char *id = people_sourced_id(w.f.db, w.old);
    world_accounts(&w, "registration: {mode: closed}\n");
    assert_true(comes_of("s-old", id, false, &arrival, &e));
    assert_int_equal(arrival.user, w.old);
    free(id);
}

static bool job_factor(struct changing_records *c, void *arg)
{
    fixture_acts(c->tx);
    const struct second_factor_row row = {.set_ms = 1, .last_step = -1};
    return second_factors_set(c->tx, *(user_no *)arg, &row);
}

static void h1_a_second_factor_is_asked_for_as_after_a_password(void **state)
{
    struct arrival arrival;
    struct error e;
    assert_true(comes("s-1", &arrival, &e));
    user_no user = arrival.user;
    assert_true(world_run(&w, 0, job_factor, &user, NULL));
    assert_true(comes("s-1", &arrival, &e));
    assert_true(arrival.wants_factor);
    assert_int_equal(page_sessions_count(w.f.db, user, clock_wall_ms()), 1); /* the one of before */
}

static void c5_linked_and_unlinked_by_its_owner_alone(void **state)
{
    struct arrival mine, theirs;
    struct error e;
    assert_true(comes("s-1", &mine, &e));
    assert_true(comes("s-2", &theirs, &e));
    const struct identity_of other = {"https://id.example", "9"}, taken = {DIARY, "s-2"};
    assert_true(provider_link(w.accounts, mine.user, &other, &e));
    assert_true(provider_link(w.accounts, mine.user, &other, &e)); /* twice is once */
    assert_int_equal(identities_count(w.f.db, mine.user), 2);
    assert_false(provider_link(w.accounts, mine.user, &taken, &e));
    assert_int_equal(e.code, ERROR_CONFLICT);
    assert_int_equal(owner("s-2"), theirs.user);
    assert_true(provider_unlink(w.accounts, mine.user, DIARY, &e));
    assert_int_equal(owner("s-1"), 0);
    assert_false(provider_unlink(w.accounts, mine.user, other.issuer, &e)); /* nobody shuts themselves out */
    assert_int_equal(identities_count(w.f.db, mine.user), 1);
}

static void j5_so_many_and_no_more(void **state)
{
    struct arrival arrival;
    struct error e = {0};
    assert_true(comes("s-0", &arrival, &e));
    int64_t n = 1;
    for (char subject[16]; n <= bound_most(BOUND_IDENTITIES); ++n) {
        snprintf(subject, sizeof subject, "s-%d", (int)n);
        if (!provider_link(w.accounts, arrival.user, &(struct identity_of){DIARY, subject}, &e))
            break;
    }
    assert_int_equal(n, bound_most(BOUND_IDENTITIES));
    assert_int_equal(e.code, ERROR_BOUND);
    assert_int_equal(identities_count(w.f.db, arrival.user), bound_most(BOUND_IDENTITIES));
}

/* A half must not stay: whichever statement fails, there is the whole or nothing. */
static void a_failing_database_makes_nothing(void **state)
{
    struct arrival arrival;
    struct error e;
    char *id = people_sourced_id(w.f.db, w.old);
    int64_t before = users_count(w.f.db);
    for (int n = 1; owner("s-1") == 0; ++n) {
        assert_true(n < 400);
        db_fail_after(writer_db_for_tests(w.f.writer), n);
        bool done = comes_of("s-1", id, false, &arrival, &e);
        db_fail_after(writer_db_for_tests(w.f.writer), 0);
        assert_int_equal(done, owner("s-1") != 0);
        assert_int_equal(users_count(w.f.db), before);
    }
    free(id);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(c1a_a_new_subject_makes_a_pending_account_and_comes_back_to_it),
        TEST(c1a_the_record_that_the_subject_names_is_theirs),
        TEST(c1a_a_personal_link_opens_nothing_that_a_provider_has_opened),
        TEST(c1a_no_other_record_is_anybodys),
        TEST(a3_whoever_is_stopped_stays_so),
        TEST(who_may_come_at_all_is_said_by_registration_mode),
        TEST(h1_a_second_factor_is_asked_for_as_after_a_password),
        TEST(c5_linked_and_unlinked_by_its_owner_alone),
        TEST(j5_so_many_and_no_more),
        TEST(a_failing_database_makes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
