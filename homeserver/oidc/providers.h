/* The providers that people sign in at, of this server: the tables in the folder that the setting oidc.providers names,
 * each with its client, and what binds attempts to this server and takes each once (attempt.h). They do not change
 * while the process lives; any thread. */
#ifndef PARTA_OIDC_PROVIDERS_H
#define PARTA_OIDC_PROVIDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/crypto.h"
#include "homeserver/oidc/attempt.h"
#include "homeserver/oidc/client.h"
#include "homeserver/oidc/provider.h"

struct oidc_providers {
    size_t n;
    struct oidc_provider **all; /* by the names of their files */
    /* Once they are started: */
    struct oidc_client **clients; /* of the same order */
    struct oidc_crowd crowd;
    struct oidc_taken *taken;
    unsigned char key[SERVER_KEY_BYTES]; /* of attempts */
};

/* folder NULL: none. NULL: *problem: a table is wrong, two clash, or a secret cannot be read. Blocks (small files). */
struct oidc_providers *oidc_providers_load(const char *folder, struct text *problem);
void oidc_providers_free(struct oidc_providers *set); /* NULL is accepted */

/* Before the first request. outgoing outlives it; key: the server's; workers: how many threads there are for
 * everything, half of which may wait for providers; waits: client.h, may be NULL. */
void oidc_providers_start(struct oidc_providers *set, struct outgoing *outgoing, const struct signing_key *key,
                          int workers, const struct oidc_waits *waits);

/* Which of them has that id, or issuer; set->n: none. set may be NULL: 0 of 0. */
size_t oidc_providers_find(const struct oidc_providers *set, const char *id);
const struct oidc_provider *oidc_providers_of_issuer(const struct oidc_providers *set, const char *issuer);

#endif
