#include "homeserver/store/school/records.h"

#include <stdio.h>
#include <string.h>

enum {
    SCHOOL_ONE,
    CLASS_ONE,
    PERSON_ONE,
    SCHOOL_BY_ID,
    CLASS_BY_ID,
    PERSON_BY_ID,
    SCHOOL_ID,
    CLASS_ID,
    PERSON_ID,
    ROLES_OF,
    ENROLLMENTS_OF,
    ENROLLMENTS_OF_CLASS,
    GUARDIANSHIPS_OF,
    ROLE_SOURCE,
    ENROLLMENT_SOURCE,
    GUARDIANSHIP_SOURCE,
    GUARDIANS,
    IMPLIED,
    IMPLIED_OF,
    IMPLIED_GUARDIANS,
    IMPLIED_GUARDIANS_OF,
    DERIVED,
    DERIVED_OF,
    DERIVED_GUARDIANS,
    DERIVED_GUARDIANS_OF,
    UNSUPPORTED_PUPIL,
    UNSUPPORTED_CLASS_TEACHER,
    UNSUPPORTED_GUARDIAN,
    KEPT,
    BEYOND,
    STALE,
    UNGUARDED,
    UNGUARDED_OF,
    RESTRICTED,
    RESTRICTED_OF,
    REOPEN,
    REOPEN_OF,
    SET_CLOSED,
    CLOSED,
    RETURN,
    HAVE_ROLE,
    DUE,
    SETTLED,
    SETTLED_PUT,
    LIBRARY,
    LIBRARY_KIND,
    LIBRARY_SCHOOL,
    ARCHIVE,
    ARCHIVE_KIND,
    ARCHIVE_MEMBERS,
    ARCHIVE_ROOM,
    NAMED_PUT,
    NAMED_DELETE,
    ROOM_HEIR,
    IMPORT_LAST,
    IMPORT_PUT,
    TEXTS_COUNT
};

#define SCHOOL_COLUMNS "SELECT school_no, sourced_id, name, ended, source, version FROM schools"
#define CLASS_COLUMNS "SELECT class_no, sourced_id, school_no, kind, grade, title, ended, source, version FROM classes"
#define PERSON_COLUMNS                                                                                                 \
    "SELECT user_no, sourced_id, given_name, family_name, middle_name, birth_date, enabled, ended, source, version"    \
    " FROM people"
#define ENROLLMENT_COLUMNS "SELECT class_no, user_no, role, begin_date, end_date, source FROM enrollments"

#define EVERYBODY(column) ""
#define ONE_FIRST(column) " AND " column " = $1"
#define ONE_SECOND(column) " AND " column " = $2"

/* Another source says the whole of it already; or the roster that keeps the record has told of the role itself, and its
 * dates are what it means. */
#define SAID(user, school, role, begin, end, source_)                                                                  \
    "EXISTS (SELECT 1 FROM roles s WHERE s.user_no = " user " AND s.school_no = " school " AND s.role = " role         \
    " AND s.source <> 'derived' AND ((s.begin_date <= " begin " AND s.end_date >= " end ")"                            \
    " OR (s.source = " source_ " AND s.source <> 'school')))"

/* The role of the enrollment itself, and a class teacher is a teacher. */
#define IMPLIED_BY(of)                                                                                                 \
    "SELECT n.user_no, c.school_no, n.role, n.begin_date, n.end_date, 'derived' FROM enrollments n"                    \
    " JOIN classes c ON c.class_no = n.class_no WHERE c.ended = 0"                                                     \
    " AND NOT (n.role = 'teacher' AND EXISTS (SELECT 1 FROM roles x WHERE x.user_no = n.user_no"                       \
    " AND x.school_no = c.school_no AND x.role = 'external'))"                                                         \
    " AND NOT " SAID("n.user_no", "c.school_no", "n.role", "n.begin_date", "n.end_date", "n.source")                   \
        of("n.user_no") " UNION ALL SELECT n.user_no, c.school_no, 'teacher', n.begin_date, n.end_date, 'derived' "    \
                        "FROM enrollments n"                                                                           \
                        " JOIN classes c ON c.class_no = n.class_no WHERE c.ended = 0 AND n.role = 'class_teacher'"    \
                        " AND NOT " SAID("n.user_no", "c.school_no", "'teacher'", "n.begin_date", "n.end_date",        \
                                         "n.source") of("n.user_no")
