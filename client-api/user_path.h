/* Paths below /user/{userId}: they are for the user alone. */
#ifndef PARTA_CLIENT_API_USER_PATH_H
#define PARTA_CLIENT_API_USER_PATH_H

#include <stdbool.h>

#include "homeserver/base/ids.h"

struct request;

/* Whether the path's first parameter is who asks. false: r->error is set (M_FORBIDDEN). */
bool user_path_own(struct request *r);

/* The same, and the room of the second parameter. 0: r->error is set. */
room_no user_path_own_room(struct request *r);

#endif
