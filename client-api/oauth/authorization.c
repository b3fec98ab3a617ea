#include "client-api/oauth/authorization.h"

#include <string.h>

#include "client-api/oauth/client_metadata.h"
#include "client-api/oauth/common.h"
#include "client-api/oauth/scope.h"
#include "homeserver/base/json.h"
#include "homeserver/base/percent.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"

#define CHALLENGE_CHARS 43  /* base64url of SHA-256 */
#define STATE_BYTES_MAX 512 /* what comes back in an address */

/* *n: how often it is there (RFC 6749, 3.1: once). */
static const char *parameter(struct request *r, const char *name, int *n)
{
    const char *value = NULL;
    *n = 0;
    if (r->method == HTTP_POST) {
        value = json_get_string(r->body, name);
        *n = value != NULL;
    }
    for (int i = 0; r->method != HTTP_POST && i < r->n_query; ++i)
        if (strcmp(r->query[i].name, name) == 0 && (*n)++ == 0)
            value = r->query[i].value;
    return value != NULL && *value != '\0' ? value : NULL;
}

static bool read_parameters(struct request *r, struct authorization_parameters *out)
{
    bool once = true;
    int n;
#define X(name)                                                                                                        \
    out->name = parameter(r, #name, &n);                                                                               \
    once = once && n <= 1;
    AUTHORIZATION_PARAMETERS(X)
#undef X
    return once;
}

static bool is(const char *value, const char *word)
{
    return value != NULL && strcmp(value, word) == 0;
}

static bool is_challenge(const char *s)
{
    return s != NULL && strlen(s) == CHALLENGE_CHARS &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == CHALLENGE_CHARS;
}

static bool asks_for_code(const struct authorization *a)
{
    return is(a->asked.response_type, "code");
}

static bool is_allowed(const struct authorization *a)
{
    return client_metadata_allows(a->client.metadata, "authorization_code");
}

static bool mode_is_known(const struct authorization *a)
{
    return a->asked.response_mode == NULL || a->fragment || is(a->asked.response_mode, "query");
}

/* A code without PKCE would be anybody's who sees it (RFC 9700, 2.1.1); "plain" shows the verifier itself. */
static bool has_challenge(const struct authorization *a)
{
    return is(a->asked.code_challenge_method, "S256") && is_challenge(a->asked.code_challenge);
}

static bool state_is_short(const struct authorization *a)
{
    return a->asked.state == NULL || strlen(a->asked.state) <= STATE_BYTES_MAX;
}

static bool has_scope(const struct authorization *a)
{
    return a->scope.len != 0;
}

/* prompt=none asks to be let in without a page: the person is always asked. */
static bool may_prompt(const struct authorization *a)
{
    return !is(a->asked.prompt, "none");
}

/* What a good request keeps, in the order in which it is looked at. */
static const struct {
    bool (*holds)(const struct authorization *a);
    enum oauth_error refused;
    const char *description;
} CHECKS[] = {
    {state_is_short, OAUTH_INVALID_REQUEST, "state is too long."},
    {asks_for_code, OAUTH_UNSUPPORTED_RESPONSE_TYPE, NULL},
    {is_allowed, OAUTH_UNAUTHORIZED_CLIENT, NULL},
    {mode_is_known, OAUTH_INVALID_REQUEST, "response_mode is \"query\" or \"fragment\"."},
    {has_challenge, OAUTH_INVALID_REQUEST, "code_challenge with the method S256 is needed."},
    {has_scope, OAUTH_INVALID_SCOPE, NULL},
    {may_prompt, OAUTH_INVALID_REQUEST, "The person is always asked."},
};

static void refuse_request(struct authorization *a, enum oauth_error why, const char *description)
{
    a->refused = why;
    a->description = description;
}

void authorization_read(struct request *r, struct authorization *out)
{
    *out = (struct authorization){0};
    bool once = read_parameters(r, &out->asked);
    const struct authorization_parameters *asked = &out->asked;
    if (asked->client_id == NULL || !oauth_client_find(r->db, asked->client_id, &out->client)) {
        refuse_request(out, OAUTH_INVALID_CLIENT, NULL);
        return;
    }
    if (asked->redirect_uri == NULL || !client_metadata_has_redirect(out->client.metadata, asked->redirect_uri)) {
        refuse_request(out, OAUTH_INVALID_REDIRECT_URI, NULL);
        return;
    }
    out->redirectable = true;
    out->fragment = is(asked->response_mode, "fragment");
    if (asked->scope == NULL || !scope_parse(asked->scope, out->device_id, &out->scope))
        text_clear(&out->scope);
    for (size_t i = 0; out->refused == OAUTH_OK && i < sizeof CHECKS / sizeof *CHECKS; ++i)
        if (!CHECKS[i].holds(out))
            refuse_request(out, CHECKS[i].refused, CHECKS[i].description);
    if (!once)
        refuse_request(out, OAUTH_INVALID_REQUEST, "A parameter is there twice.");
}

void authorization_finish(struct authorization *a)
{
    oauth_client_finish(&a->client);
    text_finish(&a->scope);
}

void authorization_add_answer(struct text *out, const struct request *r, const struct authorization *a,
                              const char *code)
{
    struct text issuer = TEXT_INIT;
    const char *uri = a->asked.redirect_uri;
    char sep = '#';
    if (!a->fragment)
        sep = "?&"[strchr(uri, '?') != NULL];
    const char *description = a->description != NULL ? a->description : oauth_error_description(a->refused);
    oauth_add_base(&issuer, r->server->config);
    text_addc(&issuer, '/');
    text_adds(out, uri);
    text_add_pair(out, sep, code != NULL ? "code" : "error", code != NULL ? code : oauth_error_name(a->refused));
    if (code == NULL)
        text_add_pair(out, '&', "error_description", description);
    if (a->asked.state != NULL && state_is_short(a))
        text_add_pair(out, '&', "state", a->asked.state);
    text_add_pair(out, '&', "iss", issuer.data);
    text_finish(&issuer);
}

bool authorization_allow(struct request *r, const struct authorization *a, struct text *out)
{
    char code[TOKEN_CHARS + 1];
    const struct oauth_allowed allowed = {.user = r->identity.user,
                                          .client = a->client.no,
                                          .redirect_uri = a->asked.redirect_uri,
                                          .challenge = a->asked.code_challenge,
                                          .device_id = a->device_id,
                                          .scope = a->scope.data};
    if (!oauth_code_issue(r->server->accounts, &allowed, code, &r->error))
        return false;
    authorization_add_answer(out, r, a, code);
    return true;
}
