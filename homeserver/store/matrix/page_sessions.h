/* Browsers that are signed in on the server's own pages (client-api/pages): a cookie's token at rest, as its hash. It
 * is no access token, has no device, and ends soon: PAGE_SESSION_IDLE_MS after its last use, PAGE_SESSION_MAX_MS after
 * it began, when the person's sessions all end, or when the account may not sign in. */
#ifndef PARTA_STORE_MATRIX_PAGE_SESSIONS_H
#define PARTA_STORE_MATRIX_PAGE_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/account_state.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"

struct db;
struct tx;

#define PAGE_SESSION_IDLE_MS (30 * MINUTE_MS)
#define PAGE_SESSION_MAX_MS (12 * HOUR_MS)
#define PAGE_SESSIONS_MAX 8 /* of a person (J5): then the one that was not used for longest goes */

struct page_session {
    user_no user;
    char *localpart; /* heap: page_session_finish */
    enum account_state state;
    bool admin;
    char *language; /* heap; NULL: they have not chosen any */
    int64_t seen_ms, created_ms;
    bool stale; /* its beginning proved nothing of who was there (a provider that they were signed in at already) */
};
void page_session_finish(struct page_session *session); /* frees its strings and empties it */

/* true: found, in time and of an account that may sign in; the caller finishes *out. Reads; also inside a job. */
bool page_sessions_find(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES], int64_t now_ms,
                        struct page_session *out);
int64_t page_sessions_count(struct db *db, user_no user, int64_t now_ms); /* of those that are in time */

/* Inside a job. */
bool page_sessions_insert(struct tx *tx, user_no user, const unsigned char hash[TOKEN_HASH_BYTES], bool stale);
bool page_sessions_seen(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES]);
bool page_sessions_delete(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES]);
bool page_sessions_delete_of(struct tx *tx, user_no user);
int page_sessions_prune(struct tx *tx, int at_most); /* how many went that nobody can use any more */

#endif
