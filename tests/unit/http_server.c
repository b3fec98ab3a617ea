/* The HTTP layer as a whole: requests and replies, who asks, what is refused, how it stops. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/log.h"
#include "homeserver/base/metrics.h"
#include "homeserver/http/credentials.h"
#include "homeserver/http/http.h"
#include "homeserver/http/server.h"
#include "tests/unit/http_world.h"

/* What a connection asked for last, and by whose token, is only a guess at what comes next. */
static void a_connection_that_asks_again_is_answered_anew(void **state)
{
    static const struct {
        const char *method, *path, *token;
        int status;
        const char *key, *value; /* of the answer */
    } CASES[] = {
        {"GET", "/who", "token-active", 200, "user", "@active:school.example"},
        {"GET", "/who", "token-active", 200, "user", "@active:school.example"},
        {"GET", "/who?q=1", "token-active", 200, "user", "@active:school.example"},
        {"GET", "/who", "token-admin", 200, "user", "@admin:school.example"},
        {"GET", "/who", "token-active", 200, "user", "@active:school.example"},
        {"GET", "/who", "wrong", 401, "errcode", "M_UNKNOWN_TOKEN"},
        {"GET", "/who", "token-locked", 401, "errcode", "M_USER_LOCKED"},
        {"GET", "/who", "token-locked", 401, "errcode", "M_USER_LOCKED"},
        {"GET", "/who", NULL, 401, "errcode", "M_MISSING_TOKEN"},
        {"POST", "/who", "token-active", 405, "errcode", "M_UNRECOGNIZED"},
        {"GET", "/who/", "token-active", 404, "errcode", "M_UNRECOGNIZED"},
        {"GET", "/echo/1/2", NULL, 200, "a", "1"},
        {"GET", "/echo/{a}/{b}", NULL, 200, "a", "{a}"}, /* letter by letter the route's own path */
        {"GET", "/echo/{a}/{b}", NULL, 200, "b", "{b}"},
    };
    struct answer a;
    int fd = dial_plain();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        const char *token = CASES[i].token;
        say(fd, "%s %s HTTP/1.1\r\nHost: x\r\n%s%s\r\n\r\n", CASES[i].method, CASES[i].path,
            token != NULL ? "Authorization: Bearer " : "X-None: ", token != NULL ? token : "");
        hear(fd, &a, false);
        assert_int_equal(a.status, CASES[i].status);
        assert_string_equal(member(&a, CASES[i].key), CASES[i].value);
        forget(&a);
    }
    close(fd);
}

