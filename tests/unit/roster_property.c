/* The property of the whole school layer: whatever happens to the records, in whatever order, joined = roster.
 *
 * Random schools, each kept by one of two rosters, and random steps: imports with random differences, single changes by
 * hand on everybody's records, rooms that people make, upgrades of roster rooms, restarts, a database that fails at the
 * n-th call, kill -9 in the middle. After each step everything is worked out again from the records, by other code than
 * the server's, and compared: E2 (who is joined), E3 (powers), E4 (nobody leaves), D5, D7 (account states), G2 (who is
 * gone is gone), A1 (nobody is in a room of a school that is not theirs), B2 (roles that follow are there, and no
 * others), and what is shown: what people and rooms are called, and in which space a room stands.
 *
 * Seeds are printed; PARTA_SEED runs one alone, PARTA_SEEDS_MS gives the random part more time. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/days.h"
#include "homeserver/base/json.h"
#include "homeserver/store/matrix/memberships.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "policy/oneroster/import.h"
#include "policy/records/change.h"
#include "policy/records/people.h"
#include "policy/records/day_change.h"
#include "policy/records/reconcile.h"
#include "tests/unit/fixture.h"
#include "tests/unit/roster_archive.h"
#include "tests/unit/school_picture.h"

#define SERVER "school.example"

/* --- Chance --- */

struct chance {
    uint64_t state;
};

static uint64_t draw(struct chance *c)
{
    c->state ^= c->state << 13;
    c->state ^= c->state >> 7;
    c->state ^= c->state << 17;
    return c->state;
}

static int below(struct chance *c, int n)
{
    return n > 0 ? (int)((draw(c) >> 11) % (uint64_t)n) : 0;
}

static bool one_in(struct chance *c, int n)
{
    return below(c, n) == 0;
}

/* --- Two rosters as files --- */

#define ROSTERS 2
#define SCHOOLS 2 /* of a roster */
#define CLASSES 3 /* of a school: two homerooms and a subject group */
#define PUPILS 7  /* of a roster */
#define GUARDIANS 5
#define TEACHERS 4
#define OTHERS 3 /* head, deputy, external */
#define PEOPLE (PUPILS + GUARDIANS + TEACHERS + OTHERS)

enum { PERIOD_EVER, PERIOD_NOW, PERIOD_PAST, PERIOD_FUTURE, PERIODS };
static const char *const PERIOD[PERIODS] = {",", "2020-01-01,2190-01-01", "2020-01-01,2021-01-01", "2190-01-01,"};

struct file {
    bool there[PEOPLE], enabled[PEOPLE], class_there[SCHOOLS][CLASSES];
    int name[PEOPLE], born[PEOPLE];     /* years; 0: not known */
    int school[PEOPLE], second[PEOPLE]; /* of its role; second −1: none */
    int class[PUPILS], class_period[PUPILS], group[PUPILS], role_period[PEOPLE];
    int guardian[PUPILS][2];       /* −1: none */
    int teacher[SCHOOLS][CLASSES]; /* of the class; −1: none */
    int title[SCHOOLS][CLASSES];
};

static bool is_pupil(int i)
{
    return i < PUPILS;
}

static bool is_guardian(int i)
{
    return i >= PUPILS && i < PUPILS + GUARDIANS;
}

static void file_person(struct file *f, struct chance *c, int i)
{
    f->there[i] = !one_in(c, 6);
    f->enabled[i] = !one_in(c, 9);
    f->name[i] = below(c, 3);
    f->born[i] = is_pupil(i) ? (int[]){0, 2018, 2015, 2000}[below(c, 4)] : 1980;
    f->school[i] = below(c, SCHOOLS);
    f->second[i] = one_in(c, 4) ? 1 - f->school[i] : -1;
    f->role_period[i] = one_in(c, 4) ? below(c, PERIODS) : PERIOD_EVER;
    if (!is_pupil(i))
        return;
    f->class[i] = one_in(c, 6) ? -1 : below(c, 2);
    f->class_period[i] = one_in(c, 4) ? below(c, PERIODS) : PERIOD_EVER;
    f->group[i] = one_in(c, 2);
    for (int g = 0; g < 2; ++g)
        f->guardian[i][g] = one_in(c, 3) ? -1 : PUPILS + below(c, GUARDIANS);
    if (f->guardian[i][0] == f->guardian[i][1])
        f->guardian[i][1] = -1;
}

static void file_class(struct file *f, struct chance *c, int s, int k)
{
    f->class_there[s][k] = !one_in(c, 8);
    f->title[s][k] = below(c, 3);
    f->teacher[s][k] = one_in(c, 5) ? -1 : PUPILS + GUARDIANS + below(c, TEACHERS);
}

static void file_make(struct file *f, struct chance *c)
{
    for (int i = 0; i < PEOPLE; ++i)
        file_person(f, c, i);
    for (int s = 0; s < SCHOOLS; ++s)
        for (int k = 0; k < CLASSES; ++k)
            file_class(f, c, s, k);
}

static void file_change(struct file *f, struct chance *c)
{
    for (int n = below(c, 4); n >= 0; --n)
        file_person(f, c, below(c, PEOPLE));
    if (one_in(c, 3))
        file_class(f, c, below(c, SCHOOLS), below(c, CLASSES));
}

static bool teaches(const struct file *f, int i, int s, int k)
{
    return f->class_there[s][k] && f->teacher[s][k] == i && f->there[i];
}

static bool has_guardian(const struct file *f, int i, int g)
{
    return f->guardian[i][g] >= 0 && f->there[f->guardian[i][g]];
}

static void add_people(const struct file *f, char tag, struct text *users, struct text *birth)
{
    static const char *const FAMILIES[] = {"Орлова", "Белова", "Чернова"};
    text_adds(users, USERS_HEAD);
    text_adds(birth, DEMOGRAPHICS_HEAD);
    for (int i = 0; i < PEOPLE; ++i) {
        if (!f->there[i])
            continue;
        text_addf(users, "%cp%d,%s,%cp%d,Имя,%s,Отчество,", tag, i, f->enabled[i] ? "true" : "false", tag, i,
                  FAMILIES[f->name[i]]);
        if (is_pupil(i)) {
            text_addc(users, '"');
            for (int g = 0, n = 0; g < 2; ++g)
                if (has_guardian(f, i, g))
                    text_addf(users, "%s%cp%d", n++ > 0 ? "," : "", tag, f->guardian[i][g]);
            text_addc(users, '"');
        }
        text_addc(users, '\n');
        if (f->born[i] != 0)
            text_addf(birth, "%cp%d,%d-03-04,female\n", tag, i, f->born[i]);
    }
}

