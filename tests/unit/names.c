/* What a name may be made of (base/names.h): every kind of character that nobody sees, and what must go on passing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/names.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *put(uint32_t c, char out[8])
{
    if (c < 0x80)
        snprintf(out, 8, "%c", (int)c);
    else if (c < 0x800)
        snprintf(out, 8, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
    else if (c < 0x10000)
        snprintf(out, 8, "%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
    else
        snprintf(out, 8, "%c%c%c%c", (int)(0xf0 | c >> 18), (int)(0x80 | (c >> 12 & 0x3f)),
                 (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
    return out;
}

static void names_of_people_and_rooms_pass(void **state)
{
    static const char *const GOOD[] = {
        "Иванова Мария", "Ковалёв",    "Кайкова-Жанъё", "О’Нил",           "d'Artagnan",
        "Нгуен Ань",     "Nguyễn Văn", "Öztürk",        "李小龍",          "محمد علي",
        "דוד",           "प्रिया",      "7 «А»",         "Клуб ♥️", "👩‍🏫 Учителя",
        "Шахматы 🇷🇺",    "№ 12",       "И\u0306",       "А\u00a0Б",        "1️⃣ класс",
        "(без имени)",
    };
    for (size_t i = 0; i < COUNT(GOOD); ++i)
        if (!name_valid(GOOD[i], NAME_BYTES_MAX))
            fail_msg("%s is %s", GOOD[i], name_fault(GOOD[i], NAME_BYTES_MAX));
}

static const struct {
    uint32_t first, last;
    const char *what;
} KINDS[] = {
    {0x1, 0x1f, "C0"},
    {0x7f, 0x9f, "DEL, C1"},
    {0xad, 0xad, "soft hyphen"},
    {0x34f, 0x34f, "grapheme joiner"},
    {0x61c, 0x61c, "Arabic letter mark"},
    {0x115f, 0x1160, "Hangul fillers"},
    {0x17b4, 0x17b5, "Khmer inherent vowels"},
    {0x180b, 0x180f, "Mongolian selectors"},
    {0x200b, 0x200f, "zero-width and marks of direction"},
    {0x2028, 0x202e, "line separators and bidirectional embeddings"},
    {0x2060, 0x206f, "word joiner, isolates, unassigned, deprecated format characters"},
    {0x2800, 0x2800, "an empty braille cell"},
    {0x3164, 0x3164, "Hangul filler"},
    {0xe000, 0xf8ff, "private use"},
    {0xfe00, 0xfe0f, "variation selectors"},
    {0xfeff, 0xfeff, "byte order mark"},
    {0xffa0, 0xffa0, "halfwidth Hangul filler"},
    {0xfff0, 0xfffb, "unassigned, interlinear annotation"},
    {0x1d173, 0x1d17a, "musical format"},
    {0xe0000, 0xe0fff, "tags, selectors, unassigned ignorable"},
    {0xf0000, 0xf00ff, "private planes"},
};

/* Alone, among letters, at either end. */
static void what_nobody_sees_is_no_part_of_a_name(void **state)
{
    static const char *const AROUND[][2] = {{"", ""}, {"Ан", "на"}, {"", "Анна"}, {"Анна", ""}, {"А ", " Б"}};
    for (size_t i = 0; i < COUNT(KINDS); ++i)
        for (uint32_t c = KINDS[i].first; c <= KINDS[i].last; ++c)
            for (size_t k = 0; k < COUNT(AROUND); ++k) {
                char one[8], name[64];
                snprintf(name, sizeof name, "%s%s%s", AROUND[k][0], put(c, one), AROUND[k][1]);
                if (name_valid(name, NAME_BYTES_MAX))
                    fail_msg("U+%04X (%s) passes as part of a name", (unsigned)c, KINDS[i].what);
            }
}

static void a_name_shows_something(void **state)
{
    static const char *const BLANK[] = {"",       " ",      "\u00a0",  "\u2003\u2003",
                                        "\u3000", "\u0301", " \u0301", "\u200b\u200b\u200b\u200b"};
    for (size_t i = 0; i < COUNT(BLANK); ++i) {
        assert_false(name_valid(BLANK[i], NAME_BYTES_MAX));
        assert_true(text_is_blank(BLANK[i]));
    }
    assert_false(text_is_blank("болеет"));
    assert_false(name_valid("А\u0301\u0301\u0301\u0301\u0301", NAME_BYTES_MAX)); /* a tower */
    assert_false(name_valid("\xc3", NAME_BYTES_MAX));
    assert_false(name_valid("\xed\xa0\x80", NAME_BYTES_MAX)); /* half a pair */
}

static void a_name_is_bounded(void **state)
{
    assert_true(name_valid("abcd", 4));
    assert_false(name_valid("abcde", 4));
}

static void a_text_has_lines(void **state)
{
    assert_null(words_fault("О чём:\n\tшахматы\r\n", 100));
    assert_null(words_fault("", 100));
    assert_non_null(words_fault("а\u202eб", 100));
    assert_non_null(words_fault("а\x01", 100));
    assert_non_null(words_fault("abc", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_people_and_rooms_pass),
        cmocka_unit_test(what_nobody_sees_is_no_part_of_a_name),
        cmocka_unit_test(a_name_shows_something),
        cmocka_unit_test(a_name_is_bounded),
        cmocka_unit_test(a_text_has_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
