/* parta roster …: the school's records. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "homeserver/base/config.h"
#include "homeserver/base/days.h"
#include "homeserver/base/json.h"
#include "homeserver/cli/services.h"
#include "homeserver/cli/verb.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/roster_snapshots.h"
#include "homeserver/store/school/held_imports.h"
#include "policy/gate/reason.h"
#include "policy/oneroster/convert.h"
#include "policy/oneroster/puller.h"
#include "policy/oneroster/source.h"
#include "policy/rules/rules.h"

static void note(void *self, const char *line)
{
    verb_note(self, line);
}

/* What an import and a pull have in common; the caller's db, for look-ups, is the services'. */
static struct source_import prepare(struct verb_call *call, const char *source, bool dry_run)
{
    return (struct source_import){.source = source,
                                  .how = {.writer = call->services->writer,
                                          .rooms = call->services->rooms,
                                          .config = call->config,
                                          .db = call->services->db,
                                          .difference = dry_run ? &call->out : NULL,
                                          .dry_run = dry_run},
                                  .note = note,
                                  .note_self = call};
}

#define LINES_SHOWN 200 /* of what is lost; `parta roster held` shows more */

static void add_loss_lines(struct text *out, const struct text *lines)
{
    const char *at = lines->data != NULL ? lines->data : "", *end;
    int64_t left_out = 0;
    for (int n = 0; (end = strchr(at, '\n')) != NULL; at = end + 1, ++n)
        if (n < LINES_SHOWN)
            text_add(out, at, (size_t)(end + 1 - at));
        else
            ++left_out;
    if (left_out != 0)
        text_addf(out, "… and %lld more\n", (long long)left_out);
}

/* "school-1: 134 of 140 people gone, 0 changed; 6 of 6 classes ended, 0 changed" */
static void add_loss_schools(struct text *out, const json_t *schools)
{
    size_t i;
    json_t *school;
    json_array_foreach(schools, i, school)
        text_addf(out, "%s: %lld of %lld people gone, %lld changed; %lld of %lld classes ended, %lld changed\n",
                  json_get_string(school, "school"), (long long)json_get_int(school, "gone", 0),
                  (long long)json_get_int(school, "people", 0), (long long)json_get_int(school, "changed", 0),
                  (long long)json_get_int(school, "classes_ended", 0), (long long)json_get_int(school, "classes", 0),
                  (long long)json_get_int(school, "classes_changed", 0));
}

/* G5: what would be lost, and how to have it nevertheless. */
static void tell_held(struct verb_call *call, const struct source_outcome *out, struct text *problem)
{
    const struct import_loss *loss = &out->loss;
    add_loss_lines(&call->notes, &loss->lines);
    add_loss_schools(&call->notes, loss->schools);
    snprintf(call->held, sizeof call->held, "%lld", (long long)out->held);
    snprintf(call->held_version, sizeof call->held_version, "%lld", (long long)loss->version);
    text_addf(
        problem,
        " Nothing has changed. To confirm: parta roster confirm %s --version %s; to forget it: parta roster drop %s",
        call->held, call->held_version, call->held);
}

static bool finish(struct verb_call *call, bool done, bool dry_run, struct source_outcome *out, struct text *problem)
{
    if (!done && out->held != 0)
        tell_held(call, out, problem);
    if (done && out->loss.version != 0) {
        add_loss_schools(&call->notes, out->loss.schools);
        text_adds(&call->notes, dry_run ? "this would be held until it is confirmed\n" : "");
    }
    if (!done && problem->len != 0)
        text_add(&call->problem, problem->data, problem->len); /* it may be a hundred lines */
    else if (!done)
        verb_fail(call, "It failed; the log says more.");
    else if (out->same)
        text_adds(&call->notes, "nothing new\n");
    else
        roster_changes_add_text(&call->notes, &out->changes);
    source_outcome_finish(out);
    text_finish(problem);
    return done;
}

/* --older says why. */
static bool older_fits(struct verb_call *call, const char *why)
{
    return why == NULL || reason_valid(why) ||
           verb_misuse(call, "--older says why in at least %d letters.", REASON_LETTERS_MIN);
}

#define OLDER_OPTION                                                                                                   \
    {                                                                                                                  \
        "--older", OPTION_VALUE, "WHY", "takes a roster that is older than what is here, and says why (for the log)"   \
    }

