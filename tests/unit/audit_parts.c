/* J2, A1, F5: which schools an entry of the log concerns follows from the rows that the act changed, each school's part
 * names nothing of another's, and what is about a report is read by those who may read the report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "homeserver/base/json.h"
#include "homeserver/store/driver/guarded.h"
#include "homeserver/store/driver/schema.h"
#include "homeserver/store/school/audit.h"
#include "homeserver/store/school/reports.h"
#include "homeserver/store/school/roster_rooms.h"
#include "policy/audit/audit.h"
#include "policy/privacy/erasure.h"
#include "policy/reports/reports.h"
#include "tests/unit/signup_world.h"

static struct world w;
static user_no both;     /* of the roster's in the first school; of the other school's own there, too */
static user_no deputy;   /* a second administrator of the first school */
static room_no rooms[2]; /* the staff rooms */
static class_no there;   /* a class of the other school */

static const struct actor OPERATOR = {.name = "operator:test"};

/* --- Who is where --- */

static bool both_act(struct changing_records *c, void *arg)
{
    const struct role_row here = {both, w.school, ROLE_TEACHER, DAY_EVER, DAY_NEVER, "roster"};
    const struct role_row other = {both, w.other_school, ROLE_STAFF, DAY_EVER, DAY_NEVER, "school"};
    const struct person_row person = {.no = both,
                                      .sourced_id = "s1-number",
                                      .given = "Vera",
                                      .family = "",
                                      .middle = "",
                                      .enabled = true,
                                      .source = "roster",
                                      .version = 1};
    const struct class_row class = {
        .sourced_id = "x7", .grade = "7", .title = "7X", .school = w.other_school, .homeroom = true};
    fixture_acts(c->tx);
    there = change_class(c, &class, 0);
    return there != 0 && people_put(c->tx->db, &person) && roles_put(c->tx->db, &here) && roles_put(c->tx->db, &other);
}

static int setup(void **state)
{
    world_start(&w);
    both = fixture_user(&w.f, "both");
    assert_true(world_run(&w, 0, both_act, NULL, NULL));
    deputy = world_person(&w, (struct world_person){"Dora", "Deputy", NULL, w.school, ROLE_ADMINISTRATOR});
    rooms[0] = roster_rooms_find(w.f.db, w.school, 0, ROOM_STAFF);
    rooms[1] = roster_rooms_find(w.f.db, w.other_school, 0, ROOM_STAFF);
    assert_true(rooms[0] != 0 && rooms[1] != 0);
    return 0;
}

static int teardown(void **state)
{
    world_stop(&w);
    return 0;
}

/* --- Each guarded table --- */

enum { NOBODYS = 0, HERE = 1, THERE = 2, BOTH = HERE | THERE };

/* Of a row about that person, that school, its class and its room: who reads it. */
static const struct {
    const char *table;
    int of;
} READ_BY[] = {
    {"users", BOTH},
    {"devices", BOTH},
    {"second_factors", BOTH},
    {"identities", BOTH},
    {"contacts", BOTH},
    {"registration_tokens", NOBODYS},
    {"operator_tokens", NOBODYS},
    {"erasures", BOTH},
    {"schools", HERE},
    {"classes", HERE},
    {"people", BOTH},
    {"roles", HERE},
    {"enrollments", HERE},
    {"custodies", BOTH},
    {"left_custodies", BOTH},
    {"guardianships", BOTH},
    {"policies", HERE},
    {"links", HERE},
    {"applications", HERE},
    {"reports", HERE},
    {"rooms", HERE},
    {"named_members", HERE},
    {"associations", HERE},
    {"roster_members", HERE},
};

static int read_by(const char *table)
{
    for (size_t i = 0; i < sizeof READ_BY / sizeof *READ_BY; ++i)
        if (strcmp(READ_BY[i].table, table) == 0)
            return READ_BY[i].of;
    fail_msg("say who reads of a row of %s", table);
    return 0;
}

