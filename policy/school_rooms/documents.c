#include "policy/school_rooms/documents.h"

#include <stdlib.h>

#include "homeserver/base/crypto.h"
#include "homeserver/rooms/acts/create.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"

#define NAME "Мои документы · My documents"
#define OWNER_POWER 50

/* Everything that would let others in is out of the owner's reach. */
static json_t *power_levels(const char *service_id, const char *owner_id, const struct room_version *version)
{
    json_t *users = json_pack("{s:i}", owner_id, OWNER_POWER);
    if (!room_version_has(version, ROOM_CREATORS))
        json_object_set_new(users, service_id, json_integer(100));
    return json_pack("{s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:{s:i, s:i, s:i, s:i, s:i}}", "users", users,
                     "users_default", 0, "events_default", OWNER_POWER, "state_default", OWNER_POWER, "invite", 100,
                     "kick", 100, "ban", 100, "redact", OWNER_POWER, "events", "m.room.power_levels", 100,
                     "m.room.join_rules", 100, "m.room.history_visibility", 100, "m.room.server_acl", 100,
                     "m.room.tombstone", room_version_has(version, ROOM_CREATORS) ? 150 : 100);
}

static json_t *initial_state(void)
{
    return json_pack("[{s:s, s:s, s:{s:s, s:[]}}, {s:s, s:s, s:{s:s}}, {s:s, s:s, s:{s:s}}]", "type",
                     "m.room.join_rules", "state_key", "", "content", "join_rule", "restricted", "allow", "type",
                     "m.room.history_visibility", "state_key", "", "content", "history_visibility", "joined", "type",
                     "m.room.guest_access", "state_key", "", "content", "guest_access", "forbidden");
}

static bool record(struct tx *tx, room_no room, void *arg)
{
    const user_no *owner = arg;
    return school_room_record(tx->db, room, *owner, ROOM_DOCUMENTS);
}

static struct room *create(struct rooms *rooms, struct tx *tx, user_no service, user_no owner, struct error *e)
{
    char *service_id = users_id(tx->db, rooms_settings(rooms)->server_name, service);
    char *owner_id = users_id(tx->db, rooms_settings(rooms)->server_name, owner);
    struct room_plan plan = {.creator = service,
                             .version = room_kept_version(rooms),
                             .preset = PRESET_NONE,
                             .name = NAME,
                             .record = record,
                             .record_arg = &owner};
    json_t *creation = room_kept_content(ROOM_DOCUMENTS);
    json_t *levels = power_levels(service_id, owner_id, plan.version), *state = initial_state();
    plan.creation_content = creation;
    plan.power_levels = levels;
    plan.initial_state = state;
    struct room *room = room_create(rooms, tx, &plan, e);
    json_decref(creation);
    json_decref(levels);
    json_decref(state);
    free(service_id);
    free(owner_id);
    return room;
}

bool documents_ensure(void *arg, struct tx *tx, user_no user, struct error *e)
{
    struct rooms *rooms = arg;
    user_no service = users_no(tx->db, SERVICE_LOCALPART);
    if (!rooms_settings(rooms)->school_mode || service == 0 || !school_has_any(tx->db, user) ||
        rooms_owned(tx->db, user, room_kind_name(ROOM_DOCUMENTS)) != 0)
        return true;
    struct room *room = create(rooms, tx, service, user, e);
    struct membership_act join = {.act = ACT_JOIN, .actor = service, .target = user};
    struct appended out;
    return room != NULL && membership_act(room, tx, &join, &out, e);
}
