#include "policy/records/loss.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/config.h"
#include "homeserver/base/text.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/schools.h"

#define MANY 2000     /* so many people, and every school is looked at */
#define NOBODY_LEFT 3 /* of fewer, a school that loses all of them is no loss in bulk */

struct loss_limits loss_limits(const struct config *config)
{
    if (config == NULL)
        return (struct loss_limits){10, 75, 5};
    return (struct loss_limits){config->roster.hold_gone_percent, config->roster.hold_changed_percent,
                                config->roster.hold_at_least};
}

void loss_person(struct loss *loss, user_no user)
{
    diff_set_add(&loss->people, (struct diff_row){.a = user});
}

void loss_class(struct loss *loss, class_no class, bool ended)
{
    diff_set_add(&loss->classes, (struct diff_row){.a = class, .value = ended});
}

void loss_finish(struct loss *loss)
{
    diff_set_finish(&loss->people);
    diff_set_finish(&loss->classes);
    free(loss->schools);
    *loss = (struct loss){0};
}

int64_t loss_version(const char *text, size_t len)
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    uint64_t version = 0;
    crypto_generichash(hash, sizeof hash, (const unsigned char *)text, len, NULL, 0);
    memcpy(&version, hash, sizeof version);
    return (int64_t)(version >> 11 | 1);
}

/* --- Which schools --- */

static struct loss_school *school_of(struct loss *loss, school_no school)
{
    for (size_t i = 0; i < loss->n_schools; ++i)
        if (loss->schools[i].school == school)
            return &loss->schools[i];
    return NULL;
}

static void add_school(struct loss *loss, school_no school)
{
    if (school_of(loss, school) != NULL)
        return;
    loss->schools = xrealloc(loss->schools, (loss->n_schools + 1) * sizeof *loss->schools);
    loss->schools[loss->n_schools++] = (struct loss_school){.school = school};
}

static void add_schools_of(struct loss *loss, struct db *before, user_no user)
{
    struct role_row row;
    struct stmt *q = roles_of_person(before, user);
    while (roles_next(q, &row))
        add_school(loss, row.school);
    stmt_end(q);
}

static void find_schools(struct loss *loss, struct db *before)
{
    struct school_row row;
    struct stmt *q = schools_all(before);
    while (loss->people.n > MANY && schools_next(q, &row))
        add_school(loss, row.no);
    stmt_end(q);
    for (size_t i = 0; loss->people.n <= MANY && i < loss->people.n; ++i)
        add_schools_of(loss, before, loss->people.rows[i].a);
    for (size_t i = 0; i < loss->classes.n; ++i)
        add_school(loss, school_of_class(before, loss->classes.rows[i].a));
}

/* --- People --- */

static struct diff_set present(struct db *db, school_no school, school_day today)
{
    struct diff_set who = {0};
    char day[DAY_TEXT_BYTES];
    struct stmt *q = people_present(db, school, today, day);
    while (stmt_next(q))
        diff_set_add(&who, (struct diff_row){.a = col_int(q, 0)});
    stmt_end(q);
    diff_set_merge(&who);
    return who;
}

static void count_people(struct loss *loss, struct loss_school *school, struct db *before, struct db *after,
                         school_day today)
{
    struct diff_set was = present(before, school->school, today), is = present(after, school->school, today);
    school->people = (int64_t)was.n;
    for (size_t i = 0; i < was.n; ++i) {
        user_no user = was.rows[i].a;
        bool there = diff_set_have(&is, user);
        school->gone += !there;
        school->changed += there && diff_set_have(&loss->people, user);
    }
    diff_set_finish(&was);
    diff_set_finish(&is);
}

/* --- Classes --- */

static const struct diff_row *class_in(const struct diff_set *classes, class_no class)
{
    for (size_t i = 0; i < classes->n; ++i)
        if (classes->rows[i].a == class)
            return &classes->rows[i];
    return NULL;
}

static void count_classes(struct loss *loss, struct db *before)
{
    struct class_row row;
    struct stmt *q = classes_all(before);
    while (classes_next(q, &row)) {
        const struct diff_row *lost = class_in(&loss->classes, row.no);
        struct loss_school *school = school_of(loss, row.school);
        if (row.ended || school == NULL)
            continue;
        ++school->classes;
        school->classes_ended += lost != NULL && lost->value != 0;
        school->classes_changed += lost != NULL && lost->value == 0;
    }
    stmt_end(q);
}

/* --- The judgement --- */

static bool is_beyond(int64_t lost, int64_t of, int percent, int64_t at_least)
{
    return lost >= at_least && lost * 100 > of * percent;
}

bool loss_people_beyond(int64_t gone, int64_t people, struct loss_limits limits)
{
    return is_beyond(gone, people, limits.gone_percent, limits.at_least) || (people >= NOBODY_LEFT && gone == people);
}

int64_t loss_people(struct db *db, school_no school, school_day today)
{
    struct diff_set who = present(db, school, today);
    int64_t n = (int64_t)who.n;
    diff_set_finish(&who);
    return n;
}

static bool school_beyond(const struct loss_school *s, struct loss_limits limits)
{
    return loss_people_beyond(s->gone, s->people, limits) ||
           is_beyond(s->gone + s->changed, s->people, limits.changed_percent, limits.at_least) ||
           is_beyond(s->classes_ended, s->classes, limits.gone_percent, LOSS_CLASSES_AT_LEAST) ||
           is_beyond(s->classes_ended + s->classes_changed, s->classes, limits.changed_percent, LOSS_CLASSES_AT_LEAST);
}

bool loss_judge(struct loss *loss, struct db *before, struct db *after, school_day today, struct loss_limits limits)
{
    bool beyond = false;
    diff_set_merge(&loss->people);
    find_schools(loss, before);
    count_classes(loss, before);
    for (size_t i = 0; i < loss->n_schools; ++i) {
        struct loss_school *school = &loss->schools[i];
        count_people(loss, school, before, after, today);
        school->beyond = school_beyond(school, limits);
        beyond = beyond || school->beyond;
    }
    return beyond;
}

json_t *loss_json(const struct loss *loss, struct db *db)
{
    json_t *list = json_array();
    for (size_t i = 0; i < loss->n_schools; ++i) {
        const struct loss_school *s = &loss->schools[i];
        char *id = s->beyond ? schools_sourced_id(db, s->school) : NULL;
        if (s->beyond)
            json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "school", id != NULL ? id : "",
                                                  "people", (json_int_t)s->people, "gone", (json_int_t)s->gone,
                                                  "changed", (json_int_t)s->changed, "classes", (json_int_t)s->classes,
                                                  "classes_ended", (json_int_t)s->classes_ended, "classes_changed",
                                                  (json_int_t)s->classes_changed));
        free(id);
    }
    return list;
}
