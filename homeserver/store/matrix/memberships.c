#include "homeserver/store/matrix/memberships.h"

#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/base/words.h"
#include "homeserver/store/driver/writer.h"

#define ROW "SELECT m.user_no, m.room_no, m.membership, m.pos, m.joined_pos, m.forgotten"
#define HEROES_WHO(memberships)                                                                                        \
    "SELECT user_no FROM memberships WHERE room_no = $1 AND membership IN (" memberships                               \
    ") AND user_no <> $2 ORDER BY pos LIMIT $3"

#define NEWEST "COALESCE((SELECT MAX(e.pos) FROM events e WHERE e.room_no = m.room_no), 0)"

enum {
    GET,
    OF_USER,
    ROOMS_OF_USER,
    ROOM_OF_USER,
    ROOMS_BEHIND,
    MEMBER_COUNT,
    JOINED_COUNT,
    COUNTS,
    COUNT_JOINED,
    SHARE,
    SHARED_AT,
    USERS,
    JOINED_AFTER,
    NEIGHBOURS,
    HEROES,
    FORMER_HEROES,
    REDACTED,
    PUT,
    PUT_FIRST,
    FORGET,
    COUNT
};
static const struct statement TEXTS[COUNT] = {
    [GET] = ROW " FROM memberships m WHERE m.user_no = $1 AND m.room_no = $2",
    [OF_USER] = ROW " FROM memberships m WHERE m.user_no = $1 ORDER BY m.room_no",
    [ROOMS_OF_USER] = ROW ", r.room_id FROM memberships m JOIN rooms r ON r.room_no = m.room_no WHERE m.user_no = $1"
                          " ORDER BY m.room_no",
    [ROOM_OF_USER] = ROW ", r.room_id FROM memberships m JOIN rooms r ON r.room_no = m.room_no"
                         " WHERE m.user_no = $1 AND m.room_no = $2",
    [ROOMS_BEHIND] = ROW ", r.room_id FROM memberships m JOIN rooms r ON r.room_no = m.room_no"
                         " WHERE m.user_no = $1 AND m.membership = 'join' AND " NEWEST " > m.joined_pos AND " NEWEST
                         " > COALESCE((SELECT MAX(c.event_pos) FROM receipts c WHERE c.room_no = m.room_no"
                         " AND c.user_no = m.user_no AND c.thread = ''), 0)",
    [JOINED_COUNT] = "SELECT joined FROM rooms WHERE room_no = $1",
    [COUNTS] = "SELECT r.joined, (SELECT count(*) FROM memberships m WHERE m.room_no = r.room_no"
               " AND m.membership = 'invite') FROM rooms r WHERE r.room_no = $1",
    [COUNT_JOINED] = "UPDATE rooms SET joined = joined + $2 WHERE room_no = $1",
    [MEMBER_COUNT] = "SELECT count(*) FROM memberships WHERE room_no = $1 AND membership = $2",
    [SHARE] = "SELECT a.room_no FROM memberships a JOIN memberships b ON b.room_no = a.room_no AND b.user_no = $2"
              " AND b.membership = 'join' WHERE a.user_no = $1 AND a.membership = 'join' ORDER BY a.room_no LIMIT 1",
    [SHARED_AT] = "SELECT a.room_no FROM memberships a JOIN memberships b ON b.room_no = a.room_no AND b.user_no = $2"
                  " AND b.membership = 'join' AND b.joined_pos <= $3 WHERE a.user_no = $1 AND a.membership = 'join'"
                  " AND a.joined_pos <= $3 ORDER BY a.room_no LIMIT 1",
    [JOINED_AFTER] = "SELECT user_no FROM memberships WHERE room_no = $1 AND membership = 'join' AND joined_pos > $2"
                     " ORDER BY user_no",
    [USERS] = "SELECT user_no FROM memberships WHERE room_no = $1 AND membership = $2 ORDER BY user_no",
    [NEIGHBOURS] = "SELECT DISTINCT b.user_no FROM memberships a JOIN memberships b ON b.room_no = a.room_no"
                   " AND b.membership = 'join' AND b.user_no <> a.user_no"
                   " WHERE a.user_no = $1 AND a.membership = 'join' ORDER BY b.user_no",
    [HEROES] = HEROES_WHO("'join', 'invite'"),
    [FORMER_HEROES] = HEROES_WHO("'leave', 'ban'"),
    [REDACTED] = "SELECT DISTINCT e.sender FROM events e JOIN memberships m ON m.user_no = e.sender"
                 " AND m.room_no = e.room_no AND m.pos = e.pos AND m.membership = 'join'"
                 " WHERE e.redacted_by IS NOT NULL AND e.type = 'm.room.member'",
    [PUT] = {"INSERT INTO memberships (user_no, room_no, membership, pos, joined_pos, forgotten)"
             " VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (user_no, room_no) DO UPDATE SET"
             " membership = excluded.membership, pos = excluded.pos, joined_pos = excluded.joined_pos, forgotten = 0",
             EPOCH_LIFE},
    [PUT_FIRST] =
        {"INSERT INTO memberships (user_no, room_no, membership, pos, joined_pos) VALUES ($1, $2, 'join', $3, $3)",
         EPOCH_LIFE},
    [FORGET] = {"UPDATE memberships SET forgotten = 1 WHERE user_no = $1 AND room_no = $2", EPOCH_LIFE},
};
STATEMENTS(MEMBERSHIPS, "memberships", TEXTS);

