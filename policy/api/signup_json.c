#include "policy/api/signup_json.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/store/matrix/user_names.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/base/days.h"
#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/policies.h"
#include "homeserver/store/school/source.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/rule_facts.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/signup/applications.h"

#define NAMESAKES_MAX 5

void signup_json_place(json_t *object, struct db *db, school_no school, class_no class)
{
    struct place place;
    place_get(db, school, class, &place); /* one that is gone has no names */
    api_set(object, "school", place.school.sourced_id);
    api_set(object, "school_name", place.school.name);
    api_set(object, "class", place.class.sourced_id);
    api_set(object, "class_title", place.class.title);
    place_finish(&place);
}

void signup_json_person(json_t *object, const struct applicant *p)
{
    char day[DAY_TEXT_BYTES];
    api_set(object, "given_name", p->given);
    api_set(object, "family_name", p->family);
    api_set(object, "middle_name", p->middle);
    if (p->birth != DAY_EVER)
        api_set(object, "birth_date", day_text(p->birth, day));
}

json_t *signup_json_user(struct request *r, struct db *db, user_no user)
{
    const char *id = user != 0 ? user_names_get(r->server->names, db, user) : NULL;
    return id != NULL ? json_string(id) : json_null();
}

json_t *signup_json_name(struct db *db, user_no user)
{
    char *name = profiles_get_string(db, user, "displayname");
    json_t *value = json_string(name != NULL ? name : "");
    free(name);
    return value;
}

json_t *signup_json_child(struct request *r, user_no child)
{
    struct person_row row;
    school_no school;
    class_no class;
    json_t *out = json_object();
    if (people_get(r->db, child, &row))
        signup_json_person(out, &(struct applicant){row.given, row.family, row.middle, row.birth, ""});
    json_object_set_new(out, "corrections", json_string(source_is_roster(row.source) ? "by_the_school" : "at_once"));
    person_row_finish(&row);
    if (enrollments_place_of_pupil(r->db, child, &school, &class))
        signup_json_place(out, r->db, school, class);
    return out;
}

/* --- Applications --- */

static void add_post(json_t *posts, enum school_role role, const char *ru, const char *en)
{
    json_array_append_new(posts, json_pack("{s:s, s:s, s:s}", "post", school_role_name(role), "ru", ru, "en", en));
}

/* A3: by post, never by name. The administrator is always told, even where the school has none yet: help is there. */
static json_t *confirmers(struct db *db, const struct application_row *row)
{
    json_t *posts = json_array();
    struct school_policy policy;
    bool family = ((unsigned)row->role & ROLES_FAMILY) != 0;
    policies_in_force(db, row->school, &policy);
    add_post(posts, ROLE_ADMINISTRATOR, "администратор школы", "a school administrator");
    if (family && row->class != 0 && (policy.class_teacher_may & CLASS_TEACHER_APPROVES) != 0 &&
        enrollments_has_class_teacher(db, row->class))
        add_post(posts, ROLE_CLASS_TEACHER, "классный руководитель", "the class teacher");
    return posts;
}

/* D2: what the record says now, beside what it should say. */
static json_t *record_of(struct db *db, user_no child)
{
    struct person_row row;
    json_t *record = json_object();
    if (people_get(db, child, &row))
        signup_json_person(record, &(struct applicant){row.given, row.family, row.middle, row.birth, ""});
    person_row_finish(&row);
    return record;
}

/* C2: whom the records may hold already under that name; whoever decides can tell, and a personal link is for them. */
static void add_namesakes(json_t *out, struct request *r, struct db *db, const struct application_row *row)
{
    user_no found[NAMESAKES_MAX];
    const struct applicant *p = &row->person;
    if (row->kind != APPLICATION_JOIN || row->state != APPLICATION_WAITING)
        return;
    int n = people_namesakes(db, row->school, p->given, p->family, found, NAMESAKES_MAX);
    json_t *ids = json_array();
    for (int i = 0; i < n; ++i)
        if (found[i] != row->user && !api_kept_from(r, db, found[i]))
            json_array_append_new(ids, signup_json_user(r, db, found[i]));
    json_object_set_new(out, "namesakes", ids);
}

static json_t *number(int64_t no)
{
    return json_sprintf("%lld", (long long)no);
}

