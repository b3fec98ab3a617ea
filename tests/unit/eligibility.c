/* What was asked when somebody applied is asked again when somebody decides, and what lies open counts meanwhile
 * (school.md C4, D2, D4); nobody decides about themselves, holds a secret that makes them somebody with more, or gives
 * more than they have (J4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/operators.h"
#include "homeserver/store/school/people.h"
#include "policy/admin/operators.h"
#include "policy/audit/audit.h"
#include "tests/unit/signup_world.h"

static struct world w;

static int setup(void **state)
{
    world_start(&w);
    world_policy(&w, "{\"class_teacher\": {\"may\": [\"approve\", \"links\", \"people\"]}}");
    return 0;
}

static int teardown(void **state)
{
    world_stop(&w);
    return 0;
}

static const struct applicant MINOR = {"Petya", "Child", "", 20190505, ""};
static const struct applicant ADULT = {"Petr", "Grown", "", 19850505, ""};
static const struct applicant AGELESS = {"Pyotr", "Somebody", "", DAY_EVER, ""};

static user_no signs_up(const char *token, const struct applicant *person, struct error *e)
{
    struct signup_result out;
    struct db *db = db_open(w.f.path, DB_READ, NULL);
    const struct registration wish = {.token = token, .password = "correct horse"};
    user_no user = signup_by_link(&w.signing_up, db, &wish, person, &out, e) ? out.login.user : 0;
    login_result_finish(&out.login);
    db_close(db);
    return user;
}

static const char *class_link(enum school_role role)
{
    static struct link_made made;
    assert_true(world_link(&w, 0, (struct link_wish){.kind = LINK_CLASS, .class = w.fifth, .role = role}, &made, NULL));
    return made.token;
}

static const char *childs_link(user_no child)
{
    static struct link_made made;
    assert_true(world_link(&w, child, (struct link_wish){.kind = LINK_GUARDIAN}, &made, NULL));
    return made.token;
}

/* --- The acts that make a pupil or a guardian, each by the one whom it concerns or by the office --- */

struct one {
    user_no user, child;
};

static bool confirm_act(struct changing_records *c, void *arg)
{
    struct one *one = arg;
    enum guardian_outcome outcome;
    enum correction_outcome correction;
    static char token[LINK_TOKEN_CHARS + 1];
    struct link_made made;
    const struct actor child = {.user = one->child, .name = "@child:school.example"};
    struct changing_records by_child = *c;
    by_child.actor = &child;
    if (!link_make(&by_child, &(struct link_wish){.kind = LINK_GUARDIAN}, &made))
        return false;
    snprintf(token, sizeof token, "%s", made.token);
    struct guardian_confirmation how = {.token = token,
                                        .self = AGELESS,
                                        .child = APPLICANT_NOBODY,
                                        .seen = guardian_child_version(c->tx->db, one->child)};
    return guardian_confirm(c, &how, &outcome, &correction);
}

static bool applies(struct changing_records *c, enum school_role role)
{
    struct link_made made;
    struct changing_records by_admin = *c;
    const struct actor admin = {.user = w.admin, .name = "@admin:school.example"};
    by_admin.actor = &admin;
    return link_make(&by_admin, &(struct link_wish){.kind = LINK_CLASS, .class = w.fifth, .role = role}, &made) &&
           application_apply(c, NULL, made.token, &AGELESS) != 0;
}

static bool apply_pupil_act(struct changing_records *c, void *arg)
{
    return applies(c, ROLE_PUPIL);
}

static bool apply_guardian_act(struct changing_records *c, void *arg)
{
    return applies(c, ROLE_GUARDIAN);
}

static application_no open_of(struct db *db, user_no user, bool newest)
{
    struct application_row row;
    application_no no = 0;
    struct stmt *q = applications_open_of(db, user);
    while ((no == 0 || newest) && applications_next(q, &row))
        no = row.no;
    stmt_end(q);
    return no;
}

static bool approves(struct changing_records *c, const struct one *one, bool newest)
{
    const struct approval approval = {.person = APPLICANT_NOBODY, .children = &one->child, .n_children = 1};
    application_no no = open_of(c->tx->db, one->user, newest);
    return application_approve(c, no, &approval, world_version(c->tx->db, no));
}

