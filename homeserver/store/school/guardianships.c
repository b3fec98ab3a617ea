#include "homeserver/store/school/guardianships.h"

#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/sql_private.h"
#include "homeserver/store/school/viewer.h"

#define GUARDIANSHIP_WITH(more) "SELECT g.child, g.guardian, g.source, g.since_ms, " more " FROM guardianships g "
#define GUARDIANSHIP_ALONE GUARDIANSHIP_WITH("NULL, NULL, NULL")
#define GUARDIANSHIP                                                                                                   \
    GUARDIANSHIP_WITH("c.localpart, u.localpart, k.kind")                                                              \
    "JOIN users c ON c.user_no = g.child JOIN users u ON u.user_no = g.guardian "                                      \
    "LEFT JOIN custodies k ON k.child = g.child AND k.guardian = g.guardian "

/* D9: one that is not in force is not told meanwhile. */
#define TO_HEAR(now)                                                                                                   \
    " JOIN guardianships g ON g.child = h.child AND g.guardian = h.guardian WHERE h.due_ms <= $" #now                  \
    " AND " IN_FORCE("g")

enum {
    ALL,
    OF_PERSON,
    BEYOND,
    PAGE,
    GUARDIANS,
    CHILDREN,
    SOURCE,
    PUT,
    COUNTS_AGAIN,
    DELETE,
    UNTOLD,
    UNTOLD_PUT,
    SPREAD,
    TO_HEAR_PUT,
    TO_HEAR_FIRST,
    TO_HEAR_OF,
    HEARD,
    HEAR_LATER,
    HEARD_BY_ALL,
    N
};
static const struct statement TEXTS[N] = {
    [ALL] = GUARDIANSHIP_ALONE,
    [OF_PERSON] = GUARDIANSHIP_ALONE "WHERE g.child = $1 UNION " GUARDIANSHIP_ALONE "WHERE g.guardian = $1",
    [BEYOND] = GUARDIANSHIP_ALONE
    "WHERE g.source = 'school'"
    " AND (SELECT COUNT(*) FROM guardianships o WHERE o.child = g.child"
    " AND " IN_FORCE("o") ") > 2 AND " IN_FORCE("g") " ORDER BY g.child, g.since_ms DESC, g.guardian DESC",
    [PAGE] = GUARDIANSHIP
    "WHERE ($3 = 0 OR g.child = $3 OR g.guardian = $3) AND g.child IN (SELECT DISTINCT x.child FROM guardianships x"
    " JOIN roles r ON r.user_no = x.child WHERE x.child > $5 AND ($3 = 0 OR x.child = $3 OR x.guardian = $3)"
    " AND ($4 = 0 OR r.school_no = $4) AND " NOT_PAST("r", 2) " AND " SEES(
        "r.school_no", 1, 2) " ORDER BY x.child LIMIT $6) ORDER BY g.child, g.guardian",
    [GUARDIANS] = "SELECT g.guardian FROM guardianships g WHERE g.child = $1 AND " IN_FORCE("g") " ORDER BY g.guardian",
    [CHILDREN] = "SELECT g.child FROM guardianships g WHERE g.guardian = $1 AND " IN_FORCE("g") " ORDER BY g.child",
    [SOURCE] = "SELECT source FROM guardianships WHERE child = $1 AND guardian = $2",
    [PUT] = {"INSERT INTO guardianships (child, guardian, source, since_ms) VALUES ($1, $2, $3, $4)"
             " ON CONFLICT (child, guardian) DO UPDATE SET source = excluded.source",
             EPOCH_PEOPLE, GUARDED},
    [COUNTS_AGAIN] = {"UPDATE guardianships SET since_ms = $3 WHERE child = $1 AND guardian = $2", EPOCH_PEOPLE},
    [DELETE] = {"DELETE FROM guardianships WHERE child = $1 AND guardian = $2", EPOCH_PEOPLE, GUARDED},
    [UNTOLD] = "SELECT child, guardian, by_user FROM untold_guardians ORDER BY child, guardian LIMIT 1",
    /* A roster that brings a school's families tells nobody of them: only whoever answered for the child before. */
    [UNTOLD_PUT] = "INSERT INTO untold_guardians (child, guardian, by_user) SELECT $1, $2, $3"
                   " WHERE NOT EXISTS (SELECT 1 FROM guardianships WHERE child = $1 AND guardian = $2)"
                   " AND ($4 <> 0 OR EXISTS (SELECT 1 FROM guardianships WHERE child = $1 AND since_ms < $5))"
                   " ON CONFLICT (child, guardian) DO NOTHING",
    [SPREAD] = "DELETE FROM untold_guardians WHERE child = $1 AND guardian = $2",
    [TO_HEAR_PUT] = "INSERT INTO untold_hearers (hearer, child, guardian, due_ms) VALUES ($1, $2, $3, $4)"
                    " ON CONFLICT (hearer, child, guardian) DO NOTHING",
    [TO_HEAR_FIRST] = "SELECT h.hearer FROM untold_hearers h" TO_HEAR(1) " ORDER BY h.due_ms, h.hearer LIMIT 1",
    [TO_HEAR_OF] = "SELECT h.child, h.guardian FROM untold_hearers h" TO_HEAR(
        1) " AND h.hearer = $2"
           " ORDER BY h.due_ms, h.child, h.guardian LIMIT $3",
    [HEARD] = "DELETE FROM untold_hearers WHERE hearer = $1 AND child = $2 AND guardian = $3",
    [HEAR_LATER] = "UPDATE untold_hearers SET due_ms = $2 WHERE hearer = $1 AND due_ms < $2",
    [HEARD_BY_ALL] = "DELETE FROM untold_hearers WHERE child = $1 AND guardian = $2",
};
STATEMENTS(GUARDIANSHIPS, "guardianships", TEXTS);

