#include "homeserver/store/driver/db_private.h"

#include <stdlib.h>

#include "homeserver/base/log.h"
#include "homeserver/base/text.h"

static void fail(struct db *db, const char *what)
{
    if (!db->failed && storage_note(db->storage, driver_storage_problem(db)))
        log_error("store", "%s: %s", what, driver_problem(db));
    db->failed = true;
}

struct db *db_open(const char *path, enum db_mode mode, const struct db_options *options)
{
    static const struct db_options DEFAULTS = {.durable = true};
    struct db *db = xcalloc(1, sizeof *db);
    db->broken.db = db;
    db->writes = mode == DB_WRITE;
    db->storage = options != NULL ? options->storage : NULL;
    db->in_transactions = options != NULL && options->in_transactions;
    if (driver_open(db, path, options != NULL ? options : &DEFAULTS))
        return db;
    fail(db, path);
    db_close(db);
    return NULL;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    for (int s = 0; s < db->n_sets; ++s) {
        for (int i = 0; i < db->sets[s].set->n; ++i)
            driver_finalize(&db->sets[s].stmts[i]);
        free(db->sets[s].stmts);
    }
    driver_watch_end(db);
    driver_close(db);
    row_changes_finish(&db->changes);
    free(db);
}

bool db_failed(const struct db *db)
{
    return db->failed;
}

void db_settle(struct db *db)
{
    db->failed = false;
}

bool db_writes(const struct db *db)
{
    return db->writes;
}

/* --- Statements --- */

static struct stmt *place_of(struct db *db, const struct statements *set, int which)
{
    size_t slot = (uintptr_t)set / sizeof *set % SLOTS;
    for (; db->slots[slot] != 0; slot = (slot + 1) % SLOTS)
        if (db->sets[db->slots[slot] - 1].set == set)
            return &db->sets[db->slots[slot] - 1].stmts[which];
    if (db->n_sets == SETS_MAX)
        abort();
    struct prepared *p = &db->sets[db->n_sets++];
    db->slots[slot] = (unsigned char)db->n_sets;
    *p = (struct prepared){set, xcalloc((size_t)set->n, sizeof *p->stmts)};
    return &p->stmts[which];
}

static struct stmt *prepared(struct db *db, const struct statements *set, int which)
{
    struct stmt *stmt = place_of(db, set, which);
    if (stmt->raw != NULL && driver_running(stmt)) {
        if (!db->failed)
            log_error("store", "asked again while it runs: %s", set->all[which].text);
        db->failed = true; /* a bug; the statement that runs keeps its rows */
        return &db->broken;
    }
    if (stmt->raw != NULL)
        return stmt;
    stmt->db = db;
    stmt->of = &set->all[which];
    if (driver_prepare(stmt))
        return stmt;
    fail(db, stmt->of->text);
    return &db->broken;
}

void db_fail_after(struct db *db, int n)
{
    db->fail_after = n;
}

int64_t db_rows_read(const struct db *db)
{
    return db->rows_read;
}

/* Whether it would commit by itself what belongs to others. */
static bool stands_alone(const struct stmt *stmt, const struct statements *set)
{
    return stmt->db->in_transactions && set != &driver_transaction && !driver_reads(stmt) &&
           !db_in_transaction(stmt->db);
}

static struct stmt *query(struct db *db, const struct statements *set, int which, const char *formats, va_list ap)
{
    if (db->fail_after != 0 && --db->fail_after == 0) {
        db->failed = true;
        return &db->broken;
    }
    struct stmt *stmt = prepared(db, set, which);
    if (stmt->raw != NULL && stands_alone(stmt, set)) {
        if (!db->failed) /* nothing has failed before it: a bug */
            log_error("store", "in no transaction: %s", set->all[which].text);
        db->failed = true;
        return &db->broken;
    }
    if (stmt->raw != NULL && !driver_bind(stmt, formats, ap))
        fail(db, stmt->of->text);
    return stmt;
}

struct stmt *db_query(struct db *db, const struct statements *set, int which, const char *formats, ...)
{
    va_list ap;
    va_start(ap, formats);
    struct stmt *stmt = query(db, set, which, formats, ap);
    va_end(ap);
    return stmt;
}

