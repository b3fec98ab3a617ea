#include "homeserver/store/school/taken.h"

#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/sql_private.h"

/* Staff first: they are whom a room with pupils needs (E5). */
#define MEMBERS_OF(of)                                                                                                 \
    "SELECT t.room_no, t.user_no, t.membership FROM taken_members t JOIN users u ON u.user_no = t.user_no"             \
    " WHERE u.state NOT IN ('pending', 'left')" of(                                                                    \
        "t.user_no") " ORDER BY t.room_no, CASE WHEN EXISTS (SELECT 1"                                                 \
                     " FROM roles r WHERE r.user_no = t.user_no AND r.role IN " STAFF_ROLES                            \
                     ") THEN 0 ELSE 1 END, t.user_no"
/* $1: which, $2: enum taken_kind, $3: now. */
#define RECORD_PUT(columns)                                                                                            \
    "INSERT INTO taken_records (kind, a, b, role, begin_date, end_date, source, since_ms, name_1, name_2, name_3,"     \
    " birth_date, enabled, taken_ms) SELECT CAST($2 AS BIGINT), " columns ", CAST($3 AS BIGINT) FROM "

enum {
    MEMBERS,
    MEMBERS_OF_ONE,
    MEMBERS_HAS,
    MEMBER_PUT,
    MEMBER_DELETE,
    MEMBERS_COPY,
    OWNER,
    OWNER_PUT,
    OWNER_DELETE,
    OWNERS_COPY,
    OWNERS_FORGET,
    STATE,
    STATE_PUT,
    STATE_DELETE,
    CONTACTS,
    CONTACTS_PUT,
    CONTACTS_DELETE,
    RECORDS,
    PERSON_PUT,
    CLASS_PUT,
    SCHOOL_PUT,
    ENROLLMENT_PUT,
    GUARDIANSHIP_PUT,
    ANY_RECORD,
    RECORD_DELETE,
    SINCE,
    FORGET_MEMBERS,
    FORGET_OWNERS,
    FORGET_RECORDS,
    FORGET_BONDS,
    PRUNE_MEMBERS,
    PRUNE_OWNERS,
    PRUNE_STATES,
    PRUNE_CONTACTS,
    PRUNE_RECORDS,
    N
};
static const struct statement TEXTS[N] = {
    [MEMBERS] = MEMBERS_OF(EVERYBODY),
    [MEMBERS_OF_ONE] = MEMBERS_OF(ONE_FIRST),
    [MEMBERS_HAS] = "SELECT 1 FROM taken_members WHERE user_no = $1 AND room_no = $2",
    [MEMBER_PUT] = "INSERT INTO taken_members (user_no, room_no, membership, taken_ms) VALUES ($1, $2, $3, $4)"
                   " ON CONFLICT DO NOTHING",
    [MEMBER_DELETE] = "DELETE FROM taken_members WHERE user_no = $1 AND room_no = $2",
    [MEMBERS_COPY] = "INSERT INTO taken_members (user_no, room_no, membership, taken_ms)"
                     " SELECT user_no, CAST($2 AS BIGINT), membership, taken_ms FROM taken_members WHERE room_no = $1"
                     " ON CONFLICT DO NOTHING",
    [OWNER] = "SELECT t.owner FROM taken_owners t JOIN memberships m ON m.user_no = t.owner AND m.room_no = t.room_no"
              " WHERE t.room_no = $1 AND m.membership = 'join' ORDER BY t.turn LIMIT 1",
    [OWNER_PUT] = "INSERT INTO taken_owners (room_no, owner, taken_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    [OWNERS_COPY] = "INSERT INTO taken_owners (room_no, owner, taken_ms) SELECT CAST($2 AS BIGINT), owner, taken_ms"
                    " FROM taken_owners WHERE room_no = $1 ORDER BY turn ON CONFLICT DO NOTHING",
    [OWNERS_FORGET] = "DELETE FROM taken_owners WHERE room_no = $1",
    [OWNER_DELETE] = "DELETE FROM taken_owners WHERE room_no = $1 AND turn >= (SELECT o.turn FROM taken_owners o"
                     " WHERE o.room_no = $1 AND o.owner = $2)",
    [STATE] = "SELECT state FROM taken_states WHERE user_no = $1",
    [STATE_PUT] = "INSERT INTO taken_states (user_no, state, taken_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    [STATE_DELETE] = "DELETE FROM taken_states WHERE user_no = $1",
    [CONTACTS] = "SELECT medium, address, verified_ms, added_ms FROM taken_contacts WHERE user_no = $1"
                 " ORDER BY added_ms, medium, address",
    [CONTACTS_PUT] = "INSERT INTO taken_contacts (user_no, medium, address, verified_ms, added_ms, taken_ms)"
                     " SELECT user_no, medium, address, verified_ms, added_ms, CAST($2 AS BIGINT) FROM contacts"
                     " WHERE user_no = $1 ON CONFLICT DO NOTHING",
    [CONTACTS_DELETE] = "DELETE FROM taken_contacts WHERE user_no = $1",
    [RECORDS] = "SELECT kind, a, b, role, begin_date, end_date, source, since_ms, name_1, name_2, name_3, birth_date,"
                " enabled FROM taken_records ORDER BY kind, a, b",
    [PERSON_PUT] = RECORD_PUT("user_no, 0, '', '', '', source, 0, given_name, family_name, middle_name,"
                              " coalesce(birth_date, ''), enabled") "people WHERE user_no = $1 ON CONFLICT DO NOTHING",
    [CLASS_PUT] = RECORD_PUT("class_no, 0, '', '', '', source, 0, title, grade, '', '', 1") "classes WHERE class_no = "
                                                                                            "$1 ON CONFLICT DO NOTHING",
    [SCHOOL_PUT] = RECORD_PUT("school_no, 0, '', '', '', source, 0, name, '', '', '', 1") "schools WHERE school_no = "
                                                                                          "$1 ON CONFLICT DO NOTHING",
    [ENROLLMENT_PUT] = RECORD_PUT(
        "class_no, user_no, role, begin_date, end_date, source, 0, '', '', '', '', 1") "enrollments WHERE class_no = "
                                                                                       "$1 AND user_no = $4 AND role = "
                                                                                       "$5 AND begin_date = $6 ON "
                                                                                       "CONFLICT DO NOTHING",
    [GUARDIANSHIP_PUT] = RECORD_PUT(
        "child, guardian, '', '', '', source, since_ms, '', '', '', '', 1") "guardianships WHERE child = $1 AND "
                                                                            "guardian = $4 ON CONFLICT DO NOTHING",
    [RECORD_DELETE] = "DELETE FROM taken_records WHERE kind = $1 AND a = $2 AND b = $3 AND role = $4"
                      " AND begin_date = $5",
    [ANY_RECORD] = "SELECT 1 FROM taken_records LIMIT 1",
    [SINCE] = "SELECT since_ms FROM taken_records WHERE kind = $1 AND a = $2 AND b = $3",
    [FORGET_MEMBERS] = "DELETE FROM taken_members WHERE user_no = $1",
    [FORGET_OWNERS] = "DELETE FROM taken_owners WHERE owner = $1",
    [FORGET_RECORDS] = "DELETE FROM taken_records WHERE kind = $2 AND a = $1",
    [FORGET_BONDS] = "DELETE FROM taken_records WHERE (kind = $2 AND b = $1) OR (kind = $3 AND (a = $1 OR b = $1))",
    [PRUNE_MEMBERS] = "DELETE FROM taken_members WHERE taken_ms < $1",
    [PRUNE_OWNERS] = "DELETE FROM taken_owners WHERE taken_ms < $1",
    [PRUNE_STATES] = "DELETE FROM taken_states WHERE taken_ms < $1",
    [PRUNE_CONTACTS] = "DELETE FROM taken_contacts WHERE taken_ms < $1",
    [PRUNE_RECORDS] = "DELETE FROM taken_records WHERE taken_ms < $1",
};
STATEMENTS(TAKEN, "taken", TEXTS);

