/* On which days lessons recur: as libical's own iterator says where that comes to an end, and in a bounded time where
 * it does not. What a feed can ask for at worst, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "appservice/diary/icalendar.h"
#include "appservice/diary/icalendar_shape.h"
#include "appservice/diary/recurrence.h"
#include "homeserver/base/text.h"

static const struct window WINDOW = {20260818, 20260915};

static void add_day(void *arg, icaltimetype moment)
{
    text_addf(arg, "%04d%02d%02d ", moment.year, moment.month, moment.day);
}

/* Of all years from 2026 to 2032, so that rules of years and leap days show what they do. */
static const struct window YEARS = {20260102, 20321230};

static void by_libical(struct text *out, const char *rule, icaltimetype start)
{
    icalrecur_iterator *each = icalrecur_iterator_new(icalrecurrencetype_from_string(rule), start);
    if (each == NULL)
        return; /* it looked until the year 20000 */
    for (icaltimetype t = icalrecur_iterator_next(each); !icaltime_is_null_time(t) && t.year < 2033;
         t = icalrecur_iterator_next(each))
        if (t.year >= 2026)
            add_day(out, t);
    icalrecur_iterator_free(each);
}

static void assert_same(const char *rule, const char *start)
{
    struct text ours = TEXT_INIT, theirs = TEXT_INIT;
    icaltimetype begin = icaltime_from_string(start);
    struct icalrecurrencetype followed = icalrecurrencetype_from_string(rule);
    int64_t days = RECURRENCE_DAYS_MAX;
    text_addf(&ours, "%s from %s: ", rule, start);
    text_addf(&theirs, "%s from %s: ", rule, start);
    assert_null(recurrence_follow(&followed, begin, followed.until, YEARS, &days, add_day, &ours));
    by_libical(&theirs, rule, begin);
    assert_string_equal(ours.data, theirs.data);
    text_finish(&ours);
    text_finish(&theirs);
}

static const char *const STARTS[] = {"20260901T083000", "20240229T083000", "20251231T000000", "19991101T235959",
                                     "20260902"};

static void days_are_those_of_the_library(void **state)
{
    static const char *const RULES[] = {
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=3;COUNT=1000",
        "FREQ=DAILY;UNTIL=20270101T083000Z",
        "FREQ=DAILY;UNTIL=20280228T082959Z",
        "FREQ=DAILY;UNTIL=20280229",
        "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;BYMONTH=9,10,11,12",
        "FREQ=DAILY;BYMONTHDAY=13,30",
        "FREQ=WEEKLY",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,SU",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,SU;WKST=SU",
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=TU,SA;WKST=TH;COUNT=300",
        "FREQ=WEEKLY;BYMONTH=5,9;BYDAY=FR",
        "FREQ=MONTHLY",
        "FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=1,15,31",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=MONTHLY;BYDAY=2MO,-1FR",
        "FREQ=MONTHLY;BYDAY=5WE;INTERVAL=2;COUNT=20",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,3,-2;BYMONTH=1,2,9",
        "FREQ=YEARLY",
        "FREQ=YEARLY;INTERVAL=4;COUNT=9",
        "FREQ=YEARLY;BYMONTH=2,9",
        "FREQ=YEARLY;BYMONTH=9;BYMONTHDAY=1",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=YEARLY;BYDAY=MO",
        "FREQ=YEARLY;BYDAY=20MO,-53TH,-1SU",
        "FREQ=YEARLY;BYDAY=1MO,-1FR;BYMONTH=3,5",
        "FREQ=YEARLY;BYDAY=TH;BYMONTH=11;BYMONTHDAY=22,23,24,25,26,27,28",
        "FREQ=YEARLY;BYDAY=MO,TU;BYMONTH=10;BYSETPOS=2,-2",
    };
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; ++i)
        for (size_t s = 0; s < sizeof STARTS / sizeof *STARTS; ++s)
            assert_same(RULES[i], STARTS[s]);
}

