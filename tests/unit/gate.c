/* The gate: what it remembers is what it would read; what strangers learn from its refusals; profiles, search; quiet
 * hours; the office. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/days.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/gate_cache.h"
#include "homeserver/rooms/events/delayed_messages.h"
#include "homeserver/store/matrix/delayed_messages.h"
#include "homeserver/store/matrix/second_factors.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/roster_members.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/second_factor_duty.h"
#include "policy/gate/school_gate.h"
#include "tests/unit/gate_world.h"

#define ROOMS 3
#define ROUNDS 100

static room_no rooms[ROOMS];
static char difference[200]; /* the first that was seen; asserted on the test's own thread, not the writer's */

/* --- Memory --- */

static unsigned drawn(unsigned n)
{
    static uint32_t state = 12345; /* the same run every time */
    state = state * 1664525 + 1013904223;
    return (state >> 8) % n;
}

static user_no anybody(void)
{
    unsigned who = drawn(PEOPLE + 1);
    return who == PEOPLE ? s.service : s.them[who];
}

#define SAME(field)                                                                                                    \
    if (x->field != y->field)                                                                                          \
    snprintf(difference, sizeof difference, "%s: %s is %lld in memory, %lld in the store", act_name(q->act), #field,   \
             (long long)x->field, (long long)y->field)
#define SAME_PERSON(who)                                                                                               \
    SAME(who.service);                                                                                                 \
    SAME(who.account);                                                                                                 \
    SAME(who.roles);                                                                                                   \
    SAME(who.any_roles);                                                                                               \
    SAME(who.member);                                                                                                  \
    SAME(who.joined);                                                                                                  \
    SAME(who.there);                                                                                                   \
    SAME(who.stranger);                                                                                                \
    SAME(who.held);                                                                                                    \
    SAME(who.post);                                                                                                    \
    SAME(who.named);                                                                                                   \
    SAME(who.owner);                                                                                                   \
    SAME(who.direct_pair);                                                                                             \
    SAME(who.shares_room);                                                                                             \
    SAME(who.factor_missing)

static void compare(const struct gate_question *q, const struct rule_facts *x, const struct rule_facts *y)
{
    SAME(room.kind);
    SAME(room.has_school);
    SAME(room.encrypted);
    SAME(room.has_pupil);
    SAME(room.staff_present);
    SAME(room.has_staff);
    SAME(room.has_family);
    SAME(room.n_people);
    SAME(room.direct_pair_full);
    SAME_PERSON(actor);
    SAME_PERSON(target);
    SAME(pair.two);
    SAME(pair.relations);
    SAME(pair.allowed);
    SAME(pair.class_teacher);
    SAME(pair.guardian);
    SAME(pair.staff_to_family);
    SAME(self);
    SAME(quiet);
    json_auto_t *mine = school_policy_document(x->policy), *theirs = school_policy_document(y->policy);
    if (!json_equal(mine, theirs))
        snprintf(difference, sizeof difference, "%s: another policy in memory than in the store", act_name(q->act));
}

static void ask_both(struct tx *tx, const struct gate_question *q)
{
    struct school_policy one, other;
    struct rule_facts kept, read;
    gate_facts(s.f.rooms, tx->db, q, &one, &kept);
    gate_facts(NULL, tx->db, q, &other, &read);
    if (*difference == '\0')
        compare(q, &kept, &read);
}

/* Always the same few questions, so that each was asked before what has changed since. */
static void ask_all(struct tx *tx)
{
    static const enum who ACTORS[] = {P1, T1, G1, XP, EXT};
    for (int r = 0; r < ROOMS; ++r)
        for (size_t i = 0; rooms[r] != 0 && i < sizeof ACTORS / sizeof *ACTORS; ++i) {
            user_no actor = s.them[ACTORS[i]];
            ask_both(tx, &(struct gate_question){.act = ACT_SEND, .room = rooms[r], .actor = actor});
            ask_both(tx, &(struct gate_question){.act = ACT_JOIN, .room = rooms[r], .actor = actor, .target = actor});
            ask_both(
                tx, &(struct gate_question){.act = ACT_INVITE, .room = rooms[r], .actor = s.them[P1], .target = actor});
        }
    for (size_t i = 0; i < sizeof ACTORS / sizeof *ACTORS; ++i)
        for (int b = 0; b < PEOPLE; b += 2) {
            ask_both(tx, &(struct gate_question){.act = ACT_FIND, .actor = s.them[ACTORS[i]], .target = s.them[b]});
            ask_both(tx, &(struct gate_question){.act = ACT_PROFILE, .actor = s.them[ACTORS[i]], .target = s.them[b]});
        }
}

static school_day some_end(void)
{
    return drawn(2) != 0 ? DAY_NEVER : 20200101;
}

static void change_records(struct tx *tx)
{
    static const enum school_role ROLES[] = {ROLE_PUPIL, ROLE_GUARDIAN, ROLE_TEACHER, ROLE_HEAD, ROLE_EXTERNAL};
    static const enum school_role TAUGHT[] = {ROLE_PUPIL, ROLE_TEACHER, ROLE_CLASS_TEACHER};
    static const enum account_state STATES[] = {ACCOUNT_ACTIVE, ACCOUNT_RESTRICTED, ACCOUNT_SUSPENDED, ACCOUNT_ACTIVE,
                                                ACCOUNT_PENDING};
    user_no user = s.them[drawn(PEOPLE)], other = s.them[drawn(PEOPLE)];
    struct guardianship_row kin = {.child = user, .guardian = other, .source = "test"};
    fixture_acts(tx);
    switch (drawn(8)) {
    case 0:
        roles_put(tx->db,
                  &(struct role_row){user, s.schools[drawn(SCHOOLS)], ROLES[drawn(5)], DAY_EVER, some_end(), "t"});
        break;
    case 1:
        enrollments_put(tx->db, &(struct enrollment_row){s.classes[drawn(CLASSES)], user, TAUGHT[drawn(3)], DAY_EVER,
                                                         some_end(), "t"});
        break;
    case 2:
        if (user != other)
            guardianships_put(tx->db, &kin);
        break;
    case 3: guardianships_delete(tx->db, kin.child, kin.guardian); break;
    case 4: users_set_state(tx, user, STATES[drawn(5)]); break;
    case 5:
        if (rooms[0] != 0)
            named_members_put(tx->db, rooms[0], user);
        break;
    case 6:
        if (rooms[drawn(ROOMS)] != 0)
            school_room_set(tx->db, rooms[drawn(ROOMS)], drawn(2) != 0 ? ROOM_CLUB : ROOM_LIBRARY, user);
        break;
    default: classes_end(tx->db, s.classes[drawn(8) == 0 ? G : X]); break;
    }
}

