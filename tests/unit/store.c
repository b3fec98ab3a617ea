/* The database door and the writer: groups, refusals, failures, and what survives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "homeserver/store/driver/db_private.h"
#include "homeserver/store/driver/schema.h"
#include "homeserver/store/matrix/users.h"
#include "tests/unit/fixture.h"

static int setup(void **state)
{
    static struct fixture f;
    fixture_start(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_stop(*state);
    return 0;
}

struct adding {
    const char *localpart;
    bool refuse;
    stream_pos pos;
    int *undone;
};

static void undo(void *arg)
{
    *(int *)arg += 1;
}

static bool add_job(struct tx *tx, void *arg, struct error *e)
{
    struct adding *a = arg;
    fixture_acts(tx);
    a->pos = tx_next_pos(tx);
    tx_change(tx, (struct change){.kind = CHANGE_PROFILE, .pos = a->pos});
    if (a->undone != NULL)
        tx_on_rollback(tx, undo, a->undone);
    users_insert(tx, a->localpart, NULL, ACCOUNT_ACTIVE, false);
    return !a->refuse || error_set(e, ERROR_FORBIDDEN, "no");
}

static void a_committed_job_is_there_and_a_refused_one_is_not(void **state)
{
    struct fixture *f = *state;
    struct error e;
    int undone = 0;
    struct adding good = {"anna", .undone = &undone}, bad = {"boris", .refuse = true, .undone = &undone};
    assert_true(writer_run(f->writer, add_job, &good, &e));
    assert_int_equal(undone, 0);
    assert_false(writer_run(f->writer, add_job, &bad, &e));
    assert_int_equal(e.code, ERROR_FORBIDDEN);
    assert_int_equal(undone, 1);
    assert_true(users_no(f->db, "anna") != 0);
    assert_true(users_no(f->db, "boris") == 0);
    assert_true(writer_pos(f->writer) >= good.pos);
}

/* It hides that the name was taken and answers true; in PostgreSQL its transaction would be gone. */
static bool heedless_job(struct tx *tx, void *arg, struct error *e)
{
    static const struct statement TEXTS[] = {{"INSERT INTO users (localpart, created_ms) VALUES ($1, 1)"}};
    static const struct statements HEEDLESS = {"heedless", TEXTS, 1};
    fixture_acts(tx);
    users_insert(tx, "heedless", NULL, ACCOUNT_ACTIVE, false);
    bool broken = !db_run(tx->db, &HEEDLESS, 0, "t", arg) && db_failed(tx->db);
    users_insert(tx, "later", NULL, ACCOUNT_ACTIVE, false);
    return broken;
}

static void a_job_does_not_go_on_after_a_broken_constraint(void **state)
{
    struct fixture *f = *state;
    struct error e;
    struct adding first = {"taken"}, next = {"next"};
    assert_true(writer_run(f->writer, add_job, &first, &e));
    assert_false(writer_run(f->writer, heedless_job, "taken", &e));
    assert_int_equal(e.code, ERROR_UNKNOWN);
    assert_true(users_no(f->db, "heedless") == 0 && users_no(f->db, "later") == 0);
    assert_true(writer_run(f->writer, add_job, &next, &e));
}

static bool taken_job(struct tx *tx, void *arg, struct error *e)
{
    fixture_acts(tx);
    *(bool *)arg = users_insert(tx, "taken", NULL, ACCOUNT_ACTIVE, false) == 0 && !db_failed(tx->db);
    return true;
}

static void a_name_that_is_taken_breaks_nothing(void **state)
{
    struct fixture *f = *state;
    struct error e;
    bool refused = false;
    assert_true(writer_run(f->writer, taken_job, &refused, &e));
    assert_true(refused);
}

static void a_statement_asked_again_while_it_runs_is_a_failure(void **state)
{
    static const struct statement TEXTS[] = {{"SELECT 1 UNION ALL SELECT 2"}, {"SELECT $1"}};
    static const struct statements SET = {"recursion", TEXTS, 2};
    struct fixture *f = *state;
    struct stmt *q = db_query(f->db, &SET, 0, "");
    assert_true(stmt_next(q));
    assert_int_equal(db_int(f->db, &SET, 1, 0, "i", (int64_t)7), 7); /* another one may */
    assert_false(db_failed(f->db));
    assert_int_equal(db_int(f->db, &SET, 0, 0, ""), 0);
    assert_true(db_failed(f->db));
    db_settle(f->db);
    assert_true(stmt_next(q));
    assert_int_equal(col_int(q, 0), 2);
    stmt_end(q);
    assert_int_equal(db_int(f->db, &SET, 0, 0, ""), 1);
    assert_false(db_failed(f->db));
}