enum { IMPORT_DRY_RUN, IMPORT_PASSWORDS, IMPORT_SOURCE, IMPORT_OLDER };
static const struct verb_option IMPORT_OPTIONS[] = {
    {"--dry-run", OPTION_FLAG, NULL, "only says what would change, a line each, and counts it"},
    {"--passwords", OPTION_FLAG, NULL, "gives new people passwords and prints them as CSV"},
    {"--source", OPTION_VALUE, "NAME", "whose roster this is, where there are several (otherwise " SOURCE_DEFAULT ")"},
    OLDER_OPTION,
    {NULL},
};

/* What a spreadsheet has saved is refused for each of its habits; one command mends them all. */
static void tell_of_convert(struct verb_call *call)
{
    struct conversion conversion;
    if (roster_convert(call->input.data, call->input.len, &conversion) && conversion.changes.len != 0)
        text_addf(&call->problem, "\nA spreadsheet may have saved this file. parta roster convert %s OUT mends:\n%s",
                  call->args[0], conversion.changes.data);
    conversion_finish(&conversion);
    while (call->problem.len != 0 && call->problem.data[call->problem.len - 1] == '\n')
        call->problem.data[--call->problem.len] = '\0';
}

static bool import(struct verb_call *call)
{
    struct error e;
    struct source_outcome out = {0};
    struct text problem = TEXT_INIT;
    const char *source = call->options[IMPORT_SOURCE] != NULL ? call->options[IMPORT_SOURCE] : SOURCE_DEFAULT;
    if (!source_name_valid(source))
        return verb_misuse(call, "--source must be letters, digits and . _ - (at most 64), and not \"school\".");
    if (!older_fits(call, call->options[IMPORT_OLDER]))
        return false;
    struct source_import how = prepare(call, source, call->options[IMPORT_DRY_RUN] != NULL);
    how.how.older = call->options[IMPORT_OLDER];
    how.how.passwords = call->options[IMPORT_PASSWORDS] != NULL ? &call->out : NULL;
    bool done = source_import_archive(&how, call->input.data, call->input.len, &out, &problem, &e);
    bool held = out.held != 0;
    finish(call, done, how.how.dry_run, &out, &problem);
    if (!done && !held) {
        text_adds(&call->problem, "\nNothing was imported.");
        tell_of_convert(call);
    }
    return done;
}

enum { PULL_DRY_RUN, PULL_FULL, PULL_OLDER };
static const struct verb_option PULL_OPTIONS[] = {
    {"--dry-run", OPTION_FLAG, NULL, "only says what would change, a line each, and counts it"},
    {"--full", OPTION_FLAG, NULL, "asks for everything, not only for what was modified since the last pull"},
    OLDER_OPTION,
    {NULL},
};

static bool pull(struct verb_call *call)
{
    struct source_outcome out = {0};
    struct text problem = TEXT_INIT;
    if (!older_fits(call, call->options[PULL_OLDER]))
        return false;
    struct roster_pull how = {.import = prepare(call, NULL, call->options[PULL_DRY_RUN] != NULL),
                              .full = call->options[PULL_FULL] != NULL,
                              .stop = call->services->stopping};
    how.import.how.older = call->options[PULL_OLDER];
    bool done = puller_pull(call->services->puller, &how, &out, &problem);
    return finish(call, done, how.import.how.dry_run, &out, &problem);
}

/* --- Held imports (G5) --- */

static bool held_of(struct verb_call *call, struct held_import_row *row)
{
    char *end;
    int64_t no = strtoll(call->args[0], &end, 10);
    if (*end == '\0' && held_imports_get(call->services->db, no, row))
        return true;
    verb_fail(call, "No import is held as %s; parta roster held lists them.", call->args[0]);
    return false; /* said here, so that clang-tidy knows that row is filled in otherwise */
}

static bool held(struct verb_call *call)
{
    struct held_import_row row;
    struct error ignored;
    char day[DAY_TEXT_BYTES];
    if (call->n_args == 0) {
        struct stmt *q = held_imports_all(call->services->db);
        while (held_imports_next(q, &row))
            text_addf(&call->out, "%lld\t%lld\t%s\t%s\t%s\t%s\n", (long long)row.no, (long long)row.version, row.source,
                      row.mode, day_text(day_of_ms(row.created_ms), day), row.author);
        stmt_end(q);
        return !db_failed(call->services->db) || verb_fail(call, "The database can't be read (see above).");
    }
    if (!held_of(call, &row))
        return false;
    json_t *schools = json_parse(row.schools, strlen(row.schools), &ignored);
    text_adds(&call->out, row.difference);
    if (row.left_out != 0)
        text_addf(&call->out, "… and %lld more\n", (long long)row.left_out);
    add_loss_schools(&call->notes, schools);
    text_addf(&call->notes, "to confirm: parta roster confirm %lld --version %lld\n", (long long)row.no,
              (long long)row.version);
    json_decref(schools);
    held_import_row_finish(&row);
    return true;
}

