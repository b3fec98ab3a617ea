/* Sliding sync's answer to a wake on the loop, without a worker and without the database, from the fragments that all
 * who are in the room share (sync/fast_path.h): messages in rooms that the client has, for a connection whose lists
 * hold all rooms. Whatever else there is goes to a worker. The two give the same answer (tests/unit/sliding_live.c). */
#ifndef PARTA_SYNC_SLIDING_LIVE_H
#define PARTA_SYNC_SLIDING_LIVE_H

#include <stdbool.h>

#include "homeserver/base/text.h"
#include "homeserver/sync/sliding/answer.h"

struct sync_service;
struct wake;

/* Appends the answer to a request with that pos and the asker's body that has waited since. false: nothing was
 * appended, a worker must do it. Any thread; never blocks. */
bool sliding_live_answer(struct sync_service *sync, const struct wake *wake, const struct sliding_asker *asker,
                         stream_pos since, const char *pos, struct text *out);

#endif
