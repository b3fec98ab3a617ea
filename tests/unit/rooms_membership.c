/* Membership: acts, member events written as state, restricted joins, redacted state; in a school, what nobody may find
 * out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/days.h"
#include "homeserver/base/json.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/transactions.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/roster_members.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/schools.h"
#include "tests/unit/fixture.h"

#define ANNA "@anna:school.example"
#define BORIS "@boris:school.example"
#define VERA "@vera:school.example"

static struct fixture f;
static user_no anna, boris, vera;

static int people(void)
{
    anna = fixture_user(&f, "anna");
    boris = fixture_user(&f, "boris");
    vera = fixture_user(&f, "vera");
    return anna == 0 || boris == 0 || vera == 0;
}

static int setup(void **state)
{
    fixture_start(&f);
    return people();
}

static int teardown(void **state)
{
    fixture_stop(&f);
    return 0;
}

static void assert_content(room_no room, const char *user_id, const char *wanted)
{
    char *text = events_state_content(f.db, room, "m.room.member", user_id);
    assert_string_equal(text != NULL ? text : "(none)", wanted);
    free(text);
}

static bool name_job(struct tx *tx, void *arg, struct error *e)
{
    return profiles_put(tx, boris, "displayname", "\"Boris\"");
}

/* Member events that a client writes itself are the acts that they are. boris's membership before, who writes, whose
 * event, what; then whether it is done, and what lies in the room. */
static void a_member_event_written_as_state_is_an_act(void **state)
{
    static const struct {
        enum membership before;
        bool by_anna;
        const char *whose, *content, *lies; /* lies NULL: refused, with code */
        enum error_code code;
    } CASES[] = {
        {MEMBERSHIP_NONE, false, BORIS, "{\"membership\":\"join\"}", NULL, ERROR_FORBIDDEN},
        {MEMBERSHIP_NONE, true, BORIS, "{\"membership\":\"join\"}", NULL, ERROR_FORBIDDEN},
        {MEMBERSHIP_INVITE, true, BORIS, "{\"membership\":\"join\"}", NULL, ERROR_FORBIDDEN},
        {MEMBERSHIP_NONE, true, BORIS, "{\"membership\":\"knock\"}", NULL, ERROR_FORBIDDEN},
        {MEMBERSHIP_NONE, true, BORIS,
         "{\"membership\":\"invite\",\"displayname\":\"Fool\",\"avatar_url\":\"mxc://a/b\"}",
         "{\"displayname\":\"Boris\",\"membership\":\"invite\"}", 0},
        {MEMBERSHIP_INVITE, false, BORIS, "{\"membership\":\"join\",\"displayname\":\"Bob\"}",
         "{\"displayname\":\"Bob\",\"membership\":\"join\"}", 0},
        {MEMBERSHIP_INVITE, false, BORIS, "{\"membership\":\"join\"}",
         "{\"displayname\":\"Boris\",\"membership\":\"join\"}", 0},
        {MEMBERSHIP_JOIN, false, BORIS, "{\"membership\":\"join\",\"displayname\":\"Bob\",\"x.y\":1}",
         "{\"displayname\":\"Bob\",\"membership\":\"join\",\"x.y\":1}", 0},
        {MEMBERSHIP_JOIN, true, BORIS, "{\"membership\":\"join\",\"displayname\":\"Fool\"}", NULL, ERROR_FORBIDDEN},
        {MEMBERSHIP_JOIN, true, BORIS, "{\"membership\":\"leave\",\"displayname\":\"Fool\",\"reason\":\"r\"}",
         "{\"membership\":\"leave\",\"reason\":\"r\"}", 0},
        {MEMBERSHIP_NONE, true, BORIS, "{\"membership\":\"leave\"}", NULL, ERROR_FORBIDDEN},
        {MEMBERSHIP_JOIN, false, ANNA, "{\"membership\":\"ban\"}", NULL, ERROR_FORBIDDEN},
        {MEMBERSHIP_BAN, true, BORIS, "{\"membership\":\"leave\"}", "{\"membership\":\"leave\"}", 0},
        {MEMBERSHIP_BAN, false, BORIS, "{\"membership\":\"join\"}", NULL, ERROR_FORBIDDEN},
        {MEMBERSHIP_JOIN, false, BORIS, "{\"membership\":\"away\"}", NULL, ERROR_BAD_JSON},
        {MEMBERSHIP_JOIN, false, BORIS, "{}", NULL, ERROR_BAD_JSON},
        {MEMBERSHIP_JOIN, true, "@nobody:school.example", "{\"membership\":\"invite\"}", NULL, ERROR_NOT_FOUND},
        {MEMBERSHIP_JOIN, true, "nobody", "{\"membership\":\"ban\"}", NULL, ERROR_FORBIDDEN},
        {MEMBERSHIP_JOIN, false, "@nobody:school.example", "{\"membership\":\"ban\"}", NULL, ERROR_FORBIDDEN},
    };
    struct error e;
    assert_true(writer_run(f.writer, name_job, NULL, &e));
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        room_no room = fixture_room(&f, anna, "12", PRESET_PRIVATE_CHAT, NULL);
        if (CASES[i].before == MEMBERSHIP_INVITE || CASES[i].before == MEMBERSHIP_JOIN)
            assert_true(fixture_member(&f, room, ACT_INVITE, anna, boris, NULL));
        if (CASES[i].before == MEMBERSHIP_JOIN)
            assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
        if (CASES[i].before == MEMBERSHIP_BAN)
            assert_true(fixture_member(&f, room, ACT_BAN, anna, boris, NULL));
        e = (struct error){0};
        bool done =
            fixture_write_member(&f, room, CASES[i].by_anna ? anna : boris, CASES[i].whose, CASES[i].content, &e);
        if (done != (CASES[i].lies != NULL) || (!done && e.code != CASES[i].code))
            fail_msg("case %zu: %s, %s", i, done ? "done" : error_wire_name(e.code), error_sentence(&e));
        if (done)
            assert_content(room, CASES[i].whose, CASES[i].lies);
        else
            assert_int_equal(memberships_of(f.db, room, boris), CASES[i].before);
    }
}

