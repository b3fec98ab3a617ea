/* Asking a provider who somebody is: one that does as it should, and one that lies, hangs, changes its keys or answers
 * with a page. It is two small servers: one for metadata, one for tokens, a third for keys. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <cjose/cjose.h>

#include "homeserver/base/json.h"
#include "homeserver/oidc/client.h"
#include "homeserver/oidc/provider.h"
#include "homeserver/outgoing/outgoing.h"
#include "tests/unit/http_service.h"

#define NOW 1800000000
#define JSON_HEAD "Content-Type: application/json\r\n"

enum { METADATA, TOKENS, KEYS, USERINFO, SERVICES };

struct world {
    struct http_service *services[SERVICES];
    char urls[SERVICES][64];
    struct outgoing *outgoing;
    struct oidc_provider *provider;
    struct oidc_crowd crowd;
    struct oidc_client *client;
    cjose_jwk_t *key;
    struct text problem;
};

static void say(struct world *w, int service, int status, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);
    http_service_set(w->services[service], SERVICE_ANSWERS, status, JSON_HEAD, text, 1);
    free(text);
    json_decref(body);
}

static void say_metadata(struct world *w, const char *issuer, bool names_itself)
{
    say(w, METADATA, 200,
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:[s], s:b}", "issuer", issuer, "authorization_endpoint",
                  "http://127.0.0.1:1/auth?lang=ru", "token_endpoint", w->urls[TOKENS], "jwks_uri", w->urls[KEYS],
                  "userinfo_endpoint", w->urls[USERINFO], "id_token_signing_alg_values_supported", "ES256",
                  "authorization_response_iss_parameter_supported", (int)names_itself));
}

/* The provider has a new key from now on; published: and says so. */
static void take_key(struct world *w, const char *kid, bool published)
{
    cjose_err err;
    cjose_jwk_release(w->key);
    w->key = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &err);
    cjose_jwk_set_kid(w->key, kid, strlen(kid), &err);
    char *shown = cjose_jwk_to_json(w->key, false, &err);
    if (published)
        say(w, KEYS, 200, json_pack("{s:[o]}", "keys", json_loads(shown, 0, NULL)));
    free(shown);
}

/* What the token endpoint gives: an ID token of these. */
static void say_signed_in(struct world *w, const char *issuer, const char *aud, const char *nonce, int iat,
                          json_t *auth_time)
{
    cjose_err err;
    const char *compact;
    json_t *claims = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:o*}", "iss", issuer, "aud", aud, "nonce", nonce, "sub",
                               "p-1", "iat", iat, "exp", iat + 300, "auth_time", auth_time);
    char *payload = json_dumps(claims, JSON_COMPACT);
    cjose_header_t *header = cjose_header_new(&err);
    cjose_header_set(header, "alg", "ES256", &err);
    cjose_header_set(header, "kid", cjose_jwk_get_kid(w->key, &err), &err);
    cjose_jws_t *jws = cjose_jws_sign(w->key, header, (const uint8_t *)payload, strlen(payload), &err);
    assert_true(cjose_jws_export(jws, &compact, &err));
    say(w, TOKENS, 200,
        json_pack("{s:s, s:s, s:s}", "id_token", compact, "access_token", "at-1", "token_type", "Bearer"));
    cjose_jws_release(jws);
    cjose_header_release(header);
    free(payload);
    json_decref(claims);
}

static void say_tokens(struct world *w, const char *issuer, const char *aud, const char *nonce, int iat)
{
    say_signed_in(w, issuer, aud, nonce, iat, NULL);
}

/* more: lines of the table besides. */
static void start(struct world *w, const char *more, const struct oidc_waits *waits)
{
    struct text yaml = TEXT_INIT;
    *w = (struct world){.outgoing = outgoing_create(NULL), .crowd.max = 6};
    for (int i = 0; i < SERVICES; ++i) {
        w->services[i] = http_service_start();
        snprintf(w->urls[i], sizeof w->urls[i], "http://127.0.0.1:%d", http_service_port(w->services[i]));
    }
    text_addf(&yaml, "id: diary\nissuer: '%s'\nclient_id: 'par ta'\nname: {ru: D, en: D}\nprivate_network: true\n%s",
              w->urls[METADATA], more);
    w->provider = oidc_provider_parse("f", yaml.data, yaml.len, &w->problem);
    if (w->provider == NULL)
        fail_msg("%s", w->problem.data);
    w->client = oidc_client_create(w->provider, w->outgoing, &w->crowd, waits);
    say_metadata(w, w->urls[METADATA], false);
    take_key(w, "k1", true);
    say_tokens(w, w->urls[METADATA], "par ta", "n0nce", NOW);
    text_finish(&yaml);
}

