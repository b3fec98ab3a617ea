/* Outgoing transfers against servers on this machine: what is tried again and when, what is refused, and that a dead
 * destination takes nothing from the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/metrics.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/outgoing/public_address.h"
#include "tests/unit/http_service.h"

/* What became of transfers; counters of all that share one. */
struct tally {
    _Atomic int done, delivered;
    _Atomic int fault;
    _Atomic long status;
};

static void on_done(void *arg, bool delivered, struct outgoing_reply *reply)
{
    struct tally *t = arg;
    t->fault = (int)reply->fault;
    t->status = reply->status;
    t->delivered += delivered;
    ++t->done;
}

static char *address(char out[64], int port)
{
    snprintf(out, 64, "http://127.0.0.1:%d/send", port);
    return out;
}

/* A request of the operator's to a port of this machine. */
static struct outgoing_request request_to(char url[64], int port, int64_t lifetime_ms)
{
    return (struct outgoing_request){.what = "test",
                                     .url = address(url, port),
                                     .network = OUTGOING_ANY,
                                     .deadline_ms = clock_mono_ms() + lifetime_ms,
                                     .backoff_ms = 20};
}

static bool post(struct outgoing *o, const struct outgoing_request *request, struct tally *tally)
{
    return outgoing_send(o, request, &(struct outgoing_handler){.done = on_done, .arg = tally});
}

static bool within(const _Atomic int *counter, int n, int64_t ms)
{
    for (int64_t end = clock_mono_ms() + ms; *counter < n && clock_mono_ms() < end;)
        usleep(1000);
    return *counter >= n;
}

/* A port on which nobody listens: connections are refused. It stays bound until the program ends, so
 * that nobody gets it. */
static int dead_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    return ntohs(a.sin_port);
}

