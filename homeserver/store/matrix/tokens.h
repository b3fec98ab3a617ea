/* Tokens at rest: hashes only (base/crypto.h, token_hash).
 *
 * Access and refresh tokens are bound to a device and gone with it. A refresh answers with a new pair whose rows carry
 * ends_hash, the refresh token it was got with. That one stays good, in case the answer is lost, until a token of the
 * pair is used for the first time: then tokens_used ends it (Client-Server API, "Refreshing access tokens"). An expired
 * access token keeps its row as long as its device may be signed in again, so that its owner is told of a soft logout.
 *
 * Registration tokens (Client-Server API, "Token-authenticated registration"): who has one may make an account. Each
 * allows a number of uses and may expire. */
#ifndef PARTA_STORE_MATRIX_TOKENS_H
#define PARTA_STORE_MATRIX_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/matrix/users.h"

struct db;
struct tx;

enum token_kind { TOKEN_ACCESS, TOKEN_REFRESH };

/* What a token stands for. */
struct token_row {
    user_no user;
    device_no device;
    char *localpart, *device_id; /* heap: token_row_finish */
    enum account_state state;    /* of the account */
    bool admin;
    int64_t expires_ms; /* 0: never */
    bool fresh;         /* not used yet since a refresh: tokens_used is due */
    client_no client;   /* the program that signed in by OAuth; 0: by none */
};
void token_row_finish(struct token_row *row);

/* true: found, the caller finishes *row. Blocks (a read); also inside a job. */
bool tokens_find(struct db *db, enum token_kind kind, const unsigned char hash[TOKEN_HASH_BYTES],
                 struct token_row *row);

/* Inside a job. ends: the refresh token that the new one replaces, or NULL. expires_ms 0: never. */
bool tokens_insert(struct tx *tx, enum token_kind kind, device_no device, const unsigned char hash[TOKEN_HASH_BYTES],
                   const unsigned char *ends, int64_t expires_ms);

/* The first use of a token that replaces a refresh token: that one ends, and with it the device's access tokens that
 * have expired. One of a session by OAuth is remembered as spent. */
bool tokens_used(struct tx *tx, enum token_kind kind, const unsigned char hash[TOKEN_HASH_BYTES]);

/* A refresh token used twice at once (two tabs, a retry that overtakes) brings two pairs, and which of them the client
 * keeps is for the client: both are good. So that they do not heap up, the next pair after TOKENS_PAIRS_MAX unused ones
 * takes their place, and the device's refresh tokens that nobody came back with go when there are twice as many. What
 * is forgotten is not in memory, because accounts/sessions.c keeps a token only after tokens_used. */
#define TOKENS_PAIRS_MAX 4
#define TOKENS_PAIRS_OAUTH 1 /* a retry's pair is in place of the one before: a thief's does not live beside it */
bool tokens_make_room(struct tx *tx, const unsigned char ends[TOKEN_HASH_BYTES], int64_t pairs);

/* A refresh token by OAuth that was replaced, and its replacement used: whoever comes with it is not alone in having
 * it. The newest TOKENS_SPENT_MAX of a device are known. false: it is none. */
#define TOKENS_SPENT_MAX 8
struct token_spent {
    user_no user;
    device_no device;
};
bool tokens_spent(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES], struct token_spent *out);

/* Both kinds; queues CHANGE_SESSION. */
bool tokens_delete_of_device(struct tx *tx, user_no user, device_no device);

#define REGISTRATION_TOKEN_MAX 64 /* bytes */

/* Whether the token could be used now. Blocks (a read). */
bool registration_tokens_valid(struct db *db, const char *token, int64_t now_ms);

/* Inside a job. uses_allowed 0: any number; expires_ms 0: never. false: there is such a token. */
bool registration_tokens_insert(struct tx *tx, const char *token, int64_t uses_allowed, int64_t expires_ms);

/* Inside a job: counts one use. false: the token is unknown, used up or expired. */
bool registration_tokens_use(struct tx *tx, const char *token);

#endif
