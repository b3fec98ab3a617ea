/* The answer to GET /sync in today's JSON (Client-Server API, "Syncing"): each section gathers, and is written here. */
#ifndef PARTA_SYNC_V2_H
#define PARTA_SYNC_V2_H

#include "homeserver/base/error.h"
#include "homeserver/base/text.h"
#include "homeserver/sync/gather.h"

enum sync_outcome {
    SYNC_NEWS,    /* there is something to tell */
    SYNC_NOTHING, /* the answer is complete, but no section has news: the poll may go on waiting */
    SYNC_REFUSED, /* since is not a token of this server: *e says so */
};

/* Appends the whole answer to *out; *next is its next_batch. Blocks (reads). */
enum sync_outcome v2_answer(struct sync_service *sync, struct db *db, const struct sync_request *request,
                            struct text *out, stream_pos *next, struct error *e);

/* The answer without news: next_batch and what clients want in every answer; and the same without its closing brace, to
 * go on from. Of gather only what a loop may have is asked. */
void v2_add_idle(struct text *out, const struct sync_gather *gather);
void v2_open_answer(struct text *out, const struct sync_gather *gather);

#endif
