/* Reading power levels (Client-Server API, "m.room.power_levels"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/pdu/power.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* JSON with ' for "; NULL for NULL. */
static json_t *parse(const char *s)
{
    struct error e = {0};
    if (s == NULL)
        return NULL;
    char *copy = xstrdup(s);
    for (char *at = copy; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    json_t *value = json_parse(copy, strlen(copy), &e);
    if (value == NULL)
        fail_msg("not JSON: %s", s);
    free(copy);
    return value;
}

static void test_read(void **state)
{
    static const struct {
        const char *json;
        int first, last; /* versions that read it */
        int64_t level;
    } CASES[] = {
        {"0", 1, 12, 0},
        {"-5", 1, 12, -5},
        {"9007199254740991", 1, 12, INT64_C(9007199254740991)},
        {"-9007199254740991", 1, 12, -INT64_C(9007199254740991)},
        {"9007199254740992", 1, 5, INT64_C(9007199254740992)},
        {"'100'", 1, 9, 100},
        {"'000100'", 1, 9, 100},
        {"'+100'", 1, 9, 100},
        {"'-100'", 1, 9, -100},
        {"' 100 '", 1, 9, 100},
        {"' 00100 '", 1, 9, 100},
        {"' +100 '", 1, 9, 100},
        {"' -100 '", 1, 9, -100},
        {"'\\t\\n7\\r'", 1, 9, 7},
        {"'9007199254740991'", 1, 9, INT64_C(9007199254740991)},
        {"50.57", 1, 5, 50},
        {"-50.57", 1, 5, -50},
        {"5.114698E4", 1, 5, 51146},
    };
    const struct room_version *version;
    for (size_t i = 0; i < COUNT(CASES); ++i)
        for (size_t v = 0; (version = room_version_at(v)) != NULL; ++v) {
            json_t *value = parse(CASES[i].json);
            int64_t level = 424242;
            bool reads = version->number >= CASES[i].first && version->number <= CASES[i].last;
            if (power_read(version, value, &level) != reads || (reads && level != CASES[i].level))
                fail_msg("version %s: %s", version->name, CASES[i].json);
            json_decref(value);
        }
}

static void test_unreadable(void **state)
{
    static const char *const CASES[] = {
        "''",
        "' '",
        "'x'",
        "'1x'",
        "'1 2'",
        "'--1'",
        "'+ 1'",
        "'1.5'",
        "'1e3'",
        "'0x10'",
        "'1_0'",
        "true",
        "null",
        "{}",
        "[5]",
        "1e300",
        "-1e300",
        "'9007199254740992'",
        "'99999999999999999999999'",
        "'5\xc2\xa0'",
    };
    const struct room_version *version;
    for (size_t i = 0; i < COUNT(CASES); ++i)
        for (size_t v = 0; (version = room_version_at(v)) != NULL; ++v) {
            json_t *value = parse(CASES[i]);
            int64_t level;
            if (power_read(version, value, &level))
                fail_msg("version %s reads %s", version->name, CASES[i]);
            json_decref(value);
        }
    int64_t level;
    assert_false(power_read(room_version_get("1"), NULL, &level));
}

#define CREATED "{'creator':'@c:s','additional_creators':['@d:s',7]}"

static void test_users(void **state)
{
    static const struct {
        int first, last;
        const char *levels, *user;
        int64_t level;
    } CASES[] = {
        {1, 11, NULL, "@c:s", 100},
        {1, 11, NULL, "@d:s", 0},
        {1, 12, NULL, "@x:s", 0},
        {1, 11, "{}", "@c:s", 0}, /* once there are levels, they alone count */
        {1, 12, "{'users_default':5}", "@x:s", 5},
        {1, 12, "{'users_default':5,'users':{'@x:s':7}}", "@x:s", 7},
        {1, 12, "{'users_default':5,'users':{'@x:s':null}}", "@x:s", 5},
        {1, 12, "{'users_default':[],'users':[]}", "@x:s", 0},
        {1, 9, "{'users':{'@x:s':' 7'}}", "@x:s", 7},
        {10, 12, "{'users':{'@x:s':' 7'}}", "@x:s", 0},
        {1, 11, "{'users':{'@c:s':3}}", "@c:s", 3},
        {12, 12, NULL, "@c:s", POWER_INFINITE},
        {12, 12, NULL, "@d:s", POWER_INFINITE},
        {12, 12, "{'users':{'@c:s':3,'@d:s':-1},'users_default':-7}", "@c:s", POWER_INFINITE},
        {12, 12, "{'users':{'@c:s':3,'@d:s':-1},'users_default':-7}", "@d:s", POWER_INFINITE},
        {12, 12, "{'users':{'@c:s':3,'@d:s':-1},'users_default':-7}", "@e:s", -7},
    };
    const struct room_version *version;
    for (size_t i = 0; i < COUNT(CASES); ++i)
        for (size_t v = 0; (version = room_version_at(v)) != NULL; ++v) {
            if (version->number < CASES[i].first || version->number > CASES[i].last)
                continue;
            struct power power;
            json_t *create = parse(CREATED), *levels = parse(CASES[i].levels);
            power_init(&power, version, "@c:s", create, levels);
            if (power_of_user(&power, CASES[i].user) != CASES[i].level)
                fail_msg("version %s, case %zu", version->name, i);
            json_decref(create);
            json_decref(levels);
        }
}

/* Up to version 10 the creator is who the content names, later who sent it. */
static void test_creator(void **state)
{
    json_t *create = parse("{'creator':'@named:s'}");
    assert_string_equal(power_creator(room_version_get("10"), "@sent:s", create), "@named:s");
    assert_string_equal(power_creator(room_version_get("11"), "@sent:s", create), "@sent:s");
    struct power power;
    power_init(&power, room_version_get("10"), "@sent:s", create, NULL);
    assert_int_equal(power_of_user(&power, "@named:s"), 100);
    assert_int_equal(power_of_user(&power, "@sent:s"), 0);
    power_init(&power, room_version_get("10"), NULL, NULL, NULL);
    assert_int_equal(power_of_user(&power, "@named:s"), 0);
    assert_false(power_is_creator(&power, "@named:s"));
    json_decref(create);
}

static void test_needed(void **state)
{
    static const struct {
        const char *levels, *type;
        bool is_state;
        int64_t needed;
    } CASES[] = {
        {NULL, "m.room.message", false, 0},
        {NULL, "m.room.name", true, 50},
        {"{}", "m.room.message", false, 0},
        {"{}", "m.room.name", true, 50},
        {"{'events_default':3,'state_default':4}", "a", false, 3},
        {"{'events_default':3,'state_default':4}", "a", true, 4},
        {"{'events_default':3,'state_default':4,'events':{'a':9}}", "a", false, 9},
        {"{'events_default':3,'state_default':4,'events':{'a':9}}", "a", true, 9},
        {"{'events':{'a':-9}}", "a", true, -9},
        {"{'events':{'a':'x'}}", "a", true, 50},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct power power;
        json_t *levels = parse(CASES[i].levels);
        power_init(&power, room_version_get("9"), "@c:s", NULL, levels);
        assert_int_equal(power_needed(&power, CASES[i].type, CASES[i].is_state), CASES[i].needed);
        json_decref(levels);
    }
}

static void test_keys(void **state)
{
    static const struct {
        enum power_key key;
        const char *name;
        int64_t otherwise;
    } CASES[] = {
        {POWER_USERS_DEFAULT, "users_default", 0},
        {POWER_EVENTS_DEFAULT, "events_default", 0},
        {POWER_STATE_DEFAULT, "state_default", 50},
        {POWER_BAN, "ban", 50},
        {POWER_REDACT, "redact", 50},
        {POWER_KICK, "kick", 50},
        {POWER_INVITE, "invite", 0},
    };
    assert_int_equal(COUNT(CASES), POWER_KEY__COUNT);
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct power power;
        json_t *levels = json_pack("{s:i}", CASES[i].name, 77);
        power_init(&power, room_version_get("11"), "@c:s", NULL, levels);
        assert_int_equal(power_level(&power, CASES[i].key), 77);
        power_init(&power, room_version_get("11"), "@c:s", NULL, NULL);
        assert_int_equal(power_level(&power, CASES[i].key), CASES[i].otherwise);
        assert_string_equal(power_key_name(CASES[i].key), CASES[i].name);
        json_decref(levels);
    }
}

static void test_notifications(void **state)
{
    struct power power;
    json_t *levels = parse("{'notifications':{'room':20}}");
    power_init(&power, room_version_get("11"), "@c:s", NULL, levels);
    assert_int_equal(power_notification(&power, "room"), 20);
    assert_int_equal(power_notification(&power, "other"), 50);
    power_init(&power, room_version_get("11"), "@c:s", NULL, NULL);
    assert_int_equal(power_notification(&power, "room"), 50);
    json_decref(levels);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(test_read),          cmocka_unit_test(test_unreadable), cmocka_unit_test(test_users),
        cmocka_unit_test(test_creator),       cmocka_unit_test(test_needed),     cmocka_unit_test(test_keys),
        cmocka_unit_test(test_notifications),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
