/* Claims (J4): who came by a personal link, and has not been confirmed; confirmed, undone. */
#include <limits.h>

#include "homeserver/base/clock.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/guardianships.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"
#include "policy/api/signup_json.h"
#include "policy/signup/claims.h"

static json_t *claim_json(struct request *r, struct db *db, const struct link_row *row)
{
    json_t *out = json_pack("{s:o, s:o, s:o, s:s}", "claim", json_sprintf("%lld", (long long)row->no), "user_id",
                            signup_json_user(r, db, row->person), "name", signup_json_name(db, row->person), "issuer",
                            row->issuer_name);
    if (row->claim_until_ms < CLAIM_EVER)
        json_object_set_new(out, "until_ts", json_integer(row->claim_until_ms));
    signup_json_place(out, db, row->school, 0);
    return out;
}

static bool may_see(struct request *r, const struct actor *actor, const struct link_row *row)
{
    return claim_may_see(r->db, rooms_settings(r->server->rooms)->school_mode, actor, row);
}

static void read_claim(struct api_listing *l, struct api_row *out)
{
    struct link_row row;
    if (!links_next(l->rows, &row))
        return;
    out->no = row.no;
    out->about[0] = row.person;
    out->about[1] = row.issuer;
    if (may_see(l->r, &l->actor, &row))
        out->item = claim_json(l->r, l->r->db, &row);
}

/* A guardian's children. */
static bool list_of_family(struct request *r, const struct actor *actor)
{
    struct link_row row;
    user_no children[CHILDREN_MAX];
    json_t *items = json_array();
    int n = guardianships_children(r->db, actor->user, children, CHILDREN_MAX);
    for (int i = 0; i < n && i < CHILDREN_MAX; ++i)
        if (links_claim_of(r->db, children[i], clock_wall_ms(), &row) && may_see(r, actor, &row) &&
            !api_kept_from(r, r->db, row.issuer))
            json_array_append_new(items, claim_json(r, r->db, &row));
    return api_list_reply(r, items);
}

/* ?school=…. What the caller could not confirm is not there. */
static bool list_claims(struct request *r)
{
    struct api_listing l;
    if (!api_list_begin(&l, r, LIST_BY_SCHOOL))
        return false;
    if (!signup_json_list_known(r, &l.actor, &l.school))
        return list_of_family(r, &l.actor);
    const struct links_query query = {
        .kind = LINK_PERSONAL, .school = l.school, .after = l.after, .limit = INT_MAX, .claimed_ms = clock_wall_ms()};
    return api_list_end(&l, links_query(r->db, &query), read_claim);
}

static bool act_confirm(struct api_act *act, void *state)
{
    return claim_confirm(&act->records, api_number(act->r->params[0]));
}

static bool confirm_claim(struct request *r)
{
    return api_write(r, act_confirm, NULL);
}

static bool act_undo(struct api_act *act, void *state)
{
    return claim_undo(&act->records, api_number(act->r->params[0]));
}

static bool undo_claim(struct request *r)
{
    return api_write(r, act_undo, NULL);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/claims", list_claims, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/claims/{claim}/confirm", confirm_claim, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_POST, "/_parta/v1/claims/{claim}/undo", undo_claim, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
};
const struct routes API_CLAIM_ROUTES = ROUTES(TABLE);
