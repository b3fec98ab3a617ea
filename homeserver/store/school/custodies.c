#include "homeserver/store/school/custodies.h"

#include <string.h>

#include "homeserver/base/words.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/sql_private.h"

/* Whom something binds to a child as its guardian, whether it is in force or asked for. */
#define BONDS                                                                                                          \
    "(SELECT child, guardian FROM guardianships UNION ALL SELECT child, guardian FROM custodies"                       \
    " UNION ALL SELECT child, user_no FROM applications WHERE kind = 'guardian' AND state IN ('begun', 'waiting'))"
#define KIN_OF                                                                                                         \
    "SELECT b.child AS user_no FROM " BONDS " b WHERE b.guardian = $1"                                                 \
    " UNION SELECT b.guardian FROM " BONDS " b WHERE b.child = $1"                                                     \
    " UNION SELECT o.guardian FROM " BONDS " b JOIN " BONDS " o ON o.child = b.child AND o.guardian <> b.guardian"     \
    " WHERE b.guardian = $1"

enum {
    OF,
    PART,
    FAMILY,
    KIN,
    RELATED,
    BARS,
    BARRED,
    PUT,
    DELETE,
    FORGET,
    STANDS,
    LEFT,
    LEAVE,
    PUT_LEFT,
    DELETE_LEFT,
    N
};
static const struct statement TEXTS[N] = {
    [OF] = "SELECT kind FROM custodies WHERE child = $1 AND guardian = $2",
    [PART] = "SELECT 1 FROM custodies k JOIN guardianships g ON g.child = k.child"
             " JOIN guardianships o ON o.child = k.child AND o.guardian <> g.guardian WHERE k.child = $1"
             " AND g.guardian = $2 AND o.guardian = $3 AND k.guardian IN ($2, $3) LIMIT 1",
    [FAMILY] = "SELECT 1 FROM guardianships WHERE child = $1 AND guardian = $2"
               " UNION ALL SELECT 1 FROM custodies WHERE child = $1 AND guardian = $2 LIMIT 1",
    [KIN] = KIN_OF,
    [RELATED] = "SELECT 1 FROM (" KIN_OF ") k WHERE k.user_no = $2 LIMIT 1",
    [BARS] = "SELECT 1 FROM custodies WHERE guardian = $1 AND kind = 'no_contact' LIMIT 1",
    [BARRED] = "SELECT guardian FROM custodies WHERE kind = 'no_contact' AND ($1 = 0 OR child = $1)",
    [PUT] = {"INSERT INTO custodies (child, guardian, kind, set_ms) VALUES ($1, $2, $3, $4)"
             " ON CONFLICT (child, guardian) DO UPDATE SET kind = excluded.kind, set_ms = excluded.set_ms",
             EPOCH_PEOPLE, GUARDED},
    [DELETE] = {"DELETE FROM custodies WHERE child = $1 AND guardian = $2", EPOCH_PEOPLE, GUARDED},
    [FORGET] = {"DELETE FROM custodies WHERE child = $1 OR guardian = $1", EPOCH_PEOPLE, GUARDED},
    [STANDS] =
        "SELECT 1 FROM custodies WHERE child = $1 UNION ALL SELECT 1 FROM left_custodies WHERE child = $1 LIMIT 1",
    [LEFT] = "SELECT kind FROM left_custodies WHERE child = $1",
    [LEAVE] = {"INSERT INTO left_custodies (child, kind) SELECT child, kind FROM custodies WHERE guardian = $1"
               " ON CONFLICT (child) DO UPDATE SET kind = excluded.kind WHERE excluded.kind = 'no_contact'",
               EPOCH_PEOPLE, GUARDED},
    [PUT_LEFT] = {"INSERT INTO left_custodies (child, kind) VALUES ($1, $2)"
                  " ON CONFLICT (child) DO UPDATE SET kind = excluded.kind",
                  EPOCH_PEOPLE, GUARDED},
    [DELETE_LEFT] = {"DELETE FROM left_custodies WHERE child = $1", EPOCH_PEOPLE, GUARDED},
};
STATEMENTS(CUSTODIES, "custodies", TEXTS);

static const char *const NAMES[CUSTODY__COUNT] = {
    [CUSTODY_SHARED] = "shared", [CUSTODY_SEPARATE] = "separate", [CUSTODY_NO_CONTACT] = "no_contact"};

const char *custody_name(enum custody custody)
{
    return NAMES[custody];
}

bool custody_from(const char *name, enum custody *out)
{
    int i = WORD_FIND(NAMES, name);
    *out = i >= 0 ? (enum custody)i : CUSTODY_SHARED;
    return i >= 0;
}

static enum custody take_custody(struct stmt *q)
{
    enum custody custody = CUSTODY_SHARED;
    if (stmt_next(q))
        custody_from(col_text(q, 0), &custody);
    stmt_end(q);
    return custody;
}

enum custody custodies_of(struct db *db, user_no child, user_no guardian)
{
    return take_custody(db_query(db, &CUSTODIES, OF, "ii", child, guardian));
}

enum custody custodies_left(struct db *db, user_no child)
{
    return take_custody(db_query(db, &CUSTODIES, LEFT, "i", child));
}

bool custodies_stand(struct db *db, user_no child)
{
    return db_int(db, &CUSTODIES, STANDS, 0, "i", child) != 0;
}

bool custodies_part(struct db *db, user_no child, user_no one, user_no other)
{
    return db_int(db, &CUSTODIES, PART, 0, "iii", child, one, other) != 0;
}

bool custodies_family(struct db *db, user_no child, user_no guardian)
{
    return db_int(db, &CUSTODIES, FAMILY, 0, "ii", child, guardian) != 0;
}

struct stmt *custodies_barred(struct db *db, user_no child)
{
    return db_query(db, &CUSTODIES, BARRED, "i", child);
}

bool custodies_related(struct db *db, user_no one, user_no other)
{
    return db_int(db, &CUSTODIES, RELATED, 0, "ii", one, other) != 0;
}

int custodies_kin(struct db *db, user_no user, user_no *out, int max)
{
    int n = 0;
    struct stmt *q = db_query(db, &CUSTODIES, KIN, "i", user);
    while (n < max && stmt_next(q))
        out[n++] = col_int(q, 0);
    stmt_end(q);
    return n;
}

bool custodies_bar_anywhere(struct db *db, user_no guardian)
{
    return db_int(db, &CUSTODIES, BARS, 0, "i", guardian) != 0;
}

bool custodies_set(struct tx *tx, user_no child, user_no guardian, enum custody custody)
{
    if (custody == CUSTODY_SHARED)
        return db_run(tx->db, &CUSTODIES, DELETE, "ii", child, guardian);
    return db_run(tx->db, &CUSTODIES, PUT, "iiti", child, guardian, custody_name(custody), tx->now_ms);
}

bool custodies_set_left(struct tx *tx, user_no child, enum custody custody)
{
    if (custody == CUSTODY_SHARED)
        return db_run(tx->db, &CUSTODIES, DELETE_LEFT, "i", child);
    return db_run(tx->db, &CUSTODIES, PUT_LEFT, "it", child, custody_name(custody));
}

bool custodies_forget(struct db *db, user_no user)
{
    return db_run(db, &CUSTODIES, LEAVE, "i", user) && db_run(db, &CUSTODIES, FORGET, "i", user) &&
           db_run(db, &CUSTODIES, DELETE_LEFT, "i", user);
}
