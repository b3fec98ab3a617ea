/* Connections: how long they live, how many there are, and TLS. */
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
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
#include "homeserver/http/admission.h"
#include "homeserver/http/http.h"
#include "tests/unit/http_world.h"

static void connections_are_kept(void **state)
{
    struct answer a;
    char path[32];
    int fd = dial_plain();
    for (int i = 0; i < 50; ++i) {
        snprintf(path, sizeof path, "%d", i);
        say(fd, "GET /echo/%d/x HTTP/1.1\r\nHost: x\r\n\r\n", i);
        hear(fd, &a, false);
        assert_string_equal(member(&a, "a"), path);
        forget(&a);
    }
    for (int i = 0; i < 20; ++i) /* pipelined */
        say(fd, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{\"n\":%d}", i < 10 ? 7 : 8, i);
    for (int i = 0; i < 20; ++i) {
        hear(fd, &a, false);
        assert_int_equal(number(&a, "n"), i);
        forget(&a);
    }
    say(fd, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    hear(fd, &a, false);
    forget(&a);
    assert_true(wait_for_close(fd) < AT_ONCE_MS);
    close(fd);
}

static void half_a_request_hurts_nobody(void **state)
{
    static const char *const HALVES[] = {
        "",
        "GET",
        "GET /health HTTP/1.1\r\nHo",
        "POST /body HTTP/1.1\r\nContent-Length: 100\r\n\r\n{",
        "POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    };
    for (size_t i = 0; i < sizeof HALVES / sizeof *HALVES; ++i) {
        int fd = dial_plain();
        say(fd, "%s", HALVES[i]);
        close(fd);
    }
    struct answer a = ask("GET", "/health", NULL, NULL);
    assert_answer(&a, 200, NULL);
    forget(&a);
}

static void slow_ones_are_cut_off(void **state)
{
    static const struct {
        const char *said;
        int least_ms;
    } CASES[] = {
        {"GET /health HTTP/1.1\r\nHo", HEADER_MS - 100},
        {"POST /body HTTP/1.1\r\nContent-Length: 100\r\n\r\n{", 1400},
        {"", IDLE_MS - 1500},
    };
    int fds[3], handshake = dial(http_port(W->http, 1));
    int64_t begun_ms = clock_mono_ms();
    for (int i = 0; i < 3; ++i) {
        fds[i] = dial_plain();
        say(fds[i], "%s", CASES[i].said);
    }
    for (int i = 0; i < 3; ++i) {
        wait_for_close(fds[i]);
        int64_t took_ms = clock_mono_ms() - begun_ms;
        assert_in_range(took_ms, CASES[i].least_ms, PATIENCE_MS);
        close(fds[i]);
    }
    assert_true(wait_for_close(handshake) < AT_ONCE_MS);
    close(handshake);
}

/* However the requests fall between the sweeper's looks: a connection that is in use is not idle. */
static void a_connection_in_use_is_not_idle(void **state)
{
    enum { N = 12 };
    int fds[N];
    struct answer a;
    int64_t begun_ms = clock_mono_ms(), used_ms[N] = {0};
    for (int i = 0; i < N; ++i)
        fds[i] = dial_plain(), used_ms[i] = clock_mono_ms();
    for (int64_t turn = 0; clock_mono_ms() - begun_ms < IDLE_MS + 2500; ++turn) {
        for (int i = 0; i < N; ++i) { /* the last ones seldom, all of them well within the time */
            if (turn % (i + 1) != 0)
                continue;
            if (clock_mono_ms() - used_ms[i] > IDLE_MS - 1000) { /* the machine had no time for us: it may be idle */
                close(fds[i]);
                fds[i] = dial_plain();
            }
            say(fds[i], i % 3 == 0   ? "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
                        : i % 3 == 1 ? "OPTIONS /who HTTP/1.1\r\nHost: x\r\n\r\n"
                                     : "GET /echo/1/2 HTTP/1.1\r\nHost: x\r\n\r\n");
            hear(fds[i], &a, false);
            assert_int_equal(a.status, 200);
            forget(&a);
            used_ms[i] = clock_mono_ms();
        }
        usleep(70000);
    }
    for (int i = 0; i < N; ++i)
        close(fds[i]);
}

static void a_reader_that_stands_still_is_cut_off(void **state)
{
    int fd = dial_plain(), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    wait_for_gauge("parta_http_connections", 2);
    int64_t begun_ms = clock_mono_ms();
    say(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for_gauge("parta_http_connections", 2);
    while (gauge_of("parta_http_connections") > 1 && clock_mono_ms() - begun_ms < PATIENCE_MS)
        usleep(50000);
    assert_in_range(clock_mono_ms() - begun_ms, IDLE_MS - 1500, PATIENCE_MS - 1);
    close(fd);
}

/* A little now and then is not enough either. */
static void a_reader_that_trickles_is_cut_off(void **state)
{
    char bytes[3000];
    int fd = dial_plain(), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    int64_t begun_ms = clock_mono_ms();
    say(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for_gauge("parta_http_connections", 2);
    while (gauge_of("parta_http_connections") > 1 && clock_mono_ms() - begun_ms < PATIENCE_MS) {
        recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        usleep(300000);
    }
    assert_in_range(clock_mono_ms() - begun_ms, IDLE_MS - 1500, PATIENCE_MS - 1);
    close(fd);
}

/* n requests from 127.0.0.host that are held, each on a connection of its own, of which the server lets in some: how
 * many. The fds of the others are closed by it. */
static size_t dial_held(int host, int fds[], size_t n)
{
    size_t before = gauge_of("parta_http_connections"), refused = gauge_of("parta_http_connections_refused_total"),
           now = 0;
    for (size_t i = 0; i < n; ++i) {
        fds[i] = dial_from(host, http_port(W->http, 0));
        send(fds[i], HELD, sizeof HELD - 1, MSG_NOSIGNAL);
    }
    for (int i = 0; i < 1000 && gauge_of("parta_http_connections") != before + n - now; ++i) {
        usleep(10000);
        now = gauge_of("parta_http_connections_refused_total") - refused;
    }
    return n - now;
}

/* One answer, and how long the connection lives: whether it is closed then. */
static bool is_closed_after(int host, const char *path, int status)
{
    struct answer a;
    char said[16];
    int fd = dial_from(host, http_port(W->http, 0));
    say_get(fd, path, "token-active");
    hear(fd, &a, false);
    assert_int_equal(a.status, status);
    if (status == 503)
        assert_string_equal(answer_header(&a, "retry-after", said, sizeof said), "5");
    const char *how = answer_header(&a, "connection", said, sizeof said);
    bool closed = how != NULL && strcmp(how, "close") == 0;
    if (closed)
        wait_for_close(fd);
    forget(&a);
    close(fd);
    return closed;
}

/* One address has half of the connections at most, and no more than are left, so that the next one finds some. What is
 * let in at the end is answered, and holds nothing. */
static void an_address_has_a_share_of_the_connections(void **state)
{
    static const char *const PROXIES[] = {"127.0.0.9"};
    enum { MAX = 64, HOSTS = 4, EACH = 40 };
    struct http_settings settings = settings_of(W);
    struct aside aside;
    int fds[HOSTS * EACH];
    char news[40];
    size_t left = MAX;
    settings.connections = MAX;
    settings.trusted_proxies = PROXIES;
    settings.loops = 1; /* two might let in one more */
    begin_aside(&aside, &settings);
    log_set_level(LOG_ERROR);
    let_go = 0;
    assert_false(is_closed_after(11, "/news?timeout=1", 200));
    for (int i = 0; i < HOSTS; ++i) {
        size_t n = dial_held(11 + i, fds + i * EACH, EACH);
        assert_in_range(n, left / 2 - 1, left / 2 + 1); /* one asks for metrics meanwhile */
        left -= n;
    }
    assert_true(is_closed_after(20, "/health", 200));
    snprintf(news, sizeof news, "/news?since=%lld", (long long)W->pos);
    assert_true(is_closed_after(20, news, 503));
    assert_true(is_closed_after(9, "/health", 200));
    let_go = 1;
    for (int i = 0; i < HOSTS * EACH; ++i)
        close(fds[i]);
    wait_for_gauge("parta_http_connections", 1);
    assert_false(is_closed_after(11, "/health", 200));
    end_aside(&aside);
}

/* Who asks on very many connections is answered, and the last ones are closed: not so those who come by a proxy, whose
 * connections are everybody's in turn. */
static void a_person_has_so_many_connections(void **state)
{
    enum { KEPT = 256, MORE = 4 };
    struct http_settings settings = settings_of(W);
    struct aside aside;
    int fds[KEPT + MORE];
    struct answer a;
    char how[16];
    settings.idle_ms = 60000;
    begin_aside(&aside, &settings);
    for (int i = 0; i < KEPT + MORE; ++i) {
        fds[i] = dial_plain();
        say_get(fds[i], "/who", "token-active");
        hear(fds[i], &a, false);
        assert_answer(&a, 200, NULL);
        assert_int_equal(answer_header(&a, "connection", how, sizeof how) != NULL && strcmp(how, "close") == 0,
                         i >= KEPT);
        forget(&a);
        if (i >= KEPT)
            wait_for_close(fds[i]);
    }
    assert_false(is_closed_after(1, "/health", 200));
    say_get(fds[0], "/who", "token-admin"); /* it is another's now */
    hear(fds[0], &a, false);
    forget(&a);
    assert_false(is_closed_after(1, "/who", 200));
    for (int i = 0; i < KEPT + MORE; ++i)
        close(fds[i]);
    end_aside(&aside);
}

static void the_metrics_listener_has_places_of_its_own(void **state)
{
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[ADMISSION_METRICS_MAX];
    settings.header_ms = settings.idle_ms = 60000;
    begin_aside(&aside, &settings);
    for (int i = 0; i < ADMISSION_METRICS_MAX; ++i) {
        fds[i] = dial(http_metrics_port(W->http));
        say(fds[i], "GET /health HTTP/1.1\r\n\r\n");
        hear(fds[i], &a, false);
        assert_int_equal(a.status, 200);
        forget(&a);
    }
    int fd = dial(http_metrics_port(W->http));
    wait_for_close(fd);
    close(fd);
    a = ask("GET", "/health", NULL, NULL);
    assert_int_equal(a.status, 200);
    forget(&a);
    for (int i = 0; i < ADMISSION_METRICS_MAX; ++i)
        close(fds[i]);
    end_aside(&aside);
}

static void connections_are_capped(void **state)
{
    struct http_settings settings = settings_of(W);
    settings.connections = 5;
    settings.loops = 1;
    struct aside aside;
    int fds[5];
    struct answer a;
    begin_aside(&aside, &settings);
    for (int i = 0; i < 5; ++i) {
        fds[i] = dial_plain();
        say(fds[i], "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        hear(fds[i], &a, false);
        assert_answer(&a, 200, NULL);
        forget(&a);
    }
    int late = dial_plain(); /* waits in the kernel's queue until one of the idle ones has to go */
    int64_t begun_ms = clock_mono_ms();
    say(late, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    close(fds[0]);
    hear(late, &a, false);
    assert_answer(&a, 200, NULL);
    assert_true(clock_mono_ms() - begun_ms > 5);
    forget(&a);
    for (int i = 1; i < 5; ++i)
        close(fds[i]);
    close(late);
    end_aside(&aside);
}

/* One handshake; the certificate's common name, "" if it failed. alpn: NULL: none offered. */
static void shake_hands(const char *alpn, size_t alpn_len, char name[64], struct answer *a)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int fd = dial(http_port(W->http, 1));
    name[0] = '\0';
    if (alpn != NULL)
        SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)alpn, (unsigned)alpn_len);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) == 1) {
        static const char REQUEST[] = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
        X509 *cert = SSL_get1_peer_certificate(ssl);
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, 64);
        X509_free(cert);
        SSL_write(ssl, REQUEST, (int)strlen(REQUEST));
        int n = SSL_read(ssl, a->head, sizeof a->head - 1);
        a->status = n > 12 ? atoi(a->head + 9) : 0;
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
}

static void tls_is_spoken(void **state)
{
    static const struct {
        const char *alpn;
        size_t len;
        const char *name;
    } CASES[] = {
        {NULL, 0, "first"}, {"\x08http/1.1", 9, "first"}, {"\x02h2\x08http/1.1", 12, "first"}, {"\x02h2", 3, ""}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char name[64];
        struct answer a = {0};
        shake_hands(CASES[i].alpn, CASES[i].len, name, &a);
        assert_string_equal(name, CASES[i].name);
        assert_int_equal(a.status, CASES[i].name[0] != '\0' ? 200 : 0);
    }
}

/* What libh2o hands over is what TLS has decoded; of a refused one it is thrown away undecoded. */
static void large_bodies_come_over_tls(void **state)
{
    static const struct {
        const char *token, *status;
    } CASES[] = {{"token-active", "HTTP/1.1 200 "}, {"wrong", "HTTP/1.1 401 "}};
    char *body = xcalloc(1, RAW_MAX), head[256], answer[16] = "";
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        int fd = dial(http_port(W->http, 1));
        SSL *ssl = SSL_new(ctx);
        SSL_set_fd(ssl, fd);
        assert_int_equal(SSL_connect(ssl), 1);
        int len = snprintf(head, sizeof head,
                           "PUT /raw/who HTTP/1.1\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n",
                           CASES[i].token, RAW_MAX);
        assert_int_equal(SSL_write(ssl, head, len), len);
        assert_int_equal(SSL_write(ssl, body, RAW_MAX), RAW_MAX);
        assert_true(SSL_read(ssl, answer, 13) == 13);
        assert_memory_equal(answer, CASES[i].status, 13);
        SSL_free(ssl);
        SSL_CTX_free(ctx);
        close(fd);
    }
    free(body);
    wait_until_quiet();
}

/* What TLS says to itself is no news of a client whose request is held; its end is. */
static void polls_wait_over_tls(void **state)
{
    char request[160], answer[1024];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int fd = dial(http_port(W->http, 1));
    SSL *ssl = SSL_new(ctx);
    know_the_token();
    SSL_set_fd(ssl, fd);
    assert_int_equal(SSL_connect(ssl), 1);
    for (int i = 0; i < 3; ++i) {
        int len =
            snprintf(request, sizeof request,
                     "GET /news?since=%lld HTTP/1.1\r\nAuthorization: Bearer token-active\r\n\r\n", (long long)W->pos);
        assert_int_equal(SSL_write(ssl, request, len), len);
        wait_for_gauge("parta_http_parked", 1);
        if (i == 2)
            break;
        assert_int_equal(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(ssl), 1);
        struct answer a = ask("GET", "/health", NULL, NULL); /* by then it has been read */
        assert_answer(&a, 200, NULL);
        forget(&a);
        assert_int_equal(gauge_of("parta_http_parked"), 1);
        change(ACTIVE);
        size_t len_read = 0;
        for (answer[0] = '\0'; strchr(answer, '}') == NULL; answer[len_read] = '\0') {
            int n = SSL_read(ssl, answer + len_read, (int)(sizeof answer - 1 - len_read));
            assert_true(n > 0);
            len_read += (size_t)n;
        }
        assert_non_null(strstr(answer, "\"by\":\"loop\""));
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    wait_for_gauge("parta_http_parked", 0);
}

static void certificates_are_read_again(void **state)
{
    char name[64];
    struct answer a = {0};
    int early = dial(http_port(W->http, 1)); /* accepted with the old certificate, but has not said a word yet */
    wait_for_gauge("parta_http_connections", 2);
    write_certificate(W, "second");
    assert_true(http_reload(W->http));
    *name = '\0';
    for (int i = 0; i < 500 && strcmp(name, "second") != 0; ++i) { /* each loop takes it in its turn */
        usleep(10000);
        shake_hands(NULL, 0, name, &a);
    }
    assert_string_equal(name, "second");
    say(early, "\x16\x03\x01"); /* libh2o makes its SSL now, of a context that nothing else holds any more */
    usleep(20000);
    close(early);
    FILE *file = fopen(W->cert, "w"); /* a broken file changes nothing */
    fclose(file);
    log_set_level(LOG_ERROR - 1);
    assert_false(http_reload(W->http));
    log_set_level(LOG_ERROR);
    shake_hands(NULL, 0, name, &a);
    assert_string_equal(name, "second");
    write_certificate(W, "first");
    assert_true(http_reload(W->http));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(half_a_request_hurts_nobody),
        cmocka_unit_test(slow_ones_are_cut_off),
        cmocka_unit_test(a_connection_in_use_is_not_idle),
        cmocka_unit_test(a_reader_that_stands_still_is_cut_off),
        cmocka_unit_test(a_reader_that_trickles_is_cut_off),
        cmocka_unit_test(an_address_has_a_share_of_the_connections),
        cmocka_unit_test(a_person_has_so_many_connections),
        cmocka_unit_test(the_metrics_listener_has_places_of_its_own),
        cmocka_unit_test(tls_is_spoken),
        cmocka_unit_test(polls_wait_over_tls),
        cmocka_unit_test(large_bodies_come_over_tls),
        cmocka_unit_test(certificates_are_read_again),
        cmocka_unit_test(connections_are_capped),
    };
    return cmocka_run_group_tests(tests, http_world_start, http_world_stop);
}
