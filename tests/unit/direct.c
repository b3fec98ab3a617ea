/* school.md F1, F2: who may talk to whom, on every path that could make a chat. */
#include "homeserver/rooms/gate.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "tests/unit/gate_world.h"

/* F1's defaults, both ways: 'y' they may talk, '.' they may not. Rows and columns as in enum who. */
static const char *const MAY[PEOPLE] = {
    /*        ppppttthgggexx */
    /*        12341 23e123xpt: p1 p2 p3 p4 t1 t2 t3 head g1 g2 g3 ext xp xt */
    [P1] = "-y.yyy..y.....", /* classmate p2, p4 by the group; own teachers t1, t2; own guardian */
    [P2] = "y-..y....y....",
    [P3] = "..-y......y...",
    [P4] = "y.y-.y........",
    [T1] = "yy..-yyyyy....", /* staff; the class; its guardians */
    [T2] = "y..yy-yyy.....", /* staff; the group; the guardian of one of it */
    [T3] = "....yy-y......",
    [HEAD] = "....yyy-......",
    [G1] = "y...yy..-y....", /* own child, the child's teachers, a guardian of the same homeroom */
    [G2] = ".y..y...y-....",
    [G3] = "..y.......-...",  /* p3's; p4 has none, and the group makes no guardians acquainted */
    [EXT] = "...........-..", /* E7 */
    [XP] = "............-y",  /* A1, A2 */
    [XT] = "............y-",
};

static bool may(enum who a, enum who b)
{
    return MAY[a][b] == 'y';
}

/* All may make rooms, so that what is refused is refused for the pair's sake. */
static void let_all_make_rooms(void)
{
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    policy.make_club = policy.make_direct = ROLES_FAMILY | ROLES_STAFF;
    policy.staff_in_pupils_rooms = false;
    set_policy(&s, 0, &policy);
}

static int start_open(void **state)
{
    start(state);
    let_all_make_rooms();
    return 0;
}

/* --- Rooms --- */

static room_no create(enum who a, const struct room_plan *like, const json_t *state, struct error *e)
{
    struct room_plan plan = *like;
    plan.creator = s.them[a];
    plan.version = room_version_get("12");
    plan.initial_state = state;
    return fixture_create(&s.f, &plan, e);
}

static room_no chat_of(enum who a, struct error *e) /* a direct chat with nobody yet */
{
    return create(a, &(struct room_plan){.preset = PRESET_TRUSTED_PRIVATE_CHAT, .is_direct = true}, NULL, e);
}

static room_no club_of(enum who a, enum room_preset preset)
{
    struct error e;
    room_no room = create(a, &(struct room_plan){.preset = preset, .name = "club"}, NULL, &e);
    if (room == 0)
        fail_msg("%s made no club: %s %s", THEM[a].name, error_sentence(&e), e.rule != NULL ? e.rule : "");
    return room;
}

static room_no club_with_rule(enum who a, const char *rule, room_no allow)
{
    struct error e;
    char *allowed = allow != 0 ? rooms_id_of(s.f.db, allow) : NULL;
    json_auto_t *content = json_pack("{s:s}", "join_rule", rule);
    if (allowed != NULL)
        json_object_set_new(content, "allow",
                            json_pack("[{s:s, s:s}]", "type", "m.room_membership", "room_id", allowed));
    json_auto_t *state =
        json_pack("[{s:s, s:s, s:O}]", "type", "m.room.join_rules", "state_key", "", "content", content);
    room_no room = create(a, &(struct room_plan){.preset = PRESET_PRIVATE_CHAT, .name = "club"}, state, &e);
    free(allowed);
    assert_int_not_equal(room, 0);
    return room;
}

static enum room_kind kind_of(room_no room)
{
    struct room_school of;
    school_of_room(s.f.db, room, &of);
    return of.kind;
}

static bool is_in(room_no room, enum who who)
{
    enum membership m = memberships_of(s.f.db, room, s.them[who]);
    return m == MEMBERSHIP_JOIN || m == MEMBERSHIP_INVITE || m == MEMBERSHIP_KNOCK;
}