/* --- Rooms --- */

bool taken_members_put(struct tx *tx, const struct taken_member_row *row)
{
    return db_run(tx->db, &TAKEN, MEMBER_PUT, "iiti", row->user, row->room, membership_name(row->membership),
                  tx->now_ms);
}

bool taken_members_delete(struct db *db, room_no room, user_no user)
{
    return db_run(db, &TAKEN, MEMBER_DELETE, "ii", user, room);
}

struct stmt *taken_members(struct db *db, user_no user)
{
    return user == 0 ? db_query(db, &TAKEN, MEMBERS, "") : db_query(db, &TAKEN, MEMBERS_OF_ONE, "i", user);
}

bool taken_members_next(struct stmt *q, struct taken_member_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct taken_member_row){col_int(q, 0), col_int(q, 1), membership_from(col_text(q, 2))};
    return true;
}

bool taken_members_has(struct db *db, room_no room, user_no user)
{
    return db_int(db, &TAKEN, MEMBERS_HAS, 0, "ii", user, room) != 0;
}

bool taken_owner_put(struct tx *tx, room_no room, user_no owner)
{
    return db_run(tx->db, &TAKEN, OWNER_PUT, "iii", room, owner, tx->now_ms);
}

user_no taken_owner(struct db *db, room_no room)
{
    return db_int(db, &TAKEN, OWNER, 0, "i", room);
}

bool taken_replace(struct db *db, room_no old, room_no new)
{
    return db_run(db, &TAKEN, MEMBERS_COPY, "ii", old, new) && db_run(db, &TAKEN, OWNERS_COPY, "ii", old, new);
}

bool taken_owners_forget(struct db *db, room_no room)
{
    return db_run(db, &TAKEN, OWNERS_FORGET, "i", room);
}

bool taken_owner_delete(struct db *db, room_no room, user_no owner)
{
    return db_run(db, &TAKEN, OWNER_DELETE, "ii", room, owner);
}

/* --- Accounts --- */

bool taken_state_put(struct tx *tx, user_no user, enum account_state state)
{
    return db_run(tx->db, &TAKEN, STATE_PUT, "iti", user, account_state_name(state), tx->now_ms);
}

