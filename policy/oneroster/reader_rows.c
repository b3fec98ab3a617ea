#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "policy/oneroster/reader_private.h"

/* Room for one more; the array doubles. */
#define PUSH(in, array, n, cap)                                                                                        \
    ((in)->roster->n == (in)->cap                                                                                      \
         ? ((in)->cap = (in)->cap ? 2 * (in)->cap : 64,                                                                \
            (in)->roster->array = xrealloc((in)->roster->array, (in)->cap * sizeof *(in)->roster->array),              \
            &(in)->roster->array[(in)->roster->n++])                                                                   \
         : &(in)->roster->array[(in)->roster->n++])

/* Takes the row's own sourcedId. *kept: the copy that stays. */
static bool take_id(struct reading *in, const struct cells *c, enum roster_table table, uint32_t number,
                    const char **kept)
{
    bool lives = table == TABLE_ORGS || table == TABLE_CLASSES || table == TABLE_USERS;
    struct arena *memory = lives ? in->roster->memory : in->scratch;
    *kept = arena_copy(memory, cell(c, 0));
    return id_map_put(in->ids[table], *kept, number) || cell_refuse(c, 0, "sourcedId \"%.60s\" is there twice", *kept);
}

/* The number behind a reference. An empty optional reference is ID_NONE and right. */
static bool refer(struct reading *in, const struct cells *c, int column, enum roster_table to, uint32_t *out)
{
    const char *id = cell(c, column);
    *out = *id == '\0' ? ID_NONE : id_map_find(in->ids[to], id);
    if (*id == '\0' || *out != ID_NONE)
        return true;
    return cell_refuse(c, column, "\"%.60s\" is not in %s.csv", id, ROSTER_TABLES[to].name);
}

static bool refer_school(struct reading *in, const struct cells *c, int column, uint32_t *out)
{
    if (!refer(in, c, column, TABLE_ORGS, out))
        return false;
    return *out != ID_OTHER || cell_refuse(c, column, "\"%.60s\" is not of type school", cell(c, column));
}

static bool period(const struct cells *c, int begin_column, int end_column, school_day *begin, school_day *end)
{
    const char *from = cell(c, begin_column), *to = cell(c, end_column);
    *begin = *from == '\0' ? DAY_EVER : day_from(from);
    *end = *to == '\0' ? DAY_NEVER : day_from(to);
    return *begin <= *end || cell_refuse(c, end_column, "ends before it begins");
}

static bool sessions_row(struct reading *in, const struct cells *c)
{
    const char *id;
    school_day begin, end;
    if (!take_id(in, c, TABLE_SESSIONS, 0, &id) || !period(c, SESSION_START, SESSION_END, &begin, &end))
        return false;
    if (strcmp(cell(c, SESSION_TYPE), "schoolYear") == 0 && end > in->roster->year_end)
        in->roster->year_end = end;
    return true;
}

static bool sessions_again(struct reading *in, const struct cells *c)
{
    uint32_t parent;
    return refer(in, c, SESSION_PARENT, TABLE_SESSIONS, &parent);
}

static bool orgs_row(struct reading *in, const struct cells *c)
{
    const char *id;
    bool school = strcmp(cell(c, ORG_TYPE), "school") == 0;
    if (!take_id(in, c, TABLE_ORGS, school ? (uint32_t)in->roster->n_schools : ID_OTHER, &id))
        return false;
    if (school)
        *PUSH(in, schools, n_schools, cap_schools) =
            (struct roster_school){id, arena_copy(in->roster->memory, cell(c, ORG_NAME))};
    return true;
}

static bool orgs_again(struct reading *in, const struct cells *c)
{
    uint32_t parent;
    return refer(in, c, ORG_PARENT, TABLE_ORGS, &parent);
}

static bool courses_row(struct reading *in, const struct cells *c)
{
    const char *id;
    uint32_t year, org;
    return take_id(in, c, TABLE_COURSES, 0, &id) && refer(in, c, COURSE_YEAR, TABLE_SESSIONS, &year) &&
           refer(in, c, COURSE_ORG, TABLE_ORGS, &org);
}

