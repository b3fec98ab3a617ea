/* G5: the school's own records that an earlier roster ended or took over come back when the roster at hand says nothing
 * of them. What this roster says itself has come back with it. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/school/taken.h"
#include "policy/oneroster/import_private.h"
#include "policy/records/returning.h"

static bool says(const struct id_map *ids, const char *sourced_id)
{
    return sourced_id != NULL && id_map_find(ids, sourced_id) != ID_NONE;
}

/* What each kind does with a record that was kept. *done: it needs no keeping any more. false: the database failed. */
typedef bool return_fn(struct importing *in, const struct taken_record_row *kept, bool *done);

static bool return_person(struct importing *in, const struct taken_record_row *kept, bool *done)
{
    struct person_row row;
    bool good = true;
    if (people_get(in->tx->db, kept->a, &row) && !says(&in->roster->person_ids, row.sourced_id) &&
        (row.ended || !source_is_roster(row.source))) {
        in->changes->n[row.ended ? ROSTER_PEOPLE_BACK : ROSTER_PEOPLE_CHANGED] += 1;
        changelog_record(&in->changelog, "person", row.ended ? '+' : '=', NULL, CHANGELOG_PERSON, kept->a,
                         CHANGELOG_SCHOOL, 0);
        bool switched = !row.ended && row.enabled != kept->enabled; /* by the roster that claimed them */
        row.given = kept->names[0];
        row.family = kept->names[1];
        row.middle = kept->names[2];
        row.birth = kept->birth;
        row.enabled = kept->enabled;
        row.ended = false;
        row.source = kept->source;
        good = people_put(in->tx->db, &row) && (!switched || returning_set_enabled(in->tx, kept->a, kept->enabled));
        *done = true;
    }
    person_row_finish(&row);
    return good;
}

static bool return_class(struct importing *in, const struct taken_record_row *kept, bool *done)
{
    struct class_row row;
    bool good = true;
    if (classes_get(in->tx->db, kept->a, &row) && !says(&in->roster->class_ids, row.sourced_id) && row.ended) {
        row.title = kept->names[0];
        row.grade = kept->names[1];
        row.ended = false;
        row.source = kept->source;
        ++in->changes->n[ROSTER_CLASSES_CHANGED];
        changelog_record(&in->changelog, "class", '+', NULL, CHANGELOG_CLASS, kept->a, CHANGELOG_SCHOOL, row.school);
        good = classes_put(in->tx->db, &row) != 0;
        reconcile_class(in->reconciling, kept->a);
        *done = true;
    }
    class_row_finish(&row);
    return good;
}

static bool return_school(struct importing *in, const struct taken_record_row *kept, bool *done)
{
    struct school_row row;
    bool good = true;
    if (schools_get(in->tx->db, kept->a, &row) && !says(&in->roster->school_ids, row.sourced_id) && row.ended) {
        row.name = kept->names[0];
        row.ended = false;
        row.source = kept->source;
        ++in->changes->n[ROSTER_SCHOOLS_CHANGED];
        changelog_record(&in->changelog, "school", '+', NULL, CHANGELOG_SCHOOL, kept->a, CHANGELOG_SCHOOL, 0);
        good = schools_put(in->tx->db, &row) != 0;
        reconcile_school(in->reconciling, kept->a);
        *done = true;
    }
    school_row_finish(&row);
    return good;
}

static bool is_there(struct db *db, user_no user)
{
    struct person_row row;
    bool there = people_get(db, user, &row) && !row.ended;
    person_row_finish(&row);
    return there;
}

static bool class_is_there(struct db *db, class_no class)
{
    struct class_row row;
    bool there = classes_get(db, class, &row) && !row.ended;
    class_row_finish(&row);
    return there;
}

static bool return_enrollment(struct importing *in, const struct taken_record_row *kept, bool *done)
{
    char source[SOURCE_BYTES];
    const struct enrollment_row row = {kept->a, kept->b, kept->role, kept->begin, kept->end, kept->source};
    if (enrollments_source(in->tx->db, &row, source)) {
        *done = strcmp(source, kept->source) == 0;
        return true;
    }
    if (!class_is_there(in->tx->db, kept->a) || !is_there(in->tx->db, kept->b))
        return true;
    ++in->changes->n[ROSTER_ENROLLMENTS_NEW];
    changelog_record(&in->changelog, "enrollment", '+', school_role_name(kept->role), CHANGELOG_PERSON, kept->b,
                     CHANGELOG_CLASS, kept->a);
    *done = true;
    return enrollments_put(in->tx->db, &row);
}

static bool return_guardianship(struct importing *in, const struct taken_record_row *kept, bool *done)
{
    char source[SOURCE_BYTES];
    const struct guardianship_row row = {kept->a, kept->b, kept->source, kept->since_ms};
    if (guardianships_source(in->tx->db, kept->a, kept->b, source)) {
        *done = strcmp(source, kept->source) == 0;
        return true;
    }
    if (source_is_roster(kept->source) || !is_there(in->tx->db, kept->a) || !is_there(in->tx->db, kept->b) ||
        guardianships_guardians(in->tx->db, kept->a, NULL, 0) >= GUARDIANS_MAX)
        return true;
    ++in->changes->n[ROSTER_GUARDIANSHIPS_NEW];
    changelog_record(&in->changelog, "guardianship", '+', NULL, CHANGELOG_PERSON, kept->a, CHANGELOG_PERSON, kept->b);
    *done = true;
    return guardianships_put(in->tx->db, &row);
}

/* --- All of them --- */

struct kept_records {
    struct taken_record_row *rows; /* their strings are the heap's */
    size_t n;
};

static char *copy(const char *text)
{
    return xstrdup(text != NULL ? text : "");
}

static struct kept_records read_kept(struct db *db)
{
    struct kept_records kept = {0};
    struct taken_record_row row;
    struct stmt *q = taken_records(db);
    while (taken_records_next(q, &row)) {
        row.source = copy(row.source);
        for (int i = 0; i < 3; ++i)
            row.names[i] = copy(row.names[i]);
        kept.rows = xrealloc(kept.rows, (kept.n + 1) * sizeof *kept.rows);
        kept.rows[kept.n++] = row;
    }
    stmt_end(q);
    return kept;
}

bool import_return(struct importing *in)
{
    static return_fn *const KINDS[] = {[TAKEN_PERSON] = return_person,
                                       [TAKEN_CLASS] = return_class,
                                       [TAKEN_SCHOOL] = return_school,
                                       [TAKEN_ENROLLMENT] = return_enrollment,
                                       [TAKEN_GUARDIANSHIP] = return_guardianship};
    struct kept_records kept = read_kept(in->tx->db);
    bool good = true;
    for (size_t i = 0; i < kept.n; ++i) {
        bool done = false;
        good = good && KINDS[kept.rows[i].kind](in, &kept.rows[i], &done) &&
               (!done || taken_records_delete(in->tx->db, &kept.rows[i]));
        free((char *)kept.rows[i].source);
        for (int k = 0; k < 3; ++k)
            free((char *)kept.rows[i].names[k]);
    }
    free(kept.rows);
    return good || error_set(in->e, ERROR_UNKNOWN, NULL);
}
