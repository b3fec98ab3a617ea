#include "homeserver/store/school/school_rooms.h"

#include "homeserver/store/school/sql_private.h"
#include "homeserver/store/school/viewer.h"

#define KIND "coalesce(rr.kind, CASE WHEN a.room_no IS NOT NULL THEN 'archive' ELSE r.kind END)"
#define ROOM                                                                                                           \
    "SELECT r.room_no, r.room_id, " KIND ", r.joined,"                                                                 \
    " (SELECT e.content FROM room_state t JOIN events e ON e.pos = t.pos WHERE t.room_no = r.room_no"                  \
    " AND t.type = 'm.room.name' AND t.state_key = ''),"                                                               \
    " CASE WHEN o.kind = 'person' THEN o.localpart END, c.sourced_id FROM rooms r"                                     \
    " LEFT JOIN roster_rooms rr ON rr.room_no = r.room_no LEFT JOIN archived_rooms a ON a.room_no = r.room_no"         \
    " LEFT JOIN users o ON o.user_no = coalesce(r.owner, r.creator)"                                                   \
    " LEFT JOIN classes c ON c.class_no = coalesce(rr.class_no, a.class_no) "

enum {
    ONE,
    PAGE,
    OF_PERSON,
    MEMBERS,
    PEOPLE,
    NEXT_OWNER,
    LIBRARY,
    SET_LIBRARY,
    SCHOOL_PUT,
    SCHOOL_DELETE,
    HAS_SCHOOL,
    RECORD,
    RECORD_DIRECT,
    SET,
    NARROW,
    PAIR,
    REPLACE_SCHOOLS,
    REPLACE_ROOM,
    REPLACE_MEMBERS,
    REPLACE_KIND,
    REPLACE_PAIR,
    REPLACE_NAMED,
    REPLACE_ASSOCIATIONS,
    N
};
static const struct statement TEXTS[N] = {
    [ONE] = ROOM "WHERE r.room_no = $1",
    [PAGE] =
        ROOM "WHERE r.room_no IN (SELECT s.room_no FROM room_schools s WHERE s.room_no > $3"
             " AND ($5 = 0 OR s.school_no = $5) AND " SEES(
                 "s.school_no", 1, 2) ") AND " KIND " NOT IN ('direct', 'documents', 'notices') AND ($6 = '' OR " KIND
                                      " = $6) ORDER BY r.room_no LIMIT $4",
    [OF_PERSON] = ROOM "WHERE r.room_no IN (SELECT m.room_no FROM memberships m WHERE m.user_no = $1"
                       " AND m.membership = 'join' AND m.room_no > $2) ORDER BY r.room_no LIMIT $3",
    [MEMBERS] =
        "SELECT u.user_no, u.localpart, coalesce(m.membership, 'leave'), h.user_no, h.power, n.user_no FROM users u"
        " LEFT JOIN memberships m ON m.user_no = u.user_no AND m.room_no = $1"
        " LEFT JOIN roster_members h ON h.user_no = u.user_no AND h.room_no = $1"
        " LEFT JOIN named_members n ON n.user_no = u.user_no AND n.room_no = $1"
        " WHERE u.kind = 'person' AND u.user_no > $2 AND u.user_no IN (SELECT y.user_no FROM memberships y"
        " WHERE y.room_no = $1 AND y.membership IN ('join', 'invite', 'knock')"
        " UNION SELECT z.user_no FROM named_members z WHERE z.room_no = $1) ORDER BY u.user_no LIMIT $3",
    [PEOPLE] = "SELECT m.user_no FROM memberships m JOIN users u ON u.user_no = m.user_no"
               " WHERE m.room_no = $1 AND m.membership = 'join' AND u.kind = 'person' ORDER BY m.user_no LIMIT $2",
    [NEXT_OWNER] = "SELECT m.user_no FROM memberships m JOIN users u ON u.user_no = m.user_no"
                   " WHERE m.room_no = $1 AND m.membership = 'join' AND m.user_no <> $2 AND u.kind = 'person'"
                   " ORDER BY CASE WHEN u.state <> 'active' THEN 2 WHEN EXISTS (SELECT 1 FROM roles r JOIN "
                   "room_schools s ON s.school_no = r.school_no"
                   " WHERE s.room_no = $1 AND r.user_no = m.user_no AND " CURRENT(
                       "r", 3) " AND r.role IN " STAFF_ROLES ") THEN 0 ELSE 1 END, m.joined_pos LIMIT 1",
    [LIBRARY] = "SELECT r.room_no FROM rooms r JOIN room_schools s ON s.room_no = r.room_no"
                " WHERE r.kind = 'library' AND s.school_no = $1 ORDER BY r.room_no DESC LIMIT 1",
    [SET_LIBRARY] = {"UPDATE rooms SET kind = 'library' WHERE room_no = $1", EPOCH_RECORDS},

    [SCHOOL_PUT] = {"INSERT INTO room_schools (room_no, school_no) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    EPOCH_RECORDS},
    [SCHOOL_DELETE] = {"DELETE FROM room_schools WHERE room_no = $1 AND school_no = $2", EPOCH_RECORDS},
    [HAS_SCHOOL] = "SELECT 1 FROM room_schools WHERE room_no = $1 LIMIT 1",
    [RECORD] =
        {"INSERT INTO room_schools (room_no, school_no) SELECT DISTINCT CAST($1 AS BIGINT), r.school_no FROM roles r"
         " WHERE r.user_no = $2 AND " CURRENT("r", 3) " ON CONFLICT DO NOTHING",
         EPOCH_RECORDS},
    [RECORD_DIRECT] = {"INSERT INTO direct_rooms (room_no, a) VALUES ($1, $2) ON CONFLICT DO NOTHING", EPOCH_RECORDS},
    [SET] = {"UPDATE rooms SET kind = $2, owner = CASE WHEN $3 = 0 THEN creator ELSE $3 END WHERE room_no = $1",
             EPOCH_RECORDS, GUARDED},
    [NARROW] = {"DELETE FROM room_schools WHERE room_no = $1"
                " AND NOT EXISTS (SELECT 1 FROM roster_rooms rr WHERE rr.room_no = $1) AND school_no NOT IN"
                " (SELECT r.school_no FROM roles r WHERE r.user_no = $2 AND " CURRENT("r", 3) ")",
                EPOCH_RECORDS},
    [PAIR] = {"UPDATE direct_rooms SET b = $2 WHERE room_no = $1 AND b IS NULL AND a <> $2", EPOCH_RECORDS},
    [REPLACE_SCHOOLS] = {"INSERT INTO room_schools (room_no, school_no) SELECT CAST($2 AS BIGINT), school_no"
                         " FROM room_schools WHERE room_no = $1 ON CONFLICT DO NOTHING",
                         EPOCH_RECORDS},
    [REPLACE_ROOM] = {"UPDATE roster_rooms SET room_no = $2 WHERE room_no = $1", EPOCH_RECORDS},
    [REPLACE_MEMBERS] = {"UPDATE roster_members SET room_no = $2 WHERE room_no = $1", EPOCH_RECORDS,
                         "the room that takes the place of another has its members"},
    [REPLACE_KIND] = {"UPDATE rooms SET kind = (SELECT o.kind FROM rooms o WHERE o.room_no = $1),"
                      " owner = (SELECT COALESCE(o.owner, o.creator) FROM rooms o WHERE o.room_no = $1)"
                      " WHERE room_no = $2",
                      EPOCH_RECORDS, "the room that takes the place of another has its owner"},
    [REPLACE_PAIR] = {"INSERT INTO direct_rooms (room_no, a, b) SELECT CAST($2 AS BIGINT), a, b FROM direct_rooms"
                      " WHERE room_no = $1",
                      EPOCH_RECORDS},
    [REPLACE_NAMED] = {"INSERT INTO named_members (room_no, user_no) SELECT CAST($2 AS BIGINT), user_no"
                       " FROM named_members WHERE room_no = $1",
                       EPOCH_RECORDS, "the room that takes the place of another has its members"},
    [REPLACE_ASSOCIATIONS] = {"INSERT INTO associations (room_no, school_no, agreed_ms, agreed_by)"
                              " SELECT CAST($2 AS BIGINT), school_no, agreed_ms, agreed_by FROM associations"
                              " WHERE room_no = $1",
                              EPOCH_RECORDS, "the room that takes the place of another has its schools"},
};
STATEMENTS(SCHOOL_ROOMS, "school_rooms", TEXTS);

/* --- Reading --- */

bool school_rooms_next(struct stmt *q, struct school_room_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct school_room_row){.no = col_int(q, 0),
                                    .room_id = col_text(q, 1),
                                    .joined = (int)col_int(q, 3),
                                    .name = col_text(q, 4),
                                    .owner = col_text(q, 5),
                                    .class_id = col_text(q, 6)};
    room_kind_from(col_text(q, 2), &row->kind);
    return true;
}

