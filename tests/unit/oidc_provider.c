/* The table of providers, a file each, and what their metadata say: what is taken, what is
 * refused, and how it says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/json.h"
#include "homeserver/oidc/jose.h"
#include "homeserver/oidc/provider.h"

#define HEAD "id: diary\nissuer: https://diary.example\nclient_id: parta\nname: {ru: Дневник, en: Diary}\n"
#define OWN "endpoints: {authorization: 'https://a.example/a', token: 'https://a.example/t'"

static struct oidc_provider *parse(const char *yaml)
{
    struct text problem = TEXT_INIT;
    struct oidc_provider *provider = oidc_provider_parse("f", yaml, strlen(yaml), &problem);
    if (provider == NULL)
        fail_msg("%s: %s", yaml, problem.data);
    assert_int_equal(problem.len, 0);
    text_finish(&problem);
    return provider;
}

static void a_plain_provider_needs_five_lines(void **state)
{
    struct text url = TEXT_INIT;
    struct oidc_provider *p = parse(HEAD);
    assert_string_equal(p->id, "diary");
    assert_string_equal(p->name_ru, "Дневник");
    assert_string_equal(p->scope, "openid");
    assert_string_equal(p->subject, "sub");
    assert_true(p->discovery && !p->private_network && p->identity == OIDC_ID_TOKEN && p->auth == OIDC_AUTH_NONE);
    assert_int_equal(p->algorithms, JWS_ALGORITHMS_ALL);
    assert_int_equal(p->n_schools, 0);
    oidc_metadata_url(p, &url);
    assert_string_equal(url.data, "https://diary.example/.well-known/openid-configuration");
    oidc_provider_free(p);
    p = parse("id: d\nissuer: https://diary.example/realm/\nclient_id: c\nname: {ru: Д, en: D}\n");
    text_clear(&url);
    oidc_metadata_url(p, &url);
    assert_string_equal(url.data, "https://diary.example/realm/.well-known/openid-configuration");
    oidc_provider_free(p);
    text_finish(&url);
}

/* One that has no ID token that can be verified, and no metadata: all of it is in the table. */
static void a_provider_without_discovery_is_all_in_the_table(void **state)
{
    struct oidc_endpoints endpoints;
    struct text problem = TEXT_INIT;
    struct oidc_provider *p =
        parse("id: net\nissuer: https://id.net.example\nclient_id: '51'\nname: {ru: Сеть, en: Net}\n"
              "discovery: false\nidentity: userinfo\nscopes: [vkid.personal_info]\nclient_secret_file: /etc/s\n"
              "client_auth: post\nclaims: {subject: user.user_id, sourced_id: user.ext}\n"
              "schools: [s1, 's2=user.other', 'a=b=user.third']\n" OWN ", userinfo: 'https://a.example/u?v=1'}\n");
    assert_int_equal(p->identity, OIDC_USERINFO);
    assert_int_equal(p->auth, OIDC_AUTH_POST);
    assert_string_equal(p->scope, "vkid.personal_info");
    assert_string_equal(p->subject, "user.user_id");
    assert_int_equal(p->n_schools, 3);
    assert_string_equal(p->schools[0].claim, "user.ext");
    assert_string_equal(p->schools[1].sourced_id, "s2");
    assert_string_equal(p->schools[1].claim, "user.other");
    assert_string_equal(p->schools[2].sourced_id, "a=b");
    assert_true(oidc_endpoints_own(p, &endpoints, &problem));
    assert_string_equal(endpoints.url[OIDC_USERINFO_ENDPOINT], "https://a.example/u?v=1");
    assert_null(endpoints.url[OIDC_KEYS]);
    oidc_endpoints_finish(&endpoints);
    oidc_provider_free(p);
    text_finish(&problem);
}

