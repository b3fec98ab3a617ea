/* Taking over the registrations in the folder: at the start, on SIGHUP and for `parta appservice`. What is another than
 * before is in the audit log, for operators and for the schools that a registration names, before it holds (J2):
 * whoever put the file there, it was the operator of the machine. Of what changed while no server ran, a service that
 * came or went is seen by its cursor (transactions.h); that one was changed is not. */
#ifndef PARTA_APPSERVICE_TAKEOVER_H
#define PARTA_APPSERVICE_TAKEOVER_H

#include <pthread.h>
#include <stdbool.h>

#include "homeserver/base/text.h"

struct accounts;
struct config;
struct registry;
struct signing_key;
struct transactions;
struct writer;

struct takeover {
    const struct config *config;
    struct registry *registry;
    const struct accounts *accounts;
    struct transactions *transactions;
    struct writer *writer;
    const struct signing_key *key;
    pthread_mutex_t one_at_a_time;
};

/* What the registry has from the start. false: the log could not be written. Blocks (the writer). */
bool takeover_begin(struct takeover *takeover);

/* Reads the folder anew. false: *problem says what is wrong there, and what was before holds on. Any thread; blocks
 * (files, the writer). */
bool takeover_run(struct takeover *takeover, struct text *problem);

#endif
