/* History visibility: short stories in a room of anna's, and what boris sees of the messages in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/rooms/read/visibility.h"
#include "homeserver/store/matrix/events.h"
#include "tests/unit/fixture.h"

#define BORIS "@boris:school.example"

static struct fixture f;
static user_no anna, boris;

static int setup(void **state)
{
    fixture_start(&f);
    anna = fixture_user(&f, "anna");
    boris = fixture_user(&f, "boris");
    return anna == 0 || boris == 0;
}

static int teardown(void **state)
{
    fixture_stop(&f);
    return 0;
}

static bool forget_job(struct tx *tx, void *arg, struct error *e)
{
    return membership_forget(room_open(f.rooms, tx, *(room_no *)arg), tx, boris, e);
}

static void set_visibility(room_no room, const char *value)
{
    char content[64];
    snprintf(content, sizeof content, "{\"history_visibility\":\"%s\"}", value);
    assert_true(fixture_send(&f, room, anna, "m.room.history_visibility", "", content, NULL, NULL, NULL));
}

/* w s i j ?: the setting; I J L K B U: boris's membership; F: he forgets; m: a message. Positions of messages go
 * out. */
static int tell(room_no room, const char *story, stream_pos *messages)
{
    static const enum act ACTS[] = {
        ['I'] = ACT_INVITE, ['J'] = ACT_JOIN, ['L'] = ACT_LEAVE, ['K'] = ACT_KICK, ['B'] = ACT_BAN, ['U'] = ACT_UNBAN};
    struct appended said;
    struct error e;
    int n = 0;
    for (const char *at = story; *at != '\0'; ++at) {
        switch (*at) {
        case 'w': set_visibility(room, "world_readable"); break;
        case 's': set_visibility(room, "shared"); break;
        case 'i': set_visibility(room, "invited"); break;
        case 'j': set_visibility(room, "joined"); break;
        case '?': set_visibility(room, "of our own"); break;
        case 'F': assert_true(writer_run(f.writer, forget_job, &room, &e)); break;
        case 'm':
            assert_true(fixture_send(&f, room, anna, "m.room.message", NULL, "{\"body\":\"m\"}", NULL, &said, NULL));
            messages[n++] = said.pos;
            break;
        default:
            assert_true(
                fixture_member(&f, room, ACTS[(int)*at], strchr("JL", *at) != NULL ? boris : anna, boris, NULL));
        }
    }
    return n;
}

static void what_is_seen_follows_setting_and_membership_then(void **state)
{
    static const struct {
        const char *story, *seen;
    } CASES[] = {
        {"smImJm", "111"},                      /* shared: all of it, once joined */
        {"?mIJm", "11"},                        /* a value that is not understood counts as shared */
        {"smIm", "00"},                         /* only invited: nothing yet */
        {"imImJm", "011"},                      /* invited: from the invite on */
        {"jmImJm", "001"},                      /* joined: from the join on */
        {"wmImJm", "111"},    {"wmsm", "10"},   /* a stranger sees what was world readable */
        {"jmsmIJ", "01"},                       /* what counts is the setting then */
        {"smjmIJm", "101"},   {"sIJmLm", "10"}, /* nothing after leaving */
        {"sIJmKm", "10"},     {"sIJmBm", "10"},
        {"sIJmBUm", "10"},    {"sIJLmIJm", "11"}, /* but after coming back */
        {"jIJmLmIJm", "101"}, {"iIJmLmImJm", "1011"},
        {"iIJmLmIm", "101"}, /* left, and invited again: the invite lets see */
        {"sIJmLF", "0"},     /* forgotten is forgotten */
        {"wIJmLF", "1"},      {"sIJmLFIJm", "11"},
        {"iIm", "0"}, /* an invite alone, never joined */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        stream_pos messages[8];
        room_no room = fixture_room(&f, anna, "11", PRESET_PRIVATE_CHAT, NULL);
        int n = tell(room, CASES[i].story, messages);
        struct visibility *v = visibility_load(f.db, false, room, boris, BORIS);
        assert_int_equal(n, strlen(CASES[i].seen));
        for (int k = 0; k < n; ++k)
            if (visibility_allows(v, messages[k]) != (CASES[i].seen[k] == '1'))
                fail_msg("%s: message %d of %s", CASES[i].story, k, CASES[i].seen);
        visibility_free(v);
    }
}

static stream_pos pos_now(room_no room, const char *type, const char *state_key)
{
    struct event_row row = {0};
    struct stmt *q = events_state_get(f.db, room, type, state_key);
    events_next(q, &row);
    stream_pos pos = row.pos;
    stmt_end(q);
    return pos;
}

