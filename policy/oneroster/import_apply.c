#include <stdlib.h>
#include <string.h>

#include "homeserver/base/days.h"
#include "homeserver/accounts/new_account.h"
#include "homeserver/base/text.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/school/taken.h"
#include "homeserver/store/matrix/users.h"
#include "policy/oneroster/import_private.h"
#include "policy/records/people.h"
#include "policy/records/returning.h"

static bool database_failed(struct importing *in)
{
    return error_set(in->e, ERROR_UNKNOWN, NULL);
}

/* --- Whose records are whose --- */

static bool own(const struct importing *in, const char *source)
{
    return source != NULL && strcmp(source, in->source) == 0; /* NULL: the database failed */
}

/* What the school's own people entered becomes the roster's once it is in it too. */
static bool adopted(const char *source)
{
    return strcmp(source, SOURCE_SCHOOL) == 0;
}

/* --- Schools, classes, people: one by one, by sourcedId --- */

union known_row {
    struct school_row school;
    struct class_row class;
    struct person_row person;
};

/* What every kind of record has. */
struct record {
    int64_t no;
    const char *sourced_id, *source;
    bool ended;
};

/* A kind of records, and how a roster's word on one of them is made true. i: its index in the roster. false: *in->e. */
struct record_kind {
    struct stmt *(*all)(struct db *db);
    bool (*next)(struct stmt *q, union known_row *row, struct record *out);
    /* What differs from the roster; in *what, 0: nothing. The kind's own bits, for change. */
    bool (*compare)(struct importing *in, const union known_row *row, size_t i, unsigned *what);
    bool (*change)(struct importing *in, size_t i, unsigned what);
    bool (*end)(struct importing *in, int64_t no);
    bool (*add)(struct importing *in, size_t i);
};

/* numbers: filled in, by index in the roster. What is to be written waits until the statement that reads is done: it
 * must not see what is written meanwhile. */
static bool apply(struct importing *in, const struct record_kind *kind, const struct id_map *ids, size_t n,
                  int64_t *numbers)
{
    union known_row row;
    struct record record;
    struct diff_set changed = {0}, ended = {0}; /* a: index, value: what; a: number */
    bool good = true;
    struct stmt *q = kind->all(in->tx->db);
    while (good && kind->next(q, &row, &record)) {
        uint32_t i = id_map_find(ids, record.sourced_id);
        unsigned what = 0;
        if (i >= n) { /* not in the roster any more, or an org there that is no school */
            if (!record.ended && own(in, record.source))
                diff_set_add(&ended, (struct diff_row){.a = record.no});
            continue;
        }
        numbers[i] = record.no;
        good = own(in, record.source) || adopted(record.source)
                   ? kind->compare(in, &row, i, &what)
                   : error_set_field(in->e, ERROR_CONFLICT,
                                     "A sourcedId is another roster's already: two rosters can't keep one record.",
                                     "org.parta.sourced_id", record.sourced_id);
        if (what != 0)
            diff_set_add(&changed, (struct diff_row){.a = i, .value = (int32_t)what});
    }
    stmt_end(q);
    for (size_t k = 0; k < changed.n && good; ++k)
        good = kind->change(in, (size_t)changed.rows[k].a, (unsigned)changed.rows[k].value);
    for (size_t k = 0; k < ended.n && good; ++k)
        good = kind->end(in, ended.rows[k].a);
    for (size_t i = 0; i < n && good; ++i)
        good = numbers[i] != 0 || kind->add(in, i);
    diff_set_finish(&changed);
    diff_set_finish(&ended);
    return good;
}

static bool school_next(struct stmt *q, union known_row *row, struct record *out)
{
    bool found = schools_next(q, &row->school);
    if (found)
        *out = (struct record){row->school.no, row->school.sourced_id, row->school.source, row->school.ended};
    return found;
}

static bool school_compare(struct importing *in, const union known_row *row, size_t i, unsigned *what)
{
    *what =
        row->school.ended || !own(in, row->school.source) || strcmp(row->school.name, in->roster->schools[i].name) != 0;
    return true;
}

static bool school_put(struct importing *in, size_t i, struct school_row *row)
{
    row->sourced_id = in->roster->schools[i].id;
    row->name = in->roster->schools[i].name;
    row->ended = false;
    row->source = in->source;
    in->schools[i] = schools_put(in->tx->db, row);
    return in->schools[i] != 0 || database_failed(in);
}

