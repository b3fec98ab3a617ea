/* People: who is in the records. */
#include "policy/api/people.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/days.h"
#include "homeserver/base/text.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/roles.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"

bool person_shown_in(struct request *r, struct db *db, school_no school, user_no user)
{
    struct error ignored;
    if (r->identity.user == 0)
        return true;
    struct actor actor = {.user = r->identity.user, .name = r->identity.user_id};
    return school_gate(db, rooms_settings(r->server->rooms)->school_mode, &actor, ACT_RECORDS_READ,
                       &(struct subject){.school = school, .target = user}, NULL, NULL, &ignored);
}

static json_t *roles_json(struct request *r, struct db *db, const struct viewer *viewer, user_no user)
{
    struct role_row row;
    json_t *roles = json_array();
    struct stmt *q = roles_page(db, viewer, user);
    while (roles_next(q, &row)) {
        if (!person_shown_in(r, db, row.school, user))
            continue;
        json_t *role = json_pack("{s:s, s:s, s:s}", "school", row.school_id, "role", school_role_name(row.role),
                                 "source", row.source);
        api_set_days(role, row.begin, row.end);
        json_array_append_new(roles, role);
    }
    stmt_end(q);
    return roles;
}

json_t *person_json(struct request *r, struct db *db, const struct viewer *viewer, const struct person_row *row)
{
    char day[DAY_TEXT_BYTES];
    json_t *value =
        json_pack("{s:o, s:s, s:s, s:b, s:b, s:s, s:o}", "user_id", api_user_id(r, row->localpart), "given_name",
                  row->given, "family_name", row->family, "enabled", row->enabled, "ended", row->ended, "standing",
                  account_state_name(row->state), "roles", roles_json(r, db, viewer, row->no));
    if (people_record_known(db, viewer, row->no)) {
        api_set(value, "person", row->sourced_id);
        api_set(value, "source", row->source);
    }
    api_set(value, "middle_name", row->middle);
    if (row->birth != DAY_EVER)
        api_set(value, "birth_date", day_text(row->birth, day));
    return value;
}

json_t *person_get(struct request *r, struct db *db, user_no user, int64_t *version)
{
    struct viewer viewer = viewer_of(r->identity.user);
    struct person_row row;
    json_t *value = NULL;
    if (people_get(db, user, &row)) {
        value = person_json(r, db, &viewer, &row);
        *version = row.version;
    }
    person_row_finish(&row);
    return value;
}

/* --- Reading --- */

static bool word_known(struct request *r, const struct people_filter *f)
{
    enum account_state state;
    if (f->role != NULL && school_role_from(f->role) == 0)
        return refuse_parameter(r, ERROR_INVALID_PARAM, "role", "There is no such role.");
    if (f->state != NULL && !account_state_from(f->state, &state))
        return refuse_parameter(r, ERROR_INVALID_PARAM, "standing", "There is no such standing.");
    return true;
}

static void read_person(struct api_listing *l, struct api_row *out)
{
    struct person_row row;
    if (!people_list_next(l->state, &row))
        return;
    out->no = row.no;
    out->about[0] = row.no;
    out->item = person_json(l->r, l->r->db, &l->viewer, &row);
}

static void read_this_person(struct api_listing *l, struct api_row *out)
{
    struct api_people *people = l->state;
    struct person_row row;
    while (out->no == 0 && people->at < people->n) {
        user_no user = people->who[people->at++];
        if (people_get(l->r->db, user, &row)) {
            out->no = out->about[0] = user;
            out->item = person_json(l->r, l->r->db, &l->viewer, &row);
        }
        person_row_finish(&row);
    }
}

static bool list_these_people(struct request *r)
{
    struct api_listing l;
    struct api_people people;
    if (!api_list_begin(&l, r, LIST_WHOLE) || !api_list_people(&l, &people))
        return false;
    l.state = &people;
    return api_list_end(&l, NULL, read_this_person);
}

/* ?school=&class=&role=&standing=&name=, the last: how a name begins; or ?user_ids=. */
static bool list_people(struct request *r)
{
    struct api_listing l;
    if (query_get(r, "user_ids") != NULL)
        return list_these_people(r);
    if (!api_list_begin(&l, r, LIST_BY_SCHOOL | LIST_BY_CLASS | LIST_OF_ONE_PLACE))
        return false;
    struct subject subject = {.school = l.class != 0 ? school_of_class(r->db, l.class) : l.school, .class = l.class};
    struct people_filter filter = {.viewer = &l.viewer,
                                   .school = l.school,
                                   .class = l.class,
                                   .role = query_get(r, "role"),
                                   .state = query_get(r, "standing"),
                                   .name = query_get(r, "name"),
                                   .after = l.after};
    if (!word_known(r, &filter) || !api_may(r, &l.actor, ACT_RECORDS_READ, &subject))
        return false;
    struct people_list *people = people_list(r->db, &filter);
    l.state = people;
    bool done = api_list_end(&l, NULL, read_person);
    people_list_end(people);
    return done;
}

