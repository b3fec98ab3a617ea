/* Room versions: what differs from one to the next, told in one table (version.c).
 *
 * Code that depends on a room's version asks its row for a feature or a number, and compares no names. A row is static:
 * pointers to it may be kept for ever and compared. (Matrix, "Room versions" 1 to 12.) */
#ifndef PARTA_ROOMS_PDU_VERSION_H
#define PARTA_ROOMS_PDU_VERSION_H

#include <stdbool.h>
#include <stddef.h>

/* How an event is called. */
enum event_id_format {
    EVENT_ID_OPAQUE,    /* "$random:server", chosen by the sender's server, a key of the event (1, 2) */
    EVENT_ID_BASE64,    /* "$" and the reference hash in unpadded base64 (3) */
    EVENT_ID_BASE64URL, /* the same in the URL-safe alphabet (4 and later) */
};

/* What holds in a version, beyond what holds in all. */
enum room_feature {
    ROOM_REDACTION_AUTH = 1 << 0,      /* 1, 2: who may redact is a rule of event authorization, not of applying */
    ROOM_ALIASES_AUTH = 1 << 1,        /* 1 to 5: m.room.aliases may be sent for the sender's own server alone */
    ROOM_LOOSE_LEVELS = 1 << 2,        /* 1 to 9: a power level may be a string (or, in 1 to 5, a real) */
    ROOM_TOP_LEVEL_REDACTS = 1 << 3,   /* 1 to 10: a redaction says what in the event, later in its content */
    ROOM_CREATOR_IN_CONTENT = 1 << 4,  /* 1 to 10: m.room.create carries its creator in its content */
    ROOM_STRICT_JSON = 1 << 5,         /* 6 and later: events are canonical JSON; otherwise M_BAD_JSON */
    ROOM_NOTIFICATION_LEVELS = 1 << 6, /* 6 and later: changes of notifications levels need power */
    ROOM_KNOCK = 1 << 7,               /* 7 and later: membership and join rule "knock" */
    ROOM_RESTRICTED = 1 << 8,          /* 8 and later: join rule "restricted" */
    ROOM_KNOCK_RESTRICTED = 1 << 9,    /* 10 and later: join rule "knock_restricted" */
    ROOM_ID_IS_HASH = 1 << 10,         /* 12: the room id is the create event's id with '!' for '$'; that event has no
                                        * room_id and is named in no auth_events */
    ROOM_CREATORS = 1 << 11,           /* 12: creators stand above all levels and in no list of them */
};

struct room_version {
    const char *name; /* "1" to "12", as m.room.create and clients write it */
    int number;       /* the same, for tables that say "from … to …" */
    enum event_id_format id_format;
    unsigned features; /* of enum room_feature */
};

#define ROOM_VERSION_DEFAULT "12" /* what the specification recommends for new rooms */

const struct room_version *room_version_get(const char *name); /* NULL: not known (or name is NULL) */
const struct room_version *room_version_at(size_t i);          /* oldest first; NULL behind the last */
bool room_version_has(const struct room_version *version, enum room_feature feature); /* feature: a single one */

#endif