static void add_roles(const struct file *f, char tag, struct text *roles)
{
    static const char *const WORDS[] = {"principal", "ext:deputyPrincipal", "ext:externalStaff"};
    text_adds(roles, ROLES_HEAD);
    for (int i = 0; i < PEOPLE; ++i)
        for (int n = 0; n < 2 && f->there[i]; ++n) {
            int s = n == 0 ? f->school[i] : f->second[i], other = i - PUPILS - GUARDIANS - TEACHERS;
            const char *word = is_pupil(i)      ? "student"
                               : is_guardian(i) ? "parent"
                               : other < 0      ? "teacher"
                                                : WORDS[other];
            const char *period =
                PERIOD[other == 2 && f->role_period[i] != PERIOD_PAST ? PERIOD_NOW : f->role_period[i]];
            if (s >= 0)
                text_addf(roles, "%cr%d-%d,%cp%d,%s,%s,%s,%cs%d\n", tag, i, n, tag, i, n == 0 ? "primary" : "secondary",
                          word, period, tag, s);
        }
}

static void add_classes(const struct file *f, char tag, struct text *orgs, struct text *courses, struct text *classes)
{
    text_adds(orgs, ORGS_HEAD);
    text_adds(courses, COURSES_HEAD);
    text_adds(classes, CLASSES_HEAD);
    for (int s = 0; s < SCHOOLS; ++s) {
        text_addf(orgs, "%cs%d,,,Школа %c%d,school,,\n", tag, s, tag, s);
        text_addf(courses, "%ck%d,y,Класс,%cs%d\n", tag, s, tag, s);
        for (int k = 0; k < CLASSES; ++k)
            if (f->class_there[s][k])
                text_addf(classes, "%cc%d-%d,Класс %d,5,%ck%d,%s,%cs%d,y\n", tag, s, k, f->title[s][k], tag, s,
                          k < 2 ? "homeroom" : "scheduled", tag, s);
    }
}

static void add_enrollments(const struct file *f, char tag, struct text *out)
{
    int n = 0;
    text_adds(out, ENROLLMENTS_HEAD);
    for (int i = 0; i < PUPILS; ++i) {
        int s = f->school[i];
        if (f->there[i] && f->class[i] >= 0 && f->class_there[s][f->class[i]])
            text_addf(out, "%ce%d,%cc%d-%d,%cs%d,%cp%d,student,,%s\n", tag, n++, tag, s, f->class[i], tag, s, tag, i,
                      PERIOD[f->class_period[i]]);
        if (f->there[i] && f->group[i] && f->class_there[s][2])
            text_addf(out, "%ce%d,%cc%d-2,%cs%d,%cp%d,student,,,\n", tag, n++, tag, s, tag, s, tag, i);
    }
    for (int s = 0; s < SCHOOLS; ++s)
        for (int k = 0; k < CLASSES; ++k)
            for (int i = 0; i < PEOPLE; ++i)
                if (teaches(f, i, s, k))
                    text_addf(out, "%ce%d,%cc%d-%d,%cs%d,%cp%d,teacher,%s,,\n", tag, n++, tag, s, k, tag, s, tag, i,
                              k < 2 ? "true" : "false");
}

static struct roster *file_read(const struct file *f, char tag)
{
    struct text texts[7] = {TEXT_INIT};
    struct roster_problem problem;
    char says[512];
    size_t len;
    add_classes(f, tag, &texts[0], &texts[1], &texts[2]);
    add_people(f, tag, &texts[3], &texts[4]);
    add_roles(f, tag, &texts[5]);
    add_enrollments(f, tag, &texts[6]);
    const struct archive_file files[] = {WHOLE[0],
                                         WHOLE[1],
                                         {"orgs.csv", texts[0].data},
                                         {"courses.csv", texts[1].data},
                                         {"classes.csv", texts[2].data},
                                         {"users.csv", texts[3].data},
                                         {"demographics.csv", texts[4].data},
                                         {"roles.csv", texts[5].data},
                                         {"enrollments.csv", texts[6].data}};
    char *bytes = archive_of(files, sizeof files / sizeof *files, &len);
    struct roster *roster = roster_read_bytes(bytes, len, &problem);
    if (roster == NULL)
        fail_msg("%s", roster_problem_text(&problem, says, sizeof says));
    free(bytes);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i)
        text_finish(&texts[i]);
    return roster;
}

/* --- The records, read again --- */

enum { USERS, ROOMS, MEMBERS, NAMED, PEOPLE_MORE, DEVICES, ALL_ROOMS, TAKEN_OF, ASK_COUNT };
static const struct statement TEXTS[] = {
    [USERS] = "SELECT user_no, state, kind, localpart FROM users ORDER BY user_no",
    [ROOMS] = "SELECT room_no, kind, school_no, class_no FROM roster_rooms",
    [MEMBERS] = "SELECT room_no, user_no, membership FROM memberships WHERE membership IN ('join', 'invite', 'knock')",
    [NAMED] = "SELECT room_no, user_no FROM named_members",
    [PEOPLE_MORE] = "SELECT user_no, closed FROM people",
    [DEVICES] = "SELECT COUNT(*) FROM devices WHERE user_no = $1",
    [ALL_ROOMS] = "SELECT room_no, kind IN ('club', 'direct') FROM rooms ORDER BY room_no DESC",
    [TAKEN_OF] = "SELECT user_no FROM taken_members WHERE room_no = $1",
};
static const struct statements ASK = {"roster_property_test", TEXTS, ASK_COUNT};

#define MOST 4000 /* rows of a table; the test would fail, not overflow */

struct known_person {
    bool account, person, service, enabled, ended, closed;
    char state[12], localpart[32];
    school_day birth;
};

struct world {
    int n_users, n_roles, n_enrollments, n_guardianships, n_rooms, n_members, n_named, n_classes;
    struct known_person users[MOST]; /* by user_no */
    struct role_row roles[MOST];
    bool derived[MOST]; /* of the roles */
    struct enrollment_row enrollments[MOST];
    struct guardianship_row guardianships[MOST];
    struct roster_room_row rooms[MOST];
    struct {
        room_no room;
        user_no user;
        bool joined;
    } members[4 * MOST];
    struct {
        room_no room;
        user_no user;
    } named[MOST];
    struct class_row classes[MOST];
    school_day today;
};

static int next(int *n, int most)
{
    if (*n >= most)
        fail_msg("too many rows");
    return (*n)++;
}

static void read_people(struct fixture *f, struct world *w)
{
    struct person_row person;
    struct stmt *q = db_query(f->db, &ASK, USERS, "");
    while (stmt_next(q)) {
        int64_t no = col_int(q, 0);
        assert_true(no < MOST);
        struct known_person *p = &w->users[no];
        w->n_users = (int)no + 1;
        p->account = true;
        snprintf(p->state, sizeof p->state, "%s", col_text(q, 1));
        p->service = strcmp(col_text(q, 2), "service") == 0;
        snprintf(p->localpart, sizeof p->localpart, "%s", col_text(q, 3));
    }
    stmt_end(q);
    q = people_all(f->db);
    while (people_next(q, &person)) {
        struct known_person *p = &w->users[person.no];
        p->person = true;
        p->enabled = person.enabled;
        p->ended = person.ended;
        p->birth = person.birth;
    }
    stmt_end(q);
    q = db_query(f->db, &ASK, PEOPLE_MORE, "");
    while (stmt_next(q))
        w->users[col_int(q, 0)].closed = col_int(q, 1) != 0;
    stmt_end(q);
}

