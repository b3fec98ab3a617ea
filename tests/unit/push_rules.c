/* Push rules: the defaults, conditions, and changes by clients (Client-Server API, "Push Rules"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/json.h"
#include "policy/rules/event_types.h"
#include "homeserver/push/rules/evaluate.h"
#include "homeserver/push/rules/document.h"
#include "homeserver/push/rules/scope.h"
#include "homeserver/base/json_scan.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define ME "@me:school.test"
#define YOU "@you:school.test"
#define ROOM "!room:school.test"

static json_t *parse(const char *s)
{
    struct error e = {0};
    json_t *value = json_parse(s, strlen(s), &e);
    if (value == NULL)
        fail_msg("not JSON: %s", s);
    return value;
}

/* An event as tests write it; what is left out is usual: a message by YOU in a room of 30, sender's power 0. */
struct event {
    const char *type, *content, *state_key, *sender;
    int64_t members, power;
    const char *notifications, *prev_content;
};

static struct push_result evaluate(const struct push_rules *rules, const struct event *event, const char *display_name)
{
    json_t *content = parse(event->content != NULL ? event->content : "{\"body\":\"hi\",\"msgtype\":\"m.text\"}");
    json_t *notifications = event->notifications != NULL ? parse(event->notifications) : NULL;
    char *canonical = json_canonical(content);
    struct push_facts facts = {
        .type = event->type != NULL ? event->type : "m.room.message",
        .sender = event->sender != NULL ? event->sender : YOU,
        .room_id = ROOM,
        .event_id = "$event",
        .state_key = event->state_key,
        .content = canonical,
        .prev_content = event->prev_content,
        .members = event->members != 0 ? event->members : 30,
        .sender_power = event->power,
        .notifications = notifications,
    };
    struct push_event prepared;
    push_event_init(&prepared, &facts);
    struct push_result result = push_evaluate(rules, &prepared, &(struct push_viewer){ME, display_name});
    push_event_finish(&prepared);
    free(canonical);
    json_decref(content);
    json_decref(notifications);
    return result;
}

/* Every server-default rule, and what none of them wants. */
static void test_defaults(void **state)
{
    static const struct {
        struct event event;
        const char *rule_id; /* NULL: none */
        bool notify, highlight;
        const char *tweaks;
    } CASES[] = {
        {{0}, ".m.rule.message", true, false, "{}"},
        {{.members = 2}, ".m.rule.room_one_to_one", true, false, "{\"sound\":\"default\"}"},
        {{.members = 1}, ".m.rule.message", true, false, "{}"},
        {{.type = "m.room.encrypted", .content = "{}"}, ".m.rule.encrypted", true, false, "{}"},
        {{.type = "m.room.encrypted", .content = "{}", .members = 2},
         ".m.rule.encrypted_room_one_to_one",
         true,
         false,
         "{\"sound\":\"default\"}"},
        {{.sender = ME}, NULL, false, false, "{}"},
        {{.sender = ME, .content = "{\"m.mentions\":{\"user_ids\":[\"" ME "\"]}}"}, NULL, false, false, "{}"},
        {{.content = "{\"body\":\"x\",\"msgtype\":\"m.notice\"}"}, ".m.rule.suppress_notices", false, false, "{}"},
        {{.content = "{\"body\":\"x\",\"msgtype\":\"M.Notice\"}"}, ".m.rule.suppress_notices", false, false, "{}"},
        {{.content = "{\"body\":\"x\",\"msgtype\":[\"m.notice\"]}"}, ".m.rule.message", true, false, "{}"},
        {{.type = "m.room.member", .state_key = ME, .content = "{\"membership\":\"invite\"}"},
         ".m.rule.invite_for_me",
         true,
         false,
         "{\"sound\":\"default\"}"},
        {{.type = "m.room.member", .state_key = YOU, .content = "{\"membership\":\"invite\"}"},
         ".m.rule.member_event",
         false,
         false,
         "{}"},
        {{.type = "m.room.member", .state_key = ME, .content = "{\"membership\":\"join\"}"},
         ".m.rule.member_event",
         false,
         false,
         "{}"},
        {{.type = "m.room.member", .state_key = "@ME:school.test", .content = "{\"membership\":\"invite\"}"},
         ".m.rule.member_event",
         false,
         false,
         "{}"},
        {{.content = "{\"body\":\"x\",\"m.mentions\":{\"user_ids\":[\"@a:b\",\"" ME "\",\"@c:d\"]}}"},
         ".m.rule.is_user_mention",
         true,
         true,
         "{\"highlight\":true,\"sound\":\"default\"}"},
        {{.content = "{\"m.mentions\":{\"user_ids\":[\"" ME "\"],\"room\":true}}"},
         ".m.rule.is_user_mention",
         true,
         true,
         "{\"highlight\":true,\"sound\":\"default\"}"},
        {{.content = "{\"m.mentions\":{\"user_ids\":[\"" YOU "\",1,null,[\"" ME "\"]]}}"},
         ".m.rule.message",
         true,
         false,
         "{}"},
        {{.content = "{\"m.mentions\":{\"user_ids\":\"" ME "\"}}"}, ".m.rule.message", true, false, "{}"},
        {{.content = "{\"m.mentions\":{\"user_ids\":[]}}"}, ".m.rule.message", true, false, "{}"},
        {{.content = "{\"m.mentions\":[{\"user_ids\":[\"" ME "\"]}]}"}, ".m.rule.message", true, false, "{}"},
        {{.content = "{\"m.mentions\":{\"room\":true}}", .power = 50},
         ".m.rule.is_room_mention",
         true,
         true,
         "{\"highlight\":true}"},
        {{.content = "{\"m.mentions\":{\"room\":true}}", .power = 49}, ".m.rule.message", true, false, "{}"},
        {{.content = "{\"m.mentions\":{\"room\":true}}", .power = 20, .notifications = "{\"room\":20}"},
         ".m.rule.is_room_mention",
         true,
         true,
         "{\"highlight\":true}"},
        {{.content = "{\"m.mentions\":{\"room\":true}}", .power = 50, .notifications = "{\"room\":\"51\"}"},
         ".m.rule.message",
         true,
         false,
         "{}"},
        {{.content = "{\"m.mentions\":{\"room\":true}}", .power = INT64_MAX, .notifications = "{\"room\":100}"},
         ".m.rule.is_room_mention",
         true,
         true,
         "{\"highlight\":true}"},
        {{.content = "{\"m.mentions\":{\"room\":\"true\"}}", .power = 100}, ".m.rule.message", true, false, "{}"},
        {{.type = "m.room.tombstone", .state_key = "", .content = "{}"},
         ".m.rule.tombstone",
         true,
         true,
         "{\"highlight\":true}"},
        {{.type = "m.room.tombstone", .content = "{}"}, NULL, false, false, "{}"},
        {{.type = "m.reaction", .content = "{}", .members = 2}, ".m.rule.reaction", false, false, "{}"},
        {{.type = "m.room.server_acl", .state_key = "", .content = "{}"},
         ".m.rule.room.server_acl",
         false,
         false,
         "{}"},
        {{.content = "{\"body\":\"* hi\",\"m.relates_to\":{\"rel_type\":\"m.replace\"}}"},
         ".m.rule.suppress_edits",
         false,
         false,
         "{}"},
        {{.content = "{\"body\":\"hi\",\"m.relates_to\":{\"rel_type\":\"m.thread\"}}"},
         ".m.rule.message",
         true,
         false,
         "{}"},
        {{.content = "{\"m.mentions\":{\"user_ids\":[\"" ME "\"]},\"m.relates_to\":{\"rel_type\":\"m.replace\"}}"},
         ".m.rule.is_user_mention",
         true,
         true,
         "{\"highlight\":true,\"sound\":\"default\"}"},
        {{.type = "m.call.invite", .content = "{}"}, ".m.rule.call", true, false, "{\"sound\":\"ring\"}"},
        {{.type = "m.room.topic", .state_key = "", .content = "{\"topic\":\"x\"}"}, NULL, false, false, "{}"},
        {{.type = "m.room.messages"}, NULL, false, false, "{}"},
        {{.content = "{\"body\":\"@room me " ME "\"}"}, ".m.rule.message", true, false, "{}"}, /* since v1.17 */
        {{.content = "{\"body\":\"me\"}"}, ".m.rule.message", true, false, "{}"},
    };
    struct push_rules *rules = push_rules_compile(NULL);
    assert_false(push_rules_want_display_name(rules));
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct push_result r = evaluate(rules, &CASES[i].event, "me");
        const char *id = r.rule_id != NULL ? r.rule_id : "none",
                   *want = CASES[i].rule_id != NULL ? CASES[i].rule_id : "none";
        if (strcmp(id, want) != 0 || r.notify != CASES[i].notify || r.highlight != CASES[i].highlight)
            fail_msg("case %zu: %s %d %d", i, id, r.notify, r.highlight);
        assert_string_equal(r.tweaks, CASES[i].tweaks);
    }
    push_rules_unref(rules);
}

