/* Putting an answer to /sync together (Client-Server API, "Syncing"): what is new for one device between two positions,
 * read in one snapshot of the database and written as text.
 *
 * The answer tells everything in (since, next] that its user may know and its filter wants, once. next is the newest
 * position of the snapshot: what is committed later comes with the next answer. */
#ifndef PARTA_SYNC_COMPOSE_H
#define PARTA_SYNC_COMPOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct db;
struct filter;
struct sync_service;

/* Who asks for what; borrowed. */
struct sync_ask {
    user_no user;
    device_no device;
    const char *user_id;
    stream_pos since; /* 0: an initial sync */
    bool full_state;
    bool use_state_after;
    const struct filter *filter; /* never NULL */
};

enum composed {
    COMPOSED_NEWS,    /* there is something to tell */
    COMPOSED_NOTHING, /* the answer is complete and says only next_batch */
    COMPOSED_REFUSED, /* since is not a token of this server: *e says so */
};

/* Appends the whole answer to *out; *next is its next_batch. Blocks (reads). */
enum composed sync_compose(struct sync_service *syncer, struct db *db, const struct sync_ask *ask, struct text *out,
                           stream_pos *next, struct error *e);

/* The answer that says nothing but next_batch; and its beginning, up to and including next_batch. */
void sync_add_nothing(struct text *out, stream_pos next);
void sync_open_answer(struct text *out, stream_pos next);

#endif