bool taken_state(struct db *db, user_no user, enum account_state *state)
{
    struct stmt *q = db_query(db, &TAKEN, STATE, "i", user);
    bool there = stmt_next(q);
    if (there)
        *state = account_state_stored(col_text(q, 0));
    stmt_end(q);
    return there;
}

bool taken_state_delete(struct db *db, user_no user)
{
    return db_run(db, &TAKEN, STATE_DELETE, "i", user);
}

bool taken_contacts_put(struct tx *tx, user_no user)
{
    return db_run(tx->db, &TAKEN, CONTACTS_PUT, "ii", user, tx->now_ms);
}

struct stmt *taken_contacts(struct db *db, user_no user)
{
    return db_query(db, &TAKEN, CONTACTS, "i", user);
}

bool taken_contacts_next(struct stmt *q, struct taken_contact_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct taken_contact_row){col_text(q, 0), col_text(q, 1), col_int(q, 2), col_int(q, 3)};
    return true;
}

bool taken_contacts_delete(struct db *db, user_no user)
{
    return db_run(db, &TAKEN, CONTACTS_DELETE, "i", user);
}

/* --- Records --- */

static bool put(struct tx *tx, int which, enum taken_kind kind, int64_t no)
{
    return db_run(tx->db, &TAKEN, which, "iii", no, (int64_t)kind, tx->now_ms);
}

bool taken_person(struct tx *tx, user_no user)
{
    return put(tx, PERSON_PUT, TAKEN_PERSON, user);
}

bool taken_class(struct tx *tx, class_no class)
{
    return put(tx, CLASS_PUT, TAKEN_CLASS, class);
}

bool taken_school(struct tx *tx, school_no school)
{
    return put(tx, SCHOOL_PUT, TAKEN_SCHOOL, school);
}

bool taken_enrollment(struct tx *tx, const struct enrollment_row *row)
{
    char begin[DAY_TEXT_BYTES];
    return db_run(tx->db, &TAKEN, ENROLLMENT_PUT, "iiiitt", row->class, (int64_t)TAKEN_ENROLLMENT, tx->now_ms,
                  row->user, school_role_name(row->role), day_column(row->begin, begin));
}

bool taken_guardianship(struct tx *tx, user_no child, user_no guardian)
{
    return db_run(tx->db, &TAKEN, GUARDIANSHIP_PUT, "iiii", child, (int64_t)TAKEN_GUARDIANSHIP, tx->now_ms, guardian);
}

bool taken_records_any(struct db *db)
{
    return db_int(db, &TAKEN, ANY_RECORD, 0, "") != 0;
}

bool taken_records_delete(struct db *db, const struct taken_record_row *row)
{
    char begin[DAY_TEXT_BYTES];
    return db_run(db, &TAKEN, RECORD_DELETE, "iiitt", (int64_t)row->kind, row->a, row->b,
                  row->role != 0 ? school_role_name(row->role) : "", day_column(row->begin, begin));
}

struct stmt *taken_records(struct db *db)
{
    return db_query(db, &TAKEN, RECORDS, "");
}

bool taken_records_next(struct stmt *q, struct taken_record_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct taken_record_row){.kind = (enum taken_kind)col_int(q, 0),
                                     .a = col_int(q, 1),
                                     .b = col_int(q, 2),
                                     .role = col_role(q, 3),
                                     .begin = col_day(q, 4),
                                     .end = col_day(q, 5),
                                     .source = col_text(q, 6),
                                     .since_ms = col_int(q, 7),
                                     .names = {col_text(q, 8), col_text(q, 9), col_text(q, 10)},
                                     .birth = col_day(q, 11),
                                     .enabled = col_int(q, 12) != 0};
    return true;
}

int64_t taken_guardianship_since(struct db *db, user_no child, user_no guardian)
{
    return db_int(db, &TAKEN, SINCE, 0, "iii", (int64_t)TAKEN_GUARDIANSHIP, child, guardian);
}

/* --- All of it --- */

bool taken_forget(struct tx *tx, user_no user)
{
    struct db *db = tx->db;
    return db_run(db, &TAKEN, FORGET_MEMBERS, "i", user) && db_run(db, &TAKEN, FORGET_OWNERS, "i", user) &&
           db_run(db, &TAKEN, STATE_DELETE, "i", user) && db_run(db, &TAKEN, CONTACTS_DELETE, "i", user) &&
           db_run(db, &TAKEN, FORGET_RECORDS, "ii", user, (int64_t)TAKEN_PERSON) &&
           db_run(db, &TAKEN, FORGET_BONDS, "iii", user, (int64_t)TAKEN_ENROLLMENT, (int64_t)TAKEN_GUARDIANSHIP);
}

bool taken_prune(struct db *db, int64_t before_ms)
{
    static const int ALL[] = {PRUNE_MEMBERS, PRUNE_OWNERS, PRUNE_STATES, PRUNE_CONTACTS, PRUNE_RECORDS};
    bool done = true;
    for (size_t i = 0; done && i < sizeof ALL / sizeof *ALL; ++i)
        done = db_run(db, &TAKEN, ALL[i], "i", before_ms);
    return done;
}
