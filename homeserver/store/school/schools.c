#include "homeserver/store/school/schools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"

enum {
    SCHOOLS_ALL,
    CLASSES_ALL,
    PEOPLE_ALL,
    ROLES_ALL,
    ENROLLMENTS_ALL,
    GUARDIANSHIPS_ALL,
    ROOM_FIND,
    MEMBERS_WANTED,
    MEMBERS_WANTED_OF,
    MEMBERS_ALL,
    MEMBERS_OF,
    MEMBERS_IN,
    MEMBERS_TO_JOIN,
    MEMBERS_TO_JOIN_OF,
    MEMBERS_TO_LEAVE,
    MEMBERS_TO_LEAVE_OF,
    POWERS,
    SCHOOL_INSERT,
    SCHOOL_UPDATE,
    CLASS_INSERT,
    CLASS_UPDATE,
    SCHOOL_END,
    CLASS_END,
    PERSON_END,
    PERSON_PUT,
    PERSON_SOURCE,
    ROLE_PUT,
    ROLE_DELETE,
    ENROLLMENT_PUT,
    ENROLLMENT_DELETE,
    GUARDIANSHIP_PUT,
    GUARDIANSHIP_DELETE,
    ROOM_PUT,
    ROOM_SCHOOL_PUT,
    MEMBER_PUT,
    MEMBER_DELETE,
    TEXTS_COUNT
};

/* The day $n lies within the row's period. */
#define CURRENT(alias, n) alias ".begin_date <= $" #n " AND " alias ".end_date >= $" #n

/* E1, one SELECT a reason to be in a room; power is by post (E3): 75 keeps the staff room, 50 moderates. External staff
 * are in rooms they are named for only, and in subject rooms where they are enrolled (E7). An enrollment counts while
 * the role in the school does: a roster can end the one and leave the other. of(column): "" for everybody, or a
 * condition that keeps to one person, from whom the planner then starts. */
#define WANTED_SCHOOL(of)                                                                                              \
    "SELECT rr.room_no, r.user_no, CASE WHEN rr.kind = 'announcements' AND r.role IN ('deputy', 'head', "              \
    "'administrator')"                                                                                                 \
    " THEN 50 ELSE 0 END AS power FROM roster_rooms rr JOIN roles r ON r.school_no = rr.school_no"                     \
    " WHERE rr.class_no = 0 AND rr.kind IN ('school_space', 'announcements') AND r.role <> 'external'"                 \
    " AND " CURRENT("r", 1) of("r.user_no")
#define WANTED_STAFF(of)                                                                                               \
    "SELECT rr.room_no, r.user_no, CASE WHEN r.role IN ('deputy', 'head') THEN 75 ELSE 0 END"                          \
    " FROM roster_rooms rr JOIN roles r ON r.school_no = rr.school_no WHERE rr.class_no = 0 AND rr.kind = 'staff'"     \
    " AND r.role IN ('teacher', 'class_teacher', 'staff', 'deputy', 'head', 'administrator') AND " CURRENT("r", 1)     \
        of("r.user_no")
#define STANDS(user, role)                                                                                             \
    "EXISTS (SELECT 1 FROM roles r WHERE r.user_no = " user " AND r.school_no = rr.school_no" role                     \
    " AND " CURRENT("r", 1) ")"
#define WANTED_CLASS(of)                                                                                               \
    "SELECT rr.room_no, n.user_no, CASE WHEN n.role = 'class_teacher' AND rr.kind = 'class' THEN 50 ELSE 0 END"        \
    " FROM roster_rooms rr JOIN enrollments n ON n.class_no = rr.class_no WHERE rr.kind IN ('class', 'class_space')"   \
    " AND n.role IN ('pupil', 'class_teacher') AND " STANDS("n.user_no", " AND r.role = n.role") " AND " CURRENT(      \
        "n", 1) of("n.user_no")
#define WANTED_GUARDIANS(of)                                                                                           \
    "SELECT rr.room_no, g.guardian, 0 FROM roster_rooms rr JOIN enrollments n ON n.class_no = rr.class_no"             \
    " JOIN guardianships g ON g.child = n.user_no WHERE rr.kind IN ('guardians', 'class_space')"                       \
    " AND n.role = 'pupil' AND " STANDS("g.guardian", " AND r.role = 'guardian'") " AND " CURRENT("n", 1)              \
        of("g.guardian")
