/* Events as clients see them. Expected values are JSON; "age" is checked apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/read/relations.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/visibility.h"
#include "tests/unit/fixture.h"

static struct fixture f;
static user_no anna, boris;
static room_no room;
static struct render how;

static int setup(void **state)
{
    fixture_start(&f);
    anna = fixture_user(&f, "anna");
    boris = fixture_user(&f, "boris");
    room = fixture_room(&f, anna, "11", PRESET_PRIVATE_CHAT, NULL);
    fixture_member(&f, room, ACT_INVITE, anna, boris, NULL);
    fixture_member(&f, room, ACT_JOIN, boris, boris, NULL);
    how = (struct render){.db = f.db, .names = f.names, .room_id = "!r:school.example", .viewer = anna};
    return room == 0;
}

static int teardown(void **state)
{
    fixture_stop(&f);
    return 0;
}

/* The event as JSON; a new reference. */
static json_t *rendered(stream_pos pos)
{
    struct text out = TEXT_INIT;
    struct event_row *row = event_at(f.db, pos);
    assert_non_null(row);
    how.now_ms = row->ts + 5;
    render_event(&out, &how, row);
    json_t *event = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
    if (event == NULL)
        fail_msg("not JSON: %s", out.data);
    free(row);
    text_finish(&out);
    return event;
}

static struct appended say_in(room_no where, user_no who, const char *type, const char *content)
{
    struct appended said;
    assert_true(fixture_send(&f, where, who, type, NULL, content, NULL, &said, NULL));
    return said;
}

static struct appended say(user_no who, const char *content)
{
    return say_in(room, who, "m.room.message", content);
}

/* An event of sender that relates to target. more: further content, beginning with a comma, or "". */
static struct appended relate(user_no who, const char *rel_type, const char *target, const char *more)
{
    char content[512];
    snprintf(content, sizeof content, "{\"body\":\"x\",\"m.relates_to\":{\"event_id\":\"%s\",\"rel_type\":\"%s\"}%s}",
             target, rel_type, more);
    return say(who, content);
}

static json_t *relations_of(json_t *event)
{
    return json_get_object(json_get_object(event, "unsigned"), "m.relations");
}

static void a_message_has_these_keys_and_no_others(void **state)
{
    struct appended said = say(boris, "{\"body\":\"quote \\\" and\\nline\",\"msgtype\":\"m.text\"}");
    json_t *event = rendered(said.pos);
    json_t *expected =
        json_pack("{s:{s:s,s:s}, s:s, s:I, s:s, s:s, s:s, s:{s:i}}", "content", "body", "quote \" and\nline", "msgtype",
                  "m.text", "event_id", said.event_id, "origin_server_ts",
                  json_integer_value(json_object_get(event, "origin_server_ts")), "room_id", "!r:school.example",
                  "sender", "@boris:school.example", "type", "m.room.message", "unsigned", "age", 5);
    assert_true(json_equal(event, expected));
    json_decref(event);
    json_decref(expected);
}

static void a_state_event_says_what_it_replaced(void **state)
{
    struct appended first, second;
    fixture_send(&f, room, anna, "m.room.topic", "", "{\"topic\":\"a\"}", NULL, &first, NULL);
    fixture_send(&f, room, anna, "m.room.topic", "", "{\"topic\":\"b\"}", NULL, &second, NULL);
    json_t *event = rendered(second.pos), *data = json_get_object(event, "unsigned");
    assert_string_equal(json_get_string(event, "state_key"), "");
    assert_string_equal(json_get_string(json_get_object(data, "prev_content"), "topic"), "a");
    assert_string_equal(json_get_string(data, "replaces_state"), first.event_id);
    json_decref(event);
}

static void a_redaction_names_its_target_in_both_places(void **state)
{
    static const char *const VERSIONS[] = {"10", "11"};
    for (int i = 0; i < 2; ++i) {
        struct appended redaction;
        room_no where = fixture_room(&f, anna, VERSIONS[i], PRESET_PRIVATE_CHAT, NULL);
        struct appended said = say_in(where, anna, "m.room.message", "{\"body\":\"oops\"}");
        char content[128];
        snprintf(content, sizeof content, i == 0 ? "{\"reason\":\"r\"}" : "{\"reason\":\"r\",\"redacts\":\"%s\"}",
                 said.event_id);
        assert_true(fixture_send(&f, where, anna, "m.room.redaction", NULL, content, said.event_id, &redaction, NULL));
        json_t *event = rendered(redaction.pos);
        assert_string_equal(json_get_string(event, "redacts"), said.event_id);
        assert_string_equal(json_get_string(json_get_object(event, "content"), "redacts"), said.event_id);
        assert_string_equal(json_get_string(json_get_object(event, "content"), "reason"), "r");
        json_decref(event);
        event = rendered(said.pos);
        json_t *because = json_get_object(json_get_object(event, "unsigned"), "redacted_because");
        assert_int_equal(json_object_size(json_get_object(event, "content")), 0);
        assert_string_equal(json_get_string(because, "event_id"), redaction.event_id);
        assert_string_equal(json_get_string(because, "redacts"), said.event_id);
        json_decref(event);
    }
}

