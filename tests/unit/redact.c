/* What redaction leaves, per room version and type (room versions, "Redactions"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/pdu/redact.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* JSON with ' for ". */
static json_t *parse(const char *s)
{
    struct error e = {0};
    char *copy = xstrdup(s);
    for (char *at = copy; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    json_t *value = json_parse(copy, strlen(copy), &e);
    if (value == NULL)
        fail_msg("not JSON: %s", s);
    free(copy);
    return value;
}

#define LEVELS                                                                                                         \
    "{'ban':1,'events':{'a':2},'events_default':3,'invite':4,'kick':5,'notifications':{'room':6},'redact':7,"          \
    "'state_default':8,'users':{'@a:s':9},'users_default':10,'x':11}"
#define LEVELS_LEFT                                                                                                    \
    "'ban':1,'events':{'a':2},'events_default':3,'kick':5,'redact':7,'state_default':8,'users':{'@a:s':9},'users_"     \
    "default':10}"
#define MEMBER                                                                                                         \
    "{'membership':'join','displayname':'A','join_authorised_via_users_server':'@b:s','reason':'r',"                   \
    "'third_party_invite':{'display_name':'x','signed':{'token':'t'}}}"

static const struct {
    int first, last; /* versions */
    const char *type, *content, *left;
} CASES[] = {
    {1, 12, "m.room.message", "{'body':'secret','msgtype':'m.text'}", "{}"},
    {1, 12, "org.example.custom", "{'membership':'join','creator':'@a:s','redacts':'$x'}", "{}"},
    {1, 12, "m.room.name", "{'name':'n'}", "{}"},
    {1, 12, "m.room.topic", "{'topic':'n'}", "{}"},
    {1, 12, "m.room.canonical_alias", "{'alias':'#a:s'}", "{}"},
    {1, 12, "m.room.third_party_invite", "{'public_key':'k'}", "{}"},
    {1, 12, "m.room.tombstone", "{'replacement_room':'!x'}", "{}"},
    {1, 8, "m.room.member", MEMBER, "{'membership':'join'}"},
    {9, 10, "m.room.member", MEMBER, "{'membership':'join','join_authorised_via_users_server':'@b:s'}"},
    {11, 12, "m.room.member", MEMBER,
     "{'membership':'join','join_authorised_via_users_server':'@b:s','third_party_invite':{'signed':{'token':'t'}}}"},
    {11, 12, "m.room.member", "{'membership':'invite','third_party_invite':7}", "{'membership':'invite'}"},
    {11, 12, "m.room.member", "{'membership':'invite','third_party_invite':{'a':1}}",
     "{'membership':'invite','third_party_invite':{}}"},
    {1, 12, "m.room.member", "{'displayname':'A'}", "{}"},
    {1, 12, "m.room.member", "{'membership':{'any':['thing']}}", "{'membership':{'any':['thing']}}"},
    {1, 10, "m.room.create", "{'creator':'@a:s','room_version':'6','m.federate':false}", "{'creator':'@a:s'}"},
    {11, 12, "m.room.create", "{'creator':'@a:s','room_version':'12','x':{'y':1}}",
     "{'creator':'@a:s','room_version':'12','x':{'y':1}}"},
    {1, 7, "m.room.join_rules", "{'join_rule':'restricted','allow':[{'room_id':'!a'}],'x':1}",
     "{'join_rule':'restricted'}"},
    {8, 12, "m.room.join_rules", "{'join_rule':'restricted','allow':[{'room_id':'!a'}],'x':1}",
     "{'join_rule':'restricted','allow':[{'room_id':'!a'}]}"},
    {1, 10, "m.room.power_levels", LEVELS, "{" LEVELS_LEFT},
    {11, 12, "m.room.power_levels", LEVELS, "{'invite':4," LEVELS_LEFT},
    {1, 5, "m.room.aliases", "{'aliases':['#a:s'],'x':1}", "{'aliases':['#a:s']}"},
    {6, 12, "m.room.aliases", "{'aliases':['#a:s'],'x':1}", "{}"},
    {1, 12, "m.room.history_visibility", "{'history_visibility':'joined','x':1}", "{'history_visibility':'joined'}"},
    {1, 10, "m.room.redaction", "{'redacts':'$x','reason':'r'}", "{}"},
    {11, 12, "m.room.redaction", "{'redacts':'$x','reason':'r'}", "{'redacts':'$x'}"},
};

static void check_content(const struct room_version *version, size_t i)
{
    json_t *content = parse(CASES[i].content), *expected = parse(CASES[i].left);
    json_t *left = redact_content(version, CASES[i].type, content);
    if (!json_equal(left, expected))
        fail_msg("version %s, case %zu, %s: not what was expected", version->name, i, CASES[i].type);
    json_t *again = redact_content(version, CASES[i].type, left);
    assert_true(json_equal(again, left));

    struct text text = TEXT_INIT;
    char *whole = json_canonical(content), *wanted = json_canonical(expected);
    redact_add_content(&text, version, CASES[i].type, whole, strlen(whole));
    assert_string_equal(text.data, wanted);
    text_finish(&text);
    free(whole);
    free(wanted);
    json_decref(again);
    json_decref(left);
    json_decref(expected);
    json_decref(content);
}

static void test_content(void **state)
{
    const struct room_version *version;
    for (size_t v = 0; (version = room_version_at(v)) != NULL; ++v)
        for (size_t i = 0; i < COUNT(CASES); ++i)
            if (version->number >= CASES[i].first && version->number <= CASES[i].last)
                check_content(version, i);
}

/* Every case above says what all versions do with its content: none is left out by a slip in the ranges. */
static void test_cases_cover_versions(void **state)
{
    for (size_t i = 0; i < COUNT(CASES); ++i)
        for (int number = 1; number <= 12; ++number) {
            bool covered = false;
            for (size_t k = 0; k < COUNT(CASES); ++k)
                covered = covered || (strcmp(CASES[k].type, CASES[i].type) == 0 && number >= CASES[k].first &&
                                      number <= CASES[k].last);
            if (!covered)
                fail_msg("%s in version %d has no case", CASES[i].type, number);
        }
}

static void test_event_keys(void **state)
{
    static const char EVENT[] =
        "{'event_id':'$a:s','type':'m.room.message','room_id':'!r:s','sender':'@a:s','state_key':'','content':{'body':'"
        "x'},"
        "'hashes':{'sha256':'h'},'signatures':{'s':{}},'depth':3,'prev_events':[],'prev_state':[],'auth_events':[],"
        "'origin':'s','origin_server_ts':1,'membership':'join','redacts':'$b:s','unsigned':{'age':1},'x':1,'age_ts':2}";
    static const char LEFT[] =
        "{'event_id':'$a:s','type':'m.room.message','room_id':'!r:s','sender':'@a:s','state_key':'','content':{},"
        "'hashes':{'sha256':'h'},'signatures':{'s':{}},'depth':3,'prev_events':[],'auth_events':[],'origin_server_ts':"
        "1}";
    const struct room_version *version;
    for (size_t v = 0; (version = room_version_at(v)) != NULL; ++v) {
        json_t *event = parse(EVENT), *expected = parse(LEFT);
        if (version->number <= 10) {
            json_object_set_new(expected, "prev_state", json_array());
            json_object_set_new(expected, "origin", json_string("s"));
            json_object_set_new(expected, "membership", json_string("join"));
        }
        json_t *left = redact_event(version, event);
        assert_true(json_equal(left, expected));
        json_t *again = redact_event(version, left);
        assert_true(json_equal(again, left));
        json_decref(again);
        json_decref(left);
        json_decref(expected);
        json_decref(event);
    }
}

/* What is no event at all still gives something redacted. */
static void test_odd_events(void **state)
{
    static const char *const CASES_[] = {"{}", "{'type':7,'content':[1]}", "{'content':'x'}",
                                         "{'type':'m.room.member'}"};
    for (size_t i = 0; i < COUNT(CASES_); ++i) {
        json_t *event = parse(CASES_[i]);
        json_t *left = redact_event(room_version_get("11"), event);
        assert_true(json_is_object(json_object_get(left, "content")));
        assert_int_equal(json_object_size(json_object_get(left, "content")), 0);
        json_decref(left);
        json_decref(event);
    }
}

static void test_keeps(void **state)
{
    const struct room_version *v1 = room_version_get("1"), *v11 = room_version_get("11");
    assert_int_equal(redact_keeps(v1, "m.room.message"), REDACT_KEEPS_NOTHING);
    assert_int_equal(redact_keeps(v1, "m.room.create"), REDACT_KEEPS_SOME);
    assert_int_equal(redact_keeps(v11, "m.room.create"), REDACT_KEEPS_ALL);
    assert_int_equal(redact_keeps(v11, "m.room.redaction"), REDACT_KEEPS_SOME);
    assert_int_equal(redact_keeps(v11, "m.room.aliases"), REDACT_KEEPS_NOTHING);
}

static void test_versions(void **state)
{
    assert_null(room_version_get(NULL));
    assert_null(room_version_get(""));
    assert_null(room_version_get("0"));
    assert_null(room_version_get("13"));
    assert_null(room_version_get("1 "));
    assert_non_null(room_version_get(ROOM_VERSION_DEFAULT));
    for (size_t i = 0; i < 12; ++i) {
        const struct room_version *version = room_version_at(i);
        assert_int_equal(version->number, i + 1);
        assert_int_equal(atoi(version->name), i + 1);
        assert_ptr_equal(room_version_get(version->name), version);
    }
    assert_null(room_version_at(12));
}

/* The features, each with the versions that the specification gives it. */
static void test_features(void **state)
{
    static const struct {
        enum room_feature feature;
        int first, last;
    } FEATURES[] = {
        {ROOM_REDACTION_AUTH, 1, 2},       {ROOM_ALIASES_AUTH, 1, 5},
        {ROOM_LOOSE_LEVELS, 1, 9},         {ROOM_TOP_LEVEL_REDACTS, 1, 10},
        {ROOM_CREATOR_IN_CONTENT, 1, 10},  {ROOM_STRICT_JSON, 6, 12},
        {ROOM_NOTIFICATION_LEVELS, 6, 12}, {ROOM_KNOCK, 7, 12},
        {ROOM_RESTRICTED, 8, 12},          {ROOM_KNOCK_RESTRICTED, 10, 12},
        {ROOM_ID_IS_HASH, 12, 12},         {ROOM_CREATORS, 12, 12},
    };
    for (size_t i = 0; i < COUNT(FEATURES); ++i)
        for (int number = 1; number <= 12; ++number)
            assert_int_equal(room_version_has(room_version_at((size_t)number - 1), FEATURES[i].feature),
                             number >= FEATURES[i].first && number <= FEATURES[i].last);
    for (int number = 1; number <= 12; ++number)
        assert_int_equal(room_version_at((size_t)number - 1)->id_format, number <= 2   ? EVENT_ID_OPAQUE
                                                                         : number == 3 ? EVENT_ID_BASE64
                                                                                       : EVENT_ID_BASE64URL);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(test_content),    cmocka_unit_test(test_cases_cover_versions),
        cmocka_unit_test(test_event_keys), cmocka_unit_test(test_odd_events),
        cmocka_unit_test(test_keeps),      cmocka_unit_test(test_versions),
        cmocka_unit_test(test_features),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
