/* Nobody decides about themselves or their own family (school.md J4): every act of the office by an administrator and
 * by a class teacher, about themselves, their child, a child whose guardian they have asked to be, the other guardian,
 * their own guardian, and anybody else; and the acts that bring each effect about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/reports.h"
#include "homeserver/store/school/roster_rooms.h"
#include "policy/records/office_act.h"
#include "policy/reports/reports.h"
#include "tests/unit/account_acts.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* How somebody whom an act concerns stands to who acts. */
enum relation { SELF, CHILD, ASKED, FELLOW, PARENT, STRANGER, RELATIONS };
static const char *const RELATION_NAMES[] = {"oneself",         "own child",    "child asked for",
                                             "fellow guardian", "own guardian", "stranger"};

/* Who acts, and the people they act about. Both have a child in the fifth class, of which the
 * second is class teacher. */
enum who { ADMINISTRATOR, CLASS_TEACHER, ACTORS };
static user_no people[ACTORS][RELATIONS];

static user_no pupil(const char *given)
{
    return world_person(&w, (struct world_person){given, "Pupil", "2015-05-05", w.school, 0, w.fifth, ROLE_PUPIL});
}

static user_no staff(const char *given)
{
    return world_person(&w, (struct world_person){given, "Staff", NULL, w.school, ROLE_STAFF});
}

static bool ask_act(struct changing_records *c, void *arg)
{
    const user_no *pair = arg;
    return applications_insert(c->tx, &(struct application_row){.kind = APPLICATION_GUARDIAN,
                                                                .state = APPLICATION_WAITING,
                                                                .user = pair[1],
                                                                .child = pair[0],
                                                                .school = w.school,
                                                                .class = w.fifth,
                                                                .role = ROLE_GUARDIAN,
                                                                .person = APPLICANT_NOBODY}) != 0 &&
           office_act_note(c, "application.create", w.school, json_object(), NULL, NULL);
}

static int setup(void **state)
{
    world_start(&w);
    world_policy(&w, "{\"class_teacher\": {\"may\": [\"approve\", \"links\", \"reports\", \"people\"]}}");
    const user_no actors[ACTORS] = {w.admin, w.class_teacher};
    for (int who = 0; who < ACTORS; ++who) {
        user_no *of = people[who];
        of[SELF] = actors[who];
        of[CHILD] = pupil("Kind");
        of[ASKED] = pupil("Asked");
        of[FELLOW] = staff("Fellow");
        of[PARENT] = staff("Parent");
        of[STRANGER] = pupil("Stranger");
        world_guardian(&w, of[CHILD], of[SELF]);
        world_guardian(&w, of[CHILD], of[FELLOW]);
        world_guardian(&w, of[SELF], of[PARENT]);
        assert_true(world_run(&w, of[SELF], ask_act, (user_no[]){of[ASKED], of[SELF]}, NULL));
    }
    return 0;
}

static int teardown(void **state)
{
    world_stop(&w);
    return 0;
}

/* --- The gate: every act of the office --- */

#define KIN(code)                                                                                                      \
    {                                                                                                                  \
        "", code, code, code, code, ""                                                                                 \
    }
#define OWN_FAMILY                                                                                                     \
    {                                                                                                                  \
        "", "own_family", "own_family", "own_family", "own_family", ""                                                 \
    }
#define OFFICE_ONLY                                                                                                    \
    {                                                                                                                  \
        "office", "office", "office", "office", "office", "office"                                                     \
    }

