/* Who is whose guardian, as the office sees and keeps it; the family's own side is guardians.c. */
#include "homeserver/http/server.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"

static int64_t read_guardianship(struct api_listing *l, json_t **item)
{
    struct guardianship_row row;
    if (!guardianships_next(l->rows, &row))
        return 0;
    *item = json_pack("{s:o, s:o, s:s}", "child", api_user_id(l->r, row.child_localpart), "guardian",
                      api_user_id(l->r, row.guardian_localpart), "source", row.source);
    api_set_ms(*item, "since_ts", row.since_ms);
    return row.child;
}

/* ?school= or ?user_id=, a child or a guardian. A page is so many children. */
static bool list_guardianships(struct request *r)
{
    struct api_listing l;
    const char *user_id = query_get(r, "user_id");
    if (!api_list_begin(&l, r, LIST_BY_SCHOOL | LIST_OF_NUMBERS))
        return false;
    user_no user = user_id != NULL ? api_user(r, r->db, user_id, &r->error) : 0;
    if (user_id != NULL && user == 0)
        return false;
    if (l.actor.user != 0 && user == 0 && l.school == 0)
        return refuse_parameter(r, ERROR_MISSING_PARAM, "school", "Say of which school or person.");
    return api_may(r, &l.actor, ACT_RECORDS_READ, &(struct subject){.school = l.school, .target = user}) &&
           api_list_end(&l, guardianships_page(r->db, &l.viewer, user, l.school, l.after, l.limit), read_guardianship);
}

struct family {
    const char *child, *guardian;
    bool ends;
};

static bool act_guardianship(struct api_act *act, void *state)
{
    const struct family *family = state;
    struct db *db = act->records.tx->db;
    user_no child = api_user(act->r, db, family->child, act->records.e);
    user_no guardian = child != 0 ? api_user(act->r, db, family->guardian, act->records.e) : 0;
    return guardian != 0 &&
           (family->ends ? change_guardianship_end : change_guardianship)(&act->records, child, guardian);
}

static bool post_guardianship(struct request *r)
{
    struct family family = {0};
    return body_string(r, "child", &family.child) && body_string(r, "guardian", &family.guardian) &&
           api_write(r, act_guardianship, &family);
}

static bool delete_guardianship(struct request *r)
{
    struct family family = {r->params[0], r->params[1], true};
    return api_write(r, act_guardianship, &family);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/guardianships", list_guardianships, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/guardianships", post_guardianship, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_DELETE, "/_parta/v1/guardianships/{child}/{guardian}", delete_guardianship, ROUTE_CALLER, RATE_WRITE, NULL},
};
const struct routes API_GUARDIANSHIP_ROUTES = ROUTES(TABLE);
