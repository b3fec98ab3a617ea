/* A school's policy document: what is read, what is refused and why, what comes back; several schools; quiet hours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/json.h"
#include "policy/rules/school_policy.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool read_text(const char *text, struct school_policy *out, struct text *problem)
{
    struct error e = {0};
    json_t *document = json_parse(text, strlen(text), &e);
    assert_non_null(document);
    bool ok = school_policy_read(document, &SCHOOL_POLICY_DEFAULT, out, problem);
    json_decref(document);
    return ok;
}

static struct school_policy must_read(const char *text)
{
    struct text problem = TEXT_INIT;
    struct school_policy policy;
    if (!read_text(text, &policy, &problem))
        fail_msg("%s: %s", text, problem.data);
    text_finish(&problem);
    return policy;
}

static bool same(const struct school_policy *a, const struct school_policy *b)
{
    json_t *one = school_policy_document(a), *other = school_policy_document(b);
    bool equal = json_equal(one, other);
    json_decref(one);
    json_decref(other);
    return equal;
}

/* F1's default cells, as school.md gives them: nobody else. */
static void test_f1_defaults(void **state)
{
    static const char *const ALLOWED[] = {
        "pupil.own_teacher",  "pupil.own_guardian",      "pupil.classmate",
        "guardian.own_child", "guardian.childs_teacher", "guardian.class_guardian",
        "staff.staff",        "staff.own_pupil",         "staff.pupils_guardian",
    };
    for (int i = 0; i < RELATION__COUNT; ++i) {
        bool expected = false;
        for (size_t k = 0; k < COUNT(ALLOWED); ++k)
            expected = expected || strcmp(ALLOWED[k], relationship_name((enum relationship)i)) == 0;
        assert_int_equal((SCHOOL_POLICY_DEFAULT.direct & RELATION_BIT(i)) != 0, expected);
    }
}

static void test_empty_is_base(void **state)
{
    struct school_policy policy = must_read("{}");
    assert_true(same(&policy, &SCHOOL_POLICY_DEFAULT));
    policy = must_read("{\"direct\":{},\"rooms\":{},\"encryption\":{},\"quiet_hours\":{},\"media\":{\"pupil\":{}}}");
    assert_true(same(&policy, &SCHOOL_POLICY_DEFAULT));
}

