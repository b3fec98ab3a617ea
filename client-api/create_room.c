/* Creating and upgrading rooms (Client-Server API, "Creation", "Room Upgrades"). */
#include <string.h>

#include "client-api/routes.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/names.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/acts/create.h"
#include "homeserver/rooms/gate.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/driver/writer.h"
#include "policy/audit/audit.h"
#include "policy/gate/school_gate.h"

#define INVITES_MAX 500
#define ASKING_MS 10000 /* for services that make whom is invited; who is not there then is not invited */
#define INITIAL_STATE_MAX 200

struct creating {
    struct rooms *rooms;
    struct room_plan plan;
    bool stripped; /* E9 */
    char room_id[ID_BYTES_MAX + 1];
};

/* E9, J2: that a room is not as its maker's client asked for it stands in the log. */
static bool note_stripped(struct creating *c, struct tx *tx, const struct room *room)
{
    const struct rooms_settings *settings = rooms_settings(c->rooms);
    user_no maker = c->plan.creator;
    const struct actor actor = {.user = maker, .name = user_names_get(settings->names, tx->db, maker)};
    return audit_append(tx, settings->key,
                        &(struct audit_note){.actor = &actor,
                                             .act = "room.encryption_stripped",
                                             .school = viewer_room_school(tx->db, maker, room->no),
                                             .subject = json_pack("{s:s}", "room", room->room_id)});
}

static bool create_job(struct tx *tx, void *arg, struct error *e)
{
    struct creating *c = arg;
    c->stripped = false;
    c->plan.stripped = &c->stripped;
    struct room *room = room_create(c->rooms, tx, &c->plan, e);
    if (room != NULL)
        strcpy(c->room_id, room->room_id);
    return room != NULL && (!c->stripped || note_stripped(c, tx, room));
}

static bool read_version(struct request *r, const char *key, const struct room_version **out)
{
    const char *name;
    if (!body_string_or(r, key, rooms_settings(r->server->rooms)->default_version, &name))
        return false;
    *out = room_version_get(name);
    return *out != NULL || refuse(r, ERROR_UNSUPPORTED_ROOM_VERSION, NULL);
}

static bool read_visibility(struct request *r, struct room_plan *plan)
{
    const char *visibility, *preset;
    if (!body_string_or(r, "visibility", "private", &visibility) || !body_string_or(r, "preset", NULL, &preset))
        return false;
    plan->published = strcmp(visibility, "public") == 0;
    if (!plan->published && strcmp(visibility, "private") != 0)
        return refuse(r, ERROR_INVALID_PARAM, "visibility is public or private.");
    plan->preset = plan->published ? PRESET_PUBLIC_CHAT : PRESET_PRIVATE_CHAT;
    return preset == NULL || room_preset_from(preset, &plan->preset) ||
           refuse(r, ERROR_INVALID_PARAM, "This preset is not known.");
}

static bool read_alias(struct request *r, struct room_plan *plan, char *alias, size_t size)
{
    const char *localpart;
    if (!body_string_or(r, "room_alias_name", NULL, &localpart))
        return false;
    if (localpart == NULL)
        return true;
    int len = snprintf(alias, size, "#%s:%s", localpart, rooms_settings(r->server->rooms)->server_name);
    if (len < 0 || (size_t)len >= size || strpbrk(localpart, ": \t\r\n") != NULL || !alias_valid(alias) ||
        !name_valid(alias, ID_BYTES_MAX))
        return refuse(r, ERROR_INVALID_PARAM, "This alias is not valid.");
    plan->alias = alias;
    return true;
}

