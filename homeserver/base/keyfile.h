/* The server's signing key on disk: one line "ed25519 <version> <seed in unpadded base64>", the form that Matrix
 * servers share, readable by its owner only. Lost, it can't be made again; a backup holds it beside the database. */
#ifndef PARTA_BASE_KEYFILE_H
#define PARTA_BASE_KEYFILE_H

#include <stdbool.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"

/* Reads path; makes it with a random key (mode 0600, on disk before the answer) when it is not there. false: *problem
 * says why. Call under the data directory's lock. Blocks. */
bool keyfile_load(const char *path, struct signing_key *key, struct text *problem);

#endif
