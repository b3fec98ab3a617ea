/* Who asks: access tokens, remembered in memory.
 *
 * A session is what a token stands for, immutable and counted. The loops find it here without SQL; a token that is not
 * here is looked up by a worker (sessions_load). Tokens are kept as BLAKE2b-256 hashes, here and on disk; here also as
 * SipHash-128 under a key of this run's, which is quicker to compare with. The cache is bounded and drops the least
 * recently used; CHANGE_SESSION empties what a sign-out ends before it is answered. */
#ifndef PARTA_ACCOUNTS_SESSIONS_H
#define PARTA_ACCOUNTS_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/account_state.h"
#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/jobs/jobs.h"

struct db;
struct change;
struct sessions;
struct writer;

struct session {
    user_no user;
    device_no device;
    char *user_id; /* "@localpart:server" */
    char *device_id;
    int64_t expires_ms; /* wall clock; 0: never */
    bool admin;         /* server administrator */
    enum account_state state;
    bool oauth; /* by the OAuth 2.0 API: no endpoint that wants interactive authentication is its */
};

/* Nothing is in memory yet; at most max sessions will be at once. server_name is copied. Never NULL. */
struct sessions *sessions_create(const char *server_name, size_t max);

/* The writer that notes the first use of a token got by a refresh (store/matrix/tokens.h, tokens_used); sessions_load
 * waits for it once a refresh. Set before the first request; without it refresh tokens that were replaced stay good. */
void sessions_set_writer(struct sessions *sessions, struct writer *writer);

void sessions_destroy(struct sessions *sessions); /* NULL is accepted */

/* A reference to the token's session if it is in memory, else NULL. Never blocks. Any thread. likely: whose token it
 * most likely is, borrowed, of these sessions; NULL: nobody knows. If it is, that costs a tenth. */
const struct session *sessions_find(struct sessions *sessions, const char *token, const struct session *likely);

/* The same, asking the database when it is not in memory. NULL: *e is ERROR_UNKNOWN_TOKEN, with soft_logout when the
 * token has expired but its device is still there. Blocks (a read). */
const struct session *sessions_load(struct sessions *sessions, struct db *db, const char *token, struct error *e);

/* Whether a session that was found is still in memory as it was: neither revoked nor forgotten nor expired. It costs
 * next to nothing: held polls are asked at every wake. Any thread, never blocks. */
bool session_holds(const struct session *session);

/* One reference more, which the caller gives back. Any thread. Never blocks. */
const struct session *session_ref(const struct session *session);
void session_unref(const struct session *session); /* NULL is accepted; any thread */

/* Notes that the session is in use from that address (school.md H1: "see all sessions"): every SEEN_EVERY_MS at most,
 * the device's row is written, by sessions_write_seen with those of others, and nobody waits for it. Any thread, never
 * blocks. */
void sessions_seen(struct sessions *sessions, const struct session *session, const char *ip);
#define SEEN_EVERY_MS (10 * 60 * 1000)

/* Has the writer write what sessions_seen noted: a job of the server's, each SEEN_WRITE_MS, and once more at its end.
 * Does not wait for it. */
enum job_outcome sessions_write_seen(void *sessions, const _Atomic bool *stop);
#define SEEN_WRITE_MS 5000
#define SEEN_AT_ONCE 128 /* so many do not wait for it */

size_t sessions_count(struct sessions *sessions); /* how many are in memory */

/* The writer's observer: forgets sessions that a CHANGE_SESSION ends. */
void sessions_observe(void *self, const struct change *changes, size_t n);

#endif
