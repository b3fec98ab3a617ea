#include "homeserver/store/driver/db.h"

#include <malloc.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/log.h"
#include "homeserver/base/text.h"

#define CACHE_KIB 512               /* of a connection, unless it says otherwise */
#define GROWN_CACHE_KIB (128 << 10) /* while a job touches much */
#define SETS_MAX 96                 /* files of store/ with statements */

struct prepared {
    const struct statements *set;
    struct stmt *stmts;
};

struct stmt {
    struct db *db;
    sqlite3_stmt *raw; /* NULL: not prepared yet, or could not be */
    unsigned epochs;   /* enum db_epochs: of the tables that it writes */
};

struct db {
    sqlite3 *raw;
    struct prepared sets[SETS_MAX];
    int n_sets;
    int cache_kib;
    int reading;    /* depth of db_begin_read */
    int fail_after; /* db_fail_after */
    bool failed, conflict;
    bool writes;
    unsigned preparing;     /* enum db_epochs: of the statement being prepared */
    int64_t epochs[EPOCHS]; /* how often each was raised */
    struct stmt broken;     /* answered when preparing failed: a statement without rows */
};

static void fail(struct db *db, const char *what)
{
    if (!db->failed)
        log_error("store", "%s: %s", what, db->raw != NULL ? sqlite3_errmsg(db->raw) : "not open");
    db->failed = true;
}

/* Columns that change with every message say nothing about the school. */
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
    struct db *db = arg;
    bool whole = action == SQLITE_INSERT || action == SQLITE_DELETE;
    for (size_t i = 0; (whole || action == SQLITE_UPDATE) && i < sizeof WATCHED / sizeof *WATCHED; ++i)
        if (strcmp(WATCHED[i].table, table) == 0 &&
            (whole || WATCHED[i].column == NULL || strcmp(WATCHED[i].column, column) == 0))
            db->preparing |= WATCHED[i].epochs;
    return SQLITE_OK;
}

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

