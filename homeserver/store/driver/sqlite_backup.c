/* backup.h by SQLite's own means. */
#include "homeserver/store/driver/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db_private.h"
#include "homeserver/store/driver/schema.h"

#define INCARNATIONS_SCHEMA 6 /* from which on there are incarnations */

enum { BACKUP_INTEGRITY, BACKUP_REFERENCES, BACKUP_USERS, BACKUP_ROOMS, BACKUP_EVENTS, BACKUP__COUNT };
/* clang-format off */
static const struct statement TEXTS[BACKUP__COUNT] = {
    [BACKUP_INTEGRITY] = "PRAGMA integrity_check(20)",
    [BACKUP_REFERENCES] = "PRAGMA foreign_key_check",
    [BACKUP_USERS] = "SELECT count(*) FROM users",
    [BACKUP_ROOMS] = "SELECT count(*) FROM rooms",
    [BACKUP_EVENTS] = "SELECT count(*) FROM events",
};
/* clang-format on */
static const struct statements BACKUP = {"backup", TEXTS, BACKUP__COUNT};

/* One step copies one snapshot: in several, a busy server would make the copy begin again and again. */
static int copy_pages(sqlite3 *from, sqlite3 *to)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (backup == NULL)
        return sqlite3_errcode(to);
    sqlite3_backup_step(backup, -1);
    return sqlite3_backup_finish(backup);
}

static bool has_table(sqlite3 *db, const char *table)
{
    return sqlite3_table_column_metadata(db, NULL, table, NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
}

/* What the run that goes on writes from now on is not in the copy: tokens beyond what the copy holds are none of its
 * own (incarnations.h). A copy of an older schema has not all tables, or no runs yet. One-time keys that the run that
 * goes on gives away would be given a second time: a copy has none, so that devices upload others. */
static int end_run(sqlite3 *copied)
{
    static const char *const POSITIONED[] = {"events",       "account_data", "receipts",       "profile_fields",
                                             "device_lists", "to_device",    "to_device_lost", "thread_subscriptions"};
    struct text sql = TEXT_INIT;
    text_adds(&sql, "UPDATE incarnations SET end_pos = max(0");
    for (size_t i = 0; i < sizeof POSITIONED / sizeof *POSITIONED; ++i)
        if (has_table(copied, POSITIONED[i]))
            text_addf(&sql, ", coalesce((SELECT max(pos) FROM %s), 0)", POSITIONED[i]);
    text_adds(&sql, ") WHERE end_pos IS NULL;");
    text_adds(&sql, has_table(copied, "one_time_keys") ? "DELETE FROM one_time_keys;" : "");
    int rc = sqlite3_exec(copied, sql.data, NULL, NULL, NULL);
    text_finish(&sql);
    return rc;
}

static bool copy(const char *from, const char *to)
{
    sqlite3 *target = NULL;
    struct db *source = db_open(from, DB_READ, NULL);
    int rc = SQLITE_ERROR;
    if (source == NULL)
        return false;
    rc = sqlite3_open_v2(to, &target, SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK)
        rc = copy_pages(source->raw, target);
    if (rc == SQLITE_OK) /* the source's write-ahead mode came along; a copy is one file */
        rc = sqlite3_exec(target, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    if (rc == SQLITE_OK && driver_schema(source) >= INCARNATIONS_SCHEMA)
        rc = end_run(target);
    if (rc != SQLITE_OK)
        log_error("backup", "%s: %s", to, target != NULL ? sqlite3_errmsg(target) : sqlite3_errstr(rc));
    sqlite3_close(target);
    db_close(source);
    return rc == SQLITE_OK;
}

/* An empty file, which to SQLite is an empty database: made by us alone, and for its owner's eyes only. */
static bool make_new(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        log_error("backup", "%s: %s", path, errno == EEXIST ? "is there already" : strerror(errno));
    else
        close(fd);
    return fd >= 0;
}

bool db_copy(const char *from, const char *to)
{
    if (!make_new(to))
        return false;
    if (copy(from, to))
        return true;
    unlink(to);
    return false;
}

bool db_backup(const char *from, const char *to)
{
    if (!db_copy(from, to))
        return false;
    if (db_verify(to, NULL))
        return true;
    unlink(to);
    return false;
}

/* integrity_check answers one row "ok", or one row a fault. */
static bool pages_sound(struct db *db, const char *path)
{
    bool sound = false;
    struct stmt *q = db_query(db, &BACKUP, BACKUP_INTEGRITY, "");
    while (stmt_next(q)) {
        const char *said = col_text(q, 0);
        sound = said != NULL && strcmp(said, "ok") == 0;
        if (!sound)
            log_error("backup", "%s: %s", path, said != NULL ? said : "?");
    }
    stmt_end(q);
    return sound;
}

static bool references_sound(struct db *db, const char *path)
{
    int faults = 0;
    struct stmt *q = db_query(db, &BACKUP, BACKUP_REFERENCES, "");
    for (; stmt_next(q); ++faults)
        if (faults < 20)
            log_error("backup", "%s: a row of %s leads to none of %s", path, col_text(q, 0), col_text(q, 2));
    stmt_end(q);
    return faults == 0;
}

static bool schema_known(struct db *db, const char *path, int *schema)
{
    *schema = driver_schema(db);
    if (*schema >= 1 && *schema <= schema_version())
        return schema_check(db);
    log_error("backup", "%s: schema %d is none that this program knows (1 to %d)%s", path, *schema, schema_version(),
              *schema > schema_version() ? ": a newer Parta has made it, and can verify it" : "");
    return false;
}

bool db_verify(const char *path, struct verified *found)
{
    struct verified counted = {0};
    struct db *db = db_open(path, DB_READ, NULL);
    if (db == NULL)
        return false;
    bool sound = pages_sound(db, path) && references_sound(db, path) && schema_known(db, path, &counted.schema);
    if (sound) {
        counted.users = db_int(db, &BACKUP, BACKUP_USERS, 0, "");
        counted.rooms = db_int(db, &BACKUP, BACKUP_ROOMS, 0, "");
        counted.events = db_int(db, &BACKUP, BACKUP_EVENTS, 0, "");
    }
    sound = sound && !db_failed(db);
    db_close(db);
    if (found != NULL)
        *found = counted;
    return sound;
}
