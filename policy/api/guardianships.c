/* Who is whose guardian, as the office sees and keeps it; the family's own side is guardians.c. */
#include "homeserver/http/server.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/routes.h"

static json_t *guardianship_json(struct request *r, const struct guardianship_row *row)
{
    json_t *value = json_pack("{s:o, s:o, s:s}", "child", api_user_id(r, row->child_localpart), "guardian",
                              api_user_id(r, row->guardian_localpart), "source", row->source);
    if (row->since_ms != 0)
        json_object_set_new(value, "since_ts", json_integer(row->since_ms));
    return value;
}

struct family_query {
    user_no user;
    school_no school;
};

static bool take_family(struct request *r, const struct actor *actor, struct family_query *out)
{
    const char *user_id = query_get(r, "user_id"), *school_id = query_get(r, "school");
    *out = (struct family_query){0};
    if (user_id != NULL && (out->user = api_user(r, r->db, user_id, &r->error)) == 0)
        return false;
    if (school_id != NULL && (out->school = api_school(r, r->db, school_id, &r->error)) == 0)
        return false;
    if (actor->user != 0 && out->user == 0 && out->school == 0)
        return refuse(r, ERROR_MISSING_PARAM, "Say of which school or person.");
    return api_may(r, actor, ACT_RECORDS_READ, &(struct subject){.school = out->school, .target = out->user});
}

/* ?school= or ?user_id=, a child or a guardian. A page is so many children. */
static bool list_guardianships(struct request *r)
{
    struct actor actor;
    struct api_page page;
    struct family_query family;
    struct guardianship_row row;
    user_no last = 0;
    int children = 0;
    if (!api_caller(r, &actor) || !api_page(r, &page) || !take_family(r, &actor, &family))
        return false;
    struct viewer viewer = viewer_of(actor.user);
    json_t *items = json_array();
    struct stmt *q = guardianships_page(r->db, &viewer, family.user, family.school, page.after, page.limit);
    for (; guardianships_next(q, &row); last = row.child) {
        children += row.child != last;
        json_array_append_new(items, guardianship_json(r, &row));
    }
    stmt_end(q);
    return api_reply_list(r, items, children == page.limit ? last : 0);
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
