#include "homeserver/store/school/losses.h"

#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/sql_private.h"

#define THERE(alias) alias ".enabled = 1 AND " alias ".ended = 0"

enum { ROLES, ENROLLMENTS, GUARDIANSHIPS, OF, PUT, DELETE, DELETE_SCHOOL, FORGET, PRUNE, N };
static const struct statement TEXTS[N] = {
    [ROLES] = "SELECT r.user_no, 0, r.role, r.begin_date, r.end_date, CASE WHEN p.birth_date IS NULL THEN 0 ELSE 1 END"
              " FROM roles r JOIN people p ON p.user_no = r.user_no WHERE r.school_no = $1 AND " NOT_PAST(
                  "r", 2) " AND " THERE("p"),
    [ENROLLMENTS] = "SELECT n.user_no, n.class_no, n.role, n.begin_date, n.end_date, CASE WHEN c.kind = 'homeroom' "
                    "THEN 1 ELSE 0 END FROM classes c"
                    " JOIN enrollments n ON n.class_no = c.class_no JOIN people p ON p.user_no = n.user_no"
                    " WHERE c.school_no = $1 AND c.ended = 0 AND " NOT_PAST("n", 2) " AND " THERE("p"),
    [GUARDIANSHIPS] = "SELECT g.child, g.guardian, '', '', '9999-12-31', 0 FROM guardianships g"
                      " JOIN people p ON p.user_no = g.child JOIN people o ON o.user_no = g.guardian"
                      " WHERE g.child IN (SELECT r.user_no FROM roles r WHERE r.school_no = $1 AND r.role = 'pupil'"
                      " AND " NOT_PAST("r", 2) ") AND " THERE("p") " AND o.ended = 0",
    [OF] = "SELECT kind, a, gone, end_date FROM losses WHERE school_no = $1 AND lost_ms >= $2",
    [PUT] = "INSERT INTO losses (school_no, kind, a, of_class, gone, end_date, lost_ms)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (school_no, kind, a) DO UPDATE SET"
            " gone = CASE WHEN excluded.gone > losses.gone THEN excluded.gone ELSE losses.gone END,"
            " end_date = excluded.end_date",
    [DELETE] = "DELETE FROM losses WHERE school_no = $1 AND kind = $2 AND a = $3",
    [DELETE_SCHOOL] = "DELETE FROM losses WHERE school_no = $1",
    [FORGET] = "DELETE FROM losses WHERE a = $1 AND of_class = 0",
    [PRUNE] = "DELETE FROM losses WHERE lost_ms < $1",
};
STATEMENTS(LOSSES, "losses", TEXTS);

static struct stmt *facts(struct db *db, int which, school_no school, school_day from, char day[DAY_TEXT_BYTES])
{
    return db_query(db, &LOSSES, which, "it", school, day_text(from, day));
}

struct stmt *facts_roles(struct db *db, school_no school, school_day from, char day[DAY_TEXT_BYTES])
{
    return facts(db, ROLES, school, from, day);
}

struct stmt *facts_enrollments(struct db *db, school_no school, school_day from, char day[DAY_TEXT_BYTES])
{
    return facts(db, ENROLLMENTS, school, from, day);
}

struct stmt *facts_guardianships(struct db *db, school_no school, school_day from, char day[DAY_TEXT_BYTES])
{
    return facts(db, GUARDIANSHIPS, school, from, day);
}

bool facts_next(struct stmt *q, struct fact_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct fact_row){.user = col_int(q, 0),
                             .other = col_int(q, 1),
                             .role = col_role(q, 2),
                             .begin = col_day(q, 3),
                             .end = col_day(q, 4),
                             .more = col_int(q, 5) != 0};
    return true;
}

struct stmt *losses_of(struct db *db, school_no school, int64_t since_ms)
{
    return db_query(db, &LOSSES, OF, "ii", school, since_ms);
}

bool losses_next(struct stmt *q, struct loss_row *row)
{
    if (!stmt_next(q))
        return false;
    *row =
        (struct loss_row){.kind = col_text(q, 0), .a = col_int(q, 1), .gone = col_int(q, 2) != 0, .end = col_day(q, 3)};
    return true;
}

bool losses_put(struct db *db, const struct loss_row *row, int64_t now_ms)
{
    char end[DAY_TEXT_BYTES];
    return db_run(db, &LOSSES, PUT, "itiiiti", row->school, row->kind, row->a, (int64_t)row->class_number,
                  (int64_t)row->gone, day_column(row->end, end), now_ms);
}

bool losses_delete(struct db *db, const struct loss_row *row)
{
    return db_run(db, &LOSSES, DELETE, "iti", row->school, row->kind, row->a);
}

bool losses_delete_school(struct db *db, school_no school)
{
    return db_run(db, &LOSSES, DELETE_SCHOOL, "i", school);
}

bool losses_forget(struct tx *tx, user_no user)
{
    return db_run(tx->db, &LOSSES, FORGET, "i", user);
}

bool losses_prune(struct db *db, int64_t before_ms)
{
    return db_run(db, &LOSSES, PRUNE, "i", before_ms);
}
