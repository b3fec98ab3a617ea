/* The sample schools: a OneRoster 1.2 export made up from a seed and a size, the same bytes for the same two.
 *
 * Everything about a person follows from their number by arithmetic and a hash, so that a file is written row by row
 * and 100 000 people take no more memory than ten. In it are: a head, two deputies, a school administrator, a
 * counsellor and an external specialist per school; classes of grades 1 to 11, each with its class teacher; subject
 * groups; families of one and two parents; siblings, some of whom share one parent only; families with children in two
 * schools; class teachers who are parents of a pupil. Names are Russian: surnames and patronymics agree with the
 * person's sex, parents who are a couple share a surname. There is no phone, no e-mail and no password in it. */
#ifndef PARTA_POLICY_ONEROSTER_SAMPLE_H
#define PARTA_POLICY_ONEROSTER_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

struct sample_size {
    int schools;  /* 1 … 1000 */
    int classes;  /* per school, 1 … 600 */
    int pupils;   /* per class, 2 … 60 */
    int subjects; /* subject groups per class, 0 … 8 */
};

/* "small" (two schools of 3 classes of 8), "medium" (of 22 classes of 25), "large" (about 100 000 people), or
 * "<schools>x<classes>x<pupils>", optionally "x<subjects>" (else 2). false: not one of these, or out of range. */
bool sample_size_from(const char *text, struct sample_size *out);

/* What was written, for tests and to say so. */
struct sample_counts {
    int64_t schools, classes, subject_groups, people, pupils, guardians, staff, roles, enrollments, guardianships;
    int64_t sibling_families, cross_school_families, teacher_parents, single_parents;
};

/* Writes the archive to path (replaced if it is there). counts may be NULL. false: why is logged. Blocks (disk). */
bool sample_write(const char *path, uint64_t seed, const struct sample_size *size, struct sample_counts *counts);

#endif