/* Polls notify under every name that the school's rules know them by (MSC3930). */
static void polls_notify_by_every_name(void **state)
{
    static const struct {
        enum event_kind kind;
        const char *type;
    } TYPES[] = {
#define X(kind, type) {EVENT_##kind, type},
#include "policy/rules/event_types.def"
#undef X
    };
    struct push_rules *rules = push_rules_compile(NULL);
    size_t n = 0;
    for (size_t i = 0; i < COUNT(TYPES); ++i) {
        const char *name = TYPES[i].kind == EVENT_POLL_START  ? "poll_start"
                           : TYPES[i].kind == EVENT_POLL_END  ? "poll_end"
                           : TYPES[i].kind == EVENT_POLL_VOTE ? "poll_response"
                                                              : NULL;
        bool vote = TYPES[i].kind == EVENT_POLL_VOTE;
        for (int members = 2; name != NULL && members < 4; ++members, ++n) {
            struct push_result r =
                evaluate(rules, &(struct event){.type = TYPES[i].type, .content = "{}", .members = members}, NULL);
            char id[64];
            snprintf(id, sizeof id, ".org.matrix.msc3930.rule.%s%s", name, vote || members > 2 ? "" : "_one_to_one");
            assert_string_equal(r.rule_id, id);
            assert_int_equal(r.notify, !vote);
            assert_string_equal(r.tweaks, vote || members > 2 ? "{}" : "{\"sound\":\"default\"}");
        }
    }
    assert_int_equal(n, 18);
    push_rules_unref(rules);
}

/* MSC3914: a call that rings, where there was none or it had ended. */
static void a_call_of_a_room_notifies_when_it_starts(void **state)
{
    static const char OVER[] = "{\"m.terminated\":true}", ON[] = "{\"m.intent\":\"m.ring\"}";
    static const struct {
        struct event event;
        bool notifies;
    } CASES[] = {
        {{.type = "org.matrix.msc3401.call", .state_key = "c", .content = "{\"m.intent\":\"m.ring\"}"}, true},
        {{.type = "m.call", .state_key = "c", .content = "{\"m.intent\":\"m.prompt\"}"}, true},
        {{.type = "m.call", .state_key = "c", .content = "{\"m.intent\":\"m.ring\"}", .prev_content = OVER}, true},
        {{.type = "m.call", .state_key = "c", .content = "{\"m.intent\":\"m.ring\"}", .prev_content = ON}, false},
        {{.type = "m.call", .state_key = "c", .content = "{\"m.intent\":\"m.room\"}"}, false},
        {{.type = "m.call", .state_key = "c", .content = "{\"m.intent\":[\"m.ring\"]}"}, false},
        {{.type = "m.call", .state_key = "c", .content = "{\"m.intent\":\"m.ring\",\"m.terminated\":true}"}, false},
        {{.type = "m.call", .content = "{\"m.intent\":\"m.ring\"}"}, false},
        {{.type = "m.call", .state_key = "c", .content = "{}"}, false},
    };
    struct push_rules *rules = push_rules_compile(NULL);
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct push_result r = evaluate(rules, &CASES[i].event, NULL);
        if (r.notify != CASES[i].notifies)
            fail_msg("case %zu", i);
    }
    push_rules_unref(rules);
}

/* One override rule with one condition; the default rules are there as well, but told apart by the id. */
static bool holds(const char *condition, const struct event *event, const char *display_name)
{
    struct text stored = TEXT_INIT;
    text_addf(&stored,
              "{\"rules\":{\"override\":[{\"rule_id\":\"mine\",\"enabled\":true,\"conditions\":[%s],\"actions\":[]}]}}",
              condition);
    json_decref(parse(stored.data));
    struct push_rules *rules = push_rules_compile(stored.data);
    struct push_result result = evaluate(rules, event, display_name);
    bool it_holds = result.rule_id != NULL && strcmp(result.rule_id, "mine") == 0;
    push_rules_unref(rules);
    text_finish(&stored);
    return it_holds;
}

#define MATCH(key, pattern) "{\"kind\":\"event_match\",\"key\":\"" key "\",\"pattern\":\"" pattern "\"}"
#define IS(key, value) "{\"kind\":\"event_property_is\",\"key\":\"" key "\",\"value\":" value "}"
#define CONTAINS(key, value) "{\"kind\":\"event_property_contains\",\"key\":\"" key "\",\"value\":" value "}"
#define MEMBERS(is) "{\"kind\":\"room_member_count\",\"is\":\"" is "\"}"
#define NAME "{\"kind\":\"contains_display_name\"}"
#define POWER(key) "{\"kind\":\"sender_notification_permission\",\"key\":\"" key "\"}"

