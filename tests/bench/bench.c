/* ./dev bench: drives a real partad with a known load and prints one JSON line a workload, with the CPU that the kernel
 * counted for the server and, beside it, the target of docs/performance.md. Bounded in count and time. */
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "homeserver/base/text.h"
#include "tests/bench/appservice.h"
#include "tests/bench/client.h"
#include "tests/bench/decision.h"
#include "tests/bench/gate.h"
#include "tests/bench/push.h"
#include "tests/bench/growth.h"
#include "tests/bench/import.h"
#include "tests/bench/keys.h"
#include "tests/bench/media.h"
#include "tests/bench/pages.h"
#include "tests/bench/peer.h"
#include "tests/bench/report.h"
#include "tests/bench/school.h"
#include "tests/bench/search.h"
#include "tests/bench/sender.h"
#include "tests/bench/subject.h"

/* --- Workloads --- */

/* Beside the load, at the same rate: how long the disk takes to sync 4 KiB. What a machine's disk does to everybody is
 * not the server's. */
struct disk_probe {
    const struct subject *subject;
    struct changelog *changelog;
    int64_t every_us;
    _Atomic bool stop;
    pthread_t thread;
};

static void *probe_disk(void *arg)
{
    struct disk_probe *probe = arg;
    for (int64_t due = now_us(); !probe->stop; due += probe->every_us) {
        ledger_book(probe->changelog, subject_disk_sync_us(probe->subject));
        if (due > now_us())
            usleep((useconds_t)(due - now_us()));
    }
    return NULL;
}

/* One class, everybody polling, messages at a steady rate. */
static void steady(struct school *s, int seconds, int per_second)
{
    struct changelog *l = xcalloc(1, sizeof *l), *answers = xcalloc(1, sizeof *answers),
                     *disk = xcalloc(1, sizeof *disk);
    struct sender senders[CLASS];
    char *room_id = class_of(s, 0, CLASS, "steady");
    struct disk_probe probe = {.subject = s->subject, .changelog = disk, .every_us = 1000000 / per_second};
    senders_open(s, senders, CLASS, 0, room_id, l, answers);
    for (int i = 0; i < CLASS; ++i)
        poll_begin(s, i, l);
    pthread_create(&probe.thread, NULL, probe_disk, &probe);
    int64_t cpu = subject_cpu_us(s->subject), start = now_us();
    for (int i = 0; i < seconds * per_second; ++i)
        say_in_turn(s, senders, CLASS, i, start + (int64_t)i * 1000000 / per_second);
    drain(s, l, 0, CLASS);
    cpu = subject_cpu_us(s->subject) - cpu;
    probe.stop = true;
    pthread_join(probe.thread, NULL);
    report("send_steady", "p99 <= 10 ms beyond the disk's own sync at 20/s",
           json_pack("{s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I}", "room", CLASS, "per_second",
                     per_second, "messages", l->answered, "answer_p50_ms", ms(ledger_percentile(answers, 0.5)),
                     "answer_p99_ms", ms(ledger_percentile(answers, 0.99)), "delivery_p50_ms",
                     ms(ledger_percentile(l, 0.5)), "delivery_p99_ms", ms(ledger_percentile(l, 0.99)),
                     "disk_sync_p50_ms", ms(ledger_percentile(disk, 0.5)), "disk_sync_p99_ms",
                     ms(ledger_percentile(disk, 0.99)), "cpu_us_per_message_with_30_deliveries",
                     (double)cpu / l->answered, "lost_or_repeated", (json_int_t)l->lost_or_repeated, "out_of_order",
                     (json_int_t)l->out_of_order));
    for (int i = 0; i < CLASS; ++i)
        poll_end(s, i);
    senders_close(senders, CLASS);
    ledger_end(l);
    ledger_end(answers);
    ledger_end(disk);
    free(room_id);
}

/* Reads the room back and checks that each message is there once and each sender's are in order. */
static void read_back(struct school *s, const char *room_id, struct changelog *l)
{
    unsigned char *seen = xcalloc(MESSAGES_MAX / 8, 1);
    char from[64] = "", path[400];
    int last_of[64], found = 0, status;
    for (int i = 0; i < 64; ++i)
        last_of[i] = MESSAGES_MAX;
    for (bool more = true; more;) {
        snprintf(path, sizeof path, "/_matrix/client/v3/rooms/%s/messages?dir=b&limit=100%s%s", room_id,
                 from[0] != '\0' ? "&from=" : "", from);
        char *answer = client_ask(s->desk, "GET", path, s->people[0].token, NULL, &status);
        for (const char *at = strstr(answer, "\"body\":\"bench "); at != NULL; at = strstr(at, "\"body\":\"bench ")) {
            char *end;
            at += 14;
            long n = strtol(at, &end, 10), sender = strtol(end, NULL, 10);
            l->lost_or_repeated += (seen[n / 8] & 1 << n % 8) != 0;
            l->out_of_order += last_of[sender] <= n;
            last_of[sender] = (int)n;
            seen[n / 8] |= (unsigned char)(1 << n % 8);
            ++found;
        }
        const char *end = strstr(answer, "\"end\":\"");
        more = end != NULL;
        if (more)
            snprintf(from, sizeof from, "%.*s", (int)strcspn(end + 7, "\""), end + 7);
        free(answer);
    }
    l->lost_or_repeated += labs((long)l->answered - found);
    free(seen);
}