static struct row_value value_of(const struct guarded_column *column, bool second)
{
    struct row_value value = {.kind = ROW_NUMBER, .number = second ? 2 : 1};
    switch (column->value) {
    case VALUE_USER:
    case VALUE_PERSON: value.number = second ? w.other_admin : both; break;
    case VALUE_SCHOOL: value.number = second ? w.other_school : w.school; break;
    case VALUE_CLASS: value.number = second ? there : w.fifth; break;
    case VALUE_ROOM: value.number = rooms[second ? 1 : 0]; break;
    case VALUE_FLAG: break;
    case VALUE_SOURCE: return (struct row_value){ROW_TEXT, 0, second ? "school" : "roster", 6};
    default: value = (struct row_value){ROW_TEXT, 0, second ? "after" : "before", second ? 5 : 6};
    }
    if ((column->flags & GUARD_REPORT) != 0)
        value = (struct row_value){.kind = ROW_NUMBER, .number = 77};
    return value;
}

struct trying {
    const struct guarded_table *table;
    char sign;
    int changed; /* the column; −1: none */
    bool told;   /* out */
    int of;
    struct text here, there; /* what the schools' entries say */
};

static bool in_order(struct tx *tx, int64_t after, struct trying *t)
{
    struct audit_row row;
    bool whole = false;
    const struct audit_query query = {.after = after, .limit = 100, .act = "test.write", .actor = ""};
    struct stmt *q = audit_query(tx->db, &query);
    for (t->of = NOBODYS; audit_next(q, &row);) {
        bool changes = strstr(row.entry, "\"changes\"") != NULL;
        if (row.school == 0)
            whole = whole || changes;
        else if (row.school == w.school)
            text_adds(&t->here, row.entry);
        else
            text_adds(&t->there, row.entry);
        if (row.school != 0 && changes)
            t->of |= row.school == w.school ? HERE : THERE;
        if ((row.report != 0) != (strcmp(t->table->name, "reports") == 0) && changes)
            fail_msg("%s: about report %lld", t->table->name, (long long)row.report);
    }
    stmt_end(q);
    return whole == (t->of == NOBODYS);
}

static bool try_job(struct tx *tx, void *arg, struct error *e)
{
    struct trying *t = arg;
    unsigned char hash[AUDIT_HASH_BYTES];
    struct row_value before[GUARDED_COLUMNS_MAX] = {0}, after[GUARDED_COLUMNS_MAX] = {0};
    int64_t last = audit_head(tx->db, 0, hash);
    for (int i = 0; t->table->columns[i].guard != GUARD_NO; ++i) {
        const struct guarded_column *column = &t->table->columns[i];
        if (t->sign != ROW_ADDED)
            before[i] = value_of(column, false);
        if (t->sign != ROW_REMOVED)
            after[i] = value_of(column, i == t->changed);
    }
    row_changes_add(tx_row_changes(tx), t->table, t->sign, before, after);
    t->told = tx_row_changes(tx)->n != 0;
    if (t->told) {
        assert_true(audit_append(tx, &w.f.key, &(struct audit_note){.actor = &OPERATOR, .act = "test.write"}));
        if (!in_order(tx, last, t))
            fail_msg("%s %c: the operators' entry has it too, or nobody's", t->table->name, t->sign);
    }
    return error_set(e, ERROR_FORBIDDEN, NULL); /* it is not kept */
}

static void must_not_name(const struct trying *t, const struct text *entries, const char *what)
{
    if (entries->data != NULL && strstr(entries->data, what) != NULL)
        fail_msg("%s %c %s: %s in %s", t->table->name, t->sign,
                 t->changed >= 0 ? t->table->columns[t->changed].name : "", what, entries->data);
}

static bool moves(const struct trying *t)
{
    return t->changed >= 0 && (t->table->columns[t->changed].flags & GUARD_PLACE) != 0;
}

static int tried(const struct guarded_table *table, char sign, int changed)
{
    struct trying t = {table, sign, changed, .here = TEXT_INIT, .there = TEXT_INIT};
    struct error e;
    assert_false(writer_run(w.f.writer, try_job, &t, &e));
    int expected = moves(&t) ? BOTH : read_by(table->name);
    if (t.told && t.of != expected)
        fail_msg("%s %c %s: read by %d", table->name, sign, changed >= 0 ? table->columns[changed].name : "", t.of);
    /* Whose record it is, and what the first school calls its own, the other one does not hear; nor the other way. */
    must_not_name(&t, &t.there, "\"s1-number\"");
    must_not_name(&t, &t.there, "\"s1\"");
    must_not_name(&t, &t.there, "\"c5\"");
    must_not_name(&t, &t.here, "\"s2\"");
    must_not_name(&t, &t.here, "\"x7\"");
    if (t.told && changed < 0 && strcmp(table->name, "people") == 0) /* where it is known it is told */
        assert_non_null(strstr(t.here.data, "\"s1-number\""));
    text_finish(&t.here);
    text_finish(&t.there);
    return t.told;
}

