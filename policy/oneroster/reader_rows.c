#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "homeserver/base/text.h"
#include "policy/oneroster/reader_private.h"

/* Whether the row's own sourcedId is free. */
static enum row_outcome check_id(struct reading *in, const struct cells *c)
{
    const char *id = cell(c, 0);
    uint32_t aside = id_map_find(&in->aside[c->which], id);
    if (id_map_find(&in->ids[c->which], id) == ID_NONE && (aside == ID_NONE || aside == OUTCOME_GONE))
        return OUTCOME_TAKEN;
    return cell_refuse(c, 0, "sourcedId \"%.60s\" is there twice", id);
}

/* Takes it. The copy that stays. */
static const char *take_id(struct reading *in, const struct cells *c, uint32_t number)
{
    bool lives = c->which == TABLE_ORGS || c->which == TABLE_CLASSES || c->which == TABLE_USERS;
    const char *kept = arena_copy(lives ? in->roster->memory : in->scratch, cell(c, 0));
    id_map_put(&in->ids[c->which], kept, number);
    return kept;
}

/* The number behind a reference. An empty optional reference is ID_NONE and right. What refers to a row that was not
 * taken fares like that one. */
static enum row_outcome refer(struct reading *in, const struct cells *c, int column, enum roster_table to,
                              uint32_t *out)
{
    const char *id = cell(c, column), *file = ROSTER_TABLES[to].name;
    *out = *id == '\0' ? ID_NONE : id_map_find(&in->ids[to], id);
    if (*id == '\0' || *out != ID_NONE)
        return OUTCOME_TAKEN;
    uint32_t aside = id_map_find(&in->aside[to], id);
    if (aside == OUTCOME_GONE)
        cell_say(c, column, PROBLEM_ROW_OF_GONE, "\"%.60s\" is inactive or tobedeleted in %s.csv", id, file);
    else if (aside == OUTCOME_ASIDE)
        cell_say(c, column, PROBLEM_ENROLLMENT_ELSEWHERE, "\"%.60s\" is a class of an org that is no school", id);
    if (aside != ID_NONE)
        return (enum row_outcome)aside;
    return in->partial[to] ? OUTCOME_REFUSED : cell_refuse(c, column, "\"%.60s\" is not in %s.csv", id, file);
}

/* The same of a reference that means nothing here. */
static void refer_unread(struct reading *in, const struct cells *c, int column, enum roster_table to)
{
    char buf[SOURCED_ID_BYTES];
    const char *at = cell(c, column), *id;
    while (in->there[to] && !in->partial[to] && (id = id_list_next(&at, buf)) != NULL)
        if (id_map_find(&in->ids[to], id) == ID_NONE && id_map_find(&in->aside[to], id) == ID_NONE)
            cell_say(c, column, PROBLEM_UNREAD_WRONG, "\"%.60s\" is not in %s.csv", id, ROSTER_TABLES[to].name);
}

static enum row_outcome period(const struct cells *c, int begin_column, int end_column, school_day *begin,
                               school_day *end)
{
    const char *from = cell(c, begin_column), *to = cell(c, end_column);
    *begin = *from == '\0' ? DAY_EVER : day_from(from);
    *end = *to == '\0' ? DAY_NEVER : day_from(to);
    return *begin <= *end ? OUTCOME_TAKEN : cell_refuse(c, end_column, "ends before it begins");
}

static enum row_outcome sessions_row(struct reading *in, const struct cells *c)
{
    enum row_outcome outcome = check_id(in, c);
    school_day begin, end;
    if (outcome == OUTCOME_TAKEN)
        outcome = period(c, SESSION_START, SESSION_END, &begin, &end);
    if (outcome != OUTCOME_TAKEN)
        return outcome;
    take_id(in, c, 0);
    if (word_is(cell(c, SESSION_TYPE), "schoolYear") && end != DAY_NEVER && end > in->roster->year_end)
        in->roster->year_end = end;
    return OUTCOME_TAKEN;
}

static enum row_outcome orgs_row(struct reading *in, const struct cells *c)
{
    enum row_outcome outcome = check_id(in, c);
    bool school = word_is(cell(c, ORG_TYPE), "school");
    if (outcome != OUTCOME_TAKEN)
        return outcome;
    const char *id = take_id(in, c, school ? (uint32_t)in->roster->n_schools : ID_OTHER);
    if (school)
        *PUSH(in->roster, schools, n_schools, in->cap_schools) =
            (struct roster_school){id, arena_copy(in->roster->memory, cell(c, ORG_NAME))};
    return OUTCOME_TAKEN;
}