/* A class of 30 and as many messages as the server takes; with or without everybody polling. */
static void saturation(struct school *s, int seconds, int n_senders, bool polling)
{
    struct changelog *l = xcalloc(1, sizeof *l), *answers = xcalloc(1, sizeof *answers);
    struct sender senders[64];
    char *room_id = class_of(s, 0, CLASS, "saturation");
    senders_open(s, senders, n_senders, 0, room_id, l, answers);
    for (int i = 0; i < n_senders; ++i)
        senders[i].who = &s->people[i % CLASS];
    for (int i = 0; polling && i < CLASS; ++i)
        poll_begin(s, i, l);
    subject_profile_begin(s->subject, polling ? "send_saturation_polling" : "send_saturation");
    int64_t cpu = subject_cpu_us(s->subject), start = now_us();
    senders_flood(s, senders, n_senders, seconds);
    int64_t took = now_us() - start;
    subject_profile_end();
    if (polling)
        drain(s, l, 0, CLASS);
    cpu = subject_cpu_us(s->subject) - cpu;
    read_back(s, room_id, l);
    report(polling ? "send_saturation_polling" : "send_saturation",
           polling ? ">= 1000 messages/s" : ">= 1000 messages/s, <= 120 us CPU each",
           json_pack("{s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:I, s:I}", "room", CLASS, "senders", n_senders, "messages",
                     l->answered, "per_second", (double)l->answered * 1000000 / (double)took, "cpu_us_per_message",
                     (double)cpu / l->answered, "answer_p50_ms", ms(ledger_percentile(answers, 0.5)), "answer_p99_ms",
                     ms(ledger_percentile(answers, 0.99)), "lost_or_repeated", (json_int_t)l->lost_or_repeated,
                     "out_of_order", (json_int_t)l->out_of_order));
    for (int i = 0; polling && i < CLASS; ++i)
        poll_end(s, i);
    senders_close(senders, n_senders);
    ledger_end(l);
    ledger_end(answers);
    free(room_id);
}

static void send_steady(struct school *s)
{
    school_people(s, CLASS);
    steady(s, 10, 20);
}

static void send_saturation(struct school *s)
{
    school_people(s, CLASS);
    saturation(s, 5, 64, false);
    saturation(s, 5, 8, true);
}

/* The server starts anew, all come back and park, and then comes the first announcement. */
static void announce_after_start(struct school *s, struct sender *sender, int n)
{
    conn_close(s->desk);
    conn_close(sender->conn);
    for (int i = 0; i < n; ++i)
        poll_pause(s, i);
    subject_stop(s->subject, SIGTERM);
    subject_start(s->subject);
    s->desk = conn_open(s->client);
    sender->conn = conn_open(s->client);
    int64_t cpu = subject_cpu_us(s->subject), before = -1;
    subject_profile_begin(s->subject, "return");
    for (int i = 0; i < n; ++i) {
        poll_resume(s, i);
        client_run(s->client, 0);
    }
    int64_t back = cpu;
    for (int64_t pause; back - before > 5000;) { /* hardly anything is done any more: all are parked */
        before = back;
        for (pause = now_us() + 300000; now_us() < pause;)
            client_run(s->client, 10000);
        back = subject_cpu_us(s->subject);
    }
    subject_profile_end();
    int64_t took = announce(s, sender, n), done = subject_cpu_us(s->subject);
    report("announcement_after_start", "last <= 100 ms after sending, <= 100 us CPU per delivery",
           json_pack("{s:i, s:f, s:f, s:f}", "polls", n, "return_cpu_us_per_person", (double)(back - cpu) / n,
                     "first_last_after_send_ms", ms(took), "first_cpu_us_per_delivery", (double)(done - back) / n));
}

