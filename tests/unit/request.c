/* What handlers read from a request and write into its reply; who a client is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/log.h"
#include "homeserver/http/address.h"
#include "homeserver/http/query.h"
#include "homeserver/http/reply.h"
#include "homeserver/http/request.h"

static void queries_are_cut(void **state)
{
    static const struct {
        const char *query;
        int n; /* −1: refused */
        const char *first_name, *first_value;
    } CASES[] = {
        {"", 0, NULL, NULL},
        {"&&", 0, NULL, NULL},
        {"a=1", 1, "a", "1"},
        {"a", 1, "a", ""},
        {"a=", 1, "a", ""},
        {"=1", 1, "", "1"},
        {"a=b=c", 1, "a", "b=c"},
        {"a+b=c+d&x", 2, "a b", "c d"},
        {"&a=1&", 1, "a", "1"},
        {"%61=%62", 1, "a", "b"},
        {"a=%", -1, NULL, NULL},
        {"%ff=1", -1, NULL, NULL},
        {"a=1&b=%00", -1, NULL, NULL},
        {"a=%26%3D", 1, "a", "&="},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char bytes[64];
        struct query_pair pairs[QUERY_MAX];
        strcpy(bytes, CASES[i].query);
        int n = query_parse(bytes, strlen(bytes), pairs);
        assert_int_equal(n, CASES[i].n);
        if (n > 0) {
            assert_string_equal(pairs[0].name, CASES[i].first_name);
            assert_string_equal(pairs[0].value, CASES[i].first_value);
        }
    }
}

static void queries_are_bounded(void **state)
{
    struct query_pair pairs[QUERY_MAX];
    for (int n = QUERY_MAX; n <= QUERY_MAX + 1; ++n) {
        char bytes[4 * QUERY_MAX + 8] = "";
        for (int i = 0; i < n; ++i)
            strcat(bytes, "a=1&");
        assert_int_equal(query_parse(bytes, strlen(bytes), pairs), n > QUERY_MAX ? -1 : n);
    }
}

static struct request with_query(const char *name, const char *value)
{
    struct request r = {.n_query = value != NULL};
    r.query[0] = (struct query_pair){name, value};
    return r;
}

static void numbers_are_bounded(void **state)
{
    static const struct {
        const char *text;
        int64_t out; /* −1: refused */
    } CASES[] = {
        {NULL, 7},    {"1", 1},     {"0", 0},
        {"100", 100}, {"101", 100}, {"99999999999999999999999", 100},
        {"-1", -1},   {"", -1},     {"x", -1},
        {"1x", -1},   {" 1", -1},   {"+1", -1},
        {"0x10", -1}, {"1.5", -1},  {"-99999999999999999999", -1},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        int64_t out = 0;
        struct request r = with_query("n", CASES[i].text);
        assert_int_equal(query_int(&r, "n", 7, 0, 100, &out), CASES[i].out >= 0);
        if (CASES[i].out >= 0)
            assert_int_equal(out, CASES[i].out);
        else
            assert_int_equal(r.error.code, ERROR_INVALID_PARAM);
    }
}

static void truth_is_spelled(void **state)
{
    static const struct {
        const char *text;
        bool good, out;
    } CASES[] = {{NULL, true, true},     {"true", true, true}, {"false", true, false},
                 {"TRUE", false, false}, {"1", false, false},  {"", false, false}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        bool out;
        struct request r = with_query("b", CASES[i].text);
        assert_int_equal(query_bool(&r, "b", true, &out), CASES[i].good);
        if (CASES[i].good)
            assert_int_equal(out, CASES[i].out);
    }
}

/* Each member of every type, asked for as every type. */
static void members_have_types(void **state)
{
    static const char *const KEYS[] = {"string", "int", "real", "bool", "object", "array", "null", "absent"};
    /* by key: 'v' its value, 'd' the default or absent, 'x' wrong type, 'm' missing */
    static const char WANTED[6][9] = {
        [0] = "vxxxxxmm", /* body_string */
        [1] = "vxxxxxdd", /* body_string_or */
        [2] = "xxxxvxdd", /* body_object_or_null */
        [3] = "xxxxxvdd", /* body_array_or_null */
        [4] = "xvxxxxdd", /* body_int_or */
        [5] = "xxxvxxdd", /* body_bool_or */
    };
    json_t *body = json_pack("{s:s, s:i, s:f, s:b, s:{}, s:[], s:n}", "string", "text", "int", 5, "real", 1.5, "bool",
                             1, "object", "array", "null");
    for (int getter = 0; getter < 6; ++getter)
        for (int key = 0; key < 8; ++key) {
            struct request r = {.body = body};
            const char *text = NULL, *k = KEYS[key];
            json_t *value = NULL;
            int64_t number = 0;
            bool truth = false, found = false, good = false, is_default = false;
            switch (getter) {
            case 0:
                good = body_string(&r, k, &text);
                found = text != NULL && strcmp(text, "text") == 0;
                break;
            case 1:
                good = body_string_or(&r, k, "other", &text);
                found = text != NULL && strcmp(text, "text") == 0;
                is_default = text != NULL && strcmp(text, "other") == 0;
                break;
            case 2:
                good = body_object_or_null(&r, k, &value);
                found = json_is_object(value);
                is_default = value == NULL;
                break;
            case 3:
                good = body_array_or_null(&r, k, &value);
                found = json_is_array(value);
                is_default = value == NULL;
                break;
            case 4:
                good = body_int_or(&r, k, 9, &number);
                found = number == 5;
                is_default = number == 9;
                break;
            case 5:
                good = body_bool_or(&r, k, false, &truth);
                found = truth;
                is_default = !truth;
                break;
            }
            switch (WANTED[getter][key]) {
            case 'v': assert_true(good && found); break;
            case 'd': assert_true(good && is_default); break;
            case 'x':
                assert_false(good);
                assert_int_equal(r.error.code, ERROR_BAD_JSON);
                break;
            case 'm':
                assert_false(good);
                assert_int_equal(r.error.code, ERROR_MISSING_PARAM);
                break;
            }
        }
    json_decref(body);
}

