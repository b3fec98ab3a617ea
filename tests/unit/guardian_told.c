/* Who is told of a child's new guardian (school.md D2, D9), and when whom a day has brought too much: nobody hears
 * less, only later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/roster_rooms.h"
#include "policy/school_rooms/notices.h"
#include "policy/signup/guardian_told.h"
#include "tests/unit/signup_world.h"

#define BECAUSE "decision 2-114 of 3 March"

static struct world w;
static user_no father, alone;
static int64_t ahead_ms;

int64_t right_clock_ms(void) __asm__("__real_clock_wall_ms");
int64_t wrong_clock_ms(void) __asm__("__wrap_clock_wall_ms");
int64_t wrong_clock_ms(void)
{
    return right_clock_ms() + ahead_ms;
}

static bool job_script(struct tx *tx, void *arg, struct error *e)
{
    fixture_acts(tx);
    return db_script(tx->db, arg);
}

static void script(const char *sql)
{
    struct error e;
    assert_true(writer_run(w.f.writer, job_script, (void *)sql, &e));
}

static const struct statement LEFT_TEXTS[] = {"SELECT count(*) FROM untold_hearers"};
STATEMENTS(LEFT, "guardian_told", LEFT_TEXTS);

static int waiting(void)
{
    return (int)db_int(w.f.db, &LEFT, 0, -1, "");
}

/* Guardians of two children of one class teacher. What the families are made of is no news. */
static int setup(void **state)
{
    ahead_ms = 0;
    world_start(&w);
    father = world_person(&w, (struct world_person){"Fedor", "Father", NULL, w.school, ROLE_STAFF});
    alone = world_person(&w, (struct world_person){"Alla", "Alone", NULL, w.school, ROLE_STAFF});
    world_guardian(&w, w.young, father);
    world_guardian(&w, w.old, alone);
    script("DELETE FROM untold_guardians");
    return 0;
}

static int teardown(void **state)
{
    world_stop(&w);
    return 0;
}

static bool end_act(struct changing_records *c, void *arg)
{
    const user_no *pair = arg;
    return change_guardianship_end(c, pair[0], pair[1]);
}

static void ends(user_no child, user_no guardian)
{
    struct error e;
    assert_true(world_run(&w, w.admin, end_act, (user_no[]){child, guardian}, &e));
}

/* The office adds somebody. */
static user_no adds(user_no child, const char *given)
{
    struct error e;
    user_no who = world_person(&w, (struct world_person){given, "Newt", NULL, w.school, ROLE_STAFF});
    assert_true(world_run(&w, w.admin, world_guardian_act, (user_no[]){child, who}, &e));
    return who;
}

static void tell(void)
{
    static const _Atomic bool stop = false;
    struct guardians_told told = {w.f.writer, w.f.rooms};
    enum job_outcome out;
    int runs = 0;
    while ((out = guardians_told_run(&told, &stop)) == JOB_MORE)
        assert_true(++runs < 100);
    assert_int_equal(out, JOB_DONE);
}

/* How many notices user has, and how many of them have needle. */
static int notices_with(user_no user, const char *needle, int *all)
{
    int n = 0;
    struct event_row row;
    room_no room = rooms_owned(w.f.db, user, room_kind_name(ROOM_NOTICES));
    *all = 0;
    if (room == 0)
        return 0;
    struct stmt *q = events_forwards(w.f.db, room, 0, INT64_MAX, 1000);
    while (events_next(q, &row)) {
        if (row.state_key != NULL)
            continue;
        json_auto_t *content = json_loads(row.content, 0, NULL);
        const char *body = json_get_string(content, "body");
        assert_non_null(body);
        assert_true(strlen(body) <= NOTICE_BYTES_MAX);
        ++*all;
        n += strstr(body, needle) != NULL;
    }
    stmt_end(q);
    return n;
}

static void assert_heard(user_no user, const char *needle, int times)
{
    int all;
    if (notices_with(user, needle, &all) != times)
        fail_msg("%d of %d notices to %d tell of %s, not %d", notices_with(user, needle, &all), all, (int)user, needle,
                 times);
}

static int notices(user_no user)
{
    int all;
    notices_with(user, "", &all);
    return all;
}

/* Its class teacher and, if there is one, the other guardian have had all that a day takes. */
static void fill_day(user_no child)
{
    for (int i = 0; i < TOLD_A_DAY; ++i) {
        user_no who = adds(child, "Passing");
        tell();
        ends(child, who);
    }
}

