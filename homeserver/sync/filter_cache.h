/* Parsed filters by user and id, and by their text when they come in the query, so that a long poll does not parse its
 * filter again, and the loops find it without the database. What stands under an id never changes, so nothing here ever
 * goes stale. Clients of one sort all ask for the same, so equal filters are one. Bounded; any thread. */
#ifndef PARTA_SYNC_FILTER_CACHE_H
#define PARTA_SYNC_FILTER_CACHE_H

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"

struct db;
struct filter;
struct filter_cache;

/* max: how many ids, how many texts and how many filters are remembered. */
struct filter_cache *filter_cache_create(size_t max);
void filter_cache_destroy(struct filter_cache *cache); /* NULL is accepted */

/* What the query parameter "filter" of a user says: an id, or a definition that begins with '{', or NULL (everything).
 * The caller owns a reference. NULL: *e says why. Blocks (a read) unless the id is known here. */
struct filter *filter_cache_load(struct filter_cache *cache, struct db *db, user_no user, const char *param,
                                 struct error *e);

/* The same without ever blocking or parsing: NULL when it is not here. */
struct filter *filter_cache_find(struct filter_cache *cache, user_no user, const char *param);

#endif