static bool school_change(struct importing *in, size_t i, unsigned what)
{
    struct school_row row;
    schools_get(in->tx->db, in->schools[i], &row);
    bool done =
        (own(in, row.source) || taken_school(in->tx, in->schools[i]) || database_failed(in)) && school_put(in, i, &row);
    school_row_finish(&row);
    ++in->changes->n[ROSTER_SCHOOLS_CHANGED];
    changelog_line(&in->changelog, "school", '=', in->roster->schools[i].id);
    reconcile_school(in->reconciling, in->schools[i]);
    return done;
}

static bool school_end(struct importing *in, int64_t no)
{
    ++in->changes->n[ROSTER_SCHOOLS_CHANGED];
    changelog_record(&in->changelog, "school", '-', NULL, CHANGELOG_SCHOOL, no, CHANGELOG_SCHOOL, 0);
    return schools_end(in->tx->db, no) || database_failed(in);
}

static bool school_add(struct importing *in, size_t i)
{
    struct school_row row = {0};
    ++in->changes->n[ROSTER_SCHOOLS_NEW];
    changelog_line(&in->changelog, "school", '+', in->roster->schools[i].id);
    return school_put(in, i, &row);
}

bool import_apply_schools(struct importing *in)
{
    static const struct record_kind SCHOOLS = {schools_all,   school_next, school_compare,
                                               school_change, school_end,  school_add};
    return apply(in, &SCHOOLS, &in->roster->school_ids, in->roster->n_schools, in->schools);
}

static bool class_next(struct stmt *q, union known_row *row, struct record *out)
{
    bool found = classes_next(q, &row->class);
    if (found)
        *out = (struct record){row->class.no, row->class.sourced_id, row->class.source, row->class.ended};
    return found;
}

/* A class that moves would leave its rooms in the old school's space, with the old school's people in them: a new class
 * is what is meant. */
static bool class_compare(struct importing *in, const union known_row *known, size_t i, unsigned *what)
{
    const struct class_row *row = &known->class;
    const struct roster_class *class = &in->roster->classes[i];
    if (row->school != in->schools[class->school] || row->homeroom != class->homeroom)
        return error_set_field(in->e, ERROR_BAD_STATE,
                               "A class has changed its school or its type: give it a new sourcedId.",
                               "org.parta.class", row->sourced_id);
    *what = row->ended || !own(in, row->source) || strcmp(row->title, class->title) != 0 ||
            strcmp(row->grade, class->grade) != 0;
    return true;
}

static bool class_put(struct importing *in, size_t i, struct class_row *row)
{
    const struct roster_class *class = &in->roster->classes[i];
    row->sourced_id = class->id;
    row->grade = class->grade;
    row->title = class->title;
    row->school = in->schools[class->school];
    row->homeroom = class->homeroom;
    row->ended = false;
    row->source = in->source;
    in->classes[i] = classes_put(in->tx->db, row);
    return in->classes[i] != 0 || database_failed(in);
}

static bool class_change(struct importing *in, size_t i, unsigned what)
{
    struct class_row row;
    classes_get(in->tx->db, in->classes[i], &row);
    bool done =
        (own(in, row.source) || taken_class(in->tx, in->classes[i]) || database_failed(in)) && class_put(in, i, &row);
    class_row_finish(&row);
    ++in->changes->n[ROSTER_CLASSES_CHANGED];
    loss_class(&in->loss, in->classes[i], false);
    changelog_line(&in->changelog, "class", '=', in->roster->classes[i].id);
    reconcile_class(in->reconciling, in->classes[i]);
    return done;
}

static bool class_end(struct importing *in, int64_t no)
{
    ++in->changes->n[ROSTER_CLASSES_CHANGED];
    loss_class(&in->loss, no, true);
    changelog_record(&in->changelog, "class", '-', NULL, CHANGELOG_CLASS, no, CHANGELOG_SCHOOL, 0);
    return classes_end(in->tx->db, no) || database_failed(in);
}

static bool class_add(struct importing *in, size_t i)
{
    struct class_row row = {0};
    ++in->changes->n[ROSTER_CLASSES_NEW];
    changelog_line(&in->changelog, "class", '+', in->roster->classes[i].id);
    return class_put(in, i, &row);
}

