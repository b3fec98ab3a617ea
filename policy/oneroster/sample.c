#include "policy/oneroster/sample.h"

#include <csv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "policy/oneroster/sample_names.h"
#include "policy/oneroster/columns.h"

#define YEAR 2026          /* the school year begins on 1 September of it */
#define STAFF 6            /* of a school, as POSTS has them */
#define GROUPS_A_TEACHER 4 /* classes that one subject teacher has */
#define CROSS_EVERY 40     /* every so-manieth pupil of a second school has a sibling in the first */
#define ID_BYTES 40
/* They need one (E7): far, so that whoever takes the sample in later years has people of every role. */
#define LAST_DAY_OF_EXTERNALS "2099-05-31"

/* What a hash is drawn for, so that no two questions share an answer. */
enum draw {
    DRAW_SIBLING = 1,
    DRAW_HALF,
    DRAW_COUPLE,
    DRAW_SURNAME,
    DRAW_FATHER,
    DRAW_SEX,
    DRAW_GIVEN,
    DRAW_MIDDLE,
    DRAW_BIRTH,
    DRAW_SCHOOL
};

struct world {
    uint64_t seed;
    struct sample_size size;
    struct sample_counts *counts;
    FILE *out;
};

/* A family is named by its eldest pupil: the school and number of the child that no other child is found from. */
struct family {
    int school, head;
};

struct names {
    const char *family, *given, *middle;
    bool woman;
};

