#include "homeserver/store/school/pages.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/casefold.h"
#include "homeserver/base/text.h"

#define CURRENT(alias, n) alias ".begin_date <= $" #n " AND " alias ".end_date >= $" #n
#define NOT_PAST(alias, n) alias ".end_date >= $" #n

/* The school of column is one that viewer $n is in on day $m; 0: all are. */
#define SEES(column, n, m)                                                                                             \
    "($" #n " = 0 OR " column " IN (SELECT v.school_no FROM roles v WHERE v.user_no = $" #n " AND " CURRENT("v", m) "))"

#define SCHOOL "SELECT s.school_no, s.sourced_id, s.name, s.ended, s.source, s.version FROM schools s WHERE "
#define CLASS                                                                                                          \
    "SELECT c.class_no, c.sourced_id, c.school_no, c.kind, c.grade, c.title, c.ended, s.sourced_id, c.source,"         \
    " c.version FROM classes c JOIN schools s ON s.school_no = c.school_no WHERE "
#define PERSON                                                                                                         \
    "SELECT p.user_no, p.sourced_id, p.given_name, p.family_name, p.middle_name, p.birth_date, p.enabled, p.ended,"    \
    " u.localpart, u.state, p.source, p.version FROM people p JOIN users u ON u.user_no = p.user_no WHERE "
#define ENROLLMENT                                                                                                     \
    "SELECT n.user_no, c.school_no, u.localpart, c.sourced_id, n.role, n.begin_date, n.end_date, n.source"             \
    " FROM enrollments n JOIN classes c ON c.class_no = n.class_no JOIN users u ON u.user_no = n.user_no WHERE "
#define ROOM                                                                                                           \
    "SELECT r.room_no, r.room_id, coalesce(rr.kind, r.kind),"                                                          \
    " (SELECT e.content FROM room_state t JOIN events e ON e.pos = t.pos WHERE t.room_no = r.room_no"                  \
    " AND t.type = 'm.room.name' AND t.state_key = ''),"                                                               \
    " CASE WHEN o.kind = 'person' THEN o.localpart END, c.sourced_id, r.joined FROM rooms r"                           \
    " LEFT JOIN roster_rooms rr ON rr.room_no = r.room_no LEFT JOIN archived_rooms a ON a.room_no = r.room_no"         \
    " LEFT JOIN users o ON o.user_no = coalesce(r.owner, r.creator)"                                                   \
    " LEFT JOIN classes c ON c.class_no = coalesce(rr.class_no, a.class_no) WHERE "

/* In people's lists: $1, $2 the viewer and the day, $3 after, $4 school, $5 class, $6 role, $7 standing. */
#define STANDING_7 "($7 = '' OR u.state = $7)"
#define HAS_ROLE                                                                                                       \
    "EXISTS (SELECT 1 FROM roles r WHERE r.user_no = p.user_no AND ($4 = 0 OR r.school_no = $4)"                       \
    " AND ($6 = '' OR r.role = $6) AND " NOT_PAST("r", 2) " AND " SEES("r.school_no", 1, 2) ")"