static bool approve_oldest_act(struct changing_records *c, void *arg)
{
    return approves(c, arg, false);
}

static bool approve_newest_act(struct changing_records *c, void *arg)
{
    return approves(c, arg, true);
}

static bool guardianship_act(struct changing_records *c, void *arg)
{
    const struct one *one = arg;
    return change_guardianship(c, one->child, one->user);
}

static bool enroll_act(struct changing_records *c, void *arg)
{
    const struct one *one = arg;
    return change_enrollment(
        c, &(struct enrollment_row){
               .class = w.fifth, .user = one->user, .role = ROLE_PUPIL, .begin = DAY_EVER, .end = DAY_NEVER});
}

static bool says_minor_act(struct changing_records *c, void *arg)
{
    const struct one *one = arg;
    return application_edit(c, open_of(c->tx->db, one->user, true), &MINOR, 0);
}

static const struct {
    const char *name;
    world_act *act;
    bool by_office;
} ACTS[] = {
    {"confirms a child's link", confirm_act},
    {"applies as a pupil", apply_pupil_act},
    {"applies as a guardian", apply_guardian_act},
    {"the office approves the oldest application", approve_oldest_act, true},
    {"the office approves the newest application", approve_newest_act, true},
    {"the office writes a guardianship", guardianship_act, true},
    {"the office enrolls a pupil", enroll_act, true},
    {"says to be born in 2019", says_minor_act},
};
#define ACTS_COUNT (sizeof ACTS / sizeof *ACTS)

static const struct {
    const char *name;
    enum school_role role; /* of a class link; 0: by the child's */
    const struct applicant *says;
} STARTS[] = {
    {"a pupil to be, born in 2019", ROLE_PUPIL, &MINOR},
    {"a pupil to be who says no age", ROLE_PUPIL, &AGELESS},
    {"a pupil to be who says 1985", ROLE_PUPIL, &ADULT},
    {"a guardian to be by a class link", ROLE_GUARDIAN, &AGELESS},
    {"a guardian to be who says 1985", ROLE_GUARDIAN, &ADULT},
    {"a guardian to be by the child's link", 0, &AGELESS},
    {"a teacher to be, born in 2019", ROLE_TEACHER, &MINOR},
};
#define STARTS_COUNT (sizeof STARTS / sizeof *STARTS)

static bool gone_act(struct changing_records *c, void *arg)
{
    const struct one *one = arg;
    fixture_acts(c->tx);
    struct person_row row;
    bool known = people_get(c->tx->db, one->user, &row);
    person_row_finish(&row);
    return (!known || change_leave_school(c, one->user, w.school)) &&
           applications_withdraw_all(c->tx, one->user, "test");
}

/* One account is never both, unless the records know it to be of age; and no child is anybody's guardian. */
static void keeps_apart(const struct one *one, const char *story)
{
    struct person_row row;
    bool born = people_get(w.f.db, one->user, &row) && row.birth != DAY_EVER;
    bool adult = born && row.birth < 20000101, minor = born && !adult;
    person_row_finish(&row);
    bool pupil = (school_roles(w.f.db, w.school, one->user) & ROLE_PUPIL) != 0;
    bool guardian = school_is_guardian(w.f.db, one->user, one->child);
    if ((pupil && guardian && !adult) || (guardian && minor))
        fail_msg("%s: pupil %d, guardian %d", story, (int)pupil, (int)guardian);
}

static int made[2]; /* how often somebody became a pupil, a guardian: a world where nobody does proves nothing */