#define WANTED_GUARDIANS_TEACHER(of)                                                                                   \
    "SELECT rr.room_no, n.user_no, 50 FROM roster_rooms rr JOIN enrollments n ON n.class_no = rr.class_no"             \
    " WHERE rr.kind = 'guardians' AND n.role = 'class_teacher'"                                                        \
    " AND " STANDS("n.user_no", " AND r.role = n.role") " AND " CURRENT("n", 1) of("n.user_no")
#define WANTED_SUBJECT(of)                                                                                             \
    "SELECT rr.room_no, n.user_no, CASE WHEN n.role = 'pupil' THEN 0 ELSE 50 END"                                      \
    " FROM roster_rooms rr JOIN enrollments n ON n.class_no = rr.class_no"                                             \
    " WHERE rr.kind = 'subject' AND " STANDS("n.user_no", "") " AND " CURRENT("n", 1) of("n.user_no")
#define WANTED_NAMED(of)                                                                                               \
    "SELECT rr.room_no, m.user_no, 0 FROM named_members m JOIN roster_rooms rr ON rr.room_no = m.room_no"              \
    " JOIN roles r ON r.user_no = m.user_no AND r.school_no = rr.school_no WHERE r.role = 'external'"                  \
    " AND " CURRENT("r", 1) of("m.user_no")

#define WANTED(of)                                                                                                     \
    WANTED_SCHOOL(of)                                                                                                  \
    " UNION ALL " WANTED_STAFF(of) " UNION ALL " WANTED_CLASS(of) " UNION ALL " WANTED_GUARDIANS(                      \
        of) " UNION ALL " WANTED_GUARDIANS_TEACHER(of) " UNION ALL " WANTED_SUBJECT(of) " UNION ALL " WANTED_NAMED(of)

/* A3: neither the pending nor those who left are in rooms; nor is whom the roster has switched off. Those are few: of
 * everybody, they are looked up once. */
#define MEMBERS_WANTED_ALL                                                                                             \
    "WITH away AS MATERIALIZED (SELECT user_no FROM people WHERE enabled = 0 OR ended = 1"                             \
    " UNION SELECT user_no FROM users WHERE state IN ('pending', 'left'))"                                             \
    " SELECT w.room_no, w.user_no, w.power FROM (" WANTED(                                                             \
        EVERYBODY) ") w"                                                                                               \
                   " WHERE w.user_no NOT IN (SELECT user_no FROM away)"
#define MEMBERS_WANTED_ONE                                                                                             \
    "SELECT w.room_no, w.user_no, w.power FROM (" WANTED(                                                              \
        ONE_SECOND) ") w JOIN people p ON p.user_no = w.user_no"                                                       \
                    " JOIN users u ON u.user_no = w.user_no"                                                           \
                    " WHERE p.enabled = 1 AND p.ended = 0 AND u.state NOT IN ('pending', 'left')"

#define MEMBERS_TO_JOIN_BY(of)                                                                                         \
    "SELECT m.room_no, m.user_no, m.power FROM roster_members m"                                                       \
    " LEFT JOIN memberships s ON s.user_no = m.user_no AND s.room_no = m.room_no"                                      \
    " WHERE (s.membership IS NULL OR s.membership <> 'join')" of("m.user_no") " ORDER BY m.room_no, m.user_no"
#define MEMBERS_TO_LEAVE_BY(of)                                                                                        \
    "SELECT s.room_no, s.user_no, 0 FROM roster_rooms rr"                                                              \
    " JOIN memberships s ON s.room_no = rr.room_no JOIN users u ON u.user_no = s.user_no"                              \
    " LEFT JOIN roster_members m ON m.room_no = s.room_no AND m.user_no = s.user_no"                                   \
    " WHERE s.membership IN ('join', 'invite', 'knock') AND m.user_no IS NULL"                                         \
    " AND NOT (u.kind = 'service' AND u.localpart = '" SERVICE_LOCALPART                                               \
    "')" of("s.user_no") " ORDER BY s.room_no, s.user_no"

#define EVERYBODY(column) ""
#define ONE_FIRST(column) " AND " column " = $1"
#define ONE_SECOND(column) " AND " column " = $2"

