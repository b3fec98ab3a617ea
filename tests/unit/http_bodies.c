/* Large bodies and files, in and out. */
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
#include "homeserver/http/http.h"
#include "tests/unit/http_world.h"

static void big_replies_arrive(void **state)
{
    char text[64];
    struct answer a = ask("GET", "/big", NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_int_equal(json_string_length(a.json), 3000000);
    assert_string_equal(answer_header(&a, "x-more", text, sizeof text), "one  two: three"); /* no header of its own */
    forget(&a);
}

static struct answer put_bytes(const char *method, const char *path, size_t len)
{
    struct answer a;
    int fd = dial_plain();
    char *bytes = xcalloc(1, len + 1);
    memset(bytes, ' ', len);
    say(fd, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: %zu\r\n\r\n", method, path, len);
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, bytes + sent, len - sent, 0);
        if (n <= 0)
            break; /* refused before the end */
        sent += (size_t)n;
    }
    hear(fd, &a, false);
    free(bytes);
    close(fd);
    return a;
}

static void bodies_are_bounded(void **state)
{
    char text[64];
    struct answer a = put_bytes("POST", "/body", BODY_MAX + 1);
    assert_answer(&a, 413, "M_TOO_LARGE");
    forget(&a);
    a = put_bytes("PUT", "/raw", RAW_MAX);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "len"), RAW_MAX);
    assert_int_equal(number(&a, "sum"), RAW_MAX * ' ');
    assert_string_equal(member(&a, "type"), "a/b");
    forget(&a);
    a = put_bytes("PUT", "/raw", RAW_MAX + 1);
    assert_answer(&a, 413, "M_TOO_LARGE");
    forget(&a);
    /* far too large: libh2o refuses before the body, in our words */
    int fd = dial_plain();
    say(fd, "PUT /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
    hear(fd, &a, false);
    assert_answer(&a, 413, "M_TOO_LARGE");
    assert_string_equal(answer_header(&a, "access-control-allow-origin", text, sizeof text), "*");
    assert_string_equal(answer_header(&a, "content-type", text, sizeof text), "application/json");
    forget(&a);
    close(fd);
}

static void a_flood_for_a_small_route_is_cut_off(void **state)
{
    struct http_settings settings = settings_of(W);
    settings.body_ms = 60000;
    struct aside aside;
    begin_aside(&aside, &settings);
    char *bytes = xcalloc(1, 1u << 20);
    int fd = dial_plain();
    bool refused = false;
    say(fd, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n");
    for (int i = 0; i < 40 && !refused; ++i) { /* slowly, well within the time for bodies */
        refused = send(fd, bytes, 1u << 20, 0) < 0;
        usleep(100000);
    }
    assert_true(refused);
    close(fd);
    free(bytes);
    end_aside(&aside);
}

/* Not a byte of the body is sent: the head alone is answered. */
static void who_sends_a_large_body_is_asked_first(void **state)
{
    static const struct {
        const char *path, *token;
        size_t len;
        int status;
        const char *errcode;
    } CASES[] = {
        {"/raw/who", "wrong", 200000, 401, "M_UNKNOWN_TOKEN"},
        {"/raw/who", "badge:nobody", 200000, 401, "M_UNKNOWN_TOKEN"},
        {"/raw/who", "token-locked", 200000, 401, "M_USER_LOCKED"},
        {"/raw/who", "token-pending", 200000, 403, "M_FORBIDDEN"},
        {"/raw/who", "token-active", RAW_MAX + 1, 413, "M_TOO_LARGE"},
        {"/any", "token-active", 200000, 413, "M_TOO_LARGE"},
        {"/nothing", "token-active", 200000, 404, "M_UNRECOGNIZED"},
        {"/health", "token-active", 200000, 405, "M_UNRECOGNIZED"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        for (int waits = 0; waits < 2; ++waits) {
            struct answer a;
            char text[32];
            int fd = dial_plain();
            begin_put(fd, CASES[i].path, CASES[i].token, CASES[i].len, waits ? "Expect: 100-continue\r\n" : "");
            hear(fd, &a, false); /* and no 100 before it */
            assert_answer(&a, CASES[i].status, CASES[i].errcode);
            assert_string_equal(answer_header(&a, "connection", text, sizeof text), "close");
            assert_string_equal(answer_header(&a, "content-type", text, sizeof text), "application/json");
            assert_non_null(answer_header(&a, "access-control-allow-origin", text, sizeof text));
            forget(&a);
            close(fd);
        }
}

/* A client that does not listen before it has sent everything hears the answer all the same. */
static void a_refusal_arrives_although_all_was_sent(void **state)
{
    for (int i = 0; i < 10; ++i) {
        struct answer a;
        int fd = dial_plain();
        begin_put(fd, "/raw/who", i % 2 == 0 ? "wrong" : "badge:nobody", RAW_MAX, "");
        assert_true(push(fd, RAW_MAX));
        hear(fd, &a, false);
        assert_answer(&a, 401, "M_UNKNOWN_TOKEN");
        forget(&a);
        assert_true(wait_for_close(fd) < AT_ONCE_MS);
        close(fd);
    }
    wait_until_quiet();
}

static void a_large_body_is_read_when_it_is_welcome(void **state)
{
    static const char *const TOKENS[] = {"token-active", "badge:active"}; /* known on the loop; looked up by a worker */
    for (int i = 0; i < 4; ++i) {
        struct answer a;
        int fd = dial_plain();
        begin_put(fd, "/raw/who", TOKENS[i % 2], RAW_MAX, i < 2 ? "Expect: 100-continue\r\n" : "");
        if (i < 2) {
            assert_true(hear_head(fd, &a));
            assert_int_equal(a.status, 100);
        }
        for (size_t sent = 0; sent < RAW_MAX; sent += 30000, usleep(1000))
            assert_true(push(fd, 30000));
        hear(fd, &a, false);
        assert_answer(&a, 200, NULL);
        assert_int_equal(number(&a, "len"), RAW_MAX);
        assert_int_equal(number(&a, "sum"), RAW_MAX * 'x');
        forget(&a);
        assert_true(wait_for_close(fd) < AT_ONCE_MS);
        close(fd);
    }
    wait_until_quiet();
}

static void large_json_is_parsed_where_the_limit_is_high(void **state)
{
    struct http_settings settings = settings_of(W);
    struct aside aside;
    settings.body_max = 5u << 20;
    begin_aside(&aside, &settings);
    size_t len = 4u << 20;
    char *body = xcalloc(1, len + 1);
    memset(body, ' ', len);
    memcpy(body, "{\"n\":7", 6);
    body[len - 1] = '}';
    struct answer a;
    int fd = dial_plain();
    say(fd, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", len);
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, body + sent, len - sent, 0);
        assert_true(n > 0);
        sent += (size_t)n;
    }
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "n"), 7);
    forget(&a);
    close(fd);
    free(body);
    end_aside(&aside);
}

