/* Identifiers (Appendices, "Identifier Grammar") and UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/ids.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct id_case {
    const char *id;
    bool valid;
};

static void check(bool (*valid)(const char *s), const struct id_case *cases, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        if (valid(cases[i].id) != cases[i].valid)
            fail_msg("%s: expected %d", cases[i].id, cases[i].valid);
}

static void test_server_names(void **state)
{
    static const struct id_case CASES[] = {
        {"matrix.org", true},
        {"matrix.org:8888", true},
        {"1.2.3.4", true},
        {"1.2.3.4:1234", true},
        {"[1234:5678::abcd]", true},
        {"[1234:5678::abcd]:5678", true},
        {"a", true},
        {"SCHOOL-1.example", true},
        {"", false},
        {":80", false},
        {"a:", false},
        {"a:123456", false},
        {"a:8x", false},
        {"a b", false},
        {"a_b", false},
        {"[::1", false},
        {"[]", false},
        {"[::1]x", false},
        {"[::g]", false},
        {"a/b", false},
        {"\xc3\xa4.example", false},
        {"a:80:80", false},
        {"[::1]:", false},
        {"a\n", false},
    };
    check(server_name_valid, CASES, COUNT(CASES));
}

static void test_users(void **state)
{
    static const struct id_case CASES[] = {
        {"@a:s", true},    {"@a.b_c=d-e/f+g:s.example:8448", true},
        {"@A:s", true},    {"@\xc3\xa9:s", true},
        {"@:s", true},     /* historical */ {"@a b:s", true},
        {"@a", false},     {"a:s", false},
        {"@a:", false},    {"", false},
        {"@", false},      {"!a:s", false},
        {"@a:s s", false}, {"@\xff:s", false},
        {"@a:b:c", false},
    };
    check(user_id_valid, CASES, COUNT(CASES));
    assert_false(user_id_valid(NULL));
}

static void test_others(void **state)
{
    static const struct id_case ROOMS[] = {
        {"!a:s", true}, {"!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", true}, {"!", false}, {"#a:s", false},
        {"", false},
    };
    static const struct id_case EVENTS[] = {
        {"$a:s", true},
        {"$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk", true},
        {"$", false},
        {"!a:s", false},
    };
    static const struct id_case ALIASES[] = {
        {"#a:s", true}, {"#\xc3\xa4 b:s", true}, {"#a", false}, {"#:s", false}, {"#a:", false}, {"@a:s", false},
    };
    check(room_id_valid, ROOMS, COUNT(ROOMS));
    check(event_id_valid, EVENTS, COUNT(EVENTS));
    check(alias_valid, ALIASES, COUNT(ALIASES));
}

static void test_length(void **state)
{
    char id[300] = "@";
    memset(id + 1, 'a', 252);
    strcpy(id + 253, ":s");
    assert_int_equal(strlen(id), 255);
    assert_true(user_id_valid(id));
    strcpy(id + 253, "a:s");
    assert_false(user_id_valid(id));
}

static void test_split(void **state)
{
    const char *localpart;
    size_t len;
    assert_true(user_id_split("@anna.b:s:80", "s:80", &localpart, &len));
    assert_int_equal(len, 6);
    assert_memory_equal(localpart, "anna.b", 6);
    assert_true(user_id_split("@:s", "s", &localpart, &len));
    assert_int_equal(len, 0);
    assert_false(user_id_split("@a:t", "s", &localpart, &len));
    assert_false(user_id_split("@a:S", "s", &localpart, &len)); /* names are case-sensitive */
    assert_false(user_id_split("a:s", "s", &localpart, &len));
    assert_false(user_id_split("@a", "s", &localpart, &len));
}

static void test_new_localparts(void **state)
{
    static const struct id_case CASES[] = {
        {"anna", true},      {"a.b_c=d-e/f+9", true}, {"", false},    {"Anna", false}, {"a b", false},
        {"\xc3\xa9", false}, {"a:b", false},          {"a@b", false}, {"a!", false},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i)
        assert_int_equal(localpart_valid_for_new(CASES[i].id, "s"), CASES[i].valid);
    char longest[256] = {0};
    memset(longest, 'a', 252);
    assert_true(localpart_valid_for_new(longest, "s"));
    longest[252] = 'a';
    assert_false(localpart_valid_for_new(longest, "s"));
}

static void test_server_of(void **state)
{
    assert_string_equal(id_server("@a:s:80"), "s:80");
    assert_string_equal(id_server("!hash"), "");
    assert_string_equal(id_server("@a:"), "");
}

static void test_utf8(void **state)
{
    static const struct {
        const char *s;
        size_t len;
        bool valid;
    } CASES[] = {
        {"", 0, true},
        {"a\x7f", 2, true},
        {"a\0b", 3, false},
        {"\xc2\x80\xdf\xbf", 4, true},
        {"\xc1\xbf", 2, false}, /* overlong */
        {"\xe0\xa0\x80\xef\xbf\xbf", 6, true},
        {"\xe0\x9f\xbf", 3, false}, /* overlong */
        {"\xed\x9f\xbf\xee\x80\x80", 6, true},
        {"\xed\xa0\x80", 3, false}, /* a surrogate */
        {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8, true},
        {"\xf0\x8f\xbf\xbf", 4, false}, /* overlong */
        {"\xf4\x90\x80\x80", 4, false}, /* over U+10FFFF */
        {"\xf5\x80\x80\x80", 4, false},
        {"\x80", 1, false},
        {"\xc2", 1, false},
        {"\xe2\x82", 2, false},
        {"\xf0\x9f\x98", 3, false},
        {"\xe2\x82x", 3, false},
        {"\xf0\x9f\x98x", 4, false},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i)
        if (utf8_valid(CASES[i].s, CASES[i].len) != CASES[i].valid)
            fail_msg("case %zu: expected %d", i, CASES[i].valid);
    for (size_t i = 0; i < COUNT(CASES); ++i) /* the same wherever it stands in a longer text */
        for (size_t at = 0; at < 20; ++at) {
            char text[48];
            memset(text, 'x', sizeof text);
            memcpy(text + at, CASES[i].s, CASES[i].len);
            if (utf8_valid(text, at + CASES[i].len + 17) != CASES[i].valid)
                fail_msg("case %zu at %zu: expected %d", i, at, CASES[i].valid);
        }
}

static void test_utf8_cut(void **state)
{
    static const struct {
        const char *s;
        size_t max, kept;
    } CASES[] = {
        {"", 0, 0},    {"", 5, 0},   {"abc", 5, 3}, {"abc", 3, 3}, {"abc", 2, 2},      {"abc", 0, 0},
        {"яё", 3, 2},  {"яё", 2, 2}, {"яё", 1, 0},  {"a€b", 4, 4}, {"a€b", 3, 1},      {"a€b", 2, 1},
        {"a€b", 1, 1}, {"😀", 3, 0},  {"x😀", 4, 1},  {"x😀", 5, 5},  {"\x80\x80", 1, 0}, /* no UTF-8: nothing is whole */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        if (utf8_cut(CASES[i].s, strlen(CASES[i].s), CASES[i].max) != CASES[i].kept)
            fail_msg("%zu: %s to %zu", i, CASES[i].s, CASES[i].max);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(test_server_names), cmocka_unit_test(test_users), cmocka_unit_test(test_others),
        cmocka_unit_test(test_length),       cmocka_unit_test(test_split), cmocka_unit_test(test_new_localparts),
        cmocka_unit_test(test_server_of),    cmocka_unit_test(test_utf8),  cmocka_unit_test(test_utf8_cut),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