/* One announcement at a time to 1 500 parked polls: the first, which finds nothing in memory, and those after it. */
static void announcement(struct school *s)
{
    enum { N = 1500, ROUNDS = 20 };
    struct changelog *l = xcalloc(1, sizeof *l), *answers = xcalloc(1, sizeof *answers);
    struct sender sender;
    int64_t last_us = 0;
    school_people(s, N);
    char *room_id = class_of(s, 0, N, "announcements");
    senders_open(s, &sender, 1, 0, room_id, l, answers);
    for (int i = 0; i < N; ++i)
        poll_begin(s, i, l);
    int64_t cpu = subject_cpu_us(s->subject), first_us = announce(s, &sender, N);
    int64_t first_cpu = subject_cpu_us(s->subject) - cpu;
    subject_profile_begin(s->subject, "announcement");
    cpu = subject_cpu_us(s->subject);
    for (int round = 0; round < ROUNDS; ++round)
        last_us += announce(s, &sender, N);
    cpu = subject_cpu_us(s->subject) - cpu;
    subject_profile_end();
    drain(s, l, 0, N);
    report("announcement", "last <= 30 ms after the commit, <= 15-20 us CPU per delivery",
           json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:I, s:I}", "polls", N, "rounds", ROUNDS,
                     "last_after_send_ms", ms(last_us / ROUNDS), "delivery_p50_ms", ms(ledger_percentile(l, 0.5)),
                     "cpu_us_per_delivery", (double)cpu / ROUNDS / N, "first_last_after_send_ms", ms(first_us),
                     "first_cpu_us_per_delivery", (double)first_cpu / N, "lost_or_repeated",
                     (json_int_t)l->lost_or_repeated, "out_of_order", (json_int_t)l->out_of_order));
    announce_after_start(s, &sender, N);
    for (int i = 0; i < N; ++i)
        poll_end(s, i);
    senders_close(&sender, 1);
    ledger_end(l);
    ledger_end(answers);
    free(room_id);
}

/* CPU of a delivery to n parked polls of which each is answered on the loop, after rounds that fill the memory. */
static double deliveries(struct school *s, struct sender *sender, int n, const char *name)
{
    enum { WARM = 3, ROUNDS = 20 };
    for (int round = 0; round < WARM; ++round)
        announce(s, sender, n);
    subject_profile_begin(s->subject, name);
    int64_t cpu = subject_cpu_us(s->subject);
    for (int round = 0; round < ROUNDS; ++round)
        announce(s, sender, n);
    cpu = subject_cpu_us(s->subject) - cpu;
    subject_profile_end();
    return (double)cpu / ROUNDS / n;
}

/* What it costs to tell people who wait: by sliding sync, and by GET /sync, the same room and the same words. */
static void sliding_parked(struct school *s)
{
    enum { N = 500 };
    struct changelog *l = xcalloc(1, sizeof *l), *answers = xcalloc(1, sizeof *answers);
    struct sender sender;
    double us[2];
    school_people(s, N);
    char *room_id = class_of(s, 0, N, "announcements");
    senders_open(s, &sender, 1, 0, room_id, l, answers);
    for (int sliding = 0; sliding < 2; ++sliding) {
        for (int i = 0; i < N; ++i)
            (sliding != 0 ? poll_begin_sliding : poll_begin)(s, i, l);
        us[sliding] = deliveries(s, &sender, N, sliding != 0 ? "sliding_parked" : "sync_parked");
        for (int i = 0; i < N; ++i)
            poll_end(s, i);
    }
    report("sliding_parked", "as GET /sync",
           json_pack("{s:i, s:f, s:f, s:I, s:I}", "polls", N, "cpu_us_per_delivery", us[1], "sync_cpu_us_per_delivery",
                     us[0], "lost_or_repeated", (json_int_t)l->lost_or_repeated, "out_of_order",
                     (json_int_t)l->out_of_order));
    senders_close(&sender, 1);
    ledger_end(l);
    ledger_end(answers);
    free(room_id);
}

/* A whole district in one room: everybody polls, and somebody has something to say five times a second. A client that
 * falls behind gets what came meanwhile in one answer. */
static void crowd(struct school *s)
{
    enum { N = 10000, SENDERS = 50, PER_SECOND = 5, SECONDS = 20 };
    struct changelog *l = xcalloc(1, sizeof *l), *answers = xcalloc(1, sizeof *answers);
    struct sender senders[SENDERS];
    school_people(s, 1);
    char *room_id = school_room(s, 0, "district");
    school_crowd(s, N, room_id);
    senders_open(s, senders, SENDERS, 0, room_id, l, answers);
    for (int i = 0; i < N; ++i)
        poll_begin(s, i, l);
    announce(s, &senders[0], N); /* from here on the room is in memory */
    l->n_latencies = 0;
    subject_profile_begin(s->subject, "crowd");
    int64_t cpu = subject_cpu_us(s->subject), start = now_us();
    for (int i = 0; i < SECONDS * PER_SECOND; ++i)
        say_in_turn(s, senders, SENDERS, i, start + (int64_t)i * 1000000 / PER_SECOND);
    drain(s, l, 0, N);
    cpu = subject_cpu_us(s->subject) - cpu;
    subject_profile_end();
    report("crowd", "nobody refused, nothing lost, p99 <= 2 s; <= 22 us CPU per delivery",
           json_pack("{s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I}", "polls", N, "per_second",
                     PER_SECOND, "messages", SECONDS * PER_SECOND, "answer_p99_ms",
                     ms(ledger_percentile(answers, 0.99)), "delivery_p50_ms", ms(ledger_percentile(l, 0.5)),
                     "delivery_p99_ms", ms(ledger_percentile(l, 0.99)), "delivery_last_ms", ms(ledger_percentile(l, 1)),
                     "cpu_us_per_delivery", (double)cpu / SECONDS / PER_SECOND / N, "rss_mib",
                     (double)subject_rss_kib(s->subject) / 1024, "refused", (json_int_t)l->refused, "lost_or_repeated",
                     (json_int_t)l->lost_or_repeated, "out_of_order", (json_int_t)l->out_of_order));
    for (int i = 0; i < N; ++i)
        poll_end(s, i);
    senders_close(senders, SENDERS);
    ledger_end(l);
    ledger_end(answers);
    free(room_id);
}

