/* Canonical aliases tell the truth: what m.room.canonical_alias names must point to its room. A step of planning an
 * event. */
#ifndef PARTA_ROOMS_EVENTS_CANONICAL_ALIAS_H
#define PARTA_ROOMS_EVENTS_CANONICAL_ALIAS_H

#include <jansson.h>
#include <stdbool.h>

struct error;
struct room;
struct tx;

/* Inside a job: whether the aliases that an m.room.canonical_alias with that content would add belong to the room.
 * false: *e is ERROR_BAD_ALIAS or ERROR_INVALID_PARAM (Client-Server API, "m.room.canonical_alias"). */
bool canonical_alias_check(struct room *room, struct tx *tx, const json_t *content, struct error *e);

/* What an m.room.canonical_alias says without that alias: new reference. NULL: it does not name it. */
json_t *canonical_alias_without(const json_t *content, const char *alias);

#endif
