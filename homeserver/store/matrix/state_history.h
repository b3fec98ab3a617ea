/* How one key of a room's state went: every value it ever had, oldest first. What history visibility is decided
 * from. */
#ifndef PARTA_STORE_MATRIX_STATE_HISTORY_H
#define PARTA_STORE_MATRIX_STATE_HISTORY_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/store/driver/db.h"

struct stmt *state_history_of(struct db *db, room_no room, const char *type,
                              const char *state_key);                           /* stmt_end after */
bool state_history_next(struct stmt *q, stream_pos *pos, const char **content); /* content: borrowed until the next */

#endif