static void read_facts(struct fixture *f, struct world *w)
{
    struct role_row role;
    struct enrollment_row enrollment;
    struct guardianship_row guardianship;
    struct class_row class;
    struct stmt *q = roles_all(f->db);
    while (roles_next(q, &role)) {
        w->derived[w->n_roles] = strcmp(role.source, SOURCE_DERIVED) == 0;
        w->roles[next(&w->n_roles, MOST)] = role;
    }
    stmt_end(q);
    q = enrollments_all(f->db);
    while (enrollments_next(q, &enrollment))
        w->enrollments[next(&w->n_enrollments, MOST)] = enrollment;
    stmt_end(q);
    q = guardianships_all(f->db);
    while (guardianships_next(q, &guardianship))
        w->guardianships[next(&w->n_guardianships, MOST)] = guardianship;
    stmt_end(q);
    q = classes_all(f->db);
    while (classes_next(q, &class))
        w->classes[next(&w->n_classes, MOST)] = class;
    stmt_end(q);
}

static void read_rooms(struct fixture *f, struct world *w)
{
    struct stmt *q = db_query(f->db, &ASK, ROOMS, "");
    while (stmt_next(q)) {
        struct roster_room_row *room = &w->rooms[next(&w->n_rooms, MOST)];
        *room = (struct roster_room_row){.room = col_int(q, 0), .school = col_int(q, 2), .class = col_int(q, 3)};
        assert_true(room_kind_from(col_text(q, 1), &room->kind));
    }
    stmt_end(q);
    q = db_query(f->db, &ASK, MEMBERS, "");
    while (stmt_next(q)) {
        int i = next(&w->n_members, 4 * MOST);
        w->members[i].room = col_int(q, 0);
        w->members[i].user = col_int(q, 1);
        w->members[i].joined = strcmp(col_text(q, 2), "join") == 0;
    }
    stmt_end(q);
    q = db_query(f->db, &ASK, NAMED, "");
    while (stmt_next(q)) {
        int i = next(&w->n_named, MOST);
        w->named[i].room = col_int(q, 0);
        w->named[i].user = col_int(q, 1);
    }
    stmt_end(q);
}

static struct world *world_read(struct fixture *f)
{
    struct world *w = calloc(1, sizeof *w);
    w->today = day_of_ms(clock_wall_ms());
    db_begin_read(f->db);
    read_people(f, w);
    read_facts(f, w);
    read_rooms(f, w);
    db_end_read(f->db);
    return w;
}

/* --- What should be, from the records alone --- */

static bool is_now(const struct world *w, school_day begin, school_day end)
{
    return begin <= w->today && end >= w->today;
}

static unsigned roles_at(const struct world *w, user_no user, school_no school)
{
    unsigned roles = 0;
    for (int i = 0; i < w->n_roles; ++i)
        if (w->roles[i].user == user && (school == 0 || w->roles[i].school == school) &&
            is_now(w, w->roles[i].begin, w->roles[i].end))
            roles |= w->roles[i].role;
    return roles;
}

static unsigned enrolled_as(const struct world *w, user_no user, class_no class)
{
    unsigned roles = 0;
    for (int i = 0; i < w->n_enrollments; ++i)
        if (w->enrollments[i].user == user && w->enrollments[i].class == class &&
            is_now(w, w->enrollments[i].begin, w->enrollments[i].end))
            roles |= w->enrollments[i].role;
    return roles;
}

static bool has_child_in(const struct world *w, user_no user, class_no class)
{
    for (int i = 0; i < w->n_guardianships; ++i)
        if (w->guardianships[i].guardian == user &&
            (enrolled_as(w, w->guardianships[i].child, class) & ROLE_PUPIL) != 0)
            return true;
    return false;
}

static bool is_named(const struct world *w, user_no user, room_no room)
{
    for (int i = 0; i < w->n_named; ++i)
        if (w->named[i].room == room && w->named[i].user == user)
            return true;
    return false;
}

/* −1: does not belong there; otherwise the power by post. school.md E1, E3, E7. */
static int belongs(const struct world *w, const struct roster_room_row *room, user_no user)
{
    const struct known_person *p = &w->users[user];
    unsigned roles = roles_at(w, user, room->school), in = room->class != 0 ? enrolled_as(w, user, room->class) : 0;
    unsigned held = in & roles; /* an enrollment counts while the role does */
    bool parent = room->class != 0 && (roles & ROLE_GUARDIAN) != 0 && has_child_in(w, user, room->class);
    int power = -1;
    if (!p->person || !p->enabled || p->ended || strcmp(p->state, "pending") == 0 || strcmp(p->state, "left") == 0)
        return -1;
    switch (room->kind) {
    case ROOM_SCHOOL_SPACE: power = (roles & ~(unsigned)ROLE_EXTERNAL) != 0 ? 0 : -1; break;
    case ROOM_ANNOUNCEMENTS:
        power = (roles & ROLES_LEADING) != 0 ? 50 : (roles & ~(unsigned)ROLE_EXTERNAL) != 0 ? 0 : -1;
        break;
    case ROOM_STAFF: power = (roles & (ROLE_HEAD | ROLE_DEPUTY)) != 0 ? 75 : (roles & ROLES_STAFF) != 0 ? 0 : -1; break;
    case ROOM_CLASS: power = (held & ROLE_CLASS_TEACHER) != 0 ? 50 : (held & ROLE_PUPIL) != 0 ? 0 : -1; break;
    case ROOM_CLASS_SPACE: power = (held & (ROLE_CLASS_TEACHER | ROLE_PUPIL)) != 0 || parent ? 0 : -1; break;
    case ROOM_GUARDIANS: power = (held & ROLE_CLASS_TEACHER) != 0 ? 50 : parent ? 0 : -1; break;
    case ROOM_SUBJECT: power = roles == 0 || in == 0 ? -1 : (in & ~(unsigned)ROLE_PUPIL) != 0 ? 50 : 0; break;
    default: fail_msg("a %s is no roster room", room_kind_name(room->kind));
    }
    return power < 0 && (roles & ROLE_EXTERNAL) != 0 && is_named(w, user, room->room) ? 0 : power;
}

static bool joined(const struct world *w, room_no room, user_no user, bool *in_doubt)
{
    for (int i = 0; i < w->n_members; ++i)
        if (w->members[i].room == room && w->members[i].user == user) {
            *in_doubt = !w->members[i].joined;
            return w->members[i].joined;
        }
    return false;
}

/* --- The properties --- */

