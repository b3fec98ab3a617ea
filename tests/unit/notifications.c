/* The list of notifications (Client-Server API, "Listing Notifications"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/json.h"
#include "homeserver/push/notifications.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/receipts.h"
#include "tests/unit/fixture.h"

#define ANNA "@anna:school.example"
#define BEN "@ben:school.example"

struct world {
    struct fixture f;
    user_no anna, ben;
    room_no a, b;
};

static struct world *world_start(void)
{
    struct world *w = xcalloc(1, sizeof *w);
    fixture_start(&w->f);
    w->anna = fixture_user(&w->f, "anna");
    w->ben = fixture_user(&w->f, "ben");
    w->a = fixture_room(&w->f, w->ben, "11", PRESET_PUBLIC_CHAT, NULL);
    w->b = fixture_room(&w->f, w->ben, "12", PRESET_PUBLIC_CHAT, NULL);
    return w;
}

static void world_stop(struct world *w)
{
    fixture_stop(&w->f);
    free(w);
}

static void join(struct world *w, room_no room)
{
    assert_true(fixture_member(&w->f, room, ACT_JOIN, w->anna, w->anna, NULL));
}

static stream_pos say(struct world *w, room_no room, user_no who, const char *type, const char *content)
{
    struct appended out;
    assert_true(fixture_send(&w->f, room, who, type, NULL, content, NULL, &out, NULL));
    return out.pos;
}

#define TEXT(body) "{\"msgtype\":\"m.text\",\"body\":\"" body "\"}"
#define TO_ANNA(body) "{\"msgtype\":\"m.text\",\"body\":\"" body "\",\"m.mentions\":{\"user_ids\":[\"" ANNA "\"]}}"

/* The bodies of a page as "newest,older,…", "!" behind those already read; "+" at the end: there is a next page. */
static char *page(struct world *w, stream_pos *upto, size_t limit, bool highlights_only)
{
    struct notifications notified;
    struct text out = TEXT_INIT;
    struct notifications_wanted wanted = {.user = w->anna,
                                          .user_id = ANNA,
                                          .server_name = "school.example",
                                          .upto = *upto,
                                          .limit = limit,
                                          .highlights_only = highlights_only};
    notifications_read(&notified, w->f.db, w->f.names, &wanted);
    for (size_t i = 0; i < notified.n; ++i) {
        json_t *content = json_loads(notified.events[i].row->content, 0, NULL);
        text_adds(&out, i != 0 ? "," : "");
        text_adds(&out, json_get_string(content, "body"));
        text_adds(&out, notified.events[i].read ? "!" : "");
        json_decref(content);
        assert_non_null(strstr(notified.events[i].actions, "\"notify\""));
        assert_int_equal(strstr(notified.events[i].actions, "highlight") != NULL, highlights_only);
    }
    text_adds(&out, notified.next != 0 ? "+" : "");
    assert_true(notified.next < *upto);
    *upto = notified.next;
    notifications_finish(&notified);
    return text_take(&out);
}

static void assert_page(struct world *w, stream_pos *upto, size_t limit, bool highlights_only, const char *expected)
{
    char *got = page(w, upto, limit, highlights_only);
    assert_string_equal(got, expected);
    free(got);
}

static void assert_all(struct world *w, const char *expected)
{
    stream_pos upto = INT64_MAX;
    assert_page(w, &upto, 50, false, expected);
}

static void test_rooms(void **state)
{
    struct world *w = world_start();
    say(w, w->a, w->ben, "m.room.message", TEXT("before"));
    join(w, w->a);
    join(w, w->b);
    say(w, w->a, w->ben, "m.room.message", TEXT("a1"));
    say(w, w->b, w->ben, "m.room.message", TEXT("b1"));
    say(w, w->a, w->anna, "m.room.message", TEXT("own"));
    say(w, w->a, w->ben, "m.room.message", "{\"msgtype\":\"m.notice\",\"body\":\"notice\"}");
    say(w, w->a, w->ben, "m.reaction", "{}");
    say(w, w->a, w->ben, "m.room.message", TEXT("a2"));
    say(w, w->b, w->ben, "m.room.message", TEXT("b2"));
    assert_all(w, "b2,a2,b1,a1");
    stream_pos upto = INT64_MAX;
    assert_page(w, &upto, 3, false, "b2,a2,b1+");
    assert_page(w, &upto, 3, false, "a1");
    assert_int_equal(upto, 0);
    for (upto = INT64_MAX; upto != 0;) /* one by one: each once */
        free(page(w, &upto, 1, false));
    assert_true(fixture_member(&w->f, w->a, ACT_LEAVE, w->anna, w->anna, NULL));
    assert_all(w, "b2,b1");
    world_stop(w);
}

static void test_highlights(void **state)
{
    struct world *w = world_start();
    join(w, w->a);
    say(w, w->a, w->ben, "m.room.message", TO_ANNA("x1"));
    say(w, w->a, w->ben, "m.room.message", TEXT("plain"));
    say(w, w->a, w->ben, "m.room.message", TO_ANNA("x2"));
    stream_pos upto = INT64_MAX;
    assert_page(w, &upto, 50, true, "x2,x1");
    world_stop(w);
}