static bool read_invites(struct request *r, struct room_plan *plan)
{
    json_t *invite, *invite_3pid, *id;
    size_t i;
    if (!body_array_or_null(r, "invite", &invite) || !body_array_or_null(r, "invite_3pid", &invite_3pid))
        return false;
    if (json_array_size(invite_3pid) != 0)
        return refuse(r, ERROR_THREEPID_DENIED, NULL);
    if (json_array_size(invite) > INVITES_MAX)
        return refuse(r, ERROR_INVALID_PARAM, "Too many people are invited at once.");
    json_array_foreach(invite, i, id)
        if (!user_id_valid(json_string_value(id)))
            return refuse(r, ERROR_INVALID_PARAM, "invite holds something that is not a user id.");
    plan->invite = invite;
    int64_t until_ms = clock_mono_ms() + ASKING_MS;
    json_array_foreach(invite, i, id)
        if (r->server->ask_services != NULL && clock_mono_ms() < until_ms)
            r->server->ask_services(r, json_string_value(id));
    return true;
}

static bool read_contents(struct request *r, struct room_plan *plan)
{
    json_t *creation, *power, *state;
    if (!body_object_or_null(r, "creation_content", &creation) ||
        !body_object_or_null(r, "power_level_content_override", &power) ||
        !body_array_or_null(r, "initial_state", &state) || !body_bool_or(r, "is_direct", false, &plan->is_direct) ||
        !body_string_or(r, "name", NULL, &plan->name) || !body_string_or(r, "topic", NULL, &plan->topic))
        return false;
    if (json_array_size(state) > INITIAL_STATE_MAX)
        return refuse(r, ERROR_INVALID_PARAM, "initial_state is too long.");
    plan->creation_content = creation;
    plan->power_levels = power;
    plan->initial_state = state;
    return true;
}

static bool create_room(struct request *r)
{
    char alias[ID_BYTES_MAX + 1];
    struct creating c = {.rooms = r->server->rooms, .plan = {.creator = r->identity.user}};
    if (!read_version(r, "room_version", &c.plan.version) || !read_visibility(r, &c.plan) ||
        !read_alias(r, &c.plan, alias, sizeof alias) || !read_invites(r, &c.plan) || !read_contents(r, &c.plan) ||
        !writer_run(r->server->writer, create_job, &c, &r->error))
        return false;
    return reply_json(r, json_pack("{s:s}", "room_id", c.room_id));
}

struct upgrading {
    struct rooms *rooms;
    const char *room_id;
    user_no actor;
    const struct room_version *version;
    const json_t *additional_creators;
    char replacement[ID_BYTES_MAX + 1];
};

static bool upgrade_job(struct tx *tx, void *arg, struct error *e)
{
    struct upgrading *u = arg;
    struct room *old = gate_open(u->rooms, tx, u->room_id, u->actor, e);
    struct room *new = old != NULL ? room_upgrade(old, tx, u->actor, u->version, u->additional_creators, e) : NULL;
    if (new != NULL)
        strcpy(u->replacement, new->room_id);
    return new != NULL;
}

static bool upgrade_room(struct request *r)
{
    json_t *creators, *id;
    size_t i;
    struct upgrading u = {.rooms = r->server->rooms, .room_id = r->params[0], .actor = r->identity.user};
    const char *name;
    if (!body_string(r, "new_version", &name) || !read_version(r, "new_version", &u.version) ||
        !body_array_or_null(r, "additional_creators", &creators))
        return false;
    json_array_foreach(creators, i, id)
        if (!user_id_valid(json_string_value(id)))
            return refuse(r, ERROR_INVALID_PARAM, "additional_creators holds something that is not a user id.");
    u.additional_creators = creators;
    if (!writer_run(r->server->writer, upgrade_job, &u, &r->error))
        return false;
    return reply_json(r, json_pack("{s:s}", "replacement_room", u.replacement));
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_matrix/client/v3/createRoom", create_room, ROUTE_AUTH | ROUTE_BODY, RATE_ROOM, "createRoom"},
    {HTTP_POST, "/_matrix/client/v3/rooms/{roomId}/upgrade", upgrade_room, ROUTE_AUTH | ROUTE_BODY, RATE_ROOM,
     "upgradeRoom"},
};
const struct routes CREATE_ROOM_ROUTES = ROUTES(TABLE);
