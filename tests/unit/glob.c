/* Patterns, folding, and property paths (Appendices, "Glob-style matching", "Dot-separated property paths";
 * Client-Server API, "Push Rules", for word boundaries). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/glob.h"
#include "homeserver/base/json_path.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool match(const char *pattern, const char *s)
{
    uint32_t budget = GLOB_BUDGET;
    return glob_match(pattern, strlen(pattern), s, strlen(s), &budget);
}

static bool match_words(const char *pattern, const char *s)
{
    uint32_t budget = GLOB_BUDGET;
    return glob_match_words(pattern, strlen(pattern), s, strlen(s), &budget);
}

struct match_case {
    const char *pattern, *s;
    bool matches;
};

static void test_whole(void **state)
{
    static const struct match_case CASES[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "abc", true},
        {"**", "abc", true},
        {"?", "", false},
        {"?", "a", true},
        {"?", "ab", false},
        {"??", "ab", true},
        {"a", "A", false},
        {"abc", "abc", true},
        {"abc", "abcd", false},
        {"abc", "xabc", false},
        {"a*", "a", true},
        {"a*", "ba", false},
        {"*a", "ba", true},
        {"*a", "ab", false},
        {"a*c", "abbbc", true},
        {"a*c", "abbbcd", false},
        {"a*c", "ac", true},
        {"a*a", "a", false},
        {"a*b*c", "a1b2b3c", true},
        {"a*b*c", "a1c2b", false},
        {"*ab*", "xxabyy", true},
        {"*ab*", "xxaybb", false},
        {"*aab", "aaaab", true},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"lunc?*", "lunch plans", true},
        {"lunc?*", "lunc", false},
        {"lunc?*", " lunch", false},
        {"m.room.*", "m.room.message", true},
        {"?", "я", true},
        {"??", "я", false},
        {"п?ивет", "привет", true},
        {"?*", "я", true},
        {"*?", "я", true},
        {"?", "\xf0\x9f\x98\x80", true},
        {"a.c", "abc", false},
        {"[a]", "a", false},
        {"[a]", "[a]", true},
        {"\\*", "\\x", true},
        {"*?*?*", "a", false},
        {"*?*?*", "ab", true},
        {"*a?c*", "xxabcabd", true},
        {"*a?c", "abcaxc", true},
        {"*.example.com", "matrix.example.com", true},
        {"*.example.com", "example.com", false},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i)
        if (match(CASES[i].pattern, CASES[i].s) != CASES[i].matches)
            fail_msg("%s on %s", CASES[i].pattern, CASES[i].s);
}

static void test_words(void **state)
{
    static const struct match_case CASES[] = {
        {"ex*ple", "an example event.", true},
        {"ex*ple", "exple", true},
        {"ex*ple", "an exciting triple-whammy", true},
        {"cake", "cake", true},
        {"cake", "a cake!", true},
        {"cake", "cakes", false},
        {"cake", "pancake", false},
        {"cake", "pancake cake", true},
        {"cake", "cake_", false},
        {"cake", "cake-walk", true},
        {"cake", "cake9", false},
        {"cake", "\"cake\"", true},
        {"cake", "", false},
        {"cake*lie", "the cake is a lie", true},
        {"cake*lie", "the cake is a lied", false},
        {"cake*lie", "the lie is a cake", false},
        {"cake*lie", "pancake cake lied lie", true},
        {"c?ke", "some coke", true},
        {"c?ke", "some ckes", false},
        {"*", "", true},
        {"", "", true},
        {"", "abc", true},
        {"*", "abc", true},
        {"cake*", "pancake", false},
        {"cake*", "a cakewalk", true},
        {"*cake", "a pancake now", true},
        {"*cake", "a cakewalk", false},
        {"@room", "hey @room", true},
        {"@room", "hey@room", true},
        {"@room", "hey @rooms", false},
        {"c++", "use c++17", true},
        {"c++", "use abc++", false},
        {"тест", "это тест", true},
        {"тест", "протестный", true}, /* letters beyond ASCII bound */
        {"te", "été te", true},
        {"te", "étété", false},
        {"a a", "xa a a", true},
        {"a?a", "aba aca", true},
        {"?", "ab c", true},
        {"?", "ab", false},
        {"?a", "xya", false},
        {"?a", "xy a", true},
        {"x\ny", "x\ny", true},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i)
        if (match_words(CASES[i].pattern, CASES[i].s) != CASES[i].matches)
            fail_msg("%s on %s", CASES[i].pattern, CASES[i].s);
}

