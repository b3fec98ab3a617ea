/* J2: no row that the log must know of changes without an entry, whatever writes it. What is written is asked of SQLite
 * and of the schema, so that neither a statement nor a new column can be wrong about itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ctype.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/store/driver/guarded.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/school/audit.h"
#include "policy/gate/school_gate.h"
#include "tests/unit/fixture.h"
#include "tests/unit/statement_sets.h"

static struct fixture f;
static sqlite3 *raw;

/* --- The table and the schema --- */

static bool in_list(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += len)
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

static const struct guarded_table *listed(const char *table)
{
    for (int i = 0; i < GUARDED_TABLES_N; ++i)
        if (strcmp(GUARDED_TABLES[i].name, table) == 0)
            return &GUARDED_TABLES[i];
    return NULL;
}

static const struct guarded_column *column_of(const struct guarded_table *table, const char *column)
{
    for (int i = 0; table->columns[i].name != NULL; ++i)
        if (in_list(table->columns[i].name, column))
            return &table->columns[i];
    return NULL;
}

static sqlite3_stmt *ask(const char *text)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(raw, text, -1, &stmt, NULL), SQLITE_OK);
    return stmt;
}

static const char *text_at(sqlite3_stmt *stmt, int column)
{
    return (const char *)sqlite3_column_text(stmt, column);
}

static void every_table_and_column_is_decided_upon(void **state)
{
    int faults = 0, n = 0;
    sqlite3_stmt *q = ask("SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c"
                          " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'");
    for (; sqlite3_step(q) == SQLITE_ROW; ++n) {
        const struct guarded_table *table = listed(text_at(q, 0));
        bool known = table != NULL && (table->record == NULL || column_of(table, text_at(q, 1)) != NULL);
        faults += !known;
        if (!known)
            print_message("# %s.%s: say in homeserver/store/driver/guarded.c whether the log must know of it\n",
                          text_at(q, 0), text_at(q, 1));
    }
    sqlite3_finalize(q);
    assert_int_equal(faults, 0);
    assert_true(n > 150);
}

/* What is in the table is in the schema, too; whatever is not guarded has a reason; entries are canonical JSON. */
static void the_table_is_sound(void **state)
{
    for (int i = 0; i < GUARDED_TABLES_N; ++i) {
        const struct guarded_table *table = &GUARDED_TABLES[i];
        const char *last = "";
        bool guarded = true;
        char text[128];
        snprintf(text, sizeof text, "SELECT * FROM %s", table->name);
        sqlite3_finalize(ask(text));
        assert_true(table->record != NULL ? listed(table->name) == table : table->why != NULL);
        if (table->record != NULL && (table->added == ROWS_NEVER) != (table->why != NULL))
            fail_msg("%s: a new row needs an entry, or there is a reason", table->name);
        for (int k = 0; table->record != NULL && table->columns[k].name != NULL; ++k) {
            const struct guarded_column *column = &table->columns[k];
            const char *shown = column->shown != NULL ? column->shown : column->name;
            bool reason = column->guard == GUARD_NO || (column->flags & GUARD_OWN) != 0;
            if (reason != (column->why != NULL))
                fail_msg("%s.%s: a reason is missing, or says nothing", table->name, column->name);
            if (column->guard != GUARD_NO && !guarded)
                fail_msg("%s.%s: behind those that say nothing, where nobody looks", table->name, column->name);
            guarded = column->guard != GUARD_NO;
            if (column->guard == GUARD_NO || *shown == '\0')
                continue;
            if (strcmp(last, shown) >= 0 || *shown < 'a')
                fail_msg("%s.%s: not in the order of what is shown", table->name, column->name);
            last = shown;
        }
    }
}

/* --- Statements say what they write --- */

#define EXCUSED 5 /* what copies a room's rows to the one that takes its place (4), and what names a new room */

struct written {
    bool guarded;
    char what[128];
};

/* A statement may write more rows than need an entry: whether one does is asked of the row, when it is written. */
static int watch(void *arg, int action, const char *table, const char *column, const char *database, const char *by)
{
    struct written *w = arg;
    const struct guarded_table *guarded = guarded_find(table != NULL ? table : "");
    if (guarded == NULL)
        return SQLITE_OK;
    const struct guarded_column *of = action == SQLITE_UPDATE ? column_of(guarded, column) : NULL;
    if ((action == SQLITE_INSERT && guarded->added != ROWS_NEVER) ||
        (action == SQLITE_DELETE && guarded->removed != ROWS_NEVER) || (of != NULL && of->guard != GUARD_NO)) {
        w->guarded = true;
        snprintf(w->what, sizeof w->what, "%s.%s", table, of != NULL ? column : "");
    }
    return SQLITE_OK;
}

