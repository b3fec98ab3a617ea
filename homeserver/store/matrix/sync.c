#include "homeserver/store/matrix/sync.h"

#include "homeserver/base/text.h"

enum { LAST_EVENT, ROOMS, HEROES, FORMER_HEROES, NEWS, NEIGHBOURS, COUNT };
static const char *const TEXTS[COUNT] = {
    [LAST_EVENT] = "SELECT max(pos) FROM events",
    [ROOMS] = "SELECT m.room_no, m.membership, m.pos, m.joined_pos, m.forgotten, r.room_id, m.user_no"
              " FROM memberships m JOIN rooms r ON r.room_no = m.room_no WHERE m.user_no = $1 ORDER BY m.room_no",
    [HEROES] = "SELECT user_no FROM memberships WHERE room_no = $1 AND membership IN ('join', 'invite')"
               " AND user_no <> $2 ORDER BY pos LIMIT $3",
    [FORMER_HEROES] = "SELECT user_no FROM memberships WHERE room_no = $1 AND membership IN ('leave', 'ban')"
                      " AND user_no <> $2 ORDER BY pos LIMIT $3",
    [NEWS] = "SELECT max(CASE WHEN type = 'm.room.member' THEN 1 ELSE 0 END),"
             " max(CASE WHEN type IN ('m.room.name', 'm.room.canonical_alias') THEN 1 ELSE 0 END)"
             " FROM events WHERE room_no = $1 AND pos > $2 AND pos <= $3 AND state_key IS NOT NULL",
    [NEIGHBOURS] = "SELECT DISTINCT b.user_no FROM memberships a JOIN memberships b ON b.room_no = a.room_no"
                   " AND b.membership = 'join' AND b.user_no <> a.user_no"
                   " WHERE a.user_no = $1 AND a.membership = 'join' ORDER BY b.user_no",
};
static const struct statements SYNC = {"sync", TEXTS, COUNT};

stream_pos sync_last_event(struct db *db)
{
    return db_int(db, &SYNC, LAST_EVENT, 0, "");
}

struct stmt *sync_rooms(struct db *db, user_no user)
{
    return db_query(db, &SYNC, ROOMS, "i", user);
}

bool sync_rooms_next(struct stmt *q, struct sync_room *room)
{
    if (!stmt_next(q))
        return false;
    room->membership = (struct membership_row){
        .user = col_int(q, 6),
        .room = col_int(q, 0),
        .membership = membership_from(col_text(q, 1)),
        .pos = col_int(q, 2),
        .joined_pos = col_int(q, 3),
        .forgotten = col_int(q, 4) != 0,
    };
    room->room_id = col_text(q, 5);
    return true;
}

static size_t heroes(struct db *db, int which, room_no room, user_no user, user_no *out, size_t n)
{
    size_t found = 0;
    struct stmt *q = db_query(db, &SYNC, which, "iii", room, user, (int64_t)n);
    while (found < n && stmt_next(q))
        out[found++] = col_int(q, 0);
    stmt_end(q);
    return found;
}

size_t sync_heroes(struct db *db, room_no room, user_no user, user_no *out, size_t n)
{
    size_t found = heroes(db, HEROES, room, user, out, n);
    return found != 0 ? found : heroes(db, FORMER_HEROES, room, user, out, n);
}

user_no *sync_neighbours(struct db *db, user_no user, size_t *n)
{
    size_t cap = 16;
    user_no *users = xcalloc(cap, sizeof *users);
    struct stmt *q = db_query(db, &SYNC, NEIGHBOURS, "i", user);
    for (*n = 0; stmt_next(q); users[(*n)++] = col_int(q, 0))
        if (*n == cap)
            users = xrealloc(users, (cap *= 2) * sizeof *users);
    stmt_end(q);
    return users;
}

struct sync_news sync_room_news(struct db *db, room_no room, stream_pos after, stream_pos upto)
{
    struct sync_news news = {false, false};
    struct stmt *q = db_query(db, &SYNC, NEWS, "iii", room, after, upto);
    if (stmt_next(q))
        news = (struct sync_news){col_int(q, 0) != 0, col_int(q, 1) != 0};
    stmt_end(q);
    return news;
}
