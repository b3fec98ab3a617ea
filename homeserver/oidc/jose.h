/* Keys and signatures of other servers: JSON Web Key sets (RFC 7517) and compact JWS (RFC 7515, 7518), by cjose, which
 * nothing else includes.
 *
 * The list of algorithms is fixed, and each goes with one kind of key: what a token says of its own algorithm chooses
 * between them and nothing else. "none", HMAC (where a public key would be the secret) and whatever is not listed are
 * refused before a key is looked at. Of a set's keys those are kept that can verify one of the list: public parts
 * alone, RSA of 2048 to 8192 bits, P-256. */
#ifndef PARTA_OIDC_JOSE_H
#define PARTA_OIDC_JOSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/text.h"

#define JWK_SET_BYTES_MAX 65536
#define JWK_SET_KEYS_MAX 32 /* of a set; more are not looked at */
#define JWS_BYTES_MAX 16384

enum jws_algorithm { JWS_RS256, JWS_ES256, JWS_ALGORITHM__COUNT };

extern const char *const JWS_ALGORITHM_NAMES[JWS_ALGORITHM__COUNT]; /* "RS256" … */

#define JWS_ALGORITHMS_ALL ((1U << JWS_ALGORITHM__COUNT) - 1) /* a set of them: bits 1 << algorithm */

/* Does not change once it is there: any thread reads it. */
struct jwk_set;

/* NULL: it is no set, or no key in it is of use; *problem says why, and repeats nothing of it. */
struct jwk_set *jwk_set_parse(const char *bytes, size_t len, struct text *problem);
void jwk_set_free(struct jwk_set *set); /* NULL is accepted */
size_t jwk_set_count(const struct jwk_set *set);

enum jws_fault {
    JWS_GOOD,
    JWS_MALFORMED,
    JWS_ALGORITHM,   /* not one of those that are allowed */
    JWS_UNKNOWN_KEY, /* the set has no key of that id and kind: it may be an older one */
    JWS_SIGNATURE
};

/* Verifies a compact JWS against the key that it names; where it names none, against the set's only key of its kind.
 * algorithms: those allowed. JWS_GOOD: *payload is the JSON object that was signed, the caller's; else NULL. A header
 * with "crit" is not understood (RFC 7515, 4.1.11). */
enum jws_fault jws_verify(const struct jwk_set *set, unsigned algorithms, const char *token, size_t len,
                          json_t **payload);

#endif