static struct written written_by(const char *text)
{
    struct written w = {0};
    sqlite3_stmt *stmt = NULL;
    sqlite3_set_authorizer(raw, watch, &w);
    assert_int_equal(sqlite3_prepare_v2(raw, text, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_finalize(stmt);
    sqlite3_set_authorizer(raw, NULL, NULL);
    return w;
}

static void a_statement_that_writes_a_guarded_table_says_so(void **state)
{
    int faults = 0, guarded = 0, excused = 0;
    each_statement_set(set) for (int i = 0; i < set->n; ++i)
    {
        const struct statement *s = &set->all[i];
        struct written w = written_by(s->text);
        guarded += s->guarded != NULL && *s->guarded == '\0';
        excused += s->guarded != NULL && *s->guarded != '\0';
        if (w.guarded == (s->guarded != NULL))
            continue;
        print_message("# %s, %d: says that it %s, writes %s: %s\n", set->name, i,
                      s->guarded != NULL ? "writes a guarded table" : "writes none", w.guarded ? w.what : "none",
                      s->text);
        ++faults;
    }
    assert_int_equal(faults, 0);
    assert_true(guarded > 40);
    assert_int_equal(excused, EXCUSED);                             /* one more has a good reason */
    assert_true(written_by("UPDATE users SET state = $1").guarded); /* the test sees what it is there for */
    assert_true(written_by("DELETE FROM roles").guarded);
    assert_false(written_by("UPDATE people SET version = version + 1").guarded);
    assert_false(written_by("INSERT INTO devices (user_no, device_id, created_ms) VALUES (1, 'D', 1)").guarded);
}

/* --- Every kind of write is seen --- */

#define CASES_MAX 400

/* A statement that is made up, and what it is to leave. */
static struct made {
    const struct guarded_table *table;
    const struct guarded_column *column; /* NULL: the whole row */
    char sign;
} cases[CASES_MAX];
static struct statement texts[2 * CASES_MAX]; /* what puts a row there, then what is looked at */
static struct statements made_set = {"guarded_test", texts, 0};
static int n_cases;

/* What a column may have where not anything will do. */
static const char *const WORDS[][3] = {
    {"kind.classes", "'homeroom'", "'scheduled'"},
    {"kind.links", "'class'", "'school'"},
    {"kind.applications", "'join'", "'guardian'"},
    {"state.applications", "'waiting'", "'refused'"},
    {"kind.reports", "'event'", "'room'"},
    {"state.reports", "'open'", "'closed'"},
    {"medium.contacts", "'email'", "'msisdn'"},
    {"state.users", "'active'", "'locked'"},
    {"kind.roster_rooms", "'class'", "'guardians'"},
    {"kind.custodies", "'separate'", "'no_contact'"},
    {"kind.left_custodies", "'separate'", "'no_contact'"},
};

static void add_literal(struct text *out, const char *table, const char *column, const char *type, bool second)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", column, table);
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; ++i)
        if (strcmp(WORDS[i][0], name) == 0)
            return text_adds(out, WORDS[i][second ? 2 : 1]);
    if (strcmp(type, "INTEGER") == 0)
        text_adds(out, second ? "7002" : "7001");
    else if (strcmp(type, "BLOB") == 0)
        text_adds(out, second ? "x'02'" : "x'01'");
    else
        text_adds(out, second ? "'secret-after'" : "'secret-before'");
}

/* A row with something in every column. */
static char *insertion(const char *table)
{
    struct text names = TEXT_INIT, values = TEXT_INIT;
    char ask_text[128];
    snprintf(ask_text, sizeof ask_text, "SELECT name, type FROM pragma_table_info('%s')", table);
    sqlite3_stmt *q = ask(ask_text);
    while (sqlite3_step(q) == SQLITE_ROW) {
        text_addf(&names, "%s%s", names.len != 0 ? ", " : "", text_at(q, 0));
        text_adds(&values, values.len != 0 ? ", " : "");
        add_literal(&values, table, text_at(q, 0), text_at(q, 1), false);
    }
    sqlite3_finalize(q);
    struct text out = TEXT_INIT;
    text_addf(&out, "INSERT INTO %s (%s) VALUES (%s)", table, names.data, values.data);
    text_finish(&names);
    text_finish(&values);
    return text_take(&out);
}

