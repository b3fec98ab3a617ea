#include "homeserver/store/school/enrollments.h"

#include "homeserver/store/school/sql_private.h"
#include "homeserver/store/school/viewer.h"

#define ENROLLMENT_WITH(extras)                                                                                        \
    "SELECT n.class_no, n.user_no, n.role, n.begin_date, n.end_date, n.source, " extras " FROM enrollments n "
#define ENROLLMENT_ALONE ENROLLMENT_WITH("NULL, NULL, NULL, NULL, NULL")
#define ENROLLMENT                                                                                                     \
    ENROLLMENT_WITH("c.school_no, c.sourced_id, c.title, s.name, u.localpart")                                         \
    "JOIN classes c ON c.class_no = n.class_no JOIN schools s ON s.school_no = c.school_no"                            \
    " JOIN users u ON u.user_no = n.user_no "

enum {
    ALL,
    OF_PERSON,
    OF_CLASS,
    STALE,
    PAGE_OF_PERSON,
    PAGE_OF_CLASS,
    SOURCE,
    PUPIL_SCHOOL,
    PUPIL_CLASS,
    CLASS_TEACHER,
    PUT,
    DELETE,
    N
};
static const struct statement TEXTS[N] = {
    [ALL] = ENROLLMENT_ALONE,
    [OF_PERSON] = ENROLLMENT_ALONE "WHERE n.user_no = $1",
    [OF_CLASS] = ENROLLMENT_ALONE "WHERE n.class_no = $1",
    [STALE] = ENROLLMENT_ALONE "JOIN classes c ON c.class_no = n.class_no WHERE c.ended = 1",
    [PAGE_OF_PERSON] =
        ENROLLMENT "WHERE n.user_no = $3 AND " SEES("c.school_no", 1, 2) " ORDER BY n.class_no, n.role, n.begin_date",
    [PAGE_OF_CLASS] = ENROLLMENT
    "WHERE n.class_no = $1 AND n.user_no IN (SELECT DISTINCT x.user_no FROM enrollments x WHERE x.class_no = $1"
    " AND x.user_no > $2 ORDER BY x.user_no LIMIT $3) ORDER BY n.user_no, n.role, n.begin_date",
    [SOURCE] = "SELECT source FROM enrollments WHERE class_no = $1 AND user_no = $2 AND role = $3 AND begin_date = $4",
    [PUPIL_SCHOOL] = "SELECT r.school_no FROM roles r WHERE r.user_no = $1 AND r.role = 'pupil' AND " CURRENT(
        "r", 2) " ORDER BY r.school_no LIMIT 1",
    [PUPIL_CLASS] = "SELECT n.class_no FROM enrollments n JOIN classes c ON c.class_no = n.class_no"
                    " WHERE n.user_no = $1 AND n.role = 'pupil' AND c.kind = 'homeroom' AND c.ended = 0"
                    " AND c.school_no = $3 AND " CURRENT("n", 2) " ORDER BY n.class_no LIMIT 1",
    [CLASS_TEACHER] = "SELECT 1 FROM enrollments n WHERE n.class_no = $1 AND n.role = 'class_teacher'"
                      " AND " CURRENT("n", 2) " LIMIT 1",
    [PUT] = {"INSERT INTO enrollments (class_no, user_no, role, begin_date, end_date, source)"
             " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (class_no, user_no, role, begin_date)"
             " DO UPDATE SET end_date = excluded.end_date, source = excluded.source",
             EPOCH_PEOPLE, GUARDED},
    [DELETE] = {"DELETE FROM enrollments WHERE class_no = $1 AND user_no = $2 AND role = $3 AND begin_date = $4",
                EPOCH_PEOPLE, GUARDED},
};
STATEMENTS(ENROLLMENTS, "enrollments", TEXTS);

bool enrollments_next(struct stmt *q, struct enrollment_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct enrollment_row){.class = col_int(q, 0),
                                   .user = col_int(q, 1),
                                   .role = col_role(q, 2),
                                   .begin = col_day(q, 3),
                                   .end = col_day(q, 4),
                                   .source = col_text(q, 5),
                                   .school = col_int(q, 6),
                                   .class_id = col_text(q, 7),
                                   .class_title = col_text(q, 8),
                                   .school_name = col_text(q, 9),
                                   .localpart = col_text(q, 10)};
    return true;
}

struct stmt *enrollments_all(struct db *db)
{
    return db_query(db, &ENROLLMENTS, ALL, "");
}

struct stmt *enrollments_of_person(struct db *db, user_no user)
{
    return db_query(db, &ENROLLMENTS, OF_PERSON, "i", user);
}

struct stmt *enrollments_of_class(struct db *db, class_no class)
{
    return db_query(db, &ENROLLMENTS, OF_CLASS, "i", class);
}

struct stmt *enrollments_stale(struct db *db)
{
    return db_query(db, &ENROLLMENTS, STALE, "");
}

struct stmt *enrollments_page_of_person(struct db *db, const struct viewer *viewer, user_no user)
{
    return db_query(db, &ENROLLMENTS, PAGE_OF_PERSON, "iti", viewer->user, viewer->day, user);
}

struct stmt *enrollments_page_of_class(struct db *db, class_no class, user_no after, int limit)
{
    return db_query(db, &ENROLLMENTS, PAGE_OF_CLASS, "iii", class, after, (int64_t)limit);
}

bool enrollments_source(struct db *db, const struct enrollment_row *row, char source[SOURCE_BYTES])
{
    char begin[DAY_TEXT_BYTES];
    return take_source(db_query(db, &ENROLLMENTS, SOURCE, "iitt", row->class, row->user, school_role_name(row->role),
                                day_column(row->begin, begin)),
                       source);
}

bool enrollments_place_of_pupil(struct db *db, user_no user, school_no *school, class_no *class)
{
    char day[DAY_TEXT_BYTES];
    *school = db_int(db, &ENROLLMENTS, PUPIL_SCHOOL, 0, "it", user, day_today(day));
    *class = *school != 0 ? db_int(db, &ENROLLMENTS, PUPIL_CLASS, 0, "iti", user, day, *school) : 0;
    return *school != 0;
}

bool enrollments_has_class_teacher(struct db *db, class_no class)
{
    char day[DAY_TEXT_BYTES];
    return db_int(db, &ENROLLMENTS, CLASS_TEACHER, 0, "it", class, day_today(day)) != 0;
}

bool enrollments_put(struct db *db, const struct enrollment_row *row)
{
    char begin[DAY_TEXT_BYTES], end[DAY_TEXT_BYTES];
    return db_run(db, &ENROLLMENTS, PUT, "iitttt", row->class, row->user, school_role_name(row->role),
                  day_column(row->begin, begin), day_text(row->end, end), source_column(row->source));
}

bool enrollments_delete(struct db *db, const struct enrollment_row *row)
{
    char begin[DAY_TEXT_BYTES];
    return db_run(db, &ENROLLMENTS, DELETE, "iitt", row->class, row->user, school_role_name(row->role),
                  day_column(row->begin, begin));
}
