/* Which rows the audit log must know of (school.md J2): every table and column of the schema, with what a change of it
 * means there. A statement that writes a guarded table says so (struct statement, guarded; tests/unit/statements.c
 * holds it against its SQL); while it runs the driver tells each row that it adds, removes or changes, whatever the
 * statement looks like, and what such a row was and is now is kept until an entry takes it (policy/audit/audit.h). A
 * job that leaves rows for which there is no entry fails (writer.h, writer_guard): an act that forgets the log changes
 * nothing.
 *
 * A new table or column needs a row in guarded.c: tests/unit/guarded.c asks the schema for all of them.
 *
 * Rows are kept packed, as values alone: they are rendered later, when what they name may be looked up. Strings in them
 * are cut at ROW_TEXT_MAX. Of one connection's thread. */
#ifndef PARTA_STORE_DRIVER_GUARDED_H
#define PARTA_STORE_DRIVER_GUARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

#define GUARDED_COLUMNS_MAX 16
#define ROW_TEXT_MAX 512
#define ROW_CHANGES_BYTES_MAX (16 << 20) /* a job that leaves more without an entry fails */

/* What a change of a column means. */
enum guard {
    GUARD_NO,     /* nothing: its row says why */
    GUARD_KEY,    /* it names the row; told with whatever else changes */
    GUARD_SHOWN,  /* an entry is needed, and shows it before and after */
    GUARD_HIDDEN, /* an entry is needed that says that it changed, never what it is: the log outlives an erasure */
};

/* What a value is, for whoever shows it. */
enum guarded_value {
    VALUE_PLAIN,
    VALUE_FLAG,      /* 0, 1 */
    VALUE_DAY,       /* "": since ever, "9999-12-31": for ever */
    VALUE_SOURCE,    /* who keeps the record */
    VALUE_LOCALPART, /* of an account of this server */
    VALUE_USER,      /* numbers: of an account, of one that is a person of the records … */
    VALUE_PERSON,
    VALUE_SCHOOL,
    VALUE_CLASS,
    VALUE_ROOM
};

enum {                  /* of a column */
       GUARD_OWN = 1,   /* the person whose account it is may do it themself (tx_own): no act of an office */
       GUARD_FIRST = 2, /* a first value in place of NULL is part of making the row, and needs no entry */
       GUARD_TOLD = 4,  /* GUARD_HIDDEN: of a new row, too, it is said that there is one */
       GUARD_STAFF = 8, /* nobody gives it to themself: a row of one's own that has it needs an entry */
       GUARD_PLACE =
           16, /* VALUE_SCHOOL, _CLASS, _ROOM, _USER or _PERSON: it says in which schools' log the row belongs */
       GUARD_REPORT = 32, /* F5: the number of a report: the entry is read by whoever may read that */
};

struct guarded_column {
    const char *name;  /* GUARD_NO: one or several, with blanks between them */
    const char *shown; /* in entries; NULL: as name; "": not, it only says whose the row is */
    enum guard guard;
    enum guarded_value value;
    unsigned flags;
    const char *why; /* GUARD_NO: why not. GUARD_OWN: what of it is the person's own */
};

/* Whether a new row, or one that goes, needs an entry. */
enum guarded_rows {
    ROWS_ALWAYS,
    ROWS_UNLESS_OWN,
    ROWS_IF_SET, /* if a GUARD_SHOWN column of it is neither NULL nor 0 */
    ROWS_NEVER,
};

struct guarded_table {
    const char *name;
    const char *record; /* what entries call a row; NULL: the table is not guarded */
    enum guarded_rows added, removed;
    const char *own;                                    /* the column that says whose it is; NULL: nobody's */
    const char *why;                                    /* it is not guarded; a new row needs no entry */
    struct guarded_column columns[GUARDED_COLUMNS_MAX]; /* in the order of what they are shown as, then GUARD_NO; ends
                                                         * with name NULL */
};

enum { ROW_ADDED = '+', ROW_REMOVED = '-', ROW_CHANGED = '=' };

extern const struct guarded_table GUARDED_TABLES[];
extern const int GUARDED_TABLES_N;

/* NULL: there is no such guarded table. */
const struct guarded_table *guarded_find(const char *table);

/* --- Rows that changed --- */

struct row_value {
    enum { ROW_NULL, ROW_NUMBER, ROW_TEXT, ROW_BYTES } kind; /* ROW_BYTES: compared, then only known to be there */
    int64_t number;
    const char *text; /* ROW_TEXT, ROW_BYTES: borrowed */
    size_t len;
};

struct row_change {
    const struct guarded_table *table;
    char sign; /* ROW_ADDED … */
    struct {
        bool changed;                   /* an entry must tell; of ROW_ADDED and ROW_REMOVED: it is set */
        struct row_value before, after; /* GUARD_HIDDEN: ROW_NULL or ROW_BYTES */
    } columns[GUARDED_COLUMNS_MAX];
};

/* Those that no entry has taken yet. */
struct row_changes {
    struct text packed;
    size_t n;
    bool too_many; /* ROW_CHANGES_BYTES_MAX was reached: some are not in it */
};

/* The driver's: what the row was and is, by column of the table as far as they are guarded; ROW_NULL before a row was
 * and after it went. What needs no entry is not kept. */
void row_changes_add(struct row_changes *changes, const struct guarded_table *table, char sign,
                     const struct row_value before[GUARDED_COLUMNS_MAX],
                     const struct row_value after[GUARDED_COLUMNS_MAX]);

/* Goes through them: *at is 0 at first. false: no more. Strings are borrowed from changes. */
bool row_changes_next(const struct row_changes *changes, size_t *at, struct row_change *out);

/* Forgets them; memory is kept for the next job, unless it is much. Borrowed strings of row_changes_next end. */
void row_changes_clear(struct row_changes *changes);
void row_changes_finish(struct row_changes *changes); /* frees what it holds */

/* Whether it is what somebody may do to their own account without an entry. */
bool row_change_is_own(const struct row_change *change, user_no user);

#endif