/* Where the library errs: the RFC's own examples, and what it says of lists that expand or count from the end. */
static void days_are_those_of_the_rfc(void **state)
{
    static const struct {
        const char *rule, *start, *days;
        struct window window;
    } CASES[] = {
        {"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
         "19970805T090000",
         "19970805 19970810 19970819 19970824 ",
         {19970101, 19971231}},
        {"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
         "19970805T090000",
         "19970805 19970817 19970819 19970831 ",
         {19970101, 19971231}},
        {"FREQ=WEEKLY;INTERVAL=3;BYDAY=SU", "20260105T083000", "20260830 ", {20260818, 20260915}},
        {"FREQ=DAILY;BYMONTHDAY=-1", "20260105T083000", "20260228 20260331 ", {20260202, 20260401}},
        {"FREQ=YEARLY;BYMONTHDAY=-2,1", "20260105T083000", "20280201 20280228 20280301 ", {20280201, 20280302}},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct icalrecurrencetype rule = icalrecurrencetype_from_string(CASES[i].rule);
        struct text out = TEXT_INIT;
        int64_t days = RECURRENCE_DAYS_MAX;
        assert_null(recurrence_follow(&rule, icaltime_from_string(CASES[i].start), rule.until, CASES[i].window, &days,
                                      add_day, &out));
        assert_string_equal(out.data, CASES[i].days);
        text_finish(&out);
    }
}

static uint32_t drawn = 7;

static unsigned draw(unsigned below)
{
    drawn = drawn * 1664525u + 1013904223u;
    return (drawn >> 8) % below;
}

/* Rules that fit a day now and then, so that the library ends. */
static void draw_rule(struct text *rule)
{
    static const char *const FREQUENCIES[] = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"};
    static const char *const DAYS[] = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};
    unsigned freq = draw(4), months = draw(3), weekdays = draw(4), monthdays = freq == 1 || weekdays != 0 ? 0 : draw(3);
    months += freq == 3 && months == 0 && monthdays != 0;
    text_addf(rule, "FREQ=%s;INTERVAL=%u;WKST=%s", FREQUENCIES[freq], freq == 1 ? 1 : 1 + draw(4), DAYS[draw(7)]);
    for (unsigned i = 0; i < months; ++i)
        text_addf(rule, "%s%u", i == 0 ? ";BYMONTH=" : ",", 1 + i * 6 + draw(6));
    for (unsigned i = 0; i < weekdays; ++i) {
        text_adds(rule, i == 0 ? ";BYDAY=" : ",");
        if (freq > 1 && draw(2) == 0)
            text_addf(rule, "%s%u", draw(2) == 0 ? "-" : "", 1 + draw(4));
        text_adds(rule, DAYS[2 * i + draw(2)]);
    }
    for (unsigned i = 0; i < monthdays; ++i)
        text_addf(rule, "%s%u", i == 0 ? ";BYMONTHDAY=" : ",", 1 + 14 * i + draw(14));
    if (freq > 1 && weekdays > 1 && draw(2) == 0)
        text_adds(rule, draw(2) == 0 ? ";BYSETPOS=1" : ";BYSETPOS=-1");
    if (draw(3) == 0)
        text_addf(rule, ";COUNT=%u", 1 + draw(400));
}

static void drawn_rules_are_those_of_the_library(void **state)
{
    for (int i = 0; i < 200; ++i) { /* 2 000 once: 23 s under ASan */
        struct text rule = TEXT_INIT;
        draw_rule(&rule);
        assert_same(rule.data, "20260105T083000");
        text_finish(&rule);
    }
}

