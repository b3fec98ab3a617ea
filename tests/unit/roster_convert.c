/* Exports as spreadsheets save them: what is certain is made a roster again, what may mean two things is refused with
 * its place. The bytes of other encodings are made by iconv, which the converter does not use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <iconv.h>

#include "policy/oneroster/convert.h"
#include "policy/oneroster/encoding.h"
#include "tests/unit/roster_told.h"

/* --- A spreadsheet's hand --- */

static struct text encoded(const char *text, const char *encoding, const char *mark, size_t mark_len)
{
    struct text out = TEXT_INIT;
    size_t in_left = strlen(text), size = 4 * in_left + 16, out_left = size;
    char *in = (char *)text, *bytes = xcalloc(size, 1), *at = bytes;
    iconv_t with = iconv_open(encoding, "UTF-8");
    assert_true(with != (iconv_t)-1);
    assert_int_not_equal(iconv(with, &in, &in_left, &at, &out_left), (size_t)-1);
    iconv_close(with);
    text_add(&out, mark, mark_len);
    text_add(&out, bytes, size - out_left);
    free(bytes);
    return out;
}

static bool is_date(const char *at)
{
    return strlen(at) >= 10 && at[4] == '-' && at[7] == '-' && strspn(at, "0123456789-") == 10;
}

/* The CSV text with another separator, and dates and words as a spreadsheet in Russian writes them. */
static char *respelled(const char *csv, char separator, bool words)
{
    struct text out = TEXT_INIT;
    bool quoted = false;
    for (const char *at = csv; *at != '\0'; ++at) {
        bool begins = at == csv || at[-1] == ',' || at[-1] == '\n';
        if (*at == '"') {
            quoted = !quoted;
            if (separator == ',')
                text_addc(&out, '"');
        } else if (*at == ',' && !quoted) {
            text_addc(&out, separator);
        } else if (*at == '\n') {
            text_adds(&out, "\r\n");
        } else if (words && begins && is_date(at)) {
            text_addf(&out, "%.2s.%.2s.%.4s", at + 8, at + 5, at);
            at += 9;
        } else if (words && begins && strncmp(at, "true", 4) == 0) {
            text_adds(&out, "ИСТИНА");
            at += 3;
        } else {
            text_addc(&out, *at);
        }
    }
    return text_take(&out);
}

/* Bytes may have zeros: archive_of takes strings. */
static char *zip_of(const struct archive_part *parts, size_t n, size_t *len)
{
    struct text out = TEXT_INIT;
    assert_true(archive_pack(parts, n, 1, &out));
    *len = out.len;
    return text_take(&out);
}

static const struct {
    const char *name, *mark;
    size_t mark_len;
} ENCODINGS[] = {
    {"UTF-8", "", 0},  {"UTF-8", "\xef\xbb\xbf", 3}, {"UTF-16LE", "\xff\xfe", 2}, {"UTF-16BE", "\xfe\xff", 2},
    {"CP1251", "", 0},
};

/* What the roster in the archive says. */
static char *says(const struct text *archive)
{
    struct roster_update out;
    struct roster_problems problems;
    if (!roster_read_update(archive->data, archive->len, NULL, 0, &out, &problems))
        fail_msg("refused: %s", roster_problems_first(&problems)->message);
    char *text = told(out.roster, &problems);
    roster_problems_finish(&problems);
    roster_destroy(out.roster);
    snapshot_destroy(out.snapshot);
    return text;
}