/* How long requests take, one after the other. */
static void time_requests(struct school *s, const char *path, const char *token, int n, struct changelog *l,
                          size_t *bytes)
{
    for (int i = 0; i < n; ++i) {
        int status;
        int64_t start = now_us();
        char *answer = client_ask(s->desk, "GET", path, token, NULL, &status);
        ledger_book(l, now_us() - start);
        if (status != 200)
            fprintf(stderr, "bench: %s: %d %.200s\n", path, status, answer);
        *bytes = strlen(answer);
        free(answer);
    }
}

/* CPU of the first one's answer, and of each of the others', µs. */
struct comeback {
    double first, rest;
};

/* Each of the class asks what is new since its own token, which is moved on. */
static struct comeback come_back(struct school *s, char since[CLASS][64])
{
    char path[200];
    struct comeback cost = {0};
    int64_t start = subject_cpu_us(s->subject);
    for (int i = 0; i < CLASS; ++i) {
        int status;
        snprintf(path, sizeof path, "/_matrix/client/v3/sync?timeout=0%s%s", since[i][0] != '\0' ? "&since=" : "",
                 since[i]);
        char *answer = client_ask(s->desk, "GET", path, s->people[i].token, NULL, &status);
        const char *next = strstr(answer, "\"next_batch\":\"");
        if (status != 200 || next == NULL)
            exit(1);
        snprintf(since[i], sizeof since[i], "%.*s", (int)strcspn(next + 14, "\""), next + 14);
        free(answer);
        if (i == 0)
            cost.first = (double)(subject_cpu_us(s->subject) - start);
    }
    cost.rest = ((double)(subject_cpu_us(s->subject) - start) - cost.first) / (CLASS - 1);
    return cost;
}

/* A class comes back: to a server that goes on, having missed n messages, then to one that has started anew, having
 * missed one, with n unread. */
static void come_back_after(struct school *s, int n)
{
    struct changelog *l = xcalloc(1, sizeof *l), *answers = xcalloc(1, sizeof *answers);
    struct sender senders[32];
    char since[CLASS][64] = {0};
    char *room_id = class_of(s, 0, CLASS, "returning");
    school_say(s, 0, room_id, "first");
    come_back(s, since);
    int n_senders = n < 32 ? 1 : 32;
    senders_open(s, senders, n_senders, 0, room_id, l, answers);
    for (int i = 0; i < n_senders; ++i)
        senders[i].who = &s->people[0];
    while (l->answered < n) {
        for (int i = 0; i < n_senders && l->sent < n; ++i)
            if (!conn_busy(senders[i].conn))
                say(&senders[i], now_us());
        client_run(s->client, 10000);
    }
    senders_close(senders, n_senders);
    struct comeback missed = come_back(s, since);
    school_say(s, 0, room_id, "one more");
    conn_close(s->desk);
    subject_stop(s->subject, SIGTERM);
    subject_start(s->subject);
    s->desk = conn_open(s->client);
    subject_profile_begin(s->subject, "returning");
    struct comeback anew = come_back(s, since);
    subject_profile_end();
    report("returning", "<= 100 us each",
           json_pack("{s:i, s:i, s:f, s:f, s:f, s:f}", "people", CLASS, "missed", n, "first_cpu_us", missed.first,
                     "cpu_us_each", missed.rest, "after_a_start_first_cpu_us", anew.first, "after_a_start_cpu_us_each",
                     anew.rest));
    ledger_end(l);
    ledger_end(answers);
    free(room_id);
}

static void returning(struct school *s)
{
    static const int MISSED[] = {1, 1000, 100000};
    school_people(s, CLASS);
    for (size_t i = 0; i < sizeof MISSED / sizeof *MISSED; ++i)
        come_back_after(s, MISSED[i]);
}

/* One answer: how long it took; from: the member with its token, which goes to token. */
static size_t timed(struct school *s, const char *method, const char *path, const char *body, int person,
                    struct changelog *l, const char *from, char token[128])
{
    int status;
    int64_t begun = now_us();
    char *answer = client_ask(s->desk, method, path, s->people[person].token, body, &status);
    ledger_book(l, now_us() - begun);
    const char *found = status == 200 ? strstr(answer, from) : NULL;
    if (found != NULL) {
        found += strlen(from);
        snprintf(token, 128, "%.*s", (int)strcspn(found, "\""), found);
    }
    size_t len = answer != NULL ? strlen(answer) : 0;
    free(answer);
    return len;
}