static void refused(void **state)
{
    static const char *const RULES[] = {
        "FREQ=SECONDLY",
        "FREQ=HOURLY;COUNT=3",
        "FREQ=DAILY;BYHOUR=8,10",
        "FREQ=DAILY;BYMINUTE=0,1,2",
        "FREQ=YEARLY;BYWEEKNO=20",
        "FREQ=YEARLY;BYYEARDAY=100",
        "FREQ=WEEKLY;BYMONTHDAY=5",
        "FREQ=WEEKLY;BYDAY=2MO",
        "RSCALE=CHINESE;FREQ=YEARLY",
        "FREQ=MONTHLY;INTERVAL=0",
        "",
    };
    int64_t days = RECURRENCE_DAYS_MAX;
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; ++i) {
        struct text out = TEXT_INIT;
        struct icalrecurrencetype rule = icalrecurrencetype_from_string(RULES[i]);
        assert_non_null(
            recurrence_follow(&rule, icaltime_from_string(STARTS[0]), rule.until, WINDOW, &days, add_day, &out));
        assert_null(out.data);
        free(rule.rscale);
    }
}

#define BEGIN "BEGIN:VCALENDAR\r\n"
#define END "END:VCALENDAR\r\n"
#define EVENT(lines) "BEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260901T083000\r\nSUMMARY:A\r\n" lines "END:VEVENT\r\n"

static size_t records_of(const char *text, size_t *faults, const char **refusal)
{
    struct reading reading;
    reading_init(&reading, WINDOW);
    *refusal = icalendar_read_records(&reading, text, strlen(text), "c7", "Europe/Moscow");
    reading_end(&reading);
    size_t n = reading.n;
    *faults = reading.n_faults;
    reading_finish(&reading);
    return n;
}

