/* Messages from device to device, until they are delivered (Client-Server API, "Send-to-Device messaging").
 *
 * Each takes a position of the stream, so that a device's come in order, each once: an answer tells those in
 * (since, upto], and a client that comes with that upto has them. What waits is bounded per device: beyond, those go
 * that have waited longest of whoever has sent most of them (a flood drives out itself), and the device is told how
 * many it has lost. */
#ifndef PARTA_STORE_MATRIX_TO_DEVICE_H
#define PARTA_STORE_MATRIX_TO_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

#define TO_DEVICE_WAITING_MAX 2000        /* messages that wait for one device … */
#define TO_DEVICE_WAITING_BYTES (4 << 20) /* … and their bytes */
#define TO_DEVICE_TRANSACTIONS_MAX 2000   /* that are remembered of one sending device, for a day */

struct db;
struct tx;

/* Inside a job; type and content: JSON text of an object. Queues CHANGE_TO_DEVICE. */
bool to_device_put(struct tx *tx, user_no user, device_no device, user_no sender, const char *type,
                   const char *content);

/* Strings are borrowed for the call; fn must not ask this file again on the same connection. */
struct to_device_row {
    stream_pos pos;
    user_no sender;
    const char *type, *content;
};
/* What waits with a position in (since, upto], in order, at most `most`. */
void to_device_each(struct db *db, device_no device, stream_pos since, stream_pos upto, int64_t most,
                    void (*fn)(void *arg, const struct to_device_row *row), void *arg);
/* How many were lost, as news in (since, upto]; 0: none. */
int64_t to_device_lost(struct db *db, device_no device, stream_pos since, stream_pos upto);

/* The oldest that waits; 0: nothing does, nor is anything lost. */
stream_pos to_device_oldest(struct db *db, device_no device);

/* Inside a job: the device has all up to pos. */
bool to_device_delivered(struct tx *tx, device_no device, stream_pos pos);

/* Inside a job: whether the sending device has used this transaction id of this type; if not, it has now. */
bool to_device_sent_before(struct tx *tx, device_no device, const char *about, const char *txn_id);
int to_device_prune(struct tx *tx, int64_t before_ms, int64_t limit); /* transactions; how many it forgot */

bool to_device_forget(struct tx *tx,
                      user_no sender); /* erasure: what they have sent; what waits for them goes with their devices */

#endif
