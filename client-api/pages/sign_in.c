/* Signing in to the pages with a password, and out. */
#include "client-api/pages/sign_in.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "client-api/login_common.h"
#include "client-api/pages/cookies.h"
#include "client-api/pages/escape.h"
#include "client-api/pages/known_browser.h"
#include "client-api/pages/page.h"
#include "client-api/pages/provider_name.h"
#include "client-api/pages/routes.h"
#include "client-api/uia_threepid.h"
#include "homeserver/base/crypto.h"
#include "homeserver/http/server.h"
#include "homeserver/oidc/providers.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/page_sessions.h"
#include "homeserver/store/matrix/user_names.h"
#include "homeserver/store/matrix/users.h"

static const char *local_or_account(const char *next)
{
    return path_is_local(next) ? next : "/parta/account";
}

bool sign_in_page(struct request *r, const char *user, const char *next)
{
    const struct oidc_providers *set = r->server->providers;
    size_t n = set != NULL ? set->n : 0;
    struct sign_in_providers *providers = xcalloc(n + 1, sizeof *providers);
    for (size_t i = 0; i < n; ++i)
        providers[i] = (struct sign_in_providers){set->all[i]->id, provider_name(r, set->all[i])};
    char *already = page_who(r);
    bool done = html_sign_in(r, &(struct sign_in_view){.user = user,
                                                       .next = local_or_account(next),
                                                       .back = local_or_account(next),
                                                       .already = already,
                                                       .providers = providers,
                                                       .providers_n = n,
                                                       .recovery = uia_threepid_offered_any(r)});
    free(already);
    free(providers);
    return done;
}

static bool get_sign_in(struct request *r)
{
    if (!page_is_secure(r) && !page_is_loopback(r))
        return page_refuse(r, ERROR_FORBIDDEN, WORD_ERROR_NEEDS_HTTPS);
    return sign_in_page(r, "", query_get(r, "next"));
}

/* What was typed into the one field, as a login object names people: a number, an address, or a user. */
static json_t *identifier_of(const char *typed)
{
    const char *at = strchr(typed, '@');
    bool digits = typed[strspn(typed, "0123456789+-() ")] == '\0' && strlen(typed) > 5;
    if (digits)
        return json_pack("{s:{s:s, s:s, s:s}}", "identifier", "type", "m.id.thirdparty", "medium", "msisdn", "address",
                         typed);
    if (at != NULL && at != typed)
        return json_pack("{s:{s:s, s:s, s:s}}", "identifier", "type", "m.id.thirdparty", "medium", "email", "address",
                         typed);
    return json_pack("{s:s}", "user", typed);
}

/* The same steps as POST /login: counted by account, hashed here, written by the same job. NULL: r->error. */
static struct login_job *begin(struct request *r, const char *typed, const char *password)
{
    const struct device_wish wish = {.ip = r->ip, .page = true};
    char identified[IDENTIFIER_BYTES], browser[KNOWN_BROWSER_BYTES];
    const struct accounts *accounts = r->server->accounts;
    json_t *object = identifier_of(typed);
    const char *user = identifier_user(r, object, identified);
    const char *known = user != NULL ? known_browser(r, login_user_of(accounts, r->db, user), browser) : NULL;
    struct login_job *job = user != NULL && account_attempt(r, user, known)
                                ? login_begin(accounts, r->db, user, password, &wish, &r->error)
                                : NULL;
    json_decref(object);
    return job;
}

struct keeping {
    user_no user;
    const char *language;
};

static bool job_language(struct tx *tx, void *arg, struct error *e)
{
    const struct keeping *k = arg;
    return users_set_language(tx, k->user, k->language) || error_set(e, ERROR_UNKNOWN, NULL);
}

bool page_language_keep(struct request *r, user_no user, const char *language)
{
    struct keeping keeping = {user, language};
    return writer_run(r->server->writer, job_language, &keeping, &r->error);
}

bool sign_in_enter(struct request *r, struct login_result *result, const char *next)
{
    user_no user = result->user;
    const char *chosen = language_chosen(r);
    char *kept = chosen != NULL ? users_language(r->db, user) : NULL;
    if (chosen != NULL && kept == NULL && !page_language_keep(r, user, chosen))
        r->error = (struct error){0}; /* signed in all the same */
    free(kept);
    known_browser_remember(r, user);
    page_set_cookie(r, COOKIE_SESSION, result->access_token, 0);
    login_result_finish(result);
    return page_go_signed_in(r, user, next);
}

