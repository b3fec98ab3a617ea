/* What handlers that read a room share: the room named by the first path parameter as the asker may read it, in one
 * snapshot of the database. */
#ifndef PARTA_CLIENT_API_ROOM_ACCESS_H
#define PARTA_CLIENT_API_ROOM_ACCESS_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/read/render.h"

struct filter;
struct request;
struct visibility;

struct reading {
    room_no room;
    const char *room_id;
    stream_pos now; /* everything up to here is in the snapshot */
    struct visibility *visibility;
    struct ignored ignored;
    struct render render; /* for the asker, with all of the above */
};

/* Calls fn with the room, or refuses with `refusal` (ERROR_FORBIDDEN, or ERROR_NOT_FOUND where the specification
 * says so) when nothing of it may be read: unknown, never joined and not world readable, or not to be known of
 * (school.md A1). */
bool reading_room(struct request *r, enum error_code refusal, bool (*fn)(struct request *r, struct reading *reading));

/* The event named by an id, if it is of this room and visible: heap; NULL: the error is set (ERROR_NOT_FOUND). */
struct event_row *reading_event(struct request *r, const struct reading *reading, const char *event_id);

/* Query parameters. false: the error is set. */
bool reading_token(struct request *r, const char *name, stream_pos otherwise, stream_pos *out); /* "s12" */
bool reading_direction(struct request *r, const char *otherwise, bool *backwards); /* dir: NULL: required */
bool reading_filter(struct request *r, struct filter **out); /* a RoomEventFilter; the caller unrefs */

/* Whether the asker may learn that the room exists. Their session may be missing. */
bool reading_may_know_room(struct request *r, room_no room);
bool reading_school_mode(const struct request *r);

#endif
