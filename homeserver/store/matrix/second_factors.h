/* Second factors (school.md H1): a person's secret for time-based codes (RFC 6238), sealed by whoever writes it
 * (accounts/second_factor.h), which step of time was used last, and the hashes of their recovery codes. */
#ifndef PARTA_STORE_MATRIX_SECOND_FACTORS_H
#define PARTA_STORE_MATRIX_SECOND_FACTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"

struct db;
struct tx;

#define RECOVERY_CODES_MAX 10  /* of a person (J5) */
#define FACTOR_SEALED_BYTES 60 /* nonce, 20 bytes of secret, tag */

struct second_factor_row {
    unsigned char sealed[FACTOR_SEALED_BYTES];
    int64_t set_ms;
    int64_t last_step; /* of the newest code that was taken: no older one is; −1: none yet */
};

/* Reads; also inside a job. false: the person has none. */
bool second_factors_has(struct db *db, user_no user);
bool second_factors_get(struct db *db, user_no user, struct second_factor_row *out);
int64_t second_factors_codes(struct db *db, user_no user); /* recovery codes that are left */

/* Inside a job. set: in place of one that is there. spend_code: *found: there was such a recovery code; it is gone.
 * forget: with its codes; also where there is none. */
bool second_factors_set(struct tx *tx, user_no user, const struct second_factor_row *row);
bool second_factors_step(struct tx *tx, user_no user, int64_t step);
bool second_factors_add_code(struct tx *tx, user_no user, const unsigned char hash[TOKEN_HASH_BYTES]);
bool second_factors_spend_code(struct tx *tx, user_no user, const unsigned char hash[TOKEN_HASH_BYTES], bool *found);
bool second_factors_forget(struct tx *tx, user_no user);

#endif
