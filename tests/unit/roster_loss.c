/* G5: what is loss in bulk and what is a school's ordinary life, kind by kind; by date; and a little every night.
 *
 * One school of twelve homerooms with ten pupils each, of whom each has a guardian and a group; a class teacher and
 * another teacher for each of them; a head, deputies, administrators. A case changes what the roster says, and names
 * the kind (policy/records/loss.h) by which it is held, or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/days.h"
#include "homeserver/base/json.h"
#include "homeserver/store/school/schools.h"
#include "policy/gate/school_gate.h"
#include "policy/oneroster/source.h"
#include "policy/records/day_change.h"
#include "policy/records/rollover.h"
#include "tests/unit/fixture.h"
#include "tests/unit/roster_archive.h"

#define CLASSES 12
#define SEATS 10
#define PUPILS (CLASSES * SEATS)
#define TEACHERS (2 * CLASSES) /* the first CLASSES are class teachers */
#define LEADERS 6              /* head, two deputies, two administrators, somebody external */
#define NEW 40                 /* room for people who come */

struct person {
    bool there, disabled;
    int name, born;      /* 0: as at first */
    const char *more;    /* another role of theirs, in roles.csv */
    const char *until;   /* the end of all that they are; NULL: none */
    int class, guardian; /* of a pupil; −1: none */
    bool group;
};

struct told {
    struct person pupils[PUPILS + NEW], guardians[PUPILS], teachers[TEACHERS + NEW], leaders[LEADERS];
    struct {
        bool there, group, teacher, group_teacher;
        const char *id; /* instead of the usual one */
        int title, grade, who;
    } classes[CLASSES + 1];
    const char *enrolled_until; /* of all pupils */
    bool second;                /* another school of thirty people */
};

static char soon[DAY_TEXT_BYTES], today[DAY_TEXT_BYTES], in_summer[DAY_TEXT_BYTES];

static struct told plan_first(void)
{
    struct told p = {0};
    day_text(day_of_ms(clock_wall_ms() + 7 * DAY_MS), soon);
    day_text(day_of_ms(clock_wall_ms()), today);
    day_text(day_of_ms(clock_wall_ms() + 100 * DAY_MS), in_summer);
    for (int i = 0; i < PUPILS; ++i) {
        p.pupils[i] = (struct person){.there = true, .class = i / SEATS, .guardian = i, .group = true};
        p.guardians[i] = (struct person){.there = true};
    }
    for (int i = 0; i < TEACHERS; ++i)
        p.teachers[i] = (struct person){.there = true};
    for (int i = 0; i < LEADERS; ++i)
        p.leaders[i] = (struct person){.there = true, .until = i == LEADERS - 1 ? in_summer : NULL};
    for (int c = 0; c < CLASSES; ++c) {
        p.classes[c].there = p.classes[c].group = p.classes[c].teacher = p.classes[c].group_teacher = true;
        p.classes[c].who = c;
        p.classes[c].grade = p.classes[c].title = c;
    }
    return p;
}

/* --- As files --- */

enum { ORGS, COURSES, CLASSES_CSV, USERS, ROLES, ENROLLMENTS, BIRTHS, FILES };

static void add_person(struct text *files, const char *id, const struct person *p, const char *role,
                       const char *guardian)
{
    const char *until = p->until != NULL ? p->until : "";
    if (!p->there)
        return;
    text_addf(&files[USERS], "%s,%s,%s,Имя%d,Семья%s,,%s\n", id, p->disabled ? "false" : "true", id, p->name, id,
              guardian);
    text_addf(&files[ROLES], "r%s,%s,primary,%s,,%s,s\n", id, id, role, until);
    if (p->more != NULL)
        text_addf(&files[ROLES], "x%s,%s,secondary,%s,,,s\n", id, id, p->more);
    if (p->born >= 0)
        text_addf(&files[BIRTHS], "%s,%d-03-04,female\n", id, 2000 + p->born % 20);
}

static void add_enrollment(struct text *files, const char *class, const char *who, const char *role, const char *until)
{
    text_addf(&files[ENROLLMENTS], "e%s%s,%s,s,%s,%s,%s,,%s\n", class, who, class, who, role,
              strcmp(role, "teacher") == 0 && class[0] != 'g' ? "true" : "", until != NULL ? until : "");
}

