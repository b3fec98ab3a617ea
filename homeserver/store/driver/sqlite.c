/* The driver for SQLite: db_private.h says what it gives. */
#include <malloc.h>
#include <pthread.h>
#define SQLITE_ENABLE_PREUPDATE_HOOK /* as Debian's is built: driver_watch */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db_private.h"

#define CACHE_KIB 1024              /* of a connection, unless it says otherwise */
#define GROWN_CACHE_KIB (128 << 10) /* while a job touches much */

#define PATIENCE_MS 10000      /* with another process that holds the database */
#define SCRUB_PATIENCE_MS 1000 /* with readers that hold the write-ahead log: writers wait meanwhile */

/* IMMEDIATE takes the write lock at once: BUSY then comes here alone, never in the middle of a job. */
static const struct statement TRANSACTION[] = {
    [DB_BEGIN] = "BEGIN IMMEDIATE",       [DB_BEGIN_READ] = "BEGIN",        [DB_COMMIT] = "COMMIT",
    [DB_ROLLBACK] = "ROLLBACK",           [DB_SAVEPOINT] = "SAVEPOINT job", [DB_RELEASE] = "RELEASE job",
    [DB_ROLLBACK_TO] = "ROLLBACK TO job",
};
const struct statements driver_transaction = {"transaction", TRANSACTION, sizeof TRANSACTION / sizeof *TRANSACTION};

enum { SCHEMA_VERSION, FINGERPRINT, LAYOUT, PAGE_COUNT, PAGE_SIZE, SCHEMA__COUNT };
static const struct statement SCHEMA_TEXTS[SCHEMA__COUNT] = {
    [SCHEMA_VERSION] = "PRAGMA user_version",
    [FINGERPRINT] = "PRAGMA application_id",
    [LAYOUT] = "SELECT name, sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_*' ORDER BY name",
    [PAGE_COUNT] = "PRAGMA page_count",
    [PAGE_SIZE] = "PRAGMA page_size",
};
static const struct statements SCHEMA = {"sqlite_schema", SCHEMA_TEXTS, SCHEMA__COUNT};

/* --- The connection --- */

/* The standard's octet_length, which SQLite has from 3.43 on: bytes of a text, where length counts characters. */
static void octet_length(sqlite3_context *context, int n, sqlite3_value **values)
{
    (void)n;
    if (sqlite3_value_type(values[0]) != SQLITE_NULL)
        sqlite3_result_int64(context, sqlite3_value_bytes(values[0]));
}

static int add_functions(sqlite3 *raw, char **problem, const struct sqlite3_api_routines *api)
{
    (void)problem;
    (void)api;
    return sqlite3_create_function(raw, "octet_length", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, octet_length, NULL,
                                   NULL);
}

/* SQLite's own statistics of its memory, which nobody reads, cost a lock of the whole process at each allocation. */
static void quieten(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_auto_extension((void (*)(void))add_functions); /* of each connection */
}

bool driver_open(struct db *db, const char *path, const struct db_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | (db->writes ? SQLITE_OPEN_CREATE : 0);
    struct text script = TEXT_INIT;
    sqlite3 *raw = NULL;
    pthread_once(&once, quieten);
    int rc = sqlite3_open_v2(path, &raw, flags, NULL);
    db->raw = raw;
    db->cache_kib = options->cache_kib != 0 ? options->cache_kib : CACHE_KIB;
    text_addf(&script, "PRAGMA cache_size=-%d; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;", db->cache_kib);
    if (db->writes)
        text_addf(&script,
                  "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA wal_autocheckpoint=4000;"
                  " PRAGMA journal_size_limit=67108864;" /* what a large import leaves behind is given back */
                  " PRAGMA secure_delete=ON;",           /* what is deleted is overwritten (db_scrub for the rest) */
                  options->durable ? "FULL" : "NORMAL");
    else
        text_adds(&script, "PRAGMA query_only=ON;");
    bool done =
        rc == SQLITE_OK && sqlite3_busy_timeout(raw, PATIENCE_MS) == SQLITE_OK && driver_script(db, script.data);
    text_finish(&script);
    return done;
}