/* --- Draws --- */

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* A number below n, the same for the same question (splitmix64's finisher over seed, draw, a and b). */
static size_t draw(const struct world *w, enum draw what, int a, int b, size_t n)
{
    uint64_t x = mix(w->seed ^ mix((uint64_t)what << 56 ^ (uint64_t)(uint32_t)a << 28 ^ (uint64_t)(uint32_t)b));
    return (size_t)(x % n);
}

/* --- Who is whose --- */

static int pupils_of(const struct world *w)
{
    return w->size.classes * w->size.pupils;
}

/* A younger sibling's elder one sits in the same place, about a grade below in number. */
static int sibling_distance(const struct world *w)
{
    return (w->size.classes + 10) / 11 * w->size.pupils;
}

static bool may_be_sibling(const struct world *w, int school, int pupil)
{
    return pupil >= sibling_distance(w) && draw(w, DRAW_SIBLING, school, pupil, 5) == 0;
}

static bool is_sibling(const struct world *w, int school, int pupil)
{
    return may_be_sibling(w, school, pupil) && !may_be_sibling(w, school, pupil - sibling_distance(w));
}

/* Shares the mother only. */
static bool is_half_sibling(const struct world *w, int school, int pupil)
{
    return is_sibling(w, school, pupil) && draw(w, DRAW_HALF, school, pupil, 4) == 0;
}

/* Every second school shares families with the one before it. */
static bool is_of_other_school(const struct world *w, int school, int pupil)
{
    return school % 2 == 1 && pupil % CROSS_EVERY == 0 && !is_sibling(w, school, pupil) &&
           !is_sibling(w, school - 1, pupil);
}

static bool heads_family(const struct world *w, int school, int pupil)
{
    return !is_sibling(w, school, pupil) && !is_of_other_school(w, school, pupil);
}

static struct family family_of(const struct world *w, int school, int pupil)
{
    if (is_sibling(w, school, pupil))
        pupil -= sibling_distance(w);
    if (is_of_other_school(w, school, pupil))
        --school;
    return (struct family){school, pupil};
}

static bool has_father(const struct world *w, struct family f)
{
    return f.head == 0 || draw(w, DRAW_COUPLE, f.school, f.head, 4) != 0;
}

/* The mother of the second pupil of an even class teaches the class after it. */
static bool mother_teaches(const struct world *w, struct family f, int *class)
{
    *class = f.head / w->size.pupils + 1;
    return f.head % w->size.pupils == 1 && *class % 2 == 1 && *class < w->size.classes;
}

static bool teacher_has_child(const struct world *w, int school, int class, struct family *f)
{
    *f = (struct family){school, (class - 1) * w->size.pupils + 1};
    return class % 2 == 1 && heads_family(w, school, f->head);
}

/* --- Names --- */

static const char *surname(size_t i, bool woman)
{
    const struct name_pair *pair = &SAMPLE_SURNAMES[i % SAMPLE_SURNAMES_COUNT];
    return woman ? pair->woman : pair->man;
}

static const char *patronymic(size_t father, bool woman)
{
    return woman ? SAMPLE_FATHERS[father].daughter : SAMPLE_FATHERS[father].son;
}

/* kind tells people apart that share numbers: 1 mother, 2 father, 3 pupil, 4 class teacher, 5
 * subject teacher, 6 staff. */
static struct names plain_names(const struct world *w, int kind, int school, int number, bool woman)
{
    int at = number * 8 + kind;
    return (struct names){
        .woman = woman,
        .family = surname(draw(w, DRAW_SURNAME, school, at, SAMPLE_SURNAMES_COUNT), woman),
        .given = woman ? SAMPLE_WOMEN[draw(w, DRAW_GIVEN, school, at, SAMPLE_WOMEN_COUNT)]
                       : SAMPLE_MEN[draw(w, DRAW_GIVEN, school, at, SAMPLE_MEN_COUNT)],
        .middle = patronymic(draw(w, DRAW_MIDDLE, school, at, SAMPLE_FATHERS_COUNT), woman),
    };
}

static size_t family_surname(const struct world *w, struct family f)
{
    return draw(w, DRAW_SURNAME, f.school, f.head * 8, SAMPLE_SURNAMES_COUNT);
}

static size_t family_father(const struct world *w, struct family f)
{
    return draw(w, DRAW_FATHER, f.school, f.head * 8, SAMPLE_FATHERS_COUNT);
}

static struct names mother_names(const struct world *w, struct family f)
{
    struct names names = plain_names(w, 1, f.school, f.head, true);
    names.family = surname(family_surname(w, f), true);
    return names;
}

static struct names father_names(const struct world *w, struct family f)
{
    struct names names = plain_names(w, 2, f.school, f.head, false);
    names.family = surname(family_surname(w, f), false);
    names.given = SAMPLE_FATHERS[family_father(w, f)].name;
    return names;
}

static struct names pupil_names(const struct world *w, int school, int pupil)
{
    struct family f = family_of(w, school, pupil);
    struct names names = plain_names(w, 3, school, pupil, draw(w, DRAW_SEX, school, pupil, 2) == 0);
    if (is_half_sibling(w, school, pupil))
        return names;
    names.family = surname(family_surname(w, f), names.woman);
    names.middle = patronymic(family_father(w, f), names.woman);
    return names;
}

static struct names teacher_names(const struct world *w, int school, int class)
{
    struct family f;
    if (teacher_has_child(w, school, class, &f))
        return mother_names(w, f);
    return plain_names(w, 4, school, class, draw(w, DRAW_SEX, school, -1 - class, 6) != 0);
}

/* Grades are spread evenly over the classes; classes of a grade take letters. */
static const char *class_name(const struct world *w, int class, int *grade, char out[ID_BYTES])
{
    static const char *const LETTERS[] = {"А", "Б", "В", "Г", "Д", "Е", "Ж", "З", "И", "К", "Л", "М"};
    int n = w->size.classes, nth = 0;
    *grade = 1 + class * 11 / n;
    for (int k = class - 1; k >= 0 && 1 + k * 11 / n == *grade; --k)
        ++nth;
    if (nth < 12)
        snprintf(out, ID_BYTES, "%d%s", *grade, LETTERS[nth]);
    else
        snprintf(out, ID_BYTES, "%d%s%d", *grade, LETTERS[nth % 12], 1 + nth / 12);
    return out;
}

/* --- Ids --- */

static const char *id(char out[ID_BYTES], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *id(char out[ID_BYTES], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out, ID_BYTES, fmt, ap);
    va_end(ap);
    return out;
}

static const char *school_id(int school, char out[ID_BYTES])
{
    return id(out, "s%d", school + 1);
}

static const char *class_id(int school, int class, char out[ID_BYTES])
{
    return id(out, "s%d-c%03d", school + 1, class + 1);
}

static const char *group_id(int school, int class, int subject, char out[ID_BYTES])
{
    return id(out, "s%d-c%03d-g%d", school + 1, class + 1, subject + 1);
}

static const char *pupil_id(int school, int pupil, char out[ID_BYTES])
{
    return id(out, "s%d-p%05d", school + 1, pupil + 1);
}

static const char *teacher_id(int school, int class, char out[ID_BYTES])
{
    return id(out, "s%d-t%03d", school + 1, class + 1);
}

static const char *subject_teacher_id(int school, int number, char out[ID_BYTES])
{
    return id(out, "s%d-u%03d", school + 1, number + 1);
}

static const char *mother_id(const struct world *w, struct family f, char out[ID_BYTES])
{
    int class;
    if (mother_teaches(w, f, &class))
        return teacher_id(f.school, class, out);
    return id(out, "s%d-p%05d-m", f.school + 1, f.head + 1);
}

static const char *father_id(struct family f, char out[ID_BYTES])
{
    return id(out, "s%d-p%05d-f", f.school + 1, f.head + 1);
}

/* --- Rows --- */

/* A row of the table: pairs of column number and value, ended by −1; the other columns are empty. */
static void put_row(const struct world *w, enum roster_table table, ...)
{
    const char *values[COLUMNS_MAX] = {0};
    va_list ap;
    va_start(ap, table);
    for (int column; (column = va_arg(ap, int)) >= 0;)
        values[column] = va_arg(ap, const char *);
    va_end(ap);
    for (size_t i = 0; i < ROSTER_TABLES[table].n; ++i) {
        if (!column_in(&ROSTER_TABLES[table].columns[i], ONEROSTER_1_2))
            continue;
        if (i > 0)
            fputc(',', w->out);
        if (values[i] != NULL && strpbrk(values[i], ",\"\r\n") != NULL)
            csv_fwrite(w->out, values[i], strlen(values[i]));
        else
            fputs(values[i] != NULL ? values[i] : "", w->out);
    }
    fputs("\r\n", w->out);
}

static void put_header(const struct world *w, enum roster_table table)
{
    for (size_t i = 0; i < ROSTER_TABLES[table].n; ++i)
        if (column_in(&ROSTER_TABLES[table].columns[i], ONEROSTER_1_2))
            fprintf(w->out, "%s%s", i > 0 ? "," : "", ROSTER_TABLES[table].columns[i].name);
    fputs("\r\n", w->out);
}

/* --- Files --- */

static void write_sessions(const struct world *w)
{
    static const char *const QUARTERS[][3] = {
        {"1-я четверть", "-09-01", "-10-25"},
        {"2-я четверть", "-11-02", "-12-29"},
        {"3-я четверть", "-01-11", "-03-21"},
        {"4-я четверть", "-03-29", "-05-26"},
    };
    char session[ID_BYTES], start[ID_BYTES], end[ID_BYTES], year[ID_BYTES], school_year[ID_BYTES];
    id(year, "y%d", YEAR);
    id(school_year, "%d", YEAR + 1);
    put_row(w, TABLE_SESSIONS, SESSION_ID, year, SESSION_TITLE, id(session, "%d/%d", YEAR, YEAR + 1), SESSION_TYPE,
            "schoolYear", SESSION_START, id(start, "%d-09-01", YEAR), SESSION_END, id(end, "%d-05-31", YEAR + 1),
            SESSION_YEAR, school_year, -1);
    for (int q = 0; q < 4; ++q)
        put_row(w, TABLE_SESSIONS, SESSION_ID, id(session, "y%d-q%d", YEAR, q + 1), SESSION_TITLE, QUARTERS[q][0],
                SESSION_TYPE, "gradingPeriod", SESSION_START, id(start, "%d%s", YEAR + (q > 1), QUARTERS[q][1]),
                SESSION_END, id(end, "%d%s", YEAR + (q > 1), QUARTERS[q][2]), SESSION_PARENT, year, SESSION_YEAR,
                school_year, -1);
}

static void write_orgs(const struct world *w)
{
    char org[ID_BYTES], name[64];
    int number = 0;
    put_row(w, TABLE_ORGS, ORG_ID, "d1", ORG_NAME, "Городской отдел образования", ORG_TYPE, "district", -1);
    for (int s = 0; s < w->size.schools; ++s) {
        number += 1 + (int)draw(w, DRAW_SCHOOL, s, 0, 12);
        snprintf(name, sizeof name, "Школа № %d", number);
        put_row(w, TABLE_ORGS, ORG_ID, school_id(s, org), ORG_NAME, name, ORG_TYPE, "school", ORG_PARENT, "d1", -1);
        ++w->counts->schools;
    }
}

static const char *const SUBJECTS[] = {"Русский язык",    "Математика", "Литература", "История",
                                       "Английский язык", "Биология",   "Физика",     "Информатика"};

static void write_courses(const struct world *w)
{
    char course[ID_BYTES], org[ID_BYTES], year[ID_BYTES];
    id(year, "y%d", YEAR);
    for (int s = 0; s < w->size.schools; ++s) {
        put_row(w, TABLE_COURSES, COURSE_ID, id(course, "s%d-k0", s + 1), COURSE_YEAR, year, COURSE_TITLE, "Класс",
                COURSE_ORG, school_id(s, org), -1);
        for (int j = 0; j < w->size.subjects; ++j)
            put_row(w, TABLE_COURSES, COURSE_ID, id(course, "s%d-k%d", s + 1, j + 1), COURSE_YEAR, year, COURSE_TITLE,
                    SUBJECTS[j], COURSE_ORG, school_id(s, org), -1);
    }
}

static void write_class(const struct world *w, int school, int class)
{
    char class_[ID_BYTES], org[ID_BYTES], course[ID_BYTES], title[ID_BYTES], year[ID_BYTES], grades[ID_BYTES],
        long_title[96];
    int grade;
    class_name(w, class, &grade, title);
    id(year, "y%d", YEAR);
    id(grades, "%d", grade);
    put_row(w, TABLE_CLASSES, CLASS_ID, class_id(school, class, class_), CLASS_TITLE, title, CLASS_GRADES, grades,
            CLASS_COURSE, id(course, "s%d-k0", school + 1), CLASS_TYPE, "homeroom", CLASS_SCHOOL,
            school_id(school, org), CLASS_TERMS, year, -1);
    ++w->counts->classes;
    for (int j = 0; j < w->size.subjects; ++j) {
        snprintf(long_title, sizeof long_title, "%s, %s", SUBJECTS[j], title);
        put_row(w, TABLE_CLASSES, CLASS_ID, group_id(school, class, j, class_), CLASS_TITLE, long_title, CLASS_GRADES,
                grades, CLASS_COURSE, id(course, "s%d-k%d", school + 1, j + 1), CLASS_TYPE, "scheduled", CLASS_SCHOOL,
                org, CLASS_TERMS, year, -1);
        ++w->counts->subject_groups;
    }
}

static void write_classes(const struct world *w)
{
    for (int s = 0; s < w->size.schools; ++s)
        for (int k = 0; k < w->size.classes; ++k)
            write_class(w, s, k);
}

static void put_user(const struct world *w, const char *user, const struct names *names, const char *agents, int school,
                     const char *grades)
{
    char org[ID_BYTES];
    put_row(w, TABLE_USERS, USER_ID, user, USER_ENABLED, "true", USER_USERNAME, user, USER_GIVEN, names->given,
            USER_FAMILY, names->family, USER_MIDDLE, names->middle, USER_AGENTS, agents, USER_GRADES, grades,
            USER_PRIMARY_ORG, school_id(school, org), -1);
    ++w->counts->people;
}

static int subject_teachers_of(const struct world *w)
{
    return (w->size.classes + GROUPS_A_TEACHER - 1) / GROUPS_A_TEACHER * w->size.subjects;
}

static void write_staff_users(const struct world *w, int school)
{
    char user[ID_BYTES];
    for (int i = 0; i < STAFF; ++i) {
        struct names names = plain_names(w, 6, school, i, draw(w, DRAW_SEX, school, -1000 - i, 3) != 0);
        put_user(w, id(user, "s%d-a%d", school + 1, i + 1), &names, "", school, "");
    }
    for (int k = 0; k < w->size.classes; ++k) {
        struct names names = teacher_names(w, school, k);
        put_user(w, teacher_id(school, k, user), &names, "", school, "");
    }
    for (int u = 0; u < subject_teachers_of(w); ++u) {
        struct names names = plain_names(w, 5, school, u, draw(w, DRAW_SEX, school, -2000 - u, 5) != 0);
        put_user(w, subject_teacher_id(school, u, user), &names, "", school, "");
    }
    w->counts->staff += STAFF + w->size.classes + subject_teachers_of(w);
}

static void write_pupil_user(const struct world *w, int school, int pupil)
{
    char user[ID_BYTES], mother[ID_BYTES], father[ID_BYTES], agents[2 * ID_BYTES + 2], name[ID_BYTES], grades[ID_BYTES];
    struct family f = family_of(w, school, pupil);
    struct names names = pupil_names(w, school, pupil);
    bool both = has_father(w, f) && !is_half_sibling(w, school, pupil);
    int grade;
    class_name(w, pupil / w->size.pupils, &grade, name);
    snprintf(agents, sizeof agents, "%s%s%s", mother_id(w, f, mother), both ? "," : "",
             both ? father_id(f, father) : "");
    put_user(w, pupil_id(school, pupil, user), &names, agents, school, id(grades, "%d", grade));
    ++w->counts->pupils;
    w->counts->guardianships += both ? 2 : 1;
    w->counts->sibling_families += is_sibling(w, school, pupil);
    w->counts->cross_school_families += is_of_other_school(w, school, pupil);
}

static void write_parent_users(const struct world *w, struct family f)
{
    char user[ID_BYTES];
    int class;
    struct names mother = mother_names(w, f), father = father_names(w, f);
    if (mother_teaches(w, f, &class))
        ++w->counts->teacher_parents;
    else
        put_user(w, mother_id(w, f, user), &mother, "", f.school, "");
    if (has_father(w, f))
        put_user(w, father_id(f, user), &father, "", f.school, "");
    else
        ++w->counts->single_parents;
    w->counts->guardians += has_father(w, f) ? 2 : 1;
}

static void write_users(const struct world *w)
{
    for (int s = 0; s < w->size.schools; ++s) {
        write_staff_users(w, s);
        for (int p = 0; p < pupils_of(w); ++p) {
            write_pupil_user(w, s, p);
            if (heads_family(w, s, p))
                write_parent_users(w, (struct family){s, p});
        }
    }
}

static void put_role(const struct world *w, const char *user, int school, const char *role, bool primary,
                     const char *end)
{
    char row[2 * ID_BYTES + 48], org[ID_BYTES];
    const char *plain = strncmp(role, "ext:", 4) == 0 ? role + 4 : role;
    snprintf(row, sizeof row, "r-%s-%s-%s", user, school_id(school, org), plain);
    put_row(w, TABLE_ROLES, ROLE_ROW_ID, row, ROLE_ROW_USER, user, ROLE_ROW_TYPE, primary ? "primary" : "secondary",
            ROLE_ROW_ROLE, role, ROLE_ROW_END, end, ROLE_ROW_ORG, org, -1);
    ++w->counts->roles;
}

static void write_staff_roles(const struct world *w, int school)
{
    static const char *const POSTS[STAFF] = {"principal",         "ext:deputyPrincipal", "ext:deputyPrincipal",
                                             "siteAdministrator", "counselor",           "ext:externalStaff"};
    char user[ID_BYTES];
    for (int i = 0; i < STAFF; ++i)
        put_role(w, id(user, "s%d-a%d", school + 1, i + 1), school, POSTS[i], true,
                 i == STAFF - 1 ? LAST_DAY_OF_EXTERNALS : "");
    for (int k = 0; k < w->size.classes; ++k)
        put_role(w, teacher_id(school, k, user), school, "teacher", true, "");
    for (int u = 0; u < subject_teachers_of(w); ++u)
        put_role(w, subject_teacher_id(school, u, user), school, "teacher", true, "");
}

static void write_parent_roles(const struct world *w, struct family f)
{
    char user[ID_BYTES];
    int class;
    bool child_in_next = f.school + 1 < w->size.schools && is_of_other_school(w, f.school + 1, f.head);
    for (int next = 0; next <= child_in_next; ++next) {
        bool first = next == 0;
        put_role(w, mother_id(w, f, user), f.school + next, "parent", first && !mother_teaches(w, f, &class), "");
        if (has_father(w, f))
            put_role(w, father_id(f, user), f.school + next, "parent", first, "");
    }
}

static void write_roles(const struct world *w)
{
    char user[ID_BYTES];
    for (int s = 0; s < w->size.schools; ++s) {
        write_staff_roles(w, s);
        for (int p = 0; p < pupils_of(w); ++p) {
            put_role(w, pupil_id(s, p, user), s, "student", true, "");
            if (heads_family(w, s, p))
                write_parent_roles(w, (struct family){s, p});
        }
    }
}

static void put_enrollment(const struct world *w, const char *class, int school, const char *user, bool teacher)
{
    char row[2 * ID_BYTES + 8], org[ID_BYTES];
    snprintf(row, sizeof row, "e-%s-%s", class, user);
    put_row(w, TABLE_ENROLLMENTS, ENROLLMENT_ID, row, ENROLLMENT_CLASS, class, ENROLLMENT_SCHOOL,
            school_id(school, org), ENROLLMENT_USER, user, ENROLLMENT_ROLE, teacher ? "teacher" : "student",
            ENROLLMENT_PRIMARY, teacher ? "true" : "false", -1);
    ++w->counts->enrollments;
}

static void write_class_enrollments(const struct world *w, int school, int class)
{
    char class_[ID_BYTES], user[ID_BYTES];
    for (int group = 0; group <= w->size.subjects; ++group) {
        int teacher = class / GROUPS_A_TEACHER * w->size.subjects + group - 1;
        if (group == 0)
            put_enrollment(w, class_id(school, class, class_), school, teacher_id(school, class, user), true);
        else
            put_enrollment(w, group_id(school, class, group - 1, class_), school,
                           subject_teacher_id(school, teacher, user), true);
        for (int i = 0; i < w->size.pupils; ++i)
            put_enrollment(w, class_, school, pupil_id(school, class * w->size.pupils + i, user), false);
    }
}

static void write_enrollments(const struct world *w)
{
    for (int s = 0; s < w->size.schools; ++s)
        for (int k = 0; k < w->size.classes; ++k)
            write_class_enrollments(w, s, k);
}

static void write_demographics(const struct world *w)
{
    char user[ID_BYTES], birth[ID_BYTES], name[ID_BYTES];
    for (int s = 0; s < w->size.schools; ++s)
        for (int p = 0; p < pupils_of(w); ++p) {
            int grade, day = (int)draw(w, DRAW_BIRTH, s, p, 12 * 28);
            class_name(w, p / w->size.pupils, &grade, name);
            put_row(w, TABLE_DEMOGRAPHICS, DEMO_ID, pupil_id(s, p, user), DEMO_BIRTH,
                    id(birth, "%d-%02d-%02d", YEAR - 6 - grade, 1 + day / 28, 1 + day % 28), DEMO_SEX,
                    pupil_names(w, s, p).woman ? "female" : "male", -1);
        }
}

/* --- The archive --- */

static void (*const WRITERS[TABLE__COUNT])(const struct world *) = {
    [TABLE_SESSIONS] = write_sessions,
    [TABLE_ORGS] = write_orgs,
    [TABLE_COURSES] = write_courses,
    [TABLE_CLASSES] = write_classes,
    [TABLE_USERS] = write_users,
    [TABLE_ROLES] = write_roles,
    [TABLE_ENROLLMENTS] = write_enrollments,
    [TABLE_DEMOGRAPHICS] = write_demographics,
};

static bool is_written(const char *file)
{
    for (int i = 0; i < TABLE__COUNT; ++i)
        if (strcmp(ROSTER_TABLES[i].name, file) == 0)
            return true;
    return false;
}

static void write_manifest(const struct world *w)
{
    fputs("propertyName,value\r\nmanifest.version,1.0\r\noneroster.version,1.2\r\n", w->out);
    for (int i = 0; ONEROSTER_FILES[i] != NULL; ++i)
        fprintf(w->out, "file.%s,%s\r\n", ONEROSTER_FILES[i], is_written(ONEROSTER_FILES[i]) ? "bulk" : "absent");
    fputs("source.systemName,Parta sample\r\nsource.systemCode,parta-sample\r\n", w->out);
}

/* Gives the temporary file to the archive, which reads it when it is closed. The time in it is fixed, so that the same
 * sample has the same bytes. */
static bool add_file(zip_t *zip, const char *name, FILE *file)
{
    zip_source_t *source = NULL;
    if (fflush(file) == 0 && !ferror(file) && fseek(file, 0, SEEK_SET) == 0)
        source = zip_source_filep(zip, file, 0, -1);
    if (source == NULL) {
        fclose(file);
        return false;
    }
    zip_int64_t index = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8);
    if (index >= 0)
        return zip_file_set_mtime(zip, (zip_uint64_t)index, 1788220800, 0) == 0;
    zip_source_free(source);
    return false;
}