static char *update(const char *table, const char *column)
{
    struct text out = TEXT_INIT;
    char ask_text[192];
    snprintf(ask_text, sizeof ask_text, "SELECT type FROM pragma_table_info('%s') WHERE name = '%s'", table, column);
    sqlite3_stmt *q = ask(ask_text);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    text_addf(&out, "UPDATE %s SET %s = ", table, column);
    add_literal(&out, table, column, text_at(q, 0), true);
    sqlite3_finalize(q);
    return text_take(&out);
}

static void add_case(const struct guarded_table *table, const struct guarded_column *column, char sign, char *text)
{
    assert_true(n_cases < CASES_MAX);
    char *before = sign == ROW_ADDED ? xstrdup("SELECT 1") : insertion(table->name);
    cases[n_cases] = (struct made){table, column, sign};
    texts[2 * n_cases] = (struct statement){before, 0, "what the test begins with"};
    texts[2 * n_cases + 1] = (struct statement){text, 0, GUARDED};
    made_set.n = 2 * ++n_cases;
}

static void make_cases(void)
{
    for (int i = 0; i < GUARDED_TABLES_N; ++i) {
        const struct guarded_table *table = &GUARDED_TABLES[i];
        char text[128];
        if (table->record == NULL)
            continue;
        snprintf(text, sizeof text, "DELETE FROM %s WHERE 1 = 1", table->name);
        if (table->added != ROWS_NEVER)
            add_case(table, NULL, ROW_ADDED, insertion(table->name));
        if (table->removed != ROWS_NEVER)
            add_case(table, NULL, ROW_REMOVED, xstrdup(text));
        for (int k = 0; table->columns[k].guard != GUARD_NO; ++k)
            add_case(table, &table->columns[k], ROW_CHANGED, update(table->name, table->columns[k].name));
    }
}

struct trying {
    int which;
    char *entry; /* NULL: nobody wrote one */
};

static char *newest_entry(struct db *db)
{
    struct audit_row row;
    struct stmt *q = audit_query(db, &(struct audit_query){.limit = 1, .act = "", .actor = "", .newest_first = true});
    char *entry = audit_next(q, &row) ? xstrdup(row.entry) : NULL;
    stmt_end(q);
    return entry;
}

/* The rows are nobody's: what they refer to is not there. It is not committed either. */
static bool write_made(struct tx *tx, void *arg, struct error *e)
{
    struct trying *t = arg;
    bool done = db_script(tx->db, "PRAGMA defer_foreign_keys = ON") && db_run(tx->db, &made_set, 2 * t->which, "") &&
                db_run(tx->db, &made_set, 2 * t->which + 1, "");
    assert_true(done);
    assert_int_equal(tx_row_changes(tx)->n, 1);
    assert_true(audit_append(tx, &f.key, &(struct audit_note){.actor = &ACTOR_COMMAND_LINE, .act = "test.write"}));
    assert_int_equal(tx_row_changes(tx)->n, 0);
    t->entry = newest_entry(tx->db);
    return error_set(e, ERROR_FORBIDDEN, NULL);
}

static void must_tell(const struct made *made, json_t *change)
{
    static const char *const SIGNS[] = {"+", "-", "="};
    const char *sign = SIGNS[made->sign == ROW_ADDED ? 0 : made->sign == ROW_REMOVED ? 1 : 2];
    assert_string_equal(json_get_string(change, sign), made->table->record);
    if (made->column == NULL || (made->column->shown != NULL && *made->column->shown == '\0'))
        return;
    const json_t *told =
        json_object_get(change, made->column->shown != NULL ? made->column->shown : made->column->name);
    if (made->column->guard == GUARD_HIDDEN)
        assert_string_equal(json_string_value(told), "changed");
    else if (made->column->guard == GUARD_KEY)
        assert_true(json_is_string(told) || json_is_integer(told));
    else
        assert_int_equal(json_array_size(told), 2);
}

