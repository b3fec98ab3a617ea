/* Housekeeping: what grows by use and is of no use any more.
 *
 * Transaction ids (Client-Server API, "Transaction identifiers") are for clients that send again what they got no
 * answer for: minutes, a night at most. */
#ifndef PARTA_JOBS_PRUNE_H
#define PARTA_JOBS_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/clock.h"

struct writer;

#define PRUNE_TRANSACTIONS_MS (3 * DAY_MS) /* how long a transaction id is remembered */
#define PRUNE_IDEMPOTENCY_MS DAY_MS        /* and an Idempotency-Key of the school API */
#define PRUNE_CLIENTS_MS DAY_MS            /* and an OAuth client that nobody signed in with */
#define PRUNE_HELD_MS (30 * DAY_MS)        /* and what became of a message that was held */

/* Does what is due, in jobs of the writer small enough that nobody waits for them. Returns how many rows it forgot.
 * *more (NULL: of no interest): it has done its share for one time, and there may be more. Blocks. */
int64_t prune_run(struct writer *writer, bool *more);

#endif