static void add_pupils(const struct told *plan, struct text *files)
{
    char id[16], guardian[16], class[16];
    for (int i = 0; i < PUPILS + NEW; ++i) {
        const struct person *p = &plan->pupils[i];
        const char *until = p->until != NULL ? p->until : plan->enrolled_until;
        snprintf(id, sizeof id, "p%d", i);
        snprintf(guardian, sizeof guardian, "m%d", p->guardian);
        add_person(files, id, p, "student", p->guardian >= 0 && plan->guardians[p->guardian].there ? guardian : "");
        if (!p->there || p->class < 0 || !plan->classes[p->class].there)
            continue;
        snprintf(class, sizeof class, "c%d", p->class);
        add_enrollment(files, plan->classes[p->class].id != NULL ? plan->classes[p->class].id : class, id, "student",
                       until);
        snprintf(class, sizeof class, "g%d", p->class);
        if (p->group && plan->classes[p->class].group)
            add_enrollment(files, class, id, "student", until);
    }
}

static void add_classes(const struct told *plan, struct text *files)
{
    char class[16], who[16];
    for (int c = 0; c <= CLASSES; ++c) {
        if (!plan->classes[c].there)
            continue;
        snprintf(class, sizeof class, "c%d", c);
        const char *id = plan->classes[c].id != NULL ? plan->classes[c].id : class;
        text_addf(&files[CLASSES_CSV], "%s,Класс %d,%d,k,homeroom,s,y\n", id, plan->classes[c].title,
                  plan->classes[c].grade % 11 + 1);
        snprintf(who, sizeof who, "t%d", plan->classes[c].who);
        if (plan->classes[c].teacher && plan->teachers[plan->classes[c].who].there)
            add_enrollment(files, id, who, "teacher", NULL);
        snprintf(class, sizeof class, "g%d", c);
        snprintf(who, sizeof who, "t%d", CLASSES + c);
        if (plan->classes[c].group)
            text_addf(&files[CLASSES_CSV], "%s,Группа %d,,k,scheduled,s,y\n", class, c);
        if (plan->classes[c].group && plan->classes[c].group_teacher && plan->teachers[CLASSES + c].there)
            add_enrollment(files, class, who, "teacher", NULL);
    }
}

static void add_rest(const struct told *plan, struct text *files)
{
    static const char *const LEADS[LEADERS] = {"principal",         "ext:deputyPrincipal", "ext:deputyPrincipal",
                                               "siteAdministrator", "siteAdministrator",   "ext:externalStaff"};
    char id[16];
    for (int i = 0; i < PUPILS; ++i) {
        snprintf(id, sizeof id, "m%d", i);
        add_person(files, id, &plan->guardians[i], "parent", "");
    }
    for (int i = 0; i < TEACHERS + NEW; ++i) {
        snprintf(id, sizeof id, "t%d", i);
        add_person(files, id, &plan->teachers[i], "teacher", "");
    }
    for (int i = 0; i < LEADERS; ++i) {
        snprintf(id, sizeof id, "l%d", i);
        add_person(files, id, &plan->leaders[i], LEADS[i], "");
    }
    text_adds(&files[ORGS], "s,,,Школа 1,school,,\n");
    text_adds(&files[COURSES], "k,y,Класс,s\n");
    if (!plan->second)
        return;
    text_adds(&files[ORGS], "z,,,Школа 2,school,,\n");
    for (int i = 0; i < 30; ++i) {
        text_addf(&files[USERS], "z%d,true,z%d,Имя,Новая%d,,\n", i, i, i);
        text_addf(&files[ROLES], "rz%d,z%d,primary,%s,,,z\n", i, i, i < 20 ? "student" : "siteAdministrator");
    }
}

static char *plan_archive(const struct told *plan, size_t *len)
{
    static const char *const HEADS[FILES] = {ORGS_HEAD,  COURSES_HEAD,     CLASSES_HEAD,     USERS_HEAD,
                                             ROLES_HEAD, ENROLLMENTS_HEAD, DEMOGRAPHICS_HEAD};
    struct text files[FILES];
    for (int i = 0; i < FILES; ++i) {
        files[i] = (struct text)TEXT_INIT;
        text_adds(&files[i], HEADS[i]);
    }
    add_rest(plan, files);
    add_pupils(plan, files);
    add_classes(plan, files);
    const struct archive_file all[] = {
        WHOLE[0],
        WHOLE[1],
        {"orgs.csv", files[ORGS].data},
        {"courses.csv", files[COURSES].data},
        {"classes.csv", files[CLASSES_CSV].data},
        {"users.csv", files[USERS].data},
        {"roles.csv", files[ROLES].data},
        {"enrollments.csv", files[ENROLLMENTS].data},
        {"demographics.csv", files[BIRTHS].data},
    };
    char *bytes = archive_of(all, sizeof all / sizeof *all, len);
    for (int i = 0; i < FILES; ++i)
        text_finish(&files[i]);
    return bytes;
}