static void a_request_goes_out_as_it_was_given(void **state)
{
    static const char *const HEADERS[] = {"Content-Type: application/json", "X-One: two"};
    char url[64];
    struct http_service *service = http_service_start();
    struct outgoing *o = outgoing_create(NULL);
    struct outgoing_request r = request_to(url, http_service_port(service), 10000);
    struct tally tally = {0};
    char body[] = "{\"a\": 1}";
    r.headers = HEADERS;
    r.n_headers = 2;
    r.method = "PUT";
    r.body = body;
    r.body_len = strlen(body);
    r.user = "me";
    r.password = "secret";
    assert_true(post(o, &r, &tally));
    memset(body, 'x', strlen(body)); /* it was copied */
    assert_true(within(&tally.done, 1, 60000));
    assert_int_equal(tally.delivered, 1);
    assert_int_equal(tally.status, 200);
    char *asked = http_service_request(service, 0);
    assert_int_equal(strncmp(asked, "PUT /send HTTP/1.1\r\n", 20), 0);
    assert_non_null(strstr(asked, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(asked, "\r\nX-One: two\r\n"));
    assert_non_null(strstr(asked, "\r\nAuthorization: Basic bWU6c2VjcmV0\r\n"));
    assert_non_null(strstr(asked, "\r\n\r\n{\"a\": 1}"));
    free(asked);
    outgoing_destroy(o);
    http_service_stop(service);
}

static void verdicts_are_the_usual_ones(void **state)
{
    static const struct {
        int status;
        int requests; /* of two at most */
        bool delivered;
    } CASES[] = {{200, 1, true},  {204, 1, true},  {302, 1, false}, {400, 1, false},
                 {404, 1, false}, {429, 2, false}, {500, 2, false}, {503, 2, false}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char url[64];
        struct http_service *service = http_service_start();
        struct outgoing *o = outgoing_create(NULL);
        struct outgoing_request r = request_to(url, http_service_port(service), 10000);
        struct tally tally = {0};
        r.attempts_max = 2;
        http_service_set(service, SERVICE_ANSWERS, CASES[i].status, "Location: http://127.0.0.1:1/elsewhere\r\n", "",
                         0);
        assert_true(post(o, &r, &tally));
        assert_true(within(&tally.done, 1, 60000));
        assert_int_equal(tally.delivered, CASES[i].delivered);
        assert_int_equal(tally.status, CASES[i].status); /* also of 302: nobody went elsewhere */
        assert_int_equal(http_service_requests(service), CASES[i].requests);
        outgoing_destroy(o);
        http_service_stop(service);
    }
}

/* Says "again" of what does not hold its word, "give up" of what is none. */
static enum outgoing_verdict judge_word(void *word, const struct outgoing_reply *reply)
{
    return reply->fault != OUTGOING_ANSWERED        ? OUTGOING_GIVE_UP
           : strstr(reply->body.data, word) != NULL ? OUTGOING_DONE
                                                    : OUTGOING_AGAIN;
}

static void the_judge_is_believed(void **state)
{
    char url[64];
    struct http_service *service = http_service_start();
    struct outgoing *o = outgoing_create(NULL);
    struct outgoing_request r = request_to(url, http_service_port(service), 10000);
    struct tally tally = {0};
    struct outgoing_handler handler = {judge_word, "yes", on_done, &tally};
    r.attempts_max = 3;
    http_service_set(service, SERVICE_ANSWERS, 500, "", "oh yes", 1);
    assert_true(outgoing_send(o, &r, &handler));
    assert_true(within(&tally.delivered, 1, 60000));
    http_service_set(service, SERVICE_ANSWERS, 200, "", "no", 1);
    assert_true(outgoing_send(o, &r, &handler));
    assert_true(within(&tally.done, 2, 60000));
    assert_int_equal(http_service_requests(service), 1 + 3);
    http_service_set(service, SERVICE_BREAKS, 200, "", "yes", 1000);
    assert_true(outgoing_send(o, &r, &handler));
    assert_true(within(&tally.done, 3, 60000));
    assert_int_equal(http_service_requests(service), 1 + 3 + 1);
    assert_int_equal(tally.delivered, 1);
    outgoing_destroy(o);
    http_service_stop(service);
}

static void it_tries_again_until_the_deadline(void **state)
{
    char url[64];
    struct outgoing *o = outgoing_create(NULL);
    struct outgoing_request r = request_to(url, dead_port(), 700);
    struct tally tally = {0};
    int64_t began = clock_mono_ms();
    r.backoff_ms = 200; /* at 0, about 200 … 250 and 600 … 750 ms */
    assert_true(post(o, &r, &tally));
    assert_true(within(&tally.done, 1, 60000));
    assert_int_equal(tally.delivered, 0);
    assert_int_equal(tally.fault, OUTGOING_UNREACHABLE);
    assert_true(clock_mono_ms() - began >= 200);
    assert_true(clock_mono_ms() - began < 30000);
    r.deadline_ms = clock_mono_ms() - 1; /* late already */
    assert_true(post(o, &r, &tally));
    assert_true(within(&tally.done, 2, 60000));
    assert_int_equal(tally.fault, OUTGOING_NOT_TRIED);
    outgoing_destroy(o);
}

static void retry_after_is_heard(void **state)
{
    char url[64];
    struct http_service *service = http_service_start();
    struct outgoing *o = outgoing_create(NULL);
    struct outgoing_request r = request_to(url, http_service_port(service), 10000);
    struct tally tally = {0};
    http_service_set(service, SERVICE_ANSWERS, 503, "Retry-After: 1\r\n", "", 0);
    int64_t began = clock_mono_ms();
    assert_true(post(o, &r, &tally));
    while (http_service_requests(service) == 0 && clock_mono_ms() - began < 60000)
        usleep(1000);
    http_service_set(service, SERVICE_ANSWERS, 200, "", "", 0);
    assert_true(within(&tally.done, 1, 60000));
    assert_int_equal(tally.delivered, 1);
    assert_int_equal(http_service_requests(service), 2);
    assert_true(clock_mono_ms() - began >= 1000); /* not after 20 ms */
    outgoing_destroy(o);
    http_service_stop(service);
}

/* Whoever is asked for peace keeps it as long as anybody may ask for, and no number is too large to be read. */
static void retry_after_is_bounded(void **state)
{
    static const struct {
        const char *header;
        int64_t low, high;
    } CASES[] = {
        {"Retry-After: 7\r\n", 7000, 7000},
        {"Retry-After: 0\r\n", 0, 0},
        {"Retry-After: 3601\r\n", RETRY_AFTER_MAX_MS, RETRY_AFTER_MAX_MS},
        {"Retry-After: 9223372036854775\r\n", RETRY_AFTER_MAX_MS, RETRY_AFTER_MAX_MS},
        {"Retry-After: 9223372036854775807\r\n", RETRY_AFTER_MAX_MS, RETRY_AFTER_MAX_MS},
        {"Retry-After: 99999999999999999999999999\r\n", RETRY_AFTER_MAX_MS, RETRY_AFTER_MAX_MS},
        {"Retry-After: Tue, 01 Sep 2020 06:00:05 GMT\r\n", 0, 0},
        {"Retry-After: Tue, 01 Sep 2099 06:00:05 GMT\r\n", RETRY_AFTER_MAX_MS, RETRY_AFTER_MAX_MS},
        {"Retry-After: -5\r\n", -1, 0},
        {"Retry-After: soon\r\n", -1, -1},
        {"", -1, -1},
    };
    char url[64];
    struct http_service *service = http_service_start();
    struct outgoing *o = outgoing_create(NULL);
    struct outgoing_request r = request_to(url, http_service_port(service), 10000);
    r.attempts_max = 1;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct outgoing_reply reply;
        http_service_set(service, SERVICE_ANSWERS, 503, CASES[i].header, "", 0);
        outgoing_call(o, &r, NULL, NULL, &reply);
        assert_int_equal(reply.status, 503);
        assert_true(reply.retry_after_ms >= CASES[i].low && reply.retry_after_ms <= CASES[i].high);
        outgoing_reply_finish(&reply);
    }
    outgoing_destroy(o);
    http_service_stop(service);
}