static void check_room(struct fixture *f, const struct world *w, const struct roster_room_row *room)
{
    json_t *levels = fixture_content(f, room->room, "m.room.power_levels", ""), *level;
    json_t *users = json_get_object(levels, "users");
    size_t n_powerful = 0, n_service = 0;
    const char *id;
    for (user_no user = 1; user < w->n_users; ++user) {
        const struct known_person *p = &w->users[user];
        bool doubt = false, in = joined(w, room->room, user, &doubt);
        int power = p->service ? 0 : belongs(w, room, user);
        char whole[64];
        if (doubt || in != (power >= 0 || p->service))
            fail_msg("E2: user %lld (%s) is%s in the %s %lld of school %lld", (long long)user, p->state,
                     in ? "" : " not", room_kind_name(room->kind), (long long)room->room, (long long)room->school);
        snprintf(whole, sizeof whole, "@%s:" SERVER, p->localpart);
        json_t *has = json_object_get(users, whole);
        n_powerful += has != NULL;
        n_service += p->service && has != NULL;
        if (!p->service && json_integer_value(has) != (power > 0 ? power : 0))
            fail_msg("E3: user %lld has %lld in the %s, and should have %d", (long long)user,
                     (long long)json_integer_value(has), room_kind_name(room->kind), power);
    }
    json_object_foreach(users, id, level)
        if (json_integer_value(level) > 75)
            assert_string_equal(id, "@" SERVICE_LOCALPART ":" SERVER);
    assert_int_equal(json_object_size(users), n_powerful); /* and nobody else */
    assert_int_equal(json_get_int(levels, "users_default", 0), 0);
    assert_true(n_service <= 1);
    json_decref(levels);
}

/* A1: in any other room too, everybody is of one of its schools. */
static void check_others(struct fixture *f, const struct world *w)
{
    for (int i = 0; i < w->n_members; ++i) {
        struct room_school of;
        struct person_facts facts;
        user_no user = w->members[i].user;
        if (w->users[user].service || !school_of_room(f->db, w->members[i].room, &of))
            continue;
        school_person_facts(f->db, w->members[i].room, user, &facts);
        if (!facts.member || roles_at(w, user, of.school) == 0)
            fail_msg("A1: user %lld is in the %s %lld", (long long)user, room_kind_name(of.kind),
                     (long long)w->members[i].room);
    }
}

static bool has_role_to_come(const struct world *w, user_no user)
{
    for (int i = 0; i < w->n_roles; ++i)
        if (w->roles[i].user == user && w->roles[i].end >= w->today)
            return true;
    return false;
}

static int n_guardians(const struct world *w, user_no child, bool there)
{
    int n = 0;
    for (int i = 0; i < w->n_guardianships; ++i) {
        const struct known_person *g = &w->users[w->guardianships[i].guardian];
        n += w->guardianships[i].child == child && (!there || (!g->ended && strcmp(g->state, "left") != 0));
    }
    return n;
}

/* D7 by the default policy: fourteen years to the day. */
static bool should_be_restricted(const struct world *w, user_no user)
{
    school_day birth = w->users[user].birth;
    bool child = birth == DAY_EVER ? SCHOOL_POLICY_DEFAULT.unknown_age_is_child
                                   : birth + SCHOOL_POLICY_DEFAULT.consent_age * 10000 > w->today;
    return (roles_at(w, user, 0) & ROLE_PUPIL) != 0 && child && n_guardians(w, user, true) == 0;
}

static void check_person(struct fixture *f, const struct world *w, user_no user)
{
    const struct known_person *p = &w->users[user];
    bool left = strcmp(p->state, "left") == 0, restricted = strcmp(p->state, "restricted") == 0;
    if (n_guardians(w, user, false) > 2)
        fail_msg("D5: user %lld has %d guardians", (long long)user, n_guardians(w, user, false));
    if ((p->closed || p->ended) && !left)
        fail_msg("G2: user %lld is %s", (long long)user, p->state);
    if (p->closed && !p->ended && has_role_to_come(w, user))
        fail_msg("G2: user %lld has a school and is closed", (long long)user);
    for (int i = 0; left && i < w->n_members; ++i)
        if (w->members[i].user == user)
            fail_msg("G2: user %lld has left, and is in room %lld", (long long)user, (long long)w->members[i].room);
    if (left && db_int(f->db, &ASK, DEVICES, 0, "i", user) != 0)
        fail_msg("G2: user %lld has left, and is signed in", (long long)user);
    if (!p->ended && (strcmp(p->state, "active") == 0 || restricted) && restricted != should_be_restricted(w, user))
        fail_msg("D7: user %lld is %s", (long long)user, p->state);
}

static school_no school_of(const struct world *w, class_no class)
{
    for (int i = 0; i < w->n_classes; ++i)
        if (w->classes[i].no == class)
            return w->classes[i].school;
    return 0;
}

static bool stands_in_for(const struct world *w, const struct role_row *role)
{
    for (int i = 0; i < w->n_enrollments; ++i) {
        const struct enrollment_row *n = &w->enrollments[i];
        bool as = n->role == role->role || (n->role == ROLE_CLASS_TEACHER && role->role == ROLE_TEACHER);
        if (n->user == role->user && as && school_of(w, n->class) == role->school)
            return true;
    }
    for (int i = 0; role->role == ROLE_GUARDIAN && i < w->n_guardianships; ++i)
        for (int k = 0; k < w->n_roles; ++k)
            if (w->guardianships[i].guardian == role->user && w->roles[k].user == w->guardianships[i].child &&
                w->roles[k].role == ROLE_PUPIL && w->roles[k].school == role->school)
                return true;
    return false;
}

static bool has_role(const struct world *w, user_no user, school_no school, enum school_role role)
{
    for (int i = 0; i < w->n_roles; ++i)
        if (w->roles[i].user == user && w->roles[i].school == school && w->roles[i].role == role)
            return true;
    return false;
}

/* B2: what follows is there; what follows from nothing any more is not. */
static void check_roles(const struct world *w)
{
    for (int i = 0; i < w->n_roles; ++i)
        if (w->derived[i] && !stands_in_for(w, &w->roles[i]))
            fail_msg("user %lld is %s of school %lld by nothing", (long long)w->roles[i].user,
                     school_role_name(w->roles[i].role), (long long)w->roles[i].school);
    for (int i = 0; i < w->n_enrollments; ++i) {
        const struct enrollment_row *n = &w->enrollments[i];
        school_no school = school_of(w, n->class);
        if (!has_role(w, n->user, school, n->role) && !has_role(w, n->user, school, ROLE_EXTERNAL))
            fail_msg("user %lld is enrolled as %s, and no such", (long long)n->user, school_role_name(n->role));
    }
    for (int i = 0; i < w->n_guardianships; ++i)
        for (int k = 0; k < w->n_roles; ++k)
            if (w->roles[k].user == w->guardianships[i].child && w->roles[k].role == ROLE_PUPIL &&
                !has_role(w, w->guardianships[i].guardian, w->roles[k].school, ROLE_GUARDIAN))
                fail_msg("user %lld is no guardian", (long long)w->guardianships[i].guardian);
}

/* --- What is shown --- */

static void assert_content(struct fixture *f, room_no room, const char *type, const char *state_key, const char *key,
                           const char *want)
{
    json_t *content = fixture_content(f, room, type, state_key);
    const char *has = json_get_string(content, key);
    if (has == NULL || strcmp(has, want) != 0)
        fail_msg("%s %s of room %lld is %s, and should be %s", type, key, (long long)room, has != NULL ? has : "none",
                 want);
    json_decref(content);
}

