#include "homeserver/store/stamps.h"

#include "homeserver/base/clock.h"
#include "homeserver/store/driver/writer.h"

/* $1: now. */
#define HAPPENED(table, column) "UPDATE " table " SET " column " = $1 WHERE " column " > $1"
/* $1: by how much the clock went back; $2: what ends after it was made while the clock was ahead. */
#define ENDS(table, column) "UPDATE " table " SET " column " = " column " - $1 WHERE " column " > $2"
/* $1: now. The length stays. */
#define MADE(table)                                                                                                    \
    "UPDATE " table " SET expires_ms = expires_ms - (created_ms - $1), created_ms = $1 WHERE created_ms > $1"
/* $1: now, $2: a day later, and nothing in it is meant to be later. */
#define WITHIN_A_DAY(table, column) "UPDATE " table " SET " column " = $1 WHERE " column " > $2"

enum {
    DEVICES,
    HELD_IMPORTS,
    HELD_PUSHES,
    IDEMPOTENCY,
    IMPORTS,
    LOSSES,
    OAUTH_CLIENTS,
    OAUTH_DEVICE_CODES_POLLED,
    PAGE_SESSIONS_MADE,
    PAGE_SESSIONS_SEEN,
    PUSHERS,
    TAKEN_CONTACTS,
    TAKEN_MEMBERS,
    TAKEN_OWNERS,
    TAKEN_RECORDS,
    TAKEN_STATES,
    TO_DEVICE_TRANSACTIONS,
    URGENT_MESSAGES,
    VERIFICATIONS,
    LINKS,
    REGISTRATION_TOKENS,
    CODES_ADD,
    CODES_DROP,
    ACCESS_TOKENS,
    REFRESH_TOKENS,
    ASSOCIATION_CODES,
    OAUTH_CODES,
    OAUTH_DEVICE_CODES,
    MEDIA,
    CLAIMS,
    HELD_MESSAGES,
    HELD_PUSHES_DUE,
    ROSTERS,
    UNTOLD_HEARERS,
    N
};
static const struct statement TEXTS[N] = {
    [DEVICES] = HAPPENED("devices", "last_seen_ms"),
    [HELD_IMPORTS] = HAPPENED("held_imports", "created_ms"),
    [HELD_PUSHES] = HAPPENED("held_pushes", "first_ms"),
    [IDEMPOTENCY] = HAPPENED("idempotency", "created_ms"),
    [IMPORTS] = HAPPENED("imports", "ended_ms"),
    [LOSSES] = HAPPENED("losses", "lost_ms"),
    [OAUTH_CLIENTS] = HAPPENED("oauth_clients", "used_ms"),
    [OAUTH_DEVICE_CODES_POLLED] = HAPPENED("oauth_device_codes", "polled_ms"),
    [PAGE_SESSIONS_MADE] = HAPPENED("page_sessions", "created_ms"),
    [PAGE_SESSIONS_SEEN] = HAPPENED("page_sessions", "seen_ms"),
    [PUSHERS] = HAPPENED("pushers", "mailed_ms"),
    [TAKEN_CONTACTS] = HAPPENED("taken_contacts", "taken_ms"),
    [TAKEN_MEMBERS] = HAPPENED("taken_members", "taken_ms"),
    [TAKEN_OWNERS] = HAPPENED("taken_owners", "taken_ms"),
    [TAKEN_RECORDS] = HAPPENED("taken_records", "taken_ms"),
    [TAKEN_STATES] = HAPPENED("taken_states", "taken_ms"),
    [TO_DEVICE_TRANSACTIONS] = HAPPENED("to_device_transactions", "done_ms"),
    [URGENT_MESSAGES] = HAPPENED("urgent_messages", "sent_ms"),
    [VERIFICATIONS] = MADE("verifications"),
    [LINKS] = {MADE("links"), 0, GUARDED},
    [REGISTRATION_TOKENS] = {MADE("registration_tokens"), 0, GUARDED},
    [CODES_ADD] =
        "INSERT INTO code_counts (scope, name, hour, sends) SELECT scope, name, CAST($1 AS BIGINT), sum(sends)"
        " FROM code_counts WHERE hour > $1 GROUP BY scope, name"
        " ON CONFLICT (scope, name, hour) DO UPDATE SET sends = code_counts.sends + excluded.sends",
    [CODES_DROP] = "DELETE FROM code_counts WHERE hour > $1",
    [ACCESS_TOKENS] = ENDS("access_tokens", "expires_ms"),
    [REFRESH_TOKENS] = ENDS("refresh_tokens", "expires_ms"),
    [ASSOCIATION_CODES] = ENDS("association_codes", "expires_ms"),
    [OAUTH_CODES] = ENDS("oauth_codes", "expires_ms"),
    [OAUTH_DEVICE_CODES] = ENDS("oauth_device_codes", "expires_ms"),
    [MEDIA] = ENDS("media", "forget_ms"),
    [CLAIMS] = {ENDS("links", "claim_until_ms") " AND claim_until_ms < $3", 0, GUARDED},
    [HELD_MESSAGES] = WITHIN_A_DAY("held_messages", "due_ms"),
    [HELD_PUSHES_DUE] = WITHIN_A_DAY("held_pushes", "due_ms"),
    [ROSTERS] = WITHIN_A_DAY("roster_mirrors", "newest_ms"),
    [UNTOLD_HEARERS] = WITHIN_A_DAY("untold_hearers", "due_ms"),
};
STATEMENTS(STAMPS, "stamps", TEXTS);

#define FAR_MS (INT64_C(1) << 50) /* later than any clock: a claim that ends when somebody confirms it */

bool stamps_put_right(struct tx *tx, int64_t back_ms)
{
    int64_t now = tx->now_ms, then = now + back_ms;
    bool good = true;
    tx_acts(tx, "operator:calendar", "clock.back");
    for (int i = 0; i < CODES_ADD; ++i)
        good = good && db_run(tx->db, &STAMPS, i, "i", now);
    for (int i = CODES_ADD; i < ACCESS_TOKENS; ++i)
        good = good && db_run(tx->db, &STAMPS, i, "i", now / HOUR_MS);
    for (int i = ACCESS_TOKENS; i < CLAIMS; ++i)
        good = good && db_run(tx->db, &STAMPS, i, "ii", back_ms, then);
    good = good && db_run(tx->db, &STAMPS, CLAIMS, "iii", back_ms, then, FAR_MS);
    for (int i = HELD_MESSAGES; i < N; ++i)
        good = good && db_run(tx->db, &STAMPS, i, "ii", now, now + DAY_MS);
    return good;
}
