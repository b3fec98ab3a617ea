#include "homeserver/store/school/roles.h"

#include "homeserver/store/school/sql_private.h"
#include "homeserver/store/school/viewer.h"

/* A row of other columns in this order, and NULL for the school, reads as a role too. */
#define ROLE_WITH(school)                                                                                              \
    "SELECT r.user_no, r.school_no, r.role, r.begin_date, r.end_date, r.source, " school " FROM roles r "
#define ROLE_ALONE ROLE_WITH("NULL, NULL")
#define ROLE_IN_SCHOOL ROLE_WITH("s.sourced_id, s.name") "JOIN schools s ON s.school_no = r.school_no "

/* Another source says the whole of it already; or the roster that keeps the record has told of the role itself, and its
 * dates are what it means. */
#define SAID(user, school, role, begin, end, source_)                                                                  \
    "EXISTS (SELECT 1 FROM roles s WHERE s.user_no = " user " AND s.school_no = " school " AND s.role = " role         \
    " AND s.source <> 'derived' AND ((s.begin_date <= " begin " AND s.end_date >= " end ")"                            \
    " OR (s.source = " source_ " AND s.source <> 'school')))"

/* The role of the enrollment itself (E7: never a teacher's for external staff), and a class teacher is a teacher. */
#define FOLLOWS(role, where)                                                                                           \
    "SELECT n.user_no, c.school_no, " role ", n.begin_date, n.end_date, 'derived', NULL, NULL FROM enrollments n"      \
    " JOIN classes c ON c.class_no = n.class_no WHERE c.ended = 0 AND " where                                          \
    " AND NOT " SAID("n.user_no", "c.school_no", role, "n.begin_date", "n.end_date", "n.source")
#define NO_EXTERNAL_TEACHER                                                                                            \
    "NOT (n.role = 'teacher' AND EXISTS (SELECT 1 FROM roles x WHERE x.user_no = n.user_no"                            \
    " AND x.school_no = c.school_no AND x.role = 'external'))"
#define IMPLIED_BY(of)                                                                                                 \
    FOLLOWS("n.role", NO_EXTERNAL_TEACHER)                                                                             \
    of("n.user_no") " UNION ALL " FOLLOWS("'teacher'", "n.role = 'class_teacher'") of("n.user_no")
#define IMPLIED_GUARDIANS_BY(of)                                                                                       \
    "SELECT g.guardian, r.school_no, 'guardian', r.begin_date, r.end_date, 'derived', NULL, NULL FROM guardianships g" \
    " JOIN roles r ON r.user_no = g.child WHERE r.role = 'pupil' AND " IN_FORCE("g") " AND NOT " SAID(                 \
        "g.guardian", "r.school_no", "'guardian'", "r.begin_date", "r.end_date", "g.source") of("g.guardian")
#define DERIVED_BY(which, of) ROLE_ALONE "WHERE r.source = 'derived' AND r.role " which " 'guardian'" of("r.user_no")

#define UNSUPPORTED(role, support)                                                                                     \
    "DELETE FROM roles WHERE user_no = $1 AND role = '" role "' AND NOT EXISTS (" support ")"
#define ENROLLED(role)                                                                                                 \
    "SELECT 1 FROM enrollments n JOIN classes c ON c.class_no = n.class_no WHERE n.user_no = roles.user_no"            \
    " AND c.school_no = roles.school_no AND c.ended = 0 AND n.role = '" role "'"

/* The homeroom that goes with a role: whose, as what, in which school. */
#define HOMEROOM(who, role, enrolled, also)                                                                            \
    "SELECT " who " AS user_no, '" role "' AS role, c.school_no, c.title FROM enrollments n"                           \
    " JOIN classes c ON c.class_no = n.class_no" also " WHERE c.kind = 'homeroom' AND n.role = '" enrolled             \
    "' AND " CURRENT("n", 2)
#define OF_PUPILS HOMEROOM("n.user_no", "pupil", "pupil", "")
#define OF_TEACHERS HOMEROOM("n.user_no", "teacher", "class_teacher", "")
#define OF_CLASS_TEACHERS HOMEROOM("n.user_no", "class_teacher", "class_teacher", "")
#define OF_GUARDIANS                                                                                                   \
    HOMEROOM("g.guardian", "guardian", "pupil", " JOIN guardianships g ON g.child = n.user_no AND " IN_FORCE("g"))
