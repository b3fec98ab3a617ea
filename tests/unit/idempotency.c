/* Acting once (policy/api/idempotency.h), reasons (policy/gate/reason.h), operators' scopes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/jobs/prune.h"
#include "policy/api/idempotency.h"
#include "policy/admin/operators.h"
#include "policy/gate/reason.h"
#include "tests/unit/fixture.h"

static struct fixture F;

static int start(void **state)
{
    fixture_start(&F);
    return 0;
}

static int stop(void **state)
{
    fixture_stop(&F);
    return 0;
}

static struct request request_of(const char *key, const char *path, const char *body)
{
    struct request r = {.method = HTTP_POST, .path = (char *)path, .raw_body = body, .raw_body_len = strlen(body)};
    r.headers[HEADER_IDEMPOTENCY_KEY] = key;
    return r;
}

struct keeping {
    const struct idempotent *once;
    int64_t age_ms;
};

static bool keep(struct tx *tx, void *arg, struct error *e)
{
    const struct keeping *k = arg;
    struct idempotent_reply reply = {.status = 201, .version = 7};
    struct tx then = *tx;
    then.now_ms -= k->age_ms;
    text_adds(&reply.body, "{\"token\":\"secret\"}");
    bool kept = idempotent_keep(&then, k->once, &reply);
    text_finish(&reply.body);
    return kept;
}

/* What a second request finds: its status, 0 for nothing, -1 for a conflict. */
static int find(const struct idempotent *once, const char *body)
{
    struct error e = {0};
    struct idempotent_reply reply = {0};
    bool done = false, good = idempotent_find(F.db, once, &done, &reply, &e);
    if (good && done)
        assert_string_equal(reply.body.data, body);
    text_finish(&reply.body);
    return !good ? -1 : done ? reply.status : 0;
}

static void test_replay(void **state)
{
    static const char KEY[] = "0123456789abcdef", BODY[] = "{\"token\":\"secret\"}";
    struct idempotent once, other;
    struct error e;
    struct request first = request_of(KEY, "/a", "{}"), second = request_of(KEY, "/a", "{ }"),
                   elsewhere = request_of(KEY, "/b", "{}");
    assert_true(idempotent_begin(&first, "@anna:x", &once));
    assert_int_equal(find(&once, NULL), 0);
    assert_true(writer_run(F.writer, keep, &(struct keeping){&once, 0}, &e));
    assert_int_equal(find(&once, BODY), 201);
    assert_true(idempotent_begin(&second, "@anna:x", &other));
    assert_int_equal(find(&other, NULL), -1);
    assert_true(idempotent_begin(&elsewhere, "@anna:x", &other));
    assert_int_equal(find(&other, NULL), -1);
    assert_true(idempotent_begin(&first, "@boris:x", &other));
    assert_int_equal(find(&other, NULL), 0);
}

/* A row whose bytes were changed is nobody's answer. */
static void test_sealed(void **state)
{
    struct idempotent once;
    struct error e;
    struct request r = request_of("fedcba9876543210", "/a", "{}");
    assert_true(idempotent_begin(&r, "@anna:x", &once));
    assert_true(writer_run(F.writer, keep, &(struct keeping){&once, 0}, &e));
    once.seal[0] ^= 1;
    assert_int_equal(find(&once, NULL), -1);
}

static void test_pruned(void **state)
{
    struct idempotent old, young;
    struct error e;
    struct request a = request_of("an old key, really", "/a", "{}"), b = request_of("a-young-key-really", "/a", "{}");
    assert_false(idempotent_begin(&a, "@anna:x", &old)); /* it has spaces */
    a.headers[HEADER_IDEMPOTENCY_KEY] = "an-old-key,-really";
    assert_true(idempotent_begin(&a, "@anna:x", &old));
    assert_true(idempotent_begin(&b, "@anna:x", &young));
    assert_true(writer_run(F.writer, keep, &(struct keeping){&old, PRUNE_IDEMPOTENCY_MS + 1000}, &e));
    assert_true(writer_run(F.writer, keep, &(struct keeping){&young, PRUNE_IDEMPOTENCY_MS - 60000}, &e));
    assert_int_equal(prune_run(F.writer, NULL), 1);
    assert_int_equal(find(&old, NULL), 0);
    assert_int_equal(find(&young, "{\"token\":\"secret\"}"), 201);
}

static void test_keys(void **state)
{
    static const struct {
        const char *key;
        bool good;
    } CASES[] = {{"0123456789abcde", false},
                 {"0123456789abcdef", true},
                 {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true},
                 {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0", false},
                 {"0123456789abcde\x7f", false},
                 {"ключ-ключ-ключ", false},
                 {"", false}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct idempotent once;
        struct request r = request_of(CASES[i].key, "/a", "{}");
        assert_int_equal(idempotent_begin(&r, "@anna:x", &once), CASES[i].good);
    }
}

static void test_reasons(void **state)
{
    static const struct {
        const char *reason;
        bool good;
    } CASES[] = {
        {"", false},
        {"because", false},
        {"нет причин", false}, /* nine letters */
        {"нет причины", true},
        {"a         b", false},
        {"ten letter", false},
        {"ten letters", true},
        {"ten letters\nmore", false},
        {"\u200b\u200b\u200b\u200b\u200b\u200b\u200b\u200b\u200b\u200b", false},
        {"\u00a0\u2003\u3000\u00a0\u2003\u3000\u00a0\u2003\u3000\u00a0", false},
        {"ten\u200b letters", false}, /* nobody sees what it says there */
        {"ten \u202eletters", false},
        {"..........", false},
        {"!?!?!?!?!?!?", false},
        {"\U0001f600\U0001f601\U0001f602\U0001f603\U0001f600\U0001f601\U0001f602\U0001f603\U0001f600\U0001f601", false},
        {"aaaaaaaaaa", false},
        {"1234567890", true},
        {"ты просил, так надо", true},
        {"\xff\xff", false}};
    char long_one[REASON_BYTES_MAX + 2];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        assert_int_equal(reason_valid(CASES[i].reason), CASES[i].good);
    for (size_t i = 0; i < sizeof long_one; ++i)
        long_one[i] = (char)('a' + i % 26);
    long_one[REASON_BYTES_MAX] = '\0';
    assert_true(reason_valid(long_one));
    long_one[REASON_BYTES_MAX] = 'x';
    long_one[REASON_BYTES_MAX + 1] = '\0';
    assert_false(reason_valid(long_one));
}

static void test_scopes(void **state)
{
    struct text words = TEXT_INIT;
    assert_int_equal(operator_scopes_from("read"), SCOPE_READ);
    assert_int_equal(operator_scopes_from("read, audit"), SCOPE_READ | SCOPE_AUDIT);
    assert_int_equal(operator_scopes_from("all"), SCOPE_ALL);
    assert_int_equal(operator_scopes_from(""), 0);
    assert_int_equal(operator_scopes_from("read king"), 0);
    for (unsigned scopes = 1; scopes <= SCOPE_ALL; ++scopes) {
        text_clear(&words);
        operator_scopes_text(scopes, &words);
        assert_int_equal(operator_scopes_from(words.data), scopes);
    }
    text_finish(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replay, start, stop),
        cmocka_unit_test_setup_teardown(test_sealed, start, stop),
        cmocka_unit_test_setup_teardown(test_pruned, start, stop),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_scopes),
    };
    return cmocka_run_group_tests_name("once", tests, NULL, NULL);
}
