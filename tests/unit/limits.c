/* Token buckets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/http/limits.h"

static const struct limit CLASSES[RATE__COUNT] = {
    [RATE_MESSAGE] = {.per_second = 2, .burst = 3},
    [RATE_LOGIN] = {.per_second = 1, .burst = 1},
};

static int make(void **state)
{
    *state = limits_create(CLASSES, 1024);
    return 0;
}

static int unmake(void **state)
{
    limits_destroy(*state);
    return 0;
}

static void a_bucket_empties_and_fills(void **state)
{
    static const struct {
        int64_t at_ms;
        bool passes;
    } STEPS[] = {{0, true},     {0, true},      {0, true},     {0, false},    {499, false},  {500, true},
                 {500, false},  {1500, true},   {1500, true},  {1500, false}, {90000, true}, {90000, true},
                 {90000, true}, {90000, false}, {80000, false} /* time does not run backwards */};
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; ++i)
        assert_int_equal(limits_take(*state, RATE_MESSAGE, 5, "192.0.2.1", 0, STEPS[i].at_ms) == 0, STEPS[i].passes);
}

static void the_wait_is_long_enough(void **state)
{
    for (int i = 0; i < 3; ++i)
        assert_int_equal(limits_take(*state, RATE_MESSAGE, 5, "", 0, 1000), 0);
    int64_t wait_ms = limits_take(*state, RATE_MESSAGE, 5, "", 0, 1000);
    assert_in_range(wait_ms, 499, 502);
    assert_int_equal(limits_take(*state, RATE_MESSAGE, 5, "", 0, 1000 + wait_ms), 0);
}

/* What is kept for good counts by its size, and nothing is so large that it never passes. */
static void long_messages_count_for_several(void **state)
{
    static const struct {
        enum rate_class rate;
        size_t bytes;
        int pass; /* of three tokens */
    } CASES[] = {
        {RATE_MESSAGE, 0, 3},    {RATE_MESSAGE, 4095, 3},    {RATE_MESSAGE, 4096, 1},
        {RATE_MESSAGE, 8192, 1}, {RATE_MESSAGE, 1 << 20, 1},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        int passed = 0;
        for (int n = 0; n < 5; ++n)
            passed += limits_take(*state, CASES[i].rate, 100 + (user_no)i, "", CASES[i].bytes, 1000) == 0;
        assert_int_equal(passed, CASES[i].pass);
    }
    int64_t wait_ms = limits_take(*state, RATE_MESSAGE, 200, "", 8192, 1000);
    assert_int_equal(wait_ms, 0);
    wait_ms = limits_take(*state, RATE_MESSAGE, 200, "", 8192, 1000);
    assert_in_range(wait_ms, 1499, 1502); /* three at two a second */
    assert_int_equal(limits_take(*state, RATE_MESSAGE, 200, "", 8192, 1000 + wait_ms), 0);
}

static void keys_are_told_apart(void **state)
{
    static const struct {
        enum rate_class rate;
        user_no user;
        const char *ip;
        bool passes;
    } STEPS[] = {
        {RATE_LOGIN, 0, "192.0.2.1", true},      {RATE_LOGIN, 0, "192.0.2.1", false},
        {RATE_LOGIN, 7, "192.0.2.1", false}, /* sign-ins count by address */
        {RATE_LOGIN, 0, "192.0.2.2", true},      {RATE_LOGIN, 0, "::ffff:192.0.2.2", false},
        {RATE_LOGIN, 0, "2001:db8::1", true},    {RATE_LOGIN, 0, "2001:db8::2", false}, /* one household */
        {RATE_LOGIN, 0, "2001:db8:0:1::", true}, {RATE_MESSAGE, 0, "192.0.2.1", true},  /* another class */
        {RATE_MESSAGE, 7, "192.0.2.1", true},
    };
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; ++i)
        assert_int_equal(limits_take(*state, STEPS[i].rate, STEPS[i].user, STEPS[i].ip, 0, 1000) == 0, STEPS[i].passes);
    assert_int_equal(limits_take_key(*state, RATE_LOGIN, "anna", 1000), 0);
    assert_int_not_equal(limits_take_key(*state, RATE_LOGIN, "anna", 1000), 0);
    assert_int_equal(limits_take_key(*state, RATE_LOGIN, "boris", 1000), 0);
}

static void what_is_off_is_off(void **state)
{
    for (int i = 0; i < 100; ++i) {
        assert_int_equal(limits_take(*state, RATE_NONE, 1, "", 0, 0), 0);
        assert_int_equal(limits_take(*state, RATE_READ, 1, "", 0, 0), 0);
        assert_int_equal(limits_take(NULL, RATE_MESSAGE, 1, "", 0, 0), 0);
        assert_int_equal(limits_take_key(NULL, RATE_MESSAGE, "x", 0), 0);
    }
}

