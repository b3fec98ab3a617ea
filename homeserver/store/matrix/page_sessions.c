#include "homeserver/store/matrix/page_sessions.h"

#include <stdlib.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

enum { FIND, HOW_MANY, INSERT, MAKE_ROOM, SEEN, DELETE, DELETE_OF, PRUNE, N };
static const struct statement TEXTS[N] = {
    [FIND] = "SELECT p.user_no, u.localpart, u.state, u.admin, p.seen_ms, p.created_ms, u.language, p.stale"
             " FROM page_sessions p"
             " JOIN users u ON u.user_no = p.user_no WHERE p.token_hash = $1 AND p.seen_ms > $2 AND p.created_ms > $3",
    [HOW_MANY] = "SELECT count(*) FROM page_sessions WHERE user_no = $1 AND seen_ms > $2 AND created_ms > $3",
    [INSERT] = "INSERT INTO page_sessions (token_hash, user_no, created_ms, seen_ms, stale)"
               " VALUES ($1, $2, $3, $3, $4)",
    [MAKE_ROOM] = "DELETE FROM page_sessions WHERE token_hash IN (SELECT o.token_hash FROM page_sessions o"
                  " WHERE o.user_no = $1 ORDER BY o.seen_ms DESC LIMIT 1000 OFFSET $2)",
    [SEEN] = "UPDATE page_sessions SET seen_ms = $2 WHERE token_hash = $1",
    [DELETE] = "DELETE FROM page_sessions WHERE token_hash = $1",
    [DELETE_OF] = "DELETE FROM page_sessions WHERE user_no = $1",
    [PRUNE] = "DELETE FROM page_sessions WHERE token_hash IN (SELECT o.token_hash FROM page_sessions o"
              " WHERE o.seen_ms <= $1 OR o.created_ms <= $2 LIMIT $3)",
};
STATEMENTS(PAGE_SESSIONS, "page_sessions", TEXTS);

void page_session_finish(struct page_session *session)
{
    free(session->localpart);
    free(session->language);
    *session = (struct page_session){0};
}

bool page_sessions_find(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES], int64_t now_ms,
                        struct page_session *out)
{
    struct stmt *q = db_query(db, &PAGE_SESSIONS, FIND, "bii", hash, (size_t)TOKEN_HASH_BYTES,
                              now_ms - PAGE_SESSION_IDLE_MS, now_ms - PAGE_SESSION_MAX_MS);
    *out = (struct page_session){0};
    if (stmt_next(q))
        *out = (struct page_session){.user = col_int(q, 0),
                                     .localpart = xstrdup(col_text(q, 1)),
                                     .state = account_state_stored(col_text(q, 2)),
                                     .admin = col_int(q, 3) != 0,
                                     .seen_ms = col_int(q, 4),
                                     .created_ms = col_int(q, 5),
                                     .stale = col_int(q, 7) != 0,
                                     .language = col_text(q, 6) != NULL ? xstrdup(col_text(q, 6)) : NULL};
    stmt_end(q);
    if (out->user != 0 && out->state != ACCOUNT_LOCKED && out->state != ACCOUNT_LEFT)
        return true;
    page_session_finish(out);
    return false;
}

int64_t page_sessions_count(struct db *db, user_no user, int64_t now_ms)
{
    return db_int(db, &PAGE_SESSIONS, HOW_MANY, 0, "iii", user, now_ms - PAGE_SESSION_IDLE_MS,
                  now_ms - PAGE_SESSION_MAX_MS);
}

bool page_sessions_insert(struct tx *tx, user_no user, const unsigned char hash[TOKEN_HASH_BYTES], bool stale)
{
    return db_run(tx->db, &PAGE_SESSIONS, MAKE_ROOM, "ii", user, (int64_t)PAGE_SESSIONS_MAX - 1) &&
           db_run(tx->db, &PAGE_SESSIONS, INSERT, "biii", hash, (size_t)TOKEN_HASH_BYTES, user, tx->now_ms,
                  (int64_t)stale);
}

bool page_sessions_seen(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES])
{
    return db_run(tx->db, &PAGE_SESSIONS, SEEN, "bi", hash, (size_t)TOKEN_HASH_BYTES, tx->now_ms);
}

bool page_sessions_delete(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES])
{
    return db_run(tx->db, &PAGE_SESSIONS, DELETE, "b", hash, (size_t)TOKEN_HASH_BYTES);
}

bool page_sessions_delete_of(struct tx *tx, user_no user)
{
    return db_run(tx->db, &PAGE_SESSIONS, DELETE_OF, "i", user);
}

int page_sessions_prune(struct tx *tx, int at_most)
{
    return db_rows(tx->db, &PAGE_SESSIONS, PRUNE, "iii", tx->now_ms - PAGE_SESSION_IDLE_MS,
                   tx->now_ms - PAGE_SESSION_MAX_MS, (int64_t)at_most);
}
