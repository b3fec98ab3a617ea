/* The narrow door to the database. It does not know which one is behind it: db.c is what all would share, and one file,
 * sqlite.c today, speaks to the database (db_private.h says what such a driver gives).
 *
 * A struct db is one connection and belongs to one thread. Statements are texts in tables, one table an aggregate, next
 * to the code that maps their rows; they are prepared on first use and kept.
 *
 * Failure is sticky: when the database itself fails (full disk, damaged page, a bug in a statement) the cause is logged
 * once, look-ups answer "nothing", acts answer false, and db_failed stays true until db_settle. The two boundaries ask
 * for it: the writer after every job (which it then rolls back), the HTTP dispatcher after every handler (which then
 * answers 500). Code between them reads as if nothing could fail.
 *
 * A broken UNIQUE, CHECK or key constraint is such a failure, because PostgreSQL would end the transaction over it:
 * what may be there already is looked up before, in the same job, or met by ON CONFLICT.
 *
 *     struct stmt *q = db_query(db, &USERS, USER_BY_LOCALPART, "t", localpart);
 *     if (stmt_next(q))
 *         no = col_int(q, 0);
 *     stmt_end(q);
 *
 * Reading: db_begin_read … db_end_read bracket several look-ups in one snapshot. */
#ifndef PARTA_STORE_DRIVER_DB_H
#define PARTA_STORE_DRIVER_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct row_changes;
struct stmt;
struct storage;

/* Epochs: what memory kept across jobs asks whether it is still true (rooms/gate_cache.h). The write connection counts,
 * for each group of tables, the statements that changed a row of them; a statement says itself which groups it moves
 * (tests/unit/statements.c holds what it says against what it writes). A rollback counts for all groups. */
enum db_epochs {
    EPOCH_PEOPLE = 1,   /* roles, enrollments, guardianships, people, schools, classes; users.state, users.kind */
    EPOCH_RECORDS = 2,  /* what rooms are to schools: room_schools, roster_rooms, roster_members, named_members … */
    EPOCH_LIFE = 4,     /* memberships, room_state */
    EPOCH_POLICIES = 8, /* policies */
    EPOCH_ALL = 15
};
#define EPOCHS 4

struct statement {
    const char *text; /* SQL that SQLite 3.40 and PostgreSQL 15 both understand; parameters $1… */
    unsigned epochs;  /* enum db_epochs: what its rows move; 0 of whatever only reads */
    /* GUARDED: it writes a table that guarded.h guards (school.md J2). Another text: it writes one, and why no entry is
     * needed all the same. NULL: it writes none (tests/unit/guarded.c). */
    const char *guarded;
};
#define GUARDED ""

/* A table of statements, indexed by its file's enum: one static object an aggregate. */
struct statements {
    const char *name; /* for tests */
    const struct statement *all;
    int n;
};

/* Declares set, of an array of struct statement, and lists it for the tests that prepare every statement there is. The
 * list is an array that the linker puts together. Plain texts without braces are entries that move no epoch. */
#define STATEMENTS(set, title, table)                                                                                  \
    static const struct statements set = {title, table, sizeof table / sizeof *table};                                 \
    static const struct statements *const set##_LISTED __attribute__((section("parta_statements"), used)) = &set

enum db_mode {
    DB_READ,  /* a worker's connection */
    DB_WRITE, /* the writer's one */
};

struct db_options {
    bool durable;            /* synchronous=FULL; false: NORMAL */
    int cache_kib;           /* page cache of this connection; 0: 512 */
    struct storage *storage; /* storage.h; NULL: nobody asks how the disk fares */
    /* What writes outside of a transaction fails: one that could not begin, or that a full disk has ended, must not let
     * the rest of what belongs together commit by itself. */
    bool in_transactions;
};

/* Opens path (created when DB_WRITE). NULL: logged. Blocks. */
struct db *db_open(const char *path, enum db_mode mode, const struct db_options *options);
void db_close(struct db *db); /* NULL is accepted */

/* A statement with its parameters $1… bound, ready for stmt_next. formats, one letter each:
 * i int64_t; t const char * (NULL: SQL NULL); b const void *, size_t (bytes; NULL pointer: SQL NULL); n nothing (NULL).
 * Strings and bytes are borrowed until stmt_end. Never NULL: on failure a statement without rows.
 * A statement that is already running in this connection (recursion) may not be asked for again: that is a failure. */
struct stmt *db_query(struct db *db, const struct statements *set, int which, const char *formats, ...);

