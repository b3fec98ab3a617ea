/* Compiled push rules by what they were compiled from: people who never changed a rule share one, and nobody's are
 * compiled twice in a row. As the key is the stored text itself, nothing here goes stale. Bounded; any thread. */
#ifndef PARTA_SYNC_RULES_CACHE_H
#define PARTA_SYNC_RULES_CACHE_H

#include <stdbool.h>

#include "homeserver/base/ids.h"

struct db;
struct push_rules;
struct rules_cache;

struct rules_cache *rules_cache_create(void);        /* empty but for the default rules; never NULL */
void rules_cache_destroy(struct rules_cache *cache); /* NULL is accepted */

/* The user's push rules as they are now: a reference. The same text gives the same pointer while it is remembered.
 * Blocks (a read). */
struct push_rules *rules_cache_get(struct rules_cache *cache, struct db *db, user_no user);

/* Whether they are those of somebody who never changed a rule. */
bool rules_cache_are_default(const struct rules_cache *cache, const struct push_rules *rules);

#endif
