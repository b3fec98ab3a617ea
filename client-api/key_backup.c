/* Key backups (Client-Server API, "Server-side key backups"). */
#include <stdio.h>
#include <stdlib.h>

#include "client-api/keys_common.h"
#include "client-api/routes.h"
#include "homeserver/keys/backup.h"
#include "homeserver/store/matrix/key_backup.h"

static void version_text(int64_t version, char out[24])
{
    snprintf(out, 24, "%lld", (long long)version);
}

static bool post_version(struct request *r)
{
    int64_t version;
    char text[24];
    const struct keys_caller caller = keys_caller_of(r);
    if (!backup_make(&caller, r->body, &version, &r->error))
        return false;
    version_text(version, text);
    return reply_json(r, json_pack("{s:s}", "version", text));
}

/* The newest, or the one in the path. */
static bool get_version(struct request *r)
{
    struct key_backup backup;
    int64_t version;
    char text[24], etag[24];
    if (!backup_find(r->db, r->identity.user, r->n_params != 0 ? r->params[0] : NULL, &version, &r->error))
        return false;
    key_backups_get(r->db, r->identity.user, version, &backup);
    version_text(version, text);
    version_text(backup.etag, etag);
    json_t *auth_data = backup.auth_data != NULL ? json_loads(backup.auth_data, 0, NULL) : NULL;
    json_t *reply = json_pack("{s:s?, s:o, s:I, s:s, s:s}", "algorithm", backup.algorithm, "auth_data",
                              auth_data != NULL ? auth_data : json_object(), "count", (json_int_t)backup.keys, "etag",
                              etag, "version", text);
    key_backup_finish(&backup);
    return reply_json(r, reply);
}

static bool put_version(struct request *r)
{
    const struct keys_caller caller = keys_caller_of(r);
    return backup_set(&caller, r->params[0], r->body, &r->error) && reply_empty(r);
}

static bool delete_version(struct request *r)
{
    const struct keys_caller caller = keys_caller_of(r);
    return backup_delete(&caller, r->params[0], &r->error) && reply_empty(r);
}

/* The version that the query must name; NULL: r->error is set. */
static const char *query_version(struct request *r)
{
    const char *version = query_get(r, "version");
    if (version == NULL || *version == '\0')
        refuse_parameter(r, ERROR_MISSING_PARAM, "version", "Say which backup.");
    return version != NULL && *version != '\0' ? version : NULL;
}

static bool reply_state(struct request *r, const struct backup_state *state)
{
    char etag[24];
    version_text(state->etag, etag);
    return reply_json(r, json_pack("{s:s, s:I}", "etag", etag, "count", (json_int_t)state->keys));
}

/* A room's or session's body in the frame that all rooms have. */
static json_t *framed(const struct request *r, json_t *body)
{
    json_t *rooms = json_incref(body);
    if (r->n_params == 2)
        rooms = json_pack("{s:{s:o}}", "sessions", r->params[1], rooms);
    if (r->n_params >= 1)
        rooms = json_pack("{s:o}", r->params[0], rooms);
    return rooms;
}

static bool put_keys(struct request *r)
{
    struct backup_state state;
    const struct keys_caller caller = keys_caller_of(r);
    const char *version = query_version(r);
    json_t *body = r->body;
    if (version == NULL || (r->n_params == 0 && !body_object_or_null(r, "rooms", &body)))
        return false;
    if (body == NULL)
        return refuse_parameter(r, ERROR_MISSING_PARAM, "rooms", "The body has no rooms.");
    json_t *rooms = framed(r, body);
    bool done = backup_put_keys(&caller, version, rooms, &state, &r->error);
    json_decref(rooms);
    return done && reply_state(r, &state);
}

static const char *param(const struct request *r, int i)
{
    return i < r->n_params ? r->params[i] : NULL;
}

static bool get_keys(struct request *r)
{
    struct text out = TEXT_INIT;
    const char *version = query_version(r);
    bool done = version != NULL &&
                backup_add_keys(r->db, r->identity.user, version, param(r, 0), param(r, 1), &out, &r->error) &&
                reply_text(r, &out);
    text_finish(&out);
    return done;
}

static bool delete_keys(struct request *r)
{
    struct backup_state state;
    const struct keys_caller caller = keys_caller_of(r);
    const char *version = query_version(r);
    return version != NULL && backup_delete_keys(&caller, version, param(r, 0), param(r, 1), &state, &r->error) &&
           reply_state(r, &state);
}

#define VERSION "/_matrix/client/v3/room_keys/version"
#define KEYS "/_matrix/client/v3/room_keys/keys"
#define WRITES (ROUTE_AUTH | ROUTE_BODY)
static const struct route TABLE[] = {
    {HTTP_POST, VERSION, post_version, WRITES, RATE_WRITE, "postRoomKeysVersion"},
    {HTTP_GET, VERSION, get_version, ROUTE_AUTH, RATE_READ, "getRoomKeysVersionCurrent"},
    {HTTP_GET, VERSION "/{version}", get_version, ROUTE_AUTH, RATE_READ, "getRoomKeysVersion"},
    {HTTP_PUT, VERSION "/{version}", put_version, WRITES, RATE_WRITE, "putRoomKeysVersion"},
    {HTTP_DELETE, VERSION "/{version}", delete_version, ROUTE_AUTH, RATE_WRITE, "deleteRoomKeysVersion"},
    {HTTP_PUT, KEYS "/{roomId}/{sessionId}", put_keys, WRITES, RATE_WRITE, "putRoomKeyBySessionId"},
    {HTTP_GET, KEYS "/{roomId}/{sessionId}", get_keys, ROUTE_AUTH, RATE_READ, "getRoomKeyBySessionId"},
    {HTTP_DELETE, KEYS "/{roomId}/{sessionId}", delete_keys, ROUTE_AUTH, RATE_WRITE, "deleteRoomKeyBySessionId"},
    {HTTP_PUT, KEYS "/{roomId}", put_keys, WRITES, RATE_WRITE, "putRoomKeysByRoomId"},
    {HTTP_GET, KEYS "/{roomId}", get_keys, ROUTE_AUTH, RATE_READ, "getRoomKeysByRoomId"},
    {HTTP_DELETE, KEYS "/{roomId}", delete_keys, ROUTE_AUTH, RATE_WRITE, "deleteRoomKeysByRoomId"},
    {HTTP_PUT, KEYS, put_keys, WRITES, RATE_WRITE, "putRoomKeys"},
    {HTTP_GET, KEYS, get_keys, ROUTE_AUTH, RATE_READ, "getRoomKeys"},
    {HTTP_DELETE, KEYS, delete_keys, ROUTE_AUTH, RATE_WRITE, "deleteRoomKeys"},
};
const struct routes KEY_BACKUP_ROUTES = ROUTES(TABLE);
