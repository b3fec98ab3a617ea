/* Changes of the room directory: aliases, and which rooms are published (Client-Server API, "Room Aliases", "Listing
 * rooms"). rooms/read/directory.h reads it.
 *
 * Who may: to set an alias one is joined to the room; to delete it one made it, or has the power to change the room's
 * canonical alias, or administers the server; to publish a room one has that power, too, or administers the server. The
 * school's rules have their say first (rooms/gate.h: ACT_ALIAS, ACT_PUBLISH). All is checked inside the write job. */
#ifndef PARTA_ROOMS_ACTS_DIRECTORY_H
#define PARTA_ROOMS_ACTS_DIRECTORY_H

#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"

struct rooms;
struct writer;

/* Each is one write job and blocks (disk). user: who acts; admin: administers the server. false: *e is the refusal;
 * nothing has changed. An alias that exists: status 409. */
bool directory_set_alias(struct rooms *rooms, struct writer *writer, user_no user, const char *alias,
                         const char *room_id, struct error *e);
bool directory_delete_alias(struct rooms *rooms, struct writer *writer, user_no user, bool admin, const char *alias,
                            struct error *e);
bool directory_publish(struct rooms *rooms, struct writer *writer, user_no user, bool admin, const char *room_id,
                       bool published, struct error *e);

/* The same in the directory of a third-party network, by a user of the application service that bridges it. */
bool directory_publish_in(struct rooms *rooms, struct writer *writer, user_no user, const char *network,
                          const char *room_id, bool published, struct error *e);

/* Inside a job: the room's m.room.canonical_alias names an alias that goes no longer, if sender may say so
 * (Client-Server API, "deleteRoomAlias"). actor: for the school's rules. Whether it does not name it now. */
struct tx;
bool directory_unname(struct rooms *rooms, struct tx *tx, user_no sender, user_no actor, room_no room,
                      const char *alias);

/* Whether no application service keeps the alias from the user (Application Service API, "Registration"). Inside a job.
 * false: *e is ERROR_EXCLUSIVE. */
struct db;
bool directory_alias_free(const struct rooms *rooms, struct db *db, const char *alias, user_no user, struct error *e);

/* E5: an alias of a school's room is a name for machines, not a sentence (base/ids.h, id_is_token). alias: a valid one.
 * Elsewhere any is good. false: *e. */
#define ALIAS_TOKEN_MAX 64 /* bytes of the localpart */
bool directory_alias_fits(bool school_mode, const char *alias, struct error *e);

#endif