/* Only who is in a room of the list comes in, and nobody by naming a voucher. */
static void a_restricted_room_cannot_be_entered_by_a_forged_voucher(void **state)
{
    static const char *const FORGED = "{\"membership\":\"join\",\"join_authorised_via_users_server\":\"" ANNA "\"}";
    static const char *const VERSIONS[] = {"8", "10", "12"};
    for (size_t i = 0; i < 3; ++i) {
        struct error e;
        char rules[400];
        room_no hall = fixture_room(&f, anna, VERSIONS[i], PRESET_PUBLIC_CHAT, NULL),
                room = fixture_room(&f, anna, VERSIONS[i], PRESET_PRIVATE_CHAT, NULL);
        char *hall_id = rooms_id_of(f.db, hall);
        snprintf(rules, sizeof rules,
                 "{\"allow\":[{\"room_id\":\"%s\",\"type\":\"m.room_membership\"}],\"join_rule\":\"restricted\"}",
                 hall_id);
        free(hall_id);
        assert_true(fixture_send(&f, room, anna, "m.room.join_rules", "", rules, NULL, NULL, NULL));
        assert_false(fixture_write_member(&f, room, boris, BORIS, FORGED, &e));
        assert_int_equal(e.code, ERROR_FORBIDDEN);
        assert_false(fixture_member(&f, room, ACT_JOIN, boris, boris, &e));
        assert_true(fixture_member(&f, hall, ACT_JOIN, boris, boris, NULL));
        assert_true(fixture_write_member(&f, room, boris, BORIS, FORGED, &e)); /* now by right */
        assert_true(fixture_member(&f, room, ACT_LEAVE, boris, boris, NULL));
        assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
        assert_true(
            fixture_member(&f, room, ACT_LEAVE, anna, anna, NULL)); /* now nobody may let anybody in, but in 12 */
        assert_true(fixture_member(&f, hall, ACT_JOIN, vera, vera, NULL));
        assert_true(fixture_member(&f, room, ACT_JOIN, vera, vera, &e)); /* boris may invite: level 0 */
    }
}