static void change_policy(struct tx *tx)
{
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    policy.direct = drawn(1u << 17);
    policy.second_factor.roles = drawn(2) != 0 ? ROLES_STAFF : 0;
    policy.second_factor.from = 20200101;
    policy.polls = drawn(2) != 0 ? ROLE_HEAD : ROLES_STAFF;
    put_policy(tx, &(struct policy_change){drawn(2) != 0 ? s.schools[drawn(SCHOOLS)] : 0, &policy}, NULL);
}

static void change_room(struct tx *tx)
{
    static const enum act ACTS[] = {ACT_INVITE, ACT_JOIN, ACT_JOIN, ACT_LEAVE, ACT_KICK, ACT_KNOCK};
    struct error ignored;
    struct appended out;
    struct membership_act act = {.act = ACTS[drawn(6)], .actor = anybody(), .target = s.them[drawn(PEOPLE)]};
    struct room *room = room_open(s.f.rooms, tx, rooms[drawn(ROOMS)]);
    if (room == NULL)
        return;
    if (act.act != ACT_INVITE && act.act != ACT_KICK && act.actor != s.service)
        act.actor = act.target;
    membership_act(room, tx, &act, &out, &ignored);
}

static void make_room(struct tx *tx)
{
    struct error ignored;
    struct room_plan plan = {.creator = s.them[drawn(PEOPLE)],
                             .version = room_version_get("12"),
                             .preset = drawn(2) != 0 ? PRESET_PUBLIC_CHAT : PRESET_TRUSTED_PRIVATE_CHAT,
                             .is_direct = drawn(2) != 0};
    struct room *room = room_create(s.f.rooms, tx, &plan, &ignored);
    if (room != NULL)
        rooms[drawn(ROOMS)] = room->no;
}

static void encrypt(struct tx *tx)
{
    struct error ignored;
    struct appended out;
    struct room *room = room_open(s.f.rooms, tx, rooms[drawn(ROOMS)]);
    json_auto_t *content = json_pack("{s:s}", "algorithm", "m.megolm.v1.aes-sha2");
    if (room != NULL)
        append_event(
            room, tx,
            &(struct draft){.sender = room->creator, .type = "m.room.encryption", .state_key = "", .content = content},
            &out, &ignored);
}

/* Some jobs change their mind, after the gate has remembered what then never was. */
static bool round_job(struct tx *tx, void *arg, struct error *e)
{
    static void (*const CHANGES[])(struct tx * tx) = {change_records, change_records, change_records, change_policy,
                                                      change_room,    change_room,    make_room,      encrypt};
    room_no before[ROOMS];
    memcpy(before, rooms, sizeof rooms);
    ask_all(tx);
    for (unsigned n = 1 + drawn(3); n > 0; --n)
        CHANGES[drawn(8)](tx);
    ask_all(tx);
    bool good = drawn(2) != 0;
    if (!good)
        memcpy(rooms, before, sizeof rooms);
    return good || error_set(e, ERROR_UNKNOWN, NULL);
}

static void what_is_remembered_is_what_would_be_read(void **state)
{
    struct error e;
    memset(rooms, 0, sizeof rooms);
    for (int i = 0; i < ROUNDS; ++i)
        writer_run(s.f.writer, round_job, NULL, &e);
    assert_string_equal(difference, "");
}

static bool move_job(struct tx *tx, void *arg, struct error *e)
{
    const struct gate_question q = {.act = ACT_PROFILE, .actor = s.them[T3], .target = s.them[P1]};
    fixture_acts(tx);
    ask_both(tx, &q);
    bool moved =
        roles_put(tx->db, &(struct role_row){s.them[T3], s.schools[TWO], ROLE_TEACHER, DAY_EVER, DAY_NEVER, "test"});
    ask_both(tx, &q);
    return moved;
}

/* Which the random changes hardly ever meet. */
static void who_comes_to_a_second_school_has_its_policy_too(void **state)
{
    struct error e;
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    policy.direct = 0;
    set_policy(&s, s.schools[TWO], &policy);
    *difference = '\0';
    assert_true(writer_run(s.f.writer, move_job, NULL, &e));
    assert_string_equal(difference, "");
}

/* Numbers that nobody has, so many of them that each slot was some other's. */
static bool crowd_job(struct tx *tx, void *arg, struct error *e)
{
    enum { MANY = 40000, PERSONS = 4 };
    struct gate_cache *cache = gate_cache_create();
    const struct room_school nowhere = {0};
    struct person_facts kept, read;
    int *wrong = arg;
    for (user_no user = 1000; user <= MANY; ++user)
        gate_cache_anywhere(cache, tx->db, user, &kept);
    for (int who = 0; who < PEOPLE; ++who) {
        gate_cache_anywhere(cache, tx->db, s.them[who], &kept);
        *wrong += kept.any_roles != THEM[who].role;
    }
    for (room_no room = 1; room <= MANY / PERSONS; ++room)
        for (int who = 0; who < PERSONS; ++who)
            gate_cache_person(cache, tx->db, 1000 + room, &nowhere, s.them[who], &kept);
    for (int who = 0; who < PERSONS; ++who) {
        gate_cache_anywhere(cache, tx->db, s.them[who], &kept);
        school_person_anywhere(tx->db, s.them[who], &read);
        *wrong += kept.roles != read.roles;
    }
    gate_cache_destroy(cache);
    return true;
}

static void who_comes_to_anothers_slot_is_read_anew(void **state)
{
    struct error e;
    int wrong = 0;
    assert_true(writer_run(s.f.writer, crowd_job, &wrong, &e));
    assert_int_equal(wrong, 0);
}

struct counting {
    int64_t before, after, epochs;
    room_no room;
};

static bool count_job(struct tx *tx, void *arg, struct error *e)
{
    struct counting *c = arg;
    struct school_policy policy;
    struct rule_facts facts;
    struct gate_question q = {.act = ACT_SEND, .room = c->room, .actor = s.them[P1], .type = "m.room.message"};
    gate_facts(s.f.rooms, tx->db, &q, &policy, &facts);
    c->epochs = db_epoch(tx->db, EPOCH_ALL);
    db_fail_after(tx->db, 1); /* the next statement fails: there must be none */
    gate_facts(s.f.rooms, tx->db, &q, &policy, &facts);
    bool none = !db_failed(tx->db);
    db_fail_after(tx->db, 0);
    return none;
}

