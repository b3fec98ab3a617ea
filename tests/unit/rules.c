/* The school's rules as a table of cases: who does what to whom in which room, and by which number it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/rules/rules.h"

/* People by name, as seen from a room of their school. */
enum who { SERVICE, PUPIL, TEACHER, HEAD, GUARDIAN, OUTSIDER, PENDING, SUSPENDED, LOCKED, STRANGER_ROLE, NOBODY };

static struct person_facts person(enum who who, bool held)
{
    static const struct person_facts PEOPLE[] = {
        [SERVICE] = {.service = true, .standing = STANDING_ACTIVE, .member = true},
        [PUPIL] = {.standing = STANDING_ACTIVE, .member = true, .roles = ROLE_PUPIL},
        [TEACHER] = {.standing = STANDING_ACTIVE,
                     .member = true,
                     .roles = ROLE_TEACHER | ROLE_CLASS_TEACHER,
                     .post = true},
        [HEAD] = {.standing = STANDING_ACTIVE, .member = true, .roles = ROLE_HEAD, .post = true},
        [GUARDIAN] = {.standing = STANDING_RESTRICTED, .member = true, .roles = ROLE_GUARDIAN},
        [OUTSIDER] = {.standing = STANDING_ACTIVE},
        [PENDING] = {.standing = STANDING_PENDING, .member = true, .roles = ROLE_PUPIL},
        [SUSPENDED] = {.standing = STANDING_SUSPENDED, .member = true, .roles = ROLE_PUPIL},
        [LOCKED] = {.standing = STANDING_LOCKED, .member = true, .roles = ROLE_PUPIL},
        [STRANGER_ROLE] = {.standing = STANDING_ACTIVE, .roles = ROLE_HEAD}, /* head of another school */
        [NOBODY] = {.standing = STANDING_LEFT},
    };
    struct person_facts facts = PEOPLE[who];
    facts.held = held;
    return facts;
}

#define HELD true
#define NOT_HELD false

