/* "extensions" of sliding sync: what is no event of a room (MSC3885, MSC3884, MSC3959, MSC3960, MSC3961). What /sync
 * has as a section is asked of that section, so that it has one gate. */
#ifndef PARTA_SYNC_SLIDING_EXTENSIONS_H
#define PARTA_SYNC_SLIDING_EXTENSIONS_H

#include <stdbool.h>

#include "homeserver/sync/sliding/room.h"

/* Before the rooms: which are told from where on. Whether one speaks of rooms that did not before, so that all of them
 * are looked at. */
bool sliding_extensions_begin(struct sliding_answer *a);

/* What there is of a room that one is in: room as sliding_room_gather left it, whether it is told or not. Blocks
 * (reads). */
void sliding_extensions_room(struct sliding_answer *a, const struct sliding_room *room);

/* Appends `,"extensions":{…}`. Blocks (reads). */
void sliding_extensions_write(struct text *out, struct sliding_answer *a);

/* The same of an answer without news, on a loop: never blocks. */
void sliding_extensions_write_idle(struct text *out, struct sync_service *sync, const struct sync_request *request,
                                   bool e2ee);

#endif
