/* Single changes of the records and what follows from them: rooms, powers, roles, account states, accounts (school.md
 * B1, B3, D5, D7, E1 to E7, G1, G2, J2), beside what rosters keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/days.h"
#include "homeserver/base/json.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roster_members.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "policy/oneroster/import.h"
#include "policy/records/change.h"
#include "policy/records/day_change.h"
#include "policy/records/reconcile.h"
#include "tests/unit/fixture.h"
#include "tests/unit/roster_archive.h"

/* --- Asking --- */

enum {
    END_ROLE,
    BORN,
    SETTLED_BEFORE,
    COUNT_AUDIT,
    NO_POLL_LEVELS,
    POLL_LEVELS_UNSAID,
    COUNT_STATE,
    COUNT_CHANGES,
    MOST_CHANGES,
    ALL_CHANGES,
    ENTRY,
    LAST_REASON,
    COUNT_IMPORTS,
    DIGEST,
    ASK_COUNT
};
static const struct statement TEXTS[] = {
    [END_ROLE] = "UPDATE roles SET end_date = $2 WHERE user_no = $1",
    [BORN] = "UPDATE people SET birth_date = $2 WHERE user_no = $1",
    [SETTLED_BEFORE] = "UPDATE settled SET day = $1",
    [NO_POLL_LEVELS] = {"UPDATE roster_rooms SET poll_level = NULL", EPOCH_RECORDS},
    [POLL_LEVELS_UNSAID] = "SELECT COUNT(*) FROM roster_rooms WHERE poll_level IS NULL",
    [COUNT_STATE] = "SELECT COUNT(*) FROM events WHERE room_no = $1 AND type = $2",
    [COUNT_AUDIT] = "SELECT COUNT(*) FROM audit WHERE act = $1",
    [COUNT_CHANGES] = "SELECT sum(json_array_length(entry, '$.changes')) FROM audit WHERE act = $1",
    [MOST_CHANGES] = "SELECT max(json_array_length(entry, '$.changes')) FROM audit",
    [ALL_CHANGES] = "SELECT count(*) FROM audit a, json_each(a.entry, '$.changes') c"
                    " WHERE json_extract(c.value, '$.+') = $1",
    [ENTRY] = "SELECT entry FROM audit WHERE act = $1 AND ($2 = '' OR json_extract(entry, '$.school') = $2)"
              " ORDER BY seq DESC LIMIT 1",
    [LAST_REASON] = "SELECT json_extract(entry, '$.reason') FROM audit ORDER BY seq DESC LIMIT 1",
    [COUNT_IMPORTS] = "SELECT COUNT(*) FROM imports WHERE source = $1",
    [DIGEST] = "SELECT (SELECT COUNT(*) FROM events) || ',' || (SELECT COUNT(*) FROM people) || ',' ||"
               " (SELECT COUNT(*) FROM roles) || ',' || (SELECT COUNT(*) FROM enrollments) || ',' ||"
               " (SELECT COUNT(*) FROM guardianships) || ',' || (SELECT COUNT(*) FROM roster_members) || ',' ||"
               " (SELECT COUNT(*) FROM users WHERE state = 'active') || ',' || (SELECT COUNT(*) FROM audit)",
};
static const struct statements ASK = {"roster_change_test", TEXTS, ASK_COUNT};

static user_no person(struct fixture *f, const char *id)
{
    return people_by_sourced_id(f->db, id);
}

static school_no school(struct fixture *f, const char *id)
{
    return schools_by_sourced_id(f->db, id);
}

static class_no class_(struct fixture *f, const char *id)
{
    return classes_by_sourced_id(f->db, id);
}

static size_t rows(struct stmt *q)
{
    size_t n = 0;
    while (stmt_next(q))
        ++n;
    stmt_end(q);
    return n;
}

static void assert_settled(struct fixture *f)
{
    assert_int_equal(rows(roster_members_to_join(f->db, 0)), 0);
    assert_int_equal(rows(roster_members_to_leave(f->db, 0)), 0);
}

static void assert_in(struct fixture *f, user_no user, const char *school_id, const char *class_id, enum room_kind kind,
                      bool in)
{
    room_no room = roster_rooms_find(f->db, school(f, school_id), class_id != NULL ? class_(f, class_id) : 0, kind);
    assert_int_not_equal(room, 0);
    if ((memberships_of(f->db, room, user) == MEMBERSHIP_JOIN) != in)
        fail_msg("user %lld should%s be in the %s", (long long)user, in ? "" : " not", room_kind_name(kind));
}

static void assert_state(struct fixture *f, user_no user, const char *state)
{
    struct user_row row;
    assert_true(users_get(f->db, user, &row));
    assert_string_equal(account_state_name(row.state), state);
    user_row_finish(&row);
}

static void assert_name(struct fixture *f, user_no user, const char *name)
{
    char *now = profiles_get_string(f->db, user, "displayname");
    assert_string_equal(now, name);
    free(now);
}

/* The small whole archive with files replaced: name, text, …, NULL. */
static struct roster *read_with(va_list ap)
{
    struct archive_file files[WHOLE_COUNT];
    struct roster_problem problem;
    size_t len;
    memcpy(files, WHOLE, sizeof files);
    for (const char *name; (name = va_arg(ap, const char *)) != NULL;) {
        const char *text = va_arg(ap, const char *);
        for (size_t i = 0; i < WHOLE_COUNT; ++i)
            if (strcmp(files[i].name, name) == 0)
                files[i].text = text;
    }
    char *bytes = archive_of(files, WHOLE_COUNT, &len);
    struct roster *roster = roster_read_bytes(bytes, len, &problem);
    free(bytes);
    if (roster == NULL)
        fail_msg("the roster can't be read");
    return roster;
}

static bool import_as(struct fixture *f, const char *source, struct roster_changes *changes, struct error *e, ...)
{
    va_list ap;
    va_start(ap, e);
    struct roster *roster = read_with(ap);
    va_end(ap);
    struct roster_import how = {.writer = f->writer,
                                .rooms = f->rooms,
                                .db = f->db,
                                .roster = roster,
                                .source = source,
                                .confirmed = CONFIRMED_ANY};
    bool done = roster_import(&how, changes, e);
    roster_destroy(roster);
    return done;
}

static struct roster_changes import_well(struct fixture *f, ...)
{
    va_list ap;
    struct roster_changes changes;
    struct error e;
    va_start(ap, f);
    struct roster *roster = read_with(ap);
    va_end(ap);
    struct roster_import how = {
        .writer = f->writer, .rooms = f->rooms, .db = f->db, .roster = roster, .confirmed = CONFIRMED_ANY};
    bool done = roster_import(&how, &changes, &e);
    roster_destroy(roster);
    if (!done)
        fail_msg("refused: %s %s", error_sentence(&e), e.value);
    assert_settled(f);
    return changes;
}

/* --- Acting --- */

static const struct actor OPERATOR = {.name = "operator:test", .scopes = SCOPE_ALL},
                          INSISTING = {.name = "operator:test", .scopes = SCOPE_ALL, .override_ = "Ошибка в выгрузке"};