static void test_conditions(void **state)
{
    static const struct {
        const char *condition;
        struct event event;
        bool holds;
    } CASES[] = {
        {MATCH("content.topic", "lunc?*"), {.content = "{\"topic\":\"Lunch plans\"}"}, true},
        {MATCH("content.topic", "lunc?*"), {.content = "{\"topic\":\"LUNCH\"}"}, true},
        {MATCH("content.topic", "lunc?*"), {.content = "{\"topic\":\" lunch\"}"}, false},
        {MATCH("content.topic", "lunc?*"), {.content = "{\"topic\":\"lunc\"}"}, false},
        {MATCH("content.topic", "*"), {.content = "{\"topic\":null}"}, false},
        {MATCH("content.topic", "*"), {.content = "{\"topic\":7}"}, false},
        {MATCH("content.topic", "*"), {.content = "{\"topic\":{}}"}, false},
        {MATCH("content.topic", "*"), {.content = "{}"}, false},
        {MATCH("content.topic", "*"), {.content = "{\"topic\":\"\"}"}, true},
        {MATCH("content.topic", ""), {.content = "{\"topic\":\"\"}"}, true},
        {MATCH("content.topic", "обед"), {.content = "{\"topic\":\"ОБЕД\"}"}, true},
        {MATCH("content.topic", "Обед*"), {.content = "{\"topic\":\"обеды\"}"}, true},
        {MATCH("content.topic", "*Обед"), {.content = "{\"topic\":\"полдник или ОБЕД\"}"}, true},
        {MATCH("content.topic", "*Обед"), {.content = "{\"topic\":\"обед\"}"}, true},
        {MATCH("content.topic", "*Обед"), {.content = "{\"topic\":\"обеды\"}"}, false},
        {MATCH("content.topic", "*обед"), {.content = "{\"topic\":\"ед\"}"}, false},
        {MATCH("content.topic", "*ea"), {.content = "{\"topic\":7}"}, false},
        {MATCH("content.topic", "a?b"), {.content = "{\"topic\":\"a\\nb\"}"}, true},
        {MATCH("content.topic", "a\\nb"), {.content = "{\"topic\":\"A\\nB\"}"}, true},
        {MATCH("content.body", "ex*ple"), {.content = "{\"body\":\"An example event.\"}"}, true},
        {MATCH("content.body", "ex*ple"), {.content = "{\"body\":\"An exciting triple-whammy\"}"}, true},
        {MATCH("content.body", "CAKE"), {.content = "{\"body\":\"a piece of\\ncake\"}"}, true},
        {MATCH("content.body", "cake"), {.content = "{\"body\":\"pancakes\"}"}, false},
        {MATCH("content.body", "cake"), {.content = "{\"body\":null}"}, false},
        {MATCH("content.body", "cake"), {.content = "{\"body\":{\"a\":\"cake\"}}"}, false},
        {MATCH("content.body", "*"), {.content = "{\"body\":\"\"}"}, true},
        {MATCH("content.body", "*"), {.content = "{}"}, false},
        {MATCH("content.body", "Контрольная"), {.content = "{\"body\":\"завтра КОНТРОЛЬНАЯ!\"}"}, true},
        {MATCH("content.a.b.c", "x"), {.content = "{\"a\":{\"b\":{\"c\":\"X\"}}}"}, true},
        {MATCH("content.a.b.c", "x"), {.content = "{\"a\":{\"b.c\":\"x\"}}"}, false},
        {MATCH("content.a\\\\.b", "x"), {.content = "{\"a.b\":\"x\"}"}, true},
        {MATCH("content.a\\\\\\\\b", "x"), {.content = "{\"a\\\\b\":\"x\"}"}, true},
        {MATCH("content.a\\\"b", "x"), {.content = "{\"a\\\"b\":\"x\"}"}, true},
        {MATCH("content", "*"), {0}, false},
        {MATCH("contents.body", "*"), {0}, false},
        {MATCH("unsigned.age", "*"), {0}, false},
        {MATCH("", "*"), {0}, false},
        {MATCH("room_id", ROOM), {0}, true},
        {MATCH("room_id", "!other:school.test"), {0}, false},
        {MATCH("sender", "@y*"), {0}, true},
        {MATCH("type", "m.room.*"), {0}, true},
        {MATCH("event_id", "$event"), {0}, true},
        {MATCH("state_key", ""), {0}, false},
        {MATCH("state_key", ""), {.state_key = ""}, true},
        {MATCH("state_key", "@me"), {.state_key = ME}, false}, /* the placeholder of the defaults means nothing here */
        {MATCH("content.topic", "@me"), {.content = "{\"topic\":\"@me\"}"}, true},
        {MATCH("content.msgtype", "m.*"), {0}, true},
        {IS("content.m\\\\.federate", "true"), {.content = "{\"m.federate\":true}"}, true},
        {IS("content.m\\\\.federate", "true"), {.content = "{\"m.federate\":\"true\"}"}, false},
        {IS("content.m\\\\.federate", "true"), {.content = "{\"m.federate\":1}"}, false},
        {IS("content.m\\\\.federate", "false"), {.content = "{\"m.federate\":false}"}, true},
        {IS("content.m\\\\.federate", "false"), {.content = "{}"}, false},
        {IS("content.x", "null"), {.content = "{\"x\":null}"}, true},
        {IS("content.x", "null"), {.content = "{}"}, false},
        {IS("content.x", "-9007199254740991"), {.content = "{\"x\":-9007199254740991}"}, true},
        {IS("content.x", "1"), {.content = "{\"x\":2}"}, false},
        {IS("content.x", "\"a\\n\""), {.content = "{\"x\":\"a\\n\"}"}, true},
        {IS("content.x", "\"A\""), {.content = "{\"x\":\"a\"}"}, false},
        {IS("content.x", "\"*\""), {.content = "{\"x\":\"a\"}"}, false},
        {IS("content.x", "\"@me\""), {.content = "{\"x\":\"" ME "\"}"}, false},
        {IS("content.x", "[]"), {.content = "{\"x\":[]}"}, false},
        {IS("content.x", "1.5"), {.content = "{\"x\":1.5}"}, false},
        {IS("content.body", "\"hi\""), {0}, true},
        {IS("type", "\"m.room.message\""), {0}, true},
        {CONTAINS("content.a", "\"x\""), {.content = "{\"a\":[\"w\",\"x\"]}"}, true},
        {CONTAINS("content.a", "\"x\""), {.content = "{\"a\":[\"xx\",[\"x\"],{\"x\":\"x\"}]}"}, false},
        {CONTAINS("content.a", "\"x\\\"\""), {.content = "{\"a\":[1,\"x\\\"\"]}"}, true},
        {CONTAINS("content.a", "\"x\""), {.content = "{\"a\":\"x\"}"}, false},
        {CONTAINS("content.a", "5"), {.content = "{\"a\":[\"5\",55,5]}"}, true},
        {CONTAINS("content.a", "5"), {.content = "{\"a\":[\"5\"]}"}, false},
        {CONTAINS("content.a", "\"5\""), {.content = "{\"a\":[5]}"}, false},
        {CONTAINS("content.a", "null"), {.content = "{\"a\":[null]}"}, true},
        {CONTAINS("content.a", "true"), {.content = "{\"a\":[false]}"}, false},
        {CONTAINS("content.a", "true"), {.content = "{\"a\":[]}"}, false},
        {CONTAINS("content.m\\\\.mentions.user_ids", "\"@x:y\""),
         {.content = "{\"m.mentions\":{\"user_ids\":[\"@x:y\"]}}"},
         true},
        {CONTAINS("content.m\\\\.mentions.user_ids", "\"@me\""),
         {.content = "{\"m.mentions\":{\"user_ids\":[\"" ME "\"]}}"},
         false},
        {CONTAINS("content.m\\\\.mentions.user_ids", "3"), {.content = "{\"m.mentions\":{\"user_ids\":[3]}}"}, true},
        {NAME, {.content = "{\"body\":\"hello ANNA K., are you there\"}"}, true},
        {NAME, {.content = "{\"body\":\"hello Johanna K.\"}"}, false},
        {NAME, {.content = "{\"body\":\"hello anna\"}"}, false},
        {NAME, {.content = "{\"topic\":\"anna k.\"}"}, false},
        {MEMBERS("2"), {.members = 2}, true},
        {MEMBERS("==2"), {.members = 2}, true},
        {MEMBERS("2"), {.members = 3}, false},
        {MEMBERS("<=10"), {.members = 10}, true},
        {MEMBERS("<=10"), {.members = 11}, false},
        {MEMBERS(">=10"), {.members = 10}, true},
        {MEMBERS(">=10"), {.members = 9}, false},
        {MEMBERS("<3"), {.members = 3}, false},
        {MEMBERS("<3"), {.members = 2}, true},
        {MEMBERS(">3"), {.members = 4}, true},
        {MEMBERS(">3"), {.members = 3}, false},
        {MEMBERS(""), {.members = 2}, false},
        {MEMBERS("=2"), {.members = 2}, false},
        {MEMBERS("2x"), {.members = 2}, false},
        {MEMBERS("< 3"), {.members = 2}, false},
        {MEMBERS("<99999999999999999999999"), {.members = 2}, true},
        {POWER("room"), {.power = 50}, true},
        {POWER("room"), {.power = 49}, false},
        {POWER("other"), {.power = 50}, true},
        {POWER("other"), {.power = 50, .notifications = "{\"other\":60}"}, false},
        {POWER("other"), {.power = -1, .notifications = "{\"other\":-1,\"room\":90}"}, true},
        {"{\"kind\":\"org.example.unknown\"}", {0}, false},
        {"{}", {0}, false},
        {"7", {0}, false},
        {"{\"kind\":\"event_match\",\"key\":\"type\"}", {0}, false},
        {"{\"kind\":\"event_match\",\"pattern\":\"*\"}", {0}, false},
        {"{\"kind\":\"event_property_is\",\"key\":\"content.x\"}", {.content = "{\"x\":null}"}, false},
        {"{\"kind\":\"sender_notification_permission\"}", {.power = 100}, false},
        {"", {0}, true}, /* no condition */
        {MATCH("type", "m.room.message") "," MATCH("sender", "@you:*"), {0}, true},
        {MATCH("type", "m.room.message") "," MATCH("sender", "@she:*"), {0}, false},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i)
        if (holds(CASES[i].condition, &CASES[i].event, "Anna K.") != CASES[i].holds)
            fail_msg("case %zu: %s", i, CASES[i].condition);
    assert_false(holds(NAME, &(struct event){0}, NULL));
    assert_false(holds(NAME, &(struct event){0}, ""));
}

