#include "homeserver/store/matrix/events.h"

#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/media.h"
#include "homeserver/store/matrix/search_removals.h"

/* What clients are shown of an event; and with it what only a PDU needs. Most replace nothing: for those the inner
 * query is not even begun. */
#define SHOWN_COLUMNS                                                                                                  \
    "e.pos, e.room_no, e.event_id, e.type, e.state_key, e.sender, e.ts, e.content, e.redacts, e.redacted_by,"          \
    " e.replaces,"                                                                                                     \
    " CASE WHEN e.replaces IS NOT NULL THEN (SELECT p.content FROM events p WHERE p.pos = e.replaces) END,"            \
    " e.received_ms"
#define SHOWN "SELECT " SHOWN_COLUMNS " FROM "
#define EVENT "SELECT " SHOWN_COLUMNS ", e.depth, e.auth, e.hash, e.reference_hash FROM "

enum {
    FORWARDS,
    OF_STREAM,
    OF_STREAM_END,
    OF_STREAM_BACK,
    BACKWARDS,
    STATE_NOW,
    STATE_OF_TYPE,
    SHOWN_AT,
    SHOWN_FORWARDS,
    SHOWN_BACKWARDS,
    SHOWN_STATE_NOW,
    SHOWN_STATE_PLAIN,
    SHOWN_STATE_GET_AT,
    SHOWN_MEMBERS,
    STATE_AT,
    STATE_BETWEEN,
    OF_SENDER,
    OF_PERSON,
    BY_POS,
    BY_ID,
    STATE_GET,
    STATE_GET_AT,
    CONTENT_NOW,
    POS_OF,
    ID_OF,
    LAST_POS,
    FIRST_POS,
    NTH_POS,
    TIME_AT_OR_AFTER,
    TIME_OF,
    NEWEST,
    LAST_OF_LISTS,
    NTH_NEWEST,
    BESIDE_FRAME,
    MEMBER_NEWS,
    STATE_HISTORY,
    INSERT,
    SET_STATE,
    REDACT,
    COUNT
};