/* Codes; "": allowed. The administrator insists, with a reason, which gets past no row about a family. */
static const char
    *const EXPECTED[ACTORS][ACT__COUNT]
                   [RELATIONS] =
                       {
                           [ADMINISTRATOR] =
                               {
                                   [ACT_APPROVE] = {"own_application", "own_family", "own_family", "own_family",
                                                    "own_family", ""},
                                   [ACT_LINK] = OWN_FAMILY, /* of oneself: who acts has an account, and needs none */
                                   [ACT_GUARDIAN_LINK] = {"not_a_pupil", "not_your_link", "not_your_link",
                                                          "not_your_link", "not_your_link", "not_your_link"},
                                   [ACT_BECOME_GUARDIAN] = {"own_session", "", "", "", "",
                                                            ""}, /* by the child's link */
                                   [ACT_END_GUARDIAN] = KIN(""), /* one's own */
                                   [ACT_CLAIM] =
                                       {"own_claim", "", "own_family",
                                        "own_family", "own_family", ""}, /* of a child: as its guardian */
                                   [ACT_CHILD] =
                                       KIN(""), /* to look decides nothing */
                                   [ACT_RECORDS_READ] = KIN(""),
                                   [ACT_RECORDS_WRITE] = OWN_FAMILY,
                                   [ACT_IDENTITY] = OWN_FAMILY,
                                   [ACT_ROLES] =
                                       OWN_FAMILY,
                                   [ACT_GUARDIANSHIP] = {"own_family", "own_family",
                                                         "own_family", "own_family", "own_family", ""},
                                   [ACT_CUSTODY] = {"own_family",
                                                    "own_family", "own_family", "own_family", "own_family", ""},
                                   [ACT_IMPORT] = KIN(""), /* of a whole school: a roster says who is what */
                                   [ACT_POLICY] = KIN(""), /* of nobody in particular */
                                   [ACT_REPORTS] = {"accused", "own_family",
                                                    "own_family", "own_family", "own_family", ""},
                                   [ACT_AUDIT] =
                                       KIN(""),
                                   [ACT_STANDING] =
                                       {"own_account", "own_family", "own_family", "own_family", "own_family", ""},
                                   [ACT_SESSIONS] = OWN_FAMILY,
                                   [ACT_NOTICE] = KIN(""), /* what is said reaches nothing of theirs */
                                   [ACT_EXPORT] = {"", "", "own_family", "own_family", "own_family",
                                                   ""}, /* one's own, and a child's (G4) */
                                   [ACT_ERASE] =
                                       {"", "", "own_family", "own_family", "own_family", ""},
                                   [ACT_LEAVE_SCHOOL] = {"", "", "own_family", "own_family", "own_family", ""},
                                   [ACT_ROOMS_WRITE] = OWN_FAMILY,
                               },
                           [CLASS_TEACHER] =
                               {
                                   [ACT_APPROVE] = {"own_application", "own_family", "own_family", "own_family",
                                                    "may_not_approve", ""},
                                   [ACT_LINK] = {"office_hands_out", "office_hands_out", "office_hands_out",
                                                 "office_hands_out", "may_not_link", "office_hands_out"},
                                   [ACT_CLAIM] = {"own_claim", "", "own_family", "own_family", "may_not_confirm", ""},
                                   [ACT_GUARDIAN_LINK] = {"not_a_pupil", "not_your_link", "not_your_link",
                                                          "not_your_link", "not_your_link", "not_your_link"},
                                   [ACT_BECOME_GUARDIAN] = {"own_session", "", "", "", "", ""},
                                   [ACT_END_GUARDIAN] = {"not_your_child", "", "not_your_child", "not_your_child",
                                                         "not_your_child", "not_your_child"},
                                   [ACT_CHILD] = {"not_your_child", "", "not_your_child", "not_your_child",
                                                  "not_your_child", "not_your_child"},
                                   [ACT_RECORDS_READ] = {"", "", "", "", "records", ""},
                                   [ACT_RECORDS_WRITE] = OFFICE_ONLY,
                                   [ACT_IDENTITY] = OFFICE_ONLY,
                                   [ACT_ROLES] = OFFICE_ONLY,
                                   [ACT_GUARDIANSHIP] = OFFICE_ONLY,
                                   [ACT_CUSTODY] = OFFICE_ONLY,
                                   [ACT_IMPORT] = OFFICE_ONLY,
                                   [ACT_POLICY] = OFFICE_ONLY,
                                   [ACT_REPORTS] = {"accused", "own_family", "own_family", "own_family",
                                                    "may_not_settle_reports", ""},
                                   [ACT_AUDIT] = OFFICE_ONLY,
                                   [ACT_STANDING] = OFFICE_ONLY,
                                   [ACT_SESSIONS] = OFFICE_ONLY,
                                   [ACT_NOTICE] = OFFICE_ONLY,
                                   [ACT_EXPORT] = {"", "", "not_yours", "not_yours", "not_yours", "not_yours"},
                                   [ACT_ERASE] = {"", "", "not_yours", "not_yours", "not_yours", "not_yours"},
                                   [ACT_LEAVE_SCHOOL] = {"", "", "not_yours", "not_yours", "not_yours", "not_yours"},
                                   [ACT_ROOMS_WRITE] = OFFICE_ONLY,
                               },
};

static struct actor actor_of(enum who who)
{
    return (struct actor){.user = people[who][SELF],
                          .name = "@somebody:school.example",
                          .override_ = who == ADMINISTRATOR ? "because I say so" : NULL};
}