static bool write_file(struct world *w, zip_t *zip, int table)
{
    char name[64];
    w->out = tmpfile();
    if (w->out == NULL)
        return false;
    snprintf(name, sizeof name, "%s.csv", table < 0 ? "manifest" : ROSTER_TABLES[table].name);
    if (table < 0) {
        write_manifest(w);
    } else {
        put_header(w, (enum roster_table)table);
        WRITERS[table](w);
    }
    return add_file(zip, name, w->out);
}

bool sample_write(const char *path, uint64_t seed, const struct sample_size *size, struct sample_counts *counts)
{
    struct sample_counts ignored;
    struct world w = {.seed = seed, .size = *size, .counts = counts != NULL ? counts : &ignored};
    int code = 0;
    *w.counts = (struct sample_counts){0};
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    bool done = zip != NULL;
    for (int table = -1; table < TABLE__COUNT && done; ++table)
        done = write_file(&w, zip, table);
    if (done && zip_close(zip) == 0)
        return true;
    log_error("roster", "%s cannot be written: %s", path, zip != NULL ? zip_strerror(zip) : "cannot be created");
    if (zip != NULL)
        zip_discard(zip);
    return false;
}

static bool within(int n, int low, int high)
{
    return n >= low && n <= high;
}

bool sample_size_from(const char *text, struct sample_size *out)
{
    static const struct {
        const char *name;
        struct sample_size size;
    } SIZES[] = {{"small", {2, 3, 8, 2}}, {"medium", {2, 22, 25, 2}}, {"large", {40, 33, 30, 0}}};
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; ++i)
        if (strcmp(text, SIZES[i].name) == 0) {
            *out = SIZES[i].size;
            return true;
        }
    /* Written back and compared, so that nothing but these numbers is accepted. */
    char again[64];
    *out = (struct sample_size){.subjects = 2};
    int n = sscanf(text, "%4dx%4dx%4dx%4d", &out->schools, &out->classes, &out->pupils, &out->subjects);
    snprintf(again, sizeof again, n == 4 ? "%dx%dx%dx%d" : "%dx%dx%d", out->schools, out->classes, out->pupils,
             out->subjects);
    return n >= 3 && strcmp(text, again) == 0 && within(out->schools, 1, 1000) && within(out->classes, 1, 600) &&
           within(out->pupils, 2, 60) && within(out->subjects, 0, 8);
}
