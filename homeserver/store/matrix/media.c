#include "homeserver/store/matrix/media.h"

#include <stdio.h>
#include <string.h>

#include "homeserver/store/driver/writer.h"
#include "policy/rules/media_share.h"

enum {
    FIND,
    DUE,
    OF,
    ALL,
    USE,
    COUNT_OF,
    PENDING,
    PLACES,
    PICTURED_ROOMS,
    PICTURED_PEOPLE,
    ENCRYPTED_ROOMS,
    WAS_ENCRYPTED,
    IN_ACCOUNT_DATA,
    IN_HELD,
    IN_REPORTS,
    HAS_HASH,
    GONE_NEXT,
    INSERT,
    FILL,
    PLACE,
    PLACED,
    UNPLACED,
    UNPLACE,
    UNPLACE_OF,
    UNPLACE_ALL,
    GONE,
    GONE_OF,
    GONE_HASH,
    FORGET,
    FORGET_OF,
    KEEP,
    GONE_DONE,
    COUNT
};

#define COLUMNS                                                                                                        \
    "SELECT media_no, media_id, user_no, school_no, hash, bytes, type, name, created_ms, pos, sent, forget_ms FROM "   \
    "media "
#define JOINS " AND s.type = 'm.room.encryption' AND s.state_key = '' "

static const struct statement TEXTS[COUNT] = {
    [FIND] = COLUMNS "WHERE media_id = $1",
    [DUE] = COLUMNS "WHERE forget_ms IS NOT NULL AND forget_ms <= $1 ORDER BY forget_ms LIMIT $2",
    [OF] = COLUMNS "WHERE user_no = $1 AND hash IS NOT NULL ORDER BY media_no",
    [ALL] = COLUMNS "WHERE media_no > $1 ORDER BY media_no",
    [USE] = "SELECT COALESCE(SUM(CASE WHEN bytes < 4096 THEN 4096 ELSE bytes END), 0) FROM media WHERE user_no = $1"
            " AND school_no = $2",
    [COUNT_OF] = "SELECT COUNT(*) FROM media WHERE user_no = $1",
    [PENDING] = "SELECT COUNT(*) FROM media WHERE user_no = $1 AND hash IS NULL AND forget_ms > $2",
    [PLACES] = "SELECT p.room_no, p.pos FROM media_places p LEFT JOIN memberships m ON m.room_no = p.room_no"
               " AND m.user_no = $2 WHERE p.media_no = $1"
               " ORDER BY CASE WHEN m.user_no IS NULL THEN 1 ELSE 0 END, p.room_no DESC, p.pos DESC LIMIT 500",
    [PICTURED_ROOMS] = "SELECT p.room_no FROM media_places p JOIN room_state s ON s.room_no = p.room_no"
                       " AND s.type = 'm.room.avatar' AND s.state_key = '' AND s.pos = p.pos WHERE p.media_no = $1"
                       " ORDER BY p.room_no DESC LIMIT 200",
    [PICTURED_PEOPLE] = "SELECT user_no FROM profile_fields WHERE field = 'avatar_url' AND value = '\"' || $1 || '\"'"
                        " ORDER BY user_no LIMIT 20",
    [ENCRYPTED_ROOMS] = "SELECT u.room_no FROM memberships u JOIN memberships m ON m.room_no = u.room_no"
                        " JOIN room_state s ON s.room_no = u.room_no" JOINS
                        "WHERE u.user_no = $1 AND m.user_no = $2 AND m.membership IN ('join', 'leave', 'ban')"
                        " AND u.joined_pos > 0 ORDER BY u.room_no DESC LIMIT 500",
    [WAS_ENCRYPTED] = "SELECT 1 FROM memberships u JOIN room_state s ON s.room_no = u.room_no" JOINS
                      "WHERE u.user_no = $1 AND u.joined_pos > 0 LIMIT 1",
    [IN_ACCOUNT_DATA] = "SELECT 1 FROM account_data WHERE user_no = $1 AND content LIKE '%' || $2 || '%' LIMIT 1",
    [IN_HELD] = "SELECT 1 FROM held_messages WHERE sender = $1 AND state = 'waiting' AND content LIKE '%' || $2 || '%'"
                " LIMIT 1",
    [IN_REPORTS] = "SELECT 1 FROM reports WHERE accused = $1 AND state = 'open' AND evidence LIKE '%' || $2 || '%'"
                   " LIMIT 1",
    [HAS_HASH] = "SELECT 1 FROM media WHERE hash = $1 LIMIT 1",
    [GONE_NEXT] = "SELECT hash FROM media_gone ORDER BY hash LIMIT 1",
    [INSERT] = "INSERT INTO media (media_id, user_no, school_no, hash, bytes, type, name, created_ms, pos, sent,"
               " forget_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10) RETURNING media_no",
    [FILL] =
        "UPDATE media SET school_no = $2, hash = $3, bytes = $4, type = $5, name = $6, pos = $7, forget_ms = CASE WHEN"
        " EXISTS (SELECT 1 FROM media_places p WHERE p.media_no = $1) THEN NULL ELSE CAST($8 AS BIGINT) END"
        " WHERE media_no = $1 AND hash IS NULL",
    [PLACE] = "INSERT INTO media_places (pos, media_no, room_no) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    [PLACED] = "UPDATE media SET sent = 1, forget_ms = CASE WHEN hash IS NULL THEN forget_ms END WHERE media_no = $1",
    [UNPLACED] = "UPDATE media SET forget_ms = $2 WHERE media_no IN (SELECT p.media_no FROM media_places p"
                 " WHERE p.pos = $1) AND NOT EXISTS (SELECT 1 FROM media_places o WHERE o.media_no = media.media_no"
                 " AND o.pos <> $1)",
    [UNPLACE] = "DELETE FROM media_places WHERE pos = $1",
    [UNPLACE_OF] = "DELETE FROM media_places WHERE media_no = $1",
    [UNPLACE_ALL] = "DELETE FROM media_places WHERE media_no IN (SELECT m.media_no FROM media m WHERE m.user_no = $1)",
    [GONE] = "INSERT INTO media_gone (hash) SELECT hash FROM media WHERE media_no = $1 AND hash IS NOT NULL"
             " ON CONFLICT DO NOTHING",
    [GONE_OF] = "INSERT INTO media_gone (hash) SELECT DISTINCT hash FROM media WHERE user_no = $1 AND hash IS NOT NULL"
                " ON CONFLICT DO NOTHING",
    [GONE_HASH] = "INSERT INTO media_gone (hash) VALUES ($1) ON CONFLICT DO NOTHING",
    [FORGET] = "DELETE FROM media WHERE media_no = $1",
    [FORGET_OF] = "DELETE FROM media WHERE user_no = $1",
    [KEEP] = "UPDATE media SET forget_ms = $2 WHERE media_no = $1",
    [GONE_DONE] = "DELETE FROM media_gone WHERE hash = $1",
};
STATEMENTS(MEDIA, "media", TEXTS);