static void test_every_cell(void **state)
{
    struct school_policy p = must_read(
        "{\"direct\":{\"pupil\":{\"pupil\":true,\"classmate\":false}},"
        "\"rooms\":{\"direct\":[\"teacher\"],\"club\":[\"pupil\",\"head\"]},"
        "\"staff_in_pupils_rooms\":false,\"polls\":[],"
        "\"encryption\":{\"class\":\"required\",\"direct\":\"forbidden\",\"association\":\"allowed\","
        "\"new_rooms\":\"refuse\"},"
        "\"quiet_hours\":{\"mode\":\"delay\",\"from\":\"22:30\",\"to\":\"06:05\",\"utc_offset\":\"-03:30\",\"push\":"
        "true,"
        "\"senders\":[\"external\",\"pupil\"]},"
        "\"restricted\":{\"may\":[\"documents\",\"write_class\"],\"age\":16,\"unknown_age_is_child\":false},"
        "\"class_teacher\":{\"may\":[\"approve\"]},\"guardians\":{\"need_approval\":true},"
        "\"second_factor\":{\"roles\":[\"head\",\"external\"],\"from\":\"2027-01-15\",\"grace_days\":0},"
        "\"language\":\"en\",\"personal_links\":{\"wait_days\":30},\"push\":{\"content\":true},"
        "\"media\":{\"pupil\":{\"file_max\":0,\"quota\":null},\"staff\":{\"file_max\":9007199254740991,\"quota\":5}}}");
    assert_int_equal(p.direct, (SCHOOL_POLICY_DEFAULT.direct | RELATION_BIT(RELATION_PUPIL_PUPIL)) &
                                   ~RELATION_BIT(RELATION_PUPIL_CLASSMATE));
    assert_int_equal(p.make_direct, ROLE_TEACHER);
    assert_int_equal(p.make_club, ROLE_PUPIL | ROLE_HEAD);
    assert_int_equal(p.claim_wait_days, 30);
    assert_int_equal(p.language, SCHOOL_SPEAKS_EN);
    assert_int_equal(p.second_factor.roles, ROLE_HEAD | ROLE_EXTERNAL);
    assert_int_equal(p.second_factor.from, 20270115);
    assert_int_equal(p.second_factor.grace_days, 0);
    assert_false(p.staff_in_pupils_rooms);
    assert_int_equal(p.polls, 0);
    assert_int_equal(p.encryption[ROOM_CLASS], ENCRYPTION_REQUIRED);
    assert_int_equal(p.encryption[ROOM_DIRECT], ENCRYPTION_FORBIDDEN);
    assert_int_equal(p.encryption[ROOM_ASSOCIATION], ENCRYPTION_ALLOWED);
    assert_int_equal(p.encryption[ROOM_STAFF], ENCRYPTION_FORBIDDEN);
    assert_int_equal(p.encryption_new_rooms, NEW_ROOMS_REFUSE);
    assert_int_equal(p.quiet.mode, QUIET_DELAY);
    assert_int_equal(p.quiet.from_minute, 22 * 60 + 30);
    assert_int_equal(p.quiet.to_minute, 6 * 60 + 5);
    assert_int_equal(p.quiet.utc_offset_minutes, -210);
    assert_true(p.quiet.push);
    assert_int_equal(p.quiet.senders, ROLE_EXTERNAL | ROLE_PUPIL);
    assert_int_equal(p.restricted_may, RESTRICTED_DOCUMENTS | RESTRICTED_WRITE_CLASS);
    assert_int_equal(p.consent_age, 16);
    assert_false(p.unknown_age_is_child);
    assert_int_equal(p.class_teacher_may, CLASS_TEACHER_APPROVES);
    assert_true(p.guardian_needs_approval);
    assert_true(p.push_content);
    assert_true(p.media[MEDIA_PUPIL].file_max == 0 && p.media[MEDIA_PUPIL].quota == -1);
    assert_true(p.media[MEDIA_STAFF].file_max == JSON_INT_MAX && p.media[MEDIA_STAFF].quota == 5);
    assert_int_equal(p.media[MEDIA_GUARDIAN].file_max, 50 << 20);
}