static void each_row_is_in_the_log_of_the_schools_that_it_concerns(void **state)
{
    int n = 0;
    for (int i = 0; i < GUARDED_TABLES_N; ++i) {
        const struct guarded_table *table = &GUARDED_TABLES[i];
        if (table->record == NULL)
            continue;
        n += tried(table, ROW_ADDED, -1) + tried(table, ROW_REMOVED, -1);
        for (int k = 0; table->columns[k].guard != GUARD_NO; ++k)
            n += tried(table, ROW_CHANGED, k);
    }
    assert_true(n > 100);
}

/* --- What is about somebody --- */

/* What the readers of a school's part see of an act since; user 0: whoever sees all of it. The caller frees it. */
static char *seen_of(school_no school, user_no user, const char *act, int64_t since)
{
    struct audit_reader reader;
    struct audit_row row;
    struct text out = TEXT_INIT;
    const struct audit_query query = {.after = since, .school = school, .limit = 1000, .act = act, .actor = ""};
    audit_reader_init(&reader, w.f.db, "school.example", true, user);
    struct stmt *q = audit_query(w.f.db, &query);
    text_adds(&out, "");
    while (audit_next(q, &row))
        if (audit_reader_sees(&reader, &row) && (school != 0 || row.school == 0))
            text_adds(&out, row.entry);
    stmt_end(q);
    audit_reader_finish(&reader);
    return text_take(&out);
}

static void must_see(school_no school, user_no user, const char *act, int64_t since, const char *what, bool sees)
{
    char *seen = seen_of(school, user, act, since);
    if ((strstr(seen != NULL ? seen : "", what) != NULL) != sees)
        fail_msg("%s, school %lld: %s %s: %s", act, (long long)school, sees ? "not there" : "there", what, seen);
    free(seen);
}

static int64_t now(void)
{
    unsigned char hash[AUDIT_HASH_BYTES];
    return audit_head(w.f.db, 0, hash);
}

static bool erase_act(struct changing_records *c, void *arg)
{
    return erasure_begin(c, *(user_no *)arg);
}

struct noting {
    struct audit_note note;
};

static bool note_act(struct changing_records *c, void *arg)
{
    struct noting *n = arg;
    n->note.actor = c->actor;
    return audit_append(c->tx, &w.f.key, &n->note);
}

/* An act that is no school's is told to those whom it concerns: to one whole, to several each its own. */
static void an_act_of_nobodys_is_told_to_whom_it_concerns(void **state)
{
    user_no one = world_person(&w, (struct world_person){"Ivan", "Only", NULL, w.school, ROLE_STAFF});
    const char *only = user_names_get(w.f.names, w.f.db, one), *two = user_names_get(w.f.names, w.f.db, both);
    struct error e;
    int64_t since = now();
    assert_true(world_run(&w, 0, erase_act, &one, &e));
    must_see(w.school, w.admin, "person.erase", since, only, true);
    must_see(w.school, w.admin, "person.erase", since, "{\"+\":\"erasure\"", true);
    must_see(w.other_school, w.other_admin, "person.erase", since, "{", false);
    must_see(0, 0, "person.erase", since, "{", false); /* nor twice */

    since = now();
    struct noting export = {{.act = "person.export",
                             .about = both,
                             .subject = json_pack("{s:s}", "user", two),
                             .details = json_pack("{s:s}", "about", "both schools")}};
    assert_true(world_run(&w, 0, note_act, &export, &e));
    must_see(w.school, w.admin, "person.export", since, two, true);
    must_see(w.other_school, w.other_admin, "person.export", since, two, true);
    must_see(w.other_school, w.other_admin, "person.export", since, "both schools", false);
    must_see(0, 0, "person.export", since, "both schools", true);

    since = now();
    const school_no schools[] = {w.school, w.other_school};
    for (size_t n = 1; n <= 2; ++n) {
        struct noting hold = {{.act = n == 1 ? "roster.hold" : "roster.drop",
                               .schools = schools,
                               .n_schools = n,
                               .details = json_pack("{s:s}", "counts", "of all")}};
        assert_true(world_run(&w, 0, note_act, &hold, &e));
    }
    must_see(w.school, w.admin, "roster.hold", since, "of all", true);
    must_see(w.other_school, w.other_admin, "roster.hold", since, "{", false);
    must_see(w.school, w.admin, "roster.drop", since, "{", true);
    must_see(w.other_school, w.other_admin, "roster.drop", since, "{", true);
    must_see(w.school, w.admin, "roster.drop", since, "of all", false);
    must_see(0, 0, "roster.drop", since, "of all", true);
}

