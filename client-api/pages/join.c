/* Signing up by a link (school.md C1–C5): a class's, a school's, a child's for a parent, or one that names the person.
 * Opening it spends nothing: mail scanners open links, too. */
#include <stdlib.h>
#include <string.h>

#include "client-api/login_common.h"
#include "client-api/pages/codes.h"
#include "client-api/pages/escape.h"
#include "client-api/pages/join.h"
#include "client-api/pages/page.h"
#include "client-api/pages/provider_name.h"
#include "client-api/pages/routes.h"
#include "client-api/pages/sign_in.h"
#include "homeserver/accounts/contacts.h"
#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/http/server.h"
#include "homeserver/oidc/providers.h"
#include "homeserver/store/matrix/users.h"
#include "policy/api/api.h"
#include "policy/api/signup_json.h"
#include "policy/signup/applications.h"
#include "policy/signup/contact_required.h"
#include "policy/signup/signup.h"

void join_address(const struct request *r, const char *token, struct text *out)
{
    link_address(r->server->config, token, out);
}

static bool open_link(struct request *r, const char *token, struct link_row *link)
{
    const struct signing_up signing_up = request_signing_up(r);
    return signup_open(&signing_up, r->db, token, link, &r->error);
}

static bool go_to_link(struct request *r, const char *token)
{
    struct text path = TEXT_INIT;
    text_adds(&path, JOIN_PATH);
    text_adds(&path, token);
    page_go(r, path.data);
    text_finish(&path);
    return true;
}

static enum word role_word(const struct link_row *link)
{
    char key[64] = "role.";
    if (link->kind == LINK_GUARDIAN)
        return WORD_ROLE_GUARDIAN;
    strncat(key, school_role_name(link->role), sizeof key - 6);
    return word_named(key);
}

/* Where they were going when they were asked to sign up (prompt=create); "": nowhere. */
static const char *next_of(struct request *r)
{
    const char *next = r->method == HTTP_GET ? query_get(r, "next") : form_text(r, "next");
    return path_is_local(next) ? next : "";
}

/* Where whoever has joined goes on: with the child whose link it was (D2), or where they were going. */
static void add_onward(struct text *out, struct request *r, enum link_kind kind, const char *token)
{
    const char *next = next_of(r);
    if (kind == LINK_GUARDIAN)
        text_addf(out, "%s%s", JOIN_PATH, token);
    else
        text_adds(out, *next != '\0' ? next : "/parta/account?done=joined");
}

/* sid, secret: of a code that was asked for; "": none yet. */
static bool show(struct request *r, const char *token, const struct link_row *link, const char *sid, const char *secret)
{
    unsigned needed = contact_required(r->db, r->server->contacts, link);
    json_t *place = json_object();
    bool personal = link->kind == LINK_PERSONAL;
    struct text again = TEXT_INIT;
    text_adds(&again, JOIN_PATH);
    text_adds(&again, token);
    if (*next_of(r) != '\0') {
        text_adds(&again, "?next=");
        put_url_piece(&again, next_of(r));
    }
    if (link->school != 0)
        signup_json_place(place, r->db, link->school, link->class);
    const struct oidc_providers *set = r->server->providers;
    size_t n = set != NULL && !personal ? set->n : 0;
    struct join_providers *providers = xcalloc(n + 1, sizeof *providers);
    for (size_t i = 0; i < n; ++i)
        providers[i] = (struct join_providers){set->all[i]->id, provider_name(r, set->all[i])};
    bool done = html_join(r, &(struct join_view){.token = token,
                                                 .providers = providers,
                                                 .providers_n = n,
                                                 .again = again.data,
                                                 .next = next_of(r),
                                                 .role = role_word(link),
                                                 .school = json_get_string(place, "school_name"),
                                                 .class_title = json_get_string(place, "class_title"),
                                                 .personal = personal,
                                                 .guardian = link->kind == LINK_GUARDIAN,
                                                 .contact_first = needed != 0 && *sid == '\0',
                                                 .coded = needed != 0 && *sid != '\0',
                                                 .contact = form_text(r, "contact"),
                                                 .sid = sid,
                                                 .secret = secret,
                                                 .given = form_text(r, "given_name"),
                                                 .family = form_text(r, "family_name"),
                                                 .middle = form_text(r, "middle_name"),
                                                 .birth = form_text(r, "birth_date"),
                                                 .birth_asked = link->role == ROLE_PUPIL,
                                                 .length_min = r->server->config->passwords.length_min});
    free(providers);
    json_decref(place);
    text_finish(&again);
    return done;
}

/* C5: "is that you?" Nothing is bound to a session by opening a link. */
static bool show_signed_in(struct request *r, const char *token, const struct link_row *link)
{
    json_t *name = signup_json_name(r->db, r->identity.user), *place = json_object();
    if (link->school != 0)
        signup_json_place(place, r->db, link->school, link->class);
    bool done = html_join_signed_in(
        r, &(struct join_signed_in_view){.token = token,
                                         .name = *json_string_value(name) != '\0' ? json_string_value(name)
                                                                                  : r->identity.user_id,
                                         .role = role_word(link),
                                         .school = json_get_string(place, "school_name"),
                                         .class_title = json_get_string(place, "class_title"),
                                         .may_apply = link->kind != LINK_PERSONAL});
    json_decref(name);
    json_decref(place);
    return done;
}