static bool receipt_job(struct tx *tx, void *arg, struct error *e)
{
    return receipts_put(tx, arg);
}

static void receive(struct world *w, const char *thread, stream_pos event_pos)
{
    struct error e = {0};
    struct receipt_row row = {.room = w->a,
                              .user = w->anna,
                              .type = RECEIPT_READ,
                              .thread = thread,
                              .event_id = "$x",
                              .event_pos = event_pos,
                              .pos = event_pos + 1};
    assert_true(writer_run(w->f.writer, receipt_job, &row, &e));
}

static void test_read(void **state)
{
    struct world *w = world_start();
    struct appended root;
    char content[512];
    join(w, w->a);
    assert_true(fixture_send(&w->f, w->a, w->ben, "m.room.message", NULL, TEXT("root"), NULL, &root, NULL));
    snprintf(
        content, sizeof content,
        "{\"msgtype\":\"m.text\",\"body\":\"reply\",\"m.relates_to\":{\"rel_type\":\"m.thread\",\"event_id\":\"%s\"}}",
        root.event_id);
    stream_pos reply = say(w, w->a, w->ben, "m.room.message", content);
    stream_pos last = say(w, w->a, w->ben, "m.room.message", TEXT("last"));
    assert_all(w, "last,reply,root");
    receive(w, "main", root.pos);
    assert_all(w, "last,reply,root!");
    receive(w, "main", last);
    assert_all(w, "last!,reply,root!"); /* the thread is read apart */
    receive(w, root.event_id, reply);
    assert_all(w, "last!,reply!,root!");
    say(w, w->a, w->ben, "m.room.message", TEXT("new"));
    receive(w, "", reply);
    assert_all(w, "new,last!,reply!,root!");
    world_stop(w);
}

static bool data_job(struct tx *tx, void *arg, struct error *e)
{
    const char **data = arg;
    return account_data_put(tx, 1, 0, data[0], data[1]);
}

static void set_data(struct world *w, const char *type, const char *content)
{
    struct error e = {0};
    const char *data[] = {type, content};
    assert_int_equal(w->anna, 1);
    assert_true(writer_run(w->f.writer, data_job, data, &e));
}

static void test_left_out(void **state)
{
    struct world *w = world_start();
    struct appended gone;
    join(w, w->a);
    say(w, w->a, w->ben, "m.room.message", TEXT("kept"));
    assert_true(fixture_send(&w->f, w->a, w->ben, "m.room.message", NULL, TEXT("gone"), NULL, &gone, NULL));
    assert_all(w, "gone,kept");
    assert_true(fixture_send(&w->f, w->a, w->ben, "m.room.redaction", NULL, "{}", gone.event_id, NULL, NULL));
    assert_all(w, "kept");
    set_data(w, "m.push_rules", "{\"defaults\":{\".m.rule.room_one_to_one\":{\"actions\":[]}}}");
    assert_all(w, "");
    set_data(w, "m.push_rules", "{}");
    assert_all(w, "kept");
    set_data(w, "m.ignored_user_list", "{\"ignored_users\":{\"" BEN "\":{}}}");
    assert_all(w, "");
    world_stop(w);
}

/* A rule about the person's name in the room. */
static void test_display_name(void **state)
{
    struct world *w = world_start();
    join(w, w->a);
    set_data(
        w, "m.push_rules",
        "{\"defaults\":{\".m.rule.room_one_to_one\":{\"actions\":[]}},\"rules\":{\"override\":[{\"rule_id\":\"name\","
        "\"enabled\":true,\"conditions\":[{\"kind\":\"contains_display_name\"}],\"actions\":[\"notify\"]}]}}");
    say(w, w->a, w->ben, "m.room.message", TEXT("hello frau meier"));
    assert_all(w, "");
    assert_true(fixture_send(&w->f, w->a, w->anna, "m.room.member", ANNA,
                             "{\"membership\":\"join\",\"displayname\":\"Frau Meier\"}", NULL, NULL, NULL));
    assert_all(w, "hello frau meier");
    world_stop(w);
}

/* So many events that do not notify that a page ends before it is full: the next ones go on, nothing is lost. */
static void test_scan_bound(void **state)
{
    struct world *w = world_start();
    join(w, w->a);
    join(w, w->b);
    say(w, w->b, w->ben, "m.room.message", TEXT("b0"));
    say(w, w->a, w->ben, "m.room.message", TEXT("a0"));
    for (int i = 0; i < NOTIFICATIONS_SCAN_MAX + 10; ++i)
        say(w, w->a, w->ben, "m.reaction", "{}");
    say(w, w->b, w->ben, "m.room.message", TEXT("b1"));
    stream_pos upto = INT64_MAX;
    assert_page(w, &upto, 50, false, "b1+");
    assert_page(w, &upto, 50, false, "a0,b0");
    world_stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rooms),    cmocka_unit_test(test_highlights),   cmocka_unit_test(test_read),
        cmocka_unit_test(test_left_out), cmocka_unit_test(test_display_name), cmocka_unit_test(test_scan_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
