#include "tests/bench/sender.h"

#include <stdio.h>
#include <stdlib.h>

#include "homeserver/base/text.h"

double ms(int64_t us)
{
    return (double)us / 1000;
}

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

void say(struct sender *s, int64_t due_us)
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

void senders_open(struct school *s, struct sender *senders, int n, int first, const char *room_id,
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

void senders_close(struct sender *senders, int n)
{
    for (int i = 0; i < n; ++i)
        conn_close(senders[i].conn);
}

void drain(struct school *s, struct changelog *l, int from, int n)
{
    int64_t end = now_us() + 30000000;
    for (bool waiting = true; waiting && now_us() < end;) {
        client_run(s->client, 10000);
        waiting = l->answered < l->sent;
        for (int i = from; i < from + n; ++i)
            waiting = waiting || s->people[i].n_seen < l->answered;
    }
    for (int i = from; i < from + n; ++i)
        l->lost_or_repeated += labs((long)l->answered - s->people[i].n_seen);
}

char *class_of(struct school *s, int first, int n, const char *name)
{
    char *room_id = school_room(s, first, name);
    for (int i = 1; i < n; ++i)
        school_join(s, first + i, room_id);
    return room_id;
}

void say_in_turn(struct school *s, struct sender *senders, int n, int k, int64_t due_us)
{
    struct sender *sender = &senders[k % n];
    while (now_us() < due_us)
        client_run(s->client, due_us - now_us());
    while (conn_busy(sender->conn))
        client_run(s->client, 1000);
    say(sender, due_us);
}

void senders_flood(struct school *s, struct sender *senders, int n, int seconds)
{
    int64_t end = now_us() + (int64_t)seconds * 1000000;
    struct changelog *l = senders[0].changelog;
    for (int i = 0; i < n; ++i) {
        senders[i].closed_loop = true;
        senders[i].until_us = end;
        say(&senders[i], now_us());
    }
    while (now_us() < end || l->answered < l->sent) {
        client_run(s->client, 10000);
        if (now_us() > end + 10000000)
            break;
    }
}

int64_t announce(struct school *s, struct sender *sender, int n)
{
    struct changelog *l = sender->changelog;
    int64_t before = l->n_latencies, start = now_us();
    say(sender, start);
    while ((l->n_latencies < before + n || l->answered < l->sent) && now_us() < start + 30000000)
        client_run(s->client, 1000);
    int64_t took = now_us() - start, reconcile = now_us() + 100000;
    while (now_us() < reconcile) /* the next polls are sent and parked */
        client_run(s->client, 1000);
    return took;
}
