/* Guardians (school.md D1–D8): the child's link, who may confirm, corrections, the second and the third, withdrawal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "homeserver/base/clock.h"
#include "homeserver/store/school/audit.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/school_rooms.h"
#include "tests/unit/signup_world.h"

static struct world w;

static int setup(void **state)
{
    world_start(&w);
    return 0;
}

static int teardown(void **state)
{
    world_stop(&w);
    return 0;
}

static struct link_made link_of(user_no child)
{
    struct link_made made;
    struct error e;
    if (!world_link(&w, child, (struct link_wish){.kind = LINK_GUARDIAN}, &made, &e))
        fail_msg("%s", error_sentence(&e));
    return made;
}

struct confirming {
    struct guardian_confirmation how;
    enum guardian_outcome outcome;
    enum correction_outcome correction;
};

static bool confirm_act(struct changing_records *c, void *arg)
{
    struct confirming *confirming = arg;
    struct link_row link = {0};
    links_find(c->tx->db, confirming->how.token, &link);
    confirming->how.seen = guardian_child_version(c->tx->db, link.person);
    return guardian_confirm(c, &confirming->how, &confirming->outcome, &confirming->correction);
}

static bool confirms_with(user_no who, const char *token, struct confirming *confirming, struct error *e)
{
    confirming->how.token = token;
    confirming->how.contacts = w.contacts;
    confirming->how.self = (struct applicant){"Maria", "Guardian", "", DAY_EVER, ""};
    if (confirming->how.child.given == NULL)
        confirming->how.child = APPLICANT_NOBODY;
    return world_run(&w, who, confirm_act, confirming, e);
}

static bool confirms(user_no who, const char *token, struct error *e)
{
    struct confirming confirming = {0};
    return confirms_with(who, token, &confirming, e);
}

static bool is_guardian(user_no guardian, user_no child)
{
    return school_is_guardian(w.f.db, guardian, child);
}

/* The whole way: the child is restricted, makes a link, the parent signs up by it, confirms, both see each other. */
static void d1_d2_d3_d7_a_parent_signs_up_and_confirms(void **state)
{
    struct link_made link = link_of(w.young);
    struct error e;
    assert_string_equal(world_account_state(&w, w.young), "restricted");
    user_no parent = world_signs_up(&w, link.token, "Maria", &e);
    assert_int_not_equal(parent, 0);
    assert_string_equal(world_account_state(&w, parent), "pending");
    assert_false(is_guardian(parent, w.young));
    assert_string_equal(world_account_state(&w, w.young), "restricted");
    if (!confirms(parent, link.token, &e))
        fail_msg("%s", error_sentence(&e));
    assert_true(is_guardian(parent, w.young));
    assert_string_equal(world_account_state(&w, parent), "active");
    assert_string_equal(world_account_state(&w, w.young), "active");
    assert_int_equal(school_roles(w.f.db, w.school, parent), ROLE_GUARDIAN);
    user_no seen;
    assert_int_equal(guardianships_guardians(w.f.db, w.young, &seen, 1), 1);
    assert_int_equal(seen, parent);
    assert_int_equal(guardianships_children(w.f.db, parent, &seen, 1), 1);
    assert_int_equal(seen, w.young);
    assert_false(confirms(parent, link.token, &e)); /* once is enough */
}

/* The account made by the link is the only one that may go on with it. */
static void d1_a_link_that_made_an_account_is_spent(void **state)
{
    struct link_made link = link_of(w.young);
    struct error e;
    user_no parent = world_signs_up(&w, link.token, "Maria", &e);
    assert_int_equal(world_signs_up(&w, link.token, "Mallory", &e), 0);
    assert_false(confirms(w.teacher, link.token, &e));
    assert_string_equal(world_rule(&e), "C2");
    assert_true(confirms(parent, link.token, &e));
}

static bool revoke_act(struct changing_records *c, void *arg)
{
    return link_revoke(c, *(link_no *)arg);
}

