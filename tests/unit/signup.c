/* Signing up by links, applications and who decides them (school.md A3, B2, B3, C1–C4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "homeserver/accounts/login.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/mail/post.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "tests/unit/signup_world.h"

static struct world w;
static char last_code[7]; /* of the last letter; "": it had none */

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

static struct link_made link_for(class_no class, enum school_role role)
{
    struct link_made made;
    struct error e;
    if (!world_link(&w, 0, (struct link_wish){.kind = LINK_CLASS, .class = class, .role = role}, &made, &e))
        fail_msg("%s", error_sentence(&e));
    return made;
}

static struct link_made school_link(enum school_role role)
{
    struct link_made made;
    assert_true(
        world_link(&w, 0, (struct link_wish){.kind = LINK_SCHOOL, .school = w.school, .role = role}, &made, NULL));
    return made;
}

static unsigned roles_of(user_no user)
{
    return school_roles(w.f.db, w.school, user);
}

static enum application_state state_of(application_no no)
{
    struct application_row row;
    assert_true(applications_get(w.f.db, no, &row));
    enum application_state state = row.state;
    application_finish(&row);
    return state;
}

/* --- C1, C2, B3 --- */

static void c1_a_link_makes_a_pending_account_that_applies(void **state)
{
    struct link_made link = link_for(w.fifth, ROLE_PUPIL);
    struct application_row row;
    user_no user = world_signs_up(&w, link.token, "Nina", NULL);
    assert_int_not_equal(user, 0);
    assert_string_equal(world_account_state(&w, user), "pending");
    assert_int_equal(roles_of(user), 0);
    assert_true(applications_get(w.f.db, world_application(&w, user), &row));
    assert_int_equal(row.kind, APPLICATION_JOIN);
    assert_int_equal(row.state, APPLICATION_WAITING);
    assert_int_equal(row.class, w.fifth);
    assert_int_equal(row.role, ROLE_PUPIL);
    assert_string_equal(row.person.given, "Nina");
    application_finish(&row);
}

static void a5_the_drawn_name_tells_nothing(void **state)
{
    user_no user = world_signs_up(&w, link_for(w.fifth, ROLE_PUPIL).token, "Nina", NULL);
    const char *id = user_names_get(w.f.names, w.f.db, user);
    assert_int_equal(id[1], 'p');
    assert_null(strstr(id, "nina"));
}

