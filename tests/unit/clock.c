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
#include "homeserver/jobs/storage_check.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/transactions.h"
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

/* --- What an application service says of time --- */

static struct {
    room_no room;
    user_no sender;
    int64_t ts, at_ms; /* what is said, and when */
    struct appended sent;
} massaged;

static bool job_massaged(struct tx *tx, void *arg, struct error *e)
{
    struct fixture *f = arg;
    struct room *room = room_open(f->rooms, tx, massaged.room);
    json_t *content = json_pack("{s:s, s:s}", "msgtype", "m.text", "body", "long ago, or one day");
    struct draft draft = {.sender = massaged.sender, .type = "m.room.message", .content = content, .ts = massaged.ts};
    tx->now_ms = massaged.at_ms;
    device_no device = devices_no(tx->db, massaged.sender, "PHONE");
    if (device == 0)
        device = devices_insert(tx, massaged.sender, "PHONE", NULL, "");
    draft.device = device, draft.txn_id = "txn", draft.about = "m.room.message";
    bool done = append_event(room, tx, &draft, &massaged.sent, e);
    json_decref(content);
    return done;
}

static bool job_prune(struct tx *tx, void *arg, struct error *e)
{
    *(int *)arg = transactions_prune(tx, massaged.at_ms - DAY_MS, 100);
    return true;
}

static bool job_prune_later(struct tx *tx, void *arg, struct error *e)
{
    *(int *)arg = transactions_prune(tx, massaged.at_ms + 1, 100);
    return true;
}

/* It is shown, and nothing counts by it: neither the room's order of time nor how long its transaction is known. */
static void what_a_service_says_of_time_is_shown_alone(void **state)
{
    static const int64_t SAID[] = {1000, 1000000000000, JSON_INT_MAX};
    struct fixture f;
    fixture_start(&f);
    user_no anna = fixture_user(&f, "anna");
    room_no room = fixture_room(&f, anna, "11", PRESET_PRIVATE_CHAT, NULL);
    for (size_t i = 0; i < sizeof SAID / sizeof *SAID; ++i) {
        struct appended before, after;
        struct event_row row;
        struct error e;
        int pruned = -1;
        ahead_ms = (int64_t)i * MINUTE_MS;
        assert_true(fixture_send(&f, room, anna, "m.room.message", NULL, "{\"body\":\"x\",\"msgtype\":\"m.text\"}",
                                 NULL, &before, NULL));
        int64_t now_ms = clock_wall_ms();
        massaged.room = room, massaged.sender = anna, massaged.ts = SAID[i], massaged.at_ms = now_ms + 1000;
        assert_true(writer_run(f.writer, job_massaged, &f, &e));
        ahead_ms += 10000;
        assert_true(fixture_send(&f, room, anna, "m.room.message", NULL, "{\"body\":\"y\",\"msgtype\":\"m.text\"}",
                                 NULL, &after, NULL));
        struct stmt *q = events_by_pos(f.db, massaged.sent.pos);
        assert_true(events_next(q, &row));
        assert_int_equal(row.ts, SAID[i]);
        assert_int_equal(event_received_ms(&row), massaged.at_ms);
        stmt_end(q);
        q = events_by_pos(f.db, after.pos);
        assert_true(events_next(q, &row));
        assert_true(row.ts > massaged.at_ms && row.ts < massaged.at_ms + MINUTE_MS);
        stmt_end(q);
        assert_true(events_at_time(f.db, room, massaged.at_ms, true) == massaged.sent.pos);
        assert_true(events_at_time(f.db, room, massaged.at_ms, false) == massaged.sent.pos);
        assert_true(events_at_time(f.db, room, massaged.at_ms + 1, true) == after.pos);
        assert_true(events_at_time(f.db, room, massaged.at_ms - 1, false) == before.pos);
        assert_true(writer_run(f.writer, job_prune, &pruned, &e));
        assert_int_equal(pruned, 0);
        if (i == 1)
            fixture_restart(&f); /* the room's time is read anew */
        assert_true(writer_run(f.writer, job_prune_later, &pruned, &e));
        assert_int_equal(pruned, 1);
    }
    fixture_stop(&f);
}