static void replies_are_written(void **state)
{
    struct request r = {0};
    struct text text = TEXT_INIT;
    assert_true(reply_json(&r, json_pack("{s:i}", "a", 1)));
    assert_string_equal(r.reply.body.data, "{\"a\":1}");
    text_adds(&text, "[1]");
    assert_true(reply_text(&r, &text));
    assert_string_equal(r.reply.body.data, "[1]");
    assert_null(text.data);
    assert_true(reply_empty(&r));
    assert_string_equal(r.reply.body.data, "{}");
    reply_status(&r, 201);
    reply_header(&r, "x-a", "1\r\nx-b: 2");
    reply_header(&r, "x-a", "3");
    assert_int_equal(r.reply.n_headers, 1);
    assert_string_equal(r.reply.headers[0].value, "3");
    reply_header(&r, "x-c", "1\r\nx-b: 2\x7f");
    assert_string_equal(r.reply.headers[1].value, "1  x-b: 2 ");
    reply_reset(&r.reply);
    assert_int_equal(r.reply.status, 0);
    assert_null(r.reply.body.data);
}

/* As many as somebody needs, and no more bytes than anybody does: what comes on top is left out, and logged. */
static void headers_are_bounded_in_bytes(void **state)
{
    static const char *const NAMES[] = {"x-0", "x-1", "x-2", "x-3", "x-4", "x-5", "x-6", "x-7", "x-8", "x-9"};
    struct request r = {0};
    char value[REPLY_HEADERS_BYTES_MAX / 8 + 1] = {0};
    memset(value, 'v', sizeof value - 1);
    log_set_level(LOG_ERROR - 1);
    for (int round = 0; round < 2; ++round) /* the same again takes no more room */
        for (size_t i = 0; i < 10; ++i)
            assert_true(reply_header(&r, NAMES[i], value));
    log_set_level(LOG_ERROR);
    assert_int_equal(r.reply.n_headers, 8);
    for (size_t i = 0; i < r.reply.n_headers; ++i)
        assert_string_equal(r.reply.headers[i].name, NAMES[i]);
    assert_true(reply_header(&r, "x-0", "short"));
    assert_true(reply_header(&r, "x-9", "short"));
    assert_string_equal(r.reply.headers[0].value, "short");
    assert_string_equal(r.reply.headers[r.reply.n_headers - 1].name, "x-9");
    reply_reset(&r.reply);
    assert_int_equal(r.reply.headers_bytes, 0);
}

static void errors_are_written(void **state)
{
    struct request r = {0};
    error_set_field(&r.error, ERROR_INCOMPATIBLE_ROOM_VERSION, NULL, "room_version", "12");
    reply_error(&r);
    assert_int_equal(r.reply.status, 400);
    assert_string_equal(r.reply.body.data,
                        "{\"errcode\":\"M_INCOMPATIBLE_ROOM_VERSION\",\"error\":\"This room version does not fit.\","
                        "\"room_version\":\"12\"}");
    error_set_limited(&r.error, 1500);
    reply_header(&r, "x-old", "1");
    reply_error(&r);
    assert_int_equal(r.reply.status, 429);
    assert_int_equal(r.reply.n_headers, 1);
    assert_string_equal(r.reply.headers[0].name, "retry-after");
    assert_string_equal(r.reply.headers[0].value, "2");
    assert_non_null(strstr(r.reply.body.data, "\"retry_after_ms\":1500"));
    reply_reset(&r.reply);
    for (int code = 1; code < ERROR__COUNT; ++code) { /* every status has a reason phrase */
        bool later = false;
        r.error = (struct error){.code = (enum error_code)code};
        assert_string_not_equal(status_reason(error_status(&r.error)), "Status");
        reply_error(&r);
        for (size_t i = 0; i < r.reply.n_headers; ++i)
            later |= strcmp(r.reply.headers[i].name, "retry-after") == 0;
        assert_int_equal(later, r.reply.status == 429 || r.reply.status == 503); /* "come back" says when */
        reply_reset(&r.reply);
    }
}