#define IMPLIED_GUARDIANS_BY(of)                                                                                       \
    "SELECT g.guardian, r.school_no, 'guardian', r.begin_date, r.end_date, 'derived' FROM guardianships g"             \
    " JOIN roles r ON r.user_no = g.child WHERE r.role = 'pupil'"                                                      \
    " AND NOT " SAID("g.guardian", "r.school_no", "'guardian'", "r.begin_date", "r.end_date", "g.source")              \
        of("g.guardian")
#define DERIVED_BY(which, of)                                                                                          \
    "SELECT user_no, school_no, role, begin_date, end_date, source FROM roles WHERE source = 'derived' AND " which of( \
        "user_no")

#define UNSUPPORTED(role, support)                                                                                     \
    "DELETE FROM roles WHERE user_no = $1 AND role = '" role "' AND NOT EXISTS (" support ")"
#define ENROLLED(role)                                                                                                 \
    "SELECT 1 FROM enrollments n JOIN classes c ON c.class_no = n.class_no WHERE n.user_no = roles.user_no"            \
    " AND c.school_no = roles.school_no AND c.ended = 0 AND n.role = '" role "'"

/* The roster's guardians count like those who confirmed here: the school says so. */
#define UNGUARDED_BY(of)                                                                                               \
    "SELECT r.user_no, p.birth_date, r.school_no FROM roles r JOIN people p ON p.user_no = r.user_no"                  \
    " JOIN users u ON u.user_no = r.user_no WHERE r.role = 'pupil' AND r.begin_date <= $1 AND r.end_date >= $1"        \
    " AND p.ended = 0 AND u.state IN ('active', 'restricted') AND NOT EXISTS (SELECT 1 FROM guardianships g"           \
    " JOIN people o ON o.user_no = g.guardian JOIN users v ON v.user_no = g.guardian WHERE g.child = r.user_no"        \
    " AND o.ended = 0 AND v.state NOT IN ('pending', 'left'))" of("r.user_no")
#define REOPEN_BY(of)                                                                                                  \
    "SELECT p.user_no, p.enabled FROM people p JOIN users u ON u.user_no = p.user_no WHERE p.closed = 1"               \
    " AND p.ended = 0 AND u.state = 'left' AND EXISTS (SELECT 1 FROM roles r WHERE r.user_no = p.user_no"              \
    " AND r.end_date >= $1)" of("p.user_no")

/* Begun or ended between the two days: a role that ended on the 5th is over on the 6th. */
#define DUE_IN(table)                                                                                                  \
    "SELECT user_no FROM " table " WHERE (begin_date > $1 AND begin_date <= $2) OR (end_date >= $1 AND end_date < $2)"