/* --- Importing --- */

static struct fixture f;

static bool try_plan(const struct told *plan, struct source_outcome *out, struct error *e)
{
    size_t len;
    char *bytes = plan_archive(plan, &len);
    struct text problem = TEXT_INIT;
    struct source_import import = {.source = "roster", .how = {.writer = f.writer, .rooms = f.rooms, .db = f.db}};
    import.how.older = "the tests' year is always the same";
    bool done = source_import_archive(&import, bytes, len, out, &problem, e);
    if (!done && e->code != ERROR_HELD)
        fail_msg("refused: %s", problem.data);
    text_finish(&problem);
    free(bytes);
    return done;
}

/* Held by that kind, or not at all (NULL). */
static void expect(const char *what, const struct told *plan, const char *kind)
{
    struct error e = {0};
    struct source_outcome out;
    char line[80];
    bool done = try_plan(plan, &out, &e);
    snprintf(line, sizeof line, "loss s: %s: ", kind != NULL ? kind : "");
    if (done != (kind == NULL))
        fail_msg("%s: %s\n%.400s", what, done ? "not held" : "held", done ? "" : out.loss.lines.data);
    if (kind != NULL && strstr(out.loss.lines.data, line) == NULL)
        fail_msg("%s: not by %s\n%.400s", what, kind, out.loss.lines.data);
    if (kind != NULL) {
        const json_t *kinds = json_get_array(json_array_get(out.loss.schools, 0), "kinds");
        size_t i;
        json_t *each;
        bool told = false;
        json_array_foreach((json_t *)kinds, i, each)
            told = told || strcmp(json_get_string(each, "kind"), kind) == 0;
        assert_true(told);
    }
    source_outcome_finish(&out);
}

static void import_well(const struct told *plan)
{
    expect("the first", plan, NULL);
}

static bool confirm_held(const char *source)
{
    struct held_import_row row;
    struct source_outcome out = {0};
    struct text problem = TEXT_INIT;
    struct error e = {0};
    int64_t version, no = held_imports_of(f.db, source, &version);
    struct source_import import = {.source = "roster", .how = {.writer = f.writer, .rooms = f.rooms, .db = f.db}};
    bool done =
        no != 0 && held_imports_get(f.db, no, &row) && source_import_held(&import, &row, version, &out, &problem, &e);
    if (no != 0)
        held_import_row_finish(&row);
    source_outcome_finish(&out);
    text_finish(&problem);
    return done;
}

/* --- What is asked for, and what is not --- */

