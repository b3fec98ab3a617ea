/* Nonces of the shared-secret registration: each is good for one use within a minute. A fixed number is kept, so that
 * asking for many costs no memory: the oldest gives way. Any thread. */
#ifndef PARTA_ACCOUNTS_NONCES_H
#define PARTA_ACCOUNTS_NONCES_H

#include <stdbool.h>
#include <stdint.h>

#define NONCE_CHARS 43
#define NONCE_LIFETIME_MS 60000

struct nonces;

struct nonces *nonces_create(void);
void nonces_destroy(struct nonces *nonces); /* NULL is accepted */

void nonces_issue(struct nonces *nonces, int64_t now_ms, char out[NONCE_CHARS + 1]);

/* Takes the nonce back: true once, if it was issued and has not expired. now_ms: clock_mono_ms, as for nonces_issue. */
bool nonces_redeem(struct nonces *nonces, const char *nonce, int64_t now_ms);

#endif
