/* The OAuth 2.0 API as clients speak it: a real server on the loopback, curl as the client. The person's consent is
 * given where the page gives it (authorization_read, authorization_allow). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client-api/oauth/authorization.h"
#include "client-api/oauth/common.h"
#include "client-api/routes.h"
#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/register.h"
#include "homeserver/base/json.h"
#include "homeserver/http/limits.h"
#include "homeserver/http/query.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/router.h"
#include "homeserver/http/server.h"
#include "tests/unit/client_world.h"

#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define SCOPE "urn:matrix:client:api:* urn:matrix:client:device:DEVICE0001"
#define SCOPE_ENCODED "urn%3Amatrix%3Aclient%3Aapi%3A*+urn%3Amatrix%3Aclient%3Adevice%3ADEVICE0001"
#define OLD_SCOPE_ENCODED                                                                                              \
    "urn%3Amatrix%3Aorg.matrix.msc2967.client%3Aapi%3A*+urn%3Amatrix%3Aorg.matrix.msc2967.client%3Adevice%"            \
    "3ADEVICE0001"
#define CALLBACK "https%3A%2F%2Fapp.example.com%2Fcallback"
#define FORM "application/x-www-form-urlencoded"
#define JSON "application/json"
#define TOKEN "/parta/oauth2/token"
#define REGISTER "/parta/oauth2/register"
#define METADATA                                                                                                       \
    "{\"client_name\": \"An App\", \"client_uri\": \"https://example.com/\", \"token_endpoint_auth_method\": "         \
    "\"none\","                                                                                                        \
    " \"redirect_uris\": [\"https://app.example.com/callback\"], \"response_types\": [\"code\"], \"grant_types\":"     \
    " [\"authorization_code\", \"refresh_token\", \"urn:ietf:params:oauth:grant-type:device_code\"]}"

static struct {
    struct client_world w;
    user_no anna;
    char client[64];
} t;

/* body NULL: a GET; type NULL: none is said. */
static long ask(const char *path, const char *type, const char *token, const char *body)
{
    return client_ask(&t.w, &(struct client_request){.method = body != NULL ? "POST" : "GET",
                                                     .path = path,
                                                     .token = token,
                                                     .type = type != NULL ? type : "",
                                                     .body = body});
}

static bool head_has(const char *line)
{
    return strstr(t.w.head.data, line) != NULL;
}

static const char *said(const char *member)
{
    const char *value = json_get_string(t.w.reply, member);
    return value != NULL ? value : "";
}

/* OAuth's errors: RFC 6749, 5.2. error "": it is none. */
static void expect(const char *path, const char *type, const char *body, long status, const char *error)
{
    long got = ask(path, type, NULL, body);
    if (got != status || strcmp(said("error"), error) != 0 || (*error != '\0' && *said("error_description") == '\0'))
        fail_msg("%s %s: wanted %ld %s, got %ld %s", path, body, status, error, got, json_dumps(t.w.reply, 0));
    if (!head_has("cache-control: no-store"))
        fail_msg("%s may be kept: %s", path, t.w.head.data);
}

/* settings: of where the server is reached, and whether this is on. */
static int start(const char *settings)
{
    const struct registration registration = {.localpart = "anna", .password = "correct horse"};
    struct text yaml = TEXT_INIT;
    struct login_result anna;
    struct error e;
    text_addf(&yaml, "policy: {mode: open}\nregistration: {mode: open}\n%s", settings);
    client_world_start(&t.w, &(struct client_world_settings){.yaml = yaml.data, .workers = 2});
    text_finish(&yaml);
    assert_true(register_account(t.w.server.accounts, &registration, &anna, &e));
    t.anna = anna.user;
    login_result_finish(&anna);
    return 0;
}

#define REACHED "public_baseurl: https://chat.school.example/\n"
static int start_off(void **state)
{
    return start(REACHED "oauth: {enabled: false}\n");
}

static int start_anywhere(void **state)
{
    return start("");
}

