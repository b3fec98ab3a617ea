/* What people read of the diary, and the words by which they choose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "appservice/diary/notice_text.h"
#include "appservice/diary/schedule.h"
#include "appservice/diary/settings.h"
#include "appservice/diary/talk.h"

#define RECORD(...) (&(struct record){.id = "1", .day = 20260901, __VA_ARGS__})

/* What a case does not say is "", as in every reading. */
static const struct notice_item *filled(const struct notice_item *items, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        struct record *r = (struct record *)items[i].record;
        if (r == NULL)
            continue;
        const char **const texts[] = {&r->group, &r->subject, &r->value,  &r->weight,
                                      &r->work,  &r->comment, &r->author, &r->link};
        for (size_t t = 0; t < sizeof texts / sizeof *texts; ++t)
            *texts[t] = *texts[t] != NULL ? *texts[t] : "";
    }
    return items;
}

static void messages(void **state)
{
    static const char *const HOSTS[] = {"dnevnik.ru"};
    static const struct notice_links LINKS = {HOSTS, 1, NULL};
    const struct {
        enum notice_language language;
        struct notice_item items[3];
        size_t n;
        const char *text;
    } CASES[] = {
        {NOTICE_RUSSIAN,
         {{"Анна", CHANGE_NEW, RECORD(.subject = "Алгебра", .value = "5", .work = "дроби")}},
         1,
         "Анна\nАлгебра, 1 сентября: 5, дроби\n"},
        {NOTICE_ENGLISH,
         {{"Anna", CHANGE_CHANGED, RECORD(.subject = "Algebra", .value = "4", .comment = "see page 5")}},
         1,
         "Anna\nAlgebra, 1 September: 4, see page 5 (corrected)\n"},
        /* several marks of one lesson: one line */
        {NOTICE_RUSSIAN,
         {{"Анна", CHANGE_NEW, RECORD(.subject = "Алгебра", .value = "5", .work = "дроби")},
          {"Анна", CHANGE_NEW, RECORD(.subject = "Химия", .value = "4")},
          {"Анна", CHANGE_NEW, RECORD(.subject = "Алгебра", .value = "3", .work = "у доски")}},
         3,
         "Анна\nАлгебра, 1 сентября: 5, дроби; 3, у доски\nХимия, 1 сентября: 4\n"},
        {NOTICE_RUSSIAN,
         {{NULL, CHANGE_NEW, RECORD(.kind = RECORD_HOMEWORK, .subject = "Алгебра", .comment = "№ 5")}},
         1,
         "Алгебра, 1 сентября, домашнее задание: № 5\n"},
        {NOTICE_ENGLISH,
         {{NULL, CHANGE_CHANGED, RECORD(.kind = RECORD_LESSON, .subject = "Algebra", .value = "cancelled")}},
         1,
         "Algebra, 1 September, lesson: cancelled (corrected)\n"},
        {NOTICE_RUSSIAN,
         {{"Анна", CHANGE_NEW, RECORD(.kind = RECORD_ABSENCE, .value = "ill")}},
         1,
         "Анна\nотсутствие, 1 сентября: болеет\n"},
        /* links only to the diary's own host; what would turn the text is shown, not done */
        {NOTICE_ENGLISH,
         {{"A", CHANGE_NEW, RECORD(.subject = "S", .value = "5", .link = "https://schools.dnevnik.ru/x")}},
         1,
         "A\nS, 1 September: 5\nhttps://schools.dnevnik.ru/x\n"},
        {NOTICE_ENGLISH,
         {{"A", CHANGE_NEW, RECORD(.subject = "S", .value = "5", .link = "https://evildnevnik.ru/x")}},
         1,
         "A\nS, 1 September: 5\n"},
        {NOTICE_ENGLISH,
         {{"A", CHANGE_NEW, RECORD(.subject = "S", .value = "5", .link = "https://evil@dnevnik.ru/")}},
         1,
         "A\nS, 1 September: 5\n"},
        {NOTICE_ENGLISH,
         {{"A", CHANGE_NEW, RECORD(.subject = "S", .value = "5", .link = "http://dnevnik.ru/")}},
         1,
         "A\nS, 1 September: 5\n"},
        {NOTICE_ENGLISH,
         {{"A", CHANGE_NEW, RECORD(.subject = "S", .value = "5\u202e")}},
         1,
         "A\nS, 1 September: 5\\u202e\n"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct text out = TEXT_INIT;
        notice_add_message(&out, CASES[i].language, filled(CASES[i].items, CASES[i].n), CASES[i].n, &LINKS);
        assert_string_equal(out.data, CASES[i].text);
        text_finish(&out);
    }
}

/* I3: each notice leads to the diary, and nowhere else. */
static void links(void **state)
{
    static const char *const HOSTS[] = {"dnevnik.ru", "schools.by"};
    static const struct {
        const char *own, *otherwise, *link;
    } CASES[] = {{"https://dnevnik.ru/1", "https://schools.by/", "https://dnevnik.ru/1\n"},
                 {"", "https://schools.by/", "https://schools.by/\n"},
                 {"https://elsewhere.example/", "https://schools.by/", "https://schools.by/\n"},
                 {"https://a.dnevnik.ru:8443?1", "https://schools.by/", "https://a.dnevnik.ru:8443?1\n"},
                 {"https://DNEVNIK.ru", "https://schools.by/", "https://DNEVNIK.ru\n"},
                 /* a client or a browser would end the host elsewhere */
                 {"https://evil.example .dnevnik.ru/", "https://schools.by/", "https://schools.by/\n"},
                 {"https://evil.example\\.dnevnik.ru/", "https://schools.by/", "https://schools.by/\n"},
                 {"https://evil.example<.dnevnik.ru/", "https://schools.by/", "https://schools.by/\n"},
                 {"https://evil.example,.dnevnik.ru/", "https://schools.by/", "https://schools.by/\n"},
                 {"https://evil.example\u3002dnevnik.ru/", "https://schools.by/", "https://schools.by/\n"},
                 {"https://dnevnik.ru:443@evil.example/", "https://schools.by/", "https://schools.by/\n"},
                 {"https://dnevnik.ru:x", "https://schools.by/", "https://schools.by/\n"},
                 {"https://dnevnik.ru/ https://evil.example/", "https://schools.by/", "https://schools.by/\n"},
                 {"https://nik.ru/", "https://schools.by/", "https://schools.by/\n"},
                 {"", "https://elsewhere.example/", ""},
                 {"", "http://schools.by/", ""},
                 {"", NULL, ""}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        const struct notice_links all = {HOSTS, 2, CASES[i].otherwise};
        const struct notice_item item = {"A", CHANGE_NEW, RECORD(.subject = "S", .value = "5", .link = CASES[i].own)};
        struct text out = TEXT_INIT;
        notice_add_message(&out, NOTICE_ENGLISH, filled(&item, 1), 1, &all);
        assert_string_equal(out.data + strlen("A\nS, 1 September: 5\n"), CASES[i].link);
        text_finish(&out);
    }
}

static void digests(void **state)
{
    static const char ANNA[] = "Анна", IVAN[] = "Иван", OTHER_IVAN[] = "Иван", *const HOSTS[] = {"dnevnik.ru"};
    const struct notice_links LINKS = {HOSTS, 1, NULL};
    const struct notice_item items[] = {
        {ANNA, CHANGE_NEW, RECORD(.subject = "Алгебра", .value = "5")},
        {ANNA, CHANGE_NEW, RECORD(.subject = "Алгебра", .value = "4")},
        {ANNA, CHANGE_NEW, NULL}, /* what only the diary shows */
        {IVAN, CHANGE_CHANGED, RECORD(.subject = "Алгебра", .value = "3", .link = "https://dnevnik.ru/1")},
        {OTHER_IVAN, CHANGE_NEW, RECORD(.subject = "Химия", .value = "3", .link = "https://dnevnik.ru/2")},
        {OTHER_IVAN, CHANGE_NEW, NULL},
    };
    struct text out = TEXT_INIT;
    notice_add_digest(&out, NOTICE_RUSSIAN, true, filled(items, 6), 6, &LINKS);
    assert_string_equal(out.data,
                        "Дневник за неделю\n\nАнна\nАлгебра, 1 сентября: 5; 4\nновых записей в дневнике: 1\n\nИван\n"
                        "Алгебра, 1 сентября: 3 (исправлено)\n\nИван\nХимия, 1 сентября: 3\n"
                        "новых записей в дневнике: 1\nhttps://dnevnik.ru/1\n");
    text_clear(&out);
    notice_add_digest(&out, NOTICE_ENGLISH, false, items, 0, &LINKS);
    assert_string_equal(out.data, "The diary of the day\n");
    text_finish(&out);
}

static void choices(void **state)
{
    static const struct {
        const char *words;
        enum notice_choice choice;
        enum notice_language language;
    } CASES[] = {
        {"marks now", CHOICE_MARKS_NOW, NOTICE_ENGLISH},
        {"  Marks   NOW. \n", CHOICE_MARKS_NOW, NOTICE_ENGLISH},
        {"Оценки сразу", CHOICE_MARKS_NOW, NOTICE_RUSSIAN},
        {"оценки раз в день", CHOICE_MARKS_DAILY, NOTICE_RUSSIAN},
        {"ОЦЕНКИ РАЗ В НЕДЕЛЮ", CHOICE_MARKS_WEEKLY, NOTICE_RUSSIAN},
        {"off", CHOICE_OFF, NOTICE_ENGLISH},
        {"On.", CHOICE_ON, NOTICE_ENGLISH},
        {"Включить", CHOICE_ON, NOTICE_RUSSIAN},
        {"ВЫКЛЮЧИТЬ", CHOICE_OFF, NOTICE_RUSSIAN},
        {"Помощь", CHOICE_HELP, NOTICE_RUSSIAN},
        {"", CHOICE_NONE, NOTICE_RUSSIAN},
        {"...", CHOICE_NONE, NOTICE_RUSSIAN},
        {"marks now please", CHOICE_NONE, NOTICE_RUSSIAN},
        {"offoff", CHOICE_NONE, NOTICE_RUSSIAN},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        enum notice_language language;
        assert_int_equal(notice_choice_of(CASES[i].words, &language), CASES[i].choice);
        assert_int_equal(language, CASES[i].language);
    }
    for (int choice = CHOICE_NONE; choice < CHOICE__COUNT; ++choice)
        for (int language = 0; language < 2; ++language) {
            const char *answer = notice_answer((enum notice_choice)choice, (enum notice_language)language);
            assert_true(*answer != '\0' && strchr(answer, '!') == NULL);
        }
}

static void timetables(void **state)
{
    const struct notice_item items[] = {
        {NULL, CHANGE_NEW,
         RECORD(.kind = RECORD_LESSON, .value = "10:00–10:45", .subject = "Химия", .comment = "каб. 5")},
        {NULL, CHANGE_NEW, RECORD(.kind = RECORD_LESSON, .value = "9:00–9:45", .subject = "Алгебра")},
        {NULL, CHANGE_NEW, RECORD(.kind = RECORD_LESSON, .value = "cancelled", .subject = "Труд")},
    };
    const struct record *records[3];
    struct text out = TEXT_INIT;
    for (size_t i = 0; i < 3; ++i)
        records[i] = filled(items, 3)[i].record;
    notice_add_timetable(&out, NOTICE_RUSSIAN, 20260902, records, 3);
    assert_string_equal(out.data, "Расписание на завтра, 2 сентября\nотменён Труд\n9:00–9:45 Алгебра\n"
                                  "10:00–10:45 Химия, каб. 5\n");
    text_finish(&out);
}

static void reasons(void **state)
{
    static const struct {
        const char *words;
        int reason;
    } CASES[] = {{"1", 0},
                 {" 2. ", 1},
                 {"3\xEF\xB8\x8F\xE2\x83\xA3", 2},
                 {"4\xE2\x83\xA3", 3},
                 {"У ВРАЧА", 1},
                 {"Is ill", 0},
                 {"0", REASON_NONE},
                 {"6", REASON_NONE},
                 {"12", REASON_NONE},
                 {"", REASON_NONE},
                 {"болеет ли", REASON_NONE},
                 {"👍", REASON_NONE}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        assert_int_equal(notice_reason_of(CASES[i].words), CASES[i].reason);
    for (int language = 0; language < 2; ++language) {
        struct text list = TEXT_INIT;
        notice_add_reasons(&list, (enum notice_language)language);
        for (int i = 0; i < REASONS; ++i) { /* what the list says is understood, and so is its reaction */
            struct text out = TEXT_INIT;
            notice_add_reason(&out, (enum notice_language)language, "A B", 20260901, i, "C D");
            char *reason = strstr(out.data, ": ") + 2, *end = strchr(reason, '\n');
            *end = '\0';
            assert_non_null(strstr(list.data, reason));
            if (strstr(reason, "’") == NULL)
                assert_int_equal(notice_reason_of(reason), i);
            assert_int_equal(notice_reason_of(notice_reason_key(i)), i);
            text_finish(&out);
        }
        text_finish(&list);
    }
}

/* What somebody wrote themselves, and what becomes of what they chose. */
static void own_words(void **state)
{
    static const struct {
        const char *body, *own;
    } CASES[] = {{"help", "help"},
                 {"> <@a:s> x\n> y\n\nhelp", "help"},
                 {"> only a quote", ""},
                 {">", ""},
                 {"", ""},
                 {"\nhelp", "\nhelp"},
                 {"> a\nb", "b"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char *own = talk_own_words(CASES[i].body);
        assert_string_equal(own, CASES[i].own);
        free(own);
    }
}

static void what_is_chosen(void **state)
{
    static const struct {
        struct person before;
        enum notice_choice choice;
        struct person after;
    } CASES[] = {
        {{PACE_NOW}, CHOICE_MARKS_DAILY, {PACE_DAILY}},        {{PACE_DAILY}, CHOICE_OFF, {PACE_DAILY, true}},
        {{PACE_DAILY, true}, CHOICE_ON, {PACE_DAILY}},         {{PACE_DAILY, true}, CHOICE_HELP, {PACE_DAILY, true}},
        {{PACE_DAILY, true}, CHOICE_NONE, {PACE_DAILY, true}}, {{PACE_NOW, true}, CHOICE_MARKS_WEEKLY, {PACE_WEEKLY}},
        {{PACE_WEEKLY}, CHOICE_MARKS_NOW, {PACE_NOW}},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct person person = CASES[i].before;
        talk_choose(&person, CASES[i].choice, true);
        assert_int_equal(person.pace, CASES[i].after.pace);
        assert_int_equal(person.off, CASES[i].after.off);
        assert_int_equal(person.english, CASES[i].choice != CHOICE_NONE);
    }
}

/* Monday, 31 August 2026, 15:00 UTC. */
#define MONDAY_MS INT64_C(1788188400000)
#define HOURS(n) ((n)*INT64_C(3600000))

static void the_schools_clock(void **state)
{
    const int64_t offset = HOURS(3);
    int64_t evening = schedule_evening(MONDAY_MS, offset, 18), week = schedule_week(MONDAY_MS, offset, 18, 1);
    assert_int_equal(schedule_day_after(evening), 20260901);
    assert_int_equal(schedule_evening(MONDAY_MS - 1, offset, 18), evening - 1);
    assert_int_equal(schedule_evening(MONDAY_MS + HOURS(24) - 1, offset, 18), evening);
    assert_int_equal(schedule_evening(MONDAY_MS + HOURS(24), offset, 18), evening + 1);
    assert_int_equal(schedule_evening(MONDAY_MS, -HOURS(5), 18), evening - 1);
    assert_int_equal(schedule_week(MONDAY_MS - 1, offset, 18, 1), week - 1);
    for (int day = 0; day < 14; ++day) /* each weekday begins one week in seven days, at its hour */
        for (int weekday = 1; weekday <= 7; ++weekday) {
            int64_t now_ms = MONDAY_MS + HOURS(24 * day);
            bool begins = schedule_week(now_ms, offset, 18, weekday) != schedule_week(now_ms - 1, offset, 18, weekday);
            assert_int_equal(begins, day % 7 + 1 == weekday);
        }
}

/* The bridge's configuration is refused where it says what cannot be, and nothing of it is left out in silence. */
static void what_the_configuration_may_say(void **state)
{
#define SCHOOL(rest) "school: {token_file: /t, " rest "}\n"
    static const struct {
        const char *yaml, *problem; /* the end of it; NULL: it is read */
    } CASES[] = {
        {SCHOOL("url: 'https://m', id: s1"), NULL},
        {SCHOOL("url: 'httpm', id: s1"), "school.url: it is an http:// or https:// address"},
        {SCHOOL("url: 'http://m', id: ' '"), "school.id: it is one to 32 sourcedIds with spaces between"},
        {SCHOOL("url: 'http://m', id: '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 "
                "30 31 32'"),
         NULL},
        {SCHOOL("url: 'http://m', id: '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 "
                "30 31 32 33'"),
         "school.id: it is one to 32 sourcedIds with spaces between"},
        {SCHOOL("url: 'http://m', id: s1, utc_offset: '-09:30'"), NULL},
        {SCHOOL("url: 'http://m', id: s1, utc_offset: '+ 3:00'"), "school.utc_offset: it is written as +03:00"},
        {SCHOOL("url: 'http://m', id: s1, utc_offset: '+03:+5'"), "school.utc_offset: it is written as +03:00"},
        {SCHOOL("url: 'http://m', id: s1, utc_offset: '+15:00'"), "school.utc_offset: it is written as +03:00"},
        {SCHOOL("url: 'http://m', id: s1") "matrix: {bridge_url: 'httpb'}",
         "matrix.bridge_url: it is an http:// or https:// address"},
        {SCHOOL("url: 'http://m', id: s1") "listen: {metrics_open: true, address: 0.0.0.0}",
         "listen.metrics_open: listen.address is not of this machine alone"},
        {SCHOOL("url: 'http://m', id: s1") "csv: {file: \"/e\\n\"}", "csv.file holds control characters."},
    };
#undef SCHOOL
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct text problem = TEXT_INIT;
        struct diary_settings *s = diary_settings_parse("f", CASES[i].yaml, strlen(CASES[i].yaml), &problem);
        assert_int_equal(s != NULL, CASES[i].problem == NULL);
        if (CASES[i].problem != NULL)
            assert_string_equal(problem.data + problem.len - strlen(CASES[i].problem), CASES[i].problem);
        diary_settings_free(s);
        text_finish(&problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),          cmocka_unit_test(digests),
        cmocka_unit_test(choices),           cmocka_unit_test(own_words),
        cmocka_unit_test(timetables),        cmocka_unit_test(links),
        cmocka_unit_test(reasons),           cmocka_unit_test(what_is_chosen),
        cmocka_unit_test(the_schools_clock), cmocka_unit_test(what_the_configuration_may_say)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