static const struct {
    enum act act;
    enum room_kind kind;
    enum who actor;
    enum who target;
    bool target_held;
    const char *type; /* ACT_STATE, ACT_SEND */
    const char *rule; /* "": allowed */
} CASES[] = {
    /* A2: in by no door. One's own join, a forced one, an invite, a knock; of a class room and of a people's room */
    {ACT_JOIN, ROOM_CLASS, OUTSIDER, OUTSIDER, NOT_HELD, NULL, "A2"},
    {ACT_JOIN, ROOM_FREE, OUTSIDER, OUTSIDER, NOT_HELD, NULL, "A2"},
    {ACT_JOIN, ROOM_FREE, STRANGER_ROLE, STRANGER_ROLE, NOT_HELD, NULL, "A2"},
    {ACT_JOIN, ROOM_CLASS, SERVICE, OUTSIDER, NOT_HELD, NULL, "A2"},
    {ACT_JOIN, ROOM_FREE, SERVICE, OUTSIDER, NOT_HELD, NULL, "A2"},
    {ACT_INVITE, ROOM_CLASS, TEACHER, OUTSIDER, NOT_HELD, NULL, "A2"},
    {ACT_INVITE, ROOM_FREE, TEACHER, OUTSIDER, NOT_HELD, NULL, "A2"},
    {ACT_INVITE, ROOM_FREE, HEAD, STRANGER_ROLE, NOT_HELD, NULL, "A2"},
    {ACT_INVITE, ROOM_FREE, SERVICE, OUTSIDER, NOT_HELD, NULL, "A2"},
    {ACT_INVITE, ROOM_FREE, OUTSIDER, PUPIL, NOT_HELD, NULL, "A2"},
    {ACT_KNOCK, ROOM_CLASS, OUTSIDER, OUTSIDER, NOT_HELD, NULL, "A2"},
    {ACT_KNOCK, ROOM_FREE, OUTSIDER, OUTSIDER, NOT_HELD, NULL, "A2"},
    {ACT_UPGRADE_ROOM, ROOM_FREE, OUTSIDER, NOBODY, NOT_HELD, NULL, "A2"},
    {ACT_SEND, ROOM_FREE, OUTSIDER, NOBODY, NOT_HELD, "m.room.message", "A2"},
    {ACT_STATE, ROOM_FREE, OUTSIDER, NOBODY, NOT_HELD, "m.room.topic", "A2"},
    {ACT_LEAVE, ROOM_FREE, OUTSIDER, OUTSIDER, NOT_HELD, NULL, ""},
    {ACT_INVITE, ROOM_FREE, TEACHER, PUPIL, NOT_HELD, NULL, ""},
    {ACT_JOIN, ROOM_FREE, PUPIL, PUPIL, NOT_HELD, NULL, ""},
    {ACT_KNOCK, ROOM_FREE, PUPIL, PUPIL, NOT_HELD, NULL, ""},
    {ACT_CREATE_ROOM, ROOM_FREE, PUPIL, NOBODY, NOT_HELD, NULL, ""},
    {ACT_CREATE_ROOM, ROOM_FREE, OUTSIDER, NOBODY, NOT_HELD, NULL, ""},
    /* A1: not even to be seen */
    {ACT_SEE, ROOM_CLASS, OUTSIDER, NOBODY, NOT_HELD, NULL, "A1"},
    {ACT_SEE, ROOM_FREE, STRANGER_ROLE, NOBODY, NOT_HELD, NULL, "A1"},
    {ACT_SEE, ROOM_CLASS, PUPIL, NOBODY, NOT_HELD, NULL, ""},
    /* A3: the pending can do nothing, the suspended can go, nobody lets them in */
    {ACT_CREATE_ROOM, ROOM_FREE, PENDING, NOBODY, NOT_HELD, NULL, "A3"},
    {ACT_JOIN, ROOM_FREE, PENDING, PENDING, NOT_HELD, NULL, "A3"},
    {ACT_SEND, ROOM_CLASS, PENDING, NOBODY, NOT_HELD, "m.room.message", "A3"},
    {ACT_SEND, ROOM_CLASS, SUSPENDED, NOBODY, NOT_HELD, "m.room.message", "A3"},
    {ACT_LEAVE, ROOM_FREE, SUSPENDED, SUSPENDED, NOT_HELD, NULL, ""},
    {ACT_LEAVE, ROOM_FREE, LOCKED, LOCKED, NOT_HELD, NULL, "A3"},
    {ACT_INVITE, ROOM_FREE, TEACHER, PENDING, NOT_HELD, NULL, "A3"},
    {ACT_JOIN, ROOM_CLASS, SERVICE, PENDING, HELD, NULL, "A3"},
    {ACT_JOIN, ROOM_CLASS, SERVICE, NOBODY, HELD, NULL, "A2"},
    {ACT_JOIN, ROOM_CLASS, SERVICE, LOCKED, HELD, NULL, ""},
    {ACT_INVITE, ROOM_FREE, TEACHER, LOCKED, NOT_HELD, NULL, "A3"},
    {ACT_SEND, ROOM_GUARDIANS, GUARDIAN, NOBODY, NOT_HELD, "m.room.message", ""},
    /* A5 */
    {ACT_STATE, ROOM_FREE, TEACHER, NOBODY, NOT_HELD, "m.room.third_party_invite", "A5"},
    /* E2: in a roster room are those whom the roster holds */
    {ACT_JOIN, ROOM_CLASS, PUPIL, PUPIL, NOT_HELD, NULL, "E2"},
    {ACT_INVITE, ROOM_CLASS, TEACHER, PUPIL, NOT_HELD, NULL, "E2"},
    {ACT_KNOCK, ROOM_STAFF, PUPIL, PUPIL, NOT_HELD, NULL, "E2"},
    {ACT_JOIN, ROOM_STAFF, SERVICE, PUPIL, NOT_HELD, NULL, "E2"},
    {ACT_JOIN, ROOM_CLASS, SERVICE, PUPIL, HELD, NULL, ""},
    {ACT_JOIN, ROOM_CLASS, PUPIL, PUPIL, HELD, NULL, ""},
    {ACT_JOIN, ROOM_CLASS, SERVICE, SERVICE, NOT_HELD, NULL, ""},
    /* E3: no event forges what the service user keeps */
    {ACT_STATE, ROOM_CLASS, TEACHER, NOBODY, NOT_HELD, "m.room.power_levels", "E3"},
    {ACT_STATE, ROOM_STAFF, HEAD, NOBODY, NOT_HELD, "m.room.power_levels", "E3"},
    {ACT_STATE, ROOM_CLASS, TEACHER, NOBODY, NOT_HELD, "m.room.join_rules", "E3"},
    {ACT_STATE, ROOM_CLASS, TEACHER, NOBODY, NOT_HELD, "m.room.history_visibility", "E3"},
    {ACT_STATE, ROOM_CLASS, TEACHER, NOBODY, NOT_HELD, "m.room.guest_access", "E3"},
    {ACT_STATE, ROOM_CLASS, TEACHER, NOBODY, NOT_HELD, "m.room.server_acl", "E3"},
    {ACT_STATE, ROOM_CLASS, TEACHER, NOBODY, NOT_HELD, "m.room.tombstone", "E3"},
    {ACT_STATE, ROOM_CLASS, TEACHER, NOBODY, NOT_HELD, "m.room.name", "E3"},
    {ACT_STATE, ROOM_SCHOOL_SPACE, HEAD, NOBODY, NOT_HELD, "m.space.child", "E3"},
    {ACT_STATE, ROOM_CLASS, TEACHER, NOBODY, NOT_HELD, "m.room.canonical_alias", "E3"},
    {ACT_STATE, ROOM_CLASS, PUPIL, NOBODY, NOT_HELD, "m.room.topic", "E3"},
    {ACT_STATE, ROOM_CLASS, PUPIL, NOBODY, NOT_HELD, "org.example.widget", "E3"},
    {ACT_STATE, ROOM_CLASS, TEACHER, NOBODY, NOT_HELD, "m.room.topic", ""},
    {ACT_STATE, ROOM_CLASS, SERVICE, NOBODY, NOT_HELD, "m.room.power_levels", ""},
    {ACT_STATE, ROOM_FREE, PUPIL, NOBODY, NOT_HELD, "m.room.power_levels", ""},
    {ACT_UPGRADE_ROOM, ROOM_CLASS, TEACHER, NOBODY, NOT_HELD, NULL, "E3"},
    {ACT_ALIAS, ROOM_CLASS, TEACHER, NOBODY, NOT_HELD, NULL, "E3"},
    {ACT_PUBLISH, ROOM_ANNOUNCEMENTS, HEAD, NOBODY, NOT_HELD, NULL, "E3"},
    {ACT_UPGRADE_ROOM, ROOM_CLASS, SERVICE, NOBODY, NOT_HELD, NULL, ""},
    {ACT_ALIAS, ROOM_FREE, TEACHER, NOBODY, NOT_HELD, NULL, ""},
    /* E4: while the roster holds them, whoever tries */
    {ACT_LEAVE, ROOM_CLASS, PUPIL, PUPIL, HELD, NULL, "E4"},
    {ACT_KICK, ROOM_CLASS, TEACHER, PUPIL, HELD, NULL, "E4"},
    {ACT_KICK, ROOM_CLASS, SERVICE, PUPIL, HELD, NULL, "E4"},
    {ACT_BAN, ROOM_CLASS, HEAD, PUPIL, HELD, NULL, "E4"},
    {ACT_BAN, ROOM_CLASS, TEACHER, OUTSIDER, NOT_HELD, NULL, "E4"},
    {ACT_KICK, ROOM_CLASS, SERVICE, PUPIL, NOT_HELD, NULL, ""},
    {ACT_KICK, ROOM_CLASS, SERVICE, NOBODY, NOT_HELD, NULL, ""},
    {ACT_LEAVE, ROOM_FREE, PUPIL, PUPIL, NOT_HELD, NULL, ""},
    {ACT_KICK, ROOM_FREE, TEACHER, PUPIL, NOT_HELD, NULL, ""},
    {ACT_BAN, ROOM_FREE, TEACHER, PUPIL, NOT_HELD, NULL, ""},
    /* E1: announcements and spaces */
    {ACT_SEND, ROOM_ANNOUNCEMENTS, PUPIL, NOBODY, NOT_HELD, "m.room.message", "E1"},
    {ACT_SEND, ROOM_ANNOUNCEMENTS, TEACHER, NOBODY, NOT_HELD, "m.room.message", "E1"},
    {ACT_SEND, ROOM_ANNOUNCEMENTS, GUARDIAN, NOBODY, NOT_HELD, "m.reaction", "E1"},
    {ACT_REDACT, ROOM_ANNOUNCEMENTS, TEACHER, NOBODY, NOT_HELD, NULL, "E1"},
    {ACT_SEND, ROOM_ANNOUNCEMENTS, HEAD, NOBODY, NOT_HELD, "m.room.message", ""},
    {ACT_SEND, ROOM_ANNOUNCEMENTS, SERVICE, NOBODY, NOT_HELD, "m.room.message", ""},
    {ACT_SEND, ROOM_ANNOUNCEMENTS, STRANGER_ROLE, NOBODY, NOT_HELD, "m.room.message", "A2"},
    {ACT_SEND, ROOM_CLASS_SPACE, TEACHER, NOBODY, NOT_HELD, "m.room.message", "E1"},
    {ACT_SEND, ROOM_CLASS, PUPIL, NOBODY, NOT_HELD, "m.room.message", ""},
    {ACT_REDACT, ROOM_CLASS, PUPIL, NOBODY, NOT_HELD, NULL, ""},
    /* E9 */
    {ACT_STATE, ROOM_CLASS, TEACHER, NOBODY, NOT_HELD, "m.room.encryption", "E9"},
    {ACT_STATE, ROOM_CLASS, SERVICE, NOBODY, NOT_HELD, "m.room.encryption", "E9"},
    {ACT_STATE, ROOM_FREE, TEACHER, NOBODY, NOT_HELD, "m.room.encryption", ""},
};
#define CASES_COUNT (sizeof CASES / sizeof *CASES)

