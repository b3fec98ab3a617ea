/* JSON from outside and canonical JSON (Appendices, "Canonical JSON"); the text that both are written with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/json.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static json_t *parse(const char *s)
{
    struct error e = {0};
    return json_parse(s, strlen(s), &e);
}

/* The specification's examples first, then what its grammar says about escapes, order and numbers. */
static void test_canonical(void **state)
{
    static const struct {
        const char *in, *out;
    } CASES[] = {
        {"{}", "{}"},
        {"{\n    \"one\": 1,\n    \"two\": \"Two\"\n}", "{\"one\":1,\"two\":\"Two\"}"},
        {"{\"b\": \"2\", \"a\": \"1\"}", "{\"a\":\"1\",\"b\":\"2\"}"},
        {"{\"b\":\"2\",\"a\":\"1\"}", "{\"a\":\"1\",\"b\":\"2\"}"},
        {"{\"auth\": {\"success\": true, \"mxid\": \"@john.doe:example.com\", \"profile\": {\"display_name\": \"John "
         "Doe\","
         "\"three_pids\": [{\"medium\": \"email\", \"address\": \"john.doe@example.org\"}, {\"medium\": \"msisdn\","
         "\"address\": \"123456789\"}]}}}",
         "{\"auth\":{\"mxid\":\"@john.doe:example.com\",\"profile\":{\"display_name\":\"John Doe\",\"three_pids\":["
         "{\"address\":\"john.doe@example.org\",\"medium\":\"email\"},{\"address\":\"123456789\",\"medium\":\"msisdn\"}"
         "]},\"success\":true}}"},
        {"{\"a\": \"日本語\"}", "{\"a\":\"日本語\"}"},
        {"{\"本\": 2, \"日\": 1}", "{\"日\":1,\"本\":2}"},
        {"{\"a\": \"\\u65E5\"}", "{\"a\":\"日\"}"},
        {"{\"a\": null}", "{\"a\":null}"},
        {"{\"a\": -0, \"b\": 1e10}", "{\"a\":0,\"b\":10000000000}"},
        {"{\"a\": -0.0}", "{\"a\":0}"},
        {"[0.1, 1.5e300, -2.5, 0.30000000000000004]", "[0.1,1.5e+300,-2.5,0.30000000000000004]"},
        {"[true, false, [], \"\"]", "[true,false,[],\"\"]"},
        {"\"\\u0001\\b\\t\\n\\u000b\\f\\r\\u001F\\\"\\\\\\/\\u007f\"",
         "\"\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\x7f\""},
        {"{\"\\n\": 1, \"\\u0001\": 2}", "{\"\\u0001\":2,\"\\n\":1}"},
        {"{\"\xef\xbf\xbd\": 1, \"\xf0\x90\x80\x80\": 2, \"z\": 3, \"\xc3\xa9\": 4}", /* by code point, not by UTF-16 */
         "{\"z\":3,\"\xc3\xa9\":4,\"\xef\xbf\xbd\":1,\"\xf0\x90\x80\x80\":2}"},
        {"{\"aa\":1,\"a\":2,\"\":3,\"B\":4}", "{\"\":3,\"B\":4,\"a\":2,\"aa\":1}"},
        {"[9007199254740991,-9007199254740991]", "[9007199254740991,-9007199254740991]"},
        {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        json_t *value = parse(CASES[i].in);
        assert_non_null(value);
        char *out = json_canonical(value);
        assert_string_equal(out, CASES[i].out);
        free(out);
        json_decref(value);
    }
}

static void test_canonical_many_keys(void **state)
{
    json_t *object = json_object();
    struct text expected = TEXT_INIT;
    for (int i = 99; i >= 10; --i) {
        char key[8] = {(char)('0' + i / 10), (char)('0' + i % 10)};
        json_object_set_new(object, key, json_integer(i));
    }
    for (int i = 10; i <= 99; ++i)
        text_addf(&expected, "%s\"%d\":%d", i == 10 ? "{" : ",", i, i);
    text_addc(&expected, '}');
    char *out = json_canonical(object);
    assert_string_equal(out, expected.data);
    free(out);
    text_finish(&expected);
    json_decref(object);
}

static void test_refused(void **state)
{
    static const char *const CASES[] = {
        "",   " ",     "{",   "\"\xff\"", "\"\\ud800\"", "\"\xed\xa0\x80\"", "[1,]",         "{a:1}", "'a'",
        "01", "[1] 2", "nul", "\"a\nb\"", "NaN",         "Infinity",         "\"\xc0\x80\"",
    };
    static const char *const TOO_MUCH[] = {"{\"a\":1,\"a\":2}", "\"\\u0000\"", "{\"\\u0000\":1}", "1e999",
                                           "99999999999999999999"};
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        struct error e = {0};
        json_t *value = json_parse(CASES[i], strlen(CASES[i]), &e);
        if (value != NULL)
            fail_msg("accepted: %s", CASES[i]);
        assert_int_equal(e.code, ERROR_NOT_JSON);
    }
    for (size_t i = 0; i < COUNT(TOO_MUCH); ++i) {
        struct error e = {0};
        assert_null(json_parse(TOO_MUCH[i], strlen(TOO_MUCH[i]), &e));
        assert_int_equal(e.code, ERROR_BAD_JSON);
    }
    struct error e = {0};
    assert_null(json_parse("\"a\0b\"", 5, &e));
}

