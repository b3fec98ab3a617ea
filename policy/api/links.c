/* Links by which people are let in (C2): made, listed, revoked. */
#include <limits.h>
#include <sodium.h>
#include <string.h>

#include "homeserver/accounts/contacts.h"
#include "homeserver/base/clock.h"
#include "homeserver/http/server.h"
#include "homeserver/jobs/jobs.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/driver/writer.h"
#include "policy/api/api.h"
#include "policy/api/list.h"
#include "policy/api/routes.h"
#include "policy/api/signup_json.h"
#include "policy/signup/link_letters.h"
#include "policy/signup/links.h"

static const char *state_of(const struct link_row *row, int64_t now_ms)
{
    if (row->revoked_ms != 0)
        return "revoked";
    if (row->expires_ms <= now_ms)
        return "expired";
    return row->uses < row->uses_allowed ? "open" : "used_up";
}

static json_t *link_json(struct request *r, struct db *db, const struct link_row *row)
{
    json_t *out =
        json_pack("{s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "link", json_sprintf("%lld", (long long)row->no), "kind",
                  link_kind_name(row->kind), "state", state_of(row, clock_wall_ms()), "issuer", row->issuer_name,
                  "uses", (json_int_t)row->uses, "uses_allowed", (json_int_t)row->uses_allowed, "created_ts",
                  (json_int_t)row->created_ms, "expires_ts", (json_int_t)row->expires_ms);
    if (row->role != 0)
        api_set(out, "role", school_role_name(row->role));
    if (row->school != 0)
        signup_json_place(out, db, row->school, row->class);
    if (row->person != 0)
        json_object_set_new(out, "user_id", signup_json_user(r, db, row->person));
    api_set(out, "sent_by", row->sent_by);
    if (row->delivery != LINK_TOLD)
        api_set(out, "delivery", link_delivery_name(row->delivery == LINK_SENDING ? LINK_WAITING : row->delivery));
    return out;
}

static void read_link(struct api_listing *l, struct api_row *out)
{
    struct link_row row;
    if (!links_next(l->rows, &row))
        return;
    out->no = row.no;
    out->about[0] = row.person;
    out->about[1] = row.issuer;
    if (link_may_see(l->r->db, rooms_settings(l->r->server->rooms)->school_mode, &l->actor, &row))
        out->item = link_json(l->r, l->r->db, &row);
}

/* ?school=…&class=…&kind=…&state=open. What the caller could not make is not there. */
static bool list_links(struct request *r)
{
    struct api_listing l;
    const char *kind = query_get(r, "kind"), *state = query_get(r, "state");
    if (!api_list_begin(&l, r, LIST_BY_SCHOOL | LIST_BY_CLASS))
        return false;
    bool known = signup_json_list_known(r, &l.actor, &l.school);
    struct links_query query = {.kind = LINK_KIND__COUNT,
                                .school = l.school,
                                .class = l.class,
                                .after = l.after,
                                .limit = INT_MAX,
                                .open_ms = state != NULL ? clock_wall_ms() : 0};
    if (state != NULL && strcmp(state, "open") != 0)
        return refuse_parameter(r, ERROR_INVALID_PARAM, "state", "state is open, or not given.");
    if (kind != NULL && !link_kind_from(kind, &query.kind))
        return refuse_parameter(r, ERROR_INVALID_PARAM, "kind", "kind is class, school, guardian or personal.");
    return known ? api_list_end(&l, links_query(r->db, &query), read_link) : api_list_reply(r, json_array());
}

struct making {
    struct link_wish wish;
    const char *school, *class, *user, *send_to;
    struct contact_address address;
};

/* What is told once: the token, and the address of the page that it opens. Of a link that is sent, neither. */
static void told(struct api_act *act, const struct link_made *made)
{
    struct text url = TEXT_INIT;
    act->status = 201;
    if (made->token[0] == '\0')
        return;
    link_address(act->r->server->config, made->token, &url);
    api_set(act->reply, "token", made->token);
    api_set(act->reply, "url", url.data);
    sodium_memzero(url.data, url.len);
    text_finish(&url);
}

static bool act_make(struct api_act *act, void *state)
{
    struct making *m = state;
    struct changing_records *c = &act->records;
    struct link_made made;
    struct link_row row;
    if ((m->school != NULL && (m->wish.school = api_school(act->r, c->tx->db, m->school, c->e)) == 0) ||
        (m->class != NULL && (m->wish.class = api_class(act->r, c->tx->db, m->class, c->e)) == 0) ||
        (m->user != NULL && (m->wish.person = api_user(act->r, c->tx->db, m->user, c->e)) == 0) ||
        !link_make(c, &m->wish, &made) || !links_get(c->tx->db, made.no, &row))
        return false;
    act->reply = link_json(act->r, c->tx->db, &row);
    told(act, &made);
    return true;
}

