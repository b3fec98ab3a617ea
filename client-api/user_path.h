/* Paths below /user/{userId}: they are for the user alone. */
#ifndef PARTA_CLIENT_API_USER_PATH_H
#define PARTA_CLIENT_API_USER_PATH_H

#include <stdbool.h>

#include "homeserver/base/ids.h"

struct request;

/* Whether the path's first parameter is who asks. false: r->error is set (M_FORBIDDEN). */
bool own_path(struct request *r);

/* The same, and the room of the second parameter. 0: r->error is set. */
room_no own_path_room(struct request *r);

#endif
