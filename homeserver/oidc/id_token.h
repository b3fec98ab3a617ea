/* ID tokens: what a provider says of who signed in there (OpenID Connect Core 1.0, 2 and 3.1.3.7). Pure: keys, clock
 * and what was asked for are given.
 *
 * A token is taken only when all of it holds: a signature by one of the issuer's keys, by an algorithm of the fixed
 * list (jose.h); iss, the one that was asked; aud, this client and nobody besides; azp, where it stands there, the
 * same; the nonce of this very attempt; exp, iat and nbf by this server's clock, give or take its skew; and, where they
 * were to sign in anew, auth_time since that was asked (3.1.2.1, max_age; 3.1.3.7, 13). Who it is of is iss and sub
 * together, and nothing else in it. */
#ifndef PARTA_OIDC_ID_TOKEN_H
#define PARTA_OIDC_ID_TOKEN_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/oidc/jose.h"

#define ID_TOKEN_SUBJECT_BYTES_MAX 255 /* ASCII (OpenID Connect Core, 2) */
#define ID_TOKEN_SKEW_S 120            /* how far the clocks of two servers may be apart */
#define ID_TOKEN_AGE_MAX_S 600         /* since it was made: it is asked for and comes at once */

struct id_token_wanted {
    const char *issuer, *client_id, *nonce;
    unsigned algorithms; /* jose.h */
    int64_t now_s;       /* Unix time */
    int64_t since_s;     /* they must have signed in there since then, and auth_time must say so; 0: whenever */
};

enum id_token_fault {
    ID_TOKEN_GOOD,
    ID_TOKEN_MALFORMED,
    ID_TOKEN_ALGORITHM,
    ID_TOKEN_UNKNOWN_KEY, /* worth another look at the issuer's keys; nothing else is */
    ID_TOKEN_SIGNATURE,
    ID_TOKEN_ISSUER,
    ID_TOKEN_AUDIENCE,
    ID_TOKEN_AUTHORIZED_PARTY,
    ID_TOKEN_NONCE,
    ID_TOKEN_EXPIRED,
    ID_TOKEN_ISSUED_AT,
    ID_TOKEN_SUBJECT,
    ID_TOKEN_AUTH_TIME,
    ID_TOKEN_FAULT__COUNT
};

extern const char *const ID_TOKEN_FAULTS[ID_TOKEN_FAULT__COUNT]; /* for the log: "another audience" … */

/* When they signed in there, as claims that hold say. −1: they do not say it, or a time to come. */
int64_t id_token_auth_time(const json_t *claims, int64_t now_s);

/* ID_TOKEN_GOOD: *claims are the token's, the caller's; "sub" in it is a string of 1 to 255 visible ASCII characters.
 * Else NULL. */
enum id_token_fault id_token_read(const struct jwk_set *keys, const struct id_token_wanted *wanted, const char *token,
                                  size_t len, json_t **claims);

#endif
