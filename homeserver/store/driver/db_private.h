/* The door from inside: what db.c shares with the driver, the one file of this folder that speaks to a database
 * (sqlite.c). A driver keeps its connection in struct db's raw and each prepared statement in struct stmt's, and gives
 *
 * - the driver_ functions below: they do one thing each and say whether it went well; that a failure is sticky, logged
 *   once and counted, that tests make the n-th statement fail, and which epochs rise, is db.c's business;
 * - of db.h, whatever is the same call in every driver: col_int, col_text, col_bytes, col_null, db_in_transaction,
 *   db_cache_grow, db_cache_shrink, db_scrub, db_forget_commit;
 * - backup.h.
 *
 * A driver that must name its parameters' types when it prepares takes them from the formats of the first bind.
 *
 * SQL of the store is what SQLite 3.40 and PostgreSQL 15 both understand (tests/postgres holds it to that), with
 * parameters $1…; what only one of them knows stands in its driver. Texts are compared and ordered by their bytes (a
 * PostgreSQL database has to be made with the C locale), truth is an integer, and no LIMIT is negative. */
#ifndef PARTA_STORE_DRIVER_DB_PRIVATE_H
#define PARTA_STORE_DRIVER_DB_PRIVATE_H

#include <stdarg.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/guarded.h"
#include "homeserver/store/driver/storage.h"

#define SETS_MAX 96 /* files of store/ with statements */
#define SLOTS 256

struct stmt {
    struct db *db;
    void *raw; /* the driver's; NULL: not prepared yet, or could not be */
    const struct statement *of;
};

struct db {
    void *raw;                    /* the driver's; NULL: not open */
    bool writes, in_transactions; /* as db_options has it */
    int cache_kib;
    struct storage *storage; /* may be NULL */

    struct prepared {
        const struct statements *set;
        struct stmt *stmts;
    } sets[SETS_MAX];
    int n_sets;
    unsigned char slots[SLOTS]; /* by the set's address: its place among sets, from 1 on; 0: free */
    struct stmt broken;         /* answered when preparing failed: a statement without rows */

    int reading;    /* depth of db_begin_read */
    int fail_after; /* db_fail_after */
    int64_t rows_read;
    bool failed;
    int64_t epochs[EPOCHS]; /* how often each was raised */
    bool guarded;           /* db_guard */
    struct row_changes changes;
    void *watch; /* the driver's: what it needs to watch rows; NULL: nobody guards */
};

enum driver_step { STEP_DONE, STEP_ROW, STEP_FAILED };

bool driver_open(struct db *db, const char *path, const struct db_options *options); /* sets raw, also when it fails */
void driver_close(struct db *db);                /* after all statements; raw may be NULL */
const char *driver_problem(const struct db *db); /* of the last call that failed; borrowed until the next call */
enum storage_problem driver_storage_problem(const struct db *db);     /* the same: whether it was the disk */
bool driver_script(struct db *db, const char *text);                  /* one statement or several, without parameters */
bool driver_prepare(struct stmt *stmt);                               /* stmt: db and of are set; sets raw */
bool driver_reads(const struct stmt *stmt);                           /* it writes nothing */
void driver_finalize(struct stmt *stmt);                              /* raw may be NULL */
bool driver_running(const struct stmt *stmt);                         /* it has begun and was not reset */
bool driver_bind(struct stmt *stmt, const char *formats, va_list ap); /* as db_query has them */
/* To the next row, which the columns are then of. STEP_FAILED: driver_problem says why, and the statement is to be
 * reset. */
enum driver_step driver_step(struct stmt *stmt);
int driver_touched(const struct stmt *stmt); /* rows that it wrote, once it is done */
void driver_reset(struct stmt *stmt);        /* ends it and forgets what was bound */

/* J2: while it is on, each row of a guarded table that a statement adds, removes or changes is told to row_changes_add
 * with what it was and is. A driver whose database tells no rows does it by triggers (PostgreSQL: one a table and
 * statement, with its transition tables). */
bool driver_watch_begin(struct db *db); /* sets watch; false: failed */
void driver_watch(struct db *db, bool on);
void driver_watch_end(struct db *db); /* watch may be NULL */

/* The texts that enum db_transaction names. */
extern const struct statements driver_transaction;

/* The number that schema.h keeps in the database; 0: an empty database. And the fingerprint beside it, any number. */
int driver_schema(struct db *db);
bool driver_set_schema(struct db *db, int version);
int driver_fingerprint(struct db *db);
bool driver_set_fingerprint(struct db *db, int fingerprint);

/* Appends what tables and indexes there are: a line each, its name, a blank, and how it is laid out, as this database
 * tells of whatever the same migrations have made. false: it failed. */
bool driver_layout(struct db *db, struct text *out);

struct db *driver_scratch(void); /* an empty database that goes with db_close; NULL: logged */

#endif