static void slow_broken_and_huge_answers_end(void **state)
{
    static const struct {
        enum service_mood mood;
        size_t times;
        enum outgoing_fault fault;
    } CASES[] = {{SERVICE_SILENT, 1, OUTGOING_UNREACHABLE},
                 {SERVICE_BREAKS, 1, OUTGOING_UNREACHABLE},    /* within the headers */
                 {SERVICE_BREAKS, 1000, OUTGOING_UNREACHABLE}, /* within the body */
                 {SERVICE_ANSWERS, 100000, OUTGOING_TOO_LARGE},
                 {SERVICE_ANSWERS, 1, OUTGOING_ANSWERED}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char url[64];
        struct http_service *service = http_service_start();
        struct outgoing *o = outgoing_create(NULL);
        struct outgoing_request r = request_to(url, http_service_port(service), 10000);
        struct tally tally = {0};
        http_service_set(service, CASES[i].mood, 200, "", "0123456789abcdef", CASES[i].times);
        r.attempts_max = 1;
        r.attempt_ms = CASES[i].mood == SERVICE_SILENT ? 300 : 10000;
        assert_true(post(o, &r, &tally));
        assert_true(within(&tally.done, 1, 60000));
        assert_int_equal(tally.fault, CASES[i].fault);
        outgoing_destroy(o);
        http_service_stop(service);
    }
}

/* --- Addresses --- */

static void only_public_addresses_are_public(void **state)
{
    static const char *const PRIVATE[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:1",
        "64:ff9b::a00:1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:1ff::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
        "localhost",
        "",
        "1.2.3",
        "127.0.0.1:80",
        "[::1]",
        "8.8.8.8 ",
        "0x7f.1",
    };
    static const char *const PUBLIC[] = {
        "1.1.1.1",      "9.255.255.255",  "11.0.0.1",      "100.63.255.255", "100.128.0.1",      "126.1.1.1",
        "128.0.0.1",    "172.15.255.255", "172.32.0.1",    "192.0.1.1",      "192.167.1.1",      "192.169.1.1",
        "198.17.1.1",   "198.20.0.1",     "223.255.255.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2001:200::1",
        "2606:4700::1", "2a00:1450::1",   "2003::1"};
    for (size_t i = 0; i < sizeof PRIVATE / sizeof *PRIVATE; ++i)
        if (address_text_is_public(PRIVATE[i]))
            fail_msg("%s", PRIVATE[i]);
    for (size_t i = 0; i < sizeof PUBLIC / sizeof *PUBLIC; ++i)
        if (!address_text_is_public(PUBLIC[i]))
            fail_msg("%s", PUBLIC[i]);
    struct sockaddr local = {.sa_family = AF_UNIX};
    assert_false(address_is_public(&local));
}