/* Redactions of redactions, and an event that an erasure emptied. */
static void one_redaction_of_a_chain_is_told(void **state)
{
    struct appended link = say_in(room, anna, "m.room.message", "{\"body\":\"oops\"}"), first = link;
    for (int i = 0; i < 1000; ++i)
        assert_true(fixture_send(&f, room, anna, "m.room.redaction", NULL, "{}", strdupa(link.event_id), &link, NULL));
    json_t *event = rendered(first.pos);
    json_t *because = json_get_object(json_get_object(event, "unsigned"), "redacted_because");
    assert_non_null(because);
    assert_null(json_object_get(json_get_object(because, "unsigned"), "redacted_because"));
    json_decref(event);
}

static bool job_empty(struct tx *tx, void *arg, struct error *e)
{
    const struct appended *said = arg;
    return events_redact(tx, said->pos, said->pos, "{}");
}

static void an_emptied_event_names_no_redaction(void **state)
{
    struct appended said = say_in(room, anna, "m.room.message", "{\"body\":\"mine\"}");
    assert_true(writer_run(f.writer, job_empty, &said, &(struct error){0}));
    json_t *event = rendered(said.pos);
    assert_int_equal(json_object_size(json_get_object(event, "content")), 0);
    assert_null(json_object_get(json_get_object(event, "unsigned"), "redacted_because"));
    json_decref(event);
}

static void the_newest_valid_edit_is_bundled(void **state)
{
    struct appended said = say(boris, "{\"body\":\"one\"}");
    json_t *event = rendered(said.pos);
    assert_null(relations_of(event));
    json_decref(event);
    relate(anna, "m.replace", said.event_id, ",\"m.new_content\":{}"); /* somebody else's */
    relate(boris, "m.replace", said.event_id, "");                     /* without new content */
    event = rendered(said.pos);
    assert_null(relations_of(event));
    json_decref(event);
    struct appended edit = relate(boris, "m.replace", said.event_id, ",\"m.new_content\":{\"body\":\"two\"}");
    struct appended last = relate(boris, "m.replace", said.event_id, ",\"m.new_content\":{\"body\":\"three\"}");
    event = rendered(said.pos);
    const char *id = json_get_string(json_get_object(relations_of(event), "m.replace"), "event_id");
    assert_true(id != NULL && (strcmp(id, last.event_id) == 0 || strcmp(id, edit.event_id) == 0));
    assert_string_equal(json_get_string(json_get_object(event, "content"), "body"), "one");
    json_decref(event);
    fixture_send(&f, room, boris, "m.room.redaction", NULL, "{}", last.event_id, NULL, NULL);
    event = rendered(said.pos);
    assert_string_equal(json_get_string(json_get_object(relations_of(event), "m.replace"), "event_id"), edit.event_id);
    json_decref(event);
    relate(boris, "m.replace", edit.event_id, ",\"m.new_content\":{}"); /* an edit cannot be edited */
    event = rendered(edit.pos);
    assert_null(relations_of(event));
    json_decref(event);
}

static void a_thread_is_summed_up(void **state)
{
    struct appended root = say(boris, "{\"body\":\"root\"}");
    relate(boris, "m.thread", root.event_id, "");
    struct appended latest = relate(boris, "m.thread", root.event_id, "");
    struct appended edit = relate(boris, "m.replace", latest.event_id, ",\"m.new_content\":{}");
    json_t *event = rendered(root.pos), *thread = json_get_object(relations_of(event), "m.thread");
    json_t *last = json_get_object(thread, "latest_event");
    assert_int_equal(json_get_int(thread, "count", 0), 2);
    assert_false(json_get_bool(thread, "current_user_participated", true));
    assert_string_equal(json_get_string(last, "event_id"), latest.event_id);
    assert_string_equal(json_get_string(json_get_object(relations_of(last), "m.replace"), "event_id"), edit.event_id);
    json_decref(event);
    relate(anna, "m.thread", root.event_id, "");
    event = rendered(root.pos);
    assert_true(json_get_bool(json_get_object(relations_of(event), "m.thread"), "current_user_participated", false));
    json_decref(event);
}

