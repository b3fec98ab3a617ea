/* Registration tokens (Client-Server API, "Token-authenticated registration"): who has one may make an account. Kept as
 * hashes; each allows a number of uses and may expire. */
#ifndef PARTA_STORE_MATRIX_REGISTRATION_H
#define PARTA_STORE_MATRIX_REGISTRATION_H

#include <stdbool.h>
#include <stdint.h>

struct db;
struct tx;

#define REGISTRATION_TOKEN_MAX 64 /* bytes */

/* Whether the token could be used now. Blocks (a read). */
bool registration_tokens_valid(struct db *db, const char *token, int64_t now_ms);

/* Inside a job. uses_allowed 0: any number; expires_ms 0: never. false: there is such a token. */
bool registration_tokens_insert(struct tx *tx, const char *token, int64_t uses_allowed, int64_t expires_ms);

/* Inside a job: counts one use. false: the token is unknown, used up or expired. */
bool registration_tokens_use(struct tx *tx, const char *token);

#endif