static bool finish(struct request *r, struct login_job *job, const char *next)
{
    struct login_result result;
    if (!writer_run(r->server->writer, login_write, job, &r->error))
        return false;
    login_end(job, &result);
    return sign_in_enter(r, &result, next);
}

bool sign_in_ask_code(struct request *r, const char *token, const char *next)
{
    return html_sign_in_code(r, &(struct sign_in_code_view){.token = token, .next = local_or_account(next)});
}

bool page_sign_in_instead(struct request *r, const char *typed, const char *password, const char *next)
{
    const struct error why = r->error;
    r->error = (struct error){0};
    struct login_job *job = begin(r, typed, password);
    bool done = job != NULL && !login_wants_factor(job) && finish(r, job, next);
    free(job);
    if (!done)
        r->error = why;
    return done;
}

/* The password was right; what says so lies in the form, for some minutes and one use. */
static bool ask_code(struct request *r, const struct login_job *job, const char *next)
{
    char token[TOKEN_CHARS + 1];
    login_factor_issue(r->server->accounts, job, token);
    return sign_in_ask_code(r, token, next);
}

static bool post_sign_in(struct request *r)
{
    const char *user, *password, *next;
    if (!body_string(r, "user", &user) || !body_string(r, "password", &password) ||
        !body_string_or(r, "next", "", &next))
        return false;
    struct login_job *job = begin(r, user, password);
    bool done = job != NULL && (login_wants_factor(job) ? ask_code(r, job, next) : finish(r, job, next));
    free(job);
    if (done)
        return true;
    if (r->error.code == ERROR_FORBIDDEN)
        page_refuse(r, ERROR_FORBIDDEN, WORD_SIGN_IN_WRONG);
    return sign_in_page(r, user, next);
}

/* A code is guessed at as a password is, and counted with it. */
static bool code_right(struct request *r, struct login_job *job, const char *next)
{
    char browser[KNOWN_BROWSER_BYTES];
    user_no user = login_job_user(job);
    const char *user_id = user_names_get(r->server->names, r->db, user);
    return user_id != NULL && account_attempt(r, user_id, known_browser(r, user, browser)) && finish(r, job, next);
}

static bool post_code(struct request *r)
{
    const struct device_wish wish = {.ip = r->ip, .page = true};
    const char *token, *code, *next;
    if (!body_string(r, "token", &token) || !body_string(r, "code", &code) || !body_string_or(r, "next", "", &next))
        return false;
    struct login_job *job = login_begin_by_factor(r->server->accounts, r->db, token, code, &wish, &r->error);
    if (job == NULL) {
        page_refuse(r, ERROR_FORBIDDEN, WORD_ERROR_OLD_FORM);
        return sign_in_page(r, "", next);
    }
    bool done = code_right(r, job, next);
    if (!done && r->error.code == ERROR_FORBIDDEN)
        page_refuse(r, ERROR_FORBIDDEN, WORD_FACTOR_WRONG);
    done = done || ask_code(r, job, next);
    free(job);
    return done;
}

static bool job_end(struct tx *tx, void *hash, struct error *e)
{
    return page_sessions_delete(tx, hash);
}

bool page_sign_out(struct request *r)
{
    char token[COOKIE_BYTES];
    unsigned char hash[TOKEN_HASH_BYTES];
    if (page_cookie(r, COOKIE_SESSION, token)) {
        token_hash(token, hash);
        if (!writer_run(r->server->writer, job_end, hash, &r->error))
            return false;
    }
    page_set_cookie(r, COOKIE_SESSION, "", -1);
    return true;
}

static bool post_sign_out(struct request *r)
{
    return page_sign_out(r) && page_go(r, "/parta/sign-in?done=signed_out");
}

static const struct route TABLE[] = {
    {HTTP_GET, "/parta/sign-in", get_sign_in, ROUTE_ANYBODYS_PAGE, RATE_NONE, NULL},
    {HTTP_POST, "/parta/sign-in", post_sign_in, ROUTE_ANYBODYS_PAGE | ROUTE_POSTS | ROUTE_HASH, RATE_LOGIN, NULL, NULL,
     page_body_max},
    {HTTP_POST, "/parta/sign-in/code", post_code, ROUTE_ANYBODYS_PAGE | ROUTE_POSTS, RATE_LOGIN, NULL, NULL,
     page_body_max},
    {HTTP_POST, "/parta/sign-out", post_sign_out, ROUTE_ANYBODYS_PAGE | ROUTE_POSTS, RATE_NONE, NULL, NULL,
     page_body_max},
};
const struct routes PAGE_SIGN_IN_ROUTES = ROUTES(TABLE);
