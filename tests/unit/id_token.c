/* Tokens that providers give of who signed in: keys, signatures, claims; tables of what is taken and what is not. The
 * provider here signs with cjose, too, with whatever it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cjose/cjose.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/oidc/id_token.h"

#define NOW 1800000000
#define ISSUER "https://diary.example"

static const struct id_token_wanted WANTED = {ISSUER, "parta", "n0nce", JWS_ALGORITHMS_ALL, NOW};

/* --- A provider --- */

enum { KEY_RSA, KEY_OTHER, KEY_EC, KEYS };
static cjose_jwk_t *keys[KEYS];
static struct jwk_set *published; /* KEY_RSA as "r", KEY_EC as "e" */

static json_t *public_key(const cjose_jwk_t *key, const char *kid)
{
    cjose_err err;
    char *text = cjose_jwk_to_json(key, false, &err);
    json_t *json = json_loads(text, 0, NULL);
    free(text);
    json_object_del(json, "kid");
    if (kid != NULL)
        json_object_set_new(json, "kid", json_string(kid));
    return json;
}

/* Steals all. */
static struct jwk_set *set_of(json_t *a, json_t *b)
{
    struct text problem = TEXT_INIT;
    json_t *list = json_array();
    if (a != NULL)
        json_array_append_new(list, a);
    if (b != NULL)
        json_array_append_new(list, b);
    json_t *document = json_pack("{s:o}", "keys", list);
    char *bytes = json_dumps(document, JSON_COMPACT);
    struct jwk_set *set = jwk_set_parse(bytes, strlen(bytes), &problem);
    assert_true((set == NULL) == (problem.len != 0));
    free(bytes);
    json_decref(document);
    text_finish(&problem);
    return set;
}

static int make_keys(void **state)
{
    static const uint8_t E[] = {1, 0, 1};
    cjose_err err;
    assert_true(crypto_start());
    keys[KEY_RSA] = cjose_jwk_create_RSA_random(2048, E, sizeof E, &err);
    keys[KEY_OTHER] = cjose_jwk_create_RSA_random(2048, E, sizeof E, &err);
    keys[KEY_EC] = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &err);
    published = set_of(public_key(keys[KEY_RSA], "r"), public_key(keys[KEY_EC], "e"));
    assert_non_null(published);
    assert_int_equal(jwk_set_count(published), 2);
    return 0;
}

static int drop_keys(void **state)
{
    jwk_set_free(published);
    for (int i = 0; i < KEYS; ++i)
        cjose_jwk_release(keys[i]);
    return 0;
}

/* more: a member of the header besides; NULL: none. */
static char *sign(const cjose_jwk_t *key, const char *alg, const char *kid, const char *more, const char *payload)
{
    cjose_err err;
    const char *compact;
    cjose_header_t *header = cjose_header_new(&err);
    cjose_header_set(header, "alg", alg, &err);
    if (kid != NULL)
        cjose_header_set(header, "kid", kid, &err);
    if (more != NULL)
        cjose_header_set_raw(header, more, "[\"x\"]", &err);
    cjose_jws_t *jws = cjose_jws_sign(key, header, (const uint8_t *)payload, strlen(payload), &err);
    assert_non_null(jws);
    assert_true(cjose_jws_export(jws, &compact, &err));
    char *token = xstrdup(compact);
    cjose_jws_release(jws);
    cjose_header_release(header);
    return token;
}

/* change: members that replace those of a good token, null: take it away; NULL: none. */
static char *claims_with(const char *change)
{
    const char *name;
    json_t *value;
    json_t *claims = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "iss", ISSUER, "aud", "parta", "sub", "p-1", "nonce",
                               "n0nce", "iat", NOW - 5, "exp", NOW + 300);
    json_t *changes = change != NULL ? json_loads(change, 0, NULL) : NULL;
    assert_true(change == NULL || changes != NULL);
    json_object_foreach(changes, name, value) {
        if (json_is_null(value))
            json_object_del(claims, name);
        else
            json_object_set(claims, name, value);
    }
    char *text = json_dumps(claims, JSON_COMPACT);
    json_decref(changes);
    json_decref(claims);
    return text;
}

static enum id_token_fault read_token(const char *token, const struct id_token_wanted *wanted)
{
    json_t *claims;
    enum id_token_fault fault = id_token_read(published, wanted, token, strlen(token), &claims);
    assert_true((claims != NULL) == (fault == ID_TOKEN_GOOD));
    json_decref(claims);
    return fault;
}

