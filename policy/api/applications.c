/* Applications (C1, C2): sent, seen, decided. */
#include <limits.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"
#include "policy/api/signup_json.h"
#include "policy/gate/school_gate.h"
#include "policy/signup/applications.h"

#define APPROVED_CHILDREN_MAX 20

static void read_application(struct api_listing *l, struct api_row *out)
{
    struct application_row row;
    if (!applications_next(l->rows, &row))
        return;
    out->no = row.no;
    out->about[0] = row.user;
    out->about[1] = row.child;
    if (application_may_see(l->r->db, rooms_settings(l->r->server->rooms)->school_mode, &l->actor, &row))
        out->item = signup_json_for_decider(l->r, &l->actor, &row);
}

/* ?school=…&class=…&kind=…&state=…: without a state, those that wait. What the caller could not decide is not there. */
static bool list_applications(struct request *r)
{
    struct api_listing l;
    const char *kind = query_get(r, "kind"), *state = query_get(r, "state");
    if (!api_list_begin(&l, r, LIST_BY_SCHOOL | LIST_BY_CLASS))
        return false;
    bool known = signup_json_list_known(r, &l.actor, &l.school);
    struct applications_query query = {.kind = APPLICATION_KIND__COUNT,
                                       .state = APPLICATION_WAITING,
                                       .school = l.school,
                                       .class = l.class,
                                       .after = l.after,
                                       .limit = INT_MAX};
    if (kind != NULL && !application_kind_from(kind, &query.kind))
        return refuse_parameter(r, ERROR_INVALID_PARAM, "kind", "kind is join, guardian or correction.");
    if (state != NULL && strcmp(state, "any") == 0)
        query.state = APPLICATION_STATE__COUNT;
    else if (state != NULL && !application_state_from(state, &query.state))
        return refuse_parameter(r, ERROR_INVALID_PARAM, "state",
                                "state is begun, waiting, approved, refused, withdrawn or any.");
    return known ? api_list_end(&l, applications_query(r->db, &query), read_application)
                 : api_list_reply(r, json_array());
}

static bool get_application(struct request *r)
{
    bool school_mode = rooms_settings(r->server->rooms)->school_mode;
    struct actor actor;
    struct application_row row;
    json_t *value = NULL;
    int64_t version = 0;
    if (!api_caller(r, &actor))
        return false;
    if (applications_get(r->db, api_number(r->params[0]), &row)) {
        if (application_is_own(r->db, &row, actor.user))
            value = caller_is_person(r, true) ? signup_json_application(r, r->db, &row, true) : NULL;
        else if (application_may_see(r->db, school_mode, &actor, &row))
            value = signup_json_for_decider(r, &actor, &row);
        version = application_version(r->db, &row);
    }
    application_finish(&row);
    if (value != NULL)
        return api_reply_versioned(r, value, version);
    return r->error.code == ERROR_NONE && refuse(r, ERROR_NOT_FOUND, "There is no such application.");
}

/* --- The applicant's own --- */

struct applying {
    const char *token;
    struct applicant person;
};

static bool reply_application(struct api_act *act, application_no no, bool own, int status)
{
    struct application_row row;
    if (no == 0 || !applications_get(act->records.tx->db, no, &row))
        return false;
    act->reply = signup_json_application(act->r, act->records.tx->db, &row, own);
    act->version = application_version(act->records.tx->db, &row);
    act->status = status;
    application_finish(&row);
    return true;
}

static bool act_apply(struct api_act *act, void *state)
{
    const struct applying *a = state;
    application_no no = application_apply(&act->records, act->r->server->contacts, a->token, &a->person);
    return reply_application(act, no, true, 201);
}

/* C1: the account is there already, the link comes later; C5. */
static bool post_application(struct request *r)
{
    struct applying a;
    return caller_is_person(r, true) && body_string(r, "token", &a.token) && read_applicant(r, r->body, &a.person) &&
           bound_to_caller(r) && api_write(r, act_apply, &a);
}