static enum row_outcome courses_row(struct reading *in, const struct cells *c)
{
    enum row_outcome outcome = check_id(in, c);
    if (outcome != OUTCOME_TAKEN)
        return outcome;
    refer_unread(in, c, COURSE_YEAR, TABLE_SESSIONS);
    refer_unread(in, c, COURSE_ORG, TABLE_ORGS);
    take_id(in, c, 0);
    return OUTCOME_TAKEN;
}

static enum row_outcome classes_row(struct reading *in, const struct cells *c)
{
    uint32_t school;
    enum row_outcome outcome = check_id(in, c);
    if (outcome == OUTCOME_TAKEN)
        outcome = refer(in, c, CLASS_SCHOOL, TABLE_ORGS, &school);
    if (outcome != OUTCOME_TAKEN)
        return outcome;
    if (school == ID_OTHER) {
        cell_say(c, CLASS_SCHOOL, PROBLEM_CLASS_ELSEWHERE, "\"%.60s\" is no school", cell(c, CLASS_SCHOOL));
        return OUTCOME_ASIDE;
    }
    refer_unread(in, c, CLASS_COURSE, TABLE_COURSES);
    refer_unread(in, c, CLASS_TERMS, TABLE_SESSIONS);
    const char *id = take_id(in, c, (uint32_t)in->roster->n_classes);
    *PUSH(in->roster, classes, n_classes, in->cap_classes) = (struct roster_class){
        .id = id,
        .title = arena_copy(in->roster->memory, cell(c, CLASS_TITLE)),
        .grade = arena_copy(in->roster->memory, cell(c, CLASS_GRADES)),
        .school = school,
        .homeroom = word_is(cell(c, CLASS_TYPE), "homeroom"),
    };
    return OUTCOME_TAKEN;
}

/* --- People --- */

/* The standard's roles in Parta's words (school.md, "OneRoster mapping"). Those that are not here mean nothing in a
 * school. */
enum school_role role_meant(const char *name)
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
        if (word_is(name, ROLES[i].name))
            return ROLES[i].role;
    return 0;
}

static bool same_name(const struct seen_user *seen, const struct cells *c)
{
    const char *middle = cell(c, USER_MIDDLE);
    return strcmp(seen->given, cell(c, USER_GIVEN)) == 0 && strcmp(seen->family, cell(c, USER_FAMILY)) == 0 &&
           (*seen->middle == '\0' || *middle == '\0' || strcmp(seen->middle, middle) == 0);
}

const char *same_person(struct reading *in, const struct cells *c)
{
    enum school_role role = role_meant(cell(c, USER_ROLE));
    const char *name = cell(c, USER_USERNAME);
    if (*name == '\0' || role == 0 || role == ROLE_PUPIL)
        return NULL;
    uint32_t number = id_map_find(&in->usernames, name);
    if (number == ID_NONE) {
        id_map_put(&in->usernames, arena_copy(in->scratch, name), (uint32_t)in->n_seen);
        *PUSH(in, seen, n_seen, in->cap_seen) =
            (struct seen_user){.id = arena_copy(in->scratch, cell(c, USER_ID)),
                               .given = arena_copy(in->scratch, cell(c, USER_GIVEN)),
                               .family = arena_copy(in->scratch, cell(c, USER_FAMILY)),
                               .middle = arena_copy(in->scratch, cell(c, USER_MIDDLE)),
                               .role = role};
        return NULL;
    }
    struct seen_user *seen = &in->seen[number];
    if (seen->paired || (seen->role == ROLE_GUARDIAN) == (role == ROLE_GUARDIAN))
        return NULL;
    if (!same_name(seen, c)) {
        cell_say(c, USER_USERNAME, PROBLEM_USERNAME_SHARED, "has the username of \"%.60s\" and another name", seen->id);
        return NULL;
    }
    cell_say(c, USER_USERNAME, PROBLEM_PERSON_SAME, "is the same person as \"%.60s\"", seen->id);
    seen->paired = true;
    return seen->id;
}

static void remember(struct reading *in, const struct cells *c, uint32_t person)
{
    const char *agents = cell(c, USER_AGENTS), *same = in->version == ONEROSTER_SNAPSHOT ? cell(c, USER_SAME) : c->same;
    if (*agents != '\0') {
        struct pending_agents *pending = arena_alloc(in->scratch, sizeof *pending);
        *pending = (struct pending_agents){NULL, arena_copy(in->scratch, agents), person, cell_place(c, USER_AGENTS)};
        *in->agents_end = pending;
        in->agents_end = &pending->next;
    }
    if (same != NULL && *same != '\0') {
        struct pending_same *pending = arena_alloc(in->scratch, sizeof *pending);
        *pending = (struct pending_same){in->same, arena_copy(in->scratch, same), person};
        in->same = pending;
    }
}

