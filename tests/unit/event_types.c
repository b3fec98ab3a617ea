/* What events are to the rules, and which of them say nothing: every type of the table, in every mode of quiet hours
 * (F3), with contents that say something and that do not; polls (F4) and encryption (E9) by every alias. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/rooms/pdu/redact.h"
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

static const char *key_of(size_t i)
{
    return TYPES[i].kind == EVENT_CALL_MEMBER ? "k" : TYPES[i].kind == EVENT_MEMBER ? "@anna:school.example" : NULL;
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
    {EVENT_MEMBER, "{\"membership\":\"join\",\"join_authorised_via_users_server\":\"@anna:school.example\"}"},
    {EVENT_MEMBER, "{\"membership\":\"invite\",\"displayname\":\"N\",\"avatar_url\":null,\"is_direct\":true}"},
    {EVENT_CALL_END, "{\"call_id\":\"c1700000\",\"party_id\":\"P\",\"version\":\"1\",\"reason\":\"user_hangup\"}"},
    {EVENT_CALL_END, "{\"call_id\":\"c1700000\",\"version\":0}"},
    {EVENT_CALL_MEMBER, "{}"},
};

static const struct content_case SPEAKING[] = {
    {EVENT_REACTION,
     "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"$callme\",\"key\":\"\xf0\x9f\x91\x8d\"}}"},
    {EVENT_REACTION, "{\"m.relates_to\":{\"rel_type\":\"callme\",\"event_id\":\"$a\",\"key\":\"\xf0\x9f\x91\x8d\"}}"},
    {EVENT_POLL_VOTE,
     "{\"m.relates_to\":{\"rel_type\":\"m.reference\",\"event_id\":\"$a\"},\"m.selections\":[\"call\",\"me\"]}"},
    {EVENT_POLL_VOTE,
     "{\"m.relates_to\":{\"rel_type\":\"m.reference\",\"event_id\":\"$a\"},\"m.selections\":[\"a\",\"a1\",\"a\"]}"},
    {EVENT_POLL_VOTE, "{\"m.selections\":[\"a\"]}"},
    {EVENT_REDACTION, "{\"redacts\":\"$callme\"}"},
    {EVENT_MEMBER, "{\"membership\":\"callme\"}"},
    {EVENT_CALL_END, "{\"call_id\":\"callme\"}"},
    {EVENT_CALL_END, "{\"call_id\":\"c1700000\",\"party_id\":\"callme\"}"},
    {EVENT_CALL_END, "{\"party_id\":\"P\"}"},
    {EVENT_CALL_END, "{\"call_id\":\"c1700000\",\"version\":89161234567}"},
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

/* What there is in the room of these tests. */
static bool is_there(void *ctx, enum event_named what, const char *of, const char *id)
{
    static const struct {
        enum event_named what;
        const char *of, *id;
    } THINGS[] = {
        {NAMED_EVENT, NULL, "$a-b_c"},
        {NAMED_EVENT, NULL, "$a:b.example"},
        {NAMED_EVENT, NULL, "$a"},
        {NAMED_ANSWER, "$a", "a1"},
        {NAMED_ANSWER, "$a", "a"},
        {NAMED_CALL, NULL, "c1700000"},
        {NAMED_PARTY, "c1700000", "P"},
        {NAMED_STATE, "m.call.member", "k"},
        {NAMED_STATE, "m.rtc.member", "k"},
        {NAMED_STATE, "org.matrix.msc3401.call.member", "k"},
        {NAMED_STATE, "org.matrix.msc4143.rtc.member", "k"},
        {NAMED_USER, NULL, "@anna:school.example"},
        {NAMED_USER, NULL, "@boris:school.example"},
        {NAMED_ROOM, NULL, "!room:school.example"},
    };
    for (size_t i = 0; i < COUNT(THINGS); ++i)
        if (THINGS[i].what == what && (THINGS[i].of == NULL || strcmp(THINGS[i].of, of) == 0) &&
            strcmp(THINGS[i].id, id) == 0)
            return true;
    return false;
}

