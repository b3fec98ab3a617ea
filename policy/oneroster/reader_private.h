/* Inside the reader: what reader.c (zip, headers, cells), reader_rows.c (what the rows mean) and reader_whole.c (what
 * only all of them together mean) share. */
#ifndef PARTA_POLICY_ONEROSTER_READER_PRIVATE_H
#define PARTA_POLICY_ONEROSTER_READER_PRIVATE_H

#include "policy/oneroster/arena.h"
#include "policy/oneroster/id_map.h"
#include "policy/oneroster/reader.h"
#include "policy/oneroster/columns.h"

#define ID_OTHER (UINT32_MAX - 1) /* there, but not of the kind that is kept: an org that is no school */

/* What becomes of a row. */
enum row_outcome {
    OUTCOME_TAKEN,
    OUTCOME_ASIDE,   /* it is right and means nothing here: the snapshot keeps it, the roster does not */
    OUTCOME_GONE,    /* inactive or tobedeleted, or it refers to such a row */
    OUTCOME_REFUSED, /* it has been said why */
};

/* Where a row stands, for what is found out later. */
struct place {
    int64_t line, column;
};

/* Somebody's agents, looked up when everybody's roles are known. */
struct pending_agents {
    struct pending_agents *next;
    const char *agents;
    uint32_t person;
    struct place at;
};

/* Two rows of one person: put together when all rows are there. */
struct pending_same {
    struct pending_same *next;
    const char *id; /* of the other row */
    uint32_t person;
};

/* Who was seen with a user name (1.1). */
struct seen_user {
    const char *id, *given, *family, *middle;
    enum school_role role;
    bool paired;
};

/* Who teaches a homeroom. */
struct homeroom_teacher {
    uint32_t enrollment;
    struct place at;
};

struct reading {
    struct roster *roster;
    struct roster_problems *problems;
    enum oneroster version;
    struct arena *scratch; /* of the indices */
    /* Per file; TABLE_ORGS: number of the school or ID_OTHER; TABLE_USERS: of the person. */
    struct id_map ids[TABLE__COUNT];
    struct id_map aside[TABLE__COUNT]; /* ids of rows that were not taken: enum row_outcome */
    bool there[TABLE__COUNT];          /* the file is */
    bool partial[TABLE__COUNT];        /* rows of it could not be read: what it has not is not known */
    struct id_map usernames;           /* number of the seen user */
    struct seen_user *seen;
    struct row_set role_facts, enrollment_facts;
    struct pending_agents *agents, **agents_end;
    struct pending_same *same;
    struct homeroom_teacher *teachers;
    bool agents_gone;  /* somebody names agents who are gone */
    int64_t n_rows;    /* so far, of all files */
    int64_t newest_ms; /* the latest dateLastModified so far; 0: none */
    size_t cap_schools, cap_classes, cap_people, cap_roles, cap_enrollments, cap_guardianships;
    size_t n_seen, cap_seen, n_teachers, cap_teachers;
};

/* Room for one more in an array of `of`; it doubles. */
#define PUSH(of, array, n, cap)                                                                                        \
    ((of)->n == (cap) ? ((cap) = (cap) ? 2 * (cap) : 64,                                                               \
                         (of)->array = xrealloc((of)->array, (cap) * sizeof *(of)->array), &(of)->array[(of)->n++])    \
                      : &(of)->array[(of)->n++])

/* One row, by the table's column numbers. */
struct cells {
    struct reading *in;
    struct csv_reader *reader;
    const struct csv_row *row;
    const int *at; /* column number → field, −1: the file does not have it */
    enum roster_table which;
    const struct table *table;
    const char *same; /* users.csv: the sourcedId of another row of this person; NULL: none */
};

const char *cell(const struct cells *cells, int column); /* "" when the file does not have the column */

/* Says something of a cell; refuses the row because of it. */
void cell_say(const struct cells *cells, int column, enum problem_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
enum row_outcome cell_refuse(const struct cells *cells, int column, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct place cell_place(const struct cells *cells, int column);

/* The same later on. id: the row's. */
void late_say(struct reading *in, enum roster_table table, struct place at, const char *id, int column,
              enum problem_kind kind, const char *fmt, ...) __attribute__((format(printf, 7, 8)));

/* What a row means: adds it to the roster. */
typedef enum row_outcome row_fn(struct reading *in, const struct cells *cells);

extern row_fn *const ROW_FNS[TABLE__COUNT];

enum school_role role_meant(const char *name); /* 0: none that means something in a school */

/* users.csv of 1.1: whether another row is the same person's, who is a guardian and on the staff, and 1.1 has one role
 * a row: the same user name and the same name. The other's sourcedId, or NULL. */
const char *same_person(struct reading *in, const struct cells *c);

/* One more, unchecked: twice the same is the caller's to avoid. The person's roles have it at once. */
void roles_add(struct reading *in, struct roster_role role);

/* When all files are read. What does not fit is said. Puts together the people of two rows, finds the guardians and the
 * class teachers, and adds the roles that follow from enrollments and guardianships; sorts. */
void roster_complete(struct reading *in);

#endif
