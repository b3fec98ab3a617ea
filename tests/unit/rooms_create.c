/* createRoom: which events a plan makes, in which order, and what is refused as which error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/rooms/read/directory.h"
#include "homeserver/store/matrix/rooms.h"
#include "tests/unit/fixture.h"

static struct fixture f;
static user_no anna;

static int setup(void **state)
{
    fixture_start(&f);
    anna = fixture_user(&f, "anna");
    return anna == 0 || fixture_user(&f, "boris") == 0 || fixture_user(&f, "vera") == 0;
}

static int teardown(void **state)
{
    fixture_stop(&f);
    return 0;
}

static json_t *parsed(const char *text)
{
    struct error e;
    json_t *value = text != NULL ? json_parse(text, strlen(text), &e) : NULL;
    if (text != NULL && value == NULL)
        fail_msg("not JSON: %s", text);
    return value;
}

/* A plan in JSON, as createRoom's body has it. */
struct body {
    const char *version;
    enum room_preset preset;
    const char *creation, *power, *initial, *invite, *alias, *name;
};

static room_no make(const struct body *body, struct error *e)
{
    json_t *creation = parsed(body->creation), *power = parsed(body->power), *initial = parsed(body->initial),
           *invite = parsed(body->invite);
    struct room_plan plan = {
        .creator = anna,
        .version = room_version_get(body->version),
        .preset = body->preset,
        .alias = body->alias,
        .name = body->name,
        .creation_content = creation,
        .power_levels = power,
        .initial_state = initial,
        .invite = invite,
    };
    *e = (struct error){0};
    room_no room = fixture_create(&f, &plan, e);
    json_decref(creation);
    json_decref(power);
    json_decref(initial);
    json_decref(invite);
    return room;
}

/* A short name for each event: the type's last word, with the state key where there is one. */
static void order_of(room_no room, char *out, size_t size)
{
    struct event_row row;
    size_t len = 0;
    struct stmt *q = events_forwards(f.db, room, 0, INT64_MAX, 100);
    while (events_next(q, &row))
        len += (size_t)snprintf(out + len, size - len, "%s%s%.2s", len != 0 ? " " : "", strrchr(row.type, '.') + 1,
                                row.state_key != NULL ? row.state_key : "-");
    stmt_end(q);
}

static void events_come_in_the_order_of_the_specification(void **state)
{
    static const struct {
        struct body body;
        const char *order;
    } CASES[] = {
        {{"12", PRESET_PRIVATE_CHAT}, "create member@a power_levels join_rules history_visibility guest_access"},
        {{"1", PRESET_PUBLIC_CHAT}, "create member@a power_levels join_rules history_visibility guest_access"},
        {{"12", PRESET_PRIVATE_CHAT, .alias = "#club:school.example", .name = "Club",
          .invite = "[\"@boris:school.example\"]",
          .initial =
              "[{\"type\":\"m.room.topic\",\"content\":{}},{\"type\":\"x.y\",\"state_key\":\"k\",\"content\":{}}]"},
         "create member@a power_levels canonical_alias join_rules history_visibility guest_access topic yk name "
         "member@b"},
        {{"12", PRESET_NONE, .initial = "[{\"type\":\"m.room.topic\",\"content\":{}}]"}, "create member@a topic"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char order[1000];
        struct error e;
        room_no room = make(&CASES[i].body, &e);
        if (room == 0)
            fail_msg("case %zu: %s", i, error_sentence(&e));
        order_of(room, order, sizeof order);
        assert_string_equal(order, CASES[i].order);
    }
}

static void what_cannot_be_is_refused_by_its_code_and_leaves_no_room(void **state)
{
    static const struct {
        struct body body;
        enum error_code code;
    } CASES[] = {
        {{"12", PRESET_PRIVATE_CHAT, .alias = "#taken:school.example"}, ERROR_ROOM_IN_USE},
        {{"11", PRESET_PRIVATE_CHAT, .power = "{\"users\":{}}", .name = "n"}, ERROR_INVALID_ROOM_STATE},
        {{"11", PRESET_PRIVATE_CHAT, .power = "{\"state_default\":\"x\"}"}, ERROR_INVALID_ROOM_STATE},
        {{"12", PRESET_PRIVATE_CHAT, .power = "{\"users\":{\"@anna:school.example\":100}}"}, ERROR_INVALID_ROOM_STATE},
        {{"12", PRESET_PRIVATE_CHAT, .creation = "{\"additional_creators\":[\"boris\"]}"}, ERROR_INVALID_ROOM_STATE},
        {{"12", PRESET_TRUSTED_PRIVATE_CHAT, .creation = "{\"additional_creators\":{}}",
          .invite = "[\"@boris:school.example\"]"},
         ERROR_INVALID_ROOM_STATE},
        {{"12", PRESET_PRIVATE_CHAT,
          .initial = "[{\"type\":\"m.room.member\",\"state_key\":\"@boris:school.example\","
                     "\"content\":{\"membership\":\"join\"}}]"},
         ERROR_INVALID_ROOM_STATE},
        {{"12", PRESET_PRIVATE_CHAT, .initial = "[{\"type\":\"m.room.create\",\"content\":{}}]"},
         ERROR_INVALID_ROOM_STATE},
        {{"12", PRESET_PRIVATE_CHAT, .initial = "[{\"type\":\"x\"}]"}, ERROR_BAD_JSON},
        {{"12", PRESET_PRIVATE_CHAT, .initial = "[{\"type\":\"x\",\"content\":{\"n\":1.5}}]"}, ERROR_BAD_JSON},
        {{"12", PRESET_PRIVATE_CHAT,
          .initial = "[{\"type\":\"m.room.canonical_alias\",\"content\":{\"alias\":"
                     "\"#taken:school.example\"}}]"},
         ERROR_BAD_ALIAS},
        {{"12", PRESET_PRIVATE_CHAT, .invite = "[\"@nobody:school.example\"]"}, ERROR_NOT_FOUND},
        {{"12", PRESET_PRIVATE_CHAT, .invite = "[\"@boris:elsewhere.example\"]"}, ERROR_NOT_FOUND},
    };
    struct error e;
    room_no taken = make(&(struct body){"12", PRESET_PUBLIC_CHAT, .alias = "#taken:school.example"}, &e);
    assert_true(taken != 0);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        if (make(&CASES[i].body, &e) != 0 || e.code != CASES[i].code)
            fail_msg("case %zu: %s", i, error_wire_name(e.code));
        char *id = rooms_id_of(f.db, taken + 1);
        assert_null(id);
    }
    assert_int_equal(directory_find(f.db, false, "#taken:school.example", 0), taken);
}