static void d1_a_revoked_link_stops_who_has_begun(void **state)
{
    struct link_made link = link_of(w.young);
    struct error e;
    user_no parent = world_signs_up(&w, link.token, "Maria", &e);
    assert_true(world_run(&w, w.young, revoke_act, &link.no, &e));
    assert_false(confirms(parent, link.token, &e));
    assert_string_equal(world_rule(&e), "C2");
    assert_string_equal(world_account_state(&w, parent), "pending");
}

/* B2: a teacher is a parent in the same account. */
static void b2_d2_a_teacher_confirms_in_their_own_account(void **state)
{
    struct error e;
    if (!confirms(w.teacher, link_of(w.young).token, &e))
        fail_msg("%s", error_sentence(&e));
    assert_int_equal(school_roles(w.f.db, w.school, w.teacher), ROLE_TEACHER | ROLE_GUARDIAN);
}

static void d4_not_in_the_childs_own_session(void **state)
{
    struct link_made link = link_of(w.young);
    struct guardian_view view;
    struct link_row row;
    struct error e;
    const struct actor child = {.user = w.young, .name = "child"};
    assert_false(guardian_look(w.f.db, true, &child, NULL, link.token, clock_wall_ms(), &view, &e));
    assert_string_equal(world_rule(&e), "D4");
    assert_non_null(strstr(e.translation, "another device"));
    assert_false(confirms(w.young, link.token, &e));
    assert_string_equal(world_rule(&e), "D4");
    assert_true(links_get(w.f.db, link.no, &row));
    assert_int_equal(row.uses, 0); /* still good for the parent */
}

static void d2_a_schoolmate_is_no_parent(void **state)
{
    struct error e;
    assert_false(confirms(w.old, link_of(w.young).token, &e));
    assert_string_equal(world_rule(&e), "D2");
    user_no adult =
        world_person(&w, (struct world_person){"Evening", "Pupil", "1990-01-01", w.school, 0, w.fifth, ROLE_PUPIL});
    assert_true(confirms(adult, link_of(w.young).token, &e));
}

static bool no_letters(void *post, const struct letter *letter, int64_t deadline_ms,
                       void (*done)(void *arg, bool delivered), void *arg)
{
    return false;
}

struct binding {
    user_no user;
    const char *email;
};

static bool bind_act(struct changing_records *c, void *arg)
{
    struct binding *b = arg;
    struct contact_address address;
    return contact_from("email", b->email, &address, c->e) &&
           contacts_bind(c->tx, b->user, &address, 0, c->tx->now_ms, c->e);
}

/* Where the server verifies addresses, a guardian has one of their own. */
static void d4_with_an_address_of_their_own(void **state)
{
    struct error e;
    struct link_made link = link_of(w.young);
    w.contacts = contacts_create(&(struct contacts_settings){
        .config = w.config, .writer = w.f.writer, .offers = {[POST_MAIL] = true}, .send = no_letters});
    assert_false(confirms(w.teacher, link.token, &e));
    assert_string_equal(world_rule(&e), "D4");
    assert_true(world_run(&w, 0, bind_act, &(struct binding){w.teacher, "t@example.org"}, &e));
    assert_true(confirms(w.teacher, link.token, &e));
}

static bool pair_act(struct changing_records *c, void *arg)
{
    const user_no *pair = arg;
    return change_guardianship(c, pair[0], pair[1]);
}

static void d5_at_most_two(void **state)
{
    struct error e;
    struct link_made first = link_of(w.young), second = link_of(w.young), made;
    user_no third = world_person(&w, (struct world_person){"Petr", "Third", NULL, w.school, ROLE_STAFF});
    assert_true(confirms(w.teacher, first.token, &e));
    struct link_made left_over = link_of(w.young);
    assert_true(confirms(w.class_teacher, second.token, &e));
    assert_false(confirms(third, left_over.token, &e));
    assert_string_equal(world_rule(&e), "D5");
    assert_int_equal(world_signs_up(&w, left_over.token, "Petr", &e), 0); /* nor an account for it */
    assert_string_equal(world_rule(&e), "D5");
    assert_false(world_link(&w, w.young, (struct link_wish){.kind = LINK_GUARDIAN}, &made, &e));
    assert_string_equal(world_rule(&e), "D5");
    assert_false(world_run(&w, 0, pair_act, (user_no[]){w.young, third}, &e)); /* nor by the office */
    assert_int_equal(guardianships_guardians(w.f.db, w.young, NULL, 0), 2);
}