struct changing {
    struct fixture *f;
    const struct actor *actor;
    int64_t (*fn)(struct changing_records *c, const struct changing *how);
    const struct person_row *person;
    const struct role_row *role;
    const struct enrollment_row *enrollment;
    const struct class_row *class;
    const struct school_row *school;
    int64_t a, b, version;
    int64_t result;
};

static bool job_change(struct tx *tx, void *arg, struct error *e)
{
    struct changing *how = arg;
    struct changing_records c = {.tx = tx, .rooms = how->f->rooms, .actor = how->actor, .e = e};
    how->result = how->fn(&c, how);
    return how->result != 0;
}

static int64_t change(struct fixture *f, struct changing how, struct error *e)
{
    how.f = f;
    if (how.actor == NULL)
        how.actor = &OPERATOR;
    *e = (struct error){0};
    return writer_run(f->writer, job_change, &how, e) ? how.result : 0;
}

static int64_t well(struct fixture *f, struct changing how)
{
    struct error e;
    int64_t result = change(f, how, &e);
    if (result == 0)
        fail_msg("refused: %s %s", error_sentence(&e), e.value);
    assert_settled(f);
    return result;
}

static int64_t do_person(struct changing_records *c, const struct changing *how)
{
    return change_person(c, how->person, how->a, how->version);
}
static int64_t do_admit(struct changing_records *c, const struct changing *how)
{
    return change_person_of_account(c, how->b, how->person, how->a);
}
static int64_t do_role(struct changing_records *c, const struct changing *how)
{
    return change_role(c, how->role);
}
static int64_t do_role_end(struct changing_records *c, const struct changing *how)
{
    return change_role_end(c, how->role);
}
static int64_t do_enroll(struct changing_records *c, const struct changing *how)
{
    return change_enrollment(c, how->enrollment);
}
static int64_t do_enroll_end(struct changing_records *c, const struct changing *how)
{
    return change_enrollment_end(c, how->enrollment);
}
static int64_t do_guardian(struct changing_records *c, const struct changing *how)
{
    return change_guardianship(c, how->a, how->b);
}
static int64_t do_guardian_end(struct changing_records *c, const struct changing *how)
{
    return change_guardianship_end(c, how->a, how->b);
}
static int64_t do_class(struct changing_records *c, const struct changing *how)
{
    return change_class(c, how->class, how->version);
}
static int64_t do_class_end(struct changing_records *c, const struct changing *how)
{
    return change_class_end(c, how->a);
}
static int64_t do_school(struct changing_records *c, const struct changing *how)
{
    return change_school(c, how->school, how->version);
}
static int64_t do_leave(struct changing_records *c, const struct changing *how)
{
    return change_leave_school(c, how->a, how->b);
}
static int64_t do_account_state(struct changing_records *c, const struct changing *how)
{
    return change_account_state(c, how->a, (enum account_state)how->b);
}
static int64_t do_named(struct changing_records *c, const struct changing *how)
{
    return change_named_member(c, how->a, how->b, how->version != 0);
}
static int64_t do_day(struct changing_records *c, const struct changing *how)
{
    return day_change(c->tx, c->rooms, NULL, NULL, c->e);
}
static int64_t do_end_role_in_store(struct changing_records *c, const struct changing *how)
{
    return db_run(c->tx->db, &ASK, END_ROLE, "it", how->a, "2020-01-01") &&
           db_run(c->tx->db, &ASK, SETTLED_BEFORE, "t", "2019-12-31");
}

static int64_t do_forget_poll_levels(struct changing_records *c, const struct changing *how)
{
    return db_run(c->tx->db, &ASK, NO_POLL_LEVELS, "");
}

static int64_t do_grow_up_in_store(struct changing_records *c, const struct changing *how)
{
    return db_run(c->tx->db, &ASK, BORN, "it", how->a, "2001-01-01") &&
           db_run(c->tx->db, &ASK, SETTLED_BEFORE, "t", "2019-12-31");
}

static user_no make_person(struct fixture *f, const char *school_id, const char *given, school_day birth)
{
    return well(f,
                (struct changing){
                    .fn = do_person,
                    .a = school(f, school_id),
                    .person = &(struct person_row){
                        .given = given, .family = "Новикова", .middle = "Петровна", .birth = birth, .enabled = true}});
}

static struct enrollment_row enrollment(struct fixture *f, const char *class_id, user_no user, enum school_role role)
{
    return (struct enrollment_row){class_(f, class_id), user, role, DAY_EVER, DAY_NEVER};
}

static void enroll(struct fixture *f, const char *class_id, user_no user, enum school_role role)
{
    struct enrollment_row row = enrollment(f, class_id, user, role);
    well(f, (struct changing){.fn = do_enroll, .enrollment = &row});
}

static void expect_rule(struct error *e, int64_t result, const char *rule)
{
    assert_int_equal(result, 0);
    if (e->rule == NULL || strcmp(e->rule, rule) != 0)
        fail_msg("wanted %s, not %s (%s)", rule, error_sentence(e), e->value);
}

#define YOUNG 20180301
#define GROWN 19800301

/* --- The tests --- */

/* D7: a young pupil is restricted until a guardian is there, and again without. */
static void test_pupil_and_guardian(void **state)
{
    struct fixture f;
    struct error e;
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no pupil = make_person(&f, "s", "Вера", YOUNG);
    assert_state(&f, pupil, "active");
    assert_name(&f, pupil, "Новикова Вера");
    enroll(&f, "c", pupil, ROLE_PUPIL);
    assert_int_equal(school_roles(f.db, school(&f, "s"), pupil), ROLE_PUPIL);
    assert_state(&f, pupil, "restricted");
    assert_in(&f, pupil, "s", "c", ROOM_CLASS, true);
    assert_in(&f, pupil, "s", NULL, ROOM_ANNOUNCEMENTS, true);
    user_no mother = make_person(&f, "s", "Нина", GROWN), father = make_person(&f, "s", "Олег", GROWN),
            third = make_person(&f, "s", "Пётр", GROWN);
    well(&f, (struct changing){.fn = do_guardian, .a = pupil, .b = mother});
    assert_state(&f, pupil, "active");
    assert_name(&f, mother, "Новикова Нина Петровна"); /* an adult now */
    assert_int_equal(school_roles(f.db, school(&f, "s"), mother), ROLE_GUARDIAN);
    assert_in(&f, mother, "s", "c", ROOM_GUARDIANS, true);
    assert_in(&f, mother, "s", "c", ROOM_CLASS, false);
    well(&f, (struct changing){.fn = do_guardian, .a = pupil, .b = father});
    expect_rule(&e, change(&f, (struct changing){.fn = do_guardian, .a = pupil, .b = third}, &e), "D5");
    expect_rule(&e, change(&f, (struct changing){.fn = do_guardian, .a = pupil, .b = pupil}, &e), "D4");
    assert_int_equal(guardianships_guardians(f.db, pupil, NULL, 0), 2);
    well(&f, (struct changing){.fn = do_guardian_end, .a = pupil, .b = father});
    assert_state(&f, pupil, "active");
    assert_state(&f, father, "left"); /* G2: no school is left */
    well(&f, (struct changing){.fn = do_guardian_end, .a = pupil, .b = mother});
    assert_state(&f, pupil, "restricted");
    well(&f, (struct changing){.fn = do_guardian, .a = pupil, .b = mother}); /* and back */
    assert_state(&f, pupil, "active");
    assert_state(&f, mother, "active");
    assert_in(&f, mother, "s", "c", ROOM_GUARDIANS, true);
    fixture_stop(&f);
}