/* Order of kinds and of rules, disabled rules, the master rule. */
static void test_order(void **state)
{
#define ANY(id, enabled) "{\"rule_id\":\"" id "\",\"enabled\":" enabled ",\"conditions\":[],\"actions\":[\"notify\"]}"
#define CONTENT(id, pattern)                                                                                           \
    "{\"rule_id\":\"" id "\",\"enabled\":true,\"pattern\":\"" pattern "\",\"actions\":[\"notify\"]}"
#define NAMED(id) "{\"rule_id\":\"" id "\",\"enabled\":true,\"actions\":[]}"
    static const struct {
        const char *stored;
        struct event event;
        const char *rule_id;
    } CASES[] = {
        {"{\"rules\":{\"override\":[" ANY("a", "true") "," ANY("b", "true") "]}}", {0}, "a"},
        {"{\"rules\":{\"override\":[" ANY("a", "false") "," ANY("b", "true") "]}}", {0}, "b"},
        {"{\"rules\":{\"override\":[" ANY("a", "true") "]},\"defaults\":{\".m.rule.master\":{\"enabled\":true}}}",
         {0},
         ".m.rule.master"},
        {"{\"rules\":{\"override\":[" ANY("a", "true") "]}}", {.content = "{\"msgtype\":\"m.notice\"}"}, "a"},
        {"{\"rules\":{\"underride\":[" ANY("a", "true") "]}}", {0}, "a"}, /* before the default underrides */
        {"{\"rules\":{\"underride\":[" ANY("a", "true") "]}}",
         {.content = "{\"msgtype\":\"m.notice\"}"},
         ".m.rule.suppress_notices"},
        {"{\"rules\":{\"content\":[" CONTENT("c", "hi") "],\"room\":[" NAMED(ROOM) "],\"sender\":[" NAMED(YOU) "]}}",
         {0},
         "c"},
        {"{\"rules\":{\"content\":[" CONTENT("c", "ho") "],\"room\":[" NAMED(ROOM) "],\"sender\":[" NAMED(YOU) "]}}",
         {0},
         ROOM},
        {"{\"rules\":{\"room\":[" NAMED("!ROOM:school.test") "],\"sender\":[" NAMED(YOU) "]}}", {0}, YOU},
        {"{\"rules\":{\"sender\":[" NAMED("@her:school.test") "]}}", {0}, ".m.rule.message"},
        {"{\"defaults\":{\".m.rule.message\":{\"enabled\":false}}}", {0}, NULL},
        {"{\"defaults\":{\".m.rule.suppress_notices\":{\"enabled\":false}}}",
         {.content = "{\"msgtype\":\"m.notice\"}"},
         ".m.rule.message"},
        {"{\"defaults\":{\".m.rule.gone\":{\"enabled\":true}}}", {0}, ".m.rule.message"},
        {"not JSON", {0}, ".m.rule.message"},
        {"[1]", {0}, ".m.rule.message"},
        {"{\"rules\":[],\"defaults\":7}", {0}, ".m.rule.message"},
        {"{\"rules\":{\"override\":[7,{},{\"rule_id\":7,\"actions\":[]},{\"rule_id\":\"x\"}],\"room\":{}}}",
         {0},
         ".m.rule.message"},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct push_rules *rules = push_rules_compile(CASES[i].stored);
        struct push_result r = evaluate(rules, &CASES[i].event, NULL);
        if (CASES[i].rule_id == NULL)
            assert_null(r.rule_id);
        else if (r.rule_id == NULL || strcmp(r.rule_id, CASES[i].rule_id) != 0)
            fail_msg("case %zu: %s", i, r.rule_id != NULL ? r.rule_id : "none");
        push_rules_unref(rules);
    }
}

static void test_actions(void **state)
{
    static const struct {
        const char *actions;
        bool notify, highlight;
        const char *tweaks;
    } CASES[] = {
        {"[]", false, false, "{}"},
        {"[\"notify\"]", true, false, "{}"},
        {"[\"dont_notify\"]", false, false, "{}"},
        {"[\"coalesce\"]", false, false, "{}"},
        {"[\"notify\",{\"set_tweak\":\"highlight\"}]", true, true, "{\"highlight\":true}"},
        {"[\"notify\",{\"set_tweak\":\"highlight\",\"value\":true}]", true, true, "{\"highlight\":true}"},
        {"[\"notify\",{\"set_tweak\":\"highlight\",\"value\":false}]", true, false, "{\"highlight\":false}"},
        {"[{\"set_tweak\":\"highlight\"}]", false, false, "{\"highlight\":true}"},
        {"[\"notify\",{\"set_tweak\":\"sound\",\"value\":\"a\"},{\"set_tweak\":\"flash\"}]", true, false,
         "{\"flash\":null,\"sound\":\"a\"}"},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct text stored = TEXT_INIT;
        text_addf(&stored, "{\"rules\":{\"override\":[{\"rule_id\":\"mine\",\"enabled\":true,\"actions\":%s}]}}",
                  CASES[i].actions);
        struct push_rules *rules = push_rules_compile(stored.data), *again = push_rules_ref(rules);
        push_rules_unref(rules);
        struct push_result r = evaluate(again, &(struct event){0}, NULL);
        assert_string_equal(r.rule_id, "mine");
        assert_string_equal(r.actions, CASES[i].actions);
        assert_string_equal(r.tweaks, CASES[i].tweaks);
        assert_int_equal(r.notify, CASES[i].notify);
        assert_int_equal(r.highlight, CASES[i].highlight);
        push_rules_unref(again);
        text_finish(&stored);
    }
}