bool import_apply_classes(struct importing *in)
{
    static const struct record_kind CLASSES = {classes_all,  class_next, class_compare,
                                               class_change, class_end,  class_add};
    return apply(in, &CLASSES, &in->roster->class_ids, in->roster->n_classes, in->classes);
}

/* --- People --- */

void person_name_add(struct text *out, const struct roster_person *p)
{
    struct person_row row = {.given = p->given, .family = p->family, .middle = p->middle};
    people_name_add(out, &row, p->roles, SCHOOL_SPEAKS_RU); /* reconciling knows the school's */
}

static bool person_next(struct stmt *q, union known_row *row, struct record *out)
{
    bool found = people_next(q, &row->person);
    if (found)
        *out = (struct record){row->person.no, row->person.sourced_id, row->person.source, row->person.ended};
    return found;
}

/* What happened to people who are there already; several may be true. */
enum { PERSON_OTHER = 1, PERSON_BACK = 2, PERSON_ENABLED = 4, PERSON_DISABLED = 8 };

static bool person_compare(struct importing *in, const union known_row *known, size_t i, unsigned *what)
{
    const struct person_row *row = &known->person;
    const struct roster_person *p = &in->roster->people[i];
    if (row->birth != p->birth || !own(in, row->source) || strcmp(row->given, p->given) != 0 ||
        strcmp(row->family, p->family) != 0 || strcmp(row->middle, p->middle) != 0)
        *what |= PERSON_OTHER;
    if (row->ended)
        *what |= PERSON_BACK;
    if (row->enabled != p->enabled)
        *what |= p->enabled ? PERSON_ENABLED : PERSON_DISABLED;
    return true;
}

static bool person_put(struct importing *in, size_t i, struct person_row *row)
{
    const struct roster_person *p = &in->roster->people[i];
    row->no = in->people[i];
    row->sourced_id = p->id;
    row->given = p->given;
    row->family = p->family;
    row->middle = p->middle;
    row->birth = p->birth;
    row->enabled = p->enabled;
    row->ended = false;
    row->source = in->source;
    return people_put(in->tx->db, row) || database_failed(in);
}

/* The roster opens and closes accounts; a state that somebody else gave (suspended …) stays. Who is back is let in by
 * reconciling, once it is known that a school has them; names follow there, when all roles are known. */
static bool person_change(struct importing *in, size_t i, unsigned what)
{
    struct person_row row;
    const struct roster_person *p = &in->roster->people[i];
    ++in->changes->n[(what & PERSON_BACK) != 0 ? ROSTER_PEOPLE_BACK : ROSTER_PEOPLE_CHANGED];
    changelog_line(&in->changelog, "person", (what & PERSON_BACK) != 0 ? '+' : '=', p->id);
    if (!people_get(in->tx->db, in->people[i], &row)) /* it was there just now */
        return database_failed(in);
    loss_person(&in->loss, in->people[i], LOSS_OF_RECORD);
    if (strcmp(row.given, p->given) != 0 || strcmp(row.family, p->family) != 0 || strcmp(row.middle, p->middle) != 0)
        loss_person(&in->loss, in->people[i], LOSS_OF_NAME);
    if (row.birth != p->birth)
        loss_person(&in->loss, in->people[i], LOSS_OF_BIRTH);
    bool good = (own(in, row.source) || taken_person(in->tx, in->people[i]) || database_failed(in));
    if (good && (what & PERSON_DISABLED) != 0) /* while the record says that it is on: who locked it was the office */
        good = returning_set_enabled(in->tx, in->people[i], false) || database_failed(in);
    good = good && person_put(in, i, &row);
    person_row_finish(&row);
    return good &&
           ((what & PERSON_ENABLED) == 0 || returning_set_enabled(in->tx, in->people[i], true) || database_failed(in));
}

/* Whom the school's own people hold as well stays theirs; everybody else is gone. */
static bool person_end(struct importing *in, int64_t user)
{
    bool kept = people_kept_by_school(in->tx->db, user);
    ++in->changes->n[kept ? ROSTER_PEOPLE_CHANGED : ROSTER_PEOPLE_ENDED];
    changelog_record(&in->changelog, "person", kept ? '=' : '-', NULL, CHANGELOG_PERSON, user, CHANGELOG_SCHOOL, 0);
    reconcile_lost(in->reconciling, user);
    loss_person(&in->loss, user, LOSS_OF_RECORD);
    return (kept ? people_set_source(in->tx->db, user, SOURCE_SCHOOL) : people_end(in->tx->db, user)) ||
           database_failed(in);
}

