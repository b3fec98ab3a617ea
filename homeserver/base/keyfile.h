/* The server's signing key on disk: one line "ed25519 <version> <seed in unpadded base64>", the form that Matrix
 * servers share, readable by its owner only. Lost, it can't be made again; a backup holds it beside the database. */
#ifndef PARTA_BASE_KEYFILE_H
#define PARTA_BASE_KEYFILE_H

#include <stdbool.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"

/* Reads path; makes it with a random key (mode 0600, on disk before the answer) when it is not there. But where beside
 * is there (NULL: nothing is), which was made after the key, the key is lost, and what it signed would be nobody's:
 * then it is made only if path says KEYFILE_NEW. false: *problem says why. Call under the data
 * directory's lock. Blocks. */
#define KEYFILE_NEW "new"
bool keyfile_load(const char *path, const char *beside, struct signing_key *key, struct text *problem);

#endif