/* A name for this machine is as private as its number: what counts is where the connection goes. */
static void private_addresses_are_refused_when_connecting(void **state)
{
    static const char *const HOSTS[] = {"127.0.0.1",          "localhost",  "0.0.0.0",   "[::1]",
                                        "[::ffff:127.0.0.1]", "0x7f000001", "2130706433"};
    struct http_service *service = http_service_start();
    struct outgoing *o = outgoing_create(NULL);
    for (size_t i = 0; i < sizeof HOSTS / sizeof *HOSTS; ++i) {
        char url[96];
        struct tally tally = {0};
        snprintf(url, sizeof url, "http://%s:%d/", HOSTS[i], http_service_port(service));
        struct outgoing_request r = {.what = "test", .url = url, .deadline_ms = clock_mono_ms() + 10000};
        assert_true(post(o, &r, &tally));
        assert_true(within(&tally.done, 1, 60000));
        assert_int_equal(tally.fault, OUTGOING_PRIVATE);
        assert_int_equal(tally.delivered, 0);
    }
    assert_int_equal(http_service_connections(service), 0);
    outgoing_destroy(o);
    http_service_stop(service);
}

/* The operator's transfer leaves a connection open; one that people asked for must not speak through it. */
static void an_open_connection_is_no_way_round(void **state)
{
    char url[64];
    struct http_service *service = http_service_start();
    struct outgoing *o = outgoing_create(NULL);
    struct outgoing_request r = request_to(url, http_service_port(service), 10000);
    struct tally own = {0}, theirs = {0}, again = {0};
    assert_true(post(o, &r, &own));
    assert_true(within(&own.done, 1, 60000));
    assert_true(post(o, &r, &own));
    assert_true(within(&own.done, 2, 60000));
    assert_int_equal(http_service_connections(service), 1); /* it is used again */
    r.network = OUTGOING_PUBLIC;
    assert_true(post(o, &r, &theirs));
    assert_true(within(&theirs.done, 1, 60000));
    assert_int_equal(theirs.fault, OUTGOING_PRIVATE);
    assert_int_equal(http_service_requests(service), 2);
    r.network = OUTGOING_ANY;
    assert_true(post(o, &r, &again));
    assert_true(within(&again.done, 1, 60000));
    assert_int_equal(again.delivered, 1);
    outgoing_destroy(o);
    http_service_stop(service);
}

static void what_is_no_address_is_not_taken(void **state)
{
    static const char *const CASES[] = {"",
                                        "school.example",
                                        "ftp://school.example/",
                                        "file:///etc/passwd",
                                        "gopher://127.0.0.1:25/",
                                        "smtp://127.0.0.1/",
                                        "http://",
                                        "http://a b/",
                                        "http://school.example:99999/"};
    struct outgoing *o = outgoing_create(NULL);
    struct tally tally = {0};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct outgoing_request r = {.what = "test", .url = CASES[i], .deadline_ms = INT64_MAX};
        if (post(o, &r, &tally))
            fail_msg("%s", CASES[i]);
    }
    assert_int_equal(tally.done, 0);
    outgoing_destroy(o);
}

/* --- Bounds and fairness --- */

static void queues_are_bounded_and_stopping_finishes_all(void **state)
{
    char url[64], other[64];
    struct http_service *silent = http_service_start(), *service = http_service_start();
    struct outgoing *o = outgoing_create(&(struct outgoing_settings){.queue_max = 30});
    struct outgoing_request r = request_to(url, http_service_port(silent), 60000);
    struct tally tally = {0}, good = {0};
    http_service_set(silent, SERVICE_SILENT, 200, "", "", 0);
    for (int i = 0; i < 30; ++i)
        assert_true(post(o, &r, &tally));
    assert_false(post(o, &r, &tally)); /* full: this destination's */
    struct outgoing_request elsewhere = request_to(other, http_service_port(service), 60000);
    assert_true(post(o, &elsewhere, &good)); /* not another's */
    assert_true(within(&good.delivered, 1, 60000));
    int64_t began = clock_mono_ms();
    outgoing_stop(o, 100);
    assert_true(clock_mono_ms() - began < 30000);
    assert_int_equal(tally.done, 30);
    assert_int_equal(tally.delivered, 0);
    assert_int_equal(outgoing_waiting(o), 0);
    assert_false(post(o, &r, &tally)); /* stopped */
    assert_int_equal(tally.done, 30);
    outgoing_destroy(o);
    http_service_stop(silent);
    http_service_stop(service);
    outgoing_stop(NULL, 0);
    outgoing_destroy(NULL);
}

