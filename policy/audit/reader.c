#include "policy/audit/reader.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/audit.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "policy/gate/report_gate.h"

static void add_name(struct audit_reader *reader, char *name)
{
    struct text quoted = TEXT_INIT;
    if (name == NULL)
        return;
    text_add_json(&quoted, name);
    reader->names = xrealloc(reader->names, (reader->n + 1) * sizeof *reader->names);
    reader->names[reader->n++] = xstrdup(quoted.data);
    text_finish(&quoted);
    free(name);
}

/* As entries call people: subjects by Matrix ID, rows by sourcedId. */
static void add_person(struct audit_reader *reader, struct db *db, const char *server_name, user_no user)
{
    add_name(reader, users_id(db, server_name, user));
    add_name(reader, people_sourced_id(db, user));
}

void audit_reader_init(struct audit_reader *reader, struct db *db, const char *server_name, bool school_mode,
                       user_no user)
{
    struct guardianship_row row;
    size_t n;
    *reader = (struct audit_reader){.db = db, .user = user, .school_mode = school_mode};
    if (user == 0)
        return;
    user_no *apart = school_apart_from(db, user, &n);
    for (size_t i = 0; i < n; ++i)
        add_person(reader, db, server_name, apart[i]);
    free(apart);
    reader->kept = reader->n;
    add_person(reader, db, server_name, user);
    struct stmt *q = guardianships_of_person(db, user);
    while (guardianships_next(q, &row))
        add_person(reader, db, server_name, row.child == user ? row.guardian : row.child);
    stmt_end(q);
}

void audit_reader_finish(struct audit_reader *reader)
{
    for (size_t i = 0; i < reader->n; ++i)
        free(reader->names[i]);
    free(reader->names);
    *reader = (struct audit_reader){0};
}

static bool tells_of_custody(const struct audit_row *row)
{
    return strcmp(row->act, "guardianship.custody") == 0 || strstr(row->entry, "\":\"custody\"") != NULL;
}

/* F5: one that is not there any more is nobody's. */
static bool reads_report(const struct audit_reader *reader, int64_t no)
{
    struct report_row report;
    struct error ignored;
    const struct actor actor = {.user = reader->user, .name = ""};
    struct stmt *q = reports_get(reader->db, no);
    bool reads =
        reports_next(q, &report) && report_may_read(reader->db, reader->school_mode, &actor, &report, &ignored);
    stmt_end(q);
    return reads;
}

bool audit_reader_sees(const struct audit_reader *reader, const struct audit_row *row)
{
    size_t n = reader == NULL ? 0 : reader->n != 0 && tells_of_custody(row) ? reader->n : reader->kept;
    for (size_t i = 0; i < n; ++i)
        if (strstr(row->entry, reader->names[i]) != NULL)
            return false;
    return reader == NULL || reader->user == 0 || row->report == 0 || reads_report(reader, row->report);
}
