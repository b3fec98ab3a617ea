#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/search.h"
#include "homeserver/base/text.h"
#include "policy/oneroster/reader_private.h"

/* --- People of two rows --- */

/* Whose row counts: that of the staff; of two alike the one with the smaller sourcedId, whatever their order. */
static bool is_second(const struct roster_person *a, const struct roster_person *b)
{
    bool guardian_a = (a->told & ~(unsigned)ROLE_GUARDIAN) == 0, guardian_b = (b->told & ~(unsigned)ROLE_GUARDIAN) == 0;
    return guardian_a != guardian_b ? guardian_a : strcmp(a->id, b->id) > 0;
}

/* For each person the number of the row that counts. How many are less. */
static size_t find_same(struct reading *in, uint32_t *into)
{
    size_t n = 0;
    struct roster_person *people = in->roster->people;
    for (uint32_t i = 0; i < in->roster->n_people; ++i)
        into[i] = i;
    for (const struct pending_same *p = in->same; p != NULL; p = p->next) {
        uint32_t a = p->person, b = id_map_find(&in->ids[TABLE_USERS], p->id);
        if (b == ID_NONE || b == a || into[a] != a || into[b] != b)
            continue;
        uint32_t first = is_second(&people[a], &people[b]) ? b : a, second = first == a ? b : a;
        into[second] = first;
        people[first].roles |= people[second].roles;
        people[first].told |= people[second].told;
        people[first].enabled &= people[second].enabled; /* whom one row locks is locked */
        if (people[first].birth == DAY_EVER)
            people[first].birth = people[second].birth;
        ++n;
    }
    return n;
}

/* What is said twice now is said once. */
static void renumber_enrollments(struct roster *roster, struct reading *in, const uint32_t *number)
{
    size_t kept = 0;
    uint32_t *places = xcalloc(roster->n_enrollments + 1, sizeof *places);
    struct row_set facts = {0};
    for (size_t i = 0; i < roster->n_enrollments; ++i) {
        struct roster_enrollment e = roster->enrollments[i];
        e.person = number[e.person];
        uint32_t before = row_set_put(&facts, (struct row_key){e.class, e.person, e.role, e.begin}, (uint32_t)kept);
        places[i] = before != ID_NONE ? before : (uint32_t)kept;
        if (before == ID_NONE)
            roster->enrollments[kept++] = e;
    }
    roster->n_enrollments = kept;
    for (size_t i = 0; i < in->n_teachers; ++i)
        in->teachers[i].enrollment = places[in->teachers[i].enrollment];
    row_set_finish(&facts);
    free(places);
}

/* into becomes the new number of each person. ids: those of the rows that are no people of their own lead to theirs. */
static void renumber_people(struct reading *in, uint32_t *into)
{
    struct roster *roster = in->roster;
    size_t n = roster->n_people, kept = 0;
    const char **ids = xcalloc(n + 1, sizeof *ids);
    for (size_t i = 0; i < n; ++i)
        ids[i] = roster->people[i].id;
    uint32_t *number = xcalloc(n + 1, sizeof *number);
    for (size_t i = 0; i < n; ++i)
        if (into[i] == i) {
            number[i] = (uint32_t)kept;
            roster->people[kept++] = roster->people[i];
        }
    id_map_finish(&in->ids[TABLE_USERS]);
    for (size_t i = 0; i < n; ++i) {
        into[i] = number[into[i]];
        id_map_put(&in->ids[TABLE_USERS], ids[i], into[i]);
    }
    roster->n_people = kept;
    free(number);
    free(ids);
}

/* Answers whether there were any. */
static bool join_people(struct reading *in)
{
    struct roster *roster = in->roster;
    if (in->same == NULL)
        return false;
    uint32_t *into = xcalloc(roster->n_people + 1, sizeof *into);
    bool any = find_same(in, into) > 0;
    if (any) {
        renumber_people(in, into);
        for (size_t i = 0; i < roster->n_roles; ++i)
            roster->roles[i].person = into[roster->roles[i].person];
        for (struct pending_agents *p = in->agents; p != NULL; p = p->next)
            p->person = into[p->person];
        renumber_enrollments(roster, in, into);
    }
    free(into);
    return any;
}

/* --- Guardians --- */

struct linking {
    struct reading *in;
    struct row_set pairs; /* child, guardian: those who are, and those who are beyond two */
    unsigned char *n;     /* guardians by child */
};

