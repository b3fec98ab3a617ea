/* What a client's transaction ids already did (Client-Server API, "Transaction identifiers"): the event that a device
 * made by one. about: the path's segment before the id, an event's type or the id of the event to redact. */
#ifndef PARTA_STORE_MATRIX_TRANSACTIONS_H
#define PARTA_STORE_MATRIX_TRANSACTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

struct db;
struct tx;

/* The event that the device's id already made at this path; 0: none. */
stream_pos transactions_find(struct db *db, device_no device, room_no room, const char *about, const char *txn_id);
/* The transaction id under which this device made the event: heap, or NULL. */
char *transactions_txn_of(struct db *db, device_no device, stream_pos pos);

/* Inside a job, after transactions_find found nothing. */
bool transactions_insert(struct tx *tx, device_no device, room_no room, const char *about, const char *txn_id,
                         stream_pos pos);
/* Forgets those of events older than before_ms (wall clock), or of a clock that was more than a day ahead, oldest
 * first, at most limit of them. How many it forgot. */
int transactions_prune(struct tx *tx, int64_t before_ms, int64_t limit);

#endif