/* --- Claims --- */

static void every_claim_is_looked_at(void **state)
{
    static const struct {
        const char *change;
        enum id_token_fault fault;
    } CASES[] = {
        {NULL, ID_TOKEN_GOOD},
        {"{\"aud\": [\"parta\"]}", ID_TOKEN_GOOD},
        {"{\"azp\": \"parta\"}", ID_TOKEN_GOOD},
        {"{\"exp\": 1800000300.5, \"iat\": 1799999999.25}", ID_TOKEN_GOOD},
        {"{\"nbf\": 1800000100}", ID_TOKEN_GOOD},
        {"{\"exp\": 1799999881}", ID_TOKEN_ISSUED_AT}, /* within the skew, but before it was made */
        {"{\"exp\": 1799999881, \"iat\": 1799999800}", ID_TOKEN_GOOD},
        {"{\"exp\": 1799999880, \"iat\": 1799999800}", ID_TOKEN_EXPIRED},
        {"{\"exp\": null}", ID_TOKEN_EXPIRED},
        {"{\"exp\": \"1800000300\"}", ID_TOKEN_EXPIRED},
        {"{\"exp\": -1}", ID_TOKEN_EXPIRED},
        {"{\"exp\": 1e300}", ID_TOKEN_EXPIRED},
        {"{\"exp\": 9223372036854775807}", ID_TOKEN_EXPIRED},
        {"{\"iat\": null}", ID_TOKEN_ISSUED_AT},
        {"{\"iat\": 1800000120}", ID_TOKEN_GOOD},
        {"{\"iat\": 1800000121}", ID_TOKEN_ISSUED_AT},
        {"{\"iat\": 1799999280}", ID_TOKEN_GOOD},
        {"{\"iat\": 1799999279}", ID_TOKEN_ISSUED_AT},
        {"{\"nbf\": 1800000121}", ID_TOKEN_ISSUED_AT},
        {"{\"nbf\": \"soon\"}", ID_TOKEN_ISSUED_AT},
        {"{\"iss\": null}", ID_TOKEN_ISSUER},
        {"{\"iss\": \"https://diary.example/\"}", ID_TOKEN_ISSUER},
        {"{\"iss\": \"https://DIARY.example\"}", ID_TOKEN_ISSUER},
        {"{\"iss\": \"https://evil.example\"}", ID_TOKEN_ISSUER},
        {"{\"iss\": [\"https://diary.example\"]}", ID_TOKEN_ISSUER},
        {"{\"aud\": null}", ID_TOKEN_AUDIENCE},
        {"{\"aud\": []}", ID_TOKEN_AUDIENCE},
        {"{\"aud\": \"other\"}", ID_TOKEN_AUDIENCE},
        {"{\"aud\": [\"other\", \"parta\"], \"azp\": \"parta\"}", ID_TOKEN_AUDIENCE},
        {"{\"aud\": {\"parta\": 1}}", ID_TOKEN_AUDIENCE},
        {"{\"aud\": [[\"parta\"]]}", ID_TOKEN_AUDIENCE},
        {"{\"azp\": \"other\"}", ID_TOKEN_AUTHORIZED_PARTY},
        {"{\"azp\": [\"parta\"]}", ID_TOKEN_AUTHORIZED_PARTY},
        {"{\"nonce\": null}", ID_TOKEN_NONCE},
        {"{\"nonce\": \"\"}", ID_TOKEN_NONCE},
        {"{\"nonce\": \"n0ncf\"}", ID_TOKEN_NONCE},
        {"{\"nonce\": \"n0nce2\"}", ID_TOKEN_NONCE},
        {"{\"nonce\": 5}", ID_TOKEN_NONCE},
        {"{\"sub\": null}", ID_TOKEN_SUBJECT},
        {"{\"sub\": \"\"}", ID_TOKEN_SUBJECT},
        {"{\"sub\": 7}", ID_TOKEN_SUBJECT},
        {"{\"sub\": \"a b\"}", ID_TOKEN_SUBJECT},
        {"{\"sub\": \"a\\nb\"}", ID_TOKEN_SUBJECT},
        {"{\"sub\": \"\\u0436\"}", ID_TOKEN_SUBJECT},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char *claims = claims_with(CASES[i].change), *token = sign(keys[KEY_EC], "ES256", "e", NULL, claims);
        enum id_token_fault fault = read_token(token, &WANTED);
        if (fault != CASES[i].fault)
            fail_msg("%s: %s, not %s", CASES[i].change, ID_TOKEN_FAULTS[fault], ID_TOKEN_FAULTS[CASES[i].fault]);
        free(token);
        free(claims);
    }
}