struct runner {
    const char *token;
    pthread_barrier_t *start;
    user_no who;
    bool confirmed;
};

static void *run_up(void *arg)
{
    struct runner *runner = arg;
    struct error e;
    struct confirming confirming = {
        .how = {.token = runner->token, .self = {"Maria", "Guardian", "", DAY_EVER, ""}, .child = APPLICANT_NOBODY}};
    const struct actor actor = {.user = runner->who, .name = "@guardian:school.example"};
    struct world_job job = {&w, &actor, confirm_act, &confirming};
    pthread_barrier_wait(runner->start);
    runner->confirmed = writer_run(w.f.writer, world_job, &job, &e);
    return NULL;
}

/* Runs both at once; how many were confirmed. */
static int race(struct runner runners[2])
{
    pthread_t threads[2];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, 2);
    for (int i = 0; i < 2; ++i) {
        runners[i].start = &start;
        pthread_create(&threads[i], NULL, run_up, &runners[i]);
    }
    for (int i = 0; i < 2; ++i)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    return runners[0].confirmed + runners[1].confirmed;
}

static void d1_two_with_one_link_at_once_admits_one(void **state)
{
    for (int round = 0; round < 5; ++round) {
        user_no child =
            world_person(&w, (struct world_person){"Kid", "Kid", "2016-01-01", w.school, 0, w.fifth, ROLE_PUPIL});
        struct link_made link = link_of(child);
        assert_int_equal(race((struct runner[2]){{.token = link.token, .who = w.teacher},
                                                 {.token = link.token, .who = w.class_teacher}}),
                         1);
        assert_int_equal(guardianships_guardians(w.f.db, child, NULL, 0), 1);
    }
}

static void d5_two_for_the_second_place_at_once_admits_one(void **state)
{
    user_no third = world_person(&w, (struct world_person){"Petr", "Third", NULL, w.school, ROLE_STAFF});
    for (int round = 0; round < 5; ++round) {
        user_no child =
            world_person(&w, (struct world_person){"Kid", "Kid", "2016-01-01", w.school, 0, w.fifth, ROLE_PUPIL});
        struct link_made a = link_of(child), b;
        assert_true(confirms(third, a.token, NULL));
        a = link_of(child);
        b = link_of(child);
        assert_int_equal(
            race((struct runner[2]){{.token = a.token, .who = w.teacher}, {.token = b.token, .who = w.class_teacher}}),
            1);
        assert_int_equal(guardianships_guardians(w.f.db, child, NULL, 0), 2);
    }
}

static void d6_several_children_in_several_schools(void **state)
{
    struct error e;
    user_no elsewhere =
        world_person(&w, (struct world_person){"Gleb", "Else", "2016-01-01", w.school, 0, w.first, ROLE_PUPIL});
    user_no parent = world_signs_up(&w, link_of(w.young).token, "Maria", &e);
    assert_int_not_equal(parent, 0);
    struct link_made own = link_of(w.young);
    assert_true(confirms(parent, own.token, &e)); /* another link of the same child will do */
    assert_false(applications_any_open(w.f.db, parent));
    assert_true(confirms(parent, link_of(w.small).token, &e));
    assert_true(confirms(parent, link_of(elsewhere).token, &e));
    assert_int_equal(guardianships_children(w.f.db, parent, NULL, 0), 3);
    assert_true(confirms(w.other_admin, link_of(w.old).token, &e)); /* of another school */
    assert_int_equal(school_roles(w.f.db, w.school, w.other_admin), ROLE_GUARDIAN);
}