static void answers_as_expected(enum who who, enum act act, enum relation relation)
{
    struct error e = {0};
    const struct actor actor = actor_of(who);
    const struct subject subject = {.school = act == ACT_APPROVE || act == ACT_REPORTS ? w.school : 0,
                                    .target = people[who][relation]};
    const char *wanted = EXPECTED[who][act][relation];
    bool may = school_gate(w.f.db, true, &actor, act, &subject, NULL, NULL, &e);
    const char *code = may ? "" : e.rule_code;
    if (wanted == NULL || strcmp(code, wanted) != 0)
        fail_msg("%s, %s, %s: \"%s\" instead of \"%s\"", who == ADMINISTRATOR ? "administrator" : "class teacher",
                 act_name(act), RELATION_NAMES[relation], code, wanted != NULL ? wanted : "(no row)");
}

static void j4_every_act_of_the_office_by_whom_it_is_about(void **state)
{
    for (int who = 0; who < ACTORS; ++who)
        for (int act = ACT_APPROVE; act < ACT__COUNT; ++act)
            for (int relation = 0; relation < RELATIONS; ++relation)
                answers_as_expected((enum who)who, (enum act)act, (enum relation)relation);
}

/* --- The effects: what an administrator brings about by them --- */

static bool gives_post(struct changing_records *c, user_no user)
{
    return change_role(
        c,
        &(struct role_row){.user = user, .school = w.school, .role = ROLE_HEAD, .begin = DAY_EVER, .end = DAY_NEVER});
}

static bool enrolls(struct changing_records *c, user_no user)
{
    return change_enrollment(
        c, &(struct enrollment_row){
               .class = w.first, .user = user, .role = ROLE_TEACHER, .begin = DAY_EVER, .end = DAY_NEVER});
}

static bool leaves(struct changing_records *c, user_no user)
{
    return change_leave_school(c, user, w.school);
}

/* Guardianships of somebody else's child, and somebody else's of theirs. */
static bool makes_guardian(struct changing_records *c, user_no user)
{
    return change_guardianship(c, w.small, user);
}

static bool gives_guardian(struct changing_records *c, user_no user)
{
    return change_guardianship(c, user, w.teacher);
}

static bool bars(struct changing_records *c, user_no user)
{
    return change_custody(c, user, people[ADMINISTRATOR][FELLOW], CUSTODY_NO_CONTACT, "decision 2-114 of 3 March");
}

static bool ends_fellow(struct changing_records *c, user_no user)
{
    return change_guardianship_end(c, user, people[ADMINISTRATOR][FELLOW]);
}

static bool closes_report(struct changing_records *c, user_no user)
{
    struct report_row report = {.kind = "user", .reporter = w.old, .accused = user, .reason = "they hit me"};
    return report_make(c->tx, true, "@old:school.example", &report, c->e) &&
           report_close(c, report.no, "nothing happened", 1);
}

/* Somebody asks to be let in, or to have a child's record corrected. */
static bool approves(struct changing_records *c, struct application_row row, const user_no *children)
{
    row.state = APPLICATION_WAITING;
    row.school = w.school;
    row.class = w.fifth;
    row.person = (struct applicant){"Ivan", "Newcomer", "", DAY_EVER, ""};
    application_no no = applications_insert(c->tx, &row);
    const struct approval approval = {.person = APPLICANT_NOBODY, .children = children, .n_children = children != NULL};
    return no != 0 && application_approve(c, no, &approval, world_version(c->tx->db, no));
}

static bool approves_correction(struct changing_records *c, user_no user)
{
    return approves(c, (struct application_row){.kind = APPLICATION_CORRECTION, .user = user, .child = user}, NULL);
}

static bool approves_guardian(struct changing_records *c, user_no user)
{
    return approves(
        c,
        (struct application_row){.kind = APPLICATION_GUARDIAN, .user = w.teacher, .child = user, .role = ROLE_GUARDIAN},
        NULL);
}

static bool approves_guardian_by_class_link(struct changing_records *c, user_no user)
{
    return approves(c, (struct application_row){.kind = APPLICATION_JOIN, .user = w.teacher, .role = ROLE_GUARDIAN},
                    &user);
}

#define ONE(relation) (1u << (relation))
#define CHILDREN (ONE(CHILD) | ONE(ASKED))
#define EVERYBODY (ONE(RELATIONS) - 1)

