/* Room upgrades: what goes with the room, what stays, who may, and what becomes of the old one. */
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
static user_no anna, boris, vera;

static int setup(void **state)
{
    fixture_start(&f);
    anna = fixture_user(&f, "anna");
    boris = fixture_user(&f, "boris");
    vera = fixture_user(&f, "vera");
    return anna == 0 || boris == 0 || vera == 0;
}

static int teardown(void **state)
{
    fixture_stop(&f);
    return 0;
}

static void put(room_no room, const char *type, const char *state_key, const char *content)
{
    assert_true(fixture_send(&f, room, anna, type, state_key, content, NULL, NULL, NULL));
}

static room_no room_with(const char *version, const char *alias)
{
    struct error e;
    room_no room = fixture_create(&f,
                                  &(struct room_plan){.creator = anna,
                                                      .version = room_version_get(version),
                                                      .preset = PRESET_PUBLIC_CHAT,
                                                      .alias = alias,
                                                      .name = "Club",
                                                      .published = true},
                                  &e);
    assert_true(room != 0);
    assert_true(fixture_member(&f, room, ACT_JOIN, boris, boris, NULL));
    assert_true(fixture_member(&f, room, ACT_BAN, anna, vera, NULL));
    put(room, "m.space.child", "!kid:school.example", "{\"via\":[\"school.example\"]}");
    put(room, "x.club.rules", "", "{\"of\":\"anna\"}");
    put(room, "m.room.encryption", "", "{\"algorithm\":\"m.megolm.v1.aes-sha2\"}");
    return room;
}

static void assert_state(room_no room, const char *type, const char *state_key, const char *wanted)
{
    char *text = events_state_content(f.db, room, type, state_key);
    if (wanted == NULL)
        assert_null(text);
    else
        assert_string_equal(text != NULL ? text : "(none)", wanted);
    free(text);
}

static void assert_moved(room_no old, room_no new, const char *alias)
{
    struct room_row row;
    char wanted[ID_BYTES_MAX + 20], *old_id = rooms_id_of(f.db, old), *new_id = rooms_id_of(f.db, new);
    snprintf(wanted, sizeof wanted, "{\"alias\":\"%s\"}", alias);
    assert_state(new, "m.room.name", "", "{\"name\":\"Club\"}");
    assert_state(new, "m.room.encryption", "", "{\"algorithm\":\"m.megolm.v1.aes-sha2\"}");
    assert_state(new, "m.room.join_rules", "", "{\"join_rule\":\"public\"}");
    assert_state(new, "m.space.child", "!kid:school.example", "{\"via\":[\"school.example\"]}");
    assert_state(new, "x.club.rules", "", NULL);
    assert_state(new, "m.room.canonical_alias", "", wanted);
    assert_state(old, "m.room.canonical_alias", "", "{}");
    assert_int_equal(directory_find(f.db, false, alias, 0), new);
    assert_int_equal(memberships_of(f.db, new, vera), MEMBERSHIP_BAN);
    assert_int_equal(memberships_of(f.db, new, boris), MEMBERSHIP_NONE);
    assert_int_equal(memberships_of(f.db, old, boris), MEMBERSHIP_JOIN);
    json_t *create = fixture_content(&f, new, "m.room.create", ""),
           *tombstone = fixture_content(&f, old, "m.room.tombstone", "");
    const json_t *before = json_get_object(create, "predecessor");
    assert_string_equal(json_get_string(before, "room_id"), old_id);
    struct event_row last;
    struct stmt *named = events_by_id(f.db, json_get_string(before, "event_id"));
    assert_true(events_next(named, &last) && last.room == old);
    stmt_end(named);
    assert_string_equal(json_get_string(tombstone, "replacement_room"), new_id);
    for (int i = 0; i < 2; ++i) {
        struct stmt *q = rooms_get(f.db, i == 0 ? old : new);
        assert_true(rooms_next(q, &row) && row.published == (i == 1));
        stmt_end(q);
    }
    json_decref(create);
    json_decref(tombstone);
    free(old_id);
    free(new_id);
}

