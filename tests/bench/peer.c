#include "tests/bench/peer.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "tests/bench/report.h"
#include "tests/bench/school.h"
#include "tests/bench/sender.h"
#include "tests/bench/subject.h"

enum { FIGURES_MAX = 24 };

struct figures {
    struct figure {
        const char *name;
        double value;
        bool more_is_better;
    } rows[FIGURES_MAX];
    int n;
};

static void figure(struct figures *f, const char *name, double value)
{
    if (f->n == FIGURES_MAX)
        abort();
    f->rows[f->n++] = (struct figure){name, value, strstr(name, "_per_second") != NULL};
}

/* A room of 30, as many messages as the server takes; with or without everybody polling. */
static void measure_send(struct school *s, struct figures *f, int n_senders, bool polling)
{
    enum { SECONDS = 5 };
    struct changelog *l = xcalloc(1, sizeof *l), *answers = xcalloc(1, sizeof *answers);
    struct sender senders[64];
    char *room_id = class_of(s, 0, CLASS, "class");
    senders_open(s, senders, n_senders, 0, room_id, l, answers);
    for (int i = 0; i < n_senders; ++i)
        senders[i].who = &s->people[i % CLASS];
    for (int i = 0; polling && i < CLASS; ++i)
        poll_begin(s, i, l);
    int64_t cpu = subject_cpu_us(s->subject), start = now_us();
    senders_flood(s, senders, n_senders, SECONDS);
    int64_t took = now_us() - start;
    if (polling)
        drain(s, l, 0, CLASS);
    cpu = subject_cpu_us(s->subject) - cpu;
    figure(f, polling ? "send_30_syncing_per_second" : "send_per_second", l->answered * 1e6 / (double)took);
    figure(f, polling ? "send_30_syncing_cpu_us" : "send_cpu_us", (double)cpu / l->answered);
    figure(f, polling ? "send_30_syncing_p50_ms" : "send_p50_ms", ms(ledger_percentile(answers, 0.5)));
    if (polling && l->lost_or_repeated != 0)
        fprintf(stderr, "bench: %lld messages were lost or repeated\n", (long long)l->lost_or_repeated);
    for (int i = 0; polling && i < CLASS; ++i)
        poll_end(s, i);
    senders_close(senders, n_senders);
    ledger_end(l);
    ledger_end(answers);
    free(room_id);
}

static void measure_delivery(struct school *s, struct figures *f)
{
    enum { N = 300, ROUNDS = 5 };
    struct changelog *l = xcalloc(1, sizeof *l), *answers = xcalloc(1, sizeof *answers);
    struct sender sender;
    int64_t last_us = 0;
    char *room_id = school_room(s, 0, "announcements");
    for (int i = 1; i < s->n; ++i)
        school_join(s, i, room_id);
    school_crowd(s, N, room_id);
    senders_open(s, &sender, 1, 0, room_id, l, answers);
    for (int i = 0; i < N; ++i)
        poll_begin(s, i, l);
    announce(s, &sender, N);
    int64_t cpu = subject_cpu_us(s->subject);
    for (int round = 0; round < ROUNDS; ++round)
        last_us += announce(s, &sender, N);
    cpu = subject_cpu_us(s->subject) - cpu;
    figure(f, "delivery_to_300_last_ms", ms(last_us / ROUNDS));
    figure(f, "delivery_to_300_cpu_us", (double)cpu / ROUNDS / N);
    for (int i = 0; i < N; ++i)
        poll_end(s, i);
    senders_close(&sender, 1);
    ledger_end(l);
    ledger_end(answers);
    free(room_id);
}