/* What each kind must name. */
static bool names_enough(struct request *r, const struct making *m)
{
    switch (m->wish.kind) {
    case LINK_CLASS: return m->class != NULL || refuse_parameter(r, ERROR_MISSING_PARAM, "class", "class is missing.");
    case LINK_SCHOOL:
        return m->school != NULL || refuse_parameter(r, ERROR_MISSING_PARAM, "school", "school is missing.");
    case LINK_PERSONAL:
        return m->user != NULL || refuse_parameter(r, ERROR_MISSING_PARAM, "user_id", "user_id is missing.");
    default:
        return refuse_parameter(r, ERROR_INVALID_PARAM, "kind",
                                "A child makes a guardian's link: POST /_parta/v1/me/guardian_links.");
    }
}

/* An e-mail address, or a number as it is dialled from anywhere. */
static bool send_to(struct request *r, struct making *m)
{
    static const char WHAT[] = "send_to is an e-mail address, or a phone number that begins with +.";
    if (m->send_to == NULL)
        return true;
    m->wish.send_to = &m->address;
    m->wish.config = r->server->config;
    struct error ignored;
    return (strchr(m->send_to, '@') != NULL ? contact_email(m->send_to, &m->address, &ignored)
                                            : contact_phone(NULL, m->send_to, &m->address, &ignored)) ||
           refuse_parameter(r, ERROR_INVALID_PARAM, "send_to", WHAT);
}

static bool post_link(struct request *r)
{
    const char *kind, *role;
    struct making m = {0};
    if (!body_string(r, "kind", &kind) || !body_string_or(r, "role", "", &role) ||
        !body_string_or(r, "school", NULL, &m.school) || !body_string_or(r, "class", NULL, &m.class) ||
        !body_string_or(r, "user_id", NULL, &m.user) || !body_int_or(r, "uses", 0, &m.wish.uses) ||
        !body_int_or(r, "lifetime_ms", 0, &m.wish.lifetime_ms) || !body_string_or(r, "send_to", NULL, &m.send_to))
        return false;
    if (!link_kind_from(kind, &m.wish.kind))
        return refuse_parameter(r, ERROR_INVALID_PARAM, "kind", "kind is class, school or personal.");
    m.wish.role = (enum school_role)school_role_from(role);
    if (!names_enough(r, &m) || !send_to(r, &m) || !api_write(r, act_make, &m))
        return false;
    if (m.send_to != NULL)
        jobs_poke(r->server->jobs, LINK_LETTERS_JOB);
    return true;
}

static bool act_revoke(struct api_act *act, void *state)
{
    return link_revoke(&act->records, api_number(act->r->params[0]));
}

static bool revoke_link(struct request *r)
{
    return api_write(r, act_revoke, NULL);
}

/* --- A child's own (D1) --- */

static bool act_guardian_link(struct api_act *act, void *state)
{
    const struct link_wish *wish = state;
    struct link_made made;
    if (!link_make(&act->records, wish, &made))
        return false;
    act->reply = json_pack("{s:o, s:I}", "link", json_sprintf("%lld", (long long)made.no), "expires_ts",
                           (json_int_t)made.expires_ms);
    told(act, &made);
    return true;
}

static bool post_guardian_link(struct request *r)
{
    struct link_wish wish = {.kind = LINK_GUARDIAN};
    return caller_is_person(r, false) && body_int_or(r, "lifetime_ms", 0, &wish.lifetime_ms) &&
           api_write(r, act_guardian_link, &wish);
}

static void read_guardian_link(struct api_listing *l, struct api_row *out)
{
    struct link_row row;
    if (!links_next(l->rows, &row))
        return;
    out->no = row.no;
    out->about[0] = ABOUT_NOBODY;
    out->item = link_json(l->r, l->r->db, &row);
}

static bool list_guardian_links(struct request *r)
{
    struct api_listing l;
    if (!caller_is_person(r, false) || !api_list_begin(&l, r, LIST_WHOLE))
        return false;
    const struct links_query query = {
        .limit = GUARDIAN_LINKS_OPEN_MAX, .person = l.actor.user, .kind = LINK_GUARDIAN, .open_ms = clock_wall_ms()};
    return api_list_end(&l, links_query(r->db, &query), read_guardian_link);
}

static const struct route TABLE[] = {
    {HTTP_GET, "/_parta/v1/links", list_links, ROUTE_CALLER, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/links", post_link, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_POST, "/_parta/v1/links/{link}/revoke", revoke_link, ROUTE_CALLER | ROUTE_BODY, RATE_WRITE, NULL},
    {HTTP_GET, "/_parta/v1/me/guardian_links", list_guardian_links, ROUTE_PERSON, RATE_READ, NULL},
    {HTTP_POST, "/_parta/v1/me/guardian_links", post_guardian_link, ROUTE_PERSON | ROUTE_BODY, RATE_WRITE, NULL},
};
const struct routes API_LINK_ROUTES = ROUTES(TABLE);
