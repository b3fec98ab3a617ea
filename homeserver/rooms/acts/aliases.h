/* Canonical aliases tell the truth: what m.room.canonical_alias names must point to its room. */
#ifndef PARTA_ROOMS_ACTS_ALIASES_H
#define PARTA_ROOMS_ACTS_ALIASES_H

#include <stdbool.h>

struct draft;
struct error;
struct room;
struct tx;

/* Inside a job: whether the aliases that the draft would add belong to the room; drafts of other types pass. false: *e
 * is ERROR_BAD_ALIAS or ERROR_INVALID_PARAM (Client-Server API, "m.room.canonical_alias"). */
bool aliases_check_state(struct room *room, struct tx *tx, const struct draft *draft, struct error *e);

#endif