/* J5: the bound is each hearer's own; what it holds back comes the next day, all at once and to them alone. */
static void what_a_day_does_not_hold_is_told_the_next(void **state)
{
    ends(w.young, father);
    fill_day(w.young);
    assert_int_equal(notices(w.class_teacher), TOLD_A_DAY);
    user_no passing = adds(w.young, "Passing");
    adds(w.young, "Pavla");
    adds(w.old, "Olga");
    tell();
    tell();
    assert_int_equal(notices(w.class_teacher), TOLD_A_DAY);
    assert_heard(alone, "Olga", 1); /* no class's flood is theirs */
    assert_int_equal(waiting(), 3);
    ends(w.young, passing); /* is over before it was told */
    assert_int_equal(waiting(), 2);
    ahead_ms = DAY_MS + 2 * HOUR_MS;
    tell();
    tell();
    assert_heard(w.class_teacher, "Pavla", 1);
    assert_heard(w.class_teacher, "Olga", 1);
    assert_int_equal(notices(w.class_teacher), TOLD_A_DAY + 1);
    assert_heard(w.class_teacher, "Passing", TOLD_A_DAY);
    assert_int_equal(notices(alone), 1);
    assert_int_equal(waiting(), 0);
}

/* Not only of a class teacher: whatever keeps a hearer from hearing keeps nobody else, and ends. */
static void who_is_away_hears_it_afterwards(void **state)
{
    char sql[100];
    snprintf(sql, sizeof sql, "UPDATE users SET state = 'suspended' WHERE user_no = %d", (int)father);
    script(sql);
    adds(w.young, "Pavla");
    tell();
    assert_heard(father, "Pavla", 0);
    assert_heard(w.class_teacher, "Pavla", 1);
    snprintf(sql, sizeof sql, "UPDATE users SET state = 'active' WHERE user_no = %d", (int)father);
    script(sql);
    ahead_ms = DAY_MS + 2 * HOUR_MS;
    tell();
    assert_heard(father, "Pavla", 1);
    assert_heard(w.class_teacher, "Pavla", 1);
}

/* Who waits to hear it is asked again whether it is theirs to hear. */
static void who_answers_for_the_child_no_more_hears_nothing(void **state)
{
    ends(w.young, father);
    fill_day(w.young);
    adds(w.young, "Pavla");
    tell();
    script("DELETE FROM enrollments WHERE role = 'class_teacher'");
    ahead_ms = DAY_MS + 2 * HOUR_MS;
    tell();
    assert_int_equal(notices(w.class_teacher), TOLD_A_DAY);
    assert_int_equal(waiting(), 0);
}

struct setting {
    user_no child, guardian;
    enum custody custody;
};

static bool set_act(struct changing_records *c, void *arg)
{
    const struct setting *s = arg;
    return change_custody(c, s->child, s->guardian, s->custody, BECAUSE);
}

static void sets(user_no child, user_no guardian, enum custody custody)
{
    struct error e;
    assert_true(world_run(&w, w.admin, set_act, &(struct setting){child, guardian, custody}, &e));
}

/* D9: somebody from whom the child is kept is named to nobody as its guardian, until the office takes it back. */
static void d9_of_no_contact_nobody_hears_until_it_is_taken_back(void **state)
{
    user_no who = adds(w.young, "Pavla");
    sets(w.young, who, CUSTODY_NO_CONTACT);
    tell();
    assert_heard(father, "guardian", 0);
    assert_heard(w.class_teacher, "guardian", 0);
    sets(w.young, who, CUSTODY_SHARED);
    tell();
    assert_heard(father, "Pavla", 1);
    assert_heard(w.class_teacher, "Pavla", 1);
}

/* A class that comes on one day: a few notices, each as long as one may be, and nobody is left out. */
static void a_class_that_comes_at_once_is_a_few_notices(void **state)
{
    char long_name[101], given[40];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    for (int i = 0; i < 3 * TOLD_A_DAY; ++i) {
        user_no child = world_person(
            &w,
            (struct world_person){
                .given = "Pupil", .family = long_name, .school = w.school, .class = w.fifth, .enrolled = ROLE_PUPIL});
        snprintf(given, sizeof given, "Guardian-%d-", i);
        adds(child, given);
    }
    tell();
    for (int i = 0; i < 3 * TOLD_A_DAY; ++i) {
        snprintf(given, sizeof given, "Guardian-%d-", i);
        assert_heard(w.class_teacher, given, 1);
    }
    assert_in_range(notices(w.class_teacher), 2, TOLD_A_DAY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_day_does_not_hold_is_told_the_next),
        TEST(who_is_away_hears_it_afterwards),
        TEST(who_answers_for_the_child_no_more_hears_nothing),
        TEST(d9_of_no_contact_nobody_hears_until_it_is_taken_back),
        TEST(a_class_that_comes_at_once_is_a_few_notices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