static struct rule_facts facts_of(size_t i)
{
    return (struct rule_facts){
        .act = CASES[i].act,
        .school_mode = true,
        .room = {CASES[i].kind, CASES[i].act != ACT_CREATE_ROOM},
        .actor = person(CASES[i].actor, CASES[i].actor == CASES[i].target && CASES[i].target_held),
        .target = person(CASES[i].target, CASES[i].target_held),
        .event_type = CASES[i].type,
        .state_key = CASES[i].act == ACT_STATE ? "" : NULL,
    };
}

static void test_cases(void **state)
{
    for (size_t i = 0; i < CASES_COUNT; ++i) {
        struct rule_facts facts = facts_of(i);
        struct verdict verdict = rules_decide(&facts);
        if (strcmp(verdict.rule, CASES[i].rule) != 0)
            fail_msg("case %zu: \"%s\", not \"%s\" (%s)", i, verdict.rule, CASES[i].rule, verdict.sentence_en);
        assert_int_equal(verdict.allowed, *CASES[i].rule == '\0');
    }
}

/* A room that people of no school made: those of a school stay out, and are not brought in. */
static void test_room_of_no_school(void **state)
{
    struct rule_facts facts = {.act = ACT_INVITE, .school_mode = true};
    facts.actor = (struct person_facts){.standing = STANDING_ACTIVE, .member = true};
    facts.target = (struct person_facts){.standing = STANDING_ACTIVE, .member = false, .roles = 0};
    assert_string_equal(rules_decide(&facts).rule, "A1");
    facts.target.member = true;
    assert_true(rules_decide(&facts).allowed);
}