/* --- Paths: each tries to bring a and b together, and says whether that came about. */

static bool by_create(enum who a, enum who b, struct error *e)
{
    json_auto_t *invite = json_pack("[s]", id_of(b));
    room_no room = create(a, &(struct room_plan){.preset = PRESET_TRUSTED_PRIVATE_CHAT, .invite = invite}, NULL, e);
    if (room == 0)
        return false;
    assert_int_equal(kind_of(room), ROOM_DIRECT);
    return fixture_member(&s.f, room, ACT_JOIN, s.them[b], s.them[b], e);
}

static bool by_named_create(enum who a, enum who b, struct error *e)
{
    json_auto_t *invite = json_pack("[s]", id_of(b));
    room_no room =
        create(a, &(struct room_plan){.preset = PRESET_PRIVATE_CHAT, .name = "club", .invite = invite}, NULL, e);
    return room != 0 && is_in(room, b);
}

static bool by_later_invite(enum who a, enum who b, struct error *e)
{
    room_no room = chat_of(a, e);
    return room != 0 && fixture_member(&s.f, room, ACT_INVITE, s.them[a], s.them[b], e);
}

static bool by_club_invite(enum who a, enum who b, struct error *e)
{
    return fixture_member(&s.f, club_of(a, PRESET_PRIVATE_CHAT), ACT_INVITE, s.them[a], s.them[b], e);
}

/* b asks. */
static bool by_knock(enum who a, enum who b, struct error *e)
{
    return fixture_member(&s.f, club_with_rule(a, "knock", 0), ACT_KNOCK, s.them[b], s.them[b], e);
}

/* An alias leads to a public room; and so does its number. */
static bool by_public_join(enum who a, enum who b, struct error *e)
{
    return fixture_member(&s.f, club_of(a, PRESET_PUBLIC_CHAT), ACT_JOIN, s.them[b], s.them[b], e);
}

static bool put_there(struct tx *tx, void *arg, struct error *e)
{
    return memberships_put(tx, arg);
}

/* By a room that a may name (A1), in which b is, however they came there. */
static bool by_restricted_join(enum who a, enum who b, struct error *e)
{
    room_no other = club_of(a, PRESET_PRIVATE_CHAT), room = club_with_rule(a, "restricted", other);
    struct membership_row there = {.user = s.them[b], .room = other, .membership = MEMBERSHIP_JOIN};
    assert_true(writer_run(s.f.writer, put_there, &there, e));
    return fixture_member(&s.f, room, ACT_JOIN, s.them[b], s.them[b], e);
}

static bool by_state_event(enum who a, enum who b, struct error *e)
{
    return fixture_write_member(&s.f, club_of(a, PRESET_PRIVATE_CHAT), s.them[a], id_of(b),
                                "{\"membership\":\"invite\"}", e);
}

/* As an application service sends: the event itself. */
static bool by_append(enum who a, enum who b, struct error *e)
{
    return fixture_send(&s.f, club_of(a, PRESET_PRIVATE_CHAT), s.them[a], "m.room.member", id_of(b),
                        "{\"membership\":\"invite\"}", NULL, NULL, e);
}

/* As the administrator's API joins people: by the service user's force. */
static bool by_force(enum who a, enum who b, struct error *e)
{
    return fixture_member(&s.f, club_of(a, PRESET_PUBLIC_CHAT), ACT_JOIN, s.service, s.them[b], e);
}

/* a turns a room of their own into one that lets people in by themselves. */
static bool by_opening(enum who a, enum who b, struct error *e)
{
    room_no room = chat_of(a, e);
    if (room == 0)
        return false;
    assert_true(
        fixture_send(&s.f, room, s.them[a], "m.room.join_rules", "", "{\"join_rule\":\"public\"}", NULL, NULL, e));
    return fixture_member(&s.f, room, ACT_JOIN, s.them[b], s.them[b], e);
}

