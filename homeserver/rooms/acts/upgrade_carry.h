/* What a person had set for a room goes along to the room that replaces it: tags, the push rule, being a direct chat
 * (Client-Server API, "Room Upgrades": "Server behaviour", at its end). */
#ifndef PARTA_ROOMS_ACTS_UPGRADE_CARRY_H
#define PARTA_ROOMS_ACTS_UPGRADE_CARRY_H

#include "homeserver/base/ids.h"

struct room;
struct tx;

/* Inside a job, once the user has joined the room: does nothing unless the room names a predecessor that the user was
 * in, and leaves alone what the user has already set for the new one. What cannot be carried is left behind. */
void upgrade_carry(struct room *room, struct tx *tx, user_no user);

#endif