static void half_year(struct told *p)
{
    p->enrolled_until = in_summer;
}
static void class_finishes(struct told *p)
{
    for (int i = 0; i < SEATS; ++i)
        p->pupils[i].there = p->guardians[i].there = false;
    p->classes[0].there = false;
}
static void class_is_dissolved(struct told *p)
{
    for (int i = 0; i < SEATS; ++i)
        p->pupils[i].class = 1;
    p->classes[0].there = false;
}
static void class_is_split(struct told *p)
{
    p->classes[CLASSES] = p->classes[0];
    p->classes[CLASSES].who = CLASSES;
    for (int i = 0; i < SEATS / 2; ++i)
        p->pupils[i].class = CLASSES;
}
static void first_graders_come(struct told *p)
{
    p->classes[CLASSES] = p->classes[0];
    for (int i = PUPILS; i < PUPILS + NEW; ++i)
        p->pupils[i] = (struct person){.there = true, .class = CLASSES, .guardian = -1, .group = true};
    for (int i = TEACHERS; i < TEACHERS + 4; ++i)
        p->teachers[i].there = true;
}
static void school_comes(struct told *p)
{
    p->second = true;
}
static void some_come_and_go(struct told *p)
{
    for (int i = 0; i < 4; ++i)
        p->pupils[i * SEATS].there = p->guardians[i * SEATS].there = p->teachers[CLASSES + i].there = false;
    p->leaders[0].there = false;
    p->pupils[5].class = 1;
    p->pupils[6].guardian = 7;
    p->pupils[8].name = 3;
    p->pupils[9].born = 4;
}
static void class_teachers_change(struct told *p)
{
    for (int c = 0; c < 6; ++c)
        p->classes[c].who = CLASSES + c;
}
static void parents_teach(struct told *p)
{
    for (int i = 0; i < 8; ++i)
        p->guardians[i].more = "teacher";
}
static void groups_are_sorted_anew(struct told *p)
{
    for (int i = 0; i < PUPILS; i += 20)
        p->pupils[i].group = false;
}
static void birth_dates_come(struct told *p)
{
    for (int i = 0; i < PUPILS; ++i)
        p->pupils[i].born = 3;
}
static void without_birth_dates(struct told *p)
{
    for (int i = 0; i < PUPILS; ++i)
        p->pupils[i].born = -1;
}
static void new_year(struct told *p)
{
    static const char *const IDS[CLASSES] = {"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "n10", "n11"};
    for (int c = 0; c < CLASSES; ++c)
        p->classes[c].id = IDS[c];
}

static void everybody_ends_today(struct told *p)
{
    for (int i = 0; i < PUPILS; ++i)
        p->pupils[i].until = p->guardians[i].until = today;
}
static void pupils_end_soon(struct told *p)
{
    for (int i = 0; i < PUPILS; ++i)
        p->pupils[i].until = soon;
}
static void enrollments_end_soon(struct told *p)
{
    p->enrolled_until = soon;
}
static void guardians_are_gone(struct told *p)
{
    for (int i = 0; i < 13; ++i)
        p->guardians[i].there = false;
}
static void teachers_are_gone(struct told *p)
{
    for (int i = 0; i < 5; ++i)
        p->teachers[CLASSES + i].there = false;
}
static void pupils_are_off(struct told *p)
{
    for (int i = 0; i < 13; ++i)
        p->pupils[i].disabled = true;
}
static void class_is_moved(struct told *p)
{
    for (int i = 0; i < SEATS; ++i)
        p->pupils[i].class = 1;
}
static void all_are_moved(struct told *p)
{
    for (int i = 0; i < PUPILS; ++i)
        p->pupils[i].class = (p->pupils[i].class + 1) % CLASSES;
}
static void class_is_without(struct told *p)
{
    for (int i = 0; i < SEATS; ++i)
        p->pupils[i].class = -1;
}
static void teachers_teach_nothing(struct told *p)
{
    for (int c = 0; c < CLASSES; ++c)
        p->classes[c].teacher = p->classes[c].group_teacher = false;
}
static void classes_without_teacher(struct told *p)
{
    for (int c = 0; c < CLASSES; ++c)
        p->classes[c].teacher = false;
}
static void no_guardianships(struct told *p)
{
    for (int i = 0; i < PUPILS; ++i)
        p->pupils[i].guardian = -1;
}
static void guardianships_shifted(struct told *p)
{
    for (int i = 0; i < PUPILS; ++i)
        p->pupils[i].guardian = (i + 1) % PUPILS;
}
static void birth_dates_shifted(struct told *p)
{
    for (int i = 0; i < PUPILS; ++i)
        p->pupils[i].born = i % 19 + 1;
}
static void birth_dates_of_a_class(struct told *p)
{
    for (int i = 0; i < SEATS; ++i)
        p->pupils[i].born = 5;
}
static void names_of_pupils(struct told *p)
{
    for (int i = 0; i < PUPILS; ++i)
        p->pupils[i].name = 1;
}
static void names_of_guardians(struct told *p)
{
    for (int i = 0; i < PUPILS; ++i)
        p->guardians[i].name = 1;
}
static void names_of_staff(struct told *p)
{
    for (int i = 0; i < TEACHERS; ++i)
        p->teachers[i].name = 1;
}
static void names_of_a_class(struct told *p)
{
    for (int i = 0; i < SEATS; ++i)
        p->pupils[i].name = 1;
}
static void pupils_administrate(struct told *p)
{
    for (int i = 0; i < PUPILS; ++i)
        p->pupils[i].more = "siteAdministrator";
}
static void five_pupils_teach(struct told *p)
{
    for (int i = 0; i < 5; ++i)
        p->pupils[i * SEATS].more = "teacher";
}
static void guardians_teach(struct told *p)
{
    for (int i = 0; i < 13; ++i)
        p->guardians[i].more = "teacher";
}
static void teachers_administrate(struct told *p)
{
    for (int i = 0; i < 6; ++i)
        p->teachers[i].more = "siteAdministrator";
}
static void newcomers_administrate(struct told *p)
{
    for (int i = TEACHERS; i < TEACHERS + 6; ++i)
        p->teachers[i] = (struct person){.there = true, .more = "siteAdministrator"};
}
static void homerooms_end(struct told *p)
{
    for (int c = 0; c < 3; ++c)
        p->classes[c].there = false;
    for (int i = 0; i < 3 * SEATS; ++i)
        p->pupils[i].class = 3 + i % 9;
}
static void groups_end(struct told *p)
{
    for (int c = 0; c < CLASSES; ++c)
        p->classes[c].group = false;
}

static void g5_each_kind_has_its_own_number(void **state)
{
    static const struct {
        const char *what;
        void (*change)(struct told *plan);
        const char *kind;
    } CASES[] = {
        /* a school's life */
        {"the year's end is said early", half_year, NULL},
        {"a class finishes", class_finishes, NULL},
        {"a class is dissolved into another", class_is_dissolved, NULL},
        {"a class is split", class_is_split, NULL},
        {"first graders and teachers come", first_graders_come, NULL},
        {"a school comes", school_comes, NULL},
        {"a few come, go and are corrected", some_come_and_go, NULL},
        {"half of the classes have another class teacher", class_teachers_change, NULL},
        {"some parents teach", parents_teach, NULL},
        {"some are in no group any more", groups_are_sorted_anew, NULL},
        {"a new year with new classes", new_year, "homerooms"},
        /* mistakes */
        {"everybody ends today", everybody_ends_today, "people"},
        {"pupils end in a week", pupils_end_soon, "pupils"},
        {"enrollments end in a week", enrollments_end_soon, "homeroom_pupils"},
        {"a tenth of the guardians", guardians_are_gone, "guardians"},
        {"a tenth of the teachers", teachers_are_gone, "teachers"},
        {"a tenth of the pupils switched off", pupils_are_off, "pupils"},
        {"all of a class moved", class_is_moved, "homerooms_moved"},
        {"all pupils moved by one class", all_are_moved, "homerooms_moved"},
        {"all of a class in no class", class_is_without, "homerooms_moved"},
        {"no teacher's enrollments", teachers_teach_nothing, "group_teachers"},
        {"no class teachers", classes_without_teacher, "class_teachers"},
        {"no guardianships", no_guardianships, "guardianships"},
        {"guardians shifted by one", guardianships_shifted, "guardianships"},
        {"birth dates shifted by one", birth_dates_shifted, "birth_dates_of_pupils"},
        {"no birth dates", without_birth_dates, "birth_dates_of_pupils"},
        {"other birth dates in one class", birth_dates_of_a_class, "homerooms_with_other_birth_dates"},
        {"other names of pupils", names_of_pupils, "names_of_pupils"},
        {"other names of guardians", names_of_guardians, "names_of_guardians"},
        {"other names of teachers", names_of_staff, "names_of_staff"},
        {"other names in one class", names_of_a_class, "homerooms_renamed"},
        {"pupils are administrators", pupils_administrate, "pupils_made_staff"},
        {"five pupils are teachers", five_pupils_teach, "pupils_made_staff"},
        {"a tenth of the guardians are teachers", guardians_teach, "guardians_made_staff"},
        {"teachers are administrators", teachers_administrate, "made_leaders"},
        {"newcomers are administrators", newcomers_administrate, "made_leaders"},
        {"three homerooms of twelve end", homerooms_end, "homerooms"},
        {"all groups end", groups_end, "groups"},
    };
    static struct told first, plan;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        plan = first = plan_first();
        fixture_start_school(&f);
        import_well(&first);
        CASES[i].change(&plan);
        expect(CASES[i].what, &plan, CASES[i].kind);
        fixture_stop(&f);
    }
    plan = first = plan_first(); /* what was not known is no loss */
    without_birth_dates(&first);
    fixture_start_school(&f);
    import_well(&first);
    birth_dates_come(&plan);
    expect("birth dates come", &plan, NULL);
    fixture_stop(&f);
}