static void test_open_mode(void **state)
{
    for (size_t i = 0; i < CASES_COUNT; ++i) {
        struct rule_facts facts = facts_of(i);
        facts.school_mode = false;
        assert_true(rules_decide(&facts).allowed);
    }
}

/* Whatever the facts, a verdict is whole; and every row can refuse something. */
static void test_every_verdict(void **state)
{
    static const char *const TYPES[] = {NULL,           "m.room.message",    "m.room.name",
                                        "m.room.topic", "m.room.encryption", "m.room.third_party_invite"};
    bool *seen = calloc((size_t)rules_count(), sizeof *seen);
    for (unsigned bits = 0; bits < ACT__COUNT * ROOM_KIND__COUNT * 11 * 11 * 2 * 6 * 2; ++bits) {
        unsigned n = bits;
        struct rule_facts facts = {.school_mode = true};
        facts.act = (enum act)(n % ACT__COUNT), n /= ACT__COUNT;
        facts.room.kind = (enum room_kind)(n % ROOM_KIND__COUNT), n /= ROOM_KIND__COUNT;
        facts.actor = person((enum who)(n % 11), n / 121 % 2), n /= 11;
        facts.target = person((enum who)(n % 11), n / 11 % 2), n /= 22;
        facts.event_type = TYPES[n % 6], n /= 6;
        facts.room.has_school = n % 2 || facts.room.kind != ROOM_FREE;
        struct verdict verdict = rules_decide(&facts);
        for (int i = 0; i < rules_count(); ++i)
            seen[i] |= verdict.sentence_en == rules_row(i).sentence_en;
        assert_true(verdict.allowed == (*verdict.rule == '\0') && verdict.allowed == (*verdict.sentence_ru == '\0'));
    }
    for (int i = 0; i < rules_count(); ++i)
        if (!seen[i])
            fail_msg("row %d (%s, %s) never refuses", i, rules_row(i).rule, rules_row(i).code);
    free(seen);
}

