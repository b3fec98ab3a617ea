/* Nobody takes what belongs to all: workers, polls, replies that nobody reads. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/accounts/sessions.h"
#include "homeserver/base/clock.h"
#include "homeserver/http/http.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/tokens.h"
#include "homeserver/sync/hub.h"
#include "tests/unit/http_world.h"

static void wait_for(_Atomic int *what, int wanted)
{
    for (int i = 0; *what != wanted && i < 30000; ++i)
        usleep(1000);
    assert_int_equal(*what, wanted);
}

/* No job is counted as running any more. */
static void wait_until_idle(void)
{
    static const char THREADS[] = "parta_pool{pool=\"workers\",what=\"threads\"}";
    wait_for_gauge("parta_pool{pool=\"workers\",what=\"idle\"}", gauge_of(THREADS));
}

/* One person asks for all that there is: four requests run, sixty-four wait, the others are told when to come back. All
 * the time others are served, and in the end everybody who was not refused has their answer. */
static void one_person_takes_what_is_theirs(void **state)
{
    enum { MANY = 80, RUN = 4, WAIT = 64 };
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[MANY], served = 0, refused = 0;
    settings.workers = 8;
    begin_aside(&aside, &settings);
    let_go = 0;
    a = ask("GET", "/who", "token-active", NULL); /* known from here on */
    forget(&a);
    wait_until_idle();
    for (int i = 0; i < MANY; ++i) {
        fds[i] = dial_plain();
        say_get(fds[i], "/held", "token-active");
    }
    wait_for(&held, RUN);
    for (int i = 0; i < 5; ++i) {
        a = ask("GET", "/who", "token-admin", NULL);
        assert_answer(&a, 200, NULL);
        forget(&a);
        a = ask("GET", "/maybe", NULL, NULL);
        assert_answer(&a, 200, NULL);
        forget(&a);
        assert_int_equal(held, RUN);
    }
    wait_for_gauge("parta_pool{pool=\"workers\",what=\"queued\"}", WAIT);
    let_go = 1;
    for (int i = 0; i < MANY; ++i) {
        hear(fds[i], &a, false);
        assert_answer(&a, a.status == 200 ? 200 : 429, a.status == 200 ? NULL : "M_LIMIT_EXCEEDED");
        ++*(a.status == 200 ? &served : &refused);
        forget(&a);
        close(fds[i]);
    }
    assert_int_equal(served, RUN + WAIT);
    assert_int_equal(refused, MANY - RUN - WAIT);
    wait_for_gauge("parta_http_principals", 0); /* nobody is left behind */
    end_aside(&aside);
}

/* What costs runs once a person; and those who have not said who they are take half of the workers at most. */
static void what_costs_runs_alone(void **state)
{
    enum { MANY = 6 };
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[2 * MANY];
    begin_aside(&aside, &settings); /* four workers */
    let_go = 0;
    a = ask("GET", "/who", "token-active", NULL);
    forget(&a);
    for (int i = 0; i < MANY; ++i) {
        fds[i] = dial_plain();
        say_get(fds[i], "/held/costs", "token-active");
        fds[MANY + i] = dial_plain();
        say_get(fds[MANY + i], "/held/nobody", "none");
    }
    wait_for(&held, 1 + 2);
    a = ask("GET", "/who", "token-active", NULL); /* what costs nothing does not wait for it */
    assert_answer(&a, 200, NULL);
    forget(&a);
    assert_int_equal(held, 1 + 2);
    let_go = 1;
    for (int i = 0; i < 2 * MANY; ++i) {
        hear(fds[i], &a, false);
        assert_answer(&a, 200, NULL);
        forget(&a);
        close(fds[i]);
    }
    end_aside(&aside);
}

static int say_news(const char *token)
{
    int fd = dial_plain();
    say(fd, "GET /news?since=%lld HTTP/1.1\r\nAuthorization: Bearer %s\r\n\r\n", (long long)W->pos, token);
    return fd;
}