/* B3: an adult is called with the patronymic, a pupil not. In the profile, and in every room. */
static void check_name(struct fixture *f, const struct world *w, const struct person_row *person)
{
    char want[1024], id[64], *has = profiles_get_string(f->db, person->no, "displayname");
    bool adult = false;
    for (int i = 0; i < w->n_roles; ++i)
        adult = adult || (w->roles[i].user == person->no && w->roles[i].role != ROLE_PUPIL);
    snprintf(want, sizeof want, "%s %s%s%s", person->family, person->given, adult ? " " : "",
             adult ? person->middle : "");
    if (has == NULL || strcmp(has, want) != 0)
        fail_msg("user %lld is called %s, and should be %s", (long long)person->no, has != NULL ? has : "nothing",
                 want);
    free(has);
    snprintf(id, sizeof id, "@%s:" SERVER, w->users[person->no].localpart);
    for (int i = 0; i < w->n_members; ++i)
        if (w->members[i].user == person->no && w->members[i].joined)
            assert_content(f, w->members[i].room, "m.room.member", id, "displayname", want);
}

static void check_names(struct fixture *f, const struct world *w)
{
    struct person_row people[200], row;
    int n = 0;
    struct stmt *q = people_all(f->db);
    while (n < 200 && people_next(q, &row))
        if (!row.ended)
            people_get(f->db, row.no, &people[n++]);
    stmt_end(q);
    for (int i = 0; i < n; ++i) {
        check_name(f, w, &people[i]);
        person_row_finish(&people[i]);
    }
}

/* E1: called after the school or the class, and standing in its space. */
static void check_place(struct fixture *f, const struct world *w, const struct roster_room_row *room)
{
    static const struct {
        const char *name;
        enum room_kind in;
    } SHOWN[ROOM_KIND__COUNT] = {
        [ROOM_SCHOOL_SPACE] = {"%s", ROOM_FREE},
        [ROOM_ANNOUNCEMENTS] = {"Объявления. %s", ROOM_SCHOOL_SPACE},
        [ROOM_STAFF] = {"Учительская. %s", ROOM_FREE},
        [ROOM_CLASS_SPACE] = {"Класс %s", ROOM_SCHOOL_SPACE},
        [ROOM_SUBJECT] = {"%s", ROOM_FREE},
        [ROOM_CLASS] = {"%s", ROOM_CLASS_SPACE},
        [ROOM_GUARDIANS] = {"%s: родители", ROOM_CLASS_SPACE},
    };
    struct school_row school;
    struct class_row class;
    char want[1024];
    const char *pattern = SHOWN[room->kind].name, *gap = strstr(pattern, "%s");
    schools_get(f->db, room->school, &school);
    classes_get(f->db, room->class, &class);
    snprintf(want, sizeof want, "%.*s%s%s", (int)(gap - pattern), pattern, room->class != 0 ? class.title : school.name,
             gap + 2);
    if (!school.ended && !class.ended) /* what has ended keeps the name that it had */
        assert_content(f, room->room, "m.room.name", "", "name", want);
    for (int i = 0; SHOWN[room->kind].in != ROOM_FREE && i < w->n_rooms; ++i) {
        const struct roster_room_row *space = &w->rooms[i];
        bool its = space->kind == SHOWN[room->kind].in && space->school == room->school &&
                   (space->kind == ROOM_SCHOOL_SPACE || space->class == room->class);
        char *id = its ? rooms_id_of(f->db, room->room) : NULL;
        json_t *child = its ? fixture_content(f, space->room, "m.space.child", id) : NULL;
        if (its && json_get_array(child, "via") == NULL)
            fail_msg("the %s %lld stands in no space", room_kind_name(room->kind), (long long)room->room);
        json_decref(child);
        free(id);
    }
    school_row_finish(&school);
    class_row_finish(&class);
}

static void check(struct fixture *f)
{
    struct world *w = world_read(f);
    for (int i = 0; i < w->n_rooms; ++i) {
        check_room(f, w, &w->rooms[i]);
        check_place(f, w, &w->rooms[i]);
    }
    check_names(f, w);
    check_others(f, w);
    for (user_no user = 1; user < w->n_users; ++user)
        if (w->users[user].person)
            check_person(f, w, user);
    check_roles(w);
    free(w);
}

/* --- Steps --- */

static const struct actor OPERATOR = {.name = "operator:test", .scopes = SCOPE_ALL},
                          INSISTING = {.name = "operator:test", .scopes = SCOPE_ALL, .override_ = "property"};

struct run {
    struct fixture f;
    struct chance chance;
    struct file files[ROSTERS];
    char what[64]; /* the step, for the message */
};

static user_no any_person(struct run *r)
{
    user_no people[MOST];
    int n = 0;
    struct person_row row;
    struct stmt *q = people_all(r->f.db);
    while (n < MOST && people_next(q, &row))
        people[n++] = row.no;
    stmt_end(q);
    return n > 0 ? people[below(&r->chance, n)] : 0;
}

static class_no any_class(struct run *r)
{
    struct class_row row;
    int n = 0, pick;
    struct stmt *q = classes_all(r->f.db);
    while (classes_next(q, &row))
        ++n;
    stmt_end(q);
    pick = below(&r->chance, n);
    q = classes_all(r->f.db);
    class_no class = 0;
    for (int i = 0; classes_next(q, &row); ++i)
        class = i == pick ? row.no : class;
    stmt_end(q);
    return class;
}

static school_no any_school(struct run *r)
{
    return 1 + below(&r->chance, ROSTERS * SCHOOLS + 1);
}

static room_no any_room(struct run *r)
{
    struct world *w = world_read(&r->f);
    room_no room = w->n_rooms > 0 ? w->rooms[below(&r->chance, w->n_rooms)].room : 0;
    free(w);
    return room;
}

/* One change by hand, drawn before its job: the same draw must do the same when it is tried again. */
struct hand {
    struct run *r;
    int what;
    user_no user, other;
    class_no class;
    school_no school;
    room_no room;
    int role, period;
    bool insisting, yes;
};

enum {
    HAND_PERSON,
    HAND_CHANGE,
    HAND_ROLE,
    HAND_ROLE_END,
    HAND_ENROLL,
    HAND_ENROLL_END,
    HAND_GUARDIAN,
    HAND_GUARDIAN_END,
    HAND_CLASS,
    HAND_CLASS_END,
    HAND_LEAVE,
    HAND_ACCOUNT_STATE,
    HAND_NAMED,
    HAND_DAY,
    HAND__COUNT
};

static bool end_any_role(struct changing_records *c, const struct hand *h)
{
    struct role_row row, found = {0};
    struct stmt *q = roles_of_person(c->tx->db, h->user);
    while (roles_next(q, &row))
        if (strcmp(row.source, SOURCE_DERIVED) != 0)
            found = row;
    stmt_end(q);
    found.source = NULL;
    return found.user != 0 && change_role_end(c, &found);
}

