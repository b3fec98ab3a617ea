#include "homeserver/store/school/erasures.h"

#include "homeserver/store/driver/writer.h"

/* FORGET…: each takes the user alone. */
enum {
    OPEN,
    DONE,
    KEPT,
    SCHOOL,
    ROOM,
    EVENTS,
    BEGIN,
    ADVANCE,
    FINISH,
    FORGET_PERSON,
    FORGET_CONTACTS,
    FORGET_APPLICATIONS
};
enum { FORGET_LINKS = FORGET_APPLICATIONS + 1, FORGET_HELD, COUNT };

static const char *const TEXTS[] = {
    [OPEN] = "SELECT user_no, room_no, pos FROM erasures WHERE done_ms IS NULL ORDER BY started_ms, user_no LIMIT 1",
    [DONE] = "SELECT 1 FROM erasures WHERE user_no = $1 AND done_ms IS NOT NULL",
    [KEPT] = "SELECT 1 FROM people WHERE user_no = $1 AND ended = 0 AND source <> 'school'",
    [SCHOOL] = "SELECT MIN(school_no) FROM roles WHERE user_no = $1",
    [ROOM] = "SELECT MIN(room_no) FROM memberships WHERE user_no = $1 AND room_no >= $2",
    [EVENTS] = "SELECT pos, event_id, type, state_key FROM events WHERE room_no = $1 AND pos > $3 AND sender = $2"
               " AND redacted_by IS NULL AND (state_key IS NULL OR type = 'm.room.member')"
               " AND type <> 'm.room.redaction' ORDER BY pos LIMIT $4",
    [BEGIN] = "INSERT INTO erasures (user_no, author, started_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    [ADVANCE] = "UPDATE erasures SET room_no = $2, pos = $3 WHERE user_no = $1",
    [FINISH] = "UPDATE erasures SET done_ms = $2 WHERE user_no = $1",
    [FORGET_PERSON] = "UPDATE people SET given_name = '', family_name = '', middle_name = '', birth_date = NULL,"
                      " sourced_id = 'erased:' || user_no, ended = 1, enabled = 0, closed = 0,"
                      " version = version + 1"
                      " WHERE user_no = $1",
    [FORGET_CONTACTS] = "DELETE FROM contacts WHERE user_no = $1",
    [FORGET_APPLICATIONS] = "UPDATE applications SET given_name = '', family_name = '', middle_name = '',"
                            " birth_date = NULL, note = '', reason = ''"
                            " WHERE user_no = $1 OR (child = $1 AND kind = 'correction')",
    [FORGET_LINKS] = "UPDATE links SET revoked_ms = created_ms WHERE person = $1 AND revoked_ms IS NULL",
    [FORGET_HELD] = "DELETE FROM held_messages WHERE sender = $1",
};
static const struct statements ERASURES = {"erasures", TEXTS, COUNT};

bool erasures_open(struct db *db, struct erasure *out)
{
    struct stmt *q = db_query(db, &ERASURES, OPEN, "");
    bool found = stmt_next(q);
    if (found)
        *out = (struct erasure){col_int(q, 0), col_int(q, 1), col_int(q, 2)};
    stmt_end(q);
    return found;
}

bool erasures_is_done(struct db *db, user_no user)
{
    return db_int(db, &ERASURES, DONE, 0, "i", user) != 0;
}

bool erasures_roster_keeps(struct db *db, user_no user)
{
    return db_int(db, &ERASURES, KEPT, 0, "i", user) != 0;
}

school_no erasures_school(struct db *db, user_no user)
{
    return db_int(db, &ERASURES, SCHOOL, 0, "i", user);
}

room_no erasures_room(struct db *db, user_no user, room_no from)
{
    return db_int(db, &ERASURES, ROOM, 0, "ii", user, from);
}

struct stmt *erasures_events(struct db *db, room_no room, user_no user, stream_pos after, int limit)
{
    return db_query(db, &ERASURES, EVENTS, "iiii", room, user, after, (int64_t)limit);
}

bool erasures_begin(struct tx *tx, user_no user, const char *author)
{
    return db_run(tx->db, &ERASURES, BEGIN, "iti", user, author, tx->now_ms) && db_changes(tx->db) == 1;
}

bool erasures_advance(struct tx *tx, const struct erasure *erasure)
{
    return db_run(tx->db, &ERASURES, ADVANCE, "iii", erasure->user, erasure->room, erasure->pos);
}

bool erasures_finish(struct tx *tx, user_no user)
{
    for (int forget = FORGET_PERSON; forget < COUNT; ++forget)
        if (!db_run(tx->db, &ERASURES, forget, "i", user))
            return false;
    return db_run(tx->db, &ERASURES, FINISH, "ii", user, tx->now_ms);
}
