/* Which route a path leads to, and what it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/log.h"
#include "homeserver/base/percent.h"
#include "homeserver/http/router.h"

static bool handle(struct request *r)
{
    return true;
}

#define R(method_, path_)                                                                                              \
    {                                                                                                                  \
        HTTP_##method_, path_, handle, 0, RATE_NONE                                                                    \
    }

static const struct route FIRST[] = {
    R(GET, "/_matrix/client/versions"),
    R(GET, "/_matrix/client/v3/sync"),
    R(GET, "/_matrix/client/v3/rooms/{roomId}/state"),
    R(GET, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}"),
    R(GET, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/"),
    R(PUT, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}"),
    R(GET, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}"),
    R(PUT, "/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}"),
};
static const struct route SECOND[] = {
    R(GET, "/_matrix/client/v3/profile/{userId}"),
    R(GET, "/_matrix/client/v3/profile/{userId}/displayname"),
    R(GET, "/_matrix/client/v3/profile/{userId}/{keyName}"),
    R(DELETE, "/_matrix/client/v3/profile/{userId}/{keyName}"),
    R(GET, "/_matrix/client/v3/pushrules/"),
    R(GET, "/_matrix/client/v3/a/literal/end"),
    R(GET, "/_matrix/client/v3/a/{x}/other"),
    R(HEAD, "/head"),
    R(GET, "/head"),
    R(GET, "/"),
};
static const struct routes FIRST_ROUTES = ROUTES(FIRST), SECOND_ROUTES = ROUTES(SECOND);
static const struct routes *const TABLES[] = {&FIRST_ROUTES, &SECOND_ROUTES};

static int make(void **state)
{
    *state = router_create(TABLES, 2);
    return *state == NULL;
}

static int unmake(void **state)
{
    router_destroy(*state);
    return 0;
}

#define C "/_matrix/client/v3"

static void paths_find_their_routes(void **state)
{
    static const struct {
        enum http_method method;
        const char *path;
        enum route_match match;
        const char *template;
        const char *params[3];
    } CASES[] = {
        {HTTP_GET, "/_matrix/client/versions", ROUTE_FOUND, "/_matrix/client/versions", {NULL}},
        {HTTP_GET, "/_matrix/client/versions/", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_GET, "/_matrix/client", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_POST, "/_matrix/client/versions", ROUTE_METHOD, NULL, {NULL}},
        {HTTP_OPTIONS, "/_matrix/client/versions", ROUTE_METHOD, NULL, {NULL}},
        {HTTP_GET, "/%5Fmatrix/client/v%33/sync", ROUTE_FOUND, C "/sync", {NULL}},
        {HTTP_GET, "/_matrix/client/r0/sync", ROUTE_FOUND, C "/sync", {NULL}}, /* the older name */
        {HTTP_GET, "/_matrix/client/r0", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_GET, "/_matrix/media/r0/sync", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_GET, "http://school.example" C "/sync", ROUTE_FOUND, C "/sync", {NULL}}, /* RFC 9112, 3.2.2 */
        {HTTP_GET, "HTTPS://[::1]:8008" C "/sync", ROUTE_FOUND, C "/sync", {NULL}},
        {HTTP_GET, C "/a/http:/end", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_GET, "/_matrix/client/v3%2Fsync", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_GET, "/_matrix//client/v3/sync", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_GET, "/_matrix/client/v3/../v3/sync", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_GET, C "/rooms/!a:b/state", ROUTE_FOUND, C "/rooms/{roomId}/state", {"!a:b"}},
        {HTTP_GET,
         C "/rooms/%21a%3Ab/state/m.room.name",
         ROUTE_FOUND,
         C "/rooms/{roomId}/state/{eventType}",
         {"!a:b", "m.room.name"}},
        {HTTP_GET,
         C "/rooms/!a:b/state/m.room.name/",
         ROUTE_FOUND,
         C "/rooms/{roomId}/state/{eventType}/",
         {"!a:b", "m.room.name"}},
        {HTTP_GET,
         C "/rooms/!a:b/state/x/a%2Fb",
         ROUTE_FOUND,
         C "/rooms/{roomId}/state/{eventType}/{stateKey}",
         {"!a:b", "x", "a/b"}},
        {HTTP_GET,
         C "/rooms/!a:b/state/x/%2e%2E",
         ROUTE_FOUND,
         C "/rooms/{roomId}/state/{eventType}/{stateKey}",
         {"!a:b", "x", ".."}},
        {HTTP_GET,
         C "/rooms/!a:b/state/x/a+b",
         ROUTE_FOUND,
         C "/rooms/{roomId}/state/{eventType}/{stateKey}",
         {"!a:b", "x", "a+b"}},
        {HTTP_GET, C "/rooms/!a:b/state/x/y/", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_GET, C "/rooms/!a:b/state//y", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_GET, C "/rooms//state", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_PUT, C "/rooms/!a:b/state/x/", ROUTE_METHOD, NULL, {NULL}},
        {HTTP_GET, C "/rooms/%ff/state", ROUTE_BAD_PATH, NULL, {NULL}},
        {HTTP_GET, C "/rooms/%00/state", ROUTE_BAD_PATH, NULL, {NULL}},
        {HTTP_GET, C "/rooms/%4/state", ROUTE_BAD_PATH, NULL, {NULL}},
        {HTTP_GET, C "/rooms/%/state", ROUTE_BAD_PATH, NULL, {NULL}},
        {HTTP_GET, C "/rooms/%zz/state", ROUTE_BAD_PATH, NULL, {NULL}},
        {HTTP_GET, C "/rooms/%ff/nothing", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_GET, "/%ff", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_GET, C "/profile/@a:b", ROUTE_FOUND, C "/profile/{userId}", {"@a:b"}},
        {HTTP_GET, C "/profile/@a:b/displayname", ROUTE_FOUND, C "/profile/{userId}/displayname", {"@a:b"}},
        {HTTP_GET, C "/profile/@a:b/m.tz", ROUTE_FOUND, C "/profile/{userId}/{keyName}", {"@a:b", "m.tz"}},
        {HTTP_DELETE,
         C "/profile/@a:b/displayname",
         ROUTE_FOUND,
         C "/profile/{userId}/{keyName}",
         {"@a:b", "displayname"}},
        {HTTP_PUT, C "/profile/@a:b/displayname", ROUTE_METHOD, NULL, {NULL}},
        {HTTP_GET, C "/pushrules/", ROUTE_FOUND, C "/pushrules/", {NULL}},
        {HTTP_GET, C "/pushrules", ROUTE_UNKNOWN, NULL, {NULL}},
        {HTTP_GET, C "/a/literal/end", ROUTE_FOUND, C "/a/literal/end", {NULL}},
        {HTTP_GET, C "/a/literal/other", ROUTE_FOUND, C "/a/{x}/other", {"literal"}},
        {HTTP_HEAD, C "/sync", ROUTE_FOUND, C "/sync", {NULL}},
        {HTTP_HEAD, "/head", ROUTE_FOUND, "/head", {NULL}},
        {HTTP_GET, "/", ROUTE_FOUND, "/", {NULL}},
        {HTTP_GET, "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", ROUTE_UNKNOWN, NULL, {NULL}},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char buffer[256];
        struct path path;
        struct route_hit hit;
        assert_true(path_split(&path, CASES[i].path, strlen(CASES[i].path), buffer));
        enum route_match match = router_find(*state, &path, CASES[i].method, &hit);
        if (match != CASES[i].match)
            print_error("%s\n", CASES[i].path);
        assert_int_equal(match, CASES[i].match);
        if (match != ROUTE_FOUND)
            continue;
        assert_string_equal(hit.route->path, CASES[i].template);
        int n = 0;
        for (; n < 3 && CASES[i].params[n] != NULL; ++n)
            assert_string_equal(hit.params[n], CASES[i].params[n]);
        assert_int_equal(hit.n_params, n);
    }
}