/* Changes. A script of them, then the order of the kind's ids and the last error. */

struct step {
    char act; /* p put, d delete, e enable, x disable, a actions */
    enum push_rule_kind kind;
    const char *rule_id, *body, *before, *after;
    enum error_code code; /* ERROR_NONE: it works */
};

static enum error_code take(json_t *rules, const struct step *step)
{
    struct error e = {0};
    json_t *body = parse(step->body != NULL ? step->body : "{\"actions\":[],\"pattern\":\"x\"}");
    struct push_place place = {step->before, step->after};
    bool ok = false;
    switch (step->act) {
    case 'p': ok = push_rules_put(rules, step->kind, step->rule_id, body, &place, &e); break;
    case 'd': ok = push_rules_delete(rules, step->kind, step->rule_id, &e); break;
    case 'e': ok = push_rules_set_enabled(rules, step->kind, step->rule_id, true, &e); break;
    case 'x': ok = push_rules_set_enabled(rules, step->kind, step->rule_id, false, &e); break;
    case 'a':
        ok = push_rules_set_actions(rules, step->kind, step->rule_id, json_object_get(body, "actions"), &e);
        break;
    }
    json_decref(body);
    assert_int_equal(ok, e.code == ERROR_NONE);
    assert_true(e.code != ERROR_UNKNOWN || error_status(&e) == 400);
    return e.code;
}

/* "a b -c": the kind's own rules, "-" before disabled ones. */
static char *list_own(json_t *rules, enum push_rule_kind kind)
{
    struct error e = {0};
    struct text out = TEXT_INIT;
    char *stored = push_rules_close(rules, &e);
    json_t *whole = push_rules_whole(stored, ME), *rule;
    size_t i;
    json_array_foreach(json_get_array(json_get_object(whole, "global"), push_rule_kind_name(kind)), i, rule) {
        if (json_get_bool(rule, "default", true))
            continue;
        text_adds(&out, out.len != 0 ? " " : "");
        text_adds(&out, json_get_bool(rule, "enabled", true) ? "" : "-");
        text_adds(&out, json_get_string(rule, "rule_id"));
    }
    json_decref(whole);
    free(stored);
    return text_take(&out);
}

static void test_changes(void **state)
{
    static const struct {
        struct step steps[8];
        const char *own; /* of PUSH_RULE_CONTENT at the end */
    } CASES[] = {
#define C PUSH_RULE_CONTENT
        {{{'p', C, "a"}, {'p', C, "b"}, {'p', C, "c"}}, "c b a"}, /* a new rule is the most important one */
        {{{'p', C, "a"}, {'p', C, "b"}, {'p', C, "a"}}, "b a"},   /* a known one stays where it is */
        {{{'p', C, "a"}, {'p', C, "b"}, {'p', C, "c", NULL, "a"}}, "b c a"},
        {{{'p', C, "a"}, {'p', C, "b"}, {'p', C, "c", NULL, NULL, "b"}}, "b c a"},
        {{{'p', C, "a"}, {'p', C, "b"}, {'p', C, "c", NULL, NULL, "a"}}, "b a c"},
        {{{'p', C, "a"}, {'p', C, "b"}, {'p', C, "c", NULL, "b", "a"}}, "c b a"}, /* before wins */
        {{{'p', C, "a"}, {'p', C, "b"}, {'p', C, "b", NULL, NULL, "a"}}, "a b"},  /* moved */
        {{{'p', C, "a"}, {'p', C, "b"}, {'p', C, "a", NULL, "b"}}, "a b"},
        {{{'p', C, "a"}, {'p', C, "b", NULL, "z", NULL, ERROR_UNKNOWN}}, "a"},
        {{{'p', C, "a"}, {'p', C, "a", NULL, "a", NULL, ERROR_UNKNOWN}}, "a"},
        {{{'p', C, "a"}, {'p', C, "b", NULL, NULL, ".m.rule.master", ERROR_INVALID_PARAM}}, "a"},
        {{{'p', C, "a"}, {'x', C, "a"}, {'p', C, "a"}}, "-a"}, /* changing a rule does not enable it … */
        {{{'p', C, "a"}, {'x', C, "a"}, {'d', C, "a"}, {'p', C, "a"}}, "a"}, /* … making it anew does */
        {{{'p', C, "a"}, {'x', C, "a"}, {'e', C, "a"}}, "a"},
        {{{'p', C, "a"}, {'d', C, "a"}, {'d', C, "a", NULL, NULL, NULL, ERROR_NOT_FOUND}}, ""},
        {{{'x', C, "a", NULL, NULL, NULL, ERROR_NOT_FOUND}, {'a', C, "a", NULL, NULL, NULL, ERROR_NOT_FOUND}}, ""},
        {{{'p', PUSH_RULE_ROOM, ROOM}, {'d', C, ROOM, NULL, NULL, NULL, ERROR_NOT_FOUND}}, ""}, /* another kind */
        {{{'d', PUSH_RULE_OVERRIDE, ".m.rule.master", NULL, NULL, NULL, ERROR_INVALID_PARAM}}, ""},
        {{{'d', PUSH_RULE_UNDERRIDE, ".m.rule.master", NULL, NULL, NULL, ERROR_NOT_FOUND}}, ""},
        {{{'e', PUSH_RULE_OVERRIDE, ".m.rule.nosuch", NULL, NULL, NULL, ERROR_NOT_FOUND}}, ""},
        {{{'p', C, ".a", NULL, NULL, NULL, ERROR_INVALID_PARAM},
          {'p', C, "a/b", NULL, NULL, NULL, ERROR_INVALID_PARAM},
          {'p', C, "a\\b", NULL, NULL, NULL, ERROR_INVALID_PARAM},
          {'p', C, "", NULL, NULL, NULL, ERROR_INVALID_PARAM}},
         ""},
#undef C
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        json_t *rules = push_rules_open(NULL);
        for (const struct step *step = CASES[i].steps; step->act != 0; ++step) {
            enum error_code code = take(rules, step);
            if (code != step->code)
                fail_msg("case %zu step %td: error %d", i, step - CASES[i].steps, code);
        }
        char *own = list_own(rules, PUSH_RULE_CONTENT);
        if (strcmp(own, CASES[i].own) != 0)
            fail_msg("case %zu: %s", i, own);
        free(own);
        json_decref(rules);
    }
}

