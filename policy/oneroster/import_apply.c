#include <stdlib.h>
#include <string.h>

#include "homeserver/base/days.h"
#include "homeserver/accounts/new_account.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/matrix/users.h"
#include "policy/oneroster/import_private.h"
#include "policy/records/people.h"

static bool database_failed(struct importing *in)
{
    return error_set(in->e, ERROR_UNKNOWN, NULL);
}

/* --- Whose records are whose --- */

static bool own(const struct importing *in, const char *source)
{
    return strcmp(source, in->source) == 0;
}

/* What the school's own people entered becomes the roster's once it is in it too. */
static bool adopted(const char *source)
{
    return strcmp(source, SOURCE_SCHOOL) == 0;
}

static bool of_another(struct importing *in, const char *sourced_id)
{
    return error_set_field(in->e, ERROR_CONFLICT,
                           "A sourcedId is another roster's already: two rosters can't keep one record.",
                           "org.parta.sourced_id", sourced_id);
}

/* --- Schools and classes --- */

/* What is to be written once the statement that reads is done: by index in the roster, or the row that has ended. */
struct pending {
    uint32_t *changed; /* index */
    int64_t *ended;    /* number */
    size_t n_changed, n_ended, cap_changed, cap_ended;
};

static void pending_change(struct pending *p, uint32_t index)
{
    if (p->n_changed == p->cap_changed) {
        p->cap_changed = p->cap_changed != 0 ? 2 * p->cap_changed : 64;
        p->changed = xrealloc(p->changed, p->cap_changed * sizeof *p->changed);
    }
    p->changed[p->n_changed++] = index;
}

static void pending_end(struct pending *p, int64_t no)
{
    if (p->n_ended == p->cap_ended) {
        p->cap_ended = p->cap_ended != 0 ? 2 * p->cap_ended : 64;
        p->ended = xrealloc(p->ended, p->cap_ended * sizeof *p->ended);
    }
    p->ended[p->n_ended++] = no;
}

static void pending_finish(struct pending *p)
{
    free(p->changed);
    free(p->ended);
}

static bool school_put(struct importing *in, size_t i, enum roster_change counts)
{
    const struct roster_school *school = &in->roster->schools[i];
    struct school_row row = {0};
    if (counts == ROSTER_SCHOOLS_CHANGED)
        schools_get(in->tx->db, in->schools[i], &row);
    row.sourced_id = school->id;
    row.name = school->name;
    row.ended = false;
    row.source = in->source;
    in->schools[i] = schools_put(in->tx->db, &row);
    school_row_finish(&row);
    ++in->changes->n[counts];
    changelog_line(&in->changelog, "school", counts == ROSTER_SCHOOLS_CHANGED ? '=' : '+', school->id);
    if (counts == ROSTER_SCHOOLS_CHANGED)
        reconcile_school(in->reconciling, in->schools[i]);
    return in->schools[i] != 0 || database_failed(in);
}

bool import_apply_schools(struct importing *in)
{
    struct pending pending = {0};
    struct school_row row;
    bool good = true;
    struct stmt *q = schools_all(in->tx->db);
    while (good && schools_next(q, &row)) {
        uint32_t i = roster_find(in->roster->school_ids, row.sourced_id);
        if (i >= in->roster->n_schools) {
            if (!row.ended && own(in, row.source))
                pending_end(&pending, row.no);
            continue;
        }
        in->schools[i] = row.no;
        if (!own(in, row.source) && !adopted(row.source))
            good = of_another(in, row.sourced_id);
        else if (row.ended || !own(in, row.source) || strcmp(row.name, in->roster->schools[i].name) != 0)
            pending_change(&pending, i);
    }
    stmt_end(q);
    for (size_t k = 0; k < pending.n_changed && good; ++k)
        good = school_put(in, pending.changed[k], ROSTER_SCHOOLS_CHANGED);
    for (size_t k = 0; k < pending.n_ended && good; ++k) {
        good = schools_end(in->tx->db, pending.ended[k]) || database_failed(in);
        changelog_record(&in->changelog, "school", '-', NULL, CHANGELOG_SCHOOL, pending.ended[k], CHANGELOG_SCHOOL, 0);
        ++in->changes->n[ROSTER_SCHOOLS_CHANGED];
    }
    for (size_t i = 0; i < in->roster->n_schools && good; ++i)
        good = in->schools[i] != 0 || school_put(in, i, ROSTER_SCHOOLS_NEW);
    pending_finish(&pending);
    return good;
}

