/* The bridge's own listener: what it takes, what it refuses before it is allocated, and what bounds whoever asks. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "appservice/diary/listener.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/thread.h"

#define BODY_MAX 1000
#define BIG (4u << 20)
#define TOKEN "the-token-of-the-test"

struct fixture {
    struct listener *listener;
    _Atomic(struct exchange *) waits; /* what /later has handed on */
    _Atomic int handled;
};

static void echo(void *self, struct exchange *x)
{
    struct fixture *f = self;
    size_t len;
    const char *body = exchange_body(x, &len), *q = exchange_query(x, "q");
    struct text out = TEXT_INIT;
    ++f->handled;
    text_addf(&out, "%s|%s|%s|", exchange_rest(x), exchange_header(x, "X-Word"), q != NULL ? q : "-");
    text_add(&out, body, len);
    exchange_reply(x, exchange_bears(x, TOKEN) ? 200 : 401, "text/plain", out.data, out.len);
    text_finish(&out);
}

static void later(void *self, struct exchange *x)
{
    struct fixture *f = self;
    f->waits = x;
}

static const struct listener_route ROUTES[] = {
    {"GET", "/later", 0, later},
    {"PUT", "/below/", BODY_MAX, echo},
    {"POST", "/big", BIG, echo},
    {"GET", "/whole", 0, echo},
};

static void start(struct fixture *f, int request_ms)
{
    struct text problem = TEXT_INIT;
    *f = (struct fixture){0};
    f->listener = listener_start(&(struct listener_options){.address = "127.0.0.1",
                                                            .request_ms = request_ms,
                                                            .routes = ROUTES,
                                                            .n_routes = sizeof ROUTES / sizeof *ROUTES,
                                                            .self = f},
                                 &problem);
    assert_non_null(f->listener);
}

static int dial(const struct fixture *f)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)listener_port(f->listener))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void put(int fd, const char *bytes)
{
    assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

/* What comes until the other side closes. */
static char *rest_of(int fd)
{
    struct text got = TEXT_INIT;
    char bytes[4096];
    for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) > 0;)
        text_add(&got, bytes, (size_t)n);
    close(fd);
    return text_take(&got);
}

static char *ask(const struct fixture *f, const char *request)
{
    int fd = dial(f);
    put(fd, request);
    return rest_of(fd);
}

#define BEARER "Authorization: Bearer " TOKEN "\r\n"
#define HOST "Host: x\r\nConnection: close\r\n"

static void requests_are_taken_or_refused_by_their_heads(void **state)
{
    static const struct {
        const char *request, *status, *ends;
    } CASES[] = {
        {"GET /whole HTTP/1.1\r\n" HOST BEARER "X-Word: a b\r\n\r\n", "200", "|a b|-|"},
        {"GET /whole?q=%41 HTTP/1.1\r\n" HOST BEARER "\r\n", "200", "||A|"},
        {"GET /whole HTTP/1.1\r\n" HOST "\r\n", "401", "||-|"},
        {"GET /whole HTTP/1.1\r\n" HOST "Authorization: " TOKEN "\r\n\r\n", "401", "||-|"},
        {"GET /whole HTTP/1.1\r\n" HOST "Authorization: Bearer " TOKEN "x\r\n\r\n", "401", "||-|"},
        {"GET /whole HTTP/1.1\r\n" HOST "Authorization: Bearer \r\n\r\n", "401", "||-|"},
        {"PUT /below/a%20b HTTP/1.1\r\n" HOST BEARER "Content-Length: 4\r\n\r\nbody", "200", "a b||-|body"},
        {"PUT /below/ HTTP/1.1\r\n" HOST BEARER "Content-Length: 4\r\n\r\nbody", "404", NULL},
        {"GET /below/a HTTP/1.1\r\n" HOST BEARER "\r\n", "404", NULL},
        {"GET /wholes HTTP/1.1\r\n" HOST BEARER "\r\n", "404", NULL},
        {"GET /whole/ HTTP/1.1\r\n" HOST BEARER "\r\n", "404", NULL},
        {"GET /whole HTTP/1.1\r\n" HOST BEARER "Content-Length: 1\r\n\r\nx", "413", NULL},
        {"PUT /below/a HTTP/1.1\r\n" HOST BEARER "Content-Length: 1001\r\n\r\n", "413", NULL},
        {"PUT /below/a HTTP/1.1\r\n" HOST BEARER "Content-Length: 99999999999999999999\r\n\r\n", "4", NULL},
        {"PUT /below/a HTTP/1.1\r\n" HOST BEARER "Content-Length: -1\r\n\r\n", "400", NULL},
        {"PUT /below/a HTTP/1.1\r\n" HOST BEARER "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "411", NULL},
        {"GET /whole HTTP/1.1\r\nConnection: close\r\n\r\n", "400", NULL}, /* no Host */
        {"nonsense\r\n\r\n", "", NULL},
    };
    struct fixture f;
    start(&f, LISTENER_REQUEST_MS);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char *got = ask(&f, CASES[i].request);
        const char *status = strlen(got) > 9 ? got + 9 : got;
        const char *ends = CASES[i].ends;
        size_t len = strlen(got), n = ends != NULL ? strlen(ends) : 0;
        if (strncmp(status, CASES[i].status, strlen(CASES[i].status)) != 0 ||
            (ends != NULL && (len < n || strcmp(got + len - n, ends) != 0)))
            fail_msg("%s\n%s", CASES[i].request, got);
        if (strncmp(status, "401", 3) == 0)
            assert_non_null(strstr(got, "WWW-Authenticate: Bearer"));
        free(got);
    }
    assert_int_equal(f.handled, 7); /* what was refused by its head came to no handler */
    listener_stop(f.listener);
}

