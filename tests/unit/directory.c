/* Aliases, the published rooms, summaries and the tree of a space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/user_directory.h"
#include "homeserver/base/casefold.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/acts/directory.h"
#include "homeserver/rooms/read/directory.h"
#include "homeserver/rooms/read/hierarchy.h"
#include "homeserver/rooms/read/members.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/summary.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/rooms.h"
#include "tests/unit/fixture.h"

static struct fixture f;
static user_no anna, boris, vera;
static struct render how;

static int setup(void **state)
{
    fixture_start(&f);
    anna = fixture_user(&f, "anna");
    boris = fixture_user(&f, "boris");
    vera = fixture_user(&f, "vera");
    how = (struct render){.db = f.db, .names = f.names};
    return anna == 0 || boris == 0 || vera == 0;
}

static int teardown(void **state)
{
    fixture_stop(&f);
    return 0;
}

static room_no room_named(const char *name, enum room_preset preset)
{
    char content[128];
    room_no room = fixture_room(&f, anna, "11", preset, NULL);
    snprintf(content, sizeof content, "{\"name\":\"%s\"}", name);
    assert_true(fixture_send(&f, room, anna, "m.room.name", "", content, NULL, NULL, NULL));
    return room;
}

static void set_state(room_no room, const char *type, const char *state_key, const char *content)
{
    assert_true(fixture_send(&f, room, anna, type, state_key, content, NULL, NULL, NULL));
}

static void aliases_are_for_members_to_make_and_for_makers_to_delete(void **state)
{
    struct error e;
    room_no room = room_named("aliases", PRESET_PUBLIC_CHAT);
    char *id = rooms_id_of(f.db, room);
    assert_false(directory_set_alias(f.rooms, f.writer, boris, "#a:school.example", id, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
    assert_true(directory_set_alias(f.rooms, f.writer, boris, "#a:school.example", id, &e));
    assert_false(directory_set_alias(f.rooms, f.writer, anna, "#a:school.example", id, &e));
    assert_int_equal(error_status(&e), 409);
    assert_true(directory_set_alias(f.rooms, f.writer, boris, "#b:school.example", id, &e));
    assert_int_equal(directory_find(f.db, false, "#a:school.example", vera), room);
    assert_false(directory_delete_alias(f.rooms, f.writer, vera, false, "#a:school.example", &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_true(directory_delete_alias(f.rooms, f.writer, boris, false, "#a:school.example", &e)); /* made it */
    assert_true(directory_delete_alias(f.rooms, f.writer, anna, false, "#b:school.example", &e));  /* has the power */
    assert_false(directory_delete_alias(f.rooms, f.writer, anna, false, "#b:school.example", &e));
    assert_int_equal(e.code, ERROR_NOT_FOUND);
    assert_int_equal(directory_find(f.db, false, "#a:school.example", boris), 0);
    free(id);
}

struct canonical {
    user_no deletes;
    const char *alias;
    const char *left; /* what the room's state then says */
};

/* The aliases "#a", "#b", "#c" are boris's, the power to say so is anna's. */
static void the_rooms_state_names_no_alias_that_is_deleted(void **state)
{
    const struct canonical CASES[] = {
        {anna, "#b:school.example", "{\"alias\":\"#a:school.example\",\"alt_aliases\":[\"#c:school.example\"]}"},
        {anna, "#c:school.example", "{\"alias\":\"#a:school.example\"}"},
        {anna, "#d:school.example", "{\"alias\":\"#a:school.example\"}"},  /* not named: no event */
        {boris, "#a:school.example", "{\"alias\":\"#a:school.example\"}"}, /* who may not say so may delete it */
    };
    struct error e;
    room_no room = room_named("canonical", PRESET_PUBLIC_CHAT);
    char *id = rooms_id_of(f.db, room);
    assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
    for (char alias[] = "#a:school.example"; alias[1] <= 'd'; ++alias[1])
        assert_true(directory_set_alias(f.rooms, f.writer, boris, alias, id, &e));
    set_state(room, "m.room.canonical_alias", "",
              "{\"alias\": \"#a:school.example\", \"alt_aliases\": [\"#b:school.example\", \"#c:school.example\"]}");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        stream_pos before = events_newest(f.db);
        char *was = events_state_content(f.db, room, "m.room.canonical_alias", "");
        assert_true(directory_delete_alias(f.rooms, f.writer, CASES[i].deletes, false, CASES[i].alias, &e));
        char *left = events_state_content(f.db, room, "m.room.canonical_alias", "");
        assert_string_equal(left, CASES[i].left);
        assert_int_equal(events_newest(f.db) != before, strcmp(was, left) != 0);
        free(was);
        free(left);
    }
    free(id);
}

