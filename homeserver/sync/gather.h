/* Gathering an answer to /sync (Client-Server API, "Syncing"): what is new for one device between two positions, read
 * in one snapshot of the database as rows, positions and flags. No JSON is made here; sync/v2.h writes it.
 *
 * An answer tells everything in (since, upto] that its user may know and its filter wants, once. upto is the newest
 * position of the snapshot: what is committed later comes with the next answer. */
#ifndef PARTA_SYNC_GATHER_H
#define PARTA_SYNC_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/store/matrix/memberships.h"

struct db;
struct filter;
struct member_set;
struct push_rules;
struct sync_service;

/* Who asks for what; borrowed. */
struct sync_request {
    user_no user;
    device_no device;
    const char *user_id;
    stream_pos since; /* 0: an initial sync */
    bool full_state;
    bool use_state_after;
    const struct filter *filter; /* never NULL */

    /* since is 0 for a client that knows of what is no more, because the database was put back from a copy. All it has
     * of a room must go: timelines are limited, and hold nothing that it may have (matrix-js-sdk for one then keeps
     * what it has), which is what is not later than shared. Rooms that it may think itself in are told as left. */
    bool lost;
    stream_pos shared;

    bool unstable_state_after; /* use_state_after by the name that it had (MSC4222): answered by that name, too */
    const char *said; /* the client's own token, which says since; NULL: one is made anew where since is told */
};

/* An event of account data. */
struct account_data_item {
    room_no room; /* 0: global */
    char *type, *content;
};
struct account_data_items {
    struct account_data_item *items;
    size_t n, cap;
};
void account_data_items_finish(struct account_data_items *items); /* frees what is in it and empties it */

/* A room of the user's that may have news. */
struct gathered_room {
    struct membership_row membership;
    char *room_id;
};

/* One answer in the making. On a loop, where nothing may block, db is NULL and only the first
 * five members are there. */
struct sync_gather {
    struct sync_service *sync;
    const struct sync_request *request;
    stream_pos upto;
    int64_t now_ms; /* wall clock: for the age of events */
    struct db *db;
    bool hub_is_behind; /* the snapshot holds what the hub has not heard of yet */
    struct ignored ignored;
    bool knows_unseen;
    struct member_set *unseen;              /* sync_gather_unseen */
    struct account_data_items account_data; /* changed in (since, upto], of the user and of their rooms, by position */
    bool counts_anew; /* among it what unread counts of every room follow from: push rules, whom the user ignores */
    struct push_rules *rules;    /* the user's, for unread counts: read when a first room asks for them, or NULL */
    struct gathered_room *rooms; /* by room */
    size_t n_rooms, cap_rooms;
};

/* Opens the snapshot and reads what all sections ask for. false: since is not a token of this server: *e says so. In
 * either case the caller ends the gathering. Blocks (reads). */
bool sync_gather_begin(struct sync_gather *gather, struct sync_service *sync, struct db *db,
                       const struct sync_request *request, struct error *e);
void sync_gather_end(struct sync_gather *gather);

/* Whose signs of life the user does not see (rooms/gate.h, gate_unseen), read when first asked for. Borrowed; NULL:
 * nobody's. */
const struct member_set *sync_gather_unseen(struct sync_gather *gather);

/* Reads all of the user's account data, as if since were 0, in the place of what changed. */
void sync_gather_whole_account_data(struct sync_gather *gather);

/* Of one room all account data the user has there, or what is among gather->account_data; only what the filter wants.
 * The caller finishes *out. */
void sync_gather_room_account_data(struct sync_gather *gather, room_no room, bool all, struct account_data_items *out);

#endif
