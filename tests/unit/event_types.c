/* What events are to the rules, and which of them say nothing: every type of the table, in every mode of quiet hours
 * (F3), with contents that say something and that do not; polls (F4) and encryption (E9) by every alias. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/rules/event_types.h"
#include "policy/rules/rules.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static const struct {
    const char *type;
    enum event_kind kind;
} TYPES[] = {
#define X(kind, type) {type, EVENT_##kind},
#include "policy/rules/event_types.def"
#undef X
    {"m.location", EVENT_OTHER},        {"m.room.topic", EVENT_OTHER},
    {"m.room.name", EVENT_OTHER},       {"m.room.pinned_events", EVENT_OTHER},
    {"org.example.words", EVENT_OTHER}, {"m.reaction.", EVENT_OTHER},
    {"m.REACTION", EVENT_OTHER},        {"", EVENT_OTHER},
};

/* "m.call.*" as a client would say it. */
static const char *said_type(size_t i)
{
    static char type[64];
    size_t n = strlen(TYPES[i].type);
    snprintf(type, sizeof type, "%s", TYPES[i].type);
    if (n != 0 && type[n - 1] == '*')
        snprintf(type + n - 1, sizeof type - n, "invite");
    return type;
}

static const struct content_case {
    enum event_kind kind;
    const char *content;
} SILENT[] = {
    {EVENT_REACTION,
     "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a-b_c\",\"key\":\"\xf0\x9f\x91\x8d\"}}"}, /* 👍 */
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a:b.example\",\"key\":"
                     "\"\xe2\x9d\xa4\xef\xb8\x8f\"}}"}, /* ❤️ */
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":"
                     "\"\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd\"}}"}, /* 👍🏽 */
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":"
                     "\"\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7\xe2\x80\x8d\xf0\x9f"
                     "\x91\xa6\"}}"}, /* family */
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":"
                     "\"\xf0\x9f\x87\xb7\xf0\x9f\x87\xba\"}}"}, /* a flag */
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":"
                     "\"1\xef\xb8\x8f\xe2\x83\xa3\"}}"}, /* keycap */
    {EVENT_POLL_VOTE,
     "{\"m.relates_to\":{\"rel_type\":\"m.reference\",\"event_id\":\"$a\"},\"m.selections\":[\"a1\"]}"},
    {EVENT_POLL_VOTE, "{\"m.relates_to\":{\"rel_type\":\"m.reference\",\"event_id\":\"$a\"},"
                      "\"org.matrix.msc3381.poll.response\":{\"answers\":[\"a\"]}}"},
    {EVENT_REDACTION, "{}"},
    {EVENT_REDACTION, "{\"redacts\":\"$a\"}"},
    {EVENT_MEMBER, "{\"membership\":\"leave\"}"},
    {EVENT_MEMBER, "{\"membership\":\"invite\",\"displayname\":\"N\",\"avatar_url\":null,\"is_direct\":true}"},
    {EVENT_CALL_END, "{\"call_id\":\"c1700000\",\"party_id\":\"P\",\"version\":\"1\",\"reason\":\"user_hangup\"}"},
    {EVENT_CALL_END, "{\"call_id\":\"c1700000\",\"version\":0}"},
    {EVENT_CALL_MEMBER, "{}"},
};

static const struct content_case SPEAKING[] = {
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":\"call me\"}}"},
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":\"a\"}}"},
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":\"\"}}"},
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":\"12\"}}"},
    {EVENT_REACTION,
     "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":\"\xd0\xb4\xd0\xb0\"}}"}, /* да */
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":"
                     "\"\xf0\x9f\x91\x8d\xf0\x9f\x91\x8d\"}}"}, /* two */
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":"
                     "\"\xf0\x9f\x87\xb7\xf0\x9f\x87\xba\xf0\x9f\x87\xb7\"}}"}, /* letters of flags */
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":"
                     "\"\xf0\x9f\x85\xb7\"}}"}, /* 🅷 */
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$call me now\",\"key\":"
                     "\"\xf0\x9f\x91\x8d\"}}"},
    {EVENT_REACTION,
     "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":\"\xf0\x9f\x91\x8d\","
     "\"words\":\"w\"}}"},
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$a\",\"key\":"
                     "\"\xf0\x9f\x91\x8d\"},\"shortcode\":\"w\"}"},
    {EVENT_REACTION, "{\"m.relates_to\":\"words\"}"},
    {EVENT_POLL_VOTE, "{\"m.selections\":[\"call me\"]}"},
    {EVENT_POLL_VOTE, "{\"m.selections\":\"words\"}"},
    {EVENT_POLL_VOTE, "{\"org.matrix.msc3381.poll.response\":{\"answers\":[\"a\"],\"body\":\"w\"}}"},
    {EVENT_REDACTION, "{\"redacts\":\"$a\",\"reason\":\"call me\"}"},
    {EVENT_REDACTION, "{\"redacts\":\"call me\"}"},
    {EVENT_REDACTION, "{\"org.example\":\"words\"}"},
    {EVENT_MEMBER, "{\"membership\":\"leave\",\"reason\":\"call me\"}"},
    {EVENT_MEMBER, "{\"membership\":\"invite\",\"is_direct\":\"words\"}"},
    {EVENT_MEMBER, "{\"membership\":\"join\",\"org.example\":{}}"},
    {EVENT_CALL_END, "{\"call_id\":\"call me please\"}"},
    {EVENT_CALL_END, "{\"call_id\":\"c1\",\"reason\":\"call me\"}"},
    {EVENT_CALL_MEMBER, "{\"application\":\"m.call\"}"},
};

