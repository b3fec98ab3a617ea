/* What clients say to the OAuth 2.0 API: scopes, redirect URIs, metadata; tables of what is taken and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client-api/oauth/account_actions.h"
#include "client-api/oauth/client_metadata.h"
#include "client-api/oauth/redirect_uri.h"
#include "client-api/oauth/scope.h"
#include "homeserver/base/json.h"

#define API "urn:matrix:client:api:*"
#define DEVICE "urn:matrix:client:device:"
#define OLD_API "urn:matrix:org.matrix.msc2967.client:api:*"
#define OLD_DEVICE "urn:matrix:org.matrix.msc2967.client:device:"

/* device NULL: not valid. granted NULL: as it was asked. */
static void a_scope_has_one_device_and_the_api(void **state)
{
    static const struct {
        const char *scope, *device, *granted;
    } CASES[] = {
        {API " " DEVICE "ABCDEFGHIJ", "ABCDEFGHIJ"},
        {DEVICE "a-b._~9 " API, "a-b._~9"},
        {OLD_API " " OLD_DEVICE "ABCDEFGHIJ", "ABCDEFGHIJ"}, /* Element X */
        {API " " OLD_DEVICE "D", "D"},
        {"openid " API " email " DEVICE "D", "D", API " " DEVICE "D"},
        {API " " DEVICE "D urn:synapse:admin:*", "D", API " " DEVICE "D"},
        {API, NULL},
        {DEVICE "D", NULL},
        {API " " DEVICE, NULL},
        {API " " DEVICE "D " DEVICE "E", NULL},
        {API " " DEVICE "D " OLD_DEVICE "D", NULL},
        {API " " API " " DEVICE "D", NULL},
        {API " " OLD_API " " DEVICE "D", NULL},
        {API "  " DEVICE "D", NULL},
        {" " API " " DEVICE "D", NULL},
        {API " " DEVICE "D ", NULL},
        {OLD_API " " OLD_DEVICE "wjLpTLRqbqBzLs63aYaEv2Boi6cFEbbM/sSRQ2oAK+4",
         "wjLpTLRqbqBzLs63aYaEv2Boi6cFEbbM/sSRQ2oAK+4"},
        {API " " DEVICE "D:E", "D:E"},
        {API " " DEVICE "D\\", NULL},
        {API " " DEVICE "D\"", NULL},
        {API " " DEVICE "D\n", NULL},
        {API " " DEVICE "\xd0\x96", NULL},
        {"urn:matrix:client:api:*x " DEVICE "D", NULL},
        {"urn:matrix:client:api: " DEVICE "D", NULL},
        {"URN:matrix:client:api:* " DEVICE "D", NULL},
        {"", NULL},
        {" ", NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char device[DEVICE_ID_BYTES_MAX + 1] = "";
        struct text granted = TEXT_INIT;
        if (scope_parse(CASES[i].scope, device, &granted) != (CASES[i].device != NULL))
            fail_msg("\"%s\" is %staken", CASES[i].scope, CASES[i].device != NULL ? "not " : "");
        if (CASES[i].device != NULL) {
            assert_string_equal(device, CASES[i].device);
            assert_string_equal(granted.data, CASES[i].granted != NULL ? CASES[i].granted : CASES[i].scope);
        }
        text_finish(&granted);
    }
}

static void a_device_id_has_a_length(void **state)
{
    char scope[SCOPE_BYTES_MAX + 100], device[DEVICE_ID_BYTES_MAX + 1];
    for (int len = DEVICE_ID_BYTES_MAX; len <= DEVICE_ID_BYTES_MAX + 1; ++len) {
        struct text granted = TEXT_INIT;
        snprintf(scope, sizeof scope, API " " DEVICE "%0*d", len, 7);
        assert_int_equal(scope_parse(scope, device, &granted), len == DEVICE_ID_BYTES_MAX);
        text_finish(&granted);
    }
    struct text granted = TEXT_INIT;
    snprintf(scope, sizeof scope, API " " DEVICE "D %0*d", SCOPE_BYTES_MAX, 7);
    assert_false(scope_parse(scope, device, &granted));
    text_finish(&granted);
}

/* The specification's examples and what people try. */
static void redirect_uris_follow_from_the_client_uri(void **state)
{
    static const struct {
        const char *uri;
        bool web, native;
    } CASES[] = {
        {"https://example.com/callback", true, true},
        {"https://app.example.com/callback", true, true},
        {"https://example.com:5173/?query=value", true, true},
        {"https://EXAMPLE.com/callback", true, true},
        {"https://example.com", true, true},
        {"com.example.app:/callback", false, true},
        {"com.example:/", false, true},
        {"com.example:callback", false, true},
        {"http://localhost/callback", false, true},
        {"http://127.0.0.1/callback", false, true},
        {"http://[::1]/callback", false, true},
        {"http://localhost", false, true},
        {"https://example.com/callback#fragment", false, false},
        {"http://example.com/callback", false, false},
        {"https://localhost/callback", false, false},
        {"http://localhost:1234/callback", false, false},
        {"http://user@localhost/", false, false},
        {"http://localhost.example.com/", false, false},
        {"http://127.0.0.1.example.com/", false, false},
        {"example:/callback", false, false},
        {"com.example.app://callback", false, false},
        {"com.example.app", false, false},
        {"com.examples:/", false, false},
        {"com.example.:/", false, true}, /* strange, and theirs */
        {"org.example:/", false, false},
        {"com.example/x:/", false, false},
        {"javascript:alert(1)", false, false},
        {"data:text/html,x", false, false},
        {"https://user:password@example.com/", false, false},
        {"https://example.com@evil.test/", false, false},
        {"https://example.com%40evil.test/", false, false},
        {"https://evil.test/https://example.com", false, false},
        {"https://evilexample.com/", false, false},
        {"https://example.com.evil.test/", false, false},
        {"https://example.com\\@evil.test/", false, false},
        {"https://example.com:80:80/", false, false},
        {"https://example.com:x/", false, false},
        {"https://example.com:/", false, false},
        {"https://.example.com/", false, false},
        {"https://-.example.com/", false, false},
        {"https:example.com/", false, false},
        {"https:///example.com/", false, false},
        {"https://example.com/ x", false, false},
        {"https://example.com/\r\nlocation:", false, false},
        {"https://example.com/%zz", false, false},
        {"https://example.com/%", false, false},
        {"https://example.com/\xd0\x96", false, false},
        {"//example.com/", false, false},
        {"/callback", false, false},
        {"", false, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        if (redirect_uri_valid(CASES[i].uri, "example.com", APPLICATION_WEB) != CASES[i].web)
            fail_msg("%s for the web", CASES[i].uri);
        if (redirect_uri_valid(CASES[i].uri, "example.com", APPLICATION_NATIVE) != CASES[i].native)
            fail_msg("%s for a native application", CASES[i].uri);
    }
}

/* RFC 8252, 7.1: a scheme of one word would be "javascript:" and the like. */
static void a_client_uri_has_a_host_of_two_labels(void **state)
{
    static const struct {
        const char *uri, *host;
    } CASES[] = {
        {"https://example.com/", "example.com"},
        {"https://App.Example.COM:8443/about?x=1", "app.example.com"},
        {"https://javascript/", NULL},
        {"https://localhost/", NULL},
        {"https://com./", NULL},
        {"http://example.com/", NULL},
        {"https://user@example.com/", NULL},
        {"https://exa_mple.com/", NULL},
        {"https://[::1]/", NULL},
        {"https://", NULL},
        {"com.example:/", NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char host[URI_HOST_MAX + 1] = "";
        assert_int_equal(https_uri_host(CASES[i].uri, host), CASES[i].host != NULL);
        if (CASES[i].host != NULL)
            assert_string_equal(host, CASES[i].host);
    }
}

/* RFC 9700, 2.1: the same string; RFC 8252, 7.3: but for the port on the loopback. */
static void a_redirect_uri_is_matched_exactly(void **state)
{
    static const struct {
        const char *registered, *asked;
        bool same;
    } CASES[] = {
        {"https://example.com/callback", "https://example.com/callback", true},
        {"https://example.com/callback", "https://example.com/callback/", false},
        {"https://example.com/callback", "https://example.com/callback?x=1", false},
        {"https://example.com/callback", "https://EXAMPLE.com/callback", false},
        {"https://example.com/callback", "https://example.com:443/callback", false},
        {"https://example.com/callback", "https://example.com/%63allback", false},
        {"com.example.app:/callback", "com.example.app:/callback", true},
        {"com.example.app:/callback", "com.example.app:/", false},
        {"http://localhost/callback", "http://localhost:1234/callback", true},
        {"http://127.0.0.1/callback", "http://127.0.0.1:65535/callback", true},
        {"http://[::1]/callback", "http://[::1]:80/callback", true},
        {"http://localhost/callback", "http://127.0.0.1:1234/callback", false},
        {"http://localhost/callback", "http://localhost:1234/other", false},
        {"http://localhost/callback", "http://localhost:/callback", false},
        {"http://localhost/callback", "http://localhost:123456/callback", false},
        {"http://localhost/callback", "http://localhost:1@evil.test/callback", false},
        {"http://localhost/callback", "https://localhost:1234/callback", false},
        {"https://example.com/callback", "https://example.com:1234/callback", false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        if (redirect_uri_matches(CASES[i].registered, CASES[i].asked) != CASES[i].same)
            fail_msg("%s, %s", CASES[i].registered, CASES[i].asked);
}

#define CLIENT_URI "\"client_uri\": \"https://example.com/\""
#define REDIRECTS "\"redirect_uris\": [\"https://example.com/callback\"]"
#define GRANTS "\"grant_types\": [\"authorization_code\", \"refresh_token\"]"

static json_t *parsed(const char *text)
{
    struct error e = {0};
    json_t *value = json_parse(text, strlen(text), &e);
    assert_non_null(value);
    return value;
}

/* parameter NULL: it is taken as it says. */
static void people_see_where_a_client_is(void **state)
{
    static const struct {
        const char *uri, *client_host, *place;
    } CASES[] = {
        {"https://app.example.com/cb?x=1", "example.com", "app.example.com"},
        {"HTTPS://Example.com:8443?x", "example.com", "Example.com:8443"},
        {"http://localhost/cb", "example.com", "localhost"},
        {"HTTP://[::1]?x", "example.com", "[::1]"},
        {"com.example:/cb", "example.com", "com.example"},
        {"com.example.app:cb/x", "example.com", "com.example.app"},
        {"http.foo:cb", "foo.http", "http.foo"}, /* which is no web address, and has no slash */
        {"https.foo:/cb", "foo.https", "https.foo"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        size_t len;
        const char *place = redirect_uri_place(CASES[i].uri, &len);
        assert_true(redirect_uri_valid(CASES[i].uri, CASES[i].client_host, APPLICATION_NATIVE));
        if (strlen(CASES[i].place) != len || strncmp(place, CASES[i].place, len) != 0)
            fail_msg("%s: %.*s", CASES[i].uri, (int)len, place);
    }
}

static void metadata_are_taken_as_far_as_they_mean_something(void **state)
{
    static const struct {
        const char *asked, *taken, *parameter;
    } CASES[] = {
        {"{" CLIENT_URI ", " REDIRECTS "}",
         "{" CLIENT_URI ", " REDIRECTS ", \"application_type\": \"web\", \"grant_types\": [\"authorization_code\"],"
         " \"response_types\": [\"code\"], \"token_endpoint_auth_method\": \"none\"}",
         NULL},
        {"{" CLIENT_URI ", " REDIRECTS ", \"client_name\": \"App\", \"client_name#fr\": \"Mon App\","
         " \"logo_uri\": \"https://cdn.example.com/logo.png\", \"tos_uri\": null, \"contacts\": [1],"
         " \"token_endpoint_auth_method\": \"none\", \"response_types\": [\"code\", \"id_token\"],"
         " \"grant_types\": [\"urn:ietf:params:oauth:grant-type:token-exchange\", \"refresh_token\","
         " \"authorization_code\"], \"application_type\": \"web\"}",
         "{" CLIENT_URI ", " REDIRECTS ", \"client_name\": \"App\", \"logo_uri\":"
         " \"https://cdn.example.com/logo.png\", \"application_type\": \"web\", " GRANTS
         ", \"response_types\": [\"code\"], \"token_endpoint_auth_method\": \"none\"}",
         NULL},
        {"{" CLIENT_URI ", \"application_type\": \"native\", \"grant_types\":"
         " [\"urn:ietf:params:oauth:grant-type:device_code\", \"refresh_token\"]}",
         "{" CLIENT_URI ", \"application_type\": \"native\", \"grant_types\": [\"refresh_token\","
         " \"urn:ietf:params:oauth:grant-type:device_code\"], \"redirect_uris\": [], \"response_types\": [],"
         " \"token_endpoint_auth_method\": \"none\"}",
         NULL},
        {"{" REDIRECTS "}", NULL, "client_uri"},
        {"{\"client_uri\": 1, " REDIRECTS "}", NULL, "client_uri"},
        {"{\"client_uri\": \"http://example.com/\", " REDIRECTS "}", NULL, "client_uri"},
        {"{" CLIENT_URI "}", NULL, "redirect_uris"},
        {"{" CLIENT_URI ", \"redirect_uris\": []}", NULL, "redirect_uris"},
        {"{" CLIENT_URI ", \"redirect_uris\": {}}", NULL, "redirect_uris"},
        {"{" CLIENT_URI ", \"redirect_uris\": [1]}", NULL, "redirect_uris"},
        {"{" CLIENT_URI ", \"redirect_uris\": [\"https://evil.test/\"]}", NULL, "redirect_uris"},
        {"{" CLIENT_URI ", \"redirect_uris\": [\"https://example.com/\", \"http://localhost/\"]}", NULL,
         "redirect_uris"},
        {"{" CLIENT_URI ", " REDIRECTS ", \"client_name\": \"\"}", NULL, "client_name"},
        {"{" CLIENT_URI ", " REDIRECTS ", \"client_name\": \"a\\nb\"}", NULL, "client_name"},
        {"{" CLIENT_URI ", " REDIRECTS ", \"client_name\": []}", NULL, "client_name"},
        {"{" CLIENT_URI ", " REDIRECTS ", \"logo_uri\": \"https://evil.test/\"}", NULL, "logo_uri"},
        {"{" CLIENT_URI ", " REDIRECTS ", \"tos_uri\": \"javascript:alert(1)\"}", NULL, "tos_uri"},
        {"{" CLIENT_URI ", " REDIRECTS ", \"policy_uri\": \"http://example.com/\"}", NULL, "policy_uri"},
        {"{" CLIENT_URI ", " REDIRECTS ", \"token_endpoint_auth_method\": \"client_secret_basic\"}", NULL,
         "token_endpoint_auth_method"},
        {"{" CLIENT_URI ", " REDIRECTS ", \"application_type\": \"desktop\"}", NULL, "application_type"},
        {"{" CLIENT_URI ", " REDIRECTS ", \"grant_types\": [\"password\"]}", NULL, "grant_types"},
        {"{" CLIENT_URI ", " REDIRECTS ", \"grant_types\": \"authorization_code\"}", NULL, "grant_types"},
        {"{" CLIENT_URI ", " REDIRECTS ", \"grant_types\": [1]}", NULL, "grant_types"},
        {"{" CLIENT_URI ", " REDIRECTS ", \"response_types\": [\"token\"]}", NULL, "response_types"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        enum oauth_error why = OAUTH_OK;
        const char *parameter = NULL;
        json_t *asked = parsed(CASES[i].asked), *taken = client_metadata_taken(asked, &why, &parameter);
        json_t *expected = CASES[i].taken != NULL ? parsed(CASES[i].taken) : NULL;
        if (expected == NULL ? taken != NULL || strcmp(parameter, CASES[i].parameter) != 0
                             : !json_equal(taken, expected))
            fail_msg("%s: %s", CASES[i].asked, parameter != NULL ? parameter : "is taken otherwise");
        json_decref(asked);
        json_decref(taken);
        json_decref(expected);
    }
}

static void redirect_uris_of_a_client_are_few(void **state)
{
    json_t *asked = parsed("{" CLIENT_URI ", " REDIRECTS "}"), *uris = json_object_get(asked, "redirect_uris");
    enum oauth_error why;
    const char *parameter;
    while (json_array_size(uris) < REDIRECT_URIS_MAX)
        json_array_append(uris, json_array_get(uris, 0));
    json_t *taken = client_metadata_taken(asked, &why, &parameter);
    assert_non_null(taken);
    json_decref(taken);
    json_array_append(uris, json_array_get(uris, 0));
    assert_null(client_metadata_taken(asked, &why, &parameter));
    assert_int_equal(why, OAUTH_INVALID_REDIRECT_URI);
    json_decref(asked);
}

static void every_action_that_is_offered_has_a_page(void **state)
{
    json_t *actions = account_actions_json(), *action;
    size_t i;
    assert_true(json_array_size(actions) > 0);
    json_array_foreach(actions, i, action)
        assert_int_equal(strncmp(account_action_page(json_string_value(action)), "/parta/account", 14), 0);
    assert_string_equal(account_action_page("https://evil.test/"), "/parta/account");
    assert_string_equal(account_action_page(NULL), "/parta/account");
    json_decref(actions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_has_one_device_and_the_api),
        cmocka_unit_test(a_device_id_has_a_length),
        cmocka_unit_test(redirect_uris_follow_from_the_client_uri),
        cmocka_unit_test(a_client_uri_has_a_host_of_two_labels),
        cmocka_unit_test(a_redirect_uri_is_matched_exactly),
        cmocka_unit_test(people_see_where_a_client_is),
        cmocka_unit_test(metadata_are_taken_as_far_as_they_mean_something),
        cmocka_unit_test(redirect_uris_of_a_client_are_few),
        cmocka_unit_test(every_action_that_is_offered_has_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
