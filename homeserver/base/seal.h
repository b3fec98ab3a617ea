/* Numbers that people are given and give back, so that they tell nothing: which of two is the larger, how far apart
 * they are, whether they are the same, how many were given to others (A1).
 *
 * A sealed number is a synthetic initialization vector, SipHash-2-4 of whose it is, what kind it is, the number and a
 * nonce, and behind it number and nonce under a key stream made of that vector: 30 characters of base64url. Whoever
 * gives numbers away counts its nonces, so that no two sealed numbers are alike; the count itself is sealed, too. A
 * sealed number of somebody else, of another kind or key does not open (one in 2^64 that is made up does). */
#ifndef PARTA_BASE_SEAL_H
#define PARTA_BASE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/text.h"

#define SEAL_KEY_BYTES 32
#define SEALED_CHARS 30

/* What the number belongs to. */
struct seal_owner {
    int64_t whose;
    char kind;
};

/* nonce: below 2^48; each once for a key. Some tenths of a microsecond; any thread. */
void seal_add(struct text *out, const unsigned char key[SEAL_KEY_BYTES], struct seal_owner owner, int64_t number,
              uint64_t nonce);

/* Of SEALED_CHARS characters. false: it was not sealed with this key for this owner. */
bool seal_open(const char *sealed, const unsigned char key[SEAL_KEY_BYTES], struct seal_owner owner, int64_t *number);

#endif
