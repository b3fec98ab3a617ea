#include "policy/oneroster/forget.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/held_imports.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roster_snapshots.h"
#include "policy/audit/audit.h"
#include "policy/gate/school_gate.h"
#include "policy/oneroster/snapshot.h"

#define ROWS_MAX 16 /* of one person */

/* The sourcedIds of a person's rows in users.csv of a snapshot. */
struct search {
    const struct person_row *person;
    bool by_name; /* who is called so is looked for, too */
    char *ids[ROWS_MAX];
    size_t n;
    bool header_read;
};

static bool is_same(const char *one, const char *other)
{
    return one != NULL && other != NULL && *other != '\0' && strcmp(one, other) == 0;
}

/* A row of the snapshot has the kept columns alone. */
static const char *cell_of(const struct csv_row *row, int column)
{
    size_t field = 0;
    for (int i = 0; i < column; ++i)
        field += ROSTER_TABLES[TABLE_USERS].columns[i].kept;
    return field < row->n ? row->fields[field] : NULL;
}

static void add_id(struct search *s, const char *id)
{
    if (id != NULL && *id != '\0' && s->n < ROWS_MAX)
        s->ids[s->n++] = xstrdup(id);
}

static bool look_at(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    struct search *s = self;
    (void)reader;
    if (!s->header_read)
        return s->header_read = true;
    const char *id = cell_of(row, USER_ID), *same = cell_of(row, USER_SAME);
    bool own = is_same(id, s->person->sourced_id);
    bool named = s->by_name && is_same(cell_of(row, USER_GIVEN), s->person->given) &&
                 is_same(cell_of(row, USER_FAMILY), s->person->family);
    if (own || named || is_same(same, s->person->sourced_id))
        add_id(s, id);
    if (own)
        add_id(s, same);
    return true;
}

static bool find_rows(struct search *s, const struct snapshot *in, struct roster_problem *problem)
{
    const struct text *rows = &in->csv[TABLE_USERS];
    struct csv_reader *reader = csv_reader_create("users.csv", look_at, s, problem);
    bool good = csv_reader_feed(reader, rows->data, rows->len) && csv_reader_end(reader);
    csv_reader_destroy(reader);
    return good;
}

static void search_finish(struct search *s)
{
    for (size_t i = 0; i < s->n; ++i)
        free(s->ids[i]);
}

/* What is there without those rows and all that is theirs. NULL: *problem. */
static struct snapshot *without(const struct snapshot *in, const struct search *s, struct roster_problem *problem)
{
    struct roster_delta *delta = roster_delta_create();
    for (size_t i = 0; i < s->n; ++i)
        roster_delta_drop(delta, TABLE_USERS, s->ids[i]);
    struct snapshot *out = snapshot_merge(in, delta, problem);
    roster_delta_destroy(delta);
    return out;
}

/* --- Snapshots --- */

static bool write_without(struct tx *tx, const char *source, struct roster_snapshot_row *row, const struct snapshot *in,
                          const struct search *s)
{
    struct roster_problem problem;
    struct text archive = TEXT_INIT;
    struct snapshot *left = without(in, s, &problem);
    struct roster_snapshot_row now = *row;
    bool good = left != NULL && snapshot_pack(left, &archive);
    if (good) {
        now.archive = archive.data;
        now.len = archive.len;
        good = roster_snapshots_put(tx, source, &now);
    } else {
        log_warn("erase", "the roster of %s could not be written without a person who is erased", source);
    }
    snapshot_destroy(left);
    text_finish(&archive);
    return good || !db_failed(tx->db);
}

static bool forget_in_snapshot(struct tx *tx, const char *source, const struct person_row *person)
{
    struct roster_snapshot_row row;
    struct roster_problem problem;
    struct search s = {.person = person};
    bool there = roster_snapshots_get(tx->db, source, &row);
    struct snapshot *in = there ? snapshot_open(row.archive, row.len, &problem) : NULL;
    bool good = true;
    if (there && (in == NULL || !find_rows(&s, in, &problem)))
        log_warn("erase", "the roster of %s cannot be read: whether it names a person who is erased is not known",
                 source);
    else if (s.n != 0)
        good = write_without(tx, source, &row, in, &s);
    search_finish(&s);
    snapshot_destroy(in);
    roster_snapshots_finish(&row);
    return good;
}

