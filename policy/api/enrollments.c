/* Who is enrolled in which class, as what. */
#include "homeserver/base/days.h"
#include "homeserver/http/server.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/people.h"
#include "policy/api/routes.h"

static json_t *enrollment_json(struct request *r, const struct enrollment_row *row)
{
    json_t *item = json_pack("{s:s, s:o, s:s, s:s}", "class", row->class_id, "user_id", api_user_id(r, row->localpart),
                             "role", school_role_name(row->role), "source", row->source);
    api_set_days(item, row->begin, row->end);
    return item;
}

static void read_enrollment(struct api_listing *l, struct api_row *out)
{
    struct enrollment_row row;
    if (!enrollments_next(l->rows, &row))
        return;
    out->no = row.user;
    out->about[0] = row.user;
    out->item = enrollment_json(l->r, &row);
}

/* A page is so many people. */
static bool list_in_class(struct request *r)
{
    struct api_listing l;
    class_no class = api_list_begin(&l, r, LIST_OF_NUMBERS) ? api_class(r, r->db, r->params[0], &r->error) : 0;
    struct subject subject = {.school = class != 0 ? school_of_class(r->db, class) : 0, .class = class};
    return class != 0 && api_may(r, &l.actor, ACT_RECORDS_READ, &subject) &&
           api_list_end(&l, enrollments_page_of_class(r->db, class, l.after, l.rows_max), read_enrollment);
}

static void read_shown_enrollment(struct api_listing *l, struct api_row *out)
{
    struct enrollment_row row;
    if (!enrollments_next(l->rows, &row))
        return;
    out->no = row.user;
    out->about[0] = row.user;
    if (person_shown_in(l->r, l->r->db, row.school, row.user))
        out->item = enrollment_json(l->r, &row);
}

static bool list_of_person(struct request *r)
{
    struct api_listing l;
    user_no user = api_list_begin(&l, r, LIST_WHOLE) ? api_user(r, r->db, r->params[0], &r->error) : 0;
    return user != 0 && api_may(r, &l.actor, ACT_RECORDS_READ, &(struct subject){.target = user}) &&
           api_list_end(&l, enrollments_page_of_person(r->db, &l.viewer, user), read_shown_enrollment);
}

/* --- Changing --- */

struct enrollment_change {
    const char *user_id, *class_id;
    struct enrollment_row row;
    bool ends;
};

static bool act_enrollment(struct api_act *act, void *state)
{
    struct enrollment_change *change = state;
    struct db *db = act->records.tx->db;
    change->row.class = api_class(act->r, db, change->class_id, act->records.e);
    if (change->row.class == 0)
        return false;
    change->row.user = api_user(act->r, db, change->user_id, act->records.e);
    return change->row.user != 0 &&
           (change->ends ? change_enrollment_end : change_enrollment)(&act->records, &change->row);
}

static bool take_role(struct request *r, const char *word, struct enrollment_row *row)
{
    row->role = (enum school_role)school_role_from(word);
    return (row->role & (ROLE_PUPIL | ROLE_TEACHER | ROLE_CLASS_TEACHER)) != 0 ||
           refuse_parameter(r, ERROR_INVALID_PARAM, "role", "In a class one is pupil, teacher or class_teacher.");
}

static bool post_enrollment(struct request *r)
{
    const char *role;
    struct enrollment_change change = {.class_id = r->params[0]};
    return body_string(r, "user_id", &change.user_id) && body_string(r, "role", &role) &&
           take_role(r, role, &change.row) && api_body_day(r, "begin", DAY_EVER, &change.row.begin) &&
           api_body_day(r, "end", DAY_NEVER, &change.row.end) && api_write(r, act_enrollment, &change);
}

/* ?begin=…: as for roles. */
static bool delete_enrollment(struct request *r)
{
    struct enrollment_change change = {.class_id = r->params[0], .user_id = r->params[1], .ends = true};
    return api_query_day(r, "begin", DAY_EVER, &change.row.begin) && take_role(r, r->params[2], &change.row) &&
           api_write(r, act_enrollment, &change);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/people/{userId}/enrollments", list_of_person, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_GET, "/_parta/v1/classes/{class}/enrollments", list_in_class, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/classes/{class}/enrollments", post_enrollment, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_DELETE, "/_parta/v1/classes/{class}/enrollments/{userId}/{role}", delete_enrollment, ROUTE_CALLER, RATE_WRITE,
     NULL},
};
const struct routes API_ENROLLMENT_ROUTES = ROUTES(TABLE);
