#include "homeserver/store/school/roster_members.h"

#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/sql_private.h"

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
    " AND r.role IN " STAFF_ROLES " AND " CURRENT("r", 1) of("r.user_no")
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
    " AND n.role = 'pupil' AND " STANDS("g.guardian", " AND r.role = 'guardian'") " AND " CURRENT(                     \
        "n", 1) " AND " IN_FORCE("g") of("g.guardian")
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

#define WANTED_BY(of)                                                                                                  \
    WANTED_SCHOOL(of)                                                                                                  \
    " UNION ALL " WANTED_STAFF(of) " UNION ALL " WANTED_CLASS(of) " UNION ALL " WANTED_GUARDIANS(                      \
        of) " UNION ALL " WANTED_GUARDIANS_TEACHER(of) " UNION ALL " WANTED_SUBJECT(of) " UNION ALL " WANTED_NAMED(of)

/* A3: neither the pending nor those who left are in rooms; nor is whom the roster has switched off. Those are few: of
 * everybody, they are looked up once. */
#define WANTED_OF_ALL                                                                                                  \
    "WITH away AS MATERIALIZED (SELECT user_no FROM people WHERE enabled = 0 OR ended = 1"                             \
    " UNION SELECT user_no FROM users WHERE state IN ('pending', 'left'))"                                             \
    " SELECT w.room_no, w.user_no, w.power FROM (" WANTED_BY(                                                          \
        EVERYBODY) ") w"                                                                                               \
                   " WHERE w.user_no NOT IN (SELECT user_no FROM away)"
#define WANTED_OF_ONE                                                                                                  \
    "SELECT w.room_no, w.user_no, w.power FROM (" WANTED_BY(                                                           \
        ONE_SECOND) ") w JOIN people p ON p.user_no = w.user_no"                                                       \
                    " JOIN users u ON u.user_no = w.user_no"                                                           \
                    " WHERE p.enabled = 1 AND p.ended = 0 AND u.state NOT IN ('pending', 'left')"

#define TO_JOIN_BY(of)                                                                                                 \
    "SELECT m.room_no, m.user_no, m.power FROM roster_members m"                                                       \
    " LEFT JOIN memberships s ON s.user_no = m.user_no AND s.room_no = m.room_no"                                      \
    " WHERE (s.membership IS NULL OR s.membership <> 'join')" of("m.user_no") " ORDER BY m.room_no, m.user_no"
#define TO_LEAVE_BY(of)                                                                                                \
    "SELECT s.room_no, s.user_no, 0 FROM roster_rooms rr"                                                              \
    " JOIN memberships s ON s.room_no = rr.room_no JOIN users u ON u.user_no = s.user_no"                              \
    " LEFT JOIN roster_members m ON m.room_no = s.room_no AND m.user_no = s.user_no"                                   \
    " WHERE s.membership IN ('join', 'invite', 'knock') AND m.user_no IS NULL"                                         \
    " AND NOT (u.kind = 'service' AND u.localpart = '" SERVICE_LOCALPART                                               \
    "')" of("s.user_no") " ORDER BY s.room_no, s.user_no"

#define MEMBER "SELECT room_no, user_no, power FROM roster_members "