static bool make_job(struct tx *tx, void *arg, struct error *e)
{
    struct room_plan plan = {.creator = s.them[P1], .version = room_version_get("12"), .preset = PRESET_PRIVATE_CHAT};
    struct room *room = room_create(s.f.rooms, tx, &plan, e);
    *(room_no *)arg = room != NULL ? room->no : 0;
    return room != NULL;
}

static void a_second_message_asks_the_store_nothing(void **state)
{
    struct error e;
    struct counting c = {0};
    assert_true(writer_run(s.f.writer, make_job, &c.room, &e));
    assert_true(writer_run(s.f.writer, count_job, &c, &e));
    int64_t before = c.epochs;
    assert_true(fixture_send(&s.f, c.room, s.them[P1], "m.room.message", NULL, "{}", NULL, NULL, &e));
    assert_true(writer_run(s.f.writer, count_job, &c, &e));
    assert_int_equal(c.epochs, before); /* and a message makes nothing untrue */
}

/* --- A1: who does not exist, and who exists elsewhere --- */

static void strangers_and_nobody_are_answered_alike(void **state)
{
    static const enum act ACTS[] = {ACT_INVITE, ACT_BAN, ACT_KICK, ACT_UNBAN};
    static const char *const STATES[] = {"invite", "ban", "leave", "join", "knock"};
    struct error e, nobody;
    user_no roomless = fixture_user(&s.f, "of_no_school");
    room_no room = fixture_create(
        &s.f,
        &(struct room_plan){
            .creator = s.them[T1], .version = room_version_get("12"), .preset = PRESET_PUBLIC_CHAT, .name = "club"},
        &e);
    assert_int_not_equal(room, 0);
    const user_no strangers[] = {s.them[XP], s.them[XT], roomless};
    for (size_t a = 0; a < 5; ++a) {
        char content[64];
        snprintf(content, sizeof content, "{\"membership\":\"%s\"}", STATES[a]);
        assert_false(fixture_write_member(&s.f, room, s.them[T1], "@nobody:school.example", content, &nobody));
        assert_false(fixture_write_member(&s.f, room, s.them[T1], id_of(XP), content, &e));
        assert_int_equal(e.code, nobody.code);
        assert_string_equal(error_sentence(&e), error_sentence(&nobody));
        assert_true(e.rule == nobody.rule);
    }
    for (size_t a = 0; a < 4; ++a)
        for (size_t i = 0; i < 3; ++i) {
            memset(&e, 0, sizeof e);
            memset(&nobody, 0, sizeof nobody);
            assert_false(fixture_member(&s.f, room, ACTS[a], s.them[T1], strangers[i], &e));
            struct verdict verdict[8];
            int n;
            gate_explain(s.f.db, true,
                         &(struct gate_question){.act = ACTS[a], .room = room, .actor = s.them[T1], .target = -1},
                         verdict, 8, &n);
            if (n != 0)
                assert_string_equal(e.rule, verdict[0].rule);
            assert_int_equal(memberships_of(s.f.db, room, strangers[i]), MEMBERSHIP_NONE);
        }
}

/* --- A6 --- */

static void profiles_and_search_follow_the_school(void **state)
{
    static const struct {
        enum who asker, other;
        bool profile, found;
    } CASES[] = {
        {P1, P2, true, true},   {P1, P3, true, false},  {P1, T3, true, false},  {P1, XP, false, false},
        {T1, G1, true, true},   {T1, G3, true, false},  {T1, XT, false, false}, {EXT, P1, true, false},
        {P1, EXT, true, false}, {HEAD, T1, true, true}, {G1, P1, true, true},   {XT, XP, true, true},
    };
    struct error e;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        user_no asker = s.them[CASES[i].asker], other = s.them[CASES[i].other];
        if (gate_profile(true, s.f.db, asker, other, &e) != CASES[i].profile)
            fail_msg("%s reads the profile of %s", THEM[CASES[i].asker].name, THEM[CASES[i].other].name);
        if (gate_may_find(true, s.f.db, asker, other) != CASES[i].found)
            fail_msg("%s finds %s", THEM[CASES[i].asker].name, THEM[CASES[i].other].name);
    }
    struct error nobody;
    assert_false(gate_profile(true, s.f.db, s.them[P1], s.them[XP], &e));
    assert_false(gate_profile(true, s.f.db, s.them[P1], 0, &nobody));
    assert_string_equal(error_sentence(&e), error_sentence(&nobody));
    assert_true(gate_profile(true, s.f.db, s.them[P1], s.them[P1], &e));
    assert_true(gate_profile(false, s.f.db, s.them[P1], s.them[XP], &e));
}

/* --- E5: who is in a room, not who made it --- */

static bool leaves(struct tx *tx, room_no room, struct error *e)
{
    struct appended out;
    return membership_act(room_open(s.f.rooms, tx, room), tx,
                          &(struct membership_act){.act = ACT_LEAVE, .actor = s.them[T1], .target = s.them[T1]}, &out,
                          e);
}

static bool is_suspended(struct tx *tx, room_no room, struct error *e)
{
    return users_set_state(tx, s.them[T1], ACCOUNT_SUSPENDED);
}

static bool is_locked(struct tx *tx, room_no room, struct error *e)
{
    return users_set_state(tx, s.them[T1], ACCOUNT_LOCKED);
}

static bool is_pending(struct tx *tx, room_no room, struct error *e)
{
    return users_set_state(tx, s.them[T1], ACCOUNT_PENDING);
}

static bool has_left(struct tx *tx, room_no room, struct error *e)
{
    return users_set_state(tx, s.them[T1], ACCOUNT_LEFT);
}

static bool is_staff_no_more(struct tx *tx, room_no room, struct error *e)
{
    return roles_delete(
        tx->db,
        &(struct role_row){.user = s.them[T1], .school = s.schools[ONE], .role = ROLE_CLASS_TEACHER, .source = "test"});
}

static bool (*const GONE[])(struct tx *tx, room_no room, struct error *e) = {
    leaves, is_suspended, is_locked, is_pending, has_left, is_staff_no_more,
};

struct going {
    size_t how;
    room_no room;
};

static bool go_job(struct tx *tx, void *arg, struct error *e)
{
    const struct going *going = arg;
    fixture_acts(tx);
    return GONE[going->how](tx, going->room, e);
}