static void positions_rise_and_survive_a_restart(void **state)
{
    struct fixture *f = *state;
    struct error e;
    struct adding before = {"vera"}, after = {"gleb"};
    assert_true(writer_run(f->writer, add_job, &before, &e));
    fixture_restart(f);
    assert_true(writer_pos(f->writer) >= before.pos);
    assert_true(writer_run(f->writer, add_job, &after, &e));
    assert_true(after.pos > before.pos);
}

static bool many_positions_job(struct tx *tx, void *arg, struct error *e)
{
    stream_pos last = 0;
    for (int i = 0; i < 25000; ++i) {
        stream_pos pos = tx_next_pos(tx);
        if (pos <= last)
            return false;
        last = pos;
    }
    *(stream_pos *)arg = last;
    return e->code == ERROR_NONE;
}

static void a_job_may_take_more_positions_than_were_reserved(void **state)
{
    struct fixture *f = *state;
    struct error e;
    stream_pos last;
    assert_true(writer_run(f->writer, many_positions_job, &last, &e));
    fixture_restart(f);
    assert_true(writer_pos(f->writer) >= last);
}

/* Every n-th call of the database fails, as on a full disk: each time the job is refused whole or done whole. */
static void whatever_call_fails_nothing_is_half_done(void **state)
{
    struct fixture *f = *state;
    char name[16];
    int refused = 0;
    for (int n = 1; n < 12; ++n) {
        struct error e;
        snprintf(name, sizeof name, "fault%d", n);
        struct adding job = {name};
        db_fail_after(writer_db_for_tests(f->writer), n);
        bool done = writer_run(f->writer, add_job, &job, &e);
        db_fail_after(writer_db_for_tests(f->writer), 0);
        assert_int_equal(done, users_no(f->db, name) != 0);
        if (!done) {
            assert_int_equal(e.code, ERROR_UNKNOWN);
            ++refused;
        }
        struct adding again = {name};
        writer_run(f->writer, add_job, &again, &e);
        assert_true(users_no(f->db, name) != 0); /* the writer goes on */
    }
    assert_true(refused > 0);
}

struct crowd {
    struct fixture *f;
    int from;
    int done;
};

static void *add_many(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < 50; ++i) {
        char name[24];
        struct error e;
        snprintf(name, sizeof name, "crowd%d", c->from + i);
        struct adding job = {name, .refuse = i % 5 == 4};
        c->done += writer_run(c->f->writer, add_job, &job, &e);
    }
    return NULL;
}

static void many_threads_share_groups_and_lose_nothing(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[8];
    struct crowd crowds[8];
    int64_t groups, jobs, groups_before, jobs_before;
    writer_counts(f->writer, &groups_before, &jobs_before);
    int64_t before = users_count(f->db);
    for (int i = 0; i < 8; ++i) {
        crowds[i] = (struct crowd){f, i * 1000, 0};
        pthread_create(&threads[i], NULL, add_many, &crowds[i]);
    }
    for (int i = 0; i < 8; ++i) {
        pthread_join(threads[i], NULL);
        assert_int_equal(crowds[i].done, 40);
    }
    writer_counts(f->writer, &groups, &jobs);
    assert_int_equal(users_count(f->db) - before, 320);
    assert_int_equal(jobs - jobs_before, 320);
    assert_true(groups - groups_before <= 400);
}

struct heard {
    size_t n;
    stream_pos last;
    bool in_order;
};

static void listen_to(void *self, const struct change *changes, size_t n)
{
    struct heard *h = self;
    for (size_t i = 0; i < n; ++i) {
        h->in_order = h->in_order && changes[i].pos > h->last;
        h->last = changes[i].pos;
        h->n += 1;
    }
}

static void observers_hear_commits_in_order_and_refusals_never(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.in_order = true};
    struct error e;
    writer_observe(f->writer, listen_to, &heard);
    for (int i = 0; i < 10; ++i) {
        char name[16];
        snprintf(name, sizeof name, "heard%d", i);
        struct adding job = {name, .refuse = i % 2 == 1};
        writer_run(f->writer, add_job, &job, &e);
    }
    assert_int_equal(heard.n, 5);
    assert_true(heard.in_order);
}

