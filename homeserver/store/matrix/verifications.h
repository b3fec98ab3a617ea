/* Verifications of contacts at rest: a code on its way to an address, and the proof that it came back (school.md C3;
 * Client-Server API, "Adding Account Administrative Contact Information"). Sessions are known to clients by sid. What
 * may be done is decided in accounts/contacts.c. */
#ifndef PARTA_STORE_MATRIX_VERIFICATIONS_H
#define PARTA_STORE_MATRIX_VERIFICATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"

struct db;
struct tx;

/* Texts are heap: verification_row_finish. */
struct verification_row {
    char *sid, *purpose, *medium, *address, *delivery;
    unsigned char secret_hash[TOKEN_HASH_BYTES], code_hash[TOKEN_HASH_BYTES];
    int64_t send_attempt, tries, expires_ms, validated_ms; /* validated_ms 0: not yet */
};
void verification_row_finish(struct verification_row *row);

/* true: found, the caller finishes *row. */
bool verifications_get(struct db *db, const char *sid, struct verification_row *row);
/* The session of the same address, purpose and secret as like has that a code may still be submitted to: not expired at
 * now_ms, and tried less often than tries. */
bool verifications_find(struct db *db, const struct verification_row *like, int tries, int64_t now_ms,
                        struct verification_row *row);

/* Inside a job. row: sid, purpose, medium, address, both hashes, send_attempt, expires_ms. */
bool verifications_insert(struct tx *tx, const struct verification_row *row);
/* Another message in the same session: code_hash, send_attempt, expires_ms. */
bool verifications_resend(struct tx *tx, const struct verification_row *row);
bool verifications_tried(struct tx *tx, const char *sid);
bool verifications_validate(struct tx *tx, const char *sid, int64_t expires_ms);
bool verifications_end(struct tx *tx, const char *sid); /* its proof was used */
bool verifications_end_all(struct tx *tx, const char *purpose, const char *medium, const char *address);
bool verifications_deliver(struct tx *tx, const char *sid, int64_t send_attempt, const char *delivery);
bool verifications_forget(struct tx *tx, user_no user); /* an erasure (G4): those of addresses that are the person's */
bool verifications_lost(struct tx *tx);                 /* what waits will not be delivered any more */
bool verifications_purge(struct tx *tx, int64_t before_ms); /* those that expired before */

#endif