/* A teacher's club with two pupils, one of whom has all power, and a guardian who is nothing to either. */
static room_no teachers_club(void)
{
    static const enum who THEY[] = {P1, P2, G3};
    struct error e;
    char power[300];
    room_no room = fixture_create(
        &s.f,
        &(struct room_plan){
            .creator = s.them[T1], .version = room_version_get("11"), .preset = PRESET_PRIVATE_CHAT, .name = "club"},
        &e);
    for (size_t i = 0; i < 3; ++i) {
        assert_true(fixture_member(&s.f, room, ACT_INVITE, s.them[T1], s.them[THEY[i]], &e));
        assert_true(fixture_member(&s.f, room, ACT_JOIN, s.them[THEY[i]], s.them[THEY[i]], &e));
    }
    snprintf(power, sizeof power, "{\"users\":{\"%s\":100,\"%s\":100}}", id_of(T1), id_of(P1));
    assert_true(fixture_send(&s.f, room, s.them[T1], "m.room.power_levels", "", power, NULL, NULL, &e));
    return room;
}

/* Whatever changes the room, lets somebody in or shows it. */
static const struct {
    enum act act;
    enum who actor;
    int target; /* −1: nobody */
    const char *type;
} CLUB_ACTS[] = {
    {ACT_INVITE, P1, G2},
    {ACT_JOIN, P4, P4},
    {ACT_JOIN, G2, G2},
    {ACT_KNOCK, G2, G2},
    {ACT_SEND, P1, -1, "m.room.message"},
    {ACT_SEND, G3, -1, "m.reaction"},
    {ACT_STATE, P1, -1, "m.room.join_rules"},
    {ACT_STATE, P1, -1, "m.room.history_visibility"},
    {ACT_STATE, P1, -1, "m.room.guest_access"},
    {ACT_STATE, P1, -1, "m.room.power_levels"},
    {ACT_STATE, P1, -1, "m.room.topic"},
    {ACT_UPGRADE_ROOM, P1, -1},
    {ACT_PUBLISH, P1, -1},
    {ACT_SEE, P4, -1},
    {ACT_SEE, G2, -1},
};

static bool club_act(room_no room, size_t i, struct error *e)
{
    bool typed = CLUB_ACTS[i].type != NULL;
    struct gate_question q = {.act = CLUB_ACTS[i].act,
                              .room = room,
                              .actor = s.them[CLUB_ACTS[i].actor],
                              .target = CLUB_ACTS[i].target >= 0 ? s.them[CLUB_ACTS[i].target] : 0,
                              .type = CLUB_ACTS[i].type,
                              .state_key = typed && CLUB_ACTS[i].act == ACT_STATE ? "" : NULL};
    return gate_event(s.f.rooms, s.f.db, &q, NULL, e);
}

static void a_club_whose_staff_is_gone_is_a_pupils_room(void **state)
{
    struct error e;
    for (size_t how = 0; how < sizeof GONE / sizeof *GONE; ++how) {
        struct going going = {how, teachers_club()};
        for (size_t i = 0; i < sizeof CLUB_ACTS / sizeof *CLUB_ACTS; ++i)
            if (!club_act(going.room, i, &e))
                fail_msg("%s %s while the teacher is there: %s", act_name(CLUB_ACTS[i].act), CLUB_ACTS[i].type,
                         error_sentence(&e));
        assert_true(writer_run(s.f.writer, go_job, &going, &e));
        for (size_t i = 0; i < sizeof CLUB_ACTS / sizeof *CLUB_ACTS; ++i)
            if (club_act(going.room, i, &e) || strcmp(e.rule, "E5") != 0)
                fail_msg("%zu: %s %s goes on without staff", how, act_name(CLUB_ACTS[i].act), CLUB_ACTS[i].type);
        assert_true(gate_may_see(true, s.f.db, going.room, s.them[P2])); /* who is in it, and who could help */
        assert_true(gate_may_see(true, s.f.db, going.room, s.them[T3]));
        assert_false(fixture_send(&s.f, going.room, s.them[P1], "m.room.join_rules", "", "{\"join_rule\":\"public\"}",
                                  NULL, NULL, &e));
        assert_true(fixture_member(&s.f, going.room, ACT_INVITE, s.them[P1], s.them[T3], &e));
        assert_true(fixture_member(&s.f, going.room, ACT_JOIN, s.them[T3], s.them[T3], &e));
        for (size_t i = 0; i < sizeof CLUB_ACTS / sizeof *CLUB_ACTS; ++i)
            assert_true(club_act(going.room, i, &e));
        school_people_stop(&s);
        school_people_start(&s);
    }
}

/* --- F3 --- */

static void make_it_quiet(enum quiet_mode mode)
{
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    int minute = (int)(clock_wall_ms() / 60000 % 1440);
    policy.quiet.mode = mode;
    policy.quiet.utc_offset_minutes = 0;
    policy.quiet.from_minute = (minute + 1440 - 120) % 1440;
    policy.quiet.to_minute = (minute + 120) % 1440;
    set_policy(&s, s.schools[ONE], &policy);
}

static room_no chat(enum who a, enum who b)
{
    struct error e;
    room_no room = fixture_create(&s.f,
                                  &(struct room_plan){.creator = s.them[a],
                                                      .version = room_version_get("12"),
                                                      .preset = PRESET_TRUSTED_PRIVATE_CHAT},
                                  &e);
    assert_true(fixture_member(&s.f, room, ACT_INVITE, s.them[a], s.them[b], &e));
    assert_true(fixture_member(&s.f, room, ACT_JOIN, s.them[b], s.them[b], &e));
    return room;
}

static bool says(room_no room, enum who who, struct appended *out, struct error *e)
{
    return fixture_send(&s.f, room, s.them[who], "m.room.message", NULL, "{\"body\":\"x\",\"msgtype\":\"m.text\"}",
                        NULL, out, e);
}

static int64_t messages(room_no room)
{
    static const struct statement TEXTS[] = {
        "SELECT COUNT(*) FROM events WHERE room_no = $1 AND type = 'm.room.message'"};
    static const struct statements ASK = {"test_gate", TEXTS, 1};
    return db_int(s.f.db, &ASK, 0, -1, "i", room);
}