static bool end_any_enrollment(struct changing_records *c, const struct hand *h)
{
    struct enrollment_row row, found = {0};
    struct stmt *q = enrollments_of_person(c->tx->db, h->user);
    while (enrollments_next(q, &row))
        found = row;
    stmt_end(q);
    found.source = NULL;
    return found.user != 0 && change_enrollment_end(c, &found);
}

static bool end_any_guardianship(struct changing_records *c, const struct hand *h)
{
    struct guardianship_row row, found = {0};
    struct stmt *q = guardianships_of_person(c->tx->db, h->user);
    while (guardianships_next(q, &row))
        found = row;
    stmt_end(q);
    return found.child != 0 && change_guardianship_end(c, found.child, found.guardian);
}

static bool job_hand(struct tx *tx, void *arg, struct error *e)
{
    static const enum school_role ROLES[] = {ROLE_TEACHER, ROLE_STAFF, ROLE_DEPUTY, ROLE_EXTERNAL},
                                  ENROLLED[] = {ROLE_PUPIL, ROLE_PUPIL, ROLE_TEACHER, ROLE_CLASS_TEACHER};
    static const school_day BEGIN[] = {DAY_EVER, 20200101, 20200101, 21900101},
                            END[] = {DAY_NEVER, 21900101, 20210101, 22000101}, BORN[] = {DAY_EVER, 20180101, 20000101};
    const struct hand *h = arg;
    struct changing_records c = {tx, h->r->f.rooms, h->insisting ? &INSISTING : &OPERATOR, e};
    struct person_row person = {.no = h->what == HAND_CHANGE ? h->user : 0,
                                .given = "Имя",
                                .family = h->yes ? "Новая" : "Старая",
                                .middle = "Отчество",
                                .birth = BORN[h->role % 3],
                                .enabled = h->period != 0};
    struct role_row role = {h->user, h->school, ROLES[h->role], BEGIN[h->period], END[h->period]};
    struct enrollment_row enrollment = {h->class, h->user, ENROLLED[h->role], BEGIN[h->period], END[h->period]};
    struct class_row class = {.no = h->yes ? 0 : h->class,
                              .title = h->insisting ? "Кружок" : "Класс",
                              .grade = "7",
                              .school = h->school,
                              .homeroom = h->role != 0};
    switch (h->what) {
    case HAND_PERSON:
    case HAND_CHANGE: return change_person(&c, &person, h->school, 0) != 0;
    case HAND_ROLE: return change_role(&c, &role);
    case HAND_ROLE_END: return end_any_role(&c, h);
    case HAND_ENROLL: return change_enrollment(&c, &enrollment);
    case HAND_ENROLL_END: return end_any_enrollment(&c, h);
    case HAND_GUARDIAN: return change_guardianship(&c, h->user, h->other);
    case HAND_GUARDIAN_END: return end_any_guardianship(&c, h);
    case HAND_CLASS: return change_class(&c, &class, 0) != 0;
    case HAND_CLASS_END: return change_class_end(&c, h->class);
    case HAND_LEAVE: return change_leave_school(&c, h->user, h->school);
    case HAND_ACCOUNT_STATE:
        return change_account_state(
            &c, h->user, (enum account_state[]){ACCOUNT_ACTIVE, ACCOUNT_SUSPENDED, ACCOUNT_LOCKED}[h->role % 3]);
    case HAND_NAMED: return change_named_member(&c, h->room, h->user, h->yes);
    default: return day_change(tx, c.rooms, NULL, NULL, e);
    }
}

static struct hand hand_draw(struct run *r)
{
    static const unsigned char OFTEN[] = {HAND_PERSON,   HAND_PERSON,   HAND_ROLE,    HAND_ROLE,
                                          HAND_ENROLL,   HAND_ENROLL,   HAND_ENROLL,  HAND_ENROLL,
                                          HAND_GUARDIAN, HAND_GUARDIAN, HAND_GUARDIAN};
    int what = below(&r->chance, HAND__COUNT + (int)sizeof OFTEN);
    return (struct hand){
        .r = r,
        .what = what < HAND__COUNT ? what : OFTEN[what - HAND__COUNT],
        .user = any_person(r),
        .other = any_person(r),
        .class = any_class(r),
        .school = any_school(r),
        .room = any_room(r),
        .role = below(&r->chance, 4),
        .period = one_in(&r->chance, 3) ? below(&r->chance, 4) : 1,
        .insisting = !one_in(&r->chance, 4),
        .yes = one_in(&r->chance, 2),
    };
}

static void step_hand(struct run *r)
{
    struct error e = {0};
    struct hand hand = hand_draw(r);
    bool done = writer_run(r->f.writer, job_hand, &hand, &e);
    snprintf(r->what, sizeof r->what, "hand %d %s", hand.what, done ? "done" : "refused");
    if (!done && e.code == ERROR_UNKNOWN)
        fail_msg("hand %d: %s %s", hand.what, error_sentence(&e), e.value);
    if (!done && e.code == ERROR_FORBIDDEN && e.rule != NULL && strchr("AE", e.rule[0]) != NULL)
        fail_msg("hand %d: its consequences were refused by %s: %s", hand.what, e.rule, error_sentence(&e));
}

static bool import_one(struct run *r, int n, struct error *e)
{
    static const char *const SOURCES[ROSTERS] = {SOURCE_ROSTER, "diary"};
    struct roster_changes changes;
    struct roster *roster = file_read(&r->files[n], (char)('a' + n));
    struct roster_import how = {
        .writer = r->f.writer, .rooms = r->f.rooms, .db = r->f.db, .roster = roster, .source = SOURCES[n]};
    struct import_loss loss = {0};
    how.loss = &loss;
    bool done = roster_import(&how, &changes, e);
    if (!done && e->code == ERROR_HELD) { /* G5: much is lost; the list that was shown is confirmed */
        how.confirmed = loss.version;
        import_loss_finish(&loss);
        done = roster_import(&how, &changes, e);
    }
    import_loss_finish(&loss);
    roster_destroy(roster);
    return done;
}

static void step_import(struct run *r)
{
    int n = below(&r->chance, ROSTERS);
    struct error e;
    file_change(&r->files[n], &r->chance);
    if (!import_one(r, n, &e))
        fail_msg("import %d: %s %s", n, error_sentence(&e), e.value);
    snprintf(r->what, sizeof r->what, "import %d", n);
}

/* E5 and A1: rooms of people's own, with whoever is let in. */
static void step_room(struct run *r)
{
    struct error e;
    user_no maker = any_person(r);
    room_no room = fixture_room(&r->f, maker, "12", PRESET_PUBLIC_CHAT, &e);
    for (int i = 0; room != 0 && i < 3; ++i) {
        user_no user = any_person(r);
        if (fixture_member(&r->f, room, ACT_INVITE, maker, user, &e) && one_in(&r->chance, 2))
            fixture_member(&r->f, room, ACT_JOIN, user, user, &e);
    }
    snprintf(r->what, sizeof r->what, "room %lld", (long long)room);
}