static bool suspend_act(struct changing_records *c, void *arg)
{
    return change_account_state(c, both, ACCOUNT_SUSPENDED);
}

/* No school of several is the one whose act an operator's is. */
static void an_operators_act_about_somebody_is_no_schools(void **state)
{
    const char *two = user_names_get(w.f.names, w.f.db, both);
    struct error e;
    int64_t since = now();
    assert_true(world_run(&w, 0, suspend_act, NULL, &e));
    for (int i = 0; i < 2; ++i) {
        school_no school = i == 0 ? w.school : w.other_school;
        user_no reader = i == 0 ? w.admin : w.other_admin;
        must_see(school, reader, "standing.change", since, "\"state\":[\"active\",\"suspended\"]", true);
        char *seen = seen_of(school, reader, "standing.change", since), *subject = strstr(seen, "\"subject\"");
        assert_non_null(subject);
        assert_non_null(strstr(subject, two));
        free(seen);
    }
    must_see(0, 0, "standing.change", since, "\"changes\"", false); /* nor twice */
}

/* Whoever acts is named where they are, or where they act on themself; elsewhere that it was somebody elsewhere. */
static void who_acts_is_named_where_they_are_known(void **state)
{
    const char *admin = user_names_get(w.f.names, w.f.db, w.admin), *two = user_names_get(w.f.names, w.f.db, both);
    struct error e;
    int64_t since = now();
    struct noting of_both = {{.act = "test.note", .about = both}};
    assert_true(world_run(&w, w.admin, note_act, &of_both, &e));
    must_see(w.school, w.admin, "test.note", since, admin, true);
    must_see(w.other_school, w.other_admin, "test.note", since, "\"actor\":\"" AUDIT_ELSEWHERE "\"", true);
    since = now();
    assert_true(world_run(&w, both, note_act, &of_both, &e));
    must_see(w.other_school, w.other_admin, "test.note", since, two, true);
}

/* --- Reports (F5) --- */

static bool report_act(struct changing_records *c, void *arg)
{
    return report_make(c->tx, true, "@reporter:school.example", arg, c->e);
}

static bool close_act(struct changing_records *c, void *arg)
{
    const struct report_row *report = arg;
    struct report_row row;
    struct stmt *q = reports_get(c->tx->db, report->no);
    assert_true(reports_next(q, &row));
    int64_t version = row.version;
    stmt_end(q);
    return report_close(c, report->no, "talked to", version);
}