/* Method, path, token, body → status, errcode. */
static void requests_are_answered(void **state)
{
    static const struct {
        const char *method, *path, *token, *body;
        int status;
        const char *errcode;
    } CASES[] = {
        {"GET", "/health", NULL, NULL, 200, NULL},
        {"GET", "/echo/1/2", NULL, NULL, 200, NULL},
        {"GET", "/echo/1/", NULL, NULL, 200, NULL},
        {"GET", "/echo/1", NULL, NULL, 404, "M_UNRECOGNIZED"},
        {"GET", "/echo//2", NULL, NULL, 404, "M_UNRECOGNIZED"},
        {"GET", "/nothing", NULL, NULL, 404, "M_UNRECOGNIZED"},
        {"GET", "/", NULL, NULL, 404, "M_UNRECOGNIZED"},
        {"GET", "http://x/health", NULL, NULL, 200, NULL},
        {"DELETE", "/echo/1/2", NULL, NULL, 405, "M_UNRECOGNIZED"},
        {"PATCH", "/echo/1/2", NULL, NULL, 405, "M_UNRECOGNIZED"},
        {"PATCH", "/nothing", NULL, NULL, 404, "M_UNRECOGNIZED"},
        {"GET", "/echo/%ff/2", NULL, NULL, 400, "M_INVALID_PARAM"},
        {"GET", "/echo/%00/2", NULL, NULL, 400, "M_INVALID_PARAM"},
        {"GET", "/echo/1/2?a=%ff", NULL, NULL, 400, "M_INVALID_PARAM"},
        {"POST", "/body", NULL, "{\"a\":1}", 200, NULL},
        {"POST", "/body", NULL, "", 200, NULL},
        {"POST", "/body", NULL, NULL, 200, NULL},
        {"POST", "/body", NULL, "[]", 400, "M_BAD_JSON"},
        {"PUT", "/any", NULL, "[]", 200, NULL},
        {"POST", "/body", NULL, "{", 400, "M_NOT_JSON"},
        {"GET", "/who", NULL, NULL, 401, "M_MISSING_TOKEN"},
        {"GET", "/who", "wrong", NULL, 401, "M_UNKNOWN_TOKEN"},
        {"GET", "/who", "token-active", NULL, 200, NULL},
        {"GET", "/who?access_token=token-active", NULL, NULL, 200, NULL},
        {"GET", "/who?access_token=wrong", NULL, NULL, 401, "M_UNKNOWN_TOKEN"},
        {"GET", "/who", "token-locked", NULL, 401, "M_USER_LOCKED"},
        {"GET", "/who", "token-locked", NULL, 401, "M_USER_LOCKED"}, /* from memory now */
        {"POST", "/logout", "token-locked", NULL, 200, NULL},
        {"GET", "/who", "token-pending", NULL, 403, "M_FORBIDDEN"},
        {"POST", "/logout", "token-pending", NULL, 200, NULL},
        {"GET", "/maybe", NULL, NULL, 200, NULL},
        {"GET", "/maybe", "wrong", NULL, 401, "M_UNKNOWN_TOKEN"},
        {"GET", "/badge", NULL, NULL, 401, "M_MISSING_TOKEN"},
        {"GET", "/badge", "badge:active", NULL, 200, NULL},
        {"GET", "/badge", "badge:nobody", NULL, 401, "M_UNKNOWN_TOKEN"},
        {"GET", "/badge", "badge:locked", NULL, 401, "M_USER_LOCKED"},
        {"GET", "/badge", "token-active", NULL, 401, "M_MISSING_TOKEN"}, /* this route knows no sessions */
        {"GET", "/who", "badge:active", NULL, 401, "M_UNKNOWN_TOKEN"},   /* and that one no badges */
        {"GET", "/badge/maybe", "badge:active", NULL, 200, NULL},
        {"GET", "/badge/maybe", "token-active", NULL, 200, NULL},
        {"GET", "/badge/maybe", NULL, NULL, 200, NULL},
        {"GET", "/badge/maybe", "badge:nobody", NULL, 401, "M_UNKNOWN_TOKEN"},
        {"GET", "/silent", NULL, NULL, 500, "M_UNKNOWN"},
        {"GET", "/broken", NULL, NULL, 500, "M_UNKNOWN"},
    };
    log_set_level(LOG_ERROR - 1); /* /silent and /broken are logged, as they should be */
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct answer a = ask(CASES[i].method, CASES[i].path, CASES[i].token, CASES[i].body);
        if (a.status != CASES[i].status)
            print_error("%s %s\n", CASES[i].method, CASES[i].path);
        assert_answer(&a, CASES[i].status, CASES[i].errcode);
        forget(&a);
    }
    log_set_level(LOG_ERROR);
}

static void handlers_see_what_was_sent(void **state)
{
    struct answer a = ask("GET", "/echo/a%2Fb/!x:%D1%8F?q=1+2&q=3&empty=&flag&%D1%8F=%26", NULL, NULL);
    json_t *query = json_object_get(a.json, "query");
    assert_answer(&a, 200, NULL);
    assert_string_equal(member(&a, "a"), "a/b");
    assert_string_equal(member(&a, "b"), "!x:\xd1\x8f");
    assert_string_equal(json_string_value(json_object_get(query, "empty")), "");
    assert_string_equal(json_string_value(json_object_get(query, "flag")), "");
    assert_string_equal(json_string_value(json_object_get(query, "\xd1\x8f")), "&");
    assert_string_equal(member(&a, "ip"), "127.0.0.1");
    forget(&a);
    a = ask("GET", "/who", "token-active", NULL);
    assert_string_equal(member(&a, "user"), "@active:school.example");
    assert_string_equal(member(&a, "device"), "DEVICE");
    forget(&a);
}

