/* G5: what takes away much at once waits until somebody confirms the list, however it comes; what is older than what is
 * there is refused. Nothing that waits or is refused has changed anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/json.h"
#include "homeserver/store/school/imports.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/schools.h"
#include "policy/gate/school_gate.h"
#include "policy/oneroster/forget.h"
#include "policy/oneroster/source.h"
#include "policy/records/change.h"
#include "tests/unit/fixture.h"
#include "tests/unit/roster_archive.h"

enum { COUNT_EVENTS, COUNT_AUDIT, ASK_COUNT };
static const struct statement TEXTS[] = {
    [COUNT_EVENTS] = "SELECT COUNT(*) FROM events",
    [COUNT_AUDIT] = "SELECT COUNT(*) FROM audit WHERE act = $1 AND json_type(entry, '$.details') = 'object'",
};
static const struct statements ASK = {"roster_held_test", TEXTS, ASK_COUNT};

/* --- Rosters of two schools --- */

#define SCHOOLS 2
#define CLASS_SIZE 5 /* pupils of a homeroom */

struct roster_plan {
    int pupils[SCHOOLS];  /* of them */
    int without[SCHOOLS]; /* the first so many are not in it */
    int renamed[SCHOOLS]; /* so many of the others have another name: the first of each class, then the second … */
    int disabled[SCHOOLS];
    const char *name;     /* the other name; NULL: "Другая" */
    int year;             /* in which its school year ends; 0: 2027 */
    const char *modified; /* dateLastModified of the year; NULL: none */
    const char *grades;   /* of all classes; NULL: "5" */
};

static bool is_renamed(const struct roster_plan *plan, int s, int pupil)
{
    int n = 0;
    for (int seat = 0; seat < CLASS_SIZE; ++seat)
        for (int i = seat; i < plan->pupils[s]; i += CLASS_SIZE) {
            n += i >= plan->without[s];
            if (i == pupil || n > plan->renamed[s])
                return i == pupil && n <= plan->renamed[s];
        }
    return false;
}

static void add_pupil(const struct roster_plan *plan, int s, int i, struct text *users, struct text *roles,
                      struct text *enrollments)
{
    bool renamed = is_renamed(plan, s, i), disabled = i < plan->disabled[s];
    if (i < plan->without[s])
        return;
    text_addf(users, "p%d-%d,%s,u%d-%d,Имя,%s,,\n", s, i, disabled ? "false" : "true", s, i,
              renamed && plan->name != NULL ? plan->name
              : renamed                     ? "Другая"
                                            : "Семья");
    text_addf(roles, "r%d-%d,p%d-%d,primary,student,,,s%d\n", s, i, s, i, s);
    text_addf(enrollments, "e%d-%d,c%d-%d,s%d,p%d-%d,student,,,\n", s, i, s, i / CLASS_SIZE, s, s, i);
}

static char *plan_archive(const struct roster_plan *plan, size_t *len)
{
    struct text sessions = TEXT_INIT, orgs = TEXT_INIT, courses = TEXT_INIT, classes = TEXT_INIT, users = TEXT_INIT,
                roles = TEXT_INIT, enrollments = TEXT_INIT;
    int year = plan->year != 0 ? plan->year : 2027;
    text_addf(&sessions, SESSIONS_HEAD "y,,%s,Год,schoolYear,%d-09-01,%d-05-31,,%d\n",
              plan->modified != NULL ? plan->modified : "", year - 1, year, year);
    text_adds(&orgs, ORGS_HEAD);
    text_adds(&courses, COURSES_HEAD);
    text_adds(&classes, CLASSES_HEAD);
    text_adds(&users, USERS_HEAD);
    text_adds(&roles, ROLES_HEAD);
    text_adds(&enrollments, ENROLLMENTS_HEAD);
    for (int s = 0; s < SCHOOLS; ++s) {
        text_addf(&orgs, "s%d,,,Школа %d,school,,\n", s, s);
        text_addf(&courses, "k%d,y,Класс,s%d\n", s, s);
        for (int c = 0; c * CLASS_SIZE < plan->pupils[s]; ++c)
            text_addf(&classes, "c%d-%d,Класс %d,%s,k%d,homeroom,s%d,y\n", s, c, c,
                      plan->grades != NULL ? plan->grades : "5", s, s);
        for (int i = 0; i < plan->pupils[s]; ++i)
            add_pupil(plan, s, i, &users, &roles, &enrollments);
    }
    const struct archive_file files[] = {WHOLE[0],
                                         {"academicSessions.csv", sessions.data},
                                         {"orgs.csv", orgs.data},
                                         {"courses.csv", courses.data},
                                         {"classes.csv", classes.data},
                                         {"users.csv", users.data},
                                         {"roles.csv", roles.data},
                                         {"enrollments.csv", enrollments.data},
                                         {"demographics.csv", DEMOGRAPHICS_HEAD}};
    char *bytes = archive_of(files, sizeof files / sizeof *files, len);
    struct text *texts[] = {&sessions, &orgs, &courses, &classes, &users, &roles, &enrollments};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i)
        text_finish(texts[i]);
    return bytes;
}