static bool by_upgrade(enum who a, enum who b, struct error *e)
{
    room_no room = club_with_rule(a, "public", 0), new = fixture_upgrade(&s.f, room, s.them[a], "11", NULL, e);
    if (new == 0)
        return false;
    assert_int_equal(kind_of(new), ROOM_CLUB);
    return fixture_member(&s.f, new, ACT_JOIN, s.them[b], s.them[b], e);
}

static const struct {
    const char *name;
    bool (*together)(enum who a, enum who b, struct error *e);
} PATHS[] = {
    {"create", by_create},
    {"create named", by_named_create},
    {"invite later", by_later_invite},
    {"club invite", by_club_invite},
    {"knock", by_knock},
    {"public join", by_public_join},
    {"restricted", by_restricted_join},
    {"state event", by_state_event},
    {"append", by_append},
    {"service", by_force},
    {"opening", by_opening},
    {"upgrade", by_upgrade},
};

static void nobody_comes_together_but_by_the_table(void **state)
{
    for (int a = 0; a < PEOPLE; ++a)
        for (int b = 0; b < PEOPLE; ++b)
            for (size_t i = 0; a != b && a != EXT && i < sizeof PATHS / sizeof *PATHS; ++i) {
                struct error e = {0};
                bool together = PATHS[i].together((enum who)a, (enum who)b, &e);
                if (together != may((enum who)a, (enum who)b))
                    fail_msg("%s with %s by %s: %s; %s %s", THEM[a].name, THEM[b].name, PATHS[i].name,
                             together ? "together" : "refused", e.code != 0 ? error_sentence(&e) : "",
                             e.rule != NULL ? e.rule : "");
                if (!together && e.code != ERROR_FORBIDDEN)
                    fail_msg("%s with %s by %s: %s", THEM[a].name, THEM[b].name, PATHS[i].name, error_sentence(&e));
            }
}

static void external_staff_start_nothing(void **state)
{
    struct error e;
    assert_int_equal(chat_of(EXT, &e), 0);
    assert_string_equal(e.rule, "E7");
}

/* --- F2 --- */

static room_no chat_between(enum who a, enum who b)
{
    struct error e;
    room_no room = chat_of(a, &e);
    assert_int_not_equal(room, 0);
    assert_true(fixture_member(&s.f, room, ACT_INVITE, s.them[a], s.them[b], &e));
    assert_true(fixture_member(&s.f, room, ACT_JOIN, s.them[b], s.them[b], &e));
    return room;
}

static void nobody_is_third(void **state)
{
    for (int c = 0; c < PEOPLE; ++c) {
        struct error e;
        room_no room = chat_between(P1, T1);
        if (c == P1 || c == T1)
            continue;
        assert_false(fixture_member(&s.f, room, ACT_INVITE, s.them[T1], s.them[c], &e));
        assert_string_equal(e.rule, THEM[c].school == ONE ? (c == EXT ? "E7" : "F2") : "A2");
        assert_false(fixture_member(&s.f, room, ACT_JOIN, s.service, s.them[c], &e));
    }
}

/* The place of who has left is kept for them. */
static void the_pair_is_for_ever(void **state)
{
    struct error e;
    room_no room = chat_between(P1, T1);
    assert_true(fixture_member(&s.f, room, ACT_LEAVE, s.them[T1], s.them[T1], &e));
    assert_false(fixture_member(&s.f, room, ACT_INVITE, s.them[P1], s.them[P2], &e));
    assert_string_equal(e.rule, "F2");
    assert_true(fixture_member(&s.f, room, ACT_INVITE, s.them[P1], s.them[T1], &e));
}