static void put_string(char *to, size_t cap, const char *from)
{
    snprintf(to, cap, "%s", from != NULL ? from : "");
}

bool media_next(struct stmt *q, struct media_row *row)
{
    size_t len;
    if (!stmt_next(q))
        return false;
    *row = (struct media_row){.no = col_int(q, 0),
                              .user = col_int(q, 2),
                              .school = col_int(q, 3),
                              .bytes = col_int(q, 5),
                              .created_ms = col_int(q, 8),
                              .pos = col_int(q, 9),
                              .sent = col_int(q, 10) != 0,
                              .forget_ms = col_int(q, 11)};
    put_string(row->media_id, sizeof row->media_id, col_text(q, 1));
    put_string(row->type, sizeof row->type, col_text(q, 6));
    put_string(row->name, sizeof row->name, col_text(q, 7));
    const void *hash = col_bytes(q, 4, &len);
    row->whole = hash != NULL && len == sizeof row->hash;
    if (row->whole)
        memcpy(row->hash, hash, sizeof row->hash);
    return true;
}

bool media_find(struct db *db, const char *media_id, struct media_row *out)
{
    struct stmt *q = db_query(db, &MEDIA, FIND, "t", media_id);
    bool found = media_next(q, out);
    stmt_end(q);
    return found;
}

const char *media_id_of(const char *uri, const char *server_name)
{
    size_t len = strlen(server_name);
    bool own = mxc_valid(uri) && strncmp(uri + 6, server_name, len) == 0 && uri[6 + len] == '/';
    return own ? uri + 6 + len + 1 : NULL;
}

bool media_is_here(struct db *db, const char *server_name, const char *uri)
{
    struct media_row row;
    const char *id = media_id_of(uri, server_name);
    return id != NULL && media_find(db, id, &row) && row.whole;
}

int64_t media_used(struct db *db, user_no user, school_no school)
{
    _Static_assert(MEDIA_BYTES_LEAST == 4096, "as in the statement");
    return db_int(db, &MEDIA, USE, 0, "ii", user, school);
}

int64_t media_count(struct db *db, user_no user)
{
    return db_int(db, &MEDIA, COUNT_OF, 0, "i", user);
}

int64_t media_pending(struct db *db, user_no user, int64_t now_ms)
{
    return db_int(db, &MEDIA, PENDING, 0, "ii", user, now_ms);
}

bool media_insert(struct tx *tx, struct media_row *row)
{
    random_name(row->media_id, MEDIA_ID_BYTES);
    row->no = db_insert(tx->db, &MEDIA, INSERT, "tiibittiii", row->media_id, row->user, row->school,
                        row->whole ? row->hash : NULL, sizeof row->hash, row->bytes, row->type,
                        row->name[0] != '\0' ? row->name : NULL, row->created_ms, row->pos, row->forget_ms);
    return row->no != 0;
}

bool media_fill(struct tx *tx, const struct media_row *row)
{
    return db_run(tx->db, &MEDIA, FILL, "iibittii", row->no, row->school, row->hash, sizeof row->hash, row->bytes,
                  row->type, row->name[0] != '\0' ? row->name : NULL, row->pos, row->forget_ms);
}

