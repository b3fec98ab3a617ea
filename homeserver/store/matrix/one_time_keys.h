/* One-time and fallback keys (Client-Server API, "One-time and fallback keys"): signed_curve25519 alone, the one
 * algorithm that there is for them.
 *
 * A one-time key is given to one person, once, in the order of upload: the row stays without its key, so that the same
 * one, uploaded again by a client that heard no answer, is not given away a second time. */
#ifndef PARTA_STORE_MATRIX_ONE_TIME_KEYS_H
#define PARTA_STORE_MATRIX_ONE_TIME_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

#define ONE_TIME_ALGORITHM "signed_curve25519"
#define ONE_TIME_KEYS_MAX 200    /* of a device that wait to be claimed */
#define ONE_TIME_CLAIMED_MAX 500 /* that were, and are remembered: the oldest is forgotten first */
#define ONE_TIME_LOW 10          /* so few left: the device is told at once, else with its next answer */

struct db;
struct tx;

/* What a device has left, in one number: it travels with CHANGE_KEY_COUNTS and lies in memory
 * (sync/device_memory.h). */
enum key_counts_bits {
    KEY_COUNTS_KNOWN = 1,
    KEY_COUNTS_FALLBACK = 2, /* there is a fallback key that was not used */
    KEY_COUNTS_SHIFT = 8,    /* the number of one-time keys lies above */
};
/* A number of these bits, KEY_COUNTS_KNOWN always among them; without it nothing is known. Reads. */
int64_t one_time_keys_left(struct db *db, device_no device);

/* Inside a job. None queues a change: one_time_keys_settle, once after all of them, queues CHANGE_KEY_COUNTS with what
 * is left. A fallback key takes the place of the one before, and counts as unused unless it is that one. */
enum one_time_put { ONE_TIME_KEPT, ONE_TIME_OTHER /* of the same id there is another key */, ONE_TIME_FAILED };
enum one_time_put one_time_keys_put(struct tx *tx, device_no device, const char *key_id, const char *key);
bool fallback_keys_put(struct tx *tx, device_no device, const char *key_id, const char *key);
bool one_time_keys_forget(struct tx *tx, device_no device); /* all of them: the device has a new identity */
bool one_time_keys_settle(struct tx *tx, user_no user, device_no device);

/* Inside a job: the oldest key, which nobody else gets; when there is none the fallback key, which is used then. false:
 * neither is there, or the database failed. *out: key_id and key are the caller's (claimed_key_finish, also after
 * false). Queues CHANGE_KEY_COUNTS, and CHANGE_KEYS_LOW when they come near their end. */
struct claimed_key {
    char *key_id, *key;
};
void claimed_key_finish(struct claimed_key *key);
bool one_time_keys_claim(struct tx *tx, user_no user, device_no device, struct claimed_key *out);

#endif
