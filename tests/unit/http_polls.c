/* Requests that wait for news. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/accounts/sessions.h"
#include "homeserver/base/clock.h"
#include "homeserver/http/http.h"
#include "homeserver/http/server.h"
#include "homeserver/sync/hub.h"
#include "tests/unit/http_world.h"

static void a_poll_is_woken(void **state)
{
    static const struct {
        const char *path, *query, *by;
    } CASES[] = {{"/news", "", "loop"}, {"/news", "worker=1", "worker"}, {"/news2", "", "loop"}};
    know_the_token();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct answer a;
        int fd = poll_for_news(CASES[i].path, CASES[i].query, 1);
        change(ADMIN); /* not for us */
        stream_pos pos = change(ACTIVE);
        hear(fd, &a, false);
        assert_answer(&a, 200, NULL);
        assert_int_equal(number(&a, "pos"), pos);
        assert_string_equal(member(&a, "by"), CASES[i].by);
        forget(&a);
        /* the connection lives on, and what is new already is answered at once */
        say(fd, "GET /news?since=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-active\r\n\r\n");
        hear(fd, &a, false);
        assert_int_equal(number(&a, "pos"), pos);
        forget(&a);
        close(fd);
        wait_for_gauge("parta_http_parked", 0);
    }
}

static void no_change_falls_between(void **state)
{
    struct answer a;
    know_the_token();
    int fd = dial_plain();
    stream_pos pos = W->pos;
    say(fd, "GET /late?since=%lld HTTP/1.1\r\nAuthorization: Bearer token-active\r\n\r\n", (long long)pos);
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "pos"), pos + 1);
    forget(&a);
    close(fd);
}

static void many_polls_are_woken(void **state)
{
    enum { N = 60 }; /* of one person, and of no device */
    int fds[N];
    for (int i = 0; i < N; ++i) {
        fds[i] = dial_plain();
        say(fds[i], "GET /badge/news?since=%lld HTTP/1.1\r\nAuthorization: Bearer badge:active\r\n\r\n",
            (long long)W->pos);
        wait_for_gauge("parta_http_parked", (size_t)i + 1);
    }
    stream_pos pos = change(ACTIVE);
    for (int i = 0; i < N; ++i) {
        struct answer a;
        hear(fds[i], &a, false);
        assert_int_equal(number(&a, "pos"), pos);
        forget(&a);
        close(fds[i]);
    }
    wait_for_gauge("parta_http_parked", 0);
}

static void a_poll_expires(void **state)
{
    struct answer a;
    know_the_token();
    int64_t begun_ms = clock_mono_ms();
    int fd = dial_plain();
    say(fd, "GET /news?since=%lld&timeout=400 HTTP/1.1\r\nAuthorization: Bearer token-active\r\n\r\n",
        (long long)W->pos);
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_true(json_is_true(json_object_get(a.json, "expired")));
    assert_in_range(clock_mono_ms() - begun_ms, 390, 1500);
    forget(&a);
    say(fd, "GET /news?since=%lld&timeout=0 HTTP/1.1\r\nAuthorization: Bearer token-active\r\n\r\n", (long long)W->pos);
    hear(fd, &a, false);
    assert_true(json_is_true(json_object_get(a.json, "expired")));
    forget(&a);
    close(fd);
}

static void a_client_that_leaves_is_noticed(void **state)
{
    know_the_token();
    int before = released;
    int fd = poll_for_news("/news", "", 1);
    close(fd); /* FIN */
    wait_for_gauge("parta_http_parked", 0);
    struct linger reset = {.l_onoff = 1};
    fd = poll_for_news("/news", "", 1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd); /* RST */
    wait_for_gauge("parta_http_parked", 0);
    wait_for_gauge("parta_http_connections", 1); /* the one that asks */
    assert_int_equal(released, before + 2);
    change(ACTIVE); /* nobody is there */
    struct answer a = ask("GET", "/health", NULL, NULL);
    assert_answer(&a, 200, NULL);
    forget(&a);
}

/* It is no poll any more that keeps what it says waiting, and what was read of the poll has moved by then. */
static void a_client_with_more_to_say_is_heard(void **state)
{
    struct answer a;
    know_the_token();
    for (int i = 0; i < 3; ++i) {
        int fd = poll_for_news("/news", i == 0 ? "" : "x=a-longer-head-that-has-to-move", 1);
        say(fd, "GET /health HTTP/1.1\r\nHo");
        hear(fd, &a, false);
        assert_answer(&a, 200, NULL);
        assert_true(json_is_true(json_object_get(a.json, "expired")));
        forget(&a);
        say(fd, "st: x\r\n\r\nGET /news?since=%lld HTTP/1.1\r\nAuthorization: Bearer token-active\r\n\r\n",
            (long long)W->pos);
        hear(fd, &a, false);
        assert_string_equal(member(&a, "status"), "ok");
        forget(&a);
        wait_for_gauge("parta_http_parked", 1);
        stream_pos pos = change(ACTIVE);
        hear(fd, &a, false);
        assert_int_equal(number(&a, "pos"), pos);
        forget(&a);
        close(fd);
        wait_for_gauge("parta_http_parked", 0);
    }
}