static void what_is_not_right_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *yaml, *says;
    } CASES[] = {
        {"", "id: is missing"},
        {"issuer: https://d.example\n", "id: is missing"},
        {"id: diary\nname: {ru: Д, en: D}\nissuer: https://d.example\n", "client_id: is missing"},
        {HEAD "color: red\n", "f:5:"},
        {HEAD "token_parameters: [device_id, code]\n", "f:5: token_parameters: a name of"},
        {HEAD "token_parameters: ['x&client_id']\n", "f:5: token_parameters: a name of"},
        {HEAD "token_parameters: [a, b, c, d, e]\n", "f:5: token_parameters: more than 4"},
        {HEAD "userinfo_token: query\n", "f:5: userinfo_token: must be header or form"},
        {HEAD "auth_time: maybe\n", "f:5: auth_time: must be true or false"},
        {HEAD "identity: userinfo\nauth_time: true\n", "f:6: auth_time: only an ID token says it"},
        {HEAD "id: other\n", "f:5:"},
        {"id: Diary\nissuer: https://d.example\nclient_id: c\nname: {ru: Д, en: D}\n", "f:1: id: must be of a-z"},
        {"id: ../d\nissuer: https://d.example\nclient_id: c\nname: {ru: Д, en: D}\n", "id: must be of a-z"},
        {"id: d\nissuer: http://d.example\nclient_id: c\nname: {ru: Д, en: D}\n", "f:2: issuer: must be an address"},
        {"id: d\nissuer: http://127.0.0.1\nclient_id: c\nname: {ru: Д, en: D}\n", "issuer: must be an address"},
        {"id: d\nissuer: http://127.0.0.1.evil.example\nclient_id: c\nname: {ru: Д, en: D}\nprivate_network: true\n",
         "issuer: must be an address"},
        {"id: d\nissuer: HTTPS://d.example\nclient_id: c\nname: {ru: Д, en: D}\n", "issuer: must be an address"},
        {"id: d\nissuer: https://u@d.example\nclient_id: c\nname: {ru: Д, en: D}\n", "issuer: must be an address"},
        {"id: d\nissuer: 'https://d.example#f'\nclient_id: c\nname: {ru: Д, en: D}\n", "issuer: must be an address"},
        {"id: d\nissuer: 'https://d.example?q=1'\nclient_id: c\nname: {ru: Д, en: D}\n", "issuer: has no query"},
        {"id: d\nissuer: https:///x\nclient_id: c\nname: {ru: Д, en: D}\n", "issuer: must be an address"},
        {"id: d\nissuer: https://д.example\nclient_id: c\nname: {ru: Д, en: D}\n", "issuer: must be an address"},
        {HEAD "discovery: maybe\n", "f:5: discovery: must be true or false"},
        {HEAD "private_network: 1\n", "private_network: must be true or false"},
        {HEAD "identity: saml\n", "identity: must be id_token or userinfo"},
        {HEAD "client_auth: basic\n", "client_auth: basic and post need"},
        {HEAD "client_secret_file: /s\nclient_auth: none\n", "client_auth: basic and post need"},
        {HEAD "client_auth: private_key_jwt\n", "client_auth: must be basic, post or none"},
        {HEAD "algorithms: [none]\n", "f:5: algorithms: are RS256 and ES256"},
        {HEAD "algorithms: [RS256, HS256]\n", "algorithms: are RS256 and ES256"},
        {HEAD "scopes: [profile]\n", "scopes: \"openid\" must be among them"},
        {HEAD "scopes: [openid, 'a b']\n", "scopes: a scope has"},
        {HEAD "scopes: [openid, 'a\"']\n", "scopes: a scope has"},
        {HEAD "claims: {subject: email}\n", "claims.subject: an ID token's subject is its sub"},
        {HEAD "claims: {sourced_id: ext}\n", "claims.sourced_id: of which schools"},
        {HEAD "schools: [s1]\n", "schools: no claim holds"},
        {HEAD "schools: ['s1=']\n", "schools: no claim holds"},
        {HEAD "schools: ['=ext']\n", "schools: a school's sourcedId"},
        {HEAD "schools: ['s1=a', 's1=b']\n", "schools: a school is there twice"},
        {HEAD "discovery: false\n", "without discovery, endpoints.authorization (authorization_endpoint) is missing"},
        {HEAD "discovery: false\n" OWN "}\n", "without discovery, endpoints.keys (jwks_uri) is missing"},
        {HEAD "discovery: false\nidentity: userinfo\n" OWN "}\n", "endpoints.userinfo (userinfo_endpoint) is missing"},
        {HEAD "endpoints: {token: 'http://a.example/t'}\n", "f:5: endpoints.token: must be an address"},
        {HEAD "endpoints: {keys: 'file:///etc/passwd'}\n", "endpoints.keys: must be an address"},
    };
    struct text problem = TEXT_INIT;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        text_clear(&problem);
        struct oidc_provider *p = oidc_provider_parse("f", CASES[i].yaml, strlen(CASES[i].yaml), &problem);
        if (p != NULL || strstr(problem.data, CASES[i].says) == NULL)
            fail_msg("%s: \"%s\", not \"%s\"", CASES[i].yaml, p != NULL ? "taken" : problem.data, CASES[i].says);
    }
    text_finish(&problem);
}