static void a_subject_has_255_characters_at_most(void **state)
{
    for (int n = 255; n <= 256; ++n) {
        char sub[300], change[320];
        memset(sub, 'a', sizeof sub);
        sub[n] = '\0';
        snprintf(change, sizeof change, "{\"sub\": \"%s\"}", sub);
        char *claims = claims_with(change), *token = sign(keys[KEY_EC], "ES256", "e", NULL, claims);
        assert_int_equal(read_token(token, &WANTED), n == 255 ? ID_TOKEN_GOOD : ID_TOKEN_SUBJECT);
        free(token);
        free(claims);
    }
}

/* --- Signatures --- */

static void a_signature_holds_by_a_listed_algorithm_and_a_published_key(void **state)
{
    static const struct {
        int key;
        const char *alg, *kid, *more;
        unsigned algorithms;
        enum id_token_fault fault;
    } CASES[] = {
        {KEY_RSA, "RS256", "r", NULL, JWS_ALGORITHMS_ALL, ID_TOKEN_GOOD},
        {KEY_RSA, "RS256", NULL, NULL, JWS_ALGORITHMS_ALL, ID_TOKEN_GOOD}, /* the only one of its kind */
        {KEY_EC, "ES256", "e", NULL, JWS_ALGORITHMS_ALL, ID_TOKEN_GOOD},
        {KEY_EC, "ES256", "e", NULL, 1U << JWS_RS256, ID_TOKEN_ALGORITHM},
        {KEY_RSA, "RS256", "r", NULL, 1U << JWS_ES256, ID_TOKEN_ALGORITHM},
        {KEY_RSA, "RS512", "r", NULL, JWS_ALGORITHMS_ALL, ID_TOKEN_ALGORITHM},
        {KEY_RSA, "PS256", "r", NULL, JWS_ALGORITHMS_ALL, ID_TOKEN_ALGORITHM},
        {KEY_OTHER, "RS256", "r", NULL, JWS_ALGORITHMS_ALL, ID_TOKEN_SIGNATURE},
        {KEY_OTHER, "RS256", "new", NULL, JWS_ALGORITHMS_ALL, ID_TOKEN_UNKNOWN_KEY},
        {KEY_RSA, "RS256", "e", NULL, JWS_ALGORITHMS_ALL, ID_TOKEN_UNKNOWN_KEY}, /* another kind's */
        {KEY_RSA, "RS256", "r", "crit", JWS_ALGORITHMS_ALL, ID_TOKEN_MALFORMED},
    };
    char *claims = claims_with(NULL);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct id_token_wanted wanted = WANTED;
        char *token = sign(keys[CASES[i].key], CASES[i].alg, CASES[i].kid, CASES[i].more, claims);
        wanted.algorithms = CASES[i].algorithms;
        enum id_token_fault fault = read_token(token, &wanted);
        if (fault != CASES[i].fault)
            fail_msg("%s by \"%s\" (%zu): %s", CASES[i].alg, CASES[i].kid, i, ID_TOKEN_FAULTS[fault]);
        free(token);
    }
    free(claims);
}

/* The attacks on JWS that have names: no signature, and the public key as the secret of an HMAC. */
static void nothing_is_signed_by_nothing_or_by_a_public_key(void **state)
{
    cjose_err err;
    struct text token = TEXT_INIT;
    char *claims = claims_with(NULL);
    static const char *const HEADERS[] = {"{\"alg\":\"none\"}",    "{\"alg\":\"None\",\"kid\":\"r\"}",
                                          "{\"kid\":\"r\"}",       "{\"alg\":null}",
                                          "{\"alg\":[\"RS256\"]}", "{\"alg\":\"HS256\"}"};
    for (size_t i = 0; i < sizeof HEADERS / sizeof *HEADERS; ++i)
        for (int signature = 0; signature < 2; ++signature) {
            text_clear(&token);
            text_add_base64url(&token, (const unsigned char *)HEADERS[i], strlen(HEADERS[i]));
            text_addc(&token, '.');
            text_add_base64url(&token, (const unsigned char *)claims, strlen(claims));
            text_adds(&token, signature ? ".QUJD" : ".");
            enum id_token_fault fault = read_token(token.data, &WANTED);
            assert_true(fault == ID_TOKEN_ALGORITHM || (!signature && fault == ID_TOKEN_MALFORMED));
        }
    json_t *shown = public_key(keys[KEY_RSA], NULL);
    const char *secret = json_get_string(shown, "n");
    cjose_jwk_t *hmac = cjose_jwk_create_oct_spec((const uint8_t *)secret, strlen(secret), &err);
    char *forged = sign(hmac, "HS256", "r", NULL, claims);
    assert_int_equal(read_token(forged, &WANTED), ID_TOKEN_ALGORITHM);
    free(forged);
    cjose_jwk_release(hmac);
    json_decref(shown);
    text_finish(&token);
    free(claims);
}

