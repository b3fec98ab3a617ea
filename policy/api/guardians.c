/* Guardians and children (D1–D8), as they see each other. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/school_rooms.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/guardians.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"
#include "policy/api/signup_json.h"
#include "policy/signup/applications.h"
#include "policy/signup/guardians.h"

#define ROOMS_SHOWN_MAX 100  /* of a child, at once */
#define ROOM_MEMBERS_MAX 500 /* who are named of one room */

static bool school_mode(const struct request *r)
{
    return rooms_settings(r->server->rooms)->school_mode;
}

/* --- A parent opens the child's link --- */

static bool post_look(struct request *r)
{
    struct actor actor;
    const char *token;
    struct guardian_view view;
    struct person_row self;
    if (!caller_is_person(r, true) || !api_caller(r, &actor) || !body_string(r, "token", &token) ||
        !guardian_look(r->db, school_mode(r), &actor, r->server->contacts, token, clock_wall_ms(), &view, &r->error))
        return false;
    bool known = people_get(r->db, actor.user, &self) && !self.ended;
    person_row_finish(&self);
    json_t *out =
        json_pack("{s:o, s:b, s:b, s:I, s:s}", "child", signup_json_child(r, view.link.person), "names_needed", !known,
                  "school_approves", guardian_waits(r->db, view.link.person, actor.user), "expires_ts",
                  (json_int_t)view.link.expires_ms, "signed_in_as", r->identity.user_id);
    return api_reply_versioned(r, out, guardian_child_version(r->db, view.link.person));
}

static const char *const CORRECTIONS[] = {[CORRECTION_NONE] = "none",
                                          [CORRECTION_MADE] = "made",
                                          [CORRECTION_WAITS] = "waits",
                                          [CORRECTION_IN_PART] = "in_part"};

static bool act_confirm(struct api_act *act, void *state)
{
    enum guardian_outcome outcome;
    enum correction_outcome correction;
    struct guardian_confirmation *confirmation = state;
    confirmation->seen = act->if_version;
    if (!guardian_confirm(&act->records, confirmation, &outcome, &correction))
        return false;
    act->reply = json_pack("{s:s, s:s}", "outcome", outcome == GUARDIAN_WAITS ? "waits" : "confirmed", "corrections",
                           CORRECTIONS[correction]);
    return true;
}

/* {"token", "bind_to", "given_name" … of the guardian, "child": {what is to be corrected}} */
static bool post_confirm(struct request *r)
{
    struct guardian_confirmation confirmation = {.contacts = r->server->contacts};
    json_t *child;
    return caller_is_person(r, true) && body_string(r, "token", &confirmation.token) &&
           body_object_or_null(r, "child", &child) && read_applicant(r, r->body, &confirmation.self) &&
           read_applicant(r, child, &confirmation.child) && bound_to_caller(r) &&
           api_write(r, act_confirm, &confirmation);
}

/* --- A guardian's children --- */

json_t *own_child_json(struct request *r, user_no child)
{
    struct user_row user;
    json_t *out = signup_json_child(r, child);
    json_object_set_new(out, "user_id", signup_json_user(r, r->db, child));
    json_object_set_new(out, "version", json_integer(guardian_child_version(r->db, child)));
    if (users_get(r->db, child, &user))
        api_set(out, "standing", account_state_name(user.state));
    user_row_finish(&user);
    return out;
}

static bool list_children(struct request *r)
{
    struct actor actor;
    user_no children[CHILDREN_MAX];
    if (!caller_is_person(r, false) || !api_caller(r, &actor))
        return false;
    int n = guardianships_children(r->db, actor.user, children, CHILDREN_MAX);
    json_t *items = json_array();
    for (int i = 0; i < n && i < CHILDREN_MAX; ++i)
        if (api_shows(r, &actor, ACT_CHILD, &(struct subject){.target = children[i]}))
            json_array_append_new(items, own_child_json(r, children[i]));
    return api_list_reply(r, items);
}

user_no own_child(struct request *r, struct db *db, user_no guardian, const char *user_id, struct error *e)
{
    user_no children[CHILDREN_MAX];
    user_no child = users_by_id(db, rooms_settings(r->server->rooms)->server_name, user_id);
    int n = guardianships_children(db, guardian, children, CHILDREN_MAX);
    for (int i = 0; child != 0 && i < n && i < CHILDREN_MAX; ++i)
        if (children[i] == child)
            return child;
    error_set(e, ERROR_NOT_FOUND, "You are not this person's guardian.");
    return 0;
}

/* A child as one of its guardians sees it. D9: the other one not at all, where they are parted; 0: nobody. */
struct looked_at {
    user_no child, unseen;
    user_no guardian;
    bool kept; /* the guardian, from somebody else */
};

static user_no unseen_through(struct db *db, user_no child, user_no guardian)
{
    user_no guardians[GUARDIANS_MAX];
    int n = guardianships_guardians(db, child, guardians, GUARDIANS_MAX);
    for (int i = 0; i < n && i < GUARDIANS_MAX; ++i)
        if (custodies_part(db, child, guardian, guardians[i]))
            return guardians[i];
    return 0;
}