static const char *const TEXTS[] = {
    [SCHOOL_ONE] = SCHOOL_COLUMNS " WHERE school_no = $1",
    [CLASS_ONE] = CLASS_COLUMNS " WHERE class_no = $1",
    [PERSON_ONE] = PERSON_COLUMNS " WHERE user_no = $1",
    [SCHOOL_BY_ID] = "SELECT school_no FROM schools WHERE sourced_id = $1",
    [CLASS_BY_ID] = "SELECT class_no FROM classes WHERE sourced_id = $1",
    [PERSON_BY_ID] = "SELECT user_no FROM people WHERE sourced_id = $1",
    [SCHOOL_ID] = "SELECT sourced_id FROM schools WHERE school_no = $1",
    [CLASS_ID] = "SELECT sourced_id FROM classes WHERE class_no = $1",
    [PERSON_ID] = "SELECT sourced_id FROM people WHERE user_no = $1",
    [ROLES_OF] = "SELECT user_no, school_no, role, begin_date, end_date, source FROM roles WHERE user_no = $1",
    [ENROLLMENTS_OF] = ENROLLMENT_COLUMNS " WHERE user_no = $1",
    [ENROLLMENTS_OF_CLASS] = ENROLLMENT_COLUMNS " WHERE class_no = $1",
    [GUARDIANSHIPS_OF] = "SELECT child, guardian, source, since_ms FROM guardianships WHERE child = $1"
                         " UNION SELECT child, guardian, source, since_ms FROM guardianships WHERE guardian = $1",
    [ROLE_SOURCE] = "SELECT source FROM roles WHERE user_no = $1 AND school_no = $2 AND role = $3 AND begin_date = $4"
                    " AND source <> 'derived' ORDER BY source <> 'school'",
    [ENROLLMENT_SOURCE] = "SELECT source FROM enrollments WHERE class_no = $1 AND user_no = $2 AND role = $3"
                          " AND begin_date = $4",
    [GUARDIANSHIP_SOURCE] = "SELECT source FROM guardianships WHERE child = $1 AND guardian = $2",
    [GUARDIANS] = "SELECT COUNT(*) FROM guardianships WHERE child = $1",

    [IMPLIED] = IMPLIED_BY(EVERYBODY),
    [IMPLIED_OF] = IMPLIED_BY(ONE_FIRST),
    [IMPLIED_GUARDIANS] = IMPLIED_GUARDIANS_BY(EVERYBODY),
    [IMPLIED_GUARDIANS_OF] = IMPLIED_GUARDIANS_BY(ONE_FIRST),
    [DERIVED] = DERIVED_BY("role <> 'guardian'", EVERYBODY),
    [DERIVED_OF] = DERIVED_BY("role <> 'guardian'", ONE_FIRST),
    [DERIVED_GUARDIANS] = DERIVED_BY("role = 'guardian'", EVERYBODY),
    [DERIVED_GUARDIANS_OF] = DERIVED_BY("role = 'guardian'", ONE_FIRST),
    [UNSUPPORTED_PUPIL] = UNSUPPORTED("pupil", ENROLLED("pupil")),
    [UNSUPPORTED_CLASS_TEACHER] = UNSUPPORTED("class_teacher", ENROLLED("class_teacher")),
    [UNSUPPORTED_GUARDIAN] = UNSUPPORTED(
        "guardian", "SELECT 1 FROM guardianships g JOIN roles c ON c.user_no = g.child"
                    " WHERE g.guardian = roles.user_no AND c.school_no = roles.school_no AND c.role = 'pupil'"),
    [KEPT] = "SELECT 1 WHERE EXISTS (SELECT 1 FROM roles WHERE user_no = $1 AND source = 'school')"
             " OR EXISTS (SELECT 1 FROM enrollments WHERE user_no = $1 AND source = 'school')"
             " OR EXISTS (SELECT 1 FROM guardianships WHERE guardian = $1 AND source = 'school')",
    [BEYOND] = "SELECT child, guardian, source, since_ms FROM guardianships g WHERE source = 'school'"
               " AND (SELECT COUNT(*) FROM guardianships o WHERE o.child = g.child) > 2"
               " ORDER BY child, since_ms DESC, guardian DESC",
    [STALE] = "SELECT n.class_no, n.user_no, n.role, n.begin_date, n.end_date, n.source FROM classes c"
              " JOIN enrollments n ON n.class_no = c.class_no WHERE c.ended = 1",

    [UNGUARDED] = UNGUARDED_BY(EVERYBODY),
    [UNGUARDED_OF] = UNGUARDED_BY(ONE_SECOND),
    [RESTRICTED] = "SELECT u.user_no FROM users u JOIN people p ON p.user_no = u.user_no WHERE u.state = 'restricted'",
    [RESTRICTED_OF] = "SELECT u.user_no FROM users u JOIN people p ON p.user_no = u.user_no"
                      " WHERE u.state = 'restricted' AND u.user_no = $1",
    [REOPEN] = REOPEN_BY(EVERYBODY),
    [REOPEN_OF] = REOPEN_BY(ONE_SECOND),
    [SET_CLOSED] = "UPDATE people SET closed = $2 WHERE user_no = $1",
    [CLOSED] = "SELECT closed FROM people WHERE user_no = $1",
    [RETURN] = "UPDATE people SET ended = 0, source = 'school', version = version + 1 WHERE user_no = $1",
    [HAVE_ROLE] = "SELECT EXISTS (SELECT 1 FROM roles r WHERE r.user_no = p.user_no AND r.end_date >= $2)"
                  " FROM people p WHERE p.user_no = $1",
    [DUE] = DUE_IN("roles") " UNION " DUE_IN("enrollments"),
    [SETTLED] = "SELECT day FROM settled",
    [SETTLED_PUT] = "INSERT INTO settled (one, day) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET day = excluded.day",

    [LIBRARY] = "SELECT r.room_no FROM rooms r JOIN room_schools s ON s.room_no = r.room_no"
                " WHERE r.kind = 'library' AND s.school_no = $1 ORDER BY r.room_no DESC",
    [LIBRARY_KIND] = "UPDATE rooms SET kind = 'library' WHERE room_no = $1",
    [LIBRARY_SCHOOL] = "INSERT INTO room_schools (room_no, school_no) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    [ARCHIVE] = "INSERT INTO archived_rooms (room_no, kind, school_no, class_no, archived_ms)"
                " SELECT room_no, kind, school_no, class_no, CAST($2 AS INTEGER) FROM roster_rooms WHERE room_no = $1",
    [ARCHIVE_KIND] = "UPDATE rooms SET kind = 'archive' WHERE room_no = $1",
    [ARCHIVE_MEMBERS] = "DELETE FROM roster_members WHERE room_no = $1",
    [ARCHIVE_ROOM] = "DELETE FROM roster_rooms WHERE room_no = $1",
    [NAMED_PUT] = "INSERT INTO named_members (room_no, user_no) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    [NAMED_DELETE] = "DELETE FROM named_members WHERE room_no = $1 AND user_no = $2",
    [ROOM_HEIR] =
        "SELECT m.user_no FROM memberships m JOIN users u ON u.user_no = m.user_no"
        " WHERE m.room_no = $1 AND m.membership = 'join' AND m.user_no <> $2 AND u.kind = 'person'"
        " ORDER BY EXISTS (SELECT 1 FROM roles r JOIN room_schools s ON s.school_no = r.school_no"
        " WHERE s.room_no = $1 AND r.user_no = m.user_no AND r.begin_date <= $3 AND r.end_date >= $3 AND r.role IN"
        " ('teacher', 'class_teacher', 'staff', 'deputy', 'head', 'administrator')) DESC, m.joined_pos LIMIT 1",
    [IMPORT_LAST] = "SELECT MAX(started_ms) FROM imports WHERE source = $1 AND mode = $2",
    [IMPORT_PUT] = "INSERT INTO imports (source, mode, author, started_ms, ended_ms, changes)"
                   " VALUES ($1, $2, $3, $4, $5, $6)",
};
static const struct statements RECORDS = {"records", TEXTS, TEXTS_COUNT};