void roles_add(struct reading *in, struct roster_role role)
{
    *PUSH(in->roster, roles, n_roles, in->cap_roles) = role;
    in->roster->people[role.person].roles |= role.role;
}

/* OneRoster 1.1 has one role for a person, in each of the person's orgs. */
static enum row_outcome own_roles(struct reading *in, const struct cells *c, uint32_t person)
{
    char buf[SOURCED_ID_BYTES];
    const char *at = cell(c, USER_ORGS), *id, *word = cell(c, USER_ROLE);
    enum school_role role = role_meant(word);
    enum row_outcome outcome = OUTCOME_TAKEN;
    if (role == ROLE_EXTERNAL)
        return cell_refuse(c, USER_ROLE, "external staff need an end date (rule B1), which OneRoster 1.1 has not");
    in->roster->people[person].told |= role;
    while ((id = id_list_next(&at, buf)) != NULL) {
        uint32_t org = id_map_find(&in->ids[TABLE_ORGS], id);
        if (org == ID_NONE && id_map_find(&in->aside[TABLE_ORGS], id) == OUTCOME_GONE)
            cell_say(c, USER_ORGS, PROBLEM_ROW_OF_GONE, "\"%.60s\" is inactive or tobedeleted in orgs.csv", id);
        else if (org == ID_NONE && !in->partial[TABLE_ORGS])
            outcome = cell_refuse(c, USER_ORGS, "\"%.60s\" is not in orgs.csv", id);
        else if (org == ID_NONE)
            outcome = OUTCOME_REFUSED;
        else if (role == 0 || org == ID_OTHER) {
            ++in->roster->n_roles_left_out;
            cell_say(c, USER_ROLE, PROBLEM_ROLE_NOTHING, "\"%.60s\" at \"%.60s\" means nothing here", word, id);
        } else if (row_set_put(&in->role_facts, (struct row_key){person, org, role, DAY_EVER}, 0) == ID_NONE)
            roles_add(in, (struct roster_role){person, org, role, DAY_EVER, DAY_NEVER});
        else
            cell_say(c, USER_ORGS, PROBLEM_NAMED_TWICE, "\"%.60s\"", id);
    }
    return outcome;
}

static enum row_outcome users_row(struct reading *in, const struct cells *c)
{
    struct arena *memory = in->roster->memory;
    uint32_t number = (uint32_t)in->roster->n_people;
    enum row_outcome outcome = check_id(in, c);
    if (outcome != OUTCOME_TAKEN)
        return outcome;
    refer_unread(in, c, USER_PRIMARY_ORG, TABLE_ORGS);
    *PUSH(in->roster, people, n_people, in->cap_people) = (struct roster_person){
        .id = take_id(in, c, number),
        .given = arena_copy(memory, cell(c, USER_GIVEN)),
        .family = arena_copy(memory, cell(c, USER_FAMILY)),
        .middle = arena_copy(memory, cell(c, USER_MIDDLE)),
        .enabled = bool_is_true(cell(c, USER_ENABLED)),
    };
    remember(in, c, number);
    return in->version == ONEROSTER_1_1 ? own_roles(in, c, number) : OUTCOME_TAKEN;
}

static enum row_outcome roles_row(struct reading *in, const struct cells *c)
{
    uint32_t person, org;
    school_day begin, end;
    const char *word = cell(c, ROLE_ROW_ROLE);
    enum school_role role = role_meant(word);
    enum row_outcome outcome = check_id(in, c);
    if (outcome != OUTCOME_TAKEN || (outcome = refer(in, c, ROLE_ROW_USER, TABLE_USERS, &person)) != OUTCOME_TAKEN ||
        (outcome = refer(in, c, ROLE_ROW_ORG, TABLE_ORGS, &org)) != OUTCOME_TAKEN ||
        (outcome = period(c, ROLE_ROW_BEGIN, ROLE_ROW_END, &begin, &end)) != OUTCOME_TAKEN)
        return outcome;
    take_id(in, c, 0);
    in->roster->people[person].told |= role;
    if (role == 0 || org == ID_OTHER) {
        ++in->roster->n_roles_left_out;
        cell_say(c, ROLE_ROW_ROLE, PROBLEM_ROLE_NOTHING, "\"%.60s\" at \"%.60s\" means nothing here", word,
                 cell(c, ROLE_ROW_ORG));
        return OUTCOME_ASIDE;
    }
    if (role == ROLE_EXTERNAL && end == DAY_NEVER)
        return cell_refuse(c, ROLE_ROW_END, "external staff need an end date (rule B1)");
    uint32_t before =
        row_set_put(&in->role_facts, (struct row_key){person, org, role, begin}, (uint32_t)in->roster->n_roles);
    if (before != ID_NONE && in->roster->roles[before].end != end)
        return cell_refuse(c, ROLE_ROW_ROLE, "this person has this role in this school already, to another day");
    if (before == ID_NONE)
        roles_add(in, (struct roster_role){person, org, role, begin, end});
    else
        cell_say(c, ROLE_ROW_ROLE, PROBLEM_NAMED_TWICE, "this person has this role in this school already");
    return OUTCOME_TAKEN;
}