/* One request after the other: CPU of each, and its middle time. */
static void measure_requests(struct school *s, struct figures *f, const char *const names[2], const char *method,
                             const char *path, const char *token, const char *body, int times)
{
    struct changelog *l = xcalloc(1, sizeof *l);
    int64_t cpu = subject_cpu_us(s->subject);
    for (int i = 0; i < times; ++i) {
        int status;
        int64_t start = now_us();
        char *answer = client_ask(s->desk, method, path, token, body, &status);
        ledger_book(l, now_us() - start);
        if (status != 200) {
            fprintf(stderr, "bench: %s %s: %d %.200s\n", method, path, status, answer);
            exit(1);
        }
        free(answer);
    }
    figure(f, names[0], (double)(subject_cpu_us(s->subject) - cpu) / times);
    figure(f, names[1], ms(ledger_percentile(l, 0.5)));
    ledger_end(l);
}

static void measure_reading(struct school *s, struct figures *f)
{
    enum { ROOMS = 40, MEMBERS = 5, SAID = 10, PAGE = 50, READER = CLASS };
    static const char SYNC[] =
        "/_matrix/client/v3/sync?timeout=0&filter=%7B%22room%22:%7B%22timeline%22:%7B%22limit%22:10"
        "%7D,%22state%22:%7B%22lazy_load_members%22:true%7D%7D%7D";
    char path[400], *room_id = NULL;
    school_people(s, CLASS + MEMBERS);
    for (int i = 0; i < ROOMS; ++i) {
        free(room_id);
        room_id = class_of(s, READER, MEMBERS, "class");
        for (int k = 0; k < SAID; ++k)
            school_say(s, READER + k % MEMBERS, room_id, "Напоминаю: завтра экскурсия, сбор в 8:30 у входа");
    }
    for (int k = 0; k < PAGE; ++k)
        school_say(s, READER, room_id, "Кто взял мел?");
    const char *token = s->people[READER].token;
    measure_requests(s, f, (const char *[]){"initial_sync_40_rooms_cpu_us", "initial_sync_40_rooms_p50_ms"}, "GET",
                     SYNC, token, NULL, 10);
    snprintf(path, sizeof path, "/_matrix/client/v3/rooms/%s/messages?dir=b&limit=%d", room_id, PAGE);
    measure_requests(s, f, (const char *[]){"messages_50_cpu_us", "messages_50_p50_ms"}, "GET", path, token, NULL, 50);
    free(room_id);
}

/* Hashes are as cheap as each server lets them be. */
static void measure_sign_in(struct school *s, struct figures *f)
{
    measure_requests(s, f, (const char *[]){"sign_in_cpu_us", "sign_in_p50_ms"}, "POST", "/_matrix/client/v3/login",
                     NULL,
                     "{\"type\":\"m.login.password\",\"identifier\":{\"type\":\"m.id.user\",\"user\":\"p0\"},"
                     "\"password\":\"bench-password\",\"device_id\":\"bench\"}",
                     50);
}

static void measure(struct subject *subject, struct figures *f)
{
    struct school s;
    figure(f, "start_ms", ms(subject_start(subject)));
    figure(f, "idle_mib", (double)subject_rss_kib(subject) / 1024);
    school_open(&s, subject);
    school_people(&s, CLASS);
    measure_send(&s, f, 64, false);
    measure_send(&s, f, 8, true);
    measure_reading(&s, f);
    measure_sign_in(&s, f);
    measure_delivery(&s, f);
    school_close(&s);
    subject_stop(subject, SIGTERM);
    subject_remove(subject);
}

void bench_peer(const char *partad, const char *peer)
{
    struct subject subject;
    struct figures parta = {0}, other = {0};
    subject_prepare(&subject, partad, false);
    measure(&subject, &parta);
    subject_prepare_peer(&subject, peer);
    measure(&subject, &other);
    for (int i = 0; i < parta.n; ++i) {
        const struct figure *p = &parta.rows[i];
        double q = other.rows[i].value;
        report(p->name, p->more_is_better ? "times: Parta's by the peer's" : "times: the peer's by Parta's",
               json_pack("{s:f, s:f, s:f}", "parta", p->value, "peer", q, "times",
                         p->more_is_better ? p->value / q : q / p->value));
    }
}
