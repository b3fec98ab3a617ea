/* J1: what would happen, and why. */
#include <string.h>

#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/rule_facts.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"
#include "policy/admin/explain.h"

static bool take_act(struct request *r, struct explain_question *q)
{
    const char *act, *kind;
    if (!body_string(r, "act", &act) || !body_string_or(r, "kind", "club", &kind))
        return false;
    if (!act_from(act, &q->act))
        return refuse_parameter(r, ERROR_INVALID_PARAM, "act", "There is no such act.");
    if (!room_kind_from(kind, &q->kind))
        return refuse_parameter(r, ERROR_INVALID_PARAM, "kind", "There is no such kind of room.");
    return body_string_or(r, "event_type", q->act == ACT_SEND ? "m.room.message" : NULL, &q->event_type) &&
           body_string_or(r, "state_key", q->act == ACT_STATE ? "" : NULL, &q->state_key);
}

/* About others one may ask whose records one may read. */
static bool take_actor(struct request *r, const struct actor *caller, struct actor *actor)
{
    const char *user_id;
    if (!body_string_or(r, "actor", NULL, &user_id))
        return false;
    *actor = *caller;
    if (user_id == NULL || strcmp(user_id, caller->name) == 0)
        return true;
    *actor =
        (struct actor){.user = api_user(r, r->db, user_id, &r->error), .name = user_id, .override_ = caller->override_};
    return actor->user != 0 && api_may(r, caller, ACT_RECORDS_READ, &(struct subject){.target = actor->user});
}

/* What a body names must be known to the caller (A1). */
static bool take_subject(struct request *r, const struct actor *caller, struct explain_question *q)
{
    const char *target, *room, *school, *class, *role;
    struct subject *s = &q->subject;
    if (!body_string_or(r, "target", NULL, &target) || !body_string_or(r, "room_id", NULL, &room) ||
        !body_string_or(r, "school", NULL, &school) || !body_string_or(r, "class", NULL, &class) ||
        !body_string_or(r, "role", NULL, &role))
        return false;
    if (role != NULL && (s->role = school_role_from(role)) == 0)
        return refuse_parameter(r, ERROR_INVALID_PARAM, "role", "There is no such role.");
    if ((target != NULL && (s->target = api_user(r, r->db, target, &r->error)) == 0) ||
        (room != NULL && (q->room = api_room(r, r->db, room, &r->error)) == 0) ||
        (school != NULL && (s->school = api_school(r, r->db, school, &r->error)) == 0) ||
        (class != NULL && (s->class = api_class(r, r->db, class, &r->error)) == 0))
        return false;
    if (s->class != 0 && s->school == 0)
        s->school = school_of_class(r->db, s->class);
    q->with_target = s->target != 0 && (s->target == caller->user ||
                                        api_shows(r, caller, ACT_RECORDS_READ, &(struct subject){.target = s->target}));
    return true;
}

static bool post_explain(struct request *r)
{
    struct actor caller, actor;
    struct explain_question q = {.caller = r->identity.user, .actor = &actor};
    if (!api_caller(r, &caller) || !take_act(r, &q) || !take_actor(r, &caller, &actor) ||
        !take_subject(r, &caller, &q) || !explain_check(&q, &r->error))
        return false;
    db_begin_read(r->db);
    json_t *reply = explain_act(r->db, rooms_settings(r->server->rooms)->school_mode, &q);
    json_t *service = actor.user != 0 && r->server->explain_service != NULL
                          ? r->server->explain_service(r->server, r->db, actor.user, q.room)
                          : NULL;
    if (service != NULL)
        json_object_set_new(json_object_get(reply, "facts"), "application_service", service);
    db_end_read(r->db);
    return reply_json(r, reply);
}

struct refusals_asked {
    int64_t at; /* the last row that was read */
    const char *rule, *code;
};

static void read_refusal(struct api_listing *l, struct api_row *out)
{
    struct refusals_asked *asked = l->state;
    if (++asked->at >= RULE_REFUSAL__COUNT)
        return;
    out->no = asked->at;
    out->about[0] = ABOUT_NOBODY;
    const struct refusal *row = refusal_of((enum rule_refusal)asked->at);
    if ((asked->rule == NULL || strcmp(asked->rule, row->rule) == 0) &&
        (asked->code == NULL || strcmp(asked->code, row->code) == 0))
        out->item = explain_refusal((enum rule_refusal)asked->at);
}

/* ?rule=&code= */
static bool list_refusals(struct request *r)
{
    struct api_listing l;
    if (!api_list_begin(&l, r, 0))
        return false;
    struct refusals_asked asked = {.at = l.after < RULE_REFUSAL__COUNT ? l.after : RULE_REFUSAL__COUNT,
                                   .rule = query_get(r, "rule"),
                                   .code = query_get(r, "code")};
    l.state = &asked;
    return api_list_end(&l, NULL, read_refusal);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/refusals", list_refusals, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/explain", post_explain, ROUTE_CALLER | ROUTE_BODY, RATE_READ, NULL},
};
const struct routes API_EXPLAIN_ROUTES = ROUTES(TABLE);
