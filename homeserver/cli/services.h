/* What a verb works with: the services it needs, opened for one call by `parta`, or lent by the running server. */
#ifndef PARTA_CLI_SERVICES_H
#define PARTA_CLI_SERVICES_H

#include <stdbool.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"

struct accounts;
struct audit_log;
struct config;
struct db;
struct outgoing;
struct puller;
struct rooms;
struct search;
struct takeover;
struct user_names;
struct writer;

struct services {
    const struct config *config;
    struct db *db; /* a read connection of this thread */
    /* NULL for a verb that only reads: */
    struct writer *writer;
    struct user_names *names;
    struct accounts *accounts;
    struct rooms *rooms;
    struct search *search;        /* homeserver/search/search.h; NULL: not inside the running server */
    struct puller *puller;        /* policy/oneroster/puller.h */
    struct takeover *takeover;    /* appservice/takeover.h; NULL: not inside the running server */
    const _Atomic bool *stopping; /* becomes true when the server stops: long work ends; NULL: it never does */
    /* Of services that services_open made: */
    struct audit_log *audit_log;
    struct outgoing *outgoing;
    int lock; /* base/lock.h */
    struct signing_key key;
};

enum services_outcome {
    SERVICES_OPEN,
    SERVICES_BUSY,   /* another process holds the lock: the server is running */
    SERVICES_FAILED, /* *problem says why */
};

/* writes: takes the lock, makes what is missing (the folder, the database, the signing key) and opens everything;
 * otherwise only the read connection of a database that exists. Blocks. */
enum services_outcome services_open(const struct config *config, bool writes, struct services *services,
                                    struct text *problem);
void services_close(struct services *services);

#endif