/* --- Jobs that may be repeated --- */

#define AT_ONCE 6

enum ending { KEEPS, REFUSES, LEAVES_A_ROW, LEAVES_A_POSITION, LEAVES_AN_UNDO, LEAVES_A_CHANGE, BREAKS, IS_NOT_LOGGED };

/* A job of a group; its row is called after the group's name and its number. */
struct together {
    const char *group;
    int number;
    enum ending ending;
    bool alone; /* it may not be repeated */
    int ran;
    stream_pos pos;
    struct error e;
    bool told, ok;
};

static int undone_together;

static void fall(struct tx *tx, const struct together *t)
{
    static const struct statement TEXTS[] = {{"INSERT INTO users (localpart, created_ms) VALUES ('taken', 1)"}};
    static const struct statements BROKEN = {"broken", TEXTS, 1};
    switch (t->ending) {
    case LEAVES_A_ROW: users_insert(tx, "left-behind", NULL, ACCOUNT_ACTIVE, false); break;
    case LEAVES_A_POSITION: tx_next_pos(tx); break;
    case LEAVES_AN_UNDO: tx_on_rollback(tx, undo, &undone_together); break;
    case LEAVES_A_CHANGE: tx_change(tx, (struct change){.kind = CHANGE_PROFILE, .pos = INT64_MAX}); break;
    case BREAKS: db_run(tx->db, &BROKEN, 0, ""); break;
    default: break;
    }
}

static bool together_job(struct tx *tx, void *arg, struct error *e)
{
    char name[32];
    struct together *t = arg;
    t->ran += 1;
    assert_int_equal(e->code, ERROR_NONE); /* of no earlier try */
    if (t->ending != IS_NOT_LOGGED)
        fixture_acts(tx);
    if (t->ending != KEEPS && t->ending != BREAKS && t->ending != IS_NOT_LOGGED) {
        fall(tx, t);
        return error_set(e, ERROR_FORBIDDEN, "no");
    }
    snprintf(name, sizeof name, "%s%d", t->group, t->number);
    t->pos = tx_next_pos(tx);
    tx_change(tx, (struct change){.kind = CHANGE_PROFILE, .pos = t->pos});
    users_insert(tx, name, NULL, ACCOUNT_ACTIVE, false);
    fall(tx, t);
    return true;
}

static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool entered, open;
    int told;
} door = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};

static int fail_after; /* the so-manieth call after the door's group; 0: none does */

static bool nothing_job(struct tx *tx, void *arg, struct error *e)
{
    return true;
}

static bool door_job(struct tx *tx, void *arg, struct error *e)
{
    pthread_mutex_lock(&door.lock);
    door.entered = true;
    pthread_cond_broadcast(&door.moved);
    while (!door.open)
        pthread_cond_wait(&door.moved, &door.lock);
    pthread_mutex_unlock(&door.lock);
    if (fail_after != 0)
        db_fail_after(tx->db, fail_after + 2); /* its own end, and the commit, come before */
    fail_after = 0;
    return true;
}

static void told(void *arg, bool ok)
{
    struct together *t = arg;
    pthread_mutex_lock(&door.lock);
    if (t != NULL) {
        t->told = true;
        t->ok = ok;
    }
    door.told += 1;
    pthread_cond_broadcast(&door.moved);
    pthread_mutex_unlock(&door.lock);
}

static bool jobs_any(const struct together *jobs, int n)
{
    while (n > 0 && !jobs[n - 1].ok)
        --n;
    return n > 0;
}