static void expect_expired(int fd)
{
    struct answer a;
    hear(fd, &a, false);
    assert_answer(&a, 200, NULL);
    assert_true(json_is_true(json_object_get(a.json, "expired")));
    forget(&a);
}

/* A newer poll of a device has the oldest answered, and never one that has just come; beyond that polls are refused, of
 * this device and of nobody else. */
static void polls_of_a_device_are_bounded(void **state)
{
    enum { FEW = 4, MOST = 16, MANY = 60 };
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[MANY], n = 0, refused = 0;
    settings.loops = 1;
    settings.idle_ms = 60000;
    begin_aside(&aside, &settings);
    hub_concern(aside.server.hub, CHANGE_ACCOUNT_DATA, HUB_USER);
    for (; n < FEW; ++n) {
        fds[n] = say_news("token-active");
        wait_for_gauge("parta_http_parked", (size_t)n + 1);
    }
    int64_t begun_ms = clock_mono_ms();
    while (clock_mono_ms() < begun_ms + 1100)
        usleep(10000);
    for (; n < 2 * FEW; ++n) {
        fds[n] = say_news("token-active");
        expect_expired(fds[n - FEW]);
        wait_for_gauge("parta_http_parked", FEW);
    }
    for (; n < MANY; ++n) /* faster than they grow old */
        fds[n] = say_news("token-active");
    int fd = say_news("token-admin");
    a = ask("GET", "/who", "token-active", NULL);
    assert_answer(&a, 200, NULL);
    forget(&a);
    assert_in_range(gauge_of("parta_http_parked"), FEW, MOST + 1);
    change(ACTIVE); /* what comes after it is answered at once */
    for (int i = FEW; i < MANY; ++i) {
        hear(fds[i], &a, false);
        refused += a.status == 429;
        assert_answer(&a, a.status == 429 ? 429 : 200, a.status == 429 ? "M_LIMIT_EXCEEDED" : NULL);
        forget(&a);
    }
    assert_in_range(refused, 1, MANY - FEW - FEW);
    wait_for_gauge("parta_http_parked", 1);
    close(fd);
    for (int i = 0; i < MANY; ++i)
        close(fds[i]);
    end_aside(&aside);
}

static int say_big(const char *token)
{
    int fd = dial_plain(), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say_get(fd, "/big/who?more", token);
    return fd;
}

/* Who does not read what they were told is told no more; others are, and small writes go on. */
static void replies_that_nobody_reads_are_bounded(void **state)
{
    enum { MANY = 20 };
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[MANY];
    settings.unread_max = 80u << 20; /* of one: ten MiB */
    settings.idle_ms = 60000;
    begin_aside(&aside, &settings);
    a = ask("GET", "/who", "token-active", NULL);
    forget(&a);
    fds[0] = say_big("token-active");
    wait_for_gauge("parta_http_unread_bytes", 20000002);
    for (int i = 1; i < MANY; ++i) {
        fds[i] = say_big("token-active");
        hear(fds[i], &a, false);
        assert_answer(&a, 429, "M_LIMIT_EXCEEDED");
        forget(&a);
    }
    assert_int_equal(gauge_of("parta_http_unread_bytes"), 20000002);
    a = ask("GET", "/big/who", "token-admin", NULL);
    assert_answer(&a, 200, NULL);
    forget(&a);
    a = ask("POST", "/written", "token-active", "{}");
    assert_answer(&a, 200, NULL);
    forget(&a);
    close(fds[0]);
    wait_for_gauge("parta_http_unread_bytes", 0);
    a = ask("GET", "/big/who", "token-active", NULL);
    assert_answer(&a, 200, NULL);
    forget(&a);
    for (int i = 1; i < MANY; ++i)
        close(fds[i]);
    end_aside(&aside);
}