enum {
    IS_IN,
    KNOWS,
    SHARED,
    ROOM_KNOWN,
    SCHOOLS,
    SCHOOL_GET,
    CLASSES,
    CLASS_GET,
    PEOPLE_OF_CLASS,
    PEOPLE_OF_SCHOOL,
    PEOPLE,
    PERSON_GET,
    ROLES,
    ENROLLMENTS_OF,
    ENROLLMENTS_IN,
    GUARDIANSHIPS,
    ROOMS,
    ROOM_GET,
    ROOM_SCHOOLS,
    MEMBERS,
    IMPORTS,
    N
};
static const char *const TEXTS[N] = {
    [IS_IN] = "SELECT 1 FROM roles r WHERE r.user_no = $1 AND r.school_no = $2 AND " CURRENT("r", 3) " LIMIT 1",
    [KNOWS] = "SELECT 1 FROM roles v JOIN roles r ON r.school_no = v.school_no WHERE v.user_no = $1 AND r.user_no = $2"
              " AND " CURRENT("v", 3) " AND " NOT_PAST("r", 3) " LIMIT 1",
    [SHARED] = "SELECT MIN(r.school_no) FROM roles r WHERE r.user_no = $3 AND " CURRENT("r", 2) " AND " SEES(
        "r.school_no", 1, 2),
    [ROOM_KNOWN] =
        "SELECT 1 FROM memberships m WHERE m.room_no = $2 AND m.user_no = $1 AND m.membership = 'join'"
        " UNION ALL SELECT 1 FROM room_schools s WHERE s.room_no = $2 AND " SEES("s.school_no", 1, 3) " LIMIT 1",

    [SCHOOLS] = SCHOOL "s.school_no > $3 AND " SEES("s.school_no", 1, 2) " ORDER BY s.school_no LIMIT $4",
    [SCHOOL_GET] = SCHOOL "s.school_no = $1",
    [CLASSES] = CLASS
    "c.class_no > $3 AND ($5 = 0 OR c.school_no = $5) AND " SEES("c.school_no", 1, 2) " ORDER BY c.class_no LIMIT $4",
    [CLASS_GET] = CLASS "c.class_no = $1",

    /* One text for each way to find them first: a class, a school, everybody. */
    [PEOPLE_OF_CLASS] =
        PERSON "p.user_no IN (SELECT n.user_no FROM enrollments n WHERE n.class_no = $5"
               " AND n.user_no > $3 AND " NOT_PAST("n", 2) ") AND " STANDING_7 " AND " HAS_ROLE " ORDER BY p.user_no",
    [PEOPLE_OF_SCHOOL] = PERSON "p.user_no IN (SELECT r.user_no FROM roles r WHERE r.school_no = $4"
                                " AND r.user_no > $3 AND ($6 = '' OR r.role = $6) AND " NOT_PAST("r", 2) " AND " SEES(
                                    "r.school_no", 1, 2) ") AND " STANDING_7 " AND $5 = 0 ORDER BY p.user_no",
    [PEOPLE] = PERSON "p.user_no > $3 AND $5 = 0 AND " STANDING_7 " AND (($1 = 0 AND $6 = '') OR " HAS_ROLE
                      ") ORDER BY p.user_no",
    [PERSON_GET] = PERSON "p.user_no = $1",

    [ROLES] = "SELECT r.school_no, s.sourced_id, r.role, r.begin_date, r.end_date, r.source FROM roles r"
              " JOIN schools s ON s.school_no = r.school_no WHERE r.user_no = $3 AND " SEES(
                  "r.school_no", 1, 2) " ORDER BY r.school_no, r.role, r.begin_date",
    [ENROLLMENTS_OF] =
        ENROLLMENT "n.user_no = $3 AND " SEES("c.school_no", 1, 2) " ORDER BY n.class_no, n.role, n.begin_date",
    [ENROLLMENTS_IN] = ENROLLMENT
    "n.class_no = $1 AND n.user_no IN (SELECT DISTINCT x.user_no FROM enrollments x WHERE x.class_no = $1"
    " AND x.user_no > $2 ORDER BY x.user_no LIMIT $3) ORDER BY n.user_no, n.role, n.begin_date",
    [GUARDIANSHIPS] =
        "SELECT g.child, c.localpart, p.localpart, g.source, g.since_ms FROM guardianships g"
        " JOIN users c ON c.user_no = g.child JOIN users p ON p.user_no = g.guardian WHERE ($3 = 0 OR g.child = $3"
        " OR g.guardian = $3) AND g.child IN (SELECT DISTINCT x.child FROM guardianships x"
        " JOIN roles r ON r.user_no = x.child WHERE x.child > $5 AND ($3 = 0 OR x.child = $3 OR x.guardian = $3)"
        " AND ($4 = 0 OR r.school_no = $4) AND " NOT_PAST("r", 2) " AND " SEES("r.school_no", 1,
                                                                               2) " ORDER BY x.child LIMIT $6)"
                                                                                  " ORDER BY g.child, g.guardian",

    /* People's direct chats and documents are theirs: the office does not list them. */
    [ROOMS] =
        ROOM "r.room_no IN (SELECT s.room_no FROM room_schools s WHERE s.room_no > $3"
             " AND ($5 = 0 OR s.school_no = $5) AND " SEES(
                 "s.school_no", 1, 2) ")"
                                      " AND coalesce(rr.kind, r.kind) NOT IN ('direct', 'documents')"
                                      " AND ($6 = '' OR coalesce(rr.kind, r.kind) = $6) ORDER BY r.room_no LIMIT $4",
    [ROOM_GET] = ROOM "r.room_no = $1",
    [ROOM_SCHOOLS] = "SELECT s.school_no, s.sourced_id FROM room_schools x JOIN schools s ON s.school_no = x.school_no"
                     " WHERE x.room_no = $3 AND " SEES("x.school_no", 1, 2) " ORDER BY s.school_no",
    [MEMBERS] =
        "SELECT u.user_no, u.localpart, coalesce(m.membership, 'leave'), h.user_no, h.power, n.user_no FROM users u"
        " LEFT JOIN memberships m ON m.user_no = u.user_no AND m.room_no = $1"
        " LEFT JOIN roster_members h ON h.user_no = u.user_no AND h.room_no = $1"
        " LEFT JOIN named_members n ON n.user_no = u.user_no AND n.room_no = $1"
        " WHERE u.kind = 'person' AND u.user_no > $2 AND u.user_no IN (SELECT y.user_no FROM memberships y"
        " WHERE y.room_no = $1 AND y.membership IN ('join', 'invite', 'knock')"
        " UNION SELECT z.user_no FROM named_members z WHERE z.room_no = $1) ORDER BY u.user_no LIMIT $3",
    [IMPORTS] = ("SELECT import_no, source, mode, author, changes, started_ms, ended_ms FROM imports"
                 " WHERE import_no > $1 ORDER BY import_no LIMIT $2"),
};
static const struct statements PAGES = {"pages", TEXTS, N};