#define HOMEROOMS OF_PUPILS " UNION ALL " OF_TEACHERS " UNION ALL " OF_CLASS_TEACHERS " UNION ALL " OF_GUARDIANS

enum {
    ALL,
    OF_PERSON,
    NOW,
    NOW_OR_LATER,
    PAGE,
    FIRST_SCHOOL,
    SOURCE,
    IMPLIED,
    IMPLIED_OF,
    IMPLIED_GUARDIANS,
    IMPLIED_GUARDIANS_OF,
    DERIVED,
    DERIVED_OF,
    DERIVED_GUARDIANS,
    DERIVED_GUARDIANS_OF,
    HOLDERS,
    PUT,
    DELETE,
    DELETE_PUPIL,
    DELETE_CLASS_TEACHER,
    DELETE_GUARDIAN,
    N
};
static const struct statement TEXTS[N] = {
    [ALL] = ROLE_ALONE,
    [OF_PERSON] = ROLE_ALONE "WHERE r.user_no = $1",
    [NOW] = ROLE_ALONE "WHERE r.user_no = $1 AND " CURRENT("r", 2) " ORDER BY r.school_no, r.role",
    [NOW_OR_LATER] = ROLE_ALONE "WHERE r.user_no = $1 AND " NOT_PAST("r", 2),
    [PAGE] = ROLE_IN_SCHOOL
    "WHERE r.user_no = $3 AND " SEES("r.school_no", 1, 2) " ORDER BY r.school_no, r.role, r.begin_date",
    [FIRST_SCHOOL] = "SELECT MIN(school_no) FROM roles WHERE user_no = $1",
    [SOURCE] = "SELECT source FROM roles WHERE user_no = $1 AND school_no = $2 AND role = $3 AND begin_date = $4"
               " AND source <> 'derived' ORDER BY CASE source WHEN 'school' THEN 0 ELSE 1 END LIMIT 1",

    [IMPLIED] = IMPLIED_BY(EVERYBODY),
    [IMPLIED_OF] = IMPLIED_BY(ONE_FIRST),
    [IMPLIED_GUARDIANS] = IMPLIED_GUARDIANS_BY(EVERYBODY),
    [IMPLIED_GUARDIANS_OF] = IMPLIED_GUARDIANS_BY(ONE_FIRST),
    [DERIVED] = DERIVED_BY("<>", EVERYBODY),
    [DERIVED_OF] = DERIVED_BY("<>", ONE_FIRST),
    [DERIVED_GUARDIANS] = DERIVED_BY("=", EVERYBODY),
    [DERIVED_GUARDIANS_OF] = DERIVED_BY("=", ONE_FIRST),

    [HOLDERS] = "SELECT u.localpart, r.role, s.name, coalesce(h.title, ''), p.given_name, p.middle_name, p.family_name"
                " FROM roles r JOIN people p ON p.user_no = r.user_no JOIN users u ON u.user_no = r.user_no"
                " JOIN schools s ON s.school_no = r.school_no LEFT JOIN (" HOMEROOMS ") h"
                " ON h.user_no = r.user_no AND h.school_no = r.school_no AND h.role = r.role"
                " WHERE ($1 = '' OR r.role = $1) AND p.ended = 0 AND " CURRENT(
                    "r", 2) " ORDER BY s.school_no, 4, r.role, p.family_name, p.given_name, u.user_no",

    [PUT] = {"INSERT INTO roles (user_no, school_no, role, begin_date, end_date, source)"
             " VALUES ($1, $2, $3, $4, $5, $6)"
             " ON CONFLICT (user_no, school_no, role, begin_date, source) DO UPDATE SET end_date = excluded.end_date",
             EPOCH_PEOPLE, GUARDED},
    [DELETE] = {"DELETE FROM roles WHERE user_no = $1 AND school_no = $2 AND role = $3 AND begin_date = $4"
                " AND source = $5",
                EPOCH_PEOPLE, GUARDED},
    [DELETE_PUPIL] = {UNSUPPORTED("pupil", ENROLLED("pupil")), EPOCH_PEOPLE, GUARDED},
    [DELETE_CLASS_TEACHER] = {UNSUPPORTED("class_teacher", ENROLLED("class_teacher")), EPOCH_PEOPLE, GUARDED},
    [DELETE_GUARDIAN] = {UNSUPPORTED(
                             "guardian",
                             "SELECT 1 FROM guardianships g JOIN roles c ON c.user_no = g.child"
                             " WHERE g.guardian = roles.user_no AND c.school_no = roles.school_no AND c.role = 'pupil'"
                             " AND " IN_FORCE("g")),
                         EPOCH_PEOPLE, GUARDED},
};
STATEMENTS(ROLES, "roles", TEXTS);

