/* The regional operator's tokens. */
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/store/school/operators.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"
#include "policy/admin/operators.h"

static json_t *scopes_json(unsigned scopes)
{
    json_t *words = json_array();
    for (unsigned bit = 1; bit < SCOPE_ALL; bit <<= 1)
        if ((scopes & bit) != 0)
            json_array_append_new(words, json_string(operator_scope_name((enum operator_scope)bit)));
    return words;
}

static json_t *operator_json(const struct operator_row *row)
{
    json_t *value =
        json_pack("{s:o, s:s, s:o, s:I}", "operator", json_sprintf("%lld", (long long)row->no), "name", row->name,
                  "scopes", scopes_json(operator_scopes_from(row->scopes)), "created_ts", (json_int_t)row->created_ms);
    api_set_ms(value, "expires_ts", row->expires_ms);
    api_set_ms(value, "revoked_ts", row->revoked_ms);
    return value;
}

static void read_operator(struct api_listing *l, struct api_row *out)
{
    struct operator_row row;
    if (!operators_next(l->rows, &row))
        return;
    out->no = row.no;
    out->about[0] = ABOUT_NOBODY;
    out->item = operator_json(&row);
}

static bool list_operators(struct request *r)
{
    struct api_listing l;
    return api_list_begin(&l, r, 0) && operator_is_chief(&l.actor, &r->error) &&
           api_list_end(&l, operators_list(r->db, l.after, l.limit), read_operator);
}

static bool act_create(struct api_act *act, void *state)
{
    char token[OPERATOR_TOKEN_BYTES];
    struct operator_row row;
    int64_t no = operator_create(&act->records, state, token);
    if (no == 0)
        return false;
    struct stmt *q = operators_list(act->records.tx->db, no - 1, 1);
    if (operators_next(q, &row))
        act->reply = operator_json(&row);
    stmt_end(q);
    if (act->reply != NULL)
        json_object_set_new(act->reply, "token", json_string(token));
    act->status = 201;
    return true;
}

static bool body_scopes(struct request *r, unsigned *scopes)
{
    json_t *words, *word;
    size_t i;
    *scopes = 0;
    if (!body_array_or_null(r, "scopes", &words))
        return false;
    json_array_foreach(words, i, word) {
        unsigned scope = operator_scope_from(json_string_value(word));
        if (scope == 0)
            return refuse_parameter(r, ERROR_INVALID_PARAM, "scopes", "There is no such scope.");
        *scopes |= scope;
    }
    return true;
}

static bool post_operator(struct request *r)
{
    struct operator_plan plan;
    if (!body_string(r, "name", &plan.name) || !body_scopes(r, &plan.scopes) ||
        !body_int_or(r, "expires_ts", 0, &plan.expires_ms))
        return false;
    if (plan.expires_ms != 0 && plan.expires_ms <= clock_wall_ms())
        return refuse_parameter(r, ERROR_INVALID_PARAM, "expires_ts", "expires_ts is a time to come, in milliseconds.");
    return api_write(r, act_create, &plan);
}

static bool act_revoke(struct api_act *act, void *state)
{
    return operator_revoke(&act->records, api_number(act->r->params[0]));
}

static bool delete_operator(struct request *r)
{
    return api_write(r, act_revoke, NULL);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/operators", list_operators, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/operators", post_operator, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_DELETE, "/_parta/v1/operators/{operator}", delete_operator, ROUTE_CALLER, RATE_WRITE, NULL},
};
const struct routes API_OPERATOR_ROUTES = ROUTES(TABLE);