/* D8: display names, and nothing that leads further. *unseen: how many are there who are not named. */
static json_t *with_whom(struct request *r, room_no room, const struct looked_at *at, int *unseen)
{
    user_no *members = xcalloc(ROOM_MEMBERS_MAX, sizeof *members);
    json_t *names = json_array();
    int n = school_room_people(r->db, room, members, ROOM_MEMBERS_MAX);
    *unseen = 0;
    for (int i = 0; i < n && i < ROOM_MEMBERS_MAX; ++i)
        if (members[i] == at->unseen || (at->kept && school_apart(r->db, at->guardian, members[i])))
            ++*unseen;
        else if (members[i] != at->child)
            json_array_append_new(names, signup_json_name(r->db, members[i]));
    free(members);
    return names;
}

static char *room_name(const char *content)
{
    struct error ignored;
    json_t *parsed = content != NULL ? json_parse(content, strlen(content), &ignored) : NULL;
    const char *name = json_get_string(parsed, "name");
    char *copy = xstrdup(name != NULL ? name : "");
    json_decref(parsed);
    return copy;
}

/* NULL: the chat of the child with somebody who is not seen. */
static json_t *room_json(struct request *r, const struct school_room_row *row, const struct looked_at *at)
{
    int unseen = at->kept ? school_apart_joined(r->db, row->no, at->guardian) : 0; /* of a space nobody is named */
    char *name = room_name(row->name);
    json_t *with = room_kind_is_space(row->kind) ? json_array() : with_whom(r, row->no, at, &unseen);
    json_t *out = json_pack("{s:s, s:s, s:s, s:i, s:o}", "room_id", row->room_id, "kind", room_kind_name(row->kind),
                            "name", name, "members", row->joined - unseen, "with", with);
    free(name);
    if (unseen == 0 || row->kind != ROOM_DIRECT)
        return out;
    json_decref(out);
    return NULL;
}

static void read_room(struct api_listing *l, struct api_row *out)
{
    struct school_room_row row;
    if (!school_rooms_next(l->rows, &row))
        return;
    out->no = row.no;
    out->about[0] = ABOUT_NOBODY;
    out->item = room_json(l->r, &row, l->state);
}

static bool list_rooms(struct request *r)
{
    struct api_listing l;
    if (!caller_is_person(r, false) || !api_list_begin(&l, r, 0))
        return false;
    struct looked_at at = {
        .child = own_child(r, r->db, l.actor.user, r->params[0], &r->error), .guardian = l.actor.user, .kept = l.kept};
    at.unseen = at.child != 0 ? unseen_through(r->db, at.child, l.actor.user) : 0;
    l.state = &at;
    return at.child != 0 && guardian_may_see(r->db, school_mode(r), &l.actor, at.child, &r->error) &&
           api_list_end(&l, school_rooms_of_person(r->db, at.child, l.after, INT_MAX), read_room);
}

json_t *own_child_rooms(struct request *r, user_no guardian, user_no child)
{
    struct school_room_row row;
    json_t *rooms = json_array();
    const struct looked_at at = {.child = child,
                                 .unseen = unseen_through(r->db, child, guardian),
                                 .guardian = guardian,
                                 .kept = school_is_apart(r->db, guardian)};
    struct stmt *q = school_rooms_of_person(r->db, child, 0, ROOMS_SHOWN_MAX);
    while (school_rooms_next(q, &row)) {
        json_t *room = room_json(r, &row, &at);
        if (room != NULL)
            json_array_append_new(rooms, room);
    }
    stmt_end(q);
    return rooms;
}

static bool act_correct(struct api_act *act, void *state)
{
    enum correction_outcome outcome;
    struct changing_records *c = &act->records;
    user_no child = own_child(act->r, c->tx->db, c->actor->user, act->r->params[0], c->e);
    if (child == 0 || !guardian_correct(c, child, state, act->if_version, &outcome))
        return false;
    act->reply = json_pack("{s:s}", "corrections", CORRECTIONS[outcome]);
    return true;
}

static bool post_corrections(struct request *r)
{
    struct applicant person;
    return caller_is_person(r, false) && read_applicant(r, r->body, &person) && api_write(r, act_correct, &person);
}

static bool act_withdraw(struct api_act *act, void *state)
{
    struct changing_records *c = &act->records;
    user_no child = own_child(act->r, c->tx->db, c->actor->user, act->r->params[0], c->e);
    return child != 0 && guardian_withdraw(c, child);
}

static bool delete_child(struct request *r)
{
    return caller_is_person(r, false) && api_write(r, act_withdraw, NULL);
}

/* Who confirms may still be pending. */
#define ROUTE_PARENT (ROUTE_PERSON | ROUTE_LOCKED_TOO | ROUTE_BODY)

static const struct route TABLE[] = {
    {HTTP_POST, "/_parta/v1/guardian_links/look", post_look, ROUTE_PARENT, RATE_WRITE, NULL},
    {HTTP_POST, "/_parta/v1/guardian_links/confirm", post_confirm, ROUTE_PARENT | ROUTE_DECIDES, RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/me/children", list_children, ROUTE_PERSON, RATE_READ, NULL},
    {HTTP_DELETE, "/_parta/v1/me/children/{userId}", delete_child, ROUTE_PERSON, RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/me/children/{userId}/rooms", list_rooms, ROUTE_PERSON, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/me/children/{userId}/corrections", post_corrections,
     ROUTE_PERSON | ROUTE_BODY | ROUTE_DECIDES, RATE_WRITE, NULL},
};
const struct routes API_GUARDIAN_ROUTES = ROUTES(TABLE);