static json_t *parsed(const char *content)
{
    json_t *object = json_loads(content, 0, NULL);
    assert_non_null(object);
    return object;
}

static void types_have_their_kinds(void **state)
{
    for (size_t i = 0; i < COUNT(TYPES); ++i)
        assert_int_equal(event_kind_of(said_type(i)), TYPES[i].kind);
    assert_int_equal(event_kind_of(NULL), EVENT_OTHER);
}

static void what_says_nothing_is_listed(void **state)
{
    for (size_t t = 0; t < COUNT(TYPES); ++t) {
        for (size_t i = 0; i < COUNT(SILENT); ++i) {
            json_t *content = parsed(SILENT[i].content);
            if (event_is_wordless(said_type(t), content) != (SILENT[i].kind == TYPES[t].kind) &&
                !(json_object_size(content) == 0 && event_is_wordless(said_type(t), content)))
                fail_msg("%s %s", said_type(t), SILENT[i].content);
            json_decref(content);
        }
        for (size_t i = 0; i < COUNT(SPEAKING); ++i) {
            json_t *content = parsed(SPEAKING[i].content);
            if (event_is_wordless(said_type(t), content))
                fail_msg("%s %s", said_type(t), SPEAKING[i].content);
            json_decref(content);
        }
    }
}

/* Whatever says nothing says something with one member more, at any depth, and with words in place of any text. */
static bool spoil(json_t *object, int *at)
{
    void *next;
    const char *key;
    json_t *value;
    if ((*at)-- == 0)
        return json_object_set_new(object, "body", json_string("words")) == 0;
    json_object_foreach_safe(object, next, key, value)
    {
        if (json_is_object(value) && spoil(value, at))
            return true;
        if (json_is_string(value) && strcmp(key, "displayname") != 0 && (*at)-- == 0)
            return json_object_set_new(object, key, json_string("come and see me")) == 0;
    }
    return false;
}

static void words_in_any_place_count(void **state)
{
    int n = 0;
    for (size_t t = 0; t < COUNT(TYPES); ++t)
        for (size_t i = 0; i < COUNT(SILENT); ++i)
            for (int place = 0; SILENT[i].kind == TYPES[t].kind; ++place) {
                int at = place;
                json_t *content = parsed(SILENT[i].content);
                bool spoilt = spoil(content, &at);
                if (spoilt && event_is_wordless(said_type(t), content))
                    fail_msg("%s %s, place %d", said_type(t), SILENT[i].content, place);
                json_decref(content);
                n += spoilt;
                if (!spoilt)
                    break;
            }
    assert_true(n > 60);
}

/* --- F3: every type, act, mode, room and side --- */

static const enum act ACTS[] = {ACT_SEND,  ACT_STATE, ACT_REDACT, ACT_INVITE, ACT_JOIN,
                                ACT_KNOCK, ACT_LEAVE, ACT_KICK,   ACT_BAN,    ACT_UNBAN};

static struct rule_facts night(enum act act, const char *type, const struct school_policy *policy, enum room_kind kind,
                               unsigned role)
{
    struct person_facts actor = {
        .account = ACCOUNT_ACTIVE, .roles = role, .any_roles = role, .member = true, .post = true};
    struct rule_facts f = {
        .act = act,
        .school_mode = true,
        .policy = policy,
        .room = {.kind = kind, .has_school = true, .has_staff = true, .has_family = true, .n_people = 5},
        .actor = actor,
        .target = actor,
        .pair = {.staff_to_family = kind == ROOM_DIRECT, .relations = 1, .allowed = 1},
        .quiet = true,
        .event_type = act == ACT_SEND || act == ACT_STATE ? type : NULL,
        .state_key = act == ACT_STATE ? "" : NULL,
    };
    f.target.held = act != ACT_LEAVE && act != ACT_KICK && act != ACT_BAN;
    f.actor.direct_pair = f.target.direct_pair = f.target.joined = act != ACT_INVITE;
    return f;
}