/* D7 does not touch what somebody decided; who is of age, or whose age the school counts as
 * grown, is not restricted. */
static void test_account_state(void **state)
{
    struct fixture f;
    struct error e;
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no young = make_person(&f, "s", "Вера", YOUNG), grown = make_person(&f, "s", "Зоя", 20080301),
            unknown = make_person(&f, "s", "Яна", DAY_EVER);
    enroll(&f, "c", grown, ROLE_PUPIL);
    assert_state(&f, grown, "active");
    enroll(&f, "c", unknown, ROLE_PUPIL);
    assert_state(&f, unknown, SCHOOL_POLICY_DEFAULT.unknown_age_is_child ? "restricted" : "active");
    well(&f, (struct changing){.fn = do_account_state, .a = young, .b = ACCOUNT_SUSPENDED});
    enroll(&f, "c", young, ROLE_PUPIL);
    assert_state(&f, young, "suspended");
    well(&f, (struct changing){.fn = do_account_state, .a = young, .b = ACCOUNT_ACTIVE});
    assert_state(&f, young, "restricted");
    well(&f, (struct changing){.fn = do_account_state, .a = young, .b = ACCOUNT_LOCKED});
    assert_state(&f, young, "locked");
    assert_in(&f, young, "s", "c", ROOM_CLASS, true);
    well(&f, (struct changing){.fn = do_day});
    well(&f, (struct changing){.fn = do_account_state, .a = young, .b = ACCOUNT_ACTIVE});
    well(&f, (struct changing){.fn = do_grow_up_in_store, .a = young});
    assert_state(&f, young, "restricted");
    well(&f, (struct changing){.fn = do_day}); /* comes of age by itself */
    assert_state(&f, young, "active");
    assert_int_equal(change(&f, (struct changing){.fn = do_account_state, .a = young, .b = ACCOUNT_PENDING}, &e), 0);
    assert_int_equal(e.code, ERROR_INVALID_PARAM);
    fixture_stop(&f);
}

static void topic(struct fixture *f, user_no user, bool may)
{
    struct error e;
    room_no room = roster_rooms_find(f->db, school(f, "s"), class_(f, "c"), ROOM_CLASS);
    assert_int_equal(fixture_send(f, room, user, "m.room.topic", "", "{\"topic\":\"x\"}", NULL, NULL, &e), may);
}

/* J2: what a roster keeps changes by an override alone, which is in the log; the next import says again what it says. A
 * class has one class teacher, and power goes with the post (E3). */
static void test_override(void **state)
{
    struct fixture f;
    struct error e;
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no teacher = make_person(&f, "s", "Юлия", GROWN), t = person(&f, "t"), p = person(&f, "p");
    struct enrollment_row row = enrollment(&f, "c", teacher, ROLE_CLASS_TEACHER);
    assert_int_equal(change(&f, (struct changing){.fn = do_enroll, .enrollment = &row}, &e), 0);
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    well(&f, (struct changing){.fn = do_enroll, .enrollment = &row, .actor = &INSISTING});
    char *reason = db_text(f.db, &ASK, LAST_REASON, "");
    assert_string_equal(reason, INSISTING.override_);
    free(reason);
    assert_int_equal(school_roles(f.db, school(&f, "s"), teacher), ROLE_TEACHER | ROLE_CLASS_TEACHER);
    assert_int_equal(school_roles(f.db, school(&f, "s"), t), ROLE_TEACHER);
    assert_in(&f, t, "s", "c", ROOM_CLASS, false);
    topic(&f, teacher, true);
    topic(&f, t, false);
    struct person_row renamed = {
        .no = p, .given = "Мария", .family = "Белова", .middle = "", .birth = 20150304, .enabled = true};
    struct changing rename = {.fn = do_person, .a = school(&f, "s"), .person = &renamed};
    assert_int_equal(change(&f, rename, &e), 0);
    rename.actor = &INSISTING;
    well(&f, rename);
    assert_name(&f, p, "Белова Мария");
    struct roster_changes changes = import_well(&f, NULL);
    assert_name(&f, p, "Иванова Мария");
    assert_true(changes.n[ROSTER_ENROLLMENTS_NEW] == 1 && changes.n[ROSTER_PEOPLE_CHANGED] == 1);
    fixture_stop(&f);
}

/* Optimistic versions: 412. */
static void test_versions(void **state)
{
    struct fixture f;
    struct error e;
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no user = make_person(&f, "s", "Вера", YOUNG);
    struct person_row row = {.no = user, .given = "Вера", .family = "Орлова", .middle = "", .enabled = true};
    struct changing how = {.fn = do_person, .a = school(&f, "s"), .person = &row, .version = 7};
    assert_int_equal(change(&f, how, &e), 0);
    assert_int_equal(e.code, ERROR_PRECONDITION);
    how.version = 1;
    well(&f, how);
    assert_name(&f, user, "Орлова Вера");
    assert_int_equal(change(&f, how, &e), 0); /* it is 2 now */
    assert_int_equal(e.code, ERROR_PRECONDITION);
    how.version = 2;
    well(&f, how);
    fixture_stop(&f);
}

/* What the school entered survives imports, becomes the roster's when the roster says it too, and two rosters can't
 * keep one record. */
