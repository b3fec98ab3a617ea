#include "policy/records/loss.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/losses.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/school/settled.h"

#define MANY 2000     /* so many people, and every school is looked at */
#define NOBODY_LEFT 3 /* of fewer, a school that loses all of them is no loss in bulk */

/* When so many are too many. ALL: also when none of NOBODY_LEFT or more is left. EACH: whatever share of its kind they
 * are. */
enum { TENTH = 1, QUARTERS = 2, ALL = 4, EACH = 8 };

static const struct kind_limits {
    const char *word;
    int when, at_least; /* 0: as the settings say */
} KINDS[LOSS_KIND__COUNT] = {
    [LOSS_PEOPLE] = {"people", TENTH | QUARTERS | ALL, 0},
    [LOSS_PUPILS] = {"pupils", TENTH | ALL, 0},
    [LOSS_GUARDIANS] = {"guardians", TENTH | ALL, 0},
    [LOSS_TEACHERS] = {"teachers", TENTH | ALL, 0},
    [LOSS_CLASS_TEACHERS] = {"class_teachers", QUARTERS, 0}, /* another one each year is usual */
    [LOSS_STAFF] = {"staff", TENTH, 0},
    [LOSS_DEPUTIES] = {"deputies", TENTH, 0},
    [LOSS_HEADS] = {"heads", TENTH, 0},
    [LOSS_ADMINISTRATORS] = {"administrators", TENTH | ALL, 0},
    [LOSS_HOMEROOM_PUPILS] = {"homeroom_pupils", TENTH | QUARTERS | ALL, 0},
    [LOSS_HOMEROOM_TEACHERS] = {"homeroom_teachers", QUARTERS, 0},
    [LOSS_GROUP_PUPILS] = {"group_pupils", TENTH | QUARTERS, 0},
    [LOSS_GROUP_TEACHERS] = {"group_teachers", TENTH | QUARTERS, 0},
    [LOSS_WARDS] = {"guardianships", TENTH | QUARTERS | ALL, 0},
    [LOSS_NAMES_OF_PUPILS] = {"names_of_pupils", QUARTERS, 0},
    [LOSS_NAMES_OF_GUARDIANS] = {"names_of_guardians", QUARTERS, 0},
    [LOSS_NAMES_OF_STAFF] = {"names_of_staff", QUARTERS, 0},
    [LOSS_BIRTHS_OF_PUPILS] = {"birth_dates_of_pupils", QUARTERS, 0},
    [LOSS_BIRTHS_OF_GUARDIANS] = {"birth_dates_of_guardians", QUARTERS, 0},
    [LOSS_BIRTHS_OF_STAFF] = {"birth_dates_of_staff", QUARTERS, 0},
    [LOSS_PUPILS_MADE_STAFF] = {"pupils_made_staff", EACH, 0},
    [LOSS_GUARDIANS_MADE_STAFF] = {"guardians_made_staff", TENTH, 0},
    [LOSS_MADE_LEADERS] = {"made_leaders", TENTH, 0},
    [LOSS_CLASSES] = {"classes", TENTH | QUARTERS, LOSS_CLASSES_AT_LEAST},
    [LOSS_HOMEROOMS] = {"homerooms", TENTH | QUARTERS, LOSS_CLASSES_AT_LEAST},
    [LOSS_GROUPS] = {"groups", TENTH | QUARTERS, LOSS_CLASSES_AT_LEAST},
    [LOSS_HOMEROOMS_MOVED] = {"homerooms_moved", EACH, 1},
    [LOSS_HOMEROOMS_RENAMED] = {"homerooms_renamed", EACH, 1},
    [LOSS_HOMEROOMS_REBORN] = {"homerooms_with_other_birth_dates", EACH, 1},
};

const char *loss_kind_name(enum loss_kind kind)
{
    return KINDS[kind].word;
}

struct loss_limits loss_limits(const struct config *config)
{
    if (config == NULL)
        return (struct loss_limits){10, 75, 5};
    return (struct loss_limits){config->roster.hold_gone_percent, config->roster.hold_changed_percent,
                                config->roster.hold_at_least};
}

void loss_person(struct loss *loss, user_no user, enum loss_touched what)
{
    diff_set_add(&loss->people, (struct diff_row){.a = user, .kind = what});
    if (what != LOSS_OF_RECORD)
        diff_set_add(&loss->people, (struct diff_row){.a = user, .kind = LOSS_OF_RECORD});
}

