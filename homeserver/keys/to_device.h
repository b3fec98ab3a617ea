/* Sending messages to devices (Client-Server API, "Send-to-Device messaging"). */
#ifndef PARTA_KEYS_TO_DEVICE_H
#define PARTA_KEYS_TO_DEVICE_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/keys/keys.h"

#define TO_DEVICE_CONTENT_BYTES_MAX 65536 /* of one message */
#define TO_DEVICE_REQUEST_BYTES (8 << 20) /* that one request makes wait, copies for each device counted */

/* messages: a map from user id to device id, or "*" for all of them, to content. All or nothing, and once a transaction
 * id: what it named before is not sent again. Who may not be reached, and devices that there are none of, are passed
 * over without a word. false: *e. Blocks. */
bool to_device_send(const struct keys_caller *caller, const char *type, const char *txn_id, const json_t *messages,
                    struct error *e);

#endif