/* may: whom an administrator may do it to; about: of whom it makes sense. */
static const struct effect {
    const char *name;
    bool (*act)(struct changing_records *c, user_no user);
    unsigned about, may;
} EFFECTS[] = {
    {"birth date", corrects_birth, EVERYBODY, ONE(SELF) | ONE(STRANGER)}, /* of oneself: with a reason, in the log */
    {"name", renames, EVERYBODY, ONE(SELF) | ONE(STRANGER)},
    {"account by record", locks_by_record, EVERYBODY, ONE(STRANGER)},
    {"account", locks, EVERYBODY, ONE(STRANGER)},
    {"sessions", signs_out, EVERYBODY, ONE(SELF) | ONE(STRANGER)},
    {"post", gives_post, ONE(SELF) | ONE(FELLOW) | ONE(PARENT), ONE(SELF)},
    {"place in a class", enrolls, EVERYBODY & ~CHILDREN & ~ONE(STRANGER), ONE(SELF)},
    {"personal link", hands_out, EVERYBODY, ONE(SELF) | ONE(STRANGER)},
    {"erasure", erases, EVERYBODY, ONE(SELF) | ONE(CHILD) | ONE(STRANGER)},
    {"export", exports, EVERYBODY, ONE(SELF) | ONE(CHILD) | ONE(STRANGER)},
    {"leaving", leaves, EVERYBODY, ONE(SELF) | ONE(CHILD) | ONE(STRANGER)},
    {"guardianship of another's child", makes_guardian, ONE(SELF) | ONE(FELLOW) | ONE(PARENT), 0},
    {"guardianship", gives_guardian, ONE(ASKED) | ONE(STRANGER), ONE(STRANGER)},
    {"custody", bars, ONE(CHILD), 0},
    {"another's guardianship", ends_fellow, ONE(CHILD), 0},
    {"report", closes_report, EVERYBODY, ONE(STRANGER)},
    {"correction", approves_correction, CHILDREN | ONE(STRANGER), ONE(STRANGER)},
    {"guardian by the child's link", approves_guardian, ONE(ASKED) | ONE(STRANGER), ONE(STRANGER)},
    {"guardian by a class link", approves_guardian_by_class_link, ONE(ASKED) | ONE(STRANGER), ONE(STRANGER)},
};

struct attempt {
    const struct effect *effect;
    user_no user;
    bool done;
};

/* Thrown away: what was allowed must not change what is asked next. */
static bool attempt_act(struct changing_records *c, void *arg)
{
    struct attempt *attempt = arg;
    attempt->done = attempt->effect->act(c, attempt->user);
    return false;
}

static bool attempts(const struct actor *actor, const struct effect *effect, user_no user, struct error *e)
{
    struct attempt attempt = {effect, user, false};
    *e = (struct error){0};
    writer_run(w.f.writer, world_job, &(struct world_job){&w, actor, attempt_act, &attempt}, e);
    return attempt.done;
}

static void j4_no_effect_of_the_office_on_ones_own_family(void **state)
{
    const struct actor administrator = actor_of(ADMINISTRATOR);
    int refused = 0;
    for (size_t i = 0; i < COUNT(EFFECTS); ++i)
        for (int relation = 0; relation < RELATIONS; ++relation) {
            struct error e;
            bool may = (EFFECTS[i].may & ONE(relation)) != 0;
            if ((EFFECTS[i].about & ONE(relation)) == 0)
                continue;
            if (attempts(&administrator, &EFFECTS[i], people[ADMINISTRATOR][relation], &e) != may)
                fail_msg("%s of %s: %s", EFFECTS[i].name, RELATION_NAMES[relation],
                         may ? error_sentence(&e) : "allowed");
            if (!may && strcmp(EFFECTS[i].name, "report") != 0) /* which is not there then */
                assert_string_equal(world_rule(&e), "J4");
            refused += !may;
            /* Somebody else of the office does it. */
            if (!may && !attempts(&ACTOR_COMMAND_LINE, &EFFECTS[i], people[ADMINISTRATOR][relation], &e))
                fail_msg("%s of %s, by the operator: %s", EFFECTS[i].name, RELATION_NAMES[relation],
                         error_sentence(&e));
        }
    assert_true(refused > 30);
}

/* A room's accused are those who answer for it: no parent deals with a report of the class that
 * the other one teaches. */
static void j4_f5_a_report_of_the_familys_room(void **state)
{
    struct error e;
    struct report_row report = {.kind = "room", .reporter = w.old, .school = w.school};
    const struct actor administrator = actor_of(ADMINISTRATOR);
    report.room = roster_rooms_find(w.f.db, w.school, w.fifth, ROOM_CLASS);
    assert_true(report.room != 0);
    assert_true(report_may_read(w.f.db, true, &administrator, &report, &e));
    world_guardian(&w, people[ADMINISTRATOR][ASKED], w.class_teacher);
    assert_false(report_may_read(w.f.db, true, &administrator, &report, &e));
    assert_string_equal(e.rule_code, "own_family");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(j4_every_act_of_the_office_by_whom_it_is_about),
        cmocka_unit_test(j4_no_effect_of_the_office_on_ones_own_family),
        cmocka_unit_test(j4_f5_a_report_of_the_familys_room),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
