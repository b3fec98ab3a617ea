#include "policy/audit/reader.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/guarded.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/audit.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "policy/gate/report_gate.h"

/* Takes name. */
static void add_name(struct audit_reader *reader, char *name, bool matrix)
{
    struct text quoted = TEXT_INIT;
    if (name == NULL)
        return;
    text_add_json(&quoted, name);
    reader->names = xrealloc(reader->names, (reader->n + 1) * sizeof *reader->names);
    reader->names[reader->n++] = (struct audit_named){name, quoted.data, matrix};
}

/* As entries call people: subjects by Matrix ID, rows by sourcedId. */
static void add_person(struct audit_reader *reader, struct db *db, const char *server_name, user_no user)
{
    add_name(reader, users_id(db, server_name, user), true);
    add_name(reader, people_sourced_id(db, user), false);
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
    for (size_t i = 0; i < reader->n; ++i) {
        free(reader->names[i].name);
        free(reader->names[i].quoted);
    }
    free(reader->names);
    *reader = (struct audit_reader){0};
}

/* --- Whom an entry concerns --- */

static bool is_string(const json_t *value, const char *name)
{
    return json_is_string(value) && strcmp(json_string_value(value), name) == 0;
}

/* "person" of {"+": "person", …}; "": it is no change. */
static const char *record_of(const json_t *change)
{
    static const char *const SIGNS[] = {"+", "-", "="};
    const char *record = NULL;
    for (size_t i = 0; i < sizeof SIGNS / sizeof *SIGNS && record == NULL; ++i)
        record = json_string_value(json_object_get(change, SIGNS[i]));
    return record != NULL ? record : "";
}

static bool change_concerns(const json_t *change, const char *name)
{
    const char *record = record_of(change);
    for (const struct guarded_table *t = GUARDED_TABLES; t < GUARDED_TABLES + GUARDED_TABLES_N; ++t) {
        if (t->record == NULL || strcmp(t->record, record) != 0)
            continue;
        for (const struct guarded_column *c = t->columns; c->guard != GUARD_NO; ++c) {
            const json_t *value = json_object_get(change, c->shown != NULL ? c->shown : c->name);
            if (c->value != VALUE_USER && c->value != VALUE_PERSON && c->value != VALUE_LOCALPART)
                continue;
            if (is_string(value, name) || is_string(json_array_get(value, 0), name) || /* before and after */
                is_string(json_array_get(value, 1), name))
                return true;
        }
    }
    return false;
}

/* Of subjects: the acts' (office_act_note and its like). */
static const char *const SUBJECTS[] = {"user", "child", "guardian"};

static bool entry_concerns(const json_t *entry, const struct audit_named *named)
{
    size_t i;
    const json_t *change, *subject = json_object_get(entry, "subject");
    if (named->matrix) {
        if (is_string(json_object_get(entry, "actor"), named->name))
            return true;
        for (i = 0; i < sizeof SUBJECTS / sizeof *SUBJECTS; ++i)
            if (is_string(json_object_get(subject, SUBJECTS[i]), named->name))
                return true;
    }
    json_array_foreach(json_object_get(entry, "changes"), i, change)
        if (change_concerns(change, named->name))
            return true;
    return false;
}

static bool tells_of_custody(const struct audit_row *row, const json_t *entry)
{
    size_t i;
    const json_t *change;
    if (strcmp(row->act, "guardianship.custody") == 0)
        return true;
    json_array_foreach(json_object_get(entry, "changes"), i, change)
        if (strcmp(record_of(change), "custody") == 0 || strcmp(record_of(change), "left_custody") == 0)
            return true;
    return false;
}

/* What does not name anybody of them in any way need not be read. */
static bool may_concern(const struct audit_reader *reader, const struct audit_row *row)
{
    for (size_t i = 0; i < reader->n; ++i)
        if (strstr(row->entry, reader->names[i].quoted) != NULL)
            return true;
    return false;
}

static bool keeps_from(const struct audit_reader *reader, const struct audit_row *row)
{
    struct error ignored;
    if (!may_concern(reader, row))
        return false;
    json_t *entry = json_parse(row->entry, strlen(row->entry), &ignored);
    size_t n = tells_of_custody(row, entry) ? reader->n : reader->kept;
    bool keeps = entry == NULL; /* tampered with: whose it is nobody can say */
    for (size_t i = 0; i < n && !keeps; ++i)
        keeps = entry_concerns(entry, &reader->names[i]);
    json_decref(entry);
    return keeps;
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
    if (reader != NULL && reader->n != 0 && keeps_from(reader, row))
        return false;
    return reader == NULL || reader->user == 0 || row->report == 0 || reads_report(reader, row->report);
}