static void large_bodies_have_places(void **state)
{
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[3];
    settings.uploads = 3;
    settings.body_ms = 20000;
    begin_aside(&aside, &settings);
    for (int i = 0; i < 3; ++i) { /* two of one's, and another's */
        fds[i] = dial_plain();
        begin_put(fds[i], "/raw/who", i < 2 ? "token-active" : "token-admin", RAW_MAX, "Expect: 100-continue\r\n");
        assert_true(hear_head(fds[i], &a));
        assert_int_equal(a.status, 100);
    }
    int fd = dial_plain();
    begin_put(fd, "/raw/who", "badge:active", RAW_MAX, ""); /* the same person by another way */
    hear(fd, &a, false);
    assert_answer(&a, 429, "M_LIMIT_EXCEEDED");
    forget(&a);
    close(fd);
    fd = dial_plain();
    begin_put(fd, "/raw", "none", RAW_MAX, "");
    hear(fd, &a, false);
    assert_answer(&a, 503, "M_UNKNOWN");
    forget(&a);
    close(fd);
    close(fds[0]); /* leaves in the middle: its place is free again */
    wait_for_gauge("parta_http_connections", 3);
    a = put_bytes("PUT", "/raw", RAW_MAX);
    assert_answer(&a, 200, NULL);
    forget(&a);
    assert_true(push(fds[1], RAW_MAX));
    hear(fds[1], &a, false);
    assert_answer(&a, 200, NULL);
    forget(&a);
    close(fds[1]);
    close(fds[2]);
    end_aside(&aside);
}

static void a_large_body_has_its_time(void **state)
{
    int fd = dial_plain();
    int64_t begun_ms = clock_mono_ms();
    begin_put(fd, "/raw", "none", RAW_MAX, "");
    push(fd, 100000);
    wait_for_close(fd);
    assert_in_range(clock_mono_ms() - begun_ms, 1000, PATIENCE_MS - 1);
    close(fd);
    wait_until_quiet();
}

static void a_large_body_may_find_no_room(void **state)
{
    struct http_settings settings = settings_of(W);
    struct aside aside;
    settings.spool_dir = "/nonexistent";
    begin_aside(&aside, &settings);
    log_set_level(LOG_ERROR - 1);
    struct answer a = put_bytes("PUT", "/raw", RAW_MAX);
    log_set_level(LOG_ERROR);
    assert_answer(&a, 503, "M_UNKNOWN");
    forget(&a);
    end_aside(&aside);
}