struct viewer pages_viewer(user_no user)
{
    struct viewer viewer = {.user = user};
    day_text(day_of_ms(clock_wall_ms()), viewer.day);
    return viewer;
}

/* --- What somebody knows of --- */

bool pages_is_in(struct db *db, user_no user, school_no school)
{
    struct viewer v = pages_viewer(user);
    return db_int(db, &PAGES, IS_IN, 0, "iit", user, school, v.day) != 0;
}

bool pages_knows(struct db *db, user_no who, user_no user)
{
    struct viewer v = pages_viewer(who);
    return db_int(db, &PAGES, KNOWS, 0, "iit", who, user, v.day) != 0;
}

school_no pages_shared_school(struct db *db, user_no who, user_no user)
{
    struct viewer v = pages_viewer(who);
    return db_int(db, &PAGES, SHARED, 0, "iti", v.user, v.day, user);
}

bool pages_room_known(struct db *db, user_no who, room_no room)
{
    struct viewer v = pages_viewer(who);
    return db_int(db, &PAGES, ROOM_KNOWN, 0, "iit", who, room, v.day) != 0;
}

/* --- Schools, classes --- */

struct stmt *pages_schools(struct db *db, const struct viewer *viewer, int64_t after, int limit)
{
    return db_query(db, &PAGES, SCHOOLS, "itii", viewer->user, viewer->day, after, (int64_t)limit);
}

struct stmt *pages_school(struct db *db, school_no school)
{
    return db_query(db, &PAGES, SCHOOL_GET, "i", school);
}

bool pages_schools_next(struct stmt *q, struct school_page_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct school_page_row){.school = {.no = col_int(q, 0),
                                               .sourced_id = col_text(q, 1),
                                               .name = col_text(q, 2),
                                               .ended = col_int(q, 3) != 0},
                                    .source = col_text(q, 4),
                                    .version = col_int(q, 5)};
    return true;
}

struct stmt *pages_classes(struct db *db, const struct viewer *viewer, school_no school, int64_t after, int limit)
{
    return db_query(db, &PAGES, CLASSES, "itiii", viewer->user, viewer->day, after, (int64_t)limit, school);
}

struct stmt *pages_class(struct db *db, class_no class)
{
    return db_query(db, &PAGES, CLASS_GET, "i", class);
}

bool pages_classes_next(struct stmt *q, struct class_page_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct class_page_row){.class = {.no = col_int(q, 0),
                                             .sourced_id = col_text(q, 1),
                                             .school = col_int(q, 2),
                                             .homeroom = strcmp(col_text(q, 3), "homeroom") == 0,
                                             .grade = col_text(q, 4),
                                             .title = col_text(q, 5),
                                             .ended = col_int(q, 6) != 0},
                                   .school_id = col_text(q, 7),
                                   .source = col_text(q, 8),
                                   .version = col_int(q, 9)};
    return true;
}

/* --- People --- */

struct people_page {
    struct stmt *q;
    char *prefix; /* folded; NULL: any */
    size_t prefix_len;
};

static bool person_next(struct stmt *q, struct person_page_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct person_page_row){.person = {.no = col_int(q, 0),
                                               .sourced_id = col_text(q, 1),
                                               .given = col_text(q, 2),
                                               .family = col_text(q, 3),
                                               .middle = col_text(q, 4),
                                               .enabled = col_int(q, 6) != 0,
                                               .ended = col_int(q, 7) != 0},
                                    .birth_date = col_null(q, 5) ? "" : col_text(q, 5),
                                    .localpart = col_text(q, 8),
                                    .standing = col_text(q, 9),
                                    .source = col_text(q, 10),
                                    .version = col_int(q, 11)};
    return true;
}

struct people_page *pages_people(struct db *db, const struct people_filter *f)
{
    struct people_page *people = xcalloc(1, sizeof *people);
    if (f->name != NULL && *f->name != '\0') {
        people->prefix = casefold(f->name);
        people->prefix_len = strlen(people->prefix);
    }
    int which = f->class != 0 ? PEOPLE_OF_CLASS : f->school != 0 ? PEOPLE_OF_SCHOOL : PEOPLE;
    people->q = db_query(db, &PAGES, which, "itiiitt", f->viewer->user, f->viewer->day, f->after, f->school, f->class,
                         f->role != NULL ? f->role : "", f->standing != NULL ? f->standing : "");
    return people;
}