static bool check_terms(struct reading *in, const struct cells *c)
{
    char buf[SOURCED_ID_BYTES];
    const char *at = cell(c, CLASS_TERMS), *id;
    while ((id = id_list_next(&at, buf)) != NULL)
        if (id_map_find(in->ids[TABLE_SESSIONS], id) == ID_NONE)
            return cell_refuse(c, CLASS_TERMS, "\"%.60s\" is not in academicSessions.csv", id);
    return true;
}

static bool classes_row(struct reading *in, const struct cells *c)
{
    const char *id;
    uint32_t course, school;
    if (!take_id(in, c, TABLE_CLASSES, (uint32_t)in->roster->n_classes, &id) ||
        !refer(in, c, CLASS_COURSE, TABLE_COURSES, &course) || !refer_school(in, c, CLASS_SCHOOL, &school) ||
        !check_terms(in, c))
        return false;
    *PUSH(in, classes, n_classes, cap_classes) = (struct roster_class){
        .id = id,
        .title = arena_copy(in->roster->memory, cell(c, CLASS_TITLE)),
        .grade = arena_copy(in->roster->memory, cell(c, CLASS_GRADES)),
        .school = school,
        .homeroom = strcmp(cell(c, CLASS_TYPE), "homeroom") == 0,
        .last_teacher = ID_NONE,
    };
    return true;
}

/* The standard's roles in Parta's words (school.md, "OneRoster mapping"). Those that are not here mean nothing in a
 * school. */
static enum school_role role_meant(const char *name)
{
    static const struct {
        const char *name;
        enum school_role role;
    } ROLES[] = {
        {"student", ROLE_PUPIL},
        {"parent", ROLE_GUARDIAN},
        {"guardian", ROLE_GUARDIAN},
        {"relative", ROLE_GUARDIAN},
        {"teacher", ROLE_TEACHER},
        {"principal", ROLE_HEAD},
        {"ext:deputyPrincipal", ROLE_DEPUTY},
        {"siteAdministrator", ROLE_ADMINISTRATOR},
        {"administrator", ROLE_ADMINISTRATOR}, /* 1.1 knows one kind */
        {"aide", ROLE_STAFF},
        {"counselor", ROLE_STAFF},
        {"proctor", ROLE_STAFF},
        {"ext:externalStaff", ROLE_EXTERNAL},
    };
    for (size_t i = 0; i < sizeof ROLES / sizeof *ROLES; ++i)
        if (strcmp(name, ROLES[i].name) == 0)
            return ROLES[i].role;
    return 0;
}

static void remember_agents(struct reading *in, uint32_t child, const char *agents)
{
    if (*agents == '\0')
        return;
    struct pending_agents *pending = arena_alloc(in->scratch, sizeof *pending);
    *pending = (struct pending_agents){NULL, arena_copy(in->scratch, agents), child};
    *in->agents_end = pending;
    in->agents_end = &pending->next;
}

static void roles_add(struct reading *in, struct roster_role role)
{
    *PUSH(in, roles, n_roles, cap_roles) = role;
    in->roster->people[role.person].roles |= role.role;
}

/* OneRoster 1.1 has one role for a person, in each of the person's orgs. */
static bool own_roles(struct reading *in, const struct cells *c, uint32_t person)
{
    char buf[SOURCED_ID_BYTES];
    const char *at = cell(c, USER_ORGS), *id;
    enum school_role role = role_meant(cell(c, USER_ROLE));
    while ((id = id_list_next(&at, buf)) != NULL) {
        uint32_t org = id_map_find(in->ids[TABLE_ORGS], id);
        if (org == ID_NONE)
            return cell_refuse(c, USER_ORGS, "\"%.60s\" is not in orgs.csv", id);
        if (role == ROLE_EXTERNAL)
            return cell_refuse(c, USER_ROLE, "external staff need an end date (rule B1), which OneRoster 1.1 has not");
        if (role == 0 || org == ID_OTHER)
            ++in->roster->n_roles_left_out;
        else if (row_set_put(in->role_facts, (struct row_key){person, org, role, DAY_EVER}))
            roles_add(in, (struct roster_role){person, org, role, DAY_EVER, DAY_NEVER});
        else
            return cell_refuse(c, USER_ORGS, "\"%.60s\" is named twice", id);
    }
    return true;
}