static void a_kind_of_credentials_is_one_row(void **state)
{
    struct answer a = ask("GET", "/badge", "badge:active", NULL);
    assert_answer(&a, 200, NULL);
    assert_string_equal(member(&a, "kind"), "badge");
    assert_string_equal(member(&a, "name"), "badge:active");
    assert_false(json_is_true(json_object_get(a.json, "has_device")));
    forget(&a);
    /* a poll like any other: what it waits for is the user's */
    int fd = dial_plain();
    stream_pos pos = W->pos;
    say(fd, "GET /badge/news?since=%lld HTTP/1.1\r\nAuthorization: Bearer badge:active\r\n\r\n", (long long)pos);
    wait_for_gauge("parta_http_parked", 1);
    change(ACTIVE);
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "pos"), pos + 1);
    forget(&a);
    close(fd);
}

static void a_trusted_proxy_says_who_asks(void **state)
{
    struct answer a;
    int fd = dial_plain();
    say(fd, "GET /echo/1/2 HTTP/1.1\r\nX-Forwarded-For: 203.0.113.9\r\n"
            "X-Forwarded-For: 198.51.100.7, 127.0.0.5\r\n\r\n");
    hear(fd, &a, false);
    assert_string_equal(member(&a, "ip"), "198.51.100.7"); /* what the first untrusted one claims is not looked at */
    forget(&a);
    close(fd);
}

static void a_locked_account_may_come_back(void **state)
{
    struct answer a = ask("GET", "/who", "token-locked", NULL);
    assert_answer(&a, 401, "M_USER_LOCKED");
    assert_true(json_is_true(json_object_get(a.json, "soft_logout")));
    forget(&a);
}

static void cors_is_everywhere(void **state)
{
    static const struct {
        const char *method, *path;
        int status;
    } CASES[] = {{"GET", "/health", 200},
                 {"GET", "/nothing", 404},
                 {"OPTIONS", "/who", 200},
                 {"OPTIONS", "/nothing", 200},
                 {"HEAD", "/health", 200}};
    char text[128];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct answer a = ask(CASES[i].method, CASES[i].path, NULL, NULL);
        assert_int_equal(a.status, CASES[i].status);
        assert_string_equal(answer_header(&a, "access-control-allow-origin", text, sizeof text), "*");
        assert_string_equal(answer_header(&a, "access-control-allow-methods", text, sizeof text),
                            "GET, POST, PUT, DELETE, OPTIONS");
        assert_string_equal(answer_header(&a, "access-control-allow-headers", text, sizeof text),
                            "X-Requested-With, Content-Type, Authorization, Idempotency-Key, If-Match, If-None-Match, "
                            "Parta-Override-Reason");
        assert_string_equal(answer_header(&a, "access-control-expose-headers", text, sizeof text), "ETag");
        assert_null(answer_header(&a, "server", text, sizeof text));
        forget(&a);
    }
}

static void a_405_names_what_is_allowed(void **state)
{
    char text[64];
    struct answer a = ask("DELETE", "/body", NULL, NULL);
    assert_answer(&a, 405, "M_UNRECOGNIZED");
    assert_string_equal(answer_header(&a, "allow", text, sizeof text), "POST, OPTIONS");
    forget(&a);
}

static void head_has_no_body(void **state)
{
    struct answer a;
    char text[32];
    int fd = dial_plain();
    say(fd, "HEAD /health HTTP/1.1\r\nHost: x\r\n\r\nGET /echo/1/2 HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, &a, true);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_header(&a, "content-length", text, sizeof text), "15");
    forget(&a);
    hear(fd, &a, false); /* the very next byte is the next answer's */
    assert_answer(&a, 200, NULL);
    assert_string_equal(member(&a, "a"), "1");
    forget(&a);
    close(fd);
}

static void requests_may_come_in_pieces(void **state)
{
    static const char REQUEST[] = "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n";
    struct answer a;
    int fd = dial_plain();
    for (const char *c = REQUEST; *c != '\0'; ++c) {
        assert_int_equal(send(fd, c, 1, 0), 1);
        usleep(500);
    }
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "a"), 1);
    forget(&a);
    close(fd);
}