static void stop(struct world *w)
{
    outgoing_destroy(w->outgoing);
    oidc_client_destroy(w->client);
    oidc_provider_free(w->provider);
    for (int i = 0; i < SERVICES; ++i)
        http_service_stop(w->services[i]);
    cjose_jwk_release(w->key);
    text_finish(&w->problem);
}

/* Signs in; the person must be p-1 where it is good. says: in the problem; NULL: there is none. */
static void expect(struct world *w, const char *iss, enum oidc_outcome outcome, const char *says)
{
    struct oidc_person person;
    const struct oidc_answer answer = {"c/1", iss, "https://school.example/back", "n0nce", "verifier", NOW + 5};
    text_clear(&w->problem);
    enum oidc_outcome is = oidc_client_person(w->client, &answer, &person, &w->problem);
    if (is != outcome || (says != NULL && strstr(w->problem.data, says) == NULL))
        fail_msg("%d, not %d: \"%s\"", is, outcome, w->problem.len != 0 ? w->problem.data : "");
    assert_true((is == OIDC_GOOD) == (person.claims != NULL));
    assert_string_equal(person.subject, is == OIDC_GOOD ? "p-1" : "");
    oidc_person_finish(&person);
}

static void the_browser_is_sent_with_all_that_binds_the_answer(void **state)
{
    struct world w;
    struct text url = TEXT_INIT;
    start(&w, "", NULL);
    const struct oidc_asking asking = {"https://school.example/back?x=1&y", "st.ate", "n0nce", "chal"};
    assert_int_equal(oidc_client_address(w.client, &asking, &url, &w.problem), OIDC_GOOD);
    assert_string_equal(url.data,
                        "http://127.0.0.1:1/auth?lang=ru&response_type=code&client_id=par%20ta&redirect_uri="
                        "https%3A%2F%2Fschool.example%2Fback%3Fx%3D1%26y&scope=openid&state=st.ate&code_challenge=chal"
                        "&code_challenge_method=S256&nonce=n0nce&max_age=31536000");
    text_clear(&url);
    const struct oidc_asking anew = {"https://school.example/back", "st.ate", "n0nce", "chal", true};
    assert_int_equal(oidc_client_address(w.client, &anew, &url, &w.problem), OIDC_GOOD);
    assert_non_null(strstr(url.data, "&nonce=n0nce&prompt=login&max_age=0"));
    assert_int_equal(http_service_requests(w.services[METADATA]), 1); /* kept */
    text_finish(&url);
    stop(&w);
}

static void a_code_becomes_a_person(void **state)
{
    struct world w;
    start(&w, "", NULL);
    expect(&w, NULL, OIDC_GOOD, NULL);
    expect(&w, w.urls[METADATA], OIDC_GOOD, NULL);
    assert_int_equal(http_service_requests(w.services[KEYS]), 1);
    assert_int_equal(http_service_requests(w.services[USERINFO]), 0); /* nothing in it is wanted */
    char *asked = http_service_request(w.services[TOKENS], 0);
    assert_non_null(strstr(asked, "POST / HTTP/1.1"));
    assert_non_null(strstr(asked, "application/x-www-form-urlencoded"));
    assert_non_null(strstr(asked, "grant_type=authorization_code&code=c%2F1&redirect_uri=https%3A%2F%2Fschool.example"
                                  "%2Fback&code_verifier=verifier&client_id=par%20ta"));
    free(asked);
    stop(&w);
}

