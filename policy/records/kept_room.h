/* Rooms that the server's service user makes and keeps for schools (school.md E3, E6, E8): what those of the roster,
 * the documents and the associations have in common. */
#ifndef PARTA_POLICY_RECORDS_KEPT_ROOM_H
#define PARTA_POLICY_RECORDS_KEPT_ROOM_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "policy/rules/words.h"

struct room;
struct room_version;
struct rooms;
struct tx;

#define KEPT_ROOM_NOBODY 100 /* a level that no post has: the service user alone reaches it */

struct kept_room {
    enum room_kind kind;
    const char *name;
    const char *history;                                    /* history_visibility: "shared", "joined" */
    const char *space;                                      /* room id of the space it stands in; NULL: none */
    json_t *join_rules;                                     /* content; NULL: whoever makes it appends them */
    json_t *power_levels;                                   /* content, without the service user's own */
    bool (*record)(struct tx *tx, room_no room, void *arg); /* which school's it is (rooms/acts/create.h) */
    void *record_arg;
};

/* Takes join_rules and power_levels. NULL: *e, and the job must answer false. */
struct room *kept_room_create(struct rooms *rooms, struct tx *tx, user_no service, const struct kept_room *kept,
                              struct error *e);

/* Completes power levels for a room of that version: the service user stands above all, and nobody else replaces the
 * room, where the levels list events. */
void kept_room_complete_levels(const struct rooms *rooms, const struct room_version *version, json_t *power_levels);

/* {"join_rule": "restricted", "allow": …} for whoever is in that room; NULL: for nobody as yet. kept_room_allow adds
 * one. New reference. */
json_t *kept_room_join_rules(const char *room_id);
void kept_room_allow(json_t *join_rules, const char *room_id);

#endif