static bool class_put(struct importing *in, size_t i, enum roster_change counts)
{
    const struct roster_class *class = &in->roster->classes[i];
    struct class_row row = {0};
    if (counts == ROSTER_CLASSES_CHANGED)
        classes_get(in->tx->db, in->classes[i], &row);
    row.sourced_id = class->id;
    row.grade = class->grade;
    row.title = class->title;
    row.school = in->schools[class->school];
    row.homeroom = class->homeroom;
    row.ended = false;
    row.source = in->source;
    in->classes[i] = classes_put(in->tx->db, &row);
    class_row_finish(&row);
    ++in->changes->n[counts];
    changelog_line(&in->changelog, "class", counts == ROSTER_CLASSES_CHANGED ? '=' : '+', class->id);
    if (counts == ROSTER_CLASSES_CHANGED)
        reconcile_class(in->reconciling, in->classes[i]);
    return in->classes[i] != 0 || database_failed(in);
}

static bool class_differs(const struct importing *in, const struct class_row *row, const struct roster_class *class)
{
    return row->ended || !own(in, row->source) || row->school != in->schools[class->school] ||
           row->homeroom != class->homeroom || strcmp(row->title, class->title) != 0 ||
           strcmp(row->grade, class->grade) != 0;
}

/* Its rooms stand in the old school's space, with the old school's people: a new class is what is meant. */
static bool class_moves(const struct importing *in, const struct class_row *row, const struct roster_class *class)
{
    return row->school != in->schools[class->school] || row->homeroom != class->homeroom;
}

bool import_apply_classes(struct importing *in)
{
    struct pending pending = {0};
    struct class_row row;
    bool good = true;
    struct stmt *q = classes_all(in->tx->db);
    while (good && classes_next(q, &row)) {
        uint32_t i = roster_find(in->roster->class_ids, row.sourced_id);
        if (i == ID_NONE) {
            if (!row.ended && own(in, row.source))
                pending_end(&pending, row.no);
            continue;
        }
        in->classes[i] = row.no;
        if (!own(in, row.source) && !adopted(row.source))
            good = of_another(in, row.sourced_id);
        else if (class_moves(in, &row, &in->roster->classes[i]))
            good = error_set_field(in->e, ERROR_BAD_STATE,
                                   "A class has changed its school or its type: give it a new sourcedId.",
                                   "org.parta.class", row.sourced_id);
        else if (class_differs(in, &row, &in->roster->classes[i]))
            pending_change(&pending, i);
    }
    stmt_end(q);
    for (size_t k = 0; k < pending.n_changed && good; ++k)
        good = class_put(in, pending.changed[k], ROSTER_CLASSES_CHANGED);
    for (size_t k = 0; k < pending.n_ended && good; ++k) {
        good = classes_end(in->tx->db, pending.ended[k]) || database_failed(in);
        changelog_record(&in->changelog, "class", '-', NULL, CHANGELOG_CLASS, pending.ended[k], CHANGELOG_SCHOOL, 0);
        ++in->changes->n[ROSTER_CLASSES_CHANGED];
    }
    for (size_t i = 0; i < in->roster->n_classes && good; ++i)
        good = in->classes[i] != 0 || class_put(in, i, ROSTER_CLASSES_NEW);
    pending_finish(&pending);
    return good;
}

/* --- People --- */

void person_name_add(struct text *out, const struct roster_person *p)
{
    struct person_row row = {.given = p->given, .family = p->family, .middle = p->middle};
    people_name_add(out, &row, p->roles);
}

static bool put_display_name(struct importing *in, size_t i)
{
    struct text name = TEXT_INIT, json = TEXT_INIT;
    person_name_add(&name, &in->roster->people[i]);
    text_add_json(&json, name.data);
    bool done = profiles_put(in->tx, in->people[i], "displayname", json.data) || database_failed(in);
    text_finish(&name);
    text_finish(&json);
    return done;
}

static bool person_put(struct importing *in, size_t i, bool known)
{
    const struct roster_person *p = &in->roster->people[i];
    struct person_row row = {0};
    if (known)
        people_get(in->tx->db, in->people[i], &row);
    row.no = in->people[i];
    row.sourced_id = p->id;
    row.given = p->given;
    row.family = p->family;
    row.middle = p->middle;
    row.birth = p->birth;
    row.enabled = p->enabled;
    row.ended = false;
    row.source = in->source;
    bool done = people_put(in->tx->db, &row);
    person_row_finish(&row);
    return done || database_failed(in);
}

static bool person_add(struct importing *in, size_t i)
{
    const struct roster_person *p = &in->roster->people[i];
    const struct credential *credential = in->credentials != NULL ? &in->credentials[i] : NULL;
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
    return in->people[i] != 0 && person_put(in, i, false);
}