/* --- One record --- */

struct stmt *schools_one(struct db *db, school_no school)
{
    return db_query(db, &RECORDS, SCHOOL_ONE, "i", school);
}

struct stmt *classes_one(struct db *db, class_no class)
{
    return db_query(db, &RECORDS, CLASS_ONE, "i", class);
}

struct stmt *people_one(struct db *db, user_no user)
{
    return db_query(db, &RECORDS, PERSON_ONE, "i", user);
}

school_no schools_by_sourced_id(struct db *db, const char *id)
{
    return db_int(db, &RECORDS, SCHOOL_BY_ID, 0, "t", id);
}

class_no classes_by_sourced_id(struct db *db, const char *id)
{
    return db_int(db, &RECORDS, CLASS_BY_ID, 0, "t", id);
}

user_no people_by_sourced_id(struct db *db, const char *id)
{
    return db_int(db, &RECORDS, PERSON_BY_ID, 0, "t", id);
}

char *schools_sourced_id(struct db *db, school_no school)
{
    return db_text(db, &RECORDS, SCHOOL_ID, "i", school);
}

char *classes_sourced_id(struct db *db, class_no class)
{
    return db_text(db, &RECORDS, CLASS_ID, "i", class);
}

char *people_sourced_id(struct db *db, user_no user)
{
    return db_text(db, &RECORDS, PERSON_ID, "i", user);
}

