/* Pages of a room: whichever way and in whatever steps one reads, each event comes once and in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/rooms/read/timeline.h"
#include "homeserver/rooms/read/visibility.h"
#include "homeserver/rooms/read/filter.h"
#include "tests/unit/fixture.h"

#define MESSAGES 60

static struct fixture f;
static user_no anna, boris;
static room_no room;
static struct render how;
static stream_pos all[128]; /* of the room's events */
static size_t n_all;

static int setup(void **state)
{
    fixture_start(&f);
    anna = fixture_user(&f, "anna");
    boris = fixture_user(&f, "boris");
    room = fixture_room(&f, anna, "11", PRESET_PRIVATE_CHAT, NULL);
    fixture_member(&f, room, ACT_INVITE, anna, boris, NULL);
    fixture_member(&f, room, ACT_JOIN, boris, boris, NULL);
    for (int i = 0; i < MESSAGES; ++i) {
        char content[64];
        snprintf(content, sizeof content, i % 10 == 0 ? "{\"body\":\"%d\",\"url\":\"mxc://a/b\"}" : "{\"body\":\"%d\"}",
                 i);
        fixture_send(&f, room, i % 2 == 0 ? anna : boris, "m.room.message", NULL, content, NULL, NULL, NULL);
    }
    how = (struct render){.db = f.db, .names = f.names, .room_id = "!r", .viewer = boris, .now_ms = clock_wall_ms()};
    struct event_row row;
    struct stmt *q = events_forwards(f.db, room, 0, INT64_MAX, INT64_MAX);
    while (events_next(q, &row))
        all[n_all++] = row.pos;
    stmt_end(q);
    return n_all < MESSAGES;
}

static int teardown(void **state)
{
    fixture_stop(&f);
    return 0;
}

/* Reads everything in pages; positions as they come. */
static size_t read_all(bool backwards, size_t limit, const struct event_filter *filter, stream_pos *out)
{
    struct timeline_wanted wanted = {
        .room = room, .backwards = backwards, .upto = INT64_MAX, .limit = limit, .filter = filter};
    struct timeline page;
    size_t n = 0;
    for (bool more = true; more; timeline_finish(&page)) {
        timeline_read(&page, &how, &wanted);
        assert_true(page.n <= limit);
        for (size_t i = 0; i < page.n; ++i)
            out[n++] = page.rows[i]->pos;
        *(backwards ? &wanted.upto : &wanted.after) = page.end;
        more = page.more;
    }
    return n;
}

static void pages_neither_repeat_nor_skip(void **state)
{
    static const size_t LIMITS[] = {1, 2, 7, 50, 65, 1000};
    for (size_t l = 0; l < sizeof LIMITS / sizeof *LIMITS; ++l)
        for (int backwards = 0; backwards < 2; ++backwards) {
            stream_pos found[256];
            size_t n = read_all(backwards, LIMITS[l], NULL, found);
            assert_int_equal(n, n_all);
            for (size_t i = 0; i < n; ++i)
                assert_int_equal(found[i], all[backwards ? n - 1 - i : i]);
        }
}

static void the_last_page_says_so(void **state)
{
    struct timeline_wanted wanted = {.room = room, .upto = INT64_MAX, .limit = n_all};
    struct timeline page;
    timeline_read(&page, &how, &wanted);
    assert_int_equal(page.n, n_all);
    assert_false(page.more);
    timeline_finish(&page);
    wanted.limit = n_all - 1;
    timeline_read(&page, &how, &wanted);
    assert_true(page.more);
    assert_int_equal(page.end, all[n_all - 2]);
    timeline_finish(&page);
    wanted.upto = all[n_all - 2]; /* the range counts, not the room */
    timeline_read(&page, &how, &wanted);
    assert_false(page.more);
    timeline_finish(&page);
}