/* State at a position: the key's newest row not after it. The inner query is one probe of index events_state a key. */
static const struct statement TEXTS[COUNT] = {
    [FORWARDS] = EVENT "events e WHERE e.room_no = $1 AND e.pos > $2 AND e.pos <= $3 ORDER BY e.pos LIMIT $4",
    [OF_STREAM] = EVENT "events e WHERE e.pos > $1 AND e.pos <= $2 ORDER BY e.pos",
    [OF_STREAM_END] =
        "SELECT count(*), max(b.pos) FROM (SELECT pos FROM events WHERE pos > $1 AND pos <= $2 ORDER BY pos"
        " LIMIT $3) b",
    [OF_STREAM_BACK] =
        "SELECT count(*), min(b.pos) FROM (SELECT pos FROM events WHERE pos <= $1 ORDER BY pos DESC LIMIT $2) b",
    [BACKWARDS] = EVENT "events e WHERE e.room_no = $1 AND e.pos > $2 AND e.pos <= $3 ORDER BY e.pos DESC LIMIT $4",
    [STATE_NOW] = EVENT "room_state s JOIN events e ON e.pos = s.pos WHERE s.room_no = $1",
    [SHOWN_AT] = SHOWN "events e WHERE e.pos = $1",
    [SHOWN_FORWARDS] = SHOWN "events e WHERE e.room_no = $1 AND e.pos > $2 AND e.pos <= $3 ORDER BY e.pos LIMIT $4",
    [SHOWN_BACKWARDS] =
        SHOWN "events e WHERE e.room_no = $1 AND e.pos > $2 AND e.pos <= $3 ORDER BY e.pos DESC LIMIT $4",
    [SHOWN_STATE_NOW] = SHOWN "room_state s JOIN events e ON e.pos = s.pos WHERE s.room_no = $1",
    [SHOWN_STATE_PLAIN] = SHOWN
    "room_state s JOIN events e ON e.pos = s.pos WHERE s.room_no = $1 AND s.type < 'm.room.member'"
    " UNION ALL " SHOWN "room_state s JOIN events e ON e.pos = s.pos WHERE s.room_no = $1 AND s.type > 'm.room.member'",
    [SHOWN_STATE_GET_AT] = SHOWN "events e WHERE e.room_no = $1 AND e.type = $2 AND e.state_key = $3 AND e.pos <= $4"
                                 " ORDER BY e.pos DESC LIMIT 1",
    [SHOWN_MEMBERS] = SHOWN "room_state s JOIN events e ON e.pos = s.pos WHERE s.room_no = $1"
                            " AND s.type = 'm.room.member' LIMIT $2",
    [STATE_OF_TYPE] = EVENT "room_state s JOIN events e ON e.pos = s.pos WHERE s.room_no = $1 AND s.type = $2",
    [STATE_AT] = EVENT "room_state s JOIN events e ON e.pos ="
                       " (SELECT max(x.pos) FROM events x WHERE x.room_no = s.room_no AND x.type = s.type"
                       " AND x.state_key = s.state_key AND x.pos <= $2) WHERE s.room_no = $1",
    [STATE_BETWEEN] = EVENT "room_state s JOIN events e ON e.pos ="
                            " (SELECT max(x.pos) FROM events x WHERE x.room_no = s.room_no AND x.type = s.type"
                            " AND x.state_key = s.state_key AND x.pos <= $3)"
                            " WHERE s.room_no = $1 AND s.pos > $2 AND e.pos > $2",
    [OF_SENDER] = EVENT "events e WHERE e.room_no = $1 AND e.sender = $2 AND e.pos > $3 ORDER BY e.pos",
    [OF_PERSON] = EVENT "events e WHERE e.room_no = $1 AND e.pos > $4"
                        " AND (e.sender = $2 OR (e.type = 'm.room.member' AND e.state_key = $3)) ORDER BY e.pos",
    [BY_POS] = EVENT "events e WHERE e.pos = $1",
    [BY_ID] = EVENT "events e WHERE e.event_id = $1",
    [STATE_GET] = EVENT "room_state s JOIN events e ON e.pos = s.pos"
                        " WHERE s.room_no = $1 AND s.type = $2 AND s.state_key = $3",
    [STATE_GET_AT] = EVENT "events e WHERE e.room_no = $1 AND e.type = $2 AND e.state_key = $3 AND e.pos <= $4"
                           " ORDER BY e.pos DESC LIMIT 1",
    [CONTENT_NOW] = "SELECT e.content FROM room_state s JOIN events e ON e.pos = s.pos"
                    " WHERE s.room_no = $1 AND s.type = $2 AND s.state_key = $3",
    [POS_OF] = "SELECT pos FROM events WHERE event_id = $1",
    [ID_OF] = "SELECT event_id FROM events WHERE pos = $1",
    [LAST_POS] = "SELECT max(pos) FROM events WHERE room_no = $1 AND pos <= $2",
    [FIRST_POS] = "SELECT min(pos) FROM events WHERE room_no = $1 AND pos > $2",
    [NTH_POS] = "SELECT pos FROM events WHERE room_no = $1 AND pos <= $2 ORDER BY pos DESC LIMIT 1 OFFSET $3",
    [TIME_AT_OR_AFTER] = "SELECT pos FROM events WHERE room_no = $1 AND pos >= $2 ORDER BY pos LIMIT 1",
    [TIME_OF] = "SELECT coalesce(received_ms, ts) FROM events WHERE pos = $1",
    [NEWEST] = "SELECT max(pos) FROM events",
    [LAST_OF_LISTS] = "SELECT e.pos FROM (SELECT pos, type FROM events WHERE pos <= $1 ORDER BY pos DESC LIMIT $2) e"
                      " WHERE e.type IN ('m.room.member', 'm.room.encryption') ORDER BY e.pos DESC LIMIT 1",
    [NTH_NEWEST] = "SELECT pos FROM events WHERE pos <= $1 ORDER BY pos DESC LIMIT 1 OFFSET $2",
    [BESIDE_FRAME] = "SELECT 1 FROM events WHERE room_no = $1 AND (state_key IS NULL OR type NOT IN ('m.room.create',"
                     " 'm.room.member', 'm.room.power_levels', 'm.room.join_rules', 'm.room.history_visibility',"
                     " 'm.room.guest_access', 'm.room.encryption')) LIMIT 1",
    [MEMBER_NEWS] =
        "SELECT 1 FROM events WHERE room_no = $1 AND pos > $2 AND pos <= $3 AND type = 'm.room.member' LIMIT 1",
    [STATE_HISTORY] =
        "SELECT pos, content FROM events WHERE room_no = $1 AND type = $2 AND state_key = $3 ORDER BY pos",
    [INSERT] = "INSERT INTO events (pos, room_no, event_id, type, state_key, sender, ts, depth, content, auth, hash,"
               " signature, redacts, reference_hash, replaces, received_ms)"
               " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, nullif($15, 0),"
               " nullif($16, 0))",
    [SET_STATE] = {"INSERT INTO room_state (room_no, type, state_key, pos) VALUES ($1, $2, $3, $4)"
                   " ON CONFLICT (room_no, type, state_key) DO UPDATE SET pos = excluded.pos",
                   EPOCH_LIFE},
    [REDACT] = "UPDATE events SET redacted_by = $2, content = $3 WHERE pos = $1",
};
STATEMENTS(EVENTS, "events", TEXTS);

