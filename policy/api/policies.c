/* Schools' own policies (docs/policy.md): what is in force, what was, what shall be. */
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/store/school/policies.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"
#include "policy/admin/policies.h"

/* The school of the path; the server's own policy (school 0) is its operators'. */
static bool take_school(struct request *r, struct db *db, const struct actor *actor, school_no *school, struct error *e)
{
    *school = 0;
    if (r->n_params > 0)
        return (*school = api_school(r, db, r->params[0], e)) != 0;
    return actor->user == 0 || error_set(e, ERROR_FORBIDDEN, "The server's own policy is its operator's.");
}

static bool readable_school(struct request *r, const struct actor *actor, school_no *school)
{
    return take_school(r, r->db, actor, school, &r->error) &&
           api_may(r, actor, ACT_RECORDS_READ, &(struct subject){.school = *school});
}

static json_t *document_json(const struct policy_row *row)
{
    struct error ignored;
    json_t *document = json_parse(row->document, strlen(row->document), &ignored);
    return document != NULL ? document : json_object();
}

/* {"version", "document", "in_force"}: version 0 and {} where there is no document; in_force with all that it leaves
 * to the server's document and the defaults. */
static json_t *policy_json(struct db *db, school_no school, int64_t *version)
{
    struct school_policy policy;
    struct policy_row row;
    json_t *document = NULL;
    *version = 0;
    struct stmt *q = policies_newest(db, school);
    if (policies_next(q, &row)) {
        *version = row.version;
        document = document_json(&row);
    }
    stmt_end(q);
    policies_in_force(db, school, &policy);
    return json_pack("{s:I, s:o, s:o}", "version", (json_int_t)*version, "document",
                     document != NULL ? document : json_object(), "in_force", school_policy_document(&policy));
}

static bool get_policy(struct request *r)
{
    struct actor actor;
    school_no school;
    int64_t version;
    if (!api_caller(r, &actor) || !readable_school(r, &actor, &school))
        return false;
    db_begin_read(r->db);
    json_t *reply = policy_json(r->db, school, &version);
    db_end_read(r->db);
    return api_reply_versioned(r, reply, version);
}

static void read_version(struct api_listing *l, struct api_row *out)
{
    struct policy_row row;
    if (!policies_next(l->rows, &row))
        return;
    out->no = row.version;
    out->about[0] = ABOUT_NOBODY;
    out->item = json_pack("{s:I, s:o, s:s, s:I}", "version", (json_int_t)row.version, "document", document_json(&row),
                          "reason", row.reason, "created_ts", (json_int_t)row.created_ms);
    api_set_actor(l->r, l->r->db, out->item, "author", row.author);
}

/* Newest first: ?from= is a version that older ones follow. */
static bool list_versions(struct request *r)
{
    struct api_listing l;
    school_no school;
    if (!api_list_begin(&l, r, 0) || !readable_school(r, &l.actor, &school))
        return false;
    l.ends_at = 1; /* the first version */
    return api_list_end(&l, policies_history(r->db, school, l.after != 0 ? l.after : INT64_MAX), read_version);
}

struct new_policy {
    const json_t *document;
    const char *reason;
};

static bool act_put(struct api_act *act, void *state)
{
    const struct new_policy *new = state;
    struct db *db = act->records.tx->db;
    school_no school;
    if (!take_school(act->r, db, act->records.actor, &school, act->records.e))
        return false;
    if (admin_policy_set(&act->records, school, new->document, new->reason, act->if_version) == 0)
        return false;
    act->reply = policy_json(db, school, &act->version);
    return true;
}

static bool put_policy(struct request *r)
{
    struct new_policy new;
    json_t *document;
    if (!body_object_or_null(r, "document", &document) || !body_string(r, "reason", &new.reason))
        return false;
    new.document = document;
    return document != NULL ? api_write(r, act_put, &new) : refuse_parameter(r, ERROR_MISSING_PARAM, "document", NULL);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/policy", get_policy, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_PUT, "/_parta/v1/policy", put_policy, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/policy/versions", list_versions, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_GET, "/_parta/v1/schools/{school}/policy", get_policy, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_PUT, "/_parta/v1/schools/{school}/policy", put_policy, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/schools/{school}/policy/versions", list_versions, ROUTE_CALLER, RATE_READ, NULL},
};
const struct routes API_POLICY_ROUTES = ROUTES(TABLE);