static void the_memory_of_requests_is_bounded(void **state)
{
    char url[64], body[1000];
    struct http_service *silent = http_service_start();
    struct outgoing *o = outgoing_create(&(struct outgoing_settings){.bytes_max = 5000});
    struct outgoing_request r = request_to(url, http_service_port(silent), 60000);
    struct tally tally = {0};
    http_service_set(silent, SERVICE_SILENT, 200, "", "", 0);
    memset(body, 'x', sizeof body);
    r.body = body;
    r.body_len = sizeof body;
    int taken = 0;
    while (taken < 100 && post(o, &r, &tally))
        ++taken;
    assert_int_equal(taken, 4);
    outgoing_destroy(o);
    http_service_stop(silent);
}

/* Sends one and waits; how long it took. */
static int64_t round_trip_ms(struct outgoing *o, int port)
{
    char url[64];
    struct outgoing_request r = request_to(url, port, 20000);
    struct tally tally = {0};
    int64_t began = clock_mono_ms();
    assert_true(post(o, &r, &tally));
    assert_true(within(&tally.done, 1, 60000)); /* the last that on_done touches */
    assert_int_equal(tally.delivered, 1);
    return clock_mono_ms() - began;
}

/* Eight places, twenty destinations that never answer, a hundred transfers for each: who answers does not notice. */
static void dead_destinations_starve_nobody(void **state)
{
    enum { DEAD = 20 };
    struct http_service *silent[DEAD], *alive = http_service_start(), *newcomer = http_service_start();
    struct outgoing *o = outgoing_create(&(struct outgoing_settings){.running_max = 8});
    struct tally dead = {0};
    round_trip_ms(o, http_service_port(alive)); /* proven */
    for (int i = 0; i < DEAD; ++i) {
        char url[64];
        silent[i] = http_service_start();
        http_service_set(silent[i], SERVICE_SILENT, 200, "", "", 0);
        struct outgoing_request r = request_to(url, http_service_port(silent[i]), 60000);
        r.attempt_ms = 1000; /* so that a newcomer's turn comes within the test's time */
        for (int j = 0; j < 100; ++j)
            assert_true(post(o, &r, &dead));
    }
    usleep(200000); /* they have all places that they may have */
    for (int i = 0; i < 20; ++i) {
        int64_t ms = round_trip_ms(o, http_service_port(alive));
        if (ms > 800) /* an attempt at a dead one takes 1000 */
            fail_msg("%lld ms", (long long)ms);
    }
    round_trip_ms(o, http_service_port(newcomer)); /* one of which nobody knows yet waits for its turn, but has one */
    assert_int_equal(dead.done, 0);
    for (int i = 0; i < DEAD; ++i)
        assert_true(http_service_most(silent[i]) <= 2 * 2); /* two, and two whose end the service has not seen yet */
    outgoing_destroy(o);
    for (int i = 0; i < DEAD; ++i)
        http_service_stop(silent[i]);
    http_service_stop(alive);
    http_service_stop(newcomer);
}

static void page(struct outgoing *o, struct text *out)
{
    struct metrics *metrics = metrics_create();
    outgoing_metrics(o, metrics);
    metrics_render(metrics, out);
    metrics_destroy(metrics);
}

static bool says(struct outgoing *o, const char *name, int port, long value)
{
    struct text out = TEXT_INIT;
    char line[200];
    snprintf(line, sizeof line, "%s{destination=\"http://127.0.0.1:%d\",network=\"any\"} %ld\n", name, port, value);
    page(o, &out);
    bool found = strstr(out.data, line) != NULL;
    text_finish(&out);
    return found;
}