/* What a rule may look like. */
static void test_bodies(void **state)
{
    static const struct {
        enum push_rule_kind kind;
        const char *body;
        enum error_code code;
    } CASES[] = {
        {PUSH_RULE_ROOM, "{\"actions\":[]}", ERROR_NONE},
        {PUSH_RULE_ROOM, "{}", ERROR_MISSING_PARAM},
        {PUSH_RULE_ROOM, "{\"actions\":null}", ERROR_INVALID_PARAM},
        {PUSH_RULE_ROOM, "{\"actions\":\"notify\"}", ERROR_INVALID_PARAM},
        {PUSH_RULE_ROOM, "{\"actions\":{}}", ERROR_INVALID_PARAM},
        {PUSH_RULE_ROOM, "{\"actions\":[\"notify\",\"dont_notify\",\"coalesce\"]}", ERROR_NONE},
        {PUSH_RULE_ROOM, "{\"actions\":[\"stink\"]}", ERROR_INVALID_PARAM},
        {PUSH_RULE_ROOM, "{\"actions\":[7]}", ERROR_INVALID_PARAM},
        {PUSH_RULE_ROOM, "{\"actions\":[{}]}", ERROR_INVALID_PARAM},
        {PUSH_RULE_ROOM, "{\"actions\":[{\"set_tweak\":\"\"}]}", ERROR_INVALID_PARAM},
        {PUSH_RULE_ROOM, "{\"actions\":[{\"set_tweak\":7}]}", ERROR_INVALID_PARAM},
        {PUSH_RULE_ROOM, "{\"actions\":[{\"set_tweak\":\"sound\",\"value\":\"x\"}]}", ERROR_NONE},
        {PUSH_RULE_SENDER, "{\"actions\":[],\"pattern\":7,\"conditions\":7}", ERROR_NONE}, /* not of this kind */
        {PUSH_RULE_CONTENT, "{\"actions\":[],\"pattern\":\"cake\"}", ERROR_NONE},
        {PUSH_RULE_CONTENT, "{\"actions\":[]}", ERROR_MISSING_PARAM},
        {PUSH_RULE_CONTENT, "{\"actions\":[],\"pattern\":7}", ERROR_INVALID_PARAM},
        {PUSH_RULE_OVERRIDE, "{\"actions\":[]}", ERROR_NONE},
        {PUSH_RULE_OVERRIDE, "{\"actions\":[],\"conditions\":[]}", ERROR_NONE},
        {PUSH_RULE_OVERRIDE, "{\"actions\":[],\"conditions\":{}}", ERROR_INVALID_PARAM},
        {PUSH_RULE_UNDERRIDE, "{\"actions\":[],\"conditions\":[7]}", ERROR_INVALID_PARAM},
        {PUSH_RULE_UNDERRIDE, "{\"actions\":[],\"conditions\":[{}]}", ERROR_INVALID_PARAM},
        {PUSH_RULE_UNDERRIDE, "{\"actions\":[],\"conditions\":[{\"kind\":\"org.example.new\"}]}", ERROR_NONE},
        {PUSH_RULE_UNDERRIDE, "{\"actions\":[],\"conditions\":[{\"kind\":\"event_match\",\"key\":\"type\"}]}",
         ERROR_INVALID_PARAM},
        {PUSH_RULE_UNDERRIDE, "{\"actions\":[],\"conditions\":[{\"kind\":\"event_match\",\"pattern\":\"x\"}]}",
         ERROR_INVALID_PARAM},
        {PUSH_RULE_UNDERRIDE, "{\"actions\":[],\"conditions\":[" MATCH("type", "x") "]}", ERROR_NONE},
        {PUSH_RULE_UNDERRIDE, "{\"actions\":[],\"conditions\":[" IS("type", "[]") "]}", ERROR_INVALID_PARAM},
        {PUSH_RULE_UNDERRIDE, "{\"actions\":[],\"conditions\":[" IS("type", "1.5") "]}", ERROR_INVALID_PARAM},
        {PUSH_RULE_UNDERRIDE,
         "{\"actions\":[],\"conditions\":[" IS("type", "null") "," CONTAINS("x", "9007199254740991") "]}", ERROR_NONE},
        {PUSH_RULE_UNDERRIDE, "{\"actions\":[],\"conditions\":[" CONTAINS("x", "9007199254740992") "]}",
         ERROR_INVALID_PARAM},
        {PUSH_RULE_UNDERRIDE, "{\"actions\":[],\"conditions\":[{\"kind\":\"room_member_count\",\"is\":2}]}",
         ERROR_INVALID_PARAM},
        {PUSH_RULE_UNDERRIDE, "{\"actions\":[],\"conditions\":[{\"kind\":\"sender_notification_permission\"}]}",
         ERROR_INVALID_PARAM},
        {PUSH_RULE_UNDERRIDE, "{\"actions\":[],\"conditions\":[" NAME "]}", ERROR_NONE},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        json_t *rules = push_rules_open(NULL);
        struct step step = {'p', CASES[i].kind, "rule", CASES[i].body};
        enum error_code code = take(rules, &step);
        if (code != CASES[i].code)
            fail_msg("case %zu: error %d", i, code);
        char *own = list_own(rules, CASES[i].kind);
        assert_string_equal(own, code == ERROR_NONE ? "rule" : "");
        free(own);
        json_decref(rules);
    }
}

static void test_limits(void **state)
{
    struct error e = {0};
    char long_text[PUSH_PATTERN_MAX + 2], id[16];
    json_t *rules = push_rules_open(NULL), *body = parse("{\"actions\":[],\"pattern\":\"x\"}");
    memset(long_text, 'x', sizeof long_text);
    long_text[PUSH_PATTERN_MAX + 1] = '\0';
    json_t *long_body = json_pack("{s:[], s:s}", "actions", "pattern", long_text);
    assert_false(push_rules_put(rules, PUSH_RULE_CONTENT, "a", long_body, &(struct push_place){0}, &e));
    assert_int_equal(e.code, ERROR_INVALID_PARAM);
    assert_false(push_rules_put(rules, PUSH_RULE_CONTENT, long_text, body, &(struct push_place){0}, &e));
    for (int i = 0; i < PUSH_RULES_MAX; ++i) {
        snprintf(id, sizeof id, "rule%d", i);
        enum push_rule_kind kind = i % 2 == 0 ? PUSH_RULE_CONTENT : PUSH_RULE_ROOM;
        assert_true(push_rules_put(rules, kind, id, body, &(struct push_place){0}, &e));
    }
    assert_false(push_rules_put(rules, PUSH_RULE_SENDER, "more", body, &(struct push_place){0}, &e));
    assert_int_equal(e.code, ERROR_TOO_LARGE);
    assert_true(push_rules_put(rules, PUSH_RULE_CONTENT, "rule0", body, &(struct push_place){0}, &e)); /* a change */
    json_decref(rules);

    rules = push_rules_open(NULL);
    long_text[PUSH_PATTERN_MAX] = '\0';
    json_object_set_new(long_body, "pattern", json_string(long_text));
    for (int i = 0; i < PUSH_RULES_BYTES_MAX / PUSH_PATTERN_MAX; ++i) {
        snprintf(id, sizeof id, "rule%d", i);
        assert_true(push_rules_put(rules, PUSH_RULE_CONTENT, id, long_body, &(struct push_place){0}, &e));
    }
    assert_null(push_rules_close(rules, &e));
    assert_int_equal(e.code, ERROR_TOO_LARGE);
    json_decref(long_body);
    json_decref(body);
    json_decref(rules);
}