/* Each word of each list sets its own bit. */
static void test_words(void **state)
{
    static const struct {
        const char *word;
        unsigned bit;
    } ABILITIES[] = {{"write_class_teacher", RESTRICTED_WRITE_CLASS_TEACHER},
                     {"write_class", RESTRICTED_WRITE_CLASS},
                     {"write_guardian", RESTRICTED_WRITE_GUARDIAN},
                     {"write_roster_rooms", RESTRICTED_WRITE_ROSTER_ROOMS},
                     {"documents", RESTRICTED_DOCUMENTS}},
      DUTIES[] = {{"approve", CLASS_TEACHER_APPROVES},
                  {"links", CLASS_TEACHER_LINKS},
                  {"reports", CLASS_TEACHER_REPORTS},
                  {"people", CLASS_TEACHER_PEOPLE}};
    char text[100];
    for (unsigned bit = ROLE_PUPIL; bit <= ROLE_EXTERNAL; bit <<= 1) {
        snprintf(text, sizeof text, "{\"polls\":[\"%s\"]}", school_role_name((enum school_role)bit));
        assert_int_equal(must_read(text).polls, bit);
    }
    for (size_t i = 0; i < COUNT(ABILITIES); ++i) {
        snprintf(text, sizeof text, "{\"restricted\":{\"may\":[\"%s\"]}}", ABILITIES[i].word);
        assert_int_equal(must_read(text).restricted_may, ABILITIES[i].bit);
    }
    for (size_t i = 0; i < COUNT(DUTIES); ++i) {
        snprintf(text, sizeof text, "{\"class_teacher\":{\"may\":[\"%s\"]}}", DUTIES[i].word);
        assert_int_equal(must_read(text).class_teacher_may, DUTIES[i].bit);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *problem; /* how it begins */
    } BAD[] = {
        {"[]", "the document: not an object"},
        {"{\"second_factor\":{\"roles\":[\"head\"]}}", "second_factor: from is missing"},
        {"{\"second_factor\":{\"roles\":[\"pupil\"],\"from\":\"2027-01-15\"}}", "second_factor.roles: not a list of"},
        {"{\"second_factor\":{\"from\":\"2027-02-29\"}}", "second_factor.from: neither a day"},
        {"{\"second_factor\":{\"from\":\"0000-00-00\"}}", "second_factor.from: neither a day"},
        {"{\"second_factor\":{\"from\":20270115}}", "second_factor.from: neither a day"},
        {"{\"second_factor\":{\"grace_days\":61}}", "second_factor.grace_days: not a number of days"},
        {"{\"x\":1}", "x: there is no such key"},
        {"{\"\":1}", "the document: there is no such key"},
        {"{\"direct\":true}", "direct: not an object"},
        {"{\"direct\":{\"pupil\":true}}", "direct.pupil: not an object"},
        {"{\"direct\":{\"pupil\":{\"pupil\":1}}}", "direct.pupil.pupil: neither true nor false"},
        {"{\"direct\":{\"pupil\":{\"pupil\":null}}}", "direct.pupil.pupil: neither"},
        {"{\"direct\":{\"pupil\":{\"\":true}}}", "direct.pupil.: there is no such key"},
        {"{\"direct\":{\"pupil\":{\"pup\":true}}}", "direct.pupil.pup: there is no such key"},
        {"{\"direct\":{\"external\":{\"staff\":true}}}", "direct.external: there is no such key"},
        {"{\"direct.pupil.pupil\":true}", "direct.pupil.pupil: there is no such key"},
        {"{\"direct\":{\"pupil.pupil\":true}}", "direct.pupil.pupil: there is no such key"},
        {"{\"staff_in_pupils_rooms\":{\"x\":1}}", "staff_in_pupils_rooms: neither"},
        {"{\"rooms\":{\"club\":\"pupil\"}}", "rooms.club: not a list"},
        {"{\"rooms\":{\"club\":[\"pupils\"]}}", "rooms.club: not a list of words"},
        {"{\"rooms\":{\"club\":[1]}}", "rooms.club: not a list of words"},
        {"{\"rooms\":{\"club\":[\"external\"]}}", "rooms.club: not a list of words"},     /* E7 */
        {"{\"rooms\":{\"direct\":[\"external\"]}}", "rooms.direct: not a list of words"}, /* E7 */
        {"{\"encryption\":{\"class\":true}}", "encryption.class: none of the words"},
        {"{\"encryption\":{\"class\":\"maybe\"}}", "encryption.class: none of the words"},
        {"{\"encryption\":{\"school_space\":\"allowed\"}}", "encryption.school_space: there is no such key"},
        {"{\"encryption\":{\"library\":\"allowed\"}}", "encryption.library: there is no such key"},
        {"{\"encryption\":{\"archive\":\"allowed\"}}", "encryption.archive: there is no such key"},
        {"{\"encryption\":{\"free\":\"forbidden\"}}", "encryption.free: there is no such key"},
        {"{\"quiet_hours\":{\"mode\":\"strict\"}}", "quiet_hours.mode: none of the words"},
        {"{\"quiet_hours\":{\"from\":\"24:00\"}}", "quiet_hours.from: not a time of day"},
        {"{\"quiet_hours\":{\"from\":\"7:00\"}}", "quiet_hours.from: not a time of day"},
        {"{\"quiet_hours\":{\"from\":\"07:60\"}}", "quiet_hours.from: not a time of day"},
        {"{\"quiet_hours\":{\"from\":\"07.00\"}}", "quiet_hours.from: not a time of day"},
        {"{\"quiet_hours\":{\"from\":\"-1:00\"}}", "quiet_hours.from: not a time of day"},
        {"{\"quiet_hours\":{\"to\":700}}", "quiet_hours.to: not a time of day"},
        {"{\"quiet_hours\":{\"utc_offset\":\"03:00\"}}", "quiet_hours.utc_offset: not between"},
        {"{\"quiet_hours\":{\"utc_offset\":\"+14:01\"}}", "quiet_hours.utc_offset: not between"},
        {"{\"quiet_hours\":{\"utc_offset\":\"-12:01\"}}", "quiet_hours.utc_offset: not between"},
        {"{\"quiet_hours\":{\"utc_offset\":3}}", "quiet_hours.utc_offset: not between"},
        {"{\"quiet_hours\":{\"from\":\"07:00\"}}", "quiet_hours: from and to are the same time"},
        {"{\"restricted\":{\"may\":[\"write\"]}}", "restricted.may: not a list of words"},
        {"{\"restricted\":{\"age\":19}}", "restricted.age: not a number of years"},
        {"{\"restricted\":{\"age\":-1}}", "restricted.age: not a number of years"},
        {"{\"restricted\":{\"age\":14.0}}", "restricted.age: not a number of years"},
        {"{\"media\":{\"pupil\":{\"file_max\":-1}}}", "media.pupil.file_max: not a number of bytes"},
        {"{\"media\":{\"pupil\":{\"file_max\":null}}}", "media.pupil.file_max: not a number of bytes"},
        {"{\"media\":{\"pupil\":{\"quota\":-1}}}", "media.pupil.quota: neither a number"},
        {"{\"media\":{\"pupil\":{\"quota\":9007199254740992}}}", "media.pupil.quota: neither a number"},
        {"{\"media\":{\"head\":{\"quota\":1}}}", "media.head: there is no such key"},
    };
    for (size_t i = 0; i < COUNT(BAD); ++i) {
        struct text problem = TEXT_INIT;
        struct school_policy policy;
        if (read_text(BAD[i].text, &policy, &problem))
            fail_msg("%s was read", BAD[i].text);
        if (strncmp(problem.data, BAD[i].problem, strlen(BAD[i].problem)) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", BAD[i].text, problem.data, BAD[i].problem);
        text_finish(&problem);
    }
}

/* However long a key is, and wherever it would be cut, the complaint is short and valid UTF-8. */
static void test_long_key(void **state)
{
    for (int shift = 0; shift < 3; ++shift) {
        struct text key = TEXT_INIT, problem = TEXT_INIT;
        struct school_policy policy;
        text_add(&key, "xxx", (size_t)shift);
        for (int i = 0; i < 1000; ++i)
            text_adds(&key, "ключ");
        json_t *document = json_pack("{s:{s:b}}", "direct", key.data, 1);
        assert_false(school_policy_read(document, &SCHOOL_POLICY_DEFAULT, &policy, &problem));
        json_t *valid = json_stringn(problem.data, problem.len);
        assert_non_null(valid);
        assert_true(problem.len < 127 && strstr(problem.data, "…: there is no such key") != NULL);
        json_decref(valid);
        json_decref(document);
        text_finish(&key);
        text_finish(&problem);
    }
}

/* docs/policy.md: its first block of JSON is the whole default policy, the others are documents. */
static void test_documentation(void **state)
{
    char path[1000];
    struct text text = TEXT_INIT;
    char buffer[4096];
    size_t got;
    int n = 0;
    snprintf(path, sizeof path, "%s/../docs/policy.md", getenv("TESTS_DIR"));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        text_add(&text, buffer, got);
    fclose(file);
    assert_non_null(text.data);
    for (char *at = text.data, *end; (at = strstr(at, "```json\n")) != NULL; at = end + 4, ++n) {
        end = strstr(at += strlen("```json\n"), "\n```");
        *end = '\0';
        struct school_policy policy = must_read(at);
        assert_int_equal(same(&policy, &SCHOOL_POLICY_DEFAULT), n == 0);
        if (n > 0)
            continue;
        json_t *whole = school_policy_document(&SCHOOL_POLICY_DEFAULT), *block = json_loads(at, 0, NULL);
        assert_true(json_equal(whole, block));
        json_decref(whole);
        json_decref(block);
    }
    assert_true(n >= 2);
    text_finish(&text);
}

/* --- Random policies --- */

static unsigned roll(uint64_t *dice, unsigned n)
{
    *dice = *dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*dice >> 33) % n;
}