/* Events that change what counts are seen by the rules before them or after them. */
static void the_step_itself_is_seen_from_either_side(void **state)
{
    stream_pos messages[8];
    room_no room = fixture_room(&f, anna, "11", PRESET_PRIVATE_CHAT, NULL);
    tell(room, "wj", messages);
    stream_pos closing = pos_now(room, "m.room.history_visibility", "");
    tell(room, "IJ", messages);
    stream_pos join = pos_now(room, "m.room.member", BORIS);
    tell(room, "L", messages);
    stream_pos leave = pos_now(room, "m.room.member", BORIS);
    tell(room, "m", messages);
    struct visibility *v = visibility_load(f.db, false, room, boris, BORIS);
    assert_true(visibility_allows(v, closing));
    assert_false(visibility_allows(v, closing + 1));
    assert_true(visibility_allows(v, join));
    assert_true(visibility_allows(v, leave));
    assert_false(visibility_allows(v, messages[0]));
    assert_int_equal(visibility_membership(v), MEMBERSHIP_LEAVE);
    assert_int_equal(visibility_membership_at(v, join), MEMBERSHIP_JOIN);
    assert_int_equal(visibility_membership_at(v, join - 1), MEMBERSHIP_INVITE);
    assert_int_equal(visibility_membership_at(v, closing), MEMBERSHIP_NONE);
    assert_int_equal(visibility_state_pos(v), leave);
    visibility_free(v);
}

static void state_is_that_of_now_or_of_the_leaving(void **state)
{
    static const struct {
        const char *story;
        int expected; /* 0: none, 1: now, 2: a position */
    } CASES[] = {{"s", 0},    {"sI", 0},    {"sIJ", 1},   {"w", 1},    {"sIJL", 2},
                 {"sIJB", 2}, {"sIJLI", 2}, {"sIJLF", 0}, {"sIJLw", 1}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        stream_pos messages[8], first, last;
        room_no room = fixture_room(&f, anna, "11", PRESET_PRIVATE_CHAT, NULL);
        tell(room, CASES[i].story, messages);
        struct visibility *v = visibility_load(f.db, false, room, boris, BORIS);
        stream_pos pos = visibility_state_pos(v);
        if ((pos == INT64_MAX ? 1 : pos != 0 ? 2 : 0) != CASES[i].expected)
            fail_msg("%s: %lld", CASES[i].story, (long long)pos);
        assert_int_equal(visibility_range(v, &first, &last), CASES[i].expected != 0);
        visibility_free(v);
    }
}

/* Whoever is joined sees what came since: nothing is read for it. */
static void the_histories_are_read_when_what_was_before_is_asked_about(void **state)
{
    stream_pos messages[8];
    struct membership_row now;
    room_no room = fixture_room(&f, anna, "11", PRESET_PRIVATE_CHAT, NULL);
    int n = tell(room, "jmIJmLmIJmm", messages);
    assert_true(memberships_get(f.db, room, boris, &now));
    struct visibility *v = visibility_of_row(f.db, false, &now, BORIS);
    struct visibility *whole = visibility_load(f.db, false, room, boris, BORIS);
    int64_t read = db_rows_read(f.db);
    assert_true(visibility_allows(v, now.joined_pos) && visibility_allows(v, messages[n - 1]));
    assert_int_equal(visibility_membership_at(v, messages[n - 2]), MEMBERSHIP_JOIN);
    assert_int_equal(visibility_membership(v), MEMBERSHIP_JOIN);
    assert_int_equal(visibility_state_pos(v), INT64_MAX);
    assert_int_equal(db_rows_read(f.db), read);
    for (stream_pos pos = messages[0] - 1; pos <= messages[n - 1]; ++pos) {
        assert_int_equal(visibility_allows(v, pos), visibility_allows(whole, pos));
        assert_int_equal(visibility_membership_at(v, pos), visibility_membership_at(whole, pos));
    }
    assert_true(db_rows_read(f.db) > read);
    visibility_free(v);
    visibility_free(whole);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(the_histories_are_read_when_what_was_before_is_asked_about),
        cmocka_unit_test(what_is_seen_follows_setting_and_membership_then),
        cmocka_unit_test(the_step_itself_is_seen_from_either_side),
        cmocka_unit_test(state_is_that_of_now_or_of_the_leaving),
    };
    return cmocka_run_group_tests(TESTS, setup, teardown);
}
