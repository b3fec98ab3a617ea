/* Device keys: what a device publishes, so that others can encrypt for it (Client-Server API, "Device keys"), and when
 * what others see of a person's keys changed last ("Tracking the device list for a user").
 *
 * A row is the object as it was signed, without its signatures: its bytes are what a signature is checked against, and
 * an answer is put together from it and the signatures beside it. Nothing here checks one: keys/ does, before it
 * writes.
 *
 * Whoever changes or ends a device with keys, or cross-signing keys, moves the list: device_lists_changed takes the
 * next position and queues CHANGE_KEYS. */
#ifndef PARTA_STORE_MATRIX_DEVICE_KEYS_H
#define PARTA_STORE_MATRIX_DEVICE_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"

struct db;
struct tx;

struct device_keys_row {
    device_no device;
    const char *device_id;
    const char *display_name;                      /* NULL: none */
    const char *keys;                              /* canonical JSON, as signed */
    const char *ed25519;                           /* base64 */
    const char *signature;                         /* by it */
    const char *self_signing_key, *self_signature; /* NULL: not signed by its owner */
};

/* Of the user's devices that have keys, or of one. Strings are borrowed for the call; fn must not ask this file again
 * on the same connection. */
void device_keys_each(struct db *db, user_no user, void (*fn)(void *arg, const struct device_keys_row *row), void *arg);
/* The same for one device; false: it has none. */
bool device_keys_of(struct db *db, user_no user, const char *device_id,
                    void (*fn)(void *arg, const struct device_keys_row *row), void *arg);

/* Inside a job. Keys that are new in any byte move the list, and void the owner's signature of them. false: the
 * database failed. */
bool device_keys_put(struct tx *tx, user_no user, const struct device_keys_row *row);
bool device_keys_sign(struct tx *tx, user_no user, device_no device, const char *key, const char *signature);
/* The owner's signatures by other keys than this one are void; NULL: all. The caller moves the list. */
bool device_keys_unsign(struct tx *tx, user_no user, const char *except_key);

/* Before a device goes: if it has keys, the list moves. */
bool device_keys_end(struct tx *tx, user_no user, device_no device);

/* Inside a job: what others see of the user's keys has changed. */
bool device_lists_changed(struct tx *tx, user_no user);

/* --- Who is told of whom: those who share a room where messages are encrypted. Heap, ascending, *n of them. --- */

/* When anybody's list changed last, or with whom anybody shares such a room, up to that position; at least: of
 * memberships the newest events are looked at. */
stream_pos device_lists_last(struct db *db, stream_pos upto);

/* Of them, and of the user, those whose list changed in (since, upto], and those who share such a room only since then
 * (newly so, or in one more). */
user_no *device_lists_news(struct db *db, user_no user, stream_pos since, stream_pos upto, size_t *n);
/* Those who may have shared one at since and share none now. */
user_no *device_lists_left(struct db *db, user_no user, stream_pos since, stream_pos upto, size_t *n);
/* All who share one now, the user apart. */
user_no *device_lists_sharers(struct db *db, user_no user, size_t *n);
/* Whether `to` is joined to, or invited into, such a room to which `from` is joined. */
bool device_lists_reaches(struct db *db, user_no from, user_no to);

bool device_keys_forget(struct tx *tx, user_no user); /* erasure: the list's row; keys go with the devices */

#endif