static void what_the_viewer_ignores_or_may_not_see_does_not_count(void **state)
{
    struct ignored ignored = {&boris, 1};
    struct appended root = say(anna, "{\"body\":\"root\"}");
    relate(boris, "m.thread", root.event_id, "");
    struct appended mine = relate(anna, "m.thread", root.event_id, "");
    relate(boris, "m.thread", root.event_id, "");
    relate(boris, "m.reference", root.event_id, "");
    how.ignored = &ignored;
    json_t *event = rendered(root.pos), *thread = json_get_object(relations_of(event), "m.thread");
    assert_int_equal(json_get_int(thread, "count", 0), 1);
    assert_string_equal(json_get_string(json_get_object(thread, "latest_event"), "event_id"), mine.event_id);
    assert_null(json_object_get(relations_of(event), "m.reference"));
    how.ignored = NULL;
    json_decref(event);
    fixture_member(&f, room, ACT_LEAVE, boris, boris, NULL);
    struct visibility *v = visibility_load(f.db, false, room, boris, "@boris:school.example");
    relate(anna, "m.thread", root.event_id, "");
    how.visibility = v;
    event = rendered(root.pos);
    assert_int_equal(json_get_int(json_get_object(relations_of(event), "m.thread"), "count", 0), 3);
    assert_string_equal(json_get_string(json_get_object(event, "unsigned"), "membership"), "join");
    how.visibility = NULL;
    visibility_free(v);
    json_decref(event);
    fixture_member(&f, room, ACT_INVITE, anna, boris, NULL);
    fixture_member(&f, room, ACT_JOIN, boris, boris, NULL);
}

static void references_are_listed(void **state)
{
    struct appended root = say(boris, "{\"body\":\"root\"}");
    struct appended first = relate(boris, "m.reference", root.event_id, "");
    relate(anna, "m.reference", root.event_id, "");
    json_t *event = rendered(root.pos);
    json_t *chunk = json_get_array(json_get_object(relations_of(event), "m.reference"), "chunk");
    assert_int_equal(json_array_size(chunk), 2);
    assert_string_equal(json_get_string(json_array_get(chunk, 0), "event_id"), first.event_id);
    json_decref(event);
}

static void both_halves_make_the_bare_event(void **state)
{
    struct text before = TEXT_INIT, after = TEXT_INIT, whole = TEXT_INIT;
    struct appended said = say(boris, "{\"body\":\"halves\"}");
    struct event_row *row = event_at(f.db, said.pos);
    struct render bare = how;
    bare.bare = true;
    bare.now_ms = row->ts + 77;
    render_event_shared(&before, &after, &bare, row);
    text_addf(&before, "77%s}}", after.len != 0 ? after.data : "");
    render_event(&whole, &bare, row);
    assert_string_equal(before.data, whole.data);
    free(row);
    text_finish(&before);
    text_finish(&after);
    text_finish(&whole);
}

static void stripped_state_has_four_keys(void **state)
{
    struct text out = TEXT_INIT;
    struct event_row row = {.type = "m.room.name", .state_key = "", .content = "{\"name\":\"5a\"}", .sender = anna};
    render_stripped(&out, &how, &row);
    assert_string_equal(out.data,
                        "{\"content\":{\"name\":\"5a\"},\"sender\":\"@anna:school.example\",\"state_key\":\"\","
                        "\"type\":\"m.room.name\"}");
    text_finish(&out);
}

static void relations_are_followed_over_three_levels(void **state)
{
    static const struct {
        const char *rel_type, *event_type;
        bool recurse;
        size_t n;
    } CASES[] = {
        {NULL, NULL, false, 2},       {NULL, NULL, true, 4},           {"m.thread", NULL, true, 1},
        {"m.replace", NULL, true, 0}, {NULL, "m.room.topic", true, 0}, {"m.reference", "m.room.message", false, 1},
    };
    struct appended root = say(boris, "{\"body\":\"root\"}");
    struct appended reply = relate(anna, "m.thread", root.event_id, "");
    struct appended edit = relate(anna, "m.replace", reply.event_id, ",\"m.new_content\":{}");
    relate(anna, "m.reference", edit.event_id, "");
    relate(anna, "m.reference", root.event_id, "");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct relations_query wanted = {CASES[i].rel_type, CASES[i].event_type, CASES[i].recurse};
        size_t n;
        free(relations_query_run(&how, root.event_id, &wanted, &n));
        assert_int_equal(n, CASES[i].n);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(a_message_has_these_keys_and_no_others),
        cmocka_unit_test(a_state_event_says_what_it_replaced),
        cmocka_unit_test(a_redaction_names_its_target_in_both_places),
        cmocka_unit_test(one_redaction_of_a_chain_is_told),
        cmocka_unit_test(an_emptied_event_names_no_redaction),
        cmocka_unit_test(the_newest_valid_edit_is_bundled),
        cmocka_unit_test(a_thread_is_summed_up),
        cmocka_unit_test(what_the_viewer_ignores_or_may_not_see_does_not_count),
        cmocka_unit_test(references_are_listed),
        cmocka_unit_test(both_halves_make_the_bare_event),
        cmocka_unit_test(stripped_state_has_four_keys),
        cmocka_unit_test(relations_are_followed_over_three_levels),
    };
    return cmocka_run_group_tests(TESTS, setup, teardown);
}