static bool users_row(struct reading *in, const struct cells *c)
{
    struct arena *memory = in->roster->memory;
    uint32_t number = (uint32_t)in->roster->n_people, org;
    const char *id;
    if (!take_id(in, c, TABLE_USERS, number, &id) || !refer(in, c, USER_PRIMARY_ORG, TABLE_ORGS, &org))
        return false;
    /* The user name is a file's own: the snapshot has none (A5). */
    const char *name = cell(c, USER_USERNAME);
    if (c->version != ONEROSTER_SNAPSHOT && !id_map_put(in->usernames, arena_copy(in->scratch, name), number))
        return cell_refuse(c, USER_USERNAME, "username \"%.60s\" is there twice", name);
    *PUSH(in, people, n_people, cap_people) = (struct roster_person){
        .id = id,
        .given = arena_copy(memory, cell(c, USER_GIVEN)),
        .family = arena_copy(memory, cell(c, USER_FAMILY)),
        .middle = arena_copy(memory, cell(c, USER_MIDDLE)),
        .enabled = strcmp(cell(c, USER_ENABLED), "true") == 0,
    };
    remember_agents(in, number, cell(c, USER_AGENTS));
    return c->version != ONEROSTER_1_1 || own_roles(in, c, number);
}

/* A pupil's agents are the guardians (school.md D5: at most two). Others may name agents too; that means nothing here.
 * false: they don't fit, fault says why. */
#define FAULT_BYTES 128
static bool take_agents(struct reading *in, uint32_t child, const char *agents, char fault[FAULT_BYTES])
{
    char buf[SOURCED_ID_BYTES];
    const char *id, *wrong = NULL;
    struct roster_person *people = in->roster->people;
    for (size_t first = in->roster->n_guardianships; wrong == NULL && (id = id_list_next(&agents, buf)) != NULL;) {
        uint32_t agent = id_map_find(in->ids[TABLE_USERS], id);
        if (agent == ID_NONE)
            wrong = "is not in users.csv";
        else if ((people[child].roles & ROLE_PUPIL) == 0)
            continue;
        else if (agent == child || (people[agent].roles & ROLE_GUARDIAN) == 0)
            wrong = "has no role parent, guardian or relative";
        for (size_t i = first; wrong == NULL && i < in->roster->n_guardianships; ++i)
            if (in->roster->guardianships[i].guardian == agent)
                wrong = "is named twice";
        if (wrong != NULL)
            snprintf(fault, FAULT_BYTES, "\"%.60s\" %s", id, wrong);
        else if (in->roster->n_guardianships - first == 2)
            snprintf(fault, FAULT_BYTES, "%s", wrong = "more than two guardians for one pupil (rule D5)");
        else
            *PUSH(in, guardianships, n_guardianships, cap_guardianships) = (struct roster_guardianship){child, agent};
    }
    return wrong == NULL;
}

bool roster_agents(struct reading *in)
{
    char fault[FAULT_BYTES];
    for (const struct pending_agents *p = in->agents; p != NULL; p = p->next)
        if (!take_agents(in, p->child, p->agents, fault))
            return false;
    return true;
}

bool agents_row(struct reading *in, const struct cells *c)
{
    char fault[FAULT_BYTES];
    uint32_t child = id_map_find(in->ids[TABLE_USERS], cell(c, USER_ID));
    in->roster->n_guardianships = 0; /* only the fault is wanted */
    return take_agents(in, child, cell(c, USER_AGENTS), fault) || cell_refuse(c, USER_AGENTS, "%s", fault);
}

static bool roles_row(struct reading *in, const struct cells *c)
{
    const char *id;
    uint32_t person, org;
    school_day begin, end;
    enum school_role role = role_meant(cell(c, ROLE_ROW_ROLE));
    if (!take_id(in, c, TABLE_ROLES, 0, &id) || !refer(in, c, ROLE_ROW_USER, TABLE_USERS, &person) ||
        !refer(in, c, ROLE_ROW_ORG, TABLE_ORGS, &org) || !period(c, ROLE_ROW_BEGIN, ROLE_ROW_END, &begin, &end))
        return false;
    if (role == ROLE_EXTERNAL && end == DAY_NEVER)
        return cell_refuse(c, ROLE_ROW_END, "external staff need an end date (rule B1)");
    if (role == 0 || org == ID_OTHER) {
        ++in->roster->n_roles_left_out;
        return true;
    }
    if (!row_set_put(in->role_facts, (struct row_key){person, org, role, begin}))
        return cell_refuse(c, ROLE_ROW_ROLE, "this person has this role in this school already");
    roles_add(in, (struct roster_role){person, org, role, begin, end});
    return true;
}

