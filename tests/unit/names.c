/* What a name may be made of (base/names.h): every kind of character that nobody sees, and what must go on passing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/base/names.h"
#include "homeserver/base/text.h"

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

/* One selector colours a pictogram: those behind it are seen by nobody, and make many names of one that look alike. */
static void a_selector_stands_behind_a_pictogram_alone(void **state)
{
    static const char *const MORE[] = {"1\ufe0f\ufe0f", "♥\ufe0f\ufe0f\ufe0f клуб", "а\ufe0f\ufe0f", "♥\u200d\u200d"};
    for (size_t i = 0; i < COUNT(MORE); ++i)
        assert_false(name_valid(MORE[i], NAME_BYTES_MAX));
    assert_true(name_valid("❤\ufe0f\u200d🔥", NAME_BYTES_MAX));
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

/* --- For a terminal --- */

static void must_be_seen(const struct text *shown, bool lines, const char *what)
{
    for (const char *at = shown->data; *at != '\0'; ++at)
        if ((unsigned char)*at < 0x20 && !(lines && (*at == '\n' || *at == '\t')))
            fail_msg("a control character is shown of %s", what);
    assert_null(token_fault(shown->data));
}

static void a_terminal_gets_nothing_that_is_not_seen(void **state)
{
    for (size_t i = 0; i < COUNT(KINDS); ++i)
        for (uint32_t c = KINDS[i].first; c <= KINDS[i].last; ++c) {
            char one[8], expected[32];
            struct text shown = TEXT_INIT;
            text_add_visible(&shown, put(c, one), strlen(put(c, one)), false);
            must_be_seen(&shown, false, KINDS[i].what);
            assert_non_null(token_fault(one));
            snprintf(expected, sizeof expected, "\\u%04x", (unsigned)c);
            if (c < 0x10000 && c != '\t' && c != '\n' && c != '\r')
                assert_string_equal(shown.data, expected);
            text_finish(&shown);
        }
    for (int byte = 0x80; byte < 0x100; ++byte) { /* C1 of a terminal that takes bytes for characters */
        const char one[] = {(char)byte, 'A', '\0'};
        struct text shown = TEXT_INIT;
        text_add_visible(&shown, one, 2, true);
        assert_string_equal(shown.data, "\ufffdA");
        text_finish(&shown);
    }
}

static void what_is_seen_is_shown_as_it_is(void **state)
{
    static const char SEEN[] = "Ковалёв\t№ 12\n👩‍🏫 «А» ♥️ é";
    struct text shown = TEXT_INIT;
    text_add_visible(&shown, SEEN, sizeof SEEN - 1, true);
    assert_string_equal(shown.data, SEEN);
    text_clear(&shown);
    text_add_visible(&shown, "a\tb\nc", 5, false);
    assert_string_equal(shown.data, "a\\tb\\nc");
    text_clear(&shown);
    text_add_visible(&shown, "a\ufe0f\ufe0f", strlen("a\ufe0f\ufe0f"),
                     false); /* what the first was has no part in it */
    assert_string_equal(shown.data, "a\\ufe0f\\ufe0f");
    text_finish(&shown);
}

static void json_stays_the_same_json(void **state)
{
    static const char *const TEXTS[] = {("\u202e\xc2\x85"
                                         "\x1b[31m\u200b\\"),
                                        "\U000e0041x\U000f0000", "плюс\n"};
    for (size_t i = 0; i < COUNT(TEXTS); ++i) {
        struct text plain = TEXT_INIT, shown = TEXT_INIT;
        struct error e;
        text_adds(&plain, "{\"a\":");
        text_add_json(&plain, TEXTS[i]);
        text_addc(&plain, '}');
        text_add_visible(&shown, plain.data, plain.len, true);
        must_be_seen(&shown, true, TEXTS[i]);
        json_t *read = json_parse(shown.data, shown.len, &e);
        assert_string_equal(json_get_string(read, "a"), TEXTS[i]);
        json_decref(read);
        text_finish(&plain);
        text_finish(&shown);
    }
}

/* What write_some puts into the log, at most bytes - 1 of it. */
static void logged(void (*write_some)(void), char *out, size_t bytes)
{
    int ends[2], was = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    write_some();
    dup2(was, STDERR_FILENO);
    close(was);
    close(ends[1]);
    memset(out, 0, bytes);
    while (read(ends[0], out + strlen(out), bytes - 1 - strlen(out)) > 0)
        continue;
    close(ends[0]);
}

static void write_values(void)
{
    log_line(LOG_WARN, "http", "request", "id", "aZ09_-.,:;/@!#$+{}*", "none", "", "user", "@a=b:c", "text", "a b",
             NULL);
    log_line(LOG_ERROR, "http", "again", NULL);
}

/* "time level area message key=value …", of which scripts read; only what forges nothing stands bare. */
static void a_line_of_the_log_has_its_form(void **state)
{
    static const char WARN[] = "Z warn http request id=aZ09_-.,:;/@!#$+{}* none=\"\" user=\"@a=b:c\" text=\"a b\"\n";
    char lines[512];
    struct tm tm = {0};
    logged(write_values, lines, sizeof lines);
    const char *end = strptime(lines, "%Y-%m-%dT%H:%M:%S", &tm);
    assert_non_null(end);
    assert_true(llabs((long long)(timegm(&tm) - time(NULL))) <= 1);
    assert_int_equal(end[0], '.');
    assert_int_equal(strspn(end + 1, "0123456789"), 3);
    assert_memory_equal(end + 4, WARN, sizeof WARN - 1);
    const char *second = end + 4 + sizeof WARN - 1;
    assert_ptr_equal(strptime(second, "%Y-%m-%dT%H:%M:%S", &tm), second + 19);
    assert_string_equal(second + 23, "Z error http again\n");
}

static void write_unseen(void)
{
    log_line(LOG_ERROR, "test", "line", "name",
             "\x1b]0;x\a\u202eб\xc2\x85"
             "\x9b",
             NULL);
    log_warn("test", "%s", "\x1b[2J\u2066\r");
}

/* A line of the log is a line, whatever somebody has put into it. */
static void the_log_shows_nothing_that_is_not_seen(void **state)
{
    char line[512];
    logged(write_unseen, line, sizeof line);
    struct text shown = {.data = line, .len = strlen(line)};
    assert_non_null(strstr(line, "\\u202e"));
    assert_non_null(strstr(line, "\\u2066"));
    for (char *at = line; *at != '\0'; ++at)
        if (*at == '\n')
            *at = ' ';
    must_be_seen(&shown, false, "the log");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_people_and_rooms_pass),
        cmocka_unit_test(what_nobody_sees_is_no_part_of_a_name),
        cmocka_unit_test(a_selector_stands_behind_a_pictogram_alone),
        cmocka_unit_test(a_name_shows_something),
        cmocka_unit_test(a_name_is_bounded),
        cmocka_unit_test(a_text_has_lines),
        cmocka_unit_test(a_terminal_gets_nothing_that_is_not_seen),
        cmocka_unit_test(what_is_seen_is_shown_as_it_is),
        cmocka_unit_test(json_stays_the_same_json),
        cmocka_unit_test(a_line_of_the_log_has_its_form),
        cmocka_unit_test(the_log_shows_nothing_that_is_not_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