/* Who approves what; the link alone lets nobody in, and its role is what one becomes. */
static void c1_c2_who_approves(void **state)
{
    const struct {
        const char *what;
        user_no who;
        class_no class; /* 0: a school link */
        enum school_role role;
        bool approved;
        unsigned roles; /* then */
    } CASES[] = {
        {"pupil by the administrator", w.admin, w.fifth, ROLE_PUPIL, true, ROLE_PUPIL},
        {"pupil by the class teacher", w.class_teacher, w.fifth, ROLE_PUPIL, true, ROLE_PUPIL},
        {"pupil by the operator", 0, w.fifth, ROLE_PUPIL, true, ROLE_PUPIL},
        {"pupil by another class's teacher", w.class_teacher, w.first, ROLE_PUPIL, false, 0},
        {"pupil by a teacher", w.teacher, w.fifth, ROLE_PUPIL, false, 0},
        {"pupil by a pupil", w.old, w.fifth, ROLE_PUPIL, false, 0},
        {"pupil by another school", w.other_admin, w.fifth, ROLE_PUPIL, false, 0},
        {"teacher of the class by the administrator", w.admin, w.fifth, ROLE_TEACHER, true, ROLE_TEACHER},
        {"teacher of the class by the class teacher", w.class_teacher, w.fifth, ROLE_TEACHER, false, 0},
        {"staff by the administrator", w.admin, 0, ROLE_STAFF, true, ROLE_STAFF},
        {"staff by the class teacher", w.class_teacher, 0, ROLE_STAFF, false, 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct link_made link =
            CASES[i].class != 0 ? link_for(CASES[i].class, CASES[i].role) : school_link(CASES[i].role);
        struct error e;
        user_no user = world_signs_up(&w, link.token, "Nina", &e);
        application_no no = world_application(&w, user);
        if (world_approve(&w, CASES[i].who, no, &e) != CASES[i].approved)
            fail_msg("%s: %s", CASES[i].what, error_sentence(&e));
        if (roles_of(user) != CASES[i].roles)
            fail_msg("%s: roles %u", CASES[i].what, roles_of(user));
        assert_int_equal(state_of(no), CASES[i].approved ? APPLICATION_APPROVED : APPLICATION_WAITING);
        assert_int_equal(strcmp(world_account_state(&w, user), "pending") == 0, !CASES[i].approved);
    }
}

/* By default the administrator approves alone (C1 "if the school allows"). */
static school_day born(user_no user)
{
    struct person_row record;
    people_get(w.f.db, user, &record);
    school_day birth = record.birth;
    person_row_finish(&record);
    return birth;
}

/* Who is let in by a class teacher, and said to be of age, is so once the office has said it. */
static void d10_an_applicants_birth_date_is_the_offices_to_accept(void **state)
{
    const user_no approvers[] = {w.class_teacher, w.admin};
    for (size_t i = 0; i < 2; ++i) {
        struct error e;
        user_no user = world_signs_up(&w, link_for(w.fifth, ROLE_PUPIL).token, "Nina", NULL);
        struct world_decision decision = {world_application(&w, user), {.person = {"", "", "", 20050505, ""}}, NULL};
        if (!world_run(&w, approvers[i], world_decide_act, &decision, &e))
            fail_msg("%s", error_sentence(&e));
        bool office = approvers[i] == w.admin;
        assert_int_equal(born(user), office ? 20050505 : DAY_EVER);
        assert_string_equal(world_account_state(&w, user), office ? "active" : "restricted");
        struct application_row row;
        struct stmt *q = applications_query(
            w.f.db, &(struct applications_query){
                        .limit = 9, .child = user, .state = APPLICATION_WAITING, .kind = APPLICATION_CORRECTION});
        bool asked = applications_next(q, &row);
        application_no no = asked ? row.no : 0;
        stmt_end(q);
        assert_int_equal(asked, !office);
        if (office)
            continue;
        assert_false(world_approve(&w, w.class_teacher, no, &e));
        assert_true(world_approve(&w, w.admin, no, &e));
        assert_int_equal(born(user), 20050505);
        assert_string_equal(world_account_state(&w, user), "active");
    }
}

static void c1_the_class_teacher_only_if_the_school_allows(void **state)
{
    struct error e;
    user_no user = world_signs_up(&w, link_for(w.fifth, ROLE_PUPIL).token, "Nina", NULL);
    world_policy(&w, "{}");
    assert_false(world_approve(&w, w.class_teacher, world_application(&w, user), &e));
    assert_string_equal(world_rule(&e), "C1");
    assert_true(world_approve(&w, w.admin, world_application(&w, user), &e));
}

/* Nobody decides their own application. */
static void a3_nobody_confirms_themselves(void **state)
{
    user_no user = world_signs_up(&w, link_for(w.fifth, ROLE_PUPIL).token, "Nina", NULL);
    struct error e;
    assert_false(world_approve(&w, user, world_application(&w, user), &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
}

static void c1_an_application_is_decided_once(void **state)
{
    struct error e;
    user_no user = world_signs_up(&w, link_for(w.fifth, ROLE_PUPIL).token, "Nina", NULL);
    application_no no = world_application(&w, user);
    struct world_decision refusal = {no, {.person = APPLICANT_NOBODY}, "We do not know you."};
    assert_true(world_run(&w, w.admin, world_decide_act, &refusal, &e));
    assert_int_equal(state_of(no), APPLICATION_REFUSED);
    assert_false(world_approve(&w, w.admin, no, &e));
    assert_int_equal(e.code, ERROR_CONFLICT);
    assert_string_equal(world_account_state(&w, user), "pending");
}

struct editing {
    application_no no;
    struct applicant person;
    int64_t if_version;
};

static bool edit_act(struct changing_records *c, void *arg)
{
    struct editing *edit = arg;
    return application_edit(c, edit->no, &edit->person, edit->if_version);
}

static bool withdraw_act(struct changing_records *c, void *arg)
{
    return application_withdraw(c, *(application_no *)arg, 0);
}

static void c1_the_applicant_edits_and_withdraws(void **state)
{
    struct error e;
    user_no user = world_signs_up(&w, link_for(w.fifth, ROLE_PUPIL).token, "Nina", NULL);
    user_no other = world_signs_up(&w, link_for(w.fifth, ROLE_PUPIL).token, "Boris", NULL);
    application_no no = world_application(&w, user);
    struct editing edit = {no, {"Anina", "", "", birth_from("2012-02-02"), "from 4B"}, 0};
    assert_false(world_run(&w, other, edit_act, &edit, &e));
    assert_int_equal(e.code, ERROR_NOT_FOUND);
    assert_false(world_run(&w, other, withdraw_act, &no, &e));
    assert_true(world_run(&w, user, edit_act, &edit, &e));
    struct application_row row;
    assert_true(applications_get(w.f.db, no, &row));
    assert_string_equal(row.person.given, "Anina");
    assert_string_equal(row.person.family, "Newcomer");
    assert_int_equal(row.version, 2);
    application_finish(&row);
    edit.if_version = 1;
    assert_false(world_run(&w, user, edit_act, &edit, &e));
    assert_int_equal(e.code, ERROR_PRECONDITION);
    assert_true(world_run(&w, user, withdraw_act, &no, &e));
    assert_false(world_approve(&w, w.admin, no, &e));
}

static void c1_what_people_type_is_bounded(void **state)
{
    char long_name[PERSON_NAME_MAX + 2];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const struct {
        struct applicant person;
        bool valid;
    } CASES[] = {
        {{"Анна", "Иванова", "Петровна", birth_from("2014-01-01"), ""}, true},
        {{long_name, "I", "", DAY_EVER, ""}, false},
        {{"A\nB", "I", "", DAY_EVER, ""}, false},
        {{"A", "I", "", day_from("1899-12-31"), ""}, false},
        {{"A", "I", "", day_from("2999-01-01"), ""}, false},
        {{"A", "I", "", DAY_EVER, "two\nlines"}, false},
    };
    struct error e;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        assert_int_equal(applicant_valid(&CASES[i].person, &e), CASES[i].valid);
}

/* A Matrix client knows no names: whoever approves writes them. */
static void c1_names_can_come_from_the_approver(void **state)
{
    struct error e;
    struct link_made link = link_for(w.fifth, ROLE_PUPIL);
    const struct registration wish = {.token = link.token, .password = "correct horse"};
    struct signup_result out;
    assert_true(signup_by_link(&w.signing_up, w.f.db, &wish, &APPLICANT_NOBODY, &out, &e));
    user_no user = out.login.user;
    login_result_finish(&out.login);
    assert_false(world_approve(&w, w.admin, out.application, &e));
    assert_int_equal(e.code, ERROR_MISSING_PARAM);
    struct world_decision decision = {
        out.application, {.person = {"Nina", "Newcomer", "", birth_from("2009-01-01"), ""}}, NULL};
    assert_true(world_run(&w, w.admin, world_decide_act, &decision, &e));
    assert_string_equal(world_account_state(&w, user), "active");
}

static void d7_an_approved_child_is_restricted(void **state)
{
    user_no user = world_signs_up(&w, link_for(w.fifth, ROLE_PUPIL).token, "Nina", NULL);
    struct error e;
    struct editing edit = {world_application(&w, user), {"", "", "", birth_from("2016-02-02"), ""}, 0};
    assert_true(world_run(&w, user, edit_act, &edit, &e));
    assert_true(world_approve(&w, w.class_teacher, edit.no, &e));
    assert_string_equal(world_account_state(&w, user), "restricted");
}

struct applying {
    const char *token;
    struct applicant person;
    application_no no;
};

static bool apply_act(struct changing_records *c, void *arg)
{
    struct applying *a = arg;
    return (a->no = application_apply(c, w.contacts, a->token, &a->person)) != 0;
}

/* C1 "either order", B2: the account first; a teacher of one school who comes to another keeps the first. */
static void c1_b2_the_account_first_and_the_link_later(void **state)
{
    struct error e;
    struct applying a = {school_link(ROLE_STAFF).token, APPLICANT_NOBODY, 0};
    char token[LINK_TOKEN_CHARS + 1];
    strcpy(token, a.token);
    a.token = token;
    assert_true(world_run(&w, w.other_admin, apply_act, &a, &e));
    struct applying again = a;
    assert_false(world_run(&w, w.other_admin, apply_act, &again, &e)); /* the same again */
    assert_int_equal(e.code, ERROR_CONFLICT);
    if (!world_approve(&w, w.admin, a.no, &e))
        fail_msg("%s", error_sentence(&e));
    assert_int_equal(roles_of(w.other_admin), ROLE_STAFF);
    assert_int_equal(school_roles(w.f.db, w.other_school, w.other_admin), ROLE_ADMINISTRATOR);
}

static void b2_a_guardian_by_a_class_link_is_of_named_children(void **state)
{
    struct error e;
    user_no user = world_signs_up(&w, link_for(w.fifth, ROLE_GUARDIAN).token, "Maria", NULL);
    application_no no = world_application(&w, user);
    assert_false(world_approve(&w, w.class_teacher, no, &e));
    assert_int_equal(e.code, ERROR_MISSING_PARAM);
    struct world_decision wrong = {no, {.person = APPLICANT_NOBODY, .children = &w.small, .n_children = 1}, NULL};
    assert_false(world_run(&w, w.class_teacher, world_decide_act, &wrong, &e)); /* a pupil of another class */
    struct world_decision right = {no, {.person = APPLICANT_NOBODY, .children = &w.young, .n_children = 1}, NULL};
    if (!world_run(&w, w.class_teacher, world_decide_act, &right, &e))
        fail_msg("%s", error_sentence(&e));
    assert_int_equal(roles_of(user), ROLE_GUARDIAN);
    assert_int_equal(guardianships_guardians(w.f.db, w.young, NULL, 0), 1);
    assert_string_equal(world_account_state(&w, user), "active");
}

/* --- Personal links --- */

static void c2_a_personal_link_opens_the_records_account(void **state)
{
    struct link_made link, again;
    struct signup_result out;
    struct error e;
    assert_true(world_link(&w, 0, (struct link_wish){.kind = LINK_PERSONAL, .person = w.old}, &link, &e));
    assert_true(world_link(&w, w.admin, (struct link_wish){.kind = LINK_PERSONAL, .person = w.old}, &again, &e));
    world_accounts(&w, "registration: {mode: closed}\n"); /* it makes no account */
    struct registration wish = {
        .token = link.token, .localpart = "somebody", .password = "correct horse", .device = &(struct device_wish){0}};
    int64_t before = users_count(w.f.db);
    assert_true(signup_by_link(&w.signing_up, w.f.db, &wish, &APPLICANT_NOBODY, &out, &e));
    assert_int_equal(out.login.user, w.old);
    assert_string_equal(out.login.user_id, user_names_get(w.f.names, w.f.db, w.old));
    login_result_finish(&out.login);
    assert_int_equal(users_count(w.f.db), before);
    assert_int_equal(world_application(&w, w.old), 0);
    wish.token = again.token; /* whoever finds the other one comes too late */
    assert_false(signup_by_link(&w.signing_up, w.f.db, &wish, &APPLICANT_NOBODY, &out, &e));
    assert_string_equal(world_rule(&e), "C2");
    assert_false(world_link(&w, w.admin, (struct link_wish){.kind = LINK_PERSONAL, .person = w.old}, &link, &e));
    assert_int_equal(e.code, ERROR_CONFLICT);
}

struct family {
    user_no child, guardian;
};

static bool family_act(struct changing_records *c, void *arg)
{
    const struct family *family = arg;
    return change_guardianship(c, family->child, family->guardian);
}

static bool role_act(struct changing_records *c, void *arg)
{
    return change_role(c, arg);
}

/* The link would make whoever holds it administrator, or head of another school. */
static void b3_a1_a_link_to_an_account_of_the_staff_is_its_own_administrators(void **state)
{
    const struct {
        school_no school;
        enum school_role role;
        user_no who;
        bool made;
    } CASES[] = {
        {w.school, ROLE_ADMINISTRATOR, w.class_teacher, false},
        {w.school, ROLE_TEACHER, w.class_teacher, false},
        {w.school, ROLE_ADMINISTRATOR, w.admin, true},
        {w.other_school, ROLE_HEAD, w.class_teacher, false},
        {w.other_school, ROLE_HEAD, w.admin, false},
        {w.other_school, ROLE_HEAD, 0, true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct link_made link;
        struct error e;
        user_no child =
            world_person(&w, (struct world_person){"Petya", "Pupil", "2016-05-05", w.school, 0, w.fifth, ROLE_PUPIL});
        user_no parent =
            world_person(&w, (struct world_person){"Pavel", "Parent", NULL, CASES[i].school, CASES[i].role});
        assert_true(world_run(&w, 0, family_act, &(struct family){child, parent}, &e));
        const struct link_wish wish = {.kind = LINK_PERSONAL, .person = parent};
        assert_int_equal(world_link(&w, CASES[i].who, wish, &link, &e), CASES[i].made);
        assert_int_equal(e.code, CASES[i].made ? ERROR_NONE : ERROR_FORBIDDEN);
    }
}

/* Made while the person was a parent and nothing else. */
static void b3_a_personal_link_does_not_rise_with_its_person(void **state)
{
    struct link_made link;
    struct error e;
    user_no parent = world_person(&w, (struct world_person){"Pavel", "Parent", NULL, w.school});
    assert_true(world_run(&w, 0, family_act, &(struct family){w.young, parent}, &e));
    assert_true(world_link(&w, w.admin, (struct link_wish){.kind = LINK_PERSONAL, .person = parent}, &link, &e));
    struct role_row role = {
        .user = parent, .school = w.other_school, .role = ROLE_ADMINISTRATOR, .begin = DAY_EVER, .end = DAY_NEVER};
    assert_true(world_run(&w, 0, role_act, &role, &e));
    assert_int_equal(world_signs_up(&w, link.token, "Mallory", &e), 0);
    assert_string_equal(world_rule(&e), "C2");
}

static bool administers_no_more_act(struct changing_records *c, void *arg)
{
    return change_role_end(
        c, &(struct role_row){.user = w.admin, .school = w.school, .role = ROLE_ADMINISTRATOR, .begin = DAY_EVER});
}

static void c2_a_personal_link_ends_with_its_issuers_post(void **state)
{
    struct link_made link;
    struct error e;
    assert_true(world_link(&w, w.admin, (struct link_wish){.kind = LINK_PERSONAL, .person = w.old}, &link, &e));
    if (!world_run(&w, 0, administers_no_more_act, NULL, &e))
        fail_msg("%s", error_sentence(&e));
    assert_int_equal(world_signs_up(&w, link.token, "Mallory", &e), 0);
    assert_string_equal(world_rule(&e), "C2");
}

static void c1_closed_closes(void **state)
{
    struct error e;
    struct link_made link = link_for(w.fifth, ROLE_PUPIL);
    world_accounts(&w, "registration: {mode: closed}\n");
    assert_int_equal(world_signs_up(&w, link.token, "Nina", &e), 0);
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    world_accounts(&w, "registration: {mode: open}\n");
    assert_int_not_equal(world_signs_up(&w, link.token, "Nina", &e), 0);
}

/* --- C3, C4 --- */

static bool take_letter(void *post, const struct letter *letter, int64_t deadline_ms,
                        void (*done)(void *arg, bool delivered), void *arg)
{
    last_code[0] = '\0';
    for (const char *at = letter->text; *at != '\0'; ++at)
        if (strspn(at, "0123456789") == 6) {
            snprintf(last_code, sizeof last_code, "%.6s", at);
            break;
        }
    done(arg, true);
    return true;
}

static void verify_addresses(void)
{
    w.contacts = contacts_create(&(struct contacts_settings){.config = w.config,
                                                             .writer = w.f.writer,
                                                             .offers = {[POST_MAIL] = true, [POST_SMS] = true},
                                                             .send = take_letter});
    w.signing_up.contacts = w.contacts;
}

/* Proves the address; false: no code came. */
static bool prove(const char *medium, const char *typed, char sid[SID_CHARS + 1])
{
    static int64_t attempt;
    struct contact_address address;
    struct error e;
    assert_true(contact_from(medium, typed, &address, &e));
    const struct code_request request = {.purpose = CODE_REGISTER,
                                         .address = &address,
                                         .client_secret = "secret-of-the-client",
                                         .client = "",
                                         .send_attempt = ++attempt};
    if (!contacts_request_code(w.contacts, &request, sid, &e))
        fail_msg("%s", error_sentence(&e));
    return last_code[0] != '\0' && contacts_submit_code(w.contacts, sid, "secret-of-the-client", last_code, &e);
}

static bool signs_up_with(const char *token, const char *sid, user_no *user, struct error *e)
{
    struct signup_result out;
    const struct registration wish = {.token = token, .password = "correct horse", .sid = sid};
    const struct applicant nina = {"Nina", "Newcomer", "", DAY_EVER, ""};
    bool done = signup_by_link(&w.signing_up, w.f.db, &wish, &nina, &out, e);
    *user = out.login.user;
    login_result_finish(&out.login);
    return done;
}

static void c3_which_address_who_needs(void **state)
{
    verify_addresses();
    const struct {
        const char *what, *medium, *address; /* NULL: none */
        class_no class;                      /* 0: a school link */
        enum school_role role;
        bool admitted;
    } CASES[] = {
        {"a primary pupil by e-mail", "email", "a@example.org", w.first, ROLE_PUPIL, true},
        {"a primary pupil by phone", "msisdn", "79160000001", w.first, ROLE_PUPIL, true},
        {"a primary pupil by nothing", NULL, NULL, w.first, ROLE_PUPIL, false},
        {"an older pupil by e-mail", "email", "b@example.org", w.fifth, ROLE_PUPIL, false},
        {"an older pupil by phone", "msisdn", "79160000002", w.fifth, ROLE_PUPIL, true},
        {"a guardian by e-mail", "email", "c@example.org", w.fifth, ROLE_GUARDIAN, true},
        {"a teacher by e-mail", "email", "d@example.org", 0, ROLE_TEACHER, true},
        {"a teacher by nothing", NULL, NULL, 0, ROLE_TEACHER, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct link_made link =
            CASES[i].class != 0 ? link_for(CASES[i].class, CASES[i].role) : school_link(CASES[i].role);
        char sid[SID_CHARS + 1];
        struct error e = {0};
        user_no user;
        if (CASES[i].medium != NULL && !prove(CASES[i].medium, CASES[i].address, sid))
            fail_msg("%s: no code", CASES[i].what);
        if (signs_up_with(link.token, CASES[i].medium != NULL ? sid : NULL, &user, &e) != CASES[i].admitted)
            fail_msg("%s: %s", CASES[i].what, error_sentence(&e));
        if (!CASES[i].admitted)
            assert_string_equal(world_rule(&e), "C3");
        else
            assert_int_equal(contacts_count(w.f.db, user, CONTACT_EMAIL) + contacts_count(w.f.db, user, CONTACT_PHONE),
                             1);
    }
}

/* Whoever gives up frees the number; whoever is confirmed does not go so. */
static void c3_giving_up_frees_the_address(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1];
    user_no first, second;
    verify_addresses();
    struct link_made link = link_for(w.fifth, ROLE_PUPIL);
    assert_true(prove("msisdn", "79162222222", sid));
    assert_true(signs_up_with(link.token, sid, &first, &e));
    application_no no = world_application(&w, first);
    if (!signup_abandon(&w.signing_up, first, &e))
        fail_msg("%s", error_sentence(&e));
    assert_string_equal(world_account_state(&w, first), "left");
    assert_int_equal(state_of(no), APPLICATION_WITHDRAWN);
    assert_false(world_approve(&w, w.admin, no, &e));
    assert_true(prove("msisdn", "79162222222", sid));
    assert_true(signs_up_with(link.token, sid, &second, &e));
    assert_int_not_equal(first, second);
    assert_false(signup_abandon(&w.signing_up, w.old, &e));
    assert_int_equal(e.code, ERROR_CONFLICT);
}

struct binding {
    user_no user;
    struct contact_address address;
};

static bool bind_act(struct changing_records *c, void *arg)
{
    struct binding *b = arg;
    return contacts_bind(c->tx, b->user, &b->address, 0, c->tx->now_ms, c->e);
}

static bool guardian_act(struct changing_records *c, void *arg)
{
    return change_guardianship(c, w.young, *(user_no *)arg);
}

/* A number that became a guardian's after its code was sent is refused for the pupil. */
static void c4_a_guardians_number_is_not_a_pupils(void **state)
{
    struct error e;
    char sid[SID_CHARS + 1];
    user_no user;
    verify_addresses();
    struct link_made link = link_for(w.fifth, ROLE_PUPIL);
    assert_true(prove("msisdn", "79161111111", sid));
    struct binding b = {.user = w.teacher};
    assert_true(contact_from("msisdn", "79161111111", &b.address, &e));
    assert_true(world_run(&w, 0, bind_act, &b, &e));
    if (!world_run(&w, 0, guardian_act, &w.teacher, &e))
        fail_msg("%s", error_sentence(&e));
    assert_false(signs_up_with(link.token, sid, &user, &e));
    assert_string_equal(world_rule(&e), "C4");
    /* and the parent's own account does not become the pupil */
    struct applying a = {link.token, APPLICANT_NOBODY, 0};
    assert_false(world_run(&w, w.teacher, apply_act, &a, &e));
    assert_string_equal(world_rule(&e), "C4");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(c1_a_link_makes_a_pending_account_that_applies),
        TEST(a5_the_drawn_name_tells_nothing),
        TEST(c1_c2_who_approves),
        TEST(d10_an_applicants_birth_date_is_the_offices_to_accept),
        TEST(c1_the_class_teacher_only_if_the_school_allows),
        TEST(a3_nobody_confirms_themselves),
        TEST(c1_an_application_is_decided_once),
        TEST(c1_the_applicant_edits_and_withdraws),
        TEST(c1_what_people_type_is_bounded),
        TEST(c1_names_can_come_from_the_approver),
        TEST(d7_an_approved_child_is_restricted),
        TEST(c1_b2_the_account_first_and_the_link_later),
        TEST(b2_a_guardian_by_a_class_link_is_of_named_children),
        TEST(c2_a_personal_link_opens_the_records_account),
        TEST(b3_a1_a_link_to_an_account_of_the_staff_is_its_own_administrators),
        TEST(b3_a_personal_link_does_not_rise_with_its_person),
        TEST(c2_a_personal_link_ends_with_its_issuers_post),
        TEST(c1_closed_closes),
        TEST(c3_which_address_who_needs),
        TEST(c3_giving_up_frees_the_address),
        TEST(c4_a_guardians_number_is_not_a_pupils),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