/* Sliding sync of the same rooms: the first answer, and one message after another beside GET /sync. */
static void sliding(struct school *s, int person, char *const *rooms, int n)
{
    enum { FIRST = 50, LIVE = 200 };
    static const char POS[] = "\"pos\":\"", NEXT[] = "\"next_batch\":\"";
    struct changelog *l = xcalloc(1, sizeof *l), *old = xcalloc(1, sizeof *old);
    char pos[128] = "", since[128] = "", path[400];
    size_t bytes = 0;
    timed(s, "POST", SLIDING_PATH, SLIDING_BODY, person, l, POS, pos);
    ledger_begin(l);
    int64_t cpu = subject_cpu_us(s->subject);
    for (int i = 0; i < FIRST; ++i)
        bytes = timed(s, "POST", SLIDING_PATH, SLIDING_BODY, person, l, POS, pos);
    cpu = subject_cpu_us(s->subject) - cpu;
    report("sliding_initial", "<= 5 ms warm",
           json_pack("{s:i, s:f, s:f, s:f, s:I}", "rooms", n, "warm_p50_ms", ms(ledger_percentile(l, 0.5)),
                     "warm_p99_ms", ms(ledger_percentile(l, 0.99)), "cpu_us", (double)cpu / FIRST, "bytes",
                     (json_int_t)bytes));
    timed(s, "GET", "/_matrix/client/v3/sync?timeout=0", NULL, person, old, NEXT, since);
    ledger_begin(l);
    ledger_begin(old);
    int64_t cpu_sliding = 0, cpu_sync = 0;
    for (int i = 0; i < LIVE; ++i) {
        school_say(s, 1, rooms[i % n], "Кто взял мел?");
        for (int k = 0; k < 2; ++k) { /* in turns: the first to come has the message looked at for all */
            cpu = subject_cpu_us(s->subject);
            if ((i + k) % 2 == 0) {
                snprintf(path, sizeof path, SLIDING_PATH "?timeout=30000&pos=%s", pos);
                timed(s, "POST", path, SLIDING_BODY, person, l, POS, pos);
                cpu_sliding += subject_cpu_us(s->subject) - cpu;
            } else {
                snprintf(path, sizeof path, "/_matrix/client/v3/sync?timeout=30000&since=%s", since);
                timed(s, "GET", path, NULL, person, old, NEXT, since);
                cpu_sync += subject_cpu_us(s->subject) - cpu;
            }
        }
    }
    report("sliding_live", "as GET /sync by a worker",
           json_pack("{s:f, s:f, s:f, s:f}", "p50_ms", ms(ledger_percentile(l, 0.5)), "cpu_us",
                     (double)cpu_sliding / LIVE, "sync_p50_ms", ms(ledger_percentile(old, 0.5)), "sync_cpu_us",
                     (double)cpu_sync / LIVE));
    ledger_end(l);
    ledger_end(old);
}

static void reading(struct school *s)
{
    enum { ROOMS = 40, SAID = 30, TEACHER = 0 };
    static const char SYNC[] =
        "/_matrix/client/v3/"
        "sync?timeout=0&filter=%7B%22room%22:%7B%22state%22:%7B%22lazy_load_members%22:true%7D%7D%7D";
    struct changelog *l = xcalloc(1, sizeof *l);
    char *rooms[ROOMS], path[400];
    size_t bytes;
    school_people(s, CLASS);
    for (int i = 0; i < ROOMS; ++i) {
        rooms[i] = class_of(s, TEACHER, CLASS, "class");
        for (int k = 0; k < SAID; ++k)
            school_say(s, k % CLASS, rooms[i], "Напоминаю: завтра экскурсия, сбор в 8:30 у входа");
    }
    conn_close(s->desk);
    subject_stop(s->subject, SIGTERM);
    subject_start(s->subject);
    s->desk = conn_open(s->client);
    time_requests(s, SYNC, s->people[TEACHER].token, 1, l, &bytes);
    double cold = ms(ledger_percentile(l, 0.5));
    ledger_begin(l);
    int64_t cpu = subject_cpu_us(s->subject);
    time_requests(s, SYNC, s->people[TEACHER].token, 50, l, &bytes);
    cpu = subject_cpu_us(s->subject) - cpu;
    report("initial_sync", "<= 8 ms warm, <= 40 ms cold",
           json_pack("{s:i, s:f, s:f, s:f, s:f, s:I}", "rooms", ROOMS, "cold_ms", cold, "warm_p50_ms",
                     ms(ledger_percentile(l, 0.5)), "warm_p99_ms", ms(ledger_percentile(l, 0.99)), "cpu_us",
                     (double)cpu / 50, "bytes", (json_int_t)bytes));
    ledger_begin(l);
    snprintf(path, sizeof path, "/_matrix/client/v3/rooms/%s/messages?dir=b&limit=50", rooms[0]);
    cpu = subject_cpu_us(s->subject);
    time_requests(s, path, s->people[TEACHER].token, 500, l, &bytes);
    cpu = subject_cpu_us(s->subject) - cpu;
    report("messages", "50 events: p50 <= 0.4 ms, <= 130 us CPU",
           json_pack("{s:i, s:f, s:f, s:f, s:I}", "limit", 50, "p50_ms", ms(ledger_percentile(l, 0.5)), "p99_ms",
                     ms(ledger_percentile(l, 0.99)), "cpu_us", (double)cpu / 500, "bytes", (json_int_t)bytes));
    sliding(s, TEACHER, rooms, ROOMS);
    for (int i = 0; i < ROOMS; ++i)
        free(rooms[i]);
    ledger_end(l);
}

