#include "homeserver/store/matrix/rooms.h"

#include "homeserver/store/driver/writer.h"

#define ROW "SELECT room_no, room_id, version, creator, published FROM rooms "

enum {
    BY_ID,
    ID_OF,
    GET,
    PUBLISHED,
    OWNED,
    ALIAS_ROOMS,
    ALIAS_CREATOR,
    ALIAS_TAKEN,
    ALIASES_OF,
    ALIASES_BY,
    INSERT,
    SET_ID,
    SET_PUBLISHED,
    ALIAS_INSERT,
    ALIAS_DELETE,
    ALIASES_FORGET,
    ALIASES_MOVE,
    COUNT
};
static const struct statement TEXTS[COUNT] = {
    [BY_ID] = "SELECT room_no FROM rooms WHERE room_id = $1",
    [ID_OF] = "SELECT room_id FROM rooms WHERE room_no = $1",
    [GET] = ROW "WHERE room_no = $1",
    [PUBLISHED] = ROW "WHERE published = 1 ORDER BY room_no",
    [OWNED] = "SELECT MIN(room_no) FROM rooms WHERE owner = $1 AND kind = $2",
    [ALIAS_ROOMS] = "SELECT room_no FROM aliases WHERE alias = $1 ORDER BY room_no",
    [ALIAS_CREATOR] = "SELECT creator FROM aliases WHERE alias = $1 AND room_no = $2",
    /* By a room that has a school with this one in common, or has none like this one. */
    [ALIAS_TAKEN] = "SELECT 1 FROM aliases a WHERE a.alias = $1 AND (EXISTS (SELECT 1 FROM room_schools x"
                    " JOIN room_schools y ON y.school_no = x.school_no WHERE x.room_no = a.room_no AND y.room_no = $2)"
                    " OR (NOT EXISTS (SELECT 1 FROM room_schools x WHERE x.room_no = a.room_no)"
                    " AND NOT EXISTS (SELECT 1 FROM room_schools y WHERE y.room_no = $2))) LIMIT 1",
    [ALIASES_OF] = "SELECT alias FROM aliases WHERE room_no = $1 ORDER BY alias",
    [INSERT] = {"INSERT INTO rooms (room_id, version, creator, created_ms) VALUES ($1, $2, $3, $4)"
                " RETURNING room_no",
                EPOCH_RECORDS},
    [SET_ID] = {"UPDATE rooms SET room_id = $2 WHERE room_no = $1", 0, "the room is being made"},
    [SET_PUBLISHED] = "UPDATE rooms SET published = $2 WHERE room_no = $1",
    [ALIASES_BY] = "SELECT alias, room_no FROM aliases WHERE creator = $1 ORDER BY room_no, alias",
    [ALIAS_INSERT] = "INSERT INTO aliases (alias, room_no, creator) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    [ALIASES_FORGET] = "DELETE FROM aliases WHERE creator = $1",
    [ALIAS_DELETE] = "DELETE FROM aliases WHERE alias = $1 AND room_no = $2",
    [ALIASES_MOVE] = "UPDATE aliases SET room_no = $2 WHERE room_no = $1",
};
STATEMENTS(ROOMS, "rooms", TEXTS);

room_no rooms_by_id(struct db *db, const char *room_id)
{
    return db_int(db, &ROOMS, BY_ID, 0, "t", room_id);
}

char *rooms_id_of(struct db *db, room_no room)
{
    return db_text(db, &ROOMS, ID_OF, "i", room);
}

room_no rooms_owned(struct db *db, user_no owner, const char *kind)
{
    return db_int(db, &ROOMS, OWNED, 0, "it", owner, kind);
}

bool rooms_next(struct stmt *q, struct room_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct room_row){col_int(q, 0), col_text(q, 1), col_text(q, 2), col_int(q, 3), col_int(q, 4) != 0};
    return true;
}

struct stmt *rooms_get(struct db *db, room_no room)
{
    return db_query(db, &ROOMS, GET, "i", room);
}

struct stmt *rooms_published(struct db *db)
{
    return db_query(db, &ROOMS, PUBLISHED, "");
}

struct stmt *aliases_rooms(struct db *db, const char *alias)
{
    return db_query(db, &ROOMS, ALIAS_ROOMS, "t", alias);
}

user_no aliases_creator(struct db *db, const char *alias, room_no room)
{
    return db_int(db, &ROOMS, ALIAS_CREATOR, 0, "ti", alias, room);
}

struct stmt *aliases_of_room(struct db *db, room_no room)
{
    return db_query(db, &ROOMS, ALIASES_OF, "i", room);
}

struct stmt *aliases_of_creator(struct db *db, user_no creator)
{
    return db_query(db, &ROOMS, ALIASES_BY, "i", creator);
}

room_no rooms_insert(struct tx *tx, const char *room_id, const char *version, user_no creator)
{
    return db_insert(tx->db, &ROOMS, INSERT, "ttii", room_id, version, creator, tx->now_ms);
}

bool rooms_set_id(struct tx *tx, room_no room, const char *room_id)
{
    return db_run(tx->db, &ROOMS, SET_ID, "it", room, room_id);
}

bool rooms_set_published(struct tx *tx, room_no room, bool published)
{
    return db_run(tx->db, &ROOMS, SET_PUBLISHED, "ii", room, (int64_t)published);
}

bool aliases_insert(struct tx *tx, const char *alias, room_no room, user_no creator)
{
    return db_int(tx->db, &ROOMS, ALIAS_TAKEN, 0, "ti", alias, room) == 0 &&
           db_rows(tx->db, &ROOMS, ALIAS_INSERT, "tii", alias, room, creator) == 1;
}

bool aliases_delete(struct tx *tx, const char *alias, room_no room)
{
    return db_run(tx->db, &ROOMS, ALIAS_DELETE, "ti", alias, room);
}

bool aliases_forget(struct tx *tx, user_no creator)
{
    return db_run(tx->db, &ROOMS, ALIASES_FORGET, "i", creator);
}

bool aliases_move(struct tx *tx, room_no from, room_no to)
{
    return db_run(tx->db, &ROOMS, ALIASES_MOVE, "ii", from, to);
}