/* Every character of a token counts, and none may stand besides. */
static void a_changed_token_is_none(void **state)
{
    char *claims = claims_with(NULL), *token = sign(keys[KEY_EC], "ES256", "e", NULL, claims);
    size_t len = strlen(token);
    for (size_t i = 0; i < len; ++i) {
        char was = token[i];
        /* '=' was an end of the process in cjose, found by the fuzzer. */
        const char others[] = {was == 'A' ? 'B' : 'A', '=', '+', '/', ' ', '\n', '\0', '\x80', '.'};
        for (size_t other = 0; other < sizeof others; ++other) {
            json_t *none;
            token[i] = others[other];
            if (others[other] != was && id_token_read(published, &WANTED, token, len, &none) == ID_TOKEN_GOOD)
                fail_msg("character %zu does not count", i);
        }
        token[i] = was;
    }
    static const char *const BEHIND[] = {".", ".x", "=", "==", "A", " ", "\n"};
    for (size_t i = 0; i < sizeof BEHIND / sizeof *BEHIND; ++i) {
        struct text more = TEXT_INIT;
        text_addf(&more, "%s%s", token, BEHIND[i]);
        assert_int_not_equal(read_token(more.data, &WANTED), ID_TOKEN_GOOD);
        text_finish(&more);
    }
    for (size_t i = 0; i < len; i += 7) {
        json_t *none;
        assert_int_not_equal(id_token_read(published, &WANTED, token, i, &none), ID_TOKEN_GOOD);
        assert_null(none);
    }
    free(token);
    free(claims);
}

static void a_token_that_says_something_twice_is_none(void **state)
{
    static const char TWICE[] = "{\"iss\":\"" ISSUER "\",\"aud\":\"parta\",\"sub\":\"p-2\",\"sub\":\"p-1\","
                                "\"nonce\":\"n0nce\",\"iat\":1799999995,\"exp\":1800000300}";
    static const char *const PAYLOADS[] = {TWICE, "[]", "\"x\"", "<html>", "{\"sub\":\"\xff\"}"};
    for (size_t i = 0; i < sizeof PAYLOADS / sizeof *PAYLOADS; ++i) {
        char *token = sign(keys[KEY_EC], "ES256", "e", NULL, PAYLOADS[i]);
        assert_int_equal(read_token(token, &WANTED), ID_TOKEN_MALFORMED);
        free(token);
    }
}

static void a_token_of_any_length_is_bounded(void **state)
{
    struct text sub = TEXT_INIT;
    text_adds(&sub, "{\"more\": \"");
    for (int i = 0; i < JWS_BYTES_MAX; ++i)
        text_addc(&sub, 'a');
    text_adds(&sub, "\"}");
    char *claims = claims_with(sub.data), *token = sign(keys[KEY_EC], "ES256", "e", NULL, claims);
    assert_int_equal(read_token(token, &WANTED), ID_TOKEN_MALFORMED);
    free(token);
    free(claims);
    text_finish(&sub);
}

/* --- Sets of keys --- */