bool events_next_shown(struct stmt *q, struct event_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct event_row){
        .pos = col_int(q, 0),
        .room = col_int(q, 1),
        .event_id = col_text(q, 2),
        .type = col_text(q, 3),
        .state_key = col_text(q, 4),
        .sender = col_int(q, 5),
        .ts = col_int(q, 6),
        .content = col_text(q, 7),
        .redacts = col_text(q, 8),
        .redacted_by = col_int(q, 9),
        .replaces = col_int(q, 10),
        .prev_content = col_text(q, 11),
        .received_ms = col_int(q, 12),
    };
    return true;
}

bool events_next(struct stmt *q, struct event_row *row)
{
    size_t len;
    if (!events_next_shown(q, row))
        return false;
    row->depth = col_int(q, 13);
    row->auth = col_text(q, 14);
    row->hash = col_bytes(q, 15, &len);
    row->reference_hash = col_bytes(q, 16, &len);
    return true;
}

struct stmt *events_forwards(struct db *db, room_no room, stream_pos after, stream_pos upto, int64_t limit)
{
    return db_query(db, &EVENTS, FORWARDS, "iiii", room, after, upto, limit);
}

struct stmt *events_of_stream(struct db *db, stream_pos after, stream_pos upto)
{
    return db_query(db, &EVENTS, OF_STREAM, "ii", after, upto);
}

stream_pos events_of_stream_end(struct db *db, stream_pos after, stream_pos upto, int64_t limit, int64_t *n)
{
    struct stmt *q = db_query(db, &EVENTS, OF_STREAM_END, "iii", after, upto, limit);
    bool there = stmt_next(q);
    stream_pos end = there ? col_int(q, 1) : 0;
    *n = there ? col_int(q, 0) : 0;
    stmt_end(q);
    return end;
}

stream_pos events_of_stream_back(struct db *db, stream_pos upto, int64_t limit)
{
    struct stmt *q = db_query(db, &EVENTS, OF_STREAM_BACK, "ii", upto, limit);
    bool there = stmt_next(q);
    stream_pos first = there && col_int(q, 0) == limit ? col_int(q, 1) : 1;
    stmt_end(q);
    return first - 1;
}

struct stmt *events_backwards(struct db *db, room_no room, stream_pos after, stream_pos upto, int64_t limit)
{
    return db_query(db, &EVENTS, BACKWARDS, "iiii", room, after, upto, limit);
}