/* All of them in one group: they are queued while the writer is in another. */
static void run_group(struct fixture *f, const char *group, struct together *jobs, int n)
{
    struct error e;
    int64_t groups, before, n_jobs;
    door.entered = door.open = false;
    door.told = 0;
    writer_counts(f->writer, &before, &n_jobs);
    writer_submit(f->writer, door_job, NULL, &e, told, NULL);
    pthread_mutex_lock(&door.lock);
    while (!door.entered)
        pthread_cond_wait(&door.moved, &door.lock);
    pthread_mutex_unlock(&door.lock);
    for (int i = 0; i < n; ++i) {
        jobs[i].group = group;
        jobs[i].number = i;
        (jobs[i].alone ? writer_submit : writer_submit_repeatable)(f->writer, together_job, &jobs[i], &jobs[i].e, told,
                                                                   &jobs[i]);
    }
    pthread_mutex_lock(&door.lock);
    door.open = true;
    pthread_cond_broadcast(&door.moved);
    while (door.told != n + 1)
        pthread_cond_wait(&door.moved, &door.lock);
    pthread_mutex_unlock(&door.lock);
    writer_counts(f->writer, &groups, &n_jobs);
    assert_int_equal(groups - before, jobs_any(jobs, n) ? 2 : 1);
}

/* Who was accepted is there, once, in order and without gaps; of the one at fault nothing is. */
static void check_group(struct fixture *f, const struct together *jobs, int n, int at_fault, stream_pos after)
{
    for (int i = 0; i < n; ++i) {
        char name[32];
        snprintf(name, sizeof name, "%s%d", jobs[i].group, i);
        assert_int_equal(users_no(f->db, name) != 0, i != at_fault);
        assert_int_equal(jobs[i].ok, i != at_fault);
        assert_true(jobs[i].told);
        if (i == at_fault)
            assert_int_equal(jobs[i].e.code, jobs[i].ending < BREAKS ? ERROR_FORBIDDEN : ERROR_UNKNOWN);
        else
            assert_int_equal(jobs[i].pos, ++after);
    }
    assert_int_equal(users_no(f->db, "left-behind"), 0);
}

/* In the midst of those that may be repeated one refuses or fails: the others are there as if it had never been. If it
 * left nothing, nobody ran twice; else those that ran before it did, with it, and after that each goes back alone for a
 * while. */
static void repeatable_jobs_stand_and_fall_by_themselves(void **state)
{
    enum { AT_FAULT = 3 };
    for (int ending = REFUSES; ending <= IS_NOT_LOGGED; ++ending) {
        struct fixture f;
        struct heard heard = {.in_order = true};
        struct adding taken = {"taken"};
        struct error e;
        fixture_start(&f);
        writer_observe(f.writer, listen_to, &heard);
        assert_true(writer_run(f.writer, add_job, &taken, &e));
        size_t heard_before = heard.n;
        undone_together = 0;
        struct together jobs[AT_ONCE] = {[AT_FAULT] = {.ending = (enum ending)ending}},
                        again[AT_ONCE] = {[AT_FAULT] = {.ending = (enum ending)ending}};
        run_group(&f, "first", jobs, AT_ONCE);
        check_group(&f, jobs, AT_ONCE, AT_FAULT, taken.pos);
        for (int i = 0; i < AT_ONCE; ++i)
            assert_int_equal(jobs[i].ran, ending != REFUSES && i <= AT_FAULT ? 2 : 1);
        assert_int_equal(undone_together, ending == LEAVES_AN_UNDO ? 2 : 0);
        run_group(&f, "second", again, AT_ONCE);
        check_group(&f, again, AT_ONCE, AT_FAULT, jobs[AT_ONCE - 1].pos);
        for (int i = 0; i < AT_ONCE; ++i)
            assert_int_equal(again[i].ran, 1);
        assert_int_equal(heard.n - heard_before, 2 * (AT_ONCE - 1));
        assert_true(heard.in_order);
        fixture_stop(&f);
    }
}

/* Who may not be repeated is not: between the others, with a stretch of them on each side. */
static void who_may_not_be_repeated_runs_once(void **state)
{
    struct fixture f;
    struct adding first = {"first"};
    struct error e;
    fixture_start(&f);
    assert_true(writer_run(f.writer, add_job, &first, &e));
    struct together jobs[] = {{0}, {0}, {.alone = true}, {0}, {.ending = LEAVES_A_ROW}, {0}};
    run_group(&f, "mixed", jobs, AT_ONCE);
    check_group(&f, jobs, AT_ONCE, 4, first.pos);
    static const int RAN[AT_ONCE] = {1, 1, 1, 2, 2, 1};
    for (int i = 0; i < AT_ONCE; ++i)
        assert_int_equal(jobs[i].ran, RAN[i]);
    fixture_stop(&f);
}