static int start_plain(void **state)
{
    return start("public_baseurl: http://chat.school.example\noauth: {enabled: true}\n");
}

static int start_on(void **state)
{
    start(REACHED); /* on by default */
    expect(REGISTER, JSON, METADATA, 201, "");
    snprintf(t.client, sizeof t.client, "%s", said("client_id"));
    return 0;
}

static int stop(void **state)
{
    client_world_stop(&t.w);
    return 0;
}

static char *filled(const char *fmt, const char *a, const char *b)
{
    struct text out = TEXT_INIT;
    for (; *fmt != '\0'; ++fmt)
        if (*fmt == '@')
            text_adds(&out, a);
        else if (*fmt == '^')
            text_adds(&out, b);
        else
            text_addc(&out, *fmt);
    return text_take(&out);
}

/* As the page does: the request that a browser brings, read, and allowed where it is good. answer: where the browser is
 * sent, "": nowhere. */
static enum oauth_error authorize(const char *query, struct text *answer)
{
    struct request r = {.server = &t.w.server, .method = HTTP_GET, .db = t.w.f.db};
    struct authorization a;
    char *bytes = filled(query, t.client, "");
    r.identity.user = t.anna;
    r.n_query = query_parse(bytes, strlen(bytes), r.query);
    assert_true(r.n_query >= 0);
    authorization_read(&r, &a);
    enum oauth_error refused = a.refused;
    if (refused == OAUTH_OK)
        assert_true(authorization_allow(&r, &a, answer));
    else if (a.redirectable)
        authorization_add_answer(answer, &r, &a, NULL);
    text_adds(answer, "");
    authorization_finish(&a);
    free(bytes);
    return refused;
}

#define GOOD                                                                                                           \
    "client_id=@&redirect_uri=" CALLBACK "&response_type=code&scope=" SCOPE_ENCODED                                    \
    "&state=st%26ate&code_challenge=" CHALLENGE "&code_challenge_method=S256"

static void code_of(const char *answer, char code[64])
{
    const char *at = strstr(answer, "code=");
    assert_non_null(at);
    snprintf(code, 64, "%.*s", (int)strcspn(at + 5, "&"), at + 5);
}

static void sign_in(char code[64])
{
    struct text answer = TEXT_INIT;
    char mine[64];
    assert_int_equal(authorize(GOOD, &answer), OAUTH_OK);
    code_of(answer.data, mine);
    char *body =
        filled("grant_type=authorization_code&code=^&redirect_uri=" CALLBACK "&client_id=@&code_verifier=" VERIFIER,
               t.client, mine);
    expect(TOKEN, FORM, body, 200, "");
    if (code != NULL)
        snprintf(code, 64, "%s", mine);
    free(body);
    text_finish(&answer);
}

static void nothing_of_it_is_served_where_it_is_not_offered(void **state)
{
    static const struct {
        const char *path, *body;
    } ASKED[] = {
        {"/_matrix/client/v1/auth_metadata", NULL},
        {"/_matrix/client/unstable/org.matrix.msc2965/auth_metadata", NULL},
        {"/.well-known/oauth-authorization-server", NULL},
        {REGISTER, METADATA},
        {TOKEN, "grant_type=authorization_code"},
        {"/parta/oauth2/revoke", "token=x"},
        {"/parta/oauth2/device", "client_id=x"},
        {"/_matrix/client/unstable/io.element.msc4388/rendezvous", NULL},
        {"/_matrix/client/unstable/org.matrix.msc4108/rendezvous", "x"},
    };
    assert_int_equal(ask("/_matrix/client/versions", NULL, NULL, NULL), 200);
    assert_null(json_object_get(json_object_get(t.w.reply, "unstable_features"), "org.matrix.msc4108"));
    for (size_t i = 0; i < sizeof ASKED / sizeof *ASKED; ++i) {
        assert_int_equal(ask(ASKED[i].path, FORM, NULL, ASKED[i].body), 404);
        assert_string_equal(said("errcode"), "M_UNRECOGNIZED");
    }
}