struct login {
    struct conn *conn;
    struct changelog *changelog;
    int64_t started;
    int *left, *done;
};

static void log_in(struct login *l);

static void on_login(struct conn *conn, int status, const char *body, size_t len, void *arg)
{
    struct login *l = arg;
    ledger_book(l->changelog, now_us() - l->started);
    *l->done += status == 200;
    if (*l->left > 0)
        log_in(l);
}

static void log_in(struct login *l)
{
    *l->left -= 1;
    l->started = now_us();
    conn_send(l->conn, "POST", "/_matrix/client/v3/login", NULL,
              "{\"type\":\"m.login.password\",\"identifier\":{\"type\":\"m.id.user\",\"user\":\"p0\"},"
              "\"password\":\"bench-password\",\"device_id\":\"bench\"}",
              on_login, l);
}

/* 16 people sign in again and again while a class chats: what does the chat feel, beside what it felt before? */
static void login_storm(struct school *s)
{
    enum { AT_ONCE = 16, LOGINS = 400, CHAT = 16, EVERY_US = 50000, CALM = 100 };
    struct changelog *logins = xcalloc(1, sizeof *logins), *l = xcalloc(1, sizeof *l),
                     *answers = xcalloc(1, sizeof *answers);
    struct login storm[AT_ONCE];
    struct sender senders[CHAT];
    int left = LOGINS, done = 0, said = 0;
    school_people(s, CLASS);
    char *room_id = class_of(s, 0, CHAT, "storm");
    senders_open(s, senders, CHAT, 0, room_id, l, answers);
    int64_t due = now_us();
    for (; said < CALM; due += EVERY_US)
        say_in_turn(s, senders, CHAT, said++, due);
    while (l->answered < l->sent)
        client_run(s->client, 1000);
    double calm_p50 = ms(ledger_percentile(answers, 0.5)), calm_p99 = ms(ledger_percentile(answers, 0.99));
    ledger_begin(answers);
    int64_t cpu = subject_cpu_us(s->subject), start = due = now_us();
    for (int i = 0; i < AT_ONCE; ++i) {
        storm[i] = (struct login){conn_open(s->client), logins, 0, &left, &done};
        log_in(&storm[i]);
    }
    for (; logins->n_latencies < LOGINS && now_us() < start + 60000000; due += EVERY_US)
        say_in_turn(s, senders, CHAT, said++, due);
    int64_t took = now_us() - start;
    while (l->answered < l->sent)
        client_run(s->client, 1000);
    cpu = subject_cpu_us(s->subject) - cpu;
    report("login_storm", "slows logins, not messages",
           json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "logins", done, "at_once", AT_ONCE,
                     "per_second", (double)done * 1000000 / (double)took, "login_p50_ms",
                     ms(ledger_percentile(logins, 0.5)), "login_p99_ms", ms(ledger_percentile(logins, 0.99)),
                     "message_p50_ms", ms(ledger_percentile(answers, 0.5)), "message_p99_ms",
                     ms(ledger_percentile(answers, 0.99)), "calm_message_p50_ms", calm_p50, "calm_message_p99_ms",
                     calm_p99, "cpu_us_per_login", (double)cpu / LOGINS));
    for (int i = 0; i < AT_ONCE; ++i)
        conn_close(storm[i].conn);
    senders_close(senders, CHAT);
    ledger_end(logins);
    ledger_end(l);
    ledger_end(answers);
    free(room_id);
}

/* Runs until the server's memory stands still, for a while at most. */
static double settled_mib(struct school *s, int64_t most_us, int64_t pause_us)
{
    int64_t end = now_us() + most_us, last = 0, rss = subject_rss_kib(s->subject);
    while (rss != last && now_us() < end) {
        int64_t pause = now_us() + pause_us;
        last = rss;
        while (now_us() < pause)
            client_run(s->client, 50000);
        rss = subject_rss_kib(s->subject);
    }
    return (double)rss / 1024;
}