json_t *signup_json_application(struct request *r, struct db *db, const struct application_row *row, bool own)
{
    json_t *out = json_pack("{s:o, s:s, s:s, s:I, s:I}", "application", number(row->no), "kind",
                            application_kind_name(row->kind), "state", application_state_name(row->state), "created_ts",
                            (json_int_t)row->created_ms, "version", (json_int_t)application_version(db, row));
    if (row->role != 0)
        api_set(out, "role", school_role_name(row->role));
    signup_json_place(out, db, row->school, row->class);
    signup_json_person(out, &row->person);
    api_set(out, "note", row->person.note);
    api_set(out, "reason", row->reason);
    if (row->decided_ms != 0)
        json_object_set_new(out, "decided_ts", json_integer(row->decided_ms));
    if (own) {
        if (row->state == APPLICATION_WAITING)
            json_object_set_new(out, "confirmers", confirmers(db, row));
        return out;
    }
    json_object_set_new(out, "user_id", signup_json_user(r, db, row->user));
    api_set_actor(r, db, out, "decided_by", row->decided_by);
    if (row->link != 0)
        json_object_set_new(out, "link", number(row->link));
    if (row->child != 0)
        json_object_set_new(out, "child", signup_json_user(r, db, row->child));
    add_namesakes(out, r, db, row);
    if (row->kind == APPLICATION_CORRECTION)
        json_object_set_new(out, "record", record_of(db, row->child));
    return out;
}

json_t *signup_json_for_decider(struct request *r, const struct actor *actor, const struct application_row *row)
{
    struct error ignored;
    json_t *out = signup_json_application(r, r->db, row, false);
    bool settled = row->kind == APPLICATION_GUARDIAN && row->state == APPLICATION_WAITING && row->child != 0 &&
                   custodies_stand(r->db, row->child);
    if (settled && school_gate(r->db, rooms_settings(r->server->rooms)->school_mode, actor, ACT_CUSTODY,
                               &(struct subject){.target = row->child, .other = row->user}, NULL, NULL, &ignored))
        json_object_set_new(out, "settled", json_true());
    return out;
}

/* --- Bodies and callers --- */

static bool member(struct request *r, const json_t *object, const char *key, const char **out)
{
    const json_t *value = object == r->body ? body_member(r, key) : json_object_get(object, key);
    *out = "";
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_string(value))
        return refuse_parameter(r, ERROR_BAD_JSON, key, "Names, birth date and note are strings.");
    *out = json_string_value(value);
    return true;
}

bool read_applicant(struct request *r, const json_t *object, struct applicant *out)
{
    const char *birth;
    *out = (struct applicant){"", "", "", DAY_EVER, ""};
    if (!member(r, object, "given_name", &out->given) || !member(r, object, "family_name", &out->family) ||
        !member(r, object, "middle_name", &out->middle) || !member(r, object, "note", &out->note) ||
        !member(r, object, "birth_date", &birth))
        return false;
    return birth[0] == '\0' || api_day(r, "birth_date", birth, &out->birth);
}

bool signup_json_list_known(struct request *r, const struct actor *actor, school_no *school)
{
    school_no schools[2];
    struct person_facts who;
    int n;
    if (actor->user == 0)
        return true;
    school_person_anywhere(r->db, actor->user, &who);
    school_schools_of(r->db, actor->user, schools, 2, &n);
    if (*school == 0 && n == 1)
        *school = schools[0];
    return (who.any_roles & ROLES_STAFF) != 0;
}

bool caller_is_person(struct request *r, bool pending_too)
{
    switch (r->identity.state) {
    case ACCOUNT_LOCKED: return refuse(r, ERROR_USER_LOCKED, NULL);
    case ACCOUNT_LEFT: return refuse(r, ERROR_USER_DEACTIVATED, NULL);
    case ACCOUNT_PENDING:
        return pending_too || refuse(r, ERROR_FORBIDDEN, "This account waits to be confirmed by the school.");
    default: return true;
    }
}

bool bound_to_caller(struct request *r)
{
    const char *to;
    if (!body_string_or(r, "bind_to", NULL, &to))
        return false;
    if (to != NULL && r->identity.user != 0 && strcmp(to, r->identity.user_id) == 0)
        return true;
    rule_refuse(&r->error, RULE_C5_NOT_BOUND);
    r->error.status = 409;
    return false;
}