static bool begins(const struct people_page *people, const char *name)
{
    char *folded = casefold(name);
    bool so = strncmp(folded, people->prefix, people->prefix_len) == 0;
    free(folded);
    return so;
}

bool pages_people_next(struct people_page *people, struct person_page_row *row)
{
    while (person_next(people->q, row))
        if (people->prefix == NULL || begins(people, row->person.family) || begins(people, row->person.given))
            return true;
    return false;
}

void pages_people_end(struct people_page *people)
{
    stmt_end(people->q);
    free(people->prefix);
    free(people);
}

bool pages_person(struct db *db, user_no user, struct stmt **q, struct person_page_row *row)
{
    *q = db_query(db, &PAGES, PERSON_GET, "i", user);
    return person_next(*q, row);
}

/* --- What binds them --- */

struct stmt *pages_roles(struct db *db, const struct viewer *viewer, user_no user)
{
    return db_query(db, &PAGES, ROLES, "iti", viewer->user, viewer->day, user);
}

bool pages_roles_next(struct stmt *q, struct role_page_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct role_page_row){col_int(q, 0),  col_text(q, 1), col_text(q, 2),
                                  col_text(q, 3), col_text(q, 4), col_text(q, 5)};
    return true;
}

struct stmt *pages_enrollments_of(struct db *db, const struct viewer *viewer, user_no user)
{
    return db_query(db, &PAGES, ENROLLMENTS_OF, "iti", viewer->user, viewer->day, user);
}

struct stmt *pages_enrollments_in(struct db *db, class_no class, user_no after, int limit)
{
    return db_query(db, &PAGES, ENROLLMENTS_IN, "iii", class, after, (int64_t)limit);
}

bool pages_enrollments_next(struct stmt *q, struct enrollment_page_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct enrollment_page_row){col_int(q, 0),  col_int(q, 1),  col_text(q, 2), col_text(q, 3),
                                        col_text(q, 4), col_text(q, 5), col_text(q, 6), col_text(q, 7)};
    return true;
}

struct stmt *pages_guardianships(struct db *db, const struct viewer *viewer, user_no user, school_no school,
                                 user_no after, int limit)
{
    return db_query(db, &PAGES, GUARDIANSHIPS, "itiiii", viewer->user, viewer->day, user, school, after,
                    (int64_t)limit);
}

bool pages_guardianships_next(struct stmt *q, struct guardianship_page_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct guardianship_page_row){col_int(q, 0), col_text(q, 1), col_text(q, 2), col_text(q, 3), col_int(q, 4)};
    return true;
}

/* --- Rooms --- */

struct stmt *pages_rooms(struct db *db, const struct viewer *viewer, school_no school, const char *kind, room_no after,
                         int limit)
{
    return db_query(db, &PAGES, ROOMS, "itiiit", viewer->user, viewer->day, after, (int64_t)limit, school, kind);
}

struct stmt *pages_room(struct db *db, room_no room)
{
    return db_query(db, &PAGES, ROOM_GET, "i", room);
}

bool pages_rooms_next(struct stmt *q, struct room_page_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct room_page_row){.no = col_int(q, 0),
                                  .room_id = col_text(q, 1),
                                  .kind = col_text(q, 2),
                                  .name = col_text(q, 3),
                                  .owner = col_text(q, 4),
                                  .class_id = col_text(q, 5),
                                  .joined = (int)col_int(q, 6)};
    return true;
}

struct stmt *pages_room_schools(struct db *db, const struct viewer *viewer, room_no room)
{
    return db_query(db, &PAGES, ROOM_SCHOOLS, "iti", viewer->user, viewer->day, room);
}

struct stmt *pages_members(struct db *db, room_no room, user_no after, int limit)
{
    return db_query(db, &PAGES, MEMBERS, "iii", room, after, (int64_t)limit);
}

bool pages_members_next(struct stmt *q, struct member_page_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct member_page_row){.user = col_int(q, 0),
                                    .localpart = col_text(q, 1),
                                    .membership = col_text(q, 2),
                                    .held = !col_null(q, 3),
                                    .power = (int)col_int(q, 4),
                                    .named = !col_null(q, 5)};
    return true;
}

/* --- Imports --- */

struct stmt *pages_imports(struct db *db, int64_t after, int limit)
{
    return db_query(db, &PAGES, IMPORTS, "ii", after, (int64_t)limit);
}

bool pages_imports_next(struct stmt *q, struct import_page_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct import_page_row){.no = col_int(q, 0),
                                    .source = col_text(q, 1),
                                    .mode = col_text(q, 2),
                                    .author = col_text(q, 3),
                                    .changes = col_text(q, 4),
                                    .started_ms = col_int(q, 5),
                                    .ended_ms = col_int(q, 6)};
    return true;
}