static void a_name_an_alias_or_an_upgrade_change_nothing(void **state)
{
    struct error e;
    room_no room = chat_between(P1, T1);
    assert_false(fixture_send(&s.f, room, s.them[P1], "m.room.name", "", "{\"name\":\"club\"}", NULL, NULL, &e));
    assert_string_equal(e.rule, "F2");
    assert_false(gate_room(s.f.rooms, s.f.db, ACT_ALIAS, room, s.them[P1], 0, NULL, NULL, &e));
    assert_false(gate_room(s.f.rooms, s.f.db, ACT_PUBLISH, room, s.them[P1], 0, NULL, NULL, &e));
    assert_false(gate_may_see(true, s.f.db, room, s.them[P2]));
    room_no new = fixture_upgrade(&s.f, room, s.them[P1], "12", NULL, &e);
    assert_int_not_equal(new, 0);
    struct room_school of;
    school_of_room(s.f.db, new, &of);
    assert_int_equal(of.kind, ROOM_DIRECT);
    assert_int_equal(of.a, s.them[P1]);
    assert_int_equal(of.b, s.them[T1]);
    assert_int_equal(of.owner, s.them[P1]);
    assert_false(fixture_member(&s.f, new, ACT_INVITE, s.them[P1], s.them[P2], &e));
    assert_string_equal(e.rule, "F2");
    assert_true(fixture_member(&s.f, new, ACT_INVITE, s.them[P1], s.them[T1], &e));
}

