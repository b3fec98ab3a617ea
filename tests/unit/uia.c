/* User-interactive authentication: sessions, stages, what is bound to what. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "homeserver/base/crypto.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/server.h"
#include "homeserver/http/uia.h"

/* Instead of libsodium's: what is wiped, and whether the typed secret was in it. */
#define TYPED "korrekt-horse"
static int wiped;

void sodium_memzero(void *const bytes, const size_t len)
{
    if (bytes == NULL)
        return;
    wiped += memmem(bytes, len, TYPED, strlen(TYPED)) != NULL;
    explicit_bzero(bytes, len);
}

static bool check_secret(struct request *r, const json_t *auth, struct uia_attempt *attempt)
{
    const char *secret = json_get_string(auth, "secret");
    if (secret == NULL)
        return refuse(r, ERROR_MISSING_PARAM, NULL);
    if (strcmp(secret, "slow down") == 0)
        return error_set_limited(&r->error, 1000);
    if (strcmp(secret, "right") != 0)
        return refuse(r, ERROR_FORBIDDEN, "Wrong secret.");
    snprintf(attempt->value, sizeof attempt->value, "%s", (const char *)attempt->arg);
    return true;
}

static json_t *secret_params(struct request *r)
{
    return json_pack("{s:s}", "hint", "five letters");
}

static const struct uia_stage SECRET = {"test.secret", check_secret, secret_params};
static const struct uia_stage *const BOTH[] = {&SECRET, &UIA_DUMMY};
static const struct uia_stage *const ALONE[] = {&SECRET};
static const struct uia_flow TWO_STAGES[] = {{BOTH, 2}};
static const struct uia_flow ONE_STAGE[] = {{ALONE, 1}};

enum { ANNA = 1, BORIS };

struct bench {
    struct server server;
    struct request r;
    struct uia_result result;
};

static int make(void **state)
{
    struct bench *b = xcalloc(1, sizeof *b);
    if (!crypto_start())
        return 1;
    b->server.uia = uia_create(4);
    *state = b;
    return 0;
}

static void forget(struct bench *b)
{
    json_decref(b->r.body);
    reply_reset(&b->r.reply);
    memset(&b->r, 0, sizeof b->r);
}

static int unmake(void **state)
{
    struct bench *b = *state;
    forget(b);
    uia_destroy(b->server.uia);
    free(b);
    return 0;
}

/* One request with this body. */
static bool ask(struct bench *b, const char *body, const struct uia_flow *flows)
{
    forget(b);
    b->r =
        (struct request){.server = &b->server, .method = HTTP_POST, .path = "/op", .body = json_loads(body, 0, NULL)};
    assert_non_null(b->r.body);
    return uia_pass(&b->r, flows, 1, "the value", &b->result);
}

static bool ask_as(struct bench *b, user_no user, char *path, const char *body, const struct uia_flow *flows)
{
    forget(b);
    b->r = (struct request){.server = &b->server,
                            .method = HTTP_POST,
                            .path = path,
                            .identity = {.user = user},
                            .body = json_loads(body, 0, NULL)};
    return uia_pass(&b->r, flows, 1, "the value", &b->result);
}

/* The 401 answer, as JSON; the caller frees it. */
static json_t *answer(struct bench *b)
{
    assert_int_equal(b->r.reply.status, 401);
    assert_true(b->r.reply.complete);
    assert_int_equal(b->r.error.code, ERROR_NONE);
    json_t *json = json_loadb(b->r.reply.body.data, b->r.reply.body.len, 0, NULL);
    assert_non_null(json);
    return json;
}

static void session_id(struct bench *b, char id[32])
{
    json_t *json = answer(b);
    snprintf(id, 32, "%s", json_get_string(json, "session"));
    json_decref(json);
}

static void with_session(char out[256], const char *id, const char *type, const char *more)
{
    snprintf(out, 256, "{\"auth\":{\"session\":\"%s\"%s%s%s%s}}", id, type != NULL ? ",\"type\":\"" : "",
             type != NULL ? type : "", type != NULL ? "\"" : "", more);
}

static void the_first_answer_lists_the_flows(void **state)
{
    struct bench *b = *state;
    assert_false(ask(b, "{\"a\":1}", TWO_STAGES));
    json_t *json = answer(b), *wanted = json_loads("[{\"stages\":[\"test.secret\",\"m.login.dummy\"]}]", 0, NULL);
    assert_true(json_equal(json_object_get(json, "flows"), wanted));
    json_decref(wanted);
    wanted = json_loads("{\"test.secret\":{\"hint\":\"five letters\"}}", 0, NULL);
    assert_true(json_equal(json_object_get(json, "params"), wanted));
    assert_null(json_object_get(json, "errcode"));
    assert_int_equal(json_array_size(json_object_get(json, "completed")), 0);
    assert_int_equal(strlen(json_get_string(json, "session")), 24);
    json_decref(wanted);
    json_decref(json);
}