static void tell(size_t start, const size_t *acts, size_t n)
{
    char story[256];
    struct error e = {0};
    struct one one = {.child = w.young};
    int len = snprintf(story, sizeof story, "%s", STARTS[start].name);
    one.user = signs_up(STARTS[start].role != 0 ? class_link(STARTS[start].role) : childs_link(w.young),
                        STARTS[start].says, &e);
    if (one.user == 0) { /* B3: nobody of that age is staff */
        if (STARTS[start].role != ROLE_TEACHER || e.rule_code == NULL || strcmp(e.rule_code, "minor_as_staff") != 0)
            fail_msg("%s: %s", story, error_sentence(&e));
        return;
    }
    for (size_t i = 0; i < n; ++i) {
        len += snprintf(story + len, sizeof story - (size_t)len, ", %s", ACTS[acts[i]].name);
        world_run(&w, ACTS[acts[i]].by_office ? 0 : one.user, ACTS[acts[i]].act, &one, &e);
        keeps_apart(&one, story);
    }
    made[0] += (school_roles(w.f.db, w.school, one.user) & ROLE_PUPIL) != 0;
    made[1] += school_is_guardian(w.f.db, one.user, one.child);
    if (!world_run(&w, 0, gone_act, &one, &e))
        fail_msg("%s: %s", story, error_sentence(&e));
}

/* Each open application, each two acts after it, and then a decision. */
static void c4_d2_no_order_of_acts_makes_a_pupil_the_guardian_of_a_classmate(void **state)
{
    made[0] = made[1] = 0;
    for (size_t s = 0; s < STARTS_COUNT; ++s)
        for (size_t a = 0; a < ACTS_COUNT; ++a)
            for (size_t b = 0; b < ACTS_COUNT; ++b)
                for (size_t c = 3; c <= 4; ++c)
                    tell(s, (size_t[]){a, b, c}, 3);
    assert_true(made[0] > 20);
    assert_true(made[1] > 20);
}

/* --- The instances, told one by one --- */

static void d2_a_child_who_has_applied_confirms_nobody(void **state)
{
    struct error e;
    struct one one = {.child = w.young, .user = signs_up(class_link(ROLE_PUPIL), &MINOR, &e)};
    assert_false(world_run(&w, one.user, confirm_act, &one, &e));
    assert_string_equal(world_rule(&e), "D2");
    assert_true(world_approve(&w, w.admin, world_application(&w, one.user), &e));
    assert_false(world_run(&w, 0, guardianship_act, &one, &e)); /* nor by the office's hand */
    assert_string_equal(world_rule(&e), "D2");
}

static void d2_a_childs_birth_date_makes_no_guardian(void **state)
{
    struct error e;
    assert_int_equal(signs_up(class_link(ROLE_GUARDIAN), &MINOR, &e), 0);
    assert_string_equal(world_rule(&e), "D2");
    assert_int_equal(signs_up(childs_link(w.young), &MINOR, &e), 0);
    assert_string_equal(world_rule(&e), "D2");
    /* A parent who typed the child's birth date: whoever approves writes it right. */
    user_no parent = signs_up(class_link(ROLE_GUARDIAN), &AGELESS, &e);
    struct world_decision wrong = {world_application(&w, parent), {MINOR, &w.young, 1, NULL}, NULL};
    struct world_decision right = {world_application(&w, parent), {ADULT, &w.young, 1, NULL}, NULL};
    assert_false(world_run(&w, w.admin, world_decide_act, &wrong, &e));
    assert_string_equal(world_rule(&e), "D2");
    if (!world_run(&w, w.admin, world_decide_act, &right, &e))
        fail_msg("%s", error_sentence(&e));
}

static bool no_letters(void *post, const struct letter *letter, int64_t deadline_ms,
                       void (*done)(void *arg, bool delivered), void *arg)
{
    return false;
}

static bool bind_act(struct changing_records *c, void *arg)
{
    struct contact_address address;
    return contact_from("email", "p@example.org", &address, c->e) &&
           contacts_bind(c->tx, *(user_no *)arg, &address, 0, c->tx->now_ms, c->e);
}

/* The address was there when the guardian asked, and is gone when the school decides. */
static void d4_the_address_is_asked_for_again(void **state)
{
    struct error e;
    struct one one = {.child = w.young};
    struct contact_address address;
    world_policy(&w, "{\"guardians\": {\"need_approval\": true}}");
    one.user = signs_up(childs_link(w.young), &AGELESS, &e);
    w.contacts = contacts_create(&(struct contacts_settings){
        .config = w.config, .writer = w.f.writer, .offers = {[POST_MAIL] = true}, .send = no_letters});
    assert_true(world_run(&w, 0, bind_act, &one.user, &e));
    assert_true(world_run(&w, one.user, confirm_act, &one, &e));
    assert_true(contact_from("email", "p@example.org", &address, &e));
    assert_true(contacts_remove(w.contacts, one.user, &address, &e));
    struct world_decision decision = {
        world_application(&w, one.user), {.person = APPLICANT_NOBODY, .contacts = w.contacts}, NULL};
    assert_false(world_run(&w, w.admin, world_decide_act, &decision, &e));
    assert_string_equal(world_rule(&e), "D4");
    assert_true(world_run(&w, 0, bind_act, &one.user, &e));
    assert_true(world_run(&w, w.admin, world_decide_act, &decision, &e));
}