/* What the client claims decides nothing (m.direct is account data and is not even looked at). */
static void the_server_says_what_is_direct(void **state)
{
    json_auto_t *two = json_pack("[s, s]", id_of(T1), id_of(T2)), *one = json_pack("[s]", id_of(T1));
    json_auto_t *space = json_pack("{s:s}", "type", "m.space"), *claim = json_pack("{s:b}", "is_direct", 1);
    json_auto_t *naming =
        json_pack("[{s:s, s:s, s:{s:s}}]", "type", "m.room.name", "state_key", "", "content", "name", "club");
    const struct {
        struct room_plan plan;
        enum room_kind kind;
    } cases[] = {
        {{.preset = PRESET_PRIVATE_CHAT}, ROOM_DIRECT},
        {{.preset = PRESET_TRUSTED_PRIVATE_CHAT, .invite = one}, ROOM_DIRECT},
        {{.preset = PRESET_PUBLIC_CHAT, .invite = one, .is_direct = true, .name = "x"}, ROOM_DIRECT},
        {{.preset = PRESET_PRIVATE_CHAT, .invite = two}, ROOM_CLUB},
        {{.preset = PRESET_PRIVATE_CHAT, .invite = one, .name = "x"}, ROOM_CLUB},
        {{.preset = PRESET_PRIVATE_CHAT, .invite = one, .topic = "x"}, ROOM_CLUB},
        {{.preset = PRESET_PRIVATE_CHAT, .invite = one, .alias = "#x:school.example"}, ROOM_CLUB},
        {{.preset = PRESET_PRIVATE_CHAT, .invite = one, .published = true}, ROOM_CLUB},
        {{.preset = PRESET_PRIVATE_CHAT, .initial_state = naming}, ROOM_CLUB},
        {{.preset = PRESET_PRIVATE_CHAT, .creation_content = space}, ROOM_CLUB},
        {{.preset = PRESET_PUBLIC_CHAT, .creation_content = claim}, ROOM_CLUB},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        if (room_plan_kind(&cases[i].plan) != cases[i].kind)
            fail_msg("case %zu is %s", i, room_kind_name(room_plan_kind(&cases[i].plan)));
}

static void two_chats_of_the_same_two_are_two(void **state)
{
    assert_int_not_equal(chat_between(P1, T1), chat_between(P1, T1));
}

/* --- What comes afterwards --- */

static bool says(room_no room, enum who who, struct error *e)
{
    return fixture_send(&s.f, room, s.them[who], "m.room.message", NULL, "{\"body\":\"x\",\"msgtype\":\"m.text\"}",
                        NULL, NULL, e);
}

struct ending {
    class_no class;
    user_no user;
    enum school_role role;
};

static bool end_enrollment(struct tx *tx, void *arg, struct error *e)
{
    const struct ending *ending = arg;
    fixture_acts(tx);
    return enrollments_put(
        tx->db, &(struct enrollment_row){ending->class, ending->user, ending->role, DAY_EVER, 20200101, "test"});
}

static void a_chat_whose_relation_has_ended_is_only_read(void **state)
{
    struct error e;
    room_no room = chat_between(P1, T2);
    assert_true(says(room, P1, &e) && says(room, T2, &e));
    struct ending ending = {s.classes[G], s.them[T2], ROLE_TEACHER};
    assert_true(writer_run(s.f.writer, end_enrollment, &ending, &e));
    assert_false(says(room, P1, &e));
    assert_string_equal(e.rule, "F1");
    assert_false(says(room, T2, &e));
    assert_string_equal(e.rule, "F1");
    assert_true(fixture_member(&s.f, room, ACT_LEAVE, s.them[P1], s.them[P1], &e));
}

static void a_policy_narrowed_closes_chats_and_widened_opens_them(void **state)
{
    struct error e;
    room_no room = chat_between(P1, P2);
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    policy.make_club = ROLES_FAMILY | ROLES_STAFF;
    policy.direct &= ~RELATION_BIT(RELATION_PUPIL_CLASSMATE);
    policy.direct |= RELATION_BIT(RELATION_PUPIL_STAFF);
    set_policy(&s, s.schools[ONE], &policy);
    assert_false(says(room, P1, &e));
    assert_string_equal(e.rule, "F1");
    room = chat_between(P1, T3);         /* a pupil may now ask any of the staff */
    assert_true(says(room, T3, &e));     /* who may answer */
    assert_false(by_create(T3, P1, &e)); /* but does not ask */
    assert_string_equal(e.rule, "F1");
}

/* A club that shrinks to two is a chat of two. */
static void a_club_of_two_counts_as_two(void **state)
{
    struct error e;
    room_no room = club_of(P1, PRESET_PRIVATE_CHAT);
    assert_true(fixture_member(&s.f, room, ACT_INVITE, s.them[P1], s.them[T1], &e));
    assert_true(fixture_member(&s.f, room, ACT_JOIN, s.them[T1], s.them[T1], &e));
    assert_true(fixture_member(&s.f, room, ACT_INVITE, s.them[P1], s.them[P3], &e)); /* three: no chat of two */
    assert_true(fixture_member(&s.f, room, ACT_JOIN, s.them[P3], s.them[P3], &e));
    assert_true(says(room, P3, &e));
    assert_true(fixture_member(&s.f, room, ACT_LEAVE, s.them[T1], s.them[T1], &e));
    assert_false(says(room, P3, &e));
    assert_string_equal(e.rule, "F1");
    assert_false(says(room, P1, &e));
}

/* B2: a teacher who is a parent talks to the child's classmates' guardians as such. */
static bool become_guardian(struct tx *tx, void *arg, struct error *e)
{
    fixture_acts(tx);
    return guardianships_put(tx->db, arg) &&
           roles_put(tx->db, &(struct role_row){((struct guardianship_row *)arg)->guardian, s.schools[ONE],
                                                ROLE_GUARDIAN, DAY_EVER, DAY_NEVER, "test"});
}

static void roles_add_up(void **state)
{
    struct error e;
    struct guardianship_row kin = {.child = s.them[P2], .guardian = s.them[T3], .source = "test"};
    assert_false(by_create(T3, G1, &e));
    assert_true(writer_run(s.f.writer, become_guardian, &kin, &e));
    assert_true(by_create(T3, G1, &e));
    assert_true(by_create(T3, P2, &e));
    assert_false(by_create(T3, P1, &e));
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, start_open, stop)
    const struct CMUnitTest tests[] = {
        CASE(nobody_comes_together_but_by_the_table),
        CASE(external_staff_start_nothing),
        CASE(nobody_is_third),
        CASE(the_pair_is_for_ever),
        CASE(a_name_an_alias_or_an_upgrade_change_nothing),
        CASE(the_server_says_what_is_direct),
        CASE(two_chats_of_the_same_two_are_two),
        CASE(a_chat_whose_relation_has_ended_is_only_read),
        CASE(a_policy_narrowed_closes_chats_and_widened_opens_them),
        CASE(a_club_of_two_counts_as_two),
        CASE(roles_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
