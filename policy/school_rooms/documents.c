#include "policy/school_rooms/documents.h"

#include <stdlib.h>

#include "homeserver/rooms/acts/membership.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/school/roster_rooms.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "policy/records/kept_room.h"

#define NAME "Мои документы · My documents"
#define OWNER_POWER 50

static bool record(struct tx *tx, room_no room, void *arg)
{
    const user_no *owner = arg;
    return school_room_record(tx->db, room, *owner, ROOM_DOCUMENTS);
}

static struct room *create(struct rooms *rooms, struct tx *tx, user_no service, user_no owner, struct error *e)
{
    char *owner_id = users_id(tx->db, rooms_settings(rooms)->server_name, owner);
    struct kept_room kept = {.kind = ROOM_DOCUMENTS,
                             .name = NAME,
                             .history = "joined",
                             .join_rules = kept_room_join_rules(NULL),
                             .record = record,
                             .record_arg = &owner};
    /* Everything that would let others in is out of the owner's reach. */
    kept.power_levels =
        json_pack("{s:{s:i}, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:{s:i, s:i, s:i, s:i}}", "users", owner_id,
                  OWNER_POWER, "users_default", 0, "events_default", OWNER_POWER, "state_default", OWNER_POWER,
                  "invite", KEPT_ROOM_NOBODY, "kick", KEPT_ROOM_NOBODY, "ban", KEPT_ROOM_NOBODY, "redact", OWNER_POWER,
                  "events", "m.room.power_levels", KEPT_ROOM_NOBODY, "m.room.join_rules", KEPT_ROOM_NOBODY,
                  "m.room.history_visibility", KEPT_ROOM_NOBODY, "m.room.server_acl", KEPT_ROOM_NOBODY);
    free(owner_id);
    return kept_room_create(rooms, tx, service, &kept, e);
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