/* Every field of a new row is the roster's: it need not be asked for. */
static bool person_add(struct importing *in, size_t i)
{
    const struct roster_person *p = &in->roster->people[i];
    const struct credential *credential = in->credentials != NULL ? &in->credentials[i] : NULL;
    struct person_row row = {0};
    struct text name = TEXT_INIT;
    person_name_add(&name, p);
    const struct new_account account = {.localpart = credential != NULL ? credential->localpart : NULL,
                                        .password_hash = credential != NULL ? credential->hash : NULL,
                                        .display_name = name.data,
                                        .state = p->enabled ? ACCOUNT_ACTIVE : ACCOUNT_LOCKED};
    ++in->changes->n[ROSTER_PEOPLE_NEW];
    changelog_line(&in->changelog, "person", '+', p->id);
    in->people[i] = account_insert(in->tx, &account, in->e);
    text_finish(&name);
    return in->people[i] != 0 && person_put(in, i, &row);
}

/* Whom the office let in against the roster: it says again what it says (I4). */
static bool close_disabled(struct importing *in)
{
    struct diff_set open = {0};
    bool good = true;
    struct stmt *q = people_open_disabled(in->tx->db, in->source);
    while (stmt_next(q))
        diff_set_add(&open, (struct diff_row){.a = col_int(q, 0)});
    stmt_end(q);
    for (size_t i = 0; i < open.n && good; ++i) {
        ++in->changes->n[ROSTER_PEOPLE_CHANGED];
        changelog_record(&in->changelog, "person", '=', NULL, CHANGELOG_PERSON, open.rows[i].a, CHANGELOG_SCHOOL, 0);
        good = returning_set_enabled(in->tx, open.rows[i].a, false) || database_failed(in);
    }
    diff_set_finish(&open);
    return good;
}

bool import_apply_people(struct importing *in)
{
    static const struct record_kind PEOPLE = {people_all,    person_next, person_compare,
                                              person_change, person_end,  person_add};
    return apply(in, &PEOPLE, &in->roster->person_ids, in->roster->n_people, in->people) && close_disabled(in);
}

/* --- Roles, enrollments, guardianships --- */

static struct role_row role_of(const struct importing *in, const struct diff_row *f)
{
    return (struct role_row){f->a, f->b, (enum school_role)f->kind, f->begin, f->value, in->source};
}

static bool role_put(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct importing *in = self;
    struct role_row row = role_of(in, f);
    ++in->changes->n[ROSTER_ROLES_NEW];
    if (before != NULL)
        loss_person(&in->loss, f->a, LOSS_OF_RECORD);
    else if ((row.role & ROLES_STAFF) != 0)
        loss_gain(&in->loss, f->b, 0);
    changelog_record(&in->changelog, "role", before != NULL ? '=' : '+', school_role_name(row.role), CHANGELOG_PERSON,
                     f->a, CHANGELOG_SCHOOL, f->b);
    if (f->value < day_of_ms(in->tx->now_ms)) /* it is over already: its owner may have lost a school */
        reconcile_lost(in->reconciling, f->a);
    return roles_put(in->tx->db, &row) || database_failed(in);
}

static bool role_drop(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct importing *in = self;
    struct role_row row = role_of(in, f);
    ++in->changes->n[ROSTER_ROLES_ENDED];
    loss_person(&in->loss, f->a, LOSS_OF_RECORD);
    changelog_record(&in->changelog, "role", '-', school_role_name(row.role), CHANGELOG_PERSON, f->a, CHANGELOG_SCHOOL,
                     f->b);
    reconcile_lost(in->reconciling, f->a);
    return roles_delete(in->tx->db, &row) || database_failed(in);
}

static struct enrollment_row enrollment_of(const struct importing *in, const struct diff_row *f)
{
    return (struct enrollment_row){f->a, f->b, (enum school_role)f->kind, f->begin, f->value, in->source};
}

