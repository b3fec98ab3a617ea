/* A OneRoster export, 1.1 or 1.2 (a zip of CSV files), read whole into memory and checked, or refused whole, with what
 * there is to say of it (problems.h).
 *
 * What comes out is consistent: every reference resolves, nothing is there twice, every date is a day, every class has
 * at most one class teacher at a time, every child at most two guardians (school.md D5). It is told in Parta's words
 * (OneRoster mapping of school.md): schools, classes, people, roles, enrollments, guardianships, as arrays that point
 * at each other by index. Roles that follow from something else are there too: a pupil's and a teacher's from their
 * enrollments, a class teacher's from the homeroom, a guardian's in each school of their children.
 *
 * A bulk export says all there is. A delta export (or one with some files of each kind) says what has changed since the
 * last of the same source: it is merged into that one's snapshot (snapshot.h), and what comes out is the whole again.
 *
 * What comes in is not trusted: number of files, bytes unpacked, ratio of packing, rows and fields are bounded, and
 * memory grows only with what is kept. Reading blocks; it touches no database. */
#ifndef PARTA_POLICY_ONEROSTER_READER_H
#define PARTA_POLICY_ONEROSTER_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/days.h"
#include "policy/rules/words.h"
#include "policy/oneroster/archive.h"
#include "policy/oneroster/columns.h"
#include "policy/oneroster/csv.h"
#include "policy/oneroster/id_map.h"

struct snapshot;

#define ROSTER_ROWS_MAX 4000000 /* all files together */

struct roster_school {
    const char *id, *name; /* id: the sourcedId, here and below */
};
struct roster_class {
    const char *id, *title, *grade; /* grade: "5"; "" when not said */
    uint32_t school;
    bool homeroom; /* false: a subject group */
};
struct roster_person {
    const char *id, *given, *family, *middle; /* middle: "" when there is none */
    school_day birth;                         /* DAY_EVER: not known */
    unsigned roles;                           /* enum school_role, in any school and at any time */
    unsigned told;                            /* the same in any org: the reader's own */
    bool enabled;
};
struct roster_role {
    uint32_t person, school;
    enum school_role role;
    school_day begin, end;
};
struct roster_enrollment {
    uint32_t class, person;
    enum school_role role; /* ROLE_PUPIL, ROLE_TEACHER, ROLE_CLASS_TEACHER */
    school_day begin, end;
};
struct roster_guardianship {
    uint32_t child, guardian;
};

struct roster {
    struct roster_school *schools;
    struct roster_class *classes;
    struct roster_person *people;
    struct roster_role *roles;             /* sorted by person, school, role, begin; unique */
    struct roster_enrollment *enrollments; /* in the file's order */
    struct roster_guardianship *guardianships;
    size_t n_schools, n_classes, n_people, n_roles, n_enrollments, n_guardianships;
    struct id_map school_ids, class_ids,
        person_ids;                /* by sourcedId; of an org that is no school: a number beyond n_schools */
    size_t n_roles_left_out;       /* rows of roles.csv that mean nothing here: districts, unknown "ext:" roles */
    size_t n_enrollments_left_out; /* proctors and administrators of a class */
    school_day year_end;           /* the last day of its latest school year; DAY_EVER: it has none */
    int64_t newest_ms;             /* the latest dateLastModified that it tells; 0: it tells none */
    struct arena *memory;          /* of the strings */
};

/* What an archive comes to. The caller destroys both. */
struct roster_update {
    struct roster *roster;
    struct snapshot *snapshot; /* the same as rows (snapshot.h) */
    bool delta;                /* it was merged into base */
};

/* Reads the archive, borrowed. base: the packed snapshot of the source's last import; NULL: there is none, and a delta
 * is refused. It is opened for a delta only. problems is filled in either way, for the caller to finish. false:
 * refused, problems say where and why; *out is empty. */
bool roster_read_update(const void *bytes, size_t len, const void *base, size_t base_len, struct roster_update *out,
                        struct roster_problems *problems);

/* The same of files that are unpacked already. base: opened; borrowed as files are. */
bool roster_read_files(const struct archive_files *files, const struct snapshot *base, struct roster_update *out,
                       struct roster_problems *problems);

/* The same of whole tables, each a CSV file of that version, "" where there is none, which no manifest has told of. */
bool roster_read_tables(const struct snapshot *tables, enum oneroster version, struct roster_update *out,
                        struct roster_problems *problems);

/* A bulk archive, without a snapshot. NULL: refused, *problem is the first that there is. */
struct roster *roster_read(const char *path, struct roster_problem *problem);
struct roster *roster_read_bytes(const void *bytes, size_t len, struct roster_problem *problem);

/* What a snapshot says. Problems name rows by their sourcedId: its lines are nobody's. */
struct roster *roster_read_snapshot(const struct snapshot *snapshot, struct roster_problems *problems);

void roster_destroy(struct roster *roster); /* NULL is accepted */

#endif