/* Nor does one that came together with what its client says next. */
static void a_client_that_has_said_more_is_not_kept_waiting(void **state)
{
    struct answer a;
    know_the_token();
    int fd = dial_plain();
    say(fd,
        "GET /news?since=%lld HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-active\r\n\r\n"
        "GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
        (long long)W->pos);
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_true(json_is_true(json_object_get(a.json, "expired")));
    forget(&a);
    hear(fd, &a, false);
    assert_string_equal(member(&a, "status"), "ok");
    forget(&a);
    close(fd);
}

static void a_client_may_leave_during_a_handler(void **state)
{
    int before = slow_done;
    for (int i = 0; i < 4; ++i) {
        int fd = dial_plain(), running = slow_running;
        say(fd, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
        while (slow_running == running)
            usleep(1000);
        close(fd);
    }
    while (slow_done < before + 4)
        usleep(1000);
    wait_for_gauge("parta_http_connections", 1);
}

static void a_signed_out_poll_gets_nothing(void **state)
{
    struct answer a;
    know_the_token();
    int fd = poll_for_news("/news", "", 1);
    struct change gone = {.kind = CHANGE_SESSION, .user = W->users[ACTIVE]};
    sessions_observe(W->server.sessions, &gone, 1);
    change(ACTIVE);
    hear(fd, &a, false); /* the token is still good on disk here: the worker finds it and answers */
    assert_answer(&a, 200, NULL);
    assert_string_equal(member(&a, "by"), "worker");
    forget(&a);
    close(fd);
}

/* Somebody who asks before the server has begun to hear of changes, and a change in between. */
static struct {
    int port; /* 0: not now */
    int fd;
} early;

void real_hub_listen(struct sync_hub *hub, hub_listener *fn, void *self) __asm__("__real_hub_listen");
void late_hub_listen(struct sync_hub *hub, hub_listener *fn, void *self) __asm__("__wrap_hub_listen");

void late_hub_listen(struct sync_hub *hub, hub_listener *fn, void *self)
{
    enum { PAUSE_US = 300000 }; /* long enough for a loop that takes connections to hold the poll */
    if (early.port != 0) {
        hub_concern(hub, CHANGE_ACCOUNT_DATA, HUB_USER);
        early.fd = dial(early.port);
        early.port = 0;
        say(early.fd, "GET /news?since=%lld HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-active\r\n\r\n",
            (long long)W->pos);
        usleep(PAUSE_US);
        struct change c = {.kind = CHANGE_ACCOUNT_DATA, .pos = ++W->pos, .user = W->users[ACTIVE]};
        hub_observe(hub, &c, 1);
    }
    real_hub_listen(hub, fn, self);
}

/* Nobody else gets it while *kept is open: bound, and not listened at. Whoever sets SO_REUSEADDR
 * listens there all the same. */
static int hold_port(int *kept)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    *kept = fd;
    return ntohs(at.sin_port);
}

static void a_poll_right_after_the_start_misses_nothing(void **state)
{
    struct answer a;
    struct aside aside;
    struct http_settings settings = settings_of(W);
    int kept;
    const struct http_listen listen = {"127.0.0.1", hold_port(&kept), false};
    settings.listen = &listen;
    settings.n_listen = 1;
    settings.loops = 1;
    know_the_token();
    early.port = listen.port;
    begin_aside(&aside, &settings);
    hear(early.fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_int_equal(number(&a, "pos"), W->pos);
    forget(&a);
    close(early.fd);
    end_aside(&aside);
    close(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll_is_woken),
        cmocka_unit_test(a_client_with_more_to_say_is_heard),
        cmocka_unit_test(a_client_that_has_said_more_is_not_kept_waiting),
        cmocka_unit_test(no_change_falls_between),
        cmocka_unit_test(many_polls_are_woken),
        cmocka_unit_test(a_poll_expires),
        cmocka_unit_test(a_client_that_leaves_is_noticed),
        cmocka_unit_test(a_client_may_leave_during_a_handler),
        cmocka_unit_test(a_signed_out_poll_gets_nothing),
        cmocka_unit_test(a_poll_right_after_the_start_misses_nothing),
    };
    return cmocka_run_group_tests(tests, http_world_start, http_world_stop);
}