static void what_is_said_twice_is_said_once(void **state)
{
    static const struct {
        enum act act;
        bool own;
    } ACTS[] = {{ACT_INVITE, false}, {ACT_JOIN, true}, {ACT_LEAVE, true}, {ACT_BAN, false}};
    room_no room = fixture_room(&f, anna, "12", PRESET_PRIVATE_CHAT, NULL);
    for (size_t i = 0; i < sizeof ACTS / sizeof *ACTS; ++i) {
        struct membership_row first, second;
        user_no actor = ACTS[i].own ? boris : anna;
        assert_true(fixture_member(&f, room, ACTS[i].act, actor, boris, NULL));
        memberships_get(f.db, room, boris, &first);
        assert_true(fixture_member(&f, room, ACTS[i].act, actor, boris, NULL));
        memberships_get(f.db, room, boris, &second);
        assert_int_equal(first.pos, second.pos);
    }
}

/* Redacted state is gone for those who come after, in memory and on disk. */
static void a_redacted_state_counts_as_what_is_left_of_it(void **state)
{
    struct error e;
    struct appended levels, rules;
    room_no room = fixture_room(&f, anna, "9", PRESET_PUBLIC_CHAT, NULL);
    assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
    assert_true(fixture_send(&f, room, anna, "m.room.power_levels", "", "{\"users\":{\"" ANNA "\":100},\"invite\":100}",
                             NULL, &levels, NULL));
    assert_false(fixture_member(&f, room, ACT_INVITE, boris, vera, &e));
    assert_true(fixture_send(&f, room, anna, "m.room.redaction", NULL, "{}", levels.event_id, NULL, NULL));
    assert_true(fixture_member(&f, room, ACT_INVITE, boris, vera, &e)); /* version 9 forgets "invite" */
    assert_true(fixture_send(&f, room, anna, "m.room.join_rules", "", "{\"join_rule\":\"invite\",\"x\":1}", NULL,
                             &rules, NULL));
    assert_true(fixture_send(&f, room, anna, "m.room.redaction", NULL, "{}", rules.event_id, NULL, NULL));
    char *left = events_state_content(f.db, room, "m.room.join_rules", "");
    assert_string_equal(left, "{\"join_rule\":\"invite\"}");
    free(left);
}

