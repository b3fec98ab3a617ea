/* Attempts to sign in at a provider: what state is bound to, that it is taken once, and what follows from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/oidc/attempt.h"

#define NOW 1800000000

static const unsigned char KEY[BLAKE2B_BYTES] = {1, 2, 3}, OTHER_KEY[BLAKE2B_BYTES] = {3, 2, 1};
static const struct oidc_attempt_of OF = {KEY, "diary", "visit-1"};

static int start(void **state)
{
    return crypto_start() ? 0 : 1;
}

static bool holds(const struct oidc_attempt_of *of, const char *attempt, int64_t now_s)
{
    struct text next = TEXT_INIT;
    bool good = oidc_attempt_holds(of, attempt, now_s, &next);
    assert_true(good || next.len == 0);
    text_finish(&next);
    return good;
}

static void an_attempt_is_of_its_browser_provider_key_and_time(void **state)
{
    static const struct {
        struct oidc_attempt_of of;
        int64_t later_s;
        bool holds;
    } CASES[] = {
        {{KEY, "diary", "visit-1"}, 0, true},
        {{KEY, "diary", "visit-1"}, OIDC_ATTEMPT_LIFETIME_S - 1, true},
        {{KEY, "diary", "visit-1"}, OIDC_ATTEMPT_LIFETIME_S, false},
        {{KEY, "diary", "visit-2"}, 0, false},
        {{KEY, "diary", ""}, 0, false},
        {{KEY, "other", "visit-1"}, 0, false},
        {{KEY, "diar", "yvisit-1"}, 0, false},
        {{OTHER_KEY, "diary", "visit-1"}, 0, false},
    };
    struct text attempt = TEXT_INIT;
    oidc_attempt_begin(&OF, "/parta/account", NOW, &attempt);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        assert_int_equal(holds(&CASES[i].of, attempt.data, NOW + CASES[i].later_s), CASES[i].holds);
    text_finish(&attempt);
}

static void where_it_goes_next_comes_back_as_it_was(void **state)
{
    char longest[OIDC_ATTEMPT_NEXT_MAX + 1];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const char *const NEXT[] = {"/parta/account", "", "/a.b?c=%20&d=.", "/\xd0\xb6", longest};
    for (size_t i = 0; i < sizeof NEXT / sizeof *NEXT; ++i) {
        struct text attempt = TEXT_INIT, next = TEXT_INIT;
        oidc_attempt_begin(&OF, NEXT[i], NOW, &attempt);
        assert_int_equal(strspn(attempt.data, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
                         attempt.len);
        assert_true(oidc_attempt_holds(&OF, attempt.data, NOW, &next));
        assert_int_equal(next.len, strlen(NEXT[i]));
        assert_true(next.len == 0 || strcmp(next.data, NEXT[i]) == 0);
        text_finish(&attempt);
        text_finish(&next);
    }
}

static void a_changed_attempt_is_none(void **state)
{
    static const char *const OTHER[] = {"", "_", "__", "___", "9999999999_a_b_c", "9999999999", "\xd0\xb6"};
    struct text attempt = TEXT_INIT;
    oidc_attempt_begin(&OF, "/parta/account", NOW, &attempt);
    for (size_t i = 0; i < attempt.len; ++i) {
        char was = attempt.data[i];
        attempt.data[i] = was == 'A' ? 'B' : 'A';
        if (holds(&OF, attempt.data, NOW))
            fail_msg("character %zu does not count", i);
        attempt.data[i] = was;
    }
    for (size_t len = 0; len < attempt.len; ++len) {
        char *cut = xstrndup(attempt.data, len);
        assert_false(holds(&OF, cut, NOW));
        free(cut);
    }
    for (size_t i = 0; i < sizeof OTHER / sizeof *OTHER; ++i)
        assert_false(holds(&OF, OTHER[i], NOW));
    text_finish(&attempt);
}

/* Two tabs of one browser are two attempts; nonce and verifier follow from each, and from nothing
 * that is in an address. */
static void values_follow_from_the_attempt_and_the_visit(void **state)
{
    struct text one = TEXT_INIT, two = TEXT_INIT;
    struct oidc_attempt_values a, again, b, elsewhere;
    const struct oidc_attempt_of other = {KEY, "diary", "visit-2"};
    oidc_attempt_begin(&OF, "/x", NOW, &one);
    oidc_attempt_begin(&OF, "/x", NOW, &two);
    assert_string_not_equal(one.data, two.data);
    oidc_attempt_values(&OF, one.data, &a);
    oidc_attempt_values(&OF, one.data, &again);
    oidc_attempt_values(&OF, two.data, &b);
    oidc_attempt_values(&other, one.data, &elsewhere);
    assert_memory_equal(&a, &again, sizeof a);
    assert_string_not_equal(a.nonce, a.verifier);
    assert_string_not_equal(a.nonce, b.nonce);
    assert_string_not_equal(a.verifier, b.verifier);
    assert_string_not_equal(a.verifier, elsewhere.verifier);
    assert_int_equal(strlen(a.verifier), OIDC_VALUE_CHARS); /* RFC 7636, 4.1: 43 at least */
    unsigned char hash[SHA256_BYTES], shown[SHA256_BYTES];
    sha256(a.verifier, OIDC_VALUE_CHARS, hash);
    assert_int_equal(base64_decode(a.challenge, strlen(a.challenge), shown, sizeof shown), SHA256_BYTES);
    assert_memory_equal(hash, shown, sizeof hash);
    text_finish(&one);
    text_finish(&two);
}

static void an_attempt_is_taken_once_and_memory_is_bounded(void **state)
{
    struct oidc_taken *taken = oidc_taken_create();
    assert_true(oidc_taken_put(taken, "a", NOW));
    assert_false(oidc_taken_put(taken, "a", NOW));
    assert_false(oidc_taken_put(taken, "a", NOW + OIDC_ATTEMPT_LIFETIME_S - 1));
    assert_true(oidc_taken_put(taken, "b", NOW + 1));
    int n = 2;
    for (char name[16]; n < 20000; ++n) {
        snprintf(name, sizeof name, "%d", n);
        if (!oidc_taken_put(taken, name, NOW + 1))
            break;
    }
    assert_int_equal(n, 16384);
    assert_false(oidc_taken_put(taken, "b", NOW + 1)); /* nothing was pushed out */
    assert_true(oidc_taken_put(taken, "c", NOW + 1 + OIDC_ATTEMPT_LIFETIME_S));
    oidc_taken_destroy(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_is_of_its_browser_provider_key_and_time),
        cmocka_unit_test(where_it_goes_next_comes_back_as_it_was),
        cmocka_unit_test(a_changed_attempt_is_none),
        cmocka_unit_test(values_follow_from_the_attempt_and_the_visit),
        cmocka_unit_test(an_attempt_is_taken_once_and_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