static void the_machine_itself_needs_the_operators_word(void **state)
{
    static const char *const ISSUERS[] = {"http://127.0.0.1:8080", "http://localhost", "http://[::1]:1/op"};
    for (size_t i = 0; i < sizeof ISSUERS / sizeof *ISSUERS; ++i) {
        char yaml[300];
        snprintf(
            yaml, sizeof yaml,
            "id: d\nissuer: '%s'\nclient_id: c\nname: {ru: Д, en: D}\nprivate_network: true\nalgorithms: [ES256]\n",
            ISSUERS[i]);
        struct oidc_provider *p = parse(yaml);
        assert_true(p->private_network);
        assert_int_equal(p->algorithms, 1U << JWS_ES256);
        oidc_provider_free(p);
    }
}

static void two_do_not_share_an_id_or_an_issuer(void **state)
{
    static const struct {
        const char *id, *issuer;
        bool clash;
    } CASES[] = {{"diary", "https://x.example", true},
                 {"other", "https://diary.example", true},
                 {"other", "https://diary.example/", false},
                 {"other", "https://x.example", false}};
    struct oidc_provider *a = parse(HEAD);
    struct text problem = TEXT_INIT;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char yaml[200];
        snprintf(yaml, sizeof yaml, "id: %s\nissuer: %s\nclient_id: c\nname: {ru: Д, en: D}\n", CASES[i].id,
                 CASES[i].issuer);
        struct oidc_provider *b = parse(yaml);
        text_clear(&problem);
        assert_int_equal(oidc_provider_clash(a, b, &problem), CASES[i].clash);
        assert_true(CASES[i].clash == (problem.len != 0));
        oidc_provider_free(b);
    }
    text_finish(&problem);
    oidc_provider_free(a);
}

/* --- Metadata --- */

/* change: members that replace those of good metadata; null: takes it away. */
static bool read_metadata(const struct oidc_provider *p, const char *change, struct oidc_endpoints *endpoints,
                          struct text *problem)
{
    const char *name;
    json_t *value;
    json_t *metadata = json_pack("{s:s, s:s, s:s, s:s, s:[s], s:[s, s], s:[s, s]}", "issuer", "https://diary.example",
                                 "authorization_endpoint", "https://diary.example/auth", "token_endpoint",
                                 "https://diary.example/token", "jwks_uri", "https://keys.example/jwks",
                                 "response_types_supported", "code", "id_token_signing_alg_values_supported", "RS256",
                                 "none", "code_challenge_methods_supported", "plain", "S256");
    json_t *changes = json_loads(change, 0, NULL);
    assert_non_null(changes);
    json_object_foreach(changes, name, value) {
        if (json_is_null(value))
            json_object_del(metadata, name);
        else
            json_object_set(metadata, name, value);
    }
    char *bytes = json_dumps(metadata, 0);
    text_clear(problem);
    bool good = oidc_metadata_read(p, bytes, strlen(bytes), endpoints, problem);
    assert_true(good == (problem->len == 0));
    free(bytes);
    json_decref(changes);
    json_decref(metadata);
    return good;
}