static bool is_served(const char *url)
{
    static const char BASE[] = "https://chat.school.example";
    if (strncmp(url, BASE, sizeof BASE - 1) != 0)
        return false;
    for (size_t i = 0; i < CLIENT_API_ROUTES_COUNT; ++i)
        for (size_t k = 0; k < CLIENT_API_ROUTES[i]->n; ++k)
            if (strcmp(CLIENT_API_ROUTES[i]->table[k].path, url + sizeof BASE - 1) == 0)
                return true;
    return false;
}

static void metadata_say_where_everything_is(void **state)
{
    static const char *const URLS[] = {"token_endpoint", "revocation_endpoint", "registration_endpoint",
                                       "device_authorization_endpoint"};
    static const char *const PATHS[] = {"/_matrix/client/unstable/org.matrix.msc2965/auth_metadata",
                                        "/.well-known/oauth-authorization-server"};
    assert_int_equal(ask("/_matrix/client/v1/auth_metadata", NULL, NULL, NULL), 200);
    assert_true(head_has("access-control-allow-origin: *"));
    assert_string_equal(said("issuer"), "https://chat.school.example/");
    for (size_t i = 0; i < sizeof URLS / sizeof *URLS; ++i)
        if (!is_served(said(URLS[i])))
            fail_msg("%s is %s", URLS[i], said(URLS[i]));
    json_t *first = json_incref(t.w.reply);
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; ++i) {
        assert_int_equal(ask(PATHS[i], NULL, NULL, NULL), 200);
        assert_true(json_equal(first, t.w.reply));
    }
    json_decref(first);
}

/* RFC 7591, 3.2 */
static void clients_register(void **state)
{
    char *again = xstrdup(t.client);
    assert_string_equal(said("client_name"), "An App");
    expect(REGISTER, JSON, METADATA, 201, "");
    assert_string_equal(said("client_id"), again);
    expect(REGISTER, JSON, "[]", 400, "invalid_client_metadata");
    expect(REGISTER, JSON, "{", 400, "invalid_client_metadata");
    expect(REGISTER, JSON, "", 400, "invalid_client_metadata");
    expect(REGISTER, JSON, "{\"client_uri\": \"https://example.com/\", \"redirect_uris\": [\"https://evil.test/\"]}",
           400, "invalid_redirect_uri");
    struct text large = TEXT_INIT;
    text_adds(&large, "{\"client_uri\": \"https://example.com/\", \"redirect_uris\": [\"https://example.com/");
    for (int i = 0; i < 1000; ++i)
        text_addf(&large, "a%s", i % 100 == 99 ? "\", \"https://example.com/" : "123456789");
    text_adds(&large, "\"]}");
    expect(REGISTER, JSON, large.data, 400, "invalid_client_metadata");
    text_finish(&large);
    free(again);
}

static void a_good_request_is_answered_where_it_says(void **state)
{
    static const struct {
        const char *query, *begins;
    } CASES[] = {
        {GOOD, "https://app.example.com/callback?code="},
        {GOOD "&response_mode=query", "https://app.example.com/callback?code="},
        {GOOD "&response_mode=fragment", "https://app.example.com/callback#code="},
        {GOOD "&prompt=create&nonce=x&login_hint=anna", "https://app.example.com/callback?code="},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct text answer = TEXT_INIT;
        assert_int_equal(authorize(CASES[i].query, &answer), OAUTH_OK);
        assert_int_equal(strncmp(answer.data, CASES[i].begins, strlen(CASES[i].begins)), 0);
        assert_non_null(strstr(answer.data, "&state=st%26ate&iss=https%3A%2F%2Fchat.school.example%2F"));
        text_finish(&answer);
    }
}

