/* The files of a OneRoster export that Parta reads and writes, as data: columns in the order of the standard 1.2, what
 * each may hold, which must be there, and where 1.1 differs. The reader checks every cell by its row here before it
 * looks at what it means: a column that is read must be there, and its cells right; one that is not read is at most
 * named. Words are taken in any case; the sample writes its headers from here, the snapshot (snapshot.h) its rows.
 * (OneRoster CSV bindings 1.1 and 1.2; docs/roster.md has the mapping.) */
#ifndef PARTA_POLICY_ONEROSTER_COLUMNS_H
#define PARTA_POLICY_ONEROSTER_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whose columns and words; bits. */
enum oneroster {
    ONEROSTER_1_1 = 1,
    ONEROSTER_1_2 = 2,
    ONEROSTER_SNAPSHOT = 4, /* our own: 1.2 with the columns that we keep, and the words of both */
};

enum cell_kind {
    CELL_ANY,    /* not looked at */
    CELL_ID,     /* a sourcedId: at most 255 bytes */
    CELL_IDS,    /* several, comma separated */
    CELL_NAME,   /* at most 255 bytes */
    CELL_DATE,   /* 2026-09-01, a day of the calendar */
    CELL_BOOL,   /* true, false; 1, 0 */
    CELL_YEAR,   /* four digits */
    CELL_WORD,   /* one of words; "ext:…" too if extensible */
    CELL_STATUS, /* row_status says what it may be */
};

/* What the status of a row says. */
enum row_status {
    ROW_THERE,
    ROW_GONE,    /* "tobedeleted", "inactive" (1.1, and many who write 1.2) */
    ROW_UNKNOWN, /* not a word that may stand here */
};

struct column {
    const char *name;
    enum cell_kind kind;
    bool required; /* by the standard: the column must be there, and no cell of it empty */
    bool extensible;
    const char *words;     /* CELL_WORD: "|a|b|" */
    const char *words_1_1; /* the same in 1.1 and in the snapshot; NULL: words */
    bool kept;             /* the snapshot has it */
    bool read;             /* it means something here */
    enum oneroster only;   /* in that version only; 0: in both */
};

enum roster_table {
    TABLE_SESSIONS,
    TABLE_ORGS,
    TABLE_COURSES,
    TABLE_CLASSES,
    TABLE_USERS,
    TABLE_ROLES,
    TABLE_ENROLLMENTS,
    TABLE_DEMOGRAPHICS,
    TABLE__COUNT
};

/* Columns by number, in the order of the tables. */
enum {
    SESSION_ID,
    SESSION_STATUS,
    SESSION_MODIFIED,
    SESSION_TITLE,
    SESSION_TYPE,
    SESSION_START,
    SESSION_END,
    SESSION_PARENT,
    SESSION_YEAR
};
enum { ORG_ID, ORG_STATUS, ORG_MODIFIED, ORG_NAME, ORG_TYPE, ORG_IDENTIFIER, ORG_PARENT };
enum { COURSE_ID, COURSE_STATUS, COURSE_MODIFIED, COURSE_YEAR, COURSE_TITLE, COURSE_CODE, COURSE_GRADES, COURSE_ORG };
enum {
    CLASS_ID,
    CLASS_STATUS,
    CLASS_MODIFIED,
    CLASS_TITLE,
    CLASS_GRADES,
    CLASS_COURSE,
    CLASS_CODE,
    CLASS_TYPE,
    CLASS_LOCATION,
    CLASS_SCHOOL,
    CLASS_TERMS
};
enum {
    USER_ID,
    USER_STATUS,
    USER_MODIFIED,
    USER_ENABLED,
    USER_USERNAME,
    USER_IDS,
    USER_GIVEN,
    USER_FAMILY,
    USER_MIDDLE,
    USER_IDENTIFIER,
    USER_EMAIL,
    USER_SMS,
    USER_PHONE,
    USER_AGENTS,
    USER_GRADES,
    USER_PASSWORD,
    USER_MASTER,
    USER_PREFERRED_GIVEN,
    USER_PREFERRED_MIDDLE,
    USER_PREFERRED_FAMILY,
    USER_PRIMARY_ORG,
    USER_PRONOUNS,
    USER_ORGS, /* these two in 1.1 only, where there is no roles.csv */
    USER_ROLE,
    USER_SAME /* in the snapshot only: the sourcedId of another row of the same person */
};
enum {
    ROLE_ROW_ID,
    ROLE_ROW_STATUS,
    ROLE_ROW_MODIFIED,
    ROLE_ROW_USER,
    ROLE_ROW_TYPE,
    ROLE_ROW_ROLE,
    ROLE_ROW_BEGIN,
    ROLE_ROW_END,
    ROLE_ROW_ORG,
    ROLE_ROW_PROFILE
};
enum {
    ENROLLMENT_ID,
    ENROLLMENT_STATUS,
    ENROLLMENT_MODIFIED,
    ENROLLMENT_CLASS,
    ENROLLMENT_SCHOOL,
    ENROLLMENT_USER,
    ENROLLMENT_ROLE,
    ENROLLMENT_PRIMARY,
    ENROLLMENT_BEGIN,
    ENROLLMENT_END
};
enum { DEMO_ID, DEMO_STATUS, DEMO_MODIFIED, DEMO_BIRTH, DEMO_SEX };

#define COLUMNS_MAX 25

struct table {
    const char *name; /* "users": the file is users.csv, the manifest's property file.users */
    const struct column *columns;
    size_t n;
    bool required;       /* something in it is read: without it there is no roster */
    enum oneroster only; /* as in struct column */
};

extern const struct table ROSTER_TABLES[TABLE__COUNT];

/* Whether the version has the column; whether the file. */
bool column_in(const struct column *column, enum oneroster version);
bool table_in(const struct table *table, enum oneroster version);

/* hint: where it likely is; most headers follow the standard's order. −1: there is none. */
int column_find(const struct table *table, const char *name, enum oneroster version, size_t hint);

/* Whether a file without this column is refused: it is read, and what is missing would be taken for empty. status and
 * dateLastModified mean something in a delta only. Snapshots may be older than the column. */
bool column_needed(const struct table *table, int column, enum oneroster version, bool delta);

bool word_is(const char *value, const char *word); /* in any case */
bool bool_is_true(const char *value);              /* of a CELL_BOOL that is right */

/* What is wrong with a cell's value, "" included. NULL: nothing; else static storage. CELL_STATUS
 * is always right here. */
const char *column_fault(const struct column *column, enum oneroster version, const char *value);

/* The word of a status cell. delta: the file is one, and must say. */
enum row_status row_status(const char *word, bool delta);

/* Whether it is more than a day from now: what was "modified" then says nothing of which roster is the newer one. */
bool moment_is_ahead(int64_t ms);

/* Milliseconds since 1970 of "2026-09-01T10:00:00.000Z", with another offset, without a fraction, or only the day
 * (UTC). −1: not written so. */
int64_t moment_from(const char *text);
#define MOMENT_BYTES 32
const char *moment_text(int64_t ms, char out[MOMENT_BYTES]); /* "2026-09-01T10:00:00.000Z" */

/* Every file name that the standard knows, NULL at the end: the manifest lists them all. */
extern const char *const ONEROSTER_FILES[];

#define SOURCED_ID_BYTES 256 /* a sourcedId and a NUL */

/* Walks a comma separated cell. Returns the next id in buf (cut at 255 bytes, which no id exceeds), NULL at the end. */
const char *id_list_next(const char **at, char buf[SOURCED_ID_BYTES]);

#endif