static bool enrollment_put(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct importing *in = self;
    struct enrollment_row row = enrollment_of(in, f);
    ++in->changes->n[ROSTER_ENROLLMENTS_NEW];
    if (before != NULL)
        loss_person(&in->loss, f->b, LOSS_OF_RECORD);
    else if (row.role != ROLE_PUPIL)
        loss_gain(&in->loss, 0, f->a);
    changelog_record(&in->changelog, "enrollment", before != NULL ? '=' : '+', school_role_name(row.role),
                     CHANGELOG_PERSON, f->b, CHANGELOG_CLASS, f->a);
    bool adopts = diff_set_find(&in->adopted, f) != NULL;
    return ((!adopts || taken_enrollment(in->tx, &row)) && enrollments_put(in->tx->db, &row)) || database_failed(in);
}

static bool enrollment_drop(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct importing *in = self;
    struct enrollment_row row = enrollment_of(in, f);
    ++in->changes->n[ROSTER_ENROLLMENTS_ENDED];
    loss_person(&in->loss, f->b, LOSS_OF_RECORD);
    changelog_record(&in->changelog, "enrollment", '-', school_role_name(row.role), CHANGELOG_PERSON, f->b,
                     CHANGELOG_CLASS, f->a);
    return enrollments_delete(in->tx->db, &row) || database_failed(in);
}

static bool guardianship_put(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct importing *in = self;
    struct guardianship_row row = {f->a, f->b, in->source, in->tx->now_ms};
    int64_t since_ms = in->kept_before ? taken_guardianship_since(in->tx->db, f->a, f->b) : 0;
    bool adopts = diff_set_find(&in->adopted, f) != NULL;
    if (since_ms != 0)
        row.since_ms = since_ms;
    ++in->changes->n[ROSTER_GUARDIANSHIPS_NEW];
    changelog_record(&in->changelog, "guardianship", '+', NULL, CHANGELOG_PERSON, f->a, CHANGELOG_PERSON, f->b);
    return ((!adopts || taken_guardianship(in->tx, f->a, f->b)) && guardianships_put(in->tx->db, &row)) ||
           database_failed(in);
}

static bool guardianship_drop(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct importing *in = self;
    ++in->changes->n[ROSTER_GUARDIANSHIPS_ENDED];
    loss_person(&in->loss, f->a, LOSS_OF_RECORD);
    loss_person(&in->loss, f->b, LOSS_OF_RECORD);
    changelog_record(&in->changelog, "guardianship", '-', NULL, CHANGELOG_PERSON, f->a, CHANGELOG_PERSON, f->b);
    return (taken_guardianship(in->tx, f->a, f->b) && guardianships_delete(in->tx->db, f->a, f->b)) ||
           database_failed(in);
}

/* Of what there is, an import compares its own rows alone. */
static void collect_roles(struct importing *in, struct diff_set *have, struct diff_set *want)
{
    struct role_row row;
    struct stmt *q = roles_all(in->tx->db);
    while (roles_next(q, &row))
        if (own(in, row.source))
            diff_set_add(have, (struct diff_row){row.user, row.school, row.role, row.begin, row.end});
    stmt_end(q);
    for (size_t i = 0; i < in->roster->n_roles; ++i) {
        const struct roster_role *r = &in->roster->roles[i];
        if (r->role == ROLE_GUARDIAN && custodies_bar_anywhere(in->tx->db, in->people[r->person]))
            continue; /* D9: theirs follow from the guardianships that are in force */
        diff_set_add(want, (struct diff_row){in->people[r->person], in->schools[r->school], r->role, r->begin, r->end});
    }
}

static void collect_enrollments(struct importing *in, struct diff_set *have, struct diff_set *want)
{
    struct enrollment_row row;
    struct stmt *q = enrollments_all(in->tx->db);
    while (enrollments_next(q, &row))
        if (own(in, row.source) || adopted(row.source))
            diff_set_add(own(in, row.source) ? have : &in->adopted,
                         (struct diff_row){row.class, row.user, row.role, row.begin, row.end});
    stmt_end(q);
    for (size_t i = 0; i < in->roster->n_enrollments; ++i) {
        const struct roster_enrollment *e = &in->roster->enrollments[i];
        diff_set_add(want, (struct diff_row){in->classes[e->class], in->people[e->person], e->role, e->begin, e->end});
    }
}