/* What the person is told, and what the client: nobody is sent to an address that is not the client's. */
static void a_bad_request_is_refused(void **state)
{
#define WHO "client_id=@&redirect_uri=" CALLBACK "&"
#define REST "response_type=code&scope=" SCOPE_ENCODED "&code_challenge=" CHALLENGE "&code_challenge_method=S256"
    static const struct {
        const char *query;
        enum oauth_error refused;
        const char *begins; /* NULL: nobody is sent anywhere */
    } CASES[] = {
        {REST, OAUTH_INVALID_CLIENT, NULL},
        {"client_id=&redirect_uri=" CALLBACK "&" REST, OAUTH_INVALID_CLIENT, NULL},
        {"client_id=never-registered-here-a&redirect_uri=" CALLBACK "&" REST, OAUTH_INVALID_CLIENT, NULL},
        {"client_id=@&" REST, OAUTH_INVALID_REDIRECT_URI, NULL},
        {"client_id=@&redirect_uri=https://evil.test/&" REST, OAUTH_INVALID_REDIRECT_URI, NULL},
        {"client_id=@&redirect_uri=" CALLBACK "%2F&" REST, OAUTH_INVALID_REDIRECT_URI, NULL},
        {"client_id=@&redirect_uri=" CALLBACK "%23x&" REST, OAUTH_INVALID_REDIRECT_URI, NULL},
        {"client_id=@&redirect_uri=" CALLBACK "&redirect_uri=https://evil.test/&" REST, OAUTH_INVALID_REQUEST,
         "?error"},
        {WHO "scope=" SCOPE_ENCODED "&code_challenge=" CHALLENGE "&code_challenge_method=S256",
         OAUTH_UNSUPPORTED_RESPONSE_TYPE, "?error=unsupported_response_type&"},
        {WHO "response_type=token&scope=" SCOPE_ENCODED, OAUTH_UNSUPPORTED_RESPONSE_TYPE, "?error"},
        {WHO REST "&response_mode=form_post", OAUTH_INVALID_REQUEST, "?error=invalid_request&"},
        {WHO "response_type=code&scope=" SCOPE_ENCODED, OAUTH_INVALID_REQUEST, "?error"},
        {WHO "response_type=code&scope=" SCOPE_ENCODED "&code_challenge=" CHALLENGE, OAUTH_INVALID_REQUEST, "?error"},
        {WHO "response_type=code&scope=" SCOPE_ENCODED "&code_challenge=" CHALLENGE "&code_challenge_method=plain",
         OAUTH_INVALID_REQUEST, "?error"},
        {WHO "response_type=code&scope=" SCOPE_ENCODED "&code_challenge=short&code_challenge_method=S256",
         OAUTH_INVALID_REQUEST, "?error"},
        {WHO "response_type=code&scope=openid&code_challenge=" CHALLENGE "&code_challenge_method=S256",
         OAUTH_INVALID_SCOPE, "?error=invalid_scope&"},
        {WHO "response_type=code&code_challenge=" CHALLENGE "&code_challenge_method=S256&response_mode=fragment",
         OAUTH_INVALID_SCOPE, "#error=invalid_scope&"},
        {WHO REST "&prompt=none", OAUTH_INVALID_REQUEST, "?error"},
        {WHO REST "&state=a&state=b", OAUTH_INVALID_REQUEST, "?error"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct text answer = TEXT_INIT;
        enum oauth_error refused = authorize(CASES[i].query, &answer);
        static const char AT[] = "https://app.example.com/callback";
        bool sent = strncmp(answer.data, AT, sizeof AT - 1) == 0;
        if (refused != CASES[i].refused || sent != (CASES[i].begins != NULL) ||
            (sent && strncmp(answer.data + sizeof AT - 1, CASES[i].begins, strlen(CASES[i].begins)) != 0))
            fail_msg("%s: %s, %s", CASES[i].query, oauth_error_name(refused), answer.data);
        if (!sent)
            assert_string_equal(answer.data, "");
        assert_null(strstr(answer.data, "code="));
        text_finish(&answer);
    }
}

static void a_code_brings_tokens_that_work(void **state)
{
    sign_in(NULL);
    assert_string_equal(said("token_type"), "Bearer");
    assert_string_equal(said("scope"), SCOPE);
    assert_true(json_get_int(t.w.reply, "expires_in", 0) > 0);
    assert_true(head_has("access-control-allow-origin: *"));
    char *access = xstrdup(said("access_token")), *refresh = xstrdup(said("refresh_token"));
    assert_int_equal(ask("/_matrix/client/v3/account/whoami", NULL, access, NULL), 200);
    assert_string_equal(said("user_id"), "@anna:school.example");
    assert_string_equal(said("device_id"), "DEVICE0001");
    char *body = filled("grant_type=refresh_token&refresh_token=^&client_id=@", t.client, refresh);
    expect(TOKEN, FORM, body, 200, "");
    free(access);
    access = xstrdup(said("access_token"));
    assert_int_equal(ask("/_matrix/client/v3/account/whoami", NULL, access, NULL), 200);
    expect(TOKEN, FORM, body, 400, "invalid_grant"); /* what it brought was used: both who have it are out */
    assert_int_equal(ask("/_matrix/client/v3/account/whoami", NULL, access, NULL), 401);
    free(access);
    free(refresh);
    free(body);
}

static void the_old_spelling_of_a_scope_comes_back(void **state)
{
    struct text answer = TEXT_INIT;
    char code[64];
    assert_int_equal(authorize("client_id=@&redirect_uri=" CALLBACK "&response_type=code&scope=" OLD_SCOPE_ENCODED
                               "&code_challenge=" CHALLENGE "&code_challenge_method=S256",
                               &answer),
                     OAUTH_OK);
    code_of(answer.data, code);
    char *body =
        filled("grant_type=authorization_code&code=^&redirect_uri=" CALLBACK "&client_id=@&code_verifier=" VERIFIER,
               t.client, code);
    expect(TOKEN, FORM, body, 200, "");
    assert_non_null(strstr(said("scope"), "urn:matrix:org.matrix.msc2967.client:device:DEVICE0001"));
    free(body);
    text_finish(&answer);
}

static void the_token_endpoint_refuses_as_rfc_6749_says(void **state)
{
    static const struct {
        const char *type, *body;
        long status;
        const char *error;
    } CASES[] = {
        {FORM, "", 400, "invalid_request"},
        {FORM, "client_id=@", 400, "invalid_request"},
        {FORM, "grant_type=authorization_code", 400, "invalid_request"},
        {FORM, "grant_type=&client_id=@", 400, "invalid_request"},
        {FORM, "grant_type=password&client_id=@&username=anna&password=correct+horse", 400, "unsupported_grant_type"},
        {FORM, "grant_type=client_credentials&client_id=@", 400, "unsupported_grant_type"},
        {FORM, "grant_type=refresh_token&refresh_token=x&client_id=nobody", 401, "invalid_client"},
        {FORM, "grant_type=refresh_token&refresh_token=x&client_id=@", 400, "invalid_grant"},
        {FORM, "grant_type=refresh_token&client_id=@", 400, "invalid_request"},
        {FORM, "grant_type=authorization_code&code=x&client_id=@", 400, "invalid_request"},
        {FORM, "grant_type=authorization_code&code=x&redirect_uri=" CALLBACK "&client_id=@", 400, "invalid_request"},
        {FORM, "grant_type=authorization_code&code=x&redirect_uri=" CALLBACK "&client_id=@&code_verifier=y", 400,
         "invalid_grant"},
        {FORM, "grant_type=refresh_token&grant_type=refresh_token&refresh_token=x&client_id=@", 400, "invalid_request"},
        {FORM, "grant_type=%zz&client_id=@", 400, "invalid_request"},
        {FORM, "grant_type=%00&client_id=@", 400, "invalid_request"},
        {JSON, "{\"grant_type\": \"refresh_token\"}", 400, "invalid_request"},
        {FORM "x", "grant_type=refresh_token&refresh_token=x&client_id=@", 400, "invalid_request"},
        {FORM "; charset=utf-8", "grant_type=refresh_token&refresh_token=x&client_id=@", 400, "invalid_grant"},
        {FORM, "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=x&client_id=@", 400,
         "invalid_grant"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char *body = filled(CASES[i].body, t.client, "");
        expect(TOKEN, CASES[i].type, body, CASES[i].status, CASES[i].error);
        free(body);
    }
}

/* RFC 7009 */
static void tokens_are_revoked(void **state)
{
    expect("/parta/oauth2/revoke", FORM, "token_type_hint=access_token", 400, "invalid_request");
    expect("/parta/oauth2/revoke", FORM, "token=x&token_type_hint=id_token", 400, "unsupported_token_type");
    expect("/parta/oauth2/revoke", FORM, "token=x", 200, "");
    static const char *const BY[] = {"access_token", "refresh_token"};
    for (size_t i = 0; i < 2; ++i) {
        sign_in(NULL);
        char *access = xstrdup(said("access_token"));
        char *body = filled("token=@&token_type_hint=^", said(BY[i]), BY[1 - i]); /* a hint is a hint */
        expect("/parta/oauth2/revoke", FORM, body, 200, "");
        assert_int_equal(ask("/_matrix/client/v3/account/whoami", NULL, access, NULL), 401);
        free(access);
        free(body);
    }
}

/* RFC 8628, 3.1 to 3.5 */
static void a_device_asks_for_a_code_and_polls(void **state)
{
    struct error e = {0};
    char *body = filled("client_id=@&scope=" SCOPE_ENCODED, t.client, "");
    expect("/parta/oauth2/device", FORM, body, 200, "");
    assert_string_equal(said("verification_uri"), "https://chat.school.example/parta/device");
    assert_non_null(strstr(said("verification_uri_complete"), said("user_code")));
    char *user_code = xstrdup(said("user_code"));
    char *poll = filled("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=^&client_id=@",
                        t.client, said("device_code"));
    expect(TOKEN, FORM, poll, 400, "authorization_pending");
    expect(TOKEN, FORM, poll, 400, "slow_down");
    assert_true(oauth_device_decide(t.w.server.accounts, user_code, t.anna, true, &e));
    expect(TOKEN, FORM, poll, 200, "");
    assert_string_equal(said("scope"), SCOPE);
    expect(TOKEN, FORM, poll, 400, "invalid_grant");
    expect("/parta/oauth2/device", FORM, "scope=" SCOPE_ENCODED, 400, "invalid_request");
    expect("/parta/oauth2/device", FORM, "client_id=x&scope=" SCOPE_ENCODED, 401, "invalid_client");
    free(body);
    body = filled("client_id=@&scope=openid", t.client, "");
    expect("/parta/oauth2/device", FORM, body, 400, "invalid_scope");
    free(body);
    free(poll);
    free(user_code);
}

static void a_client_does_what_it_registered_for(void **state)
{
    expect(REGISTER, JSON,
           "{\"client_uri\": \"https://example.com/\", \"redirect_uris\": [\"https://app.example.com/callback\"]}", 201,
           "");
    snprintf(t.client, sizeof t.client, "%s", said("client_id"));
    char *body = filled("client_id=@&scope=" SCOPE_ENCODED, t.client, "");
    expect("/parta/oauth2/device", FORM, body, 400, "unauthorized_client");
    free(body);
    expect(REGISTER, JSON,
           "{\"client_uri\": \"https://example.com/\", \"redirect_uris\": [\"https://app.example.com/callback\"],"
           " \"grant_types\": [\"urn:ietf:params:oauth:grant-type:device_code\"]}",
           201, "");
    snprintf(t.client, sizeof t.client, "%s", said("client_id"));
    struct text answer = TEXT_INIT;
    assert_int_equal(authorize(GOOD, &answer), OAUTH_UNAUTHORIZED_CLIENT);
    text_finish(&answer);
}

#define MSC4388 "/_matrix/client/unstable/io.element.msc4388/rendezvous"
#define MSC4108 "/_matrix/client/unstable/org.matrix.msc4108/rendezvous"

/* A header's value of the last reply. */
static char *header(const char *name)
{
    const char *at = strstr(t.w.head.data, name);
    assert_non_null(at);
    return xstrndup(at + strlen(name), strcspn(at + strlen(name), "\r"));
}

/* body NULL: a GET. */
static long put(const char *path, const char *type, const char *header_line, const char *body)
{
    return client_ask(
        &t.w,
        &(struct client_request){
            .method = body != NULL ? "PUT" : "GET", .path = path, .type = type, .more = header_line, .body = body});
}

static void devices_meet_as_msc4388_says(void **state)
{
    assert_int_equal(ask("/_matrix/client/versions", NULL, NULL, NULL), 200);
    assert_true(json_get_bool(json_object_get(t.w.reply, "unstable_features"), "org.matrix.msc4108", false));
    assert_int_equal(ask(MSC4388, NULL, NULL, NULL), 200);
    assert_true(json_get_bool(t.w.reply, "create_available", false));
    assert_int_equal(ask(MSC4388, JSON, NULL, "{\"data\": \"hello\"}"), 200);
    char *path = filled(MSC4388 "/@", said("id"), ""), *sequence = xstrdup(said("sequence_token"));
    assert_int_equal(ask(path, NULL, NULL, NULL), 200);
    assert_string_equal(said("data"), "hello");
    assert_string_equal(said("sequence_token"), sequence);
    assert_true(json_get_int(t.w.reply, "expires_in_ms", 0) > 0);
    assert_int_equal(put(path, JSON, "Sec-Fetch-Mode: navigate", NULL), 403);
    char *body = filled("{\"data\": \"answer\", \"sequence_token\": \"@\"}", sequence, "");
    assert_int_equal(put(path, JSON, "Accept: */*", body), 200);
    assert_int_equal(put(path, JSON, "Accept: */*", body), 200); /* again */
    free(body);
    body = filled("{\"data\": \"another\", \"sequence_token\": \"@\"}", sequence, "");
    assert_int_equal(put(path, JSON, "Accept: */*", body), 409);
    struct text large = TEXT_INIT;
    text_adds(&large, "{\"data\": \"");
    for (int i = 0; i < 4097; ++i)
        text_addc(&large, 'x');
    text_addf(&large, "\", \"sequence_token\": \"%s\"}", sequence);
    assert_int_equal(put(path, JSON, "Accept: */*", large.data), 413);
    assert_int_equal(ask(MSC4388, JSON, NULL, large.data), 413);
    assert_int_equal(ask(MSC4388 "/unknown", NULL, NULL, NULL), 404);
    assert_string_equal(said("errcode"), "M_NOT_FOUND");
    text_finish(&large);
    free(body);
    free(path);
    free(sequence);
}

/* What matrix-rust-sdk 0.18 speaks. */
/* Two who share an address do not slow each other; who guesses is counted by where they are. */
static void each_meeting_is_counted_by_itself(void **state)
{
    static const struct limit FEW[RATE__COUNT] = {[RATE_READ] = {0.001, 3}, [RATE_LOGIN] = {0.001, 4}};
    struct limits *limits = t.w.server.limits;
    char *paths[2];
    t.w.server.limits = limits_create(FEW, 1000);
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(ask(MSC4388, JSON, NULL, "{\"data\": \"hello\"}"), 200); /* two of four */
        paths[i] = filled(MSC4388 "/@", said("id"), "");
    }
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(ask(paths[i], NULL, NULL, NULL), 200);
        assert_int_equal(ask(paths[i], NULL, NULL, NULL), 200);
        assert_int_equal(put(paths[i], JSON, "Accept: */*", "{\"data\": \"x\", \"sequence_token\": \"x\"}"), 409);
        assert_int_equal(ask(paths[i], NULL, NULL, NULL), 429);
        assert_int_equal(put(paths[i], JSON, "Accept: */*", "{\"data\": \"x\", \"sequence_token\": \"x\"}"), 429);
        free(paths[i]);
    }
    assert_int_equal(ask(MSC4388 "/one", NULL, NULL, NULL), 404);
    assert_int_equal(put(MSC4108 "/two", "text/plain", "If-Match: \"0123456789012345678901\"", "x"), 404);
    assert_int_equal(ask(MSC4388 "/three", NULL, NULL, NULL), 429);
    limits_destroy(t.w.server.limits);
    t.w.server.limits = limits;
}