struct stmt *events_state_now(struct db *db, room_no room)
{
    return db_query(db, &EVENTS, STATE_NOW, "i", room);
}

struct stmt *events_shown_forwards(struct db *db, room_no room, stream_pos after, stream_pos upto, int64_t limit)
{
    return db_query(db, &EVENTS, SHOWN_FORWARDS, "iiii", room, after, upto, limit);
}

struct stmt *events_shown_backwards(struct db *db, room_no room, stream_pos after, stream_pos upto, int64_t limit)
{
    return db_query(db, &EVENTS, SHOWN_BACKWARDS, "iiii", room, after, upto, limit);
}

struct stmt *events_shown_at(struct db *db, stream_pos pos)
{
    return db_query(db, &EVENTS, SHOWN_AT, "i", pos);
}

struct stmt *events_shown_state_now(struct db *db, room_no room)
{
    return db_query(db, &EVENTS, SHOWN_STATE_NOW, "i", room);
}

struct stmt *events_shown_state_plain(struct db *db, room_no room)
{
    return db_query(db, &EVENTS, SHOWN_STATE_PLAIN, "i", room);
}

struct stmt *events_shown_members(struct db *db, room_no room, int64_t limit)
{
    return db_query(db, &EVENTS, SHOWN_MEMBERS, "ii", room, limit);
}

struct stmt *events_shown_state_get_at(struct db *db, room_no room, const char *type, const char *state_key,
                                       stream_pos pos)
{
    return db_query(db, &EVENTS, SHOWN_STATE_GET_AT, "itti", room, type, state_key, pos);
}

struct stmt *events_state_of_type(struct db *db, room_no room, const char *type)
{
    return db_query(db, &EVENTS, STATE_OF_TYPE, "it", room, type);
}

struct stmt *events_state_at(struct db *db, room_no room, stream_pos pos)
{
    return db_query(db, &EVENTS, STATE_AT, "ii", room, pos);
}

struct stmt *events_state_between(struct db *db, room_no room, stream_pos after, stream_pos upto)
{
    return db_query(db, &EVENTS, STATE_BETWEEN, "iii", room, after, upto);
}

struct stmt *events_of_sender(struct db *db, room_no room, user_no sender, stream_pos after)
{
    return db_query(db, &EVENTS, OF_SENDER, "iii", room, sender, after);
}

struct stmt *events_of_person(struct db *db, room_no room, user_no person, const char *user_id, stream_pos after)
{
    return db_query(db, &EVENTS, OF_PERSON, "iiti", room, person, user_id, after);
}

struct stmt *events_by_pos(struct db *db, stream_pos pos)
{
    return db_query(db, &EVENTS, BY_POS, "i", pos);
}

struct stmt *events_by_id(struct db *db, const char *event_id)
{
    return db_query(db, &EVENTS, BY_ID, "t", event_id);
}

struct stmt *events_state_get(struct db *db, room_no room, const char *type, const char *state_key)
{
    return db_query(db, &EVENTS, STATE_GET, "itt", room, type, state_key);
}

struct stmt *events_state_get_at(struct db *db, room_no room, const char *type, const char *state_key, stream_pos pos)
{
    return db_query(db, &EVENTS, STATE_GET_AT, "itti", room, type, state_key, pos);
}

char *events_state_content(struct db *db, room_no room, const char *type, const char *state_key)
{
    return db_text(db, &EVENTS, CONTENT_NOW, "itt", room, type, state_key);
}

stream_pos events_pos_of(struct db *db, const char *event_id)
{
    return db_int(db, &EVENTS, POS_OF, 0, "t", event_id);
}

char *events_id_of(struct db *db, stream_pos pos)
{
    return db_text(db, &EVENTS, ID_OF, "i", pos);
}

stream_pos events_last_pos(struct db *db, room_no room, stream_pos upto)
{
    return db_int(db, &EVENTS, LAST_POS, 0, "ii", room, upto);
}

