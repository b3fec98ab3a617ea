#include "homeserver/store/school/roster_rooms.h"

#include "homeserver/store/school/school_rooms.h"

enum { FIND, LEVELS, SET_LEVELS, PUT, ARCHIVE, ARCHIVE_KIND, ARCHIVE_MEMBERS, ARCHIVE_ROOM, N };
static const struct statement TEXTS[N] = {
    [FIND] = "SELECT room_no FROM roster_rooms WHERE school_no = $1 AND class_no = $2 AND kind = $3",
    /* 100: what rooms of before said of encryption, whatever the policy (KEPT_ROOM_NOBODY) */
    [LEVELS] = "SELECT room_no, kind, school_no, class_no, COALESCE(poll_level, -1), COALESCE(encryption_level, 100)"
               " FROM roster_rooms"
               " WHERE school_no = $1 OR CAST($1 AS BIGINT) = 0 ORDER BY school_no",
    [SET_LEVELS] = {"UPDATE roster_rooms SET poll_level = $2, encryption_level = $3 WHERE room_no = $1", EPOCH_RECORDS},
    [PUT] = {"INSERT INTO roster_rooms (room_no, kind, school_no, class_no) VALUES ($1, $2, $3, $4)", EPOCH_RECORDS},
    [ARCHIVE] = {"INSERT INTO archived_rooms (room_no, kind, school_no, class_no, archived_ms)"
                 " SELECT room_no, kind, school_no, class_no, CAST($2 AS BIGINT) FROM roster_rooms WHERE room_no = $1",
                 EPOCH_RECORDS},
    [ARCHIVE_KIND] = {"UPDATE rooms SET kind = 'archive' WHERE room_no = $1", EPOCH_RECORDS},
    [ARCHIVE_MEMBERS] = {"DELETE FROM roster_members WHERE room_no = $1", EPOCH_RECORDS, GUARDED},
    [ARCHIVE_ROOM] = {"DELETE FROM roster_rooms WHERE room_no = $1", EPOCH_RECORDS},
};
STATEMENTS(ROSTER_ROOMS, "roster_rooms", TEXTS);

room_no roster_rooms_find(struct db *db, school_no school, class_no class, enum room_kind kind)
{
    return db_int(db, &ROSTER_ROOMS, FIND, 0, "iit", school, class, room_kind_name(kind));
}

struct stmt *roster_rooms_levels(struct db *db, school_no school)
{
    return db_query(db, &ROSTER_ROOMS, LEVELS, "i", school);
}

bool roster_rooms_next_levels(struct stmt *q, struct roster_room_row *row, struct roster_room_levels *levels)
{
    if (!stmt_next(q))
        return false;
    *row = (struct roster_room_row){.room = col_int(q, 0), .school = col_int(q, 2), .class = col_int(q, 3)};
    room_kind_from(col_text(q, 1), &row->kind);
    *levels = (struct roster_room_levels){.polls = (int)col_int(q, 4), .encryption = (int)col_int(q, 5)};
    return true;
}

bool roster_rooms_set_levels(struct db *db, room_no room, const struct roster_room_levels *levels)
{
    return db_run(db, &ROSTER_ROOMS, SET_LEVELS, "iii", room, (int64_t)levels->polls, (int64_t)levels->encryption);
}

bool roster_rooms_put(struct db *db, const struct roster_room_row *row)
{
    return db_run(db, &ROSTER_ROOMS, PUT, "itii", row->room, room_kind_name(row->kind), row->school, row->class) &&
           room_schools_put(db, row->room, row->school);
}

bool roster_rooms_archive(struct db *db, room_no room, int64_t now_ms)
{
    return db_run(db, &ROSTER_ROOMS, ARCHIVE, "ii", room, now_ms) &&
           db_run(db, &ROSTER_ROOMS, ARCHIVE_KIND, "i", room) &&
           db_run(db, &ROSTER_ROOMS, ARCHIVE_MEMBERS, "i", room) && db_run(db, &ROSTER_ROOMS, ARCHIVE_ROOM, "i", room);
}