/* The rollover asks by itself (life.c); the roster of the new year, with the classes that go on, does not. */
static bool job_rollover(struct tx *tx, void *arg, struct error *e)
{
    static const struct actor OPERATOR = {.name = "operator:test", .scopes = SCOPE_ALL};
    struct rollover_counts counts;
    struct rollover_loss loss = {.limits = {10, 75, 5}, .confirmed = CONFIRMED_ANY};
    struct text difference = TEXT_INIT;
    struct changing_records c = {tx, f.rooms, &OPERATOR, e};
    bool done = rollover_run(&c, schools_by_sourced_id(tx->db, "s"), 11, &counts, &difference, &loss);
    text_finish(&difference);
    return done;
}

static void g5_the_year_after_the_rollover_is_not_held(void **state)
{
    struct error e;
    static struct told plan;
    plan = plan_first();
    fixture_start_school(&f);
    import_well(&plan);
    assert_true(writer_run(f.writer, job_rollover, NULL, &e));
    for (int i = 10 * SEATS; i < 11 * SEATS; ++i)
        plan.pupils[i].there = plan.guardians[i].there = false; /* of the last grade */
    plan.classes[10].there = false;
    for (int c = 0; c < CLASSES; ++c)
        ++plan.classes[c].grade;
    class_teachers_change(&plan);
    expect("the new year", &plan, NULL);
    fixture_stop(&f);
}