/* Each guarded table, each way, each column: an entry tells before and after, but never what a log must not hold. */
static void every_guarded_write_is_in_the_entry(void **state)
{
    for (int i = 0; i < n_cases; ++i) {
        struct trying t = {i};
        struct error e, ignored;
        assert_false(writer_run(f.writer, write_made, &t, &e));
        if (t.entry == NULL || e.code != ERROR_FORBIDDEN)
            fail_msg("%s %c %s", cases[i].table->name, cases[i].sign, texts[2 * i + 1].text);
        const char *text = t.entry != NULL ? t.entry : "";
        json_t *entry = json_parse(text, strlen(text), &ignored);
        char *again = json_canonical(entry);
        assert_string_equal(text, again);
        must_tell(&cases[i], json_array_get(json_object_get(entry, "changes"), 0));
        if (cases[i].column != NULL && cases[i].column->guard == GUARD_HIDDEN)
            assert_null(strstr(text, "secret-after"));
        free(again);
        free(t.entry);
        json_decref(entry);
    }
    assert_true(n_cases > 100);
}

/* Nobody writes an entry: the guard is asked, and refuses. */
static bool forget_made(struct tx *tx, void *arg, struct error *e)
{
    const struct trying *t = arg;
    return db_script(tx->db, "PRAGMA defer_foreign_keys = ON") && db_run(tx->db, &made_set, 2 * t->which, "") &&
           db_run(tx->db, &made_set, 2 * t->which + 1, "");
}

static int asked;

static bool refusing(void *self, struct tx *tx)
{
    ++asked;
    return false;
}

static void no_guarded_write_passes_without_one(void **state)
{
    struct fixture mine;
    struct error e;
    fixture_start_school(&mine);
    assert_true(writer_guard(mine.writer, refusing, mine.audit_log));
    for (int i = 0; i < n_cases; ++i) {
        struct trying t = {i};
        asked = 0;
        assert_false(writer_run(mine.writer, forget_made, &t, &e));
        if (asked != 1)
            fail_msg("passed: %s", texts[2 * i + 1].text);
    }
    fixture_stop(&mine);
}

/* --- The guard itself --- */

enum { FORGETS, NOTES, ACTS, OWNS, OWNS_ANOTHERS, NOTES_BEFORE, N_WAYS };

struct way {
    int way;
    user_no user;
};

static bool note(struct tx *tx)
{
    return audit_append(tx, &f.key,
                        &(struct audit_note){.actor = &(struct actor){.name = "operator:test"}, .act = "test.note"});
}

static bool password_job(struct tx *tx, void *arg, struct error *e)
{
    const struct way *w = arg;
    char hash[32];
    snprintf(hash, sizeof hash, "the %dth hash", w->way);
    if (w->way == NOTES_BEFORE && !note(tx))
        return false;
    if (w->way == ACTS)
        tx_acts(tx, "operator:parta", "user.password");
    if (w->way == OWNS || w->way == OWNS_ANOTHERS)
        tx_own(tx, w->user + (w->way == OWNS_ANOTHERS));
    return users_set_password(tx, w->user, hash) && (w->way != NOTES || note(tx));
}

static int64_t entries(void)
{
    struct audit_row row;
    int64_t n = 0;
    struct stmt *q = audit_query(f.db, &(struct audit_query){.limit = 100000, .act = "", .actor = ""});
    for (; audit_next(q, &row); ++n)
        continue;
    stmt_end(q);
    return n;
}

static void a_job_that_forgets_the_log_is_not_done(void **state)
{
    static const struct {
        bool done;
        int entries;
        const char *has;
    } EXPECTED[N_WAYS] = {
        [FORGETS] = {false},
        [NOTES] = {true, 1,
                   "\"act\":\"test.note\",\"actor\":\"operator:test\",\"changes\":[{\"=\":\"account\","
                   "\"password\":\"set\",\"user\":\"@olga:school.example\"}]"},
        [ACTS] = {true, 1,
                  "\"act\":\"user.password\",\"actor\":\"operator:parta\",\"changes\":[{\"=\":\"account\","
                  "\"password\":\"changed\",\"user\":\"@olga:school.example\"}]"},
        [OWNS] = {true},
        [OWNS_ANOTHERS] = {false},
        [NOTES_BEFORE] = {true, 2, "\"part_of\":"},
    };
    struct way way = {.user = fixture_user(&f, "olga")};
    struct error e;
    for (way.way = 0; way.way < N_WAYS; ++way.way) {
        int64_t before = entries();
        if (writer_run(f.writer, password_job, &way, &e) != EXPECTED[way.way].done)
            fail_msg("way %d: %s", way.way, error_sentence(&e));
        assert_int_equal(entries() - before, EXPECTED[way.way].entries);
        char *entry = newest_entry(f.db);
        if (EXPECTED[way.way].has != NULL && strstr(entry, EXPECTED[way.way].has) == NULL)
            fail_msg("way %d: %s", way.way, entry);
        free(entry);
    }
}