bool guardianships_next(struct stmt *q, struct guardianship_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct guardianship_row){.child = col_int(q, 0),
                                     .guardian = col_int(q, 1),
                                     .source = col_text(q, 2),
                                     .since_ms = col_int(q, 3),
                                     .child_localpart = col_text(q, 4),
                                     .guardian_localpart = col_text(q, 5)};
    if (!col_null(q, 6))
        custody_from(col_text(q, 6), &row->custody);
    return true;
}

struct stmt *guardianships_all(struct db *db)
{
    return db_query(db, &GUARDIANSHIPS, ALL, "");
}

struct stmt *guardianships_of_person(struct db *db, user_no user)
{
    return db_query(db, &GUARDIANSHIPS, OF_PERSON, "i", user);
}

struct stmt *guardianships_beyond(struct db *db)
{
    return db_query(db, &GUARDIANSHIPS, BEYOND, "");
}

struct stmt *guardianships_page(struct db *db, const struct viewer *viewer, user_no user, school_no school,
                                user_no after, int limit)
{
    return db_query(db, &GUARDIANSHIPS, PAGE, "itiiii", viewer->user, viewer->day, user, school, after, (int64_t)limit);
}

int guardianships_guardians(struct db *db, user_no child, user_no *out, int max)
{
    return take_numbers(db_query(db, &GUARDIANSHIPS, GUARDIANS, "i", child), out, max);
}

int guardianships_children(struct db *db, user_no guardian, user_no *out, int max)
{
    return take_numbers(db_query(db, &GUARDIANSHIPS, CHILDREN, "i", guardian), out, max);
}

bool guardianships_source(struct db *db, user_no child, user_no guardian, char source[SOURCE_BYTES])
{
    return take_source(db_query(db, &GUARDIANSHIPS, SOURCE, "ii", child, guardian), source);
}

bool guardianships_put(struct db *db, const struct guardianship_row *row)
{
    bool by_roster = row->source == NULL || source_is_roster(row->source);
    return db_run(db, &GUARDIANSHIPS, UNTOLD_PUT, "iiiii", row->child, row->guardian, row->by, (int64_t)!by_roster,
                  row->since_ms) &&
           db_run(db, &GUARDIANSHIPS, PUT, "iiti", row->child, row->guardian, source_column(row->source),
                  row->since_ms);
}

bool guardianships_count_again(struct tx *tx, user_no child, user_no guardian)
{
    return db_run(tx->db, &GUARDIANSHIPS, COUNTS_AGAIN, "iii", child, guardian, tx->now_ms);
}

bool guardianships_delete(struct db *db, user_no child, user_no guardian)
{
    return guardianships_spread(db, child, guardian) &&
           db_run(db, &GUARDIANSHIPS, HEARD_BY_ALL, "ii", child, guardian) &&
           db_run(db, &GUARDIANSHIPS, DELETE, "ii", child, guardian);
}

bool guardianships_untold(struct db *db, struct guardianship_row *out)
{
    struct stmt *q = db_query(db, &GUARDIANSHIPS, UNTOLD, "");
    bool found = stmt_next(q);
    if (found)
        *out = (struct guardianship_row){.child = col_int(q, 0), .guardian = col_int(q, 1), .by = col_int(q, 2)};
    stmt_end(q);
    return found;
}

bool guardianships_spread(struct db *db, user_no child, user_no guardian)
{
    return db_run(db, &GUARDIANSHIPS, SPREAD, "ii", child, guardian);
}

bool guardianships_to_hear(struct tx *tx, user_no hearer, user_no child, user_no guardian)
{
    return db_run(tx->db, &GUARDIANSHIPS, TO_HEAR_PUT, "iiii", hearer, child, guardian, tx->now_ms);
}

user_no guardianships_next_hearer(struct db *db, int64_t now_ms)
{
    return db_int(db, &GUARDIANSHIPS, TO_HEAR_FIRST, 0, "i", now_ms);
}

int guardianships_unheard(struct db *db, user_no hearer, int64_t now_ms, struct guardianship_row *out, int max)
{
    int n = 0;
    struct stmt *q = db_query(db, &GUARDIANSHIPS, TO_HEAR_OF, "iii", now_ms, hearer, (int64_t)max);
    while (n < max && stmt_next(q))
        out[n++] = (struct guardianship_row){.child = col_int(q, 0), .guardian = col_int(q, 1)};
    stmt_end(q);
    return n;
}

bool guardianships_heard(struct db *db, user_no hearer, user_no child, user_no guardian)
{
    return db_run(db, &GUARDIANSHIPS, HEARD, "iii", hearer, child, guardian);
}

bool guardianships_hear_later(struct db *db, user_no hearer, int64_t due_ms)
{
    return db_run(db, &GUARDIANSHIPS, HEAR_LATER, "ii", hearer, due_ms);
}