/* Memory: idle, and what each person adds who begins with an initial sync and then waits: people in classes, one device
 * each. And what stays of it when they have gone. */
static void memory(struct school *s)
{
    enum { MOST = 3000, GIVEN_BACK_US = 40000000 };
    static const int STEPS[] = {1000, MOST};
    char path[200], *room_id = NULL;
    int n = 0;
    school_people(s, MOST);
    for (int i = 0; i < MOST; ++i)
        if (i % CLASS == 0) {
            free(room_id);
            room_id = school_room(s, i, "class");
        } else {
            school_join(s, i, room_id);
        }
    free(room_id);
    conn_close(s->desk);
    subject_stop(s->subject, SIGTERM);
    subject_start(s->subject);
    double idle = settled_mib(s, 2000000, 300000);
    s->desk = conn_open(s->client);
    report("memory_idle", "<= 14 MiB", json_pack("{s:f}", "rss_mib", idle));
    for (int step = 0; step < 2; ++step) {
        for (; n < STEPS[step]; ++n)
            poll_begin(s, n, NULL);
        double parked = settled_mib(s, 5000000, 300000);
        report(
            "memory_parked", "<= 12 KiB a person",
            json_pack("{s:i, s:f, s:f}", "people", n, "rss_mib", parked, "kib_per_person", (parked - idle) * 1024 / n));
    }
    for (int i = 0; i < n; ++i)
        poll_end(s, i);
    snprintf(path, sizeof path, "<= %.0f MiB", idle + 20);
    report("memory_after", path, json_pack("{s:f}", "rss_mib", settled_mib(s, GIVEN_BACK_US, GIVEN_BACK_US / 2)));
}

/* Everybody of a school is online, in classes, asks again every half minute, and some go and come all the time: what it
 * costs that others see it. */
static void presence(struct school *s)
{
    enum { N = 1500, SECONDS = 30, PER_SECOND = 5, POLL_MS = 30000 };
    static const char *const STATES[] = {"unavailable", "online"};
    char path[320], body[64];
    FILE *config = fopen(s->subject->config, "a");
    fprintf(config, "presence:\n  enabled: true\n");
    fclose(config);
    school_people(s, N);
    for (int i = 0; i < N; i += CLASS)
        free(class_of(s, i, CLASS, "class"));
    conn_close(s->desk);
    subject_stop(s->subject, SIGTERM);
    subject_start(s->subject);
    s->desk = conn_open(s->client);
    for (int i = 0; i < N; ++i) {
        s->people[i].timeout_ms = POLL_MS;
        poll_begin(s, i, NULL);
    }
    int64_t settled = now_us() + 10000000; /* all have been told of all */
    while (now_us() < settled)
        client_run(s->client, 10000);
    subject_profile_begin(s->subject, "presence");
    int64_t cpu = subject_cpu_us(s->subject), start = now_us();
    for (int k = 0; k < SECONDS * PER_SECOND; ++k) {
        int person = k / 2 * 37 % N, status;
        while (now_us() < start + (int64_t)k * 1000000 / PER_SECOND)
            client_run(s->client, 1000);
        snprintf(path, sizeof path, "/_matrix/client/v3/presence/%s/status", s->people[person].user_id);
        snprintf(body, sizeof body, "{\"presence\":\"%s\"}", STATES[k % 2]);
        free(client_ask(s->desk, "PUT", path, s->people[person].token, body, &status));
        if (status != 200)
            exit(1);
    }
    cpu = subject_cpu_us(s->subject) - cpu;
    subject_profile_end();
    report("presence", "<= 10 % of one core",
           json_pack("{s:i, s:i, s:f}", "online", N, "changes_a_second", PER_SECOND, "percent_of_a_core",
                     100 * (double)cpu / (double)(now_us() - start)));
    for (int i = 0; i < N; ++i)
        poll_end(s, i);
}

static void disk(struct school *s)
{
    enum { MESSAGES = 5000 };
    struct changelog *l = xcalloc(1, sizeof *l), *answers = xcalloc(1, sizeof *answers);
    struct sender senders[32];
    school_people(s, CLASS);
    char *room_id = class_of(s, 0, CLASS, "disk");
    conn_close(s->desk);
    subject_stop(s->subject, SIGTERM);
    int64_t before = subject_file_bytes(s->subject->database);
    subject_start(s->subject);
    senders_open(s, senders, 32, 0, room_id, l, answers);
    for (int i = 0; i < 32; ++i)
        senders[i].who = &s->people[i % CLASS];
    while (l->answered < MESSAGES) {
        for (int i = 0; i < 32 && l->sent < MESSAGES; ++i)
            if (!conn_busy(senders[i].conn))
                say(&senders[i], now_us());
        client_run(s->client, 10000);
    }
    senders_close(senders, 32);
    subject_stop(s->subject, SIGTERM);
    int64_t after = subject_file_bytes(s->subject->database);
    subject_start(s->subject);
    s->desk = conn_open(s->client);
    report("disk", "<= 500 B per message",
           json_pack("{s:i, s:f}", "messages", MESSAGES, "bytes_per_message", (double)(after - before) / MESSAGES));
    ledger_end(l);
    ledger_end(answers);
    free(room_id);
}

