#include "policy/records/kept_room.h"

#include <stdio.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/rooms/acts/create.h"
#include "homeserver/store/school/roster_rooms.h"

#define WORD_CHARS 12

/* People are joined by force, which takes restricted rooms; the default version if it has them. */
static const struct room_version *version_of(const struct rooms *rooms)
{
    const struct room_version *version = room_version_get(rooms_settings(rooms)->default_version);
    bool fits = version != NULL && room_version_has(version, ROOM_RESTRICTED);
    return fits ? version : room_version_get(ROOM_VERSION_DEFAULT);
}

void kept_room_complete_levels(const struct rooms *rooms, const struct room_version *version, json_t *power_levels)
{
    char service[ID_BYTES_MAX + 1];
    bool creators = room_version_has(version, ROOM_CREATORS);
    json_t *events = json_get_object(power_levels, "events");
    snprintf(service, sizeof service, "@%s:%s", SERVICE_LOCALPART, rooms_settings(rooms)->server_name);
    if (!creators) /* else it is above them all by having made the room, and may not be listed */
        json_object_set_new(json_get_object(power_levels, "users"), service, json_integer(KEPT_ROOM_NOBODY));
    if (events != NULL)
        json_object_set_new(events, "m.room.tombstone", json_integer(creators ? 150 : KEPT_ROOM_NOBODY));
}

void kept_room_allow(json_t *join_rules, const char *room_id)
{
    json_array_append_new(json_get_array(join_rules, "allow"),
                          json_pack("{s:s, s:s}", "type", "m.room_membership", "room_id", room_id));
}

json_t *kept_room_join_rules(const char *room_id)
{
    json_t *join_rules = json_pack("{s:s, s:[]}", "join_rule", "restricted", "allow");
    if (room_id != NULL)
        kept_room_allow(join_rules, room_id);
    return join_rules;
}

static void add_state(json_t *state, const char *type, const char *state_key, json_t *content)
{
    json_array_append_new(state,
                          json_pack("{s:s, s:s, s:o}", "type", type, "state_key", state_key, "content", content));
}

static json_t *initial_state(const struct rooms *rooms, const struct kept_room *kept)
{
    json_t *state = json_array();
    if (kept->join_rules != NULL)
        add_state(state, "m.room.join_rules", "", json_incref(kept->join_rules));
    add_state(state, "m.room.history_visibility", "", json_pack("{s:s}", "history_visibility", kept->history));
    add_state(state, "m.room.guest_access", "", json_pack("{s:s}", "guest_access", "forbidden"));
    if (kept->space != NULL)
        add_state(state, "m.space.parent", kept->space,
                  json_pack("{s:[s], s:b}", "via", rooms_settings(rooms)->server_name, "canonical", 1));
    return state;
}

struct room *kept_room_create(struct rooms *rooms, struct tx *tx, user_no service, const struct kept_room *kept,
                              struct error *e)
{
    /* From version 12 on a room is called after its create event, and the many of one moment would be one: each has a
     * random word in it. */
    char word[WORD_CHARS + 1];
    random_name(word, WORD_CHARS);
    json_t *creation = json_pack("{s:b, s:s, s:s}", "m.federate", 0, "org.parta.kind", room_kind_name(kept->kind),
                                 "org.parta.word", word);
    if (room_kind_is_space(kept->kind))
        json_object_set_new(creation, "type", json_string("m.space"));
    struct room_plan plan = {.creator = service,
                             .version = version_of(rooms),
                             .preset = PRESET_NONE,
                             .name = kept->name,
                             .creation_content = creation,
                             .power_levels = kept->power_levels,
                             .initial_state = initial_state(rooms, kept),
                             .kind = kept->kind,
                             .record = kept->record,
                             .record_arg = kept->record_arg};
    kept_room_complete_levels(rooms, plan.version, kept->power_levels);
    struct room *room = room_create(rooms, tx, &plan, e);
    json_decref(creation);
    json_decref((json_t *)plan.initial_state);
    json_decref(kept->join_rules);
    json_decref(kept->power_levels);
    return room;
}