static bool withdraw_act(struct changing_records *c, void *arg)
{
    return guardian_withdraw(c, *(user_no *)arg);
}

static void d7_the_restriction_returns_with_the_last_guardian(void **state)
{
    struct error e;
    assert_true(confirms(w.teacher, link_of(w.young).token, &e));
    assert_true(confirms(w.class_teacher, link_of(w.young).token, &e));
    assert_string_equal(world_account_state(&w, w.young), "active");
    assert_false(world_run(&w, w.other_admin, withdraw_act, &w.young, &e)); /* who is none */
    assert_false(world_run(&w, w.young, withdraw_act, &w.young, &e));       /* the child */
    assert_true(world_run(&w, w.teacher, withdraw_act, &w.young, &e));
    assert_string_equal(world_account_state(&w, w.young), "active");
    assert_true(world_run(&w, w.class_teacher, withdraw_act, &w.young, &e));
    assert_string_equal(world_account_state(&w, w.young), "restricted");
    assert_int_equal(school_roles(w.f.db, w.school, w.teacher), ROLE_TEACHER);
    assert_true(confirms(w.teacher, link_of(w.young).token, &e)); /* and goes again */
    assert_string_equal(world_account_state(&w, w.young), "active");
}

static void d2_the_schools_own_record_is_corrected_at_once(void **state)
{
    struct error e;
    struct person_row record;
    struct confirming how = {.how.child = {"Yuri", "", "", birth_from("2016-05-05"), ""}}; /* the day is as it was */
    assert_true(confirms_with(w.teacher, link_of(w.young).token, &how, &e));
    assert_int_equal(how.outcome, GUARDIAN_CONFIRMED);
    assert_int_equal(how.correction, CORRECTION_MADE);
    assert_true(people_get(w.f.db, w.young, &record));
    assert_string_equal(record.given, "Yuri");
    assert_string_equal(record.family, "Young");
    assert_int_equal(record.birth, birth_from("2016-05-05"));
    person_row_finish(&record);
}

static application_no waiting_correction(user_no child)
{
    struct application_row row = {0};
    struct stmt *q = applications_query(
        w.f.db, &(struct applications_query){
                    .limit = 9, .child = child, .state = APPLICATION_WAITING, .kind = APPLICATION_CORRECTION});
    application_no no = applications_next(q, &row) ? row.no : 0;
    assert_false(applications_next(q, &row));
    stmt_end(q);
    return no;
}

static school_day born(user_no user)
{
    struct person_row record;
    people_get(w.f.db, user, &record);
    school_day birth = record.birth;
    person_row_finish(&record);
    return birth;
}

static bool withdraw_child_act(struct changing_records *c, void *arg)
{
    return guardian_withdraw(c, *(user_no *)arg);
}

/* Of the child's guardian, of whom D7's restriction stands and falls with the age. */
static void d10_a_birth_date_is_the_offices_to_correct(void **state)
{
    struct error e;
    struct confirming how = {.how.child = {"Yuri", "", "", birth_from("2005-05-05"), ""}};
    world_policy(&w, "{\"class_teacher\": {\"may\": [\"links\", \"approve\"]}}");
    assert_true(confirms_with(w.teacher, link_of(w.young).token, &how, &e));
    assert_int_equal(how.correction, CORRECTION_IN_PART);
    assert_int_equal(born(w.young), birth_from("2016-05-05"));
    application_no no = waiting_correction(w.young);
    assert_int_not_equal(no, 0);
    assert_false(world_approve(&w, w.class_teacher, no, &e)); /* who approves, and changes no records */
    assert_string_equal(world_rule(&e), "A4");
    assert_false(world_approve(&w, w.teacher, no, &e));
    /* Whoever asked and is no guardian any more asks for nothing. */
    assert_true(world_run(&w, w.teacher, withdraw_child_act, &w.young, &e));
    assert_string_equal(world_account_state(&w, w.young), "restricted");
    assert_false(world_approve(&w, w.admin, no, &e));
    assert_int_equal(e.code, ERROR_CONFLICT);
    assert_int_equal(born(w.young), birth_from("2016-05-05"));
    assert_string_equal(world_account_state(&w, w.young), "restricted");
    assert_true(confirms(w.teacher, link_of(w.young).token, &e));
    if (!world_approve(&w, w.admin, no, &e))
        fail_msg("%s", error_sentence(&e));
    assert_int_equal(born(w.young), birth_from("2005-05-05"));
    assert_true(world_run(&w, w.teacher, withdraw_child_act, &w.young, &e)); /* of age by what the office has said */
    assert_string_equal(world_account_state(&w, w.young), "active");
}

