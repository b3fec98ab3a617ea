#include "homeserver/oidc/provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/json.h"
#include "homeserver/base/json_path.h"
#include "homeserver/base/names.h"
#include "homeserver/base/settings.h"
#include "homeserver/base/words.h"
#include "homeserver/oidc/jose.h"

#define SCOPE_BYTES_MAX 1000

enum {
    ID,
    ISSUER,
    CLIENT_ID,
    SECRET_FILE,
    CLIENT_AUTH,
    CA_FILE,
    DISCOVERY,
    PRIVATE_NETWORK,
    IDENTITY,
    SCOPES,
    ALGORITHMS,
    NAME_RU,
    NAME_EN,
    AUTHORIZATION,
    TOKEN,
    KEYS,
    USERINFO,
    SUBJECT,
    SOURCED_ID,
    SCHOOLS,
    HANDED_ON,
    USERINFO_TOKEN,
    AUTH_TIME,
    NAMES
};

static const struct setting_name TABLE[NAMES] = {
    [ID] = {"id"},
    [ISSUER] = {"issuer"},
    [CLIENT_ID] = {"client_id"},
    [SECRET_FILE] = {"client_secret_file"},
    [CLIENT_AUTH] = {"client_auth"},
    [CA_FILE] = {"ca_file"},
    [DISCOVERY] = {"discovery"},
    [PRIVATE_NETWORK] = {"private_network"},
    [IDENTITY] = {"identity"},
    [SCOPES] = {"scopes", true},
    [ALGORITHMS] = {"algorithms", true},
    [NAME_RU] = {"name.ru"},
    [NAME_EN] = {"name.en"},
    [AUTHORIZATION] = {"endpoints.authorization"},
    [TOKEN] = {"endpoints.token"},
    [KEYS] = {"endpoints.keys"},
    [USERINFO] = {"endpoints.userinfo"},
    [SUBJECT] = {"claims.subject"},
    [SOURCED_ID] = {"claims.sourced_id"},
    [SCHOOLS] = {"schools", true},
    [HANDED_ON] = {"token_parameters", true},
    [USERINFO_TOKEN] = {"userinfo_token"},
    [AUTH_TIME] = {"auth_time"},
};

/* Where an endpoint stands in the table, and how metadata call it (Discovery, 3). */
static const struct {
    int setting;
    const char *metadata;
} ENDPOINTS[OIDC_ENDPOINT__COUNT] = {
    [OIDC_AUTHORIZATION] = {AUTHORIZATION, "authorization_endpoint"},
    [OIDC_TOKEN] = {TOKEN, "token_endpoint"},
    [OIDC_KEYS] = {KEYS, "jwks_uri"},
    [OIDC_USERINFO_ENDPOINT] = {USERINFO, "userinfo_endpoint"},
};

static const char *const AUTH_NAMES[] = {"client_secret_basic", "client_secret_post", "none"};

struct reading {
    const char *file;
    const struct setting_value *values;
    struct text *problem;
};

static bool complain(const struct reading *r, int name, const char *why)
{
    int line = r->values[name].line;
    return line != 0 ? text_fail(r->problem, "%s:%d: %s: %s", r->file, line, TABLE[name].name, why)
                     : text_fail(r->problem, "%s: %s: %s", r->file, TABLE[name].name, why);
}

/* --- Addresses --- */

/* The machine itself, with or without a port. */
static bool host_is_loopback(const char *host, size_t len)
{
    static const char *const HOSTS[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < sizeof HOSTS / sizeof *HOSTS; ++i) {
        size_t n = strlen(HOSTS[i]);
        if (len >= n && strncmp(host, HOSTS[i], n) == 0 && (len == n || host[n] == ':'))
            return true;
    }
    return false;
}

/* No user, no fragment, nothing that is not visible; ours to compare, so no other writing of a scheme. */
static bool url_good(const char *url, bool private_network)
{
    size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
    size_t host = strcspn(url + scheme, "/?");
    if (scheme == 0 || host == 0 || url[scheme] == ':' || strlen(url) > OIDC_URL_BYTES_MAX)
        return false;
    for (const char *c = url; *c != '\0'; ++c)
        if (*c <= ' ' || *c > '~' || strchr("#@\\\"<>^`{|}", *c) != NULL)
            return false;
    return scheme == 8 || (private_network && host_is_loopback(url + scheme, host));
}