enum { CONFIRM_VERSION, CONFIRM_PASSWORDS };
static const struct verb_option CONFIRM_OPTIONS[] = {
    {"--version", OPTION_VALUE, "N", "of the list that you have seen: another one is not confirmed"},
    {"--passwords", OPTION_FLAG, NULL, "gives new people passwords and prints them as CSV"},
    {NULL},
};

static bool confirm(struct verb_call *call)
{
    struct error e;
    int64_t version;
    struct held_import_row row;
    struct source_outcome out;
    struct text problem = TEXT_INIT;
    if (call->options[CONFIRM_VERSION] == NULL)
        return verb_misuse(call, "--version is missing: it names the list that you have seen.");
    if (!verb_int(call, CONFIRM_VERSION, 0, 1, INT64_MAX, &version) || !held_of(call, &row))
        return false;
    struct source_import how = prepare(call, NULL, false);
    how.how.passwords = call->options[CONFIRM_PASSWORDS] != NULL ? &call->out : NULL;
    bool done = source_import_held(&how, &row, version, &out, &problem, &e);
    finish(call, done, how.how.dry_run, &out, &problem);
    held_import_row_finish(&row);
    return done;
}

static bool drop(struct verb_call *call)
{
    struct error e = {0};
    struct held_import_row row;
    if (!held_of(call, &row))
        return false;
    struct source_import how = prepare(call, NULL, false);
    bool done = source_drop_held(&how.how, &row, &e) || verb_fail_error(call, &e);
    held_import_row_finish(&row);
    return done;
}

static bool sources(struct verb_call *call)
{
    char day[DAY_TEXT_BYTES];
    struct roster_snapshot_row row;
    struct stmt *q = roster_snapshots_all(call->services->db);
    while (roster_snapshots_next(q, &row))
        text_addf(&call->out, "%s\t%s\t%zu bytes\n", row.source, day_text(day_of_ms(row.updated_ms), day), row.len);
    stmt_end(q);
    return !db_failed(call->services->db) || verb_fail(call, "The database can't be read (see above).");
}

enum { LIST_ROLE, LIST_LIMIT };
static const struct verb_option LIST_OPTIONS[] = {
    {"--role", OPTION_VALUE, "ROLE",
     "pupil, guardian, teacher, class_teacher, staff, deputy, head, administrator or external"},
    {"--limit", OPTION_VALUE, "N", "at most so many lines"},
    {NULL},
};

static bool list(struct verb_call *call)
{
    char day[DAY_TEXT_BYTES];
    int64_t limit;
    struct role_holder_row row;
    const char *word = call->options[LIST_ROLE];
    enum school_role role = (enum school_role)school_role_from(word);
    if (!verb_int(call, LIST_LIMIT, INT64_MAX, 1, INT64_MAX, &limit))
        return false;
    if (role == 0 && word != NULL && *word != '\0')
        return verb_misuse(call, "There is no role %s.", word);
    struct stmt *q = roles_holders(call->services->db, role, day_today(day));
    for (; limit > 0 && roles_holders_next(q, &row); --limit) {
        text_addf(&call->out, "@%s:%s\t%s\t%s\t%s\t", row.localpart, call->config->server_name,
                  school_role_name(row.role), row.school_name, row.class_title);
        text_addf(&call->out, "%s %s%s%s\n", row.given, row.middle, *row.middle != '\0' ? " " : "", row.family);
    }
    stmt_end(q);
    return !db_failed(call->services->db) || verb_fail(call, "The database can't be read (see above).");
}

/* A name that is free is taken; one that is not belongs to an ordinary file that may be replaced. */
static bool take_name(struct verb_call *call, const char *path, bool replaces, bool *fresh)
{
    struct stat there;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    *fresh = fd >= 0;
    if (fd >= 0)
        return close(fd) == 0;
    if (errno != EEXIST)
        return verb_fail(call, "%s: %s", path, strerror(errno));
    if (!replaces)
        return verb_fail(call, "%s is there already; --force replaces it.", path);
    return (lstat(path, &there) == 0 && S_ISREG(there.st_mode)) || verb_fail(call, "%s is no ordinary file.", path);
}