static bool get_person(struct request *r)
{
    struct actor actor;
    int64_t version = 0;
    user_no user = api_caller(r, &actor) ? api_user(r, r->db, r->params[0], &r->error) : 0;
    if (user == 0 || !api_may(r, &actor, ACT_RECORDS_READ, &(struct subject){.target = user}))
        return false;
    json_t *person = person_get(r, r->db, user, &version);
    return person != NULL ? api_reply_versioned(r, person, version)
                          : refuse(r, ERROR_NOT_FOUND, "This account is in no school's records.");
}

/* --- Making --- */

struct new_person {
    struct person_row row;
    const char *school, *role, *class, *child; /* "": none */
    school_day begin, end;
};

static bool body_person(struct request *r, struct person_row *row)
{
    return api_body_name(r, "given_name", true, &row->given) && api_body_name(r, "family_name", true, &row->family) &&
           api_body_name(r, "middle_name", false, &row->middle) &&
           api_body_day(r, "birth_date", DAY_EVER, &row->birth) &&
           (day_is_birth(row->birth) || refuse_parameter(r, ERROR_INVALID_PARAM, "birth_date",
                                                         "The birth date is not a day on which anybody was born.")) &&
           body_bool_or(r, "enabled", true, &row->enabled);
}

static bool give_role(struct api_act *act, const struct new_person *new, school_no school, user_no user)
{
    enum school_role role = (enum school_role)school_role_from(new->role);
    if (*new->class != '\0') {
        class_no class = api_class(act->r, act->records.tx->db, new->class, act->records.e);
        struct enrollment_row row = {.class = class, .user = user, .role = role, .begin = new->begin, .end = new->end};
        return class != 0 && change_enrollment(&act->records, &row);
    }
    if (*new->child != '\0') {
        user_no child = api_user(act->r, act->records.tx->db, new->child, act->records.e);
        return child != 0 && change_guardianship(&act->records, child, user);
    }
    struct role_row row = {user, school, role, new->begin, new->end};
    return change_role(&act->records, &row);
}

static bool act_new(struct api_act *act, void *state)
{
    const struct new_person *new = state;
    struct db *db = act->records.tx->db;
    school_no school = api_school(act->r, db, new->school, act->records.e);
    user_no user = school != 0 ? change_person(&act->records, &new->row, school, 0) : 0;
    if (user == 0 || !give_role(act, new, school, user))
        return false;
    act->reply = person_get(act->r, db, user, &act->version);
    act->status = 201;
    return true;
}

/* A person comes with what makes them one of the school: a role, a place in a class, or a child (B3). */
static bool post_person(struct request *r)
{
    struct new_person new = {0};
    if (!body_person(r, &new.row) || !api_body_name(r, "person", false, &new.row.sourced_id) ||
        !body_string(r, "school", &new.school) || !body_string(r, "role", &new.role) ||
        !body_string_or(r, "class", "", &new.class) || !body_string_or(r, "child", "", &new.child) ||
        !api_body_day(r, "begin", DAY_EVER, &new.begin) || !api_body_day(r, "end", DAY_NEVER, &new.end))
        return false;
    if (school_role_from(new.role) == 0)
        return refuse_parameter(r, ERROR_INVALID_PARAM, "role", "There is no such role.");
    if ((*new.child != '\0') != (strcmp(new.role, "guardian") == 0))
        return refuse_parameter(r, ERROR_INVALID_PARAM, "child", "A guardian, and nobody else, comes with a child.");
    if (*new.row.sourced_id == '\0')
        new.row.sourced_id = NULL;
    return api_write(r, act_new, &new);
}

/* --- Changing --- */

static bool act_change(struct api_act *act, void *state)
{
    struct person_row *wanted = state, now;
    struct db *db = act->records.tx->db;
    wanted->no = api_user(act->r, db, act->r->params[0], act->records.e);
    if (wanted->no == 0)
        return false;
    bool there = people_get(db, wanted->no, &now);
    person_row_finish(&now);
    if (!there)
        return error_set(act->records.e, ERROR_NOT_FOUND, "This account is in no school's records.");
    school_no school = viewer_shared_school(db, act->records.actor->user, wanted->no);
    if (change_person(&act->records, wanted, school, act->if_version) == 0)
        return false;
    act->reply = person_get(act->r, db, wanted->no, &act->version);
    return true;
}

static bool put_person(struct request *r)
{
    struct person_row row = {0};
    return body_person(r, &row) && api_write(r, act_change, &row);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/people", list_people, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/people", post_person, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/people/{userId}", get_person, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_PUT, "/_parta/v1/people/{userId}", put_person, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
};
const struct routes API_PERSON_ROUTES = ROUTES(TABLE);
