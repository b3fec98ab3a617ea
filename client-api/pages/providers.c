/* Signing in at a provider (school.md C1a), and which are linked to one's account. The order of the answer is that of
 * oidc/attempt.h: it is of this browser, it is taken once, then the provider is asked. Handlers here wait for it, on
 * workers; oidc/client.h bounds how many and how long. */
#include <stdlib.h>
#include <string.h>

#include "client-api/login_common.h"
#include "client-api/pages/cookies.h"
#include "client-api/pages/escape.h"
#include "client-api/pages/page.h"
#include "client-api/pages/proof.h"
#include "client-api/pages/provider_name.h"
#include "client-api/pages/routes.h"
#include "client-api/pages/sign_in.h"
#include "client-api/pages/view_rows.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/log.h"
#include "homeserver/http/server.h"
#include "homeserver/oidc/providers.h"
#include "homeserver/store/matrix/identities.h"
#include "policy/signup/provider_sign_in.h"

#define WITH_PATH "/parta/sign-in/with/"
#define HERE "/parta/account/providers"

/* Which of server->providers that id is; −1: refused. */
static int which(struct request *r, const char *id)
{
    const struct oidc_providers *set = r->server->providers;
    size_t i = oidc_providers_find(set, id);
    if (set != NULL && i < set->n)
        return (int)i;
    page_refuse(r, ERROR_NOT_FOUND, WORD_ERROR_NOT_FOUND);
    return -1;
}

static void add_callback(struct text *out, const struct request *r, const struct oidc_provider *provider)
{
    const struct config *config = r->server->config;
    if (config->public_baseurl != NULL)
        text_adds(out, config->public_baseurl);
    else
        text_addf(out, "https://%s", config->server_name);
    text_addf(out, WITH_PATH "%s/callback", provider->id);
}

/* --- Going there --- */

static bool leave_for(struct request *r, const struct text *address)
{
    page_go(r, "/parta/sign-in");
    reply_header(r, "location", address->data);
    reply_header(r, "referrer-policy", "no-referrer");
    return true;
}

static bool cannot(struct request *r, const struct oidc_provider *provider, enum oidc_outcome outcome,
                   const struct text *problem)
{
    log_warn("oidc", "%s: %s", provider->id, problem->data != NULL ? problem->data : "no answer");
    return outcome == OIDC_AWAY ? page_refuse(r, ERROR_UNAVAILABLE, WORD_PROVIDER_AWAY)
                                : page_refuse(r, ERROR_FORBIDDEN, WORD_PROVIDER_REFUSED);
}

/* What stands before the attempt's next: whether whoever comes back is to have proven anew who they are. */
#define ANEW '!'
#define ANYHOW '.'

static bool go(struct request *r, const struct oidc_providers *set, int i, const char *next)
{
    bool anew = r->identity.user != 0; /* for a proof, or to link: not by a session that was left open there */
    struct text marked = TEXT_INIT, state = TEXT_INIT, address = TEXT_INIT, callback = TEXT_INIT, problem = TEXT_INIT;
    struct oidc_attempt_values values;
    char visit[COOKIE_BYTES];
    if (!page_cookie(r, COOKIE_VISIT, visit)) {
        random_name(visit, TOKEN_CHARS);
        page_set_cookie(r, COOKIE_VISIT, visit, 0);
    }
    const struct oidc_attempt_of of = {set->key, set->all[i]->id, visit};
    text_addf(&marked, "%c%s", anew ? ANEW : ANYHOW, next);
    oidc_attempt_begin(&of, marked.data, clock_wall_ms() / 1000, &state);
    oidc_attempt_values(&of, state.data, &values);
    add_callback(&callback, r, set->all[i]);
    const struct oidc_asking asking = {callback.data, state.data, values.nonce, values.challenge, anew};
    enum oidc_outcome outcome = oidc_client_address(set->clients[i], &asking, &address, &problem);
    bool done = outcome == OIDC_GOOD ? leave_for(r, &address) : cannot(r, set->all[i], outcome, &problem);
    text_finish(&marked);
    text_finish(&state);
    text_finish(&address);
    text_finish(&callback);
    text_finish(&problem);
    return done;
}

