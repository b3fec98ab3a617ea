/* Inside the reader: what read.c (zip, headers, cells) and rows.c (what the rows mean) share. */
#ifndef PARTA_POLICY_ONEROSTER_READER_PRIVATE_H
#define PARTA_POLICY_ONEROSTER_READER_PRIVATE_H

#include "policy/oneroster/arena.h"
#include "policy/oneroster/id_map.h"
#include "policy/oneroster/reader.h"
#include "policy/oneroster/columns.h"

#define ID_OTHER (UINT32_MAX - 1) /* there, but not of the kind that is kept: an org that is no school */

/* A pupil's agents, looked up when everybody's roles are known. */
struct pending_agents {
    struct pending_agents *next;
    const char *agents;
    uint32_t child;
};

struct reading {
    struct roster *roster;
    struct roster_problem *problem;
    struct arena *scratch; /* of the indices */
    /* Per file; TABLE_ORGS: number of the school or ID_OTHER; TABLE_USERS: of the person. */
    struct id_map *ids[TABLE__COUNT];
    struct id_map *usernames;
    struct row_set *role_facts, *enrollment_facts;
    struct pending_agents *agents, **agents_end;
    int64_t n_rows;    /* so far, of all files */
    int64_t newest_ms; /* the latest dateLastModified so far; 0: none */
    size_t cap_schools, cap_classes, cap_people, cap_roles, cap_enrollments, cap_guardianships;
};

/* One row, by the table's column numbers. */
struct cells {
    struct csv_reader *reader;
    const struct csv_row *row;
    const int *at; /* column number → field, −1: the file does not have it */
    const struct table *table;
    enum oneroster version;
};

const char *cell(const struct cells *cells, int column); /* "" when the file does not have the column */
bool cell_refuse(const struct cells *cells, int column, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What a row means: adds it to the roster. false: refused. */
typedef bool row_fn(struct reading *in, const struct cells *cells);

extern row_fn *const ROW_FNS[TABLE__COUNT];
extern row_fn *const SECOND_FNS[TABLE__COUNT]; /* references within the same file, once it is whole; NULL: none */

/* Everybody's guardians, when all files are read. false: somebody's don't fit; agents_row, called for each row of
 * users.csv again, says whose and where. */
bool roster_agents(struct reading *in);
bool agents_row(struct reading *in, const struct cells *c);

/* Adds the roles that follow from enrollments and guardianships; sorts. */
void roster_complete(struct reading *in);

#endif
