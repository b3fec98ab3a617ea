/* Schools. */
#include <limits.h>

#include "homeserver/http/server.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"

static json_t *school_json(const struct school_row *row)
{
    return json_pack("{s:s, s:s, s:b, s:s}", "school", row->sourced_id, "name", row->name, "ended", row->ended,
                     "source", row->source);
}

/* NULL: there is none */
static json_t *school_get(struct db *db, school_no school, int64_t *version)
{
    struct school_row row;
    json_t *value = NULL;
    if (schools_get(db, school, &row)) {
        value = school_json(&row);
        *version = row.version;
    }
    school_row_finish(&row);
    return value;
}

static void read_school(struct api_listing *l, struct api_row *out)
{
    struct school_row row;
    if (!schools_next(l->rows, &row))
        return;
    out->no = row.no;
    out->about[0] = ABOUT_NOBODY;
    if (api_shows(l->r, &l->actor, ACT_RECORDS_READ, &(struct subject){.school = row.no}))
        out->item = school_json(&row);
}

static bool list_schools(struct request *r)
{
    struct api_listing l;
    return api_list_begin(&l, r, 0) && api_list_end(&l, schools_page(r->db, &l.viewer, l.after, INT_MAX), read_school);
}

static bool get_school(struct request *r)
{
    struct actor actor;
    int64_t version = 0;
    if (!api_caller(r, &actor))
        return false;
    school_no school = api_school(r, r->db, r->params[0], &r->error);
    if (school == 0 || !api_may(r, &actor, ACT_RECORDS_READ, &(struct subject){.school = school}))
        return false;
    json_t *value = school_get(r->db, school, &version);
    return api_reply_versioned(r, value, version);
}

static bool act_put(struct api_act *act, void *state)
{
    struct school_row *row = state;
    struct db *db = act->records.tx->db;
    bool fresh = act->r->n_params == 0;
    if (!fresh && (row->no = api_school(act->r, db, act->r->params[0], act->records.e)) == 0)
        return false;
    school_no school = change_school(&act->records, row, act->if_version);
    if (school == 0)
        return false;
    act->reply = school_get(db, school, &act->version);
    act->status = fresh ? 201 : 200;
    return true;
}

static bool post_school(struct request *r)
{
    struct school_row row = {0};
    if (!api_body_name(r, "name", true, &row.name) || !api_body_name(r, "school", false, &row.sourced_id))
        return false;
    if (*row.sourced_id == '\0')
        row.sourced_id = NULL;
    return api_write(r, act_put, &row);
}

static bool put_school(struct request *r)
{
    struct school_row row = {.sourced_id = r->params[0]};
    return api_body_name(r, "name", true, &row.name) && api_write(r, act_put, &row);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/schools", list_schools, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/schools", post_school, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/schools/{school}", get_school, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_PUT, "/_parta/v1/schools/{school}", put_school, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
};
const struct routes API_SCHOOL_ROUTES = ROUTES(TABLE);