static const struct event_names THERE = {is_there, NULL};

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
            if (event_is_wordless(said_type(t), key_of(t), content, &THERE) != (SILENT[i].kind == TYPES[t].kind) &&
                !(json_object_size(content) == 0 && event_is_wordless(said_type(t), key_of(t), content, &THERE)))
                fail_msg("%s %s", said_type(t), SILENT[i].content);
            json_decref(content);
        }
        for (size_t i = 0; i < COUNT(SPEAKING); ++i) {
            json_t *content = parsed(SPEAKING[i].content);
            if (event_is_wordless(said_type(t), key_of(t), content, &THERE))
                fail_msg("%s %s", said_type(t), SPEAKING[i].content);
            json_decref(content);
        }
    }
}

/* Whatever says nothing says something with one member more, at any depth, and with words in place of any text or
 * number: those of a sentence, and those that look like an id. */
static const char *const WORDS[] = {"come and see me at six o'clock", "comeandseemeinthelibraryatsix1",
                                    "$comeandseemeinthelibraryatsix", "@come.and.see.me:in.the.library"};

static bool spoil(json_t *parent, const char *key, json_t *value, size_t at_index, const char *words, int *at)
{
    void *next;
    const char *inner_key;
    json_t *inner;
    size_t i;
    bool named = key != NULL && (strcmp(key, "displayname") == 0 || strcmp(key, "avatar_url") == 0); /* B3 */
    if (!named && (json_is_string(value) || json_is_integer(value)) && (*at)-- == 0)
        return (key != NULL ? json_object_set_new(parent, key, json_string(words))
                            : json_array_set_new(parent, at_index, json_string(words))) == 0;
    json_array_foreach(value, i, inner)
        if (spoil(value, NULL, inner, i, words, at))
            return true;
    if (json_is_object(value) && (*at)-- == 0)
        return json_object_set_new(value, "body", json_string(words)) == 0;
    json_object_foreach_safe(value, next, inner_key, inner)
    {
        if (spoil(value, inner_key, inner, 0, words, at))
            return true;
        if (json_is_object(value) && strchr(inner_key, '@') != NULL && (*at)-- == 0) { /* a key is a text, too */
            json_incref(inner);
            json_object_del(value, inner_key);
            return json_object_set_new(value, words, inner) == 0;
        }
    }
    return false;
}

typedef bool says_nothing_fn(const char *type, const char *state_key, const json_t *content,
                             const struct event_names *names);

static int spoil_everywhere(says_nothing_fn *says_nothing, const char *type, const char *state_key, const char *content)
{
    int n = 0;
    for (size_t w = 0; w < COUNT(WORDS); ++w)
        for (int place = 0;; ++place, ++n) {
            int at = place;
            json_t *whole = parsed(content);
            bool spoilt = spoil(NULL, NULL, whole, 0, WORDS[w], &at);
            if (spoilt && says_nothing(type, state_key, whole, &THERE)) {
                char *text = json_dumps(whole, JSON_COMPACT);
                fail_msg("%s %s", type, text);
            }
            json_decref(whole);
            if (!spoilt)
                break;
        }
    return n;
}

static void words_in_any_place_count(void **state)
{
    int n = 0;
    for (size_t t = 0; t < COUNT(TYPES); ++t)
        for (size_t i = 0; i < COUNT(SILENT); ++i)
            if (SILENT[i].kind == TYPES[t].kind)
                n += spoil_everywhere(event_is_wordless, said_type(t), key_of(t), SILENT[i].content);
    assert_true(n > 400);
}

/* Nor is a state key: of the types that are no state, and of the place where somebody's call was. */
static void state_keys_are_no_place_for_words(void **state)
{
    json_t *empty = json_object();
    for (size_t t = 0; t < COUNT(TYPES); ++t)
        for (size_t w = 0; w < COUNT(WORDS); ++w)
            if (TYPES[t].kind != EVENT_MEMBER && event_is_wordless(said_type(t), WORDS[w], empty, &THERE))
                fail_msg("%s %s", said_type(t), WORDS[w]);
    json_decref(empty);
}

