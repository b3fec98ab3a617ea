/* Parked requests by user and by time, without a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/text.h"
#include "homeserver/http/long_poll.h"
#include "homeserver/sync/hub.h"

#define REQUESTS 500

struct bench {
    struct long_polls polls;
    struct request_context requests[REQUESTS];
    int visits[REQUESTS];
    bool remove;
};

static int make(void **state)
{
    struct bench *b = xcalloc(1, sizeof *b);
    long_polls_init(&b->polls, 1000);
    b->remove = true;
    *state = b;
    return 0;
}

static int unmake(void **state)
{
    struct bench *b = *state;
    long_poll_each(&b->polls, (long_poll_visit *)long_poll_remove, &b->polls);
    assert_int_equal(b->polls.n, 0);
    long_polls_finish(&b->polls);
    free(b);
    return 0;
}

static void park(struct bench *b, int i, user_no user, int64_t deadline_ms, int64_t now_ms)
{
    b->requests[i].r.poll.user = user;
    b->requests[i].r.poll.deadline_ms = deadline_ms;
    long_poll_add(&b->polls, &b->requests[i], now_ms);
}

static void visit(void *self, struct request_context *request)
{
    struct bench *b = self;
    ++b->visits[request - b->requests];
    if (b->remove)
        long_poll_remove(&b->polls, request);
}

/* Only requests that are parked are asked for ahead. */
static void soon(void *self, struct request_context *request)
{
    struct bench *b = self;
    assert_in_range(request - b->requests, 0, REQUESTS - 1);
    assert_true(request->r.poll.user != 0);
}

static int total(const struct bench *b)
{
    int n = 0;
    for (int i = 0; i < REQUESTS; ++i)
        n += b->visits[i];
    return n;
}

static void time_passes(void **state)
{
    static const int64_t DEADLINES_MS[] = {500 /* past */, 1000, 1001, 1100, 5000, 103000, 110000, 300000, 103500};
    struct bench *b = *state;
    const int n = sizeof DEADLINES_MS / sizeof *DEADLINES_MS;
    for (int i = 0; i < n; ++i)
        park(b, i, i % 2 + 1, DEADLINES_MS[i], 1000);
    for (int64_t now_ms = 1000; now_ms <= 300200; now_ms += 100) {
        long_poll_expire(&b->polls, now_ms, visit, b);
        for (int i = 0; i < n; ++i)
            assert_int_equal(b->visits[i], DEADLINES_MS[i] <= now_ms); /* never early, at most one turn late, once */
    }
    assert_int_equal(b->polls.n, 0);
}

static void a_late_look_misses_nobody(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < REQUESTS; ++i)
        park(b, i, 1 + i % 7, 1000 + i * 400, 1000);
    long_poll_expire(&b->polls, 1000 + 100 * 400, visit, b);
    assert_int_equal(total(b), 101);
    long_poll_expire(&b->polls, 1000 + 10000 * 400, visit, b); /* many turns of the wheel at once */
    assert_int_equal(total(b), REQUESTS);
}

static void an_empty_lot_needs_no_clock(void **state)
{
    struct bench *b = *state;
    park(b, 0, 1, 5000000 + 250, 5000000); /* long after the last look */
    long_poll_expire(&b->polls, 5000200, visit, b);
    assert_int_equal(total(b), 0);
    long_poll_expire(&b->polls, 5000300, visit, b);
    assert_int_equal(total(b), 1);
}

/* A wake for fewer users than are parked, and for more: both ways of walking visit the same calls. */
static void wakes_find_their_users(void **state)
{
    struct bench *b = *state;
    user_no few[] = {3, 5, 1000}, many[200];
    for (int i = 0; i < 200; ++i)
        many[i] = i * 2 + 1;
    for (int i = 0; i < 20; ++i)
        park(b, i, 1 + i % 10, 100000, 1000); /* two calls of each of ten users */
    struct wake wake = {.n_users = 3, .users = few};
    b->remove = false;
    long_poll_wake(&b->polls, &wake, visit, soon, b);
    for (int i = 0; i < 20; ++i)
        assert_int_equal(b->visits[i], i % 10 + 1 == 3 || i % 10 + 1 == 5);
    b->remove = true;
    wake = (struct wake){.n_users = 200, .users = many};
    memset(b->visits, 0, sizeof b->visits);
    long_poll_wake(&b->polls, &wake, visit, soon, b);
    for (int i = 0; i < 20; ++i)
        assert_int_equal(b->visits[i], (i % 10 + 1) % 2);
    assert_int_equal(b->polls.n, 10);
}

static void users_without_calls_are_forgotten(void **state)
{
    struct bench *b = *state;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < REQUESTS; ++i)
            park(b, i, i + 1, 2000 + i, 1000);
        for (int i = REQUESTS - 1; i >= 0; --i)
            long_poll_remove(&b->polls, &b->requests[i]);
        assert_int_equal(b->polls.n, 0);
        long_poll_expire(&b->polls, 10000, visit, b);
        long_poll_wake(&b->polls, &(struct wake){.n_users = 1, .users = &(user_no){1}}, visit, soon, b);
        assert_int_equal(total(b), 0);
    }
}

/* While the table of users grows, nobody is lost, and those whose numbers share a chain stay apart. */
static void users_share_chains(void **state)
{
    struct bench *b = *state;
    user_no one[] = {1 + 7 * 1024};
    for (int i = 0; i < REQUESTS; ++i)
        park(b, i, 1 + (user_no)i * 1024, 100000, 1000);
    long_poll_wake(&b->polls, &(struct wake){.n_users = 1, .users = one}, visit, soon, b);
    assert_int_equal(b->visits[7], 1);
    assert_int_equal(total(b), 1);
    assert_int_equal(b->polls.n, REQUESTS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(time_passes, make, unmake),
        cmocka_unit_test_setup_teardown(a_late_look_misses_nobody, make, unmake),
        cmocka_unit_test_setup_teardown(an_empty_lot_needs_no_clock, make, unmake),
        cmocka_unit_test_setup_teardown(wakes_find_their_users, make, unmake),
        cmocka_unit_test_setup_teardown(users_without_calls_are_forgotten, make, unmake),
        cmocka_unit_test_setup_teardown(users_share_chains, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
