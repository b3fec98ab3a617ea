/* The diary bridge's adapters: what diaries answer, good and hostile, as records. */
#include "tests/unit/diary_world.h"

#include <jansson.h>
#include <sodium.h>

#include "appservice/diary/dnevnik.h"
#include "appservice/diary/icalendar.h"
#include "appservice/diary/oneroster.h"
#include "appservice/diary/webhook.h"

/* Records as lines "kind id pupils group subject day value|comment". */
static void render(const struct reading *reading, char *out, size_t size)
{
    *out = '\0';
    for (size_t i = 0; i < reading->n; ++i) {
        const struct record *r = &reading->records[i];
        snprintf(out + strlen(out), size - strlen(out), "%s %s %s %s %s %d %s|%s\n", record_kind_name(r->kind), r->id,
                 r->n_pupils != 0 ? r->pupils[0] : "-", *r->group != '\0' ? r->group : "-", r->subject, r->day,
                 r->value, r->comment);
    }
}

static void assert_reads(struct reading *reading, const char *expected, size_t faults)
{
    char got[4096];
    reading_end(reading);
    render(reading, got, sizeof got);
    assert_string_equal(got, expected);
    assert_int_equal(reading->n_faults, faults);
    reading_finish(reading);
}

#define CALENDAR(events) "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t\r\n" events "END:VCALENDAR\r\n"
#define EVENT(lines) "BEGIN:VEVENT\r\n" lines "END:VEVENT\r\n"

static void calendars(void **state)
{
    static const struct {
        const char *text, *records;
        size_t faults;
    } CASES[] = {
        /* plain, floating time */
        {CALENDAR(
             EVENT("UID:a\r\nDTSTART:20260901T083000\r\nDTEND:20260901T091500\r\nSUMMARY:Algebra\r\nLOCATION:12\r\n")),
         "lesson c7/a/20260901T083000 - c7 Algebra 20260901 08:30–09:15|12\n", 0},
        /* UTC is shown as the school's clock; near midnight that is another day */
        {CALENDAR(EVENT("UID:a\r\nDTSTART:20260901T220000Z\r\nSUMMARY:Night\r\n")),
         "lesson c7/a/20260901T220000 - c7 Night 20260902 01:00|\n", 0},
        /* a zone by name */
        {CALENDAR(EVENT("UID:a\r\nDTSTART;TZID=Asia/Omsk:20260901T083000\r\nSUMMARY:Algebra\r\n")),
         "lesson c7/a/20260901T083000 - c7 Algebra 20260901 08:30|\n", 0},
        /* weekly, one time left out, one moved to another day, one cancelled */
        {CALENDAR(
             EVENT("UID:a\r\nDTSTART:20260818T083000\r\nRRULE:FREQ=WEEKLY\r\nEXDATE:20260825T083000\r\nSUMMARY:"
                   "Algebra\r\n")
                 EVENT("UID:a\r\nRECURRENCE-ID:20260901T083000\r\nDTSTART:20260902T100000\r\nSUMMARY:Algebra\r\n")
                     EVENT("UID:a\r\nRECURRENCE-ID:20260908T083000\r\nDTSTART:20260908T083000\r\nSTATUS:CANCELLED\r\n"
                           "SUMMARY:Algebra\r\n")),
         "lesson c7/a/20260818T083000 - c7 Algebra 20260818 08:30|\n"
         "lesson c7/a/20260901T083000 - c7 Algebra 20260902 10:00|\n"
         "lesson c7/a/20260908T083000 - c7 Algebra 20260908 cancelled|\n"
         "lesson c7/a/20260915T083000 - c7 Algebra 20260915 08:30|\n",
         0},
        /* a to-do is homework */
        {CALENDAR("BEGIN:VTODO\r\nUID:h\r\nDUE:20260903T000000\r\nSUMMARY:Work\r\nDESCRIPTION:No. 5\r\nEND:VTODO\r\n"),
         "homework c7/h - c7  20260903 |No. 5\n", 0},
        /* each second for ever; each week since 1900; no end before the beginning */
        {CALENDAR(EVENT("UID:a\r\nDTSTART:20260901T083000\r\nRRULE:FREQ=SECONDLY\r\nSUMMARY:x\r\n")), "", 1},
        {CALENDAR(EVENT("UID:a\r\nDTSTART:19000101T083000\r\nRRULE:FREQ=WEEKLY;INTERVAL=4\r\nSUMMARY:x\r\n")),
         "lesson c7/a/20260824T083000 - c7 x 20260824 08:30|\n", 0},
        {CALENDAR(EVENT("UID:a\r\nDTSTART:20260901T083000\r\nSUMMARY:no end\r\nDTEND:20250901T083000\r\n")),
         "lesson c7/a/20260901T083000 - c7 no end 20260901 08:30|\n", 0},
        /* without a UID, without a start; out of the window */
        {CALENDAR(EVENT("DTSTART:20260901T083000\r\n") EVENT("UID:b\r\nSUMMARY:x\r\n")
                      EVENT("UID:c\r\nDTSTART:20270901T083000\r\n")),
         "", 2},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct reading reading;
        reading_init(&reading, WINDOW);
        assert_null(icalendar_read_records(&reading, CASES[i].text, strlen(CASES[i].text), "c7", "Europe/Moscow"));
        assert_reads(&reading, CASES[i].records, CASES[i].faults);
    }
    static const char *const NONE[] = {"", "<html>503</html>", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\n",
                                       "BEGIN:VCALENDAR\r\nX:\xff\r\nEND:VCALENDAR\r\n"};
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; ++i) {
        struct reading reading;
        reading_init(&reading, WINDOW);
        assert_non_null(icalendar_read_records(&reading, NONE[i], strlen(NONE[i]), "c7", "Europe/Moscow"));
        reading_finish(&reading);
    }
}