static const char *const TEXTS[] = {
    [SCHOOLS_ALL] = "SELECT school_no, sourced_id, name, ended, source, version FROM schools ORDER BY school_no",
    [CLASSES_ALL] = "SELECT class_no, sourced_id, school_no, kind, grade, title, ended, source, version FROM classes"
                    " ORDER BY class_no",
    [PEOPLE_ALL] = "SELECT user_no, sourced_id, given_name, family_name, middle_name, birth_date, enabled, ended,"
                   " source, version FROM people ORDER BY user_no",
    [ROLES_ALL] = "SELECT user_no, school_no, role, begin_date, end_date, source FROM roles",
    [ENROLLMENTS_ALL] = "SELECT class_no, user_no, role, begin_date, end_date, source FROM enrollments",
    [GUARDIANSHIPS_ALL] = "SELECT child, guardian, source, since_ms FROM guardianships",
    [ROOM_FIND] = "SELECT room_no FROM roster_rooms WHERE school_no = $1 AND class_no = $2 AND kind = $3",

    [MEMBERS_WANTED] = MEMBERS_WANTED_ALL,
    [MEMBERS_WANTED_OF] = MEMBERS_WANTED_ONE,
    [MEMBERS_ALL] = "SELECT room_no, user_no, power FROM roster_members ORDER BY room_no, user_no",
    [MEMBERS_OF] = "SELECT room_no, user_no, power FROM roster_members WHERE user_no = $1 ORDER BY room_no",
    [MEMBERS_IN] = "SELECT room_no, user_no, power FROM roster_members WHERE room_no = $1 ORDER BY user_no",
    [MEMBERS_TO_JOIN] = MEMBERS_TO_JOIN_BY(EVERYBODY),
    [MEMBERS_TO_JOIN_OF] = MEMBERS_TO_JOIN_BY(ONE_FIRST),
    [MEMBERS_TO_LEAVE] = MEMBERS_TO_LEAVE_BY(EVERYBODY),
    [MEMBERS_TO_LEAVE_OF] = MEMBERS_TO_LEAVE_BY(ONE_FIRST),
    [POWERS] = "SELECT u.localpart, m.power FROM roster_members m JOIN users u ON u.user_no = m.user_no"
               " WHERE m.room_no = $1 AND m.power > 0",

    [SCHOOL_INSERT] = "INSERT INTO schools (sourced_id, name, ended, source) VALUES ($1, $2, $3, $4)",
    [SCHOOL_UPDATE] = "UPDATE schools SET sourced_id = $1, name = $2, ended = $3, source = $4,"
                      " version = version + 1 WHERE school_no = $5",
    [CLASS_INSERT] = "INSERT INTO classes (sourced_id, school_no, kind, grade, title, ended, source)"
                     " VALUES ($1, $2, $3, $4, $5, $6, $7)",
    [CLASS_UPDATE] =
        "UPDATE classes SET sourced_id = $1, school_no = $2, kind = $3, grade = $4, title = $5, ended = $6,"
        " source = $7, version = version + 1 WHERE class_no = $8",
    [SCHOOL_END] = "UPDATE schools SET ended = 1, version = version + 1 WHERE school_no = $1",
    [CLASS_END] = "UPDATE classes SET ended = 1, version = version + 1 WHERE class_no = $1",
    [PERSON_END] = "UPDATE people SET ended = 1, version = version + 1 WHERE user_no = $1",
    [PERSON_PUT] =
        "INSERT INTO people (user_no, sourced_id, given_name, family_name, middle_name, birth_date, enabled, ended,"
        " source) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (user_no) DO UPDATE SET"
        " given_name = excluded.given_name, family_name = excluded.family_name,"
        " middle_name = excluded.middle_name, birth_date = excluded.birth_date, enabled = excluded.enabled,"
        " ended = excluded.ended, source = excluded.source, version = version + 1",
    [PERSON_SOURCE] = "UPDATE people SET source = $2, version = version + 1 WHERE user_no = $1",
    [ROLE_PUT] =
        "INSERT INTO roles (user_no, school_no, role, begin_date, end_date, source)"
        " VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (user_no, school_no, role, begin_date, source) DO UPDATE SET end_date = excluded.end_date",
    [ROLE_DELETE] = "DELETE FROM roles WHERE user_no = $1 AND school_no = $2 AND role = $3 AND begin_date = $4"
                    " AND source = $5",
    [ENROLLMENT_PUT] = "INSERT INTO enrollments (class_no, user_no, role, begin_date, end_date, source)"
                       " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (class_no, user_no, role, begin_date)"
                       " DO UPDATE SET end_date = excluded.end_date, source = excluded.source",
    [ENROLLMENT_DELETE] =
        "DELETE FROM enrollments WHERE class_no = $1 AND user_no = $2 AND role = $3 AND begin_date = $4",
    [GUARDIANSHIP_PUT] = "INSERT INTO guardianships (child, guardian, source, since_ms) VALUES ($1, $2, $3, $4)"
                         " ON CONFLICT (child, guardian) DO UPDATE SET source = excluded.source",
    [GUARDIANSHIP_DELETE] = "DELETE FROM guardianships WHERE child = $1 AND guardian = $2",
    [ROOM_PUT] = "INSERT INTO roster_rooms (room_no, kind, school_no, class_no) VALUES ($1, $2, $3, $4)",
    [ROOM_SCHOOL_PUT] = "INSERT INTO room_schools (room_no, school_no) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    [MEMBER_PUT] = "INSERT INTO roster_members (room_no, user_no, power) VALUES ($1, $2, $3)"
                   " ON CONFLICT (room_no, user_no) DO UPDATE SET power = excluded.power",
    [MEMBER_DELETE] = "DELETE FROM roster_members WHERE room_no = $1 AND user_no = $2",
};
static const struct statements SCHOOL = {"school", TEXTS, TEXTS_COUNT};