/* --- Times in rows --- */

enum fate {
    TOLD,    /* people read it, nothing is compared with it */
    NOW,     /* happened: it is of now */
    MADE,    /* happened, and what ends keeps its length: expires_ms of the same table */
    LENGTH,  /* that expires_ms */
    SOONER,  /* ends by as much earlier as the clock went back */
    HOUR_NO, /* happened, in hours */
    ONE_DAY  /* is never more than a day ahead */
};

static const struct {
    const char *table, *column;
    enum fate fate;
} TIMES[] = {
    {"access_tokens", "expires_ms", SOONER},
    {"applications", "created_ms", TOLD},
    {"applications", "decided_ms", TOLD},
    {"archived_rooms", "archived_ms", TOLD},
    {"association_codes", "expires_ms", SOONER},
    {"associations", "agreed_ms", TOLD},
    {"code_counts", "hour", HOUR_NO},
    {"contacts", "added_ms", TOLD},
    {"contacts", "verified_ms", TOLD},
    {"custodies", "set_ms", TOLD},
    {"devices", "created_ms", TOLD},
    {"devices", "last_seen_ms", NOW},
    {"erasures", "done_ms", TOLD}, /* compared with itself */
    {"erasures", "left_ms", TOLD},
    {"erasures", "scrubbed_ms", TOLD},
    {"erasures", "started_ms", TOLD},
    {"events", "received_ms", TOLD}, /* of this clock as ts is: the same test */
    {"events", "ts", TOLD},          /* signed; a_clock_that_was_ahead_does_not_hold_a_rooms_time */
    {"guardianships", "since_ms", TOLD},
    {"held_imports", "base_ms", TOLD}, /* a version, or the day that waits: a_day_that_has_not_come… */
    {"held_imports", "created_ms", NOW},
    {"held_messages", "created_ms", TOLD},
    {"held_messages", "due_ms", ONE_DAY},
    {"held_pushes", "due_ms", ONE_DAY},
    {"held_pushes", "first_ms", NOW},
    {"idempotency", "created_ms", NOW},
    {"identities", "linked_ms", TOLD},
    {"imports", "ended_ms", NOW},
    {"imports", "started_ms", TOLD},
    {"incarnations", "began_ms", TOLD},
    {"links", "claim_until_ms", SOONER},
    {"links", "created_ms", MADE},
    {"links", "expires_ms", LENGTH},
    {"links", "revoked_ms", TOLD},
    {"losses", "lost_ms", NOW},
    {"media", "created_ms", TOLD},
    {"media", "forget_ms", SOONER},
    {"oauth_clients", "used_ms", NOW},
    {"oauth_codes", "expires_ms", SOONER},
    {"oauth_codes", "spent_ms", TOLD},
    {"oauth_device_codes", "expires_ms", SOONER},
    {"oauth_device_codes", "interval_ms", TOLD}, /* a length */
    {"oauth_device_codes", "polled_ms", NOW},
    {"operator_tokens", "created_ms", TOLD},
    {"operator_tokens", "expires_ms", TOLD}, /* the day that somebody wrote */
    {"operator_tokens", "revoked_ms", TOLD},
    {"page_sessions", "created_ms", NOW},
    {"page_sessions", "seen_ms", NOW},
    {"policies", "created_ms", TOLD},
    {"pushers", "mailed_ms", NOW},
    {"pushers", "set_ms", TOLD}, /* compared with itself */
    {"receipts", "ts", TOLD},
    {"refresh_tokens", "expires_ms", SOONER},
    {"registration_tokens", "created_ms", MADE},
    {"registration_tokens", "expires_ms", LENGTH},
    {"reports", "created_ms", TOLD},
    {"reports", "handled_ms", TOLD},
    {"rooms", "created_ms", TOLD},
    {"roster_mirrors", "newest_ms", ONE_DAY},
    {"roster_mirrors", "updated_ms", TOLD}, /* a version: it only rises */
    {"second_factors", "set_ms", TOLD},
    {"settled", "day", TOLD}, /* e2_days_go_both_ways */
    {"spent_refresh_tokens", "spent_ms", TOLD},
    {"stream", "seen_ms", TOLD}, /* what all this is known by */
    {"taken_contacts", "added_ms", TOLD},
    {"taken_contacts", "taken_ms", NOW},
    {"taken_contacts", "verified_ms", TOLD},
    {"taken_members", "taken_ms", NOW},
    {"taken_owners", "taken_ms", NOW},
    {"taken_records", "since_ms", TOLD},
    {"taken_records", "taken_ms", NOW},
    {"taken_states", "taken_ms", NOW},
    {"to_device_transactions", "done_ms", NOW},
    {"untold_hearers", "due_ms", ONE_DAY},
    {"urgent_messages", "sent_ms", NOW},
    {"users", "created_ms", TOLD},
    {"verifications", "created_ms", MADE},
    {"verifications", "expires_ms", LENGTH},
    {"verifications", "validated_ms", TOLD},
};
enum { TIMES_N = sizeof TIMES / sizeof *TIMES };

