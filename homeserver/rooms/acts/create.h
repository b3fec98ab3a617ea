/* Creating and upgrading rooms: the events of a new room in the order of the specification, in one job. */
#ifndef PARTA_ROOMS_ACTS_CREATE_H
#define PARTA_ROOMS_ACTS_CREATE_H

#include <jansson.h>
#include <stdbool.h>

#include "homeserver/base/error.h"
#include "homeserver/base/ids.h"
#include "homeserver/rooms/rooms.h"
#include "policy/rules/words.h"

struct tx;

enum room_preset { PRESET_PRIVATE_CHAT, PRESET_TRUSTED_PRIVATE_CHAT, PRESET_PUBLIC_CHAT, PRESET_NONE };
/* name: not NULL. false: it is none of the three; *out stays. */
bool room_preset_from(const char *name, enum room_preset *out);

/* What createRoom's body says (or the roster job). All borrowed; NULL or 0: not said. */
struct room_plan {
    user_no creator;
    const struct room_version *version;
    enum room_preset preset; /* PRESET_NONE: initial_state says it all (roster, upgrade) */
    bool published;          /* visibility: public */
    const char *alias;       /* whole: "#name:server" */
    const char *name, *topic;
    const json_t *creation_content;
    const json_t *power_levels; /* power_level_content_override */
    const json_t *initial_state;
    const json_t *invite; /* array of user ids */
    bool *
        stripped; /* E9: set when encryption was taken out of initial_state (gate_strips); NULL: nothing is taken out */
    bool is_direct;
    /* Records to which school the room belongs and what it is there (store/school/school_rooms.h), right after its row
     * is there. NULL: to its creator's, as what room_plan_kind says. kind: what it then is, for the rules; not looked
     * at when record is NULL. */
    enum room_kind kind;
    bool (*record)(struct tx *tx, room_no room, void *arg);
    void *record_arg;
};

/* F1, F2, E5: what a room is that a person makes so: a direct chat when that is asked for, or when nothing about it
 * says otherwise: private, at most one invite, no name, alias, topic or space. Else a club. Clients' own marks
 * (m.direct, a type in creation_content) never make it a direct chat. */
enum room_kind room_plan_kind(const struct room_plan *plan);

/* Makes the room. NULL: *e, and the job must answer false. */
struct room *room_create(struct rooms *rooms, struct tx *tx, const struct room_plan *plan, struct error *e);

/* Replaces a room by a new one of that version: tombstone, the state and bans that the specification asks to carry
 * over, aliases, the directory. additional_creators: array, from room version 12 on; NULL: none. NULL: *e. */
struct room *room_upgrade(struct room *old, struct tx *tx, user_no actor, const struct room_version *version,
                          const json_t *additional_creators, struct error *e);

#endif