/* change: as of claims; how many keys are kept of the one. */
static void keys_that_cannot_verify_are_passed_over(void **state)
{
    static const struct {
        int key;
        const char *change;
        size_t kept;
    } CASES[] = {
        {KEY_RSA, "{}", 1},
        {KEY_RSA, "{\"use\": \"sig\", \"alg\": \"RS256\", \"kid\": \"1\", \"x5t\": [1]}", 1},
        {KEY_RSA, "{\"use\": \"enc\"}", 0},
        {KEY_RSA, "{\"alg\": \"RS512\"}", 0},
        {KEY_RSA, "{\"alg\": 5}", 0},
        {KEY_RSA, "{\"kid\": 5}", 0},
        {KEY_RSA, "{\"kty\": \"rsa\"}", 0},
        {KEY_RSA, "{\"kty\": \"oct\", \"k\": \"QUJD\"}", 0},
        {KEY_RSA, "{\"n\": null}", 0},
        {KEY_RSA, "{\"n\": \"AQAB\"}", 0}, /* too short */
        {KEY_RSA, "{\"n\": \"!\"}", 0},
        {KEY_RSA, "{\"e\": \"AQ\"}", 0}, /* 1 */
        {KEY_RSA, "{\"e\": \"Ag\"}", 0}, /* 2 */
        {KEY_RSA, "{\"e\": \"AAEAAQ\"}", 0},
        {KEY_RSA, "{\"e\": \"AQAAAAAAAAAB\"}", 0},
        {KEY_EC, "{}", 1},
        {KEY_EC, "{\"crv\": \"P-384\"}", 0},
        {KEY_EC, "{\"crv\": null}", 0},
        {KEY_EC, "{\"y\": \"AQAB\"}", 0},
        {KEY_EC, "{\"y\": \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}", 0}, /* not on the curve */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        const char *name;
        json_t *value, *key = public_key(keys[CASES[i].key], NULL);
        json_t *changes = json_loads(CASES[i].change, 0, NULL);
        assert_non_null(changes);
        json_object_foreach(changes, name, value) {
            if (json_is_null(value))
                json_object_del(key, name);
            else
                json_object_set(key, name, value);
        }
        struct jwk_set *set = set_of(key, NULL);
        if ((set != NULL ? jwk_set_count(set) : 0) != CASES[i].kept)
            fail_msg("%s: %s", CASES[i].change, set != NULL ? "kept" : "passed over");
        jwk_set_free(set);
        json_decref(changes);
    }
}

static void what_is_no_set_of_keys_says_so(void **state)
{
    static const char *const DOCUMENTS[] = {"",
                                            "<!doctype html>",
                                            "[]",
                                            "{}",
                                            "{\"keys\": {}}",
                                            "{\"keys\": []}",
                                            "{\"keys\": [null, 1, [], {}]}",
                                            "{\"keys\": [], \"keys\": []}"};
    struct text problem = TEXT_INIT;
    for (size_t i = 0; i < sizeof DOCUMENTS / sizeof *DOCUMENTS; ++i) {
        text_clear(&problem);
        assert_null(jwk_set_parse(DOCUMENTS[i], strlen(DOCUMENTS[i]), &problem));
        assert_true(problem.len != 0);
    }
    char *large = malloc(JWK_SET_BYTES_MAX + 1);
    memset(large, ' ', JWK_SET_BYTES_MAX + 1);
    memcpy(large, "{\"keys\": []}", 12);
    assert_null(jwk_set_parse(large, JWK_SET_BYTES_MAX + 1, &problem));
    free(large);
    text_finish(&problem);
}

/* Which of two it was would be a guess, and trying them all is work that a stranger asks for. */
static void a_token_without_a_key_id_needs_the_only_key_of_its_kind(void **state)
{
    struct jwk_set *two = set_of(public_key(keys[KEY_RSA], "a"), public_key(keys[KEY_OTHER], "b"));
    char *claims = claims_with(NULL), *token = sign(keys[KEY_RSA], "RS256", NULL, NULL, claims);
    json_t *read;
    assert_int_equal(id_token_read(two, &WANTED, token, strlen(token), &read), ID_TOKEN_UNKNOWN_KEY);
    assert_null(read);
    free(token);
    free(claims);
    jwk_set_free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_claim_is_looked_at),
        cmocka_unit_test(a_subject_has_255_characters_at_most),
        cmocka_unit_test(a_signature_holds_by_a_listed_algorithm_and_a_published_key),
        cmocka_unit_test(nothing_is_signed_by_nothing_or_by_a_public_key),
        cmocka_unit_test(a_changed_token_is_none),
        cmocka_unit_test(a_token_that_says_something_twice_is_none),
        cmocka_unit_test(a_token_of_any_length_is_bounded),
        cmocka_unit_test(keys_that_cannot_verify_are_passed_over),
        cmocka_unit_test(what_is_no_set_of_keys_says_so),
        cmocka_unit_test(a_token_without_a_key_id_needs_the_only_key_of_its_kind),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