bool media_place(struct tx *tx, int64_t media, room_no room, stream_pos pos)
{
    return db_run(tx->db, &MEDIA, PLACE, "iii", pos, media, room) && db_run(tx->db, &MEDIA, PLACED, "i", media);
}

bool media_unplace(struct tx *tx, stream_pos pos)
{
    return db_run(tx->db, &MEDIA, UNPLACED, "ii", pos, tx->now_ms + MEDIA_SENT_GRACE_MS) &&
           db_run(tx->db, &MEDIA, UNPLACE, "i", pos);
}

bool media_forget(struct tx *tx, int64_t media)
{
    return db_run(tx->db, &MEDIA, GONE, "i", media) && db_run(tx->db, &MEDIA, UNPLACE_OF, "i", media) &&
           db_run(tx->db, &MEDIA, FORGET, "i", media);
}

bool media_forget_of(struct tx *tx, user_no user)
{
    return db_run(tx->db, &MEDIA, GONE_OF, "i", user) && db_run(tx->db, &MEDIA, UNPLACE_ALL, "i", user) &&
           db_run(tx->db, &MEDIA, FORGET_OF, "i", user);
}

bool media_keep(struct tx *tx, int64_t media, int64_t forget_ms)
{
    return db_run(tx->db, &MEDIA, KEEP, "ii", media, forget_ms);
}

struct stmt *media_places(struct db *db, int64_t media, user_no user)
{
    return db_query(db, &MEDIA, PLACES, "ii", media, user);
}

bool media_places_next(struct stmt *q, room_no *room, stream_pos *pos)
{
    if (!stmt_next(q))
        return false;
    *room = col_int(q, 0);
    *pos = col_int(q, 1);
    return true;
}

/* The first column of the next row. */
static bool next_number(struct stmt *q, int64_t *no)
{
    bool found = stmt_next(q);
    *no = found ? col_int(q, 0) : 0;
    return found;
}

struct stmt *media_pictured_rooms(struct db *db, int64_t media)
{
    return db_query(db, &MEDIA, PICTURED_ROOMS, "i", media);
}

bool media_pictured_rooms_next(struct stmt *q, room_no *room)
{
    return next_number(q, room);
}

struct stmt *media_pictured_people(struct db *db, const char *uri)
{
    return db_query(db, &MEDIA, PICTURED_PEOPLE, "t", uri);
}

bool media_pictured_people_next(struct stmt *q, user_no *user)
{
    return next_number(q, user);
}

struct stmt *media_encrypted_rooms(struct db *db, user_no uploader, user_no asker)
{
    return db_query(db, &MEDIA, ENCRYPTED_ROOMS, "ii", uploader, asker);
}

bool media_encrypted_rooms_next(struct stmt *q, room_no *room)
{
    return next_number(q, room);
}

bool media_was_encrypted(struct db *db, user_no uploader)
{
    return db_int(db, &MEDIA, WAS_ENCRYPTED, 0, "i", uploader) != 0;
}

bool media_is_kept(struct db *db, user_no uploader, const char *uri)
{
    return db_int(db, &MEDIA, IN_ACCOUNT_DATA, 0, "it", uploader, uri) != 0 ||
           db_int(db, &MEDIA, IN_HELD, 0, "it", uploader, uri) != 0 ||
           db_int(db, &MEDIA, IN_REPORTS, 0, "it", uploader, uri) != 0;
}

struct stmt *media_due(struct db *db, int64_t now_ms, int64_t limit)
{
    return db_query(db, &MEDIA, DUE, "ii", now_ms, limit);
}

struct stmt *media_of(struct db *db, user_no user)
{
    return db_query(db, &MEDIA, OF, "i", user);
}

struct stmt *media_all(struct db *db, int64_t after)
{
    return db_query(db, &MEDIA, ALL, "i", after);
}

bool media_has_hash(struct db *db, const unsigned char hash[SHA256_BYTES])
{
    return db_int(db, &MEDIA, HAS_HASH, 0, "b", hash, (size_t)SHA256_BYTES) != 0;
}

bool media_gone_next(struct db *db, unsigned char hash[SHA256_BYTES])
{
    size_t len = 0;
    struct stmt *q = db_query(db, &MEDIA, GONE_NEXT, "");
    const void *bytes = stmt_next(q) ? col_bytes(q, 0, &len) : NULL;
    bool found = bytes != NULL && len == SHA256_BYTES;
    if (found)
        memcpy(hash, bytes, SHA256_BYTES);
    stmt_end(q);
    return found;
}

bool media_gone(struct tx *tx, const unsigned char hash[SHA256_BYTES])
{
    return db_run(tx->db, &MEDIA, GONE_HASH, "b", hash, (size_t)SHA256_BYTES);
}

bool media_gone_done(struct tx *tx, const unsigned char hash[SHA256_BYTES])
{
    return db_run(tx->db, &MEDIA, GONE_DONE, "b", hash, (size_t)SHA256_BYTES);
}
