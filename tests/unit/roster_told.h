/* What an archive comes to, as text that does not depend on the order of rows. */
#ifndef PARTA_TESTS_UNIT_ROSTER_TOLD_H
#define PARTA_TESTS_UNIT_ROSTER_TOLD_H

#include "policy/oneroster/reader.h"
#include "policy/oneroster/snapshot.h"
#include "tests/unit/roster_archive.h"

static inline int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void add_period(struct text *out, school_day begin, school_day end)
{
    text_addf(out, " %d-%d\n", begin, end);
}

static inline char *sorted(struct text *lines)
{
    char *list[256];
    size_t n = 0;
    struct text out = TEXT_INIT;
    for (char *line = lines->data != NULL ? strtok(lines->data, "\n") : NULL; line != NULL; line = strtok(NULL, "\n")) {
        assert_true(n < 256);
        list[n++] = line;
    }
    qsort(list, n, sizeof *list, compare_lines);
    text_adds(&out, "");
    for (size_t i = 0; i < n; ++i)
        text_addf(&out, "%s\n", list[i]);
    text_finish(lines);
    return text_take(&out);
}

static inline void add_remark(void *out, const char *line)
{
    text_addf(out, "%s\n", line);
}

/* problems: what there is to say of it besides; NULL: that is not wanted. */
static inline char *told(const struct roster *r, const struct roster_problems *problems)
{
    struct text out = TEXT_INIT;
    if (problems != NULL)
        roster_problems_tell(problems, add_remark, &out);
    for (size_t i = 0; i < r->n_schools; ++i)
        text_addf(&out, "school %s %s\n", r->schools[i].id, r->schools[i].name);
    for (size_t i = 0; i < r->n_classes; ++i)
        text_addf(&out, "class %s %s grade %s of %s %s\n", r->classes[i].id, r->classes[i].title, r->classes[i].grade,
                  r->schools[r->classes[i].school].id, r->classes[i].homeroom ? "homeroom" : "group");
    for (size_t i = 0; i < r->n_people; ++i)
        text_addf(&out, "person %s %s %s %s born %d %s\n", r->people[i].id, r->people[i].family, r->people[i].given,
                  r->people[i].middle, r->people[i].birth, r->people[i].enabled ? "enabled" : "locked");
    for (size_t i = 0; i < r->n_roles; ++i) {
        text_addf(&out, "role %s %s %d", r->people[r->roles[i].person].id, r->schools[r->roles[i].school].id,
                  r->roles[i].role);
        add_period(&out, r->roles[i].begin, r->roles[i].end);
    }
    for (size_t i = 0; i < r->n_enrollments; ++i) {
        text_addf(&out, "enrolled %s %s %d", r->people[r->enrollments[i].person].id,
                  r->classes[r->enrollments[i].class].id, r->enrollments[i].role);
        add_period(&out, r->enrollments[i].begin, r->enrollments[i].end);
    }
    for (size_t i = 0; i < r->n_guardianships; ++i)
        text_addf(&out, "guardian %s of %s\n", r->people[r->guardianships[i].guardian].id,
                  r->people[r->guardianships[i].child].id);
    return sorted(&out);
}

struct packed {
    char *bytes;
    size_t len;
};

/* The archive as a source's first import: what it says (NULL: the problem), and the snapshot packed. */
static inline char *import_on(const struct archive_file *files, size_t n, const struct packed *base,
                              struct packed *snapshot)
{
    struct roster_problems problems;
    struct roster_update out;
    size_t len;
    char *bytes = archive_of(files, n, &len), *says;
    bool read = roster_read_update(bytes, len, base != NULL ? base->bytes : NULL, base != NULL ? base->len : 0, &out,
                                   &problems);
    free(bytes);
    assert_int_equal(read, roster_problems_count(&problems, PROBLEM_REFUSES) == 0);
    if (!read) {
        struct text refused = TEXT_INIT;
        assert_null(out.roster);
        assert_null(out.snapshot);
        roster_problems_add_refusals(&refused, &problems);
        roster_problems_finish(&problems);
        says = xcalloc(refused.len + 16, 1);
        snprintf(says, refused.len + 16, "refused: %s", refused.data);
        text_finish(&refused);
        return says;
    }
    if (snapshot != NULL) {
        struct text packed = TEXT_INIT;
        assert_true(snapshot_pack(out.snapshot, &packed));
        snapshot->len = packed.len;
        snapshot->bytes = text_take(&packed);
    }
    says = told(out.roster, &problems);
    roster_problems_finish(&problems);
    roster_destroy(out.roster);
    snapshot_destroy(out.snapshot);
    return says;
}

static inline void assert_has(const char *says, const char *line)
{
    if (strstr(says, line) == NULL)
        fail_msg("no \"%s\" in:\n%s", line, says);
}

static inline void assert_has_not(const char *says, const char *line)
{
    if (strstr(says, line) != NULL)
        fail_msg("\"%s\" in:\n%s", line, says);
}

#endif
