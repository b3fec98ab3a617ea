/* Whom and what state may name (school.md A1, G4): what stands in a room already is named on by who reads it there, and
 * naming many anew is bounded and costs the writer's thread little. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/rooms/gate_names.h"
#include "homeserver/store/matrix/rooms.h"
#include "tests/unit/gate_world.h"

#define LEVELS "m.room.power_levels"
#define RULES "m.room.join_rules"

static room_no club(enum who of)
{
    struct error e;
    room_no room = fixture_create(
        &s.f,
        &(struct room_plan){
            .creator = s.them[of], .version = room_version_get("12"), .preset = PRESET_PRIVATE_CHAT, .name = "club"},
        &e);
    assert_int_not_equal(room, 0);
    return room;
}

static bool put(enum who who, room_no room, const char *type, json_t *content, struct error *e)
{
    char *text = json_dumps(content, 0);
    bool done = fixture_send(&s.f, room, s.them[who], type, "", text, NULL, NULL, e);
    free(text);
    json_decref(content);
    return done;
}

/* level: of whom it names, so that it is another event each time. */
static json_t *levels(enum who named, int level)
{
    return json_pack("{s:{s:i}}", "users", id_of(named), level);
}

static json_t *restricted_to(room_no room)
{
    char *id = rooms_id_of(s.f.db, room);
    json_t *content = json_pack("{s:s, s:[{s:s, s:s}]}", "join_rule", "restricted", "allow", "type",
                                "m.room_membership", "room_id", id);
    free(id);
    return content;
}

struct role_change {
    enum who who;
    enum school school;
    school_day end;
};

static bool change_role(struct tx *tx, void *arg, struct error *e)
{
    const struct role_change *c = arg;
    fixture_acts(tx);
    return roles_put(tx->db,
                     &(struct role_row){s.them[c->who], s.schools[c->school], ROLE_TEACHER, DAY_EVER, c->end, "test"});
}

static void at(enum who who, enum school school, school_day end)
{
    struct error e;
    assert_true(writer_run(s.f.writer, change_role, &(struct role_change){who, school, end}, &e));
}

static void assert_refused(bool done, const struct error *e, const char *rule)
{
    assert_false(done);
    assert_string_equal(e->rule != NULL ? e->rule : "", rule);
}

static void assert_moved(room_no room, enum who named, int level)
{
    json_auto_t *now = fixture_content(&s.f, room, LEVELS, "");
    assert_int_equal(json_get_int(json_get_object(now, "users"), id_of(named), -1), level);
}

/* A colleague who never was in the room goes from the school. */
static void who_stands_in_power_levels_is_named_on(void **state)
{
    struct error e;
    room_no room = club(T1), other = club(T1);
    assert_true(put(T1, room, LEVELS, levels(T3, 50), &e));
    at(T3, ONE, 20200101);
    assert_refused(put(T1, other, LEVELS, levels(T3, 50), &e), &e, "G4");
    assert_true(put(T1, room, LEVELS, levels(T3, 10), &e));
    assert_moved(room, T3, 10);
    room_no next = fixture_upgrade(&s.f, room, s.them[T1], "11", NULL, &e);
    assert_int_not_equal(next, 0);
    assert_moved(next, T3, 10);
    assert_true(fixture_member(&s.f, room, ACT_LEAVE, s.them[T1], s.them[T1], &e));
    json_auto_t *now = fixture_content(&s.f, next, LEVELS, "");
    json_object_set_new(json_object_get(now, "users"), id_of(T3), json_integer(20));
    assert_true(put(T1, next, LEVELS, json_incref(now), &e));
    assert_moved(next, T3, 20);
    /* Once it is out, it stands there no more. */
    json_object_del(json_object_get(now, "users"), id_of(T3));
    assert_true(put(T1, next, LEVELS, json_deep_copy(now), &e));
    json_object_set_new(json_object_get(now, "users"), id_of(T3), json_integer(20));
    assert_refused(put(T1, next, LEVELS, json_incref(now), &e), &e, "G4");
}

/* Who is not in the room learns nothing of what stands in it. */
static void who_is_outside_is_answered_alike(void **state)
{
    struct error e, nobody;
    room_no room = club(T1);
    assert_true(put(T1, room, LEVELS, levels(T3, 50), &e));
    at(T3, ONE, 20200101);
    assert_false(put(T2, room, LEVELS, levels(T3, 50), &e));
    assert_false(put(T2, room, LEVELS, json_pack("{s:{s:i}}", "users", "@nobody:school.example", 50), &nobody));
    assert_int_equal(e.code, nobody.code);
    assert_string_equal(e.rule != NULL ? e.rule : "", nobody.rule != NULL ? nobody.rule : "");
}

