#include "homeserver/rooms/acts/directory.h"

#include <string.h>

#include "homeserver/base/names.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/rooms/read/directory.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/user_names.h"

struct act_on {
    struct rooms *rooms;
    user_no user;
    bool admin; /* administers the server */
    const char *alias, *room_id;
    bool published;
};

static bool has_power(struct room *room, struct tx *tx, user_no user)
{
    struct power power;
    const char *user_id = user_names_get(rooms_settings(room->rooms)->names, tx->db, user);
    room_power(room, tx, &power);
    return user_id != NULL && power_of_user(&power, user_id) >= power_needed(&power, "m.room.canonical_alias", true);
}

bool directory_alias_fits(bool school_mode, const char *alias, struct error *e)
{
    return !school_mode || id_is_token(alias + 1, strcspn(alias + 1, ":"), ALIAS_TOKEN_MAX) ||
           error_set(e, ERROR_INVALID_PARAM, "An address has at most 64 of A-Z a-z 0-9 . _ - before the colon.");
}

static bool set_alias(struct tx *tx, void *arg, struct error *e)
{
    const struct act_on *act = arg;
    struct room *room = gate_open(act->rooms, tx, act->room_id, act->user, e);
    if (room == NULL)
        return false;
    if (!name_valid(act->alias, ID_BYTES_MAX))
        return error_set(e, ERROR_INVALID_PARAM, NAME_SENTENCE);
    if (!directory_alias_fits(rooms_settings(act->rooms)->school_mode, act->alias, e))
        return false;
    if (!member_set_has(room_joined(room, tx), act->user))
        return error_set(e, ERROR_FORBIDDEN, "You are not in this room.");
    if (!gate_room(act->rooms, tx->db, ACT_ALIAS, room->no, act->user, 0, NULL, NULL, e))
        return false;
    if (aliases_insert(tx, act->alias, room->no, act->user))
        return bound_kept(tx->db, BOUND_ALIASES, act->user, 0, e);
    error_set(e, ERROR_UNKNOWN, "This alias exists already.");
    e->status = 409;
    return false;
}

static bool delete_alias(struct tx *tx, void *arg, struct error *e)
{
    const struct act_on *act = arg;
    room_no no = directory_find(tx->db, rooms_settings(act->rooms)->school_mode, act->alias, act->user);
    struct room *room = no != 0 ? room_open(act->rooms, tx, no) : NULL;
    if (room == NULL)
        return error_set(e, ERROR_NOT_FOUND, "There is no such alias.");
    if (!gate_room(act->rooms, tx->db, ACT_ALIAS, no, act->user, 0, NULL, NULL, e))
        return false;
    if (aliases_creator(tx->db, act->alias, no) != act->user && !act->admin &&
        !(member_set_has(room_joined(room, tx), act->user) && has_power(room, tx, act->user)))
        return error_set(e, ERROR_FORBIDDEN, "You may not delete this alias.");
    return aliases_delete(tx, act->alias, no);
}

static bool publish(struct tx *tx, void *arg, struct error *e)
{
    const struct act_on *act = arg;
    room_no no = rooms_by_id(tx->db, act->room_id);
    struct room *room = no != 0 ? room_open(act->rooms, tx, no) : NULL;
    if (room == NULL || !gate_may_see(rooms_settings(act->rooms)->school_mode, tx->db, no, act->user))
        return error_set(e, ERROR_NOT_FOUND, "There is no such room.");
    if (!gate_room(act->rooms, tx->db, ACT_PUBLISH, no, act->user, 0, NULL, NULL, e))
        return false;
    if (!act->admin && !member_set_has(room_joined(room, tx), act->user))
        return error_set(e, ERROR_FORBIDDEN, "You are not in this room.");
    if (!act->admin && !has_power(room, tx, act->user))
        return error_set(e, ERROR_FORBIDDEN, "Your power level is too low to publish this room.");
    return rooms_set_published(tx, no, act->published);
}

bool directory_set_alias(struct rooms *rooms, struct writer *writer, user_no user, const char *alias,
                         const char *room_id, struct error *e)
{
    struct act_on act = {.rooms = rooms, .user = user, .alias = alias, .room_id = room_id};
    return writer_run(writer, set_alias, &act, e);
}

bool directory_delete_alias(struct rooms *rooms, struct writer *writer, user_no user, bool admin, const char *alias,
                            struct error *e)
{
    struct act_on act = {.rooms = rooms, .user = user, .admin = admin, .alias = alias};
    return writer_run(writer, delete_alias, &act, e);
}

bool directory_publish(struct rooms *rooms, struct writer *writer, user_no user, bool admin, const char *room_id,
                       bool published, struct error *e)
{
    struct act_on act = {.rooms = rooms, .user = user, .admin = admin, .room_id = room_id, .published = published};
    return writer_run(writer, publish, &act, e);
}
