/* An attempt to sign in at a provider, between the button and the answer (RFC 6749, 10.12; RFC 7636; OpenID Connect
 * Core, 3.1.2.1): state, nonce and PKCE's verifier. Nothing is kept of it, so that nobody's attempts push out
 * another's: state carries what it is of and until when, under a key of this server, and nonce and verifier follow from
 * it.
 *
 * All are bound to the provider and to the visit: a secret in the browser's cookie, which is in no address. Who sends
 * somebody else an answer of their own (login CSRF), or reads one on its way, has no browser to which it belongs, and
 * an answer of one provider is none of another (mix-up). One state is taken once, as far as this process remembers;
 * what a restart forgets has a code that the provider takes once. */
#ifndef PARTA_OIDC_ATTEMPT_H
#define PARTA_OIDC_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"

#define OIDC_ATTEMPT_LIFETIME_S 600
#define OIDC_ATTEMPT_NEXT_MAX 1000 /* bytes */
#define OIDC_VALUE_CHARS 43        /* of nonce, verifier and challenge: 32 bytes */

struct oidc_attempt_of {
    const unsigned char *key; /* BLAKE2B_BYTES, this server's; the same for all its attempts */
    const char *provider;     /* its id */
    const char *visit;        /* the browser's secret */
};

/* Appends a new state. next: where the browser is to go afterwards, which the caller has looked at; at most
 * OIDC_ATTEMPT_NEXT_MAX bytes. */
void oidc_attempt_begin(const struct oidc_attempt_of *of, const char *next, int64_t now_s, struct text *state);

/* Whether the state is of this provider, browser and time; appends its next. Pure: the same state holds again. */
bool oidc_attempt_holds(const struct oidc_attempt_of *of, const char *state, int64_t now_s, struct text *next);

/* When a state that holds was made, in seconds of Unix time. */
int64_t oidc_attempt_began(const char *state);

/* What the provider is asked with and gives back, of a state that holds. */
struct oidc_attempt_values {
    char nonce[OIDC_VALUE_CHARS + 1];
    char verifier[OIDC_VALUE_CHARS + 1];
    char challenge[OIDC_VALUE_CHARS + 1]; /* S256 of the verifier */
};
/* Pure: the same state gives the same values. */
void oidc_attempt_values(const struct oidc_attempt_of *of, const char *state, struct oidc_attempt_values *out);

/* Which states were taken. Any thread. A state is put there only once it holds, so that who makes many makes them in
 * their own browser, one page each. */
struct oidc_taken;
struct oidc_taken *oidc_taken_create(void);
void oidc_taken_destroy(struct oidc_taken *taken); /* NULL is accepted */

/* true: once. false: it was taken before, or there are too many of late. */
bool oidc_taken_put(struct oidc_taken *taken, const char *state, int64_t now_s);

#endif
