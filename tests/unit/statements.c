/* Every statement of the server on SQLite: it can be prepared, and says itself which epochs it moves. What it writes is
 * asked of SQLite (its authorizer), so that none can be wrong about itself; the program needs no such help and neither
 * does another driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "homeserver/store/driver/schema.h"
#include "tests/unit/fixture.h"
#include "tests/unit/statement_sets.h"

/* What facts are read from (store/rule_facts.h), and what else is remembered across jobs. Columns that change with
 * every message say nothing about the school. */
static const struct watched {
    const char *table, *column; /* column NULL: any */
    unsigned epochs;
} WATCHED[] = {
    {"roles", NULL, EPOCH_PEOPLE},           {"enrollments", NULL, EPOCH_PEOPLE},
    {"guardianships", NULL, EPOCH_PEOPLE},   {"people", NULL, EPOCH_PEOPLE},
    {"schools", NULL, EPOCH_PEOPLE},         {"classes", NULL, EPOCH_PEOPLE},
    {"users", "state", EPOCH_PEOPLE},        {"users", "kind", EPOCH_PEOPLE},
    {"room_schools", NULL, EPOCH_RECORDS},   {"roster_rooms", NULL, EPOCH_RECORDS},
    {"roster_members", NULL, EPOCH_RECORDS}, {"archived_rooms", NULL, EPOCH_RECORDS},
    {"named_members", NULL, EPOCH_RECORDS},  {"direct_rooms", NULL, EPOCH_RECORDS},
    {"associations", NULL, EPOCH_RECORDS},   {"rooms", "kind", EPOCH_RECORDS},
    {"rooms", "owner", EPOCH_RECORDS},       {"memberships", NULL, EPOCH_LIFE},
    {"room_state", NULL, EPOCH_LIFE},        {"policies", NULL, EPOCH_POLICIES},
};

/* SQLite asks for each table that a statement would write while it is being prepared; all is allowed. A new row writes
 * all columns. */
static int watch(void *arg, int action, const char *table, const char *column, const char *database, const char *by)
{
    unsigned *moved = arg;
    bool whole = action == SQLITE_INSERT || action == SQLITE_DELETE;
    for (size_t i = 0; (whole || action == SQLITE_UPDATE) && i < sizeof WATCHED / sizeof *WATCHED; ++i)
        if (strcmp(WATCHED[i].table, table) == 0 &&
            (whole || WATCHED[i].column == NULL || strcmp(WATCHED[i].column, column) == 0))
            *moved |= WATCHED[i].epochs;
    return SQLITE_OK;
}

struct world {
    struct fixture f;
    sqlite3 *raw;
    unsigned moved;
};

static int setup(void **state)
{
    static struct world w;
    fixture_start(&w.f);
    assert_int_equal(sqlite3_open(w.f.path, &w.raw), SQLITE_OK);
    assert_int_equal(sqlite3_set_authorizer(w.raw, watch, &w.moved), SQLITE_OK);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    sqlite3_close(w->raw);
    fixture_stop(&w->f);
    return 0;
}

static bool prepares(struct world *w, const char *text)
{
    sqlite3_stmt *stmt = NULL;
    w->moved = 0;
    bool done = sqlite3_prepare_v2(w->raw, text, -1, &stmt, NULL) == SQLITE_OK;
    if (!done)
        print_message("# %s\n", sqlite3_errmsg(w->raw));
    sqlite3_finalize(stmt);
    return done;
}

static void what_a_statement_writes_it_says(void **state)
{
    struct world *w = *state;
    int faults = 0, n = 0;
    each_statement_set(set) for (int i = 0; i < set->n; ++i, ++n)
    {
        const struct statement *s = &set->all[i];
        if (s->text != NULL && prepares(w, s->text) && s->epochs == w->moved)
            continue;
        print_message("# %s, %d: says %u, moves %u: %s\n", set->name, i, s->epochs, w->moved, s->text);
        ++faults;
    }
    assert_int_equal(faults, 0);
    assert_true(n > 300);
}

static void no_two_sets_have_one_name(void **state)
{
    each_statement_set(a) each_statement_set(b) assert_true(a == b || strcmp(a->name, b->name) != 0);
}

/* The test must see what it is there for. */
static void a_statement_that_hides_what_it_writes_is_seen(void **state)
{
    struct world *w = *state;
    assert_true(prepares(w, "UPDATE users SET state = $1"));
    assert_int_equal(w->moved, EPOCH_PEOPLE);
    assert_true(prepares(w, "UPDATE users SET admin = $1"));
    assert_int_equal(w->moved, 0);
    assert_true(prepares(w, "INSERT INTO memberships (user_no, room_no, membership, pos) VALUES (1, 1, 'join', 1)"
                            " ON CONFLICT (user_no, room_no) DO UPDATE SET pos = 2"));
    assert_int_equal(w->moved, EPOCH_LIFE);
    assert_true(prepares(w, "DELETE FROM policies WHERE school_no IN (SELECT school_no FROM schools)"));
    assert_int_equal(w->moved, EPOCH_POLICIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_statement_writes_it_says),
        cmocka_unit_test(no_two_sets_have_one_name),
        cmocka_unit_test(a_statement_that_hides_what_it_writes_is_seen),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