void driver_close(struct db *db)
{
    sqlite3_close(db->raw);
}

const char *driver_problem(const struct db *db)
{
    return db->raw != NULL ? sqlite3_errmsg(db->raw) : "not open";
}

enum storage_problem driver_storage_problem(const struct db *db)
{
    switch (db->raw != NULL ? sqlite3_errcode(db->raw) & 0xff : SQLITE_OK) {
    case SQLITE_FULL: return STORAGE_FULL;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: return STORAGE_FAILING;
    case SQLITE_READONLY: return db->writes ? STORAGE_FAILING : STORAGE_WELL; /* a reader that writes is a mistake */
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return STORAGE_DAMAGED;
    default: return STORAGE_WELL;
    }
}

bool driver_script(struct db *db, const char *text)
{
    return sqlite3_exec(db->raw, text, NULL, NULL, NULL) == SQLITE_OK;
}

bool db_in_transaction(struct db *db)
{
    return sqlite3_get_autocommit(db->raw) == 0;
}

static void set_cache(struct db *db, int kib)
{
    char text[64];
    snprintf(text, sizeof text, "PRAGMA cache_size=-%d", kib);
    driver_script(db, text); /* without it the job is slower, no more */
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

/* The copy that VACUUM makes is as large as the database: not in memory. */
static bool rebuild(struct db *db)
{
    driver_script(db, "PRAGMA temp_store=FILE");
    bool done = driver_script(db, "VACUUM");
    if (!done)
        log_error("store", "VACUUM: %s", driver_problem(db));
    driver_script(db, "PRAGMA temp_store=MEMORY");
    return done;
}

static bool empty_log(struct db *db)
{
    return sqlite3_wal_checkpoint_v2(db->raw, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) == SQLITE_OK;
}

bool db_scrub(struct db *db, int64_t at_most_bytes, bool *whole)
{
    int64_t bytes = db_int(db, &SCHEMA, PAGE_COUNT, 0, "") * db_int(db, &SCHEMA, PAGE_SIZE, 0, "");
    sqlite3_busy_timeout(db->raw, SCRUB_PATIENCE_MS);
    bool emptied = empty_log(db); /* first: a reader that holds the log would have all be written in vain */
    *whole = emptied && bytes <= at_most_bytes && rebuild(db);
    emptied = emptied && (!*whole || empty_log(db));
    sqlite3_busy_timeout(db->raw, PATIENCE_MS);
    *whole = *whole && emptied;
    return emptied;
}

/* --- A commit that failed --- */

/* The write-ahead log is a header and frames, each a header and a page; the index that all connections share says how
 * many frames count ("WAL-Index Format" in SQLite's description of its files). Readers go by the index, and a commit
 * that failed has not raised it; but after a crash the index is made anew from all frames that are whole. */
#define WAL_HEADER_BYTES 32
#define FRAME_HEADER_BYTES 24
#define INDEX_BYTES (32 << 10) /* its first part */

struct wal_index {
    uint32_t version, unused, change;
    uint8_t is_init, is_big_endian;
    uint16_t page_bytes; /* 1: 65536 */
    uint32_t frames;
};

static bool bytes_that_count(struct db *db, sqlite3_int64 *bytes)
{
    sqlite3_file *file = NULL;
    void volatile *mapped = NULL;
    struct wal_index index;
    if (sqlite3_file_control(db->raw, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
        file->pMethods->iVersion < 2 || file->pMethods->xShmMap(file, 0, INDEX_BYTES, 0, &mapped) != SQLITE_OK ||
        mapped == NULL)
        return false;
    memcpy(&index, (const void *)mapped, sizeof index); /* whoever writes it has the lock, which is ours */
    int64_t page_bytes = index.page_bytes == 1 ? 65536 : index.page_bytes;
    *bytes = WAL_HEADER_BYTES + index.frames * (FRAME_HEADER_BYTES + page_bytes);
    return index.is_init != 0;
}

/* Behind what counts lies either nothing, or what failed here, or, without the lock, what somebody else is writing: of
 * two connections one waits for the other's lock, and has written all but the index when that one comes to cut. */
static bool forget_commit(struct db *db)
{
    sqlite3_file *wal = NULL;
    sqlite3_int64 good, bytes;
    int locked;
    do
        locked = sqlite3_exec(db->raw, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    while (locked == SQLITE_BUSY);
    if (locked != SQLITE_OK)
        return false;
    bool forgot = bytes_that_count(db, &good) &&
                  sqlite3_file_control(db->raw, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK &&
                  wal->pMethods != NULL && wal->pMethods->xFileSize(wal, &bytes) == SQLITE_OK &&
                  (bytes <= good || wal->pMethods->xTruncate(wal, good) == SQLITE_OK) &&
                  wal->pMethods->xSync(wal, SQLITE_SYNC_FULL) == SQLITE_OK;
    return sqlite3_exec(db->raw, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK && forgot;
}

void db_forget_commit(struct db *db)
{
    if (forget_commit(db))
        return;
    log_error("store", "a commit failed, and the disk does not say whether it is there: the process ends and"
                       " answers nobody; once the disk works, start it again");
    _Exit(EXIT_FAILURE);
}

int driver_schema(struct db *db)
{
    return (int)db_int(db, &SCHEMA, SCHEMA_VERSION, 0, "");
}

static bool set_pragma(struct db *db, const char *name, int value)
{
    char text[64];
    snprintf(text, sizeof text, "PRAGMA %s=%d", name, value);
    return db_script(db, text);
}

bool driver_set_schema(struct db *db, int version)
{
    return set_pragma(db, "user_version", version);
}

int driver_fingerprint(struct db *db)
{
    return (int)db_int(db, &SCHEMA, FINGERPRINT, 0, "");
}

bool driver_set_fingerprint(struct db *db, int fingerprint)
{
    return set_pragma(db, "application_id", fingerprint);
}

#define BLANKS_AND_QUOTES " \t\r\n\""

/* SQLite keeps the text that made an object, and changes it by its own lights for ALTER TABLE: blanks and quotes are
 * left out. */
bool driver_layout(struct db *db, struct text *out)
{
    struct stmt *q = db_query(db, &SCHEMA, LAYOUT, "");
    while (stmt_next(q)) {
        text_addf(out, "%s ", col_text(q, 0));
        for (const char *c = col_null(q, 1) ? "" : col_text(q, 1); *c != '\0';) {
            size_t len = strcspn(c, BLANKS_AND_QUOTES);
            text_add(out, c, len);
            c += len;
            c += strspn(c, BLANKS_AND_QUOTES);
        }
        text_addc(out, '\n');
    }
    stmt_end(q);
    return !db_failed(db);
}

struct db *driver_scratch(void)
{
    return db_open(":memory:", DB_WRITE, NULL);
}

/* --- Statements --- */

/* "$1" is a name to SQLite, numbered by where it stands first; "?1" is the number that it is to PostgreSQL. */
static char *numbered(const char *text)
{
    char *copy = xstrdup(text);
    for (char *c = copy; *c != '\0'; ++c)
        if (c[0] == '$' && c[1] >= '1' && c[1] <= '9')
            *c = '?';
    return copy;
}

bool driver_prepare(struct stmt *stmt)
{
    sqlite3_stmt *raw = NULL;
    char *sql = numbered(stmt->of->text);
    bool done = sqlite3_prepare_v3(stmt->db->raw, sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, NULL) == SQLITE_OK;
    stmt->raw = raw;
    free(sql);
    return done;
}

void driver_finalize(struct stmt *stmt)
{
    sqlite3_finalize(stmt->raw);
}

bool driver_reads(const struct stmt *stmt)
{
    return sqlite3_stmt_readonly(stmt->raw) != 0;
}

bool driver_running(const struct stmt *stmt)
{
    return sqlite3_stmt_busy(stmt->raw) != 0;
}

bool driver_bind(struct stmt *stmt, const char *formats, va_list ap)
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
    return rc == SQLITE_OK;
}

enum driver_step driver_step(struct stmt *stmt)
{
    int rc = sqlite3_step(stmt->raw);
    return rc == SQLITE_ROW ? STEP_ROW : rc == SQLITE_DONE ? STEP_DONE : STEP_FAILED;
}

int driver_touched(const struct stmt *stmt)
{
    return sqlite3_changes(stmt->db->raw);
}

int64_t db_rows_written(struct db *db)
{
    return sqlite3_total_changes64(db->raw);
}

void driver_reset(struct stmt *stmt)
{
    sqlite3_reset(stmt->raw);
    sqlite3_clear_bindings(stmt->raw);
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

/* --- Guarded rows --- */

/* Where the columns of a guarded table lie, by table and column of GUARDED_TABLES. */
struct watch {
    signed char at[GUARDED_COLUMNS_MAX];
};

static struct row_value value_of(sqlite3_value *raw)
{
    switch (sqlite3_value_type(raw)) {
    case SQLITE_NULL: return (struct row_value){ROW_NULL};
    case SQLITE_INTEGER: return (struct row_value){.kind = ROW_NUMBER, .number = sqlite3_value_int64(raw)};
    default: break;
    }
    bool text = sqlite3_value_type(raw) == SQLITE_TEXT;
    const char *bytes = text ? (const char *)sqlite3_value_text(raw) : sqlite3_value_blob(raw);
    return (struct row_value){
        .kind = text ? ROW_TEXT : ROW_BYTES, .text = bytes, .len = (size_t)sqlite3_value_bytes(raw)};
}

/* SQLite calls it before each row that a statement writes. It may ask for the row's values and do nothing else. */
static void row_changes(void *arg, sqlite3 *raw, int op, const char *database, const char *table, sqlite3_int64 key,
                        sqlite3_int64 new_key)
{
    struct db *db = arg;
    const struct guarded_table *guarded = guarded_find(table);
    struct row_value before[GUARDED_COLUMNS_MAX] = {0}, after[GUARDED_COLUMNS_MAX] = {0};
    if (guarded == NULL)
        return;
    const struct watch *watch = (const struct watch *)db->watch + (guarded - GUARDED_TABLES);
    for (int i = 0; guarded->columns[i].guard != GUARD_NO; ++i) {
        sqlite3_value *value;
        if (op != SQLITE_INSERT && sqlite3_preupdate_old(raw, watch->at[i], &value) == SQLITE_OK)
            before[i] = value_of(value);
        if (op != SQLITE_DELETE && sqlite3_preupdate_new(raw, watch->at[i], &value) == SQLITE_OK)
            after[i] = value_of(value);
    }
    char sign = (char)(op == SQLITE_INSERT ? ROW_ADDED : op == SQLITE_DELETE ? ROW_REMOVED : ROW_CHANGED);
    row_changes_add(&db->changes, guarded, sign, before, after);
}

static bool find_columns(struct db *db, const struct guarded_table *table, struct watch *watch)
{
    char text[80];
    sqlite3_stmt *stmt = NULL;
    bool all = true;
    snprintf(text, sizeof text, "SELECT * FROM %s", table->name);
    if (sqlite3_prepare_v2(db->raw, text, -1, &stmt, NULL) != SQLITE_OK)
        return false;
    for (int i = 0; table->columns[i].guard != GUARD_NO; ++i) {
        int n = sqlite3_column_count(stmt), at = 0;
        while (at < n && strcmp(sqlite3_column_name(stmt, at), table->columns[i].name) != 0)
            ++at;
        watch->at[i] = (signed char)at;
        all = all && at < n;
    }
    sqlite3_finalize(stmt);
    return all;
}

bool driver_watch_begin(struct db *db)
{
    struct watch *watch = xcalloc((size_t)GUARDED_TABLES_N, sizeof *watch);
    bool all = true;
    for (int i = 0; i < GUARDED_TABLES_N; ++i)
        all = all && (GUARDED_TABLES[i].record == NULL || find_columns(db, &GUARDED_TABLES[i], &watch[i]));
    driver_watch_end(db);
    db->watch = watch;
    return all;
}

/* Not all the time: SQLite would call it for each row of every message, too. */
void driver_watch(struct db *db, bool on)
{
    sqlite3_preupdate_hook(db->raw, on ? row_changes : NULL, db);
}

void driver_watch_end(struct db *db)
{
    free(db->watch);
    db->watch = NULL;
}