static void test_sources(void **state)
{
    struct fixture f;
    struct error e;
    struct roster_changes changes;
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no pupil = make_person(&f, "s", "Вера", YOUNG), p = person(&f, "p"), m = person(&f, "m");
    enroll(&f, "c", pupil, ROLE_PUPIL);
    well(&f, (struct changing){.fn = do_guardian, .a = pupil, .b = m});
    struct role_row staff = {p, school(&f, "s"), ROLE_STAFF, DAY_EVER, DAY_NEVER};
    assert_int_equal(change(&f, (struct changing){.fn = do_role, .role = &staff}, &e), 0);
    assert_string_equal(e.rule_code, "minor_as_staff"); /* B3, unless somebody says why */
    struct actor insists = OPERATOR;
    insists.override_ = "Вожатый младших классов";
    well(&f, (struct changing){.fn = do_role, .role = &staff, .actor = &insists});
    changes = import_well(&f, NULL);
    assert_false(roster_changes_any(&changes));
    assert_in(&f, pupil, "s", "c", ROOM_CLASS, true);
    assert_in(&f, p, "s", NULL, ROOM_STAFF, true);
    /* the roster lets p, m and f go: p is staff by hand, m the guardian of another child, f nobody */
    user_no father = person(&f, "f");
    import_well(&f, "users.csv", USERS_HEAD "t,true,t,Анна,Орлова,Ивановна,\n", "roles.csv",
                ROLES_HEAD "r1,t,primary,teacher,,,s\n", "enrollments.csv",
                ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\n", "demographics.csv", DEMOGRAPHICS_HEAD, NULL);
    assert_int_equal(school_roles(f.db, school(&f, "s"), p), ROLE_STAFF);
    assert_int_equal(school_roles(f.db, school(&f, "s"), m), ROLE_GUARDIAN);
    assert_in(&f, p, "s", "c", ROOM_CLASS, false);
    assert_in(&f, p, "s", NULL, ROOM_STAFF, true);
    assert_in(&f, m, "s", "c", ROOM_GUARDIANS, true);
    assert_in(&f, pupil, "s", "c", ROOM_CLASS, true);
    assert_state(&f, father, "left");
    /* and takes them up again; what the school entered beside it stays */
    import_well(&f, NULL);
    assert_int_equal(person(&f, "p"), p);
    assert_int_equal(school_roles(f.db, school(&f, "s"), p), ROLE_STAFF | ROLE_PUPIL);
    assert_state(&f, father, "active");
    changes = import_well(&f, NULL);
    assert_false(roster_changes_any(&changes));
    assert_false(import_as(&f, "other", &changes, &e, NULL));
    assert_int_equal(e.code, ERROR_CONFLICT);
    assert_string_equal(e.value, "s");
    assert_int_equal(db_int(f.db, &ASK, COUNT_IMPORTS, 0, "t", SOURCE_ROSTER), 5);
    assert_int_equal(db_int(f.db, &ASK, COUNT_IMPORTS, 0, "t", "other"), 0);
    fixture_stop(&f);
}

/* D5 where the roster and the school together know three: the roster's stay. */
static int64_t do_custody(struct changing_records *c, const struct changing *how)
{
    return change_custody(c, how->a, how->b, (enum custody)how->version, "decision 2-114 of 3 March");
}

static void assert_barred(struct fixture *f, user_no child, user_no guardian, bool barred)
{
    assert_int_equal(school_is_guardian(f->db, guardian, child), !barred);
    assert_int_equal(school_roles(f->db, school(f, "s"), guardian), barred ? 0 : ROLE_GUARDIAN);
    assert_in(f, guardian, "s", "c", ROOM_GUARDIANS, !barred);
    assert_in(f, guardian, "s", NULL, ROOM_ANNOUNCEMENTS, !barred);
    assert_state(f, guardian, barred ? "left" : "active");
}

/* D9: the roster names the guardian with the role, without, and again: what the office has said stands. */
static void test_custody_by_import(void **state)
{
    static const char WITHOUT[] =
        USERS_HEAD "t,true,t,Анна,Орлова,Ивановна,\np,true,p,Мария,Иванова,Петровна,f\nm,true,m,Ольга,Иванова,,\n"
                   "f,true,f,Пётр,Иванов,,\n";
    struct fixture f;
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no p = person(&f, "p"), m = person(&f, "m");
    assert_barred(&f, p, m, false);
    well(&f, (struct changing){.fn = do_custody, .a = p, .b = m, .version = CUSTODY_NO_CONTACT});
    assert_barred(&f, p, m, true);
    for (int i = 0; i < 2; ++i) {
        struct roster_changes changes = import_well(&f, NULL);
        assert_false(roster_changes_any(&changes));
        assert_barred(&f, p, m, true);
        import_well(&f, "users.csv", WITHOUT, NULL);
        assert_barred(&f, p, m, true);
        import_well(&f, NULL);
        assert_barred(&f, p, m, true);
        assert_settled(&f);
    }
    well(&f, (struct changing){.fn = do_custody, .a = p, .b = m, .version = CUSTODY_SHARED});
    assert_barred(&f, p, m, false);
    import_well(&f, NULL);
    struct roster_changes changes = import_well(&f, NULL);
    assert_false(roster_changes_any(&changes));
    assert_barred(&f, p, m, false);
    fixture_stop(&f);
}

/* What is said of people who are kept from each other, by a dry run or an import: so many places, and their words. */
static int64_t told_together(struct fixture *f, bool dry_run, struct text *words, ...)
{
    va_list ap;
    struct roster_changes changes;
    struct error e;
    struct roster_problems problems = {0};
    va_start(ap, words);
    struct roster *roster = read_with(ap);
    va_end(ap);
    struct roster_import how = {.writer = f->writer,
                                .rooms = f->rooms,
                                .db = f->db,
                                .roster = roster,
                                .dry_run = dry_run,
                                .remarks = &problems,
                                .confirmed = CONFIRMED_ANY};
    if (!roster_import(&how, &changes, &e))
        fail_msg("refused: %s %s", error_sentence(&e), e.value);
    roster_destroy(roster);
    text_clear(words);
    for (size_t i = 0; i < problems.n; ++i) {
        assert_int_equal(problems.named[i].kind, PROBLEM_KEPT_TOGETHER);
        text_addf(words, "%s\n", problems.named[i].message);
    }
    int64_t n = problems.counts[PROBLEM_KEPT_TOGETHER];
    roster_problems_finish(&problems);
    return n;
}

/* D9: the roster is taken as it is, and it is said whom it brings into one class: once, when it does. */
static void test_custody_together(void **state)
{
    static const char *const SIBLING[] = {
        "users.csv",
        USERS_HEAD "t,true,t,Анна,Орлова,Ивановна,\np,true,p,Мария,Иванова,Петровна,\"m,f\"\nm,true,m,Ольга,Иванова,,"
                   "\nf,true,f,Пётр,Иванов,,\nq,true,q,Олег,Иванов,,m\n",
        "roles.csv",
        ROLES_HEAD "r1,t,primary,teacher,,,s\nr2,p,primary,student,,,s\nr3,m,primary,parent,,,s\n"
                   "r4,f,primary,relative,,,s\nr5,q,primary,student,,,s\n",
        "enrollments.csv",
        ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\ne2,c,s,p,student,,,\ne3,c,s,q,student,,2099-01-01,\n",
    };
    struct fixture f;
    struct text words = TEXT_INIT;
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no p = person(&f, "p"), m = person(&f, "m");
    assert_int_equal(told_together(&f, true, &words, NULL), 0);
    well(&f, (struct changing){.fn = do_custody, .a = p, .b = m, .version = CUSTODY_NO_CONTACT});
    assert_int_equal(told_together(&f, false, &words, NULL), 0);
#define WITH_SIBLING SIBLING[0], SIBLING[1], SIBLING[2], SIBLING[3], SIBLING[4], SIBLING[5], NULL
    for (int dry_run = 1; dry_run >= 0; --dry_run) {
        assert_int_equal(told_together(&f, dry_run, &words, WITH_SIBLING), 2); /* the child, and its father */
        assert_non_null(strstr(words.data, "m is kept from p, and both have to do with class c\n"));
        assert_non_null(strstr(words.data, "m is kept from f, and both have to do with class c\n"));
    }
    assert_int_equal(told_together(&f, false, &words, WITH_SIBLING), 0); /* it has been said */
    text_finish(&words);
    fixture_stop(&f);
}

static void test_third_by_import(void **state)
{
    struct fixture f;
    fixture_start_school(&f);
    import_well(&f, "users.csv",
                USERS_HEAD
                "t,true,t,Анна,Орлова,Ивановна,\np,true,p,Мария,Иванова,Петровна,m\nm,true,m,Ольга,Иванова,,\n"
                "f,true,f,Пётр,Иванов,,\n",
                NULL);
    user_no p = person(&f, "p"), aunt = make_person(&f, "s", "Нина", GROWN);
    well(&f, (struct changing){.fn = do_guardian, .a = p, .b = aunt});
    assert_in(&f, aunt, "s", "c", ROOM_GUARDIANS, true);
    import_well(&f, NULL); /* m and f */
    assert_int_equal(guardianships_guardians(f.db, p, NULL, 0), 2);
    assert_in(&f, aunt, "s", "c", ROOM_GUARDIANS, false);
    assert_state(&f, aunt, "left");
    struct roster_changes changes = import_well(&f, NULL);
    assert_false(roster_changes_any(&changes));
    fixture_stop(&f);
}

/* E7: in the rooms they are named for, until the end date, which takes effect by itself. */
static void test_external(void **state)
{
    struct fixture f;
    struct error e;
    fixture_start_school(&f);
    import_well(&f, NULL);
    well(&f, (struct changing){.fn = do_day});
    user_no coach = make_person(&f, "s", "Игорь", GROWN);
    struct role_row role = {coach, school(&f, "s"), ROLE_EXTERNAL, DAY_EVER, DAY_NEVER};
    assert_int_equal(change(&f, (struct changing){.fn = do_role, .role = &role}, &e), 0);
    assert_int_equal(e.code, ERROR_INVALID_PARAM); /* B1: no end date */
    role.end = 21000101;
    room_no room = roster_rooms_find(f.db, school(&f, "s"), class_(&f, "c"), ROOM_CLASS);
    struct changing name = {.fn = do_named, .a = room, .b = coach, .version = 1};
    assert_int_equal(change(&f, name, &e), 0); /* not external yet */
    well(&f, (struct changing){.fn = do_role, .role = &role});
    assert_in(&f, coach, "s", NULL, ROOM_SCHOOL_SPACE, false);
    well(&f, name);
    assert_in(&f, coach, "s", "c", ROOM_CLASS, true);
    enroll(&f, "g", coach, ROLE_TEACHER);
    assert_in(&f, coach, "s", "g", ROOM_SUBJECT, true);
    assert_int_equal(school_roles(f.db, school(&f, "s"), coach), ROLE_EXTERNAL); /* no teacher of the school by that */
    assert_in(&f, coach, "s", NULL, ROOM_STAFF, false);
    struct enrollment_row row = enrollment(&f, "g", coach, ROLE_TEACHER);
    well(&f, (struct changing){.fn = do_enroll_end, .enrollment = &row});
    assert_in(&f, coach, "s", "g", ROOM_SUBJECT, false);
    assert_state(&f, coach, "active");
    struct changing ended = {.fn = do_end_role_in_store, .a = coach};
    assert_true(change(&f, ended, &e) != 0);
    assert_in(&f, coach, "s", "c", ROOM_CLASS, true); /* the day has not been settled */
    well(&f, (struct changing){.fn = do_day});
    assert_in(&f, coach, "s", "c", ROOM_CLASS, false);
    assert_state(&f, coach, "left");
    fixture_stop(&f);
}

/* G1: that school's rooms, roles and guardianships alone; the account lives while a school is left. */
static void test_leave_school(void **state)
{
    struct fixture f;
    struct error e;
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no m = person(&f, "m"), p = person(&f, "p");
    struct role_row role = {m, school(&f, "z"), ROLE_TEACHER, DAY_EVER, DAY_NEVER};
    well(&f, (struct changing){.fn = do_role, .role = &role});
    room_no club = fixture_room(&f, m, "12", PRESET_PRIVATE_CHAT, &e);
    assert_int_not_equal(club, 0);
    assert_in(&f, m, "z", NULL, ROOM_STAFF, true);
    struct changing leave = {.fn = do_leave, .a = m, .b = school(&f, "s"), .actor = &INSISTING};
    well(&f, leave);
    assert_in(&f, m, "s", "c", ROOM_GUARDIANS, false);
    assert_in(&f, m, "s", NULL, ROOM_ANNOUNCEMENTS, false);
    assert_in(&f, m, "z", NULL, ROOM_STAFF, true);
    assert_state(&f, m, "active");
    assert_int_equal(guardianships_guardians(f.db, p, NULL, 0), 1);
    assert_int_equal(memberships_of(f.db, club, m), MEMBERSHIP_JOIN);
    leave.b = school(&f, "z");
    well(&f, leave);
    assert_state(&f, m, "left");
    assert_int_equal(memberships_of(f.db, club, m), MEMBERSHIP_LEAVE);
    fixture_stop(&f);
}

static size_t n_joined(struct fixture *f, room_no room)
{
    return (size_t)memberships_count(f->db, room, MEMBERSHIP_JOIN);
}

/* A school and a class by hand, with their rooms (E1) and the library (E6); the end of a class. */
static void test_school_and_class(void **state)
{
    struct fixture f;
    struct error e;
    fixture_start_school(&f);
    school_no no = well(&f, (struct changing){.fn = do_school, .school = &(struct school_row){.name = "Лицей"}});
    assert_int_not_equal(library_find(f.db, no), 0);
    struct class_row row = {.school = no, .title = "1А", .grade = "1", .homeroom = true};
    class_no class = well(&f, (struct changing){.fn = do_class, .class = &row});
    char *id = schools_sourced_id(f.db, no), *class_id = classes_sourced_id(f.db, class);
    assert_memory_equal(id, "school:", 7);
    user_no pupil = make_person(&f, id, "Вера", YOUNG), teacher = make_person(&f, id, "Анна", GROWN);
    enroll(&f, class_id, pupil, ROLE_PUPIL);
    enroll(&f, class_id, teacher, ROLE_CLASS_TEACHER);
    assert_in(&f, teacher, id, NULL, ROOM_STAFF, true);
    room_no room = roster_rooms_find(f.db, no, class, ROOM_CLASS);
    json_t *name = fixture_content(&f, room, "m.room.name", "");
    assert_string_equal(json_get_string(name, "name"), "1А");
    json_decref(name);
    row.no = class;
    row.title = "2А";
    well(&f, (struct changing){.fn = do_class, .class = &row, .version = 1});
    name = fixture_content(&f, room, "m.room.name", "");
    assert_string_equal(json_get_string(name, "name"), "2А");
    json_decref(name);
    struct enrollment_row wrong = {class, teacher, ROLE_GUARDIAN, DAY_EVER, DAY_NEVER};
    assert_int_equal(change(&f, (struct changing){.fn = do_enroll, .enrollment = &wrong}, &e), 0);
    well(&f, (struct changing){.fn = do_class_end, .a = class});
    assert_int_equal(n_joined(&f, room), 1); /* the service user */
    assert_state(&f, pupil, "left");
    assert_int_equal(change(&f, (struct changing){.fn = do_class_end, .a = class}, &e), 0);
    assert_int_equal(change(&f, (struct changing){.fn = do_class, .class = &row}, &e), 0); /* nor is it renamed */
    assert_int_equal(e.code, ERROR_NOT_FOUND);
    struct class_row turned = {.school = no, .sourced_id = "c\u202ek", .title = "1Б", .homeroom = true};
    assert_int_equal(change(&f, (struct changing){.fn = do_class, .class = &turned}, &e), 0);
    assert_int_equal(e.code, ERROR_INVALID_PARAM);
    free(id);
    free(class_id);
    fixture_stop(&f);
}

/* A3: an account that waited is a person of the school from now on. */
static void test_admit(void **state)
{
    struct fixture f;
    struct error e;
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no account = fixture_user(&f, "newcomer");
    struct changing admit = {.fn = do_admit,
                             .a = school(&f, "s"),
                             .b = account,
                             .person = &(struct person_row){
                                 .given = "Вера", .family = "Новикова", .middle = "", .birth = YOUNG, .enabled = true}};
    assert_int_equal(well(&f, admit), account);
    enroll(&f, "c", account, ROLE_PUPIL);
    assert_in(&f, account, "s", "c", ROOM_CLASS, true);
    assert_int_equal(change(&f, admit, &e), 0); /* twice */
    assert_int_equal(e.code, ERROR_CONFLICT);
    fixture_stop(&f);
}

/* A role of one's own and one that follows are two: the last that supports it goes, and the role with it. */
static void test_support(void **state)
{
    struct fixture f;
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no user = make_person(&f, "s", "Анна", GROWN);
    struct role_row role = {user, school(&f, "s"), ROLE_TEACHER, DAY_EVER, DAY_NEVER};
    struct enrollment_row row = enrollment(&f, "g", user, ROLE_TEACHER);
    enroll(&f, "g", user, ROLE_TEACHER);
    well(&f, (struct changing){.fn = do_role, .role = &role});
    well(&f, (struct changing){.fn = do_enroll_end, .enrollment = &row});
    assert_int_equal(school_roles(f.db, role.school, user), ROLE_TEACHER);
    well(&f, (struct changing){.fn = do_enroll, .enrollment = &row});
    well(&f, (struct changing){.fn = do_role_end, .role = &role});
    assert_int_equal(school_roles(f.db, role.school, user), ROLE_TEACHER);
    assert_in(&f, user, "s", NULL, ROOM_STAFF, true);
    well(&f, (struct changing){.fn = do_enroll_end, .enrollment = &row});
    assert_int_equal(school_roles(f.db, role.school, user), 0);
    assert_state(&f, user, "left");
    fixture_stop(&f);
}

/* The database fails at the n-th call of a change that joins, restricts and writes the log: nothing of it is there. */
static void test_faults(void **state)
{
    struct fixture f;
    struct error e;
    int n = 1;
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no pupil = make_person(&f, "s", "Вера", YOUNG);
    struct enrollment_row row = enrollment(&f, "c", pupil, ROLE_PUPIL);
    char *before = db_text(f.db, &ASK, DIGEST, "");
    for (;; n += 1 + n / 8) {
        db_fail_after(writer_db_for_tests(f.writer), n);
        bool done = change(&f, (struct changing){.fn = do_enroll, .enrollment = &row}, &e) != 0;
        db_fail_after(writer_db_for_tests(f.writer), 0);
        if (done)
            break;
        char *after = db_text(f.db, &ASK, DIGEST, "");
        assert_string_equal(after, before);
        free(after);
    }
    assert_true(n > 20);
    free(before);
    assert_settled(&f);
    assert_state(&f, pupil, "restricted");
    fixture_stop(&f);
}

static bool state_has(struct fixture *f, room_no room, const char *type, const char *key)
{
    json_t *content = fixture_content(f, room, type, key);
    bool has = json_object_size(content) != 0;
    json_decref(content);
    return has;
}

/* F4: whatever the levels of rooms are not known to say is looked at by the next import; what they say
 * already is not said again. */
static void test_poll_levels(void **state)
{
    static const struct {
        enum room_kind kind;
        int level;
    } CASES[] = {{ROOM_CLASS, 50}, {ROOM_GUARDIANS, 50}, {ROOM_STAFF, 0}, {ROOM_ANNOUNCEMENTS, 50}};
    struct fixture f;
    fixture_start_school(&f);
    import_well(&f, NULL);
    school_no s = school(&f, "s");
    room_no class_room = roster_rooms_find(f.db, s, class_(&f, "c"), ROOM_CLASS);
    for (int again = 0; again < 2; ++again) {
        assert_int_equal(db_int(f.db, &ASK, POLL_LEVELS_UNSAID, -1, ""), 0);
        for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
            class_no class = CASES[i].kind == ROOM_CLASS || CASES[i].kind == ROOM_GUARDIANS ? class_(&f, "c") : 0;
            room_no room = roster_rooms_find(f.db, s, class, CASES[i].kind);
            json_t *levels = fixture_content(&f, room, "m.room.power_levels", "");
            json_t *poll = json_object_get(json_object_get(levels, "events"), "org.matrix.msc3381.poll.start");
            assert_int_equal(json_integer_value(poll), CASES[i].level);
            assert_true(json_is_integer(poll));
            json_decref(levels);
        }
        well(&f, (struct changing){.fn = do_forget_poll_levels});
        int64_t before = db_int(f.db, &ASK, COUNT_STATE, 0, "it", class_room, "m.room.power_levels");
        import_well(&f, NULL);
        import_well(&f, NULL);
        assert_int_equal(db_int(f.db, &ASK, COUNT_STATE, 0, "it", class_room, "m.room.power_levels"), before);
    }
    fixture_stop(&f);
}

