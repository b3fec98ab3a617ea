/* Many joins at once (rooms/acts/bulk_join.h) are the same as one after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/rooms/acts/bulk_join.h"
#include "homeserver/rooms/pdu/pdu_row.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/profiles.h"
#include "tests/unit/fixture.h"

#define MANY 600 /* more than two batches */

static struct fixture f;
static user_no service, people[MANY];

static bool name_job(struct tx *tx, void *arg, struct error *e)
{
    static const char *const NAMES[] = {"\"Иванова Мария\"", "\"with \\\"quotes\\\" and \\u0416\"", "\"\"", NULL};
    for (int i = 0; i < MANY; ++i)
        if (NAMES[i % 4] != NULL && !profiles_put(tx, people[i], "displayname", NAMES[i % 4]))
            return false;
    return profiles_put(tx, people[5], "avatar_url", "\"mxc:\\/\\/school.example\\/abc\"") &&
           profiles_put(tx, people[6], "org.example.colour", "\"green\"");
}

static int setup(void **state)
{
    struct error e;
    fixture_start(&f);
    service = fixture_user(&f, "parta");
    for (int i = 0; i < MANY; ++i) {
        char name[16];
        snprintf(name, sizeof name, "p%03d", i);
        people[i] = fixture_user(&f, name);
    }
    return service == 0 || people[MANY - 1] == 0 || !writer_run(f.writer, name_job, NULL, &e);
}

static int teardown(void **state)
{
    fixture_stop(&f);
    return 0;
}

static room_no make_room(const char *version, const char *join_rule)
{
    json_t *state = json_pack("[{s:s, s:s, s:{s:s}}]", "type", "m.room.join_rules", "state_key", "", "content",
                              "join_rule", join_rule);
    struct room_plan plan = {.creator = service,
                             .version = room_version_get(version),
                             .preset = PRESET_PRIVATE_CHAT,
                             .initial_state = state};
    room_no room = fixture_create(&f, &plan, NULL);
    json_decref(state);
    assert_true(room != 0);
    return room;
}

struct entering {
    room_no rooms[2];
    int n_rooms, n;
    bool fails;
    int fail_after;
};

static bool enter_job(struct tx *tx, void *arg, struct error *e)
{
    struct entering *in = arg;
    bool good = true;
    struct bulk_join *joins = bulk_join_begin(f.rooms, tx, service);
    if (in->fail_after != 0)
        db_fail_after(tx->db, in->fail_after);
    for (int r = 0; r < in->n_rooms; ++r)
        for (int i = 0; i < in->n && good; ++i)
            good = bulk_join_add(joins, in->rooms[r], people[i], e);
    return bulk_join_finish(joins, good, e) && !in->fails;
}

static bool enter(struct entering in)
{
    struct error e;
    return writer_run(f.writer, enter_job, &in, &e);
}

/* The room's member events as one text: who, what, with which auth events by type. */
static char *portrait(room_no room)
{
    struct text out = TEXT_INIT;
    struct event_row row;
    int64_t last_ts = 0;
    struct stmt *q = events_forwards(f.db, room, 0, INT64_MAX, INT64_MAX);
    while (events_next(q, &row)) {
        assert_true(row.ts >= last_ts);
        last_ts = row.ts;
        if (strcmp(row.type, "m.room.member") == 0)
            text_addf(&out, "%lld %s %s depth %lld replaces %s\n", (long long)row.sender, row.state_key, row.content,
                      (long long)row.depth, row.prev_content != NULL ? row.prev_content : "nothing");
    }
    stmt_end(q);
    return text_take(&out);
}

/* Types of the auth events of somebody's member event. */
static char *rests_on(room_no room, const char *user_id)
{
    struct text out = TEXT_INIT;
    struct event_row row;
    char *auth = NULL;
    struct stmt *q = events_state_get(f.db, room, "m.room.member", user_id);
    if (events_next(q, &row))
        auth = strdup(row.auth);
    stmt_end(q);
    assert_non_null(auth);
    for (char *at = auth; *at != '\0';) {
        q = events_by_pos(f.db, strtoll(at, &at, 10));
        assert_true(events_next(q, &row));
        assert_int_equal(row.room, room);
        text_addf(&out, "%s ", row.type);
        stmt_end(q);
        at += *at == ',';
    }
    free(auth);
    return text_take(&out);
}