static void agents_say(struct reading *in, const struct pending_agents *p, enum problem_kind kind, const char *id,
                       const char *what)
{
    late_say(in, TABLE_USERS, p->at, in->roster->people[p->person].id, USER_AGENTS, kind, "\"%.60s\" %s", id, what);
}

/* A guardian of a pupil, of whom there are at most two (school.md D5). false: they are linked already. */
static bool link_guardian(struct linking *l, const struct pending_agents *p, const char *id, uint32_t child,
                          uint32_t guardian)
{
    if (row_set_put(&l->pairs, (struct row_key){child, guardian, 0, 0}, 0) != ID_NONE)
        return false;
    if (l->n[child] == 2) {
        agents_say(l->in, p, PROBLEM_GUARDIAN_THIRD, id, "comes after two others who are named first");
        return true;
    }
    ++l->n[child];
    *PUSH(l->in->roster, guardianships, n_guardianships, l->in->cap_guardianships) =
        (struct roster_guardianship){child, guardian};
    return true;
}

/* Whom a pupil names: guardians by their role in any org, and whoever is on the staff and so a guardian besides (1.1
 * knows one role a person). */
static void take_named(struct linking *l, const struct pending_agents *p, const char *id, uint32_t agent)
{
    const struct roster_person *of = &l->in->roster->people[agent];
    unsigned any = of->roles | of->told;
    if (agent == p->person || (any & ~(unsigned)ROLE_PUPIL) == 0) {
        agents_say(l->in, p, PROBLEM_AGENT_NONE, id,
                   agent == p->person        ? "is the pupil's own"
                   : (any & ROLE_PUPIL) != 0 ? "is a pupil"
                                             : "has no role that means something here");
        return;
    }
    if (!link_guardian(l, p, id, p->person, agent))
        agents_say(l->in, p, PROBLEM_NAMED_TWICE, id, "is named twice");
    else if ((any & ROLE_GUARDIAN) == 0)
        agents_say(l->in, p, PROBLEM_GUARDIAN_BY_NAME, id, "is on the staff and becomes a guardian");
    else if ((of->roles & ROLE_GUARDIAN) == 0)
        agents_say(l->in, p, PROBLEM_GUARDIAN_ELSEWHERE, id, "is a guardian at another org");
}

/* Whom somebody names who is no pupil: in many exports agents name each other. */
static void take_naming(struct linking *l, const struct pending_agents *p, const char *id, uint32_t child)
{
    const struct roster_person *of = &l->in->roster->people[p->person];
    if (child == p->person || (l->in->roster->people[child].roles & ROLE_PUPIL) == 0)
        return;
    if (((of->roles | of->told) & ROLE_GUARDIAN) != 0) {
        if (link_guardian(l, p, id, child, p->person))
            agents_say(l->in, p, PROBLEM_GUARDIAN_BY_OWN_ROW, id, "does not name this guardian");
    } else if (row_set_put(&l->pairs, (struct row_key){child, p->person, 0, 0}, 0) == ID_NONE)
        agents_say(l->in, p, PROBLEM_AGENT_NONE, id, "is a pupil, but this person has no role of a guardian");
}

static void take_agent(struct linking *l, const struct pending_agents *p, const char *id, bool of_pupil)
{
    uint32_t agent = id_map_find(&l->in->ids[TABLE_USERS], id), aside = id_map_find(&l->in->aside[TABLE_USERS], id);
    if (agent == ID_NONE && aside == OUTCOME_GONE) {
        l->in->agents_gone = true;
        agents_say(l->in, p, PROBLEM_AGENT_GONE, id, "is inactive or tobedeleted in users.csv");
    } else if (agent == ID_NONE && aside == ID_NONE && !l->in->partial[TABLE_USERS]) {
        agents_say(l->in, p, PROBLEM_REFUSED, id, "is not in users.csv");
    } else if (agent != ID_NONE) {
        (of_pupil ? take_named : take_naming)(l, p, id, agent);
    }
}