static void quiet_hours_refuse_hold_or_warn(void **state)
{
    struct error e;
    struct appended out;
    room_no room = chat(T1, G1), among_staff = chat(T1, T2);
    make_it_quiet(QUIET_WARN);
    assert_true(says(room, T1, &out, &e));
    assert_string_equal(out.notice.rule, "F3");
    assert_int_equal(out.notice.kind, VERDICT_WARN);
    assert_true(out.pos != 0);
    assert_true(says(among_staff, T1, &out, &e));
    assert_string_equal(out.notice.rule, "");
    make_it_quiet(QUIET_REFUSE);
    assert_false(says(room, T1, &out, &e));
    assert_string_equal(e.rule, "F3");
    make_it_quiet(QUIET_DELAY);
    assert_true(says(room, G1, &out, &e));
    assert_int_equal(out.notice.kind, VERDICT_HOLD);
    assert_int_equal(out.pos, 0);
    assert_memory_equal(out.event_id, "$held", 5);
    assert_int_equal(messages(room), 1);
}

static void what_is_held_is_delivered_once_when_it_is_due(void **state)
{
    struct error e;
    struct appended out;
    room_no room = chat(T1, G1);
    int64_t later = clock_wall_ms() + INT64_C(3) * 3600 * 1000;
    make_it_quiet(QUIET_DELAY);
    assert_true(says(room, T1, &out, &e));
    assert_int_equal(delayed_messages_deliver(s.f.writer, s.f.rooms, NULL, clock_wall_ms(), NULL), 0); /* not yet */
    assert_int_equal(delayed_messages_deliver(s.f.writer, s.f.rooms, NULL, later, NULL),
                     0); /* still quiet by the clock: held anew */
    assert_int_not_equal(delayed_messages_last(s.f.db), 0);
    make_it_quiet(QUIET_OFF);
    assert_int_equal(delayed_messages_deliver(s.f.writer, s.f.rooms, NULL, later, NULL), 1);
    assert_int_equal(delayed_messages_deliver(s.f.writer, s.f.rooms, NULL, later, NULL), 0);
    assert_int_equal(messages(room), 1);
}

/* Who may no longer write when it is due, has written nothing. */
static void what_is_held_passes_the_gate_again(void **state)
{
    struct error e;
    struct appended out;
    room_no room = chat(T1, G1);
    make_it_quiet(QUIET_DELAY);
    assert_true(says(room, T1, &out, &e));
    assert_true(fixture_member(&s.f, room, ACT_LEAVE, s.them[T1], s.them[T1], &e));
    make_it_quiet(QUIET_OFF);
    assert_int_equal(
        delayed_messages_deliver(s.f.writer, s.f.rooms, NULL, clock_wall_ms() + INT64_C(3) * 3600 * 1000, NULL), 0);
    assert_int_equal(delayed_messages_last(s.f.db), 0);
    assert_int_equal(messages(room), 0);
}

/* --- A placeholder is as good as an id: every operation, on every fate of what it names --- */

enum fate {
    WAITS,
    DELIVERED,
    TAKEN_BACK,
    DROPPED,
    NEVER_WAS,
    ANOTHERS,
    FATES
}; /* the last two wait as something else */

static const struct {
    const char *type, *state_key, *content; /* %s: the placeholder */
    bool redacts;
} OPERATIONS[] = {
    {"m.room.redaction", NULL, "{}", .redacts = true},
    {"m.room.redaction", NULL, "{\"redacts\":\"%s\",\"reason\":\"r\"}", .redacts = true},
    {"m.room.message", NULL,
     "{\"body\":\"* y\",\"msgtype\":\"m.text\",\"m.new_content\":{\"body\":\"y\",\"msgtype\":\"m.text\"},"
     "\"m.relates_to\":{\"rel_type\":\"m.replace\",\"event_id\":\"%s\"}}"},
    {"m.reaction", NULL,
     "{\"m.relates_to\":{\"rel_type\":\"m.annotation\",\"event_id\":\"%s\",\"key\":\"\xf0\x9f\x91\x8d\"}}"},
    {"m.room.message", NULL,
     "{\"body\":\"z\",\"msgtype\":\"m.text\",\"m.relates_to\":{\"m.in_reply_to\":{\"event_id\":\"%s\"}}}"},
    {"m.room.message", NULL,
     "{\"body\":\"t\",\"msgtype\":\"m.text\",\"m.relates_to\":{\"rel_type\":\"m.thread\",\"event_id\":\"%s\"}}"},
    {"m.room.pinned_events", "", "{\"pinned\":[\"%s\"]}"},
};

static bool operate(room_no room, size_t i, const char *id, struct appended *out, struct error *e)
{
    char content[512];
    snprintf(content, sizeof content, OPERATIONS[i].content, id);
    return fixture_send(&s.f, room, s.them[T1], OPERATIONS[i].type, OPERATIONS[i].state_key, content,
                        OPERATIONS[i].redacts ? id : NULL, out, e);
}

enum { POINTING, RELATED };

static int64_t count_of(int what, room_no room)
{
    static const struct statement TEXTS[] = {
        [POINTING] =
            "SELECT COUNT(*) FROM events WHERE room_no = $1 AND (content LIKE '%\"$held%' OR redacts LIKE '$held%')",
        [RELATED] = "SELECT COUNT(*) FROM relations r JOIN events e ON e.event_id = r.target_id WHERE e.room_no = $1",
    };
    static const struct statements ASK = {"test_gate", TEXTS, 2};
    return db_int(s.f.db, &ASK, what, -1, "i", room);
}

static int deliver_all(void)
{
    return delayed_messages_deliver(s.f.writer, s.f.rooms, NULL, clock_wall_ms() + INT64_C(9) * 3600 * 1000, NULL);
}

/* Holds a message of that fate, and answers its placeholder. */
static void hold_one(room_no room, enum fate fate, char placeholder[ID_BYTES_MAX + 1])
{
    struct error e;
    struct appended out;
    make_it_quiet(QUIET_DELAY);
    assert_true(says(room, fate == ANOTHERS ? G1 : T1, &out, &e));
    assert_int_equal(out.pos, 0);
    strcpy(placeholder, out.event_id);
    if (fate == TAKEN_BACK)
        assert_true(operate(room, 0, placeholder, &out, &e));
    if (fate == DROPPED)
        assert_true(fixture_member(&s.f, room, ACT_LEAVE, s.them[T1], s.them[T1], &e));
    make_it_quiet(QUIET_OFF);
    if (fate == DELIVERED || fate == DROPPED || fate == TAKEN_BACK)
        assert_int_equal(deliver_all(), fate == DELIVERED);
    if (fate == DROPPED) {
        assert_true(fixture_member(&s.f, room, ACT_INVITE, s.them[G1], s.them[T1], &e));
        assert_true(fixture_member(&s.f, room, ACT_JOIN, s.them[T1], s.them[T1], &e));
    }
    if (fate == NEVER_WAS)
        strcpy(placeholder, "$heldAAAAAAAAAAAAAAAAAAAAAAAA");
}