static int count_whole(room_no room)
{
    static stream_pos positions[4 * MANY];
    struct event_row row;
    int n = 0;
    struct stmt *q = events_forwards(f.db, room, 0, INT64_MAX, INT64_MAX);
    while (events_next(q, &row))
        positions[n++] = row.pos;
    stmt_end(q);
    for (int i = 0; i < n; ++i)
        if (!pdu_row_check(f.db, f.names, &f.key, "school.example", positions[i]))
            fail_msg("event %d of %d is not whole", i, n);
    return n;
}

static void assert_same_portrait(room_no one, room_no other)
{
    char *a = portrait(one), *b = portrait(other);
    assert_string_equal(a, b);
    free(a);
    free(b);
    a = rests_on(one, "@p001:school.example");
    b = rests_on(other, "@p001:school.example");
    assert_string_equal(a, b);
    free(a);
    free(b);
}

static void assert_joined(room_no room, int64_t expected)
{
    size_t n;
    free(memberships_users(f.db, room, MEMBERSHIP_JOIN, &n));
    assert_int_equal(n, expected);
    assert_int_equal(memberships_count(f.db, room, MEMBERSHIP_JOIN), expected);
}

/* Some were there before: one invited, one gone, one banned, one joined. */
static void prepare(room_no room)
{
    assert_true(fixture_member(&f, room, ACT_INVITE, service, people[1], NULL));
    assert_true(fixture_member(&f, room, ACT_JOIN, service, people[2], NULL));
    assert_true(fixture_member(&f, room, ACT_LEAVE, people[2], people[2], NULL));
    assert_true(fixture_member(&f, room, ACT_BAN, service, people[3], NULL));
    assert_true(fixture_member(&f, room, ACT_JOIN, service, people[4], NULL));
}

static void many_at_once_is_the_same_as_one_after_the_other(void **state)
{
    static const struct {
        const char *version, *rule;
    } CASES[] = {{"8", "restricted"},  {"9", "restricted"},  {"10", "knock_restricted"},
                 {"11", "restricted"}, {"12", "restricted"}, {"12", "public"},
                 {"1", "public"},      {"4", "public"}};
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; ++c) {
        enum { N = 20 };
        room_no together = make_room(CASES[c].version, CASES[c].rule),
                apart = make_room(CASES[c].version, CASES[c].rule);
        prepare(together);
        prepare(apart);
        assert_true(enter((struct entering){.rooms = {together}, .n_rooms = 1, .n = N}));
        assert_true(fixture_member(&f, apart, ACT_UNBAN, service, people[3], NULL));
        for (int i = 0; i < N; ++i)
            if (i != 4)
                assert_true(fixture_member(&f, apart, ACT_JOIN, service, people[i], NULL));
        assert_joined(together, N + 1);
        assert_joined(apart, N + 1);
        assert_int_equal(count_whole(together), count_whole(apart));
        char *a = rests_on(together, "@p007:school.example"), *b = rests_on(apart, "@p007:school.example");
        assert_string_equal(a, b);
        free(a);
        free(b);
    }
}

static void a_new_room_looks_the_same_to_the_last_byte(void **state)
{
    room_no together = make_room("12", "restricted"), apart = make_room("12", "restricted");
    assert_true(enter((struct entering){.rooms = {together}, .n_rooms = 1, .n = 20}));
    for (int i = 0; i < 20; ++i)
        assert_true(fixture_member(&f, apart, ACT_JOIN, service, people[i], NULL));
    assert_same_portrait(together, apart);
}

