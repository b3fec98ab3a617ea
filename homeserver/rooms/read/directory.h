/* The room directory: which rooms are published, and what aliases lead where (Client-Server API, "Listing rooms", "Room
 * Aliases").
 *
 * Who may change it: to set an alias one is joined to the room; to delete it one made it, or has the power to change
 * the room's canonical alias, or administers the server; to publish a room one has that power, too. The school's
 * rules have their say first (rooms/gate.h: ACT_ALIAS, ACT_PUBLISH). All is checked inside the write job. */
#ifndef PARTA_ROOMS_READ_DIRECTORY_H
#define PARTA_ROOMS_READ_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

struct db;
struct rooms;
struct session;
struct writer;

/* Acts; each is one write job. Block (disk). session: who acts, borrowed. */
bool directory_set_alias(struct writer *writer, struct rooms *rooms, const struct session *session, const char *alias,
                         const char *room_id, struct error *e);
bool directory_delete_alias(struct writer *writer, struct rooms *rooms, const struct session *session,
                            const char *alias, struct error *e);
bool directory_publish(struct writer *writer, struct rooms *rooms, const struct session *session, const char *room_id,
                       bool published, struct error *e);

/* The room an alias leads to, as user may learn it (A1); 0: none. user 0: somebody not signed in. */
room_no directory_find(struct db *db, bool school_mode, const char *alias, user_no user);

/* A search of the published rooms. */
struct directory_search {
    user_no user; /* who asks; 0: not signed in */
    bool school_mode;
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