static void a_filter_leaves_out_and_pages_on(void **state)
{
    static const struct {
        const char *filter;
        size_t n;
    } CASES[] = {
        {"{\"types\":[\"m.room.message\"]}", MESSAGES},
        {"{\"types\":[\"m.room.message\"],\"senders\":[\"@boris:school.example\"]}", MESSAGES / 2},
        {"{\"contains_url\":true}", MESSAGES / 10},
        {"{\"types\":[\"m.room.member\"]}", 3},
        {"{\"rooms\":[\"!other\"]}", 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        stream_pos found[256];
        struct error e;
        struct filter *filter = filter_parse_events_text(CASES[i].filter, &e);
        assert_non_null(filter);
        assert_int_equal(read_all(true, 4, &filter->timeline, found), CASES[i].n);
        assert_int_equal(read_all(false, 4, &filter->timeline, found), CASES[i].n);
        filter_unref(filter);
    }
}

static void who_is_ignored_is_left_out_but_for_state(void **state)
{
    struct ignored ignored = {&anna, 1};
    stream_pos found[256];
    how.ignored = &ignored;
    assert_int_equal(read_all(true, 10, NULL, found), n_all - MESSAGES / 2);
    how.ignored = NULL;
}

static void what_is_hidden_is_left_out(void **state)
{
    stream_pos found[256];
    user_no vera = fixture_user(&f, "vera");
    struct visibility *none = visibility_load(f.db, false, room, vera, "@vera:school.example");
    how.visibility = none;
    assert_int_equal(read_all(true, 10, NULL, found), 0);
    how.visibility = NULL;
    visibility_free(none);
}

static void senders_come_once_each(void **state)
{
    struct timeline_wanted wanted = {.room = room, .backwards = true, .upto = INT64_MAX, .limit = 20};
    struct timeline page;
    struct text out = TEXT_INIT;
    timeline_read(&page, &how, &wanted);
    timeline_render_senders(&out, &how, room, page.rows, page.n, page.rows[0]->pos);
    timeline_finish(&page);
    json_t *members = json_loads(out.data, 0, NULL);
    assert_int_equal(json_array_size(members), 2);
    assert_string_equal(json_get_string(json_array_get(members, 0), "type"), "m.room.member");
    json_decref(members);
    text_finish(&out);
}

static void state_comes_lazily(void **state)
{
    struct error e;
    struct text out = TEXT_INIT;
    struct filter *lazy = filter_parse_events_text("{\"lazy_load_members\":true,\"types\":[\"m.room.member\"]}", &e);
    how.viewer = 0;
    timeline_render_state(&out, &how, room, INT64_MAX, &lazy->timeline, NULL, 0);
    assert_string_equal(out.data, "[]");
    how.viewer = boris;
    text_clear(&out);
    timeline_render_state(&out, &how, room, all[n_all - 1], &lazy->timeline, NULL, 0);
    json_t *members = json_loads(out.data, 0, NULL);
    assert_int_equal(json_array_size(members), 1);
    json_decref(members);
    filter_unref(lazy);
    text_finish(&out);
}

/* Whichever look-up fails: no crash, no leak, and the failure is not lost. */
static void a_failing_database_is_survived(void **state)
{
    struct text out = TEXT_INIT;
    bool failed = true;
    for (int n = 1; failed; ++n) {
        struct timeline_wanted wanted = {.room = room, .backwards = true, .upto = INT64_MAX, .limit = 5};
        struct timeline page;
        db_fail_after(f.db, n);
        struct visibility *v = visibility_load(f.db, false, room, boris, "@boris:school.example");
        how.visibility = v;
        timeline_read(&page, &how, &wanted);
        timeline_render(&out, &how, &page);
        timeline_render_senders(&out, &how, room, page.rows, page.n, INT64_MAX);
        timeline_render_state(&out, &how, room, INT64_MAX, NULL, page.rows, page.n);
        timeline_finish(&page);
        visibility_free(v);
        failed = db_failed(f.db);
        assert_true(failed || n > 8);
        db_fail_after(f.db, 0);
        db_settle(f.db);
    }
    how.visibility = NULL;
    text_finish(&out);
}

/* Not a benchmark, but a page of 50 should be far from a millisecond (docs/performance.md). */
static void a_page_is_cheap(void **state)
{
    enum { TIMES = 200 };
    struct text out = TEXT_INIT;
    int64_t began = clock_mono_us();
    for (int i = 0; i < TIMES; ++i) {
        struct timeline_wanted wanted = {.room = room, .backwards = true, .upto = INT64_MAX, .limit = 50};
        struct timeline page;
        text_clear(&out);
        db_begin_read(f.db);
        how.visibility = visibility_load(f.db, false, room, boris, "@boris:school.example");
        how.device = 1;
        timeline_read(&page, &how, &wanted);
        timeline_render(&out, &how, &page);
        timeline_finish(&page);
        visibility_free((struct visibility *)how.visibility);
        db_end_read(f.db);
    }
    how.visibility = NULL;
    how.device = 0;
    print_message("# a page of 50: %lld us\n", (long long)(clock_mono_us() - began) / TIMES);
    assert_true(out.len > 50 * 100);
    text_finish(&out);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(pages_neither_repeat_nor_skip),
        cmocka_unit_test(the_last_page_says_so),
        cmocka_unit_test(a_filter_leaves_out_and_pages_on),
        cmocka_unit_test(who_is_ignored_is_left_out_but_for_state),
        cmocka_unit_test(what_is_hidden_is_left_out),
        cmocka_unit_test(senders_come_once_each),
        cmocka_unit_test(state_comes_lazily),
        cmocka_unit_test(a_failing_database_is_survived),
        cmocka_unit_test(a_page_is_cheap),
    };
    return cmocka_run_group_tests(TESTS, setup, teardown);
}
