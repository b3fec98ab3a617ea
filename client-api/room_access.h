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

struct room_access {
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
bool room_access_room(struct request *r, enum error_code refusal,
                      bool (*fn)(struct request *r, struct room_access *reading));

/* The event named by an id, if it is of this room and visible: heap; NULL: the error is set (ERROR_NOT_FOUND). */
struct event_row *room_access_event(struct request *r, const struct room_access *reading, const char *event_id);

/* Query parameters. false: the error is set. */
bool room_access_token(struct request *r, const char *name, stream_pos otherwise, stream_pos *out);
/* … which counts as not given when it was of a database that is no more (rooms/read/token.h). */
void room_access_add_token(struct request *r, struct text *out, stream_pos pos); /* without quotes */
void room_access_add_token_said(struct request *r, struct text *out, const char *name, stream_pos otherwise);
/* … the parameter as it was given: clients compare where a page began with where the last one ended. */
bool room_access_direction(struct request *r, const char *otherwise, bool *backwards); /* dir: NULL: required */
bool room_access_filter(struct request *r, struct filter **out); /* a RoomEventFilter; the caller unrefs */

/* Whether the asker may learn that the room exists. Their session may be missing. */
bool room_access_may_know_room(struct request *r, room_no room);
bool room_access_school_mode(const struct request *r);

#endif