void oidc_endpoints_finish(struct oidc_endpoints *endpoints)
{
    for (int i = 0; i < OIDC_ENDPOINT__COUNT; ++i)
        free(endpoints->url[i]);
    *endpoints = (struct oidc_endpoints){0};
}

/* --- The table --- */

static bool take_flag(const struct reading *r, int name, bool *out)
{
    const char *given = r->values[name].text;
    if (given != NULL && strcmp(given, "true") != 0 && strcmp(given, "false") != 0)
        return complain(r, name, "must be true or false");
    if (given != NULL)
        *out = strcmp(given, "true") == 0;
    return true;
}

static bool take_line(const struct reading *r, int name, bool required, char **out)
{
    const char *given = r->values[name].text;
    if (given == NULL || *given == '\0')
        return !required || complain(r, name, "is missing");
    if (strlen(given) > OIDC_URL_BYTES_MAX || !text_is_line(given) || !utf8_valid(given, strlen(given)))
        return complain(r, name, "must be one line of at most 1000 bytes");
    *out = xstrdup(given);
    return true;
}

static bool take_choice(const struct reading *r, int name, const char *const *words, int n, const char *why, int *out)
{
    const char *given = r->values[name].text;
    for (int i = 0; given != NULL && i < n; ++i)
        if (strcmp(given, words[i]) == 0) {
            *out = i;
            return true;
        }
    return given == NULL || complain(r, name, why);
}

static bool take_url(const struct reading *r, int name, bool private_network, char **out)
{
    if (*out != NULL && !url_good(*out, private_network))
        return complain(r, name,
                        "must be an address, https://, without user and fragment (http:// with private_network, on "
                        "this machine)");
    return true;
}

static bool take_names(const struct reading *r, struct oidc_provider *out)
{
    if (!take_line(r, ID, true, &out->id) || !take_line(r, NAME_RU, true, &out->name_ru) ||
        !take_line(r, NAME_EN, true, &out->name_en) || !take_line(r, ISSUER, true, &out->issuer) ||
        !take_line(r, CLIENT_ID, true, &out->client_id) || !take_line(r, SECRET_FILE, false, &out->secret_file) ||
        !take_line(r, CA_FILE, false, &out->ca_file) || !take_line(r, SUBJECT, false, &out->subject))
        return false;
    if (strlen(out->id) > OIDC_ID_BYTES_MAX ||
        out->id[strspn(out->id, "abcdefghijklmnopqrstuvwxyz0123456789_-")] != '\0')
        return complain(r, ID, "must be of a-z, 0-9, _ and -, at most 64");
    if (strchr(out->issuer, '?') != NULL)
        return complain(r, ISSUER, "has no query (OpenID Connect Discovery, 3)");
    return true;
}

static bool take_addresses(const struct reading *r, struct oidc_provider *out)
{
    if (!take_flag(r, PRIVATE_NETWORK, &out->private_network) || !take_flag(r, DISCOVERY, &out->discovery) ||
        !take_url(r, ISSUER, out->private_network, &out->issuer))
        return false;
    for (int i = 0; i < OIDC_ENDPOINT__COUNT; ++i)
        if (!take_line(r, ENDPOINTS[i].setting, false, &out->own.url[i]) ||
            !take_url(r, ENDPOINTS[i].setting, out->private_network, &out->own.url[i]))
            return false;
    return true;
}

static bool take_client_auth(const struct reading *r, struct oidc_provider *out)
{
    static const char *const WORDS[] = {"basic", "post", "none"};
    int auth = out->secret_file != NULL ? OIDC_AUTH_BASIC : OIDC_AUTH_NONE;
    if (!take_choice(r, CLIENT_AUTH, WORDS, 3, "must be basic, post or none", &auth))
        return false;
    if ((auth == OIDC_AUTH_NONE) != (out->secret_file == NULL))
        return complain(r, CLIENT_AUTH, "basic and post need client_secret_file, none has no use for it");
    out->auth = (enum oidc_client_auth)auth;
    return true;
}

static bool take_algorithms(const struct reading *r, struct oidc_provider *out)
{
    const struct setting_value *given = &r->values[ALGORITHMS];
    out->algorithms = given->n_items == 0 ? JWS_ALGORITHMS_ALL : 0;
    for (size_t i = 0; i < given->n_items; ++i) {
        int a = WORD_FIND(JWS_ALGORITHM_NAMES, given->items[i]);
        if (a < 0)
            return complain(r, ALGORITHMS, "are RS256 and ES256, and no others");
        out->algorithms |= 1U << a;
    }
    return true;
}