static void stages_are_completed_one_by_one(void **state)
{
    struct bench *b = *state;
    char id[32], body[256];
    assert_false(ask(b, "{\"a\":1}", TWO_STAGES));
    session_id(b, id);
    with_session(body, id, "test.secret", ",\"secret\":\"wrong\"");
    assert_false(ask(b, body, TWO_STAGES));
    json_t *json = answer(b);
    assert_string_equal(json_get_string(json, "errcode"), "M_FORBIDDEN");
    assert_string_equal(json_get_string(json, "error"), "Wrong secret.");
    assert_string_equal(json_get_string(json, "session"), id);
    json_decref(json);
    with_session(body, id, "test.secret", ",\"secret\":\"right\"");
    assert_false(ask(b, body, TWO_STAGES));
    json = answer(b);
    assert_null(json_object_get(json, "errcode"));
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "completed"), 0)), "test.secret");
    json_decref(json);
    with_session(body, id, "test.secret", ",\"secret\":\"wrong\""); /* is not tried again */
    assert_false(ask(b, body, TWO_STAGES));
    json = answer(b);
    assert_null(json_object_get(json, "errcode"));
    json_decref(json);
    with_session(body, id, "m.login.dummy", "");
    assert_true(ask(b, body, TWO_STAGES));
    assert_int_equal(json_get_int(b->r.body, "a", 0), 1); /* the parameters of the first request */
    assert_null(json_object_get(b->r.body, "auth"));
    assert_string_equal(uia_value(&b->result, "test.secret"), "the value");
    assert_string_equal(uia_value(&b->result, "m.login.dummy"), "");
    assert_null(uia_value(&b->result, "other"));
    assert_int_equal(uia_count(b->server.uia), 0); /* used up */
    assert_false(ask(b, body, TWO_STAGES));
}

static void one_step_is_enough(void **state)
{
    struct bench *b = *state;
    assert_true(ask(b, "{\"a\":2,\"auth\":{\"type\":\"test.secret\",\"secret\":\"right\"}}", ONE_STAGE));
    assert_int_equal(json_get_int(b->r.body, "a", 0), 2);
    assert_true(
        ask(b, "{\"auth\":{\"type\":\"test.secret\",\"secret\":\"right\",\"session\":\"long gone\"}}", ONE_STAGE));
    assert_false(ask(b, "{\"auth\":{\"type\":\"test.secret\",\"secret\":\"wrong\"}}", ONE_STAGE));
    assert_false(ask(b, "{\"auth\":{}}", ONE_STAGE));
    assert_false(ask(b, "{}", ONE_STAGE));
}

static void some_errors_stand_alone(void **state)
{
    struct bench *b = *state;
    assert_false(ask(b, "{\"auth\":{\"type\":\"test.secret\",\"secret\":\"slow down\"}}", ONE_STAGE));
    assert_int_equal(b->r.error.code, ERROR_LIMIT_EXCEEDED);
    assert_false(b->r.reply.complete);
    assert_false(ask(b, "{\"auth\":[]}", ONE_STAGE));
    assert_int_equal(b->r.error.code, ERROR_BAD_JSON);
    assert_false(ask(b, "{\"auth\":{\"type\":\"m.login.sso\"}}", ONE_STAGE)); /* not offered: try another */
    json_t *json = answer(b);
    assert_string_equal(json_get_string(json, "errcode"), "M_UNRECOGNIZED");
    json_decref(json);
    assert_false(ask(b, "{\"auth\":null}", ONE_STAGE)); /* as if it was not there */
    json_decref(answer(b));
}

static void a_session_is_for_one_operation(void **state)
{
    struct bench *b = *state;
    char id[32], body[256];
    assert_false(ask_as(b, ANNA, "/devices/A", "{}", TWO_STAGES));
    session_id(b, id);
    with_session(body, id, "test.secret", ",\"secret\":\"right\"");
    assert_false(ask_as(b, ANNA, "/devices/B", body, TWO_STAGES));
    assert_int_equal(b->r.error.code, ERROR_FORBIDDEN);
    assert_false(ask_as(b, BORIS, "/devices/A", body, TWO_STAGES));
    assert_int_equal(b->r.error.code, ERROR_FORBIDDEN);
    assert_false(ask_as(b, 0, "/devices/A", body, TWO_STAGES));
    assert_int_equal(b->r.error.code, ERROR_FORBIDDEN);
    assert_false(ask_as(b, ANNA, "/devices/A", body, TWO_STAGES));
    json_decref(answer(b));
    with_session(body, id, "m.login.dummy", "");
    assert_true(ask_as(b, ANNA, "/devices/A", body, TWO_STAGES));
}

static void sessions_are_bounded(void **state)
{
    struct bench *b = *state;
    char first[32], body[256];
    assert_false(ask(b, "{}", TWO_STAGES));
    session_id(b, first);
    for (int i = 0; i < 4; ++i)
        assert_false(ask(b, "{}", TWO_STAGES));
    assert_int_equal(uia_count(b->server.uia), 4);
    with_session(body, first, NULL, "");
    assert_false(ask(b, body, TWO_STAGES));
    json_t *json = answer(b);
    assert_string_not_equal(json_get_string(json, "session"), first); /* it had to go */
    json_decref(json);
}

