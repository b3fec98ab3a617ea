/* parta roster …: the school's records. */
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/cli/office.h"
#include "homeserver/cli/verb.h"
#include "homeserver/store/listing.h"
#include "homeserver/store/school.h"
#include "policy/roster/import.h"
#include "policy/roster/read.h"
#include "policy/rules/rules.h"

enum { IMPORT_DRY_RUN, IMPORT_PASSWORDS };
static const struct verb_option IMPORT_OPTIONS[] = {
    {"--dry-run", OPTION_FLAG, NULL, "only says what would change"},
    {"--passwords", OPTION_FLAG, NULL, "gives new people passwords and prints them as CSV"},
    {NULL},
};

static bool import_roster(struct call *call, const struct roster *roster)
{
    struct error e = {0};
    struct roster_changes changes = {0};
    struct roster_import how = {.writer = call->office->writer,
                                .rooms = call->office->rooms,
                                .config = call->config,
                                .db = call->office->db,
                                .roster = roster,
                                .dry_run = call->options[IMPORT_DRY_RUN] != NULL,
                                .passwords = call->options[IMPORT_PASSWORDS] != NULL ? &call->out : NULL};
    if (!roster_import(&how, &changes, &e))
        return *e.value != '\0' ? call_fail(call, "%s (%s)", error_sentence(&e), e.value) : call_fail_error(call, &e);
    roster_changes_add_text(&call->notes, &changes);
    return true;
}

static bool import(struct call *call)
{
    char where[512];
    struct roster_problem problem = {0};
    struct roster *roster = roster_read_bytes(call->input.data, call->input.len, &problem);
    if (roster == NULL)
        return call_fail(call, "%s", roster_problem_text(&problem, where, sizeof where));
    bool done = import_roster(call, roster);
    roster_destroy(roster);
    return done;
}

enum { LIST_ROLE, LIST_LIMIT };
static const struct verb_option LIST_OPTIONS[] = {
    {"--role", OPTION_VALUE, "ROLE",
     "pupil, guardian, teacher, class_teacher, staff, deputy, head, administrator or external"},
    {"--limit", OPTION_VALUE, "N", "at most so many lines"},
    {NULL},
};

static void add_name(struct text *out, const struct listed_role *row)
{
    text_addf(out, "%s %s%s%s", row->given, row->middle, *row->middle != '\0' ? " " : "", row->family);
}

static bool list(struct call *call)
{
    char day[DAY_TEXT_BYTES];
    int64_t limit;
    struct listed_role row;
    const char *role = call->options[LIST_ROLE] != NULL ? call->options[LIST_ROLE] : "";
    if (!call_int(call, LIST_LIMIT, INT64_MAX, 1, INT64_MAX, &limit))
        return false;
    if (*role != '\0' && school_role_from(role) == 0)
        return call_misuse(call, "There is no role %s.", role);
    struct stmt *q = listing_roles(call->office->db, role, day_text(day_of_ms(clock_wall_ms()), day));
    for (; limit > 0 && listing_roles_next(q, &row); --limit) {
        text_addf(&call->out, "@%s:%s\t%s\t%s\t%s\t", row.localpart, call->config->server_name, row.role, row.school,
                  row.class);
        add_name(&call->out, &row);
        text_addc(&call->out, '\n');
    }
    stmt_end(q);
    return !db_failed(call->office->db) || call_fail(call, "The database can't be read (see above).");
}

static const struct verb TABLE[] = {
    {"roster import", "FILE", 1, 1, IMPORT_OPTIONS, VERB_CONFIG | VERB_WRITES | VERB_INPUT, import,
     "Makes people and rooms as a OneRoster 1.2 export (a zip of CSV files) says.",
     "All or nothing: a file with a mistake is refused with its place. A second time the same file changes nothing. "
     "What\n"
     "changed is said on standard error, so that the passwords alone are on standard output."},
    {"roster list", .options = LIST_OPTIONS, .flags = VERB_CONFIG | VERB_READS, .run = list,
     .summary = "Lists the people of all schools by role.",
     .essay =
         "One line for each person, role and class, separated by tabs: id, role, school, class, name. A guardian's\n"
         "class is the child's."},
};
const struct verbs ROSTER_VERBS = VERBS(TABLE);