/* --- Days --- */

school_day day_of_ms(int64_t wall_ms)
{
    /* Days since 1970 to the civil calendar, by eras of 400 years that begin on 1 March. */
    int64_t days = wall_ms / 86400000 - (wall_ms % 86400000 < 0) + 719468;
    int64_t era = days / 146097, of_era = days % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t from_march = (5 * of_year + 2) / 153;
    int64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    int64_t day = of_year - (153 * from_march + 2) / 5 + 1;
    return (school_day)((year + era * 400 + (month <= 2)) * 10000 + month * 100 + day);
}

static int digits(const char *s, int n)
{
    int value = 0;
    for (int i = 0; i < n; ++i) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        value = value * 10 + (s[i] - '0');
    }
    return value;
}

school_day day_from(const char *text)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-')
        return -1;
    int year = digits(text, 4), month = digits(text + 5, 2), day = digits(text + 8, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return -1;
    bool leap = month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
    return day > DAYS[month - 1] + leap ? -1 : year * 10000 + month * 100 + day;
}

const char *day_text(school_day day, char out[DAY_TEXT_BYTES])
{
    unsigned d = (unsigned)day;
    snprintf(out, DAY_TEXT_BYTES, "%04u-%02u-%02u", d / 10000 % 10000, d / 100 % 100, d % 100);
    return out;
}

/* As the tables have it: '' sorts before every day. */
static const char *day_column(school_day day, char out[DAY_TEXT_BYTES])
{
    return day == DAY_EVER ? "" : day_text(day, out);
}

static school_day col_day(struct stmt *q, int column)
{
    const char *text = col_text(q, column);
    school_day day = text == NULL || *text == '\0' ? DAY_EVER : day_from(text);
    return day < 0 ? DAY_EVER : day;
}

/* --- For the import --- */

struct stmt *schools_all(struct db *db)
{
    return db_query(db, &SCHOOL, SCHOOLS_ALL, "");
}

bool schools_next(struct stmt *q, struct school_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct school_row){.no = col_int(q, 0),
                               .sourced_id = col_text(q, 1),
                               .name = col_text(q, 2),
                               .ended = col_int(q, 3) != 0,
                               .source = col_text(q, 4),
                               .version = col_int(q, 5)};
    return true;
}

struct stmt *classes_all(struct db *db)
{
    return db_query(db, &SCHOOL, CLASSES_ALL, "");
}

bool classes_next(struct stmt *q, struct class_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct class_row){.no = col_int(q, 0),
                              .sourced_id = col_text(q, 1),
                              .school = col_int(q, 2),
                              .homeroom = strcmp(col_text(q, 3), "homeroom") == 0,
                              .grade = col_text(q, 4),
                              .title = col_text(q, 5),
                              .ended = col_int(q, 6) != 0,
                              .source = col_text(q, 7),
                              .version = col_int(q, 8)};
    return true;
}

struct stmt *people_all(struct db *db)
{
    return db_query(db, &SCHOOL, PEOPLE_ALL, "");
}