/* The same, as slow and plain as the specification says it. */

static size_t char_bytes(const char *s)
{
    size_t n = 1;
    while (((unsigned char)s[n] & 0xC0) == 0x80)
        ++n;
    return n;
}

static bool naive(const char *p, const char *p_end, const char *s, const char *s_end)
{
    if (p == p_end)
        return s == s_end;
    if (*p == '*')
        return naive(p + 1, p_end, s, s_end) || (s < s_end && naive(p, p_end, s + char_bytes(s), s_end));
    if (s == s_end)
        return false;
    if (*p == '?')
        return naive(p + 1, p_end, s + char_bytes(s), s_end);
    return *p == *s && naive(p + 1, p_end, s + 1, s_end);
}

static bool word(char c)
{
    return c != '\0' && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", c) != NULL;
}

static bool boundary(const char *s, size_t len, size_t at)
{
    return at == 0 || at == len || !word(s[at - 1]) || !word(s[at]);
}

static bool naive_words(const char *pattern, const char *s)
{
    size_t len = strlen(s);
    for (size_t from = 0; from <= len; ++from)
        for (size_t to = from; to <= len; ++to) {
            bool inside = (from < len && ((unsigned char)s[from] & 0xC0) == 0x80) ||
                          (to < len && ((unsigned char)s[to] & 0xC0) == 0x80); /* a part has whole characters */
            if (!inside && boundary(s, len, from) && boundary(s, len, to) &&
                naive(pattern, pattern + strlen(pattern), s + from, s + to))
                return true;
        }
    return false;
}