void loss_class(struct loss *loss, class_no class, bool ended)
{
    diff_set_add(&loss->classes, (struct diff_row){.a = class, .value = ended});
}

void loss_gain(struct loss *loss, school_no school, class_no class)
{
    diff_set_add(&loss->gains, (struct diff_row){.a = school, .b = class});
}

void loss_finish(struct loss *loss)
{
    diff_set_finish(&loss->people);
    diff_set_finish(&loss->classes);
    diff_set_finish(&loss->gains);
    for (size_t i = 0; i < loss->n_schools; ++i) {
        diff_set_finish(&loss->schools[i].lost);
        diff_set_finish(&loss->schools[i].back);
    }
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

/* --- Days --- */

struct loss_days loss_days(struct db *db, int64_t now_ms)
{
    school_day today = day_of_ms(now_ms), settled = settled_day(db);
    return (struct loss_days){.was = settled == DAY_EVER || settled > today ? today : settled,
                              .settled = settled == DAY_EVER ? today : settled,
                              .today = today,
                              .ahead = day_of_ms(now_ms + LOSS_AHEAD_DAYS * DAY_MS),
                              .lately_ms = now_ms - LOSS_LATELY_DAYS * DAY_MS};
}

void loss_due(struct loss *loss, struct db *db, const struct loss_days *days)
{
    char buffers[2][DAY_TEXT_BYTES];
    if (days->settled == days->today)
        return;
    struct stmt *q = settled_due(db, days->settled, days->today, buffers);
    while (stmt_next(q))
        loss_person(loss, col_int(q, 0), LOSS_OF_RECORD);
    stmt_end(q);
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

static void find_schools(struct loss *loss, struct db *before, struct db *after)
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
    for (size_t i = 0; i < loss->gains.n; ++i) {
        const struct diff_row *gain = &loss->gains.rows[i];
        add_school(loss, gain->b != 0 ? school_of_class(after, gain->b) : gain->a);
    }
}

/* --- What stands in a school: a: who; b: 0, or in which class, or whose guardianship; kind; value: until when --- */

#define HAS_BIRTH LOSS_KIND__COUNT /* a kind of these facts only */

struct facts {
    struct diff_set now, later; /* later: what begins after the day, and may go on with what is there */
    school_day day, ahead;
};

static void add_fact(struct facts *facts, const struct fact_row *row, int64_t other, int kind)
{
    const struct diff_row fact = {.a = row->user, .b = other, .kind = kind, .value = row->end};
    if (row->begin <= facts->day)
        diff_set_add(&facts->now, fact);
    else if (row->begin <= facts->ahead)
        diff_set_add(&facts->later, fact);
}

static void add_role(struct facts *facts, const struct fact_row *row)
{
    add_fact(facts, row, 0, LOSS_PEOPLE);
    for (int bit = ROLE_PUPIL, kind = LOSS_PUPILS; bit <= ROLE_ADMINISTRATOR; bit <<= 1, ++kind)
        if ((int)row->role == bit)
            add_fact(facts, row, 0, kind);
    if (row->more)
        add_fact(facts, row, 0, HAS_BIRTH);
}

static void add_enrollment(struct facts *facts, const struct fact_row *row)
{
    bool pupil = row->role == ROLE_PUPIL;
    int kind = row->more ? (pupil ? LOSS_HOMEROOM_PUPILS : LOSS_HOMEROOM_TEACHERS)
                         : (pupil ? LOSS_GROUP_PUPILS : LOSS_GROUP_TEACHERS);
    add_fact(facts, row, 0, kind);
    add_fact(facts, row, row->other, kind);
}

static void add_guardianship(struct facts *facts, const struct fact_row *row)
{
    add_fact(facts, row, 0, LOSS_WARDS);
    add_fact(facts, row, row->other, LOSS_WARDS);
}

static void read_facts(struct facts *facts, struct db *db, school_no school, school_day day, school_day ahead)
{
    static const struct {
        struct stmt *(*read)(struct db *db, school_no school, school_day from, char day[DAY_TEXT_BYTES]);
        void (*add)(struct facts *facts, const struct fact_row *row);
    } ALL_FACTS[] = {
        {facts_roles, add_role}, {facts_enrollments, add_enrollment}, {facts_guardianships, add_guardianship}};
    char text[DAY_TEXT_BYTES];
    struct fact_row row;
    *facts = (struct facts){.day = day, .ahead = ahead};
    for (size_t i = 0; i < sizeof ALL_FACTS / sizeof *ALL_FACTS; ++i) {
        struct stmt *q = ALL_FACTS[i].read(db, school, day, text);
        while (facts_next(q, &row))
            ALL_FACTS[i].add(facts, &row);
        stmt_end(q);
    }
    diff_set_merge(&facts->now);
    for (size_t i = 0; i < facts->later.n; ++i) {
        struct diff_row *has = (struct diff_row *)diff_set_find(&facts->now, &facts->later.rows[i]);
        if (has != NULL && has->value < facts->later.rows[i].value)
            has->value = facts->later.rows[i].value;
    }
}

static void finish_facts(struct facts *facts)
{
    diff_set_finish(&facts->now);
    diff_set_finish(&facts->later);
}

static const struct diff_row *find(const struct diff_set *facts, int64_t a, int64_t b, int kind)
{
    return diff_set_find(facts, &(struct diff_row){.a = a, .b = b, .kind = kind});
}

/* Whether what was there is there still, and does not end soon now that it did not before. *ends: when it does. */
static bool stays(const struct facts *after, const struct diff_row *was, school_day *ends)
{
    const struct diff_row *is = diff_set_find(&after->now, was);
    bool soon = is != NULL && is->value < after->ahead && is->value < was->value;
    *ends = is != NULL && soon ? is->value : DAY_EVER;
    return is != NULL && !soon;
}

/* --- Counting a school --- */

struct counting {
    struct loss *loss;
    struct loss_school *school;
    struct facts before, after;
    struct loss_limits limits;
};

static bool is_beyond(int64_t lost, int64_t of, int percent, int64_t at_least)
{
    return lost >= at_least && lost * 100 > of * percent;
}

static void lose(struct counting *c, int kind, int64_t a, int value, school_day ends)
{
    diff_set_add(&c->school->lost, (struct diff_row){.a = a, .kind = kind, .value = value, .begin = ends});
}

static void count_facts(struct counting *c)
{
    const struct diff_set *was = &c->before.now;
    school_day ends, whole_ends;
    for (size_t i = 0; i < was->n; ++i) {
        const struct diff_row *row = &was->rows[i];
        struct diff_row whole = *row;
        if (row->kind == HAS_BIRTH)
            continue;
        c->school->n[row->kind].of += row->b == 0;
        if (stays(&c->after, row, &ends))
            continue;
        whole.b = 0;
        if (row->b == 0)
            lose(c, row->kind, row->a, LOSS_IS_GONE, ends);
        else if (stays(&c->after, &whole, &whole_ends))
            lose(c, row->kind, row->a, LOSS_IS_CHANGED, ends);
    }
}

/* LOSS_…_OF_PUPILS and the two behind it, as far as the person was one. */
static void count_said(struct counting *c, user_no user, int first, bool changed)
{
    bool is[] = {find(&c->before.now, user, 0, LOSS_PUPILS) != NULL,
                 find(&c->before.now, user, 0, LOSS_GUARDIANS) != NULL, false};
    for (int kind = LOSS_TEACHERS; kind <= LOSS_ADMINISTRATORS; ++kind)
        is[2] = is[2] || find(&c->before.now, user, 0, kind) != NULL;
    for (int i = 0; i < 3; ++i) {
        c->school->n[first + i].of += is[i];
        if (is[i] && changed)
            lose(c, first + i, user, LOSS_IS_CHANGED, DAY_EVER);
    }
}

static void count_people(struct counting *c)
{
    school_day ends;
    for (size_t i = 0; i < c->before.now.n; ++i) {
        const struct diff_row *row = &c->before.now.rows[i];
        if (row->kind != LOSS_PEOPLE || row->b != 0 || !stays(&c->after, row, &ends))
            continue;
        if (diff_set_have(&c->loss->people, row->a))
            lose(c, LOSS_PEOPLE, row->a, LOSS_IS_CHANGED, DAY_EVER);
        count_said(c, row->a, LOSS_NAMES_OF_PUPILS, find(&c->loss->people, row->a, 0, LOSS_OF_NAME) != NULL);
        if (find(&c->before.now, row->a, 0, HAS_BIRTH) != NULL)
            count_said(c, row->a, LOSS_BIRTHS_OF_PUPILS, find(&c->loss->people, row->a, 0, LOSS_OF_BIRTH) != NULL);
    }
}

/* Power is what a roster gives wrongly. In a school that is new, all of it is new. */
static void count_power(struct counting *c)
{
    struct loss_count *n = c->school->n;
    const struct diff_set *was = &c->before.now;
    n[LOSS_GUARDIANS_MADE_STAFF].of = n[LOSS_GUARDIANS].of;
    for (int kind = LOSS_TEACHERS; kind <= LOSS_ADMINISTRATORS; ++kind)
        n[LOSS_MADE_LEADERS].of += n[kind].of;
    for (size_t i = 0; n[LOSS_PEOPLE].of != 0 && i < c->after.now.n; ++i) {
        const struct diff_row *row = &c->after.now.rows[i];
        bool staff = false;
        if (row->b != 0 || row->kind < LOSS_TEACHERS || row->kind > LOSS_ADMINISTRATORS ||
            diff_set_find(was, row) != NULL)
            continue;
        for (int kind = LOSS_TEACHERS; kind <= LOSS_ADMINISTRATORS; ++kind)
            staff = staff || find(was, row->a, 0, kind) != NULL;
        if (row->kind >= LOSS_DEPUTIES)
            lose(c, LOSS_MADE_LEADERS, row->a, LOSS_IS_GONE, DAY_EVER);
        if (!staff && find(was, row->a, 0, LOSS_PUPILS) != NULL)
            lose(c, LOSS_PUPILS_MADE_STAFF, row->a, LOSS_IS_GONE, DAY_EVER);
        if (!staff && find(was, row->a, 0, LOSS_GUARDIANS) != NULL)
            lose(c, LOSS_GUARDIANS_MADE_STAFF, row->a, LOSS_IS_GONE, DAY_EVER);
    }
}

/* --- Classes --- */

static void count_classes(struct loss *loss, struct db *before)
{
    struct class_row row;
    struct stmt *q = classes_all(before);
    while (classes_next(q, &row)) {
        const struct diff_row *lost = find(&loss->classes, row.no, 0, 0);
        struct loss_school *school = school_of(loss, row.school);
        if (row.ended || school == NULL)
            continue;
        int kinds[] = {LOSS_CLASSES, row.homeroom ? LOSS_HOMEROOMS : LOSS_GROUPS};
        for (int i = 0; i < 2; ++i) {
            ++school->n[kinds[i]].of;
            if (lost != NULL)
                diff_set_add(&school->lost,
                             (struct diff_row){.a = row.no,
                                               .kind = kinds[i],
                                               .value = lost->value != 0 ? LOSS_IS_GONE : LOSS_IS_CHANGED});
        }
    }
    stmt_end(q);
}

/* The pupils of one homeroom that stands, who are there still. */
struct homeroom {
    int64_t of, born, moved, renamed, reborn;
    school_day ends; /* the last of those who were moved; EVER: at once */
};

static void add_to_homeroom(struct counting *c, const struct diff_row *was, struct homeroom *n)
{
    school_day ends;
    bool there = stays(&c->after, &(struct diff_row){.a = was->a, .kind = LOSS_PEOPLE, .value = was->value}, &ends);
    const struct diff_set *touched = &c->loss->people;
    bool born = there && find(&c->before.now, was->a, 0, HAS_BIRTH) != NULL;
    n->of += there;
    n->born += born;
    if (there && !stays(&c->after, was, &ends)) {
        ++n->moved;
        n->ends = ends > n->ends ? ends : n->ends;
    }
    n->renamed += there && find(touched, was->a, 0, LOSS_OF_NAME) != NULL;
    n->reborn += born && find(touched, was->a, 0, LOSS_OF_BIRTH) != NULL;
}

static void count_homeroom(struct counting *c, class_no class, const struct homeroom *n)
{
    const struct {
        int kind;
        int64_t lost, of;
    } SAID[] = {{LOSS_HOMEROOMS_MOVED, n->moved, n->of},
                {LOSS_HOMEROOMS_RENAMED, n->renamed, n->of},
                {LOSS_HOMEROOMS_REBORN, n->reborn, n->born}};
    for (size_t i = 0; i < sizeof SAID / sizeof *SAID; ++i) {
        ++c->school->n[SAID[i].kind].of;
        if (is_beyond(SAID[i].lost, SAID[i].of, c->limits.changed_percent, c->limits.at_least))
            lose(c, SAID[i].kind, class, LOSS_IS_CHANGED, SAID[i].kind == LOSS_HOMEROOMS_MOVED ? n->ends : DAY_EVER);
    }
}

/* A class that ends takes its pupils elsewhere: that is counted as a class. */
static void count_homerooms(struct counting *c)
{
    struct diff_set pupils = {0}; /* by class */
    for (size_t i = 0; i < c->before.now.n; ++i) {
        const struct diff_row *row = &c->before.now.rows[i];
        const struct diff_row *lost = row->b != 0 ? find(&c->loss->classes, row->b, 0, 0) : NULL;
        if (row->kind == LOSS_HOMEROOM_PUPILS && row->b != 0 && (lost == NULL || lost->value == 0))
            diff_set_add(&pupils, (struct diff_row){.a = row->b, .b = row->a, .value = row->value});
    }
    diff_set_sort(&pupils);
    for (size_t i = 0; i < pupils.n;) {
        class_no class = pupils.rows[i].a;
        struct homeroom n = {0};
        for (; i < pupils.n && pupils.rows[i].a == class; ++i)
            add_to_homeroom(
                c,
                &(struct diff_row){
                    .a = pupils.rows[i].b, .b = class, .kind = LOSS_HOMEROOM_PUPILS, .value = pupils.rows[i].value},
                &n);
        count_homeroom(c, class, &n);
    }
    diff_set_finish(&pupils);
}

/* --- What was lost lately --- */

static int kind_of(const char *word)
{
    int kind = 0;
    while (kind < LOSS_KIND__COUNT && strcmp(word, KINDS[kind].word) != 0)
        ++kind;
    return kind;
}

static int compare_lost(const void *left, const void *right)
{
    const struct diff_row *x = left, *y = right;
    return x->a != y->a ? (x->a < y->a ? -1 : 1) : (x->kind > y->kind) - (x->kind < y->kind);
}

/* Merged: whatever day it ends. */
static struct diff_row *find_lost(const struct diff_set *lost, int64_t a, int kind)
{
    struct diff_row key = {.a = a, .kind = kind};
    return lost->n != 0 ? bsearch(&key, lost->rows, lost->n, sizeof key, compare_lost) : NULL;
}

static bool is_back(const struct counting *c, struct db *after, int64_t a, int kind)
{
    struct class_row class;
    if (kind < LOSS_CLASSES)
        return find(&c->after.now, a, 0, kind) != NULL;
    bool stands = classes_get(after, a, &class) && !class.ended;
    class_row_finish(&class);
    return stands;
}

/* Who was gone without a question is among those who were there; what somebody has confirmed is no loss when its day
 * comes. */
static void count_lately(struct counting *c, struct db *after, int64_t since_ms)
{
    struct loss_school *s = c->school;
    struct loss_row row;
    struct stmt *q = losses_of(after, s->school, since_ms);
    while (losses_next(q, &row)) {
        int kind = kind_of(row.kind);
        struct diff_row *lost = find_lost(&s->lost, row.a, kind);
        const struct diff_row *was = find(&c->before.now, row.a, 0, kind);
        if (kind == LOSS_KIND__COUNT)
            continue;
        if (row.end != DAY_EVER) {
            if (lost != NULL && (kind < LOSS_CLASSES ? was != NULL && was->value <= row.end : row.end < c->after.day))
                lost->value = 0;
        } else if (row.gone && lost == NULL && is_back(c, after, row.a, kind)) {
            diff_set_add(&s->back, (struct diff_row){.a = row.a, .kind = kind});
        } else if (lost == NULL) {
            s->n[kind].of += row.gone && was == NULL && (kind < LOSS_PUPILS_MADE_STAFF || kind > LOSS_MADE_LEADERS);
            ++*(row.gone ? &s->n[kind].gone : &s->n[kind].changed);
        }
    }
    stmt_end(q);
}

/* --- The judgement --- */

bool loss_people_beyond(int64_t gone, int64_t people, struct loss_limits limits)
{
    return is_beyond(gone, people, limits.gone_percent, limits.at_least) || (people >= NOBODY_LEFT && gone == people);
}

int64_t loss_people(struct db *db, school_no school, school_day today)
{
    char day[DAY_TEXT_BYTES];
    struct diff_set who = {0};
    struct stmt *q = people_present(db, school, today, day);
    while (stmt_next(q))
        diff_set_add(&who, (struct diff_row){.a = col_int(q, 0)});
    stmt_end(q);
    diff_set_merge(&who);
    int64_t n = (int64_t)who.n;
    diff_set_finish(&who);
    return n;
}

static bool kind_beyond(const struct loss_count *n, const struct kind_limits *kind, struct loss_limits limits)
{
    int64_t at_least = kind->at_least != 0 ? kind->at_least : limits.at_least, lost = n->gone + n->changed;
    return ((kind->when & TENTH) != 0 && is_beyond(n->gone, n->of, limits.gone_percent, at_least)) ||
           ((kind->when & QUARTERS) != 0 && is_beyond(lost, n->of, limits.changed_percent, at_least)) ||
           ((kind->when & ALL) != 0 && n->of >= NOBODY_LEFT && n->gone == n->of) ||
           ((kind->when & EACH) != 0 && lost >= at_least);
}

static bool judge_school(struct counting *c)
{
    struct loss_school *s = c->school;
    for (size_t i = 0; i < s->lost.n; ++i)
        if (s->lost.rows[i].value != 0)
            ++*(s->lost.rows[i].value == LOSS_IS_GONE ? &s->n[s->lost.rows[i].kind].gone
                                                      : &s->n[s->lost.rows[i].kind].changed);
    for (int kind = 0; kind < LOSS_KIND__COUNT; ++kind) {
        s->n[kind].beyond = kind_beyond(&s->n[kind], &KINDS[kind], c->limits);
        s->beyond = s->beyond || s->n[kind].beyond;
    }
    return s->beyond;
}

/* Each once, with what is most. */
static void merge_lost(struct diff_set *lost)
{
    size_t n = 0;
    diff_set_sort(lost);
    for (size_t i = 0; i < lost->n; ++i) {
        struct diff_row *last = n > 0 ? &lost->rows[n - 1] : NULL;
        if (last == NULL || last->a != lost->rows[i].a || last->kind != lost->rows[i].kind)
            lost->rows[n++] = lost->rows[i];
        else if (last->value <= lost->rows[i].value)
            *last = lost->rows[i];
    }
    lost->n = n;
}

bool loss_judge(struct loss *loss, struct db *before, struct db *after, const struct loss_days *days,
                struct loss_limits limits)
{
    bool beyond = false;
    if (!people_any(before))
        return false;
    diff_set_merge(&loss->people);
    diff_set_merge(&loss->classes);
    diff_set_merge(&loss->gains);
    find_schools(loss, before, after);
    count_classes(loss, before);
    for (size_t i = 0; i < loss->n_schools; ++i) {
        struct counting c = {.loss = loss, .school = &loss->schools[i], .limits = limits};
        read_facts(&c.before, before, c.school->school, days->was, days->ahead);
        if (c.before.now.n != 0) { /* of a new school all is new */
            read_facts(&c.after, after, c.school->school, days->today, days->ahead);
            count_facts(&c);
            count_people(&c);
            count_power(&c);
            count_homerooms(&c);
        }
        merge_lost(&c.school->lost);
        count_lately(&c, after, days->lately_ms);
        beyond = judge_school(&c) || beyond;
        finish_facts(&c.before);
        finish_facts(&c.after);
    }
    return beyond;
}

bool loss_keep(const struct loss *loss, struct db *db, int64_t now_ms, bool confirmed)
{
    bool good = true;
    for (size_t i = 0; i < loss->n_schools; ++i) {
        const struct loss_school *s = &loss->schools[i];
        if (confirmed)
            good = good && losses_delete_school(db, s->school);
        for (size_t k = 0; k < s->back.n && good && !confirmed; ++k)
            good = losses_delete(db, &(struct loss_row){.school = s->school,
                                                        .kind = KINDS[s->back.rows[k].kind].word,
                                                        .a = s->back.rows[k].a});
        for (size_t k = 0; k < s->lost.n && good; ++k) {
            const struct diff_row *row = &s->lost.rows[k];
            const struct loss_row lost = {.school = s->school,
                                          .kind = KINDS[row->kind].word,
                                          .a = row->a,
                                          .gone = row->value == LOSS_IS_GONE,
                                          .end = confirmed ? row->begin : DAY_EVER,
                                          .class_number = row->kind >= LOSS_CLASSES};
            if (row->value == 0) /* its day has come */
                good = confirmed || losses_delete(db, &lost);
            else if (!confirmed || lost.end != DAY_EVER)
                good = losses_put(db, &lost, now_ms);
        }
    }
    return good;
}

bool loss_waits(const struct loss *loss, user_no user)
{
    for (size_t i = 0; i < loss->n_schools; ++i)
        for (int kind = LOSS_PEOPLE + 1; loss->schools[i].beyond && kind < LOSS_CLASSES; ++kind) {
            const struct diff_row *row = find_lost(&loss->schools[i].lost, user, kind);
            if (row != NULL && row->value != 0)
                return true;
        }
    return false;
}

/* --- Telling it --- */

static json_t *kinds_json(const struct loss_school *s)
{
    json_t *kinds = json_array();
    for (int kind = 0; kind < LOSS_KIND__COUNT; ++kind)
        if (s->n[kind].beyond)
            json_array_append_new(kinds, json_pack("{s:s, s:I, s:I, s:I}", "kind", KINDS[kind].word, "of",
                                                   (json_int_t)s->n[kind].of, "gone", (json_int_t)s->n[kind].gone,
                                                   "changed", (json_int_t)s->n[kind].changed));
    return kinds;
}

json_t *loss_json(const struct loss *loss, struct db *db)
{
    json_t *list = json_array();
    for (size_t i = 0; i < loss->n_schools; ++i) {
        const struct loss_school *s = &loss->schools[i];
        const struct loss_count *people = &s->n[LOSS_PEOPLE], *classes = &s->n[LOSS_CLASSES];
        char *id = s->beyond ? schools_sourced_id(db, s->school) : NULL;
        if (s->beyond)
            json_array_append_new(list,
                                  json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "school", id != NULL ? id : "",
                                            "people", (json_int_t)people->of, "gone", (json_int_t)people->gone,
                                            "changed", (json_int_t)people->changed, "classes", (json_int_t)classes->of,
                                            "classes_ended", (json_int_t)classes->gone, "classes_changed",
                                            (json_int_t)classes->changed, "kinds", kinds_json(s)));
        free(id);
    }
    return list;
}

