#include "homeserver/rooms/pdu/version.h"

#include <string.h>

/* Each line is the line before with what the version takes away or adds. */
enum {
    V1 = ROOM_REDACTION_AUTH | ROOM_ALIASES_AUTH | ROOM_LOOSE_LEVELS | ROOM_TOP_LEVEL_REDACTS | ROOM_CREATOR_IN_CONTENT,
    V3 = V1 & ~ROOM_REDACTION_AUTH,
    V6 = (V3 & ~ROOM_ALIASES_AUTH) | ROOM_STRICT_JSON | ROOM_NOTIFICATION_LEVELS,
    V7 = V6 | ROOM_KNOCK,
    V8 = V7 | ROOM_RESTRICTED,
    V10 = (V8 & ~ROOM_LOOSE_LEVELS) | ROOM_KNOCK_RESTRICTED,
    V11 = V10 & ~(ROOM_TOP_LEVEL_REDACTS | ROOM_CREATOR_IN_CONTENT),
    V12 = V11 | ROOM_ID_IS_HASH | ROOM_CREATORS,
};

/* What redaction leaves differs too: redact.c, by number. Versions 2 and 12 also change state resolution, and 5 asks
 * for keys still valid at origin_server_ts; both matter once rooms are shared between servers. */
static const struct room_version VERSIONS[] = {
    {"1", 1, EVENT_ID_OPAQUE, V1},       {"2", 2, EVENT_ID_OPAQUE, V1},       {"3", 3, EVENT_ID_BASE64, V3},
    {"4", 4, EVENT_ID_BASE64URL, V3},    {"5", 5, EVENT_ID_BASE64URL, V3},    {"6", 6, EVENT_ID_BASE64URL, V6},
    {"7", 7, EVENT_ID_BASE64URL, V7},    {"8", 8, EVENT_ID_BASE64URL, V8},    {"9", 9, EVENT_ID_BASE64URL, V8},
    {"10", 10, EVENT_ID_BASE64URL, V10}, {"11", 11, EVENT_ID_BASE64URL, V11}, {"12", 12, EVENT_ID_BASE64URL, V12},
};

const struct room_version *room_version_at(size_t i)
{
    return i < sizeof VERSIONS / sizeof *VERSIONS ? &VERSIONS[i] : NULL;
}

const struct room_version *room_version_get(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof VERSIONS / sizeof *VERSIONS; ++i)
        if (strcmp(VERSIONS[i].name, name) == 0)
            return &VERSIONS[i];
    return NULL;
}

bool room_version_has(const struct room_version *version, enum room_feature feature)
{
    return (version->features & feature) != 0;
}