/* --- Importing --- */

struct tried {
    bool done;
    struct error e;
    struct source_outcome out;
    int64_t events; /* that there are now */
};

static struct source_import import_of(struct fixture *f)
{
    return (struct source_import){.source = "roster", .how = {.writer = f->writer, .rooms = f->rooms, .db = f->db}};
}

static int64_t events(struct fixture *f)
{
    return db_int(f->db, &ASK, COUNT_EVENTS, 0, "");
}

static int64_t audited(struct fixture *f, const char *act)
{
    return db_int(f->db, &ASK, COUNT_AUDIT, 0, "t", act);
}

static struct tried try_bytes(struct fixture *f, const char *bytes, size_t len, const char *older, bool dry_run)
{
    struct tried t = {0};
    struct text problem = TEXT_INIT;
    struct source_import import = import_of(f);
    import.how.older = older;
    import.how.dry_run = dry_run;
    t.done = source_import_archive(&import, bytes, len, &t.out, &problem, &t.e);
    t.events = events(f);
    text_finish(&problem);
    return t;
}

static struct tried try_plan(struct fixture *f, const struct roster_plan *plan, const char *older)
{
    size_t len;
    char *bytes = plan_archive(plan, &len);
    struct tried t = try_bytes(f, bytes, len, older, false);
    free(bytes);
    return t;
}

static void import_well(struct fixture *f, const struct roster_plan *plan)
{
    struct tried t = try_plan(f, plan, NULL);
    if (!t.done)
        fail_msg("refused: %s %s", error_sentence(&t.e), t.e.value);
    source_outcome_finish(&t.out);
}

static struct tried confirm(struct fixture *f, int64_t held, int64_t version)
{
    struct tried t = {0};
    struct held_import_row row;
    struct text problem = TEXT_INIT;
    struct source_import import = import_of(f);
    if (held_imports_get(f->db, held, &row))
        t.done = source_import_held(&import, &row, version, &t.out, &problem, &t.e);
    held_import_row_finish(&row);
    t.events = events(f);
    text_finish(&problem);
    return t;
}

static int64_t n_held(struct fixture *f)
{
    int64_t since_ms;
    return held_imports_count(f->db, &since_ms);
}

/* --- The limits --- */