/* Twenty transfers that fail at once are not twenty attempts every few milliseconds. */
static void a_circuit_opens_and_closes(void **state)
{
    char url[64];
    struct http_service *service = http_service_start();
    struct outgoing *o = outgoing_create(NULL);
    int port = http_service_port(service);
    struct outgoing_request r = request_to(url, port, 60000);
    struct tally tally = {0};
    http_service_set(service, SERVICE_ANSWERS, 500, "", "", 0);
    for (int i = 0; i < 20; ++i)
        assert_true(post(o, &r, &tally));
    for (int64_t end = clock_mono_ms() + 10000; !says(o, "parta_outgoing_circuit_open", port, 1);) {
        assert_true(clock_mono_ms() < end);
        usleep(1000);
    }
    int asked = http_service_requests(service);
    if (asked < 3 || asked > 5)
        fail_msg("%d requests", asked);
    assert_true(says(o, "parta_outgoing_queued", port, 20));
    http_service_set(service, SERVICE_ANSWERS, 200, "", "", 0);
    assert_true(within(&tally.delivered, 20, 60000));
    while (outgoing_waiting(o) > 0)
        usleep(1000);
    assert_true(says(o, "parta_outgoing_circuit_open", port, 0));
    assert_true(says(o, "parta_outgoing_delivered_total", port, 20));
    assert_true(says(o, "parta_outgoing_queued", port, 0));
    outgoing_destroy(o);
    http_service_stop(service);
}

static void metrics_name_a_bounded_number_of_destinations(void **state)
{
    struct outgoing *o = outgoing_create(NULL);
    struct tally tally = {0};
    struct text out = TEXT_INIT;
    int lines = 0;
    for (int i = 0; i < 200; ++i) {
        char url[64];
        struct outgoing_request r = request_to(url, 20000 + i, 10000);
        r.network = OUTGOING_PUBLIC; /* refused, and so counted */
        assert_true(post(o, &r, &tally));
    }
    assert_true(within(&tally.done, 200, 60000));
    while (outgoing_waiting(o) > 0)
        usleep(1000);
    page(o, &out);
    for (const char *at = out.data; (at = strstr(at, "parta_outgoing_failed_total{")) != NULL; ++at)
        ++lines;
    assert_int_equal(lines, 31);
    assert_non_null(strstr(out.data, "parta_outgoing_failed_total{destination=\"other\",network=\"\"} 170\n"));
    text_finish(&out);
    outgoing_destroy(o);
}

/* More destinations than are remembered: the idle ones are forgotten, what they counted is not. */
static void destinations_are_bounded(void **state)
{
    struct outgoing *o = outgoing_create(NULL);
    struct tally tally = {0};
    struct text out = TEXT_INIT;
    for (int i = 0; i < 1500; ++i) {
        char url[64];
        struct outgoing_request r = request_to(url, 10000 + i, 60000);
        r.network = OUTGOING_PUBLIC;
        if (!post(o, &r, &tally)) { /* a thousand that are busy */
            assert_true(within(&tally.done, i, 60000));
            while (outgoing_waiting(o) > 0)
                usleep(1000);
            assert_true(post(o, &r, &tally));
        }
    }
    assert_true(within(&tally.done, 1500, 60000));
    while (outgoing_waiting(o) > 0)
        usleep(1000);
    page(o, &out);
    int64_t sum = 0;
    for (const char *at = out.data; (at = strstr(at, "parta_outgoing_failed_total{")) != NULL; ++at)
        sum += strtol(strchr(at, '}') + 1, NULL, 10);
    assert_int_equal(sum, 1500);
    text_finish(&out);
    outgoing_destroy(o);
}

/* --- Callers who wait --- */