struct stmt *school_rooms_one(struct db *db, room_no room)
{
    return db_query(db, &SCHOOL_ROOMS, ONE, "i", room);
}

struct stmt *school_rooms_page(struct db *db, const struct viewer *viewer, school_no school, const char *kind,
                               room_no after, int limit)
{
    return db_query(db, &SCHOOL_ROOMS, PAGE, "itiiit", viewer->user, viewer->day, after, (int64_t)limit, school, kind);
}

struct stmt *school_rooms_of_person(struct db *db, user_no user, room_no after, int limit)
{
    return db_query(db, &SCHOOL_ROOMS, OF_PERSON, "iii", user, after, (int64_t)limit);
}

struct stmt *school_room_members(struct db *db, room_no room, user_no after, int limit)
{
    return db_query(db, &SCHOOL_ROOMS, MEMBERS, "iii", room, after, (int64_t)limit);
}

bool school_room_members_next(struct stmt *q, struct school_room_member_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct school_room_member_row){.user = col_int(q, 0),
                                           .localpart = col_text(q, 1),
                                           .membership = col_text(q, 2),
                                           .held = !col_null(q, 3),
                                           .power = (int)col_int(q, 4),
                                           .named = !col_null(q, 5)};
    return true;
}

int school_room_people(struct db *db, room_no room, user_no *out, int max)
{
    return take_numbers(db_query(db, &SCHOOL_ROOMS, PEOPLE, "ii", room, (int64_t)max), out, max);
}