static void every_version_becomes_every_other(void **state)
{
    char alias[ID_BYTES_MAX];
    for (size_t from = 0; room_version_at(from) != NULL; ++from)
        for (size_t to = from % 3; room_version_at(to) != NULL; to += 3) {
            struct error e;
            snprintf(alias, sizeof alias, "#club-%zu-%zu:school.example", from, to);
            room_no old = room_with(room_version_at(from)->name, alias);
            room_no new = fixture_upgrade(&f, old, anna, room_version_at(to)->name, NULL, &e);
            if (new == 0)
                fail_msg("%s to %s: %s", room_version_at(from)->name, room_version_at(to)->name, error_sentence(&e));
            assert_moved(old, new, alias);
            assert_false(fixture_send(&f, old, boris, "m.room.message", NULL, "{\"body\":\"x\"}", NULL, NULL, &e));
            assert_true(fixture_member(&f, new, ACT_JOIN, boris, boris, NULL));
            assert_true(fixture_send(&f, new, boris, "m.room.message", NULL, "{\"body\":\"x\"}", NULL, NULL, NULL));
            put(new, "m.room.power_levels", "", "{}"); /* who upgraded has the power to */
        }
}

/* The levels as they are in the new room. old: what the old room's power levels hold beside anna's 100. */
static void levels_fit_the_new_version(void **state)
{
    static const struct {
        const char *from, *to, *users, *creators;
        int64_t anna, boris;
    } CASES[] = {
        {"9", "10", "{\"@anna:school.example\":\"100\",\"@boris:school.example\":\" 60 \"}", NULL, 100, 60},
        {"9", "9", "{\"@anna:school.example\":100,\"@boris:school.example\":60}", NULL, 100, 60},
        {"11", "12", "{\"@anna:school.example\":100,\"@boris:school.example\":60}", NULL, -1, 60},
        {"11", "12", "{\"@anna:school.example\":100,\"@boris:school.example\":60}", "[\"@boris:school.example\"]", -1,
         -1},
        {"12", "11", "{\"@boris:school.example\":60}", "[\"@boris:school.example\"]", 100, 60},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct error e;
        char levels[400];
        room_no old = fixture_room(&f, anna, CASES[i].from, PRESET_PRIVATE_CHAT, NULL);
        snprintf(levels, sizeof levels, "{\"users\":%s,\"events\":{\"m.room.tombstone\":50}}", CASES[i].users);
        put(old, "m.room.power_levels", "", levels);
        room_no new = fixture_upgrade(&f, old, anna, CASES[i].to, CASES[i].creators, &e);
        if (new == 0)
            fail_msg("case %zu: %s", i, error_sentence(&e));
        json_t *now = fixture_content(&f, new, "m.room.power_levels", ""),
               *create = fixture_content(&f, new, "m.room.create", "");
        const json_t *users = json_get_object(now, "users");
        assert_int_equal(json_get_int(users, "@anna:school.example", -1), CASES[i].anna);
        assert_int_equal(json_get_int(users, "@boris:school.example", -1), CASES[i].boris);
        assert_int_equal(json_array_size(json_get_array(create, "additional_creators")),
                         CASES[i].creators != NULL && strcmp(CASES[i].to, "12") == 0);
        json_decref(now);
        json_decref(create);
    }
}

/* A moderator who may bury the room, but neither ban nor change its powers, can upgrade it whole. */
static void the_power_to_bury_is_enough(void **state)
{
    struct error e;
    room_no old = room_with("11", "#moderated:school.example");
    put(old, "m.room.power_levels", "",
        "{\"users\":{\"@anna:school.example\":100,\"@boris:school.example\":50},\"ban\":90,"
        "\"events\":{\"m.room.tombstone\":50,\"m.room.power_levels\":100}}");
    room_no new = fixture_upgrade(&f, old, boris, "11", NULL, &e);
    if (new == 0)
        fail_msg("%s", error_sentence(&e));
    assert_int_equal(memberships_of(f.db, new, vera), MEMBERSHIP_BAN);
    assert_int_equal(memberships_of(f.db, new, boris), MEMBERSHIP_JOIN);
}

static void who_may_not_changes_nothing(void **state)
{
    struct error e;
    room_no old = room_with("12", "#kept:school.example");
    assert_int_equal(fixture_upgrade(&f, old, boris, "12", NULL, &e), 0);
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_int_equal(fixture_upgrade(&f, old, vera, "12", NULL, &e), 0);
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_state(old, "m.room.tombstone", "", NULL);
    assert_int_equal(directory_find(f.db, false, "#kept:school.example", 0), old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version_becomes_every_other),
        cmocka_unit_test(levels_fit_the_new_version),
        cmocka_unit_test(the_power_to_bury_is_enough),
        cmocka_unit_test(who_may_not_changes_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
