/* The room directory, as it is read: what aliases lead where, which rooms are published (Client-Server API, "Listing
 * rooms", "Room Aliases"). rooms/acts/directory.h changes it. */
#ifndef PARTA_ROOMS_READ_DIRECTORY_H
#define PARTA_ROOMS_READ_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct db;

/* The room an alias leads to, of those that user may learn of (A1); 0: none. user 0: somebody not signed in. */
room_no directory_find(struct db *db, bool school_mode, const char *alias, user_no user);

/* A search of the published rooms. */
struct directory_search {
    user_no user; /* who asks; 0: not signed in */
    bool school_mode;
    const char *network;      /* of a third-party network, by its protocol; NULL: the server's own */
    bool all_networks;        /* of all of them, and the server's own; then network is NULL */
    const char *term;         /* NULL: all */
    const char *const *types; /* room types, NULL among them for rooms without; n_types −1: any */
    int n_types;
    size_t from, limit; /* which of the matching rooms, those with most members first */
};

/* Appends {"chunk":[…],"next_batch","prev_batch","total_room_count_estimate"}. Blocks (reads). */
void directory_render(struct text *out, struct db *db, const struct directory_search *search);

/* "p20" and back. */
bool directory_token(const char *token, size_t *from);

#endif