static void a_placeholder_is_as_good_as_an_id(void **state)
{
    for (int fate = WAITS; fate < FATES; ++fate)
        for (size_t i = 0; i < sizeof OPERATIONS / sizeof *OPERATIONS; ++i) {
            struct error e = {0};
            struct appended out = {0};
            char placeholder[ID_BYTES_MAX + 1];
            room_no room = chat(T1, G1);
            hold_one(room, (enum fate)fate, placeholder);
            int64_t before = messages(room), related = count_of(RELATED, room);
            bool done = operate(room, i, placeholder, &out, &e), redacts = OPERATIONS[i].redacts;
            bool good = fate == DELIVERED || (fate == WAITS && OPERATIONS[i].state_key == NULL) ||
                        ((fate == TAKEN_BACK || fate == DROPPED) && redacts);
            if (done != good)
                fail_msg("fate %d, operation %zu: %s", fate, i, done ? "taken" : error_sentence(&e));
            assert_true(done || e.code == ERROR_NOT_FOUND);
            assert_int_equal(done && out.pos != 0, fate == DELIVERED);
            if (fate == DELIVERED && !redacts && OPERATIONS[i].state_key == NULL)
                assert_true(count_of(RELATED, room) > related || strstr(OPERATIONS[i].content, "in_reply") != NULL);
            deliver_all();
            assert_int_equal(messages(room) > before, (good && strcmp(OPERATIONS[i].type, "m.room.message") == 0) ||
                                                          (fate == WAITS && !redacts) || fate >= NEVER_WAS);
            if (count_of(POINTING, room) != 0)
                fail_msg("fate %d, operation %zu: an event points to a placeholder", fate, i);
            assert_int_equal(delayed_messages_last(s.f.db), 0);
        }
}

/* What points to a message that is taken back later goes with it; an answer to it comes, and points nowhere. */
static void what_points_to_a_message_taken_back(void **state)
{
    for (size_t i = 2; i < 6; ++i) {
        struct error e;
        struct appended out, dependent;
        room_no room = chat(T1, G1);
        make_it_quiet(QUIET_DELAY);
        assert_true(says(room, T1, &out, &e));
        assert_true(operate(room, i, out.event_id, &dependent, &e));
        assert_string_not_equal(dependent.event_id, out.event_id);
        assert_true(operate(room, 0, out.event_id, &dependent, &e));
        assert_string_equal(dependent.event_id, out.event_id);
        make_it_quiet(QUIET_OFF);
        assert_int_equal(deliver_all(), i >= 4);
        assert_int_equal(count_of(POINTING, room), 0);
        assert_int_equal(delayed_messages_last(s.f.db), 0);
    }
}

static void nobody_holds_more_than_so_many(void **state)
{
    struct error e;
    struct appended out;
    room_no room = chat(T1, G1);
    make_it_quiet(QUIET_DELAY);
    for (int i = 0; i < 500; ++i)
        assert_true(says(room, T1, &out, &e));
    assert_false(says(room, T1, &out, &e));
    assert_int_equal(e.code, ERROR_BOUND);
    assert_true(says(room, G1, &out, &e));
}

struct told {
    int n;
    char rule[8], placeholder[ID_BYTES_MAX + 1];
};

static void note_told(void *self, struct tx *tx, const struct delayed_message *row, const struct error *why)
{
    struct told *told = self;
    ++told->n;
    snprintf(told->rule, sizeof told->rule, "%s", why->rule != NULL ? why->rule : "");
    strcpy(told->placeholder, row->placeholder);
}

static void a_drop_is_told(void **state)
{
    struct error e;
    struct appended out, reaction;
    struct told told = {0};
    struct held_dropped dropped = {&told, note_told};
    room_no room = chat(T1, G1);
    make_it_quiet(QUIET_DELAY);
    assert_true(says(room, T1, &out, &e));
    assert_true(operate(room, 3, out.event_id, &reaction, &e));
    make_it_quiet(QUIET_REFUSE); /* since then the school has decided otherwise */
    assert_int_equal(
        delayed_messages_deliver(s.f.writer, s.f.rooms, &dropped, clock_wall_ms() + INT64_C(9) * 3600 * 1000, NULL), 0);
    assert_int_equal(told.n, 1); /* the reaction goes with it */
    assert_string_equal(told.rule, "F3");
    assert_string_equal(told.placeholder, out.event_id);
    assert_int_equal(delayed_messages_last(s.f.db), 0);
}

/* Nobody finds out by a held message what they may not send. */
static void who_may_not_send_is_refused_at_once(void **state)
{
    struct error e;
    struct appended out;
    room_no room = chat(T1, G1);
    make_it_quiet(QUIET_DELAY);
    assert_false(says(room, T2, &out, &e));
    assert_int_equal(delayed_messages_last(s.f.db), 0);
}

/* --- J1 --- */

static void an_explanation_is_what_happens(void **state)
{
    struct verdict said[16];
    struct error e;
    int n;
    room_no room = chat(P1, T1);
    struct gate_question third = {.act = ACT_INVITE, .room = room, .actor = s.them[P1], .target = s.them[P2]};
    gate_explain(s.f.db, true, &third, said, 16, &n);
    assert_int_not_equal(n, 0);
    assert_false(fixture_member(&s.f, room, ACT_INVITE, s.them[P1], s.them[P2], &e));
    assert_string_equal(e.rule, said[0].rule);
    struct gate_question own = {.act = ACT_SEND, .room = room, .actor = s.them[P1], .type = "m.room.message"};
    gate_explain(s.f.db, true, &own, said, 16, &n);
    assert_int_equal(n, 0);
}

/* --- The office (policy/gate/school_gate.h) --- */

static bool give_role(struct tx *tx, void *arg, struct error *e)
{
    fixture_acts(tx);
    return roles_put(tx->db,
                     &(struct role_row){s.them[T3], s.schools[ONE], ROLE_ADMINISTRATOR, DAY_EVER, DAY_NEVER, "t"});
}

