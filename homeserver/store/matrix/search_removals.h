/* Events whose words the index of words (driver/search_index.h) has yet to forget: whoever takes an event's words away
 * (events_redact) puts it here, in the same job, so that no crash can come between; homeserver/search takes them off
 * once they have left the index's file. */
#ifndef PARTA_STORE_MATRIX_SEARCH_REMOVALS_H
#define PARTA_STORE_MATRIX_SEARCH_REMOVALS_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"

struct db;
struct tx;

/* The first of them, at most max; how many. */
size_t search_removals_first(struct db *db, stream_pos *out, size_t max);
bool search_removals_any(struct db *db);

/* Inside a job. */
bool search_removals_put(struct tx *tx, stream_pos pos);
bool search_removals_done(struct tx *tx, stream_pos pos);

#endif
