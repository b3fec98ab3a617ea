/* What requests with an Idempotency-Key were answered (policy/api/idempotency.h says what the bytes are). */
#ifndef PARTA_STORE_SCHOOL_IDEMPOTENCY_H
#define PARTA_STORE_SCHOOL_IDEMPOTENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/store/driver/db.h"

struct tx;

#define IDEMPOTENCY_HASH_BYTES 32

struct idempotency_row {
    const char *caller;
    const unsigned char *key_hash, *request_hash; /* IDEMPOTENCY_HASH_BYTES each */
    int status;
    int64_t version; /* for ETag; 0: none */
    const void *reply;
    size_t reply_len;
};

#define IDEMPOTENCY_PER_PERSON 1000           /* keys of a person a day (jobs/prune.h) */
#define IDEMPOTENCY_BYTES_PER_PERSON 16777216 /* of what they were answered */
/* What is kept of a caller now: rows, and bytes of replies. Also inside a job, where the bound is asked. */
int64_t idempotency_count(struct db *db, const char *caller);
int64_t idempotency_bytes(struct db *db, const char *caller);

/* Borrowed from q until stmt_end, which must follow also when it answers false. */
struct stmt *idempotency_find(struct db *db, const char *caller, const unsigned char key_hash[IDEMPOTENCY_HASH_BYTES]);
bool idempotency_next(struct stmt *q, struct idempotency_row *row);

/* Inside a job. */
bool idempotency_insert(struct tx *tx, const struct idempotency_row *row);
bool idempotency_forget(struct tx *tx, const char *caller);           /* an erasure (G4) */
int idempotency_prune(struct tx *tx, int64_t before_ms, int at_most); /* how many were forgotten */

#endif