static void the_office_acts_in_its_own_school(void **state)
{
    struct error e;
    const struct actor reader = {.name = "operator:region", .scopes = SCOPE_READ};
    struct actor actors[PEOPLE];
    assert_true(writer_run(s.f.writer, give_role, NULL, &e));
    for (int i = 0; i < PEOPLE; ++i)
        actors[i] = (struct actor){.user = s.them[i], .name = THEM[i].name};
    const struct subject one = {.school = s.schools[ONE]}, two = {.school = s.schools[TWO]}, none = {0},
                         class_a = {.school = s.schools[ONE], .class = s.classes[A], .role = ROLE_PUPIL},
                         class_b = {.school = s.schools[ONE], .class = s.classes[B], .role = ROLE_PUPIL},
                         wrong = {.school = s.schools[TWO], .class = s.classes[A], .role = ROLE_PUPIL},
                         pupil = {.target = s.them[P1]}, foreign = {.target = s.them[XP]};
    const struct {
        const struct actor *actor;
        enum act act;
        const struct subject *subject;
        bool may;
    } cases[] = {
        {&actors[T3], ACT_POLICY, &one, true},          {&actors[T3], ACT_POLICY, &two, false},
        {&actors[T3], ACT_POLICY, &none, false},        {&actors[HEAD], ACT_POLICY, &one, false},
        {&actors[T3], ACT_STANDING, &pupil, true},      {&actors[T3], ACT_STANDING, &foreign, false},
        {&actors[T1], ACT_LINK, &class_a, true},        {&actors[T1], ACT_LINK, &class_b, false},
        {&actors[T1], ACT_LINK, &wrong, false},         {&actors[T2], ACT_LINK, &class_a, false},
        {&actors[G1], ACT_CHILD, &pupil, true},         {&actors[G2], ACT_CHILD, &pupil, false},
        {&actors[P1], ACT_GUARDIAN_LINK, &pupil, true}, {&actors[P2], ACT_GUARDIAN_LINK, &pupil, false},
        {&actors[P1], ACT_EXPORT, &pupil, true},        {&actors[P2], ACT_EXPORT, &pupil, false},
        {&actors[G1], ACT_EXPORT, &pupil, true},        {&actors[XT], ACT_RECORDS_READ, &one, false},
        {&reader, ACT_RECORDS_READ, &one, true},        {&reader, ACT_RECORDS_WRITE, &one, false},
        {&ACTOR_COMMAND_LINE, ACT_IMPORT, &none, true}, {&ACTOR_COMMAND_LINE, ACT_STANDING, &foreign, true},
        {&actors[P1], ACT_PROFILE, &foreign, false},    {&actors[T1], ACT_PROFILE, &pupil, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        struct verdict verdict, said[8];
        bool overridden;
        int n;
        memset(&e, 0, sizeof e);
        if (school_gate(s.f.db, true, cases[i].actor, cases[i].act, cases[i].subject, &verdict, &overridden, &e) !=
            cases[i].may)
            fail_msg("%zu: %s %s: %s", i, cases[i].actor->name, act_name(cases[i].act), verdict.code);
        assert_int_equal(verdict.allowed, cases[i].may);
        assert_false(overridden);
        school_explain(s.f.db, true, cases[i].actor, cases[i].act, cases[i].subject, said, 8, &n);
        assert_true(cases[i].may ? n == 0 : strcmp(said[0].rule, e.rule) == 0);
        if (cases[i].act >= ACT_APPROVE) /* the office is closed in open mode too */
            assert_int_equal(school_gate(s.f.db, false, cases[i].actor, cases[i].act, cases[i].subject, NULL, NULL, &e),
                             cases[i].may);
    }
}

/* One asker for one question after the other: each school's own, and of people without one. */
static void asking_again_answers_as_asking_once(void **state)
{
    static const enum act ACTS[] = {ACT_LINK, ACT_RECORDS_READ, ACT_STANDING, ACT_EXPORT, ACT_PROFILE};
    const school_no schools[] = {s.schools[ONE], s.schools[TWO], 0};
    int may = 0, may_not = 0;
    struct error e;
    assert_true(writer_run(s.f.writer, give_role, NULL, &e));
    for (int who = 0; who < PEOPLE; ++who) {
        const struct actor actor = {.user = s.them[who], .name = THEM[who].name};
        struct school_asker asker = {.known = false};
        for (size_t i = 0; i < sizeof ACTS / sizeof *ACTS * PEOPLE * 3; ++i) {
            enum act act = ACTS[i % 5];
            struct error once = {0}, again = {0};
            const struct subject subject = {.school = schools[i % 3], .target = s.them[i / 5 % PEOPLE]};
            bool allowed = school_gate(s.f.db, true, &actor, act, &subject, NULL, NULL, &once);
            assert_int_equal(school_gate_again(s.f.db, true, &actor, act, &subject, &asker, &again), allowed);
            assert_int_equal(again.code, once.code);
            if (!allowed)
                assert_string_equal(again.rule, once.rule);
            may += allowed;
            may_not += !allowed;
        }
    }
    assert_true(may > 10 && may_not > 10);
}

/* J2 */
static void an_override_needs_a_reason_and_a_rule_that_allows_it(void **state)
{
    struct error e;
    bool overridden;
    assert_true(writer_run(s.f.writer, give_role, NULL, &e));
    struct subject kept = {.school = s.schools[ONE], .target = s.them[P1], .roster_kept = true}, free = kept;
    free.roster_kept = false;
    struct actor plain = {.user = s.them[T3], .name = "t3"}, insists = plain,
                 pupil = {.user = s.them[P2], .name = "p2"};
    insists.override_ = pupil.override_ = "the diary is down";
    assert_false(school_gate(s.f.db, true, &plain, ACT_RECORDS_WRITE, &kept, NULL, &overridden, &e));
    assert_true(school_gate(s.f.db, true, &insists, ACT_RECORDS_WRITE, &kept, NULL, &overridden, &e));
    assert_true(overridden);
    assert_true(school_gate(s.f.db, true, &insists, ACT_RECORDS_WRITE, &free, NULL, &overridden, &e));
    assert_false(overridden); /* it was not needed */
    assert_false(school_gate(s.f.db, true, &pupil, ACT_RECORDS_WRITE, &kept, NULL, &overridden, &e));
    assert_false(overridden);
}

static bool set_factor(struct tx *tx, void *arg, struct error *e)
{
    const struct second_factor_row row = {.set_ms = tx->now_ms, .last_step = -1};
    fixture_acts(tx);
    return *(const bool *)arg ? second_factors_set(tx, s.them[T3], &row) : second_factors_forget(tx, s.them[T3]);
}

static bool begin_role(struct tx *tx, void *arg, struct error *e)
{
    fixture_acts(tx);
    const struct role_row row = {s.them[T3], s.schools[ONE], ROLE_ADMINISTRATOR, *(const school_day *)arg, DAY_NEVER,
                                 "t"};
    return roles_put(tx->db, &row);
}

static void ask_for_factor(school_no school, unsigned roles, school_day from, int grace_days)
{
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    policy.second_factor.roles = roles;
    policy.second_factor.from = from;
    policy.second_factor.grace_days = grace_days;
    set_policy(&s, school, &policy);
}

/* H1: of the roles, the schools' policies, how long somebody has had the role, and the factor. Their account was made
 * today. */
static void a_school_asks_its_staff_for_a_second_factor(void **state)
{
    const school_day today = day_of_ms(clock_wall_ms()), tomorrow = day_after(today, 1), long_ago = 20200101;
    const struct actor actor = {.user = s.them[T3], .name = "t3"};
    const struct subject one = {.school = s.schools[ONE]}, own = {.target = s.them[T3]};
    static const bool SET = true, FORGET = false;
    const struct {
        enum school at;
        unsigned roles;
        school_day from;
        int grace_days;
        bool set;
        school_day needed;
        bool may;
    } CASES[] = {
        {ONE, 0, DAY_EVER, 14, FORGET, DAY_NEVER, true},
        {ONE, ROLE_HEAD, long_ago, 0, FORGET, DAY_NEVER, true},
        {ONE, ROLE_ADMINISTRATOR, long_ago, 0, FORGET, today, false},
        {ONE, ROLE_TEACHER, long_ago, 0, FORGET, today, false}, /* any of the roles */
        {ONE, ROLE_ADMINISTRATOR, long_ago, 0, SET, today, true},
        {ONE, ROLE_ADMINISTRATOR, long_ago, 1, FORGET, tomorrow, true},
        {ONE, ROLE_ADMINISTRATOR, tomorrow, 0, FORGET, tomorrow, true},
        {TWO, ROLE_ADMINISTRATOR, long_ago, 0, FORGET, DAY_NEVER, true}, /* they are nothing there */
    };
    struct error e;
    assert_true(writer_run(s.f.writer, give_role, NULL, &e));
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct second_factor_duty duty;
        struct verdict verdict;
        ask_for_factor(s.schools[ONE], 0, DAY_EVER, 0);
        ask_for_factor(s.schools[CASES[i].at], CASES[i].roles, CASES[i].from, CASES[i].grace_days);
        assert_true(writer_run(s.f.writer, set_factor, (void *)&CASES[i].set, &e));
        second_factor_duty(s.f.db, s.them[T3], &duty);
        if (duty.from != CASES[i].needed || duty.set != CASES[i].set || duty.missing == CASES[i].may)
            fail_msg("case %zu: from %d, %s", i, (int)duty.from, duty.missing ? "missing" : "not missing");
        assert_int_equal(school_gate(s.f.db, true, &actor, ACT_RECORDS_WRITE, &one, &verdict, NULL, &e), CASES[i].may);
        assert_true(CASES[i].may || strcmp(verdict.code, "second_factor_missing") == 0);
        assert_true(school_gate(s.f.db, true, &actor, ACT_SESSIONS, &own, NULL, NULL, &e));
    }
    /* A role that began later gives its own days. */
    ask_for_factor(s.schools[ONE], ROLE_ADMINISTRATOR, long_ago, 3);
    assert_true(writer_run(s.f.writer, begin_role, (void *)&today, &e));
    struct second_factor_duty duty;
    second_factor_duty(s.f.db, s.them[T3], &duty);
    assert_int_equal(duty.from, day_after(today, 3));
}