static struct school_policy random_policy(uint64_t *dice)
{
    static const enum room_kind KINDS[] = {ROOM_CLASS,         ROOM_GUARDIANS, ROOM_STAFF,
                                           ROOM_ANNOUNCEMENTS, ROOM_SUBJECT,   ROOM_DIRECT,
                                           ROOM_CLUB,          ROOM_DOCUMENTS, ROOM_ASSOCIATION};
    struct school_policy p = SCHOOL_POLICY_DEFAULT;
    p.direct = roll(dice, 1u << RELATION__COUNT);
    p.make_direct = roll(dice, ROLE_EXTERNAL);
    p.make_club = roll(dice, ROLE_EXTERNAL);
    p.staff_in_pupils_rooms = roll(dice, 2);
    p.polls = roll(dice, ROLE_EXTERNAL * 2);
    for (size_t i = 0; i < COUNT(KINDS); ++i)
        p.encryption[KINDS[i]] = (unsigned char)roll(dice, 3);
    p.quiet.mode = (enum quiet_mode)roll(dice, 4);
    p.quiet.from_minute = (int)roll(dice, 1440);
    p.quiet.to_minute = (p.quiet.from_minute + 1 + (int)roll(dice, 1439)) % 1440;
    p.quiet.utc_offset_minutes = (int)roll(dice, 26 * 60 + 1) - 12 * 60;
    p.quiet.push = roll(dice, 2);
    p.quiet.senders = roll(dice, ROLE_EXTERNAL * 2);
    p.restricted_may = roll(dice, 32);
    p.consent_age = (int)roll(dice, 19);
    p.unknown_age_is_child = roll(dice, 2);
    p.class_teacher_may = roll(dice, 16);
    p.guardian_needs_approval = roll(dice, 2);
    p.second_factor.roles = roll(dice, ROLE_EXTERNAL * 2) & ~(unsigned)ROLES_FAMILY;
    p.second_factor.from = p.second_factor.roles != 0 || roll(dice, 2) ? day_after(20260901, (int)roll(dice, 900)) : 0;
    p.second_factor.grace_days = (int)roll(dice, 61);
    for (int i = 0; i <= MEDIA_STAFF; ++i) {
        p.media[i].file_max = roll(dice, 1u << 30);
        p.media[i].quota = (int64_t)roll(dice, 1u << 20) * 4096 - 1;
    }
    return p;
}