/* An upgraded space keeps its rooms, and who may join the library (E6) stays who; an upgraded room keeps its place. */
static void test_upgrade(void **state)
{
    struct fixture f;
    struct error e;
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no service = users_no(f.db, SERVICE_LOCALPART), p = person(&f, "p"), t = person(&f, "t");
    school_no s = school(&f, "s");
    room_no old = roster_rooms_find(f.db, s, 0, ROOM_SCHOOL_SPACE), library = library_find(f.db, s);
    room_no new = fixture_upgrade(&f, old, service, "11", NULL, &e);
    assert_int_not_equal(new, 0);
    assert_int_equal(roster_rooms_find(f.db, s, 0, ROOM_SCHOOL_SPACE), new);
    char *old_id = rooms_id_of(f.db, old), *new_id = rooms_id_of(f.db, new), *library_id = rooms_id_of(f.db, library);
    assert_true(state_has(&f, new, "m.space.child", library_id));
    assert_true(state_has(&f, library, "m.space.parent", new_id) && !state_has(&f, library, "m.space.parent", old_id));
    assert_in(&f, p, "s", NULL, ROOM_SCHOOL_SPACE, true);
    assert_true(fixture_member(&f, library, ACT_JOIN, p, p, &e));
    assert_false(fixture_send(&f, library, p, "m.room.message", NULL, "{\"body\":\"x\"}", NULL, NULL, &e));
    assert_true(fixture_member(&f, library, ACT_JOIN, t, t, &e));
    assert_true(fixture_send(&f, library, t, "m.room.message", NULL, "{\"body\":\"x\"}", NULL, NULL, &e));
    assert_false(fixture_send(&f, old, t, "m.room.message", NULL, "{\"body\":\"x\"}", NULL, NULL, &e));
    room_no room = roster_rooms_find(f.db, s, class_(&f, "c"), ROOM_CLASS),
            space = roster_rooms_find(f.db, s, class_(&f, "c"), ROOM_CLASS_SPACE);
    room_no next = fixture_upgrade(&f, room, service, "12", NULL, &e);
    char *next_id = rooms_id_of(f.db, next), *room_id = rooms_id_of(f.db, room);
    assert_true(state_has(&f, space, "m.space.child", next_id) && !state_has(&f, space, "m.space.child", room_id));
    assert_in(&f, p, "s", "c", ROOM_CLASS, true);
    assert_true(fixture_send(&f, next, t, "m.room.topic", "", "{\"topic\":\"x\"}", NULL, NULL, &e)); /* E3 */
    struct roster_changes changes = import_well(&f, NULL);
    assert_false(roster_changes_any(&changes));
    free(old_id);
    free(new_id);
    free(library_id);
    free(next_id);
    free(room_id);
    fixture_stop(&f);
}