/* Nor does anybody make themselves an adult, who might apply as a pupil later on. */
static void d10_who_confirms_says_no_birth_date_of_their_own(void **state)
{
    struct error e;
    struct link_made link = link_of(w.young);
    user_no parent = world_signs_up(&w, link.token, "Maria", &e);
    struct confirming how = {.how = {.token = link.token,
                                     .contacts = w.contacts,
                                     .self = {"Maria", "Guardian", "", 19800101, ""},
                                     .child = APPLICANT_NOBODY}};
    if (!world_run(&w, parent, confirm_act, &how, &e))
        fail_msg("%s", error_sentence(&e));
    assert_int_equal(born(parent), DAY_EVER);
}

static bool to_roster_act(struct changing_records *c, void *arg)
{
    fixture_acts(c->tx);
    return people_set_source(c->tx->db, *(user_no *)arg, "diary");
}

struct correcting {
    user_no child;
    struct applicant person;
    enum correction_outcome outcome;
};

static bool correct_act(struct changing_records *c, void *arg)
{
    struct correcting *correcting = arg;
    return guardian_correct(c, correcting->child, &correcting->person,
                            guardian_child_version(c->tx->db, correcting->child), &correcting->outcome);
}

/* A roster's record: the office is asked, and decides. */
static void d2_a_rosters_record_is_corrected_by_the_office(void **state)
{
    struct error e;
    struct person_row record;
    struct application_row row;
    assert_true(world_run(&w, 0, to_roster_act, &w.young, &e));
    struct confirming how = {.how.child = {"Yuri", "", "", DAY_EVER, ""}};
    assert_true(confirms_with(w.teacher, link_of(w.young).token, &how, &e));
    assert_int_equal(how.correction, CORRECTION_WAITS);
    struct correcting again = {w.young, {"Yurik", "", "", DAY_EVER, ""}, CORRECTION_NONE};
    assert_false(world_run(&w, w.other_admin, correct_act, &again, &e)); /* nobody else's to correct */
    assert_true(world_run(&w, w.teacher, correct_act, &again, &e));      /* takes the place of the first */
    struct stmt *q = applications_query(
        w.f.db, &(struct applications_query){
                    .limit = 9, .child = w.young, .state = APPLICATION_WAITING, .kind = APPLICATION_CORRECTION});
    assert_true(applications_next(q, &row));
    application_no no = row.no;
    assert_string_equal(row.person.given, "Yurik");
    assert_false(applications_next(q, &row));
    stmt_end(q);
    assert_true(people_get(w.f.db, w.young, &record));
    assert_string_equal(record.given, "Yura");
    person_row_finish(&record);
    assert_false(world_approve(&w, w.teacher, no, &e));
    if (!world_approve(&w, w.admin, no, &e))
        fail_msg("%s", error_sentence(&e));
    assert_true(people_get(w.f.db, w.young, &record));
    assert_string_equal(record.given, "Yurik");
    assert_true(source_is_roster(record.source));
    person_row_finish(&record);
}

static bool suspend_act(struct changing_records *c, void *arg)
{
    return change_account_state(c, *(user_no *)arg, ACCOUNT_SUSPENDED);
}

