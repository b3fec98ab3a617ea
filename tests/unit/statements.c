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
    {"custodies", NULL, EPOCH_PEOPLE},       {"left_custodies", NULL, EPOCH_PEOPLE},
    {"schools", NULL, EPOCH_PEOPLE},         {"classes", NULL, EPOCH_PEOPLE},
    {"users", "state", EPOCH_PEOPLE},        {"users", "kind", EPOCH_PEOPLE},
    {"room_schools", NULL, EPOCH_RECORDS},   {"roster_rooms", NULL, EPOCH_RECORDS},
    {"roster_members", NULL, EPOCH_RECORDS}, {"archived_rooms", NULL, EPOCH_RECORDS},
    {"named_members", NULL, EPOCH_RECORDS},  {"direct_rooms", NULL, EPOCH_RECORDS},
    {"associations", NULL, EPOCH_RECORDS},   {"rooms", "kind", EPOCH_RECORDS},
    {"rooms", "owner", EPOCH_RECORDS},       {"memberships", NULL, EPOCH_LIFE},
    {"room_state", NULL, EPOCH_LIFE},        {"policies", NULL, EPOCH_POLICIES},
};

/* What facts read beside it, and what never changes as long as its row lives. */
static const char *const FIXED[][2] = {
    {"rooms", "room_no"},
    {"rooms", "creator"},
    {"users", "user_no"},
    {"users", "localpart"},

};

struct world {
    struct fixture f;
    sqlite3 *raw;
    unsigned moved;
    char stale[128]; /* a column that the statement reads and nothing watches; "": none */
};

/* SQLite asks for each column that a statement would read or write while it is being prepared; all is allowed. A new
 * row writes all columns. */
static int watch(void *arg, int action, const char *table, const char *column, const char *database, const char *by)
{
    struct world *w = arg;
    bool whole = action == SQLITE_INSERT || action == SQLITE_DELETE, watched = false;
    if (!whole && action != SQLITE_UPDATE && action != SQLITE_READ)
        return SQLITE_OK;
    for (size_t i = 0; i < sizeof WATCHED / sizeof *WATCHED; ++i) {
        if (strcmp(WATCHED[i].table, table) != 0 ||
            !(whole || WATCHED[i].column == NULL || strcmp(WATCHED[i].column, column) == 0))
            continue;
        watched = true;
        if (action != SQLITE_READ)
            w->moved |= WATCHED[i].epochs;
    }
    for (size_t i = 0; action == SQLITE_READ && i < sizeof FIXED / sizeof *FIXED; ++i)
        watched |= strcmp(FIXED[i][0], table) == 0 && strcmp(FIXED[i][1], column) == 0;
    if (action == SQLITE_READ && !watched && *table != '\0')
        snprintf(w->stale, sizeof w->stale, "%s.%s", table, column);
    return SQLITE_OK;
}

static int setup(void **state)
{
    static struct world w;
    fixture_start(&w.f);
    assert_int_equal(sqlite3_open(w.f.path, &w.raw), SQLITE_OK);
    assert_int_equal(sqlite3_set_authorizer(w.raw, watch, &w), SQLITE_OK);
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
    w->stale[0] = '\0';
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

/* The gate remembers facts until an epoch moves: a fact from what nothing watches would stay as it was
 * (rooms/gate_cache.h). */
static void what_facts_are_read_from_is_watched(void **state)
{
    struct world *w = *state;
    int faults = 0, n = 0;
    each_statement_set(set) for (int i = 0; strcmp(set->name, "rule_facts") == 0 && i < set->n; ++i, ++n)
    {
        assert_true(prepares(w, set->all[i].text));
        if (w->stale[0] == '\0')
            continue;
        print_message("# statement %d reads %s, of which no epoch tells: add it to WATCHED\n", i, w->stale);
        ++faults;
    }
    assert_int_equal(faults, 0);
    assert_true(n > 10);
}

/* Where the SELECT begins that the LIMIT at `at` cuts off, and whether it has an order. */
static const char *cut_off(const char *text, const char *at, bool *ordered)
{
    int depth = 0;
    *ordered = false;
    while (at > text && depth <= 0) {
        --at;
        depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
        *ordered |= depth == 0 && strncmp(at, "ORDER BY", 8) == 0;
    }
    return depth > 0 ? at + 1 : at;
}

/* What is cut off without an order all the same. */
static const char *const ANY_WILL_DO[][3] = {
    {"events", "s.type = 'm.room.member' LIMIT $2",
     "who is not among them is looked up alone (sync/sections/room_state.c)"},
};

static bool any_will_do(const char *set, const char *text, const char *select)
{
    for (size_t i = 0; i < sizeof ANY_WILL_DO / sizeof *ANY_WILL_DO; ++i)
        if (strcmp(set, ANY_WILL_DO[i][0]) == 0 && strstr(text, ANY_WILL_DO[i][1]) != NULL)
            return true;
    return strncmp(select, "SELECT 1 ", 9) == 0 ||
           strncmp(text, "DELETE ", 7) == 0; /* whether there is one; the rest later */
}

/* Which rows come would be whatever the database finds first: today these, on another day or driver others, and some
 * perhaps never. */
static void what_is_cut_off_has_an_order(void **state)
{
    int faults = 0, n = 0;
    bool ordered;
    (void)state;
    each_statement_set(set) for (int i = 0; i < set->n; ++i)
    {
        const char *text = set->all[i].text;
        for (const char *at = strstr(text, " LIMIT "); at != NULL; at = strstr(at + 1, " LIMIT "), ++n) {
            const char *select = cut_off(text, at, &ordered);
            if (ordered || any_will_do(set->name, text, select))
                continue;
            print_message("# %s, %d: LIMIT without ORDER BY: %s\n", set->name, i, text);
            ++faults;
        }
    }
    assert_int_equal(faults, 0);
    assert_true(n > 50);
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
    assert_true(prepares(w, "SELECT r.user_no FROM roles r JOIN users u ON u.user_no = r.user_no WHERE u.state = $1"));
    assert_string_equal(w->stale, "");
    assert_true(prepares(w, "SELECT count(*) FROM reports"));
    assert_string_equal(w->stale, "reports.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_statement_writes_it_says),
        cmocka_unit_test(what_facts_are_read_from_is_watched),
        cmocka_unit_test(no_two_sets_have_one_name),
        cmocka_unit_test(what_is_cut_off_has_an_order),
        cmocka_unit_test(a_statement_that_hides_what_it_writes_is_seen),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
