/* Who may see a piece of media (school.md A5, A6), and where it was sent.
 *
 * Its uploader may; whoever may read an event that names it (rooms/read/visibility.h); who may know of a room whose
 * picture it is; who may read a profile whose picture it is. Where an event names a piece is written down as the event
 * is recorded (media_note), and only if its sender could see the piece then: to know an address opens nothing, neither
 * to whoever learnt it nor to those they tell.
 *
 * What goes into an encrypted room is named inside the ciphertext, where the server cannot read it. So what was
 * uploaded as application/octet-stream, which is how clients upload ciphertext, and never sent in the clear, can be
 * seen by those who can read, in an encrypted room where the uploader is or was, what was written since: whoever of
 * them knows its address has read it in such a room, and needs the key beside it. To pass it on to people who share no
 * encrypted room with the uploader, it has to be uploaded anew.
 *
 * In a school member events are no places: what they show is the person's profile. In policy.mode open whoever is
 * signed in may see what they know the address of, as the specification has it. */
#ifndef PARTA_MEDIA_ACCESS_H
#define PARTA_MEDIA_ACCESS_H

#include <stdbool.h>

#include "homeserver/base/ids.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/media.h"

struct db;

/* Whether asker may see it. Reads. */
bool media_may_see(bool school_mode, const char *server_name, struct db *db, user_no asker,
                   const struct media_row *media);

/* F1: whether the address is one of media here, uploaded already, that the person may see: what profiles and rooms may
 * show. Reads. */
bool media_may_show(bool school_mode, const char *server_name, struct db *db, user_no user, const char *uri);

/* For rooms_add_hook; self: struct rooms. Of an event that names no media it only looks for "mxc://". */
rooms_hook media_note;

#endif