bool roles_next(struct stmt *q, struct role_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct role_row){.user = col_int(q, 0),
                             .school = col_int(q, 1),
                             .role = col_role(q, 2),
                             .begin = col_day(q, 3),
                             .end = col_day(q, 4),
                             .source = col_text(q, 5),
                             .school_id = col_text(q, 6),
                             .school_name = col_text(q, 7)};
    return true;
}

struct stmt *roles_all(struct db *db)
{
    return db_query(db, &ROLES, ALL, "");
}

struct stmt *roles_of_person(struct db *db, user_no user)
{
    return db_query(db, &ROLES, OF_PERSON, "i", user);
}

struct stmt *roles_now(struct db *db, user_no user, char day[DAY_TEXT_BYTES])
{
    return db_query(db, &ROLES, NOW, "it", user, day_today(day));
}

struct stmt *roles_page(struct db *db, const struct viewer *viewer, user_no user)
{
    return db_query(db, &ROLES, PAGE, "iti", viewer->user, viewer->day, user);
}

unsigned roles_now_or_later(struct db *db, user_no user)
{
    char day[DAY_TEXT_BYTES];
    struct role_row row;
    unsigned roles = 0;
    struct stmt *q = db_query(db, &ROLES, NOW_OR_LATER, "it", user, day_today(day));
    while (roles_next(q, &row))
        roles |= row.role;
    stmt_end(q);
    return roles;
}

school_no roles_first_school(struct db *db, user_no user)
{
    return db_int(db, &ROLES, FIRST_SCHOOL, 0, "i", user);
}

bool roles_source(struct db *db, const struct role_row *row, char source[SOURCE_BYTES])
{
    char begin[DAY_TEXT_BYTES];
    return take_source(db_query(db, &ROLES, SOURCE, "iitt", row->user, row->school, school_role_name(row->role),
                                day_column(row->begin, begin)),
                       source);
}

struct stmt *roles_implied(struct db *db, bool guardians, user_no user)
{
    int which = guardians ? IMPLIED_GUARDIANS : IMPLIED;
    return user == 0 ? db_query(db, &ROLES, which, "") : db_query(db, &ROLES, which + 1, "i", user);
}

struct stmt *roles_derived(struct db *db, bool guardians, user_no user)
{
    int which = guardians ? DERIVED_GUARDIANS : DERIVED;
    return user == 0 ? db_query(db, &ROLES, which, "") : db_query(db, &ROLES, which + 1, "i", user);
}

struct stmt *roles_holders(struct db *db, enum school_role role, const char *day)
{
    return db_query(db, &ROLES, HOLDERS, "tt", role != 0 ? school_role_name(role) : "", day);
}

bool roles_holders_next(struct stmt *q, struct role_holder_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct role_holder_row){.localpart = col_text(q, 0),
                                    .role = col_role(q, 1),
                                    .school_name = col_text(q, 2),
                                    .class_title = col_text(q, 3),
                                    .given = col_text(q, 4),
                                    .middle = col_text(q, 5),
                                    .family = col_text(q, 6)};
    return true;
}

bool roles_put(struct db *db, const struct role_row *row)
{
    char begin[DAY_TEXT_BYTES], end[DAY_TEXT_BYTES];
    return db_run(db, &ROLES, PUT, "iitttt", row->user, row->school, school_role_name(row->role),
                  day_column(row->begin, begin), day_text(row->end, end), source_column(row->source));
}

bool roles_delete(struct db *db, const struct role_row *row)
{
    char begin[DAY_TEXT_BYTES];
    return db_run(db, &ROLES, DELETE, "iittt", row->user, row->school, school_role_name(row->role),
                  day_column(row->begin, begin), source_column(row->source));
}

bool roles_delete_unsupported(struct db *db, user_no user, enum school_role role)
{
    int which = role == ROLE_PUPIL ? DELETE_PUPIL : role == ROLE_GUARDIAN ? DELETE_GUARDIAN : DELETE_CLASS_TEACHER;
    return db_run(db, &ROLES, which, "i", user);
}
