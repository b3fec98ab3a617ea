/* Claiming one-time keys (Client-Server API, "POST /keys/claim"). */
#ifndef PARTA_KEYS_ONE_TIME_H
#define PARTA_KEYS_ONE_TIME_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/text.h"
#include "homeserver/keys/keys.h"

/* The answer, whole; wanted: a map from user id to device id to algorithm. Each key goes to one claim, which is on disk
 * before the answer. Who may not be reached, and devices and algorithms that there are none of, are not in it. Done in
 * portions, so that a large one does not hold up what others write. false: *e. Blocks. */
bool keys_claim(const struct keys_caller *caller, const json_t *wanted, struct text *out, struct error *e);

#endif
