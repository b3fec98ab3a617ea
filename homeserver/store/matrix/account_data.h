/* Account data: what a user's clients keep on the server, global (room 0) or per room, tags, push rules and read
 * markers among it (Client-Server API, "Client Config"). One row per (user, room, type), the newest content only; every
 * change takes a position of the stream, so that /sync finds what is new by it.
 *
 * Nothing here decides who may write which type: the acts do (accounts/account_data.h, and push rules and read markers
 * for theirs). */
#ifndef PARTA_STORE_MATRIX_ACCOUNT_DATA_H
#define PARTA_STORE_MATRIX_ACCOUNT_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

struct db;
struct tx;

/* The content as JSON text: a copy that the caller frees; NULL: there is none. Blocks (a read). */
char *account_data_get(struct db *db, user_no user, room_no room, const char *type);

/* Inside a job: sets the content (JSON text of an object), takes the next position and queues CHANGE_ACCOUNT_DATA. */
bool account_data_put(struct tx *tx, user_no user, room_no room, const char *type, const char *content);

/* Inside a job: forgets everything of the user, or of the user in one room (deactivation, forget): silently. */
bool account_data_forget(struct tx *tx, user_no user);
bool account_data_forget_room(struct tx *tx, user_no user, room_no room);

/* Rows of one user that changed after `since`, up to `to`, in order of position; since 0: all there are. Strings are
 * borrowed for the call; fn must not ask this file again on the same connection. */
struct account_data_row {
    room_no room; /* 0: global */
    const char *type, *content;
    stream_pos pos;
};
void account_data_each(struct db *db, user_no user, stream_pos since, stream_pos to,
                       void (*fn)(void *arg, const struct account_data_row *row), void *arg);

/* The same for one room (a room that a user has just joined: all of it is news to the client). */
void account_data_each_room(struct db *db, user_no user, room_no room,
                            void (*fn)(void *arg, const struct account_data_row *row), void *arg);

#endif