static void dnevnik_answers(void **state)
{
    static const char LESSONS[] = "[{\"id\":7,\"id_str\":\"1000000000000000007\",\"date\":\"2026-09-01T00:00:00\","
                                  "\"number\":2,\"subject\":{\"id\":3,"
                                  "\"name\":\"Алгебра\"},\"works\":[{\"id\":11,\"type\":\"Homework\",\"text\":\"№ "
                                  "5\",\"targetDate\":\"2026-09-03T00:00:00\"},"
                                  "{\"id\":12,\"type\":\"LessonTest\",\"text\":\"Дроби\"}]},"
                                  "{\"id\":8,\"date\":\"2026-09-02T00:00:00\",\"status\":\"Cancelled\",\"subject\":{"
                                  "\"id\":4,\"name\":\"Химия\"}},"
                                  "{\"date\":\"2026-09-02T00:00:00\"},\"x\",null]";
    static const char MARKS[] =
        "[{\"id\":5,\"id_str\":\"5\",\"textValue\":\"4+\",\"value\":\"4\",\"person\":21,\"person_str\":\"21\","
        "\"lesson_str\":\"1000000000000000007\",\"work\":12,\"date\":\"2026-09-01T00:00:00\"},"
        "{\"id\":6,\"value\":\"5\",\"person\":22,\"lesson\":8,\"date\":\"2026-09-02T00:00:00\"},"
        "{\"id\":9,\"value\":\"5\",\"lesson\":8,\"date\":\"2026-09-02T00:00:00\"},"
        "{\"id\":10,\"value\":5,\"person\":22,\"date\":\"2026-09-02T00:00:00\"},"
        "{\"id\":{},\"value\":\"5\",\"person\":[],\"date\":7}]";
    static const char LOG[] =
        "[{\"person\":21,\"personStr\":\"21\",\"lesson\":8,\"status\":\"Ill\",\"createdDate\":\"2026-09-02T09:00:00\"},"
        "{\"person\":22,\"lesson\":8,\"status\":\"Attend\",\"createdDate\":\"2026-09-02T09:00:00\"},"
        "{\"lesson\":8,\"status\":\"Absent\",\"createdDate\":\"2026-09-02T09:00:00\"}]";
    static const char PERSONS[] =
        "[{\"id\":21,\"id_str\":\"21\",\"firstName\":\"Анна\",\"lastName\":\"Ёлкина\"},{\"id\":\"\"}]";
    struct dnevnik_group group;
    struct reading reading;
    reading_init(&reading, WINDOW);
    dnevnik_group_init(&group, "900", "7А", "https://dnevnik.ru");
    assert_true(dnevnik_take_persons(&reading, &group, PERSONS, strlen(PERSONS)));
    assert_true(dnevnik_take_lessons(&reading, &group, LESSONS, strlen(LESSONS)));
    dnevnik_add_lessons(&reading, &group);
    assert_true(dnevnik_take_marks(&reading, &group, MARKS, strlen(MARKS)));
    assert_true(dnevnik_take_log_entries(&reading, &group, LOG, strlen(LOG)));
    assert_int_equal(reading.n_people, 1);
    assert_string_equal(reading.people[0].class_title, "7А");
    for (size_t i = 0; i < reading.n; ++i)
        assert_true(strcmp(reading.records[i].id, "mark-5") != 0 || strcmp(reading.records[i].work, "Дроби") == 0);
    assert_int_equal(json_object_size(group.subjects), 2);
    static const char *const NONE[] = {"", "{}", "<html>", "[{\"id\":1}", "[{\"id\":1,\"id\":2}]"};
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; ++i)
        assert_false(dnevnik_take_marks(&reading, &group, NONE[i], strlen(NONE[i])));
    dnevnik_group_finish(&group);
    assert_reads(&reading,
                 "absence absence-8-21 21 900 Химия 20260902 ill|\n"
                 "lesson lesson-1000000000000000007 - 900 Алгебра 20260901 2|\n"
                 "lesson lesson-8 - 900 Химия 20260902 cancelled|\n"
                 "mark mark-5 21 900 Алгебра 20260901 4+|\n"
                 "mark mark-6 22 900 Химия 20260902 5|\n"
                 "homework work-11 - 900 Алгебра 20260903 |№ 5\n",
                 7);
}

