/* CSV files: nothing may crash, leak or depend on how the bytes are cut; a refusal names a place inside the file. The
 * same bytes then stand as users.csv in an otherwise whole roster: what is read is consistent. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "policy/oneroster/reader.h"
#include "policy/oneroster/snapshot.h"
#include "tests/unit/roster_archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool keep_row(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    struct text *out = self;
    (void)reader;
    for (size_t i = 0; i < row->n; ++i) {
        if (!utf8_valid(row->fields[i], strlen(row->fields[i])))
            abort();
        text_adds(out, row->fields[i]);
        text_addc(out, '\0');
    }
    text_add_int(out, row->line);
    return true;
}

static bool read_in_steps(const char *bytes, size_t len, size_t step, struct text *out, struct roster_problem *problem)
{
    struct csv_reader *reader = csv_reader_create("f", keep_row, out, problem);
    bool good = true;
    for (size_t at = 0; at < len && good; at += step)
        good = csv_reader_feed(reader, bytes + at, len - at < step ? len - at : step);
    good = good && csv_reader_end(reader);
    csv_reader_destroy(reader);
    return good;
}

static int64_t lines(const char *bytes, size_t len)
{
    int64_t n = 1;
    for (size_t i = 0; i < len; ++i)
        n += bytes[i] == '\n';
    return n;
}

/* What is kept of the roster says the same when it is read again. */
static void check_snapshot(const struct roster_update *update)
{
    struct roster_problems problems = {0};
    struct roster *again = roster_read_snapshot(update->snapshot, &problems);
    const struct roster *roster = update->roster;
    if (again == NULL || again->n_people != roster->n_people || again->n_roles != roster->n_roles ||
        again->n_enrollments != roster->n_enrollments || again->n_guardianships != roster->n_guardianships)
        abort();
    roster_problems_finish(&problems);
    roster_destroy(again);
}

static void check_roster(const struct roster *roster)
{
    for (size_t i = 0; i < roster->n_guardianships; ++i)
        if (roster->guardianships[i].child >= roster->n_people || roster->guardianships[i].guardian >= roster->n_people)
            abort();
    for (size_t i = 0; i < roster->n_roles; ++i)
        if (roster->roles[i].person >= roster->n_people || roster->roles[i].school >= roster->n_schools)
            abort();
    for (size_t i = 0; i < roster->n_enrollments; ++i)
        if (roster->enrollments[i].person >= roster->n_people || roster->enrollments[i].class >= roster->n_classes)
            abort();
    for (size_t i = 0; i < roster->n_people; ++i)
        if (id_map_find(roster->person_ids, roster->people[i].id) != i)
            abort();
}

static void as_users(const char *bytes, size_t len, const char *version, const char *without)
{
    char *text = xstrndup(bytes, len), manifest[512];
    struct archive_file files[WHOLE_COUNT];
    struct roster_problems problems;
    struct roster_update update;
    size_t n = 0, size;
    snprintf(
        manifest, sizeof manifest,
        "propertyName,value\nmanifest.version,1.0\noneroster.version,%s\nfile.academicSessions,bulk\nfile.orgs,bulk\n"
        "file.courses,bulk\nfile.classes,bulk\nfile.users,bulk\nfile.enrollments,bulk\nfile.demographics,bulk\n%s",
        version, *without == '\0' ? "file.roles,bulk\n" : "");
    for (size_t i = 0; i < WHOLE_COUNT; ++i)
        if (strcmp(WHOLE[i].name, without) != 0)
            files[n++] =
                (struct archive_file){WHOLE[i].name, strcmp(WHOLE[i].name, "users.csv") == 0      ? text
                                                     : strcmp(WHOLE[i].name, "manifest.csv") == 0 ? manifest
                                                                                                  : WHOLE[i].text};
    char *archive = archive_of(files, n, &size);
    if (roster_read_update(archive, size, NULL, 0, &update, &problems)) {
        check_roster(update.roster);
        check_snapshot(&update);
        roster_destroy(update.roster);
        snapshot_destroy(update.snapshot);
    } else if (roster_problems_first(&problems) == NULL) {
        abort();
    }
    roster_problems_finish(&problems);
    free(archive);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *bytes = (const char *)data;
    struct text whole = TEXT_INIT, cut = TEXT_INIT;
    struct roster_problem a = {0}, b = {0};
    bool read = read_in_steps(bytes, len, len + 1, &whole, &a);
    if (read != read_in_steps(bytes, len, 3, &cut, &b))
        abort();
    if (read && (whole.len != cut.len || memcmp(whole.data, cut.data, whole.len) != 0))
        abort();
    if (!read && (a.line < 1 || a.line > lines(bytes, len) || a.column < 1 || strcmp(a.message, b.message) != 0 ||
                  a.line != b.line || a.column != b.column))
        abort();
    text_finish(&whole);
    text_finish(&cut);
    as_users(bytes, len, "1.2", "");
    as_users(bytes, len, "1.1", "roles.csv");
    return 0;
}
