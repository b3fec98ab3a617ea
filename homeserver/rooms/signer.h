/* Signatures made beside a job, on another core.
 *
 * From room version 3 on an event's id does not cover its signature (Server-Server API, "Signing Events"; room version
 * 3), so a job that makes many events can go on to the next while this one is being signed. It gives batches away, and
 * waits for each before it writes it: nothing unsigned is ever on disk. Whoever waits signs too, so that without a
 * second core, or when the thread could not be started, it is merely slower. */
#ifndef PARTA_ROOMS_SIGNER_H
#define PARTA_ROOMS_SIGNER_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/crypto.h"

struct signer;

struct signing {
    const char *bytes; /* with all the rest borrowed until signer_wait */
    size_t len;
    unsigned char *signature; /* SIGNATURE_BYTES */
};

struct signing_batch {
    struct signing *items;
    size_t n;
    _Atomic size_t claimed; /* the rest is the signer's */
    bool queued, held;
    struct signing_batch *next;
};

/* Starts the thread. key is borrowed. Never NULL. */
struct signer *signer_start(const struct signing_key *key);
void signer_stop(struct signer *signer); /* NULL is accepted; batches given and not waited for stay unsigned */

/* items and n are set; batches are signed in the order they are given. */
void signer_give(struct signer *signer, struct signing_batch *batch);

/* Returns when all of the batch is signed; then it can be filled and given again. */
void signer_wait(struct signer *signer, struct signing_batch *batch);

#endif
