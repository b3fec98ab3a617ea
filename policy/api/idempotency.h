/* A write that is asked for twice acts once: header Idempotency-Key.
 *
 * The key is a secret of its client (16 to 64 visible ASCII characters; a UUID will do). Replies may hold what is kept
 * nowhere else, such as the token of a link (school.md C2), so that they are sealed under a key that only the
 * Idempotency-Key gives, and requests are compared by a keyed hash: who reads the database learns neither. */
#ifndef PARTA_POLICY_API_IDEMPOTENCY_H
#define PARTA_POLICY_API_IDEMPOTENCY_H

#include <stdbool.h>

#include "homeserver/base/text.h"
#include "homeserver/http/request.h"
#include "homeserver/store/school/idempotency.h"

struct idempotent {
    const char *caller; /* borrowed; NULL: the request has no key, and nothing is kept */
    unsigned char key_hash[IDEMPOTENCY_HASH_BYTES], request_hash[IDEMPOTENCY_HASH_BYTES], seal[32];
};

struct idempotent_reply {
    int status;
    int64_t version;  /* 0: none */
    struct text body; /* JSON */
};

/* caller: what api_caller said. false: r->error, the key is ill-formed. */
bool idempotent_begin(struct request *r, const char *caller, struct idempotent *out);

/* Both inside the job. find: true and *done: the request was answered so before. false: another
 * request had this key. */
bool idempotent_find(struct db *db, const struct idempotent *once, bool *done, struct idempotent_reply *reply,
                     struct error *e);
bool idempotent_keep(struct tx *tx, const struct idempotent *once, const struct idempotent_reply *reply);

#endif