static void head_has_a_route_of_its_own_first(void **state)
{
    char buffer[8];
    struct path path;
    struct route_hit hit;
    assert_true(path_split(&path, "/head", 5, buffer));
    assert_int_equal(router_find(*state, &path, HTTP_HEAD, &hit), ROUTE_FOUND);
    assert_int_equal(hit.route->method, HTTP_HEAD);
    assert_int_equal(router_find(*state, &path, HTTP_PUT, &hit), ROUTE_METHOD);
    assert_int_equal(hit.allowed, 1u << HTTP_HEAD | 1u << HTTP_GET);
}

static void some_paths_are_none(void **state)
{
    static const char *const PATHS[] = {
        "", "*", "health", "http://x", "ftp://x/health", "http:/health/", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; ++i) {
        char buffer[64];
        struct path path;
        assert_false(path_split(&path, PATHS[i], strlen(PATHS[i]), buffer));
    }
}

static void wrong_tables_are_refused(void **state)
{
    static const struct route CASES[][2] = {
        {R(GET, "/a"), R(GET, "/a")},
        {R(GET, "/a/{x}"), R(GET, "/a/{y}")},
        {R(GET, "/a"), R(GET, "b")},
        {R(GET, "/a"), R(GET, "/{1}/{2}/{3}/{4}/{5}/{6}/{7}")},
        {R(GET, "/a"), R(GET, "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17")},
    };
    log_set_level(LOG_ERROR - 1);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        const struct routes table = {CASES[i], 2}, *const tables[] = {&table};
        assert_null(router_create(tables, 1));
    }
    log_set_level(LOG_INFO);
    router_destroy(NULL);
}