/* Whichever call of the group fails, each job is whole or not there, as it was told. */
static void whatever_call_fails_repeatable_jobs_are_whole(void **state)
{
    struct fixture f;
    int failed = 0;
    fixture_start(&f);
    for (int n = 1; n <= 60; ++n) {
        char group[16], name[32];
        struct together jobs[AT_ONCE] = {0};
        snprintf(group, sizeof group, "n%d-", n);
        for (int i = 0; i < 64; ++i) /* after a failure each has a savepoint of its own for so long */
            assert_true(writer_run(f.writer, nothing_job, NULL, &(struct error){0}));
        fail_after = n;
        run_group(&f, group, jobs, AT_ONCE);
        db_fail_after(writer_db_for_tests(f.writer), 0);
        for (int i = 0; i < AT_ONCE; ++i) {
            snprintf(name, sizeof name, "%s%d", group, i);
            assert_int_equal(users_no(f.db, name) != 0, jobs[i].ok);
            failed += !jobs[i].ok;
        }
    }
    assert_true(failed > 0);
    fixture_stop(&f);
}

static void a_newer_database_is_refused(void **state)
{
    struct fixture f;
    fixture_start(&f);
    struct error e;
    struct adding job = {"zoya"};
    assert_true(writer_run(f.writer, add_job, &job, &e));
    struct db *db = db_open(f.path, DB_WRITE, NULL);
    assert_true(db_script(db, "PRAGMA user_version=9999"));
    db_close(db);
    assert_null(writer_start(f.path, NULL));
    db = db_open(f.path, DB_WRITE, NULL);
    assert_true(db_script(db, "PRAGMA user_version=0"));
    db_close(db);
    fixture_stop(&f);
}

static char *change_of(const char *kind, const char *name)
{
    struct text sql = TEXT_INIT;
    if (strcmp(kind, "index") == 0)
        text_addf(&sql, "DROP INDEX %s", name);
    else
        text_addf(&sql, "ALTER TABLE %s ADD COLUMN of_another_branch TEXT", name);
    return text_take(&sql);
}

/* Each table with a column more, each index missing, something more; and back. */
static void a_database_that_is_not_what_its_number_says_is_refused(void **state)
{
    enum { OBJECTS };
    static const struct statement TEXTS[] = {
        [OBJECTS] = "SELECT type, name FROM sqlite_master WHERE name NOT GLOB 'sqlite_*' ORDER BY name"};
    static const struct statements MASTER = {"master", TEXTS, 1};
    struct db *db = db_open(":memory:", DB_WRITE, NULL);
    assert_true(schema_migrate(db));
    assert_true(schema_migrate(db));
    char *changes[512] = {xstrdup("CREATE TABLE more (a TEXT)"),
                          xstrdup("CREATE TRIGGER t AFTER DELETE ON events BEGIN"
                                  " DELETE FROM users; END"),
                          xstrdup("CREATE VIEW aaa AS SELECT 1")};
    size_t n = 3;
    struct stmt *q = db_query(db, &MASTER, OBJECTS, "");
    for (; stmt_next(q) && n < sizeof changes / sizeof *changes; ++n)
        changes[n] = change_of(col_text(q, 0), col_text(q, 1));
    stmt_end(q);
    assert_true(n > 100);
    for (size_t i = 0; i < n; ++i) {
        assert_true(db_script(db, "BEGIN"));
        assert_true(db_script(db, changes[i]));
        assert_false(schema_check(db));
        assert_true(db_script(db, "ROLLBACK"));
        free(changes[i]);
    }
    assert_true(schema_check(db));
    assert_true(db_script(db, "PRAGMA application_id=0")); /* of an older program, that kept none */
    assert_true(schema_migrate(db));
    assert_true(db_script(db, "ALTER TABLE users ADD COLUMN mine TEXT"));
    assert_false(schema_migrate(db));
    db_close(db);
}

static void a_database_of_something_else_is_refused(void **state)
{
    struct db *db = db_open(":memory:", DB_WRITE, NULL);
    assert_true(db_script(db, "CREATE TABLE accounts (a TEXT)"));
    assert_false(schema_migrate(db));
    assert_int_equal(driver_schema(db), 0);
    db_close(db);
}

