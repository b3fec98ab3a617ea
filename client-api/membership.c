/* Joining, inviting, leaving (Client-Server API, "Room membership"). */
#include <string.h>

#include "client-api/routes.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/rooms/acts/membership.h"
#include "homeserver/rooms/read/directory.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"

#define REASON_MAX 1024 /* bytes */

struct changing {
    struct rooms *rooms;
    const char *room;      /* id or alias */
    const char *target_id; /* NULL: the actor */
    struct membership_act act;
    bool forget;
    char room_id[ID_BYTES_MAX + 1];
};

/* An alias that the asker may not learn of is as good as none (school.md A1). */
static struct room *open_room(struct changing *c, struct tx *tx, struct error *e)
{
    if (c->room[0] != '#')
        return gate_open(c->rooms, tx, c->room, c->act.actor, e);
    room_no no = directory_find(tx->db, rooms_settings(c->rooms)->school_mode, c->room, c->act.actor);
    if (no == 0) {
        error_set(e, ERROR_NOT_FOUND, "There is no such room.");
        return NULL;
    }
    return room_open(c->rooms, tx, no);
}

static bool change_job(struct tx *tx, void *arg, struct error *e)
{
    struct changing *c = arg;
    struct appended out;
    struct room *room = open_room(c, tx, e);
    if (room == NULL)
        return false;
    strcpy(c->room_id, room->room_id);
    c->act.target =
        c->target_id == NULL ? c->act.actor : users_by_id(tx->db, rooms_settings(c->rooms)->server_name, c->target_id);
    if (c->act.target == 0)
        return membership_of_nobody(room, tx, &c->act, e);
    return c->forget ? membership_forget(room, tx, c->act.actor, e) : membership_act(room, tx, &c->act, &out, e);
}

static bool change(struct request *r, enum act act, struct changing *c)
{
    c->rooms = r->server->rooms;
    c->room = r->params[0];
    c->act.act = act;
    c->act.actor = r->identity.user;
    if (c->room[0] != '!' && c->room[0] != '#')
        return refuse(r, ERROR_INVALID_PARAM, "This is neither a room id nor an alias.");
    if (!body_string_or(r, "reason", NULL, &c->act.reason))
        return false;
    if (c->act.reason != NULL && strlen(c->act.reason) > REASON_MAX)
        return refuse(r, ERROR_TOO_LARGE, "The reason is too long.") || (r->error.status = 400, false);
    if (r->server->ask_services != NULL && (act == ACT_JOIN || act == ACT_KNOCK || act == ACT_INVITE))
        r->server->ask_services(r, act == ACT_INVITE && c->target_id != NULL ? c->target_id : c->room);
    return writer_run(r->server->writer, change_job, c, &r->error);
}

static bool reply_room(struct request *r, const struct changing *c)
{
    return reply_json(r, json_pack("{s:s}", "room_id", c->room_id));
}

static bool act_on_other(struct request *r, enum act act)
{
    struct changing c = {0};
    if (!body_string(r, "user_id", &c.target_id))
        return false;
    if (!user_id_valid(c.target_id))
        return refuse(r, ERROR_INVALID_PARAM, "user_id is not a user id.");
    return change(r, act, &c) && reply_empty(r);
}

static bool join_room(struct request *r)
{
    struct changing c = {0};
    json_t *third_party;
    if (!body_object_or_null(r, "third_party_signed", &third_party))
        return false;
    if (third_party != NULL)
        return refuse(r, ERROR_THREEPID_DENIED, NULL);
    return change(r, ACT_JOIN, &c) && reply_room(r, &c);
}

static bool knock_room(struct request *r)
{
    struct changing c = {0};
    return change(r, ACT_KNOCK, &c) && reply_room(r, &c);
}

static bool leave_room(struct request *r)
{
    struct changing c = {0};
    return change(r, ACT_LEAVE, &c) && reply_empty(r);
}

static bool forget_room(struct request *r)
{
    struct changing c = {.forget = true};
    return change(r, ACT_LEAVE, &c) && reply_empty(r);
}

static bool invite_user(struct request *r)
{
    if (json_object_get(r->body, "id_server") != NULL || json_object_get(r->body, "medium") != NULL)
        return refuse(r, ERROR_THREEPID_DENIED, NULL);
    return act_on_other(r, ACT_INVITE);
}

static bool kick(struct request *r)
{
    return act_on_other(r, ACT_KICK);
}

static bool ban(struct request *r)
{
    return act_on_other(r, ACT_BAN);
}

static bool unban(struct request *r)
{
    return act_on_other(r, ACT_UNBAN);
}

#define FLAGS (ROUTE_AUTH | ROUTE_BODY)
static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v3/join/{roomIdOrAlias}", join_room, FLAGS, RATE_ROOM, "joinRoom"},
    {HTTP_POST, "/_matrix/client/v3/rooms/{roomId}/join", join_room, FLAGS, RATE_ROOM, "joinRoomById"},
    {HTTP_POST, "/_matrix/client/v3/knock/{roomIdOrAlias}", knock_room, FLAGS, RATE_ROOM, "knockRoom"},
    {HTTP_POST, "/_matrix/client/v3/rooms/{roomId}/leave", leave_room, FLAGS, RATE_ROOM, "leaveRoom"},
    {HTTP_POST, "/_matrix/client/v3/rooms/{roomId}/forget", forget_room, FLAGS, RATE_ROOM, "forgetRoom"},
    {HTTP_POST, "/_matrix/client/v3/rooms/{roomId}/invite", invite_user, FLAGS, RATE_ROOM, "inviteUser"},
    {HTTP_POST, "/_matrix/client/v3/rooms/{roomId}/kick", kick, FLAGS, RATE_ROOM, "kick"},
    {HTTP_POST, "/_matrix/client/v3/rooms/{roomId}/ban", ban, FLAGS, RATE_ROOM, "ban"},
    {HTTP_POST, "/_matrix/client/v3/rooms/{roomId}/unban", unban, FLAGS, RATE_ROOM, "unban"},
};
const struct routes MEMBERSHIP_ROUTES = ROUTES(TABLE);
