/* An answer of sliding sync (MSC4186): from what the client has (sync/connections.h) and what it asks for, what it is
 * to get, and what it then has.
 *
 * Its pos is a position of the stream, sealed for the person, and, sealed for device and connection, what the client
 * asked for and whether it then had every room of its lists. So a connection that is gone from memory (the server was
 * started anew) goes on where it was: rooms in which nothing happened are not sent again. What cannot be said for
 * certain is sent whole; where too little can be said the answer is M_UNKNOWN_POS, and the client begins anew. */
#ifndef PARTA_SYNC_SLIDING_ANSWER_H
#define PARTA_SYNC_SLIDING_ANSWER_H

#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/text.h"
#include "homeserver/sync/connections.h"
#include "homeserver/sync/gather.h"
#include "homeserver/sync/sliding/request.h"
#include "homeserver/sync/v2.h"

struct sliding_asker {
    user_no user;
    device_no device;
    const char *user_id;
    uint64_t body; /* connections_body of the request */
};

/* Whose connections these are. */
static inline struct connections_owner sliding_owner(const struct sliding_asker *asker)
{
    return (struct connections_owner){asker->user, asker->device};
}

/* Appends the whole answer to *out; *next: up to where it goes. SYNC_NOTHING: nothing is new, and the client keeps its
 * pos. SYNC_REFUSED: *e is ERROR_UNKNOWN_POS. Blocks (reads). */
enum sync_outcome sliding_answer(struct sync_service *sync, struct db *db, const struct sliding_asker *asker,
                                 const struct sliding_request *ask, struct text *out, stream_pos *next,
                                 struct error *e);

/* What a connection that asks so is to be woken by: bits of enum connection_interest. */
unsigned sliding_interest(const struct sliding_request *ask);

/* The answer without news to a request with that pos. txn_id NULL: none. On a loop: never blocks. */
void sliding_answer_idle(struct text *out, struct sync_service *sync, const struct sliding_asker *asker,
                         const char *pos, const char *txn_id, bool e2ee);

#endif