/* What is stored is what differs, so that the defaults of a later version are seen by everyone. */
static void test_stored(void **state)
{
    static const struct {
        struct step steps[4];
        const char *defaults;
    } CASES[] = {
        {{{0}}, "{}"},
        {{{'e', PUSH_RULE_OVERRIDE, ".m.rule.master"}}, "{\".m.rule.master\":{\"enabled\":true}}"},
        {{{'e', PUSH_RULE_OVERRIDE, ".m.rule.master"}, {'x', PUSH_RULE_OVERRIDE, ".m.rule.master"}}, "{}"},
        {{{'x', PUSH_RULE_OVERRIDE, ".m.rule.master"}}, "{}"},
        {{{'a', PUSH_RULE_UNDERRIDE, ".m.rule.message"}}, "{\".m.rule.message\":{\"actions\":[]}}"},
        {{{'a', PUSH_RULE_UNDERRIDE, ".m.rule.message"}, {'x', PUSH_RULE_UNDERRIDE, ".m.rule.message"}},
         "{\".m.rule.message\":{\"actions\":[],\"enabled\":false}}"},
        {{{'a', PUSH_RULE_UNDERRIDE, ".m.rule.message"},
          {'a', PUSH_RULE_UNDERRIDE, ".m.rule.message", "{\"actions\":[\"notify\"]}"}},
         "{}"},
        {{{'a', PUSH_RULE_UNDERRIDE, ".m.rule.message", "{\"actions\":[\"coalesce\",\"notify\"]}"}}, "{}"},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct error e = {0};
        json_t *rules = push_rules_open(NULL);
        for (const struct step *step = CASES[i].steps; step->act != 0; ++step)
            assert_int_equal(take(rules, step), ERROR_NONE);
        char *stored = push_rules_close(rules, &e), *expected = NULL;
        assert_true(asprintf(&expected,
                             "{\"defaults\":%s,\"rules\":{\"content\":[],\"override\":[],\"room\":[],\"sender\":[],"
                             "\"underride\":[]}}",
                             CASES[i].defaults) > 0);
        assert_string_equal(stored, expected);
        json_t *again = push_rules_open(stored);
        assert_true(json_equal(again, rules));
        json_decref(again);
        json_decref(rules);
        free(stored);
        free(expected);
    }
}

/* The whole set as clients get it: all default rules of the specification, in its order, and the user's id in place. */
static void test_whole(void **state)
{
    static const char *const OVERRIDES[] = {".m.rule.master",
                                            "mine",
                                            ".m.rule.suppress_notices",
                                            ".m.rule.invite_for_me",
                                            ".m.rule.member_event",
                                            ".m.rule.is_user_mention",
                                            ".m.rule.is_room_mention",
                                            ".m.rule.tombstone",
                                            ".m.rule.reaction",
                                            ".m.rule.room.server_acl",
                                            ".org.matrix.msc3930.rule.poll_response",
                                            ".m.rule.suppress_edits"};
    static const char *const UNDERRIDES[] = {".m.rule.call",
                                             ".org.matrix.msc3914.rule.room.call",
                                             ".m.rule.encrypted_room_one_to_one",
                                             ".m.rule.room_one_to_one",
                                             ".m.rule.message",
                                             ".m.rule.encrypted",
                                             ".org.matrix.msc3930.rule.poll_start_one_to_one",
                                             ".org.matrix.msc3930.rule.poll_start",
                                             ".org.matrix.msc3930.rule.poll_end_one_to_one",
                                             ".org.matrix.msc3930.rule.poll_end"};
    struct error e = {0};
    json_t *rules = push_rules_open(NULL);
    struct step put = {'p', PUSH_RULE_OVERRIDE, "mine", "{\"actions\":[\"notify\",\"coalesce\"]}"};
    struct step master = {'e', PUSH_RULE_OVERRIDE, ".m.rule.master"};
    assert_int_equal(take(rules, &put), ERROR_NONE);
    assert_int_equal(take(rules, &master), ERROR_NONE);
    char *stored = push_rules_close(rules, &e);
    struct text content = TEXT_INIT;
    push_rules_add_content(&content, stored, ME);
    json_t *whole = parse(content.data), *global = json_get_object(whole, "global");
    assert_null(strstr(content.data, "\"@me\""));

    json_t *list = json_get_array(global, "override"), *rule;
    assert_int_equal(json_array_size(list), COUNT(OVERRIDES));
    for (size_t i = 0; i < COUNT(OVERRIDES); ++i)
        assert_string_equal(json_get_string(json_array_get(list, i), "rule_id"), OVERRIDES[i]);
    list = json_get_array(global, "underride");
    assert_int_equal(json_array_size(list), COUNT(UNDERRIDES));
    for (size_t i = 0; i < COUNT(UNDERRIDES); ++i)
        assert_string_equal(json_get_string(json_array_get(list, i), "rule_id"), UNDERRIDES[i]);
    assert_int_equal(json_array_size(json_get_array(global, "content")), 0);
    assert_int_equal(json_array_size(json_get_array(global, "room")), 0);
    assert_int_equal(json_array_size(json_get_array(global, "sender")), 0);

    assert_true(json_get_bool(push_rules_find(whole, PUSH_RULE_OVERRIDE, ".m.rule.master"), "enabled", false));
    rule = push_rules_find(whole, PUSH_RULE_OVERRIDE, "mine");
    json_t *expected =
        parse("{\"rule_id\":\"mine\",\"default\":false,\"enabled\":true,\"conditions\":[],\"actions\":[\"notify\"]}");
    assert_true(json_equal(rule, expected));
    json_decref(expected);
    rule = push_rules_find(whole, PUSH_RULE_OVERRIDE, ".m.rule.is_user_mention");
    expected = parse(
        "{\"rule_id\":\".m.rule.is_user_mention\",\"default\":true,\"enabled\":true,\"conditions\":["
        "{\"kind\":\"event_property_contains\",\"key\":\"content.m\\\\.mentions.user_ids\",\"value\":\"" ME "\"}],"
        "\"actions\":[\"notify\",{\"set_tweak\":\"sound\",\"value\":\"default\"},{\"set_tweak\":\"highlight\"}]}");
    assert_true(json_equal(rule, expected));
    json_decref(expected);
    assert_null(push_rules_find(whole, PUSH_RULE_UNDERRIDE, ".m.rule.master"));
    json_decref(whole);
    json_decref(rules);
    free(stored);
    text_finish(&content);
}

