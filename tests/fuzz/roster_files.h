/* The smallest whole roster with one file replaced by what is fuzzed, unpacked: zip is another parser's matter. The
 * first byte chooses the file (its lowest three bits) and the version (8: 1.1). */
#ifndef PARTA_TESTS_FUZZ_ROSTER_FILES_H
#define PARTA_TESTS_FUZZ_ROSTER_FILES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/oneroster/columns.h"
#include "policy/oneroster/reader.h"
#include "policy/oneroster/snapshot.h"
#include "tests/unit/roster_archive.h"

struct roster_files {
    struct archive_part parts[WHOLE_COUNT];
    struct text bytes[WHOLE_COUNT];
    size_t n;
    const char *chosen; /* "users" */
    bool of_1_1;
};

static inline void must(bool holds)
{
    if (!holds)
        abort();
}

static inline void add_file(struct roster_files *files, const char *name, const char *bytes, size_t len)
{
    text_add(&files->bytes[files->n], bytes, len);
    files->parts[files->n] = (struct archive_part){name, &files->bytes[files->n]};
    ++files->n;
}

/* alone: the chosen file and nothing but the manifest, which says that it is a delta. NULL manifest: WHOLE's own. */
static inline void make_files(struct roster_files *files, const uint8_t *data, size_t len, bool alone)
{
    char name[64], manifest[160];
    *files = (struct roster_files){.chosen = ROSTER_TABLES[data[0] & 7].name, .of_1_1 = (data[0] & 8) != 0};
    const struct archive_file *whole = files->of_1_1 ? WHOLE_1_1 : WHOLE;
    size_t n = files->of_1_1 ? WHOLE_1_1_COUNT : WHOLE_COUNT;
    snprintf(name, sizeof name, "%s.csv", files->chosen);
    snprintf(manifest, sizeof manifest,
             "propertyName,value\nmanifest.version,1.0\noneroster.version,%s\nfile.%s,delta\n",
             files->of_1_1 ? "1.1" : "1.2", files->chosen);
    if (alone)
        add_file(files, "manifest.csv", manifest, strlen(manifest));
    for (size_t i = 0; i < n; ++i) {
        bool this = strcmp(whole[i].name, name) == 0;
        if (this)
            add_file(files, whole[i].name, (const char *)data + 1, len - 1);
        else if (!alone)
            add_file(files, whole[i].name, whole[i].text, strlen(whole[i].text));
    }
}

static inline struct archive_files files_of(const struct roster_files *files)
{
    return (struct archive_files){.parts = files->parts, .n = files->n};
}

static inline void finish_files(struct roster_files *files)
{
    for (size_t i = 0; i < files->n; ++i)
        text_finish(&files->bytes[i]);
}

/* Every reference resolves; what is kept of the roster says the same when it is read again. */
static inline void check_update(const struct roster_update *update)
{
    const struct roster *roster = update->roster;
    for (size_t i = 0; i < roster->n_classes; ++i)
        must(roster->classes[i].school < roster->n_schools);
    for (size_t i = 0; i < roster->n_guardianships; ++i)
        must(roster->guardianships[i].child < roster->n_people && roster->guardianships[i].guardian < roster->n_people);
    for (size_t i = 0; i < roster->n_roles; ++i)
        must(roster->roles[i].person < roster->n_people && roster->roles[i].school < roster->n_schools);
    for (size_t i = 0; i < roster->n_enrollments; ++i)
        must(roster->enrollments[i].person < roster->n_people && roster->enrollments[i].class < roster->n_classes);
    for (size_t i = 0; i < roster->n_people; ++i)
        must(id_map_find(&roster->person_ids, roster->people[i].id) == i);
    struct roster_problems problems = {0};
    struct roster *again = roster_read_snapshot(update->snapshot, &problems);
    must(again != NULL && again->n_people == roster->n_people && again->n_roles == roster->n_roles &&
         again->n_enrollments == roster->n_enrollments && again->n_guardianships == roster->n_guardianships &&
         again->n_classes == roster->n_classes && again->n_schools == roster->n_schools);
    roster_problems_finish(&problems);
    roster_destroy(again);
}

static inline void finish_update(struct roster_update *update, bool read, struct roster_problems *problems)
{
    must(read || roster_problems_first(problems) != NULL);
    roster_problems_finish(problems);
    roster_destroy(update->roster);
    snapshot_destroy(update->snapshot);
}

#endif