/* What an enrollment means; 0: nothing here. */
static enum school_role enrollment_meant(const struct cells *c, bool homeroom)
{
    if (strcmp(cell(c, ENROLLMENT_ROLE), "student") == 0)
        return ROLE_PUPIL;
    if (strcmp(cell(c, ENROLLMENT_ROLE), "teacher") != 0)
        return 0;
    return homeroom && strcmp(cell(c, ENROLLMENT_PRIMARY), "true") == 0 ? ROLE_CLASS_TEACHER : ROLE_TEACHER;
}

static bool enrollments_add(struct reading *in, const struct cells *c, struct roster_enrollment row)
{
    struct roster_class *class = &in->roster->classes[row.class];
    if (!row_set_put(in->enrollment_facts, (struct row_key){row.class, row.person, row.role, row.begin}))
        return cell_refuse(c, ENROLLMENT_USER, "this person is enrolled in this class already");
    if (row.role == ROLE_CLASS_TEACHER) {
        const struct roster_enrollment *all = in->roster->enrollments;
        for (uint32_t i = class->last_teacher; i != ID_NONE; i = all[i].last_teacher)
            if (row.begin <= all[i].end && all[i].begin <= row.end)
                return cell_refuse(c, ENROLLMENT_PRIMARY, "the class has a primary teacher already");
        row.last_teacher = class->last_teacher;
        class->last_teacher = (uint32_t)in->roster->n_enrollments;
    }
    *PUSH(in, enrollments, n_enrollments, cap_enrollments) = row;
    in->roster->people[row.person].roles |= row.role;
    return true;
}

static bool enrollments_row(struct reading *in, const struct cells *c)
{
    const char *id;
    uint32_t school;
    struct roster_enrollment row = {.last_teacher = ID_NONE};
    if (!take_id(in, c, TABLE_ENROLLMENTS, 0, &id) || !refer(in, c, ENROLLMENT_CLASS, TABLE_CLASSES, &row.class) ||
        !refer_school(in, c, ENROLLMENT_SCHOOL, &school) || !refer(in, c, ENROLLMENT_USER, TABLE_USERS, &row.person) ||
        !period(c, ENROLLMENT_BEGIN, ENROLLMENT_END, &row.begin, &row.end))
        return false;
    if (school != in->roster->classes[row.class].school)
        return cell_refuse(c, ENROLLMENT_SCHOOL, "the class is of another school");
    if (strcmp(cell(c, ENROLLMENT_PRIMARY), "true") == 0 && strcmp(cell(c, ENROLLMENT_ROLE), "teacher") != 0)
        return cell_refuse(c, ENROLLMENT_PRIMARY, "only a teacher can be primary");
    row.role = enrollment_meant(c, in->roster->classes[row.class].homeroom);
    if (row.role == 0) {
        ++in->roster->n_enrollments_left_out;
        return true;
    }
    return enrollments_add(in, c, row);
}

static bool demographics_row(struct reading *in, const struct cells *c)
{
    const char *id, *birth = cell(c, DEMO_BIRTH);
    uint32_t person;
    if (!take_id(in, c, TABLE_DEMOGRAPHICS, 0, &id) || !refer(in, c, DEMO_ID, TABLE_USERS, &person))
        return false;
    in->roster->people[person].birth = *birth == '\0' ? DAY_EVER : day_from(birth);
    return true;
}

row_fn *const ROW_FNS[TABLE__COUNT] = {
    [TABLE_SESSIONS] = sessions_row,
    [TABLE_ORGS] = orgs_row,
    [TABLE_COURSES] = courses_row,
    [TABLE_CLASSES] = classes_row,
    [TABLE_USERS] = users_row,
    [TABLE_ROLES] = roles_row,
    [TABLE_ENROLLMENTS] = enrollments_row,
    [TABLE_DEMOGRAPHICS] = demographics_row,
};
row_fn *const SECOND_FNS[TABLE__COUNT] = {
    [TABLE_SESSIONS] = sessions_again,
    [TABLE_ORGS] = orgs_again,
};

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
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (roster->roles[middle].person < person)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void roster_complete(struct reading *in)
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