/* What happened to people who are there already; several may be true. */
enum { PERSON_RENAMED = 1, PERSON_OTHER = 2, PERSON_BACK = 4, PERSON_ENABLED = 8, PERSON_DISABLED = 16 };

static unsigned person_differs(const struct importing *in, const struct person_row *row, const struct roster_person *p)
{
    unsigned what = own(in, row->source) ? 0 : PERSON_OTHER;
    if (strcmp(row->given, p->given) != 0 || strcmp(row->family, p->family) != 0 || strcmp(row->middle, p->middle) != 0)
        what |= PERSON_RENAMED;
    if (row->birth != p->birth)
        what |= PERSON_OTHER;
    if (row->ended)
        what |= PERSON_BACK;
    if (row->enabled != p->enabled)
        what |= p->enabled ? PERSON_ENABLED : PERSON_DISABLED;
    return what;
}

/* The roster opens and closes accounts; a state that somebody else gave (suspended …) stays. Who is back is let in when
 * all is settled. */
static bool person_state(struct importing *in, size_t i, unsigned what)
{
    if ((what & (PERSON_ENABLED | PERSON_DISABLED)) == 0)
        return true;
    return people_set_enabled(in->tx, in->people[i], (what & PERSON_ENABLED) != 0) || database_failed(in);
}

static bool person_change(struct importing *in, size_t i, unsigned what)
{
    ++in->changes->n[(what & PERSON_BACK) != 0 ? ROSTER_PEOPLE_BACK : ROSTER_PEOPLE_CHANGED];
    changelog_line(&in->changelog, "person", (what & PERSON_BACK) != 0 ? '+' : '=', in->roster->people[i].id);
    if (!person_put(in, i, true) || !person_state(in, i, what))
        return false;
    if ((what & PERSON_RENAMED) == 0)
        return true;
    if (!put_display_name(in, i))
        return false;
    membership_profile_changed(in->rooms, in->tx, in->people[i]);
    return true;
}

struct people_diff {
    struct pending pending;
    unsigned char *what; /* per person of the roster */
};

static bool compare_people(struct importing *in, struct people_diff *diff)
{
    struct person_row row;
    bool good = true;
    struct stmt *q = people_all(in->tx->db);
    while (good && people_next(q, &row)) {
        uint32_t i = roster_find(in->roster->person_ids, row.sourced_id);
        if (i == ID_NONE) {
            if (!row.ended && own(in, row.source))
                pending_end(&diff->pending, row.no);
            continue;
        }
        in->people[i] = row.no;
        if (!own(in, row.source) && !adopted(row.source))
            good = of_another(in, row.sourced_id);
        diff->what[i] = (unsigned char)person_differs(in, &row, &in->roster->people[i]);
        if (diff->what[i] != 0)
            pending_change(&diff->pending, i);
    }
    stmt_end(q);
    return good;
}

/* Whom the school's own people hold as well stays theirs; everybody else is gone. */
static bool person_end(struct importing *in, user_no user)
{
    bool kept = people_kept_by_school(in->tx->db, user);
    ++in->changes->n[kept ? ROSTER_PEOPLE_CHANGED : ROSTER_PEOPLE_ENDED];
    changelog_record(&in->changelog, "person", kept ? '=' : '-', NULL, CHANGELOG_PERSON, user, CHANGELOG_SCHOOL, 0);
    reconcile_lost(in->reconciling, user);
    return (kept ? people_set_source(in->tx->db, user, SOURCE_SCHOOL) : people_end(in->tx->db, user)) ||
           database_failed(in);
}

bool import_apply_people(struct importing *in)
{
    struct people_diff diff = {.what = xcalloc(in->roster->n_people + 1, 1)};
    bool good = compare_people(in, &diff);
    for (size_t k = 0; k < diff.pending.n_changed && good; ++k)
        good = person_change(in, diff.pending.changed[k], diff.what[diff.pending.changed[k]]);
    for (size_t k = 0; k < diff.pending.n_ended && good; ++k)
        good = person_end(in, diff.pending.ended[k]);
    for (size_t i = 0; i < in->roster->n_people && good; ++i)
        good = in->people[i] != 0 || person_add(in, i);
    pending_finish(&diff.pending);
    free(diff.what);
    return good;
}

/* --- Roles, enrollments, guardianships --- */

/* A role that is over already, or gone: its owner may have lost a school. */
static void mark_lost(struct importing *in, user_no user, school_day end)
{
    if (end < day_of_ms(in->tx->now_ms))
        reconcile_lost(in->reconciling, user);
}

