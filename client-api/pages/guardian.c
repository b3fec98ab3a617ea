/* A parent opens the child's link: sees the child's data, corrects what is wrong, confirms (school.md D2, D4, D10). */
#include <stdlib.h>
#include <string.h>

#include "client-api/pages/corrections.h"
#include "client-api/pages/join.h"
#include "client-api/pages/page.h"
#include "client-api/pages/routes.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/rooms/rooms.h"
#include "homeserver/store/school/people.h"
#include "policy/api/api.h"
#include "policy/api/signup_json.h"
#include "policy/signup/applications.h"
#include "policy/signup/guardians.h"

static bool look(struct request *r, const char *token, struct guardian_view *view)
{
    struct actor actor;
    return caller_is_person(r, true) && api_caller(r, &actor) &&
           guardian_look(r->db, rooms_settings(r->server->rooms)->school_mode, &actor, r->server->contacts, token,
                         clock_wall_ms(), view, &r->error);
}

static bool refused_by(const struct request *r, enum rule_refusal refusal)
{
    const char *code = refusal_of(refusal)->code;
    return r->error.rule_code != NULL && strcmp(r->error.rule_code, code) == 0;
}

/* D4: what was refused, and the way on from it: another account, or an address of one's own. */
static bool show_refused(struct request *r, const char *token)
{
    if (r->error.code == ERROR_CONFLICT)
        page_refuse(r, ERROR_CONFLICT, WORD_ERROR_GUARDIAN_ALREADY);
    char *me = page_who(r);
    bool done =
        html_confirm_refused(r, &(struct confirm_refused_view){.token = token,
                                                               .me = me,
                                                               .contacts = refused_by(r, RULE_D4_OWN_CONTACT),
                                                               .already = r->error.code == ERROR_CONFLICT,
                                                               .other_account = refused_by(r, RULE_D2_ADULTS_ONLY)});
    free(me);
    return done;
}

/* What they have typed already: here, or when they signed up by this very link. */
static const char *own_name(const struct request *r, const char *field, const char *said)
{
    const char *typed = form_text(r, field);
    return *typed != '\0' || said == NULL ? typed : said;
}

bool guardian_page(struct request *r, const char *token)
{
    struct guardian_view view;
    struct person_row self;
    if (!look(r, token, &view))
        return show_refused(r, token);
    bool known = people_get(r->db, r->identity.user, &self) && !self.ended;
    person_row_finish(&self);
    struct application_row begun = {0};
    if (view.begun != 0)
        applications_get(r->db, view.begun, &begun);
    char *me = page_who(r);
    json_t *child = signup_json_child(r, view.link.person);
    const char *birth = json_get_string(child, "birth_date"), *corrections = json_get_string(child, "corrections");
    bool done = html_confirm(
        r, &(struct confirm_view){.token = token,
                                  .seen = guardian_child_version(r->db, view.link.person),
                                  .me = me,
                                  .given = json_get_string(child, "given_name"),
                                  .family = json_get_string(child, "family_name"),
                                  .middle = json_get_string(child, "middle_name"),
                                  .birth = birth != NULL ? day_from(birth) : DAY_EVER,
                                  .birth_text = birth,
                                  .school = json_get_string(child, "school_name"),
                                  .class_title = json_get_string(child, "class_title"),
                                  .names_needed = !known,
                                  .own_given = own_name(r, "given_name", begun.person.given),
                                  .own_family = own_name(r, "family_name", begun.person.family),
                                  .own_middle = own_name(r, "middle_name", begun.person.middle),
                                  .note = form_text(r, "note"),
                                  .by_school = corrections != NULL && strcmp(corrections, "by_the_school") == 0});
    json_decref(child);
    free(me);
    application_finish(&begun);
    return done;
}

struct confirming {
    struct guardian_confirmation confirmation;
    enum guardian_outcome outcome;
    enum correction_outcome correction;
};

static bool act_confirm(struct api_act *act, void *state)
{
    struct confirming *c = state;
    return guardian_confirm(&act->records, &c->confirmation, &c->outcome, &c->correction);
}

/* The form's token is of this very session: it binds to nobody else (C5). */
static bool post_confirm(struct request *r)
{
    struct guardian_view view;
    struct confirming c = {.confirmation = {.contacts = r->server->contacts, .seen = api_number(form_text(r, "seen"))}};
    if (!body_string(r, "token", &c.confirmation.token))
        return false;
    if (!look(r, c.confirmation.token, &view)) /* a form that was sent twice has done it the first time */
        return r->error.code == ERROR_CONFLICT ? page_go(r, "/parta/account?done=confirmed")
                                               : show_refused(r, c.confirmation.token);
    json_t *record = signup_json_child(r, view.link.person);
    bool done = read_applicant(r, r->body, &c.confirmation.self) &&
                page_read_corrections(r, record, &c.confirmation.child) && api_write(r, act_confirm, &c);
    json_decref(record);
    if (!done)
        return guardian_page(r, c.confirmation.token);
    return page_go(r, c.outcome == GUARDIAN_WAITS       ? "/parta/account?done=confirm_waits"
                      : c.correction == CORRECTION_NONE ? "/parta/account?done=confirmed"
                      : c.correction == CORRECTION_MADE ? "/parta/account?done=confirmed"
                                                        : "/parta/account?done=confirmed_asked");
}

static const struct route TABLE[] = {
    {HTTP_POST, "/parta/join-confirm", post_confirm, ROUTE_PERSONS_PAGE | ROUTE_LOCKED_TOO | ROUTE_POSTS, RATE_WRITE,
     NULL, NULL, page_body_max},
};
const struct routes PAGE_GUARDIAN_ROUTES = ROUTES(TABLE);
