/* A person's dehydrated device (MSC3814): a device without a session that takes messages until somebody takes it over.
 * It is a row of devices like any other, and goes with it; here lies what its keys are packed into. */
#ifndef PARTA_STORE_MATRIX_DEHYDRATED_DEVICES_H
#define PARTA_STORE_MATRIX_DEHYDRATED_DEVICES_H

#include <stdbool.h>

#include "homeserver/base/ids.h"

struct db;
struct tx;

/* 0: there is none. device_id, data (JSON text): heap, the caller's; either may be NULL. */
device_no dehydrated_devices_get(struct db *db, user_no user, char **device_id, char **data);
/* Inside a job: there is none yet. */
bool dehydrated_devices_put(struct tx *tx, user_no user, device_no device, const char *data);

#endif