/* scope = scope-token *( SP scope-token ) (RFC 6749, 3.3). */
static bool take_scopes(const struct reading *r, struct oidc_provider *out)
{
    const struct setting_value *given = &r->values[SCOPES];
    struct text scope = TEXT_INIT;
    bool openid = false, good = true;
    for (size_t i = 0; i < given->n_items && good; ++i) {
        const char *item = given->items[i];
        for (const char *c = item; *c != '\0'; ++c)
            good = good && *c > ' ' && *c <= '~' && *c != '"' && *c != '\\';
        good = good && *item != '\0' && scope.len + strlen(item) < SCOPE_BYTES_MAX;
        openid = openid || strcmp(item, "openid") == 0;
        text_addf(&scope, "%s%s", i > 0 ? " " : "", item);
    }
    if (given->n_items == 0 && out->identity == OIDC_ID_TOKEN) {
        text_adds(&scope, "openid");
        openid = true;
    }
    out->scope = scope.data != NULL ? text_take(&scope) : xstrdup("");
    if (!good)
        return complain(r, SCOPES, "a scope has visible ASCII letters, no quotes, no spaces; all together 1000 bytes");
    return openid || out->identity != OIDC_ID_TOKEN || complain(r, SCOPES, "\"openid\" must be among them");
}

static bool take_identity(const struct reading *r, struct oidc_provider *out)
{
    static const char *const WORDS[] = {"id_token", "userinfo"};
    int identity = OIDC_ID_TOKEN;
    if (!take_choice(r, IDENTITY, WORDS, 2, "must be id_token or userinfo", &identity))
        return false;
    out->identity = (enum oidc_identity)identity;
    if (out->identity == OIDC_ID_TOKEN && out->subject != NULL)
        return complain(r, SUBJECT, "an ID token's subject is its sub");
    if (out->subject == NULL)
        out->subject = xstrdup("sub");
    out->auth_time = out->identity == OIDC_ID_TOKEN;
    if (!take_flag(r, AUTH_TIME, &out->auth_time))
        return false;
    if (out->auth_time && out->identity != OIDC_ID_TOKEN)
        return complain(r, AUTH_TIME, "only an ID token says it");
    return take_scopes(r, out) && take_algorithms(r, out);
}