/* --- Who decides names what was shown --- */

struct seeing {
    user_no guardian, child;
    application_no no;
    const char *token;
    int64_t seen;
};

static bool approve_seen_act(struct changing_records *c, void *arg)
{
    const struct seeing *s = arg;
    return application_approve(c, s->no, &(struct approval){.person = APPLICANT_NOBODY}, s->seen);
}

static bool refuse_seen_act(struct changing_records *c, void *arg)
{
    const struct seeing *s = arg;
    return application_refuse(c, s->no, "", s->seen);
}

static bool confirm_seen_act(struct changing_records *c, void *arg)
{
    const struct seeing *s = arg;
    enum guardian_outcome outcome;
    enum correction_outcome correction;
    return guardian_confirm(
        c,
        &(struct guardian_confirmation){
            .token = s->token, .self = AGELESS, .child = {"", "", "Petrovich", DAY_EVER, ""}, .seen = s->seen},
        &outcome, &correction);
}

static bool record_act(struct changing_records *c, void *arg)
{
    const struct seeing *s = arg;
    const struct person_row row = {
        .no = s->child, .given = "Yuri", .family = "Young", .middle = "", .birth = 20160505, .enabled = true};
    return change_person(c, &row, w.school, 0) != 0;
}

static int64_t shown(const struct seeing *s)
{
    return s->no != 0 ? world_version(w.f.db, s->no) : guardian_child_version(w.f.db, s->child);
}

/* Neither without a version nor with one that has passed: with the one that is there. */
static void decides_as_shown(user_no who, world_act *act, struct seeing *s, int64_t stale)
{
    struct error e;
    s->seen = 0;
    assert_false(world_run(&w, who, act, s, &e));
    assert_int_equal(e.code, ERROR_VERSION_NEEDED);
    s->seen = stale;
    assert_false(world_run(&w, who, act, s, &e));
    assert_int_equal(e.code, ERROR_PRECONDITION);
    s->seen = shown(s);
    if (!world_run(&w, who, act, s, &e))
        fail_msg("%s", error_sentence(&e));
}

static void c1_a_decision_names_what_was_shown(void **state)
{
    struct error e;
    struct seeing s = {.guardian = signs_up(class_link(ROLE_PUPIL), &AGELESS, &e)};
    s.no = world_application(&w, s.guardian);
    int64_t before = shown(&s);
    assert_true(world_run(&w, s.guardian, says_minor_act, &(struct one){.user = s.guardian}, &e));
    decides_as_shown(w.admin, approve_seen_act, &s, before);
    s.no = world_application(&w, signs_up(class_link(ROLE_PUPIL), &AGELESS, &e));
    decides_as_shown(w.admin, refuse_seen_act, &s, shown(&s) + 1);
    /* A guardian: what was shown is the child's record. */
    world_policy(&w, "{\"guardians\": {\"need_approval\": true}}");
    s = (struct seeing){.child = w.young, .token = childs_link(w.young)};
    s.guardian = signs_up(s.token, &AGELESS, &e);
    before = shown(&s);
    assert_true(world_run(&w, 0, record_act, &s, &e));
    decides_as_shown(s.guardian, confirm_seen_act, &s, before);
    s.no = world_application(&w, s.guardian);
    assert_true(
        world_run(&w, w.admin, world_decide_act, &(struct world_decision){s.no, {.person = APPLICANT_NOBODY}}, &e));
    /* A correction: the application and the record that it would change. */
    struct application_row row;
    struct stmt *q = applications_query(
        w.f.db, &(struct applications_query){
                    .limit = 1, .state = APPLICATION_WAITING, .kind = APPLICATION_CORRECTION, .child = w.young});
    assert_true(applications_next(q, &row));
    s.no = row.no;
    stmt_end(q);
    before = shown(&s);
    assert_true(world_run(&w, 0, record_act, &s, &e));
    decides_as_shown(w.admin, approve_seen_act, &s, before);
}