/* Every change is in the log: also what an import did, in lists. */
static void test_log(void **state)
{
    struct fixture f;
    struct text difference = TEXT_INIT;
    struct roster_changes changes;
    struct error e;
    fixture_start_school(&f);
    import_well(&f, NULL);
    /* the operators', with the counts, and those of the two schools, with what is theirs */
    assert_int_equal(db_int(f.db, &ASK, COUNT_AUDIT, 0, "t", "roster.import"), 3);
    assert_true(db_int(f.db, &ASK, COUNT_CHANGES, 0, "t", "roster.import") > 20);
    user_no user = make_person(&f, "s", "Анна", GROWN);
    enroll(&f, "g", user, ROLE_TEACHER);
    assert_int_equal(db_int(f.db, &ASK, COUNT_AUDIT, 0, "t", "person.create"), 1);
    assert_int_equal(db_int(f.db, &ASK, COUNT_AUDIT, 0, "t", "enrollment.create"), 1);
    struct roster_problem problem;
    size_t len;
    char *bytes = archive_with("enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\n", NULL, &len);
    struct roster *roster = roster_read_bytes(bytes, len, &problem);
    struct roster_import how = {
        .writer = f.writer, .rooms = f.rooms, .db = f.db, .roster = roster, .dry_run = true, .difference = &difference};
    assert_true(roster_import(&how, &changes, &e));
    assert_string_equal(difference.data,
                        "enrollment - pupil p c\n"
                        "leave - p c (class_space)\nleave - m c (class_space)\nleave - f c (class_space)\n"
                        "leave - p c (class)\nleave - m c (guardians)\nleave - f c (guardians)\n");
    assert_int_equal(db_int(f.db, &ASK, COUNT_AUDIT, 0, "t", "roster.import"), 3);
    text_finish(&difference);
    roster_destroy(roster);
    free(bytes);
    fixture_stop(&f);
}