bool people_next(struct stmt *q, struct person_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct person_row){.no = col_int(q, 0),
                               .sourced_id = col_text(q, 1),
                               .given = col_text(q, 2),
                               .family = col_text(q, 3),
                               .middle = col_text(q, 4),
                               .birth = col_day(q, 5),
                               .enabled = col_int(q, 6) != 0,
                               .ended = col_int(q, 7) != 0,
                               .source = col_text(q, 8),
                               .version = col_int(q, 9)};
    return true;
}

struct stmt *roles_all(struct db *db)
{
    return db_query(db, &SCHOOL, ROLES_ALL, "");
}

bool roles_next(struct stmt *q, struct role_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct role_row){col_int(q, 0), col_int(q, 1), school_role_from(col_text(q, 2)),
                             col_day(q, 3), col_day(q, 4), col_text(q, 5)};
    return true;
}

struct stmt *enrollments_all(struct db *db)
{
    return db_query(db, &SCHOOL, ENROLLMENTS_ALL, "");
}

bool enrollments_next(struct stmt *q, struct enrollment_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct enrollment_row){col_int(q, 0), col_int(q, 1), school_role_from(col_text(q, 2)),
                                   col_day(q, 3), col_day(q, 4), col_text(q, 5)};
    return true;
}

struct stmt *guardianships_all(struct db *db)
{
    return db_query(db, &SCHOOL, GUARDIANSHIPS_ALL, "");
}

bool guardianships_next(struct stmt *q, struct guardianship_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct guardianship_row){col_int(q, 0), col_int(q, 1), col_text(q, 2), col_int(q, 3)};
    return true;
}

room_no roster_room_find(struct db *db, school_no school, class_no class, enum room_kind kind)
{
    return db_int(db, &SCHOOL, ROOM_FIND, 0, "iit", school, class, room_kind_name(kind));
}

/* Dates are kept while the statement runs: SQLite borrows the text, so the caller gives the buffer. */
struct stmt *roster_members_wanted(struct db *db, school_day day, char buffer[DAY_TEXT_BYTES])
{
    return db_query(db, &SCHOOL, MEMBERS_WANTED, "t", day_text(day, buffer));
}

struct stmt *roster_members_wanted_of(struct db *db, school_day day, user_no user, char buffer[DAY_TEXT_BYTES])
{
    return db_query(db, &SCHOOL, MEMBERS_WANTED_OF, "ti", day_text(day, buffer), user);
}

struct stmt *roster_members_of(struct db *db, user_no user)
{
    return db_query(db, &SCHOOL, MEMBERS_OF, "i", user);
}

struct stmt *roster_members_in(struct db *db, room_no room)
{
    return db_query(db, &SCHOOL, MEMBERS_IN, "i", room);
}

struct stmt *roster_members_to_join_of(struct db *db, user_no user)
{
    return db_query(db, &SCHOOL, MEMBERS_TO_JOIN_OF, "i", user);
}

struct stmt *roster_members_to_leave_of(struct db *db, user_no user)
{
    return db_query(db, &SCHOOL, MEMBERS_TO_LEAVE_OF, "i", user);
}

struct stmt *roster_members_all(struct db *db)
{
    return db_query(db, &SCHOOL, MEMBERS_ALL, "");
}

struct stmt *roster_members_to_join(struct db *db)
{
    return db_query(db, &SCHOOL, MEMBERS_TO_JOIN, "");
}

struct stmt *roster_members_to_leave(struct db *db)
{
    return db_query(db, &SCHOOL, MEMBERS_TO_LEAVE, "");
}

bool roster_members_next(struct stmt *q, struct roster_member_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct roster_member_row){col_int(q, 0), col_int(q, 1), (int)col_int(q, 2)};
    return true;
}

struct stmt *roster_powers(struct db *db, room_no room)
{
    return db_query(db, &SCHOOL, POWERS, "i", room);
}

static const char *source_of(const char *source)
{
    return source != NULL ? source : SOURCE_ROSTER;
}

school_no schools_put(struct db *db, const struct school_row *row)
{
    int64_t ended = row->ended;
    const char *source = source_of(row->source);
    if (row->no != 0)
        return db_run(db, &SCHOOL, SCHOOL_UPDATE, "ttiti", row->sourced_id, row->name, ended, source, row->no) ? row->no
                                                                                                               : 0;
    return db_run(db, &SCHOOL, SCHOOL_INSERT, "ttit", row->sourced_id, row->name, ended, source) ? db_last_id(db) : 0;
}

