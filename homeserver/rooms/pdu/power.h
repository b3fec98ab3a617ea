/* Power levels, read from a room's m.room.power_levels and m.room.create.
 *
 * A struct power is a cheap view that borrows both contents; it keeps what the specification says about what is absent:
 * no event, no key, a value that cannot be read (Client-Server API, "m.room.power_levels"; room versions,
 * "Authorisation rules"). In versions 1 to 9 a level may be a string, in 1 to 5 a real, which is cut at the point. */
#ifndef PARTA_ROOMS_PDU_POWER_H
#define PARTA_ROOMS_PDU_POWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "homeserver/rooms/pdu/version.h"

#define POWER_INFINITE INT64_MAX /* of creators from room version 12 on: above every level that can be written */

/* The levels that are single keys of the content. */
enum power_key {
    POWER_USERS_DEFAULT,  /* 0 */
    POWER_EVENTS_DEFAULT, /* 0 */
    POWER_STATE_DEFAULT,  /* 50 */
    POWER_BAN,            /* 50 */
    POWER_REDACT,         /* 50 */
    POWER_KICK,           /* 50 */
    POWER_INVITE,         /* 0 */
    POWER_KEY__COUNT
};

struct power {
    const struct room_version *version;
    const json_t *levels;     /* content of m.room.power_levels; NULL: there is none */
    const char *creator;      /* who created the room; NULL: not known */
    const json_t *additional; /* versions with ROOM_CREATORS: content.additional_creators; NULL: none */
};

/* create_sender and create_content: of m.room.create; NULL: there is none (yet). levels: as in the struct. All
 * borrowed. */
void power_init(struct power *power, const struct room_version *version, const char *create_sender,
                const json_t *create_content, const json_t *levels);

/* Who created the room: content.creator in versions that have it, else the sender. NULL: not said. Borrowed. */
const char *power_creator(const struct room_version *version, const char *create_sender, const json_t *create_content);

bool power_is_creator(const struct power *power, const char *user); /* including additional_creators, if they count */

int64_t power_of_user(const struct power *power, const char *user); /* POWER_INFINITE: a creator, from version 12 on */

/* What it takes to send an event of this type (m.room.member has rules of its own: auth.h). */
int64_t power_needed(const struct power *power, const char *type, bool is_state);

/* Of m.room.power_levels, or what the specification says where it is not there. */
int64_t power_level(const struct power *power, enum power_key key);
int64_t power_notification(const struct power *power, const char *key); /* "room": 50 unless said otherwise */

const char *power_key_name(enum power_key key); /* "users_default" */

/* Reads one level as the version writes it. false: it is not a level there. */
bool power_read(const struct room_version *version, const json_t *value, int64_t *out);

#endif