stream_pos events_nth_pos(struct db *db, room_no room, stream_pos upto, int64_t n)
{
    return db_int(db, &EVENTS, NTH_POS, 0, "iii", room, upto, n);
}

stream_pos events_first_pos(struct db *db, room_no room, stream_pos after)
{
    return db_int(db, &EVENTS, FIRST_POS, 0, "ii", room, after);
}

bool events_any_beside_frame(struct db *db, room_no room)
{
    return db_int(db, &EVENTS, BESIDE_FRAME, 0, "i", room) != 0;
}

stream_pos events_newest(struct db *db)
{
    return db_int(db, &EVENTS, NEWEST, 0, "");
}

#define LOOKED_AT 4096

stream_pos events_last_of_lists(struct db *db, stream_pos upto)
{
    stream_pos found = db_int(db, &EVENTS, LAST_OF_LISTS, 0, "ii", upto, (int64_t)LOOKED_AT);
    return found != 0 ? found : db_int(db, &EVENTS, NTH_NEWEST, 0, "ii", upto, (int64_t)LOOKED_AT);
}

bool events_member_news(struct db *db, room_no room, stream_pos after, stream_pos upto)
{
    return db_int(db, &EVENTS, MEMBER_NEWS, 0, "iii", room, after, upto) != 0;
}

struct stmt *events_state_history(struct db *db, room_no room, const char *type, const char *state_key)
{
    return db_query(db, &EVENTS, STATE_HISTORY, "itt", room, type, state_key);
}

bool events_state_history_next(struct stmt *q, stream_pos *pos, const char **content)
{
    if (!stmt_next(q))
        return false;
    *pos = col_int(q, 0);
    *content = col_text(q, 1);
    return true;
}

/* The time of receipt rises within a room, so the first event with it or later is found by halving the range of
 * positions. Beside events that a clock that was ahead has stamped (events/append.h) another one may be found than the
 * nearest. */
stream_pos events_at_time(struct db *db, room_no room, int64_t ms, bool forwards)
{
    stream_pos low = 0, high = events_last_pos(db, room, INT64_MAX) + 1; /* the answer is in (low, high] */
    while (high - low > 1) {
        stream_pos middle = low + (high - low) / 2;
        stream_pos pos = db_int(db, &EVENTS, TIME_AT_OR_AFTER, high, "ii", room, middle);
        if (pos < high && db_int(db, &EVENTS, TIME_OF, 0, "i", pos) < ms)
            low = pos;
        else
            high = middle;
    }
    if (forwards)
        return events_first_pos(db, room, high - 1);
    stream_pos first = db_int(db, &EVENTS, TIME_AT_OR_AFTER, 0, "ii", room, high);
    if (first != 0 && db_int(db, &EVENTS, TIME_OF, 0, "i", first) == ms)
        return first;
    return events_last_pos(db, room, high - 1);
}

/* No signature: rooms/pdu/pdu.h. */
bool events_insert(struct tx *tx, const struct event_row *row)
{
    return db_run(tx->db, &EVENTS, INSERT, "iitttiiittbbtbii", row->pos, row->room, row->event_id, row->type,
                  row->state_key, row->sender, row->ts, row->depth, row->content, row->auth, row->hash, (size_t)32, "",
                  (size_t)0, row->redacts, row->reference_hash, (size_t)32, row->replaces, row->received_ms);
}

bool events_set_state(struct tx *tx, room_no room, const char *type, const char *state_key, stream_pos pos)
{
    return db_run(tx->db, &EVENTS, SET_STATE, "itti", room, type, state_key, pos);
}

bool events_redact(struct tx *tx, stream_pos pos, stream_pos by, const char *content)
{
    tx_change(tx, (struct change){.kind = CHANGE_TAKEN, .private_ = true, .event = pos});
    return db_run(tx->db, &EVENTS, REDACT, "iit", pos, by, content) && media_unplace(tx, pos) &&
           search_removals_put(tx, pos);
}