/* since_s 0: they were not asked to sign in anew. */
static void comes_back(struct world *w, int64_t since_s, enum oidc_outcome outcome, int64_t auth_time_s)
{
    struct oidc_person person;
    const struct oidc_answer answer = {"c/1",   NULL,   "https://school.example/back", "n0nce", "verifier",
                                       NOW + 5, since_s};
    text_clear(&w->problem);
    enum oidc_outcome is = oidc_client_person(w->client, &answer, &person, &w->problem);
    if (is != outcome)
        fail_msg("since %lld: %d, not %d: \"%s\"", (long long)since_s, is, outcome,
                 w->problem.len != 0 ? w->problem.data : "");
    if (is == OIDC_GOOD)
        assert_int_equal(person.auth_time_s, auth_time_s);
    else
        assert_non_null(strstr(w->problem.data, "auth_time"));
    oidc_person_finish(&person);
}

/* Core, 3.1.2.1 (max_age) and 3.1.3.7, 13: who was asked to sign in anew must have, by the provider's own word, give or
 * take the clocks'. */
static void who_is_to_sign_in_anew_must_have(void **state)
{
    enum { SINCE = NOW - 60 };
    const struct {
        json_t *auth_time;
        bool anew;      /* it proves a sign-in anew */
        int64_t said_s; /* −1: nothing, or nothing that may be */
    } CASES[] = {
        {json_integer(NOW), true, NOW},
        {json_integer(SINCE), true, SINCE},
        {json_integer(SINCE - ID_TOKEN_SKEW_S), true, SINCE - ID_TOKEN_SKEW_S},
        {json_integer(SINCE - ID_TOKEN_SKEW_S - 1), false, SINCE - ID_TOKEN_SKEW_S - 1},
        {json_integer(NOW - 86400), false, NOW - 86400},
        {json_integer(NOW + 5 + ID_TOKEN_SKEW_S), true, NOW + 5 + ID_TOKEN_SKEW_S},
        {json_integer(NOW + 5 + ID_TOKEN_SKEW_S + 1), false, -1},
        {json_string("now"), false, -1},
        {NULL, false, -1},
    };
    struct world w, trusted;
    start(&w, "", NULL);
    start(&trusted, "auth_time: false\n", NULL);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        say_signed_in(&w, w.urls[METADATA], "par ta", "n0nce", NOW, json_incref(CASES[i].auth_time));
        comes_back(&w, SINCE, CASES[i].anew ? OIDC_GOOD : OIDC_REFUSED, CASES[i].said_s);
        comes_back(&w, 0, OIDC_GOOD, CASES[i].said_s);
        say_signed_in(&trusted, trusted.urls[METADATA], "par ta", "n0nce", NOW, CASES[i].auth_time);
        comes_back(&trusted, SINCE, OIDC_GOOD, -1); /* the operator takes the provider's word */
    }
    struct text url = TEXT_INIT;
    const struct oidc_asking anew = {"https://school.example/back", "st.ate", "n0nce", "chal", true};
    assert_int_equal(oidc_client_address(trusted.client, &anew, &url, &trusted.problem), OIDC_GOOD);
    assert_non_null(strstr(url.data, "&prompt=login"));
    assert_null(strstr(url.data, "max_age"));
    text_finish(&url);
    stop(&w);
    stop(&trusted);
}

static void what_it_says_must_hold(void **state)
{
    struct world w;
    start(&w, "", NULL);
    expect(&w, "https://evil.example", OIDC_REFUSED, "another issuer");
    assert_int_equal(http_service_requests(w.services[TOKENS]), 0); /* the code was not shown */
    say_tokens(&w, "https://evil.example", "par ta", "n0nce", NOW);
    expect(&w, NULL, OIDC_REFUSED, "another issuer");
    say_tokens(&w, w.urls[METADATA], "other", "n0nce", NOW);
    expect(&w, NULL, OIDC_REFUSED, "another audience");
    say_tokens(&w, w.urls[METADATA], "par ta", "other", NOW);
    expect(&w, NULL, OIDC_REFUSED, "another nonce");
    say_tokens(&w, w.urls[METADATA], "par ta", "n0nce", NOW - 100000);
    expect(&w, NULL, OIDC_REFUSED, "expired");
    say(&w, TOKENS, 400, json_pack("{s:s}", "error", "invalid_grant"));
    expect(&w, NULL, OIDC_REFUSED, "status 400");
    say(&w, TOKENS, 200, json_pack("{s:s}", "id_token", "x.y.z"));
    expect(&w, NULL, OIDC_REFUSED, "not a token");
    say(&w, TOKENS, 200, json_pack("[]"));
    expect(&w, NULL, OIDC_REFUSED, "no ID token");
    http_service_set(w.services[TOKENS], SERVICE_ANSWERS, 200, "Content-Type: text/html\r\n", "<p>Sign in</p>", 1);
    expect(&w, NULL, OIDC_REFUSED, "no ID token");
    http_service_set(w.services[TOKENS], SERVICE_ANSWERS, 302, "Location: http://127.0.0.1:1/\r\n", "", 1);
    expect(&w, NULL, OIDC_REFUSED, "status 302");
    say_tokens(&w, w.urls[METADATA], "par ta", "n0nce", NOW);
    expect(&w, NULL, OIDC_GOOD, NULL);
    stop(&w);
}