static void nonsense_is_refused(void **state)
{
    static const struct {
        const char *said;
        int status;
    } CASES[] = {
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400}, /* HTTP/2 is off */
        {"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"POST /body HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
        {"POST /body HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400},
        {"POST /body HTTP/1.1\r\nExpect: magic\r\nContent-Length: 2\r\n\r\n{}", 417},
        {"\x16\x03\x01 hello\r\n\r\n", 400},
        {"GET /health HTTP/1.1\r\nA : b\r\n\r\n", 400},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct answer a;
        int fd = dial_plain();
        say(fd, "%s", CASES[i].said);
        hear(fd, &a, false);
        if (a.status != CASES[i].status)
            print_error("%s", CASES[i].said);
        assert_int_equal(a.status, CASES[i].status);
        assert_true(wait_for_close(fd) < AT_ONCE_MS);
        forget(&a);
        close(fd);
    }
}

static void an_upgrade_to_http2_is_ignored(void **state)
{
    struct answer a;
    int fd = dial_plain();
    say(fd, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n");
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    forget(&a);
    close(fd);
}

static void odd_headers_do_no_harm(void **state)
{
    struct answer a;
    int fd = dial_plain();
    say(fd, "GET /echo/1/2 HTTP/1.1\r\nX-A: b\r\n folded\r\nAuthorization: Basic eDp5\r\n\r\n");
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    forget(&a);
    close(fd);
    char *path = xcalloc(1, 40000);
    memset(path, 'a', 39999);
    fd = dial_plain();
    assert_int_equal(send(fd, "GET /", 5, 0), 5);
    assert_int_equal(send(fd, path, 39999, 0), 39999);
    say(fd, " HTTP/1.1\r\n\r\n");
    hear(fd, &a, false);
    assert_answer(&a, 414, "M_TOO_LARGE");
    forget(&a);
    free(path);
    close(fd);
}

static void authentication_takes_two_requests(void **state)
{
    char body[256];
    struct answer a = ask("POST", "/uia", NULL, "{\"x\":1}");
    assert_int_equal(a.status, 401);
    assert_null(json_object_get(a.json, "errcode"));
    snprintf(body, sizeof body, "{\"auth\":{\"type\":\"m.login.dummy\",\"session\":\"%s\"}}", member(&a, "session"));
    forget(&a);
    a = ask("POST", "/uia", NULL, body);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "x"), 1); /* remembered */
    forget(&a);
}

