/* Devices: where a person is signed in. A device has at most one sign-in's tokens (store/matrix/tokens.h). */
#ifndef PARTA_STORE_MATRIX_DEVICES_H
#define PARTA_STORE_MATRIX_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

struct db;
struct tx;

/* Strings are borrowed for the call of devices_each; devices_get's are the caller's (device_row_finish). */
struct device_row {
    device_no no;
    user_no user;
    char *device_id;
    char *display_name;   /* NULL: none */
    char *last_seen_ip;   /* NULL: never seen */
    int64_t last_seen_ms; /* 0: never seen */
    int64_t created_ms;
};

void device_row_finish(struct device_row *row); /* frees its strings and empties it */

/* true: found, the caller finishes *row. */
bool devices_get(struct db *db, user_no user, const char *device_id, struct device_row *row);
device_no devices_no(struct db *db, user_no user, const char *device_id); /* 0: there is none */
/* Whether it is the user's, and is there since then: numbers come again. */
bool devices_since(struct db *db, user_no user, device_no no, int64_t at_ms);

/* In order of making. fn must not ask this file again on the same connection. */
void devices_each(struct db *db, user_no user, void (*fn)(void *arg, const struct device_row *row), void *arg);

/* Inside a job; each queues the changes of the list (CHANGE_DEVICES) and of what ends (CHANGE_SESSION). 0: the user has
 * such a device already (or the database failed). display_name, ip: NULL for none. */
device_no devices_insert(struct tx *tx, user_no user, const char *device_id, const char *display_name, const char *ip);
bool devices_rename(struct tx *tx, user_no user, device_no no, const char *display_name);
bool devices_seen(struct tx *tx, user_no user, device_no no, int64_t at_ms, const char *ip); /* if it is still theirs */
bool devices_delete(struct tx *tx, user_no user, device_no no); /* its tokens and transaction ids too */
/* Ends those that were not seen since before_ms, the longest unseen first, while there are more than most. */
void devices_end_idle(struct tx *tx, user_no user, int64_t most, int64_t before_ms);
/* except 0: really all. Codes that are on their way to become one fall, too, and browsers on pages are signed out. */
bool devices_delete_all(struct tx *tx, user_no user, device_no except);
/* The program that the device is signed in with by OAuth; 0: none, or there is no such device. */
client_no devices_client(struct db *db, user_no user, const char *device_id);
bool devices_signed_in_by(struct tx *tx, device_no no, client_no client); /* 0: not by OAuth */
int64_t devices_count(struct db *db, user_no user);

#endif