/* Whole or not at all: written beside, then put in its place. Only the owner may read it: people's names are in it. */
static bool write_file(struct verb_call *call, const char *path, bool replaces, const struct text *bytes)
{
    bool fresh;
    struct text beside = TEXT_INIT;
    if (!take_name(call, path, replaces, &fresh))
        return false;
    text_addf(&beside, "%s.XXXXXX", path);
    int fd = mkostemp(beside.data, O_CLOEXEC);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool written = f != NULL && fwrite(bytes->data, 1, bytes->len, f) == bytes->len && fflush(f) == 0 && fsync(fd) == 0;
    if (f != NULL && fclose(f) != 0)
        written = false;
    written = written && rename(beside.data, path) == 0;
    if (!written)
        verb_fail(call, "%s: %s", path, strerror(errno));
    if (!written && fd >= 0)
        unlink(beside.data);
    if (!written && fresh)
        unlink(path);
    text_finish(&beside);
    return written;
}

enum { CONVERT_FORCE };
static const struct verb_option CONVERT_OPTIONS[] = {
    {"--force", OPTION_FLAG, NULL, "replaces OUT if it is there already"},
    {NULL},
};

static bool convert(struct verb_call *call)
{
    struct conversion conversion;
    bool done = roster_convert(call->input.data, call->input.len, &conversion);
    if (done)
        done = write_file(call, call->args[1], call->options[CONVERT_FORCE] != NULL, &conversion.archive);
    else
        roster_problems_add_refusals(&call->problem, &conversion.problems);
    if (done)
        text_adds(&call->out, conversion.changes.len != 0 ? conversion.changes.data : "nothing had to be changed\n");
    conversion_finish(&conversion);
    return done;
}

static const struct verb TABLE[] = {
    {"roster import", "FILE", 1, 1, IMPORT_OPTIONS, VERB_CONFIG | VERB_WRITES | VERB_INPUT, import,
     "Makes people and rooms as a OneRoster 1.1 or 1.2 export (a zip of CSV files) says.",
     "All or nothing: mistakes refuse it, and up to a hundred are named with their places. What is left out, and what\n"
     "is understood otherwise than it is written, is said first. A second time the same file changes nothing.\n"
     "A delta export changes what the last import of the same source said. One that takes away or changes much of a\n"
     "school at once waits until it is confirmed: asked for on a terminal, otherwise exit code 3. Counts go to "
     "standard error; on standard\n"
     "output are the passwords alone, or, tried, the difference."},
    {"roster convert", "IN OUT", 2, 2, CONVERT_OPTIONS, VERB_INPUT, convert,
     "Makes an export that a spreadsheet has saved one that can be imported.",
     "IN is a zip of CSV files, OUT a new file, for its owner alone; what was changed goes to standard output, a line "
     "for each file "
     "and\n"
     "kind. Changed is what is certain: Windows-1251 and UTF-16, semicolons and tabs, dates like 31.12.2026, ИСТИНА "
     "and\n"
     "ЛОЖЬ, versions that became days, names of files, a folder around them, rows and columns of nothing. What may "
     "mean\n"
     "two things (01/02/2015, an id that became 1,2E+10) is refused with its place. Then: parta roster import "
     "--dry-run "
     "OUT"},
    {"roster pull", .options = PULL_OPTIONS, .flags = VERB_CONFIG | VERB_WRITES, .run = pull,
     .summary = "Makes people and rooms as a OneRoster 1.2 REST service says (roster.url).",
     .essay = "The first pull asks for everything, later ones for what has been modified since. All or nothing."},
    {"roster held", "[ID]", 0, 1, NULL, VERB_CONFIG | VERB_READS, held,
     "Lists imports that wait to be confirmed; of one, what would be lost.",
     "One line for each, separated by tabs: number, version, source, mode, day, who brought it. There is one of a\n"
     "source, the newest."},
    {"roster confirm", "ID", 1, 1, CONFIRM_OPTIONS, VERB_CONFIG | VERB_WRITES, confirm,
     "Imports what waits to be confirmed.",
     "Everything is worked out anew: if another list comes out, it waits again and is shown."},
    {"roster drop", "ID", 1, 1, NULL, VERB_CONFIG | VERB_WRITES, drop, "Forgets an import that waits to be confirmed."},
    {"roster sources", .flags = VERB_CONFIG | VERB_READS, .run = sources,
     .summary = "Lists where rosters came from, the day of the last change, and what is kept of them."},
    {"roster list", .options = LIST_OPTIONS, .flags = VERB_CONFIG | VERB_READS, .run = list,
     .summary = "Lists the people of all schools by role.",
     .essay =
         "One line for each person, role and class, separated by tabs: id, role, school, class, name. A guardian's\n"
         "class is the child's."},
};
const struct verbs ROSTER_VERBS = VERBS(TABLE);