/* A pupil's own row comes first, in its order: the two named first are the guardians. */
static void link_guardians(struct reading *in)
{
    char buf[SOURCED_ID_BYTES];
    const char *id;
    struct linking l = {in, {0}, xcalloc(in->roster->n_people + 1, 1)};
    for (int of_pupils = 1; of_pupils >= 0; --of_pupils)
        for (const struct pending_agents *p = in->agents; p != NULL; p = p->next) {
            const char *at = p->agents;
            bool pupil = (in->roster->people[p->person].roles & ROLE_PUPIL) != 0;
            while (pupil == of_pupils && (id = id_list_next(&at, buf)) != NULL)
                take_agent(&l, p, id, pupil);
        }
    row_set_finish(&l.pairs);
    free(l.n);
}

/* --- Class teachers --- */

static int compare_teachers(const void *left, const void *right, void *arg)
{
    const struct roster_enrollment *all = arg;
    const struct homeroom_teacher *x = left, *y = right;
    const struct roster_enrollment *a = &all[x->enrollment], *b = &all[y->enrollment];
    if (a->class != b->class)
        return a->class < b->class ? -1 : 1;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return (x->enrollment > y->enrollment) - (x->enrollment < y->enrollment);
}

static bool is_external_staff(const struct reading *in, const struct roster_enrollment *e)
{
    return (in->roster->people[e->person].roles & ROLE_EXTERNAL) != 0;
}

/* The first of a class's teachers in this role who is one beside another person: of each two the later one. NULL: there
 * is one at a time. */
static const struct homeroom_teacher *beside_another(const struct reading *in, const struct homeroom_teacher *teachers,
                                                     size_t n, enum school_role role)
{
    const struct roster_enrollment *last = NULL; /* who is there longest so far */
    for (size_t i = 0; i < n; ++i) {
        const struct roster_enrollment *e = &in->roster->enrollments[teachers[i].enrollment];
        if (e->role != role || (role == ROLE_TEACHER && is_external_staff(in, e)))
            continue;
        if (last != NULL && e->person != last->person && e->begin <= last->end)
            return &teachers[i];
        if (last == NULL || e->end >= last->end)
            last = e;
    }
    return NULL;
}

/* The only teacher of a homeroom is its class teacher, whether or not primary says so; external staff are none (E7). */
static void decide_homeroom(struct reading *in, uint32_t class, const struct homeroom_teacher *teachers, size_t n)
{
    struct roster *roster = in->roster;
    const char *id = roster->classes[class].id;
    bool led = false;
    for (size_t i = 0; i < n; ++i)
        led |= roster->enrollments[teachers[i].enrollment].role == ROLE_CLASS_TEACHER;
    const struct homeroom_teacher *second = beside_another(in, teachers, n, led ? ROLE_CLASS_TEACHER : ROLE_TEACHER);
    if (led && second != NULL)
        late_say(in, TABLE_ENROLLMENTS, second->at, id, ENROLLMENT_PRIMARY, PROBLEM_REFUSED,
                 "the class has a primary teacher already");
    else if (second != NULL)
        late_say(in, TABLE_ENROLLMENTS, second->at, id, ENROLLMENT_PRIMARY, PROBLEM_HOMEROOM_UNDECIDED,
                 "\"%.60s\" has another teacher besides", id);
    for (size_t i = 0; !led && second == NULL && i < n; ++i) {
        struct roster_enrollment *e = &roster->enrollments[teachers[i].enrollment];
        if (e->role == ROLE_CLASS_TEACHER || is_external_staff(in, e))
            continue;
        e->role = ROLE_CLASS_TEACHER;
        roster->people[e->person].roles |= ROLE_CLASS_TEACHER;
        late_say(in, TABLE_ENROLLMENTS, teachers[i].at, id, ENROLLMENT_PRIMARY, PROBLEM_TEACHER_ALONE,
                 "\"%.60s\" leads \"%.60s\"", roster->people[e->person].id, id);
    }
}

static void decide_homerooms(struct reading *in)
{
    size_t at = 0;
    if (in->n_teachers > 0)
        qsort_r(in->teachers, in->n_teachers, sizeof *in->teachers, compare_teachers, in->roster->enrollments);
    for (uint32_t class = 0; class < in->roster->n_classes; ++class) {
        size_t n = 0;
        while (at + n < in->n_teachers && in->roster->enrollments[in->teachers[at + n].enrollment].class == class)
            ++n;
        if (n > 0)
            decide_homeroom(in, class, &in->teachers[at], n);
        else if (in->roster->classes[class].homeroom && !in->partial[TABLE_ENROLLMENTS])
            roster_problems_say(in->problems, PROBLEM_HOMEROOM_ALONE, "classes.csv", "\"%.60s\" has no teacher",
                                in->roster->classes[class].id);
        at += n;
    }
}