static void a_head_that_never_ends_is_cut(void **state)
{
    struct fixture f;
    start(&f, LISTENER_REQUEST_MS);
    int fd = dial(&f);
    put(fd, "GET /whole HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 4096; ++i)
        if (send(fd, "X-Padding: 0123456789\r\n", 23, MSG_NOSIGNAL) != 23)
            break;
    shutdown(fd, SHUT_WR);
    char *got = rest_of(fd);
    assert_true(*got == '\0' || strncmp(got + 9, "431", 3) == 0 || strncmp(got + 9, "413", 3) == 0);
    assert_int_equal(f.handled, 0);
    free(got);
    listener_stop(f.listener);
}

static void a_trickle_is_ended_in_time(void **state)
{
    static const char *const BEGINNINGS[] = {"", "GET /whole HTTP/1.1\r\n",
                                             "PUT /below/a HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n"};
    struct fixture f;
    start(&f, 300);
    for (size_t i = 0; i < sizeof BEGINNINGS / sizeof *BEGINNINGS; ++i) {
        int fd = dial(&f);
        char got[64];
        put(fd, BEGINNINGS[i]);
        for (int n = 0;; ++n) { /* a byte at a time: it is never idle for long */
            assert_true(n < 3000);
            struct pollfd at = {.fd = fd, .events = POLLIN};
            if (poll(&at, 1, 20) == 1 && recv(fd, got, sizeof got, 0) <= 0)
                break;
            if (send(fd, "X", 1, MSG_NOSIGNAL) != 1)
                break;
        }
        close(fd);
    }
    assert_int_equal(f.handled, 0);
    listener_stop(f.listener);
}

static void one_address_has_its_share_of_connections(void **state)
{
    struct fixture f;
    int held[LISTENER_CONNECTIONS_EACH_MAX];
    char byte;
    start(&f, LISTENER_REQUEST_MS);
    for (size_t i = 0; i < sizeof held / sizeof *held; ++i)
        held[i] = dial(&f);
    int more = dial(&f);
    assert_true(recv(more, &byte, 1, 0) <= 0);
    close(more);
    put(held[3], "GET /whole HTTP/1.1\r\n" HOST BEARER "\r\n"); /* who is in is served */
    char *got = rest_of(held[3]);
    assert_non_null(strstr(got, "HTTP/1.1 200"));
    free(got);
    for (size_t i = 0; i < sizeof held / sizeof *held; ++i)
        if (i != 3)
            close(held[i]);
    listener_stop(f.listener);
}

static void bodies_are_bounded_together(void **state)
{
    struct fixture f;
    struct text head = TEXT_INIT;
    int held[LISTENER_BODIES_BYTES_MAX / BIG];
    start(&f, LISTENER_REQUEST_MS);
    text_addf(&head, "POST /big HTTP/1.1\r\n" HOST BEARER "Content-Length: %u\r\n\r\n", BIG);
    for (size_t i = 0; i < sizeof held / sizeof *held; ++i) {
        held[i] = dial(&f);
        put(held[i], head.data);
    }
    char *got;
    for (int n = 0;; ++n) { /* the listener takes them as they come */
        int fd = dial(&f);
        put(fd, head.data);
        struct pollfd at = {.fd = fd, .events = POLLIN};
        bool answered = poll(&at, 1, 100) == 1;
        got = answered ? rest_of(fd) : NULL;
        if (answered)
            break;
        close(fd);
        assert_true(n < 300);
    }
    assert_non_null(strstr(got, "HTTP/1.1 503"));
    assert_non_null(strstr(got, "Retry-After: 30"));
    free(got);
    for (size_t i = 0; i < sizeof held / sizeof *held; ++i)
        close(held[i]);
    char *body = xcalloc(1, BIG + 1);
    memset(body, 'x', BIG);
    for (int n = 0;; ++n) { /* those that went have given back theirs */
        int fd = dial(&f);
        put(fd, head.data);
        for (size_t at = 0; at < BIG;) {
            ssize_t sent = send(fd, body + at, BIG - at, MSG_NOSIGNAL);
            if (sent <= 0)
                break;
            at += (size_t)sent;
        }
        got = rest_of(fd);
        bool taken = strstr(got, "HTTP/1.1 200") != NULL;
        free(got);
        if (taken)
            break;
        assert_true(n < 3000);
    }
    free(body);
    text_finish(&head);
    listener_stop(f.listener);
}

static void *answer_late(void *arg)
{
    struct fixture *f = arg;
    struct exchange *x;
    while ((x = f->waits) == NULL)
        poll(NULL, 0, 1);
    f->waits = NULL;
    exchange_reply_json(x, 200, "{\"late\":true}");
    return NULL;
}

static void another_thread_may_answer_and_others_do_not_wait(void **state)
{
    struct fixture f;
    pthread_t thread;
    start(&f, 200);
    for (int i = 0; i < 50; ++i) { /* before it was suspended, and after */
        int fd = dial(&f);
        put(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
        if (i == 0) {
            char *other = ask(&f, "GET /whole HTTP/1.1\r\n" HOST BEARER "\r\n");
            assert_non_null(strstr(other, "HTTP/1.1 200"));
            free(other);
            poll(NULL, 0, 500); /* longer than a request may take: who waits for a handler is not cut */
        }
        assert_true(thread_start(&thread, "late", 0, answer_late, &f));
        char *got = rest_of(fd);
        assert_non_null(strstr(got, "{\"late\":true}"));
        free(got);
        pthread_join(thread, NULL);
    }
    listener_stop(f.listener);
}

static void it_stops_with_exchanges_that_wait(void **state)
{
    struct fixture f;
    start(&f, LISTENER_REQUEST_MS);
    int fd = dial(&f);
    put(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    while (f.waits == NULL)
        poll(NULL, 0, 1);
    listener_stop(f.listener);
    char *got = rest_of(fd);
    assert_string_equal(got, "");
    free(got);
}

static void where_nothing_can_listen_it_says_so(void **state)
{
    struct fixture f;
    start(&f, LISTENER_REQUEST_MS);
    const struct {
        const char *address;
        int port;
    } CASES[] = {{"127.0.0.1", listener_port(f.listener)}, {"nowhere", 0}, {"192.0.2.1", 0}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct text problem = TEXT_INIT;
        assert_null(listener_start(
            &(struct listener_options){
                .address = CASES[i].address, .port = CASES[i].port, .request_ms = 100, .routes = ROUTES},
            &problem));
        assert_non_null(strstr(problem.data, CASES[i].address));
        text_finish(&problem);
    }
    listener_stop(f.listener);
    listener_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_taken_or_refused_by_their_heads),
        cmocka_unit_test(a_head_that_never_ends_is_cut),
        cmocka_unit_test(a_trickle_is_ended_in_time),
        cmocka_unit_test(one_address_has_its_share_of_connections),
        cmocka_unit_test(bodies_are_bounded_together),
        cmocka_unit_test(another_thread_may_answer_and_others_do_not_wait),
        cmocka_unit_test(it_stops_with_exchanges_that_wait),
        cmocka_unit_test(where_nothing_can_listen_it_says_so),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