/* To ask for the same again changes nothing, and whoever asks for something else fills no log. */
static void d10_a_correction_is_asked_for_once(void **state)
{
    static const char *const BORN[] = {"2004-04-04", "2004-04-04", "2003-03-03", "2004-04-04"};
    struct error e;
    struct application_row row;
    int64_t versions[4];
    int noted = 0;
    assert_true(confirms(w.teacher, link_of(w.young).token, &e));
    for (int i = 0; i < 4; ++i) {
        struct correcting asks = {w.young, {"", "", "", day_from(BORN[i]), ""}, CORRECTION_NONE};
        assert_true(world_run(&w, w.teacher, correct_act, &asks, &e));
        assert_true(applications_get(w.f.db, waiting_correction(w.young), &row));
        versions[i] = row.version;
        application_finish(&row);
    }
    assert_int_equal(versions[1], versions[0]);
    assert_true(versions[2] == versions[1] + 1 && versions[3] == versions[2] + 1);
    struct audit_row entry;
    struct stmt *q = audit_query(w.f.db, &(struct audit_query){.limit = 500, .act = "correction.ask", .actor = ""});
    while (audit_next(q, &entry))
        noted += strstr(entry.entry, "correction.ask") != NULL;
    stmt_end(q);
    assert_int_equal(noted, 1);
    assert_true(world_run(&w, w.teacher, withdraw_child_act, &w.young, &e));
}

/* A3: who is suspended sees the child, and changes nothing. */
static void d2_a3_a_suspended_guardian_corrects_nothing(void **state)
{
    struct error e;
    struct correcting wish = {w.young, {"Yurik", "", "", DAY_EVER, ""}, CORRECTION_NONE};
    const struct actor guardian = {.user = w.teacher, .name = "g"};
    assert_true(confirms(w.teacher, link_of(w.young).token, &e));
    assert_true(world_run(&w, w.admin, suspend_act, &w.teacher, &e));
    assert_true(guardian_may_see(w.f.db, true, &guardian, w.young, &e));
    assert_false(world_run(&w, w.teacher, correct_act, &wish, &e));
    assert_string_equal(world_rule(&e), "A3");
}

/* The school may want to see guardians first. */
static void d2_c2_the_school_approves_guardians_if_it_says_so(void **state)
{
    struct error e;
    struct confirming how = {.how.child = {"Yuri", "", "", DAY_EVER, ""}};
    world_policy(&w, "{\"guardians\": {\"need_approval\": true}}");
    struct link_made link = link_of(w.young);
    user_no parent = world_signs_up(&w, link.token, "Maria", &e);
    application_no no = world_application(&w, parent);
    assert_false(world_approve(&w, w.admin, no, &e)); /* has not confirmed yet */
    assert_int_equal(e.code, ERROR_CONFLICT);
    assert_true(confirms_with(parent, link.token, &how, &e));
    assert_int_equal(how.outcome, GUARDIAN_WAITS);
    assert_int_equal(how.correction, CORRECTION_WAITS);
    assert_false(is_guardian(parent, w.young));
    assert_string_equal(world_account_state(&w, parent), "pending");
    assert_string_equal(world_account_state(&w, w.young), "restricted");
    if (!world_approve(&w, w.admin, no, &e))
        fail_msg("%s", error_sentence(&e));
    assert_true(is_guardian(parent, w.young));
    assert_string_equal(world_account_state(&w, parent), "active");
    assert_string_equal(world_account_state(&w, w.young), "active");
}

struct move {
    user_no child;
    school_no from;
    class_no to;
};

static bool move_act(struct changing_records *c, void *arg)
{
    const struct move *move = arg;
    const struct enrollment_row row = {
        .class = move->to, .user = move->child, .role = ROLE_PUPIL, .begin = DAY_EVER, .end = DAY_NEVER};
    return change_enrollment(c, &row) && change_leave_school(c, move->child, move->from);
}