static size_t say_all_news(int fds[], size_t n, const char *query)
{
    for (size_t i = 0; i < n; ++i) {
        int small = 4096;
        fds[i] = dial_plain();
        setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        say(fds[i], "GET /news?big&more&since=%lld%s HTTP/1.1\r\nAuthorization: Bearer token-active\r\n\r\n",
            (long long)W->pos, query);
        wait_for_gauge("parta_http_parked", i + 1);
    }
    return n;
}

/* Nor is who had their polls held until there was news: one is told, the others hear that their time is up, and come
 * back to be told to read first. Both where the loop answers and where a worker does. */
static void woken_polls_that_nobody_reads_are_bounded(void **state)
{
    static const char *const QUERIES[] = {"", "&worker"};
    enum { MANY = 4, BYTES = 20000002 };
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[MANY];
    settings.unread_max = 80u << 20; /* of one: ten MiB */
    settings.idle_ms = 60000;
    settings.loops = settings.workers = 1;
    begin_aside(&aside, &settings);
    hub_concern(aside.server.hub, CHANGE_ACCOUNT_DATA, HUB_USER);
    a = ask("GET", "/who", "token-active", NULL);
    forget(&a);
    for (size_t q = 0; q < 2; ++q) {
        size_t n = say_all_news(fds, MANY, QUERIES[q]), told = 0, big = 0;
        change(ACTIVE);
        wait_for_gauge("parta_http_parked", 0);
        wait_for_gauge("parta_http_unread_bytes", BYTES);
        for (size_t i = 0; i < n; ++i) {
            char length[32];
            assert_true(hear_head(fds[i], &a));
            assert_int_equal(a.status, 200);
            assert_non_null(answer_header(&a, "content-length", length, sizeof length));
            told += atoi(length) < 100;
            big += atoi(length) == BYTES;
        }
        assert_int_equal(big, 1);
        assert_int_equal(told, MANY - 1);
        assert_int_equal(gauge_of("parta_http_unread_bytes"), BYTES);
        for (size_t i = 0; i < n; ++i)
            close(fds[i]);
        wait_for_gauge("parta_http_unread_bytes", 0);
    }
    end_aside(&aside);
}

/* Polls that are held, with much more said behind each (they have a body, or it would be seen: h2o_input_is_ahead): the
 * address keeps its share of that, and the other connections
 * are closed. */