static void check_spelling(const struct archive_file *whole, size_t n, size_t encoding, char separator, bool words)
{
    struct archive_part parts[WHOLE_COUNT];
    struct text bytes[WHOLE_COUNT];
    struct conversion conversion, again;
    size_t len;
    for (size_t i = 0; i < n; ++i) {
        char *text = respelled(whole[i].text, separator, words);
        bytes[i] = encoded(text, ENCODINGS[encoding].name, ENCODINGS[encoding].mark, ENCODINGS[encoding].mark_len);
        parts[i] = (struct archive_part){whole[i].name, &bytes[i]};
        free(text);
    }
    char *zip = zip_of(parts, n, &len), *want = import_on(whole, n, NULL, NULL);
    if (!roster_convert(zip, len, &conversion))
        fail_msg("%s %c: %s", ENCODINGS[encoding].name, separator,
                 roster_problems_first(&conversion.problems)->message);
    char *got = says(&conversion.archive);
    assert_string_equal(got, want);
    const char *changes = conversion.changes.data != NULL ? conversion.changes.data : "";
    assert_int_equal(strstr(changes, "users.csv: semicolons → commas") != NULL, separator == ';');
    assert_int_equal(strstr(changes, "demographics.csv: birthDate: 1 dates → like 2026-09-01") != NULL, words);
    assert_int_equal(strstr(changes, "enrollments.csv: primary: 1 words → true, false") != NULL, words);
    assert_int_equal(strstr(changes, "users.csv: Windows-1251 → UTF-8") != NULL, encoding == 4);
    assert_int_equal(strstr(changes, "orgs.csv: UTF-16 → UTF-8") != NULL, encoding == 2 || encoding == 3);
    assert_true(
        roster_convert(conversion.archive.data, conversion.archive.len, &again)); /* and there is no more to do */
    assert_int_equal(again.changes.len, 0);
    assert_int_equal(again.archive.len, conversion.archive.len);
    conversion_finish(&again);
    conversion_finish(&conversion);
    free(zip);
    free(got);
    free(want);
    for (size_t i = 0; i < n; ++i)
        text_finish(&bytes[i]);
}

static void whatever_a_spreadsheet_saves_is_the_same_roster(void **state)
{
    for (size_t encoding = 0; encoding < sizeof ENCODINGS / sizeof *ENCODINGS; ++encoding)
        for (const char *separator = ",;\t"; *separator != '\0'; ++separator)
            for (int words = 0; words < 2; ++words) {
                check_spelling(WHOLE, WHOLE_COUNT, encoding, *separator, words);
                check_spelling(WHOLE_1_1, WHOLE_1_1_COUNT, encoding, *separator, words);
            }
}

/* --- Days --- */

static void days_are_certain_or_refused(void **state)
{
    static const struct {
        const char *value, *day; /* NULL: refused, */
        const char *why;
    } CASES[] = {
        {"44", NULL, "is no date"},
        {"", NULL, "is no date"},
        {"2015-03-04", "2015-03-04"},
        {"04.03.2015", "2015-03-04"},
        {"4.3.2015", "2015-03-04"},
        {"2015/3/4", "2015-03-04"},
        {"2015.03.04", "2015-03-04"},
        {"04.03.2015 0:00", "2015-03-04"},
        {"2015-03-04T00:00:00Z", "2015-03-04"},
        {"2015-03-04 00:00:00.000", "2015-03-04"},
        {"31/12/2015", "2015-12-31"},
        {"12/31/2015", "2015-12-31"},
        {"31-12-2015", "2015-12-31"},
        {"05/05/2015", "2015-05-05"},
        {"01/02/2015", NULL, "may be two days"},
        {"1-2-2015", NULL, "may be two days"},
        {"12/11/2015", NULL, "may be two days"},
        {"13.13.2015", NULL, "no day of the calendar"},
        {"29.02.2015", NULL, "no day of the calendar"},
        {"12.31.2015", NULL, "no day of the calendar"},
        {"31/13/2015", NULL, "no day of the calendar"},
        {"04.03.15", NULL, "a year of two digits"},
        {"04.03.2015 13:45", NULL, "a time of day"},
        {"2015-03-04T21:00:00Z", NULL, "a time of day"},
        {"2015-03-04T00:00:00+03:00", NULL, "a time of day"},
        {"42067", NULL, "no date that is certain"},
        {"20150304", NULL, "no date that is certain"},
        {"04.03/2015", NULL, "no date that is certain"},
        {"04 03 2015", NULL, "no date that is certain"},
        {"-4.3.2015", NULL, "no date that is certain"},
        {"4.3.20155", NULL, "no date that is certain"},
        {"4 марта 2015", NULL, "no date that is certain"},
        {"4..2015", NULL, "no date that is certain"},
        {"1.2.3", NULL, "no date that is certain"},
    };
    char day[DATE_TEXT_BYTES];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        const char *why = convert_date(CASES[i].value, day);
        if (CASES[i].day != NULL && (why != NULL || strcmp(day, CASES[i].day) != 0))
            fail_msg("%s: %s", CASES[i].value, why != NULL ? why : day);
        if (CASES[i].day == NULL && (why == NULL || strstr(why, CASES[i].why) == NULL))
            fail_msg("%s: %s", CASES[i].value, why != NULL ? why : day);
    }
}