static bool keep_room(struct tx *tx, void *row, struct error *e)
{
    fixture_acts(tx);
    return roster_rooms_put(tx->db, row);
}

/* What a whole school reads waits for it; a class's chat goes on. */
static void the_gate_of_rooms_asks_for_the_second_factor(void **state)
{
    struct school_policy policy;
    struct rule_facts facts;
    const school_day long_ago = 20200101;
    static const enum room_kind KINDS[] = {ROOM_ANNOUNCEMENTS, ROOM_CLASS};
    ask_for_factor(s.schools[ONE], ROLE_HEAD, long_ago, 0);
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; ++i) {
        struct error e;
        const struct room_plan plan = {
            .creator = s.service, .version = room_version_get("12"), .preset = PRESET_PRIVATE_CHAT};
        struct roster_room_row row = {fixture_create(&s.f, &plan, &e), KINDS[i], s.schools[ONE], 0};
        assert_true(writer_run(s.f.writer, keep_room, &row, &e));
        struct gate_question q = {.act = ACT_SEND, .room = row.room, .actor = s.them[HEAD], .type = "m.room.message"};
        gate_facts(NULL, s.f.db, &q, &policy, &facts);
        assert_int_equal(facts.room.kind, KINDS[i]);
        assert_int_equal(facts.actor.factor_missing, KINDS[i] == ROOM_ANNOUNCEMENTS);
        q.actor = s.service;
        gate_facts(NULL, s.f.db, &q, &policy, &facts);
        assert_false(facts.actor.factor_missing);
    }
}

static void scopes_have_words(void **state)
{
    assert_int_equal(operator_scope_from("records"), SCOPE_RECORDS);
    assert_int_equal(operator_scope_from("all"), SCOPE_ALL);
    assert_int_equal(operator_scope_from("everything"), 0);
    assert_string_equal(operator_scope_name(SCOPE_AUDIT), "audit");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(what_is_remembered_is_what_would_be_read),
        CASE(who_comes_to_a_second_school_has_its_policy_too),
        CASE(who_comes_to_anothers_slot_is_read_anew),
        CASE(a_second_message_asks_the_store_nothing),
        CASE(strangers_and_nobody_are_answered_alike),
        CASE(profiles_and_search_follow_the_school),
        CASE(a_club_whose_staff_is_gone_is_a_pupils_room),
        CASE(quiet_hours_refuse_hold_or_warn),
        CASE(what_is_held_is_delivered_once_when_it_is_due),
        CASE(what_is_held_passes_the_gate_again),
        CASE(a_placeholder_is_as_good_as_an_id),
        CASE(what_points_to_a_message_taken_back),
        CASE(nobody_holds_more_than_so_many),
        CASE(a_drop_is_told),
        CASE(who_may_not_send_is_refused_at_once),
        CASE(an_explanation_is_what_happens),
        CASE(the_office_acts_in_its_own_school),
        CASE(asking_again_answers_as_asking_once),
        CASE(an_override_needs_a_reason_and_a_rule_that_allows_it),
        CASE(a_school_asks_its_staff_for_a_second_factor),
        CASE(the_gate_of_rooms_asks_for_the_second_factor),
        CASE(scopes_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
