/* Classes and subject groups, and who is enrolled. */
#include <limits.h>
#include <string.h>

#include "homeserver/http/server.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"

static json_t *class_json(const struct class_row *row)
{
    json_t *value = json_pack("{s:s, s:s, s:s, s:s, s:b, s:s}", "class", row->sourced_id, "school", row->school_id,
                              "kind", row->homeroom ? "homeroom" : "subject", "title", row->title, "ended", row->ended,
                              "source", row->source);
    api_set(value, "grade", row->grade);
    return value;
}

static json_t *class_get(struct db *db, class_no class, int64_t *version)
{
    struct class_row row;
    json_t *value = NULL;
    if (classes_get(db, class, &row)) {
        value = class_json(&row);
        *version = row.version;
    }
    class_row_finish(&row);
    return value;
}

static void read_class(struct api_listing *l, struct api_row *out)
{
    struct class_row row;
    if (!classes_next(l->rows, &row))
        return;
    out->no = row.no;
    out->about[0] = ABOUT_NOBODY;
    if (api_shows(l->r, &l->actor, ACT_RECORDS_READ, &(struct subject){row.school, row.no}))
        out->item = class_json(&row);
}

/* ?school=…: of one; otherwise of all where the caller may look. */
static bool list_classes(struct request *r)
{
    struct api_listing l;
    return api_list_begin(&l, r, LIST_BY_SCHOOL) &&
           api_list_end(&l, classes_page(r->db, &l.viewer, l.school, l.after, INT_MAX), read_class);
}

/* The class of the path, which the caller may look at; 0: r->error */
static class_no readable_class(struct request *r, struct actor *actor)
{
    class_no class = api_caller(r, actor) ? api_class(r, r->db, r->params[0], &r->error) : 0;
    struct subject subject = {.school = class != 0 ? school_of_class(r->db, class) : 0, .class = class};
    return class != 0 && api_may(r, actor, ACT_RECORDS_READ, &subject) ? class : 0;
}

static bool get_class(struct request *r)
{
    struct actor actor;
    int64_t version = 0;
    class_no class = readable_class(r, &actor);
    if (class == 0)
        return false;
    json_t *value = class_get(r->db, class, &version);
    return api_reply_versioned(r, value, version);
}

/* --- Changing --- */

struct class_change {
    struct class_row row;
    const char *school_id;
};

static bool reply_class(struct api_act *act, class_no class, int status)
{
    if (class == 0)
        return false;
    act->reply = class_get(act->records.tx->db, class, &act->version);
    act->status = status;
    return true;
}

static bool act_new(struct api_act *act, void *state)
{
    struct class_change *change = state;
    change->row.school = api_school(act->r, act->records.tx->db, change->school_id, act->records.e);
    return change->row.school != 0 && reply_class(act, change_class(&act->records, &change->row, 0), 201);
}

static bool post_class(struct request *r)
{
    const char *kind;
    struct class_change change = {0};
    struct class_row *row = &change.row;
    if (!body_string(r, "school", &change.school_id) || !body_string_or(r, "kind", "homeroom", &kind) ||
        !api_body_name(r, "class", false, &row->sourced_id) || !api_body_name(r, "grade", false, &row->grade) ||
        !api_body_name(r, "title", true, &row->title))
        return false;
    row->homeroom = strcmp(kind, "homeroom") == 0;
    if (!row->homeroom && strcmp(kind, "subject") != 0)
        return refuse_parameter(r, ERROR_INVALID_PARAM, "kind", "kind is homeroom or subject.");
    if (*row->sourced_id == '\0')
        row->sourced_id = NULL;
    return api_write(r, act_new, &change);
}

static bool act_change(struct api_act *act, void *state)
{
    struct class_row *wanted = state;
    wanted->no = api_class(act->r, act->records.tx->db, act->r->params[0], act->records.e);
    return wanted->no != 0 && reply_class(act, change_class(&act->records, wanted, act->if_version), 200);
}

static bool put_class(struct request *r)
{
    struct class_row row = {.sourced_id = r->params[0]};
    return api_body_name(r, "grade", false, &row.grade) && api_body_name(r, "title", true, &row.title) &&
           api_write(r, act_change, &row);
}

static bool act_end(struct api_act *act, void *state)
{
    class_no class = api_class(act->r, act->records.tx->db, act->r->params[0], act->records.e);
    return class != 0 && change_class_end(&act->records, class);
}

static bool delete_class(struct request *r)
{
    return api_write(r, act_end, NULL);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/classes", list_classes, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/classes", post_class, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/classes/{class}", get_class, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_PUT, "/_parta/v1/classes/{class}", put_class, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_DELETE, "/_parta/v1/classes/{class}", delete_class, ROUTE_CALLER, RATE_WRITE, NULL},
};
const struct routes API_CLASS_ROUTES = ROUTES(TABLE);