static const char *const NAMES[] = {
    [MEMBERSHIP_NONE] = "leave",  [MEMBERSHIP_JOIN] = "join",   [MEMBERSHIP_INVITE] = "invite",
    [MEMBERSHIP_KNOCK] = "knock", [MEMBERSHIP_LEAVE] = "leave", [MEMBERSHIP_BAN] = "ban",
};

enum membership membership_from(const char *name)
{
    /* MEMBERSHIP_NONE is told as "leave", and never read as such */
    return (enum membership)(word_find(NAMES + MEMBERSHIP_JOIN, MEMBERSHIP_BAN, name) + MEMBERSHIP_JOIN);
}

const char *membership_name(enum membership m)
{
    return NAMES[m];
}

bool memberships_next(struct stmt *q, struct membership_row *row)
{
    if (!stmt_next(q))
        return false;
    *row = (struct membership_row){
        .user = col_int(q, 0),
        .room = col_int(q, 1),
        .membership = membership_from(col_text(q, 2)),
        .pos = col_int(q, 3),
        .joined_pos = col_int(q, 4),
        .forgotten = col_int(q, 5) != 0,
    };
    return true;
}

bool memberships_next_room(struct stmt *q, struct membership_room *row)
{
    if (!memberships_next(q, &row->membership))
        return false;
    row->room_id = col_text(q, 6);
    return true;
}

bool memberships_get(struct db *db, room_no room, user_no user, struct membership_row *row)
{
    struct stmt *q = db_query(db, &MEMBERSHIPS, GET, "ii", user, room);
    bool found = memberships_next(q, row);
    stmt_end(q);
    if (!found)
        *row = (struct membership_row){.user = user, .room = room};
    return found;
}

enum membership memberships_of(struct db *db, room_no room, user_no user)
{
    struct membership_row row;
    memberships_get(db, room, user, &row);
    return row.membership;
}

struct stmt *memberships_of_user(struct db *db, user_no user)
{
    return db_query(db, &MEMBERSHIPS, OF_USER, "i", user);
}

struct stmt *memberships_rooms_of_user(struct db *db, user_no user)
{
    return db_query(db, &MEMBERSHIPS, ROOMS_OF_USER, "i", user);
}

struct stmt *memberships_rooms_behind(struct db *db, user_no user)
{
    return db_query(db, &MEMBERSHIPS, ROOMS_BEHIND, "i", user);
}

struct stmt *memberships_room_of_user(struct db *db, user_no user, room_no room)
{
    return db_query(db, &MEMBERSHIPS, ROOM_OF_USER, "ii", user, room);
}

int64_t memberships_count(struct db *db, room_no room, enum membership m)
{
    if (m == MEMBERSHIP_JOIN)
        return db_int(db, &MEMBERSHIPS, JOINED_COUNT, 0, "i", room);
    return db_int(db, &MEMBERSHIPS, MEMBER_COUNT, 0, "it", room, NAMES[m]);
}

void memberships_counts(struct db *db, room_no room, int64_t *joined, int64_t *invited)
{
    struct stmt *q = db_query(db, &MEMBERSHIPS, COUNTS, "i", room);
    bool there = stmt_next(q);
    *joined = there ? col_int(q, 0) : 0;
    *invited = there ? col_int(q, 1) : 0;
    stmt_end(q);
}