static void percents_are_undone(void **state)
{
    static const struct {
        const char *in;
        bool plus;
        const char *out; /* NULL: refused */
    } CASES[] = {
        {"", false, ""},
        {"a+b", false, "a+b"},
        {"a+b", true, "a b"},
        {"%2B%2b", true, "++"},
        {"%D0%af", false, "\xd0\xaf"},
        {"%", false, NULL},
        {"%4", false, NULL},
        {"a%4", false, NULL},
        {"%4g", false, NULL},
        {"%g4", false, NULL},
        {"%00", false, NULL},
        {"%c0%80", false, NULL},
        {"%ed%a0%80", false, NULL},
        {"%25", false, "%"},
        {"%%25", false, NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char out[32];
        ssize_t n = percent_decode(out, CASES[i].in, strlen(CASES[i].in), CASES[i].plus);
        if (CASES[i].out == NULL) {
            assert_int_equal(n, -1);
            continue;
        }
        assert_int_equal(n, strlen(CASES[i].out));
        assert_string_equal(out, CASES[i].out);
    }
}

static void percents_are_made(void **state)
{
    static const struct {
        const char *in, *out;
    } CASES[] = {
        {"azAZ09-._~", "azAZ09-._~"}, /* RFC 3986, 2.3 */
        {"a b+c", "a%20b%2Bc"},       {"/?#[]@!$&'()*,;=:", "%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2C%3B%3D%3A"},
        {"100%", "100%25"},           {"\x01\x7f\"<>\\^`{|}", "%01%7F%22%3C%3E%5C%5E%60%7B%7C%7D"},
        {"\xd0\xaf", "%D0%AF"},       {"\xff", "%FF"}, /* a byte is a byte */
    };
    struct text out = TEXT_INIT;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        text_clear(&out);
        text_add_percent(&out, CASES[i].in);
        assert_string_equal(out.data, CASES[i].out);
    }
    text_clear(&out);
    text_add_pair(&out, '?', "a&b", "c=d");
    text_add_pair(&out, '&', "e", "");
    assert_string_equal(out.data, "?a%26b=c%3Dd&e=");
    text_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(paths_find_their_routes, make, unmake),
        cmocka_unit_test_setup_teardown(head_has_a_route_of_its_own_first, make, unmake),
        cmocka_unit_test(some_paths_are_none),
        cmocka_unit_test(wrong_tables_are_refused),
        cmocka_unit_test(percents_are_undone),
        cmocka_unit_test(percents_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