/* Who has an account by a child's link goes on with it, though it is used up for everybody else (D2). */
static bool get_join(struct request *r)
{
    struct link_row link;
    const char *token = r->params[0];
    if (r->identity.user != 0 && links_find(r->db, token, &link) && link.kind == LINK_GUARDIAN)
        return guardian_page(r, token);
    if (!open_link(r, token, &link))
        return false;
    return r->identity.user != 0 ? show_signed_in(r, token, &link) : show(r, token, &link, "", "");
}

static bool post_code(struct request *r)
{
    struct link_row link;
    struct page_code code;
    const char *token;
    if (!body_string(r, "token", &token) || !open_link(r, token, &link))
        return false;
    page_code_send(r, CODE_REGISTER, token, &code);
    return show(r, token, &link, code.sid, code.secret);
}

static bool sign_up(struct request *r, const struct link_row *link, const char *token, struct signup_result *result)
{
    const struct signing_up signing_up = request_signing_up(r);
    const struct device_wish wish = {.ip = r->ip, .page = true};
    struct registration registration = {.token = token, .password = form_text(r, "password"), .device = &wish};
    struct applicant person;
    const char *sid = form_text(r, "sid");
    if (!read_applicant(r, r->body, &person) || (*sid != '\0' && !page_code_right(r, CODE_REGISTER)))
        return false;
    if (link->kind != LINK_PERSONAL && (person.given[0] == '\0' || person.family[0] == '\0'))
        return refuse(r, ERROR_MISSING_PARAM, NULL);
    registration.sid = *sid != '\0' ? sid : NULL;
    return signup_by_link(&signing_up, r->db, &registration, &person, result, &r->error);
}

/* A form that was sent twice has done it the first time: whoever shows the password then chosen is who joined. The page
 * that the first answer led to, or false: r->error as it was. */
static bool joined_already(struct request *r, const char *token)
{
    struct link_row link;
    const char *password = form_text(r, "password");
    enum error_code code = r->error.code;
    if ((code != ERROR_NO_VALID_SESSION && code != ERROR_SESSION_EXPIRED && code != ERROR_FORBIDDEN) ||
        !links_find(r->db, token, &link))
        return false;
    struct text next = TEXT_INIT;
    add_onward(&next, r, link.kind, token);
    char *named = link.kind == LINK_PERSONAL ? users_id(r->db, r->server->config->server_name, link.person) : NULL;
    const char *typed = named != NULL ? named : form_text(r, "contact");
    bool done = *typed != '\0' && page_sign_in_instead(r, typed, password, next.data);
    free(named);
    text_finish(&next);
    return done;
}

static bool post_join(struct request *r)
{
    struct link_row link;
    struct signup_result result = {0};
    const char *token;
    if (!body_string(r, "token", &token))
        return false;
    if (r->identity.user != 0) /* somebody has signed in meanwhile */
        return go_to_link(r, token);
    if (!open_link(r, token, &link))
        return joined_already(r, token);
    if (!sign_up(r, &link, token, &result))
        return joined_already(r, token) || show(r, token, &link, form_text(r, "sid"), form_text(r, "client_secret"));
    struct text next = TEXT_INIT;
    add_onward(&next, r, result.kind, token);
    bool done = sign_in_enter(r, &result.login, next.data);
    text_finish(&next);
    return done;
}

static bool act_apply(struct api_act *act, void *token)
{
    struct applicant nobody = APPLICANT_NOBODY;
    return application_apply(&act->records, act->r->server->contacts, token, &nobody) != 0;
}

/* The form's token is of this very session, and says so (C5). */
static bool post_apply(struct request *r)
{
    const char *token;
    if (!caller_is_person(r, true) || !body_string(r, "token", &token) || !api_write(r, act_apply, (void *)token))
        return false;
    return page_go(r, "/parta/account?done=applied");
}

static bool post_not_me(struct request *r)
{
    const char *token;
    return body_string(r, "token", &token) && page_sign_out(r) && go_to_link(r, token);
}

#define ROUTE_JOINS (ROUTE_ANYBODYS_PAGE | ROUTE_POSTS)
static const struct route TABLE[] = {
    {HTTP_GET, "/parta/join/{token}", get_join, ROUTE_ANYBODYS_PAGE, RATE_LOGIN, NULL},
    {HTTP_POST, "/parta/join", post_join, ROUTE_JOINS | ROUTE_HASH, RATE_LOGIN, NULL, NULL, page_body_max},
    {HTTP_POST, "/parta/join-code", post_code, ROUTE_JOINS, RATE_CODES, NULL, NULL, page_body_max},
    {HTTP_POST, "/parta/join-not-me", post_not_me, ROUTE_JOINS, RATE_WRITE, NULL, NULL, page_body_max},
    {HTTP_POST, "/parta/join-apply", post_apply, ROUTE_PERSONS_PAGE | ROUTE_LOCKED_TOO | ROUTE_POSTS, RATE_WRITE, NULL,
     NULL, page_body_max},
};
const struct routes PAGE_JOIN_ROUTES = ROUTES(TABLE);