/* --- J4 --- */

static void j4_nobody_decides_their_own_application(void **state)
{
    struct error e;
    struct one one = {.user = w.admin, .child = w.young};
    assert_true(world_run(&w, w.admin, apply_guardian_act, &one, &e));
    application_no no = world_application(&w, w.admin);
    struct world_decision approve = {no, {.person = APPLICANT_NOBODY, .children = &w.young, .n_children = 1}, NULL};
    struct world_decision refuse = {.no = no, .approval.person = APPLICANT_NOBODY, .reason = "no"};
    assert_false(world_run(&w, w.admin, world_decide_act, &approve, &e));
    assert_string_equal(world_rule(&e), "J4");
    assert_false(world_run(&w, w.admin, world_decide_act, &refuse, &e));
    assert_string_equal(world_rule(&e), "J4");
    if (!world_run(&w, 0, world_decide_act, &approve, &e))
        fail_msg("%s", error_sentence(&e));
}

struct token {
    struct operator_plan plan;
    char token[OPERATOR_TOKEN_BYTES];
};

static bool token_act(struct changing_records *c, void *arg)
{
    struct token *token = arg;
    return operator_create(c, &token->plan, token->token) != 0;
}

static bool role_act(struct changing_records *c, void *arg)
{
    return change_role(c, arg);
}

static bool end_act(struct changing_records *c, void *arg)
{
    const struct one *one = arg;
    return change_guardianship_end(c, one->child, one->user);
}

static bool link_act(struct changing_records *c, void *arg)
{
    struct world_link *l = arg;
    return link_make(c, &l->wish, &l->made);
}

static bool run_as(const char *name, unsigned scopes, world_act *act, void *arg, struct error *e)
{
    const struct actor actor = {.name = name, .scopes = scopes};
    *e = (struct error){0};
    return writer_run(w.f.writer, world_job, &(struct world_job){&w, &actor, act, arg}, e);
}

/* A token that keeps records makes nobody who may do more than itself, before or after the link. */
static void j4_a_token_makes_nobody_with_more_than_itself(void **state)
{
    struct error e;
    struct token records = {.plan = {"bridge", SCOPE_RECORDS | SCOPE_ACCOUNTS, 0}};
    user_no person = world_person(&w, (struct world_person){"Ivan", "Plain", NULL, w.school, ROLE_STAFF});
    struct role_row post = {
        .user = person, .school = w.school, .role = ROLE_ADMINISTRATOR, .begin = DAY_EVER, .end = DAY_NEVER};
    struct world_link early = {.wish = {.kind = LINK_PERSONAL, .person = person}}, late = early;
    assert_true(world_run(&w, 0, token_act, &records, &e));
    assert_false(run_as("operator:bridge", SCOPE_RECORDS, role_act, &post, &e));
    assert_string_equal(world_rule(&e), "J4");
    assert_false(run_as("operator:bridge", SCOPE_RECORDS, link_act, &late, &e)); /* hands out no account at all */
    assert_string_equal(world_rule(&e), "J4");
    assert_true(run_as("operator:bridge", SCOPE_RECORDS | SCOPE_ACCOUNTS, link_act, &early, &e));
    assert_true(world_run(&w, 0, role_act, &post, &e)); /* the school gives the post */
    assert_false(run_as("operator:bridge", SCOPE_RECORDS | SCOPE_ACCOUNTS, link_act, &late, &e));
    assert_string_equal(world_rule(&e), "J4");
    assert_int_equal(world_signs_up(&w, early.made.token, "Mallory", &e), 0);
    assert_string_equal(world_rule(&e), "J4");
    assert_true(world_run(&w, 0, link_act, &late, &e)); /* whoever owns the machine */
    assert_int_equal(world_signs_up(&w, late.made.token, "Ivan", &e), person);
}

