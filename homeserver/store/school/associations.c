#include "homeserver/store/school/associations.h"

#include "homeserver/base/days.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/school/sql_private.h"

enum { HAS, STAFF_ROOMS, STRANGERS, OF_SCHOOL, PUT, DELETE, CODE_PUT, CODE_FIND, CODE_DELETE, CODES_END, COUNT };

static const struct statement TEXTS[COUNT] = {
    [HAS] = "SELECT 1 FROM associations WHERE room_no = $1 AND school_no = $2",
    [STAFF_ROOMS] = "SELECT r.room_id FROM associations a JOIN roster_rooms rr ON rr.school_no = a.school_no"
                    " AND rr.class_no = 0 AND rr.kind = 'staff' JOIN rooms r ON r.room_no = rr.room_no"
                    " WHERE a.room_no = $1 ORDER BY a.school_no",
    [STRANGERS] =
        "SELECT m.user_no FROM memberships m JOIN users u ON u.user_no = m.user_no"
        " WHERE m.room_no = $1 AND m.membership IN ('join', 'invite', 'knock') AND u.kind = 'person'"
        " AND NOT EXISTS (SELECT 1 FROM associations a JOIN roles r ON r.school_no = a.school_no"
        " WHERE a.room_no = $1 AND r.user_no = m.user_no AND " CURRENT("r", 2) " AND r.role IN " STAFF_ROLES ")",
    [OF_SCHOOL] = "SELECT a.room_no, r.room_id FROM associations a JOIN rooms r ON r.room_no = a.room_no"
                  " WHERE a.school_no = $1 ORDER BY a.room_no",
    [PUT] = {"INSERT INTO associations (room_no, school_no, agreed_ms, agreed_by) VALUES ($1, $2, $3, $4)"
             " ON CONFLICT DO NOTHING",
             EPOCH_RECORDS, GUARDED},
    [DELETE] = {"DELETE FROM associations WHERE room_no = $1 AND school_no = $2", EPOCH_RECORDS, GUARDED},
    [CODE_PUT] = "INSERT INTO association_codes (code_hash, room_no, expires_ms) VALUES ($1, $2, $3)",
    [CODE_FIND] = "SELECT room_no FROM association_codes WHERE code_hash = $1 AND expires_ms > $2",
    [CODE_DELETE] = "DELETE FROM association_codes WHERE code_hash = $1",
    [CODES_END] = "DELETE FROM association_codes WHERE room_no = $1",
};
STATEMENTS(ASSOCIATIONS, "associations", TEXTS);

bool associations_has(struct db *db, room_no room, school_no school)
{
    return db_int(db, &ASSOCIATIONS, HAS, 0, "ii", room, school) != 0;
}

struct stmt *associations_staff_rooms(struct db *db, room_no room)
{
    return db_query(db, &ASSOCIATIONS, STAFF_ROOMS, "i", room);
}

struct stmt *associations_strangers(struct db *db, room_no room, char day[DAY_TEXT_BYTES])
{
    return db_query(db, &ASSOCIATIONS, STRANGERS, "it", room, day);
}

struct stmt *associations_of_school(struct db *db, school_no school)
{
    return db_query(db, &ASSOCIATIONS, OF_SCHOOL, "i", school);
}

bool associations_put(struct tx *tx, room_no room, school_no school, const char *by)
{
    return db_run(tx->db, &ASSOCIATIONS, PUT, "iiit", room, school, tx->now_ms, by) &&
           room_schools_put(tx->db, room, school);
}

bool associations_delete(struct tx *tx, room_no room, school_no school)
{
    return db_run(tx->db, &ASSOCIATIONS, DELETE, "ii", room, school) && room_schools_delete(tx->db, room, school);
}

bool association_codes_put(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES], room_no room, int64_t expires_ms)
{
    return db_run(tx->db, &ASSOCIATIONS, CODE_PUT, "bii", hash, (size_t)TOKEN_HASH_BYTES, room, expires_ms);
}

room_no association_codes_take(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES])
{
    room_no room = db_int(tx->db, &ASSOCIATIONS, CODE_FIND, 0, "bi", hash, (size_t)TOKEN_HASH_BYTES, tx->now_ms);
    if (room != 0)
        db_run(tx->db, &ASSOCIATIONS, CODE_DELETE, "b", hash, (size_t)TOKEN_HASH_BYTES);
    return room;
}

bool association_codes_end(struct tx *tx, room_no room)
{
    return db_run(tx->db, &ASSOCIATIONS, CODES_END, "i", room);
}