size_t loss_schools(const json_t *list, struct db *db, school_no **out)
{
    const json_t *item;
    size_t i, n = 0;
    *out = xcalloc(json_array_size(list) + 1, sizeof **out);
    json_array_foreach(list, i, item) {
        const char *id = json_get_string(item, "school");
        school_no school = id != NULL ? schools_by_sourced_id(db, id) : 0;
        if (school != 0)
            (*out)[n++] = school;
    }
    return n;
}

void loss_lines(const struct loss *loss, struct db *db, bool people, struct text *out)
{
    for (size_t i = 0; i < loss->n_schools; ++i) {
        const struct loss_school *s = &loss->schools[i];
        char *id = s->beyond ? schools_sourced_id(db, s->school) : NULL;
        for (int kind = 0; kind < LOSS_KIND__COUNT && s->beyond; ++kind)
            if (s->n[kind].beyond)
                text_addf(out, "loss %s: %s: %lld of %lld gone, %lld changed\n", id != NULL ? id : "", KINDS[kind].word,
                          (long long)s->n[kind].gone, (long long)s->n[kind].of, (long long)s->n[kind].changed);
        free(id);
    }
    for (size_t i = 0; people && i < loss->n_schools; ++i)
        for (size_t k = 0; loss->schools[i].beyond && k < loss->schools[i].lost.n; ++k) {
            const struct diff_row *row = &loss->schools[i].lost.rows[k];
            char *id = row->kind == LOSS_PEOPLE && row->value == LOSS_IS_GONE ? people_sourced_id(db, row->a) : NULL;
            if (id != NULL)
                text_addf(out, "person - %s\n", id);
            free(id);
        }
}