bool stmt_next(struct stmt *stmt)
{
    if (stmt->raw == NULL)
        return false;
    bool watch = stmt->db->guarded && stmt->of->guarded != NULL && stmt->of->guarded[0] == '\0'; /* J2 */
    if (watch)
        driver_watch(stmt->db, true);
    enum driver_step step = driver_step(stmt);
    if (watch)
        driver_watch(stmt->db, false);
    if (stmt->of->epochs != 0 && (step == STEP_ROW || driver_touched(stmt) != 0))
        db_epoch_next(stmt->db, stmt->of->epochs);
    if (step == STEP_FAILED)
        fail(stmt->db, stmt->of->text);
    stmt->db->rows_read += step == STEP_ROW;
    return step == STEP_ROW;
}

void stmt_end(struct stmt *stmt)
{
    if (stmt != NULL && stmt->raw != NULL)
        driver_reset(stmt);
}

/* How many rows it wrote; -1: it failed. first: gets column 0 of the first row, may be NULL. Goes to the end also when
 * rows come: only then has every database said whether what it wrote may be. */
static int run(struct db *db, const struct statements *set, int which, const char *formats, va_list ap, int64_t *first)
{
    struct stmt *stmt = query(db, set, which, formats, ap);
    for (bool begun = false; stmt_next(stmt); begun = true)
        if (!begun && first != NULL)
            *first = col_int(stmt, 0);
    int rows = db->failed ? -1 : driver_touched(stmt);
    stmt_end(stmt);
    return rows;
}

bool db_run(struct db *db, const struct statements *set, int which, const char *formats, ...)
{
    va_list ap;
    va_start(ap, formats);
    int rows = run(db, set, which, formats, ap, NULL);
    va_end(ap);
    return rows >= 0;
}

int db_rows(struct db *db, const struct statements *set, int which, const char *formats, ...)
{
    va_list ap;
    va_start(ap, formats);
    int rows = run(db, set, which, formats, ap, NULL);
    va_end(ap);
    return rows > 0 ? rows : 0;
}

int64_t db_insert(struct db *db, const struct statements *set, int which, const char *formats, ...)
{
    va_list ap;
    int64_t no = 0;
    va_start(ap, formats);
    int rows = run(db, set, which, formats, ap, &no);
    va_end(ap);
    return rows > 0 ? no : 0;
}

int64_t db_int(struct db *db, const struct statements *set, int which, int64_t otherwise, const char *formats, ...)
{
    va_list ap;
    va_start(ap, formats);
    struct stmt *stmt = query(db, set, which, formats, ap);
    va_end(ap);
    if (stmt_next(stmt) && !col_null(stmt, 0))
        otherwise = col_int(stmt, 0);
    stmt_end(stmt);
    return otherwise;
}

char *db_text(struct db *db, const struct statements *set, int which, const char *formats, ...)
{
    va_list ap;
    char *found = NULL;
    va_start(ap, formats);
    struct stmt *stmt = query(db, set, which, formats, ap);
    va_end(ap);
    if (stmt_next(stmt) && !col_null(stmt, 0))
        found = xstrdup(col_text(stmt, 0));
    stmt_end(stmt);
    return found;
}

bool db_script(struct db *db, const char *text)
{
    db_epoch_next(db, EPOCH_ALL);
    if (driver_script(db, text))
        return true;
    fail(db, "script");
    return false;
}

/* --- Transactions --- */

bool db_transaction(struct db *db, enum db_transaction verb)
{
    return db_run(db, &driver_transaction, verb, "");
}

void db_begin_read(struct db *db)
{
    if (db->reading++ == 0)
        db_transaction(db, DB_BEGIN_READ);
}

/* Not by db_transaction: the snapshot must go also when a test has made the next statement fail. */
void db_end_read(struct db *db)
{
    if (--db->reading != 0 || !db_in_transaction(db))
        return;
    struct stmt *commit = prepared(db, &driver_transaction, DB_COMMIT);
    stmt_next(commit);
    stmt_end(commit);
}

/* --- Guarded rows --- */

bool db_guard(struct db *db)
{
    db->guarded = driver_watch_begin(db);
    if (!db->guarded)
        fail(db, "guarded tables");
    return db->guarded;
}

struct row_changes *db_row_changes(struct db *db)
{
    return db->guarded ? &db->changes : NULL;
}

/* --- Epochs --- */

int64_t db_epoch(const struct db *db, unsigned epochs)
{
    int64_t sum = 0; /* each only rises: so does the sum */
    for (int i = 0; i < EPOCHS; ++i)
        sum += (epochs & 1u << i) != 0 ? db->epochs[i] : 0;
    return sum;
}

void db_epoch_next(struct db *db, unsigned epochs)
{
    for (int i = 0; i < EPOCHS; ++i)
        db->epochs[i] += (epochs & 1u << i) != 0;
}