static uint32_t random_next(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void random_text(char *out, size_t most, const char *const *letters, size_t n, uint32_t *seed)
{
    *out = '\0';
    for (size_t i = random_next(seed) % (most + 1); i > 0; --i)
        strcat(out, letters[random_next(seed) % n]);
}

static void test_against_naive(void **state)
{
    static const char *const LETTERS[] = {"a", "b", "a", " ", "-", "я", "*", "?", "*"};
    uint32_t seed = 4711;
    size_t hits = 0;
    for (int i = 0; i < 200000; ++i) {
        char pattern[32], s[64];
        random_text(pattern, 6, LETTERS, COUNT(LETTERS), &seed);
        random_text(s, 9, LETTERS, 6, &seed);
        bool whole = naive(pattern, pattern + strlen(pattern), s, s + strlen(s)), words = naive_words(pattern, s);
        if (match(pattern, s) != whole || match_words(pattern, s) != words)
            fail_msg("\"%s\" on \"%s\": %d %d", pattern, s, whole, words);
        hits += whole + words;
    }
    assert_true(hits > 10000); /* the property was not tested on misses alone */
}

/* A name that someone bears is looked for as it is: its "*" is a star. */
static void test_literal(void **state)
{
    static const struct match_case CASES[] = {
        {"max", "hi max!", true}, {"max", "hi maxim", false},
        {"m*x", "hi max", false}, {"m*x", "hi m*x", true},
        {"m?x", "m?x", true},     {"", "anything", false},
        {"*", "a * b", true},     {"long name", "a long name.", true},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        uint32_t budget = GLOB_BUDGET;
        const struct match_case *c = &CASES[i];
        if (glob_find_words(c->pattern, strlen(c->pattern), c->s, strlen(c->s), &budget) != c->matches)
            fail_msg("%s in %s", c->pattern, c->s);
    }
}

/* A pattern made to be slow ends early, and says no. */
static void test_budget(void **state)
{
    enum { LEN = 60000 };
    char *s = malloc(LEN + 1);
    for (int i = 0; i < LEN; ++i)
        s[i] = i % 2 == 0 ? 'a' : ' ';
    s[LEN] = '\0';
    static const char *const PATTERNS[] = {
        "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a?b",
        "*a*a*a*a*a*a*a*a*a*a*?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?ab",
    };
    for (size_t i = 0; i < COUNT(PATTERNS); ++i) {
        uint32_t budget = 10000;
        assert_false(glob_match_words(PATTERNS[i], strlen(PATTERNS[i]), s, LEN, &budget));
        assert_true(budget < 64);
        assert_false(glob_match(PATTERNS[i], strlen(PATTERNS[i]), s, LEN, &budget));
    }
    uint32_t none = 0;
    assert_false(glob_match("*", 1, "a", 1, &none));
    free(s);
}

static void test_fold(void **state)
{
    static const char *const CASES[][2] = {
        {"", ""},
        {"ABC xyz 09 @[`{", "abc xyz 09 @[`{"},
        {"ЁЖИК Привет", "ёжик привет"},
        {"ÄÖÜ ß ÿŸ", "äöü ß ÿÿ"},
        {"ŁÓDŹ Žluťoučký KŮŇ", "łódź žluťoučký kůň"},
        {"ΣΊΣΥΦΟΣ ς", "σίσυφοσ σ"},
        {"ҚАЗАҚ Ӏ ӁӐ", "қазақ ӏ ӂӑ"},
        {"ԱԲ", "աբ"},
        {"ẠẢ ẞ", "ạả ẞ"},
        {"İI", "İi"},
        {"×÷", "×÷"},
        {"ＡＢＣ", "ａｂｃ"},
        {"日本", "日本"},
        {"\xf0\x9f\x98\x80Z", "\xf0\x9f\x98\x80z"},
        {"\xff\xc3", "\xff\xc3"},
        {"\xe1\x80"
         "A",
         "\xe1\x80"
         "a"},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        char out[64] = {0};
        size_t len = strlen(CASES[i][0]);
        glob_fold(out, CASES[i][0], len);
        assert_string_equal(out, CASES[i][1]);
        assert_true(glob_fold_equal(CASES[i][0], CASES[i][1], len));
        glob_fold(out, out, len); /* folded is folded, in place too */
        assert_string_equal(out, CASES[i][1]);
    }
    assert_false(glob_fold_equal("ПРИВЕТ", "примет", 12));
    assert_false(glob_fold_equal("abc", "ABC", 3)); /* the second must be folded */
}

static void test_path(void **state)
{
    static const struct {
        const char *path, *names; /* joined by | */
    } CASES[] = {
        {"content.body", "content|body"},
        {"type", "type"},
        {"content.m\\.relates_to.rel_type", "content|m.relates_to|rel_type"},
        {"content.m\\\\foo", "content|m\\foo"},
        {"content.\\x", "content|\\x"},
        {"", ""},
        {"a..b", "a||b"},
        {"a.", "a|"},
        {"a\\", "a\\"},
        {"a\\\\.b", "a\\|b"},
        {"a\\\\\\.b", "a\\.b"},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct text names = TEXT_INIT;
        size_t n = json_path_split(&names, CASES[i].path), separators = 0;
        for (size_t k = 0; k + 1 < names.len; ++k)
            if (names.data[k] == '\0') {
                names.data[k] = '|';
                ++separators;
            }
        assert_string_equal(names.data, CASES[i].names);
        assert_int_equal(n, separators + 1);
        text_finish(&names);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),   cmocka_unit_test(test_words),  cmocka_unit_test(test_against_naive),
        cmocka_unit_test(test_literal), cmocka_unit_test(test_budget), cmocka_unit_test(test_fold),
        cmocka_unit_test(test_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