/* By list, by export and by head: as if there were none. */
static void f5_the_accused_reads_nothing_of_it_in_the_log(void **state)
{
    struct error e;
    struct audit_fault fault;
    char number[32];
    struct report_row report = {.kind = "user", .reporter = w.old, .accused = w.admin, .reason = "he shouts"};
    assert_true(world_run(&w, w.old, report_act, &report, &e));
    snprintf(number, sizeof number, "%lld", (long long)report.no);
    const int64_t since = now();
    struct text before = TEXT_INIT, after = TEXT_INIT;
    struct audit_reader accused;
    audit_reader_init(&accused, w.f.db, "school.example", true, w.admin);
    audit_head_text(w.f.db, w.school, &accused, &before);
    assert_true(world_run(&w, deputy, close_act, &report, &e));
    audit_head_text(w.f.db, w.school, &accused, &after);
    assert_string_equal(before.data, after.data);
    must_see(w.school, w.admin, "", since, "{", false);
    must_see(w.school, deputy, "report.close", since, number, true);
    must_see(w.school, deputy, "report.close", since, "{\"=\":\"report\"", true);
    must_see(w.school, 0, "report.close", since, number, true); /* an operator */
    must_see(w.other_school, w.other_admin, "", since, "{", false);

    struct text lines = TEXT_INIT;
    int64_t entries;
    assert_true(audit_export(w.f.db, &w.f.key, "school.example", w.school, &accused, &lines));
    assert_null(strstr(lines.data, "report.close"));
    assert_true(audit_verify(lines.data, lines.len, w.f.key.public, after.data, &entries, &fault));
    audit_reader_finish(&accused);
    text_finish(&lines);
    text_finish(&before);
    text_finish(&after);
}

static bool erased_act(struct changing_records *c, void *arg)
{
    const struct report_row *report = arg;
    tx_acts(c->tx, "operator:erasure", "person.erased");
    return reports_close(c->tx, report->no, "", "") && users_set_state(c->tx, report->reporter, ACCOUNT_LEFT);
}

/* A report's row that another act changes stands apart from the rest of it. */
static void f5_a_reports_row_stands_apart(void **state)
{
    struct error e;
    struct report_row report = {.kind = "user", .reporter = w.young, .accused = w.admin, .reason = "he shouts"};
    const char *reporter = user_names_get(w.f.names, w.f.db, w.young);
    assert_true(world_run(&w, w.young, report_act, &report, &e));
    const int64_t since = now();
    assert_true(world_run(&w, 0, erased_act, &report, &e));
    must_see(w.school, w.admin, "", since, reporter, true);
    must_see(w.school, w.admin, "", since, "report", false);
    must_see(w.school, deputy, "", since, reporter, true);
    must_see(w.school, deputy, "", since, "{\"=\":\"report\"", true);
}

/* Entries of before: those that tell of a report are about it. */
static void f5_entries_of_before_are_about_their_report(void **state)
{
    enum { REPORT_OF };
    static const struct statement TEXTS[] = {[REPORT_OF] = "SELECT coalesce(report_no, 0) FROM audit WHERE seq = $1"};
    static const struct statements ASK = {"audit_parts_test", TEXTS, 1};
    struct db *db = db_open(":memory:", DB_WRITE, NULL);
    assert_true(schema_migrate_to(db, 19));
    assert_true(db_script(
        db, "INSERT INTO users (user_no, localpart, kind, state, created_ms) VALUES (1, 'anna', 'person', 'active', 1);"
            "INSERT INTO reports (report_no, kind, reporter, reason, created_ms) VALUES (12, 'user', 1, '', 1),"
            " (1234, 'user', 1, '', 1);"
            "INSERT INTO audit (seq, entry, hash, signature, school_no, act, actor) VALUES"
            " (1, '{\"act\":\"report.close\",\"subject\":{\"report\":\"1234\"},\"ts\":1}', x'01', x'01', 1, "
            "'report.close', 'a'),"
            " (2, '{\"act\":\"person.update\",\"subject\":{\"user\":\"1234\"},\"ts\":1}', x'02', x'02', 1, "
            "'person.update', 'a');"));
    assert_true(schema_migrate(db));
    assert_int_equal(db_int(db, &ASK, REPORT_OF, 0, "i", INT64_C(1)), 1234);
    assert_int_equal(db_int(db, &ASK, REPORT_OF, 0, "i", INT64_C(2)), 0);
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_in_the_log_of_the_schools_that_it_concerns),
        cmocka_unit_test(an_act_of_nobodys_is_told_to_whom_it_concerns),
        cmocka_unit_test(an_operators_act_about_somebody_is_no_schools),
        cmocka_unit_test(who_acts_is_named_where_they_are_known),
        cmocka_unit_test(f5_the_accused_reads_nothing_of_it_in_the_log),
        cmocka_unit_test(f5_a_reports_row_stands_apart),
        cmocka_unit_test(f5_entries_of_before_are_about_their_report),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