/* Everything the struct has comes back from its document, whatever it is read over. */
static void test_round_trip(void **state)
{
    uint64_t dice = 3;
    for (int i = 0; i < 2000; ++i) {
        struct school_policy policy = random_policy(&dice), base = random_policy(&dice), back;
        struct text problem = TEXT_INIT;
        json_t *document = school_policy_document(&policy);
        if (!school_policy_read(document, &base, &back, &problem))
            fail_msg("round %d: %s", i, problem.data);
        assert_true(same(&policy, &back));
        assert_int_equal(back.direct, policy.direct);
        assert_memory_equal(back.encryption, policy.encryption, sizeof policy.encryption);
        assert_int_equal(back.quiet.from_minute, policy.quiet.from_minute);
        assert_int_equal(back.quiet.to_minute, policy.quiet.to_minute);
        assert_int_equal(back.quiet.utc_offset_minutes, policy.quiet.utc_offset_minutes);
        assert_int_equal(back.quiet.senders, policy.quiet.senders);
        assert_int_equal(back.polls, policy.polls);
        assert_memory_equal(&back.second_factor, &policy.second_factor, sizeof back.second_factor);
        assert_memory_equal(back.media, policy.media, sizeof policy.media);
        json_decref(document);
    }
}

/* The order of the schools makes no difference, a school is as strict as itself, and adding one never loosens. */
static void test_strictest(void **state)
{
    uint64_t dice = 8;
    for (int i = 0; i < 2000; ++i) {
        struct school_policy a = random_policy(&dice), b = random_policy(&dice);
        struct school_policy ab = school_policy_strictest(&a, &b), ba = school_policy_strictest(&b, &a);
        struct school_policy aa = school_policy_strictest(&a, &a), again = school_policy_strictest(&ab, &a);
        assert_true(same(&ab, &ba));
        assert_true(same(&aa, &a));
        assert_true(same(&again, &ab));
        assert_int_equal(ab.direct & ~(a.direct & b.direct), 0);
        assert_true(ab.quiet.mode >= a.quiet.mode && ab.quiet.mode >= b.quiet.mode);
        for (unsigned role = ROLE_TEACHER; role <= ROLE_EXTERNAL; role <<= 1)
            assert_true(school_policy_factor_day(&ab, role, 20270301) <= school_policy_factor_day(&a, role, 20270301));
        assert_true(ab.consent_age >= a.consent_age && ab.consent_age >= b.consent_age);
        assert_true(a.media[0].quota < 0 || (ab.media[0].quota >= 0 && ab.media[0].quota <= a.media[0].quota));
    }
}

