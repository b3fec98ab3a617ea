/* E6: everyone's private room for their own documents. It is made when the person first signs in and has a role in a
 * school: a hundred thousand rooms that nobody opens would help nobody. */
#ifndef PARTA_POLICY_SCHOOL_ROOMS_DOCUMENTS_H
#define PARTA_POLICY_SCHOOL_ROOMS_DOCUMENTS_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"

struct delayed_message;
struct rooms;
struct tx;

/* Inside a job: makes the room unless it is there, or the person has none to get. rooms: struct rooms; void, because it
 * is wired as the accounts' hook signed_in. false: *e. */
bool documents_ensure(void *rooms, struct tx *tx, user_no user, struct error *e);

/* Tells somebody in this room, in the service user's name. content: of an m.room.message, borrowed. false: they have no
 * such room yet, or are not in it. */
bool documents_tell(struct rooms *rooms, struct tx *tx, user_no user, const json_t *content);

/* F3: tells somebody in this room, in the service user's name and as a notice, that a message of theirs is not
 * delivered after all, why, and what it said. Every client shows it, it reaches nobody else, and it needs no
 * invitation, as a server notice (notices.h) does. Wired as held_dropped.tell
 * (homeserver/rooms/events/delayed_messages.h); rooms: struct rooms. Logs if they have no such room. */
void documents_tell_dropped(void *rooms, struct tx *tx, const struct delayed_message *row, const struct error *why);

#endif