/* Nor does it let in whom it has itself invited: that somebody might be it. */
static void j4_a_token_approves_nobody_who_came_by_its_own_link(void **state)
{
    struct error e;
    struct token records = {.plan = {"bridge", SCOPE_RECORDS, 0}}, other = {.plan = {"office", SCOPE_RECORDS, 0}};
    struct world_link link = {.wish = {.kind = LINK_CLASS, .class = w.fifth, .role = ROLE_TEACHER}};
    assert_true(world_run(&w, 0, token_act, &records, &e));
    assert_true(world_run(&w, 0, token_act, &other, &e));
    assert_true(run_as("operator:bridge", SCOPE_RECORDS, link_act, &link, &e));
    struct world_decision decision = {
        world_application(&w, signs_up(link.made.token, &AGELESS, &e)), {.person = APPLICANT_NOBODY}, NULL};
    assert_false(run_as("operator:bridge", SCOPE_RECORDS, world_decide_act, &decision, &e));
    assert_string_equal(world_rule(&e), "J4");
    assert_true(run_as("operator:office", SCOPE_RECORDS, world_decide_act, &decision, &e));
}

/* Issuer and approver: whoever made the link may be who came by it. */
static void j4_whoever_made_the_link_lets_nobody_in_by_it(void **state)
{
    user_no second = world_person(&w, (struct world_person){"Alex", "Admin", NULL, w.school, ROLE_ADMINISTRATOR});
    struct token records = {.plan = {"bridge", SCOPE_RECORDS, 0}};
    assert_true(world_run(&w, 0, token_act, &records, NULL));
    const struct actor PEOPLE[] = {
        {.user = w.class_teacher, .name = "@class:school.example"},
        {.user = w.admin, .name = "@admin:school.example"},
        {.user = second, .name = "@second:school.example"},
        {.name = "operator:bridge", .scopes = SCOPE_RECORDS},
        ACTOR_COMMAND_LINE,
    };
    enum { CLASS_TEACHER, ADMIN, SECOND, TOKEN, MACHINE, PEOPLE_COUNT };
    static const enum school_role ROLES[] = {ROLE_GUARDIAN, ROLE_PUPIL};
    for (int issuer = 0; issuer < PEOPLE_COUNT; ++issuer)
        for (int approver = 0; approver < PEOPLE_COUNT; ++approver)
            for (int insists = 0; insists <= 1; ++insists)
                for (size_t r = 0; r < sizeof ROLES / sizeof *ROLES; ++r) {
                    struct error e = {0};
                    struct actor decides = PEOPLE[approver];
                    struct world_link link = {.wish = {.kind = LINK_CLASS, .class = w.fifth, .role = ROLES[r]}};
                    assert_true(writer_run(w.f.writer, world_job,
                                           &(struct world_job){&w, &PEOPLE[issuer], link_act, &link}, &e));
                    user_no user = signs_up(link.made.token, &AGELESS, &e);
                    struct world_decision decision = {
                        world_application(&w, user),
                        {.person = APPLICANT_NOBODY, .children = &w.young, .n_children = ROLES[r] == ROLE_GUARDIAN},
                        NULL};
                    decides.override_ = insists ? "nobody else is here today" : NULL;
                    bool alone = issuer == approver && issuer != MACHINE;
                    bool may = !alone || ((issuer == ADMIN || issuer == SECOND) && insists);
                    bool done = writer_run(w.f.writer, world_job,
                                           &(struct world_job){&w, &decides, world_decide_act, &decision}, &e);
                    if (done != may)
                        fail_msg("link by %s, approved by %s%s: %s", PEOPLE[issuer].name, decides.name,
                                 insists ? " with a reason" : "", done ? "done" : error_sentence(&e));
                    if (!may)
                        assert_string_equal(world_rule(&e), "J4");
                    if (may && ROLES[r] == ROLE_GUARDIAN)
                        assert_true(world_run(&w, 0, end_act, &(struct one){user, w.young}, &e));
                }
}

