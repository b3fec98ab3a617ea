/* Suspending and locking accounts, and where somebody is signed in (Client-Server API, "Server Administration",
 * "Admin"; school.md A3, H1). Who may is the school's
 * rule (policy/gate/school_gate.h): administrators for people of their school. An account has one state: to lock a
 * suspended account replaces the suspension. */
#include <string.h>

#include "client-api/routes.h"
#include "homeserver/base/ids.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/users.h"
#include "policy/gate/school_gate.h"
#include "policy/records/change.h"

/* What the two pairs of endpoints differ in. */
struct stop {
    enum account_state state;
    const char *key;
};
static const struct stop SUSPEND = {ACCOUNT_SUSPENDED, "suspended"}, LOCK = {ACCOUNT_LOCKED, "locked"};

/* A server administrator acts as the operator does; everybody else as the person they are in their schools. */
static struct actor actor_of(const struct request *r)
{
    if (r->identity.admin)
        return (struct actor){.name = r->identity.user_id, .scopes = SCOPE_ACCOUNTS};
    return (struct actor){.user = r->identity.user, .name = r->identity.user_id};
}

/* The person's number and account state. Authorization comes before any look-up of the account, so
 * that it tells nothing. */
static bool find_target(struct request *r, struct db *db, enum act act, user_no *target, enum account_state *state,
                        struct error *e)
{
    const char *server = rooms_settings(r->server->rooms)->server_name;
    struct actor actor = actor_of(r);
    struct user_row row;
    const char *localpart;
    size_t len;
    if (!user_id_split(r->params[0], server, &localpart, &len))
        return error_set(e, ERROR_INVALID_PARAM, "This user is not of this server.") || (e->status = 400, false);
    *target = users_by_id(db, server, r->params[0]);
    if (!school_gate(db, rooms_settings(r->server->rooms)->school_mode, &actor, act,
                     &(struct subject){.target = *target}, NULL, NULL, e))
        return false;
    bool found = users_get(db, *target, &row) && row.state != ACCOUNT_LEFT;
    *state = row.state;
    user_row_finish(&row);
    return found || error_set(e, ERROR_NOT_FOUND, "There is no such account.");
}

static bool reply_stop(struct request *r, const struct stop *stop)
{
    user_no target = 0;
    enum account_state now = ACCOUNT_LEFT;
    if (!find_target(r, r->db, ACT_STANDING, &target, &now, &r->error))
        return false;
    return reply_json(r, json_pack("{s:b}", stop->key, (int)(now == stop->state)));
}

struct stopping {
    struct request *r;
    const struct stop *stop;
    bool on;
};

static bool stop_job(struct tx *tx, void *arg, struct error *e)
{
    struct stopping *s = arg;
    struct actor actor = actor_of(s->r);
    struct changing_records records = {tx, s->r->server->rooms, &actor, e};
    user_no target = 0;
    enum account_state now = ACCOUNT_LEFT, want = s->on ? s->stop->state : ACCOUNT_ACTIVE;
    if (!find_target(s->r, tx->db, ACT_STANDING, &target, &now, e))
        return false;
    if (target == s->r->identity.user)
        return error_set(e, ERROR_FORBIDDEN, "Nobody stops their own account.");
    if (s->on == (now == s->stop->state))
        return true; /* it is so already; to lift a suspension does not unlock */
    return change_account_state(&records, target, want);
}

static bool put_stop(struct request *r, const struct stop *stop)
{
    struct stopping s = {.r = r, .stop = stop};
    if (!json_is_boolean(json_object_get(r->body, stop->key)))
        return refuse(r, ERROR_BAD_JSON, "Say true or false.");
    s.on = json_is_true(json_object_get(r->body, stop->key));
    return writer_run(r->server->writer, stop_job, &s, &r->error) && reply_json(r, json_pack("{s:b}", stop->key, s.on));
}

static void add_session(void *devices, const struct device_row *row)
{
    json_t *connection = json_object();
    if (row->last_seen_ip != NULL)
        json_object_set_new(connection, "ip", json_string(row->last_seen_ip));
    if (row->last_seen_ms != 0)
        json_object_set_new(connection, "last_seen", json_integer(row->last_seen_ms));
    json_object_set_new(devices, row->device_id, json_pack("{s:[{s:[o]}]}", "sessions", "connections", connection));
}

/* Of oneself, and of those whose sessions the office may see. */
static bool get_whois(struct request *r)
{
    user_no target = r->identity.user;
    enum account_state state;
    if (strcmp(r->params[0], r->identity.user_id) != 0 &&
        !find_target(r, r->db, ACT_SESSIONS, &target, &state, &r->error))
        return false;
    json_t *devices = json_object();
    devices_each(r->db, target, add_session, devices);
    return reply_json(r, json_pack("{s:s, s:o}", "user_id", r->params[0], "devices", devices));
}

static bool get_suspend(struct request *r)
{
    return reply_stop(r, &SUSPEND);
}

static bool put_suspend(struct request *r)
{
    return put_stop(r, &SUSPEND);
}

static bool get_lock(struct request *r)
{
    return reply_stop(r, &LOCK);
}

static bool put_lock(struct request *r)
{
    return put_stop(r, &LOCK);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/admin/whois/{userId}", get_whois, ROUTE_AUTH, RATE_READ, "getWhoIs"},
    {HTTP_GET, "/_matrix/client/v1/admin/suspend/{userId}", get_suspend, ROUTE_AUTH, RATE_READ, "getAdminSuspendUser"},
    {HTTP_PUT, "/_matrix/client/v1/admin/suspend/{userId}", put_suspend, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE,
     "setAdminSuspendUser"},
    {HTTP_GET, "/_matrix/client/v1/admin/lock/{userId}", get_lock, ROUTE_AUTH, RATE_READ, "getAdminLockUser"},
    {HTTP_PUT, "/_matrix/client/v1/admin/lock/{userId}", put_lock, ROUTE_AUTH | ROUTE_BODY, RATE_WRITE,
     "setAdminLockUser"},
};
const struct routes ADMIN_ROUTES = ROUTES(TABLE);
