/* One's own application: written right until it is decided (school.md C1), withdrawn. */
#include <string.h>

#include "client-api/pages/page.h"
#include "client-api/pages/routes.h"
#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "policy/api/api.h"
#include "policy/api/signup_json.h"
#include "policy/signup/applications.h"

static bool show(struct request *r, const char *no)
{
    struct application_row row;
    char birth[DAY_TEXT_BYTES] = "";
    bool own = caller_is_person(r, true) && applications_get(r->db, api_number(no), &row);
    if (!own)
        return r->error.code == ERROR_NONE && refuse(r, ERROR_NOT_FOUND, NULL);
    if (!application_is_own(r->db, &row, r->identity.user)) {
        application_finish(&row);
        return refuse(r, ERROR_NOT_FOUND, NULL);
    }
    if (row.person.birth != DAY_EVER)
        day_text(row.person.birth, birth);
    bool done = html_application(
        r, &(struct application_view){.no = no,
                                      .seen = application_version(r->db, &row),
                                      .open = row.state == APPLICATION_WAITING || row.state == APPLICATION_BEGUN,
                                      .about_child = row.kind == APPLICATION_CORRECTION,
                                      .birth_asked = row.role == ROLE_PUPIL || row.kind == APPLICATION_CORRECTION,
                                      .given = row.person.given,
                                      .family = row.person.family,
                                      .middle = row.person.middle,
                                      .birth = birth,
                                      .note = row.person.note});
    application_finish(&row);
    return done;
}

static bool get_application(struct request *r)
{
    return show(r, r->params[0]);
}

struct editing {
    const char *no;
    struct applicant person;
    int64_t seen;
};

static bool act_edit(struct api_act *act, void *state)
{
    const struct editing *e = state;
    return application_edit(&act->records, api_number(e->no), &e->person, e->seen);
}

static bool post_edit(struct request *r)
{
    struct editing e = {.seen = api_number(form_text(r, "seen"))};
    if (!caller_is_person(r, true) || !body_string(r, "application", &e.no))
        return false;
    if (!read_applicant(r, r->body, &e.person) || !api_write(r, act_edit, &e))
        return show(r, e.no);
    return page_go(r, "/parta/account?done=application_edited");
}

static bool act_withdraw(struct api_act *act, void *no)
{
    return application_withdraw(&act->records, api_number(no), 0);
}

static bool post_withdraw(struct request *r)
{
    const char *no;
    return caller_is_person(r, true) && body_string(r, "application", &no) && api_write(r, act_withdraw, (void *)no) &&
           page_go(r, "/parta/account?done=withdrawn");
}

static const struct route TABLE[] = {
    {HTTP_GET, "/parta/application/{application}", get_application, ROUTE_PENDING_TOO, RATE_READ, NULL},
    {HTTP_POST, "/parta/account/application", post_edit, ROUTE_PENDING_TOO | ROUTE_POSTS, RATE_WRITE, NULL, NULL,
     page_body_max},
    {HTTP_POST, "/parta/account/withdraw", post_withdraw, ROUTE_PENDING_TOO | ROUTE_POSTS, RATE_WRITE, NULL, NULL,
     page_body_max},
};
const struct routes PAGE_APPLICATION_ROUTES = ROUTES(TABLE);
