/* What people have approved on the pages of their account and their client may do once, soon (Client-Server API, "OAuth
 * authentication"): new cross-signing keys in place of others. A fixed number is kept, in memory; the oldest gives way.
 * Any thread. */
#ifndef PARTA_ACCOUNTS_APPROVALS_H
#define PARTA_ACCOUNTS_APPROVALS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"

#define APPROVAL_LIFETIME_MS INT64_C(600000)

struct approvals;

struct approvals *approvals_create(void);            /* empty, never NULL */
void approvals_destroy(struct approvals *approvals); /* NULL is accepted */

/* now_ms: clock_mono_ms, here and below. A person has one at a time. origin: of login_origin_digest; the approval is
 * void once that is another. */
void approvals_give(struct approvals *approvals, user_no user, const unsigned char origin[TOKEN_HASH_BYTES],
                    int64_t now_ms);

/* Whether the person has approved it, which is over with this. */
bool approvals_take(struct approvals *approvals, user_no user, const unsigned char origin[TOKEN_HASH_BYTES],
                    int64_t now_ms);

#endif
