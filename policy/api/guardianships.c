/* Who is whose guardian, as the office sees and keeps it; the family's own side is guardians.c. */
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/rule_facts.h"
#include "homeserver/store/school/classes.h"
#include "homeserver/store/school/custodies.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"
#include "policy/api/signup_json.h"

static void read_guardianship(struct api_listing *l, struct api_row *out)
{
    struct guardianship_row row;
    if (!guardianships_next(l->rows, &row))
        return;
    out->no = row.child;
    out->about[0] = row.child;
    out->about[1] = row.guardian;
    /* D9: a family is not told what was settled of it, nor of whom it does not see. */
    user_no asks = l->actor.user;
    bool family = asks != 0 && (asks == row.child || custodies_family(l->r->db, row.child, asks));
    if (family &&
        (row.custody == CUSTODY_NO_CONTACT || custodies_part(l->r->db, row.child, l->actor.user, row.guardian)))
        return;
    out->item = json_pack("{s:o, s:o, s:s}", "child", api_user_id(l->r, row.child_localpart), "guardian",
                          api_user_id(l->r, row.guardian_localpart), "source", row.source);
    api_set_ms(out->item, "since_ts", row.since_ms);
    if (!family)
        api_set(out->item, "custody", custody_name(row.custody));
}

static void read_guardianship_of_these(struct api_listing *l, struct api_row *out)
{
    struct api_people *people = l->state;
    if (l->rows != NULL)
        read_guardianship(l, out);
    while (out->no == 0 && people->at < people->n) {
        stmt_end(l->rows);
        l->rows = guardianships_page(l->r->db, &l->viewer, people->who[people->at++], 0, 0, l->rows_max);
        read_guardianship(l, out);
    }
}

static bool list_guardianships_of_these(struct request *r)
{
    struct api_listing l;
    struct api_people people;
    if (!api_list_begin(&l, r, LIST_WHOLE) || !api_list_people(&l, &people))
        return false;
    l.state = &people;
    bool done = api_list_end(&l, NULL, read_guardianship_of_these);
    stmt_end(l.rows);
    return done;
}

/* ?school=, ?user_id=, a child or a guardian, or ?user_ids=. A page is so many children. */
static bool list_guardianships(struct request *r)
{
    struct api_listing l;
    const char *user_id = query_get(r, "user_id");
    if (query_get(r, "user_ids") != NULL)
        return list_guardianships_of_these(r);
    if (!api_list_begin(&l, r, LIST_BY_SCHOOL | LIST_OF_NUMBERS))
        return false;
    user_no user = user_id != NULL ? api_user(r, r->db, user_id, &r->error) : 0;
    if (user_id != NULL && user == 0)
        return false;
    if (l.actor.user != 0 && user == 0 && l.school == 0)
        return refuse_parameter(r, ERROR_MISSING_PARAM, "school", "Say of which school or person.");
    return api_may(r, &l.actor, ACT_RECORDS_READ, &(struct subject){.school = l.school, .target = user}) &&
           api_list_end(&l, guardianships_page(r->db, &l.viewer, user, l.school, l.after, l.rows_max),
                        read_guardianship);
}

struct family {
    const char *child, *guardian;
    bool ends;
};

/* The child's office knows of its guardians also one whom no school has any more (D9); for others who is nobody's
 * schoolmate is not there, guardian or not. 0: *e. */
static user_no guardian_of(struct request *r, struct db *db, const struct actor *actor, user_no child,
                           const char *user_id, struct error *e)
{
    const struct rooms_settings *rooms = rooms_settings(r->server->rooms);
    const struct subject subject = {.target = child};
    struct error ignored;
    user_no user = child != 0 ? users_by_id(db, rooms->server_name, user_id) : 0;
    if (child == 0 || (user != 0 && custodies_family(db, child, user) &&
                       school_gate(db, rooms->school_mode, actor, ACT_CUSTODY, &subject, NULL, NULL, &ignored)))
        return user;
    return api_user(r, db, user_id, e);
}