static void test_kinds(void **state)
{
    enum push_rule_kind kind;
    for (int i = 0; i < PUSH_RULE_KIND__COUNT; ++i) {
        assert_true(push_rule_kind_from(push_rule_kind_name((enum push_rule_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    assert_false(push_rule_kind_from("device", &kind));
    assert_false(push_rule_kind_from("", &kind));
}

/* The slot values and paths that evaluation reads without a tree are those that a tree has. */
static void test_skim(void **state)
{
    static const char *const TEXTS[] = {
        "{}",
        "{\"a\":1}",
        "{\"a\":{\"b\":\"\\u001f\\n\\\"x\\\\\"}}",
        "{\"b\":[1,{\"a\":2},\"]\"],\"a\":{\"b\":true}}",
        "{\"a\":\"}\",\"b\":\"{\"}",
        "{\"a\":{\"a\":{\"b\":null}},\"b\":-5}",
        "{\"a\":{\"b\":1.5},\"b\":false}",
        "[]",
        "7",
        " { \"b\" : 1 , \"a\" : { \"b\" : \"\\ud83d\\ude00\\u044f\" } } ",
        "{\"\":{\"\":3}}",
        "{\"a\":\"\\/\\b\\f\\r\\t\"}",
    };
    static const struct {
        const char *names; /* with a NUL behind each */
        size_t n;
    } PATHS[] = {{"a", 1}, {"b", 1}, {"a\0b", 2}, {"a\0a\0b", 3}, {"", 1}, {"\0", 2}, {"c", 1}};
    for (size_t i = 0; i < COUNT(TEXTS); ++i)
        for (size_t k = 0; k < COUNT(PATHS); ++k) {
            json_t *tree = parse(TEXTS[i]), *at = tree;
            const char *name = PATHS[k].names;
            for (size_t n = 0; n < PATHS[k].n; ++n, name += strlen(name) + 1)
                at = json_object_get(at, name);
            struct json_scan_value root = json_scan_text(TEXTS[i], strlen(TEXTS[i])),
                                   v = json_scan_find(&root, PATHS[k].names, PATHS[k].n);
            static const char KINDS[] = {
                [JSON_OBJECT] = '{', [JSON_ARRAY] = '[', [JSON_STRING] = '"', [JSON_INTEGER] = 'i',
                [JSON_REAL] = '?',   [JSON_TRUE] = 't',  [JSON_FALSE] = 'f',  [JSON_NULL] = 'n'};
            assert_int_equal(v.kind, at != NULL ? KINDS[json_typeof(at)] : 0);
            if (json_is_integer(at))
                assert_int_equal(json_scan_integer(&v), json_integer_value(at));
            if (json_is_string(at)) {
                char out[64];
                size_t len = json_scan_unescape(out, &v);
                assert_int_equal(len, json_string_length(at));
                assert_memory_equal(out, json_string_value(at), len);
            }
            json_decref(tree);
        }
}

/* What is not JSON must not be believed or read past. */
static void test_skim_broken(void **state)
{
    static const char WHOLE[] =
        "{\"a\":{\"b\":[1,\"x\\u00e9\",{\"c\":null}]},\"body\":\"x\",\"m.mentions\":{\"user_ids\":[\"@a:b\"]}}";
    for (size_t len = 0; len < sizeof WHOLE - 1; ++len) {
        char *cut = strndup(WHOLE, len);
        struct json_scan_value root = json_scan_text(cut, len);
        assert_int_equal(json_scan_find(&root, "body", 1).kind, 0);
        struct push_event event;
        push_event_init(&event, &(struct push_facts){.type = "t", .sender = YOU, .room_id = ROOM, .content = cut});
        assert_int_equal(event.slots[PUSH_BODY].kind, PUSH_ABSENT);
        push_event_finish(&event);
        free(cut);
    }
}

/* Whoever changed nothing is shown the same as somebody who changed what makes no difference. */
static void the_defaults_are_shown_with_everybodys_own_id(void **state)
{
    static const char *const IDS[] = {ME, "@o\"d\\d:school.test", YOU};
    for (size_t i = 0; i < COUNT(IDS); ++i) {
        struct text defaults = TEXT_INIT, changed = TEXT_INIT;
        push_rules_add_content(&defaults, NULL, IDS[i]);
        push_rules_add_content(&changed, "{}", IDS[i]);
        assert_string_equal(defaults.data, changed.data);
        assert_null(strstr(defaults.data, "\"@me\""));
        text_finish(&defaults);
        text_finish(&changed);
    }
}

#define OWN(kind, id, conditions, actions)                                                                             \
    "{\"rules\":{\"" kind "\":[{\"rule_id\":\"" id "\",\"enabled\":true,\"conditions\":[" conditions                   \
    "],\"actions\":[" actions "]}]}}"
#define NOTIFIES "\"notify\""

/* What rules come to in a room is the same for two people if, and only if, the same rules can match there; most rooms
 * are as one of those that are looked at when the rules are compiled, the others are looked at each for itself. */
static void rules_come_to_the_same_where_the_same_can_match(void **state)
{
    static const char OTHER_MUTED[] = OWN("override", "a", MATCH("room_id", "!other:school.test"), ""),
                      OTHER_LOUD[] = OWN("room", "!other:school.test", "", NOTIFIES),
                      HERE_LOUD[] = OWN("room", ROOM, "", NOTIFIES),
                      HERE_MUTED[] = OWN("override", ROOM, MATCH("room_id", ROOM), ""),
                      LARGE[] = OWN("override", "l", MEMBERS(">100") "," MATCH("type", "m.x"), NOTIFIES),
                      OF_30[] = OWN("override", "o", MEMBERS("30") "," MATCH("type", "m.x"), NOTIFIES),
                      ALL_ROOMS[] = OWN("override", "r", MATCH("room_id", "*") "," MATCH("type", "m.x"), NOTIFIES),
                      EVERYWHERE[] = OWN("override", "x", MATCH("type", "m.x"), NOTIFIES),
                      SILENT[] = OWN("override", "x", MATCH("type", "m.x"), ""),
                      CALLED[] = OWN("override", "n", NAME, NOTIFIES);
    static const struct {
        const char *stored;
        int64_t members;
        const char *name, *comes_to; /* "": nothing notifies */
    } CASES[] = {
        {NULL, 30, NULL, "defaults"},
        {NULL, 1, NULL, "defaults"},
        {NULL, 0, NULL, "defaults"},
        {NULL, 2, NULL, "defaults of two"},
        {NULL, 30, "", "defaults"},
        {OTHER_MUTED, 3, NULL, "defaults"},
        {OTHER_MUTED, 2, NULL, "defaults of two"},
        {OTHER_LOUD, 3, NULL, "defaults"},
        {HERE_LOUD, 3, NULL, "loud"},
        {HERE_LOUD, 2, NULL, "loud"}, /* the room's rule comes before those for two */
        {HERE_MUTED, 3, NULL, ""},
        {LARGE, 100, NULL, "defaults"},
        {LARGE, 2, NULL, "defaults of two"},
        {LARGE, 101, NULL, "x"},
        {OF_30, 29, NULL, "defaults"},
        {OF_30, 2, NULL, "defaults of two"},
        {OF_30, 30, NULL, "x"},
        {ALL_ROOMS, 3, NULL, "x"},
        {EVERYWHERE, 3, NULL, "x"},
        {EVERYWHERE, 2, NULL, "x of two"},
        {SILENT, 3, NULL, "no x"},
        {CALLED, 3, NULL, "nameless"},
        {CALLED, 3, "Anna", "Anna"},
        {CALLED, 3, "Boris", "Boris"},
        {CALLED, 4, "Anna", "Anna"},
        {CALLED, 2, "Anna", "Anna of two"},
    };
    struct push_scope scopes[COUNT(CASES)];
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct push_rules *rules = push_rules_compile(CASES[i].stored);
        push_rules_scope(rules, ROOM, CASES[i].members, CASES[i].name, &scopes[i]);
        push_rules_unref(rules);
        if (scopes[i].notifies != (*CASES[i].comes_to != '\0'))
            fail_msg("case %zu notifies: %d", i, scopes[i].notifies);
        for (size_t k = 0; k < i; ++k) {
            bool same = memcmp(scopes[i].digest, scopes[k].digest, sizeof scopes[i].digest) == 0;
            if (same != (strcmp(CASES[i].comes_to, CASES[k].comes_to) == 0))
                fail_msg("cases %zu and %zu: %d", k, i, same);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_stored),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_skim),
        cmocka_unit_test(test_skim_broken),
        cmocka_unit_test(polls_notify_by_every_name),
        cmocka_unit_test(a_call_of_a_room_notifies_when_it_starts),
        cmocka_unit_test(the_defaults_are_shown_with_everybodys_own_id),
        cmocka_unit_test(rules_come_to_the_same_where_the_same_can_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