static bool get_with(struct request *r)
{
    const char *next = query_get(r, "next");
    int i = which(r, r->params[0]);
    if (i < 0)
        return false;
    if (!page_is_secure(r) && !page_is_loopback(r))
        return page_refuse(r, ERROR_FORBIDDEN, WORD_ERROR_NEEDS_HTTPS);
    bool known = path_is_local(next) && strlen(next) < OIDC_ATTEMPT_NEXT_MAX;
    return go(r, r->server->providers, i, known ? next : "/parta/account") || sign_in_page(r, "", known ? next : NULL);
}

/* --- Coming back --- */

/* What came back belongs to this browser, is in time, and is taken from now on. */
static bool taken(struct request *r, const struct oidc_attempt_of *of, const char *state, struct text *next)
{
    int64_t now_s = clock_wall_ms() / 1000;
    return (state != NULL && *of->visit != '\0' && oidc_attempt_holds(of, state, now_s, next) &&
            oidc_taken_put(r->server->providers->taken, state, now_s)) ||
           page_refuse(r, ERROR_FORBIDDEN, WORD_PROVIDER_OLD);
}

static bool ask(struct request *r, int i, const struct oidc_attempt_of *of, const char *state, bool anew,
                struct oidc_person *person)
{
    const struct oidc_providers *set = r->server->providers;
    const char *code = query_get(r, "code");
    struct oidc_attempt_values values;
    struct text callback = TEXT_INIT, problem = TEXT_INIT;
    *person = (struct oidc_person){0};
    if (query_get(r, "error") != NULL || code == NULL)
        return page_refuse(r, ERROR_FORBIDDEN, WORD_PROVIDER_REFUSED);
    oidc_attempt_values(of, state, &values);
    add_callback(&callback, r, set->all[i]);
    struct oidc_answer answer = {.code = code,
                                 .iss = query_get(r, "iss"),
                                 .redirect_uri = callback.data,
                                 .nonce = values.nonce,
                                 .verifier = values.verifier,
                                 .now_s = clock_wall_ms() / 1000,
                                 .since_s = anew ? oidc_attempt_began(state) : 0};
    for (int k = 0; k < OIDC_HANDED_ON_MAX && set->all[i]->handed_on[k] != NULL; ++k)
        answer.handed_on[k] = query_get(r, set->all[i]->handed_on[k]);
    enum oidc_outcome outcome = oidc_client_person(set->clients[i], &answer, person, &problem);
    bool done = outcome == OIDC_GOOD || cannot(r, set->all[i], outcome, &problem);
    text_finish(&callback);
    text_finish(&problem);
    return done;
}

/* Which records of which schools the provider says are the person's. */
struct named {
    struct provider_record records[OIDC_SCHOOLS_MAX];
    char ids[OIDC_SCHOOLS_MAX][ID_BYTES_MAX + 1];
};

static struct named *records_of(const struct oidc_provider *provider, const struct oidc_person *person)
{
    struct named *named = xcalloc(1, sizeof *named);
    for (size_t i = 0; i < provider->n_schools; ++i) {
        bool said = oidc_claim(person->claims, provider->schools[i].claim, named->ids[i], sizeof named->ids[i]);
        named->records[i] = (struct provider_record){provider->schools[i].sourced_id, said ? named->ids[i] : NULL};
    }
    return named;
}

/* A session begins, also in place of one that is there already: who has just come from the provider has proven anew
 * that it is them. */
static bool enter(struct request *r, struct arrival *arrival, const char *next)
{
    if (arrival->wants_factor) {
        char token[TOKEN_CHARS + 1];
        login_factor_issue_to(r->server->accounts, r->db, arrival->user, token);
        return sign_in_ask_code(r, token, next);
    }
    if (r->identity.user != 0 && !page_sign_out(r)) {
        login_result_finish(&arrival->login);
        return false;
    }
    return sign_in_enter(r, &arrival->login, next);
}