/* Of a teacher of two schools a room of the second, once they are there no more. */
static void what_stands_in_join_rules_goes_with_the_room(void **state)
{
    struct error e;
    room_no room = club(T1), other = club(T1), theirs = club(XT);
    at(T1, TWO, DAY_NEVER);
    assert_true(put(T1, room, RULES, restricted_to(theirs), &e));
    at(T1, TWO, 20200101);
    assert_refused(put(T1, other, RULES, restricted_to(theirs), &e), &e, "G4");
    json_auto_t *wanted = fixture_content(&s.f, room, RULES, "");
    room_no next = fixture_upgrade(&s.f, room, s.them[T1], "12", NULL, &e);
    assert_int_not_equal(next, 0);
    json_auto_t *now = fixture_content(&s.f, next, RULES, "");
    assert_true(json_equal(now, wanted));
    assert_true(put(T1, next, RULES, json_pack("{s:s}", "join_rule", "invite"), &e));
    assert_true(put(T1, next, RULES, restricted_to(theirs), &e)); /* the old one's still says it */
}

/* --- Many --- */

static bool hire(struct tx *tx, void *arg, struct error *e)
{
    fixture_acts(tx);
    for (int i = 0; i < *(const int *)arg; ++i) {
        char name[16];
        snprintf(name, sizeof name, "new%d", i);
        struct person_row person = {.sourced_id = name,
                                    .given = name,
                                    .family = "",
                                    .middle = "",
                                    .enabled = true,
                                    .source = "t",
                                    .version = 1};
        person.no = users_insert(tx, name, NULL, ACCOUNT_ACTIVE, false);
        struct role_row role = {person.no, s.schools[ONE], ROLE_TEACHER, DAY_EVER, DAY_NEVER, "test"};
        if (person.no == 0 || !people_put(tx->db, &person) || !roles_put(tx->db, &role))
            return false;
    }
    return true;
}

static json_t *hired(int first, int last)
{
    json_t *users = json_object();
    for (int i = first; i < last; ++i) {
        char id[40];
        snprintf(id, sizeof id, "@new%d:school.example", i);
        json_object_set_new(users, id, json_integer(1));
    }
    return json_pack("{s:o}", "users", users);
}

struct naming {
    room_no room;
    json_t *content;
    int fails; /* at which statement */
    bool within;
};

/* Changes nothing. */
static bool name_them(struct tx *tx, void *arg, struct error *e)
{
    struct naming *n = arg;
    struct appended out;
    struct room *room = room_open(s.f.rooms, tx, n->room);
    db_fail_after(tx->db, n->fails);
    append_event(room, tx,
                 &(struct draft){.sender = s.them[T1], .type = LEVELS, .state_key = "", .content = n->content}, &out,
                 e);
    n->within = !db_failed(tx->db);
    db_fail_after(tx->db, 0);
    return false;
}

static int statements(room_no room, json_t *content)
{
    int low = 0, high = 1 << 16;
    while (high - low > 1) {
        struct error e;
        struct naming n = {room, content, (low + high) / 2, false};
        writer_run(s.f.writer, name_them, &n, &e);
        *(n.within ? &high : &low) = (low + high) / 2;
    }
    json_decref(content);
    return low;
}

static void naming_many_is_bounded_and_cheap(void **state)
{
    struct error e;
    int people = 2 * NAMED_ANEW_MAX;
    room_no room = club(T1);
    assert_true(writer_run(s.f.writer, hire, &people, &e));
    int none = statements(room, hired(0, 0)), most = statements(room, hired(0, NAMED_ANEW_MAX)),
        more = statements(room, hired(0, NAMED_ANEW_MAX + 1));
    if (most - none > 9 * NAMED_ANEW_MAX || more > most)
        fail_msg("%d statements, %d for the most, %d for more", none, most, more);
    assert_false(put(T1, room, LEVELS, hired(0, NAMED_ANEW_MAX + 1), &e));
    assert_int_equal(e.code, ERROR_BOUND);
    assert_string_equal(e.value, "named_anew: 100");
    json_auto_t *said = hired(0, NAMED_ANEW_MAX + 1); /* a message of that type costs the same */
    char *text = json_dumps(said, 0);
    assert_false(fixture_send(&s.f, room, s.them[T1], LEVELS, NULL, text, NULL, NULL, &e));
    assert_string_equal(e.value != NULL ? e.value : "", "named_anew: 100");
    free(text);
    json_auto_t *nobody = hired(people, people + NAMED_ANEW_MAX + 1); /* whoever they are */
    assert_false(put(T1, room, LEVELS, json_incref(nobody), &e));
    assert_string_equal(e.value, "named_anew: 100");
    assert_true(put(T1, room, LEVELS, hired(0, NAMED_ANEW_MAX), &e));
    assert_true(put(T1, room, LEVELS, hired(0, 2 * NAMED_ANEW_MAX), &e)); /* half of them stand there */
    int standing = statements(room, hired(0, 2 * NAMED_ANEW_MAX));
    if (standing - none > 2 * NAMED_ANEW_MAX + 10)
        fail_msg("%d statements, %d for those who stand there", none, standing);
    room_no next = fixture_upgrade(&s.f, room, s.them[T1], "12", NULL, &e);
    json_auto_t *carried = fixture_content(&s.f, next, LEVELS, "");
    assert_int_equal(json_object_size(json_get_object(carried, "users")), 2 * NAMED_ANEW_MAX);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(who_stands_in_power_levels_is_named_on),
        CASE(who_is_outside_is_answered_alike),
        CASE(what_stands_in_join_rules_goes_with_the_room),
        CASE(naming_many_is_bounded_and_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