static void what_is_no_json_is_a_500(void **state)
{
    struct request r = {0};
    log_set_level(LOG_ERROR - 1);
    assert_true(reply_json(&r, NULL));
    assert_int_equal(r.error.code, ERROR_UNKNOWN);
    reply_reset(&r.reply);
    log_set_level(LOG_INFO);
}

static void addresses_are_read(void **state)
{
    static const struct {
        const char *in, *out; /* NULL: refused */
    } CASES[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"255.10.100.9", "255.10.100.9"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"2001:DB8::1", "2001:db8::1"},
        {"[2001:db8::1]:443", "2001:db8::1"},
        {"192.0.2.1:443", "192.0.2.1"},
        {"[::1]", "::1"},
        {"", NULL},
        {"unknown", NULL},
        {"192.0.2", NULL},
        {"_hidden", NULL},
        {"1.2.3.4.5", NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct address address;
        char text[ADDRESS_TEXT];
        bool good = address_parse(CASES[i].in, strlen(CASES[i].in), &address);
        assert_int_equal(good, CASES[i].out != NULL);
        if (!good)
            continue;
        address_text(&address, text);
        assert_string_equal(text, CASES[i].out);
    }
}

static void networks_hold_addresses(void **state)
{
    static const struct {
        const char *network, *address;
        bool good, holds;
    } CASES[] = {
        {"10.0.0.0/8", "10.255.1.2", true, true}, {"10.0.0.0/8", "11.0.0.0", true, false},
        {"10.0.0.0/9", "10.127.0.1", true, true}, {"10.0.0.0/9", "10.128.0.1", true, false},
        {"0.0.0.0/0", "203.0.113.1", true, true}, {"0.0.0.0/0", "::1", true, false},
        {"::/0", "203.0.113.1", true, true},      {"127.0.0.1", "127.0.0.1", true, true},
        {"127.0.0.1", "127.0.0.2", true, false},  {"fd00::/8", "fd12::1", true, true},
        {"fd00::/8", "fe00::1", true, false},     {"::1/128", "::1", true, true},
        {"10.0.0.0/33", NULL, false, false},      {"::/129", NULL, false, false},
        {"10.0.0.0/", NULL, false, false},        {"10.0.0.0/-1", NULL, false, false},
        {"10.0.0.0/8x", NULL, false, false},      {"nonsense", NULL, false, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct network network;
        struct address address;
        assert_int_equal(network_parse(CASES[i].network, &network), CASES[i].good);
        if (!CASES[i].good)
            continue;
        assert_true(address_parse(CASES[i].address, strlen(CASES[i].address), &address));
        assert_int_equal(network_holds(&network, &address), CASES[i].holds);
    }
}

static void proxies_are_believed_as_far_as_trusted(void **state)
{
    static const struct {
        const char *peer, *forwarded, *client;
    } CASES[] = {
        {"203.0.113.1", "1.1.1.1", "203.0.113.1"},
        {"10.0.0.1", NULL, "10.0.0.1"},
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", "1.1.1.1", "1.1.1.1"},
        {"10.0.0.1", "9.9.9.9, 1.1.1.1", "1.1.1.1"},
        {"10.0.0.1", "9.9.9.9,1.1.1.1 , 10.0.0.2", "1.1.1.1"},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
        {"10.0.0.1", "1.1.1.1, unknown", "10.0.0.1"},
        {"10.0.0.1", "2001:db8::7", "2001:db8::7"},
        {"10.0.0.1", ", ,", "10.0.0.1"},
    };
    struct network trusted;
    assert_true(network_parse("10.0.0.0/8", &trusted));
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct address peer;
        char text[ADDRESS_TEXT];
        const char *f = CASES[i].forwarded;
        assert_true(address_parse(CASES[i].peer, strlen(CASES[i].peer), &peer));
        struct address client = address_client(&peer, f, f != NULL ? strlen(f) : 0, &trusted, 1);
        address_text(&client, text);
        assert_string_equal(text, CASES[i].client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_cut),
        cmocka_unit_test(queries_are_bounded),
        cmocka_unit_test(numbers_are_bounded),
        cmocka_unit_test(truth_is_spelled),
        cmocka_unit_test(members_have_types),
        cmocka_unit_test(replies_are_written),
        cmocka_unit_test(headers_are_bounded_in_bytes),
        cmocka_unit_test(errors_are_written),
        cmocka_unit_test(what_is_no_json_is_a_500),
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(networks_hold_addresses),
        cmocka_unit_test(proxies_are_believed_as_far_as_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
