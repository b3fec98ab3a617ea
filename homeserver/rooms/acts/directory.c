#include "homeserver/rooms/acts/directory.h"

#include <string.h>

#include "homeserver/base/names.h"
#include "homeserver/rooms/events/append.h"
#include "homeserver/rooms/events/canonical_alias.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/member_set.h"
#include "homeserver/rooms/read/directory.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/appservices.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/user_names.h"

struct act_on {
    struct rooms *rooms;
    user_no user;
    bool admin; /* administers the server */
    const char *alias, *room_id;
    const char *network; /* NULL: the server's own directory */
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

bool directory_alias_free(const struct rooms *rooms, struct db *db, const char *alias, user_no user, struct error *e)
{
    const struct rooms_settings *settings = rooms_settings(rooms);
    return settings->alias_taken == NULL || !settings->alias_taken(settings->of_services, db, alias, user) ||
           error_set(e, ERROR_EXCLUSIVE, NULL);
}

static bool set_alias(struct tx *tx, void *arg, struct error *e)
{
    const struct act_on *act = arg;
    struct room *room = gate_open(act->rooms, tx, act->room_id, act->user, e);
    if (room == NULL)
        return false;
    if (!name_valid(act->alias, ID_BYTES_MAX))
        return error_set(e, ERROR_INVALID_PARAM, NAME_SENTENCE);
    if (!directory_alias_fits(rooms_settings(act->rooms)->school_mode, act->alias, e) ||
        !directory_alias_free(act->rooms, tx->db, act->alias, act->user, e))
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

bool directory_unname(struct rooms *rooms, struct tx *tx, user_no sender, user_no actor, room_no no, const char *alias)
{
    struct appended out;
    struct error refused = {0};
    struct room *room = room_open(rooms, tx, no);
    json_t *left = room != NULL
                       ? canonical_alias_without(room_state_content(room, tx, "m.room.canonical_alias", ""), alias)
                       : NULL;
    const struct draft draft = {
        .sender = sender, .actor = actor, .type = "m.room.canonical_alias", .state_key = "", .content = left};
    bool done = left == NULL || append_state(room, tx, &draft, &out, &refused);
    json_decref(left);
    return done;
}

static bool delete_alias(struct tx *tx, void *arg, struct error *e)
{
    const struct act_on *act = arg;
    room_no no = directory_find(tx->db, rooms_settings(act->rooms)->school_mode, act->alias, act->user);
    struct room *room = no != 0 ? room_open(act->rooms, tx, no) : NULL;
    if (room == NULL)
        return error_set(e, ERROR_NOT_FOUND, "There is no such alias.");
    if (!gate_room(act->rooms, tx->db, ACT_ALIAS, no, act->user, 0, NULL, NULL, e) ||
        !directory_alias_free(act->rooms, tx->db, act->alias, act->user, e))
        return false;
    if (aliases_creator(tx->db, act->alias, no) != act->user && !act->admin &&
        !(member_set_has(room_joined(room, tx), act->user) && has_power(room, tx, act->user)))
        return error_set(e, ERROR_FORBIDDEN, "You may not delete this alias.");
    if (!aliases_delete(tx, act->alias, no))
        return false;
    directory_unname(act->rooms, tx, act->user, act->user, no, act->alias);
    return true;
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
    if (act->network != NULL)
        return act->published ? network_rooms_put(tx, act->network, no) : network_rooms_delete(tx, act->network, no);
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

bool directory_publish_in(struct rooms *rooms, struct writer *writer, user_no user, const char *network,
                          const char *room_id, bool published, struct error *e)
{
    struct act_on act = {.rooms = rooms, .user = user, .network = network, .room_id = room_id, .published = published};
    return writer_run(writer, publish, &act, e);
}

bool directory_publish(struct rooms *rooms, struct writer *writer, user_no user, bool admin, const char *room_id,
                       bool published, struct error *e)
{
    struct act_on act = {.rooms = rooms, .user = user, .admin = admin, .room_id = room_id, .published = published};
    return writer_run(writer, publish, &act, e);
}