static void strangers_learn_nothing_of_a_rooms_events(void **state)
{
    struct error e;
    struct appended said;
    room_no room = fixture_room(&f, anna, "12", PRESET_PRIVATE_CHAT, NULL);
    assert_true(fixture_send(&f, room, anna, "m.room.message", NULL, "{\"body\":\"x\"}", NULL, &said, NULL));
    assert_false(fixture_send(&f, room, boris, "m.room.redaction", NULL, "{}", said.event_id, NULL, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_false(fixture_send(&f, room, boris, "m.room.redaction", NULL, "{}", "$none", NULL, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_false(fixture_send(&f, room, anna, "m.room.redaction", NULL, "{}", "$none", NULL, &e));
    assert_int_equal(e.code, ERROR_NOT_FOUND);
}

static void an_annotation_is_made_once(void **state)
{
    static const struct {
        const char *type, *key;
        bool by_boris, allowed;
    } CASES[] = {
        {"m.reaction", "+", false, true}, {"m.reaction", "+", false, false}, {"m.reaction", "-", false, true},
        {"x.reaction", "+", false, true}, {"m.reaction", "+", true, true},   {"m.reaction", "+", true, false},
    };
    struct error e;
    struct appended said, reaction = {0};
    room_no room = fixture_room(&f, anna, "12", PRESET_PUBLIC_CHAT, NULL);
    assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
    assert_true(fixture_send(&f, room, anna, "m.room.message", NULL, "{\"body\":\"x\"}", NULL, &said, NULL));
    char content[400];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        snprintf(content, sizeof content,
                 "{\"m.relates_to\":{\"event_id\":\"%s\",\"key\":\"%s\",\"rel_type\":\"m.annotation\"}}", said.event_id,
                 CASES[i].key);
        bool done = fixture_send(&f, room, CASES[i].by_boris ? boris : anna, CASES[i].type, NULL, content, NULL,
                                 CASES[i].by_boris ? &reaction : NULL, &e);
        if (done != CASES[i].allowed || (!done && e.code != ERROR_DUPLICATE_ANNOTATION))
            fail_msg("case %zu", i);
    }
    assert_true(fixture_send(&f, room, boris, "m.room.redaction", NULL, "{}", reaction.event_id, NULL, NULL));
    assert_true(
        fixture_send(&f, room, boris, "m.reaction", NULL, content, NULL, NULL, NULL)); /* the first is taken back */
}

struct txn {
    room_no room;
    device_no device;
    const char *about, *txn_id;
    stream_pos pos, found;
};

static bool txn_job(struct tx *tx, void *arg, struct error *e)
{
    struct txn *t = arg;
    if (t->device == 0)
        t->device = devices_insert(tx, anna, "DEVICE", NULL, NULL);
    t->found = transactions_find(tx->db, t->device, t->room, t->about, t->txn_id);
    return t->found != 0 || transactions_insert(tx, t->device, t->room, t->about, t->txn_id, t->pos);
}

static void a_transaction_id_belongs_to_its_path(void **state)
{
    static const struct {
        int room;
        const char *about, *txn_id;
        bool known;
    } CASES[] = {
        {0, "m.room.message", "1", false}, {0, "m.room.message", "1", true}, {0, "m.reaction", "1", false},
        {0, "$event", "1", false},         {0, "$other", "1", false},        {1, "m.room.message", "1", false},
        {0, "m.room.message", "2", false}, {1, "m.room.message", "1", true},
    };
    struct error e;
    struct appended said;
    struct txn t = {0};
    room_no rooms[2];
    for (int i = 0; i < 2; ++i)
        rooms[i] = fixture_room(&f, anna, "12", PRESET_PRIVATE_CHAT, NULL);
    assert_true(fixture_send(&f, rooms[0], anna, "m.room.message", NULL, "{}", NULL, &said, NULL));
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        t = (struct txn){rooms[CASES[i].room], t.device, CASES[i].about, CASES[i].txn_id, said.pos, 0};
        assert_true(writer_run(f.writer, txn_job, &t, &e));
        if ((t.found != 0) != CASES[i].known)
            fail_msg("case %zu", i);
    }
}

/* --- In a school: anna and boris are of one, vera of another --- */

static room_no class_room;

static bool school_job(struct tx *tx, void *arg, struct error *e)
{
    struct school_row first = {0, "s1", "One", false}, second = {0, "s2", "Two", false};
    user_no who[] = {anna, boris, vera};
    fixture_acts(tx);
    first.no = schools_put(tx->db, &first);
    second.no = schools_put(tx->db, &second);
    for (int i = 0; i < 3; ++i) {
        struct person_row person = {who[i], i == 0 ? "a" : i == 1 ? "b" : "v", "", "", "", DAY_EVER, true, false};
        struct role_row role = {who[i], i < 2 ? first.no : second.no, i == 0 ? ROLE_TEACHER : ROLE_PUPIL, DAY_EVER,
                                DAY_NEVER};
        if (!people_put(tx->db, &person) || !roles_put(tx->db, &role))
            return false;
    }
    return true;
}

static int setup_school(void **state)
{
    struct error e;
    fixture_start_school(&f);
    return people() || !writer_run(f.writer, school_job, NULL, &e);
}

static bool class_job(struct tx *tx, void *arg, struct error *e)
{
    user_no who[] = {anna, boris};
    fixture_acts(tx);
    struct stmt *q = schools_all(tx->db);
    struct school_row school;
    bool found = schools_next(q, &school);
    stmt_end(q);
    struct roster_room_row row = {class_room, ROOM_CLASS, school.no, 1};
    found = found && roster_rooms_put(tx->db, &row);
    for (int i = 0; i < 2; ++i)
        found = found && roster_members_put(tx->db, &(struct roster_member_row){class_room, who[i], i == 0 ? 50 : 0});
    return found;
}

/* Nobody can tell who is in another school from who is nowhere (A1). */
static void an_outsider_and_nobody_are_refused_alike(void **state)
{
    static const char *const OF[] = {VERA, "@nobody:school.example", "@vera:elsewhere.example", "nonsense"};
    static const char *const WHAT[] = {"{\"membership\":\"invite\"}", "{\"membership\":\"leave\"}"};
    struct error e, first;
    room_no room = fixture_room(&f, anna, "12", PRESET_PRIVATE_CHAT, NULL);
    for (int what = 0; what < 2; ++what)
        for (int i = 0; i < 4; ++i) {
            e = (struct error){0};
            assert_false(fixture_write_member(&f, room, anna, OF[i], WHAT[what], &e));
            if (i == 0)
                first = e;
            assert_int_equal(e.code, ERROR_FORBIDDEN);
            assert_string_equal(error_sentence(&e), error_sentence(&first));
            assert_string_equal(e.value, first.value);
            assert_true(e.rule == first.rule);
        }
}

/* E3: what the school says of a room is not taken away by redacting it; messages may be, and names that people give
 * themselves. */
static void the_schools_state_cannot_be_redacted(void **state)
{
    struct error e;
    struct appended name, said;
    class_room = fixture_room(&f, anna, "12", PRESET_PUBLIC_CHAT, NULL);
    assert_true(fixture_send(&f, class_room, anna, "m.room.name", "", "{\"name\":\"5A\"}", NULL, &name, NULL));
    assert_true(writer_run(f.writer, class_job, NULL, &e));
    assert_true(fixture_member(&f, class_room, ACT_INVITE, anna, boris, NULL));
    assert_true(fixture_member(&f, class_room, ACT_JOIN, boris, boris, NULL));
    assert_true(fixture_send(&f, class_room, boris, "m.room.message", NULL, "{\"body\":\"x\"}", NULL, &said, NULL));
    assert_false(fixture_send(&f, class_room, anna, "m.room.redaction", NULL, "{}", name.event_id, NULL, &e));
    assert_string_equal(e.rule, "E3");
    assert_true(fixture_send(&f, class_room, anna, "m.room.redaction", NULL, "{}", said.event_id, NULL, NULL));
    char *left = events_state_content(f.db, class_room, "m.room.name", "");
    assert_string_equal(left, "{\"name\":\"5A\"}");
    free(left);
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define SCHOOL(test) cmocka_unit_test_setup_teardown(test, setup_school, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN(a_member_event_written_as_state_is_an_act), OPEN(a_restricted_room_cannot_be_entered_by_a_forged_voucher),
        OPEN(what_is_said_twice_is_said_once),           OPEN(a_redacted_state_counts_as_what_is_left_of_it),
        OPEN(strangers_learn_nothing_of_a_rooms_events), OPEN(an_annotation_is_made_once),
        OPEN(a_transaction_id_belongs_to_its_path),      SCHOOL(an_outsider_and_nobody_are_refused_alike),
        SCHOOL(the_schools_state_cannot_be_redacted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