static bool act_guardianship(struct api_act *act, void *state)
{
    const struct family *family = state;
    struct db *db = act->records.tx->db;
    user_no child = api_user(act->r, db, family->child, act->records.e);
    user_no guardian = guardian_of(act->r, db, act->records.actor, child, family->guardian, act->records.e);
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

/* --- Custody (D9) --- */

struct custody_wish {
    enum custody custody;
    const char *reason;
};

/* D9: where the two, or the guardian and the child's others, have a place together all the same: a roster's word, which
 * the office changes there. Of schools that the caller is in. */
static json_t *custody_json(struct request *r, struct db *db, const struct actor *actor, user_no child,
                            user_no guardian)
{
    size_t n;
    enum custody custody = custodies_of(db, child, guardian);
    json_t *out = json_pack("{s:s}", "custody", custody_name(custody));
    if (custody != CUSTODY_NO_CONTACT)
        return out;
    json_t *together = json_array();
    struct meeting *list = school_meetings(db, guardian, &n);
    for (size_t i = 0; i < n; ++i) {
        struct place place;
        school_no school = school_of_class(db, list[i].class);
        bool seen = (list[i].with == child || custodies_related(db, child, list[i].with)) &&
                    (actor->user == 0 || school_roles(db, school, actor->user) != 0);
        if (seen && place_get(db, 0, list[i].class, &place)) {
            json_array_append_new(together,
                                  json_pack("{s:o, s:s, s:s}", "user_id", signup_json_user(r, db, list[i].with),
                                            "class", place.class.sourced_id, "class_title", place.class.title));
            place_finish(&place);
        }
    }
    free(list);
    json_object_set_new(out, "together", together);
    return out;
}

static bool act_custody(struct api_act *act, void *state)
{
    const struct custody_wish *wish = state;
    struct db *db = act->records.tx->db;
    user_no child = api_user(act->r, db, act->r->params[0], act->records.e);
    user_no guardian = guardian_of(act->r, db, act->records.actor, child, act->r->params[1], act->records.e);
    if (guardian == 0 || !change_custody(&act->records, child, guardian, wish->custody, wish->reason))
        return false;
    act->reply = custody_json(act->r, db, act->records.actor, child, guardian);
    return true;
}

static bool read_wish(struct request *r, struct custody_wish *wish)
{
    const char *word;
    return body_string(r, "custody", &word) && body_string(r, "reason", &wish->reason) &&
           (custody_from(word, &wish->custody) ||
            refuse_parameter(r, ERROR_INVALID_PARAM, "custody", "custody is shared, separate or no_contact."));
}

static bool put_custody(struct request *r)
{
    struct custody_wish wish;
    return read_wish(r, &wish) && api_write(r, act_custody, &wish);
}

static bool get_custody(struct request *r)
{
    struct actor actor;
    user_no child = api_caller(r, &actor) ? api_user(r, r->db, r->params[0], &r->error) : 0;
    user_no guardian = guardian_of(r, r->db, &actor, child, r->params[1], &r->error);
    return guardian != 0 && api_may(r, &actor, ACT_CUSTODY, &(struct subject){.target = child, .other = guardian}) &&
           reply_json(r, custody_json(r, r->db, &actor, child, guardian));
}

/* --- Of a guardian who is named no more --- */

static json_t *left_json(struct db *db, user_no child)
{
    return json_pack("{s:s}", "custody", custody_name(custodies_left(db, child)));
}

static bool act_custody_left(struct api_act *act, void *state)
{
    const struct custody_wish *wish = state;
    struct db *db = act->records.tx->db;
    user_no child = api_user(act->r, db, act->r->params[0], act->records.e);
    if (child == 0 || !change_custody_left(&act->records, child, wish->custody, wish->reason))
        return false;
    act->reply = left_json(db, child);
    return true;
}

static bool put_custody_left(struct request *r)
{
    struct custody_wish wish;
    return read_wish(r, &wish) && api_write(r, act_custody_left, &wish);
}

static bool get_custody_left(struct request *r)
{
    struct actor actor;
    user_no child = api_caller(r, &actor) ? api_user(r, r->db, r->params[0], &r->error) : 0;
    return child != 0 && api_may(r, &actor, ACT_CUSTODY, &(struct subject){.target = child}) &&
           reply_json(r, left_json(r->db, child));
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/guardianships", list_guardianships, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/guardianships", post_guardianship, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_DELETE, "/_parta/v1/guardianships/{child}/{guardian}", delete_guardianship, ROUTE_CALLER, RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/guardianships/{child}/{guardian}/custody", get_custody, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_PUT, "/_parta/v1/guardianships/{child}/{guardian}/custody", put_custody, ROUTE_CALLER | ROUTE_BODY,
     RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/children/{child}/custody", get_custody_left, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_PUT, "/_parta/v1/children/{child}/custody", put_custody_left, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
};
const struct routes API_GUARDIANSHIP_ROUTES = ROUTES(TABLE);