static void a_caller_gets_the_reply(void **state)
{
    char url[64], value[32];
    struct http_service *service = http_service_start();
    struct outgoing *o = outgoing_create(NULL);
    struct outgoing_request r = request_to(url, http_service_port(service), 10000);
    struct outgoing_reply reply;
    http_service_set(service, SERVICE_ANSWERS, 200,
                     "X-Total-Count:  42 \r\nDate: Tue, 01 Sep 2026 06:00:05 GMT\r\nX-Total: 1\r\n", "hello ", 2);
    assert_true(outgoing_call(o, &r, NULL, NULL, &reply));
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body.data, "hello hello ");
    assert_true(outgoing_reply_header(&reply, "x-total-count", value, sizeof value));
    assert_string_equal(value, "42");
    assert_true(outgoing_reply_header(&reply, "X-Total-Count", value, 2));
    assert_string_equal(value, "4");
    assert_false(outgoing_reply_header(&reply, "Total", value, sizeof value));
    assert_int_equal(reply.date_ms, INT64_C(1788242405000));
    assert_int_equal(reply.retry_after_ms, -1);
    outgoing_reply_finish(&reply);
    http_service_set(service, SERVICE_ANSWERS, 500, "", "", 0);
    r.attempts_max = 3;
    assert_false(outgoing_call(o, &r, NULL, NULL, &reply));
    assert_int_equal(reply.attempts, 3);
    assert_int_equal(reply.status, 500);
    outgoing_reply_finish(&reply);
    int64_t began = clock_mono_ms(); /* the circuit is open, but somebody waits */
    http_service_set(service, SERVICE_ANSWERS, 200, "", "", 0);
    assert_true(outgoing_call(o, &r, NULL, NULL, &reply));
    assert_true(clock_mono_ms() - began < 500);
    outgoing_reply_finish(&reply);
    r.url = "nonsense";
    assert_false(outgoing_call(o, &r, NULL, NULL, &reply));
    assert_int_equal(reply.fault, OUTGOING_NOT_TRIED);
    outgoing_reply_finish(&reply);
    outgoing_destroy(o);
    http_service_stop(service);
}

/* One that hangs keeps nobody from the others, nor from what they say; and what cannot be begun is not waited for. */
static void several_are_asked_at_once(void **state)
{
    enum { HANGS, FIRST, SECOND, NONSENSE, CALLS };
    char urls[CALLS][64];
    struct http_service *hangs = http_service_start(), *answers = http_service_start();
    struct outgoing *o = outgoing_create(NULL);
    struct outgoing_reply replies[CALLS];
    http_service_set(hangs, SERVICE_SILENT, 0, "", "", 0);
    http_service_set(answers, SERVICE_ANSWERS, 200, "", "said", 1);
    struct outgoing_calls *calls = outgoing_calls_create(o);
    for (int i = 0; i < CALLS; ++i) {
        struct outgoing_request r =
            request_to(urls[i], http_service_port(i == HANGS ? hangs : answers), i == HANGS ? 500 : 20000);
        r.attempts_max = 1;
        r.attempt_ms = i == HANGS ? 500 : 20000;
        r.url = i == NONSENSE ? "nonsense" : r.url;
        outgoing_calls_add(calls, &r, NULL, NULL, &replies[i]);
    }
    assert_int_equal(outgoing_calls_wait(calls), 2);
    assert_int_equal(replies[HANGS].fault, OUTGOING_UNREACHABLE);
    assert_int_equal(replies[NONSENSE].fault, OUTGOING_NOT_TRIED);
    assert_string_equal(replies[FIRST].body.data, "said");
    assert_string_equal(replies[SECOND].body.data, "said");
    for (int i = 0; i < CALLS; ++i)
        outgoing_reply_finish(&replies[i]);
    assert_int_equal(outgoing_calls_wait(outgoing_calls_create(o)), 0);
    outgoing_destroy(o);
    http_service_stop(hangs);
    http_service_stop(answers);
}

struct caller {
    struct outgoing *o;
    struct outgoing_request request;
    struct outgoing_reply reply;
    _Atomic bool answered; /* an attempt ended with a reply */
    bool delivered;
};

static enum outgoing_verdict note_answer(void *arg, const struct outgoing_reply *reply)
{
    struct caller *c = arg;
    enum outgoing_verdict verdict = outgoing_usual_verdict(reply);
    c->answered = reply->fault == OUTGOING_ANSWERED;
    return verdict;
}

static void *call(void *arg)
{
    struct caller *c = arg;
    c->delivered = outgoing_call(c->o, &c->request, note_answer, c, &c->reply);
    return NULL;
}