bool db_script(struct db *db, const char *text)
{
    db_epoch_next(db, EPOCH_ALL);
    if (sqlite3_exec(db->raw, text, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    fail(db, "script");
    return false;
}

static bool configure(struct db *db, enum db_mode mode, const struct db_options *options)
{
    struct text script = TEXT_INIT;
    sqlite3_busy_timeout(db->raw, 10000);
    db->cache_kib = options->cache_kib != 0 ? options->cache_kib : CACHE_KIB;
    text_addf(&script, "PRAGMA cache_size=-%d; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;", db->cache_kib);
    if (mode == DB_WRITE)
        text_addf(&script,
                  "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA wal_autocheckpoint=4000;"
                  " PRAGMA journal_size_limit=67108864;", /* what a large import leaves behind is given back */
                  options->durable ? "FULL" : "NORMAL");
    else
        text_adds(&script, "PRAGMA query_only=ON;");
    bool done = db_script(db, script.data);
    text_finish(&script);
    return done;
}

/* SQLite's own statistics of its memory, which nobody reads, cost a lock of the whole process at each allocation. */
static void quieten(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

struct db *db_open(const char *path, enum db_mode mode, const struct db_options *options)
{
    static const struct db_options DEFAULTS = {.durable = true};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | (mode == DB_WRITE ? SQLITE_OPEN_CREATE : 0);
    struct db *db = xcalloc(1, sizeof *db);
    pthread_once(&once, quieten);
    db->broken.db = db;
    db->writes = mode == DB_WRITE;
    if (sqlite3_open_v2(path, &db->raw, flags, NULL) == SQLITE_OK &&
        (!db->writes || sqlite3_set_authorizer(db->raw, watch, db) == SQLITE_OK) &&
        configure(db, mode, options != NULL ? options : &DEFAULTS))
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
            sqlite3_finalize(db->sets[s].stmts[i].raw);
        free(db->sets[s].stmts);
    }
    sqlite3_close(db->raw);
    free(db);
}

static struct prepared *prepared_set(struct db *db, const struct statements *set)
{
    for (int s = 0; s < db->n_sets; ++s)
        if (db->sets[s].set == set)
            return &db->sets[s];
    if (db->n_sets == SETS_MAX)
        abort();
    struct prepared *p = &db->sets[db->n_sets++];
    *p = (struct prepared){set, xcalloc((size_t)set->n, sizeof *p->stmts)};
    return p;
}

static bool fault_due(struct db *db)
{
    if (db->fail_after == 0 || --db->fail_after != 0)
        return false;
    db->failed = true;
    return true;
}

/* "$1" is a name to SQLite, numbered by where it stands first; "?1" is the number that it is to PostgreSQL. */
static char *numbered(const char *text)
{
    char *copy = xstrdup(text);
    for (char *c = copy; *c != '\0'; ++c)
        if (c[0] == '$' && c[1] >= '1' && c[1] <= '9')
            *c = '?';
    return copy;
}

static bool prepare(struct db *db, const char *text, sqlite3_stmt **out)
{
    char *sql = numbered(text);
    bool done = sqlite3_prepare_v3(db->raw, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK;
    if (!done)
        fail(db, sql);
    free(sql);
    return done;
}

static struct stmt *ready(struct db *db, const struct statements *set, int which)
{
    struct stmt *stmt = &prepared_set(db, set)->stmts[which];
    if (fault_due(db))
        return &db->broken;
    if (stmt->raw != NULL && sqlite3_stmt_busy(stmt->raw)) {
        if (!db->failed)
            log_error("store", "asked again while it runs: %s", set->texts[which]);
        db->failed = true; /* a bug; the statement that runs keeps its rows */
        return &db->broken;
    }
    if (stmt->raw != NULL)
        return stmt;
    stmt->db = db;
    db->preparing = 0;
    bool prepared = prepare(db, set->texts[which], &stmt->raw);
    stmt->epochs = db->preparing;
    return prepared ? stmt : &db->broken;
}

static void bind(struct stmt *stmt, const char *formats, va_list ap)
{
    int rc = SQLITE_OK;
    for (int at = 1; formats[at - 1] != '\0' && rc == SQLITE_OK; ++at) {
        const void *bytes;
        switch (formats[at - 1]) {
        case 'i': rc = sqlite3_bind_int64(stmt->raw, at, va_arg(ap, int64_t)); break;
        case 't': rc = sqlite3_bind_text(stmt->raw, at, va_arg(ap, const char *), -1, SQLITE_STATIC); break;
        case 'b':
            bytes = va_arg(ap, const void *);
            rc = sqlite3_bind_blob64(stmt->raw, at, bytes, va_arg(ap, size_t), SQLITE_STATIC);
            break;
        case 'n': rc = sqlite3_bind_null(stmt->raw, at); break;
        default: abort();
        }
    }
    if (rc != SQLITE_OK)
        fail(stmt->db, "bind");
}

static struct stmt *query(struct db *db, const struct statements *set, int which, const char *formats, va_list ap)
{
    struct stmt *stmt = ready(db, set, which);
    if (stmt->raw != NULL)
        bind(stmt, formats, ap);
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
    int rc = sqlite3_step(stmt->raw);
    if (stmt->epochs != 0 && (rc == SQLITE_ROW || sqlite3_changes(stmt->db->raw) != 0))
        db_epoch_next(stmt->db, stmt->epochs);
    if (rc == SQLITE_ROW)
        return true;
    if ((rc & 0xff) == SQLITE_CONSTRAINT)
        stmt->db->conflict = true;
    else if (rc != SQLITE_DONE)
        fail(stmt->db, sqlite3_sql(stmt->raw));
    return false;
}

void stmt_end(struct stmt *stmt)
{
    if (stmt == NULL || stmt->raw == NULL)
        return;
    sqlite3_reset(stmt->raw);
    sqlite3_clear_bindings(stmt->raw);
}

bool db_run(struct db *db, const struct statements *set, int which, const char *formats, ...)
{
    va_list ap;
    db->conflict = false;
    va_start(ap, formats);
    struct stmt *stmt = query(db, set, which, formats, ap);
    va_end(ap);
    while (stmt_next(stmt))
        ;
    stmt_end(stmt);
    return !db->conflict && !db->failed;
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

int64_t col_int(struct stmt *stmt, int column)
{
    return sqlite3_column_int64(stmt->raw, column);
}

const char *col_text(struct stmt *stmt, int column)
{
    return (const char *)sqlite3_column_text(stmt->raw, column);
}

const void *col_bytes(struct stmt *stmt, int column, size_t *len)
{
    const void *bytes = sqlite3_column_blob(stmt->raw, column);
    *len = (size_t)sqlite3_column_bytes(stmt->raw, column);
    return bytes;
}

bool col_null(struct stmt *stmt, int column)
{
    return sqlite3_column_type(stmt->raw, column) == SQLITE_NULL;
}

int64_t db_last_id(struct db *db)
{
    return sqlite3_last_insert_rowid(db->raw);
}

int db_changes(struct db *db)
{
    return sqlite3_changes(db->raw);
}

bool db_failed(const struct db *db)
{
    return db->failed;
}

void db_settle(struct db *db)
{
    db->failed = db->conflict = false;
}

void db_begin_read(struct db *db)
{
    if (db->reading++ == 0)
        db_script(db, "BEGIN");
}

void db_end_read(struct db *db)
{
    if (--db->reading == 0)
        sqlite3_exec(db->raw, "COMMIT", NULL, NULL, NULL);
}

void db_fail_after(struct db *db, int n)
{
    db->fail_after = n;
}

static void set_cache(struct db *db, int kib)
{
    char text[64];
    snprintf(text, sizeof text, "PRAGMA cache_size=-%d", kib);
    sqlite3_exec(db->raw, text, NULL, NULL, NULL); /* without it the job is slower, no more */
}

void db_cache_grow(struct db *db)
{
    if (db->cache_kib < GROWN_CACHE_KIB)
        set_cache(db, GROWN_CACHE_KIB);
}

void db_cache_shrink(struct db *db)
{
    set_cache(db, db->cache_kib);
    sqlite3_db_release_memory(db->raw);
    malloc_trim(0);
}

bool db_in_transaction(struct db *db)
{
    return sqlite3_get_autocommit(db->raw) == 0;
}

bool db_writes(const struct db *db)
{
    return db->writes;
}

struct sqlite3 *db_raw(struct db *db)
{
    return db->raw;
}
