/* People's accounts as the office sees them: standing (A3), where they are signed in (H1), what
 * the server tells them. */
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"
#include "policy/admin/sessions.h"
#include "policy/school_rooms/notices.h"

/* --- Account states; on the wire: standing --- */

static json_t *state_json(struct db *db, user_no user)
{
    struct user_row row;
    if (!users_get(db, user, &row))
        return NULL;
    json_t *value = json_pack("{s:s}", "standing", account_state_name(row.state));
    user_row_finish(&row);
    return value;
}

static bool act_state(struct api_act *act, void *state)
{
    const enum account_state *wanted = state;
    struct db *db = act->records.tx->db;
    user_no user = api_user(act->r, db, act->r->params[0], act->records.e);
    if (user == 0 || !change_account_state(&act->records, user, *wanted))
        return false;
    act->reply = state_json(db, user); /* "active" may have become "restricted" (D7) */
    return true;
}

static bool put_state(struct request *r)
{
    const char *word;
    enum account_state wanted;
    if (!body_string(r, "standing", &word))
        return false;
    if (!account_state_from(word, &wanted) ||
        (wanted != ACCOUNT_ACTIVE && wanted != ACCOUNT_SUSPENDED && wanted != ACCOUNT_LOCKED))
        return refuse_parameter(r, ERROR_INVALID_PARAM, "standing",
                                "The office makes an account active, suspended or locked.");
    return api_write(r, act_state, &wanted);
}

/* --- Sessions --- */

static void add_session(void *items, const struct device_row *row)
{
    json_t *item = json_pack("{s:s}", "device_id", row->device_id);
    api_set(item, "display_name", row->display_name);
    api_set(item, "last_seen_ip", row->last_seen_ip);
    if (row->last_seen_ms != 0)
        json_object_set_new(item, "last_seen_ts", json_integer(row->last_seen_ms));
    json_array_append_new(items, item);
}

static bool list_sessions(struct request *r)
{
    struct actor actor;
    user_no user = api_caller(r, &actor) ? api_user(r, r->db, r->params[0], &r->error) : 0;
    if (user == 0 || !api_may(r, &actor, ACT_SESSIONS, &(struct subject){.target = user}))
        return false;
    json_t *items = json_array();
    devices_each(r->db, user, add_session, items);
    return api_list_reply(r, items);
}

static bool act_end(struct api_act *act, void *state)
{
    user_no user = api_user(act->r, act->records.tx->db, act->r->params[0], act->records.e);
    return user != 0 && admin_sessions_end(&act->records, user, state);
}

static bool delete_session(struct request *r)
{
    return api_write(r, act_end, (void *)r->params[1]);
}

static bool delete_sessions(struct request *r)
{
    return api_write(r, act_end, NULL);
}

/* --- The second factor --- */

static bool act_reset(struct api_act *act, void *reason)
{
    user_no user = api_user(act->r, act->records.tx->db, act->r->params[0], act->records.e);
    return user != 0 && admin_second_factor_reset(&act->records, user, reason);
}

static bool post_reset(struct request *r)
{
    const char *reason;
    return body_string(r, "reason", &reason) && api_write(r, act_reset, (void *)reason);
}

/* --- Server notices --- */

static bool act_notice(struct api_act *act, void *state)
{
    char event_id[ID_BYTES_MAX + 1];
    user_no user = api_user(act->r, act->records.tx->db, act->r->params[0], act->records.e);
    if (user == 0 || !notice_send(&act->records, user, state, event_id))
        return false;
    act->status = 201;
    act->reply = json_pack("{s:s}", "event_id", event_id);
    return true;
}

static bool post_notice(struct request *r)
{
    const char *body;
    return body_string(r, "body", &body) && api_write(r, act_notice, (void *)body);
}

static const struct route TABLE[] = {
    {HTTP_PUT, "/_parta/v1/people/{userId}/standing", put_state, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/people/{userId}/sessions", list_sessions, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_DELETE, "/_parta/v1/people/{userId}/sessions", delete_sessions, ROUTE_CALLER, RATE_WRITE, NULL},
    {HTTP_POST, "/_parta/v1/people/{userId}/second-factor/reset", post_reset, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE,
     NULL},
    {HTTP_POST, "/_parta/v1/people/{userId}/notices", post_notice, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_DELETE, "/_parta/v1/people/{userId}/sessions/{deviceId}", delete_session, ROUTE_CALLER, RATE_WRITE, NULL},
};
const struct routes API_ACCOUNT_ROUTES = ROUTES(TABLE);