/* In the middle of an attempt, and between two. */
static void a_caller_can_be_stopped(void **state)
{
    static const enum service_mood MOODS[] = {SERVICE_SILENT, SERVICE_ANSWERS};
    for (size_t i = 0; i < sizeof MOODS / sizeof *MOODS; ++i) {
        char url[64];
        pthread_t thread;
        _Atomic bool stop = false;
        struct http_service *service = http_service_start();
        struct caller c = {.o = outgoing_create(NULL)};
        http_service_set(service, MOODS[i], 500, "", "", 0);
        c.request = request_to(url, http_service_port(service), 60000);
        c.request.stop = &stop;
        c.request.backoff_ms = 30000;
        assert_int_equal(pthread_create(&thread, NULL, call, &c), 0);
        while (http_service_requests(service) == 0 || (MOODS[i] == SERVICE_ANSWERS && !c.answered))
            usleep(1000);
        int64_t began = clock_mono_ms();
        stop = true;
        pthread_join(thread, NULL);
        assert_true(clock_mono_ms() - began < 20000);
        assert_false(c.delivered);
        assert_int_equal(c.reply.fault, MOODS[i] == SERVICE_SILENT ? OUTGOING_NOT_TRIED : OUTGOING_ANSWERED);
        outgoing_reply_finish(&c.reply);
        outgoing_destroy(c.o);
        http_service_stop(service);
    }
}

/* Many threads hand over while others are told, for TSan's eyes. */
enum { SENDERS = 4, EACH = 50 };

struct crowd {
    struct outgoing *o;
    int port;
    struct tally tally;
};

static void *send_many(void *arg)
{
    struct crowd *crowd = arg;
    char url[64];
    struct outgoing_reply reply;
    for (int i = 0; i < EACH; ++i) {
        struct outgoing_request r = request_to(url, crowd->port, 20000);
        while (!post(crowd->o, &r, &crowd->tally))
            usleep(1000);
        if (i % 10 == 0) {
            outgoing_call(crowd->o, &r, NULL, NULL, &reply);
            outgoing_reply_finish(&reply);
        }
    }
    return NULL;
}

static void many_may_send(void **state)
{
    struct http_service *service = http_service_start();
    struct crowd crowd = {.o = outgoing_create(NULL), .port = http_service_port(service)};
    pthread_t threads[SENDERS];
    struct text out = TEXT_INIT;
    for (int i = 0; i < SENDERS; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, &crowd), 0);
    page(crowd.o, &out);
    text_finish(&out);
    for (int i = 0; i < SENDERS; ++i)
        pthread_join(threads[i], NULL);
    assert_true(within(&crowd.tally.delivered, SENDERS * EACH, 60000));
    assert_true(http_service_most(service) <= 2 * (8 + SENDERS));
    outgoing_destroy(crowd.o);
    http_service_stop(service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_out_as_it_was_given),
        cmocka_unit_test(verdicts_are_the_usual_ones),
        cmocka_unit_test(the_judge_is_believed),
        cmocka_unit_test(it_tries_again_until_the_deadline),
        cmocka_unit_test(retry_after_is_heard),
        cmocka_unit_test(retry_after_is_bounded),
        cmocka_unit_test(slow_broken_and_huge_answers_end),
        cmocka_unit_test(only_public_addresses_are_public),
        cmocka_unit_test(private_addresses_are_refused_when_connecting),
        cmocka_unit_test(an_open_connection_is_no_way_round),
        cmocka_unit_test(what_is_no_address_is_not_taken),
        cmocka_unit_test(queues_are_bounded_and_stopping_finishes_all),
        cmocka_unit_test(the_memory_of_requests_is_bounded),
        cmocka_unit_test(dead_destinations_starve_nobody),
        cmocka_unit_test(a_circuit_opens_and_closes),
        cmocka_unit_test(metrics_name_a_bounded_number_of_destinations),
        cmocka_unit_test(destinations_are_bounded),
        cmocka_unit_test(a_caller_gets_the_reply),
        cmocka_unit_test(several_are_asked_at_once),
        cmocka_unit_test(a_caller_can_be_stopped),
        cmocka_unit_test(many_may_send),
    };
    if (!crypto_start())
        return 1;
    unsetenv("http_proxy");
    return cmocka_run_group_tests_name("outgoing", tests, NULL, NULL);
}