room_no memberships_shared_room(struct db *db, user_no a, user_no b)
{
    return db_int(db, &MEMBERSHIPS, SHARE, 0, "ii", a, b);
}

bool memberships_share_room(struct db *db, user_no a, user_no b)
{
    return memberships_shared_room(db, a, b) != 0;
}

/* Column 0 of all rows. */
static int64_t *numbers(struct stmt *q, size_t *n)
{
    size_t cap = 16;
    int64_t *found = xcalloc(cap, sizeof *found);
    for (*n = 0; stmt_next(q); found[(*n)++] = col_int(q, 0))
        if (*n == cap)
            found = xrealloc(found, (cap *= 2) * sizeof *found);
    stmt_end(q);
    return found;
}

user_no *memberships_users(struct db *db, room_no room, enum membership m, size_t *n)
{
    return numbers(db_query(db, &MEMBERSHIPS, USERS, "it", room, NAMES[m]), n);
}

user_no *memberships_joined_after(struct db *db, room_no room, stream_pos pos, size_t *n)
{
    return numbers(db_query(db, &MEMBERSHIPS, JOINED_AFTER, "ii", room, pos), n);
}

bool memberships_shared_room_at(struct db *db, user_no a, user_no b, stream_pos pos)
{
    return db_int(db, &MEMBERSHIPS, SHARED_AT, 0, "iii", a, b, pos) != 0;
}

user_no *memberships_neighbours(struct db *db, user_no user, size_t *n)
{
    return numbers(db_query(db, &MEMBERSHIPS, NEIGHBOURS, "i", user), n);
}

size_t memberships_heroes(struct db *db, room_no room, user_no user, user_no *out, size_t n)
{
    size_t found = 0;
    for (int which = HEROES; which <= FORMER_HEROES && found == 0; ++which) {
        struct stmt *q = db_query(db, &MEMBERSHIPS, which, "iii", room, user, (int64_t)n);
        while (found < n && stmt_next(q))
            out[found++] = col_int(q, 0);
        stmt_end(q);
    }
    return found;
}

user_no *memberships_redacted(struct db *db, size_t *n)
{
    struct stmt *q = db_query(db, &MEMBERSHIPS, REDACTED, "");
    user_no *users = NULL;
    for (*n = 0; stmt_next(q);) {
        users = xrealloc(users, (*n + 1) * sizeof *users);
        users[(*n)++] = col_int(q, 0);
    }
    stmt_end(q);
    return users;
}

room_no *memberships_rooms(struct db *db, user_no user, unsigned memberships, size_t *n)
{
    struct membership_row row;
    size_t cap = 16;
    room_no *rooms = xcalloc(cap, sizeof *rooms);
    struct stmt *q = memberships_of_user(db, user);
    for (*n = 0; memberships_next(q, &row);) {
        if ((memberships & 1u << row.membership) == 0)
            continue;
        if (*n == cap)
            rooms = xrealloc(rooms, (cap *= 2) * sizeof *rooms);
        rooms[(*n)++] = row.room;
    }
    stmt_end(q);
    return rooms;
}

bool memberships_put(struct tx *tx, const struct membership_row *row)
{
    bool was = memberships_of(tx->db, row->room, row->user) == MEMBERSHIP_JOIN, is = row->membership == MEMBERSHIP_JOIN;
    return (was == is || memberships_count_more(tx, row->room, (int64_t)is - was)) &&
           db_run(tx->db, &MEMBERSHIPS, PUT, "iitii", row->user, row->room, NAMES[row->membership], row->pos,
                  row->joined_pos);
}

bool memberships_put_first(struct tx *tx, room_no room, user_no user, stream_pos pos)
{
    return db_run(tx->db, &MEMBERSHIPS, PUT_FIRST, "iii", user, room, pos);
}

bool memberships_count_more(struct tx *tx, room_no room, int64_t more)
{
    return db_run(tx->db, &MEMBERSHIPS, COUNT_JOINED, "ii", room, more);
}

bool memberships_forget(struct tx *tx, room_no room, user_no user)
{
    return db_run(tx->db, &MEMBERSHIPS, FORGET, "ii", user, room);
}