enum {
    ALL,
    IN_ROOM,
    OF_PERSON,
    WANTED,
    WANTED_OF,
    TO_JOIN,
    TO_JOIN_OF,
    TO_LEAVE,
    TO_LEAVE_OF,
    POWERS,
    PUT,
    DELETE,
    NAMED_PUT,
    NAMED_DELETE,
    N
};
static const struct statement TEXTS[N] = {
    [ALL] = MEMBER "ORDER BY room_no, user_no",
    [IN_ROOM] = MEMBER "WHERE room_no = $1 ORDER BY user_no",
    [OF_PERSON] = MEMBER "WHERE user_no = $1 ORDER BY room_no",
    [WANTED] = WANTED_OF_ALL,
    [WANTED_OF] = WANTED_OF_ONE,
    [TO_JOIN] = TO_JOIN_BY(EVERYBODY),
    [TO_JOIN_OF] = TO_JOIN_BY(ONE_FIRST),
    [TO_LEAVE] = TO_LEAVE_BY(EVERYBODY),
    [TO_LEAVE_OF] = TO_LEAVE_BY(ONE_FIRST),
    [POWERS] = "SELECT u.localpart, m.power FROM roster_members m JOIN users u ON u.user_no = m.user_no"
               " WHERE m.room_no = $1 AND m.power > 0",
    [PUT] = {"INSERT INTO roster_members (room_no, user_no, power) VALUES ($1, $2, $3)"
             " ON CONFLICT (room_no, user_no) DO UPDATE SET power = excluded.power",
             EPOCH_RECORDS, GUARDED},
    [DELETE] = {"DELETE FROM roster_members WHERE room_no = $1 AND user_no = $2", EPOCH_RECORDS, GUARDED},
    [NAMED_PUT] = {"INSERT INTO named_members (room_no, user_no) VALUES ($1, $2) ON CONFLICT DO NOTHING", EPOCH_RECORDS,
                   GUARDED},
    [NAMED_DELETE] = {"DELETE FROM named_members WHERE room_no = $1 AND user_no = $2", EPOCH_RECORDS, GUARDED},
};
STATEMENTS(ROSTER_MEMBERS, "roster_members", TEXTS);

bool roster_members_next(struct stmt *q, struct roster_member_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct roster_member_row){col_int(q, 0), col_int(q, 1), (int)col_int(q, 2)};
    return true;
}

struct stmt *roster_members_all(struct db *db)
{
    return db_query(db, &ROSTER_MEMBERS, ALL, "");
}

struct stmt *roster_members_in(struct db *db, room_no room)
{
    return db_query(db, &ROSTER_MEMBERS, IN_ROOM, "i", room);
}

struct stmt *roster_members_of(struct db *db, user_no user)
{
    return db_query(db, &ROSTER_MEMBERS, OF_PERSON, "i", user);
}

/* The day is kept while the statement runs: SQLite borrows the text, so the caller gives the buffer. */
struct stmt *roster_members_wanted(struct db *db, school_day day, user_no user, char buffer[DAY_TEXT_BYTES])
{
    day_text(day, buffer);
    return user == 0 ? db_query(db, &ROSTER_MEMBERS, WANTED, "t", buffer)
                     : db_query(db, &ROSTER_MEMBERS, WANTED_OF, "ti", buffer, user);
}

static struct stmt *of_all_or_one(struct db *db, int which, user_no user)
{
    return user == 0 ? db_query(db, &ROSTER_MEMBERS, which, "") : db_query(db, &ROSTER_MEMBERS, which + 1, "i", user);
}

struct stmt *roster_members_to_join(struct db *db, user_no user)
{
    return of_all_or_one(db, TO_JOIN, user);
}

struct stmt *roster_members_to_leave(struct db *db, user_no user)
{
    return of_all_or_one(db, TO_LEAVE, user);
}

struct stmt *roster_members_powers(struct db *db, room_no room)
{
    return db_query(db, &ROSTER_MEMBERS, POWERS, "i", room);
}

bool roster_members_put(struct db *db, const struct roster_member_row *row)
{
    return db_run(db, &ROSTER_MEMBERS, PUT, "iii", row->room, row->user, (int64_t)row->power);
}

bool roster_members_delete(struct db *db, room_no room, user_no user)
{
    return db_run(db, &ROSTER_MEMBERS, DELETE, "ii", room, user);
}

bool named_members_put(struct db *db, room_no room, user_no user)
{
    return db_run(db, &ROSTER_MEMBERS, NAMED_PUT, "ii", room, user);
}

bool named_members_delete(struct db *db, room_no room, user_no user)
{
    return db_run(db, &ROSTER_MEMBERS, NAMED_DELETE, "ii", room, user);
}