static void one_that_names_itself_must_do_so(void **state)
{
    struct world w;
    start(&w, "", NULL);
    say_metadata(&w, w.urls[METADATA], true);
    expect(&w, NULL, OIDC_REFUSED, "another issuer");
    expect(&w, w.urls[METADATA], OIDC_GOOD, NULL);
    stop(&w);
}

static void one_that_is_away_or_odd_is_told_apart_from_one_that_says_no(void **state)
{
    struct world w;
    start(&w, "", NULL);
    say_metadata(&w, "https://evil.example", false);
    expect(&w, NULL, OIDC_AWAY, "another issuer");
    http_service_set(w.services[METADATA], SERVICE_ANSWERS, 200, "", "<html>", 1);
    expect(&w, NULL, OIDC_AWAY, "no JSON object");
    http_service_set(w.services[METADATA], SERVICE_ANSWERS, 200, "", " ", 70000);
    expect(&w, NULL, OIDC_AWAY, "its metadata");
    say_metadata(&w, w.urls[METADATA], false);
    http_service_set(w.services[KEYS], SERVICE_ANSWERS, 200, "", "<html>", 1);
    expect(&w, NULL, OIDC_AWAY, "no set of keys");
    say(&w, TOKENS, 503, json_pack("{}"));
    expect(&w, NULL, OIDC_AWAY, "status 503");
    int before = http_service_requests(w.services[TOKENS]);
    http_service_set(w.services[TOKENS], SERVICE_BREAKS, 200, JSON_HEAD, "{}", 100);
    expect(&w, NULL, OIDC_AWAY, "its token endpoint");
    assert_int_equal(http_service_requests(w.services[TOKENS]), before + 1); /* a code is shown once */
    stop(&w);
}

static void *sign_in_in_vain(void *arg)
{
    struct world *w = arg;
    struct oidc_person person;
    struct text problem = TEXT_INIT;
    const struct oidc_answer answer = {"c/1", NULL, "https://school.example/back", "n0nce", "verifier", NOW + 5};
    enum oidc_outcome outcome = oidc_client_person(w->client, &answer, &person, &problem);
    bool said = problem.len != 0;
    text_finish(&problem);
    return outcome == OIDC_AWAY && said && person.claims == NULL ? w : NULL;
}

/* One asks for all who wait, those who waited with it do not ask once more, and there are not many of them. */
static void one_that_hangs_is_waited_for_by_few(void **state)
{
    struct world w;
    pthread_t threads[12];
    start(&w, "", &(struct oidc_waits){.timeout_ms = 500});
    http_service_set(w.services[METADATA], SERVICE_SILENT, 200, "", "", 1);
    for (int i = 0; i < 12; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_in_in_vain, &w), 0);
    for (int i = 0; i < 12; ++i) {
        void *good;
        pthread_join(threads[i], &good);
        assert_non_null(good);
    }
    assert_true(http_service_requests(w.services[METADATA]) < 12);
    assert_int_equal(http_service_requests(w.services[TOKENS]), 0);
    stop(&w);
}

static void until_asked(const struct http_service *service, int times)
{
    for (int i = 0; i < 30000 && http_service_requests(service) < times; ++i)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(http_service_requests(service), times);
}