static void what_is_said_ahead_is_bounded(void **state)
{
    enum { N = 8, AHEAD = 768 << 10, SHARE = 4 << 20 };
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    struct text ahead = TEXT_INIT;
    int fds[N], closed = 0;
    settings.loops = 1;
    settings.unread_max = 8 * (size_t)SHARE;
    settings.idle_ms = 60000;
    settings.n_trusted_proxies = 0;
    begin_aside(&aside, &settings);
    know_the_token();
    for (size_t n = 0; n < AHEAD; n = ahead.len)
        text_addf(&ahead,
                  "GET /news?since=%lld HTTP/1.1\r\nAuthorization: Bearer token-active\r\nContent-Length: 2\r\n\r\n{}",
                  (long long)W->pos);
    for (int i = 0; i < N; ++i) {
        fds[i] = dial_plain();
        assert_int_equal(send(fds[i], ahead.data, ahead.len, MSG_NOSIGNAL), ahead.len);
    }
    for (int turn = 0; (gauge_of("parta_http_unread_bytes") > SHARE || closed == 0) && turn < 30000; ++turn)
        for (int i = 0; i < N; ++i) {
            char bytes[4096];
            ssize_t n = 0;
            while (fds[i] >= 0 && (n = recv(fds[i], bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
                ;
            if (fds[i] < 0 || (n < 0 && errno == EAGAIN))
                continue;
            ++closed;
            close(fds[i]);
            fds[i] = -1;
        }
    assert_in_range(closed, 1, N - 1);
    assert_in_range(gauge_of("parta_http_unread_bytes"), 1, SHARE);
    a = ask("GET", "/who", "token-admin", NULL);
    assert_answer(&a, 200, NULL);
    forget(&a);
    for (int i = 0; i < N; ++i)
        if (fds[i] >= 0)
            close(fds[i]);
    text_finish(&ahead);
    wait_for_gauge("parta_http_unread_bytes", 0);
    end_aside(&aside);
}

/* Whoever is asked for who they are first is asked for in turn with others, and what they want is theirs afterwards. */
static void tokens_that_are_not_in_memory_are_looked_up_first(void **state)
{
    struct http_settings settings = settings_of(W);
    struct aside aside;
    struct answer a;
    int fds[12];
    settings.workers = 8;
    begin_aside(&aside, &settings);
    sessions_destroy(aside.server.sessions);
    aside.server.sessions = W->server.sessions = sessions_create("school.example", 100);
    let_go = 0;
    written = 0;
    for (int i = 1; i <= 2; ++i) { /* looked up, and then known */
        a = ask("POST", "/written", "token-admin", "{}");
        assert_answer(&a, 200, NULL);
        assert_int_equal(written, i);
        forget(&a);
    }
    for (int i = 0; i < 12; ++i) {
        fds[i] = dial_plain();
        say_get(fds[i], "/held", i % 2 == 0 ? "token-active" : "wrong");
    }
    wait_for(&held, 4);
    for (int i = 1; i < 12; i += 2) {
        hear(fds[i], &a, false);
        assert_answer(&a, 401, "M_UNKNOWN_TOKEN");
        forget(&a);
    }
    let_go = 1;
    for (int i = 0; i < 12; i += 2) {
        hear(fds[i], &a, false);
        assert_answer(&a, 200, NULL);
        forget(&a);
    }
    for (int i = 0; i < 12; ++i)
        close(fds[i]);
    end_aside(&aside);
}

static void too_many_requests_are_refused(void **state)
{
    char text[32];
    struct answer a;
    for (int i = 0; i < 2; ++i) {
        a = ask("GET", "/limited", "token-active", NULL);
        assert_answer(&a, 200, NULL);
        forget(&a);
    }
    a = ask("GET", "/limited", "token-active", NULL);
    assert_answer(&a, 429, "M_LIMIT_EXCEEDED");
    assert_in_range(number(&a, "retry_after_ms"), 1, 2001);
    assert_non_null(answer_header(&a, "retry-after", text, sizeof text));
    assert_in_range(atoi(text), 1, 3);
    forget(&a);
    a = ask("GET", "/limited", "token-admin", NULL); /* somebody else */
    assert_answer(&a, 200, NULL);
    forget(&a);
}

static void hashing_has_a_short_queue(void **state)
{
    struct answer a;
    int fds[6], refused = 0, served = 0;
    for (int i = 0; i < 6; ++i) {
        fds[i] = dial_plain();
        say(fds[i], "POST /hash HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    }
    for (int i = 0; i < 6; ++i) {
        hear(fds[i], &a, false);
        served += a.status == 200;
        refused += a.status == 429;
        forget(&a);
        close(fds[i]);
    }
    assert_int_equal(served + refused, 6);
    assert_in_range(served, 1, 3); /* one runs and one waits, if the first was taken before the second came */
    a = ask("GET", "/health", NULL, NULL);
    assert_answer(&a, 200, NULL);
    forget(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_person_takes_what_is_theirs),
        cmocka_unit_test(what_costs_runs_alone),
        cmocka_unit_test(polls_of_a_device_are_bounded),
        cmocka_unit_test(replies_that_nobody_reads_are_bounded),
        cmocka_unit_test(woken_polls_that_nobody_reads_are_bounded),
        cmocka_unit_test(what_is_said_ahead_is_bounded),
        cmocka_unit_test(tokens_that_are_not_in_memory_are_looked_up_first),
        cmocka_unit_test(too_many_requests_are_refused),
        cmocka_unit_test(hashing_has_a_short_queue),
    };
    return cmocka_run_group_tests(tests, http_world_start, http_world_stop);
}
