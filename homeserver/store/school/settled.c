#include "homeserver/store/school/settled.h"

#include "homeserver/store/school/sql_private.h"

/* Begun or ended between the two days: a role that ended on the 5th is over on the 6th. */
#define DUE_IN(table)                                                                                                  \
    "SELECT user_no FROM " table " WHERE (begin_date > $1 AND begin_date <= $2) OR (end_date >= $1 AND end_date < $2)"

enum { DAY, DUE, PUT, N };
static const struct statement TEXTS[N] = {
    [DAY] = "SELECT day FROM settled",
    [DUE] = DUE_IN("roles") " UNION " DUE_IN("enrollments"),
    [PUT] = "INSERT INTO settled (one, day) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET day = excluded.day",
};
STATEMENTS(SETTLED, "settled", TEXTS);

school_day settled_day(struct db *db)
{
    struct stmt *q = db_query(db, &SETTLED, DAY, "");
    school_day day = stmt_next(q) ? col_day(q, 0) : DAY_EVER;
    stmt_end(q);
    return day;
}

struct stmt *settled_due(struct db *db, school_day a, school_day b, char buffers[2][DAY_TEXT_BYTES])
{
    return db_query(db, &SETTLED, DUE, "tt", day_text(a < b ? a : b, buffers[0]), day_text(a < b ? b : a, buffers[1]));
}

bool settled_put(struct db *db, school_day day)
{
    char text[DAY_TEXT_BYTES];
    return db_run(db, &SETTLED, PUT, "t", day_text(day, text));
}