static void the_server_stops_gracefully(void **state)
{
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    begin_aside(&aside, &settings);
    know_the_token();
    int poll = poll_for_news("/news", "", 1), idle = dial_plain(), slow = dial_plain(), half = dial_plain();
    int handshake = dial(http_port(W->http, 1)), running = slow_running;
    say(half, "GET /he");
    say(slow, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    while (slow_running == running)
        usleep(1000);
    int64_t begun_ms = clock_mono_ms();
    http_stop(W->http);
    assert_true(clock_mono_ms() - begun_ms < 2000);
    hear(poll, &a, false);
    assert_answer(&a, 200, NULL);
    assert_true(json_is_true(json_object_get(a.json, "expired")));
    forget(&a);
    hear(slow, &a, false);
    assert_answer(&a, 200, NULL);
    forget(&a);
    int fds[] = {poll, idle, slow, half, handshake};
    for (int i = 0; i < 5; ++i) {
        assert_true(wait_for_close(fds[i]) < AT_ONCE_MS);
        close(fds[i]);
    }
    change(ACTIVE); /* a wake after the stop goes nowhere */
    end_aside(&aside);
}

static void a_stop_does_not_wait_forever(void **state)
{
    struct http_settings settings = settings_of(W);
    struct aside aside;
    int small = 4096;
    settings.stop_ms = 500;
    begin_aside(&aside, &settings);
    int deaf = dial_plain(), body = dial_plain(), large = dial_plain();
    setsockopt(deaf, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(deaf, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    say(body, "PUT /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx");
    begin_put(large, "/raw", "none", RAW_MAX, "");
    push(large, 100000);
    assert_int_equal(poll(&(struct pollfd){.fd = deaf, .events = POLLIN}, 1, 10000), 1); /* its reply has begun */
    int64_t begun_ms = clock_mono_ms();
    http_stop(W->http);
    assert_in_range(clock_mono_ms() - begun_ms, 400, 1500);
    end_aside(&aside);
    close(large);
    close(deaf);
    close(body);
}

static void numbers_are_shown(void **state)
{
    struct answer a = ask("GET", "/echo/1/2", NULL, NULL);
    forget(&a);
    a = ask_on(http_metrics_port(W->http), "GET", "/metrics", NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "parta_http_requests_total{method=\"GET\",route=\"/echo/{a}/{b}\",class=\"2xx\"} "));
    assert_non_null(strstr(a.body, "parta_http_request_duration_seconds_bucket{le=\"+Inf\"} "));
    assert_non_null(strstr(a.body, "parta_writer_groups_total "));
    assert_non_null(strstr(a.body, "process_resident_memory_bytes "));
    forget(&a);
    a = ask_on(http_metrics_port(W->http), "GET", "/health", NULL, NULL);
    assert_string_equal(member(&a, "status"), "ok");
    forget(&a);
    a = ask_on(http_metrics_port(W->http), "GET", "/echo/1/2", NULL, NULL);
    assert_answer(&a, 404, "M_UNRECOGNIZED");
    forget(&a);
    a = ask("GET", "/metrics", NULL, NULL);
    assert_answer(&a, 404, "M_UNRECOGNIZED");
    forget(&a);
}

static void bad_settings_are_refused(void **state)
{
    struct http_settings settings = settings_of(W);
    struct http_listen taken = {"127.0.0.1", 0, false};
    const char *proxy = "not-an-address";
    const struct route *one = HTTP_WORLD_TABLES[0]->table;
    const struct route twice[] = {one[0], one[0]};
    const struct routes wrong = ROUTES(twice);
    const struct routes *tables[] = {&wrong};
    log_set_level(LOG_ERROR - 1);
    assert_null(http_start(&settings, &W->server, tables, 1));
    taken.port = http_port(W->http, 0);
    settings.listen = &taken;
    settings.n_listen = 1;
    assert_null(http_start(&settings, &W->server, HTTP_WORLD_TABLES, 1));
    settings = settings_of(W);
    settings.tls_key = "/nonexistent";
    assert_null(http_start(&settings, &W->server, HTTP_WORLD_TABLES, 1));
    settings = settings_of(W);
    settings.trusted_proxies = &proxy;
    assert_null(http_start(&settings, &W->server, HTTP_WORLD_TABLES, 1));
    log_set_level(LOG_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(a_connection_that_asks_again_is_answered_anew),
        cmocka_unit_test(handlers_see_what_was_sent),
        cmocka_unit_test(a_kind_of_credentials_is_one_row),
        cmocka_unit_test(a_trusted_proxy_says_who_asks),
        cmocka_unit_test(a_locked_account_may_come_back),
        cmocka_unit_test(cors_is_everywhere),
        cmocka_unit_test(a_405_names_what_is_allowed),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(requests_may_come_in_pieces),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(an_upgrade_to_http2_is_ignored),
        cmocka_unit_test(odd_headers_do_no_harm),
        cmocka_unit_test(authentication_takes_two_requests),
        cmocka_unit_test(numbers_are_shown),
        cmocka_unit_test(bad_settings_are_refused),
        cmocka_unit_test(the_server_stops_gracefully),
        cmocka_unit_test(a_stop_does_not_wait_forever),
    };
    return cmocka_run_group_tests(tests, http_world_start, http_world_stop);
}
