/* parta roster …: the school's records. */
#include "homeserver/base/config.h"
#include "homeserver/base/days.h"
#include "homeserver/cli/services.h"
#include "homeserver/cli/verb.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/roster_snapshots.h"
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

static bool finish(struct verb_call *call, bool done, const struct source_outcome *out, struct text *problem)
{
    if (!done)
        verb_fail(call, "%s", problem->len != 0 ? problem->data : "It failed; the log says more.");
    else if (out->same)
        text_adds(&call->notes, "nothing new\n");
    else
        roster_changes_add_text(&call->notes, &out->changes);
    text_finish(problem);
    return done;
}

enum { IMPORT_DRY_RUN, IMPORT_PASSWORDS, IMPORT_SOURCE };
static const struct verb_option IMPORT_OPTIONS[] = {
    {"--dry-run", OPTION_FLAG, NULL, "only says what would change, a line each, and counts it"},
    {"--passwords", OPTION_FLAG, NULL, "gives new people passwords and prints them as CSV"},
    {"--source", OPTION_VALUE, "NAME", "whose roster this is, where there are several (otherwise " SOURCE_DEFAULT ")"},
    {NULL},
};

static bool import(struct verb_call *call)
{
    struct error e;
    struct source_outcome out;
    struct text problem = TEXT_INIT;
    const char *source = call->options[IMPORT_SOURCE] != NULL ? call->options[IMPORT_SOURCE] : SOURCE_DEFAULT;
    if (!source_name_valid(source))
        return verb_misuse(call, "--source must be letters, digits and . _ - (at most 64), and not \"school\".");
    struct source_import how = prepare(call, source, call->options[IMPORT_DRY_RUN] != NULL);
    how.how.passwords = call->options[IMPORT_PASSWORDS] != NULL ? &call->out : NULL;
    bool done = source_import_archive(&how, call->input.data, call->input.len, &out, &problem, &e);
    return finish(call, done, &out, &problem);
}

enum { PULL_FULL, PULL_DRY_RUN };
static const struct verb_option PULL_OPTIONS[] = {
    {"--full", OPTION_FLAG, NULL, "asks for everything, not only for what was modified since the last pull"},
    {"--dry-run", OPTION_FLAG, NULL, "only says what would change, a line each, and counts it"},
    {NULL},
};

static bool pull(struct verb_call *call)
{
    struct source_outcome out;
    struct text problem = TEXT_INIT;
    struct roster_pull how = {.import = prepare(call, NULL, call->options[PULL_DRY_RUN] != NULL),
                              .full = call->options[PULL_FULL] != NULL,
                              .stop = call->services->stopping};
    return finish(call, puller_pull(call->services->puller, &how, &out, &problem), &out, &problem);
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

static const struct verb TABLE[] = {
    {"roster import", "FILE", 1, 1, IMPORT_OPTIONS, VERB_CONFIG | VERB_WRITES | VERB_INPUT, import,
     "Makes people and rooms as a OneRoster 1.1 or 1.2 export (a zip of CSV files) says.",
     "All or nothing: a file with a mistake is refused with its place. A second time the same file changes nothing.\n"
     "A delta export changes what the last import of the same source said. Counts go to standard error; on standard\n"
     "output are the passwords alone, or, tried, the difference."},
    {"roster pull", .options = PULL_OPTIONS, .flags = VERB_CONFIG | VERB_WRITES, .run = pull,
     .summary = "Makes people and rooms as a OneRoster 1.2 REST service says (roster.url).",
     .essay = "The first pull asks for everything, later ones for what has been modified since. All or nothing."},
    {"roster sources", .flags = VERB_CONFIG | VERB_READS, .run = sources,
     .summary = "Lists where rosters came from, the day of the last change, and what is kept of them."},
    {"roster list", .options = LIST_OPTIONS, .flags = VERB_CONFIG | VERB_READS, .run = list,
     .summary = "Lists the people of all schools by role.",
     .essay =
         "One line for each person, role and class, separated by tabs: id, role, school, class, name. A guardian's\n"
         "class is the child's."},
};
const struct verbs ROSTER_VERBS = VERBS(TABLE);