/* --- A little every night --- */

enum { LONG_AGO, ENDED, ENDED_ROLES, ENDED_LOSSES, SETTLED, WAITING, JOINED, ASK_COUNT };
static const struct statement TEXTS[] = {
    [LONG_AGO] = "UPDATE losses SET lost_ms = 1",
    [ENDED] = "UPDATE enrollments SET end_date = $1 WHERE end_date = $2",
    [ENDED_ROLES] = "UPDATE roles SET end_date = $1 WHERE end_date = $2",
    [ENDED_LOSSES] = "UPDATE losses SET end_date = $1 WHERE end_date = $2",
    [SETTLED] = "UPDATE settled SET day = $1",
    [WAITING] = "SELECT count(*) FROM held_imports WHERE source = $1",
    [JOINED] = "SELECT count(*) FROM memberships WHERE membership = 'join'",
};
static const struct statements ASK = {"roster_loss_test", TEXTS, ASK_COUNT};

static bool job_long_ago(struct tx *tx, void *arg, struct error *e)
{
    return db_run(tx->db, &ASK, LONG_AGO, "");
}

static void night(struct told *plan, int n)
{
    for (int i = n * SEATS; i < (n + 1) * SEATS; ++i)
        plan->pupils[(i * 7) % PUPILS].there = false;
}

static void g5_a_little_every_night_is_stopped_on_the_second(void **state)
{
    struct error e;
    static struct told plan;
    plan = plan_first();
    fixture_start_school(&f);
    import_well(&plan);
    night(&plan, 0);
    expect("the first night", &plan, NULL);
    expect("the same again", &plan, NULL);
    night(&plan, 1);
    expect("the second night", &plan, "pupils");
    plan = plan_first();
    expect("those of the first are back", &plan, NULL);
    night(&plan, 1);
    expect("the second night alone", &plan, NULL);
    night(&plan, 2);
    expect("and the third", &plan, "pupils");
    assert_true(confirm_held("roster")); /* begins anew */
    night(&plan, 3);
    expect("the fourth", &plan, NULL);
    night(&plan, 4);
    expect("the fifth", &plan, "pupils");
    assert_true(writer_run(f.writer, job_long_ago, NULL, &e));
    plan.pupils[4 * SEATS * 7 % PUPILS].there = true; /* nine of ninety */
    expect("a month later", &plan, NULL);
    fixture_stop(&f);
}

/* --- By date --- */

static char yesterday[DAY_TEXT_BYTES], before_yesterday[DAY_TEXT_BYTES];

/* What ends on that day ended yesterday, and nobody has looked yet. */
static bool job_a_day_has_passed(struct tx *tx, void *arg, struct error *e)
{
    const char *day = arg;
    return db_run(tx->db, &ASK, ENDED, "tt", yesterday, day) &&
           db_run(tx->db, &ASK, ENDED_ROLES, "tt", yesterday, day) &&
           db_run(tx->db, &ASK, ENDED_LOSSES, "tt", yesterday, day) &&
           db_run(tx->db, &ASK, SETTLED, "t", before_yesterday);
}