static bool act_edit(struct api_act *act, void *state)
{
    application_no no = api_number(act->r->params[0]);
    return application_edit(&act->records, no, state, act->if_version) && reply_application(act, no, true, 200);
}

static bool put_application(struct request *r)
{
    struct applicant person;
    return caller_is_person(r, true) && read_applicant(r, r->body, &person) && api_write(r, act_edit, &person);
}

static bool act_withdraw(struct api_act *act, void *state)
{
    application_no no = api_number(act->r->params[0]);
    return application_withdraw(&act->records, no, act->if_version) && reply_application(act, no, true, 200);
}

static bool withdraw_application(struct request *r)
{
    return caller_is_person(r, true) && api_write(r, act_withdraw, NULL);
}

/* --- Deciding --- */

struct approving {
    struct approval approval;
    json_t *children; /* user ids; NULL: none */
};

static bool act_approve(struct api_act *act, void *state)
{
    struct approving *a = state;
    struct changing_records *c = &act->records;
    application_no no = api_number(act->r->params[0]);
    user_no children[APPROVED_CHILDREN_MAX];
    for (size_t i = 0; i < json_array_size(a->children); ++i)
        if ((children[i] = api_user(act->r, c->tx->db, json_string_value(json_array_get(a->children, i)), c->e)) == 0)
            return false;
    a->approval.children = children;
    a->approval.n_children = json_array_size(a->children);
    return application_approve(c, no, &a->approval, act->if_version) && reply_application(act, no, false, 200);
}

static bool approve_application(struct request *r)
{
    struct approving a = {.approval = {.contacts = r->server->contacts}};
    if (!read_applicant(r, r->body, &a.approval.person) || !body_array_or_null(r, "children", &a.children))
        return false;
    if (json_array_size(a.children) > APPROVED_CHILDREN_MAX)
        return refuse_parameter(r, ERROR_INVALID_PARAM, "children", "These are too many children for one guardian.");
    for (size_t i = 0; i < json_array_size(a.children); ++i)
        if (!json_is_string(json_array_get(a.children, i)))
            return refuse_parameter(r, ERROR_BAD_JSON, "children", "children is a list of user ids.");
    return api_write(r, act_approve, &a);
}

static bool act_refuse(struct api_act *act, void *state)
{
    const char *reason = state;
    application_no no = api_number(act->r->params[0]);
    return application_refuse(&act->records, no, reason, act->if_version) && reply_application(act, no, false, 200);
}

static bool refuse_application(struct request *r)
{
    const char *reason;
    return body_string_or(r, "reason", "", &reason) && api_write(r, act_refuse, (void *)reason);
}

/* The applicant may still be pending. */
#define ROUTE_APPLICANT (ROUTE_PERSON | ROUTE_LOCKED_TOO)

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/applications", list_applications, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/applications", post_application, ROUTE_APPLICANT | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/applications/{application}", get_application, ROUTE_CALLER | ROUTE_LOCKED_TOO, RATE_READ,
     NULL},
    {HTTP_PUT, "/_parta/v1/applications/{application}", put_application, ROUTE_APPLICANT | ROUTE_BODY, RATE_WRITE,
     NULL},
    {HTTP_POST, "/_parta/v1/applications/{application}/withdraw", withdraw_application, ROUTE_APPLICANT | ROUTE_BODY,
     RATE_WRITE, NULL},
    {HTTP_POST, "/_parta/v1/applications/{application}/approve", approve_application,
     ROUTE_CALLER | ROUTE_BODY | ROUTE_DECIDES, RATE_WRITE, NULL},
    {HTTP_POST, "/_parta/v1/applications/{application}/refuse", refuse_application,
     ROUTE_CALLER | ROUTE_BODY | ROUTE_DECIDES, RATE_WRITE, NULL},
};
const struct routes API_APPLICATION_ROUTES = ROUTES(TABLE);