/* Nothing of it may stand in for what the request says itself. */
static bool may_be_handed_on(const char *name)
{
    static const char *const OURS[] = {"grant_type", "code",          "redirect_uri",
                                       "client_id",  "client_secret", "code_verifier"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof OURS / sizeof *OURS; ++i)
        if (strcmp(name, OURS[i]) == 0)
            return false;
    return len > 0 && len <= OIDC_ID_BYTES_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static bool take_oddities(const struct reading *r, struct oidc_provider *out)
{
    static const char *const WORDS[] = {"header", "form"};
    const struct setting_value *given = &r->values[HANDED_ON];
    int token = 0;
    if (given->n_items > OIDC_HANDED_ON_MAX)
        return complain(r, HANDED_ON, "more than 4");
    for (size_t i = 0; i < given->n_items; ++i) {
        if (!may_be_handed_on(given->items[i]))
            return complain(r, HANDED_ON, "a name of a-z, 0-9 and _, and none that the request has anyway");
        out->handed_on[i] = xstrdup(given->items[i]);
    }
    if (!take_choice(r, USERINFO_TOKEN, WORDS, 2, "must be header or form", &token))
        return false;
    out->userinfo_by_form = token == 1;
    return true;
}

/* "school", or "school=claim". */
static bool take_schools(const struct reading *r, struct oidc_provider *out)
{
    const struct setting_value *given = &r->values[SCHOOLS];
    const char *usual = r->values[SOURCED_ID].text;
    if (given->n_items > OIDC_SCHOOLS_MAX)
        return complain(r, SCHOOLS, "more than 64");
    if (given->n_items == 0 && usual != NULL && *usual != '\0')
        return complain(r, SOURCED_ID, "of which schools? Name them in schools");
    out->schools = xcalloc(given->n_items + 1, sizeof *out->schools);
    for (size_t i = 0; i < given->n_items; ++i) {
        const char *item = given->items[i], *sign = strrchr(item, '=');
        const char *claim = sign != NULL ? sign + 1 : usual != NULL ? usual : "";
        size_t len = sign != NULL ? (size_t)(sign - item) : strlen(item);
        if (len == 0 || len > ID_BYTES_MAX || strlen(claim) > ID_BYTES_MAX || !text_is_line(item) ||
            !utf8_valid(item, strlen(item)) || !text_is_line(claim))
            return complain(r, SCHOOLS, "a school's sourcedId, or it, \"=\" and a claim, each of at most 255 bytes");
        if (*claim == '\0')
            return complain(r, SCHOOLS, "no claim holds the sourcedId: claims.sourced_id, or \"school=claim\"");
        out->schools[out->n_schools++] =
            (struct oidc_school){.sourced_id = xstrndup(item, len), .claim = xstrdup(claim)};
        for (size_t k = 0; k + 1 < out->n_schools; ++k)
            if (strcmp(out->schools[k].sourced_id, out->schools[i].sourced_id) == 0)
                return complain(r, SCHOOLS, "a school is there twice");
    }
    return true;
}

static bool take(const struct reading *r, struct oidc_provider *out)
{
    struct oidc_endpoints endpoints = {0};
    struct text missing = TEXT_INIT;
    out->discovery = true;
    bool good = take_names(r, out) && take_addresses(r, out) && take_client_auth(r, out) && take_identity(r, out) &&
                take_oddities(r, out) && take_schools(r, out);
    if (good && !out->discovery && !oidc_endpoints_own(out, &endpoints, &missing))
        good = text_fail(r->problem, "%s: without discovery, %s", r->file, missing.data);
    oidc_endpoints_finish(&endpoints);
    text_finish(&missing);
    return good;
}

struct oidc_provider *oidc_provider_parse(const char *file, const char *bytes, size_t len, struct text *problem)
{
    struct setting_value values[NAMES];
    struct oidc_provider *out = xcalloc(1, sizeof *out);
    bool good = settings_read(file, bytes, len, TABLE, NAMES, values, problem) &&
                take(&(struct reading){file, values, problem}, out);
    settings_finish(values, NAMES);
    if (good)
        return out;
    oidc_provider_free(out);
    return NULL;
}

void oidc_provider_free(struct oidc_provider *provider)
{
    if (provider == NULL)
        return;
    for (size_t i = 0; i < provider->n_schools; ++i) {
        free(provider->schools[i].sourced_id);
        free(provider->schools[i].claim);
    }
    free(provider->schools);
    for (int i = 0; i < OIDC_HANDED_ON_MAX; ++i)
        free(provider->handed_on[i]);
    oidc_endpoints_finish(&provider->own);
    free(provider->id);
    free(provider->name_ru);
    free(provider->name_en);
    free(provider->issuer);
    free(provider->client_id);
    free(provider->secret_file);
    free(provider->ca_file);
    free(provider->subject);
    free(provider->scope);
    free(provider);
}

/* Two with one issuer would be two ways to be the same person, each with its own word on which schools it names. */
bool oidc_provider_clash(const struct oidc_provider *a, const struct oidc_provider *b, struct text *problem)
{
    bool id = strcmp(a->id, b->id) == 0;
    if (!id && strcmp(a->issuer, b->issuer) != 0)
        return false;
    text_fail(problem, "providers \"%s\" and \"%s\" have one %s", a->id, b->id, id ? "id" : "issuer");
    return true;
}

/* --- Metadata --- */

void oidc_metadata_url(const struct oidc_provider *provider, struct text *out)
{
    size_t len = strlen(provider->issuer);
    text_add(out, provider->issuer, provider->issuer[len - 1] == '/' ? len - 1 : len);
    text_adds(out, "/.well-known/openid-configuration");
}

/* Whether a list of metadata has the word; where there is no list: otherwise. */
static bool list_has(const json_t *metadata, const char *name, const char *word, bool otherwise)
{
    size_t i;
    const json_t *list = json_object_get(metadata, name), *item;
    if (list == NULL)
        return otherwise;
    json_array_foreach(list, i, item) {
        const char *s = json_string_value(item);
        if (s != NULL && strcmp(s, word) == 0)
            return true;
    }
    return false;
}

static bool take_endpoints(const struct oidc_provider *provider, const json_t *metadata,
                           struct oidc_endpoints *endpoints, struct text *problem)
{
    for (int i = 0; i < OIDC_ENDPOINT__COUNT; ++i) {
        const char *own = provider->own.url[i], *url = own;
        if (own == NULL && (url = json_get_string(metadata, ENDPOINTS[i].metadata)) != NULL &&
            !url_good(url, provider->private_network))
            return text_fail(problem, "%s is no address that is good for us", ENDPOINTS[i].metadata);
        bool needed = i == OIDC_AUTHORIZATION || i == OIDC_TOKEN ||
                      i == (provider->identity == OIDC_ID_TOKEN ? OIDC_KEYS : OIDC_USERINFO_ENDPOINT);
        if (url == NULL && needed)
            return text_fail(problem, "%s (%s) is missing", TABLE[ENDPOINTS[i].setting].name, ENDPOINTS[i].metadata);
        endpoints->url[i] = url != NULL ? xstrdup(url) : NULL;
    }
    return true;
}

/* Lists that are not there say what is usual (Discovery, 3); that S256 is not among the methods means that there is no
 * PKCE, and without a list of them many do it nevertheless (RFC 8414, 2). */
static bool check_offers(const struct oidc_provider *provider, const json_t *metadata, struct text *problem)
{
    bool signed_so = provider->identity != OIDC_ID_TOKEN;
    for (int a = 0; a < JWS_ALGORITHM__COUNT; ++a)
        signed_so = signed_so || ((provider->algorithms & 1U << a) != 0 &&
                                  list_has(metadata, "id_token_signing_alg_values_supported", JWS_ALGORITHM_NAMES[a],
                                           a == JWS_RS256));
    if (!signed_so)
        return text_fail(problem, "it signs by none of our algorithms");
    if (!list_has(metadata, "response_types_supported", "code", true))
        return text_fail(problem, "it does not give codes");
    if (!list_has(metadata, "code_challenge_methods_supported", "S256", true))
        return text_fail(problem, "it does not know PKCE with S256");
    return list_has(metadata, "token_endpoint_auth_methods_supported", AUTH_NAMES[provider->auth], true) ||
           text_fail(problem, "it does not take client_auth as it is set");
}

bool oidc_metadata_read(const struct oidc_provider *provider, const char *bytes, size_t len,
                        struct oidc_endpoints *endpoints, struct text *problem)
{
    struct error e = {0};
    json_t *metadata = len <= OIDC_METADATA_BYTES_MAX ? json_parse(bytes, len, &e) : NULL;
    const char *issuer = json_get_string(metadata, "issuer");
    bool good = true;
    *endpoints = (struct oidc_endpoints){0};
    if (!json_is_object(metadata))
        good = text_fail(problem, "its metadata are no JSON object");
    else if (issuer == NULL || strcmp(issuer, provider->issuer) != 0)
        good = text_fail(problem, "its metadata are of another issuer");
    good = good && check_offers(provider, metadata, problem) && take_endpoints(provider, metadata, endpoints, problem);
    endpoints->names_itself = json_get_bool(metadata, "authorization_response_iss_parameter_supported", false);
    if (!good)
        oidc_endpoints_finish(endpoints);
    json_decref(metadata);
    return good;
}

bool oidc_endpoints_own(const struct oidc_provider *provider, struct oidc_endpoints *endpoints, struct text *problem)
{
    *endpoints = (struct oidc_endpoints){0};
    if (take_endpoints(provider, NULL, endpoints, problem))
        return true;
    oidc_endpoints_finish(endpoints);
    return false;
}

/* --- Claims --- */

bool oidc_claim(const json_t *claims, const char *path, char *out, size_t size)
{
    struct text names = TEXT_INIT;
    size_t n = json_path_split(&names, path);
    const char *name = names.data;
    for (size_t i = 0; i < n; ++i, name += strlen(name) + 1)
        claims = json_object_get(claims, name);
    text_finish(&names);
    const char *s = json_string_value(claims);
    int len = s != NULL                 ? snprintf(out, size, "%s", s)
              : json_is_integer(claims) ? snprintf(out, size, "%lld", (long long)json_integer_value(claims))
                                        : 0;
    return len > 0 && (size_t)len < size && text_is_line(out);
}