/* Many strangers in a small table do not help the one who overdoes it: the fullest buckets are forgotten first. */
static void the_table_is_bounded(void **state)
{
    struct limits *limits = limits_create(CLASSES, 4);
    char key[32];
    for (int i = 0; i < 3; ++i)
        assert_int_equal(limits_take_key(limits, RATE_MESSAGE, "greedy", 0), 0);
    for (int i = 0; i < 1000; ++i) {
        snprintf(key, sizeof key, "stranger %d", i);
        assert_int_equal(limits_take_key(limits, RATE_MESSAGE, key, 0), 0);
        assert_int_not_equal(limits_take_key(limits, RATE_MESSAGE, "greedy", 0), 0);
    }
    limits_destroy(limits);
    limits_destroy(NULL);
}

/* ---- turns */

#define PEOPLE 500

static const struct limit MORNING[RATE__COUNT] = {[RATE_LOGIN] = {.per_second = 5, .burst = 200}};

/* Five hundred sign in within a second behind one address, and each comes back when they were told to. late_ms: how
 * late they are at most; a header in whole seconds makes them so. impatient: so many others who ask every 50 ms for ten
 * seconds. Returns the most tries of one of them; *all: of all. */
static int sign_in(int late_ms, int impatient, int *all)
{
    struct limits *limits = limits_create(MORNING, 1024);
    int64_t at_ms[PEOPLE], last_ms = 0;
    int tries[PEOPLE] = {0}, left = PEOPLE, most = 0;
    *all = 0;
    for (int i = 0; i < PEOPLE; ++i)
        at_ms[i] = i * 2;
    for (int64_t now_ms = 0; left > 0; ++now_ms) {
        for (int i = 0; i < impatient && now_ms % 50 == 0 && now_ms < 10000; ++i)
            limits_take(limits, RATE_LOGIN, 0, "192.0.2.1", 0, now_ms);
        for (int i = 0; i < PEOPLE; ++i) {
            if (at_ms[i] != now_ms)
                continue;
            int64_t wait_ms = limits_take(limits, RATE_LOGIN, 0, "192.0.2.1", 0, now_ms);
            most = ++tries[i] > most ? tries[i] : most;
            ++*all;
            left -= wait_ms == 0;
            at_ms[i] = wait_ms == 0 ? -1 : now_ms + wait_ms + (late_ms > 0 ? i * 37 % late_ms : 0);
            last_ms = now_ms;
        }
        assert_true(now_ms < 600000);
    }
    assert_in_range(last_ms, 58000, impatient > 0 ? 200000 : 64000); /* 300 wait for five a second: nothing is lost */
    limits_destroy(limits);
    return most;
}

static void each_is_told_a_turn_of_their_own(void **state)
{
    int all, most;
    for (int late_ms = 0; late_ms <= 1000; late_ms += 500) {
        most = sign_in(late_ms, 0, &all);
        assert_in_range(most, 2, 4);
        assert_in_range(all, PEOPLE, 2 * PEOPLE);
    }
    most = sign_in(1000, 10, &all);
    assert_in_range(most, 2, 12);
    assert_in_range(all, PEOPLE, 4 * PEOPLE);
}

/* What somebody was told binds nobody else: those who were refused stay away, and who comes finds the token. */
static void nobody_waits_for_those_who_stay_away(void **state)
{
    struct limits *limits = limits_create(MORNING, 1024);
    for (int i = 0; i < 600; ++i)
        limits_take(limits, RATE_LOGIN, 0, "192.0.2.1", 0, 1000);
    for (int i = 1; i < 20; ++i)
        assert_int_equal(limits_take(limits, RATE_LOGIN, 0, "192.0.2.1", 0, 1000 + 200 * i), 0);
    assert_in_range(limits_take(limits, RATE_LOGIN, 0, "192.0.2.1", 0, 4801), 1, 82000);
    assert_in_range(limits_take(limits, RATE_LOGIN, 0, "192.0.2.1", 0, 200000), 0, 0);
    for (int i = 0; i < 199; ++i)
        assert_int_equal(limits_take(limits, RATE_LOGIN, 0, "192.0.2.1", 0, 200000), 0);
    assert_in_range(limits_take(limits, RATE_LOGIN, 0, "192.0.2.1", 0, 200000), 199, 201); /* long forgotten */
    limits_destroy(limits);
}

/* However often somebody asks, nobody is sent away for longer than the bucket needs to fill twice. */
static void turns_are_bounded(void **state)
{
    struct limits *limits = limits_create(MORNING, 1024);
    int64_t most_ms = 0;
    for (int i = 0; i < 10000; ++i) {
        int64_t wait_ms = limits_take(limits, RATE_LOGIN, 0, "192.0.2.1", 0, 0);
        most_ms = wait_ms > most_ms ? wait_ms : most_ms;
    }
    assert_in_range(most_ms, 79000, 81000);
    limits_destroy(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_bucket_empties_and_fills, make, unmake),
        cmocka_unit_test_setup_teardown(the_wait_is_long_enough, make, unmake),
        cmocka_unit_test_setup_teardown(long_messages_count_for_several, make, unmake),
        cmocka_unit_test_setup_teardown(keys_are_told_apart, make, unmake),
        cmocka_unit_test_setup_teardown(what_is_off_is_off, make, unmake),
        cmocka_unit_test(the_table_is_bounded),
        cmocka_unit_test(each_is_told_a_turn_of_their_own),
        cmocka_unit_test(nobody_waits_for_those_who_stay_away),
        cmocka_unit_test(turns_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