static void publishing_takes_power(void **state)
{
    struct error e;
    room_no room = room_named("secret", PRESET_PUBLIC_CHAT);
    char *id = rooms_id_of(f.db, room);
    assert_false(directory_publish(f.rooms, f.writer, boris, false, id, true, &e));
    assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
    assert_false(directory_publish(f.rooms, f.writer, boris, false, id, true, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_true(directory_publish(f.rooms, f.writer, anna, false, id, true, &e));
    assert_true(directory_publish(f.rooms, f.writer, anna, false, id, false, &e));
    assert_false(directory_publish(f.rooms, f.writer, anna, false, "!none:school.example", true, &e));
    assert_int_equal(e.code, ERROR_NOT_FOUND);
    free(id);
}

/* The names found, with their number and whether there is a next page. */
static size_t search(const struct directory_search *wanted, char names[256], bool *more)
{
    size_t i;
    json_t *room;
    struct text out = TEXT_INIT;
    directory_render(&out, f.db, wanted);
    json_t *page = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(page);
    names[0] = '\0';
    json_array_foreach(json_get_array(page, "chunk"), i, room) {
        strcat(names, json_get_string(room, "name"));
        strcat(names, ",");
    }
    *more = json_get_string(page, "next_batch") != NULL;
    i = (size_t)json_get_int(page, "total_room_count_estimate", -1);
    json_decref(page);
    text_finish(&out);
    return i;
}

static void published_rooms_are_found_paged_and_sorted(void **state)
{
    static const char *const NONE[] = {NULL}, *const SPACE[] = {"m.space"};
    static const struct {
        struct directory_search search;
        const char *names;
        bool more;
    } CASES[] = {
        {{.n_types = -1, .limit = 10}, "Кружок Робототехники,chess,go,", false}, /* most members first */
        {{.n_types = -1, .limit = 2}, "Кружок Робототехники,chess,", true},
        {{.n_types = -1, .limit = 2, .from = 2}, "go,", false},
        {{.n_types = -1, .limit = 2, .from = 9}, "", false},
        {{.n_types = -1, .limit = 10, .term = "РОБОТ"}, "Кружок Робототехники,", false},
        {{.n_types = -1, .limit = 10, .term = "board GAME"}, "go,", false}, /* the topic */
        {{.n_types = -1, .limit = 10, .term = "tennis"}, "", false},
        {{.types = NONE, .n_types = 1, .limit = 10}, "Кружок Робототехники,chess,go,", false},
        {{.types = SPACE, .n_types = 1, .limit = 10}, "", false},
        {{.n_types = 0, .limit = 10}, "", false},
    };
    struct error e;
    const char *names[] = {"chess", "go", "Кружок Робототехники"};
    for (int i = 0; i < 3; ++i) {
        room_no room = room_named(names[i], PRESET_PUBLIC_CHAT);
        char *id = rooms_id_of(f.db, room);
        if (i == 1)
            set_state(room, "m.room.topic", "", "{\"topic\":\"a Board Game\"}");
        if (i == 2)
            assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
        assert_true(directory_publish(f.rooms, f.writer, anna, false, id, true, &e));
        free(id);
    }
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char found[256];
        bool more;
        search(&CASES[i].search, found, &more);
        assert_string_equal(found, CASES[i].names);
        assert_int_equal(more, CASES[i].more);
    }
}

static void a_summary_is_for_who_may_come_in(void **state)
{
    static const struct {
        const char *rules, *visibility;
        bool stranger;
    } CASES[] = {
        {"{\"join_rule\":\"public\"}", "shared", true},   {"{\"join_rule\":\"knock\"}", "shared", true},
        {"{\"join_rule\":\"invite\"}", "shared", false},  {"{\"join_rule\":\"invite\"}", "world_readable", true},
        {"{\"join_rule\":\"private\"}", "shared", false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char content[64];
        struct summary summary;
        room_no room = room_named("summary", PRESET_PRIVATE_CHAT);
        set_state(room, "m.room.join_rules", "", CASES[i].rules);
        snprintf(content, sizeof content, "{\"history_visibility\":\"%s\"}", CASES[i].visibility);
        set_state(room, "m.room.history_visibility", "", content);
        assert_true(fixture_member(&f, room, ACT_INVITE, anna, boris, NULL));
        assert_true(summary_load(&summary, f.db, room));
        assert_int_equal(summary_open_to(&summary, f.db, vera), CASES[i].stranger);
        assert_int_equal(summary_open_to(&summary, f.db, 0), CASES[i].stranger);
        assert_true(summary_open_to(&summary, f.db, boris));
        assert_true(summary_open_to(&summary, f.db, anna));
        summary_finish(&summary);
    }
}

struct space_plan {
    const char *name;
    room_no room;
};

static bool space_job(struct tx *tx, void *arg, struct error *e)
{
    struct space_plan *space = arg;
    json_t *content = json_pack("{s:s}", "type", "m.space");
    struct room_plan plan = {.creator = anna,
                             .version = room_version_get("11"),
                             .preset = PRESET_PRIVATE_CHAT,
                             .name = space->name,
                             .creation_content = content};
    struct room *room = room_create(f.rooms, tx, &plan, e);
    space->room = room != NULL ? room->no : 0;
    json_decref(content);
    return room != NULL;
}

static room_no space_named(const char *name)
{
    struct error e;
    struct space_plan space = {.name = name};
    assert_true(writer_run(f.writer, space_job, &space, &e));
    return space.room;
}

static void add_child(room_no space, room_no child, const char *content)
{
    char *id = rooms_id_of(f.db, child);
    set_state(space, "m.space.child", id, content);
    free(id);
}

/* The names of the rooms in order. */
static void tree(const struct hierarchy_wanted *wanted, char names[256], bool *more)
{
    size_t i;
    json_t *room;
    struct text out = TEXT_INIT;
    names[0] = '\0';
    if (hierarchy_render(&out, &how, wanted, more)) {
        json_t *rooms = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(rooms);
        json_array_foreach(rooms, i, room) {
            strcat(names, json_get_string(room, "name"));
            strcat(names, ",");
        }
        json_decref(rooms);
    }
    text_finish(&out);
}

static void a_space_shows_its_tree(void **state)
{
    room_no school = space_named("school"), class = space_named("5a"), chat = room_named("chat", PRESET_PUBLIC_CHAT);
    room_no staff = room_named("staff", PRESET_PRIVATE_CHAT), trips = room_named("trips", PRESET_PUBLIC_CHAT);
    struct {
        struct hierarchy_wanted wanted;
        const char *names;
        bool more;
    } cases[] = {
        {{.user = anna, .max_depth = 9, .limit = 9}, "school,trips,5a,chat,staff,", false},
        {{.user = anna, .max_depth = 1, .limit = 9}, "school,trips,5a,staff,", false},
        {{.user = anna, .max_depth = 0, .limit = 9}, "school,", false},
        {{.user = anna, .max_depth = 9, .limit = 2}, "school,trips,", true},
        {{.user = anna, .max_depth = 9, .limit = 2, .from = 2}, "5a,chat,", true},
        {{.user = anna, .max_depth = 9, .limit = 2, .from = 4}, "staff,", false},
        {{.user = anna, .max_depth = 9, .limit = 9, .suggested_only = true}, "school,5a,", false},
        {{.user = boris, .max_depth = 9, .limit = 9}, "school,trips,", false}, /* what is closed is not entered */
        {{.user = vera, .max_depth = 9, .limit = 9}, "", false},
    };
    add_child(school, class, "{\"order\":\"b\",\"suggested\":true,\"via\":[\"school.example\"]}");
    add_child(school, staff, "{\"via\":[\"school.example\"]}"); /* without an order: last */
    add_child(school, trips, "{\"order\":\"a\",\"via\":[\"school.example\"]}");
    add_child(school, room_named("not any more", PRESET_PUBLIC_CHAT), "{}");
    add_child(class, chat, "{\"via\":[\"school.example\"]}");
    add_child(class, school, "{\"via\":[\"school.example\"]}"); /* a circle */
    assert_true(fixture_member(&f, school, ACT_INVITE, anna, boris, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char names[256];
        bool more = false;
        cases[i].wanted.root = school;
        tree(&cases[i].wanted, names, &more);
        assert_string_equal(names, cases[i].names);
        assert_int_equal(more, cases[i].more);
    }
}

static void members_are_told_by_membership(void **state)
{
    static const struct {
        enum membership only, without;
        size_t n;
    } CASES[] = {{MEMBERSHIP_NONE, MEMBERSHIP_NONE, 3},
                 {MEMBERSHIP_JOIN, MEMBERSHIP_NONE, 1},
                 {MEMBERSHIP_LEAVE, MEMBERSHIP_NONE, 1},
                 {MEMBERSHIP_NONE, MEMBERSHIP_LEAVE, 2}};
    struct text out = TEXT_INIT;
    room_no room = room_named("members", PRESET_PUBLIC_CHAT);
    assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
    stream_pos both = writer_pos(f.writer);
    assert_true(fixture_member(&f, room, ACT_INVITE, anna, vera, NULL));
    assert_true(fixture_member(&f, room, ACT_LEAVE, boris, boris, NULL));
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        text_clear(&out);
        members_render(&out, &how, &(struct members_wanted){room, INT64_MAX, CASES[i].only, CASES[i].without});
        json_t *list = json_loads(out.data, 0, NULL);
        assert_int_equal(json_array_size(list), CASES[i].n);
        json_decref(list);
    }
    text_clear(&out);
    members_render(&out, &how, &(struct members_wanted){room, both, MEMBERSHIP_JOIN, MEMBERSHIP_NONE});
    json_t *list = json_loads(out.data, 0, NULL);
    assert_int_equal(json_array_size(list), 2);
    json_decref(list);
    text_clear(&out);
    members_render_joined(&out, f.db, room);
    assert_string_equal(out.data, "{\"@anna:school.example\":{\"avatar_url\":null,\"display_name\":null}}");
    text_finish(&out);
}

/* Nor by which keyboard й was typed: as one character or as и and a breve. */
static void searching_minds_no_case(void **state)
{
    static const struct {
        const char *s, *folded;
    } CASES[] = {{"", ""},
                 {"ABC xyz 1", "abc xyz 1"},
                 {"ИВАНОВ Пётр", "иванов петр"},
                 {"ЁЛКА", "елка"},
                 {"Ünlü ÉCOLE", "ünlü école"},
                 {"😀Ω漢", "😀ω漢"},
                 {"Андре\u0438\u0306", "андрей"},
                 {"\u0415\u0322\u0308\u0308лка", "е\u0322лка"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char *folded = casefold(CASES[i].s);
        assert_string_equal(folded, CASES[i].folded);
        free(folded);
    }
    assert_true(casefold_contains("Пётр Иванов", "иван"));
    assert_false(casefold_contains("Пётр Иванов", "иванова"));
    assert_false(casefold_contains(NULL, ""));
}

static bool name_job(struct tx *tx, void *arg, struct error *e)
{
    return profiles_put(tx, boris, "displayname", "\"Борис Петров\"") &&
           profiles_put(tx, vera, "displayname", "\"Вера \\\"Ё\\\"\"");
}

static bool school_job(struct tx *tx, void *arg, struct error *e)
{
    return db_script(tx->db, arg);
}

static void people_are_found_by_name_and_id(void **state)
{
    static const struct {
        const char *term;
        bool school_mode;
        size_t limit;
        const char *found;
        bool limited;
    } CASES[] = {
        {"борис", false, 9, "@boris:school.example,", false},
        {"петров БОРИС", false, 9, "@boris:school.example,", false},
        {"петров вера", false, 9, "", false},
        {"вера \"е\"", false, 9, "@vera:school.example,", false},
        {"@bor", false, 9, "@boris:school.example,", false},
        {"anna", false, 9, "", false}, /* oneself */
        {"", false, 9, "", false},
        {"example", false, 1, "@boris:school.example,", true},
        {"в", false, 9, "@vera:school.example,@boris:school.example,", false}, /* who begins with it first */
        {"example", true, 9, "@vera:school.example,", false}, /* boris shares neither school nor room */
    };
    struct error e;
    assert_true(writer_run(f.writer, name_job, NULL, &e));
    assert_true(writer_run(f.writer, school_job,
                           "INSERT INTO schools (school_no, sourced_id, name) VALUES (1,'s','S');"
                           "INSERT INTO people (user_no, sourced_id, given_name, family_name, middle_name)"
                           " SELECT user_no, localpart, '', '', '' FROM users WHERE localpart IN ('anna', 'vera');"
                           "INSERT INTO roles (user_no, school_no, role) SELECT user_no, 1, 'teacher' FROM people",
                           &e));
    assert_true(writer_run(f.writer, school_job, "DELETE FROM memberships", &e));
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        size_t k;
        json_t *person;
        struct text out = TEXT_INIT, found = TEXT_INIT;
        user_directory_render(
            &out, f.db,
            &(struct people_search){anna, "school.example", CASES[i].school_mode, CASES[i].term, CASES[i].limit});
        json_t *page = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(page);
        text_adds(&found, "");
        json_array_foreach(json_get_array(page, "results"), k, person)
            text_addf(&found, "%s,", json_get_string(person, "user_id"));
        assert_string_equal(found.data, CASES[i].found);
        assert_int_equal(json_get_bool(page, "limited", !CASES[i].limited), CASES[i].limited);
        json_decref(page);
        text_finish(&out);
        text_finish(&found);
    }
}

static void external_staff_have_no_directory(void **state)
{
    struct error e;
    struct text out = TEXT_INIT;
    assert_true(writer_run(f.writer, school_job,
                           "UPDATE roles SET role = 'external' WHERE user_no ="
                           " (SELECT user_no FROM users WHERE localpart = 'anna')",
                           &e));
    user_directory_render(&out, f.db, &(struct people_search){anna, "school.example", true, "example", 9});
    assert_string_equal(out.data, "{\"limited\":false,\"results\":[]}");
    text_clear(&out);
    user_directory_render(&out, f.db, &(struct people_search){vera, "school.example", true, "example", 9});
    assert_string_equal(out.data, "{\"limited\":false,\"results\":[]}");
    text_finish(&out);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(aliases_are_for_members_to_make_and_for_makers_to_delete),
        cmocka_unit_test(the_rooms_state_names_no_alias_that_is_deleted),
        cmocka_unit_test(publishing_takes_power),
        cmocka_unit_test(published_rooms_are_found_paged_and_sorted),
        cmocka_unit_test(a_summary_is_for_who_may_come_in),
        cmocka_unit_test(a_space_shows_its_tree),
        cmocka_unit_test(members_are_told_by_membership),
        cmocka_unit_test(searching_minds_no_case),
        cmocka_unit_test(people_are_found_by_name_and_id), /* these two empty the rooms: last */
        cmocka_unit_test(external_staff_have_no_directory),
    };
    return cmocka_run_group_tests(TESTS, setup, teardown);
}