/* Runs a statement that answers no rows. false: it failed (db_failed). */
bool db_run(struct db *db, const struct statements *set, int which, const char *formats, ...);

/* The same; answers how many rows it wrote. 0 also when it failed. */
int db_rows(struct db *db, const struct statements *set, int which, const char *formats, ...);

/* Runs an INSERT … RETURNING and answers the number of the new row, > 0. 0: there is none (ON CONFLICT DO NOTHING), or
 * it failed. */
int64_t db_insert(struct db *db, const struct statements *set, int which, const char *formats, ...);

/* Runs a query and returns the first column of its first row, otherwise if there is none or it is NULL. */
int64_t db_int(struct db *db, const struct statements *set, int which, int64_t otherwise, const char *formats, ...);

/* The same for a text: a copy that the caller frees, or NULL. */
char *db_text(struct db *db, const struct statements *set, int which, const char *formats, ...);

bool stmt_next(struct stmt *stmt); /* true: a row is there */
void stmt_end(struct stmt *stmt);  /* must follow every db_query; NULL is accepted */

/* Of the row at which stmt_next stands, columns from 0 on. An integer; of SQL NULL 0. */
int64_t col_int(struct stmt *stmt, int column);
const char *col_text(struct stmt *stmt, int column); /* borrowed until stmt_next or stmt_end; NULL for SQL NULL */
const void *col_bytes(struct stmt *stmt, int column, size_t *len); /* the same */
bool col_null(struct stmt *stmt, int column);

/* Whether the database has failed since db_settle, whichever statement met it: a look-up may have answered nothing
 * where something lies, so what was read since must not be believed, kept or told. Asks no disk. */
bool db_failed(const struct db *db);
void db_settle(struct db *db); /* forgets the failure */

void db_begin_read(struct db *db); /* nests */
void db_end_read(struct db *db);   /* of the outermost: the snapshot goes, also when the database has failed */

/* For migrations and tests. text: one statement or several, no parameters. */
bool db_script(struct db *db, const char *text);

/* Transactions, for the writer and migrations; readers use db_begin_read. One at a time, with at most one savepoint in
 * it, a job's. false: it failed. */
enum db_transaction {
    DB_BEGIN,
    DB_BEGIN_READ,
    DB_COMMIT,
    DB_ROLLBACK,
    DB_SAVEPOINT,
    DB_RELEASE,
    DB_ROLLBACK_TO /* the savepoint, which stays */
};
bool db_transaction(struct db *db, enum db_transaction verb);

/* After a DB_COMMIT that failed, and only then, and a DB_ROLLBACK: makes sure that nothing of it comes back after a
 * crash. A commit that could not be synced is written all the same, and whoever opens the file next would find it
 * whole. Takes the lock of whoever writes for a moment, so that others may write meanwhile. Where that cannot be made
 * sure, nobody can say whether it is there: the process ends. */
void db_forget_commit(struct db *db);

/* Makes the n-th db_query/db_run from now fail as a full disk would; 0 switches it off. For fault tests. */
void db_fail_after(struct db *db, int n);

/* How many rows this connection's statements have given so far. For tests of what grows with what. */
int64_t db_rows_read(const struct db *db);

/* How many rows this connection's statements have written so far, whatever became of them; rises. */
int64_t db_rows_written(struct db *db);

/* Whether a transaction is open: SQLite ends one by itself when the disk is full or fails. */
bool db_in_transaction(struct db *db);

/* From now on what statements do to guarded rows is kept in db_row_changes (guarded.h), until somebody clears it. The
 * tables are there. false: it failed. */
bool db_guard(struct db *db);
struct row_changes *db_row_changes(struct db *db); /* NULL: not guarded */

/* How often the epochs were moved; equal: none of their tables has changed. */
int64_t db_epoch(const struct db *db, unsigned epochs);
void db_epoch_next(struct db *db, unsigned epochs);

/* Room for a job that touches much of the database: a larger page cache, until it is given back. */
void db_cache_grow(struct db *db);
void db_cache_shrink(struct db *db);

/* Empties the write-ahead log, and, if the database is not larger than that, writes all of it anew: nothing that was
 * deleted or replaced is left in either file. A deleted row is overwritten when it goes, but copies of rows that once
 * moved between pages are not: only *whole is certain. On the write connection, outside a transaction. false: a reader
 * holds the log, or it failed; again later. Blocks long (about 10 s a gigabyte). */
bool db_scrub(struct db *db, int64_t at_most_bytes, bool *whole);

bool db_writes(const struct db *db); /* the DB_WRITE connection: it sees what may yet be rolled back */

#endif
