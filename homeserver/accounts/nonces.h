/* Names that are drawn, handed out and taken back once: nonces of the shared-secret registration, login tokens. A fixed
 * number is kept, so that asking for many costs no memory: the oldest gives way. All end with the process. Any
 * thread. */
#ifndef PARTA_ACCOUNTS_NONCES_H
#define PARTA_ACCOUNTS_NONCES_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"

#define NONCE_CHARS 43
#define NONCE_LIFETIME_MS 60000
#define LOGIN_TOKEN_LIFETIME_MS 120000

struct nonces;

struct nonces *nonces_create(void);         /* empty, never NULL */
void nonces_destroy(struct nonces *nonces); /* NULL is accepted */

/* Of what a login token was made: with it, it is good for nothing. */
struct nonce_origin {
    user_no user;
    device_no device;                         /* whose session asked, */
    int64_t asked_ms;                         /* and when, by the wall's clock */
    unsigned char password[TOKEN_HASH_BYTES]; /* login_origin_digest */
};

/* of: a person has one at a time, a newer one ends it; NULL: nobody's. now_ms: clock_mono_ms, here and below. */
void nonces_issue(struct nonces *nonces, const struct nonce_origin *of, int64_t now_ms, int64_t lifetime_ms,
                  char out[NONCE_CHARS + 1]);

/* Takes the nonce back: true once, if it was issued and has not expired. of: NULL, or of what it was. */
bool nonces_redeem(struct nonces *nonces, const char *nonce, int64_t now_ms, struct nonce_origin *of);

#endif