/* What the newest entry of an act says; school "": whichever. The caller frees it. */
static char *entry_of(struct fixture *f, const char *act, const char *school_id)
{
    char *entry = db_text(f->db, &ASK, ENTRY, "tt", act, school_id);
    if (entry == NULL)
        fail_msg("no entry of %s in %s", act, school_id);
    return entry;
}

static void must_say(struct fixture *f, const char *act, const char *school_id, const char *what, bool says)
{
    char *entry = entry_of(f, act, school_id);
    if ((strstr(entry, what) != NULL) != says)
        fail_msg("%s %s: %s", says ? "not there" : "there", what, entry);
    free(entry);
}

/* J2: an act is told by the rows it changed, also those that are nobody's intention. */
static void test_log_derived(void **state)
{
    struct fixture f;
    fixture_start_school(&f);
    import_well(&f, NULL);
    must_say(&f, "roster.import", "s", "{\"+\":\"role\",\"person\":\"t\",\"role\":\"teacher\",\"school\":\"s\"}", true);
    must_say(&f, "roster.import", "s", "{\"+\":\"power\",\"person\":\"t\",\"power\":", true);

    user_no other = make_person(&f, "s", "Вера", GROWN);
    struct enrollment_row row = enrollment(&f, "c", other, ROLE_CLASS_TEACHER);
    well(&f, (struct changing){.fn = do_enroll, .actor = &INSISTING, .enrollment = &row});
    must_say(&f, "enrollment.create", "s",
             "{\"-\":\"enrollment\",\"class\":\"c\",\"person\":\"t\",\"role\":\"class_teacher\"}", true);
    must_say(&f, "enrollment.create", "s",
             "{\"-\":\"role\",\"person\":\"t\",\"role\":\"class_teacher\",\"school\":\"s\"", true);
    must_say(&f, "enrollment.create", "s", "{\"+\":\"enrollment\",\"class\":\"c\",\"person\":\"school:", true);

    struct person_row renamed = {
        .no = other, .given = "Вера", .family = "Сидорова", .middle = "Петровна", .birth = 19810301, .enabled = false};
    well(&f, (struct changing){.fn = do_person, .a = school(&f, "s"), .person = &renamed});
    must_say(&f, "person.update", "s",
             "{\"=\":\"person\",\"birth_date\":\"changed\",\"enabled\":[true,false],"
             "\"family_name\":\"changed\",\"person\":\"school:",
             true);
    must_say(&f, "person.update", "s", "{\"=\":\"account\",\"state\":[\"active\",\"locked\"],\"user\":\"@", true);
    must_say(&f, "person.update", "s", "Сидорова", false);
    must_say(&f, "person.update", "s", "1981", false);
    fixture_stop(&f);
}

