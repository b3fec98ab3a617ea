/* Aliases, the published rooms, summaries and the tree of a space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/sessions.h"
#include "homeserver/base/fold.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/directory.h"
#include "homeserver/rooms/hierarchy.h"
#include "homeserver/rooms/members.h"
#include "homeserver/rooms/render.h"
#include "homeserver/rooms/summary.h"
#include "homeserver/store/rooms.h"
#include "tests/unit/fixture.h"

static struct fixture f;
static user_no anna, boris, vera;
static struct session by_anna, by_boris, by_vera;
static struct render how;

static int setup(void **state)
{
    fixture_start(&f);
    anna = fixture_user(&f, "anna");
    boris = fixture_user(&f, "boris");
    vera = fixture_user(&f, "vera");
    by_anna = (struct session){.user = anna, .user_id = "@anna:school.example"};
    by_boris = (struct session){.user = boris, .user_id = "@boris:school.example"};
    by_vera = (struct session){.user = vera, .user_id = "@vera:school.example"};
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
    assert_false(directory_set_alias(f.writer, f.rooms, &by_boris, "#a:school.example", id, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
    assert_true(directory_set_alias(f.writer, f.rooms, &by_boris, "#a:school.example", id, &e));
    assert_false(directory_set_alias(f.writer, f.rooms, &by_anna, "#a:school.example", id, &e));
    assert_int_equal(error_status(&e), 409);
    assert_true(directory_set_alias(f.writer, f.rooms, &by_boris, "#b:school.example", id, &e));
    assert_int_equal(directory_find(f.db, false, "#a:school.example", vera), room);
    assert_false(directory_delete_alias(f.writer, f.rooms, &by_vera, "#a:school.example", &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_true(directory_delete_alias(f.writer, f.rooms, &by_boris, "#a:school.example", &e)); /* made it */
    assert_true(directory_delete_alias(f.writer, f.rooms, &by_anna, "#b:school.example", &e));  /* has the power */
    assert_false(directory_delete_alias(f.writer, f.rooms, &by_anna, "#b:school.example", &e));
    assert_int_equal(e.code, ERROR_NOT_FOUND);
    assert_int_equal(directory_find(f.db, false, "#a:school.example", boris), 0);
    free(id);
}

static void publishing_takes_power(void **state)
{
    struct error e;
    room_no room = room_named("secret", PRESET_PUBLIC_CHAT);
    char *id = rooms_id_of(f.db, room);
    assert_false(directory_publish(f.writer, f.rooms, &by_boris, id, true, &e));
    assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
    assert_false(directory_publish(f.writer, f.rooms, &by_boris, id, true, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_true(directory_publish(f.writer, f.rooms, &by_anna, id, true, &e));
    assert_true(directory_publish(f.writer, f.rooms, &by_anna, id, false, &e));
    assert_false(directory_publish(f.writer, f.rooms, &by_anna, "!none:school.example", true, &e));
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
        assert_true(directory_publish(f.writer, f.rooms, &by_anna, id, true, &e));
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
        {"{\"join_rule\":\"public\"}", "shared", true},  {"{\"join_rule\":\"knock\"}", "shared", true},
        {"{\"join_rule\":\"invite\"}", "shared", false}, {"{\"join_rule\":\"invite\"}", "world_readable", true},
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

static room_no space_named(const char *name)
{
    struct making {
        struct room_plan plan;
        room_no room;
    };
    extern room_no space_of(const char *name);
    return space_of(name);
}

static bool space_job(struct tx *tx, void *arg, struct error *e)
{
    json_t *content = json_pack("{s:s}", "type", "m.space");
    struct room *room = room_create(f.rooms, tx, &(struct room_plan){.creator = anna, .version = room_version_get("11"),
                                                                     .preset = PRESET_PRIVATE_CHAT, .name = arg,
                                                                     .creation_content = content}, e);
    json_decref(content);
    return room != NULL;
}