/* --- Enrollments --- */

/* What an enrollment means; 0: nothing here. */
static enum school_role enrollment_meant(const struct cells *c, bool homeroom)
{
    if (word_is(cell(c, ENROLLMENT_ROLE), "student"))
        return ROLE_PUPIL;
    if (!word_is(cell(c, ENROLLMENT_ROLE), "teacher"))
        return 0;
    return homeroom && bool_is_true(cell(c, ENROLLMENT_PRIMARY)) ? ROLE_CLASS_TEACHER : ROLE_TEACHER;
}

static enum row_outcome enrollments_add(struct reading *in, const struct cells *c, struct roster_enrollment row)
{
    uint32_t number = (uint32_t)in->roster->n_enrollments;
    uint32_t before =
        row_set_put(&in->enrollment_facts, (struct row_key){row.class, row.person, row.role, row.begin}, number);
    if (before != ID_NONE && in->roster->enrollments[before].end != row.end)
        return cell_refuse(c, ENROLLMENT_USER, "this person is enrolled in this class already, to another day");
    if (before != ID_NONE) {
        cell_say(c, ENROLLMENT_USER, PROBLEM_NAMED_TWICE, "this person is enrolled in this class already");
        return OUTCOME_TAKEN;
    }
    if (row.role != ROLE_PUPIL && in->roster->classes[row.class].homeroom)
        *PUSH(in, teachers, n_teachers, in->cap_teachers) =
            (struct homeroom_teacher){number, cell_place(c, ENROLLMENT_PRIMARY)};
    *PUSH(in->roster, enrollments, n_enrollments, in->cap_enrollments) = row;
    in->roster->people[row.person].roles |= row.role;
    return OUTCOME_TAKEN;
}

static enum row_outcome enrollments_row(struct reading *in, const struct cells *c)
{
    uint32_t school;
    struct roster_enrollment row = {0};
    enum row_outcome outcome = check_id(in, c);
    if (outcome != OUTCOME_TAKEN ||
        (outcome = refer(in, c, ENROLLMENT_CLASS, TABLE_CLASSES, &row.class)) != OUTCOME_TAKEN ||
        (outcome = refer(in, c, ENROLLMENT_SCHOOL, TABLE_ORGS, &school)) != OUTCOME_TAKEN ||
        (outcome = refer(in, c, ENROLLMENT_USER, TABLE_USERS, &row.person)) != OUTCOME_TAKEN ||
        (outcome = period(c, ENROLLMENT_BEGIN, ENROLLMENT_END, &row.begin, &row.end)) != OUTCOME_TAKEN)
        return outcome;
    const struct roster_class *class = &in->roster->classes[row.class];
    if (school == ID_OTHER)
        cell_say(c, ENROLLMENT_SCHOOL, PROBLEM_UNREAD_WRONG, "is no school: the class's counts");
    else if (school != class->school)
        return cell_refuse(c, ENROLLMENT_SCHOOL, "the class is of another school");
    if (bool_is_true(cell(c, ENROLLMENT_PRIMARY)) && !word_is(cell(c, ENROLLMENT_ROLE), "teacher"))
        return cell_refuse(c, ENROLLMENT_PRIMARY, "only a teacher can be primary");
    take_id(in, c, 0);
    row.role = enrollment_meant(c, class->homeroom);
    if (row.role != 0)
        return enrollments_add(in, c, row);
    ++in->roster->n_enrollments_left_out;
    cell_say(c, ENROLLMENT_ROLE, PROBLEM_ENROLLMENT_NOTHING, "\"%.60s\" in a class means nothing here",
             cell(c, ENROLLMENT_ROLE));
    return OUTCOME_ASIDE;
}

static enum row_outcome demographics_row(struct reading *in, const struct cells *c)
{
    const char *birth = cell(c, DEMO_BIRTH);
    uint32_t person;
    enum row_outcome outcome = check_id(in, c);
    if (outcome != OUTCOME_TAKEN || (outcome = refer(in, c, DEMO_ID, TABLE_USERS, &person)) != OUTCOME_TAKEN)
        return outcome;
    take_id(in, c, 0);
    in->roster->people[person].birth = *birth == '\0' ? DAY_EVER : day_from(birth);
    return OUTCOME_TAKEN;
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