static struct role_row role_of(const struct importing *in, const struct diff_row *f)
{
    return (struct role_row){f->a, f->b, (enum school_role)f->kind, f->begin, f->value, in->source};
}

static bool role_put(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct importing *in = self;
    struct role_row row = role_of(in, f);
    ++in->changes->n[ROSTER_ROLES_NEW];
    changelog_record(&in->changelog, "role", before != NULL ? '=' : '+', school_role_name(row.role), CHANGELOG_PERSON,
                     f->a, CHANGELOG_SCHOOL, f->b);
    mark_lost(in, f->a, f->value);
    return roles_put(in->tx->db, &row) || database_failed(in);
}

static bool role_drop(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct importing *in = self;
    struct role_row row = role_of(in, f);
    ++in->changes->n[ROSTER_ROLES_ENDED];
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
    changelog_record(&in->changelog, "enrollment", before != NULL ? '=' : '+', school_role_name(row.role),
                     CHANGELOG_PERSON, f->b, CHANGELOG_CLASS, f->a);
    return enrollments_put(in->tx->db, &row) || database_failed(in);
}

static bool enrollment_drop(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct importing *in = self;
    struct enrollment_row row = enrollment_of(in, f);
    ++in->changes->n[ROSTER_ENROLLMENTS_ENDED];
    changelog_record(&in->changelog, "enrollment", '-', school_role_name(row.role), CHANGELOG_PERSON, f->b,
                     CHANGELOG_CLASS, f->a);
    return enrollments_delete(in->tx->db, &row) || database_failed(in);
}

static bool guardianship_put(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct importing *in = self;
    struct guardianship_row row = {f->a, f->b, in->source, in->tx->now_ms};
    ++in->changes->n[ROSTER_GUARDIANSHIPS_NEW];
    changelog_record(&in->changelog, "guardianship", '+', NULL, CHANGELOG_PERSON, f->a, CHANGELOG_PERSON, f->b);
    return guardianships_put(in->tx->db, &row) || database_failed(in);
}

static bool guardianship_drop(void *self, const struct diff_row *f, const struct diff_row *before)
{
    struct importing *in = self;
    ++in->changes->n[ROSTER_GUARDIANSHIPS_ENDED];
    changelog_record(&in->changelog, "guardianship", '-', NULL, CHANGELOG_PERSON, f->a, CHANGELOG_PERSON, f->b);
    return guardianships_delete(in->tx->db, f->a, f->b) || database_failed(in);
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
        diff_set_add(want, (struct diff_row){in->people[r->person], in->schools[r->school], r->role, r->begin, r->end});
    }
}

static void collect_enrollments(struct importing *in, struct diff_set *have, struct diff_set *want)
{
    struct enrollment_row row;
    struct stmt *q = enrollments_all(in->tx->db);
    while (enrollments_next(q, &row))
        if (own(in, row.source))
            diff_set_add(have, (struct diff_row){row.class, row.user, row.role, row.begin, row.end});
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
        if (own(in, row.source))
            diff_set_add(have, (struct diff_row){.a = row.child, .b = row.guardian});
    stmt_end(q);
    for (size_t i = 0; i < in->roster->n_guardianships; ++i) {
        const struct roster_guardianship *g = &in->roster->guardianships[i];
        diff_set_add(want, (struct diff_row){.a = in->people[g->child], .b = in->people[g->guardian]});
    }
}

/* A class that has ended holds nobody, whoever enrolled them. */
static bool end_stale(struct importing *in)
{
    struct diff_set stale = {0};
    struct enrollment_row row;
    bool good = true;
    struct stmt *q = enrollments_stale(in->tx->db);
    while (enrollments_next(q, &row))
        diff_set_add(&stale, (struct diff_row){row.class, row.user, row.role, row.begin, row.end});
    stmt_end(q);
    for (size_t i = 0; i < stale.n && good; ++i)
        good = enrollment_drop(in, &stale.rows[i], NULL);
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
        if (guardianships_guardians(in->tx->db, beyond.rows[i].a, NULL, 0) > 2)
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
    know_names(in);
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS && good; ++i) {
        struct diff_set have = {0}, want = {0};
        KINDS[i].collect(in, &have, &want);
        good = diff_set_diff(&have, &want, KINDS[i].put, KINDS[i].drop, in);
        diff_set_finish(&have);
        diff_set_finish(&want);
    }
    return good && end_stale(in) && end_third_guardians(in);
}
