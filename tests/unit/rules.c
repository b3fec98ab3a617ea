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

static const struct school_policy *const DEFAULT = &SCHOOL_POLICY_DEFAULT;

/* People by name, as seen from a room of their school. */
enum who { SERVICE, PUPIL, TEACHER, HEAD, GUARDIAN, OUTSIDER, PENDING, SUSPENDED, LOCKED, STRANGER_ROLE, NOBODY };

static struct person_facts person(enum who who, bool held)
{
    static const struct person_facts PEOPLE[] = {
        [SERVICE] = {.service = true, .account = ACCOUNT_ACTIVE, .member = true},
        [PUPIL] = {.account = ACCOUNT_ACTIVE, .member = true, .roles = ROLE_PUPIL},
        [TEACHER] = {.account = ACCOUNT_ACTIVE,
                     .member = true,
                     .roles = ROLE_TEACHER | ROLE_CLASS_TEACHER,
                     .post = true},
        [HEAD] = {.account = ACCOUNT_ACTIVE, .member = true, .roles = ROLE_HEAD, .post = true},
        [GUARDIAN] = {.account = ACCOUNT_ACTIVE, .member = true, .roles = ROLE_GUARDIAN},
        [OUTSIDER] = {.account = ACCOUNT_ACTIVE},
        [PENDING] = {.account = ACCOUNT_PENDING, .member = true, .roles = ROLE_PUPIL},
        [SUSPENDED] = {.account = ACCOUNT_SUSPENDED, .member = true, .roles = ROLE_PUPIL},
        [LOCKED] = {.account = ACCOUNT_LOCKED, .member = true, .roles = ROLE_PUPIL},
        [STRANGER_ROLE] = {.account = ACCOUNT_ACTIVE, .roles = ROLE_HEAD}, /* head of another school */
        [NOBODY] = {.account = ACCOUNT_LEFT},
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
        .policy = DEFAULT,
        .room = {CASES[i].kind, CASES[i].act != ACT_CREATE_ROOM},
        .actor = person(CASES[i].actor, CASES[i].actor == CASES[i].target && CASES[i].target_held),
        .target = person(CASES[i].target, CASES[i].target_held),
        .self = CASES[i].actor == CASES[i].target,
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
    struct rule_facts facts = {.act = ACT_INVITE, .school_mode = true, .policy = DEFAULT};
    facts.actor = (struct person_facts){.account = ACCOUNT_ACTIVE, .member = true};
    facts.target = (struct person_facts){.account = ACCOUNT_ACTIVE, .member = false, .roles = 0};
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

/* --- Every row: facts that it refuses, and the same with one thing changed, which nothing refuses --- */

#define FACTS(act_, ...)                                                                                               \
    {                                                                                                                  \
        .act = ACT_##act_, .school_mode = true, .policy = &SCHOOL_POLICY_DEFAULT, __VA_ARGS__                          \
    }
#define ROOM(kind_, ...) .room = {.kind = ROOM_##kind_, .has_school = true, __VA_ARGS__}
#define WHO(account_, roles_, ...)                                                                                     \
    {                                                                                                                  \
        .account = ACCOUNT_##account_, .member = true, .roles = (roles_), .any_roles = (roles_), __VA_ARGS__           \
    }
#define BY(roles_, ...) .actor = WHO(ACTIVE, roles_, __VA_ARGS__)
#define TO(roles_, ...) .target = WHO(ACTIVE, roles_, __VA_ARGS__)
#define BY_SERVICE .actor = {.service = true, .account = ACCOUNT_ACTIVE, .member = true}
#define TYPE(type_) .event_type = (type_)
#define STATE(type_) .event_type = (type_), .state_key = ""
#define PAIR(...) .pair = {.two = true, __VA_ARGS__}
#define CLASSMATES                                                                                                     \
    PAIR(.relations = RELATION_BIT(RELATION_PUPIL_CLASSMATE), .allowed = RELATION_BIT(RELATION_PUPIL_CLASSMATE))
#define OFFICE(...) .office = {__VA_ARGS__}
#define MESSAGE TYPE("m.room.message")

static struct school_policy widened(void)
{
    struct school_policy p = SCHOOL_POLICY_DEFAULT;
    p.make_club |= ROLE_PUPIL;
    p.make_direct &= ~(unsigned)ROLE_GUARDIAN;
    p.encryption[ROOM_CLUB] = ENCRYPTION_REQUIRED;
    return p;
}
static struct school_policy WIDENED; /* by main's first test that needs it */
static struct school_policy QUIET[QUIET_REFUSE + 1];

static void policies_make(void)
{
    WIDENED = widened();
    for (int mode = 0; mode <= QUIET_REFUSE; ++mode) {
        QUIET[mode] = SCHOOL_POLICY_DEFAULT;
        QUIET[mode].quiet.mode = (enum quiet_mode)mode;
    }
}

static const struct row_case {
    const char *rule, *code;
    struct rule_facts refused, passes;
    const struct school_policy *policy; /* of both; NULL: the default */
} ROWS[] = {
    {"A3", "account_pending", FACTS(PROFILE, .actor = WHO(PENDING, 0), TO(ROLE_PUPIL)),
     FACTS(PROFILE, .actor = WHO(PENDING, 0), .target = WHO(PENDING, 0), .self = true)},
    {"A3", "account_suspended", FACTS(REDACT, ROOM(CLASS), .actor = WHO(SUSPENDED, ROLE_PUPIL, .held = true)),
     FACTS(REDACT, ROOM(CLASS), .actor = WHO(SUSPENDED, ROLE_PUPIL, .held = true), .self = true)},
    {"A3", "account_stopped", FACTS(SIGNAL, .actor = WHO(LOCKED, ROLE_PUPIL)), FACTS(SIGNAL, BY(ROLE_PUPIL))},
    {"A1", "not_your_school", FACTS(SEE, ROOM(CLUB), .actor = {.account = ACCOUNT_ACTIVE}),
     FACTS(SEE, ROOM(CLUB), BY(ROLE_PUPIL))},
    {"A1", "outside_every_school", FACTS(JOIN, .actor = WHO(ACTIVE, 0), .target = {.account = ACCOUNT_ACTIVE}),
     FACTS(JOIN, .actor = WHO(ACTIVE, 0), .target = WHO(ACTIVE, 0))},
    {"A2", "outsider", FACTS(INVITE, ROOM(CLUB), BY(ROLE_TEACHER), .target = {.account = ACCOUNT_ACTIVE}),
     FACTS(INVITE, ROOM(CLUB), BY(ROLE_TEACHER), TO(ROLE_TEACHER))},
    {"A2", "outsider_acts", FACTS(KICK, ROOM(CLUB), .actor = {.account = ACCOUNT_ACTIVE}, TO(ROLE_PUPIL)),
     FACTS(KICK, ROOM(CLUB), BY(ROLE_TEACHER), TO(ROLE_PUPIL))},
    {"A3", "target_not_confirmed", FACTS(INVITE, ROOM(CLUB), BY(ROLE_TEACHER), .target = WHO(PENDING, ROLE_PUPIL)),
     FACTS(INVITE, ROOM(CLUB), BY(ROLE_TEACHER), .target = WHO(RESTRICTED, ROLE_PUPIL))},
    {"A5", "third_party_invite", FACTS(STATE, ROOM(CLUB), BY(ROLE_TEACHER), STATE("m.room.third_party_invite")),
     FACTS(STATE, ROOM(CLUB), BY(ROLE_TEACHER), STATE("m.room.topic"))},
    {"A6", "stranger", FACTS(PROFILE, BY(ROLE_PUPIL), .target = {.account = ACCOUNT_ACTIVE, .any_roles = ROLE_PUPIL}),
     FACTS(PROFILE, BY(ROLE_PUPIL), .target = {.account = ACCOUNT_ACTIVE, .shares_room = true})},
    {"E7", "external_searches", FACTS(FIND, BY(ROLE_EXTERNAL), TO(ROLE_TEACHER), CLASSMATES),
     FACTS(FIND, BY(ROLE_EXTERNAL | ROLE_GUARDIAN), TO(ROLE_TEACHER), CLASSMATES)},
    {"A6", "not_to_be_found",
     FACTS(FIND, BY(ROLE_PUPIL), TO(ROLE_PUPIL), PAIR(.relations = RELATION_BIT(RELATION_PUPIL_PUPIL))),
     FACTS(FIND, BY(ROLE_PUPIL), TO(ROLE_PUPIL), CLASSMATES)},
    {"G3", "archived", FACTS(JOIN, ROOM(ARCHIVE), BY_SERVICE, TO(ROLE_PUPIL)),
     FACTS(JOIN, ROOM(ARCHIVE), BY(ROLE_PUPIL), TO(ROLE_PUPIL, .joined = true), .self = true)},
    {"G3", "archived", FACTS(SEND, ROOM(ARCHIVE), BY(ROLE_HEAD, .post = true), MESSAGE),
     FACTS(STATE, ROOM(ARCHIVE), BY_SERVICE, STATE("m.room.name"))},
    {"D7", "restricted", FACTS(SEND, ROOM(CLASS), .actor = WHO(RESTRICTED, ROLE_PUPIL, .held = true), MESSAGE),
     FACTS(SEND, ROOM(CLASS), .actor = WHO(ACTIVE, ROLE_PUPIL, .held = true), MESSAGE)},
    {"E7", "external_alone",
     FACTS(INVITE, ROOM(DIRECT), BY(ROLE_TEACHER), TO(ROLE_EXTERNAL, .named = true), CLASSMATES),
     FACTS(INVITE, ROOM(DIRECT), BY(ROLE_TEACHER), TO(ROLE_EXTERNAL | ROLE_GUARDIAN, .named = true), CLASSMATES)},
    {"E7", "not_named", FACTS(JOIN, ROOM(LIBRARY), BY(ROLE_EXTERNAL), TO(ROLE_EXTERNAL), .self = true),
     FACTS(JOIN, ROOM(LIBRARY), BY(ROLE_EXTERNAL), TO(ROLE_EXTERNAL, .named = true), .self = true)},
    {"E7", "not_named", FACTS(SEND, ROOM(CLUB), BY(ROLE_EXTERNAL), MESSAGE),
     FACTS(SEND, ROOM(CLUB), BY(ROLE_EXTERNAL, .named = true), MESSAGE)},
    {"E7", "external_creates", FACTS(CREATE_ROOM, .room = {ROOM_CLUB}, BY(ROLE_EXTERNAL)),
     FACTS(CREATE_ROOM, .room = {ROOM_DOCUMENTS}, BY(ROLE_EXTERNAL))},
    {"E2", "not_in_roster", FACTS(JOIN, ROOM(SUBJECT), BY_SERVICE, TO(ROLE_PUPIL)),
     FACTS(JOIN, ROOM(SUBJECT), BY_SERVICE, TO(ROLE_PUPIL, .held = true))},
    {"E3", "room_kept_by_school", FACTS(CREATE_ROOM, .room = {ROOM_LIBRARY}, BY(ROLE_HEAD)),
     FACTS(CREATE_ROOM, .room = {ROOM_LIBRARY}, BY_SERVICE)},
    {"E3", "room_kept_by_school", FACTS(PUBLISH, ROOM(LIBRARY), BY(ROLE_HEAD)),
     FACTS(PUBLISH, ROOM(CLUB), BY(ROLE_HEAD))},
    {"E9", "encryption_forbidden", FACTS(SEND, ROOM(CLASS), BY(ROLE_PUPIL, .held = true), TYPE("m.room.encrypted")),
     FACTS(SEND, ROOM(CLASS, .encrypted = true), BY(ROLE_PUPIL, .held = true), TYPE("m.room.encrypted"))},
    {"E3", "state_kept_by_school", FACTS(STATE, ROOM(LIBRARY), BY(ROLE_HEAD), STATE("m.room.name")),
     FACTS(STATE, ROOM(LIBRARY), BY(ROLE_HEAD), STATE("m.room.topic"))},
    {"E3", "no_post", FACTS(STATE, ROOM(CLASS), BY(ROLE_TEACHER, .held = true), STATE("m.room.topic")),
     FACTS(STATE, ROOM(CLASS), BY(ROLE_TEACHER, .held = true, .post = true), STATE("m.room.topic"))},
    {"E4", "held_by_roster", FACTS(LEAVE, ROOM(CLASS), BY(ROLE_PUPIL), TO(ROLE_PUPIL, .held = true), .self = true),
     FACTS(LEAVE, ROOM(CLASS), BY(ROLE_PUPIL), TO(ROLE_PUPIL), .self = true)},
    {"E4", "held_by_roster", FACTS(KICK, ROOM(CLASS), BY_SERVICE, TO(ROLE_PUPIL, .held = true)),
     FACTS(KICK, ROOM(CLASS), BY_SERVICE, TO(ROLE_PUPIL))},
    {"E4", "ban_in_roster_room", FACTS(BAN, ROOM(LIBRARY), BY(ROLE_HEAD), TO(ROLE_PUPIL)),
     FACTS(BAN, ROOM(CLUB), BY(ROLE_HEAD), TO(ROLE_PUPIL))},
    {"E1", "space_is_quiet", FACTS(SEND, ROOM(SCHOOL_SPACE), BY(ROLE_HEAD), MESSAGE),
     FACTS(SEND, ROOM(ANNOUNCEMENTS), BY(ROLE_HEAD), MESSAGE)},
    {"E1", "announcements", FACTS(SEND, ROOM(ANNOUNCEMENTS), BY(ROLE_TEACHER), MESSAGE),
     FACTS(SEND, ROOM(ANNOUNCEMENTS), BY(ROLE_DEPUTY), MESSAGE)},
    {"E6", "documents_private", FACTS(INVITE, ROOM(DOCUMENTS), BY(ROLE_PUPIL, .owner = true), TO(ROLE_TEACHER)),
     FACTS(JOIN, ROOM(DOCUMENTS), BY(ROLE_PUPIL, .owner = true), TO(ROLE_PUPIL, .owner = true), .self = true)},
    {"E6", "documents_private", FACTS(SEE, ROOM(DOCUMENTS), BY(ROLE_HEAD)),
     FACTS(SEE, ROOM(DOCUMENTS), BY(ROLE_PUPIL, .owner = true))},
    {"E6", "library", FACTS(SEND, ROOM(LIBRARY), BY(ROLE_PUPIL), MESSAGE),
     FACTS(SEND, ROOM(LIBRARY), BY(ROLE_STAFF), MESSAGE)},
    {"E8", "association", FACTS(INVITE, ROOM(ASSOCIATION), BY(ROLE_TEACHER), TO(ROLE_PUPIL)),
     FACTS(INVITE, ROOM(ASSOCIATION), BY(ROLE_TEACHER), TO(ROLE_TEACHER))},
    {"E8", "association", FACTS(CREATE_ROOM, .room = {ROOM_ASSOCIATION}, BY(ROLE_GUARDIAN)),
     FACTS(CREATE_ROOM, .room = {ROOM_ASSOCIATION}, BY(ROLE_TEACHER))},
    {"F2", "third_person",
     FACTS(INVITE, ROOM(DIRECT, .direct_pair_full = true), BY(ROLE_PUPIL, .direct_pair = true), TO(ROLE_PUPIL),
           CLASSMATES),
     FACTS(INVITE, ROOM(DIRECT), BY(ROLE_PUPIL, .direct_pair = true), TO(ROLE_PUPIL), CLASSMATES)},
    {"F2", "nobody_to_ban", FACTS(BAN, ROOM(DIRECT), BY(ROLE_PUPIL, .direct_pair = true), TO(ROLE_PUPIL)),
     FACTS(BAN, ROOM(DIRECT), BY(ROLE_PUPIL, .direct_pair = true), TO(ROLE_PUPIL, .there = true))},
    {"F2", "direct_is_private", FACTS(SEE, ROOM(DIRECT), BY(ROLE_HEAD)),
     FACTS(SEE, ROOM(DIRECT), BY(ROLE_HEAD, .direct_pair = true))},
    {"F2", "direct_has_no_address", FACTS(ALIAS, ROOM(DIRECT), BY(ROLE_TEACHER, .direct_pair = true)),
     FACTS(ALIAS, ROOM(CLUB), BY(ROLE_TEACHER))},
    {"F2", "direct_has_no_name",
     FACTS(STATE, ROOM(DIRECT), BY(ROLE_TEACHER, .direct_pair = true), STATE("m.room.name")),
     FACTS(STATE, ROOM(DIRECT), BY(ROLE_TEACHER, .direct_pair = true), STATE("m.room.power_levels"))},
    {"F1", "no_relation", FACTS(INVITE, ROOM(CLUB), BY(ROLE_TEACHER), TO(ROLE_PUPIL), PAIR(.relations = 0)),
     FACTS(INVITE, ROOM(CLUB), BY(ROLE_TEACHER), TO(ROLE_PUPIL), CLASSMATES)},
    {"F1", "relation_forbidden", FACTS(SEND, ROOM(DIRECT), BY(ROLE_PUPIL), MESSAGE, PAIR(.relations = 1)),
     FACTS(SEND, ROOM(DIRECT), BY(ROLE_PUPIL), MESSAGE, PAIR(.relations = 1, .allowed = 1))},
    {"E5", "may_not_make_direct", FACTS(CREATE_ROOM, .room = {ROOM_DIRECT}, BY(ROLE_GUARDIAN)),
     FACTS(CREATE_ROOM, .room = {ROOM_DIRECT}, BY(ROLE_PUPIL)), &WIDENED},
    {"E5", "may_not_make_rooms", FACTS(CREATE_ROOM, .room = {ROOM_CLUB}, BY(ROLE_PUPIL)),
     FACTS(CREATE_ROOM, .room = {ROOM_CLUB}, BY(ROLE_TEACHER))},
    {"E5", "staff_missing", FACTS(INVITE, ROOM(CLUB, .has_pupil = true, .n_people = 3), BY(ROLE_PUPIL), TO(ROLE_PUPIL)),
     FACTS(INVITE, ROOM(CLUB, .has_pupil = true, .n_people = 3), BY(ROLE_PUPIL), TO(ROLE_STAFF))},
    {"E5", "staff_missing", FACTS(SEND, ROOM(CLUB, .has_pupil = true, .n_people = 3), BY(ROLE_PUPIL), MESSAGE),
     FACTS(SEND, ROOM(CLUB, .has_pupil = true, .n_people = 3, .staff_present = true), BY(ROLE_PUPIL), MESSAGE)},
    {"E5", "staff_missing",
     FACTS(STATE, ROOM(CLUB, .has_pupil = true, .n_people = 2), BY(ROLE_PUPIL), STATE("m.room.join_rules")),
     FACTS(STATE, ROOM(CLUB, .has_pupil = true, .n_people = 1), BY(ROLE_PUPIL), STATE("m.room.join_rules"))},
    {"E5", "staff_missing",
     FACTS(STATE, ROOM(CLUB, .has_pupil = true, .n_people = 2), BY(ROLE_PUPIL),
           STATE("org.example.what_opens_tomorrow")),
     FACTS(STATE, ROOM(CLUB, .has_pupil = true, .n_people = 2), BY(ROLE_PUPIL), STATE("m.room.topic"))},
    {"E5", "staff_missing",
     FACTS(STATE, ROOM(CLUB, .has_pupil = true, .n_people = 2), BY(ROLE_PUPIL), STATE("m.room.server_acl")),
     FACTS(STATE, ROOM(CLUB, .has_pupil = true, .n_people = 2), BY(ROLE_PUPIL), STATE("m.call.member"))},
    {"E5", "alias", FACTS(ALIAS, ROOM(CLUB, .has_pupil = true, .staff_present = true, .n_people = 3), BY(ROLE_PUPIL)),
     FACTS(ALIAS, ROOM(CLUB, .has_pupil = true, .staff_present = true, .n_people = 3), BY(ROLE_PUPIL, .owner = true))},
    {"E5", "staff_missing", FACTS(SEE, ROOM(CLUB, .has_pupil = true, .n_people = 1), BY(ROLE_PUPIL)),
     FACTS(SEE, ROOM(CLUB, .has_pupil = true, .n_people = 1), BY(ROLE_STAFF))},
    {"E9", "encryption_required", FACTS(SEND, ROOM(CLUB), BY(ROLE_PUPIL), MESSAGE),
     FACTS(SEND, ROOM(CLUB, .encrypted = true), BY(ROLE_PUPIL), TYPE("m.room.encrypted")), &WIDENED},
    {"F4", "may_not_start_polls", FACTS(SEND, ROOM(CLASS), BY(ROLE_PUPIL, .held = true), TYPE("m.poll.start")),
     FACTS(SEND, ROOM(CLASS), BY(ROLE_TEACHER, .held = true), TYPE("m.poll.start"))},
    {"B3", "name_from_roster", FACTS(NAME, BY(ROLE_PUPIL, .held = true)), FACTS(NAME, BY(0))},
    {"J4", "own_application", FACTS(APPROVE, BY(ROLE_ADMINISTRATOR), TO(ROLE_ADMINISTRATOR), .self = true),
     FACTS(APPROVE, BY(ROLE_ADMINISTRATOR), TO(ROLE_ADMINISTRATOR))},
    {"J4", "office_hands_out", FACTS(LINK, BY(ROLE_CLASS_TEACHER), OFFICE(.class_teacher = true, .hands_out = true)),
     FACTS(LINK, BY(ROLE_ADMINISTRATOR), OFFICE(.hands_out = true))},
    {"J4", "own_claim", FACTS(CLAIM, BY(ROLE_ADMINISTRATOR), .self = true), FACTS(CLAIM, BY(ROLE_ADMINISTRATOR))},
    {"J4", "may_not_confirm", FACTS(CLAIM, BY(ROLE_TEACHER), TO(ROLE_PUPIL)),
     FACTS(CLAIM, BY(ROLE_CLASS_TEACHER), TO(ROLE_PUPIL), OFFICE(.class_teacher = true))},
    {"J4", "own_link", FACTS(CLAIM, BY(ROLE_ADMINISTRATOR), OFFICE(.own_link = true, .override_ = true)),
     FACTS(CLAIM, BY(ROLE_GUARDIAN), TO(ROLE_PUPIL), OFFICE(.guardian = true))},
    {"J4", "unconfirmed",
     FACTS(ERASE, BY(ROLE_GUARDIAN), TO(ROLE_PUPIL), OFFICE(.guardian = true, .unconfirmed = true)),
     FACTS(CHILD, BY(ROLE_GUARDIAN), TO(ROLE_PUPIL), OFFICE(.guardian = true, .unconfirmed = true))},
    {"J4", "beyond_token", FACTS(ROLES, OFFICE(.operator_ = true, .role = ROLE_ADMINISTRATOR, .beyond = true)),
     FACTS(ROLES, OFFICE(.operator_ = true, .role = ROLE_ADMINISTRATOR))},
    {"C1", "may_not_approve", FACTS(APPROVE, BY(ROLE_CLASS_TEACHER), OFFICE(.class_teacher = true)),
     FACTS(APPROVE, BY(ROLE_ADMINISTRATOR))},
    {"C2", "may_not_link", FACTS(LINK, BY(ROLE_CLASS_TEACHER), OFFICE(.role = ROLE_PUPIL)),
     FACTS(LINK, BY(ROLE_CLASS_TEACHER), OFFICE(.class_teacher = true, .role = ROLE_PUPIL))},
    {"C2", "staff_role", FACTS(LINK, BY(ROLE_CLASS_TEACHER), OFFICE(.class_teacher = true, .role = ROLE_TEACHER)),
     FACTS(LINK, BY(ROLE_ADMINISTRATOR), OFFICE(.role = ROLE_TEACHER))},
    {"D1", "not_your_link", FACTS(GUARDIAN_LINK, BY(ROLE_ADMINISTRATOR), TO(ROLE_PUPIL)),
     FACTS(GUARDIAN_LINK, .actor = WHO(RESTRICTED, ROLE_PUPIL), TO(ROLE_PUPIL), .self = true)},
    {"D1", "not_a_pupil", FACTS(GUARDIAN_LINK, BY(ROLE_TEACHER), TO(ROLE_TEACHER), .self = true),
     FACTS(GUARDIAN_LINK, BY(ROLE_PUPIL), TO(ROLE_PUPIL), .self = true)},
    {"D4", "own_session", FACTS(BECOME_GUARDIAN, BY(ROLE_PUPIL), TO(ROLE_PUPIL), .self = true),
     FACTS(BECOME_GUARDIAN, BY(ROLE_TEACHER), TO(ROLE_PUPIL))},
    {"D2", "adults_only", FACTS(BECOME_GUARDIAN, BY(0), TO(ROLE_PUPIL), OFFICE(.said = {.pupil = true})),
     FACTS(BECOME_GUARDIAN, BY(0), TO(ROLE_PUPIL), OFFICE(.said = {.pupil = true, .age = AGE_ADULT}))},
    {"B3", "minor_as_staff",
     FACTS(ROLES, BY(ROLE_ADMINISTRATOR), OFFICE(.role = ROLE_CLASS_TEACHER, .said = {.age = AGE_MINOR})),
     FACTS(ROLES, BY(ROLE_ADMINISTRATOR),
           OFFICE(.role = ROLE_CLASS_TEACHER, .said = {.pupil = true, .age = AGE_ADULT}))},
    {"C4", "parent_as_pupil",
     FACTS(ROLES, BY(ROLE_ADMINISTRATOR), OFFICE(.role = ROLE_PUPIL, .said = {.guardian = true})),
     FACTS(ROLES, BY(ROLE_ADMINISTRATOR), OFFICE(.role = ROLE_PUPIL, .said = {.guardian = true, .age = AGE_ADULT}))},
    {"D4", "own_contact", FACTS(BECOME_GUARDIAN, .actor = WHO(PENDING, 0), TO(ROLE_PUPIL), OFFICE(.own_contact = true)),
     FACTS(BECOME_GUARDIAN, .actor = WHO(PENDING, 0), TO(ROLE_PUPIL))},
    {"D5", "two_guardians", FACTS(BECOME_GUARDIAN, BY(ROLE_GUARDIAN), TO(ROLE_PUPIL), OFFICE(.guardians = 2)),
     FACTS(BECOME_GUARDIAN, BY(ROLE_GUARDIAN), TO(ROLE_PUPIL), OFFICE(.guardians = 1))},
    {"D7", "not_your_child", FACTS(END_GUARDIAN, BY(ROLE_PUPIL), TO(ROLE_PUPIL), .self = true),
     FACTS(END_GUARDIAN, BY(ROLE_GUARDIAN), TO(ROLE_PUPIL), OFFICE(.guardian = true))},
    {"D8", "not_your_child", FACTS(CHILD, BY(ROLE_GUARDIAN), TO(ROLE_PUPIL)),
     FACTS(CHILD, BY(ROLE_GUARDIAN), TO(ROLE_PUPIL), OFFICE(.guardian = true))},
    {"F5", "accused", FACTS(REPORTS, BY(ROLE_ADMINISTRATOR), OFFICE(.accused = true)),
     FACTS(REPORTS, BY(ROLE_ADMINISTRATOR))},
    {"F5", "may_not_settle_reports", FACTS(REPORTS, BY(ROLE_TEACHER)),
     FACTS(REPORTS, BY(ROLE_CLASS_TEACHER), OFFICE(.class_teacher = true))},
    {"A4", "records", FACTS(RECORDS_READ, BY(ROLE_TEACHER), TO(ROLE_PUPIL)),
     FACTS(RECORDS_READ, BY(ROLE_GUARDIAN), TO(ROLE_PUPIL), OFFICE(.guardian = true))},
    {"A4", "office", FACTS(POLICY, BY(ROLE_HEAD)), FACTS(POLICY, OFFICE(.operator_ = true))},
    {"G1", "not_yours", FACTS(LEAVE_SCHOOL, BY(ROLE_TEACHER), TO(ROLE_PUPIL)),
     FACTS(LEAVE_SCHOOL, BY(ROLE_TEACHER), TO(ROLE_TEACHER), .self = true)},
    {"G4", "not_yours", FACTS(ERASE, BY(ROLE_TEACHER), TO(ROLE_PUPIL)),
     FACTS(ERASE, BY(ROLE_GUARDIAN), TO(ROLE_PUPIL), OFFICE(.guardian = true))},
    {"H1", "second_factor_missing", FACTS(RECORDS_READ, BY(ROLE_ADMINISTRATOR, .factor_missing = true), TO(ROLE_PUPIL)),
     FACTS(RECORDS_READ, BY(ROLE_ADMINISTRATOR, .factor_missing = true), TO(ROLE_PUPIL), OFFICE(.guardian = true))},
    {"J4", "own_second_factor", FACTS(POLICY, BY(ROLE_ADMINISTRATOR), OFFICE(.eases_own = true)),
     FACTS(POLICY, BY(ROLE_ADMINISTRATOR))},
    {"A1", "not_of_this_school", FACTS(STANDING, BY(ROLE_ADMINISTRATOR), TO(0)),
     FACTS(STANDING, OFFICE(.operator_ = true), TO(0))},
    {"A1", "of_another_school", FACTS(RECORDS_WRITE, BY(ROLE_ADMINISTRATOR), TO(0), OFFICE(.elsewhere = ROLE_PUPIL)),
     FACTS(RECORDS_WRITE, BY(ROLE_ADMINISTRATOR), TO(ROLE_GUARDIAN), OFFICE(.elsewhere = ROLE_PUPIL))},
    {"A1", "operators_alone", FACTS(ERASE, BY(ROLE_ADMINISTRATOR), TO(ROLE_PUPIL), OFFICE(.elsewhere = ROLE_PUPIL)),
     FACTS(ERASE, BY(ROLE_GUARDIAN), TO(ROLE_PUPIL), OFFICE(.elsewhere = ROLE_PUPIL, .guardian = true))},
    {"F1", "ask_the_school", FACTS(INVITE, ROOM(CLUB), BY(ROLE_TEACHER), TO(ROLE_TEACHER, .kept_out = true)),
     FACTS(INVITE, ROOM(CLUB), BY(ROLE_TEACHER), TO(ROLE_TEACHER))},
    {"F1", "ask_the_school", FACTS(SEE, ROOM(CLUB), BY(ROLE_GUARDIAN, .kept_out = true)),
     FACTS(SEE, ROOM(CLUB), BY(ROLE_GUARDIAN))},
    {"D2", "ask_the_school", FACTS(BECOME_GUARDIAN, BY(ROLE_TEACHER), TO(ROLE_PUPIL), OFFICE(.apart = true)),
     FACTS(BECOME_GUARDIAN, BY(ROLE_TEACHER), TO(ROLE_PUPIL))},
    {"A6", "stranger", FACTS(PROFILE, BY(ROLE_TEACHER), TO(ROLE_PUPIL), PAIR(.apart = true)),
     FACTS(PROFILE, BY(ROLE_TEACHER), TO(ROLE_PUPIL))},
    {"A6", "stranger", FACTS(PROFILE, BY(ROLE_GUARDIAN), TO(ROLE_GUARDIAN), PAIR(.parted = true)),
     FACTS(PROFILE, BY(ROLE_GUARDIAN), TO(ROLE_GUARDIAN))},
    {"J4", "somebody_else", FACTS(RECORDS_READ, BY(ROLE_ADMINISTRATOR), TO(ROLE_PUPIL), OFFICE(.apart = true)),
     FACTS(RECORDS_READ, BY(ROLE_ADMINISTRATOR), TO(ROLE_PUPIL))},
    {"J4", "own_family", FACTS(CUSTODY, BY(ROLE_ADMINISTRATOR), TO(ROLE_PUPIL), OFFICE(.own_family = true)),
     FACTS(CUSTODY, BY(ROLE_ADMINISTRATOR), TO(ROLE_PUPIL))},
    {"J4", "own_link", FACTS(APPROVE, OFFICE(.operator_ = true, .override_ = true, .own_link = true)),
     FACTS(APPROVE, OFFICE(.operator_ = true))},
    {"J4", "invited_by_you", FACTS(APPROVE, BY(ROLE_ADMINISTRATOR), OFFICE(.own_link = true)),
     FACTS(APPROVE, BY(ROLE_ADMINISTRATOR), OFFICE(.own_link = true, .override_ = true))},
    {"D9", "together", FACTS(ROLES, BY(ROLE_ADMINISTRATOR), TO(ROLE_TEACHER), OFFICE(.meets = true)),
     FACTS(ROLES, BY(ROLE_ADMINISTRATOR), TO(ROLE_TEACHER), OFFICE(.meets = true, .override_ = true))},
    {"D9", "settled", FACTS(APPROVE, BY(ROLE_ADMINISTRATOR), OFFICE(.settled = true)),
     FACTS(APPROVE, BY(ROLE_ADMINISTRATOR), OFFICE(.settled = true, .override_ = true))},
    {"J4", "somebody_else",
     FACTS(ROLES, BY(ROLE_ADMINISTRATOR), TO(ROLE_ADMINISTRATOR), .self = true,
           OFFICE(.meets = true, .party = true, .override_ = true)),
     FACTS(ROLES, OFFICE(.operator_ = true, .meets = true, .override_ = true), TO(ROLE_ADMINISTRATOR))},
    {"J4", "own_account", FACTS(STANDING, BY(ROLE_ADMINISTRATOR), TO(ROLE_ADMINISTRATOR), .self = true),
     FACTS(STANDING, BY(ROLE_ADMINISTRATOR), TO(ROLE_ADMINISTRATOR))},
    {"J4", "self", FACTS(ROLES, BY(ROLE_ADMINISTRATOR), TO(ROLE_ADMINISTRATOR), .self = true),
     FACTS(ROLES, BY(ROLE_ADMINISTRATOR), TO(ROLE_ADMINISTRATOR), .self = true, OFFICE(.override_ = true))},
    {"I4", "roster_kept", FACTS(RECORDS_WRITE, BY(ROLE_ADMINISTRATOR), OFFICE(.roster_kept = true)),
     FACTS(RECORDS_WRITE, BY(ROLE_ADMINISTRATOR), OFFICE(.roster_kept = true, .override_ = true))},
    {"F3", "quiet_hours_push", FACTS(NOTIFY, BY(ROLE_PUPIL), .quiet = true),
     FACTS(NOTIFY, BY(ROLE_PUPIL), .quiet = true, .urgent = {.marked = true}), &QUIET[QUIET_WARN]},
    {"F6", "may_not_urge", FACTS(SEND, ROOM(CLASS), BY(ROLE_TEACHER), MESSAGE, .urgent = {true, true}),
     FACTS(SEND, ROOM(CLASS), BY(ROLE_HEAD), MESSAGE, .quiet = true, .urgent = {true, true, 4}), &QUIET[QUIET_REFUSE]},
    {"F6", "reason_needed", FACTS(SEND, ROOM(CLASS), BY(ROLE_HEAD), MESSAGE, .urgent = {true, false}),
     FACTS(SEND, ROOM(CLASS), BY(ROLE_HEAD), MESSAGE)},
    {"F6", "too_often", FACTS(SEND, ROOM(CLASS), BY(ROLE_HEAD), MESSAGE, .urgent = {true, true, 5}),
     FACTS(SEND, ROOM(CLASS), BY(ROLE_HEAD), MESSAGE, .quiet = true, .urgent = {true, true, 4}), &QUIET[QUIET_DELAY]},
    {"H1", "second_factor_missing",
     FACTS(SEND, ROOM(ANNOUNCEMENTS), BY(ROLE_HEAD, .held = true, .factor_missing = true), MESSAGE),
     FACTS(SEND, ROOM(CLASS), BY(ROLE_HEAD, .held = true, .factor_missing = true), MESSAGE)},
    {"F3", "quiet_hours", FACTS(SEND, ROOM(CLASS), BY(ROLE_TEACHER), MESSAGE, .quiet = true),
     FACTS(SEND, ROOM(CLASS), BY(ROLE_PUPIL), MESSAGE, .quiet = true), &QUIET[QUIET_REFUSE]},
    {"F3", "quiet_hours",
     FACTS(STATE, ROOM(CLASS), BY(ROLE_TEACHER, .post = true), STATE("m.room.topic"), .quiet = true),
     FACTS(INVITE, ROOM(CLUB), BY(ROLE_TEACHER), TO(ROLE_GUARDIAN), .quiet = true, .wordless = true),
     &QUIET[QUIET_DELAY]},
    {"F3", "quiet_hours_hold", FACTS(SEND, ROOM(GUARDIANS), BY(ROLE_GUARDIAN), MESSAGE, .quiet = true),
     FACTS(SEND, ROOM(STAFF), BY(ROLE_TEACHER), MESSAGE, .quiet = true), &QUIET[QUIET_DELAY]},
    {"F3", "quiet_hours_warn",
     FACTS(SEND, ROOM(DIRECT), BY(ROLE_GUARDIAN), MESSAGE, .quiet = true,
           PAIR(.relations = 1, .allowed = 1, .staff_to_family = true)),
     FACTS(SEND, ROOM(DIRECT), BY(ROLE_GUARDIAN), MESSAGE, .quiet = true, PAIR(.relations = 1, .allowed = 1)),
     &QUIET[QUIET_WARN]},
};
#define ROWS_COUNT (sizeof ROWS / sizeof *ROWS)

static struct verdict decide_with(struct rule_facts facts, const struct school_policy *policy)
{
    if (policy != NULL)
        facts.policy = policy;
    return rules_decide(&facts);
}

static bool is_row(const struct verdict *verdict, int i)
{
    struct verdict row = rules_row(i);
    return strcmp(verdict->rule, row.rule) == 0 && strcmp(verdict->code, row.code) == 0 &&
           strcmp(verdict->sentence_en, row.sentence_en) == 0;
}

static void test_rows(void **state)
{
    policies_make();
    for (size_t i = 0; i < ROWS_COUNT; ++i) {
        struct verdict refused = decide_with(ROWS[i].refused, ROWS[i].policy);
        struct verdict passes = decide_with(ROWS[i].passes, ROWS[i].policy);
        if (strcmp(refused.rule, ROWS[i].rule) != 0 || strcmp(refused.code, ROWS[i].code) != 0)
            fail_msg("%s %s: refused by \"%s\" \"%s\"", ROWS[i].rule, ROWS[i].code, refused.rule, refused.code);
        if (!passes.allowed || *passes.rule != '\0')
            fail_msg("%s %s: does not pass: \"%s\" \"%s\"", ROWS[i].rule, ROWS[i].code, passes.rule, passes.code);
        assert_int_equal(refused.allowed, refused.kind != VERDICT_REFUSE);
    }
}

/* A row that ROWS forgets fails, and so does one that another row before it always hides. */
static void test_every_row_is_tested(void **state)
{
    policies_make();
    for (int row = 0; row < rules_count(); ++row) {
        bool found = false;
        for (size_t i = 0; i < ROWS_COUNT && !found; ++i) {
            struct verdict verdict = decide_with(ROWS[i].refused, ROWS[i].policy);
            found = is_row(&verdict, row);
        }
        if (!found)
            fail_msg("row %d (%s, %s) refuses in no case", row, rules_row(row).rule, rules_row(row).code);
    }
}

/* The numbers are school.md's; each sentence is in its language. */
static void test_row_words(void **state)
{
    static const int LAST[] = {
        ['A'] = 6, ['B'] = 3, ['C'] = 5, ['D'] = 9, ['E'] = 9, ['F'] = 6, ['G'] = 4, ['H'] = 2, ['I'] = 4, ['J'] = 4};
    for (int i = 0; i < rules_count(); ++i) {
        struct verdict row = rules_row(i);
        assert_int_equal(strlen(row.rule), 2);
        assert_true(row.rule[0] >= 'A' && row.rule[0] <= 'J');
        assert_true(row.rule[1] >= '1' && row.rule[1] - '0' <= LAST[(int)row.rule[0]]);
        assert_true(strlen(row.code) > 2 && strlen(row.sentence_en) > 10);
        assert_true(row.sentence_ru[0] == '\xd0' || row.sentence_ru[0] == '\xd1'); /* a Cyrillic letter */
        for (const char *p = row.sentence_en; *p != '\0'; ++p)
            assert_true(*p >= ' ' && *p <= '~');
        for (const char *p = row.code; *p != '\0'; ++p)
            assert_true((*p >= 'a' && *p <= 'z') || *p == '_');
        assert_true(row.sentence_en[strlen(row.sentence_en) - 1] == '.');
    }
}

/* --- What one row says of more than one case --- */

static const struct {
    const char *code; /* "": passes */
    struct rule_facts facts;
} VARIANTS[] = {
    /* A3: the suspended take back what is theirs, and go; they write no more */
    {"", FACTS(SEE, ROOM(CLASS), .actor = WHO(SUSPENDED, ROLE_PUPIL))},
    {"",
     FACTS(LEAVE, ROOM(CLUB), .actor = WHO(SUSPENDED, ROLE_PUPIL), .target = WHO(SUSPENDED, ROLE_PUPIL), .self = true)},
    {"", FACTS(EXPORT, .actor = WHO(SUSPENDED, ROLE_PUPIL), .target = WHO(SUSPENDED, ROLE_PUPIL), .self = true)},
    {"", FACTS(REPORT, .actor = WHO(SUSPENDED, ROLE_PUPIL))},
    {"account_suspended", FACTS(NAME, .actor = WHO(SUSPENDED, 0))},
    {"account_suspended",
     FACTS(JOIN, ROOM(CLUB), .actor = WHO(SUSPENDED, ROLE_PUPIL), .target = WHO(SUSPENDED, ROLE_PUPIL))},
    {"account_suspended", FACTS(RECORDS_WRITE, .actor = WHO(SUSPENDED, ROLE_ADMINISTRATOR))},
    {"account_stopped", FACTS(ERASE, .actor = WHO(LOCKED, ROLE_PUPIL), .self = true)},
    {"account_pending", FACTS(APPROVE, .actor = WHO(PENDING, ROLE_ADMINISTRATOR))},
    {"", FACTS(IMPORT, OFFICE(.operator_ = true))},
    /* A6 */
    {"", FACTS(PROFILE, BY(ROLE_PUPIL), TO(ROLE_HEAD))},
    {"not_to_be_found", FACTS(FIND, BY(ROLE_PUPIL), TO(ROLE_HEAD))},
    {"not_to_be_found", FACTS(FIND, BY(ROLE_PUPIL), .target = WHO(LOCKED, ROLE_PUPIL), CLASSMATES)},
    {"", FACTS(FIND, .actor = WHO(ACTIVE, 0), .target = WHO(ACTIVE, 0))},
    /* E1 */
    {"announcements", FACTS(SEND, ROOM(ANNOUNCEMENTS), BY(ROLE_GUARDIAN), TYPE("m.reaction"))},
    /* E6: everybody of the school comes into the library by themselves */
    {"", FACTS(JOIN, ROOM(LIBRARY), BY(ROLE_PUPIL), TO(ROLE_PUPIL), .self = true)},
    {"", FACTS(LEAVE, ROOM(LIBRARY), BY(ROLE_PUPIL), TO(ROLE_PUPIL), .self = true)},
    {"outsider", FACTS(JOIN, ROOM(LIBRARY), BY(0), .target = {.account = ACCOUNT_ACTIVE})},
    {"documents_private", FACTS(JOIN, ROOM(DOCUMENTS), BY_SERVICE, TO(ROLE_ADMINISTRATOR))},
    {"documents_private", FACTS(PUBLISH, ROOM(DOCUMENTS), BY(ROLE_PUPIL, .owner = true))},
    {"", FACTS(JOIN, ROOM(DOCUMENTS), BY(ROLE_EXTERNAL), TO(ROLE_EXTERNAL, .owner = true), .self = true)},
    /* E7: neither by a relation to nobody, nor after the naming ended */
    {"not_named", FACTS(SEE, ROOM(CLUB), BY(ROLE_EXTERNAL))},
    {"external_alone", FACTS(STATE, ROOM(DIRECT), BY(ROLE_EXTERNAL, .named = true), STATE("m.room.topic"))},
    {"", FACTS(INVITE, ROOM(CLUB), BY(ROLE_TEACHER), TO(ROLE_EXTERNAL, .named = true), PAIR(.relations = 0))},
    {"no_relation", FACTS(SEND, ROOM(CLUB), BY(ROLE_EXTERNAL, .named = true), MESSAGE, PAIR(.relations = 0))},
    {"", FACTS(SEND, ROOM(CLASS), BY(ROLE_EXTERNAL, .held = true), MESSAGE)},
    /* G5: whom a roster took out of the room comes back to it, but not to whom they are kept from (D9) */
    {"",
     FACTS(JOIN, ROOM(DIRECT), BY_SERVICE, TO(ROLE_PUPIL, .returns = true, .direct_pair = true), PAIR(.relations = 0))},
    {"relation_forbidden", FACTS(JOIN, ROOM(DIRECT), BY_SERVICE, TO(ROLE_PUPIL, .returns = true, .direct_pair = true),
                                 PAIR(.relations = 0, .apart = true))},
    {"", FACTS(JOIN, ROOM(ARCHIVE), BY_SERVICE, TO(ROLE_PUPIL, .returns = true))},
    /* E8: the pair rule does not bind an association */
    {"", FACTS(SEND, ROOM(ASSOCIATION), BY(ROLE_TEACHER), MESSAGE, PAIR(.relations = 0))},
    {"association", FACTS(JOIN, ROOM(ASSOCIATION), BY_SERVICE, TO(ROLE_GUARDIAN))},
    /* E9 */
    {"encryption_forbidden",
     FACTS(STATE, ROOM(ANNOUNCEMENTS), BY(ROLE_HEAD, .post = true), STATE("m.room.encryption"))},
    {"encryption_forbidden", FACTS(STATE, ROOM(LIBRARY), BY(ROLE_HEAD), STATE("m.room.encryption"))},
    {"", FACTS(STATE, ROOM(CLUB), BY(ROLE_TEACHER), STATE("m.room.encryption"))},
    {"", FACTS(STATE, ROOM(FREE), BY(ROLE_TEACHER), STATE("m.room.encryption"))},
    {"", FACTS(SEND, ROOM(DIRECT, .encrypted = true), BY(ROLE_PUPIL), TYPE("m.room.encrypted"), CLASSMATES)},
    {"", FACTS(SEND, ROOM(DIRECT), BY(ROLE_PUPIL), MESSAGE, CLASSMATES)},
    /* F2: who left comes back, and nobody else in their place; not even by the server's hand */
    {"", FACTS(JOIN, ROOM(DIRECT, .direct_pair_full = true), BY(ROLE_PUPIL, .direct_pair = true),
               TO(ROLE_PUPIL, .direct_pair = true), .self = true, CLASSMATES)},
    {"third_person",
     FACTS(JOIN, ROOM(DIRECT, .direct_pair_full = true), BY_SERVICE, TO(ROLE_ADMINISTRATOR), CLASSMATES)},
    {"third_person",
     FACTS(KNOCK, ROOM(DIRECT, .direct_pair_full = true), BY(ROLE_PUPIL), TO(ROLE_PUPIL), .self = true)},
    {"direct_has_no_name", FACTS(STATE, ROOM(DIRECT), BY(ROLE_PUPIL), STATE("m.room.canonical_alias"))},
    {"direct_has_no_address", FACTS(PUBLISH, ROOM(DIRECT), BY(ROLE_PUPIL))},
    {"", FACTS(UPGRADE_ROOM, ROOM(DIRECT, .direct_pair_full = true), BY(ROLE_PUPIL, .direct_pair = true), CLASSMATES)},
    /* F4 */
    {"may_not_start_polls", FACTS(SEND, ROOM(FREE), BY(ROLE_PUPIL), TYPE("org.matrix.msc3381.poll.start"))},
    {"", FACTS(SEND, ROOM(CLASS), BY(ROLE_PUPIL), TYPE("m.poll.response"))},
    {"", FACTS(SEND, .actor = WHO(ACTIVE, 0), TYPE("m.poll.start"))},
    /* C, F5, G: a class teacher's part, and only of their own class */
    {"", FACTS(RECORDS_READ, BY(ROLE_CLASS_TEACHER), TO(ROLE_PUPIL), OFFICE(.class_teacher = true))},
    {"office", FACTS(RECORDS_WRITE, BY(ROLE_CLASS_TEACHER), TO(ROLE_PUPIL), OFFICE(.class_teacher = true))},
    {"not_your_child", FACTS(CHILD, BY(ROLE_CLASS_TEACHER), TO(ROLE_PUPIL), OFFICE(.class_teacher = true))},
    {"accused", FACTS(REPORTS, BY(ROLE_CLASS_TEACHER), OFFICE(.class_teacher = true, .accused = true))},
    {"", FACTS(LEAVE_SCHOOL, BY(ROLE_ADMINISTRATOR), TO(ROLE_PUPIL))},
    {"not_of_this_school", FACTS(ERASE, BY(ROLE_ADMINISTRATOR), TO(0))},
    {"", FACTS(LEAVE_SCHOOL, BY(ROLE_PUPIL), TO(ROLE_PUPIL), .self = true, OFFICE(.roster_kept = true))},
    {"roster_kept", FACTS(LEAVE_SCHOOL, BY(ROLE_ADMINISTRATOR), TO(ROLE_PUPIL), OFFICE(.roster_kept = true))},
    /* D5: who is a guardian already is no third one */
    {"", FACTS(BECOME_GUARDIAN, BY(ROLE_GUARDIAN), TO(ROLE_PUPIL), OFFICE(.guardians = 2, .guardian = true))},
    {"restricted", FACTS(BECOME_GUARDIAN, .actor = WHO(RESTRICTED, ROLE_PUPIL), TO(ROLE_PUPIL))},
};

static void test_variants(void **state)
{
    for (size_t i = 0; i < sizeof VARIANTS / sizeof *VARIANTS; ++i) {
        struct verdict verdict = rules_decide(&VARIANTS[i].facts);
        if (strcmp(verdict.code, VARIANTS[i].code) != 0)
            fail_msg("variant %zu (%s): \"%s\", not \"%s\"", i, act_name(VARIANTS[i].facts.act), verdict.code,
                     VARIANTS[i].code);
    }
}

/* --- F1 --- */

static const enum act CHATS[] = {ACT_CREATE_ROOM, ACT_INVITE, ACT_JOIN, ACT_KNOCK, ACT_SEND, ACT_STATE};
static const enum room_kind CHAT_ROOMS[] = {ROOM_DIRECT, ROOM_CLUB, ROOM_FREE};
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* Two people whom relations connect, of which the policy allows allowed: whether the act may happen. */
static struct verdict chat(enum act act, enum room_kind kind, bool by_service, uint32_t relations, uint32_t allowed)
{
    struct rule_facts f = FACTS(SEND, BY(ROLE_TEACHER), TO(ROLE_TEACHER, .direct_pair = true), TYPE("m.room.message"));
    f.act = act;
    f.room = (struct room_facts){.kind = kind, .has_school = true, .n_people = 2};
    f.actor.service = by_service;
    f.pair = (struct pair_facts){.two = true, .relations = relations, .allowed = allowed};
    return rules_decide(&f);
}

/* Every relation, alone and with every other, in the default policy and with the cell turned the other way, through
 * every act that can make a chat or go on in one, in every kind of room that can be one. */
static void test_f1_every_relation(void **state)
{
    for (int a = 0; a < RELATION__COUNT; ++a)
        for (int b = 0; b <= RELATION__COUNT; ++b)
            for (int turned = 0; turned < 2; ++turned)
                for (size_t i = 0; i < COUNT(CHATS) * COUNT(CHAT_ROOMS); ++i) {
                    uint32_t direct = SCHOOL_POLICY_DEFAULT.direct ^ (turned ? RELATION_BIT(a) : 0);
                    uint32_t relations = RELATION_BIT(a) | (b < RELATION__COUNT ? RELATION_BIT(b) : 0);
                    struct verdict v = chat(CHATS[i / COUNT(CHAT_ROOMS)], CHAT_ROOMS[i % COUNT(CHAT_ROOMS)], false,
                                            relations, relations & direct);
                    assert_int_equal(v.allowed, (relations & direct) != 0);
                    assert_string_equal(v.code, v.allowed ? "" : "relation_forbidden");
                }
    for (size_t i = 0; i < COUNT(CHATS) * COUNT(CHAT_ROOMS); ++i)
        assert_string_equal(chat(CHATS[i / COUNT(CHAT_ROOMS)], CHAT_ROOMS[i % COUNT(CHAT_ROOMS)], false, 0, 0).code,
                            "no_relation");
}

/* The server's own hand brings nobody together either; in what the roster, the library and associations are, two people
 * may happen to be alone; and one may always go, and take back what one wrote. */
static void test_f1_elsewhere(void **state)
{
    static const enum act OUT[] = {ACT_LEAVE, ACT_KICK, ACT_REDACT};
    static const enum room_kind OTHERS[] = {ROOM_CLASS, ROOM_STAFF, ROOM_SUBJECT, ROOM_LIBRARY, ROOM_ASSOCIATION};
    for (size_t i = 0; i < COUNT(CHAT_ROOMS); ++i) {
        assert_string_equal(chat(ACT_JOIN, CHAT_ROOMS[i], true, 0, 0).code, "no_relation");
        assert_string_equal(chat(ACT_INVITE, CHAT_ROOMS[i], true, 1, 0).code, "relation_forbidden");
        for (size_t k = 0; k < COUNT(OUT); ++k)
            assert_true(chat(OUT[k], CHAT_ROOMS[i], false, 0, 0).allowed);
    }
    for (size_t i = 0; i < COUNT(OTHERS); ++i)
        assert_true(chat(ACT_SEND, OTHERS[i], false, 0, 0).allowed);
}

/* --- E5 --- */

/* A pupil's room comes into being: alone, with a second, with somebody of the staff, then with anybody. */
static void test_e5_third_person(void **state)
{
    static const struct {
        bool staff_comes, staff_there;
        int n_people;
        bool allowed;
    } STEPS[] = {{false, false, 2, true},  {false, false, 3, false}, {true, false, 3, true},
                 {false, false, 4, false}, {false, true, 4, true},   {false, true, 30, true}};
    struct school_policy free_of_it = SCHOOL_POLICY_DEFAULT;
    free_of_it.staff_in_pupils_rooms = false;
    for (size_t i = 0; i < COUNT(STEPS) * 3; ++i) {
        static const enum act ACTS[] = {ACT_INVITE, ACT_JOIN, ACT_KNOCK};
        struct rule_facts f = FACTS(INVITE, ROOM(CLUB, .has_pupil = true), BY(ROLE_PUPIL), TO(ROLE_PUPIL));
        size_t step = i / 3;
        f.act = ACTS[i % 3];
        f.room.n_people = STEPS[step].n_people;
        f.room.staff_present = STEPS[step].staff_there;
        f.target.roles = STEPS[step].staff_comes ? ROLE_TEACHER : ROLE_PUPIL;
        assert_string_equal(rules_decide(&f).code, STEPS[step].allowed ? "" : "staff_missing");
        assert_true(decide_with(f, &free_of_it).allowed);
        f.room.has_pupil = false; /* among adults; but a pupil who comes makes it one of pupils */
        assert_string_equal(rules_decide(&f).code, STEPS[step].allowed ? "" : "staff_missing");
        f.target.roles = ROLE_GUARDIAN;
        assert_true(rules_decide(&f).allowed);
    }
}

/* --- D7 --- */

#define CLASS_TEACHER_CHAT PAIR(.relations = 1, .allowed = 1, .class_teacher = true)
#define GUARDIAN_CHAT PAIR(.relations = 2, .allowed = 2, .guardian = true)
#define RESTRICTED .actor = WHO(RESTRICTED, ROLE_PUPIL, .held = true, .owner = true)
#define THEMSELF .target = WHO(RESTRICTED, ROLE_PUPIL, .held = true, .owner = true), .self = true

static const struct {
    unsigned needs; /* enum restricted_ability, any of them; 0: always may; ~0u: never */
    struct rule_facts facts;
} RESTRICTED_CASES[] = {
    {0, FACTS(SEE, ROOM(CLASS), RESTRICTED)},
    {0, FACTS(JOIN, ROOM(CLASS), RESTRICTED, THEMSELF)},
    {0, FACTS(JOIN, ROOM(LIBRARY), RESTRICTED, THEMSELF)},
    {0, FACTS(REDACT, ROOM(CLASS), RESTRICTED)},
    {0, FACTS(REPORT, RESTRICTED)},
    {0, FACTS(SIGNAL, RESTRICTED)},
    {0, FACTS(GUARDIAN_LINK, RESTRICTED, THEMSELF)},
    {0, FACTS(LEAVE, ROOM(CLUB), RESTRICTED, THEMSELF)},
    {~0u, FACTS(SEND, ROOM(CLUB), RESTRICTED, MESSAGE)},
    {~0u, FACTS(JOIN, ROOM(CLUB), RESTRICTED, THEMSELF)},
    {~0u, FACTS(KNOCK, ROOM(CLUB), RESTRICTED, THEMSELF)},
    {~0u, FACTS(CREATE_ROOM, .room = {ROOM_CLUB}, RESTRICTED)},
    {~0u, FACTS(SEND, ROOM(DIRECT), RESTRICTED, MESSAGE, CLASSMATES)},
    {~0u, FACTS(INVITE, ROOM(DIRECT), RESTRICTED, TO(ROLE_PUPIL), CLASSMATES)},
    {~0u, FACTS(ALIAS, ROOM(CLUB), RESTRICTED)},
    {RESTRICTED_WRITE_CLASS_TEACHER | RESTRICTED_WRITE_GUARDIAN, FACTS(CREATE_ROOM, .room = {ROOM_DIRECT}, RESTRICTED)},
    {RESTRICTED_WRITE_CLASS_TEACHER, FACTS(CREATE_ROOM, .room = {ROOM_DIRECT}, RESTRICTED, CLASS_TEACHER_CHAT)},
    {RESTRICTED_WRITE_CLASS_TEACHER, FACTS(INVITE, ROOM(DIRECT), RESTRICTED, TO(ROLE_TEACHER), CLASS_TEACHER_CHAT)},
    {RESTRICTED_WRITE_CLASS_TEACHER, FACTS(JOIN, ROOM(DIRECT), RESTRICTED, THEMSELF, CLASS_TEACHER_CHAT)},
    {RESTRICTED_WRITE_CLASS_TEACHER, FACTS(SEND, ROOM(DIRECT), RESTRICTED, MESSAGE, CLASS_TEACHER_CHAT)},
    {RESTRICTED_WRITE_GUARDIAN, FACTS(SEND, ROOM(DIRECT), RESTRICTED, MESSAGE, GUARDIAN_CHAT)},
    {RESTRICTED_WRITE_GUARDIAN, FACTS(INVITE, ROOM(DIRECT), RESTRICTED, TO(ROLE_GUARDIAN), GUARDIAN_CHAT)},
    {RESTRICTED_WRITE_CLASS | RESTRICTED_WRITE_ROSTER_ROOMS, FACTS(SEND, ROOM(CLASS), RESTRICTED, MESSAGE)},
    {RESTRICTED_WRITE_ROSTER_ROOMS, FACTS(SEND, ROOM(SUBJECT), RESTRICTED, MESSAGE)},
    {RESTRICTED_DOCUMENTS, FACTS(SEND, ROOM(DOCUMENTS), RESTRICTED, MESSAGE)},
    {RESTRICTED_DOCUMENTS, FACTS(CREATE_ROOM, .room = {ROOM_DOCUMENTS}, RESTRICTED)},
};

static void test_d7_abilities(void **state)
{
    for (size_t i = 0; i < COUNT(RESTRICTED_CASES); ++i)
        for (unsigned may = 0; may < 32; ++may) {
            unsigned needs = RESTRICTED_CASES[i].needs;
            struct school_policy policy = SCHOOL_POLICY_DEFAULT;
            policy.restricted_may = may;
            struct verdict verdict = decide_with(RESTRICTED_CASES[i].facts, &policy);
            bool expected = needs == 0 || (needs != ~0u && (needs & may) != 0);
            if (verdict.allowed != expected || (!expected && strcmp(verdict.rule, "D7") != 0))
                fail_msg("case %zu (%s) with %u: \"%s\"", i, act_name(RESTRICTED_CASES[i].facts.act), may,
                         verdict.code);
        }
}

/* --- Random facts --- */

struct dice {
    uint64_t state;
};

static unsigned roll(struct dice *d, unsigned n)
{
    d->state = d->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(d->state >> 33) % n;
}

static bool toss(struct dice *d)
{
    return roll(d, 2) == 1;
}

static struct person_facts random_person(struct dice *d)
{
    unsigned some = roll(d, 512), roles = toss(d) ? 1u << roll(d, 9) : some & roll(d, 512);
    return (struct person_facts){
        .service = roll(d, 12) == 0,
        .account = toss(d) ? ACCOUNT_ACTIVE : (enum account_state)roll(d, ACCOUNT_LEFT + 1),
        .roles = roles,
        .any_roles = roles | roll(d, 512),
        .member = roll(d, 4) > 0,
        .joined = roll(d, 4) == 0,
        .there = toss(d),
        .held = toss(d),
        .post = toss(d),
        .named = toss(d),
        .owner = toss(d),
        .direct_pair = toss(d),
        .shares_room = toss(d),
    };
}

static struct school_policy random_policy(struct dice *d)
{
    struct school_policy p = SCHOOL_POLICY_DEFAULT;
    p.make_direct = roll(d, 512);
    p.make_club = roll(d, 512);
    p.polls = roll(d, 512);
    p.staff_in_pupils_rooms = toss(d);
    for (int i = 0; i < ROOM_KIND__COUNT; ++i)
        p.encryption[i] = (unsigned char)roll(d, 3);
    p.quiet.mode = (enum quiet_mode)roll(d, 4);
    p.quiet.senders = roll(d, 512);
    p.restricted_may = roll(d, 32);
    p.class_teacher_may = roll(d, 16);
    return p;
}

static struct rule_facts random_facts(struct dice *d, const struct school_policy *policy)
{
    static const char *const TYPES[] = {"m.room.message", "m.room.encrypted",  "m.room.name",
                                        "m.room.topic",   "m.room.encryption", "m.room.third_party_invite",
                                        "m.poll.start",   "m.reaction"};
    struct rule_facts f = {.act = (enum act)roll(d, ACT__COUNT), .school_mode = true, .policy = policy};
    uint32_t some = roll(d, 1 << 17), relations = toss(d) ? 0 : some & roll(d, 1 << 17);
    f.room = (struct room_facts){
        (enum room_kind)roll(d, ROOM_KIND__COUNT), true, toss(d), toss(d), toss(d), toss(d), (int)roll(d, 6), toss(d)};
    f.room.has_school = f.room.kind != ROOM_FREE || toss(d);
    f.actor = random_person(d);
    f.self = roll(d, 4) == 0;
    f.target = f.self ? f.actor : random_person(d);
    f.pair = (struct pair_facts){toss(d), relations, relations & roll(d, 1 << 17), toss(d), toss(d), toss(d)};
    f.office = (struct office_facts){.operator_ = roll(d, 6) == 0,
                                     .class_teacher = toss(d),
                                     .guardian = toss(d),
                                     .own_contact = toss(d),
                                     .guardians = (int)roll(d, 4),
                                     .accused = toss(d),
                                     .role = toss(d) ? 1u << roll(d, 9) : 0,
                                     .roster_kept = toss(d),
                                     .override_ = toss(d)};
    f.quiet = toss(d);
    f.event_type = f.act == ACT_SEND || f.act == ACT_STATE ? TYPES[roll(d, COUNT(TYPES))] : NULL;
    f.state_key = f.act == ACT_STATE ? "" : NULL;
    return f;
}

static bool enters(const struct rule_facts *f)
{
    return f->act == ACT_INVITE || f->act == ACT_JOIN || f->act == ACT_KNOCK;
}

/* What may never be, whoever acts and however the school set its policy. */
static const char *broken_invariant(const struct rule_facts *f, const struct verdict *v)
{
    bool in = enters(f) && v->allowed && !f->target.service;
    if (in && f->room.has_school && !f->target.member)
        return "A2: an outsider came in";
    if (in && room_kind_is_roster(f->room.kind) && !f->target.held)
        return "E2: somebody came in whom the roster does not hold";
    if (in && f->room.kind == ROOM_DIRECT && f->room.direct_pair_full && !f->target.direct_pair)
        return "F2: a third person came into a direct chat";
    if (f->act == ACT_BAN && v->allowed && f->room.kind == ROOM_DIRECT && !f->actor.service && !f->target.service &&
        !f->target.direct_pair && !f->target.there)
        return "F2: somebody was banned from a direct chat who never was in it";
    if (in && f->room.kind == ROOM_DOCUMENTS && !f->target.owner)
        return "E6: somebody came into another's documents";
    if (in && !f->target.joined && f->room.kind == ROOM_DIRECT && f->pair.two && f->pair.allowed == 0 &&
        !f->target.named)
        return "F1: a direct chat that the table refuses";
    if (f->act == ACT_BECOME_GUARDIAN && v->allowed && f->office.guardians >= 2 && !f->office.guardian)
        return "D5: a third guardian";
    if (f->act == ACT_BECOME_GUARDIAN && v->allowed && f->self)
        return "D4: one's own guardian";
    if (f->act == ACT_REPORTS && v->allowed && f->office.accused)
        return "F5: the accused judged";
    if ((f->act == ACT_KICK || f->act == ACT_BAN) && v->allowed && room_kind_is_roster(f->room.kind) && f->target.held)
        return "E4: somebody was put out whom the roster holds";
    if (f->act == ACT_STATE && v->allowed && room_kind_is_roster(f->room.kind) && !f->actor.service && !f->actor.post)
        return "E3: state without a post";
    if (v->allowed && !f->actor.service && !f->office.operator_ && f->actor.account == ACCOUNT_LOCKED)
        return "A3: a locked account acted";
    return NULL;
}

/* J1: what explain says first is what decide says; all that it says is whole. */
static void check_explanation(const struct rule_facts *f, const struct verdict *v)
{
    struct verdict all[100];
    int n;
    rules_explain(f, all, 100, &n);
    assert_int_equal(n == 0, *v->rule == '\0');
    if (n == 0)
        return;
    assert_true(all[0].rule == v->rule && all[0].code == v->code && all[0].allowed == v->allowed);
    for (int i = 0; i < n; ++i)
        assert_true(*all[i].rule != '\0' && *all[i].code != '\0' && *all[i].sentence_ru != '\0');
    rules_explain(f, all, 1, &n);
    assert_int_equal(n, 1);
}

static void test_invariants(void **state)
{
    struct dice d = {2026};
    int n_allowed = 0;
    for (int i = 0; i < 400000; ++i) {
        struct school_policy policy = random_policy(&d);
        struct rule_facts f = random_facts(&d, &policy);
        struct verdict v = rules_decide(&f), again = rules_decide(&f);
        const char *broken = broken_invariant(&f, &v);
        if (broken != NULL)
            fail_msg("round %d, %s in a %s room: %s", i, act_name(f.act), room_kind_name(f.room.kind), broken);
        assert_true(v.code == again.code);
        assert_true(v.allowed || *v.rule != '\0');
        assert_true(v.allowed == (*v.rule == '\0' || v.kind != VERDICT_REFUSE));
        check_explanation(&f, &v);
        f.school_mode = false;
        assert_true(rules_decide(&f).allowed);
        n_allowed += v.allowed;
    }
    assert_true(n_allowed > 20000 && n_allowed < 380000); /* the dice are worth something */
}

/* J2: an override gets past rows that let it, for the office, and past nothing else. */
static void test_j2_override(void **state)
{
    struct dice d = {5};
    int n_used = 0;
    for (int i = 0; i < 300000; ++i) {
        struct school_policy policy = random_policy(&d);
        struct rule_facts f = random_facts(&d, &policy);
        f.office.override_ = false;
        struct verdict plain = rules_decide(&f);
        f.office.override_ = true;
        struct verdict insisted = rules_decide(&f);
        if (plain.code == insisted.code)
            continue;
        assert_true(plain.overridable && !plain.allowed);
        assert_true(f.office.operator_ || f.actor.service || (f.actor.roles & ROLE_ADMINISTRATOR) != 0);
        ++n_used;
    }
    assert_true(n_used > 100);
    for (int i = 0; i < rules_count(); ++i) {
        const char *code = rules_row(i).code;
        assert_int_equal(rules_row(i).overridable, strcmp(code, "roster_kept") == 0 || strcmp(code, "self") == 0 ||
                                                       strcmp(code, "invited_by_you") == 0 ||
                                                       strcmp(code, "minor_as_staff") == 0 ||
                                                       strcmp(code, "together") == 0 || strcmp(code, "settled") == 0);
    }
}

/* A3: an account that is not confirmed does nothing but these. */
static void test_a3_nothing_else(void **state)
{
    static const enum act OWN[] = {ACT_PROFILE, ACT_EXPORT, ACT_ERASE, ACT_LEAVE_SCHOOL, ACT_BECOME_GUARDIAN};
    struct dice d = {77};
    for (int i = 0; i < 200000; ++i) {
        struct school_policy policy = random_policy(&d);
        struct rule_facts f = random_facts(&d, &policy);
        bool may = false;
        f.actor.service = f.office.operator_ = false;
        f.actor.account = ACCOUNT_PENDING;
        for (size_t k = 0; k < COUNT(OWN); ++k)
            may = may || f.act == OWN[k];
        assert_true(may || !rules_decide(&f).allowed);
    }
}

/* What the strictest of two policies allows, each of them allows. Encryption apart: between "never" and "only so" there
 * is nothing that satisfies both. */
static void test_stricter_allows_less(void **state)
{
    struct dice d = {11};
    int n_stricter = 0;
    for (int i = 0; i < 200000; ++i) {
        struct school_policy a = random_policy(&d), b = random_policy(&d);
        memcpy(b.encryption, a.encryption, sizeof b.encryption);
        struct school_policy both = school_policy_strictest(&a, &b);
        struct rule_facts f = random_facts(&d, &a);
        bool allowed = decide_with(f, &both).allowed;
        assert_true(!allowed || (decide_with(f, &a).allowed && decide_with(f, &b).allowed));
        n_stricter += !allowed && (decide_with(f, &a).allowed || decide_with(f, &b).allowed);
    }
    assert_true(n_stricter > 500);
}

static void test_act_words(void **state)
{
    enum act act;
    for (int i = 0; i < ACT__COUNT; ++i)
        assert_true(act_from(act_name((enum act)i), &act) && (int)act == i);
    assert_false(act_from("", &act) || act_from(NULL, &act) || act_from("Invite", &act));
}

/* B3: the roster's people are called as it says; in a plain server, and for others, a name is one's own. */
static void test_names(void **state)
{
    struct rule_facts facts = {.act = ACT_NAME, .school_mode = true, .policy = DEFAULT, .actor = person(PUPIL, true)};
    assert_string_equal(rules_decide(&facts).rule, "B3");
    facts.actor.held = false;
    facts.actor.member = false; /* of a room of no school, which is none of this act's business */
    assert_true(rules_decide(&facts).allowed);
    facts.actor.account = ACCOUNT_RESTRICTED; /* D7: neither name nor picture, as accounts/profile.c has it */
    assert_string_equal(rules_decide(&facts).rule, "D7");
    facts.actor.account = ACCOUNT_PENDING;
    assert_string_equal(rules_decide(&facts).rule, "A3");
    facts.actor.account = ACCOUNT_ACTIVE;
    facts.actor.held = true;
    facts.school_mode = false;
    assert_true(rules_decide(&facts).allowed);
}

static void test_words(void **state)
{
    enum account_state account;
    enum room_kind kind;
    for (int i = 0; i <= ACCOUNT_LEFT; ++i)
        assert_true(account_state_from(account_state_name((enum account_state)i), &account) && (int)account == i);
    for (int i = 0; i < ROOM_KIND__COUNT; ++i)
        assert_true(room_kind_from(room_kind_name((enum room_kind)i), &kind) && (int)kind == i);
    for (unsigned bit = ROLE_PUPIL; bit <= ROLE_EXTERNAL; bit <<= 1)
        assert_int_equal(school_role_from(school_role_name((enum school_role)bit)), bit);
    assert_false(account_state_from("", &account) || account_state_from(NULL, &account) || room_kind_from("x", &kind));
    assert_int_equal(school_role_from("x"), 0);
}

/* H1: what waits for the code, and what does not: as a person, a parent and in chats nothing changes. */
static void test_h1_what_waits_for_a_second_factor(void **state)
{
    for (int act = 0; act < ACT__COUNT; ++act) {
        struct rule_facts f = FACTS(SEND, ROOM(CLASS), BY(ROLES_STAFF, .held = true, .factor_missing = true),
                                    TO(ROLE_PUPIL, .held = true));
        f.act = (enum act)act;
        struct verdict said[64];
        int n;
        bool waits = false;
        rules_explain(&f, said, 64, &n);
        for (int i = 0; i < n; ++i)
            waits = waits || strcmp(said[i].code, "second_factor_missing") == 0;
        bool office = act >= ACT_APPROVE && act != ACT_GUARDIAN_LINK && act != ACT_BECOME_GUARDIAN;
        if (waits != office)
            fail_msg("%s: %s", act_name((enum act)act), waits ? "waits" : "does not wait");
    }
    static const struct {
        struct rule_facts facts;
        bool waits;
    } WHOSE[] = {
        {FACTS(SESSIONS, BY(ROLE_ADMINISTRATOR, .factor_missing = true), TO(ROLE_ADMINISTRATOR), .self = true), false},
        {FACTS(EXPORT, BY(ROLE_HEAD, .factor_missing = true), TO(ROLE_HEAD), .self = true), false},
        {FACTS(CHILD, BY(ROLE_TEACHER, .factor_missing = true), TO(ROLE_PUPIL), OFFICE(.guardian = true)), false},
        {FACTS(END_GUARDIAN, BY(ROLE_TEACHER, .factor_missing = true), TO(ROLE_PUPIL), OFFICE(.guardian = true)),
         false},
        {FACTS(POLICY, OFFICE(.operator_ = true), .actor = {.factor_missing = true}), false},
        {FACTS(APPROVE, BY(ROLE_ADMINISTRATOR, .factor_missing = true), TO(0), OFFICE(.override_ = true)), true},
        {FACTS(SEND, ROOM(CLASS), BY(ROLE_HEAD, .factor_missing = true), MESSAGE, .urgent = {true, true, 0}), true},
        {FACTS(SEND, ROOM(CLASS), BY(ROLE_HEAD), MESSAGE, .urgent = {true, true, 0}), false},
    };
    for (size_t i = 0; i < sizeof WHOSE / sizeof *WHOSE; ++i) {
        struct verdict verdict = rules_decide(&WHOSE[i].facts);
        if (verdict.allowed == WHOSE[i].waits || (WHOSE[i].waits && strcmp(verdict.rule, "H1") != 0))
            fail_msg("case %zu: %s", i, verdict.code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_h1_what_waits_for_a_second_factor),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_room_of_no_school),
        cmocka_unit_test(test_open_mode),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_every_row_is_tested),
        cmocka_unit_test(test_row_words),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_f1_every_relation),
        cmocka_unit_test(test_f1_elsewhere),
        cmocka_unit_test(test_e5_third_person),
        cmocka_unit_test(test_d7_abilities),
        cmocka_unit_test(test_a3_nothing_else),
        cmocka_unit_test(test_j2_override),
        cmocka_unit_test(test_invariants),
        cmocka_unit_test(test_stricter_allows_less),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_act_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