static void devices_meet_as_msc4108_said(void **state)
{
    assert_int_equal(ask(MSC4108, "text/plain", NULL, ""), 201);
    assert_int_equal(strncmp(said("url"), "https://chat.school.example" MSC4108 "/", 27 + sizeof MSC4108), 0);
    char *path = xstrdup(said("url") + 27), *first = header("etag: "), *expires = header("expires: ");
    assert_non_null(strstr(expires, " GMT"));
    struct text line = TEXT_INIT;
    text_addf(&line, "If-Match: %s", first);
    assert_int_equal(put(path, "text/plain", line.data, "SECRET TALK"), 202);
    char *second = header("etag: ");
    assert_int_equal(put(path, "text/plain", line.data, "ANOTHER"), 412);
    assert_int_equal(put(path, "text/plain", "Accept: */*", "ANOTHER"), 400);
    assert_int_equal(put(path, "Accept: */*", "Accept-Language: ru", NULL), 200);
    assert_string_equal(json_string_value(t.w.reply), "SECRET TALK");
    assert_true(head_has("content-type: text/plain") && head_has("nosniff"));
    text_clear(&line);
    text_addf(&line, "If-None-Match: %s", second);
    assert_int_equal(put(path, "Accept: */*", line.data, NULL), 304);
    assert_string_equal(json_string_value(t.w.reply), "");
    text_finish(&line);
    free(path);
    free(first);
    free(second);
    free(expires);
}