static void metadata_are_of_this_issuer_and_offer_what_is_needed(void **state)
{
    static const struct {
        const char *change, *says; /* NULL: taken */
    } CASES[] = {
        {"{}", NULL},
        {"{\"code_challenge_methods_supported\": null}", NULL},
        {"{\"id_token_signing_alg_values_supported\": null}", NULL},
        {"{\"token_endpoint_auth_methods_supported\": [\"none\"]}", NULL},
        {"{\"userinfo_endpoint\": \"https://diary.example/me\"}", NULL},
        {"{\"issuer\": \"https://diary.example/\"}", "of another issuer"},
        {"{\"issuer\": \"https://evil.example\"}", "of another issuer"},
        {"{\"issuer\": null}", "of another issuer"},
        {"{\"issuer\": [\"https://diary.example\"]}", "of another issuer"},
        {"{\"authorization_endpoint\": null}", "endpoints.authorization"},
        {"{\"token_endpoint\": 5}", "endpoints.token"},
        {"{\"jwks_uri\": null}", "endpoints.keys"},
        {"{\"jwks_uri\": \"http://diary.example/jwks\"}", "jwks_uri is no address"},
        {"{\"jwks_uri\": \"http://127.0.0.1/jwks\"}", "jwks_uri is no address"},
        {"{\"authorization_endpoint\": \"javascript:alert(1)\"}", "authorization_endpoint is no address"},
        {"{\"authorization_endpoint\": \"https://x.example/\\r\\nSet-Cookie: a\"}", "authorization_endpoint is no"},
        {"{\"userinfo_endpoint\": \"https://a@b.example\"}", "userinfo_endpoint is no address"},
        {"{\"response_types_supported\": [\"id_token\", \"code token\"]}", "does not give codes"},
        {"{\"id_token_signing_alg_values_supported\": [\"HS256\", \"none\"]}", "signs by none"},
        {"{\"id_token_signing_alg_values_supported\": \"RS256\"}", "signs by none"},
        {"{\"code_challenge_methods_supported\": [\"plain\"]}", "PKCE"},
        {"{\"token_endpoint_auth_methods_supported\": [\"private_key_jwt\"]}", "client_auth"},
    };
    struct oidc_provider *p = parse(HEAD);
    struct oidc_endpoints endpoints;
    struct text problem = TEXT_INIT;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        bool good = read_metadata(p, CASES[i].change, &endpoints, &problem);
        if (good != (CASES[i].says == NULL) || (!good && strstr(problem.data, CASES[i].says) == NULL))
            fail_msg("%s: %s", CASES[i].change, good ? "taken" : problem.data);
        if (!good)
            assert_null(endpoints.url[OIDC_AUTHORIZATION]);
        oidc_endpoints_finish(&endpoints);
    }
    static const char *const OTHER[] = {"", "<!doctype html><title>Log in</title>", "[]", "null", "{\"issuer\": "};
    for (size_t i = 0; i < sizeof OTHER / sizeof *OTHER; ++i)
        assert_false(oidc_metadata_read(p, OTHER[i], strlen(OTHER[i]), &endpoints, &problem));
    text_finish(&problem);
    oidc_provider_free(p);
}

static void what_the_table_says_goes_before_metadata(void **state)
{
    struct oidc_provider *p = parse(HEAD "endpoints: {keys: 'https://own.example/k'}\nalgorithms: [RS256]\n");
    struct oidc_endpoints endpoints;
    struct text problem = TEXT_INIT;
    assert_true(read_metadata(p, "{\"authorization_response_iss_parameter_supported\": true}", &endpoints, &problem));
    assert_string_equal(endpoints.url[OIDC_KEYS], "https://own.example/k");
    assert_string_equal(endpoints.url[OIDC_TOKEN], "https://diary.example/token");
    assert_true(endpoints.names_itself);
    oidc_endpoints_finish(&endpoints);
    assert_false(read_metadata(p, "{\"id_token_signing_alg_values_supported\": [\"ES256\"]}", &endpoints, &problem));
    text_finish(&problem);
    oidc_provider_free(p);
}

static void a_claim_is_a_line_or_a_number_at_its_path(void **state)
{
    static const struct {
        const char *path, *value; /* NULL: none */
    } CASES[] = {{"sub", "p-1"},    {"user.user_id", "77"}, {"user.name", NULL}, {"a\\.b", "dot"},      {"a.b", NULL},
                 {"nothing", NULL}, {"sub.x", NULL},        {"", NULL},          {"lines", NULL},       {"real", NULL},
                 {"empty", NULL},   {"user", NULL},         {"yes", NULL},       {"nine", "123456789"}, {"ten", NULL}};
    json_t *claims =
        json_loads("{\"sub\": \"p-1\", \"user\": {\"user_id\": 77}, \"a.b\": \"dot\", \"lines\": \"a\\nb\","
                   "\"real\": 1.5, \"empty\": \"\", \"yes\": true, \"nine\": \"123456789\","
                   "\"ten\": \"1234567890\"}",
                   0, NULL);
    assert_non_null(claims);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char out[10];
        bool found = oidc_claim(claims, CASES[i].path, out, sizeof out);
        if (found != (CASES[i].value != NULL) || (found && strcmp(out, CASES[i].value) != 0))
            fail_msg("\"%s\": %s", CASES[i].path, found ? out : "none");
    }
    json_decref(claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_provider_needs_five_lines),
        cmocka_unit_test(a_provider_without_discovery_is_all_in_the_table),
        cmocka_unit_test(what_is_not_right_is_refused_with_its_line),
        cmocka_unit_test(the_machine_itself_needs_the_operators_word),
        cmocka_unit_test(two_do_not_share_an_id_or_an_issuer),
        cmocka_unit_test(metadata_are_of_this_issuer_and_offer_what_is_needed),
        cmocka_unit_test(what_the_table_says_goes_before_metadata),
        cmocka_unit_test(a_claim_is_a_line_or_a_number_at_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