static void step_upgrade(struct run *r)
{
    static const char *const VERSIONS[] = {"10", "11", "12"};
    struct error e;
    room_no room = any_room(r);
    user_no service = users_no(r->f.db, SERVICE_LOCALPART);
    const char *version = VERSIONS[below(&r->chance, 3)];
    room_no new = room != 0 ? fixture_upgrade(&r->f, room, service, version, NULL, &e) : 0;
    snprintf(r->what, sizeof r->what, "upgrade of %lld to %s: %lld", (long long)room, version, (long long)new);
}

/* E4 */
static void step_leave(struct run *r)
{
    struct error e;
    struct world *w = world_read(&r->f);
    const struct roster_room_row *room = w->n_rooms > 0 ? &w->rooms[below(&r->chance, w->n_rooms)] : NULL;
    for (user_no user = 1; room != NULL && user < w->n_users; ++user)
        if (belongs(w, room, user) >= 0 && fixture_member(&r->f, room->room, ACT_LEAVE, user, user, &e))
            fail_msg("E4: user %lld has left the %s", (long long)user, room_kind_name(room->kind));
    free(w);
    strcpy(r->what, "leave");
}

static void step_restart(struct run *r)
{
    fixture_restart(&r->f);
    strcpy(r->what, "restart");
}

/* The n-th call to the database fails: refused whole, and works when it is tried again. */
static void step_fault(struct run *r)
{
    struct error e;
    struct hand hand = hand_draw(r);
    int n = 1 + below(&r->chance, 300);
    bool import = one_in(&r->chance, 2);
    db_fail_after(writer_db_for_tests(r->f.writer), n);
    if (import)
        import_one(r, below(&r->chance, ROSTERS), &e);
    else
        writer_run(r->f.writer, job_hand, &hand, &e);
    db_fail_after(writer_db_for_tests(r->f.writer), 0);
    snprintf(r->what, sizeof r->what, "fault at %d in %s %d", n, import ? "import" : "hand", hand.what);
}

static void live_until_killed(struct run *r)
{
    struct error e;
    fixture_open(&r->f);
    for (;;) {
        if (one_in(&r->chance, 3)) {
            int n = below(&r->chance, ROSTERS);
            file_change(&r->files[n], &r->chance);
            import_one(r, n, &e);
        } else {
            struct hand hand = hand_draw(r);
            writer_run(r->f.writer, job_hand, &hand, &e);
        }
    }
}

/* kill -9 at any moment. The parent's file is older than what the child imported, which makes
 * the next import larger. */
static void step_kill(struct run *r)
{
    int us = 1000 + below(&r->chance, 30000);
    fixture_close(&r->f);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(30); /* should the parent die */
        live_until_killed(r);
    }
    usleep((useconds_t)us);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    fixture_open(&r->f);
    snprintf(r->what, sizeof r->what, "kill after %d us", us);
}

static void step_any(struct run *r)
{
    static void (*const STEPS[])(struct run * r) = {
        step_hand, step_hand,   step_hand, step_hand,    step_hand,  step_hand,    step_hand,  step_hand,
        step_hand, step_import, step_room, step_upgrade, step_leave, step_restart, step_fault, step_kill,
    };
    STEPS[below(&r->chance, sizeof STEPS / sizeof *STEPS)](r);
}

static struct run *current; /* for the message when a check fails */

static void run_seed(uint64_t seed, int steps)
{
    struct run *r = calloc(1, sizeof *r);
    struct error e;
    r->chance.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    current = r;
    fixture_start_school(&r->f);
    for (int n = 0; n < ROSTERS; ++n) {
        file_make(&r->files[n], &r->chance);
        assert_true(import_one(r, n, &e));
    }
    check(&r->f);
    for (int i = 0; i < steps; ++i) {
        step_any(r);
        if (getenv("PARTA_SEED") != NULL)
            print_message("%d: %s\n", i, r->what);
        check(&r->f);
    }
    fixture_stop(&r->f);
    free(r);
}

/* --- There and back (G5): what a wrong roster took comes back whole with the right one --- */

/* External staff apart: a room of theirs may belong to a school that does not name them for it. */
static user_no any_insider(struct run *r)
{
    user_no user = any_person(r);
    for (int n = 0; n < 20 && (people_roles(r->f.db, user) & ROLE_EXTERNAL) != 0; ++n)
        user = any_person(r);
    return user;
}

/* Direct chats, private clubs with powers and pending invites, public ones. */
static void make_rooms(struct run *r)
{
    for (int n = 0; n < 14; ++n) {
        struct error e;
        user_no maker = any_insider(r);
        bool direct = one_in(&r->chance, 2);
        struct room_plan plan = {.creator = maker,
                                 .version = room_version_get((const char *[]){"9", "11", "12"}[below(&r->chance, 3)]),
                                 .preset = direct                  ? PRESET_TRUSTED_PRIVATE_CHAT
                                           : one_in(&r->chance, 3) ? PRESET_PUBLIC_CHAT
                                                                   : PRESET_PRIVATE_CHAT,
                                 .name = direct ? NULL : "Кружок",
                                 .is_direct = direct};
        room_no room = fixture_create(&r->f, &plan, &e);
        for (int i = 0; room != 0 && i < (direct ? 1 : 5); ++i) {
            user_no user = any_insider(r);
            if (fixture_member(&r->f, room, ACT_INVITE, maker, user, &e) && !one_in(&r->chance, 4))
                fixture_member(&r->f, room, ACT_JOIN, user, user, &e);
        }
    }
}

/* A room that is upgraded while a wrong roster is in force. */
struct upgraded {
    room_no old, new; /* new 0: it was not */
    bool roster;
    size_t n_taken;
    user_no *taken; /* heap: whom the wrong roster took out of it */
};

#define UPGRADES_MAX 100

static size_t rooms_there(struct run *r, struct upgraded out[UPGRADES_MAX])
{
    size_t n = 0;
    struct stmt *q = db_query(r->f.db, &ASK, ALL_ROOMS, "");
    while (n < UPGRADES_MAX && stmt_next(q))
        out[n++] = (struct upgraded){.old = col_int(q, 0), .roster = col_int(q, 1) == 0};
    stmt_end(q);
    for (size_t i = 0; i < n; ++i) {
        q = db_query(r->f.db, &ASK, TAKEN_OF, "i", out[i].old);
        while (stmt_next(q)) {
            out[i].taken = xrealloc(out[i].taken, (out[i].n_taken + 1) * sizeof *out[i].taken);
            out[i].taken[out[i].n_taken++] = col_int(q, 0);
        }
        stmt_end(q);
    }
    return n;
}