/* --- Roles that follow from something else --- */

static int compare_keys(const struct roster_role *a, const struct roster_role *b)
{
    if (a->person != b->person)
        return a->person < b->person ? -1 : 1;
    if (a->school != b->school)
        return a->school < b->school ? -1 : 1;
    return (a->role > b->role) - (a->role < b->role);
}

/* By person, school, role, begin; of the same begin the longest first. */
static int compare_roles(const void *left, const void *right)
{
    const struct roster_role *a = left, *b = right;
    int order = compare_keys(a, b);
    if (order == 0)
        order = (a->begin > b->begin) - (a->begin < b->begin);
    return order != 0 ? order : (a->end < b->end) - (a->end > b->end);
}

static int compare_roles_by_key(const void *left, const void *right)
{
    return compare_keys(left, right);
}

/* Adds the role unless roles.csv (the first `n_told`, sorted) tells of it itself. */
static void add_implied(struct reading *in, size_t n_told, struct roster_role role)
{
    if (n_told > 0 && bsearch(&role, in->roster->roles, n_told, sizeof role, compare_roles_by_key) != NULL)
        return;
    roles_add(in, role);
}

/* E7: external staff teach a subject group without being teachers of the school. */
static bool is_external(const struct reading *in, size_t n_told, struct roster_role role)
{
    role.role = ROLE_EXTERNAL;
    return (in->roster->people[role.person].roles & ROLE_EXTERNAL) != 0 && n_told > 0 &&
           bsearch(&role, in->roster->roles, n_told, sizeof role, compare_roles_by_key) != NULL;
}

static void sort_roles(struct roster *roster)
{
    size_t kept = 0;
    if (roster->n_roles == 0)
        return;
    qsort(roster->roles, roster->n_roles, sizeof *roster->roles, compare_roles);
    for (size_t i = 0; i < roster->n_roles; ++i) {
        const struct roster_role *role = &roster->roles[i], *last = kept > 0 ? &roster->roles[kept - 1] : NULL;
        if (last == NULL || compare_keys(last, role) != 0 || last->begin != role->begin)
            roster->roles[kept++] = *role;
    }
    roster->n_roles = kept;
}

/* The first role of a person: roles are sorted. */
static size_t first_role_of(const struct roster *roster, size_t n, uint32_t person)
{
    size_t at;
    SEARCH_FIRST(at, n, roster->roles[at].person < person);
    return at;
}

static void add_implied_roles(struct reading *in)
{
    struct roster *roster = in->roster;
    sort_roles(roster);
    size_t n_told = roster->n_roles;
    for (size_t i = 0; i < roster->n_enrollments; ++i) {
        const struct roster_enrollment *e = &roster->enrollments[i];
        struct roster_role role = {e->person, roster->classes[e->class].school, e->role, e->begin, e->end};
        if (e->role != ROLE_TEACHER || !is_external(in, n_told, role))
            add_implied(in, n_told, role);
        role.role = ROLE_TEACHER;
        if (e->role == ROLE_CLASS_TEACHER)
            add_implied(in, n_told, role);
    }
    sort_roles(roster);
    n_told = roster->n_roles;
    for (size_t i = 0; i < roster->n_guardianships; ++i) {
        const struct roster_guardianship *g = &roster->guardianships[i];
        for (size_t r = first_role_of(roster, n_told, g->child); r < n_told && roster->roles[r].person == g->child; ++r)
            if (roster->roles[r].role == ROLE_PUPIL)
                add_implied(in, n_told,
                            (struct roster_role){g->guardian, roster->roles[r].school, ROLE_GUARDIAN,
                                                 roster->roles[r].begin, roster->roles[r].end});
    }
    sort_roles(roster);
}

void roster_complete(struct reading *in)
{
    bool joined = join_people(in);
    link_guardians(in);
    if (joined) { /* the ids of second rows are nobody's any more */
        id_map_finish(&in->ids[TABLE_USERS]);
        for (size_t i = 0; i < in->roster->n_people; ++i)
            id_map_put(&in->ids[TABLE_USERS], in->roster->people[i].id, (uint32_t)i);
    }
    decide_homerooms(in);
    add_implied_roles(in);
}