struct stmt *roles_of_person(struct db *db, user_no user)
{
    return db_query(db, &RECORDS, ROLES_OF, "i", user);
}

struct stmt *enrollments_of_person(struct db *db, user_no user)
{
    return db_query(db, &RECORDS, ENROLLMENTS_OF, "i", user);
}

struct stmt *enrollments_of_class(struct db *db, class_no class)
{
    return db_query(db, &RECORDS, ENROLLMENTS_OF_CLASS, "i", class);
}

struct stmt *guardianships_of(struct db *db, user_no user)
{
    return db_query(db, &RECORDS, GUARDIANSHIPS_OF, "i", user);
}

static const char *day_column(school_day day, char out[DAY_TEXT_BYTES])
{
    return day == DAY_EVER ? "" : day_text(day, out);
}

static bool source_from(struct stmt *q, char source[SOURCE_BYTES])
{
    bool found = stmt_next(q);
    snprintf(source, SOURCE_BYTES, "%s", found ? col_text(q, 0) : "");
    stmt_end(q);
    return found;
}

bool roles_source(struct db *db, const struct role_row *row, char source[SOURCE_BYTES])
{
    char begin[DAY_TEXT_BYTES];
    return source_from(db_query(db, &RECORDS, ROLE_SOURCE, "iitt", row->user, row->school, school_role_name(row->role),
                                day_column(row->begin, begin)),
                       source);
}

bool enrollments_source(struct db *db, const struct enrollment_row *row, char source[SOURCE_BYTES])
{
    char begin[DAY_TEXT_BYTES];
    return source_from(db_query(db, &RECORDS, ENROLLMENT_SOURCE, "iitt", row->class, row->user,
                                school_role_name(row->role), day_column(row->begin, begin)),
                       source);
}

bool guardianships_source(struct db *db, user_no child, user_no guardian, char source[SOURCE_BYTES])
{
    return source_from(db_query(db, &RECORDS, GUARDIANSHIP_SOURCE, "ii", child, guardian), source);
}

int guardians_count(struct db *db, user_no child)
{
    return (int)db_int(db, &RECORDS, GUARDIANS, 0, "i", child);
}

/* --- Derived roles --- */

struct stmt *roles_implied(struct db *db, bool guardians, user_no user)
{
    int which = guardians ? IMPLIED_GUARDIANS : IMPLIED;
    return user == 0 ? db_query(db, &RECORDS, which, "") : db_query(db, &RECORDS, which + 1, "i", user);
}

struct stmt *roles_derived(struct db *db, bool guardians, user_no user)
{
    int which = guardians ? DERIVED_GUARDIANS : DERIVED;
    return user == 0 ? db_query(db, &RECORDS, which, "") : db_query(db, &RECORDS, which + 1, "i", user);
}

bool roles_delete_unsupported(struct db *db, user_no user, enum school_role role)
{
    int which = role == ROLE_PUPIL      ? UNSUPPORTED_PUPIL
                : role == ROLE_GUARDIAN ? UNSUPPORTED_GUARDIAN
                                        : UNSUPPORTED_CLASS_TEACHER;
    return db_run(db, &RECORDS, which, "i", user);
}

bool people_kept_by_school(struct db *db, user_no user)
{
    return db_int(db, &RECORDS, KEPT, 0, "i", user) != 0;
}

struct stmt *guardianships_beyond(struct db *db)
{
    return db_query(db, &RECORDS, BEYOND, "");
}

struct stmt *enrollments_stale(struct db *db)
{
    return db_query(db, &RECORDS, STALE, "");
}

/* --- Standing --- */

struct stmt *people_unguarded(struct db *db, school_day day, user_no user, char buffer[DAY_TEXT_BYTES])
{
    day_text(day, buffer);
    return user == 0 ? db_query(db, &RECORDS, UNGUARDED, "t", buffer)
                     : db_query(db, &RECORDS, UNGUARDED_OF, "ti", buffer, user);
}