/* What clients make rooms with says nothing; whatever else they put there does. */
static void a_frame_is_what_the_presets_make(void **state)
{
    static const struct {
        const char *type, *state_key, *content;
    } FRAMES[] = {
        {"m.room.create", "", "{\"room_version\":\"12\",\"additional_creators\":[\"@boris:school.example\"]}"},
        {"m.room.create", "", "{\"room_version\":\"10\",\"creator\":\"@anna:school.example\",\"m.federate\":false}"},
        {"m.room.create", "", "{\"room_version\":\"11\",\"type\":\"m.space\"}"},
        {"m.room.member", "@anna:school.example", "{\"membership\":\"join\",\"displayname\":\"Anna\"}"},
        {"m.room.power_levels", "",
         "{\"users\":{\"@anna:school.example\":100},\"events\":{\"m.room.name\":50,\"org.matrix.msc3401.call.member\":"
         "0,"
         "\"m.room.tombstone\":150},\"users_default\":0,\"events_default\":0,\"state_default\":50,\"ban\":50,\"kick\":"
         "50,"
         "\"redact\":50,\"invite\":0,\"notifications\":{\"room\":50}}"},
        {"m.room.join_rules", "", "{\"join_rule\":\"invite\"}"},
        {"m.room.history_visibility", "", "{\"history_visibility\":\"shared\"}"},
        {"m.room.guest_access", "", "{\"guest_access\":\"can_join\"}"},
        {"m.room.encryption", "", "{\"algorithm\":\"m.megolm.v1.aes-sha2\"}"},
    };
    static const struct {
        const char *type, *state_key, *content;
    } OTHERS[] = {
        {"m.room.create", "", "{\"predecessor\":{\"room_id\":\"!a:school.example\"}}"},
        {"m.room.create", "", "{\"type\":\"org.example.callme\"}"},
        {"m.room.join_rules", "", "{\"join_rule\":\"restricted\",\"allow\":[]}"},
        {"m.room.power_levels", "", "{\"events\":{\"org.example.callme\":0}}"},
        {"m.room.power_levels", "", "{\"events\":{\"m.room.name\":89161}}"},
        {"m.room.power_levels", "", "{\"users_default\":89161234567}"},
        {"m.room.power_levels", "", "{\"notifications\":{\"callme\":50}}"},
        {"m.room.topic", "", "{\"topic\":\"\"}"},
        {"m.room.message", NULL, "{}"},
        {"m.reaction", NULL, "{}"},
    };
    for (size_t i = 0; i < COUNT(FRAMES); ++i) {
        json_t *content = parsed(FRAMES[i].content);
        if (!event_is_frame(FRAMES[i].type, FRAMES[i].state_key, content, &THERE))
            fail_msg("%s %s", FRAMES[i].type, FRAMES[i].content);
        assert_false(event_is_frame(FRAMES[i].type, "words", content, &THERE));
        assert_false(event_is_frame(FRAMES[i].type, NULL, content, &THERE));
        json_decref(content);
        spoil_everywhere(event_is_frame, FRAMES[i].type, FRAMES[i].state_key, FRAMES[i].content);
    }
    for (size_t i = 0; i < COUNT(OTHERS); ++i) {
        json_t *content = parsed(OTHERS[i].content);
        if (event_is_frame(OTHERS[i].type, OTHERS[i].state_key, content, &THERE))
            fail_msg("%s %s", OTHERS[i].type, OTHERS[i].content);
        json_decref(content);
    }
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

/* By every kind of room: staff and families among themselves are those named here, and a kind that is new is not. */
static void only_where_they_are_among_themselves_anybody_writes(void **state)
{
    static const enum room_kind AMONG[] = {ROOM_STAFF, ROOM_ASSOCIATION, ROOM_DOCUMENTS, ROOM_NOTICES};
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    policy.quiet.mode = QUIET_REFUSE;
    for (int kind = 0; kind < ROOM_KIND__COUNT; ++kind) {
        struct rule_facts f =
            night(ACT_SEND, "m.room.message", &policy, (enum room_kind)kind, ROLE_TEACHER | ROLE_DEPUTY);
        f.quiet = false;
        bool by_day = rules_decide(&f).allowed, among = false;
        f.quiet = true;
        for (size_t i = 0; i < COUNT(AMONG); ++i)
            among |= AMONG[i] == (enum room_kind)kind;
        if (rules_decide(&f).allowed != (by_day && among))
            fail_msg("a %s room", room_kind_name((enum room_kind)kind));
    }
}

/* Where others can read, the name and what is written there are for them too; an address and the directory are for
 * nobody else. */
static void an_open_club_reaches_everybody(void **state)
{
    static const enum act OUTWARDS[] = {ACT_ALIAS, ACT_PUBLISH};
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    policy.quiet.mode = QUIET_REFUSE;
    struct rule_facts f = night(ACT_STATE, "m.room.name", &policy, ROOM_CLUB, ROLE_TEACHER);
    f.room.has_family = false;
    assert_true(rules_decide(&f).allowed);
    f.room.open = true;
    assert_string_equal(rules_decide(&f).code, "quiet_hours");
    for (size_t i = 0; i < COUNT(OUTWARDS); ++i) {
        f = night(OUTWARDS[i], NULL, &policy, ROOM_CLUB, ROLE_TEACHER);
        f.room.has_family = false;
        assert_string_equal(rules_decide(&f).code, "quiet_hours");
        f.quiet = false;
        assert_true(rules_decide(&f).allowed);
    }
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

/* --- What a redaction leaves (G4) --- */

#define KEPT_USER "@anna:school.example"
#define KEPT_ROOM "!room:school.example"

/* Each with every member that a redaction leaves in some room version, and nothing that says anything. */
static const struct {
    const char *type, *state_key, *content;
} LEFT[] = {
    {"m.room.create", "",
     "{\"creator\":\"" KEPT_USER "\",\"room_version\":\"11\",\"type\":\"m.space\",\"m.federate\":true,"
     "\"predecessor\":{\"room_id\":\"" KEPT_ROOM "\",\"event_id\":\"$a\"},\"additional_creators\":[\"" KEPT_USER
     "\"]}"},
    {"m.room.member", KEPT_USER, "{\"membership\":\"join\",\"join_authorised_via_users_server\":\"" KEPT_USER "\"}"},
    {"m.room.join_rules", "",
     "{\"join_rule\":\"knock_restricted\",\"allow\":[{\"type\":\"m.room_membership\",\"room_id\":\"" KEPT_ROOM "\"}]}"},
    {"m.room.power_levels", "",
     "{\"ban\":1,\"events\":{\"m.room.name\":50,\"im.vector.modular.widgets\":50},\"events_default\":0,\"invite\":0,"
     "\"kick\":50,\"redact\":50,\"state_default\":\" +50\",\"users\":{\"" KEPT_USER "\":100},\"users_default\":-1}"},
    {"m.room.aliases", "school.example", "{\"aliases\":[]}"},
    {"m.room.history_visibility", "", "{\"history_visibility\":\"world_readable\"}"},
    {"m.room.redaction", NULL, "{\"redacts\":\"$a\"}"},
};

static const json_t *left_member(const char *type, const char *key, json_t **whole)
{
    for (size_t i = 0; i < COUNT(LEFT); ++i)
        if (strcmp(LEFT[i].type, type) == 0)
            return json_object_get(*whole = parsed(LEFT[i].content), key);
    return NULL;
}

static void each_member_that_a_redaction_leaves_is_known(void **state)
{
    const char *type, *key;
    size_t n = 0;
    for (; redact_leaves(n, &type, &key); ++n) {
        json_t *whole = NULL, *words = json_object();
        bool never = key != NULL && strcmp(key, "third_party_invite") == 0;
        if (!never && key != NULL && left_member(type, key, &whole) == NULL)
            fail_msg("%s, %s: how may it not be used to say something? (event_types.c, LASTING)", type, key);
        json_object_set_new(words, key != NULL ? key : "x", json_pack("{s:[s]}", WORDS[0], WORDS[0]));
        if (event_lasting_is_wordless(type, "", words, &THERE))
            fail_msg("%s: %s takes words", type, key);
        json_decref(words);
        json_decref(whole);
    }
    assert_true(n > 15);
}

/* Words in any place: either a redaction takes them, or they are refused, and an erasure takes them of what was there
 * before. */
static void what_a_redaction_leaves_says_nothing(void **state)
{
    static const char *const VERSIONS[] = {"1", "6", "10", "11", "12"};
    int n = 0;
    for (size_t i = 0; i < COUNT(LEFT); ++i) {
        json_t *good = parsed(LEFT[i].content);
        if (!event_lasting_is_wordless(LEFT[i].type, LEFT[i].state_key, good, &THERE))
            fail_msg("%s is refused", LEFT[i].type);
        for (int place = 0;; ++place) {
            int at = place;
            json_t *whole = json_deep_copy(good);
            if (!spoil(NULL, NULL, whole, 0, WORDS[0], &at)) {
                json_decref(whole);
                break;
            }
            for (size_t v = 0; v < COUNT(VERSIONS); ++v) {
                json_t *copy = json_deep_copy(whole);
                json_t *left = redact_content(room_version_get(VERSIONS[v]), LEFT[i].type, copy);
                char *text = json_dumps(left, JSON_COMPACT);
                bool stays = strstr(text, "come and see me") != NULL;
                n += stays;
                if (stays && event_lasting_is_wordless(LEFT[i].type, LEFT[i].state_key, whole, &THERE))
                    fail_msg("%s %s", LEFT[i].type, text);
                free(text);
                event_lasting_clean(LEFT[i].type, left, &THERE);
                text = json_dumps(left, JSON_COMPACT);
                if (strstr(text, "come and see me") != NULL)
                    fail_msg("not cleaned: %s %s", LEFT[i].type, text);
                free(text);
                json_decref(left);
                json_decref(copy);
            }
            json_decref(whole);
        }
        json_decref(good);
    }
    assert_true(n > 80);
}

static void cleaning_leaves_what_is_in_order(void **state)
{
    json_t *levels = parsed("{\"users\":{\"" KEPT_USER
                            "\":100,\"my words\":50},\"events\":{\"m.room.name\":50,\"my words\":1},"
                            "\"ban\":\"my words\",\"kick\":50}"),
           *left = parsed("{\"users\":{\"" KEPT_USER "\":100},\"events\":{\"m.room.name\":50},\"kick\":50}");
    event_lasting_clean("m.room.power_levels", levels, &THERE);
    assert_true(json_equal(levels, left));
    json_decref(levels);
    json_decref(left);
    for (size_t i = 0; i < COUNT(LEFT); ++i) {
        json_t *good = parsed(LEFT[i].content), *copy = json_deep_copy(good);
        event_lasting_clean(LEFT[i].type, copy, &THERE);
        assert_true(json_equal(good, copy));
        json_decref(good);
        json_decref(copy);
    }
}

/* Types and state keys that clients send are taken, sentences are not. */
static void types_and_state_keys_have_the_form_of_ids(void **state)
{
    static const struct {
        const char *type, *state_key;
        bool good;
    } CASES[] = {
        {"m.room.message", NULL, true},
        {"im.vector.modular.widgets", "customwidget_%40anna%3Aschool.example_1591", true},
        {"im.vector.modular.widgets", "!room:school.example_@anna:school.example_1700000000000", true},
        {"org.matrix.msc3401.call.member", "_@anna:school.example_DEVICE_m.call", true},
        {"io.element.functional_members", "", true},
        {"m.space.child", "!jEsUZKDJdhlrceRyVU:school.example", true},
        {"m.space.child", "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", true},
        {"m.policy.rule.user", "rule:@x:a.example", true},
        {"org.matrix.msc3381.v2.poll.response", NULL, true},
        {"im.ponies.room_emotes", "de.sorunome.mx-puppet-bridge.discord", true},
        {"", NULL, false},
        {"come and see me", NULL, false},
        {"org.example.встреча", NULL, false},
        {"org.example.0123456789012345678901234567890123456789012345678901234", NULL, false},
        {"org.example.state", "come and see me", false},
        {"org.example.state", "приходи", false},
        {"org.example.state", "a\nb", false},
    };
    json_t *empty = json_object();
    for (size_t i = 0; i < COUNT(CASES); ++i)
        if (event_lasting_is_wordless(CASES[i].type, CASES[i].state_key, empty, &THERE) != CASES[i].good)
            fail_msg("%s, %s", CASES[i].type, CASES[i].state_key != NULL ? CASES[i].state_key : "(none)");
    json_decref(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_their_kinds),
        cmocka_unit_test(what_says_nothing_is_listed),
        cmocka_unit_test(words_in_any_place_count),
        cmocka_unit_test(state_keys_are_no_place_for_words),
        cmocka_unit_test(a_frame_is_what_the_presets_make),
        cmocka_unit_test(only_where_they_are_among_themselves_anybody_writes),
        cmocka_unit_test(quiet_hours_let_through_only_what_says_nothing),
        cmocka_unit_test(an_open_club_reaches_everybody),
        cmocka_unit_test(an_invite_into_a_worded_room_speaks),
        cmocka_unit_test(polls_and_encryption_by_every_alias),
        cmocka_unit_test(each_member_that_a_redaction_leaves_is_known),
        cmocka_unit_test(what_a_redaction_leaves_says_nothing),
        cmocka_unit_test(cleaning_leaves_what_is_in_order),
        cmocka_unit_test(types_and_state_keys_have_the_form_of_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