/* What is no text is no answer in JSON: neither kind of meeting is there for the other. */
static void the_two_kinds_of_meetings_do_not_meet(void **state)
{
    assert_int_equal(ask(MSC4108, "text/plain", NULL, "\xff\xfe"), 201);
    const char *id = strrchr(said("url"), '/') + 1;
    char *as_text = filled(MSC4388 "/@", id, ""), *as_bytes;
    assert_int_equal(ask(as_text, NULL, NULL, NULL), 404);
    assert_int_equal(put(as_text, JSON, "Accept: */*", "{\"data\": \"x\", \"sequence_token\": \"x\"}"), 404);
    free(as_text);
    assert_int_equal(ask(MSC4388, JSON, NULL, "{\"data\": \"hello\"}"), 200);
    as_bytes = filled(MSC4108 "/@", said("id"), "");
    assert_int_equal(ask(as_bytes, NULL, NULL, NULL), 404);
    free(as_bytes);
}

#define ON(f) cmocka_unit_test_setup_teardown(f, start_on, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_of_it_is_served_where_it_is_not_offered, start_off, stop),
        cmocka_unit_test_setup_teardown(nothing_of_it_is_served_where_it_is_not_offered, start_anywhere, stop),
        cmocka_unit_test_setup_teardown(nothing_of_it_is_served_where_it_is_not_offered, start_plain, stop),
        ON(metadata_say_where_everything_is),
        ON(clients_register),
        ON(a_good_request_is_answered_where_it_says),
        ON(a_bad_request_is_refused),
        ON(a_code_brings_tokens_that_work),
        ON(the_old_spelling_of_a_scope_comes_back),
        ON(the_token_endpoint_refuses_as_rfc_6749_says),
        ON(tokens_are_revoked),
        ON(a_device_asks_for_a_code_and_polls),
        ON(a_client_does_what_it_registered_for),
        ON(devices_meet_as_msc4388_says),
        ON(devices_meet_as_msc4108_said),
        ON(each_meeting_is_counted_by_itself),
        ON(the_two_kinds_of_meetings_do_not_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