/* Of one school; the other is large and stays as it is, so that all together are never many. */
static void g5_the_limits_are_of_each_school(void **state)
{
    static const struct {
        int people, without, renamed, disabled;
        bool held;
    } CASES[] = {
        {12, 1, 0, 0, false}, /* a small school is not asked for one, nor for four */
        {12, 4, 0, 0, false},   {12, 5, 0, 0, true},    {3, 3, 0, 0, true}, /* nobody is left */
        {2, 2, 0, 0, false},    {100, 10, 0, 0, false},                     /* a tenth is not more than a tenth */
        {100, 11, 0, 0, true},  {100, 0, 0, 11, true},                      /* whom the roster switches off is gone */
        {100, 0, 75, 0, false}, {100, 0, 76, 0, true},  {100, 6, 70, 0, true}, /* gone counts as changed */
        {4, 0, 4, 0, false},    {5, 0, 5, 0, true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct fixture f;
        struct roster_plan before = {.pupils = {300, CASES[i].people}}, after = before;
        after.without[1] = CASES[i].without;
        after.renamed[1] = CASES[i].renamed;
        after.disabled[1] = CASES[i].disabled;
        fixture_start_school(&f);
        import_well(&f, &before);
        int64_t n = events(&f);
        struct tried t = try_plan(&f, &after, NULL);
        if (t.done == CASES[i].held || (t.out.loss.version != 0) != CASES[i].held)
            fail_msg("case %zu: %s", i, t.done ? "not held" : error_sentence(&t.e));
        if (CASES[i].held) {
            json_t *school = json_array_get(t.out.loss.schools, 0);
            assert_int_equal(t.e.code, ERROR_HELD);
            assert_int_equal(t.events, n);
            assert_int_equal(json_array_size(t.out.loss.schools), 1);
            assert_string_equal(json_get_string(school, "school"), "s1");
            assert_int_equal(json_get_int(school, "people", 0), CASES[i].people);
            assert_int_equal(json_get_int(school, "gone", 0), CASES[i].without + CASES[i].disabled);
            assert_int_equal(json_get_int(school, "changed", 0), CASES[i].renamed);
        }
        source_outcome_finish(&t.out);
        fixture_stop(&f);
    }
}

/* Classes alone: all get another grade, and nobody's record changes. */
static void g5_classes_count_alone(void **state)
{
    struct fixture f;
    struct roster_plan plan = {.pupils = {30, 10}};
    fixture_start_school(&f);
    import_well(&f, &plan);
    plan.grades = "4";
    struct tried t = try_plan(&f, &plan, NULL);
    assert_int_equal(t.e.code, ERROR_HELD);
    assert_int_equal(json_array_size(t.out.loss.schools), 1); /* of two classes are not many */
    assert_int_equal(json_get_int(json_array_get(t.out.loss.schools, 0), "classes_changed", 0), 6);
    source_outcome_finish(&t.out);
    fixture_stop(&f);
}

/* --- Header lines alone, and how it goes on --- */

static void g5_header_lines_alone_are_held_until_confirmed(void **state)
{
    struct fixture f;
    struct roster_plan plan = {.pupils = {30, 10}}, nobody = {.pupils = {30, 10}, .without = {30, 10}};
    fixture_start_school(&f);
    import_well(&f, &plan);
    int64_t n = events(&f);
    struct tried t = try_plan(&f, &nobody, NULL);
    assert_int_equal(t.e.code, ERROR_HELD);
    assert_int_equal(t.events, n);
    assert_non_null(strstr(t.out.loss.lines.data, "person - p0-7\n"));
    assert_int_equal(t.out.loss.changes.n[ROSTER_PEOPLE_ENDED], 40);
    assert_int_equal(audited(&f, "roster.hold"), 1);
    int64_t held = t.out.held, version = t.out.loss.version;
    source_outcome_finish(&t.out);

    /* The same again is held once, under the same version. */
    t = try_plan(&f, &nobody, NULL);
    assert_int_equal(t.out.held, held);
    assert_int_equal(t.out.loss.version, version);
    assert_int_equal(n_held(&f), 1);
    assert_int_equal(audited(&f, "roster.hold"), 1);
    source_outcome_finish(&t.out);

    /* Another list is another version, and takes its place. */
    nobody.without[1] = 9;
    t = try_plan(&f, &nobody, NULL);
    assert_int_not_equal(t.out.loss.version, version);
    assert_int_equal(n_held(&f), 1);
    held = t.out.held;
    int64_t now = t.out.loss.version;
    source_outcome_finish(&t.out);

    t = confirm(&f, held, version);
    assert_int_equal(t.e.code, ERROR_PRECONDITION);
    assert_int_equal(t.events, n);
    source_outcome_finish(&t.out);
    t = confirm(&f, held, now);
    assert_true(t.done);
    assert_true(t.events > n);
    assert_int_equal(n_held(&f), 0);
    assert_int_equal(t.out.changes.n[ROSTER_ACCOUNTS_CLOSED], 39);
    source_outcome_finish(&t.out);
    fixture_stop(&f);
}

/* A list shows who is changed, not to what: a corrected roster with the same list is another to be confirmed. */
static void g5_what_no_line_shows_makes_another_version(void **state)
{
    struct fixture f;
    struct roster_plan plan = {.pupils = {30, 10}}, wrong = {.pupils = {30, 10}, .without = {20, 0}, .renamed = {2, 0}};
    struct roster_plan right = wrong;
    right.name = "Верная";
    fixture_start_school(&f);
    import_well(&f, &plan);
    struct tried a = try_plan(&f, &wrong, NULL), b = try_plan(&f, &right, NULL);
    assert_int_equal(b.e.code, ERROR_HELD);
    assert_string_equal(a.out.loss.lines.data, b.out.loss.lines.data);
    assert_int_not_equal(a.out.loss.version, b.out.loss.version);
    assert_int_equal(audited(&f, "roster.hold"), 2);
    struct tried t = confirm(&f, b.out.held, a.out.loss.version);
    assert_int_equal(t.e.code, ERROR_PRECONDITION);
    source_outcome_finish(&t.out);
    t = confirm(&f, b.out.held, b.out.loss.version);
    assert_true(t.done);
    source_outcome_finish(&t.out);
    t = try_plan(&f, &right, NULL);
    assert_true(t.done && !roster_changes_any(&t.out.changes)); /* the right one is what is here now */
    source_outcome_finish(&t.out);
    source_outcome_finish(&a.out);
    source_outcome_finish(&b.out);
    fixture_stop(&f);
}

/* Facts are asked again when it is confirmed: what has changed meanwhile makes another list, to be seen first. */
static void g5_another_list_is_seen_first(void **state)
{
    struct fixture f;
    struct roster_plan plan = {.pupils = {30, 10}}, few = {.pupils = {30, 10}, .without = {20, 0}};
    fixture_start_school(&f);
    import_well(&f, &plan);
    struct tried t = try_plan(&f, &few, NULL);
    int64_t held = t.out.held, version = t.out.loss.version;
    source_outcome_finish(&t.out);
    plan.without[0] = 1; /* a small one goes through, and ends what was held */
    import_well(&f, &plan);
    assert_int_equal(n_held(&f), 0);
    t = confirm(&f, held, version);
    assert_false(t.done);
    source_outcome_finish(&t.out);

    t = try_plan(&f, &few, NULL);
    held = t.out.held, version = t.out.loss.version;
    source_outcome_finish(&t.out);
    struct source_import other = import_of(&f); /* of another source: what is held stays, but its list is another */
    other.source = "other";
    size_t len;
    struct roster_plan mine = {.pupils = {0, 0}};
    char *bytes = plan_archive(&mine, &len);
    struct text problem = TEXT_INIT;
    struct source_outcome out;
    struct error e;
    assert_false(source_import_archive(&other, bytes, len, &out, &problem, &e)); /* their schools are the first's */
    source_outcome_finish(&out);
    text_finish(&problem);
    free(bytes);
    assert_int_equal(n_held(&f), 1);
    t = confirm(&f, held, version);
    assert_true(t.done);
    source_outcome_finish(&t.out);
    fixture_stop(&f);
}

static void g5_who_may_not_import_neither_confirms_nor_drops(void **state)
{
    struct fixture f;
    struct error e;
    struct held_import_row row;
    struct roster_plan plan = {.pupils = {30, 10}}, few = {.pupils = {30, 10}, .without = {20, 0}};
    fixture_start_school(&f);
    import_well(&f, &plan);
    struct tried t = try_plan(&f, &few, NULL);
    struct source_import import = import_of(&f);
    const struct actor reader = {.name = "operator:reader", .scopes = SCOPE_READ};
    assert_true(held_imports_get(f.db, t.out.held, &row));
    import.how.actor = &reader;
    assert_false(source_drop_held(&import.how, &row, &e));
    assert_int_equal(n_held(&f), 1);
    struct text problem = TEXT_INIT;
    struct source_outcome out;
    assert_false(source_import_held(&import, &row, row.version, &out, &problem, &e)); /* gated like any import */
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    source_outcome_finish(&out);
    text_finish(&problem);
    import.how.actor = NULL;
    assert_true(source_drop_held(&import.how, &row, &e));
    assert_int_equal(n_held(&f), 0);
    assert_int_equal(audited(&f, "roster.drop"), 1);
    held_import_row_finish(&row);
    source_outcome_finish(&t.out);
    fixture_stop(&f);
}

/* A dry run says that it would be held, and with which version. */
static void g5_a_dry_run_tells_the_version(void **state)
{
    struct fixture f;
    size_t len;
    struct roster_plan plan = {.pupils = {30, 10}}, few = {.pupils = {30, 10}, .without = {20, 0}};
    fixture_start_school(&f);
    import_well(&f, &plan);
    char *bytes = plan_archive(&few, &len);
    struct tried dry = try_bytes(&f, bytes, len, NULL, true), wet = try_bytes(&f, bytes, len, NULL, false);
    assert_true(dry.done);
    assert_int_equal(dry.out.held, 0);
    assert_int_equal(dry.out.loss.version, wet.out.loss.version);
    assert_int_equal(n_held(&f), 1);
    source_outcome_finish(&dry.out);
    source_outcome_finish(&wet.out);
    free(bytes);
    fixture_stop(&f);
}

/* --- However it comes --- */

#define STAMP "2026-09-02T10:00:00.000Z"

static void g5_a_delta_is_held_alike(void **state)
{
    struct fixture f;
    size_t len;
    struct roster_plan plan = {.pupils = {30, 10}};
    struct text users = TEXT_INIT;
    fixture_start_school(&f);
    import_well(&f, &plan);
    text_adds(
        &users,
        "sourcedId,status,dateLastModified,enabledUser,username,givenName,familyName,middleName,agentSourcedIds\n");
    for (int i = 0; i < 20; ++i)
        text_addf(&users, "p0-%d,tobedeleted," STAMP ",,,,,,\n", i);
    const struct archive_file files[] = {{"manifest.csv", MANIFEST_HEAD "file.users,delta\n"},
                                         {"users.csv", users.data}};
    char *bytes = archive_of(files, 2, &len);
    int64_t n = events(&f);
    struct tried t = try_bytes(&f, bytes, len, NULL, false);
    assert_int_equal(t.e.code, ERROR_HELD);
    assert_int_equal(t.events, n);
    assert_string_equal(t.out.mode, "delta");
    int64_t held = t.out.held, version = t.out.loss.version;
    source_outcome_finish(&t.out);
    t = confirm(&f, held, version);
    assert_true(t.done);
    assert_int_equal(t.out.changes.n[ROSTER_PEOPLE_ENDED], 20);
    source_outcome_finish(&t.out);
    t = try_bytes(&f, bytes, len, NULL, false); /* and the next delta is merged into what was confirmed */
    assert_true(t.done);
    assert_int_equal(t.out.changes.n[ROSTER_PEOPLE_ENDED], 0);
    source_outcome_finish(&t.out);
    free(bytes);
    text_finish(&users);
    fixture_stop(&f);
}

/* The pull asks again from where it was, brings the same, and is held once; one that brings less goes through. */
static void g5_a_pull_is_held_once_and_goes_on(void **state)
{
    struct fixture f;
    struct error e;
    struct roster_plan plan = {.pupils = {30, 10}};
    fixture_start_school(&f);
    import_well(&f, &plan);
    for (int turn = 0, dropped = 20; turn < 3; dropped = ++turn < 2 ? 20 : 2) {
        struct roster_snapshot_row base;
        struct source_outcome out = {0};
        struct text problem = TEXT_INIT;
        struct roster_delta *changes = roster_delta_create();
        struct source_import import = import_of(&f);
        for (int i = 0; i < dropped; ++i) {
            char id[16];
            snprintf(id, sizeof id, "p0-%d", i);
            roster_delta_drop(changes, TABLE_USERS, id);
        }
        assert_true(roster_snapshots_get(f.db, "roster", &base));
        assert_int_equal(source_import_changes(&import, &base, changes, STAMP, &out, &problem, &e), dropped == 2);
        assert_int_equal(n_held(&f), dropped != 2);
        assert_int_equal(audited(&f, "roster.hold"), 1);
        assert_int_equal(out.held != 0, dropped != 2);
        assert_string_equal(out.mode, "pull");
        roster_delta_destroy(changes);
        roster_snapshots_finish(&base);
        source_outcome_finish(&out);
        text_finish(&problem);
    }
    fixture_stop(&f);
}

/* --- Older --- */

#define WHY "the first export was of next year"

static void expect_older(struct fixture *f, const struct roster_plan *plan, const char *says)
{
    int64_t n = events(f);
    struct tried t = try_plan(f, plan, NULL);
    if (t.done || strcmp(t.e.value, says) != 0)
        fail_msg("%s, not %s", t.done ? "taken" : t.e.value, says);
    assert_int_equal(t.e.code, ERROR_CONFLICT);
    assert_int_equal(t.events, n);
    assert_int_equal(n_held(f), 0);
    source_outcome_finish(&t.out);
    t = try_plan(f, plan, WHY);
    assert_true(t.done);
    source_outcome_finish(&t.out);
}

static void g5_an_older_roster_is_refused(void **state)
{
    struct fixture f;
    struct roster_plan now = {.pupils = {30, 10}, .year = 2027, .modified = "2026-10-01T10:00:00.000Z"}, then = now;
    fixture_start_school(&f);
    import_well(&f, &now);
    import_well(&f, &now); /* the same is not older */
    then.year = 2026;
    expect_older(&f, &then, "its school year ends before that of the last roster");
    import_well(&f, &now);
    then = now;
    then.modified = "2026-09-30T10:00:00.000Z";
    expect_older(&f, &then, "its latest dateLastModified is before that of the last roster");
    import_well(&f, &now);
    then.modified = NULL; /* says nothing of its age */
    import_well(&f, &then);
    then.modified = "2026-09-30T10:00:00.000Z"; /* and that was not forgotten */
    expect_older(&f, &then, "its latest dateLastModified is before that of the last roster");
    fixture_stop(&f);
}

/* One moment of the year 2999, or one session that ends then, does not make every later roster an older one. */
static void g5_what_is_ahead_does_not_count(void **state)
{
    struct fixture f;
    struct roster_plan now = {.pupils = {30, 10}, .year = 2027, .modified = "2026-10-01T10:00:00.000Z"}, ahead = now;
    fixture_start_school(&f);
    import_well(&f, &now);
    ahead.modified = "2999-10-01T10:00:00.000Z";
    struct tried t = try_plan(&f, &ahead, NULL);
    assert_true(t.done);
    assert_true(t.out.problems.counts[PROBLEM_DATE_AHEAD] > 0);
    source_outcome_finish(&t.out);
    ahead = now;
    ahead.year = 2999;
    import_well(&f, &ahead);
    import_well(&f, &now);
    ahead = now;
    ahead.modified = "2026-09-30T10:00:00.000Z"; /* what did count is not forgotten */
    expect_older(&f, &ahead, "its latest dateLastModified is before that of the last roster");
    fixture_stop(&f);
}

static bool job_rolled_over(struct tx *tx, void *arg, struct error *e)
{
    return imports_put(tx->db, &(struct import_row){.source = "year:s1",
                                                    .mode = "year",
                                                    .author = "test",
                                                    .changes = "{}",
                                                    .started_ms = tx->now_ms,
                                                    .ended_ms = tx->now_ms});
}

/* After the rollover last year's roster would undo the year; the new year's is taken. */
static void g5_last_years_roster_is_refused_after_the_rollover(void **state)
{
    struct fixture f;
    struct error e;
    fixture_start_school(&f);
    struct roster_plan plan = {.pupils = {30, 10}, .year = 2000};
    import_well(&f, &plan);
    assert_true(writer_run(f.writer, job_rolled_over, NULL, &e));
    expect_older(&f, &plan, "its school year is the one before the rollover");
    plan.year = 2200;
    import_well(&f, &plan);
    fixture_stop(&f);
}

/* --- Who is erased (G4) --- */

struct forgetting {
    struct fixture *f;
    const char *who; /* NULL: somebody whom the school has entered itself, and no roster names */
};

static bool job_roster_forget(struct tx *tx, void *arg, struct error *e)
{
    const struct forgetting *g = arg;
    static const struct actor OFFICE = {.name = "operator:test", .scopes = SCOPE_ALL, .override_ = "so"};
    struct changing_records c = {tx, g->f->rooms, &OFFICE, e};
    const struct person_row row = {
        .sourced_id = "o", .given = "Вера", .family = "Ручная", .middle = "", .birth = 19800101, .enabled = true};
    user_no user = g->who != NULL ? people_by_sourced_id(tx->db, g->who)
                                  : change_person(&c, &row, schools_by_sourced_id(tx->db, "s0"), 0);
    return user != 0 && roster_forget(tx, &g->f->key, user);
}

static char *users_of(struct fixture *f)
{
    struct roster_snapshot_row row;
    struct roster_problem problem;
    assert_true(roster_snapshots_get(f->db, "roster", &row));
    struct snapshot *snapshot = snapshot_open(row.archive, row.len, &problem);
    assert_non_null(snapshot);
    struct text all = TEXT_INIT;
    for (int i = 0; i < TABLE__COUNT; ++i)
        text_adds(&all, snapshot->csv[i].data);
    snapshot_destroy(snapshot);
    roster_snapshots_finish(&row);
    return text_take(&all);
}

/* The snapshot that deltas are merged into is written anew without them; what waits and names them goes, and the log
 * says why; what waits and does not name them, waits on. */
static void g4_who_is_erased_goes_from_what_is_kept_of_rosters(void **state)
{
    static const struct {
        struct roster_plan waits;
        const char *who;
    } CASES[] = {
        {{.pupils = {30, 10}, .without = {0, 10}}, "p0-3"}, /* a row of theirs */
        {{.pupils = {30, 10}, .without = {30, 0}}, "p0-3"}, /* the list of who is gone */
        {{.pupils = {30, 10}, .without = {0, 10}}, NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct fixture f;
        struct error e = {0};
        struct roster_plan plan = {.pupils = {30, 10}};
        fixture_start_school(&f);
        import_well(&f, &plan);
        struct tried t = try_plan(&f, &CASES[i].waits, NULL);
        assert_int_equal(t.e.code, ERROR_HELD);
        source_outcome_finish(&t.out);
        char *before = users_of(&f);
        assert_non_null(strstr(before, "p0-3,"));
        struct forgetting g = {&f, CASES[i].who};
        if (!writer_run(f.writer, job_roster_forget, &g, &e))
            fail_msg("%s", error_sentence(&e));
        char *after = users_of(&f);
        assert_int_equal(strstr(after, "p0-3,") == NULL, CASES[i].who != NULL);
        assert_non_null(strstr(after, "p0-4,"));
        assert_int_equal(n_held(&f), CASES[i].who == NULL);
        assert_int_equal(audited(&f, "roster.drop"), CASES[i].who != NULL);
        plan.renamed[0] = 1;
        import_well(&f, &plan); /* and the next one is taken as ever */
        free(before);
        free(after);
        fixture_stop(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(g5_the_limits_are_of_each_school),
        cmocka_unit_test(g5_classes_count_alone),
        cmocka_unit_test(g5_header_lines_alone_are_held_until_confirmed),
        cmocka_unit_test(g5_what_no_line_shows_makes_another_version),
        cmocka_unit_test(g5_another_list_is_seen_first),
        cmocka_unit_test(g5_who_may_not_import_neither_confirms_nor_drops),
        cmocka_unit_test(g5_a_dry_run_tells_the_version),
        cmocka_unit_test(g5_a_delta_is_held_alike),
        cmocka_unit_test(g5_a_pull_is_held_once_and_goes_on),
        cmocka_unit_test(g5_an_older_roster_is_refused),
        cmocka_unit_test(g5_what_is_ahead_does_not_count),
        cmocka_unit_test(g5_last_years_roster_is_refused_after_the_rollover),
        cmocka_unit_test(g4_who_is_erased_goes_from_what_is_kept_of_rosters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