/* Migration 4 lays three tables out anew. */
static void a_new_layout_keeps_every_row(void **state)
{
    enum { ROWS, WITH_ROWID, INDICES, N };
    static const struct statement TEXTS[N] = {
        [ROWS] =
            "SELECT (SELECT count(*) FROM room_state WHERE room_no = 1 AND type = 'a' AND state_key = 'b' AND pos = 7)"
            " + (SELECT count(*) FROM memberships WHERE user_no = 1 AND room_no = 1 AND membership = 'ban'"
            " AND pos = 8 AND joined_pos = 3 AND forgotten = 1)"
            " + (SELECT count(*) FROM roster_members WHERE room_no = 1 AND user_no = 1 AND power = 50)",
        [WITH_ROWID] = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%WITHOUT ROWID%'"
                       " AND name IN ('room_state', 'memberships', 'roster_members')",
        [INDICES] = "SELECT count(*) FROM sqlite_master WHERE name IN ('memberships_room', 'roster_members_user',"
                    " 'roster_members_power')",
    };
    static const struct statements LAYOUT = {"layout", TEXTS, N};
    struct db *db = db_open(":memory:", DB_WRITE, NULL);
    assert_true(schema_migrate_to(db, 3));
    assert_int_equal(db_int(db, &LAYOUT, WITH_ROWID, -1, ""), 3);
    assert_true(db_script(db, "INSERT INTO users (user_no, localpart, created_ms) VALUES (1, 'anna', 1);"
                              "INSERT INTO rooms (room_no, room_id, version, creator, created_ms)"
                              " VALUES (1, '!a', '12', 1, 1);"
                              "INSERT INTO room_state VALUES (1, 'a', 'b', 7);"
                              "INSERT INTO memberships VALUES (1, 1, 'ban', 8, 3, 1);"
                              "INSERT INTO roster_members VALUES (1, 1, 50);"));
    assert_true(schema_migrate(db));
    assert_int_equal(db_int(db, &LAYOUT, ROWS, -1, ""), 3);
    assert_int_equal(db_int(db, &LAYOUT, WITH_ROWID, -1, ""), 0);
    assert_int_equal(db_int(db, &LAYOUT, INDICES, -1, ""), 3);
    db_close(db);
}

static int64_t cache_size(struct fixture *f)
{
    enum { SIZE };
    static const struct statement TEXTS[] = {[SIZE] = "PRAGMA cache_size"};
    static const struct statements CACHE = {"cache", TEXTS, 1};
    return db_int(writer_db_for_tests(f->writer), &CACHE, SIZE, 0, "");
}

struct bulk {
    struct fixture *f;
    int64_t inside; /* pages, or −KiB */
};

static bool bulk_job(struct tx *tx, void *arg, struct error *e)
{
    struct bulk *bulk = arg;
    tx_bulk(tx);
    bulk->inside = cache_size(bulk->f);
    return true;
}

static void a_large_job_has_more_memory_until_it_ends(void **state)
{
    struct fixture *f = *state;
    struct error e;
    int64_t before = cache_size(f);
    struct bulk bulk = {.f = f};
    assert_true(writer_run(f->writer, bulk_job, &bulk, &e));
    assert_true(-bulk.inside > -before);
    assert_int_equal(cache_size(f), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_committed_job_is_there_and_a_refused_one_is_not),
        cmocka_unit_test(a_job_does_not_go_on_after_a_broken_constraint),
        cmocka_unit_test(a_name_that_is_taken_breaks_nothing),
        cmocka_unit_test(a_statement_asked_again_while_it_runs_is_a_failure),
        cmocka_unit_test(positions_rise_and_survive_a_restart),
        cmocka_unit_test(a_job_may_take_more_positions_than_were_reserved),
        cmocka_unit_test(whatever_call_fails_nothing_is_half_done),
        cmocka_unit_test(many_threads_share_groups_and_lose_nothing),
        cmocka_unit_test(observers_hear_commits_in_order_and_refusals_never),
        cmocka_unit_test(repeatable_jobs_stand_and_fall_by_themselves),
        cmocka_unit_test(who_may_not_be_repeated_runs_once),
        cmocka_unit_test(whatever_call_fails_repeatable_jobs_are_whole),
        cmocka_unit_test(a_newer_database_is_refused),
        cmocka_unit_test(a_database_that_is_not_what_its_number_says_is_refused),
        cmocka_unit_test(a_database_of_something_else_is_refused),
        cmocka_unit_test(a_new_layout_keeps_every_row),
        cmocka_unit_test(a_large_job_has_more_memory_until_it_ends),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