/* In chunks a body may not be larger than JSON: how long it will be is not known beforehand. */
static void chunks_are_for_small_bodies(void **state)
{
    struct answer a;
    int fd = dial_plain();
    say(fd, "PUT /raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", BODY_MAX);
    assert_true(push(fd, BODY_MAX));
    say(fd, "\r\n0\r\n\r\n");
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "len"), BODY_MAX);
    forget(&a);
    close(fd);
    fd = dial_plain();
    say(fd, "PUT /raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", RAW_MAX);
    assert_true(push(fd, RAW_MAX));
    hear(fd, &a, false);
    assert_answer(&a, 413, "M_TOO_LARGE");
    forget(&a);
    close(fd);
}

static void a_file_is_no_answer_to_a_large_body(void **state)
{
    struct answer a = put_bytes("PUT", "/raw/file", RAW_MAX);
    assert_answer(&a, 500, "M_UNKNOWN");
    forget(&a);
    wait_until_quiet();
}

static void assert_file_part(const struct answer *a, int64_t first)
{
    for (size_t i = 0; i < a->len; ++i)
        if (a->body[i] != (char)(((int64_t)i + first) / 1000 + (int64_t)i + first))
            fail_msg("byte %zu is wrong", i);
}

static void files_are_sent(void **state)
{
    static const struct {
        const char *query, *headers;
        int status;
        int64_t first, len;
        const char *content_range;
    } CASES[] = {
        {"", "", 200, 0, FILE_BYTES, NULL},
        {"?cold=1", "", 200, 0, FILE_BYTES, NULL},
        {"?size=0", "", 200, 0, 0, NULL},
        {"?size=1", "", 200, 0, 1, NULL},
        {"?size=65536", "", 200, 0, 65536, NULL},
        {"?size=5000000&cold=1", "", 200, 0, 5000000, NULL},
        {"", "Range: bytes=0-0\r\n", 206, 0, 1, "bytes 0-0/300000"},
        {"", "Range: bytes=100000-\r\n", 206, 100000, 200000, "bytes 100000-299999/300000"},
        {"?cold=1", "Range: bytes=-70000\r\n", 206, 230000, 70000, "bytes 230000-299999/300000"},
        {"", "Range: bytes=10-19\r\nIf-Range: \"one\"\r\n", 206, 10, 10, "bytes 10-19/300000"},
        {"", "Range: bytes=10-19\r\nIf-Range: \"two\"\r\n", 200, 0, FILE_BYTES, NULL},
        {"", "Range: bytes=1-2,5-6\r\n", 200, 0, FILE_BYTES, NULL},
        {"?size=10", "Range: bytes=10-\r\n", 416, 0, -1, "bytes */10"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct answer a;
        char text[64];
        int fd = dial_plain();
        for (int again = 0; again < 2; ++again) { /* the connection is kept */
            say(fd, "GET /file%s HTTP/1.1\r\nHost: x\r\n%s\r\n", CASES[i].query, CASES[i].headers);
            hear(fd, &a, false);
            if (a.status != CASES[i].status)
                print_error("%s %s\n", CASES[i].query, CASES[i].headers);
            assert_int_equal(a.status, CASES[i].status);
            assert_string_equal(answer_header(&a, "accept-ranges", text, sizeof text), "bytes");
            assert_string_equal(answer_header(&a, "etag", text, sizeof text), "\"one\"");
            assert_string_equal(answer_header(&a, "x-4", text, sizeof text), "4");
            assert_string_equal(answer_header(&a, "content-type", text, sizeof text),
                                a.status == 416 ? "application/json" : "image/png");
            const char *range = answer_header(&a, "content-range", text, sizeof text);
            assert_string_equal(range != NULL ? range : "none",
                                CASES[i].content_range != NULL ? CASES[i].content_range : "none");
            if (CASES[i].len >= 0) {
                assert_int_equal(a.len, CASES[i].len);
                assert_file_part(&a, CASES[i].first);
            }
            forget(&a);
        }
        close(fd);
    }
    wait_until_quiet();
}

static void head_of_a_file_has_its_length(void **state)
{
    struct answer a;
    char text[32];
    int fd = dial_plain();
    say(fd, "HEAD /file HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, &a, true);
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_header(&a, "content-length", text, sizeof text), "300000");
    forget(&a);
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    forget(&a);
    close(fd);
    a = ask("GET", "/file?refuse=1", NULL, NULL);
    assert_answer(&a, 403, "M_FORBIDDEN");
    forget(&a);
    wait_until_quiet();
}

/* Fewer bytes come than were promised: the connection is closed, and nothing else stands in their place. */
static void a_file_may_be_shorter_than_was_said(void **state)
{
    struct answer a;
    int fd = dial_plain();
    size_t got = 0;
    char bytes[4096];
    log_set_level(LOG_ERROR - 1);
    say(fd, "GET /file?size=100000&said=200000 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(hear_head(fd, &a));
    for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) > 0;)
        got += (size_t)n;
    assert_int_equal(got, 100000);
    close(fd);
    wait_until_quiet();
    log_set_level(LOG_ERROR);
}

