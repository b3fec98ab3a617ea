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
#include "tests/bench/client.h"
#include "tests/bench/decision.h"
#include "tests/bench/gate.h"
#include "tests/bench/growth.h"
#include "tests/bench/import.h"
#include "tests/bench/report.h"
#include "tests/bench/school.h"
#include "tests/bench/subject.h"

static double ms(int64_t us)
{
    return (double)us / 1000;
}

/* --- Senders --- */

struct sender {
    struct conn *conn;
    struct person *who;
    int index;
    const char *room_id;
    struct changelog *changelog;
    struct changelog *answers; /* latencies of the PUTs */
    int number;                /* of the message under way */
    bool closed_loop;
    int64_t until_us; /* closed loop: when to stop */
};

static void say(struct sender *s, int64_t due_us);

static void on_said(struct conn *conn, int status, const char *body, size_t len, void *arg)
{
    struct sender *s = arg;
    if (status != 200) {
        fprintf(stderr, "bench: a send failed: %d %.200s\n", status, body);
        exit(1);
    }
    s->changelog->answered += status == 200;
    ledger_book(s->answers, now_us() - s->changelog->due_us[s->number]);
    if (s->closed_loop && now_us() < s->until_us)
        say(s, now_us());
}

static void say(struct sender *s, int64_t due_us)
{
    char path[320], body[200], txn[32];
    if (s->changelog->sent == MESSAGES_MAX)
        return;
    s->number = s->changelog->sent++;
    s->changelog->due_us[s->number] = due_us;
    snprintf(txn, sizeof txn, "b%d-%d", s->number, s->index);
    send_path(path, sizeof path, s->room_id, txn);
    snprintf(
        body, sizeof body,
        "{\"msgtype\":\"m.text\",\"body\":\"bench %d %d Завтра на первом уроке контрольная, не забудьте тетради\"}",
        s->number, s->index);
    conn_send(s->conn, "PUT", path, s->who->token, body, on_said, s);
}

static void senders_open(struct school *s, struct sender *senders, int n, int first, const char *room_id,
                         struct changelog *changelog, struct changelog *answers)
{
    for (int i = 0; i < n; ++i)
        senders[i] = (struct sender){.conn = conn_open(s->client),
                                     .who = &s->people[first + i],
                                     .index = i,
                                     .room_id = room_id,
                                     .changelog = changelog,
                                     .answers = answers};
}

static void senders_close(struct sender *senders, int n)
{
    for (int i = 0; i < n; ++i)
        conn_close(senders[i].conn);
}

/* Runs until everybody has seen what was sent, at most 10 s. */
static void drain(struct school *s, struct changelog *l, int from, int n)
{
    int64_t end = now_us() + 10000000;
    for (bool waiting = true; waiting && now_us() < end;) {
        client_run(s->client, 10000);
        waiting = l->answered < l->sent;
        for (int i = from; i < from + n; ++i)
            waiting = waiting || s->people[i].n_seen < l->answered;
    }
    for (int i = from; i < from + n; ++i)
        l->lost_or_repeated += labs((long)l->answered - s->people[i].n_seen);
}

static char *class_of(struct school *s, int first, int n, const char *name)
{
    char *room_id = school_room(s, first, name);
    for (int i = 1; i < n; ++i)
        school_join(s, first + i, room_id);
    return room_id;
}

/* The k-th message of a chat, at its time, by the next of n people who is free. */
static void say_in_turn(struct school *s, struct sender *senders, int n, int k, int64_t due_us)
{
    struct sender *sender = &senders[k % n];
    while (now_us() < due_us)
        client_run(s->client, due_us - now_us());
    while (conn_busy(sender->conn))
        client_run(s->client, 1000);
    say(sender, due_us);
}

/* --- Workloads --- */

enum { CLASS = 30 };

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
    int64_t cpu = subject_cpu_us(s->subject), start = now_us(), end = start + (int64_t)seconds * 1000000;
    for (int i = 0; i < n_senders; ++i) {
        senders[i].closed_loop = true;
        senders[i].until_us = end;
        say(&senders[i], now_us());
    }
    while (now_us() < end || l->answered < l->sent) {
        client_run(s->client, 10000);
        if (now_us() > end + 10000000)
            break;
    }
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

/* One announcement to n parked polls: µs from sending it (so the commit is in it) to the last delivery. */
static int64_t announce(struct school *s, struct sender *sender, int n)
{
    struct changelog *l = sender->changelog;
    int64_t before = l->n_latencies, start = now_us();
    say(sender, start);
    while ((l->n_latencies < before + n || l->answered < l->sent) && now_us() < start + 5000000)
        client_run(s->client, 1000);
    int64_t took = now_us() - start, reconcile = now_us() + 100000;
    while (now_us() < reconcile) /* the next polls are sent and parked */
        client_run(s->client, 1000);
    return took;
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
    struct comeback anew = come_back(s, since);
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
    report("messages", "50 events: p50 <= 0.4 ms",
           json_pack("{s:i, s:f, s:f, s:f, s:I}", "limit", 50, "p50_ms", ms(ledger_percentile(l, 0.5)), "p99_ms",
                     ms(ledger_percentile(l, 0.99)), "cpu_us", (double)cpu / 500, "bytes", (json_int_t)bytes));
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
    report("disk", "<= 1.0 KB per message",
           json_pack("{s:i, s:f}", "messages", MESSAGES, "bytes_per_message", (double)(after - before) / MESSAGES));
    ledger_end(l);
    ledger_end(answers);
    free(room_id);
}

static void starting(struct school *s)
{
    int64_t clean, killed;
    school_people(s, 2);
    char *room_id = class_of(s, 0, 2, "start");
    for (int i = 0; i < 500; ++i)
        school_say(s, i % 2, room_id, "до перезапуска");
    conn_close(s->desk);
    subject_stop(s->subject, SIGTERM);
    clean = subject_start(s->subject);
    s->desk = conn_open(s->client);
    for (int i = 0; i < 2000; ++i)
        school_say(s, i % 2, room_id, "до kill -9");
    conn_close(s->desk);
    subject_stop(s->subject, SIGKILL);
    killed = subject_start(s->subject);
    s->desk = conn_open(s->client);
    report("start", "<= 50 ms; <= 200 ms after kill -9",
           json_pack("{s:f, s:f}", "start_ms", ms(clean), "after_kill_ms", ms(killed)));
    free(room_id);
}

static void decision(struct school *s)
{
    report("decision", "<= 2 us", bench_decision());
}

static void gate(struct school *s)
{
    report("gate", "<= 5 % of a send", bench_gate());
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
    {"returning", returning},
    {"reading", reading},
    {"login_storm", login_storm, true},
    {"memory", memory},
    {"disk", disk},
    {"start", starting},
    {"decision", decision},
    {"gate", gate},
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
    if (argc < 2 || argv[1][0] == '-') {
        fprintf(stderr, "usage: bench PARTAD [WORKLOAD…]\nworkloads:");
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
    for (size_t i = 0; i < sizeof WORKLOADS / sizeof *WORKLOADS; ++i) {
        bool wanted = argc == 2;
        for (int k = 2; k < argc; ++k)
            wanted = wanted || strcmp(argv[k], WORKLOADS[i].name) == 0;
        if (wanted)
            run(&WORKLOADS[i], argv[1]);
    }
    return 0;
}