/* Whoever is there and may; of a roster's rooms the server does. Some twice. */
static void upgrade_some(struct run *r, struct upgraded *rooms, size_t n)
{
    user_no service = users_no(r->f.db, SERVICE_LOCALPART);
    for (size_t i = 0; i < n; ++i) {
        struct error e;
        size_t joined;
        bool again = one_in(&r->chance, 3);
        if (!one_in(&r->chance, rooms[i].roster ? 8 : 2))
            continue;
        user_no *there = memberships_users(r->f.db, rooms[i].old, MEMBERSHIP_JOIN, &joined);
        for (size_t k = 0; k < joined && rooms[i].new == 0; ++k) {
            user_no actor = rooms[i].roster ? service : there[k];
            rooms[i].new = fixture_upgrade(&r->f, rooms[i].old, actor, "11", NULL, &e);
            room_no next = rooms[i].new != 0 && again ? fixture_upgrade(&r->f, rooms[i].new, actor, "11", NULL, &e) : 0;
            rooms[i].new = next != 0 ? next : rooms[i].new;
        }
        free(there);
    }
}

/* Without what is said of that room in lines that begin with one of these words. */
static void picture_without(struct picture *of, room_no room, const char *const words[], size_t n)
{
    struct text kept = TEXT_INIT;
    for (const char *at = of->lines.data, *end; at != NULL && (end = strchr(at, '\n')) != NULL; at = end + 1) {
        bool out = false;
        for (size_t i = 0; i < n; ++i) {
            char begin[64];
            snprintf(begin, sizeof begin, "%s %lld ", words[i], (long long)room);
            out |= strncmp(at, begin, strlen(begin)) == 0;
        }
        if (!out)
            text_add(&kept, at, (size_t)(end + 1 - at));
    }
    text_finish(&of->lines);
    of->lines = kept;
}

/* What an upgrade itself changes in the old room is no loss; a roster room hands its members over. */
static void leave_out_upgraded(struct picture *picture, const struct upgraded *rooms, size_t n)
{
    static const char *const OF_UPGRADE[] = {"state", "room", "held", "member"};
    for (size_t i = 0; i < n; ++i)
        if (rooms[i].new != 0)
            picture_without(picture, rooms[i].old, OF_UPGRADE, rooms[i].roster ? 4 : 1);
}

/* Who is back in a room of people's own is in what replaced it; counts them. */
static int check_returned(struct run *r, struct upgraded *rooms, size_t n)
{
    int back = 0;
    for (size_t i = 0; i < n; ++i) {
        for (size_t k = 0; k < rooms[i].n_taken && rooms[i].new != 0 && !rooms[i].roster; ++k) {
            enum membership old = memberships_of(r->f.db, rooms[i].old, rooms[i].taken[k]),
                            new = memberships_of(r->f.db, rooms[i].new, rooms[i].taken[k]);
            if (old != MEMBERSHIP_JOIN && old != MEMBERSHIP_INVITE)
                continue;
            if (old != new)
                fail_msg("user %lld is back in room %lld (%s), but in %lld, which replaced it: %s",
                         (long long)rooms[i].taken[k], (long long)rooms[i].old, membership_name(old),
                         (long long)rooms[i].new, membership_name(new));
            ++back;
        }
        free(rooms[i].taken);
    }
    return back;
}

static int returned_after_upgrade; /* of all seeds: the property has looked at some */

static void run_there_and_back(uint64_t seed)
{
    struct run *r = calloc(1, sizeof *r);
    struct error e;
    struct file wrong;
    r->chance.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    current = r;
    fixture_start_school(&r->f);
    for (int n = 0; n < ROSTERS; ++n) {
        file_make(&r->files[n], &r->chance);
        assert_true(import_one(r, n, &e));
    }
    for (int i = 0; i < 15; ++i)
        step_hand(r);
    make_rooms(r);
    for (int n = 0; n < ROSTERS; ++n) /* what was changed by hand against a roster is as the roster says */
        assert_true(import_one(r, n, &e));
    for (int turn = 0; turn < 3; ++turn) {
        struct upgraded rooms[UPGRADES_MAX];
        struct picture was = picture_of(&r->f, NULL);
        struct file right = r->files[0];
        if (turn == 0)
            memset(&wrong, 0, sizeof wrong); /* header lines alone */
        else
            file_make(&wrong, &r->chance);
        r->files[0] = wrong;
        snprintf(r->what, sizeof r->what, "turn %d: the wrong one", turn);
        assert_true(import_one(r, 0, &e));
        check(&r->f);
        size_t n_rooms = rooms_there(r, rooms);
        upgrade_some(r, rooms, n_rooms);
        r->files[0] = right;
        snprintf(r->what, sizeof r->what, "turn %d: the right one", turn);
        assert_true(import_one(r, 0, &e));
        check(&r->f);
        struct picture is = picture_of(&r->f, &was);
        leave_out_upgraded(&was, rooms, n_rooms);
        leave_out_upgraded(&is, rooms, n_rooms);
        returned_after_upgrade += check_returned(r, rooms, n_rooms);
        assert_same_picture(&was, &is);
        text_finish(&was.lines);
        text_finish(&is.lines);
    }
    fixture_stop(&r->f);
    free(r);
}

static const char *seed_given(void)
{
    return getenv("PARTA_SEED");
}

#define STEPS_A_SEED 60

static void test_fixed_seeds(void **state)
{
    static const uint64_t SEEDS[] = {1, 2, 3, 1795918247237 /* somebody of a school, in a room of none */};
    if (seed_given() != NULL)
        return run_seed(strtoull(seed_given(), NULL, 10), STEPS_A_SEED);
    for (size_t i = 0; i < sizeof SEEDS / sizeof *SEEDS; ++i) {
        print_message("# seed %llu\n", (unsigned long long)SEEDS[i]);
        run_seed(SEEDS[i], STEPS_A_SEED);
    }
}

static void test_random_seeds(void **state)
{
    const char *budget = getenv("PARTA_SEEDS_MS");
    int64_t until = clock_wall_ms() + (budget != NULL ? atoll(budget) : 3000);
    uint64_t seed = (uint64_t)clock_wall_ms();
    for (; seed_given() == NULL && clock_wall_ms() < until; ++seed) {
        print_message("# seed %llu\n", (unsigned long long)seed);
        run_seed(seed, STEPS_A_SEED);
    }
}

static void g5_there_and_back(void **state)
{
    const char *budget = getenv("PARTA_SEEDS_MS");
    int64_t until = clock_wall_ms() + (budget != NULL ? atoll(budget) : 3000);
    if (seed_given() != NULL)
        return run_there_and_back(strtoull(seed_given(), NULL, 10));
    for (uint64_t seed = 1; seed <= 3; ++seed)
        run_there_and_back(seed);
    run_there_and_back(1795918184976); /* as above */
    run_there_and_back(24);            /* four come back to rooms that were upgraded */
    assert_true(returned_after_upgrade > 0);
    for (uint64_t seed = (uint64_t)clock_wall_ms(); clock_wall_ms() < until; ++seed) {
        print_message("# seed %llu\n", (unsigned long long)seed);
        run_there_and_back(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fixed_seeds), cmocka_unit_test(test_random_seeds),
                                       cmocka_unit_test(g5_there_and_back)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0 && current != NULL)
        fprintf(stderr, "# the last step was: %s\n", current->what);
    return failed;
}