/* --- Encodings --- */

static void only_certain_encodings_are_known(void **state)
{
    static const struct {
        const char *text, *encoding;
        enum encoding found;
        bool sure;
    } CASES[] = {
        {"Иванова;Мария;5А", "CP1251", ENCODING_1251, true},
        {"«Ёлка» № 5 – „Ель“…", "CP1251", ENCODING_1251, true},
        {"5А", "CP1251", ENCODING_1251, false},
        {"Иванова;Мария;5А", "KOI8-R", ENCODING_UNKNOWN},
        {"Иванова;Мария;5А", "CP866", ENCODING_UNKNOWN},
        {"Иванова;Мария;5А", "ISO-8859-5", ENCODING_UNKNOWN},
        {"Иванова;Мария;5А", "MAC-CYRILLIC", ENCODING_UNKNOWN},
        {"Müller;Zoë", "ISO-8859-1", ENCODING_UNKNOWN},
        {"Їжак", "CP1251", ENCODING_UNKNOWN},
        {"Иванова", "UTF-8", ENCODING_UTF8},
        {"abc", "CP1251", ENCODING_UTF8},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct text bytes = encoded(CASES[i].text, CASES[i].encoding, "", 0);
        struct encoding_found found = encoding_find(bytes.data, bytes.len);
        if (found.encoding != CASES[i].found || found.sure != CASES[i].sure)
            fail_msg("%s in %s is %s (%s)", CASES[i].text, CASES[i].encoding, encoding_name(found.encoding),
                     found.why != NULL ? found.why : "");
        text_finish(&bytes);
    }
    assert_int_equal(encoding_find("\xff\xfe\x41\x00\x42", 5).encoding, ENCODING_UNKNOWN); /* cut */
    assert_int_equal(encoding_find("\xff\xfe\x00\xd8\x41\x00", 6).encoding, ENCODING_UNKNOWN);
    assert_int_equal(encoding_find("\xff\xfe\x3d\xd8\x00\xde", 6).encoding, ENCODING_UTF16);
    assert_int_equal(encoding_find("A\0B\0\xff", 5).encoding, ENCODING_UNKNOWN);
}

/* --- What is changed and what is refused, file by file --- */

#define FILES_MAX 4

