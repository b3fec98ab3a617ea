/* Roles that people have in schools by themselves (B1); those of classes and families follow from enrollments and
 * guardianships. */
#include "homeserver/base/days.h"
#include "homeserver/http/server.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/people.h"
#include "policy/api/routes.h"

struct role_change {
    const char *user_id, *school_id;
    struct role_row row;
    bool ends;
};

static bool act_role(struct api_act *act, void *state)
{
    struct role_change *change = state;
    struct db *db = act->records.tx->db;
    change->row.user = api_user(act->r, db, change->user_id, act->records.e);
    if (change->row.user == 0)
        return false;
    change->row.school = api_school(act->r, db, change->school_id, act->records.e);
    if (change->row.school == 0)
        return false;
    if (!(change->ends ? change_role_end : change_role)(&act->records, &change->row))
        return false;
    act->reply = person_get(act->r, db, change->row.user, &act->version);
    return true;
}

static bool take_role(struct request *r, const char *word, struct role_row *row)
{
    row->role = (enum school_role)school_role_from(word);
    return row->role != 0 || refuse_parameter(r, ERROR_INVALID_PARAM, "role", "There is no such role.");
}

static bool post_role(struct request *r)
{
    const char *role;
    struct role_change change = {.user_id = r->params[0]};
    return body_string(r, "school", &change.school_id) && body_string(r, "role", &role) &&
           take_role(r, role, &change.row) && api_body_day(r, "begin", DAY_EVER, &change.row.begin) &&
           api_body_day(r, "end", DAY_NEVER, &change.row.end) && api_write(r, act_role, &change);
}

/* ?begin=…: of a role that is held in several periods, which one. */
static bool delete_role(struct request *r)
{
    struct role_change change = {.user_id = r->params[0], .school_id = r->params[1], .ends = true};
    return api_query_day(r, "begin", DAY_EVER, &change.row.begin) && take_role(r, r->params[2], &change.row) &&
           api_write(r, act_role, &change);
}

static const struct route TABLE[] = {
    {HTTP_POST, "/_parta/v1/people/{userId}/roles", post_role, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_DELETE, "/_parta/v1/people/{userId}/roles/{school}/{role}", delete_role, ROUTE_CALLER, RATE_WRITE, NULL},
};
const struct routes API_ROLE_ROUTES = ROUTES(TABLE);