static void rooms_with_more_than_a_batch_are_whole_and_go_on(void **state)
{
    struct entering in = {
        .rooms = {make_room("12", "restricted"), make_room("9", "restricted")}, .n_rooms = 2, .n = MANY};
    assert_true(enter(in));
    for (int r = 0; r < 2; ++r) {
        assert_joined(in.rooms[r], MANY + 1);
        assert_true(fixture_send(&f, in.rooms[r], people[MANY - 1], "m.room.message", NULL, "{\"body\":\"da\"}", NULL,
                                 NULL, NULL));
    }
    int n = count_whole(in.rooms[0]);
    assert_true(enter(in)); /* all are there: nothing happens */
    assert_int_equal(count_whole(in.rooms[0]), n);
    fixture_restart(&f);
    for (int r = 0; r < 2; ++r)
        assert_true(
            fixture_send(&f, in.rooms[r], people[0], "m.room.message", NULL, "{\"body\":\"net\"}", NULL, NULL, NULL));
    assert_int_equal(count_whole(in.rooms[0]), n + 1);
}

static void a_job_that_is_refused_leaves_nothing(void **state)
{
    room_no room = make_room("12", "restricted");
    int before = count_whole(room);
    assert_false(enter((struct entering){.rooms = {room}, .n_rooms = 1, .n = 300, .fails = true}));
    assert_int_equal(count_whole(room), before);
    assert_joined(room, 1);
    assert_true(enter((struct entering){.rooms = {room}, .n_rooms = 1, .n = 300}));
    assert_int_equal(count_whole(room), before + 300);
    assert_joined(room, 301);
}

static void a_failing_database_leaves_all_or_nothing(void **state)
{
    int refused = 0, done = 0;
    for (int n = 1; n < 4000; n += 211) {
        room_no room = make_room("12", "restricted");
        bool good = enter((struct entering){.rooms = {room}, .n_rooms = 1, .n = 300, .fail_after = n});
        db_fail_after(writer_db_for_tests(f.writer), 0);
        assert_joined(room, good ? 301 : 1);
        count_whole(room);
        refused += !good;
        done += good;
    }
    assert_true(refused > 0 && done > 0);
}

static void a_room_that_nobody_can_be_forced_into_refuses(void **state)
{
    room_no room = make_room("12", "invite");
    assert_false(enter((struct entering){.rooms = {room}, .n_rooms = 1, .n = 3}));
    assert_joined(room, 1);
}

struct heard {
    int events, memberships, whole;
    stream_pos last;
};

static void hear(void *self, const struct change *changes, size_t n)
{
    struct heard *h = self;
    for (size_t i = 0; i < n; ++i) {
        h->memberships += changes[i].kind == CHANGE_MEMBERSHIP;
        if (changes[i].kind != CHANGE_EVENT)
            continue;
        struct member_set *joined = rooms_joined_now(f.rooms, changes[i].room);
        h->events += 1;
        h->whole += changes[i].pos > h->last && member_set_has(joined, changes[i].user) &&
                    pdu_row_check(writer_db_for_tests(f.writer), f.names, &f.key, "school.example", changes[i].pos);
        h->last = changes[i].pos;
        member_set_unref(joined);
    }
}

static void observers_hear_of_each_in_order(void **state)
{
    struct heard heard = {0};
    room_no room = make_room("12", "restricted");
    fixture_restart(&f);
    writer_observe(f.writer, hear, &heard);
    assert_true(enter((struct entering){.rooms = {room}, .n_rooms = 1, .n = 300}));
    fixture_restart(&f); /* whoever hears is gone before heard is */
    assert_int_equal(heard.events, 300);
    assert_int_equal(heard.whole, 300);
    assert_int_equal(heard.memberships, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_at_once_is_the_same_as_one_after_the_other),
        cmocka_unit_test(a_new_room_looks_the_same_to_the_last_byte),
        cmocka_unit_test(rooms_with_more_than_a_batch_are_whole_and_go_on),
        cmocka_unit_test(a_job_that_is_refused_leaves_nothing),
        cmocka_unit_test(a_failing_database_leaves_all_or_nothing),
        cmocka_unit_test(a_room_that_nobody_can_be_forced_into_refuses),
        cmocka_unit_test(observers_hear_of_each_in_order),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