/* Copies, because each is read whole and written in between. Heap, each too. */
static char **snapshot_sources(struct db *db, size_t *n)
{
    char **list = NULL;
    struct roster_snapshot_row row;
    struct stmt *q = roster_snapshots_all(db);
    for (*n = 0; roster_snapshots_next(q, &row);) {
        list = xrealloc(list, (*n + 1) * sizeof *list);
        list[(*n)++] = xstrdup(row.source);
    }
    stmt_end(q);
    return list;
}

/* --- What waits --- */

/* Lines name people by sourcedId. */
static bool is_told(const char *lines, const char *id)
{
    size_t len = strlen(id);
    for (const char *at = lines; len != 0 && (at = strstr(at, id)) != NULL; at += len) {
        bool begins = at == lines || strchr(" \n\t(,", at[-1]) != NULL, ends = strchr(" \n\t),:", at[len]) != NULL;
        if (begins && ends)
            return true;
    }
    return false;
}

static bool names_person(const struct held_import_row *row, const struct person_row *person)
{
    struct roster_problem problem;
    struct search s = {.person = person, .by_name = true};
    if (is_told(row->difference, person->sourced_id))
        return true;
    struct snapshot *in = row->len != 0 ? snapshot_open(row->archive, row->len, &problem) : NULL;
    bool names = row->len != 0 && (in == NULL || !find_rows(&s, in, &problem) || s.n != 0);
    search_finish(&s);
    snapshot_destroy(in);
    return names;
}

static bool drop(struct tx *tx, const struct signing_key *key, const struct held_import_row *row)
{
    static const struct actor ERASER = {.name = "operator:erasure", .scopes = SCOPE_ALL};
    const struct audit_note note = {.actor = &ERASER,
                                    .act = "roster.drop",
                                    .details = json_pack("{s:s, s:o}", "source", row->source, "version",
                                                         json_sprintf("%lld", (long long)row->version)),
                                    .reason = "it names somebody who is erased"};
    log_warn("erase", "the import of %s that waited is dropped: it names somebody who is erased", row->source);
    return held_imports_drop(tx->db, row->source) && audit_append(tx, key, &note);
}

static bool forget_held(struct tx *tx, const struct signing_key *key, int64_t no, const struct person_row *person)
{
    struct held_import_row row;
    bool good = !held_imports_get(tx->db, no, &row) || !names_person(&row, person) || drop(tx, key, &row);
    held_import_row_finish(&row);
    return good;
}

static int64_t *held_numbers(struct db *db, size_t *n)
{
    int64_t *list = NULL;
    struct held_import_row row;
    struct stmt *q = held_imports_all(db);
    for (*n = 0; held_imports_next(q, &row);) {
        list = xrealloc(list, (*n + 1) * sizeof *list);
        list[(*n)++] = row.no;
    }
    stmt_end(q);
    return list;
}

bool roster_forget(struct tx *tx, const struct signing_key *key, user_no user)
{
    size_t n_sources, n_held;
    struct person_row person;
    bool good = true, known = people_get(tx->db, user, &person) && person.sourced_id != NULL;
    char **sources = snapshot_sources(tx->db, &n_sources);
    int64_t *held = held_numbers(tx->db, &n_held);
    for (size_t i = 0; i < n_sources; ++i) {
        good = good && (!known || forget_in_snapshot(tx, sources[i], &person));
        free(sources[i]);
    }
    for (size_t i = 0; i < n_held && known && good; ++i)
        good = forget_held(tx, key, held[i], &person);
    free(sources);
    free(held);
    person_row_finish(&person);
    return good;
}