class_no classes_put(struct db *db, const struct class_row *row)
{
    const char *kind = row->homeroom ? "homeroom" : "scheduled";
    int64_t ended = row->ended;
    if (row->no != 0)
        return db_run(db, &SCHOOL, CLASS_UPDATE, "titttiti", row->sourced_id, row->school, kind, row->grade, row->title,
                      ended, source_of(row->source), row->no)
                   ? row->no
                   : 0;
    return db_run(db, &SCHOOL, CLASS_INSERT, "titttit", row->sourced_id, row->school, kind, row->grade, row->title,
                  ended, source_of(row->source))
               ? db_last_id(db)
               : 0;
}

bool schools_end(struct db *db, school_no no)
{
    return db_run(db, &SCHOOL, SCHOOL_END, "i", no);
}

bool classes_end(struct db *db, class_no no)
{
    return db_run(db, &SCHOOL, CLASS_END, "i", no);
}

bool people_end(struct db *db, user_no no)
{
    return db_run(db, &SCHOOL, PERSON_END, "i", no);
}

bool people_put(struct db *db, const struct person_row *row)
{
    char birth[DAY_TEXT_BYTES];
    return db_run(db, &SCHOOL, PERSON_PUT, "itttttiit", row->no, row->sourced_id, row->given, row->family, row->middle,
                  row->birth == DAY_EVER ? NULL : day_text(row->birth, birth), (int64_t)row->enabled,
                  (int64_t)row->ended, source_of(row->source));
}

bool people_set_source(struct db *db, user_no no, const char *source)
{
    return db_run(db, &SCHOOL, PERSON_SOURCE, "it", no, source);
}

bool roles_put(struct db *db, const struct role_row *row)
{
    char begin[DAY_TEXT_BYTES], end[DAY_TEXT_BYTES];
    return db_run(db, &SCHOOL, ROLE_PUT, "iitttt", row->user, row->school, school_role_name(row->role),
                  day_column(row->begin, begin), day_text(row->end, end), source_of(row->source));
}

bool roles_delete(struct db *db, const struct role_row *row)
{
    char begin[DAY_TEXT_BYTES];
    return db_run(db, &SCHOOL, ROLE_DELETE, "iittt", row->user, row->school, school_role_name(row->role),
                  day_column(row->begin, begin), source_of(row->source));
}

bool enrollments_put(struct db *db, const struct enrollment_row *row)
{
    char begin[DAY_TEXT_BYTES], end[DAY_TEXT_BYTES];
    return db_run(db, &SCHOOL, ENROLLMENT_PUT, "iitttt", row->class, row->user, school_role_name(row->role),
                  day_column(row->begin, begin), day_text(row->end, end), source_of(row->source));
}

bool enrollments_delete(struct db *db, const struct enrollment_row *row)
{
    char begin[DAY_TEXT_BYTES];
    return db_run(db, &SCHOOL, ENROLLMENT_DELETE, "iitt", row->class, row->user, school_role_name(row->role),
                  day_column(row->begin, begin));
}

bool guardianships_put(struct db *db, const struct guardianship_row *row)
{
    return db_run(db, &SCHOOL, GUARDIANSHIP_PUT, "iiti", row->child, row->guardian, source_of(row->source),
                  row->since_ms);
}

bool guardianships_delete(struct db *db, const struct guardianship_row *row)
{
    return db_run(db, &SCHOOL, GUARDIANSHIP_DELETE, "ii", row->child, row->guardian);
}

bool roster_rooms_put(struct db *db, const struct roster_room_row *row)
{
    return db_run(db, &SCHOOL, ROOM_PUT, "itii", row->room, room_kind_name(row->kind), row->school, row->class) &&
           db_run(db, &SCHOOL, ROOM_SCHOOL_PUT, "ii", row->room, row->school);
}

bool roster_members_put(struct db *db, const struct roster_member_row *row)
{
    return db_run(db, &SCHOOL, MEMBER_PUT, "iii", row->room, row->user, (int64_t)row->power);
}

bool roster_members_delete(struct db *db, const struct roster_member_row *row)
{
    return db_run(db, &SCHOOL, MEMBER_DELETE, "ii", row->room, row->user);
}