static void initial_state_wins_over_the_preset_and_the_name_over_it(void **state)
{
    struct error e;
    room_no room =
        make(&(struct body){"12", PRESET_PUBLIC_CHAT, .name = "right",
                            .initial = "[{\"type\":\"m.room.join_rules\",\"content\":{\"join_rule\":\"knock\"}},"
                                       "{\"type\":\"m.room.name\",\"content\":{\"name\":\"wrong\"}}]"},
             &e);
    json_t *rules = fixture_content(&f, room, "m.room.join_rules", ""),
           *name = fixture_content(&f, room, "m.room.name", "");
    assert_string_equal(json_get_string(rules, "join_rule"), "knock");
    assert_string_equal(json_get_string(name, "name"), "right");
    json_decref(rules);
    json_decref(name);
}

/* The tombstone's level is above state_default in version 12, whatever the override says of the rest. */
static void the_power_levels_are_those_of_the_version(void **state)
{
    static const struct {
        struct body body;
        int64_t anna, boris, tombstone, invite;
    } CASES[] = {
        {{"11", PRESET_PRIVATE_CHAT}, 100, -1, 100, 0},
        {{"11", PRESET_PUBLIC_CHAT}, 100, -1, 100, 50},
        {{"11", PRESET_TRUSTED_PRIVATE_CHAT, .invite = "[\"@boris:school.example\"]"}, 100, 100, 100, 0},
        {{"12", PRESET_PRIVATE_CHAT}, -1, -1, 150, 0},
        {{"12", PRESET_TRUSTED_PRIVATE_CHAT, .invite = "[\"@boris:school.example\"]"}, -1, -1, 150, 0},
        {{"12", PRESET_PRIVATE_CHAT, .power = "{\"events\":{\"x\":1},\"invite\":7}"}, -1, -1, 150, 7},
        {{"12", PRESET_PRIVATE_CHAT, .power = "{\"state_default\":300}"}, -1, -1, 301, 0},
        {{"12", PRESET_PRIVATE_CHAT, .power = "{\"events\":{\"m.room.tombstone\":60}}"}, -1, -1, 60, 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct error e;
        room_no room = make(&CASES[i].body, &e);
        json_t *levels = fixture_content(&f, room, "m.room.power_levels", ""),
               *users = json_get_object(levels, "users");
        assert_int_equal(json_get_int(users, "@anna:school.example", -1), CASES[i].anna);
        assert_int_equal(json_get_int(users, "@boris:school.example", -1), CASES[i].boris);
        assert_int_equal(json_get_int(json_get_object(levels, "events"), "m.room.tombstone", -1), CASES[i].tombstone);
        assert_int_equal(json_get_int(levels, "invite", -1), CASES[i].invite);
        json_decref(levels);
    }
}

static void the_people_of_a_trusted_chat_become_creators_once(void **state)
{
    struct error e;
    room_no room =
        make(&(struct body){"12", PRESET_TRUSTED_PRIVATE_CHAT,
                            .creation = "{\"additional_creators\":[\"@boris:school.example\"],\"m.federate\":false,"
                                        "\"room_version\":\"1\",\"creator\":\"@vera:school.example\"}",
                            .invite = "[\"@boris:school.example\",\"@vera:school.example\"]"},
             &e);
    char *text = events_state_content(f.db, room, "m.room.create", "");
    assert_string_equal(text, "{\"additional_creators\":[\"@boris:school.example\",\"@vera:school.example\"],"
                              "\"m.federate\":false,\"room_version\":\"12\"}");
    free(text);
}

/* A room's number is used again after its room was rolled back: of the first nothing may be remembered, also when the
 * tables in memory grow and turn round. */
static void a_number_used_again_remembers_nothing(void **state)
{
    struct error e;
    struct appended last = {0}, said;
    assert_int_equal(make(&(struct body){"12", PRESET_PRIVATE_CHAT, .invite = "[\"@nobody:school.example\"]"}, &e), 0);
    room_no room = make(&(struct body){"11", PRESET_PRIVATE_CHAT}, &e);
    for (int i = 0; i < 800; ++i, last = said) {
        struct event_row row;
        char topic[40];
        snprintf(topic, sizeof topic, "{\"topic\":\"%d\"}", i);
        assert_true(make(&(struct body){"12", PRESET_NONE}, &e) != 0);
        assert_true(fixture_send(&f, room, anna, "m.room.topic", "", topic, NULL, &said, NULL));
        struct stmt *q = events_by_pos(f.db, said.pos);
        assert_true(events_next(q, &row));
        assert_int_equal(row.replaces, last.pos);
        assert_int_equal(row.depth, 7 + i);
        stmt_end(q);
    }
}

struct asking {
    room_no room;
    int from;
};

static bool ask_in_vain(struct tx *tx, void *arg, struct error *e)
{
    const struct asking *asking = arg;
    char type[300];
    struct room *room = room_open(f.rooms, tx, asking->room);
    memset(type, 'x', 299);
    type[299] = '\0';
    assert_int_equal(room_state_get(room, tx, type, "")->pos, 0); /* too long to be there: not even remembered */
    for (int i = asking->from; i < asking->from + 1000; ++i) {
        snprintf(type, sizeof type, "x.%d", i);
        assert_int_equal(room_state_get(room, tx, type, "")->pos, 0);
    }
    return room_state_get(room, tx, "m.room.create", "")->pos != 0;
}

/* What clients ask for in vain is remembered too, but not without end. */
static void absent_state_does_not_fill_the_memory(void **state)
{
    struct error e;
    room_no room = make(&(struct body){"12", PRESET_PRIVATE_CHAT}, &e);
    for (int i = 0; i < STATES_CACHED + 5000; i += 1000)
        assert_true(writer_run(f.writer, ask_in_vain, &(struct asking){room, i}, &e));
    assert_true(rooms_states_cached(f.rooms) <= STATES_CACHED + 1001);
}

static bool ask_for_long(struct tx *tx, void *room, struct error *e)
{
    return room_state_get(room_open(f.rooms, tx, *(room_no *)room), tx, "x.long", "")->pos != 0;
}

static void long_state_counts_for_what_it_takes(void **state)
{
    struct error e;
    char content[30100] = "{\"a\":\"";
    room_no room = make(&(struct body){"12", PRESET_PRIVATE_CHAT}, &e);
    memset(content + 6, 'x', 30000);
    strcpy(content + 30006, "\"}");
    assert_true(fixture_send(&f, room, anna, "x.long", "", content, NULL, NULL, NULL));
    size_t before = rooms_states_cached(f.rooms);
    assert_true(writer_run(f.writer, ask_for_long, &room, &e));
    assert_int_equal(rooms_states_cached(f.rooms), before + 1 + strlen(content) / STATE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_in_the_order_of_the_specification),
        cmocka_unit_test(what_cannot_be_is_refused_by_its_code_and_leaves_no_room),
        cmocka_unit_test(initial_state_wins_over_the_preset_and_the_name_over_it),
        cmocka_unit_test(the_power_levels_are_those_of_the_version),
        cmocka_unit_test(the_people_of_a_trusted_chat_become_creators_once),
        cmocka_unit_test(a_number_used_again_remembers_nothing),
        cmocka_unit_test(long_state_counts_for_what_it_takes),
        cmocka_unit_test(absent_state_does_not_fill_the_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