/* Others that hang have workers, too: there is one bound over all. */
static void all_providers_together_are_waited_for_by_few(void **state)
{
    struct world w;
    struct text address = TEXT_INIT;
    const struct oidc_asking asking = {"https://school.example/back", "s", "n", "c"};
    start(&w, "", NULL);
    w.crowd.callers = w.crowd.max;
    expect(&w, NULL, OIDC_AWAY, "any provider");
    assert_int_equal(oidc_client_address(w.client, &asking, &address, &w.problem), OIDC_AWAY);
    assert_int_equal(http_service_requests(w.services[METADATA]), 0);
    for (int i = 0; i < OIDC_CALLS_MAX + 1; ++i) { /* who was refused has left no place taken */
        w.crowd.callers = w.crowd.max - 1;
        expect(&w, NULL, OIDC_GOOD, NULL);
        assert_int_equal(w.crowd.callers, w.crowd.max - 1);
    }
    text_finish(&address);
    stop(&w);
}

/* Nor does one that hangs go on to have four of them. */
static void one_that_did_not_answer_is_waited_for_by_one(void **state)
{
    struct world w;
    pthread_t thread;
    void *good;
    start(&w, "", &(struct oidc_waits){.timeout_ms = 2000});
    http_service_set(w.services[METADATA], SERVICE_SILENT, 200, "", "", 1);
    expect(&w, NULL, OIDC_AWAY, "its metadata");
    assert_int_equal(pthread_create(&thread, NULL, sign_in_in_vain, &w), 0);
    until_asked(w.services[METADATA], 2);
    expect(&w, NULL, OIDC_AWAY, "as many as may wait for it do");
    pthread_join(thread, &good);
    assert_non_null(good);
    w.crowd.callers = w.crowd.max / 2; /* nor do all that hang have more than half of what there is */
    expect(&w, NULL, OIDC_AWAY, "any provider");
    w.crowd.callers = 0;
    say_metadata(&w, w.urls[METADATA], false);
    expect(&w, NULL, OIDC_GOOD, NULL);
    assert_int_equal(w.crowd.callers, 0);
    stop(&w);
}

static void sign_with(struct world *w, const char *kid, bool published)
{
    take_key(w, kid, published);
    say_tokens(w, w->urls[METADATA], "par ta", "n0nce", NOW);
}

static void changed_keys_are_asked_for_again_but_not_each_time(void **state)
{
    for (int soon = 0; soon < 2; ++soon) {
        struct world w;
        start(&w, "", &(struct oidc_waits){.keys_again_ms = soon ? -1 : 3600000});
        expect(&w, NULL, OIDC_GOOD, NULL);
        sign_with(&w, "k2", true); /* changed, and at once */
        expect(&w, NULL, OIDC_GOOD, NULL);
        assert_int_equal(http_service_requests(w.services[KEYS]), 2);
        sign_with(&w, "k2", false); /* another one under a name that is known: nothing is asked for it */
        expect(&w, NULL, OIDC_REFUSED, "signature");
        assert_int_equal(http_service_requests(w.services[KEYS]), 2);
        sign_with(&w, "k3", true);
        expect(&w, NULL, soon ? OIDC_GOOD : OIDC_REFUSED, soon ? NULL : "a key that the provider does not name");
        assert_int_equal(http_service_requests(w.services[KEYS]), soon ? 3 : 2);
        stop(&w);
    }
}

static void userinfo_adds_what_a_school_is_told_by_and_is_of_the_same_person(void **state)
{
    struct world w;
    start(&w, "claims: {sourced_id: ext.id}\nschools: [s1]\n", NULL);
    say(&w, USERINFO, 200, json_pack("{s:s, s:{s:s}}", "sub", "p-1", "ext", "id", "u-77"));
    struct oidc_person person;
    char id[32];
    const struct oidc_answer answer = {"c/1", NULL, "https://school.example/back", "n0nce", "verifier", NOW + 5};
    assert_int_equal(oidc_client_person(w.client, &answer, &person, &w.problem), OIDC_GOOD);
    assert_true(oidc_claim(person.claims, w.provider->schools[0].claim, id, sizeof id));
    assert_string_equal(id, "u-77");
    oidc_person_finish(&person);
    char *asked = http_service_request(w.services[USERINFO], 0);
    assert_non_null(strstr(asked, "Bearer at-1"));
    free(asked);
    say(&w, USERINFO, 200, json_pack("{s:s, s:{s:s}}", "sub", "p-2", "ext", "id", "u-78"));
    expect(&w, NULL, OIDC_REFUSED, "another subject");
    say(&w, USERINFO, 200, json_pack("{s:{s:s}}", "ext", "id", "u-78"));
    expect(&w, NULL, OIDC_REFUSED, "another subject");
    say(&w, USERINFO, 401, json_pack("{}"));
    expect(&w, NULL, OIDC_REFUSED, "status 401");
    stop(&w);
}