/* Whoever was signed in at the provider already has proven nothing now: it is their session here, and no proof. */
static bool is_stale(const struct oidc_person *person, bool anew)
{
    return !anew && person->auth_time_s < clock_wall_ms() / 1000 - PAGE_FRESH_MS / 1000;
}

static bool sign_in(struct request *r, const struct oidc_provider *provider, const struct oidc_person *person,
                    bool anew, const char *next)
{
    const struct signing_up signing_up = request_signing_up(r);
    const struct device_wish wish = {.ip = r->ip, .page = true, .stale = is_stale(person, anew)};
    struct named *named = records_of(provider, person);
    const struct provider_arrival who = {.identity = {provider->issuer, person->subject},
                                         .provider = provider->id,
                                         .records = named->records,
                                         .n_records = provider->n_schools};
    struct arrival arrival;
    bool done = provider_sign_in(&signing_up, r->db, &who, &wish, &arrival, &r->error) && enter(r, &arrival, next);
    free(named);
    return done;
}

/* --- C5: somebody is signed in already, and this is not theirs yet --- */

/* What the form brings back, bound to the session as a state is to a visit; no provider's id has a space. */
static void session_of(const struct request *r, const struct oidc_provider *provider, char session[COOKIE_BYTES],
                       struct text *what, struct oidc_attempt_of *of)
{
    if (!page_cookie(r, COOKIE_SESSION, session))
        session[0] = '\0';
    text_addf(what, "link %s", provider->id);
    *of = (struct oidc_attempt_of){r->server->providers->key, what->data, session};
}

static bool show_link(struct request *r, const struct oidc_provider *provider, const char *identity)
{
    return html_provider_link(r, &(struct provider_link_view){.provider = provider->id,
                                                              .name = provider_name(r, provider),
                                                              .identity = identity,
                                                              .me = r->identity.user_id,
                                                              .password = has_password(r),
                                                              .factor = page_wants_factor(r)});
}

static bool ask_to_link(struct request *r, const struct oidc_provider *provider, const char *subject)
{
    char session[COOKIE_BYTES];
    struct text what = TEXT_INIT, identity = TEXT_INIT;
    struct oidc_attempt_of of;
    session_of(r, provider, session, &what, &of);
    oidc_attempt_begin(&of, subject, clock_wall_ms() / 1000, &identity);
    bool done = show_link(r, provider, identity.data);
    text_finish(&what);
    text_finish(&identity);
    return done;
}

static bool arrive(struct request *r, const struct oidc_provider *provider, const struct oidc_person *person, bool anew,
                   const char *next)
{
    const struct identity_of identity = {provider->issuer, person->subject};
    user_no owner = r->identity.user != 0 ? identities_owner(r->db, &identity) : 0;
    if (r->identity.user != 0 && owner == 0)
        return ask_to_link(r, provider, person->subject);
    if (owner != r->identity.user)
        return page_refuse(r, ERROR_CONFLICT, WORD_PROVIDER_OTHERS);
    return sign_in(r, provider, person, anew, next);
}

static bool get_callback(struct request *r)
{
    struct oidc_person person = {0};
    struct text next = TEXT_INIT;
    char visit[COOKIE_BYTES];
    const char *state = query_get(r, "state");
    int i = which(r, r->params[0]);
    if (i < 0)
        return false;
    if (!page_cookie(r, COOKIE_VISIT, visit))
        visit[0] = '\0';
    const struct oidc_provider *provider = r->server->providers->all[i];
    const struct oidc_attempt_of of = {r->server->providers->key, provider->id, visit};
    bool there = taken(r, &of, state, &next), marked = next.data != NULL && next.len != 0;
    bool anew = marked && next.data[0] == ANEW;
    const char *path = marked ? next.data + 1 : NULL;
    bool done = there && ask(r, i, &of, state, anew, &person) && arrive(r, provider, &person, anew, path);
    if (!done && r->identity.user == 0)
        done = sign_in_page(r, "", path);
    oidc_person_finish(&person);
    text_finish(&next);
    return done;
}

