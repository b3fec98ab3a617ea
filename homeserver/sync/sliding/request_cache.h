/* Requests of sliding sync that were read before: a client asks the same with every poll, and all clients of one make
 * ask the same, so that reading it once is enough. Of the unstable form, which has what changes in its query. */
#ifndef PARTA_SYNC_SLIDING_REQUEST_CACHE_H
#define PARTA_SYNC_SLIDING_REQUEST_CACHE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/sync/sliding/request.h"

/* One that several threads read at once: nobody changes it or takes a reference of anything in its body. */
struct sliding_known {
    _Atomic int refs;
    json_t *body;
    struct sliding_request request; /* without pos, timeout and presence */
};

struct sliding_request_cache;

struct sliding_request_cache *sliding_request_cache_create(void);        /* empty, never NULL */
void sliding_request_cache_destroy(struct sliding_request_cache *cache); /* NULL is accepted */

/* What the body says; cache NULL: nothing is kept; digest: connections_body of it. A reference; NULL: *e says what is
 * wrong. A body that is larger than clients' are is read and not kept. Any thread; never blocks. */
const struct sliding_known *sliding_request_cache_get(struct sliding_request_cache *cache, const char *body, size_t len,
                                                      uint64_t digest, struct error *e);
void sliding_known_unref(const struct sliding_known *known); /* NULL is accepted */

#endif