/* A client that reads nothing holds a piece of the file, not the file, until it leaves or its time is up. */
static void a_slow_reader_holds_one_piece(void **state)
{
    enum { N = 8, BYTES = 30 << 20 };
    int fds[N], small = 4096;
    size_t before = gauge_of("process_resident_memory_bytes");
    for (int i = 0; i < N; ++i) {
        struct answer a;
        fds[i] = dial_plain();
        setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        say(fds[i], "GET /file?size=%d HTTP/1.1\r\nHost: x\r\n\r\n", (int)BYTES);
        assert_true(hear_head(fds[i], &a));
    }
    assert_true(gauge_of("process_resident_memory_bytes") < before + BYTES);
    for (int i = 1; i < N; ++i)
        close(fds[i]);
    int64_t begun_ms = clock_mono_ms();
    while (gauge_of("parta_http_connections") > 1 && clock_mono_ms() - begun_ms < PATIENCE_MS)
        usleep(50000);
    assert_true(clock_mono_ms() - begun_ms < PATIENCE_MS);
    close(fds[0]);
    wait_until_quiet();
}

/* Bodies that do not come whole are bounded for the address they come from, and not for another. */
static void half_bodies_are_bounded(void **state)
{
    enum { MANY = 8, LEN = 500000, SENT = 400000, HOLDS = 3 };
    static const char *const PROXIES[] = {"127.0.0.9"};
    struct http_settings settings = settings_of(W);
    struct aside aside;
    int fds[MANY];
    char *bytes = xcalloc(1, LEN);
    memset(bytes, ' ', LEN - 2);
    memcpy(bytes + LEN - 2, "{}", 2);
    settings.unread_max = 8u << 20; /* of one: one MiB */
    settings.body_max = 1u << 20;
    settings.body_ms = settings.idle_ms = 60000;
    settings.trusted_proxies = PROXIES;
    begin_aside(&aside, &settings);
    for (int i = 0; i < MANY; ++i) {
        fds[i] = dial_plain();
        begin_put(fds[i], "/any", "token-active", LEN, "");
        assert_int_equal(send(fds[i], bytes, SENT, MSG_NOSIGNAL), SENT);
    }
    int64_t begun_ms = clock_mono_ms();
    while (gauge_of("parta_http_connections") > HOLDS + 1 && clock_mono_ms() - begun_ms < PATIENCE_MS)
        usleep(20000);
    assert_in_range(gauge_of("parta_http_connections"), 1, HOLDS + 1);
    assert_in_range(gauge_of("parta_http_unread_bytes"), 1, HOLDS * LEN);
    int fd = dial_from(2, http_port(W->http, 0));
    begin_put(fd, "/any", "token-active", LEN, "");
    assert_int_equal(send(fd, bytes, LEN, MSG_NOSIGNAL), LEN);
    struct answer a;
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    forget(&a);
    close(fd);
    for (int i = 0; i < MANY; ++i)
        close(fds[i]);
    wait_for_gauge("parta_http_unread_bytes", 0);
    free(bytes);
    end_aside(&aside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(big_replies_arrive),
        cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(half_bodies_are_bounded),
        cmocka_unit_test(a_flood_for_a_small_route_is_cut_off),
        cmocka_unit_test(who_sends_a_large_body_is_asked_first),
        cmocka_unit_test(a_refusal_arrives_although_all_was_sent),
        cmocka_unit_test(a_large_body_is_read_when_it_is_welcome),
        cmocka_unit_test(large_json_is_parsed_where_the_limit_is_high),
        cmocka_unit_test(large_bodies_have_places),
        cmocka_unit_test(a_large_body_has_its_time),
        cmocka_unit_test(a_large_body_may_find_no_room),
        cmocka_unit_test(chunks_are_for_small_bodies),
        cmocka_unit_test(a_file_is_no_answer_to_a_large_body),
        cmocka_unit_test(files_are_sent),
        cmocka_unit_test(head_of_a_file_has_its_length),
        cmocka_unit_test(a_file_may_be_shorter_than_was_said),
        cmocka_unit_test(a_slow_reader_holds_one_piece),
    };
    return cmocka_run_group_tests(tests, http_world_start, http_world_stop);
}