static const struct {
    const char *kind, *encoding; /* of all files */
    struct archive_file files[FILES_MAX];
    const char *says[4]; /* all must be told; "refused" first: it is */
} CASES[] = {
    {"a folder around all, names in another case, strays",
     "UTF-8",
     {{"roster/Manifest.CSV", MANIFEST_HEAD "file.orgs,bulk\n"},
      {"roster/ORGS.csv", ORGS_HEAD "s,,,Школа,school,,\n"},
      {"__MACOSX/roster/._orgs.csv", "x"},
      {"roster/notes.txt", "x"}},
     {"roster/: the folder around the files → none", "ORGS.csv: the name → orgs.csv",
      "__MACOSX/roster/._orgs.csv: not one of the standard's files → left out", "roster/notes.txt: not one"}},
    {"rows and columns of nothing, and the spreadsheet's own line",
     "CP1251",
     {{"manifest.csv",
       "sep=;\r\npropertyName;value;;\r\nmanifest.version;1,0;;\r\noneroster.version;01.фев;;\r\n;;;\r\n"},
      {"orgs.csv", "sourcedId;name;type\r\ns;Школа;school;;\r\n;;\r\n"}},
     {"manifest.csv: 2 columns of nothing → left out", "manifest.csv: 2 versions that were taken for numbers or days",
      "manifest.csv: 1 rows of nothing → left out", "orgs.csv: semicolons → commas"}},
    {"a day that may be two",
     "UTF-8",
     {{"manifest.csv", MANIFEST_HEAD},
      {"demographics.csv", "sourcedId;birthDate\np;31.12.2015\nq;01/02/2015\nr;1.2.15\n"}},
     {"refused", "demographics.csv:3:3: birthDate: \"01/02/2015\" may be two days: write it like 2026-09-01",
      "demographics.csv:4:3: birthDate: \"1.2.15\" has a year of two digits"}},
    {"ids and cells that a spreadsheet has lost",
     "UTF-8",
     {{"manifest.csv", MANIFEST_HEAD},
      {"users.csv", "sourcedId;familyName;agentSourcedIds;phone\n1,23E+12;И;;\np;#ИМЯ?;4E+5;#ИМЯ?\n"}},
     {"refused", "users.csv:2:1: sourcedId: \"1,23E+12\" is a number that has lost its digits",
      "users.csv:3:3: familyName: \"#ИМЯ?\" is a spreadsheet's error", "users.csv:3:9: agentSourcedIds: \"4E+5\""}},
    {"rows of another length",
     "UTF-8",
     {{"manifest.csv", MANIFEST_HEAD}, {"orgs.csv", "sourcedId;name;type\ns;Школа;school;x\nz;Школа\n"}},
     {"refused", "orgs.csv:2:16: 4 fields where the header has 3", "orgs.csv:3:8: 2 fields where the header has 3"}},
    {"an encoding that is none of the certain ones",
     "KOI8-R",
     {{"manifest.csv", MANIFEST_HEAD}, {"orgs.csv", ORGS_HEAD "s,,,Школа,school,,\n"}},
     {"refused", "orgs.csv:2:6: not UTF-8, and in Windows-1251 a capital behind a small letter: KOI8-R?"}},
    {"nothing that tells what the bytes are",
     "CP1251",
     {{"manifest.csv", MANIFEST_HEAD}, {"classes.csv", "sourcedId;title\nc;5А\n"}},
     {"refused", "classes.csv: is not UTF-8, and nothing in it tells what it is"}},
    {"a manifest of one column",
     "UTF-8",
     {{"manifest.csv", "propertyName\noneroster.version\n"}, {"orgs.csv", ORGS_HEAD}},
     {""}},
    {"two manifests",
     "UTF-8",
     {{"manifest.csv", MANIFEST_HEAD}, {"old/manifest.csv", MANIFEST_HEAD}},
     {"refused", "manifest.csv: is in the archive twice"}},
    {"no manifest", "UTF-8", {{"orgs.csv", ORGS_HEAD}}, {"refused", "manifest.csv: is not in the archive"}},
    {"one file by two names",
     "UTF-8",
     {{"manifest.csv", MANIFEST_HEAD}, {"orgs.csv", ORGS_HEAD}, {"Orgs.csv", ORGS_HEAD}},
     {"refused", "orgs.csv: is in the archive twice"}},
    {"a header that begins like a spreadsheet's own line",
     "UTF-8",
     {{"manifest.csv", MANIFEST_HEAD}, {"orgs.csv", "sep=;name\ns;Школа\n"}},
     {"orgs.csv: semicolons → commas"}},
    {"a header without names",
     "UTF-8",
     {{"manifest.csv", MANIFEST_HEAD}, {"orgs.csv", ",\n"}},
     {"refused", "orgs.csv:1:1: the header names no column"}},
    {"a name of a column with another separator in it",
     "UTF-8",
     {{"manifest.csv", MANIFEST_HEAD}, {"orgs.csv", "sourcedId,name;type\n"}},
     {"refused", "orgs.csv:1:11: \"name;type\" is no name of a column: a separator stands in it"}},
    {"a quote that never closes",
     "UTF-8",
     {{"manifest.csv", MANIFEST_HEAD}, {"orgs.csv", "sourcedId;name\ns;\"Школа\n"}},
     {"refused", "orgs.csv:2:3: a quote that is never closed"}},
};

