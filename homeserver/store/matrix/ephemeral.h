/* What lies in memory alone (typing, presence) and yet takes its place in the stream: each call takes the next position
 * and queues the change, as a function that writes a row would. Inside a job; the caller has changed its memory, or
 * does so in the same job. */
#ifndef PARTA_STORE_MATRIX_EPHEMERAL_H
#define PARTA_STORE_MATRIX_EPHEMERAL_H

#include "homeserver/base/ids.h"

struct tx;

stream_pos ephemeral_typing(struct tx *tx, room_no room);   /* CHANGE_TYPING */
stream_pos ephemeral_presence(struct tx *tx, user_no user); /* CHANGE_PRESENCE */

#endif
