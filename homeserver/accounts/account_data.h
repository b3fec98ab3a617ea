/* What clients may keep for a person (Client-Server API, "Client Config", "Room Tagging").
 *
 * Types that the server keeps itself (m.push_rules, m.fully_read) are refused with 405. Tags are the room's m.tag,
 * changed one by one inside a job, so that two devices do not undo each other. */
#ifndef PARTA_ACCOUNTS_ACCOUNT_DATA_H
#define PARTA_ACCOUNTS_ACCOUNT_DATA_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/accounts/accounts.h"

#define ACCOUNT_DATA_BYTES_MAX 65536 /* of one content */
#define ACCOUNT_DATA_TYPE_MAX 255    /* bytes */
#define TAG_BYTES_MAX 255
#define TAGS_MAX 100 /* of one room */

/* The room's number if the user has or had anything to do with it. 0: *e is ERROR_INVALID_PARAM (not a room id) or
 * ERROR_NOT_FOUND (unknown, or not known to this user: the same answer, school.md A1). Blocks (reads). */
room_no account_data_room(struct db *db, user_no user, const char *room_id, struct error *e);

/* content is borrowed. room 0: global. Blocks. */
bool account_data_set(const struct accounts *accounts, user_no user, room_no room, const char *type,
                      const json_t *content, struct error *e);

/* order: an object with an optional number "order" in [0, 1]. Blocks. */
bool account_data_set_tag(const struct accounts *accounts, user_no user, room_no room, const char *tag,
                          const json_t *order, struct error *e);
bool account_data_clear_tag(const struct accounts *accounts, user_no user, room_no room, const char *tag,
                            struct error *e);

#endif