user_no school_room_next_owner(struct db *db, room_no room, user_no without, school_day day)
{
    char text[DAY_TEXT_BYTES];
    return db_int(db, &SCHOOL_ROOMS, NEXT_OWNER, 0, "iit", room, without, day_text(day, text));
}

room_no library_find(struct db *db, school_no school)
{
    return db_int(db, &SCHOOL_ROOMS, LIBRARY, 0, "i", school);
}

/* --- Inside a job --- */

bool room_schools_put(struct db *db, room_no room, school_no school)
{
    return db_run(db, &SCHOOL_ROOMS, SCHOOL_PUT, "ii", room, school);
}

bool room_schools_delete(struct db *db, room_no room, school_no school)
{
    return db_run(db, &SCHOOL_ROOMS, SCHOOL_DELETE, "ii", room, school);
}

bool library_put(struct db *db, room_no room, school_no school)
{
    return db_run(db, &SCHOOL_ROOMS, SET_LIBRARY, "i", room) && room_schools_put(db, room, school);
}

bool school_room_set(struct db *db, room_no room, enum room_kind kind, user_no owner)
{
    return db_run(db, &SCHOOL_ROOMS, SET, "iti", room, room_kind_name(kind), owner);
}

bool school_room_record(struct db *db, room_no room, user_no creator, enum room_kind kind)
{
    char day[DAY_TEXT_BYTES];
    if (!db_run(db, &SCHOOL_ROOMS, RECORD, "iit", room, creator, day_today(day)))
        return false;
    if (db_int(db, &SCHOOL_ROOMS, HAS_SCHOOL, 0, "i", room) == 0)
        return true;
    return school_room_set(db, room, kind, creator) &&
           (kind != ROOM_DIRECT || db_run(db, &SCHOOL_ROOMS, RECORD_DIRECT, "ii", room, creator));
}

bool school_room_narrow(struct db *db, room_no room, user_no user)
{
    char day[DAY_TEXT_BYTES];
    return db_run(db, &SCHOOL_ROOMS, NARROW, "iit", room, user, day_today(day));
}

bool school_room_pair(struct db *db, room_no room, user_no user)
{
    return db_run(db, &SCHOOL_ROOMS, PAIR, "ii", room, user);
}

bool school_room_replace(struct db *db, room_no old, room_no new)
{
    static const int ALL[] = {REPLACE_SCHOOLS, REPLACE_ROOM,  REPLACE_MEMBERS,     REPLACE_KIND,
                              REPLACE_PAIR,    REPLACE_NAMED, REPLACE_ASSOCIATIONS};
    bool done = true;
    for (size_t i = 0; done && i < sizeof ALL / sizeof *ALL; ++i)
        done = db_run(db, &SCHOOL_ROOMS, ALL[i], "ii", old, new);
    return done;
}