/* The reason is the office's: it stands in the log, and not in what the applicant is told. */
static void j2_j4_the_reason_for_ones_own_link_is_in_the_log(void **state)
{
    struct error e = {0};
    struct text log = TEXT_INIT;
    struct application_row row;
    const struct actor admin = {
        .user = w.admin, .name = "@admin:school.example", .override_ = "nobody else is here today"};
    struct world_link link = {.wish = {.kind = LINK_CLASS, .class = w.fifth, .role = ROLE_PUPIL}};
    assert_true(world_run(&w, w.admin, link_act, &link, &e));
    application_no no = world_application(&w, signs_up(link.made.token, &AGELESS, &e));
    struct world_decision decision = {no, {.person = APPLICANT_NOBODY}, NULL};
    assert_true(writer_run(w.f.writer, world_job, &(struct world_job){&w, &admin, world_decide_act, &decision}, &e));
    assert_true(applications_get(w.f.db, no, &row));
    assert_string_equal(row.reason, "");
    application_finish(&row);
    assert_true(audit_export(w.f.db, &w.f.key, "school.example", w.school, NULL, &log));
    assert_non_null(strstr(log.data, "nobody else is here"));
    text_finish(&log);
}

static bool revoke_act(struct changing_records *c, void *arg)
{
    return operator_revoke(c, *(int64_t *)arg);
}

static void c2_a_personal_link_ends_with_its_issuers_token(void **state)
{
    struct error e;
    struct token records = {.plan = {"bridge", SCOPE_RECORDS | SCOPE_ACCOUNTS, 0}};
    struct world_link link = {.wish = {.kind = LINK_PERSONAL, .person = w.old}};
    struct operator_row row;
    assert_true(world_run(&w, 0, token_act, &records, &e));
    struct stmt *q = operators_by_name(w.f.db, "bridge");
    assert_true(operators_next(q, &row));
    int64_t no = row.no;
    stmt_end(q);
    assert_true(run_as("operator:bridge", SCOPE_RECORDS | SCOPE_ACCOUNTS, link_act, &link, &e));
    assert_true(world_run(&w, 0, revoke_act, &no, &e));
    assert_int_equal(world_signs_up(&w, link.made.token, "Mallory", &e), 0);
    assert_string_equal(world_rule(&e), "C2");
}

static void j4_no_token_grows(void **state)
{
    struct error e;
    int64_t soon_ms = clock_wall_ms() + DAY_MS;
    struct token chief = {.plan = {"chief", SCOPE_ALL, soon_ms}};
    assert_true(world_run(&w, 0, token_act, &chief, &e));
    const struct {
        const char *name;
        unsigned scopes;
        int64_t expires_ms;
        bool made;
    } CASES[] = {
        {"ever", SCOPE_READ, 0, false},
        {"longer", SCOPE_READ, soon_ms + 1, false},
        {"as-long", SCOPE_ALL, soon_ms, true},
        {"shorter", SCOPE_READ, soon_ms - 1, true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct token token = {.plan = {CASES[i].name, CASES[i].scopes, CASES[i].expires_ms}};
        assert_int_equal(run_as("operator:chief", SCOPE_ALL, token_act, &token, &e), CASES[i].made);
        if (!CASES[i].made)
            assert_string_equal(world_rule(&e), "J4");
    }
    /* Whoever has not every scope makes none at all. */
    for (unsigned scopes = 0; scopes < SCOPE_ALL; ++scopes) {
        struct token token = {.plan = {"small", SCOPE_READ, soon_ms}};
        assert_false(run_as("operator:chief", scopes, token_act, &token, &e));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(c4_d2_no_order_of_acts_makes_a_pupil_the_guardian_of_a_classmate),
        TEST(d2_a_child_who_has_applied_confirms_nobody),
        TEST(d2_a_childs_birth_date_makes_no_guardian),
        TEST(d4_the_address_is_asked_for_again),
        TEST(c1_a_decision_names_what_was_shown),
        TEST(j4_nobody_decides_their_own_application),
        TEST(j4_a_token_makes_nobody_with_more_than_itself),
        TEST(j4_a_token_approves_nobody_who_came_by_its_own_link),
        TEST(j4_whoever_made_the_link_lets_nobody_in_by_it),
        TEST(j2_j4_the_reason_for_ones_own_link_is_in_the_log),
        TEST(c2_a_personal_link_ends_with_its_issuers_token),
        TEST(j4_no_token_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