static bool class_act(struct changing_records *c, void *arg)
{
    class_no *class = arg;
    *class =
        change_class(c,
                     &(struct class_row){
                         .sourced_id = "o1", .grade = "5", .title = "5A", .school = w.other_school, .homeroom = true},
                     0);
    return *class != 0;
}

/* An application that waited while the child went to another school is not that school's, nor the first one's. */
static void a1_a_child_who_has_moved_is_not_decided_on_by_the_old_school(void **state)
{
    struct error e;
    struct confirming how = {0};
    struct move move = {.child = w.young, .from = w.school};
    world_policy(&w, "{\"guardians\": {\"need_approval\": true}}");
    struct link_made link = link_of(w.young);
    user_no parent = world_signs_up(&w, link.token, "Maria", &e);
    application_no no = world_application(&w, parent);
    assert_true(confirms_with(parent, link.token, &how, &e));
    assert_true(world_run(&w, 0, class_act, &move.to, &e));
    assert_true(world_run(&w, 0, move_act, &move, &e));
    assert_false(world_approve(&w, w.admin, no, &e));
    assert_int_equal(e.code, ERROR_CONFLICT);
    assert_false(world_approve(&w, w.other_admin, no, &e));
    assert_int_equal(e.code, ERROR_NOT_FOUND);
    assert_false(is_guardian(parent, w.young));
}

static void d8_a_guardian_sees_where_the_child_is_and_others_do_not(void **state)
{
    struct error e;
    struct school_room_row room;
    user_no members[16];
    bool in_class = false;
    const struct actor guardian = {.user = w.other_admin, .name = "g"}, teacher = {.user = w.teacher, .name = "t"};
    const struct actor child = {.user = w.old, .name = "o"};
    assert_false(guardian_may_see(w.f.db, true, &guardian, w.young, &e));
    assert_string_equal(world_rule(&e), "D8");
    assert_true(confirms(w.other_admin, link_of(w.young).token, &e));
    assert_true(guardian_may_see(w.f.db, true, &guardian, w.young, &e));
    assert_false(guardian_may_see(w.f.db, true, &teacher, w.young, &e));
    assert_false(guardian_may_see(w.f.db, true, &child, w.young, &e));
    struct stmt *q = school_rooms_of_person(w.f.db, w.young, 0, 100);
    while (school_rooms_next(q, &room))
        if (room.kind == ROOM_CLASS) {
            in_class = true;
            assert_non_null(strstr(room.name, "5B"));
            assert_int_equal(school_room_people(w.f.db, room.no, members, 16), 3); /* class teacher and two pupils */
        }
    stmt_end(q);
    assert_true(in_class);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(d1_d2_d3_d7_a_parent_signs_up_and_confirms),
        TEST(d1_a_link_that_made_an_account_is_spent),
        TEST(d1_a_revoked_link_stops_who_has_begun),
        TEST(b2_d2_a_teacher_confirms_in_their_own_account),
        TEST(d4_not_in_the_childs_own_session),
        TEST(d2_a_schoolmate_is_no_parent),
        TEST(d4_with_an_address_of_their_own),
        TEST(d5_at_most_two),
        TEST(d1_two_with_one_link_at_once_admits_one),
        TEST(d5_two_for_the_second_place_at_once_admits_one),
        TEST(d6_several_children_in_several_schools),
        TEST(d7_the_restriction_returns_with_the_last_guardian),
        TEST(d2_the_schools_own_record_is_corrected_at_once),
        TEST(d10_a_birth_date_is_the_offices_to_correct),
        TEST(d10_who_confirms_says_no_birth_date_of_their_own),
        TEST(d10_a_correction_is_asked_for_once),
        TEST(d2_a_rosters_record_is_corrected_by_the_office),
        TEST(d2_a3_a_suspended_guardian_corrects_nothing),
        TEST(d2_c2_the_school_approves_guardians_if_it_says_so),
        TEST(a1_a_child_who_has_moved_is_not_decided_on_by_the_old_school),
        TEST(d8_a_guardian_sees_where_the_child_is_and_others_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