static const struct statement TIME_TEXTS[] = {
    {"SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table' AND"
     " (p.name GLOB '*_ms' OR p.name IN ('ts', 'hour', 'day')) ORDER BY m.name, p.name"},
    {"SELECT name, type FROM pragma_table_info($1)"},
    {"SELECT value FROM found WHERE which = $1"},
};
static const struct statements TIME_ROWS = {"times_test", TIME_TEXTS, 3};

static void every_time_in_a_row_has_a_decision(void **state)
{
    struct fixture f;
    int n = 0;
    fixture_start(&f);
    struct stmt *q = db_query(f.db, &TIME_ROWS, 0, "");
    bool more;
    for (; (more = stmt_next(q)) && n < TIMES_N; ++n) {
        assert_string_equal(col_text(q, 0), TIMES[n].table);
        assert_string_equal(col_text(q, 1), TIMES[n].column);
    }
    assert_false(more);
    stmt_end(q);
    assert_int_equal(n, TIMES_N);
    fixture_stop(&f);
}

static enum fate fate_of(const char *table, const char *column)
{
    for (int i = 0; i < TIMES_N; ++i)
        if (strcmp(TIMES[i].table, table) == 0 && strcmp(TIMES[i].column, column) == 0)
            return TIMES[i].fate;
    return TOLD;
}

/* A value of the row that was written at a time: what happened an hour before, what ends an hour later. */
static int64_t written_at(enum fate fate, int64_t ms)
{
    return fate == HOUR_NO                                       ? ms / HOUR_MS
           : fate == LENGTH || fate == SOONER || fate == ONE_DAY ? ms + HOUR_MS
                                                                 : ms - HOUR_MS;
}

/* One row, of whatever fits. */
static void plant(struct db *db, const char *table, int64_t ms)
{
    struct text names = TEXT_INIT, values = TEXT_INIT;
    struct stmt *q = db_query(db, &TIME_ROWS, 1, "t", table);
    while (stmt_next(q)) {
        const char *name = col_text(q, 0), *type = col_text(q, 1);
        enum fate fate = fate_of(table, name);
        text_addf(&names, "%s%s", names.len != 0 ? "," : "", name);
        text_adds(&values, values.len != 0 ? "," : "");
        if (fate != TOLD)
            text_addf(&values, "%lld", (long long)written_at(fate, ms));
        else
            text_adds(&values, strcmp(type, "INTEGER") == 0 ? "1" : strcmp(type, "BLOB") == 0 ? "x'01'" : "'1'");
    }
    stmt_end(q);
    char *sql = xcalloc(1, names.len + values.len + 128);
    sprintf(sql, "INSERT INTO %s (%s) VALUES (%s)", table, names.data, values.data);
    assert_true(db_script(db, sql));
    free(sql);
    text_finish(&names);
    text_finish(&values);
}