/* What is one's own is the password, never the state nor the power. */
static bool promote_job(struct tx *tx, void *arg, struct error *e)
{
    const struct way *w = arg;
    tx_own(tx, w->user);
    return w->way == 0 ? users_set_admin(tx, w->user, true) : users_set_state(tx, w->user, ACCOUNT_SUSPENDED);
}

static bool register_job(struct tx *tx, void *arg, struct error *e)
{
    struct way *w = arg;
    w->user = users_insert(tx, w->way == 0 ? "boss" : "anna", NULL, ACCOUNT_ACTIVE, w->way == 0);
    tx_own(tx, w->user);
    return w->user != 0;
}

static void nobody_makes_themself_an_administrator_unseen(void **state)
{
    struct error e;
    struct way w = {.user = fixture_user(&f, "ivan")};
    for (w.way = 0; w.way < 2; ++w.way)
        assert_false(writer_run(f.writer, promote_job, &w, &e));
    struct way made = {0};
    assert_false(writer_run(f.writer, register_job, &made, &e));
    made.way = 1;
    assert_true(writer_run(f.writer, register_job, &made, &e));
}

static bool session_job(struct tx *tx, void *arg, struct error *e)
{
    const struct way *w = arg;
    if (w->way == OWNS)
        tx_own(tx, w->user);
    return devices_insert(tx, w->user, "DEVICE", NULL, NULL) != 0 && devices_delete_all(tx, w->user, 0);
}

static void a_session_is_its_owners_to_end(void **state)
{
    struct error e;
    struct way w = {.way = OWNS, .user = fixture_user(&f, "pavel")};
    assert_true(writer_run(f.writer, session_job, &w, &e));
    w.way = FORGETS;
    assert_false(writer_run(f.writer, session_job, &w, &e));
}

/* Of one person: more than wait for their entry. */
static size_t handed_over;

static bool many_job(struct tx *tx, void *arg, struct error *e)
{
    const struct way *w = arg;
    if (w->way == ACTS)
        tx_acts(tx, "operator:parta", "test.many");
    size_t waiting = 0;
    for (int i = 0; tx_row_changes(tx)->n == waiting; ++i) {
        if (!users_set_admin(tx, w->user, i % 2 == 0))
            return false;
        ++waiting;
        if (!audit_append_full(tx, NULL))
            return false;
    }
    handed_over = waiting;
    assert_int_equal(tx_row_changes(tx)->n, 0);
    return users_set_admin(tx, w->user, false) && users_set_admin(tx, w->user, true);
}

static bool endless_job(struct tx *tx, void *arg, struct error *e)
{
    const struct way *w = arg;
    for (int i = 0; !tx_row_changes(tx)->too_many && users_set_admin(tx, w->user, i % 2 == 0); ++i)
        continue;
    return w->way != NOTES || note(tx);
}

/* What waits for its entry is bounded: handed over where the job's name is known, else refused beyond a size. */
static void what_waits_is_bounded(void **state)
{
    struct error e;
    struct way w = {.way = ACTS, .user = fixture_user(&f, "many")};
    int64_t before = entries();
    assert_true(writer_run(f.writer, many_job, &w, &e));
    assert_int_equal(entries() - before, (handed_over + AUDIT_LIST_MAX - 1) / AUDIT_LIST_MAX + 1);
    char *entry = newest_entry(f.db);
    assert_non_null(strstr(entry, "\"part_of\":"));
    free(entry);
    for (w.way = FORGETS; w.way <= NOTES; ++w.way)
        assert_false(writer_run(f.writer, endless_job, &w, &e));
}

static int setup(void **state)
{
    fixture_start_school(&f);
    assert_int_equal(sqlite3_open(f.path, &raw), SQLITE_OK);
    make_cases();
    return 0;
}

static int teardown(void **state)
{
    sqlite3_close(raw);
    fixture_stop(&f);
    for (int i = 0; i < 2 * n_cases; ++i)
        free((char *)texts[i].text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_and_column_is_decided_upon),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(a_statement_that_writes_a_guarded_table_says_so),
        cmocka_unit_test(every_guarded_write_is_in_the_entry),
        cmocka_unit_test(no_guarded_write_passes_without_one),
        cmocka_unit_test(a_job_that_forgets_the_log_is_not_done),
        cmocka_unit_test(nobody_makes_themself_an_administrator_unseen),
        cmocka_unit_test(a_session_is_its_owners_to_end),
        cmocka_unit_test(what_waits_is_bounded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
