/* A clock that is wrong for a while, and right again: what it had done and stamped does not stay. The wall clock that
 * everything asks is this file's own (linked with --wrap). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/school/held_imports.h"
#include "homeserver/store/school/settled.h"
#include "policy/records/day_change.h"
#include "tests/unit/school_people.h"
#include "tests/unit/school_picture.h"

static int64_t ahead_ms;

int64_t right_clock_ms(void) __asm__("__real_clock_wall_ms");
int64_t wrong_clock_ms(void) __asm__("__wrap_clock_wall_ms");
int64_t wrong_clock_ms(void)
{
    return right_clock_ms() + ahead_ms;
}

static school_day in_days(int days)
{
    return day_of_ms(right_clock_ms() + days * DAY_MS);
}

/* --- Days --- */

static bool job_dates(struct tx *tx, void *arg, struct error *e)
{
    struct school_people *s = arg;
    const struct role_row roles[] = {
        {s->them[T3], s->schools[ONE], ROLE_DEPUTY, in_days(30), DAY_NEVER, "test"},         /* begins */
        {s->them[HEAD], s->schools[ONE], ROLE_ADMINISTRATOR, DAY_EVER, in_days(30), "test"}, /* ends */
        {s->them[P4], s->schools[ONE], ROLE_TEACHER, in_days(30), in_days(40), "test"}, /* neither today nor then */
    };
    const struct enrollment_row enrollments[] = {
        {s->classes[A], s->them[P1], ROLE_PUPIL, DAY_EVER, in_days(30), "test"},
        {s->classes[B], s->them[P1], ROLE_PUPIL, in_days(31), DAY_NEVER, "test"},
        {s->classes[G], s->them[T3], ROLE_TEACHER, in_days(20), in_days(40), "test"},
    };
    struct person_row comes_of_age;
    bool good = people_get(tx->db, s->them[XP], &comes_of_age);
    comes_of_age.birth = in_days(30) - 14 * 10000; /* D7: has no guardian */
    fixture_acts(tx);
    good = good && people_put(tx->db, &comes_of_age);
    for (size_t i = 0; i < sizeof roles / sizeof *roles; ++i)
        good = good && roles_put(tx->db, &roles[i]);
    for (size_t i = 0; i < sizeof enrollments / sizeof *enrollments; ++i)
        good = good && enrollments_put(tx->db, &enrollments[i]);
    person_row_finish(&comes_of_age);
    return good;
}

static bool job_day(struct tx *tx, void *arg, struct error *e)
{
    struct school_people *s = arg;
    return day_change(tx, s->f.rooms, NULL, NULL, e);
}

static struct picture picture_on(struct school_people *s, int days, const struct picture *like)
{
    struct error e;
    ahead_ms = days * DAY_MS;
    assert_true(writer_run(s->f.writer, job_day, s, &e));
    return picture_of(&s->f, like);
}

static void e2_days_go_both_ways(void **state)
{
    struct school_people s;
    struct error e;
    school_people_start(&s);
    assert_true(writer_run(s.f.writer, job_dates, &s, &e));
    struct picture today = picture_on(&s, 0, NULL);
    for (int days = 25; days <= 100; days += 25) { /* in the middle of what begins and ends, and after it */
        struct picture then = picture_on(&s, days, &today);
        assert_string_not_equal(then.lines.data, today.lines.data);
        assert_int_equal(settled_day(s.f.db), in_days(days));
        struct picture again = picture_on(&s, 0, &today);
        assert_same_picture(&today, &again);
        assert_int_equal(settled_day(s.f.db), in_days(0));
        text_finish(&then.lines);
        text_finish(&again.lines);
    }
    text_finish(&today.lines);
    school_people_stop(&s);
}

static bool job_hold(struct tx *tx, void *arg, struct error *e)
{
    return held_imports_put(tx->db, &(struct held_import_row){.version = 1,
                                                              .source = DAY_SOURCE,
                                                              .mode = DAY_MODE,
                                                              .author = "",
                                                              .schools = "[]",
                                                              .changes = "{}",
                                                              .difference = "",
                                                              .older = "",
                                                              .base_ms = in_days(100),
                                                              .created_ms = tx->now_ms,
                                                              .archive = ""});
}

static void g5_a_day_that_has_not_come_waits_for_nobody(void **state)
{
    struct school_people s;
    struct error e;
    int64_t version;
    school_people_start(&s);
    assert_true(writer_run(s.f.writer, job_day, &s, &e));
    assert_true(writer_run(s.f.writer, job_hold, &s, &e));
    assert_true(held_imports_of(s.f.db, DAY_SOURCE, &version) != 0);
    assert_true(writer_run(s.f.writer, job_day, &s, &e));
    assert_int_equal(held_imports_of(s.f.db, DAY_SOURCE, &version), 0);
    school_people_stop(&s);
}

/* --- Times in a room --- */

static int64_t time_of_message(struct fixture *f, room_no room, user_no sender, int64_t ahead)
{
    struct appended sent;
    struct event_row row;
    ahead_ms = ahead;
    assert_true(fixture_send(f, room, sender, "m.room.message", NULL, "{\"body\":\"x\",\"msgtype\":\"m.text\"}", NULL,
                             &sent, NULL));
    struct stmt *q = events_forwards(f->db, room, sent.pos - 1, sent.pos, 1);
    assert_true(events_next(q, &row));
    int64_t ts = row.ts;
    stmt_end(q);
    return ts;
}

static void a_clock_that_was_ahead_does_not_hold_a_rooms_time(void **state)
{
    struct fixture f;
    fixture_start(&f);
    user_no anna = fixture_user(&f, "anna");
    room_no room = fixture_room(&f, anna, "11", PRESET_PRIVATE_CHAT, NULL);
    int64_t a_little = time_of_message(&f, room, anna, CLOCK_SLACK_MS / 2);
    assert_true(time_of_message(&f, room, anna, 0) >= a_little); /* set back a little: it does not fall */
    int64_t much = time_of_message(&f, room, anna, 365 * DAY_MS);
    assert_true(much > a_little + 364 * DAY_MS);
    assert_true(time_of_message(&f, room, anna, 0) < a_little + DAY_MS);
    fixture_restart(&f);
    assert_true(time_of_message(&f, room, anna, 365 * DAY_MS) > much);
    fixture_restart(&f);
    assert_true(time_of_message(&f, room, anna, 0) < a_little + DAY_MS);
    fixture_stop(&f);
}

static int back_to_now(void **state)
{
    ahead_ms = 0;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(e2_days_go_both_ways, back_to_now),
        cmocka_unit_test_setup(g5_a_day_that_has_not_come_waits_for_nobody, back_to_now),
        cmocka_unit_test_setup(a_clock_that_was_ahead_does_not_hold_a_rooms_time, back_to_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