static void plant_all(struct db *db, int64_t ms)
{
    assert_true(db_script(db, "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; CREATE TEMP TABLE "
                              "found (which INTEGER, value INTEGER);"));
    for (int i = 0; i < TIMES_N; ++i)
        if (i == 0 || strcmp(TIMES[i].table, TIMES[i - 1].table) != 0) {
            bool wanted = false;
            for (int k = i; k < TIMES_N && strcmp(TIMES[k].table, TIMES[i].table) == 0; ++k)
                wanted |= TIMES[k].fate != TOLD;
            if (wanted)
                plant(db, TIMES[i].table, ms);
        }
    assert_true(db_script(db, "PRAGMA foreign_keys = ON; PRAGMA ignore_check_constraints = OFF"));
}

static void look(struct db *db, int64_t values[TIMES_N])
{
    assert_true(db_script(db, "DELETE FROM found"));
    for (int i = 0; i < TIMES_N; ++i) {
        char sql[256];
        snprintf(sql, sizeof sql, "INSERT INTO found SELECT %d, %s FROM %s", i, TIMES[i].column, TIMES[i].table);
        if (TIMES[i].fate != TOLD)
            assert_true(db_script(db, sql));
    }
    for (int i = 0; i < TIMES_N; ++i)
        values[i] = db_int(db, &TIME_ROWS, 2, -1, "i", (int64_t)i);
}

/* The clock was a year ahead at its last probe. Which rows are of that year, or of now. */
static void comes_back(struct fixture *f, bool of_then, bool restarted, int64_t before[TIMES_N], int64_t after[TIMES_N])
{
    bool suspect;
    struct storage_check check = {.writer = f->writer};
    ahead_ms = 365 * DAY_MS;
    assert_int_equal(storage_probe(&check, &suspect), JOB_DONE);
    if (restarted)
        fixture_restart(f);
    struct db *db = writer_db_for_tests(f->writer);
    check = (struct storage_check){.writer = f->writer};
    plant_all(db, of_then ? clock_wall_ms() : right_clock_ms());
    look(db, before);
    ahead_ms = 0;
    if (!restarted) { /* the first time the disk is full */
        db_fail_after(db, 8);
        assert_int_equal(storage_probe(&check, &suspect), JOB_FAILED);
        db_fail_after(db, 0);
        check.probed_ms = 0;
    }
    assert_int_equal(storage_probe(&check, &suspect), JOB_DONE);
    look(db, after);
    assert_true(db_script(db, "DROP TABLE found"));
}

static void times_that_were_ahead_are_put_right(void **state)
{
    for (int restarted = 0; restarted < 2; ++restarted) {
        struct fixture f;
        int64_t before[TIMES_N], after[TIMES_N], now = right_clock_ms();
        fixture_start(&f);
        comes_back(&f, true, restarted == 1, before, after);
        for (int i = 0; i < TIMES_N; ++i) {
            bool ends = TIMES[i].fate == LENGTH || TIMES[i].fate == SOONER;
            int64_t unit = TIMES[i].fate == HOUR_NO ? HOUR_MS : 1;
            if (TIMES[i].fate == TOLD)
                continue;
            assert_true(before[i] * unit > now + 300 * DAY_MS);
            if (after[i] * unit > now + (ends ? 3 * HOUR_MS : MINUTE_MS) || after[i] * unit < now - 2 * HOUR_MS)
                fail_msg("%s.%s", TIMES[i].table, TIMES[i].column);
            if (TIMES[i].fate == LENGTH)
                assert_int_equal(after[i] - after[i - 1], before[i] - before[i - 1]); /* created_ms stands before it */
        }
        fixture_stop(&f);
    }
}

static void times_that_were_right_stay(void **state)
{
    struct fixture f;
    int64_t before[TIMES_N], after[TIMES_N];
    fixture_start(&f);
    comes_back(&f, false, true, before, after);
    for (int i = 0; i < TIMES_N; ++i)
        if (before[i] != after[i])
            fail_msg("%s.%s", TIMES[i].table, TIMES[i].column);
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
        cmocka_unit_test_setup(what_a_service_says_of_time_is_shown_alone, back_to_now),
        cmocka_unit_test_setup(every_time_in_a_row_has_a_decision, back_to_now),
        cmocka_unit_test_setup(times_that_were_ahead_are_put_right, back_to_now),
        cmocka_unit_test_setup(times_that_were_right_stay, back_to_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