static json_t *nested(size_t depth, struct error *e)
{
    struct text text = TEXT_INIT;
    for (size_t i = 0; i < depth; ++i)
        text_addc(&text, '[');
    for (size_t i = 0; i < depth; ++i)
        text_addc(&text, ']');
    json_t *value = json_parse(text.data, text.len, e);
    text_finish(&text);
    return value;
}

static void test_depth(void **state)
{
    struct error e = {0};
    json_t *value = nested(JSON_DEPTH_MAX, &e);
    assert_non_null(value);
    json_decref(value);
    assert_null(nested(JSON_DEPTH_MAX + 1, &e));
    assert_int_equal(e.code, ERROR_BAD_JSON);
    e = (struct error){0};
    assert_null(nested(100000, &e));
    assert_int_equal(e.code, ERROR_BAD_JSON);
}

static void test_canonical_value(void **state)
{
    static const struct {
        const char *in;
        bool may;
    } CASES[] = {
        {"{\"a\":[1,{\"b\":null}]}", true},
        {"9007199254740991", true},
        {"9007199254740992", false},
        {"-9007199254740991", true},
        {"-9007199254740992", false},
        {"1.0", false},
        {"1e3", false},
        {"{\"a\":[{\"b\":0.5}]}", false},
        {"[[9007199254740992]]", false},
        {"\"1.5\"", true},
    };
    for (size_t i = 0; i < COUNT(CASES); ++i) {
        json_t *value = parse(CASES[i].in);
        assert_int_equal(json_is_canonical_value(value), CASES[i].may);
        json_decref(value);
    }
}

static void test_getters(void **state)
{
    json_t *o = parse("{\"s\":\"x\",\"i\":7,\"t\":true,\"n\":null,\"o\":{},\"a\":[]}");
    assert_string_equal(json_get_string(o, "s"), "x");
    assert_null(json_get_string(o, "i"));
    assert_null(json_get_string(o, "absent"));
    assert_null(json_get_string(NULL, "s"));
    assert_non_null(json_get_object(o, "o"));
    assert_null(json_get_object(o, "a"));
    assert_non_null(json_get_array(o, "a"));
    assert_null(json_get_array(o, "n"));
    assert_int_equal(json_get_int(o, "i", 1), 7);
    assert_int_equal(json_get_int(o, "s", 1), 1);
    assert_true(json_get_bool(o, "t", false));
    assert_true(json_get_bool(o, "n", true));
    json_decref(o);
}

static void test_text(void **state)
{
    struct text t = TEXT_INIT;
    text_add(&t, NULL, 0);
    assert_string_equal(t.data, "");
    text_adds(&t, "a");
    text_addc(&t, 'b');
    text_add_int(&t, INT64_MIN);
    text_addf(&t, "<%s>", "c");
    assert_string_equal(t.data, "ab-9223372036854775808<c>");
    assert_int_equal(t.len, strlen(t.data));
    text_clear(&t);
    assert_int_equal(t.len, 0);
    assert_string_equal(t.data, "");
    text_put(&t, "[");
    static const int64_t NUMBERS[] = {0, 7, 10, 99, 100, -1, -100, 12345, 1732921200123, INT64_MAX};
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; ++i) {
        text_add_int(&t, NUMBERS[i]);
        text_put(&t, i + 1 < sizeof NUMBERS / sizeof *NUMBERS ? ", " : "]");
    }
    assert_string_equal(t.data, "[0, 7, 10, 99, 100, -1, -100, 12345, 1732921200123, 9223372036854775807]");
    assert_int_equal(t.len, strlen(t.data));
    text_clear(&t);
    for (int i = 0; i < 1000; ++i)
        text_addf(&t, "%d,", i);
    assert_int_equal(t.len, 10 * 2 + 90 * 3 + 900 * 4);
    char *taken = text_take(&t);
    assert_int_equal(strlen(taken), 10 * 2 + 90 * 3 + 900 * 4);
    free(taken);
    assert_null(t.data);
    char *empty = text_take(&t);
    assert_string_equal(empty, "");
    free(empty);
    text_finish(&t);
    text_finish(NULL);
}

static void add_expected(struct text *expected, int c)
{
    static const char *const SHORT[0x20] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r"};
    if (c == '"' || c == '\\')
        text_addf(expected, "\\%c", c);
    else if (c >= 0x20)
        text_addc(expected, (char)c);
    else if (SHORT[c] != NULL)
        text_adds(expected, SHORT[c]);
    else
        text_addf(expected, "\\u%04x", (unsigned)c);
}

/* Every character at every place, against the grammar: strings are looked at by eights. */
static void test_escapes(void **state)
{
    enum { LONGEST = 26 };
    char s[LONGEST + 1];
    for (int c = 1; c < 0x100; ++c)
        for (int len = 1; len <= LONGEST; ++len)
            for (int at = 0; at < len; ++at) {
                struct text t = TEXT_INIT, expected = TEXT_INIT;
                text_addc(&expected, '"');
                for (int i = 0; i < len; ++i) {
                    s[i] = (char)(i == at ? c : i % 2 != 0 ? 'x' : 0x90);
                    add_expected(&expected, (unsigned char)s[i]);
                }
                s[len] = '\0';
                text_addc(&expected, '"');
                text_add_json(&t, s);
                assert_string_equal(t.data, expected.data);
                text_finish(&t);
                text_finish(&expected);
            }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_canonical_many_keys),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_canonical_value),
        cmocka_unit_test(test_getters),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_escapes),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