/* Places and hours of lessons, by the first who has them; of lessons of others, or in other shapes, nothing. */
static void dnevnik_schedules(void **state)
{
    static const char LESSONS[] =
        "[{\"id\":7,\"id_str\":\"1000000000000000007\",\"date\":\"2026-09-01T00:00:00\",\"number\":2,\"subject\":{"
        "\"id\":3,"
        "\"name\":\"A\"},\"place\":\"1\"},"
        "{\"id\":8,\"date\":\"2026-09-02T00:00:00\",\"number\":1,\"subject\":{\"id\":4,\"name\":\"B\"}},"
        "{\"id\":9,\"date\":\"2026-09-02T00:00:00\",\"number\":3,\"status\":\"Cancelled\",\"subject\":{\"id\":4,"
        "\"name\":\"B\"}},"
        "{\"id\":10,\"date\":\"2026-09-02T00:00:00\",\"number\":4,\"subject\":{\"id\":4,\"name\":\"B\"}}]";
    static const struct {
        const char *body;
        bool good;
        size_t unplanned, faults;
    } CASES[] = {
        {"{\"days\":[{\"date\":\"2026-09-01T00:00:00\",\"lessons\":[{\"id\":7,\"id_str\":\"1000000000000000007\","
         "\"place\":\"каб. "
         "12\",\"hours\":\"08:30 - 09:15\"},{\"id\":77,\"place\":\"of another class\"}]}]}",
         true, 3, 0},
        {"[{\"lessons\":[{\"id\":8,\"place\":7,\"hours\":null},{\"id\":9,\"place\":\"13\"}]}]", true, 1, 0},
        {"{\"days\":[{\"lessons\":[{\"id\":8,\"place\":\"said later\"},7,null,{\"place\":\"x\"}]},7,{\"lessons\":{}}]}",
         true, 1, 2},
        {"{\"days\":{}}", false, 1, 2},
        {"<html>", false, 1, 2},
    };
    struct dnevnik_group group;
    struct reading reading;
    reading_init(&reading, WINDOW);
    dnevnik_group_init(&group, "900", "7А", "");
    assert_true(dnevnik_take_lessons(&reading, &group, LESSONS, strlen(LESSONS)));
    assert_int_equal(dnevnik_unplanned(&group), 4);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        assert_int_equal(dnevnik_take_schedule(&reading, &group, CASES[i].body, strlen(CASES[i].body)), CASES[i].good);
        assert_int_equal(dnevnik_unplanned(&group), CASES[i].unplanned);
        assert_int_equal(reading.n_faults, CASES[i].faults);
    }
    dnevnik_add_lessons(&reading, &group);
    dnevnik_group_finish(&group);
    assert_reads(&reading,
                 "lesson lesson-10 - 900 B 20260902 4|\n"
                 "lesson lesson-1000000000000000007 - 900 A 20260901 08:30 - 09:15|каб. 12\n"
                 "lesson lesson-8 - 900 B 20260902 1|\n"
                 "lesson lesson-9 - 900 B 20260902 cancelled|13\n",
                 2);
}