static void the_last_parameters_count(void **state)
{
    struct bench *b = *state;
    char id[32], body[300];
    assert_false(ask(b, "{\"a\":1}", ONE_STAGE));
    session_id(b, id);
    snprintf(body, sizeof body, "{\"a\":3,\"auth\":{\"type\":\"test.secret\",\"secret\":\"right\",\"session\":\"%s\"}}",
             id);
    assert_true(ask(b, body, ONE_STAGE));
    assert_int_equal(json_get_int(b->r.body, "a", 0), 3);
}

/* Many requests complete the same session at once: exactly one passes. */
static _Atomic int passed;
static char shared_body[256];

/* Every copy of a typed password that is kept or handed on is wiped when it has had its use: in a session that ends
 * (complete, pushed out, with the server), that is told anew, that is too large to be kept; and in a request that goes
 * on with what another has said. */
static void what_was_typed_is_wiped(void **state)
{
    struct bench *b = *state;
    char id[32], body[256];
    wiped = 0;
    assert_false(ask(b, "{\"new_password\":\"" TYPED "\"}", ONE_STAGE));
    assert_int_equal(wiped, 0); /* it is needed still */
    session_id(b, id);
    with_session(body, id, "test.secret", ",\"secret\":\"wrong\"");
    assert_false(ask(b, body, ONE_STAGE));
    assert_int_equal(wiped, 1); /* the request's copy */
    with_session(body, id, "test.secret", ",\"secret\":\"right\"");
    assert_true(ask(b, body, ONE_STAGE));
    assert_string_equal(json_get_string(b->r.body, "new_password"), TYPED);
    assert_int_equal(wiped, 3); /* the session's, and the request's */

    assert_false(ask(b, "{\"new_password\":\"" TYPED "\"}", ONE_STAGE));
    session_id(b, id);
    snprintf(body, sizeof body, "{\"new_password\":\"another\",\"auth\":{\"session\":\"%s\"}}", id);
    assert_false(ask(b, body, ONE_STAGE));
    assert_int_equal(wiped, 4); /* what was said before */

    assert_false(ask(b, "{\"new_password\":\"" TYPED "\"}", ONE_STAGE));
    for (int i = 0; i < 4; ++i)
        assert_false(ask(b, "{}", ONE_STAGE));
    assert_int_equal(wiped, 5); /* pushed out */

    struct text large = TEXT_INIT;
    text_adds(&large, "{\"new_password\":\"" TYPED "\",\"x\":\"");
    for (int i = 0; i < 20000; ++i)
        text_adds(&large, "too large to be kept");
    text_adds(&large, "\"}");
    assert_false(ask(b, large.data, ONE_STAGE));
    assert_int_equal(wiped, 6); /* not kept */
    text_finish(&large);

    struct uia *other = uia_create(2), *mine = b->server.uia;
    b->server.uia = other;
    assert_false(ask(b, "{\"new_password\":\"" TYPED "\"}", ONE_STAGE));
    b->server.uia = mine;
    uia_destroy(other);
    assert_int_equal(wiped, 7);
}

static void *race(void *arg)
{
    struct bench *b = arg;
    struct request r = {
        .server = &b->server, .method = HTTP_POST, .path = "/op", .body = json_loads(shared_body, 0, NULL)};
    passed += uia_pass(&r, TWO_STAGES, 1, "", NULL);
    json_decref(r.body);
    reply_reset(&r.reply);
    return NULL;
}

static void only_one_passes(void **state)
{
    struct bench *b = *state;
    char id[32];
    pthread_t threads[8];
    assert_false(ask(b, "{\"auth\":{\"type\":\"test.secret\",\"secret\":\"right\"}}", TWO_STAGES));
    session_id(b, id);
    with_session(shared_body, id, "m.login.dummy", "");
    for (int i = 0; i < 8; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, race, b), 0);
    for (int i = 0; i < 8; ++i)
        pthread_join(threads[i], NULL);
    assert_int_equal(passed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_answer_lists_the_flows, make, unmake),
        cmocka_unit_test_setup_teardown(stages_are_completed_one_by_one, make, unmake),
        cmocka_unit_test_setup_teardown(one_step_is_enough, make, unmake),
        cmocka_unit_test_setup_teardown(some_errors_stand_alone, make, unmake),
        cmocka_unit_test_setup_teardown(a_session_is_for_one_operation, make, unmake),
        cmocka_unit_test_setup_teardown(sessions_are_bounded, make, unmake),
        cmocka_unit_test_setup_teardown(the_last_parameters_count, make, unmake),
        cmocka_unit_test_setup_teardown(what_was_typed_is_wiped, make, unmake),
        cmocka_unit_test_setup_teardown(only_one_passes, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