static void test_strictest_encryption(void **state)
{
    static const unsigned char EXPECTED[3][3] = {
        {ENCRYPTION_FORBIDDEN, ENCRYPTION_FORBIDDEN, ENCRYPTION_FORBIDDEN},
        {ENCRYPTION_FORBIDDEN, ENCRYPTION_ALLOWED, ENCRYPTION_REQUIRED},
        {ENCRYPTION_FORBIDDEN, ENCRYPTION_REQUIRED, ENCRYPTION_REQUIRED},
    };
    for (int i = 0; i < 9; ++i) {
        struct school_policy a = SCHOOL_POLICY_DEFAULT, b = SCHOOL_POLICY_DEFAULT;
        a.encryption[ROOM_CLUB] = (unsigned char)(i / 3);
        b.encryption[ROOM_CLUB] = (unsigned char)(i % 3);
        assert_int_equal(school_policy_strictest(&a, &b).encryption[ROOM_CLUB], EXPECTED[i / 3][i % 3]);
    }
}

/* --- F3 --- */

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)
#define MONDAY (INT64_C(20000) * DAY) /* midnight UTC */

static const struct {
    const char *from, *to, *offset;
    int64_t now;
    bool quiet;
    int64_t ends;
} MOMENTS[] = {
    /* Over midnight, at +03:00: 21:00 there is 18:00 UTC */
    {"21:00", "07:00", "+03:00", MONDAY + 18 * HOUR - 1, false, 0},
    {"21:00", "07:00", "+03:00", MONDAY + 18 * HOUR, true, MONDAY + 28 * HOUR},
    {"21:00", "07:00", "+03:00", MONDAY + 21 * HOUR, true, MONDAY + 28 * HOUR}, /* midnight there */
    {"21:00", "07:00", "+03:00", MONDAY + 28 * HOUR - 1, true, MONDAY + 28 * HOUR},
    {"21:00", "07:00", "+03:00", MONDAY + 28 * HOUR, false, 0},
    {"21:00", "07:00", "+03:00", MONDAY + 9 * HOUR, false, 0},
    /* Within a day */
    {"13:00", "14:30", "+00:00", MONDAY + 13 * HOUR, true, MONDAY + 14 * HOUR + HOUR / 2},
    {"13:00", "14:30", "+00:00", MONDAY + 13 * HOUR + 59999, true, MONDAY + 14 * HOUR + HOUR / 2},
    {"13:00", "14:30", "+00:00", MONDAY + 14 * HOUR + HOUR / 2, false, 0},
    {"13:00", "14:30", "-03:30", MONDAY + 17 * HOUR, true, MONDAY + 18 * HOUR},
    /* An end at midnight; far from Greenwich; before 1970 */
    {"22:00", "00:00", "+00:00", MONDAY + 23 * HOUR, true, MONDAY + DAY},
    {"22:00", "00:00", "+00:00", MONDAY, false, 0},
    {"21:00", "07:00", "+12:00", MONDAY + 10 * HOUR, true, MONDAY + 19 * HOUR},
    {"21:00", "07:00", "+00:00", -HOUR, true, 7 * HOUR},
    {"21:00", "07:00", "-12:00", -20 * HOUR, false, 0},
};