/* A1, J2: what follows in another school stands in that school's part, without a name from here. */
static void test_log_of_another_school(void **state)
{
    struct fixture f;
    const struct person_row child = {
        .given = "Юра", .family = "Новиков", .middle = "", .birth = YOUNG, .enabled = true};
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no head = make_person(&f, "s", "Вера", GROWN), mother = make_person(&f, "s", "Нина", GROWN);
    user_no pupil = well(&f, (struct changing){.fn = do_person, .a = school(&f, "s"), .person = &child});
    class_no elsewhere = well(
        &f, (struct changing){
                .fn = do_class,
                .class = &(struct class_row){
                    .sourced_id = "cz", .school = school(&f, "z"), .title = "1А", .grade = "1", .homeroom = true}});
    assert_true(elsewhere > 0);
    enroll(&f, "c", pupil, ROLE_PUPIL);
    enroll(&f, "cz", pupil, ROLE_PUPIL);
    well(&f, (struct changing){.fn = do_guardian, .a = pupil, .b = mother});
    must_say(&f, "guardianship.create", "z", "{\"+\":\"role\",\"person\":\"@", true);
    must_say(&f, "guardianship.create", "z", "school:", false); /* it is the first school's record */
    must_say(&f, "guardianship.create", "z", "\"actor\":\"operator:test\"", true);
    must_say(&f, "guardianship.create", "s", "\"school\":\"z\"", false);

    /* As an approval acts, for whoever decided it (office_act.h). */
    char *id = users_id(f.db, "school.example", head), *own = users_id(f.db, "school.example", mother);
    const struct actor office = {.name = id, .scopes = SCOPE_ALL, .override_ = "Решение педагогического совета"};
    const struct actor herself = {.user = mother, .name = own};
    well(&f, (struct changing){.fn = do_guardian_end, .actor = &office, .a = pupil, .b = mother});
    must_say(&f, "guardianship.end", "z", "\"actor\":\"" AUDIT_ELSEWHERE "\"", true);
    must_say(&f, "guardianship.end", "z", id, false);
    must_say(&f, "guardianship.end", "z", "\"reason\"", false);
    must_say(&f, "guardianship.end", "z", "{\"-\":\"role\",\"person\":\"@", true);
    must_say(&f, "guardianship.end", "s", id, true);
    must_say(&f, "guardianship.end", "s", "{\"-\":\"guardianship\",\"child\":\"@", true); /* in both schools */
    well(&f, (struct changing){.fn = do_guardian, .a = pupil, .b = mother});
    well(&f, (struct changing){.fn = do_guardian_end, .actor = &herself, .a = pupil, .b = mother});
    must_say(&f, "guardianship.end", "z", own, true); /* whom they knew until then */
    free(id);
    free(own);
    fixture_stop(&f);
}

struct straying {
    struct fixture *f;
    school_no school;
    user_no here, there, nowhere;
    room_no room_there;
};

static bool job_stray(struct tx *tx, void *arg, struct error *e)
{
    const struct straying *s = arg;
    const user_no users[] = {s->here, s->there, s->nowhere};
    for (int i = 0; i < 3; ++i)
        if (!users_set_state(tx, users[i], ACCOUNT_SUSPENDED))
            return false;
    return named_members_put(tx->db, s->room_there, s->here) &&
           audit_append(tx, &s->f->key,
                        &(struct audit_note){.actor = &OPERATOR, .act = "test.stray", .school = s->school});
}

/* Each row stands in the log of the school of whom or what it is about. */
static void test_log_by_school(void **state)
{
    struct fixture f;
    struct error e;
    fixture_start_school(&f);
    import_well(&f, NULL);
    user_no there = make_person(&f, "z", "Зоя", GROWN);
    const struct role_row post = {there, school(&f, "z"), ROLE_STAFF, DAY_EVER, DAY_NEVER};
    well(&f, (struct changing){.fn = do_role, .role = &post});
    struct straying s = {&f,
                         school(&f, "s"),
                         person(&f, "p"),
                         there,
                         fixture_user(&f, "nobody"),
                         roster_rooms_find(f.db, school(&f, "z"), 0, ROOM_STAFF)};
    assert_true(writer_run(f.writer, job_stray, &s, &e));
    char *id = users_id(f.db, "school.example", there), *here = users_id(f.db, "school.example", s.here);
    must_say(&f, "test.stray", "z", id, true);
    must_say(&f, "test.stray", "z", "named_member", true);
    must_say(&f, "test.stray", "z", here, true); /* whom the named_member is, by no sourcedId of the other school */
    must_say(&f, "test.stray", "z", "\"person\":\"p\"", false);
    must_say(&f, "test.stray", "s", id, false);
    must_say(&f, "test.stray", "s", "named_member", false);
    must_say(&f, "test.stray", "s", here, true);
    must_say(&f, "test.stray", "s", "@nobody:", true);
    free(id);
    free(here);
    fixture_stop(&f);
}

/* What the server does by itself has an entry, too; and what has nothing to tell has none. */
static void test_log_of_a_day(void **state)
{
    struct fixture f;
    fixture_start_school(&f);
    import_well(&f, NULL);
    well(&f, (struct changing){.fn = do_day});
    assert_int_equal(db_int(f.db, &ASK, COUNT_AUDIT, 0, "t", "day.change"), 0);
    user_no coach = make_person(&f, "s", "Лев", GROWN);
    const struct role_row post = {coach, school(&f, "s"), ROLE_STAFF, DAY_EVER, DAY_NEVER};
    well(&f, (struct changing){.fn = do_role, .role = &post});
    well(&f, (struct changing){.fn = do_end_role_in_store, .a = coach});
    well(&f, (struct changing){.fn = do_day});
    must_say(&f, "day.change", "", "\"actor\":\"operator:calendar\"", true);
    must_say(&f, "day.change", "", "{\"=\":\"account\",\"state\":[\"active\",\"left\"]", true);
    fixture_stop(&f);
}

/* However much an import changes: lists of at most AUDIT_LIST_MAX, handed over while it goes on. */
static void test_log_of_many(void **state)
{
    enum { MANY = 700 };
    struct fixture f;
    struct text users = TEXT_INIT, roles = TEXT_INIT;
    text_adds(&users, USERS_HEAD "t,true,t,Анна,Орлова,Ивановна,\n");
    text_adds(&roles, ROLES_HEAD "r1,t,primary,teacher,,,s\n");
    for (int i = 0; i < MANY; ++i) {
        text_addf(&users, "n%d,true,n%d,Имя,Фамилия,,\n", i, i);
        text_addf(&roles, "rn%d,n%d,primary,aide,,,s\n", i, i);
    }
    fixture_start_school(&f);
    struct roster_changes changes =
        import_well(&f, "users.csv", users.data, "roles.csv", roles.data, "enrollments.csv",
                    ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\n", "demographics.csv", DEMOGRAPHICS_HEAD, NULL);
    assert_int_equal(changes.n[ROSTER_PEOPLE_NEW], MANY + 1);
    int64_t lists = db_int(f.db, &ASK, COUNT_AUDIT, 0, "t", "roster.import");
    assert_true(lists >= 3 * MANY / AUDIT_LIST_MAX - 1); /* an account, a person, a role each */
    assert_int_equal(db_int(f.db, &ASK, MOST_CHANGES, 0, ""), AUDIT_LIST_MAX);
    assert_true(db_int(f.db, &ASK, ALL_CHANGES, 0, "t", "person") == MANY + 1);
    assert_true(db_int(f.db, &ASK, ALL_CHANGES, 0, "t", "account") == MANY + 2); /* and the service user */
    text_finish(&users);
    text_finish(&roles);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pupil_and_guardian),
        cmocka_unit_test(test_account_state),
        cmocka_unit_test(test_override),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_custody_by_import),
        cmocka_unit_test(test_custody_together),
        cmocka_unit_test(test_third_by_import),
        cmocka_unit_test(test_external),
        cmocka_unit_test(test_leave_school),
        cmocka_unit_test(test_school_and_class),
        cmocka_unit_test(test_admit),
        cmocka_unit_test(test_support),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_log_derived),
        cmocka_unit_test(test_log_of_another_school),
        cmocka_unit_test(test_log_by_school),
        cmocka_unit_test(test_log_of_a_day),
        cmocka_unit_test(test_log_of_many),
        cmocka_unit_test(test_poll_levels),
        cmocka_unit_test(test_upgrade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