static const char *expected(enum quiet_mode mode, enum act act, const char *type, bool wordless, bool quiet)
{
    if (mode == QUIET_OFF || wordless || !quiet)
        return "";
    if (mode == QUIET_WARN)
        return "quiet_hours_warn";
    enum event_kind kind = event_kind_of(type);
    bool waits = act == ACT_SEND && kind != EVENT_CALL && kind != EVENT_CALL_END;
    return mode == QUIET_DELAY && waits ? "quiet_hours_hold" : "quiet_hours";
}

/* Rules before F3 (E1, E3, F4 …) have their say first; by day as by night. */
static void quiet_hours_let_through_only_what_says_nothing(void **state)
{
    static const enum room_kind KINDS[] = {ROOM_CLASS, ROOM_GUARDIANS, ROOM_SUBJECT, ROOM_DIRECT, ROOM_CLUB, ROOM_FREE};
    static const unsigned ROLES[] = {ROLE_TEACHER, ROLE_GUARDIAN};
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    int n = 0;
    policy.polls = ROLES_EVERYBODY;
    for (int mode = QUIET_OFF; mode <= QUIET_REFUSE; ++mode)
        for (size_t t = 0; t < COUNT(TYPES); ++t)
            for (size_t a = 0; a < COUNT(ACTS); ++a)
                for (size_t k = 0; k < COUNT(KINDS) * COUNT(ROLES) * 2; ++k) {
                    bool wordless = k % 2 != 0;
                    policy.quiet.mode = (enum quiet_mode)mode;
                    struct rule_facts f =
                        night(ACTS[a], said_type(t), &policy, KINDS[k / 4], ROLES[k / 2 % COUNT(ROLES)]);
                    f.wordless = wordless;
                    struct verdict v = rules_decide(&f);
                    f.quiet = false;
                    struct verdict by_day = rules_decide(&f);
                    if (!by_day.allowed)
                        continue;
                    if (strcmp(v.code, expected(f.policy->quiet.mode, ACTS[a], said_type(t), wordless, true)) != 0)
                        fail_msg("mode %d, %s %s in a %s room: \"%s\"", mode, act_name(ACTS[a]), said_type(t),
                                 room_kind_name(KINDS[k / 4]), v.code);
                    assert_true(*by_day.code == '\0');
                    ++n;
                }
    assert_true(n > 10000);
}

/* An invite also carries what stands in the room: a name, a topic, what was written before. */
static void an_invite_into_a_worded_room_speaks(void **state)
{
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    policy.quiet.mode = QUIET_DELAY;
    struct rule_facts f = night(ACT_INVITE, NULL, &policy, ROOM_CLUB, ROLE_TEACHER);
    f.target.roles = ROLE_GUARDIAN;
    f.room.has_family = false;
    f.wordless = true;
    assert_true(rules_decide(&f).allowed);
    f.room.worded = true;
    assert_string_equal(rules_decide(&f).code, "quiet_hours");
    f.target.roles = ROLE_TEACHER; /* colleagues */
    assert_true(rules_decide(&f).allowed);
}

/* --- F4, E9 --- */

static void polls_and_encryption_by_every_alias(void **state)
{
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    policy.encryption[ROOM_CLUB] = ENCRYPTION_REQUIRED;
    policy.encryption[ROOM_FREE] = ENCRYPTION_REQUIRED;
    for (size_t t = 0; t < COUNT(TYPES); ++t) {
        enum event_kind kind = TYPES[t].kind;
        struct rule_facts f = night(ACT_SEND, said_type(t), &policy, ROOM_CLASS, ROLE_PUPIL);
        f.quiet = false;
        const char *code = rules_decide(&f).code;
        assert_string_equal(code, kind == EVENT_POLL_START  ? "may_not_start_polls"
                                  : kind == EVENT_ENCRYPTED ? "encryption_forbidden"
                                                            : "");
        f = night(ACT_STATE, said_type(t), &policy, ROOM_CLASS, ROLE_TEACHER);
        f.quiet = false;
        code = rules_decide(&f).code;
        assert_int_equal(strcmp(code, "encryption_forbidden") == 0,
                         kind == EVENT_ENCRYPTION || kind == EVENT_ENCRYPTED);
        for (int wordless = 0; wordless < 2; ++wordless) { /* required: nothing that says something stands in clear */
            f = night(ACT_SEND, said_type(t), &policy, ROOM_CLUB, ROLE_TEACHER);
            f.quiet = false;
            f.wordless = wordless != 0;
            bool clear = kind == EVENT_ENCRYPTED || (wordless && kind != EVENT_POLL_VOTE);
            assert_string_equal(rules_decide(&f).code, clear ? "" : "encryption_required");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_their_kinds),
        cmocka_unit_test(what_says_nothing_is_listed),
        cmocka_unit_test(words_in_any_place_count),
        cmocka_unit_test(quiet_hours_let_through_only_what_says_nothing),
        cmocka_unit_test(an_invite_into_a_worded_room_speaks),
        cmocka_unit_test(polls_and_encryption_by_every_alias),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
