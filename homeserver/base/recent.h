/* What was written lately, by position: a bounded memory of counted, immutable items.
 *
 * A change tells its position and numbers (store/driver/writer.h); what an observer needs beyond them, in the words in
 * which it was written, may still be here. If not, it is in the database, which the writer's thread does not wait for:
 * so whoever looks here treats a miss as "a worker must do it". The oldest go when there are too many items or too many
 * bytes of them. Positions rise; a job that is rolled back clears the memory, because its positions come again. */
#ifndef PARTA_BASE_RECENT_H
#define PARTA_BASE_RECENT_H

#include <stddef.h>

#include "homeserver/base/ids.h"

/* The head of an item; the rest of it lies behind, in the same block of heap. */
struct recent_item {
    stream_pos pos;
    size_t bytes; /* of the block */
    _Atomic int refs;
};

/* A block of bytes (≥ sizeof (struct recent_item)), zeroed, with one reference. */
void *recent_item_create(stream_pos pos, size_t bytes);
void *recent_item_ref(void *item);
void recent_item_unref(void *item); /* NULL is accepted; any thread */

struct recent;

/* At most so many items, of so many bytes together. */
struct recent *recent_create(size_t items_max, size_t bytes_max);
void recent_destroy(struct recent *recent); /* NULL is accepted */

/* All three from any thread. add takes over the caller's reference. get: a reference of the caller's; NULL: not here
 * (any more). */
void recent_add(struct recent *recent, void *item);
void *recent_get(struct recent *recent, stream_pos pos);
void recent_clear(void *recent); /* void: fits tx_on_rollback */

#endif