/* Each of these once held the bridge for good, or for minutes. */
static void no_rule_holds_the_bridge(void **state)
{
    static const struct {
        const char *lines;
        size_t records, faults;
    } CASES[] = {
        /* the 30th of February; a day that is none in any year that the interval meets */
        {EVENT("RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30\r\n"), 0, 0},
        {EVENT("RRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30\r\n"), 0, 0},
        {EVENT("RRULE:FREQ=YEARLY;BYDAY=MO;BYSETPOS=366\r\n"), 0, 0},
        {EVENT("RRULE:FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31\r\n"), 0, 0},
        {EVENT("RRULE:FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9;BYMINUTE=0,1,2,3,4;BYSECOND=0,1,2;BYMONTH=2;BYMONTHDAY="
               "30\r\n"),
         0, 1},
        {EVENT("RRULE:RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=12L;BYMONTHDAY=30;SKIP=OMIT\r\n"), 0, 1},
        {EVENT("RRULE:FREQ=DAILY;INTERVAL=32767;UNTIL=99991231T235959Z\r\n"), 1, 0},
        /* further dates: between them other lines are asked for, which moved the place where they were read */
        {EVENT("EXDATE:20260903T083000\r\nRDATE:20260903T083000\r\nRDATE:20260904T083000\r\n"), 2, 0},
        {EVENT("LAST-MODIFIED:20260801T000000Z\r\nRDATE:20260903T083000\r\nRDATE:20260904T083000\r\n"), 3, 0},
        /* a zone of its own with such a rule */
        {"BEGIN:VTIMEZONE\r\nTZID:z\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nRRULE:FREQ=DAILY;BYMONTH=2;"
         "BYMONTHDAY=30\r\n"
         "TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
         "BEGIN:VEVENT\r\nUID:z\r\nDTSTART;TZID=z:20260901T083000\r\nDTEND;TZID=z:20260901T091500\r\n"
         "RRULE:FREQ=DAILY;UNTIL=20260902T235959Z\r\nEXDATE;TZID=z:20260902T083000\r\nEND:VEVENT\r\n",
         1, 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct text text = TEXT_INIT;
        const char *refusal;
        size_t faults;
        text_addf(&text, BEGIN "%s" END, CASES[i].lines);
        assert_int_equal(records_of(text.data, &faults, &refusal), CASES[i].records);
        assert_null(refusal);
        assert_int_equal(faults, CASES[i].faults);
        text_finish(&text);
    }
}

static void repeat(struct text *out, const char *what, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        text_adds(out, what);
}

/* Of each bound what is just within it and what is beyond. */
static void no_shape_holds_the_bridge(void **state)
{
    static const struct {
        const char *before, *what, *after;
        size_t within;
    } CASES[] = {
        {"", "BEGIN:VEVENT\nEND:VEVENT\n", "", ICALENDAR_COMPONENTS_MAX - 1},
        {"BEGIN:VEVENT\n", "DTSTART:x\n", "END:VEVENT\n", ICALENDAR_LINES_MAX},
        {"BEGIN:VEVENT\nSUMMARY", ";9=", ":a\nEND:VEVENT\n", ICALENDAR_PARAMETERS_MAX},
        {"BEGIN:VEVENT\nDTSTART;TZID=a:1;", ";9=", ":a\nEND:VEVENT\n", ICALENDAR_PARAMETERS_MAX - 2},
        {"BEGIN:VEVENT\nSUMMARY;X=\":\"", ";9=", ":a\nEND:VEVENT\n", ICALENDAR_PARAMETERS_MAX - 1},
        {"BEGIN:VEVENT\nSUMMARY:", "a\n ", "\nEND:VEVENT\n", ICALENDAR_LINE_BYTES_MAX / 2 - 100},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        for (int beyond = 0; beyond < 2; ++beyond) {
            struct text text = TEXT_INIT;
            text_addf(&text, "BEGIN:VCALENDAR\n%s", CASES[i].before);
            repeat(&text, CASES[i].what, CASES[i].within + (beyond ? 200 : 0));
            text_addf(&text, "%sEND:VCALENDAR\n", CASES[i].after);
            const char *fault = icalendar_shape_fault(text.data);
            assert_int_equal(fault != NULL, beyond);
            text_finish(&text);
        }
    static const char *const BAD[] = {
        "END:VCALENDAR\n", "A:b\n", "BEGIN:A\nEND:B\n", "BEGIN:A\n",
        "BEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\nBEGIN:A\n"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; ++i)
        assert_non_null(icalendar_shape_fault(BAD[i]));
    assert_null(icalendar_shape_fault("\r\nbegin:A \r\nDESCRIPTION:a\\;b;c\r\n d\r\n\r\nend:a\r\n\r\n"));
}

/* A rule that counts from the year 1 is named, and takes nothing from the others; 9 000 such take what all have. */
static void rules_share_a_bound(void **state)
{
    struct text text = TEXT_INIT;
    const char *refusal;
    size_t faults;
    text_adds(&text, BEGIN);
    repeat(&text, "BEGIN:VEVENT\nUID:a\nDTSTART:00010101T080000\nRRULE:FREQ=DAILY;COUNT=99999999\nEND:VEVENT\n", 9000);
    text_adds(&text, END);
    records_of(text.data, &faults, &refusal);
    assert_null(refusal);
    assert_int_equal(faults, 9000);
    text_clear(&text);
    text_adds(&text,
              BEGIN "BEGIN:VEVENT\nUID:a\nDTSTART:00010101T080000\nRRULE:FREQ=DAILY;COUNT=99999999\nEND:VEVENT\n"
                    "BEGIN:VEVENT\nUID:b\nDTSTART:20250901T080000\nRRULE:FREQ=WEEKLY;COUNT=53\nEND:VEVENT\n" END);
    assert_int_equal(records_of(text.data, &faults, &refusal), 2);
    assert_int_equal(faults, 1);
    text_finish(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_are_those_of_the_library),
        cmocka_unit_test(days_are_those_of_the_rfc),
        cmocka_unit_test(drawn_rules_are_those_of_the_library),
        cmocka_unit_test(refused),
        cmocka_unit_test(no_rule_holds_the_bridge),
        cmocka_unit_test(no_shape_holds_the_bridge),
        cmocka_unit_test(rules_share_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