static bool job_day_change(struct tx *tx, void *arg, struct error *e)
{
    return day_change(tx, f.rooms, NULL, arg, e);
}

static struct roster_changes day_comes(const char *day)
{
    struct error e;
    struct roster_changes changes = {0};
    day_text(day_of_ms(clock_wall_ms() - DAY_MS), yesterday);
    day_text(day_of_ms(clock_wall_ms() - 2 * DAY_MS), before_yesterday);
    if (day != NULL)
        assert_true(writer_run(f.writer, job_a_day_has_passed, (void *)day, &e));
    assert_true(writer_run(f.writer, job_day_change, &changes, &e));
    return changes;
}

static bool day_waits(void)
{
    return db_int(f.db, &ASK, WAITING, 0, "t", DAY_SOURCE) != 0;
}

static int64_t joined(void)
{
    return db_int(f.db, &ASK, JOINED, 0, "");
}

static void g5_a_day_that_takes_much_waits(void **state)
{
    static struct told plan;
    plan = plan_first();
    plan.enrolled_until = in_summer;
    fixture_start_school(&f);
    import_well(&plan);
    int64_t n = joined();
    struct roster_changes changes = day_comes(in_summer);
    assert_true(day_waits());
    assert_int_equal(changes.n[ROSTER_ACCOUNTS_CLOSED], 1); /* E7: external staff goes on its day */
    assert_true(n - joined() < 5);
    n = joined();
    day_comes(NULL); /* looked at once a day */
    assert_int_equal(joined(), n);
    expect("the dates were wrong", &plan, NULL);
    assert_false(day_waits());
    assert_true(joined() >= n);

    day_comes(in_summer); /* and now they are right */
    assert_true(day_waits());
    n = joined();
    assert_true(confirm_held(DAY_SOURCE));
    assert_false(day_waits());
    assert_true(joined() < n - PUPILS);
    day_comes(NULL);
    assert_false(day_waits());
    fixture_stop(&f);
}

static void g5_an_import_is_judged_with_the_day_that_waits(void **state)
{
    static struct told plan;
    plan = plan_first();
    plan.enrolled_until = in_summer;
    fixture_start_school(&f);
    import_well(&plan);
    day_comes(in_summer);
    assert_true(day_waits());
    plan.enrolled_until = yesterday; /* the roster says so, too */
    plan.leaders[LEADERS - 1].until = yesterday;
    expect("with the day", &plan, "homeroom_pupils");
    assert_true(confirm_held("roster"));
    assert_false(day_waits());
    fixture_stop(&f);
}

static void g5_what_was_confirmed_does_not_ask_on_its_day(void **state)
{
    static struct told plan;
    plan = plan_first();
    fixture_start_school(&f);
    import_well(&plan);
    plan.enrolled_until = soon;
    expect("soon", &plan, "homeroom_pupils");
    assert_true(confirm_held("roster"));
    expect("the same again", &plan, NULL);
    int64_t n = joined();
    day_comes(soon);
    assert_false(day_waits());
    assert_true(joined() < n - PUPILS);
    fixture_stop(&f);
}

static void g5_a_few_by_date_go(void **state)
{
    static struct told plan;
    plan = plan_first();
    for (int i = 0; i < 4; ++i)
        plan.pupils[i].until = in_summer;
    fixture_start_school(&f);
    import_well(&plan);
    struct roster_changes changes = day_comes(in_summer);
    assert_false(day_waits());
    assert_int_equal(changes.n[ROSTER_ACCOUNTS_CLOSED], 5); /* and somebody external */
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(g5_each_kind_has_its_own_number),
        cmocka_unit_test(g5_the_year_after_the_rollover_is_not_held),
        cmocka_unit_test(g5_a_little_every_night_is_stopped_on_the_second),
        cmocka_unit_test(g5_a_day_that_takes_much_waits),
        cmocka_unit_test(g5_an_import_is_judged_with_the_day_that_waits),
        cmocka_unit_test(g5_what_was_confirmed_does_not_ask_on_its_day),
        cmocka_unit_test(g5_a_few_by_date_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