/* B3: the roster's people are called as it says; in a plain server, and for others, a name is one's own. */
static void test_names(void **state)
{
    struct rule_facts facts = {.act = ACT_NAME, .school_mode = true, .actor = person(PUPIL, true)};
    assert_string_equal(rules_decide(&facts).rule, "B3");
    facts.actor.held = false;
    facts.actor.member = false; /* of a room of no school, which is none of this act's business */
    assert_true(rules_decide(&facts).allowed);
    facts.actor.held = true;
    facts.school_mode = false;
    assert_true(rules_decide(&facts).allowed);
}

static void test_words(void **state)
{
    enum standing standing;
    enum room_kind kind;
    for (int i = 0; i <= STANDING_LEFT; ++i)
        assert_true(standing_from(standing_name((enum standing)i), &standing) && (int)standing == i);
    for (int i = 0; i < ROOM_KIND__COUNT; ++i)
        assert_true(room_kind_from(room_kind_name((enum room_kind)i), &kind) && (int)kind == i);
    for (unsigned bit = ROLE_PUPIL; bit <= ROLE_EXTERNAL; bit <<= 1)
        assert_int_equal(school_role_from(school_role_name((enum school_role)bit)), bit);
    assert_false(standing_from("", &standing) || standing_from(NULL, &standing) || room_kind_from("x", &kind));
    assert_int_equal(school_role_from("x"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),     cmocka_unit_test(test_room_of_no_school),
        cmocka_unit_test(test_open_mode), cmocka_unit_test(test_every_verdict),
        cmocka_unit_test(test_names),     cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
