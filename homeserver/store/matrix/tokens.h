/* Access and refresh tokens at rest: hashes only (base/crypto.h, token_hash), each bound to a device and gone with it.
 *
 * A refresh answers with a new pair whose rows carry ends_hash, the refresh token it was got with. That one stays good,
 * in case the answer is lost, until a token of the pair is used for the first time: then tokens_used ends it
 * (Client-Server API, "Refreshing access tokens"). An expired access token keeps its row as long as its device may be
 * signed in again, so that its owner is told of a soft logout. */
#ifndef PARTA_STORE_MATRIX_TOKENS_H
#define PARTA_STORE_MATRIX_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"
#include "homeserver/store/matrix/users.h"

struct db;
struct tx;

/* What an access token stands for. */
struct token_row {
    user_no user;
    device_no device;
    char *localpart, *device_id;  /* heap: token_row_finish */
    char state[USER_STATE_BYTES]; /* as in struct user_row */
    bool admin;
    int64_t expires_ms; /* 0: never */
    bool fresh;         /* not used yet since a refresh: tokens_used is due */
};
void token_row_finish(struct token_row *row);

bool tokens_find(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES], struct token_row *row);

struct refresh_row {
    device_no device;
    user_no user;
    char state[USER_STATE_BYTES];
    int64_t expires_ms; /* 0: never */
    bool fresh;
};
bool tokens_find_refresh(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES], struct refresh_row *row);

/* Inside a job. ends: the refresh token that the new one replaces, or NULL. expires_ms 0: never. */
bool tokens_insert(struct tx *tx, device_no device, const unsigned char hash[TOKEN_HASH_BYTES],
                   const unsigned char *ends, int64_t expires_ms);
bool tokens_insert_refresh(struct tx *tx, device_no device, const unsigned char hash[TOKEN_HASH_BYTES],
                           const unsigned char *ends, int64_t expires_ms);

/* The first use of an access token (or a refresh token) that replaces a refresh token: that one ends, and with it the
 * device's access tokens that have expired. */
bool tokens_used(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES]);
bool tokens_used_refresh(struct tx *tx, const unsigned char hash[TOKEN_HASH_BYTES]);

/* Forgets pairs that were got with this refresh token and never used: a repeated refresh replaces them. None of them is
 * in memory, because sessions.c keeps a token only after tokens_used. */
bool tokens_drop_unused(struct tx *tx, const unsigned char ends[TOKEN_HASH_BYTES]);

/* Both kinds; queues CHANGE_SESSION. */
bool tokens_delete_of_device(struct tx *tx, user_no user, device_no device);

#endif