static void starting(struct school *s)
{
    enum { STARTS = 9 };
    struct changelog *clean = xcalloc(1, sizeof *clean);
    int64_t killed;
    school_people(s, 2);
    char *room_id = class_of(s, 0, 2, "start");
    for (int i = 0; i < 500; ++i)
        school_say(s, i % 2, room_id, "до перезапуска");
    conn_close(s->desk);
    for (int i = 0; i < STARTS; ++i) {
        subject_stop(s->subject, SIGTERM);
        ledger_book(clean, subject_start(s->subject));
    }
    s->desk = conn_open(s->client);
    for (int i = 0; i < 2000; ++i)
        school_say(s, i % 2, room_id, "до kill -9");
    conn_close(s->desk);
    subject_stop(s->subject, SIGKILL);
    killed = subject_start(s->subject);
    s->desk = conn_open(s->client);
    report("start", "<= 12 ms; <= 200 ms after kill -9",
           json_pack("{s:i, s:f, s:f, s:f}", "starts", STARTS, "start_p50_ms", ms(ledger_percentile(clean, 0.5)),
                     "start_least_ms", ms(ledger_percentile(clean, 0)), "after_kill_ms", ms(killed)));
    ledger_end(clean);
    free(room_id);
}

static void decision(struct school *s)
{
    report("decision", "<= 2 us", bench_decision());
}

static void push(struct school *s)
{
    report("push", "none yet", bench_push());
}

static void appservice(struct school *s)
{
    report("appservice", "none yet", bench_appservice());
}

static void gate(struct school *s)
{
    report("gate", "<= 5 % of a send", bench_gate());
}

static void report_search(json_t *figures)
{
    report("search", "p50 <= 20 ms", figures);
}

static void searching(struct school *s)
{
    bench_search(report_search);
}

static void importing(struct school *s)
{
    static const char *const SIZES[] = {"10x33x30", "large"};
    for (int i = 0; i < 2; ++i) {
        json_t *first, *again;
        bench_import(s->subject->partad, SIZES[i], &first, &again);
        report("import_first", "100 000 people in <= 20 s on two quiet cores", first);
        report("import_again", "100 000 people in <= 3 s", again);
    }
}

static const struct workload {
    const char *name;
    void (*run)(struct school *s);
    bool real_passwords; /* hashed at the default cost; else cheaply, to make people faster */
} WORKLOADS[] = {
    {"send_steady", send_steady},
    {"send_saturation", send_saturation},
    {"announcement", announcement},
    {"sliding_parked", sliding_parked},
    {"crowd", crowd},
    {"returning", returning},
    {"reading", reading},
    {"login_storm", login_storm, true},
    {"memory", memory},
    {"presence", presence},
    {"disk", disk},
    {"start", starting},
    {"decision", decision},
    {"gate", gate},
    {"push", push},
    {"appservice", appservice},
    {"search", searching},
    {"keys", keys_morning},
    {"media", media_traffic},
    {"pages", pages_warm, true},
    {"sign_in", growth_sign_in},
    {"growth_rooms", growth_rooms},
    {"growth_members", growth_members},
    {"growth_messages", growth_messages},
    {"import", importing},
};

static void run(const struct workload *workload, const char *partad)
{
    struct subject subject;
    struct school school;
    subject_prepare(&subject, partad, workload->real_passwords);
    subject_start(&subject);
    school_open(&school, &subject);
    workload->run(&school);
    school_close(&school);
    subject_stop(&subject, SIGTERM);
    subject_remove(&subject);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    bool peer = argc == 4 && strcmp(argv[2], "--peer") == 0;
    if (argc < 2 || argv[1][0] == '-' || (!peer && argc > 2 && argv[2][0] == '-')) {
        fprintf(stderr, "usage: bench PARTAD [WORKLOAD…]\n       bench PARTAD --peer PATH\nworkloads:");
        for (size_t i = 0; i < sizeof WORKLOADS / sizeof *WORKLOADS; ++i)
            fprintf(stderr, " %s", WORKLOADS[i].name);
        fprintf(stderr, "\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    pin_to_core(last_core());
    if (peer) {
        bench_peer(argv[1], argv[3]);
        return 0;
    }
    for (size_t i = 0; i < sizeof WORKLOADS / sizeof *WORKLOADS; ++i) {
        bool wanted = argc == 2;
        for (int k = 2; k < argc; ++k)
            wanted = wanted || strcmp(argv[k], WORKLOADS[i].name) == 0;
        if (wanted)
            run(&WORKLOADS[i], argv[1]);
    }
    return 0;
}
