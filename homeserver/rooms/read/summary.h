/* What a room shows of itself to those who may enter it: the public list, room summaries, space hierarchies. */
#ifndef PARTA_ROOMS_READ_SUMMARY_H
#define PARTA_ROOMS_READ_SUMMARY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/store/matrix/memberships.h"

struct db;

struct summary {
    room_no room;
    char *room_id, *version;
    int64_t joined;                                                           /* members */
    json_t *create, *name, *topic, *avatar, *alias, *join_rules, *encryption; /* contents; NULL: no such state */
    bool world_readable, guest_can_join;
};

/* false: there is no such room (finish all the same). Blocks (reads). */
bool summary_load(struct summary *summary, struct db *db, room_no room);
void summary_finish(struct summary *summary);

/* The values; borrowed, NULL: not set. */
const char *summary_name(const struct summary *summary);
const char *summary_topic(const struct summary *summary);
const char *summary_alias(const struct summary *summary);
const char *summary_join_rule(const struct summary *summary); /* "invite" when not set, as event authorization has it */
const char *summary_room_type(const struct summary *summary);

/* Appends the members of PublishedRoomsChunk without the braces, full: those of RoomSummary, too. */
void summary_add(struct text *out, const struct summary *summary, bool full);

/* Appends, each behind a comma, what RoomSummary has as MSC3266 called it before it was stable. */
void summary_add_unstable(struct text *out, const struct summary *summary);

/* Whether a person may see it: a member, invited or knocking, or the room is open to joining or knocking, to them by
 * another room ("restricted"), or world readable. user 0: nobody in particular. Blocks (reads). */
bool summary_open_to(const struct summary *summary, struct db *db, user_no user);

#endif