static void every_change_and_every_refusal_is_told(void **state)
{
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct archive_part parts[FILES_MAX];
        struct text bytes[FILES_MAX], told_of = TEXT_INIT;
        struct conversion conversion;
        size_t n = 0, len;
        for (; n < FILES_MAX && CASES[i].files[n].name != NULL; ++n) {
            bytes[n] = encoded(CASES[i].files[n].text, CASES[i].encoding, "", 0);
            parts[n] = (struct archive_part){CASES[i].files[n].name, &bytes[n]};
        }
        char *zip = zip_of(parts, n, &len);
        bool done = roster_convert(zip, len, &conversion), refused = strcmp(CASES[i].says[0], "refused") == 0;
        if (!done)
            roster_problems_add_refusals(&told_of, &conversion.problems);
        else
            text_add(&told_of, conversion.changes.data, conversion.changes.len);
        if (done == refused)
            fail_msg("%s: %s", CASES[i].kind, told_of.data);
        for (size_t k = refused; k < 4 && CASES[i].says[k] != NULL; ++k)
            if (strstr(told_of.data, CASES[i].says[k]) == NULL)
                fail_msg("%s: no \"%s\" in:\n%s", CASES[i].kind, CASES[i].says[k], told_of.data);
        assert_int_equal(conversion.archive.len != 0, done);
        conversion_finish(&conversion);
        text_finish(&told_of);
        while (n > 0)
            text_finish(&bytes[--n]);
        free(zip);
    }
}

static void what_is_no_archive_is_refused(void **state)
{
    struct conversion conversion;
    size_t len;
    char *zip = archive_of(WHOLE, WHOLE_COUNT, &len);
    for (size_t cut = 1; cut < len; cut += 41) {
        assert_false(roster_convert(zip, cut, &conversion));
        assert_non_null(roster_problems_first(&conversion.problems));
        conversion_finish(&conversion);
    }
    free(zip);
}

/* A text that was marked twice has no mark at all, or the next program finds one (fuzzing). */
static void marks_go(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum encoding encoding;
        const char *text;
    } MARKED[] = {
        {"\xef\xbb\xbfid", 5, ENCODING_UTF8_MARKED, "id"},
        {"\xef\xbb\xbf\xef\xbb\xbfid", 8, ENCODING_UTF8_MARKED, "id"},
        {"\xff\xfe\xff\xfe\xff\xfei\0", 8, ENCODING_UTF16, "i"},
        {"\xfe\xff\xfe\xff", 4, ENCODING_UTF16, ""},
        {"i\xef\xbb\xbf", 4, ENCODING_UTF8, "i\xef\xbb\xbf"},
    };
    for (size_t i = 0; i < sizeof MARKED / sizeof *MARKED; ++i) {
        struct text out = TEXT_INIT;
        assert_int_equal(encoding_find(MARKED[i].bytes, MARKED[i].len).encoding, MARKED[i].encoding);
        encoding_decode(MARKED[i].encoding, MARKED[i].bytes, MARKED[i].len, &out);
        assert_string_equal(out.data, MARKED[i].text);
        text_finish(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_go),
        cmocka_unit_test(whatever_a_spreadsheet_saves_is_the_same_roster),
        cmocka_unit_test(days_are_certain_or_refused),
        cmocka_unit_test(only_certain_encodings_are_known),
        cmocka_unit_test(every_change_and_every_refusal_is_told),
        cmocka_unit_test(what_is_no_archive_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