static void test_quiet_moments(void **state)
{
    for (size_t i = 0; i < COUNT(MOMENTS); ++i) {
        char text[160];
        int64_t ends = 0;
        snprintf(text, sizeof text,
                 "{\"quiet_hours\":{\"mode\":\"warn\",\"from\":\"%s\",\"to\":\"%s\",\"utc_offset\":\"%s\"}}",
                 MOMENTS[i].from, MOMENTS[i].to, MOMENTS[i].offset);
        struct school_policy policy = must_read(text);
        if (school_policy_quiet(&policy, MOMENTS[i].now, &ends) != MOMENTS[i].quiet || ends != MOMENTS[i].ends)
            fail_msg("moment %zu: ends %lld", i, (long long)ends);
        policy.quiet.mode = QUIET_OFF;
        assert_false(school_policy_quiet(&policy, MOMENTS[i].now, &ends));
    }
}

/* Quiet until ends, not at ends; as long in a day as the window is. */
static void test_quiet_lasts_until_it_ends(void **state)
{
    uint64_t dice = 4;
    for (int i = 0; i < 300; ++i) {
        struct school_policy p = random_policy(&dice);
        int minutes = 0, window = (p.quiet.to_minute - p.quiet.from_minute + 1440) % 1440;
        p.quiet.mode = QUIET_DELAY;
        for (int64_t now = MONDAY; now < MONDAY + DAY; now += 60000) {
            int64_t ends, later;
            if (!school_policy_quiet(&p, now, &ends))
                continue;
            ++minutes;
            assert_true(ends > now && ends <= now + window * 60000);
            assert_true(school_policy_quiet(&p, ends - 1, &later) && later == ends);
            assert_false(school_policy_quiet(&p, ends, &later));
        }
        assert_int_equal(minutes, window);
    }
}

/* H1 */
static void test_the_day_of_the_second_factor(void **state)
{
    static const struct {
        unsigned roles;
        school_day from;
        int grace_days;
        unsigned who;
        school_day since, day;
    } CASES[] = {
        {0, DAY_EVER, 14, ROLE_HEAD, DAY_EVER, DAY_NEVER},
        {0, 20270115, 14, ROLE_HEAD, 20200101, DAY_NEVER},
        {ROLE_HEAD, 20270115, 14, ROLE_TEACHER, 20200101, DAY_NEVER},
        {ROLE_HEAD, 20270115, 14, ROLE_TEACHER | ROLE_HEAD, 20200101, 20270115},
        {ROLE_HEAD, 20270115, 14, ROLE_HEAD, DAY_EVER, 20270115},
        {ROLE_HEAD, 20270115, 14, ROLE_HEAD, 20270101, 20270115},
        {ROLE_HEAD, 20270115, 14, ROLE_HEAD, 20270102, 20270116},
        {ROLE_HEAD, 20270115, 14, ROLE_HEAD, 20280220, 20280305},
        {ROLE_HEAD, 20270115, 0, ROLE_HEAD, 20280220, 20280220},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct school_policy p = SCHOOL_POLICY_DEFAULT;
        p.second_factor.roles = CASES[i].roles;
        p.second_factor.from = CASES[i].from;
        p.second_factor.grace_days = CASES[i].grace_days;
        if (school_policy_factor_day(&p, CASES[i].who, CASES[i].since) != CASES[i].day)
            fail_msg("case %zu: %d", i, (int)school_policy_factor_day(&p, CASES[i].who, CASES[i].since));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_day_of_the_second_factor),
        cmocka_unit_test(test_f1_defaults),
        cmocka_unit_test(test_empty_is_base),
        cmocka_unit_test(test_every_cell),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long_key),
        cmocka_unit_test(test_documentation),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_strictest),
        cmocka_unit_test(test_strictest_encryption),
        cmocka_unit_test(test_quiet_moments),
        cmocka_unit_test(test_quiet_lasts_until_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