static void collect_guardianships(struct importing *in, struct diff_set *have, struct diff_set *want)
{
    struct guardianship_row row;
    struct stmt *q = guardianships_all(in->tx->db);
    while (guardianships_next(q, &row))
        if (own(in, row.source) || adopted(row.source))
            diff_set_add(own(in, row.source) ? have : &in->adopted,
                         (struct diff_row){.a = row.child, .b = row.guardian});
    stmt_end(q);
    for (size_t i = 0; i < in->roster->n_guardianships; ++i) {
        const struct roster_guardianship *g = &in->roster->guardianships[i];
        diff_set_add(want, (struct diff_row){.a = in->people[g->child], .b = in->people[g->guardian]});
    }
}

/* A class that has ended holds nobody, whoever enrolled them. */
static bool end_stale(struct importing *in)
{
    struct diff_set stale = {0}, foreign = {0};
    struct enrollment_row row;
    bool good = true;
    struct stmt *q = enrollments_stale(in->tx->db);
    while (enrollments_next(q, &row)) {
        diff_set_add(&stale, (struct diff_row){row.class, row.user, row.role, row.begin, row.end});
        if (!own(in, row.source)) /* nobody says it again */
            diff_set_add(&foreign, stale.rows[stale.n - 1]);
    }
    stmt_end(q);
    for (size_t i = 0; i < foreign.n && good; ++i) {
        struct enrollment_row kept = enrollment_of(in, &foreign.rows[i]);
        good = taken_enrollment(in->tx, &kept) || database_failed(in);
    }
    for (size_t i = 0; i < stale.n && good; ++i)
        good = enrollment_drop(in, &stale.rows[i], NULL);
    diff_set_finish(&foreign);
    diff_set_finish(&stale);
    return good;
}

/* D5: where the roster's guardians and those who confirmed here are more than two, the roster's stay. */
static bool end_third_guardians(struct importing *in)
{
    struct diff_set beyond = {0};
    struct guardianship_row row;
    bool good = true;
    struct stmt *q = guardianships_beyond(in->tx->db);
    while (guardianships_next(q, &row))
        diff_set_add(&beyond, (struct diff_row){.a = row.child, .b = row.guardian});
    stmt_end(q);
    for (size_t i = 0; i < beyond.n && good; ++i)
        if (guardianships_guardians(in->tx->db, beyond.rows[i].a, NULL, 0) > GUARDIANS_MAX)
            good = guardianship_drop(in, &beyond.rows[i], NULL);
    diff_set_finish(&beyond);
    return good;
}

static void know_names(struct importing *in)
{
    const struct roster *roster = in->roster;
    size_t most = roster->n_people + roster->n_classes + roster->n_schools + 1;
    const char **ids = xcalloc(most, sizeof *ids);
    for (size_t i = 0; i < roster->n_people; ++i)
        ids[i] = roster->people[i].id;
    changelog_know(&in->changelog, CHANGELOG_PERSON, in->people, ids, roster->n_people);
    for (size_t i = 0; i < roster->n_classes; ++i)
        ids[i] = roster->classes[i].id;
    changelog_know(&in->changelog, CHANGELOG_CLASS, in->classes, ids, roster->n_classes);
    for (size_t i = 0; i < roster->n_schools; ++i)
        ids[i] = roster->schools[i].id;
    changelog_know(&in->changelog, CHANGELOG_SCHOOL, in->schools, ids, roster->n_schools);
    free(ids);
}

bool import_apply_facts(struct importing *in)
{
    static const struct {
        void (*collect)(struct importing *in, struct diff_set *have, struct diff_set *want);
        diff_fn *put, *drop;
    } KINDS[] = {
        {collect_roles, role_put, role_drop},
        {collect_enrollments, enrollment_put, enrollment_drop},
        {collect_guardianships, guardianship_put, guardianship_drop},
    };
    bool good = true;
    in->kept_before = taken_records_any(in->tx->db);
    know_names(in);
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS && good; ++i) {
        struct diff_set have = {0}, want = {0};
        KINDS[i].collect(in, &have, &want);
        diff_set_sort(&in->adopted);
        good = diff_set_diff(&have, &want, KINDS[i].put, KINDS[i].drop, in);
        diff_set_finish(&have);
        diff_set_finish(&want);
        diff_set_finish(&in->adopted);
    }
    return good && end_stale(in) && end_third_guardians(in);
}