/* What some want besides: back what came with the code, and their token in a form. */
static void a_provider_is_told_what_its_table_says(void **state)
{
    struct world w;
    struct oidc_person person;
    struct oidc_answer answer = {"c/1", NULL, "https://school.example/back", "n0nce", "verifier", NOW + 5};
    start(&w,
          "identity: userinfo\nclaims: {subject: user.id}\ntoken_parameters: [device_id, never_came, state]\n"
          "userinfo_token: form\n",
          NULL);
    say(&w, TOKENS, 200, json_pack("{s:s, s:s}", "access_token", "at/2", "token_type", "bearer"));
    say(&w, USERINFO, 200, json_pack("{s:{s:i}}", "user", "id", 1000299654));
    answer.handed_on[0] = "d&1";
    answer.handed_on[2] = "s_1";
    assert_int_equal(oidc_client_person(w.client, &answer, &person, &w.problem), OIDC_GOOD);
    assert_string_equal(person.subject, "1000299654");
    oidc_person_finish(&person);
    char *asked = http_service_request(w.services[TOKENS], 0);
    assert_non_null(strstr(asked, "&device_id=d%261&state=s_1"));
    assert_null(strstr(asked, "never_came"));
    free(asked);
    asked = http_service_request(w.services[USERINFO], 0);
    assert_non_null(strstr(asked, "POST / HTTP/1.1"));
    assert_non_null(strstr(asked, "\r\n\r\naccess_token=at%2F2&client_id=par%20ta"));
    assert_null(strstr(asked, "Bearer"));
    free(asked);
    stop(&w);
}

static void a_provider_without_id_tokens_is_asked_who_it_is(void **state)
{
    struct world w;
    start(&w, "identity: userinfo\nclaims: {subject: user.id}\n", NULL);
    say(&w, TOKENS, 200, json_pack("{s:s, s:s}", "access_token", "at-2", "token_type", "bearer"));
    say(&w, USERINFO, 200, json_pack("{s:{s:s}}", "user", "id", "p-1"));
    expect(&w, NULL, OIDC_GOOD, NULL);
    say(&w, USERINFO, 200, json_pack("{s:{s:s}}", "user", "name", "p-1"));
    expect(&w, NULL, OIDC_REFUSED, "no subject");
    say(&w, TOKENS, 200, json_pack("{s:s}", "token_type", "bearer"));
    expect(&w, NULL, OIDC_REFUSED, "no access token");
    stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_browser_is_sent_with_all_that_binds_the_answer),
        cmocka_unit_test(a_code_becomes_a_person),
        cmocka_unit_test(who_is_to_sign_in_anew_must_have),
        cmocka_unit_test(what_it_says_must_hold),
        cmocka_unit_test(one_that_names_itself_must_do_so),
        cmocka_unit_test(one_that_is_away_or_odd_is_told_apart_from_one_that_says_no),
        cmocka_unit_test(one_that_hangs_is_waited_for_by_few),
        cmocka_unit_test(all_providers_together_are_waited_for_by_few),
        cmocka_unit_test(one_that_did_not_answer_is_waited_for_by_one),
        cmocka_unit_test(changed_keys_are_asked_for_again_but_not_each_time),
        cmocka_unit_test(userinfo_adds_what_a_school_is_told_by_and_is_of_the_same_person),
        cmocka_unit_test(a_provider_is_told_what_its_table_says),
        cmocka_unit_test(a_provider_without_id_tokens_is_asked_who_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