bool people_unguarded_next(struct stmt *q, struct ward_row *row)
{
    if (!stmt_next(q))
        return false;
    school_day birth = col_null(q, 1) ? DAY_EVER : day_from(col_text(q, 1));
    *row = (struct ward_row){col_int(q, 0), birth < 0 ? DAY_EVER : birth, col_int(q, 2)};
    return true;
}

struct stmt *people_restricted(struct db *db, user_no user)
{
    return user == 0 ? db_query(db, &RECORDS, RESTRICTED, "") : db_query(db, &RECORDS, RESTRICTED_OF, "i", user);
}

struct stmt *people_to_reopen(struct db *db, school_day day, user_no user, char buffer[DAY_TEXT_BYTES])
{
    day_text(day, buffer);
    return user == 0 ? db_query(db, &RECORDS, REOPEN, "t", buffer)
                     : db_query(db, &RECORDS, REOPEN_OF, "ti", buffer, user);
}

bool people_set_closed(struct db *db, user_no user, bool closed)
{
    return db_run(db, &RECORDS, SET_CLOSED, "ii", user, (int64_t)closed);
}

bool people_closed(struct db *db, user_no user)
{
    return db_int(db, &RECORDS, CLOSED, 0, "i", user) != 0;
}

bool people_return(struct db *db, user_no user)
{
    return db_run(db, &RECORDS, RETURN, "i", user);
}

bool people_have_role(struct db *db, user_no user, school_day day, bool *person)
{
    char today[DAY_TEXT_BYTES];
    int64_t answer = db_int(db, &RECORDS, HAVE_ROLE, -1, "it", user, day_text(day, today));
    *person = answer >= 0;
    return answer > 0;
}

struct stmt *people_due(struct db *db, school_day from, school_day to, char buffers[2][DAY_TEXT_BYTES])
{
    return db_query(db, &RECORDS, DUE, "tt", day_text(from, buffers[0]), day_text(to, buffers[1]));
}

school_day settled_day(struct db *db)
{
    struct stmt *q = db_query(db, &RECORDS, SETTLED, "");
    school_day day = stmt_next(q) ? day_from(col_text(q, 0)) : DAY_EVER;
    stmt_end(q);
    return day < 0 ? DAY_EVER : day;
}

bool settled_put(struct db *db, school_day day)
{
    char text[DAY_TEXT_BYTES];
    return db_run(db, &RECORDS, SETTLED_PUT, "t", day_text(day, text));
}

/* --- Rooms --- */

room_no library_find(struct db *db, school_no school)
{
    return db_int(db, &RECORDS, LIBRARY, 0, "i", school);
}

bool library_put(struct db *db, room_no room, school_no school)
{
    return db_run(db, &RECORDS, LIBRARY_KIND, "i", room) && db_run(db, &RECORDS, LIBRARY_SCHOOL, "ii", room, school);
}

bool roster_rooms_archive(struct db *db, room_no room, int64_t now_ms)
{
    return db_run(db, &RECORDS, ARCHIVE, "ii", room, now_ms) && db_run(db, &RECORDS, ARCHIVE_KIND, "i", room) &&
           db_run(db, &RECORDS, ARCHIVE_MEMBERS, "i", room) && db_run(db, &RECORDS, ARCHIVE_ROOM, "i", room);
}

bool named_members_put(struct db *db, room_no room, user_no user)
{
    return db_run(db, &RECORDS, NAMED_PUT, "ii", room, user);
}

bool named_members_delete(struct db *db, room_no room, user_no user)
{
    return db_run(db, &RECORDS, NAMED_DELETE, "ii", room, user);
}

/* --- Imports --- */

bool imports_put(struct db *db, const struct import_row *row)
{
    return db_run(db, &RECORDS, IMPORT_PUT, "tttiit", row->source, row->mode, row->author, row->started_ms,
                  row->ended_ms, row->changes);
}

user_no rooms_heir(struct db *db, room_no room, user_no without, school_day day)
{
    char text[DAY_TEXT_BYTES];
    return db_int(db, &RECORDS, ROOM_HEIR, 0, "iit", room, without, day_text(day, text));
}

int64_t imports_last_ms(struct db *db, const char *source, const char *mode)
{
    return db_int(db, &RECORDS, IMPORT_LAST, 0, "tt", source, mode);
}