/* --- One's own --- */

struct linked {
    const struct request *r;
    struct view_rows rows;
};

static void add_identity(void *arg, const struct identity_row *identity)
{
    struct linked *l = arg;
    const struct oidc_provider *provider = oidc_providers_of_issuer(l->r->server->providers, identity->issuer);
    struct providers_rows *row = view_rows_add(&l->rows, sizeof *row);
    row->issuer = view_rows_text(&l->rows, identity->issuer);
    row->name = provider != NULL ? provider_name(l->r, provider) : row->issuer;
    row->linked = identity->linked_ms;
}

static bool get_providers(struct request *r)
{
    struct linked linked = {.r = r};
    const struct oidc_providers *set = r->server->providers;
    size_t n = set != NULL ? set->n : 0;
    struct providers_offered *offered = xcalloc(n + 1, sizeof *offered);
    for (size_t i = 0; i < n; ++i)
        offered[i] = (struct providers_offered){set->all[i]->id, provider_name(r, set->all[i])};
    identities_each(r->db, r->identity.user, add_identity, &linked);
    bool done = html_providers(r, &(struct providers_view){.rows = linked.rows.all,
                                                           .rows_n = linked.rows.n,
                                                           .offered = offered,
                                                           .offered_n = n,
                                                           .password = has_password(r),
                                                           .factor = page_wants_factor(r)});
    view_rows_finish(&linked.rows);
    free(offered);
    return done;
}

static bool link_identity(struct request *r, const struct oidc_provider *provider, const char *sealed)
{
    char session[COOKIE_BYTES];
    struct text what = TEXT_INIT, subject = TEXT_INIT;
    struct oidc_attempt_of of;
    session_of(r, provider, session, &what, &of);
    bool done = session[0] != '\0' && oidc_attempt_holds(&of, sealed, clock_wall_ms() / 1000, &subject);
    if (!done)
        page_refuse(r, ERROR_FORBIDDEN, WORD_PROVIDER_OLD);
    else if (!page_password_proven(r))
        done = show_link(r, provider, sealed);
    else
        done = provider_link(r->server->accounts, r->identity.user,
                             &(struct identity_of){provider->issuer, subject.data}, &r->error) &&
               page_go(r, HERE "?done=provider_linked");
    text_finish(&what);
    text_finish(&subject);
    return done;
}

static bool post_link(struct request *r)
{
    const char *id, *sealed;
    if (!body_string(r, "provider", &id) || !body_string(r, "identity", &sealed))
        return false;
    int i = which(r, id);
    return i >= 0 && link_identity(r, r->server->providers->all[i], sealed);
}

static bool post_unlink(struct request *r)
{
    const char *issuer;
    if (!body_string(r, "issuer", &issuer))
        return false;
    if (!page_password_proven(r) || !provider_unlink(r->server->accounts, r->identity.user, issuer, &r->error))
        return get_providers(r);
    return page_go(r, HERE "?done=provider_unlinked");
}

#define ROUTE_PROVEN (ROUTE_PERSONS_PAGE | ROUTE_LOCKED_TOO | ROUTE_POSTS | ROUTE_HASH)
static const struct route TABLE[] = {
    {HTTP_GET, WITH_PATH "{providerId}", get_with, ROUTE_ANYBODYS_PAGE, RATE_LOGIN, NULL},
    {HTTP_GET, WITH_PATH "{providerId}/callback", get_callback, ROUTE_ANYBODYS_PAGE, RATE_LOGIN, NULL},
    {HTTP_GET, HERE, get_providers, ROUTE_PERSONS_PAGE | ROUTE_LOCKED_TOO, RATE_NONE, NULL},
    {HTTP_POST, HERE "/link", post_link, ROUTE_PROVEN, RATE_WRITE, NULL, NULL, page_body_max},
    {HTTP_POST, HERE "/unlink", post_unlink, ROUTE_PROVEN, RATE_WRITE, NULL, NULL, page_body_max},
};
const struct routes PAGE_PROVIDER_ROUTES = ROUTES(TABLE);