static void gradebook_items(void **state)
{
    static const struct {
        const char *item, *records;
        size_t faults;
    } CASES[] = {
        {"{\"sourcedId\":\"r1\",\"status\":\"active\",\"student\":{\"sourcedId\":\"p1\"},\"score\":4.5,\"scoreDate\":"
         "\"2026-09-01\","
         "\"comment\":\"c\"}",
         "mark r1 p1 - Algebra 20260901 4.5|c\n", 0},
        {"{\"sourcedId\":\"r1\",\"student\":{\"sourcedId\":\"p1\"},\"score\":5,\"textScore\":\"A\",\"scoreDate\":"
         "\"2026-09-01\"}",
         "mark r1 p1 - Algebra 20260901 A|\n", 0},
        {"{\"sourcedId\":\"r1\",\"status\":\"tobedeleted\",\"student\":{\"sourcedId\":\"p1\"},\"score\":5,"
         "\"scoreDate\":\"2026-09-01\"}",
         "", 0},
        {"{\"sourcedId\":\"r1\",\"student\":{\"sourcedId\":\"p1\"},\"scoreDate\":\"2026-09-01\"}", "",
         0}, /* not graded */
        {"{\"sourcedId\":\"r1\",\"student\":\"p1\",\"score\":5,\"scoreDate\":\"2026-09-01\"}", "", 1},
        {"{\"sourcedId\":\"r1\",\"student\":{\"sourcedId\":\"p1\"},\"score\":5,\"scoreDate\":\"soon\"}", "", 1},
        {"{\"sourcedId\":7,\"student\":{\"sourcedId\":\"p1\"},\"score\":5,\"scoreDate\":\"2026-09-01\"}", "", 1},
        {"[]", "", 0},
        {"7", "", 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct reading reading;
        json_t *item = json_loads(CASES[i].item, JSON_DECODE_ANY, NULL);
        reading_init(&reading, WINDOW);
        oneroster_take_result(&reading, item, NULL, "Algebra");
        assert_reads(&reading, CASES[i].records, CASES[i].faults);
        json_decref(item);
    }
}

/* Among changes, what is no record any more is withdrawn by its name. */
static void gradebook_changes(void **state)
{
    static const struct {
        const char *item, *gone; /* gone NULL: it is not, or nobody knows */
        bool line, homework;
    } CASES[] = {
        {"{\"sourcedId\":\"r\",\"student\":{\"sourcedId\":\"p1\"},\"score\":5,\"scoreDate\":\"2026-09-01\"}", NULL,
         false, false},
        {"{\"sourcedId\":\"r\",\"status\":\"tobedeleted\",\"student\":{\"sourcedId\":\"p1\"},\"score\":5}", "r", false,
         false},
        {"{\"sourcedId\":\"r\",\"student\":{\"sourcedId\":\"p1\"},\"scoreDate\":\"2026-09-01\"}", "r", false, false},
        {"{\"sourcedId\":\"r\",\"student\":{\"sourcedId\":\"p1\"},\"score\":5,\"scoreDate\":\"2026-01-01\"}", "r",
         false, false},
        {"{\"sourcedId\":\"r\",\"score\":5,\"scoreDate\":\"2026-09-01\"}", NULL, false, false},
        {"{\"status\":\"tobedeleted\"}", NULL, false, false},
        {"{\"sourcedId\":\"l\",\"class\":{\"sourcedId\":\"c\"},\"title\":\"t\",\"dueDate\":\"2026-09-01\"}", NULL, true,
         true},
        {"{\"sourcedId\":\"l\",\"class\":{\"sourcedId\":\"c\"},\"title\":\"t\",\"dueDate\":\"2026-09-01\"}", "line-l",
         true, false},
        {"{\"sourcedId\":\"l\",\"class\":{\"sourcedId\":\"c\"},\"title\":\"t\",\"dueDate\":\"2027-09-01\"}", "line-l",
         true, true},
        {"{\"sourcedId\":\"l\",\"status\":\"tobedeleted\"}", "line-l", true, true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct reading reading;
        const struct record *record;
        json_t *item = json_loads(CASES[i].item, 0, NULL);
        reading_init(&reading, WINDOW);
        reading.extent = READING_CHANGES;
        if (CASES[i].line)
            oneroster_take_line(&reading, item, CASES[i].homework, "Algebra");
        else
            oneroster_take_result(&reading, item, NULL, "Algebra");
        reading_end(&reading);
        assert_int_equal(reading.n_withdrawn, CASES[i].gone != NULL);
        if (CASES[i].gone != NULL)
            assert_int_equal(reading_look(&reading, CASES[i].gone, &record), READING_GONE);
        reading_finish(&reading);
        json_decref(item);
    }
}

static void webhook_bodies(void **state)
{
    static const struct {
        const char *body, *records;
        size_t faults;
    } CASES[] = {
        {"{\"records\":[{\"kind\":\"mark\",\"id\":\"m1\",\"pupils\":[\"p1\"],\"date\":\"2026-09-01\",\"value\":\"5\"}]"
         "}",
         "mark m1 p1 -  20260901 5|\n", 0},
        {"{\"records\":[{\"kind\":\"mark\",\"id\":\"m1\",\"pupils\":[\"p1\"],\"date\":\"2026-09-01\",\"value\":5}]}",
         "", 1},
        {"{\"records\":[{\"kind\":\"song\",\"id\":\"m1\",\"pupils\":[\"p1\"],\"date\":\"2026-09-01\"}]}", "", 1},
        {"{\"records\":[{\"kind\":\"mark\",\"id\":\"m1\",\"pupils\":[7],\"date\":\"2026-09-01\",\"value\":\"5\"}]}", "",
         1},
        {"{\"records\":[{\"kind\":\"mark\",\"id\":\"m1\",\"pupils\":[\"p1\"],\"date\":\"2026-09-01\",\"value\":\"5\","
         "\"more\":\"\"}]}",
         "", 1},
        {"{\"records\":[7,null,[]]}", "", 3},
        {"{\"people\":[{\"id\":\"1\",\"family_name\":7}]}", "", 1},
        {"{\"withdrawn\":[\"m1\"]}", "", 0},
        {"{}", "", 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct reading reading;
        reading_init(&reading, WINDOW);
        assert_null(webhook_read_records(&reading, CASES[i].body, strlen(CASES[i].body)));
        assert_reads(&reading, CASES[i].records, CASES[i].faults);
    }
    static const char *const NONE[] = {
        "", "[]", "7", "<html>", "{\"records\":{}}", "{\"marks\":[]}", "{\"withdrawn\":[7]}"};
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; ++i) {
        struct reading reading;
        reading_init(&reading, WINDOW);
        assert_non_null(webhook_read_records(&reading, NONE[i], strlen(NONE[i])));
        reading_finish(&reading);
    }
}

static void signatures(void **state)
{
    static const char SECRET[] = "a secret of some length", BODY[] = "{}", TIME[] = "1788220800";
    unsigned char mac[32], hash[RECORD_HASH_BYTES];
    char good[80] = "sha256=", signed_text[64];
    crypto_auth_hmacsha256_state s;
    snprintf(signed_text, sizeof signed_text, "%s.%s", TIME, BODY);
    crypto_auth_hmacsha256_init(&s, (const unsigned char *)SECRET, strlen(SECRET));
    crypto_auth_hmacsha256_update(&s, (const unsigned char *)signed_text, strlen(signed_text));
    crypto_auth_hmacsha256_final(&s, mac);
    sodium_bin2hex(good + 7, sizeof good - 7, mac, sizeof mac);
    const struct {
        const char *secret, *time, *signature, *body;
        int64_t now_ms;
        enum webhook_verdict verdict;
    } CASES[] = {
        {SECRET, TIME, good, BODY, TODAY_MS, WEBHOOK_GOOD},
        {SECRET, TIME, good, BODY, TODAY_MS + 299000, WEBHOOK_GOOD},
        {SECRET, TIME, good, BODY, TODAY_MS + 301000, WEBHOOK_STALE},
        {SECRET, TIME, good, BODY, TODAY_MS - 301000, WEBHOOK_STALE},
        {SECRET, "1788220801", good, BODY, TODAY_MS, WEBHOOK_FOREIGN},
        {SECRET, TIME, good, "{ }", TODAY_MS, WEBHOOK_FOREIGN},
        {"another secret of some length", TIME, good, BODY, TODAY_MS, WEBHOOK_FOREIGN},
        {SECRET, TIME, good + 7, BODY, TODAY_MS, WEBHOOK_FOREIGN},
        {SECRET, TIME, "sha256=", BODY, TODAY_MS, WEBHOOK_FOREIGN},
        {SECRET, TIME, "sha256=zz", BODY, TODAY_MS, WEBHOOK_FOREIGN},
        {SECRET, "", "", BODY, TODAY_MS, WEBHOOK_FOREIGN},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        assert_int_equal(webhook_check(CASES[i].secret, CASES[i].time, CASES[i].signature, CASES[i].body,
                                       strlen(CASES[i].body), CASES[i].now_ms, hash),
                         CASES[i].verdict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calendars),         cmocka_unit_test(dnevnik_answers), cmocka_unit_test(dnevnik_schedules),
        cmocka_unit_test(gradebook_items),   cmocka_unit_test(webhook_bodies),  cmocka_unit_test(signatures),
        cmocka_unit_test(gradebook_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
